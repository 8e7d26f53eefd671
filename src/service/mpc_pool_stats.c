/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_pool_stats.h"

#include <math.h>
#include <string.h>

eis_status eis_mpc_pool_ask(eis_mpc_pool_stats *stats, const eis_mpc_caller *caller, const eis_mpc_member *dealer)
{
    eis_status st = EIS_OK;
    eis_stream *stream = NULL;
    eis_reader r;

    memset(stats, 0, sizeof *stats);
    EIS_TRY(eis_mpc_call(&stream, caller, dealer, EIS_MPC_ROLE_COORDINATOR, 0));
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_STATS, 0, NULL, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_STATS_ARE, 0, caller->timeout_ms));
    eis_mpc_pool_stats_read(&r, stats);
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_REQUIRE(isfinite(stats->wait_s) && isfinite(stats->left_s), EIS_ERR_PROTOCOL,
                "the Triple Service counts what is no number");
out:
    eis_net_stream_free(stream);
    if (st != EIS_OK) memset(stats, 0, sizeof *stats);
    return st;
}

void eis_mpc_pool_least(eis_mpc_pool_stats *least, uint64_t running, uint64_t ready, double left_s)
{
    if (running == 0) return;
    if (least->running == 0 || ready < least->ready_min) least->ready_min = ready;
    if (least->ready_min == 0)
        least->left_s = 0;
    else if (left_s > 0 && (least->left_s == 0 || left_s < least->left_s))
        least->left_s = left_s;
    least->running += running;
}

void eis_mpc_pool_add(eis_mpc_pool_stats *sum, const eis_mpc_pool_stats *more)
{
    sum->sessions += more->sessions;
    sum->produced += more->produced;
    sum->consumed += more->consumed;
    sum->burned += more->burned;
    sum->bytes += more->bytes;
    sum->ready_bytes += more->ready_bytes;
    sum->ready += more->ready;
    sum->sac_ok += more->sac_ok;
    sum->sac_fail += more->sac_fail;
    sum->wait_s += more->wait_s;
    eis_mpc_pool_least(sum, more->running, more->ready_min, more->left_s);
}
