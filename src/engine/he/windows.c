/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions as windows: their shape, their planes, and interactive stages of one convolution. */
#include "engine/he/windows.h"

#include "base/mem.h"
#include "engine/he/network.h"

#include <string.h>

const eis_linear *eis_he_windows_layer(const eis_model *model, const eis_he_node *node)
{
    const eis_linear *layer = NULL;

    for (uint32_t i = node->step_first; i < node->step_first + node->step_count; i++) {
        const eis_step *s = &model->classifier.steps[i];

        if (s->op == EIS_STEP_FLATTEN) continue;
        if (s->op == EIS_STEP_AFFINE && layer != NULL) continue;
        if (s->op != EIS_STEP_LINEAR || layer != NULL) return NULL;
        layer = &model->linears[s->linear];
        if (layer->kind != EIS_LINEAR_CONV2D) return NULL;
    }
    return layer;
}

static uint32_t taps_of(const eis_he_packing *p) { return p->channels * p->kernel_height * p->kernel_width; }

uint32_t eis_he_windows_count(const eis_he_packing *p)
{
    uint32_t down = (p->height + 2 * p->pad_y - p->kernel_height) / p->stride_y + 1;
    uint32_t across = (p->width + 2 * p->pad_x - p->kernel_width) / p->stride_x + 1;

    return down * across;
}

static eis_he_packing packing_of(const eis_linear *layer)
{
    return (eis_he_packing){.kind = EIS_HE_WINDOWS,
                            .size = layer->channels * layer->height * layer->width,
                            .copies = 1,
                            .channels = layer->channels,
                            .height = layer->height,
                            .width = layer->width,
                            .kernel_height = layer->kernel_height,
                            .kernel_width = layer->kernel_width,
                            .stride_y = layer->stride_y,
                            .stride_x = layer->stride_x,
                            .pad_y = layer->pad_y,
                            .pad_x = layer->pad_x};
}

eis_status eis_he_windows_shape(eis_he_packing *packing, eis_he_product *p, const eis_linear *layer, size_t slots,
                                bool single)
{
    eis_status st = EIS_OK;
    eis_he_packing w = packing_of(layer);
    uint32_t windows = layer->out_height * layer->out_width, taps = layer->in, least = taps, rows, channels;

    if (layer->out > least) least = layer->out;
    EIS_REQUIRE(least <= slots, EIS_ERR_UNSUPPORTED, "%s: %u taps and %u channels do not fit %zu slots", layer->name,
                taps, layer->out, slots);
    rows = eis_he_power_of_two(least);
    w.padded = (uint32_t)slots / rows;
    if (windows < w.padded) w.padded = eis_he_power_of_two(windows);
    w.ciphertexts = (windows - 1) / w.padded + 1;
    EIS_REQUIRE(!single || w.ciphertexts == 1, EIS_ERR_UNSUPPORTED, "%s: %u windows of %u taps do not fit %zu slots",
                layer->name, windows, taps, slots);
    rows = (uint32_t)slots / w.padded;
    channels = eis_he_power_of_two(layer->out);
    *packing = w;
    *p = (eis_he_product){.diagonals = channels,
                          .step = w.padded,
                          .fold = rows / channels,
                          .fold_stride = channels * w.padded,
                          .out = {.stride = 1,
                                  .units = channels * w.padded,
                                  .run = w.padded,
                                  .used = windows < w.padded ? windows : w.padded,
                                  .count = layer->out * windows,
                                  .ciphertexts = w.ciphertexts}};
    p->out.per = layer->out * p->out.used;
out:
    return st;
}

/* The weight of one column of a map's row; 0 where it has none. */
static double weight_at(const eis_he_map *map, size_t row, int64_t column)
{
    for (uint64_t k = map->start[row]; k < map->start[row + 1]; k++)
        if (map->column[k] == column) return map->weight[k];
    return 0;
}

/* Finds a window whose tap lies in the image; a tap that never does meets zeros only. */
static bool find_window(uint32_t *window, int64_t *column, const eis_he_packing *p, uint32_t tap)
{
    size_t slots = (size_t)p->padded * taps_of(p);
    uint32_t count = eis_he_windows_count(p);

    for (*window = 0; *window < count; ++*window) {
        *column = eis_he_packing_index(p, slots, *window / p->padded, (size_t)p->padded * tap + *window % p->padded);
        if (*column >= 0) return true;
    }
    return false;
}

void eis_he_windows_kernel(double *kernel, const eis_he_map *map, const eis_he_packing *packing)
{
    uint32_t taps = taps_of(packing), windows = eis_he_windows_count(packing), channels = map->rows / windows;

    memset(kernel, 0, (size_t)channels * taps * sizeof *kernel);
    for (uint32_t tap = 0; tap < taps; tap++) {
        uint32_t window;
        int64_t column;

        if (!find_window(&window, &column, packing, tap)) continue;
        for (uint32_t c = 0; c < channels; c++)
            kernel[(size_t)c * taps + tap] = weight_at(map, (size_t)c * windows + window, column);
    }
}

bool eis_he_windows_plane(double *values, const eis_he_product *p, const double *kernel, uint32_t channels,
                          uint32_t taps, size_t slots, uint32_t d)
{
    size_t rows = slots / p->step;
    bool any = false;

    for (size_t row = 0; row < rows; row++) {
        size_t channel = row % p->diagonals, tap = (row + d) % rows;
        double weight = channel < channels && tap < taps ? kernel[channel * taps + tap] : 0;

        any |= weight != 0;
        for (size_t w = 0; w < p->step; w++) values[row * p->step + w] = weight;
    }
    return any;
}
