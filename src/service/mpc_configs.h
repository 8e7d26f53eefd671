/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: what settings say of each server, for those that a command starts and those that are embedded. */
#ifndef EIS_SERVICE_MPC_CONFIGS_H
#define EIS_SERVICE_MPC_CONFIGS_H

#include "service/mpc_party.h"
#include "service/mpc_settings.h"
#include "service/triple_service.h"

/* Set everything but addresses and papers. The settings must outlive the start. */
void eis_mpc_configure_triples(eis_triple_service_config *config, const eis_mpc_settings *settings);
void eis_mpc_configure_party(eis_mpc_party_server_config *config, const eis_mpc_settings *settings);

#endif
