/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "net/grpc_core.h"

#include <grpc/support/alloc.h>

#include <string.h>

#define MESSAGE_BYTES_MAX_DEFAULT ((size_t)4 << 20)
#define CANCEL_MS                 50 /* how often a waiting call looks at the flag */

struct eis_grpc_client {
    grpc_channel *channel;
    const eis_cancel *cancel;
    eis_tls_pin *pins;
    size_t pin_count;
    eis_tls *tls; /* where there are lists of revoked certificates; else NULL */
};

/* ---- the channel ---- */

static int check_server(const char *name, const char *pem, void *context)
{
    const eis_grpc_client *client = context;
    eis_tls_pin pin;

    (void)name;
    if (client->tls != NULL &&
        eis_net_tls_check_listed(client->tls, (eis_span){(const uint8_t *)pem, strlen(pem)}, "the server") != EIS_OK)
        return 1;
    if (client->pin_count == 0) return 0;
    if (eis_net_tls_pin_of_pem(&pin, (eis_span){(const uint8_t *)pem, strlen(pem)}) != EIS_OK) return 1;
    for (size_t i = 0; i < client->pin_count; i++)
        if (memcmp(&pin, &client->pins[i], sizeof pin) == 0) return 0;
    return 1;
}

static eis_status make_credentials(grpc_channel_credentials **credentials, eis_grpc_client *client,
                                   const eis_grpc_client_config *config)
{
    eis_status st = EIS_OK;
    eis_grpc_papers papers = {0};
    grpc_ssl_pem_key_cert_pair pair;
    const grpc_ssl_verify_peer_options verify = {.verify_peer_callback = check_server,
                                                 .verify_peer_callback_userdata = client};
    eis_tls *tls = NULL;

    if (config->ca_pem.bytes == 0) {
        EIS_REQUIRE(eis_net_is_loopback(config->address.host), EIS_ERR_USAGE,
                    "gRPC without a CA for the server is for loopback addresses");
        *credentials = grpc_insecure_credentials_create();
        goto out;
    }
    EIS_TRY(eis_net_tls_client_new(
        &tls, &(eis_tls_client_config){
                  .ca_pem = config->ca_pem, .cert_pem = config->cert_pem, .key_pem = config->key_pem, .alpn = "h2"}));
    EIS_TRY(eis_net_grpc_papers_copy(&papers, config->ca_pem, config->cert_pem, config->key_pem));
    pair = (grpc_ssl_pem_key_cert_pair){.private_key = papers.key, .cert_chain = papers.cert};
    *credentials =
        grpc_ssl_credentials_create_ex(papers.ca, config->cert_pem.bytes > 0 ? &pair : NULL,
                                       config->pin_count > 0 || eis_net_tls_has_lists(tls) ? &verify : NULL, NULL);
    if (eis_net_tls_has_lists(tls)) {
        client->tls = tls;
        tls = NULL;
    }
out:
    if (st == EIS_OK && *credentials == NULL) st = EIS_ERR_TLS;
    eis_net_grpc_papers_clear(&papers);
    eis_net_tls_free(tls);
    return st;
}

eis_status eis_net_grpc_client_new(eis_grpc_client **out_client, const eis_grpc_client_config *config)
{
    eis_status st = EIS_OK;
    eis_grpc_client *client = NULL;
    grpc_channel_credentials *credentials = NULL;
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];
    const size_t most = config->message_bytes_max != 0 ? config->message_bytes_max : MESSAGE_BYTES_MAX_DEFAULT;
    grpc_arg list[] = {eis_net_grpc_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)most),
                       eis_net_grpc_number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
                       eis_net_grpc_number(GRPC_ARG_KEEPALIVE_TIME_MS, EIS_GRPC_KEEPALIVE_MS),
                       eis_net_grpc_number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, EIS_GRPC_KEEPALIVE_MS),
                       eis_net_grpc_number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0)};
    grpc_channel_args args = {sizeof list / sizeof *list, list};

    *out_client = NULL;
    EIS_NEW(client, 1);
    eis_net_grpc_core_start();
    client->cancel = config->cancel;
    client->pin_count = config->pin_count;
    EIS_NEW(client->pins, config->pin_count);
    if (config->pin_count > 0) memcpy(client->pins, config->pins, config->pin_count * sizeof *client->pins);
    EIS_TRY(make_credentials(&credentials, client, config));
    eis_net_address_format(text, &config->address);
    client->channel = grpc_channel_create(text, credentials, &args);
    *out_client = client;
    client = NULL;
out:
    if (credentials != NULL) grpc_channel_credentials_release(credentials);
    eis_net_grpc_client_free(client);
    return st;
}

void eis_net_grpc_client_free(eis_grpc_client *client)
{
    if (client == NULL) return;
    if (client->channel != NULL) grpc_channel_destroy(client->channel);
    eis_net_grpc_core_stop();
    eis_net_tls_free(client->tls);
    eis_mem_free(client->pins);
    eis_mem_free(client);
}

/* ---- a call ---- */

typedef struct call_state {
    grpc_call *core;
    grpc_completion_queue *queue;
    const eis_cancel *cancel;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
} call_state;

static int tag_send, tag_receive, tag_status;

/* Waits for one batch; a raised flag cancels the call, which ends every batch. */
static bool await(call_state *c, void *tag)
{
    for (;;) {
        grpc_event event;
        if (eis_net_cancel_raised(c->cancel)) { /* looked at here: messages may come faster than the wait ends */
            grpc_call_cancel(c->core, NULL);
            c->cancel = NULL;
        }
        event = grpc_completion_queue_pluck(
            c->queue, tag, c->cancel != NULL ? eis_net_grpc_deadline(CANCEL_MS) : gpr_inf_future(GPR_CLOCK_MONOTONIC),
            NULL);
        if (event.type == GRPC_OP_COMPLETE) return event.success != 0;
        if (event.type == GRPC_QUEUE_SHUTDOWN) return false;
    }
}

static bool start(call_state *c, const void *request, size_t bytes)
{
    grpc_op send[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}, {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}};
    grpc_op first = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    grpc_op last = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    grpc_byte_buffer *buffer = eis_net_grpc_buffer_of(request, bytes);
    bool done;

    send[1].data.send_message.send_message = buffer;
    first.data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    last.data.recv_status_on_client.trailing_metadata = &c->trailing;
    last.data.recv_status_on_client.status = &c->status;
    last.data.recv_status_on_client.status_details = &c->details;
    done = grpc_call_start_batch(c->core, &last, 1, &tag_status, NULL) == GRPC_CALL_OK &&
           grpc_call_start_batch(c->core, send, 3, &tag_send, NULL) == GRPC_CALL_OK &&
           grpc_call_start_batch(c->core, &first, 1, &tag_receive, NULL) == GRPC_CALL_OK;
    if (done) {
        (void)await(c, &tag_send);
        (void)await(c, &tag_receive);
    }
    grpc_byte_buffer_destroy(buffer);
    return done;
}

/* Receives one message; *data stays NULL where there is none any more. */
static eis_status next_message(uint8_t **data, size_t *bytes, call_state *c)
{
    eis_status st = EIS_OK;
    grpc_byte_buffer *buffer = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    *data = NULL;
    op.data.recv_message.recv_message = &buffer;
    if (grpc_call_start_batch(c->core, &op, 1, &tag_receive, NULL) != GRPC_CALL_OK) return EIS_ERR_INTERNAL;
    if (await(c, &tag_receive) && buffer != NULL) st = eis_net_grpc_bytes_of(data, bytes, buffer);
    grpc_byte_buffer_destroy(buffer);
    return st;
}

/* The status of a server that has none of ours. */
static eis_status of_grpc(grpc_status_code code)
{
    switch (code) {
    case GRPC_STATUS_OK:
        return EIS_OK;
    case GRPC_STATUS_CANCELLED:
        return EIS_ERR_INTERRUPTED;
    case GRPC_STATUS_INVALID_ARGUMENT:
        return EIS_ERR_PARSE;
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return EIS_ERR_TIMEOUT;
    case GRPC_STATUS_NOT_FOUND:
        return EIS_ERR_NOT_FOUND;
    case GRPC_STATUS_PERMISSION_DENIED:
        return EIS_ERR_FORBIDDEN;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return EIS_ERR_BUSY;
    case GRPC_STATUS_FAILED_PRECONDITION:
        return EIS_ERR_POLICY;
    case GRPC_STATUS_ABORTED:
        return EIS_ERR_INTEGRITY;
    case GRPC_STATUS_UNIMPLEMENTED:
        return EIS_ERR_METHOD;
    case GRPC_STATUS_UNAVAILABLE:
        return EIS_ERR_UNAVAILABLE;
    case GRPC_STATUS_UNAUTHENTICATED:
        return EIS_ERR_UNAUTHENTICATED;
    default:
        return EIS_ERR_INTERNAL;
    }
}

/* What the server said, by its own code where there is one. */
static eis_status told(const call_state *c)
{
    eis_status st = of_grpc(c->status), own;
    char code[64];
    int length = (int)GRPC_SLICE_LENGTH(c->details);

    for (size_t i = 0; st != EIS_OK && i < c->trailing.count; i++) {
        const grpc_metadata *entry = &c->trailing.metadata[i];
        size_t bytes = GRPC_SLICE_LENGTH(entry->value);
        if (grpc_slice_str_cmp(entry->key, EIS_GRPC_CODE_KEY) != 0 || bytes >= sizeof code) continue;
        memcpy(code, GRPC_SLICE_START_PTR(entry->value), bytes);
        code[bytes] = '\0';
        own = eis_status_from_code(code);
        if (own != EIS_OK && eis_status_grpc(own) == (int)c->status) st = own;
    }
    if (st == EIS_OK) return st;
    return eis_fail(st, "%.*s", length < 400 ? length : 400, (const char *)GRPC_SLICE_START_PTR(c->details));
}

eis_status eis_net_grpc_call(eis_grpc_client *client, const char *path, const void *request, size_t bytes,
                             uint32_t timeout_ms, eis_grpc_receiver receive, void *context)
{
    eis_status st = EIS_OK, end;
    call_state c = {.cancel = client->cancel, .details = grpc_empty_slice()};
    grpc_slice method = grpc_slice_from_copied_string(path);
    uint8_t *data = NULL;
    size_t count = 0;

    grpc_metadata_array_init(&c.initial);
    grpc_metadata_array_init(&c.trailing);
    c.queue = grpc_completion_queue_create_for_pluck(NULL);
    c.core = grpc_channel_create_call(
        client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c.queue, method, NULL,
        timeout_ms != 0 ? eis_net_grpc_deadline(timeout_ms) : gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    if (!start(&c, request, bytes)) st = EIS_ERR_INTERNAL;
    while (st == EIS_OK) {
        st = next_message(&data, &count, &c);
        if (st != EIS_OK || data == NULL) break;
        st = receive(context, (eis_span){data, count});
        eis_mem_free_wiped(data, count, 1);
    }
    if (st != EIS_OK) grpc_call_cancel(c.core, NULL);
    (void)await(&c, &tag_status);
    end = st == EIS_OK ? told(&c) : st;
    grpc_slice_unref(c.details);
    grpc_slice_unref(method);
    grpc_metadata_array_destroy(&c.initial);
    grpc_metadata_array_destroy(&c.trailing);
    grpc_call_unref(c.core);
    grpc_completion_queue_shutdown(c.queue);
    grpc_completion_queue_destroy(c.queue);
    return end;
}
