/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphertexts to numbers, and flooding for those that are shown to others.
 *
 * Flooding adds a Gaussian of deviation sigma = sqrt(12 tau) 2^(s/2) B to each of tau published values, B the bound of
 * their error: by [LMSS22, theorem 2] an adversary then gains at most 2^-s over one who does not see them, provided
 * that the error really is below B, that is, that the server computed what it should. */
#include "engine/he/recover.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"
#include "ckks/decrypt.h"
#include "model/activation.h"
#include "rand/prg.h"

#include <math.h>

#define DROWNED 0x1p-8 /* of the largest answer: flooding above that leaves nothing to publish */

/* The largest |value| that an answer can have at its level and scale, by the sizes of the primes. */
static double room_of(const eis_he_contract *contract, const eis_he_output *out)
{
    const eis_ckks_literal *l = &contract->literal;
    double bits = 0;

    for (uint32_t i = 0; i < out->limbs; i++) bits += l->primes[0] != 0 ? log2((double)l->primes[i]) : l->bits[i];
    return exp2(bits - 1) / out->scale;
}

eis_status eis_he_publish_check(double *deviation, const eis_he_contract *contract, uint32_t stage,
                                const eis_he_publish *publish)
{
    eis_status st = EIS_OK;
    const eis_he_output *out;
    double values, most, unit, sigma;

    EIS_ASSERT(stage < contract->stage_count);
    out = &contract->stage[stage].output;
    values = publish->values > 0 ? (double)publish->values : (double)out->count;
    most = room_of(contract, out) * DROWNED;
    unit = sqrt(12 * values) * out->error;
    *deviation = 0;
    if (publish->bits == 0) return EIS_OK;
    sigma = unit * exp2(publish->bits / 2.0);
    EIS_REQUIRE(unit > 0 && sigma <= most, EIS_ERR_RANGE,
                "to publish %.0f values with %u bits takes noise of deviation %.3g, and this chain has room for %.3g, "
                "which is %.0f bits",
                values, publish->bits, sigma, most, fmax(0, floor(2 * log2(most / fmax(unit, 0x1p-1000)))));
    *deviation = sigma;
out:
    return st;
}

/* ---- A Gaussian without branches ------------------------------------------------------------------------------------
 */

/* -ln u for a word that stands for u = (word + 1/2) / 2^64, by Newton's steps on e^-y = u. */
static double minus_log(uint64_t word)
{
    const double ln2 = 0.69314718055994530942;
    double u = ((double)(word >> 11) + 0.5) * 0x1p-53, mantissa, y;
    uint64_t bits = eis_bits_of_f64(u);
    int exponent;

    exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    mantissa = eis_f64_of_bits(bits);                            /* in [1, 2) */
    y = (mantissa - 1) * (1 - 0.307 * (mantissa - 1));           /* ln mantissa, to 0.02 */
    for (int i = 0; i < 4; i++) y += mantissa * eis_exp(-y) - 1; /* the error is squared each time */
    return -(y + exponent * ln2);
}

/* cos(2 pi v) for |v| <= 1/2: Taylor's series to x^30, whose rest is below 1e-19. */
static double cosine_of_turn(double v)
{
    double x2 = 39.478417604357434475 * v * v, sum = 1;

    for (int k = 30; k >= 2; k -= 2) sum = 1 - sum * x2 / (k * (k - 1));
    return sum;
}

/* Adds deviation times a normal number to each of y [BM58]. Secret: y and the randomness. */
static eis_status add_flooding(double *y, size_t count, double deviation)
{
    eis_status st = EIS_OK;
    eis_prg prg = {0};
    uint64_t words[2];

    EIS_TRY(eis_ckks_secret_stream(&prg));
    for (size_t i = 0; i < count; i++) {
        EIS_TRY(eis_prg_read(&prg, words, sizeof words));
        double radius2 = 2 * minus_log(words[0]), turn = (double)(int64_t)words[1] * 0x1p-64;
        y[i] += deviation * radius2 * eis_inverse_sqrt(radius2) * cosine_of_turn(turn);
    }
out:
    eis_prg_clear(&prg);
    eis_mem_wipe(words, sizeof words);
    return st;
}

/* ---- Opening
 * --------------------------------------------------------------------------------------------------------- */

/* One ciphertext's values to their places in y. Shape: slots[N/2]. */
static void take_values(double *y, const double *slots, const eis_he_contract *contract, uint32_t stage, uint32_t index,
                        size_t batch)
{
    uint32_t count = contract->stage[stage].output.count;

    if (contract->stage[stage].input.kind == EIS_HE_FEATURES) {
        for (size_t sample = 0; sample < batch; sample++) y[sample * count + index] = slots[sample];
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ciphertext;
        size_t slot;

        eis_he_output_place(&ciphertext, &slot, contract, stage, i);
        if (ciphertext == index) y[i] = slots[slot];
    }
}

static eis_status open_one(double *slots, const eis_he_client *client, const eis_ckks_ct *ct)
{
    eis_status st = EIS_OK;
    eis_ckks_plain plain = {0};

    EIS_TRY(eis_ckks_decrypt(&plain, &client->secret, ct));
    EIS_TRY(eis_slots_decode_reals(&client->slots, &client->params->rns, slots, client->slots.count, &plain.poly,
                                   plain.scale));
out:
    eis_ckks_plain_clear(&plain);
    return st;
}

/* What a reader has made sure of. */
static void check_ct(const eis_he_client *client, const eis_he_output *out, const eis_ckks_ct *ct)
{
    EIS_ASSERT(ct->params == client->params && ct->limbs == out->limbs && ct->polys <= out->polys);
    EIS_ASSERT(fabs(ct->scale / out->scale - 1) <= 0x1p-8); /* readers ask for more */
}

eis_status eis_he_recover(double *y, const eis_he_client *client, uint32_t stage, const eis_ckks_ct *ct, size_t batch,
                          const eis_he_publish *publish)
{
    eis_status st = EIS_OK;
    const eis_he_contract *c = client->contract;
    const eis_he_output *out;
    eis_he_publish shown = publish != NULL ? *publish : (eis_he_publish){0};
    size_t count = client->slots.count, values;
    double deviation, *slots = NULL;

    EIS_ASSERT(stage < c->stage_count && batch >= 1 && batch <= c->batch_max);
    out = &c->stage[stage].output;
    values = batch * out->count;
    if (shown.values == 0) shown.values = values;
    EIS_TRY(eis_he_publish_check(&deviation, c, stage, &shown));
    slots = eis_mem_new_secret(count, sizeof *slots);
    if (slots == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < out->ciphertexts; i++) {
        check_ct(client, out, &ct[i]);
        EIS_TRY(open_one(slots, client, &ct[i]));
        take_values(y, slots, c, stage, i, batch);
    }
    if (deviation > 0) EIS_TRY(add_flooding(y, values, deviation));
out:
    if (st != EIS_OK) eis_mem_wipe(y, batch * c->stage[stage].output.count * sizeof *y);
    eis_mem_free_wiped(slots, count, sizeof *slots);
    return st;
}
