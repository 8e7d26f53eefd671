/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: a test in progress. sacrifice.c takes the products of a walk, sacrifice_digits.c what is made of
 * bits of masks, sacrifice_load.c a load; sacrifice_shared.c tosses the coin and opens. */
#ifndef EIS_ENGINE_MPC_SACRIFICE_INTERNAL_H
#define EIS_ENGINE_MPC_SACRIFICE_INTERNAL_H

#include "engine/mpc/material.h"
#include "engine/mpc/sacrifice.h"

#define EIS_MPC_SKETCH_MAX ((size_t)1 << EIS_MPC_DIGIT_BITS_MAX) /* values of a digit */

/* Words from the coin, for each kind of test a stream of its own. */
enum { EIS_MPC_COIN_SKETCH, EIS_MPC_COIN_PRODUCTS, EIS_MPC_COIN_MACS, EIS_MPC_COIN_MATRICES, EIS_MPC_COINS };

typedef struct eis_mpc_testing {
    eis_mpc_party *party;
    const eis_mpc_graph *graph;
    const eis_mpc_run *run;
    eis_mpc_tests tests;
    eis_mpc_test_size size;
    uint64_t one; /* our share of 1 */
    eis_mpc_stream coin[EIS_MPC_COINS];
    const uint64_t *pair_spare, *square_spare;
    const uint64_t **parts; /* [node_count] level 2: of each wire that is cut, shares and MACs of its parts */
    size_t pair, square;    /* how many there are yet */
    uint64_t *d, *mac;      /* [opened]: pairs, squares, the combination of MACs, matrices */
    uint64_t *weight;       /* [squares]: each square counts so much */
    uint64_t *theirs;       /* [parties][frame] */
    size_t frame;           /* words that are opened at once */
    uint64_t linear;        /* our share of what the products must sum up to */
    uint64_t sum[2];        /* the combination of all words, and its MAC */
    uint64_t sketch[EIS_MPC_SKETCH_MAX], square_sketch[EIS_MPC_SKETCH_MAX];
    uint64_t *r, *scratch; /* [widest], [8 widest] */
    size_t widest;
} eis_mpc_testing;

/* Words with their MACs, at a stride. */
typedef struct eis_mpc_auths {
    const uint64_t *share, *mac;
    size_t step;
} eis_mpc_auths;

/* ---- sacrifice_shared.c ---- */

/* Makes room for widest words of a gate and size.opened words. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_testing_make_room(eis_mpc_testing *t, size_t widest);
void eis_mpc_testing_clear(eis_mpc_testing *t);

/* Tosses the coin. Errors: those of eis_mpc_check_coin. */
EIS_MUST_USE eis_status eis_mpc_testing_toss(eis_mpc_testing *t);

/* Reads the next words of a kind of test. */
EIS_MUST_USE eis_status eis_mpc_testing_draw(uint64_t *r, eis_mpc_testing *t, int coin, size_t n);

/* Takes blocks of n words with their MACs behind each into the combination. */
EIS_MUST_USE eis_status eis_mpc_testing_combine(eis_mpc_testing *t, const uint64_t *m, size_t blocks, size_t n);

/* Opens d; adds the residues of the first `authenticated` words, whose MACs are in mac. Of a walk's test the check runs
 * where it has to. */
EIS_MUST_USE eis_status eis_mpc_testing_open(eis_mpc_testing *t, size_t authenticated, uint32_t round);

/* ---- sacrifice.c ---- */

/* Takes n products a b into the sum. */
void eis_mpc_testing_pairs(eis_mpc_testing *t, eis_mpc_auths a, eis_mpc_auths b, size_t n);

/* Takes n products weight x^2 into the sum. */
void eis_mpc_testing_squares(eis_mpc_testing *t, const uint64_t *weight, eis_mpc_auths x, size_t n);

/* ---- sacrifice_digits.c ---- */

/* A DIGITS node; level 2: a wire whose mask is cut, a TRUNCATE node. m: its material. */
EIS_MUST_USE eis_status eis_mpc_test_digits(eis_mpc_testing *t, const eis_mpc_node *node, const uint64_t *m);
EIS_MUST_USE eis_status eis_mpc_test_parts(eis_mpc_testing *t, eis_mpc_id wire);
EIS_MUST_USE eis_status eis_mpc_test_truncate(eis_mpc_testing *t, const eis_mpc_node *node, const uint64_t *m);

#endif
