/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted networks in one process: models made on the spot or opened, a client and a server that share nothing but
 * ciphertexts, evaluation keys and the contract. */
#ifndef EIS_TESTS_SUPPORT_HE_NET_H
#define EIS_TESTS_SUPPORT_HE_NET_H

#include "unit/model/fixture.h"

#include "base/mem.h"
#include "engine/he/eval.h"
#include "engine/he/prepare.h"
#include "engine/he/protect.h"
#include "engine/he/recover.h"
#include "model/classifier.h"
#include "model/plain.h"

#include <math.h>

/* ---- Models in the making ---------------------------------------------------------------------------------------- */

typedef struct he_model {
    char json[1 << 13];       /* layers */
    char magnitudes[1 << 10]; /* what each layer's numbers are below, for inputs up to 1 */
    bool certain;             /* leave them out: norms decide */
    fixture_tensors *tensors;
    uint64_t seed;
    int layers;
} he_model;

static inline he_model *he_model_new(uint64_t seed)
{
    he_model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->tensors = fixture_tensors_new();
    m->seed = seed;
    return m;
}

/* Adds a layer given as JSON, and a bound of its numbers. */
static inline void he_model_add(he_model *m, const char *layer, double most)
{
    size_t have = strlen(m->json), written = strlen(m->magnitudes);

    snprintf(m->magnitudes + written, sizeof m->magnitudes - written, "%s%g", m->layers > 0 ? "," : "", most);
    snprintf(m->json + have, sizeof m->json - have, "%s%s", m->layers++ > 0 ? "," : "", layer);
    assert_true(strlen(m->json) + 1 < sizeof m->json && strlen(m->magnitudes) + 1 < sizeof m->magnitudes);
}

/* Adds a layer without weights. */
static inline void he_model_layer(he_model *m, const char *layer) { he_model_add(m, layer, 16); }

/* Adds weights that keep the size of what goes through about 1. `zero_row`: a row of zeros, or -1. */
static inline void he_model_weights(he_model *m, size_t out, size_t in, int zero_row)
{
    char name[32];
    double *w = calloc(out * in, sizeof *w), *b = calloc(out, sizeof *b);

    fixture_fill(w, out * in, 1.7 / sqrt((double)in), &m->seed);
    fixture_fill(b, out, 0.5, &m->seed);
    for (size_t i = 0; zero_row >= 0 && i < in; i++) w[(size_t)zero_row * in + i] = 0;
    snprintf(name, sizeof name, "w%d", m->layers);
    fixture_tensor_add(m->tensors, name, "F32", out, in, w);
    snprintf(name, sizeof name, "b%d", m->layers);
    fixture_tensor_add(m->tensors, name, "F32", 0, out, b);
    free(w);
    free(b);
}

static inline void he_model_dense(he_model *m, size_t in, size_t out, int zero_row)
{
    char layer[256];

    he_model_weights(m, out, in, zero_row);
    snprintf(layer, sizeof layer,
             "{\"op\":\"linear\",\"name\":\"fc%d\",\"weight\":\"w%d\",\"bias\":\"b%d\",\"in\":%zu,\"out\":%zu}",
             m->layers, m->layers, m->layers, in, out);
    he_model_add(m, layer, 4);
}

static inline void he_model_conv(he_model *m, size_t in, size_t out, size_t kernel, size_t stride, size_t padding)
{
    char layer[320];

    he_model_weights(m, out, in * kernel * kernel, -1);
    snprintf(layer, sizeof layer,
             "{\"op\":\"conv2d\",\"name\":\"conv%d\",\"weight\":\"w%d\",\"bias\":\"b%d\",\"in\":%zu,\"out\":%zu,"
             "\"kernel\":[%zu,%zu],\"stride\":[%zu,%zu],\"padding\":[%zu,%zu]}",
             m->layers, m->layers, m->layers, in, out, kernel, kernel, stride, stride, padding, padding);
    he_model_layer(m, layer);
}

/* Opens it and forgets the making. shape: "[20]" or "[1,6,6]". */
static inline eis_model *he_model_open(he_model *m, const char *shape)
{
    static const char *const names[] = {"model.json", "model.safetensors", NULL};
    char directory[256], *json = malloc(2 * sizeof *m);
    eis_model *model = NULL;
    uint8_t *file;
    size_t bytes;

    snprintf(json, 2 * sizeof *m,
             "{\"format\":\"eis-classifier/1\",\"name\":\"made\",\"input\":{\"shape\":%s},\"layers\":[%s]%s%s%s}",
             shape, m->json, m->certain ? "" : ",\"magnitudes\":{\"kind\":\"calibrated\",\"margin\":4,\"max\":[",
             m->certain ? "" : m->magnitudes, m->certain ? "" : "]}");
    fixture_directory(directory);
    fixture_write_text(directory, "model.json", json);
    file = fixture_tensors_file(m->tensors, &bytes);
    fixture_write(directory, "model.safetensors", file, bytes);
    if (eis_model_open(&model, directory, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    fixture_remove(directory, names);
    free(file);
    free(json);
    free(m->tensors);
    free(m);
    return model;
}

/* ---- Both ends --------------------------------------------------------------------------------------------------- */

typedef struct he_net {
    eis_model *model;
    const eis_he_plan *plan;
    const eis_he_program *program;
    eis_he_client client;
    eis_he_keys keys; /* keys and ciphertexts carry the parameters of the program, as if read from the wire */
    eis_plain_backend *plain;
} he_net;

/* Moves what a client made to the server's parameters, which are equal but another object. */
static inline void he_net_move_key(eis_ckks_switch_key *key, const eis_ckks_params *params)
{
    if (key->params != NULL) key->params = params;
}

/* Plans, prepares and makes keys. The model belongs to the net from here on. */
static inline void he_net_open(he_net *n, eis_model *model, const eis_he_wish *wish)
{
    *n = (he_net){.model = model};
    if (eis_he_plan_new(&n->plan, model, wish) != EIS_OK) fail_msg("%s", eis_error_detail());
    if (eis_he_program_new(&n->program, n->plan, model, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_he_client_init(&n->client, &n->plan->contract), EIS_OK);
    assert_int_equal(eis_he_client_keys(&n->keys, &n->client), EIS_OK);
    he_net_move_key(&n->keys.relin, n->plan->params);
    if (n->keys.galois.params != NULL) n->keys.galois.params = n->plan->params;
    for (size_t i = 0; i < n->keys.galois.count; i++) he_net_move_key(&n->keys.galois.key[i].key, n->plan->params);
    assert_int_equal(eis_plain_backend_new(&n->plain, model, NULL), EIS_OK);
}

static inline void he_net_close(he_net *n)
{
    eis_plain_backend_free(n->plain);
    eis_he_keys_clear(&n->keys);
    eis_he_client_clear(&n->client);
    eis_he_program_free(n->program);
    eis_he_plan_free(n->plan);
    eis_model_free(n->model);
    *n = (he_net){0};
}

/* The model's own scaling of an input as it stands in a file. */
static inline void he_net_scale(double *y, const eis_model *model, const double *x)
{
    const eis_classifier *c = &model->classifier;
    size_t area = (size_t)c->height * c->width, count = eis_classifier_input_count(model);

    for (size_t i = 0; i < count; i++)
        y[i] = (x[i] / c->divide - c->mean[c->mean_count > 1 ? i / area : 0]) /
               c->deviation[c->deviation_count > 1 ? i / area : 0];
}

typedef struct he_net_request {
    eis_ckks_ct *ct;
} he_net_request;

static inline eis_status he_net_next(void *context, size_t index, eis_ckks_ct *ct)
{
    he_net_request *r = context;

    eis_ckks_ct_clear(ct);
    *ct = r->ct[index];
    r->ct[index] = (eis_ckks_ct){0};
    return EIS_OK;
}

static inline void he_net_move(eis_ckks_ct *ct, uint32_t count, const eis_ckks_params *params)
{
    for (uint32_t i = 0; i < count; i++) ct[i].params = params;
}

/* The server's half of one stage: uses up the request, fills answer[output.ciphertexts]. */
static inline eis_status he_net_serve(const he_net *n, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request)
{
    const eis_he_stage *s = &n->plan->contract.stage[stage];
    he_net_request r = {request};
    eis_he_source source = {&r, he_net_next};
    eis_status st;

    he_net_move(request, s->input.ciphertexts, n->plan->params);
    st = eis_he_eval(answer, n->program, stage, &source, &n->keys, NULL);
    if (st == EIS_OK) he_net_move(answer, s->output.ciphertexts, n->client.params);
    return st;
}

/* One input through the one stage of a net that is not interactive. Shape: y[output.count]; x in the model's scaling.
 * Uses nothing but what it is given, so that several threads may do it. */
static inline eis_status he_net_infer(double *y, const he_net *n, const double *x)
{
    const eis_he_stage *s = &n->plan->contract.stage[0];
    eis_ckks_ct *request = eis_mem_new(s->input.ciphertexts, sizeof *request);
    eis_ckks_ct *answer = eis_mem_new(s->output.ciphertexts, sizeof *answer);
    eis_status st = EIS_OK;

    for (uint32_t i = 0; st == EIS_OK && i < s->input.ciphertexts; i++)
        st = eis_he_protect(&request[i], &n->client, 0, i, x, 1);
    if (st == EIS_OK) st = he_net_serve(n, 0, answer, request);
    if (st == EIS_OK) st = eis_he_recover(y, &n->client, 0, answer, 1, NULL);
    for (uint32_t i = 0; i < s->input.ciphertexts; i++) eis_ckks_ct_clear(&request[i]);
    for (uint32_t i = 0; i < s->output.ciphertexts; i++) eis_ckks_ct_clear(&answer[i]);
    eis_mem_free(request);
    eis_mem_free(answer);
    return st;
}

/* What the plain engine says of an input as it stands in a file. Not for two threads at once. */
static inline void he_net_plain(double *y, const he_net *n, const double *x)
{
    eis_linear_backend seam = eis_plain_backend_seam(n->plain);

    assert_int_equal(eis_classifier_run(n->model, &seam, y, NULL, x, 1), EIS_OK);
}

#endif
