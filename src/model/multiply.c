/* SPDX-License-Identifier: Apache-2.0 */
/* The plain backend: y = W x with the weights of the file and sums in double, in tiles that fit the first cache. Each
 * sum is taken in the same order whatever the number of threads, so results do not depend on it. */
#include "model/plain.h"

#include "base/mem.h"
#include "model/dot.h"

#include <string.h>

/* 16 rows of 128 doubles are 16 KiB, half a first-level cache */
enum { TILE_ROWS = 16, TILE_COLUMNS = 128 };

struct eis_plain_backend {
    const eis_model *model;
    eis_pool *pool;
    double **kernels; /* [linear_count]: a conv2d's weights [out][in]; NULL for dense nodes */
};

eis_status eis_plain_backend_new(eis_plain_backend **backend, const eis_model *model, eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_plain_backend *b = NULL;

    *backend = NULL;
    EIS_REQUIRE(model->part == NULL, EIS_ERR_MODEL,
                "a client part holds no weights; the plain engine needs the model itself");
    EIS_NEW(b, 1);
    b->model = model;
    b->pool = pool;
    EIS_NEW(b->kernels, model->linear_count);
    for (uint32_t i = 0; i < model->linear_count; i++) {
        const eis_linear *node = &model->linears[i];
        if (node->kind != EIS_LINEAR_CONV2D) continue;
        EIS_NEW(b->kernels[i], (size_t)node->out * node->in);
        EIS_TRY(eis_model_linear_rows(model, i, 0, node->out, b->kernels[i]));
    }
    *backend = b;
    b = NULL;
out:
    eis_plain_backend_free(b);
    return st;
}

void eis_plain_backend_free(eis_plain_backend *backend)
{
    if (backend == NULL) return;
    for (uint32_t i = 0; backend->kernels != NULL && i < backend->model->linear_count; i++)
        eis_mem_free(backend->kernels[i]);
    eis_mem_free(backend->kernels);
    eis_mem_free(backend);
}

typedef struct job {
    const eis_linear *node;
    const double *kernel;
    double *y;
    const double *x;
    size_t batch;
} job;

/* Reads tile rows [first, first + rows) of the node, which may cross from one piece into the next. */
static void read_tile(double *tile, const eis_linear *node, size_t first, size_t rows, size_t column, size_t columns)
{
    for (uint32_t p = 0; p < node->piece_count && rows > 0; p++) {
        const eis_tensor_view *piece = &node->pieces[p];
        if (first >= piece->rows) {
            first -= piece->rows;
            continue;
        }
        const size_t here = rows < piece->rows - first ? rows : piece->rows - first;
        eis_tensor_read_block_f64(tile, piece, first, here, column, columns);
        tile += here * columns;
        rows -= here;
        first = 0;
    }
}

/* Rows [first, last) of a dense node, for all vectors. */
static void multiply_rows(void *arg, size_t first, size_t last)
{
    const job *j = arg;
    const size_t in = j->node->in, out = j->node->out;
    double tile[TILE_ROWS * TILE_COLUMNS] = {0};

    for (size_t row = first; row < last; row += TILE_ROWS) {
        const size_t rows = last - row < TILE_ROWS ? last - row : TILE_ROWS;
        for (size_t v = 0; v < j->batch; v++) memset(j->y + v * out + row, 0, rows * sizeof *j->y);
        for (size_t column = 0; column < in; column += TILE_COLUMNS) {
            const size_t columns = in - column < TILE_COLUMNS ? in - column : TILE_COLUMNS;
            read_tile(tile, j->node, row, rows, column, columns);
            for (size_t v = 0; v < j->batch; v++)
                for (size_t r = 0; r < rows; r++)
                    j->y[v * out + row + r] += eis_dot(tile + r * columns, j->x + v * in + column, columns);
        }
    }
}

/* The range of output places whose input place o * stride + k - pad lies in [0, size). */
static void places_inside(uint32_t *first, uint32_t *last, uint32_t k, uint32_t pad, uint32_t stride, uint32_t size,
                          uint32_t out_size)
{
    *first = k >= pad ? 0 : (pad - k + stride - 1) / stride;
    *last = (uint64_t)size + pad <= k ? 0 : (uint32_t)(((uint64_t)size + pad - k - 1) / stride) + 1;
    if (*last > out_size) *last = out_size;
}

/* Adds weight * (the image shifted by one place of the kernel) to one output image. */
static void add_shifted(double *y, const double *image, const eis_linear *n, double weight, uint32_t ky, uint32_t kx)
{
    uint32_t y0, y1, x0, x1;

    places_inside(&y0, &y1, ky, n->pad_y, n->stride_y, n->height, n->out_height);
    places_inside(&x0, &x1, kx, n->pad_x, n->stride_x, n->width, n->out_width);
    for (uint32_t oy = y0; oy < y1; oy++) {
        const double *line = image + ((size_t)oy * n->stride_y + ky - n->pad_y) * n->width;
        for (uint32_t ox = x0; ox < x1; ox++)
            y[(size_t)oy * n->out_width + ox] += weight * line[(size_t)ox * n->stride_x + kx - n->pad_x];
    }
}

/* Output images [first, last) of a conv2d, counted over the batch and its channels. */
static void convolve_images(void *arg, size_t first, size_t last)
{
    const job *j = arg;
    const eis_linear *n = j->node;
    const size_t area = (size_t)n->height * n->width, out_area = (size_t)n->out_height * n->out_width;

    for (size_t i = first; i < last; i++) {
        const double *weight = j->kernel + i % n->out * n->in;
        const double *x = j->x + i / n->out * n->channels * area;
        double *y = j->y + i * out_area;
        memset(y, 0, out_area * sizeof *y);
        for (uint32_t c = 0; c < n->channels; c++)
            for (uint32_t ky = 0; ky < n->kernel_height; ky++)
                for (uint32_t kx = 0; kx < n->kernel_width; kx++) add_shifted(y, x + c * area, n, *weight++, ky, kx);
    }
}

static eis_status apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    const eis_plain_backend *b = ctx;

    EIS_ASSERT(index < b->model->linear_count);
    const eis_linear *node = &b->model->linears[index];
    job j = {node, b->kernels[index], y, x, batch};

    if (node->kind == EIS_LINEAR_DENSE) {
        const double work = (double)node->out * node->in * (double)batch;
        eis_pool_run(work > 5e4 ? b->pool : NULL, node->out, TILE_ROWS, multiply_rows, &j);
    } else {
        eis_pool_run(b->pool, batch * node->out, 1, convolve_images, &j);
    }
    return EIS_OK;
}

eis_linear_backend eis_plain_backend_seam(eis_plain_backend *backend) { return (eis_linear_backend){backend, apply}; }
