/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 with a domain, for commitments, transcripts and keys of streams. */
#ifndef EIS_ENGINE_MPC_DIGEST_H
#define EIS_ENGINE_MPC_DIGEST_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_MPC_DIGEST_BYTES 32

typedef struct eis_mpc_digest {
    void *context;
    eis_status st; /* sticky, until the end */
} eis_mpc_digest;

/* Starts: the domain and its length come first. What the digest held is forgotten.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_digest_start(eis_mpc_digest *digest, const char *domain);

/* Adds bytes. Errors: sticky. */
void eis_mpc_digest_add(eis_mpc_digest *digest, const void *data, size_t bytes);

/* Ends. Shape: out[EIS_MPC_DIGEST_BYTES]. Errors: sticky ones; out is zeros. */
EIS_MUST_USE eis_status eis_mpc_digest_end(eis_mpc_digest *digest, uint8_t *out);

/* The digest of what was added so far; more can be added after it. */
EIS_MUST_USE eis_status eis_mpc_digest_peek(const eis_mpc_digest *digest, uint8_t *out);

/* Wipes and frees. Safe on a zeroed digest. */
void eis_mpc_digest_clear(eis_mpc_digest *digest);

#endif
