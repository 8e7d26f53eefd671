/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_model.h"

#include <string.h>

static bool is_classifier(const eis_mpc_session *s) { return s->kind == EIS_MPC_MODEL_CLASSIFIER; }

const eis_mpc_matrix_shape *eis_mpc_model_shapes(uint32_t *count, const eis_mpc_session *s)
{
    *count = is_classifier(s) ? s->classifier.shape_count : s->lm.shape_count;
    return is_classifier(s) ? s->classifier.shapes : s->lm.shapes;
}

const eis_mpc_lm_vector *eis_mpc_model_vectors(uint32_t *count, const eis_mpc_session *s)
{
    *count = is_classifier(s) ? s->classifier.vector_count : s->lm.vector_count;
    return is_classifier(s) ? s->classifier.vectors : s->lm.vectors;
}

uint32_t eis_mpc_model_slot_count(const eis_mpc_session *s)
{
    return is_classifier(s) ? s->classifier.vector_count : eis_mpc_lm_slot_count(&s->lm);
}

uint32_t eis_mpc_model_answers(const eis_mpc_session *s)
{
    return is_classifier(s) ? s->classifier.classes : s->lm.vocabulary;
}

eis_status eis_mpc_model_weights(uint64_t *words, const eis_mpc_session *s, const eis_model *model, uint32_t matrix)
{
    if (is_classifier(s)) return eis_mpc_classifier_weights(words, &s->classifier, model, matrix);
    return eis_mpc_lm_weights(words, &s->lm, model, matrix);
}

eis_status eis_mpc_model_vector_values(int64_t *values, const eis_mpc_session *s, const eis_model *model,
                                       uint32_t vector)
{
    if (is_classifier(s)) return eis_mpc_classifier_vector_values(values, &s->classifier, model, vector);
    return eis_mpc_lm_vector_values(values, &s->lm, model, vector);
}

eis_status eis_mpc_model_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes, const eis_mpc_session *s)
{
    if (is_classifier(s)) return eis_mpc_classifier_vectors_graph(graph, nodes, &s->classifier);
    return eis_mpc_lm_vectors_graph(graph, nodes, &s->lm);
}

eis_status eis_mpc_model_step(eis_mpc_lm_step *step, const eis_mpc_session *s, eis_mpc_unit_kind kind,
                              uint32_t position, uint32_t count, const eis_mpc_sampling *sampling)
{
    eis_status st = EIS_OK;

    memset(step, 0, sizeof *step);
    EIS_REQUIRE(is_classifier(s) == (kind == EIS_MPC_UNIT_CLASSIFY), EIS_ERR_PROTOCOL,
                "this session's model has no step of kind %u", (unsigned)kind);
    if (kind == EIS_MPC_UNIT_NEXT) return eis_mpc_lm_step_draw(step, &s->lm, position, 0, sampling);
    if (kind == EIS_MPC_UNIT_PROMPT) return eis_mpc_lm_step_init(step, &s->lm, position, count, false);
    if (!is_classifier(s)) return eis_mpc_lm_step_draw(step, &s->lm, position, count, sampling);
    step->token = step->valid = EIS_MPC_NONE;
    EIS_TRY(eis_mpc_classifier_graph(&step->graph, &step->next, NULL, &s->classifier));
out:
    return st;
}

eis_status eis_mpc_model_prefill(uint32_t *count, const eis_mpc_session *s, uint32_t position, uint32_t tokens)
{
    *count = 1;
    return is_classifier(s) ? EIS_OK : eis_mpc_lm_prefill(count, &s->lm, position, tokens);
}

uint32_t eis_mpc_model_filled(const eis_mpc_session *s, uint32_t tokens)
{
    uint32_t bucket = s->lm.pad_bucket, over = bucket > 0 ? tokens % bucket : 0;

    if (over == 0) return tokens;
    return tokens <= UINT32_MAX - (bucket - over) ? tokens + (bucket - over) : UINT32_MAX;
}
