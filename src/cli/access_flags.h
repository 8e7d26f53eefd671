/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end, and who we are: the flags of every command that calls servers by name. */
#ifndef EIS_CLI_ACCESS_FLAGS_H
#define EIS_CLI_ACCESS_FLAGS_H

#include <argp.h>

typedef struct eis_cli_access {
    const char *ca, *cert, *key, *pin, *token_file;
    unsigned timeout_ms;
} eis_cli_access;

/* The argp children that parse them: for one server, and for several at once. Their input is an eis_cli_access. */
extern const struct argp eis_cli_access_argp;
extern const struct argp eis_cli_accesses_argp;

#endif
