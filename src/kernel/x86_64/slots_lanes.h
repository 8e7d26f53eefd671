/* SPDX-License-Identifier: Apache-2.0 */
/* The transform of slots, two stages at a time, and what its neighbours have in common. The file that includes this has
 * said what lanes are:
 *
 *   LANES                                how many
 *   lanes                                a vector of so many doubles
 *   lanes_load(p), lanes_store(p, v), lanes_set(v)
 *   lanes_add(a, b), lanes_sub(a, b), lanes_mul(a, b), lanes_negate(a)
 *   lanes_load_nodes(v, p)               from LANES nodes of 4 numbers to element j of each in v[j], and
 *   lanes_store_nodes(p, v)              back
 *   lanes_load_even(p)                   every other one of 2 LANES numbers
 *   SLOTS_PAIRS                          whether a vector holds quarters of two nodes of 16 numbers, and then
 *   lanes_load_pair(p, q), lanes_store_pair(p, q, v), lanes_set_pair(a, b), by halves
 *   word_lanes, words_set(v)             a vector of so many words
 *
 * A node of the tree holds consecutive numbers; a pass takes a node of 4h numbers to its four grandchildren, or back.
 * Passes run depth first, so that what fits into the first cache stays there. */
#ifndef EIS_KERNEL_X86_64_SLOTS_LANES_H
#define EIS_KERNEL_X86_64_SLOTS_LANES_H

#include "base/status.h"
#include "kernel/generic/generic.h"
#include "kernel/slots.h"

#include <stdbool.h>
#include <string.h>

#define SLOTS_INLINE static inline __attribute__((always_inline))

/* What the last pass takes: LANES nodes of 4 numbers. A transform of fewer than four times a half of it is too small.
 */
#define SLOTS_LOWEST ((size_t)4 * LANES)
#define SLOTS_MIN    (SLOTS_PAIRS ? (size_t)64 : (size_t)16)

typedef struct complex_lanes {
    lanes re, im;
} complex_lanes;

/* What one transform works on. */
typedef struct slots_job {
    double *re, *im;
    const double *root_re, *root_im;
    size_t n;
} slots_job;

SLOTS_INLINE complex_lanes load_at(const slots_job *s, size_t at)
{
    return (complex_lanes){lanes_load(s->re + at), lanes_load(s->im + at)};
}

SLOTS_INLINE void store_at(const slots_job *s, size_t at, complex_lanes v)
{
    lanes_store(s->re + at, v.re);
    lanes_store(s->im + at, v.im);
}

SLOTS_INLINE complex_lanes root_of(const slots_job *s, size_t node)
{
    return (complex_lanes){lanes_set(s->root_re[node]), lanes_set(s->root_im[node])};
}

SLOTS_INLINE complex_lanes add(complex_lanes a, complex_lanes b)
{
    return (complex_lanes){lanes_add(a.re, b.re), lanes_add(a.im, b.im)};
}

SLOTS_INLINE complex_lanes sub(complex_lanes a, complex_lanes b)
{
    return (complex_lanes){lanes_sub(a.re, b.re), lanes_sub(a.im, b.im)};
}

/* (x, y) to (x + y w, x - y w), as in plain C. */
SLOTS_INLINE void forward_butterfly(complex_lanes *x, complex_lanes *y, complex_lanes w)
{
    const complex_lanes v = {lanes_sub(lanes_mul(y->re, w.re), lanes_mul(y->im, w.im)),
                             lanes_add(lanes_mul(y->re, w.im), lanes_mul(y->im, w.re))};

    *y = sub(*x, v);
    *x = add(*x, v);
}

/* (x, y) to (x + y i w, x - y i w): the product is that of w, and i only changes sign and place. */
SLOTS_INLINE void forward_butterfly_i(complex_lanes *x, complex_lanes *y, complex_lanes w)
{
    const lanes vi = lanes_sub(lanes_mul(y->re, w.re), lanes_mul(y->im, w.im));
    const lanes minus_vr = lanes_add(lanes_mul(y->re, w.im), lanes_mul(y->im, w.re));
    const complex_lanes a = *x;

    *x = (complex_lanes){lanes_sub(a.re, minus_vr), lanes_add(a.im, vi)};
    *y = (complex_lanes){lanes_add(a.re, minus_vr), lanes_sub(a.im, vi)};
}

/* (x, y) to (x + y, (x - y) conjugate(w)). */
SLOTS_INLINE void inverse_butterfly(complex_lanes *x, complex_lanes *y, complex_lanes w)
{
    const complex_lanes d = sub(*x, *y);

    *x = add(*x, *y);
    *y = (complex_lanes){lanes_add(lanes_mul(d.re, w.re), lanes_mul(d.im, w.im)),
                         lanes_sub(lanes_mul(d.im, w.re), lanes_mul(d.re, w.im))};
}

/* (x, y) to (x + y, (x - y) conjugate(i w)): the factor is -i conjugate(w). */
SLOTS_INLINE void inverse_butterfly_i(complex_lanes *x, complex_lanes *y, complex_lanes w)
{
    const complex_lanes d = sub(*x, *y);

    *x = add(*x, *y);
    *y = (complex_lanes){lanes_sub(lanes_mul(d.im, w.re), lanes_mul(d.re, w.im)),
                         lanes_negate(lanes_add(lanes_mul(d.re, w.re), lanes_mul(d.im, w.im)))};
}

/* The stage of the root alone. */
SLOTS_INLINE void one_stage(const slots_job *s, bool forward)
{
    const complex_lanes w = root_of(s, 1);
    const size_t h = s->n / 2;

    for (size_t j = 0; j < h; j += LANES) {
        complex_lanes x = load_at(s, j), y = load_at(s, j + h);

        if (forward) forward_butterfly(&x, &y, w);
        if (!forward) inverse_butterfly(&x, &y, w);
        store_at(s, j, x);
        store_at(s, j + h, y);
    }
}

SLOTS_INLINE void forward_two(complex_lanes v[4], complex_lanes w, complex_lanes w_even)
{
    forward_butterfly(&v[0], &v[2], w);
    forward_butterfly(&v[1], &v[3], w);
    forward_butterfly(&v[0], &v[1], w_even);
    forward_butterfly_i(&v[2], &v[3], w_even);
}

SLOTS_INLINE void inverse_two(complex_lanes v[4], complex_lanes w, complex_lanes w_even)
{
    inverse_butterfly(&v[0], &v[1], w_even);
    inverse_butterfly_i(&v[2], &v[3], w_even);
    inverse_butterfly(&v[0], &v[2], w);
    inverse_butterfly(&v[1], &v[3], w);
}

/* Two stages on a node of 4h numbers, h >= LANES. */
SLOTS_INLINE void two_stages(const slots_job *s, size_t node, size_t first, size_t h, bool forward)
{
    const complex_lanes w = root_of(s, node), w_even = root_of(s, 2 * node);

    for (size_t at = first; at < first + h; at += LANES) {
        complex_lanes v[4] = {load_at(s, at), load_at(s, at + h), load_at(s, at + 2 * h), load_at(s, at + 3 * h)};

        if (forward) forward_two(v, w, w_even);
        if (!forward) inverse_two(v, w, w_even);
        for (size_t k = 0; k < 4; k++) store_at(s, at + k * h, v[k]);
    }
}

#if SLOTS_PAIRS
/* Two stages on two nodes of 16 numbers side by side. */
SLOTS_INLINE void two_stages_pair(const slots_job *s, size_t node, size_t first, bool forward)
{
    const double *re = s->root_re, *im = s->root_im;
    const complex_lanes w = {lanes_set_pair(re[node], re[node + 1]), lanes_set_pair(im[node], im[node + 1])};
    const complex_lanes w_even = {lanes_set_pair(re[2 * node], re[2 * node + 2]),
                                  lanes_set_pair(im[2 * node], im[2 * node + 2])};
    complex_lanes v[4];

    for (size_t k = 0; k < 4; k++) {
        const size_t at = first + 4 * k;
        v[k] =
            (complex_lanes){lanes_load_pair(s->re + at, s->re + at + 16), lanes_load_pair(s->im + at, s->im + at + 16)};
    }
    if (forward) forward_two(v, w, w_even);
    if (!forward) inverse_two(v, w, w_even);
    for (size_t k = 0; k < 4; k++) {
        const size_t at = first + 4 * k;
        lanes_store_pair(s->re + at, s->re + at + 16, v[k].re);
        lanes_store_pair(s->im + at, s->im + at + 16, v[k].im);
    }
}
#endif

/* The two lowest stages, on LANES nodes of 4 numbers that begin at `first`. */
SLOTS_INLINE void lowest_stages(const slots_job *s, size_t first, bool forward)
{
    const size_t node = s->n / 4 + first / 4;
    const complex_lanes w = {lanes_load(s->root_re + node), lanes_load(s->root_im + node)};
    const complex_lanes w_even = {lanes_load_even(s->root_re + 2 * node), lanes_load_even(s->root_im + 2 * node)};
    lanes re[4], im[4];
    complex_lanes v[4];

    lanes_load_nodes(re, s->re + first);
    lanes_load_nodes(im, s->im + first);
    for (size_t k = 0; k < 4; k++) v[k] = (complex_lanes){re[k], im[k]};
    if (forward) forward_two(v, w, w_even);
    if (!forward) inverse_two(v, w, w_even);
    for (size_t k = 0; k < 4; k++) {
        re[k] = v[k].re;
        im[k] = v[k].im;
    }
    lanes_store_nodes(s->re + first, re);
    lanes_store_nodes(s->im + first, im);
}

/* Nodes of `size` numbers in [first, first + length). */
SLOTS_INLINE void all_nodes(const slots_job *s, size_t first, size_t length, size_t size, bool forward)
{
#if SLOTS_PAIRS
    if (size == 16) {
        for (size_t at = first; at < first + length; at += 32) two_stages_pair(s, (s->n + at) / 16, at, forward);
        return;
    }
#endif
    for (size_t at = first; at < first + length; at += size) {
        two_stages(s, (s->n + at) / size, at, size / 4, forward);
    }
}

SLOTS_INLINE void all_lowest(const slots_job *s, size_t first, size_t length, bool forward)
{
    for (size_t at = first; at < first + length; at += SLOTS_LOWEST) lowest_stages(s, at, forward);
}

/* 16 KiB: half of a first cache. */
#define SLOTS_BLOCK ((size_t)1024)

/* The size of the nodes that passes of two stages begin with: all, or halves where the number of stages is odd. */
static inline size_t top_size(size_t n)
{
    size_t size = 4;

    while (size * 4 <= n) size *= 4;
    return size;
}

static inline void run_forward(const slots_job *s)
{
    size_t size = top_size(s->n), below;

    if (size < s->n) one_stage(s, true);
    for (; size > SLOTS_BLOCK; size /= 4) all_nodes(s, 0, s->n, size, true);
    for (size_t first = 0; first < s->n; first += size) {
        for (below = size; below > 4; below /= 4) all_nodes(s, first, size, below, true);
        all_lowest(s, first, size, true);
    }
}

static inline void run_inverse(const slots_job *s)
{
    const size_t top = top_size(s->n);
    size_t block = top, size;

    while (block > SLOTS_BLOCK) block /= 4;
    for (size_t first = 0; first < s->n; first += block) {
        all_lowest(s, first, block, false);
        for (size = 16; size <= block; size *= 4) all_nodes(s, first, block, size, false);
    }
    for (size = block * 4; size <= top; size *= 4) all_nodes(s, 0, s->n, size, false);
    if (top < s->n) one_stage(s, false);
}

static inline void transform(double *re, double *im, const double *root_re, const double *root_im, size_t n,
                             bool forward)
{
    const slots_job job = {re, im, root_re, root_im, n};

    if (n < SLOTS_MIN) {
        (forward ? slots_forward_generic : slots_inverse_generic)(re, im, root_re, root_im, n);
    } else {
        (forward ? run_forward : run_inverse)(&job);
    }
}

/* ---- Rounding --------------------------------------------------------------------------------------------------- */

/* The number before a half: added away from zero, it takes halves to the next integer and nothing below them. */
#define ALMOST_HALF 0x1.fffffffffffffp-2

/* Rounds LANES scaled numbers, and remembers the largest magnitude of each lane as the words that it is. */
static inline lanes round_lanes(word_lanes *largest, lanes scaled);

static inline double scale_and_round(double *v, size_t n, double factor)
{
    const lanes scale = lanes_set(factor);
    const size_t end = n - n % LANES;
    word_lanes largest = words_set(0);
    double of_lane[LANES + 1];

    for (size_t i = 0; i < end; i += LANES)
        lanes_store(v + i, round_lanes(&largest, lanes_mul(lanes_load(v + i), scale)));
    memcpy(of_lane, &largest, sizeof largest);
    of_lane[LANES] = slots_scale_and_round_generic(v + end, n - end, factor);
    return slots_scale_and_round_generic(of_lane, LANES + 1, 1); /* for the largest of all */
}

/* ---- Digits to reals -------------------------------------------------------------------------------------------- */

/* What one limb needs. */
typedef struct limb_constants {
    word_lanes half, top; /* (q - 1) / 2; what a digit is taken from where the number is negative */
    lanes q;
} limb_constants;

/* As in plain C: which of LANES numbers stand for negative ones, then their magnitudes from the top. */
static inline lanes centred_reals(const uint64_t *digits, size_t limbs, size_t stride, const limb_constants *c);

static inline void reals_from_digits(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                     const eis_modulus *const *m, double factor)
{
    const lanes scale = lanes_set(factor);
    const size_t end = n - n % LANES;
    limb_constants c[EIS_SLOTS_LIMBS_MAX];

    EIS_VERIFY(limbs <= EIS_SLOTS_LIMBS_MAX);
    for (size_t i = 0; i < limbs; i++) {
        c[i].half = words_set((m[i]->q - 1) / 2);
        c[i].top = words_set(m[i]->q - 1 + (i == 0));
        c[i].q = lanes_set(m[i]->q_real);
    }
    for (size_t i = 0; i < end; i += LANES) {
        lanes_store(v + i, lanes_mul(centred_reals(digits + i, limbs, stride, c), scale));
    }
    slots_reals_from_digits_generic(v + end, digits + end, limbs, n - end, stride, m, factor);
}

#endif
