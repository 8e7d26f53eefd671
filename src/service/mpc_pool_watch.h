/* SPDX-License-Identifier: Apache-2.0 */
/* Watches the pools of several Triple Services for a coordinator. Each is asked on a thread of its own, so that silent
 * ones neither hold up the others nor, once they are known to be silent, whoever wants to read; what a service said
 * last stays until it says something else. */
#ifndef EIS_SERVICE_MPC_POOL_WATCH_H
#define EIS_SERVICE_MPC_POOL_WATCH_H

#include "service/mpc_pool_stats.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct eis_mpc_pool_watch eis_mpc_pool_watch;

/* How a service stands. */
typedef struct eis_mpc_pool_place {
    const eis_mpc_member *dealer; /* the watch's copy */
    bool up;                      /* it answered when it was asked last */
    bool heard;                   /* it has ever answered; */
    double age_s;                 /* so long ago */
} eis_mpc_pool_place;

/* Starts. Services of the same key are one. The texts of `caller`, and its `cancel`, must outlive the watch.
 * Errors:  EIS_ERR_LIMIT  no thread;  EIS_ERR_MEMORY. *watch is then NULL. */
EIS_MUST_USE eis_status eis_mpc_pool_watch_start(eis_mpc_pool_watch **watch, const eis_mpc_caller *caller,
                                                 const eis_mpc_member *const *dealers, size_t count);

/* Ends the threads and frees. Waits for questions under way, so `cancel` is best raised before. NULL is allowed. */
void eis_mpc_pool_watch_free(eis_mpc_pool_watch *watch);

/* How many services there are: at most as many as were given. */
size_t eis_mpc_pool_watch_count(const eis_mpc_pool_watch *watch);

/* Adds up what the services say, at most a second old where they answer, and else what they said last; any thread.
 * A service that has had no session of ours counts nothing, and is up.
 *
 * Shape:  places[eis_mpc_pool_watch_count], or NULL.
 * Cost:   at most 2 s, and no time for a service that was silent when it was asked last. */
void eis_mpc_pool_watch_read(eis_mpc_pool_stats *sum, eis_mpc_pool_place *places, eis_mpc_pool_watch *watch);

#endif
