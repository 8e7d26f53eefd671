/* SPDX-License-Identifier: Apache-2.0 */
/* The linear gates on one array of words. Shares, MAC shares, masks and values all go through the same function, which
 * is why parties and dealer cannot disagree about it. */
#ifndef EIS_ENGINE_MPC_LINEAR_H
#define EIS_ENGINE_MPC_LINEAR_H

#include "engine/mpc/graph.h"

/* Tells whether a gate is linear in its inputs, but for public constants: GATHER to SUM. */
bool eis_mpc_is_linear(eis_mpc_op op);

/* Applies a linear gate without its constants.
 *
 * Shape:   r[node->count]; a and b are the words of its inputs (b NULL where there is one); b_first: words of a, for
 *          JOIN. r overlaps neither.
 * Secret:  all; constant time. */
void eis_mpc_linear(uint64_t *r, const eis_mpc_node *node, const uint64_t *a, size_t a_count, const uint64_t *b);

/* Adds the constants of an OFFSET to r, times `factor`: 1 for values, the MAC key's share for MACs. */
void eis_mpc_add_constants(uint64_t *r, const eis_mpc_node *node, uint64_t factor);

/* r = inner products as a DOT node says. */
void eis_mpc_dot_words(uint64_t *r, const eis_mpc_node *node, const uint64_t *a, const uint64_t *b);

#endif
