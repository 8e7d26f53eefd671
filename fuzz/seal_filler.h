/* SPDX-License-Identifier: Apache-2.0 */
/* SEAL objects are long and mostly words. An input is the interesting part; words of value 1 are put behind it until
 * the object has the size that its header claims, so that a fuzzer of short inputs gets past the lengths. */
#ifndef EIS_FUZZ_SEAL_FILLER_H
#define EIS_FUZZ_SEAL_FILLER_H

#include "base/bytes.h"
#include "base/mem.h"
#include "ckks/params.h"

#include <string.h>

#define FILLED_BYTES_MAX ((size_t)1 << 20)

/* Returns the object of an input, of *bytes; freed with eis_mem_free. `phase` says where in a word the filler begins.
 */
static inline uint8_t *fill_object(const uint8_t *data, size_t size, unsigned phase, size_t *bytes)
{
    uint64_t claimed = size >= 16 ? eis_load_le64(data + 8) : 0;
    uint8_t *object;

    *bytes = claimed > size && claimed <= FILLED_BYTES_MAX && data[5] == 0 ? (size_t)claimed : size;
    object = eis_mem_new(*bytes, 1);
    EIS_ASSERT(object != NULL);
    if (size) memcpy(object, data, size);
    for (size_t i = size; i < *bytes; i++) object[i] = (i + phase) % 8 == 0;
    return object;
}

/* Returns parameters of the smallest degree, made once. */
static inline const eis_ckks_params *small_params(unsigned primes, const unsigned *bits)
{
    static const eis_ckks_params *params;
    eis_ckks_literal literal = {.degree = 4096, .prime_count = primes};

    if (params != NULL) return params;
    for (unsigned i = 0; i < primes; i++) literal.bits[i] = bits[i];
    EIS_ASSERT(eis_ckks_params_new(&params, &literal) == EIS_OK);
    return params;
}

#endif
