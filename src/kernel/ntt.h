/* SPDX-License-Identifier: Apache-2.0 */
/* The hot loops over words modulo one prime: transforms and pointwise arithmetic. A part of the table of kernel.h;
 * generic/ fills all of it and is the oracle.
 *
 * All words that go in and come out are canonical unless an entry says otherwise, so every level gives identical words
 * whatever ranges it uses inside. All entries are constant time in the words. r may be one of the inputs; arrays that
 * overlap otherwise are a broken contract. */
#ifndef EIS_KERNEL_NTT_H
#define EIS_KERNEL_NTT_H

#include "kernel/zq_word.h"

#include <stddef.h>
#include <stdint.h>

/* Degrees of the ring: 2^1 ... 2^17. */
#define EIS_NTT_DEGREE_LOG2_MAX 17

/* Words that go into a transform are below this many q. */
#define EIS_NTT_LAZY_BOUND 4

/* The tables of one prime and degree n. Made by eis_ntt_plan_init (ring/ntt.h), then constant.
 *
 * With psi the smallest primitive 2n-th root of 1 and brv the reversal of log2 n bits, entry i of `roots` is
 * psi^brv(i), and entry i of `inverse_roots` is psi^-brv(i). Entry 0 is 1 and unused. */
typedef struct eis_ntt_plan {
    eis_modulus mod;
    unsigned degree_log2;
    size_t degree;
    uint64_t psi;
    const uint64_t *roots, *roots_shoup;                 /* [n] */
    const uint64_t *inverse_roots, *inverse_roots_shoup; /* [n] */
    eis_zq_factor degree_inverse;                        /* 1/n */
    eis_zq_factor last_inverse;                          /* inverse_roots[1] / n, the factor of the last stage */

    /* For primes of at most EIS_ZQ_REAL_BITS_MAX bits, else NULL: the roots centred, and divided by q. From n/4 on (n
     * of 16 and more) they stand in the order of use: for every four nodes of the second last stage their four roots,
     * then the four of their first halves in the last stage, then of their second halves. */
    const double *roots_real, *roots_over_q;                 /* [n] */
    const double *inverse_roots_real, *inverse_roots_over_q; /* [n] */
    double degree_inverse_real, degree_inverse_over_q;
    double last_inverse_real, last_inverse_over_q;

    /* For the same primes, where this processor multiplies words of 52 bits, else NULL: the roots times 2^52, and these
     * divided by q modulo 2^52. */
    const uint64_t *roots_52, *roots_52_low;                 /* [n] */
    const uint64_t *inverse_roots_52, *inverse_roots_52_low; /* [n] */
    void *block;                                             /* all tables, one allocation */
} eis_ntt_plan;

/* One prime's part of a sum of products. Shape: a[terms][n], b[terms][n] by pointers. */
#define EIS_ZQ_DOT_TERMS_MAX 64 /* 64 products below 2^122 stay below 2^128 */

typedef struct eis_zq_kernels {
    /* Transforms a polynomial from coefficients to values, in place.
     *
     * Shape:   a[n], n = plan->degree.
     * Range:   in  each a[i] in [0, EIS_NTT_LAZY_BOUND q), natural order.
     *          out canonical; a[i] is the value at psi^(2 brv(i) + 1).
     * Source:  [LN16, algorithm 1]; lazy ranges [Har14, section 4]. */
    void (*ntt_forward)(uint64_t *a, const eis_ntt_plan *plan);

    /* The inverse, with the factor 1/n. Range: in and out canonical; values in, coefficients out. */
    void (*ntt_inverse)(uint64_t *a, const eis_ntt_plan *plan);

    /* r = a + b, a - b. Shape: all [n], any n, as in every entry below. */
    void (*add)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
    void (*sub)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);

    /* r = a * b, and r = r + a * b. */
    void (*mul)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
    void (*mul_add)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);

    /* r = a * factor, r = r + a * factor, and r = (a - b) * factor. */
    void (*mul_factor)(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
    void (*mul_factor_add)(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
    void (*sub_mul_factor)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                           const eis_modulus *m);

    /* r = sum over j of a[j] * b[j], or of a[j] at permuted places: r[i] = sum a[j][order[i]] * b[j][i].
     *
     * Shape:   a, b [terms][n] by pointers, 0 < terms <= EIS_ZQ_DOT_TERMS_MAX; order[n] or NULL. r overlaps nothing. */
    void (*dot)(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                size_t n, const eis_modulus *m);

    /* Two such sums with the same a, which is read and permuted once: r0 = sum over j of a[j] * b0[j], r1 of a[j] *
     * b1[j]. That is the product of digits with the two halves of a key.
     *
     * Shape:   as dot; r0 and r1 overlap nothing, nor each other. */
    void (*dot_pair)(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                     const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m);

    /* r = a mod q for words of any size, and for canonical words of another modulus p that stand for their centred
     * value in [-(p-1)/2, (p-1)/2]. Range: p odd, p < 2^61. */
    void (*reduce)(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m);
    void (*reduce_centred)(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);
} eis_zq_kernels;

#endif
