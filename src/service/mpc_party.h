/* SPDX-License-Identifier: Apache-2.0 */
/* A compute party as a server: peers, owners and the coordinator call it over mutual TLS; it calls the Triple Service
 * and the peers behind it in the order of the session. Everything of a session is wiped when its coordinator's
 * connection ends, or when anything in it fails. */
#ifndef EIS_SERVICE_MPC_PARTY_H
#define EIS_SERVICE_MPC_PARTY_H

#include "base/status.h"
#include "net/address.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_mpc_party_server eis_mpc_party_server;

typedef struct eis_mpc_party_server_config {
    eis_address listen;        /* port 0 takes a free one */
    eis_tls_server_config tls; /* with a client CA; its certificate is also shown to those whom we call */
    unsigned sessions_max;     /* 0: 4 */
    uint32_t round_ms;         /* a round of the protocol; 0: 10 s */
    uint32_t dial_ms;          /* until links are up; 0: 5 s */
    uint32_t owner_ms;         /* until an owner has sent what is waited for; 0: 60 s */
    uint32_t pool_wait_ms;     /* until a unit of material is here; 0: 30 s */
    unsigned threads;          /* for large products; 0: as many as there are processors */
    const char *store_path;    /* records of steps (store/material.h); NULL: in memory */
} eis_mpc_party_server_config;

/* Starts. Errors: EIS_ERR_USAGE  no client CA; those of the listener and of the store. *server is then NULL. */
EIS_MUST_USE eis_status eis_mpc_party_server_start(eis_mpc_party_server **server,
                                                   const eis_mpc_party_server_config *config);

/* Gives the address that is really in use. */
void eis_mpc_party_server_address(eis_address *address, const eis_mpc_party_server *server);

/* Ends all sessions and frees. NULL is allowed. */
void eis_mpc_party_server_stop(eis_mpc_party_server *server, uint32_t drain_ms);

#endif
