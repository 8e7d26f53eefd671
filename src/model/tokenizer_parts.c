/* SPDX-License-Identifier: Apache-2.0 */
/* normalizer, pre_tokenizer, post_processor and decoder of tokenizer.json.
 *
 * Each is null, one component, or a Sequence of components; a component is an object with a type. A Sequence inside a
 * Sequence is refused, so nothing here calls itself. */
#include "model/tokenizer_json.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 96 };

typedef eis_status (*read_component)(eis_bpe *bpe, eis_json_value value, const char *path, const char *type);

void eis_tokenizer_json_show(char out[EIS_TOKENIZER_TYPE_BYTES], eis_span text)
{
    size_t n = text.bytes < EIS_TOKENIZER_TYPE_BYTES - 1 ? text.bytes : EIS_TOKENIZER_TYPE_BYTES - 1;

    for (size_t i = 0; i < n; i++) out[i] = text.data[i] >= 0x20 && text.data[i] < 0x7F ? (char)text.data[i] : '?';
    out[n] = '\0';
}

static eis_status fail_unsupported(const char *path, const char *what)
{
    return eis_fail(EIS_ERR_UNSUPPORTED, "%s: %s is not supported", path, what);
}

static eis_status fail_type(const char *path, const char *type)
{
    return eis_fail(EIS_ERR_UNSUPPORTED, "%s: type \"%s\" is not supported", path, type);
}

static eis_status read_type(char type[EIS_TOKENIZER_TYPE_BYTES], eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    eis_span text = {0};

    EIS_REQUIRE(eis_json_type_of(value) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s must be an object", path);
    EIS_TRY(eis_json_bind_string(&text, value, path, "type", true));
    eis_tokenizer_json_show(type, text);
out:
    return st;
}

/* Reads a component, or each of a Sequence whose elements are in the member `list`. */
static eis_status read_components(eis_bpe *bpe, eis_json_value value, const char *path, const char *list,
                                  read_component read)
{
    eis_status st = EIS_OK;
    const char *const members[] = {"type", list, NULL};
    char type[EIS_TOKENIZER_TYPE_BYTES], place[PATH_BYTES];
    eis_json_value elements = {0}, element = {0};
    eis_json_iter it;

    if (eis_json_type_of(value) == EIS_JSON_NULL) return EIS_OK;
    EIS_TRY(read_type(type, value, path));
    if (strcmp(type, "Sequence") != 0) return read(bpe, value, path, type);
    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(eis_json_bind_array(&elements, value, path, list, 0, 64));
    it = eis_json_iterate(elements);
    for (size_t i = 0; eis_json_next_element(&it, &element); i++) {
        snprintf(place, sizeof place, "%s.%s[%zu]", path, list, i);
        EIS_TRY(read_type(type, element, place));
        EIS_TRY(read(bpe, element, place, type));
    }
out:
    return st;
}

/* Copies a short string member into out[EIS_SPLIT_STRING_BYTES_MAX]. */
static eis_status read_string(uint8_t *out, size_t *bytes, eis_json_value object, const char *path, const char *name)
{
    eis_status st = EIS_OK;
    eis_span text = {0};

    EIS_TRY(eis_json_bind_string(&text, object, path, name, true));
    EIS_REQUIRE(text.bytes <= EIS_SPLIT_STRING_BYTES_MAX, EIS_ERR_UNSUPPORTED, "%s: %s has more than %d bytes", path,
                name, EIS_SPLIT_STRING_BYTES_MAX);
    if (text.bytes > 0) memcpy(out, text.data, text.bytes);
    *bytes = text.bytes;
out:
    return st;
}

/* Finds the member "pattern": {"String": text} or {"Regex": text}. */
static eis_status find_pattern(eis_span *text, bool *literal, eis_json_value object, const char *path)
{
    static const char *const members[] = {"String", "Regex", NULL};
    eis_status st = EIS_OK;
    char place[PATH_BYTES];
    eis_json_value pattern = {0}, unused = {0};

    snprintf(place, sizeof place, "%s.pattern", path);
    EIS_TRY(eis_json_bind_member(&pattern, object, path, "pattern"));
    EIS_TRY(eis_json_bind_object(pattern, place, members));
    EIS_REQUIRE(eis_json_length(pattern) == 1, EIS_ERR_PARSE, "%s must have one member", place);
    *literal = eis_json_find(&unused, pattern, "String");
    EIS_TRY(eis_json_bind_string(text, pattern, place, *literal ? "String" : "Regex", true));
    EIS_REQUIRE(text->bytes > 0, EIS_ERR_PARSE, "%s is empty", place);
out:
    return st;
}

/* Replace: the same members as normaliser and as decoder step. */
static eis_status read_replace(uint8_t *pattern, size_t *pattern_bytes, uint8_t *text, size_t *text_bytes,
                               eis_json_value value, const char *path)
{
    static const char *const members[] = {"type", "pattern", "content", NULL};
    eis_status st = EIS_OK;
    eis_span found = {0};
    bool literal = false;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(find_pattern(&found, &literal, value, path));
    if (!literal) return fail_unsupported(path, "Replace with a Regex");
    EIS_REQUIRE(found.bytes <= EIS_SPLIT_STRING_BYTES_MAX, EIS_ERR_UNSUPPORTED, "%s: pattern has more than %d bytes",
                path, EIS_SPLIT_STRING_BYTES_MAX);
    memcpy(pattern, found.data, found.bytes);
    *pattern_bytes = found.bytes;
    EIS_TRY(read_string(text, text_bytes, value, path, "content"));
out:
    return st;
}

/* --- normalizer ----------------------------------------------------------------------------------------------- */

static eis_status read_normaliser(eis_bpe *bpe, eis_json_value value, const char *path, const char *type)
{
    static const char *const prepend_members[] = {"type", "prepend", NULL};
    eis_status st = EIS_OK;
    eis_split_step step = {0};

    if (strcmp(type, "Prepend") == 0) {
        step.op = EIS_SPLIT_PREPEND;
        EIS_TRY(eis_json_bind_object(value, path, prepend_members));
        EIS_TRY(read_string(step.text, &step.text_bytes, value, path, "prepend"));
    } else if (strcmp(type, "Replace") == 0) {
        step.op = EIS_SPLIT_REPLACE;
        EIS_TRY(read_replace(step.pattern, &step.pattern_bytes, step.text, &step.text_bytes, value, path));
    } else {
        return fail_type(path, type);
    }
    EIS_TRY(eis_split_add(&bpe->normaliser, &step));
out:
    return st;
}

eis_status eis_tokenizer_json_normaliser(eis_bpe *bpe, eis_json_value value)
{
    return read_components(bpe, value, "normalizer", "normalizers", read_normaliser);
}

/* --- pre_tokenizer -------------------------------------------------------------------------------------------- */

/* Adds a step that cuts by a pattern. */
static eis_status add_cut(eis_bpe *bpe, eis_split_op op, eis_span pattern, bool literal, const char *path)
{
    eis_status st = EIS_OK;
    eis_split_step step = {.op = op};

    EIS_TRY(eis_split_compile(&step.code, pattern.data, pattern.bytes, literal));
    st = eis_split_add(&bpe->pretokenizer, &step);
    if (st != EIS_OK) eis_split_list_clear(&(eis_split_list){.steps = {step}, .count = 1});
out:
    return st == EIS_OK ? st : eis_fail_prefix(st, "%s", path);
}

static eis_status add_cut_text(eis_bpe *bpe, eis_split_op op, const char *pattern, const char *path)
{
    return add_cut(bpe, op, (eis_span){(const uint8_t *)pattern, strlen(pattern)}, false, path);
}

static eis_status read_byte_level(eis_bpe *bpe, eis_json_value value, const char *path)
{
    static const char *const members[] = {"type", "add_prefix_space", "trim_offsets", "use_regex", NULL};
    eis_status st = EIS_OK;
    bool prefix_space = true, use_regex = true, trim_offsets;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(eis_json_bind_bool(&prefix_space, value, path, "add_prefix_space", false));
    EIS_TRY(eis_json_bind_bool(&use_regex, value, path, "use_regex", false));
    EIS_TRY(eis_json_bind_bool(&trim_offsets, value, path, "trim_offsets",
                               false)); /* about offsets, which we do not give */
    if (prefix_space) EIS_TRY(eis_split_add(&bpe->pretokenizer, &(eis_split_step){.op = EIS_SPLIT_PREFIX_SPACE}));
    if (use_regex) EIS_TRY(add_cut_text(bpe, EIS_SPLIT_ISOLATE, eis_split_gpt2_pattern, path));
    EIS_TRY(eis_split_add(&bpe->pretokenizer, &(eis_split_step){.op = EIS_SPLIT_BYTES_TO_CHARS}));
out:
    return st;
}

static eis_status read_split(eis_bpe *bpe, eis_json_value value, const char *path)
{
    static const char *const members[] = {"type", "pattern", "behavior", "invert", NULL};
    eis_status st = EIS_OK;
    eis_span pattern = {0}, behaviour = {0};
    char shown[EIS_TOKENIZER_TYPE_BYTES];
    bool literal = false, invert = false;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(find_pattern(&pattern, &literal, value, path));
    EIS_TRY(eis_json_bind_string(&behaviour, value, path, "behavior", true));
    EIS_TRY(eis_json_bind_bool(&invert, value, path, "invert", false));
    eis_tokenizer_json_show(shown, behaviour);
    if (strcmp(shown, "Isolated") == 0)
        return add_cut(bpe, EIS_SPLIT_ISOLATE, pattern, literal, path); /* cut on both sides: inverted it is the same */
    if (strcmp(shown, "Removed") == 0)
        return add_cut(bpe, invert ? EIS_SPLIT_KEEP_MATCHES : EIS_SPLIT_KEEP_GAPS, pattern, literal, path);
    return eis_fail(EIS_ERR_UNSUPPORTED, "%s: behavior \"%s\" is not supported", path, shown);
out:
    return st;
}

static eis_status read_digits(eis_bpe *bpe, eis_json_value value, const char *path)
{
    static const char *const members[] = {"type", "individual_digits", NULL};
    eis_status st = EIS_OK;
    bool individual = false;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(eis_json_bind_bool(&individual, value, path, "individual_digits", false));
    EIS_TRY(add_cut_text(bpe, EIS_SPLIT_ISOLATE, individual ? "\\p{N}" : "\\p{N}+", path));
out:
    return st;
}

/* Older files say add_prefix_space, newer ones prepend_scheme; both belong to pre-tokenizer and decoder. */
static eis_status read_metaspace_members(eis_split_step *step, eis_json_value value, const char *path)
{
    static const char *const members[] = {"type",           "replacement", "str_rep", "add_prefix_space",
                                          "prepend_scheme", "split",       NULL};
    eis_status st = EIS_OK;
    bool prefix_space = true;
    eis_json_value scheme = {0};

    *step = (eis_split_step){.op = EIS_SPLIT_METASPACE, .pattern = " ", .pattern_bytes = 1, .cut = true};
    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(read_string(step->text, &step->text_bytes, value, path, "replacement"));
    EIS_REQUIRE(step->text_bytes > 0 && eis_utf8_next(step->text, step->text_bytes) == step->text_bytes, EIS_ERR_PARSE,
                "%s: replacement must be one character", path);
    EIS_TRY(eis_json_bind_bool(&step->cut, value, path, "split", false));
    EIS_TRY(eis_json_bind_bool(&prefix_space, value, path, "add_prefix_space", false));
    step->scheme = prefix_space ? EIS_METASPACE_ALWAYS : EIS_METASPACE_NEVER;
    if (!eis_json_find(&scheme, value, "prepend_scheme")) return EIS_OK;
    if (eis_json_string_is(scheme, "always"))
        step->scheme = EIS_METASPACE_ALWAYS;
    else if (eis_json_string_is(scheme, "first"))
        step->scheme = EIS_METASPACE_FIRST;
    else if (eis_json_string_is(scheme, "never"))
        step->scheme = EIS_METASPACE_NEVER;
    else
        return fail_unsupported(path, "this prepend_scheme");
out:
    return st;
}

static eis_status read_pretokenizer(eis_bpe *bpe, eis_json_value value, const char *path, const char *type)
{
    eis_status st = EIS_OK;
    eis_split_step step;

    if (strcmp(type, "ByteLevel") == 0) return read_byte_level(bpe, value, path);
    if (strcmp(type, "Split") == 0) return read_split(bpe, value, path);
    if (strcmp(type, "Digits") == 0) return read_digits(bpe, value, path);
    if (strcmp(type, "Metaspace") != 0) return fail_type(path, type);
    EIS_TRY(read_metaspace_members(&step, value, path));
    EIS_TRY(eis_split_add(&bpe->pretokenizer, &step));
out:
    return st;
}

eis_status eis_tokenizer_json_pretokenizer(eis_bpe *bpe, eis_json_value value)
{
    return read_components(bpe, value, "pre_tokenizer", "pretokenizers", read_pretokenizer);
}

/* --- post_processor ------------------------------------------------------------------------------------------- */

/* Appends the ids that a special token of a template stands for. */
static eis_status add_template_ids(eis_bpe *bpe, eis_ids *ids, eis_json_value specials, eis_span name, const char *path)
{
    eis_status st = EIS_OK;
    char shown[EIS_TOKENIZER_TYPE_BYTES];
    eis_json_iter it = eis_json_iterate(specials);
    eis_json_value special = {0}, list = {0}, element = {0};
    eis_span member = {0};
    uint64_t id;

    eis_tokenizer_json_show(shown, name);
    while (eis_json_next_member(&it, &member, &special)) {
        if (member.bytes != name.bytes || memcmp(member.data, name.data, name.bytes) != 0) continue;
        EIS_TRY(eis_json_bind_array(&list, special, path, "ids", 1, 16));
        it = eis_json_iterate(list);
        while (eis_json_next_element(&it, &element)) {
            EIS_REQUIRE(eis_json_u64(&id, element) && id < bpe->vocab.count && bpe->vocab.pieces[id].present,
                        EIS_ERR_PARSE, "%s: special token \"%s\" has an id that is no token", path, shown);
            EIS_TRY(eis_ids_append(ids, (uint32_t)id));
        }
        return EIS_OK;
    }
    st = eis_fail(EIS_ERR_PARSE, "%s: special token \"%s\" is not in special_tokens", path, shown);
out:
    return st;
}

static eis_status read_template(eis_bpe *bpe, eis_json_value value, const char *path)
{
    static const char *const members[] = {"type", "single", "pair", "special_tokens", NULL};
    eis_status st = EIS_OK;
    eis_json_value single = {0}, specials = {0}, element = {0}, inner = {0}, id = {0};
    eis_json_iter it;
    eis_span name = {0};
    bool text_seen = false;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(eis_json_bind_array(&single, value, path, "single", 1, 64));
    EIS_TRY(eis_json_bind_member(&specials, value, path, "special_tokens"));
    EIS_REQUIRE(bpe->prefix.count + bpe->suffix.count == 0, EIS_ERR_UNSUPPORTED,
                "%s: a second template is not supported", path);
    it = eis_json_iterate(single);
    while (eis_json_next_element(&it, &element)) {
        if (eis_json_find(&inner, element, "Sequence")) {
            EIS_REQUIRE(!text_seen && eis_json_find(&id, inner, "id") && eis_json_string_is(id, "A"), EIS_ERR_PARSE,
                        "%s: single must hold the sequence A once", path);
            text_seen = true;
        } else {
            EIS_TRY(eis_json_bind_member(&inner, element, path, "SpecialToken"));
            EIS_TRY(eis_json_bind_string(&name, inner, path, "id", true));
            EIS_TRY(add_template_ids(bpe, text_seen ? &bpe->suffix : &bpe->prefix, specials, name, path));
        }
    }
    EIS_REQUIRE(text_seen, EIS_ERR_PARSE, "%s: single must hold the sequence A once", path);
out:
    return st;
}

static eis_status read_postprocessor(eis_bpe *bpe, eis_json_value value, const char *path, const char *type)
{
    /* ByteLevel only trims offsets, which we do not give. */
    if (strcmp(type, "ByteLevel") == 0) return EIS_OK;
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(bpe, value, path);
    return fail_type(path, type);
}

eis_status eis_tokenizer_json_postprocessor(eis_bpe *bpe, eis_json_value value)
{
    return read_components(bpe, value, "post_processor", "processors", read_postprocessor);
}

/* --- decoder -------------------------------------------------------------------------------------------------- */

static bool has_op(const eis_bpe *bpe, eis_bpe_decode_op op)
{
    for (size_t i = 0; i < bpe->decode_count; i++)
        if (bpe->decode[i].op == op) return true;
    return false;
}

static eis_status add_decode_metaspace(eis_bpe *bpe, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    eis_split_step members;
    eis_bpe_decode_step step = {.op = EIS_BPE_DECODE_DROP_AT_START, .text = " ", .text_bytes = 1};

    EIS_TRY(read_metaspace_members(&members, value, path));
    memcpy(step.pattern, members.text, sizeof step.pattern);
    step.pattern_bytes = members.text_bytes;
    if (members.scheme != EIS_METASPACE_NEVER) EIS_TRY(eis_bpe_add_decode(bpe, &step));
    step.op = EIS_BPE_DECODE_REPLACE;
    EIS_TRY(eis_bpe_add_decode(bpe, &step));
out:
    return st;
}

/* Behind a Fuse there is one text in place of tokens: stripping then means its start, not that of each token. */
static eis_status add_decode_strip(eis_bpe *bpe, eis_json_value value, const char *path, bool fused)
{
    static const char *const members[] = {"type", "content", "start", "stop", NULL};
    eis_status st = EIS_OK;
    eis_bpe_decode_step step = {.op = fused ? EIS_BPE_DECODE_STRIP_AT_START : EIS_BPE_DECODE_STRIP};
    uint64_t start = 0, stop = 0;

    EIS_TRY(eis_json_bind_object(value, path, members));
    EIS_TRY(read_string(step.pattern, &step.pattern_bytes, value, path, "content"));
    EIS_TRY(eis_json_bind_u64(&start, value, path, "start", true, 0, UINT32_MAX));
    EIS_TRY(eis_json_bind_u64(&stop, value, path, "stop", true, 0, UINT32_MAX));
    EIS_REQUIRE(step.pattern_bytes > 0 && eis_utf8_next(step.pattern, step.pattern_bytes) == step.pattern_bytes,
                EIS_ERR_PARSE, "%s: content must be one character", path);
    if (start > 1 || stop > 0) return fail_unsupported(path, "Strip of more than one character at the start");
    if (start == 1) EIS_TRY(eis_bpe_add_decode(bpe, &step));
out:
    return st;
}

static eis_status add_decode_replace(eis_bpe *bpe, eis_json_value value, const char *path, bool fused)
{
    eis_status st = EIS_OK;
    eis_bpe_decode_step step = {.op = EIS_BPE_DECODE_REPLACE};

    EIS_TRY(read_replace(step.pattern, &step.pattern_bytes, step.text, &step.text_bytes, value, path));
    if (fused && eis_utf8_next(step.pattern, step.pattern_bytes) != step.pattern_bytes)
        return fail_unsupported(path, "Replace of several characters behind Fuse");
    EIS_TRY(eis_bpe_add_decode(bpe, &step));
out:
    return st;
}

/* A Fuse leaves no step, but what stands behind it must know; the mark is a Replace of nothing by nothing, which would
 * never match and is taken out at the end. */
static bool is_fuse(const eis_bpe_decode_step *step)
{
    return step->op == EIS_BPE_DECODE_REPLACE && step->pattern_bytes == 0;
}

static eis_status read_decoder(eis_bpe *bpe, eis_json_value value, const char *path, const char *type)
{
    bool fused = false;

    for (size_t i = 0; i < bpe->decode_count; i++) fused = fused || is_fuse(&bpe->decode[i]);
    if (strcmp(type, "Replace") == 0) return add_decode_replace(bpe, value, path, fused);
    if (strcmp(type, "Strip") == 0) return add_decode_strip(bpe, value, path, fused);
    if (strcmp(type, "Fuse") == 0) return eis_bpe_add_decode(bpe, &(eis_bpe_decode_step){.op = EIS_BPE_DECODE_REPLACE});
    if (fused) return fail_unsupported(path, "this type behind Fuse");
    if (strcmp(type, "ByteLevel") == 0 && !has_op(bpe, EIS_BPE_DECODE_CHARS))
        return eis_bpe_add_decode(bpe, &(eis_bpe_decode_step){.op = EIS_BPE_DECODE_CHARS});
    if (strcmp(type, "ByteFallback") == 0)
        return eis_bpe_add_decode(bpe, &(eis_bpe_decode_step){.op = EIS_BPE_DECODE_BYTE_PIECE});
    if (strcmp(type, "Metaspace") == 0) return add_decode_metaspace(bpe, value, path);
    return fail_type(path, type);
}

eis_status eis_tokenizer_json_decoder(eis_bpe *bpe, eis_json_value value)
{
    eis_status st = EIS_OK;
    size_t kept = 0;

    if (eis_json_type_of(value) == EIS_JSON_NULL) return fail_unsupported("decoder", "null (tokens joined by spaces)");
    EIS_TRY(read_components(bpe, value, "decoder", "decoders", read_decoder));
    for (size_t i = 0; i < bpe->decode_count; i++)
        if (!is_fuse(&bpe->decode[i])) bpe->decode[kept++] = bpe->decode[i];
    bpe->decode_count = kept;
out:
    return st;
}
