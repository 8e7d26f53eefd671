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
