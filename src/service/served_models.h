/* SPDX-License-Identifier: Apache-2.0 */
/* What a split server has on offer: packs that are mapped as they are, and models that are packed in memory. */
#ifndef EIS_SERVICE_SERVED_MODELS_H
#define EIS_SERVICE_SERVED_MODELS_H

#include "base/pool.h"
#include "base/status.h"
#include "engine/split/profile.h"
#include "model/graph.h"
#include "service/split_server.h"

#include <stdbool.h>
#include <stddef.h>

#define EIS_SERVED_MAX 64

/* One --model. */
typedef struct eis_served_request {
    char name[EIS_SPLIT_MODEL_BYTES_MAX + 1];
    const char *path;
    const char *weights; /* or NULL */
} eis_served_request;

/* Parses [NAME=]PATH. What stands before the first '=' is a name unless it holds a slash; without one the name is that
 * of the file or directory, without ".eispack".
 *
 * Errors: EIS_ERR_USAGE  no path, or a name that is empty, too long or not made of letters, digits and ._- */
EIS_MUST_USE eis_status eis_served_parse(eis_served_request *request, const char *text);

/* Models on offer. Valid when zeroed. */
typedef struct eis_served {
    eis_split_offer offers[EIS_SERVED_MAX]; /* their packs belong to this */
    size_t count;
} eis_served;

/* Opens a pack, or packs a model in memory for a profile. Errors: those of the pack, the loaders and prepare;
 * EIS_ERR_MODEL for a client part; EIS_ERR_USAGE weights for a pack. */
EIS_MUST_USE eis_status eis_served_add(eis_served *served, const eis_served_request *request, eis_split_profile profile,
                                       bool verify, eis_pool *pool);

/* The same for a model that is open already; it may go afterwards. */
EIS_MUST_USE eis_status eis_served_add_model(eis_served *served, const char *name, const eis_model *model,
                                             eis_split_profile profile, eis_pool *pool);

/* Turns the only matrix of the only model back into floats, for --legacy-float. The caller frees *weights.
 *
 * Errors: EIS_ERR_USAGE  there is more than one matrix; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_served_as_floats(eis_legacy_layer *layer, float **weights, const eis_served *served);

/* Unmaps and frees. Safe on a zeroed one. */
void eis_served_clear(eis_served *served);

#endif
