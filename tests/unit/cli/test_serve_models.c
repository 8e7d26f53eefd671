/* SPDX-License-Identifier: Apache-2.0 */
/* [NAME=]PATH: a name that is cut differently from what the operator meant would offer one model under another's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/legacy_layer.h"
#include "service/served_models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void names_and_paths(void **state)
{
    static const struct {
        const char *text, *name, *path; /* name NULL: refused */
    } cases[] = {
        {"models/digits", "digits", "models/digits"},
        {"models/digits/", "digits", "models/digits/"},
        {"server.eispack", "server", "server.eispack"},
        {"/a/b/gpt2.eispack", "gpt2", "/a/b/gpt2.eispack"},
        {"x=models/digits", "x", "models/digits"},
        {"a.b_c-9=p", "a.b_c-9", "p"},
        {"./a=b", NULL, NULL}, /* a path with '=' in it, whose last part is no name */
        {"n=./a=b", "n", "./a=b"},
        {"stories260K.bin", "stories260K.bin", "stories260K.bin"},
        {".eispack", ".eispack", ".eispack"},
        {"=p", NULL, NULL},
        {"x=", NULL, NULL},
        {"", NULL, NULL},
        {"/", NULL, NULL},
        {"two words", NULL, NULL},
        {"a b=p", NULL, NULL},
        {"\"=p", NULL, NULL},
    };
    eis_served_request request;
    char longest[EIS_SPLIT_MODEL_BYTES_MAX + 4];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        eis_status st = eis_served_parse(&request, cases[i].text);
        assert_int_equal(st, cases[i].name != NULL ? EIS_OK : EIS_ERR_USAGE);
        if (cases[i].name == NULL) continue;
        assert_string_equal(request.name, cases[i].name);
        assert_string_equal(request.path, cases[i].path);
    }
    memset(longest, 'n', sizeof longest);
    memcpy(longest + EIS_SPLIT_MODEL_BYTES_MAX, "=p", 3);
    assert_int_equal(eis_served_parse(&request, longest), EIS_OK);
    memcpy(longest + EIS_SPLIT_MODEL_BYTES_MAX, "n=p", 4);
    assert_int_equal(eis_served_parse(&request, longest), EIS_ERR_USAGE);
}

/* A packed layer turned back into floats is the layer, to the seven digits of 24-bit weights. */
static void floats_of_a_pack(void **state)
{
    eis_cli_legacy demo;
    eis_model *model = NULL;
    eis_served served = {0};
    eis_legacy_layer layer = {0};
    float *weights = NULL;

    (void)state;
    assert_int_equal(setenv("EIS_D_IN", "37", 1), 0);
    assert_int_equal(eis_cli_legacy_init(&demo), EIS_OK);
    assert_int_equal(eis_cli_legacy_model(&model, &demo), EIS_OK);
    assert_int_equal(eis_served_add_model(&served, "one", model, EIS_SPLIT_P24, NULL), EIS_OK);
    assert_int_equal(eis_served_as_floats(&layer, &weights, &served), EIS_OK);
    assert_int_equal(layer.inputs, 37);
    assert_int_equal(layer.outputs, 10);
    for (size_t i = 0; i < 370; i++) assert_true(fabs((double)(layer.weights[i] - demo.weights[i])) < 1e-7);
    assert_int_equal(eis_served_add_model(&served, "two", model, EIS_SPLIT_P8, NULL), EIS_OK);
    eis_mem_free(weights);
    weights = NULL;
    assert_int_equal(eis_served_as_floats(&layer, &weights, &served), EIS_ERR_USAGE);
    assert_null(weights);
    eis_served_clear(&served);
    eis_model_free(model);
    eis_cli_legacy_clear(&demo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_and_paths), cmocka_unit_test(floats_of_a_pack)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
