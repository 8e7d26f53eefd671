/* SPDX-License-Identifier: Apache-2.0 */
/* If a seeded polynomial differed by one word, the ciphertext would decrypt to noise; if an error or a secret had
 * another distribution, the security estimate would not hold. Published words, rejection by a stream made by hand, and
 * distributions counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "ring/sampler.h"
#include "ring/zq.h"

static const uint64_t p0[] = {1152921504606748673, 1099510890497, 1099511480321};

typedef struct published {
    uint64_t limb0[4], limb1[2], limb2[2], last;
    const char *sha256;
} published;

/* Section 11 of the wire reference: seed 00, 01, ... 3f. */
static const published vectors[2] = {{{767746516063435024, 493202236470529841, 254328489487313254, 539820447947259192},
                                      {990615015707, 553743219552},
                                      {313397482272, 576756845123},
                                      727212163161,
                                      "e4ae4df8fe4d9371693e3892d825e86f9432ef91f6863b442e25f445d8a24496"},
                                     {{869735943737647427, 117603861218878210, 54788226706129563, 843033510165152860},
                                      {1088373796984, 495428920407},
                                      {824648466501, 1090940138889},
                                      55044540415,
                                      "98b04aeb09d13e4f22b1ba675919351845ae38998a51098a763d5f0b6f4246be"}};

static void assert_sha256(const eis_poly *p, const char *expected)
{
    const size_t count = p->limbs * p->degree;
    uint8_t *bytes = eis_mem_new(count, 8), digest[32];
    static const char digits[] = "0123456789abcdef";

    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) eis_store_le64(bytes + 8 * i, p->words[i]);
    assert_int_equal(EVP_Digest(bytes, 8 * count, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(expected[2 * i], digits[digest[i] >> 4]);
        assert_int_equal(expected[2 * i + 1], digits[digest[i] & 15]);
    }
    eis_mem_free(bytes);
}

static void published_expansions(void **state)
{
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
    eis_poly a = {0};
    eis_rns rns;

    (void)state;
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)i;
    assert_int_equal(eis_rns_init(&rns, 13, p0, 3), EIS_OK);
    assert_int_equal(eis_poly_init(&rns, &a, 3, 0, EIS_DOMAIN_COEFF), EIS_OK);
    for (unsigned generator = 1; generator <= 2; generator++) {
        const published *v = &vectors[generator - 1];

        assert_int_equal(eis_sampler_uniform_seeded(&rns, &a, generator, seed), EIS_OK);
        assert_int_equal(a.domain, EIS_DOMAIN_NTT);
        assert_memory_equal(eis_poly_limb(&a, 0), v->limb0, sizeof v->limb0);
        assert_memory_equal(eis_poly_limb(&a, 1), v->limb1, sizeof v->limb1);
        assert_memory_equal(eis_poly_limb(&a, 2), v->limb2, sizeof v->limb2);
        assert_true(a.words[3 * 8192 - 1] == v->last);
        assert_sha256(&a, v->sha256);
    }
    assert_int_equal(eis_sampler_uniform_seeded(&rns, &a, 3, seed), EIS_ERR_UNSUPPORTED);
    assert_true(eis_poly_limb_is_zero(&a, 0) && eis_poly_limb_is_zero(&a, 2));
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
}

/* A stream of words made by hand; it fails at its end. */
typedef struct script {
    const uint64_t *words;
    size_t count, at_bytes;
} script;

static eis_status read_script(void *ctx, void *out, size_t bytes)
{
    script *s = ctx;
    uint8_t *to = out;

    for (size_t i = 0; i < bytes; i++, s->at_bytes++) {
        if (s->at_bytes / 8 >= s->count) {
            memset(out, 0, bytes);
            return EIS_ERR_INTERNAL;
        }
        to[i] = (uint8_t)(s->words[s->at_bytes / 8] >> (8 * (s->at_bytes % 8)));
    }
    return EIS_OK;
}

/* Two limbs of 4 words; rejected: one in limb 0, whose replacement is rejected too, and two in limb 1. */
static void rejected_words_are_replaced_from_behind_the_bulk(void **state)
{
    const uint64_t q[] = {17, 97}, end = UINT64_MAX;
    const uint64_t t0 = end - end % 17 - 1, t1 = end - end % 97 - 1;
    const uint64_t words[] = {5, t0, t0 - 1, 17, t1 + 1, 96, end, t1 - 1, end, 20, t1, 100, 3, 1234};
    const uint64_t expected[] = {5, 3, (t0 - 1) % 17, 0, 100 % 97, 96, 3, (t1 - 1) % 97};
    script s = {words, sizeof words / sizeof words[0], 0};
    eis_byte_source stream = {read_script, &s};
    eis_poly a = {0};
    eis_rns rns;

    (void)state;
    assert_int_equal(eis_rns_init(&rns, 2, q, 2), EIS_OK);
    assert_int_equal(eis_poly_init(&rns, &a, 2, 0, EIS_DOMAIN_NTT), EIS_OK);
    assert_int_equal(eis_sampler_uniform_stream(&rns, &a, &stream), EIS_OK);
    /* limb 0: end is rejected again, then 20; limb 1: t1 is rejected again, then 100, and 3 for the last. */
    assert_memory_equal(a.words, expected, sizeof expected);
    assert_int_equal(s.at_bytes, 13 * 8);
    s = (script){words, 9, 0}; /* the stream ends among the replacements */
    assert_int_equal(eis_sampler_uniform_stream(&rns, &a, &stream), EIS_ERR_INTERNAL);
    assert_true(eis_poly_limb_is_zero(&a, 0) && eis_poly_limb_is_zero(&a, 1));
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
}

static void start_stream(eis_prg *prg, uint8_t first)
{
    uint8_t seed[32] = {first};

    assert_int_equal(eis_prg_start(prg, EIS_SUITE_CHACHA20, seed, sizeof seed), EIS_OK);
}

/* A word of the stream as a fraction of 2^64, by long division in base 3. */
static void ternary_digits_are_base_3_of_the_stream(void **state)
{
    const uint64_t words[] = {
        0, UINT64_MAX, UINT64_MAX / 3, UINT64_MAX / 3 + 1, UINT64_MAX / 81 * 53, 0x123456789abcdef0};
    script s = {words, 6, 0};
    eis_byte_source stream = {read_script, &s};
    int8_t coeff[22];

    (void)state;
    assert_int_equal(eis_sampler_ternary(coeff, 22, &stream), EIS_OK);
    for (size_t i = 0; i < 22; i++) {
        /* floor(word * 81 / 2^64) has the four digits. */
        unsigned digits = (unsigned)(((eis_zq_wide)words[i / 4] * 81) >> 64), power[] = {27, 9, 3, 1};
        assert_int_equal(coeff[i], (int)(digits / power[i % 4] % 3) - 1);
    }
    assert_int_equal(s.at_bytes, 48);
}

/* 2^18 draws: each value within 5 sigma of a third. */
static void ternary_is_even(void **state)
{
    enum { DRAWS = 1 << 18 };
    int8_t *coeff = eis_mem_new(DRAWS, 1);
    size_t seen[3] = {0};
    eis_prg prg = {0};
    eis_byte_source stream = eis_prg_stream(&prg);

    (void)state;
    assert_non_null(coeff);
    start_stream(&prg, 1);
    assert_int_equal(eis_sampler_ternary(coeff, DRAWS, &stream), EIS_OK);
    for (size_t i = 0; i < DRAWS; i++) {
        assert_in_range(coeff[i] + 1, 0, 2);
        seen[coeff[i] + 1]++;
    }
    for (size_t v = 0; v < 3; v++) assert_in_range(seen[v], DRAWS / 3 - 1207, DRAWS / 3 + 1207);
    eis_prg_clear(&prg);
    eis_mem_free(coeff);
}

/* Every pair of coin sums by their definition: bit counts of 21 bits. */
static void errors_are_differences_of_coins(void **state)
{
    enum { DRAWS = 4096 };
    uint8_t bytes[6 * DRAWS];
    int8_t coeff[DRAWS];
    eis_prg prg = {0};
    eis_byte_source stream = eis_prg_stream(&prg);

    (void)state;
    start_stream(&prg, 2);
    assert_int_equal(eis_prg_read(&prg, bytes, sizeof bytes), EIS_OK);
    start_stream(&prg, 2);
    assert_int_equal(eis_sampler_error(coeff, DRAWS, &stream), EIS_OK);
    for (size_t i = 0; i < DRAWS; i++) {
        int sum = 0;

        for (int side = 0; side < 2; side++) {
            for (int bit = 0; bit < 21; bit++) {
                int coin = bytes[6 * i + 3 * (size_t)side + (size_t)bit / 8] >> (bit % 8) & 1;
                sum += side == 0 ? coin : -coin;
            }
        }
        assert_int_equal(coeff[i], sum);
    }
    eis_prg_clear(&prg);
}

/* Heads only, tails only, and the three bits of either side that are cut off. */
static void error_extremes(void **state)
{
    const uint64_t words[] = {0x0000000000ffffff, 0x00e00000ffffff00, 0x000000000000e000};
    script s = {words, 3, 0};
    eis_byte_source stream = {read_script, &s};
    int8_t coeff[4];

    (void)state;
    assert_int_equal(eis_sampler_error(coeff, 4, &stream), EIS_OK);
    assert_int_equal(coeff[0], 21);
    assert_int_equal(coeff[1], -21);
    assert_int_equal(coeff[2], 0);
    assert_int_equal(coeff[3], 0);
}

/* 2^18 draws: mean 0 and variance 21/2 within 5 sigma of the estimates. */
static void errors_have_the_variance(void **state)
{
    enum { DRAWS = 1 << 18 };
    int8_t *coeff = eis_mem_new(DRAWS, 1);
    double sum = 0, squares = 0;
    eis_prg prg = {0};
    eis_byte_source stream = eis_prg_stream(&prg);

    (void)state;
    assert_non_null(coeff);
    start_stream(&prg, 3);
    assert_int_equal(eis_sampler_error(coeff, DRAWS, &stream), EIS_OK);
    for (size_t i = 0; i < DRAWS; i++) {
        sum += coeff[i];
        squares += coeff[i] * coeff[i];
    }
    assert_true(sum / DRAWS < 0.032 && sum / DRAWS > -0.032);        /* 5 * 3.24 / 512 */
    assert_true(squares / DRAWS > 10.36 && squares / DRAWS < 10.64); /* 5 * 10.5 * sqrt(2) / 512 = 0.145 */
    eis_prg_clear(&prg);
    eis_mem_free(coeff);
}

static void failing_streams_leave_nothing(void **state)
{
    const uint64_t words[] = {1, 2, 3};
    script s = {words, 3, 0};
    eis_byte_source stream = {read_script, &s};
    int8_t coeff[100];

    (void)state;
    memset(coeff, 7, sizeof coeff);
    assert_int_equal(eis_sampler_ternary(coeff, 100, &stream), EIS_ERR_INTERNAL);
    for (size_t i = 0; i < 100; i++) assert_int_equal(coeff[i], 0);
    memset(coeff, 7, sizeof coeff);
    s.at_bytes = 0;
    assert_int_equal(eis_sampler_error(coeff, 100, &stream), EIS_ERR_INTERNAL);
    for (size_t i = 0; i < 100; i++) assert_int_equal(coeff[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_expansions),
        cmocka_unit_test(rejected_words_are_replaced_from_behind_the_bulk),
        cmocka_unit_test(ternary_digits_are_base_3_of_the_stream),
        cmocka_unit_test(ternary_is_even),
        cmocka_unit_test(errors_are_differences_of_coins),
        cmocka_unit_test(error_extremes),
        cmocka_unit_test(errors_have_the_variance),
        cmocka_unit_test(failing_streams_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
