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
    const eis_mpc_sampling *sampling; /* NULL: greedy */
    bool look;                        /* digest[] gets all public words of each step, as each party has them */
    eis_mpc_digest digest[EIS_MPC_PARTIES_MAX];
} mpc_lm;

static inline size_t mpc_lm_load_words(const eis_mpc_lm *lm)
{
    size_t words = 0;

    for (uint32_t i = 0; i < lm->shape_count; i++) words += eis_mpc_load_words(&lm->shapes[i]);
    return words;
}

static inline eis_mpc_reader mpc_lm_reader(const mpc_lm *m, const mpc_world_party *p)
{
    bool last = p->index + 1 == m->world.count;

    return (eis_mpc_reader){.seed = m->world.dealer.seed[p->index],
                            .corrections = last ? m->corrections.words : NULL,
                            .correction_count = m->corrections.count,
                            .maskless = m->world.dealer.master && p->index > 0};
}

/* The world is the first member. */
static inline mpc_lm *mpc_lm_of(mpc_world_party *p) { return (mpc_lm *)p->world; }

static inline void *mpc_lm_load_party(void *context)
{
    mpc_world_party *p = context;
    mpc_lm *m = mpc_lm_of(p);
    eis_status st = EIS_OK;
    eis_mpc_reader reader = mpc_lm_reader(m, p);
    uint64_t *material = eis_mem_new(mpc_lm_load_words(&m->lm), sizeof *material);

    EIS_TRY(eis_mpc_reader_load(&reader, material, m->lm.shapes, m->lm.shape_count));
    EIS_TRY(eis_mpc_party_load(&p->party, m->lm.shapes, m->weights[p->index], m->lm.shape_count, material));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(material);
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

/* The vectors go in like any input, and are kept. */
static inline void *mpc_lm_keep_vectors(void *context)
{
    mpc_world_party *p = context;
    mpc_lm *m = mpc_lm_of(p);
    eis_status st = EIS_OK;

    for (uint32_t v = 0; v < m->lm.vector_count; v++)
        EIS_TRY(
            eis_mpc_cache_keep(&m->cache[p->index], 2 * m->lm.layers + v, &p->run.values[v], m->lm.vectors[v].count));
out:
    return mpc_world_keep_error(p, st);
}

static inline void mpc_lm_load_vectors(mpc_lm *m, const eis_model *model)
{
    eis_mpc_graph graph;
    eis_mpc_id nodes[MPC_WORLD_SLOTS];
    int64_t *values[MPC_WORLD_SLOTS];

    if (m->lm.vector_count == 0) return;
    mpc_world_require(m->lm.vector_count <= MPC_WORLD_SLOTS, "vectors");
    mpc_world_require(eis_mpc_lm_vectors_graph(&graph, nodes, &m->lm) == EIS_OK, "vectors");
    for (uint32_t v = 0; v < m->lm.vector_count; v++) {
        values[v] = eis_mem_new(m->lm.vectors[v].count, sizeof *values[v]);
        mpc_world_require(eis_mpc_lm_vector_values(values[v], &m->lm, model, v) == EIS_OK, "vector");
        m->world.input[v] = values[v];
    }
    mpc_world_require(mpc_world_walk(&m->world, &graph, true) == EIS_OK, "vectors");
    for (uint32_t v = 0; v < m->lm.vector_count; v++) {
        mpc_world_require(eis_mpc_cache_keep_masks(&m->masks, 2 * m->lm.layers + v, m->world.masks.of[nodes[v]],
                                                   m->lm.vectors[v].count) == EIS_OK,
                          "masks");
        eis_mem_free(values[v]);
    }
    mpc_world_require(mpc_world_together(&m->world, mpc_lm_keep_vectors) == EIS_OK, "vectors");
    mpc_world_clear_walk(&m->world);
    eis_mpc_graph_clear(&graph);
}

static inline void mpc_lm_open_master(mpc_lm *m, const eis_model *model, const eis_mpc_tuning *tuning, uint32_t parties,
                                      uint32_t master)
{
    memset(m, 0, sizeof *m);
    mpc_world_require(eis_mpc_lm_init(&m->lm, model, tuning) == EIS_OK, "manifest");
    mpc_world_require(m->lm.shape_count <= 128, "shapes");
    mpc_world_open_master(&m->world, parties, master);
    mpc_world_require(eis_mpc_deal_load(&m->world.dealer, &m->corrections, m->lm.shapes, m->lm.shape_count) == EIS_OK,
                      "deal");
    mpc_lm_hide_weights(m, model);
    mpc_world_require(mpc_world_together(&m->world, mpc_lm_load_party) == EIS_OK, "load");
    mpc_world_require(eis_mpc_cache_init(&m->masks, eis_mpc_lm_slot_count(&m->lm)) == EIS_OK, "cache");
    for (uint32_t p = 0; p < parties; p++)
        mpc_world_require(eis_mpc_cache_init(&m->cache[p], eis_mpc_lm_slot_count(&m->lm)) == EIS_OK, "cache");
    mpc_lm_load_vectors(m, model);
}

static inline void mpc_lm_open(mpc_lm *m, const eis_model *model, const eis_mpc_tuning *tuning, uint32_t parties)
{
    mpc_lm_open_master(m, model, tuning, parties, 0);
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

typedef struct mpc_lm_sources {
    mpc_lm *lm;
    eis_mpc_cache *cache;
} mpc_lm_sources;

static inline eis_status mpc_lm_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    return mpc_world_input(&((mpc_lm_sources *)context)->lm->world, slot, pub, count);
}

static inline eis_status mpc_lm_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    return eis_mpc_cache_kept(((mpc_lm_sources *)context)->cache, slot, words, count);
}

/* All parties toss; they share the graph here, so one of them sets its coin before any of them walks. */
static inline eis_status mpc_lm_toss(mpc_world_party *p, mpc_lm *m)
{
    uint8_t coin[EIS_MPC_DIGEST_BYTES];
    eis_status st = eis_mpc_check_coin(&p->party.check, coin);

    if (st == EIS_OK && p->index == 0) eis_mpc_sample_set_coin(&m->step.coin, coin);
    return st == EIS_OK ? eis_mpc_check_run(&p->party.check) : st; /* nobody goes on before all have come here */
}

static inline void mpc_lm_look(mpc_lm *m, const mpc_world_party *p)
{
    const eis_mpc_graph *g = &m->step.graph;

    for (eis_mpc_id id = 0; m->look && id < g->node_count; id++)
        if (g->nodes[id].form == EIS_MPC_WIRE)
            eis_mpc_digest_add(&m->digest[p->index], p->run.values[id].pub, g->nodes[id].count * sizeof(uint64_t));
}

static inline void *mpc_lm_step_party(void *context)
{
    mpc_world_party *p = context;
    mpc_lm *m = mpc_lm_of(p);
    eis_status st = EIS_OK;
    eis_mpc_reader reader = mpc_lm_reader(m, p);
    const eis_mpc_graph *g = &m->step.graph;
    mpc_lm_sources sources = {m, &m->cache[p->index]};
    eis_mpc_source source = {.context = &sources, .input = mpc_lm_input, .kept = mpc_lm_kept};
    uint64_t *material = eis_mem_new(eis_mpc_graph_words(g), sizeof *material);

    EIS_TRY(eis_mpc_reader_graph(&reader, material, g, m->world.step));
    if (m->step.coin.signs != NULL) EIS_TRY(mpc_lm_toss(p, m));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, g, material, &source));
    if (m->world.again) EIS_TRY(mpc_world_pass_again(p, g, &reader, &source));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    mpc_lm_look(m, p);
    EIS_TRY(mpc_lm_output(&p->party, &m->next[p->index], &p->run.values[m->step.next]));
    for (uint32_t i = 0; i < eis_mpc_lm_slot_count(&m->lm); i++) {
        eis_mpc_id id = eis_mpc_lm_step_kept(&m->step, &m->lm, i);
        if (id != EIS_MPC_NONE)
            EIS_TRY(eis_mpc_cache_keep(&m->cache[p->index], i, &p->run.values[id], g->nodes[id].count));
    }
out:
    eis_mpc_run_clear(&p->run);
    eis_mem_free(material);
    return mpc_world_keep_error(p, st);
}

/* Puts a masked input of the step in: `word` gives its words. */
static inline eis_status mpc_lm_put(mpc_lm *m, uint32_t slot, uint64_t (*word)(const void *context, uint32_t i),
                                    const void *context)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = &m->step.graph;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (g->nodes[id].op != EIS_MPC_OP_INPUT || g->nodes[id].slot != slot) continue;
        eis_mem_free(m->world.input_pub[slot]);
        EIS_NEW(m->world.input_pub[slot], g->nodes[id].count);
        for (uint32_t i = 0; i < g->nodes[id].count; i++)
            m->world.input_pub[slot][i] = eis_fp_add(word(context, i), m->world.masks.of[id][i]);
    }
out:
    return st;
}

/* Tokens of a prompt, behind `filling` ones that only fill it up. */
typedef struct mpc_lm_prompt {
    const uint32_t *tokens;
    uint32_t vocabulary, filling;
} mpc_lm_prompt;

static inline uint64_t mpc_lm_token_word(const void *context, uint32_t i)
{
    const mpc_lm_prompt *p = context;
    uint32_t row = i / p->vocabulary, token = row < p->filling ? 0 : p->tokens[row - p->filling];

    return i % p->vocabulary == token;
}

static inline uint64_t mpc_lm_valid_word(const void *context, uint32_t i)
{
    return i >= ((const mpc_lm_prompt *)context)->filling;
}

/* Walks one step: `secret` tokens of a prompt at once, of which the first `filling` are none, or where `secret` is 0 a
 * public one. Gives the likeliest next token, or the one that is drawn. */
static inline eis_status mpc_lm_walk(mpc_lm *m, uint32_t *next, const uint32_t *tokens, uint32_t secret,
                                     uint32_t filling)
{
    eis_status st = EIS_OK;
    const mpc_lm_prompt prompt = {tokens, m->lm.vocabulary, filling};
    eis_mpc_mask_source source = {.context = &m->masks, .kept = eis_mpc_cache_kept_masks};

    if (m->sampling != NULL)
        EIS_TRY(eis_mpc_lm_step_draw(&m->step, &m->lm, m->position, secret, m->sampling));
    else
        EIS_TRY(eis_mpc_lm_step_init(&m->step, &m->lm, m->position, secret, true));
    if (secret == 0) m->step.graph.nodes[m->step.token].row = tokens[0];
    m->world.step++;
    EIS_TRY(
        eis_mpc_deal_graph(&m->world.masks, &m->corrections, &m->world.dealer, &m->step.graph, m->world.step, &source));
    for (uint32_t i = 0; i < eis_mpc_lm_slot_count(&m->lm); i++) {
        eis_mpc_id id = eis_mpc_lm_step_kept(&m->step, &m->lm, i);
        if (id == EIS_MPC_NONE) continue;
        EIS_TRY(eis_mpc_cache_keep_masks(&m->masks, i, m->world.masks.of[id], m->step.graph.nodes[id].count));
    }
    EIS_TRY(mpc_lm_put(m, EIS_MPC_LM_INPUT_TOKENS, mpc_lm_token_word, &prompt));
    EIS_TRY(mpc_lm_put(m, EIS_MPC_LM_INPUT_VALID, mpc_lm_valid_word, &prompt));
    EIS_TRY(mpc_world_together(&m->world, mpc_lm_step_party));
    for (uint32_t p = 1; p < m->world.count; p++) mpc_world_require(m->next[p] == m->next[0], "tokens differ");
    *next = (uint32_t)m->next[0];
    m->position += secret > 0 ? secret : 1;
out:
    eis_mpc_masks_clear(&m->world.masks);
    eis_mpc_lm_step_clear(&m->step);
    return st;
}

/* Feeds a token, public or secret, and gives the likeliest next one. */
static inline eis_status mpc_lm_feed(mpc_lm *m, uint32_t *next, uint32_t token, bool secret)
{
    return mpc_lm_walk(m, next, &token, secret, 0);
}

#endif
