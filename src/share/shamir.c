/* SPDX-License-Identifier: Apache-2.0 */
/* The polynomial is never written down: x at 0 and the seeds' words at 1 .. t - 1 fix it, and every other value is a
 * sum of these t with public Lagrange coefficients. */
#include "share/shamir.h"

#include "base/ct.h"
#include "base/mem.h"
#include "ring/f61.h"

/* Points of one call, and the most terms of one sum. */
#define POINTS_MAX EIS_SHAMIR_SERVERS_MAX

/* --- any field GF(2^bits - 1) ----------------------------------------------------------------- */

static uint64_t field_mul(uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t p = UINT64_MAX >> (64 - bits), r;
    eis_u128 product = (eis_u128)a * b;

    if (bits == EIS_F61_BITS) return eis_f61_word_mul(a, b);
    r = ((uint64_t)product & p) + (uint64_t)(product >> bits); /* at most 2p - 1 for canonical a, b */
    return eis_ct_select(eis_ct_mask_less(r, p), r, r - p);
}

static uint64_t field_add(uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t p = UINT64_MAX >> (64 - bits), r = a + b;

    return eis_ct_select(eis_ct_mask_less(r, p), r, r - p);
}

static uint64_t field_sub(uint64_t a, uint64_t b, unsigned bits)
{
    uint64_t p = UINT64_MAX >> (64 - bits);

    return field_add(a, b == 0 ? 0 : p - b, bits); /* points only: public */
}

/* a^(p-2), p - 2 = 2^bits - 3: every bit of the exponent but the second is 1. */
static uint64_t field_inverse_var(uint64_t a, unsigned bits)
{
    uint64_t r = a;

    for (int bit = (int)bits - 2; bit >= 0; bit--) {
        r = field_mul(r, r, bits);
        if (bit != 1) r = field_mul(r, a, bits);
    }
    return r;
}

void eis_shamir_lagrange_raw_var(uint64_t *coefficients, const uint64_t *from, size_t count, uint64_t at, unsigned bits)
{
    for (size_t j = 0; j < count; j++) {
        uint64_t above = 1, below = 1;

        for (size_t i = 0; i < count; i++) {
            if (i == j) continue;
            above = field_mul(above, field_sub(at, from[i], bits), bits);
            below = field_mul(below, field_sub(from[j], from[i], bits), bits);
        }
        EIS_ASSERT(below != 0); /* points are distinct */
        coefficients[j] = field_mul(above, field_inverse_var(below, bits), bits);
    }
}

void eis_shamir_combine_raw(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t terms, size_t n,
                            unsigned bits)
{
    if (bits == EIS_F61_BITS) {
        eis_f61_combine(y, x, c, terms, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0;

        for (size_t j = 0; j < terms; j++) sum = field_add(sum, field_mul(c[j], x[j][i], bits), bits);
        y[i] = sum;
    }
}

/* --- splitting -------------------------------------------------------------------------------- */

/* One server's words: the polynomial through (0, x) and (j, expanded[j - 1]), j = 1 .. t - 1, at the server's point. */
static void interpolate_share(eis_share *share, const uint64_t *x, const uint8_t *expanded, size_t threshold)
{
    const eis_vectors *shape = &share->shape;
    size_t stride = eis_vectors_stride(shape), bytes = eis_vectors_bytes(shape);
    uint64_t points[POINTS_MAX], coefficients[POINTS_MAX];
    const uint64_t *values[POINTS_MAX];

    for (size_t j = 0; j < threshold; j++) points[j] = j;
    eis_shamir_lagrange_raw_var(coefficients, points, threshold, share->index, EIS_F61_BITS);
    for (size_t v = 0; v < shape->batch; v++) {
        values[0] = x + v * shape->n;
        for (size_t j = 1; j < threshold; j++)
            values[j] = (const uint64_t *)(const void *)(expanded + (j - 1) * bytes + v * stride);
        eis_shamir_combine_raw(eis_share_vector_words(share, v), values, coefficients, threshold, shape->n,
                               EIS_F61_BITS);
        eis_vectors_clear_padding(share->body + v * stride, shape);
    }
}

eis_status eis_shamir_split(eis_prg *prg, eis_share *shares, size_t servers, size_t threshold, const uint64_t *x,
                            const eis_vectors *shape, unsigned suite)
{
    size_t bytes = eis_vectors_bytes(shape), seeds = threshold - 1, total = 0;
    uint8_t *expanded = NULL;
    eis_status st = EIS_OK;

    EIS_ASSERT(shape->ring == EIS_RING_F61 && shape->form == EIS_FORM_WORDS);
    EIS_REQUIRE(threshold >= 2 && threshold <= servers && servers <= EIS_SHAMIR_SERVERS_MAX, EIS_ERR_USAGE,
                "a threshold of %zu among %zu servers; it takes 2 <= threshold <= servers <= %d", threshold, servers,
                EIS_SHAMIR_SERVERS_MAX);
    EIS_REQUIRE(eis_size_mul(&total, seeds, bytes), EIS_ERR_SHAPE, "the batch is too large for this threshold");
    expanded = eis_mem_new_secret(total, 1);
    EIS_REQUIRE(expanded != NULL, EIS_ERR_MEMORY, "not enough memory to expand the shares");
    for (size_t i = 0; i < seeds; i++) {
        EIS_TRY(eis_share_init_seed(&shares[i], shape, (uint32_t)i + 1, suite));
        EIS_TRY(eis_share_expand(prg, expanded + i * bytes, &shares[i]));
    }
    for (size_t i = seeds; i < servers; i++) {
        EIS_TRY(eis_share_init_uncleared(&shares[i], shape, (uint32_t)i + 1));
        interpolate_share(&shares[i], x, expanded, threshold);
    }
out:
    eis_mem_free_wiped(expanded, total, 1);
    if (st != EIS_OK)
        for (size_t i = 0; i < servers; i++) eis_share_wipe(&shares[i]);
    return st;
}

/* --- recovering ------------------------------------------------------------------------------- */

static eis_status check_points(const eis_shamir_answer *answers, size_t count, size_t threshold)
{
    uint64_t seen = 0;
    eis_status st = EIS_OK;

    EIS_REQUIRE(threshold >= 2 && threshold <= count && count <= POINTS_MAX, EIS_ERR_USAGE,
                "%zu answers for a threshold of %zu", count, threshold);
    for (size_t i = 0; i < count; i++) {
        uint32_t point = answers[i].point;

        EIS_REQUIRE(point >= 1 && point <= EIS_SHAMIR_SERVERS_MAX, EIS_ERR_USAGE, "%u is no server's point",
                    (unsigned)point);
        EIS_REQUIRE((seen >> (point - 1) & 1) == 0, EIS_ERR_USAGE, "server %u has answered twice", (unsigned)point);
        seen |= UINT64_C(1) << (point - 1);
    }
out:
    return st;
}

eis_status eis_shamir_recover(uint64_t *y, const eis_shamir_answer *answers, size_t threshold, size_t count)
{
    uint64_t points[POINTS_MAX], coefficients[POINTS_MAX];
    const uint64_t *values[POINTS_MAX];
    eis_status st = EIS_OK;

    EIS_TRY(check_points(answers, threshold, threshold));
    for (size_t j = 0; j < threshold; j++) {
        points[j] = answers[j].point;
        values[j] = answers[j].words;
    }
    eis_shamir_lagrange_raw_var(coefficients, points, threshold, 0, EIS_F61_BITS);
    eis_shamir_combine_raw(y, values, coefficients, threshold, count, EIS_F61_BITS);
out:
    return st;
}

/* Whether all answers but `left_out` (answer_count: none) lie on one polynomial of degree threshold - 1: those behind
 * the first `threshold` must be what these predict. */
static bool agree_without(const eis_shamir_answer *answers, size_t answer_count, size_t left_out, size_t threshold,
                          size_t count)
{
    uint64_t points[POINTS_MAX], coefficients[POINTS_MAX], differ = 0;
    const uint64_t *values[POINTS_MAX];
    size_t used = 0;

    for (size_t i = 0; i < answer_count; i++) {
        if (i == left_out) continue;
        points[used] = answers[i].point;
        values[used++] = answers[i].words;
    }
    for (size_t extra = threshold; extra < used; extra++) {
        eis_shamir_lagrange_raw_var(coefficients, points, threshold, points[extra], EIS_F61_BITS);
        for (size_t i = 0; i < count; i++) {
            uint64_t predicted = 0;

            for (size_t j = 0; j < threshold; j++)
                predicted = eis_f61_word_add(predicted, eis_f61_word_mul(coefficients[j], values[j][i]));
            differ |= predicted ^ values[extra][i];
        }
    }
    EIS_PUBLIC(&differ, sizeof differ); /* a wrong answer ends the call and its sender is named to the user */
    return differ == 0;
}

eis_status eis_shamir_agree(uint32_t *cheat, const eis_shamir_answer *answers, size_t answer_count, size_t threshold,
                            size_t count)
{
    eis_status st = EIS_OK;

    *cheat = 0;
    EIS_TRY(check_points(answers, answer_count, threshold));
    EIS_REQUIRE(answer_count > threshold, EIS_ERR_USAGE, "%zu answers leave none to check with", answer_count);
    if (agree_without(answers, answer_count, answer_count, threshold, count)) return EIS_OK;
    /* With two answers to spare, leaving out the one that is wrong leaves a consistent rest that is still checked. */
    for (size_t i = 0; i < answer_count && answer_count >= threshold + 2 && *cheat == 0; i++)
        if (agree_without(answers, answer_count, i, threshold, count)) *cheat = answers[i].point;
    if (*cheat != 0) return eis_fail(EIS_ERR_INTEGRITY, "server %u gave a wrong answer", (unsigned)*cheat);
    return eis_fail(EIS_ERR_INTEGRITY, "the servers' answers contradict each other");
out:
    return st;
}
