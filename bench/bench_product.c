/* SPDX-License-Identifier: Apache-2.0 */
/* Every contender does its product once per round, the next round begins with another one, and the median of
 * its rounds counts, in processor time of this thread. What is timed of ours is eis_ring_matmul, which a server calls:
 * scratch memory and its wiping included. */
#include "bench/bench_product.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench_blas.h"
#include "bench/bench_int8.h"
#include "cli/cli.h"
#include "ring/z2k.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENDERS_MAX 40
#define SAMPLES_MAX    101
#define INT8_NAME      "plain int8"

static const struct {
    const char *name;
    eis_geometry geometry;
    eis_ring ring;
} profiles[EIS_BENCH_PROFILES] = {
    {"P8 Z32", EIS_GEOMETRY_W8, EIS_RING_Z32},      {"P8 Z64", EIS_GEOMETRY_W8, EIS_RING_Z64},
    {"F61 8-bit", EIS_GEOMETRY_W8, EIS_RING_F61},   {"P24", EIS_GEOMETRY_W24, EIS_RING_Z52},
    {"F61 20-bit", EIS_GEOMETRY_W20, EIS_RING_F61},
};

/* ---- weights ---- */

eis_status eis_bench_arena_init(eis_bench_arena *arena, size_t size)
{
    eis_status st = EIS_OK;

    memset(arena, 0, sizeof *arena);
    arena->size = eis_round_up(size, 192); /* whole floats, whole triples */
    EIS_NEW(arena->floats, arena->size);
    EIS_NEW(arena->bytes, arena->size);
    EIS_NEW(arena->words20, arena->size);
    eis_bench_random_floats((float *)(void *)arena->floats, arena->size / sizeof(float), 0.5f, 1);
    eis_bench_random(arena->bytes, arena->size, 2);
    memcpy(arena->words20, arena->bytes, arena->size);
    for (size_t i = 2; i < arena->size; i += 3) arena->words20[i] &= 0x0f;
out:
    if (st != EIS_OK) eis_bench_arena_clear(arena);
    return st;
}

void eis_bench_arena_clear(eis_bench_arena *arena)
{
    eis_mem_free(arena->floats);
    eis_mem_free(arena->bytes);
    eis_mem_free(arena->words20);
    memset(arena, 0, sizeof *arena);
}

/* Returns the next weights; `step` keeps words of three bytes whole. */
static const uint8_t *take(const eis_bench_arena *arena, const uint8_t *base, size_t *at, size_t bytes, bool warm)
{
    const uint8_t *taken;

    EIS_ASSERT(bytes <= arena->size);
    if (warm || *at + bytes > arena->size) *at = 0;
    taken = base + *at;
    *at += eis_round_up(bytes, 192);
    return taken;
}

/* ---- contenders ---- */

typedef enum contender_kind { CONTENDER_BLAS, CONTENDER_INT8, CONTENDER_RING } contender_kind;

typedef struct contender {
    contender_kind kind;
    int profile;
    const eis_kernels *level;
    void *x;                 /* in the form that it takes, for the longest rows */
    void *y;                 /* [all rows][batch], shape after shape */
    const uint8_t **weights; /* [shape_count]: of the last round */
    double samples[SAMPLES_MAX], median;
} contender;

typedef struct contest {
    eis_bench *bench;
    eis_bench_arena *arena;
    const eis_bench_product *product;
    size_t rows_all, cols_max;
    contender contenders[CONTENDERS_MAX];
    size_t count, rounds;
} contest;

static eis_packed packed_of(const contender *c, const eis_bench_shape *shape, const uint8_t *panels)
{
    eis_packed w = {0};
    eis_status st = eis_packed_init(&w, profiles[c->profile].geometry, shape->rows, shape->cols, panels);

    EIS_ASSERT(st == EIS_OK && w.cols_padded == shape->cols);
    return w;
}

/* Random words of the ring in the layout of the kernel. Rows shorter than cols_max read the first part, which is right
 * for a batch of one; batches have one shape. */
static eis_status make_ring_input(contender *c, const contest *run)
{
    eis_status st = EIS_OK;
    eis_ring ring = profiles[c->profile].ring;
    eis_packed w = packed_of(c, &(eis_bench_shape){1, run->cols_max}, NULL);
    size_t each = eis_ring_input_bytes(&w, ring);
    uint64_t *words = NULL;

    EIS_NEW(words, run->cols_max);
    c->x = eis_mem_new(run->product->batch, each);
    if (c->x == NULL) st = EIS_ERR_MEMORY;
    for (size_t v = 0; st == EIS_OK && v < run->product->batch; v++) {
        eis_bench_random(words, run->cols_max * sizeof *words, 100 + v);
        for (size_t j = 0; j < run->cols_max; j++) {
            words[j] &= eis_ring_mask(ring);
            if (ring == EIS_RING_F61 && words[j] == eis_ring_mask(ring)) words[j] = 0; /* p itself is no word */
        }
        eis_ring_input_write((uint8_t *)c->x + v * each, &w, ring, words);
    }
out:
    eis_mem_free(words);
    return st;
}

static eis_status make_peer_input(contender *c, const contest *run)
{
    size_t count = run->cols_max * run->product->batch;
    int16_t *bytes;

    if (c->kind == CONTENDER_BLAS) {
        c->x = eis_mem_new(count, sizeof(float));
        if (c->x != NULL) eis_bench_random_floats(c->x, count, 1, 7);
        return c->x != NULL ? EIS_OK : EIS_ERR_MEMORY;
    }
    bytes = c->x = eis_mem_new(count, sizeof *bytes);
    if (bytes == NULL) return EIS_ERR_MEMORY;
    eis_bench_random(bytes, count * sizeof *bytes, 8);
    for (size_t i = 0; i < count; i++) bytes[i] &= 0xff;
    return EIS_OK;
}

static eis_status add_contender(contest *run, contender_kind kind, int profile, const eis_kernels *level)
{
    eis_status st = EIS_OK;
    contender *c = &run->contenders[run->count];

    EIS_ASSERT(run->count < CONTENDERS_MAX);
    run->count++;
    c->kind = kind;
    c->profile = profile;
    c->level = level;
    EIS_NEW(c->weights, run->product->shape_count);
    c->y = eis_mem_new(run->rows_all * run->product->batch, sizeof(uint64_t));
    if (c->y == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(kind == CONTENDER_RING ? make_ring_input(c, run) : make_peer_input(c, run));
out:
    return st;
}

/* Lower levels are timed beside the one in use; plain C where it does not take for ever. */
static bool level_counts(const contest *run, const eis_kernels *level)
{
    if (level == run->bench->level) return true;
    if (strcmp(level->name, "generic") == 0) return run->product->small;
    return level < run->bench->level && (!run->bench->quick || run->product->small);
}

static eis_status add_contenders(contest *run)
{
    eis_status st = EIS_OK;

    for (size_t s = 0; s < run->product->shape_count; s++) {
        const eis_bench_shape *shape = &run->product->shapes[s];
        run->rows_all += shape->rows;
        if (shape->cols > run->cols_max) run->cols_max = shape->cols;
    }
    if (run->bench->blas != NULL) EIS_TRY(add_contender(run, CONTENDER_BLAS, 0, NULL));
    EIS_TRY(add_contender(run, CONTENDER_INT8, 0, NULL));
    for (size_t l = eis_kernels_level_count(); l-- > 0;) {
        if (!level_counts(run, eis_kernels_level(l))) continue;
        for (int p = 0; p < EIS_BENCH_PROFILES; p++)
            EIS_TRY(add_contender(run, CONTENDER_RING, p, eis_kernels_level(l)));
    }
out:
    return st;
}

static void clear_contest(contest *run)
{
    for (size_t i = 0; i < run->count; i++) {
        eis_mem_free(run->contenders[i].x);
        eis_mem_free(run->contenders[i].y);
        eis_mem_free(run->contenders[i].weights);
    }
}

/* ---- one round ---- */

static void take_weights(contest *run, contender *c)
{
    eis_bench_arena *arena = run->arena;
    bool warm = run->product->warm;

    for (size_t s = 0; s < run->product->shape_count; s++) {
        const eis_bench_shape *shape = &run->product->shapes[s];
        size_t count = shape->rows * shape->cols;

        if (c->kind == CONTENDER_BLAS)
            c->weights[s] = take(arena, arena->floats, &arena->floats_at, count * sizeof(float), warm);
        else if (c->kind == CONTENDER_INT8)
            c->weights[s] = take(arena, arena->bytes, &arena->bytes_at, count, warm);
        else if (c->profile == EIS_BENCH_F61_20)
            c->weights[s] = take(arena, arena->words20, &arena->words20_at, packed_of(c, shape, NULL).bytes, warm);
        else
            c->weights[s] = take(arena, arena->bytes, &arena->bytes_at, packed_of(c, shape, NULL).bytes, warm);
    }
}

static eis_status multiply(const contest *run, contender *c)
{
    eis_status st = EIS_OK;
    size_t batch = run->product->batch, done = 0;

    for (size_t s = 0; s < run->product->shape_count; s++) {
        const eis_bench_shape *shape = &run->product->shapes[s];

        if (c->kind == CONTENDER_BLAS) {
            eis_bench_blas_multiply(run->bench->blas, (float *)c->y + done, (const float *)(const void *)c->weights[s],
                                    c->x, shape->rows, shape->cols, batch);
        } else if (c->kind == CONTENDER_INT8) {
            eis_bench_int8_multiply((int32_t *)c->y + done, (const int8_t *)c->weights[s], c->x, shape->rows,
                                    shape->cols, batch);
        } else {
            eis_packed w = packed_of(c, shape, c->weights[s]);
            EIS_TRY(eis_ring_matmul(NULL, (uint64_t *)c->y + done, &w, c->x, batch, profiles[c->profile].ring));
        }
        done += shape->rows * batch;
    }
out:
    return st;
}

static eis_status time_once(contest *run, contender *c)
{
    eis_status st = EIS_OK;
    uint64_t start;

    take_weights(run, c);
    if (c->kind == CONTENDER_RING) EIS_TRY(eis_kernels_use(c->level->name));
    start = eis_clock_thread_ns();
    EIS_TRY(multiply(run, c));
    c->samples[run->rounds] = (double)(eis_clock_thread_ns() - start);
out:
    return st;
}

static eis_status time_rounds(contest *run)
{
    eis_status st = EIS_OK;
    size_t least = run->bench->quick ? 3 : 9, most = run->bench->quick ? 15 : SAMPLES_MAX;
    uint64_t budget_ns = run->bench->quick ? UINT64_C(2500000000) : UINT64_C(15000000000), start;

    for (size_t i = 0; i < run->count; i++) EIS_TRY(time_once(run, &run->contenders[i])); /* touches everything once */
    start = eis_clock_ns();
    while (run->rounds < least || (run->rounds < most && eis_clock_ns() - start < budget_ns)) {
        EIS_TRY(eis_cli_check_interrupted());
        for (size_t i = 0; i < run->count; i++)
            EIS_TRY(time_once(run, &run->contenders[(i + run->rounds) % run->count]));
        run->rounds++;
    }
    for (size_t i = 0; i < run->count; i++)
        run->contenders[i].median = eis_bench_median(run->contenders[i].samples, run->rounds);
out:
    return st;
}

/* ---- the words ---- */

/* Compares rows [first panel, last panel) of the last round with what plain C makes of the same weights. */
static void compare_panels(size_t *differ, const eis_matmul *job, const uint64_t *words, size_t first, size_t last)
{
    size_t height = eis_geometry_panel_rows(job->w->geometry), from = first * height, to = last * height;

    if (to > job->w->rows) to = job->w->rows;
    eis_kernels_matmul(eis_kernels_level(0), job->w->geometry)->run(job, first, last);
    for (size_t v = 0; v < job->batch; v++)
        *differ += eis_bench_words_differ(job->y + v * job->w->rows + from, words + v * job->w->rows + from, to - from);
}

/* All of one product; of large batches with --quick the first, the middle and the last panel. */
static eis_status compare_product(size_t *differ, const contest *run, const contender *c, size_t s,
                                  const uint64_t *words)
{
    eis_status st = EIS_OK;
    const eis_bench_shape *shape = &run->product->shapes[s];
    eis_packed w = packed_of(c, shape, c->weights[s]);
    eis_matmul job = {.w = &w, .x = c->x, .batch = run->product->batch, .ring = profiles[c->profile].ring};
    const eis_matmul_kernel *generic = eis_kernels_matmul(eis_kernels_level(0), w.geometry);
    size_t panels = eis_packed_panels(&w);

    EIS_NEW(job.y, shape->rows * job.batch);
    job.scratch = eis_mem_new(generic->scratch_bytes(&job), 1);
    if (job.scratch == NULL) st = EIS_ERR_MEMORY;
    if (st != EIS_OK) goto out;
    generic->prepare(&job);
    if (run->bench->quick && job.batch > 8) {
        compare_panels(differ, &job, words, 0, 1);
        compare_panels(differ, &job, words, panels / 2, panels / 2 + 1);
        compare_panels(differ, &job, words, panels - 1, panels);
    } else {
        compare_panels(differ, &job, words, 0, panels);
    }
out:
    eis_mem_free(job.scratch);
    eis_mem_free(job.y);
    return st;
}

static eis_status compare_words(const contest *run)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < run->count; i++) {
        const contender *c = &run->contenders[i];
        const uint64_t *words = c->y;
        size_t differ = 0;

        if (c->kind != CONTENDER_RING || c->level == eis_kernels_level(0)) continue;
        for (size_t s = 0; s < run->product->shape_count; s++) {
            EIS_TRY(compare_product(&differ, run, c, s, words));
            words += run->product->shapes[s].rows * run->product->batch;
        }
        if (differ == 0) continue;
        run->bench->unequal++;
        fprintf(stderr, "eis bench: %s, %s, level %s: %zu words differ from plain C\n", run->product->name,
                profiles[c->profile].name, c->level->name, differ);
    }
out:
    return st;
}

/* ---- rows ---- */

static const contender *find_peer(const contest *run, contender_kind kind)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->contenders[i].kind == kind) return &run->contenders[i];
    return NULL;
}

static void add_row(const contest *run, const contender *c, const contender *peer, const char *suffix, double goal)
{
    double unit = run->product->in_ms ? 1e6 : 1e3;
    eis_bench_row *row = eis_bench_add(run->bench, c->median / unit, run->product->in_ms ? "ms" : "us", "%s, %s%s",
                                       run->product->name, profiles[c->profile].name, suffix);

    if (peer == NULL) return; /* the goals are ratios */
    eis_bench_against(row, peer->kind == CONTENDER_INT8 ? INT8_NAME : run->bench->blas->name, peer->median / unit);
    if (goal > 0) eis_bench_set_goal(row, goal);
}

static void add_rows(const contest *run)
{
    const contender *blas = find_peer(run, CONTENDER_BLAS), *int8 = find_peer(run, CONTENDER_INT8);
    const eis_bench_product *product = run->product;
    char suffix[40];

    for (size_t i = 0; i < run->count; i++) {
        const contender *c = &run->contenders[i];
        double goal_avx2 = 0;

        if (c->kind != CONTENDER_RING) continue;
        snprintf(suffix, sizeof suffix, ", level %s", c->level->name);
        if (strcmp(c->level->name, "avx2") == 0) goal_avx2 = product->goals_avx2[c->profile];
        if (c->level == run->bench->level) add_row(run, c, blas, "", product->goals[c->profile]);
        if (c->level != run->bench->level || goal_avx2 > 0) add_row(run, c, blas, suffix, goal_avx2);
    }
    for (size_t i = 0; i < run->count; i++) {
        const contender *c = &run->contenders[i];
        if (c->kind == CONTENDER_RING && c->level == run->bench->level) add_row(run, c, int8, " beside int8", 0);
    }
}

eis_status eis_bench_product_measure(eis_bench *bench, eis_bench_arena *arena, const eis_bench_product *product)
{
    eis_status st = EIS_OK;
    contest *run = NULL;

    EIS_NEW(run, 1);
    run->bench = bench;
    run->arena = arena;
    run->product = product;
    EIS_ASSERT(product->batch == 1 || product->shape_count == 1);
    EIS_TRY(add_contenders(run));
    EIS_TRY(time_rounds(run));
    eis_bench_say(bench, "%s: %zu contenders, %zu rounds", product->name, run->count, run->rounds);
    EIS_TRY(compare_words(run));
    add_rows(run);
out:
    if (run != NULL) clear_contest(run);
    eis_mem_free(run);
    if (eis_kernels_use(bench->level->name) != EIS_OK && st == EIS_OK) st = EIS_ERR_INTERNAL;
    return st;
}
