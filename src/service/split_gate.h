/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: how many requests are computed at once, and how many may wait for their turn. */
#ifndef EIS_SERVICE_SPLIT_GATE_H
#define EIS_SERVICE_SPLIT_GATE_H

#include "base/status.h"

typedef struct eis_split_gate eis_split_gate;

/* Errors: EIS_ERR_MEMORY; *gate is then NULL. */
EIS_MUST_USE eis_status eis_split_gate_new(eis_split_gate **gate, unsigned inside_max, unsigned waiting_max);

/* Frees a gate that nobody is in. NULL is allowed. */
void eis_split_gate_free(eis_split_gate *gate);

/* Waits for a place. Errors: EIS_ERR_BUSY  too many wait already. */
EIS_MUST_USE eis_status eis_split_gate_enter(eis_split_gate *gate);

/* Gives the place back. */
void eis_split_gate_leave(eis_split_gate *gate);

/* Reads how many are inside and how many wait. */
void eis_split_gate_counts(unsigned *inside, unsigned *waiting, eis_split_gate *gate);

#endif
