/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client, on libcurl's multi interface. The certificate check of the stream is put into curl's TLS context, so
 * that both transports refuse the same servers for the same reasons; the name, where no pin replaces it, is checked by
 * curl. */
#include "net/http_client.h"

#include "base/mem.h"
#include "net/address.h"
#include "net/socket.h"
#include "net/tls_context.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define RESPONSE_BYTES_MAX_DEFAULT ((size_t)64 << 20)
#define ANSWER_BYTES_FIRST         ((size_t)16 << 10)
#define CONNECT_MS_DEFAULT         5000u
#define TIMEOUT_MS_DEFAULT         30000u
#define ANSWER_HEADERS_MAX         ((size_t)16 << 10)
#define RETRY_AFTER_S_MAX          3600u

struct eis_http_client {
    eis_http_client_config config; /* the spans are empty; what they held is below */
    eis_tls *tls;                  /* checks certificates where there are pins; otherwise shows that the PEM is sound */
    uint8_t *ca, *cert, *key;
    size_t ca_bytes, cert_bytes, key_bytes;
    eis_token token;
    char *authorization; /* header line, or NULL */
    CURLM *multi;
};

/* One call on its way. */
typedef struct transfer {
    eis_http_client *client;
    eis_http_call *call;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    long verified; /* what our own certificate check said */
    bool too_large, out_of_memory, added, done;
} transfer;

static bool curl_ready;
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void) { curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }

/* ---- a client ---- */

static eis_status copy_pem(uint8_t **data, size_t *bytes, eis_span pem)
{
    if (pem.bytes == 0) return EIS_OK;
    *data = eis_mem_new_secret(pem.bytes, 1);
    if (*data == NULL) return EIS_ERR_MEMORY;
    memcpy(*data, pem.data, pem.bytes);
    *bytes = pem.bytes;
    return EIS_OK;
}

static eis_status keep_token(eis_http_client *c, const eis_token *token)
{
    static const char start[] = "Authorization: Bearer ";

    if (token == NULL) return EIS_OK;
    c->token = *token;
    c->authorization = eis_mem_new_secret(sizeof start + token->bytes, 1);
    if (c->authorization == NULL) return EIS_ERR_MEMORY;
    memcpy(c->authorization, start, sizeof start - 1);
    memcpy(c->authorization + sizeof start - 1, token->text, token->bytes);
    return EIS_OK;
}

static void set_defaults(eis_http_client_config *c)
{
    if (c->response_bytes_max == 0) c->response_bytes_max = RESPONSE_BYTES_MAX_DEFAULT;
    if (c->connect_timeout_ms == 0) c->connect_timeout_ms = CONNECT_MS_DEFAULT;
    if (c->timeout_ms == 0) c->timeout_ms = TIMEOUT_MS_DEFAULT;
}

eis_status eis_net_http_client_new(eis_http_client **client, const eis_http_client_config *config)
{
    eis_tls_client_config tls = config->tls;
    eis_http_client *c = NULL;
    eis_status st = EIS_OK;

    *client = NULL;
    pthread_once(&curl_once, start_curl);
    EIS_REQUIRE(curl_ready, EIS_ERR_MEMORY, "libcurl does not start");
    EIS_REQUIRE(strncmp(curl_version_info(CURLVERSION_NOW)->ssl_version, "OpenSSL/", 8) == 0, EIS_ERR_UNSUPPORTED,
                "this libcurl was built without OpenSSL; install libcurl4");
    EIS_NEW(c, 1);
    c->config = *config;
    set_defaults(&c->config);
    tls.alpn = "http/1.1";
    EIS_TRY(eis_net_tls_client_new(&c->tls, &tls));
    memset(&c->config.tls, 0, sizeof c->config.tls);
    EIS_TRY(copy_pem(&c->ca, &c->ca_bytes, config->tls.ca_pem));
    EIS_TRY(copy_pem(&c->cert, &c->cert_bytes, config->tls.cert_pem));
    EIS_TRY(copy_pem(&c->key, &c->key_bytes, config->tls.key_pem));
    EIS_TRY(keep_token(c, config->token));
    c->multi = curl_multi_init();
    EIS_REQUIRE(c->multi != NULL, EIS_ERR_MEMORY, "libcurl has no memory");
    *client = c;
    c = NULL;
out:
    eis_net_http_client_free(c);
    return st;
}

void eis_net_http_client_free(eis_http_client *c)
{
    if (c == NULL) return;
    if (c->multi != NULL) curl_multi_cleanup(c->multi);
    eis_net_tls_free(c->tls);
    eis_mem_free_wiped(c->ca, c->ca_bytes, 1);
    eis_mem_free_wiped(c->cert, c->cert_bytes, 1);
    eis_mem_free_wiped(c->key, c->key_bytes, 1);
    if (c->authorization != NULL) eis_mem_free_wiped(c->authorization, strlen(c->authorization), 1);
    eis_net_token_clear(&c->token);
    eis_mem_free(c);
}

static void clear_answer(eis_http_call *call)
{
    eis_mem_free_wiped(call->answer, call->answer_capacity, 1);
    eis_mem_free(call->answer_headers);
    call->answer = NULL;
    call->answer_headers = NULL;
    call->answer_bytes = call->answer_capacity = call->answer_header_bytes = 0;
}

void eis_net_http_call_clear(eis_http_call *call)
{
    clear_answer(call);
    *call = (eis_http_call){0};
}

bool eis_net_http_call_header(char *out, size_t out_bytes, const eis_http_call *call, const char *name)
{
    size_t length = strlen(name);
    const char *line = call->answer_headers, *end;

    out[0] = '\0';
    for (; line != NULL && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n'); /* every kept line ends with one */
        if ((size_t)(end - line) <= length || memcmp(line, name, length) != 0 || line[length] != ':') continue;
        line += length + 1 + (line[length + 1] == ' ');
        snprintf(out, out_bytes, "%.*s", (int)(end - line), line);
        return true;
    }
    return false;
}

/* ---- checks before anything is sent ---- */

/* Only http and https; http only to this machine, unless allowed. */
static eis_status check_url(const eis_http_client *c, const char *text)
{
    eis_status st = EIS_OK;
    char *scheme = NULL, *host = NULL, *user = NULL;
    CURLU *url = curl_url();
    size_t length;

    EIS_REQUIRE(url != NULL, EIS_ERR_MEMORY, "libcurl has no memory");
    EIS_REQUIRE(curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK,
                EIS_ERR_USAGE, "\"%.120s\" is no URL", text);
    EIS_REQUIRE(strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0, EIS_ERR_USAGE,
                "the URL must begin with https:// or http://, not %.20s://", scheme);
    EIS_REQUIRE(curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER, EIS_ERR_USAGE,
                "credentials do not belong into a URL");
    length = strlen(host);
    if (host[0] == '[' && length > 2) { /* an IPv6 address comes with its brackets */
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    EIS_REQUIRE(strcmp(scheme, "https") == 0 || c->config.plain_anywhere || eis_net_is_loopback(host), EIS_ERR_USAGE,
                "http:// to %.100s would show the request to the network; use https://", host);
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(url);
    return st;
}

/* ---- what curl calls ---- */

static size_t keep_answer(char *data, size_t one, size_t bytes, void *context)
{
    transfer *t = context;
    eis_http_call *call = t->call;
    size_t needed = call->answer_bytes + bytes + 1, capacity; /* both parts are far below SIZE_MAX / 2 */

    (void)one;
    if (needed - 1 > t->client->config.response_bytes_max) {
        t->too_large = true;
        return 0;
    }
    if (needed > call->answer_capacity) {
        capacity = call->answer_capacity < ANSWER_BYTES_FIRST ? ANSWER_BYTES_FIRST : 2 * call->answer_capacity;
        if (capacity < needed) capacity = needed;
        if (eis_mem_resize(&call->answer, call->answer_capacity, capacity, 1) != EIS_OK) {
            t->out_of_memory = true;
            return 0;
        }
        call->answer_capacity = capacity;
    }
    memcpy(call->answer + call->answer_bytes, data, bytes);
    call->answer_bytes += bytes;
    call->answer[call->answer_bytes] = '\0';
    return bytes;
}

/* Keeps one header line; the answer that counts is the last (a 100 before it is forgotten). */
static size_t keep_header(char *data, size_t one, size_t bytes, void *context)
{
    transfer *t = context;
    eis_http_call *call = t->call;
    size_t length = bytes, used = call->answer_header_bytes;
    bool in_name = true;

    (void)one;
    while (length > 0 && (data[length - 1] == '\r' || data[length - 1] == '\n')) length--;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        call->answer_header_bytes = 0;
        if (call->answer_headers != NULL) call->answer_headers[0] = '\0';
        return bytes;
    }
    if (length == 0 || memchr(data, ':', length) == NULL || length + 2 > ANSWER_HEADERS_MAX - used) return bytes;
    if (call->answer_headers == NULL) call->answer_headers = eis_mem_new(ANSWER_HEADERS_MAX, 1);
    if (call->answer_headers == NULL) {
        t->out_of_memory = true;
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        char c = data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '?';

        in_name &= c != ':';
        call->answer_headers[used + i] = (char)(in_name && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    call->answer_headers[used + length] = '\n';
    call->answer_headers[used + length + 1] = '\0';
    call->answer_header_bytes = used + length + 1;
    return bytes;
}

static int verify_certificate(X509_STORE_CTX *chain, void *context)
{
    transfer *t = context;
    int good = eis_net_tls_verify(chain, t->client->tls);

    t->verified = X509_STORE_CTX_get_error(chain);
    return good;
}

/* Puts our check in. Where pins decide, curl was told not to look at name and CA, so a CA given beside them is added
 * here; so are its lists of revoked certificates, which curl would read and not look up. */
static CURLcode use_own_check(CURL *easy, void *ssl_ctx, void *context)
{
    const transfer *t = context;
    SSL_CTX *ctx = ssl_ctx;

    (void)easy;
    if (t->client->ca_bytes > 0 && t->client->tls->checks_chain &&
        eis_net_tls_add_cas(SSL_CTX_get_cert_store(ctx),
                            (eis_span){.data = t->client->ca, .bytes = t->client->ca_bytes}) != EIS_OK)
        return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_certificate, context);
    return CURLE_OK;
}

/* ---- setting up one transfer ---- */

static struct curl_blob blob_of(uint8_t *data, size_t bytes)
{
    return (struct curl_blob){.data = data, .len = bytes, .flags = CURL_BLOB_NOCOPY};
}

/* Collects the results of many curl_easy_setopt calls: false once one failed. */
#define SET(option, value) (good = good && curl_easy_setopt(t->easy, (option), (value)) == CURLE_OK)

static bool set_tls(transfer *t)
{
    eis_http_client *c = t->client;
    struct curl_blob ca = blob_of(c->ca, c->ca_bytes), cert = blob_of(c->cert, c->cert_bytes);
    struct curl_blob key = blob_of(c->key, c->key_bytes);
    bool good = true, pinned = c->tls->pin_count > 0;

    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, pinned ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, pinned ? 0L : 2L);
    SET(CURLOPT_SSL_CTX_FUNCTION, use_own_check);
    SET(CURLOPT_SSL_CTX_DATA, (void *)t);
    if (!pinned && ca.len > 0) {
        SET(CURLOPT_CAINFO_BLOB, &ca);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (cert.len > 0) {
        SET(CURLOPT_SSLCERT_BLOB, &cert);
        SET(CURLOPT_SSLKEY_BLOB, &key);
    }
    return good;
}

static bool set_limits(transfer *t)
{
    const eis_http_client_config *c = &t->client->config;
    bool good = true;

    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->response_bytes_max);
    SET(CURLOPT_TCP_NODELAY, 1L);
    return good;
}

static bool add_header(transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    if (longer != NULL) t->headers = longer;
    return longer != NULL;
}

static bool sends_body(const eis_http_call *call)
{
    return strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0;
}

static bool set_body(transfer *t)
{
    const eis_http_call *call = t->call;
    char type[128];
    bool good;

    snprintf(type, sizeof type, "Content-Type: %s",
             call->media_type == NULL ? "application/octet-stream" : call->media_type);
    if (call->media_type != NULL && call->media_type[0] == '\0') snprintf(type, sizeof type, "Content-Type:");
    good = add_header(t, type);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.bytes);
    SET(CURLOPT_POSTFIELDS, call->body.bytes == 0 ? "" : (const char *)call->body.data);
    return good;
}

static bool set_request(transfer *t)
{
    const eis_http_call *call = t->call;
    bool good = add_header(t, "Expect:"); /* a pause of a second before each body is not wanted */

    SET(CURLOPT_URL, call->url);
    if (sends_body(call))
        good = good && set_body(t);
    else if (strcmp(call->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else
        SET(CURLOPT_HTTPGET, 1L);
    if (strcmp(call->method, "PUT") == 0 || strcmp(call->method, "DELETE") == 0)
        SET(CURLOPT_CUSTOMREQUEST, call->method);
    for (size_t i = 0; i < call->header_count; i++) good = good && add_header(t, call->headers[i]);
    if (t->client->authorization != NULL) good = good && add_header(t, t->client->authorization);
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_WRITEFUNCTION, keep_answer);
    SET(CURLOPT_WRITEDATA, (void *)t);
    SET(CURLOPT_HEADERFUNCTION, keep_header);
    SET(CURLOPT_HEADERDATA, (void *)t);
    SET(CURLOPT_PRIVATE, (void *)t);
    return good;
}

static eis_status prepare(transfer *t, eis_http_client *client, eis_http_call *call)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(sends_body(call) || call->body.bytes == 0);
    *t = (transfer){.client = client, .call = call, .verified = X509_V_OK};
    clear_answer(call);
    call->http_status = 0;
    call->retry_after_s = 0;
    call->detail[0] = call->answer_media_type[0] = '\0';
    EIS_TRY(check_url(client, call->url));
    t->easy = curl_easy_init();
    EIS_REQUIRE(t->easy != NULL && set_limits(t) && set_tls(t) && set_request(t), EIS_ERR_MEMORY,
                "libcurl does not take a setting that is needed");
    EIS_REQUIRE(curl_multi_add_handle(client->multi, t->easy) == CURLM_OK, EIS_ERR_MEMORY, "libcurl has no memory");
    t->added = true;
out:
    return st;
}

static void release(transfer *t)
{
    if (t->added) curl_multi_remove_handle(t->client->multi, t->easy);
    if (t->easy != NULL) curl_easy_cleanup(t->easy);
    for (struct curl_slist *h = t->headers; h != NULL; h = h->next) eis_mem_wipe(h->data, strlen(h->data));
    curl_slist_free_all(t->headers);
}

/* ---- the end of one transfer ---- */

static eis_status fail_tls(const transfer *t)
{
    if (t->verified != X509_V_OK) return eis_net_tls_fail_verify(t->verified, t->call->url);
    if (strstr(t->error, "subject name") != NULL)
        return eis_net_tls_fail_verify(X509_V_ERR_HOSTNAME_MISMATCH, t->call->url);
    if (strstr(t->error, "wrong version number") != NULL)
        return eis_fail(EIS_ERR_TLS, "%.120s does not speak TLS (wrong port, or a plain HTTP server)", t->call->url);
    return eis_fail(EIS_ERR_TLS, "TLS with %.120s failed: %s", t->call->url, t->error);
}

static eis_status status_of(const transfer *t, CURLcode code)
{
    const char *url = t->call->url, *said = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);

    if (t->out_of_memory) return eis_fail(EIS_ERR_MEMORY, "not enough memory for an answer of %.120s", url);
    if (t->too_large || code == CURLE_FILESIZE_EXCEEDED)
        return eis_fail(EIS_ERR_TOO_LARGE, "the answer of %.120s is above the limit of %zu bytes", url,
                        t->client->config.response_bytes_max);
    switch (code) {
    case CURLE_OK:
        return EIS_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return eis_fail(EIS_ERR_UNAVAILABLE, "%.120s: %s", url, said);
    case CURLE_OPERATION_TIMEDOUT:
        return eis_fail(EIS_ERR_TIMEOUT, "%.120s did not answer in time", url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return fail_tls(t);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return eis_fail(EIS_ERR_CLOSED, "%.120s closed the connection before its answer ended", url);
    case CURLE_OUT_OF_MEMORY:
        return eis_fail(EIS_ERR_MEMORY, "libcurl has no memory");
    case CURLE_RECV_ERROR:
        if (strstr(t->error, "alert") != NULL) return fail_tls(t); /* TLS 1.3: our certificate was refused */
        return eis_fail(EIS_ERR_IO, "%.120s: %s", url, said);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return eis_fail(EIS_ERR_PROTOCOL, "%.120s gave no HTTP answer", url);
    default:
        return eis_fail(EIS_ERR_IO, "%.120s: %s", url, said);
    }
}

static void keep_media_type(eis_http_call *call, const char *header)
{
    size_t length = header == NULL ? 0 : strcspn(header, "; ");

    if (length == 0 || length >= sizeof call->answer_media_type) return;
    for (size_t i = 0; i < length; i++) {
        char c = header[i];

        call->answer_media_type[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    call->answer_media_type[length] = '\0';
}

static void settle(transfer *t, eis_status st)
{
    eis_http_call *call = t->call;

    call->status = st;
    t->done = true;
    if (st == EIS_OK) return;
    snprintf(call->detail, sizeof call->detail, "%s", eis_error_detail());
    clear_answer(call);
}

static void finish(transfer *t, CURLcode code)
{
    const char *type = NULL;
    long http_status = 0;
    curl_off_t retry_after = 0;
    eis_status st = status_of(t, code);

    if (st == EIS_OK && t->call->answer == NULL) { /* an empty body is a text with its zero, too */
        (void)keep_answer((char[1]){0}, 1, 0, t);
        if (t->out_of_memory) st = EIS_ERR_MEMORY;
    }
    if (st == EIS_OK) {
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http_status);
        (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
        (void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
        t->call->http_status = (int)http_status;
        t->call->retry_after_s = retry_after <= 0                              ? 0
                                 : retry_after > (curl_off_t)RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX
                                                                               : (unsigned)retry_after;
        keep_media_type(t->call, type);
    }
    settle(t, st);
}

/* ---- all of them ---- */

static void collect_finished(CURLM *multi)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode code = message->data.result; /* the message dies with the next call */
        transfer *t = NULL;

        if (message->msg != CURLMSG_DONE) continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        finish(t, code);
    }
}

/* Runs until all are done. What is left undone on error is settled by the caller. */
static eis_status drive(eis_http_client *c)
{
    struct curl_waitfd flag = {.fd = eis_net_cancel_fd(c->config.cancel), .events = CURL_WAIT_POLLIN};
    unsigned flags = flag.fd >= 0 ? 1 : 0;
    int running = 1;

    for (;;) {
        if (eis_net_cancel_raised(c->config.cancel)) return eis_fail(EIS_ERR_INTERRUPTED, "interrupted");
        if (curl_multi_perform(c->multi, &running) != CURLM_OK) return eis_fail(EIS_ERR_IO, "libcurl failed");
        collect_finished(c->multi);
        if (running == 0) return EIS_OK;
        if (curl_multi_poll(c->multi, &flag, flags, 1000, NULL) != CURLM_OK)
            return eis_fail(EIS_ERR_IO, "libcurl failed");
    }
}

eis_status eis_net_http_client_run(eis_http_client *client, eis_http_call *calls, size_t count)
{
    eis_status st = EIS_OK;
    transfer *transfers = NULL;

    EIS_ASSERT(count <= EIS_HTTP_CALLS_MAX);
    EIS_NEW(transfers, count);
    for (size_t i = 0; i < count; i++) {
        eis_status ready = prepare(&transfers[i], client, &calls[i]);

        if (ready != EIS_OK) settle(&transfers[i], ready);
    }
    st = drive(client);
    for (size_t i = 0; i < count; i++)
        if (!transfers[i].done) settle(&transfers[i], st == EIS_OK ? eis_fail(EIS_ERR_IO, "libcurl lost a call") : st);
    st = EIS_OK;
    for (size_t i = 0; i < count && st == EIS_OK; i++)
        if (calls[i].status != EIS_OK) st = eis_fail(calls[i].status, "%s", calls[i].detail);
out:
    for (size_t i = 0; transfers != NULL && i < count; i++) release(&transfers[i]);
    eis_mem_free_wiped(transfers, count, sizeof *transfers);
    return st;
}
