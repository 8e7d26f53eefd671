/* SPDX-License-Identifier: Apache-2.0 */
/* If an operation on ciphertexts computed something else than on numbers, a model would answer wrongly and nobody could
 * see it, the server least of all. */
#include "world.h"

/* Everything a test here needs: two messages, encrypted at the chain's default scale and highest level. */
typedef struct pair {
    world w;
    eis_complex *x, *y, *expected;
    eis_ckks_ct a, b, r;
    eis_ckks_plain p;
    size_t limbs;
    double scale;
} pair;

static void pair_open(pair *t, eis_ckks_literal literal, const int32_t *steps, size_t step_count)
{
    memset(t, 0, sizeof *t);
    world_open(&t->w, literal, steps, step_count);
    t->x = eis_mem_new(t->w.count, sizeof *t->x);
    t->y = eis_mem_new(t->w.count, sizeof *t->y);
    t->expected = eis_mem_new(t->w.count, sizeof *t->expected);
    world_values(t->x, t->w.count, 1);
    world_values(t->y, t->w.count, 2);
    t->limbs = t->w.params->limbs_max;
    t->scale = literal.scale;
    world_encrypt(&t->w, &t->a, t->x, t->limbs, t->scale);
    world_encrypt(&t->w, &t->b, t->y, t->limbs, t->scale);
    world_encode(&t->w, &t->p, t->y, t->limbs, 0, t->scale);
}

static void pair_close(pair *t)
{
    eis_ckks_plain_clear(&t->p);
    eis_ckks_ct_clear(&t->a);
    eis_ckks_ct_clear(&t->b);
    eis_ckks_ct_clear(&t->r);
    eis_mem_free(t->x);
    eis_mem_free(t->y);
    eis_mem_free(t->expected);
    world_close(&t->w);
}

static double error_of(const pair *t, const eis_ckks_ct *ct) { return world_error(&t->w, ct, t->expected); }

/* Errors per slot at scale 2^40 and N = 8192. A coefficient error of deviation d gives a slot of deviation d sqrt N.
 *   fresh       d = 3.24                          2.7e-10
 *   rescale     d = sqrt((1 + 2 N / 3) / 12) = 21 1.8e-9
 *   key switch  d = 3.24 sqrt(N / 12) q / P = 85  7.0e-9    with q near P and centred digits; twice that with the
 *               digits of the reference
 *   slot 0 of the reference: the digits' mean of q/2 times sum X^i, which is 2 N / pi there, times a key's error of
 *               deviation 3.24 sqrt N: 6.9e-7. Gaussian in both parts, so 7 deviations are enough (e^-50)
 * The others are Laplace-like, so that 4096 slots reach 6 deviations often; 15 are taken, hence: */
#define FRESH_2_40     4e-9
#define RESCALE_2_40   2.7e-8
#define SWITCH_2_40    1.1e-7
#define REFERENCE_2_40 5e-6

static void sums_and_products_with_plaintexts(void **state)
{
    pair t;

    (void)state;
    pair_open(&t, CHAIN_P0, NULL, 0);
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){t.x[i].re + t.y[i].re, t.x[i].im + t.y[i].im};
    assert_int_equal(eis_ckks_ct_add(&t.r, &t.a, &t.b), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    assert_int_equal(eis_ckks_ct_add_plain(&t.r, &t.a, &t.p), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){t.x[i].re - t.y[i].re, t.x[i].im - t.y[i].im};
    assert_int_equal(eis_ckks_ct_sub(&t.r, &t.a, &t.b), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    assert_int_equal(eis_ckks_ct_sub_plain(&t.r, &t.a, &t.p), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    assert_int_equal(eis_ckks_ct_copy(&t.r, &t.b), EIS_OK); /* in place of the second operand */
    assert_int_equal(eis_ckks_ct_sub(&t.r, &t.a, &t.r), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    assert_int_equal(eis_ckks_ct_neg(&t.r, &t.r), EIS_OK);
    assert_int_equal(eis_ckks_ct_neg(&t.r, &t.r), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);

    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = complex_mul(t.x[i], t.y[i]);
    assert_int_equal(eis_ckks_ct_mul_plain(&t.r, &t.a, &t.p), EIS_OK);
    assert_true(t.r.scale == 0x1p80);
    assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
    assert_true(t.r.scale == 0x1p80 / 1099511480321.0 && t.r.limbs == 2);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40 + RESCALE_2_40);
    /* a y + a y, by accumulation */
    assert_int_equal(eis_ckks_ct_mul_plain(&t.r, &t.a, &t.p), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_plain_add(&t.r, &t.a, &t.p), EIS_OK);
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){2 * t.expected[i].re, 2 * t.expected[i].im};
    assert_true(error_of(&t, &t.r) < 4 * FRESH_2_40);

    /* 1.5 a - 0.25 a + 0.125, by constants */
    uint64_t c[4];
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){1.25 * t.x[i].re + 0.125, 1.25 * t.x[i].im};
    assert_int_equal(eis_ckks_ct_mul_integer(&t.r, &t.a, 3 << 20, 0x1p21), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_integer_add(&t.r, &t.a, -(1 << 19), 0x1p21), EIS_OK);
    assert_true(t.r.scale == 0x1p61);
    assert_int_equal(eis_slots_encode_constant(&t.w.params->rns, c, &t.r.poly[0], 0.125, t.r.scale), EIS_OK);
    eis_ckks_ct_add_constant(&t.r, c);
    assert_true(error_of(&t, &t.r) < 2 * FRESH_2_40);
    pair_close(&t);
}

static void products_of_ciphertexts_on_every_chain(void **state)
{
    /* Per slot at scale s: the fresh noise of both factors, the rounding of the rescale and the key switch's, each a
     * few hundred times 1/s; 20 deviations of all. */
    static const double bound[] = {2e-8, 1e-4, 2e-8, 4e-4, 4e-5};
    const eis_ckks_literal chains[] = {CHAIN_P0, CHAIN_L1, CHAIN_A, CHAIN_M, CHAIN_S};

    (void)state;
    for (size_t k = 0; k < 5; k++)
        for (unsigned form = 0; form < 2; form++) {
            pair t;

            pair_open(&t, chains[k], NULL, 0);
            for (size_t i = 0; i < t.w.count; i++) t.expected[i] = complex_mul(t.x[i], t.y[i]);
            assert_int_equal(eis_ckks_ct_mul(&t.r, &t.a, &t.b), EIS_OK);
            assert_int_equal(t.r.polys, 3);
            assert_true(error_of(&t, &t.r) < bound[k]); /* three polynomials decrypt too */
            assert_int_equal(eis_ckks_ct_relinearise(&t.r, &t.r, &t.w.relin, (eis_ckks_digit_form)form), EIS_OK);
            assert_int_equal(t.r.polys, 2);
            assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
            assert_true(error_of(&t, &t.r) < bound[k]);
            /* the square, in place */
            for (size_t i = 0; i < t.w.count; i++) t.expected[i] = complex_mul(t.x[i], t.x[i]);
            assert_int_equal(eis_ckks_ct_mul(&t.a, &t.a, &t.a), EIS_OK);
            assert_int_equal(eis_ckks_ct_relinearise(&t.r, &t.a, &t.w.relin, (eis_ckks_digit_form)form), EIS_OK);
            assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
            assert_true(error_of(&t, &t.r) < bound[k]);
            pair_close(&t);
        }
}

/* Factors encoded so that a product comes out at exactly the scale of the operand: sums need no alignment. */
static void scales_come_out_exactly(void **state)
{
    pair t;
    eis_ckks_plain p = {0};
    eis_ckks_ct low, sum = {0};
    const double target = 0x1.8p39; /* no power of two, and not what a rescale would leave */

    (void)state;
    pair_open(&t, CHAIN_P0, NULL, 0);
    world_encode(&t.w, &p, t.y, 3, 0, eis_ckks_factor_scale(t.w.params, 3, t.a.scale, target));
    assert_int_equal(eis_ckks_ct_mul_plain(&t.r, &t.a, &p), EIS_OK);
    assert_int_equal(eis_ckks_ct_rescale_to(&t.r, target * (1 + 0x1p-40)), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_rescale_to(&t.r, NAN), EIS_ERR_SCALE);
    assert_int_equal(t.r.limbs, 3);
    assert_int_equal(eis_ckks_ct_rescale_to(&t.r, target), EIS_OK);
    assert_true(t.r.scale == target && t.r.limbs == 2);
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = complex_mul(t.x[i], t.y[i]);
    assert_true(error_of(&t, &t.r) < 2 * (2 * FRESH_2_40 + RESCALE_2_40));
    /* x y + 0.3 x - 0.7, the second from a view two limbs down, at exactly that scale; x itself is as it was */
    low = eis_ckks_ct_view(&t.a, 2);
    assert_int_equal(eis_ckks_ct_drop(&t.r, 2), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_real(&sum, &low, 0.3, t.r.scale * 0x1p20), EIS_OK);
    assert_true(sum.scale == t.r.scale * 0x1p20 && sum.limbs == 2);
    assert_int_equal(eis_ckks_ct_mul_real_add(&sum, &t.r, 1), EIS_OK);
    assert_int_equal(eis_ckks_ct_add_real(&sum, -0.7), EIS_OK);
    for (size_t i = 0; i < t.w.count; i++) {
        t.expected[i].re += 0.3 * t.x[i].re - 0.7;
        t.expected[i].im += 0.3 * t.x[i].im;
    }
    /* 0.3 stands as an integer of 19 bits */
    assert_true(error_of(&t, &sum) < 2 * (2 * FRESH_2_40 + RESCALE_2_40) + 0x1p-19);
    assert_int_equal(t.a.limbs, 3);
    assert_int_equal(eis_ckks_ct_mul_real(&sum, &low, NAN, 0x1p60), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_mul_real(&sum, &low, 1e300, 0x1p90), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_mul_real(&sum, &low, 1, 0x1p101), EIS_ERR_SCALE); /* two limbs hold 100 bits */
    assert_int_equal(eis_ckks_ct_mul_real_add(&sum, &t.a, 1), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_add_real(&sum, INFINITY), EIS_ERR_SCALE);
    eis_ckks_plain_clear(&p);
    eis_ckks_ct_clear(&sum);
    pair_close(&t);
}

/* Integers beyond 64 bits: their residues are those of the number, not of what is left of it. */
static void large_numbers_keep_their_value(void **state)
{
    const double scale = 0x1p95, value = -0x1.fffffffffffffp3; /* 2^40 to 2^95: an integer of 59 bits and more */
    pair t;

    (void)state;
    pair_open(&t, CHAIN_P0, NULL, 0);
    assert_int_equal(eis_ckks_ct_mul_real(&t.r, &t.a, value, scale), EIS_OK);
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){value * t.x[i].re, value * t.x[i].im};
    assert_true(error_of(&t, &t.r) < 16 * FRESH_2_40);
    assert_int_equal(eis_ckks_ct_add_real(&t.r, value), EIS_OK); /* 2^99 */
    for (size_t i = 0; i < t.w.count; i++) t.expected[i].re += value;
    assert_true(error_of(&t, &t.r) < 16 * FRESH_2_40);
    pair_close(&t);
}

static void sums_of_products_are_relinearised_once(void **state)
{
    pair t;
    eis_ckks_ct one = {0};

    (void)state;
    pair_open(&t, CHAIN_A, NULL, 0);
    for (size_t i = 0; i < t.w.count; i++) {
        eis_complex xy = complex_mul(t.x[i], t.y[i]), xx = complex_mul(t.x[i], t.x[i]);
        t.expected[i] = (eis_complex){2 * xy.re + xx.re, 2 * xy.im + xx.im};
    }
    assert_int_equal(eis_ckks_ct_square(&t.r, &t.a), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_add(&t.r, &t.a, &t.b), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_add(&t.r, &t.b, &t.a), EIS_OK);
    assert_int_equal(eis_ckks_ct_relinearise(&t.r, &t.r, &t.w.relin, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
    assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
    assert_true(error_of(&t, &t.r) < 4 * (RESCALE_2_40 + 2 * FRESH_2_40));
    assert_int_equal(eis_ckks_ct_square(&t.r, &t.a), EIS_OK);
    t.b.scale *= 2;
    assert_int_equal(eis_ckks_ct_mul_add(&t.r, &t.a, &t.b), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_drop(&t.b, 2), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_add(&t.r, &t.a, &t.b), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_square(&one, &t.b), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul_add(&one, &t.a, &t.a), EIS_ERR_LEVEL);
    eis_ckks_ct_clear(&one);
    pair_close(&t);
}

/* Relinearised and rescaled at once, in either form and in place: the words of the two steps. */
static void relinearising_and_rescaling_at_once_is_both(void **state)
{
    const eis_ckks_literal chains[] = {CHAIN_P0, CHAIN_M, CHAIN_B3};

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        pair t;
        eis_ckks_ct square = {0};

        pair_open(&t, chains[k], NULL, 0);
        for (size_t limbs = t.limbs; limbs > 1; limbs -= 1 + limbs / 4) {
            assert_int_equal(eis_ckks_ct_drop(&t.a, limbs), EIS_OK);
            for (unsigned form = 0; form < 2; form++) {
                const eis_ckks_digit_form digits = (eis_ckks_digit_form)form;

                assert_int_equal(eis_ckks_ct_square(&square, &t.a), EIS_OK);
                assert_int_equal(eis_ckks_ct_relinearise(&t.r, &square, &t.w.relin, digits), EIS_OK);
                assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
                assert_int_equal(eis_ckks_ct_relinearise_rescale(&t.b, &square, &t.w.relin, digits), EIS_OK);
                assert_int_equal(eis_ckks_ct_relinearise_rescale(&square, &square, &t.w.relin, digits), EIS_OK);
                assert_true(t.b.limbs == limbs - 1 && t.b.scale == t.r.scale && t.b.polys == 2);
                assert_true(square.limbs == limbs - 1 && square.scale == t.r.scale && square.polys == 2);
                for (size_t c = 0; c < 2; c++) {
                    const size_t bytes = (limbs - 1) * t.w.params->degree * 8;

                    assert_memory_equal(t.b.poly[c].words, t.r.poly[c].words, bytes);
                    assert_memory_equal(square.poly[c].words, t.r.poly[c].words, bytes);
                }
            }
        }
        assert_int_equal(eis_ckks_ct_drop(&t.a, 1), EIS_OK);
        t.a.scale = 1;
        assert_int_equal(eis_ckks_ct_square(&square, &t.a), EIS_OK);
        assert_int_equal(eis_ckks_ct_relinearise_rescale(&t.b, &square, &t.w.relin, EIS_CKKS_DIGITS_CENTRED),
                         EIS_ERR_LEVEL);
        eis_ckks_ct_clear(&square);
        pair_close(&t);
    }
}

/* Every switch may write over what it reads. */
static void switches_work_in_place(void **state)
{
    pair t;
    eis_ckks_ct a = {0};

    (void)state;
    pair_open(&t, CHAIN_P0, (const int32_t[]){1}, 1);
    for (unsigned form = 0; form < 2; form++) {
        const eis_ckks_digit_form digits = (eis_ckks_digit_form)form;

        assert_int_equal(eis_ckks_ct_copy(&a, &t.a), EIS_OK);
        assert_int_equal(eis_ckks_ct_rotate(&t.r, &t.a, 1, &t.w.galois, digits), EIS_OK);
        assert_int_equal(eis_ckks_ct_rotate(&a, &a, 1, &t.w.galois, digits), EIS_OK);
        for (size_t c = 0; c < 2; c++) assert_memory_equal(a.poly[c].words, t.r.poly[c].words, 3 * 8192 * 8);
        assert_int_equal(a.generator, 0);
        assert_int_equal(eis_ckks_ct_square(&a, &t.a), EIS_OK);
        assert_int_equal(eis_ckks_ct_relinearise(&t.r, &a, &t.w.relin, digits), EIS_OK);
        assert_int_equal(eis_ckks_ct_relinearise(&a, &a, &t.w.relin, digits), EIS_OK);
        assert_int_equal(a.polys, 2);
        assert_null(a.poly[2].words);
        for (size_t c = 0; c < 2; c++) assert_memory_equal(a.poly[c].words, t.r.poly[c].words, 3 * 8192 * 8);
    }
    eis_ckks_ct_clear(&a);
    pair_close(&t);
}

static void late_relinearisation_sums_first(void **state)
{
    pair t;
    eis_ckks_ct square = {0};

    (void)state;
    pair_open(&t, CHAIN_P0, NULL, 0);
    for (size_t i = 0; i < t.w.count; i++) {
        eis_complex xy = complex_mul(t.x[i], t.y[i]), xx = complex_mul(t.x[i], t.x[i]);
        t.expected[i] = (eis_complex){xy.re + xx.re, xy.im + xx.im};
    }
    assert_int_equal(eis_ckks_ct_mul(&t.r, &t.a, &t.b), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul(&square, &t.a, &t.a), EIS_OK);
    assert_int_equal(eis_ckks_ct_add(&t.r, &t.r, &square), EIS_OK);
    assert_int_equal(eis_ckks_ct_relinearise(&t.r, &t.r, &t.w.relin, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
    assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
    assert_true(error_of(&t, &t.r) < 2 * RESCALE_2_40 + 4 * FRESH_2_40);
    /* two polynomials and three meet in either order */
    assert_int_equal(eis_ckks_ct_relinearise(&t.r, &square, &t.w.relin, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
    assert_int_equal(eis_ckks_ct_add(&t.a, &t.r, &square), EIS_OK);
    assert_int_equal(t.a.polys, 3);
    assert_int_equal(eis_ckks_ct_sub(&square, &square, &t.r), EIS_OK);
    memset(t.expected, 0, t.w.count * sizeof *t.expected);
    assert_true(error_of(&t, &square) < 2e-8); /* the key switch at scale 2^80 */
    eis_ckks_ct_clear(&square);
    pair_close(&t);
}

static void slots_turn_left_and_conjugate(void **state)
{
    static const int32_t steps[] = {1, -1, 5, 1024, -77};
    pair t;

    (void)state;
    for (unsigned chain = 0; chain < 2; chain++) {
        pair_open(&t, chain ? CHAIN_A : CHAIN_P0, steps, 5);
        for (size_t limbs = t.limbs; limbs >= 1; limbs--) {
            assert_int_equal(eis_ckks_ct_drop(&t.a, limbs), EIS_OK);
            for (unsigned form = 0; form < 2; form++) {
                for (size_t k = 0; k < 5; k++) {
                    for (size_t i = 0; i < t.w.count; i++)
                        t.expected[i] = t.x[(i + (size_t)((int32_t)t.w.count + steps[k])) % t.w.count];
                    assert_int_equal(eis_ckks_ct_rotate(&t.r, &t.a, steps[k], &t.w.galois, (eis_ckks_digit_form)form),
                                     EIS_OK);
                    assert_true(t.r.scale == t.a.scale && t.r.limbs == limbs);
                    assert_true(error_of(&t, &t.r) < (form ? REFERENCE_2_40 : SWITCH_2_40));
                }
                for (size_t i = 0; i < t.w.count; i++) t.expected[i] = (eis_complex){t.x[i].re, -t.x[i].im};
                assert_int_equal(eis_ckks_ct_conjugate(&t.r, &t.a, &t.w.galois, (eis_ckks_digit_form)form), EIS_OK);
                assert_true(error_of(&t, &t.r) < (form ? REFERENCE_2_40 : SWITCH_2_40));
            }
        }
        assert_int_equal(eis_ckks_ct_rotate(&t.r, &t.a, 2, &t.w.galois, EIS_CKKS_DIGITS_CENTRED),
                         EIS_ERR_KEYS_INSUFFICIENT);
        assert_int_equal(eis_ckks_ct_rotate(&t.a, &t.a, 0, &t.w.galois, EIS_CKKS_DIGITS_CENTRED), EIS_OK);
        pair_close(&t);
    }
}

static void hoisted_rotations_agree_with_single_ones(void **state)
{
    static const int32_t steps[] = {1, 2, 3};
    pair t;
    eis_ckks_hoisted h = {0};
    eis_ckks_lifted lifted = {0}, sum = {0};
    eis_ckks_plain special = {0};
    eis_ckks_ct single = {0};

    (void)state;
    pair_open(&t, CHAIN_A, steps, 3);
    assert_int_equal(eis_ckks_hoist(&h, &t.a), EIS_OK);
    for (int32_t k = 0; k < 4; k++) {
        uint32_t element = eis_ckks_rotation_element(t.w.params, k);

        for (size_t i = 0; i < t.w.count; i++) t.expected[i] = t.x[(i + (size_t)k) % t.w.count];
        assert_int_equal(eis_ckks_hoisted_galois(&t.r, &h, element, &t.w.galois), EIS_OK);
        assert_true(error_of(&t, &t.r) < SWITCH_2_40);
        assert_int_equal(eis_ckks_hoisted_lift(&lifted, &h, element, &t.w.galois), EIS_OK);
        assert_int_equal(eis_ckks_lifted_lower(&single, &lifted), EIS_OK);
        /* The late mod-down of the lift has exactly the words of the early one. */
        for (size_t c = 0; c < 2; c++)
            assert_memory_equal(single.poly[c].words, t.r.poly[c].words, t.limbs * t.w.params->degree * 8);
    }
    /* sum over k of y turn(x, k), one mod-down for all */
    world_encode(&t.w, &special, t.y, t.limbs, 1, t.scale);
    memset(t.expected, 0, t.w.count * sizeof *t.expected);
    for (int32_t k = 0; k < 4; k++) {
        assert_int_equal(eis_ckks_hoisted_lift(&lifted, &h, eis_ckks_rotation_element(t.w.params, k), &t.w.galois),
                         EIS_OK);
        if (k == 0)
            assert_int_equal(eis_ckks_lifted_mul_plain(&sum, &lifted, &special), EIS_OK);
        else
            assert_int_equal(eis_ckks_lifted_mul_plain_add(&sum, &lifted, &special), EIS_OK);
        for (size_t i = 0; i < t.w.count; i++) {
            eis_complex z = complex_mul(t.y[i], t.x[(i + (size_t)k) % t.w.count]);
            t.expected[i] = (eis_complex){t.expected[i].re + z.re, t.expected[i].im + z.im};
        }
    }
    assert_int_equal(eis_ckks_lifted_lower(&t.r, &sum), EIS_OK);
    assert_int_equal(eis_ckks_ct_rescale(&t.r), EIS_OK);
    assert_true(error_of(&t, &t.r) < 4 * SWITCH_2_40);
    assert_int_equal(eis_ckks_hoisted_galois(&t.r, &h, 9 * 3 * 3 * 3, &t.w.galois), EIS_ERR_KEYS_INSUFFICIENT);
    eis_ckks_hoisted_clear(&h);
    eis_ckks_lifted_clear(&lifted);
    eis_ckks_lifted_clear(&sum);
    eis_ckks_plain_clear(&special);
    eis_ckks_ct_clear(&single);
    pair_close(&t);
}

static void slots_are_summed(void **state)
{
    static const int32_t steps[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
    pair t;
    eis_complex sum = {0};

    (void)state;
    pair_open(&t, CHAIN_P0, steps, 12);
    for (size_t i = 0; i < t.w.count; i++) sum = (eis_complex){sum.re + t.x[i].re, sum.im + t.x[i].im};
    for (size_t i = 0; i < t.w.count; i++) t.expected[i] = sum;
    assert_int_equal(eis_ckks_ct_sum_slots(&t.r, &t.a, t.w.count, 1, &t.w.galois), EIS_OK);
    assert_true(error_of(&t, &t.r) < 4096 * SWITCH_2_40); /* the noise of the first step is summed 2048 times */
    for (size_t i = 0; i < t.w.count; i++) {
        t.expected[i] = (eis_complex){0};
        for (size_t k = 0; k < 4; k++) {
            eis_complex z = t.x[(i + 256 * k) % t.w.count];
            t.expected[i] = (eis_complex){t.expected[i].re + z.re, t.expected[i].im + z.im};
        }
    }
    assert_int_equal(eis_ckks_ct_sum_slots(&t.a, &t.a, 4, 256, &t.w.galois), EIS_OK);
    assert_true(error_of(&t, &t.a) < 3 * SWITCH_2_40);
    pair_close(&t);
}

/* Uncentred digits put a key-dependent offset into slot 0; the engine's form must not have it. */
static void slot_0_is_as_good_as_the_others_under_every_key(void **state)
{
    double worst_centred = 0, worst_reference = 0, rms = 0;

    (void)state;
    for (unsigned key = 0; key < 8; key++) {
        pair t;
        eis_complex *z;

        pair_open(&t, CHAIN_M, (const int32_t[]){1}, 1);
        z = eis_mem_new(t.w.count, sizeof *z);
        for (unsigned form = 0; form < 2; form++) {
            double *worst = form == EIS_CKKS_DIGITS_CENTRED ? &worst_centred : &worst_reference;

            assert_int_equal(eis_ckks_ct_rotate(&t.r, &t.a, 1, &t.w.galois, (eis_ckks_digit_form)form), EIS_OK);
            world_decrypt(&t.w, z, &t.r);
            *worst = fmax(*worst, hypot(z[0].re - t.x[1].re, z[0].im - t.x[1].im));
            for (size_t i = 64; form == EIS_CKKS_DIGITS_CENTRED && i < t.w.count; i++)
                rms += (pow(z[i].re - t.x[(i + 1) % t.w.count].re, 2) + pow(z[i].im - t.x[(i + 1) % t.w.count].im, 2)) /
                       (8.0 * (double)t.w.count);
        }
        eis_mem_free(z);
        pair_close(&t);
    }
    rms = sqrt(rms);
    /* Laplace-like tails: beyond 10 rms once in 10^6 slots. */
    assert_true(worst_centred < 10 * rms);
    /* And the test can see it: the reference form is far off under at least one of eight keys. */
    assert_true(worst_reference > 4 * rms);
}

static void what_does_not_fit_is_an_error(void **state)
{
    pair t;

    (void)state;
    pair_open(&t, CHAIN_P0, (const int32_t[]){1}, 1);
    assert_int_equal(eis_ckks_ct_drop(&t.b, 2), EIS_OK);
    assert_int_equal(eis_ckks_ct_add(&t.r, &t.a, &t.b), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_mul(&t.r, &t.a, &t.b), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_mul_plain(&t.r, &t.b, &t.p), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_add_plain(&t.r, &t.b, &t.p), EIS_ERR_LEVEL);
    assert_int_equal(eis_ckks_ct_drop(&t.b, 3), EIS_ERR_LEVEL);
    assert_null(t.r.params);
    t.p.scale = 0x1p41;
    assert_int_equal(eis_ckks_ct_add_plain(&t.r, &t.a, &t.p), EIS_ERR_SCALE);
    t.p.scale = 0x1p90;
    assert_int_equal(eis_ckks_ct_mul_plain(&t.r, &t.a, &t.p), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_mul_integer(&t.r, &t.a, 1, 0x1p120), EIS_ERR_SCALE);
    t.b.scale = 0x1p70;
    assert_int_equal(eis_ckks_ct_drop(&t.b, 1), EIS_ERR_SCALE);
    t.b.scale = 0x1p40;
    assert_int_equal(eis_ckks_ct_drop(&t.b, 1), EIS_OK);
    assert_int_equal(eis_ckks_ct_mul(&t.r, &t.b, &t.b), EIS_ERR_SCALE); /* 2^80 in one prime of 60 bits */
    assert_int_equal(eis_ckks_ct_rescale(&t.b), EIS_ERR_LEVEL);
    assert_null(t.r.params);
    /* 2^40 + 1 is not 2^40; the exact scale of a rescaled product is not either. */
    assert_int_equal(eis_ckks_ct_copy(&t.r, &t.a), EIS_OK);
    t.r.scale += 1;
    assert_int_equal(eis_ckks_ct_add(&t.r, &t.r, &t.a), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_sub(&t.r, &t.a, &t.r), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_ct_mul_integer_add(&t.r, &t.a, 1, 2), EIS_ERR_SCALE);
    pair_close(&t);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
    pair t;
    eis_ckks_hoisted h = {0};
    unsigned long n;
    eis_status st;

    (void)state;
    pair_open(&t, CHAIN_S, (const int32_t[]){1}, 1);
#define FAIL_EACH(call)                                               \
    for (n = 1;; n++) {                                               \
        eis_mem_fail_at(n);                                           \
        st = (call);                                                  \
        eis_mem_fail_at(0);                                           \
        if (st == EIS_OK) break;                                      \
        assert_int_equal(st, EIS_ERR_MEMORY);                         \
        assert_true(t.r.params == NULL || t.r.poly[1].words != NULL); \
        eis_ckks_ct_clear(&t.r);                                      \
    }                                                                 \
    eis_ckks_ct_clear(&t.r)
    FAIL_EACH(eis_ckks_ct_add(&t.r, &t.a, &t.b));
    FAIL_EACH(eis_ckks_ct_mul(&t.r, &t.a, &t.b));
    FAIL_EACH(eis_ckks_ct_rotate(&t.r, &t.a, 1, &t.w.galois, EIS_CKKS_DIGITS_CENTRED));
    FAIL_EACH(eis_ckks_ct_sum_slots(&t.r, &t.a, 2, 1, &t.w.galois));
    FAIL_EACH(eis_ckks_hoist(&h, &t.a));
    FAIL_EACH(eis_ckks_hoisted_galois(&t.r, &h, 3, &t.w.galois));
    assert_int_equal(eis_ckks_ct_square(&t.a, &t.a), EIS_OK);
    FAIL_EACH(eis_ckks_ct_relinearise(&t.r, &t.a, &t.w.relin, EIS_CKKS_DIGITS_CENTRED));
    eis_ckks_hoisted_clear(&h);
    pair_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products_with_plaintexts),
        cmocka_unit_test(products_of_ciphertexts_on_every_chain),
        cmocka_unit_test(scales_come_out_exactly),
        cmocka_unit_test(large_numbers_keep_their_value),
        cmocka_unit_test(sums_of_products_are_relinearised_once),
        cmocka_unit_test(relinearising_and_rescaling_at_once_is_both),
        cmocka_unit_test(switches_work_in_place),
        cmocka_unit_test(late_relinearisation_sums_first),
        cmocka_unit_test(slots_turn_left_and_conjugate),
        cmocka_unit_test(hoisted_rotations_agree_with_single_ones),
        cmocka_unit_test(slots_are_summed),
        cmocka_unit_test(slot_0_is_as_good_as_the_others_under_every_key),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
