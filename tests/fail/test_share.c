/* SPDX-License-Identifier: Apache-2.0 */
/* If a call that fails half-way left a seed or words behind, a retry could pair them with another input, and the
 * difference of two inputs would be on the wire. Every allocation, ours and libcrypto's, and every draw fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "rand/entropy.h"
#include "share/freivalds.h"
#include "share/shamir.h"
#include "share/split.h"

enum { N = 100, SHARES = 5 };

static uint64_t x[2 * N];

/* libcrypto's allocations, counted: the n-th from now on fails; 0 = none does. */
static unsigned long crypto_made, crypto_fail_at;

static void *crypto_malloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return ++crypto_made == crypto_fail_at ? NULL : malloc(bytes);
}

static void *crypto_realloc(void *ptr, size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    return ++crypto_made == crypto_fail_at ? NULL : realloc(ptr, bytes);
}

static void crypto_free(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    free(ptr);
}

static unsigned long crypto_arm(unsigned long n)
{
    unsigned long made = crypto_made;

    crypto_made = 0;
    crypto_fail_at = n;
    return made;
}

typedef unsigned long (*arm_fn)(unsigned long n);

typedef struct scene {
    eis_prg prg;
    eis_share shares[SHARES];
    eis_freivalds keys;
} scene;

static void scene_clear(scene *s)
{
    for (size_t i = 0; i < SHARES; i++) eis_share_clear(&s->shares[i]);
    eis_freivalds_clear(&s->keys);
    eis_prg_clear(&s->prg);
}

static void assert_wiped(const eis_share *share)
{
    static const uint8_t zero[EIS_SEED_BYTES_MAX];

    assert_int_equal(share->suite, EIS_SUITE_WORDS);
    assert_int_equal(share->index, 0);
    assert_memory_equal(share->seed, zero, sizeof zero);
    for (size_t i = 0; i < share->capacity; i++) assert_int_equal(share->body[i], 0);
}

typedef eis_status (*call_fn)(scene *s);

static eis_status split_planes(scene *s)
{
    eis_vectors shape;

    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z40, EIS_FORM_PLANES, N, 2), EIS_OK);
    return eis_share_split(&s->prg, s->shares, 4, x, &shape, EIS_SUITE_CHACHA20);
}

static eis_status split_field(scene *s)
{
    eis_vectors shape;

    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, N, 2), EIS_OK);
    return eis_share_split(&s->prg, s->shares, 3, x, &shape, EIS_SUITE_AES128);
}

static eis_status split_threshold(scene *s)
{
    eis_vectors shape;

    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, N, 2), EIS_OK);
    return eis_shamir_split(&s->prg, s->shares, 5, 3, x, &shape, EIS_SUITE_AES256);
}

static eis_status make_keys(scene *s)
{
    eis_status st = eis_freivalds_init(&s->keys, &s->prg, 50, 20, 2);

    if (st != EIS_OK) assert_true(s->keys.r == NULL && s->keys.z == NULL && s->keys.limb_sums == NULL);
    return st;
}

static const call_fn calls[] = {split_planes, split_field, split_threshold, make_keys};

static unsigned long arm_memory(unsigned long n) { return eis_mem_fail_at(n); }
static unsigned long arm_entropy(unsigned long n) { return eis_entropy_fail_at(n); }

/* Runs each call with the n-th resource missing, for every n that a call asks for. A call that gets by without it is
 * fine (libcrypto's own caches); one that fails leaves nothing behind and works when it is called again. */
static void every_failure_is_clean(arm_fn arm, eis_status expected)
{
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        unsigned long failures = 0;
        bool reached = true;

        for (unsigned long n = 1; reached; n++) {
            scene s = {0};
            eis_status st;

            (void)arm(n);
            st = calls[c](&s);
            reached = arm(0) >= n;
            assert_true(st == EIS_OK || st == expected || (st == EIS_ERR_INTERNAL && arm == crypto_arm));
            assert_int_equal(s.prg.suite, 0);
            assert_int_equal(ERR_peek_error(), 0);
            if (st != EIS_OK) {
                for (size_t i = 0; i < SHARES; i++) assert_wiped(&s.shares[i]);
                assert_int_equal(calls[c](&s), EIS_OK);
                failures++;
            }
            scene_clear(&s);
            assert_true(n < 1000);
        }
        assert_true(failures >= 1);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    every_failure_is_clean(arm_memory, EIS_ERR_MEMORY);
}

static void entropy_runs_out(void **state)
{
    (void)state;
    every_failure_is_clean(arm_entropy, EIS_ERR_ENTROPY);
}

static void libcrypto_runs_out(void **state)
{
    (void)state;
    every_failure_is_clean(crypto_arm, EIS_ERR_MEMORY);
}

static void masks_run_out(void **state)
{
    eis_vectors shape, single;
    eis_share share = {0}, masks[2] = {0};
    eis_prg prg = {0};

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, N, 2), EIS_OK);
    assert_int_equal(eis_vectors_init(&single, EIS_RING_F61, EIS_FORM_WORDS, N, 1), EIS_OK);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(eis_share_init_seed(&masks[i], &single, i + 1, EIS_SUITE_AES128), EIS_OK);
    assert_int_equal(eis_share_init_words(&share, &shape, 3), EIS_OK);
    assert_int_equal(eis_share_split_masked(&prg, &share, 0, x, masks, 2), EIS_OK);
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_share_split_masked(&prg, &share, 1, x + N, masks, 2), EIS_ERR_MEMORY);
    (void)eis_mem_fail_at(0);
    assert_wiped(&share); /* vector 0 too: a share is sent whole or not at all */
    eis_share_clear(&share);
    for (size_t i = 0; i < 2; i++) eis_share_clear(&masks[i]);
    eis_prg_clear(&prg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libcrypto_runs_out), /* first: ciphers have not been looked up yet */
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(entropy_runs_out),
        cmocka_unit_test(masks_run_out),
    };

    if (eis_kernels_use("generic") != EIS_OK) return 1; /* every suite by libcrypto, whose failures are wanted here */
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1) return 1;
    EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL)); /* libcrypto 3.0 itself dies when its start fails */
    for (size_t i = 0; i < 2 * N; i++) x[i] = i;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
