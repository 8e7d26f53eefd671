/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of the mpc engine as threads of one: a story over TLS equals that of the plain engine; what a session
 * names is held to; the death of anybody ends the session for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/plain.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#include <math.h>

typedef struct told {
    uint32_t tokens[64], count;
} told;

static eis_status tell(void *context, uint32_t token, double ms)
{
    told *t = context;

    assert_true(ms >= 0 && t->count < 64);
    t->tokens[t->count++] = token;
    return EIS_OK;
}

/* What the plain engine says, and how sure it is. */
static uint32_t plain_next(double *margin, eis_lm_session *plain, const eis_linear_backend *seam, uint32_t token,
                           double *logits)
{
    uint32_t best = 0;

    assert_int_equal(eis_lm_feed(plain, logits, seam, &token, 1), EIS_OK);
    for (uint32_t i = 1; i < model->lm.vocabulary; i++)
        if (logits[i] > logits[best]) best = i;
    *margin = INFINITY;
    for (uint32_t i = 0; i < model->lm.vocabulary; i++)
        if (i != best) *margin = fmin(*margin, logits[best] - logits[i]);
    return best;
}

/* Compares what was told with what the plain engine says, after a prompt and what came before it. */
static void check_story(const uint32_t *before, uint32_t before_count, const uint32_t *prompt, uint32_t prompt_count,
                        const told *t)
{
    eis_lm_session *plain;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double *logits = malloc(model->lm.vocabulary * sizeof *logits), margin = 0;
    uint32_t wanted = 0, sure = 0;

    assert_int_equal(eis_lm_session_new(&plain, model, 0), EIS_OK);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    for (uint32_t i = 0; i < before_count; i++) (void)plain_next(&margin, plain, &seam, before[i], logits);
    for (uint32_t i = 0; i < prompt_count; i++) wanted = plain_next(&margin, plain, &seam, prompt[i], logits);
    for (uint32_t i = 0; i < t->count; i++) {
        if (margin > 0.05) {
            assert_int_equal(t->tokens[i], wanted);
            sure++;
        }
        if (i + 1 < t->count) wanted = plain_next(&margin, plain, &seam, t->tokens[i], logits);
    }
    assert_true(sure * 2 > t->count);
    free(logits);
    eis_plain_backend_free(backend);
    eis_lm_session_free(plain);
}

/* Opens the session and sends it the model. */
static void load(eis_mpc_conductor **conductor, eis_mpc_owner **owner, mpc_service *s)
{
    mpc_service_require(
        eis_mpc_conductor_open(conductor, &s->session, s->document.data, s->document.bytes, &s->coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(owner, &s->session, &s->owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(*owner, model, NULL, NULL), "model");
    mpc_service_require(eis_mpc_conductor_load(*conductor), "load");
}

static void tell_story(uint32_t parties)
{
    static const uint32_t prompt[] = {0, 77, 123};
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    told t = {.count = 0};

    mpc_service_open(&s, model, &tuning, parties, "story");
    load(&conductor, &owner, &s);
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, prompt, 3), "prompt");
    mpc_service_require(eis_mpc_conductor_run(conductor, &end, 3, 5, NULL, tell, &t), "run");
    assert_true(t.count == 5 || end == EIS_MPC_END_STOP);
    check_story(NULL, 0, prompt, 3, &t);
    if (end == EIS_MPC_END_LENGTH) { /* a second prompt in the same session: what was dealt ahead is thrown away */
        uint32_t before[8] = {0, 77, 123};
        told more = {.count = 0};
        memcpy(before + 3, t.tokens, 4 * sizeof *before); /* the last token was told, and not fed */
        mpc_service_require(eis_mpc_owner_send_prompt(owner, eis_mpc_conductor_step(conductor),
                                                      eis_mpc_conductor_position(conductor), prompt + 1, 2),
                            "prompt");
        mpc_service_require(eis_mpc_conductor_run(conductor, &end, 2, 3, NULL, tell, &more), "run");
        check_story(before, 7, prompt + 1, 2, &more);
    }
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
}

/* Nothing is dealt in a millisecond: the run ends between tokens, and goes on as often as it takes. */
static void test_dry(void **state)
{
    static const uint32_t prompt[] = {0, 77};
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end = EIS_MPC_END_DRY;
    unsigned dry = 0;
    told t = {.count = 0};
    (void)state;

    mpc_service_open_with(&s, model, &tuning, 2, "dry",
                          (eis_triple_service_config){.pool_target = EIS_TRIPLE_NO_POOL, .wait_ms = 1});
    load(&conductor, &owner, &s);
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, prompt, 2), "prompt");
    for (uint32_t with = 2; end == EIS_MPC_END_DRY && dry < 100000; with = 0) {
        mpc_service_require(eis_mpc_conductor_run(conductor, &end, with, 4 - t.count, NULL, tell, &t), "run");
        if (end == EIS_MPC_END_DRY) dry++;
    }
    assert_true(dry >= 2 && end != EIS_MPC_END_DRY);
    assert_true(t.count == 4 || end == EIS_MPC_END_STOP);
    assert_int_equal(eis_mpc_conductor_step(conductor), 1 + t.count);     /* step 0 loads */
    assert_int_equal(eis_mpc_conductor_position(conductor), 1 + t.count); /* two of the prompt, the last not fed */
    check_story(NULL, 0, prompt, 2, &t);
    /* There is nothing to go on with now. */
    assert_int_equal(eis_mpc_conductor_run(conductor, &end, 0, 1, NULL, tell, &t), EIS_ERR_PROTOCOL);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
}

/* With all masks from one number two parties and three tell the same, bit for bit; beyond loopback nobody takes that.
 */
static void master_story(told *t, uint32_t parties)
{
    static const uint32_t prompt[] = {0, 77, 123};
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    eis_mpc_session read;

    mpc_service_open(&s, model, &tuning, parties, "master");
    s.session.master_mask = 7;
    eis_wire_writer_rewind(&s.document);
    mpc_service_require(eis_mpc_session_write(&s.document, &s.session), "session");
    load(&conductor, &owner, &s);
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, prompt, 3), "prompt");
    mpc_service_require(eis_mpc_conductor_run(conductor, &end, 3, 6, NULL, tell, t), "run");
    check_story(NULL, 0, prompt, 3, t);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    snprintf(s.session.party[0].address.host, sizeof s.session.party[0].address.host, "192.0.2.1");
    eis_wire_writer_rewind(&s.document);
    mpc_service_require(eis_mpc_session_write(&s.document, &s.session), "session");
    assert_int_equal(eis_mpc_session_read(&read, s.document.data, s.document.bytes), EIS_ERR_PARSE);
    assert_non_null(strstr(eis_error_detail(), "loopback"));
    mpc_service_close(&s);
}

static void test_master_mask(void **state)
{
    told two = {.count = 0}, three = {.count = 0};
    (void)state;

    master_story(&two, 2);
    master_story(&three, 3);
    assert_int_equal(two.count, three.count);
    assert_memory_equal(two.tokens, three.tokens, two.count * sizeof *two.tokens);
}

static void test_story_of_two(void **state)
{
    (void)state;
    tell_story(2);
}

static void test_story_of_three(void **state)
{
    (void)state;
    tell_story(3);
}

/* A caller with a good certificate whom the session does not name gets nothing. */
static void test_strangers(void **state)
{
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_stream *stream;
    eis_trust_pair papers = {0};
    eis_tls_pin pin;
    eis_mpc_caller stranger;
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "strangers");
    mpc_service_issue(&s, &papers, &pin, "stranger");
    stranger = mpc_service_caller(&s, &papers);
    assert_int_equal(eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &stranger),
                     EIS_ERR_FORBIDDEN);
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "open");
    assert_int_equal(eis_mpc_owner_open(&owner, &s.session, &stranger), EIS_ERR_FORBIDDEN);
    assert_int_equal(
        eis_mpc_call(&stream, &stranger, &s.session.party[0], EIS_MPC_ROLE_PARTY, eis_mpc_session_number(&s.session)),
        EIS_ERR_FORBIDDEN);
    eis_mpc_conductor_close(conductor);
    eis_trust_pair_clear(&papers);
    mpc_service_close(&s);
}

/* A party that goes away ends the run with an error that names it, and the others forget the session. */
static void test_party_gone(void **state)
{
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    told t = {.count = 0};
    eis_status st;
    (void)state;

    mpc_service_open(&s, model, &tuning, 3, "gone");
    load(&conductor, &owner, &s);
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, &(uint32_t){0}, 1), "prompt");
    eis_mpc_party_server_stop(s.party[1], 0);
    s.party[1] = NULL;
    st = eis_mpc_conductor_run(conductor, &end, 1, 5, NULL, tell, &t);
    assert_true(st != EIS_OK && t.count == 0);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
}

/* A prompt of three tokens in as many steps: a coordinator that calls the first one the whole prompt would hear what
 * the model makes of it. */
static void test_prompt_cut(void **state)
{
    static const uint32_t prompt[] = {0, 77, 123};
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    told t = {.count = 0};
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "cut");
    s.session.lm.prefill_mib = 1;
    eis_wire_writer_rewind(&s.document);
    mpc_service_require(eis_mpc_session_write(&s.document, &s.session), "session");
    load(&conductor, &owner, &s);
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, prompt, 3), "prompt");
    assert_int_equal(eis_mpc_owner_step(owner), 3);
    assert_int_equal(eis_mpc_conductor_run(conductor, &end, 1, 1, NULL, tell, &t), EIS_ERR_PROTOCOL);
    assert_non_null(strstr(eis_error_detail(), "3 tokens from this step on by its owner"));
    assert_int_equal(t.count, 0);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story_of_two), cmocka_unit_test(test_story_of_three), cmocka_unit_test(test_dry),
        cmocka_unit_test(test_master_mask),  cmocka_unit_test(test_strangers),      cmocka_unit_test(test_party_gone),
        cmocka_unit_test(test_prompt_cut),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
