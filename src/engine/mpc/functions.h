/* SPDX-License-Identifier: Apache-2.0 */
/* Functions as gates: exp, SiLU, GELU, SwiGLU, reciprocal and reciprocal root. Costs are those of one element. */
#ifndef EIS_ENGINE_MPC_FUNCTIONS_H
#define EIS_ENGINE_MPC_FUNCTIONS_H

#include "engine/mpc/fit.h"
#include "engine/mpc/gates.h"

/* The tunables that shape graphs. */
typedef struct eis_mpc_tuning {
    unsigned frac;           /* fixed_point.scale_bits: 12 .. 20 */
    unsigned exp_degree;     /* cheby.deg: 5 .. 15 */
    double exp_range;        /* cheby.range: 8 .. 16 */
    unsigned act_degree;     /* act.deg: 5 .. 15; 0: 11 for SiLU and sigmoid, 9 for GELU */
    double act_range;        /* act.range: 2 .. 16; 0: 8 for SiLU and sigmoid, 4 for GELU */
    unsigned per_octave;     /* spline.per_octave: 1 .. 8 */
    unsigned newton_steps;   /* newton.steps: 1 or 2 */
    unsigned digit_bits_max; /* compare.digit_bits: 4 .. 7; 0: chosen */
    unsigned softmax_static; /* softmax.max: 1 takes the largest score to be its bound, which must be small; else 0 */
} eis_mpc_tuning;

/* The widest digits of comparisons. */
static inline unsigned eis_mpc_digit_bits(const eis_mpc_tuning *tuning)
{
    return tuning->digit_bits_max == 0 ? 7 : tuning->digit_bits_max;
}

/* Errors: EIS_ERR_RANGE  a tunable is out of its range; the text names it. */
EIS_MUST_USE eis_status eis_mpc_tuning_check(const eis_mpc_tuning *tuning);

/* The defaults: 16, 11, 12, 0, 0, 4, 1, 0. */
void eis_mpc_tuning_default(eis_mpc_tuning *tuning);

/* exp(v) for v <= 0, at frac bits. Cost: 5 rounds and 14 words for degrees up to 11, else 7 rounds and 16 words. */
eis_mpc_id eis_mpc_exp(eis_mpc_graph *graph, eis_mpc_id v, const eis_mpc_tuning *tuning);

/* How far an exponential may be off, in all: *dip below 0, *loss from its value. Of the polynomial with its rounded
 * coefficients, plus all roundings at their worst, as a maximum over the interval. */
void eis_mpc_exp_error(double *dip, double *loss, const eis_mpc_tuning *tuning);

typedef enum eis_mpc_activation {
    EIS_MPC_SILU = 1,
    EIS_MPC_GELU = 2,
    EIS_MPC_GELU_TANH = 3,
    EIS_MPC_SIGMOID = 4 /* of eis_mpc_sigmoid alone */
} eis_mpc_activation;

/* What an activation is made of: its even part as a function of x^2, the degree of its fit, and R. */
eis_mpc_function eis_mpc_activation_function(eis_mpc_activation kind);
unsigned eis_mpc_activation_degree(eis_mpc_activation kind, const eis_mpc_tuning *tuning);
double eis_mpc_activation_range(eis_mpc_activation kind, const eis_mpc_tuning *tuning);

/* g(x) for x at frac bits. Cost: 6 rounds, 20 words; where |x| may be 32 or more (SiLU: 16), 8 rounds and 22 words. */
eis_mpc_id eis_mpc_activate(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_activation kind, const eis_mpc_tuning *tuning);

/* 1 / (1 + exp(-x)), at frac bits. Cost: 8 rounds, 22 words. */
eis_mpc_id eis_mpc_sigmoid(eis_mpc_graph *graph, eis_mpc_id x, const eis_mpc_tuning *tuning);

/* g(x) u. Cost: 8 rounds, 22 words. */
eis_mpc_id eis_mpc_gated_unit(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_id u, eis_mpc_activation kind,
                              const eis_mpc_tuning *tuning);

/* x^-1 for positive x from `from` to the wire's bound: per_octave lines for each octave up to `usual`, one for each
 * above. Below `from` the first line goes on, and the result is too small. x is read at the scale that it was opened
 * at. Cost: 7 rounds; 11 words for each of the thresholds (18 with 9 digits) and 6 more. */
eis_mpc_id eis_mpc_reciprocal(eis_mpc_graph *graph, eis_mpc_id x, double from, double usual,
                              const eis_mpc_tuning *tuning);

/* x^-1/2 for positive x from `from`: finest over 16 octaves. Its fraction is eis_mpc_root_frac(from). Cost as above. */
eis_mpc_id eis_mpc_reciprocal_root(eis_mpc_graph *graph, eis_mpc_id x, double from, const eis_mpc_tuning *tuning);
unsigned eis_mpc_root_frac(double from);

#define EIS_MPC_RECIPROCAL_FRAC 22

#endif
