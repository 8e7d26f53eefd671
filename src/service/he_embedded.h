/* SPDX-License-Identifier: Apache-2.0 */
/* A server of the Encrypted Inference API for one model that lies here, in a process of its own; see embedded.h. */
#ifndef EIS_SERVICE_HE_EMBEDDED_H
#define EIS_SERVICE_HE_EMBEDDED_H

#include "base/status.h"
#include "service/embedded.h"

#include <stdbool.h>

/* What the child serves the model as. */
#define EIS_HE_EMBEDDED_MODEL   "model"
#define EIS_HE_EMBEDDED_VERSION "1.0.0"

/* What is to be served: an entry of a registry, in words. Texts may be NULL but for the model. */
typedef struct eis_he_order {
    const char *model;   /* its directory */
    const char *weights; /* in place of its own */
    const char *chain, *form, *policy;
    bool interactive;
} eis_he_order;

/* Starts the child with `serve api --embedded`. What a model needs (paths, names) goes over a descriptor.
 *
 * Errors:  EIS_ERR_FILE  a path;  what the child says: EIS_ERR_UNSUPPORTED, EIS_ERR_RANGE, EIS_ERR_POLICY,
 *          EIS_ERR_MODEL, ...;  those of eis_embedded_start. */
EIS_MUST_USE eis_status eis_he_embedded_start(eis_embedded **embedded, const char *program, const eis_he_order *order,
                                              unsigned threads);

/* What the child does with what it inherited; `serve api --embedded` calls it and exits with its status. */
EIS_MUST_USE eis_status eis_he_embedded_child_run(unsigned threads);

#endif
