/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: the coordinator's tables. Only mpc_coordinator*.c include this. */
#ifndef EIS_SERVICE_MPC_COORDINATOR_INTERNAL_H
#define EIS_SERVICE_MPC_COORDINATOR_INTERNAL_H

#include "net/grpc.h"
#include "net/http.h"
#include "service/grpc_health.h"
#include "service/grpc_reflection.h"
#include "service/mpc_coordinator.h"
#include "service/mpc_coordinator_messages.h"
#include "service/mpc_pool_watch.h"

#include <pthread.h>

#define EIS_COORDINATOR_PARTIES_MAX 256 /* registered at once */
#define EIS_COORDINATOR_SUFFIX      17  /* a dot and 16 hex digits make the id of every session new */
#define EIS_COORDINATOR_BUCKETS     10

/* Who a caller is: a key, or, over plaintext on loopback, anybody. */
typedef struct eis_coordinator_peer {
    bool known;
    eis_tls_pin pin;
} eis_coordinator_peer;

typedef struct eis_coordinator_party {
    char id[EIS_MPC_NAME_BYTES];
    eis_coordinator_peer peer;
    eis_address address;
} eis_coordinator_party;

typedef enum eis_coordinator_state {
    EIS_COORDINATOR_OPENING = 0, /* links come up */
    EIS_COORDINATOR_LOADING,     /* weights are awaited */
    EIS_COORDINATOR_READY,
    EIS_COORDINATOR_RUNNING,
    EIS_COORDINATOR_DEAD
} eis_coordinator_state;

/* A session. The table and every field are under the coordinator's lock; `conductor`, `owner` and `decoder` belong to
 * whoever opens, loads or runs: one at a time, by `state`. */
typedef struct eis_coordinator_session {
    struct eis_coordinator_session *next;
    char name[EIS_MPC_NAME_BYTES]; /* as the client calls it */
    const eis_mpc_coordinator_model *model;
    eis_mpc_session session;
    eis_mpc_party_keys keys;
    eis_writer document;
    eis_coordinator_peer creator;
    eis_coordinator_state state;
    unsigned users; /* calls and the loader; the last one frees a dead session */
    uint64_t used_ns;
    eis_status failure;
    char why[512];
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner; /* ours, where prompts come in the clear */
    eis_decoder decoder;
    uint32_t *tokens; /* [token_count]: a prompt in the clear, secret */
    size_t token_count;
    uint32_t prompt;        /* tokens of the prompt, submitted and not run yet; 0: none */
    bool resume;            /* the last run ended for lack of material: the next one goes on with it */
    uint64_t rounds, bytes; /* as counted so far: of one party, of all */
    struct eis_mpc_coordinator *coordinator;
} eis_coordinator_session;

typedef struct eis_coordinator_meters {
    uint64_t tokens, steps, sessions, failed, rounds, party_bytes, waits, dry, buckets[EIS_COORDINATOR_BUCKETS];
    double seconds, last_rate; /* of runs */
} eis_coordinator_meters;

struct eis_mpc_coordinator {
    eis_mpc_coordinator_config config; /* models: our copy */
    eis_mpc_coordinator_model *models;
    eis_tls_pin pin; /* our own, as coordinator */
    eis_cancel *cancel;
    eis_grpc_server *grpc;
    eis_http_server *admin;
    eis_grpc_reflection *reflection;
    eis_grpc_health health;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool draining;
    eis_coordinator_session *sessions;
    unsigned session_count, loaders;
    eis_coordinator_party parties[EIS_COORDINATOR_PARTIES_MAX];
    size_t party_count;
    eis_coordinator_meters meters;
    eis_mpc_pool_watch *pools; /* those of the Triple Services */
};

/* ---- sessions ---- */

/* Opens a session and starts its loading. *session is held for the caller, who gives it back. */
EIS_MUST_USE eis_status eis_coordinator_session_open(eis_coordinator_session **session, eis_mpc_coordinator *c,
                                                     const eis_coordinator_request *request,
                                                     const eis_mpc_coordinator_model *model,
                                                     const eis_coordinator_peer *peer);

/* Finds a session that a caller may use, and holds it.
 * Errors: EIS_ERR_NOT_FOUND  with what to call first;  EIS_ERR_FORBIDDEN. */
EIS_MUST_USE eis_status eis_coordinator_session_find(eis_coordinator_session **session, eis_mpc_coordinator *c,
                                                     const char *name, const eis_coordinator_peer *peer);

/* Waits until the weights are loaded and takes the session for a run.
 * Errors: EIS_ERR_NOT_FOUND  no prompt;  EIS_ERR_IN_PROGRESS  a run is under way;  EIS_ERR_TIMEOUT; why it ended. */
EIS_MUST_USE eis_status eis_coordinator_session_take(eis_coordinator_session *session, eis_grpc_call *call);

/* Ends a run: the session is ready again, or dead with what was recorded. */
void eis_coordinator_session_settle(eis_coordinator_session *session, eis_status st);

/* Lets go of a session. */
void eis_coordinator_session_give_back(eis_coordinator_session *session);

/* Ends all sessions, and waits for those who hold them. */
void eis_coordinator_sessions_end(eis_mpc_coordinator *c);

/* Positions that a session still has. Under the lock. */
uint32_t eis_coordinator_session_left(const eis_coordinator_session *session);

/* ---- calls: gRPC handlers; context is the coordinator ---- */

eis_status eis_coordinator_register(void *context, eis_grpc_call *call);
eis_status eis_coordinator_create(void *context, eis_grpc_call *call);
eis_status eis_coordinator_submit(void *context, eis_grpc_call *call);
eis_status eis_coordinator_run(void *context, eis_grpc_call *call);
eis_status eis_coordinator_fetch_metrics(void *context, eis_grpc_call *call);

/* ---- meters ---- */

void eis_coordinator_count_step(eis_mpc_coordinator *c, double ms);
void eis_coordinator_count_wait(eis_mpc_coordinator *c, bool dry);

/* Asks the parties of a session that is not running what they have counted since the last time. */
void eis_coordinator_count_parties(eis_coordinator_session *session);

void eis_coordinator_count_run(eis_mpc_coordinator *c, uint32_t tokens, double seconds);

/* The handlers of GET /healthz and GET /metrics; context is the coordinator. */
eis_status eis_coordinator_healthz(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_coordinator_metrics(void *context, eis_http_reply *reply, const eis_http_request *request);

#endif
