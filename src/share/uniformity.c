/* SPDX-License-Identifier: Apache-2.0 */
#include "share/uniformity.h"

#include "base/bytes.h"
#include "base/status.h"

#include <math.h>

#define BLOCK_WORDS 64
#define BYTES_MIN   1280 /* five of each value, the usual condition of the chi-square approximation */

/* What is counted in one run; zeroed at the start. */
typedef struct tally {
    uint64_t byte_value[256];
    uint64_t byte_count;
    uint64_t ones[BLOCK_WORDS][64]; /* by place in the block and bit */
    uint64_t turns[64];             /* by bit: words in which it differs from the next higher one */
} tally;

/* --- distributions ---------------------------------------------------------------------------- */

static double log_gamma(double a)
{
    int sign;
    return lgamma_r(a, &sign);
}

/* P(a, x) by its series. (Abramowitz and Stegun, 6.5.29) */
static double gamma_lower_series(double a, double x)
{
    double term = 1 / a, sum = term;

    for (int i = 1; i < 100000 && term > sum * 1e-16; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum * exp(a * log(x) - x - log_gamma(a));
}

/* Q(a, x) by its continued fraction, evaluated from the front (Lentz). (Abramowitz and Stegun, 6.5.31) */
static double gamma_upper_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1e300, d = 1 / b, value = d;

    for (int i = 1; i < 100000; i++) {
        double an = i * (a - i), step;

        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        step = d * c;
        value *= step;
        if (fabs(step - 1) < 1e-15) break;
    }
    return value * exp(a * log(x) - x - log_gamma(a));
}

double eis_uniformity_chi2_p(double x, unsigned degrees)
{
    double a = degrees / 2.0, half = x / 2;

    EIS_ASSERT(degrees > 0 && x >= 0);
    if (half <= 0) return 1;
    return half < a + 1 ? 1 - gamma_lower_series(a, half) : gamma_upper_fraction(a, half);
}

/* Bounds the probability that a fair coin is as far from n/2 as k heads in n are. (Chernoff 1952) */
static double coin_p(uint64_t k, uint64_t n)
{
    double q = (double)k / (double)n, divergence = 0;

    if (k > 0) divergence += q * log(2 * q);
    if (k < n) divergence += (1 - q) * log(2 * (1 - q));
    return fmin(1, 2 * exp(-(double)n * divergence));
}

/* --- the statistics --------------------------------------------------------------------------- */

static void count_word(tally *t, uint64_t word, size_t index, unsigned bits)
{
    uint64_t *ones = t->ones[index % BLOCK_WORDS];

    for (unsigned b = 0; b < bits; b++) ones[b] += word >> b & 1;
    for (unsigned b = 0; b + 1 < bits; b++) t->turns[b] += (word ^ word >> 1) >> b & 1;
    for (unsigned q = 0; q < bits / 8; q++) t->byte_value[word >> (8 * q) & 255]++;
    t->byte_count += bits / 8;
}

static double bytes_p(const tally *t)
{
    double expected = (double)t->byte_count / 256, chi2 = 0;

    for (size_t v = 0; v < 256; v++) {
        double off = (double)t->byte_value[v] - expected;
        chi2 += off * off / expected;
    }
    return eis_uniformity_chi2_p(chi2, 255);
}

/* The smallest p-value of single bits, over all words together and place by place, and of neighbouring bits. */
static double bits_p(const tally *t, size_t count, unsigned bits, size_t *statistics)
{
    double least = 1;

    for (unsigned b = 0; b < bits; b++) {
        uint64_t together = 0;

        for (size_t place = 0; place < BLOCK_WORDS && place < count; place++) {
            uint64_t blocks = (count - place - 1) / BLOCK_WORDS + 1;
            least = fmin(least, coin_p(t->ones[place][b], blocks));
            together += t->ones[place][b];
            ++*statistics;
        }
        least = fmin(least, coin_p(together, count));
        ++*statistics;
    }
    for (unsigned b = 0; b + 1 < bits; b++, ++*statistics) least = fmin(least, coin_p(t->turns[b], count));
    return least;
}

static double tally_p(const tally *t, size_t count, unsigned bits)
{
    size_t statistics = 0;
    double least;

    if (count == 0) return 1;
    least = bits_p(t, count, bits, &statistics);
    if (t->byte_count >= BYTES_MIN) {
        least = fmin(least, bytes_p(t));
        statistics++;
    }
    return fmin(1, least * (double)statistics);
}

double eis_uniformity_words(const uint64_t *words, size_t count, unsigned bits)
{
    tally t = {0};

    EIS_ASSERT(bits >= 8 && bits <= 64);
    for (size_t i = 0; i < count; i++) count_word(&t, words[i], i, bits);
    return tally_p(&t, count, bits);
}

double eis_uniformity_bytes(const uint8_t *bytes, size_t count)
{
    tally t = {0};

    for (size_t i = 0; i < count / 8; i++) count_word(&t, eis_load_le64(bytes + 8 * i), i, 64);
    return tally_p(&t, count / 8, 64);
}

double eis_uniformity_correlation(const double *a, const double *b, size_t n)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;

    for (size_t i = 0; i < n; i++) {
        mean_a += a[i] / (double)n;
        mean_b += b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
        ab += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa) / sqrt(bb) : 0;
}
