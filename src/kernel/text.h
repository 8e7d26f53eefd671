/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hex and base64 text: a part of the table of kernel.h. wire/text.h adds lengths, padding and errors.
 *
 * Everything is constant time in bytes and text; what comes of `bad` is the caller's business. */
#ifndef EIS_KERNEL_TEXT_H
#define EIS_KERNEL_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct eis_text_kernels {
    /* Writes two lower-case digits per byte, no terminator. Shape: text[2 * n], bytes[n]. */
    void (*hex_write)(char *text, const uint8_t *bytes, size_t n);

    /* Reads two digits per byte, of either case. Returns 0 where all were digits; otherwise bytes are arbitrary.
     * Shape: bytes[n], text[2 * n]. */
    uint32_t (*hex_read)(uint8_t *bytes, const uint8_t *text, size_t n);

    /* Writes four characters per group of three bytes. Shape: text[4 * groups], bytes[3 * groups].
     * Source: [RFC4648, section 4]. */
    void (*base64_write)(char *text, const uint8_t *bytes, size_t groups);

    /* Reads groups without padding. Returns 0 where all characters were of the alphabet; otherwise bytes are arbitrary.
     * Shape: bytes[3 * groups], text[4 * groups]. */
    uint32_t (*base64_read)(uint8_t *bytes, const uint8_t *text, size_t groups);
} eis_text_kernels;

#endif
