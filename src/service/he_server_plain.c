/* SPDX-License-Identifier: Apache-2.0 */
/* POST /infer/plain: the same model on numbers in the clear, for benchmarks, and off unless the operator enabled it. */
#include "base/mem.h"
#include "model/classifier.h"
#include "model/plain.h"
#include "service/he_envelope_internal.h"
#include "service/he_server_internal.h"

#include <stdio.h>

#define BODY_BYTES_MAX ((size_t)32 << 20)

/* Reads the numbers, whatever their count: the schema comes before the model. */
static eis_status read_numbers(double **x, size_t *count, eis_json_value root)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    double *made = NULL;
    size_t length = 0, n = 0;

    EIS_TRY(eis_json_bind_array(&array, root, "body", "inputs", 1, EIS_HE_VALUES_MAX));
    length = eis_json_length(array);
    EIS_NEW(made, length);
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value))
        EIS_REQUIRE(eis_json_double(&made[n++], value), EIS_ERR_PARSE, "body: member \"inputs\" must hold numbers");
    *x = made;
    *count = length;
    made = NULL;
out:
    if (made != NULL) eis_mem_free_wiped(made, length, sizeof *made);
    return st;
}

static eis_status reply_outputs(eis_http_reply *reply, const eis_he_served *served, const double *y)
{
    eis_json_writer w;
    eis_writer body;

    eis_wire_writer_init(&body, BODY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_he_write_text(&w, "api_version", EIS_HE_API_VERSION);
    eis_he_write_text(&w, "model_id", served->info.model_id);
    eis_he_write_text(&w, "version", served->info.version);
    eis_json_writer_key(&w, "outputs");
    eis_json_writer_begin_array(&w);
    for (uint32_t i = 0; i < served->info.output_dimension; i++) eis_json_writer_f64(&w, y[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_key(&w, "diagnostics");
    eis_json_writer_begin_object(&w);
    eis_he_write_text(&w, "mode", "plain");
    eis_json_writer_end_object(&w);
    eis_json_writer_end_object(&w);
    eis_he_json_finish(&body, &w);
    return eis_he_server_reply(reply, 200, EIS_HE_MEDIA_JSON_TEXT, &body);
}

static eis_status compute(double *y, const eis_he_served *served, const double *x)
{
    eis_plain_backend *plain = NULL;
    eis_linear_backend backend;
    eis_status st = EIS_OK;

    EIS_TRY(eis_plain_backend_new(&plain, served->model, NULL));
    backend = eis_plain_backend_seam(plain);
    EIS_TRY(eis_classifier_run(served->model, &backend, y, NULL, x, 1));
out:
    eis_plain_backend_free(plain);
    return st;
}

static eis_status infer_plain(eis_he_server *server, eis_http_reply *reply, const eis_http_request *request)
{
    static const char *const names[] = {"api_version", "model_id", "version", "inputs", NULL};
    char model_id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES];
    eis_he_json json = {0};
    const eis_he_served *served = NULL;
    double *x = NULL, *y = NULL;
    eis_json_value root;
    eis_status st = EIS_OK;
    size_t count = 0;

    EIS_TRY(eis_he_json_parse(&json, "body", eis_net_http_request_body(request), BODY_BYTES_MAX, 1));
    root = eis_json_root(json.doc);
    EIS_TRY(eis_json_bind_object(root, "body", names));
    EIS_TRY(eis_json_bind_text(model_id, sizeof model_id, root, "body", "model_id", true));
    EIS_TRY(eis_json_bind_text(version, sizeof version, root, "body", "version", true));
    EIS_TRY(eis_he_api_version_check(&json, root, false));
    EIS_TRY(read_numbers(&x, &count, root));
    EIS_TRY(eis_he_registry_find(&served, server->config.registry, model_id, version));
    EIS_REQUIRE(served->model != NULL, EIS_ERR_UNSUPPORTED, "this model is not served in the clear");
    EIS_REQUIRE(count == served->info.input_dimension, EIS_ERR_INPUT_COUNT,
                "Expected %u numbers as inputs, and there are %zu", served->info.input_dimension, count);
    EIS_NEW(y, served->info.output_dimension);
    EIS_TRY(compute(y, served, x));
    EIS_TRY(reply_outputs(reply, served, y));
out:
    if (x != NULL) eis_mem_free_wiped(x, count, sizeof *x);
    if (served != NULL && y != NULL) eis_mem_free_wiped(y, served->info.output_dimension, sizeof *y);
    eis_he_json_clear(&json);
    return st;
}

eis_status eis_he_server_plain(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    return eis_he_server_fail(context, infer_plain(context, reply, request));
}
