/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of the commands that are clients of the Encrypted Inference API, and the wish that they make. */
#ifndef EIS_CLI_HE_FLAGS_H
#define EIS_CLI_HE_FLAGS_H

#include "cli/access_flags.h"
#include "cli/cli.h"
#include "service/he_session.h"

#include <argp.h>
#include <stdbool.h>

/* A server that is named. */
typedef struct eis_cli_he {
    const char *url, *tenant, *key_file, *passphrase_file, *policy, *encoding;
    bool insecure_http;
} eis_cli_he;

extern const struct argp eis_cli_he_argp;
extern const struct argp eis_cli_he_server_argp; /* without the flags of the key's file */

/* How a model of one's own is to be computed. */
typedef struct eis_cli_he_own {
    const char *chain, *form;
    bool interactive;
} eis_cli_he_own;

extern const struct argp eis_cli_he_own_argp;

/* Tells whether any of these was given. */
bool eis_cli_he_any(const eis_cli_he *he);
bool eis_cli_he_own_any(const eis_cli_he_own *own);

/* Fills what flags say of a wish; own may be NULL. Warns where plain HTTP leaves this machine. */
void eis_cli_he_wish(eis_he_session_wish *wish, const eis_cli_he *he, const eis_cli_access *access,
                     const eis_cli_he_own *own, const eis_cli_common *common);

#endif
