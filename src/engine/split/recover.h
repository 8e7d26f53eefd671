/* SPDX-License-Identifier: Apache-2.0 */
/* The client's second half: the servers' answers -> integer words -> reals. A server links none of this. */
#ifndef EIS_ENGINE_SPLIT_RECOVER_H
#define EIS_ENGINE_SPLIT_RECOVER_H

#include "base/status.h"
#include "engine/split/protect.h"

#include <stddef.h>
#include <stdint.h>

/* One server's answer, read by eis_split_reply_read. */
typedef struct eis_split_answer {
    uint32_t index;          /* the server's index or point, from 1; 0 for a stored product of masks */
    const uint64_t *words;   /* [batch * out_count] */
    unsigned truncated_bits; /* 0 for a stored product */
} eis_split_answer;

/* Adds the answers (additive: all of them; threshold: the first t) and scales back to reals.
 *
 * Shape:   y[input->batch][out_count]; answers[count]. Additive: one of each server; or one beside the stored product
 * of the masks, which stands second. Secret:  everything but the indices. Constant time. Errors:  EIS_ERR_USAGE  too
 * few answers, a server that stands twice or that there is not;  EIS_ERR_INTEGRITY  more than t answers that do not lie
 * on one polynomial; *cheat (may be NULL) is then the index of the one that is wrong, 0 where nobody can be named;
 *          EIS_ERR_MEMORY. y is wiped. */
EIS_MUST_USE eis_status eis_split_recover(double *y, uint32_t *cheat, const eis_split_answer *answers, size_t count,
                                          const eis_split_input *input, const eis_split_client_layer *client,
                                          const eis_split_scheme *scheme);

#endif
