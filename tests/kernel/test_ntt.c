/* SPDX-License-Identifier: Apache-2.0 */
/* If levels differed by one word, a server and a client on different machines would still agree, but a test against
 * SEAL would pass on one and fail on the other: every level against plain C, equal words; and plain C against division.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"
#include "ring/ntt.h"
#include "ring/zq.h"

#define LONGEST 300
#define GUARD   8
#define TERMS   9

static const unsigned sizes[] = {20, 30, 40, 45, 46, 47, 49, 50, 51, 52, 55, 59, 60, 61};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* The largest prime of a size, and the smallest: both ends of a class. */
static uint64_t prime_of(unsigned bits, uint64_t n, unsigned smallest)
{
    uint64_t v = (UINT64_C(1) << (bits - smallest)) / (2 * n) * (2 * n) + 1;

    while (!eis_zq_is_prime_var(v) || v >> bits != 0) v = smallest ? v + 2 * n : v - 2 * n;
    return v;
}

static void fill(uint64_t *a, size_t n, uint64_t bound, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t special[] = {0, 1, bound - 1, bound - 2, bound / 2, bound / 2 + 1};
        uint64_t pick = rng_next(rng);

        a[i] = pick % 4 == 0 ? special[(pick >> 8) % 6] : rng_next(rng) % bound;
    }
}

/* ---- Transforms ------------------------------------------------------------------------------------------------- */

static void compare_transforms(const eis_zq_kernels *plain, const eis_zq_kernels *k, const eis_ntt_plan *plan,
                               uint64_t *rng)
{
    const size_t n = plan->degree;
    uint64_t *a = eis_mem_new(n + 1, sizeof *a), *b = eis_mem_new(n + 1, sizeof *b);

    assert_true(a != NULL && b != NULL);
    for (size_t shift = 0; shift < 2; shift++) { /* unaligned too */
        for (int kind = 0; kind < 3; kind++) {
            const uint64_t bound = kind == 0 ? EIS_NTT_LAZY_BOUND * plan->mod.q : plan->mod.q;

            fill(a + shift, n, bound, rng);
            if (kind == 2) {
                for (size_t i = 0; i < n; i++) a[shift + i] = plan->mod.q - 1 - (i & 1);
            }
            memcpy(b + shift, a + shift, n * sizeof *a);
            plain->ntt_forward(a + shift, plan);
            k->ntt_forward(b + shift, plan);
            assert_memory_equal(a + shift, b + shift, n * sizeof *a);
            fill(a + shift, n, plan->mod.q, rng);
            memcpy(b + shift, a + shift, n * sizeof *a);
            plain->ntt_inverse(a + shift, plan);
            k->ntt_inverse(b + shift, plan);
            assert_memory_equal(a + shift, b + shift, n * sizeof *a);
        }
    }
    eis_mem_free(a);
    eis_mem_free(b);
}

/* There and back, and the other way round: results at the ends of the range, where a wrong quotient shows. */
static void return_to_extremes(const eis_zq_kernels *k, const eis_ntt_plan *plan, uint64_t *rng)
{
    const size_t n = plan->degree, bytes = n * sizeof(uint64_t);
    uint64_t *a = eis_mem_new(n, sizeof *a), *b = eis_mem_new(n, sizeof *b);

    assert_true(a != NULL && b != NULL);
    for (int forward_first = 0; forward_first < 2; forward_first++) {
        for (int kind = 0; kind < 3; kind++) {
            fill(a, n, plan->mod.q, rng);
            for (size_t i = 0; kind > 0 && i < n; i++) a[i] = kind == 1 ? plan->mod.q - 1 : i % 2 * (plan->mod.q - 1);
            memcpy(b, a, bytes);
            (forward_first ? k->ntt_forward : k->ntt_inverse)(b, plan);
            (forward_first ? k->ntt_inverse : k->ntt_forward)(b, plan);
            assert_memory_equal(a, b, bytes);
        }
    }
    eis_mem_free(a);
    eis_mem_free(b);
}

static void every_level_transforms_alike(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (unsigned log2n = 1; log2n <= 14; log2n++) {
        for (size_t s = 0; s < SIZES; s++) {
            for (unsigned smallest = 0; smallest < 2; smallest++) {
                eis_ntt_plan plan;

                if (log2n > 10 && (s % 3 != 1 || smallest)) continue; /* the long ones for some sizes only */
                if (sizes[s] < log2n + 3) continue;
                assert_int_equal(eis_ntt_plan_init(&plan, log2n, prime_of(sizes[s], UINT64_C(1) << log2n, smallest)),
                                 EIS_OK);
                for (size_t level = 1; level < eis_kernels_level_count(); level++) {
                    compare_transforms(&eis_kernels_level(0)->zq, &eis_kernels_level(level)->zq, &plan, &rng);
                    return_to_extremes(&eis_kernels_level(level)->zq, &plan, &rng);
                }
                eis_ntt_plan_clear(&plan);
            }
        }
    }
}

/* ---- Pointwise -------------------------------------------------------------------------------------------------- */

/* The inputs of one comparison; every array has LONGEST words and is used from `shift` on. */
typedef struct inputs {
    uint64_t a[TERMS][LONGEST], b[TERMS][LONGEST], any[LONGEST];
    uint32_t order[LONGEST];
    eis_zq_factor factor;
    uint64_t p; /* of a centred residue */
    uint64_t centred[LONGEST];
    size_t n, shift;
    const eis_modulus *m;
} inputs;

/* Any places; for powers of two those of a rotation, which some levels permute by groups, with two exchanged sometimes:
 * in one group, or in two. */
static void fill_order(uint32_t *order, size_t n, uint64_t *rng)
{
    unsigned log2n = 0;
    const uint64_t pick = rng_next(rng);

    for (size_t i = 0; i < LONGEST; i++) order[i] = (uint32_t)(rng_next(rng) % (n > 0 ? n : 1));
    while ((size_t)1 << log2n < n) log2n++;
    if (n < 2 || (size_t)1 << log2n != n) return;
    eis_ntt_galois_order(order, log2n, (uint32_t)(2 * (rng_next(rng) % n) + 1));
    if (pick % 3 > 0) {
        const size_t other = pick % 3 == 1 ? 1 : n - 1;
        const uint32_t first = order[0];

        order[0] = order[other];
        order[other] = first;
    }
}

static void make_inputs(inputs *in, const eis_modulus *m, size_t n, size_t shift, uint64_t *rng)
{
    in->m = m;
    in->n = n;
    in->shift = shift;
    in->p = prime_of(sizes[rng_next(rng) % SIZES], 1, 0);
    for (size_t t = 0; t < TERMS; t++) {
        fill(in->a[t], LONGEST, m->q, rng);
        fill(in->b[t], LONGEST, m->q, rng);
    }
    fill(in->any, LONGEST, UINT64_MAX, rng);
    fill(in->centred, LONGEST, in->p, rng);
    in->factor = eis_zq_factor_make(rng_next(rng), m);
    fill_order(in->order, n, rng);
}

#define ENTRIES 13

/* Runs one entry; r holds an accumulator before. */
static void run(const eis_zq_kernels *k, size_t entry, uint64_t *r, const inputs *in)
{
    const uint64_t *a = in->a[0] + in->shift, *b = in->b[0] + in->shift;
    const uint64_t *as[TERMS], *bs[TERMS];
    uint64_t other[LONGEST]; /* the other sum of a pair: the squares, not looked at */
    const size_t n = in->n;

    for (size_t t = 0; t < TERMS; t++) {
        as[t] = in->a[t] + in->shift;
        bs[t] = in->b[t] + in->shift;
    }
    switch (entry) {
    case 0:
        k->add(r, a, b, n, in->m);
        break;
    case 1:
        k->sub(r, a, b, n, in->m);
        break;
    case 2:
        k->mul(r, a, b, n, in->m);
        break;
    case 3:
        k->mul_add(r, a, b, n, in->m);
        break;
    case 4:
        k->mul_factor(r, a, n, in->factor, in->m);
        break;
    case 5:
        k->mul_factor_add(r, a, n, in->factor, in->m);
        break;
    case 6:
        k->sub_mul_factor(r, a, b, n, in->factor, in->m);
        break;
    case 7:
        k->dot(r, as, bs, TERMS, NULL, n, in->m);
        break;
    case 8:
        k->dot(r, as, bs, 1 + n % TERMS, in->order, n, in->m);
        break;
    case 9:
        k->reduce(r, in->any + in->shift, n, in->m);
        break;
    case 10:
        k->reduce_centred(r, in->centred + in->shift, n, in->p, in->m);
        break;
    case 11:
        k->dot_pair(r, other, as, bs, as, TERMS, NULL, n, in->m);
        break;
    case 12:
        k->dot_pair(other, r, as, as, bs, 1 + n % TERMS, in->order, n, in->m);
        break;
    default:
        fail();
    }
}

static uint64_t expected(size_t entry, size_t i, uint64_t before, const inputs *in)
{
    const uint64_t a = in->a[0][in->shift + i], b = in->b[0][in->shift + i], q = in->m->q;
    const bool straight = entry == 7 || entry == 11;
    const size_t terms = straight ? TERMS : 1 + in->n % TERMS, at = straight ? i : in->order[i];
    uint64_t c = in->centred[in->shift + i], sum = 0;

    switch (entry) {
    case 0:
        return (uint64_t)(((eis_zq_wide)a + b) % q);
    case 1:
        return (uint64_t)(((eis_zq_wide)a + q - b) % q);
    case 2:
        return (uint64_t)((eis_zq_wide)a * b % q);
    case 3:
        return (uint64_t)(((eis_zq_wide)a * b + before) % q);
    case 4:
        return (uint64_t)((eis_zq_wide)a * in->factor.value % q);
    case 5:
        return (uint64_t)(((eis_zq_wide)a * in->factor.value + before) % q);
    case 6:
        return (uint64_t)((eis_zq_wide)(a + q - b) * in->factor.value % q);
    case 9:
        return in->any[in->shift + i] % q;
    case 10:
        return c > (in->p - 1) / 2 ? (q - (in->p - c) % q) % q : c % q;
    default:
        break;
    }
    for (size_t t = 0; t < terms; t++) {
        sum = (uint64_t)(((eis_zq_wide)in->a[t][in->shift + at] * in->b[t][in->shift + i] + sum) % q);
    }
    return sum;
}

static void check_entry(size_t level, size_t entry, const inputs *in, uint64_t *rng)
{
    uint64_t r[LONGEST + GUARD + 1], before[LONGEST];

    fill(before, LONGEST, in->m->q, rng);
    memset(r, 0x5a, sizeof r);
    memcpy(r + in->shift, before, in->n * sizeof *r);
    run(&eis_kernels_level(level)->zq, entry, r + in->shift, in);
    for (size_t i = 0; i < in->n; i++) {
        if (r[in->shift + i] != expected(entry, i, before[i], in)) {
            fail_msg("%s: entry %zu, %u bits, n = %zu, word %zu", eis_kernels_level_name(level), entry, in->m->bits,
                     in->n, i);
        }
    }
    for (size_t i = 0; i < GUARD; i++) assert_true(r[in->shift + in->n + i] == UINT64_C(0x5a5a5a5a5a5a5a5a));
}

static void every_level_computes_alike(void **state)
{
    const size_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 128, 255, 256, 299};
    inputs *in = eis_mem_new(1, sizeof *in);
    uint64_t rng = 2;

    (void)state;
    assert_non_null(in);
    for (size_t s = 0; s < SIZES; s++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            eis_modulus m;

            assert_int_equal(eis_modulus_init(&m, prime_of(sizes[s], 1, l % 2 == 1)), EIS_OK);
            make_inputs(in, &m, lengths[l], l % 2, &rng);
            for (size_t level = 0; level < eis_kernels_level_count(); level++) {
                for (size_t entry = 0; entry < ENTRIES; entry++) check_entry(level, entry, in, &rng);
            }
        }
    }
    eis_mem_free(in);
}

/* Sums of as many of the largest products as the contract allows, and r as one of the inputs. */
static void extremes_of_sums(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        uint64_t largest[16], r[16], r1[16];
        const uint64_t *pointers[EIS_ZQ_DOT_TERMS_MAX];
        eis_modulus m;

        assert_int_equal(eis_modulus_init(&m, prime_of(sizes[s], 1, 0)), EIS_OK);
        for (size_t i = 0; i < 16; i++) largest[i] = m.q - 1;
        for (size_t t = 0; t < EIS_ZQ_DOT_TERMS_MAX; t++) pointers[t] = largest;
        for (size_t level = 0; level < eis_kernels_level_count(); level++) {
            const eis_zq_kernels *k = &eis_kernels_level(level)->zq;

            k->dot(r, pointers, pointers, EIS_ZQ_DOT_TERMS_MAX, NULL, 16, &m);
            for (size_t i = 0; i < 16; i++) assert_true(r[i] == EIS_ZQ_DOT_TERMS_MAX % m.q); /* (-1)(-1) each */
            k->dot_pair(r, r1, pointers, pointers, pointers, EIS_ZQ_DOT_TERMS_MAX, NULL, 16, &m);
            for (size_t i = 0; i < 16; i++) assert_true(r[i] == EIS_ZQ_DOT_TERMS_MAX % m.q && r1[i] == r[i]);
            k->mul(r, r, r, 16, &m);
            for (size_t i = 0; i < 16; i++) assert_true(r[i] == 4096 % m.q);
            k->sub(r, r, r, 16, &m);
            for (size_t i = 0; i < 16; i++) assert_true(r[i] == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_transforms_alike),
        cmocka_unit_test(every_level_computes_alike),
        cmocka_unit_test(extremes_of_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
