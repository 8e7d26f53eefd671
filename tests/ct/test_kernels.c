/* SPDX-License-Identifier: Apache-2.0 */
/* A branch or an address that depends on a share or on an input would tell a neighbour on the same machine about it.
 * Every entry of every level runs on inputs that valgrind takes for undefined; it reports whatever depends on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/z2k.h"

#define ROWS  50
#define COLS  70
#define BATCH 5
#define WORDS 67

static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52,
                                 EIS_RING_Z56, EIS_RING_F61, EIS_RING_Z64};

/* Weights are public, and all alike here: only the flow counts. */
static void multiply(eis_geometry geometry, eis_ring ring)
{
    eis_packed w;
    uint8_t *panels, *x;
    uint64_t *y = eis_mem_new((size_t)ROWS * BATCH, sizeof *y);
    size_t bytes;

    assert_int_equal(eis_packed_init(&w, geometry, ROWS, COLS, NULL), EIS_OK);
    panels = eis_mem_new(w.bytes, 1);
    bytes = BATCH * eis_ring_input_bytes(&w, ring);
    x = eis_mem_new(bytes, 1);
    assert_non_null(y);
    assert_non_null(panels);
    assert_non_null(x);
    w.panels = panels;
    EIS_SECRET(x, bytes);
    assert_int_equal(eis_ring_matmul(NULL, y, &w, x, BATCH, ring), EIS_OK);
    EIS_PUBLIC(x, bytes);                            /* the test is over */
    EIS_PUBLIC(y, (size_t)ROWS * BATCH * sizeof *y); /* the test is over */
    eis_mem_free(panels);
    eis_mem_free(x);
    eis_mem_free(y);
}

static void products_do_not_look_at_shares(void **state)
{
    (void)state;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        assert_int_equal(eis_kernels_use(eis_kernels_level_name(i)), EIS_OK);
        for (int g = EIS_GEOMETRY_W8; g <= EIS_GEOMETRY_W20; g++) {
            for (size_t r = 0; r < 7; r++) {
                if (eis_ring_fits_geometry(rings[r], (eis_geometry)g)) multiply((eis_geometry)g, rings[r]);
            }
        }
    }
}

static void word_entries(const eis_kernels *k, eis_ring ring)
{
    uint64_t a[WORDS] = {0}, b[WORDS] = {0}, r[WORDS], sum;
    double x[WORDS] = {0}, out[WORDS];
    uint8_t bytes[8 * WORDS + 64] = {0};

    EIS_SECRET(a, sizeof a);
    EIS_SECRET(b, sizeof b);
    EIS_SECRET(x, sizeof x);
    EIS_SECRET(bytes, sizeof bytes);
    k->words_add(r, a, b, WORDS, ring);
    k->words_sub(r, a, b, WORDS, ring);
    sum = k->words_sum(a, WORDS, ring);
    k->words_from_reals(r, x, WORDS, 16.0, ring);
    k->words_to_reals(out, r, NULL, WORDS, 0.5, 0.25, ring);
    k->planes_from_words(bytes, a, WORDS, eis_ring_planes(ring));
    k->words_from_planes(r, bytes, WORDS, eis_ring_planes(ring));
    k->planes_sub_from_words(bytes, a, WORDS, eis_ring_planes(ring));
    k->bytes_from_words52(bytes, a, WORDS);
    k->words52_from_bytes(r, bytes, WORDS);
    sum += k->f61_dot(a, b, WORDS);
    k->f61_axpy(r, a[0], b, WORDS);
    k->f61_matmul(r, a, b, 3, WORDS / 16, 9);
    (void)sum;
}

static void vectors_do_not_look_at_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        for (size_t r = 0; r < 7; r++) word_entries(eis_kernels_level(i), rings[r]);
    }
}

/* Shares and keys are written as text too; whether a text is one is told, its bytes are not. */
static void text_entries(const eis_text_kernels *k)
{
    uint8_t bytes[3 * WORDS] = {0};
    char text[6 * WORDS];
    uint32_t bad;

    memset(text, 'A', sizeof text);
    EIS_SECRET(bytes, sizeof bytes);
    EIS_SECRET(text, sizeof text);
    bad = k->hex_read(bytes, (const uint8_t *)text, sizeof bytes);
    k->hex_write(text, bytes, sizeof bytes);
    k->base64_write(text, bytes, WORDS);
    bad |= k->base64_read(bytes, (const uint8_t *)text, WORDS);
    EIS_PUBLIC(&bad, sizeof bad); /* the test is over */
    assert_int_equal(bad, 0);
}

static void text_does_not_look_at_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < eis_kernels_level_count(); i++) text_entries(&eis_kernels_level(i)->text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_do_not_look_at_shares),
        cmocka_unit_test(vectors_do_not_look_at_words),
        cmocka_unit_test(text_does_not_look_at_bytes),
    };

    printf("levels tested:");
    for (size_t i = 0; i < eis_kernels_level_count(); i++) printf(" %s", eis_kernels_level_name(i));
    printf("\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
