/* SPDX-License-Identifier: Apache-2.0 */
/* Secret keys, written and read. */
#include "ckks/seal_secret.h"

#include "base/ct.h"
#include "ckks/seal_words.h"

size_t eis_ckks_secret_key_bytes(const eis_ckks_params *params)
{
    return EIS_SEAL_HEADER_BYTES + EIS_CKKS_PARMS_ID_BYTES + 8 + 8 + EIS_SEAL_ARRAY_BYTES +
           8 * params->prime_count * params->degree;
}

void eis_ckks_secret_key_write(eis_writer *w, const eis_ckks_secret_key *key, eis_seal_form form)
{
    size_t begin = eis_seal_begin(w, form);

    eis_seal_plain_body_write(w, key->params, &key->s, 1, form);
    eis_seal_end(w, begin);
}

/* Tells whether the coefficients are -1, 0 and 1, the same on all primes. Constant time but for the answer. */
static bool is_ternary(const eis_rns *rns, const eis_poly *coeff)
{
    uint64_t wrong = 0;

    for (size_t limb = 0; limb < coeff->limbs; limb++) {
        const uint64_t *first = eis_poly_limb(coeff, 0), *words = eis_poly_limb(coeff, limb);
        uint64_t first_q = eis_poly_plan(rns, coeff, 0)->mod.q, q = eis_poly_plan(rns, coeff, limb)->mod.q;

        for (size_t i = 0; i < coeff->degree; i++) {
            uint64_t small = eis_ct_mask_less(first[i], 2), minus = eis_ct_mask_equal(first[i], first_q - 1);
            uint64_t expected = eis_ct_select(minus, q - 1, first[i]);

            wrong |= ~(small | minus) | (words[i] ^ expected);
        }
    }
    /* Whether a key file is a key may be known to its owner, who gets the answer. */
    EIS_PUBLIC(&wrong, sizeof wrong);
    return wrong == 0;
}

static eis_status check_secret(const eis_ckks_secret_key *key)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &key->params->rns;
    eis_poly coeff = {0};

    EIS_TRY(eis_poly_init_secret(rns, &coeff, key->s.limbs, key->s.special, EIS_DOMAIN_NTT));
    eis_poly_copy(rns, &coeff, &key->s);
    eis_poly_to_coeff(rns, &coeff);
    EIS_REQUIRE(is_ternary(rns, &coeff), EIS_ERR_CIPHERTEXT, "the secret is not ternary");
out:
    eis_poly_clear(&coeff);
    return st;
}

eis_status eis_ckks_secret_key_read(eis_ckks_secret_key *key, const eis_ckks_params *params, const void *data,
                                    size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    eis_seal_plain_fields f;

    eis_ckks_secret_key_clear(key);
    key->params = params;
    EIS_TRY(eis_seal_object_open(&object, "secret key", data, bytes, eis_ckks_secret_key_bytes(params)));
    EIS_TRY(eis_seal_plain_body_open(&f, &object));
    EIS_REQUIRE(eis_ckks_parms_id_limbs(params, f.parms_id) == params->prime_count, EIS_ERR_CONTEXT_MISMATCH,
                "a secret key of other parameters");
    EIS_REQUIRE(f.coeff_count == params->prime_count * params->degree && f.count == f.coeff_count && f.scale == 1,
                EIS_ERR_CIPHERTEXT, "a secret key whose counts or scale are not those of its parameters");
    EIS_TRY(eis_poly_init_secret(&params->rns, &key->s, params->prime_count, params->has_special, EIS_DOMAIN_NTT));
    EIS_TRY(eis_seal_words_read(&key->s, &params->rns, f.words));
    EIS_TRY(check_secret(key));
out:
    if (st != EIS_OK) eis_ckks_secret_key_clear(key);
    eis_seal_object_close(&object);
    return st;
}
