/* SPDX-License-Identifier: Apache-2.0 */
/* The Triple Service: draws seeds, hands each party its own, deals the material of every step and gives owners the keys
 * of the masks of their inputs. It sees shapes and step numbers, never an opened word, a token or a share of data. */
#ifndef EIS_SERVICE_TRIPLE_SERVICE_H
#define EIS_SERVICE_TRIPLE_SERVICE_H

#include "base/status.h"
#include "net/address.h"
#include "net/tls.h"
#include "service/mpc_stream.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_triple_service eis_triple_service;

#define EIS_TRIPLE_NO_POOL UINT32_MAX

typedef struct eis_triple_service_config {
    eis_address listen;        /* port 0 takes a free one */
    eis_tls_server_config tls; /* with a client CA; alpn is set by the service */
    unsigned sessions_max;     /* 0: 16 */
    unsigned pool_min;         /* with fewer steps dealt ahead of a session it is refilled; 0: 4 */
    unsigned pool_target;      /* up to so many; 0: 16. EIS_TRIPLE_NO_POOL: none are dealt ahead */
    uint64_t pool_bytes_max;   /* of all units that wait; wins over the target; 0: 2 GiB */
    uint32_t wait_ms;          /* a step that finds no unit waits this long for it; 0: 30 s */
    unsigned threads;          /* sessions that are dealt for at the same time; 0: as many as there are processors */
    const char *store_path;    /* records of units (store/material.h); NULL: in memory */
} eis_triple_service_config;

typedef struct eis_triple_stats {
    eis_mpc_pool_stats pool;
    unsigned dealing_most; /* sessions that were dealt for at the same time */
} eis_triple_stats;

/* Starts. Errors: EIS_ERR_USAGE  no client CA; those of the listener and of the store. *service is then NULL. */
EIS_MUST_USE eis_status eis_triple_service_start(eis_triple_service **service, const eis_triple_service_config *config);

/* Gives the address that is really in use. */
void eis_triple_service_address(eis_address *address, const eis_triple_service *service);

/* Reads the counters of all sessions, with those before the start that the records hold. */
void eis_triple_service_stats(eis_triple_stats *stats, eis_triple_service *service);

/* Ends all sessions, wipes their seeds, and frees. NULL is allowed. */
void eis_triple_service_stop(eis_triple_service *service, uint32_t drain_ms);

#endif
