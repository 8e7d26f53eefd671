/* SPDX-License-Identifier: Apache-2.0 */
/* A client that cannot open tomorrow what it encrypts today, or that sends something made of a number it should have
 * refused, would lose answers or leak. */
#include "he_world.h"

#include "ckks/seal_secret.h"

/* A kept key opens what the first client encrypted, and another key does not. */
static void a_kept_key_serves_again(void **state)
{
    eis_model *model = made_affine(3, 5, 0.5, 1);
    eis_he_wish wish = {.chain = "S", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    double x[5] = {0.1, -0.2, 0.3, -0.4, 0.5}, y[3], expected[3];
    eis_he_client again;
    eis_writer kept;
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    eis_wire_writer_init(&kept, (size_t)1 << 22);
    eis_ckks_secret_key_write(&kept, &w.client.secret, EIS_SEAL_FORM_4_1);
    assert_int_equal(eis_he_client_init_key(&again, &w.plan->contract, kept.data, kept.bytes), EIS_OK);
    he_expected(expected, model, x, 1);

    eis_ckks_ct out[3] = {0};
    he_feed feed = {.w = &w, .x = x, .batch = 1};
    eis_he_source source = {&feed, he_feed_next};
    assert_int_equal(eis_he_eval(out, w.program, 0, &source, NULL, NULL), EIS_OK);
    for (int i = 0; i < 3; i++) he_adopt(&out[i], again.params);
    assert_int_equal(eis_he_recover(y, &again, 0, out, 1, NULL), EIS_OK);
    for (int i = 0; i < 3; i++) assert_true(fabs(y[i] - expected[i]) < 1e-3);

    eis_he_client other;
    assert_int_equal(eis_he_client_init(&other, &w.plan->contract), EIS_OK);
    for (int i = 0; i < 3; i++) he_adopt(&out[i], other.params);
    assert_int_equal(eis_he_recover(y, &other, 0, out, 1, NULL), EIS_OK); /* it cannot know, and gets noise */
    assert_true(fabs(y[0] - expected[0]) > 1e-2 || fabs(y[1] - expected[1]) > 1e-2);

    eis_he_client_clear(&again);
    assert_int_equal(eis_he_client_init_key(&again, &w.plan->contract, kept.data, kept.bytes - 1), EIS_ERR_CIPHERTEXT);
    assert_null(again.params);
    eis_he_client_clear(&other);
    for (int i = 0; i < 3; i++) eis_ckks_ct_clear(&out[i]);
    eis_wire_writer_clear(&kept);
    he_close(&w);
    eis_model_free(model);
}

/* Not finite, or too large for the primes at this scale. */
static void numbers_that_do_not_fit_are_refused(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, 1e15};
    eis_model *model = made_affine(3, 5, 0.5, 1);
    eis_he_wish wish = {.chain = "S", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    eis_ckks_ct ct = {0};
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double x[5] = {0, 0, 0, 0, bad[i]};
        assert_int_equal(eis_he_protect(&ct, &w.client, 0, 0, x, 1), EIS_ERR_RANGE);
        assert_null(ct.params);
    }
    he_close(&w);
    eis_model_free(model);
}

/* Two encryptions of one input are unlike in every polynomial, and none stands under another's seed. */
static void every_encryption_is_fresh(void **state)
{
    eis_model *model = made_affine(3, 5, 0.5, 1);
    eis_he_wish wish = {.chain = "S", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    double x[5] = {1, 1, 1, 1, 1};
    eis_ckks_ct a = {0}, b = {0};
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    assert_int_equal(eis_he_protect(&a, &w.client, 0, 0, x, 1), EIS_OK);
    assert_int_equal(eis_he_protect(&b, &w.client, 0, 0, x, 1), EIS_OK);
    assert_true(a.generator != 0 && b.generator != 0);
    assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
    for (size_t c = 0; c < 2; c++) assert_memory_not_equal(a.poly[c].words, b.poly[c].words, 4096 * 8);
    eis_ckks_ct_clear(&a);
    eis_ckks_ct_clear(&b);
    he_close(&w);
    eis_model_free(model);
}

/* A contract that breaks the client's own policy gives no key. */
static void the_policy_is_the_clients_own(void **state)
{
    eis_model *model = made_affine(3, 5, 0.5, 1);
    eis_he_wish wish = {.chain = "A1", .form = EIS_HE_FORM_SINGLE};
    eis_he_contract contract;
    eis_he_client client;
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    contract = w.plan->contract;
    contract.literal.policy = EIS_CKKS_POLICY_2024_192; /* 147 bits at this degree: the chain has 140 */
    contract.literal.bits[1] = 48;
    assert_int_equal(eis_he_client_init(&client, &contract), EIS_ERR_POLICY);
    assert_null(client.params);
    contract.element[0] = 4;
    assert_int_equal(eis_he_client_init(&client, &contract), EIS_ERR_PROTOCOL);
    he_close(&w);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_key_serves_again),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(every_encryption_is_fresh),
        cmocka_unit_test(the_policy_is_the_clients_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
