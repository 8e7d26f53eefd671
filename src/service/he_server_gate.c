/* SPDX-License-Identifier: Apache-2.0 */
/* Step 0 of every request: may this client be here, as whom, and now? Decided by headers alone, before the body. */
#include "base/ct.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/he_server_internal.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TENANT_DEFAULT     "default"
#define CERT_NAME_BYTES    16 /* of a pin, in the name of a tenant that a certificate stands for */
#define TENANTS_FILE_BYTES ((size_t)1 << 20)
#define BEARER             "Bearer "

/* ---- Tenants in a file ---- */

static bool is_tenant_name(const char *text, size_t bytes)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    for (size_t i = 0; i < bytes; i++)
        if (text[i] == '\0' || strchr(letters, text[i]) == NULL) return false;
    return bytes >= 1 && bytes < EIS_HE_TENANT_BYTES;
}

static eis_status read_line(eis_he_tenant *tenant, const char *line, size_t bytes, const char *path, size_t number)
{
    const char *space = memchr(line, ' ', bytes);
    size_t name = space == NULL ? 0 : (size_t)(space - line);
    eis_status st = EIS_OK;

    EIS_REQUIRE(is_tenant_name(line, name), EIS_ERR_USAGE,
                "%s: line %zu: TENANT TOKEN is wanted, the tenant of letters, "
                "digits and ._-",
                path, number);
    memcpy(tenant->name, line, name);
    tenant->name[name] = '\0';
    st = eis_net_token_set(&tenant->token, space + 1, bytes - name - 1);
    if (st != EIS_OK) st = eis_fail_prefix(st, "%s: line %zu", path, number);
out:
    return st;
}

static eis_status read_lines(eis_he_tenant *tenants, size_t *count, char *text, const char *path)
{
    eis_status st = EIS_OK;
    size_t number = 0;

    for (char *line = text; *line != '\0'; number++) {
        size_t bytes = strcspn(line, "\n");

        if (bytes > 0 && line[0] != '#') {
            EIS_TRY(read_line(&tenants[*count], line, bytes, path, number + 1));
            for (size_t i = 0; i < *count; i++)
                EIS_REQUIRE(!eis_ct_bytes_equal(tenants[i].token.digest, tenants[*count].token.digest,
                                                sizeof tenants[i].token.digest),
                            EIS_ERR_USAGE, "%s: line %zu: the token of two tenants", path, number + 1);
            (*count)++;
        }
        line += bytes + (line[bytes] == '\n');
    }
    EIS_REQUIRE(*count > 0, EIS_ERR_USAGE, "%s: no tenant", path);
out:
    return st;
}

static eis_status read_secret_file(char **text, const char *path)
{
    char *made = eis_mem_new_secret(TENANTS_FILE_BYTES + 1, 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    eis_status st = EIS_OK;
    struct stat info;
    ssize_t n;

    if (made == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_REQUIRE(file >= 0 && fstat(file, &info) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(S_ISREG(info.st_mode) && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0, EIS_ERR_FILE,
                "%s: group or others may use this file; run: chmod 600 %s", path, path);
    n = read(file, made, TENANTS_FILE_BYTES);
    EIS_REQUIRE(n >= 0 && (size_t)n == (size_t)info.st_size, EIS_ERR_FILE, "%s: cannot be read, or is above 1 MiB",
                path);
    EIS_REQUIRE(memchr(made, '\0', (size_t)n) == NULL, EIS_ERR_USAGE, "%s: holds a zero byte", path);
    *text = made;
    made = NULL;
out:
    if (file >= 0) close(file);
    eis_mem_free_wiped(made, TENANTS_FILE_BYTES + 1, 1);
    return st;
}

eis_status eis_he_tenants_read_file(eis_he_tenant **tenants, size_t *count, const char *path)
{
    eis_he_tenant *made = NULL;
    char *text = NULL;
    size_t lines = 1, n = 0;
    eis_status st = EIS_OK;

    EIS_TRY(read_secret_file(&text, path));
    for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
    made = eis_mem_new_secret(lines, sizeof *made);
    if (made == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(read_lines(made, &n, text, path));
    *tenants = made;
    *count = n;
    made = NULL;
out:
    eis_mem_free_wiped(made, lines, sizeof *made);
    eis_mem_free_wiped(text, TENANTS_FILE_BYTES + 1, 1);
    return st;
}

/* ---- Host and credentials ---- */

/* A page of a foreign site can send a browser to this machine under a name of its own; the header Host then has it. */
static eis_status check_host(const eis_he_server *server, const eis_http_request *request)
{
    const char *host = eis_net_http_request_header(request, "Host");
    eis_address address;

    if (!server->checks_host || host == NULL) return EIS_OK;
    if (eis_net_address_parse(&address, host, 80) == EIS_OK && eis_net_is_loopback(address.host)) return EIS_OK;
    return eis_fail(EIS_ERR_FORBIDDEN, "Host must name this machine");
}

/* Finds whose token a request carries; NULL: nobody's. Looks at all of them, whichever it is. */
static const eis_he_tenant *tenant_of_token(const eis_he_server *server, const eis_http_request *request)
{
    const char *authorization = eis_net_http_request_header(request, "Authorization");
    const eis_he_tenant *found = NULL;

    for (size_t i = 0; i < server->config.tenant_count; i++)
        if (eis_net_token_authorizes(&server->tenants[i].token, authorization)) found = &server->tenants[i];
    return found;
}

static eis_status authorize(void *context, const eis_http_request *request, bool open)
{
    eis_he_server *server = context;
    eis_status st = check_host(server, request);

    if (st == EIS_OK && !open && server->config.tenant_count > 0 && tenant_of_token(server, request) == NULL)
        st = eis_fail(EIS_ERR_UNAUTHENTICATED, "a bearer token is needed");
    return eis_he_server_fail(server, st);
}

/* Reads the label: blank or absent is the default. */
static eis_status read_label(char label[EIS_HE_TENANT_BYTES], bool *given, const eis_http_request *request)
{
    const char *text = eis_net_http_request_header(request, "X-Tenant-ID");
    size_t bytes;

    snprintf(label, EIS_HE_TENANT_BYTES, "%s", TENANT_DEFAULT);
    *given = false;
    if (text == NULL) return EIS_OK;
    text += strspn(text, " \t");
    bytes = strlen(text);
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) bytes--;
    if (bytes == 0) return EIS_OK;
    if (!is_tenant_name(text, bytes))
        return eis_fail(EIS_ERR_PARSE, "X-Tenant-ID must be 1 to %d letters, digits and ._-", EIS_HE_TENANT_BYTES - 1);
    memcpy(label, text, bytes);
    label[bytes] = '\0';
    *given = true;
    return EIS_OK;
}

/* Gives the tenant of a request. *fixed says whether a credential names it. */
static eis_status find_tenant(char tenant[EIS_HE_TENANT_BYTES], bool *fixed, const eis_he_server *server,
                              const eis_http_request *request)
{
    const eis_he_tenant *owner = server->config.tenant_count > 0 ? tenant_of_token(server, request) : NULL;
    char label[EIS_HE_TENANT_BYTES], digits[2 * CERT_NAME_BYTES + 1];
    bool given;
    eis_tls_pin pin;
    eis_status st = EIS_OK;

    EIS_TRY(read_label(label, &given, request));
    *fixed = true;
    if (owner != NULL) {
        snprintf(tenant, EIS_HE_TENANT_BYTES, "%s", owner->name);
    } else if (server->config.tls.client_ca_pem.bytes > 0 && eis_net_http_request_pin(&pin, request) == EIS_OK) {
        eis_wire_hex_write(digits, pin.bytes, CERT_NAME_BYTES);
        snprintf(tenant, EIS_HE_TENANT_BYTES, "cert-%s", digits);
    } else {
        *fixed = false;
        memcpy(tenant, label, sizeof label);
    }
    EIS_REQUIRE(!*fixed || !given || strcmp(tenant, label) == 0, EIS_ERR_FORBIDDEN,
                "these credentials are another tenant's");
out:
    return st;
}

/* ---- Admission ---- */

static eis_status write_rate(eis_http_reply *reply, const eis_he_rate *rate)
{
    const struct {
        const char *name;
        unsigned value;
    } lines[] = {
        {"RateLimit-Limit", rate->limit}, {"RateLimit-Remaining", rate->remaining}, {"RateLimit-Reset", rate->reset_s}};
    eis_status st = EIS_OK;
    char number[16];

    if (rate->limit == 0) return EIS_OK;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(number, sizeof number, "%u", lines[i].value);
        EIS_TRY(eis_net_http_reply_header(reply, lines[i].name, number));
    }
out:
    return st;
}

static eis_status admit_as(void **owner, eis_he_server *server, eis_http_reply *reply, const eis_http_request *request,
                           eis_he_route_kind kind)
{
    char tenant[EIS_HE_TENANT_BYTES], peer[EIS_ADDRESS_HOST_BYTES_MAX] = "";
    eis_he_caller *caller = NULL;
    eis_he_rate rate = {0};
    eis_status st = EIS_OK;
    bool fixed;

    EIS_TRY(find_tenant(tenant, &fixed, server, request));
    if (!fixed && !server->has_credentials) eis_net_http_request_peer(peer, request);
    EIS_TRY(eis_he_caller_new(&caller, server->parties, tenant, peer));
    *owner = caller;
    st = kind == EIS_HE_ROUTE_CALL ? eis_he_caller_call(caller, &rate) : eis_he_caller_poll(caller, &rate);
    if (st == EIS_ERR_RATE_LIMITED) eis_net_http_reply_retry_after(reply, rate.retry_s);
    if (kind == EIS_HE_ROUTE_CALL && write_rate(reply, &rate) != EIS_OK) st = EIS_ERR_MEMORY;
out:
    return st;
}

static eis_status admit(void *context, void **owner, eis_http_reply *reply, const eis_http_request *request,
                        unsigned kind)
{
    eis_he_server *server = context;

    if (kind == EIS_HE_ROUTE_FREE) return EIS_OK;
    return eis_he_server_fail(server, admit_as(owner, server, reply, request, (eis_he_route_kind)kind));
}

static eis_status reserve(void *context, void *owner, size_t bytes)
{
    return eis_he_server_fail(context, eis_he_caller_charge(owner, bytes));
}

static void release(void *context, void *owner, size_t bytes)
{
    (void)context;
    eis_he_caller_refund(owner, bytes);
}

static void finish(void *context, void *owner)
{
    (void)context;
    eis_he_caller_release(owner);
}

eis_http_hooks eis_he_server_hooks(eis_he_server *server)
{
    return (eis_http_hooks){.context = server,
                            .authorize = authorize,
                            .admit = admit,
                            .reserve = reserve,
                            .release = release,
                            .finish = finish};
}

/* ---- Failures ---- */

eis_status eis_he_server_fail(eis_he_server *server, eis_status st)
{
    const char *text;

    if (st == EIS_OK) return EIS_OK;
    atomic_fetch_add_explicit(&server->errors[(unsigned)st < EIS_STATUS_COUNT ? st : EIS_ERR_INTERNAL], 1,
                              memory_order_relaxed);
    switch (st) {
    case EIS_ERR_CIPHERTEXT:
        text = "Invalid ciphertext: malformed, or not of a size that this model takes";
        break;
    case EIS_ERR_CONTEXT_MISMATCH:
        text = "Incompatible ciphertext: made under other encryption parameters";
        break;
    case EIS_ERR_LEVEL:
        text = "Incompatible ciphertext: its level is not the one that this model takes";
        break;
    case EIS_ERR_SCALE:
        text = "Incompatible ciphertext: its scale is not one that this model takes";
        break;
    default:
        return st;
    }
    eis_log(EIS_LOG_INFO, "refused", "%s: %s", eis_status_code(st), eis_error_detail());
    return eis_fail(st, "%s", text);
}
