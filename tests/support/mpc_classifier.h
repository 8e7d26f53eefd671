/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier among the parties of mpc_world.h: loaded once, then input by input. */
#ifndef EIS_TESTS_SUPPORT_MPC_CLASSIFIER_H
#define EIS_TESTS_SUPPORT_MPC_CLASSIFIER_H

#include "engine/mpc/cache.h"
#include "engine/mpc/classifier.h"
#include "support/mpc_world.h"

#include <math.h>

typedef struct mpc_classifier {
    mpc_world world; /* first */
    eis_mpc_classifier c;
    const eis_model *model;
    eis_mpc_corrections corrections;
    eis_mpc_cache masks, cache[EIS_MPC_PARTIES_MAX];
    eis_mpc_graph graph;
    eis_mpc_id best, logits, *nodes;
    uint64_t *weights[EIS_MPC_PARTIES_MAX][32];
    uint64_t class_of[EIS_MPC_PARTIES_MAX];
    uint64_t rounds; /* of the last input, checks included */
    bool loading;
} mpc_classifier;

typedef struct mpc_classifier_sources {
    mpc_classifier *m;
    eis_mpc_cache *cache;
} mpc_classifier_sources;

static inline mpc_classifier *mpc_classifier_of(mpc_world_party *p) { return (mpc_classifier *)p->world; }

static inline eis_mpc_reader mpc_classifier_reader(const mpc_classifier *m, const mpc_world_party *p)
{
    bool last = p->index + 1 == m->world.count;

    return (eis_mpc_reader){.seed = m->world.dealer.seed[p->index],
                            .corrections = last ? m->corrections.words : NULL,
                            .correction_count = m->corrections.count};
}

static inline void *mpc_classifier_load_party(void *context)
{
    mpc_world_party *p = context;
    mpc_classifier *m = mpc_classifier_of(p);
    eis_status st = EIS_OK;
    eis_mpc_reader reader = mpc_classifier_reader(m, p);
    size_t words = 0;
    uint64_t *material;

    for (uint32_t i = 0; i < m->c.shape_count; i++) words += eis_mpc_load_words(&m->c.shapes[i]);
    material = eis_mem_new(words, sizeof *material);
    EIS_TRY(eis_mpc_reader_load(&reader, material, m->c.shapes, m->c.shape_count));
    EIS_TRY(eis_mpc_party_load(&p->party, m->c.shapes, m->weights[p->index], m->c.shape_count, material));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(material);
    return mpc_world_keep_error(p, st);
}

static inline eis_status mpc_classifier_in(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    return mpc_world_input(&((mpc_classifier_sources *)context)->m->world, slot, pub, count);
}

static inline eis_status mpc_classifier_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    return eis_mpc_cache_kept(((mpc_classifier_sources *)context)->cache, slot, words, count);
}

static inline void *mpc_classifier_walk_party(void *context)
{
    mpc_world_party *p = context;
    mpc_classifier *m = mpc_classifier_of(p);
    eis_status st = EIS_OK;
    eis_mpc_reader reader = mpc_classifier_reader(m, p);
    mpc_classifier_sources sources = {m, &m->cache[p->index]};
    eis_mpc_source source = {.context = &sources, .input = mpc_classifier_in, .kept = mpc_classifier_kept};
    uint64_t *material = eis_mem_new(eis_mpc_graph_words(&m->graph) + 1, sizeof *material), d;
    const eis_mpc_words *best;

    EIS_TRY(eis_mpc_reader_graph(&reader, material, &m->graph, m->world.step));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, &m->graph, material, &source));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    for (uint32_t v = 0; m->loading && v < m->c.vector_count; v++)
        EIS_TRY(eis_mpc_cache_keep(&m->cache[p->index], v, &p->run.values[m->nodes[v]], m->c.vectors[v].count));
    if (m->loading) goto out;
    best = &p->run.values[m->best];
    d = best->pub[0];
    EIS_TRY(eis_mpc_check_output(&p->party.check, &m->class_of[p->index],
                                 eis_fp_sub(p->index == 0 ? d : 0, best->share[0]),
                                 eis_fp_sub(eis_fp_mul(d, p->party.key), best->mac[0]), p->party.key));
out:
    eis_mem_free(material);
    return mpc_world_keep_error(p, st);
}

/* Deals the graph, hides what owners put in (values[slot]) and walks. */
static inline eis_status mpc_classifier_walk(mpc_classifier *m, int64_t *const *values)
{
    eis_mpc_mask_source source = {.context = &m->masks, .kept = eis_mpc_cache_kept_masks};
    mpc_world *w = &m->world;

    mpc_world_clear_walk(w);
    w->step++;
    w->graph = &m->graph;
    mpc_world_require(eis_mpc_deal_graph(&w->masks, &m->corrections, &w->dealer, &m->graph, w->step, &source) == EIS_OK,
                      "deal");
    for (eis_mpc_id id = 0; id < m->graph.node_count; id++) {
        const eis_mpc_node *node = &m->graph.nodes[id];
        if (node->op != EIS_MPC_OP_INPUT) continue;
        eis_mem_free(w->input_pub[node->slot]);
        w->input_pub[node->slot] = eis_mem_new(node->count, 8);
        for (uint32_t i = 0; i < node->count; i++)
            w->input_pub[node->slot][i] = eis_fp_add(eis_fp_from_i64(values[node->slot][i]), w->masks.of[id][i]);
    }
    return mpc_world_together(w, mpc_classifier_walk_party);
}

static inline void mpc_classifier_load_vectors(mpc_classifier *m)
{
    int64_t *values[MPC_WORLD_SLOTS];
    eis_mpc_id nodes[MPC_WORLD_SLOTS];

    mpc_world_require(m->c.vector_count <= MPC_WORLD_SLOTS, "vectors");
    if (m->c.vector_count == 0) return;
    mpc_world_require(eis_mpc_classifier_vectors_graph(&m->graph, nodes, &m->c) == EIS_OK, "vectors");
    m->nodes = nodes;
    for (uint32_t v = 0; v < m->c.vector_count; v++) {
        values[v] = eis_mem_new(m->c.vectors[v].count, sizeof *values[v]);
        mpc_world_require(eis_mpc_classifier_vector_values(values[v], &m->c, m->model, v) == EIS_OK, "vector");
    }
    m->loading = true;
    mpc_world_require(mpc_classifier_walk(m, values) == EIS_OK, "vectors");
    m->loading = false;
    for (uint32_t v = 0; v < m->c.vector_count; v++) {
        mpc_world_require(eis_mpc_cache_keep_masks(&m->masks, v, m->world.masks.of[nodes[v]], m->c.vectors[v].count) ==
                              EIS_OK,
                          "masks");
        eis_mem_free(values[v]);
    }
    mpc_world_clear_walk(&m->world);
    eis_mpc_graph_clear(&m->graph);
}

static inline void mpc_classifier_open(mpc_classifier *m, const eis_model *model, uint32_t parties, double margin)
{
    eis_mpc_tuning tuning;

    memset(m, 0, sizeof *m);
    m->model = model;
    eis_mpc_tuning_default(&tuning);
    mpc_world_require(eis_mpc_classifier_init(&m->c, model, &tuning, margin) == EIS_OK, "manifest");
    mpc_world_require(m->c.shape_count <= 32, "shapes");
    mpc_world_open(&m->world, parties);
    mpc_world_require(eis_mpc_deal_load(&m->world.dealer, &m->corrections, m->c.shapes, m->c.shape_count) == EIS_OK,
                      "deal");
    for (uint32_t i = 0; i < m->c.shape_count; i++) {
        size_t count = (size_t)m->c.shapes[i].rows * m->c.shapes[i].columns;
        uint64_t *words = eis_mem_new(count, sizeof *words);
        mpc_world_require(eis_mpc_classifier_weights(words, &m->c, model, i) == EIS_OK, "weights");
        for (size_t j = 0; j < count; j++) words[j] = eis_fp_add(words[j], m->world.dealer.matrices[i].mask[j]);
        for (uint32_t p = 0; p < parties; p++) {
            m->weights[p][i] = eis_mem_new(count, sizeof *words);
            memcpy(m->weights[p][i], words, count * sizeof *words);
        }
        eis_mem_free(words);
    }
    mpc_world_require(mpc_world_together(&m->world, mpc_classifier_load_party) == EIS_OK, "load");
    mpc_world_require(eis_mpc_cache_init(&m->masks, m->c.vector_count) == EIS_OK, "cache");
    for (uint32_t p = 0; p < parties; p++)
        mpc_world_require(eis_mpc_cache_init(&m->cache[p], m->c.vector_count) == EIS_OK, "cache");
    mpc_classifier_load_vectors(m);
    mpc_world_require(eis_mpc_classifier_graph(&m->graph, &m->best, &m->logits, &m->c) == EIS_OK, "graph");
}

static inline void mpc_classifier_close(mpc_classifier *m)
{
    for (uint32_t p = 0; p < m->world.count; p++) eis_mpc_cache_clear(&m->cache[p]);
    eis_mpc_cache_clear(&m->masks);
    eis_mpc_corrections_clear(&m->corrections);
    mpc_world_close(&m->world);
    eis_mpc_graph_clear(&m->graph);
    eis_mpc_classifier_clear(&m->c);
}

/* Classifies x, as read from a file; logits[classes] are put together by the test alone. */
static inline eis_status mpc_classifier_run(mpc_classifier *m, uint32_t *class_index, double *logits, const double *x)
{
    eis_status st = EIS_OK;
    int64_t *values = eis_mem_new(m->c.inputs, sizeof *values), *opened = eis_mem_new(m->c.classes, sizeof *opened);
    uint64_t before = m->world.party[0].links.links.rounds;

    EIS_TRY(eis_mpc_classifier_input(values, &m->c, m->model, x));
    EIS_TRY(mpc_classifier_walk(m, &values));
    m->rounds = m->world.party[0].links.links.rounds - before;
    for (uint32_t p = 1; p < m->world.count; p++) mpc_world_require(m->class_of[p] == m->class_of[0], "classes differ");
    *class_index = (uint32_t)m->class_of[0];
    mpc_world_value(opened, &m->world, m->logits);
    for (uint32_t i = 0; i < m->c.classes; i++)
        logits[i] = ldexp((double)opened[i], -(int)m->graph.nodes[m->logits].frac);
out:
    eis_mem_free(values);
    eis_mem_free(opened);
    return st;
}

#endif
