/* SPDX-License-Identifier: Apache-2.0 */
/* `eis plan --engine mpc`: rounds, words and material of one token or of one input of a classifier, section by section,
 * or of a prompt, step by step, and times on three networks. */
#ifndef EIS_CLI_PLAN_MPC_H
#define EIS_CLI_PLAN_MPC_H

#include "cli/mpc_flags.h"
#include "model/graph.h"

/* Plans and prints. context: positions that the token looks back on, itself included; 0: 128, or the model's. prompt:
 * the tokens of one, which then is planned; 0: a token. sampling: how it is chosen, NULL for the likeliest; what is 0
 * is the settings'.
 *
 * Errors: those of eis_mpc_manifest_take, eis_mpc_plan_make and of the settings; EIS_ERR_FILE  stdout. */
EIS_MUST_USE eis_status eis_cli_plan_mpc(const eis_model *model, const eis_cli_mpc *flags, unsigned context,
                                         unsigned prompt, const eis_mpc_sampling *sampling, bool json);

#endif
