/* SPDX-License-Identifier: Apache-2.0 */
/* If a branch or an address depended on an input, its share or a key, the time between two frames would tell a server
 * about it. Under valgrind each secret is undefined memory, and every use in a condition or an address is reported. Not
 * a test of values, though those are looked at too: the marks must not make the code idle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/ct.h"
#include "base/mem.h"
#include "encode/fixed.h"
#include "kernel/f61_word.h"
#include "ring/word.h"
#include "share/combine.h"
#include "share/freivalds.h"
#include "share/shamir.h"
#include "share/split.h"

enum { N = 333 };

static void fill_secret(double *x)
{
    for (size_t i = 0; i < N; i++) x[i] = (i % 3 ? 1 : -1) * (double)(i + 1) / 7;
    EIS_SECRET(x, N * sizeof *x);
}

/* Real input to words, as the client does it for every layer. */
static int quantise(uint64_t *words, double *x, eis_ring ring)
{
    eis_fixed_bound bound;
    uint64_t replaced;
    int bits;

    assert_int_equal(eis_fixed_bound_init(&bound, ring, 1000, N, 0, 0), EIS_OK);
    assert_true(eis_fixed_input_ok(x, N));
    replaced = eis_fixed_sanitise(x, N);
    bits = eis_fixed_bits(&bound, eis_fixed_norm2(x, N));
    eis_fixed_from_reals(words, x, N, bits, ring);
    EIS_PUBLIC(&replaced, sizeof replaced); /* the test looks at it, as the client does at the end of a token */
    assert_int_equal(replaced, 0);
    return bits;
}

/* y is what came back for the identity matrix: x again. Here the results leave the secret world. */
static void check_reals(double *y, double *x, int bits)
{
    EIS_PUBLIC(y, N * sizeof *y);
    EIS_PUBLIC(x, N * sizeof *x);
    EIS_PUBLIC(&bits, sizeof bits);
    for (size_t i = 0; i < N; i++) assert_true(fabs(y[i] - x[i]) <= ldexp(1, -bits));
}

/* What the k servers answer for the identity matrix: their shares in words. */
static void open_shares(uint64_t *answers, eis_prg *prg, const eis_share *shares, size_t k)
{
    const eis_vectors *shape = &shares[0].shape;
    uint8_t *vector = eis_mem_new(eis_vectors_bytes(shape), 1);

    for (size_t i = 0; i < k; i++) {
        assert_int_equal(eis_share_expand(prg, vector, &shares[i]), EIS_OK);
        eis_share_words_read(answers + i * N, vector, shape);
    }
    eis_mem_free_wiped(vector, eis_vectors_bytes(shape), 1);
}

static const struct {
    eis_ring ring;
    eis_form form;
} domains[] = {{EIS_RING_Z32, EIS_FORM_PLANES}, {EIS_RING_Z40, EIS_FORM_PLANES}, {EIS_RING_Z48, EIS_FORM_PLANES},
               {EIS_RING_Z56, EIS_FORM_PLANES}, {EIS_RING_Z64, EIS_FORM_PLANES}, {EIS_RING_Z52, EIS_FORM_WORDS},
               {EIS_RING_F61, EIS_FORM_WORDS}};

static void additive_sharing(void **state)
{
    double x[N], y[N], scale[N];
    uint64_t words[N], answers[3 * N], sum[N];

    (void)state;
    for (size_t i = 0; i < N; i++) scale[i] = 1;
    for (size_t d = 0; d < sizeof domains / sizeof domains[0]; d++)
        for (size_t k = 2; k <= 3; k++) {
            eis_share shares[3] = {0};
            eis_share_part parts[3];
            eis_prg prg = {0};
            eis_vectors shape;
            int bits;

            fill_secret(x);
            bits = quantise(words, x, domains[d].ring);
            assert_int_equal(eis_vectors_init(&shape, domains[d].ring, domains[d].form, N, 1), EIS_OK);
            assert_int_equal(eis_share_split(&prg, shares, k, words, &shape, 1 + (unsigned)d % 3), EIS_OK);
            open_shares(answers, &prg, shares, k);
            assert_true(eis_ring_words_canonical(answers, k * N, domains[d].ring, 0));
            for (size_t i = 0; i < k; i++) parts[i] = (eis_share_part){answers + i * N, 0};
            assert_int_equal(eis_share_combine(sum, parts, k, N, domains[d].ring), EIS_OK);
            eis_fixed_to_reals(y, sum, scale, N, bits, domains[d].ring, 0, 0);
            check_reals(y, x, bits);
            for (size_t i = 0; i < k; i++) eis_share_clear(&shares[i]);
            eis_prg_clear(&prg);
        }
}

static void cut_replies(void **state)
{
    uint64_t answers[2 * N], sum[N];
    double y[N], scale[N];
    eis_share_part parts[2] = {{answers, 20}, {answers + N, 20}};

    (void)state;
    for (size_t i = 0; i < 2 * N; i++) answers[i] = (uint32_t)(i * 2654435761u);
    for (size_t i = 0; i < N; i++) scale[i] = 0.5;
    EIS_SECRET(answers, sizeof answers);
    assert_int_equal(eis_share_combine(sum, parts, 2, N, EIS_RING_Z52), EIS_OK);
    eis_fixed_to_reals(y, sum, scale, N, 3, EIS_RING_Z52, 20, 2);
    EIS_PUBLIC(y, sizeof y);
    assert_true(isfinite(y[0]));
}

static void masks(void **state)
{
    uint64_t words[N];
    eis_share share = {0}, mask = {0};
    eis_prg prg = {0};

    (void)state;
    for (size_t d = 0; d < sizeof domains / sizeof domains[0]; d++) {
        eis_vectors shape;

        for (size_t i = 0; i < N; i++) words[i] = i;
        EIS_SECRET(words, sizeof words);
        assert_int_equal(eis_vectors_init(&shape, domains[d].ring, domains[d].form, N, 1), EIS_OK);
        assert_int_equal(eis_share_init_words(&share, &shape, 2), EIS_OK);
        assert_int_equal(eis_share_init_seed(&mask, &shape, 1, EIS_SUITE_AES128), EIS_OK);
        assert_int_equal(eis_share_split_masked(&prg, &share, 0, words, &mask, 1), EIS_OK);
    }
    eis_share_clear(&share);
    eis_share_clear(&mask);
    eis_prg_clear(&prg);
}

static void threshold_sharing(void **state)
{
    double x[N], y[N], scale[N];
    uint64_t words[N], answers[5 * N], sum[N];

    (void)state;
    for (size_t i = 0; i < N; i++) scale[i] = 1;
    for (size_t t = 2; t <= 4; t++) {
        eis_share shares[5] = {0};
        eis_shamir_answer chosen[5];
        eis_prg prg = {0};
        eis_vectors shape;
        uint32_t cheat;
        int bits;

        fill_secret(x);
        bits = quantise(words, x, EIS_RING_F61);
        assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, N, 1), EIS_OK);
        assert_int_equal(eis_shamir_split(&prg, shares, 5, t, words, &shape, EIS_SUITE_AES128), EIS_OK);
        open_shares(answers, &prg, shares, 5);
        for (uint32_t i = 0; i < 5; i++) chosen[i] = (eis_shamir_answer){5 - i, answers + (4 - i) * N};
        assert_int_equal(eis_shamir_agree(&cheat, chosen, 5, t, N), EIS_OK);
        assert_int_equal(eis_shamir_recover(sum, chosen, t, N), EIS_OK);
        eis_fixed_to_reals(y, sum, scale, N, bits, EIS_RING_F61, 0, 0);
        check_reals(y, x, bits);
        for (size_t i = 0; i < 5; i++) eis_share_clear(&shares[i]);
        eis_prg_clear(&prg);
    }
}

/* The identity matrix again: y = x is right, anything else is not. */
static void checks(void **state)
{
    enum { SMALL = 40 };
    static int32_t w[SMALL * SMALL];
    uint64_t x[SMALL], y[SMALL];
    eis_freivalds keys = {0};
    eis_prg prg = {0};

    (void)state;
    for (size_t i = 0; i < SMALL; i++) {
        w[i * SMALL + i] = 1;
        x[i] = y[i] = i * 77777777777u;
    }
    EIS_SECRET(x, sizeof x);
    EIS_SECRET(y, sizeof y);
    assert_int_equal(eis_freivalds_init(&keys, &prg, SMALL, SMALL, 2), EIS_OK);
    eis_freivalds_add_rows(&keys, w, SMALL);
    assert_int_equal(eis_freivalds_check(&keys, y, x), EIS_OK);
    y[3]++;
    assert_int_equal(eis_freivalds_check(&keys, y, x), EIS_ERR_INTEGRITY);
    eis_freivalds_clear(&keys);
    eis_prg_clear(&prg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additive_sharing),  cmocka_unit_test(cut_replies), cmocka_unit_test(masks),
        cmocka_unit_test(threshold_sharing), cmocka_unit_test(checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
