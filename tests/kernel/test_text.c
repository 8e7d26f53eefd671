/* SPDX-License-Identifier: Apache-2.0 */
/* If one level took a character that another refuses, or gave other bytes for it, a digest made on one machine would
 * not hold on the next: every level against tables made here and against libcrypto, every character at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "kernel/kernel.h"
#include "kernel/rng.h"

#define LONGEST 140 /* bytes; past every width several times */
#define GUARD   70

static void fill(uint8_t *bytes, size_t n, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)rng_next(rng);
}

static void guard_is_whole(const uint8_t *at, const char *level, const char *entry, size_t n)
{
    for (size_t i = 0; i < GUARD; i++) {
        if (at[i] != 0xa5) fail_msg("%s %s n=%zu wrote behind its output", level, entry, n);
    }
}

/* ---- Hex -------------------------------------------------------------------------------------------------------- */

static int hex_value(int c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c != 0 ? strchr(digits, c) : NULL;

    if (at == NULL) return -1;
    return at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

static void hex_of_all_lengths(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_kernels *k = eis_kernels_level(level);

        for (size_t n = 0; n <= LONGEST; n++) {
            uint8_t bytes[LONGEST], back[LONGEST + GUARD];
            char text[2 * LONGEST + GUARD], expected[2 * LONGEST + 1];

            fill(bytes, n, &rng);
            memset(text, 0xa5, sizeof text);
            memset(back, 0xa5, sizeof back);
            for (size_t i = 0; i < n; i++) snprintf(expected + 2 * i, 3, "%02x", bytes[i]);
            k->text.hex_write(text, bytes, n);
            assert_memory_equal(text, expected, 2 * n);
            guard_is_whole((const uint8_t *)text + 2 * n, k->name, "hex_write", n);
            for (size_t i = 0; i < 2 * n; i += 3) {
                if (text[i] >= 'a') text[i] = (char)(text[i] - 'a' + 'A');
            }
            assert_int_equal(k->text.hex_read(back, (const uint8_t *)text, n), 0);
            assert_memory_equal(back, bytes, n);
            guard_is_whole(back + n, k->name, "hex_read", n);
        }
    }
}

/* All pairs of characters, at a place that changes with the pair; so also all pairs of bytes, twice as long. */
static void hex_of_all_pairs(void **state)
{
    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_text_kernels *k = &eis_kernels_level(level)->text;

        for (int pair = 0; pair < 65536; pair++) {
            const int high = hex_value(pair >> 8), low = hex_value(pair & 255);
            const size_t at = (size_t)pair * 7 % 70;
            uint8_t bytes[70], given[70];
            char text[140];

            memset(text, '5', sizeof text);
            text[2 * at] = (char)(pair >> 8);
            text[2 * at + 1] = (char)pair;
            if (high >= 0 && low >= 0) {
                assert_int_equal(k->hex_read(bytes, (const uint8_t *)text, 70), 0);
                assert_int_equal(bytes[at], 16 * high + low);
            } else {
                assert_int_not_equal(k->hex_read(bytes, (const uint8_t *)text, 70), 0);
            }
            memset(given, 0, sizeof given);
            given[at] = (uint8_t)(pair >> 8);
            given[(at + 1) % 70] = (uint8_t)pair;
            k->hex_write(text, given, 70);
            assert_int_equal(k->hex_read(bytes, (const uint8_t *)text, 70), 0);
            assert_memory_equal(bytes, given, 70);
        }
    }
}

/* ---- Base64 ----------------------------------------------------------------------------------------------------- */

static void base64_of_all_lengths(void **state)
{
    uint64_t rng = 2;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_kernels *k = eis_kernels_level(level);

        for (size_t groups = 0; groups <= LONGEST / 3; groups++) {
            for (int round = 0; round < 40; round++) {
                uint8_t bytes[LONGEST], back[LONGEST + GUARD], expected[2 * LONGEST];
                char text[2 * LONGEST + GUARD];

                fill(bytes, 3 * groups, &rng);
                memset(text, 0xa5, sizeof text);
                memset(back, 0xa5, sizeof back);
                (void)EVP_EncodeBlock(expected, bytes, (int)(3 * groups));
                k->text.base64_write(text, bytes, groups);
                assert_memory_equal(text, expected, 4 * groups);
                guard_is_whole((const uint8_t *)text + 4 * groups, k->name, "base64_write", groups);
                assert_int_equal(k->text.base64_read(back, (const uint8_t *)text, groups), 0);
                assert_memory_equal(back, bytes, 3 * groups);
                guard_is_whole(back + 3 * groups, k->name, "base64_read", groups);
            }
        }
    }
}

/* All values of 24 bits in the first group of a vector, in steps that reach every digit at every place. */
static void base64_of_all_digits(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_text_kernels *k = &eis_kernels_level(level)->text;

        for (size_t digit = 0; digit < 64; digit++) {
            for (size_t at = 0; at < 80; at++) {
                char text[80], back[80];
                uint8_t bytes[60], expected[60] = {0};

                memset(text, 'A', sizeof text);
                text[at] = alphabet[digit];
                for (size_t bit = 0; bit < 6; bit++) { /* most significant first */
                    const size_t place = 6 * at + bit;
                    if (digit >> (5 - bit) & 1) expected[place / 8] |= (uint8_t)(0x80 >> place % 8);
                }
                assert_int_equal(k->base64_read(bytes, (const uint8_t *)text, 20), 0);
                assert_memory_equal(bytes, expected, sizeof expected);
                k->base64_write(back, bytes, 20);
                assert_memory_equal(back, text, sizeof text);
            }
        }
    }
}

/* ---- Foreign characters ----------------------------------------------------------------------------------------- */

/* Every character at every place of two vectors and a rest. */
static void foreign_characters_are_seen_everywhere(void **state)
{
    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        const eis_text_kernels *k = &eis_kernels_level(level)->text;

        for (int c = 0; c < 256; c++) {
            const int of_base64 =
                (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';

            for (size_t at = 0; at < 172; at++) {
                uint8_t text[172], bytes[172];

                memset(text, 'b', sizeof text);
                text[at] = (uint8_t)c;
                assert_int_equal(k->hex_read(bytes, text, 86) == 0, hex_value(c) >= 0);
                assert_int_equal(k->base64_read(bytes, text, 43) == 0, of_base64);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_of_all_lengths),
        cmocka_unit_test(hex_of_all_pairs),
        cmocka_unit_test(base64_of_all_lengths),
        cmocka_unit_test(base64_of_all_digits),
        cmocka_unit_test(foreign_characters_are_seen_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
