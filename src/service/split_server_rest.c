/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_server_internal.h"

eis_status eis_split_server_rest_start(eis_split_server *server)
{
    (void)server;
    return EIS_ERR_UNSUPPORTED;
}
