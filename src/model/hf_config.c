/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of Llama and GPT-2. The file has dozens of members; those that change what is computed are read or
 * refused, the others (dropout, versions, cache switches) have no say in inference. */
#include "model/hf.h"

#include "model/lm_nodes.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES_MAX ((size_t)1 << 20)

/* Finds a member that is there and not null: Hugging Face writes null for "the default". */
static bool given(eis_json_value *value, eis_json_value config, const char *name)
{
    return eis_json_find(value, config, name) && eis_json_type_of(*value) != EIS_JSON_NULL;
}

static eis_status refuse(const char *file, const char *member, const char *why)
{
    return eis_fail(EIS_ERR_UNSUPPORTED, "%s: %s: %s", file, member, why);
}

/* Reads a whole number >= 1; where it is absent or null, *out keeps its value unless it must be there. */
static eis_status read_count(uint32_t *out, eis_json_value config, const char *file, const char *name, bool required)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    uint64_t number = 0;

    if (!required && !given(&value, config, name)) return EIS_OK;
    EIS_TRY(eis_json_bind_u64(&number, config, file, name, true, 1, UINT32_MAX));
    *out = (uint32_t)number;
out:
    return st;
}

static eis_status read_number(double *out, eis_json_value config, const char *file, const char *name)
{
    eis_json_value value;

    if (!given(&value, config, name)) return EIS_OK;
    return eis_json_bind_double(out, config, file, name, true, 0, 1e300);
}

static eis_status read_flag(bool *out, eis_json_value config, const char *file, const char *name)
{
    eis_json_value value;

    if (!given(&value, config, name)) return EIS_OK;
    return eis_json_bind_bool(out, config, file, name, true);
}

/* Refuses a flag that stands at anything but `expected`. */
static eis_status need_flag(eis_json_value config, const char *file, const char *name, bool expected)
{
    bool flag = expected;
    eis_status st = read_flag(&flag, config, file, name);

    if (st == EIS_OK && flag != expected)
        st = refuse(file, name, expected ? "false is not computed here" : "true is not computed here");
    return st;
}

/* Refuses a member that is there and not null. */
static eis_status need_absent(eis_json_value config, const char *file, const char *name)
{
    eis_json_value value;

    return given(&value, config, name) ? refuse(file, name, "is not computed here; only null is") : EIS_OK;
}

static eis_status read_bos(int64_t *bos, eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    eis_json_iter it;

    if (!given(&value, config, "bos_token_id")) return EIS_OK;
    it = eis_json_iterate(value);
    if (eis_json_type_of(value) == EIS_JSON_ARRAY && !eis_json_next_element(&it, &value)) return EIS_OK;
    EIS_REQUIRE(eis_json_i64(bos, value) && *bos >= 0 && *bos <= UINT32_MAX, EIS_ERR_PARSE,
                "%s: bos_token_id must be a token id or a list of them", file);
out:
    return st;
}

static eis_status add_stop(eis_lm *lm, eis_json_value value, const char *file)
{
    uint64_t id;

    if (!eis_json_u64(&id, value) || id > UINT32_MAX)
        return eis_fail(EIS_ERR_PARSE, "%s: eos_token_id must be a token id or a list of them", file);
    if (lm->stop_count == EIS_LM_STOP_IDS_MAX)
        return eis_fail(EIS_ERR_UNSUPPORTED, "%s: eos_token_id: more than %d ids", file, EIS_LM_STOP_IDS_MAX);
    lm->stop_ids[lm->stop_count++] = (uint32_t)id;
    return EIS_OK;
}

static eis_status read_eos(eis_lm *lm, eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_json_value value, element;
    eis_json_iter it;

    if (!given(&value, config, "eos_token_id")) return EIS_OK;
    if (eis_json_type_of(value) != EIS_JSON_ARRAY) return add_stop(lm, value, file);
    it = eis_json_iterate(value);
    while (eis_json_next_element(&it, &element)) EIS_TRY(add_stop(lm, element, file));
out:
    return st;
}

/* The newer spelling of rope_theta; any kind but the plain one changes the angles. */
static eis_status read_rope_parameters(double *theta, eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_json_value rope, kind;
    char path[256];

    if (!given(&rope, config, "rope_parameters")) return EIS_OK;
    snprintf(path, sizeof path, "%.200s: rope_parameters", file);
    EIS_REQUIRE(eis_json_type_of(rope) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s must be an object", path);
    if (given(&kind, rope, "rope_type") && !eis_json_string_is(kind, "default"))
        return refuse(file, "rope_parameters.rope_type", "only \"default\" is computed here");
    EIS_TRY(read_number(theta, rope, path, "rope_theta"));
out:
    return st;
}

static eis_status refuse_for_llama(eis_json_value config, const char *file)
{
    static const char *const absent[] = {"rope_scaling",      "sliding_window",          "quantization_config",
                                         "num_local_experts", "final_logit_softcapping", "attn_logit_softcapping"};
    eis_status st = EIS_OK;
    eis_json_value value;
    double rotary = 1;

    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) EIS_TRY(need_absent(config, file, absent[i]));
    if (given(&value, config, "hidden_act") && !eis_json_string_is(value, "silu"))
        return refuse(file, "hidden_act", "only \"silu\" is computed here");
    EIS_TRY(read_number(&rotary, config, file, "partial_rotary_factor"));
    if (rotary != 1) return refuse(file, "partial_rotary_factor", "only 1 is computed here");
out:
    return st;
}

static eis_status read_llama(eis_hf_config *c, eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &c->lm;

    EIS_TRY(refuse_for_llama(config, file));
    lm->family = EIS_LM_LLAMA;
    lm->rope = EIS_ROPE_HALVES;
    lm->rope_theta = 10000; /* here and below: the defaults of the library that writes these files */
    lm->norm_eps = 1e-6;
    EIS_TRY(read_count(&lm->dim, config, file, "hidden_size", true));
    EIS_TRY(read_count(&lm->hidden, config, file, "intermediate_size", true));
    EIS_TRY(read_count(&lm->layers, config, file, "num_hidden_layers", true));
    EIS_TRY(read_count(&lm->heads, config, file, "num_attention_heads", true));
    EIS_TRY(read_count(&lm->vocabulary, config, file, "vocab_size", true));
    EIS_TRY(read_count(&lm->context, config, file, "max_position_embeddings", true));
    lm->kv_heads = lm->heads;
    EIS_TRY(read_count(&lm->kv_heads, config, file, "num_key_value_heads", false));
    EIS_TRY(read_count(&lm->head_size, config, file, "head_dim", false));
    if (lm->head_size == 0) {
        EIS_REQUIRE(lm->dim % lm->heads == 0, EIS_ERR_MODEL, "%s: hidden_size is no multiple of num_attention_heads",
                    file);
        lm->head_size = lm->dim / lm->heads;
    }
    EIS_TRY(read_number(&lm->rope_theta, config, file, "rope_theta"));
    EIS_TRY(read_rope_parameters(&lm->rope_theta, config, file));
    EIS_TRY(read_number(&lm->norm_eps, config, file, "rms_norm_eps"));
    EIS_TRY(read_flag(&lm->head_tied, config, file, "tie_word_embeddings"));
    EIS_TRY(read_flag(&c->attention_bias, config, file, "attention_bias"));
    EIS_TRY(read_flag(&c->mlp_bias, config, file, "mlp_bias"));
out:
    return st;
}

static eis_status refuse_for_gpt2(eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_json_value value;

    EIS_TRY(need_absent(config, file, "quantization_config"));
    EIS_TRY(need_flag(config, file, "scale_attn_by_inverse_layer_idx", false));
    EIS_TRY(need_flag(config, file, "scale_attn_weights", true));
    EIS_TRY(need_flag(config, file, "add_cross_attention", false));
    if (given(&value, config, "activation_function") && !eis_json_string_is(value, "gelu_new") &&
        !eis_json_string_is(value, "gelu_pytorch_tanh"))
        return refuse(file, "activation_function", "only \"gelu_new\" and \"gelu_pytorch_tanh\" are computed here");
out:
    return st;
}

static eis_status read_gpt2(eis_hf_config *c, eis_json_value config, const char *file)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &c->lm;
    eis_json_value value;
    const bool has_positions = given(&value, config, "n_positions");

    EIS_TRY(refuse_for_gpt2(config, file));
    lm->family = EIS_LM_GPT2;
    lm->rope = EIS_ROPE_NONE;
    lm->norm_eps = 1e-5;
    lm->head_tied = true;
    EIS_TRY(read_count(&lm->dim, config, file, "n_embd", true));
    EIS_REQUIRE(lm->dim <= EIS_LM_WIDTH_MAX, EIS_ERR_MODEL, "%s: n_embd is larger than %u", file, EIS_LM_WIDTH_MAX);
    lm->hidden = 4 * lm->dim;
    EIS_TRY(read_count(&lm->hidden, config, file, "n_inner", false));
    EIS_TRY(read_count(&lm->layers, config, file, "n_layer", true));
    EIS_TRY(read_count(&lm->heads, config, file, "n_head", true));
    EIS_TRY(read_count(&lm->vocabulary, config, file, "vocab_size", true));
    EIS_TRY(read_count(&lm->context, config, file, has_positions ? "n_positions" : "n_ctx", true));
    EIS_REQUIRE(lm->dim % lm->heads == 0, EIS_ERR_MODEL, "%s: n_embd is no multiple of n_head", file);
    lm->kv_heads = lm->heads;
    lm->head_size = lm->dim / lm->heads;
    EIS_TRY(read_number(&lm->norm_eps, config, file, "layer_norm_epsilon"));
    EIS_TRY(read_flag(&lm->head_tied, config, file, "tie_word_embeddings"));
out:
    return st;
}

eis_status eis_hf_config_read(eis_hf_config *config, eis_span text, const char *name)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;
    eis_json_value root, type;
    eis_hf_config c = {0};

    EIS_TRY(eis_json_parse(&doc, name, text.data, text.bytes, CONFIG_BYTES_MAX));
    root = eis_json_root(doc);
    EIS_TRY(eis_json_bind_member(&type, root, name, "model_type"));
    c.lm.bos_id = -1;
    if (eis_json_string_is(type, "llama")) {
        EIS_TRY(read_llama(&c, root, name));
    } else if (eis_json_string_is(type, "gpt2")) {
        EIS_TRY(read_gpt2(&c, root, name));
    } else {
        EIS_TRY(refuse(name, "model_type", "only \"llama\" and \"gpt2\" are computed here"));
    }
    EIS_TRY(read_bos(&c.lm.bos_id, root, name));
    EIS_TRY(read_eos(&c.lm, root, name));
    EIS_TRY(eis_lm_check(&c.lm, name));
    *config = c;
out:
    eis_json_free(doc);
    return st;
}
