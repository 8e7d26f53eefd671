/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rand/entropy.h"

#include <stdio.h>
#include <string.h>

struct eis_mpc_text {
    eis_mpc_embedded *embedded;
    eis_mpc_session session;
    eis_writer document;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_counters parties[EIS_MPC_PARTIES_MAX], dealer, loaded;
    pid_t processes[EIS_MPC_PARTIES_MAX + 1];
    uint32_t prompt_tokens, tokens;
    double start_ms, load_ms, token_ms;
};

static double ms_since(uint64_t begin_ns) { return (double)(eis_clock_ns() - begin_ns) / 1e6; }

/* ---- opening ---- */

/* A name that no other session has. */
static eis_status draw_name(char name[EIS_MPC_NAME_BYTES])
{
    eis_status st = EIS_OK;
    uint64_t random[2];

    EIS_TRY(eis_entropy_draw(random, sizeof random));
    snprintf(name, EIS_MPC_NAME_BYTES, "text-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
out:
    return st;
}

static eis_status describe(eis_mpc_text *text, const eis_mpc_settings *settings, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_session *s = &text->session;

    EIS_TRY(draw_name(s->id));
    memcpy(s->model, "model", sizeof "model");
    EIS_TRY(eis_mpc_embedded_name(s, text->embedded));
    s->context = model->lm.context < settings->context_max ? model->lm.context : settings->context_max;
    s->stop_count = model->lm.stop_count;
    memcpy(s->stop, model->lm.stop_ids, sizeof s->stop);
    EIS_TRY(eis_mpc_session_write(&text->document, s));
out:
    return st;
}

static eis_status load(eis_mpc_text *text, const eis_mpc_text_wish *wish, const eis_model *model)
{
    eis_status st = EIS_OK;
    uint64_t begin = eis_clock_ns();
    eis_mpc_caller caller = eis_mpc_embedded_caller(text->embedded);

    caller.cancel = wish->cancel;
    caller.timeout_ms = wish->settings->owner_ms;
    EIS_TRY(
        eis_mpc_conductor_open(&text->conductor, &text->session, text->document.data, text->document.bytes, &caller));
    EIS_TRY(eis_mpc_owner_open(&text->owner, &text->session, &caller));
    EIS_TRY(eis_mpc_owner_send_model(text->owner, model, wish->progress, wish->progress_context));
    EIS_TRY(eis_mpc_conductor_load(text->conductor));
    EIS_TRY(eis_mpc_conductor_count(text->parties, &text->dealer, text->conductor));
    text->loaded = text->parties[text->session.party_count - 1];
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
    eis_wire_writer_init(&text->document, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(eis_mpc_lm_init(&text->session.lm, model, &wish->settings->tuning)); /* before anything is started */
    EIS_TRY(eis_mpc_embedded_start(&text->embedded, wish->program, wish->parties, wish->settings));
    for (uint32_t p = 0; p <= wish->parties; p++) text->processes[p] = eis_mpc_embedded_process(text->embedded, p);
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
    eis_mpc_conductor_close(text->conductor);
    eis_mpc_embedded_stop(text->embedded);
    eis_wire_writer_clear(&text->document);
    eis_mpc_session_clear(&text->session);
    eis_mem_free(text);
}

/* ---- generating ---- */

typedef struct telling {
    eis_mpc_text *text;
    eis_text_growth *growth;
    eis_ids *ids;
    const eis_cancel *cancel;
} telling;

static eis_status tell(void *context, uint32_t token, double ms)
{
    telling *t = context;
    bool stop;

    if (eis_net_cancel_raised(t->cancel)) return eis_fail(EIS_ERR_INTERRUPTED, "interrupted");
    t->text->tokens++;
    return eis_text_growth_add(t->growth, t->ids, &stop, token, ms); /* the parties know the stop tokens themselves */
}

static eis_status run(eis_mpc_text *text, telling *t)
{
    eis_status st = EIS_OK;
    uint64_t step = eis_mpc_conductor_step(text->conductor), begin = eis_clock_ns();
    eis_mpc_end end;

    for (uint32_t i = 0; i < text->prompt_tokens; i++)
        EIS_TRY(eis_mpc_owner_send_token(text->owner, step + i, t->ids->ids[i]));
    EIS_TRY(eis_mpc_conductor_run(text->conductor, &end, text->prompt_tokens, t->growth->most, tell, t));
    text->token_ms = ms_since(begin);
    EIS_TRY(eis_mpc_conductor_count(text->parties, &text->dealer, text->conductor));
out:
    return st;
}

eis_status eis_mpc_text_generate(eis_ids *ids, eis_mpc_text *text, const eis_text_generation *generation)
{
    eis_status st = EIS_OK;
    eis_text_growth growth = {0};
    telling t = {.text = text, .growth = &growth, .ids = ids, .cancel = generation->cancel};

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
                                    .load_rounds = text->loaded.rounds,
                                    .load_bytes = text->loaded.bytes_to_each_peer,
                                    .load_words = text->loaded.unit_words,
                                    .start_ms = text->start_ms,
                                    .load_ms = text->load_ms,
                                    .token_ms = text->token_ms};
}
