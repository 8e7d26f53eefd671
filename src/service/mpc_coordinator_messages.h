/* SPDX-License-Identifier: Apache-2.0 */
/* What clients of the coordinator send and hear, in both message sets of spec/coordinator.proto (A) and
 * spec/mimir.proto (B): read into one form, and written back in the set of whoever asked. */
#ifndef EIS_SERVICE_MPC_COORDINATOR_MESSAGES_H
#define EIS_SERVICE_MPC_COORDINATOR_MESSAGES_H

#include "net/address.h"
#include "service/mpc_session.h"
#include "service/mpc_token.h"
#include "wire/cursor.h"

#define EIS_COORDINATOR_TOKENS_MAX ((size_t)1 << 18)
#define EIS_COORDINATOR_BYTES_MAX  ((size_t)1 << 20) /* of a request, and of a reply beside its document */

typedef enum eis_coordinator_set {
    EIS_COORDINATOR_ANY = 0, /* not known: the message tells, or else it is B */
    EIS_COORDINATOR_A,
    EIS_COORDINATOR_B
} eis_coordinator_set;

/* A request of any kind; what a kind does not have is empty. */
typedef struct eis_coordinator_request {
    eis_coordinator_set set;
    char session[EIS_MPC_NAME_BYTES], model[EIS_MPC_NAME_BYTES], ring[EIS_MPC_NAME_BYTES];
    char party[EIS_MPC_NAME_BYTES], address[EIS_ADDRESS_TEXT_BYTES_MAX];
    bool attested;    /* evidence came along */
    uint32_t *tokens; /* [token_count]: a prompt in the clear, secret; owned */
    size_t token_count;
    uint32_t masked_tokens;
    uint32_t most, top_k; /* 0: the default */
    float temperature;    /* the same */
} eis_coordinator_request;

/* Read a message.
 *
 * Errors:  EIS_ERR_PARSE  no such message, or a name that is none;  EIS_ERR_RANGE  a number that makes no sense;
 *          EIS_ERR_LIMIT  too many tokens;  EIS_ERR_MEMORY. *request is cleared. */
EIS_MUST_USE eis_status eis_coordinator_read_register(eis_coordinator_request *request, eis_span message);
EIS_MUST_USE eis_status eis_coordinator_read_create(eis_coordinator_request *request, eis_span message);
EIS_MUST_USE eis_status eis_coordinator_read_submit(eis_coordinator_request *request, eis_span message);

/* The same; `set` is what the path says, for a message that does not tell. */
EIS_MUST_USE eis_status eis_coordinator_read_run(eis_coordinator_request *request, eis_coordinator_set set,
                                                 eis_span message);

/* Wipes and frees. Safe on a zeroed request. */
void eis_coordinator_request_clear(eis_coordinator_request *request);

/* Write replies. Errors: sticky in w. The acknowledgements are the same in both sets. */
void eis_coordinator_write_ack(eis_writer *w, bool ok, const char *text);
void eis_coordinator_write_session_ack(eis_writer *w, const char *text, const void *document, size_t bytes,
                                       const eis_mpc_party_keys *keys);
void eis_coordinator_write_submit_ack(eis_writer *w, const char *text, uint64_t first_step);
void eis_coordinator_write_token(eis_writer *w, const eis_mpc_told *told, const char *text);
void eis_coordinator_write_timing(eis_writer *w, eis_coordinator_set set, uint64_t step, double ms);
void eis_coordinator_write_log(eis_writer *w, const char *level, const char *text); /* of set B alone */
void eis_coordinator_write_metrics(eis_writer *w, double tokens_per_second, uint64_t pool);

/* ---- for clients ---- */

/* Write requests of set B. sampling NULL: the likeliest tokens. Errors: sticky in w. */
void eis_coordinator_write_create(eis_writer *w, const char *session, const char *model);
void eis_coordinator_write_submit(eis_writer *w, const char *session, uint32_t masked_tokens);
void eis_coordinator_write_run(eis_writer *w, const char *session, uint32_t most, const eis_mpc_sampling *sampling);

/* What a client of set B hears. */
typedef struct eis_coordinator_event {
    enum { EIS_COORDINATOR_TOKEN = 1, EIS_COORDINATOR_TIMING = 2, EIS_COORDINATOR_LOG = 3 } kind;
    eis_mpc_told told; /* of a token */
    uint64_t step;     /* of a timing */
    double ms;
    char text[192]; /* of a log, cut */
} eis_coordinator_event;

/* Read replies. Errors: EIS_ERR_PROTOCOL, EIS_ERR_MEMORY. The caller frees *document with eis_mem_free. */
EIS_MUST_USE eis_status eis_coordinator_read_session_ack(uint8_t **document, size_t *bytes, eis_span message);
EIS_MUST_USE eis_status eis_coordinator_read_party_keys(eis_mpc_party_keys *keys, eis_span message);
EIS_MUST_USE eis_status eis_coordinator_read_submit_ack(uint64_t *first_step, eis_span message);
EIS_MUST_USE eis_status eis_coordinator_read_event(eis_coordinator_event *event, eis_span message);

#endif
