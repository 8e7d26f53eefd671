/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan and a model to a program: every stage encodes what it needs. */
#include "engine/he/prepare.h"

#include "base/mem.h"
#include "engine/he/program.h"

eis_status eis_he_program_new(const eis_he_program **program, const eis_he_plan *plan, const eis_model *model,
                              eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_he_graph *graph = NULL;
    eis_he_program *p = NULL;

    *program = NULL;
    EIS_NEW(p, 1);
    p->plan = plan;
    p->params = plan->params;
    EIS_TRY(eis_slots_init(&p->slots, plan->params->rns.degree_log2));
    EIS_TRY(eis_he_graph_new(&graph, model, plan->layout->interactive));
    EIS_REQUIRE(graph->in == plan->contract.stage[0].input.size, EIS_ERR_MODEL, "this is not the model of the plan");
    for (uint32_t i = 0; i < plan->contract.stage_count; i++) {
        size_t bytes = 0;
        EIS_TRY(plan->layout->stage[i].method->prepare(&p->data[i], &bytes, p, i, graph, pool));
        p->bytes += bytes;
    }
    *program = p;
    p = NULL;
out:
    eis_he_graph_free(graph);
    eis_he_program_free(p);
    return st;
}

void eis_he_program_free(const eis_he_program *program)
{
    eis_he_program *p = (eis_he_program *)program;

    if (p == NULL) return;
    for (uint32_t i = 0; i < EIS_HE_STAGES_MAX; i++)
        if (p->data[i] != NULL) p->plan->layout->stage[i].method->data_free(p->data[i]);
    eis_slots_clear(&p->slots);
    eis_mem_free(p);
}

size_t eis_he_program_bytes(const eis_he_program *program) { return program->bytes; }
