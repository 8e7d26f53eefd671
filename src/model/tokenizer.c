/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind of tokenizer a path holds, and the common face of both kinds. */
#include "model/tokenizer.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "model/files.h"
#include "model/tokenizer_bpe.h"
#include "model/tokenizer_llama2c.h"

#include <string.h>

enum { IDS_MIN = 64, SIZE_BYTES = 8 };

struct eis_tokenizer {
    eis_tokenizer_kind kind;
    eis_llama2c llama2c; /* EIS_TOKENIZER_LLAMA2C */
    eis_bpe bpe;         /* else */
};

/* --- files ---------------------------------------------------------------------------------------------------- */

static const struct {
    eis_tokenizer_kind kind;
    const char *name;
} kind_names[] = {
    {EIS_TOKENIZER_LLAMA2C, "tokenizer.bin"},
    {EIS_TOKENIZER_JSON, "tokenizer.json"},
    {EIS_TOKENIZER_VOCAB_MERGES, "vocab+merges"},
};

const char *eis_tokenizer_kind_name(eis_tokenizer_kind kind)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        if (kind_names[i].kind == kind) return kind_names[i].name;
    return NULL;
}

eis_tokenizer_kind eis_tokenizer_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        if (strcmp(kind_names[i].name, name) == 0) return kind_names[i].kind;
    return EIS_TOKENIZER_NONE;
}

static eis_status map_limited(eis_mapping *mapping, const char *path)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_file_map(mapping, path));
    EIS_REQUIRE(mapping->bytes.bytes <= EIS_TOKENIZER_BYTES_MAX, EIS_ERR_TOO_LARGE,
                "%s: %zu bytes; a tokenizer file may have %zu", path, mapping->bytes.bytes, EIS_TOKENIZER_BYTES_MAX);
out:
    return st;
}

/* Copies one file, or two with the size of the first in front. */
static eis_status make_source(eis_tokenizer_source *source, eis_tokenizer_kind kind, eis_span one, const eis_span *two)
{
    eis_status st = EIS_OK;
    eis_tokenizer_source made = {.kind = kind, .bytes = one.bytes + (two ? SIZE_BYTES + two->bytes : 0)};
    uint8_t *at;

    EIS_NEW(made.data, made.bytes);
    at = made.data;
    if (two != NULL) {
        eis_store_le64(at, one.bytes);
        at += SIZE_BYTES;
    }
    if (one.bytes > 0) memcpy(at, one.data, one.bytes);
    if (two != NULL && two->bytes > 0) memcpy(at + one.bytes, two->data, two->bytes);
    *source = made;
out:
    return st;
}

static eis_status read_pair(eis_tokenizer_source *source, const char *vocab_path, const char *merges_path)
{
    eis_status st = EIS_OK;
    eis_mapping vocab = {0}, merges = {0};

    EIS_TRY(map_limited(&vocab, vocab_path));
    EIS_TRY(map_limited(&merges, merges_path));
    EIS_TRY(make_source(source, EIS_TOKENIZER_VOCAB_MERGES, vocab.bytes, &merges.bytes));
out:
    eis_file_unmap(&vocab);
    eis_file_unmap(&merges);
    return st;
}

static bool looks_like_json(eis_span file)
{
    size_t at = 0;

    while (at < file.bytes && (file.data[at] == ' ' || (file.data[at] >= '\t' && file.data[at] <= '\r'))) at++;
    return at < file.bytes && file.data[at] == '{';
}

static eis_status read_single(eis_tokenizer_source *source, const char *path)
{
    eis_status st = EIS_OK;
    eis_mapping file = {0};

    EIS_TRY(map_limited(&file, path));
    EIS_TRY(make_source(source, looks_like_json(file.bytes) ? EIS_TOKENIZER_JSON : EIS_TOKENIZER_LLAMA2C, file.bytes,
                        NULL));
out:
    eis_file_unmap(&file);
    return st;
}

/* The two names under which a vocabulary and its merges come. */
static const struct {
    const char *vocab, *merges;
} pair_names[] = {{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}};

/* Reads a pair from a directory if it is there. */
static eis_status try_pair(bool *found, eis_tokenizer_source *source, const char *directory, size_t which)
{
    eis_status st = EIS_OK;
    char *vocab = NULL, *merges = NULL;

    *found =
        eis_file_exists(directory, pair_names[which].vocab) && eis_file_exists(directory, pair_names[which].merges);
    if (!*found) return EIS_OK;
    vocab = eis_file_join(directory, pair_names[which].vocab);
    merges = eis_file_join(directory, pair_names[which].merges);
    if (vocab == NULL || merges == NULL)
        st = EIS_ERR_MEMORY;
    else
        st = read_pair(source, vocab, merges);
    eis_mem_free(vocab);
    eis_mem_free(merges);
    return st;
}

static eis_status try_single(bool *found, eis_tokenizer_source *source, const char *directory, const char *name)
{
    eis_status st = EIS_OK;
    char *path = NULL;

    *found = eis_file_exists(directory, name);
    if (!*found) return EIS_OK;
    path = eis_file_join(directory, name);
    st = path == NULL ? EIS_ERR_MEMORY : read_single(source, path);
    eis_mem_free(path);
    return st;
}

static eis_status read_directory(eis_tokenizer_source *source, const char *path)
{
    eis_status st = EIS_OK;
    bool found;

    EIS_TRY(try_single(&found, source, path, "tokenizer.json"));
    for (size_t i = 0; i < 2 && !found; i++) EIS_TRY(try_pair(&found, source, path, i));
    if (!found) EIS_TRY(try_single(&found, source, path, "tokenizer.bin"));
    EIS_REQUIRE(found, EIS_ERR_NOT_FOUND,
                "%s: no tokenizer.json, vocab.json with merges.txt, encoder.json with vocab.bpe, or tokenizer.bin; "
                "name a tokenizer file",
                path);
out:
    return st;
}

/* A path to vocab.json or encoder.json itself, when its merges lie beside it. */
static eis_status try_named_pair(bool *found, eis_tokenizer_source *source, const char *path)
{
    eis_status st = EIS_OK;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *directory = NULL;

    *found = false;
    for (size_t i = 0; i < 2 && !*found; i++) {
        if (strcmp(name, pair_names[i].vocab) != 0) continue;
        directory = eis_mem_strdup(slash ? path : "./");
        if (directory == NULL) return EIS_ERR_MEMORY;
        if (slash) directory[slash - path + 1] = '\0';
        st = try_pair(found, source, directory, i);
        eis_mem_free(directory);
        if (st != EIS_OK) return st;
    }
    return st;
}

eis_status eis_tokenizer_source_read(eis_tokenizer_source *source, const char *path)
{
    eis_status st = EIS_OK;
    bool found;

    if (eis_file_is_directory(path)) return read_directory(source, path);
    EIS_TRY(try_named_pair(&found, source, path));
    if (!found) EIS_TRY(read_single(source, path));
out:
    return st;
}

void eis_tokenizer_source_clear(eis_tokenizer_source *source)
{
    eis_mem_free(source->data);
    *source = (eis_tokenizer_source){0};
}

/* --- building ------------------------------------------------------------------------------------------------- */

static eis_status read_vocab_merges(eis_bpe *bpe, const uint8_t *data, size_t bytes, const char *name)
{
    uint64_t vocab_bytes = bytes >= SIZE_BYTES ? eis_load_le64(data) : 0;

    if (bytes < SIZE_BYTES || vocab_bytes > bytes - SIZE_BYTES)
        return eis_fail(EIS_ERR_PARSE, "%s: cut off in the vocabulary", name);
    data += SIZE_BYTES;
    return eis_bpe_read_files(bpe, (eis_span){data, (size_t)vocab_bytes},
                              (eis_span){data + vocab_bytes, bytes - SIZE_BYTES - (size_t)vocab_bytes}, name);
}

eis_status eis_tokenizer_new(eis_tokenizer **tokenizer, eis_tokenizer_kind kind, const uint8_t *data, size_t bytes,
                             uint32_t vocab_count, const char *name)
{
    eis_status st = EIS_OK;
    eis_tokenizer *made = NULL;

    *tokenizer = NULL;
    EIS_NEW(made, 1);
    made->kind = kind;
    switch (kind) {
    case EIS_TOKENIZER_LLAMA2C:
        st = eis_llama2c_read(&made->llama2c, data, bytes, vocab_count);
        if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
        break;
    case EIS_TOKENIZER_JSON:
        st = eis_bpe_read_json(&made->bpe, data, bytes, name);
        break;
    case EIS_TOKENIZER_VOCAB_MERGES:
        st = read_vocab_merges(&made->bpe, data, bytes, name);
        break;
    case EIS_TOKENIZER_NONE:
    default:
        st = eis_fail(EIS_ERR_UNSUPPORTED, "%s: unknown kind of tokenizer", name);
        break;
    }
    if (st == EIS_OK) {
        *tokenizer = made;
        made = NULL;
    }
out:
    eis_tokenizer_free(made);
    return st;
}

eis_status eis_tokenizer_open(eis_tokenizer **tokenizer, const char *path, uint32_t vocab_count)
{
    eis_status st = EIS_OK;
    eis_tokenizer_source source = {0};

    *tokenizer = NULL;
    EIS_TRY(eis_tokenizer_source_read(&source, path));
    EIS_TRY(eis_tokenizer_new(tokenizer, source.kind, source.data, source.bytes, vocab_count, path));
out:
    eis_tokenizer_source_clear(&source);
    return st;
}

void eis_tokenizer_free(eis_tokenizer *tokenizer)
{
    if (tokenizer == NULL) return;
    eis_llama2c_clear(&tokenizer->llama2c);
    eis_bpe_clear(&tokenizer->bpe);
    eis_mem_free(tokenizer);
}

/* --- use ------------------------------------------------------------------------------------------------------ */

uint32_t eis_tokenizer_count(const eis_tokenizer *tokenizer)
{
    return tokenizer->kind == EIS_TOKENIZER_LLAMA2C ? tokenizer->llama2c.vocab.count : tokenizer->bpe.vocab.count;
}

bool eis_tokenizer_bos(const eis_tokenizer *tokenizer, uint32_t *id)
{
    if (tokenizer->kind == EIS_TOKENIZER_LLAMA2C) {
        *id = EIS_LLAMA2C_BOS;
        return true;
    }
    if (tokenizer->bpe.prefix.count == 0) return false;
    *id = tokenizer->bpe.prefix.ids[0];
    return true;
}

bool eis_tokenizer_ends_text(const eis_tokenizer *tokenizer, uint32_t id)
{
    return tokenizer->kind == EIS_TOKENIZER_LLAMA2C && (id == EIS_LLAMA2C_BOS || id == EIS_LLAMA2C_EOS);
}

eis_status eis_tokenizer_encode(const eis_tokenizer *tokenizer, eis_ids *ids, const uint8_t *text, size_t bytes)
{
    size_t valid = eis_utf8_valid_prefix(text, bytes);

    if (valid != bytes) return eis_fail(EIS_ERR_ENCODING, "the text is not UTF-8 at byte %zu", valid);
    if (tokenizer->kind == EIS_TOKENIZER_LLAMA2C) return eis_llama2c_encode(&tokenizer->llama2c, ids, text, bytes);
    return eis_bpe_encode(&tokenizer->bpe, ids, text, bytes);
}

eis_status eis_tokenizer_decode(const eis_tokenizer *tokenizer, eis_text *text, uint32_t previous, uint32_t id)
{
    if (tokenizer->kind == EIS_TOKENIZER_LLAMA2C) return eis_llama2c_decode(&tokenizer->llama2c, text, previous, id);
    return eis_bpe_decode(&tokenizer->bpe, text, previous, id);
}

eis_status eis_ids_append(eis_ids *ids, uint32_t id)
{
    eis_status st = EIS_OK;
    size_t wanted;

    if (ids->count == ids->capacity) {
        wanted = ids->capacity < IDS_MIN ? IDS_MIN : ids->capacity * 2;
        EIS_TRY(eis_mem_resize(&ids->ids, ids->capacity, wanted, sizeof *ids->ids));
        ids->capacity = wanted;
    }
    ids->ids[ids->count++] = id;
out:
    return st;
}

void eis_ids_clear(eis_ids *ids)
{
    eis_mem_free_wiped(ids->ids, ids->capacity, sizeof *ids->ids);
    *ids = (eis_ids){0};
}

/* --- streaming ------------------------------------------------------------------------------------------------ */

void eis_decoder_init(eis_decoder *decoder, const eis_tokenizer *tokenizer)
{
    *decoder = (eis_decoder){.tokenizer = tokenizer, .previous = EIS_TOKEN_NONE};
}

/* Whether this id counts as what comes before the next one. A special token of tokenizer.json has no bytes and changes
 * nothing for the tokens behind it, except when nothing has come yet; BOS of a llama2.c file always counts. */
static bool counts_as_previous(const eis_tokenizer *tokenizer, uint32_t id)
{
    const eis_vocab *vocab = &tokenizer->bpe.vocab;

    return tokenizer->kind == EIS_TOKENIZER_LLAMA2C || (id < vocab->count && !vocab->pieces[id].special);
}

eis_status eis_decoder_push(eis_decoder *decoder, eis_text *text, uint32_t id)
{
    eis_status st = EIS_OK;
    eis_text now = {0};
    size_t waiting;

    EIS_TRY(eis_text_append(&now, decoder->held, decoder->held_bytes));
    EIS_TRY(eis_tokenizer_decode(decoder->tokenizer, &now, decoder->previous, id));
    waiting = eis_utf8_unfinished_suffix(now.data, now.bytes);
    EIS_TRY(eis_text_append(text, now.data, now.bytes - waiting));
    EIS_ASSERT(waiting < sizeof decoder->held);
    for (size_t i = 0; i < waiting; i++) decoder->held[i] = now.data[now.bytes - waiting + i];
    decoder->held_bytes = waiting;
    if (counts_as_previous(decoder->tokenizer, id)) decoder->previous = id;
out:
    eis_text_clear(&now);
    return st;
}

eis_status eis_decoder_finish(eis_decoder *decoder, eis_text *text)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_text_append(text, decoder->held, decoder->held_bytes));
    decoder->held_bytes = 0;
out:
    return st;
}
