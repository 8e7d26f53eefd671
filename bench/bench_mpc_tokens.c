/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tokens of the engine mpc: by parties on threads without TLS, at a full context; and by processes over TLS, as
 * `eis generate` runs them. */
#include "base/mem.h"
#include "bench/bench_model.h"
#include "bench/bench_mpc.h"
#include "cli/cli.h"
#include "cli/models_dir.h"
#include "engine/mpc/lm.h"
#include "engine/mpc/material.h"
#include "service/mpc_text.h"

#include <stdio.h>

enum { PARTIES = 2, CONTEXT = 128, TEXT_TOKENS = 24, TEXT_TOKENS_QUICK = 6 };

#define MEMORY_MIB     256   /* above weights, cache and units that wait */
#define RESIDUAL_BOUND 256.0 /* declared for random weights: no norm of theirs comes near it in 12 blocks */

typedef struct token_goals {
    double ms, rounds, kb;
} token_goals;

/* What the tests of a step's material open at sacrifice.level 1. */
static double test_kb(const eis_mpc_graph *graph)
{
    eis_mpc_test_size size;

    eis_mpc_test_size_graph(&size, graph, (eis_mpc_tests){.level = 1});
    return (double)size.opened * sizeof(uint64_t) / 1e3;
}

/* Online is what parties on processes do without tests: material is expanded gate by gate, and products with public
 * matrices are ahead. */
static eis_status measure(eis_bench *bench, eis_bench_mpc *w, const eis_mpc_lm_step *step, const char *name,
                          const token_goals *goals, unsigned times)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = &step->graph;
    eis_bench_mpc_walk online, network, ahead, tested;

    EIS_TRY(eis_bench_mpc_repeat(&online, w, g, step->next, EIS_BENCH_MPC_PRODUCTS, times));
    EIS_TRY(eis_bench_mpc_repeat(&ahead, w, g, step->next, EIS_BENCH_MPC_AHEAD, times));
    EIS_TRY(eis_bench_mpc_repeat(&tested, w, g, step->next, EIS_BENCH_MPC_TESTED, times));
    eis_bench_mpc_set_network(w, true);
    EIS_TRY(eis_bench_mpc_repeat(&network, w, g, step->next, EIS_BENCH_MPC_PRODUCTS, times));
    eis_bench_set_goal(eis_bench_add(bench, online.online_ms, "ms", "%s: online", name), goals->ms);
    eis_bench_add(bench, online.online_cpu_ms, "ms", "%s: online, processor time of a party", name);
    eis_bench_add(bench, network.online_ms, "ms", "%s: online, 1 Gbit/s and 0.2 ms", name);
    eis_bench_set_goal(eis_bench_add(bench, (double)online.rounds, "rounds", "%s: rounds", name), goals->rounds);
    eis_bench_set_goal(eis_bench_add(bench, (double)online.bytes_to_each_peer / 1e3, "KB", "%s: to each peer", name),
                       goals->kb);
    eis_bench_set_goal(eis_bench_add(bench, (double)online.memory_bytes / 0x1p20, "MiB", "%s: memory of a party", name),
                       MEMORY_MIB);
    eis_bench_set_goal(eis_bench_add(bench, (double)tested.memory_bytes / 0x1p20, "MiB",
                                     "%s: memory of a party that tests at sacrifice.level 1", name),
                       MEMORY_MIB);
    eis_bench_add(bench, tested.online_ms, "ms", "%s: online, with tests at sacrifice.level 1", name);
    eis_bench_add(bench, tested.online_cpu_ms, "ms", "%s: processor time of a party then", name);
    eis_bench_add(bench, online.expand_ms, "ms", "%s: offline, a party", name);
    eis_bench_add(bench, online.deal_ms, "ms", "%s: offline, one core of the Triple Service", name);
    eis_bench_add(bench, (double)online.material_bytes / 1e3, "KB", "%s: offline, to the last party", name);
    eis_bench_add(bench, test_kb(g), "KB", "%s: offline, tests at sacrifice.level 1", name);
    eis_bench_add(bench, online.online_ms + online.expand_ms + online.deal_ms, "ms", "%s: total, one after another",
                  name);
    eis_bench_add(bench, ahead.online_ms, "ms", "%s: online with all material expanded ahead", name);
    eis_bench_add(bench, (double)ahead.memory_bytes / 0x1p20, "MiB", "%s: memory of a party then", name);
out:
    return st;
}

/* A generated token that looks back on CONTEXT positions, itself included. residual_bound 0: what norms give. */
static eis_status run_token(eis_bench *bench, const eis_model *model, const char *name, const token_goals *goals,
                            double residual_bound, unsigned times)
{
    eis_status st = EIS_OK;
    eis_mpc_tuning tuning;
    eis_mpc_lm lm = {0};
    eis_mpc_lm_step step = {0};
    eis_bench_mpc *w = NULL;

    eis_mpc_tuning_default(&tuning);
    EIS_TRY(eis_mpc_lm_init(&lm, model, &tuning));
    lm.residual_bound = residual_bound;
    EIS_TRY(eis_bench_mpc_open(&w, PARTIES, lm.shapes, lm.shape_count, eis_mpc_lm_slot_count(&lm)));
    for (uint32_t i = 0; i < 2 * lm.layers; i++)
        EIS_TRY(eis_bench_mpc_fill(w, i, (CONTEXT - 1) * lm.kv_heads * lm.head_size));
    for (uint32_t v = 0; v < lm.vector_count; v++)
        EIS_TRY(eis_bench_mpc_fill(w, 2 * lm.layers + v, lm.vectors[v].count));
    EIS_TRY(eis_mpc_lm_step_init(&step, &lm, CONTEXT - 1, false, true));
    EIS_TRY(eis_cli_check_interrupted());
    EIS_TRY(measure(bench, w, &step, name, goals, times));
out:
    eis_bench_mpc_close(w);
    eis_mpc_lm_step_clear(&step);
    eis_mpc_lm_clear(&lm);
    return st;
}

static eis_status run_stories260k(eis_bench *bench)
{
    static const token_goals wanted = {40, 340, 1400};
    eis_status st = EIS_OK;
    eis_model *model = NULL;

    EIS_TRY(eis_bench_model_stories260k(&model));
    EIS_TRY(run_token(bench, model, "token of stories260K's shape", &wanted, 0, bench->quick ? 4 : 16));
out:
    eis_model_free(model);
    return st;
}

static eis_status run_gpt2(eis_bench *bench)
{
    static const token_goals wanted = {800, 800, 20000};
    eis_status st = EIS_OK;
    eis_model *model = NULL;

    if (bench->quick) return EIS_OK; /* 124 million weights take their time to be shared */
    EIS_TRY(eis_bench_model_gpt2(&model, EIS_BENCH_GPT2_BLOCKS, EIS_BENCH_GPT2_VOCABULARY));
    st = run_token(bench, model, "token of GPT-2 small's shape", &wanted, RESIDUAL_BOUND, 3);
    if (st == EIS_ERR_RANGE) { /* random weights of this size may be refused; the others' rows stand */
        eis_bench_condition_set(bench, "gpt2", "refused: %s", eis_error_detail());
        st = EIS_OK;
    }
out:
    eis_model_free(model);
    return st;
}

/* models/tiny-stories by processes over TLS on loopback. */
static eis_status run_processes(eis_bench *bench, uint32_t parties)
{
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES];
    eis_mpc_settings settings;
    const eis_mpc_text_wish wish = {.settings = &settings, .parties = parties, .cancel = eis_cli_cancel()};
    eis_text_model lm = {0};
    eis_text_generation generation = {.lm = &lm,
                                      .sampling = eis_sampler_options_default(),
                                      .max_tokens = bench->quick ? TEXT_TOKENS_QUICK : TEXT_TOKENS,
                                      .cancel = eis_cli_cancel()};
    eis_mpc_text_report report;
    eis_mpc_text *text = NULL;
    eis_ids ids = {0};

    generation.sampling.greedy = true;
    eis_mpc_settings_default(&settings);
    EIS_TRY(eis_cli_models_find(path, "tiny-stories"));
    EIS_TRY(eis_text_model_open(&lm, path, NULL));
    EIS_TRY(eis_ids_append(&ids, 5));
    EIS_TRY(eis_mpc_text_open(&text, &wish, lm.model));
    EIS_TRY(eis_mpc_text_generate(&ids, text, &generation));
    eis_mpc_text_report_get(&report, text);
    eis_bench_add(bench, report.token_ms / report.tokens, "ms",
                  "token of tiny-stories, %u processes over TLS, with dealing", parties);
    eis_bench_add(bench, report.load_ms, "ms", "weights of tiny-stories, %u processes over TLS", parties);
out:
    eis_mpc_text_close(text);
    eis_text_model_close(&lm);
    eis_ids_clear(&ids);
    return st;
}

eis_status eis_bench_run_mpc_tokens(eis_bench *bench)
{
    eis_status st = EIS_OK;

    eis_bench_say(bench, "tokens of the engine mpc");
    EIS_TRY(run_stories260k(bench));
    EIS_TRY(run_gpt2(bench));
    EIS_TRY(run_processes(bench, 2));
    EIS_TRY(run_processes(bench, 3));
out:
    return st;
}
