/* SPDX-License-Identifier: Apache-2.0 */
/* A sum that wraps around in the ring looks like any other answer: if the bound let one input through, a client would
 * get a wrong text without a sign of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encode/fixed.h"
#include "kernel/f61_word.h"

__extension__ typedef __int128 i128;

static uint64_t random_state = 0x853c49e6748fea9bu;

static double uniform(void) /* (0, 1) */
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(random_state >> 12) + 0.5) * 0x1p-52;
}

static double normal(void) { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()); }

/* Takes a number into a ring and back: what a client sees of it. */
static i128 through_ring(i128 value, eis_ring ring, unsigned bits)
{
    i128 modulus = ring == EIS_RING_F61 ? (i128)EIS_F61_P >> (61 - bits) : (i128)1 << bits;
    i128 word = (value % modulus + modulus) % modulus;
    return word > (modulus - 1) / 2 ? word - modulus : word;
}

static int64_t centred(uint64_t word, eis_ring ring) { return (int64_t)through_ring((i128)word, ring, (unsigned)ring); }

static i128 product(const int32_t *w, const uint64_t *x, size_t n, eis_ring ring)
{
    i128 sum = 0;
    for (size_t i = 0; i < n; i++) sum += (i128)w[i] * centred(x[i], ring);
    return sum;
}

static const struct profile {
    eis_geometry geometry;
    eis_ring ring;
} profiles[] = {
    {EIS_GEOMETRY_W8, EIS_RING_Z32}, {EIS_GEOMETRY_W8, EIS_RING_Z40},  {EIS_GEOMETRY_W8, EIS_RING_Z48},
    {EIS_GEOMETRY_W8, EIS_RING_Z56}, {EIS_GEOMETRY_W24, EIS_RING_Z52}, {EIS_GEOMETRY_W20, EIS_RING_F61},
    {EIS_GEOMETRY_W8, EIS_RING_Z64}, {EIS_GEOMETRY_W8, EIS_RING_F61},
};

#define PROFILES (sizeof profiles / sizeof profiles[0])

static void weights_reach_their_limits_and_no_further(void **state)
{
    static const struct {
        eis_geometry geometry;
        int32_t low, high;
    } cases[] = {
        {EIS_GEOMETRY_W8, -127, 127}, {EIS_GEOMETRY_W20, -524288, 524287}, {EIS_GEOMETRY_W24, -8388608, 8388607}};
    double row[5] = {1.5, -1.5, 0, 0.75, -1.5 * 1.0000001};
    int32_t w[5];
    double scale;

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(eis_fixed_weight_limit(cases[c].geometry), cases[c].high);
        assert_int_equal(eis_fixed_weight_row(w, &scale, row, 5, cases[c].geometry), EIS_OK);
        assert_true(fabs(scale * cases[c].high - 1.5) < 1e-6);
        assert_true(w[0] == cases[c].high || w[0] == cases[c].high - 1);
        assert_true(w[4] >= cases[c].low && w[4] <= -cases[c].high);
        assert_int_equal(w[2], 0);
        for (size_t i = 0; i < 5; i++) assert_true(fabs(w[i] * scale - row[i]) <= scale * 0.5000001);
    }
}

static void odd_rows_are_handled(void **state)
{
    double zero[3] = {0, -0.0, 0}, tiny[3] = {5e-324, -5e-324, 0}, huge[2] = {1.7e308, -1.7e308}, bad[3] = {1, 2, 3};
    int32_t w[3] = {7, 7, 7};
    double scale = 99;

    (void)state;
    assert_int_equal(eis_fixed_weight_row(w, &scale, zero, 3, EIS_GEOMETRY_W24), EIS_OK);
    assert_true(scale == 1 && w[0] == 0 && w[1] == 0 && w[2] == 0);
    assert_int_equal(eis_fixed_weight_row(w, &scale, tiny, 3, EIS_GEOMETRY_W24), EIS_OK);
    assert_true(scale > 0 && w[2] == 0);
    assert_int_equal(eis_fixed_weight_row(w, &scale, huge, 2, EIS_GEOMETRY_W8), EIS_OK);
    assert_true(w[0] == 127 && w[1] == -127);
    for (int i = 0; i < 3; i++) {
        static const double wrong[] = {NAN, INFINITY, -INFINITY};
        w[0] = 5;
        scale = 6;
        bad[2] = wrong[i];
        assert_int_equal(eis_fixed_weight_row(w, &scale, bad, 3, EIS_GEOMETRY_W8), EIS_ERR_MODEL);
        assert_true(w[0] == 5 && scale == 6);
    }
}

static void norms_are_rounded_up(void **state)
{
    enum { N = 300000 };
    int32_t *w = eis_mem_new(N, sizeof *w);

    (void)state;
    for (size_t n = 0; n < 100; n++) {
        i128 sum = 0;
        double norm;

        for (size_t i = 0; i < n; i++) {
            w[i] = (int32_t)(uniform() * 0x1p24) - (1 << 23);
            sum += (i128)w[i] * w[i];
        }
        norm = eis_fixed_row_norm(w, n);
        /* long double has 64 bits: the square is compared with 11 more than the norm has */
        assert_true((long double)norm * norm >= (long double)sum);
        assert_true((double)sum == 0 || norm * norm <= (double)sum * (1 + 1e-14));
    }
    for (size_t i = 0; i < N; i++) w[i] = -(1 << 23); /* the squares together pass 2^64 */
    assert_true(eis_fixed_row_norm(w, N) >= 0x1p23 * sqrt(N));
    assert_true(eis_fixed_row_norm(w, N) <= 0x1p23 * sqrt(N) * (1 + 1e-14));
    eis_mem_free(w);
}

/* x parallel to the heaviest row is the worst case of Cauchy-Schwarz. Its length is set so that f is used to the full:
 * then nothing wraps, and with one bit less in the ring, or one more in f, everything would. */
static void the_worst_input_does_not_wrap_and_one_bit_less_would(void **state)
{
    static const size_t lengths[] = {1, 7, 64, 1000, 4096};
    size_t tight = 0;

    (void)state;
    for (size_t c = 0; c < PROFILES * 5; c++) {
        eis_ring ring = profiles[c / 5].ring;
        size_t n = lengths[c % 5];
        double *row = eis_mem_new(n, 8), *x = eis_mem_new(n, 8), scale, norm, length;
        int32_t *w = eis_mem_new(n, sizeof *w);
        uint64_t *words = eis_mem_new(n, 8);
        eis_fixed_bound bound;
        int bits;
        i128 value;

        for (size_t i = 0; i < n; i++) row[i] = normal();
        assert_int_equal(eis_fixed_weight_row(w, &scale, row, n, profiles[c / 5].geometry), EIS_OK);
        norm = eis_fixed_row_norm(w, n);
        assert_int_equal(eis_fixed_bound_init(&bound, ring, norm, n, 0, 0), EIS_OK);
        for (int wanted = -40; wanted <= 60; wanted += 10) {
            length = bound.room * pow(2, -wanted) * (1 - 1e-8);
            for (size_t i = 0; i < n; i++) x[i] = w[i] / norm * length;
            bits = eis_fixed_bits(&bound, eis_fixed_norm2(x, n));
            assert_int_equal(bits, wanted);
            eis_fixed_from_reals(words, x, n, bits, ring);
            assert_true(eis_fixed_bound_holds_var(&bound, words, n));
            value = product(w, words, n, ring);
            assert_true(through_ring(value, ring, (unsigned)ring) == value);
            if (bound.room > 0x1p50 * 0.99) continue; /* the conversion, not the ring, is what limits this one */
            assert_true(through_ring(value, ring, (unsigned)ring - 1) != value);
            assert_true(through_ring(2 * value, ring, (unsigned)ring) != 2 * value);
            tight++;
        }
        eis_mem_free(row);
        eis_mem_free(x);
        eis_mem_free(w);
        eis_mem_free(words);
    }
    assert_true(tight > 200);
}

/* f by a plain search must agree with f by exponents, for norms on either side of every power of two. */
static void bits_are_the_largest_that_fit(void **state)
{
    eis_fixed_bound bound;

    (void)state;
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z52, 1e6, 1000, 0, 0), EIS_OK);
    for (int i = 0; i < 20000; i++) {
        double norm2 = ldexp(1 + uniform(), (int)(uniform() * 600) - 300);
        int bits = eis_fixed_bits(&bound, norm2);

        assert_true(ldexp(norm2, 2 * bits) <= bound.room2);
        assert_true(ldexp(norm2, 2 * bits + 2) > bound.room2);
    }
    for (int e = -100; e <= 100; e++) {
        double edge = bound.room2 * pow(4, e);
        assert_int_equal(eis_fixed_bits(&bound, edge), -e);
        assert_int_equal(eis_fixed_bits(&bound, nextafter(edge, INFINITY)), -e - 1);
        assert_int_equal(eis_fixed_bits(&bound, nextafter(edge, 0)), -e);
    }
}

static void extreme_inputs_keep_the_bound(void **state)
{
    static const double sizes[] = {0x1p399, 1e100, 1e-5, 1e-100, 1e-160, 1e-300, 5e-324};
    eis_fixed_bound bound;
    double x[16] = {0};
    uint64_t words[16];

    (void)state;
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z52, 1e6, 16, 0, 0), EIS_OK);
    assert_int_equal(eis_fixed_bits(&bound, eis_fixed_norm2(x, 16)), 0);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int bits;

        for (size_t i = 0; i < 16; i++) x[i] = i % 2 ? sizes[s] : -sizes[s];
        bits = eis_fixed_bits(&bound, eis_fixed_norm2(x, 16));
        assert_true(bits >= -EIS_FIXED_BITS_MAX && bits <= EIS_FIXED_BITS_MAX);
        eis_fixed_from_reals(words, x, 16, bits, EIS_RING_Z52);
        assert_true(eis_fixed_bound_holds_var(&bound, words, 16));
        if (sizes[s] < 1e-130) continue; /* squares are no normal doubles any more: the input counts as about 0 */
        for (size_t i = 0; i < 16; i++)
            assert_true(fabs(ldexp((double)centred(words[i], EIS_RING_Z52), -bits) - x[i]) < sizes[s] * 1e-8);
    }
}

/* The table of the design for n = 4096 and normal data; it is what the accuracy claims rest on. */
static void normal_data_get_the_bits_that_we_publish(void **state)
{
    static const struct {
        eis_geometry geometry;
        eis_ring ring;
        int bits;
    } cases[] = {
        {EIS_GEOMETRY_W24, EIS_RING_Z52, 17}, {EIS_GEOMETRY_W8, EIS_RING_Z32, 13}, {EIS_GEOMETRY_W8, EIS_RING_Z40, 21}};
    enum { N = 4096, ROWS = 64 };
    static double row[N], x[N];
    static int32_t w[N];

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        double heaviest = 0, scale;
        eis_fixed_bound bound;

        for (size_t r = 0; r < ROWS; r++) {
            for (size_t i = 0; i < N; i++) row[i] = normal();
            assert_int_equal(eis_fixed_weight_row(w, &scale, row, N, cases[c].geometry), EIS_OK);
            heaviest = fmax(heaviest, eis_fixed_row_norm(w, N));
        }
        for (size_t i = 0; i < N; i++) x[i] = normal();
        assert_int_equal(eis_fixed_bound_init(&bound, cases[c].ring, heaviest, N, 0, 0), EIS_OK);
        assert_int_equal(eis_fixed_bits(&bound, eis_fixed_norm2(x, N)), cases[c].bits);
    }
}

/* W x through integers and back. The tolerance is the bound on rounding: half a step per weight and per entry. */
static void products_come_back(void **state)
{
    enum { N = 500 };
    double row[N], x[N], scale, y;
    int32_t w[N];
    uint64_t words[N], answer;

    (void)state;
    for (size_t c = 0; c < PROFILES * 20; c++) {
        eis_ring ring = profiles[c / 20].ring;
        double want = 0, exact = 0, size = 0, norm_w = 0;
        eis_fixed_bound bound;
        int bits;
        i128 sum;

        for (size_t i = 0; i < N; i++) {
            row[i] = normal();
            x[i] = normal() * 3;
            want += row[i] * x[i];
            size += fabs(x[i]);
        }
        assert_int_equal(eis_fixed_weight_row(w, &scale, row, N, profiles[c / 20].geometry), EIS_OK);
        assert_int_equal(eis_fixed_bound_init(&bound, ring, eis_fixed_row_norm(w, N), N, 0, 0), EIS_OK);
        bits = eis_fixed_bits(&bound, eis_fixed_norm2(x, N));
        eis_fixed_from_reals(words, x, N, bits, ring);
        for (size_t i = 0; i < N; i++) {
            exact += w[i] * scale * x[i];
            norm_w += fabs(w[i] * scale);
        }
        sum = product(w, words, N, ring);
        answer = sum < 0 ? (uint64_t)(sum + (ring == EIS_RING_F61 ? (i128)EIS_F61_P : (i128)1 << ring)) : (uint64_t)sum;
        eis_fixed_to_reals(&y, &answer, &scale, 1, bits, ring, 0, 0);
        assert_true(fabs(y - exact) <= ldexp(norm_w, -bits - 1) + 1e-11);
        assert_true(fabs(y - want) <= scale / 2 * size + ldexp(norm_w, -bits - 1) + 1e-11);
    }
}

static void what_is_not_finite_is_found_anywhere(void **state)
{
    static const double wrong[] = {NAN, -NAN, INFINITY, -INFINITY, EIS_FIXED_ENTRY_MAX, -1e300};
    double x[37];

    (void)state;
    for (size_t k = 0; k < 6; k++)
        for (size_t at = 0; at < 37; at++) {
            for (size_t i = 0; i < 37; i++) x[i] = i % 3 ? 0x1.fffp399 : -(double)i;
            assert_true(eis_fixed_input_ok(x, 37));
            assert_int_equal(eis_fixed_sanitise(x, 37), 0);
            x[at] = wrong[k];
            assert_false(eis_fixed_input_ok(x, 37));
            assert_true(eis_fixed_sanitise(x, 37) == UINT64_MAX);
            for (size_t i = 0; i < 37; i++) assert_true(x[i] == (i == at ? 0 : i % 3 ? 0x1.fffp399 : -(double)i));
        }
}

static void impossible_bounds_are_refused(void **state)
{
    eis_fixed_bound bound = {EIS_RING_Z32, 5, 5, 5, 5};
    eis_ring ring = EIS_RING_Z64;

    (void)state;
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z32, 3e9, 10, 0, 0), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z52, NAN, 10, 0, 0), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z52, INFINITY, 10, 0, 0), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z52, -1, 10, 0, 0), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z40, 10, 10, 38, 2), EIS_ERR_MODEL);
    assert_true(bound.room == 5);
    assert_int_equal(eis_fixed_bound_init(&bound, EIS_RING_Z32, 0, 10, 0, 0), EIS_OK);
    assert_int_equal(eis_fixed_ring_choose(&ring, 100, 10, NAN, 12, false, 2), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_ring_choose(&ring, 100, 10, -1, 12, false, 2), EIS_ERR_MODEL);
    assert_int_equal(eis_fixed_ring_choose(&ring, 1e30, 10, 1, 12, false, 2), EIS_ERR_MODEL);
    assert_int_equal(ring, EIS_RING_Z64);
}

/* R = 8128 (4096 weights of 127) and the norm 64 have 12 bits in Z32; each 2^8 of norm costs one plane. */
static void rings_grow_with_the_declared_norm(void **state)
{
    static const struct {
        double norm;
        eis_ring ring;
    } cases[] = {{0, EIS_RING_Z32},           {64, EIS_RING_Z32},          {64 * 1.1, EIS_RING_Z40},
                 {64 * 256, EIS_RING_Z40},    {70 * 256, EIS_RING_Z48},    {64 * 0x1p16, EIS_RING_Z48},
                 {70 * 0x1p16, EIS_RING_Z56}, {70 * 0x1p24, EIS_RING_Z64}, {1e100, EIS_RING_Z64}};
    eis_fixed_bound bound;
    eis_ring ring;

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double norm = cases[c].norm * (264000.0 / 4096 / 64);

        assert_int_equal(eis_fixed_ring_choose(&ring, 8128, 4096, norm, 12, false, 2), EIS_OK);
        assert_int_equal(ring, cases[c].ring);
        assert_int_equal(eis_fixed_ring_choose(&ring, 8128, 4096, norm, 12, true, 2), EIS_OK);
        assert_true(ring >= cases[c].ring);
        assert_int_equal(eis_fixed_bound_init(&bound, ring, 8128, 4096, (unsigned)ring - 32, 2), EIS_OK);
        if (ring < EIS_RING_Z64) assert_true(eis_fixed_bits(&bound, norm * norm) >= 12 || norm == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_reach_their_limits_and_no_further),
        cmocka_unit_test(odd_rows_are_handled),
        cmocka_unit_test(norms_are_rounded_up),
        cmocka_unit_test(the_worst_input_does_not_wrap_and_one_bit_less_would),
        cmocka_unit_test(bits_are_the_largest_that_fit),
        cmocka_unit_test(extreme_inputs_keep_the_bound),
        cmocka_unit_test(normal_data_get_the_bits_that_we_publish),
        cmocka_unit_test(products_come_back),
        cmocka_unit_test(what_is_not_finite_is_found_anywhere),
        cmocka_unit_test(impossible_bounds_are_refused),
        cmocka_unit_test(rings_grow_with_the_declared_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
