/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what the dealer has dealt, before a word is opened that was computed with it: words that fit no MAC,
 * products that are none, digits that are no digits, tags that would fail for some inputs only. A dealer whose lies are
 * noticed or not depending on data would learn of them by the abort; with these tests every lie of the kinds below ends
 * the session whatever the data are.
 *
 * - MACs: one random combination of masks and derived values, opened under a spare mask.
 * - Products of masks in PRODUCT and DOT: random combinations of those that share a factor, each pair of factors opened
 *   under spare masks, of whose products the dealer gives the sum.
 * - Digits: X^2 = Y for X = <r, E> and Y = <r r, E> says that a vector is one-hot; with the sign q of a highest digit
 *   X^2 = q Y and q^2 = 1. X is opened under a spare mask whose square the dealer gives.
 * - Matrices: l_W l by Freivalds' test, one random combination for all products of a node.
 * - Tags of the load: a product with public random numbers under a spare mask.
 * - Parts, at level 2: the mask of whatever is truncated or compared is dealt again, two bits at a time; what was dealt
 *   for the truncation or the comparison must be the sums of those.
 *
 * and of inputs, where it is their owner who could lie: rows are one-hot, words are bits, the same way as digits.
 *
 * Every test ends in a number that must be 0; it joins the residues of the check and is never opened by itself.
 * Source: [DPSZ12], [CKRRSW20], [BBCGI21, section 4.2], [Fre79]; docs/mpc.md says what each test catches. */
#ifndef EIS_ENGINE_MPC_SACRIFICE_H
#define EIS_ENGINE_MPC_SACRIFICE_H

#include "engine/mpc/material.h"
#include "engine/mpc/party.h"

#define EIS_MPC_TEST_FRAME_WORDS ((size_t)1 << 20) /* that are opened in one round */

/* What a unit is tested with, and what it is for. */
typedef struct eis_mpc_sacrifice {
    const eis_mpc_graph *graph;
    const eis_mpc_reader *unit, *spares; /* the material of the walk; what it is tested with */
    uint64_t step;
    const eis_mpc_source *source; /* an input is asked for twice here, and once more by the walk */
    eis_mpc_tests tests;
} eis_mpc_sacrifice;

/* Tests the material of a walk before it begins: masks of all wires hang on material alone, so they are computed here,
 * gate by gate as in a walk in one pass, and the walk reads the same material again. A check that the walk itself has
 * to run covers the tests too, so that when a session ends does not hang on data either.
 *
 * At level 0 inputs alone are tested. That may stand behind the walk too: the dealer is trusted, so nothing else can
 * fail before.
 *
 * Shape:   *most_words: of the memory that it took, unless NULL: that of masks, of the widest gate and of one frame; it
 *          does not grow with the number of gates.
 * Cost:    where size.opened > 0: 2 rounds for the coin, 1 for each EIS_MPC_TEST_FRAME_WORDS of it.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_PROTOCOL for corrections that do not fit, those of source, links and check. A lie
 *          shows in the check. */
EIS_MUST_USE eis_status eis_mpc_sacrifice_run(size_t *most_words, eis_mpc_party *party, const eis_mpc_sacrifice *wish);

/* Tests the material of a load, behind eis_mpc_party_load. Shape and errors as above. */
EIS_MUST_USE eis_status eis_mpc_sacrifice_load(eis_mpc_party *party, const uint64_t *material, const uint64_t *tests);

/* Counts the checks that run between the rounds of a walk and its tests, because pending_max residues are pending: the
 * one behind it all is not counted. The list is taken to be empty before, and the tests to come first, at level 0 last.
 * Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_checks_between(uint32_t *checks, const eis_mpc_graph *graph, eis_mpc_tests tests,
                                               size_t pending_max);

#endif
