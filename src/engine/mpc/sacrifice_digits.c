/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of bits of masks: digits of comparisons and, at level 2, that they and the parts of truncations are
 * those of their masks. */
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#include <string.h>

typedef eis_mpc_testing testing;

/* One vector for each of n elements: entries from value 1 on, each n words and their MACs; entry 0 is what is missing
 * to 1, or to the sign q. */
typedef struct one_hot {
    const uint64_t *entries;
    const uint64_t *q[2]; /* NULL: 1 */
    uint32_t values;
} one_hot;

/* x = sum of r_v entry_v, shares (part 0) or MACs. */
static void sketch(uint64_t *x, const testing *t, const one_hot *e, int part, const uint64_t *r, size_t n)
{
    const uint64_t one = part == 0 ? t->one : t->party->key;

    for (size_t i = 0; i < n; i++) x[i] = eis_fp_mul(e->q[part] != NULL ? e->q[part][i] : one, r[0]);
    for (uint32_t v = 1; v <= e->values; v++)
        eis_fp_axpy(x, eis_fp_sub(r[v], r[0]), e->entries + (2 * (size_t)(v - 1) + (unsigned)part) * n, n);
}

/* Our share of the sum over elements of c_i (sum over v of r_v entry_v,i). */
static uint64_t sketch_sum(const testing *t, const one_hot *e, const uint64_t *r, const uint64_t *c, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) sum = eis_fp_add(sum, c[i]);
    sum = eis_fp_mul(eis_fp_mul(sum, t->one), r[0]);
    for (uint32_t v = 1; v <= e->values; v++)
        sum =
            eis_fp_add(sum, eis_fp_mul(eis_fp_sub(r[v], r[0]), eis_fp_dot(c, e->entries + 2 * (size_t)(v - 1) * n, n)));
    return sum;
}

/* X^2 = Y of vectors without a sign. The entries are gone through once: there are many. */
static eis_status test_unsigned(testing *t, const one_hot *e, size_t n)
{
    eis_status st = EIS_OK;
    uint64_t *x = t->scratch, *mac = x + n, y = 0;
    const uint64_t *r = t->sketch, *square = t->square_sketch, *entry = e->entries;

    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    for (size_t i = 0; i < n; i++) {
        x[i] = eis_fp_mul(t->one, r[0]);
        mac[i] = eis_fp_mul(t->party->key, r[0]);
        y = eis_fp_add(y, t->r[i]);
    }
    y = eis_fp_mul(eis_fp_mul(y, t->one), square[0]);
    for (uint32_t v = 1; v <= e->values; v++, entry += 2 * n) {
        uint64_t c = eis_fp_sub(r[v], r[0]);
        eis_fp_axpy(x, c, entry, n);
        y = eis_fp_add(y, eis_fp_mul(eis_fp_sub(square[v], square[0]), eis_fp_dot(t->r, entry, n)));
        eis_fp_axpy(mac, c, entry + n, n);
    }
    eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x, mac, 1}, n);
    t->linear = eis_fp_add(t->linear, y);
out:
    return st;
}

/* Our share of the sum over elements of c_i times the weighed bits of their masks. */
static uint64_t bits_sum(const testing *t, eis_mpc_id wire, const uint64_t weight[EIS_FP_BITS], const uint64_t *c)
{
    size_t n = t->graph->nodes[wire].count;
    const uint64_t *at = t->parts[wire];
    uint64_t sum = 0;

    for (unsigned j = 0; j < EIS_MPC_PART_COUNT; j++)
        for (unsigned v = 1; v <= 3; v++, at += 2 * n) {
            uint64_t w = eis_fp_add(v % 2 != 0 ? weight[2 * j] : 0, v / 2 != 0 ? weight[2 * j + 1] : 0);
            if (w != 0) sum = eis_fp_add(sum, eis_fp_mul(w, eis_fp_dot(c, at, n)));
        }
    return eis_fp_add(sum, eis_fp_mul(weight[EIS_FP_BITS - 1], eis_fp_dot(c, at, n)));
}

/* weight[from + i] = 2^i for `count` bits; 0 for all others. */
static void weigh_bits(uint64_t weight[EIS_FP_BITS], unsigned from, unsigned count)
{
    memset(weight, 0, EIS_FP_BITS * sizeof *weight);
    for (unsigned i = 0; i < count; i++) weight[from + i] = UINT64_C(1) << i;
}

/* Each part is one-hot, and their sum is the mask. */
eis_status eis_mpc_test_parts(testing *t, eis_mpc_id wire)
{
    eis_status st = EIS_OK;
    size_t n = t->graph->nodes[wire].count;
    const uint64_t *at = t->parts[wire];
    uint64_t weight[EIS_FP_BITS];

    for (unsigned j = 0; j <= EIS_MPC_PART_COUNT; j++) {
        const one_hot e = {.entries = at, .values = j < EIS_MPC_PART_COUNT ? 3 : 1};
        EIS_TRY(test_unsigned(t, &e, n));
        at += 2 * e.values * n;
    }
    weigh_bits(weight, 0, EIS_FP_BITS);
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    t->linear = eis_fp_add(t->linear, bits_sum(t, wire, weight, t->r));
    t->linear = eis_fp_sub(t->linear, eis_fp_dot(t->r, t->run->values[wire].share, n));
out:
    return st;
}

/* m: l >> shift | times a | top bit of l | times a. */
eis_status eis_mpc_test_truncate(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->count;
    uint64_t weight[EIS_FP_BITS];

    for (unsigned part = 0; part < 2; part++) {
        unsigned from = part == 0 ? node->shift : EIS_FP_BITS - 1;
        weigh_bits(weight, from, EIS_FP_BITS - from);
        EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
        t->linear = eis_fp_add(t->linear, bits_sum(t, node->in[0], weight, t->r));
        t->linear = eis_fp_sub(t->linear, eis_fp_dot(t->r, m + 2 * part * n, n));
    }
out:
    return st;
}

/* The words of a DIGITS node at work. */
typedef struct digits {
    const eis_mpc_digits_shape *shape;
    size_t n;
    uint32_t values;
    const uint64_t *r_t, *entries;
    uint64_t *q[2], *b[2]; /* the sign, and what it is multiplied with: shares and MACs */
} digits;

static one_hot digit_of(const digits *g, unsigned j)
{
    one_hot e = {.entries = g->entries + 2 * g->n * g->values * j, .values = g->values};

    if (j + 1 == g->shape->digits) {
        e.q[0] = g->q[0];
        e.q[1] = g->q[1];
    }
    return e;
}

/* Level 2: the sum of all digits and r_t, at their places, is that of the bits of the mask. The highest digit is q
 * times what its entries say, so its part goes to what q is multiplied with. */
static eis_status link_digits(testing *t, const digits *g, eis_mpc_id wire)
{
    eis_status st = EIS_OK;
    unsigned bits = g->shape->digit_bits, top = g->shape->digits - 1;
    uint64_t weight[EIS_FP_BITS], value[EIS_MPC_SKETCH_MAX], *c = t->r;

    weigh_bits(weight, g->shape->low, bits * g->shape->digits + 1);
    EIS_TRY(eis_mpc_testing_draw(c, t, EIS_MPC_COIN_PRODUCTS, g->n));
    t->linear = eis_fp_add(t->linear, bits_sum(t, wire, weight, c));
    t->linear =
        eis_fp_sub(t->linear, eis_fp_mul(eis_fp_power_of_2(bits * g->shape->digits), eis_fp_dot(c, g->r_t, g->n)));
    for (unsigned j = 0; j <= top; j++) {
        one_hot e = digit_of(g, j);
        for (uint32_t v = 0; v <= g->values; v++) value[v] = (uint64_t)v << (j * bits);
        if (j < top) {
            t->linear = eis_fp_sub(t->linear, sketch_sum(t, &e, value, c, g->n));
            continue;
        }
        for (int part = 0; part < 2; part++) {
            uint64_t *x = t->scratch + 6 * g->n;
            sketch(x, t, &e, part, value, g->n);
            for (size_t i = 0; i < g->n; i++) g->b[part][i] = eis_fp_add(g->b[part][i], eis_fp_mul(c[i], x[i]));
        }
    }
out:
    return st;
}

/* The highest digit: X^2 = q Y and q^2 = 1. b becomes what q is multiplied with. */
static eis_status test_signed(testing *t, const digits *g)
{
    eis_status st = EIS_OK;
    size_t n = g->n;
    one_hot e = digit_of(g, g->shape->digits - 1);
    uint64_t *x = t->scratch, *mac = x + n, sum = 0;

    sketch(x, t, &e, 0, t->sketch, n);
    sketch(mac, t, &e, 1, t->sketch, n);
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    eis_mpc_testing_squares(t, t->r, (eis_mpc_auths){x, mac, 1}, n);
    for (int part = 0; part < 2; part++) {
        sketch(g->b[part], t, &e, part, t->square_sketch, n);
        for (size_t i = 0; i < n; i++) g->b[part][i] = eis_fp_neg(eis_fp_mul(t->r[i], g->b[part][i]));
    }
    EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_PRODUCTS, n));
    for (size_t i = 0; i < n; i++) {
        for (int part = 0; part < 2; part++)
            g->b[part][i] = eis_fp_add(g->b[part][i], eis_fp_mul(t->r[i], g->q[part][i]));
        sum = eis_fp_add(sum, t->r[i]);
    }
    t->linear = eis_fp_add(t->linear, eis_fp_mul(sum, t->one));
out:
    return st;
}

/* m: r_t | times a | entries of each digit with their MACs. */
eis_status eis_mpc_test_digits(testing *t, const eis_mpc_node *node, const uint64_t *m)
{
    eis_status st = EIS_OK;
    size_t n = node->cmp.elements;
    uint64_t *room = t->scratch + 2 * n;
    const digits g = {.shape = &node->cmp,
                      .n = n,
                      .values = (1u << node->cmp.digit_bits) - 1,
                      .r_t = m,
                      .entries = m + 2 * n,
                      .q = {room, room + n},
                      .b = {room + 2 * n, room + 3 * n}};
    const uint64_t one[2] = {t->one, t->party->key};

    EIS_ASSERT(g.values < EIS_MPC_SKETCH_MAX);
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < n; i++) {
            uint64_t r_t = m[(size_t)part * n + i];
            g.q[part][i] = eis_fp_sub(one[part], eis_fp_add(r_t, r_t));
        }
    for (unsigned j = 0; j + 1 < node->cmp.digits; j++) {
        const one_hot e = digit_of(&g, j);
        EIS_TRY(test_unsigned(t, &e, n));
    }
    EIS_TRY(test_signed(t, &g));
    if (t->tests.level > 1) EIS_TRY(link_digits(t, &g, node->in[0]));
    eis_mpc_testing_pairs(t, (eis_mpc_auths){g.q[0], g.q[1], 1}, (eis_mpc_auths){g.b[0], g.b[1], 1}, n);
out:
    return st;
}
