/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose time tells what it encrypts or decrypts needs no broken cipher: inputs, key and answers of the engine
 * he must not steer a branch or an address, flooding included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/mem.h"
#include "engine/he/protect.h"
#include "engine/he/recover.h"

#include <string.h>

/* A contract as a server might publish it, by hand: two answers from seven numbers. */
static eis_he_contract contract_of(eis_he_packing_kind kind)
{
    eis_he_contract c = {.chain = "S",
                         .literal = {.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}, .scale = 0x1p30},
                         .depth = 1,
                         .batch_max = kind == EIS_HE_FEATURES ? 3 : 1,
                         .stage_count = 1,
                         .input_max = 1,
                         .needs_relin = true,
                         .element_count = 1,
                         .element = {3}};
    eis_he_stage *s = &c.stage[0];

    s->input = (eis_he_packing){.kind = kind, .size = 7, .padded = 1, .copies = 1, .ciphertexts = 7, .limbs = 2};
    if (kind == EIS_HE_ROWS) s->input = (eis_he_packing){.kind = kind, .size = 7, .padded = 8, .copies = 2, .limbs = 2};
    if (kind == EIS_HE_BLOCKS)
        s->input = (eis_he_packing){.kind = kind, .size = 7, .padded = 8, .copies = 256, .shift = 1, .limbs = 2};
    if (kind != EIS_HE_FEATURES) s->input.ciphertexts = 1;
    s->input.scale = 0x1p30;
    s->output = (eis_he_output){.count = 7,
                                .per_ciphertext = kind == EIS_HE_FEATURES ? 1 : 7,
                                .ciphertexts = s->input.ciphertexts,
                                .stride = 8,
                                .polys = 2,
                                .limbs = 2,
                                .scale = 0x1p30,
                                .error = 1e-6};
    return c;
}

static void protect_and_recover(void **state)
{
    static const eis_he_packing_kind kinds[] = {EIS_HE_FEATURES, EIS_HE_ROWS, EIS_HE_BLOCKS};

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        eis_he_contract contract = contract_of(kinds[k]);
        const eis_he_packing *in = &contract.stage[0].input;
        eis_he_publish publish = {.bits = k == 0 ? 8 : 0};
        double x[21], y[21];
        eis_ckks_ct ct[7] = {0};
        eis_he_client client;
        eis_he_keys keys;
        uint64_t sum = 0;

        assert_int_equal(eis_he_client_init(&client, &contract), EIS_OK);
        EIS_SECRET(client.secret.s.words, 3 * 4096 * sizeof(uint64_t));
        assert_int_equal(eis_he_client_keys(&keys, &client), EIS_OK);
        for (int i = 0; i < 21; i++) x[i] = i / 21.0 - 0.5;
        EIS_SECRET(x, sizeof x);
        for (uint32_t i = 0; i < in->ciphertexts; i++) {
            assert_int_equal(eis_he_protect(&ct[i], &client, 0, i, x, contract.batch_max), EIS_OK);
            for (size_t j = 0; j < 2 * 4096; j++) sum += ct[i].poly[0].words[j] & 1;
        }
        assert_true(sum > 0); /* what goes to a server may be branched on */
        assert_int_equal(eis_he_recover(y, &client, 0, ct, contract.batch_max, &publish), EIS_OK);
        /* The test itself may look, for it made the numbers. */
        EIS_PUBLIC(y, sizeof y);
        EIS_PUBLIC(x, sizeof x);
        if (k == 0) assert_true(y[0] - x[0] < 1 && x[0] - y[0] < 1);
        for (uint32_t i = 0; i < in->ciphertexts; i++) eis_ckks_ct_clear(&ct[i]);
        eis_he_keys_clear(&keys);
        eis_he_client_clear(&client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(protect_and_recover)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
