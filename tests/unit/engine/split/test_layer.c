/* SPDX-License-Identifier: Apache-2.0 */
/* If any of these failed, an answer put together from shares would differ from the answer without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/split/eval.h"
#include "engine/split/prepare.h"
#include "engine/split/protect.h"
#include "engine/split/recover.h"
#include "engine/split/verify.h"
#include "unit/engine/split/made_layers.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVERS_MAX = 5 };

/* A model with one layer of each kind, its pack, and a server's work space. */
typedef struct bench_of_layers {
    eis_model *model;
    eis_split_layers layers;
    eis_pack *pack;
    eis_split_evaluator *evaluator;
    eis_split_profile profile;
    int fd;
} fixture;

static void set_up(fixture *f, eis_split_profile profile, unsigned planes)
{
    eis_split_prepare_options options = {.profile = profile};
    uint8_t all_planes[8];

    f->profile = profile;
    assert_int_equal(eis_model_new(&f->model, EIS_MODEL_CLASSIFIER), EIS_OK);
    made_dense(f->model, 70, 130, 1);
    made_dense(f->model, 10, 1, 2);
    made_dense(f->model, 1, 65, 3);
    made_conv(f->model, 5, 3, 9, 3, 2, 1, 4);
    assert_int_equal(eis_split_prepare_in_memory(&f->layers, &f->fd, f->model, &options), EIS_OK);
    assert_int_equal(eis_pack_open_fd(&f->pack, f->fd, "memory", true), EIS_OK);
    assert_memory_equal(f->pack->digest, f->layers.info.pack_digest, 32);
    for (uint32_t i = 0; i < f->model->linear_count; i++) {
        if (profile == EIS_SPLIT_P8 && planes != 0) f->layers.layers[i].planes = planes;
        all_planes[i] = (uint8_t)f->layers.layers[i].planes;
    }
    assert_int_equal(eis_split_evaluator_new(&f->evaluator, f->pack, all_planes, f->pack->layer_count, NULL, 1 << 24),
                     EIS_OK);
}

static void tear_down(fixture *f)
{
    eis_split_evaluator_free(f->evaluator);
    eis_pack_free(f->pack);
    close(f->fd);
    eis_split_layers_clear(&f->layers);
    eis_model_free(f->model);
}

static eis_split_client_layer client_layer(const fixture *f, uint32_t index, bool truncate, size_t servers)
{
    const eis_part_layer *part = &f->layers.layers[index];
    eis_split_client_layer client;

    assert_int_equal(eis_split_client_layer_init(&client, &f->model->linears[index], f->profile, part->planes,
                                                 part->row_norm, part->row_scales, truncate, servers),
                     EIS_OK);
    return client;
}

/* Sends one share to "its server" and reads the answer back, through the bytes of the wire. */
static uint64_t *ask(fixture *f, uint32_t index, const eis_split_client_layer *client, const eis_share *share,
                     size_t batch)
{
    size_t bytes = eis_split_share_bytes(share, client);
    uint8_t *payload = eis_mem_new(bytes, 1);
    uint64_t *words = eis_mem_new(batch * client->layer.out_count, sizeof *words);
    eis_split_request request = {.layer = index,
                                 .batch = batch,
                                 .suite = share->suite,
                                 .truncated_bits = client->truncated_bits,
                                 .payload = {payload, bytes}};
    eis_span reply;

    eis_split_share_write(payload, share, client);
    assert_int_equal(eis_split_eval(f->evaluator, &reply, &request), EIS_OK);
    assert_int_equal(reply.bytes, eis_split_eval_reply_bytes(f->evaluator, index, batch, client->truncated_bits));
    assert_int_equal(eis_split_reply_read(words, reply.data, &client->layer, batch, client->truncated_bits), EIS_OK);
    eis_mem_free(payload);
    return words;
}

static double sum_of_squares(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

/* One layer, there and back. Returns the largest error relative to the expected norm of the answer. */
static double run_layer(fixture *f, uint32_t index, eis_split_scheme scheme, size_t answer_count, bool truncate,
                        double size)
{
    enum { BATCH = 3 };
    eis_split_client_layer client = client_layer(f, index, truncate, scheme.servers);
    size_t in = client.layer.in_count, out = client.layer.out_count;
    double *x = eis_mem_new(BATCH * in, sizeof *x), *y = eis_mem_new(BATCH * out, sizeof *y),
           *want = eis_mem_new(out, sizeof *want);
    eis_split_input input = {0};
    eis_share shares[SERVERS_MAX] = {0};
    eis_split_answer answers[SERVERS_MAX];
    eis_prg prg = {0};
    uint64_t seed = 99 + index;
    double worst = 0;

    for (size_t i = 0; i < BATCH * in; i++) x[i] = size * made_random(&seed);
    assert_int_equal(eis_split_encode(&input, &client, x, BATCH), EIS_OK);
    assert_int_equal(eis_split_protect(shares, &prg, &input, &client, &scheme), EIS_OK);
    for (size_t s = 0; s < scheme.servers; s++)
        answers[s] =
            (eis_split_answer){(uint32_t)s + 1, ask(f, index, &client, &shares[s], BATCH), client.truncated_bits};
    /* The last servers answer: those whose shares are words. */
    assert_int_equal(
        eis_split_recover(y, NULL, answers + scheme.servers - answer_count, answer_count, &input, &client, &scheme),
        EIS_OK);
    for (size_t v = 0; v < BATCH; v++) {
        double error = 0, norm = 0;
        made_multiply(want, client.layer.linear, x + v * in);
        for (size_t i = 0; i < out; i++) {
            error += (want[i] - y[v * out + i]) * (want[i] - y[v * out + i]);
        }
        /* Relative to what an answer of independent random signs would have: a single output may cancel to almost 0. */
        norm = (double)out / 3 * sum_of_squares(x + v * in, in) * (double)client.layer.linear->in / (double)in;
        worst = fmax(worst, sqrt(error / norm));
    }
    for (size_t s = 0; s < scheme.servers; s++) {
        eis_mem_free((void *)(uintptr_t)answers[s].words);
        eis_share_clear(&shares[s]);
    }
    eis_split_input_clear(&input);
    eis_prg_clear(&prg);
    eis_mem_free(x);
    eis_mem_free(y);
    eis_mem_free(want);
    return worst;
}

/* Tolerances: half a unit of the weights (2^-9, 2^-21, 2^-25 of the row's largest), summed over the row like random
 * errors, doubled; inputs add less. */
static const struct {
    eis_split_profile profile;
    unsigned planes;
    double tolerance;
} cases[] = {{EIS_SPLIT_P24, 0, 1e-5},    {EIS_SPLIT_P8, 4, 2e-2},   {EIS_SPLIT_P8, 5, 2e-2},
             {EIS_SPLIT_P8, 6, 2e-2},     {EIS_SPLIT_P8, 7, 2e-2},   {EIS_SPLIT_P8, 8, 2e-2},
             {EIS_SPLIT_F61_20, 0, 2e-5}, {EIS_SPLIT_F61_8, 0, 2e-2}};

static void shares_of_every_profile_give_the_product(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        fixture f;
        set_up(&f, cases[c].profile, cases[c].planes);
        for (uint32_t index = 0; index < f.model->linear_count; index++)
            for (size_t k = 2; k <= 4; k++)
                for (int truncate = 0; truncate < 2; truncate++) {
                    double error = run_layer(&f, index, (eis_split_scheme){.servers = k}, k, truncate != 0, 3);
                    if (error > cases[c].tolerance) print_message("case %zu layer %u k %zu: %g\n", c, index, k, error);
                    assert_true(error < cases[c].tolerance);
                }
        tear_down(&f);
    }
}

static void inputs_of_any_size_keep_their_precision(void **state)
{
    fixture f;

    (void)state;
    set_up(&f, EIS_SPLIT_P24, 0);
    for (int exponent = -200; exponent <= 200; exponent += 25)
        assert_true(run_layer(&f, 0, (eis_split_scheme){.servers = 2}, 2, false, ldexp(1, exponent)) < 1e-5);
    tear_down(&f);
}

static void any_t_of_n_servers_are_enough(void **state)
{
    fixture f;

    (void)state;
    set_up(&f, EIS_SPLIT_F61_20, 0);
    for (size_t n = 2; n <= 5; n++)
        for (size_t t = 2; t <= n; t++)
            for (size_t answers = t; answers <= n; answers++)
                assert_true(run_layer(&f, 0, (eis_split_scheme){.servers = n, .threshold = t}, answers, false, 1) <
                            2e-5);
    assert_true(run_layer(&f, 3, (eis_split_scheme){.servers = 3, .threshold = 2}, 2, false, 1) < 2e-5);
    tear_down(&f);
}

static void one_changed_word_is_seen(void **state)
{
    fixture f;
    eis_split_verifier *verifier;

    (void)state;
    set_up(&f, EIS_SPLIT_F61_20, 0);
    assert_int_equal(eis_split_verifier_new(&verifier, f.pack, f.layers.info.pack_digest), EIS_OK);
    for (uint32_t index = 0; index < f.model->linear_count; index++) {
        eis_split_client_layer client = client_layer(&f, index, false, 2);
        size_t in = client.layer.in_count;
        double *x = eis_mem_new(2 * in, sizeof *x);
        eis_split_input input = {0};
        eis_share shares[3] = {0};
        eis_prg prg = {0};
        x[in / 2] = 0.5;
        assert_int_equal(eis_split_encode(&input, &client, x, 2), EIS_OK);
        assert_int_equal(
            eis_split_protect(shares, &prg, &input, &client, &(eis_split_scheme){.servers = 3, .threshold = 2}),
            EIS_OK);
        for (int s = 0; s < 3; s++) {
            uint64_t *words = ask(&f, index, &client, &shares[s], 2);
            assert_int_equal(eis_split_verify(verifier, index, &client.layer, words, &shares[s]), EIS_OK);
            words[2 * client.layer.out_count - 1] ^= 1;
            assert_int_equal(eis_split_verify(verifier, index, &client.layer, words, &shares[s]), EIS_ERR_INTEGRITY);
            eis_mem_free(words);
            eis_share_clear(&shares[s]);
        }
        eis_split_input_clear(&input);
        eis_prg_clear(&prg);
        eis_mem_free(x);
    }
    eis_split_verifier_free(verifier);
    tear_down(&f);
}

static void seeds_of_masks_are_expanded_one_by_one(void **state)
{
    enum { COUNT = 3 };
    fixture f;
    uint8_t seeds[COUNT * 32];
    eis_span together, single;

    (void)state;
    set_up(&f, EIS_SPLIT_P24, 0);
    for (size_t i = 0; i < sizeof seeds; i++) seeds[i] = (uint8_t)(i * 7);
    for (uint32_t index = 0; index < f.model->linear_count; index++) {
        eis_split_request all = {
            .layer = index, .batch = COUNT, .suite = 1, .single_seeds = true, .payload = {seeds, sizeof seeds}};
        uint8_t *kept;
        size_t each;
        assert_int_equal(eis_split_eval(f.evaluator, &together, &all), EIS_OK);
        each = together.bytes / COUNT;
        kept = eis_mem_new(together.bytes, 1);
        memcpy(kept, together.data, together.bytes);
        for (size_t i = 0; i < COUNT; i++) {
            eis_split_request one = {.layer = index, .batch = 1, .suite = 1, .payload = {seeds + 32 * i, 32}};
            assert_int_equal(eis_split_eval(f.evaluator, &single, &one), EIS_OK);
            assert_memory_equal(single.data, kept + i * each, each);
        }
        eis_mem_free(kept);
    }
    tear_down(&f);
}

static void hostile_requests_are_refused(void **state)
{
    fixture f;
    uint8_t seed[48] = {0}, words[8] = {0};
    eis_span reply;
    const struct {
        eis_split_request request;
        eis_status status;
    } bad[] = {
        {{.layer = 4, .batch = 1, .suite = 1, .payload = {seed, 32}}, EIS_ERR_LAYER_NOT_FOUND},
        {{.layer = 0, .batch = 0, .suite = 1, .payload = {seed, 32}}, EIS_ERR_SHAPE},
        {{.layer = 0, .batch = 1, .suite = 1, .payload = {seed, 31}}, EIS_ERR_SHAPE},
        {{.layer = 0, .batch = 1, .suite = 2, .payload = {seed, 32}}, EIS_ERR_SHAPE},
        {{.layer = 0, .batch = 1, .suite = 9, .payload = {seed, 32}}, EIS_ERR_UNSUPPORTED},
        {{.layer = 0, .batch = 1, .suite = 0, .payload = {words, 8}}, EIS_ERR_SHAPE},
        {{.layer = 0, .batch = 1, .suite = 1, .truncated_bits = 3, .payload = {seed, 32}}, EIS_ERR_UNSUPPORTED},
        {{.layer = 0, .batch = 60000, .suite = 1, .payload = {seed, 32}}, EIS_ERR_TOO_LARGE},
        {{.layer = 0, .batch = SIZE_MAX / 2, .suite = 1, .payload = {seed, 32}}, EIS_ERR_SHAPE},
    };

    (void)state;
    set_up(&f, EIS_SPLIT_P24, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(eis_split_eval(f.evaluator, &reply, &bad[i].request), bad[i].status);
        assert_null(reply.data);
    }
    tear_down(&f);
    /* A word of the field that is not below p. */
    set_up(&f, EIS_SPLIT_F61_20, 0);
    memset(words, 0xff, sizeof words);
    assert_int_equal(
        eis_split_eval(f.evaluator, &reply, &(eis_split_request){.layer = 1, .batch = 1, .payload = {words, 8}}),
        EIS_ERR_PROTOCOL);
    tear_down(&f);
}

/* Too few answers, or one of them twice, still add up to numbers that look like an answer. */
static void a_wrong_set_of_answers_is_refused(void **state)
{
    enum { SERVERS = 3 };
    static const uint32_t wrong[][SERVERS] = {{1, 1, 2}, {1, 2, 4}, {0, 1, 2}, {1, 2, 0}};
    const eis_split_scheme scheme = {.servers = SERVERS};
    eis_split_answer answers[SERVERS];
    eis_split_client_layer client;
    eis_split_input input = {0};
    const double x[130] = {1};
    double y[70];
    uint64_t words[70] = {0};
    fixture f;

    (void)state;
    set_up(&f, EIS_SPLIT_P24, 0);
    client = client_layer(&f, 0, false, SERVERS);
    assert_int_equal(eis_split_encode(&input, &client, x, 1), EIS_OK);
    for (uint32_t i = 0; i < SERVERS; i++) answers[i] = (eis_split_answer){i + 1, words, 0};
    assert_int_equal(eis_split_recover(y, NULL, answers, SERVERS, &input, &client, &scheme), EIS_OK);
    assert_int_equal(eis_split_recover(y, NULL, answers, SERVERS - 1, &input, &client, &scheme), EIS_ERR_USAGE);
    for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++) {
        for (size_t i = 0; i < SERVERS; i++) answers[i].index = wrong[w][i];
        assert_int_equal(eis_split_recover(y, NULL, answers, SERVERS, &input, &client, &scheme), EIS_ERR_USAGE);
    }
    answers[0].index = 3;
    answers[1].index = 0; /* the stored product of masks */
    assert_int_equal(eis_split_recover(y, NULL, answers, 2, &input, &client, &scheme), EIS_OK);
    eis_split_input_clear(&input);
    tear_down(&f);
}

static void schemes_that_reveal_are_refused(void **state)
{
    (void)state;
    assert_int_equal(eis_split_scheme_check(&(eis_split_scheme){.servers = 1}, EIS_SPLIT_P24), EIS_ERR_USAGE);
    assert_int_equal(eis_split_scheme_check(&(eis_split_scheme){.servers = 3, .threshold = 1}, EIS_SPLIT_F61_20),
                     EIS_ERR_USAGE);
    assert_int_equal(eis_split_scheme_check(&(eis_split_scheme){.servers = 3, .threshold = 4}, EIS_SPLIT_F61_20),
                     EIS_ERR_USAGE);
    assert_int_equal(eis_split_scheme_check(&(eis_split_scheme){.servers = 3, .threshold = 2}, EIS_SPLIT_P24),
                     EIS_ERR_USAGE);
    assert_int_equal(eis_split_scheme_check(&(eis_split_scheme){.servers = 3, .threshold = 2}, EIS_SPLIT_F61_20),
                     EIS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_every_profile_give_the_product),
        cmocka_unit_test(inputs_of_any_size_keep_their_precision),
        cmocka_unit_test(any_t_of_n_servers_are_enough),
        cmocka_unit_test(one_changed_word_is_seen),
        cmocka_unit_test(seeds_of_masks_are_expanded_one_by_one),
        cmocka_unit_test(hostile_requests_are_refused),
        cmocka_unit_test(a_wrong_set_of_answers_is_refused),
        cmocka_unit_test(schemes_that_reveal_are_refused),
    };
    return cmocka_run_group_tests_name("engine/split layer", tests, NULL, NULL);
}
