/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/spectral.h"

#include "base/mem.h"

#include <math.h>

#define SQUARINGS 6

/* g = a a^T. */
static void gram(double *g, const double *a, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < columns; k++) sum += a[i * columns + k] * a[j * columns + k];
            g[i * rows + j] = g[j * rows + i] = sum;
        }
}

static double frobenius(const double *g, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) sum += g[i] * g[i];
    return sqrt(sum);
}

/* The Frobenius norm of a power of G is at least that power of its largest eigenvalue. Between squarings G is divided
 * by its norm, whose logarithm is kept. */
eis_status eis_mpc_spectral_norm(double *norm, const double *a, size_t rows, size_t columns)
{
    eis_status st = EIS_OK;
    double *g = NULL, *square = NULL, logarithm = 0, size;

    *norm = 0;
    EIS_NEW(g, rows * rows);
    EIS_NEW(square, rows * rows);
    gram(g, a, rows, columns);
    for (unsigned i = 0;; i++) {
        size = frobenius(g, rows * rows);
        EIS_REQUIRE(isfinite(size), EIS_ERR_MODEL, "a weight is not finite or too large");
        if (size == 0) goto out;
        logarithm += log(size) / ldexp(1, (int)i);
        if (i == SQUARINGS) break;
        for (size_t k = 0; k < rows * rows; k++) g[k] /= size;
        gram(square, g, rows, rows);
        for (size_t k = 0; k < rows * rows; k++) g[k] = square[k];
    }
    *norm = exp(logarithm / 2) * (1 + 1e-9); /* the rounding of doubles */
out:
    eis_mem_free_wiped(g, rows * rows, sizeof *g);
    eis_mem_free_wiped(square, rows * rows, sizeof *square);
    return st;
}
