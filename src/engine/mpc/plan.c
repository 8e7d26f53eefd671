/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/plan.h"

#include "base/mem.h"

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

eis_status eis_mpc_plan_read(eis_mpc_plan *plan, const eis_mpc_graph *graph)
{
    eis_status st = EIS_OK;

    memset(plan, 0, sizeof *plan);
    EIS_ASSERT(graph->section_count > 0);
    EIS_NEW(plan->rows, graph->section_count);
    plan->row_count = graph->section_count;
    fill(plan, graph);
    snprintf(plan->total.name, sizeof plan->total.name, "total");
out:
    return st;
}

eis_status eis_mpc_plan_make(eis_mpc_plan *plan, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens,
                             const eis_mpc_sampling *sampling)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};

    memset(plan, 0, sizeof *plan);
    EIS_TRY(eis_mpc_lm_step_draw(&step, lm, position, secret_tokens, sampling));
    EIS_TRY(eis_mpc_plan_read(plan, &step.graph));
    plan->drawn = step.coin.signs != NULL;
out:
    eis_mpc_lm_step_clear(&step);
    return st;
}

eis_status eis_mpc_plan_make_classifier(eis_mpc_plan *plan, const eis_mpc_classifier *classifier)
{
    eis_status st = EIS_OK;
    eis_mpc_graph graph = {0};
    eis_mpc_id best;

    memset(plan, 0, sizeof *plan);
    EIS_TRY(eis_mpc_classifier_graph(&graph, &best, NULL, classifier));
    EIS_TRY(eis_mpc_plan_read(plan, &graph));
out:
    eis_mpc_graph_clear(&graph);
    return st;
}

uint32_t eis_mpc_plan_check_rounds(const eis_mpc_plan *plan)
{
    return EIS_MPC_CHECK_ROUNDS + EIS_MPC_OUTPUT_ROUNDS + (plan->drawn ? EIS_MPC_COIN_ROUNDS : 0);
}

uint64_t eis_mpc_plan_check_bytes(const eis_mpc_plan *plan, uint32_t header)
{
    uint64_t bytes = EIS_MPC_CHECK_BYTES + EIS_MPC_OUTPUT_BYTES + (plan->drawn ? EIS_MPC_COIN_BYTES : 0u);

    return bytes + (uint64_t)header * eis_mpc_plan_check_rounds(plan);
}

void eis_mpc_plan_clear(eis_mpc_plan *plan)
{
    eis_mem_free(plan->rows);
    memset(plan, 0, sizeof *plan);
}
