/* SPDX-License-Identifier: Apache-2.0 */
/* Magnitude, scale and noise of the numbers in a ciphertext.
 *
 * A polynomial whose coefficients are independent with variance v has slots of variance N v, half of it in the real
 * part. Variances here are of the real part, divided by the scale: N v / (2 scale^2). With a ternary secret of variance
 * 2/3, a rounding of both polynomials (variance 1/12 each) has v = 1/12 + N/18. */
#include "engine/he/plan_internal.h"

#include "ring/sampler.h"

#include <math.h>

#define ERROR_VARIANCE (EIS_SAMPLER_ERROR_PAIRS / 2.0)

static double degree_of(const eis_ckks_params *params) { return (double)params->degree; }

/* Variance in the real part of a slot, of a polynomial with coefficients of variance v. */
static double slot_variance(const eis_ckks_params *params, double v, double scale)
{
    return degree_of(params) * v / (2 * scale * scale);
}

/* Coefficient variance of a rounding of c0 + c1 s. */
static double rounding_variance(const eis_ckks_params *params) { return 1.0 / 12 + degree_of(params) / 18; }

eis_he_track eis_he_track_fresh(const eis_ckks_params *params, uint32_t limbs, double scale, double magnitude)
{
    /* The encoding's rounding, and under the public key an encryption of zero rounded by one prime; ours under the
     * secret key has ERROR_VARIANCE alone, which is less. */
    double v = 1.0 / 12 + ERROR_VARIANCE + rounding_variance(params);

    return (eis_he_track){
        .magnitude = magnitude, .variance = slot_variance(params, v, scale), .scale = scale, .limbs = limbs};
}

void eis_he_track_combine(eis_he_track *t, double square_norm, double magnitude)
{
    t->variance *= square_norm;
    t->magnitude = magnitude;
}

void eis_he_track_planes(eis_he_track *t, const eis_ckks_params *params, uint64_t terms, double x_max, double s)
{
    t->variance += (double)terms * x_max * x_max * slot_variance(params, 1.0 / 12, s);
    t->scale *= s;
}

void eis_he_track_constants(eis_he_track *t, uint64_t terms, double x_max, double s)
{
    /* Each weight is off by at most 1/2 in units of s, uniformly for all that one can know. */
    t->variance += (double)terms * x_max * x_max / (12 * s * s);
    t->scale *= s;
}

void eis_he_track_rescale(eis_he_track *t, const eis_ckks_params *params, double target)
{
    EIS_ASSERT(t->limbs > 1);
    t->limbs--;
    t->scale = target;
    t->variance += slot_variance(params, rounding_variance(params), target);
}

void eis_he_track_rescale_three(eis_he_track *t, const eis_ckks_params *params, double target)
{
    double n = degree_of(params);

    /* The third rounding meets s^2, whose slots are |s|^2 of mean 2N/3 and mean square twice that squared. */
    eis_he_track_rescale(t, params, target);
    t->variance += slot_variance(params, 2 * (2 * n / 3) * (2 * n / 3) / 12, target);
}

/* D/P: the product of the primes of the digit that begins at limb `first`, over that of the special primes. */
static double digit_ratio(const eis_ckks_params *params, size_t first, size_t limbs)
{
    double ratio = 1;

    for (size_t i = 0; i < params->special_count; i++) {
        if (first + i < limbs) ratio *= (double)eis_rns_modulus(&params->rns, first + i)->q;
        ratio /= (double)eis_rns_modulus(&params->rns, params->limbs_max + i)->q;
    }
    return ratio;
}

void eis_he_track_switch(eis_he_track *t, const eis_ckks_params *params, double count)
{
    double digits = 0;

    for (size_t first = 0; first < t->limbs; first += params->special_count) {
        double ratio = digit_ratio(params, first, t->limbs); /* a centred digit is uniform in [-D/2, D/2] */
        digits += degree_of(params) * ratio * ratio / 12 * ERROR_VARIANCE;
    }
    t->variance += slot_variance(params, count * digits + rounding_variance(params), t->scale);
}

void eis_he_track_square(eis_he_track *t)
{
    /* (x + e)^2 - x^2 = 2 x e + e^2 */
    t->variance = 4 * t->magnitude * t->magnitude * t->variance + 3 * t->variance * t->variance;
    t->magnitude *= t->magnitude;
    t->scale *= t->scale;
}

double eis_he_track_error(const eis_he_track *t) { return EIS_HE_TAIL * sqrt(t->variance); }

eis_status eis_he_track_check(const eis_he_track *t, const eis_ckks_params *params, const char *name)
{
    double room = eis_rns_log2(&params->rns, t->limbs) - 1; /* signed */
    double need = log2(t->magnitude + eis_he_track_error(t)) + log2(t->scale);

    if (need < room) return EIS_OK;
    return eis_fail(EIS_ERR_RANGE,
                    "%s: numbers up to %.3g at scale 2^%.2f need %.2f bits, and the %u primes that are left have %.2f",
                    name, t->magnitude, log2(t->scale), need, t->limbs, room);
}

/* ---- Costs ---------------------------------------------------------------------------------------------------------
 */

void eis_he_cost_read(eis_he_cost *c, uint32_t limbs, uint32_t count)
{
    c->transforms += 4.0 * limbs * count; /* a seed's expansion and the checks take about as long */
}

void eis_he_cost_rescale(eis_he_cost *c, uint32_t limbs, uint32_t polys)
{
    c->transforms += (double)polys * limbs;
    c->passes += 2.0 * polys * (limbs - 1);
}

void eis_he_cost_hoist(eis_he_cost *c, uint32_t limbs)
{
    c->transforms += (double)limbs + (double)limbs * limbs;
    c->passes += (double)limbs * (limbs + 1);
}

void eis_he_cost_lift(eis_he_cost *c, uint32_t limbs) { c->passes += (limbs + 1) * (2.5 * limbs + 3.0); }

void eis_he_cost_lower(eis_he_cost *c, uint32_t limbs)
{
    c->transforms += 2.0 * (limbs + 1);
    c->passes += 4.0 * limbs;
}

void eis_he_cost_switch(eis_he_cost *c, uint32_t limbs)
{
    eis_he_cost_hoist(c, limbs);
    eis_he_cost_lift(c, limbs);
    eis_he_cost_lower(c, limbs);
}
