/* SPDX-License-Identifier: Apache-2.0 */
/* Affine steps as sparse matrices, and their composition. */
#include "engine/he/map.h"

#include "base/mem.h"
#include "model/classifier.h"

#include <math.h>
#include <string.h>

void eis_he_map_clear(eis_he_map *map)
{
    eis_mem_free(map->start);
    eis_mem_free(map->column);
    eis_mem_free(map->weight);
    eis_mem_free(map->bias);
    *map = (eis_he_map){0};
}

static eis_status map_init(eis_he_map *map, uint64_t rows, uint64_t columns, uint64_t terms)
{
    eis_status st = EIS_OK;

    *map = (eis_he_map){0};
    EIS_REQUIRE(rows >= 1 && columns >= 1 && rows <= EIS_HE_VALUES_MAX && columns <= EIS_HE_VALUES_MAX,
                EIS_ERR_UNSUPPORTED, "a layer of %zu by %zu numbers is too large for ciphertexts", (size_t)rows,
                (size_t)columns);
    EIS_REQUIRE(terms <= EIS_HE_TERMS_MAX, EIS_ERR_UNSUPPORTED, "a layer of %zu products is too large for ciphertexts",
                (size_t)terms);
    map->rows = (uint32_t)rows;
    map->columns = (uint32_t)columns;
    EIS_NEW(map->start, rows + 1);
    EIS_NEW(map->column, terms);
    EIS_NEW(map->weight, terms);
    EIS_NEW(map->bias, rows);
out:
    if (st != EIS_OK) eis_he_map_clear(map);
    return st;
}

/* A growing row: terms are added at the end of what there is. */
static void add_term(eis_he_map *map, uint32_t row, uint64_t column, double weight)
{
    uint64_t at = map->start[row + 1]++;

    map->column[at] = (uint32_t)column;
    map->weight[at] = weight;
}

/* Opens row i behind the row before it. Rows are opened in order. */
static void open_row(eis_he_map *map, uint32_t row, double bias)
{
    map->start[row + 1] = map->start[row];
    map->bias[row] = bias;
}

/* ---- One step -----------------------------------------------------------------------------------------------------
 */

static eis_status dense_map(eis_he_map *map, const eis_linear *node, const double *weights)
{
    eis_status st = EIS_OK;

    EIS_TRY(map_init(map, node->out, node->in, (uint64_t)node->out * node->in));
    for (uint32_t i = 0; i < map->rows; i++) {
        open_row(map, i, node->bias != NULL ? node->bias[i] : 0);
        for (uint32_t j = 0; j < map->columns; j++) add_term(map, i, j, weights[(size_t)i * map->columns + j]);
    }
out:
    return st;
}

/* One window of an image: the pixels that lie inside it, in rising order. */
typedef struct window {
    int64_t top, left; /* of the window, outside of the image by its padding */
    uint32_t height, width, image_height, image_width;
} window;

/* Adds the taps of one channel. weights[height][width], or NULL for equal ones. */
static void add_window(eis_he_map *map, uint32_t row, const window *w, uint64_t channel, const double *weights,
                       double equal)
{
    for (uint32_t y = 0; y < w->height; y++) {
        int64_t image_y = w->top + y;
        if (image_y < 0 || image_y >= (int64_t)w->image_height) continue;
        for (uint32_t x = 0; x < w->width; x++) {
            int64_t image_x = w->left + x;
            if (image_x < 0 || image_x >= (int64_t)w->image_width) continue;
            add_term(map, row, (channel * w->image_height + (uint64_t)image_y) * w->image_width + (uint64_t)image_x,
                     weights != NULL ? weights[(size_t)y * w->width + x] : equal);
        }
    }
}

static eis_status conv_map(eis_he_map *map, const eis_linear *node, const double *weights)
{
    eis_status st = EIS_OK;
    uint64_t area = (uint64_t)node->out_height * node->out_width;
    uint32_t row = 0, taps = node->kernel_height * node->kernel_width;

    EIS_TRY(map_init(map, node->out * area, (uint64_t)node->channels * node->height * node->width,
                     node->out * area * node->in));
    for (uint32_t o = 0; o < node->out; o++)
        for (uint64_t at = 0; at < area; at++, row++) {
            window w = {(int64_t)(at / node->out_width * node->stride_y) - node->pad_y,
                        (int64_t)(at % node->out_width * node->stride_x) - node->pad_x,
                        node->kernel_height,
                        node->kernel_width,
                        node->height,
                        node->width};
            open_row(map, row, node->bias != NULL ? node->bias[o] : 0);
            for (uint32_t c = 0; c < node->channels; c++)
                add_window(map, row, &w, c, weights + (size_t)o * node->in + (size_t)c * taps, 0);
        }
out:
    return st;
}

static eis_status linear_map(eis_he_map *map, const eis_model *model, uint32_t index)
{
    eis_status st = EIS_OK;
    const eis_linear *node = &model->linears[index];
    double *weights = NULL;

    EIS_REQUIRE((uint64_t)node->out * node->in <= EIS_HE_TERMS_MAX, EIS_ERR_UNSUPPORTED,
                "layer %s has too many weights for ciphertexts", node->name);
    EIS_NEW(weights, (size_t)node->out * node->in);
    EIS_TRY(eis_model_linear_rows(model, index, 0, node->out, weights));
    for (size_t i = 0; i < (size_t)node->out * node->in; i++)
        EIS_REQUIRE(isfinite(weights[i]), EIS_ERR_MODEL, "layer %s has a weight that is not finite", node->name);
    EIS_TRY(node->kind == EIS_LINEAR_CONV2D ? conv_map(map, node, weights) : dense_map(map, node, weights));
out:
    eis_mem_free(weights);
    return st;
}

static eis_status pool_map(eis_he_map *map, const eis_step *s)
{
    eis_status st = EIS_OK;
    uint64_t area = (uint64_t)s->out_height * s->out_width;
    double share = 1.0 / ((double)s->kernel_height * s->kernel_width);
    uint32_t row = 0;

    EIS_TRY(map_init(map, s->out_channels * area, (uint64_t)s->in_channels * s->in_height * s->in_width,
                     s->out_channels * area * s->kernel_height * s->kernel_width));
    for (uint32_t c = 0; c < s->out_channels; c++)
        for (uint64_t at = 0; at < area; at++, row++) {
            window w = {(int64_t)(at / s->out_width * s->stride_y) - s->pad_y,
                        (int64_t)(at % s->out_width * s->stride_x) - s->pad_x,
                        s->kernel_height,
                        s->kernel_width,
                        s->in_height,
                        s->in_width};
            open_row(map, row, 0);
            add_window(map, row, &w, c, NULL, share);
        }
out:
    return st;
}

eis_status eis_he_map_diagonal(eis_he_map *map, uint32_t count, uint32_t run, const double *factor, const double *shift)
{
    eis_status st = EIS_OK;

    EIS_TRY(map_init(map, count, count, count));
    for (uint32_t i = 0; i < count; i++) {
        open_row(map, i, shift[i / run]);
        add_term(map, i, i, factor[i / run]);
    }
out:
    return st;
}

eis_status eis_he_map_step(eis_he_map *map, const eis_model *model, const eis_step *s)
{
    uint32_t area = s->in_height * s->in_width, count = s->in_channels * area;
    double slope;

    switch (s->op) {
    case EIS_STEP_LINEAR:
        return linear_map(map, model, s->linear);
    case EIS_STEP_AFFINE:
        return eis_he_map_diagonal(map, count, area, s->values, s->values + s->in_channels);
    case EIS_STEP_AVG_POOL:
        return pool_map(map, s);
    default: /* a polynomial of degree 0 or 1 */
        EIS_ASSERT(s->op == EIS_STEP_POLYNOMIAL);
        slope = s->value_count > 1 ? s->values[1] : 0;
        return eis_he_map_diagonal(map, count, count, &slope, s->values);
    }
}

/* ---- Composition --------------------------------------------------------------------------------------------------
 */

/* One row of after * before, in a dense row that is zeros between calls. */
static void compose_row(double *dense, double *bias, const eis_he_map *after, const eis_he_map *before, uint32_t i)
{
    *bias = after->bias[i];
    for (uint64_t k = after->start[i]; k < after->start[i + 1]; k++) {
        uint32_t j = after->column[k];
        *bias += after->weight[k] * before->bias[j];
        for (uint64_t l = before->start[j]; l < before->start[j + 1]; l++)
            dense[before->column[l]] += after->weight[k] * before->weight[l];
    }
}

/* Bounds how many terms the product can have. */
static uint64_t count_terms(const eis_he_map *after, const eis_he_map *before)
{
    uint64_t terms = 0;

    for (uint32_t i = 0; i < after->rows; i++) {
        uint64_t row = 0;
        for (uint64_t k = after->start[i]; k < after->start[i + 1]; k++) {
            uint32_t j = after->column[k];
            row += before->start[j + 1] - before->start[j];
        }
        terms += row < before->columns ? row : before->columns;
    }
    return terms;
}

eis_status eis_he_map_compose(eis_he_map *map, const eis_he_map *after)
{
    eis_status st = EIS_OK;
    eis_he_map product = {0};
    double *dense = NULL;

    EIS_ASSERT(after->columns == map->rows);
    EIS_TRY(map_init(&product, after->rows, map->columns, count_terms(after, map)));
    EIS_NEW(dense, map->columns);
    for (uint32_t i = 0; i < product.rows; i++) {
        double bias;
        compose_row(dense, &bias, after, map, i);
        open_row(&product, i, bias);
        for (uint32_t j = 0; j < product.columns; j++) {
            if (dense[j] == 0) continue;
            add_term(&product, i, j, dense[j]);
            dense[j] = 0;
        }
    }
    eis_he_map_clear(map);
    *map = product;
    product = (eis_he_map){0};
out:
    eis_he_map_clear(&product);
    eis_mem_free(dense);
    return st;
}

void eis_he_map_scale_input(eis_he_map *map, double factor, double shift)
{
    for (uint32_t i = 0; i < map->rows; i++)
        for (uint64_t k = map->start[i]; k < map->start[i + 1]; k++) {
            map->bias[i] += map->weight[k] * shift;
            map->weight[k] *= factor;
        }
}

void eis_he_map_scale_output(eis_he_map *map, double factor, double shift)
{
    for (uint64_t k = 0; k < map->start[map->rows]; k++) map->weight[k] *= factor;
    for (uint32_t i = 0; i < map->rows; i++) map->bias[i] = map->bias[i] * factor + shift;
}

/* ---- What a planner asks -------------------------------------------------------------------------------------------
 */

void eis_he_map_row(double *row, const eis_he_map *map, uint32_t i)
{
    memset(row, 0, map->columns * sizeof *row);
    for (uint64_t k = map->start[i]; k < map->start[i + 1]; k++) row[map->column[k]] += map->weight[k];
}

double eis_he_map_bound(const eis_he_map *map, double x_max)
{
    double most = 0;

    for (uint32_t i = 0; i < map->rows; i++) {
        double sum = 0;
        for (uint64_t k = map->start[i]; k < map->start[i + 1]; k++) sum += fabs(map->weight[k]);
        most = fmax(most, sum * x_max + fabs(map->bias[i]));
    }
    return most;
}

double eis_he_map_square_norm(const eis_he_map *map)
{
    double most = 0;

    for (uint32_t i = 0; i < map->rows; i++) {
        double sum = 0;
        for (uint64_t k = map->start[i]; k < map->start[i + 1]; k++) sum += map->weight[k] * map->weight[k];
        most = fmax(most, sum);
    }
    return most;
}

double eis_he_map_largest(const eis_he_map *map)
{
    double most = 0;

    for (uint64_t k = 0; k < map->start[map->rows]; k++) most = fmax(most, fabs(map->weight[k]));
    return most;
}

uint64_t eis_he_map_terms(const eis_he_map *map)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < map->rows; i++) {
        uint64_t terms = map->start[i + 1] - map->start[i];
        most = terms > most ? terms : most;
    }
    return most;
}
