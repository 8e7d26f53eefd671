/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/sample.h"

#include <math.h>

#define RESOLUTION 10 /* bits of the fraction that the sorting looks at */
#define BITS       EIS_MPC_SAMPLE_BITS

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

eis_status eis_mpc_sampling_check(const eis_mpc_sampling *sampling)
{
    eis_status st = EIS_OK;
    double t = sampling->temperature;

    EIS_REQUIRE(sampling->top_k >= 1 && sampling->top_k <= EIS_MPC_TOP_K_MAX, EIS_ERR_RANGE, "topk is %u, not 1 to %d",
                sampling->top_k, EIS_MPC_TOP_K_MAX);
    EIS_REQUIRE(t == 0 || (t >= EIS_MPC_TEMPERATURE_MIN && t <= EIS_MPC_TEMPERATURE_MAX), EIS_ERR_RANGE,
                "temperature is %g, not 0 or %g to %d", t, EIS_MPC_TEMPERATURE_MIN, EIS_MPC_TEMPERATURE_MAX);
out:
    return st;
}

/* ---- the k largest, in order ---- */

/* Lists one after the other, each with its largest first; what is compared may be wrong by `depth` zones. */
typedef struct sorter {
    eis_mpc_graph *graph;
    eis_mpc_id value, id; /* wires */
    uint32_t count, depth;
    double bound, id_bound;
    eis_mpc_cut cut;
} sorter;

/* One level: pairs (first[i], second[i]) of places are put in order. Leaves the larger ones, then with `both` the
 * smaller ones, then what is in no pair, from place `rest` on. */
static void level(sorter *s, const uint32_t *first, const uint32_t *second, uint32_t pairs, bool both, uint32_t rest)
{
    eis_mpc_graph *g = s->graph;
    eis_mpc_id x, y, x_id, y_id, larger, larger_id = EIS_MPC_NONE, smaller, smaller_id, after, after_id;

    if (s->value == EIS_MPC_NONE || first == NULL || second == NULL) return;
    after = s->value, after_id = s->id;
    x = eis_mpc_gather(g, s->value, first, pairs), x_id = eis_mpc_gather(g, s->id, first, pairs);
    y = eis_mpc_gather(g, s->value, second, pairs), y_id = eis_mpc_gather(g, s->id, second, pairs);
    larger = eis_mpc_max(g, x, y, s->cut, &larger_id, x_id, y_id);
    s->value = larger, s->id = larger_id;
    if (both) {
        smaller = eis_mpc_sub(g, eis_mpc_add(g, x, y), larger);
        smaller_id = eis_mpc_sub(g, eis_mpc_add(g, x_id, y_id), larger_id);
        eis_mpc_set_bound(g, smaller, s->bound);
        eis_mpc_set_bound(g, smaller_id, s->id_bound);
        s->value = eis_mpc_join(g, larger, smaller), s->id = eis_mpc_join(g, larger_id, smaller_id);
    }
    if (rest < s->count) {
        s->value = eis_mpc_join(g, s->value, eis_mpc_slice(g, after, rest, s->count - rest));
        s->id = eis_mpc_join(g, s->id, eis_mpc_slice(g, after_id, rest, s->count - rest));
    }
    s->count = pairs * (both ? 2 : 1) + s->count - rest;
    s->depth++;
}

/* Puts what level() left behind where it belongs: the larger ones to first[i], the smaller ones to second[i]. */
static void put_back(sorter *s, const uint32_t *first, const uint32_t *second, uint32_t pairs)
{
    uint32_t *index = eis_mpc_graph_new(s->graph, s->count, sizeof *index);

    if (index == NULL || s->value == EIS_MPC_NONE) return;
    for (uint32_t i = 0; i < s->count; i++) index[i] = i;
    for (uint32_t i = 0; i < pairs; i++) index[first[i]] = i, index[second[i]] = pairs + i;
    s->value = eis_mpc_gather(s->graph, s->value, index, s->count);
    s->id = eis_mpc_gather(s->graph, s->id, index, s->count);
}

/* Puts lists of `size` that rise, then fall (or the other way round) in order; the last `rest` entries are in order. */
static void clean(sorter *s, uint32_t size, uint32_t rest)
{
    for (uint32_t stride = size / 2; stride > 0; stride /= 2) {
        uint32_t pairs = (s->count - rest) / 2, n = 0;
        uint32_t *first = eis_mpc_graph_new(s->graph, pairs, sizeof *first);
        uint32_t *second = eis_mpc_graph_new(s->graph, pairs, sizeof *second);
        if (first == NULL || second == NULL) return;
        for (uint32_t i = 0; i < s->count - rest; i++)
            if ((i / stride) % 2 == 0) first[n] = i, second[n++] = i + stride;
        level(s, first, second, pairs, true, s->count - rest);
        put_back(s, first, second, pairs);
    }
}

/* Merges lists of `size` in pairs: into lists of twice that size, or into lists of the `size` largest. */
static void merge(sorter *s, uint32_t size, bool both)
{
    uint32_t lists = s->count / size, pairs = lists / 2 * size, rest = lists % 2 * size, *index;
    uint32_t *first = eis_mpc_graph_new(s->graph, pairs, sizeof *first);
    uint32_t *second = eis_mpc_graph_new(s->graph, pairs, sizeof *second);

    if (first == NULL || second == NULL) return;
    for (uint32_t i = 0; i < pairs; i++) {
        uint32_t list = i / size, at = i % size;
        first[i] = 2 * list * size + at;
        second[i] = (2 * list + 1) * size + size - 1 - at;
    }
    level(s, first, second, pairs, both, s->count - rest);
    if (both) { /* larger and smaller halves of each list beside each other */
        if ((index = eis_mpc_graph_new(s->graph, s->count, sizeof *index)) == NULL || s->value == EIS_MPC_NONE) return;
        for (uint32_t i = 0; i < s->count; i++) {
            uint32_t half = i / size, at = i % size;
            index[i] = (half % 2) * pairs + half / 2 * size + at;
        }
        s->value = eis_mpc_gather(s->graph, s->value, index, s->count);
        s->id = eis_mpc_gather(s->graph, s->id, index, s->count);
    }
    clean(s, size, rest);
}

/* Begins with lists of one, filled up with what is smaller than anything. */
static bool begin(sorter *s, eis_mpc_graph *graph, eis_mpc_id logits, uint32_t size, const eis_mpc_tuning *tuning)
{
    uint32_t have = node_of(graph, logits)->count, n = (have + size - 1) / size * size;
    unsigned frac = node_of(graph, logits)->frac, bits = eis_mpc_digit_bits(tuning);
    double bound = node_of(graph, logits)->bound;
    int64_t *fill = eis_mpc_graph_new(graph, n, sizeof *fill), *place = eis_mpc_graph_new(graph, n, sizeof *place);

    if (fill == NULL || place == NULL) return false;
    *s = (sorter){.graph = graph, .value = logits, .count = n, .bound = bound, .id_bound = have};
    if (!eis_mpc_cut_choose(&s->cut, 2 * bound, frac > RESOLUTION ? frac - RESOLUTION : 0, bits)) {
        graph->st =
            eis_fail(EIS_ERR_RANGE, "sorting logits of %.1f bits needs more bits than the field has", log2(bound));
        return false;
    }
    for (uint32_t i = 0; i < n; i++) fill[i] = -(int64_t)bound, place[i] = i < have ? i : 0;
    if (n > have) s->value = eis_mpc_join(graph, logits, eis_mpc_public(graph, fill, n - have, frac));
    s->id = eis_mpc_public(graph, place, n, 0);
    return true;
}

/* ---- the random number ---- */

/* A number of BITS bits: those of a mask that nobody knows, turned by the coin. */
static eis_mpc_id random_number(eis_mpc_graph *graph, eis_mpc_sample_coin *coin)
{
    static const int64_t zero = 0;
    int64_t one[BITS];
    eis_mpc_id x = eis_mpc_mask(graph, eis_mpc_auth(graph, eis_mpc_random(graph, 1))), bits, sum;

    /* Of a wire whose value is uniform the digits tell where its mask's are equal to public ones: that is a random bit.
     * The highest digit has a sign, so one more is asked for than needed. */
    bits = eis_mpc_slice(graph, eis_mpc_digits(graph, x, 0, 1, BITS + 1, &zero, 1, 1), BITS + 2, BITS);
    for (unsigned i = 0; i < BITS; i++) one[i] = INT64_C(1) << i;
    bits = eis_mpc_weigh(graph, bits, one, 0);
    sum = eis_mpc_offset_each(graph, eis_mpc_sum(graph, bits, BITS), &zero);
    if (sum == EIS_MPC_NONE) return sum;
    coin->signs = (uint64_t *)graph->nodes[bits].constants;
    coin->offset = (uint64_t *)graph->nodes[sum].constants;
    graph->nodes[sum].bound = ldexp(1, BITS);
    return eis_mpc_mask(graph, sum);
}

/* b XOR c = c + (1 - 2 c) b. */
void eis_mpc_sample_set_coin(const eis_mpc_sample_coin *place, const uint8_t *coin)
{
    uint64_t value = coin[0] | (uint64_t)coin[1] << 8;

    for (unsigned i = 0; i < BITS; i++) {
        uint64_t power = UINT64_C(1) << i;
        place->signs[i] = (value >> i & 1) != 0 ? eis_fp_neg(eis_fp_reduce(power)) : eis_fp_reduce(power);
    }
    *place->offset = eis_fp_reduce(value);
}

/* ---- drawing ---- */

/* What is added to every exponential, as bits below 1: twice its error, at least 2^-10. The error is that of the fit,
 * one and a half units of the place in the interval (14 bits), and the rounding of powers and of the result. */
static unsigned floor_bits(const eis_mpc_tuning *tuning)
{
    double c[EIS_MPC_DEGREE_MAX + 1], error;
    unsigned bits = 10;

    eis_mpc_fit(c, tuning->exp_degree, eis_mpc_function_exp, tuning->exp_range + 0.125);
    error = eis_mpc_fit_error(c, tuning->exp_degree, eis_mpc_function_exp, tuning->exp_range + 0.125, 2001) +
            ldexp(1.5 * tuning->exp_range, -15) + 1.5e-4 + ldexp(1, -(int)tuning->frac);
    while (bits > 1 && ldexp(1, -(int)bits) < 2 * error) bits--;
    return bits;
}

/* a[0], a[0] + a[1], ... */
static eis_mpc_id running_sums(eis_mpc_graph *graph, eis_mpc_id a, uint32_t n)
{
    static const int64_t zero = 0;
    uint32_t *index = eis_mpc_graph_new(graph, (size_t)n * n, sizeof *index);

    if (index == NULL || a == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n * n; i++) index[i] = i % n <= i / n ? i % n : n;
    a = eis_mpc_join(graph, a, eis_mpc_public(graph, &zero, 1, node_of(graph, a)->frac));
    return eis_mpc_sum(graph, eis_mpc_gather(graph, a, index, n * n), n);
}

/* a[0], a[1] - a[0], ... of wires */
static eis_mpc_id steps_of(eis_mpc_graph *graph, eis_mpc_id a, uint32_t n)
{
    static const int64_t zero = 0;

    if (a == EIS_MPC_NONE || n == 1) return a;
    return eis_mpc_sub(graph, a,
                       eis_mpc_join(graph, eis_mpc_public(graph, &zero, 1, node_of(graph, a)->frac),
                                    eis_mpc_slice(graph, a, 0, n - 1)));
}

/* Exponentials of v[k], in order, to the bits [their sum up to here reaches the random part of the whole]. */
static eis_mpc_id choose(eis_mpc_graph *graph, eis_mpc_sample_coin *coin, eis_mpc_id v, uint32_t k,
                         const eis_mpc_tuning *tuning)
{
    static const int64_t zero = 0;
    unsigned extra = floor_bits(tuning), frac = tuning->frac;
    eis_mpc_id r = random_number(graph, coin), sums, part, z;
    eis_mpc_compare compare;
    eis_mpc_cut cut;

    sums = running_sums(graph, eis_mpc_offset(graph, eis_mpc_exp(graph, v, tuning), INT64_C(1) << (frac - extra)), k);
    part = eis_mpc_mask(graph, eis_mpc_product2(graph, r, eis_mpc_slice(graph, sums, k - 1, 1), 0));
    z = eis_mpc_sub(graph, eis_mpc_scale(graph, sums, INT64_C(1) << BITS, 0), eis_mpc_repeat(graph, part, k));
    if (z == EIS_MPC_NONE) return z;
    /* Neighbours differ by at least 2^BITS (2^-extra - error), so the zone has room for one of them. */
    if (!eis_mpc_cut_choose(&cut, node_of(graph, z)->bound, frac + BITS - extra - 1, eis_mpc_digit_bits(tuning))) {
        graph->st = eis_fail(EIS_ERR_RANGE, "topk %u needs more bits than the field has", k);
        return EIS_MPC_NONE;
    }
    eis_mpc_compare_begin(&compare, graph, z, cut, &zero, 1, 0);
    return eis_mpc_mask(graph, eis_mpc_compare_bit(graph, &compare));
}

eis_mpc_id eis_mpc_sample(eis_mpc_graph *graph, eis_mpc_sample_coin *coin, eis_mpc_id logits,
                          const eis_mpc_sampling *sampling, const eis_mpc_tuning *tuning)
{
    const eis_mpc_dot_shape all = {
        .inner = sampling->top_k, .a_step = 1, .b_step = 1, .a_at = &(uint32_t){0}, .b_at = &(uint32_t){0}};
    eis_mpc_dot_shape shape = all;
    uint32_t k = sampling->top_k, size = 1;
    eis_mpc_id v, bits;
    sorter s;

    *coin = (eis_mpc_sample_coin){0};
    if (logits == EIS_MPC_NONE) return logits;
    EIS_ASSERT(!eis_mpc_sampling_is_greedy(sampling) && k <= EIS_MPC_TOP_K_MAX);
    if (k > node_of(graph, logits)->count) k = node_of(graph, logits)->count;
    while (size < k) size *= 2;
    if (!begin(&s, graph, logits, size, tuning)) return EIS_MPC_NONE;
    for (uint32_t have = 1; have < size; have *= 2) merge(&s, have, true);
    while (s.count > size && s.value != EIS_MPC_NONE) merge(&s, size, false);
    if (s.value == EIS_MPC_NONE) return EIS_MPC_NONE;
    /* The first may be exceeded by as many zones as there are levels. */
    v = eis_mpc_slice(graph, s.value, 0, k);
    v = eis_mpc_sub(graph, v, eis_mpc_repeat(graph, eis_mpc_slice(graph, s.value, 0, 1), k));
    v = eis_mpc_offset(graph, v, -((int64_t)s.depth << s.cut.low));
    v = eis_mpc_scale(graph, v, llround(ldexp(1 / sampling->temperature, 14)), 14);
    bits = choose(graph, coin, v, k, tuning);
    shape.inner = k;
    v = eis_mpc_dot(graph, steps_of(graph, bits, k), eis_mpc_slice(graph, s.id, 0, k), &shape, 1,
                    node_of(graph, logits)->count);
    return eis_mpc_mask(graph, v);
}
