/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_key_hash.h"

#include "base/bytes.h"

eis_status eis_mpc_key_hash(uint8_t *hash, const eis_mpc_session *session, uint32_t party, eis_mpc_purpose purpose,
                            uint64_t number, const uint8_t *key)
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};
    uint8_t head[13];

    eis_store_le32(head, party);
    head[4] = (uint8_t)purpose;
    eis_store_le64(head + 5, number);
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc owner key"));
    eis_mpc_digest_add(&digest, session->hash, sizeof session->hash);
    eis_mpc_digest_add(&digest, head, sizeof head);
    eis_mpc_digest_add(&digest, key, EIS_MPC_SEED_BYTES);
    EIS_TRY(eis_mpc_digest_end(&digest, hash));
out:
    eis_mpc_digest_clear(&digest);
    return st;
}
