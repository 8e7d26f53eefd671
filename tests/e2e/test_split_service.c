/* SPDX-License-Identifier: Apache-2.0 */
/* If these fail, a private answer is not the plaintext answer, or servers learn and decide more than they may. */
#include "support/split_world.h"

#define LOGITS (WORLD_STEPS * WORLD_LOGITS)

/* Relative error of logits behind two blocks: quantisation of weights (a half unit of the last place of 24, 20 or 8
 * bits in each of nine products) grown by the layers behind; measured 1e-7, 3e-6 and 1e-2, with a factor of ten for
 * other weights. */
static double tolerance(eis_split_profile profile)
{
    return profile == EIS_SPLIT_P24 ? 1e-5 : profile == EIS_SPLIT_F61_20 ? 3e-5 : 0.1;
}

/* The sharing itself adds nothing: two, three servers and a threshold give the same bits. */
static void split_equals_plain(eis_split_profile profile)
{
    double plain[LOGITS], first[LOGITS], logits[LOGITS];

    for (size_t shares = 2; shares <= 3; shares++) {
        world w;
        world_open(&w, world_lm(), profile, shares);
        world_generate_plain(plain, w.model);
        for (size_t threshold = 0; threshold <= (profile >= EIS_SPLIT_F61_20 ? 2u : 0u); threshold += 2) {
            eis_split_client *client = world_client(&w, threshold);
            if (world_generate(logits, w.model, eis_split_client_seam(client)) != EIS_OK)
                fail_msg("%s", eis_error_detail());
            if (!(world_distance(logits, plain, LOGITS) < tolerance(profile)))
                fail_msg("profile %d: relative error %g", profile, world_distance(logits, plain, LOGITS));
            if (shares == 2 && threshold == 0) memcpy(first, logits, sizeof first);
            assert_memory_equal(logits, first, sizeof first);
            eis_split_client_free(client);
        }
        world_close(&w);
    }
}

static void p24_equals_plain(void **state)
{
    (void)state;
    split_equals_plain(EIS_SPLIT_P24);
}
static void p8_equals_plain(void **state)
{
    (void)state;
    split_equals_plain(EIS_SPLIT_P8);
}
static void f61_equals_plain(void **state)
{
    (void)state;
    split_equals_plain(EIS_SPLIT_F61_20);
}
static void f61_8_equals_plain(void **state)
{
    (void)state;
    split_equals_plain(EIS_SPLIT_F61_8);
}

/* Padded batches hide how many words a prompt has; truncated replies save half the download. Neither may change the
 * text. */
static void padding_and_truncation(void **state)
{
    double plain[LOGITS], logits[LOGITS];
    eis_split_layer_report reports[9], padded[9];
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    world_generate_plain(plain, w.model);
    for (int truncate = 0; truncate < 2; truncate++)
        for (int pad = 0; pad < 2; pad++) {
            eis_split_client_config config = world_client_config(&w, 0);
            eis_split_client *client;
            config.pad_batches = pad;
            config.truncate = truncate;
            client = world_connect(&w, &config);
            assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
            assert_true(world_distance(logits, plain, LOGITS) < (truncate ? 1e-3 : 1e-5));
            eis_split_client_report(client, pad ? padded : reports, NULL);
            eis_split_client_free(client);
        }
    assert_int_equal(reports[0].round_trips, WORLD_STEPS);
    assert_true(padded[0].bytes_up > reports[0].bytes_up);
    world_close(&w);
}

/* Convolutions go out as images, many inputs as one batch. */
static void classifier_equals_plain(void **state)
{
    static const eis_split_profile profiles[] = {EIS_SPLIT_P24, EIS_SPLIT_P8, EIS_SPLIT_F61_20, EIS_SPLIT_F61_8};
    double x[40 * 30], plain[40 * 4], logits[40 * 4];
    uint64_t seed = 9;

    (void)state;
    fixture_fill(x, 40 * 30, 3, &seed);
    for (size_t p = 0; p < 4; p++) {
        eis_split_client_config config;
        eis_plain_backend *backend = NULL;
        eis_linear_backend seam;
        eis_split_client *client;
        world w;
        world_open(&w, world_classifier(), profiles[p], 2);
        assert_int_equal(eis_plain_backend_new(&backend, w.model, NULL), EIS_OK);
        seam = eis_plain_backend_seam(backend);
        assert_int_equal(eis_classifier_run(w.model, &seam, plain, NULL, x, 40), EIS_OK);
        config = world_client_config(&w, 0);
        config.pad_batches = true;
        client = world_connect(&w, &config);
        seam = eis_split_client_seam(client);
        assert_int_equal(eis_classifier_run(w.model, &seam, logits, NULL, x, 40), EIS_OK);
        assert_true(world_distance(logits, plain, 40 * 4) < tolerance(profiles[p]));
        eis_split_client_free(client);
        eis_plain_backend_free(backend);
        world_close(&w);
    }
}

/* A server that is drained in the middle of a text may not end it, as long as t are left. */
static void threshold_survives_a_drain(void **state)
{
    double before[LOGITS], after[LOGITS];
    eis_split_server_report reports[3];
    eis_split_client *client;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_F61_20, 3);
    client = world_client(&w, 2);
    assert_int_equal(world_generate(before, w.model, eis_split_client_seam(client)), EIS_OK);
    assert_true(eis_split_server_drain(w.servers[0], 2000));
    if (world_generate(after, w.model, eis_split_client_seam(client)) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_memory_equal(before, after, sizeof after);
    eis_split_client_report(client, NULL, reports);
    assert_false(reports[0].alive);
    assert_false(reports[0].caught);
    assert_true(reports[1].alive && reports[2].alive);
    /* One more, and there are too few. */
    world_stop(&w, 2);
    assert_int_not_equal(world_generate(after, w.model, eis_split_client_seam(client)), EIS_OK);
    eis_split_client_free(client);
    world_close(&w);
}

/* With a threshold a dead server at the start is no reason to stop; without one it is, and it is named. */
static void dead_at_the_start(void **state)
{
    double logits[LOGITS];
    eis_split_client_config config;
    eis_split_client *client = NULL;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_F61_20, 3);
    world_stop(&w, 1);
    client = world_client(&w, 2);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    eis_split_client_free(client);
    config = world_client_config(&w, 0);
    assert_int_equal(eis_split_client_new(&client, w.model, &w.layers.info, &config), EIS_ERR_UNAVAILABLE);
    assert_non_null(strstr(eis_error_detail(), "server 2"));
    assert_null(client);
    world_close(&w);
}

/* Additive sharing needs everybody: a server that comes back is asked again, with fresh shares for all. */
static void a_server_comes_back(void **state)
{
    double before[LOGITS], after[LOGITS];
    eis_split_client_config config;
    eis_split_server_config again;
    eis_split_client *client;
    eis_split_offer offer;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    config = world_client_config(&w, 0);
    config.retries = 2;
    client = world_connect(&w, &config);
    assert_int_equal(world_generate(before, w.model, eis_split_client_seam(client)), EIS_OK);
    world_stop(&w, 1);
    again = world_server_config(&w, 1, &offer);
    again.listen = w.addresses[1];
    world_start(&w, 1, &again);
    if (world_generate(after, w.model, eis_split_client_seam(client)) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_memory_equal(before, after, sizeof after);
    /* Another key at the same place is another server. */
    world_stop(&w, 1);
    again.tls.cert_pem = world_span(w.leaves[0].cert, w.leaves[0].cert_bytes);
    again.tls.key_pem = world_span(w.leaves[0].key, w.leaves[0].key_bytes);
    world_start(&w, 1, &again);
    assert_int_equal(world_generate(after, w.model, eis_split_client_seam(client)), EIS_ERR_TLS);
    eis_split_client_free(client);
    world_close(&w);
}

/* Changes one word of an answer, after some honest ones: what a cheat would do. */
static void lie(void *context, uint32_t layer, uint8_t *reply, size_t reply_bytes)
{
    int *calls = context;

    (void)layer;
    assert_true(reply_bytes >= 8);
    if (--*calls <= 0) reply[0] ^= 1;
}

static void open_with_liar(world *w, size_t count, size_t liar, int *calls)
{
    world_prepare(w, world_lm(), EIS_SPLIT_F61_20, count);
    for (size_t i = 0; i < count; i++) {
        eis_split_offer offer;
        eis_split_server_config config = world_server_config(w, i, &offer);
        if (i == liar) {
            config.after_eval = lie;
            config.after_eval_context = calls;
        }
        world_start(w, i, &config);
    }
}

/* A cheat must be named before the next share leaves; with a spare server the answer still comes. */
static void a_liar_is_named(void **state)
{
    double plain[LOGITS], logits[LOGITS];
    eis_split_server_report reports[3];

    (void)state;
    for (size_t threshold = 0; threshold <= 2; threshold += 2) {
        eis_split_client_config config;
        eis_split_client *client;
        int calls = 11;
        world w;
        open_with_liar(&w, threshold > 0 ? 3 : 2, 1, &calls);
        world_generate_plain(plain, w.model);
        config = world_client_config(&w, threshold);
        config.verifier = world_verifier(&w);
        config.retries = 2;
        client = world_connect(&w, &config);
        if (threshold > 0) {
            /* The answers of two honest servers may be there first; then nobody needs the third, and nobody looks at
             * it. */
            reports[1].caught = false;
            for (int i = 0; i < 200 && !reports[1].caught; i++) {
                if (world_generate(logits, w.model, eis_split_client_seam(client)) != EIS_OK)
                    fail_msg("%s", eis_error_detail());
                assert_true(world_distance(logits, plain, LOGITS) < tolerance(EIS_SPLIT_F61_20));
                eis_split_client_report(client, NULL, reports);
            }
        } else {
            assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_ERR_INTEGRITY);
            assert_non_null(strstr(eis_error_detail(), "server 2 (127.0.0.1:"));
        }
        eis_split_client_report(client, NULL, reports);
        assert_true(reports[1].caught && !reports[1].alive);
        assert_false(reports[0].caught);
        eis_split_client_free(client);
        world_close(&w);
    }
}

static void always_lie(void *context, uint32_t layer, uint8_t *reply, size_t reply_bytes)
{
    (void)context, (void)layer, (void)reply_bytes;
    reply[0] ^= 1;
}

/* Without checks of each answer, four servers of which two are needed still show a lone cheat, and the call fails. */
static void spares_show_a_liar(void **state)
{
    double logits[LOGITS];
    eis_split_client *client;
    eis_status st = EIS_OK;
    world w;

    (void)state;
    world_prepare(&w, world_lm(), EIS_SPLIT_F61_20, 5);
    for (size_t i = 0; i < 5; i++) {
        eis_split_offer offer;
        eis_split_server_config config = world_server_config(&w, i, &offer);
        if (i == 0) config.after_eval = always_lie;
        world_start(&w, i, &config);
    }
    client = world_client(&w, 2);
    /* Whether spares have answered when the first two have is a matter of luck: it shows in one call of many. */
    for (int i = 0; i < 200 && st == EIS_OK; i++) st = world_generate(logits, w.model, eis_split_client_seam(client));
    assert_int_equal(st, EIS_ERR_INTEGRITY);
    eis_split_client_free(client);
    world_close(&w);
}

/* What each server sees must be uniform, and what it was sent must be what the callback shows. */
typedef struct seen {
    size_t calls[3], seeds[3], words;
} seen;

static void see(void *context, const eis_split_sight *sight)
{
    seen *s = context;

    assert_in_range(sight->server, 1, 3);
    assert_non_null(sight->reals);
    s->calls[sight->server - 1]++;
    s->seeds[sight->server - 1] += sight->is_seed;
    s->words += sight->word_count;
    assert_int_equal(sight->is_seed, sight->payload_bytes == 32);
}

static void sight_of_servers(void **state)
{
    double logits[LOGITS];
    eis_split_client_config config;
    eis_split_client *client;
    seen s = {0};
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P8, 3);
    config = world_client_config(&w, 0);
    config.sight = see;
    config.sight_context = &s;
    client = world_connect(&w, &config);
    assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_OK);
    for (size_t i = 0; i < 3; i++) assert_int_equal(s.calls[i], 9 * WORLD_STEPS);
    assert_int_equal(s.seeds[0], s.calls[0]);
    assert_int_equal(s.seeds[1], s.calls[1]);
    assert_int_equal(s.seeds[2], 0);
    eis_split_client_free(client);
    world_close(&w);
}

/* A large batch goes in chunks that every server takes; servers with a small limit are asked for less at a time. */
static void chunks_fit_the_limit(void **state)
{
    double plain[LOGITS], logits[LOGITS];
    eis_split_layer_report reports[9];
    eis_split_client *client;
    world w;

    (void)state;
    world_prepare(&w, world_lm(), EIS_SPLIT_F61_20, 2);
    for (size_t i = 0; i < 2; i++) {
        eis_split_offer offer;
        eis_split_server_config config = world_server_config(&w, i, &offer);
        config.frame_bytes_max = i == 0 ? 1000 : 640; /* gate and up of two vectors: 40 rows of 8 bytes each */
        world_start(&w, i, &config);
    }
    world_generate_plain(plain, w.model);
    client = world_client(&w, 0);
    if (world_generate(logits, w.model, eis_split_client_seam(client)) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_true(world_distance(logits, plain, LOGITS) < tolerance(EIS_SPLIT_F61_20));
    eis_split_client_report(client, reports, NULL);
    assert_int_equal(reports[2].round_trips, 3 + WORLD_STEPS - 1);
    eis_split_client_free(client);
    world_close(&w);
}

/* An input that is not finite is refused before anything of it is shared; between layers nobody may see it happen. */
static void inputs_that_are_not_finite(void **state)
{
    double x[2 * 24], y[2 * 48], good[2 * 48]; /* node 1 is 12 x 24, node 0 is 48 x 12, the head 29 x 12 */
    eis_linear_backend seam;
    eis_split_client *client;
    eis_split_layer_report reports[9];
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    client = world_client(&w, 0);
    seam = eis_split_client_seam(client);
    for (size_t i = 0; i < 2 * 24; i++) x[i] = 0.5;
    x[13] = NAN;
    assert_int_equal(seam.apply(seam.ctx, 0, y, x, 2), EIS_ERR_RANGE);
    eis_split_client_report(client, reports, NULL);
    assert_int_equal(reports[0].round_trips, 0);
    for (size_t i = 0; i < 2 * 48; i++) assert_true(y[i] == 0);
    /* In a later node it counts as 0 ... */
    x[3] = INFINITY;
    x[4] = -1e300;
    assert_int_equal(seam.apply(seam.ctx, 1, y, x, 2), EIS_OK);
    x[3] = x[4] = x[13] = 0;
    assert_int_equal(seam.apply(seam.ctx, 1, good, x, 2), EIS_OK);
    assert_memory_equal(y, good, 2 * 12 * sizeof *y);
    /* ... and is told with the last one, once. */
    assert_int_equal(seam.apply(seam.ctx, 8, y, x, 1), EIS_ERR_RANGE);
    assert_int_equal(seam.apply(seam.ctx, 8, y, x, 1), EIS_OK);
    eis_split_client_free(client);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p24_equals_plain),           cmocka_unit_test(p8_equals_plain),
        cmocka_unit_test(f61_equals_plain),           cmocka_unit_test(f61_8_equals_plain),
        cmocka_unit_test(padding_and_truncation),     cmocka_unit_test(classifier_equals_plain),
        cmocka_unit_test(threshold_survives_a_drain), cmocka_unit_test(dead_at_the_start),
        cmocka_unit_test(a_server_comes_back),        cmocka_unit_test(a_liar_is_named),
        cmocka_unit_test(spares_show_a_liar),         cmocka_unit_test(sight_of_servers),
        cmocka_unit_test(chunks_fit_the_limit),       cmocka_unit_test(inputs_that_are_not_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
