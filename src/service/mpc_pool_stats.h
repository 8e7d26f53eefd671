/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Triple Services what they have counted: the coordinator's metrics. */
#ifndef EIS_SERVICE_MPC_POOL_STATS_H
#define EIS_SERVICE_MPC_POOL_STATS_H

#include "service/mpc_call.h"

/* Asks one for what it has counted of the caller's sessions.
 * Errors:  EIS_ERR_FORBIDDEN  since it started it has seen no session of which the caller is the coordinator;  those of
 *          streams. *stats is zeroed. */
EIS_MUST_USE eis_status eis_mpc_pool_ask(eis_mpc_pool_stats *stats, const eis_mpc_caller *caller,
                                         const eis_mpc_member *dealer);

/* Adds what another one has; the least of all are those of sessions in progress. */
void eis_mpc_pool_add(eis_mpc_pool_stats *sum, const eis_mpc_pool_stats *more);

/* Takes in sessions in progress, of which the one with the fewest has `ready` units. left_s 0 with some ready: no rate
 * is known, so others decide; with none ready it is what is left of all. */
void eis_mpc_pool_least(eis_mpc_pool_stats *least, uint64_t running, uint64_t ready, double left_s);

#endif
