/* SPDX-License-Identifier: Apache-2.0 */
#include "service/triple_units.h"

#include "base/mem.h"
#include "service/mpc_stream.h"

#include <string.h>

static void free_unit(eis_triple_unit *u)
{
    if (u == NULL) return;
    eis_mpc_corrections_clear(&u->corrections);
    eis_mem_free(u);
}

/* ---- what the service counts ---- */

static void note_produced(eis_triple_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->stats.produced++;
    pthread_mutex_unlock(&service->lock);
}

static void note_waits(eis_triple_service *service, const eis_triple_unit *u)
{
    pthread_mutex_lock(&service->lock);
    service->stats.ready++;
    service->pool_bytes += u->corrections.count * sizeof(uint64_t);
    pthread_mutex_unlock(&service->lock);
}

static void note_gone(eis_triple_service *service, const eis_triple_unit *u, bool burned)
{
    pthread_mutex_lock(&service->lock);
    service->stats.ready--;
    service->stats.burned += burned;
    service->pool_bytes -= u->corrections.count * sizeof(uint64_t);
    pthread_mutex_unlock(&service->lock);
}

/* ---- dealing ---- */

/* Deals a step and keeps its masks. Who calls has set `dealing`. */
static eis_status deal_step(eis_mpc_corrections *c, eis_triple_dealt *d, eis_mpc_unit_kind kind, uint64_t step,
                            uint32_t position)
{
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &d->session.lm;
    eis_mpc_mask_source source = {.context = &d->masks, .kept = eis_mpc_cache_kept_masks};
    eis_mpc_lm_step s = {0};
    eis_mpc_masks masks = {0};

    EIS_TRY(eis_mpc_lm_step_init(&s, lm, position, kind != EIS_MPC_UNIT_NEXT, kind != EIS_MPC_UNIT_PROMPT));
    EIS_TRY(eis_mpc_deal_graph(&masks, c, &d->dealer, &s.graph, eis_mpc_unit_number(kind, step), &source));
    if (d->session.sacrifice_level > 0)
        EIS_TRY(eis_mpc_deal_test_graph(c, &d->dealer, &s.graph, eis_mpc_unit_number(kind, step)));
    for (uint32_t i = 0; i < 2 * lm->layers; i++) {
        eis_mpc_id id = i % 2 != 0 ? s.values[i / 2] : s.keys[i / 2];
        EIS_TRY(eis_mpc_cache_keep_masks(&d->masks, i, masks.of[id], s.graph.nodes[id].count));
    }
    note_produced(d->service);
out:
    eis_mpc_masks_clear(&masks);
    eis_mpc_lm_step_clear(&s);
    return st;
}

/* Waits, under the lock, until nobody deals. */
static void wait_for_dealing(eis_triple_dealt *d)
{
    while (d->dealing) pthread_cond_wait(&d->changed, &d->lock);
}

/* Throws away what was dealt ahead, and the masks that it kept. Under the lock, and nobody deals. */
static void burn_ahead(eis_triple_dealt *d)
{
    size_t row = (size_t)d->session.lm.kv_heads * d->session.lm.head_size;

    for (uint32_t i = 0; d->ahead_count > 0 && i < 2 * d->session.lm.layers; i++)
        d->masks.slots[i].count -= d->ahead_count * row;
    while (d->ahead != NULL) {
        eis_triple_unit *u = d->ahead;
        d->ahead = u->next;
        note_gone(d->service, u, true);
        free_unit(u);
    }
    d->ahead_count = 0;
}

static bool wants_more(eis_triple_dealt *d)
{
    eis_triple_service *service = d->service;
    bool room;

    pthread_mutex_lock(&service->lock);
    room = service->pool_bytes < service->pool_bytes_max;
    pthread_mutex_unlock(&service->lock);
    return d->running && room && d->ahead_count < service->pool_target &&
           d->next_position + d->ahead_count < d->session.context;
}

static void append(eis_triple_dealt *d, eis_triple_unit *u)
{
    eis_triple_unit **end = &d->ahead;

    while (*end != NULL) end = &(*end)->next;
    *end = u;
    d->ahead_count++;
    note_waits(d->service, u);
}

/* Deals one unit ahead. Under the lock, which is open meanwhile. */
static eis_status deal_one(eis_triple_dealt *d)
{
    uint64_t step = d->next_step + d->ahead_count;
    uint32_t position = d->next_position + d->ahead_count;
    eis_triple_unit *u = eis_mem_new(1, sizeof *u);
    eis_status st = u == NULL ? EIS_ERR_MEMORY : EIS_OK;

    d->dealing = true;
    pthread_mutex_unlock(&d->lock);
    if (st == EIS_OK) st = deal_step(&u->corrections, d, EIS_MPC_UNIT_NEXT, step, position);
    pthread_mutex_lock(&d->lock);
    d->dealing = false;
    /* Units may have been taken meanwhile: step and position are what they were, since both sides moved. */
    if (st == EIS_OK)
        append(d, u);
    else
        free_unit(u);
    pthread_cond_broadcast(&d->changed);
    return st;
}

static void *deal_ahead(void *context)
{
    eis_triple_dealt *d = context;

    pthread_mutex_lock(&d->lock);
    while (!d->ending) {
        if (d->dealing || !wants_more(d))
            pthread_cond_wait(&d->changed, &d->lock);
        else if (deal_one(d) != EIS_OK)
            d->running = false; /* the next request meets the same, and says so */
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

eis_status eis_triple_units_start(eis_triple_dealt *d)
{
    if (d->service->pool_target == EIS_TRIPLE_NO_POOL) return EIS_OK;
    d->has_thread = pthread_create(&d->thread, NULL, deal_ahead, d) == 0;
    return d->has_thread ? EIS_OK : eis_fail(EIS_ERR_LIMIT, "no thread to deal ahead");
}

void eis_triple_units_stop(eis_triple_dealt *d)
{
    if (d->has_thread) {
        pthread_mutex_lock(&d->lock);
        d->ending = true;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
        d->has_thread = false;
    }
    burn_ahead(d);
}

/* ---- giving ---- */

/* A step's unit. Under the lock. */
static eis_status take_step(eis_mpc_corrections *c, eis_triple_dealt *d, eis_mpc_unit_kind kind, uint64_t step,
                            uint32_t position)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(kind >= EIS_MPC_UNIT_PROMPT && kind <= EIS_MPC_UNIT_NEXT && step == d->next_step &&
                    position == d->next_position && position < d->session.context,
                EIS_ERR_PROTOCOL, "a unit was asked for out of order");
    if (kind != EIS_MPC_UNIT_NEXT || d->ahead == NULL) wait_for_dealing(d);
    if (kind != EIS_MPC_UNIT_NEXT) burn_ahead(d);
    if (d->ahead != NULL) {
        eis_triple_unit *u = d->ahead;
        d->ahead = u->next;
        d->ahead_count--;
        note_gone(d->service, u, false);
        *c = u->corrections;
        memset(&u->corrections, 0, sizeof u->corrections);
        free_unit(u);
    } else {
        EIS_TRY(deal_step(c, d, kind, step, position));
    }
    d->next_step++;
    d->next_position++;
    d->running = kind != EIS_MPC_UNIT_PROMPT;
    pthread_cond_broadcast(&d->changed);
out:
    return st;
}

/* Step 0: the biases, which are kept. */
static eis_status deal_vectors(eis_mpc_corrections *c, eis_triple_dealt *d)
{
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &d->session.lm;
    eis_mpc_mask_source none = {0};
    eis_mpc_graph graph = {0};
    eis_mpc_masks masks = {0};
    eis_mpc_id *nodes = NULL;

    EIS_REQUIRE(d->next_step == 0, EIS_ERR_PROTOCOL, "a unit was asked for out of order");
    d->next_step = 1;
    EIS_NEW(nodes, lm->vector_count);
    EIS_TRY(eis_mpc_lm_vectors_graph(&graph, nodes, lm));
    EIS_TRY(eis_mpc_deal_graph(&masks, c, &d->dealer, &graph, 0, &none));
    if (d->session.sacrifice_level > 0) EIS_TRY(eis_mpc_deal_test_graph(c, &d->dealer, &graph, 0));
    for (uint32_t v = 0; v < lm->vector_count; v++)
        EIS_TRY(eis_mpc_cache_keep_masks(&d->masks, 2 * lm->layers + v, masks.of[nodes[v]], lm->vectors[v].count));
    note_produced(d->service);
out:
    eis_mpc_masks_clear(&masks);
    eis_mpc_graph_clear(&graph);
    eis_mem_free(nodes);
    return st;
}

static eis_status give_load(eis_mpc_corrections *c, eis_triple_dealt *d)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(!d->load_given, EIS_ERR_PROTOCOL, "a unit was asked for twice");
    d->load_given = true;
    *c = d->load;
    memset(&d->load, 0, sizeof d->load);
    note_produced(d->service);
out:
    return st;
}

eis_status eis_triple_units_take(eis_mpc_corrections *c, eis_triple_dealt *d, unsigned kind, uint64_t step,
                                 uint32_t position)
{
    eis_status st;

    pthread_mutex_lock(&d->lock);
    if (kind == EIS_MPC_UNIT_LOAD)
        st = give_load(c, d);
    else if (kind == EIS_MPC_UNIT_VECTORS)
        st = deal_vectors(c, d);
    else
        st = take_step(c, d, (eis_mpc_unit_kind)kind, step, position);
    if (st == EIS_OK) {
        d->units++;
        d->unit_words += c->count;
    }
    pthread_mutex_unlock(&d->lock);
    return st;
}
