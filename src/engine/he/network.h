/* SPDX-License-Identifier: Apache-2.0 */
/* Small networks on one input: maps, squares and polynomials in turn, in as few ciphertexts as hold the layers.
 *
 * The numbers stand in grids (network_grid.h), the first ones as rows or as windows (windows.h). A map costs one level,
 * a square one, a polynomial its depth. Slots between the numbers of a grid hold sums over parts of two neighbours;
 * they take part in squares, and the magnitudes that have to fit are theirs too. */
#ifndef EIS_ENGINE_HE_NETWORK_H
#define EIS_ENGINE_HE_NETWORK_H

#include "ckks/polynomial.h"
#include "engine/he/network_grid.h"
#include "engine/he/program.h"

#define EIS_HE_NETWORK_STEPS_MAX 64
#define EIS_HE_NETWORK_TERMS_MAX ((uint64_t)1 << 23) /* weights of one map, zeros included */

/* One node on its way. */
typedef struct eis_he_network_step {
    eis_he_node_kind kind;
    uint32_t node;           /* in the graph */
    eis_he_product product;  /* MAP */
    bool windows;            /* MAP: planes are those of windows.h */
    bool fold_first;         /* MAP: before the rescale: dearer, but its rounding is not summed */
    uint32_t limbs;          /* of what comes in */
    double scale, scale_out; /* MAP: of the planes; of what comes out, here and with POLYNOMIAL */
    double factor, shift;    /* SQUARE */
    uint32_t coeff_count;    /* POLYNOMIAL */
    double coeff[EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1];
} eis_he_network_step;

typedef struct eis_he_network {
    uint32_t count;
    eis_he_network_step step[EIS_HE_NETWORK_STEPS_MAX];
} eis_he_network;

extern const eis_he_method eis_he_method_network; /* SINGLE, with squares or polynomials */

/* Plans a whole model: the plan function of the form. */
EIS_MUST_USE eis_status eis_he_network_plan(eis_he_draft *draft);

/* Plans one stage that is a single map, as rows in and a grid out; for interactive stages of any size. */
EIS_MUST_USE eis_status eis_he_plan_dense(eis_he_draft *draft, uint32_t stage, uint32_t node, double input_max);

/* ---- One map, shared with windows.c ------------------------------------------------------------------------------ */

/* The encoded weights of a map: a sum of rotations and planes for each pair of a ciphertext in and one out. */
typedef struct eis_he_product_data {
    uint32_t sources, targets;
    eis_he_bsgs *sum;     /* [targets][sources]; its planes zeroed where all weights are 0 */
    eis_ckks_plain *bias; /* [targets] */
} eis_he_product_data;

/* What is known about the numbers between two steps. */
typedef struct eis_he_network_track {
    eis_he_track t;   /* t.magnitude: of any slot */
    double magnitude; /* of the numbers themselves */
    double usual;     /* what was measured, without margin: what squares and polynomials multiply errors by */
    bool calibrated;  /* a declared magnitude was taken where the norms give more */
    double error;     /* bound of what the last step gave */
} eis_he_network_track;

/* Plans a map: row, elements, cost, noise, and the scales of *step (its product is given). `behind`: how many nodes
 * follow; where none does its result is an answer, at the scale that has room for it. */
EIS_MUST_USE eis_status eis_he_product_plan(eis_he_draft *draft, eis_he_network_step *step, eis_he_network_track *t,
                                            const char *method, uint32_t behind);

/* Allocates. Errors: EIS_ERR_MEMORY; *data is zeroed. */
EIS_MUST_USE eis_status eis_he_product_data_init(eis_he_product_data *data, const eis_he_network_step *step,
                                                 uint32_t sources, uint32_t targets);
void eis_he_product_data_clear(eis_he_product_data *data);

/* Tells whether all weights between two ciphertexts are 0. */
bool eis_he_product_empty(const eis_he_bsgs *sum);

/* Makes a sum without weights one of almost nothing, so that its result is not transparent. Shape: values[slots], used.
 */
EIS_MUST_USE eis_status eis_he_product_set_nothing(eis_he_bsgs *sum, const eis_he_program *program, double *values);

/* Returns the bytes of its planes. */
size_t eis_he_product_data_bytes(const eis_he_product_data *data);

/* As eis_he_input_next. An input off the planned scale, within the tolerance, is taken as numbers that are larger by
 * the quotient, at the planned scale: biases are encoded at load. */
EIS_MUST_USE eis_status eis_he_product_input(eis_ckks_ct *ct, const eis_he_program *program, uint32_t stage,
                                             const eis_he_source *source, uint32_t index, uint32_t limbs);

/* y = the sum over rotations and planes of one source, or y + it where `add`. Not rescaled. */
EIS_MUST_USE eis_status eis_he_product_sum(eis_ckks_ct *y, bool add, const eis_he_product_data *data, uint32_t source,
                                           uint32_t target, const eis_ckks_ct *x, const eis_he_keys *keys,
                                           eis_pool *pool);

/* Rescales, folds and adds the bias: the end of a map. */
EIS_MUST_USE eis_status eis_he_product_finish(eis_ckks_ct *y, const eis_he_network_step *step,
                                              const eis_ckks_plain *bias, const eis_he_keys *keys);

/* Returns what evaluating a map holds beside its inputs and outputs. */
size_t eis_he_product_bytes(const eis_he_network_step *step, const eis_ckks_params *params);

#endif
