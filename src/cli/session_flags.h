/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in sessions of the engine mpc, and on which model, from flags or from a file: what a coordinator makes
 * its sessions from. */
#ifndef EIS_CLI_SESSION_FLAGS_H
#define EIS_CLI_SESSION_FLAGS_H

#include "service/mpc_session.h"
#include "service/mpc_settings.h"

#include <argp.h>

#define EIS_CLI_SESSIONS_MAX 16

typedef struct eis_cli_session_flags {
    const char *files[EIS_CLI_SESSIONS_MAX];
    size_t file_count;
    const char *model, *triples, *model_owner, *prompt_owner;
    const char *parties[EIS_MPC_PARTIES_MAX];
    unsigned party_count;
} eis_cli_session_flags;

/* The argp child that parses them; its input is an eis_cli_session_flags. */
extern const struct argp eis_cli_session_argp;

/* Templates of sessions: one for each file, or the one that flags describe. `coordinator` is its key, and where no
 * prompt owner is named, also that of prompts. The caller clears each with eis_mpc_session_clear.
 * Shape: sessions[EIS_CLI_SESSIONS_MAX].
 *
 * Errors:  EIS_ERR_USAGE  something is missing;  EIS_ERR_FILE, EIS_ERR_PARSE, EIS_ERR_TLS;  those of the model. */
EIS_MUST_USE eis_status eis_cli_sessions_open(eis_mpc_session *sessions, size_t *count,
                                              const eis_cli_session_flags *flags, const eis_mpc_settings *settings,
                                              const eis_tls_pin *coordinator);

/* Writes a template to a file that is not there yet. Errors: EIS_ERR_FILE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_cli_session_save(const char *path, eis_mpc_session *session);

#endif
