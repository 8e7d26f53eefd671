/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages and completions, made from the tables that argp parses with: `eis help --man DIR`, which the build runs.
 */
#ifndef EIS_CLI_MANUAL_H
#define EIS_CLI_MANUAL_H

#include "base/status.h"
#include "cli/cli.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes DIR/PROGRAM.1, DIR/PROGRAM-COMMAND.1 for every command, and DIR/PROGRAM.bash with completions.
 *
 * Errors: EIS_ERR_FILE. */
EIS_MUST_USE eis_status eis_cli_manual_write(const char *dir, const eis_command *commands, size_t count,
                                             const char *doc);

/* While pages are being written: writes the page of one command and returns true. Otherwise returns false. */
bool eis_cli_manual_page(const struct argp *argp, const char *name);

#endif
