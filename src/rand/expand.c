/* SPDX-License-Identifier: Apache-2.0 */
/* Whole blocks go straight to the reader's memory; only the last one is kept for what is read later. */
#include "rand/expand.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "rand/blake2b.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

_Static_assert(EIS_BLAKE2XB_BLOCK_BYTES == EIS_EXPAND_BLOCK_BYTES, "both streams have blocks of the same size");

static _Atomic(EVP_MD *) fetched_shake; /* for the life of the process */

/* Looks SHAKE256 up once; NULL where libcrypto has no memory, and then the next call tries again. */
static const EVP_MD *shake256(void)
{
    EVP_MD *md = atomic_load(&fetched_shake), *expected = NULL;

    if (md != NULL) return md;
    md = EVP_MD_fetch(NULL, "SHAKE256", NULL);
    if (md == NULL || atomic_compare_exchange_strong(&fetched_shake, &expected, md)) return md;
    EVP_MD_free(md); /* another thread was faster */
    return expected;
}

static eis_status shake_block(eis_expand *expand, uint8_t *out, uint64_t counter)
{
    uint8_t tail[8];

    eis_store_le64(tail, counter);
    if (EVP_DigestInit_ex2(expand->hash, NULL, NULL) == 1 &&
        EVP_DigestUpdate(expand->hash, expand->seed, sizeof expand->seed) == 1 &&
        EVP_DigestUpdate(expand->hash, tail, sizeof tail) == 1 &&
        EVP_DigestFinalXOF(expand->hash, out, EIS_EXPAND_BLOCK_BYTES) == 1) {
        return EIS_OK;
    }
    ERR_clear_error(); /* what stays in its queue would be taken for a failure of the next TLS call */
    return eis_fail(EIS_ERR_INTERNAL, "libcrypto cannot run SHAKE256");
}

static eis_status next_block(eis_expand *expand, uint8_t *out)
{
    const uint64_t counter = expand->counter++;

    if (expand->generator == EIS_EXPAND_SHAKE256) return shake_block(expand, out, counter);
    eis_blake2xb_block(out, expand->seed, counter);
    return EIS_OK;
}

/* Makes the context and sets SHAKE256 in it, once. */
static eis_status prepare_shake(eis_expand *expand)
{
    if (expand->hash != NULL) return EIS_OK;
    expand->hash = EVP_MD_CTX_new();
    if (expand->hash != NULL && shake256() != NULL && EVP_DigestInit_ex2(expand->hash, shake256(), NULL) == 1) {
        return EIS_OK;
    }
    EVP_MD_CTX_free(expand->hash);
    expand->hash = NULL;
    ERR_clear_error();
    return eis_fail(EIS_ERR_MEMORY, "libcrypto cannot start SHAKE256");
}

eis_status eis_expand_start(eis_expand *expand, unsigned generator, const uint8_t seed[EIS_EXPAND_SEED_BYTES])
{
    eis_status st = EIS_OK;

    expand->generator = 0;
    EIS_REQUIRE(generator == EIS_EXPAND_BLAKE2XB || generator == EIS_EXPAND_SHAKE256, EIS_ERR_UNSUPPORTED,
                "there is no generator %u; known are 1 (BLAKE2xb) and 2 (SHAKE256)", generator);
    if (generator == EIS_EXPAND_SHAKE256) EIS_TRY(prepare_shake(expand));
    memcpy(expand->seed, seed, sizeof expand->seed);
    expand->generator = generator;
    expand->counter = 0;
    expand->rest_bytes = 0;
out:
    return st;
}

/* Takes what is left of the last block. Returns how much that was. */
static size_t take_rest(eis_expand *expand, uint8_t *out, size_t bytes)
{
    const size_t taken = bytes < expand->rest_bytes ? bytes : expand->rest_bytes;

    memcpy(out, expand->rest + sizeof expand->rest - expand->rest_bytes, taken);
    expand->rest_bytes -= taken;
    return taken;
}

eis_status eis_expand_read(eis_expand *expand, void *out, size_t bytes)
{
    eis_status st = EIS_OK;
    uint8_t *to = out;
    size_t done;

    EIS_ASSERT(expand->generator != 0);
    done = take_rest(expand, to, bytes);
    for (; bytes - done >= EIS_EXPAND_BLOCK_BYTES; done += EIS_EXPAND_BLOCK_BYTES) {
        EIS_TRY(next_block(expand, to + done));
    }
    if (done < bytes) {
        EIS_TRY(next_block(expand, expand->rest));
        expand->rest_bytes = sizeof expand->rest;
        (void)take_rest(expand, to + done, bytes - done);
    }
out:
    if (st != EIS_OK) {
        eis_mem_wipe(out, bytes);
        expand->generator = 0;
    }
    return st;
}

void eis_expand_clear(eis_expand *expand)
{
    EVP_MD_CTX_free(expand->hash);
    memset(expand, 0, sizeof *expand);
}

static eis_status read_expand(void *ctx, void *out, size_t bytes) { return eis_expand_read(ctx, out, bytes); }

eis_byte_source eis_expand_stream(eis_expand *expand)
{
    eis_byte_source stream = {read_expand, expand};
    return stream;
}
