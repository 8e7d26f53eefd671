/* SPDX-License-Identifier: Apache-2.0 */
/* Plaintexts, written and read: header | parms_id | u64 coeff_count | f64 scale | array of words. */
#include "ckks/seal_plain.h"

#include "ckks/seal_words.h"

#define FIXED_BYTES (EIS_SEAL_HEADER_BYTES + EIS_CKKS_PARMS_ID_BYTES + 8 + 8 + EIS_SEAL_ARRAY_BYTES)

size_t eis_ckks_plain_bytes(const eis_ckks_params *params, size_t limbs)
{
    return FIXED_BYTES + 8 * limbs * params->degree;
}

void eis_ckks_plain_write(eis_writer *w, const eis_ckks_plain *plain, eis_seal_style style)
{
    EIS_ASSERT(plain->poly.special == 0);
    size_t begin = eis_seal_begin(w, style.form);

    eis_seal_plain_body_write(w, plain->params, &plain->poly, plain->scale, style.form);
    eis_seal_end_as(w, begin, style.mode);
}

eis_status eis_ckks_plain_read(eis_ckks_plain *plain, const eis_ckks_params *params, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    eis_seal_plain_fields f;
    size_t limbs;

    eis_ckks_plain_clear(plain);
    EIS_TRY(eis_seal_object_open(&object, "plaintext", data, bytes, eis_ckks_plain_bytes(params, params->limbs_max)));
    EIS_TRY(eis_seal_plain_body_open(&f, &object));
    limbs = eis_ckks_parms_id_limbs(params, f.parms_id);
    EIS_REQUIRE(limbs >= 1 && limbs <= params->limbs_max, EIS_ERR_CONTEXT_MISMATCH,
                "a plaintext of other parameters, or of the key level");
    EIS_REQUIRE(f.coeff_count == limbs * params->degree && f.count == f.coeff_count, EIS_ERR_CIPHERTEXT,
                "a plaintext whose counts are not those of its level");
    EIS_REQUIRE(eis_ckks_scale_fits(params, f.scale, limbs), EIS_ERR_CIPHERTEXT,
                "a plaintext with an impossible scale");
    EIS_TRY(eis_ckks_plain_init(plain, params, limbs, 0, f.scale));
    EIS_TRY(eis_seal_words_read(&plain->poly, &params->rns, f.words));
out:
    if (st != EIS_OK) eis_ckks_plain_clear(plain);
    eis_seal_object_close(&object);
    return st;
}
