/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/sacrifice.h"

#include "base/mem.h"
#include "engine/mpc/material.h"
#include "ring/fp_dot.h"

#include <string.h>

#define FRAME_WORDS ((size_t)1 << 20)
#define SKETCH_MAX  128 /* values of a digit */

/* Words from the coin, for each kind of test a stream of its own. */
enum { COIN_SKETCH, COIN_PRODUCTS, COIN_MACS, COIN_MATRICES, COINS };

typedef struct testing {
    eis_mpc_party *party;
    const eis_mpc_graph *graph;
    const eis_mpc_run *run;
    const uint64_t *spare; /* of pairs */
    uint64_t one;          /* our share of 1 */
    eis_mpc_stream coin[COINS];
    size_t opened, pairs, pair; /* pairs are numbered as they are met */
    uint64_t *d, *mac;          /* [opened]: two for each pair, the combination of MACs, then matrices */
    uint64_t *theirs;           /* [parties][frame] */
    size_t frame;               /* words that are opened at once */
    uint64_t linear;            /* our share of the sum of claimed products, each times its word */
    uint64_t sum[2];            /* the combination of all words, and its MAC */
    uint64_t sketch[SKETCH_MAX], square[SKETCH_MAX];
    uint64_t *r, *scratch; /* [widest], [6 widest] */
    size_t widest;
} testing;

/* ---- pairs ---- */

/* One word and its MAC. */
typedef struct pair_word {
    uint64_t share, mac;
} pair_word;

static pair_word word_at(const uint64_t *share, const uint64_t *mac, size_t i) { return (pair_word){share[i], mac[i]}; }

/* The spare masks of pair k: a', a a', b', a b', each `n` words behind the one before. */
static const uint64_t *spare_of(const testing *t, size_t k, size_t *n)
{
    size_t first = k / EIS_MPC_TEST_PAIRS * EIS_MPC_TEST_PAIRS;

    *n = t->pairs - first < EIS_MPC_TEST_PAIRS ? t->pairs - first : EIS_MPC_TEST_PAIRS;
    return t->spare + 4 * first + (k - first);
}

/* Takes c a b into the sum of products: c a - a' and b - b' are to be opened. */
static void add_pair(testing *t, uint64_t c, pair_word a, pair_word b)
{
    size_t n, k = t->pair++;
    const uint64_t *s = spare_of(t, k, &n);

    t->d[2 * k] = eis_fp_sub(eis_fp_mul(c, a.share), s[0]);
    t->mac[2 * k] = eis_fp_sub(eis_fp_mul(c, a.mac), s[n]);
    t->d[2 * k + 1] = eis_fp_sub(b.share, s[2 * n]);
    t->mac[2 * k + 1] = eis_fp_sub(b.mac, s[3 * n]);
}

/* The product that the dealer claims for word c of the coin. */
static void claim(testing *t, uint64_t c, uint64_t product)
{
    t->linear = eis_fp_add(t->linear, eis_fp_mul(c, product));
}

static eis_status test_product(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->count, block[1u << EIS_MPC_FACTORS_MAX], at = 0;

    for (unsigned set = 3; set < 1u << node->in_count; set++) {
        unsigned rest = set & (set - 1);
        const eis_mpc_words *b = &t->run->values[node->in[__builtin_ctz(set)]], *wire;
        const uint64_t *share, *mac;
        if (rest == 0) continue;
        block[set] = at;
        at += 2 * n;
        wire = &t->run->values[node->in[__builtin_ctz(rest)]];
        share = (rest & (rest - 1)) == 0 ? wire->share : m + block[rest];
        mac = (rest & (rest - 1)) == 0 ? wire->mac : m + block[rest] + n;
        EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_PRODUCTS], t->r, n));
        for (size_t i = 0; i < n; i++) {
            claim(t, t->r[i], m[block[set] + i]);
            add_pair(t, t->r[i], word_at(share, mac, i), word_at(b->share, b->mac, i));
        }
    }
out:
    return st;
}

static eis_status test_dot(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    const eis_mpc_dot_shape *shape = &node->dot;
    const eis_mpc_words *a = &t->run->values[node->in[0]], *b = &t->run->values[node->in[1]];

    EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_PRODUCTS], t->r, node->count));
    for (uint32_t g = 0; g < node->count; g++) {
        claim(t, t->r[g], m[g]);
        for (uint32_t i = 0; i < shape->inner; i++)
            add_pair(t, t->r[g], word_at(a->share, a->mac, shape->a_at[g] + (size_t)i * shape->a_step),
                     word_at(b->share, b->mac, shape->b_at[g] + (size_t)i * shape->b_step));
    }
out:
    return st;
}

/* x = the combination of one digit's entries, share or MAC part; entry 0 is `one` minus the others. */
static void sketch_digit(uint64_t *x, const uint64_t *one, const uint64_t *entries, size_t n, uint32_t values,
                         const uint64_t *r)
{
    for (size_t i = 0; i < n; i++) x[i] = eis_fp_mul(one[i], r[0]);
    for (uint32_t v = 1; v <= values; v++) eis_fp_axpy(x, eis_fp_sub(r[v], r[0]), entries + 2 * n * (v - 1), n);
}

/* m: r_t | times a | entries of each digit with their MACs. scratch: q, X and Y, shares and MACs. */
static eis_status test_digits(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->cmp.elements;
    uint32_t values = (1u << node->cmp.digit_bits) - 1;
    uint64_t *q[2] = {t->scratch, t->scratch + n}, *x[2] = {q[1] + n, q[1] + 2 * n}, *y[2] = {x[1] + n, x[1] + 2 * n};
    const uint64_t one[2] = {t->one, t->party->key};

    EIS_ASSERT(values < SKETCH_MAX);
    EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_PRODUCTS], t->r, n));
    for (size_t i = 0; i < n; i++) { /* q^2 = 1 */
        for (int part = 0; part < 2; part++) {
            uint64_t r_t = m[(size_t)part * n + i];
            q[part][i] = eis_fp_sub(one[part], eis_fp_add(r_t, r_t));
        }
        claim(t, t->r[i], t->one);
        add_pair(t, t->r[i], word_at(q[0], q[1], i), word_at(q[0], q[1], i));
    }
    for (unsigned j = 0; j < node->cmp.digits; j++) {
        const uint64_t *entries = m + 2 * n * (1 + (size_t)j * values);
        bool top = j + 1 == node->cmp.digits;
        for (int part = 0; part < 2; part++) {
            for (size_t i = 0; i < n; i++) t->r[i] = top ? q[part][i] : one[part];
            sketch_digit(x[part], t->r, entries + (size_t)part * n, n, values, t->sketch);
            sketch_digit(y[part], t->r, entries + (size_t)part * n, n, values, t->square);
        }
        EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_PRODUCTS], t->r, n));
        for (size_t i = 0; i < n; i++) { /* X^2 = Y, or q Y */
            add_pair(t, t->r[i], word_at(x[0], x[1], i), word_at(x[0], x[1], i));
            if (top)
                add_pair(t, eis_fp_neg(t->r[i]), word_at(q[0], q[1], i), word_at(y[0], y[1], i));
            else
                claim(t, t->r[i], y[0][i]);
        }
    }
out:
    return st;
}

/* Rows of an input of which one word is 1 and the others are 0: X^2 = Y, and the sum is 1. x = D - l. */
static eis_status test_one_hot(testing *t, const eis_mpc_node *node, const eis_mpc_words *x)
{
    eis_status st = EIS_OK;
    size_t n = node->one_hot;
    uint64_t *r = t->r, *square = t->scratch, key = t->party->key;

    EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_SKETCH], r, n));
    for (size_t i = 0; i < n; i++) square[i] = eis_fp_mul(r[i], r[i]);
    for (size_t at = 0; at < node->count; at += n) {
        const uint64_t *pub = x->pub + at, *share = x->share + at, *mac = x->mac + at;
        uint64_t c, d = eis_fp_dot(r, pub, n), zero = eis_fp_neg(key);
        pair_word sum = {eis_fp_sub(eis_fp_mul(t->one, d), eis_fp_dot(r, share, n)),
                         eis_fp_sub(eis_fp_mul(key, d), eis_fp_dot(r, mac, n))};
        EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_PRODUCTS], &c, 1));
        claim(t, c, eis_fp_sub(eis_fp_mul(t->one, eis_fp_dot(square, pub, n)), eis_fp_dot(square, share, n)));
        add_pair(t, c, sum, sum);
        for (size_t i = 0; i < n; i++) zero = eis_fp_add(zero, eis_fp_sub(eis_fp_mul(key, pub[i]), mac[i]));
        EIS_TRY(eis_mpc_check_add(&t->party->check, &zero, 1));
    }
out:
    return st;
}

/* ---- MACs ---- */

/* Blocks of n words with their MACs behind each. */
static eis_status combine(testing *t, const uint64_t *m, size_t blocks, size_t n)
{
    eis_status st = EIS_OK;

    for (size_t b = 0; b < blocks; b++, m += 2 * n) {
        EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_MACS], t->r, n));
        t->sum[0] = eis_fp_add(t->sum[0], eis_fp_dot(t->r, m, n));
        t->sum[1] = eis_fp_add(t->sum[1], eis_fp_dot(t->r, m + n, n));
    }
out:
    return st;
}

/* Those of digits are proved with their sketches. */
static size_t blocks_of(const eis_mpc_node *node)
{
    switch (node->op) {
    case EIS_MPC_OP_INPUT:
    case EIS_MPC_OP_MASK:
    case EIS_MPC_OP_MATRIX:
    case EIS_MPC_OP_ROW:
    case EIS_MPC_OP_DOT:
    case EIS_MPC_OP_RANDOM:
        return 1;
    case EIS_MPC_OP_TRUNCATE:
        return 2;
    case EIS_MPC_OP_PRODUCT:
        return ((size_t)1 << node->in_count) - 1 - node->in_count;
    default:
        return 0;
    }
}

/* ---- matrices ---- */

/* l' + the sum of word_k l_x,k, and its MAC; *claimed gets our share of <r, l_W l' + sum of word_k l_W l_x,k>. */
static eis_status begin_matrix(testing *t, const eis_mpc_node *node, const uint64_t *m, const uint64_t *spare,
                               uint64_t *d, uint64_t *mac, uint64_t *claimed, uint64_t *r)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix_shape *w = t->party->matrices[node->matrix].shape;
    size_t rows = w->rows, columns = w->columns;
    const eis_mpc_words *x = &t->run->values[node->in[0]];

    EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_MATRICES], r, rows));
    memcpy(d, spare, columns * sizeof *d);
    memcpy(mac, spare + columns, columns * sizeof *mac);
    *claimed = eis_fp_dot(r, spare + 2 * columns, rows);
    for (size_t b = 0; b < node->count / rows; b++) {
        uint64_t c, product = eis_fp_dot(r, m + 2 * (size_t)node->count + b * rows, rows);
        EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_MATRICES], &c, 1));
        product = eis_fp_sub(product, eis_fp_dot(r, m + b * rows, rows));
        for (uint32_t q = 1; q < node->in_count; q++)
            product = eis_fp_add(product, eis_fp_dot(r, t->run->values[node->in[q]].share + b * rows, rows));
        *claimed = eis_fp_add(*claimed, eis_fp_mul(c, product));
        eis_fp_axpy(d, c, x->share + b * columns, columns);
        eis_fp_axpy(mac, c, x->mac + b * columns, columns);
    }
out:
    return st;
}

/* Our share of <r, l_W d> for the opened d. */
static uint64_t end_matrix(const testing *t, const eis_mpc_node *node, const uint64_t *d, const uint64_t *r)
{
    const eis_mpc_matrix *w = &t->party->matrices[node->matrix];
    size_t rows = w->shape->rows, columns = w->shape->columns;
    uint64_t sum = 0;

    for (size_t i = 0; i < rows; i++)
        sum = eis_fp_add(sum, eis_fp_mul(r[i], eis_fp_dot(w->share + i * columns, d, columns)));
    return sum;
}

/* What is kept of each MATRIX node between the two halves. */
typedef struct matrix_test {
    eis_mpc_id id;
    size_t at;   /* in d */
    uint64_t *r; /* [rows] */
    uint64_t claimed;
} matrix_test;

typedef struct matrix_tests {
    matrix_test *of;
    uint64_t *r; /* all words of all nodes */
    size_t count, words;
} matrix_tests;

static eis_status list_matrices(matrix_tests *list, const testing *t)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = t->graph;
    size_t at = 2 * t->pairs + 1, words = 0;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (g->nodes[id].op != EIS_MPC_OP_MATRIX) continue;
        list->count++;
        list->words += g->matrices[g->nodes[id].matrix].rows;
    }
    EIS_NEW(list->of, list->count);
    EIS_NEW(list->r, list->words);
    list->count = 0;
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (g->nodes[id].op != EIS_MPC_OP_MATRIX) continue;
        list->of[list->count++] = (matrix_test){.id = id, .at = at, .r = list->r + words};
        at += g->matrices[g->nodes[id].matrix].columns;
        words += g->matrices[g->nodes[id].matrix].rows;
    }
out:
    return st;
}

static void clear_matrices(matrix_tests *list)
{
    eis_mem_free(list->of);
    eis_mem_free(list->r);
}

/* ---- the test of a unit ---- */

static eis_status toss(testing *t)
{
    eis_status st = EIS_OK;
    uint8_t coin[EIS_MPC_DIGEST_BYTES];

    EIS_TRY(eis_mpc_check_coin(&t->party->check, coin));
    for (uint64_t i = 0; i < COINS; i++) EIS_TRY(eis_mpc_stream_start(&t->coin[i], coin, EIS_MPC_PURPOSE_TEST, i));
    EIS_TRY(eis_mpc_stream_words(&t->coin[COIN_SKETCH], t->sketch, SKETCH_MAX));
    for (int i = 0; i < SKETCH_MAX; i++) t->square[i] = eis_fp_mul(t->sketch[i], t->sketch[i]);
out:
    return st;
}

static eis_status make_room(testing *t, size_t widest)
{
    eis_status st = EIS_OK;

    t->widest = widest;
    t->r = eis_mem_new_secret(widest, sizeof *t->r);
    t->scratch = eis_mem_new_secret(6 * widest, sizeof *t->scratch);
    t->d = eis_mem_new_secret(t->opened, sizeof *t->d);
    t->mac = eis_mem_new_secret(t->opened, sizeof *t->mac);
    t->frame = t->opened < FRAME_WORDS ? t->opened : FRAME_WORDS;
    t->theirs = eis_mem_new_secret(t->frame * t->party->links->count, sizeof *t->theirs);
    EIS_REQUIRE(t->r != NULL && t->scratch != NULL && t->d != NULL && t->mac != NULL && t->theirs != NULL,
                EIS_ERR_MEMORY, "no memory to test %zu words of material", t->opened);
out:
    return st;
}

static void clear_testing(testing *t)
{
    eis_mem_free_wiped(t->r, t->widest, sizeof *t->r);
    eis_mem_free_wiped(t->scratch, 6 * t->widest, sizeof *t->scratch);
    eis_mem_free_wiped(t->d, t->opened, sizeof *t->d);
    eis_mem_free_wiped(t->mac, t->opened, sizeof *t->mac);
    eis_mem_free_wiped(t->theirs, t->frame * t->party->links->count, sizeof *t->theirs);
    for (int i = 0; i < COINS; i++) eis_mpc_stream_clear(&t->coin[i]);
    eis_mem_wipe(t, sizeof *t);
}

/* Opens d; adds the residues of `authenticated` words, whose MACs are in mac. */
static eis_status open_all(testing *t, size_t authenticated, uint32_t round)
{
    eis_status st = EIS_OK;

    for (size_t at = 0; at < t->opened; at += t->frame) {
        size_t n = t->opened - at < t->frame ? t->opened - at : t->frame;
        EIS_TRY(eis_mpc_party_open(t->party, t->d + at, t->theirs, n, ++round));
    }
    for (size_t i = 0; i < authenticated; i++) t->mac[i] = eis_fp_sub(eis_fp_mul(t->d[i], t->party->key), t->mac[i]);
    EIS_TRY(eis_mpc_check_add(&t->party->check, t->mac, authenticated));
out:
    return st;
}

/* The sum of all c a b minus what was claimed, from the opened differences: (d + a')(e + b') = d e + d b' + e a' + a'
 * b'.
 */
static uint64_t products_residue(const testing *t, uint64_t spare_products)
{
    uint64_t sum = eis_fp_sub(spare_products, t->linear);

    for (size_t k = 0; k < t->pairs; k++) {
        size_t n;
        const uint64_t *s = spare_of(t, k, &n);
        uint64_t d = t->d[2 * k], e = t->d[2 * k + 1];
        sum = eis_fp_add(sum, eis_fp_mul(d, eis_fp_add(s[2 * n], t->one == 0 ? 0 : e)));
        sum = eis_fp_add(sum, eis_fp_mul(e, s[0]));
    }
    return sum;
}

static eis_status test_nodes(testing *t, const uint64_t *material)
{
    eis_status st = EIS_OK;

    for (eis_mpc_id id = 0; id < t->graph->node_count; id++) {
        const eis_mpc_node *node = &t->graph->nodes[id];
        EIS_TRY(combine(t, material, blocks_of(node), node->count));
        if (node->op == EIS_MPC_OP_INPUT && node->one_hot > 0) EIS_TRY(test_one_hot(t, node, &t->run->values[id]));
        if (node->op == EIS_MPC_OP_PRODUCT) EIS_TRY(test_product(t, node, material));
        if (node->op == EIS_MPC_OP_DOT) EIS_TRY(test_dot(t, node, material));
        if (node->op == EIS_MPC_OP_DIGITS) EIS_TRY(test_digits(t, node, material));
        material += eis_mpc_node_words(t->graph, id);
    }
    EIS_ASSERT(t->pair == t->pairs);
out:
    return st;
}

static size_t widest_of(const eis_mpc_graph *graph)
{
    size_t widest = 1;

    for (eis_mpc_id id = 0; id < graph->node_count; id++)
        if (graph->nodes[id].count > widest) widest = graph->nodes[id].count;
    return widest;
}

eis_status eis_mpc_sacrifice_run(eis_mpc_party *party, const eis_mpc_graph *graph, const eis_mpc_run *run,
                                 const uint64_t *material, const uint64_t *tests)
{
    eis_status st = EIS_OK;
    testing t = {.party = party, .graph = graph, .run = run, .spare = tests + 2, .one = party->links->index == 0};
    eis_mpc_test_size size;
    matrix_tests list = {0};
    const uint64_t *spare, *m = material;
    uint64_t residue;

    eis_mpc_test_size_graph(&size, graph);
    t.opened = size.opened;
    t.pairs = size.pairs;
    spare = t.spare + 4 * size.pairs + 1;
    EIS_TRY(make_room(&t, widest_of(graph)));
    EIS_TRY(list_matrices(&list, &t));
    EIS_TRY(toss(&t));
    EIS_TRY(test_nodes(&t, material));
    t.d[2 * t.pairs] = eis_fp_add(t.sum[0], tests[0]);
    t.mac[2 * t.pairs] = eis_fp_add(t.sum[1], tests[1]);
    for (eis_mpc_id id = 0, i = 0; i < list.count; m += eis_mpc_node_words(graph, id++)) {
        const eis_mpc_matrix_shape *w;
        if (id != list.of[i].id) continue;
        EIS_TRY(begin_matrix(&t, &graph->nodes[id], m, spare, t.d + list.of[i].at, t.mac + list.of[i].at,
                             &list.of[i].claimed, list.of[i].r));
        w = &graph->matrices[graph->nodes[id].matrix];
        spare += 2 * (size_t)w->columns + w->rows;
        i++;
    }
    EIS_TRY(open_all(&t, t.opened, graph->rounds));
    residue = products_residue(&t, tests[2 + 4 * t.pairs]);
    EIS_TRY(eis_mpc_check_add(&party->check, &residue, 1));
    for (size_t i = 0; i < list.count; i++) {
        residue = eis_fp_sub(list.of[i].claimed,
                             end_matrix(&t, &graph->nodes[list.of[i].id], t.d + list.of[i].at, list.of[i].r));
        EIS_TRY(eis_mpc_check_add(&party->check, &residue, 1));
    }
out:
    clear_matrices(&list);
    clear_testing(&t);
    return st;
}

/* ---- the test of a load ---- */

/* One tag: M w for public random w, where M is the matrix, or its transpose for rows. */
typedef struct tag_test {
    const eis_mpc_matrix *matrix;
    bool rows; /* the tag of rows: of the transpose */
    size_t out, in;
} tag_test;

/* Our share of M w + l. */
static void tag_shares(uint64_t *d, const testing *t, const tag_test *tag, const uint64_t *w, const uint64_t *l)
{
    const eis_mpc_matrix *m = tag->matrix;
    size_t columns = m->shape->columns;

    memcpy(d, l, tag->out * sizeof *d);
    for (size_t i = 0; i < m->shape->rows; i++) {
        const uint64_t *pub = m->pub + i * columns, *share = m->share + i * columns;
        if (tag->rows) {
            if (t->one != 0) eis_fp_axpy(d, w[i], pub, columns);
            eis_fp_axpy(d, eis_fp_neg(w[i]), share, columns);
        } else {
            if (t->one != 0) d[i] = eis_fp_add(d[i], eis_fp_dot(pub, w, columns));
            d[i] = eis_fp_sub(d[i], eis_fp_dot(share, w, columns));
        }
    }
}

static bool next_tag(tag_test *tag, const eis_mpc_party *party, uint32_t *side)
{
    for (; *side < 2 * party->matrix_count; ++*side) {
        const eis_mpc_matrix *m = &party->matrices[*side / 2];
        bool rows = *side % 2 != 0;
        if (!(rows ? m->shape->selection : m->shape->products)) continue;
        *tag =
            (tag_test){m, rows, rows ? m->shape->columns : m->shape->rows, rows ? m->shape->rows : m->shape->columns};
        ++*side;
        return true;
    }
    return false;
}

/* MACs of rho, l_v and l_W^T rho of all matrices. */
static eis_status combine_load(testing *t, const uint64_t *m)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < t->party->matrix_count; i++) {
        const eis_mpc_matrix_shape *s = t->party->matrices[i].shape;
        size_t out[2] = {s->rows, s->columns};
        bool used[2] = {s->products, s->selection};
        m += (size_t)s->rows * s->columns;
        for (int side = 0; side < 2; side++) {
            if (!used[side]) continue;
            EIS_TRY(combine(t, m, 1, out[side]));
            EIS_TRY(combine(t, m + 2 * out[side], 2, out[1 - side]));
            m += 2 * out[side] + 4 * out[1 - side];
        }
    }
out:
    return st;
}

eis_status eis_mpc_sacrifice_load(eis_mpc_party *party, const uint64_t *material, const uint64_t *tests)
{
    eis_status st = EIS_OK;
    testing t = {.party = party, .one = party->links->index == 0};
    eis_mpc_test_size size;
    tag_test tag;
    const uint64_t *spare = tests + 2;
    uint64_t *words = NULL;
    size_t widest = 1, at = 1, w_at = 0, all = 0;

    size = (eis_mpc_test_size){.opened = 1};
    for (uint32_t side = 0; next_tag(&tag, party, &side);) {
        size.opened += tag.out;
        all += tag.in;
        if (tag.in > widest) widest = tag.in;
        if (tag.out > widest) widest = tag.out;
    }
    t.opened = size.opened;
    EIS_TRY(make_room(&t, widest));
    EIS_NEW(words, all);
    EIS_TRY(toss(&t));
    EIS_TRY(combine_load(&t, material));
    t.d[0] = eis_fp_add(t.sum[0], tests[0]);
    t.mac[0] = eis_fp_add(t.sum[1], tests[1]);
    EIS_TRY(eis_mpc_stream_words(&t.coin[COIN_MATRICES], words, all));
    for (uint32_t side = 0; next_tag(&tag, party, &side); at += tag.out, w_at += tag.in, spare += tag.out + 1)
        tag_shares(t.d + at, &t, &tag, words + w_at, spare);
    EIS_TRY(open_all(&t, 1, 1));
    at = 1;
    w_at = 0;
    spare = tests + 2;
    for (uint32_t side = 0; next_tag(&tag, party, &side); at += tag.out, w_at += tag.in, spare += tag.out + 1) {
        uint64_t tau = eis_fp_dot(t.d + at, tag.rows ? tag.matrix->rho_r : tag.matrix->rho, tag.out);
        tau = eis_fp_sub(tau, spare[tag.out]);
        tau = eis_fp_sub(tau, eis_fp_dot(words + w_at, tag.rows ? tag.matrix->w : tag.matrix->v, tag.in));
        EIS_TRY(eis_mpc_check_add(&party->check, &tau, 1));
    }
out:
    eis_mem_free(words);
    clear_testing(&t);
    return st;
}
