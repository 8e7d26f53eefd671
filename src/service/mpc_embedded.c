/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side. */
#include "service/mpc_embedded.h"

#include "base/mem.h"
#include "service/embedded_papers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLAME_TURNS 50 /* of 2 ms: a process that is being killed is gone by then */

struct eis_mpc_embedded {
    eis_embedded *children; /* the Triple Service, the parties, the coordinator */
    eis_embedded_access access;
    uint32_t parties, round_ms;
    int template_fd; /* the coordinator's order */
};

/* What servers inherit: all settings. */
static eis_status make_order(int *fd, const eis_mpc_settings *settings)
{
    eis_status st = EIS_OK;
    eis_writer order;

    eis_wire_writer_init(&order, EIS_EMBEDDED_ORDER_BYTES_MAX);
    eis_mpc_settings_write(&order, settings);
    EIS_TRY(eis_wire_writer_status(&order));
    EIS_TRY(eis_embedded_order_make(fd, order.data, order.bytes));
out:
    eis_wire_writer_clear(&order);
    return st;
}

eis_status eis_mpc_embedded_start(eis_mpc_embedded **out_embedded, const char *program, uint32_t parties,
                                  const eis_mpc_settings *settings)
{
    eis_embedded_role roles[2 + EIS_MPC_PARTIES_MAX];
    eis_status st = EIS_OK;
    eis_mpc_embedded *embedded = NULL;
    int fd = -1;

    EIS_ASSERT(parties >= EIS_MPC_PARTIES_MIN && parties <= EIS_MPC_PARTIES_MAX);
    *out_embedded = NULL;
    EIS_NEW(embedded, 1);
    embedded->parties = parties;
    embedded->round_ms = settings->round_ms;
    embedded->template_fd = -1;
    EIS_TRY(make_order(&fd, settings));
    EIS_TRY(eis_embedded_order_make(&embedded->template_fd, "", 0));
    roles[0] = (eis_embedded_role){"triples", fd};
    for (uint32_t p = 0; p < parties; p++) roles[1 + p] = (eis_embedded_role){"party", fd};
    roles[1 + parties] = (eis_embedded_role){"coordinator", embedded->template_fd};
    EIS_TRY(eis_embedded_start_each(&embedded->children, program, roles, 2 + parties, 1));
    eis_embedded_access_get(&embedded->access, embedded->children);
    *out_embedded = embedded;
    embedded = NULL;
out:
    if (fd >= 0) close(fd);
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
    session->coordinator = a->pins[1 + embedded->parties];
    EIS_TRY(eis_net_tls_pin_of_pem(&session->model_owner, a->cert_pem));
    session->prompt_owner = session->model_owner;
out:
    return st;
}

eis_status eis_mpc_embedded_coordinate(eis_mpc_member *coordinator, eis_mpc_embedded *embedded,
                                       eis_mpc_session *session)
{
    eis_status st = EIS_OK;
    eis_writer document;
    uint32_t at = 1 + embedded->parties;

    eis_wire_writer_init(&document, EIS_EMBEDDED_ORDER_BYTES_MAX - 1);
    eis_wire_writer_u32(&document, embedded->round_ms);
    EIS_TRY(eis_mpc_session_write(&document, session));
    EIS_REQUIRE(write(embedded->template_fd, document.data, document.bytes) == (ssize_t)document.bytes, EIS_ERR_LIMIT,
                "no memory to hand over: %s", strerror(errno));
    EIS_TRY(eis_embedded_finish(embedded->children));
    *coordinator = (eis_mpc_member){embedded->access.addresses[at], embedded->access.pins[at]};
out:
    eis_wire_writer_clear(&document);
    return st;
}

eis_mpc_caller eis_mpc_embedded_caller(const eis_mpc_embedded *embedded)
{
    return (eis_mpc_caller){
        .cert_pem = embedded->access.cert_pem, .key_pem = embedded->access.key_pem, .ca_pem = embedded->access.ca_pem};
}

pid_t eis_mpc_embedded_process(const eis_mpc_embedded *embedded, uint32_t party)
{
    static const uint32_t triple_service = 0;

    if (party > embedded->parties) return embedded->access.processes[1 + embedded->parties];
    return embedded->access.processes[party == embedded->parties ? triple_service : 1 + party];
}

eis_status eis_mpc_embedded_blame(const eis_mpc_embedded *embedded, eis_status st)
{
    static const struct timespec turn = {.tv_nsec = 2000000};
    char name[32] = "the Triple Service";
    size_t index = 0;
    bool ended = false;

    if (st == EIS_OK || st == EIS_ERR_INTERRUPTED) return st;
    for (int i = 0; i < BLAME_TURNS && !ended; i++) {
        ended = eis_embedded_ended(&index, embedded->children);
        if (!ended) nanosleep(&turn, NULL);
    }
    if (!ended) return st;
    if (index == 1 + embedded->parties)
        snprintf(name, sizeof name, "the coordinator");
    else if (index > 0)
        snprintf(name, sizeof name, "party %zu", index - 1);
    return eis_fail(EIS_ERR_UNAVAILABLE, "%s (process %d) ended in the middle of the session", name,
                    (int)embedded->access.processes[index]);
}

void eis_mpc_embedded_stop(eis_mpc_embedded *embedded)
{
    if (embedded == NULL) return;
    if (embedded->template_fd >= 0) close(embedded->template_fd);
    eis_embedded_stop(embedded->children);
    eis_mem_free(embedded);
}
