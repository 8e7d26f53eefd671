/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_manifest.h"

#include "engine/mpc/accuracy.h"

#include <stdio.h>
#include <string.h>

#define INPUTS_MAX ((uint32_t)1 << 20) /* of one session with a classifier */

/* Lists what the builder has noted. */
static void list_declared(eis_mpc_manifest_notes *notes, const eis_mpc_graph *graph)
{
    size_t at = 0;

    notes->declared[0] = 0;
    for (uint32_t i = 0; i < graph->declared_count; i++) {
        uint32_t left = graph->declared_count - i;
        int wrote;
        if (sizeof notes->declared - at < 2 * EIS_MPC_SECTION_BYTES) {
            snprintf(notes->declared + at, sizeof notes->declared - at, " and %u more", left);
            return;
        }
        wrote =
            snprintf(notes->declared + at, sizeof notes->declared - at, "%s%s", i > 0 ? ", " : "", graph->declared[i]);
        at += (size_t)wrote;
    }
}

/* ---- language models ---- */

static void tell_activation(eis_mpc_manifest_notes *notes, eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    static const char *const names[] = {[EIS_MPC_SILU] = "SiLU",
                                        [EIS_MPC_GELU] = "GELU",
                                        [EIS_MPC_GELU_TANH] = "tanh-GELU",
                                        [EIS_MPC_SIGMOID] = "sigmoid"};

    notes->activation = names[kind];
    notes->activation_error = eis_mpc_activation_bound(kind, tuning);
}

static void tell_errors_lm(eis_mpc_manifest_notes *notes, const eis_mpc_session *s)
{
    const eis_mpc_tuning *t = &s->lm.tuning;

    notes->exp_error = eis_mpc_exp_bound(t);
    notes->exp_fit_error = eis_mpc_exp_fit_error(t);
    tell_activation(notes, s->lm.family == EIS_LM_GPT2 ? EIS_MPC_GELU_TANH : EIS_MPC_SILU, t);
    notes->reciprocal_error = eis_mpc_reciprocal_bound(eis_mpc_lm_sum_least(t, s->context), s->context + 1, t);
    notes->root_error = eis_mpc_root_bound(t);
}

/* The token that looks back on most positions is where bounds are largest. */
static eis_status try_lm(eis_mpc_session *s, eis_mpc_manifest_notes *notes, double residual_bound)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};

    s->lm.residual_bound = residual_bound;
    EIS_TRY(eis_mpc_lm_step_init(&step, &s->lm, s->context - 1, 0, true));
    list_declared(notes, &step.graph);
    tell_errors_lm(notes, s);
out:
    eis_mpc_lm_step_clear(&step);
    return st;
}

static eis_status take_lm(eis_mpc_session *s, eis_mpc_manifest_notes *notes, const eis_mpc_settings *settings,
                          const eis_model *model)
{
    eis_status st = EIS_OK;
    double declared = settings->range_residual * settings->range_margin;

    s->kind = EIS_MPC_MODEL_LM;
    EIS_TRY(eis_mpc_lm_init(&s->lm, model, &settings->tuning));
    s->lm.pad_bucket = settings->pad_bucket;
    s->lm.prefill_mib = settings->prefill_mib;
    EIS_TRY(eis_mpc_lm_check_filling(&s->lm));
    s->context = eis_mpc_lm_context_for(&s->lm, settings->context_max);
    s->stop_count = model->lm.stop_count;
    memcpy(s->stop, model->lm.stop_ids, sizeof s->stop);
    st = try_lm(s, notes, settings->range_policy == EIS_MPC_RANGE_CALIBRATED ? declared : 0);
    if (st == EIS_ERR_RANGE && settings->range_policy == EIS_MPC_RANGE_AUTO && declared > 0) {
        eis_error_clear();
        st = try_lm(s, notes, declared);
    }
out:
    return st;
}

/* ---- classifiers ---- */

static eis_status try_classifier(eis_mpc_session *s, eis_mpc_manifest_notes *notes, double margin)
{
    eis_status st = EIS_OK;
    eis_mpc_graph graph = {0};
    eis_mpc_id best;

    s->classifier.margin = margin;
    EIS_TRY(eis_mpc_classifier_graph(&graph, &best, NULL, &s->classifier));
    list_declared(notes, &graph);
    for (uint32_t i = 0; i < s->classifier.layer_count; i++)
        if (s->classifier.layers[i].op == EIS_STEP_SIGMOID)
            tell_activation(notes, EIS_MPC_SIGMOID, &s->classifier.tuning);
    eis_mpc_graph_clear(&graph);
out:
    return st;
}

/* Of a classifier the engine itself tries theorems first. */
static eis_status take_classifier(eis_mpc_session *s, eis_mpc_manifest_notes *notes, const eis_mpc_settings *settings,
                                  const eis_model *model)
{
    eis_status st = EIS_OK;
    bool declares = model->classifier.magnitude_count > 0 && settings->range_policy == EIS_MPC_RANGE_CALIBRATED;
    double margin = settings->range_policy == EIS_MPC_RANGE_STATIC ? 0 : settings->range_margin;

    s->kind = EIS_MPC_MODEL_CLASSIFIER;
    s->context = INPUTS_MAX;
    EIS_TRY(eis_mpc_classifier_init(&s->classifier, model, &settings->tuning, margin));
    EIS_TRY(try_classifier(s, notes, declares ? margin : s->classifier.margin));
out:
    return st;
}

/* ---- both ---- */

eis_status eis_mpc_manifest_take(eis_mpc_session *session, eis_mpc_manifest_notes *notes,
                                 const eis_mpc_settings *settings, bool own_dealer, const eis_model *model)
{
    eis_status st;

    memset(notes, 0, sizeof *notes);
    session->tests = notes->tests = eis_mpc_settings_tests(settings, own_dealer);
    session->pending_max = settings->pending_max;
    session->master_mask = settings->master_mask;
    if (model->kind == EIS_MODEL_CLASSIFIER)
        st = take_classifier(session, notes, settings, model);
    else
        st = take_lm(session, notes, settings, model);
    if (st == EIS_ERR_RANGE && settings->range_policy == EIS_MPC_RANGE_STATIC)
        st = eis_fail_prefix(st, "range.policy static");
    return st;
}

eis_status eis_mpc_manifest_take_agreed(eis_mpc_session *session, eis_mpc_manifest_notes *notes,
                                        const eis_mpc_session *agreed, const eis_model *model)
{
    eis_status st = EIS_OK;

    memset(notes, 0, sizeof *notes);
    session->tests = notes->tests = agreed->tests;
    session->pending_max = agreed->pending_max;
    session->master_mask = agreed->master_mask;
    session->context = agreed->context;
    session->stop_count = agreed->stop_count;
    memcpy(session->stop, agreed->stop, sizeof session->stop);
    session->kind = model->kind == EIS_MODEL_CLASSIFIER ? EIS_MPC_MODEL_CLASSIFIER : EIS_MPC_MODEL_LM;
    EIS_REQUIRE(session->kind == agreed->kind, EIS_ERR_MODEL, "the session was agreed on for another kind of model");
    if (session->kind == EIS_MPC_MODEL_LM) {
        EIS_TRY(eis_mpc_lm_init(&session->lm, model, &agreed->lm.tuning));
        session->lm.pad_bucket = agreed->lm.pad_bucket;
        session->lm.prefill_mib = agreed->lm.prefill_mib;
        EIS_TRY(eis_mpc_lm_check_filling(&session->lm));
        EIS_TRY(try_lm(session, notes, agreed->lm.residual_bound));
    } else {
        EIS_TRY(eis_mpc_classifier_init(&session->classifier, model, &agreed->classifier.tuning,
                                        agreed->classifier.margin));
        EIS_TRY(try_classifier(session, notes, agreed->classifier.margin));
    }
out:
    return st;
}
