/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of public seeds, eight lanes at a time, with rotations and sums of three in one instruction. Contracts:
 * kernel/seed.h. */
#include "kernel/x86_64/avx512.h"

#include "base/bytes.h"

#include <immintrin.h>

#define LANES 8

typedef __m512i lanes;

static inline lanes lanes_set(uint64_t v) { return _mm512_set1_epi64((long long)v); }

static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_epi64(a, b); }

static inline lanes lanes_xor(lanes a, lanes b) { return _mm512_xor_si512(a, b); }

static inline lanes lanes_xor3(lanes a, lanes b, lanes c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }

static inline lanes lanes_chi(lanes a, lanes b, lanes c) { return _mm512_ternarylogic_epi64(a, b, c, 0xd2); }

static inline lanes lanes_count_from(uint64_t v)
{
    return lanes_add(lanes_set(v), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
}

#define LANES_ROTATE_LEFT(a, bits)  _mm512_rol_epi64(a, bits)
#define LANES_ROTATE_RIGHT(a, bits) _mm512_ror_epi64(a, bits)

/* Eight words of each lane: pairs of words change places, then pairs of pairs, then fours. */
static inline void store_square(uint8_t *const out[LANES], size_t at, const lanes *v)
{
    lanes pair[8], four[8];

    for (size_t i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4) {
        for (size_t k = 0; k < 2; k++) {
            four[i + k] = _mm512_shuffle_i64x2(pair[i + k], pair[i + k + 2], 0x88);     /* lanes k, k + 4 */
            four[i + k + 2] = _mm512_shuffle_i64x2(pair[i + k], pair[i + k + 2], 0xdd); /* lanes k + 2, k + 6 */
        }
    }
    for (size_t k = 0; k < 4; k++) {
        _mm512_storeu_si512(out[k] + at, _mm512_shuffle_i64x2(four[k], four[k + 4], 0x88));
        _mm512_storeu_si512(out[k + 4] + at, _mm512_shuffle_i64x2(four[k], four[k + 4], 0xdd));
    }
}

static inline void lanes_store_words(uint8_t *const out[LANES], size_t at, const lanes *v, size_t n)
{
    const size_t whole = n - n % LANES;

    for (size_t i = 0; i < whole; i += LANES) store_square(out, at + 8 * i, v + i);
    for (size_t i = whole; i < n; i++) {
        uint64_t words[LANES];

        _mm512_storeu_si512(words, v[i]);
        for (size_t l = 0; l < LANES; l++) eis_store_le64(out[l] + at + 8 * i, words[l]);
    }
}

#include "kernel/x86_64/blake2b_lanes.h"
#include "kernel/x86_64/keccak_lanes.h"

void seed_blake2xb_avx512(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    blake2xb_stream(out, seed, counter, blocks);
}

void seed_shake256_avx512(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks)
{
    shake256_stream(out, seed, counter, blocks);
}
