/* SPDX-License-Identifier: Apache-2.0 */
/* The streams that public seeds stand for on the SEAL wire, by whole blocks: a part of the table of kernel.h.
 *
 * A stream is the row of its blocks 0, 1, 2, ..., and each is a hash of the seed and its number alone, so a level may
 * make as many side by side as it has lanes. Seeds and streams are public. */
#ifndef EIS_KERNEL_SEED_H
#define EIS_KERNEL_SEED_H

#include <stddef.h>
#include <stdint.h>

#define EIS_SEED_BYTES       64
#define EIS_SEED_BLOCK_BYTES 4096

typedef struct eis_seed_kernels {
    /* Writes blocks counter, counter + 1, ... of a stream: BLAKE2xb of 4096 bytes with the seed as its key and the
     * number of the block as its message, or SHAKE256 of seed and number.
     *
     * Shape:   out[blocks][4096], any alignment; seed[64]; the number is a little-endian u64, which wraps.
     * Source:  [ANWW16] on [RFC7693]; [FIPS202]. */
    void (*blake2xb)(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);
    void (*shake256)(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);
} eis_seed_kernels;

#endif
