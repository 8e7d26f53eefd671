/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a refusal: how well polynomials would do. A polynomial is the truncated Chebyshev series of the
 * function on the interval, which is its least-squares fit under the weight of that series and within a small factor of
 * the best one. */
#include "engine/he/graph.h"
#include "model/activation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define IN_ROUNDS "with --interactive (in a registry: \"interactive\": true)"

enum { DEGREE_MIN = 2, DEGREE_MAX = 7, NODES = 256, POINTS = 1000 };

static double value_of(eis_step_op op, double x)
{
    if (op == EIS_STEP_RELU) return x > 0 ? x : 0;
    eis_sigmoid(&x, 1);
    return x;
}

/* Coefficients of f(bound t) in T_0 .. T_DEGREE_MAX, by the discrete orthogonality at the roots of T_NODES. */
static void chebyshev_series(double coeff[DEGREE_MAX + 1], eis_step_op op, double bound)
{
    const double pi = 3.14159265358979323846;

    for (int k = 0; k <= DEGREE_MAX; k++) {
        double sum = 0;
        for (int i = 0; i < NODES; i++) {
            double angle = pi * (i + 0.5) / NODES;
            sum += value_of(op, bound * cos(angle)) * cos(k * angle);
        }
        coeff[k] = sum * (k == 0 ? 1.0 : 2.0) / NODES;
    }
}

/* The largest distance of the series, cut behind `degree`, from the function. */
static double series_error(const double *coeff, int degree, eis_step_op op, double bound)
{
    double most = 0;

    for (int i = 0; i <= POINTS; i++) {
        double t = 2.0 * i / POINTS - 1, sum = 0;
        for (int k = 0; k <= degree; k++) sum += coeff[k] * cos(k * acos(t));
        most = fmax(most, fabs(sum - value_of(op, bound * t)));
    }
    return most;
}

eis_status eis_he_offer(const eis_step *step, const char *place, double interval)
{
    double coeff[DEGREE_MAX + 1];
    char errors[160] = "";
    size_t length = 0;

    if (step->op == EIS_STEP_MAX_POOL)
        return eis_fail(
            EIS_ERR_UNSUPPORTED,
            "%s cannot be computed on ciphertexts: train the model with avg_pool, or let the client compute it "
            "between rounds, " IN_ROUNDS,
            place);
    if (!(interval > 0) || !isfinite(interval))
        return eis_fail(
            EIS_ERR_UNSUPPORTED,
            "%s cannot be computed on ciphertexts: train the model with a polynomial or square in its place "
            "(magnitudes in model.json would tell here how near one comes), or let the client compute it "
            "between rounds, " IN_ROUNDS,
            place);
    chebyshev_series(coeff, step->op, interval);
    for (int degree = DEGREE_MIN; degree <= DEGREE_MAX; degree++) {
        if (degree > 2 && coeff[degree] * coeff[degree] < 1e-24 * interval * interval) continue; /* adds nothing */
        length += (size_t)snprintf(errors + length, sizeof errors - length, "%sdegree %d: %.2g", length > 0 ? ", " : "",
                                   degree, series_error(coeff, degree, step->op, interval));
    }
    return eis_fail(
        EIS_ERR_UNSUPPORTED,
        "%s cannot be computed on ciphertexts. A polynomial in its place would err, on the calibrated range "
        "of [-%.3g, %.3g], by up to: %s. Put one into model.json (and train with it), or let the client "
        "compute this layer between rounds, " IN_ROUNDS,
        place, interval, interval, errors);
}
