/* SPDX-License-Identifier: Apache-2.0 */
/* include/eis/client.h: a model, its tokenizer and whoever multiplies for it. */
#include "eis/client.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/status.h"
#include "model/classifier.h"
#include "model/plain.h"
#include "net/cancel.h"
#include "rand/entropy.h"
#include "service/he_session.h"
#include "service/open_session.h"
#include "service/text_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TOKENS_DEFAULT 256
#define PATH_BYTES         4096

struct eis_client {
    eis_text_model lm; /* its model may be a classifier */
    eis_linear_backend seam;
    eis_split_session *session; /* engine split */
    eis_plain_backend *plain;   /* engine plain */
    eis_he_session *he;         /* engine he, which has no seam */
    eis_pool *pool;
    eis_cancel *cancel;
};

/* ---- opening ---- */

/* Finds a program as a shell does. A relative entry of the PATH is left out: it means something else tomorrow. */
static bool find_program(char path[PATH_BYTES], const char *name)
{
    const char *entry = getenv("PATH");

    while (entry != NULL && *entry != '\0') {
        size_t length = strcspn(entry, ":");
        if (entry[0] == '/' && snprintf(path, PATH_BYTES, "%.*s/%s", (int)length, entry, name) < PATH_BYTES &&
            access(path, X_OK) == 0)
            return true;
        entry += length + (entry[length] == ':');
    }
    return false;
}

/* The library cannot serve from the program that it is linked into, so its own servers are eis-server. */
static eis_status choose_program(const char **program, char path[PATH_BYTES], const eis_client_options *options)
{
    eis_status st = EIS_OK;

    *program = options->server_program;
    if (*program != NULL) {
        EIS_REQUIRE(access(*program, X_OK) == 0, EIS_ERR_FILE, "%s is no program that can be run", *program);
        return EIS_OK;
    }
    if (options->servers != NULL || options->url != NULL) return EIS_OK;
    EIS_REQUIRE(find_program(path, "eis-server") || find_program(path, "eis"), EIS_ERR_FILE,
                "own servers need eis-server, which is not on the PATH; name it in server_program, or name servers");
    *program = path;
out:
    return st;
}

static eis_status check_engine(const eis_client_options *o)
{
    eis_status st = EIS_OK;
    bool both = o->model_name != NULL || o->ca != NULL || o->cert != NULL || o->key != NULL || o->pins != NULL ||
                o->token_file != NULL || o->server_program != NULL || o->timeout_ms != 0;
    bool split = o->servers != NULL || o->shares != 0 || o->profile != NULL || o->pack != NULL || o->threshold != 0 ||
                 o->verify || o->truncate;
    bool he = o->url != NULL || o->tenant != NULL || o->key_file != NULL || o->security_policy != NULL ||
              o->chain != NULL || o->form != NULL || o->interactive || o->insecure_http;

    EIS_REQUIRE(o->engine == EIS_CLIENT_SPLIT || o->engine == EIS_CLIENT_PLAIN || o->engine == EIS_CLIENT_HE,
                EIS_ERR_USAGE, "there is no engine %d", (int)o->engine);
    EIS_REQUIRE(o->engine == EIS_CLIENT_SPLIT || !split, EIS_ERR_USAGE,
                "members about servers and shares go with the split engine");
    EIS_REQUIRE(o->engine == EIS_CLIENT_HE || !he, EIS_ERR_USAGE,
                "members about URLs, keys of encryption and chains go with the engine he");
    EIS_REQUIRE(o->engine != EIS_CLIENT_PLAIN || !both, EIS_ERR_USAGE,
                "members about servers do not go with the plain engine");
out:
    return st;
}

static eis_status open_model(eis_client *client, const char *path, const eis_client_options *options)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_model_open(&client->lm.model, path, &(eis_model_options){.weights_path = options->weights}));
    if (client->lm.model->kind == EIS_MODEL_LM)
        EIS_TRY(eis_text_model_open_tokenizer(&client->lm, path, options->tokenizer));
    else
        EIS_REQUIRE(options->tokenizer == NULL, EIS_ERR_USAGE, "%s is a classifier, which has no tokenizer", path);
out:
    return st;
}

static eis_status open_plain(eis_client *client, const eis_client_options *options)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_pool_new(&client->pool, options->threads));
    EIS_TRY(eis_plain_backend_new(&client->plain, client->lm.model, client->pool));
    client->seam = eis_plain_backend_seam(client->plain);
out:
    return st;
}

static eis_status open_split(eis_client *client, const char *model_path, const eis_client_options *options)
{
    eis_status st = EIS_OK;
    char program[PATH_BYTES];
    eis_split_wish wish = {
        .servers = options->servers,
        .ca = options->ca,
        .cert = options->cert,
        .key = options->key,
        .pins = options->pins,
        .token_file = options->token_file,
        .served_name = options->model_name,
        .profile = options->profile,
        .pack = options->pack,
        .shares = options->shares,
        .threshold = options->threshold,
        .timeout_ms = options->timeout_ms,
        .threads = options->threads,
        .verify = options->verify,
        .truncate = options->truncate,
        .cancel = client->cancel,
    };

    EIS_TRY(choose_program(&wish.program, program, options));
    EIS_TRY(eis_split_session_open_wish(&client->session, &wish, client->lm.model, model_path));
    client->seam = eis_split_session_seam(client->session);
out:
    return st;
}

static eis_status open_he(eis_client *client, const char *model_path, const eis_client_options *options)
{
    eis_status st = EIS_OK;
    char program[PATH_BYTES];
    eis_he_session_wish wish = {.url = options->url,
                                .model_id = options->model_name,
                                .tenant = options->tenant,
                                .ca = options->ca,
                                .cert = options->cert,
                                .key = options->key,
                                .pin = options->pins,
                                .token_file = options->token_file,
                                .insecure_http = options->insecure_http,
                                .key_file = options->key_file,
                                .policy = options->security_policy,
                                .timeout_ms = options->timeout_ms,
                                .threads = options->threads,
                                .cancel = client->cancel,
                                .model_path = model_path,
                                .weights = options->weights,
                                .chain = options->chain,
                                .form = options->form,
                                .interactive = options->interactive};

    EIS_REQUIRE(client->lm.model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL,
                "%s is a language model; the engine he computes classifiers", model_path);
    EIS_TRY(choose_program(&wish.program, program, options));
    EIS_TRY(eis_he_session_open(&client->he, &wish));
out:
    return st;
}

static eis_status open_engine(eis_client *client, const char *model_path, const eis_client_options *options)
{
    if (options->engine == EIS_CLIENT_PLAIN) return open_plain(client, options);
    if (options->engine == EIS_CLIENT_HE) return open_he(client, model_path, options);
    return open_split(client, model_path, options);
}

eis_status eis_client_open(eis_client **out_client, const char *model, const eis_client_options *options)
{
    static const eis_client_options defaults;
    eis_status st = EIS_OK;
    eis_client *client = NULL;

    if (options == NULL) options = &defaults;
    *out_client = NULL;
    EIS_REQUIRE(model != NULL, EIS_ERR_USAGE, "name a model");
    EIS_TRY(check_engine(options));
    EIS_NEW(client, 1);
    EIS_TRY(eis_net_cancel_new(&client->cancel));
    EIS_TRY(open_model(client, model, options));
    EIS_TRY(open_engine(client, model, options));
    *out_client = client;
    client = NULL;
out:
    eis_client_close(client);
    return st;
}

void eis_client_close(eis_client *client)
{
    if (client == NULL) return;
    eis_he_session_close(client->he);
    eis_split_session_close(client->session);
    eis_plain_backend_free(client->plain);
    eis_pool_free(client->pool);
    eis_text_model_close(&client->lm);
    eis_net_cancel_free(client->cancel);
    eis_mem_free(client);
}

void eis_client_interrupt(eis_client *client) { eis_net_cancel_raise(client->cancel); }

/* ---- text ---- */

static eis_status read_prompt(eis_ids *ids, const eis_client *client, const eis_client_generation *generation)
{
    eis_status st = EIS_OK;
    const char *prompt = generation->prompt != NULL ? generation->prompt : "";

    EIS_REQUIRE(generation->prompt == NULL || generation->prompt_ids == NULL, EIS_ERR_USAGE,
                "give a prompt as text or as ids, not both");
    if (generation->prompt_ids == NULL) {
        EIS_TRY(eis_text_model_encode(ids, &client->lm, (const uint8_t *)prompt, strlen(prompt)));
    } else {
        EIS_REQUIRE(generation->prompt_id_count > 0, EIS_ERR_USAGE, "a prompt of ids needs one at least");
        for (size_t i = 0; i < generation->prompt_id_count; i++)
            EIS_TRY(eis_ids_append(ids, generation->prompt_ids[i]));
    }
    EIS_TRY(eis_text_model_check_ids(&client->lm, ids));
out:
    return st;
}

static eis_status choose_sampling(eis_sampler_options *sampling, const eis_client_generation *generation)
{
    *sampling = eis_sampler_options_default();
    sampling->greedy = generation->temperature == 0 && generation->top_k == 0 && generation->top_p == 0;
    if (sampling->greedy) return EIS_OK;
    if (generation->temperature != 0) sampling->temperature = generation->temperature;
    if (generation->top_p != 0) sampling->top_p = generation->top_p;
    sampling->top_k = generation->top_k;
    sampling->seed = generation->seed;
    return generation->seed != 0 ? EIS_OK : eis_entropy_draw(&sampling->seed, sizeof sampling->seed);
}

_Static_assert(EIS_CLIENT_NO_TOKEN == EIS_TOKEN_NONE, "one number for no token, inside and outside");

static eis_status hand_over(void *context, const eis_text_token *token)
{
    const eis_client_generation *generation = context;

    if (generation->receive == NULL) return EIS_OK;
    return generation->receive(generation->context, token->id, (const char *)token->text->data, token->text->bytes);
}

eis_status eis_client_generate(eis_client *client, const eis_client_generation *generation)
{
    static const eis_client_generation defaults;
    eis_status st = EIS_OK;
    eis_ids ids = {0};
    eis_client_generation asked = generation != NULL ? *generation : defaults;
    eis_text_generation inner = {.lm = &client->lm,
                                 .backend = client->seam,
                                 .max_tokens = asked.max_tokens != 0 ? asked.max_tokens : MAX_TOKENS_DEFAULT,
                                 .cancel = client->cancel,
                                 .emit = hand_over,
                                 .context = &asked};

    EIS_REQUIRE(client->lm.model->kind == EIS_MODEL_LM, EIS_ERR_MODEL, "the model is a classifier");
    EIS_TRY(read_prompt(&ids, client, &asked));
    EIS_TRY(choose_sampling(&inner.sampling, &asked));
    EIS_TRY(eis_text_generate(&ids, &inner));
out:
    eis_ids_clear(&ids);
    return st;
}

/* ---- classes ---- */

size_t eis_client_input_count(const eis_client *client)
{
    return client->lm.model->kind == EIS_MODEL_CLASSIFIER ? eis_classifier_input_count(client->lm.model) : 0;
}

size_t eis_client_class_count(const eis_client *client)
{
    return client->lm.model->kind == EIS_MODEL_CLASSIFIER ? client->lm.model->classifier.class_count : 0;
}

const char *eis_client_class_label(const eis_client *client, uint32_t class_index)
{
    const eis_classifier *classifier = &client->lm.model->classifier;

    if (client->lm.model->kind != EIS_MODEL_CLASSIFIER || class_index >= classifier->label_count) return NULL;
    return classifier->labels[class_index];
}

eis_status eis_client_classify(eis_client *client, uint32_t *classes, double *logits, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    const eis_model *model = client->lm.model;
    size_t count = eis_client_class_count(client), words = 0;
    double *own = NULL;

    EIS_REQUIRE(model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "the model is a language model");
    EIS_REQUIRE(batch > 0, EIS_ERR_SHAPE, "the batch is empty");
    EIS_REQUIRE(eis_size_mul(&words, batch, count), EIS_ERR_TOO_LARGE, "the batch is too large");
    EIS_REQUIRE(!eis_net_cancel_raised(client->cancel), EIS_ERR_INTERRUPTED, "interrupted");
    EIS_NEW(own, words);
    EIS_TRY(client->he != NULL ? eis_he_session_classify(client->he, own, model, x, batch, NULL)
                               : eis_classifier_run(model, &client->seam, own, NULL, x, batch));
    for (size_t i = 0; i < batch; i++) classes[i] = eis_classifier_best(model, own + i * count);
    if (logits != NULL) memcpy(logits, own, words * sizeof *logits);
out:
    eis_mem_free_wiped(own, words, sizeof *own);
    return st;
}
