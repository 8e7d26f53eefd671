/* SPDX-License-Identifier: Apache-2.0 */
/* The forms, in the order in which a planner tries them. */
#include "engine/he/network.h"
#include "engine/he/plan_internal.h"
#include "engine/he/windows.h"

static const eis_he_method *const batch[] = {&eis_he_method_features, NULL};
static const eis_he_method *const single[] = {&eis_he_method_rows, &eis_he_method_blocks, &eis_he_method_network, NULL};
static const eis_he_method *const rounds[] = {&eis_he_method_interactive, NULL};

const eis_he_method *const *eis_he_methods(eis_he_form form, bool interactive)
{
    if (interactive) return rounds;
    return form == EIS_HE_FORM_BATCH ? batch : single;
}

eis_status eis_he_plan_affine(eis_he_draft *draft, uint32_t stage, uint32_t node, double input_max)
{
    const eis_he_map *map = &draft->graph->node[node].map;
    uint64_t padded = eis_he_power_of_two(map->columns);

    /* Where all rows stand beside each other one product does, and nothing is quicker. */
    if (padded * map->rows <= eis_ckks_slots(draft->params)) return eis_he_rows_plan_map(draft, stage, node, input_max);
    return eis_he_blocks_plan_map(draft, stage, node, input_max);
}
