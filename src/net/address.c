/* SPDX-License-Identifier: Apache-2.0 */
/* HOST:PORT as users write it. A host that holds anything but the characters of names and addresses is refused here,
 * so that it can go into messages and URLs as it is. */
#include "net/address.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

/* A name, or an IPv6 address where it was written in brackets. */
static bool host_is_sane(const char *host, size_t length, bool bracketed)
{
    if (length == 0 || length >= EIS_ADDRESS_HOST_BYTES_MAX) return false;
    for (size_t i = 0; i < length; i++)
        if (!host_char(host[i]) && !(bracketed && (host[i] == ':' || host[i] == '%'))) return false;
    return true;
}

static bool parse_port(int *port, const char *text, size_t length)
{
    int value = 0;

    if (length == 0 || length > 5) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value > 65535) return false;
    *port = value;
    return true;
}

/* Splits text into host and port text; port is NULL where there is none. */
static bool split_host_port(const char **host, size_t *host_length, const char **port, const char *text, size_t length)
{
    if (length > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', length);

        if (close == NULL) return false;
        *host = text + 1;
        *host_length = (size_t)(close - text) - 1;
        if (close + 1 == text + length)
            *port = NULL;
        else if (close[1] == ':')
            *port = close + 2;
        else
            return false;
        return true;
    }
    const char *colon = memchr(text, ':', length);
    *host = text;
    *host_length = colon == NULL ? length : (size_t)(colon - text);
    *port = colon == NULL ? NULL : colon + 1;
    return true;
}

static eis_status parse_span(eis_address *address, const char *text, size_t length, int port_default)
{
    const char *host, *port_text;
    size_t host_length;
    int port = port_default, shown = length < 100 ? (int)length : 100;

    if (!split_host_port(&host, &host_length, &port_text, text, length) ||
        !host_is_sane(host, host_length, text[0] == '[') ||
        (port_text != NULL && !parse_port(&port, port_text, (size_t)(text + length - port_text))))
        return eis_fail(EIS_ERR_USAGE, "\"%.*s\" is no address; write HOST:PORT, as in 127.0.0.1:8470 or [::1]:8470",
                        shown, text);
    if (port < 0) return eis_fail(EIS_ERR_USAGE, "\"%.*s\" lacks a port; write HOST:PORT", shown, text);
    memset(address, 0, sizeof *address);
    memcpy(address->host, host, host_length);
    address->port = (uint16_t)port;
    return EIS_OK;
}

eis_status eis_net_address_parse(eis_address *address, const char *text, int port_default)
{
    return parse_span(address, text, strlen(text), port_default);
}

void eis_net_address_format(char text[EIS_ADDRESS_TEXT_BYTES_MAX], const eis_address *address)
{
    bool brackets = strchr(address->host, ':') != NULL;

    snprintf(text, EIS_ADDRESS_TEXT_BYTES_MAX, "%s%s%s:%u", brackets ? "[" : "", address->host, brackets ? "]" : "",
             (unsigned)address->port);
}

static bool listed_before(const eis_address *list, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (list[i].port == list[at].port && strcasecmp(list[i].host, list[at].host) == 0) return true;
    return false;
}

eis_status eis_net_address_list_parse(eis_address **list, size_t *count, const char *text, int port_default)
{
    eis_status st = EIS_OK;
    eis_address *made = NULL;
    size_t n = 1, at = 0;

    for (const char *c = text; *c != '\0'; c++) n += *c == ',';
    EIS_REQUIRE(n <= EIS_ADDRESS_LIST_MAX, EIS_ERR_USAGE, "%zu addresses are listed; the most is %d", n,
                EIS_ADDRESS_LIST_MAX);
    EIS_NEW(made, n);
    for (const char *rest = text; at < n; at++) {
        size_t length = strcspn(rest, ",");

        EIS_TRY(parse_span(&made[at], rest, length, port_default));
        EIS_REQUIRE(!listed_before(made, at), EIS_ERR_USAGE, "%s:%u is listed twice; each server counts once",
                    made[at].host, (unsigned)made[at].port);
        rest += length + 1;
    }
    *list = made;
    *count = n;
    made = NULL;
out:
    eis_mem_free(made);
    return st;
}

bool eis_net_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return false;
}
