/* SPDX-License-Identifier: Apache-2.0 */
/* If what a client does between two rounds depended on what it decrypted, a server could read the key from it, one bit
 * per crafted answer; and if it computed something else than the model, nobody would notice. */
#include "support/he_net.h"

#include "ckks/decrypt.h"
#include "engine/he/interactive.h"

enum { ROUNDS_MAX = 8, WORDS_MAX = 2048, ANSWERS_MAX = 64 };

/* A server, and what it and an eavesdropper see. */
typedef struct wire {
    const he_net *net;
    uint32_t rounds, fail_at; /* 0: never */
    bool liar;                /* answers are noise */
    uint32_t stage[ROUNDS_MAX];
    size_t requests, answers; /* ciphertexts */
    double most[ROUNDS_MAX];  /* largest number that the client sent, by its key */
    uint64_t first_word[ROUNDS_MAX];
} wire;

/* Decrypts what the client sends: only this test can. */
static double largest_sent(const wire *w, uint32_t stage, const eis_ckks_ct *request)
{
    const eis_he_packing *p = &w->net->plan->contract.stage[stage].input;
    size_t count = w->net->client.slots.count;
    double *slots = eis_mem_new(count, sizeof *slots), most = 0;
    eis_ckks_plain plain = {0};

    for (uint32_t i = 0; i < p->ciphertexts; i++) {
        assert_int_equal(eis_ckks_decrypt(&plain, &w->net->client.secret, &request[i]), EIS_OK);
        assert_int_equal(eis_slots_decode_reals(&w->net->client.slots, &w->net->client.params->rns, slots, count,
                                                &plain.poly, plain.scale),
                         EIS_OK);
        for (size_t s = 0; s < count; s++) most = fmax(most, fabs(slots[s]));
    }
    eis_ckks_plain_clear(&plain);
    eis_mem_free(slots);
    return most;
}

/* An answer of the planned shape with words of no meaning, which decrypt to numbers of any size. */
static eis_status lie(const wire *w, uint32_t stage, eis_ckks_ct *answer)
{
    eis_status st = EIS_OK;
    const eis_he_output *o = &w->net->plan->contract.stage[stage].output;
    uint64_t word = 12345;

    for (uint32_t i = 0; i < o->ciphertexts; i++) {
        EIS_TRY(eis_ckks_ct_init(&answer[i], w->net->client.params, 2, o->limbs, o->scale));
        for (size_t k = 0; k < 2 * o->limbs * answer[i].params->degree; k++) {
            size_t limb = k / answer[i].params->degree % o->limbs, poly = k / answer[i].params->degree / o->limbs;
            word = word * 6364136223846793005u + 1442695040888963407u;
            eis_poly_limb(&answer[i].poly[poly], limb)[k % answer[i].params->degree] =
                (word >> 4) % eis_rns_modulus(&answer[i].params->rns, limb)->q;
        }
    }
out:
    return st;
}

static eis_status carry(void *context, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request)
{
    wire *w = context;
    const eis_he_stage *s = &w->net->plan->contract.stage[stage];

    assert_true(w->rounds < ROUNDS_MAX);
    w->most[w->rounds] = largest_sent(w, stage, request);
    w->first_word[w->rounds] = request[0].poly[1].words[0];
    w->stage[w->rounds++] = stage;
    w->requests += s->input.ciphertexts;
    w->answers += s->output.ciphertexts;
    if (w->rounds == w->fail_at) return eis_fail(EIS_ERR_UNAVAILABLE, "the line is down");
    return w->liar ? lie(w, stage, answer) : he_net_serve(w->net, stage, answer, request);
}

/* conv 1 -> 3 with padding, relu, pool, 75 -> 20, relu, 20 -> 4: three rounds. */
static void open_net(he_net *net, const char *chain)
{
    eis_he_wish wish = {.chain = chain, .interactive = true, .input_max = 1};
    he_model *m = he_model_new(21);

    he_model_conv(m, 1, 3, 3, 1, 1);
    he_model_layer(m, "{\"op\":\"relu\"}");
    he_model_layer(m, "{\"op\":\"max_pool\",\"kernel\":[2,2],\"stride\":[2,2]}");
    he_model_layer(m, "{\"op\":\"flatten\"}");
    he_model_dense(m, 75, 20, -1);
    he_model_layer(m, "{\"op\":\"relu\"}");
    he_model_dense(m, 20, 4, -1);
    he_net_open(net, he_model_open(m, "[1,10,10]"), &wish);
}

static void rounds_compute_the_model(void **state)
{
    he_net net;
    double x[100], y[4], expected[4];
    uint64_t seed = 9;

    (void)state;
    open_net(&net, "A1");
    assert_int_equal(net.plan->contract.stage_count, 3);
    assert_int_equal(net.plan->contract.stage[0].input.kind, EIS_HE_WINDOWS);
    assert_int_equal(net.plan->contract.stage[0].local_count, 2);
    assert_int_equal(net.plan->contract.stage[1].local_count, 1);
    assert_int_equal(net.plan->contract.stage[2].local_count, 0);
    assert_false(net.plan->contract.needs_relin);
    assert_int_equal(eis_he_interactive_count(&net.plan->contract), 4);
    for (int i = 0; i < 3; i++) {
        wire w = {.net = &net};
        eis_he_transport transport = {&w, carry};

        fixture_fill(x, 100, 1, &seed);
        he_net_plain(expected, &net, x);
        if (eis_he_interactive_run(y, &net.client, &transport, x) != EIS_OK) fail_msg("%s", eis_error_detail());
        for (int k = 0; k < 4; k++) {
            assert_true(fabs(y[k] - expected[k]) < 1e-5);
            assert_true(y[k] != expected[k]); /* it has been encrypted */
        }
        assert_int_equal(w.rounds, 3);
        for (uint32_t r = 0; r < 3; r++) {
            assert_int_equal(w.stage[r], r);
            assert_true(w.most[r] <= net.plan->contract.stage[r].input_max + 1e-6);
            for (uint32_t q = 0; q < r; q++) assert_true(w.first_word[r] != w.first_word[q]);
        }
    }
    he_net_close(&net);
}

/* Whatever comes back, the same is sent: as many rounds, as many ciphertexts, numbers inside their bounds. */
static void a_lying_server_sees_nothing_of_what_its_lies_decrypt_to(void **state)
{
    he_net net;
    double x[100], y[4];
    uint64_t seed = 10;
    size_t requests[2], answers[2];

    (void)state;
    open_net(&net, "A1");
    fixture_fill(x, 100, 1, &seed);
    for (int liar = 0; liar < 2; liar++) {
        wire w = {.net = &net, .liar = liar == 1};
        eis_he_transport transport = {&w, carry};

        assert_int_equal(eis_he_interactive_run(y, &net.client, &transport, x), EIS_OK);
        assert_int_equal(w.rounds, 3);
        requests[liar] = w.requests;
        answers[liar] = w.answers;
        for (uint32_t r = 0; r < 3; r++) assert_true(w.most[r] <= net.plan->contract.stage[r].input_max + 1e-6);
        if (liar == 1)
            assert_true(w.most[1] > 0.99 * net.plan->contract.stage[1].input_max); /* clamped, not passed on */
        for (int k = 0; k < 4; k++) assert_true(isfinite(y[k]));
    }
    assert_int_equal(requests[0], requests[1]);
    assert_int_equal(answers[0], answers[1]);
    he_net_close(&net);
}

static void inputs_are_clamped_and_checked_before_anything_is_sent(void **state)
{
    he_net net;
    double x[100] = {0}, y[4] = {1, 1, 1, 1};

    (void)state;
    open_net(&net, "S");
    wire w = {.net = &net};
    eis_he_transport transport = {&w, carry};

    x[3] = 1e30;
    x[4] = -1e30;
    assert_int_equal(eis_he_interactive_run(y, &net.client, &transport, x), EIS_OK);
    assert_true(w.most[0] <= 1 + 1e-5 && w.most[0] >= 1 - 1e-5);
    w.rounds = 0;
    x[5] = NAN;
    assert_int_equal(eis_he_interactive_run(y, &net.client, &transport, x), EIS_ERR_RANGE);
    assert_int_equal(w.rounds, 0);
    for (int k = 0; k < 4; k++) assert_true(y[k] == 0);
    he_net_close(&net);
}

static void a_line_that_breaks_ends_it(void **state)
{
    he_net net;
    double x[100] = {0.5}, y[4] = {1, 1, 1, 1};

    (void)state;
    open_net(&net, "A1");
    wire w = {.net = &net, .fail_at = 2};
    eis_he_transport transport = {&w, carry};

    assert_int_equal(eis_he_interactive_run(y, &net.client, &transport, x), EIS_ERR_UNAVAILABLE);
    assert_int_equal(w.rounds, 2);
    for (int k = 0; k < 4; k++) assert_true(y[k] == 0);
    he_net_close(&net);
}

/* Layers that do not fit one ciphertext, on either side. */
static void large_layers_take_several_ciphertexts(void **state)
{
    eis_he_wish wish = {.chain = "S", .interactive = true, .input_max = 1};
    he_model *m = he_model_new(22);
    double *x = eis_mem_new(2500, sizeof *x), y[3], expected[3];
    uint64_t seed = 11;
    he_net net;

    (void)state;
    he_model_dense(m, 2500, 12, -1);
    he_model_layer(m, "{\"op\":\"sigmoid\"}");
    he_model_dense(m, 12, 2100, -1);
    he_model_layer(m, "{\"op\":\"polynomial\",\"coefficients\":[0.1,0.5,0.1],\"interval\":[-4,4]}");
    he_model_dense(m, 2100, 3, -1);
    he_net_open(&net, he_model_open(m, "[2500]"), &wish);
    assert_int_equal(net.plan->contract.stage[0].input.ciphertexts, 2);
    assert_int_equal(net.plan->contract.stage[1].output.ciphertexts, 2);
    wire w = {.net = &net};
    eis_he_transport transport = {&w, carry};
    fixture_fill(x, 2500, 1, &seed);
    he_net_plain(expected, &net, x);
    assert_int_equal(eis_he_interactive_run(y, &net.client, &transport, x), EIS_OK);
    for (int k = 0; k < 3; k++) assert_true(fabs(y[k] - expected[k]) < 1e-2);
    he_net_close(&net);
    eis_mem_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_compute_the_model),
        cmocka_unit_test(a_lying_server_sees_nothing_of_what_its_lies_decrypt_to),
        cmocka_unit_test(inputs_are_clamped_and_checked_before_anything_is_sent),
        cmocka_unit_test(a_line_that_breaks_ends_it),
        cmocka_unit_test(large_layers_take_several_ciphertexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
