/* SPDX-License-Identifier: Apache-2.0 */
/* Plaintexts as SEAL objects. */
#ifndef EIS_CKKS_SEAL_PLAIN_H
#define EIS_CKKS_SEAL_PLAIN_H

#include "ckks/ct.h"
#include "ckks/seal_wire.h"

/* Returns the bytes of the object with this many limbs, not compressed. */
size_t eis_ckks_plain_bytes(const eis_ckks_params *params, size_t limbs);

/* Appends the object. Range: no special limb (asserted). Errors: sticky in w. */
void eis_ckks_plain_write(eis_writer *w, const eis_ckks_plain *plain, eis_seal_style style);

/* Reads a plaintext of any data level.
 *
 * Shape:   data[bytes], the whole object.
 * Errors:  EIS_ERR_CIPHERTEXT        malformed, not in NTT form, a word not below its prime, a scale that cannot be.
 *          EIS_ERR_CONTEXT_MISMATCH  an unknown parms_id, or the key level's.
 *          EIS_ERR_MEMORY            *plain is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_plain_read(eis_ckks_plain *plain, const eis_ckks_params *params, const void *data,
                                            size_t bytes);

#endif
