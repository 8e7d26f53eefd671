/* SPDX-License-Identifier: Apache-2.0 */
/* One bit that arrives wrong, in any frame of any party, and parties that lie on purpose: no party ever takes a wrong
 * number for a right one, and somebody notices before the next number leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/gates.h"
#include "support/mpc_world.h"

#ifndef FLIPS
#define FLIPS 400 /* the long test has 10,000 and more */
#endif

enum { ROWS = 6, COLUMNS = 5, N = 4, CLASSES = EIS_MPC_FRAME_OUT_REVEAL + 1 };

/* What goes wrong: bit `bit` of frame number `frame` of a class, on its way from one party to another. */
typedef struct fault {
    eis_mpc_frame type;
    uint32_t from, to;
    size_t frame, bit; /* bit modulo the frame's bits */
    bool happened;
} fault;

typedef struct tap {
    eis_status (*exchange)(void *context, eis_mpc_frame type, uint32_t round, const void *mine, size_t bytes,
                           uint8_t *theirs);
    void *context;
    uint32_t index;
    fault *planned; /* of this party as the receiver; NULL: none */
    size_t seen[CLASSES];
} tap;

static tap taps[EIS_MPC_PARTIES_MAX];

static eis_status tapped(void *context, eis_mpc_frame type, uint32_t round, const void *mine, size_t bytes,
                         uint8_t *theirs)
{
    tap *t = context;
    eis_status st = t->exchange(t->context, type, round, mine, bytes, theirs);
    fault *f = t->planned;
    size_t number = t->seen[type]++;

    if (st == EIS_OK && f != NULL && f->type == type && f->frame == number) {
        theirs[f->from * bytes + f->bit / 8 % bytes] ^= (uint8_t)(1u << f->bit % 8);
        f->happened = true;
    }
    return st;
}

/* A small session with everything that opens: a matrix for products and rows, inputs, products, truncation, comparison,
 * an inner product with a kept row. */
typedef struct setting {
    mpc_world world;
    eis_mpc_matrix_shape shape;
    eis_mpc_graph graph;
    eis_mpc_id result, kept;
    eis_mpc_corrections load;
    uint64_t *weights[EIS_MPC_PARTIES_MAX];
    uint64_t value[EIS_MPC_PARTIES_MAX];
    bool told[EIS_MPC_PARTIES_MAX];
    int64_t x[COLUMNS];
    /* Lies of party 1. */
    enum lie { HONEST, WRONG_OPENING, WRONG_MAC, WRONG_WEIGHT, WRONG_BIT, WRONG_ROW, WRONG_SEED } lie;
} setting;

static int64_t weight(uint32_t i) { return (int64_t)(i * 7 % 11) - 5; }

static void build(setting *s)
{
    eis_mpc_graph *g = &s->graph;
    eis_mpc_id x, y, bit, row;
    eis_mpc_cut cut = {0, 4, 3};

    s->shape = (eis_mpc_matrix_shape){
        .rows = ROWS, .columns = COLUMNS, .frac = 4, .row_norm = 1, .products = true, .selection = true};
    eis_mpc_graph_init(g, &s->shape, 1);
    x = eis_mpc_input(g, 0, COLUMNS, 4, 100);
    row = eis_mpc_row(g, 0, 100);
    if (row != EIS_MPC_NONE) g->nodes[row].row = 2;
    s->kept = row;
    y = eis_mpc_apply(g, 0, eis_mpc_add(g, x, row), NULL, 0, 5000);
    y = eis_mpc_rescale(g, y, 4);
    bit = eis_mpc_mask(g, eis_mpc_at_least(g, y, cut, 3, 0));
    y = eis_mpc_mask(g, eis_mpc_product2(g, bit, y, 0));
    s->result = eis_mpc_sum(g, eis_mpc_auth(g, eis_mpc_mask(g, eis_mpc_truncate(g, y, 1))), ROWS);
    assert_int_equal(eis_mpc_graph_status(g), EIS_OK);
}

static setting *setting_of(mpc_world_party *p) { return (setting *)p->world; }

static eis_mpc_reader reader_of(const setting *s, const mpc_world_party *p, const eis_mpc_corrections *c)
{
    return (eis_mpc_reader){.seed = s->world.dealer.seed[p->index],
                            .corrections = p->index + 1 == s->world.count ? c->words : NULL,
                            .correction_count = c->count};
}

/* The place of the first word of a node's material. */
static size_t material_of(const eis_mpc_graph *g, eis_mpc_op op)
{
    size_t at = 0;

    for (eis_mpc_id id = 0; g->nodes[id].op != op; id++) at += eis_mpc_node_words(g, id);
    return at;
}

static void lie(setting *s, uint64_t *material)
{
    const eis_mpc_graph *g = &s->graph;
    eis_mpc_matrix *m = &s->world.party[1].party.matrices[0];

    switch (s->lie) {
    case WRONG_OPENING: /* a share of the mask that is opened: the result is shifted */
        material[material_of(g, EIS_MPC_OP_MASK)] ^= 1;
        break;
    case WRONG_MAC:
        material[material_of(g, EIS_MPC_OP_MASK) + N + 2] ^= 1;
        break;
    case WRONG_WEIGHT:
        m->own[3] = eis_fp_add(m->own[3], 1);
        break;
    case WRONG_BIT: /* r_t of the comparison */
        material[material_of(g, EIS_MPC_OP_DIGITS)] ^= 1;
        break;
    case WRONG_ROW:
        m->own[2 * COLUMNS] = eis_fp_add(m->own[2 * COLUMNS], 1);
        break;
    default:
        break;
    }
}

static void *walk_party(void *context)
{
    mpc_world_party *p = context;
    setting *s = setting_of(p);
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = &s->world, .input = mpc_world_input};
    eis_mpc_reader load = reader_of(s, p, &s->load), step = reader_of(s, p, &s->world.corrections);
    size_t load_words = eis_mpc_load_words(&s->shape), words = eis_mpc_graph_words(&s->graph);
    uint64_t *material = eis_mem_new((load_words > words ? load_words : words) + 1, sizeof *material);
    const eis_mpc_words *r;

    EIS_TRY(eis_mpc_reader_load(&load, material, &s->shape, 1));
    EIS_TRY(eis_mpc_party_load(&p->party, &s->shape, &s->weights[p->index], 1, material));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    EIS_TRY(eis_mpc_reader_graph(&step, material, &s->graph, s->world.step));
    if (p->index == 1) lie(s, material);
    EIS_TRY(eis_mpc_party_run(&p->run, &p->party, &s->graph, material, &source));
    EIS_TRY(eis_mpc_check_run(&p->party.check));
    r = &p->run.values[s->result];
    EIS_TRY(eis_mpc_check_output(&p->party.check, &s->value[p->index], r->share[0], r->mac[0], p->party.key));
    s->told[p->index] = true;
    EIS_TRY(eis_mpc_check_run(&p->party.check)); /* before anything else could leave */
out:
    eis_mem_free(material);
    return mpc_world_keep_error(p, st);
}

/* One whole session. Returns EIS_OK where nobody complained. */
static eis_status run(setting *s, uint32_t parties, fault *f, enum lie what)
{
    eis_mpc_mask_source none = {0};
    eis_status st;

    memset(s, 0, sizeof *s);
    memset(taps, 0, sizeof taps);
    s->lie = what;
    for (uint32_t i = 0; i < COLUMNS; i++) s->x[i] = (int64_t)i * 9 - 17;
    mpc_world_open(&s->world, parties);
    for (uint32_t p = 0; p < parties; p++) {
        eis_mpc_links *links = &s->world.party[p].links.links;
        taps[p] = (tap){.exchange = links->exchange, .context = links->context, .index = p};
        taps[p].planned = f != NULL && f->to == p ? f : NULL;
        links->exchange = tapped;
        links->context = &taps[p];
    }
    build(s);
    assert_int_equal(eis_mpc_deal_load(&s->world.dealer, &s->load, &s->shape, 1), EIS_OK);
    s->world.step = 1;
    assert_int_equal(eis_mpc_deal_graph(&s->world.masks, &s->world.corrections, &s->world.dealer, &s->graph, 1, &none),
                     EIS_OK);
    for (uint32_t p = 0; p < parties; p++) {
        s->weights[p] = eis_mem_new(ROWS * COLUMNS, sizeof(uint64_t));
        for (uint32_t i = 0; i < ROWS * COLUMNS; i++)
            s->weights[p][i] = eis_fp_add(eis_fp_from_i64(weight(i)), s->world.dealer.matrices[0].mask[i]);
    }
    s->world.input_pub[0] = eis_mem_new(COLUMNS, sizeof(uint64_t));
    for (uint32_t i = 0; i < COLUMNS; i++)
        s->world.input_pub[0][i] = eis_fp_add(eis_fp_from_i64(s->x[i]), s->world.masks.of[0][i]);
    st = mpc_world_together(&s->world, walk_party);
    for (uint32_t p = 0; p < parties; p++) eis_mem_free(s->weights[p]);
    eis_mpc_corrections_clear(&s->load);
    return st;
}

static void finish(setting *s)
{
    mpc_world_close(&s->world);
    eis_mpc_graph_clear(&s->graph);
}

/* What the circuit computes; each truncation may be one more. */
static bool plausible(uint64_t value)
{
    int64_t low = 0, high = 0;

    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t y = 0;
        for (uint32_t j = 0; j < COLUMNS; j++)
            y += weight(i * COLUMNS + j) * ((int64_t)j * 9 - 17 + weight(2 * COLUMNS + j));
        for (int64_t t = (y >> 4); t <= (y >> 4) + 1; t++) {
            int64_t part = t >= 3 ? t >> 1 : 0, more = t >= 3 ? (t >> 1) + 1 : 0;
            if (t == (y >> 4) || part < low) low += t == (y >> 4) ? part : 0;
            high += t == (y >> 4) + 1 ? more : 0;
        }
    }
    return eis_fp_centre(value) >= low - ROWS && eis_fp_centre(value) <= high + ROWS;
}

static void test_honest(void **state)
{
    static setting s;
    (void)state;

    for (uint32_t parties = 2; parties <= 4; parties++) {
        if (run(&s, parties, NULL, HONEST) != EIS_OK) fail_msg("%s", eis_error_detail());
        for (uint32_t p = 0; p < parties; p++) {
            assert_true(s.told[p] && s.value[p] == s.value[0]);
            assert_true(plausible(s.value[p]));
        }
        finish(&s);
    }
}

/* Every class of frames, every pair of parties, bits and frames all over. */
static void test_flips(void **state)
{
    static setting s;
    uint64_t random = 88172645463325252u;
    size_t counts[CLASSES] = {0}, happened = 0;
    (void)state;

    for (size_t i = 0; i < FLIPS; i++) {
        uint32_t parties = i % 3 == 0 ? 3 : 2;
        fault f;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        f = (fault){.type = (eis_mpc_frame)(EIS_MPC_FRAME_OPEN + i % (CLASSES - EIS_MPC_FRAME_OPEN)),
                    .from = (uint32_t)(random % parties),
                    .bit = random >> 20};
        /* The commitment to the first coin passes before the taps are on; every other class passes once or more. */
        if (f.type == EIS_MPC_FRAME_COIN_HASH) f.type = EIS_MPC_FRAME_OPEN;
        f.to = (f.from + 1 + (uint32_t)(random >> 8) % (parties - 1)) % parties;
        if (f.type == EIS_MPC_FRAME_OPEN)
            f.frame = (random >> 12) % 6;
        else if (f.type <
                 EIS_MPC_FRAME_OUT) /* what the last commitment says of the next coin shows only with that coin */
            f.frame = (random >> 12) % (f.type == EIS_MPC_FRAME_COMMIT ? 2 : 3);
        if (run(&s, parties, &f, HONEST) == EIS_OK)
            fail_msg("flip %zu: frame %d from %u to %u went unnoticed", i, (int)f.type, f.from, f.to);
        for (uint32_t p = 0; p < parties; p++)
            if (s.told[p]) assert_true(plausible(s.value[p]));
        happened += f.happened;
        counts[f.type] += f.happened;
        finish(&s);
    }
    assert_int_equal(happened, FLIPS);
    for (int type = EIS_MPC_FRAME_OPEN; type < CLASSES; type++)
        if (type != EIS_MPC_FRAME_COIN_HASH) assert_true(counts[type] > 0);
}

static void test_liars(void **state)
{
    static setting s;
    (void)state;

    for (int what = WRONG_OPENING; what <= WRONG_ROW; what++)
        for (int again = 0; again < 20; again++) {
            if (run(&s, 2 + (uint32_t)again % 3, NULL, (enum lie)what) == EIS_OK) fail_msg("lie %d passed", what);
            for (uint32_t p = 0; p < s.world.count; p++) assert_false(s.told[p]);
            finish(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_liars),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
