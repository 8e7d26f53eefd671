/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: the server as its files share it.
 *
 *   split_server.c          start, drain, end
 *   split_server_stream.c   one connection of the binary stream
 *   split_server_rest.c     routes of REST
 *   split_server_matmul.c   POST /matmul on ring words
 *   split_server_legacy.c   POST /matmul on floats, where the operator opted in
 *   split_server_metrics.c  counters and GET /metrics
 *   split_gate.c            how many requests are computed at once */
#ifndef EIS_SERVICE_SPLIT_SERVER_INTERNAL_H
#define EIS_SERVICE_SPLIT_SERVER_INTERNAL_H

#include "engine/split/eval.h"
#include "net/http.h"
#include "net/listener.h"
#include "service/split_gate.h"
#include "service/split_server.h"
#include "wire/json.h"
#include "wire/json_writer.h"

#include <stdatomic.h>

/* What requests are counted by. */
typedef enum eis_split_request_kind {
    EIS_SPLIT_REQUEST_WORDS,
    EIS_SPLIT_REQUEST_SEED,
    EIS_SPLIT_REQUEST_MASKS,
    EIS_SPLIT_REQUEST_REST,
    EIS_SPLIT_REQUEST_LEGACY,
    EIS_SPLIT_REQUEST_KINDS
} eis_split_request_kind;

typedef struct eis_split_counters {
    atomic_uint_fast64_t requests[EIS_SPLIT_REQUEST_KINDS];
    atomic_uint_fast64_t errors[EIS_STATUS_COUNT];
    atomic_uint_fast64_t eval_ns, vectors;
} eis_split_counters;

struct eis_split_server {
    eis_split_server_config config;
    eis_split_offer *offers; /* [config.offer_count] */
    eis_tls *tls;
    eis_listener *listener;
    eis_http_server *http;
    eis_split_gate *gate;
    eis_split_counters counters;
    uint64_t started_ns;
    atomic_bool draining;
};

/* Serves one connection: the listener's callback. context is the server. */
eis_status eis_split_server_serve(void *context, eis_stream *stream);

/* Computes one request of any door: takes a place at the gate, counts, calls the test hook.
 *
 * Errors: EIS_ERR_BUSY, those of eis_split_eval. */
EIS_MUST_USE eis_status eis_split_server_eval(eis_split_server *server, eis_span *reply, eis_split_evaluator *evaluator,
                                              const eis_split_request *request, eis_split_request_kind kind);

/* Counts a failure by its status. */
void eis_split_server_count_error(eis_split_server *server, eis_status st);

/* Finds an offer by name, or the only one where the name is "". Errors: EIS_ERR_MODEL_NOT_FOUND. */
EIS_MUST_USE eis_status eis_split_server_find(const eis_split_offer **offer, const eis_split_server *server,
                                              const char *name);

/* Starts REST. Errors: those of eis_net_http_server_start. */
EIS_MUST_USE eis_status eis_split_server_rest_start(eis_split_server *server);

/* Answers with the JSON that was written, unless writing failed. Clears *body in either case. */
EIS_MUST_USE eis_status eis_split_server_reply(eis_http_reply *reply, eis_json_writer *w, eis_writer *body);

/* Handlers. */
eis_status eis_split_server_matmul(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_split_server_metrics(void *context, eis_http_reply *reply, const eis_http_request *request);

/* The two forms of POST /matmul. */
eis_status eis_split_server_matmul_ring(eis_split_server *server, eis_http_reply *reply, eis_json_value body);
eis_status eis_split_server_matmul_float(eis_split_server *server, eis_http_reply *reply, eis_json_value body);

#endif
