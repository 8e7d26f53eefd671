/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption parameters, written and read.
 *
 *   header | u8 scheme | u64 N | u64 k | k moduli | plain modulus (0)        a modulus: header | u64 value */
#include "ckks/seal_params.h"

#define SCHEME_CKKS     2u
#define MODULUS_BYTES   (EIS_SEAL_HEADER_BYTES + 8)
#define OBJECT_BYTES(k) (EIS_SEAL_HEADER_BYTES + 1 + 8 + 8 + ((size_t)(k) + 1) * MODULUS_BYTES)

size_t eis_ckks_params_bytes(const eis_ckks_params *params) { return OBJECT_BYTES(params->prime_count); }

static void write_modulus(eis_writer *w, eis_seal_form form, uint64_t value)
{
    size_t begin = eis_seal_begin(w, form);

    eis_wire_writer_u64(w, value);
    eis_seal_end(w, begin);
}

void eis_ckks_params_write(eis_writer *w, const eis_ckks_params *params, eis_seal_style style)
{
    size_t begin = eis_seal_begin(w, style.form);

    eis_wire_writer_u8(w, SCHEME_CKKS);
    eis_wire_writer_u64(w, params->degree);
    eis_wire_writer_u64(w, params->prime_count);
    for (size_t i = 0; i < params->prime_count; i++) write_modulus(w, style.form, eis_rns_modulus(&params->rns, i)->q);
    write_modulus(w, style.form, 0);
    eis_seal_end_as(w, begin, style.mode);
}

static uint64_t read_modulus(eis_reader *r, const eis_seal_object *object)
{
    eis_reader inner;
    uint64_t value;

    eis_seal_nested(&inner, r, object);
    value = eis_wire_reader_u64(&inner);
    eis_seal_nested_end(r, &inner);
    return value;
}

eis_status eis_ckks_params_read(eis_ckks_literal *literal, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    uint64_t primes[EIS_RNS_PRIMES_MAX] = {0}, plain;

    EIS_TRY(eis_seal_object_open(&object, "parameters", data, bytes, OBJECT_BYTES(EIS_RNS_PRIMES_MAX)));
    eis_reader *r = &object.body;
    uint8_t scheme = eis_wire_reader_u8(r);
    uint64_t degree = eis_wire_reader_u64(r), count = eis_wire_reader_u64(r);

    EIS_TRY(eis_seal_status(eis_wire_reader_status(r)));
    EIS_REQUIRE(scheme == SCHEME_CKKS, EIS_ERR_CIPHERTEXT, "parameters of another scheme");
    EIS_REQUIRE(degree >= 2 && degree <= EIS_CKKS_DEGREE_MAX, EIS_ERR_UNSUPPORTED, "a degree outside [2, %u]",
                EIS_CKKS_DEGREE_MAX);
    EIS_REQUIRE(count >= 1 && count <= EIS_RNS_PRIMES_MAX, EIS_ERR_UNSUPPORTED, "a chain of more than %u primes",
                (unsigned)EIS_RNS_PRIMES_MAX);
    for (size_t i = 0; i < count; i++) {
        primes[i] = read_modulus(r, &object);
        if (primes[i] < 2) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "prime %zu is 0 or 1", i);
    }
    plain = read_modulus(r, &object);
    if (plain != 0) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a plain modulus, which CKKS has not");
    EIS_TRY(eis_seal_object_end(&object));
    literal->degree = (size_t)degree;
    literal->prime_count = (size_t)count;
    for (size_t i = 0; i < EIS_RNS_PRIMES_MAX; i++) {
        literal->primes[i] = primes[i];
        literal->bits[i] = 0;
    }
out:
    eis_seal_object_close(&object);
    return st;
}
