/* SPDX-License-Identifier: Apache-2.0 */
/* What steps have cost, layer by layer: rounds and words are those of the graphs that a party has walked, and beside
 * them stands what its links have counted meanwhile, so that everybody can see that both are the same. */
#ifndef EIS_SERVICE_MPC_LAYERS_H
#define EIS_SERVICE_MPC_LAYERS_H

#include "engine/mpc/graph.h"
#include "wire/cursor.h"

typedef struct eis_mpc_layer_cost {
    char name[EIS_MPC_SECTION_BYTES]; /* of the section */
    uint64_t rounds, opened;          /* openings, and words to each peer */
    uint64_t corrections;             /* words from the Triple Service to the last party */
} eis_mpc_layer_cost;

typedef struct eis_mpc_layers {
    eis_mpc_layer_cost *rows; /* [count], in the order of the graph */
    uint32_t count;
    uint64_t rounds, bytes; /* of the same walks, counted at the links; bytes to each peer with their headers */
} eis_mpc_layers;

/* Adds a graph that was walked; one without sections has no layers. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_layers_add(eis_mpc_layers *layers, const eis_mpc_graph *graph);

/* Writes and reads them: what LAYERS_ARE carries. The reader replaces what *layers holds.
 * Errors: sticky in w; those of the reader, EIS_ERR_PARSE, EIS_ERR_MEMORY; *layers is then zeroed. */
void eis_mpc_layers_write(eis_writer *w, const eis_mpc_layers *layers);
EIS_MUST_USE eis_status eis_mpc_layers_read(eis_reader *r, eis_mpc_layers *layers);

/* Frees. Safe on zeroed ones. */
void eis_mpc_layers_clear(eis_mpc_layers *layers);

/* Returns bytes to each peer of a layer, with the headers of its rounds as links count them. */
uint64_t eis_mpc_layer_bytes(const eis_mpc_layer_cost *layer);

/* Sums layers up, and tells whether that is what the links have counted. */
bool eis_mpc_layers_sum(eis_mpc_layer_cost *all, const eis_mpc_layers *layers);

#endif
