/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/sacrifice.h"

#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#include <string.h>

typedef eis_mpc_testing testing;

/* ---- pairs and squares ---- */

/* The block that number k of `count` stands in: where it begins, and how many words it has. */
static size_t block_of(size_t k, size_t count, size_t *n)
{
    size_t first = k / EIS_MPC_TEST_BLOCK * EIS_MPC_TEST_BLOCK;

    *n = count - first < EIS_MPC_TEST_BLOCK ? count - first : EIS_MPC_TEST_BLOCK;
    return first;
}

/* d = x - mask for words and MACs, whose masks are `n` words behind. */
static void hide(uint64_t *d, uint64_t *mac, eis_mpc_auths x, const uint64_t *mask, size_t n, size_t count)
{
    for (size_t i = 0; i < count; i++) d[i] = eis_fp_sub(x.share[i * x.step], mask[i]);
    for (size_t i = 0; i < count; i++) mac[i] = eis_fp_sub(x.mac[i * x.step], mask[n + i]);
}

static eis_mpc_auths behind(eis_mpc_auths x, size_t i)
{
    return (eis_mpc_auths){x.share + i * x.step, x.mac + i * x.step, x.step};
}

void eis_mpc_testing_pairs(testing *t, eis_mpc_auths a, eis_mpc_auths b, size_t n)
{
    for (size_t done = 0, count; done < n; done += count) {
        size_t width, first = block_of(t->pair, t->size.pairs, &width), at = t->pair - first;
        const uint64_t *s = t->pair_spare + 4 * first + at;
        uint64_t *d = t->d + 2 * first + at, *mac = t->mac + 2 * first + at;
        count = n - done < width - at ? n - done : width - at;
        hide(d, mac, behind(a, done), s, width, count);
        hide(d + width, mac + width, behind(b, done), s + 2 * width, width, count);
        t->pair += count;
    }
}

void eis_mpc_testing_squares(testing *t, const uint64_t *weight, eis_mpc_auths x, size_t n)
{
    for (size_t done = 0, count; done < n; done += count) {
        size_t width, first = block_of(t->square, t->size.squares, &width), at = t->square - first;
        size_t to = 2 * t->size.pairs + t->square;
        count = n - done < width - at ? n - done : width - at;
        hide(t->d + to, t->mac + to, behind(x, done), t->square_spare + 3 * first + at, width, count);
        memcpy(t->weight + t->square, weight + done, count * sizeof *weight);
        t->square += count;
    }
}

/* What an opened difference stands for: (d + a')(e + b') = d (e + b') + e a' + a' b'; the sum of all a' b' is dealt. */
static uint64_t sum_pairs(const testing *t, uint64_t spare_products)
{
    uint64_t sum = spare_products;

    for (size_t first = 0, n; first < t->size.pairs; first += n) {
        const uint64_t *d = t->d + 2 * first, *s = t->pair_spare + 4 * first, *e;
        (void)block_of(first, t->size.pairs, &n);
        e = d + n;
        sum = eis_fp_add(sum, eis_fp_dot(d, s + 2 * n, n));
        sum = eis_fp_add(sum, eis_fp_dot(e, s, n));
        if (t->one != 0) sum = eis_fp_add(sum, eis_fp_dot(d, e, n));
    }
    return sum;
}

/* (d + x')^2 = d (d + 2 x') + x'^2, and each counts as its weight says. Uses up d. */
static uint64_t sum_squares(testing *t)
{
    uint64_t sum = 0;

    for (size_t first = 0, n; first < t->size.squares; first += n) {
        uint64_t *d = t->d + 2 * t->size.pairs + first;
        const uint64_t *s = t->square_spare + 3 * first, *weight = t->weight + first;
        (void)block_of(first, t->size.squares, &n);
        sum = eis_fp_add(sum, eis_fp_dot(weight, s + 2 * n, n));
        for (size_t i = 0; i < n; i++) {
            uint64_t twice = eis_fp_add(s[i], s[i]);
            d[i] = eis_fp_mul(d[i], eis_fp_add(t->one != 0 ? d[i] : 0, twice));
        }
        sum = eis_fp_add(sum, eis_fp_dot(weight, d, n));
    }
    return sum;
}

static void claim(testing *t, uint64_t product) { t->linear = eis_fp_add(t->linear, product); }

/* ---- gates ---- */

/* y = y + r x, word by word. */
static void add_products(uint64_t *y, const uint64_t *r, const uint64_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = eis_fp_add(y[i], eis_fp_mul(r[i], x[i]));
}

/* Our share of <r, m>. It stands in the combination of MACs as well: what is a wrong product, and what has a wrong MAC,
 * is seen by the same random words. */
static uint64_t take_dealt(testing *t, const uint64_t *m, size_t n)
{
    uint64_t sum = eis_fp_dot(t->r, m, n);

    t->sum[0] = eis_fp_add(t->sum[0], sum);
    t->sum[1] = eis_fp_add(t->sum[1], eis_fp_dot(t->r, m + n, n));
    return sum;
}

/* l_S = l_(S without its first factor) times that factor: for all sets with one first factor, each times a random word,
 * one pair. */
static eis_status test_product(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->count, at[1u << EIS_MPC_FACTORS_MAX] = {0}, words = 0;
    uint64_t *a = t->scratch, *mac = a + n;

    for (unsigned set = 1; set < 1u << node->in_count; set++) {
        if (!eis_mpc_product_dealt(node, set)) continue;
        at[set] = words;
        words += 2 * n;
    }
    for (uint32_t j = 0; j < node->in_count; j++) {
        const eis_mpc_words *b = &t->run->values[node->in[j]];
        bool any = false;
        memset(a, 0, 2 * n * sizeof *a);
        for (unsigned set = 1u << j; set < 1u << node->in_count; set++) {
            unsigned rest = eis_mpc_product_set(node, set & (set - 1));
            const eis_mpc_words *wire;
            if ((unsigned)__builtin_ctz(set) != j || !eis_mpc_product_dealt(node, set)) continue;
            wire = &t->run->values[node->in[__builtin_ctz(rest)]];
            EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
            claim(t, take_dealt(t, m + at[set], n));
            add_products(a, t->r, (rest & (rest - 1)) == 0 ? wire->share : m + at[rest], n);
            add_products(mac, t->r, (rest & (rest - 1)) == 0 ? wire->mac : m + at[rest] + n, n);
            any = true;
        }
        if (any) eis_mpc_testing_pairs(t, (eis_mpc_auths){a, mac, 1}, (eis_mpc_auths){b->share, b->mac, 1}, n);
    }
out:
    return st;
}

/* b = sum over the groups of a run of r_g times the second vector of group g. */
static void combine_run(uint64_t *b, const uint64_t *words, const eis_mpc_dot_shape *shape, uint32_t group,
                        const uint64_t *r, uint32_t run)
{
    memset(b, 0, shape->inner * sizeof *b);
    for (uint32_t k = 0; k < run; k++) {
        const uint64_t *from = words + shape->b_at[group + k];
        if (shape->b_step == 1)
            eis_fp_axpy(b, r[k], from, shape->inner);
        else
            for (uint32_t i = 0; i < shape->inner; i++)
                b[i] = eis_fp_add(b[i], eis_fp_mul(r[k], from[(size_t)i * shape->b_step]));
    }
}

/* Groups with one first vector, each times a random word: one inner product. */
static eis_status test_dot(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    const eis_mpc_dot_shape *shape = &node->dot;
    const eis_mpc_words *a = &t->run->values[node->in[0]], *b = &t->run->values[node->in[1]];
    uint64_t *y = t->scratch, *mac = y + shape->inner;

    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, node->count));
    claim(t, take_dealt(t, m, node->count));
    for (uint32_t g = 0, run; g < node->count; g += run) {
        uint32_t from = shape->a_at[g];
        run = eis_mpc_dot_run(node, g);
        combine_run(y, b->share, shape, g, t->r + g, run);
        combine_run(mac, b->mac, shape, g, t->r + g, run);
        eis_mpc_testing_pairs(t, (eis_mpc_auths){a->share + from, a->mac + from, shape->a_step},
                              (eis_mpc_auths){y, mac, 1}, shape->inner);
    }
out:
    return st;
}

/* Our share of <r, x> and its MAC, x = D - l. */
static void combine_wire(uint64_t x[2], const testing *t, const uint64_t *r, const eis_mpc_words *w, size_t at,
                         size_t n)
{
    uint64_t d = eis_fp_dot(r, w->pub + at, n);

    x[0] = eis_fp_sub(eis_fp_mul(t->one, d), eis_fp_dot(r, w->share + at, n));
    x[1] = eis_fp_sub(eis_fp_mul(t->party->key, d), eis_fp_dot(r, w->mac + at, n));
}

/* Rows of an input of which one word is 1 and the others are 0: X^2 = Y, and the sum is 1. */
static eis_status test_one_hot(testing *t, const eis_mpc_node *node, const eis_mpc_words *words)
{
    eis_status st = EIS_OK;
    size_t n = node->one_hot;
    uint64_t *r = t->r, *square = t->scratch, *ones = square + n;

    EIS_TRY(eis_mpc_testing_draw(r, t, EIS_MPC_COIN_SKETCH, n));
    for (size_t i = 0; i < n; i++) {
        square[i] = eis_fp_mul(r[i], r[i]);
        ones[i] = 1;
    }
    for (size_t at = 0; at < node->count; at += n) {
        uint64_t c, x[2], y[2], sum[2], zero;
        EIS_TRY(eis_mpc_testing_draw(&c, t, EIS_MPC_COIN_PRODUCTS, 1));
        combine_wire(x, t, r, words, at, n);
        combine_wire(y, t, square, words, at, n);
        combine_wire(sum, t, ones, words, at, n);
        eis_mpc_testing_squares(t, &c, (eis_mpc_auths){&x[0], &x[1], 1}, 1);
        claim(t, eis_fp_mul(c, y[0]));
        zero = eis_fp_sub(sum[1], t->party->key);
        EIS_TRY(eis_mpc_check_add(&t->party->check, &zero, 1));
    }
out:
    return st;
}

/* Words of an input that are 0 or 1: x^2 = x. */
static eis_status test_bits(testing *t, const eis_mpc_node *node, const eis_mpc_words *words)
{
    eis_status st = EIS_OK;
    size_t n = node->count;
    uint64_t *x = t->scratch, *mac = x + n;

    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    for (size_t i = 0; i < n; i++) {
        x[i] = eis_fp_sub(t->one != 0 ? words->pub[i] : 0, words->share[i]);
        mac[i] = eis_fp_sub(eis_fp_mul(words->pub[i], t->party->key), words->mac[i]);
    }
    eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x, mac, 1}, n);
    claim(t, eis_fp_dot(t->r, x, n));
out:
    return st;
}

/* Blocks of words with their MACs at the beginning of a node's material, but for those whose MACs are tested elsewhere:
 * products with their claims, digits with their sketches. */
static size_t blocks_of(const eis_mpc_node *node)
{
    switch (node->op) {
    case EIS_MPC_OP_INPUT:
    case EIS_MPC_OP_MASK:
    case EIS_MPC_OP_MATRIX:
    case EIS_MPC_OP_ROW:
    case EIS_MPC_OP_RANDOM:
        return 1;
    case EIS_MPC_OP_TRUNCATE:
        return 2;
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

    EIS_TRY(eis_mpc_testing_draw(r, t, EIS_MPC_COIN_MATRICES, rows));
    memcpy(d, spare, columns * sizeof *d);
    memcpy(mac, spare + columns, columns * sizeof *mac);
    *claimed = eis_fp_dot(r, spare + 2 * columns, rows);
    for (size_t b = 0; b < node->count / rows; b++) {
        uint64_t c, product = eis_fp_dot(r, m + 2 * (size_t)node->count + b * rows, rows);
        EIS_TRY(eis_mpc_testing_draw(&c, t, EIS_MPC_COIN_MATRICES, 1));
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

/* Our share of <r, l_W d> for the opened d: l_W = D_W - W. */
static uint64_t end_matrix(const testing *t, const eis_mpc_node *node, const uint64_t *d, const uint64_t *r)
{
    const eis_mpc_matrix *w = &t->party->matrices[node->matrix];
    size_t rows = w->shape->rows, columns = w->shape->columns;
    uint64_t sum = 0;

    for (size_t i = 0; i < rows; i++) {
        uint64_t own = eis_fp_dot(w->own + i * columns, d, columns);
        uint64_t all = t->one != 0 ? eis_fp_dot(w->pub + i * columns, d, columns) : 0;
        sum = eis_fp_add(sum, eis_fp_mul(r[i], eis_fp_sub(all, own)));
    }
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
    size_t at = 2 * t->size.pairs + t->size.squares + 1, words = 0;

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
    eis_mem_free_wiped(list->of, list->count, sizeof *list->of);
    eis_mem_free(list->r);
}

/* ---- the test of a unit ---- */

/* The owner's words: nobody has dealt them. */
static eis_status test_inputs(testing *t, const eis_mpc_node *node, const eis_mpc_words *words)
{
    eis_status st = EIS_OK;

    if (node->one_hot > 0) EIS_TRY(test_one_hot(t, node, words));
    if (node->bits) EIS_TRY(test_bits(t, node, words));
out:
    return st;
}

static eis_status test_node(testing *t, eis_mpc_id id, const uint64_t *m)
{
    const eis_mpc_node *node = &t->graph->nodes[id];
    eis_status st = eis_mpc_testing_combine(t, m, blocks_of(node), node->count);

    if (st == EIS_OK && t->tests.level > 1 && node->cut) st = eis_mpc_test_parts(t, id);
    if (st != EIS_OK) return st;
    switch (node->op) {
    case EIS_MPC_OP_PRODUCT:
        return test_product(t, node, m);
    case EIS_MPC_OP_DOT:
        return test_dot(t, node, m);
    case EIS_MPC_OP_DIGITS:
        return eis_mpc_test_digits(t, node, m);
    case EIS_MPC_OP_TRUNCATE:
        return t->tests.level > 1 ? eis_mpc_test_truncate(t, node, m) : EIS_OK;
    default:
        return EIS_OK;
    }
}

static eis_status test_nodes(testing *t, const uint64_t *material)
{
    eis_status st = EIS_OK;

    for (eis_mpc_id id = 0; id < t->graph->node_count; id++) {
        const eis_mpc_node *node = &t->graph->nodes[id];
        if (t->tests.inputs && node->op == EIS_MPC_OP_INPUT) EIS_TRY(test_inputs(t, node, &t->run->values[id]));
        if (t->tests.level > 0) EIS_TRY(test_node(t, id, material));
        if (material != NULL) material += eis_mpc_node_words(t->graph, id);
    }
    EIS_ASSERT(t->pair == t->size.pairs && t->square == t->size.squares);
out:
    return st;
}

static size_t widest_of(const eis_mpc_graph *graph)
{
    size_t widest = 1;

    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        if (graph->nodes[id].count > widest) widest = graph->nodes[id].count;
        if (graph->nodes[id].op == EIS_MPC_OP_DOT && graph->nodes[id].dot.inner > widest)
            widest = graph->nodes[id].dot.inner;
    }
    return widest;
}

/* Where the parts of the test's material stand: see material.h. */
typedef struct places {
    const uint64_t *combination, *pair_sum, *matrices, *end;
} places;

static eis_status find_places(places *at, testing *t, const uint64_t *words)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = t->graph;

    at->combination = words;
    if (t->tests.level > 0) words += 2;
    t->pair_spare = words;
    words += 4 * t->size.pairs;
    at->pair_sum = words;
    if (t->size.pairs > 0) words++;
    t->square_spare = words;
    words += 3 * t->size.squares;
    at->matrices = words;
    if (t->tests.level < 2) goto out;
    EIS_NEW(t->parts, g->node_count);
    for (eis_mpc_id id = 0; id < g->node_count; id++)
        if (g->nodes[id].op == EIS_MPC_OP_MATRIX) {
            const eis_mpc_matrix_shape *w = &g->matrices[g->nodes[id].matrix];
            words += 2 * (size_t)w->columns + w->rows;
        }
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (!g->nodes[id].cut) continue;
        t->parts[id] = words;
        words += 2 * (size_t)g->nodes[id].count * EIS_MPC_PART_ENTRIES;
    }
out:
    return st;
}

static eis_status begin_matrices(testing *t, const matrix_tests *list, const uint64_t *m, const uint64_t *spare)
{
    eis_status st = EIS_OK;

    for (eis_mpc_id id = 0, i = 0; i < list->count; m += eis_mpc_node_words(t->graph, id++)) {
        matrix_test *test = &list->of[i];
        const eis_mpc_matrix_shape *w;
        if (id != test->id) continue;
        EIS_TRY(begin_matrix(t, &t->graph->nodes[id], m, spare, t->d + test->at, t->mac + test->at, &test->claimed,
                             test->r));
        w = &t->graph->matrices[t->graph->nodes[id].matrix];
        spare += 2 * (size_t)w->columns + w->rows;
        i++;
    }
out:
    return st;
}

/* What has to be 0, once everything is open. */
static eis_status add_zeros(testing *t, const matrix_tests *list, const places *at)
{
    eis_status st = EIS_OK;
    eis_mpc_check *check = &t->party->check;
    uint64_t zero = eis_fp_sub(t->size.pairs > 0 ? sum_pairs(t, *at->pair_sum) : 0, t->linear);

    zero = eis_fp_add(zero, sum_squares(t));
    EIS_TRY(eis_mpc_check_add(check, &zero, 1));
    for (size_t i = 0; i < list->count; i++) {
        zero = eis_fp_sub(list->of[i].claimed,
                          end_matrix(t, &t->graph->nodes[list->of[i].id], t->d + list->of[i].at, list->of[i].r));
        EIS_TRY(eis_mpc_check_add(check, &zero, 1));
    }
    EIS_TRY(eis_mpc_check_relieve(check));
out:
    return st;
}

eis_status eis_mpc_sacrifice_run(eis_mpc_party *party, const eis_mpc_graph *graph, const eis_mpc_run *run,
                                 const uint64_t *material, const uint64_t *words, eis_mpc_tests tests)
{
    eis_status st = EIS_OK;
    testing t = {.party = party, .graph = graph, .run = run, .tests = tests, .one = party->links->index == 0};
    matrix_tests list = {0};
    places at = {0};

    eis_mpc_test_size_graph(&t.size, graph, tests);
    if (t.size.opened == 0) return EIS_OK;
    EIS_TRY(find_places(&at, &t, words));
    EIS_TRY(eis_mpc_testing_make_room(&t, widest_of(graph)));
    if (tests.level > 0) EIS_TRY(list_matrices(&list, &t));
    EIS_TRY(eis_mpc_testing_toss(&t));
    EIS_TRY(test_nodes(&t, material));
    if (tests.level > 0) {
        size_t combination = 2 * t.size.pairs + t.size.squares;
        t.d[combination] = eis_fp_add(t.sum[0], at.combination[0]);
        t.mac[combination] = eis_fp_add(t.sum[1], at.combination[1]);
        EIS_TRY(begin_matrices(&t, &list, material, at.matrices));
    }
    EIS_TRY(eis_mpc_testing_open(&t, t.size.opened, graph->rounds)); /* the walk has the rounds to there */
    EIS_TRY(add_zeros(&t, &list, &at));
out:
    clear_matrices(&list);
    eis_mpc_testing_clear(&t);
    return st;
}

/* ---- costs ---- */

/* Adds residues; counts a check where it has to run. */
static void count_residues(size_t *pending, uint32_t *checks, size_t more, size_t pending_max)
{
    *pending += more;
    if (*pending < pending_max) return;
    *pending = 0;
    ++*checks;
}

static void count_tests(size_t *pending, uint32_t *checks, const eis_mpc_graph *graph, eis_mpc_tests tests,
                        size_t pending_max)
{
    eis_mpc_test_size size;
    size_t zeros = 1;

    eis_mpc_test_size_graph(&size, graph, tests);
    if (size.opened == 0) return;
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        if (tests.inputs && node->op == EIS_MPC_OP_INPUT && node->one_hot > 0) *pending += node->count / node->one_hot;
        if (tests.level > 0) zeros += node->op == EIS_MPC_OP_MATRIX;
    }
    for (size_t left = size.opened, n; left > 0; left -= n) {
        n = left < EIS_MPC_TEST_FRAME_WORDS ? left : EIS_MPC_TEST_FRAME_WORDS;
        count_residues(pending, checks, n, pending_max);
    }
    count_residues(pending, checks, zeros, pending_max);
}

eis_status eis_mpc_checks_between(uint32_t *checks, const eis_mpc_graph *graph, eis_mpc_tests tests, size_t pending_max)
{
    eis_status st = EIS_OK;
    size_t pending = 0, *residues = NULL;

    *checks = 0;
    EIS_NEW(residues, (size_t)graph->rounds + 1);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        if (node->op == EIS_MPC_OP_MASK) residues[node->round] += node->count;
        if (node->op == EIS_MPC_OP_MATRIX) residues[node->round] += node->count / graph->matrices[node->matrix].rows;
        if (node->op == EIS_MPC_OP_ROW) residues[node->round]++;
    }
    if (tests.level > 0) count_tests(&pending, checks, graph, tests, pending_max);
    for (uint32_t r = 1; r <= graph->rounds; r++) count_residues(&pending, checks, residues[r], pending_max);
    if (tests.level == 0) count_tests(&pending, checks, graph, tests, pending_max);
out:
    eis_mem_free(residues);
    return st;
}
