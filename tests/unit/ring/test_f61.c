/* SPDX-License-Identifier: Apache-2.0 */
/* If the field were wrong at its edges, threshold answers and checks would be wrong for rare words only, which no
 * example would show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "ring/f61.h"
#include "ring/word.h"

/* The field by the compiler's own remainder. */
static uint64_t oracle_mul(uint64_t a, uint64_t b) { return (uint64_t)((eis_u128)a * b % EIS_F61_P); }

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_word(void)
{
    static const uint64_t edges[] = {0, 1, 2, EIS_F61_P - 1, EIS_F61_P - 2, EIS_F61_P / 2, EIS_F61_P / 2 + 1};

    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    if (random_state >> 62 == 0) return edges[(random_state >> 40) % 7];
    return (random_state >> 2) % EIS_F61_P;
}

static void vectors_agree_with_the_remainder(void **state)
{
    enum { N = 200, TERMS = 130 };
    static uint64_t x[TERMS][N], y[N], c[TERMS];
    const uint64_t *rows[TERMS];

    (void)state;
    for (size_t j = 0; j < TERMS; j++) {
        c[j] = random_word();
        rows[j] = x[j];
        for (size_t i = 0; i < N; i++) x[j][i] = random_word();
    }
    for (size_t terms = 1; terms <= TERMS; terms = terms < 5 ? terms + 1 : terms * 2 - 3) {
        eis_f61_combine(y, rows, c, terms, N);
        for (size_t i = 0; i < N; i++) {
            uint64_t want = 0;
            for (size_t j = 0; j < terms; j++) want = (want + oracle_mul(c[j], x[j][i])) % EIS_F61_P;
            assert_int_equal(y[i], want);
        }
    }
    for (size_t n = 0; n <= N; n += 7) {
        uint64_t sum = 0, dot = 0;
        for (size_t i = 0; i < n; i++) {
            sum = (sum + x[0][i]) % EIS_F61_P;
            dot = (dot + oracle_mul(x[0][i], x[1][i])) % EIS_F61_P;
        }
        assert_int_equal(eis_f61_sum(x[0], n), sum);
        assert_int_equal(eis_f61_dot(x[0], x[1], n), dot);
    }
    for (size_t i = 0; i < N; i++) y[i] = x[2][i];
    eis_f61_axpy(y, c[5], x[3], N);
    for (size_t i = 0; i < N; i++) assert_int_equal(y[i], (x[2][i] + oracle_mul(c[5], x[3][i])) % EIS_F61_P);
}

static void inverses_invert(void **state)
{
    (void)state;
    assert_int_equal(eis_f61_inverse_var(1), 1);
    assert_int_equal(eis_f61_inverse_var(EIS_F61_P - 1), EIS_F61_P - 1);
    for (int i = 0; i < 300; i++) {
        uint64_t a = random_word();
        if (a != 0) assert_int_equal(oracle_mul(a, eis_f61_inverse_var(a)), 1);
    }
}

/* Every polynomial of degree below `count` must come out, at the points themselves, at 0 and elsewhere. */
static void lagrange_reproduces_polynomials(void **state)
{
    uint64_t points[16], c[16], poly[16];

    (void)state;
    for (size_t count = 1; count <= 16; count++) {
        for (size_t i = 0; i < count; i++) {
            points[i] = 3 * i + 1;
            poly[i] = random_word();
        }
        for (uint64_t at = 0; at < 40; at++) {
            uint64_t got = 0, want = 0;

            eis_f61_lagrange_var(c, points, count, at);
            for (size_t i = count; i-- > 0;) want = (oracle_mul(want, at) + poly[i]) % EIS_F61_P;
            for (size_t j = 0; j < count; j++) {
                uint64_t value = 0;
                for (size_t i = count; i-- > 0;) value = (oracle_mul(value, points[j]) + poly[i]) % EIS_F61_P;
                got = (got + oracle_mul(c[j], value)) % EIS_F61_P;
            }
            assert_int_equal(got, want);
        }
    }
}

/* A word of another form than the one we allow must not pass a reader. */
static void words_outside_are_noticed_anywhere(void **state)
{
    static const struct {
        eis_ring ring;
        unsigned cut;
        uint64_t last, first_bad;
    } cases[] = {
        {EIS_RING_F61, 0, EIS_F61_P - 1, EIS_F61_P},     {EIS_RING_F61, 0, EIS_F61_P - 1, UINT64_MAX},
        {EIS_RING_F61, 0, EIS_F61_P - 1, EIS_F61_P + 1}, {EIS_RING_Z52, 0, (1ull << 52) - 1, 1ull << 52},
        {EIS_RING_Z52, 20, UINT32_MAX, 1ull << 32},      {EIS_RING_Z32, 0, UINT32_MAX, UINT64_MAX},
        {EIS_RING_Z64, 32, UINT32_MAX, 1ull << 63},
    };
    uint64_t words[67];

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (size_t i = 0; i < 67; i++) words[i] = cases[c].last;
        assert_true(eis_ring_words_canonical(words, 67, cases[c].ring, cases[c].cut));
        for (size_t i = 0; i < 67; i++) {
            words[i] = cases[c].first_bad;
            assert_false(eis_ring_words_canonical(words, 67, cases[c].ring, cases[c].cut));
            words[i] = cases[c].last;
        }
    }
    words[0] = UINT64_MAX;
    assert_true(eis_ring_words_canonical(words, 1, EIS_RING_Z64, 0));
    assert_true(eis_ring_words_canonical(words, 0, EIS_RING_F61, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_agree_with_the_remainder),
        cmocka_unit_test(inverses_invert),
        cmocka_unit_test(lagrange_reproduces_polynomials),
        cmocka_unit_test(words_outside_are_noticed_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
