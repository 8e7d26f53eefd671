/* SPDX-License-Identifier: Apache-2.0 */
/* What each split server was shown, kept for `eis audit` and `eis demo`: the client's sight hook fills it, and the
 * figures tell whether it looks uniform and whether it goes along with the input. */
#ifndef EIS_CLI_SIGHT_H
#define EIS_CLI_SIGHT_H

#include "base/status.h"
#include "service/split_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words that are kept per server and ring; what comes after them is counted and not tested. 64 MiB. */
#define EIS_CLI_SIGHT_WORDS_MAX ((size_t)1 << 23)
#define EIS_CLI_SIGHT_RINGS     7

/* The test works from so many words on: then even one bit that is stuck in one word of 64 is seen. */
#define EIS_CLI_SIGHT_WORDS_WANTED ((size_t)4096)

typedef struct eis_cli_sight_words {
    eis_ring ring;
    uint64_t *words;
    size_t count, capacity;
} eis_cli_sight_words;

/* Running sums for a correlation. */
typedef struct eis_cli_sight_sums {
    double n, x, y, xx, yy, xy;
} eis_cli_sight_sums;

typedef struct eis_cli_sight_server {
    eis_cli_sight_words rings[EIS_CLI_SIGHT_RINGS];
    size_t ring_count;
    uint64_t payload_bytes, word_count, shares, seeds;
    eis_cli_sight_sums with_input;
} eis_cli_sight_server;

/* Valid when zeroed but for server_count and servers. */
typedef struct eis_cli_sight {
    eis_cli_sight_server *servers; /* [server_count] */
    size_t server_count;
    eis_status st; /* the first failure; the hook cannot tell it */
} eis_cli_sight;

/* Makes room for so many servers. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_cli_sight_init(eis_cli_sight *sight, size_t server_count);

/* Wipes and frees. Safe on a zeroed one. */
void eis_cli_sight_clear(eis_cli_sight *sight);

/* The hook: eis_split_client_config.sight with the collection as its context. */
void eis_cli_sight_collect(void *context, const eis_split_sight *seen);

/* Returns the fewest words that a server was shown so far. */
uint64_t eis_cli_sight_fewest_words(const eis_cli_sight *sight);

/* Sticks the lowest bit of one word in 64 at 1 in what the last server was shown: the fault that the test must find. */
void eis_cli_sight_plant_bias(eis_cli_sight *sight);

/* The verdict on one server. */
typedef struct eis_cli_sight_verdict {
    double p;           /* of uniformity, over all rings (Bonferroni) */
    double correlation; /* of the words, centred, with the numbers that were shared */
    bool passed;        /* p > EIS_UNIFORMITY_P_MIN */
} eis_cli_sight_verdict;

eis_cli_sight_verdict eis_cli_sight_judge(const eis_cli_sight_server *server);

#endif
