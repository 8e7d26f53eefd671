/* SPDX-License-Identifier: Apache-2.0 */
/* If a key that is cut gave other words than the whole key, or digits of several primes more noise than the planner
 * counts with, a model would answer wrongly on some chains alone. */
#include "world.h"

#include "ckks/polynomial.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"

/* Two special primes of 66 bits together against digits of 72 and 60: so much noise of the switch that the rounding by
 * P drowns in it, and the formula can be measured. */
#define CHAIN_NOISY      \
    ((eis_ckks_literal){ \
        .degree = 8192, .prime_count = 6, .special_count = 2, .bits = {36, 36, 30, 30, 33, 33}, .scale = 0x1p30})
/* And a quiet one, whose last digit has one prime. */
#define CHAIN_PAIRS      \
    ((eis_ckks_literal){ \
        .degree = 8192, .prime_count = 5, .special_count = 2, .bits = {40, 35, 35, 40, 40}, .scale = 0x1p35})

static void assert_same_words(const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    assert_true(a->limbs == b->limbs && a->polys == b->polys);
    for (size_t c = 0; c < a->polys; c++)
        assert_memory_equal(a->poly[c].words, b->poly[c].words, a->limbs * a->params->degree * 8);
}

/* Keys cut in memory, at every level, in every way to use one. */
static void check_cut_keys(eis_ckks_literal literal)
{
    world w;
    eis_ckks_ct a = {0}, square = {0}, whole = {0}, cut = {0};
    eis_ckks_hoisted h = {0};
    eis_complex *z;

    world_open(&w, literal, (const int32_t[]){3}, 1);
    z = eis_mem_new(w.count, sizeof *z);
    world_values(z, w.count, 1);
    for (size_t limbs = w.params->limbs_max; limbs > 0; limbs--) {
        eis_ckks_switch_key relin = {0};
        eis_ckks_galois_keys galois = {0};
        uint32_t element[2] = {w.galois.key[0].element, w.galois.key[1].element};

        world_encrypt(&w, &a, z, limbs, literal.scale / 2);
        a.scale = 1; /* so that a product fits one limb */
        assert_int_equal(eis_ckks_switch_key_cut(&relin, &w.relin, limbs), EIS_OK);
        assert_int_equal(relin.limbs, limbs);
        assert_int_equal(relin.digits, eis_ckks_digit_count(w.params, limbs));
        assert_true((relin.row[0].generator != 0) == (limbs == w.params->limbs_max));
        assert_int_equal(eis_ckks_galois_keys_init(&galois, w.params, element, 2), EIS_OK);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(eis_ckks_switch_key_cut(&galois.key[i].key, &w.galois.key[i].key, limbs), EIS_OK);
        for (unsigned form = 0; form < 2; form++) {
            const eis_ckks_digit_form digits = (eis_ckks_digit_form)form;

            assert_int_equal(eis_ckks_ct_square(&square, &a), EIS_OK);
            assert_int_equal(eis_ckks_ct_relinearise(&whole, &square, &w.relin, digits), EIS_OK);
            assert_int_equal(eis_ckks_ct_relinearise(&cut, &square, &relin, digits), EIS_OK);
            assert_same_words(&whole, &cut);
            assert_int_equal(eis_ckks_ct_rotate(&whole, &a, 3, &w.galois, digits), EIS_OK);
            assert_int_equal(eis_ckks_ct_rotate(&cut, &a, 3, &galois, digits), EIS_OK);
            assert_same_words(&whole, &cut);
        }
        assert_int_equal(eis_ckks_hoist(&h, &a), EIS_OK);
        assert_int_equal(eis_ckks_hoisted_galois(&whole, &h, element[0], &w.galois), EIS_OK);
        assert_int_equal(eis_ckks_hoisted_galois(&cut, &h, element[0], &galois), EIS_OK);
        assert_same_words(&whole, &cut);
        if (limbs > 1) { /* cut once more, in place: too low for this level */
            assert_int_equal(eis_ckks_switch_key_cut(&galois.key[0].key, &galois.key[0].key, limbs - 1), EIS_OK);
            assert_int_equal(eis_ckks_switch_key_cut(&relin, &relin, limbs - 1), EIS_OK);
            assert_int_equal(eis_ckks_ct_rotate(&cut, &a, 3, &galois, EIS_CKKS_DIGITS_CENTRED),
                             EIS_ERR_KEYS_INSUFFICIENT);
            assert_int_equal(eis_ckks_hoisted_galois(&cut, &h, element[0], &galois), EIS_ERR_KEYS_INSUFFICIENT);
            assert_int_equal(eis_ckks_ct_relinearise(&cut, &square, &relin, EIS_CKKS_DIGITS_CENTRED),
                             EIS_ERR_KEYS_INSUFFICIENT);
        }
        eis_ckks_switch_key_clear(&relin);
        eis_ckks_galois_keys_clear(&galois);
    }
    eis_ckks_ct_clear(&a);
    eis_ckks_ct_clear(&square);
    eis_ckks_ct_clear(&whole);
    eis_ckks_ct_clear(&cut);
    eis_ckks_hoisted_clear(&h);
    eis_mem_free(z);
    world_close(&w);
}

static void a_cut_key_has_the_words_of_the_whole_key(void **state)
{
    (void)state;
    check_cut_keys(CHAIN_P0);
    check_cut_keys(CHAIN_A);
    check_cut_keys(CHAIN_PAIRS);
}

/* Root mean square of the distance between a ciphertext and a message. */
static double rms_error(const world *w, const eis_ckks_ct *ct, const eis_complex *expected)
{
    eis_complex *z = eis_mem_new(w->count, sizeof *z);
    double sum = 0;

    world_decrypt(w, z, ct);
    for (size_t i = 0; i < w->count; i++) sum += pow(z[i].re - expected[i].re, 2) + pow(z[i].im - expected[i].im, 2);
    eis_mem_free(z);
    return sqrt(sum / (double)w->count);
}

/* What a slot's rms should be behind one switch with centred digits, per coefficient: fresh noise, 3.24 sqrt(sum over
 * digits of N D^2 / 12) / P of the switch, and the rounding of both halves by P. */
static double predicted_rms(const eis_ckks_params *params, size_t limbs, double scale)
{
    const double n = (double)params->degree, error = 10.5;
    double special = 0, variance = error + (1 + 2 * n / 3) / 12;

    for (size_t i = params->limbs_max; i < params->prime_count; i++)
        special += log2((double)eis_rns_modulus(&params->rns, i)->q);
    for (size_t first = 0; first < limbs; first += params->special_count) {
        double digit = 0;

        for (size_t i = first; i < first + params->special_count && i < limbs; i++)
            digit += log2((double)eis_rns_modulus(&params->rns, i)->q);
        variance += error * n / 12 * exp2(2 * (digit - special));
    }
    return sqrt(variance * n) / scale;
}

static void noise_is_that_of_the_formula(void **state)
{
    const eis_ckks_literal chains[] = {CHAIN_A, CHAIN_M, CHAIN_NOISY, CHAIN_PAIRS, CHAIN_B3};

    (void)state;
    for (size_t k = 0; k < 5; k++) {
        world w;
        eis_complex *z, *turned;
        eis_ckks_ct a = {0}, r = {0};
        eis_ckks_hoisted h = {0};

        world_open(&w, chains[k], (const int32_t[]){1}, 1);
        z = eis_mem_new(w.count, sizeof *z);
        turned = eis_mem_new(w.count, sizeof *turned);
        world_values(z, w.count, 7);
        for (size_t i = 0; i < w.count; i++) turned[i] = z[(i + 1) % w.count];
        for (size_t limbs = w.params->limbs_max; limbs > 0; limbs = limbs > 3 ? limbs - 2 : limbs - 1) {
            const double predicted = predicted_rms(w.params, limbs, chains[k].scale);

            world_encrypt(&w, &a, z, limbs, chains[k].scale);
            assert_int_equal(eis_ckks_ct_rotate(&r, &a, 1, &w.galois, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
            /* thousands of slots: a deviation of one percent, and 10 of them are allowed */
            assert_true(fabs(rms_error(&w, &r, turned) / predicted - 1) < 0.1);
            assert_int_equal(eis_ckks_hoist(&h, &a), EIS_OK);
            assert_int_equal(eis_ckks_hoisted_galois(&r, &h, eis_ckks_rotation_element(w.params, 1), &w.galois),
                             EIS_OK);
            assert_true(fabs(rms_error(&w, &r, turned) / predicted - 1) < 0.1);
        }
        eis_ckks_ct_clear(&a);
        eis_ckks_ct_clear(&r);
        eis_ckks_hoisted_clear(&h);
        eis_mem_free(z);
        eis_mem_free(turned);
        world_close(&w);
    }
}

/* Digits that are rounded down instead have an offset at slot 0; it shows that the form reaches digits of several. */
static void slot_0_is_as_good_with_digits_of_several_primes(void **state)
{
    double worst_centred = 0, worst_reference = 0, rms = 0;

    (void)state;
    for (unsigned key = 0; key < 8; key++) {
        world w;
        eis_complex *z, *x;
        eis_ckks_ct a = {0}, r = {0};

        world_open(&w, CHAIN_NOISY, (const int32_t[]){1}, 1);
        z = eis_mem_new(w.count, sizeof *z);
        x = eis_mem_new(w.count, sizeof *x);
        world_values(x, w.count, key);
        world_encrypt(&w, &a, x, 4, 0x1p30);
        for (unsigned form = 0; form < 2; form++) {
            double *worst = form == EIS_CKKS_DIGITS_CENTRED ? &worst_centred : &worst_reference;

            assert_int_equal(eis_ckks_ct_rotate(&r, &a, 1, &w.galois, (eis_ckks_digit_form)form), EIS_OK);
            world_decrypt(&w, z, &r);
            *worst = fmax(*worst, hypot(z[0].re - x[1].re, z[0].im - x[1].im));
        }
        rms = predicted_rms(w.params, 4, 0x1p30);
        eis_ckks_ct_clear(&a);
        eis_ckks_ct_clear(&r);
        eis_mem_free(z);
        eis_mem_free(x);
        world_close(&w);
    }
    assert_true(worst_centred < 12 * rms);   /* Laplace-like tails: e^-17 */
    assert_true(worst_reference > 12 * rms); /* a deviation of sqrt(12 N) / pi, that is 100, under each key */
}

static void several_special_primes_compute_the_same(void **state)
{
    static const int32_t steps[] = {1, -5, 2};
    const eis_ckks_literal chains[] = {CHAIN_PAIRS, CHAIN_B3};
    const double c[] = {0.25, -1, 0.5, 0.125};
    const eis_ckks_polynomial cubic = {
        .basis = EIS_CKKS_BASIS_CHEBYSHEV, .degree = 3, .coeff = c, .low = -1, .high = 1};

    (void)state;
    for (size_t chain = 0; chain < 2; chain++) {
        const double scale = chains[chain].scale, bound = chain ? 1e-6 : 2e-5;
        world w;
        eis_complex *x, *expected;
        eis_ckks_ct a = {0}, r = {0};
        eis_ckks_hoisted h = {0};
        eis_ckks_lifted lifted = {0}, sum = {0};
        eis_ckks_plain special = {0};
        size_t limbs;

        world_open(&w, chains[chain], steps, 3);
        limbs = w.params->limbs_max;
        x = eis_mem_new(w.count, sizeof *x);
        expected = eis_mem_new(w.count, sizeof *expected);
        world_values(x, w.count, 3);
        world_encrypt(&w, &a, x, limbs, scale);
        /* the products of a diagonal method: sum over k of x turn(x, k), one mod-down */
        world_encode(&w, &special, x, limbs, w.params->special_count, scale);
        assert_int_equal(eis_ckks_hoist(&h, &a), EIS_OK);
        for (int32_t k = 0; k < 3; k++) {
            assert_int_equal(eis_ckks_hoisted_lift(&lifted, &h, eis_ckks_rotation_element(w.params, k), &w.galois),
                             EIS_OK);
            if (k == 0)
                assert_int_equal(eis_ckks_lifted_mul_plain(&sum, &lifted, &special), EIS_OK);
            else
                assert_int_equal(eis_ckks_lifted_mul_plain_add(&sum, &lifted, &special), EIS_OK);
            for (size_t i = 0; i < w.count; i++) {
                eis_complex z = complex_mul(x[i], x[(i + (size_t)k) % w.count]);
                expected[i] = (eis_complex){expected[i].re + z.re, expected[i].im + z.im};
            }
        }
        assert_int_equal(eis_ckks_lifted_lower(&r, &sum), EIS_OK);
        assert_int_equal(eis_ckks_ct_rescale(&r), EIS_OK);
        assert_true(world_error(&w, &r, expected) < 3 * bound);
        /* conjugation and a square, at a level where a digit is not whole */
        assert_int_equal(eis_ckks_ct_drop(&a, limbs - 1), EIS_OK);
        assert_int_equal(eis_ckks_ct_conjugate(&r, &a, &w.galois, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
        for (size_t i = 0; i < w.count; i++) expected[i] = (eis_complex){x[i].re, -x[i].im};
        assert_true(world_error(&w, &r, expected) < bound);
        if (limbs > 3) {
            assert_int_equal(eis_ckks_ct_square(&r, &a), EIS_OK);
            assert_int_equal(eis_ckks_ct_relinearise(&r, &r, &w.relin, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
            assert_int_equal(eis_ckks_ct_rescale(&r), EIS_OK);
            for (size_t i = 0; i < w.count; i++) expected[i] = complex_mul(x[i], x[i]);
            assert_true(world_error(&w, &r, expected) < bound);
            for (size_t i = 0; i < w.count; i++) x[i].im = 0;
            world_encrypt(&w, &a, x, limbs, scale);
            assert_int_equal(eis_ckks_polynomial_eval(&r, &cubic, &a, &w.relin, scale), EIS_OK);
            for (size_t i = 0; i < w.count; i++)
                expected[i] = (eis_complex){eis_ckks_polynomial_value(&cubic, x[i].re), 0};
            assert_true(world_error(&w, &r, expected) < bound);
        }
        eis_ckks_ct_clear(&a);
        eis_ckks_ct_clear(&r);
        eis_ckks_hoisted_clear(&h);
        eis_ckks_lifted_clear(&lifted);
        eis_ckks_lifted_clear(&sum);
        eis_ckks_plain_clear(&special);
        eis_mem_free(x);
        eis_mem_free(expected);
        world_close(&w);
    }
}

/* Ciphertexts of such a chain are those of a lower level for whoever knows one special prime; its keys are none. */
static void ciphertexts_fit_the_seal_wire_and_keys_do_not(void **state)
{
    eis_ckks_literal one = CHAIN_PAIRS;
    const eis_ckks_params *other;
    const eis_ckks_ct_rules rules = {.limbs = 3, .scale = 0x1p35};
    world w;
    eis_complex *z;
    eis_ckks_ct ct = {0}, back = {0};
    eis_ckks_public_key public_key = {0};
    eis_ckks_switch_key relin = {0};
    eis_writer out;

    (void)state;
    world_open(&w, CHAIN_PAIRS, (const int32_t[]){1}, 1);
    one.special_count = 1;
    assert_int_equal(eis_ckks_params_new(&other, &one), EIS_OK);
    assert_int_equal(other->limbs_max, 4);
    assert_memory_equal(other->parms_id[3], w.params->parms_id[3], EIS_CKKS_PARMS_ID_BYTES);
    assert_int_equal(eis_ckks_parms_id_limbs(w.params, other->parms_id[3]), 3);
    assert_int_equal(eis_ckks_parms_id_limbs(w.params, other->parms_id[4]), 0); /* half of the special primes */
    assert_int_equal(eis_ckks_parms_id_limbs(w.params, other->parms_id[5]), 5);
    z = eis_mem_new(w.count, sizeof *z);
    world_values(z, w.count, 1);
    world_encrypt(&w, &ct, z, 3, 0x1p35);
    eis_wire_writer_init(&out, (size_t)1 << 26);
    eis_ckks_ct_write(&out, &ct, (eis_seal_style){0}, true);
    assert_int_equal(eis_wire_writer_status(&out), EIS_OK);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, other, &rules, out.data, out.bytes), EIS_OK);
    for (size_t c = 0; c < 2; c++) assert_memory_equal(back.poly[c].words, ct.poly[c].words, 3 * 8192 * 8);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes), EIS_OK);
    eis_wire_writer_rewind(&out);
    eis_ckks_public_key_write(&out, &w.public_key, (eis_seal_style){0}, true); /* all primes, as in SEAL */
    assert_int_equal(eis_ckks_public_key_read(&public_key, w.params, out.data, out.bytes), EIS_OK);
    eis_wire_writer_rewind(&out);
    eis_ckks_relin_key_write(&out, &w.relin, (eis_seal_style){0}, true);
    assert_int_equal(eis_wire_writer_status(&out), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_ckks_relin_key_read(&relin, w.params, z, 100), EIS_ERR_UNSUPPORTED);
    eis_wire_writer_rewind(&out);
    eis_ckks_galois_keys_write(&out, &w.galois, (eis_seal_style){0}, true);
    assert_int_equal(eis_wire_writer_status(&out), EIS_ERR_UNSUPPORTED);
    eis_wire_writer_clear(&out);
    eis_ckks_public_key_clear(&public_key);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
    eis_mem_free(z);
    world_close(&w);
    eis_ckks_params_free(other);
}

static void a_cut_key_has_no_seal_form(void **state)
{
    world w;
    eis_writer out;

    (void)state;
    world_open(&w, CHAIN_S, (const int32_t[]){1}, 1);
    eis_wire_writer_init(&out, (size_t)1 << 26);
    assert_int_equal(eis_ckks_switch_key_cut(&w.relin, &w.relin, 1), EIS_OK);
    eis_ckks_relin_key_write(&out, &w.relin, (eis_seal_style){0}, false);
    assert_int_equal(eis_wire_writer_status(&out), EIS_ERR_UNSUPPORTED);
    eis_wire_writer_rewind(&out);
    assert_int_equal(eis_ckks_switch_key_cut(&w.galois.key[1].key, &w.galois.key[1].key, 1), EIS_OK);
    eis_ckks_galois_keys_write(&out, &w.galois, (eis_seal_style){0}, false);
    assert_int_equal(eis_wire_writer_status(&out), EIS_ERR_UNSUPPORTED);
    eis_wire_writer_clear(&out);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_key_has_the_words_of_the_whole_key),
        cmocka_unit_test(noise_is_that_of_the_formula),
        cmocka_unit_test(slot_0_is_as_good_with_digits_of_several_primes),
        cmocka_unit_test(several_special_primes_compute_the_same),
        cmocka_unit_test(ciphertexts_fit_the_seal_wire_and_keys_do_not),
        cmocka_unit_test(a_cut_key_has_no_seal_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
