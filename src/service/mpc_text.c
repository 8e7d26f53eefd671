/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/grpc.h"
#include "rand/entropy.h"
#include "service/mpc_coordinator_messages.h"

#include <stdio.h>
#include <string.h>

struct eis_mpc_text {
    eis_mpc_embedded *embedded;
    eis_mpc_session session;
    eis_mpc_member coordinator;
    eis_grpc_client *client;
    eis_mpc_owner *owner;
    eis_mpc_counters parties[EIS_MPC_PARTIES_MAX], dealer;
    pid_t processes[EIS_MPC_PARTIES_MAX + 2];
    uint32_t timeout_ms;
    uint32_t prompt_tokens, tokens;
    double start_ms, load_ms, token_ms;
};

#define MODEL_NAME   "model"
#define SESSION_NAME "text"

static double ms_since(uint64_t begin_ns) { return (double)(eis_clock_ns() - begin_ns) / 1e6; }

/* ---- opening ---- */

/* The template that all members must be given: everything of a session but its id. */
static eis_status describe(eis_mpc_text *text, const eis_mpc_settings *settings, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_session *s = &text->session;

    memcpy(s->id, "template", sizeof "template");
    memcpy(s->model, MODEL_NAME, sizeof MODEL_NAME);
    EIS_TRY(eis_mpc_embedded_name(s, text->embedded));
    s->context = model->lm.context < settings->context_max ? model->lm.context : settings->context_max;
    s->sacrifice_level = settings->sacrifice_level;
    s->stop_count = model->lm.stop_count;
    memcpy(s->stop, model->lm.stop_ids, sizeof s->stop);
out:
    return st;
}

/* ---- what the coordinator is asked ---- */

/* Keeps the last message. */
typedef struct answer {
    uint8_t *data;
    size_t bytes;
} answer;

static eis_status keep_answer(void *context, eis_span message)
{
    answer *a = context;
    eis_status st = EIS_OK;

    eis_mem_free(a->data);
    a->bytes = 0;
    EIS_NEW(a->data, message.bytes + 1);
    memcpy(a->data, message.data, message.bytes);
    a->bytes = message.bytes;
out:
    return st;
}

static eis_status ask(const eis_mpc_text *text, const char *method, eis_writer *w, uint32_t timeout_ms,
                      eis_grpc_receiver receive, void *context)
{
    eis_status st = eis_wire_writer_status(w);
    char path[64];

    snprintf(path, sizeof path, "/mimir.Coordinator/%s", method);
    if (st == EIS_OK) st = eis_net_grpc_call(text->client, path, w->data, w->bytes, timeout_ms, receive, context);
    eis_wire_writer_clear(w);
    return st;
}

/* The coordinator is not trusted to say who takes part and what is computed: its document must be our template, with an
 * id of its own. */
static eis_status take_document(eis_mpc_text *text, const uint8_t *document, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_mpc_session theirs = {0};
    eis_writer ours;

    eis_wire_writer_init(&ours, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(eis_mpc_session_read(&theirs, document, bytes));
    memcpy(text->session.id, theirs.id, sizeof theirs.id);
    EIS_TRY(eis_mpc_session_write(&ours, &text->session));
    EIS_REQUIRE(ours.bytes == bytes && memcmp(ours.data, document, bytes) == 0, EIS_ERR_INTEGRITY,
                "the coordinator has opened another session than the one that was agreed on");
out:
    eis_mpc_session_clear(&theirs);
    eis_wire_writer_clear(&ours);
    return st;
}

static eis_status create(eis_mpc_text *text)
{
    eis_status st = EIS_OK;
    answer a = {0};
    eis_writer w;
    uint8_t *document = NULL;
    size_t bytes = 0;

    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_create(&w, SESSION_NAME, MODEL_NAME);
    EIS_TRY(ask(text, "CreateSession", &w, text->timeout_ms, keep_answer, &a));
    EIS_TRY(eis_coordinator_read_session_ack(&document, &bytes, (eis_span){a.data, a.bytes}));
    EIS_TRY(take_document(text, document, bytes));
out:
    eis_mem_free(document);
    eis_mem_free(a.data);
    return st;
}

static eis_status submit(uint64_t *first_step, eis_mpc_text *text)
{
    eis_status st = EIS_OK;
    answer a = {0};
    eis_writer w;

    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_submit(&w, SESSION_NAME, text->prompt_tokens);
    EIS_TRY(ask(text, "SubmitPrompt", &w, text->timeout_ms, keep_answer, &a));
    EIS_TRY(eis_coordinator_read_submit_ack(first_step, (eis_span){a.data, a.bytes}));
out:
    eis_mem_free(a.data);
    return st;
}

/* ---- weights ---- */

static eis_status connect_to_coordinator(eis_mpc_text *text, const eis_mpc_caller *caller)
{
    const eis_grpc_client_config config = {.address = text->coordinator.address,
                                           .ca_pem = caller->ca_pem,
                                           .cert_pem = caller->cert_pem,
                                           .key_pem = caller->key_pem,
                                           .pins = &text->coordinator.pin,
                                           .pin_count = 1,
                                           .cancel = caller->cancel};

    return eis_net_grpc_client_new(&text->client, &config);
}

static eis_status load(eis_mpc_text *text, const eis_mpc_text_wish *wish, const eis_model *model)
{
    eis_status st = EIS_OK;
    uint64_t begin = eis_clock_ns();
    eis_mpc_caller caller = eis_mpc_embedded_caller(text->embedded);

    caller.cancel = wish->cancel;
    caller.timeout_ms = text->timeout_ms = wish->settings->owner_ms;
    EIS_TRY(eis_mpc_embedded_coordinate(&text->coordinator, text->embedded, &text->session));
    EIS_TRY(connect_to_coordinator(text, &caller));
    EIS_TRY(create(text));
    EIS_TRY(eis_mpc_owner_open(&text->owner, &text->session, &caller));
    EIS_TRY(eis_mpc_owner_send_model(text->owner, model, wish->progress, wish->progress_context));
    text->load_ms = ms_since(begin);
out:
    return st;
}

eis_status eis_mpc_text_open(eis_mpc_text **out_text, const eis_mpc_text_wish *wish, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_text *text = NULL;
    uint64_t begin = eis_clock_ns();

    *out_text = NULL;
    EIS_NEW(text, 1);
    EIS_TRY(eis_mpc_lm_init(&text->session.lm, model, &wish->settings->tuning)); /* before anything is started */
    EIS_TRY(eis_mpc_embedded_start(&text->embedded, wish->program, wish->parties, wish->settings));
    for (uint32_t p = 0; p <= wish->parties + 1; p++) text->processes[p] = eis_mpc_embedded_process(text->embedded, p);
    EIS_TRY(describe(text, wish->settings, model));
    text->start_ms = ms_since(begin);
    st = eis_mpc_embedded_blame(text->embedded, load(text, wish, model));
    if (st != EIS_OK) goto out;
    *out_text = text;
    text = NULL;
out:
    eis_mpc_text_close(text);
    return st;
}

void eis_mpc_text_close(eis_mpc_text *text)
{
    if (text == NULL) return;
    eis_mpc_owner_close(text->owner);
    eis_net_grpc_client_free(text->client);
    eis_mpc_embedded_stop(text->embedded);
    eis_mpc_session_clear(&text->session);
    eis_mem_free(text);
}

/* ---- generating ---- */

typedef struct telling {
    eis_mpc_text *text;
    eis_text_growth *growth;
    eis_ids *ids;
    uint32_t token; /* told, and its time has not been told yet */
    bool waiting;
} telling;

/* A token, then its time; other events say nothing that belongs to the text. */
static eis_status tell(void *context, eis_span message)
{
    telling *t = context;
    eis_coordinator_event event;
    eis_status st = EIS_OK;
    bool stop;

    EIS_TRY(eis_coordinator_read_event(&event, message));
    if (event.kind == EIS_COORDINATOR_TOKEN) {
        EIS_REQUIRE(!t->waiting && event.token < t->text->session.lm.vocabulary, EIS_ERR_PROTOCOL,
                    "the coordinator told a token that is none");
        t->token = event.token;
        t->waiting = true;
    } else if (event.kind == EIS_COORDINATOR_TIMING && t->waiting) {
        t->waiting = false;
        t->text->tokens++;
        EIS_TRY(eis_text_growth_add(t->growth, t->ids, &stop, t->token, event.ms));
    }
out:
    return st;
}

static eis_status run(eis_mpc_text *text, telling *t)
{
    eis_status st = EIS_OK;
    uint64_t step, begin = eis_clock_ns();
    eis_writer w;

    EIS_TRY(submit(&step, text));
    for (uint32_t i = 0; i < text->prompt_tokens; i++)
        EIS_TRY(eis_mpc_owner_send_token(text->owner, step + i, t->ids->ids[i]));
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_run(&w, SESSION_NAME, t->growth->most);
    st = ask(text, "RunInference", &w, 0, tell, t);
    if (st == EIS_ERR_INTERRUPTED) st = eis_fail(st, "interrupted");
    if (st != EIS_OK) goto out;
    text->token_ms = ms_since(begin);
    EIS_TRY(eis_mpc_owner_count(text->parties, &text->dealer, text->owner));
out:
    return st;
}

eis_status eis_mpc_text_generate(eis_ids *ids, eis_mpc_text *text, const eis_text_generation *generation)
{
    eis_status st = EIS_OK;
    eis_text_growth growth = {0};
    telling t = {.text = text, .growth = &growth, .ids = ids};

    EIS_REQUIRE(generation->sampling.greedy, EIS_ERR_UNSUPPORTED,
                "the engine mpc takes the likeliest token; leave out the sampling flags");
    EIS_TRY(eis_text_growth_begin(&growth, generation, ids, text->session.context));
    text->prompt_tokens = (uint32_t)ids->count;
    st = eis_mpc_embedded_blame(text->embedded, run(text, &t));
    if (st != EIS_OK) goto out;
    EIS_TRY(eis_text_growth_end(&growth));
out:
    eis_text_growth_clear(&growth);
    return st;
}

void eis_mpc_text_report_get(eis_mpc_text_report *report, const eis_mpc_text *text)
{
    *report = (eis_mpc_text_report){.session = &text->session,
                                    .parties = text->parties,
                                    .dealer = &text->dealer,
                                    .processes = text->processes,
                                    .prompt_tokens = text->prompt_tokens,
                                    .tokens = text->tokens,
                                    .start_ms = text->start_ms,
                                    .load_ms = text->load_ms,
                                    .token_ms = text->token_ms};
}
