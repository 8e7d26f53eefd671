/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: by which an owner sees that the Triple Service gave it the keys of masks that the parties use. A
 * service that hands out others would shift what the owner puts in by a difference of its choice. */
#ifndef EIS_SERVICE_MPC_KEY_HASH_H
#define EIS_SERVICE_MPC_KEY_HASH_H

#include "engine/mpc/stream.h"
#include "service/mpc_session.h"

/* Hashes the key of one party's masks of (purpose, number); the key is uniform, so the hash tells nothing of it.
 *
 * Shape:   hash[EIS_MPC_DIGEST_BYTES], key[EIS_MPC_SEED_BYTES].
 * Secret:  key. Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_key_hash(uint8_t *hash, const eis_mpc_session *session, uint32_t party,
                                         eis_mpc_purpose purpose, uint64_t number, const uint8_t *key);

#endif
