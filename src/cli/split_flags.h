/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of every command that is a client of split servers, and the session that they ask for. */
#ifndef EIS_CLI_SPLIT_FLAGS_H
#define EIS_CLI_SPLIT_FLAGS_H

#include "base/status.h"
#include "cli/access_flags.h"
#include "cli/cli.h"
#include "cli/he_flags.h"
#include "cli/mpc_flags.h"
#include "engine/engine.h"
#include "engine/split/pack.h"
#include "model/graph.h"
#include "model/tokenizer.h"
#include "service/local.h"

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct eis_cli_split {
    eis_engine engine;
    eis_cli_access access;
    const char *servers, *profile, *pack, *served_name;
    unsigned shares, threshold, prefetch;
    bool verify, truncate;
    /* No flags of this table: what a command adds to its session. The engines he and mpc are offered where `he` and
     * `mpc` are set. */
    const eis_cli_he *he;
    const eis_cli_he_own *own;
    const eis_cli_mpc *mpc;
    const char *weights; /* of the model, for the engine he */
    void (*sight)(void *context, const eis_split_sight *sight);
    void *sight_context;
} eis_cli_split;

/* The argp child that parses them; its input is an eis_cli_split. */
extern const struct argp eis_cli_split_argp;

/* Returns how many servers the flags ask for; 0 where --servers cannot be parsed (opening will say why). */
size_t eis_cli_split_server_count(const eis_cli_split *flags);

/* Checks the flags against each other: EIS_ERR_USAGE with what to do. Call before anything is loaded. */
EIS_MUST_USE eis_status eis_cli_split_check(const eis_cli_split *flags);

/* Opens a session: starts or reaches the servers. For P8 without a client part the rings are chosen from a plain run
 * over `ids` (language model) or `inputs` (classifier).
 *
 * Errors: those of eis_split_session_open and of the files that the flags name. *session is then NULL. */
EIS_MUST_USE eis_status eis_cli_split_open(eis_split_session **session, const eis_cli_split *flags,
                                           const eis_cli_common *common, const eis_model *model, const char *model_path,
                                           const eis_ids *ids, const double *inputs, size_t input_count);

#endif
