/* SPDX-License-Identifier: Apache-2.0 */
/* A tiny language model made in the test, its files in every format, and a second way to compute it: whole sequence, no
 * cache, no fused matrices, libm. */
#ifndef EIS_TESTS_MODEL_MADE_LM_H
#define EIS_TESTS_MODEL_MADE_LM_H

#include "unit/model/fixture.h"

#include "model/graph.h"

#include <math.h>

enum { MADE_LAYERS = 2, MADE_IDS_MAX = 24 };

typedef struct made_block {
    double *norm1, *norm1_bias, *norm2, *norm2_bias; /* [dim] */
    double *q, *k, *v, *o, *gate, *up, *down;        /* [out][in] */
    double *q_bias, *k_bias, *v_bias, *o_bias, *gate_bias, *up_bias, *down_bias;
} made_block;

typedef struct made_lm {
    bool gpt2, tied, biased, pairs;
    size_t dim, hidden, heads, kv_heads, head_size, vocabulary, context;
    double theta, eps;
    made_block blocks[MADE_LAYERS];
    double *embedding, *positions, *norm, *norm_bias, *head;
    double pool[1 << 15];
    size_t used;
    uint64_t seed;
} made_lm;

/* Multiples of 1/64 below 1: exact in every float type. */
static inline double *made_array(made_lm *m, size_t count)
{
    double *a = m->pool + m->used;

    m->used += count;
    assert_true(m->used <= sizeof m->pool / sizeof *m->pool);
    for (size_t i = 0; i < count; i++) a[i] = round(48 * fixture_random(&m->seed)) / 64;
    return a;
}

static inline made_lm *made_lm_new(bool gpt2, bool tied, bool biased, bool pairs)
{
    made_lm *m = calloc(1, sizeof *m);

    assert_non_null(m);
    *m = (made_lm){.gpt2 = gpt2,
                   .tied = tied,
                   .biased = biased || gpt2,
                   .pairs = pairs,
                   .dim = 12,
                   .hidden = 20,
                   .heads = 4,
                   .kv_heads = gpt2 || pairs ? 4 : 2,
                   .head_size = gpt2 || pairs ? 3 : 6,
                   .vocabulary = 29,
                   .context = 24,
                   .theta = pairs ? 10000 : 500,
                   .eps = 1e-5,
                   .seed = 77};
    if (pairs) m->heads = 2, m->kv_heads = 1, m->head_size = 6;
    const size_t d = m->dim, h = m->hidden, q = m->heads * m->head_size, k = m->kv_heads * m->head_size;
    for (size_t i = 0; i < MADE_LAYERS; i++) {
        m->blocks[i] =
            (made_block){made_array(m, d),     made_array(m, d),     made_array(m, d),     made_array(m, d),
                         made_array(m, q * d), made_array(m, k * d), made_array(m, k * d), made_array(m, d * q),
                         made_array(m, h * d), made_array(m, h * d), made_array(m, d * h), made_array(m, q),
                         made_array(m, k),     made_array(m, k),     made_array(m, d),     made_array(m, h),
                         made_array(m, h),     made_array(m, d)};
    }
    m->embedding = made_array(m, m->vocabulary * d);
    m->positions = made_array(m, m->context * d);
    m->norm = made_array(m, d);
    m->norm_bias = made_array(m, d);
    m->head = tied ? m->embedding : made_array(m, m->vocabulary * d);
    return m;
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static inline void made_put(fixture_tensors *t, const char *dtype, const char *prefix, int layer, const char *rest,
                            size_t rows, size_t columns, const double *values)
{
    char name[128];

    if (layer < 0)
        snprintf(name, sizeof name, "%s%s", prefix, rest);
    else
        snprintf(name, sizeof name, "%s%d.%s", prefix, layer, rest);
    fixture_tensor_add(t, name, dtype, rows, columns, values);
}

/* A Conv1D stores [in][out]; q, k, v may stand side by side. */
static inline void made_put_conv1d(fixture_tensors *t, const char *dtype, const char *prefix, int layer,
                                   const char *rest, size_t in, size_t out, const double *const parts[3],
                                   int part_count)
{
    double *turned = malloc(sizeof *turned * in * out * 3);

    assert_non_null(turned);
    for (size_t i = 0; i < in; i++)
        for (int p = 0; p < part_count; p++)
            for (size_t o = 0; o < out; o++)
                turned[(i * (size_t)part_count + (size_t)p) * out + o] = parts[p][o * in + i];
    made_put(t, dtype, prefix, layer, rest, in, out * (size_t)part_count, turned);
    free(turned);
}

static inline void made_gpt2_block(const made_lm *m, fixture_tensors *t, const char *dtype, const char *prefix, int i)
{
    const made_block *b = &m->blocks[i > 0 ? i : 0]; /* gcc 12 takes layer -1 of made_put this far otherwise */
    const size_t d = m->dim, h = m->hidden;
    double bias[3 * 64];

    memcpy(bias, b->q_bias, d * sizeof *bias);
    memcpy(bias + d, b->k_bias, d * sizeof *bias);
    memcpy(bias + 2 * d, b->v_bias, d * sizeof *bias);
    made_put(t, dtype, prefix, i, "ln_1.weight", 0, d, b->norm1);
    made_put(t, dtype, prefix, i, "ln_1.bias", 0, d, b->norm1_bias);
    made_put(t, dtype, prefix, i, "ln_2.weight", 0, d, b->norm2);
    made_put(t, dtype, prefix, i, "ln_2.bias", 0, d, b->norm2_bias);
    made_put_conv1d(t, dtype, prefix, i, "attn.c_attn.weight", d, d, (const double *const[3]){b->q, b->k, b->v}, 3);
    made_put(t, dtype, prefix, i, "attn.c_attn.bias", 0, 3 * d, bias);
    made_put(t, dtype, prefix, i, "attn.bias", 4, 4, b->q); /* the mask buffer that old files carry */
    made_put_conv1d(t, dtype, prefix, i, "attn.c_proj.weight", d, d, (const double *const[3]){b->o}, 1);
    made_put(t, dtype, prefix, i, "attn.c_proj.bias", 0, d, b->o_bias);
    made_put_conv1d(t, dtype, prefix, i, "mlp.c_fc.weight", d, h, (const double *const[3]){b->up}, 1);
    made_put(t, dtype, prefix, i, "mlp.c_fc.bias", 0, h, b->up_bias);
    made_put_conv1d(t, dtype, prefix, i, "mlp.c_proj.weight", h, d, (const double *const[3]){b->down}, 1);
    made_put(t, dtype, prefix, i, "mlp.c_proj.bias", 0, d, b->down_bias);
}

static inline void made_llama_block(const made_lm *m, fixture_tensors *t, const char *dtype, const char *prefix, int i)
{
    const made_block *b = &m->blocks[i > 0 ? i : 0]; /* gcc 12 takes layer -1 of made_put this far otherwise */
    const size_t d = m->dim, h = m->hidden, q = m->heads * m->head_size, k = m->kv_heads * m->head_size;
    const struct {
        const char *name;
        size_t out, in;
        const double *weight, *bias;
    } all[] = {
        {"self_attn.q_proj", q, d, b->q, b->q_bias},    {"self_attn.k_proj", k, d, b->k, b->k_bias},
        {"self_attn.v_proj", k, d, b->v, b->v_bias},    {"self_attn.o_proj", d, q, b->o, b->o_bias},
        {"mlp.gate_proj", h, d, b->gate, b->gate_bias}, {"mlp.up_proj", h, d, b->up, b->up_bias},
        {"mlp.down_proj", d, h, b->down, b->down_bias},
    };
    char name[64];

    made_put(t, dtype, prefix, i, "input_layernorm.weight", 0, d, b->norm1);
    made_put(t, dtype, prefix, i, "post_attention_layernorm.weight", 0, d, b->norm2);
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        snprintf(name, sizeof name, "%s.weight", all[n].name);
        made_put(t, dtype, prefix, i, name, all[n].out, all[n].in, all[n].weight);
        snprintf(name, sizeof name, "%s.bias", all[n].name);
        if (m->biased) made_put(t, dtype, prefix, i, name, 0, all[n].out, all[n].bias);
    }
}

/* Puts the tensors that are no block's. */
static inline void made_outer(const made_lm *m, fixture_tensors *t, const char *dtype, bool prefixed)
{
    const char *prefix = !prefixed ? "" : m->gpt2 ? "transformer." : "model.";
    const size_t d = m->dim;

    made_put(t, dtype, prefix, -1, m->gpt2 ? "wte.weight" : "embed_tokens.weight", m->vocabulary, d, m->embedding);
    if (m->gpt2) made_put(t, dtype, prefix, -1, "wpe.weight", m->context, d, m->positions);
    made_put(t, dtype, prefix, -1, m->gpt2 ? "ln_f.weight" : "norm.weight", 0, d, m->norm);
    if (m->gpt2) made_put(t, dtype, prefix, -1, "ln_f.bias", 0, d, m->norm_bias);
    if (!m->tied) made_put(t, dtype, "", -1, "lm_head.weight", m->vocabulary, d, m->head);
}

static inline void made_block_put(const made_lm *m, fixture_tensors *t, const char *dtype, bool prefixed, int i)
{
    if (m->gpt2)
        made_gpt2_block(m, t, dtype, prefixed ? "transformer.h." : "h.", i);
    else
        made_llama_block(m, t, dtype, prefixed ? "model.layers." : "layers.", i);
}

/* Writes config.json with `more` members ("" or ",\"x\":1"). */
static inline void made_config(const made_lm *m, const char *directory, const char *more)
{
    char text[2048];

    if (m->gpt2)
        snprintf(
            text, sizeof text,
            "{\"model_type\":\"gpt2\",\"n_embd\":%zu,\"n_inner\":%zu,\"n_layer\":%d,\"n_head\":%zu,\"vocab_size\":%zu,"
            "\"n_positions\":%zu,\"activation_function\":\"gelu_new\",\"layer_norm_epsilon\":%g,"
            "\"tie_word_embeddings\":%s,\"bos_token_id\":3,\"eos_token_id\":[4,5]%s}",
            m->dim, m->hidden, MADE_LAYERS, m->heads, m->vocabulary, m->context, m->eps, m->tied ? "true" : "false",
            more);
    else
        snprintf(text, sizeof text,
                 "{\"model_type\":\"llama\",\"hidden_size\":%zu,\"intermediate_size\":%zu,\"num_hidden_layers\":%d,"
                 "\"num_attention_heads\":%zu,\"num_key_value_heads\":%zu,\"head_dim\":%zu,\"vocab_size\":%zu,"
                 "\"max_position_embeddings\":%zu,\"hidden_act\":\"silu\",\"rms_norm_eps\":%g,\"rope_theta\":%g,"
                 "\"rope_scaling\":null,\"tie_word_embeddings\":%s,\"attention_bias\":%s,\"mlp_bias\":%s,"
                 "\"bos_token_id\":3,\"eos_token_id\":4%s}",
                 m->dim, m->hidden, MADE_LAYERS, m->heads, m->kv_heads, m->head_size, m->vocabulary, m->context, m->eps,
                 m->theta, m->tied ? "true" : "false", m->biased ? "true" : "false", m->biased ? "true" : "false",
                 more);
    fixture_write_text(directory, "config.json", text);
}

/* Writes a Hugging Face directory with one file. */
static inline void made_hf(const made_lm *m, const char *directory, const char *dtype, bool prefixed)
{
    fixture_tensors *t = fixture_tensors_new();

    made_config(m, directory, "");
    made_outer(m, t, dtype, prefixed);
    for (int i = 0; i < MADE_LAYERS; i++) made_block_put(m, t, dtype, prefixed, i);
    fixture_tensors_write(t, directory, "model.safetensors");
    free(t);
}

static inline const char *const *made_hf_names(void)
{
    static const char *const names[] = {"config.json", "model.safetensors", NULL};

    return names;
}

static inline uint8_t *made_floats(uint8_t *at, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float f = values == NULL ? 9.0f : (float)values[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        eis_store_le32(at, bits);
        at += 4;
    }
    return at;
}

/* Makes a llama2.c file; freed by free. */
static inline uint8_t *made_llama2c(const made_lm *m, size_t *count)
{
    const size_t d = m->dim, h = m->hidden, k = m->kv_heads * m->head_size;
    uint8_t *file = malloc(sizeof m->pool), *at = file;
    const int32_t words[7] = {(int32_t)d,           (int32_t)h,
                              MADE_LAYERS,          (int32_t)m->heads,
                              (int32_t)m->kv_heads, m->tied ? (int32_t)m->vocabulary : -(int32_t)m->vocabulary,
                              (int32_t)m->context};

    assert_non_null(file);
    for (int i = 0; i < 7; i++, at += 4) eis_store_le32(at, (uint32_t)words[i]);
    at = made_floats(at, m->embedding, m->vocabulary * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].norm1, d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].q, d * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].k, k * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].v, k * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].o, d * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].norm2, d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].gate, h * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].down, h * d);
    for (int i = 0; i < MADE_LAYERS; i++) at = made_floats(at, m->blocks[i].up, h * d);
    at = made_floats(at, m->norm, d);
    at = made_floats(at, NULL,
                     m->context * m->head_size); /* the two rotary tables, wrong on purpose: nobody reads them */
    if (!m->tied) at = made_floats(at, m->head, m->vocabulary * d);
    *count = (size_t)(at - file);
    return file;
}

/* --- the second computation -------------------------------------------------------------------------------------- */

/* y[out] = W x + bias */
static inline void made_times(double *y, const double *w, const double *bias, const double *x, size_t out, size_t in)
{
    for (size_t o = 0; o < out; o++) {
        long double sum = bias != NULL ? bias[o] : 0;
        for (size_t i = 0; i < in; i++) sum += (long double)w[o * in + i] * x[i];
        y[o] = (double)sum;
    }
}

static inline void made_normalise(const made_lm *m, double *out, const double *x, const double *weight,
                                  const double *bias)
{
    double mean = 0, square = 0;

    for (size_t i = 0; m->gpt2 && i < m->dim; i++) mean += x[i] / (double)m->dim;
    for (size_t i = 0; i < m->dim; i++) square += (x[i] - mean) * (x[i] - mean) / (double)m->dim;
    for (size_t i = 0; i < m->dim; i++)
        out[i] = (x[i] - mean) / sqrt(square + m->eps) * weight[i] + (m->gpt2 ? bias[i] : 0);
}

/* Turns one head as a row of complex numbers. */
static inline void made_turn(const made_lm *m, double *head, size_t position)
{
    const size_t half = m->head_size / 2;

    for (size_t i = 0; !m->gpt2 && i < half; i++) {
        const size_t a = m->pairs ? 2 * i : i, b = m->pairs ? 2 * i + 1 : i + half;
        const double angle = (double)position / pow(m->theta, (double)(2 * i) / (double)m->head_size);
        const double re = head[a] * cos(angle) - head[b] * sin(angle), im = head[a] * sin(angle) + head[b] * cos(angle);
        head[a] = re;
        head[b] = im;
    }
}

/* Gives the logits behind the last of n ids. */
static inline void made_forward(const made_lm *m, double *logits, const uint32_t *ids, size_t n)
{
    static double x[MADE_IDS_MAX][64], normed[64], q[MADE_IDS_MAX][64], k[MADE_IDS_MAX][64], v[MADE_IDS_MAX][64],
        mixed[64], gate[64], up[64], y[64];
    const size_t d = m->dim, h = m->hidden, hs = m->head_size, qw = m->heads * hs, kw = m->kv_heads * hs;

    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < d; i++) x[t][i] = m->embedding[ids[t] * d + i] + (m->gpt2 ? m->positions[t * d + i] : 0);
    for (size_t l = 0; l < MADE_LAYERS; l++) {
        const made_block *b = &m->blocks[l];
        const bool biased = m->biased;
        for (size_t t = 0; t < n; t++) {
            made_normalise(m, normed, x[t], b->norm1, b->norm1_bias);
            made_times(q[t], b->q, biased ? b->q_bias : NULL, normed, qw, d);
            made_times(k[t], b->k, biased ? b->k_bias : NULL, normed, kw, d);
            made_times(v[t], b->v, biased ? b->v_bias : NULL, normed, kw, d);
            for (size_t i = 0; i < m->heads; i++) made_turn(m, q[t] + i * hs, t);
            for (size_t i = 0; i < m->kv_heads; i++) made_turn(m, k[t] + i * hs, t);
        }
        for (size_t t = 0; t < n; t++) {
            for (size_t head = 0; head < m->heads; head++) {
                const size_t at = head * m->kv_heads / m->heads * hs;
                double weight[MADE_IDS_MAX], sum = 0;
                for (size_t p = 0; p <= t; p++) {
                    double score = 0;
                    for (size_t i = 0; i < hs; i++) score += q[t][head * hs + i] * k[p][at + i];
                    sum += weight[p] = exp(score / sqrt((double)hs));
                }
                for (size_t i = 0; i < hs; i++) {
                    mixed[head * hs + i] = 0;
                    for (size_t p = 0; p <= t; p++) mixed[head * hs + i] += weight[p] / sum * v[p][at + i];
                }
            }
            made_times(y, b->o, biased ? b->o_bias : NULL, mixed, d, qw);
            for (size_t i = 0; i < d; i++) x[t][i] += y[i];
            made_normalise(m, normed, x[t], b->norm2, b->norm2_bias);
            made_times(up, b->up, biased ? b->up_bias : NULL, normed, h, d);
            made_times(gate, b->gate, biased ? b->gate_bias : NULL, normed, h, d);
            for (size_t i = 0; i < h; i++)
                up[i] = m->gpt2 ? 0.5 * up[i] * (1 + tanh(sqrt(2 / acos(-1)) * (up[i] + 0.044715 * pow(up[i], 3))))
                                : gate[i] / (1 + exp(-gate[i])) * up[i];
            made_times(y, b->down, biased ? b->down_bias : NULL, up, d, h);
            for (size_t i = 0; i < d; i++) x[t][i] += y[i];
        }
    }
    made_normalise(m, normed, x[n - 1], m->norm, m->norm_bias);
    made_times(logits, m->head, NULL, normed, m->vocabulary, d);
}

#endif
