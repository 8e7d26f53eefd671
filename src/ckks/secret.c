/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys and encryptions of zero. Errors and secrets come from a generator that is seeded for one operation and
 * wiped behind it; the public seed is drawn by a call of its own, so that nothing secret stands behind it. */
#include "ckks/secret.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "rand/entropy.h"
#include "ring/sampler.h"

#include <string.h>

eis_status eis_ckks_secret_stream(eis_prg *prg)
{
    eis_status st = EIS_OK;
    uint8_t seed[EIS_SEED_BYTES_MAX];
    size_t bytes = eis_suite_seed_bytes(EIS_SUITE_AES256);

    EIS_TRY(eis_entropy_draw(seed, bytes));
    EIS_TRY(eis_prg_start(prg, EIS_SUITE_AES256, seed, bytes));
out:
    eis_mem_wipe(seed, sizeof seed);
    return st;
}

typedef eis_status (*sampler)(int8_t *coeff, size_t n, const eis_byte_source *stream);

/* Draws a polynomial of small coefficients, in the coefficient domain. */
static eis_status draw_small(const eis_rns *rns, eis_poly *r, eis_prg *prg, sampler sample)
{
    eis_status st = EIS_OK;
    eis_byte_source stream = eis_prg_stream(prg);
    int8_t *coeff = eis_mem_new_secret(rns->degree, sizeof *coeff);

    if (coeff == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(sample(coeff, rns->degree, &stream));
    eis_poly_set_small(rns, r, coeff);
out:
    if (st != EIS_OK) eis_mem_wipe(r->words, r->limbs * r->degree * sizeof *r->words);
    eis_mem_free_wiped(coeff, rns->degree, sizeof *coeff);
    return st;
}

eis_status eis_ckks_ternary_draw(const eis_rns *rns, eis_poly *u, eis_prg *prg)
{
    eis_status st = EIS_OK;

    EIS_TRY(draw_small(rns, u, prg, eis_sampler_ternary));
    eis_poly_to_ntt(rns, u);
out:
    return st;
}

eis_status eis_ckks_secret_key_generate(eis_ckks_secret_key *key, const eis_ckks_params *params)
{
    eis_status st = EIS_OK;
    eis_prg prg = {0};

    eis_ckks_secret_key_clear(key);
    key->params = params;
    EIS_TRY(eis_poly_init_secret(&params->rns, &key->s, params->prime_count, params->has_special, EIS_DOMAIN_NTT));
    EIS_TRY(eis_ckks_secret_stream(&prg));
    EIS_TRY(eis_ckks_ternary_draw(&params->rns, &key->s, &prg));
out:
    if (st != EIS_OK) eis_ckks_secret_key_clear(key);
    eis_prg_clear(&prg);
    return st;
}

void eis_ckks_secret_key_clear(eis_ckks_secret_key *key)
{
    eis_poly_clear(&key->s);
    *key = (eis_ckks_secret_key){0};
}

eis_poly eis_ckks_secret_key_view(const eis_ckks_secret_key *key, size_t limbs, size_t special)
{
    EIS_ASSERT(special == 0 || limbs == key->params->prime_count);
    return eis_poly_view(&key->params->rns, key->s.words, limbs, special, EIS_DOMAIN_NTT);
}

/* b -= a s, limb by limb, so that the product is still in a near cache when it is taken away. */
static eis_status subtract_product(const eis_rns *rns, eis_poly *b, const eis_poly *a, const eis_poly *s)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    uint64_t *product = eis_mem_new_secret(b->degree, sizeof *product);

    EIS_ASSERT(a->limbs == b->limbs && s->limbs == b->limbs && a->special == b->special && s->special == b->special);
    if (product == NULL) return EIS_ERR_MEMORY;
    for (size_t i = 0; i < b->limbs; i++) {
        const eis_modulus *m = &eis_poly_plan(rns, b, i)->mod;

        k->mul(product, eis_poly_limb(a, i), eis_poly_limb(s, i), b->degree, m);
        k->sub(eis_poly_limb(b, i), eis_poly_limb(b, i), product, b->degree, m);
    }
    eis_mem_free_wiped(product, b->degree, sizeof *product);
    return EIS_OK;
}

/* An error, and the message where there is one, in the value domain: a message of coefficients is transformed with the
 * error. This error is that of the header, negated: both are distributed alike. */
static eis_status draw_noisy(const eis_rns *rns, eis_poly *b, const eis_poly *message, eis_prg *prg)
{
    eis_status st = EIS_OK;

    EIS_TRY(draw_small(rns, b, prg, eis_sampler_error));
    if (message != NULL && message->domain == EIS_DOMAIN_COEFF) eis_poly_add(rns, b, b, message);
    eis_poly_to_ntt(rns, b);
    if (message != NULL && message->domain == EIS_DOMAIN_NTT) eis_poly_add(rns, b, b, message);
out:
    return st;
}

eis_status eis_ckks_message_encrypt_under(eis_poly *b, eis_poly *a, uint8_t seed[EIS_EXPAND_SEED_BYTES],
                                          const eis_rns *rns, const eis_poly *s, const eis_poly *message)
{
    eis_status st = EIS_OK;
    eis_prg prg = {0};

    EIS_TRY(eis_entropy_draw(seed, EIS_EXPAND_SEED_BYTES));
    /* The seed stands in the object in place of `a`: it is published. */
    EIS_PUBLIC(seed, EIS_EXPAND_SEED_BYTES);
    EIS_TRY(eis_sampler_uniform_seeded(rns, a, EIS_CKKS_GENERATOR, seed));
    EIS_TRY(eis_ckks_secret_stream(&prg));
    EIS_TRY(draw_noisy(rns, b, message, &prg));
    EIS_TRY(subtract_product(rns, b, a, s));
    /* b and a go to the server: under LWE they are uniform to whoever has not the key. */
    EIS_PUBLIC(b->words, b->limbs * b->degree * sizeof *b->words);
out:
    if (st != EIS_OK) {
        eis_mem_wipe(b->words, b->limbs * b->degree * sizeof *b->words);
        eis_mem_wipe(a->words, a->limbs * a->degree * sizeof *a->words);
        eis_mem_wipe(seed, EIS_EXPAND_SEED_BYTES);
    }
    eis_prg_clear(&prg);
    return st;
}

eis_status eis_ckks_zero_encrypt_under(eis_poly *b, eis_poly *a, uint8_t seed[EIS_EXPAND_SEED_BYTES],
                                       const eis_rns *rns, const eis_poly *s)
{
    return eis_ckks_message_encrypt_under(b, a, seed, rns, s, NULL);
}
