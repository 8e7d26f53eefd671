/* SPDX-License-Identifier: Apache-2.0 */
/* Both ways to encrypt. */
#include "ckks/encrypt.h"

#include "base/ct.h"
#include "base/mem.h"

eis_status eis_ckks_encrypt_symmetric(eis_ckks_ct *ct, const eis_ckks_secret_key *key, const eis_ckks_plain *plain)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &plain->params->rns;

    EIS_ASSERT(key->params == plain->params && plain->poly.special == 0);
    EIS_TRY(eis_ckks_ct_init(ct, plain->params, 2, plain->poly.limbs, plain->scale));
    EIS_TRY(eis_ckks_zero_encrypt(&ct->poly[0], &ct->poly[1], ct->seed, key));
    eis_poly_add(rns, &ct->poly[0], &ct->poly[0], &plain->poly);
    /* The sum is a ciphertext, which the server gets to see. */
    EIS_PUBLIC(ct->poly[0].words, ct->limbs * rns->degree * sizeof(uint64_t));
    ct->generator = EIS_CKKS_GENERATOR;
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    return st;
}

/* r = (pk u + e) / q_last, for one of the key's polynomials. Shape: r, u and scratch have one limb more than the
 * plaintext, as a prefix of the chain; r ends with the plaintext's limbs. */
static eis_status encrypt_half(const eis_rns *rns, eis_poly *r, const eis_poly *key, const eis_poly *u,
                               eis_poly *scratch, eis_prg *prg)
{
    eis_status st = EIS_OK;
    eis_poly cut = eis_poly_view(rns, key->words, u->limbs, 0, EIS_DOMAIN_NTT);

    EIS_TRY(eis_ckks_error_draw(rns, scratch, prg));
    eis_poly_mul(rns, r, &cut, u);
    eis_poly_add(rns, r, r, scratch);
    EIS_TRY(eis_poly_rescale(rns, r));
out:
    return st;
}

eis_status eis_ckks_encrypt_public(eis_ckks_ct *ct, const eis_ckks_public_key *key, const eis_ckks_plain *plain)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = plain->params;
    const eis_rns *rns = &params->rns;
    size_t limbs = plain->poly.limbs;
    eis_poly u = {0}, scratch = {0}, half = {0};
    eis_prg prg = {0};

    EIS_ASSERT(key->params == params && plain->poly.special == 0);
    EIS_REQUIRE(limbs < params->prime_count, EIS_ERR_UNSUPPORTED, "a chain of one prime has no public-key encryption");
    EIS_TRY(eis_ckks_ct_init(ct, params, 2, limbs, plain->scale));
    EIS_TRY(eis_poly_init_secret(rns, &u, limbs + 1, 0, EIS_DOMAIN_NTT));
    EIS_TRY(eis_poly_init_secret(rns, &scratch, limbs + 1, 0, EIS_DOMAIN_NTT));
    EIS_TRY(eis_ckks_secret_stream(&prg));
    EIS_TRY(eis_ckks_ternary_draw(rns, &u, &prg));
    for (size_t c = 0; c < 2; c++) {
        EIS_TRY(eis_poly_init_secret(rns, &half, limbs + 1, 0, EIS_DOMAIN_NTT));
        EIS_TRY(encrypt_half(rns, &half, c == 0 ? &key->row.b : &key->row.a, &u, &scratch, &prg));
        eis_poly_copy(rns, &ct->poly[c], &half);
    }
    eis_poly_add(rns, &ct->poly[0], &ct->poly[0], &plain->poly);
    /* Both are the ciphertext, which the server gets to see. */
    EIS_PUBLIC(ct->poly[0].words, limbs * rns->degree * sizeof(uint64_t));
    EIS_PUBLIC(ct->poly[1].words, limbs * rns->degree * sizeof(uint64_t));
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    eis_poly_clear(&u);
    eis_poly_clear(&scratch);
    eis_poly_clear(&half);
    eis_prg_clear(&prg);
    return st;
}
