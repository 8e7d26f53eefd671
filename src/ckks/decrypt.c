/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption, by Horner's rule in the secret. */
#include "ckks/decrypt.h"

eis_status eis_ckks_decrypt(eis_ckks_plain *plain, const eis_ckks_secret_key *key, const eis_ckks_ct *ct)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &ct->params->rns;
    eis_poly s;

    EIS_ASSERT(key->params == ct->params);
    s = eis_ckks_secret_key_view(key, ct->limbs, 0);
    EIS_TRY(eis_ckks_plain_init(plain, ct->params, ct->limbs, 0, ct->scale));
    if (ct->polys == 1) eis_poly_copy(rns, &plain->poly, &ct->poly[0]);
    for (size_t c = ct->polys - 1; c-- > 0;) {
        eis_poly_mul(rns, &plain->poly, c + 2 == ct->polys ? &ct->poly[c + 1] : &plain->poly, &s);
        eis_poly_add(rns, &plain->poly, &plain->poly, &ct->poly[c]);
    }
out:
    if (st != EIS_OK) eis_ckks_plain_clear(plain);
    return st;
}
