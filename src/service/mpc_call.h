/* SPDX-License-Identifier: Apache-2.0 */
/* Calling the servers of a session as its coordinator or as an owner. */
#ifndef EIS_SERVICE_MPC_CALL_H
#define EIS_SERVICE_MPC_CALL_H

#include "engine/mpc/stream.h"
#include "net/cancel.h"
#include "service/mpc_layers.h"
#include "service/mpc_session.h"
#include "service/mpc_stream.h"
#include "service/mpc_token.h"

/* Who calls: certificate, key and the CA of the others; the texts must outlive the calls. */
typedef struct eis_mpc_caller {
    eis_span cert_pem, key_pem, ca_pem;
    uint32_t timeout_ms;      /* to connect, and for a single answer; 0: 30 s */
    uint32_t round_ms;        /* that parties wait for each other's frames: when one has answered, the others have twice
                                 as long; 0: 10 s */
    const eis_cancel *cancel; /* NULL: none */
} eis_mpc_caller;

/* Connects to a member and greets it in a role; it has answered.
 * Errors:  those of streams; what the member said. *stream is then NULL. */
EIS_MUST_USE eis_status eis_mpc_call(eis_stream **stream, const eis_mpc_caller *caller, const eis_mpc_member *member,
                                     eis_mpc_role role, uint64_t session);

/* ---- The coordinator's half, without its public face ---- */

typedef struct eis_mpc_conductor eis_mpc_conductor;

/* Tells the Triple Service and all parties about a session, and waits until they are linked. `session` must
 * outlive the conductor.
 * Errors: what the first of them said, its name in front: "party 1: ..." or "Triple Service: ..."; that of one which
 *         fell silent goes before that of one which complains. *conductor is NULL, and the session has ended
 * everywhere. */
EIS_MUST_USE eis_status eis_mpc_conductor_open(eis_mpc_conductor **conductor, const eis_mpc_session *session,
                                               const void *document, size_t bytes, const eis_mpc_caller *caller);

/* Lets the parties take the weights that their owner has sent, or sends. */
EIS_MUST_USE eis_status eis_mpc_conductor_load(eis_mpc_conductor *conductor);

/* Receives a token; a status other than EIS_OK ends the run and the session. */
typedef eis_status (*eis_mpc_token_receiver)(void *context, uint32_t token, double ms);

/* Runs: `prompt` secret tokens, whose owner has sent them for the next steps (eis_mpc_owner_send_prompt), then at most
 * `most` new ones, chosen as `sampling` says (NULL: the likeliest). A run that ended with EIS_MPC_END_DRY goes on with
 * prompt 0, where it was. A token is handed on when all parties have told the same.
 * Errors:  EIS_ERR_INTEGRITY  they told different ones; what the first failing party said. The session has ended. */
EIS_MUST_USE eis_status eis_mpc_conductor_run(eis_mpc_conductor *conductor, eis_mpc_end *end, uint32_t prompt,
                                              uint32_t most, const eis_mpc_sampling *sampling,
                                              eis_mpc_token_receiver receive, void *context);

/* Asks the parties what they have counted; while nothing runs. Shape: counters[party_count]. Errors: those of streams.
 */
EIS_MUST_USE eis_status eis_mpc_conductor_count(eis_mpc_counters *counters, eis_mpc_conductor *conductor);

/* Has somebody told that a step waits for its material, by the thread that runs. NULL: nobody. */
void eis_mpc_conductor_on_waiting(eis_mpc_conductor *conductor, void (*waiting)(void *context, uint64_t step),
                                  void *context);

/* Has somebody asked, by the thread that runs, whether the one for whom it runs is gone: every 100 ms in which no party
 * says anything. True ends the run and the session with EIS_ERR_INTERRUPTED. NULL: nobody. */
void eis_mpc_conductor_ask_gone(eis_mpc_conductor *conductor, bool (*gone)(void *context), void *context);

/* Tokens of the prompt that a run which ended with EIS_MPC_END_DRY has left. */
uint32_t eis_mpc_conductor_left(const eis_mpc_conductor *conductor);

/* The public keys of the parties, checked against their pins; and the token of which a receiver is just told, with all
 * signatures, which were checked as well. */
const eis_mpc_party_keys *eis_mpc_conductor_keys(const eis_mpc_conductor *conductor);
const eis_mpc_told *eis_mpc_conductor_told(const eis_mpc_conductor *conductor);

/* Returns the step that the next token takes, and its position. */
uint64_t eis_mpc_conductor_step(const eis_mpc_conductor *conductor);
uint32_t eis_mpc_conductor_position(const eis_mpc_conductor *conductor);

/* Ends the session. NULL is allowed. */
void eis_mpc_conductor_close(eis_mpc_conductor *conductor);

/* ---- An owner's half ---- */

typedef struct eis_mpc_owner eis_mpc_owner;

/* Calls the Triple Service and all parties. `session` must outlive the owner. */
EIS_MUST_USE eis_status eis_mpc_owner_open(eis_mpc_owner **owner, const eis_mpc_session *session,
                                           const eis_mpc_caller *caller);

/* Masks and sends all weights and biases. Progress in [0, 1] where `progress` is not NULL.
 * Cost: 8 bytes for each weight to each party. */
EIS_MUST_USE eis_status eis_mpc_owner_send_model(eis_mpc_owner *owner, const eis_model *model,
                                                 void (*progress)(void *context, double part), void *context);

/* Masks and sends a prompt: tokens[count], for the steps from `step` on, of which the first token takes `position`;
 * from the left filled up to eis_mpc_model_filled tokens. Secret: tokens.
 * Errors:  EIS_ERR_RANGE  no token of the model;  those of the engine, of streams, and what members said. */
EIS_MUST_USE eis_status eis_mpc_owner_send_prompt(eis_mpc_owner *owner, uint64_t step, uint32_t position,
                                                  const uint32_t *tokens, uint32_t count);

/* Masks and sends one input of a classifier, as read from a file. Shape: x[inputs]. Secret: x. The model must be the
 * session's.
 * Errors:  EIS_ERR_RANGE  an input that the session has no room for. */
EIS_MUST_USE eis_status eis_mpc_owner_send_image(eis_mpc_owner *owner, uint64_t step, const eis_model *model,
                                                 const double *x);

/* Returns the last step for which an input was sent: the one that tells the first token. */
uint64_t eis_mpc_owner_step(const eis_mpc_owner *owner);

/* Asks what everybody has counted. Shape: parties[party_count]. Errors: those of streams. */
EIS_MUST_USE eis_status eis_mpc_owner_count(eis_mpc_counters *parties, eis_mpc_counters *dealer, eis_mpc_owner *owner);

/* Asks the last party, which gets all material, what layers have cost. *layers is replaced. Errors: those of streams
 * and of eis_mpc_layers_read. */
EIS_MUST_USE eis_status eis_mpc_owner_layers(eis_mpc_layers *layers, eis_mpc_owner *owner);

/* Hangs up. NULL is allowed. */
void eis_mpc_owner_close(eis_mpc_owner *owner);

#endif
