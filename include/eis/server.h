/* SPDX-License-Identifier: Apache-2.0 */
/* The serving half of the split engine: models by name over TLS 1.3, for clients that send shares. What `eis serve
 * split` does, without REST. It runs on threads of its own. */
#ifndef EIS_SERVER_H
#define EIS_SERVER_H

#include "eis/export.h"
#include "eis/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A server that listens. Its functions may be called from any thread, but for eis_server_free. */
typedef struct eis_server eis_server;

/* What is served. At least one model, cert and key must be given. */
typedef struct eis_server_options {
    const char *const
        *models; /* [model_count]: "[NAME=]PATH" of a pack, or of a model that is packed in memory; at most
                    64. Without NAME it is that of the file, without ".eispack" */
    size_t model_count;
    const char *profile;      /* of models that are packed here: "p24", "p8", "f61", "f61-8"; NULL: "p24" */
    bool verify_packs;        /* hash packs before they are served */
    const char *listen;       /* "HOST:PORT", port 0 takes a free one; NULL: 127.0.0.1:8470 */
    const char *cert, *key;   /* PEM files; nobody else may read the key */
    const char *client_ca;    /* PEM file: clients must show a certificate of this CA; NULL: none is asked for */
    const char *token_file;   /* clients must know this token; NULL: none is asked for */
    unsigned threads;         /* that multiply; 0: one per processor */
    unsigned connections_max; /* 0: 64 */
} eis_server_options;

/* Loads and serves.
 *
 * Errors:  EIS_ERR_USAGE  something that must be given is missing, two models of one name, a malformed address;
 *          EIS_ERR_FILE, EIS_ERR_MODEL, ...  the files;  EIS_ERR_IO  the address is in use, or not ours. */
EIS_API EIS_MUST_USE eis_status eis_server_start(eis_server **server, const eis_server_options *options);

/* Returns "HOST:PORT" as it is really in use. It lives as long as the server. */
EIS_API const char *eis_server_address(const eis_server *server);

/* Stops accepting, lets requests in flight finish for at most deadline_ms, then cuts off the rest. Returns whether
 * nothing had to be cut off. */
EIS_API bool eis_server_drain(eis_server *server, uint32_t deadline_ms);

/* Drains without patience and frees. NULL is allowed. */
EIS_API void eis_server_free(eis_server *server);

#ifdef __cplusplus
}
#endif
#endif
