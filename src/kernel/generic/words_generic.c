/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of ring words in plain C: sharing, combining, fixed point and the byte forms of words.
 * The ring is public, so loops may branch on it; nothing branches on a word. */
#include "kernel/generic/generic.h"

#include "base/bytes.h"
#include "kernel/f61_word.h"

void words_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    uint64_t mask = eis_ring_mask(ring);

    if (ring == EIS_RING_F61) {
        for (size_t i = 0; i < n; i++) r[i] = eis_f61_word_add(a[i], b[i]);
    } else {
        for (size_t i = 0; i < n; i++) r[i] = (a[i] + b[i]) & mask;
    }
}

void words_sub_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    uint64_t mask = eis_ring_mask(ring);

    if (ring == EIS_RING_F61) {
        for (size_t i = 0; i < n; i++) r[i] = eis_f61_word_sub(a[i], b[i]);
    } else {
        for (size_t i = 0; i < n; i++) r[i] = (a[i] - b[i]) & mask;
    }
}

uint64_t words_sum_generic(const uint64_t *a, size_t n, eis_ring ring)
{
    eis_u128 sum = 0;

    for (size_t i = 0; i < n; i++) sum += a[i];
    return ring == EIS_RING_F61 ? eis_f61_word_reduce128(sum) : (uint64_t)sum & eis_ring_mask(ring);
}

/* 1.5 * 2^52: in a double of this size the last bit has the weight 1, so that adding it rounds to an integer (ties to
 * even), which then stands in the low bits of the mantissa; the 0.5 * 2^52 keeps negative ones in the same binade. */
#define ROUNDER 0x1.8p52

void words_from_reals_generic(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring)
{
    uint64_t mask = eis_ring_mask(ring), zero = eis_bits_of_f64(ROUNDER);

    for (size_t i = 0; i < n; i++) {
        uint64_t integer = eis_bits_of_f64(x[i] * factor + ROUNDER) - zero; /* two's complement */
        words[i] = ring == EIS_RING_F61 ? eis_f61_word_from_i64((int64_t)integer) : integer & mask;
    }
}

void words_to_reals_generic(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                            double factor, eis_ring ring)
{
    uint64_t half = UINT64_C(1) << ((unsigned)ring - 1);

    for (size_t i = 0; i < n; i++) {
        int64_t centred = ring == EIS_RING_F61 ? eis_f61_word_centre(words[i]) : (int64_t)((words[i] ^ half) - half);
        double value = (double)centred + offset;
        if (row_scale != NULL) value *= row_scale[i];
        out[i] = value * factor;
    }
}

void planes_from_words_generic(uint8_t *planes, const uint64_t *words, size_t n, unsigned p)
{
    for (size_t j = 0; j < eis_round_up(n, 4); j++) {
        uint64_t word = j < n ? words[j] : 0;
        for (size_t q = 0; q < p; q++) planes[(j / 4 * p + q) * 4 + j % 4] = (uint8_t)(word >> (8 * q));
    }
}

void words_from_planes_generic(uint64_t *words, const uint8_t *planes, size_t n, unsigned p)
{
    for (size_t j = 0; j < n; j++) {
        uint64_t word = 0;
        for (size_t q = 0; q < p; q++) word |= (uint64_t)planes[(j / 4 * p + q) * 4 + j % 4] << (8 * q);
        words[j] = word;
    }
}

void planes_sub_from_words_generic(uint8_t *planes, const uint64_t *words, size_t n, unsigned p)
{
    for (size_t first = 0; first < n; first += 4, planes += 4 * p) {
        size_t count = n - first < 4 ? n - first : 4;
        uint64_t group[4];

        words_from_planes_generic(group, planes, count, p);
        for (size_t j = 0; j < count; j++) group[j] = words[first + j] - group[j];
        planes_from_words_generic(planes, group, count, p);
    }
}

#define WORD52_MASK ((UINT64_C(1) << 52) - 1)

/* Bytes 0..6 of a word and its neighbour's low 4 bits, then the neighbour's other 48 bits:
 * [ a 0..7 | .. | a 40..47 | a 48..51, b 0..3 | b 4..11 | .. | b 44..51 ] */
void bytes_from_words52_generic(uint8_t *bytes, const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i += 2, bytes += 13) {
        uint64_t a = words[i], b = i + 1 < n ? words[i + 1] : 0, first = a | b << 52;

        for (size_t k = 0; k < 7; k++) bytes[k] = (uint8_t)(first >> (8 * k));
        if (i + 1 == n) break;
        for (size_t k = 0; k < 6; k++) bytes[7 + k] = (uint8_t)(b >> (4 + 8 * k));
    }
}

void words52_from_bytes_generic(uint64_t *words, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 2, bytes += 13) {
        uint64_t a = 0, b = 0;

        for (size_t k = 0; k < 7; k++) a |= (uint64_t)bytes[k] << (8 * k);
        words[i] = a & WORD52_MASK;
        if (i + 1 == n) break;
        for (size_t k = 0; k < 6; k++) b |= (uint64_t)bytes[7 + k] << (8 * k);
        words[i + 1] = a >> 52 | b << 4;
    }
}

/* Products of canonical words are below 2^122, so 63 of them fit into 128 bits. */
#define DOT_BLOCK 63

uint64_t f61_dot_generic(const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t total = 0;

    for (size_t first = 0; first < n; first += DOT_BLOCK) {
        size_t last = n - first < DOT_BLOCK ? n : first + DOT_BLOCK;
        eis_u128 sum = total;

        for (size_t i = first; i < last; i++) sum += (eis_u128)a[i] * b[i];
        total = eis_f61_word_reduce128(sum);
    }
    return total;
}

void f61_axpy_generic(uint64_t *y, uint64_t c, const uint64_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = eis_f61_word_add(y[i], eis_f61_word_mul(c, x[i]));
}

/* Two rows and two vectors at once, so that every word that is read is used twice. */
static void f61_dots_2x2(uint64_t y[2][2], const uint64_t *w, const uint64_t *x, size_t inner)
{
    const uint64_t *w1 = w + inner, *x1 = x + inner;
    uint64_t total[4] = {0};

    for (size_t first = 0; first < inner; first += DOT_BLOCK) {
        size_t last = inner - first < DOT_BLOCK ? inner : first + DOT_BLOCK;
        eis_u128 s00 = total[0], s01 = total[1], s10 = total[2], s11 = total[3];

        for (size_t j = first; j < last; j++) {
            s00 += (eis_u128)w[j] * x[j];
            s01 += (eis_u128)w1[j] * x[j];
            s10 += (eis_u128)w[j] * x1[j];
            s11 += (eis_u128)w1[j] * x1[j];
        }
        total[0] = eis_f61_word_reduce128(s00);
        total[1] = eis_f61_word_reduce128(s01);
        total[2] = eis_f61_word_reduce128(s10);
        total[3] = eis_f61_word_reduce128(s11);
    }
    memcpy(y, total, sizeof total);
}

void f61_matmul_generic(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch)
{
    size_t i = 0;

    for (; i + 2 <= rows && batch > 1; i += 2) {
        for (size_t v = 0; v + 2 <= batch; v += 2) {
            uint64_t words[2][2];

            f61_dots_2x2(words, w + i * inner, x + v * inner, inner);
            for (size_t k = 0; k < 2; k++) memcpy(y + (v + k) * rows + i, words[k], sizeof words[k]);
        }
        for (size_t r = i; r < i + 2 && batch % 2 != 0; r++)
            y[(batch - 1) * rows + r] = f61_dot_generic(w + r * inner, x + (batch - 1) * inner, inner);
    }
    for (; i < rows; i++)
        for (size_t v = 0; v < batch; v++) y[v * rows + i] = f61_dot_generic(w + i * inner, x + v * inner, inner);
}
