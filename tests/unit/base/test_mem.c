/* SPDX-License-Identifier: Apache-2.0 */
/* If a size could overflow here, a hostile file would get a small buffer for a large claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"

static void overflowing_sizes_are_refused(void **state)
{
    (void)state;
    assert_null(eis_mem_new(SIZE_MAX, 2));
    assert_null(eis_mem_new(SIZE_MAX / 2, 2));
    assert_null(eis_mem_new(SIZE_MAX, 1));
    assert_true(eis_error_detail()[0] != '\0');
}

static void blocks_are_zero_aligned_and_kept_on_resize(void **state)
{
    uint32_t *words = eis_mem_new(5, sizeof *words);

    (void)state;
    assert_non_null(words);
    assert_int_equal((uintptr_t)words % 64, 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(words[i], 0);
        words[i] = i + 1;
    }
    assert_int_equal(eis_mem_resize(&words, 5, 50, sizeof *words), EIS_OK);
    for (uint32_t i = 0; i < 50; i++) assert_int_equal(words[i], i < 5 ? i + 1 : 0);
    eis_mem_free_wiped(words, 50, sizeof *words);
}

static void the_chosen_allocation_fails(void **state)
{
    void *first, *second;

    (void)state;
    (void)eis_mem_fail_at(2);
    first = eis_mem_new(1, 1);
    second = eis_mem_new(1, 1);
    assert_non_null(first);
    assert_null(second);
    assert_int_equal(eis_mem_fail_at(0), 2);
    eis_mem_free(first);
}

static void masks_agree_with_plain_comparisons(void **state)
{
    static const uint64_t corner[] = {0,         1, 2, 0x7fffffffffffffffu, 0x8000000000000000u, 0xfffffffffffffffeu,
                                      UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++) {
            assert_true(eis_ct_mask_less(corner[i], corner[j]) == (corner[i] < corner[j] ? UINT64_MAX : 0));
            assert_true(eis_ct_mask_equal(corner[i], corner[j]) == (i == j ? UINT64_MAX : 0));
        }
    assert_int_equal(eis_ct_bytes_equal("abc", "abc", 3), 1);
    assert_int_equal(eis_ct_bytes_equal("abc", "abd", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflowing_sizes_are_refused),
        cmocka_unit_test(blocks_are_zero_aligned_and_kept_on_resize),
        cmocka_unit_test(the_chosen_allocation_fails),
        cmocka_unit_test(masks_agree_with_plain_comparisons),
    };
    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
