/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, texts that were asked to vary are not as likely as the model says, or somebody can choose a token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/plain.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#include <math.h>

enum { TOP_K = 4, DRAWS = 48, PARTIES = 2 };

static const uint32_t prompt[] = {0, 77};

/* ---- what the plain engine says ---- */

typedef struct plain {
    eis_lm_session *session;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double *logits; /* [vocabulary]: of what comes behind all that was fed */
} plain;

static void plain_open(plain *p)
{
    assert_int_equal(eis_lm_session_new(&p->session, model, 0), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&p->backend, model, NULL), EIS_OK);
    p->seam = eis_plain_backend_seam(p->backend);
    p->logits = calloc(model->lm.vocabulary, sizeof *p->logits);
    assert_non_null(p->logits);
}

static void plain_close(plain *p)
{
    free(p->logits);
    eis_plain_backend_free(p->backend);
    eis_lm_session_free(p->session);
}

static void plain_feed(plain *p, uint32_t token)
{
    assert_int_equal(eis_lm_feed(p->session, p->logits, &p->seam, &token, 1), EIS_OK);
}

/* The k likeliest ids in order. */
static void plain_best(uint32_t *ids, const plain *p, uint32_t k)
{
    for (uint32_t i = 0; i < k; i++) {
        ids[i] = UINT32_MAX;
        for (uint32_t v = 0; v < model->lm.vocabulary; v++) {
            bool taken = false;
            for (uint32_t j = 0; j < i; j++) taken |= ids[j] == v;
            if (!taken && (ids[i] == UINT32_MAX || p->logits[v] > p->logits[ids[i]])) ids[i] = v;
        }
    }
}

static bool is_stop(uint32_t token)
{
    for (uint32_t i = 0; i < model->lm.stop_count; i++)
        if (model->lm.stop_ids[i] == token) return true;
    return false;
}

/* ---- a session ---- */

typedef struct story {
    uint32_t tokens[DRAWS];
    uint32_t count;
} story;

static eis_status hear(void *context, uint32_t token, double ms)
{
    story *t = context;
    (void)ms;

    assert_true(t->count < DRAWS);
    t->tokens[t->count++] = token;
    return EIS_OK;
}

typedef struct table {
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
} table;

static void table_open(table *t, uint32_t parties, const char *id)
{
    mpc_service_open(&t->s, model, &tuning, parties, id);
    mpc_service_require(eis_mpc_conductor_open(&t->conductor, &t->s.session, t->s.document.data, t->s.document.bytes,
                                               &t->s.coordinator),
                        "open");
    mpc_service_require(eis_mpc_owner_open(&t->owner, &t->s.session, &t->s.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(t->owner, model, NULL, NULL), "model");
    mpc_service_require(eis_mpc_conductor_load(t->conductor), "load");
}

static void table_close(table *t)
{
    eis_mpc_owner_close(t->owner);
    eis_mpc_conductor_close(t->conductor);
    mpc_service_close(&t->s);
}

static void ask(table *t, story *told, uint32_t most, const eis_mpc_sampling *sampling)
{
    uint64_t step = eis_mpc_conductor_step(t->conductor);
    eis_mpc_end end;

    mpc_service_require(eis_mpc_owner_send_prompt(t->owner, step, eis_mpc_conductor_position(t->conductor), prompt, 2),
                        "in");
    mpc_service_require(eis_mpc_conductor_run(t->conductor, &end, 2, most, sampling, hear, told), "run");
}

/* ---- tests ---- */

/* Ranks of drawn tokens against what the plain engine expects of each, summed up over a text. */
static void as_often_as_the_plain_engine_says(void **state)
{
    static const eis_mpc_sampling sampling = {TOP_K, 3};
    double expected[TOP_K] = {0}, seen[TOP_K] = {0}, chi = 0;
    story told = {.count = 0};
    table t;
    plain p;
    (void)state;

    table_open(&t, PARTIES, "drawn");
    while (told.count < DRAWS) ask(&t, &told, DRAWS - told.count, &sampling); /* a stop token ends a text early */
    table_close(&t);
    plain_open(&p);
    for (uint32_t i = 0; i < 2; i++) plain_feed(&p, prompt[i]);
    for (uint32_t i = 0; i < told.count; i++) {
        uint32_t best[TOP_K], rank = 0;
        double weight[TOP_K], sum = 0;
        plain_best(best, &p, TOP_K);
        for (uint32_t k = 0; k < TOP_K; k++) sum += weight[k] = exp((p.logits[best[k]] - p.logits[best[0]]) / 3);
        for (uint32_t k = 0; k < TOP_K; k++) expected[k] += weight[k] / sum;
        while (rank + 1 < TOP_K && best[rank] != told.tokens[i]) rank++;
        /* What is not among them is so by less than what fixed point may lose. */
        assert_true(p.logits[told.tokens[i]] > p.logits[best[TOP_K - 1]] - 0.05);
        seen[rank]++;
        if (!is_stop(told.tokens[i])) {
            plain_feed(&p, told.tokens[i]);
        } else { /* told, not fed; the next prompt is */
            for (uint32_t k = 0; k < 2; k++) plain_feed(&p, prompt[k]);
        }
    }
    for (uint32_t k = 0; k < TOP_K; k++) chi += pow(seen[k] - expected[k], 2) / expected[k];
    print_message("ranks %g %g %g %g, expected %.1f %.1f %.1f %.1f: chi^2 %.1f\n", seen[0], seen[1], seen[2], seen[3],
                  expected[0], expected[1], expected[2], expected[3], chi);
    assert_true(chi < 28); /* one of 300,000 texts is worse, with 3 degrees of freedom */
    assert_true(seen[0] < told.count);
    plain_close(&p);
}

/* A text that is drawn, then one of the likeliest tokens: what was dealt ahead for the first is of no use. At level 1,
 * where the material of both is tested. */
static void another_prompt_another_sampling(void **state)
{
    static const eis_mpc_sampling draw = {TOP_K, 2};
    story first = {.count = 0}, second = {.count = 0}, third = {.count = 0};
    uint32_t sure = 0, best[2];
    table t;
    plain p;
    (void)state;

    table_open(&t, 3, "both");
    assert_int_equal(t.s.session.tests.level, 1);
    ask(&t, &first, 3, &draw);
    ask(&t, &second, 6, NULL);
    ask(&t, &third, 2, &draw);
    assert_int_equal(third.count, 2);
    table_close(&t);
    plain_open(&p);
    for (uint32_t i = 0; i < 2; i++) plain_feed(&p, prompt[i]);
    for (uint32_t i = 0; i + 1 < first.count; i++) plain_feed(&p, first.tokens[i]); /* the last was told, and not fed */
    for (uint32_t i = 0; i < 2; i++) plain_feed(&p, prompt[i]);
    for (uint32_t i = 0; i < second.count; i++) {
        plain_best(best, &p, 2);
        if (p.logits[best[0]] > p.logits[best[1]] + 0.05) {
            assert_int_equal(second.tokens[i], best[0]);
            sure++;
        }
        plain_feed(&p, second.tokens[i]);
    }
    assert_true(sure * 2 > second.count);
    plain_close(&p);
}

/* ---- liars ---- */

/* Calls in a role that the library has no call for. */
static eis_stream *greet(const mpc_service *s, const eis_mpc_member *member, const eis_mpc_caller *caller,
                         eis_mpc_role role, uint32_t index, uint64_t session)
{
    const eis_tls_client_config config = {.ca_pem = caller->ca_pem,
                                          .cert_pem = caller->cert_pem,
                                          .key_pem = caller->key_pem,
                                          .pins = &member->pin,
                                          .pin_count = 1,
                                          .alpn = EIS_MPC_ALPN};
    const eis_stream_options options = {.protocol = EIS_FRAME_PROTOCOL_MPC};
    eis_stream *stream;
    eis_tls *tls;
    eis_writer w;
    eis_reader r;
    (void)s;

    eis_wire_writer_init(&w, 64);
    mpc_service_require(eis_net_tls_client_new(&tls, &config), "tls");
    mpc_service_require(eis_net_stream_connect(&stream, &member->address, tls, 10000, &options), "connect");
    eis_net_tls_free(tls);
    eis_wire_writer_u8(&w, (uint8_t)role);
    eis_wire_writer_u32(&w, index);
    eis_wire_writer_u64(&w, session);
    mpc_service_require(eis_mpc_send(stream, EIS_MPC_MESSAGE_HELLO, 0, &w, NULL, 0), "hello");
    mpc_service_require(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_WELCOME, session, 10000), "welcome");
    eis_wire_writer_clear(&w);
    return stream;
}

static void send_document(eis_stream *stream, const mpc_service *s, uint32_t index)
{
    eis_writer w;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    eis_wire_writer_u32(&w, index);
    eis_wire_writer_bytes(&w, s->document.data, s->document.bytes);
    mpc_service_require(eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATE, 0, &w, NULL, 0), "create");
    eis_wire_writer_clear(&w);
}

static eis_status ask_unit(eis_stream *stream, uint64_t session, eis_mpc_unit_kind kind, uint64_t step,
                           uint32_t position, eis_mpc_sampling sampling)
{
    eis_status st;
    eis_writer w;
    eis_reader r;

    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, (uint8_t)kind);
    eis_wire_writer_u64(&w, step);
    eis_wire_writer_u32(&w, position);
    eis_mpc_sampling_write(&w, &sampling);
    eis_wire_writer_u32(&w, 1);
    mpc_service_require(eis_mpc_send(stream, EIS_MPC_MESSAGE_UNIT, session, &w, NULL, 0), "ask");
    eis_wire_writer_clear(&w);
    st = eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_UNIT_IS, session, 60000);
    return st;
}

/* A last party that wants two graphs from one stream of words. */
static void units_follow_their_prompt(void **state)
{
    static const eis_mpc_sampling greedy = {1, 0}, also_greedy = {7, 0}, draw = {3, 1}, hotter = {3, 2};
    mpc_service s;
    eis_stream *coordinator, *party;
    eis_mpc_caller last;
    eis_reader r;
    uint64_t number;
    uint32_t step = 1;
    (void)state;

    mpc_service_open(&s, model, &tuning, PARTIES, "units");
    number = eis_mpc_session_number(&s.session);
    coordinator = greet(&s, &s.session.dealer, &s.coordinator, EIS_MPC_ROLE_COORDINATOR, 0, 0);
    send_document(coordinator, &s, 0);
    mpc_service_require(eis_mpc_await(&r, coordinator, EIS_MPC_MESSAGE_CREATED, number, 60000), "created");
    last = mpc_service_caller(&s, &s.papers[PARTIES - 1]);
    party = greet(&s, &s.session.dealer, &last, EIS_MPC_ROLE_PARTY, PARTIES - 1, number);
    eis_net_stream_limit(party, EIS_MPC_STREAM_PAYLOAD_MAX);
    assert_int_equal(ask_unit(party, number, EIS_MPC_UNIT_LOAD, 0, 0, greedy), EIS_OK);
    assert_int_equal(ask_unit(party, number, EIS_MPC_UNIT_VECTORS, 0, 0, greedy), EIS_OK);
    assert_int_equal(ask_unit(party, number, EIS_MPC_UNIT_LAST, 1, 0, also_greedy), EIS_OK);
    assert_int_equal(ask_unit(party, number, EIS_MPC_UNIT_NEXT, 2, 1, greedy), EIS_OK);
    for (step = 3; step < 5; step++) /* a prompt may change it */
        assert_int_equal(
            ask_unit(party, number, step == 3 ? EIS_MPC_UNIT_LAST : EIS_MPC_UNIT_NEXT, step, step - 1, draw), EIS_OK);
    assert_int_equal(ask_unit(party, number, EIS_MPC_UNIT_NEXT, step, step - 1, hotter), EIS_ERR_PROTOCOL);
    eis_net_stream_free(party);
    eis_net_stream_free(coordinator);
    mpc_service_close(&s);
}

/* A coordinator that tells parties different temperatures hears of no token: what is drawn from is in the transcript,
 * which is compared before anything leaves. */
static void parties_draw_from_the_same(void **state)
{
    mpc_service s;
    eis_stream *dealer, *party[PARTIES];
    eis_mpc_owner *owner;
    eis_reader r;
    eis_writer w;
    uint64_t number;
    uint32_t refused = 0;
    (void)state;

    mpc_service_open(&s, model, &tuning, PARTIES, "different");
    number = eis_mpc_session_number(&s.session);
    dealer = greet(&s, &s.session.dealer, &s.coordinator, EIS_MPC_ROLE_COORDINATOR, 0, 0);
    send_document(dealer, &s, 0);
    mpc_service_require(eis_mpc_await(&r, dealer, EIS_MPC_MESSAGE_CREATED, number, 60000), "created");
    for (uint32_t p = 0; p < PARTIES; p++) {
        party[p] = greet(&s, &s.session.party[p], &s.coordinator, EIS_MPC_ROLE_COORDINATOR, 0, 0);
        send_document(party[p], &s, p);
    }
    for (uint32_t p = 0; p < PARTIES; p++)
        mpc_service_require(eis_mpc_await(&r, party[p], EIS_MPC_MESSAGE_CREATED, number, 60000), "linked");
    mpc_service_require(eis_mpc_owner_open(&owner, &s.session, &s.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(owner, model, NULL, NULL), "model");
    for (uint32_t p = 0; p < PARTIES; p++)
        mpc_service_require(eis_mpc_send(party[p], EIS_MPC_MESSAGE_LOAD, number, NULL, NULL, 0), "load");
    for (uint32_t p = 0; p < PARTIES; p++)
        mpc_service_require(eis_mpc_await(&r, party[p], EIS_MPC_MESSAGE_LOADED, number, 60000), "loaded");
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, &(uint32_t){77}, 1), "token");
    eis_wire_writer_init(&w, 64);
    for (uint32_t p = 0; p < PARTIES; p++) {
        eis_wire_writer_u32(&w, 1);
        eis_wire_writer_u32(&w, 1);
        eis_mpc_sampling_write(&w, &(eis_mpc_sampling){3, 1 + p});
        mpc_service_require(eis_mpc_send(party[p], EIS_MPC_MESSAGE_RUN, number, &w, NULL, 0), "run");
    }
    eis_wire_writer_clear(&w);
    for (uint32_t p = 0; p < PARTIES; p++) {
        eis_status st = eis_mpc_await(&r, party[p], EIS_MPC_MESSAGE_TOKEN, number, 60000);
        assert_int_not_equal(st, EIS_OK);
        refused += st == EIS_ERR_INTEGRITY;
    }
    assert_true(refused > 0); /* who comes second may find the other gone */
    eis_mpc_owner_close(owner);
    for (uint32_t p = 0; p < PARTIES; p++) eis_net_stream_free(party[p]);
    eis_net_stream_free(dealer);
    mpc_service_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_often_as_the_plain_engine_says),
        cmocka_unit_test(another_prompt_another_sampling),
        cmocka_unit_test(units_follow_their_prompt),
        cmocka_unit_test(parties_draw_from_the_same),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
