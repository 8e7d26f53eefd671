/* SPDX-License-Identifier: Apache-2.0 */
/* What one client may take from a server: calls, bytes and keys, whoever he says he is. */
#include "service/he_keys_store.h"
#include "service/he_parties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS ((uint64_t)1000000000)

static uint64_t fake_ns;
static int64_t fake_ms;

static uint64_t read_ns(void *context)
{
    (void)context;
    return fake_ns;
}

static int64_t read_ms(void *context)
{
    (void)context;
    return fake_ms;
}

static eis_he_parties *make_parties(size_t names_max)
{
    const eis_he_parties_config config = {.calls = 2,
                                          .calls_s = 60,
                                          .polls_per_s = 1,
                                          .bytes_max = 1000,
                                          .owner_bytes_max = 600,
                                          .names_max = names_max,
                                          .now_ns = read_ns};
    eis_he_parties *parties;

    assert_int_equal(eis_he_parties_new(&parties, &config), EIS_OK);
    return parties;
}

static eis_he_caller *make_caller(eis_he_parties *parties, const char *tenant, const char *address)
{
    eis_he_caller *caller;

    assert_int_equal(eis_he_caller_new(&caller, parties, tenant, address), EIS_OK);
    return caller;
}

static void calls_come_back_with_time(void **state)
{
    eis_he_parties *parties = make_parties(0);
    eis_he_caller *one = make_caller(parties, "one", ""), *two = make_caller(parties, "two", "");
    eis_he_rate rate;

    (void)state;
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_OK);
    assert_int_equal(rate.limit, 2);
    assert_int_equal(rate.remaining, 1);
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_OK);
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_ERR_RATE_LIMITED);
    assert_int_equal(rate.retry_s, 30);
    assert_int_equal(rate.reset_s, 60);
    assert_int_equal(eis_he_caller_call(two, &rate), EIS_OK); /* another tenant has his own */
    assert_int_equal(eis_he_caller_poll(one, &rate), EIS_OK); /* and polls theirs */
    fake_ns += 29 * SECOND_NS;
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_ERR_RATE_LIMITED);
    fake_ns += 1 * SECOND_NS + 1000;
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_OK);
    eis_he_caller_uncall(one);
    assert_int_equal(eis_he_caller_call(one, &rate), EIS_OK);
    eis_he_caller_release(one);
    eis_he_caller_release(two);
    eis_he_parties_free(parties);
}

static void inventing_labels_gains_no_calls(void **state)
{
    static const char *const labels[] = {"a", "b", "c"};
    eis_he_parties *parties = make_parties(0);
    eis_he_rate rate;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        eis_he_caller *caller = make_caller(parties, labels[i], "192.0.2.1");

        assert_int_equal(eis_he_caller_call(caller, &rate), i < 2 ? EIS_OK : EIS_ERR_RATE_LIMITED);
        eis_he_caller_release(caller);
    }
    eis_he_parties_free(parties);
}

static void names_are_bounded_and_make_room_when_idle(void **state)
{
    eis_he_parties *parties = make_parties(2);
    eis_he_caller *a = make_caller(parties, "a", ""), *b = make_caller(parties, "b", ""), *c;
    eis_he_rate rate;

    (void)state;
    assert_int_equal(eis_he_caller_call(b, &rate), EIS_OK);
    assert_int_equal(eis_he_caller_new(&c, parties, "c", ""), EIS_ERR_LIMIT);
    eis_he_caller_release(b);
    assert_int_equal(eis_he_caller_new(&c, parties, "c", ""), EIS_ERR_LIMIT); /* b's bucket says something still */
    eis_he_caller_release(a);
    c = make_caller(parties, "c", "");
    eis_he_caller_release(c);
    fake_ns += 3600 * SECOND_NS;
    c = make_caller(parties, "d", "");
    eis_he_caller_release(c);
    eis_he_parties_free(parties);
}

static void bytes_are_shared_fairly(void **state)
{
    eis_he_parties *parties = make_parties(0);
    eis_he_caller *a = make_caller(parties, "a", "192.0.2.1"), *b = make_caller(parties, "b", "192.0.2.1"),
                  *c = make_caller(parties, "c", "192.0.2.2");

    (void)state;
    assert_int_equal(eis_he_caller_charge(a, 601), EIS_ERR_BUSY);
    assert_int_equal(eis_he_caller_charge(a, 500), EIS_OK);
    assert_int_equal(eis_he_caller_charge(b, 101), EIS_ERR_BUSY); /* the same address */
    assert_int_equal(eis_he_caller_charge(b, 100), EIS_OK);
    assert_int_equal(eis_he_caller_charge(c, 401), EIS_ERR_BUSY); /* all together */
    assert_int_equal(eis_he_caller_charge(c, 400), EIS_OK);
    assert_int_equal(eis_he_caller_charge(c, UINT64_MAX), EIS_ERR_BUSY);
    assert_int_equal(eis_he_parties_bytes(parties), 1000);
    eis_he_caller_refund(a, 500);
    assert_int_equal(eis_he_caller_charge(b, 500), EIS_OK);
    eis_he_caller_refund(b, 600);
    eis_he_caller_refund(c, 400);
    assert_int_equal(eis_he_parties_bytes(parties), 0);
    eis_he_caller_release(a);
    eis_he_caller_release(b);
    eis_he_caller_release(c);
    eis_he_parties_free(parties);
}

/* ---- Keys ---- */

static const eis_he_served model, other_model;

static eis_he_keys_store *make_store(void)
{
    const eis_he_keys_config config = {.bytes_max = 100, .owner_bytes_max = 50, .ttl_ms = 1000, .now_ms = read_ms};
    eis_he_keys_store *store;

    assert_int_equal(eis_he_keys_store_new(&store, &config), EIS_OK);
    return store;
}

static eis_status put(eis_he_keys_store *store, const char *tenant, const char *address, uint8_t name, uint64_t bytes)
{
    uint8_t digest[EIS_HE_DIGEST_BYTES] = {name};
    eis_he_keys_entry *upload;
    eis_he_keys keys = {0};
    int64_t expires_ms;
    bool known;
    eis_status st = eis_he_keys_begin(&upload, &known, &expires_ms, store, tenant, address, digest, bytes);

    if (st == EIS_OK && !known) (void)eis_he_keys_end(store, upload, &keys, &model);
    return st;
}

static bool has(eis_he_keys_store *store, const char *tenant, uint8_t name)
{
    const uint8_t digest[EIS_HE_DIGEST_BYTES] = {name};

    return eis_he_keys_find(store, tenant, digest) == EIS_OK;
}

static void the_oldest_set_of_the_same_tenant_goes_first(void **state)
{
    const uint8_t first[EIS_HE_DIGEST_BYTES] = {1};
    eis_he_keys_store *store = make_store();
    eis_he_keys_entry *pinned, *again;

    (void)state;
    assert_int_equal(put(store, "a", "", 1, 20), EIS_OK);
    assert_int_equal(put(store, "a", "", 2, 20), EIS_OK);
    assert_int_equal(put(store, "b", "", 3, 50), EIS_OK);
    assert_int_equal(put(store, "a", "", 4, 20), EIS_OK);
    assert_false(has(store, "a", 1));
    assert_true(has(store, "a", 2) && has(store, "a", 4) && has(store, "b", 3));
    assert_int_equal(put(store, "c", "", 5, 20), EIS_ERR_UNAVAILABLE); /* nobody else makes room */
    assert_int_equal(put(store, "c", "", 5, 51), EIS_ERR_TOO_LARGE);
    /* What a job has pinned stays, and what it has pinned of a deleted set too. */
    assert_int_equal(put(store, "a", "", 1, 20), EIS_OK);
    assert_int_equal(eis_he_keys_pin(&pinned, store, "a", first, &model), EIS_OK);
    assert_int_equal(eis_he_keys_pin(&again, store, "a", first, &other_model), EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(put(store, "a", "", 6, 40), EIS_ERR_UNAVAILABLE);
    assert_int_equal(eis_he_keys_delete(store, "a", first), EIS_OK);
    assert_false(has(store, "a", 1));
    assert_non_null(eis_he_keys_of(pinned));
    eis_he_keys_unpin(store, pinned);
    eis_he_keys_store_free(store);
}

static void one_upload_at_a_time_and_nothing_before_it_is_whole(void **state)
{
    const uint8_t digest[EIS_HE_DIGEST_BYTES] = {9};
    eis_he_keys_store *store = make_store();
    eis_he_keys_entry *upload, *second;
    int64_t expires_ms;
    bool known;

    (void)state;
    assert_int_equal(eis_he_keys_begin(&upload, &known, &expires_ms, store, "a", "", digest, 10), EIS_OK);
    assert_false(known);
    assert_int_equal(eis_he_keys_begin(&second, &known, &expires_ms, store, "a", "", digest, 10), EIS_ERR_IN_PROGRESS);
    assert_false(has(store, "a", 9));
    assert_int_equal(eis_he_keys_delete(store, "a", digest), EIS_ERR_KEYS_NOT_FOUND);
    (void)eis_he_keys_end(store, upload, NULL, NULL); /* refused: no trace */
    assert_int_equal(put(store, "a", "", 9, 10), EIS_OK);
    assert_true(has(store, "a", 9));
    assert_false(has(store, "b", 9));
    eis_he_keys_store_free(store);
}

static void unused_sets_expire_and_addresses_count(void **state)
{
    eis_he_keys_store *store = make_store();

    (void)state;
    assert_int_equal(put(store, "a", "192.0.2.1", 1, 30), EIS_OK);
    assert_int_equal(put(store, "b", "192.0.2.1", 2, 30), EIS_ERR_UNAVAILABLE); /* a label more, the same address */
    assert_int_equal(put(store, "b", "192.0.2.2", 2, 30), EIS_OK);
    fake_ms += 999;
    assert_int_equal(put(store, "a", "192.0.2.1", 1, 30), EIS_OK); /* each use moves the end on */
    fake_ms += 1;
    assert_true(has(store, "a", 1));
    assert_false(has(store, "b", 2));
    fake_ms += 999;
    assert_false(has(store, "a", 1));
    eis_he_keys_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_come_back_with_time),
        cmocka_unit_test(inventing_labels_gains_no_calls),
        cmocka_unit_test(names_are_bounded_and_make_room_when_idle),
        cmocka_unit_test(bytes_are_shared_fairly),
        cmocka_unit_test(the_oldest_set_of_the_same_tenant_goes_first),
        cmocka_unit_test(one_upload_at_a_time_and_nothing_before_it_is_whole),
        cmocka_unit_test(unused_sets_expire_and_addresses_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
