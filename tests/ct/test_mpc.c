/* SPDX-License-Identifier: Apache-2.0 */
/* Parties and dealer of the mpc engine must not let a seed, a mask, a share or a key steer a branch or an address: only
 * what they send to each other is public. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "engine/mpc/gates.h"
#include "engine/mpc/sacrifice.h"
#include "support/mpc_world.h"

enum { ROWS = 4, COLUMNS = 3, INPUTS = 2 * COLUMNS };

typedef struct setting {
    mpc_world world;
    eis_mpc_matrix_shape shape;
    eis_mpc_graph graph;
    eis_mpc_id result, choice;
    eis_mpc_corrections load;
    size_t load_words, step_words;
    uint64_t *weights[EIS_MPC_PARTIES_MAX];
    uint64_t told[EIS_MPC_PARTIES_MAX];
    eis_mpc_tests tests;
} setting;

/* Every kind of gate that has material or opens. */
static void build(setting *s)
{
    static const uint32_t at[1] = {0};
    const eis_mpc_dot_shape dot = {.inner = 3, .a_step = 1, .b_step = 1, .a_at = at, .b_at = at};
    const eis_mpc_cut cut = {1, 4, 3};
    eis_mpc_graph *g = &s->graph;
    eis_mpc_id x, y, row, bit, factors[3];

    s->shape = (eis_mpc_matrix_shape){
        .rows = ROWS, .columns = COLUMNS, .frac = 4, .row_norm = 1, .products = true, .selection = true};
    eis_mpc_graph_init(g, &s->shape, 1);
    x = eis_mpc_input(g, 0, INPUTS, 4, 100);
    row = eis_mpc_row(g, 0, 100);
    if (row != EIS_MPC_NONE) g->nodes[row].row = 2;
    x = eis_mpc_add(g, x, eis_mpc_join(g, row, row));
    y = eis_mpc_rescale(g, eis_mpc_apply(g, 0, x, NULL, 0, 1000), 4);
    bit = eis_mpc_mask(g, eis_mpc_at_least(g, y, cut, 3, 0));
    factors[0] = factors[2] = bit;
    factors[1] = y;
    y = eis_mpc_mask(g, eis_mpc_product(g, factors, 3, 1e4));
    s->result = eis_mpc_dot(g, y, x, &dot, 1, 0);
    x = eis_mpc_input(g, 1, COLUMNS, 0, 1);
    eis_mpc_set_one_hot(g, x, COLUMNS);
    eis_mpc_set_bits(g, x);
    s->choice = x;
    s->tests = (eis_mpc_tests){.level = 2, .inputs = true};
    assert_int_equal(eis_mpc_graph_status(g), EIS_OK);
}

static eis_mpc_reader reader_of(const setting *s, const mpc_world_party *p, const eis_mpc_corrections *c, size_t from,
                                size_t to)
{
    return (eis_mpc_reader){.seed = s->world.dealer.seed[p->index],
                            .corrections = p->index + 1 == s->world.count ? c->words + from : NULL,
                            .correction_count = to - from};
}

/* The same walk in one pass, with products made ahead. */
static eis_status pass_again(mpc_world_party *p, const eis_mpc_reader *unit, const eis_mpc_source *source)
{
    setting *s = (setting *)p->world;
    eis_status st = EIS_OK;
    eis_mpc_ahead ahead = {0};
    eis_mpc_run run = {0};

    EIS_TRY(eis_mpc_ahead_make(
        &ahead,
        &(eis_mpc_ahead_wish){
            .party = &p->party, .graph = &s->graph, .seed = unit->seed, .step = s->world.step, .source = source}));
    EIS_TRY(eis_mpc_party_pass(&run, &p->party, &s->graph,
                               &(eis_mpc_pass){.reader = unit,
                                               .step = s->world.step,
                                               .source = source,
                                               .ahead = &ahead,
                                               .keep = &s->result,
                                               .keep_count = 1}));
out:
    eis_mpc_run_clear(&run);
    eis_mpc_ahead_clear(&ahead);
    return st;
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
    eis_mpc_test_size size;
    const eis_mpc_words *r;
    uint64_t *m[3];

    eis_mpc_test_size_load(&size, &s->shape, 1);
    m[0] = eis_mem_new(eis_mpc_load_words(&s->shape), 8);
    m[1] = eis_mem_new(size.words, 8);
    m[2] = eis_mem_new(eis_mpc_graph_words(&s->graph), 8);
    EIS_TRY(eis_mpc_reader_load(&load, m[0], &s->shape, 1));
    EIS_TRY(eis_mpc_party_load(&p->party, &s->shape, &s->weights[p->index], 1, m[0]));
    EIS_TRY(eis_mpc_reader_test_load(&load_test, m[1], &s->shape, 1));
    EIS_TRY(eis_mpc_sacrifice_load(&p->party, m[0], m[1]));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    EIS_TRY(eis_mpc_reader_graph(&unit, m[2], &s->graph, s->world.step));
    EIS_TRY(eis_mpc_sacrifice_run(NULL, &p->party,
                                  &(eis_mpc_sacrifice){.graph = &s->graph,
                                                       .unit = &unit,
                                                       .spares = &unit_test,
                                                       .step = s->world.step,
                                                       .source = &source,
                                                       .tests = s->tests}));
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, &s->graph, m[2], &source));
    EIS_TRY(pass_again(p, &unit, &source));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    r = &p->run.values[s->result];
    EIS_TRY(eis_mpc_check_output(&p->party.check, &s->told[p->index], r->share[0], r->mac[0], p->party.key));
out:
    for (int i = 0; i < 3; i++) eis_mem_free(m[i]);
    return mpc_world_keep_error(p, st);
}

/* What an owner does with a secret and its masks: the sum is public. */
static uint64_t hide(uint64_t value, uint64_t mask)
{
    uint64_t d;

    EIS_SECRET(&value, sizeof value);
    d = eis_fp_add(value, mask);
    EIS_PUBLIC(&d, sizeof d); /* every party gets it */
    return d;
}

static void test_session(void **state)
{
    static setting s;
    mpc_world *w = &s.world;
    const eis_mpc_mask_source none = {0};
    (void)state;

    build(&s);
    mpc_world_open(w, 2);
    EIS_SECRET(w->dealer.seed, sizeof w->dealer.seed);
    EIS_SECRET(w->dealer.key_share, sizeof w->dealer.key_share);
    EIS_SECRET(&w->dealer.key, sizeof w->dealer.key);
    for (uint32_t p = 0; p < 2; p++) EIS_SECRET(&w->party[p].party.key, sizeof w->party[p].party.key);
    assert_int_equal(eis_mpc_deal_load(&w->dealer, &s.load, &s.shape, 1), EIS_OK);
    s.load_words = s.load.count;
    assert_int_equal(eis_mpc_deal_test_load(&s.load, &w->dealer), EIS_OK);
    w->step = 7;
    w->graph = &s.graph;
    assert_int_equal(eis_mpc_deal_graph(&w->masks, &w->corrections, &w->dealer, &s.graph, w->step, &none), EIS_OK);
    s.step_words = w->corrections.count;
    assert_int_equal(eis_mpc_deal_test_graph(&w->corrections, &w->dealer, &s.graph, &w->masks, s.tests, w->step),
                     EIS_OK);
    for (uint32_t p = 0; p < 2; p++) {
        s.weights[p] = eis_mem_new(ROWS * COLUMNS, 8);
        for (uint32_t i = 0; i < ROWS * COLUMNS; i++) s.weights[p][i] = hide(i * 7 % 11, w->dealer.matrices[0].mask[i]);
    }
    w->input_pub[0] = eis_mem_new(INPUTS, 8);
    for (uint32_t i = 0; i < INPUTS; i++) w->input_pub[0][i] = hide(i, w->masks.of[0][i]);
    w->input_pub[1] = eis_mem_new(COLUMNS, 8);
    for (uint32_t i = 0; i < COLUMNS; i++) w->input_pub[1][i] = hide(i == 1, w->masks.of[s.choice][i]);
    if (mpc_world_together(w, walk_party) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(s.told[0], s.told[1]);
    assert_true(s.told[0] != 0);
    eis_mpc_corrections_clear(&s.load);
    mpc_world_close(w);
    eis_mpc_graph_clear(&s.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),
    };

    return cmocka_run_group_tests_name("ct/mpc", tests, NULL, NULL);
}
