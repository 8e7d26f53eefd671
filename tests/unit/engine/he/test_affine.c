/* SPDX-License-Identifier: Apache-2.0 */
/* If a packing put a number into the wrong slot, or a bound were wrong, every answer computed on ciphertexts would be a
 * wrong one that nobody could see. Affine models in each form, of many shapes, against the plain engine. */
#include "he_world.h"

/* Within the planned bound, and the bound not more than 2^6 too large. */
static void check_bound(double error, const he_world *w)
{
    double bound = w->plan->contract.stage[0].output.error;

    if (!(error <= bound && bound <= 64 * error)) fail_msg("error %.3g, bound %.3g", error, bound);
}

static void check_model(uint32_t out, uint32_t in, const char *chain, eis_he_form form, size_t batch, bool few)
{
    eis_model *model = made_affine(out, in, 0.5, (uint64_t)out * 1000 + in);
    eis_he_wish wish = {.chain = chain, .form = form, .input_max = 1};
    he_world w;

    he_open(&w, model, &wish);
    double error = he_error(&w, 1, batch, in, 0, NULL);
    if (few) /* a handful of values shows no tail: the bound may be larger */
        assert_true(error <= w.plan->contract.stage[0].output.error);
    else
        check_bound(error, &w);
    he_close(&w);
    eis_model_free(model);
}

static void features(void **state)
{
    (void)state;
    check_model(1, 8, "L1", EIS_HE_FORM_BATCH, 8192, false);
    check_model(2, 9, "A1", EIS_HE_FORM_BATCH, 4096, false);
    check_model(5, 70, "S", EIS_HE_FORM_BATCH, 2048, false); /* more than two groups of inputs */
    check_model(3, 3, "P0", EIS_HE_FORM_BATCH, 1, true);
}

static void rows(void **state)
{
    (void)state;
    static const uint32_t shape[][2] = {{10, 256}, {1, 1}, {16, 255}, {3, 4}, {2, 30}, {4, 1024}, {5, 2000}, {1, 7000}};

    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++)
        check_model(shape[i][0], shape[i][1], "A1", EIS_HE_FORM_SINGLE, 1, true);
    check_model(10, 256, "S", EIS_HE_FORM_SINGLE, 1, true);
    check_model(10, 256, "I16", EIS_HE_FORM_SINGLE, 1, true);
}

static void blocks(void **state)
{
    (void)state;
    static const uint32_t shape[][2] = {{64, 128}, {100, 100}, {128, 30}, {10, 1500}, {300, 17}, {17, 300}};

    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++)
        check_model(shape[i][0], shape[i][1], "A", EIS_HE_FORM_SINGLE, 1, shape[i][0] < 100);
}

static void square_768(void **state)
{
    (void)state;
    check_model(768, 768, "A", EIS_HE_FORM_SINGLE, 1, false);
}

/* The gate of the design: dense 256 -> 10 on the chain of existing clients, under eight keys, so that no key's offset
 * at slot 0 hides. */
static void dense_256_10_under_eight_keys(void **state)
{
    eis_model *model = made_affine(10, 256, 0.1, 3);
    eis_he_wish wish = {.chain = "P0", .form = EIS_HE_FORM_SINGLE, .input_max = 1};

    (void)state;
    for (uint64_t key = 0; key < 8; key++) {
        he_world w;
        he_open(&w, model, &wish);
        assert_int_equal(w.plan->contract.element_count, 12);
        assert_true(he_error(&w, 1, 1, key, 0, NULL) <= 1e-6);
        he_close(&w);
    }
    eis_model_free(model);
}

/* A chain with two special primes, where two data primes make a digit: in every step that turns. */
static void several_special_primes(void **state)
{
    static const uint32_t shape[][2] = {{10, 256}, {200, 200}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        eis_model *model = made_affine(shape[i][0], shape[i][1], 0.2, 5);
        eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE, .input_max = 1};
        he_world w;
        wish.own = (eis_ckks_literal){
            .degree = 16384, .prime_count = 6, .special_count = 2, .bits = {50, 40, 40, 40, 45, 46}, .scale = 0x1p40};
        he_open(&w, model, &wish);
        assert_true(he_error(&w, 1, 1, 9, 0, NULL) <= w.plan->contract.stage[0].output.error);
        he_close(&w);
        eis_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features),
        cmocka_unit_test(rows),
        cmocka_unit_test(blocks),
        cmocka_unit_test(square_768),
        cmocka_unit_test(dense_256_10_under_eight_keys),
        cmocka_unit_test(several_special_primes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
