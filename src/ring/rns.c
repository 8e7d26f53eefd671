/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/rns.h"

#include "base/mem.h"
#include "ring/zq.h"

#include <math.h>
#include <string.h>

static eis_status fill_plans(eis_rns *rns, const uint64_t *primes)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < rns->count; i++) {
        for (size_t j = 0; j < i; j++) {
            EIS_REQUIRE(primes[i] != primes[j], EIS_ERR_RANGE, "primes %zu and %zu of the chain are the same", j, i);
        }
        EIS_TRY(eis_ntt_plan_init(&rns->plan[i], rns->degree_log2, primes[i]));
    }
out:
    return st;
}

static void fill_inverses(eis_rns *rns)
{
    for (size_t d = 0; d < rns->count; d++) {
        for (size_t i = 0; i < rns->count; i++) {
            const eis_modulus *m = eis_rns_modulus(rns, i);

            if (d == i) continue;
            rns->inverse[d * rns->count + i] = eis_zq_factor_make(eis_zq_inverse_var(rns->plan[d].mod.q, m), m);
        }
    }
}

eis_status eis_rns_init(eis_rns *rns, unsigned degree_log2, const uint64_t *primes, size_t count)
{
    eis_status st = EIS_OK;

    memset(rns, 0, sizeof *rns);
    EIS_REQUIRE(count > 0 && count <= EIS_RNS_PRIMES_MAX, EIS_ERR_RANGE, "a chain has 1 to %d primes",
                EIS_RNS_PRIMES_MAX);
    EIS_REQUIRE(degree_log2 > 0 && degree_log2 <= EIS_NTT_DEGREE_LOG2_MAX, EIS_ERR_RANGE,
                "the degree of a ring must be 2^1 to 2^%d", EIS_NTT_DEGREE_LOG2_MAX);
    EIS_NEW(rns->plan, count);
    EIS_NEW(rns->inverse, count * count);
    rns->degree_log2 = degree_log2;
    rns->degree = (size_t)1 << degree_log2;
    rns->count = count;
    EIS_TRY(fill_plans(rns, primes));
    fill_inverses(rns);
out:
    if (st != EIS_OK) eis_rns_clear(rns);
    return st;
}

void eis_rns_clear(eis_rns *rns)
{
    for (size_t i = 0; i < rns->count; i++) eis_ntt_plan_clear(&rns->plan[i]);
    eis_mem_free(rns->plan);
    eis_mem_free(rns->inverse);
    memset(rns, 0, sizeof *rns);
}

double eis_rns_log2(const eis_rns *rns, size_t limbs)
{
    double sum = 0;

    EIS_ASSERT(limbs <= rns->count);
    for (size_t i = 0; i < limbs; i++) sum += log2(rns->plan[i].mod.q_real);
    return sum;
}

#define PRODUCT_WORDS EIS_RNS_PRIMES_MAX /* every prime adds at most one word */

/* The product itself, in words: the logarithm would be too coarse beside a power of two. */
unsigned eis_rns_bits(const eis_rns *rns, size_t limbs)
{
    uint64_t product[PRODUCT_WORDS] = {1};
    unsigned bits = 64 * PRODUCT_WORDS;

    EIS_ASSERT(limbs <= rns->count);
    for (size_t i = 0; i < limbs; i++) {
        eis_zq_wide carry = 0;

        for (size_t w = 0; w < PRODUCT_WORDS; w++) {
            carry += (eis_zq_wide)product[w] * rns->plan[i].mod.q;
            product[w] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    while (bits > 64 && product[bits / 64 - 1] == 0) bits -= 64;
    while (product[(bits - 1) / 64] >> (bits - 1) % 64 == 0) bits--; /* the product is at least 1 */
    return bits;
}
