/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of REST, and those of them that only tell what is served. */
#include "base/mem.h"
#include "service/split_server_internal.h"
#include "wire/json_writer.h"
#include "wire/text.h"

#include <string.h>

#define BODY_BYTES_MAX ((size_t)256 << 20) /* row scales of the largest model; a bound for faults, not for use */
#define JSON           "application/json"

eis_status eis_split_server_reply(eis_http_reply *reply, eis_json_writer *w, eis_writer *body)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_writer_status(w));
    EIS_TRY(eis_net_http_reply_set(reply, 200, JSON, body->data, body->bytes));
out:
    eis_wire_writer_clear(body);
    return st;
}

static eis_status get_health(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    eis_json_writer w;
    eis_writer body;

    (void)request;
    eis_wire_writer_init(&body, BODY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "status"), eis_json_writer_text(&w, atomic_load(&server->draining) ? "draining" : "ok");
    eis_json_writer_key(&w, "models"), eis_json_writer_u64(&w, server->config.offer_count);
    eis_json_writer_end_object(&w);
    return eis_split_server_reply(reply, &w, &body);
}

/* Members that name a model, inside an object that is open. */
static void write_model(eis_json_writer *w, const eis_split_offer *offer)
{
    char digest[2 * EIS_PACK_DIGEST_BYTES + 1];

    eis_wire_hex_write(digest, offer->pack->digest, EIS_PACK_DIGEST_BYTES);
    eis_json_writer_key(w, "name"), eis_json_writer_text(w, offer->name);
    eis_json_writer_key(w, "profile"), eis_json_writer_text(w, eis_split_profile_get(offer->pack->profile)->name);
    eis_json_writer_key(w, "weights_digest"), eis_json_writer_text(w, digest);
}

static eis_status get_models(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    eis_json_writer w;
    eis_writer body;

    (void)request;
    eis_wire_writer_init(&body, BODY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "models");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < server->config.offer_count; i++) {
        eis_json_writer_begin_object(&w);
        write_model(&w, &server->offers[i]);
        eis_json_writer_key(&w, "layers"), eis_json_writer_u64(&w, server->offers[i].pack->layer_count);
        eis_json_writer_end_object(&w);
    }
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    return eis_split_server_reply(reply, &w, &body);
}

static void write_image(eis_json_writer *w, const eis_linear *linear)
{
    const struct {
        const char *name;
        uint32_t first, second;
    } pairs[] = {
        {"kernel", linear->kernel_height, linear->kernel_width},
        {"stride", linear->stride_y, linear->stride_x},
        {"padding", linear->pad_y, linear->pad_x},
        {"image", linear->height, linear->width},
    };

    eis_json_writer_key(w, "channels"), eis_json_writer_u64(w, linear->channels);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        eis_json_writer_key(w, pairs[i].name);
        eis_json_writer_begin_array(w);
        eis_json_writer_u64(w, pairs[i].first), eis_json_writer_u64(w, pairs[i].second);
        eis_json_writer_end_array(w);
    }
}

static void write_layer(eis_json_writer *w, const eis_pack_layer *layer, uint32_t index)
{
    const eis_linear *linear = &layer->linear;

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "index"), eis_json_writer_u64(w, index);
    eis_json_writer_key(w, "name"), eis_json_writer_text(w, linear->name);
    eis_json_writer_key(w, "kind"), eis_json_writer_text(w, linear->kind == EIS_LINEAR_CONV2D ? "conv2d" : "linear");
    eis_json_writer_key(w, "in"), eis_json_writer_u64(w, linear->in);
    eis_json_writer_key(w, "out"), eis_json_writer_u64(w, linear->out);
    if (linear->kind == EIS_LINEAR_CONV2D) write_image(w, linear);
    eis_json_writer_key(w, "row_norm"), eis_json_writer_f64(w, layer->row_norm);
    eis_json_writer_key(w, "scales");
    eis_json_writer_begin_array(w);
    for (uint32_t i = 0; i < linear->out; i++)
        eis_json_writer_f64(w, eis_load_le_f64(layer->row_scales.data + 8 * (size_t)i));
    eis_json_writer_end_array(w);
    eis_json_writer_end_object(w);
}

static eis_status get_model(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    const eis_split_offer *offer;
    eis_json_writer w;
    eis_writer body = {0};
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_server_find(&offer, server, eis_net_http_request_param(request)));
    eis_wire_writer_init(&body, BODY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    write_model(&w, offer);
    eis_json_writer_key(&w, "layers");
    eis_json_writer_begin_array(&w);
    for (uint32_t i = 0; i < offer->pack->layer_count; i++) write_layer(&w, &offer->pack->layers[i], i);
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    return eis_split_server_reply(reply, &w, &body);
out:
    return st;
}

/* Numbers are the original's protocol, everything else is the ring's. */
static bool is_legacy(eis_json_value body)
{
    eis_json_value mode, share, first;
    eis_json_iter it;

    if (eis_json_find(&mode, body, "mode")) return eis_json_string_is(mode, "float");
    if (!eis_json_find(&share, body, "x_share")) return false;
    it = eis_json_iterate(share);
    return eis_json_next_element(&it, &first) && eis_json_type_of(first) != EIS_JSON_STRING;
}

eis_status eis_split_server_matmul(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    const eis_span text = eis_net_http_request_body(request);
    eis_json_doc *doc = NULL;
    eis_json_value body;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_parse(&doc, "body", text.data, text.bytes, text.bytes));
    body = eis_json_root(doc);
    EIS_REQUIRE(eis_json_type_of(body) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "the body must be an object with x_share");
    if (is_legacy(body))
        EIS_TRY(eis_split_server_matmul_float(server, reply, body));
    else
        EIS_TRY(eis_split_server_matmul_ring(server, reply, body));
out:
    if (st != EIS_OK) eis_split_server_count_error(server, st);
    eis_json_free(doc);
    return st;
}

eis_status eis_split_server_rest_start(eis_split_server *server)
{
    const eis_split_server_config *config = &server->config;
    const eis_http_route routes[] = {
        {.method = "GET", .pattern = "/health", .open = true, .handle = get_health, .context = server},
        {.method = "GET", .pattern = "/metrics", .handle = eis_split_server_metrics, .context = server},
        {.method = "GET", .pattern = "/v1/models", .handle = get_models, .context = server},
        {.method = "GET", .pattern = "/v1/models/{name}", .handle = get_model, .context = server},
        {.method = "POST",
         .pattern = "/matmul",
         .media_type = JSON,
         .handle = eis_split_server_matmul,
         .context = server},
    };
    eis_http_config http = {.address = config->http_listen,
                            .plain_anywhere = config->http_plain_anywhere,
                            .token = config->token,
                            .routes = routes,
                            .route_count = sizeof routes / sizeof *routes,
                            .body_bytes_max = (size_t)config->body_bytes_max,
                            .connections_max = config->connections_max};

    if (!config->http_plain) {
        http.cert_pem = config->tls.cert_pem;
        http.key_pem = config->tls.key_pem;
        http.client_ca_pem = config->tls.client_ca_pem;
    }
    return eis_net_http_server_start(&server->http, &http);
}
