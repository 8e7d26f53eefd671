/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphertexts, written and read. */
#include "ckks/seal_ct.h"

#include "ckks/seal_words.h"

#include <math.h>
#include <string.h>

size_t eis_ckks_ct_bytes(const eis_ckks_params *params, size_t polys, size_t limbs, eis_seal_form form, bool seeded)
{
    return EIS_SEAL_HEADER_BYTES + eis_seal_pair_body_bytes(params->degree, polys, limbs, form, seeded);
}

void eis_ckks_ct_write(eis_writer *w, const eis_ckks_ct *ct, eis_seal_style style, bool seeded)
{
    const eis_poly *poly[EIS_CKKS_POLYS_MAX];
    size_t begin = eis_seal_begin(w, style.form);

    if (eis_ckks_ct_is_transparent(ct) && eis_wire_writer_status(w) == EIS_OK)
        w->st = eis_fail(EIS_ERR_INTERNAL, "a transparent ciphertext is not sent");
    for (size_t c = 0; c < ct->polys; c++) poly[c] = &ct->poly[c];
    eis_seal_pair_body_write(w, ct->params, poly, ct->polys, ct->scale, seeded ? ct->generator : 0, ct->seed,
                             style.form);
    eis_seal_end_as(w, begin, style.mode);
}

/* The checks between the fields and the words, in the order in which the answers differ. */
static eis_status check_fields(size_t *limbs, const eis_seal_pair_fields *f, const eis_ckks_params *params,
                               const eis_ckks_ct_rules *rules)
{
    eis_status st = EIS_OK;
    size_t level = eis_ckks_parms_id_limbs(params, f->parms_id), polys = rules->polys ? rules->polys : 2;

    EIS_REQUIRE(f->polys == polys, EIS_ERR_CIPHERTEXT, "a ciphertext of %llu polynomials, where %zu are wanted",
                (unsigned long long)f->polys, polys);
    EIS_REQUIRE(!(f->seeded && rules->full_only), EIS_ERR_CIPHERTEXT,
                "a seeded ciphertext, where a full one is wanted");
    EIS_REQUIRE(level >= 1 && level <= params->limbs_max, EIS_ERR_CONTEXT_MISMATCH,
                "a ciphertext of other parameters, or of the key level");
    EIS_REQUIRE(f->degree == params->degree, EIS_ERR_CONTEXT_MISMATCH, "a ciphertext of another degree");
    EIS_REQUIRE(f->limbs == level, EIS_ERR_CIPHERTEXT, "the number of limbs is not that of the parms_id");
    EIS_REQUIRE(eis_ckks_scale_fits(params, f->scale, level), EIS_ERR_CIPHERTEXT, "a scale beyond the level");
    EIS_REQUIRE(rules->limbs == 0 || level == rules->limbs, EIS_ERR_LEVEL, "a ciphertext of %zu limbs, %zu are wanted",
                level, rules->limbs);
    EIS_REQUIRE(rules->scale == 0 || fabs(f->scale - rules->scale) <= ldexp(rules->scale, -20), EIS_ERR_SCALE,
                "a ciphertext at scale 2^%.6f, where 2^%.6f is wanted", log2(f->scale), log2(rules->scale));
    *limbs = level;
out:
    return st;
}

static eis_status read_words(eis_ckks_ct *ct, const eis_seal_pair_fields *f)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &ct->params->rns;

    EIS_TRY(eis_seal_pair_words_read(&ct->poly[0], &ct->poly[1], rns, f));
    for (size_t c = 2; c < ct->polys; c++)
        EIS_TRY(eis_seal_words_read(&ct->poly[c], rns, f->words + c * ct->limbs * rns->degree * 8));
    if (f->seeded) {
        ct->generator = f->generator;
        memcpy(ct->seed, f->seed, sizeof ct->seed);
    }
out:
    return st;
}

eis_status eis_ckks_ct_read(eis_ckks_ct *ct, eis_seal_form *form, const eis_ckks_params *params,
                            const eis_ckks_ct_rules *rules, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    eis_seal_pair_fields f;
    size_t polys = rules->polys ? rules->polys : 2, limbs = rules->limbs ? rules->limbs : params->limbs_max;

    EIS_ASSERT(polys >= 2 && polys <= EIS_CKKS_POLYS_MAX && limbs <= params->limbs_max);
    eis_ckks_ct_clear(ct);
    EIS_TRY(eis_seal_object_open(&object, "ciphertext", data, bytes,
                                 eis_ckks_ct_bytes(params, polys, limbs, EIS_SEAL_FORM_4_1, false)));
    EIS_REQUIRE(!rules->plain_only || object.mode == EIS_SEAL_NONE, EIS_ERR_CIPHERTEXT,
                "a compressed ciphertext, where one that is not is wanted");
    EIS_TRY(eis_seal_pair_body_open(&f, &object.body, &object));
    EIS_TRY(eis_seal_object_end(&object));
    EIS_TRY(check_fields(&limbs, &f, params, rules));
    EIS_TRY(eis_ckks_ct_init(ct, params, polys, limbs, f.scale));
    EIS_TRY(read_words(ct, &f));
    if (form != NULL) *form = eis_seal_object_form(&object);
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    eis_seal_object_close(&object);
    return st;
}
