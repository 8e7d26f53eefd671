/* SPDX-License-Identifier: Apache-2.0 */
/* eis: every subcommand. */
#include "cli/cli.h"
#include "cli/commands.h"

int main(int argc, char **argv)
{
    static const eis_command commands[] = {
        {"generate", "continue a text with a language model", eis_cmd_generate},
        {"classify", "classify inputs", eis_cmd_classify},
        {"infer", "send encrypted inputs to a server that cannot read them", eis_cmd_infer},
        {"conform", "hold a server against the contract of the Encrypted Inference API", eis_cmd_conform},
        {"partition", "split a model into the servers' and the client's part", eis_cmd_partition},
        {"plan", "say what a request will cost, layer by layer", eis_cmd_plan},
        {"serve", "serve models to clients that hide their inputs", eis_cmd_serve},
        {"ca", "make certificates for servers and clients", eis_cmd_ca},
        {"audit", "show what each server sees of a request", eis_cmd_audit},
        {"bench", "measure an engine beside its peers", eis_cmd_bench},
        {"demo", "a private story and private digits in a minute", eis_cmd_demo},
    };

    return eis_cli_main(argc, argv, commands, sizeof commands / sizeof commands[0],
                        "eis: run a model on machines that never see the input.");
}
