/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b as RFC 7693 has it, with the tree members of the parameter block, and BLAKE2xb on top. */
#include "rand/blake2b.h"

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <string.h>

#define ROUNDS 12

static const uint64_t initial[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

static const uint8_t sigma[ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static inline uint64_t rotate_right(uint64_t v, unsigned bits) { return v >> bits | v << (64 - bits); }

static inline void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y)
{
    *a += *b + x;
    *d = rotate_right(*d ^ *a, 32);
    *c += *d;
    *b = rotate_right(*b ^ *c, 24);
    *a += *b + y;
    *d = rotate_right(*d ^ *a, 16);
    *c += *d;
    *b = rotate_right(*b ^ *c, 63);
}

/* One block: `counter` bytes have gone in with it. */
static void compress(uint64_t h[8], const uint8_t block[EIS_BLAKE2B_BLOCK_BYTES], uint64_t counter, bool last)
{
    uint64_t m[16], v[16];

    for (size_t i = 0; i < 16; i++) m[i] = eis_load_le64(block + 8 * i);
    for (size_t i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = initial[i];
    }
    v[12] ^= counter;
    if (last) v[14] = ~v[14];
    for (size_t round = 0; round < ROUNDS; round++) {
        const uint8_t *s = sigma[round];

        for (size_t i = 0; i < 4; i++) { /* columns, then diagonals */
            mix(&v[i], &v[i + 4], &v[i + 8], &v[i + 12], m[s[2 * i]], m[s[2 * i + 1]]);
        }
        for (size_t i = 0; i < 4; i++) {
            mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4], m[s[8 + 2 * i]],
                m[s[9 + 2 * i]]);
        }
    }
    for (size_t i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

static void start(uint64_t h[8], const eis_blake2b_parameters *p)
{
    memcpy(h, initial, sizeof initial);
    h[0] ^= (uint64_t)p->digest_bytes | (uint64_t)p->key_bytes << 8 | (uint64_t)p->fanout << 16 |
            (uint64_t)p->depth << 24 | (uint64_t)p->leaf_bytes << 32;
    h[1] ^= (uint64_t)p->node_offset | (uint64_t)p->xof_bytes << 32;
    h[2] ^= (uint64_t)p->node_depth | (uint64_t)p->inner_bytes << 8;
}

void eis_blake2b_hash(uint8_t *digest, const eis_blake2b_parameters *p, const uint8_t *key, const void *message,
                      size_t bytes)
{
    const uint8_t *at = message;
    uint8_t block[EIS_BLAKE2B_BLOCK_BYTES] = {0};
    uint64_t h[8], counter = 0;

    EIS_ASSERT(p->digest_bytes >= 1 && p->digest_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    EIS_ASSERT(p->key_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    start(h, p);
    if (p->key_bytes > 0) { /* a block of its own in front of the message */
        memcpy(block, key, p->key_bytes);
        counter = sizeof block;
        compress(h, block, counter, bytes == 0);
    }
    for (; bytes > sizeof block; bytes -= sizeof block, at += sizeof block) {
        counter += sizeof block;
        compress(h, at, counter, false);
    }
    if (bytes > 0 || p->key_bytes == 0) {
        memset(block, 0, sizeof block);
        if (bytes > 0) memcpy(block, at, bytes);
        compress(h, block, counter + bytes, true);
    }
    for (size_t i = 0; i < 8; i++) eis_store_le64(block + 8 * i, h[i]);
    memcpy(digest, block, p->digest_bytes);
}

void eis_blake2b(uint8_t *digest, size_t digest_bytes, const void *message, size_t bytes)
{
    EIS_ASSERT(digest_bytes >= 1 && digest_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    eis_blake2b_hash(digest, &(eis_blake2b_parameters){.digest_bytes = (uint8_t)digest_bytes, .fanout = 1, .depth = 1},
                     NULL, message, bytes);
}

void eis_blake2xb_block(uint8_t *out, const uint8_t *key, uint64_t counter)
{
    const eis_blake2b_parameters root = {
        .digest_bytes = 64, .key_bytes = 64, .fanout = 1, .depth = 1, .xof_bytes = EIS_BLAKE2XB_BLOCK_BYTES};
    eis_blake2b_parameters leaf = {
        .digest_bytes = 64, .leaf_bytes = 64, .xof_bytes = EIS_BLAKE2XB_BLOCK_BYTES, .inner_bytes = 64};
    uint8_t message[8], digest[EIS_BLAKE2B_DIGEST_BYTES];

    eis_store_le64(message, counter);
    eis_blake2b_hash(digest, &root, key, message, sizeof message);
    for (; leaf.node_offset < EIS_BLAKE2XB_BLOCK_BYTES / EIS_BLAKE2B_DIGEST_BYTES; leaf.node_offset++) {
        eis_blake2b_hash(out + leaf.node_offset * EIS_BLAKE2B_DIGEST_BYTES, &leaf, NULL, digest, sizeof digest);
    }
}
