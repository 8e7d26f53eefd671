/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a step: norms, attention, MLP. Used by lm.c. */
#ifndef EIS_ENGINE_MPC_LM_BLOCK_H
#define EIS_ENGINE_MPC_LM_BLOCK_H

#include "engine/mpc/lm.h"

/* The residual stream: a wire at `frac` bits, [tokens][dim], and a bound of the norm of each row as a real. */
typedef struct eis_mpc_residual {
    eis_mpc_id wire;
    double norm;
} eis_mpc_residual;

/* Attention of block `layer` for the tokens of a step; gives the rows of the cache. Cost: 27 + 2 ceil(log2 m) rounds,
 * where m is the last one's position and 1. */
void eis_mpc_lm_attention(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer);

/* The MLP of a block. Cost: 20 rounds. */
void eis_mpc_lm_mlp(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer);

/* ---- what both halves are made of ---- */

static inline uint32_t eis_mpc_lm_matrix_of(uint32_t layer, uint32_t which)
{
    return EIS_MPC_LM_BLOCKS + 4 * layer + which;
}

/* Columns of rows of `width` words, [rows][count]. */
eis_mpc_id eis_mpc_lm_columns(eis_mpc_graph *graph, eis_mpc_id a, uint32_t width, uint32_t first, uint32_t count);

/* All of a, `times` times in a row. */
eis_mpc_id eis_mpc_lm_tile(eis_mpc_graph *graph, eis_mpc_id a, uint32_t times);

/* Joins wires, one behind the other. parts[count] is used up. */
eis_mpc_id eis_mpc_lm_join(eis_mpc_graph *graph, eis_mpc_id *parts, uint32_t count);

/* What a norm multiplies each row by, [tokens]. Cost: 10 rounds. */
eis_mpc_id eis_mpc_lm_norm_factor(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm);

/* Vector `which` of a block as a wire; NONE where the family has none. */
eis_mpc_id eis_mpc_lm_bias(eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer, uint32_t which);

/* u = W x for the residual before its norm, at the model's fraction. */
eis_mpc_id eis_mpc_lm_apply_to_residual(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm,
                                        uint32_t matrix);

/* r u + bias at the model's fraction, a word of r for each row of u; bias EIS_MPC_NONE: none. bound: of the result, as
 * a real. */
eis_mpc_id eis_mpc_lm_times_factor(eis_mpc_graph *graph, eis_mpc_id u, eis_mpc_id r, eis_mpc_id bias, double bound,
                                   const eis_mpc_lm *lm);

/* A matrix applied to y, wide, with the residual added (and the bias): what leaves a half of a block. */
void eis_mpc_lm_add_to_residual(eis_mpc_residual *x, eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer,
                                uint32_t which, eis_mpc_id y, double growth);

/* ---- the head ---- */

/* The residual at the model's fraction, for a product. Cost: 1 round, where it has more. */
eis_mpc_id eis_mpc_lm_narrow(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm);

/* Logits (or whatever a matrix gave for the residual before its norm) with the norm's factor, at the model's fraction.
 * bound: of the result, as a real. Cost: 10 rounds. */
eis_mpc_id eis_mpc_lm_normalised(eis_mpc_graph *graph, const eis_mpc_residual *x, eis_mpc_id u, double bound,
                                 const eis_mpc_lm *lm);

/* sqrt(variance + eps) at the model's fraction, which a folded bias of the last norm is multiplied by. Cost: 10 rounds
 * from a residual that has been opened. */
eis_mpc_id eis_mpc_lm_deviation(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm);

/* The largest deviation that a residual of this norm has. */
double eis_mpc_lm_deviation_bound(const eis_mpc_residual *x, const eis_mpc_lm *lm);

#endif
