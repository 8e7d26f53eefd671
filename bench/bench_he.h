/* SPDX-License-Identifier: Apache-2.0 */
/* What the groups of `eis bench he` share: one chain with everything that a client and a server hold, and a clock. */
#ifndef EIS_BENCH_BENCH_HE_H
#define EIS_BENCH_BENCH_HE_H

#include "bench/bench.h"
#include "ckks/decrypt.h"
#include "ckks/encrypt.h"
#include "ckks/eval.h"
#include "ckks/keygen.h"
#include "encode/slots.h"

#define EIS_BENCH_HE_STEPS 3

typedef struct eis_bench_chain {
    const char *name; /* as the table of chains calls it */
    const eis_ckks_params *params;
    eis_slots slots;
    eis_ckks_secret_key secret;
    eis_ckks_switch_key relin;
    eis_ckks_galois_keys galois; /* for the steps 1, 2 and 3 */
    double *x;                   /* [slots] in [-1, 1) */
    eis_ckks_plain plain;        /* x */
    eis_ckks_ct a, b, r;         /* a and b are encryptions of x */
} eis_bench_chain;

/* Makes parameters, keys, a message and two ciphertexts. Errors: those of keygen and encrypt; *chain is then zeroed. */
EIS_MUST_USE eis_status eis_bench_chain_open(eis_bench_chain *chain, const char *name, const eis_ckks_literal *literal);

/* Wipes and frees. Safe on a zeroed one. */
void eis_bench_chain_close(eis_bench_chain *chain);

/* One operation, done again and again with the same arguments. */
typedef eis_status (*eis_bench_he_step)(void *context);

/* Gives the median of processor time of one call in microseconds: batches of calls that take about a millisecond, as
 * many as a second allows, 15 at least (--quick: a fifth of that).
 *
 * Errors:  what the step returns. *us is then untouched. */
EIS_MUST_USE eis_status eis_bench_he_time(double *us, const eis_bench *bench, eis_bench_he_step step, void *context);

/* ---- the groups ---- */

EIS_MUST_USE eis_status eis_bench_run_he_ntt(eis_bench *bench); /* bench_he_ntt.c */
EIS_MUST_USE eis_status eis_bench_run_he_ops(eis_bench *bench); /* bench_he_ops.c */

EIS_MUST_USE eis_status eis_bench_run_he_eval(eis_bench *bench);    /* bench_he_eval.c */
EIS_MUST_USE eis_status eis_bench_run_he_service(eis_bench *bench); /* bench_he_service.c */

#endif
