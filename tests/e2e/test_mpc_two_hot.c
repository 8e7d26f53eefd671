/* SPDX-License-Identifier: Apache-2.0 */
/* An owner of a prompt that puts in two tokens at one place, or half of one: prompt.check ends the session before a
 * token is told, whether or not the Triple Service is tested; without it a text follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mpc_service.h"
#include "support/mpc_stories.h"

/* Asks the Triple Service for the keys of an input's masks and adds the masks. */
static void add_masks(uint64_t *row, uint32_t count, mpc_service *s, uint64_t step)
{
    uint64_t number = eis_mpc_session_number(&s->session), *mask = malloc(count * sizeof *mask);
    eis_stream *stream;
    eis_writer w;
    eis_reader r;

    mpc_service_require(eis_mpc_call(&stream, &s->owner, &s->session.dealer, EIS_MPC_ROLE_OWNER, number), "call");
    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, EIS_MPC_PURPOSE_INPUT);
    eis_wire_writer_u64(&w, eis_mpc_input_number(step, EIS_MPC_LM_INPUT_TOKENS));
    mpc_service_require(eis_mpc_send(stream, EIS_MPC_MESSAGE_KEYS, number, &w, NULL, 0), "ask");
    mpc_service_require(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_KEYS_ARE, number, 10000), "keys");
    for (uint32_t p = 0; p < s->session.party_count; p++) {
        eis_mpc_stream words = {0};
        mpc_service_require(eis_mpc_stream_start_key(&words, eis_wire_reader_bytes(&r, EIS_MPC_SEED_BYTES)), "key");
        mpc_service_require(eis_mpc_stream_words(&words, mask, count), "masks");
        for (uint32_t i = 0; i < count; i++) row[i] = eis_fp_add(row[i], mask[i]);
        eis_mpc_stream_clear(&words);
    }
    eis_wire_writer_clear(&w);
    eis_net_stream_free(stream);
    free(mask);
}

/* Sends the row to all parties, as an honest owner would. */
static void send_row(const uint64_t *row, uint32_t count, mpc_service *s, uint64_t step)
{
    uint64_t number = eis_mpc_session_number(&s->session);

    for (uint32_t p = 0; p < s->session.party_count; p++) {
        eis_stream *stream;
        eis_writer w;
        eis_reader r;
        mpc_service_require(eis_mpc_call(&stream, &s->owner, &s->session.party[p], EIS_MPC_ROLE_OWNER, number), "call");
        eis_wire_writer_init(&w, 64);
        eis_wire_writer_u64(&w, step);
        eis_wire_writer_u32(&w, EIS_MPC_LM_INPUT_TOKENS);
        eis_wire_writer_u32(&w, 1); /* of which it is the last */
        mpc_service_require(eis_mpc_send(stream, EIS_MPC_MESSAGE_INPUT, number, &w, row, count), "input");
        mpc_service_require(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_TAKEN, number, 10000), "taken");
        eis_wire_writer_clear(&w);
        eis_net_stream_free(stream);
    }
}

static eis_status tell(void *context, uint32_t token, double ms)
{
    unsigned *told = context;

    assert_true(token < model->lm.vocabulary && ms >= 0);
    ++*told;
    return EIS_OK;
}

typedef enum lie { ONE, TWO, NONE, TWICE } lie;

/* One session with a prompt of one place. Returns how its run ended. */
static eis_status run(unsigned *told, eis_mpc_tests tests, lie what, const char *id)
{
    enum { TOKEN = 77, OTHER = 123 };
    uint32_t count = model->lm.vocabulary;
    uint64_t *row = calloc(count, sizeof *row);
    mpc_service s;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;
    eis_status st;

    *told = 0;
    mpc_service_open(&s, model, &tuning, 2, id);
    s.session.tests = tests;
    eis_wire_writer_rewind(&s.document);
    mpc_service_require(eis_mpc_session_write(&s.document, &s.session), "session");
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(&owner, &s.session, &s.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(owner, model, NULL, NULL), "model");
    mpc_service_require(eis_mpc_conductor_load(conductor), "load");
    if (what != NONE) row[TOKEN] = what == TWICE ? 2 : 1;
    if (what == TWO) row[OTHER] = 1;
    add_masks(row, count, &s, 1);
    send_row(row, count, &s, 1);
    st = eis_mpc_conductor_run(conductor, &end, 1, 2, NULL, tell, told);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    mpc_service_close(&s);
    free(row);
    return st;
}

static void test_checked(void **state)
{
    unsigned told;
    (void)state;

    for (uint32_t level = 0; level <= 1; level++) {
        const eis_mpc_tests tests = {.level = level, .inputs = true};
        assert_int_equal(run(&told, tests, ONE, "one"), EIS_OK);
        assert_true(told > 0);
        for (lie what = TWO; what <= TWICE; what++) {
            assert_int_equal(run(&told, tests, what, "lie"), EIS_ERR_INTEGRITY);
            assert_int_equal(told, 0);
        }
    }
}

static void test_unchecked(void **state)
{
    unsigned told;
    (void)state;

    for (uint32_t level = 0; level <= 1; level++) {
        assert_int_equal(run(&told, (eis_mpc_tests){.level = level}, TWO, "two"), EIS_OK);
        assert_true(told > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_checked), cmocka_unit_test(test_unchecked)};

    return cmocka_run_group_tests(tests, open_model, close_model);
}
