/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of a seat: its waits, what its owners have brought (mpc_seat_inputs.c), the material of its steps
 * and the walks that use it (mpc_seat_units.c). */
#ifndef EIS_SERVICE_MPC_SEAT_INTERNAL_H
#define EIS_SERVICE_MPC_SEAT_INTERNAL_H

#include "base/clock.h"
#include "engine/mpc/material.h"
#include "service/mpc_seat.h"

static inline uint64_t eis_mpc_seat_deadline(uint32_t ms) { return eis_clock_ns() + (uint64_t)ms * 1000000u; }

/* Waits under the lock until something changes. Errors: EIS_ERR_TIMEOUT, EIS_ERR_CLOSED, what an owner refused with. */
EIS_MUST_USE eis_status eis_mpc_seat_wait(eis_mpc_seat *seat, uint64_t until_ns, const char *what);

/* ---- what owners have brought ---- */

/* A walk's source (party.h); context: the seat. An input is waited for, and its record stays until the step is over, so
 * that a second one is refused, and whoever asks again gets the same. */
EIS_MUST_USE eis_status eis_mpc_seat_take_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count);
EIS_MUST_USE eis_status eis_mpc_seat_take_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count);

/* Waits until all matrices have come. Errors: as eis_mpc_seat_wait. */
EIS_MUST_USE eis_status eis_mpc_seat_await_weights(eis_mpc_seat *seat);

/* Forgets the inputs of steps that are over: their numbers are refused from now on. Under the lock. */
void eis_mpc_seat_forget_inputs(eis_mpc_seat *seat);

/* ---- material ---- */

/* Fetches the corrections of a unit, which only the last party has; a step begins in all parties when it has them.
 * *words: the reader's, for the caller to wipe and free, [reader->correction_count + 1]; may be NULL.
 *
 * Errors:  EIS_ERR_TRIPLES_EXHAUSTED, in all parties; those of the links. */
EIS_MUST_USE eis_status eis_mpc_seat_open_unit(eis_mpc_reader *reader, uint64_t **words, eis_mpc_seat *seat,
                                               eis_mpc_unit_kind kind);

/* Splits a unit: what it is tested with lies behind it. What is missing is left to the readers to notice. */
void eis_mpc_seat_split_unit(eis_mpc_reader *material, eis_mpc_reader *tests, const eis_mpc_reader *unit,
                             size_t test_count);

/* Proves everything that was opened, tests of material among it. Errors: as eis_mpc_check_run. */
EIS_MUST_USE eis_status eis_mpc_seat_prove(eis_mpc_seat *seat);

/* What a walk is for. */
typedef struct eis_mpc_walk_wish {
    const eis_mpc_graph *graph;
    eis_mpc_unit_kind kind;
    const eis_mpc_sample_coin *coin; /* where it takes one; NULL or zeros: nowhere */
    const eis_mpc_id *keep;          /* [keep_count]: the values that are read behind it */
    size_t keep_count;
} eis_mpc_walk_wish;

/* Walks a graph with the unit of its kind. Errors: those of unit, walk and tests; *run is zeroed. */
EIS_MUST_USE eis_status eis_mpc_seat_walk(eis_mpc_run *run, eis_mpc_seat *seat, const eis_mpc_walk_wish *wish);

#endif
