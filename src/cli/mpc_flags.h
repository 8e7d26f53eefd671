/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of every command that is a client of the engine mpc, and its settings. */
#ifndef EIS_CLI_MPC_FLAGS_H
#define EIS_CLI_MPC_FLAGS_H

#include "cli/access_flags.h"
#include "cli/cli.h"
#include "service/mpc_text.h"

#include <argp.h>

#define EIS_CLI_SETTINGS_MAX 64

/* --config and --set, of clients and servers alike, in the order of the command line. */
typedef struct eis_cli_settings {
    const char *config, *set[EIS_CLI_SETTINGS_MAX];
    size_t set_count;
} eis_cli_settings;

extern const struct argp eis_cli_settings_argp;

/* Reads the file, then the single keys, which win. Errors: those of eis_mpc_settings_load and _set. */
EIS_MUST_USE eis_status eis_cli_settings_read(eis_mpc_settings *settings, const eis_cli_settings *flags);

typedef struct eis_cli_mpc {
    eis_cli_settings settings;
    unsigned parties;
    const char *coordinator, *session;
} eis_cli_mpc;

/* The argp child that parses them; its input is an eis_cli_mpc. */
extern const struct argp eis_cli_mpc_argp;

/* Tells whether any of them was given. */
bool eis_cli_mpc_any(const eis_cli_mpc *flags);

/* Opens a text with the processes that the flags ask for.
 * Errors: those of eis_mpc_text_open and of the settings. */
EIS_MUST_USE eis_status eis_cli_mpc_open(eis_mpc_text **text, const eis_cli_mpc *flags, const eis_cli_access *access,
                                         const eis_cli_common *common, const eis_model *model);

#endif
