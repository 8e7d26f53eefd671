/* SPDX-License-Identifier: Apache-2.0 */
/* Client, before sending: keys once, then numbers to slots to ciphertexts. */
#ifndef EIS_ENGINE_HE_PROTECT_H
#define EIS_ENGINE_HE_PROTECT_H

#include "ckks/secret.h"
#include "encode/slots.h"
#include "engine/he/contract.h"
#include "engine/he/eval.h"

/* A client's half: parameters, tables and the secret key, for one contract. */
typedef struct eis_he_client {
    const eis_he_contract *contract; /* must outlive the client */
    const eis_ckks_params *params;   /* owned */
    eis_slots slots;
    eis_ckks_secret_key secret;
} eis_he_client;

/* Makes a client with a fresh secret key.
 *
 * Errors:  those of eis_he_contract_check and eis_ckks_params_new (the client's own policy is in
 *          contract->literal.policy, which the caller has set and not taken from the server); EIS_ERR_ENTROPY,
 *          EIS_ERR_MEMORY. *client is zeroed. */
EIS_MUST_USE eis_status eis_he_client_init(eis_he_client *client, const eis_he_contract *contract);

/* The same with a key kept from an earlier run, in the form of ckks/seal_secret.h. Secret: data. */
EIS_MUST_USE eis_status eis_he_client_init_key(eis_he_client *client, const eis_he_contract *contract, const void *data,
                                               size_t bytes);

/* Wipes and frees. Safe on a zeroed client. */
void eis_he_client_clear(eis_he_client *client);

/* Makes the evaluation keys that the contract asks for, whole, all seeded. Errors: as keygen; *keys is zeroed. */
EIS_MUST_USE eis_status eis_he_client_keys(eis_he_keys *keys, const eis_he_client *client);

/* Makes the same keys, cut to the levels that the contract gives. Errors: as keygen; *set is zeroed. */
EIS_MUST_USE eis_status eis_he_client_key_set(eis_ckks_key_set *set, const eis_he_client *client);

/* Encrypts ciphertext `index` of a request.
 *
 * Shape:   x[batch][input.size], the model's own scaling already applied; batch is 1 unless the packing is FEATURES.
 * Range:   index < input.ciphertexts, 1 <= batch <= batch_max (asserted); x finite. Values beyond input_max make the
 *          error bound void, and may wrap.
 * Secret:  x; constant time.
 * Errors:  EIS_ERR_RANGE  not finite, or too large for the modulus; EIS_ERR_ENTROPY, EIS_ERR_MEMORY. *ct is zeroed. */
EIS_MUST_USE eis_status eis_he_protect(eis_ckks_ct *ct, const eis_he_client *client, uint32_t stage, uint32_t index,
                                       const double *x, size_t batch);

#endif
