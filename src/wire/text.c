/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by OpenSSL, with the strictness that it leaves out; hex and decimal words without branches on values. */
#include "wire/text.h"

#include "base/ct.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <string.h>

/* EVP counts in int: work in pieces, multiples of 4 characters. */
#define PIECE_CHARS ((size_t)4 << 20)

void eis_wire_base64_write(eis_writer *w, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    uint8_t piece[4 * 256 + 1]; /* EVP ends each piece with a zero, which must not land behind a reserved space */

    while (bytes > 0) {
        size_t n = bytes < 3 * 256 ? bytes : 3 * 256;
        int length = EVP_EncodeBlock(piece, from, (int)n);

        eis_wire_writer_bytes(w, piece, (size_t)length);
        from += n;
        bytes -= n;
    }
    eis_mem_wipe(piece, sizeof piece);
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

/* Whether every character in front of the padding belongs to the standard alphabet: EVP also skips white space. */
static int alphabet_is_standard(const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t c = text[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
            return 0;
    }
    return 1;
}

/* Decodes the last four characters into 1 to 3 bytes; stray bits show when they are encoded again. */
static int decode_last(uint8_t *out, size_t out_bytes, const uint8_t text[4])
{
    uint8_t whole[3], again[5];
    int same;

    if (EVP_DecodeBlock(whole, text, 4) != 3) return 0;
    (void)EVP_EncodeBlock(again, whole, (int)out_bytes);
    same = memcmp(again, text, 4) == 0;
    if (same) memcpy(out, whole, out_bytes);
    eis_mem_wipe(whole, sizeof whole);
    eis_mem_wipe(again, sizeof again);
    return same;
}

eis_status eis_wire_base64_read(uint8_t *out, size_t out_bytes, const void *text, size_t length)
{
    const uint8_t *from = text;
    size_t bytes = 0, done = 0;
    eis_status st = EIS_OK;

    EIS_TRY(eis_wire_base64_bytes(&bytes, text, length));
    EIS_REQUIRE(bytes == out_bytes, EIS_ERR_ENCODING, "base64 text of %zu bytes, %zu were expected", bytes, out_bytes);
    if (length == 0) return EIS_OK;
    EIS_REQUIRE(alphabet_is_standard(from, length - padding_of(text, length)), EIS_ERR_ENCODING,
                "base64 text holds a foreign character");
    while (length - done > 4) {
        size_t n = length - done - 4 < PIECE_CHARS ? length - done - 4 : PIECE_CHARS;

        EIS_REQUIRE(EVP_DecodeBlock(out + done / 4 * 3, from + done, (int)n) == (int)(n / 4 * 3), EIS_ERR_ENCODING,
                    "base64 text is malformed");
        done += n;
    }
    EIS_REQUIRE(decode_last(out + done / 4 * 3, out_bytes - done / 4 * 3, from + done), EIS_ERR_ENCODING,
                "base64 text has stray bits or padding at its end");
out:
    if (st != EIS_OK) eis_mem_wipe(out, out_bytes);
    return st;
}

/* '0' to '9', then 39 further for 'a' to 'f'. */
static char hex_digit(unsigned nibble) { return (char)(nibble + '0' + (eis_ct_mask_less(9, nibble) & 39)); }

void eis_wire_hex_write(char *out, const void *data, size_t bytes)
{
    const uint8_t *from = data;

    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = hex_digit(from[i] >> 4);
        out[2 * i + 1] = hex_digit(from[i] & 15);
    }
    out[2 * bytes] = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

eis_status eis_wire_hex_read(uint8_t *out, size_t out_bytes, const void *text, size_t length)
{
    const uint8_t *from = text;
    eis_status st = EIS_OK;

    EIS_REQUIRE(length % 2 == 0 && length / 2 == out_bytes, EIS_ERR_ENCODING, "hex text of %zu digits for %zu bytes",
                length, out_bytes);
    for (size_t i = 0; i < out_bytes; i++) {
        int high = hex_value(from[2 * i]), low = hex_value(from[2 * i + 1]);

        EIS_REQUIRE(high >= 0 && low >= 0, EIS_ERR_ENCODING, "hex text holds another character");
        out[i] = (uint8_t)(16 * high + low);
    }
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
