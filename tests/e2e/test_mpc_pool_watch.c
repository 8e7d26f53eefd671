/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a Triple Service that stands still takes the figures of all others with it, and its own totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/mpc_pool_watch.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SILENT 3

/* Somebody who takes connections and says nothing: a process that is stopped. */
static int open_silent(eis_mpc_member *member, uint8_t name)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
    *member = (eis_mpc_member){.address = {.port = ntohs(at.sin_port)}, .pin = {{name}}};
    snprintf(member->address.host, sizeof member->address.host, "127.0.0.1");
    return fd;
}

static double read_for(eis_mpc_pool_stats *sum, eis_mpc_pool_place *places, eis_mpc_pool_watch *watch)
{
    uint64_t begin = eis_clock_ns();

    eis_mpc_pool_watch_read(sum, places, watch);
    return (double)(eis_clock_ns() - begin) * 1e-9;
}

static void silent_ones_hold_up_nobody(void **state)
{
    mpc_service s;
    eis_mpc_member silent[SILENT];
    const eis_mpc_member *dealers[SILENT + 2];
    eis_mpc_pool_place places[SILENT + 2];
    eis_mpc_pool_stats sum;
    eis_mpc_pool_watch *watch;
    eis_mpc_conductor *conductor;
    eis_cancel *cancel;
    eis_mpc_caller caller;
    double first, second;
    int fds[SILENT];
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "watched");
    for (int i = 0; i < SILENT; i++) {
        fds[i] = open_silent(&silent[i], (uint8_t)(i + 1));
        dealers[i] = &silent[i];
    }
    dealers[SILENT] = dealers[SILENT + 1] = &s.session.dealer; /* of two models */
    caller = s.coordinator;
    assert_int_equal(eis_net_cancel_new(&cancel), EIS_OK);
    caller.cancel = cancel;
    mpc_service_require(eis_mpc_pool_watch_start(&watch, &caller, dealers, SILENT + 2), "watch");
    assert_int_equal(eis_mpc_pool_watch_count(watch), SILENT + 1);

    first = read_for(&sum, places, watch); /* all of them at once: 2 s and not 6 */
    assert_true(first > 1 && first < 4);
    assert_true(places[SILENT].up && places[SILENT].heard);
    assert_int_equal(sum.sessions, 0); /* it knows none of ours yet */
    for (int i = 0; i < SILENT; i++) assert_true(!places[i].up && !places[i].heard);

    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s.session, s.document.data, s.document.bytes, &s.coordinator), "session");
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL);
    second = read_for(&sum, places, watch); /* they are known to be silent */
    assert_true(second < 1);
    assert_true(places[SILENT].up && places[SILENT].age_s < 1);
    assert_int_equal(sum.sessions, 1);
    assert_true(sum.produced >= 1);

    eis_mpc_conductor_close(conductor);
    eis_triple_service_stop(s.dealer, 0);
    s.dealer = NULL;
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL);
    (void)read_for(&sum, places, watch);
    assert_true(!places[SILENT].up && places[SILENT].heard && places[SILENT].age_s > 1);
    assert_int_equal(sum.sessions, 1); /* what it said last stays */
    assert_true(sum.produced >= 1);

    eis_net_cancel_raise(cancel);
    eis_mpc_pool_watch_free(watch);
    eis_net_cancel_free(cancel);
    for (int i = 0; i < SILENT; i++) close(fds[i]);
    mpc_service_close(&s);
}

/* One that comes back is heard again. */
static void who_comes_back_is_up(void **state)
{
    eis_triple_service_config config = {.pool_target = 4};
    mpc_service s;
    const eis_mpc_member *dealer = &s.session.dealer;
    eis_mpc_pool_place place;
    eis_mpc_pool_stats sum;
    eis_mpc_pool_watch *watch;
    uint64_t until;
    (void)state;

    mpc_service_open(&s, model, &tuning, 2, "back");
    eis_triple_service_stop(s.dealer, 0);
    s.dealer = NULL;
    mpc_service_require(eis_mpc_pool_watch_start(&watch, &s.coordinator, &dealer, 1), "watch");
    eis_mpc_pool_watch_read(&sum, &place, watch);
    assert_true(!place.up && !place.heard);
    config.tls = mpc_service_tls(&s, &s.dealer_papers);
    config.listen = s.session.dealer.address;
    mpc_service_require(eis_triple_service_start(&s.dealer, &config), "again");
    until = eis_clock_ns() + UINT64_C(20000000000);
    do {
        assert_true(eis_clock_ns() < until);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        eis_mpc_pool_watch_read(&sum, &place, watch);
    } while (!place.up);
    eis_mpc_pool_watch_free(watch);
    mpc_service_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_ones_hold_up_nobody),
        cmocka_unit_test(who_comes_back_is_up),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
