/* SPDX-License-Identifier: Apache-2.0 */
/* Inside net/: TCP sockets that never block, and waiting with a deadline that a flag can end. */
#ifndef EIS_NET_SOCKET_H
#define EIS_NET_SOCKET_H

#include "base/clock.h"
#include "net/address.h"
#include "net/cancel.h"

#include <poll.h>

#define EIS_NS_PER_MS ((uint64_t)1000000)
#define EIS_NEVER_NS  UINT64_MAX

/* Returns the monotonic time ms from now; UINT32_MAX is never. */
uint64_t eis_net_deadline_ns(uint32_t ms);

/* Returns how long poll may sleep until a deadline: rounded up, 0 when it has passed, -1 for never. */
int eis_net_poll_ms(uint64_t deadline_ns);

/* Waits until fd is ready for the events, or fails: EIS_ERR_TIMEOUT, EIS_ERR_INTERRUPTED (flag raised), EIS_ERR_IO.
 * No text is recorded. cancel may be NULL. */
EIS_MUST_USE eis_status eis_net_socket_wait(int fd, short events, uint64_t deadline_ns, const eis_cancel *cancel);

/* Connects to the first address of the host that answers; the socket has TCP_NODELAY.
 * Errors: as eis_net_stream_connect. */
EIS_MUST_USE eis_status eis_net_socket_connect(int *fd, const eis_address *address, uint64_t deadline_ns,
                                               const eis_cancel *cancel);

/* Binds and listens; *bound is the numeric address in use. Errors: as eis_net_listener_start. */
EIS_MUST_USE eis_status eis_net_socket_listen(int *fd, eis_address *bound, const eis_address *address);

/* Gives the numeric address of this end or of the other one; "?" where there is none any more. */
void eis_net_socket_name(eis_address *address, int fd, bool of_peer);

/* Prepares an accepted socket: not blocking, closed on exec, TCP_NODELAY. */
EIS_MUST_USE eis_status eis_net_socket_prepare(int fd);

#endif
