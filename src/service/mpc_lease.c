/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_lease.h"

#include <string.h>

#define RUN   64u /* steps of one transaction */
#define AHEAD 32u /* with fewer left, the next run is asked for */

eis_status eis_mpc_lease_begin(eis_mpc_lease *lease, eis_material_store *records,
                               const uint8_t session[EIS_MATERIAL_SESSION_BYTES])
{
    eis_status st = EIS_OK;
    bool known = true;

    EIS_TRY(eis_store_material_known(records, &known, session));
    EIS_REQUIRE(!known, EIS_ERR_FORBIDDEN, "this session has been here before; a new one needs a new name");
    EIS_TRY(eis_store_material_lease(records, session, 0, RUN));
    *lease = (eis_mpc_lease){.records = records, .asked = RUN, .sure = RUN};
    memcpy(lease->session, session, sizeof lease->session);
out:
    return st;
}

eis_status eis_mpc_lease_step(eis_mpc_lease *lease, uint64_t step)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(lease->records != NULL && step < lease->asked);
    if (step >= lease->sure) {
        EIS_TRY(eis_store_material_wait(lease->records));
        lease->sure = lease->asked;
    }
    if (lease->asked - step <= AHEAD) {
        eis_store_material_lease_later(lease->records, lease->session, lease->asked, RUN);
        lease->asked += RUN;
    }
out:
    return st;
}

void eis_mpc_lease_used(eis_mpc_lease *lease, uint64_t step)
{
    eis_material_unit unit = {.step = step, .kind = EIS_MATERIAL_ANY_KIND};

    memcpy(unit.session, lease->session, sizeof unit.session);
    eis_store_material_move_later(lease->records, &unit, EIS_MATERIAL_CONSUMED);
}

void eis_mpc_lease_end(eis_mpc_lease *lease)
{
    if (lease->records != NULL) eis_store_material_end_later(lease->records, lease->session);
    lease->records = NULL;
}
