/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/stream.h"

#include "base/ct.h"
#include "base/mem.h"
#include "engine/mpc/digest.h"

eis_status eis_mpc_stream_key(uint8_t *key, const uint8_t *seed, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    uint8_t tail[9] = {(uint8_t)purpose};
    eis_mpc_digest digest = {0};

    for (int i = 0; i < 8; i++) tail[1 + i] = (uint8_t)(number >> (8 * i));
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc stream"));
    eis_mpc_digest_add(&digest, seed, EIS_MPC_SEED_BYTES);
    eis_mpc_digest_add(&digest, tail, sizeof tail);
    EIS_TRY(eis_mpc_digest_end(&digest, key));
out:
    eis_mpc_digest_clear(&digest);
    if (st != EIS_OK) eis_mem_wipe(key, EIS_MPC_SEED_BYTES);
    return st;
}

eis_status eis_mpc_stream_start_key(eis_mpc_stream *stream, const uint8_t *key)
{
    return eis_prg_start(&stream->prg, EIS_SUITE_AES128, key, EIS_MPC_SEED_BYTES);
}

eis_status eis_mpc_stream_start(eis_mpc_stream *stream, const uint8_t *seed, eis_mpc_purpose purpose, uint64_t number)
{
    uint8_t key[EIS_MPC_SEED_BYTES];
    eis_status st = eis_mpc_stream_key(key, seed, purpose, number);

    if (st == EIS_OK) st = eis_mpc_stream_start_key(stream, key);
    eis_mem_wipe(key, sizeof key);
    return st;
}

static uint64_t cut(uint64_t word) { return word & EIS_FP_P; }

eis_status eis_mpc_stream_words(eis_mpc_stream *stream, uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    size_t have = 0;

    while (have < count) {
        size_t read = count - have, kept = have;
        EIS_TRY(eis_prg_read(&stream->prg, words + have, read * sizeof *words));
        for (size_t i = have; i < have + read; i++) {
            uint64_t word = cut(words[i]), left_out = (uint64_t)(word == EIS_FP_P);
            words[kept] = word;
            EIS_PUBLIC(&left_out, sizeof left_out); /* which word was left out tells nothing about the others */
            kept += left_out == 0;
        }
        have = kept;
    }
out:
    if (st != EIS_OK) eis_mem_wipe(words, count * sizeof *words);
    return st;
}

void eis_mpc_stream_clear(eis_mpc_stream *stream) { eis_prg_clear(&stream->prg); }
