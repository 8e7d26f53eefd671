/* SPDX-License-Identifier: Apache-2.0 */
/* The building blocks that others build on: a share that was misread, an answer that was counted twice or a length that
 * was believed would give somebody else's program a wrong result without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "eis/eis.h"

#include <math.h>
#include <string.h>

enum { ROWS = 5, COLUMNS = 7, BATCH = 3 };

static float weights[ROWS * COLUMNS];
static double inputs[BATCH * COLUMNS];

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++) weights[i] = (float)((i * 37) % 23 - 11) / 8.0f;
    for (int i = 0; i < BATCH * COLUMNS; i++) inputs[i] = ((i * 53) % 29 - 14) / 4.0;
    return 0;
}

static eis_split_worker *new_worker(const eis_split_linear *linear)
{
    eis_split_worker *worker;
    const uint8_t *pack;
    size_t bytes;

    eis_split_linear_pack(linear, &pack, &bytes);
    assert_int_equal(eis_split_worker_new(&worker, pack, bytes), EIS_OK);
    return worker;
}

/* Lets one server answer. */
static void ask(eis_split_query *query, eis_split_worker *worker, size_t server)
{
    const uint8_t *share, *answer;
    size_t share_bytes, answer_bytes;

    assert_int_equal(eis_split_query_share(query, &share, &share_bytes, server), EIS_OK);
    assert_int_equal(eis_split_worker_eval(worker, &answer, &answer_bytes, share, share_bytes), EIS_OK);
    assert_int_equal(eis_split_query_add(query, server, answer, answer_bytes), EIS_OK);
}

static void check_product(const double *y, double tolerance)
{
    for (size_t b = 0; b < BATCH; b++)
        for (size_t r = 0; r < ROWS; r++) {
            double plain = 0;
            for (size_t c = 0; c < COLUMNS; c++) plain += (double)weights[r * COLUMNS + c] * inputs[b * COLUMNS + c];
            assert_true(fabs(y[b * ROWS + r] - plain) <= tolerance);
        }
}

/* |x|_1 is below 60 and weights are below 1.5, so half a step of a row's scale makes 60 * 1.5 / 2^(bits) at most. */
static void every_profile_multiplies(void **state)
{
    static const struct {
        eis_split_linear_options options;
        double tolerance;
        size_t servers, asked;
    } cases[] = {
        {{0}, 90 / 0x1p23, 2, 2},
        {{.servers = 3}, 90 / 0x1p23, 3, 3},
        {{.profile = "p8"}, 90 / 0x1p7, 2, 2},
        {{.profile = "f61", .servers = 4}, 90 / 0x1p19, 4, 4},
        {{.profile = "f61-8"}, 90 / 0x1p7, 2, 2},
        {{.threshold = 2}, 90 / 0x1p19, 3, 2},
        {{.threshold = 2, .servers = 4}, 90 / 0x1p19, 4, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        eis_split_linear *linear;
        eis_split_query *query;
        eis_split_worker *worker;
        double y[BATCH * ROWS];
        assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, COLUMNS, &cases[i].options), EIS_OK);
        worker = new_worker(linear);
        assert_int_equal(eis_split_linear_protect(linear, &query, inputs, BATCH), EIS_OK);
        for (size_t s = cases[i].servers; s > cases[i].servers - cases[i].asked; s--) ask(query, worker, s);
        assert_int_equal(eis_split_query_recover(query, y), EIS_OK);
        check_product(y, cases[i].tolerance);
        eis_split_query_free(query);
        eis_split_worker_free(worker);
        eis_split_linear_free(linear);
    }
}

static void answers_are_counted_once(void **state)
{
    eis_split_linear *linear;
    eis_split_query *query;
    eis_split_worker *worker;
    const uint8_t *share;
    uint8_t answer[BATCH * ROWS * 8] = {0};
    double y[BATCH * ROWS];
    size_t bytes;

    (void)state;
    assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, COLUMNS, NULL), EIS_OK);
    worker = new_worker(linear);
    assert_int_equal(eis_split_linear_protect(linear, &query, inputs, BATCH), EIS_OK);
    assert_int_equal(eis_split_query_share(query, &share, &bytes, 0), EIS_ERR_USAGE);
    assert_int_equal(eis_split_query_share(query, &share, &bytes, 3), EIS_ERR_USAGE);
    assert_int_equal(eis_split_query_add(query, 1, answer, sizeof answer), EIS_ERR_PROTOCOL);
    ask(query, worker, 1);
    memset(y, 0x7f, sizeof y);
    assert_int_equal(eis_split_query_recover(query, y), EIS_ERR_USAGE); /* one of two is no answer, and shows nothing */
    for (size_t i = 0; i < BATCH * ROWS; i++) assert_true(y[i] == 0);
    assert_int_equal(eis_split_query_add(query, 1, answer, 0), EIS_ERR_USAGE);
    ask(query, worker, 2);
    assert_int_equal(eis_split_query_recover(query, y), EIS_OK);
    check_product(y, 90 / 0x1p23);
    eis_split_query_free(query);
    eis_split_worker_free(worker);
    eis_split_linear_free(linear);
}

/* A spare answer that lies is found, since more points than the threshold must lie on one polynomial. */
static void a_lie_among_spares_is_found(void **state)
{
    eis_split_linear *linear;
    eis_split_query *query;
    eis_split_worker *worker;
    const uint8_t *share, *answer;
    uint8_t changed[BATCH * ROWS * 8];
    double y[BATCH * ROWS];
    size_t share_bytes, bytes;

    (void)state;
    assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, COLUMNS, &(eis_split_linear_options){.threshold = 2}),
                     EIS_OK);
    worker = new_worker(linear);
    assert_int_equal(eis_split_linear_protect(linear, &query, inputs, BATCH), EIS_OK);
    ask(query, worker, 1);
    ask(query, worker, 2);
    assert_int_equal(eis_split_query_share(query, &share, &share_bytes, 3), EIS_OK);
    assert_int_equal(eis_split_worker_eval(worker, &answer, &bytes, share, share_bytes), EIS_OK);
    assert_true(bytes <= sizeof changed);
    memcpy(changed, answer, bytes);
    changed[0] ^= 1;
    assert_int_equal(eis_split_query_add(query, 3, changed, bytes), EIS_OK);
    assert_int_equal(eis_split_query_recover(query, y), EIS_ERR_INTEGRITY);
    eis_split_query_free(query);
    eis_split_worker_free(worker);
    eis_split_linear_free(linear);
}

static void bad_input_is_refused(void **state)
{
    eis_split_linear *linear = NULL;
    eis_split_query *query;
    eis_split_worker *worker, *broken;
    const uint8_t *pack, *answer;
    uint8_t *copy, share[8 + COLUMNS * 7 * BATCH] = {0};
    double x[COLUMNS] = {0};
    float infinite[2] = {1, INFINITY};
    size_t bytes, answer_bytes;

    (void)state;
    assert_int_equal(eis_split_linear_new(&linear, weights, 0, COLUMNS, NULL), EIS_ERR_SHAPE);
    assert_null(linear);
    assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, 0, NULL), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_linear_new(&linear, weights, SIZE_MAX, 2, NULL), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_linear_new(&linear, infinite, 1, 2, NULL), EIS_ERR_MODEL);
    for (size_t i = 0; i < 5; i++) {
        static const eis_split_linear_options refused[] = {{.servers = 1},
                                                           {.servers = 65},
                                                           {.profile = "p9"},
                                                           {.profile = "p24", .threshold = 2},
                                                           {.servers = 2, .threshold = 3}};
        assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, COLUMNS, &refused[i]), EIS_ERR_USAGE);
        assert_null(linear);
    }
    assert_int_equal(eis_split_linear_new(&linear, weights, ROWS, COLUMNS, NULL), EIS_OK);
    assert_int_equal(eis_split_linear_protect(linear, &query, x, 0), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_linear_protect(linear, &query, x, (size_t)1 << 40), EIS_ERR_SHAPE);
    x[3] = NAN;
    assert_int_equal(eis_split_linear_protect(linear, &query, x, 1), EIS_ERR_RANGE);
    assert_null(query);

    /* every byte of a pack is under its digest, or under a check of its own */
    eis_split_linear_pack(linear, &pack, &bytes);
    assert_int_not_equal(eis_split_worker_new(&broken, pack, 0), EIS_OK);
    assert_int_not_equal(eis_split_worker_new(&broken, pack, bytes - 1), EIS_OK);
    copy = eis_mem_new(bytes, 1);
    assert_non_null(copy);
    for (size_t at = 0; at < bytes; at += 509) {
        memcpy(copy, pack, bytes);
        copy[at] ^= 0x10;
        assert_int_not_equal(eis_split_worker_new(&broken, copy, bytes), EIS_OK);
        assert_null(broken);
    }
    eis_mem_free(copy);

    /* shares that are none: every length, then a suite and batches that there are not */
    worker = new_worker(linear);
    for (size_t length = 0; length < 8; length++)
        assert_int_equal(eis_split_worker_eval(worker, &answer, &answer_bytes, share, length), EIS_ERR_PROTOCOL);
    for (size_t length = 8; length < sizeof share; length++)
        assert_int_not_equal(eis_split_worker_eval(worker, &answer, &answer_bytes, share, length),
                             EIS_OK); /* batch 0 */
    share[4] = 1;
    share[0] = 77;
    assert_int_not_equal(eis_split_worker_eval(worker, &answer, &answer_bytes, share, 40), EIS_OK);
    memset(share, 0xff, 8);
    assert_int_not_equal(eis_split_worker_eval(worker, &answer, &answer_bytes, share, sizeof share), EIS_OK);
    assert_null(answer);
    eis_split_worker_free(worker);
    eis_split_linear_free(linear);
    eis_split_linear_free(NULL);
    eis_split_worker_free(NULL);
    eis_split_query_free(NULL);
}

static eis_status whole_round(void)
{
    eis_split_linear *linear = NULL;
    eis_split_query *query = NULL;
    eis_split_worker *worker = NULL;
    const uint8_t *pack, *share, *answer;
    size_t bytes, answer_bytes;
    double y[BATCH * ROWS];
    eis_status st = eis_split_linear_new(&linear, weights, ROWS, COLUMNS, NULL);

    if (st == EIS_OK) {
        eis_split_linear_pack(linear, &pack, &bytes);
        st = eis_split_worker_new(&worker, pack, bytes);
    }
    if (st == EIS_OK) st = eis_split_linear_protect(linear, &query, inputs, BATCH);
    for (size_t s = 1; st == EIS_OK && s <= 2; s++) {
        st = eis_split_query_share(query, &share, &bytes, s);
        if (st == EIS_OK) st = eis_split_worker_eval(worker, &answer, &answer_bytes, share, bytes);
        if (st == EIS_OK) st = eis_split_query_add(query, s, answer, answer_bytes);
    }
    if (st == EIS_OK) st = eis_split_query_recover(query, y);
    eis_split_query_free(query);
    eis_split_worker_free(worker);
    eis_split_linear_free(linear);
    return st;
}

/* Whichever allocation fails, the caller gets a status and nothing leaks (the leak checker looks on). */
static void every_allocation_may_fail(void **state)
{
    eis_status st = EIS_ERR_MEMORY;
    unsigned long n;

    (void)state;
    for (n = 1; st != EIS_OK && n < 1000; n++) {
        (void)eis_mem_fail_at(n);
        st = whole_round();
        (void)eis_mem_fail_at(0);
        assert_true(st == EIS_OK || st == EIS_ERR_MEMORY);
    }
    assert_int_equal(st, EIS_OK);
    assert_true(n > 5);
}

static void version_and_kernels(void **state)
{
    (void)state;
    assert_string_equal(eis_version(), EIS_VERSION_TEXT);
    assert_int_equal(eis_use_kernels("no such level"), EIS_ERR_USAGE);
    assert_int_equal(eis_use_kernels("generic"), EIS_OK);
    assert_int_equal(eis_use_kernels(NULL), EIS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_multiplies),    cmocka_unit_test(answers_are_counted_once),
        cmocka_unit_test(a_lie_among_spares_is_found), cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(every_allocation_may_fail),   cmocka_unit_test(version_and_kernels),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
