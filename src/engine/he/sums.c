/* SPDX-License-Identifier: Apache-2.0 */
/* Constants times ciphertexts, summed: the whole work of affine layers in the form FEATURES.
 *
 * A matrix of constants times a matrix of words, for each prime. Words are taken in runs that stay in the second-level
 * cache for all inputs together, so that memory is read once and not once per term. */
#include "engine/he/features.h"

#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

enum { RUN_BYTES = 1 << 18 }; /* of all inputs' words of one run */

typedef struct job {
    eis_ckks_ct *r;
    const eis_he_sums *sums;
    const eis_ckks_ct *x;
    size_t polys, limbs, degree, run, runs; /* words of a run; runs in a limb */
    eis_zq_factor *factor;                  /* [limbs][terms]: the constants modulo each prime */
} job;

static void add_row(const job *j, uint32_t row, size_t poly, size_t limb, size_t at)
{
    const eis_ckks_ct *like = &j->r[row];
    const eis_modulus *m = eis_rns_modulus(&like->params->rns, limb);
    const eis_zq_factor *factor = j->factor + limb * j->sums->start[j->sums->rows];
    uint64_t *to = eis_poly_limb(&like->poly[poly], limb) + at;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    for (uint64_t t = j->sums->start[row]; t < j->sums->start[row + 1]; t++) {
        const uint64_t *from = eis_poly_limb(&j->x[j->sums->column[t]].poly[poly], limb) + at;
        if (factor[t].value != 0) k->mul_factor_add(to, from, j->run, factor[t], m);
    }
}

/* Chunks: limb, then polynomial, then run. */
static void sum_chunks(void *arg, size_t first, size_t last)
{
    const job *j = arg;

    for (size_t i = first; i < last; i++) {
        size_t at = i % j->runs * j->run, poly = i / j->runs % j->polys, limb = i / j->runs / j->polys;
        for (uint32_t row = 0; row < j->sums->rows; row++) add_row(j, row, poly, limb, at);
    }
}

/* The longest run, a power of two of at least 64 words, whose words of all inputs fit. */
static size_t run_words(size_t degree, size_t inputs)
{
    size_t run = degree;

    while (run > 64 && run * inputs * sizeof(uint64_t) > RUN_BYTES) run /= 2;
    return run;
}

static uint32_t input_count(const eis_he_sums *sums)
{
    uint32_t most = 0;

    for (uint64_t t = 0; t < sums->start[sums->rows]; t++) most = sums->column[t] >= most ? sums->column[t] + 1 : most;
    return most;
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
    j.run = run_words(j.degree, input_count(sums) + 1);
    j.runs = j.degree / j.run;
    EIS_NEW(j.factor, j.limbs * terms);
    for (size_t limb = 0; limb < j.limbs; limb++) {
        const eis_modulus *m = eis_rns_modulus(&r[0].params->rns, limb);
        for (uint64_t t = 0; t < terms; t++)
            j.factor[limb * terms + t] = eis_zq_factor_make(eis_zq_from_i64(sums->constant[t], m), m);
    }
    eis_pool_run(pool, j.limbs * j.polys * j.runs, 1, sum_chunks, &j);
out:
    eis_mem_free(j.factor);
    return st;
}
