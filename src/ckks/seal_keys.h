/* SPDX-License-Identifier: Apache-2.0 */
/* Public, relinearisation and Galois keys as SEAL objects. The last two are one kind, KSwitchKeys: a list of entries of
 * which each is empty or has a PublicKey object per digit. */
#ifndef EIS_CKKS_SEAL_KEYS_H
#define EIS_CKKS_SEAL_KEYS_H

#include "ckks/keys.h"
#include "ckks/seal_wire.h"

/* Return the bytes of an object, not compressed. A Galois object has room for indices up to the highest element's. */
size_t eis_ckks_public_key_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded);
size_t eis_ckks_relin_key_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded);
size_t eis_ckks_galois_keys_bytes(const eis_ckks_params *params, uint32_t element_max, size_t count, eis_seal_form form,
                                  bool seeded);

/* Append an object; rows are written seeded where they have a seed and `seeded` is set. The list of a Galois object is
 * cut behind the highest element. Errors: sticky in w; EIS_ERR_UNSUPPORTED for switching keys that are cut to a level
 * or belong to several special primes, which travel as a key set (he_keys.h) alone. */
void eis_ckks_public_key_write(eis_writer *w, const eis_ckks_public_key *key, eis_seal_style style, bool seeded);
void eis_ckks_relin_key_write(eis_writer *w, const eis_ckks_switch_key *key, eis_seal_style style, bool seeded);
void eis_ckks_galois_keys_write(eis_writer *w, const eis_ckks_galois_keys *keys, eis_seal_style style, bool seeded);

/* Read an object, full or seeded, whole in data[bytes]. Every row is checked: key level, two polynomials, scale 1,
 * words below their primes, no limb of the second polynomial zero.
 *
 * Errors:  EIS_ERR_CIPHERTEXT         malformed, or a row that is not as above; a relinearisation object with other
 * than one entry; more entries than N; a number of rows that is not the digits'; a key for element 1.
 *          EIS_ERR_CONTEXT_MISMATCH   made under other parameters.
 *          EIS_ERR_KEYS_INSUFFICIENT  an entry that is wanted is empty or absent.
 *          EIS_ERR_UNSUPPORTED        the chain has not one special prime (relinearisation and Galois keys).
 *          EIS_ERR_MEMORY             the key is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_public_key_read(eis_ckks_public_key *key, const eis_ckks_params *params,
                                                 const void *data, size_t bytes);
EIS_MUST_USE eis_status eis_ckks_relin_key_read(eis_ckks_switch_key *key, const eis_ckks_params *params,
                                                const void *data, size_t bytes);

/* Reads the keys of the elements that are wanted; keys of others are checked and skipped.
 *
 * Shape:   element[count], strictly rising, each odd and in (1, 2N) (asserted). NULL: every key of the object is
 * wanted. object_bytes_max: what a compressed object may become; at least EIS_SEAL_HEADER_BYTES + 1. Errors:  as above.
 */
EIS_MUST_USE eis_status eis_ckks_galois_keys_read(eis_ckks_galois_keys *keys, const eis_ckks_params *params,
                                                  const uint32_t *element, size_t count, const void *data, size_t bytes,
                                                  size_t object_bytes_max);

#endif
