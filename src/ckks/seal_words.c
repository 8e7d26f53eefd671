/* SPDX-License-Identifier: Apache-2.0 */
/* The two bodies that four kinds of objects share. */
#include "ckks/seal_words.h"

#include "ring/sampler.h"

#include <math.h>

#define POLYS_WIRE_MAX 16 /* of SEAL; readers of ours take fewer */
#define SEED_BYTES     (EIS_SEAL_HEADER_BYTES + 1 + EIS_EXPAND_SEED_BYTES)

eis_status eis_seal_words_read(eis_poly *poly, const eis_rns *rns, const uint8_t *words)
{
    size_t count = poly->limbs * poly->degree;

    for (size_t i = 0; i < count; i++) poly->words[i] = eis_load_le64(words + 8 * i);
    if (!eis_poly_canonical(rns, poly)) return eis_fail(EIS_ERR_CIPHERTEXT, "a word is not below its prime");
    return EIS_OK;
}

/* ---- Plaintext body --------------------------------------------------------------------------------------------- */

void eis_seal_plain_body_write(eis_writer *w, const eis_ckks_params *params, const eis_poly *poly, double scale,
                               eis_seal_form form)
{
    eis_wire_writer_bytes(w, params->parms_id[poly->limbs], EIS_CKKS_PARMS_ID_BYTES);
    eis_wire_writer_u64(w, poly->limbs * poly->degree);
    eis_wire_writer_f64(w, scale);
    eis_seal_array_write(w, form, poly->words, poly->limbs * poly->degree);
}

eis_status eis_seal_plain_body_open(eis_seal_plain_fields *f, eis_seal_object *object)
{
    eis_reader *r = &object->body;

    f->parms_id = eis_wire_reader_bytes(r, EIS_CKKS_PARMS_ID_BYTES);
    f->coeff_count = eis_wire_reader_u64(r);
    f->scale = eis_wire_reader_f64(r);
    f->words = eis_seal_array_open(r, object, &f->count);
    return eis_seal_object_end(object);
}

/* ---- Ciphertext body -------------------------------------------------------------------------------------------- */

size_t eis_seal_pair_body_bytes(size_t degree, size_t polys, size_t limbs, eis_seal_form form, bool seeded)
{
    size_t fixed = EIS_CKKS_PARMS_ID_BYTES + 1 + 8 + 8 + 8 + 8 + (form == EIS_SEAL_FORM_UNIVERSAL ? 0 : 8);

    EIS_ASSERT(!seeded || polys == 2);
    return fixed + EIS_SEAL_ARRAY_BYTES + (seeded ? 1 : polys) * limbs * degree * 8 + (seeded ? SEED_BYTES : 0);
}

static void write_arrays(eis_writer *w, const eis_poly *poly[], size_t polys, eis_seal_form form)
{
    size_t begin = eis_seal_begin(w, form), count = poly[0]->limbs * poly[0]->degree;

    eis_wire_writer_u64(w, polys * count);
    for (size_t c = 0; c < polys; c++) {
        uint8_t *to = eis_wire_writer_reserve(w, count * 8);

        if (to == NULL) return;
        for (size_t i = 0; i < count; i++) eis_store_le64(to + 8 * i, poly[c]->words[i]);
    }
    eis_seal_end(w, begin);
}

void eis_seal_pair_body_write(eis_writer *w, const eis_ckks_params *params, const eis_poly *poly[], size_t polys,
                              double scale, unsigned generator, const uint8_t *seed, eis_seal_form form)
{
    EIS_ASSERT(generator == 0 || polys == 2);
    eis_wire_writer_bytes(w, params->parms_id[poly[0]->limbs], EIS_CKKS_PARMS_ID_BYTES);
    eis_wire_writer_u8(w, 1);
    eis_wire_writer_u64(w, polys);
    eis_wire_writer_u64(w, params->degree);
    eis_wire_writer_u64(w, poly[0]->limbs);
    eis_wire_writer_f64(w, scale);
    if (form != EIS_SEAL_FORM_UNIVERSAL) eis_wire_writer_u64(w, 1);
    write_arrays(w, poly, generator ? 1 : polys, form);
    if (generator) {
        size_t begin = eis_seal_begin(w, form);

        eis_wire_writer_u8(w, (uint8_t)generator);
        eis_wire_writer_bytes(w, seed, EIS_EXPAND_SEED_BYTES);
        eis_seal_end(w, begin);
    }
}

/* The seed behind a single polynomial. Under (3,4) and (3,5) it is 64 bare bytes of another expansion: refused. */
static void read_seed(eis_seal_pair_fields *f, eis_reader *r, const eis_seal_object *object)
{
    eis_reader inner;

    if (object->major == 3 && object->minor < 6)
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a seeded object of before version 3.6");
    if (f->polys != 2) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a seeded object has two polynomials");
    eis_seal_nested(&inner, r, object);
    f->generator = eis_wire_reader_u8(&inner);
    if (f->generator != EIS_EXPAND_BLAKE2XB && f->generator != EIS_EXPAND_SHAKE256)
        eis_wire_reader_fail(&inner, EIS_ERR_CIPHERTEXT, "an unknown generator");
    eis_wire_reader_copy(&inner, f->seed, sizeof f->seed);
    eis_seal_nested_end(r, &inner);
}

/* Whether count = factor * limbs * N without overflow. */
static bool count_is(const eis_seal_pair_fields *f, uint64_t factor)
{
    uint64_t words;

    return !__builtin_mul_overflow(f->limbs, f->degree, &words) && !__builtin_mul_overflow(words, factor, &words) &&
           words == f->count;
}

eis_status eis_seal_pair_body_open(eis_seal_pair_fields *f, eis_reader *r, const eis_seal_object *object)
{
    *f = (eis_seal_pair_fields){.correction = 1};
    f->parms_id = eis_wire_reader_bytes(r, EIS_CKKS_PARMS_ID_BYTES);
    f->is_ntt = eis_wire_reader_u8(r) == 1;
    f->polys = eis_wire_reader_u64(r);
    f->degree = eis_wire_reader_u64(r);
    f->limbs = eis_wire_reader_u64(r);
    f->scale = eis_wire_reader_f64(r);
    if (object->major != 3) f->correction = eis_wire_reader_u64(r);
    if (!f->is_ntt) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "not a CKKS object: it is not in NTT form");
    if (f->polys < 2 || f->polys > POLYS_WIRE_MAX)
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "the number of polynomials is not in [2, %d]", POLYS_WIRE_MAX);
    if (f->correction != 1) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a correction factor other than 1");
    if (!isnormal(f->scale) || f->scale <= 0 || f->scale >= ldexp(1, EIS_CKKS_SCALE_LOG2_MAX))
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "an impossible scale");
    f->words = eis_seal_array_open(r, object, &f->count);
    f->seeded = count_is(f, 1);
    if (f->seeded)
        read_seed(f, r, object);
    else if (!count_is(f, f->polys))
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "the words are not those of the polynomials and limbs");
    return eis_seal_status(eis_wire_reader_status(r));
}

eis_status eis_seal_pair_words_read(eis_poly *c0, eis_poly *c1, const eis_rns *rns, const eis_seal_pair_fields *f)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_seal_words_read(c0, rns, f->words));
    if (f->seeded)
        EIS_TRY(eis_sampler_uniform_seeded(rns, c1, f->generator, f->seed));
    else
        EIS_TRY(eis_seal_words_read(c1, rns, f->words + c0->limbs * c0->degree * 8));
    for (size_t i = 0; i < c1->limbs; i++)
        EIS_REQUIRE(!eis_poly_limb_is_zero(c1, i), EIS_ERR_CIPHERTEXT, "a transparent object: c1 is zero");
out:
    return st;
}
