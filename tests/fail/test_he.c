/* SPDX-License-Identifier: Apache-2.0 */
/* A server that runs out of memory in the middle of a request must answer so, and go on with nothing leaked and nothing
 * half made. Allocations of planning, preparing and evaluating fail one by one. */
#include "unit/engine/he/he_world.h"

/* Ciphertexts that were made before. */
typedef struct ready {
    const eis_ckks_ct *ct;
    const eis_ckks_params *params; /* of the program at work */
} ready;

static eis_status ready_next(void *context, size_t index, eis_ckks_ct *ct)
{
    const ready *r = context;
    eis_ckks_ct copy = r->ct[index];

    copy.params = r->params;
    return eis_ckks_ct_copy(ct, &copy);
}

/* Plans, prepares and evaluates once. */
static eis_status serve(const eis_model *model, const eis_he_wish *wish, const he_world *w, const eis_ckks_ct *ct)
{
    eis_status st = EIS_OK;
    const eis_he_plan *plan = NULL;
    const eis_he_program *program = NULL;
    uint32_t count = w->plan->contract.stage[0].output.ciphertexts;
    eis_ckks_ct out[4] = {0};
    ready r = {.ct = ct};
    eis_he_source source = {&r, ready_next};
    he_world lend = *w;
    eis_he_keys keys;

    EIS_TRY(eis_he_plan_new(&plan, model, wish));
    EIS_TRY(eis_he_program_new(&program, plan, model, NULL));
    r.params = plan->params;
    lend.plan = plan;
    keys = he_lend(&lend);
    EIS_TRY(eis_he_eval(out, program, 0, &source, &keys, NULL));
out:
    for (uint32_t i = 0; i < count; i++) {
        assert_true(st == EIS_OK || out[i].params == NULL);
        eis_ckks_ct_clear(&out[i]);
    }
    if (st != EIS_OK && program == NULL && plan == NULL) assert_int_equal(st, EIS_ERR_MEMORY);
    eis_he_program_free(program);
    eis_he_plan_free(plan);
    return st;
}

static void fail_each(eis_model *model, eis_he_wish wish)
{
    double *x = calloc(eis_classifier_input_count(model), sizeof *x);
    eis_ckks_ct ct[4] = {0};
    he_world w;

    he_open(&w, model, &wish);
    uint32_t inputs = w.plan->contract.stage[0].input.ciphertexts;
    assert_true(inputs <= 4 && w.plan->contract.stage[0].output.ciphertexts <= 4);
    for (uint32_t i = 0; i < inputs; i++) assert_int_equal(eis_he_protect(&ct[i], &w.client, 0, i, x, 1), EIS_OK);
    eis_mem_fail_at(0);
    assert_int_equal(serve(model, &wish, &w, ct), EIS_OK);
    unsigned long made = eis_mem_fail_at(0);
    assert_true(made > 30);
    for (unsigned long n = 1; n <= made; n += 1 + made / 120) {
        eis_mem_fail_at(n);
        eis_status st = serve(model, &wish, &w, ct);
        eis_mem_fail_at(0);
        if (st != EIS_ERR_MEMORY) fail_msg("allocation %lu of %lu: %s", n, made, eis_status_code(st));
    }
    for (uint32_t i = 0; i < inputs; i++) eis_ckks_ct_clear(&ct[i]);
    he_close(&w);
    eis_model_free(model);
    free(x);
}

static void features(void **state)
{
    eis_model *model = made_classifier(3, 1, 1);

    (void)state;
    made_linear(model, 2, 0.5, 1);
    made_pointwise(model, EIS_STEP_SQUARE, NULL, 0);
    made_linear(model, 2, 0.5, 2);
    fail_each(model, (eis_he_wish){.chain = "A3", .form = EIS_HE_FORM_BATCH, .input_max = 1});
}

static void rows(void **state)
{
    (void)state;
    fail_each(made_affine(4, 16, 0.5, 1), (eis_he_wish){.chain = "S", .form = EIS_HE_FORM_SINGLE, .input_max = 1});
}

static void blocks(void **state)
{
    (void)state;
    fail_each(made_affine(64, 64, 0.5, 1), (eis_he_wish){.chain = "S", .form = EIS_HE_FORM_SINGLE, .input_max = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(features), cmocka_unit_test(rows), cmocka_unit_test(blocks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
