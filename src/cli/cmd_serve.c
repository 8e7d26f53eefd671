/* SPDX-License-Identifier: Apache-2.0 */
/* eis serve ENGINE: what serves, one engine each. Both programs have it, so nothing here and below it may recover
 * shares. */
#include "cli/commands.h"
#include "cli/serve.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} engines[] = {
    {"split", "multiply shares by packed weights", eis_cli_serve_split},
    {"api", "compute on ciphertexts, by HTTP", eis_cli_serve_api},
    {"party", "compute among parties that do not trust each other", eis_cli_serve_party},
    {"triples", "deal randomness to parties, and see nothing", eis_cli_serve_triples},
    {"coordinator", "open sessions among parties, by gRPC", eis_cli_serve_coordinator},
};

static void list_engines(FILE *out, const char *program)
{
    fprintf(out, "Usage: %s ENGINE [OPTION...]\n\nEngines:\n", program);
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        fprintf(out, "  %-12s %s\n", engines[i].name, engines[i].summary);
    fprintf(out, "\n`%s ENGINE --help` explains an engine and shows an example.\n", program);
}

int eis_cmd_serve(int argc, char **argv)
{
    static char name[64];

    if (argc < 2) {
        list_engines(stderr, argv[0]);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        list_engines(stdout, argv[0]);
        return 0;
    }
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (strcmp(argv[1], engines[i].name) == 0) {
            snprintf(name, sizeof name, "%s %s", argv[0], engines[i].name);
            argv[1] = name;
            return engines[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "eis: there is no engine \"%s\" to serve; `%s --help` lists them\n", argv[1], argv[0]);
    return 2;
}
