/* SPDX-License-Identifier: Apache-2.0 */
/* Client, after the answer: ciphertexts to numbers. All checks of a reply come before this; nothing that the network
 * can see comes from its result. No server links it. */
#ifndef EIS_ENGINE_HE_RECOVER_H
#define EIS_ENGINE_HE_RECOVER_H

#include "engine/he/protect.h"

/* How decrypted values are made fit to be shown to a third party [LM21, LMSS22]. Zeroed: as they are, for the key's
 * owner alone. Neither helps against a server that returns other ciphertexts than it should: who publishes results of a
 * server he does not trust uses a key for that one result and throws it away. */
typedef struct eis_he_publish {
    unsigned bits;   /* s: flooding by a Gaussian of sqrt(12 values) * 2^(s/2) times the error bound; 0: none */
    uint64_t values; /* how many values are published under this key in its life; 0: those of this answer */
} eis_he_publish;

/* Tells whether a contract has room for flooding, and gives its standard deviation.
 * Errors:  EIS_ERR_RANGE  the flooding would drown the answer (larger than 2^-8 of what it can be), or wrap; the text
 *          says how many bits there are. */
EIS_MUST_USE eis_status eis_he_publish_check(double *deviation, const eis_he_contract *contract, uint32_t stage,
                                             const eis_he_publish *publish);

/* Decrypts the answer of a stage.
 *
 * Shape:   y[batch][output.count]; ct[output.ciphertexts], at the planned level, polynomials and scale (asserted: a
 *          reader has checked them by its rules).
 * Secret:  y; constant time.
 * Errors:  EIS_ERR_RANGE as eis_he_publish_check; EIS_ERR_MEMORY. y is wiped. */
EIS_MUST_USE eis_status eis_he_recover(double *y, const eis_he_client *client, uint32_t stage, const eis_ckks_ct *ct,
                                       size_t batch, const eis_he_publish *publish);

#endif
