/* SPDX-License-Identifier: Apache-2.0 */
/* A bearer token: a shared text from a file that tells a server who the client is. It goes out only after the server
 * has been authenticated and replaces no certificate check. */
#ifndef EIS_NET_TOKEN_H
#define EIS_NET_TOKEN_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_TOKEN_BYTES_MIN 16
#define EIS_TOKEN_BYTES_MAX 512

typedef struct eis_token {
    char text[EIS_TOKEN_BYTES_MAX + 1]; /* zero-terminated; empty: no token is set */
    size_t bytes;
    uint8_t digest[32]; /* SHA-256 of the text: what is compared, so that time does not tell the length */
} eis_token;

/* Reads a token file: one line of EIS_TOKEN_BYTES_MIN..MAX visible ASCII characters, a last newline allowed; the
 * file belongs to its owner alone (mode 0600 or less).
 *
 * Secret: the token. Errors: EIS_ERR_FILE, EIS_ERR_USAGE (text or mode). *token is then untouched. */
EIS_MUST_USE eis_status eis_net_token_read_file(eis_token *token, const char *path);

/* Takes a token from memory, for children and tests; the same rules for its text. Errors: EIS_ERR_USAGE. */
EIS_MUST_USE eis_status eis_net_token_set(eis_token *token, const char *text, size_t bytes);

/* Returns whether the bytes are the token. Secret: token; the time depends on `bytes` only. */
bool eis_net_token_equal(const eis_token *token, const void *text, size_t bytes);

/* Returns whether an Authorization header ("Bearer TOKEN"; NULL is allowed) carries the token. */
bool eis_net_token_authorizes(const eis_token *token, const char *authorization);

/* Wipes a token. */
void eis_net_token_clear(eis_token *token);

#endif
