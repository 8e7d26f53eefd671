/* SPDX-License-Identifier: Apache-2.0 */
/* If a suite's stream differed from the standard cipher by one bit, client and server would expand one seed to two
 * shares, and every answer would be noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "base/bytes.h"
#include "kernel/kernel.h"
#include "rand/entropy.h"
#include "rand/prg.h"

#define STREAM_BYTES 100000

static uint8_t stream[STREAM_BYTES], again[STREAM_BYTES], oracle[STREAM_BYTES];

static void from_hex(uint8_t *out, const char *hex)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

/* NIST SP 800-38A, F.5.1 and F.5.5 give ciphertext for a plaintext; the stream is their difference. */
static const char nist_plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                                 "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

static void check_nist(unsigned suite, const char *key_hex, const char *cipher_hex)
{
    uint8_t seed[EIS_SEED_BYTES_MAX], plain[64], cipher[64];
    size_t key_bytes = strlen(key_hex) / 2;
    eis_prg prg = {0};

    from_hex(seed, key_hex);
    from_hex(seed + key_bytes, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    from_hex(plain, nist_plain);
    from_hex(cipher, cipher_hex);
    assert_int_equal(eis_prg_start(&prg, suite, seed, key_bytes + 16), EIS_OK);
    assert_int_equal(eis_prg_read(&prg, stream, 64), EIS_OK);
    for (size_t i = 0; i < 64; i++) assert_int_equal(stream[i] ^ plain[i], cipher[i]);
    eis_prg_clear(&prg);
}

static void aes_128_is_nist_ctr(void **state)
{
    (void)state;
    check_nist(EIS_SUITE_AES128, "2b7e151628aed2a6abf7158809cf4f3c",
               "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
               "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee");
}

static void aes_256_is_nist_ctr(void **state)
{
    (void)state;
    check_nist(EIS_SUITE_AES256, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
               "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
               "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6");
}

/* RFC 8439, appendix A.1: test vector 1 (zero key, counter 0), 2 (counter 1: the next block). Further keys and blocks
 * run against a plain block function below. */
static void chacha_is_rfc_8439(void **state)
{
    uint8_t seed[32] = {0}, want[128];
    eis_prg prg = {0};

    (void)state;
    from_hex(want, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                   "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
                   "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                   "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_CHACHA20, seed, 32), EIS_OK);
    assert_int_equal(eis_prg_read(&prg, stream, 128), EIS_OK);
    assert_memory_equal(stream, want, 128);
    eis_prg_clear(&prg);
}

/* ChaCha20 written down from RFC 8439, section 2.3, nonce zero. */
static void quarter(uint32_t *s, int a, int b, int c, int d)
{
    static const int turn[4] = {16, 12, 8, 7};
    int at[4][3] = {{a, b, d}, {c, d, b}, {a, b, d}, {c, d, b}};

    for (int i = 0; i < 4; i++) {
        s[at[i][0]] += s[at[i][1]];
        s[at[i][2]] ^= s[at[i][0]];
        s[at[i][2]] = s[at[i][2]] << turn[i] | s[at[i][2]] >> (32 - turn[i]);
    }
}

static void chacha_block(uint8_t out[64], const uint8_t key[32], uint32_t counter)
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, s[16];

    for (int i = 0; i < 8; i++) start[4 + i] = eis_load_le32(key + 4 * i);
    start[12] = counter;
    memcpy(s, start, sizeof s);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++) quarter(s, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++) quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (int i = 0; i < 16; i++) eis_store_le32(out + 4 * i, s[i] + start[i]);
}

static void chacha_blocks_follow_each_other(void **state)
{
    uint8_t seed[32], block[64];
    eis_prg prg = {0};

    (void)state;
    for (size_t i = 0; i < 32; i++) seed[i] = (uint8_t)(7 * i + 3);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_CHACHA20, seed, 32), EIS_OK);
    assert_int_equal(eis_prg_read(&prg, stream, STREAM_BYTES), EIS_OK);
    for (uint32_t b = 0; b < STREAM_BYTES / 64; b++) {
        chacha_block(block, seed, b);
        assert_memory_equal(stream + 64 * b, block, 64);
    }
    eis_prg_clear(&prg);
}

/* CTR from the block cipher alone: the counter is one 128-bit big-endian number that carries byte by byte. */
static void ctr_from_ecb(uint8_t *out, size_t bytes, const uint8_t *key, size_t key_bytes, const uint8_t first[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t counter[16], block[32];
    int written;

    memcpy(counter, first, 16);
    assert_int_equal(EVP_EncryptInit_ex(ctx, key_bytes == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), NULL, key, NULL),
                     1);
    for (size_t done = 0; done < bytes; done += 16) {
        assert_int_equal(EVP_EncryptUpdate(ctx, block, &written, counter, 16), 1);
        memcpy(out + done, block, bytes - done < 16 ? bytes - done : 16);
        for (int i = 15; i >= 0 && ++counter[i] == 0; i--) continue;
    }
    EVP_CIPHER_CTX_free(ctx);
}

static void counters_carry_through_all_bits(void **state)
{
    static const size_t ff_bytes[] = {4, 8, 12, 15, 16};

    (void)state;
    for (unsigned suite = EIS_SUITE_AES128; suite <= EIS_SUITE_AES256; suite++) {
        size_t seed_bytes = eis_suite_seed_bytes(suite), key_bytes = seed_bytes - 16;
        eis_prg prg = {0};

        for (size_t c = 0; c < sizeof ff_bytes / sizeof ff_bytes[0]; c++) {
            for (unsigned before = 0; before < 40; before += 3) { /* the carry comes 0 .. 39 blocks into the stream */
                uint8_t seed[EIS_SEED_BYTES_MAX];

                for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)(31 * i + suite);
                memset(seed + seed_bytes - ff_bytes[c], 0xff, ff_bytes[c]);
                seed[seed_bytes - 1] = (uint8_t)(255 - before);
                assert_int_equal(eis_prg_start(&prg, suite, seed, seed_bytes), EIS_OK);
                assert_int_equal(eis_prg_read(&prg, stream, 1000), EIS_OK);
                ctr_from_ecb(oracle, 1000, seed, key_bytes, seed + key_bytes);
                assert_memory_equal(stream, oracle, 1000);
            }
        }
        eis_prg_clear(&prg);
    }
}

static void cutting_reads_does_not_change_the_stream(void **state)
{
    static const size_t cuts[] = {1, 3, 16, 63, 64, 65, 8, 1000, 16383, 16385, 40000};
    uint8_t seed[EIS_SEED_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)(i * i + 1);
    for (unsigned suite = 1; suite < EIS_SUITE_COUNT; suite++) {
        eis_prg prg = {0};
        size_t at = 0;

        assert_int_equal(eis_prg_start(&prg, suite, seed, eis_suite_seed_bytes(suite)), EIS_OK);
        assert_int_equal(eis_prg_read(&prg, stream, STREAM_BYTES), EIS_OK);
        assert_int_equal(eis_prg_start(&prg, suite, seed, eis_suite_seed_bytes(suite)), EIS_OK);
        for (size_t c = 0; c < sizeof cuts / sizeof cuts[0]; at += cuts[c++])
            assert_int_equal(eis_prg_read(&prg, again + at, cuts[c]), EIS_OK);
        assert_true(at < STREAM_BYTES);
        assert_memory_equal(stream, again, at);
        eis_prg_clear(&prg);
    }
}

/* A party that reads its words piece by piece would draw others than the dealer, where a place in the stream moved. */
static void every_byte_can_be_gone_to(void **state)
{
    static const uint64_t places[] = {0, 1, 15, 16, 17, 31, 32, 4095, 4096, 4111, 5000};
    static const unsigned kinds[] = {EIS_SUITE_AES128, EIS_SUITE_AES256};
    uint8_t seed[EIS_SEED_BYTES_MAX], whole[6000], piece[300];
    eis_prg prg = {0};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        memset(seed, 0xff, sizeof seed); /* the counter runs over at once */
        seed[0] = 1;
        assert_int_equal(eis_prg_start(&prg, kinds[k], seed, eis_suite_seed_bytes(kinds[k])), EIS_OK);
        assert_int_equal(eis_prg_read(&prg, whole, sizeof whole), EIS_OK);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            assert_int_equal(eis_prg_seek(&prg, places[i]), EIS_OK);
            assert_int_equal(eis_prg_read(&prg, piece, 33), EIS_OK);
            assert_int_equal(eis_prg_read(&prg, piece + 33, sizeof piece - 33), EIS_OK);
            assert_memory_equal(piece, whole + places[i], sizeof piece);
        }
    }
    eis_prg_clear(&prg);
}

static void suites_and_lengths_are_checked(void **state)
{
    uint8_t seed[EIS_SEED_BYTES_MAX] = {0};
    eis_prg prg = {0};

    (void)state;
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_WORDS, seed, 0), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_prg_start(&prg, 4, seed, 32), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_prg_start(&prg, 255, seed, 32), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_AES128, seed, 31), EIS_ERR_PARSE);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_AES128, seed, 48), EIS_ERR_PARSE);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_AES256, seed, 32), EIS_ERR_PARSE);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_CHACHA20, seed, 0), EIS_ERR_PARSE);
    assert_int_equal(prg.suite, 0);
    eis_prg_stop(&prg);
    eis_prg_clear(&prg);
}

static void draws_differ_and_failures_wipe(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0}, zero[32] = {0};

    (void)state;
    (void)eis_entropy_fail_at(3);
    assert_int_equal(eis_entropy_draw(a, 32), EIS_OK);
    assert_int_equal(eis_entropy_draw(b, 32), EIS_OK);
    assert_memory_not_equal(a, b, 32);
    assert_int_equal(eis_entropy_draw(b, 32), EIS_ERR_ENTROPY);
    assert_memory_equal(b, zero, 32);
    assert_int_equal(eis_entropy_draw(b, 32), EIS_OK);
    assert_int_equal(eis_entropy_fail_at(0), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aes_128_is_nist_ctr),
        cmocka_unit_test(aes_256_is_nist_ctr),
        cmocka_unit_test(chacha_is_rfc_8439),
        cmocka_unit_test(chacha_blocks_follow_each_other),
        cmocka_unit_test(counters_carry_through_all_bits),
        cmocka_unit_test(cutting_reads_does_not_change_the_stream),
        cmocka_unit_test(every_byte_can_be_gone_to),
        cmocka_unit_test(suites_and_lengths_are_checked),
        cmocka_unit_test(draws_differ_and_failures_wipe),
    };
    int failed;

    if (eis_kernels_use("generic") != EIS_OK) return 1; /* libcrypto alone */
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (eis_kernels_use(NULL) != EIS_OK) return 1; /* our own AES-128 where the processor has what it takes */
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
