/* SPDX-License-Identifier: Apache-2.0 */
/* SHAKE256 streams, one block per lane. The file that includes this has said what lanes are:
 *
 *   LANES                                how many
 *   lanes                                a vector of so many words
 *   lanes_set(v), lanes_xor(a, b)
 *   lanes_count_from(v)                  v, v + 1, v + 2, ...
 *   lanes_xor3(a, b, c), lanes_chi(a, b, c) = a ^ (~b & c)
 *   LANES_ROTATE_LEFT(a, bits)           a macro: bits is a literal
 *   lanes_store_words(out, at, v, n)     word j of lane l goes to out[l] + at + 8 j, from the n <= 17 vectors of v
 *
 * Everything is public. Source: [FIPS202, section 3.2]. */
#ifndef EIS_KERNEL_X86_64_KECCAK_LANES_H
#define EIS_KERNEL_X86_64_KECCAK_LANES_H

#include "kernel/keccak.h"
#include "kernel/seed.h"

#include "base/bytes.h"
#include "kernel/generic/generic.h"

/* Chi of one row, whose five words come from all over the state. */
static inline void keccak_row(lanes *e, lanes b0, lanes b1, lanes b2, lanes b3, lanes b4)
{
    e[0] = lanes_chi(b0, b1, b2);
    e[1] = lanes_chi(b1, b2, b3);
    e[2] = lanes_chi(b2, b3, b4);
    e[3] = lanes_chi(b3, b4, b0);
    e[4] = lanes_chi(b4, b0, b1);
}

static inline lanes keccak_column(const lanes *a, unsigned x)
{
    return lanes_xor3(lanes_xor3(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20]);
}

/* Word i with the sum of its two columns, turned. */
#define TURNED(i, bits) LANES_ROTATE_LEFT(lanes_xor(a[i], d[(i) % 5]), bits)

static inline __attribute__((always_inline)) void keccak_round(lanes *restrict e, const lanes *restrict a,
                                                               uint64_t constant)
{
    const lanes c0 = keccak_column(a, 0), c1 = keccak_column(a, 1), c2 = keccak_column(a, 2), c3 = keccak_column(a, 3),
                c4 = keccak_column(a, 4);
    const lanes d[5] = {
        lanes_xor(c4, LANES_ROTATE_LEFT(c1, 1)), lanes_xor(c0, LANES_ROTATE_LEFT(c2, 1)),
        lanes_xor(c1, LANES_ROTATE_LEFT(c3, 1)), lanes_xor(c2, LANES_ROTATE_LEFT(c4, 1)),
        lanes_xor(c3, LANES_ROTATE_LEFT(c0, 1)),
    };

    keccak_row(e, lanes_xor(a[0], d[0]), TURNED(6, 44), TURNED(12, 43), TURNED(18, 21), TURNED(24, 14));
    keccak_row(e + 5, TURNED(3, 28), TURNED(9, 20), TURNED(10, 3), TURNED(16, 45), TURNED(22, 61));
    keccak_row(e + 10, TURNED(1, 1), TURNED(7, 6), TURNED(13, 25), TURNED(19, 8), TURNED(20, 18));
    keccak_row(e + 15, TURNED(4, 27), TURNED(5, 36), TURNED(11, 10), TURNED(17, 15), TURNED(23, 56));
    keccak_row(e + 20, TURNED(2, 62), TURNED(8, 55), TURNED(14, 39), TURNED(15, 41), TURNED(21, 2));
    e[0] = lanes_xor(e[0], lanes_set(constant));
}

static inline void keccak_permute(lanes a[EIS_KECCAK_WORDS])
{
    for (unsigned r = 0; r < EIS_KECCAK_ROUNDS; r += 2) {
        lanes e[EIS_KECCAK_WORDS];

        keccak_round(e, a, eis_keccak_round[r]);
        keccak_round(a, e, eis_keccak_round[r + 1]);
    }
}

/* Block counter + l goes to out[l]. */
static void shake256_lanes(uint8_t *const out[LANES], const uint8_t *seed, uint64_t counter)
{
    const size_t step = 8 * EIS_SHAKE256_WORDS;
    lanes a[EIS_KECCAK_WORDS];
    size_t done = 0;

    for (size_t i = 0; i < EIS_KECCAK_WORDS; i++) a[i] = lanes_set(0);
    for (size_t i = 0; i < 8; i++) a[i] = lanes_set(eis_load_le64(seed + 8 * i));
    a[8] = lanes_count_from(counter);
    a[EIS_SHAKE256_SEED_WORD] = lanes_set(EIS_SHAKE256_SEED_END);
    a[EIS_SHAKE256_WORDS - 1] = lanes_set(EIS_SHAKE256_RATE_END);
    for (; done + step <= EIS_SEED_BLOCK_BYTES; done += step) {
        keccak_permute(a);
        lanes_store_words(out, done, a, EIS_SHAKE256_WORDS);
    }
    keccak_permute(a);
    lanes_store_words(out, done, a, (EIS_SEED_BLOCK_BYTES - done) / 8);
}

/* Lanes that nobody wants write to a block that is thrown away; one block alone is faster in plain C. */
static void shake256_stream(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    uint8_t unwanted[EIS_SEED_BLOCK_BYTES];
    size_t b = 0;

    for (; blocks - b > 1; b += blocks - b < LANES ? blocks - b : LANES) {
        uint8_t *to[LANES];

        for (size_t l = 0; l < LANES; l++) to[l] = b + l < blocks ? out + (b + l) * EIS_SEED_BLOCK_BYTES : unwanted;
        shake256_lanes(to, seed, counter + b);
    }
    seed_shake256_generic(out + b * EIS_SEED_BLOCK_BYTES, seed, counter + b, blocks - b);
}

#endif
