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

/* Replaces rejected words of one limb by the next words of the stream. */
static eis_status replace_rejected(uint64_t *words, size_t n, uint64_t q, const eis_byte_source *stream)
{
    const uint64_t bound = rejection_bound(q);
    eis_status st = EIS_OK;

    for (size_t i = 0; i < n; i++) {
        while (words[i] >= bound) {
            uint8_t next[8];

            EIS_TRY(stream->read(stream->ctx, next, sizeof next));
            words[i] = eis_load_le64(next);
        }
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
        const eis_modulus *m = &eis_poly_plan(rns, poly, limb)->mod;

        EIS_TRY(replace_rejected(eis_poly_limb(poly, limb), n, m->q, stream));
        eis_kernels_get()->zq.reduce(eis_poly_limb(poly, limb), eis_poly_limb(poly, limb), n, m);
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

#define PIECE_BYTES ((size_t)1536) /* of the stream at a time; a multiple of 8 and of 6 */

#define UNIT_COUNT_MAX 4

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

#define TRITS_PER_WORD UNIT_COUNT_MAX

/* A word as a fraction of 2^64, times 3: the whole part is a digit in base 3, the rest gives the next one. Each set of
 * 4 digits has the probability 1/81 within 2^-64. */
static void ternary_from_words(int8_t *coeff, const uint8_t *bytes, size_t units)
{
    for (size_t u = 0; u < units; u++) {
        uint64_t fraction = eis_load_le64(bytes + 8 * u);

        for (size_t i = 0; i < TRITS_PER_WORD; i++) {
            eis_zq_wide tripled = (eis_zq_wide)fraction * 3;

            coeff[TRITS_PER_WORD * u + i] = (int8_t)((int)(tripled >> 64) - 1);
            fraction = (uint64_t)tripled;
        }
    }
}

eis_status eis_sampler_ternary(int8_t *coeff, size_t n, const eis_byte_source *stream)
{
    return sample(coeff, n, &(recipe){8, TRITS_PER_WORD, ternary_from_words}, stream);
}

#define COINS ((UINT64_C(1) << EIS_SAMPLER_ERROR_PAIRS) - 1)

/* Three bytes less the top 3 bits are 21 coins. Both sums are counted at once, in the halves of a word. */
static inline int8_t error_from_bytes(const uint8_t *b)
{
    uint64_t heads = (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16;
    uint64_t tails = (uint64_t)b[3] | (uint64_t)b[4] << 8 | (uint64_t)b[5] << 16;
    uint64_t v = (heads & COINS) | (tails & COINS) << 32;

    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    v += v >> 8;
    v += v >> 16;
    return (int8_t)((int)(v & 0xff) - (int)(v >> 32 & 0xff));
}

static void errors_from_bytes(int8_t *coeff, const uint8_t *bytes, size_t units)
{
    for (size_t u = 0; u < units; u++) coeff[u] = error_from_bytes(bytes + 6 * u);
}

eis_status eis_sampler_error(int8_t *coeff, size_t n, const eis_byte_source *stream)
{
    return sample(coeff, n, &(recipe){6, 1, errors_from_bytes}, stream);
}
