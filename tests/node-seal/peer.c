/* SPDX-License-Identifier: Apache-2.0 */
/* Our side of the exchange with node-seal: reads and writes SEAL objects as files of one directory.
 *
 *   peer client DIR N BITS,BITS,... SCALE_LOG2   makes parameters, keys, messages, and ciphertexts in every form
 *   peer evaluate DIR                            computes on DIR/a.seal, b.seal and y.seal with the keys there
 *   peer decrypt DIR NAME OUT                    opens DIR/NAME with DIR/secret.seal; OUT gets the real parts as
 * doubles
 *
 * The secret keys here are of one test run; they lie in its scratch directory and protect nothing. */
#include "base/mem.h"
#include "ckks/decrypt.h"
#include "ckks/encrypt.h"
#include "ckks/eval.h"
#include "ckks/keygen.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "ckks/seal_params.h"
#include "ckks/seal_plain.h"
#include "ckks/seal_secret.h"
#include "encode/slots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_BYTES_MAX ((size_t)1 << 29)

static const int32_t rotations[] = {1, -1, 4};
#define ROTATIONS (sizeof rotations / sizeof rotations[0])

static const char *directory;

static void path_of(char *path, size_t bytes, const char *name) { snprintf(path, bytes, "%s/%s", directory, name); }

static eis_status read_file(uint8_t **data, size_t *bytes, const char *name)
{
    eis_status st = EIS_OK;
    char path[1024];
    FILE *f;
    long length;

    path_of(path, sizeof path, name);
    f = fopen(path, "rb");
    EIS_REQUIRE(f != NULL && fseek(f, 0, SEEK_END) == 0 && (length = ftell(f)) >= 0, EIS_ERR_FILE, "cannot read %s",
                path);
    rewind(f);
    *bytes = (size_t)length;
    EIS_NEW(*data, *bytes);
    EIS_REQUIRE(fread(*data, 1, *bytes, f) == *bytes, EIS_ERR_FILE, "cannot read %s", path);
out:
    if (f != NULL) fclose(f);
    return st;
}

static eis_status write_file(const char *name, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    char path[1024];
    FILE *f;

    path_of(path, sizeof path, name);
    f = fopen(path, "wb");
    EIS_REQUIRE(f != NULL && fwrite(data, 1, bytes, f) == bytes, EIS_ERR_FILE, "cannot write %s", path);
out:
    if (f != NULL && fclose(f) != 0) st = EIS_ERR_FILE;
    return st;
}

/* Writes what the writer collected, and empties it. */
static eis_status save(eis_writer *w, const char *name)
{
    eis_status st = eis_wire_writer_status(w);

    if (st == EIS_OK) st = write_file(name, w->data, w->bytes);
    eis_wire_writer_rewind(w);
    return st;
}

static eis_status save_ct(eis_writer *w, const char *name, const eis_ckks_ct *ct, eis_seal_form form,
                          eis_seal_mode mode, bool seeded)
{
    eis_ckks_ct_write(w, ct, (eis_seal_style){form, mode}, seeded);
    return save(w, name);
}

static eis_status load_params(const eis_ckks_params **params)
{
    eis_status st = EIS_OK;
    eis_ckks_literal literal = {0};
    uint8_t *data = NULL;
    size_t bytes = 0;

    EIS_TRY(read_file(&data, &bytes, "params.seal"));
    EIS_TRY(eis_ckks_params_read(&literal, data, bytes));
    EIS_TRY(eis_ckks_params_new(params, &literal));
out:
    eis_mem_free(data);
    return st;
}

static eis_status load_ct(eis_ckks_ct *ct, const eis_ckks_params *params, const char *name)
{
    static const eis_ckks_ct_rules any = {0};
    eis_status st = EIS_OK;
    uint8_t *data = NULL;
    size_t bytes = 0;

    EIS_TRY(read_file(&data, &bytes, name));
    EIS_TRY(eis_ckks_ct_read(ct, NULL, params, &any, data, bytes));
out:
    eis_mem_free(data);
    return st;
}

/* ---- client ----------------------------------------------------------------------------------------------------- */

static eis_status write_keys(eis_writer *w, const eis_ckks_secret_key *secret)
{
    eis_status st = EIS_OK;
    eis_ckks_public_key public_key = {0};
    eis_ckks_switch_key relin = {0};
    eis_ckks_galois_keys galois = {0};
    uint32_t element[ROTATIONS + 1];

    for (size_t i = 0; i < ROTATIONS; i++) element[i] = eis_ckks_rotation_element(secret->params, rotations[i]);
    element[ROTATIONS] = eis_ckks_conjugation_element(secret->params);
    EIS_TRY(eis_ckks_public_key_generate(&public_key, secret));
    EIS_TRY(eis_ckks_relin_key_generate(&relin, secret));
    EIS_TRY(eis_ckks_galois_keys_generate(&galois, secret, element, ROTATIONS + 1));
    eis_ckks_secret_key_write(w, secret, EIS_SEAL_FORM_4_1);
    EIS_TRY(save(w, "secret.seal"));
    eis_ckks_public_key_write(w, &public_key, (eis_seal_style){0}, false);
    EIS_TRY(save(w, "public.seal"));
    eis_ckks_public_key_write(w, &public_key, (eis_seal_style){.form = EIS_SEAL_FORM_UNIVERSAL}, true);
    EIS_TRY(save(w, "public_seeded.seal"));
    eis_ckks_relin_key_write(w, &relin, (eis_seal_style){0}, false);
    EIS_TRY(save(w, "relin.seal"));
    eis_ckks_relin_key_write(w, &relin, (eis_seal_style){.mode = EIS_SEAL_ZSTD}, true);
    EIS_TRY(save(w, "relin_seeded.seal"));
    eis_ckks_galois_keys_write(w, &galois, (eis_seal_style){.mode = EIS_SEAL_ZSTD}, false);
    EIS_TRY(save(w, "galois.seal"));
    eis_ckks_galois_keys_write(w, &galois, (eis_seal_style){.form = EIS_SEAL_FORM_UNIVERSAL}, true);
    EIS_TRY(save(w, "galois_seeded.seal"));
out:
    eis_ckks_public_key_clear(&public_key);
    eis_ckks_switch_key_clear(&relin);
    eis_ckks_galois_keys_clear(&galois);
    return st;
}

/* Encodes values that everybody can recompute: slot i of message m is sin(0.37 i + m). */
static eis_status encode_message(eis_ckks_plain *p, const eis_ckks_params *params, const eis_slots *slots,
                                 double message, double scale)
{
    eis_status st = EIS_OK;
    size_t count = eis_ckks_slots(params);
    double *x = NULL;

    EIS_NEW(x, count);
    for (size_t i = 0; i < count; i++) x[i] = sin(0.37 * (double)i + message);
    EIS_TRY(eis_ckks_plain_init(p, params, params->limbs_max, 0, scale));
    EIS_TRY(eis_slots_encode_reals(slots, &params->rns, &p->poly, x, count, scale));
out:
    eis_mem_free(x);
    return st;
}

static eis_status write_ciphertexts(eis_writer *w, const eis_ckks_secret_key *secret, const eis_ckks_plain *a,
                                    const eis_ckks_plain *b)
{
    eis_status st = EIS_OK;
    eis_ckks_ct ct = {0};
    eis_ckks_public_key public_key = {0};

    EIS_TRY(eis_ckks_encrypt_symmetric(&ct, secret, a));
    EIS_TRY(save_ct(w, "a.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, false));
    EIS_TRY(save_ct(w, "a_seeded.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, true));
    EIS_TRY(save_ct(w, "a_zstd.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_ZSTD, false));
    EIS_TRY(save_ct(w, "a_zlib.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_ZLIB, true));
    EIS_TRY(save_ct(w, "a_universal.seal", &ct, EIS_SEAL_FORM_UNIVERSAL, EIS_SEAL_NONE, false));
    EIS_TRY(save_ct(w, "a_universal_seeded.seal", &ct, EIS_SEAL_FORM_UNIVERSAL, EIS_SEAL_ZSTD, true));
    EIS_TRY(eis_ckks_ct_drop(&ct, 1));
    EIS_TRY(save_ct(w, "a_reply.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, false));
    EIS_TRY(eis_ckks_public_key_generate(&public_key, secret));
    EIS_TRY(eis_ckks_encrypt_public(&ct, &public_key, a));
    EIS_TRY(save_ct(w, "a_public.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, false));
    EIS_TRY(eis_ckks_encrypt_symmetric(&ct, secret, b));
    EIS_TRY(save_ct(w, "b.seal", &ct, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, true));
    eis_ckks_plain_write(w, b, (eis_seal_style){0});
    EIS_TRY(save(w, "y.seal"));
out:
    eis_ckks_ct_clear(&ct);
    eis_ckks_public_key_clear(&public_key);
    return st;
}

static eis_status client(char **argv)
{
    eis_status st = EIS_OK;
    eis_ckks_literal literal = {.degree = (size_t)strtoul(argv[0], NULL, 10)};
    const eis_ckks_params *params = NULL;
    eis_slots slots = {0};
    eis_ckks_secret_key secret = {0};
    eis_ckks_plain a = {0}, b = {0};
    eis_writer w;
    char *at = argv[1];

    eis_wire_writer_init(&w, OBJECT_BYTES_MAX);
    while (*at != '\0' && literal.prime_count < EIS_RNS_PRIMES_MAX) {
        literal.bits[literal.prime_count++] = (unsigned)strtoul(at, &at, 10);
        if (*at == ',') at++;
    }
    literal.scale = ldexp(1, atoi(argv[2]));
    EIS_TRY(eis_ckks_params_new(&params, &literal));
    EIS_TRY(eis_slots_init(&slots, params->rns.degree_log2));
    EIS_TRY(eis_ckks_secret_key_generate(&secret, params));
    eis_ckks_params_write(&w, params, (eis_seal_style){0});
    EIS_TRY(save(&w, "params.seal"));
    EIS_TRY(write_keys(&w, &secret));
    EIS_TRY(encode_message(&a, params, &slots, 1, literal.scale));
    EIS_TRY(encode_message(&b, params, &slots, 2, literal.scale));
    EIS_TRY(write_ciphertexts(&w, &secret, &a, &b));
out:
    eis_wire_writer_clear(&w);
    eis_ckks_plain_clear(&a);
    eis_ckks_plain_clear(&b);
    eis_ckks_secret_key_clear(&secret);
    eis_slots_clear(&slots);
    eis_ckks_params_free(params);
    return st;
}

/* ---- evaluate --------------------------------------------------------------------------------------------------- */

typedef struct operands {
    const eis_ckks_params *params;
    eis_ckks_ct a, b;
    eis_ckks_plain y;
    eis_ckks_switch_key relin;
    eis_ckks_galois_keys galois;
} operands;

static eis_status load_operands(operands *o)
{
    eis_status st = EIS_OK;
    uint8_t *data = NULL;
    size_t bytes = 0;

    EIS_TRY(load_params(&o->params));
    EIS_TRY(load_ct(&o->a, o->params, "a.seal"));
    EIS_TRY(load_ct(&o->b, o->params, "b.seal"));
    EIS_TRY(read_file(&data, &bytes, "y.seal"));
    EIS_TRY(eis_ckks_plain_read(&o->y, o->params, data, bytes));
    eis_mem_free(data), data = NULL;
    EIS_TRY(read_file(&data, &bytes, "relin.seal"));
    EIS_TRY(eis_ckks_relin_key_read(&o->relin, o->params, data, bytes));
    eis_mem_free(data), data = NULL;
    EIS_TRY(read_file(&data, &bytes, "galois.seal"));
    EIS_TRY(eis_ckks_galois_keys_read(&o->galois, o->params, NULL, 0, data, bytes, OBJECT_BYTES_MAX));
out:
    eis_mem_free(data);
    return st;
}

static eis_status evaluate(char **argv)
{
    const eis_ckks_digit_form exact = EIS_CKKS_DIGITS_REFERENCE;
    eis_status st = EIS_OK;
    operands o = {0};
    eis_ckks_ct r = {0};
    eis_writer w;

    (void)argv;
    eis_wire_writer_init(&w, OBJECT_BYTES_MAX);
    EIS_TRY(load_operands(&o));
#define SAVE(name) EIS_TRY(save_ct(&w, "ours_" name ".seal", &r, EIS_SEAL_FORM_4_1, EIS_SEAL_NONE, false))
    EIS_TRY(eis_ckks_ct_add(&r, &o.a, &o.b));
    SAVE("add");
    EIS_TRY(eis_ckks_ct_sub(&r, &o.a, &o.b));
    SAVE("sub");
    EIS_TRY(eis_ckks_ct_neg(&r, &o.a));
    SAVE("neg");
    EIS_TRY(eis_ckks_ct_add_plain(&r, &o.a, &o.y));
    SAVE("add_plain");
    EIS_TRY(eis_ckks_ct_mul_plain(&r, &o.a, &o.y));
    SAVE("mul_plain");
    EIS_TRY(eis_ckks_ct_rescale(&r));
    SAVE("mul_plain_rescale");
    EIS_TRY(eis_ckks_ct_rotate(&r, &r, 4, &o.galois, exact)); /* a level below the keys' */
    SAVE("mul_plain_rescale_left_4");
    EIS_TRY(eis_ckks_ct_mul(&r, &o.a, &o.b));
    SAVE("mul");
    EIS_TRY(eis_ckks_ct_relinearise(&r, &r, &o.relin, exact));
    SAVE("mul_relin");
    EIS_TRY(eis_ckks_ct_rescale(&r));
    SAVE("mul_relin_rescale");
    if (r.limbs > 1) {
        EIS_TRY(eis_ckks_ct_drop(&r, r.limbs - 1));
        SAVE("mul_relin_rescale_drop");
    }
    EIS_TRY(eis_ckks_ct_mul(&r, &o.a, &o.a));
    SAVE("square");
    EIS_TRY(eis_ckks_ct_rotate(&r, &o.a, 1, &o.galois, exact));
    SAVE("left_1");
    EIS_TRY(eis_ckks_ct_rotate(&r, &o.a, -1, &o.galois, exact));
    SAVE("right_1");
    EIS_TRY(eis_ckks_ct_conjugate(&r, &o.a, &o.galois, exact));
    SAVE("conjugate");
    EIS_TRY(eis_ckks_ct_rotate(&r, &o.a, 1, &o.galois, EIS_CKKS_DIGITS_CENTRED));
    SAVE("centred_left_1");
out:
    eis_wire_writer_clear(&w);
    eis_ckks_ct_clear(&o.a);
    eis_ckks_ct_clear(&o.b);
    eis_ckks_ct_clear(&r);
    eis_ckks_plain_clear(&o.y);
    eis_ckks_switch_key_clear(&o.relin);
    eis_ckks_galois_keys_clear(&o.galois);
    eis_ckks_params_free(o.params);
    return st;
}

/* ---- decrypt ---------------------------------------------------------------------------------------------------- */

static eis_status decrypt(char **argv)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = NULL;
    eis_ckks_secret_key secret = {0};
    eis_ckks_ct ct = {0};
    eis_ckks_plain p = {0};
    eis_slots slots = {0};
    double *x = NULL;
    uint8_t *data = NULL;
    size_t bytes = 0;

    EIS_TRY(load_params(&params));
    EIS_TRY(read_file(&data, &bytes, "secret.seal"));
    EIS_TRY(eis_ckks_secret_key_read(&secret, params, data, bytes));
    EIS_TRY(load_ct(&ct, params, argv[0]));
    EIS_TRY(eis_ckks_decrypt(&p, &secret, &ct));
    EIS_TRY(eis_slots_init(&slots, params->rns.degree_log2));
    EIS_NEW(x, eis_ckks_slots(params));
    EIS_TRY(eis_slots_decode_reals(&slots, &params->rns, x, eis_ckks_slots(params), &p.poly, p.scale));
    EIS_TRY(write_file(argv[1], x, eis_ckks_slots(params) * sizeof *x));
out:
    eis_mem_free(data);
    eis_mem_free(x);
    eis_ckks_ct_clear(&ct);
    eis_ckks_plain_clear(&p);
    eis_ckks_secret_key_clear(&secret);
    eis_slots_clear(&slots);
    eis_ckks_params_free(params);
    return st;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        eis_status (*run)(char **argv);
    } commands[] = {{"client", 3, client}, {"evaluate", 0, evaluate}, {"decrypt", 2, decrypt}};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        eis_status st;

        if (argc != 3 + commands[i].arguments || strcmp(argv[1], commands[i].name) != 0) continue;
        directory = argv[2];
        st = commands[i].run(argv + 3);
        if (st != EIS_OK) fprintf(stderr, "peer %s: %s: %s\n", argv[1], eis_status_text(st), eis_error_detail());
        return st == EIS_OK ? 0 : 1;
    }
    fprintf(stderr, "usage: peer client DIR N BITS,... SCALE_LOG2 | peer evaluate DIR | peer decrypt DIR NAME OUT\n");
    return 2;
}
