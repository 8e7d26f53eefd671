/* SPDX-License-Identifier: Apache-2.0 */
/* Fourth act: one digit through ciphertexts, by one server, which is a process of its own and holds no key that
 * decrypts. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/demo.h"
#include "cli/he_report.h"
#include "cli/models_dir.h"
#include "model/classifier.h"
#include "model/input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE "samples/3.pgm" /* beside the model of the third act */

typedef struct act {
    eis_model *model;
    eis_inputs input;
    eis_cli_backend plain;
    eis_he_session *he;
    double *right, *private;
    size_t classes;
    uint64_t opened_ns, open_ms, answer_ms;
} act;

static eis_status open_act(act *a, eis_cli_demo *demo)
{
    const eis_cli_split plain = {.engine = EIS_ENGINE_PLAIN};
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES], digits[EIS_CLI_PATH_BYTES], sample[EIS_CLI_PATH_BYTES];
    eis_he_session_wish wish = {.model_path = path, .threads = demo->common.threads, .cancel = eis_cli_cancel()};

    EIS_TRY(eis_cli_models_find(path, EIS_CLI_DEMO_CIPHERTEXT));
    EIS_TRY(eis_cli_models_find(digits, EIS_CLI_DEMO_DIGITS));
    EIS_REQUIRE(snprintf(sample, sizeof sample, "%s/" SAMPLE, digits) < (int)sizeof sample, EIS_ERR_FILE,
                "%s: the path is too long", digits);
    EIS_TRY(eis_model_open(&a->model, path, NULL));
    EIS_REQUIRE(a->model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "%s is no classifier", path);
    EIS_TRY(eis_inputs_read(&a->input, sample, 1, NULL));
    EIS_REQUIRE(a->input.count == 1 && a->input.elements == eis_classifier_input_count(a->model), EIS_ERR_SHAPE,
                "%s has not the model's size", sample);
    a->classes = a->model->classifier.class_count;
    EIS_NEW(a->right, a->classes);
    EIS_NEW(a->private, a->classes);
    EIS_TRY(eis_cli_backend_open(&a->plain, &plain, &demo->common, a->model, path, NULL, NULL, 0));
    a->opened_ns = eis_clock_ns();
    EIS_TRY(eis_he_session_open(&a->he, &wish));
    a->open_ms = (eis_clock_ns() - a->opened_ns) / 1000000;
out:
    return st;
}

static void show(eis_cli_demo *demo, const act *a)
{
    uint32_t private = eis_classifier_best(a->model, a->private), right = eis_classifier_best(a->model, a->right);
    char name[16];
    double error = 0;

    for (size_t i = 0; i < a->classes; i++) error = fmax(error, fabs(a->private[i] - a->right[i]));
    eis_cli_demo_draw(a->input.x, a->model->classifier.width, a->model->classifier.height);
    printf("  private  %s\n", eis_classifier_class_name(a->model, private, name));
    printf("  plain    %s\n", eis_classifier_class_name(a->model, right, name));
    printf("  scores differ by %.1e at most; the answer took %llu ms, keys and start of the server %llu ms\n", error,
           (unsigned long long)a->answer_ms, (unsigned long long)a->open_ms);
    eis_cli_he_report_print(stdout, a->he, a->answer_ms * 1000000);
    eis_cli_demo_compare(demo, private == right, "equal");
}

eis_status eis_cli_demo_ciphertext(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    act a = {0};
    uint64_t begin;

    printf("4  A digit by " EIS_CLI_DEMO_CIPHERTEXT ", through ciphertexts, on one server\n\n");
    EIS_TRY(open_act(&a, demo));
    EIS_TRY(eis_cli_backend_classify(&a.plain, a.right, NULL, a.input.x, 1, NULL));
    begin = eis_clock_ns();
    EIS_TRY(eis_he_session_classify(a.he, a.private, a.model, a.input.x, 1, NULL));
    a.answer_ms = (eis_clock_ns() - begin) / 1000000;
    show(demo, &a);
out:
    eis_he_session_close(a.he);
    eis_cli_backend_close(&a.plain);
    eis_inputs_clear(&a.input);
    eis_mem_free(a.right);
    eis_mem_free(a.private);
    eis_model_free(a.model);
    return st;
}
