/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_text.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/grpc.h"
#include "rand/entropy.h"
#include "service/mpc_coordinator_messages.h"
#include "service/mpc_manifest.h"
#include "service/mpc_model.h"
#include "service/pem_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct eis_mpc_text {
    eis_mpc_embedded *embedded; /* NULL: others run everything */
    eis_span ca, cert, key;     /* ours, for a coordinator of others */
    char name[EIS_MPC_NAME_BYTES];
    bool owns_model;
    eis_mpc_session session;
    eis_mpc_manifest_notes notes;
    eis_mpc_member coordinator;
    eis_grpc_client *client;
    eis_mpc_owner *owner;
    eis_mpc_witness witness;
    uint64_t step; /* of the token that is to be told next */
    eis_mpc_counters parties[EIS_MPC_PARTIES_MAX], dealer;
    eis_mpc_layers layers;
    pid_t processes[EIS_MPC_PARTIES_MAX + 2];
    uint32_t timeout_ms;
    eis_mpc_sampling sampling; /* of the settings, then of the text */
    uint32_t prompt_tokens, tokens;
    double start_ms, load_ms, token_ms, first_ms;
    uint64_t run_ns; /* when the prompt was handed in */
};

#define MODEL_NAME   "model"
#define PORT_DEFAULT 8080

static double ms_since(uint64_t begin_ns) { return (double)(eis_clock_ns() - begin_ns) / 1e6; }

/* ---- opening ---- */

/* The template that all members must be given: beside the manifest, who they are. */
static eis_status describe(eis_mpc_text *text)
{
    eis_status st = EIS_OK;
    eis_mpc_session *s = &text->session;

    memcpy(s->id, "template", sizeof "template");
    memcpy(s->model, MODEL_NAME, sizeof MODEL_NAME);
    EIS_TRY(eis_mpc_embedded_name(s, text->embedded));
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
    if (theirs.context < text->session.context) text->session.context = theirs.context; /* its own limit */
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
    eis_mpc_party_keys keys;
    eis_writer w;
    uint8_t *document = NULL;
    size_t bytes = 0;

    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_create(&w, text->name, text->session.model);
    EIS_TRY(ask(text, "CreateSession", &w, text->timeout_ms, keep_answer, &a));
    EIS_TRY(eis_coordinator_read_session_ack(&document, &bytes, (eis_span){a.data, a.bytes}));
    EIS_TRY(take_document(text, document, bytes));
    EIS_TRY(eis_coordinator_read_party_keys(&keys, (eis_span){a.data, a.bytes}));
    EIS_TRY(eis_mpc_witness_init(&text->witness, &text->session, &keys));
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
    eis_coordinator_write_submit(&w, text->name, eis_mpc_model_filled(&text->session, text->prompt_tokens));
    EIS_TRY(ask(text, "SubmitPrompt", &w, text->timeout_ms, keep_answer, &a));
    EIS_TRY(eis_coordinator_read_submit_ack(first_step, (eis_span){a.data, a.bytes}));
out:
    eis_mem_free(a.data);
    return st;
}

/* A name that no other session has. */
static eis_status draw_name(char name[EIS_MPC_NAME_BYTES])
{
    eis_status st = EIS_OK;
    uint64_t random;

    EIS_TRY(eis_entropy_draw(&random, sizeof random));
    snprintf(name, EIS_MPC_NAME_BYTES, "text-%016llx", (unsigned long long)random);
out:
    return st;
}

/* ---- members that others run ---- */

/* Reads the session that was agreed on, and who takes part in it. The manifest is read off our own model. */
static eis_status read_session(eis_mpc_text *text, eis_mpc_session *agreed, const char *path)
{
    eis_status st = EIS_OK;
    eis_mpc_session *s = &text->session;
    FILE *stream = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t bytes;

    if (stream == NULL) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_NEW(data, EIS_MPC_SESSION_BYTES_MAX);
    bytes = fread(data, 1, EIS_MPC_SESSION_BYTES_MAX, stream);
    EIS_REQUIRE(!ferror(stream), EIS_ERR_FILE, "%s cannot be read", path);
    st = eis_mpc_session_read(agreed, data, bytes);
    if (st != EIS_OK) {
        st = eis_fail_prefix(st, "%s", path);
        goto out;
    }
    memcpy(s->model, agreed->model, sizeof s->model);
    s->party_count = agreed->party_count;
    memcpy(s->party, agreed->party, sizeof s->party);
    s->dealer = agreed->dealer;
    s->coordinator = agreed->coordinator;
    s->model_owner = agreed->model_owner;
    s->prompt_owner = agreed->prompt_owner;
out:
    fclose(stream);
    eis_mem_free(data);
    return st;
}

static eis_status name_others(eis_mpc_text *text, eis_mpc_session *agreed, const eis_mpc_text_wish *wish)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(wish->session != NULL && wish->ca != NULL && wish->cert != NULL && wish->key != NULL, EIS_ERR_USAGE,
                "a coordinator needs --session, --ca, --cert and --key: who takes part, and who we are");
    EIS_TRY(eis_net_address_parse(&text->coordinator.address, wish->coordinator, PORT_DEFAULT));
    EIS_TRY(eis_pem_file_read(&text->ca, wish->ca, false));
    EIS_TRY(eis_pem_file_read_pair(&text->cert, &text->key, wish->cert, wish->key));
    EIS_TRY(read_session(text, agreed, wish->session));
out:
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

/* Starts or names the coordinator, and says who we are to it. */
static eis_status reach_coordinator(eis_mpc_caller *caller, eis_mpc_text *text, const eis_mpc_text_wish *wish)
{
    eis_status st = EIS_OK;

    if (text->embedded != NULL) {
        *caller = eis_mpc_embedded_caller(text->embedded);
        EIS_TRY(eis_mpc_embedded_coordinate(&text->coordinator, text->embedded, &text->session));
        text->owns_model = true;
    } else {
        eis_tls_pin ours;
        *caller = (eis_mpc_caller){.cert_pem = text->cert, .key_pem = text->key, .ca_pem = text->ca};
        EIS_TRY(eis_net_tls_pin_of_pem(&ours, text->cert));
        text->owns_model = memcmp(&ours, &text->session.model_owner, sizeof ours) == 0;
        EIS_REQUIRE(memcmp(&ours, &text->session.prompt_owner, sizeof ours) == 0, EIS_ERR_USAGE,
                    "%s: the session names another owner of prompts than --cert", wish->session);
        text->coordinator.pin = text->session.coordinator;
    }
    caller->cancel = wish->cancel;
    caller->timeout_ms = text->timeout_ms = wish->settings->owner_ms;
    EIS_TRY(connect_to_coordinator(text, caller));
out:
    return st;
}

static eis_status load(eis_mpc_text *text, const eis_mpc_text_wish *wish, const eis_model *model)
{
    eis_status st = EIS_OK;
    uint64_t begin = eis_clock_ns();
    eis_mpc_caller caller;

    EIS_TRY(draw_name(text->name));
    EIS_TRY(reach_coordinator(&caller, text, wish));
    EIS_TRY(create(text));
    EIS_TRY(eis_mpc_owner_open(&text->owner, &text->session, &caller));
    if (text->owns_model) EIS_TRY(eis_mpc_owner_send_model(text->owner, model, wish->progress, wish->progress_context));
    text->load_ms = ms_since(begin);
out:
    return st;
}

static eis_status start_here(eis_mpc_text *text, const eis_mpc_text_wish *wish)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_mpc_embedded_start(&text->embedded, wish->program, wish->parties, wish->settings));
    for (uint32_t p = 0; p <= wish->parties + 1; p++) text->processes[p] = eis_mpc_embedded_process(text->embedded, p);
    EIS_TRY(describe(text));
out:
    return st;
}

/* Processes of ours that have ended are named. */
static eis_status blame(const eis_mpc_text *text, eis_status st)
{
    return text->embedded != NULL ? eis_mpc_embedded_blame(text->embedded, st) : st;
}

eis_status eis_mpc_text_open(eis_mpc_text **out_text, const eis_mpc_text_wish *wish, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_text *text = NULL;
    uint64_t begin = eis_clock_ns();
    eis_mpc_session agreed = {0};

    *out_text = NULL;
    EIS_NEW(text, 1);
    text->sampling = wish->settings->sampling;
    if (wish->coordinator != NULL) {
        EIS_TRY(name_others(text, &agreed, wish));
        EIS_TRY(eis_mpc_manifest_take_agreed(&text->session, &text->notes, &agreed, model));
    } else {
        EIS_TRY(
            eis_mpc_manifest_take(&text->session, &text->notes, wish->settings, true, model)); /* before any start */
        EIS_TRY(start_here(text, wish));
    }
    text->start_ms = ms_since(begin);
    st = blame(text, load(text, wish, model));
    if (st != EIS_OK) goto out;
    *out_text = text;
    text = NULL;
out:
    eis_mpc_session_clear(&agreed);
    eis_mpc_text_close(text);
    return st;
}

void eis_mpc_text_close(eis_mpc_text *text)
{
    if (text == NULL) return;
    eis_mpc_owner_close(text->owner);
    eis_mpc_layers_clear(&text->layers);
    eis_net_grpc_client_free(text->client);
    eis_mpc_embedded_stop(text->embedded);
    eis_pem_file_clear(&text->ca);
    eis_pem_file_clear(&text->cert);
    eis_pem_file_clear(&text->key);
    eis_mpc_witness_clear(&text->witness);
    eis_mpc_session_clear(&text->session);
    eis_mem_free(text);
}

/* ---- generating ---- */

typedef struct telling {
    eis_mpc_text *text;
    eis_text_growth *growth;
    eis_ids *ids;
    uint32_t token;        /* told, and its time has not been told yet */
    bool waiting, stopped; /* stopped: the text has ended */
} telling;

/* Hears a token only from all parties, and only the one that is due. */
static eis_status witness(eis_mpc_text *text, const eis_mpc_told *told)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(told->step == text->step, EIS_ERR_INTEGRITY, "the coordinator told the token of another step");
    EIS_TRY(eis_mpc_witness_check(&text->witness, told));
    text->step++;
out:
    return st;
}

/* A token, then its time; what the coordinator has to say is passed on. */
static eis_status tell(void *context, eis_span message)
{
    telling *t = context;
    eis_coordinator_event event;
    eis_status st = EIS_OK;

    EIS_TRY(eis_coordinator_read_event(&event, message));
    if (event.kind == EIS_COORDINATOR_TOKEN) {
        EIS_TRY(witness(t->text, &event.told));
        EIS_REQUIRE(!t->stopped && t->text->tokens < t->growth->most, EIS_ERR_PROTOCOL,
                    "the coordinator goes on beyond the end of the text");
        EIS_REQUIRE(!t->waiting && event.told.token < t->text->session.lm.vocabulary, EIS_ERR_PROTOCOL,
                    "the coordinator told a token that is none");
        t->token = event.told.token;
        t->waiting = true;
    } else if (event.kind == EIS_COORDINATOR_LOG) {
        eis_log(EIS_LOG_WARN, "coordinator", "%s", event.text);
    } else if (event.kind == EIS_COORDINATOR_TIMING && t->waiting) {
        t->waiting = false;
        if (t->text->tokens++ == 0) t->text->first_ms = ms_since(t->text->run_ns);
        EIS_TRY(eis_text_growth_add(t->growth, t->ids, &t->stopped, t->token, event.ms));
    }
out:
    return st;
}

static eis_status run(eis_mpc_text *text, telling *t)
{
    eis_status st = EIS_OK;
    uint64_t step, begin = text->run_ns = eis_clock_ns();
    eis_writer w;

    EIS_TRY(submit(&step, text));
    EIS_TRY(eis_mpc_owner_send_prompt(text->owner, step, 0, t->ids->ids, text->prompt_tokens));
    text->step = eis_mpc_owner_step(text->owner);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_run(&w, text->name, t->growth->most, &text->sampling);
    st = ask(text, "RunInference", &w, 0, tell, t);
    if (st == EIS_ERR_INTERRUPTED) st = eis_fail(st, "interrupted");
    if (st != EIS_OK) goto out;
    EIS_REQUIRE(!t->waiting, EIS_ERR_PROTOCOL, "the coordinator ends behind a token without its time");
    text->token_ms = ms_since(begin);
    EIS_TRY(eis_mpc_owner_count(text->parties, &text->dealer, text->owner));
    EIS_TRY(eis_mpc_owner_layers(&text->layers, text->owner));
out:
    return st;
}

/* What was asked for, over the settings. */
static eis_status choose_sampling(eis_mpc_sampling *sampling, const eis_sampler_options *asked)
{
    if (asked->greedy) {
        *sampling = (eis_mpc_sampling){.top_k = 1};
        return EIS_OK;
    }
    if (asked->top_k != 0) sampling->top_k = asked->top_k;
    if (asked->temperature != 0) sampling->temperature = asked->temperature;
    return eis_mpc_sampling_check(sampling);
}

/* The positions that are left for tokens of the text: what fills its prompt up takes some. */
static uint32_t context_beside_filling(const eis_mpc_text *text, size_t prompt)
{
    uint32_t all = prompt < text->session.context ? eis_mpc_model_filled(&text->session, (uint32_t)prompt) : 0;
    uint32_t filling = all > 0 ? all - (uint32_t)prompt : 0;

    return filling < text->session.context ? text->session.context - filling : 1;
}

eis_status eis_mpc_text_generate(eis_ids *ids, eis_mpc_text *text, const eis_text_generation *generation)
{
    eis_status st = EIS_OK;
    eis_text_growth growth = {0};
    telling t = {.text = text, .growth = &growth, .ids = ids};

    EIS_TRY(choose_sampling(&text->sampling, &generation->sampling));
    EIS_TRY(eis_text_growth_begin(&growth, generation, ids, context_beside_filling(text, ids->count)));
    text->prompt_tokens = (uint32_t)ids->count;
    st = blame(text, run(text, &t));
    if (st != EIS_OK) goto out;
    EIS_TRY(eis_text_growth_end(&growth));
out:
    eis_text_growth_clear(&growth);
    return st;
}

/* ---- classifying ---- */

typedef struct verdict {
    eis_mpc_text *text;
    uint32_t told, classes;
    unsigned count;
} verdict;

static eis_status take_class(void *context, eis_span message)
{
    verdict *v = context;
    eis_coordinator_event event;
    eis_status st = EIS_OK;

    EIS_TRY(eis_coordinator_read_event(&event, message));
    if (event.kind != EIS_COORDINATOR_TOKEN) goto out;
    EIS_TRY(witness(v->text, &event.told));
    EIS_REQUIRE(v->count == 0 && event.told.token < v->classes, EIS_ERR_PROTOCOL,
                "the coordinator told a class that is none, or two");
    v->told = event.told.token;
    v->count++;
out:
    return st;
}

static eis_status run_input(verdict *v, eis_mpc_text *text, const eis_model *model, const double *x)
{
    eis_status st = EIS_OK;
    uint64_t step, begin = eis_clock_ns();
    eis_writer w;

    text->prompt_tokens = 1;
    EIS_TRY(submit(&step, text));
    EIS_TRY(eis_mpc_owner_send_image(text->owner, step, model, x));
    text->step = eis_mpc_owner_step(text->owner);
    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    eis_coordinator_write_run(&w, text->name, 1, NULL);
    st = ask(text, "RunInference", &w, 0, take_class, v);
    if (st == EIS_ERR_INTERRUPTED) st = eis_fail(st, "interrupted");
    if (st != EIS_OK) goto out;
    EIS_REQUIRE(v->count == 1, EIS_ERR_PROTOCOL, "the coordinator told no class");
    text->tokens++;
    text->token_ms += ms_since(begin);
    EIS_TRY(eis_mpc_owner_count(text->parties, &text->dealer, text->owner));
    EIS_TRY(eis_mpc_owner_layers(&text->layers, text->owner));
out:
    return st;
}

eis_status eis_mpc_text_classify(uint32_t *best, eis_mpc_text *text, const eis_model *model, const double *x)
{
    verdict v = {.text = text, .classes = text->session.classifier.classes};
    eis_status st = blame(text, run_input(&v, text, model, x));

    if (st == EIS_OK) *best = v.told;
    return st;
}

void eis_mpc_text_report_get(eis_mpc_text_report *report, const eis_mpc_text *text)
{
    *report = (eis_mpc_text_report){.session = &text->session,
                                    .notes = &text->notes,
                                    .sampling = text->sampling,
                                    .parties = text->parties,
                                    .dealer = &text->dealer,
                                    .layers = &text->layers,
                                    .processes = text->processes,
                                    .prompt_tokens = text->prompt_tokens,
                                    .tokens = text->tokens,
                                    .start_ms = text->start_ms,
                                    .load_ms = text->load_ms,
                                    .token_ms = text->token_ms,
                                    .first_ms = text->first_ms};
}
