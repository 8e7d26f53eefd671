/* SPDX-License-Identifier: Apache-2.0 */
/* Inside `eis conform`: a run of the suite, its checks, and what they share. One file per part of docs/api.md.
 *
 * The suite sees a server from outside. It needs no secret of it, uses keys that it throws away, and what it decrypts
 * are numbers that it made up. */
#ifndef EIS_CLI_CONFORM_H
#define EIS_CLI_CONFORM_H

#include "base/status.h"
#include "cli/cli.h"
#include "service/he_client.h"
#include "wire/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of the contradicting descriptions of the protocol a server is held against; docs/api.md, section 14. */
typedef enum eis_conform_profile {
    EIS_CONFORM_V1 = 0,         /* docs/api.md whole */
    EIS_CONFORM_DOCUMENTED = 1, /* the original's documents */
    EIS_CONFORM_NEWEST = 2,     /* the original's newest server */
    EIS_CONFORM_SDK = 3         /* what the original's SDK understands */
} eis_conform_profile;

typedef enum eis_conform_outcome { EIS_CONFORM_PASS, EIS_CONFORM_FAIL, EIS_CONFORM_SKIP } eis_conform_outcome;

typedef struct eis_conform_result {
    char name[64];
    const char *clause; /* of the contract: "api 6" is docs/api.md, section 6 */
    eis_conform_outcome outcome;
    char note[240];
} eis_conform_result;

/* A model that requests are made for, with valid ciphertexts to begin from. */
typedef struct eis_conform_target {
    eis_he_remote *remote;
    const eis_he_contract *contract; /* of the remote */
    const eis_he_info *info;
    uint32_t count;   /* ciphertexts of a request */
    eis_span *full;   /* [count] whole objects, not compressed */
    eis_span *seeded; /* [count] */
    uint8_t *memory;  /* owned: what they point into */
    bool needs_keys;
    eis_writer keys;                          /* body of PUT /keys; empty without keys */
    char digest[2 * EIS_HE_DIGEST_BYTES + 1]; /* of it */
} eis_conform_target;

typedef struct eis_conform {
    eis_conform_profile profile;
    bool rate_limit, quiet;
    const char *url;
    eis_he_link *link;
    const eis_he_remote_config *config; /* for clients with all their checks; model_id NULL: none was asked for */
    eis_conform_result *results;        /* [count] */
    size_t count, capacity;
    size_t passed, failed, skipped;
    uint64_t waited_ms, patience_ms; /* for a server that limits calls */
    eis_cli_progress progress;
    eis_conform_target target; /* remote is NULL where there is none */
    eis_http_call call;        /* the answer of the last call */
    eis_status broken;         /* not EIS_OK: no memory, or interrupted; the suite ends */
} eis_conform;

/* ---- checks ---- */

/* Records a check; the text says what was found. Returns `good`. */
bool eis_conform_check(eis_conform *c, bool good, const char *name, const char *clause, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void eis_conform_skip(eis_conform *c, const char *name, const char *clause, const char *why);

/* Calls the server; the answer is in c->call. Where it limits calls, waits as it asks and calls again. Returns whether
 * there is an answer. */
bool eis_conform_ask(eis_conform *c, const eis_he_ask *ask);

/* The same with one path and nothing else. */
bool eis_conform_get(eis_conform *c, const char *method, const char *path);

/* Checks that the last call was refused with one of the codes ("A|B"), with the HTTP status of that code and a body
 * that is whole: version, texts, retryability, Retry-After. With other profiles than v1 only that it was refused with
 * 4xx. */
bool eis_conform_expect(eis_conform *c, const char *name, const char *clause, const char *codes);

/* Parses the answer of the last call: a document, or NULL. The caller frees it. */
eis_json_doc *eis_conform_json(eis_conform *c);

/* ---- requests ---- */

/* A request in JSON or binary that can be wrong in any way. Zeroed: a valid one. */
typedef struct eis_conform_request {
    bool binary;
    const char *model_id, *version; /* NULL: the target's; "" leaves the member out */
    const char *encoding;           /* NULL: hex, or binary; "" leaves it out */
    const char *extra;              /* members put in front of the others, with a comma behind each */
    uint64_t batch_size;            /* 0: 1 */
    bool no_keys;                   /* names no evaluation keys */
    const char *keys;               /* names these; NULL: the target's */
    const char *text;               /* of payload 0 in JSON, in place of its hex; NULL: as it is */
    const eis_span *payload; /* [payload_count] in place of the target's seeded ones; the first stands for more */
    uint32_t payload_count;  /* 0: as many as there should be */
    uint32_t count;          /* 0: as many as there should be */
} eis_conform_request;

/* Writes a request. */
void eis_conform_write(eis_writer *w, const eis_conform *c, const eis_conform_request *request);

/* Writes a frame of the binary media type around any JSON. */
void eis_conform_frame(eis_writer *w, const char *json, const eis_span *payload, size_t count);

/* Sends a body as POST /infer with further header lines (NULL: none). Returns whether there is an answer. */
bool eis_conform_post(eis_conform *c, bool binary, eis_span body, const char *line, const char *line2);

/* Writes and sends. */
bool eis_conform_send(eis_conform *c, const eis_conform_request *request, const char *line, const char *line2);

/* ---- the parts ---- */

void eis_conform_discovery(eis_conform *c);   /* health, models, keys, documents, methods, headers */
void eis_conform_envelope(eis_conform *c);    /* schema, encodings, frames */
void eis_conform_ciphertexts(eis_conform *c); /* every hostile object */
void eis_conform_order(eis_conform *c);       /* two faults at once */
void eis_conform_jobs(eis_conform *c);        /* happy paths, states, idempotency, tenants */
void eis_conform_keys(eis_conform *c);        /* PUT and HEAD, before all that asks for a model */
void eis_conform_keys_end(eis_conform *c);    /* DELETE, behind all of it */
void eis_conform_values(eis_conform *c);      /* encrypted against plain */
void eis_conform_rate(eis_conform *c);        /* quotas; only when asked for */
void eis_conform_framing(eis_conform *c);     /* HTTP requests that contradict themselves */

/* Opens the target: the model that is asked for, or the one with the smallest request. */
EIS_MUST_USE eis_status eis_conform_target_open(eis_conform *c, const eis_he_remote_config *config);
void eis_conform_target_close(eis_conform_target *target);

#endif
