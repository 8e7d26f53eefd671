/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/word.h"

#include "base/ct.h"

bool eis_ring_words_canonical(const uint64_t *words, size_t n, eis_ring ring, unsigned truncated_bits)
{
    uint64_t mask = eis_ring_mask(ring) >> truncated_bits, above = 0;

    EIS_ASSERT(truncated_bits < (unsigned)ring && (ring != EIS_RING_F61 || truncated_bits == 0));
    if (ring == EIS_RING_F61) {
        for (size_t i = 0; i < n; i++) above |= words[i] | (words[i] + 1); /* p + 1 = 2^61 */
    } else {
        for (size_t i = 0; i < n; i++) above |= words[i];
    }
    above &= ~mask;
    EIS_PUBLIC(&above, sizeof above); /* a reply that is refused ends the call, which everybody sees */
    return above == 0;
}
