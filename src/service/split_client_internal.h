/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: the client as its files share it.
 *
 *   split_client.c   making and freeing, the seam, reports
 *   split_connect.c  links to all servers, at once
 *   split_round.c    one request to some servers and their answers
 *   split_call.c     reals -> shares -> a round -> reals, with its retries
 *   split_masks.c    the same with offline masks
 *   split_link.c     one connection */
#ifndef EIS_SERVICE_SPLIT_CLIENT_INTERNAL_H
#define EIS_SERVICE_SPLIT_CLIENT_INTERNAL_H

#include "engine/split/recover.h"
#include "service/split_client.h"
#include "service/split_link.h"
#include "store/masks.h"

/* Offline masks of one layer. */
typedef struct eis_split_mask_layer {
    uint64_t left; /* masks of this client's kind that the store holds */
    bool counted;
} eis_split_mask_layer;

struct eis_split_client {
    eis_split_client_config config;
    const eis_model *model;
    const eis_part_info *info;
    eis_split_terms terms;
    eis_token token;                /* empty: none */
    uint8_t *planes;                /* [linear_count], as HELLO tells them */
    eis_split_client_layer *layers; /* [linear_count] */
    uint64_t frame_bytes_max;       /* that every server agreed to */

    eis_split_link *links; /* [scheme.servers] */
    eis_stream **streams;  /* [scheme.servers], for waiting */

    /* one call; kept and wiped */
    eis_prg prg;
    eis_share *shares; /* [scheme.servers] */
    eis_split_input input;
    eis_split_answer *answers; /* [scheme.servers + 1] */
    double *x, *y;             /* padded batches */
    size_t x_capacity, y_capacity;
    uint8_t *frame; /* shares that need packing */
    size_t frame_capacity;
    uint64_t *sight_words;
    size_t sight_capacity;
    uint64_t replaced; /* not 0: entries that were not finite have been taken as 0; secret until the last node */

    eis_split_layer_report *reports; /* [linear_count] */
    uint64_t mask_misses;
    eis_mask_store *masks;
    eis_split_mask_layer *mask_layers; /* [linear_count] */
};

/* ---- split_connect.c ---- */

/* Opens every link that is closed and not caught, all at once. Each tells for itself how it went.
 *
 * Errors: EIS_ERR_USAGE  two servers have one key: all links are dropped. */
EIS_MUST_USE eis_status eis_split_connect(eis_split_client *client);

/* Counts the servers that are connected. */
size_t eis_split_connected(const eis_split_client *client);

/* ---- split_round.c ---- */

/* One request to the links that take part, and their answers. */
typedef struct eis_split_round {
    uint32_t layer;
    size_t batch;
    unsigned truncated_bits;
    size_t needed;   /* answers that complete it; without spares the first failure ends it */
    bool is_checked; /* answers are checked against client->shares, where there is a verifier */
    /* Sends a link its request. */
    eis_status (*ask)(eis_split_client *client, const struct eis_split_round *round, eis_split_link *link);
    void *context;
    uint64_t deadline_ns;

    size_t participants, answered, lost;
    eis_status failure; /* the first one */
    bool may_retry;
    char detail[256];
} eis_split_round;

/* Runs a round among the links whose takes_part is set and that are connected. Answers lie in link->words where
 * link->answered; with a verifier they have been checked against client->shares.
 *
 * Errors: the first failure, where too few answers can still come, with its text; round->may_retry tells whether fresh
 *         shares may help. EIS_ERR_MEMORY, EIS_ERR_INTERRUPTED. Wiped: nothing; eis_split_round_forget does. */
EIS_MUST_USE eis_status eis_split_round_run(eis_split_client *client, eis_split_round *round);

/* Wipes all answers of a round. */
void eis_split_round_forget(eis_split_client *client, const eis_split_round *round);

/* ---- split_call.c ---- */

/* Computes one chunk: a batch that fits the frames of all servers, already sanitised and padded.
 *
 * Shape: y[batch][out_count], x[batch][in_count]. */
EIS_MUST_USE eis_status eis_split_call(eis_split_client *client, uint32_t layer, double *y, const double *x,
                                       size_t batch);

/* Returns the largest batch that one request of this layer carries, at least 1. */
size_t eis_split_batch_max(const eis_split_client *client, uint32_t layer);

/* Returns what a batch is padded to. */
size_t eis_split_batch_class(const eis_split_client *client, size_t batch);

/* The classes themselves, rising; beyond the last one batches go in multiples of it. HELLO announces them. */
#define EIS_SPLIT_BATCH_CLASSES 4
extern const uint16_t eis_split_batch_classes[EIS_SPLIT_BATCH_CLASSES];

/* Returns when a call that begins now has taken too long. */
uint64_t eis_split_call_deadline_ns(const eis_split_client *client);

/* Notes that an answer of this server has been proved wrong, and hangs up for good. Returns EIS_ERR_INTEGRITY. */
eis_status eis_split_catch(eis_split_client *client, eis_split_link *link, uint32_t layer);

/* Sends a share without copying it where its memory is what travels. */
EIS_MUST_USE eis_status eis_split_send_share(eis_split_client *client, const eis_split_round *round,
                                             eis_split_link *link, const eis_share *share);

/* Sends a server its share of the call, after the sight callback saw it: `ask` of a round whose context is
 * x[batch][in_count], or NULL. */
EIS_MUST_USE eis_status eis_split_ask_share(eis_split_client *client, const eis_split_round *round,
                                            eis_split_link *link);

/* Shows a share to the sight callback, if there is one. x may be NULL. */
EIS_MUST_USE eis_status eis_split_show(eis_split_client *client, uint32_t layer, const eis_share *share,
                                       size_t payload_bytes, const double *x);

/* Wipes shares and integer inputs; their memory stays for the next call. */
void eis_split_wipe_call(eis_split_client *client);

/* ---- split_masks.c ---- */

/* Opens the store, once. Errors: those of eis_store_masks_open. */
EIS_MUST_USE eis_status eis_split_masks_open(eis_split_client *client);

/* Computes a chunk with offline masks. *done is false where there are too few or one could not be taken; the caller
 * then goes the usual way. */
EIS_MUST_USE eis_status eis_split_call_masked(eis_split_client *client, bool *done, uint32_t layer, double *y,
                                              const double *x, size_t batch);

#endif
