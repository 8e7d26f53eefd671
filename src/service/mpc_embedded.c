/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side. */
#include "service/mpc_embedded.h"

#include "base/mem.h"
#include "service/embedded_papers.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLAME_TURNS 50 /* of 2 ms: a process that is being killed is gone by then */

struct eis_mpc_embedded {
    eis_embedded *children; /* the Triple Service, then the parties */
    eis_embedded_access access;
    uint32_t parties;
};

eis_status eis_mpc_embedded_start(eis_mpc_embedded **out_embedded, const char *program, uint32_t parties,
                                  const eis_mpc_settings *settings)
{
    const char *engines[1 + EIS_MPC_PARTIES_MAX] = {"triples"};
    eis_status st = EIS_OK;
    eis_mpc_embedded *embedded = NULL;
    eis_writer order;
    int fd = -1;

    EIS_ASSERT(parties >= EIS_MPC_PARTIES_MIN && parties <= EIS_MPC_PARTIES_MAX);
    *out_embedded = NULL;
    eis_wire_writer_init(&order, EIS_EMBEDDED_ORDER_BYTES_MAX);
    for (uint32_t p = 0; p < parties; p++) engines[1 + p] = "party";
    EIS_NEW(embedded, 1);
    embedded->parties = parties;
    eis_mpc_settings_write(&order, settings);
    EIS_TRY(eis_wire_writer_status(&order));
    EIS_TRY(eis_embedded_order_make(&fd, order.data, order.bytes));
    EIS_TRY(eis_embedded_start_each(&embedded->children, program, engines, fd, 1 + parties, 1));
    eis_embedded_access_get(&embedded->access, embedded->children);
    *out_embedded = embedded;
    embedded = NULL;
out:
    if (fd >= 0) close(fd);
    eis_wire_writer_clear(&order);
    eis_mpc_embedded_stop(embedded);
    return st;
}

eis_status eis_mpc_embedded_name(eis_mpc_session *session, const eis_mpc_embedded *embedded)
{
    eis_status st = EIS_OK;
    const eis_embedded_access *a = &embedded->access;

    session->party_count = embedded->parties;
    session->dealer = (eis_mpc_member){a->addresses[0], a->pins[0]};
    for (uint32_t p = 0; p < embedded->parties; p++)
        session->party[p] = (eis_mpc_member){a->addresses[1 + p], a->pins[1 + p]};
    EIS_TRY(eis_net_tls_pin_of_pem(&session->coordinator, a->cert_pem));
    session->model_owner = session->prompt_owner = session->coordinator;
out:
    return st;
}

eis_mpc_caller eis_mpc_embedded_caller(const eis_mpc_embedded *embedded)
{
    return (eis_mpc_caller){
        .cert_pem = embedded->access.cert_pem, .key_pem = embedded->access.key_pem, .ca_pem = embedded->access.ca_pem};
}

pid_t eis_mpc_embedded_process(const eis_mpc_embedded *embedded, uint32_t party)
{
    return embedded->access.processes[party == embedded->parties ? 0 : 1 + party];
}

eis_status eis_mpc_embedded_blame(const eis_mpc_embedded *embedded, eis_status st)
{
    static const struct timespec turn = {.tv_nsec = 2000000};
    size_t index;
    bool ended = false;

    if (st == EIS_OK || st == EIS_ERR_INTERRUPTED) return st;
    for (int i = 0; i < BLAME_TURNS && !ended; i++) {
        ended = eis_embedded_ended(&index, embedded->children);
        if (!ended) nanosleep(&turn, NULL);
    }
    if (!ended) return st;
    if (index == 0)
        return eis_fail(EIS_ERR_UNAVAILABLE, "the Triple Service (process %d) ended in the middle of the session",
                        (int)embedded->access.processes[0]);
    return eis_fail(EIS_ERR_UNAVAILABLE, "party %zu (process %d) ended in the middle of the session", index - 1,
                    (int)embedded->access.processes[index]);
}

void eis_mpc_embedded_stop(eis_mpc_embedded *embedded)
{
    if (embedded == NULL) return;
    eis_embedded_stop(embedded->children);
    eis_mem_free(embedded);
}
