/* SPDX-License-Identifier: Apache-2.0 */
/* Between slots and integer polynomials: a part of the table of kernel.h. encode/slots.c says what is computed.
 *
 * Every level gives equal doubles (zeros may differ in sign), so all of them do the same operations in the same order,
 * none of them fused.
 * Everything is constant time in the values. */
#ifndef EIS_KERNEL_SLOTS_H
#define EIS_KERNEL_SLOTS_H

#include "kernel/zq_word.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_SLOTS_LIMBS_MAX 64

typedef struct eis_slot_kernels {
    /* Transforms n complex numbers in place, from coefficients to the values at the n roots of X^n - i.
     *
     * Shape:   re, im, root_re, root_im [n], n a power of two. Node v of the tree of factors, 1 <= v < n, is
     *          X^(2h) - root[v]^2, its children are X^h - root[v] (which is node 2v) and X^h + root[v]. A butterfly of
     *          a node is (x, y) to (x + y root, x - y root). root[2v + 1] is i root[2v]. */
    void (*forward)(double *re, double *im, const double *root_re, const double *root_im, size_t n);

    /* The inverse, times n: from the leaves up, (x, y) to (x + y, (x - y) conjugate(root)). */
    void (*inverse)(double *re, double *im, const double *root_re, const double *root_im, size_t n);

    /* v = v * factor, rounded to integers, halves away from zero. Returns the largest magnitude before the rounding, or
     * what is not finite. Shape: v[n]. */
    double (*scale_and_round)(double *v, size_t n, double factor);

    /* Takes integers into the ring of a prime. Shape: words[n], v[n]. Range: integers, |v| < 2^62; out canonical. */
    void (*words_from_integers)(uint64_t *words, const double *v, size_t n, const eis_modulus *m);

    /* From digits in the mixed base q_0, q_0 q_1, ... to reals: the number that is below half of the product in
     * magnitude, times factor.
     *
     * Shape:   v[n]; digits[limbs][stride], those of q_0 first, n of each; m[limbs].
     * Range:   canonical digits; limbs <= EIS_SLOTS_LIMBS_MAX. The sum is rounded at each limb, from the top. */
    void (*reals_from_digits)(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                              const eis_modulus *const *m, double factor);
} eis_slot_kernels;

#endif
