/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/z2k.h"

#include "base/bytes.h"
#include "base/mem.h"

/* Chunks per thread, so that one slow thread does not hold up the rest. */
#define CHUNKS_PER_THREAD 4

/* Below this many multiply-adds (a few microseconds) waking the workers takes longer than the work. */
#define SERIAL_MACS_MAX 65536

bool eis_ring_fits_geometry(eis_ring ring, eis_geometry geometry)
{
    switch (ring) {
    case EIS_RING_Z32:
    case EIS_RING_Z40:
    case EIS_RING_Z48:
        return geometry == EIS_GEOMETRY_W8 || geometry == EIS_GEOMETRY_W24;
    case EIS_RING_Z52:
        return geometry == EIS_GEOMETRY_W24;
    case EIS_RING_Z56:
    case EIS_RING_Z64:
        return geometry == EIS_GEOMETRY_W8;
    case EIS_RING_F61:
        return geometry == EIS_GEOMETRY_W8 || geometry == EIS_GEOMETRY_W20;
    }
    return false;
}

size_t eis_ring_input_bytes(const eis_packed *w, eis_ring ring)
{
    return w->cols_padded * (w->geometry == EIS_GEOMETRY_W8 ? eis_ring_planes(ring) : sizeof(uint64_t));
}

typedef struct panel_loop {
    const eis_matmul_kernel *kernel;
    const eis_matmul *job;
} panel_loop;

static void run_panels(void *arg, size_t first, size_t last)
{
    const panel_loop *loop = arg;
    loop->kernel->run(loop->job, first, last);
}

static size_t grain_of(const eis_pool *pool, size_t panels)
{
    size_t chunks = (size_t)eis_pool_threads(pool) * CHUNKS_PER_THREAD;
    return panels / chunks + 1;
}

static bool is_small(const eis_matmul *job)
{
    size_t weights = job->w->rows_padded * job->w->cols_padded;
    return weights == 0 || job->batch <= SERIAL_MACS_MAX / weights;
}

eis_status eis_ring_matmul(eis_pool *pool, uint64_t *y, const eis_packed *w, const void *x, size_t batch, eis_ring ring)
{
    const eis_matmul_kernel *kernel = eis_kernels_matmul(eis_kernels_get(), w->geometry);
    eis_matmul job = {.y = y, .w = w, .x = x, .batch = batch, .ring = ring};
    panel_loop loop = {kernel, &job};
    eis_status st = EIS_OK;
    size_t scratch_bytes = 0, words, panels;

    EIS_REQUIRE(eis_ring_fits_geometry(ring, w->geometry), EIS_ERR_SHAPE,
                "weights of geometry %d cannot be multiplied in the ring of %d bits", (int)w->geometry, (int)ring);
    /* Scratch is at most a few words per input word; with this room no size in a kernel overflows. */
    EIS_REQUIRE(eis_size_mul(&words, batch, w->cols_padded + w->rows + 64) && words <= SIZE_MAX / 128, EIS_ERR_SHAPE,
                "a batch of %zu vectors is too large", batch);
    if (batch == 0 || w->rows == 0) return EIS_OK;
    scratch_bytes = kernel->scratch_bytes(&job);
    job.scratch = eis_mem_new(scratch_bytes, 1);
    if (job.scratch == NULL) return EIS_ERR_MEMORY;
    kernel->prepare(&job);
    panels = eis_packed_panels(w);
    eis_pool_run(is_small(&job) ? NULL : pool, panels, grain_of(pool, panels), run_panels, &loop);
out:
    eis_mem_free_wiped(job.scratch, scratch_bytes, 1);
    return st;
}

void eis_ring_input_write(void *x, const eis_packed *w, eis_ring ring, const uint64_t *words)
{
    uint8_t *bytes = x;
    size_t n = w->cols, used;

    if (w->geometry == EIS_GEOMETRY_W8) {
        used = eis_round_up(n, 4) * eis_ring_planes(ring);
        eis_kernels_get()->planes_from_words(bytes, words, n, eis_ring_planes(ring));
    } else {
        used = n * sizeof *words;
        if (used > 0) memcpy(bytes, words, used);
    }
    memset(bytes + used, 0, eis_ring_input_bytes(w, ring) - used);
}
