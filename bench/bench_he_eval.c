/* SPDX-License-Identifier: Apache-2.0 */
/* Whole models at the server: dense layers, the digits' net and a batch of it, one thread, keys already there; and what
 * a client sends and uploads for them. Every answer is decrypted once and compared with the plain engine. */
#include "base/mem.h"
#include "bench/bench_he.h"
#include "bench/bench_he_model.h"
#include "cli/cli.h"
#include "cli/models_dir.h"
#include "engine/he/protect.h"
#include "engine/he/recover.h"
#include "model/classifier.h"
#include "service/he_client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A planned model with a client and one request. */
typedef struct served {
    const eis_he_plan *plan;
    const eis_he_program *program;
    eis_he_client client;
    eis_he_keys keys;
    eis_ckks_ct *inputs, *outputs; /* of the only stage */
    double *x;                     /* [batch][size], scaled */
    size_t batch;
} served;

static const eis_he_stage *stage_of(const served *s) { return &s->plan->contract.stage[0]; }

static void close_served(served *s)
{
    for (uint32_t i = 0; s->inputs != NULL && i < stage_of(s)->input.ciphertexts; i++) eis_ckks_ct_clear(&s->inputs[i]);
    for (uint32_t i = 0; s->outputs != NULL && i < stage_of(s)->output.ciphertexts; i++)
        eis_ckks_ct_clear(&s->outputs[i]);
    eis_mem_free(s->inputs);
    eis_mem_free(s->outputs);
    eis_mem_free(s->x);
    eis_he_keys_clear(&s->keys);
    eis_he_client_clear(&s->client);
    eis_he_program_free(s->program);
    eis_he_plan_free(s->plan);
}

/* Client and server have the same parameters, each its own object: what one made is lent to the other. */
static void lend_keys(served *s)
{
    s->keys.relin.params = s->keys.galois.params = s->plan->params;
    for (size_t i = 0; i < s->keys.galois.count; i++) s->keys.galois.key[i].key.params = s->plan->params;
}

static eis_status open_served(served *s, const eis_model *model, const eis_he_wish *wish, size_t batch)
{
    eis_status st = EIS_OK;
    const eis_he_packing *input;

    *s = (served){.batch = batch};
    EIS_TRY(eis_he_plan_new(&s->plan, model, wish));
    EIS_TRY(eis_he_program_new(&s->program, s->plan, model, NULL));
    EIS_TRY(eis_he_client_init(&s->client, &s->plan->contract));
    EIS_TRY(eis_he_client_keys(&s->keys, &s->client));
    lend_keys(s);
    input = &stage_of(s)->input;
    EIS_NEW(s->x, batch * input->size);
    for (size_t i = 0; i < batch * input->size; i++) s->x[i] = sin(0.7 * (double)i) * s->plan->contract.input_max / 2;
    EIS_NEW(s->inputs, input->ciphertexts);
    EIS_NEW(s->outputs, stage_of(s)->output.ciphertexts);
    for (uint32_t i = 0; i < input->ciphertexts; i++)
        EIS_TRY(eis_he_protect(&s->inputs[i], &s->client, 0, i, s->x, batch));
out:
    if (st != EIS_OK) close_served(s);
    return st;
}

static eis_status give_input(void *context, size_t index, eis_ckks_ct *ct)
{
    const served *s = context;
    eis_status st = eis_ckks_ct_copy(ct, &s->inputs[index]);

    if (st == EIS_OK) ct->params = s->plan->params;
    return st;
}

static eis_status evaluate(void *context)
{
    served *s = context;
    const eis_he_source source = {s, give_input};

    return eis_he_eval(s->outputs, s->program, 0, &source, &s->keys, NULL);
}

static eis_status encrypt_request(void *context)
{
    served *s = context;
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < stage_of(s)->input.ciphertexts && st == EIS_OK; i++)
        st = eis_he_protect(&s->inputs[i], &s->client, 0, i, s->x, s->batch);
    return st;
}

/* Decrypts, and takes the largest difference from the plain engine on the same inputs. */
static eis_status compare(double *worst, const served *s, const eis_model *model)
{
    eis_status st = EIS_OK;
    size_t values = stage_of(s)->output.count;
    double *ours = NULL, *plain = NULL;

    EIS_NEW(ours, s->batch * values);
    EIS_NEW(plain, s->batch * values);
    for (uint32_t i = 0; i < stage_of(s)->output.ciphertexts; i++) s->outputs[i].params = s->client.params;
    EIS_TRY(eis_he_recover(ours, &s->client, 0, s->outputs, s->batch, NULL));
    EIS_TRY(eis_bench_plain(plain, model, s->x, s->batch));
    *worst = 0;
    for (size_t i = 0; i < s->batch * values; i++) *worst = fmax(*worst, fabs(ours[i] - plain[i]));
out:
    eis_mem_free(ours);
    eis_mem_free(plain);
    return st;
}

typedef struct goals {
    double eval_ms, request_kb, keys_mb, seal_keys_mb;
} goals;

static eis_status run_model(eis_bench *bench, const eis_model *model, const eis_he_wish *wish, size_t batch,
                            const char *name, const goals *g)
{
    eis_status st = EIS_OK;
    served s;
    double us, worst = 0;
    eis_bench_row *row;
    eis_writer body;

    eis_wire_writer_init(&body, (size_t)1 << 30);
    EIS_TRY(open_served(&s, model, wish, batch));
    EIS_TRY(eis_bench_he_time(&us, bench, evaluate, &s));
    row = eis_bench_add(bench, us / 1e3, "ms", "%s, server, 1 thread", name);
    if (g->eval_ms > 0) eis_bench_set_goal(row, g->eval_ms);
    EIS_TRY(compare(&worst, &s, model));
    (void)eis_bench_add(bench, worst, "", "%s, largest error (bound %.1e)", name, stage_of(&s)->output.error);
    EIS_TRY(eis_bench_he_time(&us, bench, encrypt_request, &s));
    (void)eis_bench_add(bench, us / 1e3, "ms", "%s, client, encrypting one request", name);
    row = eis_bench_add(bench, (double)s.plan->request_bytes / 1e3, "KB", "%s, request", name);
    if (g->request_kb > 0) eis_bench_set_goal(row, g->request_kb);
    EIS_TRY(eis_he_keys_body_make(&body, &s.client, "m", "1.0.0", EIS_HE_KEYS_SMALL));
    row = eis_bench_add(bench, (double)body.bytes / 1e6, "MB", "%s, evaluation keys, once", name);
    if (g->keys_mb > 0) eis_bench_set_goal(row, g->keys_mb);
    eis_wire_writer_rewind(&body);
    EIS_TRY(eis_he_keys_body_make(&body, &s.client, "m", "1.0.0", EIS_HE_KEYS_PACKED));
    row = eis_bench_add(bench, (double)body.bytes / 1e6, "MB", "%s, the same as SEAL objects with zstd", name);
    if (g->seal_keys_mb > 0) eis_bench_set_goal(row, g->seal_keys_mb);
out:
    eis_wire_writer_clear(&body);
    close_served(&s);
    return st;
}

static eis_status run_dense(eis_bench *bench, uint32_t out, uint32_t in, const char *chain, const goals *g)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    const eis_he_wish wish = {.chain = chain, .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    char name[64];

    snprintf(name, sizeof name, "dense %u->%u, chain %s", in, out, chain);
    EIS_TRY(eis_bench_model_dense(&model, out, in));
    EIS_TRY(run_model(bench, model, &wish, 1, name, g));
out:
    eis_model_free(model);
    return st;
}

static eis_status run_digits(eis_bench *bench, eis_he_form form, size_t batch, const char *name)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    char path[EIS_CLI_PATH_BYTES];
    const eis_he_wish wish = {.form = form};
    const goals none = {0};

    EIS_TRY(eis_cli_models_find(path, "digits-square"));
    EIS_TRY(eis_model_open(&model, path, NULL));
    EIS_TRY(run_model(bench, model, &wish, batch, name, &none));
out:
    eis_model_free(model);
    return st;
}

eis_status eis_bench_run_he_eval(eis_bench *bench)
{
    eis_status st = EIS_OK;

    eis_bench_say(bench, "dense layers");
    EIS_TRY(run_dense(bench, 10, 256, "P0", &(goals){2.0, 197, 0, 8.5}));
    EIS_TRY(run_dense(bench, 10, 256, "A1", &(goals){0.55, 197, 1.6, 4.1}));
    EIS_TRY(run_dense(bench, 768, 768, "A", &(goals){12, 0, 0, 0}));
    eis_bench_say(bench, "digits-square, one image");
    EIS_TRY(run_digits(bench, EIS_HE_FORM_SINGLE, 1, "digits-square, one image"));
    if (bench->quick) goto out;
    eis_bench_say(bench, "digits-square, a batch of 4096: half a minute");
    EIS_TRY(run_digits(bench, EIS_HE_FORM_BATCH, 4096, "digits-square, 4096 images at once"));
out:
    return st;
}
