/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling: scale the logits, keep the k highest, turn them into probabilities, keep the fewest that reach p, draw one.
 *
 * The order of the steps is that of most programs that people compare with. Candidates are sorted by falling
 * logit, equal logits by rising id, so that the same numbers give the same token everywhere. */
#include "model/sampler.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct eis_sampler_entry {
    double weight; /* logit, then probability before division by the sum */
    uint32_t id;
};

eis_sampler_options eis_sampler_options_default(void)
{
    return (eis_sampler_options){.greedy = true, .temperature = 1, .top_k = 0, .top_p = 1, .seed = 0};
}

eis_status eis_sampler_init(eis_sampler *sampler, const eis_sampler_options *options)
{
    eis_status st = EIS_OK;

    *sampler = (eis_sampler){0};
    EIS_REQUIRE(options->greedy || (isfinite(options->temperature) && options->temperature > 0), EIS_ERR_USAGE,
                "the temperature must be a number above 0");
    EIS_REQUIRE(options->greedy || (options->top_p > 0 && options->top_p <= 1), EIS_ERR_USAGE,
                "top-p must be above 0 and at most 1");
    sampler->options = *options;
    sampler->state = options->seed;
out:
    return st;
}

void eis_sampler_clear(eis_sampler *sampler)
{
    eis_mem_free_wiped(sampler->entries, sampler->capacity, sizeof *sampler->entries);
    eis_mem_wipe(sampler, sizeof *sampler);
}

/* SplitMix64: a Weyl sequence through a mixing function. */
static uint64_t next_word(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A number in [0, 1) with 53 random bits. */
static double next_unit(uint64_t *state) { return (double)(next_word(state) >> 11) * 0x1p-53; }

uint32_t eis_sampler_best(const double *logits, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++) {
        if (logits[i] > logits[best] || (isnan(logits[best]) && !isnan(logits[i]))) best = i;
    }
    return (uint32_t)best;
}

static int by_falling_weight(const void *a, const void *b)
{
    const struct eis_sampler_entry *x = a, *y = b;

    if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
    return x->id > y->id ? 1 : -1;
}

/* Collects what can be chosen at all, divided by the temperature; an infinite quotient is as large as a double gets. */
static size_t collect(struct eis_sampler_entry *entries, const double *logits, size_t count, double temperature)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (isnan(logits[i]) || logits[i] == -INFINITY) continue;
        double scaled = logits[i] / temperature;
        scaled = scaled > DBL_MAX ? DBL_MAX : scaled < -DBL_MAX ? -DBL_MAX : scaled;
        entries[kept++] = (struct eis_sampler_entry){.weight = scaled, .id = (uint32_t)i};
    }
    return kept;
}

/* Turns sorted logits into weights, the first of them 1, and returns their sum. */
static double exponentiate(struct eis_sampler_entry *entries, size_t count)
{
    double largest = entries[0].weight, sum = 0;

    for (size_t i = 0; i < count; i++) {
        entries[i].weight = exp(entries[i].weight - largest);
        sum += entries[i].weight;
    }
    return sum;
}

/* The fewest of the sorted entries whose share of the sum reaches top_p; *sum becomes the sum of those. */
static size_t cut_at(const struct eis_sampler_entry *entries, size_t count, double top_p, double *sum)
{
    double goal = top_p * *sum, reached = 0;

    for (size_t i = 0; i < count; i++) {
        reached += entries[i].weight;
        if (reached >= goal) {
            *sum = reached;
            return i + 1;
        }
    }
    return count;
}

static uint32_t draw(eis_sampler *sampler, const struct eis_sampler_entry *entries, size_t count, double sum)
{
    double target = next_unit(&sampler->state) * sum, reached = 0;

    for (size_t i = 0; i < count; i++) {
        reached += entries[i].weight;
        if (target < reached) return entries[i].id;
    }
    return entries[count - 1].id; /* rounding left the target at the very end */
}

eis_status eis_sampler_pick(eis_sampler *sampler, uint32_t *id, const double *logits, size_t count)
{
    eis_status st = EIS_OK;
    const eis_sampler_options *o = &sampler->options;
    size_t kept;
    double sum;

    EIS_ASSERT(count >= 1 && count <= UINT32_MAX);
    if (o->greedy) {
        uint32_t best = eis_sampler_best(logits, count);
        EIS_REQUIRE(!isnan(logits[best]), EIS_ERR_RANGE, "no logit is a number");
        *id = best;
        return EIS_OK;
    }
    if (count > sampler->capacity) {
        EIS_TRY(eis_mem_resize(&sampler->entries, sampler->capacity, count, sizeof *sampler->entries));
        sampler->capacity = count;
    }
    kept = collect(sampler->entries, logits, count, o->temperature);
    EIS_REQUIRE(kept > 0, EIS_ERR_RANGE, "no logit is a number");
    qsort(sampler->entries, kept, sizeof *sampler->entries, by_falling_weight);
    if (o->top_k > 0 && o->top_k < kept) kept = o->top_k;
    sum = exponentiate(sampler->entries, kept);
    if (o->top_p < 1) kept = cut_at(sampler->entries, kept, o->top_p, &sum);
    *id = draw(sampler, sampler->entries, kept, sum);
out:
    return st;
}
