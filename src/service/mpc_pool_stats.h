/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Triple Services what they have counted: the coordinator's metrics. */
#ifndef EIS_SERVICE_MPC_POOL_STATS_H
#define EIS_SERVICE_MPC_POOL_STATS_H

#include "service/mpc_call.h"

/* Asks one. Errors: those of streams; *stats is zeroed. */
EIS_MUST_USE eis_status eis_mpc_pool_ask(eis_mpc_pool_stats *stats, const eis_mpc_caller *caller,
                                         const eis_mpc_member *dealer);

/* Adds what another one has; what is the least of all is that of whoever runs out first. */
void eis_mpc_pool_add(eis_mpc_pool_stats *sum, const eis_mpc_pool_stats *more);

#endif
