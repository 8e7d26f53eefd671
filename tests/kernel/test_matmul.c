/* SPDX-License-Identifier: Apache-2.0 */
/* If a kernel were wrong in one word, every share of that layer would be wrong and the answer noise; if two levels
 * differed, servers of different make could not work together. So: plain C against arithmetic in 128 bits, then every
 * level of this machine against plain C, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"

__extension__ typedef __int128 wide;

typedef enum fill { FILL_RANDOM, FILL_ONES, FILL_LOWEST, FILL_HIGHEST } fill; /* of weights or of words */

static const eis_ring rings_w8[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z56, EIS_RING_Z64, EIS_RING_F61};
static const eis_ring rings_w24[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52};
static const eis_ring rings_w20[] = {EIS_RING_F61};

static int32_t weight_limit(eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W8 ? 128 : geometry == EIS_GEOMETRY_W24 ? 1 << 23 : 1 << 19;
}

/* A matrix and a batch of vectors in every form that a test needs. */
typedef struct problem {
    eis_packed w;
    eis_ring ring;
    size_t batch;
    uint8_t *panels;
    int32_t *weights; /* [rows][cols] */
    uint64_t *words;  /* [batch][cols_padded] */
    uint8_t *input;   /* the layout of eis_matmul.x, shifted off alignment */
    void *input_block;
} problem;

static uint64_t make_word(uint64_t *rng, eis_ring ring, fill how)
{
    uint64_t highest = eis_ring_mask(ring) - (ring == EIS_RING_F61);

    if (how == FILL_ONES || how == FILL_HIGHEST) return highest;
    if (how == FILL_LOWEST) return UINT64_C(0x8080808080808080) & highest; /* every balanced limb at its lowest */
    return ring == EIS_RING_F61 ? eis_f61_word_reduce(rng_next(rng)) : rng_next(rng) & highest;
}

static int32_t make_weight(uint64_t *rng, eis_geometry geometry, fill how)
{
    int32_t limit = weight_limit(geometry);

    if (how == FILL_LOWEST) return -limit;
    if (how == FILL_HIGHEST) return limit - 1;
    if (how == FILL_ONES) return 1;
    return (int32_t)(rng_next(rng) % (2 * (uint64_t)limit)) - limit;
}

static void problem_init(problem *p, eis_geometry geometry, eis_ring ring, size_t rows, size_t cols, size_t batch,
                         fill weights, fill words, size_t shift)
{
    uint64_t rng = rows * 1000003 + cols * 1009 + batch;
    size_t planes = eis_ring_planes(ring), bytes;

    memset(p, 0, sizeof *p);
    assert_int_equal(eis_packed_init(&p->w, geometry, rows, cols, NULL), EIS_OK);
    p->ring = ring;
    p->batch = batch;
    p->panels = eis_mem_new(p->w.bytes + 64, 1);
    p->weights = eis_mem_new(rows * cols, sizeof *p->weights);
    p->words = eis_mem_new(batch * p->w.cols_padded, sizeof *p->words);
    bytes = batch * p->w.cols_padded * (geometry == EIS_GEOMETRY_W8 ? planes : 8);
    p->input_block = eis_mem_new(bytes + shift, 1);
    assert_non_null(p->panels);
    assert_non_null(p->weights);
    assert_non_null(p->words);
    assert_non_null(p->input_block);
    p->input = (uint8_t *)p->input_block + shift;
    for (size_t i = 0; i < rows * cols; i++) p->weights[i] = make_weight(&rng, geometry, weights);
    eis_packed_write_rows(p->panels + shift, &p->w, p->weights, 0, rows);
    eis_packed_fill_padding(p->panels + shift, &p->w);
    p->w.panels = p->panels + shift;
    for (size_t v = 0; v < batch; v++) {
        for (size_t j = 0; j < cols; j++) p->words[v * p->w.cols_padded + j] = make_word(&rng, ring, words);
    }
    if (geometry == EIS_GEOMETRY_W8) {
        eis_kernels_level(0)->planes_from_words(p->input, p->words, batch * p->w.cols_padded, (unsigned)planes);
    } else if (bytes > 0) {
        memcpy(p->input, p->words, bytes);
    }
}

static void problem_clear(problem *p)
{
    eis_mem_free(p->panels);
    eis_mem_free(p->weights);
    eis_mem_free(p->words);
    eis_mem_free(p->input_block);
}

#define CANARY UINT64_C(0x5ca1ab1e5ca1ab1e)

/* Multiplies on one level, panels in `pieces` ranges from the last to the first; checks that nothing beyond y and
 * scratch is written. Returns y, to be freed. */
static uint64_t *multiply(const problem *p, const eis_kernels *level, size_t pieces)
{
    const eis_matmul_kernel *kernel = eis_kernels_matmul(level, p->w.geometry);
    size_t words = p->batch * p->w.rows, panels = eis_packed_panels(&p->w), scratch_bytes;
    uint64_t *y = eis_mem_new(words + 2, sizeof *y);
    eis_matmul job = {.y = y + 1, .w = &p->w, .x = p->input, .batch = p->batch, .ring = p->ring};
    uint8_t *scratch;

    assert_non_null(y);
    memset(y, 0xee, (words + 2) * sizeof *y);
    y[0] = y[words + 1] = CANARY;
    scratch_bytes = kernel->scratch_bytes(&job);
    scratch = eis_mem_new(scratch_bytes + 8, 1);
    assert_non_null(scratch);
    memset(scratch, 0xdd, scratch_bytes + 8);
    job.scratch = scratch;
    kernel->prepare(&job);
    for (size_t piece = pieces; piece-- > 0;) {
        kernel->run(&job, panels * piece / pieces, panels * (piece + 1) / pieces);
    }
    for (size_t i = 0; i < 8; i++) assert_int_equal(scratch[scratch_bytes + i], 0xdd);
    assert_true(y[0] == CANARY && y[words + 1] == CANARY);
    eis_mem_free(scratch);
    return y;
}

static uint64_t brute_force(const problem *p, size_t v, size_t row)
{
    wide sum = 0, modulus = p->ring == EIS_RING_F61 ? (wide)EIS_F61_P : (wide)1 << (unsigned)p->ring;

    for (size_t j = 0; j < p->w.cols; j++) {
        sum += (wide)p->weights[row * p->w.cols + j] * (wide)p->words[v * p->w.cols_padded + j];
    }
    return (uint64_t)((sum % modulus + modulus) % modulus);
}

static void check_generic(const problem *p)
{
    uint64_t *y = multiply(p, eis_kernels_level(0), 2);

    for (size_t v = 0; v < p->batch; v++) {
        for (size_t i = 0; i < p->w.rows; i++) {
            if (y[1 + v * p->w.rows + i] != brute_force(p, v, i)) {
                fail_msg("generic: geometry %d ring %d %zux%zu vector %zu row %zu", (int)p->w.geometry, (int)p->ring,
                         p->w.rows, p->w.cols, v, i);
            }
        }
    }
    eis_mem_free(y);
}

static void check_levels(const problem *p)
{
    size_t words = p->batch * p->w.rows;
    uint64_t *expected = multiply(p, eis_kernels_level(0), 1);

    for (size_t i = 1; i < eis_kernels_level_count(); i++) {
        uint64_t *y = multiply(p, eis_kernels_level(i), i % 2 + 1);
        if (memcmp(expected + 1, y + 1, words * sizeof *y) != 0) {
            fail_msg("%s: geometry %d ring %d %zux%zu batch %zu differs from generic", eis_kernels_level_name(i),
                     (int)p->w.geometry, (int)p->ring, p->w.rows, p->w.cols, p->batch);
        }
        eis_mem_free(y);
    }
    eis_mem_free(expected);
}

/* Runs one problem in every ring of every geometry. */
static void in_every_ring(size_t rows, size_t cols, size_t batch, fill weights, fill words, size_t shift,
                          void (*check)(const problem *))
{
    static const struct {
        eis_geometry geometry;
        const eis_ring *rings;
        size_t count;
    } table[] = {{EIS_GEOMETRY_W8, rings_w8, 6}, {EIS_GEOMETRY_W24, rings_w24, 4}, {EIS_GEOMETRY_W20, rings_w20, 1}};

    for (size_t g = 0; g < 3; g++) {
        for (size_t r = 0; r < table[g].count; r++) {
            problem p;
            problem_init(&p, table[g].geometry, table[g].rings[r], rows, cols, batch, weights, words, shift);
            check(&p);
            problem_clear(&p);
        }
    }
}

static void generic_is_the_integer_product(void **state)
{
    static const size_t rows[] = {0, 1, 31, 32, 33, 47, 48, 49}, cols[] = {0, 1, 3, 4, 5, 63, 64, 65, 130};

    (void)state;
    for (size_t r = 0; r < 8; r++) {
        for (size_t c = 0; c < 9; c++) in_every_ring(rows[r], cols[c], 2, FILL_RANDOM, FILL_RANDOM, 0, check_generic);
    }
    for (int w = FILL_RANDOM; w <= FILL_HIGHEST; w++) {
        for (int x = FILL_RANDOM; x <= FILL_HIGHEST; x++) in_every_ring(33, 70, 1, (fill)w, (fill)x, 1, check_generic);
    }
    in_every_ring(2, 8200, 1, FILL_HIGHEST, FILL_ONES, 0, check_generic); /* across the flush of W20 */
}

static void levels_agree_at_every_size(void **state)
{
    static const size_t rows[] = {0, 1, 31, 32, 33, 47, 48, 49, 95, 97}, cols[] = {0, 1, 3, 5, 63, 64, 65, 257};
    static const size_t batches[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

    (void)state;
    for (size_t r = 0; r < 10; r++) {
        for (size_t c = 0; c < 8; c++) {
            in_every_ring(rows[r], cols[c], batches[(r + c) % 9], FILL_RANDOM, FILL_RANDOM, 0, check_levels);
        }
    }
    for (size_t b = 0; b < 9; b++) in_every_ring(50, 66, batches[b], FILL_RANDOM, FILL_RANDOM, 0, check_levels);
    in_every_ring(100, 200, 32, FILL_RANDOM, FILL_RANDOM, 0, check_levels);
    in_every_ring(49, 70, 61, FILL_RANDOM, FILL_RANDOM, 0, check_levels);
}

static void levels_agree_at_any_alignment(void **state)
{
    (void)state;
    for (size_t shift = 1; shift < 40; shift += 3) {
        in_every_ring(49, 131, 1 + shift % 4, FILL_RANDOM, FILL_RANDOM, shift, check_levels);
    }
}

/* Where sums are largest: every bound of a flush is met by the extreme words here or nowhere. */
static void levels_agree_on_extremes(void **state)
{
    static const size_t cols[] = {64, 448, 449, 960, 961, 1020, 1024, 1025, 2049, 4096, 4097, 8193};

    (void)state;
    for (int w = FILL_ONES; w <= FILL_HIGHEST; w++) {
        for (int x = FILL_ONES; x <= FILL_LOWEST; x++) {
            for (size_t c = 0; c < 12; c++) in_every_ring(5, cols[c], 1 + c % 3, (fill)w, (fill)x, 0, check_levels);
        }
    }
}

/* 255 * 128 * n leaves 31 bits behind n = 65,793, and with three planes in one accumulator behind n = 21,931. */
static void levels_agree_on_long_rows(void **state)
{
    static const size_t cols[] = {21931, 21932, 65793, 65794, 131586, 131650};

    (void)state;
    in_every_ring(35, 8260, 9, FILL_RANDOM, FILL_RANDOM, 0, check_levels); /* several blocks, several strips */
    for (size_t c = 0; c < 6; c++) {
        in_every_ring(3, cols[c], 1, FILL_LOWEST, FILL_ONES, 0, check_levels);
        in_every_ring(3, cols[c], 2, FILL_LOWEST, FILL_LOWEST, 0, check_levels);
        in_every_ring(2, cols[c], 1, FILL_RANDOM, FILL_RANDOM, 0, check_levels);
    }
}

static void weights_come_back_from_panels(void **state)
{
    (void)state;
    for (int g = EIS_GEOMETRY_W8; g <= EIS_GEOMETRY_W20; g++) {
        problem p;
        int32_t *back = eis_mem_new(101 * 67, sizeof *back);
        assert_non_null(back);
        problem_init(&p, (eis_geometry)g, g == EIS_GEOMETRY_W20 ? EIS_RING_F61 : EIS_RING_Z32, 101, 67, 0, FILL_RANDOM,
                     FILL_RANDOM, 0);
        eis_packed_read_rows(back, &p.w, 0, 50);
        eis_packed_read_rows(back + (size_t)50 * 67, &p.w, 50, 51);
        assert_memory_equal(back, p.weights, (size_t)101 * 67 * sizeof *back);
        eis_mem_free(back);
        problem_clear(&p);
    }
}

static void impossible_shapes_are_refused(void **state)
{
    eis_packed w = {.rows = 7};

    (void)state;
    assert_int_equal(eis_packed_init(&w, EIS_GEOMETRY_W8, EIS_PACKED_ROWS_MAX + 1, 1, NULL), EIS_ERR_SHAPE);
    assert_int_equal(eis_packed_init(&w, EIS_GEOMETRY_W8, 1, EIS_PACKED_COLS_MAX + 1, NULL), EIS_ERR_SHAPE);
    assert_int_equal(eis_packed_init(&w, EIS_GEOMETRY_W8, SIZE_MAX, SIZE_MAX, NULL), EIS_ERR_SHAPE);
    assert_int_equal(eis_packed_init(&w, (eis_geometry)9, 1, 1, NULL), EIS_ERR_SHAPE);
    assert_int_equal(w.rows, 7);
}

static void an_unknown_level_is_refused(void **state)
{
    const eis_kernels *before = eis_kernels_get();

    (void)state;
    assert_int_equal(eis_kernels_use("avx1024"), EIS_ERR_USAGE);
    assert_non_null(strstr(eis_error_detail(), "generic"));
    assert_ptr_equal(eis_kernels_get(), before);
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        assert_int_equal(eis_kernels_use(eis_kernels_level_name(i)), EIS_OK);
        assert_string_equal(eis_kernels_get()->name, eis_kernels_level_name(i));
    }
}

/* A typing error in EIS_KERNELS must not silently choose another level than the one asked for. */
static void the_environment_names_a_level(void **state)
{
    (void)state;
    assert_int_equal(setenv("EIS_KERNELS", "generic", 1), 0);
    assert_int_equal(eis_kernels_use(NULL), EIS_OK);
    assert_string_equal(eis_kernels_get()->name, "generic");
    assert_int_equal(setenv("EIS_KERNELS", "genreic", 1), 0);
    assert_int_equal(eis_kernels_use(NULL), EIS_ERR_USAGE);
    assert_int_equal(unsetenv("EIS_KERNELS"), 0);
    assert_int_equal(eis_kernels_use(NULL), EIS_OK);
    assert_ptr_equal(eis_kernels_get(), eis_kernels_level(eis_kernels_level_count() - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generic_is_the_integer_product), cmocka_unit_test(levels_agree_at_every_size),
        cmocka_unit_test(levels_agree_at_any_alignment),  cmocka_unit_test(levels_agree_on_extremes),
        cmocka_unit_test(levels_agree_on_long_rows),      cmocka_unit_test(weights_come_back_from_panels),
        cmocka_unit_test(impossible_shapes_are_refused),  cmocka_unit_test(an_unknown_level_is_refused),
        cmocka_unit_test(the_environment_names_a_level),
    };

    printf("levels tested:");
    for (size_t i = 0; i < eis_kernels_level_count(); i++) printf(" %s", eis_kernels_level_name(i));
    printf("\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
