/* SPDX-License-Identifier: Apache-2.0 */
/* A dealer that deals wrong: each kind of correction, wrong by one word, with a MAC that fits or not, ends the session
 * whatever the data are; what is not tested for is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/gates.h"
#include "engine/mpc/sacrifice.h"
#include "support/mpc_world.h"

enum { ROWS = 6, COLUMNS = 5, INPUTS = 2 * COLUMNS };

typedef struct setting {
    mpc_world world;
    eis_mpc_matrix_shape shape;
    eis_mpc_graph graph;
    eis_mpc_corrections load;
    size_t load_words, step_words; /* of corrections, without those of the tests */
    uint64_t *weights[EIS_MPC_PARTIES_MAX];
    int64_t x[INPUTS];
    eis_mpc_tests tests;
    size_t pending_max; /* 0: as it is */
} setting;

static void build(setting *s)
{
    static const uint32_t at[2] = {0, 1};
    const eis_mpc_dot_shape dot = {.inner = 3, .a_step = 1, .b_step = 2, .a_at = at, .b_at = at};
    const eis_mpc_cut cut = {1, 4, 3};
    eis_mpc_graph *g = &s->graph;
    eis_mpc_id x, y, bit, factors[4];

    s->shape = (eis_mpc_matrix_shape){
        .rows = ROWS, .columns = COLUMNS, .frac = 4, .row_norm = 1, .products = true, .selection = true};
    eis_mpc_graph_init(g, &s->shape, 1);
    x = eis_mpc_input(g, 0, INPUTS, 4, 100);
    y = eis_mpc_row(g, 0, 100);
    if (y != EIS_MPC_NONE) g->nodes[y].row = 2;
    x = eis_mpc_add(g, x, eis_mpc_join(g, y, y));
    y = eis_mpc_apply(g, 0, x, NULL, 0, 1000);
    y = eis_mpc_apply(g, 0, eis_mpc_slice(g, x, 0, COLUMNS), (const eis_mpc_id[]){eis_mpc_slice(g, y, 0, ROWS)}, 1,
                      1500);
    y = eis_mpc_rescale(g, y, 4);
    bit = eis_mpc_mask(g, eis_mpc_at_least(g, y, cut, 3, 0));
    factors[0] = factors[3] = bit;
    factors[1] = factors[2] = y;
    (void)eis_mpc_mask(g, eis_mpc_product(g, factors, 4, 1e6));
    (void)eis_mpc_mask(g, eis_mpc_dot(g, y, x, &dot, 2, 0));
    assert_int_equal(eis_mpc_graph_status(g), EIS_OK);
}

static eis_mpc_reader reader_of(const setting *s, const mpc_world_party *p, const eis_mpc_corrections *c, size_t from,
                                size_t to)
{
    bool last = p->index + 1 == s->world.count;

    return (eis_mpc_reader){.seed = s->world.dealer.seed[p->index],
                            .corrections = last ? c->words + from : NULL,
                            .correction_count = to - from};
}

static void *walk_party(void *context)
{
    mpc_world_party *p = context;
    setting *s = (setting *)p->world;
    eis_status st = EIS_OK;
    const eis_mpc_corrections *step = &s->world.corrections;
    eis_mpc_reader load = reader_of(s, p, &s->load, 0, s->load_words),
                   load_test = reader_of(s, p, &s->load, s->load_words, s->load.count),
                   unit = reader_of(s, p, step, 0, s->step_words),
                   unit_test = reader_of(s, p, step, s->step_words, step->count);
    eis_mpc_test_size size;
    uint64_t *m[2];

    eis_mpc_test_size_load(&size, &s->shape, 1);
    m[0] = eis_mem_new(eis_mpc_load_words(&s->shape), 8);
    m[1] = eis_mem_new(size.words, 8);
    EIS_TRY(eis_mpc_reader_load(&load, m[0], &s->shape, 1));
    EIS_TRY(eis_mpc_party_load(&p->party, &s->shape, &s->weights[p->index], 1, m[0]));
    if (s->tests.level > 0) {
        EIS_TRY(eis_mpc_reader_test_load(&load_test, m[1], &s->shape, 1));
        EIS_TRY(eis_mpc_sacrifice_load(&p->party, m[0], m[1]));
    }
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    if (s->pending_max != 0) p->party.check.pending_max = s->pending_max;
    EIS_TRY(mpc_world_test_and_walk(p, &s->graph, &unit, &unit_test, s->tests));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(m[0]);
    eis_mem_free(m[1]);
    return mpc_world_keep_error(p, st);
}

/* A lie: the dealer changes what it has dealt. */
typedef struct lie {
    eis_mpc_op op; /* of the node, 0: in the load */
    size_t at;     /* the word, from that node's (or the load's) first correction */
    size_t mac_at; /* where its MAC is; SIZE_MAX: it is left as it was */
    enum place { IN_UNIT, IN_TEST, AT_PAIR_SUM, AT_SQUARES, AT_PARTS } place; /* in what the unit is tested with */
    bool orthogonal; /* two words of a product with a matrix, so that the tag does not see it */
    bool swapped;    /* digit `at` of a comparison is another one, sign and MACs as they should be */
    bool turned;     /* r_t of a comparison is another one, and so is the sign */
} lie;

static size_t corrections_before(const eis_mpc_graph *g, eis_mpc_op op)
{
    size_t at = 0;
    eis_mpc_cost cost;

    for (eis_mpc_id id = 0; g->nodes[id].op != op; id++) {
        eis_mpc_node_cost(&cost, g, id);
        at += cost.corrections;
    }
    return at;
}

/* Where the first correction of a place is in what a unit is tested with. */
static size_t place_in_test(const setting *s, enum place place)
{
    eis_mpc_test_size size;
    size_t parts = 0;

    eis_mpc_test_size_graph(&size, &s->graph, s->tests);
    for (eis_mpc_id id = 0; id < s->graph.node_count; id++)
        if (s->graph.nodes[id].cut) parts += 2 * (size_t)s->graph.nodes[id].count * EIS_MPC_PART_ENTRIES;
    if (place == AT_PARTS) return size.corrections - parts;
    return place == IN_TEST ? 0 : 1 + 2 * size.pairs + (place == AT_SQUARES);
}

/* Adds to a word and to its MAC. */
static void shift(const setting *s, uint64_t *word, uint64_t *mac, uint64_t amount)
{
    *word = eis_fp_add(*word, amount);
    *mac = eis_fp_add(*mac, eis_fp_mul(amount, s->world.dealer.key));
}

/* Digit j of element 0 of the comparison becomes another one, or its sign does. */
static void change_digit(const setting *s, uint64_t *w, unsigned j, bool turned)
{
    const eis_mpc_node *node = s->graph.nodes;
    uint64_t l, digit, sign, values;
    size_t n;

    while (node->op != EIS_MPC_OP_DIGITS) node++;
    n = node->cmp.elements;
    values = (UINT64_C(1) << node->cmp.digit_bits) - 1;
    l = s->world.masks.of[node->in[0]][0];
    digit = l >> (node->cmp.low + j * node->cmp.digit_bits) & values;
    sign = l >> (node->cmp.low + node->cmp.digits * node->cmp.digit_bits) & 1;
    if (turned) shift(s, w, w + n, sign != 0 ? eis_fp_neg(1) : 1);
    sign = j + 1 == node->cmp.digits && sign != 0 ? eis_fp_neg(1) : 1;
    w += 2 * n * (1 + j * values);
    if (digit != 0)
        shift(s, w + 2 * n * (digit - 1), w + 2 * n * (digit - 1) + n,
              eis_fp_neg(turned ? eis_fp_add(sign, sign) : sign));
    digit ^= 1;
    if (!turned && digit != 0) shift(s, w + 2 * n * (digit - 1), w + 2 * n * (digit - 1) + n, sign);
}

static void tell_lie(setting *s, const lie *l)
{
    eis_mpc_corrections *c = l->op == 0 ? &s->load : &s->world.corrections;
    size_t first = l->place != IN_UNIT ? (l->op == 0 ? s->load_words : s->step_words + place_in_test(s, l->place))
                   : l->op == 0        ? 0
                                       : corrections_before(&s->graph, l->op);
    const uint64_t *rho = s->world.dealer.matrices[0].rho;
    uint64_t *w = c->words + first, amount;

    if (l->orthogonal) {
        w[l->at] = eis_fp_add(w[l->at], rho[1]);
        w[l->at + 1] = eis_fp_sub(w[l->at + 1], rho[0]);
        return;
    }
    if (l->swapped || l->turned) {
        change_digit(s, w, (unsigned)l->at, l->turned);
        return;
    }
    /* One more would make another digit of some, which is not what is tested for. */
    amount = l->op == EIS_MPC_OP_DIGITS ? 2 : 1;
    w[l->at] = eis_fp_add(w[l->at], amount);
    if (l->mac_at != SIZE_MAX) w[l->mac_at] = eis_fp_add(w[l->mac_at], eis_fp_mul(amount, s->world.dealer.key));
}

static eis_status run(setting *s, uint32_t parties, eis_mpc_tests tests, size_t pending_max, const lie *l)
{
    mpc_world *w = &s->world;
    const eis_mpc_mask_source none = {0};

    memset(s, 0, sizeof *s);
    s->tests = tests;
    s->pending_max = pending_max;
    build(s);
    mpc_world_open(w, parties);
    mpc_world_require(eis_mpc_deal_load(&w->dealer, &s->load, &s->shape, 1) == EIS_OK, "load");
    s->load_words = s->load.count;
    mpc_world_require(eis_mpc_deal_test_load(&s->load, &w->dealer) == EIS_OK, "test of the load");
    w->step = 7;
    w->graph = &s->graph;
    mpc_world_require(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, &s->graph, w->step, &none) == EIS_OK,
                      "unit");
    s->step_words = w->corrections.count;
    mpc_world_require(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s->graph, &w->masks, s->tests, w->step) ==
                          EIS_OK,
                      "its test");
    for (uint32_t p = 0; p < parties; p++) {
        s->weights[p] = eis_mem_new(ROWS * COLUMNS, 8);
        for (uint32_t i = 0; i < ROWS * COLUMNS; i++)
            s->weights[p][i] = eis_fp_add(i * 7 % 11, w->dealer.matrices[0].mask[i]);
    }
    w->input_pub[0] = eis_mem_new(INPUTS, 8);
    for (uint32_t i = 0; i < INPUTS; i++) w->input_pub[0][i] = eis_fp_add(i, w->masks.of[0][i]);
    if (l != NULL) tell_lie(s, l);
    return mpc_world_together(w, walk_party);
}

static void finish(setting *s)
{
    for (uint32_t p = 0; p < s->world.count; p++) eis_mem_free(s->weights[p]);
    mpc_world_close(&s->world);
    eis_mpc_corrections_clear(&s->load);
    eis_mpc_graph_clear(&s->graph);
}

static const eis_mpc_tests trusted = {.level = 0, .inputs = true}, tested = {.level = 1}, tested_whole = {.level = 2};

static void test_honest(void **state)
{
    static setting s;
    (void)state;

    for (uint32_t parties = 2; parties <= 4; parties++) {
        eis_mpc_test_size size;
        const eis_mpc_links *links = &s.world.party[0].links.links;
        uint64_t bytes;
        uint32_t level = 1 + parties % 2;
        if (run(&s, parties, trusted, 0, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        assert_int_equal(s.world.corrections.count, s.step_words);
        bytes = links->bytes_sent;
        finish(&s);
        if (run(&s, parties, (eis_mpc_tests){.level = level}, 0, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        /* The costs of the documents: what is dealt more, and what is opened more. */
        eis_mpc_test_size_graph(&size, &s.graph, s.tests);
        assert_int_equal(s.world.corrections.count - s.step_words, size.corrections);
        bytes = links->bytes_sent - bytes;
        bytes -= 8 * size.opened;
        eis_mpc_test_size_load(&size, &s.shape, 1);
        assert_int_equal(s.load.count - s.load_words, size.corrections);
        assert_int_equal(bytes - 8 * size.opened, 6 * EIS_MPC_HEADER_BYTES + 2 * (32 + 64));
        finish(&s);
    }
}

/* Every kind of correction in the order of material.h: a word and its MAC, each wrong alone and both. */
static void test_lies(void **state)
{
    enum { BIT_N = 2 * ROWS, N = ROWS };
    static const lie lies[] = {
        {.op = EIS_MPC_OP_INPUT, .at = 3, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_ROW, .at = 2, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_ROW, .at = COLUMNS, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_MASK, .at = 1, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_MATRIX, .at = 2, .mac_at = SIZE_MAX},         /* a l */
        {.op = EIS_MPC_OP_MATRIX, .at = BIT_N + 1, .mac_at = SIZE_MAX}, /* l_W l_x + l */
        {.op = EIS_MPC_OP_MATRIX, .at = BIT_N, .orthogonal = true},     /* and what its tag does not see */
        {.op = EIS_MPC_OP_MATRIX, .at = 2 * BIT_N, .mac_at = SIZE_MAX}, /* the tag */
        {.op = EIS_MPC_OP_PRODUCT, .at = 1, .mac_at = N + 1},           /* of two factors, and its MAC */
        {.op = EIS_MPC_OP_PRODUCT, .at = 1, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_PRODUCT, .at = N + 1, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_PRODUCT, .at = 11 * N + 3, .mac_at = 12 * N + 3}, /* of four: two of them, */
        {.op = EIS_MPC_OP_PRODUCT, .at = 15 * N, .mac_at = 16 * N},         /* three, */
        {.op = EIS_MPC_OP_PRODUCT, .at = 21 * N, .mac_at = 22 * N},         /* all */
        {.op = EIS_MPC_OP_DOT, .at = 1, .mac_at = 3},
        {.op = EIS_MPC_OP_DOT, .at = 2, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_TRUNCATE, .at = 1, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_TRUNCATE, .at = 3 * N, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_DIGITS, .at = 0, .mac_at = N}, /* r_t */
        {.op = EIS_MPC_OP_DIGITS, .at = 0, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_DIGITS, .at = 2 * N + 4, .mac_at = 3 * N + 4}, /* in the lowest digit */
        {.op = EIS_MPC_OP_DIGITS, .at = 3 * N + 4, .mac_at = SIZE_MAX},
        {.op = EIS_MPC_OP_DIGITS, .at = 2 * N * 45, .mac_at = 2 * N * 45 + N}, /* in the highest digit */
        {.op = 0, .at = 2, .mac_at = SIZE_MAX},                                /* a rho */
        {.op = 0, .at = ROWS + 1, .mac_at = SIZE_MAX},                         /* a l_v */
        {.op = 0, .at = ROWS + COLUMNS + 3, .mac_at = ROWS + 2 * COLUMNS + 3}, /* l_W^T rho in one place */
        {.op = 0, .at = ROWS + 3 * COLUMNS + COLUMNS + ROWS + 4, .mac_at = ROWS + 3 * COLUMNS + COLUMNS + 2 * ROWS + 4},
        {.op = 0, .at = 1, .mac_at = SIZE_MAX, .place = IN_TEST},
        {.op = EIS_MPC_OP_MASK, .at = 0, .mac_at = SIZE_MAX, .place = IN_TEST}, /* a s */
        {.op = EIS_MPC_OP_MASK, .at = 5, .mac_at = SIZE_MAX, .place = IN_TEST}, /* a a' */
        {.op = EIS_MPC_OP_MASK, .at = 0, .mac_at = SIZE_MAX, .place = AT_PAIR_SUM},
        {.op = EIS_MPC_OP_MASK, .at = 2, .mac_at = SIZE_MAX, .place = AT_SQUARES},         /* a x' */
        {.op = EIS_MPC_OP_MASK, .at = 3 * N + 1, .mac_at = SIZE_MAX, .place = AT_SQUARES}, /* x'^2 */
    };
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        for (uint32_t parties = 2; parties <= 3; parties++) {
            if (run(&s, parties, tested, i % 4 == 0 ? 20 : 0, &lies[i]) == EIS_OK) fail_msg("lie %zu passed", i);
            finish(&s);
        }
}

/* What the tests are for: these lies pass without them, for these data. */
static void test_needed(void **state)
{
    static const lie lies[] = {
        {.op = EIS_MPC_OP_MATRIX, .at = 2 * ROWS, .orthogonal = true},
        {.op = EIS_MPC_OP_PRODUCT, .at = 1, .mac_at = ROWS + 1},
        {.op = EIS_MPC_OP_DIGITS, .at = 0, .mac_at = ROWS},
        {.op = EIS_MPC_OP_DOT, .at = 1, .mac_at = 3},
    };
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        if (run(&s, 2, trusted, 0, &lies[i]) != EIS_OK) fail_msg("lie %zu is seen without tests", i);
        finish(&s);
    }
}

/* Parts of a truncation and digits that are not those of their mask: level 1 does not see them, level 2 does. */
static void test_parts(void **state)
{
    enum { N = ROWS };
    static const lie lies[] = {
        {.op = EIS_MPC_OP_TRUNCATE, .at = 1, .mac_at = N + 1},     /* l >> s */
        {.op = EIS_MPC_OP_TRUNCATE, .at = 2 * N, .mac_at = 3 * N}, /* its top bit */
        {.op = EIS_MPC_OP_DIGITS, .at = 0, .swapped = true},       {.op = EIS_MPC_OP_DIGITS, .at = 1, .swapped = true},
        {.op = EIS_MPC_OP_DIGITS, .at = 2, .swapped = true},       {.op = EIS_MPC_OP_DIGITS, .at = 2, .turned = true},
    };
    static const lie worse[] = {
        {.op = EIS_MPC_OP_MASK, .at = 0, .mac_at = 2 * N, .place = AT_PARTS},        /* no bits */
        {.op = EIS_MPC_OP_MASK, .at = 4 * N, .mac_at = SIZE_MAX, .place = AT_PARTS}, /* no MAC */
        {.op = EIS_MPC_OP_MASK, .at = 2 * N * (EIS_MPC_PART_ENTRIES - 1), .mac_at = SIZE_MAX, .place = AT_PARTS},
    };
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        for (uint32_t parties = 2; parties <= 3; parties++) {
            if (run(&s, parties, tested, 0, &lies[i]) != EIS_OK) fail_msg("lie %zu is seen at level 1", i);
            finish(&s);
            if (run(&s, parties, tested_whole, i % 2 == 0 ? 20 : 0, &lies[i]) == EIS_OK) fail_msg("lie %zu passed", i);
            finish(&s);
        }
    for (size_t i = 0; i < sizeof worse / sizeof worse[0]; i++) {
        if (run(&s, 2, tested_whole, 0, &worse[i]) == EIS_OK) fail_msg("part %zu passed", i);
        finish(&s);
    }
}

/* Checks between rounds, where few residues may be pending: as many as are foretold, three rounds each. */
static void test_pending(void **state)
{
    static const size_t limits[] = {1, 7, 20, 100};
    static const eis_mpc_tests tests[] = {{.level = 0, .inputs = true}, {.level = 1}, {.level = 2, .inputs = true}};
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        const eis_mpc_check *check = &s.world.party[0].party.check;
        uint64_t rounds, windows;
        if (run(&s, 2, tests[i], 0, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        rounds = s.world.party[0].links.links.rounds;
        windows = check->window;
        finish(&s);
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            uint32_t more;
            if (run(&s, 2, tests[i], limits[k], NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
            assert_int_equal(eis_mpc_checks_between(&more, &s.graph, tests[i], limits[k]), EIS_OK);
            assert_true(limits[k] > 20 || more > 0);
            assert_int_equal(check->window, windows + more);
            assert_int_equal(s.world.party[0].links.links.rounds, rounds + 3 * (uint64_t)more);
            finish(&s);
        }
    }
}

/* An input that has to be one-hot, and what its owner puts in instead. */
typedef struct prompt {
    mpc_world world; /* the first member */
    eis_mpc_graph graph;
    size_t step_words;
    eis_mpc_tests tests;
} prompt;

static void *walk_prompt(void *context)
{
    mpc_world_party *p = context;
    prompt *s = (prompt *)p->world;
    eis_status st = EIS_OK;
    const eis_mpc_corrections *c = &s->world.corrections;
    bool last = p->index + 1 == s->world.count;
    eis_mpc_reader unit = {.seed = s->world.dealer.seed[p->index],
                           .corrections = last ? c->words : NULL,
                           .correction_count = s->step_words},
                   tests = {.seed = unit.seed,
                            .corrections = last ? c->words + s->step_words : NULL,
                            .correction_count = c->count - s->step_words};

    EIS_TRY(mpc_world_test_and_walk(p, &s->graph, &unit, &tests, s->tests));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    return mpc_world_keep_error(p, st);
}

enum { WIDTH = 6 };

/* One session whose owner puts in two rows. */
static eis_status put_in(prompt *s, uint32_t parties, eis_mpc_tests tests, bool bits, const int64_t row[2][WIDTH])
{
    const eis_mpc_mask_source none = {0};
    mpc_world *w = &s->world;
    eis_mpc_id input;
    eis_status st;

    memset(s, 0, sizeof *s);
    s->tests = tests;
    mpc_world_open(w, parties);
    w->step = 1;
    w->graph = &s->graph;
    eis_mpc_graph_init(&s->graph, NULL, 0);
    input = eis_mpc_input(&s->graph, 0, 2 * WIDTH, 0, 1);
    if (bits)
        eis_mpc_set_bits(&s->graph, input);
    else
        eis_mpc_set_one_hot(&s->graph, input, WIDTH);
    assert_int_equal(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, &s->graph, 1, &none), EIS_OK);
    s->step_words = w->corrections.count;
    assert_int_equal(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s->graph, &w->masks, tests, 1), EIS_OK);
    w->input_pub[0] = eis_mem_new(2 * WIDTH, 8);
    for (uint32_t k = 0; k < 2 * WIDTH; k++)
        w->input_pub[0][k] = eis_fp_add(eis_fp_from_i64(row[k / WIDTH][k % WIDTH]), w->masks.of[0][k]);
    st = mpc_world_together(w, walk_prompt);
    mpc_world_close(w);
    eis_mpc_graph_clear(&s->graph);
    return st;
}

/* With prompt.check what is no token is refused, whether the dealer is tested or not; without it nobody minds. */
static void test_prompts(void **state)
{
    static const struct {
        int64_t row[2][WIDTH];
        bool good;
    } inputs[] = {
        {{{0, 0, 1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, true},   {{{0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 1}}, true},
        {{{0, 0, 1, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}, false},  {{{1, 0, 1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},
        {{{0, 0, 2, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},  {{{1, 1, -1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},
        {{{-1, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false}, {{{0, 2, 0, 0, -1, 0}, {1, 0, 0, 0, 0, 0}}, false},
    };
    static prompt s;
    (void)state;

    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        for (uint32_t level = 0; level <= 2; level++)
            for (int check = 0; check < 2; check++) {
                eis_mpc_tests tests = {.level = level, .inputs = check != 0};
                eis_status st = put_in(&s, 2 + (uint32_t)i % 2, tests, false, inputs[i].row);
                if ((st == EIS_OK) != (inputs[i].good || check == 0))
                    fail_msg("input %zu at level %u: %s", i, level, eis_error_detail());
            }
}

/* Words that have to be bits. */
static void test_bits(void **state)
{
    static const struct {
        int64_t row[2][WIDTH];
        bool good;
    } inputs[] = {
        {{{0, 1, 1, 0, 0, 1}, {1, 1, 1, 1, 1, 1}}, true},   {{{0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}, true},
        {{{0, 0, 2, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},  {{{0, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, -1}}, false},
        {{{2, -1, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}, false},
    };
    static prompt s;
    (void)state;

    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        for (uint32_t level = 0; level <= 1; level++)
            for (int check = 0; check < 2; check++) {
                eis_mpc_tests tests = {.level = level, .inputs = check != 0};
                eis_status st = put_in(&s, 2 + (uint32_t)i % 2, tests, true, inputs[i].row);
                if ((st == EIS_OK) != (inputs[i].good || check == 0))
                    fail_msg("input %zu at level %u: %s", i, level, eis_error_detail());
            }
}

/* Squares of a vector, one after another; in front a comparison of a few words, which leaves pairs at odd places. */
static void build_long(eis_mpc_graph *g, uint32_t width, unsigned layers)
{
    const eis_mpc_cut cut = {1, 4, 3};
    eis_mpc_id y;

    eis_mpc_graph_init(g, NULL, 0);
    y = eis_mpc_input(g, 0, width, 4, 100);
    (void)eis_mpc_mask(g, eis_mpc_at_least(g, eis_mpc_slice(g, y, 0, 5), cut, 3, 0));
    for (unsigned i = 0; i < layers; i++) y = eis_mpc_rescale(g, eis_mpc_mask(g, eis_mpc_product2(g, y, y, 1000)), 4);
    assert_int_equal(eis_mpc_graph_status(g), EIS_OK);
}

/* Tests and walks such a unit. Returns how much memory the larger of both takes; *frames: that its test opens. */
static size_t walk_long(prompt *s, size_t *frames, uint32_t width, unsigned layers, uint32_t level)
{
    const eis_mpc_mask_source none = {0};
    mpc_world *w = &s->world;
    const mpc_world_party *p = &w->party[0];
    eis_mpc_test_size size;
    uint64_t rounds;
    uint32_t checks;
    size_t most;

    memset(s, 0, sizeof *s);
    s->tests.level = level;
    mpc_world_open(w, 2);
    w->step = 1;
    w->graph = &s->graph;
    build_long(&s->graph, width, layers);
    eis_mpc_test_size_graph(&size, &s->graph, s->tests);
    *frames = (size.opened + EIS_MPC_TEST_FRAME_WORDS - 1) / EIS_MPC_TEST_FRAME_WORDS;
    assert_int_equal(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, &s->graph, 1, &none), EIS_OK);
    s->step_words = w->corrections.count;
    assert_int_equal(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s->graph, &w->masks, s->tests, 1), EIS_OK);
    w->input_pub[0] = eis_mem_new(width, 8);
    for (uint32_t i = 0; i < width; i++) w->input_pub[0][i] = eis_fp_add(16, w->masks.of[0][i]);
    rounds = p->links.links.rounds;
    if (mpc_world_together(w, walk_prompt) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_mpc_checks_between(&checks, &s->graph, s->tests, EIS_MPC_CHECK_PENDING_MAX), EIS_OK);
    assert_int_equal(p->links.links.rounds - rounds, s->graph.rounds + 2 + *frames + 3 * (checks + 1));
    most = p->test_words > p->run.most_words ? p->test_words : p->run.most_words;
    assert_true(p->test_words < EIS_MPC_TEST_FRAME_WORDS * 7 + 8 * EIS_MPC_TEST_BLOCK + 32 * (size_t)width);
    mpc_world_close(w);
    eis_mpc_graph_clear(&s->graph);
    return most;
}

/* A unit of more gates takes more frames, and no more memory; the words of one pair may lie in two frames. */
static void test_memory(void **state)
{
    static const struct {
        uint32_t width;
        unsigned layers, times;
    } units[] = {{16384, 36, 4}, {2048, 18, 2}};
    static prompt s;
    (void)state;

    for (uint32_t level = 1; level <= 2; level++) {
        size_t frames[2];
        size_t small = walk_long(&s, &frames[0], units[level - 1].width, units[level - 1].layers, level);
        size_t large =
            walk_long(&s, &frames[1], units[level - 1].width, units[level - 1].layers * units[level - 1].times, level);
        assert_true(frames[0] > 1 && frames[1] > frames[0]);
        assert_int_equal(small, large);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest), cmocka_unit_test(test_lies),    cmocka_unit_test(test_needed),
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_pending), cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_bits),   cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
