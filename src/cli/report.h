/* SPDX-License-Identifier: Apache-2.0 */
/* What a run cost: the table of --report and the member "report" of --json. */
#ifndef EIS_CLI_REPORT_H
#define EIS_CLI_REPORT_H

#include "cli/backend.h"
#include "wire/json_writer.h"

#include <stdbool.h>
#include <stdio.h>

/* Prints the table; with `on_new_line` a newline first, since the text on stdout ended without one. */
void eis_cli_report_print(FILE *out, const eis_cli_backend *backend, bool on_new_line);

/* Writes the same as one JSON object. */
void eis_cli_report_json(eis_json_writer *w, const eis_cli_backend *backend);

/* Writes a number of bytes for people: "512 B", "26.6 KB", "1.3 MB". */
const char *eis_cli_bytes(char text[16], uint64_t bytes);

#endif
