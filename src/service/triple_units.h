/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the Triple Service: its sessions, and the material of their steps. While tokens are made, the steps that
 * follow are dealt ahead by a thread of the session. */
#ifndef EIS_SERVICE_TRIPLE_UNITS_H
#define EIS_SERVICE_TRIPLE_UNITS_H

#include "engine/mpc/cache.h"
#include "engine/mpc/deal.h"
#include "net/listener.h"
#include "service/mpc_session.h"
#include "service/triple_counts.h"
#include "service/triple_service.h"
#include "store/material.h"

#include <pthread.h>

/* A step's material, dealt ahead. The masks that the step keeps are in the session's cache already. */
typedef struct eis_triple_unit {
    struct eis_triple_unit *next;
    eis_material_unit record;
    uint32_t count; /* tokens */
    eis_mpc_corrections corrections;
} eis_triple_unit;

/* One session: everything that is secret here. Under its own lock, but for `users`. */
typedef struct eis_triple_dealt {
    struct eis_triple_dealt *next;
    eis_mpc_session session;
    uint64_t number;
    pthread_mutex_t lock;
    eis_mpc_dealer dealer;
    eis_mpc_cache masks;
    eis_mpc_corrections load;
    uint64_t units, unit_words;      /* given to the last party */
    uint64_t next_step, last_secret; /* the step of the prompt's last token */
    uint32_t next_position;
    eis_mpc_sampling sampling; /* of the last prompt: units that follow it are for the same */
    bool recorded;             /* the records hold this session, and it is ours */
    eis_triple_unit *ahead;    /* units that wait, in order, from next_step on */
    uint32_t ahead_count, ahead_tokens;
    bool dealing; /* the thread deals, and reads and extends the cache without the lock */
    bool running; /* tokens are being made, so units are dealt ahead */
    bool filling; /* there were fewer than the pool's least, and there are not as many as its target yet */
    bool wished;  /* a step has come for a unit that nobody had dealt, of this kind */
    eis_mpc_unit_kind wish;
    uint32_t wish_count;
    eis_status failure; /* of the wish */
    char why[256];
    uint64_t taken_ns; /* when the last unit was taken */
    double pace_ns;    /* from one to the next, on average */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, ending;
    bool closed; /* the coordinator has gone: nobody waits for a unit any more */
    eis_triple_service *service;
    bool seeded[EIS_MPC_PARTIES_MAX], load_given;
    uint64_t keys_given;         /* matrices whose keys an owner has: a count, they are given in order */
    uint64_t input_given_before; /* inputs below this number have been given away */
    unsigned users;              /* connections; from here on under the service's lock */
    bool over;
    eis_triple_account *account; /* its coordinator's */
    uint64_t open;               /* units that were dealt, and neither given nor thrown away */
    struct {
        unsigned ready;
        uint64_t bytes;
        bool running;
        double pace_ns;
    } seen; /* what the service's counts are made of */
} eis_triple_dealt;

struct eis_triple_service {
    eis_listener *listener;
    eis_tls *tls;
    pthread_mutex_t lock;
    eis_triple_dealt *sessions;
    unsigned session_count, sessions_max, pool_min, pool_target, threads;
    uint32_t wait_ms;
    uint64_t pool_bytes_max;
    uint64_t pool_bytes; /* from here on under the lock: of units that wait */
    uint64_t counts[EIS_TRIPLE_COUNTS];
    eis_triple_account *accounts;   /* the newest first */
    unsigned dealing, dealing_most; /* sessions */
    pthread_cond_t changed;         /* fewer are */
    eis_material_store *records;
};

/* Records the session with its first unit, which is dealt, and starts its thread.
 * Errors:  EIS_ERR_FORBIDDEN  there are records of this session: what was dealt may have been given;  EIS_ERR_STORE,
 *          EIS_ERR_LIMIT. */
EIS_MUST_USE eis_status eis_triple_units_start(eis_triple_dealt *d);

/* Ends the thread, throws away what waits, and burns what the records hold open. Safe where nothing was started. */
void eis_triple_units_stop(eis_triple_dealt *d);

/* Ends the waits for units, as the session is over. */
void eis_triple_units_close(eis_triple_dealt *d);

/* What a unit is asked for with. */
typedef struct eis_triple_request {
    unsigned kind; /* mpc_stream.h */
    uint64_t step;
    uint32_t position, count; /* of the first token; tokens */
    eis_mpc_sampling sampling;
} eis_triple_request;

/* Gives a unit: one that waits, or one that is dealt now, which the caller waits for. Steps and positions strictly
 * rise, so that nothing is given twice. How tokens are chosen is said with a prompt and stays until the next one, so
 * that what is dealt ahead fits, and no stream is dealt from for two graphs.
 *
 * Errors:  EIS_ERR_TRIPLES_EXHAUSTED  it is not ready in time: nothing was given, and the same may be asked for again;
 *          EIS_ERR_PROTOCOL  out of order, or asked for twice, or for another sampling than that of the prompt; those
 * of dealing;  EIS_ERR_CLOSED  the session ended meanwhile. */
EIS_MUST_USE eis_status eis_triple_units_take(eis_mpc_corrections *c, eis_triple_dealt *d,
                                              const eis_triple_request *request);

#endif
