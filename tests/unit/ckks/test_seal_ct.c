/* SPDX-License-Identifier: Apache-2.0 */
/* A ciphertext is what a stranger sends first. One that is malformed and accepted could crash the server, be readable
 * by anybody, or bring the client's key out of its reply; one that is well-formed and refused locks every other client
 * out. */
#include "world.h"

#include "base/bytes.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_plain.h"
#include "ckks/seal_secret.h"

/* Offsets of the fields of a ciphertext object in the form 4.1. */
enum {
    AT_ID = 16,
    AT_NTT = 48,
    AT_POLYS = 49,
    AT_N = 57,
    AT_LIMBS = 65,
    AT_SCALE = 73,
    AT_CORRECTION = 81,
    AT_ARRAY = 89,
    AT_COUNT = 105,
    AT_WORDS = 113
};

static void write_ct(eis_writer *out, const eis_ckks_ct *ct, eis_seal_style style, bool seeded)
{
    eis_wire_writer_init(out, (size_t)1 << 26);
    eis_ckks_ct_write(out, ct, style, seeded);
    assert_int_equal(eis_wire_writer_status(out), EIS_OK);
}

static void sizes_are_those_of_seal(void **state)
{
    const eis_ckks_params *p0, *l1;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&p0, &CHAIN_P0), EIS_OK);
    assert_int_equal(eis_ckks_params_new(&l1, &CHAIN_L1), EIS_OK);
    assert_int_equal(eis_ckks_ct_bytes(p0, 2, 3, EIS_SEAL_FORM_4_1, false), 393329);
    assert_int_equal(eis_ckks_ct_bytes(p0, 2, 3, EIS_SEAL_FORM_4_1, true), 196802);
    assert_int_equal(eis_ckks_ct_bytes(p0, 2, 1, EIS_SEAL_FORM_4_1, false), 131185);
    assert_int_equal(eis_ckks_ct_bytes(p0, 2, 3, EIS_SEAL_FORM_UNIVERSAL, false), 393321);
    assert_int_equal(eis_ckks_ct_bytes(l1, 2, 3, EIS_SEAL_FORM_4_1, false), 786545);
    assert_int_equal(eis_ckks_ct_bytes(l1, 2, 3, EIS_SEAL_FORM_4_1, true), 393410);
    assert_int_equal(eis_ckks_ct_bytes(l1, 2, 1, EIS_SEAL_FORM_4_1, false), 262257);
    assert_int_equal(eis_ckks_plain_bytes(p0, 3), 196696);
    assert_int_equal(eis_ckks_secret_key_bytes(p0), 262232);
    eis_ckks_params_free(p0);
    eis_ckks_params_free(l1);
}

static void ciphertexts_travel_in_every_form(void **state)
{
    world w;
    eis_complex *z;

    (void)state;
    world_open(&w, CHAIN_P0, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_values(z, w.count, 3);
    for (size_t limbs = 1; limbs <= 3; limbs++)
        for (unsigned form = 0; form < 2; form++)
            for (unsigned mode = 0; mode < 3; mode++)
                for (unsigned seeded = 0; seeded < 2; seeded++) {
                    eis_ckks_ct ct = {0}, back = {0};
                    eis_ckks_ct_rules rules = {.limbs = limbs, .scale = 0x1p40};
                    eis_seal_form answer;
                    eis_writer out;

                    world_encrypt(&w, &ct, z, limbs, 0x1p40);
                    write_ct(&out, &ct, (eis_seal_style){(eis_seal_form)form, (eis_seal_mode)mode}, seeded);
                    if (mode == EIS_SEAL_NONE)
                        assert_int_equal(out.bytes, eis_ckks_ct_bytes(w.params, 2, limbs, (eis_seal_form)form, seeded));
                    else
                        assert_true(out.bytes <= eis_seal_packed_bytes_max(eis_ckks_ct_bytes(
                                                     w.params, 2, limbs, (eis_seal_form)form, seeded)));
                    assert_int_equal(eis_ckks_ct_read(&back, &answer, w.params, &rules, out.data, out.bytes), EIS_OK);
                    assert_int_equal(answer, form);
                    assert_true(back.scale == ct.scale && back.limbs == limbs && back.polys == 2);
                    assert_int_equal(back.generator, seeded ? ct.generator : 0);
                    for (size_t c = 0; c < 2; c++)
                        assert_memory_equal(back.poly[c].words, ct.poly[c].words, limbs * 8192 * 8);
                    assert_true(world_error(&w, &back, z) < 4e-9);
                    rules.full_only = true;
                    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes),
                                     seeded ? EIS_ERR_CIPHERTEXT : EIS_OK);
                    rules = (eis_ckks_ct_rules){.plain_only = true};
                    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes),
                                     mode ? EIS_ERR_CIPHERTEXT : EIS_OK);
                    eis_ckks_ct_clear(&ct);
                    eis_ckks_ct_clear(&back);
                    eis_wire_writer_clear(&out);
                }
    eis_mem_free(z);
    world_close(&w);
}

/* One hostile change and the answer that it must get. */
typedef struct change {
    size_t at, bytes;
    uint64_t value;
    eis_status st;
} change;

static uint64_t bits_of(double v)
{
    uint64_t word;

    memcpy(&word, &v, sizeof word);
    return word;
}

static void store(uint8_t *data, size_t at, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) data[at + i] = (uint8_t)(value >> (8 * i));
}

static void hostile_ciphertexts_are_refused_with_their_code(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_ct ct = {0}, back = {0};
    eis_writer out;

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_encrypt(&w, &ct, z, 2, 0x1p30);
    const size_t n = 4096, count = 2 * 2 * n, limb = 8 * n;
    const uint64_t q0 = eis_rns_modulus(&w.params->rns, 0)->q, q1 = eis_rns_modulus(&w.params->rns, 1)->q;
    const change changes[] = {
        {0, 1, 0x5f, EIS_ERR_CIPHERTEXT},
        {3, 2, 0x0504, EIS_ERR_CIPHERTEXT},
        {3, 1, 3, EIS_ERR_CIPHERTEXT}, /* (3,1), and nested headers unlike it */
        {5, 1, 3, EIS_ERR_CIPHERTEXT},
        {6, 2, 1, EIS_ERR_CIPHERTEXT},
        {8, 8, 15, EIS_ERR_CIPHERTEXT},
        {8, 8, (uint64_t)1 << 63, EIS_ERR_CIPHERTEXT},
        {8, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
        {AT_ID, 1, 0xee, EIS_ERR_CONTEXT_MISMATCH},
        {AT_NTT, 1, 0, EIS_ERR_CIPHERTEXT},
        {AT_NTT, 1, 2, EIS_ERR_CIPHERTEXT},
        {AT_POLYS, 8, 0, EIS_ERR_CIPHERTEXT},
        {AT_POLYS, 8, 1, EIS_ERR_CIPHERTEXT},
        {AT_POLYS, 8, 3, EIS_ERR_CIPHERTEXT},
        {AT_POLYS, 8, 17, EIS_ERR_CIPHERTEXT},
        {AT_POLYS, 8, (uint64_t)1 << 62, EIS_ERR_CIPHERTEXT},
        {AT_N, 8, 8192, EIS_ERR_CIPHERTEXT}, /* its words are not there */
        {AT_N, 8, 0, EIS_ERR_CIPHERTEXT},
        {AT_N, 8, (uint64_t)1 << 63, EIS_ERR_CIPHERTEXT},
        {AT_LIMBS, 8, 1, EIS_ERR_CIPHERTEXT},
        {AT_LIMBS, 8, 3, EIS_ERR_CIPHERTEXT},
        {AT_LIMBS, 8, 0, EIS_ERR_CIPHERTEXT},
        {AT_LIMBS, 8, (uint64_t)1 << 52, EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, bits_of(-1), EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, 0, EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, bits_of(-0.0), EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, bits_of(NAN), EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, bits_of(INFINITY), EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, 1, EIS_ERR_CIPHERTEXT}, /* subnormal */
        {AT_SCALE, 8, bits_of(0x1p200), EIS_ERR_CIPHERTEXT},
        {AT_SCALE, 8, bits_of(0x1p70), EIS_ERR_CIPHERTEXT}, /* beyond the 68 bits of the level */
        {AT_SCALE, 8, bits_of(0x1p31), EIS_ERR_SCALE},
        {AT_SCALE, 8, bits_of(0x1p30 * (1 + 0x1p-19)), EIS_ERR_SCALE},
        {AT_SCALE, 8, bits_of(0x1p30 * (1 + 0x1p-21)), EIS_OK},
        {AT_CORRECTION, 8, 0, EIS_ERR_CIPHERTEXT},
        {AT_CORRECTION, 8, 2, EIS_ERR_CIPHERTEXT},
        {AT_ARRAY + 4, 1, 4, EIS_ERR_CIPHERTEXT}, /* a nested version unlike the outer one */
        {AT_ARRAY + 5, 1, 1, EIS_ERR_CIPHERTEXT},
        {AT_ARRAY + 6, 2, 1, EIS_ERR_CIPHERTEXT},
        {AT_ARRAY + 8, 8, 24 + 8 * count - 8, EIS_ERR_CIPHERTEXT},
        {AT_ARRAY + 8, 8, 24 + 8 * count + 8, EIS_ERR_CIPHERTEXT},
        {AT_ARRAY + 8, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
        {AT_COUNT, 8, count - 1, EIS_ERR_CIPHERTEXT},
        {AT_COUNT, 8, count + 1, EIS_ERR_CIPHERTEXT},
        {AT_COUNT, 8, count / 2, EIS_ERR_CIPHERTEXT},                   /* as if it were seeded */
        {AT_COUNT, 8, ((uint64_t)1 << 61) + count, EIS_ERR_CIPHERTEXT}, /* times 8 the same, if it wrapped */
        {AT_WORDS, 8, q0, EIS_ERR_CIPHERTEXT},
        {AT_WORDS, 8, q0 - 1, EIS_OK},
        {AT_WORDS, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
        {AT_WORDS + limb, 8, q1, EIS_ERR_CIPHERTEXT},
        {AT_WORDS + 2 * limb - 8, 8, q1, EIS_ERR_CIPHERTEXT},
        {AT_WORDS + 3 * limb - 8, 8, q0, EIS_ERR_CIPHERTEXT},
        {AT_WORDS + 4 * limb - 8, 8, q1 - 1, EIS_OK},
        {AT_WORDS + 4 * limb - 8, 8, q1, EIS_ERR_CIPHERTEXT},
    };
    eis_ckks_ct_rules rules = {.limbs = 2, .scale = 0x1p30};

    write_ct(&out, &ct, (eis_seal_style){0}, false);
    uint8_t *data = eis_mem_new(out.bytes + 1, 1);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        memcpy(data, out.data, out.bytes);
        store(data, changes[i].at, changes[i].bytes, changes[i].value);
        assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes), changes[i].st);
        assert_true((back.params != NULL) == (changes[i].st == EIS_OK));
    }
    /* the key level, and a lower level than wanted */
    memcpy(data, out.data, out.bytes);
    memcpy(data + AT_ID, w.params->parms_id[3], 32);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes), EIS_ERR_CONTEXT_MISMATCH);
    rules.limbs = 1;
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes), EIS_ERR_LEVEL);
    rules.limbs = 2;
    /* transparent in one limb, in the other, in both */
    for (unsigned which = 1; which < 4; which++) {
        memcpy(data, out.data, out.bytes);
        if (which & 1) memset(data + AT_WORDS + 2 * limb, 0, limb);
        if (which & 2) memset(data + AT_WORDS + 3 * limb, 0, limb);
        assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes), EIS_ERR_CIPHERTEXT);
    }
    memcpy(data, out.data, out.bytes);
    memset(data + AT_WORDS, 0, 2 * limb); /* c0 may be anything */
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes), EIS_OK);
    /* a trailing byte, with and without the header knowing of it */
    memcpy(data, out.data, out.bytes);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes + 1), EIS_ERR_CIPHERTEXT);
    store(data, 8, 8, out.bytes + 1);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes + 1), EIS_ERR_CIPHERTEXT);
    /* of another degree: well-formed, so the answer is that it does not belong here */
    world other;
    eis_ckks_ct foreign = {0};
    eis_writer elsewhere;
    world_open(&other, CHAIN_A, NULL, 0);
    eis_complex *many = eis_mem_new(other.count, sizeof *many);
    world_encrypt(&other, &foreign, many, 2, 0x1p30);
    write_ct(&elsewhere, &foreign, (eis_seal_style){0}, true);
    assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, elsewhere.data, elsewhere.bytes),
                     EIS_ERR_CONTEXT_MISMATCH);
    eis_wire_writer_clear(&elsewhere);
    eis_ckks_ct_clear(&foreign);
    eis_mem_free(many);
    world_close(&other);

    eis_mem_free(data);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
    eis_wire_writer_clear(&out);
    eis_mem_free(z);
    world_close(&w);
}

static void hostile_seeds_are_refused(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_ct ct = {0}, back = {0};
    eis_writer out;
    const eis_ckks_ct_rules rules = {0};

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_encrypt(&w, &ct, z, 2, 0x1p30);
    write_ct(&out, &ct, (eis_seal_style){0}, true);
    const size_t at_seed = AT_WORDS + 8 * 2 * 4096;
    const change changes[] = {
        {at_seed, 1, 0x5f, EIS_ERR_CIPHERTEXT},         {at_seed + 4, 1, 4, EIS_ERR_CIPHERTEXT},
        {at_seed + 8, 8, 80, EIS_ERR_CIPHERTEXT},       {at_seed + 8, 8, 82, EIS_ERR_CIPHERTEXT},
        {at_seed + 16, 1, 0, EIS_ERR_CIPHERTEXT},       {at_seed + 16, 1, 3, EIS_ERR_CIPHERTEXT},
        {at_seed + 16, 1, EIS_EXPAND_BLAKE2XB, EIS_OK}, /* another stream, as good as any */
        {AT_POLYS, 8, 3, EIS_ERR_CIPHERTEXT},           {AT_COUNT, 8, 2 * 2 * 4096, EIS_ERR_CIPHERTEXT},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t *data = eis_mem_new(out.bytes, 1);

        memcpy(data, out.data, out.bytes);
        store(data, changes[i].at, changes[i].bytes, changes[i].value);
        assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, data, out.bytes), changes[i].st);
        eis_mem_free(data);
    }
    eis_wire_writer_clear(&out);
    /* Under (3,4) and (3,5) a seed means something else; (3,6) and (3,7) are as here. */
    write_ct(&out, &ct, (eis_seal_style){.form = EIS_SEAL_FORM_UNIVERSAL}, true);
    for (unsigned minor = 3; minor <= 8; minor++) {
        out.data[4] = out.data[AT_CORRECTION + 4] = out.data[at_seed - 8 + 4] = (uint8_t)minor;
        assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes),
                         minor == 6 || minor == 7 ? EIS_OK : EIS_ERR_CIPHERTEXT);
    }
    eis_wire_writer_clear(&out);
    write_ct(&out, &ct, (eis_seal_style){.form = EIS_SEAL_FORM_UNIVERSAL}, false);
    for (unsigned minor = 3; minor <= 8; minor++) { /* full ones go back to (3,4) */
        eis_seal_form form;

        out.data[4] = out.data[AT_CORRECTION + 4] = (uint8_t)minor;
        assert_int_equal(eis_ckks_ct_read(&back, &form, w.params, &rules, out.data, out.bytes),
                         minor >= 4 && minor <= 7 ? EIS_OK : EIS_ERR_CIPHERTEXT);
        if (minor >= 4 && minor <= 7) assert_int_equal(form, EIS_SEAL_FORM_UNIVERSAL);
    }
    eis_wire_writer_clear(&out);
    write_ct(&out, &ct, (eis_seal_style){0}, false);
    for (unsigned minor = 0; minor <= 5; minor++) { /* and forward to (4,4); only some of those read (4,1) */
        eis_seal_form form;

        out.data[4] = out.data[AT_ARRAY + 4] = (uint8_t)minor;
        assert_int_equal(eis_ckks_ct_read(&back, &form, w.params, &rules, out.data, out.bytes),
                         minor <= 4 ? EIS_OK : EIS_ERR_CIPHERTEXT);
        if (minor <= 4) assert_int_equal(form, minor == 1 || minor == 4 ? EIS_SEAL_FORM_4_1 : EIS_SEAL_FORM_UNIVERSAL);
    }
    eis_wire_writer_clear(&out);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
    eis_mem_free(z);
    world_close(&w);
}

static void every_truncation_is_refused(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_ct ct = {0}, back = {0};
    const eis_ckks_ct_rules rules = {0};

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_encrypt(&w, &ct, z, 1, 0x1p30);
    for (unsigned mode = 0; mode < 3; mode++) {
        eis_writer out;

        write_ct(&out, &ct, (eis_seal_style){.mode = (eis_seal_mode)mode}, true);
        for (size_t cut = 0; cut < out.bytes; cut++) {
            uint8_t *part = eis_mem_new(cut, 1);

            memcpy(part, out.data, cut);
            assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, part, cut), EIS_ERR_CIPHERTEXT);
            if (cut >= 16) {
                eis_store_le64(part + 8, cut);
                assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, part, cut), EIS_ERR_CIPHERTEXT);
            }
            eis_mem_free(part);
        }
        eis_wire_writer_clear(&out);
    }
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
    eis_mem_free(z);
    world_close(&w);
}

static void other_objects_are_no_ciphertexts(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_plain p = {0}, back = {0};
    eis_ckks_ct ct = {0}, three = {0};
    eis_ckks_secret_key secret = {0};
    eis_ckks_ct_rules rules = {0};
    eis_writer out;

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_values(z, w.count, 9);
    eis_wire_writer_init(&out, 1 << 22);
    world_encode(&w, &p, z, 2, 0, 0x1p30);
    eis_ckks_plain_write(&out, &p, (eis_seal_style){0});
    assert_int_equal(eis_ckks_ct_read(&ct, NULL, w.params, &rules, out.data, out.bytes), EIS_ERR_CIPHERTEXT);
    assert_int_equal(eis_ckks_plain_read(&back, w.params, out.data, out.bytes), EIS_OK);
    assert_true(back.scale == p.scale);
    assert_memory_equal(back.poly.words, p.poly.words, 2 * 4096 * 8);
    for (size_t cut = 0; cut < out.bytes; cut++)
        assert_int_equal(eis_ckks_plain_read(&back, w.params, out.data, cut), EIS_ERR_CIPHERTEXT);
    static const change plain_changes[] = {
        {16, 1, 0, EIS_ERR_CONTEXT_MISMATCH}, {48, 8, 4096, EIS_ERR_CIPHERTEXT},
        {48, 8, 0, EIS_ERR_CIPHERTEXT},       {56, 8, 0, EIS_ERR_CIPHERTEXT},
        {80, 8, 4096, EIS_ERR_CIPHERTEXT},    {88, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
    };
    for (size_t i = 0; i < sizeof plain_changes / sizeof plain_changes[0]; i++) {
        uint8_t *data = eis_mem_new(out.bytes, 1);

        memcpy(data, out.data, out.bytes);
        if (i == 0) data[16] ^= 1;
        if (i > 0) store(data, plain_changes[i].at, plain_changes[i].bytes, plain_changes[i].value);
        assert_int_equal(eis_ckks_plain_read(&back, w.params, data, out.bytes), plain_changes[i].st);
        assert_null(back.poly.words);
        eis_mem_free(data);
    }
    eis_wire_writer_rewind(&out);
    eis_ckks_secret_key_write(&out, &w.secret, EIS_SEAL_FORM_4_1);
    assert_int_equal(out.bytes, eis_ckks_secret_key_bytes(w.params));
    assert_int_equal(eis_ckks_ct_read(&ct, NULL, w.params, &rules, out.data, out.bytes), EIS_ERR_CIPHERTEXT);
    assert_int_equal(eis_ckks_plain_read(&back, w.params, out.data, out.bytes), EIS_ERR_CONTEXT_MISMATCH);
    assert_int_equal(eis_ckks_secret_key_read(&secret, w.params, out.data, out.bytes), EIS_OK);
    assert_memory_equal(secret.s.words, w.secret.s.words, 3 * 4096 * 8);
    out.data[88] ^= 1; /* still below the prime, no longer ternary */
    assert_int_equal(eis_ckks_secret_key_read(&secret, w.params, out.data, out.bytes), EIS_ERR_CIPHERTEXT);
    assert_null(secret.s.words);
    out.data[16] ^= 1;
    assert_int_equal(eis_ckks_secret_key_read(&secret, w.params, out.data, out.bytes), EIS_ERR_CONTEXT_MISMATCH);
    for (size_t cut = 0; cut < out.bytes; cut++)
        assert_int_equal(eis_ckks_secret_key_read(&secret, w.params, out.data, cut), EIS_ERR_CIPHERTEXT);

    /* three polynomials only where they are asked for; nothing transparent leaves */
    world_encrypt(&w, &ct, z, 2, 0x1p30);
    assert_int_equal(eis_ckks_ct_mul(&three, &ct, &ct), EIS_OK);
    eis_wire_writer_rewind(&out);
    eis_ckks_ct_write(&out, &three, (eis_seal_style){0}, true);
    assert_int_equal(eis_ckks_ct_read(&ct, NULL, w.params, &rules, out.data, out.bytes), EIS_ERR_CIPHERTEXT);
    rules.polys = 3;
    assert_int_equal(eis_ckks_ct_read(&ct, NULL, w.params, &rules, out.data, out.bytes), EIS_OK);
    for (size_t c = 0; c < 3; c++) assert_memory_equal(ct.poly[c].words, three.poly[c].words, 2 * 4096 * 8);
    memset(ct.poly[1].words + 4096, 0, 4096 * 8);
    eis_wire_writer_rewind(&out);
    eis_ckks_ct_write(&out, &ct, (eis_seal_style){0}, false);
    assert_int_equal(eis_wire_writer_status(&out), EIS_ERR_INTERNAL);
    eis_wire_writer_clear(&out);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&three);
    eis_ckks_plain_clear(&p);
    eis_ckks_plain_clear(&back);
    eis_ckks_secret_key_clear(&secret);
    eis_mem_free(z);
    world_close(&w);
}

/* An object that decompresses to another level's length, or to a little more, is refused by its length. */
static void compressed_objects_have_exactly_their_length(void **state)
{
    world w;
    eis_complex *z;
    eis_ckks_ct ct = {0}, back = {0};
    eis_ckks_ct_rules rules = {.limbs = 1};
    eis_writer out;

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    z = eis_mem_new(w.count, sizeof *z);
    world_encrypt(&w, &ct, z, 2, 0x1p30);
    for (unsigned mode = 1; mode < 3; mode++) {
        write_ct(&out, &ct, (eis_seal_style){.mode = (eis_seal_mode)mode}, false);
        assert_int_equal(eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes), EIS_ERR_CIPHERTEXT);
        eis_wire_writer_clear(&out);
    }
    for (unsigned long n = 1;; n++) {
        write_ct(&out, &ct, (eis_seal_style){.mode = EIS_SEAL_ZSTD}, true);
        rules.limbs = 2;
        eis_mem_fail_at(n);
        eis_status st = eis_ckks_ct_read(&back, NULL, w.params, &rules, out.data, out.bytes);

        eis_mem_fail_at(0);
        eis_wire_writer_clear(&out);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(back.params);
    }
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&back);
    eis_mem_free(z);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_seal),
        cmocka_unit_test(ciphertexts_travel_in_every_form),
        cmocka_unit_test(hostile_ciphertexts_are_refused_with_their_code),
        cmocka_unit_test(hostile_seeds_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(other_objects_are_no_ciphertexts),
        cmocka_unit_test(compressed_objects_have_exactly_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
