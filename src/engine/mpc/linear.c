/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/linear.h"

#include <string.h>

bool eis_mpc_is_linear(eis_mpc_op op) { return op >= EIS_MPC_OP_GATHER && op <= EIS_MPC_OP_SUM; }

static void sum_groups(uint64_t *r, const eis_mpc_node *node, const uint64_t *a)
{
    for (uint32_t i = 0; i < node->count; i++) {
        eis_u128 sum = 0; /* of fewer than 2^26 words below 2^61 */
        for (uint32_t j = 0; j < node->inner; j++) sum += a[(size_t)i * node->inner + j];
        r[i] = eis_fp_reduce128(sum);
    }
}

void eis_mpc_linear(uint64_t *r, const eis_mpc_node *node, const uint64_t *a, size_t a_count, const uint64_t *b)
{
    uint32_t n = node->count;

    switch (node->op) {
    case EIS_MPC_OP_GATHER:
        if (node->index == NULL) memcpy(r, a + node->first, n * sizeof *r);
        for (uint32_t i = 0; node->index != NULL && i < n; i++) r[i] = a[node->index[i]];
        break;
    case EIS_MPC_OP_JOIN:
        memcpy(r, a, a_count * sizeof *r);
        memcpy(r + a_count, b, (n - a_count) * sizeof *r);
        break;
    case EIS_MPC_OP_ADD:
        for (uint32_t i = 0; i < n; i++) r[i] = eis_fp_add(a[i], b[i]);
        break;
    case EIS_MPC_OP_SUB:
        for (uint32_t i = 0; i < n; i++) r[i] = eis_fp_sub(a[i], b[i]);
        break;
    case EIS_MPC_OP_SCALE:
        for (uint32_t i = 0; i < n; i++) r[i] = eis_fp_mul(a[i], node->scalar);
        break;
    case EIS_MPC_OP_WEIGH:
        for (uint32_t i = 0; i < n; i++) r[i] = eis_fp_mul(a[i], node->constants[i]);
        break;
    case EIS_MPC_OP_OFFSET:
        memcpy(r, a, n * sizeof *r);
        break;
    case EIS_MPC_OP_SUM:
        sum_groups(r, node, a);
        break;
    default:
        EIS_ASSERT(false); /* not a linear gate */
    }
}

void eis_mpc_add_constants(uint64_t *r, const eis_mpc_node *node, uint64_t factor)
{
    if (node->op != EIS_MPC_OP_OFFSET) return;
    if (node->constants == NULL) {
        uint64_t c = eis_fp_mul(node->scalar, factor);
        for (uint32_t i = 0; i < node->count; i++) r[i] = eis_fp_add(r[i], c);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) r[i] = eis_fp_add(r[i], eis_fp_mul(node->constants[i], factor));
}

void eis_mpc_dot_words(uint64_t *r, const eis_mpc_node *node, const uint64_t *a, const uint64_t *b)
{
    const eis_mpc_dot_shape *d = &node->dot;

    for (uint32_t g = 0; g < node->count; g++) {
        const uint64_t *x = a + d->a_at[g], *y = b + d->b_at[g];
        eis_u128 sum = 0;
        for (uint32_t i = 0; i < d->inner; i++) {
            sum += (eis_u128)x[(size_t)i * d->a_step] * y[(size_t)i * d->b_step];
            if (i % 32 == 31) sum = eis_fp_reduce128(sum); /* 63 products below 2^122 fit */
        }
        r[g] = eis_fp_reduce128(sum);
    }
}
