/* SPDX-License-Identifier: Apache-2.0 */
/* A product with a matrix is the same on one thread and on many, for single vectors and for batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/mpc/multiply.h"
#include "engine/mpc/stream.h"
#include "ring/fp_dot.h"

#include <string.h>

static uint64_t *words_of(uint8_t seed, size_t count)
{
    uint8_t key[EIS_MPC_SEED_BYTES] = {seed};
    eis_mpc_stream stream = {0};
    uint64_t *words = eis_mem_new(count, sizeof *words);

    assert_non_null(words);
    assert_int_equal(eis_mpc_stream_start_key(&stream, key), EIS_OK);
    assert_int_equal(eis_mpc_stream_words(&stream, words, count), EIS_OK);
    eis_mpc_stream_clear(&stream);
    return words;
}

static void check(eis_pool *pool, size_t rows, size_t inner, size_t batch)
{
    uint64_t *w = words_of(1, rows * inner), *x = words_of(2, inner * batch);
    uint64_t *right = eis_mem_new(rows * batch, sizeof *right), *y = eis_mem_new(rows * batch, sizeof *y);

    eis_fp_matmul(right, w, x, rows, inner, batch);
    eis_mpc_multiply(pool, y, w, x, rows, inner, batch);
    assert_memory_equal(y, right, rows * batch * sizeof *y);
    eis_mem_free(w);
    eis_mem_free(x);
    eis_mem_free(right);
    eis_mem_free(y);
}

static void test_threads(void **state)
{
    static const size_t shapes[][3] = {{1, 1, 1},      {7, 5, 3},     {1000, 700, 1},
                                       {2047, 513, 1}, {600, 400, 9}, {3, 900, 40}};
    (void)state;

    for (unsigned threads = 0; threads <= 4; threads += 2) {
        eis_pool *pool = NULL;
        if (threads > 0) assert_int_equal(eis_pool_new(&pool, threads), EIS_OK);
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            check(pool, shapes[i][0], shapes[i][1], shapes[i][2]);
        eis_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
