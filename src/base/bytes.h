/* SPDX-License-Identifier: Apache-2.0 */
/* Little- and big-endian words in byte arrays, and size arithmetic that notices overflow. */
#ifndef EIS_BASE_BYTES_H
#define EIS_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A run of bytes that somebody else owns. */
typedef struct eis_span {
    const uint8_t *data;
    size_t bytes;
} eis_span;

static inline uint16_t eis_load_le16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | (uint16_t)(b[1] << 8));
}

static inline uint32_t eis_load_le32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t eis_load_le64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)eis_load_le32(b) | (uint64_t)eis_load_le32(b + 4) << 32;
}

static inline void eis_store_le16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void eis_store_le32(void *p, uint32_t v)
{
    uint8_t *b = p;
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(v >> (8 * i));
}

static inline void eis_store_le64(void *p, uint64_t v)
{
    uint8_t *b = p;
    for (int i = 0; i < 8; i++) b[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t eis_load_be32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[3] | (uint32_t)b[2] << 8 | (uint32_t)b[1] << 16 | (uint32_t)b[0] << 24;
}

static inline uint64_t eis_load_be64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)eis_load_be32(b) << 32 | (uint64_t)eis_load_be32(b + 4);
}

static inline void eis_store_be64(void *p, uint64_t v)
{
    uint8_t *b = p;
    for (int i = 0; i < 8; i++) b[7 - i] = (uint8_t)(v >> (8 * i));
}

/* The bits of a double, and back. */
static inline uint64_t eis_bits_of_f64(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline double eis_f64_of_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double eis_load_le_f64(const void *p) { return eis_f64_of_bits(eis_load_le64(p)); }

static inline void eis_store_le_f64(void *p, double v) { eis_store_le64(p, eis_bits_of_f64(v)); }

/* Sets *r = a * b and returns true, or returns false where that overflows; *r is then untouched. */
static inline bool eis_size_mul(size_t *r, size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *r = product;
    return true;
}

/* Sets *r = a + b and returns true, or returns false where that overflows; *r is then untouched. */
static inline bool eis_size_add(size_t *r, size_t a, size_t b)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *r = sum;
    return true;
}

/* Rounds n up to a multiple of step (step > 0). The caller knows that n + step does not overflow. */
static inline size_t eis_round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

#endif
