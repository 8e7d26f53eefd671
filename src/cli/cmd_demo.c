/* SPDX-License-Identifier: Apache-2.0 */
/* eis demo: a layer, a story, ten digits, a digit through ciphertexts and a story among parties that trust nobody,
 * private and in plain, and what each process saw of them. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/demo.h"
#include "cli/models_dir.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>

eis_status eis_cli_demo_open(eis_cli_backend *plain, eis_cli_backend *split, eis_cli_demo *demo, const eis_model *model,
                             const char *path, const char *name)
{
    eis_status st = EIS_OK;
    eis_cli_split local = {.engine = EIS_ENGINE_PLAIN}, servers = demo->split;

    if (servers.servers != NULL) servers.served_name = name;
    EIS_TRY(eis_cli_backend_open(plain, &local, &demo->common, model, path, NULL, NULL, 0));
    EIS_TRY(eis_cli_backend_open(split, &servers, &demo->common, model, path, NULL, NULL, 0));
out:
    if (st != EIS_OK) eis_cli_backend_close(plain);
    return st;
}

void eis_cli_demo_compare(eis_cli_demo *demo, bool equal, const char *what)
{
    printf("  %s: %s\n", what, equal ? "yes" : "NO");
    demo->agreed &= equal;
}

static void print_table(eis_cli_demo *demo)
{
    printf("6  What each server of the first three saw\n\n  %-8s %10s %10s %10s %12s\n", "server", "bytes", "words",
           "uniform p", "correlation");
    for (size_t i = 0; i < demo->sight.server_count; i++) {
        const eis_cli_sight_server *s = &demo->sight.servers[i];
        eis_cli_sight_verdict v = eis_cli_sight_judge(s);
        char bytes[16];
        printf("  %-8zu %10s %10" PRIu64 " %10.3g %12.5f %s\n", i + 1, eis_cli_bytes(bytes, s->payload_bytes),
               s->word_count, v.p, v.correlation, v.passed ? "" : "NOT UNIFORM");
        demo->agreed &= v.passed;
    }
}

static void print_note(const eis_cli_demo *demo)
{
    printf("\nAnd shapes, times and the number of requests, which are not hidden.\n\n");
    if (demo->split.servers == NULL)
        printf("The servers ran on this machine: that shows function and traffic, not protection. It begins when they "
               "belong to\n"
               "different owners who do not put their shares together: `eis serve split --help`.\n");
    else
        printf("What they saw protects the inputs as long as the owners of these servers do not put their shares "
               "together.\n");
}

/* A model that is missing is told before the first act. */
static eis_status find_models(void)
{
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES];

    EIS_TRY(eis_cli_models_find(path, EIS_CLI_DEMO_STORY));
    EIS_TRY(eis_cli_models_find(path, EIS_CLI_DEMO_DIGITS));
    EIS_TRY(eis_cli_models_find(path, EIS_CLI_DEMO_CIPHERTEXT));
out:
    return st;
}

static eis_status run_acts(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    eis_status (*const acts[])(eis_cli_demo *) = {eis_cli_demo_layer, eis_cli_demo_story, eis_cli_demo_digits,
                                                  eis_cli_demo_ciphertext, eis_cli_demo_mpc};

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(acts[i](demo));
        EIS_TRY(demo->sight.st);
        putchar('\n');
        fflush(stdout);
    }
    print_table(demo);
    print_note(demo);
    EIS_TRY(eis_cli_flush());
    EIS_REQUIRE(demo->agreed, EIS_ERR_CHECK, "private and plaintext answers differ, or a share does not look uniform");
out:
    fflush(stdout);
    return st;
}

static eis_status run_demo(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;

    demo->split.engine = EIS_ENGINE_SPLIT;
    demo->split.sight = eis_cli_sight_collect;
    demo->split.sight_context = &demo->sight;
    demo->agreed = true;
    EIS_TRY(eis_cli_start(&demo->common, false));
    EIS_TRY(eis_cli_split_check(&demo->split));
    EIS_TRY(find_models());
    EIS_TRY(eis_cli_sight_init(&demo->sight, eis_cli_split_server_count(&demo->split)));
    EIS_TRY(run_acts(demo));
out:
    eis_cli_sight_clear(&demo->sight);
    return st;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_demo *demo = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &demo->common;
        state->child_inputs[1] = &demo->split;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int eis_cmd_demo(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_split_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        NULL,
        parse,
        NULL,
        "Show the engines: a layer, a story and ten digits on shares, a digit through ciphertexts, and a story among "
        "three parties that trust nobody, each private and in plain, and what every process saw.\v"
        "Example: on two servers that this command starts, or on servers that somebody else runs:\n\n"
        "  eis demo\n"
        "  eis demo --servers a.example.org,b.example.org --ca ca.crt\n\n"
        "Servers that are named must serve the three models of its first acts:\n\n"
        "  eis serve split --demo-layer --model models/tiny-stories \\\n"
        "      --model models/digits --tls-cert a.crt --tls-key a.key\n",
        children,
        NULL,
        NULL};
    eis_cli_demo demo = {0};

    if (!eis_cli_parse(&argp, argc, argv, &demo)) return 2;
    return eis_cli_finish(run_demo(&demo));
}
