/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of one node: MACs, products of masks, products with matrices, inputs. */
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#include <string.h>

typedef eis_mpc_testing testing;

static const eis_mpc_words *words_of(const testing *t, eis_mpc_id id) { return &t->run.values[id]; }

/* ---- products ---- */

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
        const eis_mpc_words *b = words_of(t, node->in[j]);
        bool any = false;
        memset(a, 0, 2 * n * sizeof *a);
        for (unsigned set = 1u << j; set < 1u << node->in_count; set++) {
            unsigned rest = eis_mpc_product_set(node, set & (set - 1));
            const eis_mpc_words *wire;
            if ((unsigned)__builtin_ctz(set) != j || !eis_mpc_product_dealt(node, set)) continue;
            wire = words_of(t, node->in[__builtin_ctz(rest)]);
            EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
            eis_mpc_testing_claim(t, take_dealt(t, m + at[set], n));
            add_products(a, t->r, (rest & (rest - 1)) == 0 ? wire->share : m + at[rest], n);
            add_products(mac, t->r, (rest & (rest - 1)) == 0 ? wire->mac : m + at[rest] + n, n);
            any = true;
        }
        if (any) EIS_TRY(eis_mpc_testing_pairs(t, (eis_mpc_auths){a, mac, 1}, (eis_mpc_auths){b->share, b->mac, 1}, n));
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
    const eis_mpc_words *a = words_of(t, node->in[0]), *b = words_of(t, node->in[1]);
    uint64_t *y = t->scratch, *mac = y + shape->inner;

    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, node->count));
    eis_mpc_testing_claim(t, take_dealt(t, m, node->count));
    for (uint32_t g = 0, run; g < node->count; g += run) {
        uint32_t from = shape->a_at[g];
        run = eis_mpc_dot_run(node, g);
        combine_run(y, b->share, shape, g, t->r + g, run);
        combine_run(mac, b->mac, shape, g, t->r + g, run);
        EIS_TRY(eis_mpc_testing_pairs(t, (eis_mpc_auths){a->share + from, a->mac + from, shape->a_step},
                                      (eis_mpc_auths){y, mac, 1}, shape->inner));
    }
out:
    return st;
}

/* ---- inputs ---- */

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
        uint64_t c, x[2], y[2], sum[2];
        EIS_TRY(eis_mpc_testing_draw(&c, t, EIS_MPC_COIN_PRODUCTS, 1));
        combine_wire(x, t, r, words, at, n);
        combine_wire(y, t, square, words, at, n);
        combine_wire(sum, t, ones, words, at, n);
        EIS_TRY(eis_mpc_testing_squares(t, &c, (eis_mpc_auths){&x[0], &x[1], 1}, 1));
        eis_mpc_testing_claim(t, eis_fp_mul(c, y[0]));
        t->zero[t->zeros++] = eis_fp_sub(sum[1], t->party->key);
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
    EIS_TRY(eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x, mac, 1}, n));
    eis_mpc_testing_claim(t, eis_fp_dot(t->r, x, n));
out:
    return st;
}

/* The owner's words: nobody has dealt them. */
static eis_status test_input(testing *t, const eis_mpc_node *node, const eis_mpc_words *words)
{
    eis_status st = EIS_OK;

    if (node->one_hot > 0) EIS_TRY(test_one_hot(t, node, words));
    if (node->bits) EIS_TRY(test_bits(t, node, words));
out:
    return st;
}

/* ---- matrices ---- */

/* Opens l' + the sum of word_k l_x,k; claims <r, l_W l' + sum of word_k l_W l_x,k>. */
static eis_status test_matrix(testing *t, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &t->graph->nodes[id];
    const eis_mpc_matrix_shape *w = t->party->matrices[node->matrix].shape;
    size_t rows = w->rows, columns = w->columns, count = node->count;
    const eis_mpc_words *x = words_of(t, node->in[0]);
    uint64_t *d = t->scratch, *mac = d + columns, *dealt = mac + columns, *r = t->r, *m = t->walk.buffer, claimed;

    t->matrix[t->matrices] = (eis_mpc_matrix_test){
        .id = id, .first = t->queue.opened + t->queue.used, .r_at = t->coin[EIS_MPC_COIN_MATRICES].place};
    EIS_TRY(eis_mpc_testing_draw(r, t, EIS_MPC_COIN_MATRICES, rows));
    EIS_TRY(eis_mpc_test_supply_matrix(d, &t->spares, id));
    EIS_TRY(eis_mpc_supply_copy(m, &t->unit, id, 2 * count, count));
    claimed = eis_fp_dot(r, dealt, rows);
    for (size_t b = 0; b < count / rows; b++) {
        uint64_t c, product = eis_fp_dot(r, m + b * rows, rows);
        EIS_TRY(eis_mpc_testing_draw(&c, t, EIS_MPC_COIN_MATRICES, 1));
        product = eis_fp_sub(product, eis_fp_dot(r, words_of(t, id)->share + b * rows, rows));
        for (uint32_t q = 1; q < node->in_count; q++)
            product = eis_fp_add(product, eis_fp_dot(r, words_of(t, node->in[q])->share + b * rows, rows));
        claimed = eis_fp_add(claimed, eis_fp_mul(c, product));
        eis_fp_axpy(d, c, x->share + b * columns, columns);
        eis_fp_axpy(mac, c, x->mac + b * columns, columns);
    }
    t->zero[1 + t->matrices++] = claimed;
    EIS_TRY(eis_mpc_testing_words(t, (eis_mpc_auths){d, mac, 1}, columns));
out:
    return st;
}

/* l_W = D_W - W. */
eis_status eis_mpc_test_matrix_opened(uint64_t *sum, testing *t, const eis_mpc_matrix_test *test, const uint64_t *d,
                                      size_t from, size_t count)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix *w = &t->party->matrices[t->graph->nodes[test->id].matrix];
    size_t rows = w->shape->rows, columns = w->shape->columns;
    eis_mpc_stream *coin = &t->coin[EIS_MPC_COIN_MATRICES];
    uint64_t place = coin->place;

    *sum = 0;
    EIS_TRY(eis_mpc_stream_seek(coin, test->r_at));
    EIS_TRY(eis_mpc_stream_words(coin, t->matrix_r, rows));
    EIS_TRY(eis_mpc_stream_seek(coin, place));
    for (size_t i = 0; i < rows; i++) {
        uint64_t own = eis_fp_dot(w->own + i * columns + from, d, count);
        uint64_t all = t->one != 0 ? eis_fp_dot(w->pub + i * columns + from, d, count) : 0;
        *sum = eis_fp_add(*sum, eis_fp_mul(t->matrix_r[i], eis_fp_sub(all, own)));
    }
out:
    return st;
}

/* ---- nodes ---- */

/* Products have their MACs tested with their claims, digits with their sketches; masks and parts of truncations here.
 */
static eis_status test_dealt(testing *t, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &t->graph->nodes[id];
    uint64_t *m = t->walk.buffer;

    switch (node->op) {
    case EIS_MPC_OP_INPUT:
    case EIS_MPC_OP_MASK:
    case EIS_MPC_OP_MATRIX:
    case EIS_MPC_OP_ROW:
    case EIS_MPC_OP_RANDOM:
        EIS_TRY(eis_mpc_testing_combine(t, words_of(t, id)->share, 1, node->count));
        if (node->op == EIS_MPC_OP_MATRIX) EIS_TRY(test_matrix(t, id));
        break;
    case EIS_MPC_OP_PRODUCT:
    case EIS_MPC_OP_DOT:
    case EIS_MPC_OP_TRUNCATE:
        EIS_TRY(eis_mpc_supply_copy(m, &t->unit, id, 0, eis_mpc_node_words(t->graph, id)));
        if (node->op == EIS_MPC_OP_PRODUCT) EIS_TRY(test_product(t, node, m));
        if (node->op == EIS_MPC_OP_DOT) EIS_TRY(test_dot(t, node, m));
        if (node->op != EIS_MPC_OP_TRUNCATE) break;
        EIS_TRY(eis_mpc_testing_combine(t, m, 2, node->count));
        if (t->tests.level > 1) EIS_TRY(eis_mpc_test_truncate(t, node, m));
        break;
    case EIS_MPC_OP_DIGITS:
        EIS_TRY(eis_mpc_test_digits(t, id));
        break;
    default:
        break;
    }
out:
    return st;
}

eis_status eis_mpc_test_node(testing *t, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &t->graph->nodes[id];

    if (t->tests.inputs && node->op == EIS_MPC_OP_INPUT) EIS_TRY(test_input(t, node, words_of(t, id)));
    if (t->tests.level == 0) goto out;
    EIS_TRY(test_dealt(t, id));
    if (t->tests.level > 1 && node->cut) EIS_TRY(eis_mpc_test_parts(t, id));
out:
    return st;
}

static void widen(eis_mpc_test_room *room, size_t r, size_t scratch, size_t buffer)
{
    if (r > room->r) room->r = r;
    if (scratch > room->scratch) room->scratch = scratch;
    if (buffer > room->buffer) room->buffer = buffer;
}

void eis_mpc_test_room_of(eis_mpc_test_room *room, const testing *t, eis_mpc_id id)
{
    const eis_mpc_node *node = &t->graph->nodes[id];
    size_t n = node->count, words = eis_mpc_node_words(t->graph, id), elements = node->cmp.elements;

    *room = (eis_mpc_test_room){0};
    if (node->op == EIS_MPC_OP_INPUT) widen(room, n, 2 * n, 0);
    if (t->tests.level == 0) return;
    if (node->form == EIS_MPC_WIRE) widen(room, n, 0, 0);
    if (node->cut) widen(room, n, EIS_MPC_TEST_PARTS_SCRATCH * n, 2 * n);
    if (node->op == EIS_MPC_OP_TRUNCATE) widen(room, n, EIS_MPC_TEST_PARTS_SCRATCH * n, words);
    if (node->op == EIS_MPC_OP_PRODUCT) widen(room, n, 2 * n, words);
    if (node->op == EIS_MPC_OP_DOT) widen(room, n, 2 * (size_t)node->dot.inner, words);
    if (node->op == EIS_MPC_OP_DIGITS) widen(room, elements, EIS_MPC_TEST_DIGITS_SCRATCH * elements, 2 * elements);
    if (node->op == EIS_MPC_OP_MATRIX) {
        const eis_mpc_matrix_shape *w = &t->graph->matrices[node->matrix];
        widen(room, w->rows, 2 * (size_t)w->columns + w->rows, n);
    }
}
