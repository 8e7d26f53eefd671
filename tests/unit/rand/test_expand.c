/* SPDX-License-Identifier: Apache-2.0 */
/* If a seed stood for another stream, half of every seeded ciphertext would be garbage: the published bytes of both
 * generators, and the same stream however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rand/expand.h"

#define BYTES 20000 /* almost five blocks */

static const uint8_t first[2][32] = {
    {0x17, 0xb9, 0x76, 0x7f, 0x63, 0x95, 0xa7, 0x7a, 0x3d, 0x0f, 0x2f, 0x2b, 0xd2, 0x34, 0xd8, 0xc6,
     0x70, 0x29, 0x18, 0xe8, 0x69, 0x8e, 0x87, 0xa3, 0x3e, 0x7d, 0x5a, 0x5a, 0xd6, 0xd3, 0x7d, 0x67},
    {0x50, 0xa1, 0xcb, 0x96, 0x3b, 0xec, 0x11, 0xdc, 0x06, 0x63, 0x24, 0xb4, 0x16, 0xd0, 0xa1, 0x41,
     0xa8, 0xc2, 0x9d, 0x16, 0x9a, 0xa5, 0xc2, 0xd0, 0x64, 0x04, 0x19, 0xcb, 0x82, 0x0e, 0xb3, 0x8b}};
static const uint8_t second_block[2][16] = {
    {0x55, 0xe6, 0x0a, 0xa1, 0xba, 0x58, 0x50, 0x70, 0x04, 0x1f, 0xe5, 0x6e, 0x25, 0xe0, 0x54, 0x2e},
    {0x4b, 0x5d, 0xc9, 0x93, 0x54, 0x25, 0x41, 0x75, 0x3b, 0x9f, 0x72, 0xe3, 0x91, 0xc0, 0xa7, 0x3a}};

static void seed_of_the_vectors(uint8_t *seed)
{
    for (size_t i = 0; i < EIS_EXPAND_SEED_BYTES; i++) seed[i] = (uint8_t)i;
}

static void published_bytes(void **state)
{
    uint8_t seed[EIS_EXPAND_SEED_BYTES], out[4112];
    eis_expand expand = {0};

    (void)state;
    seed_of_the_vectors(seed);
    for (unsigned generator = 1; generator <= 2; generator++) {
        assert_int_equal(eis_expand_start(&expand, generator, seed), EIS_OK);
        assert_int_equal(eis_expand_read(&expand, out, sizeof out), EIS_OK);
        assert_memory_equal(out, first[generator - 1], 32);
        assert_memory_equal(out + 4096, second_block[generator - 1], 16);
    }
    eis_expand_clear(&expand);
}

static void cuts_do_not_matter(void **state)
{
    const size_t cuts[] = {1, 7, 8, 4095, 4096, 4097, 8192, 64, 0, 13};
    uint8_t seed[EIS_EXPAND_SEED_BYTES], *whole = eis_mem_new(BYTES, 1), *parts = eis_mem_new(BYTES, 1);
    eis_expand expand = {0};

    (void)state;
    assert_true(whole != NULL && parts != NULL);
    seed_of_the_vectors(seed);
    for (unsigned generator = 1; generator <= 2; generator++) {
        assert_int_equal(eis_expand_start(&expand, generator, seed), EIS_OK);
        assert_int_equal(eis_expand_read(&expand, whole, BYTES), EIS_OK);
        for (size_t start = 0; start < 10; start++) {
            assert_int_equal(eis_expand_start(&expand, generator, seed), EIS_OK);
            for (size_t done = 0, c = start; done < BYTES; c++) {
                size_t bytes = cuts[c % 10] < BYTES - done ? cuts[c % 10] : BYTES - done;
                assert_int_equal(eis_expand_read(&expand, parts + done, bytes), EIS_OK);
                done += bytes;
            }
            assert_memory_equal(whole, parts, BYTES);
        }
    }
    eis_expand_clear(&expand);
    eis_mem_free(whole);
    eis_mem_free(parts);
}

/* A block alone is what it is in a row, whatever way blocks are grouped. */
static void every_block_of_a_long_stream_is_its_own(void **state)
{
    enum { BLOCKS = 37 };
    uint8_t seed[EIS_EXPAND_SEED_BYTES], one[EIS_EXPAND_BLOCK_BYTES];
    uint8_t *whole = eis_mem_new(BLOCKS, EIS_EXPAND_BLOCK_BYTES);
    eis_expand expand = {0};

    (void)state;
    assert_non_null(whole);
    seed_of_the_vectors(seed);
    for (unsigned generator = 1; generator <= 2; generator++) {
        assert_int_equal(eis_expand_start(&expand, generator, seed), EIS_OK);
        assert_int_equal(eis_expand_read(&expand, whole, BLOCKS * EIS_EXPAND_BLOCK_BYTES), EIS_OK);
        assert_int_equal(eis_expand_start(&expand, generator, seed), EIS_OK);
        for (size_t b = 0; b < BLOCKS; b++) {
            assert_int_equal(eis_expand_read(&expand, one, sizeof one), EIS_OK);
            assert_memory_equal(whole + b * sizeof one, one, sizeof one);
        }
    }
    eis_expand_clear(&expand);
    eis_mem_free(whole);
}

static void unknown_generators_are_refused(void **state)
{
    uint8_t seed[EIS_EXPAND_SEED_BYTES] = {0};
    eis_expand expand = {0};

    (void)state;
    assert_int_equal(eis_expand_start(&expand, 0, seed), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_expand_start(&expand, 3, seed), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_expand_start(&expand, 256 + 1, seed), EIS_ERR_UNSUPPORTED);
    eis_expand_clear(&expand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_bytes),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(every_block_of_a_long_stream_is_its_own),
        cmocka_unit_test(unknown_generators_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
