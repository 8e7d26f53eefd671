/* SPDX-License-Identifier: Apache-2.0 */
#include "share/combine.h"

#include <string.h>

/* y = part * 2^t, and y += part * 2^t. */
static void place_part(uint64_t *y, const eis_share_part *part, size_t count)
{
    if (part->truncated_bits == 0) {
        memcpy(y, part->words, count * sizeof *y);
        return;
    }
    for (size_t i = 0; i < count; i++) y[i] = part->words[i] << part->truncated_bits;
}

static void add_part(uint64_t *y, const eis_share_part *part, size_t count, eis_ring ring)
{
    uint64_t mask = eis_ring_mask(ring);

    if (part->truncated_bits == 0) {
        eis_kernels_get()->words_add(y, y, part->words, count, ring);
        return;
    }
    for (size_t i = 0; i < count; i++) y[i] = (y[i] + (part->words[i] << part->truncated_bits)) & mask;
}

eis_status eis_share_combine(uint64_t *y, const eis_share_part *parts, size_t k, size_t count, eis_ring ring)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(k >= 2, EIS_ERR_USAGE, "an answer is made of 2 parts or more, not %zu", k);
    for (size_t i = 0; i < k; i++)
        EIS_REQUIRE(parts[i].truncated_bits == 0 || (ring != EIS_RING_F61 && parts[i].truncated_bits < (unsigned)ring),
                    EIS_ERR_USAGE, "%u bits cannot be cut off words of %d bits", parts[i].truncated_bits, (int)ring);
    if (parts[0].truncated_bits == 0 && parts[1].truncated_bits == 0) {
        eis_kernels_get()->words_add(y, parts[0].words, parts[1].words, count, ring);
    } else {
        place_part(y, &parts[0], count);
        add_part(y, &parts[1], count, ring);
    }
    for (size_t i = 2; i < k; i++) add_part(y, &parts[i], count, ring);
out:
    return st;
}
