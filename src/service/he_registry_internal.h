/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: an entry of the registry as it stands in its file. */
#ifndef EIS_SERVICE_HE_REGISTRY_INTERNAL_H
#define EIS_SERVICE_HE_REGISTRY_INTERNAL_H

#include "service/he_registry.h"

#define EIS_HE_PATH_BYTES 4096

/* Valid when zeroed; its texts and arrays are owned. */
typedef struct eis_he_entry {
    eis_he_info info; /* model_id, version, description; of the published kind all that stands there */
    bool published;
    bool has_policy;
    eis_ckks_policy policy;
    eis_ckks_literal literal; /* of the published kind */
    char model[EIS_HE_PATH_BYTES], weights[EIS_HE_PATH_BYTES];
    bool has_weights, has_digest;
    uint8_t digest[EIS_HE_DIGEST_BYTES]; /* of the weights file */
    char chain[EIS_HE_CHAIN_BYTES];
    eis_he_form form;
    uint64_t batch_max; /* 0: not given */
    bool interactive;
} eis_he_entry;

/* Reads an entry. Errors: EIS_ERR_MODEL, with "schema: " or "semantics: " in front of the member; EIS_ERR_MEMORY.
 * *entry is zeroed. */
EIS_MUST_USE eis_status eis_he_entry_read(eis_he_entry *entry, eis_span text);

/* Frees. Safe on a zeroed one. */
void eis_he_entry_clear(eis_he_entry *entry);

/* Makes the model of the published kind: y = c0 + c1 z + c2 z^2, z = w x + b. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_entry_model(eis_model **model, const eis_he_entry *entry);

#endif
