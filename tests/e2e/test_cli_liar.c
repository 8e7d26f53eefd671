/* SPDX-License-Identifier: Apache-2.0 */
/* A server that adds 1 to one word of an answer would change a text without a trace. Whoever runs `eis generate
 * --verify` must be told which server it was, and with a spare server must get the right text all the same. */
#include "support/split_world.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define TEXT_BYTES_MAX 4096
#define LIES_FROM      20 /* answers that are honest before */
#define TOKENS         "60"

static const char *root, *program;

/* What a run of the program gave. */
typedef struct outcome {
    int exit_code;
    char out[TEXT_BYTES_MAX], err[TEXT_BYTES_MAX];
} outcome;

static void read_all(char *text, const char *directory, const char *name)
{
    char path[512];
    FILE *file;
    size_t bytes;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    bytes = fread(text, 1, TEXT_BYTES_MAX - 1, file);
    text[bytes] = '\0';
    fclose(file);
}

static void run_program(outcome *o, const char *directory, const char *arguments)
{
    char command[4096];
    int status;

    snprintf(command, sizeof command, "'%s' %s >'%s/out' 2>'%s/err' </dev/null", program, arguments, directory,
             directory);
    status = system(command);
    assert_true(status != -1 && WIFEXITED(status));
    o->exit_code = WEXITSTATUS(status);
    read_all(o->out, directory, "out");
    read_all(o->err, directory, "err");
}

static void lie(void *context, uint32_t layer, uint8_t *reply, size_t reply_bytes)
{
    atomic_int *calls = context;
    uint64_t word;

    (void)layer;
    if (atomic_fetch_add(calls, 1) < LIES_FROM || reply_bytes < sizeof word) return;
    memcpy(&word, reply, sizeof word);
    word =
        word + 1 == eis_ring_mask(EIS_RING_F61) ? 0 : word + 1; /* canonical, so that nothing but a check can see it */
    memcpy(reply, &word, sizeof word);
}

/* Serves a model by `count` servers in this process, the second of which lies; clients need no certificate. */
static void open_world(world *w, const char *model_path, size_t count, atomic_int *calls)
{
    eis_model *model = NULL;

    if (eis_model_open(&model, model_path, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    world_prepare(w, model, EIS_SPLIT_F61_20, count);
    for (size_t i = 0; i < count; i++) {
        eis_split_offer offer;
        eis_split_server_config config = world_server_config(w, i, &offer);
        config.tls.client_ca_pem = (eis_span){0};
        if (i == 1) {
            config.after_eval = lie;
            config.after_eval_context = calls;
        }
        world_start(w, i, &config);
    }
}

static void generate(outcome *o, const world *w, const char *directory, const char *model_flags, const char *flags)
{
    char arguments[3072], servers[512] = "", address[EIS_ADDRESS_TEXT_BYTES_MAX];

    for (size_t i = 0; i < w->count; i++) {
        size_t used = strlen(servers);
        eis_net_address_format(address, &w->addresses[i]);
        snprintf(servers + used, sizeof servers - used, "%s%s", i > 0 ? "," : "", address);
    }
    fixture_write(directory, "ca.crt", w->ca.cert, w->ca.cert_bytes);
    snprintf(arguments, sizeof arguments, "generate --engine split %s --servers %s --ca '%s/ca.crt' %s", model_flags,
             servers, directory, flags);
    run_program(o, directory, arguments);
}

static void a_liar_is_named_on_the_command_line(void **state)
{
    static const char *const names[] = {"ca.crt", "out", "err", NULL};
    char directory[256], model[512], tokenizer[512] = "", model_flags[1536], plain_flags[2048], liar[64];
    outcome plain, o;
    atomic_int calls = 0;
    world w;

    (void)state;
    fixture_directory(directory);
    snprintf(model, sizeof model, "%s/../shared/data/lm/stories260K/stories260K.bin", root);
    if (access(model, R_OK) == 0)
        snprintf(tokenizer, sizeof tokenizer, "--tokenizer '%s/../shared/data/lm/stories260K/tok512.bin'", root);
    else
        snprintf(model, sizeof model, "%s/models/tiny-stories", root);
    snprintf(model_flags, sizeof model_flags, "--model '%s' %s --prompt '' --greedy --max-tokens " TOKENS, model,
             tokenizer);
    snprintf(plain_flags, sizeof plain_flags, "generate --engine plain %s", model_flags);
    run_program(&plain, directory, plain_flags);
    assert_int_equal(plain.exit_code, 0);

    /* Two servers, both needed: the text stops, and the liar's address is told. */
    open_world(&w, model, 2, &calls);
    snprintf(liar, sizeof liar, "127.0.0.1:%u", w.addresses[1].port);
    generate(&o, &w, directory, model_flags, "--verify");
    if (o.exit_code != 5 || strstr(o.err, liar) == NULL) fail_msg("exit code %d: %s", o.exit_code, o.err);
    assert_memory_equal(o.out, plain.out, strlen(o.out));

    /* Without --verify nobody notices: that is what the flag is for. */
    atomic_store(&calls, 0);
    generate(&o, &w, directory, model_flags, "--profile f61");
    assert_int_equal(o.exit_code, 0);
    world_close(&w);

    /* Two of three: the right text, and the report says who was caught. */
    atomic_store(&calls, 0);
    open_world(&w, model, 3, &calls);
    generate(&o, &w, directory, model_flags, "--verify --threshold 2 --report");
    if (o.exit_code != 0) fail_msg("exit code %d: %s", o.exit_code, o.err);
    assert_string_equal(o.out, plain.out);
    assert_non_null(strstr(o.err, "caught with a wrong answer"));
    world_close(&w);
    fixture_remove(directory, names);
}

int main(void)
{
    static char path[1024];
    const char *build = getenv("EIS_TEST_BUILD");
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_liar_is_named_on_the_command_line)};

    root = getenv("EIS_TEST_ROOT");
    snprintf(path, sizeof path, "%s/eis", build != NULL ? build : "build");
    program = path;
    if (root == NULL) root = ".";
    if (access(program, X_OK) != 0) {
        printf("SKIP: %s is not built\n", program);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
