/* SPDX-License-Identifier: Apache-2.0 */
/* A client's world for tests of the scheme: parameters, slot tables, keys, and what reals become on the way. */
#ifndef EIS_TESTS_CKKS_WORLD_H
#define EIS_TESTS_CKKS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ckks/decrypt.h"
#include "ckks/encrypt.h"
#include "ckks/eval.h"
#include "ckks/keygen.h"
#include "encode/slots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct world {
    const eis_ckks_params *params;
    eis_slots slots;
    size_t count; /* slots */
    eis_ckks_secret_key secret;
    eis_ckks_public_key public_key;
    eis_ckks_switch_key relin;
    eis_ckks_galois_keys galois;
} world;

#define CHAIN_P0 ((eis_ckks_literal){.degree = 8192, .prime_count = 4, .bits = {60, 40, 40, 60}, .scale = 0x1p40})
#define CHAIN_L1 ((eis_ckks_literal){.degree = 16384, .prime_count = 4, .bits = {60, 30, 30, 60}, .scale = 0x1p30})
#define CHAIN_A  ((eis_ckks_literal){.degree = 8192, .prime_count = 4, .bits = {50, 40, 40, 50}, .scale = 0x1p40})
#define CHAIN_M \
    ((eis_ckks_literal){.degree = 8192, .prime_count = 7, .bits = {38, 27, 27, 27, 27, 27, 41}, .scale = 0x1p27})
#define CHAIN_S ((eis_ckks_literal){.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}, .scale = 0x1p30})

#define CHAIN_A1 ((eis_ckks_literal){.degree = 8192, .prime_count = 3, .bits = {50, 40, 50}, .scale = 0x1p40})
#define CHAIN_B1 \
    ((eis_ckks_literal){.degree = 16384, .prime_count = 8, .bits = {50, 40, 40, 40, 40, 40, 40, 50}, .scale = 0x1p40})
#define CHAIN_B3                                                          \
    ((eis_ckks_literal){.degree = 16384,                                  \
                        .prime_count = 10,                                \
                        .special_count = 3,                               \
                        .bits = {50, 40, 40, 40, 40, 40, 40, 45, 45, 45}, \
                        .scale = 0x1p40})

/* Makes parameters and a secret key; steps[step_count] are the rotations that get keys, beside the conjugation. */
static inline void world_open(world *w, eis_ckks_literal literal, const int32_t *steps, size_t step_count)
{
    uint32_t element[32];

    memset(w, 0, sizeof *w);
    assert_int_equal(eis_ckks_params_new(&w->params, &literal), EIS_OK);
    assert_int_equal(eis_slots_init(&w->slots, w->params->rns.degree_log2), EIS_OK);
    w->count = eis_ckks_slots(w->params);
    assert_int_equal(eis_ckks_secret_key_generate(&w->secret, w->params), EIS_OK);
    assert_int_equal(eis_ckks_public_key_generate(&w->public_key, &w->secret), EIS_OK);
    if (!w->params->has_special) return;
    assert_int_equal(eis_ckks_relin_key_generate(&w->relin, &w->secret), EIS_OK);
    for (size_t i = 0; i < step_count; i++) element[i] = eis_ckks_rotation_element(w->params, steps[i]);
    element[step_count] = eis_ckks_conjugation_element(w->params);
    assert_int_equal(eis_ckks_galois_keys_generate(&w->galois, &w->secret, element, step_count + 1), EIS_OK);
}

static inline void world_close(world *w)
{
    eis_ckks_galois_keys_clear(&w->galois);
    eis_ckks_switch_key_clear(&w->relin);
    eis_ckks_public_key_clear(&w->public_key);
    eis_ckks_secret_key_clear(&w->secret);
    eis_slots_clear(&w->slots);
    eis_ckks_params_free(w->params);
}

/* Fills z with numbers in the square of side 2 around 0, the same for the same seed. */
static inline void world_values(eis_complex *z, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        for (int part = 0; part < 2; part++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            *(part ? &z[i].im : &z[i].re) = (double)(int64_t)seed / 0x1p63;
        }
    }
}

static inline void world_encode(const world *w, eis_ckks_plain *p, const eis_complex *z, size_t limbs, size_t special,
                                double scale)
{
    assert_int_equal(eis_ckks_plain_init(p, w->params, limbs, special, scale), EIS_OK);
    assert_int_equal(eis_slots_encode(&w->slots, &w->params->rns, &p->poly, z, w->count, scale), EIS_OK);
}

static inline void world_encrypt(const world *w, eis_ckks_ct *ct, const eis_complex *z, size_t limbs, double scale)
{
    eis_ckks_plain p = {0};

    world_encode(w, &p, z, limbs, 0, scale);
    assert_int_equal(eis_ckks_encrypt_symmetric(ct, &w->secret, &p), EIS_OK);
    eis_ckks_plain_clear(&p);
}

static inline void world_decrypt(const world *w, eis_complex *z, const eis_ckks_ct *ct)
{
    eis_ckks_plain p = {0};

    assert_int_equal(eis_ckks_decrypt(&p, &w->secret, ct), EIS_OK);
    assert_int_equal(eis_slots_decode(&w->slots, &w->params->rns, z, w->count, &p.poly, p.scale), EIS_OK);
    eis_ckks_plain_clear(&p);
}

/* Largest distance between what a ciphertext holds and what it should. */
static inline double world_error(const world *w, const eis_ckks_ct *ct, const eis_complex *expected)
{
    eis_complex *z = eis_mem_new(w->count, sizeof *z);
    double worst = 0;

    world_decrypt(w, z, ct);
    for (size_t i = 0; i < w->count; i++)
        worst = fmax(worst, hypot(z[i].re - expected[i].re, z[i].im - expected[i].im));
    eis_mem_free(z);
    return worst;
}

static inline eis_complex complex_mul(eis_complex a, eis_complex b)
{
    return (eis_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

#endif
