/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the planner: a draft of one form on one chain, what is known about the numbers at a place (the tracker), what
 * a step costs, and the list of forms.
 *
 * A form ("method") is a set of functions, in files of its own: it plans the stages of a contract, encodes weights,
 * evaluates. plan.c tries forms on chains and keeps the cheapest that fits; it knows none of them. */
#ifndef EIS_ENGINE_HE_PLAN_INTERNAL_H
#define EIS_ENGINE_HE_PLAN_INTERNAL_H

#include "base/pool.h"
#include "engine/he/eval.h"
#include "engine/he/graph.h"
#include "engine/he/plan.h"

/* ---- What is known about the numbers of a ciphertext ------------------------------------------------------------- */

/* Noise is a rounding times the secret, per slot nearly Laplace: P(|x| > k sigma) = e^(-1.41 k), so that a bound that
 * fails once in 2^40 slots is 20 sigma. */
#define EIS_HE_TAIL 20.0

typedef struct eis_he_track {
    double magnitude; /* bound of |value| in any slot */
    double variance;  /* of the error of the real part of a slot, in values (not in units of the scale) */
    double scale;
    uint32_t limbs;
} eis_he_track;

/* A fresh ciphertext, of either kind of encryption, by this program or by SEAL. */
eis_he_track eis_he_track_fresh(const eis_ckks_params *params, uint32_t limbs, double scale, double magnitude);

/* Another linear function of independent slots: a sum with weights w, sum of w^2 <= square_norm. `magnitude` is that of
 * the result. Scale and limbs stay. */
void eis_he_track_combine(eis_he_track *t, double square_norm, double magnitude);

/* What the rounding of `terms` encoded planes of values adds at factor scale s: each slot's error is that of an
 * encoding, times |x|. The scale is multiplied by s. */
void eis_he_track_planes(eis_he_track *t, const eis_ckks_params *params, uint64_t terms, double x_max, double s);

/* The same for integer constants: at most 1/2 each. */
void eis_he_track_constants(eis_he_track *t, uint64_t terms, double x_max, double s);

/* A rescale; afterwards the scale is `target`. */
void eis_he_track_rescale(eis_he_track *t, const eis_ckks_params *params, double target);

/* The same for three polynomials, where the rounding of the third meets the square of the secret. */
void eis_he_track_rescale_three(eis_he_track *t, const eis_ckks_params *params, double target);

/* `count` key switches that share one mod-down, at the scale of t. */
void eis_he_track_switch(eis_he_track *t, const eis_ckks_params *params, double count);

/* A square, or a product with itself: scale squared. */
void eis_he_track_square(eis_he_track *t);

/* Returns the bound of the error: the tail of the noise. */
double eis_he_track_error(const eis_he_track *t);

/* Bounds the error of every number that a map gives, once in 2^40, where each number that goes in has an error of
 * `variance`, and another one of variance `own` is added: a sum from many slots has a lighter tail than one slot.
 *
 * Range:   numbers whose columns are a multiple of `apart` apart stand in one slot of several ciphertexts, so that
 * their errors grow together; all others are independent. apart > 0. Cost:    a few passes over the weights. Errors:
 * EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_sum_error(double *error, const eis_he_map *map, uint32_t apart, double variance,
                                         double own);

/* Tells whether magnitude and error fit the modulus of t's level at its scale.
 * Errors: EIS_ERR_RANGE, with magnitude, scale and bits, named `name`. */
EIS_MUST_USE eis_status eis_he_track_check(const eis_he_track *t, const eis_ckks_params *params, const char *name);

/* ---- What it costs ----------------------------------------------------------------------------------------------- */

/* Work on one limb. */
typedef struct eis_he_cost {
    double transforms; /* of one limb */
    double passes;     /* over the N words of a limb: a product, a sum, a permutation */
} eis_he_cost;

void eis_he_cost_read(eis_he_cost *c, uint32_t limbs, uint32_t count); /* fresh ciphertexts, from their bytes */
void eis_he_cost_rescale(eis_he_cost *c, uint32_t limbs, uint32_t polys);
void eis_he_cost_hoist(eis_he_cost *c, uint32_t limbs);  /* decompose */
void eis_he_cost_lift(eis_he_cost *c, uint32_t limbs);   /* one rotation of a hoisted one, without its mod-down */
void eis_he_cost_lower(eis_he_cost *c, uint32_t limbs);  /* a mod-down */
void eis_he_cost_switch(eis_he_cost *c, uint32_t limbs); /* all three: a relinearisation, a lone rotation */

/* ---- A draft ------------------------------------------------------------------------------------------------------
 */

typedef struct eis_he_method eis_he_method;

/* What a form has decided about one stage. */
typedef struct eis_he_stage_layout {
    const eis_he_method *method; /* who prepares and evaluates this stage */
    void *data;                  /* its own; freed by method->layout_free */
} eis_he_stage_layout;

typedef struct eis_he_layout {
    bool interactive; /* of the graph that the node numbers in layouts belong to */
    eis_he_stage_layout stage[EIS_HE_STAGES_MAX];
} eis_he_layout;

typedef struct eis_he_draft {
    const eis_model *model;
    const eis_he_graph *graph;
    const eis_he_wish *wish;
    const eis_ckks_params *params;
    eis_he_plan
        *plan; /* contract: chain, literal, batch_max are filled; the form fills stages, depth, needs, elements */
    eis_he_cost cost; /* so far */
} eis_he_draft;

/* Adds a row to the plan; strings are kept as they are. Errors: EIS_ERR_MEMORY; the row is NULL. */
EIS_MUST_USE eis_status eis_he_draft_row(eis_he_draft *draft, const char *name, const char *method,
                                         eis_he_plan_row **row);

/* Fills what a row says of numbers, in the end: limbs and bounds of what comes out. */
void eis_he_draft_row_end(eis_he_plan_row *row, const eis_he_track *t);

/* Add the rotation by `steps` to the contract's elements, and relinearisation to its needs, once; its level becomes the
 * highest one that was asked for. Errors: EIS_ERR_UNSUPPORTED  too many; a chain without special prime. */
EIS_MUST_USE eis_status eis_he_draft_rotation(eis_he_draft *draft, int32_t steps, uint32_t limbs);
EIS_MUST_USE eis_status eis_he_draft_relin(eis_he_draft *draft, uint32_t limbs);

/* Returns the chain's default scale, or where it has none the largest power of two below its last data prime. */
double eis_he_draft_scale(const eis_he_draft *draft);

/* Tells whether the chain has that many levels. Errors: EIS_ERR_UNSUPPORTED. */
EIS_MUST_USE eis_status eis_he_draft_levels(const eis_he_draft *draft, unsigned depth);

/* Returns the map that is the whole graph, or NULL. */
const eis_he_node *eis_he_draft_lone_map(const eis_he_draft *draft);

/* Lowers what is known of a node's numbers to what the model declares: *magnitude, for which there must be room, to the
 * declared bound with its margin; *usual, by which noise grows, to the bound without. Both come with what follows from
 * norms. Returns whether the magnitude now rests on the declaration. */
bool eis_he_draft_declared(const eis_he_draft *draft, const eis_he_node *node, double *magnitude, double *usual);

/* Plans a model that is one map, as one stage of depth 1. Errors: EIS_ERR_UNSUPPORTED where it is not. */
EIS_MUST_USE eis_status eis_he_draft_affine(eis_he_draft *draft,
                                            eis_status (*plan_map)(eis_he_draft *draft, uint32_t stage, uint32_t node,
                                                                   double input_max));

/* Returns the output of a stage whose `count` numbers stand in one ciphertext, `stride` slots apart from slot 0 on. */
eis_he_output eis_he_draft_answer(const eis_he_track *t, uint32_t count, int32_t stride);

/* Returns the scale of an answer: the chain's default, or less where the magnitude needs the room. */
double eis_he_draft_answer_scale(const eis_he_draft *draft, double magnitude);

/* ---- Forms --------------------------------------------------------------------------------------------------------
 */

struct eis_he_method {
    const char *name;
    /* Plans a whole model: stages, stage_count, depth, needs, elements, rows, cost, and draft->plan->layout.
     * Errors: EIS_ERR_UNSUPPORTED  not a model for this form or chain; EIS_ERR_RANGE  it does not fit the chain. */
    eis_status (*plan)(eis_he_draft *draft);
    void (*layout_free)(void *layout);
    /* Encodes the weights of one stage. *bytes: what they take. `program` has slots and plan. The graph is the planned
     * one, made again; a form may take maps out of it (and zero them there). */
    eis_status (*prepare)(void **data, size_t *bytes, const struct eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool);
    void (*data_free)(void *data);
    /* As eis_he_eval and eis_he_eval_bytes; out is cleared by the caller on error. */
    eis_status (*eval)(eis_ckks_ct *out, const struct eis_he_program *program, uint32_t stage,
                       const eis_he_source *source, const eis_he_keys *keys, eis_pool *pool);
    size_t (*eval_bytes)(const struct eis_he_program *program, uint32_t stage);
};

extern const eis_he_method eis_he_method_features; /* BATCH */
extern const eis_he_method eis_he_method_rows;     /* SINGLE, affine */
extern const eis_he_method eis_he_method_blocks;   /* SINGLE, affine */

/* The forms that `form` allows, in methods.c; NULL ends the list. */
const eis_he_method *const *eis_he_methods(eis_he_form form, bool interactive);

#endif
