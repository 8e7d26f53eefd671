/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of bits of masks: digits of comparisons and, at level 2, that they and the parts of truncations are
 * those of their masks. There are many words of these, so they are read one entry of a vector at a time. */
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

typedef eis_mpc_testing testing;

/* One vector for each of n elements: entries from value 1 on, each n words and their MACs; entry 0 is what is missing
 * to 1, or to the sign q. They stand in the material of a DIGITS node from word `at` on, or in the parts of a wire. */
typedef struct one_hot {
    eis_mpc_id id;
    bool parts;
    size_t at, n;
    uint32_t values;
    const uint64_t *c; /* NULL, or for each element: how the sum of what the vectors stand for is weighed */
    unsigned shift;    /* value v stands for v 2^shift */
} one_hot;

/* Reads `count` words of entry v. */
static eis_status read_entry(uint64_t *to, testing *t, const one_hot *e, uint32_t v, size_t count)
{
    size_t at = e->at + 2 * (size_t)(v - 1) * e->n;

    return e->parts ? eis_mpc_test_supply_parts(to, &t->spares, e->id, at, count)
                    : eis_mpc_supply_copy(to, &t->unit, e->id, at, count);
}

/* X^2 = Y of vectors without a sign. *sum: our share of sum of c_i times what vector i stands for. */
static eis_status test_unsigned(uint64_t *sum, testing *t, const one_hot *e)
{
    eis_status st = EIS_OK;
    size_t n = e->n;
    uint64_t *x = t->scratch, *mac = x + n, *entry = t->walk.buffer, y = 0;
    const uint64_t *r = t->sketch, *square = t->square_sketch;

    *sum = 0;
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    for (size_t i = 0; i < n; i++) {
        x[i] = eis_fp_mul(t->one, r[0]);
        mac[i] = eis_fp_mul(t->party->key, r[0]);
        y = eis_fp_add(y, t->r[i]);
    }
    y = eis_fp_mul(eis_fp_mul(y, t->one), square[0]);
    for (uint32_t v = 1; v <= e->values; v++) {
        uint64_t c = eis_fp_sub(r[v], r[0]);
        EIS_TRY(read_entry(entry, t, e, v, 2 * n));
        eis_fp_axpy(x, c, entry, n);
        y = eis_fp_add(y, eis_fp_mul(eis_fp_sub(square[v], square[0]), eis_fp_dot(t->r, entry, n)));
        eis_fp_axpy(mac, c, entry + n, n);
        if (e->c != NULL) *sum = eis_fp_add(*sum, eis_fp_mul((uint64_t)v << e->shift, eis_fp_dot(e->c, entry, n)));
    }
    EIS_TRY(eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x, mac, 1}, n));
    eis_mpc_testing_claim(t, y);
out:
    return st;
}

/* ---- parts of masks ---- */

/* Part j of a mask, the top bit behind the others. */
static one_hot part_of(const testing *t, eis_mpc_id wire, unsigned j)
{
    size_t n = t->graph->nodes[wire].count;

    return (one_hot){
        .id = wire, .parts = true, .at = 6 * n * j, .n = n, .values = j < EIS_MPC_PART_COUNT ? 3 : 1, .shift = 2 * j};
}

/* Some bits of a mask, as a number: those from `from` on, `count` of them. c: how each element is weighed. */
typedef struct bits {
    unsigned from, count;
    const uint64_t *c;
} bits;

/* What value v of part j adds to them. */
static uint64_t bits_in(const bits *b, unsigned j, unsigned v)
{
    uint64_t all = (uint64_t)v << (2 * j), wanted = (UINT64_MAX >> (64 - b->count)) << b->from;

    return (all & wanted) >> b->from;
}

/* sum[k]: our share of the sum over elements of c_i times the bits of their masks. entry: room for a word of each. */
static eis_status sum_bits(uint64_t *sum, testing *t, eis_mpc_id wire, const bits *wanted, size_t count,
                           uint64_t *entry)
{
    eis_status st = EIS_OK;

    for (size_t k = 0; k < count; k++) sum[k] = 0;
    for (unsigned j = 0; j <= EIS_MPC_PART_COUNT; j++) {
        const one_hot e = part_of(t, wire, j);
        for (uint32_t v = 1; v <= e.values; v++) {
            bool read = false;
            for (size_t k = 0; k < count; k++) {
                uint64_t weight = bits_in(&wanted[k], j, v);
                if (weight == 0) continue;
                if (!read) EIS_TRY(read_entry(entry, t, &e, v, e.n));
                read = true;
                sum[k] = eis_fp_add(sum[k], eis_fp_mul(weight, eis_fp_dot(wanted[k].c, entry, e.n)));
            }
        }
    }
out:
    return st;
}

/* Each part is one-hot, and their sum is the mask. */
eis_status eis_mpc_test_parts(testing *t, eis_mpc_id wire)
{
    eis_status st = EIS_OK;
    size_t n = t->graph->nodes[wire].count;
    uint64_t *c = t->scratch + 2 * n, sum;

    EIS_TRY(eis_mpc_testing_draw(c, t, EIS_MPC_COIN_PRODUCTS, n));
    for (unsigned j = 0; j <= EIS_MPC_PART_COUNT; j++) {
        one_hot e = part_of(t, wire, j);
        e.c = c;
        EIS_TRY(test_unsigned(&sum, t, &e));
        eis_mpc_testing_claim(t, sum);
    }
    eis_mpc_testing_claim(t, eis_fp_neg(eis_fp_dot(c, t->run.values[wire].share, n)));
out:
    return st;
}

/* m: l >> shift | times a | top bit of l | times a. */
eis_status eis_mpc_test_truncate(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->count;
    uint64_t *c = t->scratch, sum[2];
    const bits wanted[2] = {{node->shift, EIS_FP_BITS - node->shift, t->r}, {EIS_FP_BITS - 1, 1, c}};

    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    EIS_TRY(eis_mpc_testing_draw(c, t, EIS_MPC_COIN_PRODUCTS, n));
    EIS_TRY(sum_bits(sum, t, node->in[0], wanted, 2, c + n));
    eis_mpc_testing_claim(t, eis_fp_sub(sum[0], eis_fp_dot(t->r, m, n)));
    eis_mpc_testing_claim(t, eis_fp_sub(sum[1], eis_fp_dot(c, m + 2 * n, n)));
out:
    return st;
}

/* ---- digits ---- */

/* The words of a DIGITS node at work. */
typedef struct digits {
    eis_mpc_id id;
    const eis_mpc_node *node;
    size_t n;
    uint64_t *q[2], *b[2]; /* the sign, and what it is multiplied with: shares and MACs */
    uint64_t *c;           /* level 2 */
    uint64_t *value[2];    /* level 2: what the highest digit stands for, without its sign */
} digits;

static one_hot digit_of(const testing *t, const digits *g, unsigned j)
{
    const eis_mpc_digits_shape *shape = &g->node->cmp;
    uint32_t values = (1u << shape->digit_bits) - 1;

    return (one_hot){.id = g->id,
                     .at = 2 * g->n * (1 + (size_t)values * j),
                     .n = g->n,
                     .values = values,
                     .c = t->tests.level > 1 ? g->c : NULL,
                     .shift = j * shape->digit_bits};
}

/* The sign q = 1 - 2 r_t. Level 2: all digits and r_t, at their places, have to be the bits of the mask. */
static eis_status begin_digits(testing *t, const digits *g)
{
    eis_status st = EIS_OK;
    const eis_mpc_digits_shape *shape = &g->node->cmp;
    const uint64_t one[2] = {t->one, t->party->key};
    unsigned width = shape->digit_bits * shape->digits;
    const bits wanted = {shape->low, width + 1, g->c};
    uint64_t *r_t = t->walk.buffer, sum;

    EIS_TRY(eis_mpc_supply_copy(r_t, &t->unit, g->id, 0, 2 * g->n));
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < g->n; i++) {
            uint64_t r = r_t[(size_t)part * g->n + i];
            g->q[part][i] = eis_fp_sub(one[part], eis_fp_add(r, r));
        }
    if (t->tests.level < 2) goto out;
    EIS_TRY(eis_mpc_testing_draw(g->c, t, EIS_MPC_COIN_PRODUCTS, g->n));
    eis_mpc_testing_claim(t, eis_fp_neg(eis_fp_mul(eis_fp_power_of_2(width), eis_fp_dot(g->c, r_t, g->n))));
    EIS_TRY(sum_bits(&sum, t, g->node->in[0], &wanted, 1, t->scratch));
    eis_mpc_testing_claim(t, sum);
out:
    return st;
}

/* Goes through the entries of the highest digit: x gets X, b gets Y, at level 2 value what they stand for. */
static eis_status sketch_signed(uint64_t *x[2], testing *t, const digits *g)
{
    eis_status st = EIS_OK;
    const one_hot e = digit_of(t, g, g->node->cmp.digits - 1);
    uint64_t *entry = t->walk.buffer;

    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < g->n; i++) {
            x[part][i] = eis_fp_mul(g->q[part][i], t->sketch[0]);
            g->b[part][i] = eis_fp_mul(g->q[part][i], t->square_sketch[0]);
            g->value[part][i] = 0;
        }
    for (uint32_t v = 1; v <= e.values; v++) {
        EIS_TRY(read_entry(entry, t, &e, v, 2 * g->n));
        for (int part = 0; part < 2; part++) {
            const uint64_t *words = entry + (size_t)part * g->n;
            eis_fp_axpy(x[part], eis_fp_sub(t->sketch[v], t->sketch[0]), words, g->n);
            eis_fp_axpy(g->b[part], eis_fp_sub(t->square_sketch[v], t->square_sketch[0]), words, g->n);
            if (e.c != NULL) eis_fp_axpy(g->value[part], (uint64_t)v << e.shift, words, g->n);
        }
    }
out:
    return st;
}

/* The highest digit: X^2 = q Y and q^2 = 1. Level 2: what it stands for is q times what its entries say. b becomes what
 * q is multiplied with. */
static eis_status test_signed(testing *t, const digits *g)
{
    eis_status st = EIS_OK;
    size_t n = g->n;
    uint64_t *x[2] = {t->scratch, t->scratch + n}, sum = 0;

    EIS_TRY(sketch_signed(x, t, g));
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    EIS_TRY(eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x[0], x[1], 1}, n));
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < n; i++) g->b[part][i] = eis_fp_neg(eis_fp_mul(t->r[i], g->b[part][i]));
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < n; i++) {
            uint64_t more = eis_fp_mul(t->r[i], g->q[part][i]);
            if (t->tests.level > 1) more = eis_fp_add(more, eis_fp_mul(g->c[i], g->value[part][i]));
            g->b[part][i] = eis_fp_add(g->b[part][i], more);
        }
    for (size_t i = 0; i < n; i++) sum = eis_fp_add(sum, t->r[i]);
    eis_mpc_testing_claim(t, eis_fp_mul(sum, t->one));
    EIS_TRY(eis_mpc_testing_pairs(t, (eis_mpc_auths){g->q[0], g->q[1], 1}, (eis_mpc_auths){g->b[0], g->b[1], 1}, n));
out:
    return st;
}

/* Material: r_t | times a | entries of each digit with their MACs. */
eis_status eis_mpc_test_digits(testing *t, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &t->graph->nodes[id];
    size_t n = node->cmp.elements;
    uint64_t *room = t->scratch + 2 * n, sum;
    const digits g = {.id = id,
                      .node = node,
                      .n = n,
                      .q = {room, room + n},
                      .b = {room + 2 * n, room + 3 * n},
                      .c = room + 4 * n,
                      .value = {room + 5 * n, room + 6 * n}};

    EIS_ASSERT(node->cmp.digit_bits <= EIS_MPC_DIGIT_BITS_MAX);
    EIS_TRY(begin_digits(t, &g));
    for (unsigned j = 0; j + 1 < node->cmp.digits; j++) {
        const one_hot e = digit_of(t, &g, j);
        EIS_TRY(test_unsigned(&sum, t, &e));
        eis_mpc_testing_claim(t, eis_fp_neg(sum));
    }
    EIS_TRY(test_signed(t, &g));
out:
    return st;
}
