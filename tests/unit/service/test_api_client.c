/* SPDX-License-Identifier: Apache-2.0 */
/* Whole models through the public interface: a program that links the library must get the text that `eis` prints, from
 * its own servers and from servers that it names, and one clear status where something is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "eis/eis.h"
#include "model/input.h"
#include "trust/ca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL   "models/tiny-stories"
#define DIGITS  "models/digits"
#define SQUARES "models/digits-square"
#define TOKENS  12

/* Papers for two servers and a client, in a folder that goes with the test. */
typedef struct world {
    char dir[64];
    char program[4096];
    char ca[128], client_cert[128], client_key[128], cert[2][128], key[2][128], token[128];
} world;

typedef struct text {
    char data[4096];
    size_t bytes, calls;
    size_t stop_after; /* calls; 0: never */
} text;

static eis_status collect(void *context, uint32_t id, const char *data, size_t bytes)
{
    text *t = context;

    (void)id;
    assert_true(bytes < sizeof t->data - t->bytes);
    if (bytes > 0) memcpy(t->data + t->bytes, data, bytes);
    t->bytes += bytes;
    return ++t->calls == t->stop_after ? EIS_ERR_LIMIT : EIS_OK;
}

static void issue(const world *w, char *cert, char *key, const char *name, bool server)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const eis_trust_leaf_literal literal = {
        .name = name, .hosts = hosts, .host_count = server ? 1 : 0, .server = server, .client = !server};
    char prefix[100];

    snprintf(prefix, sizeof prefix, "%s/%s", w->dir, name);
    assert_int_equal(eis_trust_leaf_issue_files(w->dir, prefix, &literal), EIS_OK);
    snprintf(cert, 128, "%s.crt", prefix);
    snprintf(key, 128, "%s.key", prefix);
}

static int make_world(void **state)
{
    static world w;
    const char *root = getenv("EIS_TEST_ROOT"), *build = getenv("EIS_TEST_BUILD");
    FILE *file;

    if (root != NULL && chdir(root) != 0) return -1;
    snprintf(w.program, sizeof w.program, "%s/eis-server", build != NULL ? build : "build-dev");
    if (access(MODEL, R_OK) != 0 || access(w.program, X_OK) != 0) {
        printf("SKIP: no %s, or eis-server is not built\n", MODEL);
        exit(77);
    }
    snprintf(w.dir, sizeof w.dir, "/tmp/eis-api-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    assert_int_equal(eis_trust_ca_init_files(w.dir, &(eis_trust_ca_literal){0}), EIS_OK);
    snprintf(w.ca, sizeof w.ca, "%s/ca.crt", w.dir);
    issue(&w, w.cert[0], w.key[0], "a", true);
    issue(&w, w.cert[1], w.key[1], "b", true);
    issue(&w, w.client_cert, w.client_key, "c", false);
    snprintf(w.token, sizeof w.token, "%s/token", w.dir);
    file = fopen(w.token, "w");
    assert_non_null(file);
    fputs("token-of-a-test-that-is-long-enough\n", file);
    fclose(file);
    (void)chmod(w.token, 0600);
    *state = &w;
    return 0;
}

static int remove_world(void **state)
{
    const world *w = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
    return system(command) == 0 ? 0 : -1;
}

static eis_status tell(text *t, eis_client *client)
{
    memset(t, 0, sizeof *t);
    return eis_client_generate(
        client,
        &(eis_client_generation){.prompt = "Once upon a time", .max_tokens = TOKENS, .receive = collect, .context = t});
}

static void tell_in_plain(text *t)
{
    eis_client *client;

    assert_int_equal(eis_client_open(&client, MODEL, &(eis_client_options){.engine = EIS_CLIENT_PLAIN}), EIS_OK);
    assert_int_equal(tell(t, client), EIS_OK);
    assert_true(t->bytes > strlen("Once upon a time") && t->calls > TOKENS / 2);
    eis_client_close(client);
}

/* One client asks twice; threshold and checks are asked for by members alone. */
static void own_servers_tell_the_same_story(void **state)
{
    const world *w = *state;
    const eis_client_options cases[] = {
        {.server_program = w->program},
        {.server_program = w->program, .threshold = 2, .shares = 3, .verify = true, .threads = 1}};
    text plain, split;
    eis_client *client;

    tell_in_plain(&plain);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(eis_client_open(&client, MODEL, &cases[i]), EIS_OK);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(tell(&split, client), EIS_OK);
            assert_int_equal(split.bytes, plain.bytes);
            assert_memory_equal(split.data, plain.data, plain.bytes);
        }
        eis_client_close(client);
    }
}

static eis_server *start(const world *w, size_t which, const char *listen)
{
    static const char *const models[] = {"stories=" MODEL, DIGITS};
    eis_server *server;

    assert_int_equal(eis_server_start(&server, &(eis_server_options){.models = models,
                                                                     .model_count = 2,
                                                                     .listen = listen,
                                                                     .cert = w->cert[which],
                                                                     .key = w->key[which],
                                                                     .client_ca = w->ca,
                                                                     .token_file = w->token,
                                                                     .threads = 1}),
                     EIS_OK);
    return server;
}

/* Servers in this process, with every paper there is. One is taken away and comes back at its address: the client shows
 * it the token again, which it must have kept. */
static void named_servers_and_one_that_comes_back(void **state)
{
    const world *w = *state;
    eis_server *servers[2] = {start(w, 0, "127.0.0.1:0"), start(w, 1, "127.0.0.1:0")};
    char list[256], address[128];
    eis_client_options options = {.servers = list,
                                  .model_name = "stories",
                                  .ca = w->ca,
                                  .cert = w->client_cert,
                                  .key = w->client_key,
                                  .token_file = w->token,
                                  .threads = 1};
    text plain, split;
    eis_client *client;

    tell_in_plain(&plain);
    snprintf(list, sizeof list, "%s,%s", eis_server_address(servers[0]), eis_server_address(servers[1]));
    assert_int_equal(eis_client_open(&client, MODEL, &options), EIS_OK);
    assert_int_equal(tell(&split, client), EIS_OK);
    assert_memory_equal(split.data, plain.data, plain.bytes);

    snprintf(address, sizeof address, "%s", eis_server_address(servers[0]));
    (void)eis_server_drain(servers[0], 0); /* the client's connection is idle; whether it is cut off does not matter */
    eis_server_free(servers[0]);
    servers[0] = start(w, 0, address);
    assert_int_equal(tell(&split, client), EIS_OK);
    assert_int_equal(split.bytes, plain.bytes);
    assert_memory_equal(split.data, plain.data, plain.bytes);
    eis_client_close(client);

    options.token_file = NULL;
    assert_int_equal(eis_client_open(&client, MODEL, &options), EIS_ERR_UNAUTHENTICATED);
    assert_null(client);
    options.token_file = w->token;
    options.model_name = "digits"; /* served, but another model */
    assert_int_equal(eis_client_open(&client, MODEL, &options), EIS_ERR_DIGEST);
    eis_server_free(servers[0]);
    eis_server_free(servers[1]);
}

static void digits_are_classified(void **state)
{
    const world *w = *state;
    const eis_client_options engines[] = {{.engine = EIS_CLIENT_PLAIN}, {.server_program = w->program}};
    uint32_t classes[2][2];
    double *x = NULL, logits[2][20];
    eis_client *client;

    for (size_t i = 0; i < 2; i++) {
        size_t inputs, count;
        assert_int_equal(eis_client_open(&client, DIGITS, &engines[i]), EIS_OK);
        inputs = eis_client_input_count(client);
        count = eis_client_class_count(client);
        assert_int_equal(count, 10);
        x = calloc(2 * inputs, sizeof *x);
        assert_non_null(x);
        for (size_t p = 0; p < 2 * inputs; p++) x[p] = (double)(p * 7 % 256);
        assert_int_equal(eis_client_classify(client, classes[i], logits[i], x, 2), EIS_OK);
        assert_int_equal(eis_client_classify(client, classes[i], NULL, x, 2), EIS_OK);
        assert_true(eis_client_class_label(client, 10) == NULL);
        assert_int_equal(eis_client_classify(client, classes[i], NULL, x, 0), EIS_ERR_SHAPE);
        assert_int_equal(eis_client_generate(client, NULL), EIS_ERR_MODEL);
        eis_client_close(client);
        free(x);
    }
    assert_memory_equal(classes[0], classes[1], sizeof classes[0]);
    /* p24 is float-grade; the logits of these nets are below 100 */
    for (size_t i = 0; i < 20; i++)
        assert_true(logits[0][i] - logits[1][i] < 1e-3 && logits[1][i] - logits[0][i] < 1e-3);
}

/* One server, a process of its own, that sees ciphertexts alone; and rounds where the model has a ReLU. */
static void digits_are_classified_on_ciphertexts(void **state)
{
    const world *w = *state;
    const struct {
        const char *model;
        eis_client_options options;
    } rows[] = {{SQUARES, {.engine = EIS_CLIENT_HE, .server_program = w->program, .threads = 2}},
                {DIGITS, {.engine = EIS_CLIENT_HE, .server_program = w->program, .threads = 2, .interactive = true}}};
    eis_inputs inputs = {0};
    eis_client *client;

    assert_int_equal(eis_inputs_read(&inputs, DIGITS "/samples/3.pgm", 1, NULL), EIS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double right[10], private[10];
        uint32_t class = 0;
        assert_int_equal(eis_client_open(&client, rows[i].model, &(eis_client_options){.engine = EIS_CLIENT_PLAIN}),
                         EIS_OK);
        assert_int_equal(eis_client_classify(client, &class, right, inputs.x, 1), EIS_OK);
        eis_client_close(client);
        assert_int_equal(class, 3);
        assert_int_equal(eis_client_open(&client, rows[i].model, &rows[i].options), EIS_OK);
        assert_int_equal(eis_client_classify(client, &class, private, inputs.x, 1), EIS_OK);
        assert_int_equal(class, 3);
        for (size_t c = 0; c < 10; c++) assert_true(fabs(right[c] - private[c]) < 0.1);
        inputs.x[0] = (double)NAN;
        assert_int_equal(eis_client_classify(client, &class, NULL, inputs.x, 1), EIS_ERR_RANGE);
        inputs.x[0] = 0;
        eis_client_interrupt(client);
        assert_int_equal(eis_client_classify(client, &class, NULL, inputs.x, 1), EIS_ERR_INTERRUPTED);
        eis_client_close(client);
    }
    assert_int_equal(
        eis_client_open(&client, DIGITS, &(eis_client_options){.engine = EIS_CLIENT_HE, .server_program = w->program}),
        EIS_ERR_MODEL);
    assert_non_null(strstr(eis_error_detail(), "polynomial"));
    assert_int_equal(
        eis_client_open(&client, MODEL, &(eis_client_options){.engine = EIS_CLIENT_HE, .server_program = w->program}),
        EIS_ERR_MODEL);
    assert_null(client);
    eis_inputs_clear(&inputs);
}

static void wrong_wishes_are_refused(void **state)
{
    const world *w = *state;
    const eis_client_options refused[] = {
        {.engine = EIS_CLIENT_PLAIN, .chain = "M"},
        {.engine = EIS_CLIENT_PLAIN, .model_name = "digits"},
        {.server_program = w->program, .interactive = true},
        {.engine = EIS_CLIENT_HE, .shares = 2},
        {.engine = (eis_client_engine)7},
        {.engine = EIS_CLIENT_PLAIN, .verify = true},
        {.server_program = w->program, .profile = "p9"},
        {.server_program = w->program, .profile = "p24", .threshold = 2},
        {.server_program = w->program, .profile = "p24", .verify = true},
        {.server_program = w->program, .ca = w->ca},
        {.servers = "127.0.0.1:1,127.0.0.1:2", .shares = 2},
        {.servers = "127.0.0.1:1,127.0.0.1:2", .cert = w->client_cert},
        {.servers = "127.0.0.1:1", .ca = w->ca},
        {.servers = "not an address,b", .ca = w->ca},
    };
    static const char *const models[] = {MODEL};
    const uint32_t ids[] = {1, 999999};
    eis_client *client;
    eis_server *server;
    text t = {0};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        eis_status st = eis_client_open(&client, MODEL, &refused[i]);
        if (st != EIS_ERR_USAGE) fail_msg("case %zu: %s, %s", i, eis_status_code(st), eis_error_detail());
        assert_null(client);
        assert_true(eis_error_detail()[0] != '\0');
    }
    assert_int_equal(eis_client_open(&client, NULL, NULL), EIS_ERR_USAGE);
    assert_int_equal(eis_client_open(&client, "models/nobody", NULL), EIS_ERR_FILE);
    assert_int_equal(eis_client_open(&client, MODEL, &(eis_client_options){.server_program = "models/nobody"}),
                     EIS_ERR_FILE);

    assert_int_equal(eis_client_open(&client, MODEL, &(eis_client_options){.engine = EIS_CLIENT_PLAIN}), EIS_OK);
    assert_int_equal(eis_client_input_count(client), 0);
    assert_null(eis_client_class_label(client, 0));
    assert_int_equal(eis_client_classify(client, NULL, NULL, NULL, 1), EIS_ERR_MODEL);
    assert_int_equal(eis_client_generate(client, &(eis_client_generation){.prompt = "a", .prompt_ids = ids}),
                     EIS_ERR_USAGE);
    assert_int_equal(eis_client_generate(client, &(eis_client_generation){.prompt_ids = ids}), EIS_ERR_USAGE);
    assert_int_equal(eis_client_generate(client, &(eis_client_generation){.prompt_ids = ids, .prompt_id_count = 2}),
                     EIS_ERR_RANGE);
    assert_int_not_equal(eis_client_generate(client, &(eis_client_generation){.temperature = -1}), EIS_OK);
    t.stop_after = 3;
    assert_int_equal(eis_client_generate(client, &(eis_client_generation){.receive = collect, .context = &t}),
                     EIS_ERR_LIMIT);
    assert_int_equal(t.calls, 3);
    eis_client_interrupt(client);
    assert_int_equal(tell(&t, client), EIS_ERR_INTERRUPTED);
    eis_client_close(client);
    eis_client_close(NULL);

    assert_int_equal(eis_server_start(&server, NULL), EIS_ERR_USAGE);
    assert_int_equal(eis_server_start(&server, &(eis_server_options){.models = models, .model_count = 1}),
                     EIS_ERR_USAGE);
    assert_int_equal(
        eis_server_start(
            &server,
            &(eis_server_options){.models = models, .model_count = 1, .cert = w->cert[0], .key = "models/nobody"}),
        EIS_ERR_FILE);
    assert_int_equal(eis_server_start(&server, &(eis_server_options){.models = models,
                                                                     .model_count = 1,
                                                                     .cert = w->cert[0],
                                                                     .key = w->key[0],
                                                                     .listen = "nonsense nonsense"}),
                     EIS_ERR_USAGE);
    assert_null(server);
    eis_server_free(NULL);
}

/* The same seed gives the same text, another one (here) another. */
static void sampling_follows_the_seed(void **state)
{
    eis_client *client;
    eis_client_generation g = {.prompt = "Once", .max_tokens = 24, .temperature = 1.2, .receive = collect};
    static text texts[3];
    const uint64_t seeds[3] = {5, 5, 6};

    (void)state;
    assert_int_equal(eis_client_open(&client, MODEL, &(eis_client_options){.engine = EIS_CLIENT_PLAIN}), EIS_OK);
    for (size_t i = 0; i < 3; i++) {
        g.seed = seeds[i];
        g.context = &texts[i];
        assert_int_equal(eis_client_generate(client, &g), EIS_OK);
    }
    assert_memory_equal(texts[0].data, texts[1].data, sizeof texts[0].data);
    assert_memory_not_equal(texts[0].data, texts[2].data, sizeof texts[0].data);
    eis_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_servers_tell_the_same_story),
        cmocka_unit_test(named_servers_and_one_that_comes_back),
        cmocka_unit_test(digits_are_classified_on_ciphertexts),
        cmocka_unit_test(digits_are_classified),
        cmocka_unit_test(wrong_wishes_are_refused),
        cmocka_unit_test(sampling_follows_the_seed),
    };

    return cmocka_run_group_tests(tests, make_world, remove_world);
}
