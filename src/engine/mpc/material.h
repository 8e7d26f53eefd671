/* SPDX-License-Identifier: Apache-2.0 */
/* What the dealer prepares for a graph, as words in the order of its nodes. For each node first the masks of its
 * output, which every party draws from its own stream; then corrections: what only the dealer knows, of which all
 * parties but the last draw a share and the last one gets the difference.
 *
 *   INPUT, MASK, RANDOM   l | a l; the l of an INPUT have a stream of their own, whose key its owner is given
 *   MATRIX        l | a l | l_W l_x + l - sum l_r | per row of the input <l, rho> + <l_x, l_v> - <sum l_r, rho>
 *   ROW           l | a l | <l, rho'>
 *   PRODUCT       for each set of two factors or more, in rising order of its bits: product of masks | times a; of sets
 *                 that differ in the places of a factor that repeats, the first
 *   DOT           inner products of masks | times a
 *   TRUNCATE      l >> shift | times a | top bit of l | times a
 *   DIGITS        r_t | times a | for each digit from the lowest, for each value from 1: is it | times a
 *
 * The digits are those of (l >> low) mod 2^(bits + 1) without its top bit r_t; those of the highest digit carry the
 * sign 1 - 2 r_t. */
#ifndef EIS_ENGINE_MPC_MATERIAL_H
#define EIS_ENGINE_MPC_MATERIAL_H

#include "engine/mpc/graph.h"
#include "engine/mpc/stream.h"

/* Words of material of a node, a graph. */
size_t eis_mpc_node_words(const eis_mpc_graph *graph, eis_mpc_id id);
size_t eis_mpc_graph_words(const eis_mpc_graph *graph);

/* Words of the load of one matrix: l_W, from a stream of its own; then, where its products are tagged, rho | a rho, l_v
 * | a l_v and l_W^T rho | times a; then, where its rows are, the same for its transpose. */
size_t eis_mpc_load_words(const eis_mpc_matrix_shape *shape);

/* Which tests a session runs (sacrifice.h). */
typedef struct eis_mpc_tests {
    uint32_t level; /* 0: the dealer is trusted to deal right; 1: all but what 2 adds; 2: also that digits and the parts
                       of truncations are those of their masks */
    bool inputs;    /* that inputs are one-hot rows, or bits, where they are flagged so */
} eis_mpc_tests;

/* What a unit is tested with, from a stream of its own. Where nothing is tested, nothing:
 *
 *   level 1   s | a s
 *   for each EIS_MPC_TEST_BLOCK pairs of factors, or what is left: a' | times a, b' | times a
 *   where there are pairs: the sum of all a' b'
 *   for each EIS_MPC_TEST_BLOCK squares, or what is left: x' | times a, x'^2
 *   level 1   for each MATRIX: l' | times a, for its columns; l_W l', for its rows
 *   level 2   for each wire whose mask is cut: for each two bits from the lowest, for each value from 1: is it | times
 * a; then the top bit | times a
 *
 * and the load, at level 1: s | a s, then for each tag a mask of the words of rho, and its inner product with rho. */
#define EIS_MPC_TEST_BLOCK ((size_t)1 << 14)

/* A mask in parts: so many times two bits, and its top bit. */
#define EIS_MPC_PART_COUNT   ((EIS_FP_BITS - 1) / 2)
#define EIS_MPC_PART_ENTRIES (3 * EIS_MPC_PART_COUNT + 1)

typedef struct eis_mpc_test_size {
    size_t pairs, squares;     /* whose products the material holds */
    size_t opened;             /* words that the test opens */
    size_t words, corrections; /* of its own material */
} eis_mpc_test_size;

void eis_mpc_test_size_graph(eis_mpc_test_size *size, const eis_mpc_graph *graph, eis_mpc_tests tests);
void eis_mpc_test_size_load(eis_mpc_test_size *size, const eis_mpc_matrix_shape *shapes, uint32_t count);

/* How many groups from `group` on take the same words for the first factor of a DOT node: their products with one
 * random number each are one inner product. */
uint32_t eis_mpc_dot_run(const eis_mpc_node *node, uint32_t group);

/* Reads one party's material. All parties but the last draw every word from their streams; the last one takes
 * corrections from the dealer. */
typedef struct eis_mpc_reader {
    const uint8_t *seed;         /* our own, [EIS_MPC_SEED_BYTES] */
    const uint64_t *corrections; /* [correction_count] of the last party; NULL: another one */
    size_t correction_count;
    bool maskless; /* our shares of all masks are 0: see eis_mpc_dealer_master */
} eis_mpc_reader;

/* Reads the material of a step's graph. Shape: words[eis_mpc_graph_words(graph)].
 * Errors:  EIS_ERR_PROTOCOL  the dealer sent too few or too many corrections, or such as are no words of the field;
 *          those of the streams. */
EIS_MUST_USE eis_status eis_mpc_reader_graph(const eis_mpc_reader *reader, uint64_t *words, const eis_mpc_graph *graph,
                                             uint64_t step);

/* Reads the material of a load of matrices: words[sum of eis_mpc_load_words]. Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_reader_load(const eis_mpc_reader *reader, uint64_t *words,
                                            const eis_mpc_matrix_shape *shapes, uint32_t count);

/* Reads what a load is tested with: words[size.words]. What a step is tested with is read piece by piece
 * (test_supply.h). Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_reader_test_load(const eis_mpc_reader *reader, uint64_t *words,
                                                 const eis_mpc_matrix_shape *shapes, uint32_t count);

/* At the last party: did the dealer send so many corrections? Elsewhere yes. Errors: EIS_ERR_PROTOCOL. */
EIS_MUST_USE eis_status eis_mpc_reader_expect(const eis_mpc_reader *reader, size_t corrections);

/* At the last party: copies corrections [first, first + count), which are there.
 * Errors:  EIS_ERR_PROTOCOL  one is not a word of the field. */
EIS_MUST_USE eis_status eis_mpc_reader_copy(uint64_t *to, const eis_mpc_reader *reader, size_t first, size_t count);

#endif
