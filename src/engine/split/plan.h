/* SPDX-License-Identifier: Apache-2.0 */
/* What a request will cost, like EXPLAIN in a database: per layer where it runs, elements, bytes, round trips,
 * multiply-adds, and a predicted time on three networks. Pure arithmetic. */
#ifndef EIS_ENGINE_SPLIT_PLAN_H
#define EIS_ENGINE_SPLIT_PLAN_H

#include "base/status.h"
#include "engine/split/protect.h"
#include "model/part.h"

#include <stdint.h>

typedef struct eis_plan_link {
    const char *name;
    double round_trip_ms;
    double bytes_per_ms; /* 0: not limited */
} eis_plan_link;

#define EIS_PLAN_LINKS 3
extern const eis_plan_link eis_plan_links[EIS_PLAN_LINKS]; /* loopback, 1 Gbit/s LAN, 40 ms WAN */

typedef struct eis_plan_row {
    char name[EIS_LINEAR_NAME_BYTES];
    uint32_t out, in;
    size_t vectors; /* weight passes per request: 1, or the windows of a convolution */
    unsigned ring_bits;
    uint64_t elements_up, elements_down; /* per server */
    uint64_t bytes_up, bytes_down;       /* all servers together, frames included */
    unsigned round_trips;
    uint64_t multiply_adds; /* per server */
    double ms[EIS_PLAN_LINKS];
} eis_plan_row;

typedef struct eis_plan {
    eis_plan_row *rows; /* [row_count], owned */
    uint32_t row_count;
    eis_plan_row total;          /* sums; name "total" */
    double multiply_adds_per_ms; /* that the prediction assumes; measured in the same call on this machine */
} eis_plan;

/* Plans one token (language model) or one input (classifier).
 *
 * Errors: EIS_ERR_USAGE as eis_split_scheme_check; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_plan_make(eis_plan *plan, const eis_model *model, const eis_part_info *info,
                                      const eis_split_scheme *scheme, bool truncate);

/* Frees. Safe on a zeroed plan. */
void eis_plan_clear(eis_plan *plan);

#endif
