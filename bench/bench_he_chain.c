/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench_he.h"
#include "cli/cli.h"

#include <string.h>

#define BATCH_NS    1e6
#define TOTAL_NS    1e9
#define SAMPLES_MIN 15
#define SAMPLES_MAX 401

static eis_status fill(eis_bench_chain *c)
{
    eis_status st = EIS_OK;
    size_t count = eis_ckks_slots(c->params);

    EIS_NEW(c->x, count);
    for (size_t i = 0; i < count; i++) {
        int32_t word;
        eis_bench_random(&word, sizeof word, i + 1);
        c->x[i] = (double)word * 0x1p-31;
    }
    EIS_TRY(eis_ckks_plain_init(&c->plain, c->params, c->params->limbs_max, 0, c->params->scale));
    EIS_TRY(eis_slots_encode_reals(&c->slots, &c->params->rns, &c->plain.poly, c->x, count, c->plain.scale));
    EIS_TRY(eis_ckks_encrypt_symmetric(&c->a, &c->secret, &c->plain));
    EIS_TRY(eis_ckks_encrypt_symmetric(&c->b, &c->secret, &c->plain));
out:
    return st;
}

eis_status eis_bench_chain_open(eis_bench_chain *chain, const char *name, const eis_ckks_literal *literal)
{
    eis_status st = EIS_OK;
    eis_bench_chain c = {.name = name};
    uint32_t element[EIS_BENCH_HE_STEPS];

    EIS_TRY(eis_ckks_params_new(&c.params, literal));
    EIS_TRY(eis_slots_init(&c.slots, c.params->rns.degree_log2));
    EIS_TRY(eis_ckks_secret_key_generate(&c.secret, c.params));
    EIS_TRY(eis_ckks_relin_key_generate(&c.relin, &c.secret));
    for (int i = 0; i < EIS_BENCH_HE_STEPS; i++) element[i] = eis_ckks_rotation_element(c.params, i + 1);
    EIS_TRY(eis_ckks_galois_keys_generate(&c.galois, &c.secret, element, EIS_BENCH_HE_STEPS));
    EIS_TRY(fill(&c));
out:
    if (st != EIS_OK) eis_bench_chain_close(&c);
    *chain = c;
    return st;
}

void eis_bench_chain_close(eis_bench_chain *chain)
{
    eis_ckks_ct_clear(&chain->r);
    eis_ckks_ct_clear(&chain->b);
    eis_ckks_ct_clear(&chain->a);
    eis_ckks_plain_clear(&chain->plain);
    eis_mem_free(chain->x);
    eis_ckks_galois_keys_clear(&chain->galois);
    eis_ckks_switch_key_clear(&chain->relin);
    eis_ckks_secret_key_clear(&chain->secret);
    eis_slots_clear(&chain->slots);
    eis_ckks_params_free(chain->params);
    memset(chain, 0, sizeof *chain);
}

/* Time of `calls` calls together, in ns. */
static eis_status time_batch(double *ns, eis_bench_he_step step, void *context, size_t calls)
{
    eis_status st = EIS_OK;
    uint64_t start = eis_clock_thread_ns();

    for (size_t i = 0; i < calls; i++) EIS_TRY(step(context));
    *ns = (double)(eis_clock_thread_ns() - start);
out:
    return st;
}

eis_status eis_bench_he_time(double *us, const eis_bench *bench, eis_bench_he_step step, void *context)
{
    eis_status st = EIS_OK;
    double samples[SAMPLES_MAX], once, spent = 0, total = bench->quick ? TOTAL_NS / 5 : TOTAL_NS;
    size_t calls = 1, count = 0;

    EIS_TRY(eis_cli_check_interrupted());
    EIS_TRY(time_batch(&once, step, context, 1)); /* warms caches too */
    EIS_TRY(time_batch(&once, step, context, 1));
    if (once < BATCH_NS) calls = (size_t)(BATCH_NS / (once + 1)) + 1;
    while (count < SAMPLES_MAX && (count < SAMPLES_MIN || spent < total)) {
        EIS_TRY(time_batch(&samples[count], step, context, calls));
        spent += samples[count];
        samples[count++] /= 1e3 * (double)calls;
    }
    *us = eis_bench_median(samples, count);
out:
    return st;
}
