/* SPDX-License-Identifier: Apache-2.0 */
/* One ciphertext per number: the form that every affine model takes and that batches use. If levels, scales or
 * constants were chosen wrongly for some model, its answers would be noise. */
#include "he_world.h"

static void check_net(const eis_model *model, eis_he_wish wish, size_t batch, double size, bool few)
{
    he_world w;

    he_open(&w, model, &wish);
    double error = he_error(&w, size, batch, 77, 0, NULL), bound = w.plan->contract.stage[0].output.error;
    if (!(error <= bound && (few || bound <= 64 * error)))
        fail_msg("error %.3g, bound %.3g, depth %u", error, bound, w.plan->contract.depth);
    he_close(&w);
}

/* dense, square, dense: random shapes on chains with levels to spare and without. */
static void squares(void **state)
{
    static const char *const chains[] = {"M", "B1", "I16"};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        eis_model *model = made_classifier(3 + i, 1, 1);
        made_linear(model, 4, 0.5, 5 + i);
        made_pointwise(model, EIS_STEP_SQUARE, NULL, 0);
        made_linear(model, 2, 0.5, 6 + i);
        check_net(model, (eis_he_wish){.chain = chains[i], .form = EIS_HE_FORM_BATCH, .input_max = 1}, 512, 1, false);
        eis_model_free(model);
    }
}

/* A convolution with padding, a polynomial of degree 2, an average pool and a flatten: five steps, three levels. */
static void image_net(void **state)
{
    eis_model *model = made_classifier(1, 6, 6);

    (void)state;
    made_conv(model, 2, 3, 1, 1, 0.3, 9);
    made_pointwise(model, EIS_STEP_POLYNOMIAL, (const double[]){0.25, 0.5, 0.125}, 3);
    eis_step *pool = made_step(model, EIS_STEP_AVG_POOL, 2, 3, 3);
    pool->kernel_height = pool->kernel_width = pool->stride_y = pool->stride_x = 2;
    made_step(model, EIS_STEP_FLATTEN, 18, 1, 1);
    made_linear(model, 3, 0.5, 4);
    eis_he_wish wish = {.chain = "B1", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    const eis_he_plan *plan;
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_OK);
    assert_int_equal(plan->contract.depth, 3);
    assert_int_equal(plan->row_count, 3);
    eis_he_plan_free(plan);
    check_net(model, wish, 256, 1, false);
    eis_model_free(model);
}

/* A polynomial at the end: degree 1 costs no level of its own, degree 2 one, degree 3 two. */
static void polynomials_at_the_end(void **state)
{
    static const double coeff[] = {0.5, 0.197, -0.03, -0.004};

    (void)state;
    for (uint32_t degree = 1; degree <= 3; degree++) {
        eis_model *model = made_affine(2, 5, 0.5, degree);
        made_pointwise(model, EIS_STEP_POLYNOMIAL, coeff, degree + 1);
        eis_he_wish wish = {.chain = "B1", .form = EIS_HE_FORM_BATCH, .input_max = 1};
        const eis_he_plan *plan;
        assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_OK);
        assert_int_equal(plan->contract.depth, degree);
        assert_int_equal(plan->contract.needs_relin, degree > 1);
        eis_he_plan_free(plan);
        check_net(model, wish, 1024, 1, degree == 3);
        if (degree == 2) {
            wish.three_polynomials = true;
            assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_OK);
            assert_false(plan->contract.needs_relin);
            assert_int_equal(plan->contract.stage[0].output.polys, 3);
            eis_he_plan_free(plan);
            check_net(model, wish, 1024, 1, false);
        }
        eis_model_free(model);
    }
}

/* The published model: eight features, scale 2^30, N = 16384. What is left of rounding is the secret key's value in a
 * slot times a rounding error there, both near normal: of rms 2.5e-6 in the real part, and above t with probability
 * exp(-sqrt(2) t / 2.5e-6). So 3e-5, the largest of 8192 slots as a rule, is passed by three slots or more in 7 of
 * 10^12 runs, and 6e-5 by any in 2 of 10^11. */
static void logistic_v1(void **state)
{
    eis_model *model = made_affine(1, 8, 0.8, 1);
    eis_he_wish wish = {.chain = "L1", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    const size_t batch = 8192;
    double *x = malloc(batch * 8 * sizeof *x), *y = malloc(batch * sizeof *y), *expected = malloc(batch * sizeof *y);
    double mean = 0, most = 0;
    uint64_t seed = 12;
    size_t large = 0;
    he_world w;

    (void)state;
    made_pointwise(model, EIS_STEP_POLYNOMIAL, (const double[]){0.5, 0.197, 0}, 3);
    he_open(&w, model, &wish);
    assert_int_equal(w.plan->contract.depth, 1); /* not two: c1 is folded into the weights */
    assert_int_equal(w.plan->contract.element_count, 0);
    assert_int_equal(w.plan->contract.stage[0].output.limbs, 1);
    for (size_t i = 0; i < batch * 8; i++) x[i] = made_random(&seed);
    he_expected(expected, model, x, batch);
    assert_int_equal(he_run(y, &w, x, batch, 0, NULL), EIS_OK);
    for (size_t i = 0; i < batch; i++) {
        mean += fabs(y[i] - expected[i]) / (double)batch;
        most = fmax(most, fabs(y[i] - expected[i]));
        large += !(fabs(y[i] - expected[i]) <= 3e-5);
    }
    if (!(mean <= 4e-6 && large <= 2 && most <= 6e-5))
        fail_msg("mean %.3g, largest %.3g, %zu large", mean, most, large);
    he_close(&w);
    eis_model_free(model);
    free(x);
    free(y);
    free(expected);
}

/* An affine model takes inputs at other scales than its own, from 2^-10 to 4 times, all equal. */
static void scales_of_affine_models(void **state)
{
    static const double ratio[] = {0x1p-10, 0x1.8p-5, 1, 3.9999, 4};
    eis_model *model = made_affine(2, 40, 0.5, 8);
    eis_he_wish wish = {.chain = "P0", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    for (size_t i = 0; i < sizeof ratio / sizeof ratio[0]; i++) {
        double loss = fmax(1, 1 / ratio[i]); /* fresh noise weighs more at a smaller scale */
        assert_true(he_error(&w, 1, 64, i, ratio[i] * 0x1p40, NULL) <= loss * w.plan->contract.stage[0].output.error);
    }
    double x[40] = {0}, y[2];
    assert_int_equal(he_run(y, &w, x, 1, 0x1.fp29, NULL), EIS_ERR_SCALE);
    assert_int_equal(he_run(y, &w, x, 1, 0x1.00001p42, NULL), EIS_ERR_SCALE);
    he_close(&w);
    eis_model_free(model);
}

/* The source gives ciphertexts of unequal scale or level, or fails: nothing comes out, and nothing is left behind. */
typedef struct crooked {
    he_feed feed;
    size_t at;
    int fault;
} crooked;

static eis_status crooked_next(void *context, size_t index, eis_ckks_ct *ct)
{
    crooked *c = context;
    eis_status st;

    if (index == c->at && c->fault == 0) return EIS_ERR_CIPHERTEXT;
    c->feed.scale = index == c->at && c->fault == 1 ? 0x1.0000001p40 : 0;
    st = he_feed_next(&c->feed, index, ct);
    if (index == c->at && c->fault == 2) assert_int_equal(eis_ckks_ct_drop(ct, ct->limbs - 1), EIS_OK);
    return st;
}

static void sources_that_fail(void **state)
{
    static const eis_status expected[] = {EIS_ERR_CIPHERTEXT, EIS_ERR_SCALE, EIS_ERR_LEVEL};
    eis_model *model = made_affine(3, 50, 0.5, 8);
    double x[50] = {0};

    (void)state;
    for (int form = EIS_HE_FORM_SINGLE; form <= EIS_HE_FORM_BATCH; form++) {
        eis_he_wish wish = {.chain = "A", .form = (eis_he_form)form};
        he_world w;
        he_open(&w, model, &wish);
        eis_he_keys keys = he_lend(&w);
        size_t last = w.plan->contract.stage[0].input.ciphertexts - 1;
        for (int fault = 0; fault < 3; fault++) {
            if (form == EIS_HE_FORM_SINGLE && fault == 1) continue; /* within its tolerance of 2^-20 */
            crooked c = {.feed = {.w = &w, .x = x, .batch = 1}, .at = fault == 1 ? last : last / 2, .fault = fault};
            eis_he_source source = {&c, crooked_next};
            eis_ckks_ct out[3] = {0};
            assert_int_equal(eis_he_eval(out, w.program, 0, &source, &keys, NULL), expected[fault]);
            for (int i = 0; i < 3; i++) assert_null(out[i].params);
        }
        he_close(&w);
    }
    eis_model_free(model);
}

/* A row of zeros, and a model of nothing but zeros, in every form: the answer is its bias, and never transparent. */
static void rows_of_zeros(void **state)
{
    static const uint32_t shape[][2] = {{2, 3}, {2, 40}, {64, 128}};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (int all = 0; all < 2; all++) {
            eis_model *model = made_classifier(shape[i][1], 1, 1);
            double *weights = made_linear(model, shape[i][0], 0.5, 3);
            memset(weights, 0, (all ? shape[i][0] : 1) * (size_t)shape[i][1] * sizeof *weights);
            for (int form = EIS_HE_FORM_SINGLE; form <= EIS_HE_FORM_BATCH; form++) {
                eis_he_wish wish = {.chain = "A", .form = (eis_he_form)form, .input_max = 1};
                he_world w;
                he_open(&w, model, &wish); /* he_run asserts that no answer is transparent */
                assert_true(he_error(&w, 1, 1, 5, 0, NULL) <= fmax(1e-6, w.plan->contract.stage[0].output.error));
                he_close(&w);
            }
            eis_model_free(model);
        }
}

/* Threads change nothing but the time. */
static void threads(void **state)
{
    eis_model *model = made_classifier(40, 1, 1);
    eis_he_wish wish = {.chain = "M", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    eis_pool *pool;
    he_world w;

    (void)state;
    made_linear(model, 7, 0.3, 1);
    made_pointwise(model, EIS_STEP_SQUARE, NULL, 0);
    made_linear(model, 2, 0.3, 2);
    assert_int_equal(eis_pool_new(&pool, 3), EIS_OK);
    he_open(&w, model, &wish);
    assert_true(he_error(&w, 1, 100, 4, 0, pool) <= w.plan->contract.stage[0].output.error);
    assert_true(eis_he_eval_bytes(w.program, 0) >= 7 * 4 * 8192 * 8);
    he_close(&w);
    eis_pool_free(pool);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squares),
        cmocka_unit_test(image_net),
        cmocka_unit_test(polynomials_at_the_end),
        cmocka_unit_test(logistic_v1),
        cmocka_unit_test(scales_of_affine_models),
        cmocka_unit_test(sources_that_fail),
        cmocka_unit_test(rows_of_zeros),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
