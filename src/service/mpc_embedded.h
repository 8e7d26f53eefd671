/* SPDX-License-Identifier: Apache-2.0 */
/* A Triple Service, parties and a coordinator as processes on this machine, for sessions of this very process, which is
 * the owner of model and prompt. That shows function and traffic; protection begins when the processes belong to
 * different owners. See embedded.h for certificates, papers and the end of children. */
#ifndef EIS_SERVICE_MPC_EMBEDDED_H
#define EIS_SERVICE_MPC_EMBEDDED_H

#include "service/embedded.h"
#include "service/mpc_call.h"
#include "service/mpc_settings.h"

typedef struct eis_mpc_embedded eis_mpc_embedded;

/* Starts them with `serve triples --embedded` and so on. program: what to run; NULL: this very program. The coordinator
 * waits for its template.
 *
 * Range:   parties within EIS_MPC_PARTIES_MIN .. EIS_MPC_PARTIES_MAX (asserted).
 * Errors:  those of eis_embedded_start. *embedded is then NULL. */
EIS_MUST_USE eis_status eis_mpc_embedded_start(eis_mpc_embedded **embedded, const char *program, uint32_t parties,
                                               const eis_mpc_settings *settings);

/* Names the processes and us in a session. */
EIS_MUST_USE eis_status eis_mpc_embedded_name(eis_mpc_session *session, const eis_mpc_embedded *embedded);

/* Hands the coordinator its template and waits until it listens. Errors: those of eis_embedded_finish. */
EIS_MUST_USE eis_status eis_mpc_embedded_coordinate(eis_mpc_member *coordinator, eis_mpc_embedded *embedded,
                                                    eis_mpc_session *session);

/* What we show to them; lives as long as they do. */
eis_mpc_caller eis_mpc_embedded_caller(const eis_mpc_embedded *embedded);

/* Returns the process of a party; where party is their number, of the Triple Service; one above, of the coordinator. */
pid_t eis_mpc_embedded_process(const eis_mpc_embedded *embedded, uint32_t party);

/* After a failure: if one of the processes has ended by itself, that is the error, whatever the others said of it. */
eis_status eis_mpc_embedded_blame(const eis_mpc_embedded *embedded, eis_status st);

/* Stops them and frees. NULL is allowed. */
void eis_mpc_embedded_stop(eis_mpc_embedded *embedded);

/* What children do with what they inherited; `serve triples|party|coordinator --embedded` call them and exit with their
 * status. */
EIS_MUST_USE eis_status eis_mpc_embedded_triples_run(unsigned threads);
EIS_MUST_USE eis_status eis_mpc_embedded_party_run(unsigned threads);
EIS_MUST_USE eis_status eis_mpc_embedded_coordinator_run(unsigned threads);

#endif
