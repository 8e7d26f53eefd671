/* SPDX-License-Identifier: Apache-2.0 */
#include "service/triple_units.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/mpc_model.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void free_unit(eis_triple_unit *u)
{
    if (u == NULL) return;
    eis_mpc_corrections_clear(&u->corrections);
    eis_mem_free(u);
}

/* ---- what the service counts ---- */

static void note_waits(eis_triple_dealt *d, const eis_triple_unit *u)
{
    uint64_t bytes = u->corrections.count * sizeof(uint64_t);

    pthread_mutex_lock(&d->service->lock);
    d->service->pool_bytes += bytes;
    d->seen.bytes += bytes;
    d->seen.ready++;
    pthread_mutex_unlock(&d->service->lock);
}

static void note_gone(eis_triple_dealt *d, const eis_triple_unit *u)
{
    uint64_t bytes = u->corrections.count * sizeof(uint64_t);

    pthread_mutex_lock(&d->service->lock);
    d->service->pool_bytes -= bytes;
    d->seen.bytes -= bytes;
    d->seen.ready--;
    pthread_mutex_unlock(&d->service->lock);
}

static void note_pace(eis_triple_dealt *d)
{
    pthread_mutex_lock(&d->service->lock);
    d->seen.running = d->running;
    d->seen.pace_ns = d->pace_ns;
    pthread_mutex_unlock(&d->service->lock);
}

/* ---- what the service records ---- */

/* The unit's line in the records: the same stream of words is the same line. */
static eis_material_unit record_of(const eis_triple_dealt *d, eis_mpc_unit_kind kind, uint64_t step)
{
    eis_material_unit record = {.step = step, .kind = eis_mpc_unit_record_kind(kind, d->last_secret)};

    memcpy(record.session, d->session.hash, sizeof record.session);
    return record;
}

/* Records what was dealt, on the disk, before anybody can ask for it. */
static eis_status record_dealt(eis_triple_dealt *d, const eis_material_unit *record, const eis_mpc_corrections *c)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MATERIAL_DIGEST_BYTES];

    SHA256((const uint8_t *)c->words, c->count * sizeof *c->words, digest);
    EIS_TRY(eis_store_material_add(d->service->records, record, digest, c->count));
    eis_triple_count_add(d, EIS_TRIPLE_PRODUCED, 1);
out:
    return st;
}

/* ---- dealing ---- */

/* Deals a step and keeps its masks. Who calls has set `dealing`. */
static eis_status deal_step(eis_mpc_corrections *c, eis_triple_dealt *d, const eis_material_unit *record,
                            uint32_t position, uint32_t count)
{
    eis_mpc_unit_kind kind = (eis_mpc_unit_kind)(record->kind & 0xff);
    uint64_t number = eis_mpc_unit_number(kind, record->step, d->last_secret);
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &d->session.lm;
    eis_mpc_mask_source source = {.context = &d->masks, .kept = eis_mpc_cache_kept_masks};
    eis_mpc_lm_step s = {0};
    eis_mpc_masks masks = {0};

    EIS_TRY(eis_mpc_model_step(&s, &d->session, kind, position, count, &d->sampling));
    EIS_TRY(eis_mpc_deal_graph(&masks, c, &d->dealer, &s.graph, number, &source));
    EIS_TRY(eis_mpc_deal_test_graph(c, &d->dealer, &s.graph, &masks, d->session.tests, number));
    EIS_TRY(record_dealt(d, record, c));
    for (uint32_t i = 0; i < eis_mpc_lm_slot_count(lm); i++) {
        eis_mpc_id id = eis_mpc_lm_step_kept(&s, lm, i);
        if (id != EIS_MPC_NONE) EIS_TRY(eis_mpc_cache_keep_masks(&d->masks, i, masks.of[id], s.graph.nodes[id].count));
    }
out:
    eis_mpc_masks_clear(&masks);
    eis_mpc_lm_step_clear(&s);
    return st;
}

/* The kind of step that is dealt ahead: what it looks like does not hang on secrets, nor on what was told. */
static eis_mpc_unit_kind kind_ahead(const eis_triple_dealt *d)
{
    return d->session.kind == EIS_MPC_MODEL_CLASSIFIER ? EIS_MPC_UNIT_CLASSIFY : EIS_MPC_UNIT_NEXT;
}

/* Throws away what was dealt ahead, and the masks that it kept. Under the lock, and nobody deals. */
static void burn_ahead(eis_triple_dealt *d)
{
    const eis_mpc_lm *lm = &d->session.lm;

    for (uint32_t i = 0; d->ahead_count > 0 && i < eis_mpc_lm_slot_count(lm); i++) {
        size_t words = (size_t)d->ahead_tokens * eis_mpc_lm_slot_width(lm, i);
        if (words > 0) d->masks.slots[i].count -= words;
    }
    while (d->ahead != NULL) {
        eis_triple_unit *u = d->ahead;
        d->ahead = u->next;
        note_gone(d, u);
        eis_store_material_move_later(d->service->records, &u->record, EIS_MATERIAL_BURNED);
        eis_triple_count_add(d, EIS_TRIPLE_BURNED, 1);
        free_unit(u);
    }
    d->ahead_count = d->ahead_tokens = 0;
}

/* Tells whether another step is to be dealt ahead: from below the pool's least up to its target. */
static bool wants_more(eis_triple_dealt *d)
{
    eis_triple_service *service = d->service;
    bool room;

    pthread_mutex_lock(&service->lock);
    room = service->pool_bytes < service->pool_bytes_max;
    pthread_mutex_unlock(&service->lock);
    if (service->pool_target == EIS_TRIPLE_NO_POOL) return false;
    if (d->ahead_count < service->pool_min) d->filling = true;
    if (d->ahead_count >= service->pool_target) d->filling = false;
    return d->running && room && d->filling && d->next_position + d->ahead_tokens < d->session.context;
}

static bool head_is(const eis_triple_dealt *d, eis_mpc_unit_kind kind)
{
    return d->ahead != NULL && (d->ahead->record.kind & 0xff) == (uint64_t)kind;
}

/* Waits for a place among the sessions that are dealt for, and leaves it. */
static void begin_dealing(eis_triple_service *service)
{
    pthread_mutex_lock(&service->lock);
    while (service->dealing >= service->threads) pthread_cond_wait(&service->changed, &service->lock);
    service->dealing++;
    if (service->dealing > service->dealing_most) service->dealing_most = service->dealing;
    pthread_mutex_unlock(&service->lock);
}

static void end_dealing(eis_triple_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->dealing--;
    pthread_cond_signal(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static void append(eis_triple_dealt *d, eis_triple_unit *u)
{
    eis_triple_unit **end = &d->ahead;

    while (*end != NULL) end = &(*end)->next;
    *end = u;
    d->ahead_count++;
    d->ahead_tokens += u->count;
    note_waits(d, u);
}

/* Deals one unit. Under the lock, which is open meanwhile. */
static eis_status deal_one(eis_triple_dealt *d, eis_mpc_unit_kind kind, uint32_t count)
{
    uint32_t position = d->next_position + d->ahead_tokens;
    eis_triple_unit *u = eis_mem_new(1, sizeof *u);
    eis_status st = u == NULL ? EIS_ERR_MEMORY : EIS_OK;

    if (st == EIS_OK) {
        u->record = record_of(d, kind, d->next_step + d->ahead_count);
        u->count = count;
    }
    d->dealing = true;
    pthread_mutex_unlock(&d->lock);
    begin_dealing(d->service);
    if (st == EIS_OK) st = deal_step(&u->corrections, d, &u->record, position, count);
    end_dealing(d->service);
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

/* Deals what a step waits for; a failure is told to whoever does. Under the lock. */
static void deal_wish(eis_triple_dealt *d)
{
    d->failure = deal_one(d, d->wish, d->wish_count);
    if (d->failure != EIS_OK) snprintf(d->why, sizeof d->why, "%s", eis_error_detail());
    d->wished = false;
}

static void *deal_ahead(void *context)
{
    eis_triple_dealt *d = context;

    pthread_mutex_lock(&d->lock);
    while (!d->ending) {
        if (d->wished)
            deal_wish(d);
        else if (!wants_more(d))
            pthread_cond_wait(&d->changed, &d->lock);
        else if (deal_one(d, kind_ahead(d), 1) != EIS_OK)
            d->running = false; /* the next request meets the same, and says so */
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

eis_status eis_triple_units_start(eis_triple_dealt *d)
{
    const eis_material_unit load = record_of(d, EIS_MPC_UNIT_LOAD, 0);
    eis_status st = EIS_OK;
    bool known = true;

    EIS_TRY(eis_store_material_known(d->service->records, &known, d->session.hash));
    EIS_REQUIRE(!known, EIS_ERR_FORBIDDEN, "this session has been here before; a new one needs a new name");
    EIS_TRY(record_dealt(d, &load, &d->load));
    d->recorded = true;
    eis_triple_count_add(d, EIS_TRIPLE_SESSIONS, 1);
    d->has_thread = pthread_create(&d->thread, NULL, deal_ahead, d) == 0;
    EIS_REQUIRE(d->has_thread, EIS_ERR_LIMIT, "no thread to deal");
out:
    return st;
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
    if (d->recorded) {
        eis_store_material_end_later(d->service->records, d->session.hash);
        eis_triple_count_end(d);
    }
    d->recorded = false;
}

void eis_triple_units_close(eis_triple_dealt *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

/* ---- giving ---- */

/* How many tokens a step takes is for everybody to know: a prompt's as eis_mpc_model_prefill says, else one. */
static eis_status check_count(const eis_triple_dealt *d, const eis_triple_request *request)
{
    eis_status st = EIS_OK;
    uint32_t count = 1;

    EIS_REQUIRE(request->position < d->session.context && request->count > 0 &&
                    request->count <= d->session.context - request->position,
                EIS_ERR_PROTOCOL, "a unit of %u tokens was asked for", request->count);
    if (request->kind < EIS_MPC_UNIT_NEXT)
        EIS_TRY(eis_mpc_model_prefill(&count, &d->session, request->position, request->count));
    EIS_REQUIRE(count == request->count, EIS_ERR_PROTOCOL, "a unit of %u tokens was asked for", request->count);
out:
    return st;
}

/* Waits, under the lock, for the thread. */
static eis_status wait_until(eis_triple_dealt *d, uint64_t until_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};

    if (d->closed) return eis_fail(EIS_ERR_CLOSED, "the session has ended");
    if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT)
        return eis_fail(EIS_ERR_TRIPLES_EXHAUSTED,
                        "no unit in %u ms (triple_pool.wait_ms); the same may be tried again", d->service->wait_ms);
    return EIS_OK;
}

/* Gets a unit of a kind to the head of those that wait: it is there, is being dealt, or is wished for. What was dealt
 * for another kind of step is thrown away. After a failure for lack of time the wish stays. */
static eis_status get_ready(eis_triple_dealt *d, const eis_triple_request *request)
{
    eis_status st = EIS_OK;
    eis_mpc_unit_kind kind = (eis_mpc_unit_kind)request->kind;
    uint64_t until = eis_clock_ns() + (uint64_t)d->service->wait_ms * 1000000u;
    bool asked = d->wished && d->wish == kind;

    if (!asked && kind != kind_ahead(d)) d->running = false; /* what is dealt ahead meanwhile would be thrown away */
    while (!asked && !head_is(d, kind) && d->dealing) EIS_TRY(wait_until(d, until));
    if (!asked && !head_is(d, kind)) {
        burn_ahead(d);
        if (kind != kind_ahead(d)) {
            d->last_secret = request->step;
            d->sampling = request->sampling;
            d->running = false;
        }
        d->wish = kind;
        d->wish_count = request->count;
        d->wished = true;
        pthread_cond_broadcast(&d->changed);
    }
    while (!head_is(d, kind) && d->wished) EIS_TRY(wait_until(d, until));
    EIS_REQUIRE(head_is(d, kind), d->failure, "%s", d->why);
    EIS_REQUIRE(d->ahead->count == request->count && eis_mpc_sampling_same(&request->sampling, &d->sampling),
                EIS_ERR_PROTOCOL, "a unit was asked for again in another form");
out:
    return st;
}

/* Takes the first unit that waits, and notes how fast they go. Under the lock. */
static void take_head(eis_mpc_corrections *c, eis_triple_dealt *d)
{
    eis_triple_unit *u = d->ahead;
    uint64_t now = eis_clock_ns();
    double pace = (double)(now - d->taken_ns);

    d->ahead = u->next;
    d->ahead_count--;
    d->ahead_tokens -= u->count;
    note_gone(d, u);
    *c = u->corrections;
    memset(&u->corrections, 0, sizeof u->corrections);
    free_unit(u);
    if (d->taken_ns != 0) d->pace_ns = d->pace_ns > 0 ? 0.75 * d->pace_ns + 0.25 * pace : pace;
    d->taken_ns = now;
}

/* A step's unit. Under the lock. */
static eis_status take_step(eis_mpc_corrections *c, eis_material_unit *record, eis_triple_dealt *d,
                            const eis_triple_request *request)
{
    eis_status st = EIS_OK;
    eis_mpc_unit_kind kind = (eis_mpc_unit_kind)request->kind;
    uint64_t step = request->step, begin = eis_clock_ns();
    uint32_t position = request->position;

    EIS_REQUIRE(kind >= EIS_MPC_UNIT_PROMPT && kind <= EIS_MPC_UNIT_CLASSIFY && step == d->next_step &&
                    position == d->next_position,
                EIS_ERR_PROTOCOL, "a unit was asked for out of order");
    EIS_REQUIRE(step <= EIS_MPC_STEP_MAX, EIS_ERR_LIMIT, "a session has no more steps than 2^32");
    EIS_REQUIRE(kind == kind_ahead(d) || (d->session.kind == EIS_MPC_MODEL_LM && kind < EIS_MPC_UNIT_NEXT),
                EIS_ERR_PROTOCOL, "a unit of another kind of model");
    EIS_TRY(check_count(d, request));
    EIS_REQUIRE(kind != kind_ahead(d) || eis_mpc_sampling_same(&request->sampling, &d->sampling), EIS_ERR_PROTOCOL,
                "how tokens are chosen changes with a prompt alone");
    st = get_ready(d, request);
    eis_triple_count_add(d, EIS_TRIPLE_WAITED_NS, eis_clock_ns() - begin);
    if (st != EIS_OK) goto out;
    *record = d->ahead->record;
    take_head(c, d);
    d->next_step++;
    d->next_position += request->count;
    d->running = kind != EIS_MPC_UNIT_PROMPT;
    note_pace(d);
    pthread_cond_broadcast(&d->changed);
out:
    return st;
}

/* Step 0: the biases, which are kept. */
static eis_status deal_vectors(eis_mpc_corrections *c, const eis_material_unit *record, eis_triple_dealt *d)
{
    eis_status st = EIS_OK;
    uint32_t count;
    const eis_mpc_lm_vector *vectors = eis_mpc_model_vectors(&count, &d->session);
    eis_mpc_mask_source none = {0};
    eis_mpc_graph graph = {0};
    eis_mpc_masks masks = {0};
    eis_mpc_id *nodes = NULL;

    EIS_REQUIRE(d->next_step == 0, EIS_ERR_PROTOCOL, "a unit was asked for out of order");
    d->next_step = 1;
    EIS_NEW(nodes, count);
    EIS_TRY(eis_mpc_model_vectors_graph(&graph, nodes, &d->session));
    EIS_TRY(eis_mpc_deal_graph(&masks, c, &d->dealer, &graph, 0, &none));
    EIS_TRY(eis_mpc_deal_test_graph(c, &d->dealer, &graph, &masks, d->session.tests, 0));
    EIS_TRY(record_dealt(d, record, c));
    for (uint32_t v = 0; v < count; v++)
        EIS_TRY(
            eis_mpc_cache_keep_masks(&d->masks, 2 * d->session.lm.layers + v, masks.of[nodes[v]], vectors[v].count));
    d->running = d->session.kind == EIS_MPC_MODEL_CLASSIFIER; /* each step is like the others: begin now */
    pthread_cond_broadcast(&d->changed);
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
out:
    return st;
}

eis_status eis_triple_units_take(eis_mpc_corrections *c, eis_triple_dealt *d, const eis_triple_request *request)
{
    unsigned kind = request->kind;
    eis_material_unit record;
    eis_status st;

    pthread_mutex_lock(&d->lock);
    record = record_of(d, (eis_mpc_unit_kind)kind, 0); /* of the two of step 0; those of others are made there */
    if (kind == EIS_MPC_UNIT_LOAD)
        st = give_load(c, d);
    else if (kind == EIS_MPC_UNIT_VECTORS)
        st = deal_vectors(c, &record, d);
    else
        st = take_step(c, &record, d, request);
    if (st == EIS_OK) {
        d->units++;
        d->unit_words += c->count;
        eis_store_material_move_later(d->service->records, &record, EIS_MATERIAL_GIVEN);
        eis_triple_count_add(d, EIS_TRIPLE_CONSUMED, 1);
        eis_triple_count_add(d, EIS_TRIPLE_WORDS, c->count);
    }
    pthread_mutex_unlock(&d->lock);
    return st;
}
