/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the evaluator: a prepared program, and the steps that forms are made of. Nothing here knows a secret. */
#ifndef EIS_ENGINE_HE_PROGRAM_H
#define EIS_ENGINE_HE_PROGRAM_H

#include "encode/slots.h"
#include "engine/he/plan_internal.h"
#include "engine/he/prepare.h"

struct eis_he_program {
    const eis_he_plan *plan;
    const eis_ckks_params *params;
    eis_slots slots;
    size_t bytes;
    void *data[EIS_HE_STAGES_MAX]; /* of each stage, its method's */
};

/* ---- Planes: plaintexts of real slots -----------------------------------------------------------------------------
 */

/* Encodes values into slots. Shape: values[count], count <= slots; the rest is 0. `special`: 1 for products in a lifted
 * pair. A plane of zeros becomes the integer 1 where `keep` says that its product must not be transparent.
 * Errors: as eis_ckks_plain_init and eis_slots_encode_reals. */
EIS_MUST_USE eis_status eis_he_plane_encode(eis_ckks_plain *plane, const eis_he_program *program, const double *values,
                                            size_t count, uint32_t limbs, size_t special, double scale, bool keep);

/* The bias of a lone map, number i at slot i * stride. Valid when zeroed. */
typedef struct eis_he_bias {
    eis_ckks_plain plane; /* at the planned level and scale */
    double *value;        /* [slots]: for answers off that scale */
    bool any;             /* it is not all zeros */
} eis_he_bias;

/* Encodes it. Errors: as eis_he_plane_encode; the caller clears it all the same. */
EIS_MUST_USE eis_status eis_he_bias_init(eis_he_bias *bias, const eis_he_program *program, const eis_he_map *map,
                                         size_t stride, uint32_t limbs, double scale);
void eis_he_bias_clear(eis_he_bias *bias);

/* Adds it to a ciphertext, at whatever scale that has. Errors: as eis_he_plane_encode. */
EIS_MUST_USE eis_status eis_he_bias_add(eis_ckks_ct *ct, const eis_he_program *program, const eis_he_bias *bias);

/* Reads ciphertext `index` of a stage from its source, checks level and scale (within 2^-20 of the contract's), and
 * drops it to `limbs`. Errors: EIS_ERR_LEVEL, EIS_ERR_SCALE; what the source returns. *ct is cleared. */
EIS_MUST_USE eis_status eis_he_input_next(eis_ckks_ct *ct, const eis_he_program *program, uint32_t stage,
                                          const eis_he_source *source, uint32_t index, uint32_t limbs);

/* Rescales to the planned scale, or where the input was off it, to whatever scale that gives. */
EIS_MUST_USE eis_status eis_he_rescale(eis_ckks_ct *ct, double target);

/* ---- Folds --------------------------------------------------------------------------------------------------------
 */

/* Slot j becomes the sum over i < count of slot j + i stride (cyclic), in stages of radix 4 (one of radix 2 where
 * log2 count is odd): one decomposition, up to three rotations and one mod-down each.
 *
 * Range: count a power of two, count * stride <= slots (asserted). */
EIS_MUST_USE eis_status eis_he_fold(eis_ckks_ct *ct, size_t count, size_t stride, const eis_ckks_galois_keys *keys);

/* Plans it: elements, rotations of the row, cost, noise. The magnitude of *t becomes `magnitude`. */
EIS_MUST_USE eis_status eis_he_fold_plan(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, size_t count,
                                         size_t stride, double magnitude);

/* ---- Sums of rotated ciphertexts times planes: baby steps, giant steps ---------------------------------------------
 */

/* y = sum over b < baby, s < giant of rotate(x, stride (b + s baby)) * plane[b + s baby]: baby steps share one
 * decomposition and stay lifted; each giant step has one mod-down, and its rotation shares the last one.
 * Planes that are NULL are zero. */
typedef struct eis_he_bsgs {
    uint32_t baby, giant, stride, limbs;
    double scale;          /* of the planes */
    eis_ckks_plain *plane; /* [giant][baby], turned right by stride s baby, with special limbs; where there is more than
                              one, those that are set have their words below and not here */
    uint64_t *words;       /* [limbs][runs][giant][baby][a run and a gap]: in the order in which they are read */
    size_t bytes;          /* of words */
} eis_he_bsgs;

/* Fills plane (s, b) from what the sum wants beside rotation (b + s baby). Shape: values[slots]. Zeros make none. */
EIS_MUST_USE eis_status eis_he_bsgs_set(eis_he_bsgs *bsgs, const eis_he_program *program, uint32_t index,
                                        const double *values);

/* Allocates planes. Errors: EIS_ERR_MEMORY; *bsgs is zeroed. */
EIS_MUST_USE eis_status eis_he_bsgs_init(eis_he_bsgs *bsgs, uint32_t count, uint32_t stride, uint32_t limbs,
                                         double scale);
void eis_he_bsgs_clear(eis_he_bsgs *bsgs);
size_t eis_he_bsgs_bytes(const eis_he_bsgs *bsgs);

/* y = the sum, at x's level, not rescaled. y is not x. Range: at least one plane is set (asserted). */
EIS_MUST_USE eis_status eis_he_bsgs_apply(eis_ckks_ct *y, const eis_he_bsgs *bsgs, const eis_ckks_ct *x,
                                          const eis_ckks_galois_keys *keys, eis_pool *pool);

/* Plans it: elements, rotations, cost, noise; `square_norm` bounds the sum over all rotations of a slot's factors
 * squared, `magnitude` the result. */
EIS_MUST_USE eis_status eis_he_bsgs_plan(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, uint32_t count,
                                         uint32_t stride, double scale, double square_norm, double magnitude);

#endif
