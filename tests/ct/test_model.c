/* SPDX-License-Identifier: Apache-2.0 */
/* Between two shares the client norms, turns, attends and activates. If that took longer for some values than for
 * others, the servers, which see when the next share comes, would learn about them. */
#include "unit/model/made_lm.h"

#include "base/ct.h"
#include "model/activation.h"
#include "model/plain.h"

/* A backend whose answers are secret. */
typedef struct oracle {
    const eis_model *model;
    eis_linear_backend inner;
} oracle;

static eis_status answer(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    const oracle *o = ctx;
    const eis_status st = o->inner.apply(o->inner.ctx, index, y, x, batch);

    EIS_SECRET(y, batch * eis_linear_output_count(&o->model->linears[index]) * sizeof *y);
    return st;
}

static void the_executor_does_not_look_at_activations(void **state)
{
    static const uint32_t ids[5] = {3, 28, 0, 11, 7};

    (void)state;
    for (int gpt2 = 0; gpt2 < 2; gpt2++) {
        made_lm *m = made_lm_new(gpt2 != 0, true, true, false);
        double logits[64], expected[64];
        eis_model *model;
        eis_plain_backend *plain;
        eis_lm_session *session;
        char directory[256];
        fixture_directory(directory);
        made_hf(m, directory, "F16", true);
        assert_int_equal(eis_model_open(&model, directory, NULL), EIS_OK);
        assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
        oracle o = {model, eis_plain_backend_seam(plain)};
        const eis_linear_backend secret = {&o, answer};
        assert_int_equal(eis_lm_session_new(&session, model, 8), EIS_OK);
        assert_int_equal(eis_lm_feed(session, logits, &secret, ids, 4), EIS_OK);
        assert_int_equal(eis_lm_feed(session, logits, &secret, ids + 4, 1), EIS_OK);
        eis_lm_session_free(session);
        EIS_PUBLIC(logits, sizeof logits); /* compared below; a client prints what it sampled from them */
        made_forward(m, expected, ids, 5);
        for (size_t i = 0; i < m->vocabulary; i++)
            assert_true(fabs(logits[i] - expected[i]) < 1e-11 * (1 + fabs(expected[i])));
        eis_plain_backend_free(plain);
        eis_model_free(model);
        fixture_remove(directory, made_hf_names());
        free(m);
    }
}

static void activations_do_not_look_at_their_input(void **state)
{
    double x[7] = {-3, 0, 1e-9, 5, 800, -900, 2}, root;
    uint64_t found;

    (void)state;
    EIS_SECRET(x, sizeof x);
    found = eis_zero_not_finite(x, 7);
    eis_gelu_tanh(x, 7);
    eis_silu(x, 7);
    eis_sigmoid(x, 7);
    eis_softmax(x, 7);
    root = eis_inverse_sqrt(x[0]);
    EIS_PUBLIC(x, sizeof x);
    EIS_PUBLIC(&root, sizeof root);
    EIS_PUBLIC(&found, sizeof found);
    assert_true(found == 0 && x[0] > 0 && root > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_executor_does_not_look_at_activations),
        cmocka_unit_test(activations_do_not_look_at_their_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
