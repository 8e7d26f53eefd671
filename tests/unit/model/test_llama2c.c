/* SPDX-License-Identifier: Apache-2.0 */
/* A llama2.c file has no names and no table: if one tensor were taken from the wrong place, the model would talk
 * nonsense without any error. */
#include "unit/model/greedy.h"
#include "unit/model/made_lm.h"

#include "model/llama2c.h"
#include "wire/json.h"

/* A margin is a difference of two logits; the published ones come from a float32 run. */
#define MARGIN_TOLERANCE 1e-4

static void the_published_text_comes_out_id_by_id(void **state)
{
    char path[512];
    size_t count, n = 0, k = 0;
    eis_model *model;
    eis_json_doc *doc;
    eis_json_value ids, margins, value;
    uint32_t got[257] = {1};
    double got_margins[256];

    (void)state;
    fixture_shared(path, "lm/stories260K/tokens_greedy_256.json");
    uint8_t *text = fixture_read(path, &count);
    assert_int_equal(eis_json_parse(&doc, path, text, count, 1 << 20), EIS_OK);
    fixture_shared(path, "lm/stories260K/stories260K.bin");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    assert_true(model->lm.bos_id == 1 && model->lm.stop_count == 2 && model->lm.head_tied);
    assert_true(model->linear_count == 21 && model->lm.rope == EIS_ROPE_PAIRS);
    greedy_text(model, got, 1, 257, got_margins);
    assert_true(eis_json_find(&ids, eis_json_root(doc), "greedy_tokens_from_bos"));
    assert_int_equal(eis_json_length(ids), 257);
    eis_json_iter it = eis_json_iterate(ids);
    for (uint64_t id; eis_json_next_element(&it, &value); n++) {
        assert_true(eis_json_u64(&id, value));
        assert_int_equal(got[n], id);
    }
    assert_true(eis_json_find(&margins, eis_json_root(doc), "top1_top2_margin"));
    assert_int_equal(eis_json_length(margins), 256);
    it = eis_json_iterate(margins);
    for (double margin; eis_json_next_element(&it, &value); k++) {
        assert_true(eis_json_double(&margin, value));
        if (!(fabs(margin - got_margins[k]) < MARGIN_TOLERANCE))
            fail_msg("margin %zu: %g, published %g", k, got_margins[k], margin);
    }
    eis_model_free(model);
    eis_json_free(doc);
    free(text);
}

static eis_status load(eis_model **model, const uint8_t *file, size_t count)
{
    eis_status st;

    assert_int_equal(eis_model_new(model, EIS_MODEL_LM), EIS_OK);
    st = eis_llama2c_load(*model, (eis_span){file, count}, "made.bin");
    if (st != EIS_OK) {
        eis_model_free(*model);
        *model = NULL;
    }
    return st;
}

static void a_made_model_equals_a_second_computation(void **state)
{
    static const uint32_t ids[5] = {1, 20, 28, 0, 7};
    double logits[64], expected[64];

    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        made_lm *m = made_lm_new(false, tied != 0, false, true);
        eis_model *model;
        eis_plain_backend *plain;
        eis_lm_session *session;
        size_t count;
        uint8_t *file = made_llama2c(m, &count);
        assert_int_equal(load(&model, file, count), EIS_OK);
        assert_int_equal(model->lm.head_tied, tied);
        assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
        assert_int_equal(eis_lm_session_new(&session, model, 0), EIS_OK);
        const eis_linear_backend backend = eis_plain_backend_seam(plain);
        assert_int_equal(eis_lm_feed(session, logits, &backend, ids, 5), EIS_OK);
        made_forward(m, expected, ids, 5);
        for (size_t i = 0; i < m->vocabulary; i++)
            assert_true(fabs(logits[i] - expected[i]) < 1e-11 * (1 + fabs(expected[i])));
        eis_lm_session_free(session);
        eis_plain_backend_free(plain);
        eis_model_free(model);
        free(file);
        free(m);
    }
}

static void the_length_must_fit_exactly(void **state)
{
    made_lm *m = made_lm_new(false, true, false, true);
    eis_model *model;
    size_t count;
    uint8_t *file = made_llama2c(m, &count), *longer = malloc(count + 4);

    (void)state;
    assert_non_null(longer);
    memcpy(longer, file, count);
    memset(longer + count, 0, 4);
    assert_int_equal(load(&model, longer, count + 4), EIS_ERR_MODEL);
    assert_int_equal(load(&model, longer, count + 1), EIS_ERR_MODEL);
    fixture_assert_said("made.bin: has");
    for (size_t cut = 0; cut < count; cut += cut < 64 ? 1 : 101)
        assert_int_equal(load(&model, file, cut), EIS_ERR_MODEL);
    assert_int_equal(load(&model, file, 27), EIS_ERR_MODEL);
    fixture_assert_said("too short");
    free(longer);
    free(file);
    free(m);
}

static void impossible_dimensions_are_refused(void **state)
{
    static const int32_t words[] = {0, -1, INT32_MIN, INT32_MAX, 1 << 24, 5, 7};
    made_lm *m = made_lm_new(false, true, false, true);
    size_t count;
    uint8_t *file = made_llama2c(m, &count);

    (void)state;
    for (int at = 0; at < 7; at++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            eis_model *model;
            const uint32_t old = eis_load_le32(file + 4 * at);
            eis_store_le32(file + 4 * at, (uint32_t)words[i]);
            assert_int_equal(load(&model, file, count), EIS_ERR_MODEL);
            fixture_assert_said("made.bin");
            eis_store_le32(file + 4 * at, old);
        }
    free(file);
    free(m);
}

static void a_norm_that_is_not_finite_is_named(void **state)
{
    made_lm *m = made_lm_new(false, true, false, true);
    eis_model *model;
    size_t count;
    uint8_t *file = made_llama2c(m, &count);

    (void)state;
    eis_store_le32(file + 28 + 4 * (m->vocabulary * m->dim + m->dim + 3), 0x7fc00000); /* layer 1, entry 3 */
    assert_int_equal(load(&model, file, count), EIS_ERR_MODEL);
    fixture_assert_said("attention norm 1 has an entry that is not finite");
    free(file);
    free(m);
}

static void other_files_are_told_apart(void **state)
{
    static const char *const names[] = {"pack", "text", "empty", NULL};
    char directory[256], path[512];
    uint8_t pack[4096] = "EISPACK1";
    eis_model *model = NULL;

    (void)state;
    fixture_directory(directory);
    fixture_write(directory, "pack", pack, sizeof pack);
    fixture_write_text(directory, "text", "{\"this\": \"is no model, although it is long enough for a header\"}");
    fixture_write(directory, "empty", "", 0);
    fixture_path(path, directory, "pack");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_ERR_MODEL);
    fixture_assert_said("pack of a server");
    fixture_path(path, directory, "text");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_ERR_MODEL);
    fixture_path(path, directory, "empty");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_ERR_MODEL);
    fixture_path(path, directory, "absent");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_ERR_FILE);
    fixture_assert_said("absent");
    assert_int_equal(eis_model_open(&model, directory, NULL), EIS_ERR_FILE);
    fixture_assert_said("neither config.json");
    assert_null(model);
    fixture_remove(directory, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_text_comes_out_id_by_id),
        cmocka_unit_test(a_made_model_equals_a_second_computation),
        cmocka_unit_test(the_length_must_fit_exactly),
        cmocka_unit_test(impossible_dimensions_are_refused),
        cmocka_unit_test(a_norm_that_is_not_finite_is_named),
        cmocka_unit_test(other_files_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
