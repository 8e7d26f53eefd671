/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/accuracy.h"

#include "engine/mpc/scales.h"

#include <math.h>

#define SAMPLES 4001
#define SLACK   1.02 /* products of two errors, and what lies between samples */

static double unit(unsigned frac) { return ldexp(1, -(int)frac); }

/* The largest slope of a polynomial on [-1, 1]. */
static double steepest(const double *c, unsigned degree)
{
    double most = 0;

    for (int i = 0; i < SAMPLES; i++) {
        double t = -1 + 2.0 * i / (SAMPLES - 1), y = 0;
        for (unsigned k = degree; k > 0; k--) y = y * t + k * c[k];
        most = fmax(most, fabs(y));
    }
    return most;
}

/* Roundings in t^k as it is made: t^2, t^3 and t^4 are rounded once, t^8 once more than its two factors (degrees above
 * 11; else it is the product of those), and powers multiply. */
static unsigned roundings(unsigned k, unsigned degree)
{
    unsigned block = k / 4, own = k % 4 >= 2;

    if (block < 2) return own + block;
    return own + (degree > 11 ? 3 : 2) + (block - 2);
}

/* What roundings add to a polynomial: the place t is off by `off`, powers by units of their scale, coefficients by half
 * of theirs. */
static double rounding_error(const double *c, unsigned degree, double off, unsigned frac, unsigned coefficient)
{
    double error = steepest(c, degree) * off + (degree + 1) * unit(coefficient + 1);

    for (unsigned k = 2; k <= degree; k++) error += fabs(c[k]) * roundings(k, degree) * unit(frac);
    return error;
}

/* ---- exp ---- */

double eis_mpc_exp_fit_error(const eis_mpc_tuning *tuning)
{
    double c[EIS_MPC_DEGREE_MAX + 1], range = tuning->exp_range + EXP_BEYOND;

    eis_mpc_fit(c, tuning->exp_degree, eis_mpc_function_exp, range);
    return eis_mpc_fit_error(c, tuning->exp_degree, eis_mpc_function_exp, range, SAMPLES);
}

double eis_mpc_exp_bound(const eis_mpc_tuning *tuning)
{
    double dip, loss;

    eis_mpc_exp_error(&dip, &loss, tuning);
    return fmax(loss, exp(-tuning->exp_range) + unit(tuning->frac));
}

/* ---- activations ---- */

typedef struct even_part {
    eis_mpc_function f;
    unsigned degree;
    double range, c[EIS_MPC_DEGREE_MAX + 1];
} even_part;

static void fit_even_part(even_part *e, eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    e->f = eis_mpc_activation_function(kind);
    e->degree = eis_mpc_activation_degree(kind, tuning);
    e->range = eis_mpc_activation_range(kind, tuning);
    eis_mpc_fit(e->c, e->degree, e->f, e->range + ACT_REACH);
}

double eis_mpc_activation_fit_error(eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    even_part e;

    fit_even_part(&e, kind, tuning);
    return eis_mpc_fit_error(e.c, e.degree, e.f, e.range + ACT_REACH, SAMPLES);
}

double eis_mpc_activation_bound(eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    even_part e;
    double off, error, edge, tail;

    fit_even_part(&e, kind, tuning);
    off = unit(ACT_FRAC) + pow(e.range + ACT_REACH, 2) * unit(PLACE_FRAC + 1);
    error = eis_mpc_fit_error(e.c, e.degree, e.f, e.range + ACT_REACH, SAMPLES) +
            rounding_error(e.c, e.degree, off, ACT_FRAC, ACT_COEFFICIENT);
    edge = e.range - ACT_BEYOND;
    tail = edge / 2 - e.f(1, edge);
    if (kind == EIS_MPC_SIGMOID) { /* 1/2 + x h(x^2) */
        error = e.range * (error + unit(SIGMOID_FRAC));
        tail = 0.5 - edge * e.f(1, edge);
    }
    return fmax(error, tail) * SLACK + 2 * unit(tuning->frac);
}

/* ---- reciprocals ---- */

/* One Newton step: how far off a guess with the relative error g is behind it. */
static double newton(double g, double x, const reciprocal_scale *scale, unsigned frac)
{
    double off = unit(scale->x_frac) / x, rounding = unit(frac) * pow(x, scale->power);

    if (scale->power < 0.75) return 1.5 * g * g + fabs(g * g * g) / 2 + off / 2 * pow(1 + fabs(g), 3) + rounding;
    return g * g + off * pow(1 + fabs(g), 2) + rounding;
}

/* A comparison may take the next line a part of the distance of the first two thresholds early: a quarter, or where
 * the argument has so many bits that no finer comparison fits, a half. */
static double relative_error(double from, double to, double early, const reciprocal_scale *scale,
                             const eis_mpc_tuning *tuning)
{
    eis_mpc_lines l;
    double worst = 0, blur = early * from * (exp2(1.0 / tuning->per_octave) - 1);

    if (!eis_mpc_fit_lines(&l, from, to, to, scale->power, tuning->per_octave)) return INFINITY;
    for (uint32_t segment = 0; segment <= l.count; segment++) {
        double begin = segment == 0 ? from : l.edge[segment - 1] - blur,
               end = segment == l.count ? to : l.edge[segment];
        for (int i = 0; i <= 64; i++) {
            double x = begin + (end - begin) * i / 64, root = pow(x, scale->power), g;
            g = fabs((l.a[segment] + l.b[segment] * x) * root - 1) + 2 * unit(scale->y_frac) * root;
            for (unsigned s = 0; s < tuning->newton_steps; s++)
                g = newton(g, x, scale, s + 1 == tuning->newton_steps ? scale->result_frac : scale->y_frac);
            worst = fmax(worst, g);
        }
    }
    return worst * SLACK;
}

double eis_mpc_reciprocal_bound(double from, double to, const eis_mpc_tuning *tuning)
{
    return from > 0 && to > from ? relative_error(from, to, 0.25, &reciprocal_scales, tuning) : INFINITY;
}

double eis_mpc_root_bound(const eis_mpc_tuning *tuning)
{
    return relative_error(ROOT_FROM, ROOT_FROM * ROOT_SPAN, 0.5, &root_scales, tuning);
}
