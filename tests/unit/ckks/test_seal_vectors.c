/* SPDX-License-Identifier: Apache-2.0 */
/* What SEAL wrote once must stay readable, and what it computed must stay what we compute. */
#include "world.h"

#include "base/bytes.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "ckks/seal_params.h"
#include "ckks/seal_plain.h"
#include "ckks/seal_secret.h"

#include <openssl/evp.h>
#include <stdio.h>

/* Returns the bytes of a file among the vectors. */
static uint8_t *load(size_t *bytes, const char *name)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[1024];
    FILE *f;
    uint8_t *data;

    snprintf(path, sizeof path, "%s/tests/vectors/seal/%s", root != NULL ? root : ".", name);
    f = fopen(path, "rb");
    if (f == NULL) fail_msg("%s cannot be read; EIS_TEST_ROOT has to name the project", path);
    data = eis_mem_new((size_t)1 << 20, 1);
    *bytes = fread(data, 1, (size_t)1 << 20, f);
    fclose(f);
    return data;
}

static const eis_ckks_params *load_params(void)
{
    const eis_ckks_params *params;
    eis_ckks_literal literal = {0};
    size_t bytes;
    uint8_t *data = load(&bytes, "params.seal");

    assert_int_equal(eis_ckks_params_read(&literal, data, bytes), EIS_OK);
    assert_int_equal(eis_ckks_params_new(&params, &literal), EIS_OK);
    eis_mem_free(data);
    return params;
}

/* Compares a result with the line `<digest>  <name>` of results.sha256. */
static void assert_result(const eis_ckks_ct *ct, const char *name)
{
    size_t bytes;
    uint8_t *text = load(&bytes, "results.sha256"), digest[32];
    char line[128];
    int length = 0;
    eis_writer w;

    eis_wire_writer_init(&w, (size_t)1 << 22);
    eis_ckks_ct_write(&w, ct, (eis_seal_style){0}, false);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(EVP_Digest(w.data, w.bytes, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < 32; i++) length += snprintf(line + length, sizeof line - (size_t)length, "%02x", digest[i]);
    snprintf(line + length, sizeof line - (size_t)length, "  %s\n", name);
    if (strstr((const char *)text, line) == NULL) fail_msg("%s is not what SEAL computed", name);
    eis_wire_writer_clear(&w);
    eis_mem_free(text);
}

static void what_seal_wrote_is_read_and_computed_alike(void **state)
{
    const eis_ckks_params *params = load_params();
    eis_slots slots = {0};
    eis_ckks_secret_key secret = {0};
    eis_ckks_ct ct = {0}, r = {0};
    eis_ckks_switch_key relin = {0};
    eis_ckks_galois_keys galois = {0};
    eis_ckks_plain p = {0};
    const eis_ckks_ct_rules rules = {.limbs = 2, .scale = 0x1p30};
    double *x = eis_mem_new(2048, sizeof *x);
    size_t bytes;
    uint8_t *data;

    (void)state;
    data = load(&bytes, "secret.seal");
    assert_int_equal(eis_ckks_secret_key_read(&secret, params, data, bytes), EIS_OK);
    eis_mem_free(data);
    data = load(&bytes, "ciphertext.seal");
    assert_int_equal(eis_ckks_ct_read(&ct, NULL, params, &rules, data, bytes), EIS_OK);
    assert_int_equal(ct.generator, EIS_EXPAND_BLAKE2XB);
    eis_mem_free(data);
    data = load(&bytes, "relin.seal");
    assert_int_equal(eis_ckks_relin_key_read(&relin, params, data, bytes), EIS_OK);
    eis_mem_free(data);
    data = load(&bytes, "galois.seal");
    assert_int_equal(eis_ckks_galois_keys_read(&galois, params, (const uint32_t[]){3, 8191}, 2, data, bytes, 1 << 20),
                     EIS_OK);
    eis_mem_free(data);

    assert_int_equal(eis_slots_init(&slots, 12), EIS_OK);
    assert_int_equal(eis_ckks_decrypt(&p, &secret, &ct), EIS_OK);
    assert_int_equal(eis_slots_decode_reals(&slots, &params->rns, x, 2048, &p.poly, p.scale), EIS_OK);
    for (size_t i = 0; i < 2048; i++) assert_true(fabs(x[i] - sin(0.37 * (double)i + 1)) < 3e-6); /* 15 deviations */

    assert_int_equal(eis_ckks_ct_mul(&r, &ct, &ct), EIS_OK);
    assert_int_equal(eis_ckks_ct_relinearise(&r, &r, &relin, EIS_CKKS_DIGITS_REFERENCE), EIS_OK);
    assert_result(&r, "square");
    assert_int_equal(eis_ckks_ct_rescale(&r), EIS_OK);
    assert_result(&r, "rescaled");
    assert_int_equal(eis_ckks_ct_rotate(&r, &ct, 1, &galois, EIS_CKKS_DIGITS_REFERENCE), EIS_OK);
    assert_result(&r, "left_1");
    assert_int_equal(eis_ckks_ct_conjugate(&r, &ct, &galois, EIS_CKKS_DIGITS_REFERENCE), EIS_OK);
    assert_result(&r, "conjugate");

    data = load(&bytes, "plaintext.seal");
    assert_int_equal(eis_ckks_plain_read(&p, params, data, bytes), EIS_OK);
    for (size_t i = 0; i < 8192; i++) assert_true(p.poly.words[i] == 1u << 29); /* one number in all slots: one word */
    eis_mem_free(data);
    eis_ckks_plain_clear(&p);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&r);
    eis_ckks_switch_key_clear(&relin);
    eis_ckks_galois_keys_clear(&galois);
    eis_ckks_secret_key_clear(&secret);
    eis_slots_clear(&slots);
    eis_mem_free(x);
    eis_ckks_params_free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_seal_wrote_is_read_and_computed_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
