/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption: an object file of its own, which no server links. */
#ifndef EIS_CKKS_DECRYPT_H
#define EIS_CKKS_DECRYPT_H

#include "ckks/ct.h"
#include "ckks/secret.h"

/* Decrypts: m + noise = c0 + c1 s + c2 s^2, at the ciphertext's level and scale.
 *
 * A decrypted CKKS value contains its noise: who publishes it exactly, and what was computed, publishes the key
 * [LM21]. All checks of a reply come before this call, and nothing that the network can see comes from its result.
 *
 * Secret:  key and plain.
 * Errors:  EIS_ERR_SCALE, EIS_ERR_MEMORY  *plain is zeroed. */
EIS_MUST_USE eis_status eis_ckks_decrypt(eis_ckks_plain *plain, const eis_ckks_secret_key *key, const eis_ckks_ct *ct);

#endif
