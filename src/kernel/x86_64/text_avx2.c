/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64 with AVX2: 32 characters at a time, the rest in plain C. Contracts: kernel/text.h. Bits are brought to
 * their places by multiplications, as in [MK18]. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"

#include <immintrin.h>

static inline __m256i load(const void *p) { return _mm256_loadu_si256(p); }

static inline void store(void *p, __m256i v) { _mm256_storeu_si256(p, v); }

static inline __m256i each(int c) { return _mm256_set1_epi8((char)c); }

/* Two runs of 16 bytes, one per half. */
static inline __m256i load_halves(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)low)),
                                   _mm_loadu_si128((const void *)high), 1);
}

/* All ones where low <= c < low + count, as unsigned bytes. */
static inline __m256i in_range(__m256i c, int low, int count)
{
    const __m256i above = _mm256_sub_epi8(c, each(low));

    return _mm256_cmpeq_epi8(_mm256_min_epu8(above, each(count - 1)), above);
}

/* ---- Hex -------------------------------------------------------------------------------------------------------- */

#define HEX_AT_ONCE ((size_t)16) /* bytes */

void text_hex_write_avx2(char *text, const uint8_t *bytes, size_t n)
{
    const __m256i digits = _mm256_broadcastsi128_si256(
        _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'));
    size_t i = 0;

    for (; i + HEX_AT_ONCE <= n; i += HEX_AT_ONCE) {
        const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(bytes + i)));
        const __m256i nibbles =
            _mm256_and_si256(_mm256_or_si256(_mm256_srli_epi16(wide, 4), _mm256_slli_epi16(wide, 8)), each(15));

        store(text + 2 * i, _mm256_shuffle_epi8(digits, nibbles));
    }
    text_hex_write_generic(text + 2 * i, bytes + i, n - i);
}

/* The values of 32 digits as 16 bytes, in the low bytes of 16 bits each; what is no digit goes into *bad. */
static inline __m256i hex_pairs(__m256i c, __m256i *bad)
{
    const __m256i lower = _mm256_or_si256(c, each(0x20)); /* no other character becomes a letter by this */
    const __m256i digit = in_range(c, '0', 10), letter = in_range(lower, 'a', 6);
    const __m256i value =
        _mm256_blendv_epi8(_mm256_sub_epi8(c, each('0')), _mm256_sub_epi8(lower, each('a' - 10)), letter);

    *bad = _mm256_or_si256(*bad, _mm256_andnot_si256(_mm256_or_si256(digit, letter), each(-1)));
    return _mm256_maddubs_epi16(_mm256_and_si256(value, each(15)), _mm256_set1_epi16(0x0110));
}

uint32_t text_hex_read_avx2(uint8_t *bytes, const uint8_t *text, size_t n)
{
    __m256i bad = _mm256_setzero_si256();
    size_t i = 0;

    for (; i + 2 * HEX_AT_ONCE <= n; i += 2 * HEX_AT_ONCE) {
        const __m256i low = hex_pairs(load(text + 2 * i), &bad), high = hex_pairs(load(text + 2 * i + 32), &bad);

        store(bytes + i, _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8));
    }
    return (uint32_t)_mm256_movemask_epi8(bad) | text_hex_read_generic(bytes + i, text + 2 * i, n - i);
}

/* ---- Base64 ----------------------------------------------------------------------------------------------------- */

#define GROUPS_AT_ONCE ((size_t)8)

/* From bytes 1 0 2 1 of each group, 6 bits to the low end of each byte, in the order of the text. */
static inline __m256i split_groups(__m256i v)
{
    const __m256i outer = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
                                             _mm256_set1_epi32(0x04000040)); /* right by 10 and by 6 */
    const __m256i inner = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
                                             _mm256_set1_epi32(0x01000010)); /* left by 4 and by 8 */

    return _mm256_or_si256(outer, inner);
}

/* Values to characters: what is added differs by range, 0 for the capitals, 1 for the small ones, 2 to 11 for digits,
 * 12 and 13 for the two signs. */
static inline __m256i base64_digits(__m256i v)
{
    const __m256i shifts = _mm256_broadcastsi128_si256(_mm_setr_epi8('A', 'a' - 26, '0' - 52, '0' - 52, '0' - 52,
                                                                     '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                                                     '0' - 52, '0' - 52, '+' - 62, '/' - 63, 0, 0));
    const __m256i range = _mm256_sub_epi8(_mm256_subs_epu8(v, each(51)), _mm256_cmpgt_epi8(v, each(25)));

    return _mm256_add_epi8(v, _mm256_shuffle_epi8(shifts, range));
}

void text_base64_write_avx2(char *text, const uint8_t *bytes, size_t groups)
{
    /* The upper half is loaded 4 bytes early, so that nothing behind the last group is read. */
    const __m256i order = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 5, 4, 6, 5, 8, 7, 9, 8,
                                           11, 10, 12, 11, 14, 13, 15, 14);
    size_t g = 0;

    for (; g + GROUPS_AT_ONCE <= groups; g += GROUPS_AT_ONCE) {
        const uint8_t *from = bytes + 3 * g;
        const __m256i v = _mm256_shuffle_epi8(load_halves(from, from + 8), order);

        store(text + 4 * g, base64_digits(split_groups(v)));
    }
    text_base64_write_generic(text + 4 * g, bytes + 3 * g, groups - g);
}

/* Adds the values of one range of characters, and marks them as known. */
static inline void take_range(__m256i *value, __m256i *known, __m256i c, int low, int count, int first)
{
    const __m256i mask = in_range(c, low, count);

    *known = _mm256_or_si256(*known, mask);
    *value = _mm256_or_si256(*value, _mm256_and_si256(mask, _mm256_add_epi8(c, each(first - low))));
}

static inline __m256i base64_values(__m256i c, __m256i *bad)
{
    __m256i value = _mm256_setzero_si256(), known = value;

    take_range(&value, &known, c, 'A', 26, 0);
    take_range(&value, &known, c, 'a', 26, 26);
    take_range(&value, &known, c, '0', 10, 52);
    take_range(&value, &known, c, '+', 1, 62);
    take_range(&value, &known, c, '/', 1, 63);
    *bad = _mm256_or_si256(*bad, _mm256_andnot_si256(known, each(-1)));
    return value;
}

uint32_t text_base64_read_avx2(uint8_t *bytes, const uint8_t *text, size_t groups)
{
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    __m256i bad = _mm256_setzero_si256();
    size_t g = 0;

    for (; g + GROUPS_AT_ONCE <= groups; g += GROUPS_AT_ONCE) {
        const __m256i pairs = _mm256_maddubs_epi16(base64_values(load(text + 4 * g), &bad), _mm256_set1_epi16(0x0140));
        const __m256i whole = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000)); /* 24 bits each */
        const __m256i packed =
            _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(whole, order), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));

        _mm_storeu_si128((void *)(bytes + 3 * g), _mm256_castsi256_si128(packed));
        _mm_storel_epi64((void *)(bytes + 3 * g + 16), _mm256_extracti128_si256(packed, 1));
    }
    return (uint32_t)_mm256_movemask_epi8(bad) | text_base64_read_generic(bytes + 3 * g, text + 4 * g, groups - g);
}
