/* SPDX-License-Identifier: Apache-2.0 */
/* A mask that is used twice, or sent to the server that made it, gives the input away; a mask that is used wrongly
 * gives a wrong text. */
#include "support/split_world.h"

#include <unistd.h>

#define LOGITS (WORLD_STEPS * WORLD_LOGITS)
#define NODES  9

static eis_split_client *open_client(const world *w, bool truncate, eis_split_verifier *verifier)
{
    eis_split_client_config config = world_client_config(w, 0);

    config.truncate = truncate;
    config.verifier = verifier;
    return world_connect(w, &config);
}

static uint64_t masked_calls(const eis_split_client *client)
{
    eis_split_layer_report reports[NODES];
    uint64_t sum = 0;

    eis_split_client_report(client, reports, NULL);
    for (size_t i = 0; i < NODES; i++) sum += reports[i].masked_calls;
    return sum;
}

static void note_progress(void *context, double fraction)
{
    double *last = context;

    assert_true(fraction > *last && fraction <= 1);
    *last = fraction;
}

/* With masks for everything the text is the same bit for bit, and online only the last server is asked. */
static void masked_equals_usual(eis_split_profile profile, size_t servers, bool truncate, bool verify)
{
    double usual[LOGITS], masked[LOGITS], progress = 0;
    eis_split_server_report before[3], after[3];
    eis_split_client *client;
    world w;

    world_open(&w, world_lm(), profile, servers);
    client = open_client(&w, truncate, verify ? world_verifier(&w) : NULL);
    assert_int_equal(world_generate(usual, w.model, eis_split_client_seam(client)), EIS_OK);
    assert_int_equal(eis_split_client_mask_misses(client), 0);
    if (eis_split_client_prefetch(client, WORLD_IDS, note_progress, &progress) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    assert_true(progress == 1);
    eis_split_client_report(client, NULL, before);
    assert_int_equal(world_generate(masked, w.model, eis_split_client_seam(client)), EIS_OK);
    eis_split_client_report(client, NULL, after);
    assert_int_equal(masked_calls(client), NODES * WORLD_STEPS);
    assert_int_equal(eis_split_client_mask_misses(client), 0);
    for (size_t i = 0; i < servers; i++)
        assert_int_equal(after[i].calls - before[i].calls, i + 1 == servers ? NODES * WORLD_STEPS : 0);
    if (truncate)
        assert_true(world_distance(masked, usual, LOGITS) < 1e-3);
    else
        assert_memory_equal(masked, usual, sizeof masked);
    /* Now the store is dry, save for the head, which takes one mask a step: the usual way again. */
    assert_int_equal(world_generate(masked, w.model, eis_split_client_seam(client)), EIS_OK);
    if (!truncate) assert_memory_equal(masked, usual, sizeof masked);
    assert_int_equal(eis_split_client_mask_misses(client), (NODES - 1) * WORLD_STEPS);
    eis_split_client_free(client);
    world_close(&w);
}

static void masked_equals_usual_everywhere(void **state)
{
    (void)state;
    masked_equals_usual(EIS_SPLIT_P24, 2, false, false);
    masked_equals_usual(EIS_SPLIT_P24, 3, true, false);
    masked_equals_usual(EIS_SPLIT_P8, 3, false, false);
    masked_equals_usual(EIS_SPLIT_P8, 2, true, false);
    masked_equals_usual(EIS_SPLIT_F61_20, 3, false, true);
    masked_equals_usual(EIS_SPLIT_F61_8, 2, false, true);
}

static void lie(void *context, uint32_t layer, uint8_t *reply, size_t reply_bytes)
{
    (void)context, (void)layer, (void)reply_bytes;
    reply[8] ^= 1;
}

/* A wrong product must be found when it is fetched; later nobody could say whose it was. */
static void a_lie_in_a_mask_is_named(void **state)
{
    eis_split_server_report reports[3];
    eis_split_client *client;
    world w;

    (void)state;
    world_prepare(&w, world_lm(), EIS_SPLIT_F61_20, 3);
    for (size_t i = 0; i < 3; i++) {
        eis_split_offer offer;
        eis_split_server_config config = world_server_config(&w, i, &offer);
        if (i == 1) config.after_eval = lie;
        world_start(&w, i, &config);
    }
    client = open_client(&w, false, world_verifier(&w));
    assert_int_equal(eis_split_client_prefetch(client, 3, NULL, NULL), EIS_ERR_INTEGRITY);
    assert_non_null(strstr(eis_error_detail(), "server 2"));
    eis_split_client_report(client, NULL, reports);
    assert_true(reports[1].caught && !reports[0].caught && !reports[2].caught);
    eis_split_client_free(client);
    world_close(&w);
}

static void thresholds_have_no_masks(void **state)
{
    eis_split_client *client;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_F61_20, 2);
    client = world_client(&w, 2);
    assert_int_equal(eis_split_client_prefetch(client, 1, NULL, NULL), EIS_ERR_USAGE);
    eis_split_client_free(client);
    world_close(&w);
}

/* Who was shown what: words only ever go to the last server of the order in which masks were made. */
typedef struct watch {
    size_t words_to[2], seeds_to[2];
} watch;

static void see(void *context, const eis_split_sight *sight)
{
    watch *seen = context;

    if (sight->is_seed)
        seen->seeds_to[sight->server - 1]++;
    else
        seen->words_to[sight->server - 1]++;
}

/* The store outlives the client. With the servers named in another order none of its masks may be used: x - r would go
 * to the server that knows r. */
static void swapped_servers(void **state)
{
    static const char *const names[] = {"masks", "masks.lock", "masks-wal", "masks-shm", "masks-journal", "key", NULL};
    double usual[LOGITS], logits[LOGITS];
    char directory[256], store[512], key[512];
    eis_split_client_config config;
    eis_split_client *client;
    watch seen = {0};
    eis_address address;
    eis_tls_pin pin;
    world w;

    (void)state;
    fixture_directory(directory);
    fixture_path(store, directory, "masks");
    fixture_path(key, directory, "key");
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    config = world_client_config(&w, 0);
    config.mask_store_path = store;
    config.mask_key_path = key;
    config.sight = see;
    config.sight_context = &seen;
    client = world_connect(&w, &config);
    assert_int_equal(world_generate(usual, w.model, eis_split_client_seam(client)), EIS_OK);
    if (eis_split_client_prefetch(client, 3 * WORLD_IDS, NULL, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    eis_split_client_free(client);
    address = w.addresses[0], w.addresses[0] = w.addresses[1], w.addresses[1] = address;
    pin = w.pins[0], w.pins[0] = w.pins[1], w.pins[1] = pin;
    memset(&seen, 0, sizeof seen);
    client = world_connect(&w, &config);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    assert_memory_equal(logits, usual, sizeof logits);
    assert_int_equal(masked_calls(client), 0);
    assert_int_equal(eis_split_client_mask_misses(client), NODES * WORLD_STEPS);
    assert_int_equal(seen.seeds_to[0], NODES * WORLD_STEPS); /* fresh seeds, and words for the other one */
    assert_int_equal(seen.words_to[1], NODES * WORLD_STEPS);
    eis_split_client_free(client);
    /* In the old order the masks are still good. */
    address = w.addresses[0], w.addresses[0] = w.addresses[1], w.addresses[1] = address;
    pin = w.pins[0], w.pins[0] = w.pins[1], w.pins[1] = pin;
    memset(&seen, 0, sizeof seen);
    client = world_connect(&w, &config);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    assert_memory_equal(logits, usual, sizeof logits);
    assert_int_equal(masked_calls(client), NODES * WORLD_STEPS);
    assert_int_equal(seen.seeds_to[0] + seen.words_to[0] + seen.seeds_to[1], 0);
    eis_split_client_free(client);
    world_close(&w);
    fixture_remove(directory, names);
}

/* The one server that masks are for goes away in the middle: its mask is burnt, and the call fails in words that name
 * it. */
static void the_last_server_goes_away(void **state)
{
    double logits[LOGITS];
    eis_split_client *client;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    client = open_client(&w, false, NULL);
    assert_int_equal(eis_split_client_prefetch(client, 2 * WORLD_IDS, NULL, NULL), EIS_OK);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    /* The seed server may be gone for good: nobody asks it any more. */
    world_stop(&w, 0);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    world_stop(&w, 1);
    assert_int_not_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    assert_non_null(strstr(eis_error_detail(), "server "));
    eis_split_client_free(client);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_equals_usual_everywhere), cmocka_unit_test(a_lie_in_a_mask_is_named),
        cmocka_unit_test(thresholds_have_no_masks),       cmocka_unit_test(swapped_servers),
        cmocka_unit_test(the_last_server_goes_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
