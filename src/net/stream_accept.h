/* SPDX-License-Identifier: Apache-2.0 */
/* Inside net/: the server's way to a stream, for the listener. */
#ifndef EIS_NET_STREAM_ACCEPT_H
#define EIS_NET_STREAM_ACCEPT_H

#include "net/stream.h"

/* Wraps an accepted, prepared socket, which belongs to the stream also on error. draining, when raised, ends waits in
 * which no frame has begun. Errors: EIS_ERR_MEMORY, EIS_ERR_LIMIT. */
EIS_MUST_USE eis_status eis_net_stream_accept_new(eis_stream **stream, int fd, const eis_tls *tls,
                                                  const eis_stream_options *options, const eis_cancel *draining);

/* Does the server's half of the handshake. Errors: as eis_net_stream_connect. */
EIS_MUST_USE eis_status eis_net_stream_accept_handshake(eis_stream *stream, uint32_t timeout_ms);

#endif
