/* SPDX-License-Identifier: Apache-2.0 */
/* Classifiers by the processes of the mpc engine, as threads of one: classes over TLS are those of the plain engine
 * wherever that one is not in doubt, and nothing but classes is asked for. Documents that tell of a classifier are read
 * as strictly as those of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/classifier.h"
#include "model/input.h"
#include "model/plain.h"
#include "support/mpc_service.h"

#include <math.h>

enum { CLASSES_MAX = 16 };

static eis_model *open_model(const char *name)
{
    char path[1024];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_model *model;

    snprintf(path, sizeof path, "%s/models/%s", root != NULL ? root : ".", name);
    if (eis_model_open(&model, path, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    return model;
}

typedef struct told {
    uint32_t class_index, count;
} told;

static eis_status tell(void *context, uint32_t token, double ms)
{
    told *t = context;

    assert_true(ms >= 0);
    t->class_index = token;
    t->count++;
    return EIS_OK;
}

/* The plain engine's class; *sure where no error of a fixed point could change it. */
static uint32_t plain_class(bool *sure, const eis_model *model, const double *x)
{
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double logits[CLASSES_MAX], margin = INFINITY;
    uint32_t best;

    assert_true(model->classifier.class_count <= CLASSES_MAX);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    assert_int_equal(eis_classifier_run(model, &seam, logits, NULL, x, 1), EIS_OK);
    best = eis_classifier_best(model, logits);
    for (uint32_t i = 0; i < model->classifier.class_count; i++)
        if (i != best) margin = fmin(margin, logits[best] - logits[i]);
    *sure = margin > 0.05;
    eis_plain_backend_free(backend);
    return best;
}

/* x[count][inputs] */
static void classify(const eis_model *model, const double *x, uint32_t count, uint32_t parties)
{
    mpc_service s;
    eis_mpc_tuning tuning;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    uint32_t sure_count = 0;
    told t = {.count = 0};

    eis_mpc_tuning_default(&tuning);
    mpc_service_open(&s, model, &tuning, parties, "classes");
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(&owner, &s.session, &s.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(owner, model, NULL, NULL), "model");
    mpc_service_require(eis_mpc_conductor_load(conductor), "load");
    for (uint32_t i = 0; i < count; i++) {
        const double *in = x + i * s.session.classifier.inputs;
        bool sure;
        uint32_t wanted = plain_class(&sure, model, in);
        mpc_service_require(eis_mpc_owner_send_image(owner, eis_mpc_conductor_step(conductor), model, in), "image");
        mpc_service_require(eis_mpc_conductor_run(conductor, &end, 1, 1, NULL, tell, &t), "run");
        assert_int_equal(end, EIS_MPC_END_LENGTH);
        assert_int_equal(t.count, i + 1);
        if (sure) assert_int_equal(t.class_index, wanted);
        sure_count += sure;
    }
    assert_true(sure_count * 2 > count);
    /* An image in place of a text: parties refuse a run that would tell more, and the session has ended. */
    assert_int_equal(eis_mpc_conductor_run(conductor, &end, 1, 2, NULL, tell, &t), EIS_ERR_PROTOCOL);
    assert_int_equal(t.count, count);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
}

static const double cancer[4][9] = {{5, 1, 1, 1, 2, 1, 3, 1, 1},
                                    {8, 10, 10, 8, 7, 10, 9, 7, 1},
                                    {1, 1, 1, 1, 2, 10, 3, 1, 1},
                                    {10, 7, 7, 6, 4, 10, 4, 1, 2}};

static void test_breast_cancer(void **state)
{
    eis_model *model = open_model("breast-cancer");
    (void)state;

    classify(model, &cancer[0][0], 4, 2);
    classify(model, &cancer[0][0], 2, 3);
    eis_model_free(model);
}

static void digits(uint32_t first, uint32_t count, uint32_t parties)
{
    eis_model *model = open_model("digits");
    const char *root = getenv("EIS_TEST_ROOT");
    size_t inputs = eis_classifier_input_count(model);
    double *x = malloc(count * inputs * sizeof *x);

    for (uint32_t i = 0; i < count; i++) {
        char path[1024];
        eis_inputs in = {0};
        snprintf(path, sizeof path, "%s/models/digits/samples/%u.pgm", root != NULL ? root : ".", first + i);
        if (eis_inputs_read(&in, path, 1, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        assert_int_equal(in.elements, inputs);
        memcpy(x + i * inputs, in.x, inputs * sizeof *x);
        eis_inputs_clear(&in);
    }
    classify(model, x, count, parties);
    free(x);
    eis_model_free(model);
}

static void test_digits_of_two(void **state)
{
    (void)state;
    digits(0, 3, 2);
}

static void test_digits_of_three(void **state)
{
    (void)state;
    digits(7, 2, 3);
}

/* A document comes back as it went; one with a byte missing, left over or out of its range is refused. */
static void test_documents(void **state)
{
    eis_model *model = open_model("digits");
    eis_mpc_tuning tuning;
    mpc_service s;
    eis_mpc_session copy;
    eis_writer again;
    uint8_t *bytes;
    size_t refused = 0;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    mpc_service_open(&s, model, &tuning, 2, "documents");
    assert_int_equal(eis_mpc_session_read(&copy, s.document.data, s.document.bytes), EIS_OK);
    assert_int_equal(copy.kind, EIS_MPC_MODEL_CLASSIFIER);
    assert_int_equal(copy.classifier.classes, 10);
    assert_int_equal(copy.classifier.inputs, s.session.classifier.inputs);
    eis_wire_writer_init(&again, EIS_MPC_SESSION_BYTES_MAX);
    assert_int_equal(eis_mpc_session_write(&again, &copy), EIS_OK);
    assert_int_equal(again.bytes, s.document.bytes);
    assert_memory_equal(again.data, s.document.data, again.bytes);
    assert_memory_equal(copy.hash, s.session.hash, sizeof copy.hash);
    eis_mpc_session_clear(&copy);
    bytes = malloc(again.bytes + 1);
    memcpy(bytes, again.data, again.bytes);
    bytes[again.bytes] = 0;
    for (size_t cut = 0; cut < again.bytes; cut++) assert_true(eis_mpc_session_read(&copy, bytes, cut) != EIS_OK);
    assert_true(eis_mpc_session_read(&copy, bytes, again.bytes + 1) != EIS_OK);
    for (size_t i = 0; i < again.bytes; i++) { /* what a flipped byte leaves is refused or can be written again */
        bytes[i] ^= 0xff;
        if (eis_mpc_session_read(&copy, bytes, again.bytes) == EIS_OK) {
            eis_wire_writer_rewind(&again);
            assert_int_equal(eis_mpc_session_write(&again, &copy), EIS_OK);
            assert_int_equal(again.bytes, s.document.bytes);
            assert_memory_equal(again.data, bytes, again.bytes);
            eis_mpc_session_clear(&copy);
        } else {
            refused++;
        }
        bytes[i] ^= 0xff;
    }
    assert_true(refused > again.bytes / 4);
    free(bytes);
    eis_wire_writer_clear(&again);
    mpc_service_close(&s);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_breast_cancer),
        cmocka_unit_test(test_digits_of_two),
        cmocka_unit_test(test_digits_of_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
