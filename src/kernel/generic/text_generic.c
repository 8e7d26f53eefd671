/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64 in plain C, by ranges of characters instead of tables: a table's cache lines would tell about bytes.
 * Contracts: kernel/text.h. */
#include "kernel/generic/generic.h"

/* All ones where low <= c <= high. */
static inline uint32_t in_range(uint32_t c, uint32_t low, uint32_t high)
{
    return (uint32_t)0 - (1 ^ ((c - low) | (high - c)) >> 31);
}

/* Of which `values` count up from `first` where c is in the range, else 0. */
static inline uint32_t value_in_range(uint32_t c, uint32_t low, uint32_t high, uint32_t first)
{
    return in_range(c, low, high) & (c - low + first);
}

/* '0' to '9', then 39 further for 'a' to 'f'. */
static inline char hex_digit(uint32_t nibble) { return (char)(nibble + '0' + (in_range(nibble, 10, 15) & 39)); }

void text_hex_write_generic(char *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = hex_digit(bytes[i] >> 4);
        text[2 * i + 1] = hex_digit(bytes[i] & 15);
    }
}

/* Values count from 1, so that 0 is none: subtracting the 1 again gives all ones there. */
static inline uint32_t hex_value(uint32_t c)
{
    return (value_in_range(c, '0', '9', 1) | value_in_range(c, 'a', 'f', 11) | value_in_range(c, 'A', 'F', 11)) - 1;
}

uint32_t text_hex_read_generic(uint8_t *bytes, const uint8_t *text, size_t n)
{
    uint32_t all = 0;

    for (size_t i = 0; i < n; i++) {
        const uint32_t high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        all |= high | low;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return all >> 31;
}

static inline char base64_digit(uint32_t v)
{
    return (char)(value_in_range(v, 0, 25, 'A') | value_in_range(v, 26, 51, 'a') | value_in_range(v, 52, 61, '0') |
                  value_in_range(v, 62, 62, '+') | value_in_range(v, 63, 63, '/'));
}

void text_base64_write_generic(char *text, const uint8_t *bytes, size_t groups)
{
    for (size_t g = 0; g < groups; g++) {
        const uint8_t *b = bytes + 3 * g;
        const uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

        for (size_t i = 0; i < 4; i++) text[4 * g + i] = base64_digit(v >> (18 - 6 * i) & 63);
    }
}

static inline uint32_t base64_value(uint32_t c)
{
    return (value_in_range(c, 'A', 'Z', 1) | value_in_range(c, 'a', 'z', 27) | value_in_range(c, '0', '9', 53) |
            value_in_range(c, '+', '+', 63) | value_in_range(c, '/', '/', 64)) -
           1;
}

uint32_t text_base64_read_generic(uint8_t *bytes, const uint8_t *text, size_t groups)
{
    uint32_t all = 0;

    for (size_t g = 0; g < groups; g++) {
        uint32_t v = 0;

        for (size_t i = 0; i < 4; i++) {
            const uint32_t digit = base64_value(text[4 * g + i]);

            all |= digit;
            v = v << 6 | (digit & 63);
        }
        bytes[3 * g] = (uint8_t)(v >> 16);
        bytes[3 * g + 1] = (uint8_t)(v >> 8);
        bytes[3 * g + 2] = (uint8_t)v;
    }
    return all >> 31;
}
