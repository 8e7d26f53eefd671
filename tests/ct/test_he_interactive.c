/* SPDX-License-Identifier: Apache-2.0 */
/* Between two rounds a client holds what a server has made it decrypt. A branch or an address that depended on it would
 * tell the server, by the time of the next request, one bit of the key after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/mem.h"
#include "engine/he/interactive.h"

enum { SIZE = 12, ROUNDS = 3 };

/* Three stages of twelve numbers each, as a server might publish them, with all that a client computes between. */
static eis_he_contract contract_of(void)
{
    eis_he_contract c = {.chain = "S",
                         .literal = {.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}, .scale = 0x1p30},
                         .depth = 1,
                         .batch_max = 1,
                         .interactive = true,
                         .stage_count = ROUNDS,
                         .input_max = 2};

    for (int i = 0; i < ROUNDS; i++) {
        eis_he_stage *s = &c.stage[i];
        s->input = (eis_he_packing){.kind = EIS_HE_ROWS,
                                    .size = i == 1 ? 3 : SIZE,
                                    .padded = 16,
                                    .copies = 4,
                                    .ciphertexts = 1,
                                    .limbs = 2,
                                    .scale = 0x1p30};
        s->output = (eis_he_output){.count = SIZE,
                                    .per_ciphertext = SIZE,
                                    .ciphertexts = 1,
                                    .stride = 16,
                                    .polys = 2,
                                    .limbs = 1,
                                    .scale = 0x1p30,
                                    .error = 1e-4};
        s->input_max = 2;
    }
    c.stage[0].local_count = 2;
    c.stage[0].local[0] = (eis_he_local){.op = EIS_STEP_RELU, .channels = 3, .height = 2, .width = 2};
    c.stage[0].local[1] = (eis_he_local){.op = EIS_STEP_MAX_POOL,
                                         .channels = 3,
                                         .height = 2,
                                         .width = 2,
                                         .kernel_height = 2,
                                         .kernel_width = 2,
                                         .stride_y = 2,
                                         .stride_x = 2};
    c.stage[1].local_count = 2;
    c.stage[1].local[0] = (eis_he_local){.op = EIS_STEP_SIGMOID, .channels = SIZE, .height = 1, .width = 1};
    c.stage[1].local[1] = (eis_he_local){
        .op = EIS_STEP_POLYNOMIAL, .channels = SIZE, .height = 1, .width = 1, .coeff_count = 3, .coeff = {1, -300, 5}};
    return c;
}

/* A server that answers with words of its own choice. */
typedef struct liar {
    const eis_he_client *client;
    int rounds;
} liar;

static eis_status answer_anything(void *context, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request)
{
    eis_status st = EIS_OK;
    liar *l = context;
    const eis_he_output *o = &l->client->contract->stage[stage].output;
    uint64_t word = stage + 1;

    (void)request;
    l->rounds++;
    EIS_TRY(eis_ckks_ct_init(answer, l->client->params, 2, o->limbs, o->scale));
    for (size_t poly = 0; poly < 2; poly++)
        for (size_t i = 0; i < l->client->params->degree; i++) {
            word = word * 6364136223846793005u + 1442695040888963407u;
            answer->poly[poly].words[i] = (word >> 4) % eis_rns_modulus(&answer->params->rns, 0)->q;
        }
out:
    return st;
}

static void rounds_do_not_look(void **state)
{
    eis_he_contract contract = contract_of();
    double x[SIZE], y[SIZE];
    eis_he_client client;
    liar l = {&client, 0};
    eis_he_transport transport = {&l, answer_anything};

    (void)state;
    assert_int_equal(eis_he_client_init(&client, &contract), EIS_OK);
    EIS_SECRET(client.secret.s.words, 3 * 4096 * sizeof(uint64_t));
    for (int i = 0; i < SIZE; i++) x[i] = i - SIZE / 2; /* some beyond input_max */
    EIS_SECRET(x, sizeof x);
    assert_int_equal(eis_he_interactive_run(y, &client, &transport, x), EIS_OK);
    assert_int_equal(l.rounds, ROUNDS);
    /* The test itself may look. */
    EIS_PUBLIC(y, sizeof y);
    for (int i = 0; i < SIZE; i++) assert_true(y[i] - y[i] == 0);
    eis_he_client_clear(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounds_do_not_look)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
