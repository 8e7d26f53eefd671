/* SPDX-License-Identifier: Apache-2.0 */
/* Threshold sharing over GF(2^61 - 1): a polynomial of degree t - 1 with x at 0; server i has its value at i. Any t
 * values give x, any t - 1 tell nothing. */
#ifndef EIS_SHARE_SHAMIR_H
#define EIS_SHARE_SHAMIR_H

#include "share/share.h"

/* No call has more servers. */
#define EIS_SHAMIR_SERVERS_MAX 64

/* Splits a batch of vectors among n servers. Servers 1 .. t - 1 get seeds, which fix the polynomial together with x;
 * the others get its values in words.
 *
 * Shape:   shares[servers]; x[batch][n] words without padding; the shape has ring F61 and form WORDS (asserted).
 * Range:   canonical words.
 * Secret:  x, shares.
 * Cost:    t - 1 draws and expansions, t * (servers - t + 1) products per word; one allocation of t - 1 vectors.
 * Errors:  EIS_ERR_USAGE  not 2 <= t <= servers <= EIS_SHAMIR_SERVERS_MAX.
 *          EIS_ERR_UNSUPPORTED, EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL.  All shares are wiped on error. */
EIS_MUST_USE eis_status eis_shamir_split(eis_prg *prg, eis_share *shares, size_t servers, size_t threshold,
                                         const uint64_t *x, const eis_vectors *shape, unsigned suite);

/* One server's answer. */
typedef struct eis_shamir_answer {
    uint32_t point;        /* 1 .. servers */
    const uint64_t *words; /* [count], canonical */
} eis_shamir_answer;

/* Recovers the value at 0 from t answers.
 *
 * Shape:   y[count]; answers[threshold].
 * Secret:  words, y; points are public.
 * Errors:  EIS_ERR_USAGE  threshold < 2, a point that is 0, above EIS_SHAMIR_SERVERS_MAX, or there twice.
 *          y is untouched. */
EIS_MUST_USE eis_status eis_shamir_recover(uint64_t *y, const eis_shamir_answer *answers, size_t threshold,
                                           size_t count);

/* Checks that more than t answers lie on one polynomial: t + 1 detect one wrong answer, t + 2 or
 * more name a lone cheat.
 *
 * Shape:   answers[answer_count], answer_count > threshold. *cheat is the point that is wrong, 0 where nobody can be
 *          named.
 * Secret:  words. Which answer is wrong, and that one is, is public: the call fails for it.
 * Cost:    a pass over all answers; answer_count passes after a mismatch.
 * Errors:  EIS_ERR_INTEGRITY  they do not agree; *cheat is set.
 *          EIS_ERR_USAGE      as for eis_shamir_recover; *cheat is 0. */
EIS_MUST_USE eis_status eis_shamir_agree(uint32_t *cheat, const eis_shamir_answer *answers, size_t answer_count,
                                         size_t threshold, size_t count);

/* --- cores for every field GF(2^bits - 1), so that tests can run all of GF(7) ----------------- */

/* Lagrange coefficients from points to one point. Shape: coefficients[count], from[count]; variable time, public. */
void eis_shamir_lagrange_raw_var(uint64_t *coefficients, const uint64_t *from, size_t count, uint64_t at,
                                 unsigned bits);

/* y[i] = sum of c[j] * x[j][i]. Shape: y[n], x[terms] pointers to [n]. bits = 61 takes the kernels. */
void eis_shamir_combine_raw(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t terms, size_t n,
                            unsigned bits);

#endif
