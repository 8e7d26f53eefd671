/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/multiply.h"

#include "ring/fp_dot.h"

#define PART_WORK ((size_t)1 << 17) /* products of words: with fewer it takes longer to wake a thread */

typedef struct product {
    uint64_t *y;
    const uint64_t *w, *x;
    size_t rows, inner, batch;
} product;

/* A single vector is divided by rows of the matrix, a batch by vectors. */
static void some_rows(void *arg, size_t first, size_t last)
{
    const product *p = arg;

    eis_fp_matmul(p->y + first, p->w + first * p->inner, p->x, last - first, p->inner, 1);
}

static void some_vectors(void *arg, size_t first, size_t last)
{
    const product *p = arg;

    eis_fp_matmul(p->y + first * p->rows, p->w, p->x + first * p->inner, p->rows, p->inner, last - first);
}

void eis_mpc_multiply(eis_pool *pool, uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner,
                      size_t batch)
{
    product p = {y, w, x, rows, inner, batch};
    size_t each = batch == 1 ? inner : rows * inner, grain = PART_WORK / (each + 1) + 1;

    eis_pool_run(pool, batch == 1 ? rows : batch, grain, batch == 1 ? some_rows : some_vectors, &p);
}
