/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys as SEAL objects: the body of a plaintext at key level. Client code alone links this. */
#ifndef EIS_CKKS_SEAL_SECRET_H
#define EIS_CKKS_SEAL_SECRET_H

#include "ckks/seal_wire.h"
#include "ckks/secret.h"

/* Returns the bytes of the object. */
size_t eis_ckks_secret_key_bytes(const eis_ckks_params *params);

/* Appends the key, never compressed: a compressor's memory is not wiped. Secret: w. Errors: sticky in w. */
void eis_ckks_secret_key_write(eis_writer *w, const eis_ckks_secret_key *key, eis_seal_form form);

/* Reads a key.
 *
 * Secret:  data and key; the decompressed object is wiped.
 * Errors:  EIS_ERR_CIPHERTEXT        malformed, a word not below its prime, a scale other than 1, a secret whose
 *                                    coefficients are not -1, 0 and 1 on all primes alike.
 *          EIS_ERR_CONTEXT_MISMATCH  not of the key level of these parameters.
 *          EIS_ERR_MEMORY            *key is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_secret_key_read(eis_ckks_secret_key *key, const eis_ckks_params *params,
                                                 const void *data, size_t bytes);

#endif
