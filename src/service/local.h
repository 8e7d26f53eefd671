/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a command needs for the split engine, in one place: a pack, servers (its own ones where none are
 * named), a verifier where asked for, and a client. For the command line, benches and tests. */
#ifndef EIS_SERVICE_LOCAL_H
#define EIS_SERVICE_LOCAL_H

#include "base/pool.h"
#include "base/status.h"
#include "model/graph.h"
#include "service/embedded.h"
#include "service/split_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct eis_split_session eis_split_session;

typedef struct eis_split_session_config {
    const eis_model *model; /* a model with weights, or a client part; must outlive the session */
    unsigned profile;       /* eis_split_profile; 0: the part's own, else f61 with a threshold or `verify`, else p24 */
    bool verify;            /* make a verifier: needs weights, or pack_path beside a part */
    const char *pack_path;  /* the pack of a client part, wanted for own servers and for `verify` */

    /* What measures the rings of p8 (models with weights): ids of a language model, or inputs of a classifier as the
     * executor hands them on: x[calibration_count][eis_classifier_input_count]. None: p8 uses Z_2^64 everywhere. */
    const uint32_t *calibration_ids;
    const double *calibration_inputs;
    size_t calibration_count;

    /* Servers, scheme and everything else about the connection. servers == NULL: scheme.servers children are started on
     * loopback (0: 2, or threshold + 1); pins, certificates, token and model_name are then set by the session.
     * `verifier` is set by the session. */
    eis_split_client_config client;

    const char *program;     /* what the children run; NULL: this very program */
    unsigned server_threads; /* of each child; 0: processors divided among the children, at least 1 */
    eis_pool *pool;          /* for preparing; may be NULL */
} eis_split_session_config;

/* Prepares, starts, connects.
 *
 * Errors:  EIS_ERR_USAGE  scheme and profile do not go together, another profile than the part's, `verify` without a
 *                         field profile or without weights;
 *          EIS_ERR_FILE, EIS_ERR_DIGEST  the pack; those of prepare, embedded servers and client. *session is then NULL
 *          and nothing is left running. */
EIS_MUST_USE eis_status eis_split_session_open(eis_split_session **session, const eis_split_session_config *config);

/* Stops own servers, wipes and frees. NULL is allowed. */
void eis_split_session_close(eis_split_session *session);

/* Returns the client, for prefetch and reports; it belongs to the session. */
eis_split_client *eis_split_session_client(eis_split_session *session);

/* Returns the seam for the executor. */
eis_linear_backend eis_split_session_seam(eis_split_session *session);

/* Returns what the client goes by: profile, digest, scales, rings. */
const eis_part_info *eis_split_session_info(const eis_split_session *session);

/* Returns the scheme that is really in use. */
eis_split_scheme eis_split_session_scheme(const eis_split_session *session);

/* Gives the processes of own servers, for tests that stop one. Returns how many there are: 0 where servers were named.
 */
size_t eis_split_session_processes(const pid_t **processes, const eis_split_session *session);

/* Returns the profile that a session would choose: `wanted` where it is not 0, else as the config says. */
eis_split_profile eis_split_session_profile(const eis_model *model, unsigned wanted, size_t threshold, bool verify);

#endif
