/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of all k servers to the words of the whole: their sum in the ring. */
#ifndef EIS_SHARE_COMBINE_H
#define EIS_SHARE_COMBINE_H

#include "base/status.h"
#include "kernel/kernel.h"

#include <stddef.h>
#include <stdint.h>

/* One summand: a server's answer, or a stored product of a mask. */
typedef struct eis_share_part {
    const uint64_t *words;   /* [count], canonical: below 2^(bits - truncated_bits), or below p */
    unsigned truncated_bits; /* low bits that the server cut off; 0 in F61 */
} eis_share_part;

/* Adds the parts: y = sum of words * 2^truncated_bits in the ring. How many parts were truncated is what
 * eis_fixed_to_reals wants to know.
 *
 * Shape:   y[count], parts[k].
 * Range:   the reader of replies has refused words that are not canonical (ring/word.h); y is canonical.
 * Secret:  parts, y.
 * Errors:  EIS_ERR_USAGE  k < 2, or truncation in F61 or of the whole word.  y is untouched. */
EIS_MUST_USE eis_status eis_share_combine(uint64_t *y, const eis_share_part *parts, size_t k, size_t count,
                                          eis_ring ring);

#endif
