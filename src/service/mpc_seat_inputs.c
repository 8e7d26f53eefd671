/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "service/mpc_key_hash.h"
#include "service/mpc_seat_internal.h"

#include <stdio.h>
#include <string.h>

#define INPUT_WORDS_MAX ((size_t)EIS_MPC_COUNT_MAX)

eis_status eis_mpc_seat_put_weights(eis_mpc_seat *seat, uint32_t matrix, eis_reader *r)
{
    eis_status st = EIS_OK;
    uint64_t *words = NULL;
    size_t count;
    bool twice;

    EIS_REQUIRE(matrix < seat->shape_count, EIS_ERR_PROTOCOL, "the model has no matrix %u", matrix);
    count = (size_t)seat->shapes[matrix].rows * seat->shapes[matrix].columns;
    EIS_NEW(words, count);
    EIS_TRY(eis_mpc_read_words(words, count, r));
    pthread_mutex_lock(&seat->lock);
    twice = seat->weights_sent[matrix];
    if (!twice) {
        seat->weights_sent[matrix] = true;
        seat->weights[matrix] = words;
        words = NULL;
        pthread_cond_broadcast(&seat->changed);
    }
    pthread_mutex_unlock(&seat->lock);
    EIS_REQUIRE(!twice, EIS_ERR_PROTOCOL, "matrix %u was sent twice", matrix);
out:
    eis_mem_free(words);
    return st;
}

eis_status eis_mpc_seat_put_input(eis_mpc_seat *seat, uint64_t step, uint32_t slot, eis_reader *r)
{
    eis_status st = EIS_OK;
    eis_mpc_inbox *in = NULL;
    uint32_t left = eis_wire_reader_u32(r);
    size_t count = eis_wire_reader_remaining(r) / sizeof(uint64_t);
    bool twice = false;

    EIS_REQUIRE(count > 0 && count <= INPUT_WORDS_MAX, EIS_ERR_PROTOCOL, "an input of %zu words", count);
    EIS_NEW(in, 1);
    *in = (eis_mpc_inbox){.step = step, .slot = slot, .left = left, .count = (uint32_t)count};
    EIS_NEW(in->words, count);
    EIS_TRY(eis_mpc_read_words(in->words, count, r));
    pthread_mutex_lock(&seat->lock);
    for (const eis_mpc_inbox *other = seat->inbox; other != NULL; other = other->next)
        twice |= other->step == step && other->slot == slot;
    twice |= step < seat->step; /* that step is over: its masks are spent */
    if (!twice) {
        in->next = seat->inbox;
        seat->inbox = in;
        in = NULL;
        pthread_cond_broadcast(&seat->changed);
    }
    pthread_mutex_unlock(&seat->lock);
    EIS_REQUIRE(!twice, EIS_ERR_PROTOCOL, "an input was sent twice");
out:
    if (in != NULL) eis_mem_free(in->words);
    eis_mem_free(in);
    return st;
}

eis_status eis_mpc_seat_key_hash(uint8_t *hash, eis_mpc_seat *seat, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    uint8_t key[EIS_MPC_SEED_BYTES];
    uint64_t until = eis_mpc_seat_deadline(seat->dial_ms);

    pthread_mutex_lock(&seat->lock);
    while (st == EIS_OK && !seat->seeded) st = eis_mpc_seat_wait(seat, until, "seed from the Triple Service");
    if (st == EIS_OK) st = eis_mpc_stream_key(key, seat->seed, purpose, number);
    pthread_mutex_unlock(&seat->lock);
    if (st == EIS_OK) st = eis_mpc_key_hash(hash, &seat->session, seat->index, purpose, number, key);
    eis_mem_wipe(key, sizeof key);
    return st;
}

void eis_mpc_seat_refuse(eis_mpc_seat *seat, eis_status st)
{
    pthread_mutex_lock(&seat->lock);
    if (st == EIS_ERR_TRIPLES_EXHAUSTED) st = EIS_ERR_PROTOCOL; /* that is not for an owner to say */
    if (seat->refused == EIS_OK) snprintf(seat->refusal, sizeof seat->refusal, "%s", eis_error_detail());
    seat->refused = st;
    pthread_cond_broadcast(&seat->changed);
    pthread_mutex_unlock(&seat->lock);
}

eis_status eis_mpc_seat_take_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    eis_mpc_seat *seat = context;
    eis_status st = EIS_OK;
    uint64_t until = eis_mpc_seat_deadline(seat->owner_ms);
    eis_mpc_inbox *in = NULL;

    pthread_mutex_lock(&seat->lock);
    while (st == EIS_OK) {
        for (in = seat->inbox; in != NULL && (in->step != seat->step || in->slot != slot); in = in->next) {}
        if (in != NULL) break;
        st = eis_mpc_seat_wait(seat, until, "input from its owner");
    }
    pthread_mutex_unlock(&seat->lock);
    if (st != EIS_OK) goto out;
    EIS_REQUIRE(in->count == count, EIS_ERR_PROTOCOL, "an input has %u words where %u belong", in->count, count);
    EIS_REQUIRE(in->left == seat->prompt, EIS_ERR_PROTOCOL,
                "the prompt has %u tokens from this step on by its owner, and %u by the coordinator", in->left,
                seat->prompt);
    memcpy(pub, in->words, count * sizeof *pub);
    if (in->taken) goto out;
    in->taken = true;
    seat->input_words += count;
    eis_mpc_check_note(&seat->party.check, pub, count * sizeof *pub);
out:
    return st;
}

eis_status eis_mpc_seat_take_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    return eis_mpc_cache_kept(&((eis_mpc_seat *)context)->cache, slot, words, count);
}

eis_status eis_mpc_seat_await_weights(eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    uint64_t until = eis_mpc_seat_deadline(seat->owner_ms);

    pthread_mutex_lock(&seat->lock);
    for (uint32_t i = 0; i < seat->shape_count && st == EIS_OK;) {
        if (seat->weights_sent[i])
            i++;
        else
            st = eis_mpc_seat_wait(seat, until, "weights from their owner");
    }
    pthread_mutex_unlock(&seat->lock);
    return st;
}

void eis_mpc_seat_forget_inputs(eis_mpc_seat *seat)
{
    for (eis_mpc_inbox **at = &seat->inbox; *at != NULL;) {
        eis_mpc_inbox *in = *at;
        if (in->step >= seat->step) {
            at = &in->next;
            continue;
        }
        *at = in->next;
        eis_mem_free(in->words);
        eis_mem_free(in);
    }
}
