/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's public face: gRPC for clients, HTTP for whoever looks after it. It opens sessions among the parties
 * that its templates name, relays the tokens that all of them tell, and holds no share and no key of any session. */
#ifndef EIS_SERVICE_MPC_COORDINATOR_H
#define EIS_SERVICE_MPC_COORDINATOR_H

#include "model/tokenizer.h"
#include "net/tls.h"
#include "service/mpc_call.h"

#include <stdbool.h>

#define EIS_COORDINATOR_MODELS_MAX 64

typedef struct eis_mpc_coordinator eis_mpc_coordinator;

/* A model that sessions may be created for: everything of a session but its id. */
typedef struct eis_mpc_coordinator_model {
    const eis_mpc_session *session; /* `model` is what clients ask for; must outlive the coordinator */
    const eis_tokenizer *tokenizer; /* token events carry text; NULL: none. Must outlive the coordinator */
} eis_mpc_coordinator_model;

typedef struct eis_mpc_coordinator_config {
    eis_address listen;                      /* of gRPC; port 0 takes a free one */
    eis_tls_server_config tls;               /* no certificate: plaintext on loopback, and callers are not told apart */
    bool admin;                              /* GET /healthz and GET /metrics at a loopback address */
    eis_address admin_listen;                /* port 0 takes a free one */
    const eis_mpc_coordinator_model *models; /* [model_count], 1 to EIS_COORDINATOR_MODELS_MAX; copied */
    size_t model_count;
    eis_mpc_caller caller;  /* who we are to parties and the Triple Service; the texts must outlive the coordinator */
    bool plaintext_prompts; /* prompt.plaintext_via_coordinator: we then see prompts, as the sessions' prompt owner */
    eis_mpc_sampling sampling; /* topk and temperature of requests that do not say; topk 0: 3 and 1 */
    uint32_t context_max;      /* scheduler.max_context: positions of a text; 0: 512; classes have none */
    unsigned sessions_max;     /* side by side; 0: 4 */
    uint32_t session_idle_ms;  /* one that nothing is asked of gives its place to others after this; 0: 10 min */
    uint32_t load_ms;          /* how long a run waits for weights; 0: 60 s */
    unsigned calls_max;        /* of gRPC at once; 0: 64 */
    /* Told of each session once its parties are linked, on a thread of its own: the model's owner in the same program
     * sends weights from here. NULL: nobody. */
    void (*created)(void *context, const eis_mpc_session *session);
    void *context;
} eis_mpc_coordinator_config;

/* Starts.
 *
 * Errors: EIS_ERR_USAGE  no model, two of one name, a template that names another coordinator than `caller`, plaintext
 *                        prompts with another prompt owner than `caller`, an admin address beyond loopback;
 *         EIS_ERR_TLS  `caller` has a key that is not its certificate's;  those of the gRPC and HTTP servers.
 * *coordinator is then NULL. */
EIS_MUST_USE eis_status eis_mpc_coordinator_start(eis_mpc_coordinator **coordinator,
                                                  const eis_mpc_coordinator_config *config);

/* Gives the addresses that are really in use; the port of an admin address that is not served is 0. */
void eis_mpc_coordinator_addresses(eis_address *grpc, eis_address *admin, const eis_mpc_coordinator *coordinator);

/* Takes no more calls and lets those in flight finish for at most deadline_ms; then ends every session. Returns whether
 * nothing had to be cut off. */
bool eis_mpc_coordinator_drain(eis_mpc_coordinator *coordinator, uint32_t deadline_ms);

/* Drains with no patience and frees. NULL is allowed. */
void eis_mpc_coordinator_free(eis_mpc_coordinator *coordinator);

#endif
