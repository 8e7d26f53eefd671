/* SPDX-License-Identifier: Apache-2.0 */
/* If sharing and combining differed between levels, or rounded otherwise than they say, shares would not add up to the
 * input: plain C against arithmetic in 128 bits and long double, then every level against plain C, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"

__extension__ typedef __int128 wide;

static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52,
                                 EIS_RING_Z56, EIS_RING_F61, EIS_RING_Z64};
#define RINGS   (sizeof rings / sizeof rings[0])
#define LONGEST 300 /* words in a test vector; past DOT_BLOCK and every width several times */
#define GUARD   64  /* bytes behind an output that must stay */

static wide modulus(eis_ring ring) { return ring == EIS_RING_F61 ? (wide)EIS_F61_P : (wide)1 << (unsigned)ring; }

static uint64_t reduce(wide v, eis_ring ring)
{
    wide m = modulus(ring);
    return (uint64_t)((v % m + m) % m);
}

/* Canonical words with the extremes among them. */
static void fill_words(uint64_t *words, size_t n, eis_ring ring, uint64_t seed)
{
    const uint64_t largest = (uint64_t)(modulus(ring) - 1);
    const uint64_t special[] = {0, 1, largest, largest / 2, largest / 2 + 1, largest / 2 + 2, largest - 1, 0xffffffffu};

    for (size_t i = 0; i < n; i++) {
        uint64_t pick = rng_next(&seed);
        words[i] = pick % 4 == 0 ? special[(pick >> 8) % 8] : reduce((wide)rng_next(&seed), ring);
    }
}

/* An output with a guard behind it, placed `shift` bytes off a 64-byte boundary. */
typedef struct output {
    uint8_t *block, *at;
    size_t bytes;
} output;

static output output_make(size_t bytes, size_t shift)
{
    output o = {.block = eis_mem_new(bytes + shift + GUARD, 1), .bytes = bytes};

    assert_non_null(o.block);
    memset(o.block, 0xa5, bytes + shift + GUARD);
    o.at = o.block + shift;
    return o;
}

static void output_equal_and_free(output *got, output *expected, const char *entry, const char *level, size_t n)
{
    for (size_t i = 0; i < GUARD; i++) {
        if (got->at[got->bytes + i] != 0xa5) fail_msg("%s %s n=%zu wrote behind its output", level, entry, n);
    }
    if (memcmp(got->at, expected->at, got->bytes) != 0) fail_msg("%s %s n=%zu differs from plain C", level, entry, n);
    eis_mem_free(got->block);
    eis_mem_free(expected->block);
}

/* Reals in [-2^51, 2^51] after scaling, with ties and the borders among them. */
static void fill_reals(double *x, size_t n, uint64_t seed)
{
    static const double special[] = {0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0x1p51 - 1, 1 - 0x1p51, 0x1p50 + 0.5};

    for (size_t i = 0; i < n; i++) {
        uint64_t pick = rng_next(&seed);
        x[i] = pick % 3 == 0 ? special[(pick >> 8) % 11]
                             : (double)(int64_t)rng_next(&seed) * (pick % 3 == 1 ? 0x1p-13 : 0x1p-60);
    }
}

static void plain_c_adds_subtracts_and_sums(void **state)
{
    const eis_kernels *k = eis_kernels_level(0);
    uint64_t a[LONGEST], b[LONGEST], r[LONGEST];

    (void)state;
    for (size_t q = 0; q < RINGS; q++) {
        wide sum = 0;
        fill_words(a, LONGEST, rings[q], q);
        fill_words(b, LONGEST, rings[q], q + 100);
        k->words_add(r, a, b, LONGEST, rings[q]);
        for (size_t i = 0; i < LONGEST; i++) assert_true(r[i] == reduce((wide)a[i] + b[i], rings[q]));
        k->words_sub(r, a, b, LONGEST, rings[q]);
        for (size_t i = 0; i < LONGEST; i++) assert_true(r[i] == reduce((wide)a[i] - b[i], rings[q]));
        for (size_t i = 0; i < LONGEST; i++) sum += a[i];
        assert_true(k->words_sum(a, LONGEST, rings[q]) == reduce(sum, rings[q]));
    }
}

static void plain_c_multiplies_in_the_field(void **state)
{
    const eis_kernels *k = eis_kernels_level(0);
    uint64_t a[LONGEST], b[LONGEST], y[LONGEST], before[LONGEST], expected = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        fill_words(a, LONGEST, EIS_RING_F61, seed);
        fill_words(b, LONGEST, EIS_RING_F61, seed + 100);
        fill_words(y, LONGEST, EIS_RING_F61, seed + 200);
        memcpy(before, y, sizeof y);
        k->f61_axpy(y, b[0], a, LONGEST);
        expected = 0;
        for (size_t i = 0; i < LONGEST; i++) {
            assert_true(y[i] == reduce((wide)before[i] + (wide)a[i] * b[0] % EIS_F61_P, EIS_RING_F61));
            expected = reduce((wide)expected + (wide)a[i] * b[i] % EIS_F61_P, EIS_RING_F61);
            assert_true(k->f61_dot(a, b, i + 1) == expected);
        }
    }
    for (size_t i = 0; i < LONGEST; i++) a[i] = EIS_F61_P - 1;
    assert_true(k->f61_dot(a, a, LONGEST) == LONGEST); /* (-1)(-1) each */
}

/* Half goes to even, negative numbers to the top of the ring. */
static void plain_c_rounds_to_the_nearest_word(void **state)
{
    static const double x[] = {0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, -3.0, 0x1p51 - 1, 1 - 0x1p51};
    static const int64_t n[] = {0, 2, 2, 0, -2, -2, 0, -3, (INT64_C(1) << 51) - 1, 1 - (INT64_C(1) << 51)};
    uint64_t words[10];

    (void)state;
    for (size_t q = 0; q < RINGS; q++) {
        eis_kernels_level(0)->words_from_reals(words, x, 10, 1.0, rings[q]);
        for (size_t i = 0; i < 10; i++) assert_true(words[i] == reduce((wide)n[i], rings[q]));
        eis_kernels_level(0)->words_from_reals(words, x, 3, 4.0, rings[q]);
        assert_true(words[0] == 2 && words[1] == 6 && words[2] == 10);
    }
}

static void plain_c_centres_and_scales(void **state)
{
    uint64_t words[LONGEST];
    double out[LONGEST], scale[LONGEST];

    (void)state;
    for (size_t q = 0; q < RINGS; q++) {
        fill_words(words, LONGEST, rings[q], q + 7);
        for (size_t i = 0; i < LONGEST; i++) scale[i] = 1.0 + (double)i / 7;
        eis_kernels_level(0)->words_to_reals(out, words, scale, LONGEST, 0.25, 0x1p-20, rings[q]);
        for (size_t i = 0; i < LONGEST; i++) {
            wide m = modulus(rings[q]), v = words[i] >= (m + 1) / 2 ? (wide)words[i] - m : (wide)words[i];
            assert_true(out[i] == ((double)(int64_t)v + 0.25) * scale[i] * 0x1p-20);
        }
    }
}

static void plain_c_packs_as_the_wire_says(void **state)
{
    const eis_kernels *k = eis_kernels_level(0);
    const uint64_t words[3] = {UINT64_C(0xfedcba9876543), UINT64_C(0x123456789abcd), UINT64_C(0x80000000000f1)};
    static const uint8_t packed[20] = {0x43, 0x65, 0x87, 0xa9, 0xcb, 0xed, 0xdf, 0xbc, 0x9a, 0x78,
                                       0x56, 0x34, 0x12, 0xf1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08};
    const uint64_t five[5] = {0x0504030201, 0x1514131211, 0x2524232221, 0x3534333231, 0x4544434241};
    static const uint8_t planes[40] = {0x01, 0x11, 0x21, 0x31, 0x02, 0x12, 0x22, 0x32, 0x03, 0x13,
                                       0x23, 0x33, 0x04, 0x14, 0x24, 0x34, 0x05, 0x15, 0x25, 0x35,
                                       0x41, 0,    0,    0,    0x42, 0,    0,    0,    0x43, 0,
                                       0,    0,    0x44, 0,    0,    0,    0x45, 0,    0,    0};
    uint8_t bytes[40];
    uint64_t back[5];

    (void)state;
    assert_int_equal(eis_packed52_bytes(3), 20);
    k->bytes_from_words52(bytes, words, 3);
    assert_memory_equal(bytes, packed, 20);
    bytes[19] |= 0xf0; /* spare bits are ignored */
    k->words52_from_bytes(back, bytes, 3);
    assert_memory_equal(back, words, sizeof words);
    k->planes_from_words(bytes, five, 5, 5);
    assert_memory_equal(bytes, planes, 40);
    k->words_from_planes(back, bytes, 5, 5);
    assert_memory_equal(back, five, sizeof five);
}

static void plain_c_takes_planes_away(void **state)
{
    const eis_kernels *k = eis_kernels_level(0);
    uint64_t words[LONGEST], share[LONGEST], left[LONGEST];
    uint8_t planes[8 * LONGEST];

    (void)state;
    for (unsigned p = 4; p <= 8; p++) {
        eis_ring ring = (eis_ring)(8 * p);
        fill_words(words, LONGEST, ring, p);
        fill_words(share, LONGEST, ring, p + 50);
        k->planes_from_words(planes, share, LONGEST, p);
        k->planes_sub_from_words(planes, words, LONGEST - 1, p);
        k->words_from_planes(left, planes, LONGEST, p);
        for (size_t i = 0; i + 1 < LONGEST; i++) assert_true(left[i] == reduce((wide)words[i] - share[i], ring));
        assert_true(left[LONGEST - 1] == 0); /* behind n */
    }
}

#define ON_BOTH(entry_name, out_bytes, call)                                                  \
    do {                                                                                      \
        output got = output_make((out_bytes), shift), expected = output_make((out_bytes), 0); \
        const eis_kernels *k = level;                                                         \
        void *out = got.at;                                                                   \
        call;                                                                                 \
        k = eis_kernels_level(0);                                                             \
        out = expected.at;                                                                    \
        call;                                                                                 \
        output_equal_and_free(&got, &expected, entry_name, level->name, n);                   \
    } while (0)

static void check_ring_entries(const eis_kernels *level, eis_ring ring, size_t n, size_t shift)
{
    uint64_t a[LONGEST], b[LONGEST];
    double x[LONGEST], scale[LONGEST];
    size_t bytes = n * sizeof *a;

    fill_words(a, n, ring, n);
    fill_words(b, n, ring, n + 1000);
    fill_reals(x, n, n + 2000);
    for (size_t i = 0; i < n; i++) scale[i] = 1.0 + (double)i / 3;
    ON_BOTH("words_add", bytes, k->words_add(out, a, b, n, ring));
    ON_BOTH("words_sub", bytes, k->words_sub(out, a, b, n, ring));
    if (ring != EIS_RING_F61) { /* sharing takes stream words as they come */
        for (size_t i = 0; i < n; i++) b[i] |= ~eis_ring_mask(ring);
        ON_BOTH("words_add", bytes, k->words_add(out, a, b, n, ring));
        ON_BOTH("words_sub", bytes, k->words_sub(out, a, b, n, ring));
        fill_words(b, n, ring, n + 1000);
    }
    ON_BOTH("words_from_reals", bytes, k->words_from_reals(out, x, n, 1.0, ring));
    ON_BOTH("words_from_reals", bytes, k->words_from_reals(out, x, n, 0x1p-17, ring));
    ON_BOTH("words_to_reals", bytes, k->words_to_reals(out, a, scale, n, 0.5, 0x1p-9, ring));
    ON_BOTH("words_to_reals", bytes, k->words_to_reals(out, a, NULL, n, 0.0, 1.0, ring));
    assert_true(level->words_sum(a, n, ring) == eis_kernels_level(0)->words_sum(a, n, ring));
    level->words_add(a, a, b, n, ring); /* in place and back */
    level->words_sub(a, a, b, n, ring);
    fill_words(b, n, ring, n);
    assert_memory_equal(a, b, bytes);
}

static void check_byte_forms(const eis_kernels *level, size_t n, size_t shift)
{
    uint64_t words[LONGEST];
    uint8_t bytes[8 * LONGEST + 64];
    uint64_t seed = n;

    for (unsigned p = 4; p <= 8; p++) {
        size_t plane_bytes = (n + 3) / 4 * 4 * p;
        fill_words(words, n, (eis_ring)(8 * p), n);
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rng_next(&seed);
        ON_BOTH("planes_from_words", plane_bytes, k->planes_from_words(out, words, n, p));
        ON_BOTH("words_from_planes", n * sizeof *words, k->words_from_planes(out, bytes + shift, n, p));
        ON_BOTH("planes_sub_from_words", plane_bytes,
                (memcpy(out, bytes, plane_bytes), k->planes_sub_from_words(out, words, n, p)));
    }
    fill_words(words, n, EIS_RING_Z52, n);
    ON_BOTH("bytes_from_words52", eis_packed52_bytes(n), k->bytes_from_words52(out, words, n));
    ON_BOTH("words52_from_bytes", n * sizeof *words, k->words52_from_bytes(out, bytes + shift, n));
}

static void check_field_entries(const eis_kernels *level, size_t n, size_t shift)
{
    uint64_t a[LONGEST], b[LONGEST];

    fill_words(a, n, EIS_RING_F61, n + 5);
    fill_words(b, n, EIS_RING_F61, n + 6);
    assert_true(level->f61_dot(a, b, n) == eis_kernels_level(0)->f61_dot(a, b, n));
    for (uint64_t seed = 0; seed < 8; seed++) {
        uint64_t c;
        fill_words(&c, 1, EIS_RING_F61, seed + n);
        ON_BOTH("f61_axpy", n * sizeof *a, (memcpy(out, b, n * sizeof *a), k->f61_axpy(out, c, a, n)));
    }
}

/* All remainders of rows, columns and vectors; the largest words, whose lazy sums come nearest to running over. */
static void products_of_matrices_agree(void **state)
{
    enum { ROWS = 5, INNER = 150, BATCH = 19 };
    static const size_t inner[] = {0, 1, 2, 3, 4, 5, 63, 64, 127, 128, 129, 130, 131, 132, INNER};
    static const uint64_t extremes[] = {EIS_F61_P - 1, EIS_F61_P / 2, EIS_F61_P / 2 + 1, 1,
                                        /* limbs of 30, 31 and 32 bits full, the others empty */
                                        (UINT64_C(1) << 30) - 1, (UINT64_C(1) << 31) - 1, UINT32_MAX,
                                        EIS_F61_P - ((UINT64_C(1) << 30) - 1), EIS_F61_P - ((UINT64_C(1) << 31) - 1),
                                        EIS_F61_P - UINT32_MAX};
    enum { EXTREMES = sizeof extremes / sizeof extremes[0] };
    uint64_t w[ROWS * INNER], x[BATCH * INNER], y[BATCH * ROWS + 1];

    (void)state;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        const eis_kernels *k = eis_kernels_level(i);
        for (size_t c = 0; c < sizeof inner / sizeof inner[0]; c++) {
            for (size_t shape = 0; shape < (ROWS + 1) * (BATCH + 1); shape++) {
                size_t rows = shape % (ROWS + 1), batch = shape / (ROWS + 1), n = inner[c];
                fill_words(w, rows * n, EIS_RING_F61, 3 * shape + c);
                fill_words(x, batch * n, EIS_RING_F61, 5 * shape + c);
                y[batch * rows] = 0xa5;
                k->f61_matmul(y, w, x, rows, n, batch);
                assert_int_equal(y[batch * rows], 0xa5);
                for (size_t at = 0; at < batch * rows; at++) {
                    const uint64_t *row = w + at % rows * n, *vector = x + at / rows * n;
                    if (y[at] != eis_kernels_level(0)->f61_dot(row, vector, n))
                        fail_msg("%s: %zu rows, %zu columns, %zu vectors, word %zu", k->name, rows, n, batch, at);
                }
            }
        }
        for (size_t pair = 0; pair < EXTREMES * EXTREMES; pair++) {
            uint64_t a = extremes[pair % EXTREMES], b = extremes[pair / EXTREMES], sum;
            for (size_t at = 0; at < ROWS * INNER; at++) w[at] = a;
            for (size_t at = 0; at < BATCH * INNER; at++) x[at] = b;
            sum = eis_f61_word_mul(eis_f61_word_mul(a, b), INNER);
            k->f61_matmul(y, w, x, ROWS, INNER, BATCH);
            for (size_t at = 0; at < BATCH * ROWS; at++) assert_true(y[at] == sum);
        }
    }
}

static void levels_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        const eis_kernels *level = eis_kernels_level(i);
        for (size_t n = 0; n < 70; n++) {
            for (size_t q = 0; q < RINGS; q++) check_ring_entries(level, rings[q], n, n % 4 * 8);
            check_byte_forms(level, n, n % 3 * 8);
            check_field_entries(level, n, n % 5 * 8);
        }
        for (size_t q = 0; q < RINGS; q++) check_ring_entries(level, rings[q], LONGEST - 1, 8);
        check_byte_forms(level, LONGEST - 1, 8);
        check_field_entries(level, LONGEST - 1, 8);
    }
}

/* Sums of products leave their registers after some thousand words: with the largest words a late one would show. */
static void levels_agree_on_long_sums(void **state)
{
    static const size_t lengths[] = {8192, 32767, 32768, 32769, 70003};
    uint64_t *a = eis_mem_new(70003, sizeof *a);

    (void)state;
    assert_non_null(a);
    for (size_t i = 0; i < 70003; i++) a[i] = EIS_F61_P - 1;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        for (size_t l = 0; l < 5; l++) {
            assert_true(eis_kernels_level(i)->f61_dot(a, a, lengths[l]) == lengths[l]); /* (-1)(-1) each */
            assert_true(eis_kernels_level(i)->words_sum(a, lengths[l], EIS_RING_F61) == EIS_F61_P - lengths[l]);
        }
    }
    eis_mem_free(a);
}

/* What is not a number, or too large, must come out as a canonical word and nothing worse. */
static void wild_reals_stay_in_the_ring(void **state)
{
    static const double wild[] = {1e300, -1e300, 0x1p51, -0x1p52, 0x1p63, 5e-324, -1e18, 0x1.fffffffffffffp1023};
    double x[16];
    uint64_t words[16];

    (void)state;
    for (size_t i = 0; i < 8; i++) x[i] = x[i + 8] = wild[i];
    x[9] = (double)__builtin_nanf("");
    x[3] = (double)__builtin_inff();
    x[4] = -(double)__builtin_inff();
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        for (size_t q = 0; q < RINGS; q++) {
            eis_kernels_level(i)->words_from_reals(words, x, 15, 4.0, rings[q]);
            for (size_t j = 0; j < 15; j++) assert_true((wide)words[j] < modulus(rings[q]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_adds_subtracts_and_sums),
        cmocka_unit_test(plain_c_multiplies_in_the_field),
        cmocka_unit_test(plain_c_rounds_to_the_nearest_word),
        cmocka_unit_test(plain_c_centres_and_scales),
        cmocka_unit_test(plain_c_packs_as_the_wire_says),
        cmocka_unit_test(plain_c_takes_planes_away),
        cmocka_unit_test(levels_agree),
        cmocka_unit_test(products_of_matrices_agree),
        cmocka_unit_test(levels_agree_on_long_sums),
        cmocka_unit_test(wild_reals_stay_in_the_ring),
    };

    printf("levels tested:");
    for (size_t i = 0; i < eis_kernels_level_count(); i++) printf(" %s", eis_kernels_level_name(i));
    printf("\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
