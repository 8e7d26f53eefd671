/* SPDX-License-Identifier: Apache-2.0 */
/* If one word were cut from the stream in another place than the other side does, shares would not add up to x; if 2^61
 * - 1 were kept, a field word would have two forms and sums of shares would be off by p. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "rand/uniform.h"

#define BYTES 65536

static uint8_t bytes[BYTES];

/* A stream made by hand; fails instead of the read that starts at `fail_from`. */
typedef struct tape {
    size_t at, fail_from;
} tape;

static eis_status read_tape(void *ctx, void *out, size_t count)
{
    tape *t = ctx;

    assert_true(t->at + count <= BYTES);
    if (t->at + count > t->fail_from) return EIS_ERR_INTERNAL;
    memcpy(out, bytes + t->at, count);
    t->at += count;
    return EIS_OK;
}

static void fill_tape(void)
{
    uint64_t s = 88172645463325252u;

    for (size_t i = 0; i < BYTES; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        bytes[i] = (uint8_t)(s >> 24);
    }
}

static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 10, 63, 64, 65, 100, 128, 200};

static void words_are_low_bits_of_8_bytes(void **state)
{
    static const eis_ring rings[] = {EIS_RING_Z52, EIS_RING_F61, EIS_RING_Z64};

    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (size_t r = 0; r < 3; r++) {
            size_t n = lengths[l], batch = 3, stream_stride = (8 * n + 63) / 64 * 64;
            tape t = {0, SIZE_MAX};
            eis_byte_source stream = {read_tape, &t};
            eis_vectors shape;
            uint64_t *out, *single = eis_mem_new(n, 8);

            assert_int_equal(eis_vectors_init(&shape, rings[r], EIS_FORM_WORDS, n, batch), EIS_OK);
            assert_int_equal(shape.cols_padded % 64, 0);
            out = eis_mem_new(eis_vectors_bytes(&shape), 1);
            memset(out, 0xee, eis_vectors_bytes(&shape));
            assert_int_equal(eis_uniform_vectors(out, &shape, &stream), EIS_OK);
            assert_int_equal(t.at, batch * stream_stride);
            for (size_t v = 0; v < batch; v++)
                for (size_t i = 0; i < shape.cols_padded; i++) {
                    uint64_t want = 0;
                    if (i < n) want = eis_load_le64(bytes + v * stream_stride + 8 * i) & eis_ring_mask(rings[r]);
                    assert_int_equal(out[v * shape.cols_padded + i], want);
                }
            t.at = 0;
            assert_int_equal(eis_uniform_words(single, n, rings[r], &stream), EIS_OK);
            assert_int_equal(t.at, stream_stride);
            assert_memory_equal(single, out, 8 * n);
            eis_mem_free(out);
            eis_mem_free(single);
        }
    }
}

static void planes_are_the_stream_itself(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (size_t p = 4; p <= 8; p++) {
            size_t n = lengths[l], batch = 2, stream_stride = ((n + 3) / 4 * 4 * p + 63) / 64 * 64;
            tape t = {0, SIZE_MAX};
            eis_byte_source stream = {read_tape, &t};
            eis_vectors shape;
            uint8_t *out;

            assert_int_equal(eis_vectors_init(&shape, (eis_ring)(8 * p), EIS_FORM_PLANES, n, batch), EIS_OK);
            assert_int_equal(eis_vectors_stream_stride(&shape), stream_stride);
            out = eis_mem_new(eis_vectors_bytes(&shape), 1);
            memset(out, 0xee, eis_vectors_bytes(&shape));
            assert_int_equal(eis_uniform_vectors(out, &shape, &stream), EIS_OK);
            assert_int_equal(t.at, batch * stream_stride);
            for (size_t v = 0; v < batch; v++)
                for (size_t j = 0; j < shape.cols_padded; j++)
                    for (size_t q = 0; q < p; q++) {
                        size_t at = (j / 4 * p + q) * 4 + j % 4;
                        int want = j < n ? bytes[v * stream_stride + at] : 0;
                        assert_int_equal(out[v * shape.cols_padded * p + at], want);
                    }
            eis_mem_free(out);
        }
    }
}

/* Vectors of 10 (128 bytes of stream, the last 48 unused) with p at chosen places, upper bits set or not. */
static void p_gives_way_to_words_behind_the_bulk(void **state)
{
    size_t n = 10, stride = 128, batch = 3, bulk = stride * batch;
    tape t = {0, SIZE_MAX};
    eis_byte_source stream = {read_tape, &t};
    eis_vectors shape;
    uint64_t *out;

    (void)state;
    fill_tape();
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, n, batch), EIS_OK);
    out = eis_mem_new(eis_vectors_bytes(&shape), 1);
    eis_store_le64(bytes + 2 * stride + 8 * 9, UINT64_MAX);             /* vector 2, last word */
    eis_store_le64(bytes + 0 * stride + 8 * 4, EIS_F61_P);              /* vector 0 */
    eis_store_le64(bytes + 0 * stride + 8 * 7, EIS_F61_P | 5ull << 61); /* vector 0 again */
    eis_store_le64(bytes + 1 * stride + 8 * 12, EIS_F61_P);             /* behind n: not looked at */
    eis_store_le64(bytes + bulk, 111);
    eis_store_le64(bytes + bulk + 8, EIS_F61_P); /* a replacement that is p is skipped */
    eis_store_le64(bytes + bulk + 16, EIS_F61_P | 1ull << 63);
    eis_store_le64(bytes + bulk + 24, 222 | 7ull << 61);
    eis_store_le64(bytes + bulk + 32, EIS_F61_P - 1);
    assert_int_equal(eis_uniform_vectors(out, &shape, &stream), EIS_OK);
    assert_int_equal(t.at, bulk + 40);
    for (size_t v = 0; v < batch; v++)
        for (size_t i = 0; i < shape.cols_padded; i++) {
            uint64_t want = i < n ? eis_load_le64(bytes + v * stride + 8 * i) & EIS_F61_P : 0;
            if (v == 0 && i == 4) want = 111;
            if (v == 0 && i == 7) want = 222;
            if (v == 2 && i == 9) want = EIS_F61_P - 1;
            assert_int_equal(out[v * shape.cols_padded + i], want);
        }
    eis_mem_free(out);
}

static void a_failing_stream_leaves_nothing(void **state)
{
    eis_vectors shape;
    uint64_t *out, single[20];

    (void)state;
    fill_tape();
    eis_store_le64(bytes + 8, EIS_F61_P);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, 20, 2), EIS_OK);
    out = eis_mem_new(eis_vectors_bytes(&shape), 1);
    for (size_t fail_from = 0; fail_from <= 2 * 192 + 7; fail_from += 13) {
        tape t = {0, fail_from};
        eis_byte_source stream = {read_tape, &t};

        memset(out, 0xee, eis_vectors_bytes(&shape));
        assert_int_equal(eis_uniform_vectors(out, &shape, &stream), EIS_ERR_INTERNAL);
        for (size_t i = 0; i < eis_vectors_bytes(&shape) / 8; i++) assert_int_equal(out[i], 0);
        if (fail_from > 190) continue;
        t.at = 0;
        memset(single, 0xee, sizeof single);
        assert_int_equal(eis_uniform_words(single, 20, EIS_RING_F61, &stream), EIS_ERR_INTERNAL);
        for (size_t i = 0; i < 20; i++) assert_int_equal(single[i], 0);
    }
    eis_mem_free(out);
}

static void shapes_are_checked(void **state)
{
    eis_vectors shape = {EIS_RING_Z64, EIS_FORM_WORDS, 77, 0, 0};

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_PLANES, 4, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z52, EIS_FORM_PLANES, 4, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, (eis_ring)33, EIS_FORM_WORDS, 4, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_WORDS, 0, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_WORDS, 4, 0), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_WORDS, EIS_VECTORS_N_MAX + 1, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_WORDS, 4, SIZE_MAX), EIS_ERR_SHAPE);
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_WORDS, 64, SIZE_MAX / 512 + 2), EIS_ERR_SHAPE);
    assert_int_equal(shape.n, 77);
    assert_int_equal(eis_vectors_form(EIS_RING_F61, EIS_GEOMETRY_W8), EIS_FORM_WORDS);
    assert_int_equal(eis_vectors_form(EIS_RING_Z40, EIS_GEOMETRY_W8), EIS_FORM_PLANES);
    assert_int_equal(eis_vectors_form(EIS_RING_Z52, EIS_GEOMETRY_W24), EIS_FORM_WORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_low_bits_of_8_bytes),
        cmocka_unit_test(planes_are_the_stream_itself),
        cmocka_unit_test(p_gives_way_to_words_behind_the_bulk),
        cmocka_unit_test(a_failing_stream_leaves_nothing),
        cmocka_unit_test(shapes_are_checked),
    };
    fill_tape();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
