/* SPDX-License-Identifier: Apache-2.0 */
#include "rand/uniform.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/f61_word.h"

#include <string.h>

static bool form_exists(eis_ring ring, eis_form form)
{
    switch (ring) {
    case EIS_RING_Z52:
    case EIS_RING_F61:
        return form == EIS_FORM_WORDS;
    case EIS_RING_Z32:
    case EIS_RING_Z40:
    case EIS_RING_Z48:
    case EIS_RING_Z56:
    case EIS_RING_Z64:
        return form == EIS_FORM_WORDS || form == EIS_FORM_PLANES;
    }
    return false;
}

eis_status eis_vectors_init(eis_vectors *shape, eis_ring ring, eis_form form, size_t n, size_t batch)
{
    eis_vectors made = {ring, form, n, 0, batch};
    size_t bytes = 0;
    eis_status st = EIS_OK;

    EIS_REQUIRE(form_exists(ring, form), EIS_ERR_SHAPE, "no shares of %d bits in this form", (int)ring);
    EIS_REQUIRE(n > 0 && n <= EIS_VECTORS_N_MAX, EIS_ERR_SHAPE, "a vector has 1 to %zu entries, not %zu",
                EIS_VECTORS_N_MAX, n);
    made.cols_padded = eis_round_up(n, EIS_PACKED_COLS_STEP);
    EIS_REQUIRE(batch > 0 && eis_size_mul(&bytes, batch, eis_vectors_stride(&made)) && bytes <= EIS_VECTORS_BYTES_MAX,
                EIS_ERR_SHAPE, "a batch of %zu vectors is empty or too large", batch);
    *shape = made;
out:
    return st;
}

/* Stream bytes are little-endian; a plain load lets compilers take several words at once. */
static uint64_t from_little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* Takes stream bytes as words, in place. Returns a number with bit 61 set where a word of 61 bits is p itself. */
static uint64_t mask_words(uint64_t *words, size_t n, uint64_t mask)
{
    uint64_t above = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t word = from_little_endian(words[i]) & mask;
        words[i] = word;
        above |= word + 1;
    }
    return above;
}

/* Reads words behind the bulk until one is below p. */
static eis_status read_replacement(uint64_t *word, const eis_byte_source *stream)
{
    uint8_t bytes[8];
    eis_status st = EIS_OK;

    do {
        EIS_TRY(stream->read(stream->ctx, bytes, sizeof bytes));
        *word = eis_load_le64(bytes) & EIS_F61_P;
    } while (*word == EIS_F61_P);
out:
    eis_mem_wipe(bytes, sizeof bytes);
    return st;
}

/* Once in 2^61 words: each p gives way to the next word behind the bulk. */
static eis_status replace_p(uint64_t *words, size_t n, const eis_byte_source *stream)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < n; i++)
        if (words[i] == EIS_F61_P) EIS_TRY(read_replacement(&words[i], stream));
out:
    return st;
}

void eis_vectors_clear_padding(uint8_t *vector, const eis_vectors *shape)
{
    size_t used = eis_vectors_used(shape), planes = eis_ring_planes(shape->ring);

    memset(vector + used, 0, eis_vectors_stride(shape) - used);
    if (shape->form == EIS_FORM_WORDS || shape->n % 4 == 0) return;
    for (size_t q = 0; q < planes; q++) /* the last group of 4 columns has columns behind n */
        memset(vector + used - 4 * planes + 4 * q + shape->n % 4, 0, 4 - shape->n % 4);
}

eis_status eis_uniform_vectors(void *out, const eis_vectors *shape, const eis_byte_source *stream)
{
    size_t stride = eis_vectors_stride(shape), taken = eis_vectors_stream_stride(shape);
    uint8_t *vector = out;
    uint64_t above = 0;
    eis_status st = EIS_OK;

    for (size_t v = 0; v < shape->batch; v++, vector += stride) {
        EIS_TRY(stream->read(stream->ctx, vector, taken));
        if (shape->form == EIS_FORM_WORDS)
            above |= mask_words((uint64_t *)(void *)vector, shape->n, eis_ring_mask(shape->ring));
        eis_vectors_clear_padding(vector, shape);
    }
    /* words that are p are thrown away: that there were some tells nothing of the rest */
    EIS_PUBLIC(&above, sizeof above);
    if (shape->ring != EIS_RING_F61 || (above >> EIS_F61_BITS) == 0) goto out;
    vector = out;
    for (size_t v = 0; v < shape->batch; v++, vector += stride)
        EIS_TRY(replace_p((uint64_t *)(void *)vector, shape->n, stream));
out:
    if (st != EIS_OK) eis_mem_wipe(out, eis_vectors_bytes(shape));
    return st;
}

eis_status eis_uniform_words(uint64_t *out, size_t n, eis_ring ring, const eis_byte_source *stream)
{
    uint8_t rest[64];
    uint64_t above;
    eis_status st = EIS_OK;

    EIS_TRY(stream->read(stream->ctx, out, n * 8));
    EIS_TRY(stream->read(stream->ctx, rest, eis_round_up(n * 8, 64) - n * 8));
    above = mask_words(out, n, eis_ring_mask(ring));
    EIS_PUBLIC(&above, sizeof above); /* as above */
    if (ring == EIS_RING_F61 && above >> EIS_F61_BITS != 0) EIS_TRY(replace_p(out, n, stream));
out:
    eis_mem_wipe(rest, sizeof rest);
    if (st != EIS_OK) eis_mem_wipe(out, n * 8);
    return st;
}
