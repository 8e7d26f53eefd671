/* SPDX-License-Identifier: Apache-2.0 */
#include "share/share.h"

#include "base/mem.h"
#include "rand/entropy.h"

#include <string.h>

/* Forgets everything but the memory and what is in it. */
static void forget(eis_share *share)
{
    uint8_t *body = share->body;
    size_t capacity = share->capacity;

    eis_mem_wipe(share, sizeof *share);
    share->body = body;
    share->capacity = capacity;
}

void eis_share_wipe(eis_share *share)
{
    eis_mem_wipe(share->body, share->capacity);
    forget(share);
}

void eis_share_clear(eis_share *share)
{
    eis_mem_free_wiped(share->body, share->capacity, 1);
    eis_mem_wipe(share, sizeof *share);
}

static eis_status reserve(eis_share *share, size_t bytes)
{
    if (share->capacity >= bytes) return EIS_OK;
    eis_share_clear(share);
    share->body = eis_mem_new_secret(bytes, 1);
    if (share->body == NULL) return EIS_ERR_MEMORY;
    share->capacity = bytes;
    return EIS_OK;
}

eis_status eis_share_init_uncleared(eis_share *share, const eis_vectors *shape, uint32_t index)
{
    eis_status st;

    forget(share);
    st = reserve(share, eis_vectors_bytes(shape));
    if (st != EIS_OK) return st;
    share->shape = *shape;
    share->index = index;
    share->suite = EIS_SUITE_WORDS;
    return EIS_OK;
}

eis_status eis_share_init_words(eis_share *share, const eis_vectors *shape, uint32_t index)
{
    eis_mem_wipe(share->body, share->capacity);
    return eis_share_init_uncleared(share, shape, index);
}

eis_status eis_share_init_seed(eis_share *share, const eis_vectors *shape, uint32_t index, unsigned suite)
{
    uint8_t seed[EIS_SEED_BYTES_MAX];
    size_t seed_bytes = eis_suite_seed_bytes(suite);
    eis_status st = EIS_OK;

    eis_share_wipe(share);
    EIS_REQUIRE(seed_bytes != 0, EIS_ERR_UNSUPPORTED, "there is no cipher suite %u", suite);
    EIS_TRY(eis_entropy_draw(seed, seed_bytes));
    EIS_TRY(eis_share_init_given(share, shape, index, suite, seed, seed_bytes));
out:
    eis_mem_wipe(seed, sizeof seed);
    return st;
}

eis_status eis_share_init_given(eis_share *share, const eis_vectors *shape, uint32_t index, unsigned suite,
                                const uint8_t *seed, size_t seed_bytes)
{
    eis_status st = EIS_OK;

    eis_share_wipe(share);
    EIS_REQUIRE(eis_suite_seed_bytes(suite) != 0, EIS_ERR_UNSUPPORTED, "there is no cipher suite %u", suite);
    EIS_REQUIRE(seed_bytes == eis_suite_seed_bytes(suite), EIS_ERR_PARSE,
                "a seed of suite %u has %zu bytes, this one %zu", suite, eis_suite_seed_bytes(suite), seed_bytes);
    share->shape = *shape;
    share->index = index;
    share->suite = suite;
    memcpy(share->seed, seed, seed_bytes);
out:
    return st;
}

uint64_t *eis_share_vector_words(const eis_share *share, size_t v)
{
    EIS_ASSERT(share->suite == EIS_SUITE_WORDS && share->shape.form == EIS_FORM_WORDS && v < share->shape.batch);
    return (uint64_t *)(void *)(share->body + v * eis_vectors_stride(&share->shape));
}

eis_status eis_share_expand(eis_prg *prg, void *vectors, const eis_share *share)
{
    size_t bytes = eis_vectors_bytes(&share->shape);
    eis_byte_source stream = eis_prg_stream(prg);
    eis_status st = EIS_OK;

    if (share->suite == EIS_SUITE_WORDS) {
        memcpy(vectors, share->body, bytes);
        return EIS_OK;
    }
    EIS_TRY(eis_prg_start(prg, share->suite, share->seed, eis_suite_seed_bytes(share->suite)));
    EIS_TRY(eis_uniform_vectors(vectors, &share->shape, &stream));
out:
    eis_prg_stop(prg);
    if (st != EIS_OK) eis_mem_wipe(vectors, bytes);
    return st;
}

void eis_share_words_read(uint64_t *words, const void *vector, const eis_vectors *shape)
{
    if (shape->form == EIS_FORM_PLANES)
        eis_kernels_get()->words_from_planes(words, vector, shape->n, eis_ring_planes(shape->ring));
    else
        memcpy(words, vector, shape->n * 8);
}

void eis_share_words_write(void *vector, const uint64_t *words, const eis_vectors *shape)
{
    if (shape->form == EIS_FORM_PLANES)
        eis_kernels_get()->planes_from_words(vector, words, shape->n, eis_ring_planes(shape->ring));
    else
        memmove(vector, words, shape->n * 8);
    eis_vectors_clear_padding(vector, shape);
}
