/* SPDX-License-Identifier: Apache-2.0 */
/* One token of a GPT-2 small through two server processes on loopback, against the same executor with OpenBLAS: tokens
 * are taken in turn, on the wall clock, because three processes take part. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "bench/bench_model.h"
#include "cli/cli.h"
#include "model/plain.h"
#include "service/local.h"

#include <stdio.h>

enum { WARM_TOKENS = 3, TOKENS_QUICK = 20, TOKENS_FULL = 80, CALIBRATION_IDS = 8, SERVERS = 2 };

/* A text that is fed token by token. */
typedef struct speaker {
    eis_lm_session *text;
    eis_linear_backend seam;
    double ms[TOKENS_FULL];
    size_t tokens;
} speaker;

static eis_status feed(speaker *s, double *logits, uint32_t id)
{
    eis_status st = EIS_OK;
    uint64_t start = eis_clock_ns();

    EIS_TRY(eis_lm_feed(s->text, logits, &s->seam, &id, 1));
    s->ms[s->tokens++] = (double)(eis_clock_ns() - start) / 1e6;
out:
    return st;
}

/* Which rings calibration chose: "43 x Z32, 6 x Z40". */
static void note_rings(eis_bench *bench, const eis_part_info *info, uint32_t count)
{
    char text[128] = "";
    size_t used = 0;

    for (unsigned planes = 4; planes <= 8; planes++) {
        unsigned layers = 0;
        for (uint32_t i = 0; i < count; i++) layers += info->layers[i].planes == planes;
        if (layers > 0 && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%u x Z%u", used > 0 ? ", " : "", layers,
                                     8 * planes);
    }
    eis_bench_condition_set(bench, "end_to_end",
                            "P8, %d server processes of 1 thread on loopback over TLS, rings of the layers: %s",
                            SERVERS, text);
}

static eis_status take_turns(eis_bench *bench, speaker *ours, speaker *local, const eis_model *model)
{
    eis_status st = EIS_OK;
    size_t tokens = bench->quick ? TOKENS_QUICK : TOKENS_FULL;
    uint32_t ids[TOKENS_FULL + WARM_TOKENS];
    double *logits = NULL;
    eis_bench_row *row;

    eis_bench_model_ids(ids, TOKENS_FULL + WARM_TOKENS, model);
    EIS_NEW(logits, model->lm.vocabulary);
    for (size_t i = 0; i < tokens + WARM_TOKENS; i++) {
        EIS_TRY(eis_cli_check_interrupted());
        if (i == WARM_TOKENS) ours->tokens = local->tokens = 0;
        EIS_TRY(feed(ours, logits, ids[i]));
        if (bench->blas != NULL) EIS_TRY(feed(local, logits, ids[i]));
    }
    row = eis_bench_add(bench, eis_bench_median(ours->ms, tokens), "ms",
                        "GPT-2 small, one token end to end, k=2, P8, loopback");
    if (bench->blas != NULL) {
        eis_bench_against(row, bench->blas->name, eis_bench_median(local->ms, tokens));
        eis_bench_set_goal(row, 0.5);
    }
out:
    eis_mem_free(logits);
    return st;
}

/* Where the time of a token goes: the calls, and everything local. */
static void add_calls_row(eis_bench *bench, const eis_split_client *client, uint32_t layers, size_t tokens)
{
    eis_split_layer_report reports[4 * EIS_BENCH_GPT2_BLOCKS + 1];
    double ns = 0;

    EIS_ASSERT(layers <= sizeof reports / sizeof reports[0]);
    eis_split_client_report(client, reports, NULL);
    for (uint32_t i = 0; i < layers; i++) ns += (double)reports[i].nanoseconds;
    (void)eis_bench_add(bench, ns / 1e6 / (double)tokens, "ms", "GPT-2 small, of that in the %u calls (mean)", layers);
}

eis_status eis_bench_run_end_to_end(eis_bench *bench)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_pool *pool = NULL;
    eis_split_session *session = NULL;
    eis_bench_local blas = {.blas = bench->blas};
    speaker ours = {0}, local = {0};
    uint32_t ids[CALIBRATION_IDS];
    eis_split_session_config config = {
        .profile = EIS_SPLIT_P8, .server_threads = 1, .client = {.scheme = {.servers = SERVERS}}};

    eis_bench_say(bench, "making a GPT-2 small, its pack and two servers");
    EIS_TRY(eis_pool_new(&pool, 0));
    EIS_TRY(eis_bench_model_gpt2(&model, EIS_BENCH_GPT2_BLOCKS, EIS_BENCH_GPT2_VOCABULARY));
    eis_bench_model_ids(ids, CALIBRATION_IDS, model);
    config.model = blas.model = model;
    config.pool = pool;
    config.calibration_ids = ids;
    config.calibration_count = CALIBRATION_IDS;
    config.client.cancel = eis_cli_cancel();
    EIS_TRY(eis_split_session_open(&session, &config));
    note_rings(bench, eis_split_session_info(session), model->linear_count);
    ours.seam = eis_split_session_seam(session);
    local.seam = eis_bench_local_seam(&blas);
    EIS_TRY(eis_lm_session_new(&ours.text, model, 0));
    EIS_TRY(eis_lm_session_new(&local.text, model, 0));
    EIS_TRY(take_turns(bench, &ours, &local, model));
    add_calls_row(bench, eis_split_session_client(session), model->linear_count, ours.tokens + WARM_TOKENS);
out:
    eis_lm_session_free(ours.text);
    eis_lm_session_free(local.text);
    eis_bench_local_clear(&blas);
    eis_split_session_close(session);
    eis_model_free(model);
    eis_pool_free(pool);
    return st;
}
