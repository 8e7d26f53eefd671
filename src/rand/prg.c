/* SPDX-License-Identifier: Apache-2.0 */
/* Streams by libcrypto's counter modes, and by our kernel for AES-128 where there is one. Ciphers are fetched once for
 * the process, contexts are made once per generator; what remains per seed is the key set-up and, at the end, a reset
 * that wipes the key schedule. */
#include "rand/prg.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

/* Zeros are encrypted in place piece by piece, so that they are still in the first cache. */
#define PIECE_BYTES ((size_t)16384)

#define BLOCK_BYTES 16

typedef struct suite_row {
    const char *name;
    size_t key_bytes, seed_bytes;
} suite_row;

static const suite_row suites[EIS_SUITE_COUNT] = {
    [EIS_SUITE_AES128] = {"AES-128-CTR", 16, 32},
    [EIS_SUITE_AES256] = {"AES-256-CTR", 32, 48},
    [EIS_SUITE_CHACHA20] = {"ChaCha20", 32, 32},
};

static _Atomic(EVP_CIPHER *) fetched[EIS_SUITE_COUNT]; /* for the life of the process */

/* Looks a cipher up once; NULL where libcrypto has none or no memory, and then the next call tries again. */
static const EVP_CIPHER *cipher_of(unsigned suite)
{
    EVP_CIPHER *cipher = atomic_load(&fetched[suite]), *expected = NULL;

    if (cipher != NULL) return cipher;
    cipher = EVP_CIPHER_fetch(NULL, suites[suite].name, NULL);
    if (cipher == NULL || atomic_compare_exchange_strong(&fetched[suite], &expected, cipher)) return cipher;
    EVP_CIPHER_free(cipher); /* another thread was faster */
    return expected;
}

size_t eis_suite_seed_bytes(unsigned suite) { return suite < EIS_SUITE_COUNT ? suites[suite].seed_bytes : 0; }

static eis_status libcrypto_failed(void)
{
    ERR_clear_error(); /* what stays in its queue would be taken for a failure of the next TLS call */
    return eis_fail(EIS_ERR_INTERNAL, "libcrypto cannot run the cipher of a share's stream");
}

static eis_status make_context(eis_prg *prg, unsigned suite)
{
    if (prg->cipher[suite] != NULL) return EIS_OK;
    prg->cipher[suite] = EVP_CIPHER_CTX_new();
    if (prg->cipher[suite] != NULL) return EIS_OK;
    ERR_clear_error();
    return eis_fail(EIS_ERR_MEMORY, "not enough memory for a cipher context");
}

/* The counter block that libcrypto wants: for AES the rest of the seed, for ChaCha20 a counter and a nonce of zeros. */
static void first_counter(uint8_t counter[BLOCK_BYTES], unsigned suite, const uint8_t *seed)
{
    size_t key_bytes = suites[suite].key_bytes, rest = suites[suite].seed_bytes - key_bytes;

    memset(counter, 0, BLOCK_BYTES);
    memcpy(counter, seed + key_bytes, rest);
}

static eis_status start_libcrypto(eis_prg *prg, unsigned suite, const uint8_t *key, const uint8_t *counter)
{
    const EVP_CIPHER *cipher = cipher_of(suite);
    eis_status st = EIS_OK;

    if (cipher == NULL) return libcrypto_failed();
    EIS_TRY(make_context(prg, suite));
    prg->suite = suite;
    if (EVP_EncryptInit_ex2(prg->cipher[suite], cipher, key, counter, NULL) != 1) {
        eis_prg_stop(prg);
        st = libcrypto_failed();
    }
out:
    return st;
}

eis_status eis_prg_start(eis_prg *prg, unsigned suite, const uint8_t *seed, size_t seed_bytes)
{
    uint8_t counter[BLOCK_BYTES];
    eis_status st = EIS_OK;

    eis_prg_stop(prg);
    EIS_REQUIRE(eis_suite_seed_bytes(suite) != 0, EIS_ERR_UNSUPPORTED, "there is no cipher suite %u; known are 1 to %d",
                suite, EIS_SUITE_COUNT - 1);
    EIS_REQUIRE(seed_bytes == suites[suite].seed_bytes, EIS_ERR_PARSE, "a seed of suite %u has %zu bytes, this one %zu",
                suite, suites[suite].seed_bytes, seed_bytes);
    first_counter(counter, suite, seed);
    /* A stream is as good as its key, whoever knows the counter; and both libraries branch where its low bits carry. */
    EIS_PUBLIC(counter, sizeof counter);
    memcpy(prg->first, counter, sizeof counter);
    prg->own = suite == EIS_SUITE_AES128 ? eis_aes128_kernel_get() : NULL;
    if (prg->own != NULL) {
        prg->own->start(&prg->aes, seed, counter);
        prg->suite = suite;
    } else {
        st = start_libcrypto(prg, suite, seed, counter);
    }
    eis_mem_wipe(counter, sizeof counter);
out:
    return st;
}

/* Takes what is left of the last block, whole blocks, and the beginning of one more. */
static void read_own(eis_prg *prg, uint8_t *out, size_t bytes)
{
    size_t left = bytes < prg->rest_bytes ? bytes : prg->rest_bytes, tail;

    memcpy(out, prg->rest + BLOCK_BYTES - prg->rest_bytes, left);
    prg->rest_bytes -= (unsigned)left;
    out += left;
    bytes -= left;
    tail = bytes % BLOCK_BYTES;
    prg->own->stream(&prg->aes, out, bytes / BLOCK_BYTES);
    if (tail == 0) return;
    prg->own->stream(&prg->aes, prg->rest, 1);
    memcpy(out + bytes - tail, prg->rest, tail);
    prg->rest_bytes = (unsigned)(BLOCK_BYTES - tail);
}

static int read_libcrypto(eis_prg *prg, uint8_t *out, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        int written = 0;

        memset(out + done, 0, piece);
        if (EVP_EncryptUpdate(prg->cipher[prg->suite], out + done, &written, out + done, (int)piece) != 1) return 0;
        if (written != (int)piece) return 0;
        done += piece;
    }
    return 1;
}

eis_status eis_prg_read(eis_prg *prg, void *out, size_t bytes)
{
    EIS_ASSERT(prg->suite != 0);
    if (prg->own != NULL) {
        read_own(prg, out, bytes);
        return EIS_OK;
    }
    if (read_libcrypto(prg, out, bytes)) return EIS_OK;
    eis_mem_wipe(out, bytes);
    eis_prg_stop(prg);
    return libcrypto_failed();
}

/* The counter block so many blocks behind the first. */
static void counter_at(uint8_t counter[BLOCK_BYTES], const eis_prg *prg, uint64_t blocks)
{
    uint64_t high = eis_load_be64(prg->first), low = eis_load_be64(prg->first + 8) + blocks;

    eis_store_be64(counter, high + (low < blocks));
    eis_store_be64(counter + 8, low);
}

eis_status eis_prg_seek(eis_prg *prg, uint64_t offset)
{
    eis_status st = EIS_OK;
    uint8_t counter[BLOCK_BYTES], skipped[BLOCK_BYTES];

    EIS_ASSERT(prg->suite == EIS_SUITE_AES128 || prg->suite == EIS_SUITE_AES256);
    counter_at(counter, prg, offset / BLOCK_BYTES);
    if (prg->own != NULL) {
        prg->aes.counter_high = eis_load_be64(counter);
        prg->aes.counter_low = eis_load_be64(counter + 8);
        prg->rest_bytes = 0;
    } else if (EVP_EncryptInit_ex2(prg->cipher[prg->suite], NULL, NULL, counter, NULL) != 1) {
        eis_prg_stop(prg);
        return libcrypto_failed();
    }
    if (offset % BLOCK_BYTES != 0) EIS_TRY(eis_prg_read(prg, skipped, offset % BLOCK_BYTES));
out:
    eis_mem_wipe(skipped, sizeof skipped);
    return st;
}

void eis_prg_stop(eis_prg *prg)
{
    if (prg->suite == 0) return;
    if (prg->own == NULL) (void)EVP_CIPHER_CTX_reset(prg->cipher[prg->suite]); /* clears and frees the key schedule */
    eis_mem_wipe(&prg->aes, sizeof prg->aes);
    eis_mem_wipe(prg->rest, sizeof prg->rest);
    prg->rest_bytes = 0;
    prg->own = NULL;
    prg->suite = 0;
}

void eis_prg_clear(eis_prg *prg)
{
    eis_prg_stop(prg);
    for (unsigned suite = 1; suite < EIS_SUITE_COUNT; suite++) EVP_CIPHER_CTX_free(prg->cipher[suite]);
    memset(prg, 0, sizeof *prg);
}

static eis_status read_prg(void *ctx, void *out, size_t bytes) { return eis_prg_read(ctx, out, bytes); }

eis_byte_source eis_prg_stream(eis_prg *prg)
{
    eis_byte_source stream = {read_prg, prg};
    return stream;
}
