/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/deal.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "engine/mpc/digest.h"
#include "engine/mpc/linear.h"
#include "rand/entropy.h"
#include "ring/fp_dot.h"

#include <string.h>

/* Derives shares of the MAC key, and the key, from the seeds. */
static eis_status derive_key(eis_mpc_dealer *dealer)
{
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};

    dealer->key = 0;
    for (uint32_t i = 0; i < dealer->count; i++) {
        EIS_TRY(eis_mpc_stream_start(&stream, dealer->seed[i], EIS_MPC_PURPOSE_KEY, 0));
        EIS_TRY(eis_mpc_stream_words(&stream, &dealer->key_share[i], 1));
        dealer->key = eis_fp_add(dealer->key, dealer->key_share[i]);
    }
out:
    eis_mpc_stream_clear(&stream);
    if (st != EIS_OK) eis_mpc_dealer_clear(dealer);
    return st;
}

eis_status eis_mpc_dealer_init(eis_mpc_dealer *dealer, uint32_t parties)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(parties >= EIS_MPC_PARTIES_MIN && parties <= EIS_MPC_PARTIES_MAX);
    *dealer = (eis_mpc_dealer){.count = parties};
    for (uint32_t i = 0; i < parties; i++) EIS_TRY(eis_entropy_draw(dealer->seed[i], EIS_MPC_SEED_BYTES));
    EIS_TRY(derive_key(dealer));
out:
    if (st != EIS_OK) eis_mpc_dealer_clear(dealer);
    return st;
}

eis_status eis_mpc_dealer_master(eis_mpc_dealer *dealer, uint32_t number)
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};
    uint8_t bytes[4];

    EIS_ASSERT(number > 0 && dealer->matrices == NULL);
    eis_store_le32(bytes, number);
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc master mask"));
    eis_mpc_digest_add(&digest, bytes, sizeof bytes);
    EIS_TRY(eis_mpc_digest_end(&digest, dealer->seed[0]));
    dealer->master = true;
    EIS_TRY(derive_key(dealer));
out:
    eis_mpc_digest_clear(&digest);
    if (st != EIS_OK) eis_mpc_dealer_clear(dealer);
    return st;
}

void eis_mpc_dealer_clear(eis_mpc_dealer *dealer)
{
    for (uint32_t i = 0; i < dealer->matrix_count; i++) {
        eis_mpc_dealt_matrix *m = &dealer->matrices[i];
        size_t rows = m->shape->rows, columns = m->shape->columns;
        eis_mem_free_wiped(m->mask, rows * columns, 8);
        eis_mem_free_wiped(m->rho, rows, 8);
        eis_mem_free_wiped(m->l_v, columns, 8);
        eis_mem_free_wiped(m->rho_r, columns, 8);
        eis_mem_free_wiped(m->l_w, rows, 8);
    }
    eis_mem_free(dealer->matrices);
    eis_mem_wipe(dealer, sizeof *dealer);
}

void eis_mpc_corrections_clear(eis_mpc_corrections *corrections)
{
    eis_mem_free_wiped(corrections->words, corrections->capacity, sizeof *corrections->words);
    memset(corrections, 0, sizeof *corrections);
}

void eis_mpc_masks_clear(eis_mpc_masks *masks)
{
    eis_mem_free_wiped(masks->arena, masks->arena_words + 1, sizeof *masks->arena);
    eis_mem_free(masks->of);
    memset(masks, 0, sizeof *masks);
}

/* ---- dealing words ---- */

typedef struct dealing {
    eis_mpc_dealer *dealer;
    eis_mpc_corrections *corrections;
    eis_mpc_stream stream[EIS_MPC_PARTIES_MAX];
    const eis_mpc_graph *graph;
    uint64_t step;
    eis_mpc_masks *masks;
    uint64_t *buffer; /* [buffer_words]: what a party draws */
    uint64_t *work;   /* [buffer_words]: what is corrected */
    size_t buffer_words;
} dealing;

/* Tells whether a party's share of masks is what it draws, and not 0. */
static bool counts(const dealing *d, uint32_t party) { return party == 0 || !d->dealer->master; }

/* Sums words of streams of their own. */
static eis_status deal_own_masks(dealing *d, uint64_t *masks, size_t count, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};

    memset(masks, 0, count * sizeof *masks);
    for (uint32_t p = 0; p < d->dealer->count; p++) {
        EIS_TRY(eis_mpc_stream_start(&stream, d->dealer->seed[p], purpose, number));
        EIS_TRY(eis_mpc_stream_words(&stream, d->buffer, count));
        if (counts(d, p))
            for (size_t i = 0; i < count; i++) masks[i] = eis_fp_add(masks[i], d->buffer[i]);
    }
out:
    eis_mpc_stream_clear(&stream);
    return st;
}

/* Sums the next words of all parties' streams. */
static eis_status deal_masks(dealing *d, uint64_t *masks, size_t count)
{
    eis_status st = EIS_OK;

    memset(masks, 0, count * sizeof *masks);
    for (uint32_t p = 0; p < d->dealer->count; p++) {
        EIS_TRY(eis_mpc_stream_words(&d->stream[p], d->buffer, count));
        if (counts(d, p))
            for (size_t i = 0; i < count; i++) masks[i] = eis_fp_add(masks[i], d->buffer[i]);
    }
out:
    return st;
}

/* Makes room for so many more words at once: units are large, and growing them copies and wipes. */
static eis_status reserve(eis_mpc_corrections *c, size_t count)
{
    eis_status st = EIS_OK;

    if (c->capacity - c->count >= count) goto out;
    EIS_TRY(eis_mem_resize(&c->words, c->capacity, c->count + count, sizeof *c->words));
    c->capacity = c->count + count;
out:
    return st;
}

/* Shares words that only the dealer knows: the last party gets them minus what the others draw. */
static eis_status deal_words(dealing *d, const uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    eis_mpc_corrections *c = d->corrections;
    uint64_t *last;

    if (c->capacity - c->count < count) EIS_TRY(reserve(c, c->capacity / 2 + count + 4096));
    last = c->words + c->count;
    memcpy(last, words, count * sizeof *last);
    c->count += count;
    for (uint32_t p = 0; p + 1 < d->dealer->count; p++) {
        EIS_TRY(eis_mpc_stream_words(&d->stream[p], d->buffer, count));
        for (size_t i = 0; i < count; i++) last[i] = eis_fp_sub(last[i], d->buffer[i]);
    }
out:
    return st;
}

/* The same words times the MAC key. `words` becomes the product. */
static eis_status deal_macs(dealing *d, uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) words[i] = eis_fp_mul(words[i], d->dealer->key);
    return deal_words(d, words, count);
}

/* Words and their MACs. `words` is used up. */
static eis_status deal_auth(dealing *d, uint64_t *words, size_t count)
{
    eis_status st = deal_words(d, words, count);

    return st == EIS_OK ? deal_macs(d, words, count) : st;
}

/* Fresh masks, and their MACs. */
static eis_status deal_mask(dealing *d, uint64_t *masks, size_t count)
{
    eis_status st = deal_masks(d, masks, count);

    if (st != EIS_OK) return st;
    memcpy(d->work, masks, count * sizeof *masks);
    return deal_macs(d, d->work, count);
}

/* ---- gates ---- */

static const uint64_t *mask_of(const dealing *d, eis_mpc_id id) { return d->masks->of[id]; }

static eis_status deal_matrix(dealing *d, const eis_mpc_node *node, uint64_t *l)
{
    eis_status st = EIS_OK;
    const eis_mpc_dealt_matrix *m = &d->dealer->matrices[node->matrix];
    size_t rows = m->shape->rows, columns = m->shape->columns, batch = node->count / rows;
    const uint64_t *x = mask_of(d, node->in[0]);
    uint64_t *w = d->work;

    EIS_TRY(deal_mask(d, l, node->count));
    eis_fp_matmul(w, m->mask, x, rows, columns, batch);
    for (size_t i = 0; i < node->count; i++) w[i] = eis_fp_add(w[i], l[i]);
    for (uint32_t q = 1; q < node->in_count; q++)
        for (size_t i = 0; i < node->count; i++) w[i] = eis_fp_sub(w[i], mask_of(d, node->in[q])[i]);
    EIS_TRY(deal_words(d, w, node->count));
    for (size_t b = 0; b < batch; b++) {
        uint64_t t = eis_fp_add(eis_fp_dot(l + b * rows, m->rho, rows), eis_fp_dot(x + b * columns, m->l_v, columns));
        for (uint32_t q = 1; q < node->in_count; q++)
            t = eis_fp_sub(t, eis_fp_dot(mask_of(d, node->in[q]) + b * rows, m->rho, rows));
        w[b] = t;
    }
    EIS_TRY(deal_words(d, w, batch));
out:
    return st;
}

static eis_status deal_row(dealing *d, const eis_mpc_node *node, uint64_t *l)
{
    eis_status st = deal_mask(d, l, node->count);
    uint64_t t;

    if (st != EIS_OK) return st;
    t = eis_fp_dot(l, d->dealer->matrices[node->matrix].rho_r, node->count);
    return deal_words(d, &t, 1);
}

static eis_status deal_product(dealing *d, const eis_mpc_node *node)
{
    eis_status st = EIS_OK;

    for (unsigned set = 1; set < 1u << node->in_count; set++) {
        if (!eis_mpc_product_dealt(node, set)) continue;
        for (uint32_t i = 0; i < node->count; i++) {
            uint64_t c = 1;
            for (uint32_t j = 0; j < node->in_count; j++)
                if (set >> j & 1) c = eis_fp_mul(c, mask_of(d, node->in[j])[i]);
            d->work[i] = c;
        }
        EIS_TRY(deal_auth(d, d->work, node->count));
    }
out:
    return st;
}

static eis_status deal_truncate(dealing *d, const eis_mpc_node *node)
{
    eis_status st = EIS_OK;
    const uint64_t *l = mask_of(d, node->in[0]);

    for (uint32_t i = 0; i < node->count; i++) d->work[i] = l[i] >> node->shift;
    EIS_TRY(deal_auth(d, d->work, node->count));
    for (uint32_t i = 0; i < node->count; i++) d->work[i] = eis_fp_top_bit(l[i]);
    EIS_TRY(deal_auth(d, d->work, node->count));
out:
    return st;
}

static eis_status deal_digits(dealing *d, const eis_mpc_node *node)
{
    eis_status st = EIS_OK;
    const eis_mpc_digits_shape *c = &node->cmp;
    const uint64_t *l = mask_of(d, node->in[0]);
    unsigned bits = c->digit_bits * c->digits;
    uint64_t values = (UINT64_C(1) << c->digit_bits) - 1;

    for (uint32_t i = 0; i < c->elements; i++) d->work[i] = l[i] >> (c->low + bits) & 1;
    EIS_TRY(deal_auth(d, d->work, c->elements));
    for (unsigned j = 0; j < c->digits; j++) {
        for (uint64_t v = 1; v <= values; v++) {
            for (uint32_t i = 0; i < c->elements; i++) {
                uint64_t difference = (l[i] >> (c->low + j * c->digit_bits) & values) ^ v;
                uint64_t is = (difference - 1) >> 63, sign = l[i] >> (c->low + bits) & 1;
                d->work[i] = j + 1 == c->digits ? eis_fp_mul(is, eis_fp_sub(1, 2 * sign)) : is;
            }
            EIS_TRY(deal_auth(d, d->work, c->elements));
        }
    }
out:
    return st;
}

static eis_status deal_input(dealing *d, const eis_mpc_node *node, uint64_t *l)
{
    eis_status st = deal_own_masks(d, l, node->count, EIS_MPC_PURPOSE_INPUT, eis_mpc_input_number(d->step, node->slot));

    if (st != EIS_OK) return st;
    memcpy(d->work, l, node->count * sizeof *l);
    return deal_macs(d, d->work, node->count);
}

static eis_status deal_node(dealing *d, eis_mpc_id id, const eis_mpc_mask_source *source)
{
    const eis_mpc_node *node = &d->graph->nodes[id];
    uint64_t *l = d->masks->of[id];

    if (eis_mpc_is_linear(node->op)) {
        if (node->form == EIS_MPC_WIRE && !eis_mpc_is_view(node))
            eis_mpc_linear(l, node, mask_of(d, node->in[0]), d->graph->nodes[node->in[0]].count,
                           node->in_count > 1 ? mask_of(d, node->in[1]) : NULL);
        return EIS_OK;
    }
    switch (node->op) {
    case EIS_MPC_OP_INPUT:
        return deal_input(d, node, l);
    case EIS_MPC_OP_MASK:
    case EIS_MPC_OP_RANDOM:
        return deal_mask(d, l, node->count);
    case EIS_MPC_OP_KEPT:
        return source->kept(source->context, node->slot, l, node->count);
    case EIS_MPC_OP_MATRIX:
        return deal_matrix(d, node, l);
    case EIS_MPC_OP_ROW:
        return deal_row(d, node, l);
    case EIS_MPC_OP_PRODUCT:
        return deal_product(d, node);
    case EIS_MPC_OP_DOT:
        eis_mpc_dot_words(d->work, node, mask_of(d, node->in[0]), mask_of(d, node->in[1]));
        return deal_auth(d, d->work, node->count);
    case EIS_MPC_OP_TRUNCATE:
        return deal_truncate(d, node);
    case EIS_MPC_OP_DIGITS:
        return deal_digits(d, node);
    default: /* PUBLIC has mask 0; AUTH and FLIP have none */
        return EIS_OK;
    }
}

/* ---- walks ---- */

static eis_status make_buffers(dealing *d, size_t words)
{
    eis_status st = EIS_OK;

    d->buffer_words = words;
    d->buffer = eis_mem_new_secret(words, sizeof *d->buffer);
    d->work = eis_mem_new_secret(words, sizeof *d->work);
    EIS_REQUIRE(d->buffer != NULL && d->work != NULL, EIS_ERR_MEMORY, "no memory to deal %zu words", words);
out:
    return st;
}

static void clear_dealing(dealing *d, eis_status st)
{
    eis_mem_free_wiped(d->buffer, d->buffer_words, sizeof *d->buffer);
    eis_mem_free_wiped(d->work, d->buffer_words, sizeof *d->work);
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) eis_mpc_stream_clear(&d->stream[p]);
    if (st != EIS_OK) eis_mpc_corrections_clear(d->corrections);
}

static eis_status lay_out(dealing *d)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = d->graph;
    size_t words = 0, widest = 1;
    uint64_t *at;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (g->nodes[id].form == EIS_MPC_WIRE && !eis_mpc_is_view(&g->nodes[id])) words += g->nodes[id].count;
        if (g->nodes[id].count > widest) widest = g->nodes[id].count;
    }
    EIS_TRY(make_buffers(d, widest));
    EIS_NEW(d->masks->of, g->node_count);
    d->masks->arena_words = words;
    d->masks->arena = at = eis_mem_new_secret(words + 1, sizeof *at);
    EIS_REQUIRE(at != NULL, EIS_ERR_MEMORY, "no memory for %zu masks", words);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (g->nodes[id].form != EIS_MPC_WIRE) continue;
        if (eis_mpc_is_view(&g->nodes[id])) {
            d->masks->of[id] = d->masks->of[g->nodes[id].in[0]] + g->nodes[id].first;
            continue;
        }
        d->masks->of[id] = at;
        at += g->nodes[id].count;
    }
out:
    return st;
}

eis_status eis_mpc_deal_graph(eis_mpc_masks *masks, eis_mpc_corrections *corrections, eis_mpc_dealer *dealer,
                              const eis_mpc_graph *graph, uint64_t step, const eis_mpc_mask_source *source)
{
    eis_status st = EIS_OK;
    dealing d = {.dealer = dealer, .corrections = corrections, .graph = graph, .step = step, .masks = masks};
    uint8_t digest[EIS_MPC_DIGEST_BYTES];
    eis_mpc_cost cost;

    EIS_ASSERT(graph->st == EIS_OK);
    memset(masks, 0, sizeof *masks);
    corrections->count = 0;
    EIS_TRY(lay_out(&d));
    eis_mpc_graph_cost(&cost, graph);
    EIS_TRY(reserve(corrections, cost.corrections));
    EIS_TRY(eis_mpc_graph_digest(digest, graph));
    for (uint32_t p = 0; p < dealer->count; p++)
        EIS_TRY(eis_mpc_stream_start_graph(&d.stream[p], dealer->seed[p], EIS_MPC_PURPOSE_STEP, step, digest));
    for (eis_mpc_id id = 0; id < graph->node_count; id++) EIS_TRY(deal_node(&d, id, source));
out:
    clear_dealing(&d, st);
    if (st != EIS_OK) eis_mpc_masks_clear(masks);
    return st;
}

/* u = M rho in the clear: see tag_shares of party.c. */
static void tag_mask(uint64_t *u, const uint64_t *mask, size_t step_out, size_t step_in, const uint64_t *rho,
                     size_t out, size_t in)
{
    memset(u, 0, in * sizeof *u);
    if (step_in == 1) {
        for (size_t j = 0; j < out; j++) eis_fp_axpy(u, rho[j], mask + j * step_out, in);
        return;
    }
    for (size_t i = 0; i < in; i++) u[i] = eis_fp_dot(mask + i * step_in, rho, out);
}

static eis_status deal_tag(dealing *d, uint64_t **rho, uint64_t **l_v, const uint64_t *mask, size_t out, size_t in,
                           size_t step_out, size_t step_in)
{
    eis_status st = EIS_OK;

    *rho = eis_mem_new_secret(out, sizeof **rho);
    *l_v = eis_mem_new_secret(in, sizeof **l_v);
    if (*rho == NULL || *l_v == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(deal_mask(d, *rho, out));
    EIS_TRY(deal_mask(d, *l_v, in));
    tag_mask(d->work, mask, step_out, step_in, *rho, out, in);
    EIS_TRY(deal_auth(d, d->work, in));
out:
    return st;
}

static eis_status deal_load_one(dealing *d, eis_mpc_dealt_matrix *m, uint32_t matrix)
{
    eis_status st = EIS_OK;
    size_t rows = m->shape->rows, columns = m->shape->columns;

    m->mask = eis_mem_new_secret(rows * columns, sizeof *m->mask);
    if (m->mask == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(deal_own_masks(d, m->mask, rows * columns, EIS_MPC_PURPOSE_WEIGHTS, matrix));
    if (m->shape->products) EIS_TRY(deal_tag(d, &m->rho, &m->l_v, m->mask, rows, columns, columns, 1));
    if (m->shape->selection) EIS_TRY(deal_tag(d, &m->rho_r, &m->l_w, m->mask, columns, rows, 1, columns));
out:
    return st;
}

eis_status eis_mpc_deal_load(eis_mpc_dealer *dealer, eis_mpc_corrections *corrections,
                             const eis_mpc_matrix_shape *shapes, uint32_t count)
{
    eis_status st = EIS_OK;
    dealing d = {.dealer = dealer, .corrections = corrections};
    size_t widest = 1;

    EIS_ASSERT(dealer->matrices == NULL);
    corrections->count = 0;
    EIS_NEW(dealer->matrices, count);
    dealer->matrix_count = count;
    for (uint32_t i = 0; i < count; i++) {
        dealer->matrices[i].shape = &shapes[i];
        if ((size_t)shapes[i].rows * shapes[i].columns > widest) widest = (size_t)shapes[i].rows * shapes[i].columns;
    }
    EIS_TRY(make_buffers(&d, widest));
    for (uint32_t p = 0; p < dealer->count; p++)
        EIS_TRY(eis_mpc_stream_start(&d.stream[p], dealer->seed[p], EIS_MPC_PURPOSE_LOAD, 0));
    for (uint32_t i = 0; i < count; i++) EIS_TRY(deal_load_one(&d, &dealer->matrices[i], i));
out:
    clear_dealing(&d, st);
    return st;
}

/* ---- what units are tested with: see material.h ---- */

/* Without a graph: tests of the load. */
static eis_status start_test(dealing *d, size_t words, uint64_t number)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MPC_DIGEST_BYTES];

    EIS_TRY(make_buffers(d, words));
    if (d->graph != NULL) EIS_TRY(eis_mpc_graph_digest(digest, d->graph));
    for (uint32_t p = 0; p < d->dealer->count; p++) {
        const uint8_t *seed = d->dealer->seed[p];
        if (d->graph != NULL)
            EIS_TRY(eis_mpc_stream_start_graph(&d->stream[p], seed, EIS_MPC_PURPOSE_TEST, number, digest));
        else
            EIS_TRY(eis_mpc_stream_start(&d->stream[p], seed, EIS_MPC_PURPOSE_TEST, number));
    }
out:
    return st;
}

/* Masks a' and b' for pairs, and the sum of their products. */
static eis_status deal_pairs(dealing *d, size_t pairs, uint64_t *a, uint64_t *b)
{
    eis_status st = EIS_OK;
    uint64_t sum = 0;

    if (pairs == 0) return EIS_OK;
    for (size_t n; pairs > 0; pairs -= n) {
        n = pairs < EIS_MPC_TEST_BLOCK ? pairs : EIS_MPC_TEST_BLOCK;
        EIS_TRY(deal_mask(d, a, n));
        EIS_TRY(deal_mask(d, b, n));
        sum = eis_fp_add(sum, eis_fp_dot(a, b, n));
    }
    EIS_TRY(deal_words(d, &sum, 1));
out:
    return st;
}

/* Masks x' for squares, and x'^2. */
static eis_status deal_squares(dealing *d, size_t squares, uint64_t *x)
{
    eis_status st = EIS_OK;

    for (size_t n; squares > 0; squares -= n) {
        n = squares < EIS_MPC_TEST_BLOCK ? squares : EIS_MPC_TEST_BLOCK;
        EIS_TRY(deal_mask(d, x, n));
        for (size_t i = 0; i < n; i++) x[i] = eis_fp_mul(x[i], x[i]);
        EIS_TRY(deal_words(d, x, n));
    }
out:
    return st;
}

static eis_status deal_test_matrix(dealing *d, const eis_mpc_dealt_matrix *m, uint64_t *l)
{
    eis_status st = EIS_OK;
    size_t rows = m->shape->rows, columns = m->shape->columns;

    EIS_TRY(deal_mask(d, l, columns));
    for (size_t i = 0; i < rows; i++) d->work[i] = eis_fp_dot(m->mask + i * columns, l, columns);
    EIS_TRY(deal_words(d, d->work, rows));
out:
    return st;
}

/* A mask in parts: two bits at a time, then its top bit. */
static eis_status deal_parts(dealing *d, const uint64_t *l, size_t n)
{
    eis_status st = EIS_OK;

    for (unsigned j = 0; j < EIS_MPC_PART_COUNT; j++)
        for (uint64_t v = 1; v <= 3; v++) {
            for (size_t i = 0; i < n; i++) d->work[i] = (((l[i] >> (2 * j) & 3) ^ v) - 1) >> 63;
            EIS_TRY(deal_auth(d, d->work, n));
        }
    for (size_t i = 0; i < n; i++) d->work[i] = eis_fp_top_bit(l[i]);
    EIS_TRY(deal_auth(d, d->work, n));
out:
    return st;
}

eis_status eis_mpc_deal_test_graph(eis_mpc_corrections *corrections, eis_mpc_dealer *dealer, const eis_mpc_graph *graph,
                                   const eis_mpc_masks *masks, eis_mpc_tests tests, uint64_t step)
{
    eis_status st = EIS_OK;
    dealing d = {.dealer = dealer, .corrections = corrections, .graph = graph};
    eis_mpc_test_size size;
    size_t widest = EIS_MPC_TEST_BLOCK;
    uint64_t *a = NULL;

    eis_mpc_test_size_graph(&size, graph, tests);
    for (uint32_t i = 0; i < graph->matrix_count; i++) {
        if (graph->matrices[i].rows > widest) widest = graph->matrices[i].rows;
        if (graph->matrices[i].columns > widest) widest = graph->matrices[i].columns;
    }
    for (eis_mpc_id id = 0; id < graph->node_count; id++)
        if (graph->nodes[id].count > widest) widest = graph->nodes[id].count;
    a = eis_mem_new_secret(2 * widest, sizeof *a);
    EIS_REQUIRE(a != NULL, EIS_ERR_MEMORY, "no memory to deal tests");
    EIS_TRY(start_test(&d, widest, step));
    if (tests.level > 0) EIS_TRY(deal_mask(&d, a, 1));
    EIS_TRY(deal_pairs(&d, size.pairs, a, a + widest));
    EIS_TRY(deal_squares(&d, size.squares, a));
    for (eis_mpc_id id = 0; tests.level > 0 && id < graph->node_count; id++)
        if (graph->nodes[id].op == EIS_MPC_OP_MATRIX)
            EIS_TRY(deal_test_matrix(&d, &dealer->matrices[graph->nodes[id].matrix], a));
    for (eis_mpc_id id = 0; tests.level > 1 && id < graph->node_count; id++)
        if (graph->nodes[id].cut) EIS_TRY(deal_parts(&d, masks->of[id], graph->nodes[id].count));
out:
    eis_mem_free_wiped(a, 2 * widest, sizeof *a);
    clear_dealing(&d, st);
    return st;
}

eis_status eis_mpc_deal_test_load(eis_mpc_corrections *corrections, eis_mpc_dealer *dealer)
{
    eis_status st = EIS_OK;
    dealing d = {.dealer = dealer, .corrections = corrections};
    size_t widest = 1;
    uint64_t *l = NULL;

    for (uint32_t i = 0; i < dealer->matrix_count; i++) {
        const eis_mpc_matrix_shape *s = dealer->matrices[i].shape;
        if (s->rows > widest) widest = s->rows;
        if (s->columns > widest) widest = s->columns;
    }
    l = eis_mem_new_secret(widest, sizeof *l);
    EIS_REQUIRE(l != NULL, EIS_ERR_MEMORY, "no memory to deal tests");
    EIS_TRY(start_test(&d, widest, EIS_MPC_TEST_LOAD));
    EIS_TRY(deal_mask(&d, l, 1));
    for (uint32_t i = 0; i < dealer->matrix_count; i++) {
        const eis_mpc_dealt_matrix *m = &dealer->matrices[i];
        const uint64_t *rho[2] = {m->rho, m->rho_r};
        size_t out[2] = {m->shape->rows, m->shape->columns};
        for (int side = 0; side < 2; side++) {
            uint64_t product;
            if (rho[side] == NULL) continue;
            EIS_TRY(deal_masks(&d, l, out[side]));
            product = eis_fp_dot(l, rho[side], out[side]);
            EIS_TRY(deal_words(&d, &product, 1));
        }
    }
out:
    eis_mem_free_wiped(l, widest, sizeof *l);
    clear_dealing(&d, st);
    return st;
}
