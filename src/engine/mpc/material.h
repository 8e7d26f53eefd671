/* SPDX-License-Identifier: Apache-2.0 */
/* What the dealer prepares for a graph, as words in the order of its nodes. For each node first the masks of its
 * output, which every party draws from its own stream; then corrections: what only the dealer knows, of which all
 * parties but the last draw a share and the last one gets the difference.
 *
 *   INPUT, MASK   l | a l
 *   MATRIX        l | a l | l_W l_x + l - sum l_r | per row of the input <l, rho> + <l_x, l_v> - <sum l_r, rho>
 *   ROW           l | a l | <l, rho'>
 *   PRODUCT       for each set of two factors or more, in rising order of its bits: product of masks | times a
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

/* Words of the load of one matrix: l_W; then, where its products are tagged, rho | a rho, l_v | a l_v and l_W^T rho |
 * times a; then, where its rows are, the same for its transpose. */
size_t eis_mpc_load_words(const eis_mpc_matrix_shape *shape);

/* Draws one party's words for `count` nodes' worth of material: `masks` words and `corrections` words, alternately, as
 * a node (or a part of a load) has them. All parties but the last draw both; the last one takes corrections from the
 * dealer. */
typedef struct eis_mpc_reader {
    eis_mpc_stream *stream;
    const uint64_t *corrections; /* [correction_count] of the last party; NULL: another one */
    size_t correction_count, correction_at;
} eis_mpc_reader;

/* Reads the next masks, then corrections, into words[masks + corrections].
 * Errors:  EIS_ERR_PROTOCOL  the dealer sent too few corrections; those of the stream. */
EIS_MUST_USE eis_status eis_mpc_reader_take(eis_mpc_reader *reader, uint64_t *words, size_t masks, size_t corrections);

/* Reads the material of a graph. Shape: words[eis_mpc_graph_words(graph)]. Errors: as above, and EIS_ERR_PROTOCOL where
 * corrections are left over or are not words of the field. */
EIS_MUST_USE eis_status eis_mpc_reader_graph(eis_mpc_reader *reader, uint64_t *words, const eis_mpc_graph *graph);

/* Reads the material of a load of matrices: words[sum of eis_mpc_load_words]. Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_reader_load(eis_mpc_reader *reader, uint64_t *words, const eis_mpc_matrix_shape *shapes,
                                            uint32_t count);

#endif
