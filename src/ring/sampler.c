/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/sampler.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "kernel/kernel.h"

#include <string.h>

/* ---- Uniform ---------------------------------------------------------------------------------------------------- */

/* Words from here on are rejected. With M the largest multiple of q below 2^64 this is M - 1, not M: the word M - 1
 * goes too, by the rule of the wire, which makes one residue less likely by one word in 2^64 / q. */
static uint64_t rejection_bound(uint64_t q) { return UINT64_MAX - UINT64_MAX % q - 1; }

/* Reduces the words of one limb; those that are rejected are replaced first, by the next words of the stream. */
static eis_status reduce_limb(uint64_t *words, size_t n, const eis_modulus *m, const eis_byte_source *stream)
{
    const eis_sample_kernels *k = &eis_kernels_get()->sample;
    const uint64_t bound = rejection_bound(m->q);
    eis_status st = EIS_OK;

    for (size_t done = 0;;) {
        uint8_t next[8];

        done += k->reduce_below_var(words + done, n - done, bound, m);
        if (done == n) break;
        EIS_TRY(stream->read(stream->ctx, next, sizeof next)); /* a replacement may be rejected too */
        words[done] = eis_load_le64(next);
    }
out:
    return st;
}

static void words_from_bytes(uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) words[i] = eis_load_le64(&words[i]); /* nothing to do on our machines */
}

eis_status eis_sampler_uniform_stream(const eis_rns *rns, eis_poly *poly, const eis_byte_source *stream)
{
    const size_t n = poly->degree, count = poly->limbs * n;
    eis_status st = EIS_OK;

    EIS_ASSERT(n == rns->degree && poly->limbs <= rns->count);
    EIS_TRY(stream->read(stream->ctx, poly->words, count * sizeof *poly->words));
    words_from_bytes(poly->words, count);
    for (size_t limb = 0; limb < poly->limbs; limb++) {
        EIS_TRY(reduce_limb(eis_poly_limb(poly, limb), n, &eis_poly_plan(rns, poly, limb)->mod, stream));
    }
    poly->domain = EIS_DOMAIN_NTT;
out:
    if (st != EIS_OK) eis_mem_wipe(poly->words, count * sizeof *poly->words);
    return st;
}

eis_status eis_sampler_uniform_seeded(const eis_rns *rns, eis_poly *poly, unsigned generator,
                                      const uint8_t seed[EIS_EXPAND_SEED_BYTES])
{
    eis_expand expand = {0};
    eis_byte_source stream = eis_expand_stream(&expand);
    eis_status st = EIS_OK;

    st = eis_expand_start(&expand, generator, seed);
    if (st != EIS_OK) {
        eis_mem_wipe(poly->words, poly->limbs * poly->degree * sizeof *poly->words);
        goto out;
    }
    EIS_TRY(eis_sampler_uniform_stream(rns, poly, &stream));
out:
    eis_expand_clear(&expand);
    return st;
}

/* ---- Small coefficients ----------------------------------------------------------------------------------------- */

#define PIECE_BYTES ((size_t)6144) /* of the stream at a time; a multiple of 8 and of 6 */

#define UNIT_COUNT_MAX EIS_SAMPLE_TRITS

/* How a sampler turns bytes of the stream into coefficients: a unit of `bytes` gives `count`. */
typedef struct recipe {
    size_t bytes, count;
    void (*run)(int8_t *coeff, const uint8_t *bytes, size_t units);
} recipe;

/* Whole units go straight to the coefficients; of the last one only what is wanted is copied. */
static void sample_piece(int8_t *coeff, size_t n, const recipe *how, const uint8_t *piece)
{
    const size_t units = n / how->count;
    int8_t last[UNIT_COUNT_MAX];

    how->run(coeff, piece, units);
    if (n % how->count == 0) return;
    how->run(last, piece + units * how->bytes, 1);
    memcpy(coeff + units * how->count, last, n % how->count);
    eis_mem_wipe(last, sizeof last);
}

static eis_status sample(int8_t *coeff, size_t n, const recipe *how, const eis_byte_source *stream)
{
    const size_t per_piece = PIECE_BYTES / how->bytes * how->count;
    uint8_t piece[PIECE_BYTES];
    eis_status st = EIS_OK;

    for (size_t done = 0; done < n; done += per_piece) {
        const size_t count = n - done < per_piece ? n - done : per_piece;

        EIS_TRY(stream->read(stream->ctx, piece, (count + how->count - 1) / how->count * how->bytes));
        sample_piece(coeff + done, count, how, piece);
    }
out:
    eis_mem_wipe(piece, sizeof piece);
    if (st != EIS_OK) eis_mem_wipe(coeff, n);
    return st;
}

eis_status eis_sampler_ternary(int8_t *coeff, size_t n, const eis_byte_source *stream)
{
    return sample(coeff, n, &(recipe){8, EIS_SAMPLE_TRITS, eis_kernels_get()->sample.trits}, stream);
}

eis_status eis_sampler_error(int8_t *coeff, size_t n, const eis_byte_source *stream)
{
    return sample(coeff, n, &(recipe){EIS_SAMPLE_ERROR_BYTES, 1, eis_kernels_get()->sample.errors}, stream);
}
