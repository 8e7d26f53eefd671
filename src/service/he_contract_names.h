/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: names that writer and reader of entries share, and the pieces of an entry that GET /keys repeats. */
#ifndef EIS_SERVICE_HE_CONTRACT_NAMES_H
#define EIS_SERVICE_HE_CONTRACT_NAMES_H

#include "service/he_contract_json.h"

/* A list ends with a name that is NULL. */
typedef struct eis_he_name {
    const char *name;
    int value;
} eis_he_name;

extern const eis_he_name eis_he_packing_names[], eis_he_local_names[];

/* Write members of an object that is open: encryption_parameters, coeff_modulus, evaluation_keys. */
void eis_he_parameters_write(eis_json_writer *w, const eis_he_contract *contract, const eis_ckks_params *params,
                             const eis_he_info *info);
void eis_he_modulus_write(eis_json_writer *w, const eis_ckks_params *params);
void eis_he_keys_needed_write(eis_json_writer *w, const eis_he_contract *contract);

#endif
