/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/plan.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Coin, what opens it and the transcript; two commitments; sigma and what opens it. Then a share; a commitment; sigma
 * and what opens it. */
#define CHECK_BYTES  ((32 + 32 + 32) + (32 + 32) + (8 + 32))
#define OUTPUT_BYTES (8 + 32 + (8 + 32))

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

static void name_section(char name[32], const eis_mpc_lm *lm, uint32_t section)
{
    if (section == 0)
        snprintf(name, 32, "embedding");
    else if (section <= 2 * lm->layers)
        snprintf(name, 32, "block %u %s", (section - 1) / 2, section % 2 != 0 ? "attention" : "mlp");
    else
        snprintf(name, 32, "head, likeliest token");
}

/* The embedding ends with its last row: of the position `last`, where there are any. */
static bool section_ends(const eis_mpc_node *node, const eis_mpc_lm *lm, uint32_t section, uint32_t last)
{
    bool row = node->op == EIS_MPC_OP_ROW;

    if (section > 0) return node->op == EIS_MPC_OP_MATRIX && node->matrix == EIS_MPC_LM_BLOCKS + 2 * section - 1;
    if (lm->family == EIS_LM_GPT2) return row && node->matrix == eis_mpc_lm_position_matrix(lm) && node->row == last;
    return row || (node->op == EIS_MPC_OP_MATRIX && node->matrix == EIS_MPC_LM_TOKENS);
}

static void fill(eis_mpc_plan *plan, const eis_mpc_lm_step *step, const eis_mpc_lm *lm)
{
    const eis_mpc_graph *graph = &step->graph;
    uint32_t section = 0, before = 0, last = step->position + step->count - 1;

    for (uint32_t s = 0; s < plan->row_count; s++) name_section(plan->rows[s].name, lm, s);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        eis_mpc_plan_row *row = &plan->rows[section];
        uint32_t round = graph->nodes[id].round;
        add_node(row, graph, id);
        add_node(&plan->total, graph, id);
        if (round > before) {
            row->rounds += round - before;
            before = round;
        }
        if (section + 1 < plan->row_count && section_ends(&graph->nodes[id], lm, section, last)) section++;
    }
    plan->total.rounds = graph->rounds;
}

eis_status eis_mpc_plan_make(eis_mpc_plan *plan, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};

    memset(plan, 0, sizeof *plan);
    EIS_TRY(eis_mpc_lm_step_init(&step, lm, position, secret_tokens, true));
    plan->row_count = 2 + 2 * lm->layers;
    EIS_NEW(plan->rows, plan->row_count);
    fill(plan, &step, lm);
    snprintf(plan->total.name, sizeof plan->total.name, "total");
out:
    if (st != EIS_OK) eis_mpc_plan_clear(plan);
    eis_mpc_lm_step_clear(&step);
    return st;
}

uint64_t eis_mpc_plan_bytes(const eis_mpc_plan *plan, uint32_t header)
{
    uint64_t rounds = plan->total.rounds + EIS_MPC_CHECK_ROUNDS + EIS_MPC_OUTPUT_ROUNDS;

    return 8 * plan->total.opened + CHECK_BYTES + OUTPUT_BYTES + header * rounds;
}

void eis_mpc_plan_clear(eis_mpc_plan *plan)
{
    eis_mem_free(plan->rows);
    memset(plan, 0, sizeof *plan);
}
