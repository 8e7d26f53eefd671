/* SPDX-License-Identifier: Apache-2.0 */
/* How wrong functions on shares may be: bounds from the fit and from what each rounding can do, for those who choose
 * degrees and ranges. They hold for the scales of functions.c. */
#ifndef EIS_ENGINE_MPC_ACCURACY_H
#define EIS_ENGINE_MPC_ACCURACY_H

#include "engine/mpc/functions.h"

/* Returns the largest error of exp(v), v <= 0: of the interpolant where it is used, and with all roundings and what is
 * cut off. */
double eis_mpc_exp_fit_error(const eis_mpc_tuning *tuning);
double eis_mpc_exp_bound(const eis_mpc_tuning *tuning);

/* Returns the largest error of an activation: of its interpolant, and with all roundings and the straight lines beyond
 * +-R. Its factor in a gated unit comes on top. */
double eis_mpc_activation_fit_error(eis_mpc_activation kind, const eis_mpc_tuning *tuning);
double eis_mpc_activation_bound(eis_mpc_activation kind, const eis_mpc_tuning *tuning);

/* Returns the largest relative error of x^-1 on [from, to], all of it `usual`; and of x^-1/2 over its 16 octaves. */
double eis_mpc_reciprocal_bound(double from, double to, const eis_mpc_tuning *tuning);
double eis_mpc_root_bound(const eis_mpc_tuning *tuning);

#endif
