/* SPDX-License-Identifier: Apache-2.0 */
/* An owner: learns the masks of its inputs from the Triple Service, and nothing else; sends every party the same masked
 * words. What it has sent under one key it never replaces. */
#include "base/mem.h"
#include "engine/mpc/stream.h"
#include "service/mpc_call.h"
#include "service/mpc_key_hash.h"
#include "service/mpc_model.h"

#include <stdio.h>
#include <string.h>

struct eis_mpc_owner {
    const eis_mpc_session *session;
    uint64_t number;
    uint32_t timeout_ms;
    uint64_t step; /* the last one that an input was sent for */
    eis_stream *dealer, *party[EIS_MPC_PARTIES_MAX];
};

eis_status eis_mpc_owner_open(eis_mpc_owner **out_owner, const eis_mpc_session *session, const eis_mpc_caller *caller)
{
    eis_status st = EIS_OK;
    eis_mpc_owner *o = NULL;

    *out_owner = NULL;
    EIS_NEW(o, 1);
    o->session = session;
    o->number = eis_mpc_session_number(session);
    o->timeout_ms = caller->timeout_ms != 0 ? caller->timeout_ms : 30000;
    EIS_TRY(eis_mpc_call(&o->dealer, caller, &session->dealer, EIS_MPC_ROLE_OWNER, o->number));
    for (uint32_t p = 0; p < session->party_count; p++)
        EIS_TRY(eis_mpc_call(&o->party[p], caller, &session->party[p], EIS_MPC_ROLE_OWNER, o->number));
    *out_owner = o;
    o = NULL;
out:
    eis_mpc_owner_close(o);
    return st;
}

void eis_mpc_owner_close(eis_mpc_owner *o)
{
    if (o == NULL) return;
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) eis_net_stream_free(o->party[p]);
    eis_net_stream_free(o->dealer);
    eis_mem_free(o);
}

/* Asks the Triple Service for the keys of masks, and each party for a hash of its own. */
static eis_status ask_keys(eis_mpc_owner *o, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    for (uint32_t p = 0; p <= o->session->party_count; p++) {
        bool dealer = p == o->session->party_count;
        eis_wire_writer_u8(&w, (uint8_t)purpose);
        eis_wire_writer_u64(&w, number);
        EIS_TRY(eis_mpc_send(dealer ? o->dealer : o->party[p], dealer ? EIS_MPC_MESSAGE_KEYS : EIS_MPC_MESSAGE_KEY_HASH,
                             o->number, &w, NULL, 0));
    }
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* Compares a key with the one that the party has. Hashes are public. */
static eis_status compare_key(eis_mpc_owner *o, uint32_t party, eis_mpc_purpose purpose, uint64_t number,
                              const uint8_t *key)
{
    eis_status st = EIS_OK;
    uint8_t hash[EIS_MPC_DIGEST_BYTES];
    const uint8_t *theirs;
    eis_reader r;

    EIS_TRY(eis_mpc_key_hash(hash, o->session, party, purpose, number, key));
    EIS_TRY(eis_mpc_await(&r, o->party[party], EIS_MPC_MESSAGE_KEY_HASH_IS, o->number, o->timeout_ms));
    theirs = eis_wire_reader_bytes(&r, sizeof hash);
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_REQUIRE(memcmp(theirs, hash, sizeof hash) == 0, EIS_ERR_INTEGRITY,
                "the Triple Service gave an owner another key of masks than party %u has", party);
out:
    return st;
}

/* Tells everybody that the session is over, and why. */
static eis_status end_session(eis_mpc_owner *o, eis_status st)
{
    char why[256];

    snprintf(why, sizeof why, "%s", eis_error_detail());
    for (uint32_t p = 0; p < o->session->party_count; p++) {
        (void)eis_fail(st, "%s", why);
        eis_mpc_send_failure(o->party[p], o->number, st);
    }
    return eis_fail(st, "%s", why);
}

/* Fetches the keys of masks, and holds them against what the parties have: before anything is masked with them.
 * Shape: keys[parties][EIS_MPC_SEED_BYTES]. Secret: keys. */
static eis_status fetch_keys(uint8_t *keys, eis_mpc_owner *o, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    size_t bytes = o->session->party_count * (size_t)EIS_MPC_SEED_BYTES;
    const uint8_t *data;
    eis_reader r;

    EIS_TRY(ask_keys(o, purpose, number));
    EIS_TRY(eis_mpc_await(&r, o->dealer, EIS_MPC_MESSAGE_KEYS_ARE, o->number, o->timeout_ms));
    data = eis_wire_reader_bytes(&r, bytes);
    EIS_TRY(eis_wire_reader_end(&r));
    memcpy(keys, data, bytes);
    for (uint32_t p = 0; p < o->session->party_count && st == EIS_OK; p++)
        st = compare_key(o, p, purpose, number, keys + p * EIS_MPC_SEED_BYTES);
    if (st == EIS_ERR_INTEGRITY) st = end_session(o, st);
out:
    return st;
}

/* Adds the masks of (purpose, number) to words: sums the streams of all parties, or under dealer.master_mask takes that
 * of the first. */
static eis_status add_masks(uint64_t *words, size_t count, eis_mpc_owner *o, eis_mpc_purpose purpose, uint64_t number)
{
    enum { BLOCK = 4096 };
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};
    uint8_t keys[EIS_MPC_PARTIES_MAX * EIS_MPC_SEED_BYTES];
    uint64_t *block = eis_mem_new_secret(BLOCK, sizeof *block);

    if (block == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(fetch_keys(keys, o, purpose, number));
    for (uint32_t p = 0; p < (o->session->master_mask != 0 ? 1 : o->session->party_count); p++) {
        EIS_TRY(eis_mpc_stream_start_key(&stream, keys + p * EIS_MPC_SEED_BYTES));
        for (size_t at = 0; at < count; at += BLOCK) {
            size_t n = count - at < BLOCK ? count - at : BLOCK;
            EIS_TRY(eis_mpc_stream_words(&stream, block, n));
            for (size_t i = 0; i < n; i++) words[at + i] = eis_fp_add(words[at + i], block[i]);
        }
    }
out:
    eis_mpc_stream_clear(&stream);
    eis_mem_wipe(keys, sizeof keys);
    eis_mem_free_wiped(block, BLOCK, sizeof *block);
    return st;
}

/* Where an input belongs; of a matrix its number alone. left: tokens of the prompt from this step on, so that no
 * coordinator can have parties tell what follows the first steps of a prompt alone; 1 for what is classified, 0 for
 * biases. */
typedef struct place {
    uint64_t step;
    uint32_t slot, left; /* slot: or the matrix */
} place;

/* Sends the same frame to all parties and waits until they have it. */
static eis_status send_to_all(eis_mpc_owner *o, eis_mpc_message message, const place *at, const uint64_t *words,
                              size_t count)
{
    eis_status st = EIS_OK;
    eis_writer w;
    eis_reader r;

    eis_wire_writer_init(&w, 64);
    for (uint32_t p = 0; p < o->session->party_count; p++) {
        if (message == EIS_MPC_MESSAGE_INPUT) eis_wire_writer_u64(&w, at->step);
        eis_wire_writer_u32(&w, at->slot);
        if (message == EIS_MPC_MESSAGE_INPUT) eis_wire_writer_u32(&w, at->left);
        EIS_TRY(eis_mpc_send(o->party[p], message, o->number, &w, words, count));
    }
    for (uint32_t p = 0; p < o->session->party_count; p++)
        EIS_TRY(eis_mpc_await(&r, o->party[p], EIS_MPC_MESSAGE_TAKEN, o->number, o->timeout_ms));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status send_matrix(eis_mpc_owner *o, const eis_model *model, uint32_t matrix)
{
    eis_status st = EIS_OK;
    uint32_t all;
    const eis_mpc_matrix_shape *shape = &eis_mpc_model_shapes(&all, o->session)[matrix];
    size_t count = (size_t)shape->rows * shape->columns;
    uint64_t *words = eis_mem_new_secret(count, sizeof *words);

    if (words == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_model_weights(words, o->session, model, matrix));
    EIS_TRY(add_masks(words, count, o, EIS_MPC_PURPOSE_WEIGHTS, matrix));
    EIS_TRY(send_to_all(o, EIS_MPC_MESSAGE_WEIGHTS, &(place){.slot = matrix}, words, count));
out:
    eis_mem_free_wiped(words, count, sizeof *words);
    return st;
}

/* Masks and sends an input of a step. words is used up. Secret: words. */
static eis_status send_input(eis_mpc_owner *o, const place *at, uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;

    EIS_TRY(add_masks(words, count, o, EIS_MPC_PURPOSE_INPUT, eis_mpc_input_number(at->step, at->slot)));
    EIS_TRY(send_to_all(o, EIS_MPC_MESSAGE_INPUT, at, words, count));
    o->step = at->step;
out:
    return st;
}

/* The same for integers. Secret: values. */
static eis_status send_values(eis_mpc_owner *o, const place *at, int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = eis_fp_from_i64(values[i]);
        memcpy(&values[i], &word, sizeof word);
    }
    return send_input(o, at, (uint64_t *)values, count);
}

static eis_status send_vector(eis_mpc_owner *o, const eis_model *model, uint32_t vector)
{
    eis_status st = EIS_OK;
    uint32_t all, count = eis_mpc_model_vectors(&all, o->session)[vector].count;
    int64_t *values = eis_mem_new_secret(count, sizeof *values);

    if (values == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_model_vector_values(values, o->session, model, vector));
    EIS_TRY(send_values(o, &(place){.slot = vector}, values, count));
out:
    eis_mem_free_wiped(values, count, sizeof *values);
    return st;
}

eis_status eis_mpc_owner_send_model(eis_mpc_owner *o, const eis_model *model,
                                    void (*progress)(void *context, double part), void *context)
{
    eis_status st = EIS_OK;
    uint32_t shapes, vectors, all, done = 0;

    (void)eis_mpc_model_shapes(&shapes, o->session);
    (void)eis_mpc_model_vectors(&vectors, o->session);
    all = shapes + vectors;
    for (uint32_t i = 0; i < shapes; i++) {
        EIS_TRY(send_matrix(o, model, i));
        if (progress != NULL) progress(context, (double)++done / all);
    }
    for (uint32_t v = 0; v < vectors; v++) {
        EIS_TRY(send_vector(o, model, v));
        if (progress != NULL) progress(context, (double)++done / all);
    }
out:
    return st;
}

/* A prompt on its way: what fills it up comes first, as token 0 that is not valid. Secret: tokens, filling. */
typedef struct prompt {
    const uint32_t *tokens;
    uint32_t filling, all;
} prompt;

/* The tokens from place `first` on, as rows of zeros with a one. */
static eis_status send_rows(eis_mpc_owner *o, uint64_t step, const prompt *p, uint32_t first, uint32_t count)
{
    eis_status st = EIS_OK;
    uint32_t width = o->session->lm.vocabulary;
    size_t words = (size_t)count * width;
    uint64_t *rows = eis_mem_new_secret(words, sizeof *rows);

    if (rows == NULL) return EIS_ERR_MEMORY;
    for (uint32_t r = 0; r < count; r++) {
        uint32_t token = first + r < p->filling ? 0 : p->tokens[first + r - p->filling];
        EIS_REQUIRE(token < width, EIS_ERR_RANGE, "the model has %u tokens", width);
        for (uint32_t i = 0; i < width; i++) rows[(size_t)r * width + i] = ((uint64_t)(i ^ token) - 1) >> 63;
    }
    EIS_TRY(send_input(o, &(place){step, EIS_MPC_LM_INPUT_TOKENS, p->all - first}, rows, words));
out:
    eis_mem_free_wiped(rows, words, sizeof *rows);
    return st;
}

/* Which of them are valid. */
static eis_status send_valid(eis_mpc_owner *o, uint64_t step, const prompt *p, uint32_t first, uint32_t count)
{
    eis_status st;
    uint64_t *bits = eis_mem_new_secret(count, sizeof *bits);

    if (bits == NULL) return EIS_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++) bits[i] = first + i >= p->filling;
    st = send_input(o, &(place){step, EIS_MPC_LM_INPUT_VALID, p->all - first}, bits, count);
    eis_mem_free_wiped(bits, count, sizeof *bits);
    return st;
}

eis_status eis_mpc_owner_send_prompt(eis_mpc_owner *o, uint64_t step, uint32_t position, const uint32_t *tokens,
                                     uint32_t count)
{
    eis_status st = EIS_OK;
    uint32_t all = eis_mpc_model_filled(o->session, count), next;
    const prompt p = {.tokens = tokens, .filling = all - count, .all = all};

    for (uint32_t at = 0; at < all; at += next, step++) {
        EIS_TRY(eis_mpc_model_prefill(&next, o->session, position + at, all - at));
        EIS_TRY(send_rows(o, step, &p, at, next));
        if (o->session->lm.pad_bucket > 0) EIS_TRY(send_valid(o, step, &p, at, next));
    }
out:
    return st;
}

eis_status eis_mpc_owner_send_image(eis_mpc_owner *o, uint64_t step, const eis_model *model, const double *x)
{
    eis_status st = EIS_OK;
    const eis_mpc_classifier *c = &o->session->classifier;
    int64_t *values = NULL;

    EIS_REQUIRE(o->session->kind == EIS_MPC_MODEL_CLASSIFIER, EIS_ERR_MODEL, "this session's model is no classifier");
    values = eis_mem_new_secret(c->inputs, sizeof *values);
    if (values == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_classifier_input(values, c, model, x));
    EIS_TRY(send_values(o, &(place){.step = step, .left = 1}, values, c->inputs));
out:
    eis_mem_free_wiped(values, c->inputs, sizeof *values);
    return st;
}

uint64_t eis_mpc_owner_step(const eis_mpc_owner *o) { return o->step; }

static eis_status ask_counters(eis_mpc_counters *counters, eis_stream *stream, const eis_mpc_owner *o)
{
    eis_status st = EIS_OK;
    eis_reader r;

    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_COUNT, o->number, NULL, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_COUNTED, o->number, o->timeout_ms));
    eis_mpc_counters_read(&r, counters);
    EIS_TRY(eis_wire_reader_end(&r));
out:
    return st;
}

eis_status eis_mpc_owner_count(eis_mpc_counters *parties, eis_mpc_counters *dealer, eis_mpc_owner *o)
{
    eis_status st = EIS_OK;

    for (uint32_t p = 0; p < o->session->party_count; p++) EIS_TRY(ask_counters(&parties[p], o->party[p], o));
    EIS_TRY(ask_counters(dealer, o->dealer, o));
out:
    return st;
}

eis_status eis_mpc_owner_layers(eis_mpc_layers *layers, eis_mpc_owner *o)
{
    eis_status st = EIS_OK;
    eis_stream *stream = o->party[o->session->party_count - 1];
    eis_reader r;

    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_LAYERS, o->number, NULL, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_LAYERS_ARE, o->number, o->timeout_ms));
    EIS_TRY(eis_mpc_layers_read(&r, layers));
out:
    return st;
}
