/* SPDX-License-Identifier: Apache-2.0 */
/* If a hostile safetensors file got past these checks, reading a weight would read memory that is not the file's. */
#include "unit/model/fixture.h"

#include "model/safetensors.h"

static void values_of_all_types_are_read_at_any_alignment(void **state)
{
    static const char *const types[] = {"F64", "F32", "F16", "BF16"};
    const double values[6] = {0, 1, -2.5, 0.0078125, -65280, 0x1p-14};
    double got[6];
    float got_f32[6];

    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        fixture_tensors *t = fixture_tensors_new();
        eis_safetensors table = {0};
        size_t count;
        memset(t->json, ' ', pad); /* moves the data to every alignment */
        t->json_bytes = pad;
        for (size_t i = 0; i < 4; i++) {
            const size_t before = t->json_bytes;
            fixture_tensor_add(t, types[i], types[i], 2, 3, values);
            if (i == 0 && pad > 0) t->json[before] = ' '; /* no comma before the first member */
        }
        uint8_t *file = fixture_tensors_file(t, &count);
        assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "x.safetensors"), EIS_OK);
        assert_int_equal(table.count, 4);
        for (size_t i = 0; i < 4; i++) {
            eis_tensor_view view;
            assert_int_equal(eis_safetensors_matrix(&view, &table, types[i], 2, 3), EIS_OK);
            eis_tensor_read_f64(got, &view, 0, 2);
            eis_tensor_read_f32(got_f32, &view, 0, 2);
            for (size_t k = 0; k < 6; k++) assert_true(got[k] == values[k] && (double)got_f32[k] == values[k]);
        }
        eis_safetensors_clear(&table);
        free(file);
        free(t);
    }
}

static void shapes_and_names_must_be_those_asked_for(void **state)
{
    const double values[6] = {1, 2, 3, 4, 5, 6};
    fixture_tensors *t = fixture_tensors_new();
    eis_safetensors table = {0};
    eis_tensor_view view;
    size_t count;

    (void)state;
    fixture_tensor_add(t, "m", "F32", 2, 3, values);
    fixture_tensor_add(t, "v", "F32", 0, 6, values);
    uint8_t *file = fixture_tensors_file(t, &count);
    assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "x.safetensors"), EIS_OK);
    assert_int_equal(eis_safetensors_matrix(&view, &table, "m", 3, 2), EIS_ERR_MODEL);
    fixture_assert_said("x.safetensors: tensor m has shape [2, 3], expected [3, 2]");
    assert_int_equal(eis_safetensors_vector(&view, &table, "m", 6), EIS_ERR_MODEL);
    assert_int_equal(eis_safetensors_matrix(&view, &table, "absent", 2, 3), EIS_ERR_MODEL);
    fixture_assert_said("tensor absent is missing");
    assert_int_equal(eis_safetensors_words(&view, &table, "v", 3, 2), EIS_OK);
    assert_int_equal(view.rows, 3);
    assert_int_equal(eis_safetensors_words(&view, &table, "v", 3, 3), EIS_ERR_MODEL);
    /* The same name in a second file: which one would be right? */
    assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "y.safetensors"), EIS_ERR_MODEL);
    fixture_assert_said("both hold tensor");
    assert_int_equal(table.count, 2);
    assert_non_null(eis_safetensors_find(&table, "v"));
    eis_safetensors_clear(&table);
    free(file);
    free(t);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    const double values[4] = {1, 2, 3, 4};
    fixture_tensors *t = fixture_tensors_new();
    size_t count;

    (void)state;
    fixture_tensor_add(t, "a", "F32", 2, 2, values);
    fixture_tensor_add(t, "b", "F16", 0, 4, values);
    uint8_t *file = fixture_tensors_file(t, &count);
    for (size_t cut = 0; cut < count; cut++) {
        eis_safetensors table = {0};
        uint8_t *exact = malloc(cut + 1); /* so that the sanitizer sees a read behind the end */
        assert_non_null(exact);
        memcpy(exact, file, cut);
        exact = realloc(exact, cut > 0 ? cut : 1);
        assert_int_not_equal(eis_safetensors_add(&table, (eis_span){exact, cut}, "cut"), EIS_OK);
        assert_true(table.count == 0 && table.entries == NULL);
        fixture_assert_said("cut");
        free(exact);
    }
    free(file);
    free(t);
}

typedef struct hostile {
    const char *json, *says;
    size_t data_bytes;
} hostile;

static void hostile_tables_are_refused_by_name(void **state)
{
    static const uint8_t data[64];
    static const hostile cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F32\",\"shape\":[4],"
         "\"data_offsets\":[8,24]}}",
         "tensor b overlaps tensor a", 24},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F32\",\"shape\":[4],"
         "\"data_offsets\":[20,36]}}",
         "before tensor b that belong to no tensor", 36},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "at the end belong to no tensor", 17},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "do not lie inside", 15},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}", "do not lie inside", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,18446744073709551615]}}", "do not lie inside",
         16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,16]}}", "do not fit type and shape", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", "overflows", 0},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}",
         "do not fit type and shape", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}", "shape", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}}", "shape", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,16]}}", "shape", 16},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[4],\"data_offsets\":[0,16]}}", "dtype", 16},
        {"{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,16]}}", "dtype", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", "data_offsets", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}", "data_offsets", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":1}}", "more", 16},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"a\":{\"dtype\":\"F32\",\"shape\":[4],"
         "\"data_offsets\":[16,32]}}",
         "a", 32},
        {"{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "unprintable name", 16},
        {"{\"a\\u001bb\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "unprintable name", 16},
        {"{\"\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "name", 16},
        {"{\"a\":[]}", "a", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[NaN],\"data_offsets\":[0,16]}}", "hostile", 16},
        {"[]", "no JSON object", 0},
        {" {}", "no JSON object", 0},
        {"{} x", "hostile", 0},
        {"", "no JSON object", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eis_safetensors table = {0};
        size_t count;
        uint8_t *file = fixture_join(&count, cases[i].json, data, cases[i].data_bytes);
        if (eis_safetensors_add(&table, (eis_span){file, count}, "hostile") == EIS_OK)
            fail_msg("accepted: %s", cases[i].json);
        fixture_assert_said("hostile");
        fixture_assert_said(cases[i].says);
        free(file);
    }
}

static void a_header_length_cannot_lead_outside(void **state)
{
    static const uint64_t lengths[] = {3, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, 0};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        eis_safetensors table = {0};
        uint8_t file[10] = {0};
        eis_store_le64(file, lengths[i]);
        memcpy(file + 8, "{}", 2);
        assert_int_equal(eis_safetensors_add(&table, (eis_span){file, sizeof file}, "long"), EIS_ERR_MODEL);
        fixture_assert_said("long: the header");
    }
}

static void empty_tables_metadata_and_empty_tensors_are_fine(void **state)
{
    static const char json[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},"
        "\"s\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}   ";
    static const uint8_t data[8];
    eis_safetensors table = {0};
    eis_tensor_view view;
    size_t count;
    uint8_t *file = fixture_join(&count, json, data, sizeof data);

    (void)state;
    assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "ok"), EIS_OK);
    assert_int_equal(table.count, 2);
    assert_int_equal(eis_safetensors_find(&table, "s")->count, 1);
    assert_int_equal(eis_safetensors_words(&view, &table, "s", 1, 1), EIS_ERR_MODEL);
    fixture_assert_said("type I64");
    eis_safetensors_clear(&table);
    free(file);
    file = fixture_join(&count, "{}", NULL, 0);
    assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "ok"), EIS_OK);
    assert_null(eis_safetensors_find(&table, "s"));
    eis_safetensors_clear(&table);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_types_are_read_at_any_alignment),
        cmocka_unit_test(shapes_and_names_must_be_those_asked_for),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(hostile_tables_are_refused_by_name),
        cmocka_unit_test(a_header_length_cannot_lead_outside),
        cmocka_unit_test(empty_tables_metadata_and_empty_tensors_are_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
