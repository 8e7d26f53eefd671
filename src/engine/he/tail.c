/* SPDX-License-Identifier: Apache-2.0 */
/* How far a sum of errors from different slots lies out, by Chernoff's bound.
 *
 * An error in a slot is a rounding times the value of the secret there: given that value it is normal, with a variance
 * that is exponentially distributed over secrets. So one with variance b has E exp(l e) = 1 / (1 - l^2 b / 2), and
 * errors of one slot, which meet the same value, together have it with the sum of their variances. Of independent slots
 * the product bounds
 *
 *   P(|e| > t) <= 2 exp(-l t) / product over slots of (1 - l^2 b / 2)      for every l below sqrt(2 / largest b). */
#include "engine/he/plan_internal.h"

#include "base/mem.h"

#include <math.h>

#define LOG_RARE (41 * 0.693147180559945309417) /* twice once in 2^41 */

/* Errors of independent slots by their variances: `count` shares, or `times` ones of `each`. */
typedef struct slots_sum {
    const double *share;
    size_t count;
    double each, times;
} slots_sum;

/* -ln of the product over slots of 1 - half_square b. */
static double log_moment(const slots_sum *s, double half_square)
{
    double product = 1, power = 0;

    for (size_t i = 0; i < s->count; i++) {
        product *= 1 - half_square * s->share[i];
        if (product < 0x1p-900) {
            product *= 0x1p900;
            power += 900;
        }
    }
    return power * 0.693147180559945309417 - log(product) - s->times * log1p(-half_square * s->each);
}

static double bound_at(const slots_sum *s, double l) { return (LOG_RARE + log_moment(s, l * l / 2)) / l; }

/* The least bound, and the l that gives it. Every l gives one, and they have one valley. Range: most, the largest
 * variance, above 0. */
static double least_bound(double *l, const slots_sum *s, double most)
{
    static const double golden = 0.618033988749894848;
    double low = 0, high = 0.9999 * sqrt(2 / most);

    for (int i = 0; i < 24; i++) {
        double left = high - golden * (high - low), right = low + golden * (high - low);

        if (bound_at(s, left) < bound_at(s, right))
            high = right;
        else
            low = left;
    }
    *l = (low + high) / 2;
    return bound_at(s, *l);
}

/* What goes through the rows. */
typedef struct row_walk {
    const eis_he_map *map;
    uint32_t apart;
    double variance, own;
    double *at;    /* [slots], zeros between rows */
    double *share; /* [slots]: of the row at work; the largest has the own variance too */
    size_t count;
    double sum, most;
} row_walk;

/* The own error may come from any of the slots; the bound is largest if all of it is from the one with most. */
static void take_row(row_walk *w, uint32_t row)
{
    const eis_he_map *map = w->map;
    size_t largest = 0;

    w->count = 0;
    w->sum = w->own;
    w->share[0] = 0;
    for (uint64_t k = map->start[row]; k < map->start[row + 1]; k++)
        w->at[map->column[k] % w->apart] += map->weight[k] * map->weight[k] * w->variance;
    for (uint64_t k = map->start[row]; k < map->start[row + 1]; k++) {
        double *at = &w->at[map->column[k] % w->apart];

        if (*at == 0) continue;
        w->sum += *at;
        w->share[w->count] = *at;
        if (*at > w->share[largest]) largest = w->count;
        w->count++;
        *at = 0;
    }
    w->share[largest] += w->own;
    w->most = w->share[largest];
    if (w->count == 0) w->count = 1;
}

static slots_sum sum_of(const row_walk *w) { return (slots_sum){.share = w->share, .count = w->count}; }

/* As if the shares were as few as the largest one allows: -ln(1 - x) / x rises, so that this is no less. */
static double quick_bound(const row_walk *w)
{
    slots_sum s = {.each = w->most, .times = w->sum / w->most};
    double l;

    return least_bound(&l, &s, w->most);
}

/* Returns the row whose quick bound is the largest. A row that has less of both sum and largest share is not it. */
static uint32_t worst_row(row_walk *w)
{
    double quick = -1, sum = -1, most = -1;
    uint32_t worst = 0;

    for (uint32_t i = 0; i < w->map->rows; i++) {
        double bound;

        take_row(w, i);
        if (w->sum <= sum && w->most <= most) continue;
        bound = quick_bound(w);
        if (bound <= quick) continue;
        quick = bound;
        sum = w->sum;
        most = w->most;
        worst = i;
    }
    return worst;
}

/* The bound of the row at work: by `l` where that does, else by its own best one. Where one slot has nearly all of it,
 * its exact tail is less; with the same sum of variances nothing has a heavier one. */
static double row_bound(const row_walk *w, double l, double enough)
{
    slots_sum s = sum_of(w);
    double tail = EIS_HE_TAIL * sqrt(w->sum), bound = INFINITY;

    if (l * l / 2 * w->most < 1) bound = bound_at(&s, l);
    if (fmin(bound, tail) > enough) bound = fmin(bound, least_bound(&l, &s, w->most));
    return fmin(bound, tail);
}

eis_status eis_he_sum_error(double *error, const eis_he_map *map, uint32_t apart, double variance, double own)
{
    eis_status st = EIS_OK;
    size_t slots = apart < map->columns ? apart : map->columns;
    row_walk w = {.map = map, .apart = apart, .variance = variance, .own = fmax(own, 0x1p-900)};
    double worst = 0, l;

    EIS_ASSERT(apart > 0);
    EIS_NEW(w.at, slots);
    EIS_NEW(w.share, slots);
    take_row(&w, worst_row(&w));
    slots_sum s = sum_of(&w);
    (void)least_bound(&l, &s, w.most);
    for (uint32_t i = 0; i < map->rows; i++) {
        take_row(&w, i);
        worst = fmax(worst, row_bound(&w, l, worst));
    }
    *error = worst;
out:
    eis_mem_free(w.at);
    eis_mem_free(w.share);
    return st;
}
