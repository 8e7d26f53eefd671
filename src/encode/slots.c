/* SPDX-License-Identifier: Apache-2.0 */
/* Slots by one complex transform of half the degree.
 *
 * A real polynomial m of degree n has the value m(zeta^e) = U(zeta^e) with U = sum over j < n/2 of
 * (m_j + i m_(j+n/2)) X^j wherever e = 1 mod 4, because zeta^(e n/2) = i there. Slot k lives at 3^k, which is 1 mod 4
 * for even k; for odd k its conjugate lives at -3^k. So the slots are the values of U at the n/2 roots of X^(n/2) - i,
 * and these come as in the ring's own transform: X^h - w^2 splits into X^(h/2) - w and X^(h/2) + w. */
#include "encode/slots.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

#include <math.h>
#include <string.h>

_Static_assert(EIS_RNS_PRIMES_MAX <= EIS_SLOTS_LIMBS_MAX, "a kernel takes all limbs of a polynomial");

/* Coefficients below this go through a signed 64-bit integer. */
#define ONE_WORD_MAX 0x1p62

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

static const double pi = 3.14159265358979323846;

/* Node v of the tree stands for X^h - zeta^angle; its factor is zeta^(angle/2), its children have the angles angle/2
 * and angle/2 + n. A leaf's angle is the exponent at which it gives the value. */
static void fill_node(eis_slots *s, uint32_t *angle, size_t v)
{
    const double half = (double)(angle[v] / 2) * (pi / (double)s->degree);

    if (v % 2 == 0 || v == 1) {
        s->root_re[v] = cos(half);
        s->root_im[v] = sin(half);
    } else { /* the angle is that of its sister and n more: i times its factor, exactly */
        s->root_re[v] = -s->root_im[v - 1];
        s->root_im[v] = s->root_re[v - 1];
    }
    angle[2 * v] = angle[v] / 2;
    angle[2 * v + 1] = angle[v] / 2 + (uint32_t)s->degree;
}

/* Slot k is at the leaf of exponent 3^k, or -3^k where that is 3 mod 4. */
static void fill_places(eis_slots *s, const uint32_t *angle, uint32_t *leaf_of)
{
    const uint32_t circle = 2 * (uint32_t)s->degree;
    uint32_t exponent = 1;

    for (size_t leaf = 0; leaf < s->count; leaf++) leaf_of[angle[s->count + leaf] / 4] = (uint32_t)leaf;
    for (size_t k = 0; k < s->count; k++) {
        s->place[k] = leaf_of[(k % 2 == 0 ? exponent : circle - exponent) / 4];
        s->slot[s->place[k]] = (uint32_t)k;
        exponent = exponent * 3 % circle;
    }
}

eis_status eis_slots_init(eis_slots *slots, unsigned degree_log2)
{
    uint32_t *angle = NULL, *leaf_of = NULL;
    eis_status st = EIS_OK;

    EIS_ASSERT(degree_log2 >= 2 && degree_log2 <= EIS_NTT_DEGREE_LOG2_MAX);
    memset(slots, 0, sizeof *slots);
    slots->degree_log2 = degree_log2;
    slots->degree = (size_t)1 << degree_log2;
    slots->count = slots->degree / 2;
    EIS_NEW(slots->root_re, slots->count);
    EIS_NEW(slots->root_im, slots->count);
    EIS_NEW(slots->place, slots->count);
    EIS_NEW(slots->slot, slots->count);
    EIS_NEW(angle, slots->degree);
    EIS_NEW(leaf_of, slots->count);
    angle[1] = (uint32_t)slots->count; /* zeta^(n/2) = i */
    for (size_t v = 1; v < slots->count; v++) fill_node(slots, angle, v);
    fill_places(slots, angle, leaf_of);
out:
    if (st != EIS_OK) eis_slots_clear(slots);
    eis_mem_free(angle);
    eis_mem_free(leaf_of);
    return st;
}

void eis_slots_clear(eis_slots *slots)
{
    eis_mem_free(slots->root_re);
    eis_mem_free(slots->root_im);
    eis_mem_free(slots->place);
    eis_mem_free(slots->slot);
    memset(slots, 0, sizeof *slots);
}

/* ---- Encoding --------------------------------------------------------------------------------------------------- */

static bool scale_ok(double scale) { return isnormal(scale) && scale > 0; }

/* ceil(log2 largest) + 1 < bits, and all finite. */
static eis_status check_extent(double *largest, unsigned bits)
{
    EIS_PUBLIC(largest,
               sizeof *largest); /* an error is told; and which way of rounding runs shows in the time: slots.h */
    if (isfinite(*largest) && ceil(log2(*largest < 1 ? 1 : *largest)) + 1 < bits) return EIS_OK;
    return eis_fail(EIS_ERR_RANGE, "a value is not finite, or too large for %u bits at this scale", bits);
}

#define PIECE_BITS 52
#define PIECES_MAX 20 /* more than the largest double has */

/* The powers of two by which a large coefficient is cut into pieces of 52 bits. */
typedef struct cut {
    unsigned pieces;
    double up[PIECES_MAX], down[PIECES_MAX]; /* 2^(52 p) and 2^(-52 p) */
} cut;

static cut cut_for(unsigned bits)
{
    cut c = {.pieces = (bits + PIECE_BITS - 1) / PIECE_BITS};

    if (c.pieces > PIECES_MAX) c.pieces = PIECES_MAX;
    for (unsigned p = 0; p < c.pieces; p++) {
        c.up[p] = ldexp(1, (int)(PIECE_BITS * p));
        c.down[p] = ldexp(1, -(int)(PIECE_BITS * p));
    }
    return c;
}

/* Pieces from the top; each is exact in a double. Range: an integer, |v| < 2^(52 pieces). */
static uint64_t residue_of_large(double v, const cut *c, eis_zq_factor base, const eis_modulus *m)
{
    uint64_t r = 0;

    for (unsigned p = c->pieces; p-- > 1;) {
        const int64_t digit = (int64_t)(v * c->down[p]);

        v -= (double)digit * c->up[p];
        r = eis_zq_mul_factor(eis_zq_add(r, eis_zq_from_i64(digit, m), m->q), base, m->q);
    }
    return eis_zq_add(r, eis_zq_from_i64((int64_t)v, m), m->q);
}

static void limb_from_large(uint64_t *words, const double *v, size_t n, unsigned bits, const eis_modulus *m)
{
    const eis_zq_factor base = eis_zq_factor_make(UINT64_C(1) << PIECE_BITS, m);
    const cut c = cut_for(bits);

    for (size_t i = 0; i < n; i++) words[i] = residue_of_large(v[i], &c, base, m);
}

static void limb_from_integers(uint64_t *words, const double *v, size_t n, double largest, unsigned bits,
                               const eis_modulus *m)
{
    if (largest < ONE_WORD_MAX) {
        eis_kernels_get()->slots.words_from_integers(words, v, n, m);
    } else {
        limb_from_large(words, v, n, bits, m);
    }
}

/* The bits of the product of a plaintext's primes. A special limb is for use before a mod-down and gives no room. */
static unsigned bits_of(const eis_rns *rns, const eis_poly *poly)
{
    EIS_ASSERT(poly->limbs > poly->special && poly->limbs <= rns->count);
    return eis_rns_bits(rns, poly->limbs - poly->special);
}

/* Values in the transform's order; im is NULL for reals. Slot k comes from re[k * step]; slots behind the last value
 * are 0, as `to` is before. Reading here and there is faster than writing so. */
static void place_values(const eis_slots *s, double *to, const double *re, const double *im, size_t step, size_t count)
{
    for (size_t j = 0; j < s->count; j++) {
        const size_t k = s->slot[j];

        if (k < count) to[j] = re[k * step];
    }
    if (im == NULL) return;
    for (size_t j = 0; j < s->count; j++) {
        const size_t k = s->slot[j];

        if (k < count) to[s->count + j] = k % 2 == 0 ? im[k * step] : -im[k * step];
    }
}

/* Ends in the coefficient domain. */
static eis_status encode(const eis_slots *s, const eis_rns *rns, eis_poly *out, const double *re, const double *im,
                         size_t step, size_t count, double scale)
{
    const eis_slot_kernels *k = &eis_kernels_get()->slots;
    const unsigned bits = bits_of(rns, out);
    double *v = NULL; /* [n]: real parts, then imaginary parts; in the end the coefficients */
    eis_status st = EIS_OK;
    double largest;

    EIS_ASSERT(s->degree == rns->degree && out->degree == rns->degree);
    EIS_REQUIRE(count <= s->count, EIS_ERR_SHAPE, "%zu values do not fit into %zu slots", count, s->count);
    EIS_REQUIRE(scale_ok(scale), EIS_ERR_SCALE, "a scale must be a positive normal number");
    v = eis_mem_new_secret(s->degree, sizeof *v);
    if (v == NULL) return EIS_ERR_MEMORY;
    place_values(s, v, re, im, step, count);
    k->inverse(v, v + s->count, s->root_re, s->root_im, s->count);
    largest = k->scale_and_round(v, s->degree, scale / (double)s->count);
    EIS_TRY(check_extent(&largest, bits));
    for (size_t i = 0; i < out->limbs; i++) {
        limb_from_integers(eis_poly_limb(out, i), v, s->degree, largest, bits, &eis_poly_plan(rns, out, i)->mod);
    }
    out->domain = EIS_DOMAIN_COEFF;
out:
    eis_mem_free_wiped(v, s->degree, sizeof *v);
    return st;
}

eis_status eis_slots_encode(const eis_slots *slots, const eis_rns *rns, eis_poly *out, const eis_complex *z,
                            size_t count, double scale)
{
    eis_status st = EIS_OK;

    EIS_TRY(encode(slots, rns, out, &z->re, &z->im, 2, count, scale));
    eis_poly_to_ntt(rns, out);
out:
    return st;
}

eis_status eis_slots_encode_reals(const eis_slots *slots, const eis_rns *rns, eis_poly *out, const double *x,
                                  size_t count, double scale)
{
    eis_status st = EIS_OK;

    EIS_TRY(encode(slots, rns, out, x, NULL, 1, count, scale));
    eis_poly_to_ntt(rns, out);
out:
    return st;
}

eis_status eis_slots_encode_reals_coeff(const eis_slots *slots, const eis_rns *rns, eis_poly *out, const double *x,
                                        size_t count, double scale)
{
    return encode(slots, rns, out, x, NULL, 1, count, scale);
}

eis_status eis_slots_encode_constant(const eis_rns *rns, uint64_t *c, const eis_poly *like, double value, double scale)
{
    const unsigned bits = bits_of(rns, like);
    double v = value, largest = eis_kernels_get()->slots.scale_and_round(&v, 1, scale);
    eis_status st = EIS_OK;

    EIS_REQUIRE(scale_ok(scale), EIS_ERR_SCALE, "a scale must be a positive normal number");
    EIS_TRY(check_extent(&largest, bits));
    for (size_t i = 0; i < like->limbs; i++)
        limb_from_integers(&c[i], &v, 1, largest, bits, &eis_poly_plan(rns, like, i)->mod);
out:
    return st;
}

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

/* Residues to digits in the mixed base q_0, q_0 q_1, ...: in place, limb by limb.
 * Source: Garner's algorithm, [MOV96, algorithm 14.71]. */
static void mixed_digits(const eis_rns *rns, eis_poly *a, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    for (size_t d = 0; d + 1 < a->limbs; d++) {
        for (size_t i = d + 1; i < a->limbs; i++) {
            const eis_modulus *m = eis_rns_modulus(rns, i);

            k->reduce(scratch, eis_poly_limb(a, d), a->degree, m);
            k->sub_mul_factor(eis_poly_limb(a, i), eis_poly_limb(a, i), scratch, a->degree, eis_rns_inverse(rns, d, i),
                              m);
        }
    }
}

/* The coefficients over the scale, real parts first: U is ready for its transform. */
static eis_status coefficients(const eis_rns *rns, double *v, const eis_poly *in, double scale)
{
    const eis_modulus *m[EIS_RNS_PRIMES_MAX];
    eis_status st = EIS_OK;
    eis_poly a = {0};
    uint64_t *scratch = NULL;

    EIS_TRY(eis_poly_init_secret(rns, &a, in->limbs, 0, in->domain));
    scratch = eis_mem_new_secret(in->degree, sizeof *scratch);
    if (scratch == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    eis_poly_copy(rns, &a, in);
    if (a.domain == EIS_DOMAIN_NTT) eis_poly_to_coeff(rns, &a);
    mixed_digits(rns, &a, scratch);
    for (size_t i = 0; i < a.limbs; i++) m[i] = eis_rns_modulus(rns, i);
    eis_kernels_get()->slots.reals_from_digits(v, a.words, a.limbs, a.degree, a.degree, m, 1 / scale);
out:
    eis_poly_clear(&a);
    eis_mem_free_wiped(scratch, in->degree, sizeof *scratch);
    return st;
}

static eis_status decode(const eis_slots *s, const eis_rns *rns, double *re, double *im, size_t step, size_t count,
                         const eis_poly *in, double scale)
{
    double *v = NULL;
    eis_status st = EIS_OK;

    EIS_ASSERT(s->degree == rns->degree && in->degree == rns->degree && in->special == 0);
    EIS_REQUIRE(count <= s->count, EIS_ERR_SHAPE, "%zu values are not in %zu slots", count, s->count);
    EIS_REQUIRE(scale_ok(scale), EIS_ERR_SCALE, "a scale must be a positive normal number");
    v = eis_mem_new_secret(s->degree, sizeof *v);
    if (v == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(coefficients(rns, v, in, scale));
    eis_kernels_get()->slots.forward(v, v + s->count, s->root_re, s->root_im, s->count);
    for (size_t k = 0; k < count; k++) {
        re[k * step] = v[s->place[k]];
        if (im != NULL) im[k * step] = k % 2 == 0 ? v[s->count + s->place[k]] : -v[s->count + s->place[k]];
    }
out:
    eis_mem_free_wiped(v, s->degree, sizeof *v);
    return st;
}

eis_status eis_slots_decode(const eis_slots *slots, const eis_rns *rns, eis_complex *z, size_t count,
                            const eis_poly *in, double scale)
{
    return decode(slots, rns, &z->re, &z->im, 2, count, in, scale);
}

eis_status eis_slots_decode_reals(const eis_slots *slots, const eis_rns *rns, double *x, size_t count,
                                  const eis_poly *in, double scale)
{
    return decode(slots, rns, x, NULL, 1, count, in, scale);
}
