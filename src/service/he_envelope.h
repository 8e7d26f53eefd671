/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the Encrypted Inference API, version 1, both ways: POST /infer, the body of PUT /keys, and jobs; each as
 * JSON (payloads as hex or base64) or in the binary form:
 *
 *   "EISI" | u32 bytes of JSON | JSON | zeros to 64 | payload 0 | zeros to 64 | payload 1 | ... (nothing behind the
 * last)
 *
 * Long texts are cut out of the JSON before it is parsed and read where they lie, so that 12 MB of hex cost no second
 * copy, let alone the fourteen of a parsed document. No reader here needs a socket. */
#ifndef EIS_SERVICE_HE_ENVELOPE_H
#define EIS_SERVICE_HE_ENVELOPE_H

#include "base/bytes.h"
#include "base/status.h"
#include "wire/cursor.h"
#include "wire/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_HE_API_VERSION     "1.0.0"
#define EIS_HE_MEDIA_JSON_TEXT "application/json"
#define EIS_HE_MEDIA_BIN_TEXT  "application/vnd.eis.infer"

#define EIS_HE_MODEL_ID_BYTES 65 /* with their zero, as all sizes of texts here */
#define EIS_HE_VERSION_BYTES  33
#define EIS_HE_TENANT_BYTES   65 /* of X-Tenant-ID */
#define EIS_HE_JOB_ID_BYTES   33 /* 32 hex digits */
#define EIS_HE_DIGEST_BYTES   32
#define EIS_HE_INPUTS_MAX     ((size_t)1 << 17) /* payloads of one message, whatever a caller allows */

typedef enum eis_he_media { EIS_HE_MEDIA_JSON = 1, EIS_HE_MEDIA_BINARY = 2 } eis_he_media;

typedef enum eis_he_encoding { EIS_HE_HEX = 1, EIS_HE_BASE64 = 2, EIS_HE_BINARY = 3 } eis_he_encoding;

/* Returns "hex", "base64", "binary". */
const char *eis_he_encoding_name(eis_he_encoding encoding);

/* Finds the form that a media type means ("application/json; charset=utf-8" too). Returns false for any other. */
bool eis_he_media_parse(eis_he_media *media, const char *media_type);

/* ---- Payloads ---- */

/* One ciphertext or part of a key set as it was sent: text, or the bytes themselves. Lies in the message's body. */
typedef struct eis_he_payload {
    eis_he_encoding encoding;
    eis_span text;
    size_t bytes; /* what it decodes to, if it decodes at all */
} eis_he_payload;

/* Gives the bytes of a payload: in place where it is binary, else decoded into *memory, which the caller frees with
 * eis_mem_free (NULL where nothing was decoded).
 *
 * Errors:  EIS_ERR_ENCODING  a foreign character, stray bits; EIS_ERR_MEMORY. Outputs are empty. */
EIS_MUST_USE eis_status eis_he_payload_open(eis_span *bytes, uint8_t **memory, const eis_he_payload *payload);

/* ---- JSON whose long texts stay where they are ---- */

#define EIS_HE_SHORT_TEXT_BYTES_MAX 64 /* as written, escapes and all; longer texts are cut out */

/* A parsed document. The text it was made of must outlive it. Valid when zeroed. */
typedef struct eis_he_json {
    eis_json_doc *doc;
    eis_span *cut; /* [cut_count] what stands between the quotes of each long text */
    size_t cut_count;
} eis_he_json;

/* Parses a document. A long text stays as it is written, escapes and all, and nothing checks what it holds: payloads
 * are decoded by readers that take no escape.
 *
 * Shape:   what is left without long texts has at most rest_bytes_max bytes; at most cuts_max long texts.
 * Cost:    one pass over the text; memory for the rest alone, some 14 times it.
 * Errors:  EIS_ERR_PARSE, EIS_ERR_TOO_LARGE (the rest), EIS_ERR_MEMORY; *json is empty. */
EIS_MUST_USE eis_status eis_he_json_parse(eis_he_json *json, const char *what, eis_span text, size_t rest_bytes_max,
                                          size_t cuts_max);

/* Frees. Safe on a zeroed one. */
void eis_he_json_clear(eis_he_json *json);

/* Gives the text of a value, long or short; false where it is no string. A long one is not checked to be UTF-8: who
 * asks for it decodes it as hex or base64. */
bool eis_he_json_text(eis_span *text, const eis_he_json *json, eis_json_value value);

/* Tells whether a value is a string that was cut out. eis_json_bind_text refuses those by their length. */
bool eis_he_json_is_cut(const eis_he_json *json, eis_json_value value);

/* ---- POST /infer ---- */

/* What a request says beside its payloads. */
typedef struct eis_he_head {
    char model_id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES];
    bool has_batch, has_stage, has_keys;
    uint64_t batch_size;               /* 1 where has_batch is false */
    uint32_t stage;                    /* 0 where has_stage is false */
    uint8_t keys[EIS_HE_DIGEST_BYTES]; /* digest of the evaluation keys, where has_keys */
} eis_he_head;

typedef struct eis_he_request {
    eis_he_head head;
    eis_he_payload *inputs; /* [input_count] in the body */
    size_t input_count;
    eis_he_json json; /* owned */
} eis_he_request;

/* What a reader of requests takes. */
typedef struct eis_he_request_limits {
    size_t inputs_max; /* more are refused while they are parsed; 0: EIS_HE_INPUTS_MAX */
    bool strict_hex;   /* refuse base64, as the original does */
} eis_he_request_limits;

/* Parses a request: step 1 of the validation but for the question whether the model exists. Nothing is decoded.
 *
 * Shape:   body, which must outlive the request.
 * Errors:  EIS_ERR_PARSE        the schema, the frame of the binary form, too many inputs.
 *          EIS_ERR_VERSION      api_version is another than v1, 1, 1.0, 1.0.0.
 *          EIS_ERR_UNSUPPORTED  an encoding that we do not know, or that the form or strict_hex does not allow.
 *          EIS_ERR_ENCODING     hex or base64 whose length is impossible.
 *          EIS_ERR_MEMORY       *request is empty on error. */
EIS_MUST_USE eis_status eis_he_request_parse(eis_he_request *request, eis_he_media media, eis_span body,
                                             const eis_he_request_limits *limits);

/* Frees. Safe on a zeroed one. */
void eis_he_request_clear(eis_he_request *request);

/* Appends a request: binary with EIS_HE_BINARY, else JSON. Shape: payload[count]. Errors: sticky in w. */
void eis_he_request_write(eis_writer *w, const eis_he_head *head, eis_he_encoding encoding, const eis_span *payload,
                          size_t count);

/* Reads a digest as it stands in requests and paths: 64 lower-case digits, so that a set has one name. Returns false
 * for anything else; *digest is then untouched or wiped. */
bool eis_he_digest_read(uint8_t digest[EIS_HE_DIGEST_BYTES], const void *text, size_t length);

/* ---- PUT /keys: always binary ---- */

/* Three SEAL objects, or all keys in one object of ours (ckks/he_keys.h) that stands alone. */
typedef enum eis_he_part {
    EIS_HE_PART_RELIN,
    EIS_HE_PART_GALOIS,
    EIS_HE_PART_PUBLIC,
    EIS_HE_PART_SET,
    EIS_HE_PARTS
} eis_he_part;

/* Returns "relin", "galois", "public", "set". */
const char *eis_he_part_name(eis_he_part part);

/* A set of evaluation keys as it is sent. Parts that are absent are empty spans; the others lie in the body. */
typedef struct eis_he_keys_body {
    char model_id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES];
    eis_span part[EIS_HE_PARTS];
} eis_he_keys_body;

/* Parses the body. Errors: EIS_ERR_PARSE (also a part named twice or unknown), EIS_ERR_VERSION, EIS_ERR_MEMORY; *keys
 * is zeroed. */
EIS_MUST_USE eis_status eis_he_keys_body_read(eis_he_keys_body *keys, eis_span body);

/* Appends the body; empty parts are left out. The digest of a set is the SHA-256 of these bytes. Errors: sticky. */
void eis_he_keys_body_write(eis_writer *w, const eis_he_keys_body *keys);

/* ---- Jobs: the answer of POST /infer and of GET /jobs/{id} ---- */

typedef enum eis_he_job_state {
    EIS_HE_JOB_ACCEPTED = 1, /* of the answer 202 alone */
    EIS_HE_JOB_QUEUED,
    EIS_HE_JOB_RUNNING,
    EIS_HE_JOB_COMPLETED,
    EIS_HE_JOB_FAILED
} eis_he_job_state;

/* Returns "accepted", "queued", "running", "completed", "failed". */
const char *eis_he_job_state_name(eis_he_job_state state);

typedef struct eis_he_job {
    char job_id[EIS_HE_JOB_ID_BYTES];
    eis_he_job_state state;
    char model_id[EIS_HE_MODEL_ID_BYTES],
        version[EIS_HE_VERSION_BYTES]; /* of the job, or of its result; "" where absent */
    int64_t created_ms, updated_ms;    /* since 1970; only for writing. A reader leaves 0 */
    /* completed */
    eis_he_payload *payloads; /* [payload_count]; a reader's lie in the body, or in `nested` */
    size_t payload_count;
    uint64_t batch_size; /* 0: no diagnostics */
    /* failed */
    eis_status error;  /* as the code says; EIS_ERR_JOB_FAILED where it says nothing that we know */
    bool retryable;    /* as the server says */
    char message[256]; /* printable ASCII */
    eis_he_json json;  /* owned by a reader */
    uint8_t *nested;   /* owned: a result that came as base64 of an object */
    size_t nested_bytes;
    eis_he_json nested_json;
} eis_he_job;

/* Reads a job from any server that speaks the protocol: "done" is "completed", "pending" is "queued"; a result may be
 * an object or base64 of one; a failure may stand in `error` (object or text) or `error_message`; unknown members are
 * passed over. What matters for the answer is for the caller to compare (job_id, model_id, number and size of
 * payloads).
 *
 * Shape:   body, which must outlive the job; payloads_max as the caller's plan says.
 * Errors:  EIS_ERR_PROTOCOL  malformed in any way; EIS_ERR_VERSION  another major; EIS_ERR_MEMORY. *job is zeroed. */
EIS_MUST_USE eis_status eis_he_job_read(eis_he_job *job, eis_he_media media, eis_span body, size_t payloads_max);

/* Frees. Safe on a zeroed one. */
void eis_he_job_clear(eis_he_job *job);

/* Appends a job; payloads are given as their bytes (encoding BINARY) and written as `encoding`. A failed job has the
 * error object of every problem+json body and `error_message`. Errors: sticky in w. */
void eis_he_job_write(eis_writer *w, const eis_he_job *job, eis_he_encoding encoding);

#endif
