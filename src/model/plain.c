/* SPDX-License-Identifier: Apache-2.0 */
/* The executor of language models. Dimensions, one letter each:
 *
 *   b tokens in this batch   d model width   h hidden width   q heads * head_size   k kv_heads * head_size
 *
 * One block, for all b tokens at once:
 *
 *   normed = norm(x)                qkv = W_qkv normed           node 0
 *   turn q and k by position, put k and v into the cache
 *   mixed = softmax(q k / sqrt(head_size)) v, each token over itself and what came before it
 *   x += W_out mixed                                             node 1
 *   normed = norm(x)                up = W_gate_up normed        node 2
 *   Llama: hidden = silu(gate) * up    GPT-2: hidden = gelu(up)
 *   x += W_down hidden                                           node 3
 *
 * After the blocks the last token alone: logits = W_head norm(x). Values are never compared: what is not finite becomes
 * 0 behind each node, a mask remembers it, and the mask is looked at when all nodes have been asked. */
#include "model/plain.h"

#include "base/ct.h"
#include "base/mem.h"
#include "model/activation.h"
#include "model/dot.h"

#include <math.h>
#include <string.h>

struct eis_lm_session {
    const eis_model *model;
    eis_pool *pool;
    uint32_t position, max_positions;
    size_t cache_words;    /* of keys, and of values */
    double *keys, *values; /* [layer][kv_head][max_positions][head_size] */
    double *turns;         /* [max_positions][head_size / 2][cosine, sine] */
    double *scores;        /* [heads][max_positions] */
    double *work;          /* the arrays below, for work_batch tokens */
    size_t work_batch, work_words;
    double *x, *normed;  /* [b][d] */
    double *qkv;         /* [b][q + 2k] */
    double *mixed;       /* [b][q] */
    double *up;          /* [b][2h], GPT-2 [b][h] */
    double *hidden;      /* [b][h] */
    uint64_t not_finite; /* mask: something was */
};

/* --- making and clearing --------------------------------------------------------------------------------------- */

static uint32_t kv_width(const eis_lm *lm) { return lm->kv_heads * lm->head_size; }

static uint32_t qkv_width(const eis_lm *lm) { return (lm->heads + 2 * lm->kv_heads) * lm->head_size; }

static uint32_t up_width(const eis_lm *lm) { return lm->family == EIS_LM_LLAMA ? 2 * lm->hidden : lm->hidden; }

/* Positions are public, so libm's branches do no harm. */
static void fill_turns(eis_lm_session *s)
{
    const eis_lm *lm = &s->model->lm;
    const uint32_t half = lm->head_size / 2;

    for (uint32_t p = 0; p < s->max_positions; p++)
        for (uint32_t i = 0; i < half; i++) {
            const double angle = p * pow(lm->rope_theta, -2.0 * i / lm->head_size);
            s->turns[((size_t)p * half + i) * 2] = cos(angle);
            s->turns[((size_t)p * half + i) * 2 + 1] = sin(angle);
        }
}

eis_status eis_lm_session_new(eis_lm_session **session, const eis_model *model, uint32_t max_positions)
{
    eis_status st = EIS_OK;
    eis_lm_session *s = NULL;

    EIS_ASSERT(model->kind == EIS_MODEL_LM);
    const eis_lm *lm = &model->lm;
    *session = NULL;
    EIS_REQUIRE(max_positions <= lm->context, EIS_ERR_CONTEXT_LENGTH, "%u positions were asked for, the model has %u",
                max_positions, lm->context);
    EIS_NEW(s, 1);
    s->model = model;
    s->max_positions = max_positions > 0 ? max_positions : lm->context;
    /* 2^12 layers, 2^20 wide, 2^24 positions: below 2^57 */
    s->cache_words = (size_t)lm->layers * kv_width(lm) * s->max_positions;
    st = EIS_ERR_MEMORY;
    if ((s->keys = eis_mem_new_secret(s->cache_words, sizeof *s->keys)) == NULL) goto out;
    if ((s->values = eis_mem_new_secret(s->cache_words, sizeof *s->values)) == NULL) goto out;
    if ((s->scores = eis_mem_new_secret((size_t)lm->heads * s->max_positions, sizeof *s->scores)) == NULL) goto out;
    st = EIS_OK;
    if (lm->rope != EIS_ROPE_NONE) {
        EIS_NEW(s->turns, (size_t)s->max_positions * lm->head_size);
        fill_turns(s);
    }
    *session = s;
    s = NULL;
out:
    eis_lm_session_free(s);
    return st;
}

static void free_work(eis_lm_session *s)
{
    eis_mem_free_wiped(s->work, s->work_words, sizeof *s->work);
    s->work = NULL;
    s->work_batch = s->work_words = 0;
}

void eis_lm_session_free(eis_lm_session *session)
{
    if (session == NULL) return;
    free_work(session);
    eis_mem_free_wiped(session->keys, session->cache_words, sizeof *session->keys);
    eis_mem_free_wiped(session->values, session->cache_words, sizeof *session->values);
    eis_mem_free_wiped(session->scores, (size_t)session->model->lm.heads * session->max_positions,
                       sizeof *session->scores);
    eis_mem_free(session->turns);
    eis_mem_free(session);
}

void eis_lm_session_reset(eis_lm_session *session)
{
    free_work(session);
    eis_mem_wipe(session->keys, session->cache_words * sizeof *session->keys);
    eis_mem_wipe(session->values, session->cache_words * sizeof *session->values);
    session->position = 0;
}

void eis_lm_session_use_pool(eis_lm_session *session, eis_pool *pool) { session->pool = pool; }

uint32_t eis_lm_session_position(const eis_lm_session *session) { return session->position; }

/* Makes room for a batch of b tokens; a prompt's room goes when single tokens follow. */
static eis_status need_work(eis_lm_session *s, size_t b)
{
    const eis_lm *lm = &s->model->lm;
    const size_t d = lm->dim, q = (size_t)lm->heads * lm->head_size;
    const size_t per_token = 2 * d + qkv_width(lm) + q + up_width(lm) + lm->hidden;

    if (s->work_batch == b) return EIS_OK;
    free_work(s);
    s->work = eis_mem_new_secret(b * per_token, sizeof *s->work);
    if (s->work == NULL) return EIS_ERR_MEMORY;
    s->work_batch = b;
    s->work_words = b * per_token;
    s->x = s->work;
    s->normed = s->x + b * d;
    s->qkv = s->normed + b * d;
    s->mixed = s->qkv + b * qkv_width(lm);
    s->up = s->mixed + b * q;
    s->hidden = s->up + b * up_width(lm);
    return EIS_OK;
}

/* --- local steps ----------------------------------------------------------------------------------------------- */

static void embed(eis_lm_session *s, const uint32_t *ids, size_t b)
{
    const eis_lm *lm = &s->model->lm;

    for (size_t t = 0; t < b; t++) {
        double *x = s->x + t * lm->dim;
        eis_tensor_read_f64(x, &lm->token_embedding, ids[t], 1);
        if (lm->rope == EIS_ROPE_NONE) {
            eis_tensor_read_f64(s->normed, &lm->position_embedding, s->position + t, 1); /* free until the first norm */
            for (uint32_t i = 0; i < lm->dim; i++) x[i] += s->normed[i];
        }
    }
    s->not_finite |= eis_zero_not_finite(s->x, b * lm->dim);
}

/* RMSNorm, out = x / rms(x) * weight. */
static void norm_rms(double *out, const double *x, const eis_norm *norm, uint32_t d, double eps)
{
    double squares = 0;

    for (uint32_t i = 0; i < d; i++) squares += x[i] * x[i];
    const double factor = eis_inverse_sqrt(squares / d + eps);
    for (uint32_t i = 0; i < d; i++) out[i] = x[i] * factor * norm->weight[i];
}

/* LayerNorm, out = (x - mean) / deviation * weight + bias. */
static void norm_layer(double *out, const double *x, const eis_norm *norm, uint32_t d, double eps)
{
    double sum = 0, squares = 0;

    for (uint32_t i = 0; i < d; i++) sum += x[i];
    const double mean = sum / d;
    for (uint32_t i = 0; i < d; i++) squares += (x[i] - mean) * (x[i] - mean);
    const double factor = eis_inverse_sqrt(squares / d + eps);
    for (uint32_t i = 0; i < d; i++) out[i] = (x[i] - mean) * factor * norm->weight[i] + norm->bias[i];
}

static void normalise(eis_lm_session *s, const eis_norm *norm, size_t first, size_t b)
{
    const eis_lm *lm = &s->model->lm;

    for (size_t t = first; t < first + b; t++) {
        double *out = s->normed + t * lm->dim;
        const double *x = s->x + t * lm->dim;
        if (lm->family == EIS_LM_LLAMA)
            norm_rms(out, x, norm, lm->dim, lm->norm_eps);
        else
            norm_layer(out, x, norm, lm->dim, lm->norm_eps);
    }
}

/* Turns the pairs of one head by its position's angles. */
static void turn_head(double *head, const double *turns, uint32_t head_size, eis_rope rope)
{
    const uint32_t half = head_size / 2;

    for (uint32_t i = 0; i < half; i++) {
        const uint32_t one = rope == EIS_ROPE_PAIRS ? 2 * i : i;
        const uint32_t two = rope == EIS_ROPE_PAIRS ? 2 * i + 1 : i + half;
        const double a = head[one], b = head[two], cosine = turns[2 * i], sine = turns[2 * i + 1];
        head[one] = a * cosine - b * sine;
        head[two] = a * sine + b * cosine;
    }
}

/* Where a token's key or value of one head lies in the cache. */
static double *cache_at(const eis_lm_session *s, double *cache, uint32_t layer, uint32_t kv_head, size_t position)
{
    const eis_lm *lm = &s->model->lm;

    return cache + (((size_t)layer * lm->kv_heads + kv_head) * s->max_positions + position) * lm->head_size;
}

static void turn_and_store(eis_lm_session *s, uint32_t layer, size_t b)
{
    const eis_lm *lm = &s->model->lm;
    const size_t head_bytes = lm->head_size * sizeof(double);

    for (size_t t = 0; t < b; t++) {
        double *q = s->qkv + t * qkv_width(lm), *k = q + (size_t)lm->heads * lm->head_size, *v = k + kv_width(lm);
        const size_t position = s->position + t;
        if (lm->rope != EIS_ROPE_NONE) /* k follows q, so its heads are turned in the same walk */
            for (uint32_t i = 0; i < lm->heads + lm->kv_heads; i++)
                turn_head(q + (size_t)i * lm->head_size, s->turns + position * lm->head_size, lm->head_size, lm->rope);
        for (uint32_t i = 0; i < lm->kv_heads; i++) {
            memcpy(cache_at(s, s->keys, layer, i, position), k + (size_t)i * lm->head_size, head_bytes);
            memcpy(cache_at(s, s->values, layer, i, position), v + (size_t)i * lm->head_size, head_bytes);
        }
    }
}

/* out = the sum of weight[p] * values[p], four positions at a time so that out is touched less often. */
static void mix(double *restrict out, const double *restrict weight, const double *restrict values, size_t positions,
                size_t head_size)
{
    size_t p = 0;

    memset(out, 0, head_size * sizeof *out);
    for (; p + 4 <= positions; p += 4) {
        const double a = weight[p], b = weight[p + 1], c = weight[p + 2], d = weight[p + 3];
        const double *v = values + p * head_size;
        for (size_t i = 0; i < head_size; i++)
            out[i] += (a * v[i] + b * v[head_size + i]) + (c * v[2 * head_size + i] + d * v[3 * head_size + i]);
    }
    for (; p < positions; p++)
        for (size_t i = 0; i < head_size; i++) out[i] += weight[p] * values[p * head_size + i];
}

/* What one token's head takes from all positions up to its own. */
static void attend_one(double *out, double *scores, const double *q, const double *keys, const double *values,
                       size_t positions, size_t head_size)
{
    const double scale = 1 / sqrt((double)head_size);

    for (size_t p = 0; p < positions; p++) scores[p] = scale * eis_dot(q, keys + p * head_size, head_size);
    eis_softmax(scores, positions);
    mix(out, scores, values, positions, head_size);
}

typedef struct attention_job {
    const eis_lm_session *s;
    uint32_t layer;
    size_t b;
} attention_job;

/* Each head goes through all tokens with a row of scores of its own. */
static void attend_heads(void *arg, size_t first, size_t last)
{
    const attention_job *job = arg;
    const eis_lm_session *s = job->s;
    const eis_lm *lm = &s->model->lm;
    const size_t size = lm->head_size, q_width = lm->heads * size;

    for (size_t head = first; head < last; head++) {
        const uint32_t kv_head = (uint32_t)head / (lm->heads / lm->kv_heads);
        const double *keys = cache_at(s, s->keys, job->layer, kv_head, 0);
        const double *values = cache_at(s, s->values, job->layer, kv_head, 0);
        for (size_t t = 0; t < job->b; t++)
            attend_one(s->mixed + t * q_width + head * size, s->scores + head * s->max_positions,
                       s->qkv + t * qkv_width(lm) + head * size, keys, values, s->position + t + 1, size);
    }
}

static void attend(eis_lm_session *s, uint32_t layer, size_t b)
{
    const eis_lm *lm = &s->model->lm;
    attention_job job = {s, layer, b};
    const double work = (double)b * (double)(s->position + b) * lm->heads * lm->head_size;

    /* Waking the pool costs some microseconds; shapes are public, so this branch is. */
    eis_pool_run(work > 1e5 ? s->pool : NULL, lm->heads, 1, attend_heads, &job);
}

static void activate(eis_lm_session *s, size_t b)
{
    const eis_lm *lm = &s->model->lm;
    const size_t h = lm->hidden;

    if (lm->family == EIS_LM_GPT2) {
        memcpy(s->hidden, s->up, b * h * sizeof *s->hidden);
        eis_gelu_tanh(s->hidden, b * h);
        return;
    }
    for (size_t t = 0; t < b; t++) {
        const double *gate = s->up + t * 2 * h, *up = gate + h;
        double *hidden = s->hidden + t * h;
        memcpy(hidden, gate, h * sizeof *hidden);
        eis_silu(hidden, h);
        for (size_t i = 0; i < h; i++) hidden[i] *= up[i];
    }
}

static void add(double *x, const double *y, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] += y[i];
}

/* --- the schedule ---------------------------------------------------------------------------------------------- */

/* Asks for one node, adds its bias, and takes away what is not finite, before and behind. */
static eis_status ask(eis_lm_session *s, const eis_linear_backend *backend, uint32_t index, double *y, double *x,
                      size_t b)
{
    const eis_linear *node = &s->model->linears[index];
    eis_status st;

    s->not_finite |= eis_zero_not_finite(x, b * node->in);
    st = backend->apply(backend->ctx, index, y, x, b);
    if (st != EIS_OK) return st;
    if (node->bias != NULL)
        for (size_t t = 0; t < b; t++) add(y + t * node->out, node->bias, node->out);
    s->not_finite |= eis_zero_not_finite(y, b * node->out);
    return EIS_OK;
}

static eis_status run_block(eis_lm_session *s, const eis_linear_backend *backend, uint32_t layer, size_t b)
{
    eis_status st = EIS_OK;
    const eis_lm *lm = &s->model->lm;
    const eis_lm_block *block = &lm->blocks[layer];
    const uint32_t node = EIS_LM_LINEARS_PER_BLOCK * layer;

    normalise(s, &block->attention_norm, 0, b);
    EIS_TRY(ask(s, backend, node + EIS_LM_QKV, s->qkv, s->normed, b));
    turn_and_store(s, layer, b);
    attend(s, layer, b);
    EIS_TRY(ask(s, backend, node + EIS_LM_ATTENTION_OUT, s->normed, s->mixed, b));
    add(s->x, s->normed, b * lm->dim);
    normalise(s, &block->mlp_norm, 0, b);
    EIS_TRY(ask(s, backend, node + EIS_LM_GATE_UP, s->up, s->normed, b));
    activate(s, b);
    EIS_TRY(ask(s, backend, node + EIS_LM_DOWN, s->normed, s->hidden, b));
    add(s->x, s->normed, b * lm->dim);
out:
    return st;
}

static eis_status check_ids(const eis_lm_session *s, const uint32_t *ids, size_t count)
{
    eis_status st = EIS_OK;
    const uint32_t vocabulary = s->model->lm.vocabulary, left = s->max_positions - s->position;

    EIS_REQUIRE(count <= left, EIS_ERR_CONTEXT_LENGTH, "%zu tokens do not fit: %u of %u positions are left", count,
                left, s->max_positions);
    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(ids[i] < vocabulary, EIS_ERR_RANGE, "token %zu has an id outside the model's vocabulary of %u",
                    i + 1, vocabulary);
out:
    return st;
}

eis_status eis_lm_feed(eis_lm_session *session, double *logits, const eis_linear_backend *backend, const uint32_t *ids,
                       size_t count)
{
    eis_status st = EIS_OK;
    const eis_lm *lm = &session->model->lm;
    bool started = false;

    EIS_ASSERT(count > 0);
    EIS_TRY(check_ids(session, ids, count));
    EIS_TRY(need_work(session, count));
    started = true;
    session->not_finite = 0;
    embed(session, ids, count);
    for (uint32_t i = 0; i < lm->layers; i++) EIS_TRY(run_block(session, backend, i, count));
    if (logits != NULL) {
        normalise(session, &lm->final_norm, count - 1, 1);
        EIS_TRY(ask(session, backend, EIS_LM_LINEARS_PER_BLOCK * lm->layers, logits,
                    session->normed + (count - 1) * lm->dim, 1));
    }
    session->position += (uint32_t)count;
    EIS_PUBLIC(&session->not_finite, sizeof session->not_finite); /* the caller is told, when nothing is left to ask */
    EIS_REQUIRE(session->not_finite == 0, EIS_ERR_RANGE,
                "an activation was not finite; the weights are damaged or a server answered wrongly");
out:
    if (st != EIS_OK && started && logits != NULL) eis_mem_wipe(logits, lm->vocabulary * sizeof *logits);
    return st;
}
