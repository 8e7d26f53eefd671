/* SPDX-License-Identifier: Apache-2.0 */
/* A Hugging Face directory: which files hold the tensors. With shards, model.safetensors.index.json says which
 * tensor lies where:
 *
 *   { "metadata": {...}, "weight_map": { "TENSOR": "model-00001-of-00002.safetensors", ... } } */
#include "model/hf.h"

#include "base/mem.h"
#include "model/files.h"
#include "wire/json.h"

#include <string.h>

#define INDEX_BYTES_MAX      ((size_t)64 << 20)
#define SHARD_NAME_BYTES_MAX 128
#define SHARDS_MAX           1024u

/* The names of the shards, in the order in which the index mentions them. */
typedef struct shards {
    char (*names)[SHARD_NAME_BYTES_MAX]; /* [SHARDS_MAX] */
    uint32_t count;
} shards;

/* A shard is a plain name of visible ASCII in the same directory; an index must not open files elsewhere. */
static bool is_plain_name(eis_span name)
{
    if (name.bytes == 0 || name.bytes >= SHARD_NAME_BYTES_MAX || name.data[0] == '.') return false;
    for (size_t i = 0; i < name.bytes; i++)
        if (name.data[i] <= 0x20 || name.data[i] >= 0x7f || name.data[i] == '/') return false;
    return true;
}

/* Returns whether a name of a file is that of the span. */
static bool same(const char *name, eis_span span)
{
    return strlen(name) == span.bytes && memcmp(name, span.data, span.bytes) == 0;
}

static eis_status add_shard(shards *s, eis_json_value value, const char *file)
{
    eis_span name;

    if (!eis_json_string(&name, value) || !is_plain_name(name))
        return eis_fail(EIS_ERR_MODEL, "%s: weight_map: shards must be names of files in the same directory", file);
    for (uint32_t i = s->count; i-- > 0;)
        if (same(s->names[i], name)) return EIS_OK;
    if (s->count == SHARDS_MAX) return eis_fail(EIS_ERR_MODEL, "%s: weight_map: more than %u shards", file, SHARDS_MAX);
    memcpy(s->names[s->count], name.data, name.bytes);
    s->names[s->count++][name.bytes] = '\0';
    return EIS_OK;
}

static eis_status open_in(eis_safetensors *table, eis_model *model, const char *directory, const char *name)
{
    char *path = eis_file_join(directory, name);
    eis_status st = path == NULL ? EIS_ERR_MEMORY : eis_safetensors_open(table, model, path);

    eis_mem_free(path);
    return st;
}

/* Each tensor that the index promises must lie in the shard that it names. */
static eis_status check_place(const eis_safetensors *table, eis_span tensor, eis_json_value shard, const char *file)
{
    eis_status st = EIS_OK;
    char name[EIS_SAFETENSORS_NAME_BYTES_MAX + 1];
    const eis_safetensors_entry *entry = NULL;
    const char *base = NULL;
    eis_span expected;

    if (tensor.bytes <= EIS_SAFETENSORS_NAME_BYTES_MAX && memchr(tensor.data, 0, tensor.bytes) == NULL) {
        memcpy(name, tensor.data, tensor.bytes);
        name[tensor.bytes] = '\0';
        entry = eis_safetensors_find(table, name);
    }
    EIS_REQUIRE(entry != NULL, EIS_ERR_MODEL, "%s: weight_map names a tensor that no shard holds", file);
    base = strrchr(entry->file, '/');
    base = base == NULL ? entry->file : base + 1;
    EIS_REQUIRE(eis_json_string(&expected, shard) && same(base, expected), EIS_ERR_MODEL,
                "%s: weight_map puts tensor %s into another shard than %s, which holds it", file, entry->name, base);
out:
    return st;
}

static eis_status open_shards(eis_safetensors *table, eis_model *model, const char *directory, eis_json_value map,
                              const char *file)
{
    eis_status st = EIS_OK;
    shards s = {0};
    eis_json_iter it = eis_json_iterate(map);
    eis_json_value shard;
    eis_span tensor;

    EIS_NEW(s.names, SHARDS_MAX);
    while (eis_json_next_member(&it, &tensor, &shard)) EIS_TRY(add_shard(&s, shard, file));
    EIS_REQUIRE(s.count > 0, EIS_ERR_MODEL, "%s: weight_map is empty", file);
    for (uint32_t i = 0; i < s.count; i++) EIS_TRY(open_in(table, model, directory, s.names[i]));
    it = eis_json_iterate(map);
    while (eis_json_next_member(&it, &tensor, &shard)) EIS_TRY(check_place(table, tensor, shard, file));
out:
    eis_mem_free(s.names);
    return st;
}

static eis_status open_index(eis_safetensors *table, eis_model *model, const char *directory)
{
    eis_status st = EIS_OK;
    eis_mapping text = {0};
    eis_json_doc *doc = NULL;
    eis_json_value map;
    char *path = eis_file_join(directory, "model.safetensors.index.json");

    if (path == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_file_map(&text, path));
    EIS_TRY(eis_json_parse(&doc, path, text.bytes.data, text.bytes.bytes, INDEX_BYTES_MAX));
    EIS_TRY(eis_json_bind_member(&map, eis_json_root(doc), path, "weight_map"));
    EIS_REQUIRE(eis_json_type_of(map) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s: weight_map must be an object", path);
    EIS_TRY(open_shards(table, model, directory, map, path));
out:
    eis_json_free(doc);
    eis_file_unmap(&text);
    eis_mem_free(path);
    return st;
}

static eis_status read_config(eis_hf_config *config, const char *directory)
{
    eis_status st = EIS_OK;
    eis_mapping text = {0};
    char *path = eis_file_join(directory, "config.json");

    if (path == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_file_map(&text, path));
    EIS_TRY(eis_hf_config_read(config, text.bytes, path));
out:
    eis_file_unmap(&text);
    eis_mem_free(path);
    return st;
}

eis_status eis_hf_load(eis_model *model, const char *directory)
{
    eis_status st = EIS_OK;
    eis_hf_config config;
    eis_safetensors table = {0};

    EIS_TRY(read_config(&config, directory));
    if (eis_file_exists(directory, "model.safetensors")) {
        EIS_TRY(open_in(&table, model, directory, "model.safetensors"));
    } else if (eis_file_exists(directory, "model.safetensors.index.json")) {
        EIS_TRY(open_index(&table, model, directory));
    } else {
        st = eis_fail(EIS_ERR_FILE, "%s: holds neither model.safetensors nor model.safetensors.index.json", directory);
        goto out;
    }
    EIS_TRY(eis_hf_build(model, &config, &table));
out:
    eis_safetensors_clear(&table);
    return st;
}
