/* SPDX-License-Identifier: Apache-2.0 */
/* A party that falls silent between its last opening and its answer: the others have answered and wait for the next
 * step, and nobody but the coordinator can notice. A relay holds back what it says to the coordinator, and nothing
 * else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mpc_service.h"
#include "support/mpc_stories.h"
#include "support/relay.h"

#define ROUND_MS 400

typedef struct world {
    mpc_service service;
    relay relay; /* in front of party 1; the coordinator is the first to call it */
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    uint32_t told;
} world;

static void open_world(world *w)
{
    mpc_service *s = &w->service;

    memset(w, 0, sizeof *w);
    mpc_service_open(s, model, &tuning, 2, "straggler");
    relay_start(&w->relay, &s->session.party[1].address);
    mpc_service_write_document(s);
    s->coordinator.round_ms = ROUND_MS;
    mpc_service_require(
        eis_mpc_conductor_open(&w->conductor, &s->session, s->document.data, s->document.bytes, &s->coordinator),
        "open");
    mpc_service_require(eis_mpc_owner_open(&w->owner, &s->session, &s->owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(w->owner, model, NULL, NULL), "model");
}

static void close_world(world *w)
{
    atomic_store(&w->relay.links[0].held, false);
    eis_mpc_owner_close(w->owner);
    eis_mpc_conductor_close(w->conductor);
    mpc_service_close(&w->service);
    relay_finish(&w->relay);
    relay_clear(&w->relay);
}

static void check_blame(eis_status st)
{
    assert_int_equal(st, EIS_ERR_TIMEOUT);
    assert_non_null(strstr(eis_error_detail(), "party 1: it has said nothing for 800 ms"));
}

static void test_load(void **state)
{
    world w;
    (void)state;

    open_world(&w);
    atomic_store(&w.relay.links[0].held, true);
    check_blame(eis_mpc_conductor_load(w.conductor));
    close_world(&w);
}

/* Holds back everything behind the second token. */
static eis_status hear(void *context, uint32_t token, double ms)
{
    world *w = context;
    (void)token;
    (void)ms;

    w->told++;
    if (w->told == 2) atomic_store(&w->relay.links[0].held, true);
    return EIS_OK;
}

static void test_story(void **state)
{
    world w;
    eis_mpc_end end;
    (void)state;

    open_world(&w);
    mpc_service_require(eis_mpc_conductor_load(w.conductor), "load");
    mpc_service_require(eis_mpc_owner_send_prompt(w.owner, 1, 0, &(uint32_t){0}, 1), "prompt");
    check_blame(eis_mpc_conductor_run(w.conductor, &end, 1, 100, NULL, hear, &w));
    assert_in_range(w.told, 2, 99); /* what was on its way has come */
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_story),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
