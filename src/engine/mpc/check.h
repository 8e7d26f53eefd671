/* SPDX-License-Identifier: Apache-2.0 */
/* The check before anything leaves: every opening since the last one is proved by one random combination of residues,
 * which sum to zero over the parties unless somebody lied. Zero tests join the same list and are never opened by
 * themselves.
 *
 *   round 1  coins and hashes of the transcript; they must fit the commitments and each other
 *   round 2  commitments to sigma = sum of r_j residue_j, and to the next coin
 *   round 3  sigma
 *
 * After any failure the session is dead: the combination of a failed check tells the MAC key.
 * Source: [DPSZ12, figure 11]; the order of hash, commit and open is docs/mpc.md's. */
#ifndef EIS_ENGINE_MPC_CHECK_H
#define EIS_ENGINE_MPC_CHECK_H

#include "engine/mpc/digest.h"
#include "engine/mpc/links.h"

#include <stdbool.h>

#define EIS_MPC_CHECK_PENDING_MAX ((size_t)1 << 20) /* unless told otherwise */

typedef struct eis_mpc_check {
    eis_mpc_links *links; /* must outlive the check */
    uint64_t *residues;   /* [count], secret */
    size_t count, capacity;
    size_t pending_max; /* eis_mpc_check_relieve waits for so many */
    eis_mpc_digest transcript;
    uint64_t window;
    uint8_t session[EIS_MPC_DIGEST_BYTES];
    uint8_t coin[EIS_MPC_DIGEST_BYTES], coin_salt[EIS_MPC_DIGEST_BYTES]; /* ours, committed and not yet revealed */
    uint8_t committed[EIS_MPC_PARTIES_MAX][EIS_MPC_DIGEST_BYTES];        /* everybody's commitments to their coins */
    bool dead;
} eis_mpc_check;

/* Starts: commits to the first coin, 1 round. session: the hash of the session's configuration.
 *
 * Errors:  EIS_ERR_ENTROPY, EIS_ERR_MEMORY; those of the links. */
EIS_MUST_USE eis_status eis_mpc_check_init(eis_mpc_check *check, eis_mpc_links *links,
                                           const uint8_t session[EIS_MPC_DIGEST_BYTES]);

/* Wipes and frees. Safe on a zeroed check. */
void eis_mpc_check_clear(eis_mpc_check *check);

/* Adds residues: our shares of numbers that must be 0. Shape: tau[count]. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_check_add(eis_mpc_check *check, const uint64_t *tau, size_t count);

/* Adds `count` residues that the caller writes, to where *tau points, before it calls the check again. Errors: as
 * above. */
EIS_MUST_USE eis_status eis_mpc_check_extend(eis_mpc_check *check, uint64_t **tau, size_t count);

/* Notes what was opened. */
void eis_mpc_check_note(eis_mpc_check *check, const void *data, size_t bytes);

/* Tosses a coin that nobody could choose: committed, then shown, and used for nothing else. 2 rounds. For tests of what
 * the dealer has sent, once all of it is here: each party shows its coin only then.
 *
 * Errors:  EIS_ERR_INTEGRITY, EIS_ERR_ENTROPY, those of the links; the check is dead. */
EIS_MUST_USE eis_status eis_mpc_check_coin(eis_mpc_check *check, uint8_t coin[EIS_MPC_DIGEST_BYTES]);

/* Runs the check and empties the list. 3 rounds.
 *
 * Errors:  EIS_ERR_INTEGRITY  somebody lied; the text does not say where. The check is dead and the caller ends the
 *                             session. Also those of the links, after which it is dead too. */
EIS_MUST_USE eis_status eis_mpc_check_run(eis_mpc_check *check);

/* Runs the check where pending_max residues or more are pending; all parties count the same, so all do or none does.
 * For points where residues of everything opened so far are in the list. Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_check_relieve(eis_mpc_check *check);

/* Opens one number to all parties, in the clear, and proves it: the share is sent, then sigma = value * key - mac is
 * committed and opened. 3 rounds. For what is told to the world, after a check that passed.
 *
 * Errors:  EIS_ERR_INTEGRITY, those of the links; *value is 0. */
EIS_MUST_USE eis_status eis_mpc_check_output(eis_mpc_check *check, uint64_t *value, uint64_t share, uint64_t mac,
                                             uint64_t key);

#endif
