/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed point with a bound that holds for every input.
 *
 * A sum that leaves the ring wraps around without a sign of it, so f is chosen by Cauchy-Schwarz: with R the largest
 * norm of a weight row, |W x_int| <= R |x_int|_2 <= R (2^f |x|_2 + sqrt(n)/2), the second term for rounding x. Solved
 * for the norm that is `room`; f = floor(log2(room / |x|_2)) is read off the exponents of room^2 and |x|_2^2, with
 * neither root nor division nor loop, because its time would show the norm. All rounding of the doubles involved
 * is paid for by factors 1 - SLACK. */
#include "encode/fixed.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "kernel/f61_word.h"

#include <float.h>
#include <math.h>

/* norm2 is a sum of up to 2^22 squares in 8 lanes: relative error below 2^-33. Everything else is a few roundings. */
#define SLACK 0x1p-30

/* Below it a norm counts as this large, so that squares that fell below the normal doubles cannot matter. */
#define NORM2_MIN 0x1p-900

#define CONVERSION_ROOM 0x1p50 /* above it, adding 1.5 * 2^52 would not round a double to an integer exactly */

/* Returns 2^e. Range: -1022 <= e <= 1023. */
static double power_of_two(int e) { return eis_f64_of_bits((uint64_t)(1023 + e) << 52); }

/* --- weights ---------------------------------------------------------------------------------- */

int32_t eis_fixed_weight_limit(eis_geometry geometry)
{
    EIS_ASSERT(geometry == EIS_GEOMETRY_W8 || geometry == EIS_GEOMETRY_W20 || geometry == EIS_GEOMETRY_W24);
    return geometry == EIS_GEOMETRY_W8 ? 127 : geometry == EIS_GEOMETRY_W20 ? (1 << 19) - 1 : (1 << 23) - 1;
}

static eis_status largest_magnitude(double *largest, const double *row, size_t n)
{
    double found = 0;
    eis_status st = EIS_OK;

    for (size_t j = 0; j < n; j++) {
        EIS_REQUIRE(isfinite(row[j]), EIS_ERR_MODEL, "the weight in column %zu is not a finite number", j);
        if (fabs(row[j]) > found) found = fabs(row[j]);
    }
    *largest = found;
out:
    return st;
}

eis_status eis_fixed_weight_row(int32_t *w, double *scale, const double *row, size_t n, eis_geometry geometry)
{
    int32_t limit = eis_fixed_weight_limit(geometry);
    int32_t lowest = geometry == EIS_GEOMETRY_W8 ? -limit : -limit - 1;
    double largest = 0, step;
    eis_status st = EIS_OK;

    EIS_TRY(largest_magnitude(&largest, row, n));
    step = largest > 0 ? fmax(largest / limit, DBL_MIN) : 1; /* a quotient of subnormals could be 0 */
    for (size_t j = 0; j < n; j++) {
        double rounded = nearbyint(row[j] / step);
        w[j] = rounded > limit ? limit : rounded < lowest ? lowest : (int32_t)rounded;
    }
    *scale = step;
out:
    return st;
}

double eis_fixed_row_norm(const int32_t *w, size_t n)
{
    eis_u128 sum = 0;
    uint64_t part = 0; /* 2^17 squares of 2^46 fit */

    for (size_t j = 0; j < n; j++) {
        part += (uint64_t)((int64_t)w[j] * w[j]);
        if ((j & 0x1ffff) == 0x1ffff) {
            sum += part;
            part = 0;
        }
    }
    sum += part;
    return sqrt((double)sum * (1 + 0x1p-51)) * (1 + 0x1p-51);
}

/* --- the bound -------------------------------------------------------------------------------- */

eis_status eis_fixed_bound_init(eis_fixed_bound *bound, eis_ring ring, double row_norm, size_t n,
                                unsigned truncated_bits, size_t truncated_count)
{
    /* (p-1)/2 = 2^60 - 1, which SLACK covers */
    double half = power_of_two((int)ring - 1), truncation = 0, room;
    eis_status st = EIS_OK;

    EIS_REQUIRE(isfinite(row_norm) && row_norm >= 0, EIS_ERR_MODEL, "the norm of the weight rows is not a number");
    EIS_ASSERT(truncated_bits < (unsigned)ring && (ring != EIS_RING_F61 || truncated_bits == 0));
    if (truncated_bits > 0) truncation = (double)truncated_count * power_of_two((int)truncated_bits);
    room = (half - truncation) / fmax(row_norm, 1) * (1 - SLACK) - sqrt((double)n) / 2 * (1 + SLACK);
    EIS_REQUIRE(room * (1 - SLACK) >= 1, EIS_ERR_MODEL,
                "weights of this size and length do not fit a ring of %d bits; choose wider words", (int)ring);
    bound->ring = ring;
    bound->room = fmin(room, CONVERSION_ROOM) * (1 - SLACK);
    bound->room2 = bound->room * bound->room;
    bound->row_norm = row_norm;
    bound->limit = half - truncation;
out:
    return st;
}

double eis_fixed_norm2(const double *x, size_t n)
{
    double lane[8] = {0};
    size_t i = 0;

    EIS_VERIFY(eis_fixed_input_ok(x, n));
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) lane[j] += x[i + j] * x[i + j];
    for (size_t j = 0; i < n; i++, j++) lane[j] += x[i] * x[i];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

int eis_fixed_bits(const eis_fixed_bound *bound, double norm2)
{
    /* Doubles above 0 are ordered like their bits. With room2 = m 2^e, norm2 = m' 2^e' and m, m' in [1, 2), the
     * difference of the bits is (e - e') 2^52 and less than 2^52 to either side, so that its floor after 52 bits is
     * floor(log2(room2 / norm2)), and after 53 bits floor(log4): f. It lies in [-412, 500]: 512 makes it positive. */
    uint64_t norm = eis_bits_of_f64(norm2), low = eis_bits_of_f64(NORM2_MIN), bits;

    norm = eis_ct_select(eis_ct_mask_less(norm, low), low, norm);
    bits = (eis_bits_of_f64(bound->room2) - norm + ((uint64_t)512 << 53)) >> 53;
    return (int)eis_ct_select(eis_ct_mask_nonzero(eis_bits_of_f64(norm2)), bits, 512) - 512;
}

bool eis_fixed_bound_holds_var(const eis_fixed_bound *bound, const uint64_t *words, size_t n)
{
    eis_u128 sum = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t v = bound->ring == EIS_RING_F61
                        ? eis_f61_word_centre(words[i])
                        : (int64_t)(words[i] << (64 - (unsigned)bound->ring)) >> (64 - (unsigned)bound->ring);
        sum += (eis_u128)((__int128)v * v);
    }
    return bound->row_norm * sqrt((double)sum) < bound->limit;
}

eis_status eis_fixed_ring_choose(eis_ring *ring, double row_norm, size_t n, double declared_norm, int min_bits,
                                 bool truncate, size_t share_count)
{
    static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z56, EIS_RING_Z64};
    size_t count = sizeof rings / sizeof rings[0];
    eis_fixed_bound bound = {0};
    eis_status st = EIS_OK;

    EIS_REQUIRE(declared_norm >= 0 && declared_norm <= EIS_FIXED_ENTRY_MAX, EIS_ERR_MODEL,
                "the declared norm of a layer's input is not a usable number");
    if (!(declared_norm > 0)) declared_norm = 1;
    for (size_t i = 0; i < count; i++) {
        unsigned cut = truncate ? (unsigned)rings[i] - 32 : 0;

        st = eis_fixed_bound_init(&bound, rings[i], row_norm, n, cut, share_count);
        if (i + 1 < count && (st != EIS_OK || eis_fixed_bits(&bound, declared_norm * declared_norm) < min_bits))
            continue;
        if (st == EIS_OK) *ring = rings[i];
        break;
    }
    if (st == EIS_OK) eis_error_clear();
out:
    return st;
}

/* --- inputs and answers ----------------------------------------------------------------------- */

/* All ones where an entry is infinite, NaN or too large. */
static uint64_t entry_refused(double v)
{
    return ~eis_ct_mask_less(eis_bits_of_f64(v) & (UINT64_MAX >> 1), eis_bits_of_f64(EIS_FIXED_ENTRY_MAX));
}

bool eis_fixed_input_ok(const double *x, size_t n)
{
    uint64_t refused = 0;

    for (size_t i = 0; i < n; i++) refused |= entry_refused(x[i]);
    EIS_PUBLIC(&refused, sizeof refused); /* the user is told that this input cannot be used; nothing is sent */
    return refused == 0;
}

uint64_t eis_fixed_sanitise(double *x, size_t n)
{
    uint64_t any = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t refused = entry_refused(x[i]);
        x[i] = eis_f64_of_bits(eis_bits_of_f64(x[i]) & ~refused);
        any |= refused;
    }
    return any;
}

void eis_fixed_from_reals(uint64_t *words, const double *x, size_t n, int bits, eis_ring ring)
{
    eis_kernels_get()->words_from_reals(words, x, n, power_of_two(bits), ring);
}

void eis_fixed_to_reals(double *y, const uint64_t *words, const double *row_scale, size_t m, int bits, eis_ring ring,
                        unsigned truncated_bits, size_t truncated_count)
{
    double offset = 0;

    /* Each truncated word lies below its true value by 0 .. 2^t - 1; the middle of that is given back. */
    if (truncated_bits > 0) offset = (double)truncated_count * (power_of_two((int)truncated_bits) - 1) / 2;
    eis_kernels_get()->words_to_reals(y, words, row_scale, m, offset, power_of_two(-bits), ring);
}
