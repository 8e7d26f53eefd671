/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of a transform in vectors of eight words, over an arithmetic that the including file defines.
 *
 * The last three stages (first three of the inverse) pair words inside a vector. Two neighbouring nodes of 8 words are
 * interleaved before each, so that the two inputs of a butterfly stand in the same lane of two vectors, and a lane's
 * node is its number modulo 2, 4 and 8: the factors are 2, 4 and 8 neighbours, repeated. After each stage the two
 * vectors are the first and second halves of all nodes, so interleaving them again prepares the next one, and after
 * the last stage gives the words in order. */
#ifndef EIS_KERNEL_X86_64_NTT_AVX512_H
#define EIS_KERNEL_X86_64_NTT_AVX512_H

#include "kernel/x86_64/ntt_passes.h"
#include "kernel/x86_64/zq_avx512.h"

#include "base/status.h"

#define DEGREE_MIN 64 /* a node of the first pass has at least four nodes of 8 words */

/* A constant factor, and what its products need. */
typedef struct factor {
    __m512i value, help;
} factor;

/* What all butterflies of a transform share. */
typedef struct transform {
    const eis_ntt_plan *plan;
    const uint64_t *roots, *help;
    uint64_t *a;
    __m512i q, q2, q4;
} transform;

/* ---- The arithmetic; `kind` is known at compile time ------------------------------------------------------------ */

/* Words between two passes are below this. */
NTT_INLINE uint64_t forward_bound(const eis_modulus *m, int kind);
NTT_INLINE uint64_t inverse_bound(const eis_modulus *m, int kind);

/* A word that enters the forward transform as the first of a butterfly. */
NTT_INLINE __m512i first_word(__m512i x, const transform *f, int kind);

/* x + w y and x - w y. */
NTT_INLINE void forward_two(__m512i *x, __m512i *y, factor w, const transform *f, int kind);

/* Any word of a forward transform, canonical. */
NTT_INLINE __m512i last_word(__m512i x, const transform *f, int kind);

/* x + y and w (x - y), in stage 0, 1 or 2 of those inside a vector, which begin with canonical words. */
NTT_INLINE void inverse_two(__m512i *x, __m512i *y, factor w, unsigned stage, const transform *f, int kind);

/* Two stages on words within the bound, but without the products of the second: sums in 0 and 1, differences in 2 and
 * 3. Then these, brought within the bound, by products or otherwise. */
NTT_INLINE void inverse_half(__m512i v[4], factor w2, factor w3, const transform *f, int kind);
NTT_INLINE void inverse_rest(__m512i v[4], factor w1, const transform *f, int kind);

/* One stage on words within the bound, without the product. */
NTT_INLINE void inverse_sums(__m512i *x, __m512i *y, const transform *f, int kind);

/* The product of such a sum or difference, canonical. */
NTT_INLINE __m512i last_product(__m512i x, factor w, const transform *f);

/* A factor of the last stage. */
NTT_INLINE factor constant_factor(eis_zq_factor w, const eis_modulus *m);

/* ---- Passes ----------------------------------------------------------------------------------------------------- */

NTT_INLINE transform transform_of(uint64_t *a, const eis_ntt_plan *plan, const uint64_t *roots, const uint64_t *help)
{
    const uint64_t q = plan->mod.q;

    return (transform){plan, roots, help, a, all_lanes(q), all_lanes(2 * q), all_lanes(4 * q)};
}

NTT_INLINE factor root_at(const transform *f, size_t i)
{
    return (factor){all_lanes(f->roots[i]), all_lanes(f->help[i])};
}

/* 2, 4 or 8 neighbours, repeated. */
NTT_INLINE factor roots_2(const transform *f, size_t i)
{
    return (factor){repeat_2(f->roots + i), repeat_2(f->help + i)};
}

NTT_INLINE factor roots_4(const transform *f, size_t i)
{
    return (factor){repeat_4(f->roots + i), repeat_4(f->help + i)};
}

NTT_INLINE factor roots_8(const transform *f, size_t i)
{
    return (factor){load_words(f->roots + i), load_words(f->help + i)};
}

NTT_INLINE void verify_bound(const uint64_t *a, size_t n, uint64_t bound)
{
    (void)a;
    (void)bound;
    for (size_t i = 0; i < n; i++) EIS_VERIFY(a[i] < bound);
}

/* Four vectors, `quarter` words apart. No loops: gcc at -O2 keeps an array that a loop indexes in memory. */
NTT_INLINE void load_four(__m512i v[4], const uint64_t *p, size_t quarter)
{
    v[0] = load_words(p);
    v[1] = load_words(p + quarter);
    v[2] = load_words(p + 2 * quarter);
    v[3] = load_words(p + 3 * quarter);
}

NTT_INLINE void store_four(uint64_t *p, const __m512i v[4], size_t quarter)
{
    store_words(p, v[0]);
    store_words(p + quarter, v[1]);
    store_words(p + 2 * quarter, v[2]);
    store_words(p + 3 * quarter, v[3]);
}

NTT_INLINE void forward_one(const transform *f, int kind)
{
    const size_t half = f->plan->degree / 2;
    const factor w = root_at(f, 1);

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        __m512i x = first_word(load_words(f->a + j), f, kind), y = load_words(f->a + half + j);

        forward_two(&x, &y, w, f, kind);
        store_words(f->a + j, x);
        store_words(f->a + half + j, y);
    }
    verify_bound(f->a, f->plan->degree, forward_bound(&f->plan->mod, kind));
}

/* Two stages on four inputs: the first pairs 0 with 2 and 1 with 3, the second 0 with 1 and 2 with 3. */
NTT_INLINE void forward_four(__m512i v[4], factor w1, factor w2, factor w3, const transform *f, int kind)
{
    forward_two(&v[0], &v[2], w1, f, kind);
    forward_two(&v[1], &v[3], w1, f, kind);
    forward_two(&v[0], &v[1], w2, f, kind);
    forward_two(&v[2], &v[3], w3, f, kind);
}

NTT_INLINE void forward_node(const transform *f, size_t m, size_t i, size_t quarter, int first, int kind)
{
    const factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    uint64_t *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m512i v[4];

        load_four(v, a + j, quarter);
        if (first) v[0] = first_word(v[0], f, kind);
        if (first) v[1] = first_word(v[1], f, kind);
        forward_four(v, w1, w2, w3, f, kind);
        store_four(a + j, v, quarter);
    }
    verify_bound(a, 4 * quarter, forward_bound(&f->plan->mod, kind));
}

/* A stage on the halves of nodes, which leaves them as the halves of nodes of the next one. */
NTT_INLINE void forward_halves(__m512i *a, __m512i *b, factor w, const transform *f, int kind)
{
    __m512i x = interleave_low(*a, *b), y = interleave_high(*a, *b);

    forward_two(&x, &y, w, f, kind);
    *a = x;
    *b = y;
}

/* The last three stages for nodes [i, last) of n/8, two pairs at a time, to canonical words. The stages of a pair wait
 * for each other; those of the other pair fill the time. */
NTT_INLINE void forward_end(const transform *f, size_t i, size_t last, int kind)
{
    for (size_t node = f->plan->degree / 8 + i; i < last; i += 4, node += 4) {
        uint64_t *p = f->a + 8 * i;
        __m512i a0 = load_words(p), b0 = load_words(p + 8), a1 = load_words(p + 16), b1 = load_words(p + 24);

        forward_halves(&a0, &b0, roots_2(f, node), f, kind);
        forward_halves(&a1, &b1, roots_2(f, node + 2), f, kind);
        forward_halves(&a0, &b0, roots_4(f, 2 * node), f, kind);
        forward_halves(&a1, &b1, roots_4(f, 2 * node + 4), f, kind);
        forward_halves(&a0, &b0, roots_8(f, 4 * node), f, kind);
        forward_halves(&a1, &b1, roots_8(f, 4 * node + 8), f, kind);
        store_words(p, last_word(interleave_low(a0, b0), f, kind));
        store_words(p + 8, last_word(interleave_high(a0, b0), f, kind));
        store_words(p + 16, last_word(interleave_low(a1, b1), f, kind));
        store_words(p + 24, last_word(interleave_high(a1, b1), f, kind));
    }
}

/* forward_halves backwards. */
NTT_INLINE void inverse_halves(__m512i *a, __m512i *b, factor w, unsigned stage, const transform *f, int kind)
{
    __m512i x = even_words(*a, *b), y = odd_words(*a, *b);

    inverse_two(&x, &y, w, stage, f, kind);
    *a = x;
    *b = y;
}

/* The first three stages for nodes [i, last) of n/8, two pairs at a time. */
NTT_INLINE void inverse_begin(const transform *f, size_t i, size_t last, int kind)
{
    const size_t from = i;

    for (size_t node = f->plan->degree / 8 + i; i < last; i += 4, node += 4) {
        uint64_t *p = f->a + 8 * i;
        __m512i a0 = load_words(p), b0 = load_words(p + 8), a1 = load_words(p + 16), b1 = load_words(p + 24);

        inverse_halves(&a0, &b0, roots_8(f, 4 * node), 0, f, kind);
        inverse_halves(&a1, &b1, roots_8(f, 4 * node + 8), 0, f, kind);
        inverse_halves(&a0, &b0, roots_4(f, 2 * node), 1, f, kind);
        inverse_halves(&a1, &b1, roots_4(f, 2 * node + 4), 1, f, kind);
        inverse_halves(&a0, &b0, roots_2(f, node), 2, f, kind);
        inverse_halves(&a1, &b1, roots_2(f, node + 2), 2, f, kind);
        store_words(p, even_words(a0, b0));
        store_words(p + 8, odd_words(a0, b0));
        store_words(p + 16, even_words(a1, b1));
        store_words(p + 24, odd_words(a1, b1));
    }
    verify_bound(f->a + 8 * from, 8 * (last - from), inverse_bound(&f->plan->mod, kind));
}

NTT_INLINE void inverse_node(const transform *f, size_t m, size_t i, size_t quarter, int kind)
{
    const factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    uint64_t *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m512i v[4];

        load_four(v, a + j, quarter);
        inverse_half(v, w2, w3, f, kind);
        inverse_rest(v, w1, f, kind);
        store_four(a + j, v, quarter);
    }
    verify_bound(a, 4 * quarter, inverse_bound(&f->plan->mod, kind));
}

/* The last stage, or the last two, with the factor 1/n, to canonical words. */
NTT_INLINE void inverse_one(const transform *f, int kind)
{
    const factor sum = constant_factor(f->plan->degree_inverse, &f->plan->mod);
    const factor difference = constant_factor(f->plan->last_inverse, &f->plan->mod);
    const size_t half = f->plan->degree / 2;

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        __m512i x = load_words(f->a + j), y = load_words(f->a + half + j);

        inverse_sums(&x, &y, f, kind);
        store_words(f->a + j, last_product(x, sum, f));
        store_words(f->a + half + j, last_product(y, difference, f));
    }
}

NTT_INLINE void inverse_end(const transform *f, int kind)
{
    const factor sum = constant_factor(f->plan->degree_inverse, &f->plan->mod);
    const factor difference = constant_factor(f->plan->last_inverse, &f->plan->mod);
    const factor w2 = root_at(f, 2), w3 = root_at(f, 3);
    const size_t quarter = f->plan->degree / 4;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m512i v[4];

        load_four(v, f->a + j, quarter);
        inverse_half(v, w2, w3, f, kind);
        v[0] = last_product(v[0], sum, f);
        v[1] = last_product(v[1], sum, f);
        v[2] = last_product(v[2], difference, f);
        v[3] = last_product(v[3], difference, f);
        store_four(f->a + j, v, quarter);
    }
}

#endif
