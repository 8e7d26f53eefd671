/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/stream.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"
#include "engine/mpc/digest.h"

#include <string.h>

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
    memcpy(stream->key, key, EIS_MPC_SEED_BYTES);
    stream->place = 0;
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

eis_status eis_mpc_stream_start_graph(eis_mpc_stream *stream, const uint8_t *seed, eis_mpc_purpose purpose,
                                      uint64_t number, const uint8_t *graph)
{
    eis_status st = EIS_OK;
    uint8_t key[EIS_MPC_SEED_BYTES];
    eis_mpc_digest digest = {0};

    EIS_TRY(eis_mpc_stream_key(key, seed, purpose, number));
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc stream of graph"));
    eis_mpc_digest_add(&digest, key, sizeof key);
    eis_mpc_digest_add(&digest, graph, EIS_MPC_DIGEST_BYTES);
    EIS_TRY(eis_mpc_digest_end(&digest, key));
    EIS_TRY(eis_mpc_stream_start_key(stream, key));
out:
    eis_mpc_digest_clear(&digest);
    eis_mem_wipe(key, sizeof key);
    return st;
}

eis_status eis_mpc_stream_seek(eis_mpc_stream *stream, uint64_t place)
{
    if (stream->place == place) return EIS_OK;
    stream->place = place;
    return eis_prg_seek(&stream->prg, place * sizeof(uint64_t));
}

/* The word of a place whose own bytes give p. */
static eis_status draw_again(uint64_t *word, const eis_mpc_stream *stream, uint64_t place)
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};
    uint8_t hash[EIS_MPC_DIGEST_BYTES], tail[16];

    eis_store_le64(tail, place);
    for (uint64_t attempt = 0; *word == EIS_FP_P; attempt++) {
        eis_store_le64(tail + 8, attempt);
        EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc place"));
        eis_mpc_digest_add(&digest, stream->key, sizeof stream->key);
        eis_mpc_digest_add(&digest, tail, sizeof tail);
        EIS_TRY(eis_mpc_digest_end(&digest, hash));
        EIS_PUBLIC(hash, sizeof hash); /* that a place is drawn again, and how often, tells nothing about its word */
        *word = eis_load_le64(hash) & EIS_FP_P;
    }
    EIS_SECRET(word, sizeof *word);
out:
    eis_mem_wipe(hash, sizeof hash);
    eis_mpc_digest_clear(&digest);
    return st;
}

/* Looks for places that are drawn again: in 2^61 words one. */
static eis_status replace_p(const eis_mpc_stream *stream, uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < count; i++) {
        uint64_t again = words[i] == EIS_FP_P;
        EIS_PUBLIC(&again, sizeof again); /* see above */
        if (again == 0) continue;
        EIS_PUBLIC(&words[i], sizeof words[i]); /* it is p */
        EIS_TRY(draw_again(&words[i], stream, stream->place + i));
    }
out:
    return st;
}

eis_status eis_mpc_stream_words(eis_mpc_stream *stream, uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    uint64_t again = 0;

    EIS_TRY(eis_prg_read(&stream->prg, words, count * sizeof *words));
    for (size_t i = 0; i < count; i++) {
        words[i] &= EIS_FP_P;
        again |= (words[i] + 1) >> EIS_FP_BITS;
    }
    EIS_PUBLIC(&again, sizeof again); /* whether any place is drawn again */
    if (again != 0) EIS_TRY(replace_p(stream, words, count));
    stream->place += count;
out:
    if (st != EIS_OK) eis_mem_wipe(words, count * sizeof *words);
    return st;
}

void eis_mpc_stream_clear(eis_mpc_stream *stream)
{
    eis_prg_clear(&stream->prg);
    eis_mem_wipe(stream, sizeof *stream);
}
