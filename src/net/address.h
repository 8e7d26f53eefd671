/* SPDX-License-Identifier: Apache-2.0 */
/* HOST:PORT as users write it, and the question whether a host is this machine itself. */
#ifndef EIS_NET_ADDRESS_H
#define EIS_NET_ADDRESS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_ADDRESS_HOST_BYTES_MAX 256                              /* a DNS name has at most 253 characters */
#define EIS_ADDRESS_TEXT_BYTES_MAX (EIS_ADDRESS_HOST_BYTES_MAX + 9) /* "[" host "]:" 65535 and the zero */
#define EIS_ADDRESS_LIST_MAX       256

typedef struct eis_address {
    char host[EIS_ADDRESS_HOST_BYTES_MAX]; /* name or numeric address, without brackets */
    uint16_t port;                         /* 0 asks a listener for a free port */
} eis_address;

/* Parses "host:port", "1.2.3.4:8470", "[::1]:8470", or a host alone where port_default is not negative.
 *
 * Range:  port 0..65535; the host has no spaces, controls, slashes or quotes.
 * Errors: EIS_ERR_USAGE  the text is something else. *address is then untouched. */
EIS_MUST_USE eis_status eis_net_address_parse(eis_address *address, const char *text, int port_default);

/* Writes host:port, with brackets around an IPv6 address. */
void eis_net_address_format(char text[EIS_ADDRESS_TEXT_BYTES_MAX], const eis_address *address);

/* Parses "a:1,b:2,...": at least one, at most EIS_ADDRESS_LIST_MAX, none twice and none empty.
 * The caller frees *list with eis_mem_free.
 *
 * Errors: EIS_ERR_USAGE, EIS_ERR_MEMORY. The outputs are then untouched. */
EIS_MUST_USE eis_status eis_net_address_list_parse(eis_address **list, size_t *count, const char *text,
                                                   int port_default);

/* Returns whether the host can only mean this machine: 127.0.0.0/8, ::1 or "localhost" (which connecting and
 * listening then hold to loopback addresses, whatever the resolver says). */
bool eis_net_is_loopback(const char *host);

#endif
