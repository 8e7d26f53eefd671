/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials of ciphertexts. One walk over the polynomial is done twice: dry, to learn which X_k it takes and what it
 * costs, and then with ciphertexts. The same walk, so that a plan and an evaluation cannot differ. */
#include "ckks/polynomial.h"

#include <math.h>

#define TERMS_MAX (EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1)

typedef struct walk {
    eis_ckks_basis basis;
    size_t degree, levels;
    size_t baby; /* polynomials of a degree below this are sums of terms; a power of two */
    bool dry;
    bool need[TERMS_MAX];
    eis_ckks_polynomial_cost cost;
    size_t top;               /* x's limbs */
    eis_ckks_ct x[TERMS_MAX]; /* X_k where need[k], k > 0 */
    const eis_ckks_switch_key *relin;
} walk;

/* A sum before its rescale: at `limbs` and at exactly `scale`. polys 0: nothing has been added. */
typedef struct sum {
    eis_ckks_ct ct;
    size_t polys, limbs;
    double scale;
} sum;

/* Returns ceil(log2 k): the levels that X_k takes. Range: k > 0. */
static size_t depth_of(size_t k)
{
    size_t depth = 0;

    while (((size_t)1 << depth) < k) depth++;
    return depth;
}

static size_t without_zeros(const double *c, size_t degree)
{
    while (degree > 0 && c[degree] == 0) degree--;
    return degree;
}

/* ---- Sums ------------------------------------------------------------------------------------------------------- */

/* s = s + c X_k. */
static eis_status add_term(walk *w, sum *s, size_t k, double c)
{
    eis_status st = EIS_OK;
    eis_ckks_ct x;

    w->need[k] = true;
    if (w->dry) {
        if (s->polys == 0) s->polys = 2;
        return EIS_OK;
    }
    x = eis_ckks_ct_view(&w->x[k], s->limbs);
    EIS_REQUIRE(s->scale >= x.scale, EIS_ERR_SCALE, "a polynomial at a scale too small for its coefficients");
    if (s->polys == 0) {
        EIS_TRY(eis_ckks_ct_mul_real(&s->ct, &x, c, s->scale));
        s->polys = 2;
    } else {
        EIS_TRY(eis_ckks_ct_mul_real_add(&s->ct, &x, c));
    }
out:
    return st;
}

/* s = s + a b, for which the product of the scales is that of the sum but for the rounding of doubles. */
static eis_status add_product(walk *w, sum *s, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    eis_status st = EIS_OK;
    eis_ckks_ct product = {0};

    w->cost.products++;
    if (w->dry) {
        s->polys = 3;
    } else if (s->polys == 3) {
        EIS_TRY(eis_ckks_ct_mul_add(&s->ct, a, b));
    } else {
        EIS_TRY(eis_ckks_ct_mul(&product, a, b));
        product.scale = s->scale;
        if (s->polys == 0)
            EIS_TRY(eis_ckks_ct_copy(&s->ct, &product));
        else
            EIS_TRY(eis_ckks_ct_add(&s->ct, &product, &s->ct));
        s->polys = 3;
    }
out:
    eis_ckks_ct_clear(&product);
    return st;
}

/* r = the sum, relinearised and rescaled, at exactly `scale` (or what comes out, where that is 0). The sum ends. */
static eis_status finish(walk *w, eis_ckks_ct *r, sum *s, double scale)
{
    eis_status st = EIS_OK;

    w->cost.relinearisations += s->polys == 3;
    w->cost.rescales++;
    if (w->dry) return EIS_OK;
    if (s->polys == 3) {
        EIS_ASSERT(w->relin != NULL);
        EIS_TRY(eis_ckks_ct_relinearise_rescale(&s->ct, &s->ct, w->relin, EIS_CKKS_DIGITS_CENTRED));
    } else {
        EIS_TRY(eis_ckks_ct_rescale(&s->ct));
    }
    if (scale > 0) s->ct.scale = scale; /* which the sum was made for: only the rounding of doubles differs */
    eis_ckks_ct_clear(r);
    *r = s->ct;
    s->ct = (eis_ckks_ct){0};
out:
    return st;
}

/* ---- The division by X_g ---------------------------------------------------------------------------------------- */

/* c = q X_g + r with deg r < g. Range: g <= degree < 2 g. Shape: q[degree - g + 1], r[g].
 * Of Chebyshev polynomials T_g T_i is (T_(g+i) + T_(g-i)) / 2. */
static void divide(double *q, double *r, const walk *w, const double *c, size_t degree, size_t g)
{
    for (size_t i = 0; i < g; i++) r[i] = c[i];
    q[0] = c[g];
    for (size_t i = 1; i <= degree - g; i++) {
        q[i] = c[g + i];
        if (w->basis == EIS_CKKS_BASIS_CHEBYSHEV) {
            q[i] *= 2;
            r[g - i] -= c[g + i];
        }
    }
}

static eis_status add_polynomial(walk *w, sum *s, const double *c, size_t degree);

/* s = s + q X_g. */
static eis_status add_multiple(walk *w, sum *s, const double *q, size_t degree, size_t g)
{
    eis_status st = EIS_OK;
    sum inner = {.limbs = s->limbs + 1};
    eis_ckks_ct factor = {0}, x = {0};
    double scale = 1;

    degree = without_zeros(q, degree);
    if (degree == 0) return add_term(w, s, g, q[0]);
    w->need[g] = true;
    if (!w->dry) {
        x = eis_ckks_ct_view(&w->x[g], s->limbs);
        scale = s->scale / x.scale;
        inner.scale = scale * (double)eis_ckks_last_prime(x.params, inner.limbs);
    }
    EIS_TRY(add_polynomial(w, &inner, q, degree));
    EIS_TRY(finish(w, &factor, &inner, scale));
    EIS_TRY(add_product(w, s, &factor, &x));
out:
    eis_ckks_ct_clear(&inner.ct);
    eis_ckks_ct_clear(&factor);
    return st;
}

/* s = s + c. A sum at `limbs` can hold degrees below 2^(top - limbs + 1), which each step down keeps true: X_g with
 * g <= 2^(top - limbs) is there, and a quotient of a degree below g stands one limb higher. */
static eis_status add_polynomial(walk *w, sum *s, const double *c, size_t degree)
{
    eis_status st = EIS_OK;
    double quotient[TERMS_MAX], rest[TERMS_MAX];
    size_t g = 1;

    degree = without_zeros(c, degree);
    if (degree > 0 && (degree >= w->baby || depth_of(degree) > w->top - s->limbs)) {
        while (2 * g <= degree) g *= 2;
        divide(quotient, rest, w, c, degree, g);
        EIS_TRY(add_multiple(w, s, quotient, degree - g, g));
        return add_polynomial(w, s, rest, g - 1);
    }
    for (size_t k = degree; k > 0; k--)
        if (c[k] != 0) EIS_TRY(add_term(w, s, k, c[k]));
    if (c[0] != 0 && !w->dry) EIS_TRY(eis_ckks_ct_add_real(&s->ct, c[0]));
out:
    return st;
}

/* ---- The X_k ---------------------------------------------------------------------------------------------------- */

/* Marks what those that are needed are made of, and counts their products. */
static void close_needs(walk *w)
{
    w->need[1] = true;
    for (size_t k = w->degree; k > 1; k--) {
        if (!w->need[k]) continue;
        w->need[k / 2] = w->need[(k + 1) / 2] = true;
        w->cost.products++;
        w->cost.relinearisations++;
        w->cost.rescales++;
    }
}

/* X_1: x, or x relabelled to the interval [-1, 1]. */
static eis_status make_first(walk *w, const eis_ckks_polynomial *p, const eis_ckks_ct *x)
{
    eis_status st = EIS_OK;
    const double half = p->high / 2 - p->low / 2, middle = p->low / 2 + p->high / 2;

    EIS_TRY(eis_ckks_ct_copy(&w->x[1], x));
    w->x[1].generator = 0;
    if (w->basis == EIS_CKKS_BASIS_POWER) return EIS_OK;
    EIS_REQUIRE(eis_ckks_scale_fits(x->params, x->scale * half, x->limbs), EIS_ERR_SCALE,
                "an interval whose scale 2^%.1f does not fit %zu limbs", log2(x->scale * half), x->limbs);
    w->x[1].scale = x->scale * half;
    EIS_TRY(eis_ckks_ct_add_real(&w->x[1], -middle / half));
out:
    return st;
}

/* X_k = X_a X_b, or 2 T_a T_b - T_(a-b), a + b = k, a - b 0 or 1. The 2 is a label. Before the rescale an integer lifts
 * the scale to about X_1's, where it would fall below, so that scales do not shrink from square to square. */
static eis_status make_power(walk *w, size_t k)
{
    const eis_ckks_ct *high = &w->x[(k + 1) / 2];
    const eis_ckks_ct low = eis_ckks_ct_view(&w->x[k / 2], high->limbs);
    sum s = {.polys = 3};
    eis_status st = EIS_OK;
    double lift;

    EIS_TRY(eis_ckks_ct_mul(&s.ct, high, k % 2 == 0 ? high : &low));
    if (w->basis == EIS_CKKS_BASIS_CHEBYSHEV) s.ct.scale /= 2;
    lift = floor(1.01 * w->x[1].scale * (double)eis_ckks_last_prime(low.params, low.limbs) / s.ct.scale);
    if (lift >= 2 && lift < 0x1p62) EIS_TRY(eis_ckks_ct_mul_integer(&s.ct, &s.ct, (int64_t)lift, lift));
    if (w->basis == EIS_CKKS_BASIS_CHEBYSHEV) {
        const eis_ckks_ct one = eis_ckks_ct_view(&w->x[1], low.limbs);

        EIS_TRY(k % 2 == 0 ? eis_ckks_ct_add_real(&s.ct, -1) : eis_ckks_ct_mul_real_add(&s.ct, &one, -1));
    }
    EIS_TRY(finish(w, &w->x[k], &s, 0));
out:
    eis_ckks_ct_clear(&s.ct);
    return st;
}

/* ---- Plans ------------------------------------------------------------------------------------------------------ */

static eis_status check(size_t *degree, const eis_ckks_polynomial *p)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(p->degree <= EIS_CKKS_POLYNOMIAL_DEGREE_MAX, EIS_ERR_RANGE, "a polynomial of degree above %d",
                EIS_CKKS_POLYNOMIAL_DEGREE_MAX);
    for (size_t i = 0; i <= p->degree; i++)
        EIS_REQUIRE(isfinite(p->coeff[i]), EIS_ERR_RANGE, "coefficient %zu of a polynomial is not finite", i);
    *degree = without_zeros(p->coeff, p->degree);
    EIS_REQUIRE(*degree > 0, EIS_ERR_RANGE, "a polynomial that is a constant");
    if (p->basis == EIS_CKKS_BASIS_CHEBYSHEV)
        EIS_REQUIRE(isfinite(p->low) && isfinite(p->high) && p->low < p->high &&
                        isfinite((p->low + p->high) / (p->high - p->low)),
                    EIS_ERR_RANGE, "the interval of a polynomial is empty or not finite");
out:
    return st;
}

static eis_status plan_with(walk *w, const eis_ckks_polynomial *p, size_t degree, size_t baby)
{
    eis_status st = EIS_OK;
    sum s = {.limbs = 1};

    *w = (walk){.basis = p->basis, .degree = degree, .levels = depth_of(degree + 1), .baby = baby, .dry = true};
    w->top = w->levels; /* limbs 1 above the bottom; only differences count */
    w->cost.levels = w->levels;
    EIS_TRY(add_polynomial(w, &s, p->coeff, degree));
    EIS_TRY(finish(w, NULL, &s, 0));
    close_needs(w);
out:
    return st;
}

/* Relinearisations are what an evaluation's time is made of; of two plans alike the one of fewer products. */
static bool is_cheaper(const walk *a, const walk *b)
{
    if (a->cost.relinearisations != b->cost.relinearisations)
        return a->cost.relinearisations < b->cost.relinearisations;
    return a->cost.products < b->cost.products;
}

static eis_status plan(walk *w, const eis_ckks_polynomial *p)
{
    eis_status st = EIS_OK;
    walk other;
    size_t degree = 0;

    EIS_TRY(check(&degree, p));
    EIS_TRY(plan_with(w, p, degree, 2));
    for (size_t baby = 4; baby < 2 * degree; baby *= 2) {
        EIS_TRY(plan_with(&other, p, degree, baby));
        if (is_cheaper(&other, w)) *w = other;
    }
out:
    return st;
}

eis_status eis_ckks_polynomial_plan(eis_ckks_polynomial_cost *cost, const eis_ckks_polynomial *p)
{
    eis_status st = EIS_OK;
    walk w;

    *cost = (eis_ckks_polynomial_cost){0};
    EIS_TRY(plan(&w, p));
    *cost = w.cost;
out:
    return st;
}

double eis_ckks_polynomial_value(const eis_ckks_polynomial *p, double x)
{
    double value = 0, before = 0;

    if (p->basis == EIS_CKKS_BASIS_POWER) {
        for (size_t i = p->degree + 1; i-- > 0;) value = value * x + p->coeff[i];
        return value;
    }
    x = (2 * x - p->low - p->high) / (p->high - p->low);
    for (size_t i = p->degree; i > 0; i--) { /* Clenshaw's recurrence */
        double next = p->coeff[i] + 2 * x * value - before;
        before = value;
        value = next;
    }
    return p->coeff[0] + x * value - before;
}

/* ---- Evaluation ------------------------------------------------------------------------------------------------- */

static eis_status evaluate(walk *w, eis_ckks_ct *r, const eis_ckks_polynomial *p, const eis_ckks_ct *x, double scale)
{
    eis_status st = EIS_OK;
    sum s = {0};

    EIS_REQUIRE(x->limbs > w->levels, EIS_ERR_LEVEL, "a polynomial of %zu levels at %zu limbs", w->levels, x->limbs);
    w->dry = false;
    w->top = x->limbs;
    EIS_TRY(make_first(w, p, x));
    for (size_t k = 2; k <= w->degree; k++)
        if (w->need[k]) EIS_TRY(make_power(w, k));
    s.limbs = w->top - w->levels + 1;
    s.scale = scale * (double)eis_ckks_last_prime(x->params, s.limbs);
    EIS_TRY(add_polynomial(w, &s, p->coeff, w->degree));
    EIS_TRY(finish(w, r, &s, scale));
out:
    eis_ckks_ct_clear(&s.ct);
    return st;
}

eis_status eis_ckks_polynomial_eval(eis_ckks_ct *r, const eis_ckks_polynomial *p, const eis_ckks_ct *x,
                                    const eis_ckks_switch_key *relin, double scale)
{
    eis_status st = EIS_OK;
    walk w = {0};

    EIS_ASSERT(x->polys == 2);
    EIS_TRY(plan(&w, p));
    EIS_ASSERT(w.cost.relinearisations == 0 || (relin != NULL && relin->params == x->params));
    w.relin = relin;
    EIS_TRY(evaluate(&w, r, p, x, scale));
out:
    for (size_t k = 0; k < TERMS_MAX; k++) eis_ckks_ct_clear(&w.x[k]);
    return st;
}
