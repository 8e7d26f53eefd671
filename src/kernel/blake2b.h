/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b's tables and its compression of one block; hashing is in rand/blake2b.h. Everything here is public data.
 * Source: [RFC7693, section 3]. */
#ifndef EIS_KERNEL_BLAKE2B_H
#define EIS_KERNEL_BLAKE2B_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_BLAKE2B_BLOCK_BYTES  128
#define EIS_BLAKE2B_DIGEST_BYTES 64 /* the longest */
#define EIS_BLAKE2B_ROUNDS       12

static const uint64_t eis_blake2b_initial[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

/* Which words of a block each round takes, two for each of its eight mixings. */
static const uint8_t eis_blake2b_sigma[EIS_BLAKE2B_ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

/* What BLAKE2xb of 4096 bytes puts into the first three words of a state: digests of 64 bytes, the length of all.
 *
 *   root   key of 64 bytes, fanout 1, depth 1
 *   leaf   fanout and depth 0, leaf length 64, inner length 64; its number is added below the length */
#define EIS_BLAKE2XB_ROOT_0 (UINT64_C(64) | UINT64_C(64) << 8 | UINT64_C(1) << 16 | UINT64_C(1) << 24)
#define EIS_BLAKE2XB_LEAF_0 (UINT64_C(64) | UINT64_C(64) << 32)
#define EIS_BLAKE2XB_ALL_1  (UINT64_C(4096) << 32)
#define EIS_BLAKE2XB_LEAF_2 (UINT64_C(64) << 8)
#define EIS_BLAKE2XB_LEAVES 64

static inline uint64_t eis_blake2b_rotate_right(uint64_t v, unsigned bits) { return v >> bits | v << (64 - bits); }

static inline void eis_blake2b_mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = eis_blake2b_rotate_right(*d ^ *a, 32);
    *c += *d;
    *b = eis_blake2b_rotate_right(*b ^ *c, 24);
    *a += *b + y;
    *d = eis_blake2b_rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = eis_blake2b_rotate_right(*b ^ *c, 63);
}

/* Takes one block into the state h: `counter` bytes have gone in with it. */
static inline void eis_blake2b_compress(uint64_t h[8], const uint8_t block[EIS_BLAKE2B_BLOCK_BYTES], uint64_t counter,
                                        bool last)
{
    uint64_t m[16], v[16];

    for (size_t i = 0; i < 16; i++) m[i] = eis_load_le64(block + 8 * i);
    for (size_t i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = eis_blake2b_initial[i];
    }
    v[12] ^= counter;
    if (last) v[14] = ~v[14];
    for (size_t round = 0; round < EIS_BLAKE2B_ROUNDS; round++) {
        const uint8_t *s = eis_blake2b_sigma[round];

        for (size_t i = 0; i < 4; i++) { /* columns, then diagonals */
            eis_blake2b_mix(&v[i], &v[i + 4], &v[i + 8], &v[i + 12], m[s[2 * i]], m[s[2 * i + 1]]);
        }
        for (size_t i = 0; i < 4; i++) {
            eis_blake2b_mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4], m[s[8 + 2 * i]],
                            m[s[9 + 2 * i]]);
        }
    }
    for (size_t i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

#endif
