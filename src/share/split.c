/* SPDX-License-Identifier: Apache-2.0 */
/* The seeds of the first k - 1 servers are expanded here as those servers will expand them, and what is left of x goes
 * to the last. In rings Z / 2^r that happens in pieces that stay in the first cache: the stream, written where the
 * share will be, then the difference in its place. In F61 a stream may owe a word that comes behind its bulk, so it is
 * expanded as a whole. */
#include "share/split.h"

#include "base/mem.h"

#include <string.h>

/* Columns at once: a multiple of 64, so that every piece starts where the stream has a multiple of 64 bytes. */
#define PIECE_COLS ((size_t)512)

void eis_share_subtract_raw(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, unsigned bits)
{
    uint64_t mask = UINT64_MAX >> (64 - bits);

    for (size_t i = 0; i < n; i++) r[i] = (a[i] - b[i]) & mask;
}

/* Room for one piece of a second seed and further ones, wiped by whoever has it. */
typedef struct piece {
    uint64_t stream[PIECE_COLS], kept[PIECE_COLS];
} piece;

/* Some columns of a vector: to = x - to where the stream is in place, else to - stream. */
static void subtract_planes(uint8_t *to, const uint64_t *x, piece *room, size_t cols, eis_ring ring)
{
    const eis_kernels *k = eis_kernels_get();
    unsigned p = eis_ring_planes(ring);

    if (x == NULL) {
        k->words_from_planes(room->kept, to, cols, p);
        memcpy(to, room->stream, eis_round_up(cols, 4) * p);
    }
    k->planes_sub_from_words(to, x != NULL ? x : room->kept, cols, p);
}

/* One vector and its part of a running stream, in Z / 2^r; x as above. */
static eis_status subtract_stream(uint8_t *vector, const uint64_t *x, eis_prg *prg, const eis_vectors *shape,
                                  piece *room)
{
    bool planes = shape->form == EIS_FORM_PLANES;
    size_t col_bytes = planes ? eis_ring_planes(shape->ring) : 8, taken = eis_vectors_stream_stride(shape);
    eis_status st = EIS_OK;

    for (size_t first = 0; first < shape->n; first += PIECE_COLS) {
        size_t left = shape->n - first, cols = left < PIECE_COLS ? left : PIECE_COLS;
        const uint64_t *from = x != NULL ? x + first : NULL;
        uint8_t *to = vector + first * col_bytes;
        uint64_t *words = (uint64_t *)(void *)to, *stream = from != NULL ? words : room->stream;

        EIS_TRY(eis_prg_read(prg, stream, left <= PIECE_COLS ? taken - first * col_bytes : cols * col_bytes));
        if (planes)
            subtract_planes(to, from, room, cols, shape->ring);
        else /* words_sub masks the difference, so the stream need not be masked */
            eis_kernels_get()->words_sub(words, from != NULL ? from : words, stream, cols, shape->ring);
    }
    eis_vectors_clear_padding(vector, shape);
out:
    return st;
}

/* All vectors and one seed; x in words without padding, or NULL to go on with what is in the vectors. */
static eis_status subtract_seed(eis_prg *prg, uint8_t *vectors, const uint64_t *x, const eis_share *seed)
{
    const eis_vectors *shape = &seed->shape;
    size_t stride = eis_vectors_stride(shape);
    piece room;
    eis_status st = EIS_OK;

    EIS_TRY(eis_prg_start(prg, seed->suite, seed->seed, eis_suite_seed_bytes(seed->suite)));
    for (size_t v = 0; v < shape->batch; v++)
        EIS_TRY(subtract_stream(vectors + v * stride, x != NULL ? x + v * shape->n : NULL, prg, shape, &room));
out:
    eis_prg_stop(prg);
    if (x == NULL) eis_mem_wipe(&room, sizeof room);
    return st;
}

/* The same in F61. The first seed is expanded where the share will lie, further ones into `room`. */
static eis_status subtract_field_seed(eis_prg *prg, uint8_t *vectors, const uint64_t *x, const eis_share *seed,
                                      uint8_t *room)
{
    const eis_kernels *k = eis_kernels_get();
    const eis_vectors *shape = &seed->shape;
    size_t stride = eis_vectors_stride(shape);
    uint8_t *expanded = x != NULL ? vectors : room;
    eis_status st = EIS_OK;

    EIS_TRY(eis_share_expand(prg, expanded, seed));
    for (size_t v = 0; v < shape->batch; v++) {
        uint64_t *to = (uint64_t *)(void *)(vectors + v * stride);
        const uint64_t *words = (const uint64_t *)(const void *)(expanded + v * stride);

        k->words_sub(to, x != NULL ? x + v * shape->n : to, words, shape->n, shape->ring);
    }
out:
    return st;
}

/* The last share: x minus the expansions of all seeds. */
static eis_status subtract_seeds(eis_prg *prg, uint8_t *vectors, const uint64_t *x, const eis_share *seeds,
                                 size_t count)
{
    const eis_vectors *shape = &seeds[0].shape;
    bool field = shape->ring == EIS_RING_F61;
    size_t bytes = eis_vectors_bytes(shape);
    uint8_t *room = NULL;
    eis_status st = EIS_OK;

    if (field && count > 1) {
        room = eis_mem_new_secret(bytes, 1);
        EIS_REQUIRE(room != NULL, EIS_ERR_MEMORY, "not enough memory to expand a share");
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *from = i == 0 ? x : NULL;

        EIS_TRY(field ? subtract_field_seed(prg, vectors, from, &seeds[i], room)
                      : subtract_seed(prg, vectors, from, &seeds[i]));
    }
out:
    eis_mem_free_wiped(room, bytes, 1);
    return st;
}

eis_status eis_share_split(eis_prg *prg, eis_share *shares, size_t k, const uint64_t *x, const eis_vectors *shape,
                           unsigned suite)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(k >= 2 && k <= EIS_SHARE_COUNT_MAX, EIS_ERR_USAGE,
                "an input is split among 2 to %d servers, not %zu: a single server would see all of it",
                EIS_SHARE_COUNT_MAX, k);
    for (size_t i = 0; i + 1 < k; i++) EIS_TRY(eis_share_init_seed(&shares[i], shape, (uint32_t)i + 1, suite));
    EIS_TRY(eis_share_init_uncleared(&shares[k - 1], shape, (uint32_t)k));
    EIS_TRY(subtract_seeds(prg, shares[k - 1].body, x, shares, k - 1));
out:
    if (st != EIS_OK)
        for (size_t i = 0; i < k; i++) eis_share_wipe(&shares[i]);
    return st;
}

static bool fits_vector(const eis_vectors *mask, const eis_vectors *shape)
{
    return mask->ring == shape->ring && mask->form == shape->form && mask->n == shape->n && mask->batch == 1;
}

eis_status eis_share_split_masked(eis_prg *prg, eis_share *share, size_t v, const uint64_t *x, const eis_share *masks,
                                  size_t count)
{
    size_t stride = eis_vectors_stride(&share->shape);
    eis_status st = EIS_OK;

    EIS_ASSERT(share->suite == EIS_SUITE_WORDS && v < share->shape.batch);
    EIS_REQUIRE(count > 0 && count < EIS_SHARE_COUNT_MAX, EIS_ERR_USAGE, "an input is not sent without a mask");
    for (size_t i = 0; i < count; i++) {
        EIS_REQUIRE(masks[i].suite != EIS_SUITE_WORDS, EIS_ERR_USAGE, "a mask holds no seed");
        EIS_ASSERT(fits_vector(&masks[i].shape, &share->shape));
    }
    EIS_TRY(subtract_seeds(prg, share->body + v * stride, x, masks, count));
out:
    if (st != EIS_OK) eis_share_wipe(share);
    return st;
}
