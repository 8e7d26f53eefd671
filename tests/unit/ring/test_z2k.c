/* SPDX-License-Identifier: Apache-2.0 */
/* If the product lost a panel between threads, or left padding in its input, a server's share of y would be wrong and
 * the client could not tell which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "ring/z2k.h"

__extension__ typedef __int128 wide;

#define ROWS  203
#define COLS  77
#define BATCH 3

typedef struct matrix {
    eis_packed packed;
    uint8_t *panels;
    int32_t *w;
} matrix;

static void matrix_make(matrix *m, eis_geometry geometry)
{
    int32_t limit = geometry == EIS_GEOMETRY_W8 ? 128 : geometry == EIS_GEOMETRY_W24 ? 1 << 23 : 1 << 19;
    uint32_t state = 12345;

    assert_int_equal(eis_packed_init(&m->packed, geometry, ROWS, COLS, NULL), EIS_OK);
    m->panels = eis_mem_new(m->packed.bytes, 1);
    m->w = eis_mem_new((size_t)ROWS * COLS, sizeof *m->w);
    assert_non_null(m->panels);
    assert_non_null(m->w);
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++) {
        state = state * 1664525 + 1013904223;
        m->w[i] = (int32_t)((state >> 4) % (2 * (uint32_t)limit)) - limit;
    }
    m->w[0] = -limit;
    m->w[1] = limit - 1;
    eis_packed_write_rows(m->panels, &m->packed, m->w, 0, ROWS);
    eis_packed_fill_padding(m->panels, &m->packed);
    m->packed.panels = m->panels;
}

static void matrix_clear(matrix *m)
{
    eis_mem_free(m->panels);
    eis_mem_free(m->w);
}

static uint64_t reduced(wide v, eis_ring ring)
{
    wide m = ring == EIS_RING_F61 ? (wide)EIS_F61_P : (wide)1 << (unsigned)ring;
    return (uint64_t)((v % m + m) % m);
}

static void fill(uint64_t *words, size_t n, eis_ring ring, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        words[i] = reduced((wide)(seed ^ seed >> 29), ring);
    }
}

static void check_product(const matrix *m, eis_ring ring, eis_pool *pool)
{
    uint64_t words[BATCH * COLS], *y = eis_mem_new(BATCH * ROWS, sizeof *y);
    size_t input_bytes = eis_ring_input_bytes(&m->packed, ring);
    uint8_t *x = eis_mem_new(BATCH, input_bytes);

    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(input_bytes % 64, 0);
    memset(x, 0xff, BATCH * input_bytes); /* whoever writes the input must clear its padding */
    fill(words, BATCH * COLS, ring, 99);
    for (size_t v = 0; v < BATCH; v++) eis_ring_input_write(x + v * input_bytes, &m->packed, ring, words + v * COLS);
    assert_int_equal(eis_ring_matmul(pool, y, &m->packed, x, BATCH, ring), EIS_OK);
    for (size_t v = 0; v < BATCH; v++) {
        for (size_t i = 0; i < ROWS; i++) {
            wide sum = 0;
            for (size_t j = 0; j < COLS; j++) sum += (wide)m->w[i * COLS + j] * (wide)words[v * COLS + j];
            assert_true(y[v * ROWS + i] == reduced(sum, ring));
        }
    }
    eis_mem_free(x);
    eis_mem_free(y);
}

static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52,
                                 EIS_RING_Z56, EIS_RING_F61, EIS_RING_Z64};

static void products_are_right_on_any_number_of_threads(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 3; threads++) {
        eis_pool *pool = NULL;
        if (threads > 0) assert_int_equal(eis_pool_new(&pool, threads), EIS_OK);
        for (int g = EIS_GEOMETRY_W8; g <= EIS_GEOMETRY_W20; g++) {
            matrix m;
            matrix_make(&m, (eis_geometry)g);
            for (size_t r = 0; r < 7; r++) {
                if (eis_ring_fits_geometry(rings[r], (eis_geometry)g)) check_product(&m, rings[r], pool);
            }
            matrix_clear(&m);
        }
        eis_pool_free(pool);
    }
}

static void wrong_rings_and_sizes_are_refused(void **state)
{
    matrix m;
    uint64_t y[1] = {42};
    uint8_t x[1] = {0};

    (void)state;
    matrix_make(&m, EIS_GEOMETRY_W20);
    assert_int_equal(eis_ring_matmul(NULL, y, &m.packed, x, 1, EIS_RING_Z64), EIS_ERR_SHAPE);
    assert_int_equal(eis_ring_matmul(NULL, y, &m.packed, x, SIZE_MAX / 2, EIS_RING_F61), EIS_ERR_SHAPE);
    assert_int_equal(eis_ring_matmul(NULL, y, &m.packed, x, 0, EIS_RING_F61), EIS_OK);
    assert_int_equal(eis_ring_matmul(NULL, y, &m.packed, x, 1, (eis_ring)33), EIS_ERR_SHAPE);
    eis_mem_fail_at(1);
    assert_int_equal(eis_ring_matmul(NULL, y, &m.packed, x, 1, EIS_RING_F61), EIS_ERR_MEMORY);
    eis_mem_fail_at(0);
    assert_int_equal(y[0], 42);
    matrix_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right_on_any_number_of_threads),
        cmocka_unit_test(wrong_rings_and_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
