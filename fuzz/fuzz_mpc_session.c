/* SPDX-License-Identifier: Apache-2.0 */
/* Session documents of the mpc engine: taken whole or refused, and what was taken is written as it was read. A manifest
 * that passed builds the graph of a step, or is refused with a status: parties and Triple Service do that with what a
 * coordinator sends. */
#include "base/mem.h"
#include "service/mpc_session.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Graphs of models that are small enough to be built a thousand times a second. */
static bool is_small(const eis_mpc_session *s)
{
    const eis_mpc_lm *lm = &s->lm;
    const eis_mpc_classifier *c = &s->classifier;

    if (s->kind == EIS_MPC_MODEL_CLASSIFIER) {
        bool small = c->layer_count <= 16 && c->inputs <= 256;
        for (uint32_t i = 0; i < c->layer_count; i++) {
            const eis_mpc_layer *l = &c->layers[i];
            uint64_t words = (uint64_t)l->out_channels * l->out_height * l->out_width;
            small &= words <= 256 && words * (l->kernel_height + 1) * (l->kernel_width + 1) <= 4096;
        }
        return small;
    }
    return lm->layers <= 2 && lm->dim <= 32 && lm->hidden <= 32 && lm->vocabulary <= 64 && lm->heads <= 4 &&
           lm->head_size <= 16 && s->context <= 16;
}

static void build(const eis_mpc_session *s, uint32_t position, uint32_t secret_tokens)
{
    eis_mpc_lm_step step;
    uint32_t count = 1;

    if (secret_tokens > 0 && eis_mpc_lm_prefill(&count, &s->lm, position, secret_tokens) == EIS_OK)
        EIS_ASSERT(count > 0 && count <= secret_tokens);
    if (eis_mpc_lm_step_init(&step, &s->lm, position, secret_tokens, true) == EIS_OK)
        eis_mpc_lm_step_clear(&step);
    else
        eis_error_clear();
}

static void build_classifier(const eis_mpc_session *s)
{
    eis_mpc_graph graph;
    eis_mpc_id best;

    if (eis_mpc_classifier_graph(&graph, &best, NULL, &s->classifier) == EIS_OK)
        eis_mpc_graph_clear(&graph);
    else
        eis_error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_mpc_session s, again;
    eis_writer w;

    if (eis_mpc_session_read(&s, data, size) != EIS_OK) {
        eis_error_clear();
        EIS_ASSERT(s.lm.shapes == NULL && s.classifier.layers == NULL && s.party_count == 0);
        return 0;
    }
    EIS_ASSERT(s.party_count >= EIS_MPC_PARTIES_MIN && s.party_count <= EIS_MPC_PARTIES_MAX);
    eis_wire_writer_init(&w, 2 * EIS_MPC_SESSION_BYTES_MAX);
    EIS_ASSERT(eis_mpc_session_write(&w, &s) == EIS_OK);
    EIS_ASSERT(eis_mpc_session_read(&again, w.data, w.bytes) == EIS_OK);
    EIS_ASSERT(memcmp(again.hash, s.hash, sizeof s.hash) == 0);
    if (s.kind == EIS_MPC_MODEL_CLASSIFIER) {
        if (is_small(&s)) build_classifier(&s);
    } else if (is_small(&s)) {
        build(&s, 0, 1);
        build(&s, 0, s.context);
        build(&s, s.context - 1, 0);
    }
    eis_mpc_session_clear(&again);
    eis_wire_writer_clear(&w);
    eis_mpc_session_clear(&s);
    return 0;
}
