/* SPDX-License-Identifier: Apache-2.0 */
/* The record of the material of the mpc engine: which unit of which session was dealt, given, leased, used up or thrown
 * away. Two texts under one mask give away their difference, so a unit is used once, and what a crash leaves open is
 * burned when the store opens again. Seeds and words of units are never written: a digest and a length are.
 *
 *   produced -> given | burned              at the Triple Service
 *   leased -> consumed | burned             at a party, whose lease covers every kind of unit of the step
 *
 * States only move forward, which the database itself holds to, and rows of a file are never deleted. */
#ifndef EIS_STORE_MATERIAL_H
#define EIS_STORE_MATERIAL_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define EIS_MATERIAL_SESSION_BYTES 32
#define EIS_MATERIAL_DIGEST_BYTES  32
#define EIS_MATERIAL_ANY_KIND      255

typedef struct eis_material_store eis_material_store;

/* The numbers are those of the file. The first two are open, the others final. */
typedef enum eis_material_state {
    EIS_MATERIAL_PRODUCED = 1,
    EIS_MATERIAL_LEASED = 2,
    EIS_MATERIAL_GIVEN = 3,
    EIS_MATERIAL_CONSUMED = 4,
    EIS_MATERIAL_BURNED = 5
} eis_material_state;

typedef struct eis_material_unit {
    uint8_t session[EIS_MATERIAL_SESSION_BYTES]; /* hash of its document */
    uint64_t step, kind;                         /* below 2^63, as the file holds them */
} eis_material_unit;

/* Units in each state, of all times that the store knows; [0] is not used. */
typedef struct eis_material_totals {
    uint64_t units[EIS_MATERIAL_BURNED + 1], sessions, words_given;
} eis_material_totals;

/* Opens a store and burns what was open in it. path == NULL: in memory, where only one row of a session stays when it
 * ends.
 *
 * Errors: EIS_ERR_STORE  in use, damaged, another kind of file, a network file system;  EIS_ERR_MEMORY;
 *         EIS_ERR_LIMIT  no thread. *store is then NULL. */
EIS_MUST_USE eis_status eis_store_material_open(eis_material_store **store, const char *path);

/* Writes what is queued and closes. NULL is allowed. */
void eis_store_material_close(eis_material_store *store);

/* Tells whether there is any record of a session. */
EIS_MUST_USE eis_status eis_store_material_known(eis_material_store *store, bool *known,
                                                 const uint8_t session[EIS_MATERIAL_SESSION_BYTES]);

/* Records a unit that was dealt; it is on the disk when this returns.
 *
 * Shape:  digest[EIS_MATERIAL_DIGEST_BYTES] of its words.
 * Errors: EIS_ERR_STORE  there is such a record, whatever its state; the disk; an earlier write that was queued. */
EIS_MUST_USE eis_status eis_store_material_add(eis_material_store *store, const eis_material_unit *unit,
                                               const uint8_t digest[EIS_MATERIAL_DIGEST_BYTES], uint64_t words);

/* Leases `count` steps of a session from `first` on, in one transaction; on the disk when this returns. Errors: as
 * above, where one of them has a record. */
EIS_MUST_USE eis_status eis_store_material_lease(eis_material_store *store,
                                                 const uint8_t session[EIS_MATERIAL_SESSION_BYTES], uint64_t first,
                                                 uint32_t count);

/* The three that follow only queue, and a thread of the store writes in order: nobody waits for the disk. What fails
 * there fails the next call that waits. */

/* Leases steps that are needed later: who comes to the first of them calls eis_store_material_wait before. */
void eis_store_material_lease_later(eis_material_store *store, const uint8_t session[EIS_MATERIAL_SESSION_BYTES],
                                    uint64_t first, uint32_t count);

/* Moves a unit to its final state. Range: GIVEN, CONSUMED or BURNED. */
void eis_store_material_move_later(eis_material_store *store, const eis_material_unit *unit, eis_material_state state);

/* Ends a session: what is open is burned. */
void eis_store_material_end_later(eis_material_store *store, const uint8_t session[EIS_MATERIAL_SESSION_BYTES]);

/* Waits until everything that was queued before is on the disk. Errors: EIS_ERR_STORE  one of them failed. */
EIS_MUST_USE eis_status eis_store_material_wait(eis_material_store *store);

/* Reads the totals, queued moves included. Errors: as above. */
EIS_MUST_USE eis_status eis_store_material_totals(eis_material_store *store, eis_material_totals *totals);

#endif
