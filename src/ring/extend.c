/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/extend.h"

#include "kernel/kernel.h"
#include "ring/zq.h"

static bool is_in(eis_rns_group group, size_t prime)
{
    return prime >= group.first && prime < group.first + group.count;
}

/* The product of the group's primes but for one (SIZE_MAX: of all), mod the prime `to`. */
static uint64_t product_without(const eis_rns *rns, eis_rns_group group, size_t without, size_t to)
{
    const eis_modulus *m = eis_rns_modulus(rns, to);
    uint64_t product = 1;

    for (size_t i = group.first; i < group.first + group.count; i++)
        if (i != without) product = eis_zq_mul(product, eis_zq_reduce(eis_rns_modulus(rns, i)->q, m), m);
    return product;
}

uint64_t eis_rns_group_product(const eis_rns *rns, eis_rns_group group, size_t to)
{
    EIS_ASSERT(!is_in(group, to));
    return product_without(rns, group, SIZE_MAX, to);
}

/* The product of 1/q_d mod q_to over the group's other primes. */
static eis_zq_factor inverse_without(const eis_rns *rns, eis_rns_group group, size_t to)
{
    const eis_modulus *m = eis_rns_modulus(rns, to);
    uint64_t product = 1;

    for (size_t d = group.first; d < group.first + group.count; d++)
        if (d != to) product = eis_zq_mul(product, eis_rns_inverse(rns, d, to).value, m);
    return eis_zq_factor_make(product, m);
}

eis_zq_factor eis_rns_group_inverse(const eis_rns *rns, eis_rns_group group, size_t to)
{
    EIS_ASSERT(!is_in(group, to));
    return inverse_without(rns, group, to);
}

void eis_rns_split_raw(const eis_rns *rns, uint64_t *x, uint64_t *e, eis_rns_group group, bool centred)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const size_t n = rns->degree;

    EIS_ASSERT(group.count > 0 && group.first + group.count <= rns->count);
    for (size_t i = 0; i < group.count; i++) {
        const size_t prime = group.first + i;

        k->mul_factor(x + i * n, x + i * n, n, inverse_without(rns, group, prime), eis_rns_modulus(rns, prime));
    }
    for (size_t j = 0; j < n; j++) {
        double sum = centred ? 0.5 : 0;
        uint64_t excess, upper = 0; /* how many y_i stand for negative numbers */

        for (size_t i = 0; i < group.count; i++) {
            const eis_modulus *m = eis_rns_modulus(rns, group.first + i);

            sum += (double)(int64_t)x[i * n + j] * m->q_inverse;
            upper += ((m->q - 1) / 2 - x[i * n + j]) >> 63;
        }
        excess = (uint64_t)(int64_t)sum - upper;
        e[j] = excess + (EIS_RNS_EXCESS_MODULUS & ((uint64_t)0 - (excess >> 63)));
    }
}

void eis_rns_extend_raw(const eis_rns *rns, uint64_t *r, const uint64_t *y, const uint64_t *e, eis_rns_group group,
                        size_t to, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_modulus *m = eis_rns_modulus(rns, to);
    const size_t n = rns->degree;

    EIS_ASSERT(!is_in(group, to));
    k->reduce_centred(r, e, n, EIS_RNS_EXCESS_MODULUS, m);
    k->mul_factor(r, r, n, eis_zq_factor_make(eis_zq_neg(product_without(rns, group, SIZE_MAX, to), m->q), m), m);
    for (size_t i = 0; i < group.count; i++) {
        k->reduce_centred(scratch, y + i * n, n, eis_rns_modulus(rns, group.first + i)->q, m);
        k->mul_factor_add(r, scratch, n, eis_zq_factor_make(product_without(rns, group, group.first + i, to), m), m);
    }
}
