/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent is what the documents say: rounds and words of every gate and of whole steps, counted at the links,
 * equal the graph's cost and the formulas of docs/mpc.md; what the dealer sends equals them too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/functions.h"
#include "engine/mpc/lm_block.h"
#include "support/mpc_lm.h"

#include <math.h>
#include <stdlib.h>

enum { N = 24, ROWS = 6, COLUMNS = 4 };

static mpc_world world;
static int64_t ones[N];

static int open_world(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) ones[i] = 1;
    mpc_world_open(&world, 3);
    world.input[0] = ones;
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    mpc_world_close(&world);
    return 0;
}

static uint32_t log2_up(uint32_t n)
{
    uint32_t bits = 0;

    while ((1u << bits) < n) bits++;
    return bits;
}

/* ---- gates ---- */

typedef struct counted {
    uint64_t rounds, words, corrections;
} counted;

/* Walks a graph and counts at the links of every party: rounds, and words behind the headers of its frames. */
static counted count_walk(const eis_mpc_graph *g)
{
    counted c = {0};
    eis_mpc_cost cost;
    uint64_t rounds = world.party[0].links.links.rounds, bytes[EIS_MPC_PARTIES_MAX];

    for (uint32_t p = 0; p < world.count; p++) bytes[p] = world.party[p].links.links.bytes_sent;
    if (mpc_world_walk(&world, g, false) != EIS_OK) fail_msg("%s", eis_error_detail());
    c.rounds = world.party[0].links.links.rounds - rounds;
    for (uint32_t p = 0; p < world.count; p++) {
        uint64_t sent = world.party[p].links.links.bytes_sent - bytes[p] - EIS_MPC_HEADER_BYTES * c.rounds;
        assert_true(sent % sizeof(uint64_t) == 0);
        if (p == 0) c.words = sent / sizeof(uint64_t);
        assert_int_equal(sent, c.words * sizeof(uint64_t));
    }
    c.corrections = world.corrections.count;
    eis_mpc_graph_cost(&cost, g);
    assert_int_equal(c.rounds, cost.rounds);
    assert_int_equal(c.words, cost.opened);
    assert_int_equal(c.corrections, cost.corrections);
    assert_int_equal(eis_mpc_graph_words(g), cost.masks + cost.corrections);
    return c;
}

/* A gate behind an input of N elements, whose own N corrections are left out. */
typedef eis_mpc_id (*make_gate)(eis_mpc_graph *g, eis_mpc_id x);

static void expect(const char *name, make_gate make, uint32_t rounds, uint32_t words, uint32_t corrections)
{
    eis_mpc_graph g;
    counted c;

    eis_mpc_graph_init(&g, NULL, 0);
    assert_true(make(&g, eis_mpc_input(&g, 0, N, 16, 0x1p20)) != EIS_MPC_NONE);
    assert_int_equal(eis_mpc_graph_status(&g), EIS_OK);
    c = count_walk(&g);
    if (c.rounds != rounds || c.words != words * (uint64_t)N || c.corrections != (corrections + 1) * (uint64_t)N)
        fail_msg("%s: %u rounds, %.3f words, %.3f corrections for each element", name, (unsigned)c.rounds,
                 (double)c.words / N, (double)c.corrections / N - 1);
    mpc_world_clear_walk(&world);
    eis_mpc_graph_clear(&g);
}

static const eis_mpc_cut narrow = {0, 7, 3}, wide = {0, 4, 6}, widest = {0, 3, 9};

static eis_mpc_id make_mask(eis_mpc_graph *g, eis_mpc_id x) { return eis_mpc_mask(g, eis_mpc_auth(g, x)); }

static eis_mpc_id make_power(eis_mpc_graph *g, eis_mpc_id x, uint32_t count)
{
    const eis_mpc_id factors[4] = {x, x, x, x};

    return eis_mpc_mask(g, eis_mpc_product(g, factors, count, 1));
}

static eis_mpc_id make_product(eis_mpc_graph *g, eis_mpc_id x, uint32_t count)
{
    const eis_mpc_id factors[4] = {x, eis_mpc_scale(g, x, 2, 0), eis_mpc_scale(g, x, 3, 0), eis_mpc_scale(g, x, 5, 0)};

    return eis_mpc_mask(g, eis_mpc_product(g, factors, count, 1));
}

static eis_mpc_id make_product2(eis_mpc_graph *g, eis_mpc_id x) { return make_product(g, x, 2); }
static eis_mpc_id make_product3(eis_mpc_graph *g, eis_mpc_id x) { return make_product(g, x, 3); }
static eis_mpc_id make_product4(eis_mpc_graph *g, eis_mpc_id x) { return make_product(g, x, 4); }
static eis_mpc_id make_square(eis_mpc_graph *g, eis_mpc_id x) { return make_power(g, x, 2); }
static eis_mpc_id make_cube(eis_mpc_graph *g, eis_mpc_id x) { return make_power(g, x, 3); }
static eis_mpc_id make_fourth(eis_mpc_graph *g, eis_mpc_id x) { return make_power(g, x, 4); }
static eis_mpc_id make_rescale(eis_mpc_graph *g, eis_mpc_id x) { return eis_mpc_rescale(g, x, 8); }

static eis_mpc_id make_rescale_auth(eis_mpc_graph *g, eis_mpc_id x)
{
    return eis_mpc_rescale_auth(g, eis_mpc_auth(g, x), 8);
}

static eis_mpc_id make_narrow(eis_mpc_graph *g, eis_mpc_id x) { return eis_mpc_at_least(g, x, narrow, 0, 0); }
static eis_mpc_id make_wide(eis_mpc_graph *g, eis_mpc_id x) { return eis_mpc_at_least(g, x, wide, 0, 0); }
static eis_mpc_id make_widest(eis_mpc_graph *g, eis_mpc_id x) { return eis_mpc_at_least(g, x, widest, 0, 0); }

static eis_mpc_id make_select(eis_mpc_graph *g, eis_mpc_id x, eis_mpc_cut cut)
{
    static const int64_t zero = 0;
    eis_mpc_compare compare;

    eis_mpc_compare_begin(&compare, g, x, cut, &zero, 1, 0);
    return eis_mpc_mask(g, eis_mpc_compare_select(g, &compare, x, 0));
}

static eis_mpc_id make_narrow_select(eis_mpc_graph *g, eis_mpc_id x) { return make_select(g, x, narrow); }
static eis_mpc_id make_wide_select(eis_mpc_graph *g, eis_mpc_id x) { return make_select(g, x, wide); }

static eis_mpc_id make_max(eis_mpc_graph *g, eis_mpc_id x)
{
    return eis_mpc_max(g, x, eis_mpc_scale(g, x, -1, 0), (eis_mpc_cut){2, 7, 3}, NULL, EIS_MPC_NONE, EIS_MPC_NONE);
}

static eis_mpc_id make_max_with(eis_mpc_graph *g, eis_mpc_id x)
{
    eis_mpc_id at = EIS_MPC_NONE, y = eis_mpc_scale(g, x, -1, 0);

    return eis_mpc_max(g, x, y, (eis_mpc_cut){2, 7, 3}, &at, x, y);
}

/* What the tests of a gate's material take, for each element: pairs, squares, and at level 2 squares of the parts of
 * words that are cut. The words that go with them are those of the documents. */
static void expect_tests(const char *name, make_gate make, uint32_t pairs, uint32_t squares, uint32_t cut)
{
    eis_mpc_graph g;

    eis_mpc_graph_init(&g, NULL, 0);
    assert_true(make(&g, eis_mpc_input(&g, 0, N, 16, 0x1p20)) != EIS_MPC_NONE);
    assert_int_equal(eis_mpc_graph_status(&g), EIS_OK);
    for (uint32_t level = 0; level <= 2; level++) {
        eis_mpc_test_size size;
        size_t p = level > 0 ? pairs * (size_t)N : 0, q = level > 0 ? squares * (size_t)N : 0;
        if (level > 1) q += 31 * cut * (size_t)N;
        eis_mpc_test_size_graph(&size, &g, (eis_mpc_tests){.level = level, .inputs = true});
        if (size.pairs != p || size.squares != q)
            fail_msg("%s: %zu pairs, %zu squares", name, size.pairs, size.squares);
        assert_int_equal(size.opened, 2 * p + q + (level > 0));
        assert_int_equal(size.corrections,
                         2 * p + (p > 0) + 2 * q + (level > 0) + (level > 1 ? 182 * cut * (size_t)N : 0));
    }
    eis_mpc_graph_clear(&g);
}

static void test_tests(void **state)
{
    (void)state;
    expect_tests("mask", make_mask, 0, 0, 0);
    expect_tests("product of 2", make_product2, 1, 0, 0);
    expect_tests("product of 3", make_product3, 2, 0, 0);
    expect_tests("product of 4", make_product4, 3, 0, 0);
    expect_tests("square", make_square, 1, 0, 0);
    expect_tests("fourth power", make_fourth, 1, 0, 0);
    expect_tests("rescale", make_rescale, 0, 0, 1);
    expect_tests("narrow comparison", make_narrow, 1 + 1 + 2, 3, 1);
    /* Two groups with products of 2 and 3, one of 3 more, and that of both groups. */
    expect_tests("wide comparison", make_wide, 1 + 2 * (1 + 2) + 2 + 1, 6, 1);
}

static void test_gates(void **state)
{
    (void)state;
    expect("mask", make_mask, 1, 1, 1);
    expect("product of 2", make_product2, 1, 1, 1 + 2);
    expect("product of 3", make_product3, 1, 1, 1 + 8);
    expect("product of 4", make_product4, 1, 1, 1 + 22);
    expect("square", make_square, 1, 1, 1 + 2);
    expect("cube", make_cube, 1, 1, 1 + 4);
    expect("fourth power", make_fourth, 1, 1, 1 + 6);
    expect("rescale", make_rescale, 1, 1, 4 + 1);
    expect("rescale of an auth", make_rescale_auth, 2, 2, 1 + 4 + 1);
    /* 2 words for r_t and each entry of each digit; a mask each; the two products of the chain: 1 and 4 sets. */
    expect("narrow comparison", make_narrow, 1, 4, 2 * (1 + 3 * 127) + 4 + 2 + 8);
    expect("narrow selection", make_narrow_select, 2, 6, 2 * (1 + 3 * 127) + 5 + 2 + 8 + 22 + 1);
    /* Groups low: 4 masks, 2 and 8; high: 5 masks, 2, 8 and 8; then 2 masks and 1 set. */
    expect("wide comparison", make_wide, 2, 11, 2 * (1 + 6 * 15) + (4 + 10) + (5 + 18) + 2 + 2);
    expect("wide selection", make_wide_select, 3, 13, 2 * (1 + 6 * 15) + (4 + 10) + (5 + 18) + 2 + 1 + 2 + 8 + 1);
    expect("widest comparison", make_widest, 2, 18, 2 * (1 + 9 * 7) + (4 + 10) + 2 * (5 + 18) + 4 + 2 + 8);
    expect("maximum", make_max, 2, 6, 2 * (1 + 3 * 127) + 5 + 2 + 8 + 22 + 1);
    expect("maximum and companion", make_max_with, 2, 7, 2 * (1 + 3 * 127) + 5 + 2 * (2 + 8 + 22) + 2);
}

/* An inner product: 2 words of correction and, as a wire, 1 opened word, whatever its length. */
static void test_dot(void **state)
{
    static const uint32_t at[2] = {0, N / 2};
    const eis_mpc_dot_shape shape = {.inner = N / 2, .a_step = 1, .b_step = 1, .a_at = at, .b_at = at};
    eis_mpc_graph g;
    eis_mpc_id x;
    counted c;
    (void)state;

    eis_mpc_graph_init(&g, NULL, 0);
    x = eis_mpc_input(&g, 0, N, 16, 0x1p20);
    (void)eis_mpc_mask(&g, eis_mpc_dot(&g, x, x, &shape, 2, 0));
    c = count_walk(&g);
    assert_int_equal(c.rounds, 1);
    assert_int_equal(c.words, 2);
    assert_int_equal(c.corrections, N + 2 * 3);
    mpc_world_clear_walk(&world);
    eis_mpc_graph_clear(&g);
}

/* A product with a matrix: 1 word for each row, 2 corrections, and 1 for each tag; a row: 1 correction, and 1. */
static eis_mpc_matrix_shape shape = {
    .rows = ROWS, .columns = COLUMNS, .frac = 4, .row_norm = 1, .products = true, .selection = true};

static void test_matrix(void **state)
{
    eis_mpc_graph g;
    eis_mpc_id x;
    eis_mpc_cost cost;
    (void)state;

    eis_mpc_graph_init(&g, &shape, 1);
    x = eis_mpc_input(&g, 0, 3 * COLUMNS, 4, 16);
    eis_mpc_node_cost(&cost, &g, eis_mpc_apply(&g, 0, x, NULL, 0, 0));
    assert_int_equal(cost.rounds, 1);
    assert_int_equal(cost.opened, 3 * ROWS);
    assert_int_equal(cost.corrections, 2 * 3 * ROWS + 3);
    eis_mpc_node_cost(&cost, &g, eis_mpc_row(&g, 0, 0));
    assert_int_equal(cost.opened, COLUMNS);
    assert_int_equal(cost.corrections, COLUMNS + 1);
    assert_int_equal(eis_mpc_load_words(&shape), ROWS * COLUMNS + 6 * (ROWS + COLUMNS));
    eis_mpc_graph_clear(&g);
}

/* Functions: their headers' figures. */
typedef eis_mpc_id (*make_function)(eis_mpc_graph *g, eis_mpc_id x, const eis_mpc_tuning *t);

static eis_mpc_id make_silu(eis_mpc_graph *g, eis_mpc_id x, const eis_mpc_tuning *t)
{
    return eis_mpc_activate(g, x, EIS_MPC_SILU, t);
}

static eis_mpc_id make_gelu(eis_mpc_graph *g, eis_mpc_id x, const eis_mpc_tuning *t)
{
    return eis_mpc_activate(g, x, EIS_MPC_GELU, t);
}

static eis_mpc_id make_unit(eis_mpc_graph *g, eis_mpc_id x, const eis_mpc_tuning *t)
{
    return eis_mpc_gated_unit(g, x, x, EIS_MPC_SILU, t);
}

static void expect_function(const char *name, make_function make, unsigned frac, double bound, unsigned degree,
                            uint32_t rounds, uint32_t words)
{
    eis_mpc_graph g;
    eis_mpc_tuning t;
    counted c;

    eis_mpc_tuning_default(&t);
    if (degree > 0) t.exp_degree = degree;
    eis_mpc_graph_init(&g, NULL, 0);
    (void)make(&g, eis_mpc_input(&g, 0, N, frac, ldexp(bound, (int)frac)), &t);
    assert_int_equal(eis_mpc_graph_status(&g), EIS_OK);
    c = count_walk(&g);
    if (c.rounds != rounds || c.words != words * (uint64_t)N)
        fail_msg("%s: %u rounds, %.3f words for each element", name, (unsigned)c.rounds, (double)c.words / N);
    mpc_world_clear_walk(&world);
    eis_mpc_graph_clear(&g);
}

static void test_functions(void **state)
{
    (void)state;
    expect_function("exp, degree 11", eis_mpc_exp, 32, 1024, 11, 5, 14);
    expect_function("exp, degree 15", eis_mpc_exp, 32, 1024, 15, 7, 16);
    expect_function("SiLU in one step", make_silu, 16, 15, 0, 6, 20);
    expect_function("SiLU in two", make_silu, 16, 64, 0, 8, 22);
    expect_function("GELU", make_gelu, 16, 15, 0, 6, 20);
    expect_function("gated unit", make_unit, 16, 15, 0, 8, 22);
}

/* ---- steps ---- */

static const char *root(void)
{
    const char *path = getenv("EIS_TEST_ROOT");

    return path != NULL ? path : ".";
}

static eis_model *open_tiny(void)
{
    char path[1024];
    eis_model *model;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root());
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    return model;
}

/* Rounds of the halves of a block from the second token on: 26 + 2 ceil(log2 m), where the sum of a softmax fits the
 * narrow comparison (27 where it does not), and 20. The first residual has no bits to lose, which saves the first block
 * the 2 rounds of its R. */
static void check_blocks(const eis_mpc_lm *lm, uint32_t position)
{
    uint32_t levels = log2_up(position + 1);
    eis_mpc_lm_step step = {0};
    eis_mpc_residual x;

    step.position = position;
    step.count = 1;
    step.all_valid = EIS_MPC_NONE;
    step.keys = eis_mem_new(lm->layers, sizeof *step.keys);
    step.values = eis_mem_new(lm->layers, sizeof *step.values);
    eis_mpc_graph_init(&step.graph, lm->shapes, lm->shape_count);
    x = (eis_mpc_residual){.wire = eis_mpc_row(&step.graph, EIS_MPC_LM_EMBEDDING, ldexp(lm->embedding_norm, 16)),
                           .norm = lm->embedding_norm};
    for (uint32_t i = 0; i < lm->layers; i++) {
        uint32_t before = step.graph.nodes[x.wire].round;
        eis_mpc_lm_attention(&x, &step, lm, i);
        assert_int_equal(eis_mpc_graph_status(&step.graph), EIS_OK);
        assert_int_equal(step.graph.nodes[x.wire].round - before, 26 + 2 * levels - (i == 0 ? 2 : 0));
        before = step.graph.nodes[x.wire].round;
        eis_mpc_lm_mlp(&x, &step, lm, i);
        assert_int_equal(step.graph.nodes[x.wire].round - before, 20);
    }
    eis_mpc_lm_step_clear(&step);
}

static void test_blocks(void **state)
{
    eis_model *model = open_tiny();
    eis_mpc_tuning tuning;
    eis_mpc_lm lm;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    assert_int_equal(eis_mpc_lm_init(&lm, model, &tuning), EIS_OK);
    for (uint32_t position = 1; position < lm.context; position += 1 + position / 3) {
        uint32_t levels = log2_up(position + 1);
        eis_mpc_lm_step step;
        check_blocks(&lm, position);
        assert_int_equal(eis_mpc_lm_step_init(&step, &lm, position, false, true), EIS_OK);
        /* Embedding; blocks; R, head, and a tournament with wide comparisons. */
        assert_int_equal(step.graph.rounds, 1 + lm.layers * (46 + 2 * levels) - 2 + 2 + 3 * log2_up(lm.vocabulary));
        eis_mpc_lm_step_clear(&step);
    }
    eis_mpc_lm_clear(&lm);
    eis_model_free(model);
}

/* A frame of coins, of commitments and of sigmas; then a share, a commitment, a sigma. */
enum { CHECK_ROUNDS = 3, CHECK_BYTES = 96 + 64 + 40, OUTPUT_ROUNDS = 3, OUTPUT_BYTES = 8 + 32 + 40 };

/* Whole steps at the links: what the graph says, a check and an output. */
static void test_steps(void **state)
{
    static mpc_lm m;
    eis_model *model = open_tiny();
    eis_mpc_tuning tuning;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    mpc_lm_open(&m, model, &tuning, 2);
    for (uint32_t i = 0; i < 4; i++) {
        static const uint32_t tokens[] = {77, 5, 9, 123};
        const uint32_t secret = i == 0 ? 1 : i == 3 ? 4 : 0;
        const eis_mpc_links *links = &m.world.party[0].links.links;
        uint64_t rounds = links->rounds, bytes = links->bytes_sent;
        uint32_t next;
        eis_mpc_lm_step step;
        eis_mpc_cost cost;
        assert_int_equal(eis_mpc_lm_step_init(&step, &m.lm, i, secret, true), EIS_OK);
        eis_mpc_graph_cost(&cost, &step.graph);
        eis_mpc_lm_step_clear(&step);
        assert_int_equal(mpc_lm_walk(&m, &next, tokens, secret, 0), EIS_OK);
        rounds = links->rounds - rounds;
        bytes = links->bytes_sent - bytes;
        assert_int_equal(rounds, cost.rounds + CHECK_ROUNDS + OUTPUT_ROUNDS);
        assert_int_equal(bytes, EIS_MPC_HEADER_BYTES * rounds + 8 * cost.opened + CHECK_BYTES + OUTPUT_BYTES);
        assert_int_equal(m.corrections.count, cost.corrections);
    }
    mpc_lm_close(&m);
    eis_model_free(model);
}

/* Thresholds of the reciprocals of softmaxes: of comparisons of as many words as there are rows of scores. */
static uint64_t softmax_thresholds(const eis_mpc_graph *g, uint32_t rows)
{
    uint64_t thresholds = 0;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        if (node->op != EIS_MPC_OP_DIGITS || node->cmp.elements != rows || node->cmp.threshold_count < 2) continue;
        assert_int_equal(node->cmp.digits, 3);
        thresholds += node->cmp.threshold_count;
    }
    return thresholds;
}

/* What a token of a prompt opens in its softmaxes' reciprocals hangs on how long the longest row is, since all rows of
 * a step are compared with the same thresholds. */
static uint64_t opened_without_thresholds(const eis_mpc_lm *lm, uint32_t position, uint32_t tokens, bool head)
{
    eis_mpc_lm_step step;
    eis_mpc_cost cost;
    uint64_t thresholds;

    assert_int_equal(eis_mpc_lm_step_init(&step, lm, position, tokens, head), EIS_OK);
    eis_mpc_graph_cost(&cost, &step.graph);
    thresholds = softmax_thresholds(&step.graph, tokens * lm->heads);
    assert_true(thresholds > 0 || (position == 0 && tokens == 1));
    eis_mpc_lm_step_clear(&step);
    return cost.opened - 4 * thresholds * tokens * lm->heads; /* narrow comparisons open 4 words each */
}

/* A prompt in one step: the rounds of its last token alone, the words of all its tokens, thresholds aside. */
static void test_prefill(void **state)
{
    static const uint32_t starts[] = {0, 5, 100}, sizes[] = {1, 2, 13, 32};
    eis_model *model = open_tiny();
    eis_mpc_tuning tuning;
    eis_mpc_lm lm;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    assert_int_equal(eis_mpc_lm_init(&lm, model, &tuning), EIS_OK);
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t start = starts[i / 4], size = sizes[i % 4], last = start + size - 1;
        eis_mpc_lm_step all, one;
        uint64_t words = 0;
        for (uint32_t p = start; p <= last; p++) words += opened_without_thresholds(&lm, p, 1, p == last);
        /* A sum of one exponential has one line, which is chosen by nothing: 3 words fewer, if it is alone. */
        if (start == 0 && size > 1) words += 3 * lm.heads * lm.layers;
        assert_int_equal(opened_without_thresholds(&lm, start, size, true), words);
        assert_int_equal(eis_mpc_lm_step_init(&all, &lm, start, size, true), EIS_OK);
        assert_int_equal(eis_mpc_lm_step_init(&one, &lm, last, 1, true), EIS_OK);
        assert_int_equal(all.graph.rounds, one.graph.rounds);
        eis_mpc_lm_step_clear(&all);
        eis_mpc_lm_step_clear(&one);
    }
    eis_mpc_lm_clear(&lm);
    eis_model_free(model);
}

/* What decides how many tokens a step takes is near what their unit weighs. */
static void test_prefill_units(void **state)
{
    eis_model *model = open_tiny();
    eis_mpc_tuning tuning;
    eis_mpc_lm lm;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    assert_int_equal(eis_mpc_lm_init(&lm, model, &tuning), EIS_OK);
    for (uint32_t mib = 8; mib <= 128; mib *= 2)
        for (uint32_t position = 0; position < 200; position += 66) {
            eis_mpc_lm_step step;
            eis_mpc_cost cost;
            uint32_t count = 0;
            lm.prefill_mib = mib;
            assert_int_equal(eis_mpc_lm_prefill(&count, &lm, position, 56), EIS_OK);
            assert_true(count >= 1 && count <= 56);
            assert_int_equal(eis_mpc_lm_step_init(&step, &lm, position, count, false), EIS_OK);
            eis_mpc_graph_cost(&cost, &step.graph);
            assert_true(count == 1 || (double)cost.corrections * 0x1p-17 < 1.1 * mib);
            assert_true(count == 56 || (double)cost.corrections * (count + 1) / count * 0x1p-17 > 0.9 * mib);
            eis_mpc_lm_step_clear(&step);
        }
    lm.prefill_mib = 1;
    assert_int_equal(eis_mpc_lm_prefill(&(uint32_t){0}, &lm, 0, 1), EIS_OK);
    eis_mpc_lm_clear(&lm);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates),  cmocka_unit_test(test_tests),     cmocka_unit_test(test_dot),
        cmocka_unit_test(test_matrix), cmocka_unit_test(test_functions), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_steps),  cmocka_unit_test(test_prefill),   cmocka_unit_test(test_prefill_units),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
