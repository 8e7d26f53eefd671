/* SPDX-License-Identifier: Apache-2.0 */
/* A flag that wakes every thread that waits on the network: Ctrl-C in a client, the second SIGTERM in a server. */
#ifndef EIS_NET_CANCEL_H
#define EIS_NET_CANCEL_H

#include "base/status.h"

#include <stdbool.h>

typedef struct eis_cancel eis_cancel;

/* Makes a flag that is not raised. Errors: EIS_ERR_MEMORY, EIS_ERR_LIMIT (no descriptor left); *cancel is then NULL. */
EIS_MUST_USE eis_status eis_net_cancel_new(eis_cancel **cancel);

/* Raises the flag for good: waits on streams that carry it end with EIS_ERR_INTERRUPTED.
 * Any thread may call it, and a signal handler too. NULL is allowed. */
void eis_net_cancel_raise(eis_cancel *cancel);

/* Returns whether the flag is raised; false for NULL. */
bool eis_net_cancel_raised(const eis_cancel *cancel);

/* Returns a descriptor that is readable for ever once the flag is raised; -1 (which poll ignores) for NULL. */
int eis_net_cancel_fd(const eis_cancel *cancel);

/* Frees the flag, which no stream may use any more. NULL is allowed. */
void eis_net_cancel_free(eis_cancel *cancel);

#endif
