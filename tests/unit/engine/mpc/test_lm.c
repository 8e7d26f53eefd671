/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tokens among parties that share weights and cache: the likeliest one is the plain engine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/plain.h"
#include "support/mpc_lm.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* The gap between the two largest logits, and where the largest is. */
static double best(uint32_t *id, const double *logits, uint32_t count)
{
    double first = -INFINITY, second = -INFINITY;

    for (uint32_t i = 0; i < count; i++) {
        if (logits[i] > first) {
            second = first;
            first = logits[i];
            *id = i;
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    return first - second;
}

/* Greedy tokens of both engines for as long as the plain one is not in doubt. */
static void compare(const char *path, uint32_t token, uint32_t parties, uint32_t steps)
{
    eis_model *model;
    eis_mpc_tuning tuning;
    static mpc_lm m;
    eis_lm_session *plain;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double *logits;
    uint32_t sure = 0;

    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    eis_mpc_tuning_default(&tuning);
    mpc_lm_open(&m, model, &tuning, parties);
    m.world.again = true;
    assert_int_equal(eis_lm_session_new(&plain, model, 0), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    logits = malloc(model->lm.vocabulary * sizeof *logits);
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t next, wanted = 0;
        double margin;
        assert_int_equal(eis_lm_feed(plain, logits, &seam, &token, 1), EIS_OK);
        margin = best(&wanted, logits, model->lm.vocabulary);
        if (mpc_lm_feed(&m, &next, token, i < 2) != EIS_OK) fail_msg("%s", eis_error_detail());
        if (margin > 0.05) {
            assert_int_equal(next, wanted);
            sure++;
        }
        token = wanted;
    }
    assert_true(sure > steps / 2);
    free(logits);
    eis_plain_backend_free(backend);
    eis_lm_session_free(plain);
    mpc_lm_close(&m);
    eis_model_free(model);
}

static const char *root(void)
{
    const char *path = getenv("EIS_TEST_ROOT");

    return path != NULL ? path : ".";
}

static void test_tiny_stories(void **state)
{
    char path[1024];
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root());
    compare(path, 1, 3, 6);
}

static void need(char path[1024], const char *name)
{
    snprintf(path, 1024, "%s/../shared/data/lm/%s", root(), name);
    if (access(path, R_OK) == 0) return;
    print_message("skipped: ../shared/data is not there\n");
    skip();
}

static void test_stories260k(void **state)
{
    char path[1024];
    (void)state;

    need(path, "stories260K/stories260K.bin");
    compare(path, 1, 2, 8);
}

static void test_gpt2(void **state)
{
    char path[1024];
    (void)state;

    need(path, "tiny-random-gpt2");
    compare(path, 52, 2, 6);
}

/* Drawn tokens are always among the k likeliest of the plain engine, and with k = 3 they are not always the first. */
static void drawn(const char *path, uint32_t token, double temperature, uint32_t steps)
{
    const eis_mpc_sampling sampling = {3, temperature};
    static mpc_lm m;
    eis_model *model;
    eis_mpc_tuning tuning;
    eis_lm_session *plain;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double *logits;
    uint32_t first = 0;

    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    eis_mpc_tuning_default(&tuning);
    mpc_lm_open(&m, model, &tuning, 2);
    m.sampling = &sampling;
    assert_int_equal(eis_lm_session_new(&plain, model, 0), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    logits = malloc(model->lm.vocabulary * sizeof *logits);
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t next = 0, larger = 0;
        assert_int_equal(eis_lm_feed(plain, logits, &seam, &token, 1), EIS_OK);
        if (mpc_lm_feed(&m, &next, token, i == 0) != EIS_OK) fail_msg("%s", eis_error_detail());
        assert_true(next < model->lm.vocabulary);
        for (uint32_t k = 0; k < model->lm.vocabulary; k++) larger += logits[k] > logits[next] + 0.05;
        assert_true(larger < 3);
        first += larger == 0;
        token = next;
    }
    assert_true(first > 0 && first < steps);
    free(logits);
    eis_plain_backend_free(backend);
    eis_lm_session_free(plain);
    mpc_lm_close(&m);
    eis_model_free(model);
}

static void test_drawn(void **state)
{
    char path[1024];
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root());
    drawn(path, 1, 4, 12);
    need(path, "tiny-random-gpt2");
    drawn(path, 52, 4, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_stories),
        cmocka_unit_test(test_stories260k),
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
