/* SPDX-License-Identifier: Apache-2.0 */
/* `eis plan --engine he`: parameters, levels, keys and their bytes, time and precision, before anything is encrypted.
 */
#ifndef EIS_CLI_PLAN_HE_H
#define EIS_CLI_PLAN_HE_H

#include "base/status.h"
#include "cli/he_flags.h"
#include "model/graph.h"

#include <stdbool.h>

/* Plans and prints. policy NULL: the default.
 *
 * Errors: those of eis_he_plan_new, whose texts are the offers; EIS_ERR_FILE  stdout. */
EIS_MUST_USE eis_status eis_cli_plan_he(const eis_model *model, const eis_cli_he_own *own, const char *policy,
                                        double tolerance, bool json);

#endif
