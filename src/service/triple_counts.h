/* SPDX-License-Identifier: Apache-2.0 */
/* What the Triple Service has counted: of all sessions, and of those of each coordinator, who hears no more than that.
 * Everything is in memory, under the service's lock; the sums of all begin with what the records hold at the start. */
#ifndef EIS_SERVICE_TRIPLE_COUNTS_H
#define EIS_SERVICE_TRIPLE_COUNTS_H

#include "net/tls.h"
#include "service/mpc_stream.h"

#include <stdbool.h>

struct eis_triple_dealt;
struct eis_triple_service;

typedef enum eis_triple_count {
    EIS_TRIPLE_SESSIONS = 0,
    EIS_TRIPLE_PRODUCED, /* units: dealt, given, thrown away */
    EIS_TRIPLE_CONSUMED,
    EIS_TRIPLE_BURNED,
    EIS_TRIPLE_WORDS,  /* of what was given */
    EIS_TRIPLE_PASSED, /* tests at the parties */
    EIS_TRIPLE_FAILED,
    EIS_TRIPLE_WAITED_NS,
    EIS_TRIPLE_COUNTS
} eis_triple_count;

/* The sums of the sessions that one key was the coordinator of. */
typedef struct eis_triple_account {
    struct eis_triple_account *next;
    eis_tls_pin coordinator;
    unsigned sessions; /* that are there now */
    uint64_t counts[EIS_TRIPLE_COUNTS];
} eis_triple_account;

/* Reads the records into the sums of all, once. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_triple_counts_start(struct eis_triple_service *service);

/* Frees all accounts. */
void eis_triple_counts_clear(struct eis_triple_service *service);

/* Joins a session to the account of its coordinator, and lets go of it. An account stays when its last session has
 * ended, the newest 1024 of them. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_triple_account_join(struct eis_triple_dealt *d);
void eis_triple_account_leave(struct eis_triple_dealt *d);

/* Counts for a session that has joined. */
void eis_triple_count_add(struct eis_triple_dealt *d, eis_triple_count what, uint64_t n);

/* Counts what was dealt for a session, and neither given nor thrown away, as thrown away. */
void eis_triple_count_end(struct eis_triple_dealt *d);

/* Reads the counts of a coordinator's sessions, or of all (NULL). Returns false, and zeros, for somebody who is the
 * coordinator of none. */
bool eis_triple_counts_read(eis_mpc_pool_stats *stats, struct eis_triple_service *service,
                            const eis_tls_pin *coordinator);

#endif
