/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing of rows with AES-256-GCM, and the key file of a store that outlives its process. */
#ifndef EIS_STORE_SEAL_H
#define EIS_STORE_SEAL_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

#define EIS_SEAL_KEY_BYTES   32
#define EIS_SEAL_EXTRA_BYTES (12 + 16) /* nonce in front, tag behind */

/* A key that is fresh at each opening of a store, so a counter makes nonces that never repeat under it. */
typedef struct eis_seal {
    uint8_t key[EIS_SEAL_KEY_BYTES];
    uint64_t nonce;
} eis_seal;

/* Draws a fresh key from the system. Errors: EIS_ERR_ENTROPY. */
EIS_MUST_USE eis_status eis_store_seal_fresh(eis_seal *seal);

/* Seals body[bytes] into out[bytes + EIS_SEAL_EXTRA_BYTES] and authenticates `bound` with it. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_seal_close(eis_seal *seal, uint8_t *out, const void *body, size_t bytes,
                                             eis_span bound);

/* Opens sealed[bytes] into out[bytes - EIS_SEAL_EXTRA_BYTES]. Errors: EIS_ERR_STORE; out is wiped. */
EIS_MUST_USE eis_status eis_store_seal_open(const eis_seal *seal, uint8_t *out, const void *sealed, size_t bytes,
                                            eis_span bound);

/* Reads the key in a file. *found is false where there is no file, or one that was being replaced.
 *
 * Errors: EIS_ERR_FILE  unreadable, or others may use it. */
EIS_MUST_USE eis_status eis_store_key_file_read(uint8_t key[EIS_SEAL_KEY_BYTES], bool *found, const char *path);

/* Puts a new key in the place of the old one, which is overwritten first; on the disk when it returns.
 *
 * Errors: EIS_ERR_FILE  the file may then hold no key at all, never the old one beside the new one. */
EIS_MUST_USE eis_status eis_store_key_file_replace(const uint8_t key[EIS_SEAL_KEY_BYTES], const char *path);

#endif
