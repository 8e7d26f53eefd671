/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of one layer with a secret input: encode, share, write, multiply, read, check, recover. A branch on any
 * of it would show in the gaps between frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "engine/split/eval.h"
#include "engine/split/prepare.h"
#include "engine/split/protect.h"
#include "engine/split/recover.h"
#include "engine/split/verify.h"
#include "unit/engine/split/made_layers.h"

#include <math.h>
#include <unistd.h>

enum { SERVERS = 3, BATCH = 2 };

static uint64_t *ask(eis_split_evaluator *evaluator, uint32_t index, const eis_split_client_layer *client,
                     const eis_share *share)
{
    size_t bytes = eis_split_share_bytes(share, client);
    uint8_t *payload = eis_mem_new(bytes, 1);
    uint64_t *words = eis_mem_new(BATCH * client->layer.out_count, sizeof *words);
    eis_split_request request = {.layer = index,
                                 .batch = BATCH,
                                 .suite = share->suite,
                                 .truncated_bits = client->truncated_bits,
                                 .payload = {payload, bytes}};
    eis_span reply;

    eis_split_share_write(payload, share, client);
    assert_int_equal(eis_split_eval(evaluator, &reply, &request), EIS_OK);
    assert_int_equal(eis_split_reply_read(words, reply.data, &client->layer, BATCH, client->truncated_bits), EIS_OK);
    eis_mem_free(payload);
    return words;
}

static void run_layer(eis_model *model, const eis_split_layers *layers, const eis_pack *pack,
                      eis_split_evaluator *evaluator, eis_split_verifier *verifier, uint32_t index,
                      eis_split_profile profile, size_t threshold, bool truncate)
{
    const eis_part_layer *part = &layers->layers[index];
    eis_split_scheme scheme = {.servers = SERVERS, .threshold = threshold};
    eis_split_client_layer client;
    eis_split_input input = {0};
    eis_share shares[SERVERS] = {0};
    eis_split_answer answers[SERVERS];
    eis_prg prg = {0};
    uint64_t seed = 5;
    double *x, *y;

    (void)pack;
    assert_int_equal(eis_split_client_layer_init(&client, &model->linears[index], profile, part->planes, part->row_norm,
                                                 part->row_scales, truncate, SERVERS),
                     EIS_OK);
    x = eis_mem_new(BATCH * client.layer.in_count, sizeof *x);
    y = eis_mem_new(BATCH * client.layer.out_count, sizeof *y);
    for (size_t i = 0; i < BATCH * client.layer.in_count; i++) x[i] = made_random(&seed);
    EIS_SECRET(x, BATCH * client.layer.in_count * sizeof *x);
    assert_int_equal(eis_split_encode(&input, &client, x, BATCH), EIS_OK);
    assert_int_equal(eis_split_protect(shares, &prg, &input, &client, &scheme), EIS_OK);
    for (uint32_t s = 0; s < SERVERS; s++) {
        answers[s] = (eis_split_answer){s + 1, ask(evaluator, index, &client, &shares[s]), client.truncated_bits};
        if (verifier != NULL)
            assert_int_equal(eis_split_verify(verifier, index, &client.layer, answers[s].words, &shares[s]), EIS_OK);
    }
    assert_int_equal(eis_split_recover(y, NULL, answers, SERVERS, &input, &client, &scheme), EIS_OK);
    /* The test looks whether anything came out at all. */
    EIS_PUBLIC(y, BATCH * client.layer.out_count * sizeof *y);
    assert_true(isfinite(y[0]) && y[0] != 0);
    for (uint32_t s = 0; s < SERVERS; s++) {
        eis_mem_free((void *)(uintptr_t)answers[s].words);
        eis_share_clear(&shares[s]);
    }
    eis_split_input_clear(&input);
    eis_prg_clear(&prg);
    eis_mem_free(x);
    eis_mem_free(y);
}

static void run_profile(eis_split_profile profile, size_t threshold, bool truncate, bool verify)
{
    eis_model *model;
    eis_split_layers layers;
    eis_pack *pack;
    eis_split_evaluator *evaluator;
    eis_split_verifier *verifier = NULL;
    uint8_t planes[2];
    int fd;

    assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
    made_dense(model, 40, 70, 1);
    made_conv(model, 3, 2, 6, 3, 1, 1, 2);
    assert_int_equal(eis_split_prepare_in_memory(&layers, &fd, model, &(eis_split_prepare_options){.profile = profile}),
                     EIS_OK);
    assert_int_equal(eis_pack_open_fd(&pack, fd, "memory", false), EIS_OK);
    for (int i = 0; i < 2; i++) planes[i] = (uint8_t)layers.layers[i].planes;
    assert_int_equal(eis_split_evaluator_new(&evaluator, pack, planes, 2, NULL, 1 << 24), EIS_OK);
    if (verify) assert_int_equal(eis_split_verifier_new(&verifier, pack, layers.info.pack_digest), EIS_OK);
    for (uint32_t index = 0; index < 2; index++)
        run_layer(model, &layers, pack, evaluator, verifier, index, profile, threshold, truncate);
    eis_split_verifier_free(verifier);
    eis_split_evaluator_free(evaluator);
    eis_pack_free(pack);
    close(fd);
    eis_split_layers_clear(&layers);
    eis_model_free(model);
}

static void additive_sharing_does_not_look(void **state)
{
    (void)state;
    run_profile(EIS_SPLIT_P24, 0, false, false);
    run_profile(EIS_SPLIT_P24, 0, true, false);
    run_profile(EIS_SPLIT_P8, 0, false, false);
    run_profile(EIS_SPLIT_P8, 0, true, false);
}

static void threshold_sharing_and_checks_do_not_look(void **state)
{
    (void)state;
    run_profile(EIS_SPLIT_F61_20, 2, false, true);
    run_profile(EIS_SPLIT_F61_8, 2, false, true);
    run_profile(EIS_SPLIT_F61_20, 0, false, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additive_sharing_does_not_look),
        cmocka_unit_test(threshold_sharing_and_checks_do_not_look),
    };
    return cmocka_run_group_tests_name("ct/split", tests, NULL, NULL);
}
