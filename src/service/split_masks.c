/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_client_internal.h"

eis_status eis_split_call_masked(eis_split_client *client, bool *done, uint32_t layer, double *y, const double *x,
                                 size_t batch)
{
    (void)client, (void)layer, (void)y, (void)x, (void)batch;
    *done = false;
    return EIS_OK;
}
