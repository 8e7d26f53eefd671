/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: what a unit is tested with (material.h), read piece by piece and in any order, so that a test
 * needs no memory for all of it. */
#ifndef EIS_ENGINE_MPC_TEST_SUPPLY_H
#define EIS_ENGINE_MPC_TEST_SUPPLY_H

#include "engine/mpc/material.h"

/* How many masks, and how many corrections, come before a word. */
typedef struct eis_mpc_test_place {
    size_t masks, corrections;
} eis_mpc_test_place;

/* Valid when zeroed. */
typedef struct eis_mpc_test_supply {
    eis_mpc_reader reader;
    eis_mpc_test_size size;
    uint32_t level;
    const eis_mpc_graph *graph;
    eis_mpc_test_place *matrix; /* [node_count]: where the words of a MATRIX begin */
    size_t *parts; /* [node_count]: where the parts of a wire that is cut begin, behind those of all MATRIX */
    eis_mpc_test_place parts_at;
    eis_mpc_stream main;
} eis_mpc_test_supply;

/* The corrections of the reader stay the caller's.
 * Errors:  EIS_ERR_PROTOCOL  the dealer sent too few or too many corrections; EIS_ERR_MEMORY, those of streams. */
EIS_MUST_USE eis_status eis_mpc_test_supply_start(eis_mpc_test_supply *supply, const eis_mpc_graph *graph,
                                                  const eis_mpc_reader *reader, eis_mpc_tests tests, uint64_t step);
void eis_mpc_test_supply_clear(eis_mpc_test_supply *supply);

/* Each reads words in the order of material.h: s | a s; a block of n pairs, or squares, that begins with number
 * `first`; the sum of the products of all pairs; the words of a MATRIX; words [at, at + count) of the parts of a wire.
 *
 * Secret:  to. Errors: EIS_ERR_PROTOCOL  a correction is not a word of the field; those of streams. */
EIS_MUST_USE eis_status eis_mpc_test_supply_combination(uint64_t *to, eis_mpc_test_supply *supply);
EIS_MUST_USE eis_status eis_mpc_test_supply_pairs(uint64_t *to, eis_mpc_test_supply *supply, size_t first, size_t n);
EIS_MUST_USE eis_status eis_mpc_test_supply_pair_sum(uint64_t *to, eis_mpc_test_supply *supply);
EIS_MUST_USE eis_status eis_mpc_test_supply_squares(uint64_t *to, eis_mpc_test_supply *supply, size_t first, size_t n);
EIS_MUST_USE eis_status eis_mpc_test_supply_matrix(uint64_t *to, eis_mpc_test_supply *supply, eis_mpc_id id);
EIS_MUST_USE eis_status eis_mpc_test_supply_parts(uint64_t *to, eis_mpc_test_supply *supply, eis_mpc_id wire, size_t at,
                                                  size_t count);

#endif
