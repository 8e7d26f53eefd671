/* SPDX-License-Identifier: Apache-2.0 */
/* POST /matmul on floats, as the original program spoke it. Shares over the reals leak the input to whoever gets the
 * last one, so it answers only where the operator opted in, and each answer says what it leaks. */
#include "base/mem.h"
#include "service/split_server_internal.h"
#include "wire/json_writer.h"

#include <math.h>

#define REPLY_BYTES_MAX ((size_t)64 << 20)

static eis_status read_floats(float *x, size_t count, eis_json_value body)
{
    eis_json_value share, value;
    eis_json_iter it;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_array(&share, body, "body", "x_share", 0, SIZE_MAX));
    EIS_REQUIRE(eis_json_length(share) == count, EIS_ERR_SHAPE, "body.x_share must have %zu numbers", count);
    it = eis_json_iterate(share);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        double number;
        EIS_REQUIRE(eis_json_double(&number, value), EIS_ERR_PARSE, "body.x_share must be an array of numbers");
        x[i] = (float)number;
        EIS_REQUIRE(isfinite(x[i]), EIS_ERR_RANGE, "body.x_share: a number is too large for float32");
    }
out:
    return st;
}

/* In float32 and in the order of the entries, as the original. */
static void multiply(float *y, const eis_legacy_layer *layer, const float *x)
{
    for (uint32_t o = 0; o < layer->outputs; o++) {
        const float *row = layer->weights + (size_t)o * layer->inputs;
        float sum = 0;
        for (uint32_t i = 0; i < layer->inputs; i++) sum += row[i] * x[i];
        y[o] = sum;
    }
}

/* Plain numbers: each float32 widened to double, which reads back as it was. */
static eis_status write_floats(eis_http_reply *reply, const float *y, size_t count)
{
    eis_json_writer w;
    eis_writer body;

    eis_wire_writer_init(&body, REPLY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "y_partial");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < count; i++) eis_json_writer_f64(&w, (double)y[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    return eis_split_server_reply(reply, &w, &body);
}

eis_status eis_split_server_matmul_float(eis_split_server *server, eis_http_reply *reply, eis_json_value body)
{
    const eis_legacy_layer *layer = &server->config.legacy;
    float *x = NULL, *y = NULL;
    eis_status st = EIS_OK;

    EIS_REQUIRE(
        layer->weights != NULL, EIS_ERR_LEGACY_FLOAT,
        "float shares leak the input, so this server does not take them; ask with \"mode\":\"ring\" and words as "
        "strings (the operator can allow them with --legacy-float)");
    EIS_TRY(eis_net_http_reply_header(reply, "EIS-Privacy", "leaks-input"));
    atomic_fetch_add_explicit(&server->counters.requests[EIS_SPLIT_REQUEST_LEGACY], 1, memory_order_relaxed);
    EIS_NEW(x, layer->inputs);
    EIS_NEW(y, layer->outputs);
    EIS_TRY(read_floats(x, layer->inputs, body));
    multiply(y, layer, x);
    EIS_TRY(write_floats(reply, y, layer->outputs));
out:
    eis_mem_free_wiped(x, layer->inputs, sizeof *x);
    eis_mem_free_wiped(y, layer->outputs, sizeof *y);
    return st;
}
