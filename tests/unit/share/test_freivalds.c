/* SPDX-License-Identifier: Apache-2.0 */
/* If a wrong answer passed, a server could steer the text; if a right one failed, an honest server would be named a
 * cheat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "share/freivalds.h"

static uint64_t random_state = 0x1234567;

static uint64_t random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state ^ random_state >> 31;
}

/* y = W x mod p by the compiler's own remainder. */
static void multiply(uint64_t *y, const int32_t *w, const uint64_t *x, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        eis_u128 sum = 0;
        for (size_t j = 0; j < cols; j++) {
            uint64_t weight = w[i * cols + j] < 0 ? EIS_F61_P - (uint64_t)-w[i * cols + j] : (uint64_t)w[i * cols + j];
            sum = (sum + (eis_u128)weight * x[j]) % EIS_F61_P;
        }
        y[i] = (uint64_t)sum;
    }
}

typedef struct layer {
    size_t rows, cols;
    int32_t *w;
    uint64_t *x, *y;
    eis_freivalds keys;
    eis_prg prg;
} layer;

/* Extreme weights in every other layer: the limb sums then go to their limits. */
static void layer_init(layer *l, size_t rows, size_t cols, size_t key_count, size_t strip)
{
    *l = (layer){.rows = rows, .cols = cols};
    l->w = eis_mem_new(rows * cols, sizeof *l->w);
    l->x = eis_mem_new(cols, 8);
    l->y = eis_mem_new(rows, 8);
    for (size_t i = 0; i < rows * cols; i++)
        l->w[i] = cols % 2 ? (int32_t)(random_bits() & 0xffffff) - (1 << 23) : -(1 << 23);
    for (size_t j = 0; j < cols; j++) l->x[j] = j == 0 ? EIS_F61_P - 1 : random_bits() % EIS_F61_P;
    multiply(l->y, l->w, l->x, rows, cols);
    assert_int_equal(eis_freivalds_init(&l->keys, &l->prg, rows, cols, key_count), EIS_OK);
    for (size_t i = 0; i < rows; i += strip) {
        assert_false(eis_freivalds_ready(&l->keys));
        eis_freivalds_add_rows(&l->keys, l->w + i * cols, rows - i < strip ? rows - i : strip);
    }
    assert_true(eis_freivalds_ready(&l->keys));
}

static void layer_clear(layer *l)
{
    eis_freivalds_clear(&l->keys);
    eis_freivalds_clear(&l->keys);
    eis_prg_clear(&l->prg);
    eis_mem_free(l->w);
    eis_mem_free(l->x);
    eis_mem_free(l->y);
}

static void right_answers_pass_and_any_single_bit_fails(void **state)
{
    static const size_t shapes[][4] = {
        {1, 1, 1, 1}, {5, 3, 1, 2}, {100, 33, 2, 7}, {1600, 6, 1, 1600}, {1023, 5, 3, 511}};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        layer l;

        layer_init(&l, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
        assert_int_equal(eis_freivalds_check(&l.keys, l.y, l.x), EIS_OK);
        for (size_t i = 0; i < l.rows; i += 1 + l.rows / 9)
            for (int bit = 0; bit < 64; bit++) {
                l.y[i] ^= 1ull << bit;
                assert_int_equal(eis_freivalds_check(&l.keys, l.y, l.x), EIS_ERR_INTEGRITY);
                l.y[i] ^= 1ull << bit;
            }
        for (size_t j = 0; j < l.cols; j++) { /* the right answer to another input is wrong */
            l.x[j] ^= 1;
            assert_int_equal(eis_freivalds_check(&l.keys, l.y, l.x), EIS_ERR_INTEGRITY);
            l.x[j] ^= 1;
        }
        layer_clear(&l);
    }
}

/* Three servers, one flips one bit of one answer: it and nobody else is found. */
static void the_cheat_is_named(void **state)
{
    layer l;
    uint64_t x[3][9], y[3][20];

    (void)state;
    layer_init(&l, 20, 9, 1, 20);
    for (size_t s = 0; s < 3; s++) {
        for (size_t j = 0; j < 9; j++) x[s][j] = random_bits() % EIS_F61_P;
        multiply(y[s], l.w, x[s], 20, 9);
    }
    for (size_t liar = 0; liar < 3; liar++) {
        y[liar][7] ^= 1u << 13;
        for (size_t s = 0; s < 3; s++)
            assert_int_equal(eis_freivalds_check(&l.keys, y[s], x[s]), s == liar ? EIS_ERR_INTEGRITY : EIS_OK);
        y[liar][7] ^= 1u << 13;
    }
    layer_clear(&l);
}

/* p stands for 0 and p + 1 for 1: a word with two forms would let a server choose between them unseen. */
static void words_outside_the_field_fail(void **state)
{
    layer l;

    (void)state;
    layer_init(&l, 4, 3, 1, 4);
    for (size_t i = 0; i < 4; i++) {
        uint64_t was = l.y[i];
        l.y[i] = was + EIS_F61_P;
        assert_int_equal(eis_freivalds_check(&l.keys, l.y, l.x), EIS_ERR_INTEGRITY);
        l.y[i] = was;
    }
    assert_int_equal(eis_freivalds_check(&l.keys, l.y, l.x), EIS_OK);
    layer_clear(&l);
}

static void keys_are_fresh_and_sizes_checked(void **state)
{
    eis_freivalds a = {0}, b = {0};
    eis_prg prg = {0};

    (void)state;
    assert_int_equal(eis_freivalds_init(&a, &prg, 8, 8, 2), EIS_OK);
    assert_int_equal(eis_freivalds_init(&b, &prg, 8, 8, 1), EIS_OK);
    assert_memory_not_equal(a.r, b.r, 64);
    assert_memory_not_equal(a.r, a.r + 8, 64);
    assert_int_equal(eis_freivalds_init(&b, &prg, 0, 8, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_freivalds_init(&b, &prg, 8, 0, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_freivalds_init(&b, &prg, 8, 8, 0), EIS_ERR_SHAPE);
    assert_int_equal(eis_freivalds_init(&b, &prg, 8, 8, 65), EIS_ERR_SHAPE);
    assert_int_equal(eis_freivalds_init(&b, &prg, SIZE_MAX, SIZE_MAX, 1), EIS_ERR_SHAPE);
    assert_null(b.r);
    assert_false(eis_freivalds_ready(&b));
    eis_freivalds_clear(&a);
    eis_prg_clear(&prg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_answers_pass_and_any_single_bit_fails),
        cmocka_unit_test(the_cheat_is_named),
        cmocka_unit_test(words_outside_the_field_fail),
        cmocka_unit_test(keys_are_fresh_and_sizes_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
