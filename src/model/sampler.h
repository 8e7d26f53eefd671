/* SPDX-License-Identifier: Apache-2.0 */
/* Which token comes next: the best one, or one drawn by temperature, top-k and top-p from a seeded generator. */
#ifndef EIS_MODEL_SAMPLER_H
#define EIS_MODEL_SAMPLER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a user may ask for. */
typedef struct eis_sampler_options {
    bool greedy;        /* take the highest logit; the rest is then not looked at */
    double temperature; /* > 0, finite; 1 leaves the model's own distribution */
    uint32_t top_k;     /* only the k highest; 0 = all */
    double top_p;       /* in (0, 1]: the fewest of the highest whose probabilities reach p; 1 = all */
    uint64_t seed;      /* the same seed, options and logits give the same tokens on every machine with the same libm */
} eis_sampler_options;

/* The generator is SplitMix64: good enough to draw words by, never for keys, masks or shares. */
typedef struct eis_sampler {
    eis_sampler_options options;
    uint64_t state;
    struct eis_sampler_entry *entries; /* [capacity], scratch */
    size_t capacity;
} eis_sampler;

/* Returns the options when nothing is asked for: greedy, temperature 1, all tokens, seed 0. */
eis_sampler_options eis_sampler_options_default(void);

/* Checks options and starts a sampler.
 *
 * Errors:  EIS_ERR_USAGE  an option outside its range, by name. The sampler is then zeroed. */
EIS_MUST_USE eis_status eis_sampler_init(eis_sampler *sampler, const eis_sampler_options *options);

/* Wipes and frees. Safe on a zeroed sampler. */
void eis_sampler_clear(eis_sampler *sampler);

/* Chooses one of the tokens.
 *
 * Shape:   logits[count], count >= 1.
 * Range:   NaN and -infinity are never chosen while anything else is there; +infinity counts as the largest double.
 * Secret:  logits and the id; variable time.
 * Cost:    greedy one pass; else O(count log count) at worst.
 * Errors:  EIS_ERR_RANGE  no logit is a number; EIS_ERR_MEMORY.  *id is untouched on error. */
EIS_MUST_USE eis_status eis_sampler_pick(eis_sampler *sampler, uint32_t *id, const double *logits, size_t count);

/* Returns the index of the highest logit, the lowest index among equals; NaN counts as -infinity. count >= 1. */
uint32_t eis_sampler_best(const double *logits, size_t count);

#endif
