/* SPDX-License-Identifier: Apache-2.0 */
/* If a network under encryption gave other numbers than the model, beyond the error that its plan promises, somebody
 * would act on a wrong class; and the plan is all that tells him how far to trust it. */
#include "support/he_net.h"

#include "engine/he/network.h"

#define SQUARE "{\"op\":\"square\"}"

enum { INPUTS = 3, WORDS_MAX = 1024, ANSWERS_MAX = 256 };

/* Compares three inputs with the plain engine; returns the largest error. Numbers go up to `most`. */
static double worst_error(const he_net *n, double most)
{
    double x[WORDS_MAX], scaled[WORDS_MAX], y[ANSWERS_MAX], expected[ANSWERS_MAX], worst = 0;
    uint64_t seed = 77;
    size_t count = eis_classifier_input_count(n->model);

    assert_true(count <= WORDS_MAX && n->model->classifier.class_count <= ANSWERS_MAX);
    for (int i = 0; i < INPUTS; i++) {
        fixture_fill(x, count, most, &seed);
        he_net_scale(scaled, n->model, x);
        if (he_net_infer(y, n, scaled) != EIS_OK) fail_msg("%s", eis_error_detail());
        he_net_plain(expected, n, x);
        for (uint32_t k = 0; k < n->model->classifier.class_count; k++) worst = fmax(worst, fabs(y[k] - expected[k]));
    }
    return worst;
}

/* A net computes what its model does, within the planned bound, which is not a hundred thousand times too large. */
static void check_net(eis_model *model, const char *chain, uint32_t ciphertexts)
{
    eis_he_wish wish = {.chain = chain, .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    he_net n;
    double worst, bound;

    he_net_open(&n, model, &wish);
    bound = n.plan->contract.stage[0].output.error;
    worst = worst_error(&n, 1);
    print_message("chain %s: %u levels, %u rotation keys, error %.2g of at most %.2g\n", n.plan->contract.chain,
                  n.plan->contract.depth, n.plan->contract.element_count, worst, bound);
    assert_true(worst <= bound);
    assert_true(worst > bound * 1e-5);
    assert_int_equal(n.plan->contract.stage[0].input.ciphertexts, ciphertexts);
    assert_true(n.plan->contract.stage[0].output.limbs == 1);
    assert_true(eis_he_program_bytes(n.program) > 0 && eis_he_eval_bytes(n.program, 0) > 0);
    he_net_close(&n);
}

static void dense_layers_with_squares(void **state)
{
    he_model *m = he_model_new(1);

    (void)state;
    he_model_dense(m, 20, 16, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 16, 5, -1);
    check_net(he_model_open(m, "[20]"), "M", 1);

    m = he_model_new(2); /* more outputs than one ciphertext has room for behind the first map; a row of zeros */
    he_model_dense(m, 600, 70, 3);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 70, 100, 99);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 100, 3, -1);
    check_net(he_model_open(m, "[600]"), "M", 1);
}

/* A layer whose weights are all 0 still gives a ciphertext that hides what it holds. */
static void a_layer_of_zeros_is_not_transparent(void **state)
{
    he_model *m = he_model_new(14);
    double zeros[40] = {0}, bias[4] = {1, -1, 0.5, 2};

    (void)state;
    he_model_dense(m, 12, 10, -1);
    he_model_layer(m, SQUARE);
    fixture_tensor_add(m->tensors, "zw", "F32", 4, 10, zeros);
    fixture_tensor_add(m->tensors, "zb", "F32", 0, 4, bias);
    he_model_add(m, "{\"op\":\"linear\",\"name\":\"z\",\"weight\":\"zw\",\"bias\":\"zb\",\"in\":10,\"out\":4}", 4);
    check_net(he_model_open(m, "[12]"), "A3", 1);
}

static void a_convolution_becomes_windows(void **state)
{
    he_model *m = he_model_new(3);

    (void)state;
    he_model_conv(m, 1, 4, 5, 2, 1);
    he_model_layer(m, SQUARE);
    he_model_layer(m, "{\"op\":\"avg_pool\",\"kernel\":[2,2],\"stride\":[2,2]}");
    he_model_layer(m, "{\"op\":\"flatten\"}");
    he_model_dense(m, 36, 9, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 9, 4, -1);
    check_net(he_model_open(m, "[1,14,14]"), "M", 1);

    m = he_model_new(4); /* too many windows for one ciphertext: the convolution is a dense map then */
    he_model_conv(m, 1, 2, 3, 1, 1);
    he_model_layer(m, SQUARE);
    he_model_layer(m, "{\"op\":\"flatten\"}");
    he_model_dense(m, 1800, 3, -1);
    check_net(he_model_open(m, "[1,30,30]"), "M", 1);

    m = he_model_new(5); /* a second convolution behind the first square */
    he_model_conv(m, 2, 3, 3, 1, 0);
    he_model_layer(m, SQUARE);
    he_model_conv(m, 3, 2, 3, 2, 0);
    he_model_layer(m, SQUARE);
    he_model_layer(m, "{\"op\":\"flatten\"}");
    he_model_dense(m, 8, 3, -1);
    check_net(he_model_open(m, "[2,8,8]"), "M", 1);
}

static void polynomials_take_the_place_of_squares(void **state)
{
    he_model *m = he_model_new(6);

    (void)state;
    he_model_dense(m, 12, 10, -1); /* of degree 2: no level more than a square */
    he_model_layer(m, "{\"op\":\"polynomial\",\"coefficients\":[0.3,0.5,-0.2],\"interval\":[-3,3]}");
    he_model_dense(m, 10, 3, -1);
    check_net(he_model_open(m, "[12]"), "M", 1);

    m = he_model_new(7);
    he_model_dense(m, 12, 10, -1);
    he_model_layer(m, "{\"op\":\"polynomial\",\"coefficients\":[0.1,0.5,0,-0.05],\"interval\":[-3,3]}");
    he_model_dense(m, 10, 3, -1);
    check_net(he_model_open(m, "[12]"), "B1", 1);

    m = he_model_new(8); /* a square ends it, with a factor and a shift */
    he_model_dense(m, 12, 10, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 10, 3, -1);
    he_model_layer(m, "{\"op\":\"polynomial\",\"coefficients\":[0.25,0.5,-2],\"interval\":[-3,3]}");
    check_net(he_model_open(m, "[12]"), "B1", 1);
}

/* Levels, and with them time and bytes, are what a plan is about. */
static void the_planner_takes_the_cheapest_chain_with_room(void **state)
{
    eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE, .input_max = 1};
    const eis_he_plan *plan;
    he_model *m = he_model_new(9);
    eis_model *model;

    (void)state;
    m->certain = true;
    he_model_dense(m, 64, 32, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 32, 10, -1);
    model = he_model_open(m, "[64]");
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_OK);
    assert_int_equal(plan->contract.depth, 3);
    assert_string_equal(plan->contract.chain, "A3");
    assert_true(plan->contract.stage[0].output.error < 1e-2);
    assert_true(plan->contract.needs_relin && !plan->contract.calibrated);
    assert_int_equal(plan->contract.stage[0].input.limbs, 4);
    assert_int_equal(plan->row_count, 3);
    assert_true(plan->expected_ms > 0 && plan->key_bytes > 0);
    eis_he_plan_free(plan);
    wish.tolerance = 1e-9; /* no chain is that precise */
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_RANGE);
    assert_null(plan);
    wish.tolerance = 0;
    wish.chain = "A"; /* two levels */
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_UNSUPPORTED);
    wish.chain = "M";
    wish.input_max = 1000; /* norms of squares of that leave no bits for the answer's fraction */
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), "magnitudes"));
    wish.input_max = 1e9; /* numbers that no level holds */
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_RANGE);
    eis_model_free(model);
}

static void what_ciphertexts_cannot_compute_is_refused(void **state)
{
    eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE};
    const eis_he_plan *plan;
    he_model *m = he_model_new(10);
    eis_model *model;

    (void)state;
    he_model_dense(m, 8, 8, -1);
    he_model_layer(m, "{\"op\":\"relu\"}");
    he_model_dense(m, 8, 2, -1);
    model = he_model_open(m, "[8]");
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_UNSUPPORTED);
    assert_non_null(strstr(eis_error_detail(), "interactive"));
    eis_model_free(model);

    m = he_model_new(11); /* nine levels */
    for (int i = 0; i < 4; i++) {
        he_model_dense(m, 4, 4, -1);
        he_model_layer(m, SQUARE);
    }
    he_model_dense(m, 4, 2, -1);
    model = he_model_open(m, "[4]");
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_ERR_UNSUPPORTED);
    assert_non_null(strstr(eis_error_detail(), "levels"));
    eis_model_free(model);
}

/* The conv net of chain M: its levels and keys are those that docs/he.md states. */
static void the_digits_net_has_its_shape(void **state)
{
    char path[512];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE};
    const eis_he_plan *plan;
    eis_model *model;

    (void)state;
    snprintf(path, sizeof path, "%s/models/digits-square", root != NULL ? root : ".");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    assert_int_equal(eis_he_plan_new(&plan, model, &wish), EIS_OK);
    assert_string_equal(plan->contract.chain, "M");
    assert_true(plan->contract.calibrated);
    assert_int_equal(plan->contract.depth, 5);
    assert_int_equal(plan->contract.element_count, 18);
    assert_int_equal(plan->contract.stage[0].input.kind, EIS_HE_WINDOWS);
    assert_int_equal(plan->contract.stage[0].input.ciphertexts, 1);
    assert_int_equal(plan->contract.stage[0].output.ciphertexts, 1);
    assert_int_equal(plan->contract.stage[0].output.limbs, 1);
    assert_int_equal(plan->contract.stage[0].output.polys, 2);
    eis_he_plan_free(plan);
    eis_model_free(model);
}

/* An input off the scale within the tolerance is answered; beyond it, at another level, or without keys it is not. */
static void inputs_that_do_not_fit_are_refused(void **state)
{
    eis_he_wish wish = {.chain = "M", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    double x[8] = {0.5, -0.5, 0.25, 1, -1, 0, 0.125, 0.75}, y[3], expected[3];
    eis_ckks_ct request = {0}, sent = {0}, answer = {0};
    he_net_request r = {&sent};
    eis_he_source source = {&r, he_net_next};
    he_model *m = he_model_new(12);
    he_net n;

    (void)state;
    he_model_dense(m, 8, 4, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 4, 3, -1);
    he_net_open(&n, he_model_open(m, "[8]"), &wish);
    he_net_plain(expected, &n, x);
    assert_int_equal(eis_he_protect(&request, &n.client, 0, 0, x, 1), EIS_OK);
    request.params = n.plan->params;

    assert_int_equal(eis_ckks_ct_copy(&sent, &request), EIS_OK);
    sent.scale *= 1 + 0x1p-21;
    assert_int_equal(eis_he_eval(&answer, n.program, 0, &source, &n.keys, NULL), EIS_OK);
    answer.params = n.client.params;
    assert_int_equal(eis_he_recover(y, &n.client, 0, &answer, 1, NULL), EIS_OK);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(y[i] - expected[i]) < n.plan->contract.stage[0].output.error + 4 * 0x1p-20);
    eis_ckks_ct_clear(&answer);

    assert_int_equal(eis_ckks_ct_copy(&sent, &request), EIS_OK);
    sent.scale *= 1 + 0x1p-18;
    assert_int_equal(eis_he_eval(&answer, n.program, 0, &source, &n.keys, NULL), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_copy(&sent, &request), EIS_OK);
    assert_int_equal(eis_ckks_ct_drop(&sent, sent.limbs - 1), EIS_OK);
    assert_int_equal(eis_he_eval(&answer, n.program, 0, &source, &n.keys, NULL), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_copy(&sent, &request), EIS_OK);
    assert_int_equal(eis_he_eval(&answer, n.program, 0, &source, NULL, NULL), EIS_ERR_KEYS_INSUFFICIENT);
    assert_null(answer.params);
    eis_ckks_ct_clear(&request);
    eis_ckks_ct_clear(&sent);
    he_net_close(&n);
}

/* Memory that runs out in the middle loses nothing and gives nothing. */
static void memory_that_runs_out_is_reported(void **state)
{
    eis_he_wish wish = {.chain = "M", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    double x[8] = {0}, y[3];
    he_model *m = he_model_new(13);
    he_net n;

    (void)state;
    he_model_dense(m, 8, 4, -1);
    he_model_layer(m, SQUARE);
    he_model_dense(m, 4, 3, -1);
    he_net_open(&n, he_model_open(m, "[8]"), &wish);
    for (unsigned long at = 5;; at += 3) {
        eis_ckks_ct request = {0}, answer = {0};
        he_net_request r = {&request};
        eis_he_source source = {&r, he_net_next};
        eis_status st;

        assert_int_equal(eis_he_protect(&request, &n.client, 0, 0, x, 1), EIS_OK);
        request.params = n.plan->params;
        eis_mem_fail_at(at);
        st = eis_he_eval(&answer, n.program, 0, &source, &n.keys, NULL);
        eis_mem_fail_at(0);
        eis_ckks_ct_clear(&request);
        eis_ckks_ct_clear(&answer);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(answer.params);
    }
    assert_int_equal(he_net_infer(y, &n, x), EIS_OK);
    he_net_close(&n);
}

static void memory_that_runs_out_leaves_no_plan_and_no_program(void **state)
{
    eis_he_wish wish = {.chain = "A3", .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    const eis_he_plan *plan;
    const eis_he_program *program;
    he_model *m = he_model_new(15);
    eis_model *model;
    eis_status st = EIS_ERR_MEMORY;

    (void)state;
    he_model_conv(m, 1, 2, 3, 1, 0);
    he_model_layer(m, SQUARE);
    he_model_layer(m, "{\"op\":\"flatten\"}");
    he_model_dense(m, 32, 3, -1);
    model = he_model_open(m, "[1,6,6]");
    for (unsigned long at = 1; st != EIS_OK; at += 2) {
        eis_mem_fail_at(at);
        st = eis_he_plan_new(&plan, model, &wish);
        eis_mem_fail_at(0);
        assert_true(st == EIS_OK || (st == EIS_ERR_MEMORY && plan == NULL));
    }
    st = EIS_ERR_MEMORY;
    for (unsigned long at = 1; st != EIS_OK; at += 2) {
        eis_mem_fail_at(at);
        st = eis_he_program_new(&program, plan, model, NULL);
        eis_mem_fail_at(0);
        assert_true(st == EIS_OK || (st == EIS_ERR_MEMORY && program == NULL));
    }
    eis_he_program_free(program);
    eis_he_plan_free(plan);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_layers_with_squares),
        cmocka_unit_test(a_layer_of_zeros_is_not_transparent),
        cmocka_unit_test(a_convolution_becomes_windows),
        cmocka_unit_test(polynomials_take_the_place_of_squares),
        cmocka_unit_test(the_planner_takes_the_cheapest_chain_with_room),
        cmocka_unit_test(what_ciphertexts_cannot_compute_is_refused),
        cmocka_unit_test(the_digits_net_has_its_shape),
        cmocka_unit_test(inputs_that_do_not_fit_are_refused),
        cmocka_unit_test(memory_that_runs_out_is_reported),
        cmocka_unit_test(memory_that_runs_out_leaves_no_plan_and_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
