/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator above the world of mpc_service.h, with the model's owner behind it, and a client of its gRPC. */
#ifndef EIS_TESTS_SUPPORT_MPC_COORDINATOR_WORLD_H
#define EIS_TESTS_SUPPORT_MPC_COORDINATOR_WORLD_H

#include "net/grpc.h"
#include "service/mpc_coordinator.h"
#include "service/mpc_coordinator_messages.h"
#include "support/mpc_service.h"

#include <stdatomic.h>

#define COORDINATOR_CALL_MS 120000
#define COORDINATOR_MODEL   "tiny" /* what clients of the original ask for */

typedef struct coordinator_world {
    mpc_service service;
    const eis_model *model;
    eis_mpc_coordinator *coordinator;
    eis_address grpc, admin;
    atomic_bool hold_weights; /* the model's owner stays silent */
} coordinator_world;

/* The model's owner: sends its weights to the parties of every session that begins. */
static inline void coordinator_world_created(void *context, const eis_mpc_session *session)
{
    coordinator_world *w = context;
    eis_mpc_owner *owner = NULL;

    if (atomic_load(&w->hold_weights)) return;
    if (eis_mpc_owner_open(&owner, session, &w->service.owner) != EIS_OK ||
        eis_mpc_owner_send_model(owner, w->model, NULL, NULL) != EIS_OK)
        fprintf(stderr, "model's owner: %s\n", eis_error_detail());
    eis_mpc_owner_close(owner);
}

/* Starts everything. `config` may set limits and flags; the rest is filled in here. */
static inline void coordinator_world_open(coordinator_world *w, const eis_model *model, uint32_t parties, bool tls,
                                          eis_mpc_coordinator_config config)
{
    eis_mpc_tuning tuning;
    eis_mpc_coordinator_model offer = {.session = &w->service.session};

    memset(w, 0, sizeof *w);
    w->model = model;
    eis_mpc_tuning_default(&tuning);
    mpc_service_open(&w->service, model, &tuning, parties, "template");
    snprintf(w->service.session.model, sizeof w->service.session.model, COORDINATOR_MODEL);
    if (config.plaintext_prompts) w->service.session.prompt_owner = w->service.session.coordinator;
    if (tls) config.tls = mpc_service_tls(&w->service, &w->service.coordinator_papers);
    snprintf(config.listen.host, sizeof config.listen.host, "127.0.0.1");
    config.admin = true;
    config.admin_listen = config.listen;
    config.models = &offer;
    config.model_count = 1;
    config.caller = w->service.coordinator;
    config.created = coordinator_world_created;
    config.context = w;
    mpc_service_require(eis_mpc_coordinator_start(&w->coordinator, &config), "coordinator");
    eis_mpc_coordinator_addresses(&w->grpc, &w->admin, w->coordinator);
}

static inline void coordinator_world_close(coordinator_world *w)
{
    eis_mpc_coordinator_free(w->coordinator);
    mpc_service_close(&w->service);
    eis_trust_pair_clear(&w->service.coordinator_papers);
}

/* A client with somebody's papers; NULL: plaintext. */
static inline eis_grpc_client *coordinator_world_client(const coordinator_world *w, const eis_trust_pair *papers)
{
    eis_grpc_client_config config = {.address = w->grpc};
    eis_grpc_client *client;

    if (papers != NULL) {
        config.ca_pem = mpc_service_span(w->service.ca.cert, w->service.ca.cert_bytes);
        config.cert_pem = mpc_service_span(papers->cert, papers->cert_bytes);
        config.key_pem = mpc_service_span(papers->key, papers->key_bytes);
    }
    mpc_service_require(eis_net_grpc_client_new(&client, &config), "client");
    return client;
}

#endif
