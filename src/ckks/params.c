/* SPDX-License-Identifier: Apache-2.0 */
/* The constructor of parameters. Its order is: shape, policy, primes, ids; the policy comes before any table is made,
 * so that a hostile literal costs nothing. */
#include "ckks/params.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "rand/blake2b.h"
#include "ring/zq.h"

#include <math.h>

#define SCHEME_CKKS 2u /* the scheme's number, hashed into every parms_id */

/* ---- Policies --------------------------------------------------------------------------------------------------- */

#define TABLE_DEGREE_LOG2_MIN 12
#define TABLE_DEGREE_COUNT    5

static const struct policy_row {
    const char *name;
    unsigned bits[TABLE_DEGREE_COUNT]; /* N = 4096, 8192, 16384, 32768, 65536; 0: not in the table */
} policies[] = {
    [EIS_CKKS_POLICY_2024_128] = {"he-guidelines-2024-128", {106, 214, 430, 868, 1747}},
    [EIS_CKKS_POLICY_2024_192] = {"he-guidelines-2024-192", {73, 147, 297, 597, 1199}},
    [EIS_CKKS_POLICY_2024_256] = {"he-guidelines-2024-256", {56, 114, 230, 462, 929}},
    [EIS_CKKS_POLICY_2018_128] = {"he-standard-2018", {109, 218, 438, 881, 0}},
};
#define POLICY_COUNT (sizeof policies / sizeof policies[0])

unsigned eis_ckks_policy_bits(eis_ckks_policy policy, size_t degree)
{
    if ((unsigned)policy >= POLICY_COUNT) return 0;
    for (unsigned i = 0; i < TABLE_DEGREE_COUNT; i++)
        if (degree == (size_t)1 << (TABLE_DEGREE_LOG2_MIN + i)) return policies[policy].bits[i];
    return 0;
}

const char *eis_ckks_policy_name(eis_ckks_policy policy)
{
    EIS_ASSERT((unsigned)policy < POLICY_COUNT);
    return policies[policy].name;
}

bool eis_ckks_policy_parse(eis_ckks_policy *policy, const char *name)
{
    for (unsigned i = 0; i < POLICY_COUNT; i++)
        if (strcmp(policies[i].name, name) == 0) {
            *policy = (eis_ckks_policy)i;
            return true;
        }
    return false;
}

/* ---- The constructor -------------------------------------------------------------------------------------------- */

static eis_status check_shape(const eis_ckks_literal *l)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(l->degree != 0 && (l->degree & (l->degree - 1)) == 0, EIS_ERR_RANGE, "the degree is no power of two");
    EIS_REQUIRE(l->degree >= EIS_CKKS_DEGREE_MIN && l->degree <= EIS_CKKS_DEGREE_MAX, EIS_ERR_POLICY,
                "degree %zu is not in [%u, %u]", l->degree, EIS_CKKS_DEGREE_MIN, EIS_CKKS_DEGREE_MAX);
    EIS_REQUIRE(l->prime_count >= 1 && l->prime_count <= EIS_RNS_PRIMES_MAX, EIS_ERR_RANGE,
                "a chain has 1 to %u primes", (unsigned)EIS_RNS_PRIMES_MAX);
    EIS_REQUIRE(l->special_count < l->prime_count, EIS_ERR_RANGE, "a chain of special primes alone");
    EIS_REQUIRE(l->secret == EIS_CKKS_SECRET_TERNARY, EIS_ERR_POLICY, "the secret has to be dense ternary");
    EIS_REQUIRE((unsigned)l->policy < POLICY_COUNT, EIS_ERR_POLICY, "unknown security policy");
    EIS_REQUIRE(eis_ckks_policy_bits(l->policy, l->degree) > 0, EIS_ERR_POLICY, "policy %s has no row for degree %zu",
                policies[l->policy].name, l->degree);
out:
    return st;
}

/* Refuses by a lower bound of the total before primes are searched: the product has more than sum (bits - 1) bits. */
static eis_status check_sizes(const uint64_t *primes, const eis_ckks_literal *l)
{
    unsigned limit = eis_ckks_policy_bits(l->policy, l->degree), total = 0;
    eis_status st = EIS_OK;

    for (size_t i = 0; i < l->prime_count; i++) {
        unsigned bits = primes[i] ? 64u - (unsigned)__builtin_clzll(primes[i]) : l->bits[i];

        EIS_REQUIRE(bits >= 2 && bits <= 60, EIS_ERR_RANGE, "prime %zu has not 2 to 60 bits", i);
        total += bits - 1;
    }
    EIS_REQUIRE(total < limit, EIS_ERR_POLICY, "more than the %u bits that %s allows for degree %zu", limit,
                policies[l->policy].name, l->degree);
out:
    return st;
}

static void hash_levels(eis_ckks_params *p)
{
    uint8_t words[(3 + EIS_RNS_PRIMES_MAX) * 8];

    for (size_t limbs = 1; limbs <= p->prime_count; limbs++) {
        eis_store_le64(words, SCHEME_CKKS);
        eis_store_le64(words + 8, p->degree);
        for (size_t i = 0; i < limbs; i++) eis_store_le64(words + 16 + 8 * i, eis_rns_modulus(&p->rns, i)->q);
        eis_store_le64(words + 16 + 8 * limbs, 0); /* the plain modulus, which CKKS has not */
        eis_blake2b(p->parms_id[limbs], EIS_CKKS_PARMS_ID_BYTES, words, (3 + limbs) * 8);
        p->level_bits[limbs] = eis_rns_bits(&p->rns, limbs);
    }
    p->total_bits = p->level_bits[p->prime_count];
}

static eis_status fill(eis_ckks_params *p, const uint64_t *primes, const eis_ckks_literal *l)
{
    eis_status st = EIS_OK;
    unsigned limit = eis_ckks_policy_bits(l->policy, l->degree);

    p->degree = l->degree;
    p->prime_count = l->prime_count;
    p->special_count = l->special_count > 0 ? l->special_count : l->prime_count > 1;
    p->has_special = p->special_count > 0;
    p->limbs_max = l->prime_count - p->special_count;
    p->policy = l->policy;
    p->scale = l->scale;
    EIS_TRY(eis_rns_init(&p->rns, (unsigned)__builtin_ctzll(l->degree), primes, l->prime_count));
    hash_levels(p);
    EIS_REQUIRE(p->total_bits <= limit, EIS_ERR_POLICY, "%u bits of primes; %s allows %u for degree %zu", p->total_bits,
                policies[l->policy].name, limit, l->degree);
    EIS_REQUIRE(l->scale == 0 || eis_ckks_scale_fits(p, l->scale, p->limbs_max), EIS_ERR_RANGE,
                "the default scale is no positive number below the product of the primes");
out:
    return st;
}

eis_status eis_ckks_params_new(const eis_ckks_params **params, const eis_ckks_literal *literal)
{
    eis_status st = EIS_OK;
    eis_ckks_params *p = NULL;
    uint64_t primes[EIS_RNS_PRIMES_MAX] = {0};

    *params = NULL;
    EIS_TRY(check_shape(literal));
    if (literal->primes[0] != 0) {
        for (size_t i = 0; i < literal->prime_count; i++) primes[i] = literal->primes[i];
        for (size_t i = 0; i < literal->prime_count; i++)
            EIS_REQUIRE(primes[i] != 0, EIS_ERR_RANGE, "prime %zu is missing", i);
    }
    EIS_TRY(check_sizes(primes, literal));
    if (primes[0] == 0) EIS_TRY(eis_zq_primes_choose(primes, literal->bits, literal->prime_count, literal->degree));
    EIS_NEW(p, 1);
    EIS_TRY(fill(p, primes, literal));
    *params = p;
    p = NULL;
out:
    eis_ckks_params_free(p);
    return st;
}

void eis_ckks_params_free(const eis_ckks_params *params)
{
    eis_ckks_params *p = (eis_ckks_params *)(uintptr_t)params; /* ours to end, though nobody may change it */

    if (p == NULL) return;
    eis_rns_clear(&p->rns);
    eis_mem_free(p);
}

/* ---- Questions -------------------------------------------------------------------------------------------------- */

size_t eis_ckks_parms_id_limbs(const eis_ckks_params *params, const uint8_t *id)
{
    for (size_t limbs = 1; limbs <= params->prime_count; limbs++) {
        if (limbs > params->limbs_max && limbs < params->prime_count) continue; /* some special primes: no level */
        if (memcmp(params->parms_id[limbs], id, EIS_CKKS_PARMS_ID_BYTES) == 0) return limbs;
    }
    return 0;
}

bool eis_ckks_scale_fits(const eis_ckks_params *params, double scale, size_t limbs)
{
    EIS_ASSERT(limbs >= 1 && limbs <= params->prime_count);
    return isnormal(scale) && scale > 0 && scale < ldexp(1, EIS_CKKS_SCALE_LOG2_MAX) &&
           log2(scale) < params->level_bits[limbs];
}

bool eis_ckks_scale_equal(double a, double b)
{
    double largest = fmax(fmax(fabs(a), fabs(b)), 1);

    return fabs(a - b) < ldexp(largest, -52);
}

uint32_t eis_ckks_rotation_element(const eis_ckks_params *params, int32_t steps)
{
    size_t slots = eis_ckks_slots(params);
    size_t left = steps >= 0 ? (size_t)steps : slots - (size_t)(-(int64_t)steps);
    uint32_t element = 1, mask = (uint32_t)(2 * params->degree - 1);

    EIS_ASSERT(left < slots);
    for (size_t i = 0; i < left; i++) element = element * 3u & mask;
    return element;
}
