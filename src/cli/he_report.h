/* SPDX-License-Identifier: Apache-2.0 */
/* What a run of the he engine cost, and what its server held. */
#ifndef EIS_CLI_HE_REPORT_H
#define EIS_CLI_HE_REPORT_H

#include "service/he_session.h"
#include "wire/json_writer.h"

#include <stdint.h>
#include <stdio.h>

/* Prints the table of --report. */
void eis_cli_he_report_print(FILE *out, eis_he_session *session, uint64_t all_ns);

/* Writes the same as one JSON object. */
void eis_cli_he_report_json(eis_json_writer *w, eis_he_session *session, uint64_t all_ns);

/* Returns how many significant digits of an answer reach one place behind the first digit of its bound of errors: 1 to
 * 17, which is all of them where there is no bound. */
int eis_cli_he_digits(eis_he_session *session, double answer);

/* Logs a warning where inputs lay beyond what the model's error bound holds for. */
void eis_cli_he_warn(eis_he_session *session);

#endif
