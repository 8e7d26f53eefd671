/* SPDX-License-Identifier: Apache-2.0 */
/* OpenBLAS as a peer: opened with dlopen, on one thread, with the kernels that this processor deserves. */
#ifndef EIS_BENCH_BENCH_BLAS_H
#define EIS_BENCH_BENCH_BLAS_H

#include "bench/bench.h"

typedef struct eis_bench_blas {
    char name[64]; /* "OpenBLAS 0.3.21 f32 Haswell" */
    void (*sgemv)(int order, int transpose, int m, int n, float alpha, const float *a, int lda, const float *x,
                  int x_step, float beta, float *y, int y_step);
    void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
} eis_bench_blas;

/* Restarts the process with OPENBLAS_CORETYPE set, unless it is set already: OpenBLAS looks at it once, when it is
 * loaded, and by itself takes new Xeons for machines with SSE3. Returns only where no restart is needed or
 * none is possible. */
void eis_bench_blas_restart(void);

/* Opens OpenBLAS. Returns NULL where there is none or where it runs on kernels that would flatter us; notes conditions
 * either way. */
const eis_bench_blas *eis_bench_blas_open(eis_bench *bench);

/* y[batch][rows] = x[batch][cols] times the transpose of w[rows][cols]. */
void eis_bench_blas_multiply(const eis_bench_blas *blas, float *y, const float *w, const float *x, size_t rows,
                             size_t cols, size_t batch);

#endif
