/* SPDX-License-Identifier: Apache-2.0 */
/* What the planner says is what an operator decides by: a wrong byte count, a model taken that cannot work, or a
 * refusal that does not say why would each cost somebody a day. */
#include "he_world.h"

#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"

static eis_status plan_status(const eis_model *model, const eis_he_wish *wish)
{
    const eis_he_plan *plan = (const eis_he_plan *)wish;
    eis_status st = eis_he_plan_new(&plan, model, wish);

    if (st != EIS_OK) assert_null(plan);
    eis_he_plan_free(plan);
    return st;
}

static void says(const char *text)
{
    if (strstr(eis_error_detail(), text) == NULL) fail_msg("\"%s\" is not in \"%s\"", text, eis_error_detail());
}

/* ---- Choices
 * --------------------------------------------------------------------------------------------------------- */

static const eis_he_plan *planned(const eis_model *model, const eis_he_wish *wish)
{
    const eis_he_plan *plan;

    if (eis_he_plan_new(&plan, model, wish) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_he_contract_check(&plan->contract), EIS_OK);
    assert_true(plan->expected_ms > 0);
    return plan;
}

static void dense_256_10(void **state)
{
    eis_model *model = made_affine(10, 256, 0.1, 1);
    eis_he_wish wish = {.chain = "A1", .input_max = 1};
    const eis_he_plan *plan = planned(model, &wish);
    const eis_he_contract *c = &plan->contract;

    (void)state;
    assert_string_equal(c->chain, "A1");
    assert_int_equal(c->stage[0].input.kind, EIS_HE_ROWS);
    assert_int_equal(c->stage[0].input.padded, 256);
    assert_int_equal(c->stage[0].output.limbs, 1);
    assert_int_equal(c->depth, 1);
    assert_false(c->calibrated);
    assert_int_equal(c->element_count, 12); /* 1 2 3, 4 8 12, 16 32 48, 64 128 192 */
    assert_int_equal(plan->row_count, 1);
    assert_int_equal(plan->rows[0].rotations, 12);
    assert_int_equal(plan->rows[0].products, 1);
    assert_true(plan->request_bytes <= 197000);
    assert_int_equal(plan->reply_bytes, 131185);
    assert_true(c->has_levels && !c->needs_relin); /* the fold comes behind the rescale */
    for (uint32_t i = 0; i < c->element_count; i++) assert_int_equal(c->element_limbs[i], 1);
    assert_int_equal(plan->key_bytes, 1229720);
    eis_he_plan_free(plan);
    wish.chain = NULL;
    plan = planned(model, &wish); /* the smallest ring that has room */
    assert_string_equal(plan->contract.chain, "S");
    eis_he_plan_free(plan);
    wish.tolerance = 1e-6;
    plan = planned(model, &wish); /* which is too coarse for that */
    assert_string_equal(plan->contract.chain, "A1");
    eis_he_plan_free(plan);
    eis_model_free(model);
}

/* The forms by shape; a wide matrix with few rows is folded, so that it needs fewer diagonals than a square one. */
static void forms_by_shape(void **state)
{
    static const struct {
        uint32_t out, in;
        eis_he_packing_kind kind;
        uint32_t padded, copies, shift, products;
    } expected[] = {
        {768, 768, EIS_HE_BLOCKS, 1024, 4, 256, 256}, {64, 784, EIS_HE_BLOCKS, 1024, 4, 16, 16},
        {100, 100, EIS_HE_BLOCKS, 128, 32, 4, 4},     {1, 4096, EIS_HE_ROWS, 4096, 1, 0, 1},
        {2, 4096, EIS_HE_BLOCKS, 4096, 1, 0, 2},      {1, 7000, EIS_HE_ROWS, 4096, 1, 0, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        eis_model *model = made_affine(expected[i].out, expected[i].in, 0.1, 1);
        const eis_he_plan *plan = planned(model, &(eis_he_wish){.chain = "A"});
        const eis_he_packing *p = &plan->contract.stage[0].input;
        assert_int_equal(p->kind, expected[i].kind);
        assert_int_equal(p->padded, expected[i].padded);
        assert_int_equal(p->copies, expected[i].copies);
        assert_int_equal(p->shift, expected[i].shift);
        assert_int_equal(plan->rows[0].products, expected[i].products);
        eis_he_plan_free(plan);
        eis_model_free(model);
    }
}

/* Keys are made for a contract and kept: a plan that depended on how busy the machine is would make them useless. */
static void the_same_model_gives_the_same_plan(void **state)
{
    eis_model *model = made_affine(64, 64, 0.1, 1);

    (void)state;
    for (int i = 0; i < 5; i++) {
        const eis_he_plan *one = planned(model, &(eis_he_wish){.chain = "S"});
        const eis_he_plan *two = planned(model, &(eis_he_wish){.chain = "S"});
        assert_int_equal(one->contract.stage[0].input.kind, two->contract.stage[0].input.kind);
        assert_memory_equal(one->contract.element, two->contract.element, sizeof one->contract.element);
        eis_he_plan_free(one);
        eis_he_plan_free(two);
    }
    eis_model_free(model);
}

/* Planned bytes are those that are written. */
static void bytes_are_those_of_the_wire(void **state)
{
    eis_model *model = made_affine(10, 256, 0.1, 1);
    eis_he_wish wish = {.chain = "S", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    double x[256] = {0};
    eis_ckks_ct ct = {0};
    eis_ckks_key_set set = {0};
    eis_writer writer;
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    eis_wire_writer_init(&writer, (size_t)1 << 26);
    for (uint32_t i = 0; i < w.plan->contract.stage[0].input.ciphertexts; i++) {
        assert_int_equal(eis_he_protect(&ct, &w.client, 0, i, x, 1), EIS_OK);
        eis_ckks_ct_write(&writer, &ct, (eis_seal_style){0}, true);
    }
    assert_int_equal(writer.bytes, w.plan->request_bytes);
    eis_wire_writer_clear(&writer);
    eis_wire_writer_init(&writer, (size_t)1 << 26);
    assert_int_equal(eis_he_client_key_set(&set, &w.client), EIS_OK);
    eis_ckks_key_set_write(&writer, &set, true);
    assert_int_equal(writer.bytes, w.plan->key_bytes);
    eis_ckks_key_set_clear(&set);
    eis_wire_writer_clear(&writer);
    eis_ckks_ct_clear(&ct);
    he_close(&w);
    eis_model_free(model);
}

/* ---- Refusals
 * --------------------------------------------------------------------------------------------------------- */

static void what_ciphertexts_cannot_compute_is_refused_with_an_offer(void **state)
{
    static const eis_step_op op[] = {EIS_STEP_RELU, EIS_STEP_SIGMOID};

    (void)state;
    for (int i = 0; i < 2; i++) {
        eis_model *model = made_affine(4, 4, 0.5, 1);
        double *most = eis_model_new_array(model, 3, sizeof *most);
        made_pointwise(model, op[i], NULL, 0);
        made_linear(model, 2, 0.5, 2);
        assert_int_equal(plan_status(model, &(eis_he_wish){0}), EIS_ERR_UNSUPPORTED);
        says("layer 2 (");
        says("--interactive");
        assert_null(strstr(eis_error_detail(), "degree 3"));
        most[0] = most[1] = most[2] = 4;
        model->classifier.magnitude_max = most;
        model->classifier.magnitude_count = 3;
        assert_int_equal(plan_status(model, &(eis_he_wish){0}), EIS_ERR_UNSUPPORTED);
        says("[-4, 4]");
        /* Chebyshev series of degree 4 of |x|/2 on [-4, 4]: about 0.14 off at 0; of the sigmoid, odd: degree 3. */
        says(op[i] == EIS_STEP_RELU ? "degree 4: 0.2" : "degree 5: 0.00");
        eis_model_free(model);
    }
    eis_model *model = made_classifier(1, 4, 4);
    made_conv(model, 1, 3, 1, 1, 0.5, 1);
    eis_step *pool = made_step(model, EIS_STEP_MAX_POOL, 1, 2, 2);
    pool->kernel_height = pool->kernel_width = pool->stride_y = pool->stride_x = 2;
    assert_int_equal(plan_status(model, &(eis_he_wish){0}), EIS_ERR_UNSUPPORTED);
    says("avg_pool");
    eis_model_free(model);
}

static void models_that_do_not_fit_are_refused(void **state)
{
    eis_model *deep = made_affine(2, 2, 0.5, 1), *large = made_affine(1, 4, 1000, 1), *lm;

    (void)state;
    for (int i = 0; i < 6; i++) {
        made_pointwise(deep, EIS_STEP_SQUARE, NULL, 0);
        made_linear(deep, 2, 0.5, 2);
    }
    assert_int_equal(plan_status(deep, &(eis_he_wish){.form = EIS_HE_FORM_BATCH}), EIS_ERR_UNSUPPORTED);
    says("levels");
    assert_int_equal(plan_status(deep, &(eis_he_wish){.form = EIS_HE_FORM_BATCH, .chain = "Z"}), EIS_ERR_USAGE);
    assert_int_equal(plan_status(large, &(eis_he_wish){.chain = "A1", .tolerance = 1e-30}), EIS_ERR_RANGE);
    says("tolerance");
    assert_int_equal(plan_status(large, &(eis_he_wish){.chain = "A1", .policy = EIS_CKKS_POLICY_2024_256}),
                     EIS_ERR_POLICY);
    assert_int_equal(plan_status(large, &(eis_he_wish){.input_max = NAN}), EIS_ERR_USAGE);
    assert_int_equal(eis_model_new(&lm, EIS_MODEL_LM), EIS_OK);
    assert_int_equal(plan_status(lm, &(eis_he_wish){0}), EIS_ERR_MODEL);
    eis_model_free(lm);
    eis_model_free(deep);
    eis_model_free(large);
}

/* Squares grow: by norms alone this net does not fit chain M; with the magnitudes that it declares it does. */
static void declared_magnitudes_stand_for_norms(void **state)
{
    static const double declared[] = {3, 9, 40};
    eis_model *model = made_classifier(200, 1, 1);
    eis_he_wish wish = {.chain = "M", .form = EIS_HE_FORM_BATCH, .input_max = 3};
    const eis_he_plan *plan;

    (void)state;
    made_linear(model, 4, 0.5, 1);
    made_pointwise(model, EIS_STEP_SQUARE, NULL, 0);
    made_linear(model, 2, 5, 2);
    made_pointwise(model, EIS_STEP_SQUARE, NULL, 0);
    assert_int_equal(plan_status(model, &wish), EIS_ERR_RANGE);
    says("bits");
    double *most = eis_model_new_array(model, 4, sizeof *most);
    memcpy(most, declared, sizeof declared);
    most[3] = 100;
    model->classifier.magnitude_max = most;
    model->classifier.magnitude_count = 4;
    model->classifier.magnitude_margin = 4;
    plan = planned(model, &wish);
    assert_true(plan->contract.calibrated);
    assert_true(fabs(plan->rows[0].magnitude - 12) < 1e-9);
    eis_he_plan_free(plan);
    eis_model_free(model);
}

/* A folded norm's bound is found at its own place in the file. */
static void steps_know_their_layer(void **state)
{
    eis_model *model = made_affine(2, 200, 5, 1);
    double *most = eis_model_new_array(model, 2, sizeof *most);

    (void)state;
    most[0] = 1e9;
    most[1] = 2;
    model->classifier.magnitude_max = most;
    model->classifier.magnitude_count = 2;
    model->classifier.steps[0].layer = 1;
    const eis_he_plan *plan = planned(model, &(eis_he_wish){.form = EIS_HE_FORM_BATCH, .chain = "A1"});
    assert_true(fabs(plan->rows[0].magnitude - 2) < 1e-9);
    eis_he_plan_free(plan);
    eis_model_free(model);
}

/* ---- What is published
 * ------------------------------------------------------------------------------------------------- */

static void flooding_has_the_planned_deviation_or_is_refused(void **state)
{
    eis_model *model = made_affine(2, 4, 0.5, 1);
    eis_he_wish wish = {.chain = "P0", .form = EIS_HE_FORM_BATCH, .input_max = 1};
    eis_he_publish publish = {.bits = 20};
    eis_ckks_ct out[2] = {0};
    double *x = calloc(4096 * 4, sizeof *x), *y = calloc(4096 * 2, sizeof *y), sigma, variance = 0, mean = 0, far = 0;
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    assert_int_equal(eis_he_publish_check(&sigma, &w.plan->contract, 0, &publish), EIS_OK);
    publish.values = 2 * 4096;
    assert_int_equal(eis_he_publish_check(&sigma, &w.plan->contract, 0, &publish), EIS_OK);
    assert_true(fabs(sigma / (sqrt(12 * 8192.0) * 1024 * w.plan->contract.stage[0].output.error) - 1) < 1e-12);
    he_feed feed = {.w = &w, .x = x, .batch = 4096};
    eis_he_source source = {&feed, he_feed_next};
    assert_int_equal(eis_he_eval(out, w.program, 0, &source, NULL, NULL), EIS_OK);
    for (int i = 0; i < 2; i++) he_adopt(&out[i], w.client.params);
    assert_int_equal(eis_he_recover(y, &w.client, 0, out, 4096, &publish), EIS_OK);
    for (size_t i = 0; i < 8192; i++) {
        double z = (y[i] - model->linears[0].bias[i % 2]) / sigma;
        mean += z / 8192;
        variance += z * z / 8192;
        far += fabs(z) > 2 ? 1.0 / 8192 : 0;
    }
    assert_true(fabs(mean) < 0.06 && fabs(variance - 1) < 0.08); /* five deviations of each */
    assert_true(far > 0.034 && far < 0.058);                     /* 4.55 percent of a normal distribution */
    publish.bits = 128;
    y[0] = 7;
    assert_int_equal(eis_he_recover(y, &w.client, 0, out, 4096, &publish), EIS_ERR_RANGE);
    says("room");
    assert_true(y[0] == 0);
    for (int i = 0; i < 2; i++) eis_ckks_ct_clear(&out[i]);
    he_close(&w);
    eis_model_free(model);
    free(x);
    free(y);
}

/* ---- Keys
 * ------------------------------------------------------------------------------------------------------------- */

static void keys_that_lack_something_are_refused(void **state)
{
    eis_model *model = made_affine(10, 256, 0.1, 1);
    eis_he_wish wish = {.chain = "A1", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    double x[256] = {0};
    eis_ckks_ct out = {0};
    he_world w;

    (void)state;
    he_open(&w, model, &wish);
    assert_int_equal(eis_he_keys_check(&w.keys, &w.plan->contract), EIS_OK);
    eis_he_keys keys = he_lend(&w);
    he_feed feed = {.w = &w, .x = x, .batch = 1};
    eis_he_source source = {&feed, he_feed_next};
    keys.galois.count--;
    assert_int_equal(eis_he_keys_check(&keys, &w.plan->contract), EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_he_eval(&out, w.program, 0, &source, &keys, NULL), EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_he_eval(&out, w.program, 0, &source, NULL, NULL), EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(feed.next, 0); /* before anything is read */
    he_close(&w);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_256_10),
        cmocka_unit_test(forms_by_shape),
        cmocka_unit_test(the_same_model_gives_the_same_plan),
        cmocka_unit_test(bytes_are_those_of_the_wire),
        cmocka_unit_test(what_ciphertexts_cannot_compute_is_refused_with_an_offer),
        cmocka_unit_test(models_that_do_not_fit_are_refused),
        cmocka_unit_test(declared_magnitudes_stand_for_norms),
        cmocka_unit_test(steps_know_their_layer),
        cmocka_unit_test(flooding_has_the_planned_deviation_or_is_refused),
        cmocka_unit_test(keys_that_lack_something_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
