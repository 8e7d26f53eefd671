/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept from step to step, slot by slot: at a party the words of wires, at the dealer their masks. */
#ifndef EIS_ENGINE_MPC_CACHE_H
#define EIS_ENGINE_MPC_CACHE_H

#include "engine/mpc/deal.h"
#include "engine/mpc/party.h"

typedef struct eis_mpc_cache_slot {
    uint64_t *part[3]; /* pub, share, mac at a party; the mask alone at the dealer */
    size_t count, capacity;
} eis_mpc_cache_slot;

typedef struct eis_mpc_cache {
    eis_mpc_cache_slot *slots; /* [slot_count], secret */
    uint32_t slot_count;
} eis_mpc_cache;

/* Makes empty slots. Errors: EIS_ERR_MEMORY; *cache is zeroed. */
EIS_MUST_USE eis_status eis_mpc_cache_init(eis_mpc_cache *cache, uint32_t slot_count);

/* Wipes and frees. Safe on a zeroed cache. */
void eis_mpc_cache_clear(eis_mpc_cache *cache);

/* Adds a wire's words, or its masks, behind what a slot holds. Shape: [count]. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_cache_keep(eis_mpc_cache *cache, uint32_t slot, const eis_mpc_words *words,
                                           size_t count);
EIS_MUST_USE eis_status eis_mpc_cache_keep_masks(eis_mpc_cache *cache, uint32_t slot, const uint64_t *masks,
                                                 size_t count);

/* Gives the first `count` words of a slot, as KEPT nodes want them (context: the cache).
 * Errors:  EIS_ERR_INTERNAL  the slot holds fewer. */
EIS_MUST_USE eis_status eis_mpc_cache_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count);
EIS_MUST_USE eis_status eis_mpc_cache_kept_masks(void *context, uint32_t slot, uint64_t *masks, uint32_t count);

#endif
