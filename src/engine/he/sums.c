/* SPDX-License-Identifier: Apache-2.0 */
/* Constants times ciphertexts, summed: the whole work of affine layers in the form FEATURES.
 *
 * A matrix of constants times a matrix of words, for each prime. Words are taken in runs that stay in the second-level
 * cache for all inputs together, so that memory is read once and not once per term. Modulo primes of up to 30 bits
 * words are narrowed to 32 bits first; their products are below 2^60 and are summed in 64 bits, reduced only now and
 * then. */
#include "engine/he/features.h"

#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

#include <stdatomic.h>

enum {
    RUN_BYTES = 1 << 18, /* of all inputs' words of one run */
    NARROW_BITS = 30,    /* eight products and a word stay below 2^64 */
    NARROW_RUN = 512,
    NARROW_TERMS = 4, /* in one pass */
    FACTORS = 1 << 16 /* constants at work at once */
};

typedef struct job {
    eis_ckks_ct *r;
    const eis_he_sums *sums;
    const eis_ckks_ct *x;
    size_t polys, limbs, degree, run, runs; /* words of a run; runs in a limb */
    uint32_t inputs;
    uint32_t first, end;   /* rows at work, so many that the factors stay few */
    uint64_t base, terms;  /* of those rows: the first term, and how many */
    eis_zq_factor *factor; /* [limbs][terms]: the constants modulo each prime */
    atomic_bool failed;    /* memory ran out in a chunk */
} job;

static void add_row_wide(const job *j, uint32_t row, size_t poly, size_t limb, size_t at)
{
    const eis_ckks_ct *like = &j->r[row];
    const eis_modulus *m = eis_rns_modulus(&like->params->rns, limb);
    const eis_zq_factor *factor = j->factor + limb * j->terms;
    uint64_t *to = eis_poly_limb(&like->poly[poly], limb) + at;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    for (uint64_t t = j->sums->start[row]; t < j->sums->start[row + 1]; t++) {
        const uint64_t *from = eis_poly_limb(&j->x[j->sums->column[t]].poly[poly], limb) + at;
        if (factor[t - j->base].value != 0) k->mul_factor_add(to, from, j->run, factor[t - j->base], m);
    }
}

/* How many products below 2^(2 bits) a canonical word may take and stay below 2^64. */
static size_t room_of(const eis_modulus *m) { return (size_t)1 << (63 - 2 * m->bits); }

/* Tells whether the sums of this prime are reduced once, by eis_he_sums_finish. */
static bool is_lazy(const eis_he_sums *sums, const eis_modulus *m)
{
    return m->bits <= NARROW_BITS && sums->terms_max <= room_of(m);
}

/* sum[n] += the words of up to four inputs times their constants. */
static void add_products(uint64_t *restrict sum, const uint32_t *const *x, const uint32_t *c, size_t terms, size_t n)
{
    if (terms == NARROW_TERMS) {
        const uint32_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
        uint32_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
        for (size_t i = 0; i < n; i++)
            sum[i] += (uint64_t)x0[i] * c0 + (uint64_t)x1[i] * c1 + (uint64_t)x2[i] * c2 + (uint64_t)x3[i] * c3;
        return;
    }
    for (size_t t = 0; t < terms; t++) {
        const uint32_t *from = x[t], constant = c[t];
        for (size_t i = 0; i < n; i++) sum[i] += (uint64_t)from[i] * constant;
    }
}

/* The same as add_row_wide, from narrowed inputs [inputs][run]. */
static void add_row_narrow(const job *j, const uint32_t *narrow, uint32_t row, size_t poly, size_t limb, size_t at)
{
    const eis_modulus *m = eis_rns_modulus(&j->r[row].params->rns, limb);
    const eis_zq_factor *factor = j->factor + limb * j->terms;
    uint64_t *to = eis_poly_limb(&j->r[row].poly[poly], limb) + at, end = j->sums->start[row + 1];
    size_t room = room_of(m), taken = 0;

    for (uint64_t t = j->sums->start[row]; t < end; t += NARROW_TERMS) {
        const uint32_t *x[NARROW_TERMS] = {narrow};
        uint32_t constant[NARROW_TERMS];
        size_t terms = end - t < NARROW_TERMS ? (size_t)(end - t) : NARROW_TERMS;
        for (size_t k = 0; k < terms; k++) {
            x[k] = narrow + j->sums->column[t + k] * j->run;
            constant[k] = (uint32_t)factor[t - j->base + k].value;
        }
        if (!is_lazy(j->sums, m) && taken + terms > room) {
            eis_kernels_get()->zq.reduce(to, to, j->run, m);
            taken = 0;
        }
        add_products(to, x, constant, terms, j->run);
        taken += terms;
    }
    if (!is_lazy(j->sums, m)) eis_kernels_get()->zq.reduce(to, to, j->run, m);
}

static void narrow_inputs(uint32_t *narrow, const job *j, size_t poly, size_t limb, size_t at)
{
    for (uint32_t i = 0; i < j->inputs; i++) {
        const uint64_t *from = eis_poly_limb(&j->x[i].poly[poly], limb) + at;
        uint32_t *to = narrow + i * j->run;
        for (size_t k = 0; k < j->run; k++) to[k] = (uint32_t)from[k];
    }
}

/* Chunks: limb, then polynomial, then run. */
static void sum_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;
    uint32_t *narrow = eis_mem_new_raw(j->inputs * j->run, sizeof *narrow);

    if (narrow == NULL) {
        atomic_store(&j->failed, true);
        return;
    }
    for (size_t i = first; i < last; i++) {
        size_t at = i % j->runs * j->run, poly = i / j->runs % j->polys, limb = i / j->runs / j->polys;
        bool fits = eis_rns_modulus(&j->r[0].params->rns, limb)->bits <= NARROW_BITS;

        if (fits) narrow_inputs(narrow, j, poly, limb, at);
        for (uint32_t row = j->first; row < j->end; row++) {
            if (fits)
                add_row_narrow(j, narrow, row, poly, limb, at);
            else
                add_row_wide(j, row, poly, limb, at);
        }
    }
    eis_mem_free(narrow);
}

/* The longest run, a power of two from 64 to NARROW_RUN words, whose words of all inputs fit. */
static size_t run_words(size_t inputs)
{
    size_t run = NARROW_RUN;

    while (run > 64 && run * inputs * sizeof(uint64_t) > RUN_BYTES) run /= 2;
    return run;
}

static uint32_t input_count(const eis_he_sums *sums)
{
    uint32_t most = 0;

    for (uint64_t t = 0; t < sums->start[sums->rows]; t++) most = sums->column[t] >= most ? sums->column[t] + 1 : most;
    return most;
}

/* The next rows: at least one, and as many as stay within FACTORS terms. Shape: factor[limbs][the most terms]. */
static void take_rows(job *j)
{
    const eis_he_sums *sums = j->sums;

    j->first = j->end;
    j->base = sums->start[j->first];
    for (j->end = j->first + 1; j->end < sums->rows && sums->start[j->end + 1] - j->base <= FACTORS;) j->end++;
    j->terms = sums->start[j->end] - j->base;
    for (size_t limb = 0; limb < j->limbs; limb++) {
        const eis_modulus *m = eis_rns_modulus(&j->r[0].params->rns, limb);
        for (uint64_t t = 0; t < j->terms; t++)
            j->factor[limb * j->terms + t] = eis_zq_factor_make(eis_zq_from_i64(sums->constant[j->base + t], m), m);
    }
}

/* The most terms that are at work at once. */
static uint64_t terms_at_once(const eis_he_sums *sums)
{
    uint64_t all = sums->start[sums->rows], most = sums->terms_max > FACTORS ? sums->terms_max : FACTORS;

    return all < most ? all : most;
}

eis_status eis_he_sums_add(eis_ckks_ct *r, const eis_he_sums *sums, const eis_ckks_ct *x, eis_pool *pool)
{
    eis_status st = EIS_OK;
    uint64_t terms = sums->start[sums->rows];
    job j = {.r = r, .sums = sums, .x = x, .polys = r[0].polys, .limbs = r[0].limbs, .degree = r[0].params->degree};

    if (terms == 0) return EIS_OK;
    for (uint32_t i = 0; i < sums->rows; i++) EIS_ASSERT(r[i].polys == j.polys && r[i].limbs == j.limbs);
    for (uint64_t t = 0; t < terms; t++)
        EIS_ASSERT(x[sums->column[t]].polys == j.polys && x[sums->column[t]].limbs == j.limbs);
    j.inputs = input_count(sums);
    j.run = run_words((size_t)j.inputs + 1);
    j.runs = j.degree / j.run;
    EIS_NEW_RAW(j.factor, j.limbs * terms_at_once(sums));
    while (j.end < sums->rows) {
        take_rows(&j);
        eis_pool_run(pool, j.limbs * j.polys * j.runs, 1, sum_chunks, &j);
    }
    if (atomic_load(&j.failed)) st = EIS_ERR_MEMORY;
out:
    eis_mem_free(j.factor);
    return st;
}

/* Chunks: rows. */
static void finish_chunks(void *arg, size_t first, size_t last)
{
    const job *j = arg;

    for (size_t row = first; row < last; row++)
        for (size_t limb = 0; limb < j->limbs; limb++) {
            const eis_modulus *m = eis_rns_modulus(&j->r[row].params->rns, limb);
            for (size_t poly = 0; poly < j->polys && is_lazy(j->sums, m); poly++) {
                uint64_t *words = eis_poly_limb(&j->r[row].poly[poly], limb);
                eis_kernels_get()->zq.reduce(words, words, j->degree, m);
            }
        }
}

void eis_he_sums_finish(eis_ckks_ct *r, const eis_he_sums *sums, eis_pool *pool)
{
    job j = {.r = r, .sums = sums, .polys = r[0].polys, .limbs = r[0].limbs, .degree = r[0].params->degree};

    eis_pool_run(pool, sums->rows, 1, finish_chunks, &j);
}
