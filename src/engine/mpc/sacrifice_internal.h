/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: a test in progress. sacrifice.c goes through a unit, sacrifice_gates.c takes products, matrices
 * and inputs, sacrifice_digits.c what is made of bits of masks, sacrifice_load.c a load; sacrifice_queue.c opens what
 * they have to open, sacrifice_shared.c tosses the coin. */
#ifndef EIS_ENGINE_MPC_SACRIFICE_INTERNAL_H
#define EIS_ENGINE_MPC_SACRIFICE_INTERNAL_H

#include "engine/mpc/sacrifice.h"
#include "engine/mpc/test_supply.h"
#include "engine/mpc/walk.h"

#define EIS_MPC_SKETCH_MAX ((size_t)1 << EIS_MPC_DIGIT_BITS_MAX) /* values of a digit */

/* Words from the coin, for each kind of test a stream of its own. */
enum { EIS_MPC_COIN_SKETCH, EIS_MPC_COIN_PRODUCTS, EIS_MPC_COIN_MACS, EIS_MPC_COIN_MATRICES, EIS_MPC_COINS };

/* Words on their way to being opened, in the order in which they are made. When a frame is full it is opened, each word
 * leaves its residue and its part of the sum of products, and all are forgotten. */
typedef struct eis_mpc_test_queue {
    size_t frame, parties; /* room for so many words */
    size_t words, used;    /* how many this frame opens, and how many are there yet */
    size_t opened;         /* in frames before */
    uint64_t *d;           /* [frame] */
    uint64_t *with;        /* [frame]: our share of what an opened word is multiplied with */
    uint8_t *kind;         /* [frame]: see sacrifice_queue.c */
    uint64_t *weight;      /* [weight_room]: of squares, in their order; only at party 0, who adds public words */
    size_t weights, weight_room;
    uint64_t *theirs; /* [parties][frame] */
    uint64_t *tau;    /* [words]: MACs, in the check's list, where residues take their place */
    uint64_t before;  /* the last word of the frame before */
    uint32_t round;
} eis_mpc_test_queue;

/* A MATRIX node between its halves. */
typedef struct eis_mpc_matrix_test {
    eis_mpc_id id;
    size_t first;  /* its words begin behind so many opened ones */
    uint64_t r_at; /* its random words begin there in their stream */
} eis_mpc_matrix_test;

typedef struct eis_mpc_testing {
    eis_mpc_party *party;
    const eis_mpc_graph *graph;
    eis_mpc_tests tests;
    eis_mpc_test_size size;
    uint64_t one; /* our share of 1 */
    eis_mpc_stream coin[EIS_MPC_COINS];
    eis_mpc_supply unit;
    eis_mpc_walk walk; /* over masks; its buffer is for material */
    eis_mpc_run run;   /* shares and MACs of masks, where they are needed yet */
    uint64_t *pub;     /* [pub_words]: D of one input; what else is public nobody reads */
    size_t pub_words;
    eis_mpc_test_supply spares;
    uint64_t *pair_spare, *square_spare; /* those of one block */
    size_t pair_words, square_words;     /* room for them */
    size_t pair, square;                 /* how many there are yet */
    eis_mpc_test_queue queue;
    uint64_t *zero; /* [zero_room]: our shares of what must be 0 at the end: products, matrices, inputs */
    size_t zero_room, zeros;
    eis_mpc_matrix_test *matrix; /* [matrix_room] */
    size_t matrix_room, matrices, matrices_done;
    uint64_t *matrix_r; /* [matrix_rows] */
    size_t matrix_rows;
    uint64_t sum[2]; /* the combination of all words, and its MAC */
    uint64_t sketch[EIS_MPC_SKETCH_MAX], square_sketch[EIS_MPC_SKETCH_MAX];
    uint64_t *r, *scratch;
    size_t widest, scratch_words; /* words of both */
} eis_mpc_testing;

/* Words with their MACs, at a stride. */
typedef struct eis_mpc_auths {
    const uint64_t *share, *mac;
    size_t step;
} eis_mpc_auths;

/* ---- sacrifice_shared.c ---- */

/* Makes room for r[widest] and scratch. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_testing_make_room(eis_mpc_testing *t, size_t widest, size_t scratch_words);
void eis_mpc_testing_clear(eis_mpc_testing *t);

/* Tosses the coin. Errors: those of eis_mpc_check_coin. */
EIS_MUST_USE eis_status eis_mpc_testing_toss(eis_mpc_testing *t);

/* Reads the next words of a kind of test. */
EIS_MUST_USE eis_status eis_mpc_testing_draw(uint64_t *r, eis_mpc_testing *t, int coin, size_t n);

/* Takes blocks of n words with their MACs behind each into the combination. */
EIS_MUST_USE eis_status eis_mpc_testing_combine(eis_mpc_testing *t, const uint64_t *m, size_t blocks, size_t n);

/* Our share of what products are claimed to sum up to, and of what they do: both together must be 0. */
static inline void eis_mpc_testing_claim(eis_mpc_testing *t, uint64_t product)
{
    t->zero[0] = eis_fp_sub(t->zero[0], product);
}

static inline void eis_mpc_testing_find(eis_mpc_testing *t, uint64_t product)
{
    t->zero[0] = eis_fp_add(t->zero[0], product);
}

/* ---- sacrifice_queue.c ---- */

/* Makes room for a frame and for the spares of a block. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_testing_open_queue(eis_mpc_testing *t);
void eis_mpc_testing_close_queue(eis_mpc_testing *t);
size_t eis_mpc_testing_queue_words(const eis_mpc_testing *t); /* of memory */

/* Begins the first frame: behind the toss. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_testing_begin_queue(eis_mpc_testing *t);

/* Takes n products a b into the sum; n products weight x^2; n words that are opened as they are. A frame that is full
 * is opened. Errors: those of the spares, of links and check. */
EIS_MUST_USE eis_status eis_mpc_testing_pairs(eis_mpc_testing *t, eis_mpc_auths a, eis_mpc_auths b, size_t n);
EIS_MUST_USE eis_status eis_mpc_testing_squares(eis_mpc_testing *t, const uint64_t *weight, eis_mpc_auths x, size_t n);
EIS_MUST_USE eis_status eis_mpc_testing_words(eis_mpc_testing *t, eis_mpc_auths x, size_t n);

/* ---- sacrifice_gates.c ---- */

/* What a node of each kind takes: words of r, scratch and buffer. */
typedef struct eis_mpc_test_room {
    size_t r, scratch, buffer;
} eis_mpc_test_room;

/* A node whose mask is there. room_of: what that takes. */
EIS_MUST_USE eis_status eis_mpc_test_node(eis_mpc_testing *t, eis_mpc_id id);
void eis_mpc_test_room_of(eis_mpc_test_room *room, const eis_mpc_testing *t, eis_mpc_id id);

/* The second half of a MATRIX: our share of <r, l_W d> for some of the opened d, those from `from` on.
 * Errors: those of the stream. */
EIS_MUST_USE eis_status eis_mpc_test_matrix_opened(uint64_t *sum, eis_mpc_testing *t, const eis_mpc_matrix_test *test,
                                                   const uint64_t *d, size_t from, size_t count);

/* ---- sacrifice_digits.c ---- */

/* A DIGITS node; level 2: a wire whose mask is cut, a TRUNCATE node. m: its material, which stays. */
EIS_MUST_USE eis_status eis_mpc_test_digits(eis_mpc_testing *t, eis_mpc_id id);
EIS_MUST_USE eis_status eis_mpc_test_parts(eis_mpc_testing *t, eis_mpc_id wire);
EIS_MUST_USE eis_status eis_mpc_test_truncate(eis_mpc_testing *t, const eis_mpc_node *node, const uint64_t *m);

#define EIS_MPC_TEST_DIGITS_SCRATCH 9 /* words for each element of a DIGITS */
#define EIS_MPC_TEST_PARTS_SCRATCH  3 /* of a wire that is cut, and of a TRUNCATE */

#endif
