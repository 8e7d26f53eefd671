/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: routes, the headers that announce a body, and what handlers ask. A body is refused by its headers where
 * that is possible, before any of it is read. */
#include "net/http_exchange.h"

#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Matches "/a/b" or "/a/{x}". Sets *param to what stands for {x}, or to "". */
static bool matches(const char **param, const char *pattern, const char *path)
{
    const char *brace = strchr(pattern, '{');
    size_t fixed = brace == NULL ? strlen(pattern) : (size_t)(brace - pattern);

    *param = "";
    if (brace == NULL) return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, fixed) != 0 || path[fixed] == '\0') return false;
    *param = path + fixed;
    return true;
}

static void allow(char *list, const char *method)
{
    size_t used = strlen(list);

    snprintf(list + used, EIS_HTTP_ALLOW_BYTES_MAX - used, "%s%s", used == 0 ? "" : ", ", method);
    if (strcmp(method, "GET") == 0) allow(list, "HEAD");
}

static bool find_route(eis_http_request *request, const eis_http_route *routes, size_t count, const char *method)
{
    const char *param;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(routes[i].method, method) != 0 || !matches(&param, routes[i].pattern, request->path)) continue;
        request->route = &routes[i];
        request->param = param;
        return true;
    }
    return false;
}

eis_status eis_net_http_route(eis_http_request *request, const eis_http_route *routes, size_t count)
{
    const char *param;

    if (find_route(request, routes, count, request->method)) return EIS_OK;
    if (strcmp(request->method, "HEAD") == 0 && find_route(request, routes, count, "GET")) return EIS_OK;
    request->allow[0] = '\0';
    for (size_t i = 0; i < count; i++)
        if (matches(&param, routes[i].pattern, request->path)) allow(request->allow, routes[i].method);
    if (request->allow[0] != '\0') return eis_fail(EIS_ERR_METHOD, "allowed here: %s", request->allow);
    return eis_fail(EIS_ERR_NOT_FOUND, "there is nothing at this path");
}

const char *eis_net_http_request_method(const eis_http_request *request) { return request->method; }
const char *eis_net_http_request_path(const eis_http_request *request) { return request->path; }
const char *eis_net_http_request_param(const eis_http_request *request) { return request->param; }

eis_span eis_net_http_request_body(const eis_http_request *request)
{
    return (eis_span){.data = request->body, .bytes = request->body_bytes};
}

void eis_net_http_request_take_body(const eis_http_request *request, uint8_t **body, size_t *body_bytes,
                                    size_t *reserved)
{
    eis_http_request *r = (eis_http_request *)(uintptr_t)request; /* what is taken is gone from it */

    *body = r->body;
    *body_bytes = r->body_bytes;
    *reserved = r->reserved_bytes;
    r->body = NULL;
    r->body_bytes = r->body_capacity = r->reserved_bytes = 0;
}

void *eis_net_http_request_owner(const eis_http_request *request) { return request->owner; }

void eis_net_http_request_peer(char peer[EIS_ADDRESS_HOST_BYTES_MAX], const eis_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    socklen_t bytes;

    snprintf(peer, EIS_ADDRESS_HOST_BYTES_MAX, "?");
    if (info == NULL || info->client_addr == NULL) return;
    bytes = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    (void)getnameinfo(info->client_addr, bytes, peer, EIS_ADDRESS_HOST_BYTES_MAX, NULL, 0, NI_NUMERICHOST);
}

const char *eis_net_http_request_header(const eis_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *eis_net_http_request_query(const eis_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

typedef struct lines {
    const char *name;
    unsigned count;
} lines;

static enum MHD_Result count_line(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    lines *l = context;

    (void)kind, (void)value;
    l->count += strcasecmp(name, l->name) == 0;
    return MHD_YES;
}

static unsigned header_count(const eis_http_request *request, const char *name)
{
    lines l = {.name = name};

    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_line, &l);
    return l.count;
}

static bool parse_length(uint64_t *length, const char *text)
{
    uint64_t value = 0;

    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10) return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *length = value;
    return true;
}

/* Compares "application/json; charset=utf-8" with "application/json". */
static bool is_media_type(const char *header, const char *wanted)
{
    size_t length = strlen(wanted);

    return header != NULL && strncasecmp(header, wanted, length) == 0 &&
           (header[length] == '\0' || header[length] == ';' || header[length] == ' ');
}

eis_status eis_net_http_check_framing(eis_http_request *request, size_t body_bytes_max)
{
    const char *length_text = eis_net_http_request_header(request, "Content-Length");
    const char *transfer = eis_net_http_request_header(request, "Transfer-Encoding");
    uint64_t length = 0;
    eis_status st = EIS_OK;

    request->has_body = transfer != NULL || (length_text != NULL && strcmp(length_text, "0") != 0);
    EIS_REQUIRE(transfer == NULL || length_text == NULL, EIS_ERR_PARSE,
                "Content-Length and Transfer-Encoding exclude each other");
    EIS_REQUIRE(header_count(request, "Content-Length") <= 1 && header_count(request, "Transfer-Encoding") <= 1,
                EIS_ERR_PARSE, "a request has one length");
    EIS_REQUIRE(transfer == NULL || strcasecmp(transfer, "chunked") == 0, EIS_ERR_PARSE,
                "the only transfer encoding is chunked");
    EIS_REQUIRE(length_text == NULL || parse_length(&length, length_text), EIS_ERR_PARSE,
                "Content-Length is no number");
    EIS_REQUIRE(length <= body_bytes_max, EIS_ERR_TOO_LARGE, "a body of %" PRIu64 " bytes is above the limit of %zu",
                length, body_bytes_max);
    request->announced_bytes = (size_t)length;
    request->framed = true;
out:
    return st;
}

static bool is_wanted(const eis_http_request *request)
{
    const char *type = eis_net_http_request_header(request, "Content-Type");
    const eis_http_route *route = request->route;

    return is_media_type(type, route->media_type) ||
           (route->media_type_other != NULL && is_media_type(type, route->media_type_other));
}

eis_status eis_net_http_check_media_type(const eis_http_request *request)
{
    const char *encoding = eis_net_http_request_header(request, "Content-Encoding");
    const eis_http_route *route = request->route;
    eis_status st = EIS_OK;

    if (!request->has_body) return EIS_OK;
    EIS_REQUIRE(route->media_type != NULL, EIS_ERR_PARSE, "this request takes no body");
    EIS_REQUIRE(encoding == NULL || strcasecmp(encoding, "identity") == 0, EIS_ERR_MEDIA_TYPE,
                "a body is sent as it is, without Content-Encoding");
    EIS_REQUIRE(is_wanted(request), EIS_ERR_MEDIA_TYPE, "the body must be %s%s%s", route->media_type,
                route->media_type_other != NULL ? " or " : "",
                route->media_type_other != NULL ? route->media_type_other : "");
out:
    return st;
}
