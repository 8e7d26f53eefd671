/* SPDX-License-Identifier: Apache-2.0 */
/* Which format an input file has, and what all formats share. The readers are in input_formats.c and input_csv.c. */
#include "model/input.h"

#include "base/mem.h"
#include "model/files.h"
#include "model/input_internal.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { NUMBER_BYTES_MAX = 511, GROWTH_BYTES = 1 << 16, LABELS_MIN = 256, LABELS_MAX = 1 << 26, NUMBERS_MIN = 1024 };

/* --- gzip ----------------------------------------------------------------------------------------------------- */

static voidpf zlib_take(voidpf unused, uInt items, uInt size)
{
    (void)unused;
    return eis_mem_new(items, size);
}

static void zlib_give(voidpf unused, voidpf ptr)
{
    (void)unused;
    eis_mem_free(ptr);
}

/* Unpacks what is left of the input into `block` until that is full or the input ends. */
static eis_status inflate_block(z_stream *z, uint8_t *block, size_t room, bool *ended)
{
    z->next_out = block;
    z->avail_out = (uInt)room;
    while (z->avail_out > 0) {
        int rc = inflate(z, Z_NO_FLUSH);
        if (rc == Z_MEM_ERROR) return eis_fail(EIS_ERR_MEMORY, "not enough memory to unpack gzip");
        if (rc != Z_OK && rc != Z_STREAM_END) return eis_fail(EIS_ERR_PARSE, "the gzip data are damaged or cut off");
        if (rc == Z_STREAM_END) {
            *ended = z->avail_in == 0;
            if (*ended) return EIS_OK;
            if (inflateReset(z) != Z_OK) return eis_fail(EIS_ERR_INTERNAL, "inflateReset failed");
        }
    }
    return EIS_OK;
}

eis_status eis_input_gunzip(eis_text *out, eis_span file, size_t bytes_max)
{
    eis_status st = EIS_OK;
    z_stream z = {.zalloc = zlib_take, .zfree = zlib_give};
    uint8_t *block = NULL;
    bool ended = false, started = false;

    EIS_REQUIRE(file.bytes <= UINT32_MAX, EIS_ERR_TOO_LARGE, "more than 4 GiB of gzip data");
    EIS_NEW(block, GROWTH_BYTES);
    z.next_in = (Bytef *)(uintptr_t)file.data; /* zlib does not write there */
    z.avail_in = (uInt)file.bytes;
    EIS_REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK, EIS_ERR_MEMORY, "not enough memory to unpack gzip");
    started = true;
    while (!ended) {
        EIS_TRY(inflate_block(&z, block, GROWTH_BYTES, &ended));
        size_t made = GROWTH_BYTES - z.avail_out;
        EIS_REQUIRE(made <= bytes_max - out->bytes, EIS_ERR_TOO_LARGE, "the gzip data unpack to more than %zu bytes",
                    bytes_max);
        EIS_TRY(eis_text_append(out, block, made));
    }
out:
    if (started) (void)inflateEnd(&z);
    eis_mem_free_wiped(block, GROWTH_BYTES, 1);
    if (st != EIS_OK) eis_text_clear(out);
    return st;
}

/* --- shared by the readers ------------------------------------------------------------------------------------ */

eis_status eis_input_allocate(eis_inputs *inputs, size_t count, size_t elements)
{
    eis_status st = EIS_OK;
    size_t numbers;

    EIS_REQUIRE(eis_size_mul(&numbers, count, elements) && numbers <= EIS_INPUT_ELEMENTS_MAX, EIS_ERR_TOO_LARGE,
                "%zu inputs of %zu numbers; %zu numbers are the limit", count, elements, EIS_INPUT_ELEMENTS_MAX);
    EIS_NEW(inputs->x, numbers);
    inputs->capacity = numbers;
    inputs->count = count;
    inputs->elements = elements;
out:
    return st;
}

eis_status eis_input_append(eis_inputs *inputs, size_t *used, double number)
{
    eis_status st = EIS_OK;
    size_t wanted;

    if (*used == inputs->capacity) {
        EIS_REQUIRE(*used < EIS_INPUT_ELEMENTS_MAX, EIS_ERR_TOO_LARGE, "more than %zu numbers", EIS_INPUT_ELEMENTS_MAX);
        wanted = inputs->capacity < NUMBERS_MIN ? NUMBERS_MIN : inputs->capacity * 2;
        EIS_TRY(eis_mem_resize(&inputs->x, inputs->capacity, wanted, sizeof *inputs->x));
        inputs->capacity = wanted;
    }
    inputs->x[(*used)++] = number;
out:
    return st;
}

eis_status eis_labels_append(eis_labels *labels, const uint8_t *text, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t needed, wanted;

    EIS_REQUIRE(bytes == 0 || memchr(text, 0, bytes) == NULL, EIS_ERR_PARSE, "the label holds a zero byte");
    EIS_REQUIRE(labels->count < LABELS_MAX, EIS_ERR_TOO_LARGE, "more than %d labels", LABELS_MAX);
    if (labels->count == labels->start_capacity) {
        wanted = labels->start_capacity < LABELS_MIN ? LABELS_MIN : labels->start_capacity * 2;
        EIS_TRY(eis_mem_resize(&labels->start, labels->start_capacity, wanted, sizeof *labels->start));
        labels->start_capacity = wanted;
    }
    needed = labels->text_bytes + bytes + 1; /* bytes of one file: no overflow */
    if (needed > labels->text_capacity) {
        wanted = needed + needed / 2 + LABELS_MIN;
        EIS_TRY(eis_mem_resize(&labels->text, labels->text_capacity, wanted, 1));
        labels->text_capacity = wanted;
    }
    if (bytes > 0) memcpy(labels->text + labels->text_bytes, text, bytes);
    labels->text[labels->text_bytes + bytes] = '\0';
    labels->start[labels->count++] = labels->text_bytes;
    labels->text_bytes = needed;
out:
    return st;
}

/* Whether text is a decimal number by its form: sign, digits with a point, exponent. strtod would take more. */
static bool is_decimal(const char *text)
{
    size_t digits;

    text += *text == '+' || *text == '-';
    digits = strspn(text, "0123456789");
    text += digits;
    if (*text == '.') {
        size_t fraction = strspn(++text, "0123456789");
        digits += fraction;
        text += fraction;
    }
    if (digits == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        digits = strspn(text, "0123456789");
        if (digits == 0) return false;
        text += digits;
    }
    return *text == '\0';
}

static bool is_not_finite_word(const char *text)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    char lower[12] = {0};

    text += *text == '+' || *text == '-';
    if (strlen(text) >= sizeof lower) return false;
    for (size_t i = 0; text[i] != '\0'; i++) lower[i] = (char)tolower((unsigned char)text[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(lower, words[i]) == 0) return true;
    return false;
}

eis_status eis_input_parse_number(double *number, const uint8_t *text, size_t bytes)
{
    eis_status st = EIS_OK;
    char copy[NUMBER_BYTES_MAX + 1];
    double value;

    while (bytes > 0 && (*text == ' ' || *text == '\t')) text++, bytes--;
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) bytes--;
    if (bytes == 0) return eis_fail(EIS_ERR_PARSE, "the field is empty");
    if (bytes > NUMBER_BYTES_MAX) return eis_fail(EIS_ERR_PARSE, "a number of %zu characters", bytes);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    EIS_REQUIRE(!is_not_finite_word(copy), EIS_ERR_RANGE, "the number is not finite");
    EIS_REQUIRE(strlen(copy) == bytes && is_decimal(copy), EIS_ERR_PARSE, "the field is not a number");
    value = strtod(copy, NULL);
    EIS_REQUIRE(isfinite(value), EIS_ERR_RANGE, "the number is too large");
    *number = value;
out:
    eis_mem_wipe(copy, sizeof copy);
    return st;
}

/* --- inputs --------------------------------------------------------------------------------------------------- */

static bool is_gzip(eis_span file) { return file.bytes >= 2 && file.data[0] == 0x1F && file.data[1] == 0x8B; }

static bool is_json(eis_span file)
{
    size_t at = 0;

    while (at < file.bytes && isspace(file.data[at])) at++;
    return at < file.bytes && file.data[at] == '[';
}

static bool is_pgm(eis_span file)
{
    return file.bytes >= 3 && file.data[0] == 'P' && (file.data[1] == '2' || file.data[1] == '5') &&
           (isspace(file.data[2]) || file.data[2] == '#');
}

static eis_status read_by_content(eis_inputs *inputs, eis_span file, size_t limit, const char *label_column,
                                  const char *name)
{
    bool csv = false;
    eis_status st;

    if (eis_input_is_idx(file))
        st = eis_input_read_idx(inputs, file, limit);
    else if (is_pgm(file))
        st = eis_input_read_pgm(inputs, file);
    else if (is_json(file))
        return label_column == NULL ? eis_input_read_json(inputs, file, limit, name)
                                    : eis_fail(EIS_ERR_USAGE, "%s: only a CSV has a label column", name);
    else {
        csv = true;
        st = eis_input_read_csv(inputs, file, limit, label_column);
    }
    if (st == EIS_OK && !csv && label_column != NULL) st = eis_fail(EIS_ERR_USAGE, "only a CSV has a label column");
    return st == EIS_OK ? st : eis_fail_prefix(st, "%s", name);
}

/* Numbers in files have a point, whatever the user's language says. */
static locale_t use_c_numbers(void)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);

    return c != (locale_t)0 ? uselocale(c) : (locale_t)0;
}

static void restore_numbers(locale_t before)
{
    locale_t c;

    if (before == (locale_t)0) return;
    c = uselocale(before);
    freelocale(c);
}

eis_status eis_inputs_parse(eis_inputs *inputs, const uint8_t *data, size_t bytes, size_t limit,
                            const char *label_column, const char *name)
{
    eis_status st = EIS_OK;
    eis_span file = {data, bytes};
    eis_text unpacked = {0};
    eis_inputs made = {0};
    locale_t before = use_c_numbers();

    EIS_REQUIRE(before != (locale_t)0, EIS_ERR_MEMORY, "not enough memory for a locale");
    EIS_REQUIRE(bytes <= EIS_INPUT_BYTES_MAX, EIS_ERR_TOO_LARGE, "%s: %zu bytes; the limit is %zu", name, bytes,
                EIS_INPUT_BYTES_MAX);
    EIS_REQUIRE(bytes > 0, EIS_ERR_PARSE, "%s: the file is empty", name);
    if (is_gzip(file)) {
        st = eis_input_gunzip(&unpacked, file, EIS_INPUT_BYTES_MAX);
        if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
        EIS_TRY(st);
        file = (eis_span){unpacked.data, unpacked.bytes};
    }
    EIS_TRY(read_by_content(&made, file, limit, label_column, name));
    *inputs = made;
    made = (eis_inputs){0};
out:
    restore_numbers(before);
    eis_text_clear(&unpacked);
    eis_inputs_clear(&made);
    return st;
}

eis_status eis_inputs_read(eis_inputs *inputs, const char *path, size_t limit, const char *label_column)
{
    eis_status st = EIS_OK;
    eis_mapping file = {0};

    EIS_TRY(eis_file_map(&file, path));
    EIS_TRY(eis_inputs_parse(inputs, file.bytes.data, file.bytes.bytes, limit, label_column, path));
out:
    eis_file_unmap(&file);
    return st;
}

void eis_inputs_clear(eis_inputs *inputs)
{
    eis_mem_free_wiped(inputs->x, inputs->capacity, sizeof *inputs->x);
    eis_labels_clear(&inputs->labels);
    *inputs = (eis_inputs){0};
}

/* --- labels --------------------------------------------------------------------------------------------------- */

static eis_status read_label_lines(eis_labels *labels, eis_span file, size_t limit)
{
    eis_status st = EIS_OK;
    const uint8_t *at = file.data, *end = file.data + file.bytes;

    for (size_t line = 1; at < end && (limit == 0 || labels->count < limit); line++) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at)), *first = at, *last = stop ? stop : end;
        at = last + (stop != NULL);
        while (first < last && isspace(*first)) first++;
        while (first < last && isspace(last[-1])) last--;
        EIS_REQUIRE(first < last, EIS_ERR_PARSE, "line %zu: no label", line);
        st = eis_labels_append(labels, first, (size_t)(last - first));
        if (st != EIS_OK) return eis_fail_prefix(st, "line %zu", line);
    }
    EIS_REQUIRE(labels->count > 0, EIS_ERR_PARSE, "no labels");
out:
    return st;
}

eis_status eis_labels_parse(eis_labels *labels, const uint8_t *data, size_t bytes, size_t limit, const char *name)
{
    eis_status st = EIS_OK;
    eis_span file = {data, bytes};
    eis_text unpacked = {0};
    eis_labels made = {0};

    EIS_REQUIRE(bytes <= EIS_INPUT_BYTES_MAX, EIS_ERR_TOO_LARGE, "%zu bytes; the limit is %zu", bytes,
                EIS_INPUT_BYTES_MAX);
    EIS_REQUIRE(bytes > 0, EIS_ERR_PARSE, "the file is empty");
    if (is_gzip(file)) {
        EIS_TRY(eis_input_gunzip(&unpacked, file, EIS_INPUT_BYTES_MAX));
        file = (eis_span){unpacked.data, unpacked.bytes};
    }
    if (eis_input_is_idx(file))
        EIS_TRY(eis_input_read_idx_labels(&made, file, limit));
    else
        EIS_TRY(read_label_lines(&made, file, limit));
    *labels = made;
    made = (eis_labels){0};
out:
    if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
    eis_text_clear(&unpacked);
    eis_labels_clear(&made);
    return st;
}

eis_status eis_labels_read(eis_labels *labels, const char *path, size_t limit)
{
    eis_status st = EIS_OK;
    eis_mapping file = {0};

    EIS_TRY(eis_file_map(&file, path));
    EIS_TRY(eis_labels_parse(labels, file.bytes.data, file.bytes.bytes, limit, path));
out:
    eis_file_unmap(&file);
    return st;
}

const char *eis_labels_text(const eis_labels *labels, size_t i)
{
    EIS_ASSERT(i < labels->count);
    return labels->text + labels->start[i];
}

void eis_labels_clear(eis_labels *labels)
{
    eis_mem_free_wiped(labels->text, labels->text_capacity, 1);
    eis_mem_free_wiped(labels->start, labels->start_capacity, sizeof *labels->start);
    *labels = (eis_labels){0};
}
