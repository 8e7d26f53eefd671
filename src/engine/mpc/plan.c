/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/plan.h"

#include "base/mem.h"
#include "engine/mpc/sacrifice.h"

#include <stdio.h>
#include <string.h>

/* Products of words: what a party spends its time on, beside expanding material. */
static uint64_t products_of(const eis_mpc_graph *graph, const eis_mpc_node *node)
{
    uint64_t n = node->count;

    switch (node->op) {
    case EIS_MPC_OP_MATRIX: /* D_W l_x and l_W D_x; the tag beside */
        return n * 2 * graph->matrices[node->matrix].columns + 4 * n;
    case EIS_MPC_OP_DOT: /* two products for the value and as many for its MAC */
        return 4 * n * node->dot.inner;
    case EIS_MPC_OP_PRODUCT:
        return n * 2 * ((UINT64_C(1) << node->in_count) - 1);
    case EIS_MPC_OP_DIGITS:
        return 2 * node->cmp.elements * node->cmp.digits * (UINT64_C(1) << node->cmp.digit_bits);
    default:
        return 2 * n;
    }
}

static void add_node(eis_mpc_plan_row *row, const eis_mpc_graph *graph, eis_mpc_id id)
{
    eis_mpc_cost cost;

    eis_mpc_node_cost(&cost, graph, id);
    row->opened += cost.opened;
    row->masks += cost.masks;
    row->corrections += cost.corrections;
    row->multiply_adds += products_of(graph, &graph->nodes[id]);
}

/* A round belongs to the section whose opening is the first to need it. */
static void fill(eis_mpc_plan *plan, const eis_mpc_graph *graph)
{
    uint32_t before = 0;

    for (uint32_t s = 0; s < plan->row_count; s++) {
        eis_mpc_plan_row *row = &plan->rows[s];
        eis_mpc_id end = s + 1 < graph->section_count ? graph->sections[s + 1].first : graph->node_count;
        memcpy(row->name, graph->sections[s].name, sizeof row->name);
        for (eis_mpc_id id = s == 0 ? 0 : graph->sections[s].first; id < end; id++) {
            uint32_t round = graph->nodes[id].round;
            add_node(row, graph, id);
            add_node(&plan->total, graph, id);
            if (round <= before) continue;
            row->rounds += round - before;
            before = round;
        }
    }
    plan->total.rounds = graph->rounds;
}

/* The tests of material and inputs, and the checks that run because many residues are pending. */
static eis_status add_tests(eis_mpc_plan *plan, const eis_mpc_graph *graph, const eis_mpc_plan_tests *tests)
{
    eis_status st = EIS_OK;
    eis_mpc_plan_row *row = &plan->rows[plan->row_count], *total = &plan->total;
    eis_mpc_test_size size;
    uint32_t checks = 0, frames;

    EIS_TRY(eis_mpc_checks_between(&checks, graph, tests->what, tests->pending_max));
    eis_mpc_test_size_graph(&size, graph, tests->what);
    if (size.opened == 0 && checks == 0) goto out;
    frames = (uint32_t)((size.opened + EIS_MPC_TEST_FRAME_WORDS - 1) / EIS_MPC_TEST_FRAME_WORDS);
    snprintf(row->name, sizeof row->name, "tests, checks between");
    row->rounds = checks * EIS_MPC_CHECK_ROUNDS + (size.opened > 0 ? EIS_MPC_COIN_ROUNDS + frames : 0);
    row->opened = size.opened + checks * (EIS_MPC_CHECK_BYTES / 8) + (size.opened > 0 ? EIS_MPC_COIN_BYTES / 8 : 0);
    row->masks = size.words - size.corrections;
    row->corrections = size.corrections;
    row->multiply_adds = 4 * size.opened;
    plan->row_count++;
    total->rounds += row->rounds;
    total->opened += row->opened;
    total->masks += row->masks;
    total->corrections += row->corrections;
    total->multiply_adds += row->multiply_adds;
out:
    return st;
}

eis_status eis_mpc_plan_read(eis_mpc_plan *plan, const eis_mpc_graph *graph, const eis_mpc_plan_tests *tests)
{
    eis_status st = EIS_OK;

    memset(plan, 0, sizeof *plan);
    EIS_ASSERT(graph->section_count > 0);
    EIS_NEW(plan->rows, (size_t)graph->section_count + 1);
    plan->row_count = graph->section_count;
    fill(plan, graph);
    if (tests != NULL) EIS_TRY(add_tests(plan, graph, tests));
    snprintf(plan->total.name, sizeof plan->total.name, "total");
out:
    if (st != EIS_OK) eis_mpc_plan_clear(plan);
    return st;
}

eis_status eis_mpc_plan_make(eis_mpc_plan *plan, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens,
                             const eis_mpc_sampling *sampling, const eis_mpc_plan_tests *tests)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};

    memset(plan, 0, sizeof *plan);
    EIS_TRY(sampling != NULL ? eis_mpc_lm_step_draw(&step, lm, position, secret_tokens, sampling)
                             : eis_mpc_lm_step_init(&step, lm, position, secret_tokens, false));
    EIS_TRY(eis_mpc_plan_read(plan, &step.graph, tests));
    plan->silent = sampling == NULL;
    plan->drawn = step.coin.signs != NULL;
out:
    eis_mpc_lm_step_clear(&step);
    return st;
}

eis_status eis_mpc_plan_make_classifier(eis_mpc_plan *plan, const eis_mpc_classifier *classifier,
                                        const eis_mpc_plan_tests *tests)
{
    eis_status st = EIS_OK;
    eis_mpc_graph graph = {0};
    eis_mpc_id best;

    memset(plan, 0, sizeof *plan);
    EIS_TRY(eis_mpc_classifier_graph(&graph, &best, NULL, classifier));
    EIS_TRY(eis_mpc_plan_read(plan, &graph, tests));
out:
    eis_mpc_graph_clear(&graph);
    return st;
}

uint32_t eis_mpc_plan_check_rounds(const eis_mpc_plan *plan)
{
    uint32_t rounds = EIS_MPC_CHECK_ROUNDS;

    if (!plan->silent) rounds += EIS_MPC_OUTPUT_ROUNDS;
    if (plan->drawn) rounds += EIS_MPC_COIN_ROUNDS;
    return rounds;
}

uint64_t eis_mpc_plan_check_bytes(const eis_mpc_plan *plan, uint32_t header)
{
    uint64_t bytes =
        EIS_MPC_CHECK_BYTES + (plan->silent ? 0u : EIS_MPC_OUTPUT_BYTES) + (plan->drawn ? EIS_MPC_COIN_BYTES : 0u);

    return bytes + (uint64_t)header * eis_mpc_plan_check_rounds(plan);
}

void eis_mpc_plan_clear(eis_mpc_plan *plan)
{
    eis_mem_free(plan->rows);
    memset(plan, 0, sizeof *plan);
}
