/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of loaders: files made on the spot, the shared data where it lies, numbers from a fixed seed. */
#ifndef EIS_TESTS_MODEL_FIXTURE_H
#define EIS_TESTS_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/status.h"

/* --- numbers ----------------------------------------------------------------------------------------------------- */

/* Returns the next number in (-1, 1): xorshift64*, for tests only. */
static inline double fixture_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (double)((*seed * 0x2545f4914f6cdd1du) >> 11) * 0x1p-52 - 1;
}

/* Fills an array with floats, so that F32 files hold them exactly. */
static inline void fixture_fill(double *out, size_t count, double scale, uint64_t *seed)
{
    for (size_t i = 0; i < count; i++) out[i] = (double)(float)(scale * fixture_random(seed));
}

/* --- files ------------------------------------------------------------------------------------------------------- */

/* Makes a directory of its own; removed by fixture_remove. */
static inline void fixture_directory(char path[256])
{
    const char *root = getenv("TMPDIR");

    snprintf(path, 256, "%s/eis-test-XXXXXX", root != NULL ? root : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline void fixture_path(char out[512], const char *directory, const char *name)
{
    snprintf(out, 512, "%s/%s", directory, name);
}

static inline void fixture_write(const char *directory, const char *name, const void *bytes, size_t count)
{
    char path[512];

    fixture_path(path, directory, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static inline void fixture_write_text(const char *directory, const char *name, const char *text)
{
    fixture_write(directory, name, text, strlen(text));
}

/* Reads a whole file; freed by free. */
static inline uint8_t *fixture_read(const char *path, size_t *count)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    long size;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    bytes[size] = 0;
    fclose(f);
    *count = (size_t)size;
    return bytes;
}

/* Removes files of the directory by name (NULL-terminated), then the directory. */
static inline void fixture_remove(const char *directory, const char *const *names)
{
    char path[512];

    for (; *names != NULL; names++) {
        fixture_path(path, directory, *names);
        unlink(path);
    }
    assert_int_equal(rmdir(directory), 0);
}

/* Finds a file of the shared data, or skips the test with a reason. */
static inline void fixture_shared(char out[512], const char *name)
{
    const char *root = getenv("EIS_TEST_ROOT");

    snprintf(out, 512, "%s/../shared/data/%s", root != NULL ? root : ".", name);
    if (access(out, R_OK) != 0) {
        print_message("skipped: ../shared/data/%s is not here\n", name);
        skip();
    }
}

/* --- safetensors ------------------------------------------------------------------------------------------------- */

/* A file in the making: the JSON of the table, and the data. */
typedef struct fixture_tensors {
    char json[1 << 16];
    uint8_t data[1 << 19];
    size_t json_bytes, data_bytes;
} fixture_tensors;

static inline fixture_tensors *fixture_tensors_new(void)
{
    fixture_tensors *t = calloc(1, sizeof *t);

    assert_non_null(t);
    return t;
}

/* Half of a float by its definition; exact for values that a half can hold. */
static inline uint16_t fixture_half(double v)
{
    for (uint32_t h = 0; h < 0x7c00; h++) {
        const double m = h < 0x400 ? h * 0x1p-24 : (double)(0x400 + (h & 0x3ff)) * 0x1p-25 * (double)(1u << (h >> 10));
        if (m == v || m == -v) return (uint16_t)(h | (v < 0 ? 0x8000u : 0));
    }
    fail_msg("%g is no half", v);
    return 0;
}

static inline void fixture_tensor_add(fixture_tensors *t, const char *name, const char *dtype, size_t rows,
                                      size_t columns, const double *values)
{
    const size_t begin = t->data_bytes, count = columns * (rows > 0 ? rows : 1); /* rows 0: a vector */

    for (size_t i = 0; i < count; i++) {
        uint8_t *at = t->data + t->data_bytes;
        const float f = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        assert_true(t->data_bytes + 8 <= sizeof t->data);
        if (strcmp(dtype, "F64") == 0) {
            eis_store_le_f64(at, values[i]);
            t->data_bytes += 8;
        } else if (strcmp(dtype, "F32") == 0) {
            eis_store_le32(at, bits);
            t->data_bytes += 4;
        } else if (strcmp(dtype, "BF16") == 0) {
            eis_store_le16(at, (uint16_t)(bits >> 16));
            t->data_bytes += 2;
        } else {
            eis_store_le16(at, fixture_half(values[i]));
            t->data_bytes += 2;
        }
    }
    char shape[64];
    if (rows > 0)
        snprintf(shape, sizeof shape, "%zu,%zu", rows, columns);
    else
        snprintf(shape, sizeof shape, "%zu", columns);
    t->json_bytes += (size_t)snprintf(t->json + t->json_bytes, sizeof t->json - t->json_bytes,
                                      "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                                      t->json_bytes > 0 ? "," : "", name, dtype, shape, begin, t->data_bytes);
    assert_true(t->json_bytes + 2 < sizeof t->json);
}

/* Puts length, {json}, data behind each other; freed by free. */
static inline uint8_t *fixture_join(size_t *count, const char *json, const void *data, size_t data_bytes)
{
    const size_t n = strlen(json);
    uint8_t *file = malloc(8 + n + data_bytes + 1);

    assert_non_null(file);
    eis_store_le64(file, n);
    memcpy(file + 8, json, n);
    if (data_bytes > 0) memcpy(file + 8 + n, data, data_bytes);
    *count = 8 + n + data_bytes;
    return file;
}

static inline uint8_t *fixture_tensors_file(const fixture_tensors *t, size_t *count)
{
    char *json = malloc(t->json_bytes + 3);
    uint8_t *file;

    assert_non_null(json);
    snprintf(json, t->json_bytes + 3, "{%s}", t->json);
    file = fixture_join(count, json, t->data, t->data_bytes);
    free(json);
    return file;
}

static inline void fixture_tensors_write(const fixture_tensors *t, const char *directory, const char *name)
{
    size_t count;
    uint8_t *file = fixture_tensors_file(t, &count);

    fixture_write(directory, name, file, count);
    free(file);
}

/* What the last failure said must contain a word. */
static inline void fixture_assert_said(const char *word)
{
    if (strstr(eis_error_detail(), word) == NULL) fail_msg("expected \"%s\" in: %s", word, eis_error_detail());
}

#endif
