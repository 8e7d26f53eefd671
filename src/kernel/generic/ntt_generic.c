/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of Z_q[X]/(X^n + 1) in plain C, for primes of up to 61 bits. Contracts: kernel/ntt.h.
 *
 * Forward: X^n + 1 = X^n - psi^n splits into X^(n/2) - w and X^(n/2) + w with w = psi^(n/2), and so on; node m + i of
 * this tree uses roots[m + i], so a stage reads its factors in order. Words are lazy: a butterfly takes words below 4q
 * and leaves words below 4q, because its first input is brought below 2q and the product is below 2q by itself.
 * Inverse: the same butterflies backwards, with words below 2q. Source: [LN16, algorithms 1 and 2]; ranges [Har14]. */
#include "kernel/generic/generic.h"

#include "base/status.h"

#define FORWARD_BOUND EIS_NTT_LAZY_BOUND /* words of a forward stage are below this many q */
#define INVERSE_BOUND 2

static void forward_block(uint64_t *x, uint64_t *y, size_t t, uint64_t w, uint64_t w_shoup, uint64_t q)
{
    for (size_t j = 0; j < t; j++) {
        uint64_t u = eis_zq_subtract_once(x[j], 2 * q);
        uint64_t v = eis_zq_mul_shoup_lazy(y[j], w, w_shoup, q);

        x[j] = u + v;
        y[j] = u - v + 2 * q;
        EIS_VERIFY(x[j] < FORWARD_BOUND * q && y[j] < FORWARD_BOUND * q);
    }
}

/* The last stage also makes the words canonical: a pass of its own would cost a tenth more. */
static void forward_last(uint64_t *a, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q;
    const size_t half = plan->degree / 2;

    for (size_t i = 0; i < half; i++) {
        uint64_t u = eis_zq_subtract_once(a[2 * i], 2 * q);
        uint64_t v = eis_zq_mul_shoup_lazy(a[2 * i + 1], plan->roots[half + i], plan->roots_shoup[half + i], q);

        a[2 * i] = eis_zq_subtract_once(eis_zq_subtract_once(u + v, 2 * q), q);
        a[2 * i + 1] = eis_zq_subtract_once(eis_zq_subtract_once(u - v + 2 * q, 2 * q), q);
        EIS_VERIFY(a[2 * i] < q && a[2 * i + 1] < q);
    }
}

void ntt_forward_generic(uint64_t *a, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q;

    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < EIS_NTT_LAZY_BOUND * q);
    for (size_t m = 1, t = plan->degree / 2; t > 1; m *= 2, t /= 2) {
        for (size_t i = 0; i < m; i++) {
            uint64_t *x = a + 2 * i * t;
            forward_block(x, x + t, t, plan->roots[m + i], plan->roots_shoup[m + i], q);
        }
    }
    forward_last(a, plan);
}

static void inverse_block(uint64_t *x, uint64_t *y, size_t t, uint64_t w, uint64_t w_shoup, uint64_t q)
{
    for (size_t j = 0; j < t; j++) {
        uint64_t u = x[j], v = y[j];

        x[j] = eis_zq_subtract_once(u + v, 2 * q);
        y[j] = eis_zq_mul_shoup_lazy(u - v + 2 * q, w, w_shoup, q);
        EIS_VERIFY(x[j] < INVERSE_BOUND * q && y[j] < INVERSE_BOUND * q);
    }
}

/* The last stage also multiplies by 1/n and makes the words canonical. */
static void inverse_last(uint64_t *x, uint64_t *y, size_t t, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q;

    for (size_t j = 0; j < t; j++) {
        uint64_t u = x[j], v = y[j];

        x[j] = eis_zq_mul_factor(u + v, plan->degree_inverse, q);
        y[j] = eis_zq_mul_factor(u - v + 2 * q, plan->last_inverse, q);
    }
}

void ntt_inverse_generic(uint64_t *a, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q;
    size_t t = 1;

    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < q);
    for (size_t m = plan->degree / 2; m > 1; m /= 2, t *= 2) {
        for (size_t i = 0; i < m; i++) {
            uint64_t *x = a + 2 * i * t;
            inverse_block(x, x + t, t, plan->inverse_roots[m + i], plan->inverse_roots_shoup[m + i], q);
        }
    }
    inverse_last(a, a + t, t, plan);
}
