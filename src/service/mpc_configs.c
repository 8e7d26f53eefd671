/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_configs.h"

static const char *store_of(const eis_mpc_settings *settings)
{
    return settings->store_path[0] != 0 ? settings->store_path : NULL;
}

void eis_mpc_configure_triples(eis_triple_service_config *config, const eis_mpc_settings *settings)
{
    config->sessions_max = settings->dealer_sessions;
    config->threads = settings->dealer_threads;
    config->pool_min = settings->pool_min;
    config->pool_target = settings->pool_target;
    config->pool_bytes_max = (uint64_t)settings->pool_max_bytes;
    config->wait_ms = settings->pool_wait_ms;
    config->store_path = store_of(settings);
}

void eis_mpc_configure_party(eis_mpc_party_server_config *config, const eis_mpc_settings *settings)
{
    config->sessions_max = settings->party_sessions;
    config->round_ms = settings->round_ms;
    config->dial_ms = settings->dial_ms;
    config->owner_ms = settings->owner_ms;
    config->pool_wait_ms = settings->pool_wait_ms;
    config->threads = settings->party_threads;
    config->store_path = store_of(settings);
}
