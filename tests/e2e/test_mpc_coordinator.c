/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, clients cannot get a text out of the parties by gRPC, or somebody gets what is not theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/plain.h"
#include "net/http_client.h"
#include "service/triple_units.h"
#include "support/mpc_coordinator_world.h"
#include "support/mpc_stories.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

#define TOKENS_MAX 64
#define PROMPT     3

static const uint32_t prompt[PROMPT] = {0, 77, 123};
/* ---- a client ---- */

typedef struct reply {
    uint8_t *data; /* the last message */
    size_t bytes, messages;
    uint32_t tokens[TOKENS_MAX];
    size_t token_count, timing_count;
    size_t stop_after; /* tokens; 0: never */
    double ms;
    bool events, leave;          /* leave: hang up at the first message */
    eis_mpc_party_server **kill; /* stopped at the first token */
} reply;

static eis_status hear(void *context, eis_span message)
{
    reply *r = context;
    eis_coordinator_event event;

    r->messages++;
    eis_mem_free(r->data);
    r->data = eis_mem_new(message.bytes + 1, 1);
    memcpy(r->data, message.data, message.bytes);
    r->bytes = message.bytes;
    if (r->leave) return EIS_ERR_INTERRUPTED;
    if (!r->events) return EIS_OK;
    assert_int_equal(eis_coordinator_read_event(&event, message), EIS_OK);
    if (event.kind == EIS_COORDINATOR_TOKEN) {
        assert_int_equal(r->token_count, r->timing_count);
        assert_true(r->token_count < TOKENS_MAX);
        r->tokens[r->token_count++] = event.told.token;
        if (r->kill != NULL && *r->kill != NULL) {
            eis_mpc_party_server_stop(*r->kill, 0);
            *r->kill = NULL;
        }
    }
    if (event.kind == EIS_COORDINATOR_TIMING) {
        assert_int_equal(event.step, r->timing_count);
        assert_true(event.ms > 0);
        r->timing_count++;
        r->ms += event.ms;
    }
    return r->stop_after != 0 && r->timing_count == r->stop_after ? EIS_ERR_INTERRUPTED : EIS_OK;
}

static eis_status call(eis_grpc_client *client, reply *r, const char *path, eis_writer *w)
{
    eis_status st = eis_wire_writer_status(w);

    assert_int_equal(st, EIS_OK);
    st = eis_net_grpc_call(client, path, w->data, w->bytes, COORDINATOR_CALL_MS, hear, r);
    eis_wire_writer_clear(w);
    return st;
}

static eis_writer writer(void)
{
    eis_writer w;

    eis_wire_writer_init(&w, 1 << 20);
    return w;
}

static eis_status create(eis_grpc_client *client, reply *r, const char *session)
{
    eis_writer w = writer();

    r->events = false;
    eis_coordinator_write_create(&w, session, COORDINATOR_MODEL);
    return call(client, r, "/mimir.Coordinator/CreateSession", &w);
}

static eis_status submit(eis_grpc_client *client, reply *r, const char *session, uint32_t masked)
{
    eis_writer w = writer();

    r->events = false;
    eis_coordinator_write_submit(&w, session, masked);
    return call(client, r, "/mimir.Coordinator/SubmitPrompt", &w);
}

static eis_status run_drawn(eis_grpc_client *client, reply *r, const char *session, uint32_t most,
                            const eis_mpc_sampling *sampling)
{
    eis_writer w = writer();

    r->events = true;
    eis_coordinator_write_run(&w, session, most, sampling);
    return call(client, r, "/mimir.Coordinator/RunInference", &w);
}

static eis_status run(eis_grpc_client *client, reply *r, const char *session, uint32_t most)
{
    return run_drawn(client, r, session, most, NULL);
}

/* Sends the prompt to the parties as its owner. */
static void send_prompt(const coordinator_world *w, const eis_mpc_session *session, uint64_t first_step)
{
    eis_mpc_owner *owner;

    mpc_service_require(eis_mpc_owner_open(&owner, session, &w->service.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_prompt(owner, first_step, 0, prompt, PROMPT), "prompt");
    eis_mpc_owner_close(owner);
}

/* What a text begins with that the coordinator sent as msg (field 2). */
static bool says(const reply *r, const char *words)
{
    return r->data != NULL && strstr((const char *)r->data + 2, words) != NULL;
}

/* A session with its prompt at the parties, ready to run. */
static void prepare(coordinator_world *w, eis_grpc_client *client, const char *name)
{
    reply r = {0};
    eis_mpc_session session;
    uint8_t *document;
    size_t bytes;
    uint64_t first_step;

    mpc_service_require(create(client, &r, name), "create");
    mpc_service_require(eis_coordinator_read_session_ack(&document, &bytes, (eis_span){r.data, r.bytes}), "ack");
    mpc_service_require(eis_mpc_session_read(&session, document, bytes), "document");
    assert_int_equal(strncmp(session.id, name, strlen(name)), 0);
    assert_int_equal(strlen(session.id), strlen(name) + 17);
    mpc_service_require(submit(client, &r, name, PROMPT), "submit");
    mpc_service_require(eis_coordinator_read_submit_ack(&first_step, (eis_span){r.data, r.bytes}), "ack");
    send_prompt(w, &session, first_step);
    eis_mpc_session_clear(&session);
    eis_mem_free(document);
    eis_mem_free(r.data);
}

/* ---- what the plain engine says ---- */

/* Tokens that are likelier than all others by `least` are told, but for a few. */
static void compare_story(const reply *r, double least, uint32_t wrong_max)
{
    eis_lm_session *plain;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    uint32_t vocabulary = model->lm.vocabulary, sure = 0, wrong = 0;
    double *logits = malloc(vocabulary * sizeof *logits);

    assert_int_equal(eis_lm_session_new(&plain, model, 0), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    assert_int_equal(eis_lm_feed(plain, logits, &seam, prompt, PROMPT), EIS_OK);
    for (size_t i = 0; i < r->token_count; i++) {
        uint32_t best = 0;
        double margin = INFINITY;
        for (uint32_t v = 1; v < vocabulary; v++)
            if (logits[v] > logits[best]) best = v;
        for (uint32_t v = 0; v < vocabulary; v++)
            if (v != best) margin = fmin(margin, logits[best] - logits[v]);
        if (margin > least) {
            wrong += r->tokens[i] != best;
            sure++;
        }
        assert_int_equal(eis_lm_feed(plain, logits, &seam, &r->tokens[i], 1), EIS_OK);
    }
    assert_true(wrong <= wrong_max);
    assert_true(least > 0.05 || 2 * sure > r->token_count);
    free(logits);
    eis_plain_backend_free(backend);
    eis_lm_session_free(plain);
}

static void check_story(const reply *r) { compare_story(r, 0.05, 0); }

/* ---- tests ---- */

static void a_masked_prompt_becomes_a_story(void **state)
{
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 3, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "story");
    assert_int_equal(run(client, &r, "story", 6), EIS_OK);
    assert_int_equal(r.token_count, 6);
    assert_int_equal(r.timing_count, 6);
    check_story(&r);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

typedef struct side {
    coordinator_world *w;
    char name[32];
    reply r;
} side;

static void *run_beside(void *context)
{
    side *s = context;
    eis_grpc_client *client = coordinator_world_client(s->w, &s->w->service.owner_papers);

    prepare(s->w, client, s->name);
    mpc_service_require(run(client, &s->r, s->name, 4), s->name);
    eis_net_grpc_client_free(client);
    return NULL;
}

static void sessions_run_side_by_side(void **state)
{
    coordinator_world w;
    side s[3];
    pthread_t thread[3];
    eis_grpc_client *client;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){.sessions_max = 3});
    for (int i = 0; i < 3; i++) {
        s[i] = (side){.w = &w};
        snprintf(s[i].name, sizeof s[i].name, "beside-%d", i);
        assert_int_equal(pthread_create(&thread[i], NULL, run_beside, &s[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(s[i].r.token_count, 4);
        check_story(&s[i].r);
        eis_mem_free(s[i].r.data);
    }
    client = coordinator_world_client(&w, &w.service.owner_papers);
    assert_int_equal(create(client, &r, "one-more"), EIS_ERR_BUSY);
    assert_int_equal(create(client, &r, "beside-1"), EIS_OK); /* its own creator begins anew */
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void what_is_missing_is_named(void **state)
{
    coordinator_world w;
    eis_grpc_client *client;
    eis_writer text = writer();
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){.context_max = 16});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    assert_int_equal(run(client, &r, "s", 4), EIS_ERR_NOT_FOUND);
    assert_non_null(strstr(eis_error_detail(), "call CreateSession first"));
    assert_int_equal(r.messages, 0);
    assert_int_equal(submit(client, &r, "s", 1), EIS_ERR_NOT_FOUND);
    assert_int_equal(r.messages, 1); /* ok = false, for clients that look there */
    assert_true(says(&r, "CreateSession"));
    assert_int_equal(create(client, &r, "no/name"), EIS_ERR_PARSE);
    assert_int_equal(create(client, &r, "s"), EIS_OK);
    assert_true(says(&r, "2^61-1"));
    assert_int_equal(run(client, &r, "s", 4), EIS_ERR_NOT_FOUND);
    assert_non_null(strstr(eis_error_detail(), "SubmitPrompt"));
    assert_int_equal(submit(client, &r, "s", 0), EIS_ERR_PARSE);
    assert_int_equal(submit(client, &r, "s", 17), EIS_ERR_CONTEXT_LENGTH); /* scheduler.max_context */
    assert_int_equal(submit(client, &r, "s", PROMPT), EIS_OK);
    assert_int_equal(run(client, &r, "s", 15), EIS_ERR_CONTEXT_LENGTH);
    r.events = false;
    eis_coordinator_write_create(&text, "t", "other");
    assert_int_equal(call(client, &r, "/mimir.Coordinator/CreateSession", &text), EIS_ERR_MODEL_NOT_FOUND);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void write_text(eis_writer *w, uint8_t tag, const char *text)
{
    eis_wire_writer_u8(w, (uint8_t)(tag << 3 | 2));
    eis_wire_writer_u8(w, (uint8_t)strlen(text));
    eis_wire_writer_bytes(w, text, strlen(text));
}

/* The prompt in the clear: packed varints (A) or words (B). */
static void write_plain_prompt(eis_writer *w, const char *session, bool a)
{
    write_text(w, 1, session);
    eis_wire_writer_u8(w, 3 << 3 | 2);
    eis_wire_writer_u8(w, a ? PROMPT : 8 * PROMPT);
    for (int i = 0; i < PROMPT; i++) {
        eis_wire_writer_u8(w, (uint8_t)prompt[i]);
        if (!a) eis_wire_writer_zeros(w, 7);
    }
}

static void a_prompt_in_the_clear_is_refused(void **state)
{
    coordinator_world w;
    eis_grpc_client *client;
    eis_writer text = writer();
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    assert_int_equal(create(client, &r, "s"), EIS_OK);
    write_plain_prompt(&text, "s", false);
    assert_int_equal(call(client, &r, "/mimir.Coordinator/SubmitPrompt", &text), EIS_ERR_POLICY);
    assert_non_null(strstr(eis_error_detail(), "prompt.plaintext_via_coordinator"));
    text = writer();
    write_plain_prompt(&text, "s", true);
    assert_int_equal(call(client, &r, "/mpcprompt.Coordinator/SubmitPrompt", &text), EIS_ERR_POLICY);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void both_message_sets_are_understood_on_both_paths(void **state)
{
    static const char *const paths[] = {"/mimir.Coordinator/SubmitPrompt", "/mpcprompt.Coordinator/SubmitPrompt"};
    static const char *const runs[] = {"/mimir.Coordinator/RunInference", "/mpcprompt.Coordinator/RunInference"};
    coordinator_world w;
    eis_grpc_client *client;

    (void)state;
    coordinator_world_open(&w, model, 2, false, (eis_mpc_coordinator_config){.plaintext_prompts = true});
    client = coordinator_world_client(&w, NULL);
    for (int i = 0; i < 4; i++) { /* either set at either path */
        bool a = i % 2 != 0;
        reply r = {0};
        eis_writer text = writer();
        write_text(&text, 1, "s");
        write_text(&text, 2, COORDINATOR_MODEL);
        write_text(&text, 3, "2^64");
        assert_int_equal(call(client, &r, "/mimir.Coordinator/CreateSession", &text), EIS_OK);
        assert_true(says(&r, "2^61-1, not in the ring 2^64"));
        text = writer();
        write_plain_prompt(&text, "s", a);
        assert_int_equal(call(client, &r, paths[i / 2], &text), EIS_OK);
        text = writer();
        write_text(&text, 1, "s");
        if (!a) { /* temperature, which A has not */
            eis_wire_writer_u8(&text, 3 << 3 | 5);
            eis_wire_writer_u32(&text, 0x3f800000);
        }
        eis_wire_writer_u8(&text, a ? 3 << 3 : 4 << 3); /* topk as varint: 3 draws, 1 is greedy */
        eis_wire_writer_u8(&text, a ? 3 : 1);
        r.events = !a;
        assert_int_equal(call(client, &r, runs[i / 2], &text), EIS_OK);
        assert_int_equal(r.messages, 2 + 16); /* 0 new tokens are 8 */
        /* StepTiming: ms in 4 bytes for A, in 8 for B. */
        assert_int_equal(r.data[0], 2 << 3 | 2);
        assert_int_equal(r.data[4], a ? 2 << 3 | 5 : 2 << 3 | 1);
        assert_int_equal(r.bytes, a ? 9 : 13);
        if (!a) check_story(&r);
        eis_mem_free(r.data);
    }
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void write_text(eis_writer *w, uint8_t tag, const char *text);

/* What is out of range is refused before any work, and the session and its prompt stay; 0 is the coordinator's own. */
static void tokens_are_chosen_as_asked(void **state)
{
    static const struct {
        eis_mpc_sampling sampling;
        const char *says;
    } refused[] = {{{65, 1}, "topk is 65, not 1 to 64"},
                   {{3, 17}, "temperature is 17, not 0 or 0.05 to 16"},
                   {{3, 0.01}, "temperature is 0.01"}};
    static const eis_mpc_sampling cold = {2, 0.05};
    eis_writer text = writer();
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){.sampling = {1, 1}});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "s");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(run_drawn(client, &r, "s", 5, &refused[i].sampling), EIS_ERR_RANGE);
        assert_non_null(strstr(eis_error_detail(), refused[i].says));
        assert_int_equal(r.messages, 0);
    }
    write_text(&text, 1, "s"); /* neither field */
    r.events = true;
    assert_int_equal(call(client, &r, "/mimir.Coordinator/RunInference", &text), EIS_OK);
    assert_int_equal(r.token_count, 8);
    check_story(&r);
    eis_mem_free(r.data);
    r = (reply){0};
    prepare(&w, client, "s"); /* its creator begins anew */
    assert_int_equal(run_drawn(client, &r, "s", 8, &cold), EIS_OK);
    assert_int_equal(r.token_count, 8);
    /* So cold that what is likelier by 1 comes always, but for the 2^-9 that each has: twice in one of 10,000 texts. */
    compare_story(&r, 1, 1);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void sessions_are_their_creators(void **state)
{
    coordinator_world w;
    eis_grpc_client *client, *other;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    other = coordinator_world_client(&w, &w.service.papers[0]);
    prepare(&w, client, "mine");
    assert_int_equal(submit(other, &r, "mine", 1), EIS_ERR_FORBIDDEN);
    assert_int_equal(create(other, &r, "mine"), EIS_ERR_FORBIDDEN);
    assert_int_equal(run(other, &r, "mine", 1), EIS_ERR_FORBIDDEN);
    assert_int_equal(r.token_count, 0);
    assert_int_equal(run(client, &r, "mine", 1), EIS_OK);
    assert_int_equal(r.token_count, 1);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    eis_net_grpc_client_free(other);
    coordinator_world_close(&w);
}

static eis_status enlist(eis_grpc_client *client, reply *r, const char *id, const eis_address *address)
{
    eis_writer w = writer();
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_net_address_format(text, address);
    write_text(&w, 1, id);
    write_text(&w, 2, text);
    return call(client, r, "/mpcprompt.Coordinator/RegisterParty", &w);
}

static void parties_register_with_their_keys(void **state)
{
    coordinator_world w;
    eis_grpc_client *party, *owner, *second;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    party = coordinator_world_client(&w, &w.service.papers[0]);
    second = coordinator_world_client(&w, &w.service.papers[1]);
    owner = coordinator_world_client(&w, &w.service.owner_papers);
    assert_int_equal(enlist(party, &r, "party0", &w.service.session.party[0].address), EIS_OK);
    assert_true(says(&r, "bound to the key"));
    assert_int_equal(enlist(party, &r, "party0", &w.service.session.party[0].address), EIS_OK);
    assert_int_equal(enlist(party, &r, "party0", &w.service.session.party[1].address), EIS_ERR_POLICY);
    assert_int_equal(enlist(second, &r, "party0", &w.service.session.party[1].address), EIS_ERR_FORBIDDEN);
    assert_int_equal(enlist(owner, &r, "party1", &w.service.session.party[1].address), EIS_ERR_FORBIDDEN);
    assert_int_equal(enlist(second, &r, "", &w.service.session.party[1].address), EIS_ERR_PARSE);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(party);
    eis_net_grpc_client_free(second);
    eis_net_grpc_client_free(owner);
    coordinator_world_close(&w);
}

static void a_client_that_goes_ends_its_session(void **state)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {.stop_after = 2};
    eis_status st = EIS_OK;

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "s");
    assert_int_equal(run(client, &r, "s", 60), EIS_ERR_INTERRUPTED);
    for (int i = 0; i < 200; i++) {
        st = submit(client, &r, "s", 1);
        if (st == EIS_ERR_NOT_FOUND) break;
        nanosleep(&pause, NULL);
    }
    assert_int_equal(st, EIS_ERR_NOT_FOUND);
    r = (reply){.data = r.data};
    prepare(&w, client, "s");
    assert_int_equal(run(client, &r, "s", 2), EIS_OK);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

/* Lets the Triple Service deal nothing for a while, as if others kept its threads. */
static void hold_dealing(eis_triple_service *dealer, bool hold)
{
    pthread_mutex_lock(&dealer->lock);
    dealer->dealing = hold ? dealer->dealing + dealer->threads : dealer->dealing - dealer->threads;
    pthread_cond_broadcast(&dealer->changed);
    pthread_mutex_unlock(&dealer->lock);
}

static bool has_sessions(eis_triple_service *dealer)
{
    bool has;

    pthread_mutex_lock(&dealer->lock);
    has = dealer->session_count > 0;
    pthread_mutex_unlock(&dealer->lock);
    return has;
}

/* A step waits for its material, for 30 s at most; its client does not. Nor do coordinator, parties and Triple Service
 * then. */
static void a_client_that_goes_while_a_step_waits_ends_its_session(void **state)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {.leave = true}; /* once it hears that its step waits */
    eis_status st = EIS_OK;
    uint64_t until;

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "s");
    hold_dealing(w.service.dealer, true);
    assert_int_equal(run(client, &r, "s", 8), EIS_ERR_INTERRUPTED);
    r = (reply){.data = r.data};
    until = eis_clock_ns() + UINT64_C(10000000000);
    do {
        nanosleep(&pause, NULL);
        st = submit(client, &r, "s", 1);
        assert_true(eis_clock_ns() < until);
    } while (st != EIS_ERR_NOT_FOUND || has_sessions(w.service.dealer));
    hold_dealing(w.service.dealer, false);
    prepare(&w, client, "s");
    r = (reply){.data = r.data};
    assert_int_equal(run(client, &r, "s", 2), EIS_OK);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void the_death_of_a_party_is_told(void **state)
{
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {0};
    eis_status st;

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "s");
    r.kill = &w.service.party[1];
    st = run(client, &r, "s", 60);
    assert_int_not_equal(st, EIS_OK);
    assert_true(r.token_count < 60);
    assert_non_null(strstr(eis_error_detail(), "party "));
    r = (reply){.data = r.data};
    assert_int_equal(submit(client, &r, "s", 1), EIS_ERR_NOT_FOUND);
    st = create(client, &r, "t");
    assert_int_equal(st, EIS_ERR_UNAVAILABLE);
    assert_true(says(&r, "party 1"));
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

static void weights_that_do_not_come_are_waited_for_and_no_longer(void **state)
{
    coordinator_world w;
    eis_grpc_client *client;
    reply r = {0};

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){.load_ms = 300});
    atomic_store(&w.hold_weights, true);
    client = coordinator_world_client(&w, &w.service.owner_papers);
    assert_int_equal(create(client, &r, "s"), EIS_OK);
    assert_int_equal(submit(client, &r, "s", 1), EIS_OK);
    assert_int_equal(run(client, &r, "s", 1), EIS_ERR_TIMEOUT);
    assert_int_equal(create(client, &r, "s"), EIS_ERR_IN_PROGRESS);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

/* Tokens are signed, and calls made, by the key of the certificate that sessions name, or nothing starts. */
static void the_key_of_another_certificate_does_not_start(void **state)
{
    coordinator_world w;
    eis_mpc_coordinator_model offer = {.session = &w.service.session};
    eis_mpc_coordinator_config config = {.listen = {.host = "127.0.0.1"}, .models = &offer, .model_count = 1};
    eis_mpc_party_server_config party = {.listen = {.host = "127.0.0.1"}};
    eis_mpc_coordinator *coordinator;
    eis_mpc_party_server *server;

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    config.caller = w.service.coordinator;
    config.caller.key_pem = w.service.owner.key_pem; /* gRPC in the clear would not need it before the first session */
    assert_int_equal(eis_mpc_coordinator_start(&coordinator, &config), EIS_ERR_TLS);
    assert_null(coordinator);
    assert_non_null(strstr(eis_error_detail(), "does not belong"));
    party.tls = mpc_service_tls(&w.service, &w.service.papers[0]);
    party.tls.key_pem = w.service.owner.key_pem;
    assert_int_equal(eis_mpc_party_server_start(&server, &party), EIS_ERR_TLS);
    assert_null(server);
    assert_non_null(strstr(eis_error_detail(), "does not belong"));
    coordinator_world_close(&w);
}

static void get(eis_http_client *http, eis_http_call *answer, const eis_address *address, const char *path)
{
    char url[400];

    snprintf(url, sizeof url, "http://%s:%u%s", address->host, address->port, path);
    *answer = (eis_http_call){.method = "GET", .url = url};
    assert_int_equal(eis_net_http_client_run(http, answer, 1), EIS_OK);
    assert_int_equal(answer->status, EIS_OK);
    assert_int_equal(answer->http_status, 200);
}

/* The value of a line of the metrics. */
static double metric(const eis_http_call *answer, const char *name)
{
    char line[160];
    const char *at;

    snprintf(line, sizeof line, "\n%s ", name);
    at = strstr((const char *)answer->answer, line);
    if (at == NULL) fail_msg("the metrics lack %s", name);
    return at == NULL ? 0 : strtod(at + strlen(line), NULL);
}

/* What the Triple Service and the parties have counted comes through the coordinator. */
static void check_pool(const eis_http_call *answer)
{
    double consumed = metric(answer, "eis_mpc_units_consumed_total");

    assert_true(consumed >= 5); /* the load, the biases, one for each token at least */
    assert_true(metric(answer, "eis_mpc_units_produced_total") >= consumed);
    assert_true(metric(answer, "eis_mpc_units_burned_total") == 0);
    assert_true(metric(answer, "eis_mpc_unit_bytes_total") > 100000);
    assert_true(metric(answer, "triple_pool_wait_seconds_total") > 0); /* a prompt is not dealt ahead */
    assert_true(metric(answer, "eis_mpc_rounds_total") > 300);
    assert_true(metric(answer, "eis_mpc_party_bytes_total") > 100000);
    assert_true(metric(answer, "mimir_triple_pool") == metric(answer, "mimir_triple_pool_available"));
}

/* A Triple Service that has gone says so by itself, and takes no total with it. */
static void check_gone_pool(eis_http_client *http, coordinator_world *w)
{
    char up[128], pin[2 * EIS_TLS_PIN_BYTES + 1];
    eis_http_call answer;
    double consumed;

    eis_net_tls_pin_format(pin, &w->service.session.dealer.pin);
    snprintf(up, sizeof up, "eis_mpc_pool_up{service=\"127.0.0.1:%u\",key=\"%.16s\"}",
             w->service.session.dealer.address.port, pin);
    get(http, &answer, &w->admin, "/metrics");
    consumed = metric(&answer, "eis_mpc_units_consumed_total");
    assert_true(metric(&answer, up) == 1);
    eis_net_http_call_clear(&answer);
    eis_triple_service_stop(w->service.dealer, 0);
    w->service.dealer = NULL;
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL);
    get(http, &answer, &w->admin, "/metrics");
    assert_true(metric(&answer, up) == 0);
    assert_true(consumed >= 5 && metric(&answer, "eis_mpc_units_consumed_total") == consumed);
    assert_non_null(strstr((const char *)answer.answer, "\neis_mpc_pool_age_seconds{service="));
    eis_net_http_call_clear(&answer);
}

static void what_happened_is_counted(void **state)
{
    static const char *const names[] = {"mimir_generated_tokens_total 3\n",
                                        "mimir_generation_steps_total 3\n",
                                        "mimir_step_latency_seconds_count 3\n",
                                        "mimir_step_latency_seconds_sum ",
                                        "mimir_step_latency_seconds_bucket{le=\"+Inf\"} 3\n",
                                        "mimir_triple_pool_available ",
                                        "mimir_triples_sacrificed_total 0\n",
                                        "mimir_triple_pool ",
                                        "mimir_triple_sacrifice_ok_total 0\n",
                                        "mimir_triple_sacrifice_fail_total 0\n",
                                        "eis_mpc_sessions 1\n",
                                        "# EOF\n"};
    coordinator_world w;
    eis_grpc_client *client;
    eis_http_client *http;
    const eis_http_client_config config = {0};
    eis_http_call answer;
    eis_writer empty = writer();
    reply r = {0};
    double rate;

    (void)state;
    coordinator_world_open(&w, model, 2, true, (eis_mpc_coordinator_config){0});
    client = coordinator_world_client(&w, &w.service.owner_papers);
    prepare(&w, client, "s");
    assert_int_equal(run(client, &r, "s", 3), EIS_OK);
    r.events = false;
    assert_int_equal(call(client, &r, "/mimir.Coordinator/FetchMetrics", &empty), EIS_OK);
    assert_int_equal(r.data[0], 1 << 3 | 1);
    memcpy(&rate, r.data + 1, sizeof rate);
    assert_true(rate > 0.01 && rate < 10000);
    assert_int_equal(eis_net_http_client_new(&http, &config), EIS_OK);
    get(http, &answer, &w.admin, "/healthz");
    assert_int_equal(answer.answer_bytes, 11);
    assert_string_equal((const char *)answer.answer, "{\"ok\":true}");
    eis_net_http_call_clear(&answer);
    get(http, &answer, &w.admin, "/metrics");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strstr((const char *)answer.answer, names[i]) == NULL) fail_msg("the metrics lack %s", names[i]);
    check_pool(&answer);
    eis_net_http_call_clear(&answer);
    check_gone_pool(http, &w);
    eis_net_http_client_free(http);
    eis_mem_free(r.data);
    eis_net_grpc_client_free(client);
    coordinator_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_masked_prompt_becomes_a_story),
        cmocka_unit_test(sessions_run_side_by_side),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_prompt_in_the_clear_is_refused),
        cmocka_unit_test(both_message_sets_are_understood_on_both_paths),
        cmocka_unit_test(tokens_are_chosen_as_asked),
        cmocka_unit_test(sessions_are_their_creators),
        cmocka_unit_test(parties_register_with_their_keys),
        cmocka_unit_test(a_client_that_goes_ends_its_session),
        cmocka_unit_test(a_client_that_goes_while_a_step_waits_ends_its_session),
        cmocka_unit_test(the_death_of_a_party_is_told),
        cmocka_unit_test(weights_that_do_not_come_are_waited_for_and_no_longer),
        cmocka_unit_test(the_key_of_another_certificate_does_not_start),
        cmocka_unit_test(what_happened_is_counted),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
