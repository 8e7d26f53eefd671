/* SPDX-License-Identifier: Apache-2.0 */
/* If an encryption had too little noise it could be broken, with too much it would be wrong, and with a seed used twice
 * it would publish the difference of two messages. */
#include "world.h"

#include "rand/entropy.h"

/* Coefficients of c0 + c1 s - m, centred on the first limb; every other limb must hold the same integers. */
static void residual(const world *w, int64_t *e, const eis_ckks_ct *ct, const eis_ckks_plain *m)
{
    const eis_rns *rns = &w->params->rns;
    eis_ckks_plain p = {0};

    assert_int_equal(eis_ckks_decrypt(&p, &w->secret, ct), EIS_OK);
    eis_poly_sub(rns, &p.poly, &p.poly, &m->poly);
    eis_poly_to_coeff(rns, &p.poly);
    for (size_t i = 0; i < w->params->degree; i++) {
        for (size_t limb = 0; limb < ct->limbs; limb++) {
            uint64_t q = eis_rns_modulus(rns, limb)->q, word = eis_poly_limb(&p.poly, limb)[i];
            int64_t value = word > q / 2 ? (int64_t)word - (int64_t)q : (int64_t)word;

            if (limb == 0) e[i] = value;
            assert_int_equal(value, e[i]);
        }
    }
    eis_ckks_plain_clear(&p);
}

static double deviation(const int64_t *e, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += (double)e[i] * (double)e[i];
    return sqrt(sum / (double)n);
}

static void noise_is_that_of_the_distribution(void **state)
{
    world w;
    eis_complex *z;
    int64_t *e;
    eis_ckks_plain p = {0};
    eis_ckks_ct ct = {0};

    (void)state;
    world_open(&w, CHAIN_P0, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    e = eis_mem_new(w.params->degree, sizeof *e);
    world_values(z, w.count, 1);
    for (size_t limbs = 1; limbs <= 3; limbs++) {
        world_encode(&w, &p, z, limbs, 0, 0x1p40);
        assert_int_equal(eis_ckks_encrypt_symmetric(&ct, &w.secret, &p), EIS_OK);
        assert_true(ct.scale == 0x1p40 && ct.limbs == limbs && ct.generator == EIS_CKKS_GENERATOR);
        residual(&w, e, &ct, &p);
        for (size_t i = 0; i < w.params->degree; i++) assert_in_range(e[i] + 21, 0, 42);
        /* sigma 3.24; the sample deviation of 8192 values is within 0.8 % of it at one sigma: six are taken. */
        assert_true(fabs(deviation(e, w.params->degree) / sqrt(10.5) - 1) < 0.05);

        assert_int_equal(eis_ckks_encrypt_public(&ct, &w.public_key, &p), EIS_OK);
        assert_int_equal(ct.generator, 0);
        residual(&w, e, &ct, &p);
        /* The noise above is divided by a prime; what stays is the rounding, uniform in [-1/2, 1/2], of c0, and of c1
         * times the ternary secret: variance (1 + 2 N / 3) / 12, so 21.3 at N = 8192. At limbs < 3 the prime is 40 bits
         * and still far above the noise of u e + e1 s, 2^9. */
        assert_true(fabs(deviation(e, w.params->degree) / sqrt((1 + 2.0 * 8192 / 3) / 12) - 1) < 0.1);
    }
    eis_ckks_plain_clear(&p);
    eis_ckks_ct_clear(&ct);
    eis_mem_free(z);
    eis_mem_free(e);
    world_close(&w);
}

/* A message of coefficients shares the transforms of the error: the same message must come out, with the same noise. */
static void coefficients_are_encrypted_as_values_are(void **state)
{
    enum { COUNT = 4096 };
    world w;
    double *x = eis_mem_new(COUNT, sizeof *x);
    int64_t *e = eis_mem_new(8192, sizeof *e);
    eis_ckks_plain values = {0}, coefficients = {0};
    eis_ckks_ct ct = {0};

    (void)state;
    assert_true(x != NULL && e != NULL);
    world_open(&w, CHAIN_P0, NULL, 0);
    for (size_t i = 0; i < COUNT; i++) x[i] = (double)i / COUNT - 0.5;
    assert_int_equal(eis_ckks_plain_init(&values, w.params, 3, 0, 0x1p40), EIS_OK);
    assert_int_equal(eis_ckks_plain_init(&coefficients, w.params, 3, 0, 0x1p40), EIS_OK);
    assert_int_equal(eis_slots_encode_reals(&w.slots, &w.params->rns, &values.poly, x, COUNT, 0x1p40), EIS_OK);
    assert_int_equal(eis_slots_encode_reals_coeff(&w.slots, &w.params->rns, &coefficients.poly, x, COUNT, 0x1p40),
                     EIS_OK);
    assert_int_equal(coefficients.poly.domain, EIS_DOMAIN_COEFF);
    assert_int_equal(eis_ckks_encrypt_symmetric(&ct, &w.secret, &coefficients), EIS_OK);
    assert_int_equal(ct.poly[0].domain, EIS_DOMAIN_NTT);
    residual(&w, e, &ct, &values);
    for (size_t i = 0; i < w.params->degree; i++) assert_in_range(e[i] + 21, 0, 42);
    eis_poly_to_ntt(&w.params->rns, &coefficients.poly);
    assert_memory_equal(coefficients.poly.words, values.poly.words, 3 * 8192 * sizeof(uint64_t));
    eis_ckks_plain_clear(&values);
    eis_ckks_plain_clear(&coefficients);
    eis_ckks_ct_clear(&ct);
    eis_mem_free(x);
    eis_mem_free(e);
    world_close(&w);
}

static void no_seed_is_used_twice(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_ct a = {0}, b = {0};

    (void)state;
    world_open(&w, CHAIN_S, (const int32_t[]){1}, 1);
    z = eis_mem_new(w.count, sizeof *z);
    world_encrypt(&w, &a, z, 2, 0x1p30);
    world_encrypt(&w, &b, z, 2, 0x1p30);
    assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
    assert_memory_not_equal(w.relin.row[0].seed, w.relin.row[1].seed, 64);
    assert_memory_not_equal(w.galois.key[0].key.row[0].seed, w.galois.key[0].key.row[1].seed, 64);
    assert_memory_not_equal(w.galois.key[0].key.row[0].seed, w.galois.key[1].key.row[0].seed, 64);
    assert_memory_not_equal(w.public_key.row.seed, w.relin.row[0].seed, 64);
    eis_ckks_ct_clear(&a);
    eis_ckks_ct_clear(&b);
    eis_mem_free(z);
    world_close(&w);
}

static void secrets_are_dense_and_ternary(void **state)
{
    world w;
    size_t counts[3] = {0};
    const eis_rns *rns;
    eis_poly s = {0};

    (void)state;
    world_open(&w, CHAIN_P0, NULL, 0);
    rns = &w.params->rns;
    assert_int_equal(eis_poly_init(rns, &s, 4, 1, EIS_DOMAIN_NTT), EIS_OK);
    eis_poly_copy(rns, &s, &w.secret.s);
    eis_poly_to_coeff(rns, &s);
    for (size_t i = 0; i < 8192; i++) {
        uint64_t q = eis_rns_modulus(rns, 0)->q, word = s.words[i];

        assert_true(word < 2 || word == q - 1);
        counts[word < 2 ? word : 2]++;
        for (size_t limb = 1; limb < 4; limb++) {
            uint64_t other = eis_poly_limb(&s, limb)[i];
            assert_true(other == (word < 2 ? word : eis_rns_modulus(rns, limb)->q - 1));
        }
    }
    /* Each a third of 8192, 2731; the deviation is 43, six are taken. */
    for (size_t i = 0; i < 3; i++) assert_in_range(counts[i], 2731 - 260, 2731 + 260);
    eis_poly_clear(&s);
    world_close(&w);
}

static void a_failing_source_or_allocation_leaves_nothing(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_plain p = {0};
    eis_ckks_ct ct = {0};
    eis_ckks_secret_key secret = {0};
    eis_ckks_switch_key relin = {0};
    eis_status st;

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_encode(&w, &p, z, 2, 0, 0x1p30);
    for (unsigned long n = 1; n <= 2; n++) {
        eis_entropy_fail_at(n);
        assert_int_equal(eis_ckks_encrypt_symmetric(&ct, &w.secret, &p), EIS_ERR_ENTROPY);
        assert_null(ct.poly[0].words);
    }
    eis_entropy_fail_at(1);
    assert_int_equal(eis_ckks_encrypt_public(&ct, &w.public_key, &p), EIS_ERR_ENTROPY);
    assert_null(ct.poly[0].words);
    eis_entropy_fail_at(1);
    assert_int_equal(eis_ckks_secret_key_generate(&secret, w.params), EIS_ERR_ENTROPY);
    assert_null(secret.s.words);
    eis_entropy_fail_at(3);
    assert_int_equal(eis_ckks_relin_key_generate(&relin, &w.secret), EIS_ERR_ENTROPY);
    assert_null(relin.row);
    eis_entropy_fail_at(0);
    for (unsigned way = 0; way < 2; way++)
        for (unsigned long n = 1;; n++) {
            eis_mem_fail_at(n);
            st = way ? eis_ckks_encrypt_public(&ct, &w.public_key, &p) : eis_ckks_encrypt_symmetric(&ct, &w.secret, &p);
            eis_mem_fail_at(0);
            if (st == EIS_OK) break;
            assert_int_equal(st, EIS_ERR_MEMORY);
            assert_null(ct.poly[0].words);
            eis_ckks_ct_clear(&ct);
        }
    eis_ckks_ct_clear(&ct);
    eis_ckks_plain_clear(&p);
    eis_mem_free(z);
    world_close(&w);
}

static void chains_of_one_prime_have_no_keys_for_switching(void **state)
{
    eis_ckks_literal literal = {.degree = 4096, .prime_count = 1, .bits = {60}};
    world w;
    eis_complex *z;
    eis_ckks_plain p = {0};
    eis_ckks_ct ct = {0};

    (void)state;
    world_open(&w, literal, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_values(z, w.count, 5);
    world_encrypt(&w, &ct, z, 1, 0x1p40);
    assert_true(world_error(&w, &ct, z) < 1e-8);
    assert_int_equal(eis_ckks_relin_key_generate(&w.relin, &w.secret), EIS_ERR_UNSUPPORTED);
    world_encode(&w, &p, z, 1, 0, 0x1p40);
    assert_int_equal(eis_ckks_encrypt_public(&ct, &w.public_key, &p), EIS_ERR_UNSUPPORTED);
    eis_ckks_plain_clear(&p);
    eis_ckks_ct_clear(&ct);
    eis_mem_free(z);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_that_of_the_distribution),
        cmocka_unit_test(coefficients_are_encrypted_as_values_are),
        cmocka_unit_test(no_seed_is_used_twice),
        cmocka_unit_test(secrets_are_dense_and_ternary),
        cmocka_unit_test(a_failing_source_or_allocation_leaves_nothing),
        cmocka_unit_test(chains_of_one_prime_have_no_keys_for_switching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
