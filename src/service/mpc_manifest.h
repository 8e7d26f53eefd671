/* SPDX-License-Identifier: Apache-2.0 */
/* What an owner publishes of a model under the settings of a session. It is read off the model and built once, as the
 * parties will build it, so that a model without room is refused before anything is started or sent. */
#ifndef EIS_SERVICE_MPC_MANIFEST_H
#define EIS_SERVICE_MPC_MANIFEST_H

#include "service/mpc_session.h"
#include "service/mpc_settings.h"

#define EIS_MPC_DECLARED_BYTES 1024

/* What people should be told of it. */
typedef struct eis_mpc_manifest_notes {
    char declared[EIS_MPC_DECLARED_BYTES]; /* parts of the model whose bounds rest on what its owner declares, with
                                              ", " between; empty: theorems alone */
    /* The largest errors of functions of this model, 0 of those that it has not: of exp, and of its interpolant alone;
     * of the activation; relative ones of 1/x in a softmax and of 1/sqrt(x) in a norm. */
    double exp_error, exp_fit_error, activation_error, reciprocal_error, root_error;
    const char *activation; /* its name, or NULL */
    eis_mpc_tests tests;    /* of the session: what they leave open should be told */
} eis_mpc_manifest_notes;

/* Sets what of a session follows from model and settings: kind, manifest, context, stop tokens, rules. Bounds are
 * chosen by range.policy. own_dealer: we run the session's Triple Service ourselves.
 *
 * Errors:  EIS_ERR_RANGE  a gate could overflow: the text names part, bits and settings;  EIS_ERR_MODEL,
 *          EIS_ERR_UNSUPPORTED, EIS_ERR_MEMORY. What was set is for eis_mpc_session_clear. */
EIS_MUST_USE eis_status eis_mpc_manifest_take(eis_mpc_session *session, eis_mpc_manifest_notes *notes,
                                              const eis_mpc_settings *settings, bool own_dealer,
                                              const eis_model *model);

/* Sets the same as it must be under a session that was agreed on: with its rules, tunables and declared bounds. Whether
 * the manifest is the same is for the caller to compare. Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_manifest_take_agreed(eis_mpc_session *session, eis_mpc_manifest_notes *notes,
                                                     const eis_mpc_session *agreed, const eis_model *model);

#endif
