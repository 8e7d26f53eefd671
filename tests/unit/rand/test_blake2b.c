/* SPDX-License-Identifier: Apache-2.0 */
/* If BLAKE2b differed, no context of ours would be known by SEAL: the vector of RFC 7693, libcrypto on every length up
 * to three blocks, with and without key, and the published parms_ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/bytes.h"
#include "rand/blake2b.h"

#define LONGEST 400

static void hex(char *text, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
}

/* RFC 7693, appendix A. */
static void abc(void **state)
{
    uint8_t digest[64];
    char text[129];

    (void)state;
    eis_blake2b(digest, 64, "abc", 3);
    hex(text, digest, 64);
    assert_string_equal(text, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                              "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

static void unkeyed_as_libcrypto(void **state)
{
    uint8_t message[LONGEST], ours[64], theirs[64];

    (void)state;
    for (size_t i = 0; i < LONGEST; i++) message[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= LONGEST; n++) {
        assert_int_equal(EVP_Digest(message, n, theirs, NULL, EVP_blake2b512(), NULL), 1);
        eis_blake2b(ours, 64, message, n);
        assert_memory_equal(ours, theirs, 64);
    }
}

static void libcrypto_mac(uint8_t *digest, size_t digest_bytes, const uint8_t *key, size_t key_bytes,
                          const uint8_t *message, size_t n)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2BMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &digest_bytes),
                            OSSL_PARAM_construct_end()};
    size_t written;

    assert_non_null(ctx);
    assert_int_equal(EVP_MAC_init(ctx, key, key_bytes, params), 1);
    assert_int_equal(EVP_MAC_update(ctx, message, n), 1);
    assert_int_equal(EVP_MAC_final(ctx, digest, &written, digest_bytes), 1);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
}

static void keyed_as_libcrypto(void **state)
{
    uint8_t message[LONGEST], key[64], ours[64], theirs[64];

    (void)state;
    for (size_t i = 0; i < LONGEST; i++) message[i] = (uint8_t)(i * 11 + 3);
    for (size_t i = 0; i < 64; i++) key[i] = (uint8_t)(200 - i);
    for (size_t n = 0; n <= LONGEST; n += n < 260 ? 1 : 17) {
        const size_t digest_bytes = n % 64 + 1, key_bytes = (n * 5) % 64 + 1;

        libcrypto_mac(theirs, digest_bytes, key, key_bytes, message, n);
        eis_blake2b_hash(
            ours,
            &(eis_blake2b_parameters){
                .digest_bytes = (uint8_t)digest_bytes, .key_bytes = (uint8_t)key_bytes, .fanout = 1, .depth = 1},
            key, message, n);
        assert_memory_equal(ours, theirs, digest_bytes);
    }
}

/* Scheme 2, n, the primes of the level, 0: the digests of P0 from the wire reference. */
static void published_parms_ids(void **state)
{
    static const char *const ids[] = {"7614ee5cda3ff32ab3769decd18ea7e14d7cba11e9de2aed1a5b05f9f449f994",
                                      "56d1815a694f26dc10b4200fc1650489452793bcf8863df04ca4d4179eb0672e",
                                      "0f8bbf7d4509a0123c2bc9d4f3d564630c448ed8cc41a8965894081870675512",
                                      "e2a8dd3f1586dacfac02a4591f26b3ba536e0b1f60e28faef57f030eab08c5dd"};
    const uint64_t primes[] = {1152921504606748673, 1099510890497, 1099511480321, 1152921504606830593};

    (void)state;
    for (size_t left = 1; left <= 4; left++) {
        uint8_t message[8 * 7] = {2}, digest[32];
        char text[65];

        eis_store_le64(message + 8, 8192);
        for (size_t i = 0; i < left; i++) eis_store_le64(message + 16 + 8 * i, primes[i]);
        eis_blake2b(digest, 32, message, 8 * (left + 3));
        hex(text, digest, 32);
        assert_string_equal(text, ids[left - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abc),
        cmocka_unit_test(unkeyed_as_libcrypto),
        cmocka_unit_test(keyed_as_libcrypto),
        cmocka_unit_test(published_parms_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
