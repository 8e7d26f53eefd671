/* SPDX-License-Identifier: Apache-2.0 */
/* If shares did not add up to x, answers would be noise; if a share were not uniform, its server would learn
 * about x. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "encode/fixed.h"
#include "kernel/f61_word.h"
#include "rand/entropy.h"
#include "share/combine.h"
#include "share/split.h"
#include "share/uniformity.h"

static uint64_t random_state = 0x2545f4914f6cdd1du;

static uint64_t random_word(eis_ring ring)
{
    uint64_t word;

    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    word = (random_state ^ random_state >> 29) & eis_ring_mask(ring);
    return ring == EIS_RING_F61 && word == EIS_F61_P ? 0 : word;
}

static uint64_t add(uint64_t a, uint64_t b, eis_ring ring)
{
    return ring == EIS_RING_F61 ? (uint64_t)(((eis_u128)a + b) % EIS_F61_P) : (a + b) & eis_ring_mask(ring);
}

static const struct {
    eis_ring ring;
    eis_form form;
} domains[] = {{EIS_RING_Z32, EIS_FORM_PLANES}, {EIS_RING_Z40, EIS_FORM_PLANES}, {EIS_RING_Z48, EIS_FORM_PLANES},
               {EIS_RING_Z56, EIS_FORM_PLANES}, {EIS_RING_Z64, EIS_FORM_PLANES}, {EIS_RING_Z52, EIS_FORM_WORDS},
               {EIS_RING_F61, EIS_FORM_WORDS},  {EIS_RING_Z64, EIS_FORM_WORDS}};

#define DOMAINS    (sizeof domains / sizeof domains[0])
#define SHARES_MAX 5

static void check_padding(const eis_share *share, size_t v)
{
    const eis_vectors *shape = &share->shape;
    eis_vectors whole = *shape;
    uint64_t *words = eis_mem_new(shape->cols_padded, 8);

    whole.n = shape->cols_padded;
    eis_share_words_read(words, share->body + v * eis_vectors_stride(shape), &whole);
    for (size_t i = shape->n; i < shape->cols_padded; i++) assert_int_equal(words[i], 0);
    eis_mem_free(words);
}

/* Adds all shares of vector v as their servers see them. */
static void add_up(uint64_t *sum, eis_prg *prg, const eis_share *shares, size_t k, size_t v)
{
    const eis_vectors *shape = &shares[0].shape;
    uint8_t *vectors = eis_mem_new(eis_vectors_bytes(shape), 1);
    uint64_t *words = eis_mem_new(shape->n, 8);

    memset(sum, 0, shape->n * 8);
    for (size_t i = 0; i < k; i++) {
        assert_int_equal(shares[i].index, i + 1);
        assert_int_equal(eis_share_expand(prg, vectors, &shares[i]), EIS_OK);
        eis_share_words_read(words, vectors + v * eis_vectors_stride(shape), shape);
        for (size_t j = 0; j < shape->n; j++) sum[j] = add(sum[j], words[j], shape->ring);
    }
    eis_mem_free(vectors);
    eis_mem_free(words);
}

static void check_split(eis_prg *prg, eis_share *shares, const eis_vectors *shape, size_t k, unsigned suite)
{
    uint64_t *x = eis_mem_new(shape->n * shape->batch, 8), *sum = eis_mem_new(shape->n, 8);

    for (size_t i = 0; i < shape->n * shape->batch; i++) x[i] = random_word(shape->ring);
    (void)eis_entropy_fail_at(0);
    assert_int_equal(eis_share_split(prg, shares, k, x, shape, suite), EIS_OK);
    assert_int_equal(eis_entropy_fail_at(0), k - 1); /* one system call per seed */
    for (size_t i = 0; i + 1 < k; i++) {
        assert_int_equal(shares[i].suite, suite);
        if (i > 0) assert_memory_not_equal(shares[i].seed, shares[i - 1].seed, 32);
    }
    assert_int_equal(shares[k - 1].suite, EIS_SUITE_WORDS);
    for (size_t v = 0; v < shape->batch; v++) {
        add_up(sum, prg, shares, k, v);
        assert_memory_equal(sum, x + v * shape->n, shape->n * 8);
        check_padding(&shares[k - 1], v);
    }
    eis_mem_free(x);
    eis_mem_free(sum);
}

static void shares_add_up_in_every_ring(void **state)
{
    static const size_t lengths[] = {1, 3, 10, 64, 255, 257, 1000};
    eis_share shares[SHARES_MAX] = {0};
    eis_prg prg = {0};

    (void)state;
    for (size_t d = 0; d < DOMAINS; d++)
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
            for (size_t k = 2; k <= SHARES_MAX; k++) {
                eis_vectors shape;
                size_t batch = 1 + (l + k) % 3;

                assert_int_equal(eis_vectors_init(&shape, domains[d].ring, domains[d].form, lengths[l], batch), EIS_OK);
                check_split(&prg, shares, &shape, k, 1 + (unsigned)((l + k) % 3));
            }
    for (size_t i = 0; i < SHARES_MAX; i++) eis_share_clear(&shares[i]);
    eis_prg_clear(&prg);
}

static void a_single_server_is_refused(void **state)
{
    eis_share shares[1] = {0};
    eis_prg prg = {0};
    eis_vectors shape;
    uint64_t x[4] = {1, 2, 3, 4}, y[4] = {9, 9, 9, 9};
    eis_share_part part = {x, 0};

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_PLANES, 4, 1), EIS_OK);
    assert_int_equal(eis_share_split(&prg, shares, 1, x, &shape, EIS_SUITE_AES128), EIS_ERR_USAGE);
    assert_int_equal(eis_share_split(&prg, shares, 0, x, &shape, EIS_SUITE_AES128), EIS_ERR_USAGE);
    assert_null(shares[0].body);
    assert_int_equal(eis_share_combine(y, &part, 1, 4, EIS_RING_Z64), EIS_ERR_USAGE);
    assert_int_equal(eis_share_combine(y, &part, 0, 4, EIS_RING_Z64), EIS_ERR_USAGE);
    assert_int_equal(y[0], 9);
    eis_prg_clear(&prg);
}

static void unknown_suites_are_refused(void **state)
{
    eis_share shares[2] = {0};
    eis_prg prg = {0};
    eis_vectors shape;
    uint64_t x[4] = {1, 2, 3, 4};
    uint8_t seed[48] = {0};

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_Z64, EIS_FORM_PLANES, 4, 1), EIS_OK);
    assert_int_equal(eis_share_split(&prg, shares, 2, x, &shape, EIS_SUITE_WORDS), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_share_split(&prg, shares, 2, x, &shape, 9), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_share_init_given(&shares[0], &shape, 1, 9, seed, 32), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_share_init_given(&shares[0], &shape, 1, EIS_SUITE_AES256, seed, 32), EIS_ERR_PARSE);
    eis_prg_clear(&prg);
}

/* Masks: vector v of a share is x minus seeds that were given out before, each for itself. */
static void masked_vectors_add_up(void **state)
{
    eis_prg prg = {0};

    (void)state;
    for (size_t d = 0; d < DOMAINS; d++) {
        for (size_t count = 1; count <= 3; count++) {
            enum { N = 70, BATCH = 3 };
            uint64_t x[BATCH][N], sum[N];
            eis_share share = {0}, masks[3] = {0};
            eis_vectors shape, single;

            assert_int_equal(eis_vectors_init(&shape, domains[d].ring, domains[d].form, N, BATCH), EIS_OK);
            assert_int_equal(eis_vectors_init(&single, domains[d].ring, domains[d].form, N, 1), EIS_OK);
            assert_int_equal(eis_share_init_words(&share, &shape, 7), EIS_OK);
            for (size_t v = 0; v < BATCH; v++) {
                for (size_t i = 0; i < N; i++) x[v][i] = random_word(domains[d].ring);
                for (size_t i = 0; i < count; i++)
                    assert_int_equal(eis_share_init_seed(&masks[i], &single, (uint32_t)i + 1, EIS_SUITE_AES128),
                                     EIS_OK);
                assert_int_equal(eis_share_split_masked(&prg, &share, v, x[v], masks, count), EIS_OK);
                add_up(sum, &prg, masks, count, 0);
                {
                    uint64_t rest[N];
                    eis_share_words_read(rest, share.body + v * eis_vectors_stride(&shape), &shape);
                    for (size_t i = 0; i < N; i++) assert_int_equal(add(sum[i], rest[i], domains[d].ring), x[v][i]);
                }
                check_padding(&share, v);
            }
            assert_int_equal(eis_share_split_masked(&prg, &share, 0, x[0], masks, 0), EIS_ERR_USAGE);
            assert_int_equal(eis_share_init_words(&share, &shape, 7), EIS_OK);
            assert_int_equal(eis_share_init_words(&masks[0], &single, 1), EIS_OK);
            assert_int_equal(eis_share_split_masked(&prg, &share, 0, x[0], masks, 1), EIS_ERR_USAGE);
            for (size_t i = 0; i < 3; i++) eis_share_clear(&masks[i]);
            eis_share_clear(&share);
        }
    }
    eis_prg_clear(&prg);
}

/* What each server holds, the last one included, passes the test that `eis audit` makes, for an input of zeros. */
static void every_share_looks_uniform(void **state)
{
    enum { N = 4096 };
    static uint64_t x[N], words[N];
    static uint8_t vectors[N * 8];
    eis_share shares[3] = {0};
    eis_prg prg = {0};

    (void)state;
    for (size_t d = 0; d < DOMAINS; d++) {
        eis_vectors shape;

        assert_int_equal(eis_vectors_init(&shape, domains[d].ring, domains[d].form, N, 1), EIS_OK);
        assert_int_equal(eis_share_split(&prg, shares, 3, x, &shape, 1 + (unsigned)(d % 3)), EIS_OK);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(eis_share_expand(&prg, vectors, &shares[i]), EIS_OK);
            eis_share_words_read(words, vectors, &shape);
            assert_true(eis_uniformity_words(words, N, (unsigned)domains[d].ring) > EIS_UNIFORMITY_P_MIN);
        }
    }
    for (size_t i = 0; i < 3; i++) eis_share_clear(&shares[i]);
    eis_prg_clear(&prg);
}

static void sums_come_back_in_every_ring(void **state)
{
    enum { N = 101 };
    uint64_t words[SHARES_MAX][N], y[N], want[N];
    eis_share_part parts[SHARES_MAX];

    (void)state;
    for (size_t d = 0; d < DOMAINS; d++) {
        for (size_t k = 2; k <= SHARES_MAX; k++) {
            memset(want, 0, sizeof want);
            for (size_t i = 0; i < k; i++) {
                parts[i] = (eis_share_part){words[i], 0};
                for (size_t j = 0; j < N; j++) {
                    words[i][j] = random_word(domains[d].ring);
                    want[j] = add(want[j], words[i][j], domains[d].ring);
                }
            }
            assert_int_equal(eis_share_combine(y, parts, k, N, domains[d].ring), EIS_OK);
            assert_memory_equal(y, want, sizeof y);
        }
    }
    parts[1].truncated_bits = 1;
    assert_int_equal(eis_share_combine(y, parts, 2, N, EIS_RING_F61), EIS_ERR_USAGE);
    parts[1].truncated_bits = 52;
    assert_int_equal(eis_share_combine(y, parts, 2, N, EIS_RING_Z52), EIS_ERR_USAGE);
    assert_memory_equal(y, want, sizeof y);
}

/* The error of cut replies: the sum lies below the floor of the value by at most k - 1 units; with the centre given
 * back it is off by at most k/2. `whole` further parts are not cut: the stored product of a mask. */
static void check_truncation(size_t cut, size_t whole, eis_ring ring)
{
    enum { N = 2000 };
    static uint64_t words[SHARES_MAX + 1][N], y[N];
    static double real[N];
    unsigned t = (unsigned)ring - 32;
    double unit = (double)(1ull << t), scale = 1, worst = 0;
    size_t k = cut + whole;
    eis_share_part parts[SHARES_MAX + 1];
    int64_t value[N];

    for (size_t j = 0; j < N; j++) {
        uint64_t rest;

        /* as far out as the bound of section 3 lets a value come: half the ring less h = cut * 2^t */
        value[j] = (int64_t)(random_word(EIS_RING_Z64)) >> (64 - (unsigned)ring);
        if (j < 20) value[j] = (j % 2 ? 1 : -1) * (int64_t)((1ull << ((unsigned)ring - 1)) - (cut << t) - 1 - j / 2);
        if (value[j] >= (int64_t)((1ull << ((unsigned)ring - 1)) - (cut << t))) value[j] = 0;
        if (value[j] <= -(int64_t)((1ull << ((unsigned)ring - 1)) - (cut << t))) value[j] = 0;
        rest = (uint64_t)value[j];
        for (size_t i = 0; i + 1 < k; i++) {
            words[i][j] = random_word(ring);
            rest -= words[i][j];
        }
        words[k - 1][j] = rest & eis_ring_mask(ring);
        for (size_t i = 0; i < cut; i++) words[i][j] >>= t;
    }
    for (size_t i = 0; i < k; i++) parts[i] = (eis_share_part){words[i], i < cut ? t : 0};
    assert_int_equal(eis_share_combine(y, parts, k, N, ring), EIS_OK);
    for (size_t j = 0; j < N; j++) {
        int64_t low = (int64_t)(y[j] << (64 - (unsigned)ring)) >> (64 - (unsigned)ring);
        int64_t below_floor = (value[j] >> t) - (low >> t);

        if (whole == 0) assert_true(below_floor >= 0 && below_floor <= (int64_t)cut - 1);
        eis_fixed_to_reals(&real[j], &y[j], &scale, 1, 0, ring, t, cut);
        if (fabs(real[j] - (double)value[j]) > worst) worst = fabs(real[j] - (double)value[j]);
    }
    /* doubles round values of 64 bits by up to 2^10, far below one unit of 2^32 */
    assert_true(worst <= (double)cut / 2 * unit * (1 + 1e-6));
    if (cut == 2) assert_true(worst > 0.9 * unit); /* the bound is reached, so a smaller one would fail */
}

static void cut_replies_keep_their_error_bound(void **state)
{
    static const eis_ring rings[] = {EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52, EIS_RING_Z56, EIS_RING_Z64};

    (void)state;
    for (size_t r = 0; r < 5; r++) {
        for (size_t k = 2; k <= SHARES_MAX; k++) check_truncation(k, 0, rings[r]);
        for (size_t cut = 1; cut <= 4; cut++) check_truncation(cut, 1, rings[r]);
        check_truncation(1, 3, rings[r]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_add_up_in_every_ring),        cmocka_unit_test(a_single_server_is_refused),
        cmocka_unit_test(unknown_suites_are_refused),         cmocka_unit_test(masked_vectors_add_up),
        cmocka_unit_test(every_share_looks_uniform),          cmocka_unit_test(sums_come_back_in_every_ring),
        cmocka_unit_test(cut_replies_keep_their_error_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
