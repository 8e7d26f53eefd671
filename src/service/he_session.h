/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier by the he engine, from what a user names: a server by its URL, or a server of one's own for a model that
 * lies here. For the command line and for include/eis/client.h. */
#ifndef EIS_SERVICE_HE_SESSION_H
#define EIS_SERVICE_HE_SESSION_H

#include "base/pool.h"
#include "base/status.h"
#include "model/graph.h"
#include "service/he_client.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a server of the protocol listens unless told otherwise. */
#define EIS_HE_PORT_DEFAULT 8000

typedef struct eis_he_session eis_he_session;

/* What a user asks for. Texts may be NULL. */
typedef struct eis_he_session_wish {
    const char *url;                /* of a server; NULL: start an own one */
    const char *model_id, *version; /* at a server that is named */
    const char *tenant;
    const char *ca, *cert, *key; /* PEM files; NULL: the system's CAs, no client certificate */
    const char *pin;             /* SHA256 of the server's key */
    const char *token_file;
    bool insecure_http;   /* http:// beyond loopback; the caller has warned */
    const char *key_file; /* of the secret key; NULL: the default place. Own servers get a key that is thrown away */
    const char *passphrase_file; /* one line that seals the key in its file; NULL: none */
    bool throw_away;             /* a key for this session alone at a server that is named, too */
    const char *policy;          /* a name of eis_ckks_policy_parse; NULL: the guidelines of 2024 */
    const char *encoding;        /* "binary", "hex", "base64"; NULL: as the server can */
    unsigned publish_bits;       /* see eis_he_remote_config */
    unsigned timeout_ms;         /* of one call; 0: 60 s */
    unsigned threads;            /* of client and own server; 0: one per processor */
    const eis_cancel *cancel;    /* must outlive the session; may be NULL */

    /* Own servers: */
    const char *model_path; /* the model's directory */
    const char *weights;    /* in place of its own; NULL: none */
    const char *chain;      /* NULL: the planner chooses */
    const char *form;       /* "single", "batch"; NULL: as suits the model */
    bool interactive;
    const char *program; /* what the child runs; NULL: this very program */
} eis_he_session_wish;

/* The files that a wish names, loaded; what a remote's config points at while it is opened. Valid when zeroed. */
typedef struct eis_he_access {
    eis_span ca, cert, key;
    eis_tls_pin pin;
    eis_token token;
    char *passphrase; /* [passphrase_bytes + 1] */
    size_t passphrase_bytes;
} eis_he_access;

/* Loads them and fills a config for a server that is named. Errors: those of the files; EIS_ERR_USAGE. */
EIS_MUST_USE eis_status eis_he_access_load(eis_he_access *access, eis_he_remote_config *config,
                                           const eis_he_session_wish *wish);

/* Wipes. */
void eis_he_access_clear(eis_he_access *access);

/* Starts or reaches the server, discovers the model, gets keys and uploads them.
 *
 * Errors:  EIS_ERR_USAGE  members that do not go together;  EIS_ERR_UNSUPPORTED, EIS_ERR_RANGE, EIS_ERR_MODEL  the own
 *          server cannot serve this model, with its offer;  those of files, embedded servers and eis_he_remote_open.
 *          *session is NULL and nothing is left running. */
EIS_MUST_USE eis_status eis_he_session_open(eis_he_session **session, const eis_he_session_wish *wish);

/* Stops an own server, wipes and frees. NULL is allowed. */
void eis_he_session_close(eis_he_session *session);

/* Returns the client; it belongs to the session. */
eis_he_remote *eis_he_session_remote(eis_he_session *session);

/* Returns the process of an own server, 0 where one was named. */
pid_t eis_he_session_process(const eis_he_session *session);

/* Classifies: the model's own scaling, then the server, then the model's last local steps, of which an he model has
 * none.
 *
 * Shape:   logits[count][class_count]; x[count][eis_classifier_input_count], as they come from a file. watch may be
 *          NULL.
 * Errors:  EIS_ERR_SHAPE  the server's model takes or gives another number of values;  those of eis_he_remote_infer.
 *          logits are zeros. */
EIS_MUST_USE eis_status eis_he_session_classify(eis_he_session *session, double *logits, const eis_model *model,
                                                const double *x, size_t count, const eis_he_watch *watch);

#endif
