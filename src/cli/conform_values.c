/* SPDX-License-Identifier: Apache-2.0 */
/* Every model of the server, computed on ciphertexts under a key of its own that is thrown away, beside the plain
 * answer where there is one: from weights that are published, or from POST /infer/plain; otherwise two encryptions of
 * one input must give one answer. */
#include "base/mem.h"
#include "cli/conform.h"
#include "wire/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOLERANCE_MIN 1e-3 /* what the original accepts */
#define MODELS_MAX    64u
#define REQUEST_LIMIT ((uint64_t)48 << 20) /* larger requests are left to those who ask for the model by name */

/* How the answer was compared. */
typedef enum source { WEIGHTS, PLAIN, TWICE } source;

static const char *const source_names[] = {"its published weights", "POST /infer/plain", "a second encryption"};

static double bound_of(const eis_he_contract *contract)
{
    double bound = contract->stage[contract->stage_count - 1].output.error;

    return bound > TOLERANCE_MIN ? bound : TOLERANCE_MIN;
}

/* Numbers in [-1, 1], within what the model declares. */
static void make_inputs(double *x, const eis_he_contract *contract)
{
    double most = contract->input_max > 0 && contract->input_max < 1 ? contract->input_max : 1;

    for (uint32_t i = 0; i < contract->stage[0].input.size; i++)
        x[i] = most * ((double)((i * 53 + 7) % 89) / 44.0 - 1.0);
}

static bool from_weights(double *y, const eis_he_info *info, const double *x, size_t size)
{
    double z = info->bias;

    if (info->weights == NULL || info->weight_count != size) return false;
    for (size_t i = 0; i < size; i++) z += info->weights[i] * x[i];
    y[0] = info->coefficients[0] + info->coefficients[1] * z + info->coefficients[2] * z * z;
    return true;
}

/* What the model's user would have given: scaling undone. */
static double raw_of(const eis_he_scaling *s, size_t i, double x)
{
    size_t channel = i / s->per_channel;
    double mean = s->mean_count == 0 ? 0 : s->mean[s->mean_count == 1 || channel >= s->mean_count ? 0 : channel];
    double deviation = s->deviation_count == 0
                           ? 1
                           : s->deviation[s->deviation_count == 1 || channel >= s->deviation_count ? 0 : channel];

    return s->divide == 0 ? x : (x * deviation + mean) * s->divide;
}

static void write_plain(eis_writer *w, const eis_he_remote *remote, const double *x)
{
    const eis_he_info *info = eis_he_remote_info(remote);
    const eis_he_scaling scaling = eis_he_remote_scaling(remote);
    eis_json_writer json;

    eis_json_writer_to_buffer(&json, w);
    eis_json_writer_begin_object(&json);
    eis_json_writer_key(&json, "model_id");
    eis_json_writer_text(&json, info->model_id);
    eis_json_writer_key(&json, "version");
    eis_json_writer_text(&json, info->version);
    eis_json_writer_key(&json, "inputs");
    eis_json_writer_begin_array(&json);
    for (size_t i = 0; i < eis_he_remote_size(remote); i++) eis_json_writer_f64(&json, raw_of(&scaling, i, x[i]));
    eis_json_writer_end_array(&json);
    eis_json_writer_end_object(&json);
}

static bool read_outputs(double *y, size_t values, eis_conform *c)
{
    eis_json_doc *doc = eis_conform_json(c);
    eis_json_value list, value;
    bool good = doc != NULL && eis_json_find(&list, eis_json_root(doc), "outputs") && eis_json_length(list) == values;
    eis_json_iter it;

    if (good) {
        it = eis_json_iterate(list);
        for (size_t i = 0; good && i < values; i++)
            good = eis_json_next_element(&it, &value) && eis_json_double(&y[i], value);
    }
    eis_json_free(doc);
    return good;
}

static bool from_plain(double *y, eis_conform *c, const eis_he_remote *remote, const double *x)
{
    bool good;
    eis_writer w;

    eis_wire_writer_init(&w, (size_t)64 << 20);
    write_plain(&w, remote, x);
    good = w.st == EIS_OK &&
           eis_conform_ask(c, &(eis_he_ask){.method = "POST",
                                            .path = "/infer/plain",
                                            .media_type = EIS_HE_MEDIA_JSON_TEXT,
                                            .body = {w.data, w.bytes}}) &&
           c->call.http_status == 200 && read_outputs(y, eis_he_remote_values(remote), c);
    eis_wire_writer_clear(&w);
    return good;
}

/* ---- one model ---- */

static eis_status compare(double *difference, source *how, eis_conform *c, eis_he_remote *remote)
{
    const size_t size = eis_he_remote_size(remote), values = eis_he_remote_values(remote);
    double *x = NULL, *y = NULL, *right = NULL;
    eis_status st = EIS_OK;

    *difference = 0;
    EIS_NEW(x, size);
    EIS_NEW(y, values);
    EIS_NEW(right, values);
    make_inputs(x, eis_he_remote_contract(remote));
    EIS_TRY(eis_he_remote_infer(remote, y, x, 1, NULL));
    if (values == 1 && from_weights(right, eis_he_remote_info(remote), x, size)) {
        *how = WEIGHTS;
    } else if (from_plain(right, c, remote, x)) {
        *how = PLAIN;
    } else {
        *how = TWICE;
        EIS_TRY(eis_he_remote_infer(remote, right, x, 1, NULL));
    }
    for (size_t i = 0; i < values; i++) *difference = fmax(*difference, fabs(y[i] - right[i]));
out:
    eis_mem_free(x);
    eis_mem_free(y);
    eis_mem_free(right);
    return st;
}

static bool is_too_large(const eis_he_contract *contract)
{
    const eis_he_packing *in = &contract->stage[0].input;

    return (uint64_t)in->ciphertexts * in->limbs * contract->literal.degree * 8 > REQUEST_LIMIT;
}

static void check_model(eis_conform *c, const char *model_id, const char *version)
{
    eis_he_remote_config config = *c->config;
    eis_he_remote *remote = NULL;
    double difference = 0, bound;
    source how = TWICE;
    char name[64];
    eis_status st;

    snprintf(name, sizeof name, "values.%.48s", model_id);
    config.model_id = model_id;
    config.version = version;
    config.throw_away = true;
    st = eis_he_remote_open(&remote, &config);
    if (st == EIS_OK && is_too_large(eis_he_remote_contract(remote))) {
        eis_conform_skip(c, name, "api 12", "its requests are large; --model names it");
        goto out;
    }
    if (st == EIS_OK) st = compare(&difference, &how, c, remote);
    if (st != EIS_OK) {
        eis_conform_check(c, false, name, "api 12", "%s", eis_error_detail());
        eis_error_clear();
        goto out;
    }
    bound = bound_of(eis_he_remote_contract(remote)) * (how == TWICE ? 2 : 1);
    eis_conform_check(c, difference <= bound, name, "api 12", "off by %.2g, allowed %.2g, against %s", difference,
                      bound, source_names[how]);
out:
    eis_he_remote_close(remote);
}

/* ---- all models ---- */

typedef struct model_name {
    char id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES];
} model_name;

static size_t list_models(model_name names[MODELS_MAX], eis_conform *c)
{
    eis_json_doc *doc = eis_conform_get(c, "GET", "/models") ? eis_conform_json(c) : NULL;
    eis_json_value list, entry;
    eis_json_iter it;
    size_t count = 0;

    if (doc == NULL || !eis_json_find(&list, eis_json_root(doc), "models")) goto out;
    it = eis_json_iterate(list);
    while (count < MODELS_MAX && eis_json_next_element(&it, &entry)) {
        model_name *n = &names[count];
        count += eis_json_bind_text(n->id, sizeof n->id, entry, "model", "model_id", true) == EIS_OK &&
                 eis_json_bind_text(n->version, sizeof n->version, entry, "model", "version", true) == EIS_OK;
    }
    eis_error_clear();
out:
    eis_json_free(doc);
    return count;
}

void eis_conform_values(eis_conform *c)
{
    model_name *names = eis_mem_new(MODELS_MAX, sizeof *names);
    size_t count;

    if (names == NULL) {
        c->broken = EIS_ERR_MEMORY;
        return;
    }
    count = c->config->model_id != NULL ? 0 : list_models(names, c);
    if (c->config->model_id != NULL) check_model(c, c->target.info->model_id, c->target.info->version);
    for (size_t i = 0; i < count && c->broken == EIS_OK; i++) check_model(c, names[i].id, names[i].version);
    eis_mem_free(names);
}
