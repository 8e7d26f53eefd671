/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters that are too large for their degree are broken by a lattice attack, and a parms_id that differs from
 * SEAL's makes every object of every other client unreadable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "ckks/params.h"
#include "ckks/seal_params.h"

#include <math.h>
#include <stdio.h>

static const eis_ckks_literal p0 = {
    .degree = 8192, .prime_count = 4, .bits = {60, 40, 40, 60}, .scale = 1099511627776.0};
static const eis_ckks_literal l1 = {.degree = 16384, .prime_count = 4, .bits = {60, 30, 30, 60}, .scale = 1073741824.0};

static void hex(char *to, const uint8_t *id)
{
    for (size_t i = 0; i < EIS_CKKS_PARMS_ID_BYTES; i++) snprintf(to + 2 * i, 3, "%02x", id[i]);
}

/* The published primes, roots and ids, each computed by SEAL. */
static void primes_roots_and_ids_are_those_of_seal(void **state)
{
    static const struct {
        eis_ckks_literal literal;
        uint64_t primes[4], roots[4];
        const char *ids[4]; /* by number of primes, 1 first; NULL: not published */
    } sets[] = {
        {{.degree = 8192, .prime_count = 4, .bits = {60, 40, 40, 60}},
         {1152921504606748673u, 1099510890497u, 1099511480321u, 1152921504606830593u},
         {100406242475323u, 5405730u, 30370987u, 25959043411404u},
         {"7614ee5cda3ff32ab3769decd18ea7e14d7cba11e9de2aed1a5b05f9f449f994",
          "56d1815a694f26dc10b4200fc1650489452793bcf8863df04ca4d4179eb0672e",
          "0f8bbf7d4509a0123c2bc9d4f3d564630c448ed8cc41a8965894081870675512",
          "e2a8dd3f1586dacfac02a4591f26b3ba536e0b1f60e28faef57f030eab08c5dd"}},
        {{.degree = 16384, .prime_count = 4, .bits = {60, 30, 30, 60}},
         {1152921504606683137u, 1073479681u, 1073643521u, 1152921504606748673u},
         {212089012217363u, 65226u, 238846u, 62213374832584u},
         {"77a8f8a2be3616086569b67c5575eb61a20f4c8f747bb47c6a217c9f6e868d3b",
          "8d10501331b0639ce8bcbe707b4dfc8039de7d48253b0ebe9d8de1fbe0e9c488",
          "387b88f322fe0cb3ad543f071c34893a324eeafb5b3163a79ea7dc71b16fcce9",
          "0f2de9c684a8687b56b5db45a87dcd08c1527444e1df71944fea3287cb65f7e4"}},
        {{.degree = 8192, .prime_count = 4, .bits = {50, 40, 40, 50}},
         {1125899906629633u, 1099510890497u, 1099511480321u, 1125899906826241u},
         {126325704370u, 5405730u, 30370987u, 11286399139u},
         {NULL, NULL, "315dd07dfed5655856f3ec27f2e9b9e9c66f3ae033ab8c5cbfe0879422ca9c8b",
          "c0bea8fab0ccf61f460d91ac74ad178ff075a4f20117851adae6cf035d375850"}},
        {{.degree = 8192, .prime_count = 3, .bits = {50, 40, 50}},
         {1125899906629633u, 1099511480321u, 1125899906826241u},
         {126325704370u, 30370987u, 11286399139u},
         {NULL, "3e5133d5de9475f29fb5ce9b4e457779b523fd82f16b7ecde1904c5a21b0a891",
          "667b471599fb48fce28622826349cf05f3d04c3ed577bd4c15a17a37f2c3b760"}},
        {{.degree = 8192, .prime_count = 3, .bits = {60, 40, 60}},
         {1152921504606748673u, 1099511480321u, 1152921504606830593u},
         {100406242475323u, 30370987u, 25959043411404u},
         {NULL}},
    };

    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        const eis_ckks_params *p;
        char text[2 * EIS_CKKS_PARMS_ID_BYTES + 1];

        assert_int_equal(eis_ckks_params_new(&p, &sets[s].literal), EIS_OK);
        for (size_t i = 0; i < p->prime_count; i++) {
            assert_true(eis_rns_modulus(&p->rns, i)->q == sets[s].primes[i]);
            assert_true(p->rns.plan[i].psi == sets[s].roots[i]);
            if (sets[s].ids[i] == NULL) continue;
            hex(text, p->parms_id[i + 1]);
            assert_string_equal(text, sets[s].ids[i]);
            assert_int_equal(eis_ckks_parms_id_limbs(p, p->parms_id[i + 1]), i + 1);
        }
        assert_int_equal(eis_ckks_parms_id_limbs(p, (const uint8_t *)"no id has these 32 bytes in it..."), 0);
        assert_int_equal(p->limbs_max, p->prime_count - 1);
        eis_ckks_params_free(p);
    }
}

static eis_status try_literal(const eis_ckks_literal *l)
{
    const eis_ckks_params *p;
    eis_status st = eis_ckks_params_new(&p, l);

    assert_true((st == EIS_OK) == (p != NULL));
    eis_ckks_params_free(p);
    return st;
}

static void the_bound_of_2024_is_enforced_and_that_of_2018_is_a_choice(void **state)
{
    eis_ckks_literal tutorial = {.degree = 8192, .prime_count = 8, .bits = {31, 26, 26, 26, 26, 26, 26, 31}};
    eis_ckks_literal m = {.degree = 8192, .prime_count = 7, .bits = {38, 27, 27, 27, 27, 27, 41}};
    eis_ckks_literal s = {.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}};
    eis_ckks_literal i16 = {.degree = 16384, .prime_count = 8, .bits = {60, 40, 40, 40, 40, 40, 40, 60}};
    eis_ckks_literal wide = i16;

    (void)state;
    assert_int_equal(try_literal(&tutorial), EIS_ERR_POLICY);
    tutorial.policy = EIS_CKKS_POLICY_2018_128;
    assert_int_equal(try_literal(&tutorial), EIS_OK);
    assert_int_equal(try_literal(&m), EIS_OK);
    m.policy = EIS_CKKS_POLICY_2024_192;
    assert_int_equal(try_literal(&m), EIS_ERR_POLICY);
    m.policy = EIS_CKKS_POLICY_2024_256;
    assert_int_equal(try_literal(&m), EIS_ERR_POLICY);
    assert_int_equal(try_literal(&s), EIS_OK);
    s.bits[1] = 31;
    assert_int_equal(try_literal(&s), EIS_ERR_POLICY);
    assert_int_equal(try_literal(&i16), EIS_OK);
    wide.degree = 8192;
    assert_int_equal(try_literal(&wide), EIS_ERR_POLICY);
    wide.degree = 65536;
    assert_int_equal(eis_ckks_policy_bits(EIS_CKKS_POLICY_2018_128, 65536), 0);
    wide.policy = EIS_CKKS_POLICY_2018_128;
    assert_int_equal(try_literal(&wide), EIS_ERR_POLICY);
    assert_int_equal(eis_ckks_policy_bits(EIS_CKKS_POLICY_2024_128, 4096), 106);
    assert_int_equal(eis_ckks_policy_bits(EIS_CKKS_POLICY_2024_128, 32768), 868);
    assert_int_equal(eis_ckks_policy_bits(EIS_CKKS_POLICY_2024_128, 2048), 0);
    for (unsigned policy = 0; policy < 4; policy++) {
        eis_ckks_policy back;

        assert_true(eis_ckks_policy_parse(&back, eis_ckks_policy_name((eis_ckks_policy)policy)));
        assert_int_equal(back, policy);
    }
    assert_false(eis_ckks_policy_parse(&(eis_ckks_policy){0}, "none"));
}

static void literals_that_cannot_be_are_refused(void **state)
{
    eis_ckks_literal l;

    (void)state;
    for (size_t degree = 0; degree <= 2048; degree = degree ? degree * 2 : 1) {
        l = (eis_ckks_literal){.degree = degree, .prime_count = 1, .bits = {20}};
        assert_int_equal(try_literal(&l), degree ? EIS_ERR_POLICY : EIS_ERR_RANGE);
    }
    l = p0, l.degree = 131072;
    assert_int_equal(try_literal(&l), EIS_ERR_POLICY);
    l = p0, l.degree = 8191;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.prime_count = 0;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.prime_count = EIS_RNS_PRIMES_MAX + 1;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.bits[1] = 61;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.bits[1] = 0;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.bits[1] = 14; /* 16384 divides q - 1: there is none */
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.secret = EIS_CKKS_SECRET_SPARSE;
    assert_int_equal(try_literal(&l), EIS_ERR_POLICY);
    l = p0, l.policy = (eis_ckks_policy)4;
    assert_int_equal(try_literal(&l), EIS_ERR_POLICY);
    l = p0, l.scale = -1;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.scale = ldexp(1, 139); /* more than a product of 2^128 */
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l = p0, l.scale = NAN;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    /* Explicit primes: composite, not 1 mod 2N, twice the same, one left out. */
    l = (eis_ckks_literal){.degree = 8192, .prime_count = 2, .primes = {1099510890497u, 1099511480321u}};
    assert_int_equal(try_literal(&l), EIS_OK);
    l.primes[1] = 1099510890497u;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l.primes[1] = 1099511480321u + 16384;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l.primes[1] = 1099511627689u; /* prime, but of no use */
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
    l.primes[1] = 0;
    assert_int_equal(try_literal(&l), EIS_ERR_RANGE);
}

static void elements_of_rotations_are_those_of_seal(void **state)
{
    static const struct {
        int32_t step;
        uint32_t element;
    } rows[] = {{1, 3},      {-1, 10923},  {2, 9},       {4, 81},      {8, 6561},    {16, 5953},   {32, 16001},
                {64, 15617}, {128, 14849}, {256, 13313}, {512, 10241}, {1024, 4097}, {2048, 8193}, {0, 1}};
    const eis_ckks_params *p;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&p, &p0), EIS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(eis_ckks_rotation_element(p, rows[i].step), rows[i].element);
    assert_int_equal(eis_ckks_conjugation_element(p), 16383);
    eis_ckks_params_free(p);
}

static void scales_fit_or_do_not(void **state)
{
    const eis_ckks_params *p;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&p, &p0), EIS_OK);
    assert_true(eis_ckks_scale_fits(p, ldexp(1, 40), 1));
    assert_true(eis_ckks_scale_fits(p, ldexp(1, 59), 1));
    assert_false(eis_ckks_scale_fits(p, ldexp(1, 60), 1));
    assert_true(eis_ckks_scale_fits(p, ldexp(1, 80), 2));
    assert_true(eis_ckks_scale_fits(p, ldexp(1, 127), 3));
    assert_false(eis_ckks_scale_fits(p, ldexp(1, 128), 3));
    assert_false(eis_ckks_scale_fits(p, ldexp(1, 200), 3));
    assert_false(eis_ckks_scale_fits(p, -1, 3));
    assert_false(eis_ckks_scale_fits(p, 0, 3));
    assert_false(eis_ckks_scale_fits(p, NAN, 3));
    assert_false(eis_ckks_scale_fits(p, INFINITY, 3));
    assert_false(eis_ckks_scale_fits(p, 1e-310, 3));
    assert_true(eis_ckks_scale_equal(1099511627776.0, 1099511627776.0));
    assert_false(eis_ckks_scale_equal(1099511627776.0, 1099511627776.0 + 1));
    assert_false(eis_ckks_scale_equal(NAN, 1));
    eis_ckks_params_free(p);
}

/* ---- The object ------------------------------------------------------------------------------------------------- */

static void parameters_travel(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2; form++)
        for (unsigned mode = 0; mode < 3; mode++) {
            const eis_ckks_params *p, *back;
            eis_ckks_literal literal = {.scale = 1024};
            eis_writer w;

            assert_int_equal(eis_ckks_params_new(&p, form ? &l1 : &p0), EIS_OK);
            eis_wire_writer_init(&w, 4096);
            eis_ckks_params_write(&w, p, (eis_seal_style){(eis_seal_form)form, (eis_seal_mode)mode});
            assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
            if (mode == 0) assert_int_equal(w.bytes, 153);
            if (mode == 0) assert_int_equal(eis_ckks_params_bytes(p), 153);
            assert_int_equal(eis_ckks_params_read(&literal, w.data, w.bytes), EIS_OK);
            assert_true(literal.scale == 1024);
            assert_int_equal(eis_ckks_params_new(&back, &literal), EIS_OK);
            assert_memory_equal(back->parms_id, p->parms_id, sizeof p->parms_id);
            for (size_t cut = 0; cut < w.bytes; cut++) {
                uint8_t *part = eis_mem_new(cut, 1);

                memcpy(part, w.data, cut);
                assert_int_equal(eis_ckks_params_read(&literal, part, cut), EIS_ERR_CIPHERTEXT);
                if (cut >= 16) eis_store_le64(part + 8, cut);
                assert_int_equal(eis_ckks_params_read(&literal, part, cut), EIS_ERR_CIPHERTEXT);
                eis_mem_free(part);
            }
            eis_ckks_params_free(back);
            eis_ckks_params_free(p);
            eis_wire_writer_clear(&w);
        }
}

static void hostile_parameters_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint64_t word; /* written as 8 bytes, but at 16, where the scheme is one byte */
        eis_status st;
    } bad[] = {
        {16, 1, EIS_ERR_CIPHERTEXT},
        {16, 3, EIS_ERR_CIPHERTEXT},
        {16, 0, EIS_ERR_CIPHERTEXT},
        {17, 0, EIS_ERR_UNSUPPORTED},
        {17, 131072, EIS_ERR_UNSUPPORTED},
        {17, UINT64_MAX, EIS_ERR_UNSUPPORTED},
        {25, 0, EIS_ERR_UNSUPPORTED},
        {25, 3, EIS_ERR_CIPHERTEXT},
        {25, 5, EIS_ERR_CIPHERTEXT},
        {25, 65, EIS_ERR_UNSUPPORTED},
        {25, UINT64_MAX, EIS_ERR_UNSUPPORTED},
        {33 + 8, 25, EIS_ERR_CIPHERTEXT},
        {33 + 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
        {33 + 16, 0, EIS_ERR_CIPHERTEXT},
        {153 - 8, 1, EIS_ERR_CIPHERTEXT},
    };
    const eis_ckks_params *p;
    eis_writer w;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&p, &p0), EIS_OK);
    eis_wire_writer_init(&w, 4096);
    eis_ckks_params_write(&w, p, (eis_seal_style){0});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        eis_ckks_literal literal = {.degree = 77};
        uint8_t data[153];

        memcpy(data, w.data, sizeof data);
        if (bad[i].at == 16)
            data[16] = (uint8_t)bad[i].word;
        else
            eis_store_le64(data + bad[i].at, bad[i].word);
        assert_int_equal(eis_ckks_params_read(&literal, data, sizeof data), bad[i].st);
        assert_int_equal(literal.degree, 77);
    }
    eis_wire_writer_clear(&w);
    eis_ckks_params_free(p);
}

static void every_failed_allocation_is_reported(void **state)
{
    const eis_ckks_params *p;

    (void)state;
    for (unsigned long n = 1;; n++) {
        eis_mem_fail_at(n);
        eis_status st = eis_ckks_params_new(&p, &p0);

        eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(p);
    }
    eis_ckks_params_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primes_roots_and_ids_are_those_of_seal),
        cmocka_unit_test(the_bound_of_2024_is_enforced_and_that_of_2018_is_a_choice),
        cmocka_unit_test(literals_that_cannot_be_are_refused),
        cmocka_unit_test(elements_of_rotations_are_those_of_seal),
        cmocka_unit_test(scales_fit_or_do_not),
        cmocka_unit_test(parameters_travel),
        cmocka_unit_test(hostile_parameters_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
