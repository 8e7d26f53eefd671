/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/split/profile.h"

#include <string.h>

static const eis_split_profile_info profiles[] = {
    {EIS_SPLIT_P24, "p24", EIS_GEOMETRY_W24, 24, false},
    {EIS_SPLIT_P8, "p8", EIS_GEOMETRY_W8, 8, false},
    {EIS_SPLIT_F61_20, "f61", EIS_GEOMETRY_W20, 20, true},
    {EIS_SPLIT_F61_8, "f61-8", EIS_GEOMETRY_W8, 8, true},
};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])

const eis_split_profile_info *eis_split_profile_get(unsigned profile)
{
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (profiles[i].id == profile) return &profiles[i];
    return NULL;
}

eis_status eis_split_profile_parse(eis_split_profile *profile, const char *name)
{
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (strcmp(profiles[i].name, name) == 0) {
            *profile = profiles[i].id;
            return EIS_OK;
        }
    return eis_fail(EIS_ERR_USAGE, "there is no profile \"%s\"; choose p24, p8, f61 or f61-8", name);
}

eis_ring eis_split_profile_ring(eis_split_profile profile, unsigned planes)
{
    switch (profile) {
    case EIS_SPLIT_P24:
        return EIS_RING_Z52;
    case EIS_SPLIT_P8:
        EIS_ASSERT(planes >= 4 && planes <= 8);
        return (eis_ring)(8 * planes);
    case EIS_SPLIT_F61_20:
    case EIS_SPLIT_F61_8:
        return EIS_RING_F61;
    }
    EIS_ASSERT(false);
    return EIS_RING_Z64;
}
