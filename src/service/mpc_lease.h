/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: a party's lease on the steps of a session. A step is leased on the disk before anything of it is
 * sent; leases run well ahead and are written by the store's thread, so that no round waits for the disk. */
#ifndef EIS_SERVICE_MPC_LEASE_H
#define EIS_SERVICE_MPC_LEASE_H

#include "store/material.h"

typedef struct eis_mpc_lease {
    eis_material_store *records; /* NULL: nothing is leased yet */
    uint8_t session[EIS_MATERIAL_SESSION_BYTES];
    uint64_t asked, sure; /* steps below are leased, or will be; are leased on the disk */
} eis_mpc_lease;

/* Leases the first steps of a session, among them the load.
 * Errors:  EIS_ERR_FORBIDDEN  the store knows the session: its material may have been used;  EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_mpc_lease_begin(eis_mpc_lease *lease, eis_material_store *records,
                                            const uint8_t session[EIS_MATERIAL_SESSION_BYTES]);

/* Makes sure of a step before anything of it is sent; steps come in order. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_mpc_lease_step(eis_mpc_lease *lease, uint64_t step);

/* Notes that a step was checked and is over. */
void eis_mpc_lease_used(eis_mpc_lease *lease, uint64_t step);

/* Burns what is left. Safe on a zeroed lease. */
void eis_mpc_lease_end(eis_mpc_lease *lease);

#endif
