/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of public seeds in plain C, block by block. Contracts: kernel/seed.h. */
#include "kernel/generic/generic.h"

#include "base/bytes.h"
#include "kernel/blake2b.h"
#include "kernel/keccak.h"

#include <string.h>

/* ---- BLAKE2xb --------------------------------------------------------------------------------------------------- */

static void store_words_le(uint8_t *out, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) eis_store_le64(out + 8 * i, words[i]);
}

/* The digest that all leaves hash: the key has a block of its own, then comes the message. */
static void blake2xb_root(uint8_t digest[EIS_BLAKE2B_DIGEST_BYTES], const uint8_t *seed, uint64_t counter)
{
    uint8_t block[EIS_BLAKE2B_BLOCK_BYTES] = {0};
    uint64_t h[8];

    memcpy(h, eis_blake2b_initial, sizeof h);
    h[0] ^= EIS_BLAKE2XB_ROOT_0;
    h[1] ^= EIS_BLAKE2XB_ALL_1;
    memcpy(block, seed, EIS_SEED_BYTES);
    eis_blake2b_compress(h, block, sizeof block, false);
    memset(block, 0, sizeof block);
    eis_store_le64(block, counter);
    eis_blake2b_compress(h, block, sizeof block + 8, true);
    store_words_le(digest, h, 8);
}

static void blake2xb_leaf(uint8_t *out, const uint8_t root[EIS_BLAKE2B_DIGEST_BYTES], uint64_t number)
{
    uint8_t block[EIS_BLAKE2B_BLOCK_BYTES] = {0};
    uint64_t h[8];

    memcpy(h, eis_blake2b_initial, sizeof h);
    h[0] ^= EIS_BLAKE2XB_LEAF_0;
    h[1] ^= EIS_BLAKE2XB_ALL_1 | number;
    h[2] ^= EIS_BLAKE2XB_LEAF_2;
    memcpy(block, root, EIS_BLAKE2B_DIGEST_BYTES);
    eis_blake2b_compress(h, block, EIS_BLAKE2B_DIGEST_BYTES, true);
    store_words_le(out, h, 8);
}

void seed_blake2xb_generic(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    uint8_t root[EIS_BLAKE2B_DIGEST_BYTES];

    for (size_t b = 0; b < blocks; b++, out += EIS_SEED_BLOCK_BYTES) {
        blake2xb_root(root, seed, counter + b);
        for (size_t i = 0; i < EIS_BLAKE2XB_LEAVES; i++) blake2xb_leaf(out + EIS_BLAKE2B_DIGEST_BYTES * i, root, i);
    }
}

/* ---- SHAKE256 --------------------------------------------------------------------------------------------------- */

/* By how much the word at x + 5 y turns, and where it goes: to y + 5 (2 x + 3 y mod 5). */
static const uint8_t turn[EIS_KECCAK_WORDS] = {0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                               25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14};
static const uint8_t place[EIS_KECCAK_WORDS] = {0,  10, 20, 5, 15, 16, 1,  11, 21, 6, 7,  17, 2,
                                                12, 22, 23, 8, 18, 3,  13, 14, 24, 9, 19, 4};

static inline uint64_t rotate_left(uint64_t v, unsigned bits) { return v << bits | v >> (-bits & 63); }

/* Once the loops are unrolled, places and turns are constants, and words stay in registers. */
static void keccak_round(uint64_t a[EIS_KECCAK_WORDS], uint64_t constant)
{
    uint64_t column[5], moved[EIS_KECCAK_WORDS];

#pragma GCC unroll 5
    for (size_t x = 0; x < 5; x++) column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
#pragma GCC unroll 25
    for (size_t i = 0; i < EIS_KECCAK_WORDS; i++) {
        const uint64_t sum = column[(i + 4) % 5] ^ rotate_left(column[(i + 1) % 5], 1);

        moved[place[i]] = rotate_left(a[i] ^ sum, turn[i]);
    }
#pragma GCC unroll 5
    for (size_t y = 0; y < EIS_KECCAK_WORDS; y += 5) {
#pragma GCC unroll 5
        for (size_t x = 0; x < 5; x++) a[y + x] = moved[y + x] ^ (~moved[y + (x + 1) % 5] & moved[y + (x + 2) % 5]);
    }
    a[0] ^= constant;
}

static void keccak_permute(uint64_t a[EIS_KECCAK_WORDS])
{
    for (size_t r = 0; r < EIS_KECCAK_ROUNDS; r++) keccak_round(a, eis_keccak_round[r]);
}

void seed_shake256_generic(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, out += EIS_SEED_BLOCK_BYTES) {
        uint64_t a[EIS_KECCAK_WORDS] = {0};

        for (size_t i = 0; i < 8; i++) a[i] = eis_load_le64(seed + 8 * i);
        a[8] = counter + b;
        a[EIS_SHAKE256_SEED_WORD] = EIS_SHAKE256_SEED_END;
        a[EIS_SHAKE256_WORDS - 1] = EIS_SHAKE256_RATE_END;
        for (size_t done = 0; done < EIS_SEED_BLOCK_BYTES; done += 8 * EIS_SHAKE256_WORDS) {
            const size_t left = (EIS_SEED_BLOCK_BYTES - done) / 8;

            keccak_permute(a);
            store_words_le(out + done, a, left < EIS_SHAKE256_WORDS ? left : EIS_SHAKE256_WORDS);
        }
    }
}
