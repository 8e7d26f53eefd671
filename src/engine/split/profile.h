/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile of the split engine fixes: width and layout of the weights, and the rings that words live in. */
#ifndef EIS_ENGINE_SPLIT_PROFILE_H
#define EIS_ENGINE_SPLIT_PROFILE_H

#include "base/status.h"
#include "kernel/kernel.h"
#include "wire/split_messages.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_split_profile_info {
    eis_split_profile id;
    const char *name; /* as on the command line */
    eis_geometry geometry;
    unsigned weight_bits; /* 24, 8 or 20 */
    bool is_field;        /* words modulo p = 2^61 - 1: threshold sharing and Freivalds checks are possible */
} eis_split_profile_info;

/* Returns the description of a profile, or NULL for a number that is none. */
const eis_split_profile_info *eis_split_profile_get(unsigned profile);

/* Finds a profile by its name: p24, p8, f61 (20-bit weights) or f61-8 (8-bit weights).
 *
 * Errors: EIS_ERR_USAGE  the text names those that there are. *profile is untouched. */
EIS_MUST_USE eis_status eis_split_profile_parse(eis_split_profile *profile, const char *name);

/* Returns the ring of a node; planes (4 to 8) counts for P8 alone. */
eis_ring eis_split_profile_ring(eis_split_profile profile, unsigned planes);

#endif
