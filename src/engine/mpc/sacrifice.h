/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what the dealer has dealt, before a number leaves that was computed with it: words that fit no MAC, products
 * that are none, digits that are no digits, tags that would fail for some inputs only. A dealer whose lies are noticed
 * or not depending on data would learn of them by the abort; with these tests every lie of the kinds below ends the
 * session whatever the data are.
 *
 *   MACs      one random combination of masks and derived values, opened under a spare mask
 *   products  of masks in PRODUCT and DOT: each pair of factors is opened under spare masks, of whose
 *             products the dealer gives the sum
 *   digits    X^2 = Y for X = <r, E> and Y = <r r, E> says that a vector is one-hot; with the sign q of a
 *             highest digit X^2 = q Y and q^2 = 1: products like the others
 *   prompts   inputs that have to be one-hot, the same way: here it is their owner who could lie
 *   matrices  l_W l by Freivalds' test, one random combination for all products of a node
 *   tags      of the load: a product with public random numbers under a spare mask
 *
 * Every test ends in a number that must be 0; it joins the residues of the check and is never opened by itself. Parts
 * of truncations, and that digits are those of their mask, are not tested: such lies change results and never the
 * abort.
 * Source: [DPSZ12], [CKRRSW20], [BBCGI21, section 4.2], [Fre79]; docs/mpc.md says what each test catches. */
#ifndef EIS_ENGINE_MPC_SACRIFICE_H
#define EIS_ENGINE_MPC_SACRIFICE_H

#include "engine/mpc/party.h"

/* Tests the material of a walk, after it: the shares of masks are those of the run. The caller runs the check behind
 * it.
 *
 * Shape:   material as it was given to the walk, tests[size.words] of eis_mpc_test_size_graph: used up.
 * Cost:    2 rounds for the coin, and 1 for each 2^20 of size.opened words.
 * Errors:  EIS_ERR_MEMORY, those of the links. A lie shows in the check. */
EIS_MUST_USE eis_status eis_mpc_sacrifice_run(eis_mpc_party *party, const eis_mpc_graph *graph, const eis_mpc_run *run,
                                              const uint64_t *material, const uint64_t *tests);

/* Tests the material of a load, behind eis_mpc_party_load. Shape and errors as above. */
EIS_MUST_USE eis_status eis_mpc_sacrifice_load(eis_mpc_party *party, const uint64_t *material, const uint64_t *tests);

#endif
