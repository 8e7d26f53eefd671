/* SPDX-License-Identifier: Apache-2.0 */
#include "service/text_model.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/part.h"
#include "model/plain.h"

#include <stdio.h>
#include <string.h>

/* ---- model and tokenizer ---- */

/* Finds the tokenizer that travels with a client part. */
static eis_status open_part_tokenizer(eis_text_model *lm, const char *model_path)
{
    for (int kind = EIS_TOKENIZER_LLAMA2C; kind <= EIS_TOKENIZER_VOCAB_MERGES; kind++) {
        const eis_part_blob *blob =
            eis_part_find_blob(lm->model->part, eis_tokenizer_kind_name((eis_tokenizer_kind)kind));
        if (blob != NULL)
            return eis_tokenizer_new(&lm->tokenizer, (eis_tokenizer_kind)kind, blob->bytes.data, blob->bytes.bytes,
                                     lm->model->lm.vocabulary, model_path);
    }
    return EIS_OK;
}

/* A model directory may lack a tokenizer; then ids are all it can be driven by. */
static eis_status open_neighbour_tokenizer(eis_text_model *lm, const char *model_path)
{
    eis_status st = eis_tokenizer_open(&lm->tokenizer, model_path, lm->model->lm.vocabulary);

    if (st != EIS_ERR_NOT_FOUND) return st;
    eis_error_clear();
    return EIS_OK;
}

static bool is_directory(const char *path)
{
    FILE *probe = NULL;
    char inside[4096];

    if (snprintf(inside, sizeof inside, "%s/config.json", path) < (int)sizeof inside) probe = fopen(inside, "rb");
    if (probe == NULL) return false;
    fclose(probe);
    return true;
}

eis_status eis_text_model_open_tokenizer(eis_text_model *lm, const char *model_path, const char *tokenizer_path)
{
    if (tokenizer_path != NULL) return eis_tokenizer_open(&lm->tokenizer, tokenizer_path, lm->model->lm.vocabulary);
    if (lm->model->part != NULL) return open_part_tokenizer(lm, model_path);
    return is_directory(model_path) ? open_neighbour_tokenizer(lm, model_path) : EIS_OK;
}

eis_status eis_text_model_open(eis_text_model *lm, const char *model_path, const char *tokenizer_path)
{
    eis_status st = EIS_OK;

    memset(lm, 0, sizeof *lm);
    EIS_TRY(eis_model_open(&lm->model, model_path, NULL));
    EIS_REQUIRE(lm->model->kind == EIS_MODEL_LM, EIS_ERR_MODEL, "%s is a classifier; use `eis classify`", model_path);
    EIS_TRY(eis_text_model_open_tokenizer(lm, model_path, tokenizer_path));
out:
    if (st != EIS_OK) eis_text_model_close(lm);
    return st;
}

void eis_text_model_close(eis_text_model *lm)
{
    eis_tokenizer_free(lm->tokenizer);
    eis_model_free(lm->model);
    memset(lm, 0, sizeof *lm);
}

/* ---- prompts ---- */

eis_status eis_text_model_check_ids(const eis_text_model *lm, const eis_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if (ids->ids[i] >= lm->model->lm.vocabulary)
            return eis_fail(EIS_ERR_RANGE, "token %zu of the prompt has id %u; the model knows %u tokens", i,
                            ids->ids[i], lm->model->lm.vocabulary);
    return EIS_OK;
}

eis_status eis_text_model_encode(eis_ids *ids, const eis_text_model *lm, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(lm->tokenizer != NULL, EIS_ERR_USAGE,
                "the model comes without a tokenizer; name one with --tokenizer, or give --prompt-ids");
    EIS_TRY(eis_tokenizer_encode(lm->tokenizer, ids, data, bytes));
    if (ids->count == 0) {
        EIS_REQUIRE(lm->model->lm.bos_id >= 0, EIS_ERR_USAGE,
                    "an empty prompt needs a model with a beginning-of-text token");
        EIS_TRY(eis_ids_append(ids, (uint32_t)lm->model->lm.bos_id));
    }
out:
    return st;
}

/* ---- generation ---- */

static bool is_stop(const eis_text_model *lm, uint32_t id)
{
    for (uint32_t i = 0; i < lm->model->lm.stop_count; i++)
        if (lm->model->lm.stop_ids[i] == id) return true;
    return false;
}

static eis_status room_for(uint32_t *max_tokens, size_t prompt_count, uint32_t context)
{
    if (prompt_count >= context)
        return eis_fail(EIS_ERR_CONTEXT_LENGTH, "the prompt has %zu tokens and the model's context %u; shorten it",
                        prompt_count, context);
    /* The last token is never fed, so a context of C holds C + 1 tokens of text. */
    if (*max_tokens > context - prompt_count + 1) {
        *max_tokens = (uint32_t)(context - prompt_count + 1);
        eis_log(EIS_LOG_WARN, "context", "at most %u tokens fit the model's context of %u behind this prompt",
                *max_tokens, context);
    }
    return EIS_OK;
}

static eis_status emit(eis_text_growth *g, uint32_t id, double ms)
{
    const eis_text_token token = {.id = id, .text = &g->text, .ms = ms};

    return g->generation->emit != NULL ? g->generation->emit(g->generation->context, &token) : EIS_OK;
}

/* The prompt's own text comes first, so that the output is one text. */
eis_status eis_text_growth_begin(eis_text_growth *g, const eis_text_generation *generation, const eis_ids *ids,
                                 uint32_t context)
{
    eis_status st = EIS_OK;

    *g = (eis_text_growth){.generation = generation, .most = generation->max_tokens};
    eis_decoder_init(&g->decoder, generation->lm->tokenizer);
    EIS_TRY(room_for(&g->most, ids->count, context));
    if (generation->lm->tokenizer != NULL)
        for (size_t i = 0; i < ids->count; i++) EIS_TRY(eis_decoder_push(&g->decoder, &g->text, ids->ids[i]));
    EIS_TRY(emit(g, EIS_TOKEN_NONE, 0));
out:
    return st;
}

eis_status eis_text_growth_add(eis_text_growth *g, eis_ids *ids, bool *stop, uint32_t id, double ms)
{
    eis_status st = EIS_OK;

    *stop = is_stop(g->generation->lm, id);
    if (*stop) return EIS_OK;
    EIS_TRY(eis_ids_append(ids, id));
    g->text.bytes = 0;
    if (g->generation->lm->tokenizer != NULL) EIS_TRY(eis_decoder_push(&g->decoder, &g->text, id));
    EIS_TRY(emit(g, id, ms));
out:
    return st;
}

eis_status eis_text_growth_end(eis_text_growth *g)
{
    eis_status st = EIS_OK;

    g->text.bytes = 0;
    if (g->generation->lm->tokenizer != NULL) EIS_TRY(eis_decoder_finish(&g->decoder, &g->text));
    if (g->text.bytes > 0) EIS_TRY(emit(g, EIS_TOKEN_NONE, 0));
out:
    return st;
}

void eis_text_growth_clear(eis_text_growth *g) { eis_text_clear(&g->text); }

eis_status eis_text_generate(eis_ids *ids, const eis_text_generation *generation)
{
    eis_status st = EIS_OK;
    const eis_lm *lm = &generation->lm->model->lm;
    size_t fed = 0;
    eis_lm_session *session = NULL;
    eis_sampler sampler = {0};
    eis_text_growth growth = {0};
    double *logits = NULL;
    bool stop = false;

    EIS_TRY(eis_sampler_init(&sampler, &generation->sampling));
    EIS_TRY(eis_text_growth_begin(&growth, generation, ids, lm->context));
    EIS_TRY(eis_lm_session_new(&session, generation->lm->model, (uint32_t)(ids->count + growth.most - 1)));
    EIS_NEW(logits, lm->vocabulary);
    for (uint32_t made = 0; made < growth.most && !stop; made++) {
        uint64_t started = eis_clock_ns();
        uint32_t id;
        EIS_REQUIRE(!eis_net_cancel_raised(generation->cancel), EIS_ERR_INTERRUPTED, "interrupted");
        EIS_TRY(eis_lm_feed(session, logits, &generation->backend, ids->ids + fed, ids->count - fed));
        fed = ids->count;
        EIS_TRY(eis_sampler_pick(&sampler, &id, logits, lm->vocabulary));
        EIS_TRY(eis_text_growth_add(&growth, ids, &stop, id, (double)(eis_clock_ns() - started) / 1e6));
    }
    EIS_TRY(eis_text_growth_end(&growth));
out:
    eis_lm_session_free(session);
    eis_sampler_clear(&sampler);
    eis_text_growth_clear(&growth);
    eis_mem_free_wiped(logits, lm->vocabulary, sizeof *logits);
    return st;
}
