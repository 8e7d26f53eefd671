/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/layout.h"

#include "base/mem.h"

#include <string.h>

void eis_mpc_layout_clear(eis_mpc_layout *l)
{
    eis_mem_free(l->order);
    eis_mem_free(l->begin);
    eis_mem_free(l->at);
    memset(l, 0, sizeof *l);
}

/* ---- order ---- */

/* The first place that a node can have: local gates of round r have place 2 r, openings before it 2 r - 1. */
static uint32_t earliest(const eis_mpc_node *node)
{
    return eis_mpc_opens(node->op) ? 2 * node->round - 1 : 2 * node->round;
}

/* Nodes that bring words from elsewhere, or move them about: nothing is smaller before them. */
static bool can_wait(const eis_mpc_node *node)
{
    return node->op == EIS_MPC_OP_KEPT || node->op == EIS_MPC_OP_PUBLIC || node->op == EIS_MPC_OP_GATHER ||
           node->op == EIS_MPC_OP_JOIN;
}

/* Inputs that a node reads: a FLIP also reads the wire of its DIGITS. Shape: in[EIS_MPC_FACTORS_MAX + 1]. */
static uint32_t inputs_of(eis_mpc_id *in, const eis_mpc_graph *g, const eis_mpc_node *node)
{
    memcpy(in, node->in, node->in_count * sizeof *in);
    if (node->op != EIS_MPC_OP_FLIP) return node->in_count;
    in[node->in_count] = g->nodes[node->in[0]].in[0];
    return node->in_count + 1;
}

/* The places of all nodes; `late`: those that can wait come just before their first reader. */
static void choose_places(uint32_t *place, const eis_mpc_graph *g, bool late)
{
    eis_mpc_id in[EIS_MPC_FACTORS_MAX + 1];

    for (eis_mpc_id id = 0; id < g->node_count; id++) place[id] = UINT32_MAX;
    for (eis_mpc_id id = g->node_count; id-- > 0;) {
        const eis_mpc_node *node = &g->nodes[id];
        uint32_t count = inputs_of(in, g, node);
        if (!late || !can_wait(node) || place[id] == UINT32_MAX) place[id] = earliest(node);
        /* Openings read their inputs at their own place: a local gate comes one place earlier. */
        for (uint32_t i = 0; i < count; i++) {
            uint32_t before = eis_mpc_opens(node->op) ? place[id] - 1 : place[id];
            if (before < place[in[i]]) place[in[i]] = before;
        }
    }
}

/* Sorts nodes by their places, and within a place by their numbers. */
static eis_status sort_nodes(eis_mpc_layout *l, const eis_mpc_graph *g, bool late)
{
    eis_status st = EIS_OK;
    uint32_t places = 2 * g->rounds + 3, *at = NULL, *place = NULL;

    EIS_NEW(l->order, g->node_count);
    EIS_NEW(l->begin, (size_t)places + 1);
    EIS_NEW(at, (size_t)places + 1);
    EIS_NEW(place, g->node_count);
    choose_places(place, g, late);
    for (eis_mpc_id id = 0; id < g->node_count; id++) l->begin[place[id] + 1]++;
    for (uint32_t i = 0; i < places; i++) l->begin[i + 1] += l->begin[i];
    memcpy(at, l->begin, places * sizeof *at);
    for (eis_mpc_id id = 0; id < g->node_count; id++) l->order[at[place[id]]++] = id;
out:
    eis_mem_free(at);
    eis_mem_free(place);
    return st;
}

static eis_mpc_id root_of(const eis_mpc_graph *g, eis_mpc_id id)
{
    while (eis_mpc_is_view(&g->nodes[id])) id = g->nodes[id].in[0];
    return id;
}

static void place_views(eis_mpc_layout *l, const eis_mpc_graph *g)
{
    for (eis_mpc_id id = 0; id < g->node_count; id++)
        if (eis_mpc_is_view(&g->nodes[id])) l->at[id] = l->at[root_of(g, id)];
}

eis_status eis_mpc_layout_all(eis_mpc_layout *l, const eis_mpc_graph *g)
{
    eis_status st = EIS_OK;

    memset(l, 0, sizeof *l);
    EIS_TRY(sort_nodes(l, g, false));
    EIS_NEW(l->at, g->node_count);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        l->at[id] = l->words;
        l->words += eis_mpc_value_words(&g->nodes[id]);
    }
    place_views(l, g);
out:
    return st;
}

/* ---- memory that is used again ---- */

typedef struct hole {
    size_t at, words;
} hole;

typedef struct holes {
    hole *list; /* by rising places, none next to another; the memory behind all of them is free too */
    size_t count, end, most;
} holes;

static size_t take(holes *h, size_t words)
{
    size_t best = h->count, at;

    for (size_t i = 0; i < h->count; i++)
        if (h->list[i].words >= words && (best == h->count || h->list[i].words < h->list[best].words)) best = i;
    if (best == h->count) {
        at = h->end;
        h->end += words;
        if (h->end > h->most) h->most = h->end;
        return at;
    }
    at = h->list[best].at;
    h->list[best].at += words;
    h->list[best].words -= words;
    if (h->list[best].words == 0) {
        memmove(h->list + best, h->list + best + 1, (h->count - best - 1) * sizeof *h->list);
        h->count--;
    }
    return at;
}

static void give_back(holes *h, size_t at, size_t words)
{
    size_t i = 0;
    bool left, right;

    if (words == 0) return;
    while (i < h->count && h->list[i].at < at) i++;
    left = i > 0 && h->list[i - 1].at + h->list[i - 1].words == at;
    right = i < h->count && at + words == h->list[i].at;
    if (left && right) {
        h->list[i - 1].words += words + h->list[i].words;
        memmove(h->list + i, h->list + i + 1, (h->count - i - 1) * sizeof *h->list);
        h->count--;
    } else if (left) {
        h->list[i - 1].words += words;
    } else if (right) {
        h->list[i].at = at;
        h->list[i].words += words;
    } else {
        memmove(h->list + i + 1, h->list + i, (h->count - i) * sizeof *h->list);
        h->list[i] = (hole){at, words};
        h->count++;
    }
    if (h->count > 0 && h->list[h->count - 1].at + h->list[h->count - 1].words == h->end)
        h->end = h->list[--h->count].at;
}

/* From where to where in the order a value is there: both included. */
typedef struct lives {
    uint32_t *from, *to; /* [node_count]; of views: unused */
} lives;

static void read_lives(lives *life, const eis_mpc_layout *l, const eis_mpc_graph *g, const eis_mpc_id *keep,
                       size_t count)
{
    eis_mpc_id in[EIS_MPC_FACTORS_MAX + 1];

    for (uint32_t place = 0; place < 2 * g->rounds + 3; place++) {
        bool opening = place % 2 != 0;
        uint32_t end = l->begin[place + 1];
        for (uint32_t q = l->begin[place]; q < end; q++) {
            eis_mpc_id id = l->order[q];
            uint32_t inputs = inputs_of(in, g, &g->nodes[id]);
            /* Openings of a place are begun together and finished together. */
            life->from[id] = opening ? l->begin[place] : q;
            life->to[id] = opening ? end - 1 : q;
            for (uint32_t i = 0; i < inputs; i++) life->to[root_of(g, in[i])] = life->to[id];
        }
    }
    for (size_t i = 0; i < count; i++) life->to[root_of(g, keep[i])] = UINT32_MAX;
}

static bool takes_masks(const eis_mpc_node *node)
{
    return node->form == EIS_MPC_WIRE || node->op == EIS_MPC_OP_PRODUCT || node->op == EIS_MPC_OP_DOT;
}

static void read_mask_lives(lives *life, const eis_mpc_layout *l, const eis_mpc_graph *g)
{
    for (uint32_t q = 0; q < g->node_count; q++) {
        eis_mpc_id id = l->order[q];
        const eis_mpc_node *node = &g->nodes[id];
        life->from[id] = life->to[id] = q;
        /* A MASK takes the words of an AUTH, which have no room: no harm. */
        for (uint32_t i = 0; takes_masks(node) && i < node->in_count; i++) life->to[root_of(g, node->in[i])] = q;
    }
}

static size_t mask_words(const eis_mpc_node *node)
{
    return node->form == EIS_MPC_WIRE && !eis_mpc_is_view(node) ? 2 * (size_t)node->count : 0;
}

/* Finds a place for every value: words_of says how much it takes. */
static eis_status place_values(eis_mpc_layout *l, const eis_mpc_graph *g, const lives *life,
                               size_t (*words_of)(const eis_mpc_node *node))
{
    eis_status st = EIS_OK;
    holes h = {0};
    eis_mpc_id *ending = NULL, *next = NULL; /* lists of nodes that end at each place of the order */

    EIS_NEW(l->at, g->node_count);
    EIS_NEW(h.list, (size_t)g->node_count + 1);
    EIS_NEW(ending, g->node_count);
    EIS_NEW(next, g->node_count);
    for (uint32_t q = 0; q < g->node_count; q++) ending[q] = EIS_MPC_NONE;
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (eis_mpc_is_view(&g->nodes[id]) || life->to[id] == UINT32_MAX) continue;
        next[id] = ending[life->to[id]];
        ending[life->to[id]] = id;
    }
    for (uint32_t q = 0, taken = 0; q < g->node_count; q++) {
        for (; taken < g->node_count && life->from[l->order[taken]] <= q; taken++)
            l->at[l->order[taken]] = take(&h, words_of(&g->nodes[l->order[taken]]));
        for (eis_mpc_id id = ending[q]; id != EIS_MPC_NONE; id = next[id])
            give_back(&h, l->at[id], words_of(&g->nodes[id]));
    }
    l->words = h.most;
    place_views(l, g);
out:
    eis_mem_free(h.list);
    eis_mem_free(ending);
    eis_mem_free(next);
    return st;
}

static eis_status begin_lives(lives *life, eis_mpc_layout *l, const eis_mpc_graph *g)
{
    eis_status st = EIS_OK;

    memset(l, 0, sizeof *l);
    EIS_TRY(sort_nodes(l, g, true));
    EIS_NEW(life->from, g->node_count);
    EIS_NEW(life->to, g->node_count);
out:
    return st;
}

static void end_lives(lives *life)
{
    eis_mem_free(life->from);
    eis_mem_free(life->to);
}

eis_status eis_mpc_layout_reuse(eis_mpc_layout *l, const eis_mpc_graph *g, const eis_mpc_id *keep, size_t count)
{
    eis_status st = EIS_OK;
    lives life = {0};

    EIS_TRY(begin_lives(&life, l, g));
    read_lives(&life, l, g, keep, count);
    EIS_TRY(place_values(l, g, &life, eis_mpc_value_words));
out:
    end_lives(&life);
    return st;
}

eis_status eis_mpc_layout_masks(eis_mpc_layout *l, const eis_mpc_graph *g)
{
    eis_status st = EIS_OK;
    lives life = {0};

    EIS_TRY(begin_lives(&life, l, g));
    read_mask_lives(&life, l, g);
    EIS_TRY(place_values(l, g, &life, mask_words));
out:
    end_lives(&life);
    return st;
}
