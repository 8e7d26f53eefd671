/* SPDX-License-Identifier: Apache-2.0 */
/* Plans a model: which chain, which packing, which keys, how many levels, what precision, decided at load and never
 * later. Pure arithmetic on shapes, norms and declared magnitudes; nothing is encoded. */
#ifndef EIS_ENGINE_HE_PLAN_H
#define EIS_ENGINE_HE_PLAN_H

#include "engine/he/contract.h"
#include "model/graph.h"

typedef enum eis_he_form {
    EIS_HE_FORM_AUTO = 0,   /* SINGLE where it can be, else BATCH */
    EIS_HE_FORM_SINGLE = 1, /* one input spread over the slots of few ciphertexts */
    EIS_HE_FORM_BATCH = 2   /* FEATURES: one ciphertext per number, slot j is sample j */
} eis_he_form;

/* What the operator asks for. Zeroed: the planner chooses, under the default policy. */
typedef struct eis_he_wish {
    const char *chain;      /* a chain by name; NULL: the cheapest that has room */
    eis_ckks_literal own;   /* degree not 0: these parameters instead */
    eis_ckks_policy policy; /* of chains found by name or chosen */
    eis_he_form form;
    bool three_polynomials; /* a square at the end of a batch model is answered without relinearising */
    bool interactive;       /* the client computes every layer that is not linear, between rounds */
    uint32_t batch_max;     /* 0: N/2 with BATCH, 1 with SINGLE */
    double input_max;       /* |x| to be covered; 0: by the model's own scaling (1 behind `divide`), else 8 */
    double tolerance;       /* refuse where the error bound is larger; 0: report it only */
} eis_he_wish;

/* One line of `eis plan`. */
typedef struct eis_he_plan_row {
    char name[EIS_LINEAR_NAME_BYTES]; /* layer or step */
    const char *method;               /* "replicated rows", "block BSGS", "im2col fold", "constants", "square", ... */
    uint32_t limbs_in, limbs_out;
    uint64_t products, rotations, relinearisations, rescales;
    double magnitude, error; /* bounds of what comes out */
} eis_he_plan_row;

struct eis_he_layout;

typedef struct eis_he_plan {
    eis_he_contract contract;
    const eis_ckks_params *params; /* owned */
    eis_he_plan_row *rows;         /* [row_count] */
    uint32_t row_count;
    uint64_t request_bytes, reply_bytes, key_bytes; /* seeded request, full reply, one whole call; seeded key set */
    double expected_ms;                             /* of the server, one thread, from unit costs measured now */
    struct eis_he_layout *layout;                   /* the packer's own decisions (plan_internal.h) */
} eis_he_plan;

/* Plans.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  a layer that ciphertexts cannot compute (ReLU, max pool, sigmoid), with the offer:
 *                               a polynomial in its place with its error on the calibrated range, or --interactive;
 *                               a model too large or too deep for every chain.
 *          EIS_ERR_POLICY       the chain breaks the policy.
 *          EIS_ERR_RANGE        magnitudes over the modulus, or a bound above the tolerance; the text has both.
 *          EIS_ERR_MODEL        a language model; a calibrated model without magnitudes.
 *          EIS_ERR_MEMORY.      *plan is NULL on error. */
EIS_MUST_USE eis_status eis_he_plan_new(const eis_he_plan **plan, const eis_model *model, const eis_he_wish *wish);

/* Frees. NULL is allowed. */
void eis_he_plan_free(const eis_he_plan *plan);

#endif
