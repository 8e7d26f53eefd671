/* SPDX-License-Identifier: Apache-2.0 */
/* The models of an inference server: read once at the start, checked whole, planned and encoded, and never changed.
 *
 * A directory with one *.json file per model. An entry is either the published kind, with its weights in it (see
 * models/registry/logistic_v1.json), or names a directory with a model.json. Any fault refuses the whole registry, with
 * a text that has the file, "schema" or "semantics", and the member. */
#ifndef EIS_SERVICE_HE_REGISTRY_H
#define EIS_SERVICE_HE_REGISTRY_H

#include "base/pool.h"
#include "engine/he/plan.h"
#include "engine/he/prepare.h"
#include "service/he_contract_json.h"

#define EIS_HE_MODELS_MAX 256

/* A model on offer. Immutable; many threads may read it. */
typedef struct eis_he_served {
    eis_he_info info;
    eis_model *model;        /* for the plain answer; NULL where that was not asked for */
    const eis_he_plan *plan; /* with contract and parameters */
    const eis_he_program *program;
    bool any_scale;          /* affine: inputs may have another scale than the contract's (engine/he/eval.h) */
    bool publish;            /* its weights stand in GET /models */
    uint32_t inputs_max;     /* ciphertexts of the largest stage */
    size_t result_bytes_max; /* of all ciphertexts of one answer */
    size_t eval_bytes;       /* memory of an evaluation, the largest stage's */
} eis_he_served;

/* Valid when zeroed. */
typedef struct eis_he_registry {
    eis_he_served *models; /* [count] */
    size_t count, capacity;
} eis_he_registry;

typedef struct eis_he_registry_options {
    eis_pool *pool;       /* encodes weights; NULL: none */
    bool publish_weights; /* let GET /models have them */
    bool keep_models;     /* for POST /infer/plain */
} eis_he_registry_options;

/* Reads a directory.
 *
 * Errors:  EIS_ERR_MODEL  an entry is at fault, two have the same name and version, or there is none.
 *          EIS_ERR_FILE, EIS_ERR_POLICY, EIS_ERR_RANGE, EIS_ERR_MEMORY with the entry's file and member in the text.
 * *registry is empty. */
EIS_MUST_USE eis_status eis_he_registry_open(eis_he_registry *registry, const char *directory,
                                             const eis_he_registry_options *options);

/* Adds a model that is open already, under a name: for servers that are started for one model. It is not freed.
 * Errors: those of the planner, EIS_ERR_MODEL in place of EIS_ERR_UNSUPPORTED; the registry is as before. */
EIS_MUST_USE eis_status eis_he_registry_add_model(eis_he_registry *registry, const char *model_id, const char *version,
                                                  eis_model *model, const eis_he_wish *wish,
                                                  const eis_he_registry_options *options);

/* Reads one entry from its text: what a directory's files are read with. `what` names it in messages (NULL: it is no
 * file of anybody's, so messages name neither it nor its members), `directory` is where relative paths begin. Errors:
 * as eis_he_registry_open; the registry is as before. */
EIS_MUST_USE eis_status eis_he_registry_add_entry(eis_he_registry *registry, const char *what, eis_span text,
                                                  const char *directory, const eis_he_registry_options *options);

/* Frees. Safe on an empty one. */
void eis_he_registry_clear(eis_he_registry *registry);

/* Finds a model. Errors: EIS_ERR_MODEL_NOT_FOUND. */
EIS_MUST_USE eis_status eis_he_registry_find(const eis_he_served **served, const eis_he_registry *registry,
                                             const char *model_id, const char *version);

/* Return the largest over all models: ciphertexts of a request, bytes of a body of POST /infer or PUT /keys. */
size_t eis_he_registry_inputs_max(const eis_he_registry *registry);
size_t eis_he_registry_body_bytes_max(const eis_he_registry *registry);

#endif
