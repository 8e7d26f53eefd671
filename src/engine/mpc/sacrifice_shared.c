/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"
#include "ring/fp_dot.h"

eis_status eis_mpc_testing_make_room(eis_mpc_testing *t, size_t widest, size_t scratch_words)
{
    eis_status st = EIS_OK;

    t->widest = widest;
    t->scratch_words = scratch_words;
    t->r = eis_mem_new_secret_raw(widest + 1, sizeof *t->r);
    t->scratch = eis_mem_new_secret_raw(scratch_words + 1, sizeof *t->scratch);
    EIS_REQUIRE(t->r != NULL && t->scratch != NULL, EIS_ERR_MEMORY, "no memory to test %zu words of material", widest);
out:
    return st;
}

void eis_mpc_testing_clear(eis_mpc_testing *t)
{
    eis_mem_free_wiped(t->r, t->widest + 1, sizeof *t->r);
    eis_mem_free_wiped(t->scratch, t->scratch_words + 1, sizeof *t->scratch);
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
