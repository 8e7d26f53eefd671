/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/functions.h"

#include "engine/mpc/scales.h"

#include <math.h>

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

void eis_mpc_tuning_default(eis_mpc_tuning *tuning)
{
    *tuning = (eis_mpc_tuning){
        .frac = 16, .exp_degree = 11, .exp_range = 12, .per_octave = 4, .newton_steps = 1, .digit_bits_max = 0};
}

eis_status eis_mpc_tuning_check(const eis_mpc_tuning *t)
{
    eis_status st = EIS_OK;
    const struct {
        const char *name;
        double value, min, max;
        bool automatic; /* 0 is allowed too */
    } rows[] = {
        {"fixed_point.scale_bits", t->frac, 12, 20, false}, {"cheby.deg", t->exp_degree, 5, 15, false},
        {"cheby.range", t->exp_range, 8, 16, false},        {"act.deg", t->act_degree, 5, 15, true},
        {"act.range", t->act_range, 2, 16, true},           {"spline.per_octave", t->per_octave, 1, 8, false},
        {"newton.steps", t->newton_steps, 1, 2, false},     {"compare.digit_bits", t->digit_bits_max, 4, 7, true},
        {"softmax.max", t->softmax_static, 0, 1, false}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool fits = rows[i].value >= rows[i].min && rows[i].value <= rows[i].max;
        EIS_REQUIRE(fits || (rows[i].automatic && rows[i].value == 0), EIS_ERR_RANGE, "%s is %g, not %s%g to %g",
                    rows[i].name, rows[i].value, rows[i].automatic ? "0 or " : "", rows[i].min, rows[i].max);
    }
out:
    return st;
}

static eis_mpc_id refuse(eis_mpc_graph *graph, const char *what, double needed, double available, const char *change)
{
    eis_mpc_graph_refuse(graph, what, needed, available, change);
    return EIS_MPC_NONE;
}

/* Cuts a comparison of numbers up to `bound`, resolving 2^low. */
static bool cut_for(eis_mpc_cut *cut, eis_mpc_graph *graph, double bound, unsigned low, const eis_mpc_tuning *tuning)
{
    if (eis_mpc_cut_choose(cut, bound, low, eis_mpc_digit_bits(tuning))) return true;
    eis_mpc_cut_refuse(graph, "a comparison", bound, low);
    return false;
}

/* ---- polynomials in t, |t| <= 1 ---- */

/* t and its powers 2, 3, 4 and, for degrees above 11, 8, at `frac` bits; all may be garbage outside the interval. */
typedef struct powers {
    eis_mpc_id t[5], t8;
    unsigned frac, coefficient;
} powers;

static eis_mpc_id power(eis_mpc_graph *graph, const eis_mpc_id *factors, uint32_t count, unsigned frac)
{
    eis_mpc_id p = eis_mpc_product(graph, factors, count, 0);

    eis_mpc_set_gated(graph, p, ldexp(1, (int)(count * frac)) * 1.01);
    p = eis_mpc_rescale_auth(graph, p, frac);
    eis_mpc_set_gated(graph, p, ldexp(1, (int)frac) + 4);
    return p;
}

/* Costs 2 rounds, 6 words; above degree 11 4 rounds, 8 words. */
static void make_powers(powers *p, eis_mpc_graph *graph, eis_mpc_id t, unsigned degree, unsigned coefficient)
{
    const eis_mpc_id factors[4] = {t, t, t, t};

    if (t == EIS_MPC_NONE) {
        *p = (powers){.t = {EIS_MPC_NONE, EIS_MPC_NONE, EIS_MPC_NONE, EIS_MPC_NONE, EIS_MPC_NONE}, .t8 = EIS_MPC_NONE};
        return;
    }
    p->frac = node_of(graph, t)->frac;
    p->coefficient = coefficient;
    p->t[1] = t;
    for (uint32_t k = 2; k <= 4; k++) p->t[k] = power(graph, factors, k, p->frac);
    p->t8 = EIS_MPC_NONE;
    if (degree > 11) p->t8 = power(graph, (const eis_mpc_id[]){p->t[4], p->t[4]}, 2, p->frac);
}

/* c_0 + c_1 t + c_2 t^2 + c_3 t^3 for coefficients 4 block .., as a wire. */
static eis_mpc_id poly_block(eis_mpc_graph *graph, const powers *p, const double *c, unsigned degree, unsigned block)
{
    eis_mpc_id sum = EIS_MPC_NONE;
    double total = 0;

    for (unsigned k = 1; k < 4; k++) {
        double value = 4 * block + k <= degree ? c[4 * block + k] : 0;
        eis_mpc_id term = eis_mpc_scale(graph, p->t[k], llround(ldexp(value, (int)p->coefficient)), p->coefficient);
        sum = k == 1 ? term : eis_mpc_add(graph, sum, term);
        total += fabs(value);
    }
    sum = eis_mpc_offset(graph, sum, llround(ldexp(c[4 * block], (int)(p->coefficient + p->frac))));
    eis_mpc_set_gated(graph, sum, ldexp(total + fabs(c[4 * block]), (int)(p->coefficient + p->frac)) * 1.01);
    return sum;
}

/* gate * polynomial as an AUTH at 3 frac + coefficient bits; gate NONE: the polynomial itself. */
static eis_mpc_id gated_polynomial(eis_mpc_graph *graph, const powers *p, const double *c, unsigned degree,
                                   eis_mpc_id gate)
{
    unsigned blocks = degree / 4 + 1, full = 3 * p->frac + p->coefficient;
    eis_mpc_id sum = EIS_MPC_NONE;

    if (p->t[1] == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (unsigned j = 0; j < blocks; j++) {
        eis_mpc_id factors[4], term, block = poly_block(graph, p, c, degree, j);
        uint32_t count = 0;
        unsigned have;
        if (gate != EIS_MPC_NONE) factors[count++] = gate;
        if (j == 1) factors[count++] = p->t[4];
        if (j == 2 && degree <= 11) factors[count++] = p->t[4], factors[count++] = p->t[4];
        if (j >= 2 && degree > 11) factors[count++] = p->t8;
        if (j == 3) factors[count++] = p->t[4];
        if (block == EIS_MPC_NONE) return EIS_MPC_NONE;
        factors[count++] = block;
        have = p->frac + p->coefficient + (count - 1 - (gate != EIS_MPC_NONE)) * p->frac;
        factors[count - 1] = block = eis_mpc_scale(graph, block, INT64_C(1) << (full - have), full - have);
        if (count == 1)
            term = eis_mpc_auth(graph, block);
        else
            term = eis_mpc_product(graph, factors, count, 0);
        sum = j == 0 ? term : eis_mpc_add(graph, sum, term);
    }
    return sum;
}

/* Returns the largest magnitude of a polynomial on [-1, 1]. */
static double largest_of(const double *c, unsigned degree)
{
    double largest = 0;

    for (int i = -1000; i <= 1000; i++) {
        double y = 0;
        for (unsigned k = degree + 1; k-- > 0;) y = y * i / 1000 + c[k];
        largest = fmax(largest, fabs(y));
    }
    return largest * 1.01;
}

/* Checks the value of a polynomial at 3 frac + coefficient bits against the field: sums in between wrap without harm.
 */
static bool polynomial_fits(eis_mpc_graph *graph, const double *c, unsigned degree, unsigned frac, unsigned coefficient,
                            const char *what)
{
    double bits = 3.0 * frac + coefficient + log2(fmax(largest_of(c, degree), 1));

    if (bits <= EIS_FP_BITS - 2.5) return true;
    (void)refuse(graph, what, bits, EIS_FP_BITS - 2.5, "lower the degree or the range");
    return false;
}

/* ---- exp ---- */

eis_mpc_id eis_mpc_exp(eis_mpc_graph *graph, eis_mpc_id v, const eis_mpc_tuning *tuning)
{
    double c[EIS_MPC_DEGREE_MAX + 1], range = tuning->exp_range + EXP_BEYOND, bound;
    unsigned frac, place, degree = tuning->exp_degree;
    double widest;
    eis_mpc_id t, gate, e;
    eis_mpc_cut cut;
    powers p;

    if (v == EIS_MPC_NONE) return EIS_MPC_NONE;
    eis_mpc_fit(c, degree, eis_mpc_function_exp, range);
    if (!polynomial_fits(graph, c, degree, EXP_FRAC, EXP_COEFFICIENT, "cheby.deg")) return EIS_MPC_NONE;
    frac = node_of(graph, v)->frac;
    if (frac > EXP_INPUT_FRAC_MAX)
        return refuse(graph, "the fraction of exp's argument", frac, EXP_INPUT_FRAC_MAX,
                      "lower fixed_point.scale_bits");
    bound = ldexp(tuning->exp_range, (int)frac);
    widest = fmax(node_of(graph, v)->bound, bound); /* v and the threshold are both negative */
    if (!cut_for(&cut, graph, widest, frac - 3, tuning)) return EIS_MPC_NONE;
    gate = eis_mpc_mask(graph, eis_mpc_at_least(graph, v, cut, -llround(bound), widest));
    /* t = 2 v / range + 1; below -range it is garbage, and the gate is 0. */
    place = frac + PLACE_FRAC > EIS_FP_BITS - 4 ? EIS_FP_BITS - 4 - frac : PLACE_FRAC; /* so that 2 t fits */
    t = eis_mpc_scale(graph, v, llround(ldexp(2 / range, (int)place)), place);
    eis_mpc_set_gated(graph, t, ldexp(2.01, (int)(frac + place)));
    t = eis_mpc_truncate(graph, t, frac + place - EXP_FRAC);
    t = eis_mpc_mask(graph, eis_mpc_offset(graph, t, INT64_C(1) << EXP_FRAC));
    eis_mpc_set_gated(graph, t, ldexp(1, EXP_FRAC) + 4);
    make_powers(&p, graph, t, degree, EXP_COEFFICIENT);
    e = gated_polynomial(graph, &p, c, degree, gate);
    if (e == EIS_MPC_NONE) return e;
    graph->nodes[e].gated = false; /* the gate is inside */
    graph->nodes[e].bound = ldexp(1.01, 3 * EXP_FRAC + EXP_COEFFICIENT);
    e = eis_mpc_rescale_auth(graph, e, tuning->frac);
    eis_mpc_set_bound(graph, e, ldexp(1, (int)tuning->frac) + 64);
    return e;
}

/* A polynomial as gated_polynomial computes it, c[degree + 1] filled up with zeros; *spread gets what a unit of the
 * place in each rounded power (t^2, t^3, t^4, above degree 11 t^8) changes together. */
static double rounded_polynomial(double *spread, const double c[EIS_MPC_DEGREE_MAX + 1], unsigned degree, double t)
{
    double q[4], even = 0, odd = 0, t4 = t * t * t * t, t8 = t4 * t4, high, by4, by8;

    for (int j = 3; j >= 0; j--) {
        q[j] = ((c[4 * j + 3] * t + c[4 * j + 2]) * t + c[4 * j + 1]) * t + c[4 * j];
        even = even * t4 + c[4 * j + 2];
        odd = odd * t4 + c[4 * j + 3];
    }
    high = q[2] + t4 * q[3];
    by4 = q[1] + t8 * q[3] + 2 * t4 * high;
    by8 = degree > 11 ? high : 0;
    *spread = fabs(even) + fabs(odd) + fabs(by4) + fabs(by8);
    return q[0] + t4 * q[1] + t8 * high;
}

void eis_mpc_exp_error(double *dip, double *loss, const eis_mpc_tuning *tuning)
{
    enum { POINTS = 1000 };
    double c[EIS_MPC_DEGREE_MAX + 1] = {0}, range = tuning->exp_range + EXP_BEYOND, unit = ldexp(1, -EXP_FRAC);
    double place = expm1(range / 2 * 3 * unit); /* of t: a unit, and up to two by the rounded factor that leads to it */

    eis_mpc_fit(c, tuning->exp_degree, eis_mpc_function_exp, range);
    for (unsigned k = 0; k <= tuning->exp_degree; k++) {
        int bits = k % 4 == 0 ? EXP_FRAC + EXP_COEFFICIENT : EXP_COEFFICIENT;
        c[k] = ldexp((double)llround(ldexp(c[k], bits)), -bits);
    }
    *dip = *loss = 0;
    for (int i = 0; i <= POINTS;
         i++) { /* a unit beyond both ends, which rounding may reach; close to each other there */
        double t = -(1 + 2 * unit) * cos(3.14159265358979323846 * i / POINTS), spread;
        double y = rounded_polynomial(&spread, c, tuning->exp_degree, t), exact = eis_mpc_function_exp(t, range);
        double rounding = 1.01 * spread * unit + ldexp(1, -(int)tuning->frac);
        *dip = fmax(*dip, rounding - y);
        *loss = fmax(*loss, fabs(y - exact) + rounding + place * exact);
    }
    *dip *= 1.02;
    *loss *= 1.02;
}

/* ---- SiLU and GELU ---- */

typedef struct activation {
    double c[EIS_MPC_DEGREE_MAX + 1], range;
    unsigned degree;
    eis_mpc_id above, within; /* wires: [x >= R], and [x >= -R] - [x >= R] */
    powers p;
} activation;

eis_mpc_function eis_mpc_activation_function(eis_mpc_activation kind)
{
    static const eis_mpc_function functions[] = {[EIS_MPC_SILU] = eis_mpc_function_silu,
                                                 [EIS_MPC_GELU] = eis_mpc_function_gelu,
                                                 [EIS_MPC_GELU_TANH] = eis_mpc_function_gelu_tanh,
                                                 [EIS_MPC_SIGMOID] = eis_mpc_function_sigmoid};

    return functions[kind];
}

static bool is_wide(eis_mpc_activation kind) { return kind == EIS_MPC_SILU || kind == EIS_MPC_SIGMOID; }

unsigned eis_mpc_activation_degree(eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    return tuning->act_degree > 0 ? tuning->act_degree : is_wide(kind) ? 11 : 9;
}

double eis_mpc_activation_range(eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    return tuning->act_range > 0 ? tuning->act_range : is_wide(kind) ? 8 : 4;
}

static bool activation_begin(activation *a, eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_activation kind,
                             const eis_mpc_tuning *tuning)
{
    unsigned frac;
    int64_t edge[2];
    eis_mpc_compare compare;
    eis_mpc_cut cut;
    eis_mpc_id t, bits, low;
    uint32_t n;

    if (x == EIS_MPC_NONE) return false;
    frac = node_of(graph, x)->frac;
    n = node_of(graph, x)->count;
    a->degree = eis_mpc_activation_degree(kind, tuning);
    a->range = eis_mpc_activation_range(kind, tuning);
    /* The comparisons are blurred by 2^-6, so the fit reaches a little further. */
    eis_mpc_fit(a->c, a->degree, eis_mpc_activation_function(kind), a->range + ACT_REACH);
    if (!polynomial_fits(graph, a->c, a->degree, ACT_FRAC, ACT_COEFFICIENT, "act.deg")) return false;
    edge[0] = llround(ldexp(a->range, (int)frac));
    edge[1] = -edge[0];
    if (!cut_for(&cut, graph, node_of(graph, x)->bound + (double)edge[0], frac - 6, tuning)) return false;
    eis_mpc_compare_begin(&compare, graph, x, cut, edge, 2, 0);
    bits = eis_mpc_mask(graph, eis_mpc_compare_bit(graph, &compare));
    a->above = eis_mpc_slice(graph, bits, 0, n);
    low = eis_mpc_slice(graph, bits, n, n);
    a->within = eis_mpc_sub(graph, low, a->above);
    eis_mpc_set_bound(graph, a->within, 1);
    /* t = 2 x^2 / R^2 - 1 */
    t = eis_mpc_product2(graph, x, x, 0);
    t = eis_mpc_scale(graph, t, llround(ldexp(2 / pow(a->range + ACT_REACH, 2), PLACE_FRAC)), PLACE_FRAC);
    eis_mpc_set_gated(graph, t, ldexp(2.01, (int)(2 * frac + PLACE_FRAC)));
    t = eis_mpc_mask(graph, t);
    t = eis_mpc_truncate(graph, t, 2 * frac + PLACE_FRAC - ACT_FRAC);
    t = eis_mpc_mask(graph, eis_mpc_offset(graph, t, -(INT64_C(1) << ACT_FRAC)));
    eis_mpc_set_gated(graph, t, ldexp(1, ACT_FRAC) + 4);
    make_powers(&a->p, graph, t, a->degree, ACT_COEFFICIENT);
    return t != EIS_MPC_NONE;
}

/* E as a wire, then above x + within (x / 2 + E), times u where there is one: an AUTH. */
static eis_mpc_id in_two_steps(eis_mpc_graph *graph, activation *a, eis_mpc_id x, eis_mpc_id u)
{
    unsigned frac = node_of(graph, x)->frac;
    uint32_t count = u == EIS_MPC_NONE ? 2 : 3;
    double bound = node_of(graph, x)->bound * (u == EIS_MPC_NONE ? 1 : node_of(graph, u)->bound);
    eis_mpc_id e, w, y;

    e = gated_polynomial(graph, &a->p, a->c, a->degree, EIS_MPC_NONE);
    eis_mpc_set_gated(graph, e, ldexp(largest_of(a->c, a->degree), 3 * ACT_FRAC + ACT_COEFFICIENT));
    e = eis_mpc_rescale_auth(graph, e, frac);
    eis_mpc_set_gated(graph, e, ldexp(largest_of(a->c, a->degree), (int)frac));
    /* x / 2 + E, and x, at one bit more */
    w = eis_mpc_add(graph, eis_mpc_scale(graph, x, 1, 1), eis_mpc_scale(graph, e, 2, 1));
    x = eis_mpc_scale(graph, x, 2, 1);
    y = eis_mpc_add(graph, eis_mpc_product(graph, (const eis_mpc_id[]){a->within, w, u}, count, 0),
                    eis_mpc_product(graph, (const eis_mpc_id[]){a->above, x, u}, count, 0));
    if (y == EIS_MPC_NONE) return y;
    graph->nodes[y].gated = false; /* where E is garbage, `within` is 0 */
    graph->nodes[y].bound = 2 * bound * 1.01;
    return y;
}

/* The same in one step, at the scale of the polynomial. */
static eis_mpc_id in_one_step(eis_mpc_graph *graph, activation *a, eis_mpc_id x, double bound)
{
    unsigned full = 3 * ACT_FRAC + ACT_COEFFICIENT, frac = node_of(graph, x)->frac;
    eis_mpc_id y = gated_polynomial(graph, &a->p, a->c, a->degree, a->within), half, whole;

    half = eis_mpc_scale(graph, x, INT64_C(1) << (full - frac - 1), full - frac);
    whole = eis_mpc_scale(graph, x, INT64_C(1) << (full - frac), full - frac);
    y = eis_mpc_add(graph, y, eis_mpc_product2(graph, a->within, half, 0));
    y = eis_mpc_add(graph, y, eis_mpc_product2(graph, a->above, whole, 0));
    if (y == EIS_MPC_NONE) return y;
    graph->nodes[y].gated = false;
    graph->nodes[y].bound = bound;
    return y;
}

eis_mpc_id eis_mpc_activate(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_activation kind, const eis_mpc_tuning *tuning)
{
    activation a;
    eis_mpc_id y;
    double bound, wide;

    if (!activation_begin(&a, graph, x, kind, tuning)) return EIS_MPC_NONE;
    bound = node_of(graph, x)->bound;
    wide = ldexp(bound, 3 * ACT_FRAC + ACT_COEFFICIENT - (int)node_of(graph, x)->frac) * 1.01;
    y = wide <= EIS_MPC_BOUND_TRUNCATED ? in_one_step(graph, &a, x, wide) : in_two_steps(graph, &a, x, EIS_MPC_NONE);
    y = eis_mpc_rescale_auth(graph, y, tuning->frac);
    eis_mpc_set_bound(graph, y, bound * 1.01 + 64);
    return y;
}

eis_mpc_id eis_mpc_gated_unit(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_id u, eis_mpc_activation kind,
                              const eis_mpc_tuning *tuning)
{
    activation a;
    eis_mpc_id y;
    double bound;

    if (u == EIS_MPC_NONE || !activation_begin(&a, graph, x, kind, tuning)) return EIS_MPC_NONE;
    bound = ldexp(node_of(graph, x)->bound, -(int)node_of(graph, x)->frac) *
            ldexp(node_of(graph, u)->bound, (int)tuning->frac - (int)node_of(graph, u)->frac);
    y = eis_mpc_rescale_auth(graph, in_two_steps(graph, &a, x, u), tuning->frac);
    eis_mpc_set_bound(graph, y, bound * 1.01 + 64);
    return y;
}

/* 1/2 + x h(x^2) within, 1 above, 0 below. */
eis_mpc_id eis_mpc_sigmoid(eis_mpc_graph *graph, eis_mpc_id x, const eis_mpc_tuning *tuning)
{
    activation a;
    unsigned full;
    eis_mpc_id h, y;

    if (!activation_begin(&a, graph, x, EIS_MPC_SIGMOID, tuning)) return EIS_MPC_NONE;
    full = node_of(graph, x)->frac + SIGMOID_FRAC;
    h = gated_polynomial(graph, &a.p, a.c, a.degree, EIS_MPC_NONE);
    eis_mpc_set_gated(graph, h, ldexp(largest_of(a.c, a.degree), 3 * ACT_FRAC + ACT_COEFFICIENT));
    h = eis_mpc_rescale_auth(graph, h, SIGMOID_FRAC);
    eis_mpc_set_gated(graph, h, ldexp(largest_of(a.c, a.degree), SIGMOID_FRAC));
    y = eis_mpc_product(graph, (const eis_mpc_id[]){a.within, x, h}, 3, ldexp(1.01, (int)full));
    y = eis_mpc_add(graph, y, eis_mpc_scale(graph, a.within, INT64_C(1) << (full - 1), full));
    y = eis_mpc_add(graph, y, eis_mpc_scale(graph, a.above, INT64_C(1) << full, full));
    eis_mpc_set_bound(graph, y, ldexp(1.05, (int)full));
    y = eis_mpc_rescale_auth(graph, y, tuning->frac);
    eis_mpc_set_bound(graph, y, ldexp(1, (int)tuning->frac) + 64);
    return y;
}

/* ---- reciprocals ---- */

/* A or B of the segment that x lies in: value_0 + sum of differences times bits, an AUTH. bits[element][threshold]. */
static eis_mpc_id segment_value(eis_mpc_graph *graph, eis_mpc_id bits, uint32_t thresholds, const double *value,
                                unsigned frac)
{
    uint32_t n = bits == EIS_MPC_NONE ? 0 : node_of(graph, bits)->count;
    int64_t *steps = eis_mpc_graph_new(graph, n, sizeof *steps), first = llround(ldexp(value[0], (int)frac));
    double largest = fabs((double)first);
    eis_mpc_id sum;

    if (steps == NULL || n == 0) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n; i++) {
        int64_t before = llround(ldexp(value[i % thresholds], (int)frac));
        int64_t now = llround(ldexp(value[i % thresholds + 1], (int)frac));
        steps[i] = now - before;
        largest = fmax(largest, fabs((double)now));
    }
    sum = eis_mpc_offset(graph, eis_mpc_sum(graph, eis_mpc_weigh(graph, bits, steps, frac), thresholds), first);
    eis_mpc_set_bound(graph, sum, largest);
    return sum;
}

/* bits[threshold][element] as [element][threshold]. */
static eis_mpc_id by_element(eis_mpc_graph *graph, eis_mpc_id bits, uint32_t thresholds)
{
    uint32_t n, elements, *index;

    if (bits == EIS_MPC_NONE) return bits;
    n = node_of(graph, bits)->count;
    elements = n / thresholds;
    if (elements == 1) return bits;
    if ((index = eis_mpc_graph_new(graph, n, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n; i++) index[i] = i % thresholds * elements + i / thresholds;
    return eis_mpc_gather(graph, bits, index, n);
}

/* The bits below a quarter of the distance of neighbouring thresholds; twice that still tells them apart. */
static unsigned resolution(double from, unsigned per_octave, unsigned frac)
{
    double gap = ldexp(from * (exp2(1.0 / per_octave) - 1), (int)frac) / 4;

    return gap < 2 ? 0 : (unsigned)floor(log2(gap));
}

static eis_mpc_id first_guess(eis_mpc_graph *graph, eis_mpc_id wire, eis_mpc_id x, double from, double usual, double to,
                              const reciprocal_scale *kind, const eis_mpc_tuning *tuning)
{
    eis_mpc_lines l;
    unsigned frac = node_of(graph, wire)->frac, low;
    double widest;
    int64_t edge[EIS_MPC_THRESHOLDS_MAX];
    eis_mpc_compare compare;
    eis_mpc_id bits, a, b, y;
    eis_mpc_cut cut;

    if (!eis_mpc_fit_lines(&l, from, usual, to, kind->power, tuning->per_octave))
        return refuse(graph, "a reciprocal of more than 256 lines", log2(to / from),
                      EIS_MPC_THRESHOLDS_MAX / tuning->per_octave, "lower spline.per_octave");
    if (l.count == 0) { /* one line for all: no comparison */
        y = eis_mpc_scale(graph, x, llround(ldexp(l.b[0], LINE_FRAC - (int)kind->x_frac)), LINE_FRAC - kind->x_frac);
        y = eis_mpc_offset(graph, y, llround(ldexp(l.a[0], LINE_FRAC)));
        return eis_mpc_rescale(graph, y, kind->y_frac);
    }
    for (uint32_t i = 0; i < l.count; i++) edge[i] = llround(ldexp(l.edge[i], (int)frac));
    low = resolution(from, tuning->per_octave, frac);
    widest = fmax(node_of(graph, wire)->bound, (double)edge[l.count - 1]); /* both are positive */
    if (!eis_mpc_cut_choose(&cut, widest, low, eis_mpc_digit_bits(tuning)) &&
        !eis_mpc_cut_choose(&cut, widest, low + 1, eis_mpc_digit_bits(tuning))) {
        eis_mpc_cut_refuse(graph, "a comparison of a reciprocal", widest, low + 1);
        return EIS_MPC_NONE;
    }
    eis_mpc_compare_begin(&compare, graph, wire, cut, edge, l.count, widest);
    bits = by_element(graph, eis_mpc_compare_bit(graph, &compare), l.count);
    a = eis_mpc_mask(graph, segment_value(graph, bits, l.count, l.a, LINE_FRAC));
    b = eis_mpc_mask(graph, segment_value(graph, bits, l.count, l.b, LINE_FRAC - kind->x_frac));
    y = eis_mpc_add(graph, eis_mpc_product2(graph, b, x, ldexp(l.a[0], LINE_FRAC)), a);
    eis_mpc_set_bound(graph, y, ldexp(pow(from, -kind->power) * 1.1, LINE_FRAC));
    y = eis_mpc_rescale_auth(graph, y, kind->y_frac);
    eis_mpc_set_bound(graph, y, ldexp(pow(from, -kind->power) * 1.1, (int)kind->y_frac) + 2);
    return y;
}

/* One Newton step: (3 y - x y^3) / 2 or 2 y - x y^2, at `frac` bits. */
static eis_mpc_id newton(eis_mpc_graph *graph, eis_mpc_id y, eis_mpc_id x, const reciprocal_scale *kind, unsigned frac,
                         double largest)
{
    bool root = kind->power < 0.75;
    eis_mpc_id factors[4] = {x, y, y, y}, p, r;
    unsigned full;

    if (y == EIS_MPC_NONE) return y;
    full = node_of(graph, x)->frac + (root ? 3 : 2) * node_of(graph, y)->frac;
    p = eis_mpc_product(graph, factors, root ? 4 : 3, ldexp(largest * 2, (int)full));
    r = eis_mpc_scale(graph, y, (root ? INT64_C(3) : INT64_C(2)) << (full - node_of(graph, y)->frac),
                      full - node_of(graph, y)->frac);
    r = eis_mpc_sub(graph, r, p);
    /* For any y the bracket is at most 2 x^-1/2, or x^-1; it never is below -2 largest where the guess is fair. */
    eis_mpc_set_bound(graph, r, ldexp(largest * (root ? 2 : 1), (int)full) + ldexp(1, 32));
    if (root) r = eis_mpc_scale(graph, r, 1, 1);
    r = eis_mpc_rescale_auth(graph, r, frac);
    eis_mpc_set_bound(graph, r, ldexp(largest * 1.05, (int)frac) + 2);
    return r;
}

static eis_mpc_id reciprocal(eis_mpc_graph *graph, eis_mpc_id wire, double from, double usual,
                             const reciprocal_scale *kind, const eis_mpc_tuning *tuning)
{
    eis_mpc_id x, y;
    double largest = pow(from, -kind->power), to;
    unsigned frac;

    if (wire == EIS_MPC_NONE) return EIS_MPC_NONE;
    frac = node_of(graph, wire)->frac;
    to = ldexp(node_of(graph, wire)->bound, -(int)frac);
    if (!(from > 0) || !isfinite(largest))
        return refuse(graph, "a reciprocal of numbers from 0 on", INFINITY, 0,
                      "raise fixed_point.scale_bits or lower scheduler.max_context");
    if (frac < kind->x_frac && kind->power < 0.75) /* a root of a small number would have no digits */
        return refuse(graph, "the fraction of a root's argument", kind->x_frac, frac,
                      "raise fixed_point.scale_bits, or declare smaller bounds: range.residual");
    if (frac < kind->x_frac)
        x = eis_mpc_scale(graph, wire, INT64_C(1) << (kind->x_frac - frac), kind->x_frac - frac);
    else
        x = frac == kind->x_frac ? wire : eis_mpc_rescale(graph, wire, kind->x_frac);
    y = first_guess(graph, wire, x, from, usual, to, kind, tuning);
    for (unsigned i = 0; i < tuning->newton_steps; i++)
        y = newton(graph, y, x, kind, i + 1 == tuning->newton_steps ? kind->result_frac : kind->y_frac, largest);
    return y;
}

eis_mpc_id eis_mpc_reciprocal(eis_mpc_graph *graph, eis_mpc_id x, double from, double usual,
                              const eis_mpc_tuning *tuning)
{
    return reciprocal(graph, x, from, usual, &reciprocal_scales, tuning);
}

/* How many times x is multiplied by 4, so that `from` is not below what the scales are made for. */
static unsigned root_shifts(double from)
{
    unsigned shifts = 0;

    while (ldexp(from, 2 * (int)shifts) < ROOT_FROM) shifts++;
    return shifts;
}

unsigned eis_mpc_root_frac(double from) { return ROOT_FRAC - root_shifts(from); }

eis_mpc_id eis_mpc_reciprocal_root(eis_mpc_graph *graph, eis_mpc_id x, double from, const eis_mpc_tuning *tuning)
{
    int shifts = (int)root_shifts(from);

    EIS_ASSERT(from > 0x1p-30);
    x = eis_mpc_shift(graph, x, 2 * shifts);
    return eis_mpc_shift(graph, reciprocal(graph, x, ROOT_FROM, ROOT_FROM * ROOT_SPAN, &root_scales, tuning), shifts);
}
