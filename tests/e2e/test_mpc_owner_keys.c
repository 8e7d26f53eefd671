/* SPDX-License-Identifier: Apache-2.0 */
/* A Triple Service that hands an owner another key of masks than a party has would shift what the owner puts in. The
 * owner notices before it sends anything, and ends the session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/deal.h"
#include "net/listener.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#include <pthread.h>

/* ---- a Triple Service that lies about one key ---- */

typedef struct liar {
    eis_listener *listener;
    eis_tls *tls;
    pthread_mutex_t lock;
    eis_mpc_dealer dealer;
    uint32_t parties;
    uint64_t number;      /* of the session */
    unsigned lie_purpose; /* 0: none */
    uint64_t lie_number;
} liar;

static eis_status give_keys(liar *l, eis_stream *stream, eis_reader *r)
{
    eis_status st = EIS_OK;
    unsigned purpose = eis_wire_reader_u8(r);
    uint64_t number = eis_wire_reader_u64(r);
    uint8_t key[EIS_MPC_SEED_BYTES];
    eis_writer w;

    eis_wire_writer_init(&w, 4096);
    EIS_TRY(eis_wire_reader_end(r));
    for (uint32_t p = 0; p < l->parties; p++) {
        EIS_TRY(eis_mpc_stream_key(key, l->dealer.seed[p], (eis_mpc_purpose)purpose, number));
        if (p == 1 && purpose == l->lie_purpose && number == l->lie_number) key[31] ^= 1;
        eis_wire_writer_bytes(&w, key, sizeof key);
    }
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_KEYS_ARE, l->number, &w, NULL, 0));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status welcome(liar *l, eis_stream *stream, unsigned role, uint32_t index)
{
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, 4096);
    if (role == EIS_MPC_ROLE_PARTY) eis_wire_writer_bytes(&w, l->dealer.seed[index], EIS_MPC_SEED_BYTES);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, role == EIS_MPC_ROLE_COORDINATOR ? 0 : l->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status serve(void *context, eis_stream *stream)
{
    liar *l = context;
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;
    unsigned role;
    uint32_t index;

    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_HELLO, 0, 10000));
    role = eis_wire_reader_u8(&r);
    index = eis_wire_reader_u32(&r);
    eis_net_stream_limit(stream, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(welcome(l, stream, role, index));
    if (role == EIS_MPC_ROLE_COORDINATOR) {
        EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_CREATE, 0, 10000));
        EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATED, l->number, NULL, NULL, 0));
    }
    for (;;) {
        EIS_TRY(eis_net_stream_recv(&frame, stream, EIS_STREAM_WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_CLOSE) break;
        if (role != EIS_MPC_ROLE_OWNER) continue;
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_KEYS, l->number));
        EIS_TRY(give_keys(l, stream, &r));
    }
out:
    return st;
}

/* Takes the place of the real one, with its papers. */
static void liar_start(liar *l, mpc_service *s)
{
    eis_tls_server_config tls = mpc_service_tls(s, &s->dealer_papers);
    eis_listener_config listener = {.address = {.host = "127.0.0.1"},
                                    .connections_max = 16,
                                    .stream = {.protocol = EIS_FRAME_PROTOCOL_MPC},
                                    .serve = serve,
                                    .context = l};

    eis_triple_service_stop(s->dealer, 0);
    s->dealer = NULL;
    *l = (liar){.parties = s->session.party_count};
    mpc_service_require(eis_mpc_dealer_init(&l->dealer, l->parties), "dealer");
    tls.alpn = EIS_MPC_ALPN;
    mpc_service_require(eis_net_tls_server_new(&l->tls, &tls), "tls");
    listener.tls = l->tls;
    mpc_service_require(eis_net_listener_start(&l->listener, &listener), "listener");
    eis_net_listener_address(&s->session.dealer.address, l->listener);
    eis_wire_writer_rewind(&s->document);
    mpc_service_require(eis_mpc_session_write(&s->document, &s->session), "session");
    l->number = eis_mpc_session_number(&s->session);
}

static void liar_stop(liar *l)
{
    (void)eis_net_listener_drain(l->listener, 0);
    eis_net_listener_free(l->listener);
    eis_net_tls_free(l->tls);
    eis_mpc_dealer_clear(&l->dealer);
}

/* ---- the sessions ---- */

static void *load(void *context)
{
    static eis_status st;

    st = eis_mpc_conductor_load(context);
    return &st;
}

/* The parties wait for weights; one matrix has a wrong key. */
static void test_weights(void **state)
{
    mpc_service s;
    liar l;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    pthread_t loader;
    void *loaded;
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "weights");
    liar_start(&l, &s);
    l.lie_purpose = EIS_MPC_PURPOSE_WEIGHTS;
    l.lie_number = 3;
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(&owner, &s.session, &s.owner), "owner");
    assert_int_equal(pthread_create(&loader, NULL, load, conductor), 0);
    assert_int_equal(eis_mpc_owner_send_model(owner, model, NULL, NULL), EIS_ERR_INTEGRITY);
    assert_non_null(strstr(eis_error_detail(), "another key of masks than party 1"));
    pthread_join(loader, &loaded);
    assert_int_equal(*(eis_status *)loaded, EIS_ERR_INTEGRITY);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    liar_stop(&l);
    mpc_service_close(&s);
}

/* One token of a prompt has a wrong key, those before it have not; nothing of it is sent to anybody. */
static void test_prompt(void **state)
{
    mpc_service s;
    liar l;
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    (void)state;

    mpc_service_open(&s, model, &tuning, 3, "prompt");
    liar_start(&l, &s);
    l.lie_purpose = EIS_MPC_PURPOSE_INPUT;
    l.lie_number = eis_mpc_input_number(2, 0);
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(&owner, &s.session, &s.owner), "owner");
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, &(uint32_t){7}, 1), "a token under right keys");
    assert_int_equal(eis_mpc_owner_send_prompt(owner, 2, 1, &(uint32_t){7}, 1), EIS_ERR_INTEGRITY);
    assert_int_equal(eis_mpc_conductor_load(conductor), EIS_ERR_INTEGRITY); /* the parties know as well */
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    liar_stop(&l);
    mpc_service_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_prompt),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
