/* SPDX-License-Identifier: Apache-2.0 */
/* eis-server: the serving half alone. It links nothing that recovers or decrypts; a test reads its symbols. */
#include "cli/cli.h"
#include "cli/commands.h"

int main(int argc, char **argv)
{
    static const eis_command commands[] = {{"serve", "serve models to clients that hide their inputs", eis_cmd_serve}};

    return eis_cli_main(argc, argv, commands, sizeof commands / sizeof commands[0],
                        "eis-server: serve models to clients that hide their inputs.");
}
