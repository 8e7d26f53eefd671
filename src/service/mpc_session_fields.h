/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: fields of a session document. */
#ifndef EIS_SERVICE_MPC_SESSION_FIELDS_H
#define EIS_SERVICE_MPC_SESSION_FIELDS_H

#include "service/mpc_session.h"

/* Read a number or a real within bounds; outside, the reader fails (EIS_ERR_PARSE), and `what` is named. */
uint32_t eis_mpc_session_number_read(eis_reader *r, uint32_t min, uint32_t max, const char *what);
double eis_mpc_session_real_read(eis_reader *r, double min, double max, const char *what);

void eis_mpc_session_tuning_write(eis_writer *w, const eis_mpc_tuning *tuning);
void eis_mpc_session_tuning_read(eis_reader *r, eis_mpc_tuning *tuning);

/* The manifest of a classifier. What the steps leave behind them follows from the first one's shape, so a document
 * cannot contradict itself.
 * Errors:  EIS_ERR_PARSE, EIS_ERR_MEMORY; what was made is for eis_mpc_classifier_clear. */
void eis_mpc_session_classifier_write(eis_writer *w, const eis_mpc_classifier *classifier);
EIS_MUST_USE eis_status eis_mpc_session_classifier_read(eis_reader *r, eis_mpc_classifier *classifier);

#endif
