/* SPDX-License-Identifier: Apache-2.0 */
/* The seeds of the first k - 1 servers are expanded here as those servers will expand them; what is left of x goes to
 * the last. Byte planes pass through words in short pieces on the stack. */
#include "share/split.h"

#include "base/mem.h"

/* Columns at once: a multiple of 4, 2 KiB of words. */
#define PIECE_COLS ((size_t)256)

void eis_share_subtract_raw(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, unsigned bits)
{
    uint64_t mask = UINT64_MAX >> (64 - bits);

    for (size_t i = 0; i < n; i++) r[i] = (a[i] - b[i]) & mask;
}

static void subtract_words(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    if (ring == EIS_RING_F61)
        eis_kernels_get()->words_sub(r, a, b, n, ring);
    else
        eis_share_subtract_raw(r, a, b, n, (unsigned)ring);
}

/* r = a - planes, piece by piece; a are words, r are planes, and may be the same planes. */
static void subtract_planes(uint8_t *r, const uint64_t *a, const uint8_t *planes, const eis_vectors *shape)
{
    const eis_kernels *k = eis_kernels_get();
    unsigned p = eis_ring_planes(shape->ring);
    uint64_t piece[PIECE_COLS];

    for (size_t first = 0; first < shape->n; first += PIECE_COLS) {
        size_t cols = shape->n - first < PIECE_COLS ? shape->n - first : PIECE_COLS;

        k->words_from_planes(piece, planes + first * p, cols, p);
        subtract_words(piece, a + first, piece, cols, shape->ring);
        k->planes_from_words(r + first * p, piece, cols, p);
    }
    eis_mem_wipe(piece, sizeof piece);
}

/* vector = x - vector, x in words without padding. */
static void subtract_from_x(uint8_t *vector, const uint64_t *x, const eis_vectors *shape)
{
    uint64_t *words = (uint64_t *)(void *)vector;

    if (shape->form == EIS_FORM_PLANES)
        subtract_planes(vector, x, vector, shape);
    else
        subtract_words(words, x, words, shape->n, shape->ring);
}

/* vector = vector - other, both kernel-ready. */
static void subtract_vector(uint8_t *vector, const uint8_t *other, const eis_vectors *shape)
{
    const eis_kernels *k = eis_kernels_get();
    unsigned p = eis_ring_planes(shape->ring);
    uint64_t *words = (uint64_t *)(void *)vector;
    uint64_t piece[PIECE_COLS];

    if (shape->form == EIS_FORM_WORDS) {
        subtract_words(words, words, (const uint64_t *)(const void *)other, shape->n, shape->ring);
        return;
    }
    for (size_t first = 0; first < shape->n; first += PIECE_COLS) {
        size_t cols = shape->n - first < PIECE_COLS ? shape->n - first : PIECE_COLS;
        eis_vectors part = {shape->ring, shape->form, cols, cols, 1};

        k->words_from_planes(piece, vector + first * p, cols, p);
        subtract_planes(vector + first * p, piece, other + first * p, &part);
    }
    eis_mem_wipe(piece, sizeof piece);
}

/* The last share: x minus the expansions of all seeds. The first is expanded where the share will lie. */
static eis_status subtract_seeds(eis_prg *prg, uint8_t *vectors, const uint64_t *x, const eis_share *seeds, size_t count)
{
    const eis_vectors *shape = &seeds[0].shape;
    size_t stride = eis_vectors_stride(shape), bytes = eis_vectors_bytes(shape);
    uint8_t *expanded = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(eis_share_expand(prg, vectors, &seeds[0]));
    for (size_t v = 0; v < shape->batch; v++) subtract_from_x(vectors + v * stride, x + v * shape->n, shape);
    if (count == 1) goto out;
    expanded = eis_mem_new_secret(bytes, 1);
    EIS_REQUIRE(expanded != NULL, EIS_ERR_MEMORY, "not enough memory to expand a share");
    for (size_t i = 1; i < count; i++) {
        EIS_TRY(eis_share_expand(prg, expanded, &seeds[i]));
        for (size_t v = 0; v < shape->batch; v++)
            subtract_vector(vectors + v * stride, expanded + v * stride, shape);
    }
out:
    eis_mem_free_wiped(expanded, bytes, 1);
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
    EIS_TRY(eis_share_init_words(&shares[k - 1], shape, (uint32_t)k));
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
