/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_mpc.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench_link.h"
#include "engine/mpc/ahead.h"
#include "engine/mpc/cache.h"
#include "engine/mpc/deal.h"
#include "engine/mpc/links_channel.h"
#include "engine/mpc/material.h"
#include "engine/mpc/party.h"
#include "engine/mpc/sacrifice.h"

#include <pthread.h>
#include <string.h>

#define CHANNEL_MS  60000
#define SESSION     0x62656e63u
#define TIMES_MAX   64
#define FILL_FACTOR 3 /* of a multiplicative sequence: any words do */

typedef struct seat {
    eis_bench_mpc *world;
    uint32_t index;
    eis_mpc_party party;
    eis_mpc_links_channel links;
    eis_channel peer[EIS_MPC_PARTIES_MAX];
    eis_mpc_cache cache;
    uint64_t done_ns, memory_bytes;
    double expand_ms, cpu_ms;
    eis_status st;
} seat;

struct eis_bench_mpc {
    uint32_t count;
    eis_mpc_dealer dealer;
    eis_mpc_cache masks;
    seat seats[EIS_MPC_PARTIES_MAX];
    eis_mpc_corrections corrections;
    size_t unit_words; /* of these, behind which is what a unit is tested with */
    const eis_mpc_matrix_shape *shapes;
    uint32_t shape_count;
    /* The walk in progress. */
    const eis_mpc_graph *graph;
    eis_mpc_id output;
    eis_bench_mpc_mode mode;
    uint64_t step, begin_ns;
    pthread_barrier_t ready;
    const eis_bench_link *link; /* NULL: as fast as memory */
};

static const eis_mpc_tests tests = {.level = 1};
static const eis_bench_link network = {.bits_per_s = 1e9, .delay_ms = 0.2};

/* Runs a body for each party and returns the first error; a party that failed hangs up, so that none waits for it. */
static eis_status together(eis_bench_mpc *w, void *(*body)(void *seat))
{
    pthread_t thread[EIS_MPC_PARTIES_MAX];
    uint32_t started = 0;
    eis_status st = EIS_OK;

    while (started < w->count && pthread_create(&thread[started], NULL, body, &w->seats[started]) == 0) started++;
    EIS_ASSERT(started == w->count); /* the barrier waits for all */
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
        if (st == EIS_OK && w->seats[i].st != EIS_OK)
            st = eis_fail(w->seats[i].st, "party %u of a measurement failed", i);
    }
    return st;
}

static void *keep(seat *s, eis_status st)
{
    s->st = st;
    if (st != EIS_OK)
        for (uint32_t i = 0; i < s->world->count; i++)
            if (i != s->index) eis_channel_clear(&s->peer[i]);
    return NULL;
}

static void *start_party(void *context)
{
    static const uint8_t session[EIS_MPC_DIGEST_BYTES] = {1};
    seat *s = context;

    return keep(s, eis_mpc_party_init(&s->party, &s->links.links, s->world->dealer.key_share[s->index], session));
}

static eis_mpc_reader reader_of(const seat *s)
{
    const eis_bench_mpc *w = s->world;

    return (eis_mpc_reader){.seed = w->dealer.seed[s->index],
                            .corrections = s->index + 1 == w->count ? w->corrections.words : NULL,
                            .correction_count = w->corrections.count};
}

/* A unit, and what it is tested with. */
static eis_mpc_reader unit_of(const seat *s)
{
    eis_mpc_reader reader = reader_of(s);

    reader.correction_count = s->world->unit_words;
    return reader;
}

static eis_mpc_reader spares_of(const seat *s)
{
    eis_mpc_reader reader = reader_of(s);

    if (reader.corrections != NULL) reader.corrections += s->world->unit_words;
    reader.correction_count -= s->world->unit_words;
    return reader;
}

/* Any words below p are the masked weights of some matrix. */
static eis_status make_public(uint64_t **pub, const eis_bench_mpc *w)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < w->shape_count; i++) {
        size_t count = (size_t)w->shapes[i].rows * w->shapes[i].columns;
        EIS_NEW(pub[i], count);
        eis_bench_random(pub[i], count * sizeof **pub, i + 1);
        for (size_t j = 0; j < count; j++) pub[i][j] >>= 4;
    }
out:
    return st;
}

static void *load_party(void *context)
{
    seat *s = context;
    const eis_bench_mpc *w = s->world;
    eis_status st = EIS_OK;
    eis_mpc_reader reader = reader_of(s);
    uint64_t **pub = NULL, *material = NULL;
    size_t words = 0;

    for (uint32_t i = 0; i < w->shape_count; i++) words += eis_mpc_load_words(&w->shapes[i]);
    EIS_NEW(pub, w->shape_count + 1);
    EIS_NEW(material, words + 1);
    EIS_TRY(make_public(pub, w));
    EIS_TRY(eis_mpc_reader_load(&reader, material, w->shapes, w->shape_count));
    EIS_TRY(eis_mpc_party_load(&s->party, w->shapes, pub, w->shape_count, material));
    EIS_TRY(eis_mpc_check_run(&s->party.check));
out:
    eis_mem_free(pub);
    eis_mem_free(material);
    return keep(s, st);
}

eis_status eis_bench_mpc_open(eis_bench_mpc **out_world, uint32_t parties, const eis_mpc_matrix_shape *shapes,
                              uint32_t shape_count, uint32_t slots)
{
    eis_status st = EIS_OK;
    eis_bench_mpc *w = NULL;

    *out_world = NULL;
    EIS_NEW(w, 1);
    w->count = parties;
    w->shapes = shapes;
    w->shape_count = shape_count;
    pthread_barrier_init(&w->ready, NULL, parties);
    EIS_TRY(eis_mpc_dealer_init(&w->dealer, parties));
    EIS_TRY(eis_mpc_cache_init(&w->masks, slots + 1));
    for (uint32_t i = 0; i < parties; i++) {
        seat *s = &w->seats[i];
        s->world = w;
        s->index = i;
        EIS_TRY(eis_mpc_cache_init(&s->cache, slots + 1));
        for (uint32_t j = i + 1; j < parties; j++)
            EIS_TRY(eis_bench_link_pair(&s->peer[j], &w->seats[j].peer[i], CHANNEL_MS, &w->link));
        eis_mpc_links_channel_init(&s->links, s->peer, i, parties, SESSION);
    }
    EIS_TRY(together(w, start_party));
    if (shape_count > 0) {
        EIS_TRY(eis_mpc_deal_load(&w->dealer, &w->corrections, shapes, shape_count));
        EIS_TRY(together(w, load_party));
    }
    *out_world = w;
    w = NULL;
out:
    eis_bench_mpc_close(w);
    return st;
}

void eis_bench_mpc_close(eis_bench_mpc *w)
{
    if (w == NULL) return;
    for (uint32_t i = 0; i < w->count; i++) {
        eis_mpc_party_clear(&w->seats[i].party);
        eis_mpc_cache_clear(&w->seats[i].cache);
        for (uint32_t j = 0; j < w->count; j++)
            if (j != i) eis_channel_clear(&w->seats[i].peer[j]);
    }
    eis_mpc_cache_clear(&w->masks);
    eis_mpc_corrections_clear(&w->corrections);
    eis_mpc_dealer_clear(&w->dealer);
    pthread_barrier_destroy(&w->ready);
    eis_mem_free(w);
}

void eis_bench_mpc_set_network(eis_bench_mpc *w, bool on) { w->link = on ? &network : NULL; }

/* Words under masks of 0: as good as any for the time that they take. */
eis_status eis_bench_mpc_fill(eis_bench_mpc *w, uint32_t slot, uint32_t count)
{
    eis_status st = EIS_OK;
    uint64_t *values = NULL, *zeros = NULL;

    EIS_NEW(values, count);
    EIS_NEW(zeros, count);
    for (uint32_t i = 0; i < count; i++) values[i] = (uint64_t)i * FILL_FACTOR % 1000;
    EIS_TRY(eis_mpc_cache_keep_masks(&w->masks, slot, zeros, count));
    for (uint32_t i = 0; i < w->count; i++)
        EIS_TRY(eis_mpc_cache_keep(&w->seats[i].cache, slot, &(eis_mpc_words){values, zeros, zeros}, count));
out:
    eis_mem_free(values);
    eis_mem_free(zeros);
    return st;
}

/* ---- walks ---- */

static eis_status take_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    (void)context;
    eis_bench_random(pub, count * sizeof *pub, 1000 + slot);
    for (uint32_t i = 0; i < count; i++) pub[i] >>= 4;
    return EIS_OK;
}

static eis_status take_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    return eis_mpc_cache_kept(&((seat *)context)->cache, slot, words, count);
}

static eis_status tell(seat *s, const eis_mpc_words *wire)
{
    eis_status st = EIS_OK;
    eis_mpc_party *party = &s->party;
    uint64_t d = wire->pub[0], value;

    EIS_TRY(eis_mpc_check_run(&party->check));
    EIS_TRY(eis_mpc_check_output(&party->check, &value, eis_fp_sub(s->index == 0 ? d : 0, wire->share[0]),
                                 eis_fp_sub(eis_fp_mul(d, party->key), wire->mac[0]), party->key));
out:
    return st;
}

static double cpu_ms(void) { return (double)eis_clock_thread_ns() / 1e6; }

/* What a party does before the step begins: all of it, or products with public matrices alone. */
static eis_status multiply_ahead(seat *s, eis_mpc_ahead *ahead)
{
    const eis_bench_mpc *w = s->world;
    const eis_mpc_source source = {.context = s, .input = take_input, .kept = take_kept};

    return eis_mpc_ahead_make(ahead, &(eis_mpc_ahead_wish){.party = &s->party,
                                                           .graph = w->graph,
                                                           .seed = w->dealer.seed[s->index],
                                                           .step = w->step,
                                                           .source = &source});
}

static eis_status get_ahead(seat *s, eis_mpc_run *run, uint64_t **material)
{
    eis_status st = EIS_OK;
    const eis_bench_mpc *w = s->world;
    const eis_mpc_source source = {.context = s, .input = take_input, .kept = take_kept};
    eis_mpc_reader reader = reader_of(s);
    size_t words = eis_mpc_graph_words(w->graph);

    EIS_NEW_RAW(*material, words + 1);
    EIS_TRY(eis_mpc_reader_graph(&reader, *material, w->graph, w->step));
    EIS_TRY(eis_mpc_party_begin(run, &s->party, w->graph, *material, &source));
    s->memory_bytes = words * sizeof **material;
out:
    return st;
}

static eis_status pass(seat *s, eis_mpc_run *run, const eis_mpc_ahead *ahead)
{
    const eis_bench_mpc *w = s->world;
    const eis_mpc_source source = {.context = s, .input = take_input, .kept = take_kept};
    const eis_mpc_reader reader = unit_of(s);

    return eis_mpc_party_pass(run, &s->party, w->graph,
                              &(eis_mpc_pass){.reader = &reader,
                                              .step = w->step,
                                              .source = &source,
                                              .ahead = ahead,
                                              .keep = &w->output,
                                              .keep_count = w->output != EIS_MPC_NONE});
}

/* Tests the unit, then walks it: *memory_words gets what the test takes. */
static eis_status test_and_pass(size_t *memory_words, seat *s, eis_mpc_run *run, const eis_mpc_ahead *ahead)
{
    eis_status st = EIS_OK;
    const eis_bench_mpc *w = s->world;
    const eis_mpc_source source = {.context = s, .input = take_input, .kept = take_kept};
    const eis_mpc_reader unit = unit_of(s), spares = spares_of(s);

    EIS_TRY(eis_mpc_sacrifice_run(
        memory_words, &s->party,
        &(eis_mpc_sacrifice){
            .graph = w->graph, .unit = &unit, .spares = &spares, .step = w->step, .source = &source, .tests = tests}));
    *memory_words += ahead->words;
    EIS_TRY(pass(s, run, ahead));
out:
    return st;
}

static void *walk_party(void *context)
{
    seat *s = context;
    eis_bench_mpc *w = s->world;
    eis_status st = EIS_OK;
    eis_mpc_run run = {0};
    eis_mpc_ahead ahead = {0};
    uint64_t *material = NULL, begin = eis_clock_ns();
    size_t test_words = 0;
    double cpu;

    s->memory_bytes = 0;
    if (w->output == EIS_MPC_NONE) s->party.check.pending_max = SIZE_MAX; /* the check behind it is not measured */
    if (w->mode == EIS_BENCH_MPC_AHEAD) st = get_ahead(s, &run, &material);
    if (w->mode >= EIS_BENCH_MPC_PRODUCTS) st = multiply_ahead(s, &ahead);
    s->expand_ms = (double)(eis_clock_ns() - begin) / 1e6;
    if (pthread_barrier_wait(&w->ready) == PTHREAD_BARRIER_SERIAL_THREAD) w->begin_ns = eis_clock_ns();
    cpu = cpu_ms();
    if (st == EIS_OK && w->mode == EIS_BENCH_MPC_TESTED) st = test_and_pass(&test_words, s, &run, &ahead);
    if (st == EIS_OK && w->mode == EIS_BENCH_MPC_AHEAD) st = eis_mpc_party_walk(&run, &s->party, w->graph, material);
    if (st == EIS_OK && (w->mode == EIS_BENCH_MPC_PASS || w->mode == EIS_BENCH_MPC_PRODUCTS))
        st = pass(s, &run, ahead.products != NULL ? &ahead : NULL);
    if (st == EIS_OK && w->output != EIS_MPC_NONE) st = tell(s, &run.values[w->output]);
    s->done_ns = eis_clock_ns();
    s->cpu_ms = cpu_ms() - cpu;
    s->memory_bytes += (run.most_words > test_words ? run.most_words : test_words) * sizeof(uint64_t);
    if (st == EIS_OK && w->output == EIS_MPC_NONE) st = eis_mpc_check_run(&s->party.check); /* not measured */
    eis_mpc_run_clear(&run);
    eis_mpc_ahead_clear(&ahead);
    eis_mem_free(material);
    return keep(s, st);
}

eis_status eis_bench_mpc_run(eis_bench_mpc_walk *walk, eis_bench_mpc *w, const eis_mpc_graph *graph, eis_mpc_id output,
                             eis_bench_mpc_mode mode)
{
    eis_status st = EIS_OK;
    const eis_mpc_mask_source source = {.context = &w->masks, .kept = eis_mpc_cache_kept_masks};
    eis_mpc_masks masks = {0};
    const eis_mpc_links *links = &w->seats[0].links.links;
    uint64_t rounds = links->rounds, bytes = links->bytes_sent, last = 0;
    double begin = cpu_ms();
    uint32_t check = output == EIS_MPC_NONE ? 3 : 0; /* rounds of a check that is not counted */

    *walk = (eis_bench_mpc_walk){0};
    EIS_TRY(eis_mpc_graph_status(graph));
    EIS_TRY(eis_mpc_deal_graph(&masks, &w->corrections, &w->dealer, graph, ++w->step, &source));
    walk->deal_ms = cpu_ms() - begin;
    w->unit_words = w->corrections.count;
    if (mode == EIS_BENCH_MPC_TESTED)
        EIS_TRY(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, graph, &masks, tests, w->step));
    walk->material_bytes = w->corrections.count * sizeof(uint64_t);
    w->graph = graph;
    w->output = output;
    w->mode = mode;
    EIS_TRY(together(w, walk_party));
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->seats[i].done_ns > last) last = w->seats[i].done_ns;
        if (w->seats[i].expand_ms > walk->expand_ms) walk->expand_ms = w->seats[i].expand_ms;
        if (w->seats[i].cpu_ms > walk->online_cpu_ms) walk->online_cpu_ms = w->seats[i].cpu_ms;
        if (w->seats[i].memory_bytes > walk->memory_bytes) walk->memory_bytes = w->seats[i].memory_bytes;
    }
    walk->online_ms = (double)(last - w->begin_ns) / 1e6;
    walk->rounds = links->rounds - rounds - check;
    walk->bytes_to_each_peer = links->bytes_sent - bytes - (check > 0 ? 200 + 3 * EIS_MPC_HEADER_BYTES : 0);
out:
    eis_mpc_masks_clear(&masks);
    return st;
}

eis_status eis_bench_mpc_repeat(eis_bench_mpc_walk *walk, eis_bench_mpc *w, const eis_mpc_graph *graph,
                                eis_mpc_id output, eis_bench_mpc_mode mode, unsigned times)
{
    eis_status st = EIS_OK;
    double online[TIMES_MAX], cpu[TIMES_MAX], deal[TIMES_MAX], expand[TIMES_MAX];

    EIS_ASSERT(times > 0 && times <= TIMES_MAX);
    for (unsigned i = 0; i < times; i++) {
        EIS_TRY(eis_bench_mpc_run(walk, w, graph, output, mode));
        online[i] = walk->online_ms;
        cpu[i] = walk->online_cpu_ms;
        deal[i] = walk->deal_ms;
        expand[i] = walk->expand_ms;
    }
    walk->online_ms = eis_bench_median(online, times);
    walk->online_cpu_ms = eis_bench_median(cpu, times);
    walk->deal_ms = eis_bench_median(deal, times);
    walk->expand_ms = eis_bench_median(expand, times);
out:
    return st;
}
