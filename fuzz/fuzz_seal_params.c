/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as encryption parameters: refused, or a literal; what the constructor then takes keeps the security bound
 * and is written back to the same bytes. */
#include "ckks/seal_params.h"

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_ckks_literal literal = {0};
    const eis_ckks_params *params;
    eis_writer w;

    if (eis_ckks_params_read(&literal, data, size) != EIS_OK) return 0;
    if (literal.degree > 8192) return 0; /* tables of larger ones take too long here */
    if (eis_ckks_params_new(&params, &literal) != EIS_OK) return 0;
    EIS_ASSERT(params->total_bits <= eis_ckks_policy_bits(params->policy, params->degree));
    eis_wire_writer_init(&w, 4096);
    eis_ckks_params_write(&w, params, (eis_seal_style){0});
    EIS_ASSERT(eis_wire_writer_status(&w) == EIS_OK);
    if (data[5] == 0 && data[3] == 4 && data[4] == 1) EIS_ASSERT(w.bytes == size && memcmp(w.data, data, size) == 0);
    eis_wire_writer_clear(&w);
    eis_ckks_params_free(params);
    return 0;
}
