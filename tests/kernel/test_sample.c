/* SPDX-License-Identifier: Apache-2.0 */
/* If a level drew other coefficients, or reduced a word to another residue, the same seed would stand for another
 * polynomial; if it missed a rejected word, residues would be biased. Every level against plain C, and plain C against
 * its definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"
#include "ring/zq.h"

#define LONGEST 130
#define GUARD   40

static uint64_t bound_of(uint64_t q) { return UINT64_MAX - UINT64_MAX % q - 1; }

/* Primes on both sides of 2^32, of all classes, and the smallest. */
static uint64_t prime_number(size_t i)
{
    static const uint64_t given[] = {3,
                                     17,
                                     257,
                                     65537,
                                     1073479681,
                                     4294967291, /* the last below 2^32 */
                                     4294967311, /* the first above */
                                     1099510890497,
                                     1125899906629633,
                                     1152921504606748673,
                                     2305843009213693951};
    return i < sizeof given / sizeof given[0] ? given[i] : 0;
}

static void fill_words(uint64_t *words, size_t n, uint64_t q, uint64_t bound, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t special[] = {0, q - 1, q, q + 1, bound - 1, bound / q * q, bound / 2, UINT64_C(1) << 63};
        const uint64_t pick = rng_next(rng);

        words[i] = pick % 2 == 0 ? special[(pick >> 8) % 8] : rng_next(rng);
        if (words[i] >= bound) words[i] = bound - 1;
    }
}

static void run_reduction(const eis_kernels *k, const eis_modulus *m, uint64_t bound, const uint64_t *words, size_t n,
                          size_t refused)
{
    uint64_t got[LONGEST + GUARD];
    size_t done;

    memset(got, 0xa5, sizeof got);
    memcpy(got + 1, words, n * sizeof *words); /* not aligned to a vector */
    done = k->sample.reduce_below_var(got + 1, n, bound, m);
    assert_int_equal(done, refused < n ? refused : n);
    for (size_t i = 0; i < done; i++) assert_true(got[1 + i] == words[i] % m->q);
    if (done < n) assert_true(got[1 + done] == words[done]);
    for (size_t i = n + 1; i < LONGEST + GUARD; i++) assert_true(got[i] == UINT64_C(0xa5a5a5a5a5a5a5a5));
}

/* Without rejection, and with a rejected word at every place. */
static void reduction_stops_at_the_first_refused_word(void **state)
{
    uint64_t words[LONGEST], rng = 5;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        for (size_t p = 0; prime_number(p) != 0; p++) {
            const uint64_t q = prime_number(p), bound = bound_of(q);
            eis_modulus m;

            assert_int_equal(eis_modulus_init(&m, q), EIS_OK);
            for (size_t n = 0; n <= LONGEST; n += n < 20 ? 1 : 11) {
                fill_words(words, n, q, bound, &rng);
                run_reduction(eis_kernels_level(level), &m, bound, words, n, n);
                for (size_t at = 0; at < n; at++) {
                    const uint64_t kept = words[at];

                    words[at] = at % 3 == 0 ? bound : at % 3 == 1 ? bound + 1 : UINT64_MAX;
                    run_reduction(eis_kernels_level(level), &m, bound, words, n, at);
                    words[at] = kept;
                }
            }
        }
    }
}

static int8_t error_by_definition(const uint8_t *b)
{
    int e = 0;

    for (unsigned i = 0; i < EIS_SAMPLE_PAIRS; i++) e += (b[i / 8] >> i % 8 & 1) - (b[3 + i / 8] >> i % 8 & 1);
    return (int8_t)e;
}

static void errors_are_heads_less_tails(void **state)
{
    uint8_t bytes[EIS_SAMPLE_ERROR_BYTES * LONGEST];
    int8_t got[LONGEST + GUARD];
    uint64_t rng = 6;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_kernels *k = eis_kernels_level(level);

        for (size_t n = 0; n <= LONGEST; n++) {
            /* At the end of the array, so that a sanitizer sees what is read behind it. */
            uint8_t *at = bytes + sizeof bytes - EIS_SAMPLE_ERROR_BYTES * n;

            for (size_t i = 0; i < EIS_SAMPLE_ERROR_BYTES * n; i++) at[i] = (uint8_t)rng_next(&rng);
            if (n > 3) memset(at, 0xff, 3); /* 21 */
            if (n > 3) memset(at + 3, 0, 6);
            if (n > 3) memset(at + 9, 0xff, 3); /* -21 */
            memset(got, 0x55, sizeof got);
            k->sample.errors(got, at, n);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(got[i], error_by_definition(at + EIS_SAMPLE_ERROR_BYTES * i));
            }
            for (size_t i = n; i < n + GUARD; i++) assert_int_equal(got[i], 0x55);
        }
    }
}

static void trits_are_digits_in_base_3(void **state)
{
    uint8_t bytes[8 * LONGEST];
    int8_t got[EIS_SAMPLE_TRITS * LONGEST];
    uint64_t rng = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rng_next(&rng);
    memset(bytes, 0, 8);
    memset(bytes + 8, 0xff, 8);
    memset(bytes + 16, 0x55, 8); /* floor(2^64 / 3): the last below a third */
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        eis_kernels_level(level)->sample.trits(got, bytes, LONGEST);
        for (size_t i = 0; i < sizeof got; i++) {
            static const unsigned power[] = {27, 9, 3, 1};
            const unsigned digits = (unsigned)(((eis_zq_wide)eis_load_le64(bytes + 8 * (i / 4)) * 81) >> 64);

            assert_int_equal(got[i], (int)(digits / power[i % 4] % 3) - 1);
        }
    }
}

static void small_coefficients_become_residues(void **state)
{
    int8_t coeff[LONGEST];
    uint64_t got[LONGEST + 1];
    eis_modulus m;

    (void)state;
    for (size_t i = 0; i < LONGEST; i++) coeff[i] = (int8_t)(i * 2);
    coeff[0] = -1;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        for (size_t p = 2; prime_number(p) != 0; p++) {
            assert_int_equal(eis_modulus_init(&m, prime_number(p)), EIS_OK);
            for (size_t n = 0; n <= LONGEST; n++) {
                got[n] = 77;
                eis_kernels_level(level)->sample.words_from_small(got, coeff, n, &m);
                for (size_t i = 0; i < n; i++) assert_true(got[i] == eis_zq_from_i64(coeff[i], &m));
                assert_true(got[n] == 77);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduction_stops_at_the_first_refused_word),
        cmocka_unit_test(errors_are_heads_less_tails),
        cmocka_unit_test(trits_are_digits_in_base_3),
        cmocka_unit_test(small_coefficients_become_residues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
