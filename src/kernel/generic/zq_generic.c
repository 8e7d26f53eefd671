/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise arithmetic modulo one prime in plain C. Contracts: kernel/ntt.h. */
#include "kernel/generic/generic.h"

#include "base/status.h"

void zq_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_add(a[i], b[i], m->q);
}

void zq_sub_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_sub(a[i], b[i], m->q);
}

void zq_mul_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_mul(a[i], b[i], m);
}

void zq_mul_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_add(r[i], eis_zq_mul(a[i], b[i], m), m->q);
}

void zq_mul_factor_generic(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_mul_factor(a[i], factor, m->q);
}

void zq_mul_factor_add_generic(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_add(r[i], eis_zq_mul_factor(a[i], factor, m->q), m->q);
}

/* a - b + q stays below 2q, which a factor may be multiplied by. */
void zq_sub_mul_factor_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                               const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_mul_factor(a[i] - b[i] + m->q, factor, m->q);
}

void zq_dot_generic(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                    const uint32_t *order, size_t n, const eis_modulus *m)
{
    EIS_VERIFY(terms > 0 && terms <= EIS_ZQ_DOT_TERMS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t at = order != NULL ? order[i] : i;
        eis_zq_wide sum = 0;

        for (size_t j = 0; j < terms; j++) sum += (eis_zq_wide)a[j][at] * b[j][i];
        r[i] = eis_zq_reduce_wide(sum, m);
    }
}

void zq_dot_pair_generic(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                         const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m)
{
    EIS_VERIFY(terms > 0 && terms <= EIS_ZQ_DOT_TERMS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t at = order != NULL ? order[i] : i;
        eis_zq_wide sum0 = 0, sum1 = 0;

        for (size_t j = 0; j < terms; j++) {
            sum0 += (eis_zq_wide)a[j][at] * b0[j][i];
            sum1 += (eis_zq_wide)a[j][at] * b1[j][i];
        }
        r0[i] = eis_zq_reduce_wide(sum0, m);
        r1[i] = eis_zq_reduce_wide(sum1, m);
    }
}

void zq_reduce_generic(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) r[i] = eis_zq_reduce(a[i], m);
}

void zq_reduce_centred_generic(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const uint64_t p_mod_q = eis_zq_reduce(p, m);

    for (size_t i = 0; i < n; i++) r[i] = eis_zq_centre(a[i], p, p_mod_q, m);
}
