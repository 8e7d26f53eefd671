/* SPDX-License-Identifier: Apache-2.0 */
/* From random bytes to random words and coefficients: a part of the table of kernel.h. */
#ifndef EIS_KERNEL_SAMPLE_H
#define EIS_KERNEL_SAMPLE_H

#include "kernel/zq_word.h"

#include <stddef.h>
#include <stdint.h>

/* Coin pairs of an error coefficient, and the bytes that they take: three for heads, three for tails, of which each
 * third byte gives 5 bits. */
#define EIS_SAMPLE_PAIRS       21
#define EIS_SAMPLE_ERROR_BYTES 6

/* Ternary coefficients that a word of 64 bits gives. */
#define EIS_SAMPLE_TRITS 4

typedef struct eis_sample_kernels {
    /* Reduces words modulo q up to the first one that is not below `bound`; returns how many that is.
     *
     * Shape:   words[n]; those behind the first that is refused are as they were, up to it they are canonical.
     * Range:   any words, bound > 0.
     * Secret:  nothing: the words are public. Variable time. */
    size_t (*reduce_below_var)(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m);

    /* Draws differences of two sums of 21 coins: heads less tails.
     *
     * Shape:   coeff[n]; bytes[6 * n], little-endian numbers of three bytes whose low 21 bits are coins.
     * Secret:  bytes and coeff. Constant time. */
    void (*errors)(int8_t *coeff, const uint8_t *bytes, size_t n);

    /* Draws ternary coefficients: the first four digits of each word as a fraction of 2^64 in base 3, less 1.
     *
     * Shape:   coeff[4 * words]; bytes[8 * words], little-endian.
     * Secret:  bytes and coeff. Constant time. */
    void (*trits)(int8_t *coeff, const uint8_t *bytes, size_t words);

    /* Takes small coefficients into the ring of a prime.
     *
     * Shape:   words[n], coeff[n].
     * Range:   |coeff[i]| < q; out canonical.
     * Secret:  coeff. Constant time. */
    void (*words_from_small)(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m);
} eis_sample_kernels;

#endif
