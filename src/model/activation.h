/* SPDX-License-Identifier: Apache-2.0 */
/* Activations in double without branches on values, and their helpers. Loops over arrays, so that compilers vectorise.
 */
#ifndef EIS_MODEL_ACTIVATION_H
#define EIS_MODEL_ACTIVATION_H

#include <stddef.h>
#include <stdint.h>

/* Computes e^x.
 *
 * Range:   relative error below EIS_EXP_ERROR for |x| <= 708; a larger magnitude, infinity and NaN count as 708 with
 *          their sign, so the result is always finite, normal and > 0.
 * Secret:  x. */
double eis_exp(double x);

#define EIS_EXP_ERROR 4.5e-16 /* 2 units in the last place */

/* Computes 1 / sqrt(|x|); a magnitude outside [1e-300, 1e300] (or NaN) counts as the nearer end, so the result is
 * finite.
 *
 * Range:   relative error below 1e-15. Secret: x. */
double eis_inverse_sqrt(double x);

/* x[i] = 1 / (1 + e^-x[i]). Secret: x. */
void eis_sigmoid(double *x, size_t count);

/* x[i] = x[i] * sigmoid(x[i]). Secret: x. */
void eis_silu(double *x, size_t count);

/* x[i] = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the gelu of GPT-2. Secret: x. */
void eis_gelu_tanh(double *x, size_t count);

/* x becomes e^(x - max) / sum. count > 0. Secret: x. */
void eis_softmax(double *x, size_t count);

/* Puts 0 in place of entries that are infinite or NaN; returns all ones where there was one, else 0.
 * Secret: x and the result: callers collect it and look at the end of a token. */
uint64_t eis_zero_not_finite(double *x, size_t count);

#endif
