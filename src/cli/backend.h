/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever computes for a command: the model's own weights, a session with split servers, or (classifiers) a server that
 * computes on ciphertexts, or parties of the engine mpc. */
#ifndef EIS_CLI_BACKEND_H
#define EIS_CLI_BACKEND_H

#include "base/pool.h"
#include "base/status.h"
#include "cli/split_flags.h"
#include "model/graph.h"
#include "model/plain.h"

typedef struct eis_cli_backend {
    eis_linear_backend seam;
    const eis_model *model;
    eis_plain_backend *plain;   /* with --engine plain */
    eis_split_session *session; /* with --engine split */
    eis_he_session *he;         /* with --engine he; it has no seam, since it computes whole models */
    eis_mpc_text *mpc;          /* with --engine mpc; no seam either: it computes texts and classes */
    bool verified;              /* answers of servers are checked */
    eis_pool *pool;
    uint64_t opened_ns;
} eis_cli_backend;

/* Opens what the flags ask for; see eis_cli_split_open. */
EIS_MUST_USE eis_status eis_cli_backend_open(eis_cli_backend *backend, const eis_cli_split *flags,
                                             const eis_cli_common *common, const eis_model *model,
                                             const char *model_path, const eis_ids *ids, const double *inputs,
                                             size_t input_count);

/* Classifies a batch with whichever engine it is; `replaced` as for eis_classifier_run. watch (NULL: none) hears of the
 * progress within the batch, with --engine he. With --engine mpc only classes come out: the class has the logit 1, all
 * others 0. Errors: those of the engine. */
EIS_MUST_USE eis_status eis_cli_backend_classify(const eis_cli_backend *backend, double *logits, bool *replaced,
                                                 const double *x, size_t batch, const eis_he_watch *watch);

/* Closes; embedded servers end. Safe on a zeroed one. */
void eis_cli_backend_close(eis_cli_backend *backend);

#endif
