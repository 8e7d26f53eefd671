/* SPDX-License-Identifier: Apache-2.0 */
/* What the Triple Service deals ahead, how long it lets a step wait, and what it says of that: asked for units by hand,
 * in place of a last party. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/mpc_pool_stats.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#include <time.h>
#include <unistd.h>

/* A session at the Triple Service: the coordinator's stream, and that of the last party. */
typedef struct dealt {
    mpc_service *service;
    uint64_t number, step;
    uint32_t position;
    eis_stream *coordinator, *party;
} dealt;

static void say_hello(dealt *d)
{
    mpc_service *s = d->service;
    const eis_mpc_caller caller = mpc_service_caller(s, &s->papers[1]);
    const eis_tls_client_config tls = {.cert_pem = caller.cert_pem,
                                       .key_pem = caller.key_pem,
                                       .pins = &s->session.dealer.pin,
                                       .pin_count = 1,
                                       .alpn = EIS_MPC_ALPN};
    const eis_stream_options options = {.protocol = EIS_FRAME_PROTOCOL_MPC,
                                        .payload_bytes_max = EIS_MPC_STREAM_PAYLOAD_MAX};
    eis_tls *context;
    eis_writer w;
    eis_reader r;

    mpc_service_require(eis_net_tls_client_new(&context, &tls), "tls");
    mpc_service_require(eis_net_stream_connect(&d->party, &s->session.dealer.address, context, 10000, &options),
                        "connect");
    eis_net_tls_free(context);
    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, EIS_MPC_ROLE_PARTY);
    eis_wire_writer_u32(&w, 1);
    eis_wire_writer_u64(&w, d->number);
    mpc_service_require(eis_mpc_send(d->party, EIS_MPC_MESSAGE_HELLO, 0, &w, NULL, 0), "hello");
    mpc_service_require(eis_mpc_await(&r, d->party, EIS_MPC_MESSAGE_WELCOME, d->number, 10000), "seed");
    eis_wire_writer_clear(&w);
}

/* Asks for a unit; false: there is none in time. */
static bool ask(dealt *d, eis_mpc_unit_kind kind)
{
    const eis_mpc_sampling greedy = {.top_k = 1};
    eis_stream_frame frame;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, (uint8_t)kind);
    eis_wire_writer_u64(&w, d->step);
    eis_wire_writer_u32(&w, d->position);
    eis_mpc_sampling_write(&w, &greedy);
    eis_wire_writer_u32(&w, 1);
    mpc_service_require(eis_mpc_send(d->party, EIS_MPC_MESSAGE_UNIT, d->number, &w, NULL, 0), "unit");
    eis_wire_writer_clear(&w);
    mpc_service_require(eis_net_stream_recv(&frame, d->party, 60000), "answer");
    if (frame.header.type == EIS_MPC_MESSAGE_DRY) return false;
    assert_int_equal(frame.header.type, EIS_MPC_MESSAGE_UNIT_IS);
    return true;
}

static void take(dealt *d, eis_mpc_unit_kind kind)
{
    assert_true(ask(d, kind));
    d->step++;
    d->position++;
}

/* Makes a session and takes all units up to the first token. */
static void begin(dealt *d, mpc_service *s)
{
    eis_writer w;
    eis_reader r;

    *d = (dealt){.service = s};
    eis_wire_writer_clear(&s->document);
    eis_wire_writer_init(&s->document, EIS_MPC_SESSION_BYTES_MAX);
    mpc_service_require(eis_mpc_session_write(&s->document, &s->session), "session");
    d->number = eis_mpc_session_number(&s->session);
    mpc_service_require(eis_mpc_call(&d->coordinator, &s->coordinator, &s->session.dealer, EIS_MPC_ROLE_COORDINATOR, 0),
                        "coordinator");
    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    eis_wire_writer_u32(&w, 0);
    eis_wire_writer_bytes(&w, s->document.data, s->document.bytes);
    mpc_service_require(eis_mpc_send(d->coordinator, EIS_MPC_MESSAGE_CREATE, 0, &w, NULL, 0), "create");
    mpc_service_require(eis_mpc_await(&r, d->coordinator, EIS_MPC_MESSAGE_CREATED, d->number, 60000), "created");
    eis_wire_writer_clear(&w);
    say_hello(d);
    assert_true(ask(d, EIS_MPC_UNIT_LOAD));
    assert_true(ask(d, EIS_MPC_UNIT_VECTORS));
    d->step = 1;
}

static void end(dealt *d)
{
    eis_net_stream_free(d->party);
    eis_net_stream_free(d->coordinator);
}

static eis_mpc_pool_stats stats_of(const mpc_service *s)
{
    eis_mpc_pool_stats stats;
    eis_mpc_caller caller = s->coordinator;

    caller.timeout_ms = 10000;
    mpc_service_require(eis_mpc_pool_ask(&stats, &caller, &s->session.dealer), "stats");
    return stats;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Waits until so many units are ready. */
static eis_mpc_pool_stats await_ready(const mpc_service *s, uint64_t ready)
{
    uint64_t until = eis_clock_ns() + UINT64_C(60000000000);
    eis_mpc_pool_stats stats;

    do {
        stats = stats_of(s);
        assert_true(stats.ready <= ready && eis_clock_ns() < until);
        if (stats.ready < ready) pause_ms(20);
    } while (stats.ready < ready);
    return stats;
}

/* Refilled from below the least up to the target, and not before. */
static void test_sizes(void **state)
{
    mpc_service s;
    dealt d;
    eis_mpc_pool_stats stats;
    (void)state;

    mpc_service_open_with(&s, model, &tuning, 2, "sizes", (eis_triple_service_config){.pool_min = 2, .pool_target = 5});
    begin(&d, &s);
    take(&d, EIS_MPC_UNIT_PROMPT);
    pause_ms(200);
    assert_int_equal(stats_of(&s).ready, 0); /* nobody knows yet what follows */
    take(&d, EIS_MPC_UNIT_LAST);
    stats = await_ready(&s, 5);
    assert_int_equal(stats.ready_min, 5);
    assert_true(stats.ready_bytes > 0 && stats.burned == 0);
    for (int left = 4; left >= 2; left--) {
        take(&d, EIS_MPC_UNIT_NEXT);
        pause_ms(100);
        assert_int_equal(stats_of(&s).ready, left);
    }
    take(&d, EIS_MPC_UNIT_NEXT);
    stats = await_ready(&s, 5);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.consumed, 2 + 2 + 4);
    assert_int_equal(stats.produced, stats.consumed + 5);
    assert_true(stats.bytes > stats.ready_bytes / 5 && stats.left_s > 0);
    take(&d, EIS_MPC_UNIT_LAST); /* a prompt: what follows public tokens is thrown away */
    assert_int_equal(stats_of(&s).burned, 5);
    end(&d);
    mpc_service_close(&s);
}

/* The bytes that wait win over the target: one unit more than fits, and no second one. */
static void test_bytes(void **state)
{
    mpc_service s;
    dealt d;
    (void)state;

    mpc_service_open_with(&s, model, &tuning, 2, "bytes", (eis_triple_service_config){.pool_bytes_max = 1});
    begin(&d, &s);
    take(&d, EIS_MPC_UNIT_LAST);
    (void)await_ready(&s, 1);
    pause_ms(500);
    assert_int_equal(stats_of(&s).ready, 1);
    end(&d);
    mpc_service_close(&s);
}

/* A unit that is not there in time is not given, and nothing is lost by asking again. */
static void test_wait(void **state)
{
    mpc_service s;
    dealt d;
    unsigned dry = 0;
    (void)state;

    mpc_service_open_with(&s, model, &tuning, 2, "wait",
                          (eis_triple_service_config){.pool_target = EIS_TRIPLE_NO_POOL, .wait_ms = 1});
    begin(&d, &s);
    for (int i = 0; i < 2; i++) {
        while (!ask(&d, i == 0 ? EIS_MPC_UNIT_LAST : EIS_MPC_UNIT_NEXT)) assert_true(++dry < 100000);
        d.step++;
        d.position++;
        assert_true(dry > (unsigned)i);
    }
    assert_true(stats_of(&s).wait_s >= 0.001 * dry);
    assert_int_equal(stats_of(&s).consumed, 4);
    end(&d);
    mpc_service_close(&s);

    mpc_service_open_with(&s, model, &tuning, 2, "patience",
                          (eis_triple_service_config){.pool_target = EIS_TRIPLE_NO_POOL, .wait_ms = 60000});
    begin(&d, &s);
    take(&d, EIS_MPC_UNIT_LAST);
    end(&d);
    mpc_service_close(&s);
}

/* Two sessions that are filled at once, by one thread and by two. */
static unsigned deal_for_two(unsigned threads)
{
    mpc_service s;
    dealt d[2];
    eis_triple_stats stats;

    mpc_service_open_with(&s, model, &tuning, 2, "one",
                          (eis_triple_service_config){.threads = threads, .pool_min = 6, .pool_target = 6});
    for (int i = 0; i < 2; i++) {
        s.session.id[0] = (char)('a' + i);
        begin(&d[i], &s);
        take(&d[i], EIS_MPC_UNIT_LAST);
    }
    (void)await_ready(&s, 12);
    eis_triple_service_stats(&stats, s.dealer);
    for (int i = 0; i < 2; i++) end(&d[i]);
    mpc_service_close(&s);
    return stats.dealing_most;
}

static void test_threads(void **state)
{
    (void)state;
    assert_int_equal(deal_for_two(1), 1);
    assert_int_equal(deal_for_two(2), 2);
}

/* What the last party says of tests is counted. */
static void test_tests(void **state)
{
    mpc_service s;
    dealt d;
    eis_mpc_pool_stats stats;
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "tests");
    begin(&d, &s);
    for (int i = 0; i < 3; i++) {
        eis_writer w;
        eis_wire_writer_init(&w, 64);
        eis_wire_writer_u8(&w, i < 2);
        mpc_service_require(eis_mpc_send(d.party, EIS_MPC_MESSAGE_TESTED, d.number, &w, NULL, 0), "tested");
        eis_wire_writer_clear(&w);
    }
    take(&d, EIS_MPC_UNIT_LAST); /* behind it they have been read */
    stats = stats_of(&s);
    assert_int_equal(stats.sac_ok, 2);
    assert_int_equal(stats.sac_fail, 1);
    end(&d);
    mpc_service_close(&s);
}

/* Asks for counts with somebody's papers. */
static eis_status ask_as(eis_mpc_pool_stats *stats, const mpc_service *s, const eis_trust_pair *papers)
{
    eis_mpc_caller caller = mpc_service_caller(s, papers);

    caller.timeout_ms = 10000;
    return eis_mpc_pool_ask(stats, &caller, &s->session.dealer);
}

/* Counts are those of one's own sessions: a certificate of the CA is not enough, nor is a session of one's own for
 * those of others. */
static void test_whose_counts(void **state)
{
    mpc_service s;
    dealt d, other;
    eis_mpc_pool_stats stats, theirs;
    eis_trust_pair second = {0};
    eis_mpc_caller first;
    eis_tls_pin pin;
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "whose");
    assert_int_equal(ask_as(&stats, &s, &s.coordinator_papers), EIS_ERR_FORBIDDEN); /* of none yet */
    begin(&d, &s);
    take(&d, EIS_MPC_UNIT_PROMPT);
    assert_int_equal(ask_as(&stats, &s, &s.coordinator_papers), EIS_OK);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.consumed, 3);
    assert_int_equal(ask_as(&stats, &s, &s.papers[1]), EIS_ERR_FORBIDDEN); /* a party counts for itself */
    assert_int_equal(ask_as(&stats, &s, &s.owner_papers), EIS_ERR_FORBIDDEN);
    assert_non_null(strstr(eis_error_detail(), "no session here has named your key as its coordinator"));
    assert_int_equal(stats.consumed, 0);

    mpc_service_issue(&s, &second, &pin, "second");
    assert_int_equal(ask_as(&theirs, &s, &second), EIS_ERR_FORBIDDEN);
    first = s.coordinator;
    s.coordinator = mpc_service_caller(&s, &second);
    s.session.coordinator = pin;
    s.session.id[0] = 'W';
    begin(&other, &s);
    take(&other, EIS_MPC_UNIT_LAST);
    (void)await_ready(&s, 4);
    assert_int_equal(ask_as(&theirs, &s, &second), EIS_OK);
    assert_int_equal(theirs.sessions, 1);
    assert_int_equal(theirs.running, 1);
    end(&other);
    assert_int_equal(ask_as(&stats, &s, &s.coordinator_papers), EIS_OK);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.consumed, 3);
    assert_true(stats.ready == 0 && stats.running == 0 && stats.ready_min == 0);
    s.coordinator = first;
    end(&d);
    assert_int_equal(ask_as(&theirs, &s, &second), EIS_OK); /* its sessions are over, their counts stay */
    assert_int_equal(theirs.consumed, 3);
    eis_trust_pair_clear(&second);
    mpc_service_close(&s);
}

/* The sums of all sessions go on where the records end; nobody reads the records again. */
static void test_totals(void **state)
{
    char path[] = "/tmp/eis-pool-XXXXXX";
    eis_triple_service_config config = {.pool_target = 4, .store_path = path};
    eis_triple_stats before, after;
    mpc_service s;
    dealt d;
    (void)state;

    assert_int_equal(close(mkstemp(path)), 0);
    mpc_service_open_with(&s, model, &tuning, 2, "totals", config);
    begin(&d, &s);
    take(&d, EIS_MPC_UNIT_LAST);
    (void)await_ready(&s, 4);
    take(&d, EIS_MPC_UNIT_NEXT);
    end(&d);
    for (int i = 0; i < 500; i++) {
        eis_triple_service_stats(&before, s.dealer);
        if (before.pool.produced == before.pool.consumed + before.pool.burned) break;
        pause_ms(20);
    }
    assert_int_equal(before.pool.sessions, 1);
    assert_int_equal(before.pool.consumed, 4);
    assert_true(before.pool.burned >= 3 && before.pool.produced == 4 + before.pool.burned);
    eis_triple_service_stop(s.dealer, 0);
    config.tls = mpc_service_tls(&s, &s.dealer_papers);
    config.listen = s.session.dealer.address;
    mpc_service_require(eis_triple_service_start(&s.dealer, &config), "again");
    eis_triple_service_stats(&after, s.dealer);
    assert_int_equal(after.pool.sessions, 1);
    assert_int_equal(after.pool.consumed, 4);
    assert_int_equal(after.pool.produced, before.pool.produced);
    assert_int_equal(after.pool.burned, before.pool.burned);
    assert_int_equal(after.pool.bytes, before.pool.bytes);
    mpc_service_close(&s);
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        char name[64];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_bytes), cmocka_unit_test(test_wait),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_tests), cmocka_unit_test(test_whose_counts),
        cmocka_unit_test(test_totals),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
