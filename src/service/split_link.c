/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_link.h"

#include "base/mem.h"
#include "service/spin.h"

#include <stdio.h>
#include <string.h>

#define HELLO_BYTES_MAX ((size_t)EIS_FRAME_HELLO_BYTES_MAX)

void eis_split_link_note(eis_split_link *link, eis_status st)
{
    link->last_error = st;
    snprintf(link->detail, sizeof link->detail, "%s", eis_error_detail()[0] ? eis_error_detail() : eis_status_text(st));
}

void eis_split_link_drop(eis_split_link *link, eis_status st)
{
    eis_split_link_note(link, st);
    eis_net_stream_free(link->stream);
    link->stream = NULL;
    link->ticket.open = false;
}

void eis_split_link_clear(eis_split_link *link)
{
    static const eis_frame_header goodbye = {.type = EIS_SPLIT_CLOSE};

    if (link->stream != NULL && link->order.greeted && !link->ticket.open &&
        eis_net_stream_send(link->stream, &goodbye, NULL, 0) != EIS_OK)
        eis_error_clear(); /* it is gone already */
    eis_net_stream_free(link->stream);
    eis_net_tls_free(link->tls);
    eis_mem_free_wiped(link->words, link->words_capacity, sizeof *link->words);
    memset(link, 0, sizeof *link);
}

/* Statuses that an ERROR may put into our mouth. What only we can find out, such as a failed check, is not among them.
 */
static eis_status told_status(const eis_split_error *error)
{
    switch (error->status) {
    case EIS_ERR_MODEL_NOT_FOUND:
    case EIS_ERR_DIGEST:
    case EIS_ERR_UNAUTHENTICATED:
    case EIS_ERR_FORBIDDEN:
    case EIS_ERR_BUSY:
    case EIS_ERR_RATE_LIMITED:
    case EIS_ERR_TOO_LARGE:
    case EIS_ERR_SHAPE:
    case EIS_ERR_LAYER_NOT_FOUND:
    case EIS_ERR_UNSUPPORTED:
    case EIS_ERR_VERSION:
    case EIS_ERR_PARSE:
    case EIS_ERR_LIMIT:
    case EIS_ERR_UNAVAILABLE:
    case EIS_ERR_TIMEOUT:
        return error->status;
    default: /* also a shortage at the server: for us it is not there */
        return error->retryable ? EIS_ERR_UNAVAILABLE : EIS_ERR_PROTOCOL;
    }
}

/* Reads an ERROR and records what it says. */
static eis_status tell_error(const eis_split_link *link, const eis_stream_frame *frame)
{
    eis_split_error error;
    eis_status st = eis_split_error_read(&error, frame->payload.data, frame->payload.bytes);

    if (st != EIS_OK) return eis_fail(EIS_ERR_PROTOCOL, "%s sent a damaged ERROR", link->name);
    return eis_fail(told_status(&error), "%s answered %s: %s", link->name, error.code, error.text);
}

static eis_status check_pin(eis_split_link *link)
{
    eis_status st = EIS_OK;
    eis_tls_pin pin;

    EIS_TRY(eis_net_stream_peer_pin(&pin, link->stream));
    EIS_REQUIRE(!link->has_pin || memcmp(&pin, &link->pin, sizeof pin) == 0, EIS_ERR_TLS,
                "%s came back with another key than before", link->name);
    link->pin = pin;
    link->has_pin = true;
out:
    return st;
}

static eis_status send_hello(eis_split_link *link, const eis_split_hello *hello)
{
    eis_status st = EIS_OK;
    eis_writer payload;
    eis_span part;

    eis_wire_writer_init(&payload, HELLO_BYTES_MAX);
    eis_split_hello_write(&payload, hello);
    EIS_TRY(eis_wire_writer_status(&payload));
    part = (eis_span){payload.data, payload.bytes};
    EIS_TRY(eis_net_stream_send(link->stream, &(eis_frame_header){.type = EIS_SPLIT_HELLO}, &part, 1));
    link->bytes_up += EIS_FRAME_HEADER_BYTES + part.bytes;
out:
    eis_wire_writer_clear(&payload); /* it holds the token */
    return st;
}

static eis_status greet(eis_split_link *link, const eis_split_terms *terms)
{
    eis_status st = EIS_OK;
    eis_split_hello hello = terms->hello;
    eis_split_hello_ack ack;
    eis_stream_frame frame;

    hello.share_index = (uint16_t)link->index;
    EIS_TRY(send_hello(link, &hello));
    EIS_TRY(eis_net_stream_recv(&frame, link->stream, terms->connect_timeout_ms));
    link->bytes_down += EIS_FRAME_HEADER_BYTES + frame.payload.bytes;
    EIS_TRY(eis_split_order_accept(&link->order, EIS_SPLIT_AT_CLIENT, &frame.header));
    if (frame.header.type == EIS_SPLIT_ERROR) EIS_TRY(tell_error(link, &frame));
    EIS_REQUIRE(frame.header.type == EIS_SPLIT_HELLO_ACK, EIS_ERR_CLOSED, "%s hung up", link->name);
    EIS_TRY(eis_split_hello_ack_read(&ack, frame.payload.data, frame.payload.bytes));
    EIS_TRY(eis_split_hello_ack_check(&ack, &hello));
    EIS_REQUIRE(ack.payload_bytes_max >= terms->frame_bytes_needed, EIS_ERR_TOO_LARGE,
                "%s takes frames of %llu bytes; this model needs %llu", link->name,
                (unsigned long long)ack.payload_bytes_max, (unsigned long long)terms->frame_bytes_needed);
    link->frame_bytes_max = ack.payload_bytes_max;
    eis_net_stream_limit(link->stream, ack.payload_bytes_max);
out:
    return st;
}

/* Puts the server's name in front of a text that lacks it. */
static eis_status name_in_front(const eis_split_link *link, eis_status st)
{
    if (strncmp(eis_error_detail(), link->name, strlen(link->name)) == 0) return st;
    return eis_fail_prefix(st, "%s", link->name);
}

eis_status eis_split_link_open(eis_split_link *link, const eis_split_terms *terms)
{
    const eis_stream_options options = {
        .write_timeout_ms = terms->write_timeout_ms, .spin_us = EIS_SERVICE_SPIN_US, .cancel = terms->cancel};
    eis_status st = EIS_OK;

    EIS_ASSERT(link->stream == NULL && !link->caught);
    eis_error_clear();
    link->order = (eis_split_order){0};
    EIS_TRY(eis_net_stream_connect(&link->stream, &link->address, link->tls, terms->connect_timeout_ms, &options));
    EIS_TRY(check_pin(link));
    EIS_TRY(greet(link, terms));
    link->last_error = EIS_OK;
    link->detail[0] = '\0';
out:
    if (st != EIS_OK) {
        st = name_in_front(link, st);
        eis_split_link_drop(link, st);
    }
    return st;
}

eis_status eis_split_link_ask(eis_split_link *link, const eis_frame_header *header, const eis_span *parts,
                              size_t part_count, size_t reply_bytes, uint64_t deadline_ns)
{
    eis_frame_header complete = *header;
    eis_status st = EIS_OK;

    EIS_ASSERT(link->stream != NULL && !link->ticket.open);
    complete.request_id = ++link->last_id;
    EIS_TRY(eis_net_stream_send(link->stream, &complete, parts, part_count));
    link->bytes_up += EIS_FRAME_HEADER_BYTES;
    for (size_t i = 0; i < part_count; i++) link->bytes_up += parts[i].bytes;
    link->calls++;
    link->ticket = (eis_split_ticket){.open = true,
                                      .wanted = true,
                                      .id = complete.request_id,
                                      .layer = header->layer,
                                      .batch = header->batch,
                                      .truncated_bits = header->truncated_bits,
                                      .reply_bytes = reply_bytes,
                                      .deadline_ns = deadline_ns};
out:
    return st == EIS_OK ? st : name_in_front(link, st);
}

/* A RESULT counts once, for the outstanding id, and only if it is exactly what was asked for. */
static eis_status check_result(const eis_split_link *link, const eis_stream_frame *frame)
{
    const eis_split_ticket *ticket = &link->ticket;
    const eis_frame_header *header = &frame->header;
    eis_status st = EIS_OK;

    EIS_REQUIRE(header->layer == ticket->layer && header->batch == ticket->batch &&
                    header->truncated_bits == ticket->truncated_bits,
                EIS_ERR_PROTOCOL, "%s answered for another layer, batch or truncation than was asked for", link->name);
    EIS_REQUIRE(frame->payload.bytes == ticket->reply_bytes, EIS_ERR_PROTOCOL, "%s answered %zu bytes where %zu belong",
                link->name, frame->payload.bytes, ticket->reply_bytes);
out:
    return st;
}

eis_status eis_split_link_take(eis_split_arrival *arrival, eis_status *refused, eis_split_link *link,
                               const eis_stream_frame *frame)
{
    const eis_frame_header *header = &frame->header;
    eis_status st = EIS_OK;

    *refused = EIS_OK;
    link->bytes_down += EIS_FRAME_HEADER_BYTES + frame->payload.bytes;
    st = eis_split_order_accept(&link->order, EIS_SPLIT_AT_CLIENT, header);
    if (st != EIS_OK) return name_in_front(link, st);
    EIS_REQUIRE(header->type != EIS_SPLIT_CLOSE, EIS_ERR_CLOSED, "%s closed the connection", link->name);
    if (header->type == EIS_SPLIT_ERROR && header->request_id == 0) EIS_TRY(tell_error(link, frame));
    EIS_REQUIRE(header->type == EIS_SPLIT_RESULT || header->type == EIS_SPLIT_ERROR, EIS_ERR_PROTOCOL,
                "%s sent a frame of type %u that nobody asked for", link->name, header->type);
    EIS_REQUIRE(link->ticket.open && header->request_id == link->ticket.id, EIS_ERR_PROTOCOL,
                "%s answered a request that is not outstanding", link->name);
    if (header->type == EIS_SPLIT_RESULT) EIS_TRY(check_result(link, frame));
    link->ticket.open = false;
    *arrival = !link->ticket.wanted               ? EIS_SPLIT_ARRIVED_LATE
               : header->type == EIS_SPLIT_RESULT ? EIS_SPLIT_ARRIVED_RESULT
                                                  : EIS_SPLIT_ARRIVED_REFUSAL;
    if (*arrival == EIS_SPLIT_ARRIVED_REFUSAL) *refused = tell_error(link, frame);
out:
    return st;
}
