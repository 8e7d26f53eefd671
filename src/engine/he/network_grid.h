/* SPDX-License-Identifier: Apache-2.0 */
/* How the numbers of a vector stand in slots between two layers, and how one map is computed from such a grid to the
 * next one without a level for masks.
 *
 * A grid has a number at every multiple of `stride`; what stands between may be anything, since every factor there is
 * 0. Its `units` multiples repeat, so that there are slots / (units stride) copies. A map with m outputs gives each
 * copy m / copies of them ("diagonals"): the units of a copy fall into that many blocks, block b of copy r belongs to
 * output r diagonals + b, and the sum over d of rotate(x, d blocks) times a plane brings all inputs to each output; a
 * fold over the units of a block then leaves output o at the block's first slot: a grid again, of a larger stride.
 *
 *                 copy 0                     copy 1
 *   x       | x0 x1 x2 x3 x4 x5 x6 x7 | x0 x1 x2 x3 x4 x5 x6 x7 |
 *   output  |     y0     |     y1     |     y2     |     y3     |   2 diagonals, folds over 4
 *
 * With one copy and as many outputs as inputs this is the method of diagonals, with one diagonal that of replicated
 * rows.
 * Source: [JVC18, section 6]. */
#ifndef EIS_ENGINE_HE_NETWORK_GRID_H
#define EIS_ENGINE_HE_NETWORK_GRID_H

#include "engine/he/graph.h"

#include <stddef.h>
#include <stdint.h>

typedef struct eis_he_grid {
    uint32_t stride, units; /* powers of two, stride * units <= slots */
    uint32_t run, used;     /* of every `run` units the first `used` hold numbers; run a power of two */
    uint32_t per;           /* numbers in one ciphertext */
    uint32_t count;         /* numbers in all */
    uint32_t ciphertexts;   /* ceil(count / per) */
} eis_he_grid;

/* Returns which number stands at a unit of a ciphertext, or -1 for none. */
int64_t eis_he_grid_value(const eis_he_grid *grid, uint32_t ciphertext, uint32_t unit);

/* The grid of numbers that lie next to each other, copied as often as they fit. Range: 0 < count. */
eis_he_grid eis_he_grid_rows(uint32_t count, size_t slots);

/* One map between two grids, for one ciphertext in and one out at a time. */
typedef struct eis_he_product {
    eis_he_grid in, out;
    uint32_t diagonals, step; /* rotations by d step, d < diagonals */
    uint32_t fold, fold_stride;
} eis_he_product;

/* Plans the way from a grid to `count` numbers. Range: 0 < count. */
eis_he_product eis_he_product_of(const eis_he_grid *in, uint32_t count, size_t slots);

/* Fills the plane of diagonal d: what stands beside the rotation by d step. Returns whether it has a factor that is
 * not 0.
 *
 * Shape:   values[slots]; matrix[out.count][in.count].
 * Range:   d < diagonals; source and target number the ciphertexts in and out. */
bool eis_he_product_plane(double *values, const eis_he_product *p, const double *matrix, size_t slots, uint32_t source,
                          uint32_t target, uint32_t d);

/* Puts numbers at their slots, all others 0. Shape: values[slots], x[grid->count]. */
void eis_he_grid_spread(double *values, const eis_he_grid *grid, const double *x, size_t slots, uint32_t ciphertext);

/* Returns the smallest power of two that is not below x. Range: 0 < x <= 2^31. */
uint32_t eis_he_power_of_two(uint32_t x);

#endif
