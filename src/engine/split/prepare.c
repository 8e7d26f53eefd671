/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the model -> integers and scales -> panels in the pack, a strip of rows at a time. */
#define _GNU_SOURCE
#include "engine/split/prepare.h"

#include "base/mem.h"
#include "encode/fixed.h"
#include "engine/split/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRIP_ROWS 96 /* a multiple of both panel heights, so that two strips never write into one panel */

/* Quantising one layer: strips are independent, so a pool may take them. */
typedef struct layer_job {
    const eis_model *model;
    eis_pack_layer_spec *spec;
    uint32_t index;
    eis_geometry geometry;
    double *strip_norms; /* [strips]: the largest row norm of each */
    _Atomic int failed;  /* first status that a strip met */
    char detail[256];
} layer_job;

static eis_status pack_strip(layer_job *job, size_t strip)
{
    eis_status st = EIS_OK;
    const eis_packed *shape = &job->spec->weights;
    size_t first = strip * STRIP_ROWS, left = shape->rows - first, count = left < STRIP_ROWS ? left : STRIP_ROWS;
    double *rows = NULL;
    int32_t *integers = NULL;

    EIS_NEW(rows, count * shape->cols);
    EIS_NEW(integers, count * shape->cols);
    EIS_TRY(eis_model_linear_rows(job->model, job->index, first, count, rows));
    for (size_t r = 0; r < count; r++) {
        int32_t *row = integers + r * shape->cols;
        double norm;
        st = eis_fixed_weight_row(row, &job->spec->row_scales[first + r], rows + r * shape->cols, shape->cols,
                                  job->geometry);
        if (st != EIS_OK) {
            (void)eis_fail_prefix(st, "layer %s, row %zu", job->spec->linear->name, first + r);
            goto out;
        }
        norm = eis_fixed_row_norm(row, shape->cols);
        if (norm > job->strip_norms[strip]) job->strip_norms[strip] = norm;
    }
    eis_packed_write_rows(job->spec->panels, shape, integers, first, count);
out:
    eis_mem_free(rows);
    eis_mem_free(integers);
    return st;
}

static void pack_strips(void *arg, size_t first, size_t last)
{
    layer_job *job = arg;

    for (size_t strip = first; strip < last; strip++) {
        int none = EIS_OK;
        eis_status st = pack_strip(job, strip);
        if (st != EIS_OK && atomic_compare_exchange_strong(&job->failed, &none, (int)st))
            strncpy(job->detail, eis_error_detail(), sizeof job->detail - 1);
    }
}

static eis_status pack_layer(const eis_model *model, eis_pack_layer_spec *spec, uint32_t index, eis_geometry geometry,
                             eis_pool *pool)
{
    eis_status st = EIS_OK;
    size_t strips = (spec->weights.rows + STRIP_ROWS - 1) / STRIP_ROWS;
    layer_job job = {.model = model, .spec = spec, .index = index, .geometry = geometry};

    EIS_NEW(job.strip_norms, strips);
    eis_packed_fill_padding(spec->panels, &spec->weights);
    eis_pool_run(pool, strips, 1, pack_strips, &job);
    st = (eis_status)atomic_load(&job.failed);
    if (st != EIS_OK) {
        (void)eis_fail(st, "%s", job.detail);
        goto out;
    }
    for (size_t i = 0; i < strips; i++)
        if (job.strip_norms[i] > spec->row_norm) spec->row_norm = job.strip_norms[i];
out:
    eis_mem_free(job.strip_norms);
    return st;
}

static eis_status new_layers(eis_split_layers *layers, const eis_model *model)
{
    eis_status st = EIS_OK;
    size_t rows = 0, at = 0;

    for (uint32_t i = 0; i < model->linear_count; i++) rows += model->linears[i].out;
    EIS_NEW(layers->layers, model->linear_count);
    EIS_NEW(layers->scales, rows);
    layers->layer_count = model->linear_count;
    for (uint32_t i = 0; i < model->linear_count; i++) {
        layers->layers[i].row_scales = layers->scales + at;
        at += model->linears[i].out;
    }
    layers->info.layers = layers->layers;
out:
    return st;
}

/* Fixes the ring of each node. Without truncation in view: a client that truncates gets a smaller scale, not another
 * ring. */
static eis_status choose_rings(eis_split_layers *layers, const eis_model *model,
                               const eis_split_prepare_options *options)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < model->linear_count; i++) {
        eis_part_layer *layer = &layers->layers[i];
        eis_ring ring = EIS_RING_Z64;
        layer->declared_norm = options->declared_norms != NULL ? options->declared_norms[i] : 0;
        if (options->profile != EIS_SPLIT_P8) continue;
        if (options->declared_norms != NULL)
            EIS_TRY(eis_fixed_ring_choose(&ring, layer->row_norm, model->linears[i].in, layer->declared_norm,
                                          options->min_bits != 0 ? options->min_bits : EIS_FIXED_MIN_BITS, false, 2));
        layer->planes = eis_ring_planes(ring);
    }
out:
    return st;
}

eis_status eis_split_prepare(eis_split_layers *layers, int fd, const eis_model *model,
                             const eis_split_prepare_options *options)
{
    eis_status st = EIS_OK;
    const eis_split_profile_info *profile = eis_split_profile_get(options->profile);
    eis_pack_layer_spec *specs = NULL;
    eis_pack_writer *writer = NULL;

    memset(layers, 0, sizeof *layers);
    EIS_REQUIRE(profile != NULL, EIS_ERR_USAGE, "unknown profile");
    EIS_REQUIRE(model->part == NULL, EIS_ERR_MODEL, "a client part holds no weights; give the model itself");
    EIS_TRY(new_layers(layers, model));
    EIS_NEW(specs, model->linear_count);
    for (uint32_t i = 0; i < model->linear_count; i++) {
        const eis_linear *linear = &model->linears[i];
        specs[i].linear = linear;
        specs[i].row_scales = layers->scales + (layers->layers[i].row_scales - layers->scales);
        EIS_TRY(eis_packed_init(&specs[i].weights, profile->geometry, linear->out, linear->in, NULL));
    }
    EIS_TRY(eis_pack_writer_open(&writer, fd, options->profile, specs, model->linear_count));
    for (uint32_t i = 0; i < model->linear_count; i++) {
        EIS_TRY(pack_layer(model, &specs[i], i, profile->geometry, options->pool));
        layers->layers[i].row_norm = specs[i].row_norm;
    }
    EIS_TRY(choose_rings(layers, model, options));
    layers->info.profile = (uint32_t)options->profile;
    st = eis_pack_writer_finish(writer, layers->info.pack_digest);
    writer = NULL;
out:
    eis_pack_writer_abort(writer);
    eis_mem_free(specs);
    if (st != EIS_OK) eis_split_layers_clear(layers);
    return st;
}

eis_status eis_split_prepare_in_memory(eis_split_layers *layers, int *fd, const eis_model *model,
                                       const eis_split_prepare_options *options)
{
    eis_status st = EIS_OK;
    int memory = memfd_create("eis-pack", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    *fd = -1;
    memset(layers, 0, sizeof *layers);
    EIS_REQUIRE(memory >= 0, EIS_ERR_FILE, "cannot make an anonymous file: %s", strerror(errno));
    EIS_REQUIRE(fchmod(memory, 0600) == 0, EIS_ERR_FILE, "cannot protect an anonymous file: %s", strerror(errno));
    EIS_TRY(eis_split_prepare(layers, memory, model, options));
    EIS_REQUIRE(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0, EIS_ERR_FILE,
                "cannot seal an anonymous file: %s", strerror(errno));
    *fd = memory;
    memory = -1;
out:
    if (memory >= 0) close(memory);
    if (st != EIS_OK) eis_split_layers_clear(layers);
    return st;
}

void eis_split_layers_clear(eis_split_layers *layers)
{
    eis_mem_free(layers->layers);
    eis_mem_free(layers->scales);
    memset(layers, 0, sizeof *layers);
}
