/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: what goes over the socket between a program and a server that it has started: the papers down, then
 * the port, or what went wrong, up. After that the socket only says, by closing, that the parent is gone. */
#ifndef EIS_SERVICE_EMBEDDED_PAPERS_H
#define EIS_SERVICE_EMBEDDED_PAPERS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

/* The descriptors that a child inherits beside standard error. */
#define EIS_EMBEDDED_ORDER_FD  3 /* what to serve */
#define EIS_EMBEDDED_SOCKET_FD 4

#define EIS_EMBEDDED_ORDER_BYTES_MAX ((size_t)64 << 10)

/* Puts an order in words into memory that children inherit. Errors: EIS_ERR_LIMIT; *fd is then -1. */
EIS_MUST_USE eis_status eis_embedded_order_make(int *fd, const void *text, size_t bytes);

/* Reads it in the child, wherever a sibling has read to. *text is made by eis_mem_new. Errors: EIS_ERR_IO,
 * EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_embedded_order_read(char **text, size_t *bytes);

/* The papers of one server. */
typedef struct eis_embedded_papers {
    uint32_t threads;
    eis_span cert_pem, key_pem, client_ca_pem;
} eis_embedded_papers;

/* Writes the papers to a socket. Secret: key_pem. Errors: EIS_ERR_IO, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_embedded_papers_send(int fd, const eis_embedded_papers *papers);

/* Reads papers; the spans point into *memory, which the caller frees with eis_mem_free_wiped(*memory, *bytes, 1).
 * Errors: EIS_ERR_CLOSED, EIS_ERR_IO, EIS_ERR_PARSE, EIS_ERR_TOO_LARGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_embedded_papers_receive(eis_embedded_papers *papers, uint8_t **memory, size_t *bytes,
                                                    int fd);

/* Tells the parent the port (st == EIS_OK), or what went wrong (the text recorded on this thread). */
void eis_embedded_tell(int fd, eis_status st, uint16_t port);

/* Reads that. Errors: what the child said; EIS_ERR_CLOSED  it ended without a word; EIS_ERR_TIMEOUT. */
EIS_MUST_USE eis_status eis_embedded_hear(uint16_t *port, int fd, uint32_t timeout_ms);

/* How one engine serves in a child. */
typedef struct eis_embedded_service {
    /* Starts on 127.0.0.1, port 0, and gives the port; *server is NULL on error. */
    eis_status (*start)(void **server, uint16_t *port, const eis_embedded_papers *papers);
    /* Lets what is in flight finish for at most drain_ms, and frees. */
    void (*stop)(void *server, uint32_t drain_ms);
} eis_embedded_service;

/* The life of a child: reads its papers (threads, where not 0, in place of theirs), starts, tells the parent, serves
 * until the socket closes or SIGTERM comes. Errors: those of papers and start, which the parent has been told. */
EIS_MUST_USE eis_status eis_embedded_child_serve(const eis_embedded_service *service, unsigned threads);

#endif
