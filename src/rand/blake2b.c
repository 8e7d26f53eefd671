/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b as RFC 7693 has it, with the tree members of the parameter block, from compressions of one block. */
#include "rand/blake2b.h"

#include "base/bytes.h"
#include "base/status.h"

#include <string.h>

static void start(uint64_t h[8], const eis_blake2b_parameters *p)
{
    memcpy(h, eis_blake2b_initial, sizeof eis_blake2b_initial);
    h[0] ^= (uint64_t)p->digest_bytes | (uint64_t)p->key_bytes << 8 | (uint64_t)p->fanout << 16 |
            (uint64_t)p->depth << 24 | (uint64_t)p->leaf_bytes << 32;
    h[1] ^= (uint64_t)p->node_offset | (uint64_t)p->xof_bytes << 32;
    h[2] ^= (uint64_t)p->node_depth | (uint64_t)p->inner_bytes << 8;
}

void eis_blake2b_hash(uint8_t *digest, const eis_blake2b_parameters *p, const uint8_t *key, const void *message,
                      size_t bytes)
{
    const uint8_t *at = message;
    uint8_t block[EIS_BLAKE2B_BLOCK_BYTES] = {0};
    uint64_t h[8], counter = 0;

    EIS_ASSERT(p->digest_bytes >= 1 && p->digest_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    EIS_ASSERT(p->key_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    start(h, p);
    if (p->key_bytes > 0) { /* a block of its own in front of the message */
        memcpy(block, key, p->key_bytes);
        counter = sizeof block;
        eis_blake2b_compress(h, block, counter, bytes == 0);
    }
    for (; bytes > sizeof block; bytes -= sizeof block, at += sizeof block) {
        counter += sizeof block;
        eis_blake2b_compress(h, at, counter, false);
    }
    if (bytes > 0 || p->key_bytes == 0) {
        memset(block, 0, sizeof block);
        if (bytes > 0) memcpy(block, at, bytes);
        eis_blake2b_compress(h, block, counter + bytes, true);
    }
    for (size_t i = 0; i < 8; i++) eis_store_le64(block + 8 * i, h[i]);
    memcpy(digest, block, p->digest_bytes);
}

void eis_blake2b(uint8_t *digest, size_t digest_bytes, const void *message, size_t bytes)
{
    EIS_ASSERT(digest_bytes >= 1 && digest_bytes <= EIS_BLAKE2B_DIGEST_BYTES);
    eis_blake2b_hash(digest, &(eis_blake2b_parameters){.digest_bytes = (uint8_t)digest_bytes, .fanout = 1, .depth = 1},
                     NULL, message, bytes);
}
