/* SPDX-License-Identifier: Apache-2.0 */
/* How much a matrix can stretch a vector: bounds of ranges that are theorems. */
#ifndef EIS_ENGINE_MPC_SPECTRAL_H
#define EIS_ENGINE_MPC_SPECTRAL_H

#include "base/status.h"

#include <stddef.h>

/* Gives a number that is not below the largest singular value of a[rows][columns], and at most rows^(1/128) times it.
 *
 * Cost:    rows^2 columns + 6 rows^3 products.
 * Errors:  EIS_ERR_MEMORY; EIS_ERR_MODEL  an entry is not finite. */
EIS_MUST_USE eis_status eis_mpc_spectral_norm(double *norm, const double *a, size_t rows, size_t columns);

#endif
