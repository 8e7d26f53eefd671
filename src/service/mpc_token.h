/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: tokens that are told come with a signature of every party over (session, step, token), so that a
 * coordinator, which only passes them on, cannot put in others, change their order or leave one out in the middle. */
#ifndef EIS_SERVICE_MPC_TOKEN_H
#define EIS_SERVICE_MPC_TOKEN_H

#include "net/signer.h"
#include "service/mpc_session.h"

/* A token as parties tell it. */
typedef struct eis_mpc_told {
    uint64_t step;
    uint32_t token, count; /* count: signatures, party by party; 0: none */
    eis_signature signature[EIS_MPC_PARTIES_MAX];
} eis_mpc_told;

/* The public keys of parties, as they show them. */
typedef struct eis_mpc_party_keys {
    uint32_t count;
    eis_public_key key[EIS_MPC_PARTIES_MAX];
} eis_mpc_party_keys;

/* Signs a token as a party. session: hash of the document. Errors: those of the signer. */
EIS_MUST_USE eis_status eis_mpc_token_sign(eis_signature *signature, const eis_signer *signer,
                                           const uint8_t session[EIS_MPC_DIGEST_BYTES], uint64_t step, uint32_t token);

/* Whoever hears tokens. */
typedef struct eis_mpc_witness {
    uint8_t session[EIS_MPC_DIGEST_BYTES];
    uint32_t count;
    eis_verifier *verifier[EIS_MPC_PARTIES_MAX];
} eis_mpc_witness;

/* Takes the keys that parties have shown, if they are those that the session pins; its hash is set.
 * Errors:  EIS_ERR_INTEGRITY;  EIS_ERR_MEMORY. *witness is zeroed. */
EIS_MUST_USE eis_status eis_mpc_witness_init(eis_mpc_witness *witness, const eis_mpc_session *session,
                                             const eis_mpc_party_keys *keys);

/* Frees. Safe on a zeroed witness. */
void eis_mpc_witness_clear(eis_mpc_witness *witness);

/* Checks that all parties have told a token. Errors: EIS_ERR_INTEGRITY, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_witness_check(const eis_mpc_witness *witness, const eis_mpc_told *told);

#endif
