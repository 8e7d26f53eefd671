/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/gates.h"

#include <math.h>
#include <string.h>

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

eis_mpc_id eis_mpc_rescale(eis_mpc_graph *graph, eis_mpc_id wire, unsigned frac)
{
    if (wire == EIS_MPC_NONE) return EIS_MPC_NONE;
    EIS_ASSERT(frac < node_of(graph, wire)->frac);
    return eis_mpc_mask(graph, eis_mpc_truncate(graph, wire, node_of(graph, wire)->frac - frac));
}

eis_mpc_id eis_mpc_rescale_auth(eis_mpc_graph *graph, eis_mpc_id auth, unsigned frac)
{
    return eis_mpc_rescale(graph, eis_mpc_mask(graph, auth), frac);
}

#define DIGIT_BITS_MOST 7

static bool choose_up_to(eis_mpc_cut *cut, double bound, unsigned low, unsigned digit_bits_max)
{
    for (unsigned digits = 3; digits <= 9; digits += 3)
        for (unsigned b = 1; b <= digit_bits_max && low + digits * b + 1 <= EIS_FP_BITS; b++) {
            if (bound > ldexp(1, (int)(low + digits * b)) - ldexp(1, (int)low) - 2) continue;
            *cut = (eis_mpc_cut){low, b, digits};
            return true;
        }
    return false;
}

bool eis_mpc_cut_choose(eis_mpc_cut *cut, double bound, unsigned low, unsigned digit_bits_max)
{
    return choose_up_to(cut, bound, low, digit_bits_max) || choose_up_to(cut, bound, low, DIGIT_BITS_MOST);
}

void eis_mpc_cut_refuse(eis_mpc_graph *graph, const char *what, double bound, unsigned low)
{
    unsigned most = 0;

    for (unsigned digits = 3; digits <= 9; digits += 3)
        for (unsigned b = 1; b <= DIGIT_BITS_MOST && low + digits * b + 1 <= EIS_FP_BITS; b++)
            if (digits * b > most) most = digits * b;
    eis_mpc_graph_refuse(graph, what, log2(bound), low + most,
                         "lower fixed_point.scale_bits, or declare bounds of values");
}

/* Part of a DIGITS node: 0 is r_t, then gt_0.., then eq_0... */
static eis_mpc_id part(eis_mpc_graph *graph, const eis_mpc_compare *c, unsigned which)
{
    uint32_t n;

    if (c->digits == EIS_MPC_NONE) return EIS_MPC_NONE;
    n = node_of(graph, c->digits)->cmp.elements * node_of(graph, c->digits)->cmp.threshold_count;
    return eis_mpc_slice(graph, c->digits, which * n, n);
}

static eis_mpc_id gt(eis_mpc_graph *graph, const eis_mpc_compare *c, unsigned j) { return part(graph, c, 1 + j); }

static eis_mpc_id eq(eis_mpc_graph *graph, const eis_mpc_compare *c, unsigned j)
{
    return part(graph, c, 1 + c->cut.digits + j);
}

static eis_mpc_id bit_product(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b, eis_mpc_id c)
{
    const eis_mpc_id factors[3] = {a, b, c};

    return eis_mpc_product(graph, factors, c == EIS_MPC_NONE ? 2 : 3, 1);
}

/* gt_2 + eq_2 gt_1 + eq_2 eq_1 gt_0 of the group of three digits that starts at `first`, an auth; and eq_2 eq_1 eq_0
 * where it is wanted. gt_2 is masked by nobody here. */
static eis_mpc_id group_above(eis_mpc_graph *graph, const eis_mpc_compare *c, unsigned first, eis_mpc_id *equal)
{
    eis_mpc_id eq2 = eis_mpc_mask(graph, eq(graph, c, first + 2)), eq1 = eis_mpc_mask(graph, eq(graph, c, first + 1));
    eis_mpc_id gt1 = eis_mpc_mask(graph, gt(graph, c, first + 1)), gt0 = eis_mpc_mask(graph, gt(graph, c, first));
    eis_mpc_id above = eis_mpc_add(graph, gt(graph, c, first + 2), bit_product(graph, eq2, gt1, EIS_MPC_NONE));

    above = eis_mpc_add(graph, above, bit_product(graph, eq2, eq1, gt0));
    if (equal != NULL) *equal = bit_product(graph, eq2, eq1, eis_mpc_mask(graph, eq(graph, c, first)));
    eis_mpc_set_bound(graph, above, 1);
    return above;
}

static void begin_narrow(eis_mpc_graph *graph, eis_mpc_compare *c)
{
    c->r_plus = eis_mpc_add(graph, part(graph, c, 0), gt(graph, c, 2));
    c->eq2 = eis_mpc_mask(graph, eq(graph, c, 2));
    c->gt1 = eis_mpc_mask(graph, gt(graph, c, 1));
    c->eq1 = eis_mpc_mask(graph, eq(graph, c, 1));
    c->gt0 = eis_mpc_mask(graph, gt(graph, c, 0));
}

/* S = g_hi + e_hi g_lo, or with three groups g_hi + e_hi g_mid + e_hi e_mid g_lo. */
static void begin_wide(eis_mpc_graph *graph, eis_mpc_compare *c)
{
    eis_mpc_id equal = EIS_MPC_NONE, equal_mid = EIS_MPC_NONE;
    unsigned top = c->cut.digits - 3;

    c->g_hi = eis_mpc_add(graph, part(graph, c, 0), group_above(graph, c, top, &equal));
    c->e_hi = eis_mpc_mask(graph, equal);
    if (c->cut.digits == 9) {
        c->g_mid = eis_mpc_mask(graph, group_above(graph, c, 3, &equal_mid));
        c->e_mid = eis_mpc_mask(graph, equal_mid);
    }
    c->g_lo = eis_mpc_mask(graph, group_above(graph, c, 0, NULL));
}

void eis_mpc_compare_begin(eis_mpc_compare *compare, eis_mpc_graph *graph, eis_mpc_id wire, eis_mpc_cut cut,
                           const int64_t *thresholds, uint32_t threshold_count, double bound)
{
    eis_mpc_id digits =
        eis_mpc_digits(graph, wire, cut.low, cut.digit_bits, cut.digits, thresholds, threshold_count, bound);

    EIS_ASSERT(cut.digits == 3 || cut.digits == 6 || cut.digits == 9);
    *compare = (eis_mpc_compare){.digits = digits, .cut = cut, .r_masked = EIS_MPC_NONE};
    if (cut.digits == 3)
        begin_narrow(graph, compare);
    else
        begin_wide(graph, compare);
}

/* The sum over the chain, each term times x where there is one. r: what needs no product (r_t + gt2, or g_hi). */
static eis_mpc_id chain(eis_mpc_graph *graph, const eis_mpc_compare *c, eis_mpc_id r, eis_mpc_id x, double bound)
{
    eis_mpc_id terms[2][4] = {{c->eq2, c->gt1, x}, {c->eq2, c->eq1, c->gt0, x}}, sum = r;
    uint32_t counts[2] = {2, 3}, term_count = 2;

    if (c->cut.digits == 6) {
        terms[0][0] = c->e_hi, terms[0][1] = c->g_lo, terms[0][2] = x;
        term_count = 1;
    } else if (c->cut.digits == 9) {
        terms[0][0] = c->e_hi, terms[0][1] = c->g_mid, terms[0][2] = x;
        terms[1][0] = c->e_hi, terms[1][1] = c->e_mid, terms[1][2] = c->g_lo, terms[1][3] = x;
    }
    for (uint32_t t = 0; t < term_count; t++)
        sum = eis_mpc_add(graph, sum, eis_mpc_product(graph, terms[t], counts[t] + (x != EIS_MPC_NONE), bound));
    eis_mpc_set_bound(graph, sum, bound);
    return sum;
}

eis_mpc_id eis_mpc_compare_bit(eis_mpc_graph *graph, const eis_mpc_compare *compare)
{
    eis_mpc_id r = compare->cut.digits == 3 ? compare->r_plus : compare->g_hi;

    return eis_mpc_flip(graph, compare->digits, EIS_MPC_NONE, chain(graph, compare, r, EIS_MPC_NONE, 1));
}

eis_mpc_id eis_mpc_compare_select(eis_mpc_graph *graph, eis_mpc_compare *compare, eis_mpc_id x, double bound)
{
    eis_mpc_id r = compare->cut.digits == 3 ? compare->r_plus : compare->g_hi, result;

    if (x == EIS_MPC_NONE) return EIS_MPC_NONE;
    if (!(bound > 0)) bound = node_of(graph, x)->bound;
    if (compare->r_masked == EIS_MPC_NONE) compare->r_masked = eis_mpc_mask(graph, r);
    r = eis_mpc_product2(graph, compare->r_masked, x, bound);
    result = eis_mpc_flip(graph, compare->digits, eis_mpc_auth(graph, x), chain(graph, compare, r, x, bound));
    eis_mpc_set_bound(graph, result, bound);
    return result;
}

eis_mpc_id eis_mpc_at_least(eis_mpc_graph *graph, eis_mpc_id wire, eis_mpc_cut cut, int64_t threshold, double bound)
{
    eis_mpc_compare compare;

    eis_mpc_compare_begin(&compare, graph, wire, cut, &threshold, 1, bound);
    return eis_mpc_compare_bit(graph, &compare);
}

eis_mpc_id eis_mpc_max(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_id y, eis_mpc_cut cut, eis_mpc_id *companion,
                       eis_mpc_id companion_x, eis_mpc_id companion_y)
{
    static const int64_t zero = 0;
    eis_mpc_compare compare;
    eis_mpc_id difference = eis_mpc_sub(graph, x, y), larger;
    double bound;

    if (difference == EIS_MPC_NONE) return EIS_MPC_NONE;
    eis_mpc_compare_begin(&compare, graph, difference, cut, &zero, 1, 0);
    larger = eis_mpc_mask(graph, eis_mpc_add(graph, y, eis_mpc_compare_select(graph, &compare, difference, 0)));
    bound = fmax(node_of(graph, x)->bound, node_of(graph, y)->bound);
    eis_mpc_set_bound(graph, larger, bound);
    if (companion == NULL) return larger;
    difference = eis_mpc_sub(graph, companion_x, companion_y);
    *companion =
        eis_mpc_mask(graph, eis_mpc_add(graph, companion_y, eis_mpc_compare_select(graph, &compare, difference, 0)));
    if (*companion != EIS_MPC_NONE)
        eis_mpc_set_bound(graph, *companion,
                          fmax(node_of(graph, companion_x)->bound, node_of(graph, companion_y)->bound));
    return larger;
}

/* Rows of different lengths, one behind the other, on their way through a tournament. */
typedef struct rows {
    uint32_t count, *length; /* [count] */
    uint32_t pairs, rests;   /* of all rows: pairs of neighbours, and rows with one more */
    uint32_t longest;
} rows;

static void count_pairs(rows *r)
{
    r->pairs = r->rests = r->longest = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        r->pairs += r->length[i] / 2;
        r->rests += r->length[i] % 2;
        if (r->length[i] > r->longest) r->longest = r->length[i];
    }
}

/* Where the first and the second of each pair are, and those without one; behind one level the row's winners come
 * first, then its rest: `order` takes them from all winners, then all rests. */
typedef struct level_places {
    uint32_t *first, *second, *rest, *order;
} level_places;

static bool place_level(level_places *p, eis_mpc_graph *graph, const rows *r)
{
    uint32_t at = 0, pair = 0, rest = 0, place = 0;

    p->first = eis_mpc_graph_new(graph, (size_t)r->pairs + 1, sizeof *p->first);
    p->second = eis_mpc_graph_new(graph, (size_t)r->pairs + 1, sizeof *p->second);
    p->rest = eis_mpc_graph_new(graph, (size_t)r->rests + 1, sizeof *p->rest);
    p->order = eis_mpc_graph_new(graph, (size_t)r->pairs + r->rests + 1, sizeof *p->order);
    if (p->first == NULL || p->second == NULL || p->rest == NULL || p->order == NULL) return false;
    for (uint32_t i = 0; i < r->count; at += r->length[i++]) {
        for (uint32_t j = 0; j + 1 < r->length[i]; j += 2) {
            p->order[place++] = pair;
            p->first[pair] = at + j;
            p->second[pair++] = at + j + 1;
        }
        if (r->length[i] % 2 == 0) continue;
        p->order[place++] = r->pairs + rest;
        p->rest[rest++] = at + r->length[i] - 1;
    }
    return true;
}

/* Winners of a level, and what had no partner in it, row by row. */
static eis_mpc_id next_rows(eis_mpc_graph *graph, eis_mpc_id winners, eis_mpc_id before, const rows *r,
                            const level_places *p)
{
    if (r->rests == 0) return winners;
    return eis_mpc_gather(graph, eis_mpc_join(graph, winners, eis_mpc_gather(graph, before, p->rest, r->rests)),
                          p->order, r->pairs + r->rests);
}

/* The places in their rows. */
static eis_mpc_id places(eis_mpc_graph *graph, const uint32_t *lengths, uint32_t row_count, uint32_t words)
{
    int64_t *values = eis_mpc_graph_new(graph, words, sizeof *values);
    uint32_t at = 0;

    if (values == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < row_count; i++)
        for (uint32_t j = 0; j < lengths[i]; j++) values[at++] = j;
    return eis_mpc_public(graph, values, words, 0);
}

static bool cut_of_rows(eis_mpc_cut *cut, eis_mpc_graph *graph, eis_mpc_id a, unsigned low, unsigned digit_bits_max)
{
    if (eis_mpc_cut_choose(cut, 2 * node_of(graph, a)->bound, low, digit_bits_max)) return true;
    eis_mpc_cut_refuse(graph, "a maximum", 2 * node_of(graph, a)->bound, low);
    return false;
}

eis_mpc_id eis_mpc_rows_max(eis_mpc_graph *graph, eis_mpc_id a, const uint32_t *lengths, uint32_t row_count,
                            unsigned low, unsigned digit_bits_max, eis_mpc_id *index)
{
    eis_mpc_cut cut;
    eis_mpc_id at = EIS_MPC_NONE;
    rows r = {.count = row_count, .length = eis_mpc_graph_new(graph, row_count, sizeof *r.length)};
    level_places p;

    if (a == EIS_MPC_NONE || r.length == NULL || !cut_of_rows(&cut, graph, a, low, digit_bits_max)) return EIS_MPC_NONE;
    memcpy(r.length, lengths, row_count * sizeof *lengths);
    if (index != NULL) at = places(graph, lengths, row_count, node_of(graph, a)->count);
    for (count_pairs(&r); r.longest > 1; count_pairs(&r)) {
        eis_mpc_id next, next_at = EIS_MPC_NONE, at_first = EIS_MPC_NONE, at_second = EIS_MPC_NONE;
        if (!place_level(&p, graph, &r)) return EIS_MPC_NONE;
        if (index != NULL) {
            at_first = eis_mpc_gather(graph, at, p.first, r.pairs);
            at_second = eis_mpc_gather(graph, at, p.second, r.pairs);
        }
        next =
            eis_mpc_max(graph, eis_mpc_gather(graph, a, p.first, r.pairs), eis_mpc_gather(graph, a, p.second, r.pairs),
                        cut, index != NULL ? &next_at : NULL, at_first, at_second);
        a = next_rows(graph, next, a, &r, &p);
        if (index != NULL) at = next_rows(graph, next_at, at, &r, &p);
        if (a == EIS_MPC_NONE) return EIS_MPC_NONE;
        for (uint32_t i = 0; i < row_count; i++) r.length[i] = r.length[i] / 2 + r.length[i] % 2;
    }
    if (index != NULL) *index = at;
    return a;
}

eis_mpc_id eis_mpc_row_max(eis_mpc_graph *graph, eis_mpc_id a, uint32_t inner, unsigned low, unsigned digit_bits_max,
                           eis_mpc_id *index)
{
    uint32_t groups, *lengths;

    if (a == EIS_MPC_NONE) return EIS_MPC_NONE;
    EIS_ASSERT(node_of(graph, a)->count % inner == 0);
    groups = node_of(graph, a)->count / inner;
    if ((lengths = eis_mpc_graph_new(graph, groups, sizeof *lengths)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < groups; i++) lengths[i] = inner;
    return eis_mpc_rows_max(graph, a, lengths, groups, low, digit_bits_max, index);
}
