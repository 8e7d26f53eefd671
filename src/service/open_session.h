/* SPDX-License-Identifier: Apache-2.0 */
/* A session with split servers from what a user names: addresses, files and words. For the command line and for
 * include/eis/client.h. */
#ifndef EIS_SERVICE_OPEN_SESSION_H
#define EIS_SERVICE_OPEN_SESSION_H

#include "base/status.h"
#include "model/graph.h"
#include "service/local.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where servers listen unless told otherwise. */
#define EIS_SPLIT_PORT_DEFAULT 8470

/* What a user asks for. All zero: two servers of its own, profile p24. Texts may be NULL. */
typedef struct eis_split_wish {
    const char *servers;         /* HOST:PORT,...; NULL: start own ones */
    const char *ca, *cert, *key; /* PEM files; NULL: the system's CAs, no client certificate */
    const char *pins;            /* SHA256,... one per server, in their order */
    const char *token_file;
    const char *served_name; /* of the model at the servers; NULL: their only one */
    const char *profile;     /* p24, p8, f61, f61-8; NULL: as eis_split_session_profile chooses */
    const char *pack;        /* of a client part; NULL: server.eispack beside it, where there is one */
    const char *program;     /* what own servers run; NULL: this very program */
    unsigned shares, threshold, timeout_ms, threads;
    bool verify, truncate;
    const uint32_t *calibration_ids; /* see eis_split_session_config */
    const double *calibration_inputs;
    size_t calibration_count;
    const eis_cancel *cancel; /* must outlive the session; may be NULL */
    void (*sight)(void *context, const eis_split_sight *sight);
    void *sight_context;
} eis_split_wish;

/* Loads what the wish names, then starts or reaches the servers. The model must outlive the session.
 *
 * Errors: EIS_ERR_USAGE  another number of pins than of servers, one pin twice, members that do not go together; those
 * of the files that the wish names and of eis_split_session_open. *session is then NULL. */
EIS_MUST_USE eis_status eis_split_session_open_wish(eis_split_session **session, const eis_split_wish *wish,
                                                    const eis_model *model, const char *model_path);

#endif
