/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of public seeds, four lanes at a time. Contracts: kernel/seed.h. */
#include "kernel/x86_64/avx2.h"

#include "base/bytes.h"

#include <immintrin.h>

#define LANES 4

typedef __m256i lanes;

static inline lanes lanes_set(uint64_t v) { return _mm256_set1_epi64x((long long)v); }

static inline lanes lanes_add(lanes a, lanes b) { return _mm256_add_epi64(a, b); }

static inline lanes lanes_xor(lanes a, lanes b) { return _mm256_xor_si256(a, b); }

static inline lanes lanes_xor3(lanes a, lanes b, lanes c) { return lanes_xor(lanes_xor(a, b), c); }

static inline lanes lanes_chi(lanes a, lanes b, lanes c) { return lanes_xor(a, _mm256_andnot_si256(b, c)); }

static inline lanes lanes_count_from(uint64_t v) { return lanes_add(lanes_set(v), _mm256_set_epi64x(3, 2, 1, 0)); }

/* Whole bytes turn by a shuffle. */
static inline lanes turn_bytes(lanes a, unsigned bytes)
{
    const __m256i order =
        _mm256_set_epi64x(0x0f0e0d0c0b0a0908, 0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
    const __m256i moved = _mm256_sub_epi8(order, _mm256_set1_epi8((char)bytes));
    const __m256i within = _mm256_and_si256(moved, _mm256_set1_epi8(7));

    return _mm256_shuffle_epi8(a, _mm256_or_si256(within, _mm256_and_si256(order, _mm256_set1_epi8(8))));
}

#define LANES_ROTATE_LEFT(a, bits)               \
    ((bits) % 8 == 0 ? turn_bytes(a, (bits) / 8) \
                     : _mm256_or_si256(_mm256_slli_epi64(a, bits), _mm256_srli_epi64(a, 64 - (bits))))
#define LANES_ROTATE_RIGHT(a, bits) LANES_ROTATE_LEFT(a, 64 - (bits))

static inline void store_lane(uint8_t *to, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)to, v); }

/* Four words of each lane. */
static inline void store_square(uint8_t *const out[LANES], size_t at, const lanes *v)
{
    const __m256i low01 = _mm256_unpacklo_epi64(v[0], v[1]), high01 = _mm256_unpackhi_epi64(v[0], v[1]);
    const __m256i low23 = _mm256_unpacklo_epi64(v[2], v[3]), high23 = _mm256_unpackhi_epi64(v[2], v[3]);

    store_lane(out[0] + at, _mm256_permute2x128_si256(low01, low23, 0x20));
    store_lane(out[1] + at, _mm256_permute2x128_si256(high01, high23, 0x20));
    store_lane(out[2] + at, _mm256_permute2x128_si256(low01, low23, 0x31));
    store_lane(out[3] + at, _mm256_permute2x128_si256(high01, high23, 0x31));
}

static inline void lanes_store_words(uint8_t *const out[LANES], size_t at, const lanes *v, size_t n)
{
    const size_t whole = n - n % LANES;

    for (size_t i = 0; i < whole; i += LANES) store_square(out, at + 8 * i, v + i);
    for (size_t i = whole; i < n; i++) {
        uint64_t words[LANES];

        _mm256_storeu_si256((__m256i *)(void *)words, v[i]);
        for (size_t l = 0; l < LANES; l++) eis_store_le64(out[l] + at + 8 * i, words[l]);
    }
}

#include "kernel/x86_64/blake2b_lanes.h"
#include "kernel/x86_64/keccak_lanes.h"

void seed_blake2xb_avx2(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    blake2xb_stream(out, seed, counter, blocks);
}

void seed_shake256_avx2(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    shake256_stream(out, seed, counter, blocks);
}
