/* SPDX-License-Identifier: Apache-2.0 */
/* One compute party: walks a graph with its shares, opens round by round, and keeps the residues of everything opened.
 * It knows nothing of models; what a graph means is its builder's business. */
#ifndef EIS_ENGINE_MPC_PARTY_H
#define EIS_ENGINE_MPC_PARTY_H

#include "base/pool.h"
#include "engine/mpc/check.h"
#include "engine/mpc/graph.h"
#include "engine/mpc/material.h"

/* The words of one value at one party. AUTH: share of x and of a x. WIRE: D, and shares of the mask l and of a l. */
typedef struct eis_mpc_words {
    uint64_t *pub, *share, *mac; /* [count]; pub is NULL in an AUTH, mac in a matrix */
} eis_mpc_words;

/* A matrix of the session: D and our share for every weight, and what tags its products and its rows. Shares of
 * weights are those of W = D_W - l_W itself: D_W - l_W at party 0, -l_W at the others. */
typedef struct eis_mpc_matrix {
    const eis_mpc_matrix_shape *shape;
    uint64_t *pub, *own;         /* [rows][columns]: D_W, our share of W */
    uint64_t *rho, *v_pub, *v;   /* products: share of rho [rows]; D_v and our share of v [columns] */
    uint64_t *rho_r, *w_pub, *w; /* rows: share of rho' [columns]; D_v' and our share of v' [rows] */
} eis_mpc_matrix;

/* Words of material, in the order of the nodes: see material.h. */
typedef struct eis_mpc_party {
    eis_mpc_links *links;
    uint64_t key; /* our share of the MAC key */
    eis_mpc_check check;
    eis_mpc_matrix *matrices; /* [matrix_count] */
    uint32_t matrix_count;
    eis_pool *pool;  /* threads for large products, the caller's; NULL: none, as the init leaves it */
    uint64_t *spare; /* [spare_words + 1]: memory of the last step, wiped; or NULL */
    size_t spare_words;
} eis_mpc_party;

#define EIS_MPC_SPARE_WORDS ((size_t)1 << 24) /* more is not kept between steps: 128 MiB */

/* Starts a party: the first commitments. key: our share of the MAC key, from the dealer. Errors: as check_init. */
EIS_MUST_USE eis_status eis_mpc_party_init(eis_mpc_party *party, eis_mpc_links *links, uint64_t key,
                                           const uint8_t session[EIS_MPC_DIGEST_BYTES]);

/* Wipes and frees, matrices included. Safe on a zeroed party. */
void eis_mpc_party_clear(eis_mpc_party *party);

/* Makes the matrices of a session from what their owner sent and the material of their load: opens D_v of all of them
 * in 1 round. The caller runs the check.
 *
 * Shape:   shapes[count] (kept); pub[i]: D_W, [rows][columns], kept by the party from here on (made by eis_mem_new);
 *          material: that of eis_mpc_reader_load.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_PROTOCOL, those of the links. */
EIS_MUST_USE eis_status eis_mpc_party_load(eis_mpc_party *party, const eis_mpc_matrix_shape *shapes, uint64_t **pub,
                                           uint32_t count, const uint64_t *material);

/* Opens words: mine[count] become the sums over all parties. theirs[parties][count]: room.
 * Errors:  EIS_ERR_PROTOCOL  a share is no word of the field; those of the links. */
EIS_MUST_USE eis_status eis_mpc_party_open(eis_mpc_party *party, uint64_t *mine, uint64_t *theirs, size_t count,
                                           uint32_t round);

/* Where INPUT and KEPT nodes get their words: pub for INPUT; all three for KEPT, which the source owns. */
typedef struct eis_mpc_source {
    void *context;
    eis_status (*input)(void *context, uint32_t slot, uint64_t *pub, uint32_t count);
    eis_status (*kept)(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count);
} eis_mpc_source;

/* D_W l_x of every MATRIX node: see ahead.h. Valid when zeroed: there is none. */
typedef struct eis_mpc_ahead {
    uint64_t *products; /* [words + 1] */
    size_t *at;         /* [node_count]: where those of each node begin */
    size_t words;
} eis_mpc_ahead;

void eis_mpc_ahead_clear(eis_mpc_ahead *ahead);

/* The values of one run. */
typedef struct eis_mpc_run {
    eis_mpc_words *values; /* [node_count] */
    uint64_t *arena;       /* secret, wiped */
    size_t arena_words;
    eis_mpc_ahead ahead;
    size_t most_words;    /* of all of this, and of frames and scratch while it was walked */
    eis_mpc_party *party; /* who takes the memory back, behind a walk in one pass; it must live longer. Else NULL */
} eis_mpc_run;

/* Begins a walk: takes inputs and kept rows, and computes our shares of the masks of all wires, which hang on material
 * alone, and their products with public matrices.
 *
 * Shape:   material[eis_mpc_graph_words(graph)], used up: never walk twice with it.
 * Errors:  EIS_ERR_MEMORY, those of the source. *run is zeroed. */
EIS_MUST_USE eis_status eis_mpc_party_begin(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                                            const uint64_t *material, const eis_mpc_source *source);

/* Walks a graph that was begun, with the same material. Where more residues are pending than the check keeps, it is run
 * between two rounds: all parties count the same.
 *
 * Cost:    graph->rounds exchanges, and those of such checks.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_PROTOCOL  a word that is not below p; those of links and check. *run is zeroed. */
EIS_MUST_USE eis_status eis_mpc_party_walk(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                                           const uint64_t *material);

/* Both. */
EIS_MUST_USE eis_status eis_mpc_party_run(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                                          const uint64_t *material, const eis_mpc_source *source);

/* What a walk in one pass takes. */
typedef struct eis_mpc_pass {
    const eis_mpc_reader *reader; /* material is read gate by gate */
    uint64_t step;
    const eis_mpc_source *source;
    const eis_mpc_ahead *ahead; /* of this step; NULL: none */
    const eis_mpc_id *keep;     /* [keep_count]: values that are read behind the walk; of all others the memory is used
                               again once nobody needs them */
    size_t keep_count;
} eis_mpc_pass;

/* Walks a graph with as little memory as it takes. Material that was tested before (sacrifice.h) is read once more.
 *
 * Cost:    as eis_mpc_party_walk, and expanding the material.
 * Errors:  EIS_ERR_PROTOCOL also for corrections that do not fit; the others as above. *run is zeroed. */
EIS_MUST_USE eis_status eis_mpc_party_pass(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                                           const eis_mpc_pass *pass);
/* Wipes and frees. Safe on a zeroed run. */
void eis_mpc_run_clear(eis_mpc_run *run);

#endif
