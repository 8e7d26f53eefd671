/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/party.h"

#include "base/ct.h"
#include "base/mem.h"
#include "engine/mpc/ahead.h"
#include "engine/mpc/multiply.h"
#include "engine/mpc/walk.h"
#include "ring/fp_dot.h"

#include <string.h>

typedef eis_mpc_walk walk;

static const eis_mpc_words *words_of(const walk *w, eis_mpc_id id) { return eis_mpc_walk_words(w, id); }

/* ---- openings ---- */

/* Our share of W is D_W - l_W at party 0 and -l_W at the others: d = that times D_x, minus D_W l_x, plus c; at party 0
 * plus the sum of D_r. D_W l_x does not depend on data and may be there already. */
static eis_status matrix_shares(walk *w, eis_mpc_id id, uint64_t *d)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &w->graph->nodes[id];
    const eis_mpc_matrix *matrix = &w->party->matrices[node->matrix];
    const eis_mpc_words *x = words_of(w, node->in[0]);
    size_t rows = matrix->shape->rows, columns = matrix->shape->columns, count = node->count;
    const uint64_t *ahead = w->ahead == NULL ? w->scratch : w->ahead->products + w->ahead->at[id];

    EIS_TRY(eis_mpc_supply_copy(d, w->supply, id, 2 * count, count));
    if (w->ahead == NULL)
        eis_mpc_multiply(w->party->pool, w->scratch, matrix->pub, x->share, rows, columns, count / rows);
    for (size_t i = 0; i < count; i++) d[i] = eis_fp_sub(d[i], ahead[i]);
    eis_mpc_multiply(w->party->pool, w->scratch, matrix->own, x->pub, rows, columns, count / rows);
    for (size_t i = 0; i < count; i++) d[i] = eis_fp_add(d[i], w->scratch[i]);
    for (uint32_t q = 1; w->first && q < node->in_count; q++)
        for (size_t i = 0; i < count; i++) d[i] = eis_fp_add(d[i], words_of(w, node->in[q])->pub[i]);
out:
    return st;
}

static void row_shares(const walk *w, eis_mpc_id id, uint64_t *d)
{
    const eis_mpc_node *node = &w->graph->nodes[id];
    const uint64_t *own = w->party->matrices[node->matrix].own + (size_t)node->row * node->count;

    for (uint32_t i = 0; i < node->count; i++) d[i] = eis_fp_add(words_of(w, id)->share[i], own[i]);
}

static eis_status opening_shares(walk *w, eis_mpc_id id, uint64_t *d)
{
    const eis_mpc_node *node = &w->graph->nodes[id];
    eis_status st = w->late ? eis_mpc_mask_gate(w, id) : EIS_OK;

    if (st != EIS_OK) return st;
    if (node->op == EIS_MPC_OP_MATRIX) return matrix_shares(w, id, d);
    if (node->op == EIS_MPC_OP_ROW) {
        row_shares(w, id, d);
    } else {
        const uint64_t *a = words_of(w, node->in[0])->share, *l = words_of(w, id)->share;
        for (uint32_t i = 0; i < node->count; i++) d[i] = eis_fp_add(a[i], l[i]);
    }
    return EIS_OK;
}

/* Residues of masked auth shares: D a - m. */
static void mask_residues(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r, uint64_t *tau)
{
    const eis_mpc_words *a = words_of(w, node->in[0]);

    for (uint32_t i = 0; i < node->count; i++)
        tau[i] = eis_fp_sub(eis_fp_mul(r->pub[i], w->party->key), eis_fp_add(a->mac[i], r->mac[i]));
}

/* The compressed tag of each product. Range: tau holds the corrections of the tags, and gets the residues. */
static void matrix_residues(walk *w, const eis_mpc_node *node, const eis_mpc_words *r, uint64_t *tau)
{
    const eis_mpc_matrix *matrix = &w->party->matrices[node->matrix];
    const eis_mpc_words *x = words_of(w, node->in[0]);
    size_t rows = matrix->shape->rows, columns = matrix->shape->columns, batch = node->count / rows;

    for (size_t b = 0; b < batch; b++) {
        uint64_t *y = w->scratch, t;
        memcpy(y, r->pub + b * rows, rows * sizeof *y);
        for (uint32_t q = 1; q < node->in_count; q++)
            for (size_t i = 0; i < rows; i++) y[i] = eis_fp_sub(y[i], words_of(w, node->in[q])->pub[b * rows + i]);
        t = eis_fp_dot(y, matrix->rho, rows);
        t = eis_fp_sub(t, eis_fp_dot(x->pub + b * columns, matrix->v, columns));
        t = eis_fp_add(t, eis_fp_dot(x->share + b * columns, matrix->v_pub, columns));
        tau[b] = eis_fp_sub(t, tau[b]);
    }
}

static void row_residue(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r, uint64_t *tau)
{
    const eis_mpc_matrix *matrix = &w->party->matrices[node->matrix];
    uint64_t t = eis_fp_dot(r->pub, matrix->rho_r, node->count);

    tau[0] = eis_fp_sub(eis_fp_sub(t, tau[0]), matrix->w[node->row]);
}

static eis_status finish_opening(walk *w, eis_mpc_id id, const uint64_t *d)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &w->graph->nodes[id];
    eis_mpc_words *r = &w->run->values[id];
    uint64_t *tau = w->scratch + w->scratch_words / 2;
    size_t count = node->count;

    memcpy(r->pub, d, count * sizeof *d);
    if (node->op == EIS_MPC_OP_MATRIX) {
        size_t batch = count / w->party->matrices[node->matrix].shape->rows;
        EIS_TRY(eis_mpc_supply_copy(tau, w->supply, id, 3 * count, batch));
        matrix_residues(w, node, r, tau);
        count = batch;
    } else if (node->op == EIS_MPC_OP_ROW) {
        EIS_TRY(eis_mpc_supply_copy(tau, w->supply, id, 2 * count, 1));
        row_residue(w, node, r, tau);
        count = 1;
    } else {
        mask_residues(w, node, r, tau);
    }
    EIS_TRY(eis_mpc_check_add(&w->party->check, tau, count));
out:
    return st;
}

/* Sums shares of all parties into ours. Errors: EIS_ERR_PROTOCOL. */
static eis_status sum_shares(const eis_mpc_party *party, uint64_t *mine, const uint64_t *theirs, size_t count)
{
    eis_status st = EIS_OK;
    uint64_t over = 0;

    for (uint32_t p = 0; p < party->links->count; p++) {
        const uint64_t *words = theirs + p * count;
        if (p == party->links->index) continue;
        for (size_t i = 0; i < count; i++) {
            over |= (uint64_t)(words[i] >= EIS_FP_P);
            mine[i] = eis_fp_add(mine[i], words[i] & EIS_FP_P);
        }
    }
    EIS_REQUIRE(over == 0, EIS_ERR_PROTOCOL, "a share is not a word of the field");
out:
    return st;
}

eis_status eis_mpc_party_open(eis_mpc_party *party, uint64_t *mine, uint64_t *theirs, size_t count, uint32_t round)
{
    eis_status st = EIS_OK;

    EIS_PUBLIC(mine, count * sizeof *mine); /* shares of masked words: every other party gets them */
    EIS_TRY(party->links->exchange(party->links->context, EIS_MPC_FRAME_OPEN, round, mine, count * sizeof *mine,
                                   (uint8_t *)theirs));
    EIS_TRY(sum_shares(party, mine, theirs, count));
    eis_mpc_check_note(&party->check, mine, count * sizeof *mine);
out:
    return st;
}

/* One round: what is available now is computed, then everything that opens next is opened. */
static eis_status run_round(walk *w, uint32_t round)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = w->graph;
    const uint32_t *begin = w->layout.begin + 2 * round;
    const eis_mpc_id *now = w->layout.order + begin[0], *opening = w->layout.order + begin[1];
    const eis_mpc_id *end = w->layout.order + begin[2];
    size_t words = 0;

    for (; now < opening; now++) {
        if (w->late) EIS_TRY(eis_mpc_mask_gate(w, *now));
        EIS_TRY(eis_mpc_local_gate(w, *now));
    }
    for (const eis_mpc_id *id = opening; id < end; id++) {
        EIS_TRY(opening_shares(w, *id, w->frame + words));
        words += g->nodes[*id].count;
    }
    if (words == 0) goto out;
    EIS_TRY(eis_mpc_party_open(w->party, w->frame, w->frame + w->frame_words, words, round));
    words = 0;
    for (const eis_mpc_id *id = opening; id < end; id++) {
        EIS_TRY(finish_opening(w, *id, w->frame + words));
        words += g->nodes[*id].count;
    }
    EIS_TRY(eis_mpc_check_relieve(&w->party->check));
out:
    return st;
}

/* ---- memory of a run ---- */

/* Takes the memory of the last step where it is large enough: its pages are there already. */
static uint64_t *take_arena(eis_mpc_party *party, size_t words)
{
    uint64_t *arena = party->spare;

    if (arena == NULL || party->spare_words < words) return eis_mem_new_secret_raw(words + 1, sizeof *arena);
    party->spare = NULL;
    return arena;
}

/* Room for all values, where the layout says. */
static eis_status place_values(walk *w)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = w->graph;
    eis_mpc_run *run = w->run;

    EIS_NEW(run->values, g->node_count);
    run->arena_words = w->layout.words;
    run->arena = take_arena(w->party, run->arena_words);
    EIS_REQUIRE(run->arena != NULL, EIS_ERR_MEMORY, "no memory for a step of %zu words", run->arena_words);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        eis_mpc_words *r = &run->values[id];
        if (eis_mpc_is_view(node)) {
            const eis_mpc_words *a = words_of(w, node->in[0]);
            *r = (eis_mpc_words){.pub = a->pub == NULL ? NULL : a->pub + node->first,
                                 .share = a->share + node->first,
                                 .mac = a->mac + node->first};
            continue;
        }
        r->share = run->arena + w->layout.at[id];
        r->mac = r->share + node->count;
        if (node->form == EIS_MPC_WIRE) r->pub = r->mac + node->count;
    }
out:
    return st;
}

/* Words of material that a local gate is given at once, where it is not all there. */
static size_t buffer_of(const eis_mpc_graph *g, eis_mpc_id id)
{
    const eis_mpc_node *node = &g->nodes[id];

    if (node->op == EIS_MPC_OP_DIGITS) return EIS_MPC_WALK_DIGITS;
    if (node->op == EIS_MPC_OP_PRODUCT || node->op == EIS_MPC_OP_DOT || node->op == EIS_MPC_OP_TRUNCATE)
        return eis_mpc_node_words(g, id);
    return 0;
}

/* Room for frames, and for what gates compute with. */
static eis_status make_room(walk *w)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = w->graph;
    size_t widest = 1, *frames = NULL;

    EIS_NEW(frames, (size_t)g->rounds + 2);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        size_t buffer = w->late ? buffer_of(g, id) : 0;
        if (node->count > widest) widest = node->count;
        if (node->op == EIS_MPC_OP_MATRIX && g->matrices[node->matrix].columns > widest)
            widest = g->matrices[node->matrix].columns;
        if (eis_mpc_opens(node->op)) frames[node->round] += node->count;
        if (buffer > w->buffer_words) w->buffer_words = buffer;
    }
    for (uint32_t r = 0; r <= g->rounds; r++)
        if (frames[r] > w->frame_words) w->frame_words = frames[r];
    w->scratch_words = 2 * widest;
    w->scratch = eis_mem_new_secret_raw(w->scratch_words, sizeof *w->scratch);
    w->buffer = eis_mem_new_secret_raw(w->buffer_words + 1, sizeof *w->buffer);
    w->frame = eis_mem_new_secret_raw(w->frame_words * (1 + w->party->links->count) + 1, sizeof *w->frame);
    EIS_REQUIRE(w->scratch != NULL && w->buffer != NULL && w->frame != NULL, EIS_ERR_MEMORY,
                "no memory for a round of %zu words", w->frame_words);
    w->run->most_words = w->run->arena_words + (w->ahead == NULL ? 0 : w->ahead->words) + w->scratch_words +
                         w->buffer_words + w->frame_words * (1 + w->party->links->count);
out:
    eis_mem_free(frames);
    return st;
}

static void clear_walk(walk *w, eis_status st)
{
    eis_mem_free_wiped(w->frame, w->frame_words * (1 + w->party->links->count) + 1, sizeof *w->frame);
    eis_mem_free_wiped(w->scratch, w->scratch_words, sizeof *w->scratch);
    eis_mem_free_wiped(w->buffer, w->buffer_words + 1, sizeof *w->buffer);
    eis_mpc_layout_clear(&w->layout);
    eis_mpc_supply_clear(w->supply);
    if (st != EIS_OK) eis_mpc_run_clear(w->run);
}

/* ---- walks ---- */

static eis_status multiply_ahead(walk *w)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_mpc_ahead_place(&w->run->ahead, w->graph));
    for (eis_mpc_id id = 0; id < w->graph->node_count; id++) {
        const eis_mpc_node *node = &w->graph->nodes[id];
        if (node->op == EIS_MPC_OP_MATRIX)
            eis_mpc_ahead_multiply(&w->run->ahead, w->party, w->graph, id, words_of(w, node->in[0])->share);
    }
out:
    return st;
}

static walk walk_of(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph, eis_mpc_supply *supply)
{
    EIS_ASSERT(graph->st == EIS_OK);
    return (walk){.party = party, .graph = graph, .run = run, .supply = supply, .first = party->links->index == 0};
}

eis_status eis_mpc_party_begin(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                               const uint64_t *material, const eis_mpc_source *source)
{
    eis_status st = EIS_OK;
    eis_mpc_supply supply = {0};
    walk w = walk_of(run, party, graph, &supply);

    w.source = source;
    memset(run, 0, sizeof *run);
    EIS_TRY(eis_mpc_supply_whole(&supply, graph, material));
    EIS_TRY(eis_mpc_layout_all(&w.layout, graph));
    EIS_TRY(place_values(&w));
    for (eis_mpc_id id = 0; id < graph->node_count; id++) EIS_TRY(eis_mpc_mask_gate(&w, id));
    EIS_TRY(multiply_ahead(&w));
out:
    clear_walk(&w, st);
    return st;
}

static eis_status run_rounds(walk *w)
{
    eis_status st = EIS_OK;

    EIS_TRY(make_room(w));
    for (uint32_t round = 0; round <= w->graph->rounds; round++) EIS_TRY(run_round(w, round));
out:
    return st;
}

eis_status eis_mpc_party_walk(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                              const uint64_t *material)
{
    eis_status st = EIS_OK;
    eis_mpc_supply supply = {0};
    walk w = walk_of(run, party, graph, &supply);

    w.ahead = &run->ahead;
    EIS_TRY(eis_mpc_supply_whole(&supply, graph, material));
    EIS_TRY(eis_mpc_layout_all(&w.layout, graph));
    EIS_TRY(run_rounds(&w));
out:
    clear_walk(&w, st);
    return st;
}

eis_status eis_mpc_party_run(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                             const uint64_t *material, const eis_mpc_source *source)
{
    eis_status st = eis_mpc_party_begin(run, party, graph, material, source);

    return st == EIS_OK ? eis_mpc_party_walk(run, party, graph, material) : st;
}

eis_status eis_mpc_party_pass(eis_mpc_run *run, eis_mpc_party *party, const eis_mpc_graph *graph,
                              const eis_mpc_pass *pass)
{
    eis_status st = EIS_OK;
    eis_mpc_supply supply = {0};
    walk w = walk_of(run, party, graph, &supply);

    w.source = pass->source;
    w.ahead = pass->ahead;
    w.late = true;
    *run = (eis_mpc_run){.party = party};
    EIS_TRY(eis_mpc_supply_read(&supply, graph, pass->reader, pass->step));
    EIS_TRY(eis_mpc_layout_reuse(&w.layout, graph, pass->keep, pass->keep_count));
    EIS_TRY(place_values(&w));
    EIS_TRY(run_rounds(&w));
out:
    clear_walk(&w, st);
    return st;
}

void eis_mpc_run_clear(eis_mpc_run *run)
{
    eis_mpc_party *party = run->party;

    if (party != NULL && party->spare == NULL && run->arena != NULL && run->arena_words <= EIS_MPC_SPARE_WORDS) {
        eis_mem_wipe(run->arena, run->arena_words * sizeof *run->arena);
        party->spare = run->arena;
        party->spare_words = run->arena_words;
        run->arena = NULL;
    }
    eis_mem_free_wiped(run->arena, run->arena_words + 1, sizeof *run->arena);
    eis_mpc_ahead_clear(&run->ahead);
    eis_mem_free(run->values);
    memset(run, 0, sizeof *run);
}

/* ---- session ---- */

eis_status eis_mpc_party_init(eis_mpc_party *party, eis_mpc_links *links, uint64_t key,
                              const uint8_t session[EIS_MPC_DIGEST_BYTES])
{
    eis_status st = EIS_OK;

    *party = (eis_mpc_party){.links = links, .key = key};
    EIS_TRY(eis_mpc_check_init(&party->check, links, session));
out:
    if (st != EIS_OK) eis_mpc_party_clear(party);
    return st;
}

static void clear_matrix(eis_mpc_matrix *m)
{
    size_t rows = m->shape == NULL ? 0 : m->shape->rows, columns = m->shape == NULL ? 0 : m->shape->columns;

    eis_mem_free(m->pub);
    eis_mem_free_wiped(m->own, rows * columns, 8);
    eis_mem_free_wiped(m->rho, rows, 8);
    eis_mem_free(m->v_pub);
    eis_mem_free_wiped(m->v, columns, 8);
    eis_mem_free_wiped(m->rho_r, columns, 8);
    eis_mem_free(m->w_pub);
    eis_mem_free_wiped(m->w, rows, 8);
    memset(m, 0, sizeof *m);
}

void eis_mpc_party_clear(eis_mpc_party *party)
{
    eis_mem_free(party->spare); /* wiped already */
    for (uint32_t i = 0; i < party->matrix_count; i++) clear_matrix(&party->matrices[i]);
    eis_mem_free(party->matrices);
    eis_mpc_check_clear(&party->check);
    eis_mem_wipe(party, sizeof *party);
}

/* v = M rho - u, with M the public transpose (or the matrix itself), out words of rho and `in` words of v: shares and
 * MAC shares go the same way. Shape: column i of the tag is pub[i * step_in + j * step_out]. */
static void tag_shares(uint64_t *v, const uint64_t *pub, size_t step_out, size_t step_in, const uint64_t *rho,
                       const uint64_t *u, size_t out, size_t in)
{
    for (size_t i = 0; i < in; i++) v[i] = eis_fp_neg(u[i]);
    if (step_in == 1) { /* the rows of the matrix are walked through in order */
        for (size_t j = 0; j < out; j++) eis_fp_axpy(v, rho[j], pub + j * step_out, in);
        return;
    }
    for (size_t i = 0; i < in; i++) v[i] = eis_fp_add(v[i], eis_fp_dot(pub + i * step_in, rho, out));
}

/* One tag in the making: its words in the material, and where its parts are kept. */
typedef struct tag {
    size_t out, in, step_out, step_in;
    const uint64_t *m;
    uint64_t **rho, **v_pub, **v;
} tag;

/* Writes our shares of D_v = v + l_v to d and those of its MACs to mac. */
static eis_status begin_tag(const tag *t, const uint64_t *pub, uint64_t *d, uint64_t *mac)
{
    eis_status st = EIS_OK;
    const uint64_t *rho = t->m, *l = rho + 2 * t->out, *u = l + 2 * t->in;

    *t->rho = eis_mem_new_secret(t->out, sizeof **t->rho);
    *t->v = eis_mem_new_secret(t->in, sizeof **t->v);
    *t->v_pub = eis_mem_new(t->in, sizeof **t->v_pub);
    if (*t->rho == NULL || *t->v == NULL || *t->v_pub == NULL) return EIS_ERR_MEMORY;
    memcpy(*t->rho, rho, t->out * sizeof *rho);
    tag_shares(d, pub, t->step_out, t->step_in, rho, u, t->out, t->in);
    tag_shares(mac, pub, t->step_out, t->step_in, rho + t->out, u + t->in, t->out, t->in);
    for (size_t i = 0; i < t->in; i++) {
        d[i] = eis_fp_add(d[i], l[i]);
        mac[i] = eis_fp_add(mac[i], l[t->in + i]);
    }
    return st;
}

/* Takes D_v: v = D_v - l_v; mac becomes the residues. */
static void end_tag(const eis_mpc_party *party, const tag *t, const uint64_t *d, uint64_t *mac)
{
    const uint64_t *l = t->m + 2 * t->out;

    memcpy(*t->v_pub, d, t->in * sizeof *d);
    for (size_t i = 0; i < t->in; i++) {
        (*t->v)[i] = eis_fp_sub(party->links->index == 0 ? d[i] : 0, l[i]);
        mac[i] = eis_fp_sub(eis_fp_mul(d[i], party->key), mac[i]);
    }
}

/* Lists the tags of all matrices. Returns how many words they open. */
static size_t list_tags(tag *tags, size_t *count, eis_mpc_party *party, const uint64_t *m)
{
    size_t words = 0;

    *count = 0;
    for (uint32_t i = 0; i < party->matrix_count; i++) {
        eis_mpc_matrix *w = &party->matrices[i];
        size_t rows = w->shape->rows, columns = w->shape->columns;
        m += rows * columns;
        if (w->shape->products) {
            tags[(*count)++] = (tag){rows, columns, columns, 1, m, &w->rho, &w->v_pub, &w->v};
            m += 2 * rows + 4 * columns;
            words += columns;
        }
        if (w->shape->selection) {
            tags[(*count)++] = (tag){columns, rows, 1, columns, m, &w->rho_r, &w->w_pub, &w->w};
            m += 2 * columns + 4 * rows;
            words += rows;
        }
    }
    return words;
}

static eis_status take_matrices(eis_mpc_party *party, const eis_mpc_matrix_shape *shapes, uint64_t **pub,
                                uint32_t count, const uint64_t *m)
{
    eis_status st = EIS_OK;

    EIS_NEW(party->matrices, count);
    party->matrix_count = count;
    for (uint32_t i = 0; i < count; i++) {
        eis_mpc_matrix *w = &party->matrices[i];
        size_t words = (size_t)shapes[i].rows * shapes[i].columns;
        w->shape = &shapes[i];
        w->pub = pub[i];
        pub[i] = NULL;
        for (size_t j = 0; j < words; j++)
            EIS_REQUIRE(w->pub[j] < EIS_FP_P, EIS_ERR_PROTOCOL, "a weight is not a word of the field");
        w->own = eis_mem_new_secret_raw(words, sizeof *w->own);
        if (w->own == NULL) return EIS_ERR_MEMORY;
        for (size_t j = 0; j < words; j++) w->own[j] = eis_fp_sub(party->links->index == 0 ? w->pub[j] : 0, m[j]);
        m += eis_mpc_load_words(&shapes[i]);
    }
out:
    return st;
}

eis_status eis_mpc_party_load(eis_mpc_party *party, const eis_mpc_matrix_shape *shapes, uint64_t **pub, uint32_t count,
                              const uint64_t *material)
{
    eis_status st = EIS_OK;
    tag *tags = NULL;
    uint64_t *d = NULL, *mac = NULL;
    size_t tag_count = 0, words = 0, at = 0, peers = party->links->count;

    EIS_ASSERT(party->matrices == NULL);
    EIS_NEW(tags, 2 * (size_t)count);
    EIS_TRY(take_matrices(party, shapes, pub, count, material));
    words = list_tags(tags, &tag_count, party, material);
    d = eis_mem_new_secret(words * (1 + peers) + 1, sizeof *d);
    mac = eis_mem_new_secret(words + 1, sizeof *mac);
    EIS_REQUIRE(d != NULL && mac != NULL, EIS_ERR_MEMORY, "no memory for the tags of the weights");
    for (size_t i = 0, k = 0; i < tag_count; k += tags[i++].in) {
        const eis_mpc_matrix *w = party->matrices;
        while (&w->rho != tags[i].rho && &w->rho_r != tags[i].rho) w++;
        EIS_TRY(begin_tag(&tags[i], w->pub, d + k, mac + k));
    }
    EIS_TRY(eis_mpc_party_open(party, d, d + words, words, 0));
    for (size_t i = 0; i < tag_count; at += tags[i++].in) end_tag(party, &tags[i], d + at, mac + at);
    EIS_TRY(eis_mpc_check_add(&party->check, mac, words));
out:
    eis_mem_free_wiped(d, words * (1 + peers) + 1, sizeof *d);
    eis_mem_free_wiped(mac, words + 1, sizeof *mac);
    eis_mem_free(tags);
    return st;
}
