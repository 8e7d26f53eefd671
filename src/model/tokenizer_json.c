/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tokenizer.json: the vocabulary, the merges and the added tokens. Their surroundings are in tokenizer_parts.c.
 */
#include "model/tokenizer_json.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static eis_status read_vocabulary(eis_bpe *bpe, eis_json_value vocab)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(vocab);
    eis_json_value value = {0};
    eis_span piece = {0};
    uint64_t id;
    char shown[EIS_TOKENIZER_TYPE_BYTES];

    EIS_REQUIRE(eis_json_type_of(vocab) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "model.vocab must be an object");
    while (eis_json_next_member(&it, &piece, &value)) {
        eis_tokenizer_json_show(shown, piece);
        EIS_REQUIRE(eis_json_u64(&id, value) && id <= EIS_TOKEN_ID_MAX, EIS_ERR_PARSE,
                    "model.vocab: the id of \"%s\" must lie in 0..%u", shown, EIS_TOKEN_ID_MAX);
        st = eis_vocab_add(&bpe->vocab, (uint32_t)id, piece.data, piece.bytes);
        if (st != EIS_OK) return eis_fail_prefix(st, "model.vocab: \"%s\"", shown);
    }
out:
    return st;
}

/* A merge is "left right", or ["left", "right"] in newer files. */
static eis_status read_merge(eis_span *left, eis_span *right, eis_json_value value)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(value);
    eis_json_value first = {0}, second = {0};
    const uint8_t *space;

    if (eis_json_string(left, value)) {
        space = left->bytes > 0 ? memchr(left->data, ' ', left->bytes) : NULL;
        EIS_REQUIRE(space != NULL, EIS_ERR_PARSE, "must be two pieces with a space between");
        *right = (eis_span){space + 1, left->bytes - (size_t)(space + 1 - left->data)};
        left->bytes = (size_t)(space - left->data);
        EIS_REQUIRE(right->bytes == 0 || memchr(right->data, ' ', right->bytes) == NULL, EIS_ERR_PARSE,
                    "more than one space");
        return EIS_OK;
    }
    EIS_REQUIRE(eis_json_type_of(value) == EIS_JSON_ARRAY && eis_json_length(value) == 2 &&
                    eis_json_next_element(&it, &first) && eis_json_next_element(&it, &second) &&
                    eis_json_string(left, first) && eis_json_string(right, second),
                EIS_ERR_PARSE, "must be a string or an array of two strings");
out:
    return st;
}

static eis_status read_merges(eis_bpe *bpe, eis_json_value merges)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(merges);
    eis_json_value value = {0};
    eis_span left = {0}, right = {0};

    EIS_REQUIRE(eis_json_type_of(merges) == EIS_JSON_ARRAY, EIS_ERR_PARSE, "model.merges must be an array");
    for (uint32_t rank = 0; eis_json_next_element(&it, &value); rank++) {
        st = read_merge(&left, &right, value);
        if (st != EIS_OK) return eis_fail_prefix(st, "model.merges[%u]", rank);
        st = eis_bpe_add_merge(bpe, left, right, rank);
        if (st != EIS_OK) return eis_fail_prefix(st, "model.merges");
    }
out:
    return st;
}

/* Whether a member has a value other than null and, for texts, other than "". */
static bool is_set(eis_json_value model, const char *name)
{
    eis_json_value value = {0};
    double number;

    if (!eis_json_find(&value, model, name) || eis_json_type_of(value) == EIS_JSON_NULL) return false;
    return !(eis_json_string_is(value, "") || (eis_json_double(&number, value) && number == 0));
}

/* Settings of the model that change what an encoding is, and that we do not have. */
static eis_status refuse_foreign(eis_json_value model)
{
    static const char *const names[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix", NULL};

    for (size_t i = 0; names[i] != NULL; i++)
        if (is_set(model, names[i])) return eis_fail(EIS_ERR_UNSUPPORTED, "model.%s is not supported", names[i]);
    return EIS_OK;
}

static eis_status read_unknown(eis_bpe *bpe, eis_json_value model)
{
    eis_status st = EIS_OK;
    eis_span text = {0};

    if (!is_set(model, "unk_token")) return EIS_OK;
    EIS_TRY(eis_json_bind_string(&text, model, "model", "unk_token", true));
    bpe->unknown = eis_vocab_find(&bpe->vocab, text.data, text.bytes);
    EIS_REQUIRE(bpe->unknown != EIS_TOKEN_NONE, EIS_ERR_PARSE, "model.unk_token is not in the vocabulary");
out:
    return st;
}

static eis_status read_model(eis_bpe *bpe, eis_json_value model)
{
    static const char *const members[] = {"type",
                                          "dropout",
                                          "unk_token",
                                          "continuing_subword_prefix",
                                          "end_of_word_suffix",
                                          "fuse_unk",
                                          "byte_fallback",
                                          "ignore_merges",
                                          "vocab",
                                          "merges",
                                          NULL};
    eis_status st = EIS_OK;
    eis_json_value value = {0};
    eis_span type = {0};
    char shown[EIS_TOKENIZER_TYPE_BYTES];

    /* The oldest files have no type; they were all BPE. */
    if (eis_json_find(&value, model, "type")) {
        EIS_TRY(eis_json_bind_string(&type, model, "model", "type", true));
        eis_tokenizer_json_show(shown, type);
        EIS_REQUIRE(strcmp(shown, "BPE") == 0, EIS_ERR_UNSUPPORTED, "model: type \"%s\" is not supported", shown);
    }
    EIS_TRY(eis_json_bind_object(model, "model", members));
    EIS_TRY(refuse_foreign(model));
    EIS_TRY(eis_json_bind_bool(&bpe->fuse_unknown, model, "model", "fuse_unk", false));
    EIS_TRY(eis_json_bind_bool(&bpe->byte_fallback, model, "model", "byte_fallback", false));
    EIS_TRY(eis_json_bind_bool(&bpe->whole_piece_first, model, "model", "ignore_merges", false));
    EIS_TRY(eis_json_bind_member(&value, model, "model", "vocab"));
    EIS_TRY(read_vocabulary(bpe, value));
    EIS_TRY(read_unknown(bpe, model));
    EIS_TRY(eis_json_bind_member(&value, model, "model", "merges"));
    EIS_TRY(read_merges(bpe, value));
out:
    return st;
}

/* One entry of added_tokens, checked. */
typedef struct added_entry {
    uint32_t id;
    eis_span text;
    bool left_space, right_space, normalised, special;
} added_entry;

static eis_status read_added_entry(added_entry *entry, eis_json_value value, const char *path)
{
    static const char *const members[] = {"id",     "content",    "single_word", "lstrip",
                                          "rstrip", "normalized", "special",     NULL};
    eis_status st = EIS_OK;
    uint64_t id;
    bool single_word = false;

    *entry = (added_entry){0};
    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(eis_json_bind_u64(&id, value, path, "id", true, 0, EIS_TOKEN_ID_MAX));
    EIS_TRY(eis_json_bind_string(&entry->text, value, path, "content", true));
    EIS_TRY(eis_json_bind_bool(&single_word, value, path, "single_word", false));
    EIS_TRY(eis_json_bind_bool(&entry->left_space, value, path, "lstrip", false));
    EIS_TRY(eis_json_bind_bool(&entry->right_space, value, path, "rstrip", false));
    EIS_TRY(eis_json_bind_bool(&entry->special, value, path, "special", false));
    entry->normalised = !entry->special;
    EIS_TRY(eis_json_bind_bool(&entry->normalised, value, path, "normalized", false));
    EIS_REQUIRE(!single_word, EIS_ERR_UNSUPPORTED, "%s: single_word is not supported", path);
    entry->id = (uint32_t)id;
out:
    return st;
}

/* Gives the token its piece, unless the vocabulary has it, and puts it where it is looked for. */
static eis_status add_entry(eis_bpe *bpe, const added_entry *entry)
{
    eis_status st = EIS_OK;
    eis_split_text normal = {0};
    uint32_t known = eis_vocab_find(&bpe->vocab, entry->text.data, entry->text.bytes);

    EIS_REQUIRE(known == EIS_TOKEN_NONE || known == entry->id, EIS_ERR_PARSE, "id %u, but %u in the vocabulary",
                entry->id, known);
    if (known == EIS_TOKEN_NONE)
        EIS_TRY(eis_vocab_add_raw(&bpe->vocab, entry->id, entry->text.data, entry->text.bytes));
    bpe->vocab.pieces[entry->id].special = entry->special;
    if (!entry->normalised) {
        EIS_TRY(eis_added_add(&bpe->raw_added, entry->id, entry->text.data, entry->text.bytes, entry->left_space,
                              entry->right_space));
    } else {
        EIS_TRY(eis_split_run(&bpe->normaliser, &normal, entry->text.data, entry->text.bytes, true));
        EIS_TRY(eis_added_add(&bpe->added, entry->id, normal.text.data, normal.text.bytes, entry->left_space,
                              entry->right_space));
    }
out:
    eis_split_text_clear(&normal);
    return st;
}

static eis_status read_added(eis_bpe *bpe, eis_json_value list)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(list);
    eis_json_value value = {0};
    added_entry entry;
    char path[48];

    EIS_REQUIRE(eis_json_type_of(list) == EIS_JSON_ARRAY, EIS_ERR_PARSE, "added_tokens must be an array");
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        snprintf(path, sizeof path, "added_tokens[%zu]", i);
        EIS_TRY(read_added_entry(&entry, value, path));
        st = add_entry(bpe, &entry);
        if (st != EIS_OK) return eis_fail_prefix(st, "%s", path);
    }
    EIS_TRY(eis_added_seal(&bpe->raw_added));
    EIS_TRY(eis_added_seal(&bpe->added));
out:
    return st;
}

/* `version` is checked; `truncation` and `padding` are about batches of a training program and have no meaning here. */
static eis_status read_root(eis_bpe *bpe, eis_json_value root)
{
    static const char *const members[] = {"version",       "truncation",     "padding", "added_tokens", "normalizer",
                                          "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    eis_status st = EIS_OK;
    eis_json_value value = {0};

    EIS_REQUIRE(eis_json_find(&value, root, "model"), EIS_ERR_PARSE,
                "no member \"model\": not a tokenizer.json (vocab.json needs its merges.txt beside it)");
    EIS_TRY(eis_json_bind_object(root, "the file", members));
    if (eis_json_find(&value, root, "version"))
        EIS_REQUIRE(eis_json_string_is(value, "1.0"), EIS_ERR_UNSUPPORTED, "version must be \"1.0\"");
    EIS_TRY(eis_json_bind_member(&value, root, "the file", "model"));
    EIS_TRY(read_model(bpe, value));
    if (eis_json_find(&value, root, "normalizer")) EIS_TRY(eis_tokenizer_json_normaliser(bpe, value));
    if (eis_json_find(&value, root, "pre_tokenizer")) EIS_TRY(eis_tokenizer_json_pretokenizer(bpe, value));
    if (eis_json_find(&value, root, "added_tokens")) EIS_TRY(read_added(bpe, value));
    if (eis_json_find(&value, root, "post_processor")) EIS_TRY(eis_tokenizer_json_postprocessor(bpe, value));
    EIS_TRY(eis_json_bind_member(&value, root, "the file", "decoder"));
    EIS_TRY(eis_tokenizer_json_decoder(bpe, value));
out:
    return st;
}

eis_status eis_bpe_read_json(eis_bpe *bpe, const uint8_t *data, size_t bytes, const char *name)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;

    *bpe = (eis_bpe){.unknown = EIS_TOKEN_NONE};
    EIS_TRY(eis_json_parse(&doc, name, data, bytes, EIS_TOKENIZER_BYTES_MAX));
    st = read_root(bpe, eis_json_root(doc));
    if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
out:
    eis_json_free(doc);
    if (st != EIS_OK) eis_bpe_clear(bpe);
    return st;
}

/* --- vocab.json and merges.txt -------------------------------------------------------------------------------- */

/* Takes a line off the front of text, without its end. */
static eis_span take_line(eis_span *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->bytes);
    size_t bytes = end != NULL ? (size_t)(end - text->data) : text->bytes;
    eis_span line = {text->data, bytes};

    text->data += bytes + (end != NULL);
    text->bytes -= bytes + (end != NULL);
    if (line.bytes > 0 && line.data[line.bytes - 1] == '\r') line.bytes--;
    return line;
}

static eis_status read_merge_lines(eis_bpe *bpe, eis_span text)
{
    eis_status st = EIS_OK;
    eis_span line = {0}, left = {0}, right = {0};
    const uint8_t *space;
    uint32_t rank = 0;

    for (size_t number = 1; text.bytes > 0; number++) {
        line = take_line(&text);
        if (line.bytes == 0 || (number == 1 && line.bytes > 8 && memcmp(line.data, "#version", 8) == 0)) continue;
        space = memchr(line.data, ' ', line.bytes);
        EIS_REQUIRE(space != NULL, EIS_ERR_PARSE, "line %zu is not two pieces with a space between", number);
        left = (eis_span){line.data, (size_t)(space - line.data)};
        right = (eis_span){space + 1, line.bytes - left.bytes - 1};
        st = eis_bpe_add_merge(bpe, left, right, rank++);
        if (st != EIS_OK) return eis_fail_prefix(st, "line %zu", number);
    }
out:
    return st;
}

/* The one special token of the models that come as these two files. */
static eis_status mark_end_of_text(eis_bpe *bpe)
{
    static const char text[] = "<|endoftext|>";
    const uint8_t *bytes = (const uint8_t *)text;
    uint32_t id = eis_vocab_find(&bpe->vocab, bytes, sizeof text - 1);

    if (id == EIS_TOKEN_NONE) return EIS_OK;
    bpe->vocab.pieces[id].special = true;
    return eis_added_add(&bpe->raw_added, id, bytes, sizeof text - 1, false, false);
}

static eis_status build_gpt2(eis_bpe *bpe, eis_json_value vocabulary, eis_span merges)
{
    eis_status st = EIS_OK;
    eis_split_step isolate = {.op = EIS_SPLIT_ISOLATE};

    EIS_TRY(read_vocabulary(bpe, vocabulary));
    st = read_merge_lines(bpe, merges);
    if (st != EIS_OK) return eis_fail_prefix(st, "merges");
    EIS_TRY(mark_end_of_text(bpe));
    EIS_TRY(eis_split_compile(&isolate.code, (const uint8_t *)eis_split_gpt2_pattern, strlen(eis_split_gpt2_pattern),
                              false));
    EIS_TRY(eis_split_add(&bpe->pretokenizer, &isolate)); /* the first step: there is room */
    EIS_TRY(eis_split_add(&bpe->pretokenizer, &(eis_split_step){.op = EIS_SPLIT_BYTES_TO_CHARS}));
    EIS_TRY(eis_bpe_add_decode(bpe, &(eis_bpe_decode_step){.op = EIS_BPE_DECODE_CHARS}));
out:
    return st;
}

eis_status eis_bpe_read_files(eis_bpe *bpe, eis_span vocab, eis_span merges, const char *name)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;

    *bpe = (eis_bpe){.unknown = EIS_TOKEN_NONE};
    EIS_TRY(eis_json_parse(&doc, name, vocab.data, vocab.bytes, EIS_TOKENIZER_BYTES_MAX));
    st = build_gpt2(bpe, eis_json_root(doc), merges);
    if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
out:
    eis_json_free(doc);
    if (st != EIS_OK) eis_bpe_clear(bpe);
    return st;
}
