/* SPDX-License-Identifier: Apache-2.0 */
/* A client packs, clamps and reads by what an entry says, so each number must come through as it was; and what a server
 * makes up must not get further than the reader. */
#include "service/he_contract_json.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Two stages: windows over an image whose answer is pooled and cut off at zero, then rows. */
static void make_contract(eis_he_contract *c, eis_he_info *info)
{
    memset(c, 0, sizeof *c);
    memset(info, 0, sizeof *info);
    assert_int_equal(eis_he_chain_find(&c->literal, "A"), EIS_OK);
    snprintf(c->chain, sizeof c->chain, "A");
    c->depth = 1;
    c->batch_max = 1;
    c->interactive = true;
    c->stage_count = 2;
    c->needs_relin = true;
    c->element_count = 2;
    c->element[0] = 3;
    c->element[1] = 16383;
    c->has_levels = true;
    c->relin_limbs = 3;
    c->element_limbs[0] = 1;
    c->element_limbs[1] = 2;
    c->calibrated = true;
    c->input_max = 2.8250000000000002;
    c->stage[0] = (eis_he_stage){.input = {.kind = EIS_HE_WINDOWS,
                                           .size = 32,
                                           .padded = 16,
                                           .copies = 1,
                                           .ciphertexts = 1,
                                           .channels = 2,
                                           .height = 4,
                                           .width = 4,
                                           .kernel_height = 3,
                                           .kernel_width = 3,
                                           .stride_y = 1,
                                           .stride_x = 1,
                                           .pad_y = 1,
                                           .pad_x = 1,
                                           .limbs = 3,
                                           .scale = 0x1p40},
                                 .output = {.count = 48,
                                            .per_ciphertext = 48,
                                            .ciphertexts = 1,
                                            .start = 0,
                                            .stride = 1,
                                            .polys = 2,
                                            .limbs = 1,
                                            .scale = 0x1.8p39,
                                            .error = 1e-7},
                                 .input_max = 0.1,
                                 .local_count = 2,
                                 .local = {{.op = EIS_STEP_MAX_POOL,
                                            .channels = 3,
                                            .height = 4,
                                            .width = 4,
                                            .kernel_height = 2,
                                            .kernel_width = 2,
                                            .stride_y = 2,
                                            .stride_x = 2},
                                           {.op = EIS_STEP_POLYNOMIAL,
                                            .channels = 12,
                                            .height = 1,
                                            .width = 1,
                                            .coeff_count = 3,
                                            .coeff = {0.1, -1.5, 1e-9}}}};
    c->stage[1] = (eis_he_stage){
        .input =
            {.kind = EIS_HE_ROWS, .size = 12, .padded = 16, .copies = 4, .ciphertexts = 1, .limbs = 2, .scale = 0x1p40},
        .output = {.count = 2,
                   .per_ciphertext = 2,
                   .ciphertexts = 1,
                   .start = 4095,
                   .stride = -16,
                   .polys = 3,
                   .limbs = 1,
                   .scale = 0x1p40}};
    snprintf(info->model_id, sizeof info->model_id, "m");
    snprintf(info->version, sizeof info->version, "1.0.0");
    snprintf(info->description, sizeof info->description, "a \"model\" of \xc3\xa4 test");
    snprintf(info->activation, sizeof info->activation, "network");
    snprintf(info->activation_kind, sizeof info->activation_kind, "none");
    info->input_dimension = 32;
    info->output_dimension = 2;
    info->coefficients[1] = 1;
    info->depth_published = 1;
    info->batch_published = 1;
    info->channels = 2, info->height = 4, info->width = 4;
    info->divide = 255;
    info->mean = eis_mem_new(2, sizeof *info->mean);
    info->deviation = eis_mem_new(1, sizeof *info->deviation);
    info->labels = eis_mem_new(2, sizeof *info->labels);
    assert_non_null(info->mean), assert_non_null(info->deviation), assert_non_null(info->labels);
    info->mean[0] = 0.1307, info->mean[1] = -1;
    info->deviation[0] = 0.3081;
    info->mean_count = 2, info->deviation_count = 1, info->label_count = 2;
    memcpy(info->labels[0], "no", 3);
    memcpy(info->labels[1], "yes", 4);
    info->request_bytes_max = 12345;
    info->keys_bytes_max = 67890;
}

static void write_entry(eis_writer *text, const eis_he_contract *c, const eis_he_info *info)
{
    const eis_ckks_params *params;
    eis_json_writer w;

    assert_int_equal(eis_ckks_params_new(&params, &c->literal), EIS_OK);
    eis_wire_writer_init(text, 1 << 20);
    eis_json_writer_to_buffer(&w, text);
    eis_he_contract_write(&w, c, params, info);
    assert_int_equal(eis_json_writer_status(&w), EIS_OK);
    eis_wire_writer_u8(text, 0);
    eis_ckks_params_free(params);
}

static eis_status read_entry(eis_he_contract *c, eis_he_info *info, const char *text)
{
    eis_json_doc *doc = NULL;
    eis_status st;

    assert_int_equal(eis_json_parse(&doc, "entry", text, strlen(text), 1 << 20), EIS_OK);
    st = eis_he_contract_read(c, info, eis_json_root(doc));
    eis_json_free(doc);
    return st;
}

static void every_number_comes_through(void **state)
{
    eis_he_contract *made = eis_mem_new(1, sizeof *made), *read = eis_mem_new(1, sizeof *read);
    eis_he_info info, again;
    eis_writer text;

    (void)state;
    assert_non_null(made), assert_non_null(read);
    make_contract(made, &info);
    write_entry(&text, made, &info);
    if (read_entry(read, &again, (const char *)text.data) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_memory_equal(read->stage, made->stage, sizeof made->stage);
    assert_memory_equal(read->element, made->element, sizeof made->element);
    assert_true(read->has_levels);
    assert_int_equal(read->relin_limbs, 3);
    assert_memory_equal(read->element_limbs, made->element_limbs, sizeof made->element_limbs);
    assert_string_equal(read->chain, "A");
    assert_true(read->interactive && read->needs_relin && !read->needs_public && read->calibrated);
    assert_true(read->input_max == made->input_max);
    assert_int_equal(read->depth, 1);
    assert_int_equal(read->literal.prime_count, 4);
    assert_true(read->literal.primes[0] > 1 && read->literal.scale == made->literal.scale);
    assert_string_equal(again.description, info.description);
    assert_int_equal(again.mean_count, 2);
    assert_memory_equal(again.mean, info.mean, 2 * sizeof *info.mean);
    assert_string_equal(again.labels[1], "yes");
    assert_int_equal(again.keys_bytes_max, 67890);
    eis_he_info_clear(&again);
    eis_he_info_clear(&info);
    eis_wire_writer_clear(&text);
    eis_mem_free(made);
    eis_mem_free(read);
}

/* An entry with one piece of text replaced. */
static void what_a_server_makes_up_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"\"CKKS\"", "\"BFV\""},
        {"\"poly_modulus_degree\":8192", "\"poly_modulus_degree\":1e9"},
        {"\"poly_modulus_degree\":8192", "\"poly_modulus_degree\":4294967295"},
        {"\"coeff_modulus\":[\"", "\"coeff_modulus\":[\"-"},
        {"\"shape\":[2,4,4]", "\"shape\":[2,4,5]"},
        {"\"shape\":[2,4,4]", "\"shape\":[65536,65536,2]"},
        {"\"mean\":[", "\"mean\":[1,"},
        {"\"std\":[", "\"std\":[-1,"},
        {"\"kind\":\"windows\"", "\"kind\":\"doors\""},
        {"\"size\":32", "\"size\":4294967296"},
        {"\"ciphertexts\":1", "\"ciphertexts\":4000000000"},
        {"\"stride\":[1,1]", "\"stride\":[0,1]"},
        {"\"op\":\"max_pool\"", "\"op\":\"exec\""},
        {"\"galois_elements\":[3,", "\"galois_elements\":[4,"},
        {"\"labels\":[\"no\"", "\"labels\":[\"\\u001b[2J\""},
        {"\"interactive\":true", "\"interactive\":\"yes\""},
    };
    eis_he_contract *made = eis_mem_new(1, sizeof *made), *read = eis_mem_new(1, sizeof *read);
    char changed[16384];
    eis_he_info info, again;
    eis_writer text;

    (void)state;
    assert_non_null(made), assert_non_null(read);
    make_contract(made, &info);
    write_entry(&text, made, &info);
    if (read_entry(read, &again, (const char *)text.data) != EIS_OK) fail_msg("%s", eis_error_detail());
    eis_he_info_clear(&again);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *whole = (const char *)text.data, *at = strstr(whole, cases[i].from);

        if (at == NULL) fail_msg("%s is not in %s", cases[i].from, whole);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - whole), whole, cases[i].to,
                 at + strlen(cases[i].from));
        if (read_entry(read, &again, changed) != EIS_ERR_PROTOCOL) fail_msg("%s was taken", cases[i].to);
        assert_null(again.mean);
    }
    eis_he_info_clear(&info);
    eis_wire_writer_clear(&text);
    eis_mem_free(made);
    eis_mem_free(read);
}

/* The original says nothing about stages. */
static void an_entry_of_the_original_is_understood(void **state)
{
    static const char text[] =
        "{\"model_id\":\"logistic_v1\",\"version\":\"1.0.0\",\"description\":\"d\",\"he_scheme\":\"CKKS\","
        "\"encryption_parameters\":{\"poly_modulus_degree\":16384,\"scale\":1073741824.0,\"coeff_modulus_bits\":[60,30,"
        "30,60],\"max_multiplicative_depth\":2},\"inference\":{\"input_dimension\":8,\"output_dimension\":1,"
        "\"activation\":\"polynomial_sigmoid_v1\"},\"parameters\":{\"weights\":[1,2],\"bias\":-0.02},"
        "\"activation_parameters\":{\"kind\":\"k\",\"coefficients\":[0.5,0.197,0.0]},\"constraints\":{"
        "\"max_batch_size\":16384}}";
    eis_he_contract *read = eis_mem_new(1, sizeof *read);
    eis_he_info info;

    (void)state;
    assert_non_null(read);
    if (read_entry(read, &info, text) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(read->stage_count, 1);
    assert_int_equal(read->stage[0].input.kind, EIS_HE_FEATURES);
    assert_int_equal(read->stage[0].input.limbs, 3);
    assert_int_equal(read->stage[0].output.limbs, 1);
    assert_int_equal(read->batch_max, 8192); /* a sample needs a slot, whatever the server says */
    assert_int_equal(info.batch_published, 16384);
    assert_int_equal(info.weight_count, 2);
    assert_int_equal(read->literal.policy, EIS_CKKS_POLICY_2018_128);
    eis_he_info_clear(&info);
    eis_mem_free(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_comes_through),
        cmocka_unit_test(what_a_server_makes_up_is_refused),
        cmocka_unit_test(an_entry_of_the_original_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
