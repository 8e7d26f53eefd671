/* SPDX-License-Identifier: Apache-2.0 */
/* A language model among the parties of mpc_world.h: loaded once, then token by token. */
#ifndef EIS_TESTS_SUPPORT_MPC_LM_H
#define EIS_TESTS_SUPPORT_MPC_LM_H

#include "engine/mpc/cache.h"
#include "engine/mpc/lm.h"
#include "support/mpc_world.h"

typedef struct mpc_lm {
    mpc_world world;
    eis_mpc_lm lm;
    eis_mpc_corrections corrections;
    eis_mpc_cache masks, cache[EIS_MPC_PARTIES_MAX];
    eis_mpc_lm_step step;
    uint64_t *weights[EIS_MPC_PARTIES_MAX][128]; /* D of each matrix on its way to each party */
    uint64_t next[EIS_MPC_PARTIES_MAX];
    uint32_t position;
} mpc_lm;

static inline size_t mpc_lm_load_words(const eis_mpc_lm *lm)
{
    size_t words = 0;

    for (uint32_t i = 0; i < lm->shape_count; i++) words += eis_mpc_load_words(&lm->shapes[i]);
    return words;
}

static inline eis_mpc_reader mpc_lm_reader(const mpc_lm *m, const mpc_world_party *p, eis_mpc_stream *stream)
{
    bool last = p->index + 1 == m->world.count;

    return (eis_mpc_reader){
        .stream = stream, .corrections = last ? m->corrections.words : NULL, .correction_count = m->corrections.count};
}

/* The world is the first member. */
static inline mpc_lm *mpc_lm_of(mpc_world_party *p) { return (mpc_lm *)p->world; }

static inline void *mpc_lm_load_party(void *context)
{
    mpc_world_party *p = context;
    mpc_lm *m = mpc_lm_of(p);
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};
    eis_mpc_reader reader = mpc_lm_reader(m, p, &stream);
    uint64_t *material = eis_mem_new(mpc_lm_load_words(&m->lm), sizeof *material);

    EIS_TRY(eis_mpc_load_stream(&stream, m->world.dealer.seed[p->index]));
    EIS_TRY(eis_mpc_reader_load(&reader, material, m->lm.shapes, m->lm.shape_count));
    EIS_TRY(eis_mpc_party_load(&p->party, m->lm.shapes, m->weights[p->index], m->lm.shape_count, material));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(material);
    eis_mpc_stream_clear(&stream);
    return mpc_world_keep_error(p, st);
}

static inline void mpc_lm_hide_weights(mpc_lm *m, const eis_model *model)
{
    for (uint32_t i = 0; i < m->lm.shape_count; i++) {
        size_t count = (size_t)m->lm.shapes[i].rows * m->lm.shapes[i].columns;
        uint64_t *words = eis_mem_new(count, sizeof *words);
        mpc_world_require(eis_mpc_lm_weights(words, &m->lm, model, i) == EIS_OK, "weights");
        for (size_t j = 0; j < count; j++) words[j] = eis_fp_add(words[j], m->world.dealer.matrices[i].mask[j]);
        for (uint32_t p = 0; p < m->world.count; p++) {
            m->weights[p][i] = eis_mem_new(count, sizeof *words);
            memcpy(m->weights[p][i], words, count * sizeof *words);
        }
        eis_mem_free(words);
    }
}

static inline void mpc_lm_open(mpc_lm *m, const eis_model *model, const eis_mpc_tuning *tuning, uint32_t parties)
{
    memset(m, 0, sizeof *m);
    mpc_world_require(eis_mpc_lm_init(&m->lm, model, tuning) == EIS_OK, "manifest");
    mpc_world_require(m->lm.shape_count <= 128, "shapes");
    mpc_world_open(&m->world, parties);
    mpc_world_require(eis_mpc_deal_load(&m->world.dealer, &m->corrections, m->lm.shapes, m->lm.shape_count) == EIS_OK,
                      "deal");
    mpc_lm_hide_weights(m, model);
    mpc_world_require(mpc_world_together(&m->world, mpc_lm_load_party) == EIS_OK, "load");
    mpc_world_require(eis_mpc_cache_init(&m->masks, 2 * m->lm.layers) == EIS_OK, "cache");
    for (uint32_t p = 0; p < parties; p++)
        mpc_world_require(eis_mpc_cache_init(&m->cache[p], 2 * m->lm.layers) == EIS_OK, "cache");
}

static inline void mpc_lm_close(mpc_lm *m)
{
    for (uint32_t p = 0; p < m->world.count; p++) eis_mpc_cache_clear(&m->cache[p]);
    eis_mpc_cache_clear(&m->masks);
    eis_mpc_corrections_clear(&m->corrections);
    mpc_world_close(&m->world);
    eis_mpc_lm_clear(&m->lm);
}

/* Our share of a wire's element and its MAC. */
static inline eis_status mpc_lm_output(eis_mpc_party *party, uint64_t *value, const eis_mpc_words *wire)
{
    uint64_t d = wire->pub[0];

    return eis_mpc_check_output(&party->check, value, eis_fp_sub(party->links->index == 0 ? d : 0, wire->share[0]),
                                eis_fp_sub(eis_fp_mul(d, party->key), wire->mac[0]), party->key);
}

static inline void *mpc_lm_step_party(void *context)
{
    mpc_world_party *p = context;
    mpc_lm *m = mpc_lm_of(p);
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};
    eis_mpc_reader reader = mpc_lm_reader(m, p, &stream);
    const eis_mpc_graph *g = &m->step.graph;
    eis_mpc_source source = {.context = &m->cache[p->index], .kept = eis_mpc_cache_kept};
    uint64_t *material = eis_mem_new(eis_mpc_graph_words(g), sizeof *material);

    EIS_TRY(eis_mpc_step_stream(&stream, m->world.dealer.seed[p->index], m->world.step));
    EIS_TRY(eis_mpc_reader_graph(&reader, material, g));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, g, material, &source));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    EIS_TRY(mpc_lm_output(&p->party, &m->next[p->index], &p->run.values[m->step.next]));
    for (uint32_t i = 0; i < 2 * m->lm.layers; i++) {
        eis_mpc_id id = i % 2 != 0 ? m->step.values[i / 2] : m->step.keys[i / 2];
        EIS_TRY(eis_mpc_cache_keep(&m->cache[p->index], i, &p->run.values[id], g->nodes[id].count));
    }
out:
    eis_mpc_run_clear(&p->run);
    eis_mem_free(material);
    eis_mpc_stream_clear(&stream);
    return mpc_world_keep_error(p, st);
}

/* Feeds a token and gives the likeliest next one. */
static inline eis_status mpc_lm_feed(mpc_lm *m, uint32_t *next, uint32_t token)
{
    eis_status st = EIS_OK;
    eis_mpc_mask_source source = {.context = &m->masks, .kept = eis_mpc_cache_kept_masks};

    EIS_TRY(eis_mpc_lm_step_init(&m->step, &m->lm, m->position, false, true));
    m->step.graph.nodes[m->step.token].row = token;
    m->world.step++;
    EIS_TRY(
        eis_mpc_deal_graph(&m->world.masks, &m->corrections, &m->world.dealer, &m->step.graph, m->world.step, &source));
    for (uint32_t i = 0; i < 2 * m->lm.layers; i++) {
        eis_mpc_id id = i % 2 != 0 ? m->step.values[i / 2] : m->step.keys[i / 2];
        EIS_TRY(eis_mpc_cache_keep_masks(&m->masks, i, m->world.masks.of[id], m->step.graph.nodes[id].count));
    }
    EIS_TRY(mpc_world_together(&m->world, mpc_lm_step_party));
    for (uint32_t p = 1; p < m->world.count; p++) mpc_world_require(m->next[p] == m->next[0], "tokens differ");
    *next = (uint32_t)m->next[0];
    m->position++;
out:
    eis_mpc_masks_clear(&m->world.masks);
    eis_mpc_lm_step_clear(&m->step);
    return st;
}

#endif
