/* SPDX-License-Identifier: Apache-2.0 */
/* A duplex channel between two parties, as protocols see it: bytes in order, whole or not at all, with the costs
 * counted. What carries the bytes is behind `ops`: a pair in memory here, a TLS stream elsewhere. */
#ifndef EIS_WIRE_CHANNEL_H
#define EIS_WIRE_CHANNEL_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct eis_channel_ops {
    /* Sends all parts, in order. */
    eis_status (*send)(void *self, const eis_span *parts, size_t part_count);
    /* Receives exactly `bytes` bytes. */
    eis_status (*receive)(void *self, void *out, size_t bytes);
    /* Ends the channel for both sides and frees self. */
    void (*free)(void *self);
} eis_channel_ops;

typedef struct eis_channel {
    const eis_channel_ops *ops;
    void *self;
    uint64_t bytes_sent, bytes_received;
    uint64_t round_count; /* receives that follow a send: how often this side has waited for the other */
    uint64_t send_count;
    uint64_t fail_send_at; /* test hook: this send (counted from 1) fails; 0 = none */
    int sent_since_receive;
    eis_status st; /* sticky: after an error the channel is dead */
} eis_channel;

/* Wraps a carrier. The channel owns `self` from here on. */
void eis_channel_init(eis_channel *ch, const eis_channel_ops *ops, void *self);

/* Ends the channel; safe on a zeroed one. */
void eis_channel_clear(eis_channel *ch);

/* Sends bytes, or several runs of bytes as one message.
 *
 * Errors: EIS_ERR_IO, EIS_ERR_CLOSED, EIS_ERR_TIMEOUT, EIS_ERR_MEMORY; sticky. */
EIS_MUST_USE eis_status eis_channel_send(eis_channel *ch, const void *data, size_t bytes);
EIS_MUST_USE eis_status eis_channel_send_parts(eis_channel *ch, const eis_span *parts, size_t part_count);

/* Receives exactly `bytes` bytes. Errors: as for send; out is wiped. */
EIS_MUST_USE eis_status eis_channel_receive(eis_channel *ch, void *out, size_t bytes);

/* Makes the n-th send from now on fail with EIS_ERR_IO (1 = the next); 0 switches it off. */
void eis_channel_fail_send_at(eis_channel *ch, uint64_t n);

/* Makes two channels that are each other's ends, inside one process. Each end may live on a thread of its own; a
 * receive waits at most timeout_ms.
 *
 * Errors: EIS_ERR_MEMORY  both are untouched. */
EIS_MUST_USE eis_status eis_channel_pair(eis_channel *a, eis_channel *b, unsigned timeout_ms);

#endif
