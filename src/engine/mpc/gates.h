/* SPDX-License-Identifier: Apache-2.0 */
/* Gates made of others: rescaling, comparison, selection, maximum. Costs are rounds until the result, and opened words
 * per element. */
#ifndef EIS_ENGINE_MPC_GATES_H
#define EIS_ENGINE_MPC_GATES_H

#include "engine/mpc/graph.h"

/* The levels of a tournament of `count`: ceil(log2 count). Range: count <= 2^31. */
static inline unsigned eis_mpc_levels(uint32_t count)
{
    unsigned levels = 0;

    while (((uint32_t)1 << levels) < count) levels++;
    return levels;
}

/* A wire at fewer bits of fraction: truncated and masked again. Cost: 1 round, 1 word. */
eis_mpc_id eis_mpc_rescale(eis_mpc_graph *graph, eis_mpc_id wire, unsigned frac);

/* The same for an AUTH, which is opened first. Cost: 2 rounds, 2 words. */
eis_mpc_id eis_mpc_rescale_auth(eis_mpc_graph *graph, eis_mpc_id auth, unsigned frac);

/* How a comparison is cut: `low` bits are ignored, then `digits` (3, 6 or 9) digits of `digit_bits` bits. */
typedef struct eis_mpc_cut {
    unsigned low, digit_bits, digits;
} eis_mpc_cut;

/* Chooses the cheapest cut for values of up to `bound` that resolves 2^low, of digits no wider than asked for unless
 * only wider ones fit. Returns false where none fits the field. */
bool eis_mpc_cut_choose(eis_mpc_cut *cut, double bound, unsigned low, unsigned digit_bits_max);

/* Refuses a graph for a comparison that no cut fits. */
void eis_mpc_cut_refuse(eis_mpc_graph *graph, const char *what, double bound, unsigned low);

/* Comparisons in progress: their digits, masked. Every node has the words of all thresholds: [threshold][element]. */
typedef struct eis_mpc_compare {
    eis_mpc_id digits;
    eis_mpc_cut cut;
    eis_mpc_id r_masked;                       /* r_t + gt2, or g_hi, as a wire, once a selection has wanted it */
    eis_mpc_id r_plus, eq2, gt1, eq1, gt0;     /* narrow: r_t + gt2 as an auth, and masked wires */
    eis_mpc_id g_hi, e_hi, e_mid, g_mid, g_lo; /* wide: masked wires, g_hi an auth */
} eis_mpc_compare;

/* Begins comparisons of one wire with several thresholds (at its scale): 1 where x >= threshold, 0 where
 * x < threshold - 2^low, either between. bound: as for eis_mpc_digits.
 * Cost: narrow 1 round, 4 words; wide (6 digits) 2 rounds, 11 words; (9 digits) 2 rounds, 18 words; words for each
 * threshold. */
void eis_mpc_compare_begin(eis_mpc_compare *compare, eis_mpc_graph *graph, eis_mpc_id wire, eis_mpc_cut cut,
                           const int64_t *thresholds, uint32_t threshold_count, double bound);

/* The bits, as an AUTH [threshold][element]. No further cost. */
eis_mpc_id eis_mpc_compare_bit(eis_mpc_graph *graph, const eis_mpc_compare *compare);

/* The bits times x, a wire of as many words, as an AUTH. Cost: 1 word more (r_t + gt2, or g_hi), the first time.
 * bound: of x where the bit is 1; 0: that of x. */
eis_mpc_id eis_mpc_compare_select(eis_mpc_graph *graph, eis_mpc_compare *compare, eis_mpc_id x, double bound);

/* Bits at once: [x >= threshold], as an AUTH. */
eis_mpc_id eis_mpc_at_least(eis_mpc_graph *graph, eis_mpc_id wire, eis_mpc_cut cut, int64_t threshold, double bound);

/* The larger one of pairs. An optional second pair goes along: what belongs to the larger one.
 * Cost: narrow 2 rounds, 6 words and 1 for the companion. */
eis_mpc_id eis_mpc_max(eis_mpc_graph *graph, eis_mpc_id x, eis_mpc_id y, eis_mpc_cut cut, eis_mpc_id *companion,
                       eis_mpc_id companion_x, eis_mpc_id companion_y);

/* The maximum of each of `groups` rows of a[groups][inner], by a tournament of ceil(log2 inner) levels; every level may
 * lose 2^low. With `index` the place of the maximum comes along, in [0, inner). */
eis_mpc_id eis_mpc_row_max(eis_mpc_graph *graph, eis_mpc_id a, uint32_t inner, unsigned low, unsigned digit_bits_max,
                           eis_mpc_id *index);

/* The same for rows of different lengths, one behind the other: lengths[row_count]. Cost: rounds of the longest row,
 * the words of each. */
eis_mpc_id eis_mpc_rows_max(eis_mpc_graph *graph, eis_mpc_id a, const uint32_t *lengths, uint32_t row_count,
                            unsigned low, unsigned digit_bits_max, eis_mpc_id *index);

#endif
