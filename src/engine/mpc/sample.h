/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing a token from the k likeliest: sorted lists of k are merged until one is left, its exponentials are summed up
 * in order, and a random number of the dealer, turned by a public coin, says where in the sums the token is. Only the
 * token is opened. */
#ifndef EIS_ENGINE_MPC_SAMPLE_H
#define EIS_ENGINE_MPC_SAMPLE_H

#include "engine/mpc/functions.h"

#define EIS_MPC_TOP_K_MAX       64
#define EIS_MPC_TEMPERATURE_MIN 0.05
#define EIS_MPC_TEMPERATURE_MAX 16
#define EIS_MPC_SAMPLE_BITS     16 /* of the random number */

/* What is drawn where nobody says otherwise. */
#define EIS_MPC_TOP_K_DEFAULT       3
#define EIS_MPC_TEMPERATURE_DEFAULT 1

typedef struct eis_mpc_sampling {
    uint32_t top_k;     /* 1 .. EIS_MPC_TOP_K_MAX; 1 is greedy */
    double temperature; /* 0 is greedy */
} eis_mpc_sampling;

/* Where a graph takes its coin. */
typedef struct eis_mpc_sample_coin {
    uint64_t *signs;  /* [EIS_MPC_SAMPLE_BITS], the graph's */
    uint64_t *offset; /* [1] */
} eis_mpc_sample_coin;

static inline bool eis_mpc_sampling_is_greedy(const eis_mpc_sampling *sampling)
{
    return sampling->top_k == 1 || sampling->temperature == 0;
}

/* Tells whether both make the same graph. */
static inline bool eis_mpc_sampling_same(const eis_mpc_sampling *a, const eis_mpc_sampling *b)
{
    if (eis_mpc_sampling_is_greedy(a) || eis_mpc_sampling_is_greedy(b))
        return eis_mpc_sampling_is_greedy(a) && eis_mpc_sampling_is_greedy(b);
    return a->top_k == b->top_k && a->temperature == b->temperature;
}

/* Errors: EIS_ERR_RANGE  top_k or temperature is not allowed; the text says which. */
EIS_MUST_USE eis_status eis_mpc_sampling_check(const eis_mpc_sampling *sampling);

/* The place of one of the entries of a wire, drawn with probability softmax(logits / temperature) among the top_k
 * largest: a wire of one word. With at least two entries, and not greedy.
 *
 * Each of the k has a share of 2^-9 of the first one's more than its own (with the usual tunables; more where exp is
 * coarser), so that sums rise by more than a comparison blurs.
 *
 * Cost:    (log k (log k + 1) / 2 + (log k + 1) log (count / k)) levels of 2 rounds, logarithms rounded up; then exp
 *          and 6 rounds. */
eis_mpc_id eis_mpc_sample(eis_mpc_graph *graph, eis_mpc_sample_coin *coin, eis_mpc_id logits,
                          const eis_mpc_sampling *sampling, const eis_mpc_tuning *tuning);

/* Sets the coin before a walk: from eis_mpc_check_coin, once the material of the step has come. The dealer needs none.
 */
void eis_mpc_sample_set_coin(const eis_mpc_sample_coin *place, const uint8_t *coin);

#endif
