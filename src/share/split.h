/* SPDX-License-Identifier: Apache-2.0 */
/* Additive k-of-k sharing: k - 1 servers get fresh seeds, the last gets x minus what the seeds stand for. Any k - 1 of
 * the shares are uniform and tell nothing about x. */
#ifndef EIS_SHARE_SPLIT_H
#define EIS_SHARE_SPLIT_H

#include "share/share.h"

/* No call has more servers. */
#define EIS_SHARE_COUNT_MAX 255

/* Splits a batch of vectors into k shares with indices 1 .. k, the last one of words.
 *
 * Shape:   shares[k], each zeroed or used before; x[batch][n] words without padding.
 * Range:   canonical words.
 * Secret:  x, shares. A seed is drawn in this call, by a system call of its own, and serves this call only.
 * Cost:    k - 1 draws and expansions; once shares have their memory, no allocation but one in F61 with k > 2.
 * Errors:  EIS_ERR_USAGE  k < 2 (the share would be x itself) or k > EIS_SHARE_COUNT_MAX.
 *          EIS_ERR_UNSUPPORTED, EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL.  All shares are wiped on error. */
EIS_MUST_USE eis_status eis_share_split(eis_prg *prg, eis_share *shares, size_t k, const uint64_t *x,
                                        const eis_vectors *shape, unsigned suite);

/* Writes vector v of a share of words as x minus what given seeds stand for. For masks whose product with the weights
 * is known: the seeds belong to servers that do not get this share. Each seed is used once in its life.
 *
 * Shape:   share from eis_share_init_words; masks[count] are seeds with shapes of batch 1 and the share's ring, form
 *          and n (asserted); count > 0 (asserted); x[n].
 * Secret:  x, masks, share.
 * Cost:    count expansions; in F61 with two masks or more one allocation of a vector.
 * Errors:  EIS_ERR_USAGE  no masks, or one of them has no seed;
 *          EIS_ERR_MEMORY, EIS_ERR_INTERNAL.  The share is wiped on error. */
EIS_MUST_USE eis_status eis_share_split_masked(eis_prg *prg, eis_share *share, size_t v, const uint64_t *x,
                                               const eis_share *masks, size_t count);

/* r[i] = a[i] - b[i] mod 2^bits, the step that sharing consists of, for any ring size: tests run all of Z / 2^4
 * through it, and compare the kernels with it. Shape: r, a, b [n]; r may be a or b. */
void eis_share_subtract_raw(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, unsigned bits);

#endif
