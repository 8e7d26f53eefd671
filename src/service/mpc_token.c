/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_token.h"

#include "base/bytes.h"

#include <string.h>

/* What is signed. */
static eis_status hash_token(uint8_t hash[EIS_MPC_DIGEST_BYTES], const uint8_t *session, uint64_t step, uint32_t token)
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};
    uint8_t tail[12];

    eis_store_le64(tail, step);
    eis_store_le32(tail + 8, token);
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc token"));
    eis_mpc_digest_add(&digest, session, EIS_MPC_DIGEST_BYTES);
    eis_mpc_digest_add(&digest, tail, sizeof tail);
    EIS_TRY(eis_mpc_digest_end(&digest, hash));
out:
    eis_mpc_digest_clear(&digest);
    return st;
}

eis_status eis_mpc_token_sign(eis_signature *signature, const eis_signer *signer,
                              const uint8_t session[EIS_MPC_DIGEST_BYTES], uint64_t step, uint32_t token)
{
    uint8_t hash[EIS_MPC_DIGEST_BYTES];
    eis_status st = hash_token(hash, session, step, token);

    return st == EIS_OK ? eis_net_signer_sign(signature, signer, hash, sizeof hash) : st;
}

eis_status eis_mpc_witness_init(eis_mpc_witness *witness, const eis_mpc_session *session,
                                const eis_mpc_party_keys *keys)
{
    eis_status st = EIS_OK;

    *witness = (eis_mpc_witness){.count = session->party_count};
    memcpy(witness->session, session->hash, sizeof witness->session);
    EIS_REQUIRE(keys->count == session->party_count, EIS_ERR_INTEGRITY,
                "the coordinator shows keys of %u parties, and the session has %u", keys->count, session->party_count);
    for (uint32_t p = 0; p < keys->count && st == EIS_OK; p++) {
        st = eis_net_verifier_new(&witness->verifier[p], &keys->key[p], &session->party[p].pin);
        if (st != EIS_OK) st = eis_fail_prefix(st, "party %u", p);
    }
out:
    if (st != EIS_OK) eis_mpc_witness_clear(witness);
    return st;
}

void eis_mpc_witness_clear(eis_mpc_witness *witness)
{
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) eis_net_verifier_free(witness->verifier[p]);
    memset(witness, 0, sizeof *witness);
}

eis_status eis_mpc_witness_check(const eis_mpc_witness *witness, const eis_mpc_told *told)
{
    eis_status st = EIS_OK;
    uint8_t hash[EIS_MPC_DIGEST_BYTES];

    EIS_TRY(hash_token(hash, witness->session, told->step, told->token));
    EIS_REQUIRE(told->count == witness->count, EIS_ERR_INTEGRITY,
                "a token has %u signatures and not one of every party", told->count);
    for (uint32_t p = 0; p < witness->count; p++) {
        st = eis_net_verifier_check(witness->verifier[p], &told->signature[p], hash, sizeof hash);
        if (st == EIS_ERR_INTEGRITY) st = eis_fail(st, "the coordinator told a token that party %u has not signed", p);
        if (st != EIS_OK) goto out;
    }
out:
    return st;
}
