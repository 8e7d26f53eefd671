/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: HELLO, then requests in the order they come, each answered by RESULT or ERROR. */
#include "base/ct.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/split_server_internal.h"

#include <string.h>

#define READ_TIMEOUT_MS_DEFAULT 10000u
#define IDLE_TIMEOUT_MS_DEFAULT 600000u
#define FRAME_BYTES_MAX_DEFAULT ((uint64_t)64 << 20)
#define ERROR_BYTES_MAX         1024

typedef struct connection {
    eis_split_server *server;
    eis_stream *stream;
    eis_split_order order;
    const eis_split_offer *offer;
    eis_split_evaluator *evaluator;
} connection;

/* ---- replies ---- */

/* Sends an ERROR with the text recorded on this thread. request_id 0: it is about the connection. */
static eis_status send_error(connection *c, const eis_frame_header *about, eis_status failure)
{
    eis_frame_header header = {.type = EIS_SPLIT_ERROR};
    eis_status st = EIS_OK;
    eis_writer payload;
    eis_span part;

    eis_split_server_count_error(c->server, failure);
    eis_log(EIS_LOG_INFO, "refused", "%s: %s (%s)", eis_net_stream_peer_name(c->stream), eis_status_code(failure),
            eis_error_detail());
    if (about != NULL) header.request_id = about->request_id;
    eis_wire_writer_init(&payload, ERROR_BYTES_MAX);
    eis_split_error_write(&payload, failure, eis_error_detail()[0] ? eis_error_detail() : NULL);
    EIS_TRY(eis_wire_writer_status(&payload));
    part = (eis_span){payload.data, payload.bytes};
    EIS_TRY(eis_net_stream_send(c->stream, &header, &part, 1));
out:
    eis_wire_writer_clear(&payload);
    return st;
}

static void send_goodbye(connection *c)
{
    if (eis_net_stream_send(c->stream, &(eis_frame_header){.type = EIS_SPLIT_CLOSE}, NULL, 0) != EIS_OK)
        eis_error_clear();
}

/* ---- HELLO ---- */

/* Every connection is compared, also where no token came, so that the time does not tell which of the two it was. */
static eis_status check_token(const eis_split_server *server, const eis_split_hello *hello)
{
    if (server->config.token == NULL) return EIS_OK;
    if (eis_net_token_equal(server->config.token, hello->token.data, hello->token.bytes)) return EIS_OK;
    return eis_fail(EIS_ERR_UNAUTHENTICATED, "this server asks for a token, and %s",
                    hello->token.bytes == 0 ? "none was sent" : "another one was sent");
}

/* The digest decides; the name only says which digest to expect. */
static eis_status find_pack(connection *c, const eis_split_hello *hello)
{
    const eis_split_server *server = c->server;
    eis_status st = EIS_OK;

    for (size_t i = 0; hello->model[0] == '\0' && i < server->config.offer_count; i++)
        if (memcmp(server->offers[i].pack->digest, hello->pack_digest, EIS_PACK_DIGEST_BYTES) == 0)
            c->offer = &server->offers[i];
    if (c->offer == NULL) EIS_TRY(eis_split_server_find(&c->offer, server, hello->model));
    EIS_REQUIRE(
        memcmp(c->offer->pack->digest, hello->pack_digest, EIS_PACK_DIGEST_BYTES) == 0, EIS_ERR_DIGEST,
        "model \"%s\" has other weights here than the client expects; both sides need files of one `eis partition`",
        c->offer->name);
    EIS_REQUIRE((uint8_t)c->offer->pack->profile == hello->profile, EIS_ERR_UNSUPPORTED,
                "model \"%s\" has another profile", c->offer->name);
out:
    return st;
}

static eis_status send_ack(connection *c, const eis_split_hello *hello, uint64_t frame_bytes_max)
{
    eis_split_hello_ack ack = {.version = EIS_SPLIT_VERSION,
                               .profile = hello->profile,
                               .payload_bytes_max = frame_bytes_max,
                               .layer_count = c->offer->pack->layer_count};
    eis_status st = EIS_OK;
    eis_writer payload;
    eis_span part;

    memcpy(ack.pack_digest, c->offer->pack->digest, sizeof ack.pack_digest);
    eis_wire_writer_init(&payload, ERROR_BYTES_MAX);
    eis_split_hello_ack_write(&payload, &ack);
    EIS_TRY(eis_wire_writer_status(&payload));
    part = (eis_span){payload.data, payload.bytes};
    EIS_TRY(eis_net_stream_send(c->stream, &(eis_frame_header){.type = EIS_SPLIT_HELLO_ACK}, &part, 1));
out:
    eis_wire_writer_clear(&payload);
    return st;
}

static eis_status greet(connection *c, const eis_stream_frame *frame)
{
    uint64_t limit =
        c->server->config.frame_bytes_max != 0 ? c->server->config.frame_bytes_max : FRAME_BYTES_MAX_DEFAULT;
    eis_status st = EIS_OK;
    eis_split_hello hello;

    EIS_TRY(eis_split_hello_read(&hello, frame->payload.data, frame->payload.bytes));
    EIS_TRY(check_token(c->server, &hello));
    EIS_TRY(find_pack(c, &hello));
    if (hello.payload_bytes_max < limit) limit = hello.payload_bytes_max;
    EIS_TRY(eis_split_evaluator_new(&c->evaluator, c->offer->pack, hello.planes, hello.layer_count,
                                    c->server->config.pool, (size_t)limit));
    EIS_TRY(send_ack(c, &hello, limit));
    eis_net_stream_limit(c->stream, limit);
    eis_log(EIS_LOG_INFO, "hello", "%s: model \"%s\", share %u", eis_net_stream_peer_name(c->stream), c->offer->name,
            hello.share_index);
out:
    return st;
}

/* ---- requests ---- */

/* Turns a frame into a request; the payload stays where it lies. */
static eis_status read_request(eis_split_request *request, eis_split_request_kind *kind, const eis_stream_frame *frame)
{
    const eis_frame_header *header = &frame->header;
    const uint8_t *seeds = NULL;
    size_t count = 1;
    eis_status st = EIS_OK;

    *request = (eis_split_request){.layer = header->layer,
                                   .batch = header->batch,
                                   .suite = header->suite,
                                   .truncated_bits = header->truncated_bits,
                                   .payload = frame->payload};
    if (header->type == EIS_SPLIT_EVAL_WORDS) {
        *kind = EIS_SPLIT_REQUEST_WORDS;
        return EIS_OK;
    }
    *kind = header->type == EIS_SPLIT_MASKS ? EIS_SPLIT_REQUEST_MASKS : EIS_SPLIT_REQUEST_SEED;
    if (header->type == EIS_SPLIT_MASKS)
        EIS_TRY(eis_split_masks_read(&seeds, &count, header, frame->payload.data, frame->payload.bytes));
    else
        EIS_TRY(eis_split_eval_seed_read(&seeds, header, frame->payload.data, frame->payload.bytes));
    request->single_seeds = header->type == EIS_SPLIT_MASKS;
    request->payload = (eis_span){seeds, count * eis_split_seed_bytes(header->suite)};
out:
    return st;
}

static eis_status answer(connection *c, const eis_stream_frame *frame)
{
    eis_frame_header header = {.type = EIS_SPLIT_RESULT,
                               .request_id = frame->header.request_id,
                               .layer = frame->header.layer,
                               .batch = frame->header.batch,
                               .truncated_bits = frame->header.truncated_bits};
    eis_split_request_kind kind;
    eis_split_request request;
    eis_status st = EIS_OK;
    eis_span reply;

    EIS_TRY(read_request(&request, &kind, frame));
    EIS_TRY(eis_split_server_eval(c->server, &reply, c->evaluator, &request, kind));
    st = eis_net_stream_send(c->stream, &header, &reply, 1);
    eis_split_evaluator_trim(c->evaluator);
    return st;
out:
    eis_split_evaluator_trim(c->evaluator);
    /* Words that are not canonical come from a broken peer; everything else it may do better next time. */
    if (send_error(c, &frame->header, st) != EIS_OK) return EIS_ERR_CLOSED;
    return st == EIS_ERR_PROTOCOL ? st : EIS_OK;
}

static eis_status take_frame(connection *c, const eis_stream_frame *frame)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_order_accept(&c->order, EIS_SPLIT_AT_SERVER, &frame->header));
    switch (frame->header.type) {
    case EIS_SPLIT_HELLO:
        EIS_TRY(greet(c, frame));
        break;
    case EIS_SPLIT_CLOSE:
        send_goodbye(c);
        return EIS_ERR_CLOSED;
    case EIS_SPLIT_PING:
        return eis_net_stream_send(
            c->stream, &(eis_frame_header){.type = EIS_SPLIT_PING, .request_id = frame->header.request_id}, NULL, 0);
    default:
        return answer(c, frame);
    }
out:
    if (st != EIS_OK && send_error(c, NULL, st) != EIS_OK) return EIS_ERR_CLOSED;
    return st;
}

/* How the wait for a frame ended, and what the peer is told about it. */
static eis_status end_wait(connection *c, eis_status st)
{
    if (st == EIS_ERR_PROTOCOL || st == EIS_ERR_VERSION || st == EIS_ERR_TOO_LARGE) {
        if (send_error(c, NULL, st) != EIS_OK) return EIS_ERR_CLOSED;
    } else if (st == EIS_ERR_INTERRUPTED || (st == EIS_ERR_TIMEOUT && c->order.greeted)) {
        send_goodbye(c); /* we drain, or it was silent for too long */
        return EIS_ERR_INTERRUPTED;
    }
    return st;
}

eis_status eis_split_server_serve(void *context, eis_stream *stream)
{
    eis_split_server *server = context;
    const eis_split_server_config *config = &server->config;
    uint32_t first_ms = config->read_timeout_ms != 0 ? config->read_timeout_ms : READ_TIMEOUT_MS_DEFAULT;
    uint32_t idle_ms = config->idle_timeout_ms != 0 ? config->idle_timeout_ms : IDLE_TIMEOUT_MS_DEFAULT;
    connection c = {.server = server, .stream = stream};
    eis_status st = EIS_OK;

    while (st == EIS_OK) {
        eis_stream_frame frame;
        st = eis_net_stream_recv(&frame, stream, c.order.greeted ? idle_ms : first_ms);
        st = st == EIS_OK ? take_frame(&c, &frame) : end_wait(&c, st);
    }
    eis_split_evaluator_free(c.evaluator);
    return st;
}
