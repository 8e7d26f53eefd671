/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: what requests, keys and jobs share on the wire. */
#ifndef EIS_SERVICE_HE_ENVELOPE_INTERNAL_H
#define EIS_SERVICE_HE_ENVELOPE_INTERNAL_H

#include "service/he_envelope.h"
#include "wire/json_writer.h"

#define EIS_HE_REST_BYTES        ((size_t)16 << 10) /* of a message's JSON beside its payloads, */
#define EIS_HE_REST_BYTES_EACH   ((size_t)256)      /* and for each payload */
#define EIS_HE_PAYLOAD_BYTES_MAX ((size_t)1 << 34)
#define EIS_HE_PAYLOAD_ALIGN     ((size_t)64)

/* A walk through the payloads of a binary message. */
typedef struct eis_he_frame {
    const char *what;
    eis_span body, json;
    size_t at;
} eis_he_frame;

/* Opens the frame and finds its JSON. Errors: EIS_ERR_PARSE. */
EIS_MUST_USE eis_status eis_he_frame_open(eis_he_frame *frame, const char *what, eis_span body);

/* Steps to the next payload. Errors: EIS_ERR_PARSE  too few bytes, or padding that is not zero. */
EIS_MUST_USE eis_status eis_he_frame_payload(eis_span *payload, eis_he_frame *frame, uint64_t bytes);

/* Errors: EIS_ERR_PARSE  bytes are left. */
EIS_MUST_USE eis_status eis_he_frame_end(const eis_he_frame *frame);

/* Begins a frame whose JSON the caller appends next, and ends that JSON. begin_at is what begin returned. */
size_t eis_he_frame_begin(eis_writer *w);
void eis_he_frame_end_json(eis_writer *w, size_t begin_at);

/* Appends a payload behind its padding. */
void eis_he_frame_write(eis_writer *w, size_t begin_at, eis_span payload);

/* Checks the member api_version, where there is one: v1, 1, 1.0, 1.0.0, or with any_minor any 1.x.
 * Errors: EIS_ERR_VERSION. */
EIS_MUST_USE eis_status eis_he_api_version_check(const eis_he_json *json, eis_json_value object, bool any_minor);

/* Makes a payload of a text. */
eis_he_payload eis_he_payload_of(eis_he_encoding encoding, eis_span text);

/* Writes one value: the bytes as hex or base64. */
void eis_he_payload_write_text(eis_json_writer *w, eis_he_encoding encoding, eis_span bytes);

/* Ends writing JSON into a buffer: keeps the JSON writer's error there, where the caller looks. */
void eis_he_json_finish(eis_writer *w, const eis_json_writer *json);

/* Writes a member whose value is a time, in RFC 3339. */
void eis_he_write_time(eis_json_writer *w, const char *name, int64_t ms);

/* Writes a member whose value is a text. */
void eis_he_write_text(eis_json_writer *w, const char *name, const char *text);

#endif
