/* SPDX-License-Identifier: Apache-2.0 */
/* Client of an interactive contract: it encrypts, the server computes one linear layer, the client decrypts, computes
 * what is not linear, and so on.
 *
 * The number of rounds, what is sent in each, and how long the client takes are fixed by the contract and depend on no
 * value: what is decrypted is taken as it is, clamped to what the contract declares, and encrypted afresh. There is no
 * retry, abort or report that depends on it. Whoever answers may be wrong or lie; the last answer shows it to the key's
 * owner, and to nobody else. */
#ifndef EIS_ENGINE_HE_INTERACTIVE_H
#define EIS_ENGINE_HE_INTERACTIVE_H

#include "engine/he/recover.h"

/* How a round's ciphertexts get to the server and its answer back. */
typedef struct eis_he_transport {
    void *context;
    /* Sends request[stage.input.ciphertexts]; fills answer[stage.output.ciphertexts], zeroed, with ciphertexts that
     * have passed the reader's checks (level, scale, polynomials as the contract says). May use up the request. An
     * error ends the run; a transport repeats bytes it has sent, if it must, and never asks for new ones. */
    eis_status (*round)(void *context, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request);
} eis_he_transport;

/* Returns how many numbers come out of a contract's last stage and its local steps. */
uint32_t eis_he_interactive_count(const eis_he_contract *contract);

/* Computes a model on one input.
 *
 * Shape:   y[eis_he_interactive_count]; x[stage[0].input.size], the model's own scaling already applied.
 * Range:   an interactive contract (asserted). Values beyond a stage's input_max are clamped to it.
 * Secret:  x and y, and all between; constant time.
 * Errors:  EIS_ERR_RANGE  x is not finite: nothing has been sent; EIS_ERR_ENTROPY, EIS_ERR_MEMORY; what the transport
 *          returns. y is zeros. */
EIS_MUST_USE eis_status eis_he_interactive_run(double *y, const eis_he_client *client,
                                               const eis_he_transport *transport, const double *x);

#endif
