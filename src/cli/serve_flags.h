/* SPDX-License-Identifier: Apache-2.0 */
/* What every `eis serve` has: who we are and whom we let in, and the wait for the signal that ends it. */
#ifndef EIS_CLI_SERVE_FLAGS_H
#define EIS_CLI_SERVE_FLAGS_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/tls.h"
#include "net/token.h"

#include <argp.h>
#include <stdbool.h>

typedef struct eis_cli_serve {
    const char *tls_cert, *tls_key, *client_ca, *token_file;
} eis_cli_serve;

/* The argp child that parses them; its input is an eis_cli_serve. A certificate and its key go together, and a CA for
 * clients goes with them. */
extern const struct argp eis_cli_serve_argp;

/* The files that the flags name. Valid when zeroed. */
typedef struct eis_cli_papers {
    eis_span cert, key, client_ca;
    eis_token token;
} eis_cli_papers;

/* Reads them. Errors: those of eis_pem_file_read_pair and eis_net_token_read_file; what was read stays until it is
 * cleared.
 */
EIS_MUST_USE eis_status eis_cli_papers_read(eis_cli_papers *papers, const eis_cli_serve *flags);

/* Wipes and frees. Safe on zeroed ones. */
void eis_cli_papers_clear(eis_cli_papers *papers);

/* Returns them as a server takes them; they must outlive it. */
eis_tls_server_config eis_cli_papers_tls(const eis_cli_papers *papers);

/* The argp child that parses how long what has begun may take after the signal; its input is an unsigned number of
 * milliseconds, set to the command's default before. */
extern const struct argp eis_cli_drain_argp;

/* Waits for SIGTERM or Ctrl-C. */
void eis_cli_serve_wait(void);

/* Does so, then logs that `what` may finish for `drain_ms`; and how that ended: finished, or cut off. */
void eis_cli_drain_wait(const char *what, unsigned drain_ms);
void eis_cli_drain_end(const char *what, bool finished);

#endif
