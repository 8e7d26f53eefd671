/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong, once for the whole program: every server, the command line and the documents speak
 * from the one list below. */
#ifndef EIS_STATUS_H
#define EIS_STATUS_H

#include "eis/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, code on the wire, HTTP status, gRPC status, exit code, may a client try again, text).
 * The text is about sizes and names; it never contains a value. */
/* clang-format off */
#define EIS_STATUS_LIST(X)                                                                                    \
    X(OK, "OK", 200, 0, 0, 0, "ok")                                                                           \
    X(ERR_USAGE, "USAGE", 400, 3, 2, 0, "wrong use of a command or flag")                                     \
    X(ERR_CHECK, "CHECK_FAILED", 500, 13, 1, 0, "the check that was asked for failed")                        \
    X(ERR_SHAPE, "SHAPE_MISMATCH", 400, 3, 3, 0, "tensor shape does not match the model")                     \
    X(ERR_PARSE, "INVALID_SCHEMA", 400, 3, 3, 0, "malformed message or file")                                 \
    X(ERR_ENCODING, "INVALID_ENCODING", 400, 3, 3, 0, "malformed hex or base64 text")                         \
    X(ERR_VERSION, "UNSUPPORTED_API_VERSION", 400, 3, 3, 0, "unsupported version")                            \
    X(ERR_UNSUPPORTED, "UNSUPPORTED_ENCODING", 400, 3, 3, 0, "this variant is not supported")                 \
    X(ERR_RANGE, "VALUE_OUT_OF_RANGE", 400, 3, 3, 0, "a value is not finite or outside its range")            \
    X(ERR_CIPHERTEXT, "INVALID_CIPHERTEXT", 400, 3, 3, 0, "malformed ciphertext or key")                      \
    X(ERR_CONTEXT_MISMATCH, "CIPHERTEXT_INCOMPATIBLE", 409, 9, 3, 0, "made under other encryption parameters") \
    X(ERR_SCALE, "SCALE_MISMATCH", 409, 9, 3, 0, "the scale of a ciphertext is not the one expected")         \
    X(ERR_LEVEL, "LEVEL_MISMATCH", 409, 9, 3, 0, "the level of a ciphertext is not the one expected")         \
    X(ERR_POLICY, "CRYPTO_POLICY_VIOLATION", 409, 9, 3, 0, "the parameters break the security policy")        \
    X(ERR_KEYS_INSUFFICIENT, "KEYS_INSUFFICIENT", 422, 9, 3, 0, "the evaluation keys are not those needed")   \
    X(ERR_KEYS_REQUIRED, "EVALUATION_KEYS_REQUIRED", 409, 9, 3, 0, "evaluation keys must be uploaded first")  \
    X(ERR_KEYS_NOT_FOUND, "KEYS_NOT_FOUND", 404, 5, 3, 0, "no such evaluation keys")                          \
    X(ERR_JOB_NOT_FOUND, "JOB_NOT_FOUND", 404, 5, 3, 0, "no such job")                                        \
    X(ERR_JOB_FAILED, "JOB_FAILED", 200, 13, 4, 0, "the job failed")                                          \
    X(ERR_BATCH, "BATCH_TOO_LARGE", 400, 3, 3, 0, "the batch is larger than the model allows")                \
    X(ERR_INPUT_COUNT, "INPUT_COUNT", 400, 3, 3, 0, "the number of inputs is not the model's")                \
    X(ERR_BODY_DIGEST, "DIGEST_MISMATCH", 400, 15, 3, 1, "the bytes are not those of the digest")             \
    X(ERR_IN_PROGRESS, "IDEMPOTENCY_IN_PROGRESS", 409, 10, 6, 1, "the same request is still being checked")   \
    X(ERR_KEY_REUSED, "IDEMPOTENCY_REUSED", 422, 9, 3, 0, "the idempotency key belongs to another request")   \
    X(ERR_FILE, "FILE_UNREADABLE", 500, 5, 3, 0, "a file cannot be opened, read or written")                  \
    X(ERR_MODEL, "MODEL_INVALID", 500, 9, 3, 0, "the model file is damaged or not of a kind that we compute") \
    X(ERR_CONTEXT_LENGTH, "PROMPT_TOO_LONG", 400, 3, 3, 0, "the prompt does not fit the model's context")     \
    X(ERR_MODEL_NOT_FOUND, "MODEL_NOT_FOUND", 404, 5, 4, 0, "the server does not serve this model")           \
    X(ERR_LAYER_NOT_FOUND, "LAYER_NOT_FOUND", 404, 5, 3, 0, "the model has no such layer")                    \
    X(ERR_NOT_FOUND, "NOT_FOUND", 404, 5, 3, 0, "no such resource")                                           \
    X(ERR_METHOD, "METHOD_NOT_ALLOWED", 405, 12, 3, 0, "the method is not allowed here")                      \
    X(ERR_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", 415, 3, 3, 0, "the content type is not supported")            \
    X(ERR_TOO_LARGE, "PAYLOAD_TOO_LARGE", 413, 8, 6, 0, "the message is larger than the limit")               \
    X(ERR_LEGACY_FLOAT, "LEGACY_FLOAT_DISABLED", 403, 7, 4, 0, "float shares leak the input and are disabled") \
    X(ERR_UNAUTHENTICATED, "UNAUTHENTICATED", 401, 16, 4, 0, "credentials are missing or wrong")              \
    X(ERR_FORBIDDEN, "FORBIDDEN", 403, 7, 4, 0, "the credentials do not allow this")                          \
    X(ERR_RATE_LIMITED, "RATE_LIMITED", 429, 8, 6, 1, "too many requests")                                    \
    X(ERR_BUSY, "QUEUE_FULL", 503, 8, 6, 1, "the server is at its limit; try again later")                    \
    X(ERR_UNAVAILABLE, "BACKEND_UNAVAILABLE", 503, 14, 4, 1, "the service is not available")                  \
    X(ERR_IO, "IO_FAILED", 503, 14, 4, 1, "the connection failed")                                            \
    X(ERR_TIMEOUT, "TIMEOUT", 504, 4, 4, 1, "the peer did not answer in time")                                \
    X(ERR_CLOSED, "CLOSED", 503, 14, 4, 1, "the peer closed the connection")                                  \
    X(ERR_PROTOCOL, "PROTOCOL_VIOLATION", 400, 3, 4, 0, "the peer broke the protocol")                        \
    X(ERR_TLS, "TLS_FAILED", 495, 16, 5, 0, "the peer could not be authenticated")                            \
    X(ERR_DIGEST, "WEIGHTS_DIFFER", 409, 9, 5, 0, "the weights are not those that the client expects")        \
    X(ERR_INTEGRITY, "INTEGRITY_FAILED", 409, 10, 5, 0, "an answer failed its check")                         \
    X(ERR_MEMORY, "OUT_OF_MEMORY", 503, 8, 6, 1, "not enough memory")                                         \
    X(ERR_LIMIT, "LIMIT_REACHED", 429, 8, 6, 0, "a configured limit was reached")                             \
    X(ERR_ENTROPY, "ENTROPY_FAILED", 500, 13, 6, 1, "the system's random source failed")                      \
    X(ERR_MASKS_EXHAUSTED, "MASKS_EXHAUSTED", 503, 8, 6, 1, "no offline masks are left")                      \
    X(ERR_TRIPLES_EXHAUSTED, "TRIPLES_EXHAUSTED", 503, 8, 6, 1, "no preprocessed material is ready")          \
    X(ERR_STORE, "STORE_FAILED", 500, 13, 6, 0, "the local store failed")                                     \
    X(ERR_INTERRUPTED, "INTERRUPTED", 503, 1, 130, 1, "interrupted")                                          \
    X(ERR_INTERNAL, "INTERNAL", 500, 13, 6, 1, "internal error")
/* clang-format on */

typedef enum eis_status {
#define X(name, code, http, grpc, exit_code, retry, text) EIS_##name,
    EIS_STATUS_LIST(X)
#undef X
        EIS_STATUS_COUNT
} eis_status;

/* Returns the code on the wire, such as "SHAPE_MISMATCH". */
EIS_API const char *eis_status_code(eis_status st);

/* Returns the text of a status; it never contains a value. */
EIS_API const char *eis_status_text(eis_status st);

/* Returns the HTTP status of a status. */
EIS_API int eis_status_http(eis_status st);

/* Returns the gRPC status code of a status. */
EIS_API int eis_status_grpc(eis_status st);

/* Returns the exit code of a program that ends with this status. */
EIS_API int eis_status_exit_code(eis_status st);

/* Returns 1 where a client may try the same again (with fresh randomness), else 0. */
EIS_API int eis_status_retryable(eis_status st);

/* Finds the status of a code on the wire; an unknown code is EIS_ERR_PROTOCOL. */
EIS_API eis_status eis_status_from_code(const char *code);

/* Returns what the failing call on this thread said beyond its status: which file, which member, what to do.
 * Empty when it said nothing. Valid until the next failing call on this thread. */
EIS_API const char *eis_error_detail(void);

#ifdef __cplusplus
}
#endif
#endif
