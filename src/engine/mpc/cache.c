/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/cache.h"

#include "base/mem.h"

#include <string.h>

eis_status eis_mpc_cache_init(eis_mpc_cache *cache, uint32_t slot_count)
{
    eis_status st = EIS_OK;

    memset(cache, 0, sizeof *cache);
    EIS_NEW(cache->slots, slot_count);
    cache->slot_count = slot_count;
out:
    return st;
}

void eis_mpc_cache_clear(eis_mpc_cache *cache)
{
    for (uint32_t i = 0; i < cache->slot_count; i++)
        for (int p = 0; p < 3; p++)
            eis_mem_free_wiped(cache->slots[i].part[p], cache->slots[i].capacity, sizeof(uint64_t));
    eis_mem_free(cache->slots);
    memset(cache, 0, sizeof *cache);
}

static eis_status keep(eis_mpc_cache *cache, uint32_t slot, const uint64_t *const parts[3], unsigned part_count,
                       size_t count)
{
    eis_status st = EIS_OK;
    eis_mpc_cache_slot *s = &cache->slots[slot];

    EIS_ASSERT(slot < cache->slot_count);
    if (s->capacity - s->count < count) {
        size_t more = 2 * s->capacity + count, before = s->capacity;
        for (unsigned p = 0; p < part_count; p++) {
            uint64_t *grown = eis_mem_new_secret(more, sizeof *grown);
            EIS_REQUIRE(grown != NULL, EIS_ERR_MEMORY, "no memory to keep %zu words", more);
            if (s->count > 0) memcpy(grown, s->part[p], s->count * sizeof *grown);
            eis_mem_free_wiped(s->part[p], before, sizeof *grown);
            s->part[p] = grown;
        }
        s->capacity = more;
    }
    for (unsigned p = 0; p < part_count; p++) memcpy(s->part[p] + s->count, parts[p], count * sizeof *parts[p]);
    s->count += count;
out:
    return st;
}

eis_status eis_mpc_cache_keep(eis_mpc_cache *cache, uint32_t slot, const eis_mpc_words *words, size_t count)
{
    const uint64_t *const parts[3] = {words->pub, words->share, words->mac};

    return keep(cache, slot, parts, 3, count);
}

eis_status eis_mpc_cache_keep_masks(eis_mpc_cache *cache, uint32_t slot, const uint64_t *masks, size_t count)
{
    const uint64_t *const parts[3] = {masks};

    return keep(cache, slot, parts, 1, count);
}

static eis_status find(const eis_mpc_cache_slot **found, const eis_mpc_cache *cache, uint32_t slot, size_t count)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(slot < cache->slot_count && cache->slots[slot].count >= count, EIS_ERR_INTERNAL,
                "the cache has no %zu words in slot %u", count, slot);
    *found = &cache->slots[slot];
out:
    return st;
}

eis_status eis_mpc_cache_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    const eis_mpc_cache_slot *s = NULL;
    eis_status st = find(&s, context, slot, count);

    if (st != EIS_OK) return st;
    memcpy(words->pub, s->part[0], count * sizeof(uint64_t));
    memcpy(words->share, s->part[1], count * sizeof(uint64_t));
    memcpy(words->mac, s->part[2], count * sizeof(uint64_t));
    return EIS_OK;
}

eis_status eis_mpc_cache_kept_masks(void *context, uint32_t slot, uint64_t *masks, uint32_t count)
{
    const eis_mpc_cache_slot *s = NULL;
    eis_status st = find(&s, context, slot, count);

    if (st == EIS_OK) memcpy(masks, s->part[0], count * sizeof *masks);
    return st;
}
