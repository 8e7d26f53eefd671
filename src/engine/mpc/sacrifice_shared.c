/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

#define FRAME_WORDS EIS_MPC_TEST_FRAME_WORDS

eis_status eis_mpc_testing_make_room(eis_mpc_testing *t, size_t widest)
{
    eis_status st = EIS_OK;
    size_t opened = t->size.opened;

    t->widest = widest;
    t->frame = opened < FRAME_WORDS ? opened : FRAME_WORDS;
    t->r = eis_mem_new_secret_raw(widest, sizeof *t->r);
    t->scratch = eis_mem_new_secret_raw(8 * widest, sizeof *t->scratch);
    t->d = eis_mem_new_secret_raw(opened, sizeof *t->d);
    t->mac = eis_mem_new_secret_raw(opened, sizeof *t->mac);
    t->weight = eis_mem_new_secret_raw(t->size.squares + 1, sizeof *t->weight);
    t->theirs = eis_mem_new_secret_raw(t->frame * t->party->links->count, sizeof *t->theirs);
    EIS_REQUIRE(t->r != NULL && t->scratch != NULL && t->d != NULL && t->mac != NULL && t->weight != NULL &&
                    t->theirs != NULL,
                EIS_ERR_MEMORY, "no memory to test %zu words of material", opened);
out:
    return st;
}

void eis_mpc_testing_clear(eis_mpc_testing *t)
{
    eis_mem_free_wiped(t->r, t->widest, sizeof *t->r);
    eis_mem_free_wiped(t->scratch, 8 * t->widest, sizeof *t->scratch);
    eis_mem_free_wiped(t->d, t->size.opened, sizeof *t->d);
    eis_mem_free_wiped(t->mac, t->size.opened, sizeof *t->mac);
    eis_mem_free_wiped(t->weight, t->size.squares + 1, sizeof *t->weight);
    eis_mem_free_wiped(t->theirs, t->frame * t->party->links->count, sizeof *t->theirs);
    eis_mem_free(t->parts);
    for (int i = 0; i < EIS_MPC_COINS; i++) eis_mpc_stream_clear(&t->coin[i]);
    eis_mem_wipe(t, sizeof *t);
}

eis_status eis_mpc_testing_draw(uint64_t *r, eis_mpc_testing *t, int coin, size_t n)
{
    return eis_mpc_stream_words(&t->coin[coin], r, n);
}

eis_status eis_mpc_testing_toss(eis_mpc_testing *t)
{
    eis_status st = EIS_OK;
    uint8_t coin[EIS_MPC_DIGEST_BYTES];

    EIS_TRY(eis_mpc_check_coin(&t->party->check, coin));
    for (int i = 0; i < EIS_MPC_COINS; i++)
        EIS_TRY(eis_mpc_stream_start(&t->coin[i], coin, EIS_MPC_PURPOSE_TEST, (uint64_t)i));
    EIS_TRY(eis_mpc_testing_draw(t->sketch, t, EIS_MPC_COIN_SKETCH, EIS_MPC_SKETCH_MAX));
    for (size_t i = 0; i < EIS_MPC_SKETCH_MAX; i++) t->square_sketch[i] = eis_fp_mul(t->sketch[i], t->sketch[i]);
out:
    return st;
}

eis_status eis_mpc_testing_combine(eis_mpc_testing *t, const uint64_t *m, size_t blocks, size_t n)
{
    eis_status st = EIS_OK;

    for (size_t b = 0; b < blocks; b++, m += 2 * n) {
        EIS_TRY(eis_mpc_testing_draw(t->r, t, EIS_MPC_COIN_MACS, n));
        t->sum[0] = eis_fp_add(t->sum[0], eis_fp_dot(t->r, m, n));
        t->sum[1] = eis_fp_add(t->sum[1], eis_fp_dot(t->r, m + n, n));
    }
out:
    return st;
}

eis_status eis_mpc_testing_open(eis_mpc_testing *t, size_t authenticated, uint32_t round)
{
    eis_status st = EIS_OK;
    eis_mpc_check *check = &t->party->check;
    uint64_t *tau;

    for (size_t at = 0, n, tested; at < t->size.opened; at += n) {
        n = t->size.opened - at < t->frame ? t->size.opened - at : t->frame;
        EIS_TRY(eis_mpc_party_open(t->party, t->d + at, t->theirs, n, ++round));
        if (at >= authenticated) continue;
        tested = authenticated - at < n ? authenticated - at : n;
        EIS_TRY(eis_mpc_check_extend(check, &tau, tested));
        for (size_t i = 0; i < tested; i++)
            tau[i] = eis_fp_sub(eis_fp_mul(t->d[at + i], t->party->key), t->mac[at + i]);
        if (t->graph != NULL) EIS_TRY(eis_mpc_check_relieve(check));
    }
out:
    return st;
}
