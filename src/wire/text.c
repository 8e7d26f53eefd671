/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and hex by kernels, with lengths, padding and errors around them; decimal words without branches on values. */
#include "wire/text.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"

#include <string.h>

/* A last group of 1 or 2 bytes: zeros behind them, and '=' for what only zeros give. */
static void write_last(char text[4], const uint8_t *from, size_t bytes)
{
    uint8_t group[3] = {0};

    memcpy(group, from, bytes);
    eis_kernels_get()->text.base64_write(text, group, 1);
    memset(text + 1 + bytes, '=', 3 - bytes);
    eis_mem_wipe(group, sizeof group);
}

void eis_wire_base64_write(eis_writer *w, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    const size_t groups = bytes / 3;
    char *text = (char *)eis_wire_writer_reserve(w, eis_wire_base64_length(bytes));

    if (text == NULL) return;
    eis_kernels_get()->text.base64_write(text, from, groups);
    if (bytes % 3 != 0) write_last(text + 4 * groups, from + 3 * groups, bytes % 3);
}

/* Returns the number of '=' at the end, 0 to 2. */
static size_t padding_of(const char *text, size_t length)
{
    if (length == 0 || text[length - 1] != '=') return 0;
    return text[length - 2] == '=' ? 2 : 1;
}

eis_status eis_wire_base64_bytes(size_t *bytes, const void *text, size_t length)
{
    if (length % 4 != 0)
        return eis_fail(EIS_ERR_ENCODING, "base64 text of %zu characters, not a multiple of 4", length);
    *bytes = length / 4 * 3 - padding_of(text, length);
    return EIS_OK;
}

/* Reads a last group of 1 or 2 bytes: its padding stands for zeros, which all bits behind the bytes must be. Returns 0
 * where that is so. */
static uint32_t read_last(uint8_t *out, size_t bytes, const uint8_t text[4])
{
    uint8_t group[3], filled[4] = {'A', 'A', 'A', 'A'};
    uint32_t bad;

    memcpy(filled, text, bytes + 1);
    bad = eis_kernels_get()->text.base64_read(group, filled, 1);
    for (size_t i = bytes; i < sizeof group; i++) bad |= group[i];
    memcpy(out, group, bytes);
    eis_mem_wipe(group, sizeof group);
    eis_mem_wipe(filled, sizeof filled);
    return bad;
}

eis_status eis_wire_base64_read(uint8_t *out, size_t out_bytes, const void *text, size_t length)
{
    const uint8_t *from = text;
    const size_t groups = out_bytes / 3;
    size_t bytes = 0;
    uint32_t bad;
    eis_status st = EIS_OK;

    EIS_TRY(eis_wire_base64_bytes(&bytes, text, length));
    EIS_REQUIRE(bytes == out_bytes, EIS_ERR_ENCODING, "base64 text of %zu bytes, %zu were expected", bytes, out_bytes);
    bad = eis_kernels_get()->text.base64_read(out, from, groups);
    if (bytes % 3 != 0) bad |= read_last(out + 3 * groups, bytes % 3, from + 4 * groups);
    EIS_REQUIRE(bad == 0, EIS_ERR_ENCODING, "base64 text holds a foreign character, or stray bits at its end");
out:
    if (st != EIS_OK) eis_mem_wipe(out, out_bytes);
    return st;
}

void eis_wire_hex_write(char *out, const void *data, size_t bytes)
{
    eis_kernels_get()->text.hex_write(out, data, bytes);
    out[2 * bytes] = '\0';
}

eis_status eis_wire_hex_read(uint8_t *out, size_t out_bytes, const void *text, size_t length)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(length % 2 == 0 && length / 2 == out_bytes, EIS_ERR_ENCODING, "hex text of %zu digits for %zu bytes",
                length, out_bytes);
    EIS_REQUIRE(eis_kernels_get()->text.hex_read(out, text, out_bytes) == 0, EIS_ERR_ENCODING,
                "hex text holds another character");
out:
    if (st != EIS_OK) eis_mem_wipe(out, out_bytes);
    return st;
}

unsigned eis_wire_decimal_width(unsigned ring_bits)
{
    switch (ring_bits) {
    case 32:
        return 10;
    case 40:
        return 13;
    case 48:
        return 15;
    case 52:
        return 16;
    case 56:
        return 17;
    case 61:
        return 19;
    case 64:
        return 20;
    default:
        return 0;
    }
}

/* floor(v / 10) for every v: 0xcccccccccccccccd is 2^67 / 10 rounded up. A division's time would depend on v. */
static uint64_t tenth_of(uint64_t v)
{
    __extension__ typedef unsigned __int128 u128;

    return (uint64_t)((u128)v * 0xcccccccccccccccdu >> 67);
}

void eis_wire_decimal_write(char *out, uint64_t word, unsigned ring_bits)
{
    unsigned width = eis_wire_decimal_width(ring_bits);

    EIS_ASSERT(width > 0);
    for (unsigned i = width; i-- > 0;) {
        uint64_t rest = tenth_of(word);

        out[i] = (char)('0' + (word - 10 * rest));
        word = rest;
    }
}

eis_status eis_wire_decimal_read(uint64_t *word, const void *text, size_t length, unsigned ring_bits)
{
    const uint8_t *digits = text;
    unsigned width = eis_wire_decimal_width(ring_bits);
    uint64_t v = 0, above = ring_bits == 61 ? ((uint64_t)1 << 61) - 1 : ring_bits < 64 ? (uint64_t)1 << ring_bits : 0;

    EIS_ASSERT(width > 0);
    if (length == 0 || length > width)
        return eis_fail(EIS_ERR_ENCODING, "a word of %zu digits, 1 to %u are allowed", length, width);
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return eis_fail(EIS_ERR_ENCODING, "a word holds another character than a digit");
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(digits[i] - '0'), &v))
            return eis_fail(EIS_ERR_RANGE, "a word is not below 2^64");
    }
    if (above != 0 && v >= above) return eis_fail(EIS_ERR_RANGE, "a word is outside its ring of %u bits", ring_bits);
    *word = v;
    return EIS_OK;
}
