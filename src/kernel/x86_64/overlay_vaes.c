/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 counter streams with VAES: eight registers of two blocks each are in flight, which hides the latency of the
 * rounds. Counters are kept as little-endian 64-bit halves and turned around for the cipher. */
#include "kernel/aes.h"

#include "base/bytes.h"

#include <immintrin.h>

#define ROUNDS       10
#define LANES        8           /* registers in flight */
#define GROUP_BLOCKS (2 * LANES) /* blocks in flight */

static __m128i load_key(const eis_aes128 *aes, int round)
{
    return _mm_load_si128((const __m128i *)(const void *)aes->round_key[round]);
}

static void store_key(eis_aes128 *aes, int round, __m128i key)
{
    _mm_store_si128((__m128i *)(void *)aes->round_key[round], key);
}

/* FIPS 197, section 5.2: each word is the one before, xored with the word four back; `turned` carries the substituted
 * and rotated last word with the round constant in its highest lane. */
static __m128i next_key(__m128i key, __m128i turned)
{
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, _mm_shuffle_epi32(turned, 0xff));
}

static void start_vaes(eis_aes128 *aes, const uint8_t key[EIS_AES128_KEY_BYTES],
                       const uint8_t counter[EIS_AES_BLOCK_BYTES])
{
    __m128i k = _mm_loadu_si128((const __m128i *)(const void *)key);

    store_key(aes, 0, k);
    store_key(aes, 1, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x01)));
    store_key(aes, 2, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x02)));
    store_key(aes, 3, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x04)));
    store_key(aes, 4, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x08)));
    store_key(aes, 5, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x10)));
    store_key(aes, 6, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x20)));
    store_key(aes, 7, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x40)));
    store_key(aes, 8, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x80)));
    store_key(aes, 9, k = next_key(k, _mm_aeskeygenassist_si128(k, 0x1b)));
    store_key(aes, 10, next_key(k, _mm_aeskeygenassist_si128(k, 0x36)));
    aes->counter_high = eis_load_be64(counter);
    aes->counter_low = eis_load_be64(counter + 8);
}

/* Sixteen blocks; counters[0] stands for the first two. */
static void encrypt_group(uint8_t *out, const __m256i *keys, const __m256i counters[LANES])
{
    const __m256i turn = _mm256_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10,
                                          9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m256i state[LANES];

#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) state[i] = _mm256_xor_si256(_mm256_shuffle_epi8(counters[i], turn), keys[0]);
    for (int round = 1; round < ROUNDS; round++) {
        __m256i key = keys[round];
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) state[i] = _mm256_aesenc_epi128(state[i], key);
    }
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++)
        _mm256_storeu_si256((__m256i *)(void *)(out + 32 * i), _mm256_aesenclast_epi128(state[i], keys[ROUNDS]));
}

/* Sets counters for the next blocks and moves on. The halves of a block are low, high; only where the low half runs
 * over within these blocks is each counted by itself. */
static void take_counters(__m256i counters[LANES], eis_aes128 *aes)
{
    uint64_t low = aes->counter_low, high = aes->counter_high;

    if (low <= UINT64_MAX - GROUP_BLOCKS) {
        __m256i first = _mm256_setr_epi64x((long long)low, (long long)high, (long long)(low + 1), (long long)high);
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) counters[i] = _mm256_add_epi64(first, _mm256_setr_epi64x(2 * i, 0, 2 * i, 0));
    } else {
        for (unsigned i = 0; i < LANES; i++) {
            uint64_t a = low + 2 * i, b = a + 1;
            counters[i] = _mm256_setr_epi64x((long long)a, (long long)(high + (a < low)), (long long)b,
                                             (long long)(high + (b < low)));
        }
    }
}

static void move_on(eis_aes128 *aes, size_t blocks)
{
    uint64_t low = aes->counter_low + blocks;

    aes->counter_high += low < aes->counter_low;
    aes->counter_low = low;
}

static void stream_vaes(eis_aes128 *aes, uint8_t *out, size_t blocks)
{
    __m256i keys[ROUNDS + 1], counters[LANES];

    for (int round = 0; round <= ROUNDS; round++) keys[round] = _mm256_broadcastsi128_si256(load_key(aes, round));
    for (; blocks >= GROUP_BLOCKS; blocks -= GROUP_BLOCKS, out += 16 * GROUP_BLOCKS) {
        take_counters(counters, aes);
        encrypt_group(out, keys, counters);
        move_on(aes, GROUP_BLOCKS);
    }
    if (blocks > 0) {
        uint8_t last[16 * GROUP_BLOCKS];

        take_counters(counters, aes);
        encrypt_group(last, keys, counters);
        move_on(aes, blocks);
        memcpy(out, last, 16 * blocks);
        explicit_bzero(last, sizeof last);
    }
    explicit_bzero(keys, sizeof keys);
}

const eis_aes128_kernel *eis_aes128_kernel_vaes(void)
{
    static const eis_aes128_kernel kernel = {start_vaes, stream_vaes};
    return &kernel;
}
