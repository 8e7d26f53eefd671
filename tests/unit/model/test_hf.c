/* SPDX-License-Identifier: Apache-2.0 */
/* If a member of config.json that changes the computation were ignored, a user's model would answer wrongly and nobody
 * would know why. */
#include "unit/model/greedy.h"
#include "unit/model/made_lm.h"

#include "model/hf.h"
#include "wire/json.h"

/* --- published models -------------------------------------------------------------------------------------------- */

static void the_repacked_model_gives_the_published_ids(void **state)
{
    char path[512];
    size_t count, n = 0;
    eis_model *model;
    eis_json_doc *doc;
    eis_json_value ids, value;
    uint32_t got[257] = {1};

    (void)state;
    fixture_shared(path, "lm/stories260K/tokens_greedy_256.json");
    uint8_t *text = fixture_read(path, &count);
    assert_int_equal(eis_json_parse(&doc, path, text, count, 1 << 20), EIS_OK);
    fixture_shared(path, "lm/stories260K-hf");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    assert_true(model->lm.bos_id == 1 && model->lm.stop_count == 1 && model->lm.stop_ids[0] == 2);
    greedy_text(model, got, 1, 257, NULL);
    assert_true(eis_json_find(&ids, eis_json_root(doc), "greedy_tokens_from_bos"));
    eis_json_iter it = eis_json_iterate(ids);
    for (uint64_t id; eis_json_next_element(&it, &value); n++) {
        assert_true(eis_json_u64(&id, value));
        assert_int_equal(got[n], id);
    }
    assert_int_equal(n, 257);
    eis_model_free(model);
    eis_json_free(doc);
    free(text);
}

static size_t read_ids(uint32_t *out, eis_json_value object, const char *name)
{
    eis_json_value array, value;
    size_t n = 0;

    assert_true(eis_json_find(&array, object, name));
    eis_json_iter it = eis_json_iterate(array);
    for (uint64_t id; eis_json_next_element(&it, &value); n++) {
        assert_true(n < 64 && eis_json_u64(&id, value));
        out[n] = (uint32_t)id;
    }
    return n;
}

static void the_published_sequences_of_gpt2_come_out(void **state)
{
    char path[512];
    size_t count, sequences = 0;
    eis_model *model;
    eis_json_doc *doc;
    eis_json_value greedy, one;

    (void)state;
    fixture_shared(path, "lm/tiny-random-gpt2/golden.json");
    uint8_t *text = fixture_read(path, &count);
    assert_int_equal(eis_json_parse(&doc, path, text, count, 1 << 20), EIS_OK);
    fixture_shared(path, "lm/tiny-random-gpt2");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    assert_true(model->lm.bos_id == 98 && model->lm.stop_count == 1 && model->lm.stop_ids[0] == 98);
    assert_true(eis_json_find(&greedy, eis_json_root(doc), "greedy"));
    eis_json_iter it = eis_json_iterate(greedy);
    for (; eis_json_next_element(&it, &one); sequences++) {
        uint32_t got[64], expected[64];
        const size_t prompt = read_ids(got, one, "prompt"), total = read_ids(expected, one, "expected");
        greedy_text(model, got, prompt, total, NULL);
        for (size_t i = 0; i < total; i++) assert_int_equal(got[i], expected[i]);
    }
    assert_int_equal(sequences, 2);
    eis_model_free(model);
    eis_json_free(doc);
    free(text);
}

/* --- made models ------------------------------------------------------------------------------------------------- */

static void assert_computes(const made_lm *m, const char *directory)
{
    static const uint32_t ids[4] = {3, 28, 0, 11};
    eis_model *model;
    eis_plain_backend *plain;
    eis_lm_session *session;
    double logits[64], expected[64];

    if (eis_model_open(&model, directory, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
    assert_int_equal(eis_lm_session_new(&session, model, 0), EIS_OK);
    const eis_linear_backend backend = eis_plain_backend_seam(plain);
    assert_int_equal(eis_lm_feed(session, logits, &backend, ids, 4), EIS_OK);
    made_forward(m, expected, ids, 4);
    for (size_t i = 0; i < m->vocabulary; i++)
        assert_true(fabs(logits[i] - expected[i]) < 1e-11 * (1 + fabs(expected[i])));
    eis_lm_session_free(session);
    eis_plain_backend_free(plain);
    eis_model_free(model);
}

static void names_with_and_without_prefix_mean_the_same(void **state)
{
    (void)state;
    for (int gpt2 = 0; gpt2 < 2; gpt2++)
        for (int prefixed = 0; prefixed < 2; prefixed++) {
            made_lm *m = made_lm_new(gpt2 != 0, prefixed != 0, true, false);
            char directory[256];
            fixture_directory(directory);
            made_hf(m, directory, "F32", prefixed != 0);
            assert_computes(m, directory);
            fixture_remove(directory, made_hf_names());
            free(m);
        }
}

static const char *const shard_names[] = {"config.json", "model.safetensors.index.json", "a.safetensors",
                                          "b.safetensors", NULL};

/* Writes a model in two shards with an index that is `index`. */
static void write_shards(const made_lm *m, const char *directory, const char *index)
{
    fixture_tensors *a = fixture_tensors_new(), *b = fixture_tensors_new();

    made_config(m, directory, "");
    made_outer(m, a, "F32", true);
    made_block_put(m, a, "F32", true, 0);
    made_block_put(m, b, "BF16", true, 1);
    fixture_tensors_write(a, directory, "a.safetensors");
    fixture_tensors_write(b, directory, "b.safetensors");
    fixture_write_text(directory, "model.safetensors.index.json", index);
    free(a);
    free(b);
}

static void shards_are_found_by_their_index(void **state)
{
    static const struct {
        const char *index, *says;
        eis_status st;
    } bad[] = {
        {"{\"weight_map\":{}}", "empty", EIS_ERR_MODEL},
        {"{\"weight_map\":[]}", "weight_map must be an object", EIS_ERR_PARSE},
        {"{}", "weight_map", EIS_ERR_PARSE},
        {"{\"weight_map\":{\"model.norm.weight\":\"../a.safetensors\"}}", "same directory", EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":\"/etc/passwd\"}}", "same directory", EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":\".\"}}", "same directory", EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":7}}", "same directory", EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":\"c.safetensors\"}}", "c.safetensors", EIS_ERR_FILE},
        {"{\"weight_map\":{\"model.norm.weight\":\"a.safetensors\",\"nowhere\":\"b.safetensors\"}}", "no shard holds",
         EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":\"b.safetensors\",\"model.embed_tokens.weight\":\"a.safetensors\"}}",
         "another shard than a.safetensors", EIS_ERR_MODEL},
        {"{\"weight_map\":{\"model.norm.weight\":\"a.safetensors\"}}",
         "model.layers.1.input_layernorm.weight is missing", EIS_ERR_MODEL},
    };
    made_lm *m = made_lm_new(false, true, false, false);
    eis_model *model;
    char directory[256];

    (void)state;
    fixture_directory(directory);
    write_shards(m, directory,
                 "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"model.norm.weight\":\"a.safetensors\","
                 "\"model.layers.1.input_layernorm.weight\":\"b.safetensors\"}}");
    assert_computes(m, directory);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_write_text(directory, "model.safetensors.index.json", bad[i].index);
        assert_int_equal(eis_model_open(&model, directory, NULL), bad[i].st);
        fixture_assert_said(bad[i].says);
        assert_null(model);
    }
    fixture_remove(directory, shard_names);
    free(m);
}

/* --- refusals by name -------------------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *more, *says;
    eis_status st;
} refusal;

static void assert_refused(bool gpt2, const refusal *cases, size_t count)
{
    made_lm *m = made_lm_new(gpt2, true, false, false);
    char directory[256];
    eis_model *model;

    fixture_directory(directory);
    made_hf(m, directory, "F32", true);
    for (size_t i = 0; i < count; i++) {
        made_config(m, directory, cases[i].more);
        const eis_status st = eis_model_open(&model, directory, NULL);
        if (st != cases[i].st) fail_msg("%s: status %d: %s", cases[i].more, (int)st, eis_error_detail());
        if (st != EIS_OK) {
            fixture_assert_said("config.json");
            fixture_assert_said(cases[i].says);
        }
        eis_model_free(model);
    }
    fixture_remove(directory, made_hf_names());
    free(m);
}

static void what_llama_does_not_compute_is_refused_by_name(void **state)
{
    static const refusal cases[] = {
        {"", "", EIS_OK},
        {",\"torch_dtype\":\"float32\",\"use_cache\":true,\"pretraining_tp\":1,\"sliding_window\":null", "", EIS_OK},
        {",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":500.0}", "", EIS_OK},
        {",\"rope_parameters\":{\"rope_type\":\"llama3\"}", "rope_type", EIS_ERR_UNSUPPORTED},
        {",\"sliding_window\":4096", "sliding_window", EIS_ERR_UNSUPPORTED},
        {",\"quantization_config\":{}", "quantization_config", EIS_ERR_UNSUPPORTED},
        {",\"partial_rotary_factor\":0.5", "partial_rotary_factor", EIS_ERR_UNSUPPORTED},
        {",\"final_logit_softcapping\":30.0", "final_logit_softcapping", EIS_ERR_UNSUPPORTED},
        {",\"hidden_size\":12", "hidden_size", EIS_ERR_PARSE}, /* twice */
        {",\"x\":NaN", "config.json", EIS_ERR_PARSE},
        {",", "config.json", EIS_ERR_PARSE},
    };

    (void)state;
    assert_refused(false, cases, sizeof cases / sizeof *cases);
}

static void what_gpt2_does_not_compute_is_refused_by_name(void **state)
{
    static const refusal cases[] = {
        {"", "", EIS_OK},
        {",\"scale_attn_weights\":true,\"scale_attn_by_inverse_layer_idx\":false,\"reorder_and_upcast_attn\":false", "",
         EIS_OK},
        {",\"scale_attn_weights\":false", "scale_attn_weights", EIS_ERR_UNSUPPORTED},
        {",\"scale_attn_by_inverse_layer_idx\":true", "scale_attn_by_inverse_layer_idx", EIS_ERR_UNSUPPORTED},
        {",\"add_cross_attention\":true", "add_cross_attention", EIS_ERR_UNSUPPORTED},
        {",\"scale_attn_weights\":1", "scale_attn_weights", EIS_ERR_PARSE},
    };

    (void)state;
    assert_refused(true, cases, sizeof cases / sizeof *cases);
}

/* Each text stands for a whole config.json. */
static void single_members_are_checked(void **state)
{
#define LLAMA(more)                                                                                                   \
    "{\"model_type\":\"llama\",\"hidden_size\":8,\"intermediate_size\":8,\"num_attention_heads\":2,\"vocab_size\":9," \
    "\"max_position_embeddings\":4" more "}"
#define GPT2(more) "{\"model_type\":\"gpt2\",\"n_embd\":8,\"n_layer\":1,\"n_head\":2,\"vocab_size\":9" more "}"
    static const struct {
        const char *text, *says;
        eis_status st;
    } cases[] = {
        {LLAMA(",\"num_hidden_layers\":1"), "", EIS_OK},
        {LLAMA(""), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":-1"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":0"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":null"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1.5"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1e3"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":5000"), "number of layers", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":4294967296"), "num_hidden_layers", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1,\"hidden_act\":\"gelu\""), "hidden_act", EIS_ERR_UNSUPPORTED},
        {LLAMA(",\"num_hidden_layers\":1,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}"), "rope_scaling",
         EIS_ERR_UNSUPPORTED},
        {LLAMA(",\"num_hidden_layers\":1,\"num_key_value_heads\":3"), "key-value heads", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":1,\"num_key_value_heads\":null,\"head_dim\":null"), "", EIS_OK},
        {LLAMA(",\"num_hidden_layers\":1,\"head_dim\":5"), "head size of 5 is odd", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":1,\"head_dim\":1048576"), "heads times head size", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":1,\"rope_theta\":0.5"), "rope_theta", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":1,\"rope_theta\":-1"), "rope_theta", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1,\"rms_norm_eps\":2"), "epsilon", EIS_ERR_MODEL},
        {LLAMA(",\"num_hidden_layers\":1,\"tie_word_embeddings\":\"yes\""), "tie_word_embeddings", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1,\"bos_token_id\":-1"), "bos_token_id", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1,\"bos_token_id\":[3]"), "", EIS_OK},
        {LLAMA(",\"num_hidden_layers\":1,\"bos_token_id\":null,\"eos_token_id\":null"), "", EIS_OK},
        {LLAMA(",\"num_hidden_layers\":1,\"eos_token_id\":[1,\"2\"]"), "eos_token_id", EIS_ERR_PARSE},
        {LLAMA(",\"num_hidden_layers\":1,\"eos_token_id\":[1,2,3,4,5,6,7,8,9]"), "eos_token_id", EIS_ERR_UNSUPPORTED},
        {GPT2(",\"n_positions\":4"), "", EIS_OK},
        {GPT2(",\"n_ctx\":4,\"n_inner\":null"), "", EIS_OK},
        {GPT2(""), "n_ctx", EIS_ERR_PARSE},
        {GPT2(",\"n_positions\":4,\"activation_function\":\"gelu_pytorch_tanh\""), "", EIS_OK},
        {GPT2(",\"n_positions\":4,\"activation_function\":\"gelu\""), "activation_function", EIS_ERR_UNSUPPORTED},
        {GPT2(",\"n_positions\":4,\"activation_function\":\"relu\""), "activation_function", EIS_ERR_UNSUPPORTED},
        {GPT2(",\"n_positions\":4,\"layer_norm_epsilon\":1e999"), "c:", EIS_ERR_PARSE},
        {"{\"model_type\":\"gpt2\",\"n_embd\":8,\"n_layer\":1,\"n_head\":3,\"vocab_size\":9,\"n_positions\":4}",
         "n_embd", EIS_ERR_MODEL},
        {"{\"model_type\":\"bert\"}", "model_type", EIS_ERR_UNSUPPORTED},
        {"{\"model_type\":7}", "model_type", EIS_ERR_UNSUPPORTED},
        {"{}", "model_type", EIS_ERR_PARSE},
        {"[]", "c", EIS_ERR_PARSE},
        {"", "c", EIS_ERR_PARSE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eis_hf_config config;
        const eis_span text = {(const uint8_t *)cases[i].text, strlen(cases[i].text)};
        const eis_status st = eis_hf_config_read(&config, text, "c");
        if (st != cases[i].st) fail_msg("%s: status %d: %s", cases[i].text, (int)st, eis_error_detail());
        if (st != EIS_OK) fixture_assert_said(cases[i].says);
    }
}

/* Leaves out, bends or poisons one tensor after the other. */
static void each_tensor_is_missed_and_measured_by_name(void **state)
{
    made_lm *m = made_lm_new(false, false, true, false);
    fixture_tensors *t = fixture_tensors_new();
    eis_hf_config config;
    eis_safetensors table = {0};
    eis_model *model;
    char directory[256], path[512];
    size_t count, text_count;

    (void)state;
    fixture_directory(directory);
    made_config(m, directory, "");
    fixture_path(path, directory, "config.json");
    uint8_t *text = fixture_read(path, &text_count);
    assert_int_equal(eis_hf_config_read(&config, (eis_span){text, text_count}, "config.json"), EIS_OK);
    made_outer(m, t, "F32", true);
    for (int i = 0; i < MADE_LAYERS; i++) made_block_put(m, t, "F32", true, i);
    uint8_t *file = fixture_tensors_file(t, &count);
    assert_int_equal(eis_safetensors_add(&table, (eis_span){file, count}, "made"), EIS_OK);
    for (uint32_t i = 0; i < table.count; i++) {
        eis_safetensors_entry kept = table.entries[i], *entry = &table.entries[i];
        for (int way = 0; way < 3; way++) {
            if (way == 0) memmove(entry, entry + 1, (--table.count - i) * sizeof *entry);
            if (way == 1) entry->shape[0]++;
            if (way == 2) snprintf(entry->dtype, sizeof entry->dtype, "I32");
            assert_int_equal(eis_model_new(&model, EIS_MODEL_LM), EIS_OK);
            assert_int_equal(eis_hf_build(model, &config, &table), EIS_ERR_MODEL);
            fixture_assert_said("made");
            fixture_assert_said(kept.name);
            eis_model_free(model);
            if (way == 0) memmove(entry + 1, entry, (table.count++ - i) * sizeof *entry);
            *entry = kept;
        }
    }
    /* A bias that nobody declared would be left out of the sum. */
    config.attention_bias = false;
    assert_int_equal(eis_model_new(&model, EIS_MODEL_LM), EIS_OK);
    assert_int_equal(eis_hf_build(model, &config, &table), EIS_ERR_MODEL);
    fixture_assert_said("self_attn.q_proj.bias is there, but config.json declares no such bias");
    eis_model_free(model);
    config.attention_bias = true;
    union {
        const uint8_t *read;
        uint8_t *write;
    } place = {.read = eis_safetensors_find(&table, "model.norm.weight")->data.data};
    eis_store_le32(place.write, 0xff800000); /* -infinity */
    assert_int_equal(eis_model_new(&model, EIS_MODEL_LM), EIS_OK);
    assert_int_equal(eis_hf_build(model, &config, &table), EIS_ERR_MODEL);
    fixture_assert_said("model.norm.weight has an entry that is not finite");
    eis_model_free(model);
    eis_safetensors_clear(&table);
    free(file);
    free(text);
    free(t);
    free(m);
    fixture_remove(directory, made_hf_names());
}

static void a_directory_without_weights_says_so(void **state)
{
    made_lm *m = made_lm_new(true, true, false, false);
    const eis_model_options options = {.weights_path = "x"};
    char directory[256];
    eis_model *model;

    (void)state;
    fixture_directory(directory);
    made_config(m, directory, "");
    assert_int_equal(eis_model_open(&model, directory, NULL), EIS_ERR_FILE);
    fixture_assert_said("neither model.safetensors nor");
    assert_int_equal(eis_model_open(&model, directory, &options), EIS_ERR_USAGE);
    fixture_write(directory, "model.safetensors", "short", 5);
    assert_int_equal(eis_model_open(&model, directory, NULL), EIS_ERR_MODEL);
    fixture_assert_said("model.safetensors: 5 bytes are too short");
    fixture_remove(directory, made_hf_names());
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_repacked_model_gives_the_published_ids),
        cmocka_unit_test(the_published_sequences_of_gpt2_come_out),
        cmocka_unit_test(names_with_and_without_prefix_mean_the_same),
        cmocka_unit_test(shards_are_found_by_their_index),
        cmocka_unit_test(what_llama_does_not_compute_is_refused_by_name),
        cmocka_unit_test(what_gpt2_does_not_compute_is_refused_by_name),
        cmocka_unit_test(single_members_are_checked),
        cmocka_unit_test(each_tensor_is_missed_and_measured_by_name),
        cmocka_unit_test(a_directory_without_weights_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
