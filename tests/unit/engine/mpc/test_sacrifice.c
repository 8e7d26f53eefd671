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
    bool test;
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
    const eis_mpc_source source = {.context = &s->world, .input = mpc_world_input};
    const eis_mpc_corrections *step = &s->world.corrections;
    eis_mpc_reader load = reader_of(s, p, &s->load, 0, s->load_words),
                   load_test = reader_of(s, p, &s->load, s->load_words, s->load.count),
                   unit = reader_of(s, p, step, 0, s->step_words),
                   unit_test = reader_of(s, p, step, s->step_words, step->count);
    eis_mpc_test_size sizes[2];
    uint64_t *m[4];

    eis_mpc_test_size_load(&sizes[0], &s->shape, 1);
    eis_mpc_test_size_graph(&sizes[1], &s->graph);
    m[0] = eis_mem_new(eis_mpc_load_words(&s->shape), 8);
    m[1] = eis_mem_new(sizes[0].words, 8);
    m[2] = eis_mem_new(eis_mpc_graph_words(&s->graph), 8);
    m[3] = eis_mem_new(sizes[1].words, 8);
    EIS_TRY(eis_mpc_reader_load(&load, m[0], &s->shape, 1));
    EIS_TRY(eis_mpc_party_load(&p->party, &s->shape, &s->weights[p->index], 1, m[0]));
    if (s->test) {
        EIS_TRY(eis_mpc_reader_test_load(&load_test, m[1], &s->shape, 1));
        EIS_TRY(eis_mpc_sacrifice_load(&p->party, m[0], m[1]));
    }
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    EIS_TRY(eis_mpc_reader_graph(&unit, m[2], &s->graph, s->world.step));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, &s->graph, m[2], &source));
    if (s->test) {
        EIS_TRY(eis_mpc_reader_test_graph(&unit_test, m[3], &s->graph, s->world.step));
        EIS_TRY(eis_mpc_sacrifice_run(&p->party, &s->graph, &p->run, m[2], m[3]));
    }
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    for (int i = 0; i < 4; i++) eis_mem_free(m[i]);
    return mpc_world_keep_error(p, st);
}

/* A lie: the dealer changes what it has dealt. */
typedef struct lie {
    eis_mpc_op op;   /* of the node, 0: in the load */
    size_t at;       /* the word, from that node's (or the load's) first correction */
    size_t mac_at;   /* where its MAC is; SIZE_MAX: it is left as it was */
    bool in_test;    /* in what the unit is tested with */
    bool orthogonal; /* two words of a product with a matrix, so that the tag does not see it */
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

static void tell_lie(setting *s, const lie *l)
{
    eis_mpc_corrections *c = l->op == 0 ? &s->load : &s->world.corrections;
    size_t first = l->in_test   ? (l->op == 0 ? s->load_words : s->step_words)
                   : l->op == 0 ? 0
                                : corrections_before(&s->graph, l->op);
    const uint64_t *rho = s->world.dealer.matrices[0].rho;
    uint64_t *w = c->words + first, amount;

    if (l->orthogonal) {
        w[l->at] = eis_fp_add(w[l->at], rho[1]);
        w[l->at + 1] = eis_fp_sub(w[l->at + 1], rho[0]);
        return;
    }
    /* One more would make another digit of some, which is not what is tested for. */
    amount = l->op == EIS_MPC_OP_DIGITS ? 2 : 1;
    w[l->at] = eis_fp_add(w[l->at], amount);
    if (l->mac_at != SIZE_MAX) w[l->mac_at] = eis_fp_add(w[l->mac_at], eis_fp_mul(amount, s->world.dealer.key));
}

static eis_status run(setting *s, uint32_t parties, bool test, const lie *l)
{
    mpc_world *w = &s->world;
    const eis_mpc_mask_source none = {0};

    memset(s, 0, sizeof *s);
    s->test = test;
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
    mpc_world_require(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s->graph, w->step) == EIS_OK, "its test");
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

static void test_honest(void **state)
{
    static setting s;
    (void)state;

    for (uint32_t parties = 2; parties <= 4; parties++) {
        eis_mpc_test_size size;
        const eis_mpc_links *links = &s.world.party[0].links.links;
        uint64_t bytes;
        if (run(&s, parties, false, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        bytes = links->bytes_sent;
        finish(&s);
        if (run(&s, parties, true, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        /* The costs of the documents: what is dealt more, and what is opened more. */
        eis_mpc_test_size_graph(&size, &s.graph);
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
        {.op = EIS_MPC_OP_PRODUCT, .at = 20 * N, .mac_at = 21 * N}, /* of all four */
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
        {.op = 0, .at = 1, .mac_at = SIZE_MAX, .in_test = true},
        {.op = EIS_MPC_OP_MASK, .at = 0, .mac_at = SIZE_MAX, .in_test = true},
        {.op = EIS_MPC_OP_MASK, .at = 5, .mac_at = SIZE_MAX, .in_test = true},
    };
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        for (uint32_t parties = 2; parties <= 3; parties++) {
            if (run(&s, parties, true, &lies[i]) == EIS_OK) fail_msg("lie %zu passed", i);
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
    /* And these pass with them: nobody tests that parts of a truncation are those of its mask. */
    static const lie untested = {.op = EIS_MPC_OP_TRUNCATE, .at = 1, .mac_at = ROWS + 1};
    static setting s;
    (void)state;

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        if (run(&s, 2, false, &lies[i]) != EIS_OK) fail_msg("lie %zu is seen without tests", i);
        finish(&s);
    }
    if (run(&s, 2, true, &untested) != EIS_OK) fail_msg("%s", eis_error_detail());
    finish(&s);
}

/* An input that has to be one-hot, and what its owner puts in instead. */
typedef struct prompt {
    mpc_world world; /* the first member */
    eis_mpc_graph graph;
    size_t step_words;
} prompt;

static void *walk_prompt(void *context)
{
    mpc_world_party *p = context;
    prompt *s = (prompt *)p->world;
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = &s->world, .input = mpc_world_input};
    const eis_mpc_corrections *c = &s->world.corrections;
    bool last = p->index + 1 == s->world.count;
    eis_mpc_reader unit = {.seed = s->world.dealer.seed[p->index],
                           .corrections = last ? c->words : NULL,
                           .correction_count = s->step_words},
                   tests = {.seed = unit.seed,
                            .corrections = last ? c->words + s->step_words : NULL,
                            .correction_count = c->count - s->step_words};
    eis_mpc_test_size size;
    uint64_t *m[2];

    eis_mpc_test_size_graph(&size, &s->graph);
    m[0] = eis_mem_new(eis_mpc_graph_words(&s->graph), 8);
    m[1] = eis_mem_new(size.words, 8);
    EIS_TRY(eis_mpc_reader_graph(&unit, m[0], &s->graph, s->world.step));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, &s->graph, m[0], &source));
    EIS_TRY(eis_mpc_reader_test_graph(&tests, m[1], &s->graph, s->world.step));
    EIS_TRY(eis_mpc_sacrifice_run(&p->party, &s->graph, &p->run, m[0], m[1]));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
out:
    eis_mem_free(m[0]);
    eis_mem_free(m[1]);
    return mpc_world_keep_error(p, st);
}

static void test_prompts(void **state)
{
    enum { WIDTH = 6 };
    static const struct {
        int64_t row[2][WIDTH];
        bool good;
    } inputs[] = {
        {{{0, 0, 1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, true},   {{{0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 1}}, true},
        {{{0, 0, 1, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}, false},  {{{1, 0, 1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},
        {{{0, 0, 2, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},  {{{1, 1, -1, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false},
        {{{-1, 0, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0}}, false}, {{{0, 2, 0, 0, -1, 0}, {1, 0, 0, 0, 0, 0}}, false},
    };
    const eis_mpc_mask_source none = {0};
    static prompt s;
    (void)state;

    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        mpc_world *w = &s.world;
        eis_status st;
        memset(&s, 0, sizeof s);
        mpc_world_open(w, 2 + (uint32_t)i % 2);
        w->step = 1;
        w->graph = &s.graph;
        eis_mpc_graph_init(&s.graph, NULL, 0);
        eis_mpc_set_one_hot(&s.graph, eis_mpc_input(&s.graph, 0, 2 * WIDTH, 0, 1), WIDTH);
        assert_int_equal(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, &s.graph, 1, &none), EIS_OK);
        s.step_words = w->corrections.count;
        assert_int_equal(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s.graph, 1), EIS_OK);
        w->input_pub[0] = eis_mem_new(2 * WIDTH, 8);
        for (uint32_t k = 0; k < 2 * WIDTH; k++)
            w->input_pub[0][k] = eis_fp_add(eis_fp_from_i64(inputs[i].row[k / WIDTH][k % WIDTH]), w->masks.of[0][k]);
        st = mpc_world_together(w, walk_prompt);
        if ((st == EIS_OK) != inputs[i].good) fail_msg("input %zu: %s", i, eis_error_detail());
        mpc_world_close(w);
        eis_mpc_graph_clear(&s.graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_needed),
        cmocka_unit_test(test_prompts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
