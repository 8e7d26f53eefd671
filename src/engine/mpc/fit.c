/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/fit.h"

#include "base/status.h"

#include <math.h>

#define PI 3.14159265358979323846

void eis_mpc_fit(double *c, unsigned degree, eis_mpc_function f, double parameter)
{
    double values[EIS_MPC_DEGREE_MAX + 1], before[EIS_MPC_DEGREE_MAX + 1] = {0}, now[EIS_MPC_DEGREE_MAX + 1] = {0};
    unsigned n = degree + 1;

    EIS_ASSERT(degree <= EIS_MPC_DEGREE_MAX);
    for (unsigned i = 0; i < n; i++) values[i] = f(cos(PI * (i + 0.5) / n), parameter);
    for (unsigned k = 0; k < n; k++) c[k] = 0;
    for (unsigned k = 0; k < n; k++) {
        double next[EIS_MPC_DEGREE_MAX + 1] = {0}, weight = 0;
        for (unsigned i = 0; i < n; i++) weight += values[i] * cos(PI * k * (i + 0.5) / n);
        weight *= (k == 0 ? 1.0 : 2.0) / n;
        if (k == 0) {
            now[0] = 1;
        } else { /* T_k = 2 t T_(k-1) - T_(k-2), and T_1 = t */
            for (unsigned i = 0; i < n; i++) next[i] = (i > 0 ? (k == 1 ? 1 : 2) * now[i - 1] : 0) - before[i];
            for (unsigned i = 0; i < n; i++) before[i] = now[i], now[i] = next[i];
        }
        for (unsigned i = 0; i <= k; i++) c[i] += weight * now[i];
    }
}

double eis_mpc_fit_error(const double *c, unsigned degree, eis_mpc_function f, double parameter, size_t samples)
{
    double worst = 0;

    for (size_t i = 0; i < samples; i++) {
        double t = -1 + 2 * (double)i / (double)(samples - 1), y = 0;
        for (unsigned k = degree + 1; k-- > 0;) y = y * t + c[k];
        worst = fmax(worst, fabs(y - f(t, parameter)));
    }
    return worst;
}

/* The chord, moved so that the error is as large in the middle as at the ends, relatively. */
void eis_mpc_fit_line(double *a, double *b, double from, double to, double power)
{
    double y0 = pow(from, -power), y1 = pow(to, -power), slope = (y1 - y0) / (to - from), x, ratio;

    /* Where the chord is furthest above the curve relatively: the maximum of (y0 + slope (x - from)) x^power. */
    x = -power * (y0 - slope * from) / ((1 + power) * slope);
    ratio = (y0 + slope * (x - from)) * pow(x, power);
    *b = slope * 2 / (1 + ratio);
    *a = (y0 - slope * from) * 2 / (1 + ratio);
}

bool eis_mpc_fit_lines(eis_mpc_lines *lines, double from, double usual, double to, double power, unsigned per_octave)
{
    double at = from;

    for (lines->count = 0;; lines->count++) {
        double end = at < usual ? at * exp2(1.0 / per_octave) : 2 * at;
        eis_mpc_fit_line(&lines->a[lines->count], &lines->b[lines->count], at, end, power);
        if (end >= to) return true;
        if (lines->count == EIS_MPC_THRESHOLDS_MAX) return false;
        lines->edge[lines->count] = at = end;
    }
}

double eis_mpc_function_exp(double t, double range) { return exp(range * (t - 1) / 2); }

static double root(double t, double range) { return range * sqrt(fmax(t + 1, 0) / 2); }

double eis_mpc_function_silu(double t, double range)
{
    double x = root(t, range);

    return x / 2 * tanh(x / 2);
}

double eis_mpc_function_gelu(double t, double range)
{
    double x = root(t, range);

    return x / 2 * erf(x / sqrt(2));
}

double eis_mpc_function_gelu_tanh(double t, double range)
{
    double x = root(t, range);

    return x / 2 * tanh(sqrt(2 / PI) * (x + 0.044715 * x * x * x));
}

double eis_mpc_function_sigmoid(double t, double range)
{
    double x = root(t, range);

    return x < 1e-6 ? 0.25 : tanh(x / 2) / (2 * x);
}
