/* SPDX-License-Identifier: Apache-2.0 */
/* All parties of a session and their dealer in one process, for tests: parties on threads, channels in memory. What
 * comes out of a walk is put together again and its MACs are checked against the key. */
#ifndef EIS_TESTS_SUPPORT_MPC_WORLD_H
#define EIS_TESTS_SUPPORT_MPC_WORLD_H

#include "base/mem.h"
#include "engine/mpc/ahead.h"
#include "engine/mpc/deal.h"
#include "engine/mpc/links_channel.h"
#include "engine/mpc/material.h"
#include "engine/mpc/party.h"
#include "engine/mpc/sacrifice.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MPC_WORLD_SLOTS 64

typedef struct mpc_world mpc_world;

typedef struct mpc_world_party {
    mpc_world *world;
    uint32_t index;
    eis_mpc_party party;
    eis_mpc_links_channel links;
    eis_channel peer[EIS_MPC_PARTIES_MAX];
    eis_mpc_run run;
    size_t test_words; /* of memory that a test took */
    eis_status st;
    char detail[512];
} mpc_world_party;

struct mpc_world {
    uint32_t count;
    eis_mpc_dealer dealer;
    mpc_world_party party[EIS_MPC_PARTIES_MAX];
    /* The walk in progress. */
    const eis_mpc_graph *graph;
    const eis_mpc_matrix_shape *shapes;
    uint32_t shape_count;
    uint64_t **pub[EIS_MPC_PARTIES_MAX];
    eis_mpc_corrections corrections;
    eis_mpc_masks masks;
    uint64_t step;
    const int64_t *input[MPC_WORLD_SLOTS]; /* what owners put in */
    uint64_t *input_pub[MPC_WORLD_SLOTS];
    bool check;
    void (*after_deal)(mpc_world *w); /* changes what was dealt; NULL: nothing */
    bool again; /* every walk is made again in one pass, with the same material, and has to give the same words */
};

static inline void mpc_world_require(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "mpc world: %s: %s\n", what, eis_error_detail());
    abort();
}

typedef void *(*mpc_world_body)(void *party);

/* Runs one body per party, and returns the first error. */
static inline eis_status mpc_world_together(mpc_world *w, mpc_world_body body)
{
    pthread_t thread[EIS_MPC_PARTIES_MAX];
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < w->count; i++) pthread_create(&thread[i], NULL, body, &w->party[i]);
    for (uint32_t i = 0; i < w->count; i++) {
        pthread_join(thread[i], NULL);
        if (st == EIS_OK && w->party[i].st != EIS_OK) {
            st = w->party[i].st;
            (void)eis_fail(st, "party %u: %s", i, w->party[i].detail);
        }
    }
    return st;
}

static inline void *mpc_world_keep_error(mpc_world_party *p, eis_status st)
{
    p->st = st;
    snprintf(p->detail, sizeof p->detail, "%s", st == EIS_OK ? "" : eis_error_detail());
    if (st != EIS_OK) /* the others do not wait for us */
        for (uint32_t i = 0; i < p->world->count; i++)
            if (i != p->index) eis_channel_clear(&p->peer[i]);
    return NULL;
}

static inline void *mpc_world_start_party(void *context)
{
    mpc_world_party *p = context;
    static const uint8_t session[EIS_MPC_DIGEST_BYTES] = {1, 2, 3};

    return mpc_world_keep_error(
        p, eis_mpc_party_init(&p->party, &p->links.links, p->world->dealer.key_share[p->index], session));
}

/* master: 0, or where all masks come from (eis_mpc_dealer_master). */
static inline void mpc_world_open_master(mpc_world *w, uint32_t count, uint32_t master)
{
    memset(w, 0, sizeof *w);
    w->count = count;
    mpc_world_require(eis_mpc_dealer_init(&w->dealer, count) == EIS_OK, "dealer");
    if (master != 0) mpc_world_require(eis_mpc_dealer_master(&w->dealer, master) == EIS_OK, "dealer");
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++)
            mpc_world_require(eis_channel_pair(&w->party[i].peer[j], &w->party[j].peer[i], 20000) == EIS_OK, "pair");
    for (uint32_t i = 0; i < count; i++) {
        w->party[i].world = w;
        w->party[i].index = i;
        eis_mpc_links_channel_init(&w->party[i].links, w->party[i].peer, i, count, 0x5e551011);
    }
    mpc_world_require(mpc_world_together(w, mpc_world_start_party) == EIS_OK, "parties");
}

static inline void mpc_world_open(mpc_world *w, uint32_t count) { mpc_world_open_master(w, count, 0); }

static inline void mpc_world_clear_walk(mpc_world *w)
{
    for (uint32_t i = 0; i < w->count; i++) eis_mpc_run_clear(&w->party[i].run);
    eis_mpc_masks_clear(&w->masks);
}

static inline void mpc_world_close(mpc_world *w)
{
    mpc_world_clear_walk(w);
    for (int i = 0; i < MPC_WORLD_SLOTS; i++) eis_mem_free(w->input_pub[i]);
    eis_mpc_corrections_clear(&w->corrections);
    for (uint32_t i = 0; i < w->count; i++) {
        eis_mpc_party_clear(&w->party[i].party);
        for (uint32_t j = 0; j < w->count; j++)
            if (j != i) eis_channel_clear(&w->party[i].peer[j]);
    }
    eis_mpc_dealer_clear(&w->dealer);
}

static inline eis_status mpc_world_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    memcpy(pub, ((mpc_world *)context)->input_pub[slot], count * sizeof *pub);
    return EIS_OK;
}

/* Whether two runs have the same words of a node. */
static inline bool mpc_world_same(const eis_mpc_node *node, const eis_mpc_words *a, const eis_mpc_words *b)
{
    size_t bytes = node->count * sizeof(uint64_t);

    return memcmp(a->share, b->share, bytes) == 0 && memcmp(a->mac, b->mac, bytes) == 0 &&
           (node->form != EIS_MPC_WIRE || memcmp(a->pub, b->pub, bytes) == 0);
}

/* A walk in one pass uses its memory again and reads its material piece by piece. Of a few values that are kept, other
 * ones at each step, all words have to be those of the walk before. */
static inline eis_status mpc_world_pass_again(mpc_world_party *p, const eis_mpc_graph *graph,
                                              const eis_mpc_reader *reader, const eis_mpc_source *source)
{
    enum { EVERY = 7 };
    eis_status st = EIS_OK;
    eis_mpc_run run = {0};
    eis_mpc_id *keep = eis_mem_new(graph->node_count, sizeof *keep);
    eis_mpc_pass pass = {.reader = reader, .step = p->world->step, .source = source, .keep = keep};
    eis_mpc_ahead ahead = {0};
    const eis_mpc_ahead_wish wish = {.party = &p->party,
                                     .graph = graph,
                                     .seed = reader->seed,
                                     .step = pass.step,
                                     .maskless = reader->maskless,
                                     .source = source};

    for (eis_mpc_id id = (eis_mpc_id)(p->world->step % EVERY); id < graph->node_count; id += EVERY)
        keep[pass.keep_count++] = id;
    if (pass.step % 2 == 0) {
        EIS_TRY(eis_mpc_ahead_make(&ahead, &wish));
        pass.ahead = &ahead;
    }
    EIS_TRY(eis_mpc_party_pass(&run, &p->party, graph, &pass));
    for (size_t i = 0; i < pass.keep_count; i++)
        EIS_REQUIRE(mpc_world_same(&graph->nodes[keep[i]], &run.values[keep[i]], &p->run.values[keep[i]]),
                    EIS_ERR_INTERNAL, "node %u differs when it is walked in one pass", keep[i]);
out:
    eis_mpc_run_clear(&run);
    eis_mpc_ahead_clear(&ahead);
    eis_mem_free(keep);
    return st;
}

/* Tests a unit, then walks it; at level 0 the other way round. */
static inline eis_status mpc_world_test_and_walk(mpc_world_party *p, const eis_mpc_graph *graph,
                                                 const eis_mpc_reader *unit, const eis_mpc_reader *spares,
                                                 eis_mpc_tests tests)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = p->world, .input = mpc_world_input};
    const eis_mpc_pass pass = {.reader = unit, .step = p->world->step, .source = &source};
    const eis_mpc_sacrifice test = {
        .graph = graph, .unit = unit, .spares = spares, .step = p->world->step, .source = &source, .tests = tests};

    if (tests.level > 0) EIS_TRY(eis_mpc_sacrifice_run(&p->test_words, &p->party, &test));
    EIS_TRY(eis_mpc_party_pass(&p->run, &p->party, graph, &pass));
    if (tests.level == 0) EIS_TRY(eis_mpc_sacrifice_run(&p->test_words, &p->party, &test));
out:
    return st;
}

static inline void *mpc_world_walk_party(void *context)
{
    mpc_world_party *p = context;
    mpc_world *w = p->world;
    eis_status st = EIS_OK;
    eis_mpc_source source = {.context = w, .input = mpc_world_input};
    bool last = p->index + 1 == w->count;
    eis_mpc_reader reader = {.seed = w->dealer.seed[p->index],
                             .corrections = last ? w->corrections.words : NULL,
                             .correction_count = w->corrections.count,
                             .maskless = w->dealer.master && p->index > 0};
    size_t words = eis_mpc_graph_words(w->graph);
    uint64_t *material = eis_mem_new(words + 1, sizeof *material);

    EIS_TRY(eis_mpc_reader_graph(&reader, material, w->graph, w->step));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, w->graph, material, &source));
    if (w->again) EIS_TRY(mpc_world_pass_again(p, w->graph, &reader, &source));
    if (w->check) EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(material);
    return mpc_world_keep_error(p, st);
}

/* Deals and walks a graph; inputs in w->input. */
static inline eis_status mpc_world_walk(mpc_world *w, const eis_mpc_graph *graph, bool check)
{
    eis_mpc_mask_source none = {0};

    mpc_world_clear_walk(w);
    w->graph = graph;
    w->check = check;
    w->step++;
    mpc_world_require(eis_mpc_graph_status(graph) == EIS_OK, "graph");
    mpc_world_require(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, graph, w->step, &none) == EIS_OK,
                      "deal");
    if (w->after_deal != NULL) w->after_deal(w);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        if (node->op != EIS_MPC_OP_INPUT) continue;
        eis_mem_free(w->input_pub[node->slot]);
        w->input_pub[node->slot] = eis_mem_new(node->count, 8);
        for (uint32_t i = 0; i < node->count; i++)
            w->input_pub[node->slot][i] = eis_fp_add(eis_fp_from_i64(w->input[node->slot][i]), w->masks.of[id][i]);
    }
    return mpc_world_together(w, mpc_world_walk_party);
}

/* Puts a value together; checks its MAC. */
static inline void mpc_world_value(int64_t *out, const mpc_world *w, eis_mpc_id id)
{
    const eis_mpc_node *node = &w->graph->nodes[id];

    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t share = 0, mac = 0;
        for (uint32_t p = 0; p < w->count; p++) {
            const eis_mpc_words *words = &w->party[p].run.values[id];
            share = eis_fp_add(share, words->share[i]);
            mac = eis_fp_add(mac, words->mac[i]);
        }
        mpc_world_require(eis_fp_mul(share, w->dealer.key) == mac, "a MAC does not fit");
        if (node->form == EIS_MPC_WIRE) share = eis_fp_sub(w->party[0].run.values[id].pub[i], share);
        out[i] = eis_fp_centre(share);
    }
}

#endif
