/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials and straight lines that stand for functions: what is fitted when a graph is built, in double. */
#ifndef EIS_ENGINE_MPC_FIT_H
#define EIS_ENGINE_MPC_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_MPC_DEGREE_MAX 15

typedef double (*eis_mpc_function)(double x, double parameter);

/* Interpolates f at the Chebyshev points of [-1, 1] and gives the coefficients of rising powers.
 * Shape: c[degree + 1]. Range: degree <= EIS_MPC_DEGREE_MAX. */
void eis_mpc_fit(double *c, unsigned degree, eis_mpc_function f, double parameter);

/* Returns the largest error of a polynomial on [-1, 1], from `samples` points. */
double eis_mpc_fit_error(const double *c, unsigned degree, eis_mpc_function f, double parameter, size_t samples);

/* Fits a + b x on [from, to] with the smallest largest relative error in x^-1 or x^-1/2 (power 1 or 0.5). */
void eis_mpc_fit_line(double *a, double *b, double from, double to, double power);

#define EIS_MPC_THRESHOLDS_MAX 256

/* Lines for x^-1 or x^-1/2: segment i reaches from edge[i - 1] to edge[i]. */
typedef struct eis_mpc_lines {
    uint32_t count; /* of thresholds; segments are one more */
    double edge[EIS_MPC_THRESHOLDS_MAX], a[EIS_MPC_THRESHOLDS_MAX + 1], b[EIS_MPC_THRESHOLDS_MAX + 1];
} eis_mpc_lines;

/* Fits `per_octave` segments to each octave of [from, usual], then one to each up to `to`. Returns false where these
 * are too many. */
bool eis_mpc_fit_lines(eis_mpc_lines *lines, double from, double usual, double to, double power, unsigned per_octave);

/* The functions of t in [-1, 1]: exp(range (t - 1) / 2); and the even parts of SiLU, GELU and tanh-GELU, and
 * (sigmoid(x) - 1/2) / x, as functions of x^2 = range^2 (t + 1) / 2. */
double eis_mpc_function_exp(double t, double range);
double eis_mpc_function_silu(double t, double range);
double eis_mpc_function_gelu(double t, double range);
double eis_mpc_function_gelu_tanh(double t, double range);
double eis_mpc_function_sigmoid(double t, double range);

#endif
