/* SPDX-License-Identifier: Apache-2.0 */
/* Reals to integers and back: weights with one scale per row, inputs with one power of two per vector, chosen so that
 * no input whatever can wrap around in the ring. */
#ifndef EIS_ENCODE_FIXED_H
#define EIS_ENCODE_FIXED_H

#include "base/status.h"
#include "kernel/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The scale 2^f of a vector has f in [-EIS_FIXED_BITS_MAX, EIS_FIXED_BITS_MAX]. */
#define EIS_FIXED_BITS_MAX 900

/* Entries from here on count as not finite: their squares, summed, would not fit a double. 2^400. */
#define EIS_FIXED_ENTRY_MAX 0x1p400

/* Default of the fraction bits that a model asks for at its declared norm. */
#define EIS_FIXED_MIN_BITS 12

/* --- weights (public) ------------------------------------------------------------------------- */

/* Returns the largest integer weight of a geometry: 127, 2^19 - 1 or 2^23 - 1. The smallest is -127, -2^19, -2^23. */
int32_t eis_fixed_weight_limit(eis_geometry geometry);

/* Quantises one row: scale = max |row| / limit, w = round(row / scale), clamped. A row of zeros has scale 1.
 *
 * Shape:   w[n], row[n].
 * Errors:  EIS_ERR_MODEL  a weight is not finite; its column is named. w and scale are untouched. */
EIS_MUST_USE eis_status eis_fixed_weight_row(int32_t *w, double *scale, const double *row, size_t n,
                                             eis_geometry geometry);

/* Returns the Euclidean norm of an integer row, rounded up. Shape: w[n]; |w| <= 2^23, n <= EIS_PACKED_COLS_MAX. */
double eis_fixed_row_norm(const int32_t *w, size_t n);

/* --- the certain bound ------------------------------------------------------------------------ */

/* How large 2^f |x|_2 may be in one layer, ring and mode. Public; made once. */
typedef struct eis_fixed_bound {
    eis_ring ring;
    double room2;           /* (2^f |x|_2)^2 stays below it; all slack for rounding is taken off */
    double room;            /* its root */
    double row_norm, limit; /* |row_norm * |x_int|_2| stays below limit: what the tests and debug builds check */
} eis_fixed_bound;

/* Makes the bound from R (2^f |x|_2 + sqrt(n)/2) < half - h, where half is 2^(bits-1), or (p-1)/2 in F61, and h is
 * truncated_count * 2^truncated_bits with truncated replies, else 0; and from 2^f |x|_2 < 2^50.
 *
 * Shape:   n is the length of one weight row (conv2d: of a window).
 * Range:   row_norm = R > 0 as eis_fixed_row_norm gives it, the largest of the layer (0 counts as 1).
 * Errors:  EIS_ERR_MODEL  not even |x|_2 = 1 fits: the ring is too small for these weights; or R is not a
 *                         positive finite number. *bound is untouched. */
EIS_MUST_USE eis_status eis_fixed_bound_init(eis_fixed_bound *bound, eis_ring ring, double row_norm, size_t n,
                                             unsigned truncated_bits, size_t truncated_count);

/* Returns the sum of squares of a vector, whose root is the norm that eis_fixed_bits takes.
 *
 * Shape:   x[n], n <= EIS_PACKED_COLS_MAX.
 * Range:   |x| < EIS_FIXED_ENTRY_MAX (EIS_VERIFY). Relative error below 2^-34.
 * Secret:  x. */
double eis_fixed_norm2(const double *x, size_t n);

/* Returns f, the number of fraction bits: the largest that keeps the bound; 0 for norm2 = 0.
 *
 * Range:   norm2 from eis_fixed_norm2; for conv2d the largest of all windows.
 * Secret:  norm2 and the result: no branch, no division, no loop. */
int eis_fixed_bits(const eis_fixed_bound *bound, double norm2);

/* Tells whether quantised words keep the bound, by their exact norm: for EIS_VERIFY and tests. conv2d: one window.
 * Shape: words[n]. Variable time. */
bool eis_fixed_bound_holds_var(const eis_fixed_bound *bound, const uint64_t *words, size_t n);

/* Chooses the ring of byte planes for 8-bit weights: the smallest of Z32, Z40, Z48, Z56, Z64 in which a vector of the
 * declared norm gets min_bits fraction bits; Z64 where none does.
 *
 * Range:   declared_norm finite and >= 0; with `truncate`, replies of rings above 32 bits are cut to 32 bits by
 *          `share_count` servers.
 * Errors:  EIS_ERR_MODEL  as for eis_fixed_bound_init in Z64, or the norm is not finite.  *ring is untouched. */
EIS_MUST_USE eis_status eis_fixed_ring_choose(eis_ring *ring, double row_norm, size_t n, double declared_norm,
                                              int min_bits, bool truncate, size_t share_count);

/* --- inputs and answers (secret) -------------------------------------------------------------- */

/* Returns true where every entry is finite and below EIS_FIXED_ENTRY_MAX. Secret: x; only the answer is looked at. */
bool eis_fixed_input_ok(const double *x, size_t n);

/* Puts 0 in place of entries that eis_fixed_input_ok would refuse.
 *
 * Returns all ones where there was one, else 0. Secret: x and the result: inner layers keep it and report the error
 * at the end of a token, because an early stop would tell a server something about x. */
uint64_t eis_fixed_sanitise(double *x, size_t n);

/* words[i] = round(x[i] * 2^bits), ties to even, in the ring.
 *
 * Shape:   words[n], x[n].
 * Range:   bits from eis_fixed_bits for a norm that x does not exceed.
 * Secret:  x, bits, words. */
void eis_fixed_from_reals(uint64_t *words, const double *x, size_t n, int bits, eis_ring ring);

/* Centres the words of y = W x and scales them: y[i] = word * row_scale[i] * 2^-bits.
 *
 * Shape:   y[m], words[m], row_scale[m].
 * Range:   canonical words. truncated_count words of the sum had truncated_bits cut off: count * (2^t - 1) / 2 is
 *          added, which leaves an error of at most count / 2 units of 2^t.
 * Secret:  words, bits, y. */
void eis_fixed_to_reals(double *y, const uint64_t *words, const double *row_scale, size_t m, int bits, eis_ring ring,
                        unsigned truncated_bits, size_t truncated_count);

#endif
