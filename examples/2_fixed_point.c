/* SPDX-License-Identifier: Apache-2.0 */
/* Example 2: reals as integers that cannot wrap around.
 *
 * Servers compute modulo 2^52. A sum that leaves that range comes back as another number, without any sign of it, so
 * the client must choose a scale for its input that is safe whatever the input is. It knows one thing about the
 * weights: R, the largest Euclidean norm of a row of integers. Cauchy and Schwarz say |<w, x>| <= |w| |x|; so with f
 * fraction bits
 *
 *   R (2^f |x| + sqrt(n) / 2) < 2^51
 *
 * is enough, sqrt(n) / 2 being what rounding can add to the norm of x. This program takes the worst input there is, one
 * that is parallel to the heaviest row, and shows that f is safe and that the bound is not a wasteful one. */
#include "encode/fixed.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { N = 64 };

static const eis_ring ring = EIS_RING_Z52;

/* A row of weights of different sizes and signs. */
static void make_row(double row[N])
{
    for (int i = 0; i < N; i++) row[i] = (i % 3 == 0 ? -0.01 : 0.007) * (double)(i + 1);
}

/* Multiplies with room to spare, so that leaving the ring can be seen at all. */
static double true_product(const int32_t *w, const uint64_t *words)
{
    double sum = 0;

    for (int i = 0; i < N; i++) sum += (double)w[i] * (double)((int64_t)(words[i] << 12) >> 12);
    return sum;
}

/* Multiplies as a server does. */
static uint64_t ring_product(const int32_t *w, const uint64_t *words)
{
    uint64_t sum = 0;

    for (int i = 0; i < N; i++) sum += (uint64_t)(int64_t)w[i] * words[i];
    return sum & eis_ring_mask(ring);
}

/* Encodes x with so many fraction bits, multiplies, and says how full the ring got. Returns whether y is right. */
static bool try_bits(const int32_t *w, double scale, const double *x, const double *row, int bits)
{
    uint64_t words[N], answer;
    double y, plain = 0, fill;
    bool right;

    for (int i = 0; i < N; i++) plain += row[i] * x[i];
    eis_fixed_from_reals(words, x, N, bits, ring);
    fill = fabs(true_product(w, words)) / 0x1p51;
    answer = ring_product(w, words);
    eis_fixed_to_reals(&y, &answer, &scale, 1, bits, ring, 0, 0);
    right = fabs(y - plain) < 1e-5 * fabs(plain);
    printf("f = %2d: the sum takes %5.1f %% of the ring; y = %.9g, in plain %.9g: %s\n", bits, 100 * fill, y, plain,
           right ? "right" : "wrapped around");
    return right;
}

static eis_status run(void)
{
    eis_status st = EIS_OK;
    double row[N], x[N], scale;
    int32_t w[N];
    eis_fixed_bound bound;
    int bits;

    /* Weights: 24 bits each, one scale for the row. */
    make_row(row);
    EIS_TRY(eis_fixed_weight_row(w, &scale, row, N, EIS_GEOMETRY_W24));
    printf("weights: scale %.3g, first three %.4g %.4g %.4g -> %d %d %d\n", scale, row[0], row[1], row[2], w[0], w[1],
           w[2]);

    /* The bound of the layer, from R alone. */
    EIS_TRY(eis_fixed_bound_init(&bound, ring, eis_fixed_row_norm(w, N), N, 0, 0));
    printf("R = %.4g, so 2^f |x| may be %.4g\n", bound.row_norm, bound.room);

    /* The worst input: parallel to the row. */
    for (int i = 0; i < N; i++) x[i] = 5 * row[i];
    bits = eis_fixed_bits(&bound, eis_fixed_norm2(x, N));
    EIS_REQUIRE(try_bits(w, scale, x, row, bits), EIS_ERR_CHECK, "the bound does not hold");
    EIS_REQUIRE(!try_bits(w, scale, x, row, bits + 1), EIS_ERR_CHECK, "the bound wastes a bit here");

    /* An input a million times as large gets fewer bits, and the answer is as good. */
    for (int i = 0; i < N; i++) x[i] *= 1e6;
    EIS_REQUIRE(try_bits(w, scale, x, row, eis_fixed_bits(&bound, eis_fixed_norm2(x, N))), EIS_ERR_CHECK,
                "the bound does not hold for a large input");
out:
    return st;
}

int main(void)
{
    eis_status st = run();

    if (st != EIS_OK) fprintf(stderr, "%s: %s\n", eis_status_text(st), eis_error_detail());
    return eis_status_exit_code(st);
}
