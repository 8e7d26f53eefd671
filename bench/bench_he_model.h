/* SPDX-License-Identifier: Apache-2.0 */
/* Models for the benches of the engine he. */
#ifndef EIS_BENCH_BENCH_HE_MODEL_H
#define EIS_BENCH_BENCH_HE_MODEL_H

#include "model/graph.h"

/* Makes one dense layer with random weights in [-1, 1) / sqrt(in). Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_bench_model_dense(eis_model **model, uint32_t out, uint32_t in);

/* Runs a classifier in plain on inputs that are scaled already. Shape: y[batch][classes], x[batch][inputs]. */
EIS_MUST_USE eis_status eis_bench_plain(double *y, const eis_model *model, const double *x, size_t batch);

#endif
