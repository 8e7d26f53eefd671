/* SPDX-License-Identifier: Apache-2.0 */
/* Steps 2 to 6 of the validation of POST /infer (docs/api.md, section 6): from a parsed request to ciphertexts that the
 * evaluator takes. Needs no socket, no store and no keys. */
#ifndef EIS_SERVICE_HE_SERVER_CHECK_H
#define EIS_SERVICE_HE_SERVER_CHECK_H

#include "ckks/seal_ct.h"
#include "engine/he/eval.h"
#include "service/he_envelope.h"
#include "service/he_registry.h"

/* The inputs of one request, checked. Valid when zeroed. */
typedef struct eis_he_inputs {
    const eis_he_served *served;
    uint32_t stage;
    eis_seal_form form; /* that answers the request */
    eis_he_encoding encoding;
    eis_ckks_ct
        *cts; /* [count], owned; NULL: they were checked and are read once more from `request` as they are used */
    size_t count;
    const eis_he_request *request; /* borrowed, with its body */
} eis_he_inputs;

/* Checks steps 2 to 5, all of them but the evaluation keys: sizes; text and object; scheme; parameters, level, scale.
 * The earliest step that any input fails decides.
 *
 * Shape:   request, which must outlive *inputs where that keeps no ciphertexts. kept_bytes_max: up to here the
 *          ciphertexts are kept; a larger request is checked ciphertext by ciphertext. pool may be NULL.
 * Cost:    step 2 decodes 18 bytes of a payload at most; then memory for one decoded payload and one ciphertext per
 *          thread, and what is kept.
 * Errors:  EIS_ERR_PARSE (a stage that the model does not have), EIS_ERR_ENCODING, EIS_ERR_CIPHERTEXT,
 *          EIS_ERR_CONTEXT_MISMATCH, EIS_ERR_LEVEL, EIS_ERR_SCALE, EIS_ERR_MEMORY; *inputs is zeroed. */
EIS_MUST_USE eis_status eis_he_request_check(eis_he_inputs *inputs, const eis_he_request *request,
                                             const eis_he_served *served, size_t kept_bytes_max, eis_pool *pool);

/* Checks step 6: the number of inputs, then the batch. Errors: EIS_ERR_INPUT_COUNT, EIS_ERR_BATCH. */
EIS_MUST_USE eis_status eis_he_request_check_constraints(const eis_he_request *request, const eis_he_served *served);

/* Frees. Safe on zeroed inputs. */
void eis_he_inputs_clear(eis_he_inputs *inputs);

/* Returns the bytes of kept ciphertexts. */
size_t eis_he_inputs_bytes(const eis_he_inputs *inputs);

/* Gives the source that the evaluator reads; each input is given once. */
eis_he_source eis_he_inputs_source(eis_he_inputs *inputs);

#endif
