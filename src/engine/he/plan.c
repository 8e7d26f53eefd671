/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: every form on every chain that the wish allows, the cheapest that fits.
 *
 * Chains are tried cheapest first, and the first one on which some form fits is taken; among forms on one chain the
 * count of operations decides. Never a measured time: the same model must give the same contract, and ask for the same
 * keys, each time. */
#include "engine/he/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "engine/he/plan_internal.h"
#include "kernel/kernel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What went wrong, for when nothing fits: the last failure, but that a form is not for this model says least. */
typedef struct failure {
    eis_status status;
    char text[512];
} failure;

static void remember(failure *f, eis_status st, const char *chain)
{
    if (st == EIS_ERR_UNSUPPORTED && f->status != EIS_ERR_UNSUPPORTED) return;
    f->status = st;
    if (chain[0] != '\0')
        snprintf(f->text, sizeof f->text, "chain %s: %s", chain, eis_error_detail());
    else
        snprintf(f->text, sizeof f->text, "%s", eis_error_detail());
}

/* ---- A plan and its parts -----------------------------------------------------------------------------------------
 */

void eis_he_plan_free(const eis_he_plan *plan)
{
    eis_he_plan *p = (eis_he_plan *)plan;

    if (p == NULL) return;
    if (p->layout != NULL)
        for (uint32_t i = 0; i < EIS_HE_STAGES_MAX; i++)
            if (p->layout->stage[i].data != NULL) p->layout->stage[i].method->layout_free(p->layout->stage[i].data);
    eis_mem_free(p->layout);
    eis_mem_free(p->rows);
    eis_ckks_params_free(p->params);
    eis_mem_free(p);
}

static eis_status plan_new(eis_he_plan **plan, const eis_ckks_literal *literal, const char *chain)
{
    eis_status st = EIS_OK;
    eis_he_plan *p = NULL;

    EIS_NEW(p, 1);
    EIS_NEW(p->layout, 1);
    EIS_TRY(eis_ckks_params_new(&p->params, literal));
    p->contract.literal = *literal;
    snprintf(p->contract.chain, sizeof p->contract.chain, "%s", chain);
    *plan = p;
    p = NULL;
out:
    eis_he_plan_free(p);
    return st;
}

/* ---- Times and bytes ----------------------------------------------------------------------------------------------
 */

typedef struct unit_ms {
    double transform, pass;
} unit_ms;

enum { PROBE_ROUNDS = 8 };

/* Times one transform and one pass of products, on the first data prime. */
static eis_status measure(unit_ms *unit, const eis_ckks_params *params)
{
    eis_status st = EIS_OK;
    size_t n = params->degree;
    const eis_ntt_plan *plan = &params->rns.plan[0];
    uint64_t *a = NULL, *b = NULL, best[2] = {UINT64_MAX, UINT64_MAX};

    EIS_NEW(a, n);
    EIS_NEW(b, n);
    for (size_t i = 0; i < n; i++) a[i] = b[i] = i;
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        uint64_t started = eis_clock_ns(), spent;
        eis_ring_ntt_forward(a, plan);
        spent = eis_clock_ns() - started;
        best[0] = spent < best[0] ? spent : best[0];
        started = eis_clock_ns();
        eis_kernels_get()->zq.mul_add(b, a, b, n, &plan->mod);
        spent = eis_clock_ns() - started;
        best[1] = spent < best[1] ? spent : best[1];
    }
    *unit = (unit_ms){(double)best[0] / 1e6, (double)best[1] / 1e6};
out:
    eis_mem_free(a);
    eis_mem_free(b);
    return st;
}

static void count_bytes(eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    const eis_ckks_params *params = plan->params;
    eis_ckks_key_need need[EIS_HE_NEEDS_MAX];
    size_t count;

    for (uint32_t i = 0; i < c->stage_count; i++) {
        const eis_he_packing *in = &c->stage[i].input;
        const eis_he_output *out = &c->stage[i].output;
        plan->request_bytes +=
            in->ciphertexts * (uint64_t)eis_ckks_ct_bytes(params, 2, in->limbs, EIS_SEAL_FORM_4_1, true);
        plan->reply_bytes +=
            out->ciphertexts * (uint64_t)eis_ckks_ct_bytes(params, out->polys, out->limbs, EIS_SEAL_FORM_4_1, false);
    }
    count = eis_he_contract_needs(need, c, params, true);
    if (count > 0) plan->key_bytes = eis_ckks_key_set_bytes(params, need, count, true);
}

/* ---- Trying --------------------------------------------------------------------------------------------------------
 */

static eis_status check_tolerance(const eis_he_plan *plan, double tolerance)
{
    double most = 0;

    for (uint32_t i = 0; i < plan->contract.stage_count; i++) most = fmax(most, plan->contract.stage[i].output.error);
    if (tolerance <= 0 || most <= tolerance) return EIS_OK;
    return eis_fail(EIS_ERR_RANGE, "the error may be %.3g, above the tolerance of %.3g", most, tolerance);
}

/* One form on one chain. */
static eis_status try_form(eis_he_plan **plan, eis_he_draft *draft, const eis_he_method *method,
                           const eis_ckks_literal *literal, const char *chain)
{
    eis_status st = EIS_OK;
    eis_he_plan *p = NULL;
    eis_he_contract *c;
    unit_ms unit;

    EIS_TRY(plan_new(&p, literal, chain));
    c = &p->contract;
    c->interactive = draft->wish->interactive;
    p->layout->interactive = c->interactive;
    c->input_max = draft->graph->input_max;
    c->batch_max = 1;
    draft->plan = p;
    draft->params = p->params;
    draft->cost = (eis_he_cost){0};
    EIS_TRY(method->plan(draft));
    c->has_levels = c->needs_relin || c->element_count > 0;
    EIS_TRY(check_tolerance(p, draft->wish->tolerance));
    EIS_TRY(eis_he_contract_check(c));
    for (uint32_t i = 0; i < c->stage_count; i++)
        eis_he_cost_read(&draft->cost, c->stage[i].input.limbs, c->stage[i].input.ciphertexts);
    EIS_TRY(measure(&unit, p->params));
    p->expected_ms = draft->cost.transforms * unit.transform + draft->cost.passes * unit.pass;
    count_bytes(p);
    *plan = p;
    p = NULL;
out:
    draft->plan = NULL;
    draft->params = NULL;
    eis_he_plan_free(p);
    return st;
}

/* What a plan costs, in passes over a limb, of about 5 us: a transform is about six of them on all machines that we
 * know, and 600 bytes of a request take one on a line of 1 Gbit/s. */
static double work_of(const eis_he_draft *draft, const eis_he_plan *plan)
{
    return 6 * draft->cost.transforms + draft->cost.passes + (double)plan->request_bytes / 600;
}

/* All forms on one chain; *best gets the quickest that fits. Errors: EIS_ERR_MEMORY, which is no reason to try another
 * form. */
static eis_status try_chain(eis_he_plan **best, failure *failed, eis_he_draft *draft, const eis_ckks_literal *literal,
                            const char *chain)
{
    const eis_he_method *const *method = eis_he_methods(draft->wish->form, draft->wish->interactive);
    double least = INFINITY;

    for (; *method != NULL; method++) {
        eis_he_plan *plan = NULL;
        eis_status st = try_form(&plan, draft, *method, literal, chain);
        if (st == EIS_ERR_MEMORY) return st;
        if (st != EIS_OK) {
            remember(failed, st, chain);
        } else if (work_of(draft, plan) < least) {
            eis_he_plan_free(*best);
            *best = plan;
            least = work_of(draft, plan);
        } else {
            eis_he_plan_free(plan);
        }
    }
    return EIS_OK;
}

static eis_status try_chains(eis_he_plan **best, failure *failed, eis_he_draft *draft)
{
    eis_status st = EIS_OK;
    const eis_he_wish *wish = draft->wish;
    eis_ckks_literal literal;

    if (wish->own.degree != 0)
        return try_chain(best, failed, draft, &wish->own, wish->chain != NULL ? wish->chain : "");
    for (size_t i = 0; *best == NULL && eis_he_chain_name(i) != NULL; i++) {
        const char *name = wish->chain != NULL ? wish->chain : eis_he_chain_name(i);
        EIS_TRY(eis_he_chain_find(&literal, name));
        literal.policy = wish->policy;
        EIS_TRY(try_chain(best, failed, draft, &literal, name));
        if (wish->chain != NULL) break;
    }
out:
    return st;
}

eis_status eis_he_plan_new(const eis_he_plan **plan, const eis_model *model, const eis_he_wish *wish)
{
    eis_status st = EIS_OK;
    eis_he_graph *graph = NULL;
    eis_he_plan *best = NULL;
    failure failed = {EIS_ERR_UNSUPPORTED, "no form of encrypted evaluation takes this model"};
    eis_he_wish asked = *wish;
    eis_he_draft draft = {.model = model, .wish = &asked};

    *plan = NULL;
    EIS_REQUIRE(isfinite(wish->input_max) && wish->input_max >= 0, EIS_ERR_USAGE, "input_max is not a bound");
    EIS_TRY(eis_he_graph_new(&graph, model, wish->interactive));
    if (wish->input_max > 0) graph->input_max = wish->input_max;
    draft.graph = graph;
    if (asked.form == EIS_HE_FORM_AUTO) asked.form = EIS_HE_FORM_SINGLE;
    EIS_TRY(try_chains(&best, &failed, &draft));
    if (best == NULL && wish->form == EIS_HE_FORM_AUTO && !wish->interactive) {
        asked.form = EIS_HE_FORM_BATCH;
        EIS_TRY(try_chains(&best, &failed, &draft));
    }
    EIS_REQUIRE(best != NULL, failed.status, "%s", failed.text);
    *plan = best;
out:
    if (st != EIS_OK) eis_he_plan_free(best);
    eis_he_graph_free(graph);
    return st;
}
