/* SPDX-License-Identifier: Apache-2.0 */
/* The test of a load: its MACs, and its tags by products with public random numbers. */
#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#include <string.h>

/* One tag: M w for public random w, where M is the matrix, or its transpose for rows. */
typedef struct tag_test {
    const eis_mpc_matrix *matrix;
    bool rows; /* the tag of rows: of the transpose */
    size_t out, in;
} tag_test;

/* Our share of M w + l. */
static void tag_shares(uint64_t *d, const tag_test *tag, const uint64_t *w, const uint64_t *l)
{
    const eis_mpc_matrix *m = tag->matrix;
    size_t columns = m->shape->columns;

    memcpy(d, l, tag->out * sizeof *d);
    for (size_t i = 0; i < m->shape->rows; i++) {
        const uint64_t *own = m->own + i * columns;
        if (tag->rows)
            eis_fp_axpy(d, w[i], own, columns);
        else
            d[i] = eis_fp_add(d[i], eis_fp_dot(own, w, columns));
    }
}

static bool next_tag(tag_test *tag, const eis_mpc_party *party, uint32_t *side)
{
    for (; *side < 2 * party->matrix_count; ++*side) {
        const eis_mpc_matrix *m = &party->matrices[*side / 2];
        bool rows = *side % 2 != 0;
        if (!(rows ? m->shape->selection : m->shape->products)) continue;
        *tag =
            (tag_test){m, rows, rows ? m->shape->columns : m->shape->rows, rows ? m->shape->rows : m->shape->columns};
        ++*side;
        return true;
    }
    return false;
}

/* MACs of rho, l_v and l_W^T rho of all matrices. */
static eis_status combine_load(eis_mpc_testing *t, const uint64_t *m)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < t->party->matrix_count; i++) {
        const eis_mpc_matrix_shape *s = t->party->matrices[i].shape;
        size_t out[2] = {s->rows, s->columns};
        bool used[2] = {s->products, s->selection};
        m += (size_t)s->rows * s->columns;
        for (int side = 0; side < 2; side++) {
            if (!used[side]) continue;
            EIS_TRY(eis_mpc_testing_combine(t, m, 1, out[side]));
            EIS_TRY(eis_mpc_testing_combine(t, m + 2 * out[side], 2, out[1 - side]));
            m += 2 * out[side] + 4 * out[1 - side];
        }
    }
out:
    return st;
}

/* Opens d, a frame at a time. */
static eis_status open_words(eis_mpc_party *party, uint64_t *d, size_t count)
{
    eis_status st = EIS_OK;
    size_t frame = count < EIS_MPC_TEST_FRAME_WORDS ? count : EIS_MPC_TEST_FRAME_WORDS, peers = party->links->count;
    uint64_t *theirs = NULL;
    uint32_t round = 0;

    EIS_NEW(theirs, frame * peers);
    for (size_t at = 0, n; at < count; at += n) {
        n = count - at < frame ? count - at : frame;
        EIS_TRY(eis_mpc_party_open(party, d + at, theirs, n, ++round));
    }
out:
    eis_mem_free_wiped(theirs, frame * peers, sizeof *theirs);
    return st;
}

eis_status eis_mpc_sacrifice_load(eis_mpc_party *party, const uint64_t *material, const uint64_t *tests)
{
    eis_status st = EIS_OK;
    eis_mpc_testing t = {.party = party, .one = party->links->index == 0};
    tag_test tag;
    const uint64_t *spare = tests + 2;
    uint64_t *words = NULL, *d = NULL, tau;
    size_t widest = 1, opened = 1, at = 1, w_at = 0, all = 0;

    for (uint32_t side = 0; next_tag(&tag, party, &side);) {
        opened += tag.out;
        all += tag.in;
        if (tag.in > widest) widest = tag.in;
        if (tag.out > widest) widest = tag.out;
    }
    EIS_TRY(eis_mpc_testing_make_room(&t, widest, 0));
    EIS_NEW(words, all);
    d = eis_mem_new_secret_raw(opened, sizeof *d);
    EIS_REQUIRE(d != NULL, EIS_ERR_MEMORY, "no memory to test %zu words of material", opened);
    EIS_TRY(eis_mpc_testing_toss(&t));
    EIS_TRY(combine_load(&t, material));
    d[0] = eis_fp_add(t.sum[0], tests[0]);
    EIS_TRY(eis_mpc_testing_draw(words, &t, EIS_MPC_COIN_MATRICES, all));
    for (uint32_t side = 0; next_tag(&tag, party, &side); at += tag.out, w_at += tag.in, spare += tag.out + 1)
        tag_shares(d + at, &tag, words + w_at, spare);
    EIS_TRY(open_words(party, d, opened));
    tau = eis_fp_sub(eis_fp_mul(d[0], party->key), eis_fp_add(t.sum[1], tests[1]));
    EIS_TRY(eis_mpc_check_add(&party->check, &tau, 1));
    at = 1;
    w_at = 0;
    spare = tests + 2;
    for (uint32_t side = 0; next_tag(&tag, party, &side); at += tag.out, w_at += tag.in, spare += tag.out + 1) {
        tau = eis_fp_dot(d + at, tag.rows ? tag.matrix->rho_r : tag.matrix->rho, tag.out);
        tau = eis_fp_sub(tau, spare[tag.out]);
        tau = eis_fp_sub(tau, eis_fp_dot(words + w_at, tag.rows ? tag.matrix->w : tag.matrix->v, tag.in));
        EIS_TRY(eis_mpc_check_add(&party->check, &tau, 1));
    }
out:
    eis_mem_free(words);
    eis_mem_free_wiped(d, opened, sizeof *d);
    eis_mpc_testing_clear(&t);
    return st;
}
