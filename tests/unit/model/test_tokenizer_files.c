/* SPDX-License-Identifier: Apache-2.0 */
/* If a real tokenizer gave other ids than the program that made the model, every answer would be quietly worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/files.h"
#include "model/tokenizer.h"
#include "wire/json.h"

static char *data_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("EIS_TEST_ROOT");

    snprintf(path, sizeof path, "%s/../shared/data/%s", root ? root : ".", name);
    return path;
}

/* Opens a tokenizer of ../shared/data or skips the test. */
static eis_tokenizer *open_or_skip(const char *name, uint32_t vocab_count)
{
    eis_tokenizer *t = NULL;
    eis_status st;
    FILE *probe = fopen(data_path(name), "rb");

    if (probe == NULL) {
        print_message("skipped: ../shared/data/%s is not there\n", name);
        skip();
    }
    fclose(probe);
    st = eis_tokenizer_open(&t, data_path(name), vocab_count);
    if (st != EIS_OK) print_message("%s\n", eis_error_detail());
    assert_int_equal(st, EIS_OK);
    return t;
}

static void encodes_to(const eis_tokenizer *t, const char *text, size_t bytes, const uint32_t *expected, size_t count)
{
    eis_ids ids = {0};

    assert_int_equal(eis_tokenizer_encode(t, &ids, (const uint8_t *)text, bytes), EIS_OK);
    assert_int_equal(ids.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(ids.ids[i], expected[i]);
    eis_ids_clear(&ids);
}

/* Decodes as a stream and compares; what comes out between is always whole characters. */
static void decodes_to(const eis_tokenizer *t, const uint32_t *ids, size_t count, const char *text, size_t bytes)
{
    eis_decoder decoder;
    eis_text out = {0};

    eis_decoder_init(&decoder, t);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(eis_decoder_push(&decoder, &out, ids[i]), EIS_OK);
        assert_int_equal(eis_utf8_valid_prefix(out.data, out.bytes), out.bytes);
    }
    assert_int_equal(eis_decoder_finish(&decoder, &out), EIS_OK);
    assert_int_equal(out.bytes, bytes);
    if (bytes > 0) assert_memory_equal(out.data, text, bytes);
    eis_text_clear(&out);
}

/* --- GPT-2: 46 strings, each followed by a line with the mark ------------------------------------------------- */

#define MARK "\n__ggml_vocab_test__\n"

static size_t read_ids(uint32_t *ids, size_t room, char **line)
{
    size_t count = 0;
    char *at = *line, *end;

    while (*at != '\n' && *at != '\0') {
        if (*at == ' ') {
            at++;
            continue;
        }
        assert_true(count < room);
        ids[count++] = (uint32_t)strtoul(at, &end, 10);
        assert_true(end > at);
        at = end;
    }
    *line = *at == '\n' ? at + 1 : at;
    return count;
}

static char *slurp(const char *name, size_t *bytes)
{
    eis_mapping file = {0};
    char *copy;

    assert_int_equal(eis_file_map(&file, data_path(name)), EIS_OK);
    copy = eis_mem_new(file.bytes.bytes + 1, 1);
    assert_non_null(copy);
    memcpy(copy, file.bytes.data, file.bytes.bytes);
    *bytes = file.bytes.bytes;
    eis_file_unmap(&file);
    return copy;
}

static void gpt2_encodes_all_strings_and_decodes_them_back(void **state)
{
    eis_tokenizer *t = open_or_skip("tokenizer/gpt2", 0);
    size_t in_bytes, out_bytes, strings = 0;
    char *in = slurp("tokenizer/gpt2/ggml-vocab-gpt-2.gguf.inp", &in_bytes);
    char *out = slurp("tokenizer/gpt2/ggml-vocab-gpt-2.gguf.out", &out_bytes);
    char *line = out, *at = in;
    uint32_t expected[1024];

    (void)state;
    assert_int_equal(eis_tokenizer_count(t), 50257);
    for (char *mark; (mark = strstr(at, MARK)) != NULL; at = mark + strlen(MARK), strings++) {
        size_t count = read_ids(expected, 1024, &line);
        encodes_to(t, at, (size_t)(mark - at), expected, count);
        decodes_to(t, expected, count, at, (size_t)(mark - at));
    }
    assert_int_equal(strings, 46);
    eis_mem_free(in);
    eis_mem_free(out);
    eis_tokenizer_free(t);
}

/* The same vocabulary inside a tokenizer.json with 38 added tokens, most of them runs of spaces. */
static void a_tokenizer_json_of_the_same_family_agrees(void **state)
{
    eis_tokenizer *t = open_or_skip("lm/tiny-random-gpt2", 1000);
    static const uint32_t hello[] = {15496, 995}, spaces[] = {64, 50284, 65, 50256};

    (void)state;
    assert_int_equal(eis_tokenizer_count(t), 50295);
    encodes_to(t, "Hello world", 11, hello, 2);
    encodes_to(t, "a    b<|endoftext|>", 19, spaces, 4);
    decodes_to(t, spaces, 4, "a    b", 6); /* the special token has no bytes */
    eis_tokenizer_free(t);
}

/* --- stories260K ---------------------------------------------------------------------------------------------- */

#define STORIES "lm/stories260K/tok512.bin"

static void llama2c_merges_by_score(void **state)
{
    eis_tokenizer *t = open_or_skip(STORIES, 512);
    /* From a direct rewriting of models-and-cli.md, section 2, in another language. */
    static const uint32_t empty[] = {1}, once[] = {1, 403, 407, 261, 378}, space[] = {1, 410, 410};
    static const uint32_t two[] = {1, 410, 410, 259, 424, 414, 410, 262, 427, 412, 331, 419};
    static const uint32_t foreign[] = {1,   317, 336, 467, 313, 453, 198, 191, 198, 162,
                                       411, 410, 481, 410, 234, 143, 174, 443, 436, 13};
    const char *lily = "Lily said: \"F\xC3\xBC\xC3\x9F"
                       "e \xE2\x80\x94 \xE7\x8C\xAB!\"\n";

    (void)state;
    encodes_to(t, "", 0, empty, 1);
    encodes_to(t, "Once upon a time", 16, once, 5);
    encodes_to(t, " ", 1, space, 3);
    encodes_to(t, "  two  spaces", 13, two, 12);
    encodes_to(t, lily, strlen(lily), foreign, 20);
    decodes_to(t, once, 5, "Once upon a time", 16);
    decodes_to(t, two, 12, "  two  spaces", 13);
    decodes_to(t, foreign, 20, lily, strlen(lily));
    eis_tokenizer_free(t);
}

static void llama2c_decodes_the_golden_story(void **state)
{
    eis_tokenizer *t = open_or_skip(STORIES, 512);
    size_t json_bytes, text_bytes, count = 0;
    char *json = slurp("lm/stories260K/tokens_greedy_256.json", &json_bytes);
    char *text = slurp("lm/stories260K/golden_greedy_257_doc.txt", &text_bytes);
    eis_json_doc *doc = NULL;
    eis_json_value list, value;
    uint32_t ids[512];
    uint64_t id;

    (void)state;
    assert_int_equal(eis_json_parse(&doc, "golden", json, json_bytes, json_bytes), EIS_OK);
    assert_true(eis_json_find(&list, eis_json_root(doc), "greedy_tokens_from_bos"));
    for (eis_json_iter it = eis_json_iterate(list); eis_json_next_element(&it, &value); count++) {
        assert_true(count < 512 && eis_json_u64(&id, value));
        ids[count] = (uint32_t)id;
    }
    assert_int_equal(count, 257);
    decodes_to(t, ids, count, text, text_bytes);
    eis_json_free(doc);
    eis_mem_free(json);
    eis_mem_free(text);
    eis_tokenizer_free(t);
}

static void another_models_tokenizer_is_named(void **state)
{
    eis_tokenizer *t = open_or_skip(STORIES, 512);

    (void)state;
    eis_tokenizer_free(t);
    assert_int_equal(eis_tokenizer_open(&t, data_path(STORIES), 32000), EIS_ERR_MODEL);
    assert_null(t);
    assert_non_null(strstr(eis_error_detail(), "512"));
    assert_int_equal(eis_tokenizer_open(&t, data_path("lm/stories260K/tok512.model"), 512), EIS_ERR_PARSE);
    assert_non_null(strstr(eis_error_detail(), "tok512.model"));
    assert_int_equal(eis_tokenizer_open(&t, data_path("mnist"), 0), EIS_ERR_NOT_FOUND);
    assert_int_equal(eis_tokenizer_open(&t, data_path("no-such-file"), 0), EIS_ERR_FILE);
}

/* The bytes that a client part carries give the same tokenizer as the files did. */
static void a_source_travels(void **state)
{
    eis_tokenizer *t = open_or_skip("tokenizer/gpt2", 0);
    eis_tokenizer_source source = {0};
    static const uint32_t hello[] = {15496, 995};

    (void)state;
    eis_tokenizer_free(t);
    assert_int_equal(eis_tokenizer_source_read(&source, data_path("tokenizer/gpt2/encoder.json")), EIS_OK);
    assert_int_equal(source.kind, EIS_TOKENIZER_VOCAB_MERGES);
    assert_int_equal(eis_tokenizer_kind_find(eis_tokenizer_kind_name(source.kind)), source.kind);
    assert_int_equal(eis_tokenizer_new(&t, source.kind, source.data, source.bytes, 0, "part"), EIS_OK);
    encodes_to(t, "Hello world", 11, hello, 2);
    eis_tokenizer_source_clear(&source);
    eis_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_encodes_all_strings_and_decodes_them_back),
        cmocka_unit_test(a_tokenizer_json_of_the_same_family_agrees),
        cmocka_unit_test(llama2c_merges_by_score),
        cmocka_unit_test(llama2c_decodes_the_golden_story),
        cmocka_unit_test(another_models_tokenizer_is_named),
        cmocka_unit_test(a_source_travels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
