/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b with its whole parameter block, which libcrypto does not give: for parms_ids (32-byte digests). BLAKE2xb
 * is in kernel/seed.h. Everything here is public data; memory is not wiped. */
#ifndef EIS_RAND_BLAKE2B_H
#define EIS_RAND_BLAKE2B_H

#include "kernel/blake2b.h"

#include <stddef.h>
#include <stdint.h>

/* The parameter block as eight little-endian words. Source: [RFC7693, section 2.5]; tree members as in BLAKE2's own
 * specification [ANWW13]. */
typedef struct eis_blake2b_parameters {
    uint8_t digest_bytes; /* 1..64 */
    uint8_t key_bytes;    /* 0..64 */
    uint8_t fanout, depth;
    uint32_t leaf_bytes;
    uint32_t node_offset;
    uint32_t xof_bytes;
    uint8_t node_depth, inner_bytes;
} eis_blake2b_parameters;

/* Hashes one message.
 *
 * Shape:   digest[p->digest_bytes]; key[p->key_bytes], NULL for none; message[bytes].
 * Range:   digest_bytes 1..64, key_bytes 0..64 (asserted). */
void eis_blake2b_hash(uint8_t *digest, const eis_blake2b_parameters *p, const uint8_t *key, const void *message,
                      size_t bytes);

/* Plain BLAKE2b: no key, no tree. Shape: digest[digest_bytes], 1..64; message[bytes]. Source: [RFC7693]. */
void eis_blake2b(uint8_t *digest, size_t digest_bytes, const void *message, size_t bytes);

#endif
