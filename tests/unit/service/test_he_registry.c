/* SPDX-License-Identifier: Apache-2.0 */
/* A registry with one wrong entry must not start a server, and whoever wrote it must be told where to look. */
#include "service/he_registry.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOOD                                                                                                         \
    "{\"model_id\":\"m\",\"version\":\"1\",\"description\":\"d\",\"he_scheme\":\"CKKS\",\"encryption_parameters\":{" \
    "\"poly_modulus_degree\":8192,\"scale\":1099511627776.0,\"coeff_modulus_bits\":[50,40,40,50],"                   \
    "\"max_multiplicative_depth\":2},\"inference\":{\"input_dimension\":2,\"output_dimension\":1,"                   \
    "\"activation\":\"polynomial_sigmoid_v1\"},\"parameters\":{\"weights\":[0.5,-0.25],\"bias\":0.125},"             \
    "\"activation_parameters\":{\"kind\":\"k\",\"coefficients\":[0.5,0.25,0]},\"constraints\":{"                     \
    "\"max_batch_size\":16}}"

/* GOOD with one piece of text replaced. The caller frees it. */
static char *with(const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);
    char *text = eis_mem_new(sizeof GOOD + 256, 1);

    assert_non_null(at);
    assert_non_null(text);
    snprintf(text, sizeof GOOD + 256, "%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
    return text;
}

static eis_status add(eis_he_registry *registry, const char *text)
{
    const eis_he_registry_options options = {0};

    return eis_he_registry_add_entry(registry, "registry/m.json", (eis_span){(const uint8_t *)text, strlen(text)}, ".",
                                     &options);
}

static void a_published_entry_is_planned(void **state)
{
    eis_he_registry registry = {0};
    const eis_he_served *served;

    (void)state;
    if (add(&registry, GOOD) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_he_registry_find(&served, &registry, "m", "1"), EIS_OK);
    assert_true(served->any_scale);
    assert_int_equal(served->inputs_max, 2);
    assert_int_equal(served->plan->contract.batch_max, 16);
    assert_false(served->publish);
    assert_int_equal(eis_he_registry_find(&served, &registry, "m", "2"), EIS_ERR_MODEL_NOT_FOUND);
    assert_int_equal(eis_he_registry_inputs_max(&registry), 2);
    /* The same name and version again. */
    assert_int_equal(add(&registry, GOOD), EIS_ERR_MODEL);
    assert_non_null(strstr(eis_error_detail(), "registry/m.json: semantics: model_id and version occur twice"));
    assert_int_equal(registry.count, 1);
    eis_he_registry_clear(&registry);
}

static void faults_name_file_category_and_member(void **state)
{
    static const struct {
        const char *from, *to, *category, *member;
    } cases[] = {
        {"\"model_id\":\"m\"", "\"model_id\":\"\"", "schema", "model_id"},
        {"\"model_id\":\"m\"", "\"model_id\":\"a/b\"", "schema", "model_id"},
        {"\"version\":\"1\",", "", "schema", "version"},
        {"\"CKKS\"", "\"BFV\"", "schema", "he_scheme"},
        {"\"description\":\"d\"", "\"description\":\"d\",\"extra\":1", "schema", "extra"},
        {"8192", "8192.5", "schema", "poly_modulus_degree"},
        {"8192", "8191", "semantics", "poly_modulus_degree"},
        {"1099511627776.0", "0", "semantics", "scale"},
        {"[50,40,40,50]", "[50]", "schema", "coeff_modulus_bits"},
        {"[50,40,40,50]", "[50,40,40,61]", "schema", "coeff_modulus_bits"},
        {"\"max_multiplicative_depth\":2", "\"max_multiplicative_depth\":4", "semantics", "max_multiplicative_depth"},
        {"\"max_multiplicative_depth\":2", "\"max_multiplicative_depth\":0", "semantics", "max_multiplicative_depth"},
        {"\"input_dimension\":2", "\"input_dimension\":3", "semantics", "weights"},
        {"\"output_dimension\":1", "\"output_dimension\":2", "semantics", "output_dimension"},
        {"polynomial_sigmoid_v1", "relu", "schema", "activation"},
        {"[0.5,0.25,0]", "[0.5,0.25]", "schema", "coefficients"},
        {"\"max_batch_size\":16", "\"max_batch_size\":4097", "semantics", "max_batch_size"},
        {"\"max_batch_size\":16", "\"max_batch_size\":0", "schema", "max_batch_size"},
        {"{\"model_id\"", "{\"model_id\":\"n\",\"model_id\"", "schema", "model_id"},
    };
    eis_he_registry registry = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = with(cases[i].from, cases[i].to);

        assert_int_equal(add(&registry, text), EIS_ERR_MODEL);
        char in_front[64];

        /* File, kind of fault, member, in this order. */
        snprintf(in_front, sizeof in_front, "registry/m.json: %s: ", cases[i].category);
        if (strncmp(eis_error_detail(), in_front, strlen(in_front)) != 0 ||
            strstr(eis_error_detail() + strlen(in_front), cases[i].member) == NULL)
            fail_msg("%s, %s is not said: %s", cases[i].category, cases[i].member, eis_error_detail());
        eis_mem_free(text);
    }
    assert_int_equal(registry.count, 0);
    eis_he_registry_clear(&registry);
}

static void parameters_below_the_policy_are_refused(void **state)
{
    char *text = with("[50,40,40,50]", "[60,60,60,60]");
    eis_he_registry registry = {0};

    (void)state;
    assert_int_equal(add(&registry, text), EIS_ERR_POLICY);
    assert_non_null(strstr(eis_error_detail(), "registry/m.json: semantics: encryption_parameters: "));
    eis_mem_free(text);
    eis_he_registry_clear(&registry);
}

static void a_wrong_digest_of_weights_is_refused(void **state)
{
    static const char entry[] = "{\"model_id\":\"m\",\"version\":\"1\",\"description\":\"d\",\"he_scheme\":\"CKKS\","
                                "\"model\":\"%s/models/breast-cancer\",\"weights_sha256\":\"%064d\"}";
    const char *root = getenv("EIS_TEST_ROOT");
    eis_he_registry registry = {0};
    char text[1024];

    (void)state;
    snprintf(text, sizeof text, entry, root != NULL ? root : ".", 0);
    assert_int_equal(add(&registry, text), EIS_ERR_MODEL);
    assert_non_null(strstr(eis_error_detail(), "registry/m.json: semantics: weights_sha256"));
    eis_he_registry_clear(&registry);
}

static void models_that_cannot_be_served_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"models/digits", "\"interactive\": true"}, /* ReLU: refused with an offer */
        {"models/tiny-stories", "no classifier"},
        {"models/nowhere", "No such file"},
    };
    static const char entry[] = "{\"model_id\":\"m\",\"version\":\"1\",\"description\":\"d\",\"he_scheme\":\"CKKS\","
                                "\"model\":\"%s/%s\"}";
    const char *root = getenv("EIS_TEST_ROOT");
    eis_he_registry registry = {0};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, entry, root != NULL ? root : ".", cases[i][0]);
        assert_int_equal(add(&registry, text), i < 2 ? EIS_ERR_MODEL : EIS_ERR_FILE);
        if (strstr(eis_error_detail(), "registry/m.json: semantics: ") == NULL ||
            strstr(eis_error_detail(), "model") == NULL || strstr(eis_error_detail(), cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], eis_error_detail());
    }
    eis_he_registry_clear(&registry);
}

static void the_models_of_the_project_load(void **state)
{
    const eis_he_registry_options options = {.publish_weights = true};
    const char *root = getenv("EIS_TEST_ROOT");
    eis_he_registry registry;
    const eis_he_served *served;
    char path[1024];

    (void)state;
    snprintf(path, sizeof path, "%s/models/registry", root != NULL ? root : ".");
    if (eis_he_registry_open(&registry, path, &options) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(registry.count, 4);
    assert_int_equal(eis_he_registry_find(&served, &registry, "logistic_v1", "1.0.0"), EIS_OK);
    assert_true(served->publish);
    assert_int_equal(eis_he_registry_find(&served, &registry, "digits-square", "1.0.0"), EIS_OK);
    assert_false(served->publish);
    assert_false(served->any_scale);
    assert_int_equal(served->info.label_count, 10);
    eis_he_registry_clear(&registry);
}

static void an_empty_or_missing_directory_is_refused(void **state)
{
    const eis_he_registry_options options = {0};
    char path[] = "/tmp/eis-test-registry-XXXXXX";
    eis_he_registry registry;

    (void)state;
    assert_non_null(mkdtemp(path));
    assert_int_equal(eis_he_registry_open(&registry, path, &options), EIS_ERR_MODEL);
    assert_int_equal(remove(path), 0);
    assert_int_equal(eis_he_registry_open(&registry, path, &options), EIS_ERR_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_entry_is_planned),
        cmocka_unit_test(faults_name_file_category_and_member),
        cmocka_unit_test(parameters_below_the_policy_are_refused),
        cmocka_unit_test(a_wrong_digest_of_weights_is_refused),
        cmocka_unit_test(models_that_cannot_be_served_are_named),
        cmocka_unit_test(the_models_of_the_project_load),
        cmocka_unit_test(an_empty_or_missing_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
