/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a step: norms, attention, MLP. Used by lm.c. */
#ifndef EIS_ENGINE_MPC_LM_BLOCK_H
#define EIS_ENGINE_MPC_LM_BLOCK_H

#include "engine/mpc/lm.h"

/* The residual stream: a wire at `frac` bits, and a bound of its norm as a real. */
typedef struct eis_mpc_residual {
    eis_mpc_id wire;
    double norm;
} eis_mpc_residual;

/* Attention of block `layer` at `position`; gives the rows of the cache. Cost: 27 + 2 ceil(log2 (position + 1)) rounds.
 */
void eis_mpc_lm_attention(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer,
                          uint32_t position);

/* The MLP of a block. Cost: 20 rounds. */
void eis_mpc_lm_mlp(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer);

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
