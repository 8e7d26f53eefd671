/* SPDX-License-Identifier: Apache-2.0 */
/* Slots in plain C. Contracts: kernel/slots.h. */
#include "kernel/generic/generic.h"

#include "base/bytes.h"

/* ---- The transform ---------------------------------------------------------------------------------------------- */

static void forward_block(double *restrict xr, double *restrict xi, double *restrict yr, double *restrict yi, size_t h,
                          double wr, double wi)
{
    for (size_t j = 0; j < h; j++) {
        const double vr = yr[j] * wr - yi[j] * wi, vi = yr[j] * wi + yi[j] * wr;

        yr[j] = xr[j] - vr;
        yi[j] = xi[j] - vi;
        xr[j] += vr;
        xi[j] += vi;
    }
}

void slots_forward_generic(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    for (size_t m = 1, h = n / 2; h > 0; m *= 2, h /= 2) {
        for (size_t i = 0; i < m; i++) {
            double *xr = re + 2 * i * h, *xi = im + 2 * i * h;

            forward_block(xr, xi, xr + h, xi + h, h, root_re[m + i], root_im[m + i]);
        }
    }
}

static void inverse_block(double *restrict xr, double *restrict xi, double *restrict yr, double *restrict yi, size_t h,
                          double wr, double wi)
{
    for (size_t j = 0; j < h; j++) {
        const double dr = xr[j] - yr[j], di = xi[j] - yi[j];

        xr[j] += yr[j];
        xi[j] += yi[j];
        yr[j] = dr * wr + di * wi; /* times the conjugate */
        yi[j] = di * wr - dr * wi;
    }
}

void slots_inverse_generic(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    for (size_t m = n / 2, h = 1; m > 0; m /= 2, h *= 2) {
        for (size_t i = 0; i < m; i++) {
            double *xr = re + 2 * i * h, *xi = im + 2 * i * h;

            inverse_block(xr, xi, xr + h, xi + h, h, root_re[m + i], root_im[m + i]);
        }
    }
}

/* ---- Rounding --------------------------------------------------------------------------------------------------- */

#define SIGN (UINT64_C(1) << 63)

/* Magnitudes from 2^52 on are integers, or not finite, and stay. Below, the difference to the whole part is exact. */
static double round_away(double v)
{
    const uint64_t bits = eis_bits_of_f64(v), magnitude = bits & ~SIGN;
    const uint64_t small = eis_ct_mask_less(magnitude, eis_bits_of_f64(0x1p52));
    const double a = eis_f64_of_bits(magnitude & small);
    int64_t whole = (int64_t)a;

    whole += a - (double)whole >= 0.5;
    return eis_f64_of_bits(eis_ct_select(small, eis_bits_of_f64((double)whole), magnitude) | (bits & SIGN));
}

/* The bits of magnitudes are in the same order as the numbers, behind them infinity and what is not a number, so they
 * are compared as words, without a branch. */
double slots_scale_and_round_generic(double *v, size_t n, double factor)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < n; i++) {
        const double scaled = v[i] * factor;
        const uint64_t magnitude = eis_bits_of_f64(scaled) & ~SIGN;

        largest = eis_ct_select(eis_ct_mask_less(largest, magnitude), magnitude, largest);
        v[i] = round_away(scaled);
    }
    return eis_f64_of_bits(largest);
}

void slots_words_from_integers_generic(uint64_t *words, const double *v, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) words[i] = eis_zq_from_i64((int64_t)v[i], m);
}

/* ---- Digits ----------------------------------------------------------------------------------------------------- */

/* Half of (Q - 1) has the digits (q_i - 1) / 2, so the first unequal digit from the top says whether the number stands
 * for a negative one; that is Q - x, whose digits are those of Q - 1 - x plus 1.
 * From below: the difference to the half decides, and where it is 0, what all ones from before make of it. */
static double centred_real(const uint64_t *digits, size_t limbs, size_t stride, const eis_modulus *const *m)
{
    uint64_t negative = 0;
    double v = 0;

    for (size_t i = 0; i < limbs; i++) {
        const uint64_t digit = digits[i * stride], half = (m[i]->q - 1) / 2;

        negative = (uint64_t)0 - (eis_ct_barrier(half - digit + negative) >> 63);
    }
    for (size_t i = limbs; i-- > 0;) {
        const uint64_t digit = digits[i * stride];
        const uint64_t magnitude = eis_ct_select(negative, m[i]->q - 1 - digit + (i == 0), digit);

        v = v * m[i]->q_real + (double)(int64_t)magnitude;
    }
    return eis_f64_of_bits(eis_bits_of_f64(v) ^ (negative & SIGN));
}

void slots_reals_from_digits_generic(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                     const eis_modulus *const *m, double factor)
{
    for (size_t i = 0; i < n; i++) v[i] = centred_real(digits + i, limbs, stride, m) * factor;
}
