/* SPDX-License-Identifier: Apache-2.0 */
/* Model -> what the servers get (a pack) and what the client keeps (scales, norms, rings). Offline, at whoever holds
 * the weights. Two runs over one model give the same bytes, so a client can find the digest of a pack by itself. */
#ifndef EIS_ENGINE_SPLIT_PREPARE_H
#define EIS_ENGINE_SPLIT_PREPARE_H

#include "base/pool.h"
#include "base/status.h"
#include "engine/split/profile.h"
#include "model/graph.h"
#include "model/part.h"

#include <stdint.h>

/* What a client needs beside the graph; the arrays of a part file, owned. Valid when zeroed. */
typedef struct eis_split_layers {
    eis_part_info info;     /* profile, digest and layers; its blobs are the caller's to set */
    eis_part_layer *layers; /* [layer_count], what info.layers points at */
    double *scales;         /* all row scales, one layer after the other */
    uint32_t layer_count;
} eis_split_layers;

typedef struct eis_split_prepare_options {
    eis_split_profile profile;
    const double
        *declared_norms; /* [linear_count] from eis_split_calibrate, or NULL: not measured. With P8 they choose the
                            planes of each layer (8 where not measured); they choose rings, never correctness */
    int min_bits;        /* fraction bits wanted at the declared norm; 0 = EIS_FIXED_MIN_BITS */
    eis_pool *pool;      /* may be NULL */
} eis_split_prepare_options;

/* Quantises every linear node and packs it into `fd`, an empty regular file or memfd; fills *layers.
 *
 * Cost:    reads every weight once; writes the pack in place.
 * Errors:  EIS_ERR_MODEL  a client part (no weights), a weight that is not finite, a shape that the format cannot hold;
 *          EIS_ERR_FILE, EIS_ERR_MEMORY. *layers is cleared; the caller removes the file. */
EIS_MUST_USE eis_status eis_split_prepare(eis_split_layers *layers, int fd, const eis_model *model,
                                          const eis_split_prepare_options *options);

/* Prepares into anonymous memory that looks like a file: for servers in child processes and for clients that need
 * the digest alone. *fd is sealed against writing and the caller's to close; -1 on error. */
EIS_MUST_USE eis_status eis_split_prepare_in_memory(eis_split_layers *layers, int *fd, const eis_model *model,
                                                    const eis_split_prepare_options *options);

/* Frees. Safe on zeroed layers. */
void eis_split_layers_clear(eis_split_layers *layers);

/* Measures the input norms of every linear node: runs the plain engine over ids (language model, `count` of them, cut
 * to the context) or over a batch of inputs (classifier: x[count][input]). norms[linear_count] is the largest |x|_2
 * met; for conv2d of one window.
 *
 * Errors:  EIS_ERR_MODEL for a client part, those of the executor. */
EIS_MUST_USE eis_status eis_split_calibrate_lm(double *norms, const eis_model *model, const uint32_t *ids, size_t count,
                                               eis_pool *pool);
EIS_MUST_USE eis_status eis_split_calibrate_classifier(double *norms, const eis_model *model, const double *x,
                                                       size_t count, eis_pool *pool);

#endif
