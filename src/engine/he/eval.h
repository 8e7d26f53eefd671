/* SPDX-License-Identifier: Apache-2.0 */
/* Server, per request: ciphertexts in, ciphertexts out. Knows no key that decrypts; its time depends on the model and
 * the stage alone. */
#ifndef EIS_ENGINE_HE_EVAL_H
#define EIS_ENGINE_HE_EVAL_H

#include "base/pool.h"
#include "ckks/eval.h"
#include "engine/he/prepare.h"

/* Evaluation keys of one client. Members that a contract does not ask for may be zeroed. */
typedef struct eis_he_keys {
    eis_ckks_switch_key relin;
    eis_ckks_galois_keys galois;
    eis_ckks_public_key public_key;
} eis_he_keys;

/* Frees. Safe on zeroed keys. */
void eis_he_keys_clear(eis_he_keys *keys);

/* Tells whether the keys hold all that a contract asks for. Errors: EIS_ERR_KEYS_INSUFFICIENT. */
EIS_MUST_USE eis_status eis_he_keys_check(const eis_he_keys *keys, const eis_he_contract *contract);

/* Where the ciphertexts of a request come from: gives number `index` (each is asked for once, in rising order, so that
 * a large batch need not be in memory at once). *ct is zeroed or made; the evaluator clears it. */
typedef struct eis_he_source {
    void *context;
    eis_status (*next)(void *context, size_t index, eis_ckks_ct *ct);
} eis_he_source;

/* Evaluates one stage.
 *
 * Shape:   out[stage.output.ciphertexts], zeroed or made. Inputs at the stage's level; their scale within 2^-20 of the
 *          contract's, or with FEATURES in an affine model any one scale from 2^-10 to 4 times it, equal among them.
 * Errors:  EIS_ERR_SCALE, EIS_ERR_LEVEL, EIS_ERR_KEYS_INSUFFICIENT, EIS_ERR_MEMORY; what the source returns. All of out
 *          is zeroed on error. No output is transparent. */
EIS_MUST_USE eis_status eis_he_eval(eis_ckks_ct *out, const eis_he_program *program, uint32_t stage,
                                    const eis_he_source *source, const eis_he_keys *keys, eis_pool *pool);

/* Returns the most bytes that an evaluation of this stage holds beside program and keys; reserved before it starts. */
size_t eis_he_eval_bytes(const eis_he_program *program, uint32_t stage);

#endif
