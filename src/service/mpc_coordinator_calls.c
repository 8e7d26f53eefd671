/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the coordinator. A refusal is an acknowledgement with ok = false, for clients of the original, and
 * then a status, for everybody else. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/mpc_coordinator_internal.h"
#include "service/mpc_model.h"

#include <stdio.h>
#include <string.h>

#define FIELD_NAME   "2^61-1"
#define MOST_DEFAULT 8
#define TEXT_BYTES   640

static const char path_of_a[] = "/mpcprompt.";

static eis_coordinator_set set_of_path(const eis_grpc_call *call)
{
    return strncmp(eis_net_grpc_path(call), path_of_a, sizeof path_of_a - 1) == 0 ? EIS_COORDINATOR_A
                                                                                  : EIS_COORDINATOR_ANY;
}

static eis_coordinator_peer peer_of(const eis_grpc_call *call)
{
    eis_coordinator_peer peer = {.known = false};

    peer.known = eis_net_grpc_peer_pin(&peer.pin, call) == EIS_OK;
    if (!peer.known) eis_error_clear();
    return peer;
}

static eis_status send_writer(eis_grpc_call *call, eis_writer *w)
{
    eis_status st = eis_wire_writer_status(w);

    if (st == EIS_OK) st = eis_net_grpc_send(call, w->data, w->bytes);
    eis_wire_writer_clear(w);
    return st;
}

/* Sends ok = false with what went wrong, and hands the status on. */
static eis_status nack(eis_grpc_call *call, eis_status st)
{
    char text[TEXT_BYTES];
    eis_writer w;

    if (st == EIS_OK || st == EIS_ERR_INTERRUPTED) return st;
    snprintf(text, sizeof text, "%s", eis_error_detail()[0] != '\0' ? eis_error_detail() : eis_status_text(st));
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_ack(&w, false, text);
    if (send_writer(call, &w) != EIS_OK) eis_error_clear();
    return eis_fail(st, "%s", text);
}

/* ---- RegisterParty ---- */

/* Finds the party that somebody says to be: by key, or, over plaintext, by address alone. */
static eis_status check_party(uint32_t *index, const eis_mpc_session *session, const eis_coordinator_peer *peer,
                              const eis_address *address)
{
    eis_status st = EIS_OK;
    uint32_t i;

    for (i = 0; i < session->party_count; i++) {
        bool same = session->party[i].address.port == address->port &&
                    strcmp(session->party[i].address.host, address->host) == 0;
        if (peer->known ? memcmp(&session->party[i].pin, &peer->pin, sizeof peer->pin) == 0 : same) break;
    }
    *index = i;
    EIS_REQUIRE(i < session->party_count, EIS_ERR_FORBIDDEN,
                peer->known ? "no session here names this certificate's key as a party"
                            : "no session here names this address as a party's");
    EIS_REQUIRE(address->port == session->party[i].address.port &&
                    strcmp(address->host, session->party[i].address.host) == 0,
                EIS_ERR_POLICY, "sessions name another address for party %u", i);
out:
    return st;
}

/* Binds a name to a key for good. Under the lock. */
static eis_status bind_party(eis_mpc_coordinator *c, const char *id, const eis_coordinator_peer *peer,
                             const eis_address *address)
{
    eis_status st = EIS_OK;
    size_t i;

    for (i = 0; i < c->party_count && strcmp(c->parties[i].id, id) != 0; i++) {}
    if (i < c->party_count)
        EIS_REQUIRE(c->parties[i].peer.known == peer->known &&
                        memcmp(&c->parties[i].peer.pin, &peer->pin, sizeof peer->pin) == 0,
                    EIS_ERR_FORBIDDEN, "\"%s\" is registered with another key", id);
    EIS_REQUIRE(i < EIS_COORDINATOR_PARTIES_MAX, EIS_ERR_LIMIT, "%d parties are registered",
                EIS_COORDINATOR_PARTIES_MAX);
    c->parties[i].peer = *peer;
    c->parties[i].address = *address;
    memcpy(c->parties[i].id, id, strlen(id) + 1);
    if (i == c->party_count) c->party_count++;
out:
    return st;
}

static eis_status register_party(char text[TEXT_BYTES], eis_mpc_coordinator *c, eis_grpc_call *call, eis_span message)
{
    eis_status st = EIS_OK;
    eis_coordinator_request request;
    eis_coordinator_peer peer = peer_of(call);
    eis_address address;
    uint32_t index = 0;

    EIS_TRY(eis_coordinator_read_register(&request, message));
    if (eis_net_address_parse(&address, request.address, -1) != EIS_OK) {
        st = eis_fail(EIS_ERR_PARSE, "addr is not HOST:PORT");
        goto out;
    }
    for (size_t i = 0; i < c->config.model_count; i++) {
        st = check_party(&index, c->models[i].session, &peer, &address);
        if (st == EIS_OK) break;
    }
    if (st != EIS_OK) goto out;
    pthread_mutex_lock(&c->lock);
    st = bind_party(c, request.party, &peer, &address);
    pthread_mutex_unlock(&c->lock);
    if (st != EIS_OK) goto out;
    snprintf(text, TEXT_BYTES, "party %u%s%s", index,
             peer.known ? ", bound to the key of its certificate" : " by its address: plaintext shows no key",
             request.attested ? "; attestation evidence is not verified here" : "");
out:
    eis_coordinator_request_clear(&request);
    return st;
}

eis_status eis_coordinator_register(void *context, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    eis_span message;
    eis_writer w;
    char text[TEXT_BYTES];

    EIS_TRY(eis_net_grpc_receive(&message, call));
    st = register_party(text, context, call, message);
    if (st != EIS_OK) return nack(call, st);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_ack(&w, true, text);
    EIS_TRY(send_writer(call, &w));
out:
    return st;
}

/* ---- CreateSession ---- */

static eis_status choose_model(const eis_mpc_coordinator_model **model, const eis_mpc_coordinator *c,
                               const eis_coordinator_request *request)
{
    eis_status st = EIS_OK;
    const char *ring = request->ring;

    EIS_REQUIRE(ring[0] == '\0' || strcmp(ring, FIELD_NAME) == 0 || strcmp(ring, "2^64") == 0, EIS_ERR_UNSUPPORTED,
                "mpc_ring is neither \"" FIELD_NAME "\" nor \"2^64\"");
    *model = NULL;
    for (size_t i = 0; i < c->config.model_count; i++)
        if (strcmp(c->models[i].session->model, request->model) == 0) *model = &c->models[i];
    if (request->model[0] == '\0' && c->config.model_count == 1) *model = &c->models[0];
    EIS_REQUIRE(*model != NULL, EIS_ERR_MODEL_NOT_FOUND, "there is no model \"%s\" here; \"%s\" is one", request->model,
                c->models[0].session->model);
out:
    return st;
}

static eis_status create(eis_coordinator_session **session, char text[TEXT_BYTES], eis_mpc_coordinator *c,
                         eis_grpc_call *call, eis_span message)
{
    eis_status st = EIS_OK;
    eis_coordinator_request request;
    const eis_mpc_coordinator_model *model = NULL;
    const eis_coordinator_peer peer = peer_of(call);
    bool other;

    EIS_TRY(eis_coordinator_read_create(&request, message));
    EIS_TRY(choose_model(&model, c, &request));
    EIS_ASSERT(model != NULL);
    EIS_TRY(eis_coordinator_session_open(session, c, &request, model, &peer));
    other = strcmp(request.ring, "2^64") == 0;
    snprintf(text, TEXT_BYTES, "%u parties are linked; computes modulo " FIELD_NAME "%s", model->session->party_count,
             other ? ", not in the ring 2^64 that was asked for" : "");
out:
    eis_coordinator_request_clear(&request);
    return st;
}

eis_status eis_coordinator_create(void *context, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    eis_coordinator_session *session = NULL;
    eis_span message;
    eis_writer w;
    char text[TEXT_BYTES];

    EIS_TRY(eis_net_grpc_receive(&message, call));
    st = create(&session, text, context, call, message);
    if (st != EIS_OK) return nack(call, st);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX + EIS_MPC_SESSION_BYTES_MAX);
    eis_coordinator_write_session_ack(&w, text, session->document.data, session->document.bytes, &session->keys);
    st = send_writer(call, &w);
    eis_coordinator_session_give_back(session);
out:
    return st;
}

/* ---- SubmitPrompt ---- */

/* Notes a prompt in a session that is held. Takes request->tokens over. */
static eis_status note_prompt(uint64_t *first_step, eis_coordinator_session *s, eis_coordinator_request *request)
{
    eis_mpc_coordinator *c = s->coordinator;
    eis_status st = EIS_OK;
    uint32_t count = request->masked_tokens != 0 ? request->masked_tokens
                                                 : eis_mpc_model_filled(&s->session, (uint32_t)request->token_count);

    pthread_mutex_lock(&c->lock);
    if (s->state == EIS_COORDINATOR_DEAD)
        st = eis_fail(s->failure, "session \"%s\" has ended: %s", s->name, s->why);
    else if (s->state == EIS_COORDINATOR_RUNNING || s->state == EIS_COORDINATOR_OPENING)
        st = eis_fail(EIS_ERR_IN_PROGRESS, "session \"%s\" is being opened or run", s->name);
    else if (s->resume && eis_mpc_conductor_left(s->conductor) > 0)
        st = eis_fail(EIS_ERR_IN_PROGRESS,
                      "session \"%s\" still has a prompt that waits for its material: call "
                      "RunInference again",
                      s->name);
    else if (count > eis_coordinator_session_left(s))
        st = eis_fail(EIS_ERR_CONTEXT_LENGTH, "a prompt of %u tokens: the session has %u positions left", count,
                      eis_coordinator_session_left(s));
    if (st == EIS_OK) {
        *first_step = eis_mpc_conductor_step(s->conductor);
        eis_mem_free_wiped(s->tokens, s->token_count, sizeof *s->tokens);
        s->tokens = request->tokens;
        s->token_count = request->token_count;
        s->prompt = count;
        s->resume = false;
        request->tokens = NULL;
        request->token_count = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

static eis_status check_prompt(const eis_mpc_coordinator *c, const eis_coordinator_session *s,
                               const eis_coordinator_request *request)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(request->token_count == 0 || request->masked_tokens == 0, EIS_ERR_PARSE,
                "a prompt is token_ids or masked_tokens, not both");
    EIS_REQUIRE(request->token_count > 0 || request->masked_tokens > 0, EIS_ERR_PARSE,
                "no tokens: masked_tokens says how many their owner sends to the parties");
    EIS_REQUIRE(eis_mpc_model_filled(&s->session, request->masked_tokens) == request->masked_tokens, EIS_ERR_PARSE,
                "prompts of this session are filled up to multiples of %u tokens (scheduler.pad_bucket)",
                s->session.lm.pad_bucket);
    EIS_REQUIRE(s->session.kind == EIS_MPC_MODEL_LM || request->masked_tokens == 1, EIS_ERR_RANGE,
                "a classifier takes one input at a time, which its owner sends to the parties: masked_tokens is 1");
    EIS_REQUIRE(
        request->token_count == 0 || c->config.plaintext_prompts, EIS_ERR_POLICY,
        "token_ids would show the prompt to this coordinator, and prompt.plaintext_via_coordinator is off: send "
        "masked_tokens, and the tokens themselves masked to the parties");
    for (size_t i = 0; i < request->token_count; i++)
        EIS_REQUIRE(request->tokens[i] < s->session.lm.vocabulary, EIS_ERR_RANGE, "the model has %u tokens",
                    s->session.lm.vocabulary);
out:
    return st;
}

static eis_status submit(uint64_t *first_step, char text[TEXT_BYTES], eis_mpc_coordinator *c, eis_grpc_call *call,
                         eis_span message)
{
    eis_status st = EIS_OK;
    eis_coordinator_request request;
    eis_coordinator_session *s = NULL;
    const eis_coordinator_peer peer = peer_of(call);

    EIS_TRY(eis_coordinator_read_submit(&request, message));
    EIS_TRY(eis_coordinator_session_find(&s, c, request.session, &peer));
    EIS_TRY(check_prompt(c, s, &request));
    if (request.token_count > 0)
        eis_log(EIS_LOG_WARN, "plaintext_prompt", "%s: this coordinator sees a prompt of %zu tokens", s->name,
                request.token_count);
    snprintf(text, TEXT_BYTES, "%s",
             request.token_count > 0 ? "this coordinator has seen the prompt: prompt.plaintext_via_coordinator is on"
                                     : "masked tokens go to the parties");
    EIS_TRY(note_prompt(first_step, s, &request));
out:
    if (s != NULL) eis_coordinator_session_give_back(s);
    eis_coordinator_request_clear(&request);
    return st;
}

eis_status eis_coordinator_submit(void *context, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    eis_span message;
    eis_writer w;
    uint64_t first_step = 0;
    char text[TEXT_BYTES];

    EIS_TRY(eis_net_grpc_receive(&message, call));
    st = submit(&first_step, text, context, call, message);
    if (st != EIS_OK) return nack(call, st);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_submit_ack(&w, text, first_step);
    EIS_TRY(send_writer(call, &w));
out:
    return st;
}

/* ---- RunInference ---- */

typedef struct run_state {
    eis_coordinator_session *session;
    eis_grpc_call *call;
    eis_coordinator_set set;
    uint32_t told;
    bool gone; /* the client is */
} run_state;

/* Text that became ready with a token; the caller clears it. */
static eis_status text_of_token(eis_text *text, eis_coordinator_session *s, uint32_t token)
{
    eis_status st = EIS_OK;

    if (s->model->tokenizer != NULL) EIS_TRY(eis_decoder_push(&s->decoder, text, token));
    EIS_TRY(eis_text_append(text, "", 1));
out:
    return st;
}

/* Two events for each token, as the original sends them. */
static eis_status tell(void *context, uint32_t token, double ms)
{
    run_state *run = context;
    eis_coordinator_session *s = run->session;
    eis_status st = EIS_OK;
    eis_text text = {0};
    eis_writer w;

    eis_coordinator_count_step(s->coordinator, ms);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    EIS_TRY(text_of_token(&text, s, token));
    eis_coordinator_write_token(&w, eis_mpc_conductor_told(s->conductor), (const char *)text.data);
    EIS_TRY(send_writer(run->call, &w));
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_timing(&w, run->set, run->told, ms);
    EIS_TRY(send_writer(run->call, &w));
    run->told++;
    if (eis_net_grpc_cancelled(run->call)) st = EIS_ERR_INTERRUPTED;
out:
    run->gone = st == EIS_ERR_INTERRUPTED;
    if (run->gone) st = eis_fail(st, "the client has cancelled");
    eis_wire_writer_clear(&w);
    eis_text_clear(&text);
    return st;
}

/* A step waits for its material: who hears events of set B is told so. */
static void tell_waiting(void *context, uint64_t step)
{
    run_state *run = context;
    eis_coordinator_session *s = run->session;
    eis_mpc_pool_stats pool;
    char text[TEXT_BYTES];
    eis_writer w;

    eis_mpc_pool_watch_read(&pool, NULL, s->coordinator->pools);
    eis_coordinator_count_wait(s->coordinator, false);
    snprintf(text, sizeof text, "waiting for preprocessing: step %llu, have %llu", (unsigned long long)step,
             (unsigned long long)pool.ready_min);
    eis_log(EIS_LOG_WARN, "waiting_for_preprocessing", "%s: %s", s->name, text);
    if (run->set == EIS_COORDINATOR_A) return;
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_log(&w, "warn", text);
    if (send_writer(run->call, &w) != EIS_OK) eis_error_clear(); /* the next token notices */
}

/* Asked while a step takes its time. */
static bool is_gone(void *context) { return eis_net_grpc_cancelled(((run_state *)context)->call); }

/* Sends a prompt that came in the clear, as its owner. */
static eis_status send_prompt(eis_coordinator_session *s)
{
    eis_status st = EIS_OK;
    uint64_t step = eis_mpc_conductor_step(s->conductor);

    if (s->token_count == 0) return EIS_OK;
    if (s->owner == NULL) EIS_TRY(eis_mpc_owner_open(&s->owner, &s->session, &s->coordinator->config.caller));
    EIS_TRY(eis_mpc_owner_send_prompt(s->owner, step, eis_mpc_conductor_position(s->conductor), s->tokens,
                                      (uint32_t)s->token_count));
out:
    eis_mem_free_wiped(s->tokens, s->token_count, sizeof *s->tokens);
    s->tokens = NULL;
    s->token_count = 0;
    return st;
}

/* Runs a session that was taken. */
static eis_status run_session(run_state *run, uint32_t prompt, uint32_t most, const eis_mpc_sampling *sampling)
{
    eis_coordinator_session *s = run->session;
    eis_status st = EIS_OK;
    eis_mpc_end end;
    uint64_t begin = eis_clock_ns();

    eis_decoder_init(&s->decoder, s->model->tokenizer);
    EIS_TRY(send_prompt(s));
    eis_mpc_conductor_on_waiting(s->conductor, tell_waiting, run);
    eis_mpc_conductor_ask_gone(s->conductor, is_gone, run);
    EIS_TRY(eis_mpc_conductor_run(s->conductor, &end, prompt, most, sampling, tell, run));
    eis_mpc_conductor_on_waiting(s->conductor, NULL, NULL);
    eis_mpc_conductor_ask_gone(s->conductor, NULL, NULL);
    eis_coordinator_count_parties(s);
    s->resume = end == EIS_MPC_END_DRY;
out:
    eis_coordinator_count_run(s->coordinator, run->told, (double)(eis_clock_ns() - begin) * 1e-9);
    return st;
}

/* How a request wants its tokens chosen, and whether the field has room for that with this model: a step's graph says
 * so, whatever the position. */
static eis_status choose_sampling(eis_mpc_sampling *sampling, const eis_mpc_coordinator *c, const eis_mpc_session *s,
                                  const eis_coordinator_request *request)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};

    *sampling = c->config.sampling;
    if (request->top_k != 0) sampling->top_k = request->top_k;
    if (request->temperature != 0) sampling->temperature = (double)request->temperature;
    EIS_TRY(eis_mpc_sampling_check(sampling));
    if (s->kind == EIS_MPC_MODEL_CLASSIFIER)
        *sampling = (eis_mpc_sampling){.top_k = 1};
    else if (!eis_mpc_sampling_is_greedy(sampling))
        EIS_TRY(eis_mpc_lm_step_draw(&step, &s->lm, 0, false, sampling));
out:
    eis_mpc_lm_step_clear(&step);
    return st;
}

static eis_status run(eis_mpc_coordinator *c, eis_grpc_call *call, const eis_coordinator_request *request)
{
    eis_status st = EIS_OK;
    eis_coordinator_session *s = NULL;
    const eis_coordinator_peer peer = peer_of(call);
    run_state state = {.call = call, .set = request->set};
    uint32_t most = request->most != 0 ? request->most : MOST_DEFAULT, prompt, left, needed;
    eis_mpc_sampling sampling;

    EIS_TRY(eis_coordinator_session_find(&s, c, request->session, &peer));
    if (s->session.kind == EIS_MPC_MODEL_CLASSIFIER) most = 1; /* a class is all there is to tell of an input */
    EIS_TRY(choose_sampling(&sampling, c, &s->session, request));
    EIS_TRY(eis_coordinator_session_take(s, call));
    state.session = s;
    prompt = s->resume ? eis_mpc_conductor_left(s->conductor) : s->prompt;
    needed = prompt > 0 ? prompt - 1 : 0;
    left = eis_coordinator_session_left(s);
    if (needed > left || most > left - needed) {
        eis_coordinator_session_settle(s, EIS_OK); /* refused before any work: the session and its prompt stay */
        st = eis_fail(EIS_ERR_CONTEXT_LENGTH,
                      "%u tokens of prompt and %u new ones: the session has %u positions left (scheduler.max_context)",
                      prompt, most, left);
        goto out;
    }
    if (s->resume) prompt = 0;
    s->prompt = 0;
    st = run_session(&state, prompt, most, &sampling);
    eis_coordinator_session_settle(s, st);
    if (st == EIS_OK && s->resume) {
        eis_coordinator_count_wait(c, true);
        st = eis_fail(EIS_ERR_TRIPLES_EXHAUSTED,
                      "no material in time (triple_pool.wait_ms): the session is as it was behind the last token, and "
                      "RunInference goes on with it");
    }
out:
    if (s != NULL) eis_coordinator_session_give_back(s);
    return st;
}

eis_status eis_coordinator_run(void *context, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    eis_coordinator_request request = {0};
    eis_span message;

    EIS_TRY(eis_net_grpc_receive(&message, call));
    EIS_TRY(eis_coordinator_read_run(&request, set_of_path(call), message));
    EIS_TRY(run(context, call, &request));
out:
    eis_coordinator_request_clear(&request);
    return st;
}
