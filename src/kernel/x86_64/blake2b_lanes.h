/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2xb streams: the root digests of as many blocks as there are lanes, then each block's leaves, one per lane. The
 * file that includes this has said what lanes are, as for keccak_lanes.h, and besides
 *
 *   lanes_add(a, b)
 *   LANES_ROTATE_RIGHT(a, bits)          a macro: bits is 16, 24, 32 or 63
 *
 * Everything is public. Source: [ANWW16] on [RFC7693, section 3]. */
#ifndef EIS_KERNEL_X86_64_BLAKE2B_LANES_H
#define EIS_KERNEL_X86_64_BLAKE2B_LANES_H

#include "kernel/blake2b.h"
#include "kernel/seed.h"

#include <string.h>

#define BLAKE2B_INLINE static inline __attribute__((always_inline))

BLAKE2B_INLINE void blake2b_mix(lanes *a, lanes *b, lanes *c, lanes *d, lanes x, lanes y)
{
    *a = lanes_add(lanes_add(*a, x), *b);
    *d = LANES_ROTATE_RIGHT(lanes_xor(*d, *a), 32);
    *c = lanes_add(*c, *d);
    *b = LANES_ROTATE_RIGHT(lanes_xor(*b, *c), 24);
    *a = lanes_add(lanes_add(*a, y), *b);
    *d = LANES_ROTATE_RIGHT(lanes_xor(*d, *a), 16);
    *c = lanes_add(*c, *d);
    *b = LANES_ROTATE_RIGHT(lanes_xor(*b, *c), 63);
}

#define MIX(r, i, a, b, c, d)                                                        \
    blake2b_mix(&v[a], &v[b], &v[c], &v[d], m[eis_blake2b_sigma[(r) % 10][2 * (i)]], \
                m[eis_blake2b_sigma[(r) % 10][2 * (i) + 1]])

#define ROUND(r)                 \
    do {                         \
        MIX(r, 0, 0, 4, 8, 12);  \
        MIX(r, 1, 1, 5, 9, 13);  \
        MIX(r, 2, 2, 6, 10, 14); \
        MIX(r, 3, 3, 7, 11, 15); \
        MIX(r, 4, 0, 5, 10, 15); \
        MIX(r, 5, 1, 6, 11, 12); \
        MIX(r, 6, 2, 7, 8, 13);  \
        MIX(r, 7, 3, 4, 9, 14);  \
    } while (0)

/* The last block of a message; its first 8 words are given, the others are 0. */
static inline void blake2b_last(lanes h[8], const lanes words[8], uint64_t counter)
{
    const lanes zero = lanes_set(0);
    const lanes m[16] = {words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7],
                         zero,     zero,     zero,     zero,     zero,     zero,     zero,     zero};
    lanes v[16];

    for (size_t i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = lanes_set(eis_blake2b_initial[i]);
    }
    v[12] = lanes_set(eis_blake2b_initial[4] ^ counter);
    v[14] = lanes_set(~eis_blake2b_initial[6]);
    ROUND(0);
    ROUND(1);
    ROUND(2);
    ROUND(3);
    ROUND(4);
    ROUND(5);
    ROUND(6);
    ROUND(7);
    ROUND(8);
    ROUND(9);
    ROUND(10);
    ROUND(11);
    for (size_t i = 0; i < 8; i++) h[i] = lanes_xor3(h[i], v[i], v[i + 8]);
}

/* The state behind the block of the key, which all roots share. */
static inline void blake2xb_key(uint64_t h[8], const uint8_t *seed)
{
    uint8_t block[EIS_BLAKE2B_BLOCK_BYTES] = {0};

    memcpy(h, eis_blake2b_initial, 8 * sizeof *h);
    h[0] ^= EIS_BLAKE2XB_ROOT_0;
    h[1] ^= EIS_BLAKE2XB_ALL_1;
    memcpy(block, seed, EIS_SEED_BYTES);
    eis_blake2b_compress(h, block, sizeof block, false);
}

/* The roots of blocks counter, counter + 1, ... */
static inline void blake2xb_roots(uint8_t root[LANES][EIS_BLAKE2B_DIGEST_BYTES], const uint64_t key[8],
                                  uint64_t counter)
{
    uint8_t *out[LANES];
    lanes h[8], m[8];

    for (size_t i = 0; i < 8; i++) {
        h[i] = lanes_set(key[i]);
        m[i] = lanes_set(0);
    }
    m[0] = lanes_count_from(counter);
    blake2b_last(h, m, EIS_BLAKE2B_BLOCK_BYTES + 8);
    for (size_t l = 0; l < LANES; l++) out[l] = root[l];
    lanes_store_words(out, 0, h, 8);
}

/* All leaves of a root: a block. */
static inline void blake2xb_leaves(uint8_t *block, const uint8_t root[EIS_BLAKE2B_DIGEST_BYTES])
{
    lanes m[8];

    for (size_t i = 0; i < 8; i++) m[i] = lanes_set(eis_load_le64(root + 8 * i));
    for (size_t leaf = 0; leaf < EIS_BLAKE2XB_LEAVES; leaf += LANES) {
        uint8_t *out[LANES];
        lanes h[8];

        for (size_t i = 0; i < 8; i++) h[i] = lanes_set(eis_blake2b_initial[i]);
        h[0] = lanes_xor(h[0], lanes_set(EIS_BLAKE2XB_LEAF_0));
        h[1] = lanes_xor(h[1], lanes_xor(lanes_set(EIS_BLAKE2XB_ALL_1), lanes_count_from(leaf)));
        h[2] = lanes_xor(h[2], lanes_set(EIS_BLAKE2XB_LEAF_2));
        blake2b_last(h, m, EIS_BLAKE2B_DIGEST_BYTES);
        for (size_t l = 0; l < LANES; l++) out[l] = block + (leaf + l) * EIS_BLAKE2B_DIGEST_BYTES;
        lanes_store_words(out, 0, h, 8);
    }
}

static void blake2xb_stream(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    uint8_t root[LANES][EIS_BLAKE2B_DIGEST_BYTES];
    uint64_t key[8];

    blake2xb_key(key, seed);
    for (size_t b = 0; b < blocks; b++) {
        if (b % LANES == 0) blake2xb_roots(root, key, counter + b);
        blake2xb_leaves(out + b * EIS_SEED_BLOCK_BYTES, root[b % LANES]);
    }
}

#endif
