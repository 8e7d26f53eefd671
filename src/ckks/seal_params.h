/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption parameters as a SEAL object; a "context" of Pyfhel is the same bytes. They carry primes alone: scale and
 * security level are not in them. */
#ifndef EIS_CKKS_SEAL_PARAMS_H
#define EIS_CKKS_SEAL_PARAMS_H

#include "ckks/params.h"
#include "ckks/seal_wire.h"

/* Returns the bytes of the object, not compressed. */
size_t eis_ckks_params_bytes(const eis_ckks_params *params);

/* Appends the object. Errors: sticky in w. */
void eis_ckks_params_write(eis_writer *w, const eis_ckks_params *params, eis_seal_style style);

/* Reads an object into a literal with explicit primes; scale, policy and secret are left as they are. It becomes
 * parameters only through eis_ckks_params_new, which checks it whole.
 *
 * Shape:   data[bytes], the whole object.
 * Errors:  EIS_ERR_CIPHERTEXT   malformed; a scheme that is not CKKS; a plain modulus.
 *          EIS_ERR_UNSUPPORTED  a degree or a number of primes beyond ours.
 *          EIS_ERR_MEMORY       *literal is untouched on error. */
EIS_MUST_USE eis_status eis_ckks_params_read(eis_ckks_literal *literal, const void *data, size_t bytes);

#endif
