/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors:
 *
 *   u64 header length n | n bytes of JSON | data
 *   { "__metadata__": {...}, "NAME": { "dtype": "F32", "shape": [..], "data_offsets": [begin, end] }, ... }
 *
 * Offsets count from the data. The format allows no overlap and no hole, and neither do we: bytes that no tensor
 * names would be a place to hide something in a file whose digest somebody signs. */
#include "model/safetensors.h"

#include "base/mem.h"
#include "wire/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that belongs to the table, one block per file. */
struct eis_safetensors_names {
    struct eis_safetensors_names *next;
    char *text;
};

static const struct {
    const char *name;
    uint32_t bytes;
} known_types[] = {
    {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I64", 8},  {"I32", 4},
    {"I16", 2}, {"I8", 1},  {"U64", 8}, {"U32", 4},  {"U16", 2},     {"U8", 1},      {"BOOL", 1},
};

/* Returns the bytes of one element, or 0 for a type that is not known. */
static uint32_t type_bytes(const char *dtype)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++)
        if (strcmp(known_types[i].name, dtype) == 0) return known_types[i].bytes;
    return 0;
}

/* Names go into messages and terminals: no control characters, no zero bytes. */
static bool is_name(eis_span name)
{
    if (name.bytes == 0 || name.bytes > EIS_SAFETENSORS_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.bytes; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) return false;
    return true;
}

static eis_status read_shape(eis_safetensors_entry *entry, eis_json_value object, const char *path)
{
    eis_status st = EIS_OK;
    eis_json_value shape, element;
    eis_json_iter it;
    size_t count = 1;

    EIS_TRY(eis_json_bind_array(&shape, object, path, "shape", 0, EIS_SAFETENSORS_RANK_MAX));
    it = eis_json_iterate(shape);
    while (eis_json_next_element(&it, &element)) {
        EIS_REQUIRE(eis_json_u64(&entry->shape[entry->rank], element), EIS_ERR_PARSE,
                    "%s.shape must hold whole numbers, none negative", path);
        EIS_REQUIRE(eis_size_mul(&count, count, entry->shape[entry->rank]), EIS_ERR_MODEL, "%s: the shape overflows",
                    path);
        entry->rank++;
    }
    entry->count = count;
out:
    return st;
}

/* Reads one member of the table; `data` is all that follows the header. */
static eis_status read_entry(eis_safetensors_entry *entry, eis_json_value object, const char *path, eis_span data)
{
    static const char *const members[] = {"dtype", "shape", "data_offsets", NULL};
    eis_status st = EIS_OK;
    uint64_t offset[2];
    size_t bytes;

    EIS_TRY(eis_json_bind_object(object, path, members));
    EIS_TRY(eis_json_bind_text(entry->dtype, sizeof entry->dtype, object, path, "dtype", true));
    EIS_REQUIRE(type_bytes(entry->dtype) != 0, EIS_ERR_UNSUPPORTED, "%s.dtype is not one that we know", path);
    EIS_TRY(read_shape(entry, object, path));
    EIS_TRY(eis_json_bind_u64_array(offset, 2, object, path, "data_offsets", true, 0, UINT64_MAX));
    EIS_REQUIRE(offset[0] <= offset[1] && offset[1] <= data.bytes, EIS_ERR_MODEL,
                "%s: data_offsets [%llu, %llu] do not lie inside the %zu bytes of data; the file may be cut off", path,
                (unsigned long long)offset[0], (unsigned long long)offset[1], data.bytes);
    EIS_REQUIRE(eis_size_mul(&bytes, entry->count, type_bytes(entry->dtype)) && bytes == offset[1] - offset[0],
                EIS_ERR_MODEL, "%s: %llu bytes of data do not fit type and shape", path,
                (unsigned long long)(offset[1] - offset[0]));
    entry->data = (eis_span){data.data + offset[0], bytes};
out:
    return st;
}

static int by_place(const void *a, const void *b)
{
    const eis_safetensors_entry *x = a, *y = b;

    if (x->data.data != y->data.data) return x->data.data < y->data.data ? -1 : 1;
    return (x->data.bytes > y->data.bytes) - (x->data.bytes < y->data.bytes); /* empty tensors come first */
}

static int by_name(const void *a, const void *b)
{
    const eis_safetensors_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* The tensors must cover the data once, without gaps. */
static eis_status check_cover(eis_safetensors_entry *entries, uint32_t count, eis_span data, const char *file)
{
    const uint8_t *at = data.data, *end = data.data + data.bytes;

    if (count > 0) qsort(entries, count, sizeof *entries, by_place);
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].data.data < at)
            return eis_fail(EIS_ERR_MODEL, "%s: tensor %s overlaps tensor %s", file, entries[i].name,
                            entries[i - 1].name);
        if (entries[i].data.data > at)
            return eis_fail(EIS_ERR_MODEL, "%s: there are bytes before tensor %s that belong to no tensor", file,
                            entries[i].name);
        at += entries[i].data.bytes;
    }
    if (at != end)
        return eis_fail(EIS_ERR_MODEL, "%s: %zu bytes at the end belong to no tensor", file, (size_t)(end - at));
    return EIS_OK;
}

/* Splits a file into its JSON and its data. */
static eis_status find_header(eis_span *header, eis_span *data, eis_span file, const char *name)
{
    eis_status st = EIS_OK;
    uint64_t length;

    EIS_REQUIRE(file.bytes >= 8, EIS_ERR_MODEL, "%s: %zu bytes are too short for a safetensors file", name, file.bytes);
    length = eis_load_le64(file.data);
    EIS_REQUIRE(length <= EIS_SAFETENSORS_HEADER_BYTES_MAX, EIS_ERR_MODEL,
                "%s: the header claims %llu bytes, more than the %u that the format allows", name,
                (unsigned long long)length, EIS_SAFETENSORS_HEADER_BYTES_MAX);
    EIS_REQUIRE(length <= file.bytes - 8, EIS_ERR_MODEL,
                "%s: the header claims %llu bytes, the file has %zu; it may be cut off", name,
                (unsigned long long)length, file.bytes - 8);
    EIS_REQUIRE(length > 0 && file.data[8] == '{', EIS_ERR_MODEL, "%s: the header is no JSON object", name);
    *header = (eis_span){file.data + 8, (size_t)length};
    *data = (eis_span){file.data + 8 + length, file.bytes - 8 - (size_t)length};
out:
    return st;
}

/* Reads all members of the table into fresh entries; their names are copied behind each other into `text`. */
static eis_status read_table(eis_safetensors_entry *entries, uint32_t *count, char *text, const char *file,
                             eis_json_value root, eis_span data)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(root);
    eis_json_value value;
    eis_span name;
    char path[EIS_SAFETENSORS_NAME_BYTES_MAX + 256];

    *count = 0;
    while (eis_json_next_member(&it, &name, &value)) {
        if (name.bytes == 12 && memcmp(name.data, "__metadata__", 12) == 0) continue;
        EIS_REQUIRE(is_name(name), EIS_ERR_MODEL,
                    "%s: tensor %u of the header has an empty, too long or unprintable name", file, *count);
        eis_safetensors_entry *entry = &entries[(*count)++];
        memcpy(text, name.data, name.bytes);
        entry->name = text;
        entry->file = file;
        text += name.bytes + 1;
        snprintf(path, sizeof path, "%.200s: tensor %s", file, entry->name);
        EIS_TRY(read_entry(entry, value, path, data));
    }
    EIS_TRY(check_cover(entries, *count, data, file));
out:
    return st;
}

/* Puts checked entries into the table. */
static eis_status merge(eis_safetensors *table, const eis_safetensors_entry *entries, uint32_t count)
{
    eis_status st = EIS_OK;
    eis_safetensors_entry *all = NULL;

    EIS_REQUIRE(count <= UINT32_MAX - table->count, EIS_ERR_MODEL, "too many tensors");
    EIS_NEW(all, (size_t)table->count + count);
    if (table->count > 0) memcpy(all, table->entries, table->count * sizeof *all);
    if (count > 0) memcpy(all + table->count, entries, count * sizeof *all);
    qsort(all, table->count + count, sizeof *all, by_name);
    for (uint32_t i = 1; i < table->count + count; i++)
        EIS_REQUIRE(strcmp(all[i - 1].name, all[i].name) != 0, EIS_ERR_MODEL, "%s and %s: both hold tensor %s",
                    all[i - 1].file, all[i].file, all[i].name);
    eis_mem_free(table->entries);
    table->entries = all;
    table->count += count;
    all = NULL;
out:
    eis_mem_free(all);
    return st;
}

eis_status eis_safetensors_add(eis_safetensors *table, eis_span file, const char *file_name)
{
    eis_status st = EIS_OK;
    eis_span header = {0}, data = {0};
    eis_json_doc *doc = NULL;
    eis_safetensors_entry *entries = NULL;
    struct eis_safetensors_names *names = NULL;
    uint32_t count = 0;
    size_t members;
    const size_t file_bytes = strlen(file_name) + 1;

    EIS_TRY(find_header(&header, &data, file, file_name));
    EIS_TRY(eis_json_parse(&doc, file_name, header.data, header.bytes, EIS_SAFETENSORS_HEADER_BYTES_MAX));
    members = eis_json_length(eis_json_root(doc));
    EIS_NEW(names, 1);
    /* Unescaped names are never longer than the JSON that they stand in; each brings a zero in place of its quotes. */
    EIS_NEW(names->text, file_bytes + header.bytes);
    memcpy(names->text, file_name, file_bytes);
    EIS_NEW(entries, members);
    EIS_TRY(read_table(entries, &count, names->text + file_bytes, names->text, eis_json_root(doc), data));
    EIS_TRY(merge(table, entries, count));
    names->next = table->names;
    table->names = names;
    names = NULL;
out:
    if (names != NULL) eis_mem_free(names->text);
    eis_mem_free(names);
    eis_mem_free(entries);
    eis_json_free(doc);
    return st;
}

eis_status eis_safetensors_open(eis_safetensors *table, eis_model *model, const char *path)
{
    eis_status st = EIS_OK;
    eis_span file = {0};

    EIS_TRY(eis_model_map_file(model, path, &file));
    EIS_TRY(eis_safetensors_add(table, file, path));
out:
    return st;
}

void eis_safetensors_clear(eis_safetensors *table)
{
    struct eis_safetensors_names *next;

    for (struct eis_safetensors_names *names = table->names; names != NULL; names = next) {
        next = names->next;
        eis_mem_free(names->text);
        eis_mem_free(names);
    }
    eis_mem_free(table->entries);
    *table = (eis_safetensors){0};
}

const eis_safetensors_entry *eis_safetensors_find(const eis_safetensors *table, const char *name)
{
    const eis_safetensors_entry key = {.name = name};

    if (table->count == 0) return NULL;
    return bsearch(&key, table->entries, table->count, sizeof key, by_name);
}

/* Writes a shape as "[2, 3]". */
static void print_shape(char *text, size_t room, const uint64_t *shape, uint32_t rank)
{
    size_t at = (size_t)snprintf(text, room, "[");

    for (uint32_t i = 0; i < rank && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%llu", i > 0 ? ", " : "", (unsigned long long)shape[i]);
    if (at < room) snprintf(text + at, room - at, "]");
}

static eis_status find_float(const eis_safetensors_entry **entry, eis_dtype *dtype, const eis_safetensors *table,
                             const char *name)
{
    static const struct {
        const char *name;
        eis_dtype dtype;
    } floats[] = {{"F64", EIS_DTYPE_F64}, {"F32", EIS_DTYPE_F32}, {"F16", EIS_DTYPE_F16}, {"BF16", EIS_DTYPE_BF16}};

    *entry = eis_safetensors_find(table, name);
    if (*entry == NULL)
        return eis_fail(EIS_ERR_MODEL, "%s: tensor %s is missing", table->count > 0 ? table->entries[0].file : "model",
                        name);
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        if (strcmp(floats[i].name, (*entry)->dtype) == 0) {
            *dtype = floats[i].dtype;
            return EIS_OK;
        }
    return eis_fail(EIS_ERR_MODEL, "%s: tensor %s has type %s; F64, F32, F16 and BF16 are read", (*entry)->file, name,
                    (*entry)->dtype);
}

static eis_status find_shape(eis_tensor_view *view, const eis_safetensors *table, const char *name,
                             const uint64_t *shape, uint32_t rank)
{
    const eis_safetensors_entry *entry = NULL;
    eis_dtype dtype = EIS_DTYPE_F32;
    char is[200], expected[64];
    eis_status st = find_float(&entry, &dtype, table, name);

    if (st != EIS_OK) return st;
    EIS_ASSERT(entry != NULL);
    if (entry->rank != rank || memcmp(entry->shape, shape, rank * sizeof *shape) != 0) {
        print_shape(is, sizeof is, entry->shape, entry->rank);
        print_shape(expected, sizeof expected, shape, rank);
        return eis_fail(EIS_ERR_MODEL, "%s: tensor %s has shape %s, expected %s", entry->file, name, is, expected);
    }
    *view =
        eis_tensor_view_rows(entry->data.data, dtype, rank == 1 ? 1 : (uint32_t)shape[0], (uint32_t)shape[rank - 1]);
    return EIS_OK;
}

eis_status eis_safetensors_matrix(eis_tensor_view *view, const eis_safetensors *table, const char *name, uint32_t rows,
                                  uint32_t columns)
{
    const uint64_t shape[2] = {rows, columns};

    return find_shape(view, table, name, shape, 2);
}

eis_status eis_safetensors_vector(eis_tensor_view *view, const eis_safetensors *table, const char *name,
                                  uint32_t length)
{
    const uint64_t shape[1] = {length};

    return find_shape(view, table, name, shape, 1);
}

eis_status eis_safetensors_words(eis_tensor_view *view, const eis_safetensors *table, const char *name, uint32_t rows,
                                 uint32_t columns)
{
    const eis_safetensors_entry *entry = NULL;
    eis_dtype dtype = EIS_DTYPE_F32;
    char is[200];
    eis_status st = find_float(&entry, &dtype, table, name);

    if (st != EIS_OK) return st;
    EIS_ASSERT(entry != NULL);
    if (entry->count != (uint64_t)rows * columns) {
        print_shape(is, sizeof is, entry->shape, entry->rank);
        return eis_fail(EIS_ERR_MODEL, "%s: tensor %s has shape %s, expected %u times %u words", entry->file, name, is,
                        rows, columns);
    }
    *view = eis_tensor_view_rows(entry->data.data, dtype, rows, columns);
    return EIS_OK;
}
