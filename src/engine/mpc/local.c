/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/mpc/linear.h"
#include "engine/mpc/walk.h"

#include <string.h>

typedef eis_mpc_walk walk;

static const eis_mpc_words *words_of(const walk *w, eis_mpc_id id) { return eis_mpc_walk_words(w, id); }

static void linear_shares(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r)
{
    const eis_mpc_words *a = words_of(w, node->in[0]), *b = node->in_count > 1 ? words_of(w, node->in[1]) : NULL;
    size_t a_count = w->graph->nodes[node->in[0]].count;

    eis_mpc_linear(r->share, node, a->share, a_count, b ? b->share : NULL);
    eis_mpc_linear(r->mac, node, a->mac, a_count, b ? b->mac : NULL);
}

static void linear_gate(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r)
{
    const eis_mpc_words *a = words_of(w, node->in[0]), *b = node->in_count > 1 ? words_of(w, node->in[1]) : NULL;
    size_t a_count = w->graph->nodes[node->in[0]].count;

    if (node->form == EIS_MPC_WIRE) {
        eis_mpc_linear(r->pub, node, a->pub, a_count, b ? b->pub : NULL);
        eis_mpc_add_constants(r->pub, node, 1);
    } else {
        linear_shares(w, node, r);
        if (w->first) eis_mpc_add_constants(r->share, node, 1);
        eis_mpc_add_constants(r->mac, node, w->party->key);
    }
}

/* x = D - l. */
static void auth_gate(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r)
{
    const eis_mpc_words *a = words_of(w, node->in[0]);

    for (uint32_t i = 0; i < node->count; i++) {
        r->share[i] = eis_fp_sub(w->first ? a->pub[i] : 0, a->share[i]);
        r->mac[i] = eis_fp_sub(eis_fp_mul(a->pub[i], w->party->key), a->mac[i]);
    }
}

/* Adds a public number to element i of an AUTH. */
static void add_public(const walk *w, const eis_mpc_words *r, uint32_t i, uint64_t c)
{
    if (w->first) r->share[i] = eis_fp_add(r->share[i], c);
    r->mac[i] = eis_fp_add(r->mac[i], eis_fp_mul(c, w->party->key));
}

/* What a product gate sums: for each set of factors the words that its coefficient multiplies. */
typedef struct factors {
    uint32_t count;
    const uint64_t *pub[EIS_MPC_FACTORS_MAX];
    const uint64_t *share[1u << EIS_MPC_FACTORS_MAX], *mac[1u << EIS_MPC_FACTORS_MAX]; /* of each set but the empty */
} factors;

static void list_factors(factors *f, const walk *w, const eis_mpc_node *node, const uint64_t *m)
{
    size_t n = node->count;

    f->count = node->in_count;
    for (uint32_t j = 0; j < f->count; j++) f->pub[j] = words_of(w, node->in[j])->pub;
    for (unsigned set = 1; set < 1u << f->count; set++) {
        const eis_mpc_words *x = words_of(w, node->in[__builtin_ctz(set)]);
        unsigned first = eis_mpc_product_set(node, set);
        if ((set & (set - 1)) == 0) {
            f->share[set] = x->share;
            f->mac[set] = x->mac;
        } else if (first != set) {
            f->share[set] = f->share[first];
            f->mac[set] = f->mac[first];
        } else {
            f->share[set] = m;
            f->mac[set] = m + n;
            m += 2 * n;
        }
    }
}

/* prod x_j = prod D_j + sum over sets S of (-1)^|S| (prod of D_j outside S) l_S. */
static void product_gate(const walk *w, const eis_mpc_node *node, const uint64_t *m, const eis_mpc_words *r)
{
    unsigned all = (1u << node->in_count) - 1;
    factors f;

    list_factors(&f, w, node, m);
    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t outside[1u << EIS_MPC_FACTORS_MAX]; /* products of D_j */
        eis_u128 share, mac;                         /* of at most 16 products */
        outside[0] = 1;
        for (unsigned set = 1; set <= all; set++) {
            unsigned rest = set & (set - 1);
            uint64_t d = f.pub[__builtin_ctz(set)][i];
            outside[set] = rest == 0 ? d : eis_fp_mul(outside[rest], d);
        }
        share = w->first ? outside[all] : 0;
        mac = (eis_u128)outside[all] * w->party->key;
        for (unsigned set = 1; set <= all; set++) {
            uint64_t c = outside[all ^ set];
            if (__builtin_popcount(set) % 2 != 0) c = EIS_FP_P - c;
            share += (eis_u128)c * f.share[set][i];
            mac += (eis_u128)c * f.mac[set][i];
        }
        r->share[i] = eis_fp_reduce128(share);
        r->mac[i] = eis_fp_reduce128(mac);
    }
}

/* <x, y> = <D_x, D_y> - <D_x, l_y> - <l_x, D_y> + l_xy. */
static void dot_gate(walk *w, const eis_mpc_node *node, const uint64_t *m, const eis_mpc_words *r)
{
    const eis_mpc_words *a = words_of(w, node->in[0]), *b = words_of(w, node->in[1]);
    uint32_t n = node->count;
    uint64_t *t = w->scratch;

    memcpy(r->share, m, n * sizeof *m);
    memcpy(r->mac, m + n, n * sizeof *m);
    eis_mpc_dot_words(t, node, a->pub, b->pub);
    for (uint32_t i = 0; i < n; i++) add_public(w, r, i, t[i]);
    eis_mpc_dot_words(t, node, a->pub, b->share);
    for (uint32_t i = 0; i < n; i++) r->share[i] = eis_fp_sub(r->share[i], t[i]);
    eis_mpc_dot_words(t, node, a->share, b->pub);
    for (uint32_t i = 0; i < n; i++) r->share[i] = eis_fp_sub(r->share[i], t[i]);
    eis_mpc_dot_words(t, node, a->pub, b->mac);
    for (uint32_t i = 0; i < n; i++) r->mac[i] = eis_fp_sub(r->mac[i], t[i]);
    eis_mpc_dot_words(t, node, a->mac, b->pub);
    for (uint32_t i = 0; i < n; i++) r->mac[i] = eis_fp_sub(r->mac[i], t[i]);
}

/* T = (D' >> s) - 2^(k-2-s) - (L >> s) + (1 - msb D') 2^(k-s) msb L, D' = D + 2^(k-2). */
static void truncate_gate(const walk *w, const eis_mpc_node *node, const uint64_t *m, const eis_mpc_words *r)
{
    const eis_mpc_words *a = words_of(w, node->in[0]);
    uint32_t n = node->count;
    unsigned s = node->shift;
    uint64_t offset = UINT64_C(1) << (EIS_FP_BITS - 2), shifted = offset >> s,
             wrap = eis_fp_power_of_2(EIS_FP_BITS - s);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t d = eis_fp_add(a->pub[i], offset), c = eis_fp_mul(1 - eis_fp_top_bit(d), wrap);
        r->share[i] = eis_fp_sub(eis_fp_mul(c, m[2 * (size_t)n + i]), m[i]);
        r->mac[i] = eis_fp_sub(eis_fp_mul(c, m[3 * (size_t)n + i]), m[(size_t)n + i]);
        add_public(w, r, i, eis_fp_sub(d >> s, shifted));
    }
}

/* d of a comparison: the public digits of D - threshold. */
static uint64_t public_digits(const eis_mpc_node *node, uint64_t pub, uint32_t threshold)
{
    const eis_mpc_digits_shape *c = &node->cmp;
    unsigned bits = c->digit_bits * c->digits;
    uint64_t d =
        eis_fp_add(eis_fp_sub(pub, eis_fp_from_i64(c->thresholds[threshold])), eis_fp_power_of_2(c->low + bits));

    return d >> c->low & ((UINT64_C(2) << bits) - 1);
}

/* Where the parts of a comparison begin. */
typedef struct digit_words {
    const uint64_t *one_hot; /* of this digit: [value from 1][element] at a stride */
    size_t stride;
    const uint64_t *r_t; /* [element] */
    uint64_t one;        /* the share, or MAC share, of 1 */
    uint64_t *gt, *eq;   /* [threshold][element], thresholds `step` words apart */
    size_t step;
} digit_words;

#define ROWS_AT_ONCE 6 /* words below 2^61 whose sum, with one more, is below 2^64 */

/* gt[i] = sum of E_v[i] over v > d[i]: every entry is read. */
static void sum_above(uint64_t *gt, const digit_words *e, const uint64_t *d, size_t n, uint64_t values)
{
    memset(gt, 0, n * sizeof *gt);
    for (uint64_t v = 1; v <= values; v += ROWS_AT_ONCE) {
        uint64_t rows = values - v + 1 < ROWS_AT_ONCE ? values - v + 1 : ROWS_AT_ONCE;
        for (uint64_t k = v; k < v + rows; k++) {
            const uint64_t *row = e->one_hot + (k - 1) * e->stride;
            for (size_t i = 0; i < n; i++) gt[i] += row[i] & (0 - ((d[i] - k) >> 63));
        }
        for (size_t i = 0; i < n; i++) gt[i] = (gt[i] & EIS_FP_P) + (gt[i] >> EIS_FP_BITS);
    }
    for (size_t i = 0; i < n; i++) gt[i] = eis_fp_reduce(gt[i]);
}

/* E_0 is 1, in the highest digit 1 - 2 r_t, minus the others. */
static uint64_t entry_of_zero(const digit_words *e, size_t i, uint64_t others, bool top)
{
    uint64_t one = top ? eis_fp_sub(e->one, eis_fp_add(e->r_t[i], e->r_t[i])) : e->one;

    return eis_fp_sub(one, others);
}

/* One threshold: gt = sum of E_v over v > d, eq = E_d. d is public. */
static void digit_of_many(const digit_words *e, const uint64_t *d, size_t n, uint64_t values, bool top)
{
    sum_above(e->gt, e, d, n, values);
    for (size_t i = 0; i < n; i++)
        e->eq[i] = d[i] == 0 ? entry_of_zero(e, i, e->gt[i], top) : e->one_hot[(d[i] - 1) * e->stride + i];
}

/* Many thresholds: sums from the end are made once for all of them. d[threshold][element]. */
static void digit_of_few(const digit_words *e, const uint64_t *d, size_t n, uint32_t thresholds, uint64_t values,
                         bool top)
{
    uint64_t from[(1u << EIS_MPC_DIGIT_BITS_MAX) + 1]; /* sum of E_u over u >= v */

    for (size_t i = 0; i < n; i++) {
        from[values + 1] = 0;
        for (uint64_t v = values; v > 0; v--) from[v] = eis_fp_add(from[v + 1], e->one_hot[(v - 1) * e->stride + i]);
        for (uint32_t t = 0; t < thresholds; t++) {
            size_t at = t * e->step + i;
            uint64_t value = d[t * n + i];
            e->gt[at] = from[value + 1];
            e->eq[at] = value == 0 ? entry_of_zero(e, i, from[1], top) : e->one_hot[(value - 1) * e->stride + i];
        }
    }
    eis_mem_wipe(from, sizeof from);
}

/* Some elements of a comparison. `one_hot` of a digit: words [value from 1][part][element] of the material at a stride
 * of all elements, or read to the buffer at a stride of these. */
typedef struct digit_piece {
    eis_mpc_id id;
    const eis_mpc_node *node;
    size_t from, count; /* elements */
    uint64_t *d;        /* [threshold][count]: a digit of each */
} digit_piece;

/* Sets where the one-hot words of a part (share or MAC) of digit j are. */
static eis_status find_one_hot(digit_words *e, const walk *w, const digit_piece *p, unsigned j, unsigned part)
{
    eis_status st = EIS_OK;
    size_t n = p->node->cmp.elements, values = ((size_t)1 << p->node->cmp.digit_bits) - 1;
    size_t at = (2 * (1 + j * values) + part) * n + p->from;

    e->stride = 2 * n;
    EIS_TRY(eis_mpc_supply_words(&e->one_hot, w->supply, p->id, at, p->count, w->buffer));
    if (e->one_hot != w->buffer) return EIS_OK;
    e->stride = p->count;
    for (size_t v = 1; v < values; v++)
        EIS_TRY(eis_mpc_supply_copy(w->buffer + v * p->count, w->supply, p->id, at + 2 * n * v, p->count));
out:
    return st;
}

static eis_status one_digit(const walk *w, const digit_piece *p, const eis_mpc_words *r, unsigned j)
{
    eis_status st = EIS_OK;
    const eis_mpc_digits_shape *c = &p->node->cmp;
    const uint64_t *pub = words_of(w, p->node->in[0])->pub + p->from;
    size_t n = c->elements, all = n * c->threshold_count;
    uint64_t values = (UINT64_C(1) << c->digit_bits) - 1;
    bool top = j + 1 == c->digits;

    for (uint32_t t = 0; t < c->threshold_count; t++)
        for (size_t i = 0; i < p->count; i++)
            p->d[t * p->count + i] = public_digits(p->node, pub[i], t) >> (j * c->digit_bits) & values;
    for (unsigned part = 0; part < 2; part++) {
        uint64_t *to = (part == 0 ? r->share : r->mac) + p->from;
        digit_words e = {.r_t = to,
                         .step = n,
                         .one = part == 0 ? (uint64_t)w->first : w->party->key,
                         .gt = to + (1 + j) * all,
                         .eq = to + (1 + c->digits + j) * all};
        EIS_TRY(find_one_hot(&e, w, p, j, part));
        if (c->threshold_count == 1)
            digit_of_many(&e, p->d, p->count, values, top);
        else
            digit_of_few(&e, p->d, p->count, c->threshold_count, values, top);
    }
out:
    return st;
}

static eis_status digits_gate(const walk *w, eis_mpc_id id, const eis_mpc_words *r)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &w->graph->nodes[id];
    const eis_mpc_digits_shape *c = &node->cmp;
    size_t n = c->elements, values = ((size_t)1 << c->digit_bits) - 1, most = EIS_MPC_WALK_DIGITS / values;
    digit_piece p = {.id = id, .node = node, .d = w->scratch};

    EIS_TRY(eis_mpc_supply_copy(r->share, w->supply, id, 0, n));
    EIS_TRY(eis_mpc_supply_copy(r->mac, w->supply, id, n, n));
    for (uint32_t t = 1; t < c->threshold_count; t++) {
        memcpy(r->share + t * n, r->share, n * sizeof *r->share);
        memcpy(r->mac + t * n, r->mac, n * sizeof *r->mac);
    }
    for (; p.from < n; p.from += p.count) {
        p.count = n - p.from < most ? n - p.from : most;
        for (unsigned j = 0; j < c->digits; j++) EIS_TRY(one_digit(w, &p, r, j));
    }
out:
    return st;
}

/* d_t x + (1 - 2 d_t) s. */
static void flip_gate(const walk *w, const eis_mpc_node *node, const eis_mpc_words *r)
{
    const eis_mpc_node *digits = &w->graph->nodes[node->in[0]];
    const eis_mpc_words *wire = words_of(w, digits->in[0]), *s = words_of(w, node->in[1]);
    const eis_mpc_words *x = node->in_count > 2 ? words_of(w, node->in[2]) : NULL;
    unsigned bits = digits->cmp.digit_bits * digits->cmp.digits;
    uint32_t n = digits->cmp.elements;

    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t d = public_digits(digits, wire->pub[i % n], i / n) >> bits;
        uint64_t sign = eis_fp_sub(1, 2 * d);
        r->share[i] = eis_fp_mul(sign, s->share[i]);
        r->mac[i] = eis_fp_mul(sign, s->mac[i]);
        if (x == NULL) {
            add_public(w, r, i, d);
        } else {
            r->share[i] = eis_fp_add(r->share[i], eis_fp_mul(d, x->share[i]));
            r->mac[i] = eis_fp_add(r->mac[i], eis_fp_mul(d, x->mac[i]));
        }
    }
}

/* A fresh mask, from the material. */
static eis_status take_mask(const walk *w, eis_mpc_id id, const eis_mpc_words *r)
{
    size_t n = w->graph->nodes[id].count;
    eis_status st = eis_mpc_supply_copy(r->share, w->supply, id, 0, n);

    return st == EIS_OK ? eis_mpc_supply_copy(r->mac, w->supply, id, n, n) : st;
}

eis_status eis_mpc_mask_gate(walk *w, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &w->graph->nodes[id];
    eis_mpc_words *r = &w->run->values[id];
    uint32_t n = node->count;

    if (node->form != EIS_MPC_WIRE || eis_mpc_is_view(node)) return EIS_OK;
    if (eis_mpc_is_linear(node->op)) {
        linear_shares(w, node, r);
        return EIS_OK;
    }
    switch (node->op) {
    case EIS_MPC_OP_INPUT:
        EIS_TRY(w->source->input(w->source->context, node->slot, r->pub, n));
        EIS_TRY(take_mask(w, id, r));
        break;
    case EIS_MPC_OP_KEPT:
        EIS_TRY(w->source->kept(w->source->context, node->slot, r, n));
        break;
    case EIS_MPC_OP_PUBLIC:
        memcpy(r->pub, node->constants, n * sizeof *r->pub);
        memset(r->share, 0, n * sizeof *r->share);
        memset(r->mac, 0, n * sizeof *r->mac);
        break;
    case EIS_MPC_OP_RANDOM:
        memset(r->pub, 0, n * sizeof *r->pub);
        EIS_TRY(take_mask(w, id, r));
        break;
    default: /* MASK, MATRIX, ROW: their D comes with the round that opens it */
        EIS_TRY(take_mask(w, id, r));
        break;
    }
out:
    return st;
}

eis_status eis_mpc_local_gate(walk *w, eis_mpc_id id)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &w->graph->nodes[id];
    const uint64_t *m = NULL;
    eis_mpc_words *r = &w->run->values[id];

    if (eis_mpc_is_view(node)) return EIS_OK;
    if (eis_mpc_is_linear(node->op)) {
        linear_gate(w, node, r);
        return EIS_OK;
    }
    if (node->op == EIS_MPC_OP_DIGITS) return digits_gate(w, id, r);
    if (node->op == EIS_MPC_OP_PRODUCT || node->op == EIS_MPC_OP_DOT || node->op == EIS_MPC_OP_TRUNCATE)
        EIS_TRY(eis_mpc_supply_words(&m, w->supply, id, 0, eis_mpc_node_words(w->graph, id), w->buffer));
    switch (node->op) {
    case EIS_MPC_OP_AUTH:
        auth_gate(w, node, r);
        break;
    case EIS_MPC_OP_PRODUCT:
        product_gate(w, node, m, r);
        break;
    case EIS_MPC_OP_DOT:
        dot_gate(w, node, m, r);
        break;
    case EIS_MPC_OP_TRUNCATE:
        truncate_gate(w, node, m, r);
        break;
    case EIS_MPC_OP_FLIP:
        flip_gate(w, node, r);
        break;
    default: /* sources: see eis_mpc_mask_gate */
        break;
    }
out:
    return st;
}
