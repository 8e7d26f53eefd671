/* SPDX-License-Identifier: Apache-2.0 */
/* One server of the Encrypted Inference API, and calls to it that are repeated where the protocol allows it: the same
 * bytes under the same Idempotency-Key, as long as Retry-After says, and never without end. */
#ifndef EIS_SERVICE_HE_LINK_H
#define EIS_SERVICE_HE_LINK_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/http_client.h"
#include "service/he_envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_HE_URL_BYTES 512 /* of any URL that we send to, with its zero */
#define EIS_HE_LINES_MAX 8   /* header lines of one call */

typedef struct eis_he_link eis_he_link; /* one thread at a time */

typedef struct eis_he_link_config {
    const char *url;            /* http://... or https://...; a path in it stands in front of every other */
    const char *tenant;         /* NULL: the server's default */
    eis_http_client_config net; /* zeroed members: its defaults, but 60 s for a call and 256 MiB for an answer */
    unsigned retries;           /* further attempts of one call; 0: 4. EIS_HE_NO_RETRIES: none */
    uint32_t patience_ms;       /* no waiting between attempts beyond this in all; 0: 90 s */
} eis_he_link_config;

#define EIS_HE_NO_RETRIES UINT32_MAX

/* What a call sends beside its path. */
typedef struct eis_he_ask {
    const char *method, *path; /* "/models" */
    const char *media_type;    /* of the body */
    eis_span body;
    const char *line[EIS_HE_LINES_MAX]; /* [line_count] headers */
    size_t line_count;
} eis_he_ask;

/* What an error answer says, in any of the shapes that servers of this protocol have: problem+json, {"error": {"code",
 * "message"}}, {"detail": text}, {"code", "message"}. */
typedef struct eis_he_problem {
    eis_status status; /* never EIS_OK: the code's, else what the HTTP status means */
    bool retryable;    /* as the body says, else as the status is; a server's fault (5xx) may be tried again */
    bool has_code;
    char code[48], message[256]; /* printable ASCII */
    unsigned retry_after_s;      /* the larger of header and body; 0: nothing said */
} eis_he_problem;

/* Reads an error answer; a body that makes no sense is one too. */
void eis_he_problem_read(eis_he_problem *problem, int http_status, unsigned retry_after_s, eis_span body);

/* Makes a link; nothing is sent yet.
 *
 * Errors:  EIS_ERR_USAGE  the URL or the tenant; those of eis_net_http_client_new. *link is NULL. */
EIS_MUST_USE eis_status eis_he_link_new(eis_he_link **link, const eis_he_link_config *config);

/* Frees. NULL is allowed. */
void eis_he_link_free(eis_he_link *link);

/* Returns "scheme://host:port", in small letters, the port always written: whom keys belong to. */
const char *eis_he_link_origin(const eis_he_link *link);

/* Runs a call until it has an answer of 2xx, an error that is final, or no attempts or patience left.
 *
 * Shape:   *call is zeroed or of an earlier call; the caller clears it. *problem (NULL: not wanted) is zeroed where no
 *          error answer came.
 * Errors:  what the server says (EIS_ERR_MODEL_NOT_FOUND, ...; the text quotes it), those of the network. */
EIS_MUST_USE eis_status eis_he_link_run(eis_he_link *link, eis_http_call *call, eis_he_problem *problem,
                                        const eis_he_ask *ask);

/* Runs a call once; an error answer is an answer too. Errors: those of the network. */
EIS_MUST_USE eis_status eis_he_link_once(eis_he_link *link, eis_http_call *call, const eis_he_ask *ask);

/* Sleeps, unless the flag is raised: EIS_ERR_INTERRUPTED. */
EIS_MUST_USE eis_status eis_he_link_pause(eis_he_link *link, uint32_t ms);

/* Bytes of bodies that went out and came in so far. */
typedef struct eis_he_link_counts {
    uint64_t calls, retries, bytes_up, bytes_down;
} eis_he_link_counts;

void eis_he_link_counts_get(eis_he_link_counts *counts, const eis_he_link *link);

#endif
