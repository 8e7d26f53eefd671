/* SPDX-License-Identifier: Apache-2.0 */
/* Where a walk takes its material from: words that are all there (material.h), or what a reader gives, gate by gate, so
 * that a step needs no memory for all of it. */
#ifndef EIS_ENGINE_MPC_SUPPLY_H
#define EIS_ENGINE_MPC_SUPPLY_H

#include "engine/mpc/material.h"

/* Valid when zeroed. */
typedef struct eis_mpc_supply {
    const eis_mpc_graph *graph;
    const uint64_t *whole; /* NULL: read */
    eis_mpc_reader reader;
    uint64_t step;
    size_t *whole_at, *drawn_at, *corrected_at; /* [node_count]: where each node's words begin in the whole, in the
                                                   stream and in the corrections */
    size_t *masks;                              /* [node_count]: how many of them are masks, which everybody draws */
    eis_mpc_stream main, own;                   /* the stream of the step; that of one input */
} eis_mpc_supply;

/* Takes material that is all there: words[eis_mpc_graph_words(graph)], the caller's. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_supply_whole(eis_mpc_supply *supply, const eis_mpc_graph *graph, const uint64_t *words);

/* Takes what a reader gives for a step; its corrections stay the caller's.
 * Errors:  EIS_ERR_PROTOCOL  the dealer sent too few or too many corrections; EIS_ERR_MEMORY, those of streams. */
EIS_MUST_USE eis_status eis_mpc_supply_read(eis_mpc_supply *supply, const eis_mpc_graph *graph,
                                            const eis_mpc_reader *reader, uint64_t step);

/* The same before corrections are there: only masks may be read. last: are we the last party?
 * Errors: EIS_ERR_MEMORY, those of streams. */
EIS_MUST_USE eis_status eis_mpc_supply_masks(eis_mpc_supply *supply, const eis_mpc_graph *graph, const uint8_t *seed,
                                             bool last, uint64_t step);

void eis_mpc_supply_clear(eis_mpc_supply *supply);

/* Copies words [first, first + count) of a node's material.
 * Secret:  to. Errors: EIS_ERR_PROTOCOL  a correction is not a word of the field; those of streams. */
EIS_MUST_USE eis_status eis_mpc_supply_copy(uint64_t *to, eis_mpc_supply *supply, eis_mpc_id id, size_t first,
                                            size_t count);

/* Points to them: into the whole, or into buffer[count], which they are copied to. Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_supply_words(const uint64_t **words, eis_mpc_supply *supply, eis_mpc_id id,
                                             size_t first, size_t count, uint64_t *buffer);

#endif
