/* SPDX-License-Identifier: Apache-2.0 */
/* What people should know of a session of the engine mpc before they rely on it: how wrong its functions may be, and
 * which bounds rest on somebody's word. */
#ifndef EIS_CLI_MPC_NOTES_H
#define EIS_CLI_MPC_NOTES_H

#include "service/mpc_text.h"
#include "wire/json_writer.h"

#include <stdio.h>

/* Prints them as lines; what is dubious starts with "warning: ". */
void eis_cli_mpc_notes_print(FILE *out, const eis_mpc_manifest_notes *notes);

/* The same as lines of the log, of a server. */
void eis_cli_mpc_notes_log(const eis_mpc_manifest_notes *notes);

/* Prints those of a text that was opened to stderr. */
void eis_cli_mpc_notes_tell(const eis_mpc_text *text);

/* The same as members of a JSON object that is open: "errors_at_most" and "declared_bounds". */
void eis_cli_mpc_notes_json(eis_json_writer *w, const eis_mpc_manifest_notes *notes);

#endif
