/* SPDX-License-Identifier: Apache-2.0 */
/* Single operations of the scheme, client and server, on the chains that existing clients send and on our own. Rows of
 * the names that tests/node-seal/bench.cjs and seal_native.cc give can be compared with SEAL. */
#include "base/mem.h"
#include "bench/bench_he.h"

#include <string.h>

typedef struct ops {
    eis_bench_chain chain;
    eis_ckks_plain message; /* as coefficients */
    eis_ckks_plain decrypted;
    eis_ckks_ct product; /* of three polynomials */
    eis_ckks_ct rescaled;
    eis_ckks_hoisted hoisted;
    eis_ckks_lifted lifted;
    double *decoded;
} ops;

static eis_status encode(void *context)
{
    eis_bench_chain *c = &((ops *)context)->chain;

    return eis_slots_encode_reals(&c->slots, &c->params->rns, &c->plain.poly, c->x, c->slots.count, c->plain.scale);
}

/* As a client does it: the message is transformed with the error. */
static eis_status encrypt(void *context)
{
    ops *o = context;
    eis_bench_chain *c = &o->chain;
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_plain_init(&o->message, c->params, c->params->limbs_max, 0, c->params->scale));
    EIS_TRY(eis_slots_encode_reals_coeff(&c->slots, &c->params->rns, &o->message.poly, c->x, c->slots.count,
                                         o->message.scale));
    EIS_TRY(eis_ckks_encrypt_symmetric(&c->r, &c->secret, &o->message));
out:
    return st;
}

static eis_status decrypt(void *context)
{
    ops *o = context;
    eis_bench_chain *c = &o->chain;
    eis_status st = eis_ckks_decrypt(&o->decrypted, &c->secret, &c->a);

    if (st != EIS_OK) return st;
    return eis_slots_decode_reals(&c->slots, &c->params->rns, o->decoded, c->slots.count, &o->decrypted.poly,
                                  o->decrypted.scale);
}

static eis_status multiply_plain(void *context)
{
    eis_bench_chain *c = &((ops *)context)->chain;

    return eis_ckks_ct_mul_plain(&c->r, &c->a, &c->plain);
}

static eis_status multiply(void *context)
{
    ops *o = context;

    return eis_ckks_ct_mul(&o->product, &o->chain.a, &o->chain.b);
}

/* A rescale works in place: the copy before it is timed apart and taken off. */
static eis_status copy_product(void *context)
{
    ops *o = context;

    return eis_ckks_ct_copy(&o->rescaled, &o->chain.r);
}

static eis_status copy_and_rescale(void *context)
{
    ops *o = context;
    eis_status st = copy_product(context);

    return st == EIS_OK ? eis_ckks_ct_rescale(&o->rescaled) : st;
}

static eis_status relinearise(void *context)
{
    ops *o = context;

    return eis_ckks_ct_relinearise(&o->chain.r, &o->product, &o->chain.relin, EIS_CKKS_DIGITS_CENTRED);
}

static eis_status rotate(void *context)
{
    eis_bench_chain *c = &((ops *)context)->chain;

    return eis_ckks_ct_rotate(&c->r, &c->a, 1, &c->galois, EIS_CKKS_DIGITS_CENTRED);
}

static eis_status hoisted_rotation(void *context)
{
    ops *o = context;

    return eis_ckks_hoisted_galois(&o->chain.r, &o->hoisted, eis_ckks_rotation_element(o->chain.params, 2),
                                   &o->chain.galois);
}

static eis_status lifted_rotation(void *context)
{
    ops *o = context;

    return eis_ckks_hoisted_lift(&o->lifted, &o->hoisted, eis_ckks_rotation_element(o->chain.params, 2),
                                 &o->chain.galois);
}

typedef struct goals { /* in us, for a core of 3 GHz with IFMA; 0: none */
    double encode, encrypt, decrypt, multiply_plain, rescale, rotate, hoisted, lifted;
} goals;

static eis_status time_row(eis_bench *bench, ops *o, eis_bench_he_step step, const char *what, double goal)
{
    eis_status st = EIS_OK;
    double us;

    EIS_TRY(eis_bench_he_time(&us, bench, step, o));
    eis_bench_row *row = eis_bench_add(bench, us, "us", "%s, %s", what, o->chain.name);
    if (goal > 0) eis_bench_set_goal(row, goal);
out:
    return st;
}

static eis_status time_rescale(eis_bench *bench, ops *o, double goal)
{
    eis_status st = EIS_OK;
    double both, copy;

    EIS_TRY(multiply_plain(o));
    EIS_TRY(eis_bench_he_time(&copy, bench, copy_product, o));
    EIS_TRY(eis_bench_he_time(&both, bench, copy_and_rescale, o));
    eis_bench_row *row = eis_bench_add(bench, both - copy, "us", "rescale, %s", o->chain.name);
    if (goal > 0) eis_bench_set_goal(row, goal);
out:
    return st;
}

static eis_status run_client(eis_bench *bench, ops *o, const goals *g)
{
    eis_status st = EIS_OK;

    EIS_TRY(time_row(bench, o, encode, "encode all slots", g->encode));
    EIS_TRY(time_row(bench, o, encrypt, "encode + encrypt, seeded", g->encrypt));
    EIS_TRY(time_row(bench, o, decrypt, "decrypt + decode", g->decrypt));
out:
    return st;
}

static eis_status run_server(eis_bench *bench, ops *o, const goals *g)
{
    eis_status st = EIS_OK;

    EIS_TRY(time_row(bench, o, multiply_plain, "ciphertext x plaintext", g->multiply_plain));
    EIS_TRY(time_rescale(bench, o, g->rescale));
    EIS_TRY(time_row(bench, o, multiply, "ciphertext x ciphertext", 0));
    EIS_TRY(time_row(bench, o, relinearise, "relinearise", g->rotate));
    EIS_TRY(time_row(bench, o, rotate, "rotate", g->rotate));
    EIS_TRY(eis_ckks_hoist(&o->hoisted, &o->chain.a));
    EIS_TRY(time_row(bench, o, hoisted_rotation, "each further hoisted rotation", g->hoisted));
    EIS_TRY(time_row(bench, o, lifted_rotation, "the same, mod-down deferred", g->lifted));
out:
    return st;
}

static eis_status run_chain(eis_bench *bench, const char *name, const eis_ckks_literal *literal, const goals *g)
{
    eis_status st = EIS_OK;
    ops *o = NULL;

    EIS_NEW(o, 1);
    EIS_TRY(eis_bench_chain_open(&o->chain, name, literal));
    EIS_NEW(o->decoded, o->chain.slots.count);
    EIS_TRY(run_client(bench, o, g));
    EIS_TRY(run_server(bench, o, g));
out:
    if (o != NULL) {
        eis_ckks_lifted_clear(&o->lifted);
        eis_ckks_hoisted_clear(&o->hoisted);
        eis_ckks_ct_clear(&o->rescaled);
        eis_ckks_ct_clear(&o->product);
        eis_ckks_plain_clear(&o->message);
        eis_ckks_plain_clear(&o->decrypted);
        eis_mem_free(o->decoded);
        eis_bench_chain_close(&o->chain);
    }
    eis_mem_free(o);
    return st;
}

eis_status eis_bench_run_he_ops(eis_bench *bench)
{
    static const struct {
        const char *name;
        eis_ckks_literal literal;
        goals goal;
    } chains[] = {
        {"chain 60,40,40,60",
         {.degree = 8192, .prime_count = 4, .bits = {60, 40, 40, 60}, .scale = 0x1p40},
         {70, 240, 130, 20, 100, 430, 0, 0}},
        {"chain 50,40,40,50",
         {.degree = 8192, .prime_count = 4, .bits = {50, 40, 40, 50}, .scale = 0x1p40},
         {0, 0, 0, 0, 0, 270, 140, 60}},
    };
    eis_status st = EIS_OK;

    eis_bench_say(bench, "operations of the scheme");
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        EIS_TRY(run_chain(bench, chains[i].name, &chains[i].literal, &chains[i].goal));
out:
    return st;
}
