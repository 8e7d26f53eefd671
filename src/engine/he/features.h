/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the form FEATURES: what its planner decides and its evaluator follows. */
#ifndef EIS_ENGINE_HE_FEATURES_H
#define EIS_ENGINE_HE_FEATURES_H

#include "engine/he/program.h"

/* One node of the graph: levels and scales, as planned for an input at exactly the contract's scale. */
typedef struct eis_he_features_node {
    uint32_t limbs;         /* of what goes in */
    double scale_in, scale; /* of what goes in, and of what comes out */
} eis_he_features_node;

typedef struct eis_he_features_layout {
    uint32_t node_count;
    uint32_t limbs;             /* to which inputs are dropped */
    bool affine;                /* one map alone: any scale of input from 2^-10 to 4 times the planned one */
    bool three;                 /* the answer is not relinearised */
    eis_he_features_node *node; /* [node_count] */
} eis_he_features_layout;

#define EIS_HE_SCALE_RATIO_MIN 0x1p-10
#define EIS_HE_SCALE_RATIO_MAX 0x1p2

eis_status eis_he_features_plan(eis_he_draft *draft);
void eis_he_features_layout_free(void *data);

/* ---- Sums of constants times ciphertexts ---------------------------------------------------------------------------
 */

/* r[i] = r[i] + sum over k of constant k times x[column k]: terms of row i are [start[i], start[i + 1]).
 *
 * Shape:   r[rows], x[columns], all of one level and number of polynomials (asserted). Constants are integers below
 *          2^62.
 * Cost:    words stay in the cache while all terms of a row go over them. */
typedef struct eis_he_sums {
    uint32_t rows;
    const uint64_t *start;
    const uint32_t *column;
    const int64_t *constant;
    uint64_t terms_max; /* of a row, in all calls on the same r together */
} eis_he_sums;

EIS_MUST_USE eis_status eis_he_sums_add(eis_ckks_ct *r, const eis_he_sums *sums, const eis_ckks_ct *x, eis_pool *pool);

/* Ends the sums: words of r are canonical only from then on. */
void eis_he_sums_finish(eis_ckks_ct *r, const eis_he_sums *sums, eis_pool *pool);

#endif
