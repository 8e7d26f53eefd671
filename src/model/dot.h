/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar product of the plain executor, in one order of summation wherever it is used. */
#ifndef EIS_MODEL_DOT_H
#define EIS_MODEL_DOT_H

#include <stddef.h>

/* Returns the sum of a[i] * b[i]: eight sums side by side, so that no addition waits for the one before it.
 *
 * Shape:   a[n], b[n]. Secret: a, b. */
static inline double eis_dot(const double *a, const double *b, size_t n)
{
    double sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t lane = 0; lane < 8; lane++) sum[lane] += a[i + lane] * b[i + lane];
    for (; i < n; i++) sum[0] += a[i] * b[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

#endif
