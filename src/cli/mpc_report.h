/* SPDX-License-Identifier: Apache-2.0 */
/* What a text of the engine mpc cost, and what each process saw of it. */
#ifndef EIS_CLI_MPC_REPORT_H
#define EIS_CLI_MPC_REPORT_H

#include "service/mpc_text.h"
#include "wire/json_writer.h"

#include <stdbool.h>
#include <stdio.h>

/* The table of --report. */
void eis_cli_mpc_report_print(FILE *out, const eis_mpc_text *text);

/* The same as members of a JSON object that is open. */
void eis_cli_mpc_report_json(eis_json_writer *w, const eis_mpc_text *text);

/* How tokens are chosen, as a member "sampling" of a JSON object that is open: greedy is topk 1, temperature 0. */
void eis_cli_mpc_sampling_json(eis_json_writer *w, const eis_mpc_sampling *sampling);

/* What each process saw, one line for each; returns whether everything that parties were sent looks like noise. */
bool eis_cli_mpc_sight_print(FILE *out, const eis_mpc_text *text);

#endif
