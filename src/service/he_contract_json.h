/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of GET /models: the contract of a model (engine/he/contract.h) and what a client must know beside it, to and
 * from JSON. */
#ifndef EIS_SERVICE_HE_CONTRACT_JSON_H
#define EIS_SERVICE_HE_CONTRACT_JSON_H

#include "engine/he/contract.h"
#include "service/he_envelope.h"
#include "wire/json.h"
#include "wire/json_writer.h"

#define EIS_HE_DESCRIPTION_BYTES 513
#define EIS_HE_ACTIVATION_BYTES  33
#define EIS_HE_LABEL_BYTES       64
#define EIS_HE_WEIGHTS_MAX       4096 /* of an entry that has its weights in it */

/* What stands in an entry beside the contract. Valid when zeroed. */
typedef struct eis_he_info {
    char model_id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES], description[EIS_HE_DESCRIPTION_BYTES];
    uint32_t input_dimension, output_dimension;
    char activation[EIS_HE_ACTIVATION_BYTES]; /* "polynomial_sigmoid_v1", "network" */
    char activation_kind[EIS_HE_ACTIVATION_BYTES];
    double coefficients[3];   /* c0 + c1 z + c2 z^2, of the published kind of model */
    uint32_t depth_published; /* encryption_parameters.max_multiplicative_depth as it stands there */
    uint64_t batch_published; /* constraints.max_batch_size as it stands there; the contract's is never above N/2 */
    /* optional: how a client scales what a user gives it, x = (x / divide - mean) / deviation; divide 0: not given */
    uint32_t channels, height, width; /* of input.shape; a vector has channels alone; 0: not given */
    double divide;
    double *mean, *deviation; /* owned; [mean_count], [deviation_count]: 1, or one per channel (vector: per feature) */
    uint32_t mean_count, deviation_count;
    char (*labels)[EIS_HE_LABEL_BYTES]; /* owned; [label_count], or NULL */
    uint32_t label_count;
    double *weights; /* owned; [weight_count], NULL where not published */
    uint32_t weight_count;
    double bias;
    uint64_t request_bytes_max, keys_bytes_max; /* limits; 0: not given */
} eis_he_info;

/* Frees. Safe on a zeroed one. */
void eis_he_info_clear(eis_he_info *info);

/* Gives the exact sizes that an input may have where it is not compressed: seeded or full, in the layout of major
 * version 4 or 3. Returns the largest. */
#define EIS_HE_INPUT_SIZES 4
size_t eis_he_input_sizes(size_t sizes[EIS_HE_INPUT_SIZES], const eis_ckks_params *params, size_t limbs);

/* Writes an entry, an object. `params` are those of the contract's literal; with them the sizes of ciphertexts and the
 * primes are written. parameters{weights, bias} are written where info has weights: the caller decides who sees them.
 * Errors: sticky in w. */
void eis_he_contract_write(eis_json_writer *w, const eis_he_contract *contract, const eis_ckks_params *params,
                           const eis_he_info *info);

/* Reads an entry of any server that speaks the protocol. Where it has no `stages`, as the original's has none, they are
 * those of the published model: one ciphertext per number, and an answer of two levels less. Members that are unknown
 * are passed over. contract->literal.policy is what the entry names (default: the 2018 standard where it names none);
 * a client puts its own there before it uses the contract.
 *
 * Errors:  EIS_ERR_PROTOCOL  a member that is missing, mistyped or out of range, with a text that names it; what
 *                            eis_he_contract_check finds.
 *          EIS_ERR_MEMORY    *contract and *info are zeroed on error. */
EIS_MUST_USE eis_status eis_he_contract_read(eis_he_contract *contract, eis_he_info *info, eis_json_value entry);

/* Finds an entry in the answer of GET /models; version NULL: the only one, or the last of those of that name.
 * Errors: EIS_ERR_MODEL_NOT_FOUND, with the names that there are; EIS_ERR_PROTOCOL  no list of models. */
EIS_MUST_USE eis_status eis_he_models_find(eis_json_value *entry, eis_json_value models, const char *model_id,
                                           const char *version);

#endif
