/* SPDX-License-Identifier: Apache-2.0 */
/* Inside net/: what server and client share of the C core. Only grpc_*.c include this. */
#ifndef EIS_NET_GRPC_CORE_H
#define EIS_NET_GRPC_CORE_H

#include "net/grpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#define EIS_GRPC_CODE_KEY "eis-code"

/* Starts the core, once for each object that uses it: TLS 1.3 alone, its log as ours. */
void eis_net_grpc_core_start(void);

/* Ends one such use, and waits for the core's threads where it was the last. */
void eis_net_grpc_core_stop(void);

/* A setting of a channel or a server. */
grpc_arg eis_net_grpc_number(const char *key, int value);

/* While a call waits, its client asks this often whether the server is still there, and ends the call where it says
 * nothing for as long again: a process that stands still, or a cable that is cut, sends no word of it. */
#define EIS_GRPC_KEEPALIVE_MS 10000

/* A moment from now. */
gpr_timespec eis_net_grpc_deadline(uint32_t ms);

/* Texts with a zero at the end, as the core wants them. */
typedef struct eis_grpc_papers {
    char *ca, *cert, *key;
    size_t ca_bytes, cert_bytes, key_bytes;
} eis_grpc_papers;

EIS_MUST_USE eis_status eis_net_grpc_papers_copy(eis_grpc_papers *papers, eis_span ca, eis_span cert, eis_span key);
void eis_net_grpc_papers_clear(eis_grpc_papers *papers);

/* Copies a message out of the core's buffer, which stays. The caller frees *data. */
EIS_MUST_USE eis_status eis_net_grpc_bytes_of(uint8_t **data, size_t *bytes, grpc_byte_buffer *buffer);

/* Copies bytes into a buffer of the core's. */
grpc_byte_buffer *eis_net_grpc_buffer_of(const void *data, size_t bytes);

#endif
