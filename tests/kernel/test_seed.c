/* SPDX-License-Identifier: Apache-2.0 */
/* If a level expanded a seed to other bytes, half of every seeded ciphertext would be garbage on that kind of machine:
 * plain C against libcrypto and against BLAKE2b as hashes are made, then every level against plain C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"
#include "rand/blake2b.h"

#define BLOCKS 19 /* two full groups of eight lanes, and three */
#define GUARD  64

static void make_seed(uint8_t seed[EIS_SEED_BYTES], uint64_t number)
{
    for (size_t i = 0; i < EIS_SEED_BYTES; i++) seed[i] = (uint8_t)rng_next(&number);
}

static void libcrypto_block(uint8_t *out, const uint8_t *seed, uint64_t counter)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t tail[8];

    assert_non_null(ctx);
    eis_store_le64(tail, counter);
    assert_int_equal(EVP_DigestInit_ex(ctx, EVP_shake256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, seed, EIS_SEED_BYTES), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, tail, sizeof tail), 1);
    assert_int_equal(EVP_DigestFinalXOF(ctx, out, EIS_SEED_BLOCK_BYTES), 1);
    EVP_MD_CTX_free(ctx);
}

/* The root and the 64 leaves as hashes with their parameter blocks. */
static void hashed_block(uint8_t *out, const uint8_t *seed, uint64_t counter)
{
    const eis_blake2b_parameters root = {
        .digest_bytes = 64, .key_bytes = 64, .fanout = 1, .depth = 1, .xof_bytes = EIS_SEED_BLOCK_BYTES};
    eis_blake2b_parameters leaf = {
        .digest_bytes = 64, .leaf_bytes = 64, .xof_bytes = EIS_SEED_BLOCK_BYTES, .inner_bytes = 64};
    uint8_t message[8], digest[64];

    eis_store_le64(message, counter);
    eis_blake2b_hash(digest, &root, seed, message, sizeof message);
    for (; leaf.node_offset < 64; leaf.node_offset++) {
        eis_blake2b_hash(out + (size_t)64 * leaf.node_offset, &leaf, NULL, digest, sizeof digest);
    }
}

static const uint64_t counters[] = {0, 1, 77, UINT64_C(1) << 32, UINT64_MAX - 4};
#define COUNTERS (sizeof counters / sizeof counters[0])

static void plain_c_is_the_published_hash(void **state)
{
    const eis_seed_kernels *k = &eis_kernels_level(0)->seed;
    uint8_t seed[EIS_SEED_BYTES], expected[EIS_SEED_BLOCK_BYTES], got[2 * EIS_SEED_BLOCK_BYTES];

    (void)state;
    for (size_t c = 0; c < COUNTERS; c++) {
        make_seed(seed, c);
        k->shake256(got, seed, counters[c], 2);
        libcrypto_block(expected, seed, counters[c]);
        assert_memory_equal(got, expected, sizeof expected);
        libcrypto_block(expected, seed, counters[c] + 1);
        assert_memory_equal(got + sizeof expected, expected, sizeof expected);
        k->blake2xb(got, seed, counters[c], 2);
        hashed_block(expected, seed, counters[c]);
        assert_memory_equal(got, expected, sizeof expected);
        hashed_block(expected, seed, counters[c] + 1);
        assert_memory_equal(got + sizeof expected, expected, sizeof expected);
    }
}

typedef void (*expansion)(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);

static void compare(expansion plain, expansion run, const char *level)
{
    const size_t bytes = BLOCKS * (size_t)EIS_SEED_BLOCK_BYTES;
    uint8_t *expected = eis_mem_new(bytes, 1), *got = eis_mem_new(bytes + 1 + GUARD, 1), seed[EIS_SEED_BYTES];

    assert_true(expected != NULL && got != NULL);
    for (size_t c = 0; c < COUNTERS; c++) {
        make_seed(seed, c + 10);
        plain(expected, seed, counters[c], BLOCKS);
        for (size_t blocks = 0; blocks <= BLOCKS; blocks++) {
            const size_t written = blocks * EIS_SEED_BLOCK_BYTES;
            uint8_t *at = got + (blocks & 1);

            memset(got, 0xa5, bytes + 1 + GUARD);
            run(at, seed, counters[c], blocks);
            if (memcmp(at, expected, written) != 0) fail_msg("%s: %zu blocks differ", level, blocks);
            for (size_t i = 0; i < GUARD; i++) assert_int_equal(at[written + i], 0xa5);
        }
    }
    eis_mem_free(expected);
    eis_mem_free(got);
}

static void every_level_as_plain_c(void **state)
{
    const eis_seed_kernels *plain = &eis_kernels_level(0)->seed;

    (void)state;
    for (size_t i = 1; i < eis_kernels_level_count(); i++) {
        const eis_kernels *k = eis_kernels_level(i);

        compare(plain->shake256, k->seed.shake256, k->name);
        compare(plain->blake2xb, k->seed.blake2xb, k->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_is_the_published_hash),
        cmocka_unit_test(every_level_as_plain_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
