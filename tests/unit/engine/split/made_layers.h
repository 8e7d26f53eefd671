/* SPDX-License-Identifier: Apache-2.0 */
/* Single linear nodes with weights made in the test, and a second way to multiply by them: in long double, from the
 * reals, knowing nothing of rings. */
#ifndef EIS_TESTS_ENGINE_MADE_LAYERS_H
#define EIS_TESTS_ENGINE_MADE_LAYERS_H

#include "base/mem.h"
#include "model/graph.h"

#include <stdio.h>
#include <string.h>

static inline double made_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / 0x1p52 - 1;
}

/* Adds a node with random weights; the caller has set nothing. Returns its index. */
static inline uint32_t made_dense(eis_model *model, uint32_t out, uint32_t in, uint64_t seed)
{
    float *weights = eis_model_new_array(model, (size_t)out * in, sizeof *weights);
    eis_linear *linear = eis_model_add_linear(model);

    snprintf(linear->name, sizeof linear->name, "layer%u", model->linear_count - 1);
    linear->kind = EIS_LINEAR_DENSE;
    linear->out = out;
    linear->in = in;
    for (size_t i = 0; i < (size_t)out * in; i++) weights[i] = (float)made_random(&seed);
    linear->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F32, out, in);
    linear->piece_count = 1;
    return model->linear_count - 1;
}

static inline uint32_t made_conv(eis_model *model, uint32_t out, uint32_t channels, uint32_t size, uint32_t kernel,
                                 uint32_t stride, uint32_t pad, uint64_t seed)
{
    uint32_t index = made_dense(model, out, channels * kernel * kernel, seed);
    eis_linear *linear = &model->linears[index];

    linear->kind = EIS_LINEAR_CONV2D;
    linear->channels = channels;
    linear->height = linear->width = size;
    linear->kernel_height = linear->kernel_width = kernel;
    linear->stride_y = linear->stride_x = stride;
    linear->pad_y = linear->pad_x = pad;
    linear->out_height = linear->out_width = (size + 2 * pad - kernel) / stride + 1;
    return index;
}

/* y = W x from the definition, one output at a time. */
static inline void made_multiply(double *y, const eis_linear *linear, const double *x)
{
    const float *weights = (const float *)(const void *)linear->pieces[0].data;
    size_t pixels = linear->kind == EIS_LINEAR_CONV2D ? (size_t)linear->out_height * linear->out_width : 1;

    for (size_t o = 0; o < linear->out; o++)
        for (size_t p = 0; p < pixels; p++) {
            long double sum = 0;
            for (size_t i = 0; i < linear->in; i++) {
                double value;
                if (linear->kind == EIS_LINEAR_DENSE) {
                    value = x[i];
                } else {
                    size_t area = (size_t)linear->kernel_height * linear->kernel_width, c = i / area;
                    long row = (long)(p / linear->out_width * linear->stride_y + i % area / linear->kernel_width) -
                               (long)linear->pad_y;
                    long col = (long)(p % linear->out_width * linear->stride_x + i % linear->kernel_width) -
                               (long)linear->pad_x;
                    bool inside = row >= 0 && row < (long)linear->height && col >= 0 && col < (long)linear->width;
                    value = inside ? x[(c * linear->height + (size_t)row) * linear->width + (size_t)col] : 0;
                }
                sum += (long double)weights[o * linear->in + i] * value;
            }
            y[o * pixels + p] = (double)sum;
        }
}

#endif
