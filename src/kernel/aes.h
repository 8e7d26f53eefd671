/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 in counter mode, where the processor does two blocks per instruction: three times as fast as libcrypto on the
 * streams that shares are made of. Not in the table of kernels, because there is no plain C behind it: tables would
 * tell the key through the cache. Where this is absent, rand/prg uses libcrypto, which is also its oracle. */
#ifndef EIS_KERNEL_AES_H
#define EIS_KERNEL_AES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_AES128_KEY_BYTES 16
#define EIS_AES_BLOCK_BYTES  16

/* A key and the next counter. Secret: the caller wipes it. */
typedef struct eis_aes128 {
    _Alignas(16) uint8_t round_key[11][EIS_AES_BLOCK_BYTES];
    uint64_t counter_high, counter_low; /* one 128-bit number, most significant byte first in a block */
} eis_aes128;

/* How this machine does it. */
typedef struct eis_aes128_kernel {
    /* Expands a key and sets the first counter block. Secret: key. */
    void (*start)(eis_aes128 *aes, const uint8_t key[EIS_AES128_KEY_BYTES], const uint8_t counter[EIS_AES_BLOCK_BYTES]);

    /* Writes the next blocks of the stream; the counter carries through all 128 bits.
     *
     * Shape:   out[16 * blocks], any alignment.
     * Secret:  out and the key. The time depends on the counter where its low 64 bits run over. */
    void (*stream)(eis_aes128 *aes, uint8_t *out, size_t blocks);
} eis_aes128_kernel;

/* Returns the kernel, or NULL where the processor has none or plain C is forced (EIS_KERNELS=generic). */
const eis_aes128_kernel *eis_aes128_kernel_get(void);

/* The one that there is; called where the object exists and the processor has VAES. */
const eis_aes128_kernel *eis_aes128_kernel_vaes(void);

#endif
