/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: one session at one party. Its own thread is that of the coordinator's connection; others put in what
 * they bring: streams of peers, masked weights and inputs of owners. */
#ifndef EIS_SERVICE_MPC_SEAT_H
#define EIS_SERVICE_MPC_SEAT_H

#include "engine/mpc/cache.h"
#include "engine/mpc/party.h"
#include "service/mpc_layers.h"
#include "service/mpc_lease.h"
#include "service/mpc_links.h"
#include "service/mpc_session.h"

#include <pthread.h>

#define EIS_MPC_OWNERS_MAX 4

/* A masked input that an owner has sent. */
typedef struct eis_mpc_inbox {
    struct eis_mpc_inbox *next;
    uint64_t step;
    uint32_t slot, left, count; /* left: tokens of the prompt from this step on */
    uint64_t *words;
    bool taken; /* it is in the transcript */
} eis_mpc_inbox;

typedef struct eis_mpc_seat {
    struct eis_mpc_seat *next; /* in the server's list, under its lock */
    unsigned users;
    bool over;          /* nobody new; those who wait give up */
    bool finished;      /* the session's own thread uses no stream any more */
    bool seeded;        /* the seed is here; under the lock */
    eis_status refused; /* not EIS_OK: an owner has ended the session, and says why; under the lock */
    char refusal[256];

    eis_mpc_session session;
    uint64_t number;
    uint32_t index;
    const eis_mpc_matrix_shape *shapes; /* [shape_count], of the session */
    uint32_t shape_count;
    uint32_t round_ms, dial_ms, owner_ms, pool_wait_ms;
    eis_pool *threads; /* the server's; NULL: none */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    eis_stream *inbound[EIS_MPC_PARTIES_MAX]; /* peers that have called us */
    eis_stream *owner[EIS_MPC_OWNERS_MAX];    /* owners that are connected now */
    uint64_t **weights;                       /* [shape_count]: D of each matrix; NULL: not sent yet, or taken over */
    bool *weights_sent;                       /* [shape_count] */
    eis_mpc_inbox *inbox;

    /* Of the session's own thread. */
    eis_stream *dealer, *outbound[EIS_MPC_PARTIES_MAX];
    eis_mpc_stream_links links;
    eis_mpc_party party;
    eis_mpc_cache cache;
    uint8_t seed[EIS_MPC_SEED_BYTES];
    bool linked, loaded;
    eis_mpc_lease lease;
    uint64_t step, last_secret; /* the step of the prompt's last token */
    uint32_t position, count;   /* of the step's first token; tokens of the step */
    uint32_t prompt;            /* tokens of the prompt from this step on; 0 while biases are loaded */
    eis_mpc_sampling sampling;  /* how the run's tokens are chosen */
    uint64_t units, unit_words, input_words;
    eis_stream *coordinator; /* whom we tell that a step waits; the caller's */
    bool asked;              /* the Triple Service has been asked for a unit of `asked_kind` and has not answered */
    eis_mpc_unit_kind asked_kind;
    struct {
        bool possible; /* the last run ended for lack of material, and may go on where it was */
        uint32_t prompt, token;
    } resume;
    eis_mpc_counters counted; /* under the lock: as they were after the last step */
    eis_mpc_layers layers;    /* under the lock: of all walks */
} eis_mpc_seat;

/* Makes a seat from a session document. Errors: as eis_mpc_session_read, EIS_ERR_MEMORY; *seat is NULL. */
EIS_MUST_USE eis_status eis_mpc_seat_new(eis_mpc_seat **seat, uint32_t index, const void *document, size_t bytes);

/* Wipes and frees. NULL is allowed. */
void eis_mpc_seat_free(eis_mpc_seat *seat);

/* Ends all waits, from any thread. */
void eis_mpc_seat_end(eis_mpc_seat *seat);

/* Says that the session's own thread uses no stream any more: peers' streams may go. */
void eis_mpc_seat_finish(eis_mpc_seat *seat);

/* Brings the links up: the Triple Service, the peers behind us, those before us; then the first commitments.
 * client: the TLS context for each whom we call is made by this function. Errors: those of streams and links. */
typedef eis_status (*eis_mpc_dial)(void *context, eis_stream **stream, const eis_mpc_member *member);
EIS_MUST_USE eis_status eis_mpc_seat_link(eis_mpc_seat *seat, eis_mpc_dial dial, void *context);

/* Takes weights and biases once their owner has sent all of them, and checks them. */
EIS_MUST_USE eis_status eis_mpc_seat_load(eis_mpc_seat *seat);

/* Walks one step: `secret` tokens of the prompt, of which `left` remain with these (the head is there where they are
 * the last), or where both are 0 the public `token`. *next gets the token that follows, where there was a head. With a
 * classifier each step takes a secret input and gives its class.
 *
 * Errors:  EIS_ERR_TRIPLES_EXHAUSTED  there is no material in time, and nothing has happened: the same step may be
 * tried again, or another one in its place. After all others the session is over. */
EIS_MUST_USE eis_status eis_mpc_seat_step(eis_mpc_seat *seat, uint32_t *next, uint32_t secret, uint32_t left,
                                          uint32_t token);

/* Reads what the session had counted when its last step ended; any thread. */
void eis_mpc_seat_count(eis_mpc_counters *counters, eis_mpc_seat *seat);

/* Writes what layers have cost so far; any thread. Errors: sticky in w. */
void eis_mpc_seat_write_layers(eis_writer *w, eis_mpc_seat *seat);

/* An owner's thread: puts in what it sent. Takes each slot once. Errors: EIS_ERR_PROTOCOL. */
EIS_MUST_USE eis_status eis_mpc_seat_put_weights(eis_mpc_seat *seat, uint32_t matrix, eis_reader *r);
EIS_MUST_USE eis_status eis_mpc_seat_put_input(eis_mpc_seat *seat, uint64_t step, uint32_t slot, eis_reader *r);

/* Hashes the key of our share of an input's masks, for its owner (mpc_key_hash.h). Waits for the seed.
 * Shape:   hash[EIS_MPC_DIGEST_BYTES]. Errors: EIS_ERR_TIMEOUT, EIS_ERR_CLOSED. */
EIS_MUST_USE eis_status eis_mpc_seat_key_hash(uint8_t *hash, eis_mpc_seat *seat, eis_mpc_purpose purpose,
                                              uint64_t number);

/* An owner ends the session, with a status and the text that was recorded with it: whoever waits for an owner fails
 * with that. */
void eis_mpc_seat_refuse(eis_mpc_seat *seat, eis_status st);

#endif
