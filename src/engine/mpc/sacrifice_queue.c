/* SPDX-License-Identifier: Apache-2.0 */
/* What tests open: words less spare masks, a frame at a time. An opened difference d of a and e of b stand for
 * (d + a')(e + b') = d b' + e a' + d e + a' b', a difference d of x for (d + x')^2 = d (2 x') + d^2 + x'^2: so what an
 * opened word is multiplied with is known when it is made, and party 0 adds the products of public words. The sum of
 * all a' b' is dealt, and each x'^2. */
#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#include <string.h>

typedef eis_mpc_testing testing;
typedef eis_mpc_test_queue queue;

/* Kinds of words: alone, or the first of a pair; the second of a pair, behind it; a square. */
enum { ALONE, SECOND, SQUARE };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ---- memory ---- */

eis_status eis_mpc_testing_open_queue(testing *t)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    *q = (queue){.frame = smaller(t->size.opened, EIS_MPC_TEST_FRAME_WORDS),
                 .parties = t->party->links->count,
                 .round = t->graph->rounds}; /* the walk has the rounds to there */
    q->weight_room = t->one != 0 ? smaller(q->frame, t->size.squares) : 0;
    t->pair_words = 4 * smaller(t->size.pairs, EIS_MPC_TEST_BLOCK);
    t->square_words = 3 * smaller(t->size.squares, EIS_MPC_TEST_BLOCK);
    q->d = eis_mem_new_secret_raw(q->frame, sizeof *q->d);
    q->with = eis_mem_new_secret_raw(q->frame, sizeof *q->with);
    q->kind = eis_mem_new_raw(q->frame, sizeof *q->kind);
    q->weight = eis_mem_new_raw(q->weight_room + 1, sizeof *q->weight);
    q->theirs = eis_mem_new_raw(q->frame * q->parties, sizeof *q->theirs);
    t->pair_spare = eis_mem_new_secret_raw(t->pair_words + 1, sizeof *t->pair_spare);
    t->square_spare = eis_mem_new_secret_raw(t->square_words + 1, sizeof *t->square_spare);
    EIS_REQUIRE(q->d != NULL && q->with != NULL && q->kind != NULL && q->weight != NULL && q->theirs != NULL &&
                    t->pair_spare != NULL && t->square_spare != NULL,
                EIS_ERR_MEMORY, "no memory to open %zu words of a test", q->frame);
out:
    return st;
}

void eis_mpc_testing_close_queue(testing *t)
{
    queue *q = &t->queue;

    eis_mem_free_wiped(q->d, q->frame, sizeof *q->d);
    eis_mem_free_wiped(q->with, q->frame, sizeof *q->with);
    eis_mem_free(q->kind);
    eis_mem_free(q->weight);
    eis_mem_free_wiped(q->theirs, q->frame * q->parties, sizeof *q->theirs);
    eis_mem_free_wiped(t->pair_spare, t->pair_words + 1, sizeof *t->pair_spare);
    eis_mem_free_wiped(t->square_spare, t->square_words + 1, sizeof *t->square_spare);
}

/* With residues, which are in the check's list: they would not be there without the frame. */
size_t eis_mpc_testing_queue_words(const testing *t)
{
    const queue *q = &t->queue;

    return q->frame * (3 + q->parties) + q->frame / 8 + q->weight_room + t->pair_words + t->square_words;
}

/* ---- frames ---- */

static eis_status begin_frame(testing *t)
{
    queue *q = &t->queue;

    q->used = q->weights = 0;
    q->words = smaller(t->size.opened - q->opened, q->frame);
    if (q->words == 0) return EIS_OK;
    memset(q->kind, ALONE, q->words);
    return eis_mpc_check_extend(&t->party->check, &q->tau, q->words);
}

eis_status eis_mpc_testing_begin_queue(testing *t) { return begin_frame(t); }

/* The products of opened words, which party 0 adds. */
static uint64_t public_products(const queue *q)
{
    const uint64_t *weight = q->weight;
    uint64_t sum = 0;

    for (size_t i = 0; i < q->words; i++) {
        if (q->kind[i] == ALONE) continue;
        sum = eis_fp_add(sum, q->kind[i] == SECOND ? eis_fp_mul(q->d[i], i > 0 ? q->d[i - 1] : q->before)
                                                   : eis_fp_mul(eis_fp_mul(q->d[i], q->d[i]), *weight++));
    }
    return sum;
}

/* Gives the opened words of MATRIX nodes to their second halves. */
static eis_status take_matrices(testing *t)
{
    eis_status st = EIS_OK;
    const queue *q = &t->queue;
    size_t end = q->opened + q->words;

    for (; t->matrices_done < t->matrices; t->matrices_done++) {
        const eis_mpc_matrix_test *test = &t->matrix[t->matrices_done];
        size_t columns = t->graph->matrices[t->graph->nodes[test->id].matrix].columns;
        size_t from = test->first > q->opened ? test->first : q->opened, to = smaller(test->first + columns, end);
        uint64_t sum, *zero = &t->zero[1 + t->matrices_done];
        if (from < to) {
            EIS_TRY(
                eis_mpc_test_matrix_opened(&sum, t, test, q->d + (from - q->opened), from - test->first, to - from));
            *zero = eis_fp_sub(*zero, sum);
        }
        if (test->first + columns > end) break;
    }
out:
    return st;
}

static eis_status open_frame(testing *t)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    EIS_TRY(eis_mpc_party_open(t->party, q->d, q->theirs, q->words, ++q->round));
    for (size_t i = 0; i < q->words; i++) q->tau[i] = eis_fp_sub(eis_fp_mul(q->d[i], t->party->key), q->tau[i]);
    eis_mpc_testing_find(t, eis_fp_dot(q->d, q->with, q->words));
    if (t->one != 0) eis_mpc_testing_find(t, public_products(q));
    EIS_TRY(take_matrices(t));
    q->before = q->d[q->words - 1];
    q->opened += q->words;
    EIS_TRY(eis_mpc_check_relieve(&t->party->check));
    EIS_TRY(begin_frame(t));
out:
    return st;
}

/* Room in the frame: never 0, since what is made is what was counted. */
static size_t left_of(const queue *q)
{
    EIS_ASSERT(q->used < q->words);
    return q->words - q->used;
}

/* So many words more are in the frame. */
static eis_status advance(testing *t, size_t count)
{
    t->queue.used += count;
    return t->queue.used == t->queue.words ? open_frame(t) : EIS_OK;
}

/* ---- words ---- */

/* The block that number k of `count` stands in: where it begins, and how many words it has. */
static size_t block_of(size_t k, size_t count, size_t *n)
{
    size_t first = k / EIS_MPC_TEST_BLOCK * EIS_MPC_TEST_BLOCK;

    *n = smaller(count - first, EIS_MPC_TEST_BLOCK);
    return first;
}

static eis_mpc_auths behind(eis_mpc_auths x, size_t i)
{
    return (eis_mpc_auths){x.share + i * x.step, x.mac + i * x.step, x.step};
}

/* Writes x - mask to every step-th place from `place` on, and what it will be multiplied with. */
static void hide(queue *q, size_t place, size_t step, eis_mpc_auths x, eis_mpc_auths mask, const uint64_t *with,
                 size_t count)
{
    for (size_t i = 0; i < count; i++, place += step) {
        q->d[place] = eis_fp_sub(x.share[i * x.step], mask.share[i]);
        q->tau[place] = eis_fp_sub(x.mac[i * x.step], mask.mac[i]);
        q->with[place] = with[i];
    }
}

/* A pair whose first word is the last of a frame. */
static eis_status split_pair(testing *t, eis_mpc_auths a, eis_mpc_auths b, const uint64_t *s, size_t width)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    hide(q, q->used, 1, a, (eis_mpc_auths){s, s + width, 1}, s + 2 * width, 1);
    EIS_TRY(advance(t, 1));
    hide(q, q->used, 1, b, (eis_mpc_auths){s + 2 * width, s + 3 * width, 1}, s, 1);
    q->kind[q->used] = SECOND;
    EIS_TRY(advance(t, 1));
out:
    return st;
}

eis_status eis_mpc_testing_pairs(testing *t, eis_mpc_auths a, eis_mpc_auths b, size_t n)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    for (size_t done = 0, count; done < n; done += count) {
        size_t width, first = block_of(t->pair, t->size.pairs, &width), at = t->pair - first, left = left_of(q);
        const uint64_t *s = t->pair_spare + at;
        if (at == 0) EIS_TRY(eis_mpc_test_supply_pairs(t->pair_spare, &t->spares, first, width));
        count = left == 1 ? 1 : smaller(smaller(n - done, width - at), left / 2);
        t->pair += count;
        if (left == 1) {
            EIS_TRY(split_pair(t, behind(a, done), behind(b, done), s, width));
            continue;
        }
        hide(q, q->used, 2, behind(a, done), (eis_mpc_auths){s, s + width, 1}, s + 2 * width, count);
        hide(q, q->used + 1, 2, behind(b, done), (eis_mpc_auths){s + 2 * width, s + 3 * width, 1}, s, count);
        for (size_t i = 0; i < count; i++) q->kind[q->used + 2 * i + 1] = SECOND;
        EIS_TRY(advance(t, 2 * count));
    }
out:
    return st;
}

eis_status eis_mpc_testing_squares(testing *t, const uint64_t *weight, eis_mpc_auths x, size_t n)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    for (size_t done = 0, count; done < n; done += count, weight += count) {
        size_t width, first = block_of(t->square, t->size.squares, &width), at = t->square - first;
        const uint64_t *s = t->square_spare + at;
        if (at == 0) EIS_TRY(eis_mpc_test_supply_squares(t->square_spare, &t->spares, first, width));
        count = smaller(smaller(n - done, width - at), left_of(q));
        t->square += count;
        hide(q, q->used, 1, behind(x, done), (eis_mpc_auths){s, s + width, 1}, s, count);
        for (size_t i = q->used; i < q->used + count; i++)
            q->with[i] = eis_fp_mul(eis_fp_add(q->with[i], q->with[i]), weight[i - q->used]);
        memset(q->kind + q->used, SQUARE, count);
        if (t->one != 0) memcpy(q->weight + q->weights, weight, count * sizeof *weight);
        q->weights += count;
        eis_mpc_testing_find(t, eis_fp_dot(weight, s + 2 * width, count));
        EIS_TRY(advance(t, count));
    }
out:
    return st;
}

eis_status eis_mpc_testing_words(testing *t, eis_mpc_auths x, size_t n)
{
    eis_status st = EIS_OK;
    queue *q = &t->queue;

    for (size_t done = 0, count; done < n; done += count) {
        count = smaller(n - done, left_of(q));
        for (size_t i = 0; i < count; i++) {
            q->d[q->used + i] = x.share[(done + i) * x.step];
            q->tau[q->used + i] = x.mac[(done + i) * x.step];
            q->with[q->used + i] = 0;
        }
        EIS_TRY(advance(t, count));
    }
out:
    return st;
}
