/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_coordinator_messages.h"

#include "base/mem.h"

#include <coordinator.pb-c.h>
#include <math.h>
#include <mimir.pb-c.h>
#include <stdio.h>
#include <string.h>

#define MOST_MAX  ((int32_t)1 << 20)
#define HEAD      64 /* keeps what allocate() returns aligned */
#define RUN_TOP_K 4  /* the field that only set B has */

/* Prompts pass through unpacked messages, so these are wiped: the size stands in front of each block. */
static void *allocate(void *context, size_t bytes)
{
    uint8_t *block = bytes <= SIZE_MAX - HEAD ? eis_mem_new(bytes + HEAD, 1) : NULL;

    (void)context;
    if (block == NULL) return NULL;
    memcpy(block, &bytes, sizeof bytes);
    return block + HEAD;
}

static void release(void *context, void *pointer)
{
    uint8_t *block = pointer;
    size_t bytes;

    (void)context;
    if (block == NULL) return;
    memcpy(&bytes, block - HEAD, sizeof bytes);
    eis_mem_free_wiped(block - HEAD, bytes + HEAD, 1);
}

static ProtobufCAllocator allocator = {allocate, release, NULL};

/* ---- reading ---- */

static void *unpack(const ProtobufCMessageDescriptor *kind, eis_span message)
{
    return protobuf_c_message_unpack(kind, &allocator, message.bytes, message.data);
}

static void drop(void *message)
{
    if (message != NULL) protobuf_c_message_free_unpacked(message, &allocator);
}

static eis_status copy_text(char *to, size_t size, const char *from, const char *what)
{
    size_t length = strlen(from);

    if (length >= size) return eis_fail(EIS_ERR_PARSE, "%s is longer than %zu bytes", what, size - 1);
    memcpy(to, from, length + 1);
    return EIS_OK;
}

static eis_status copy_name(char to[EIS_MPC_NAME_BYTES], const char *from, const char *what)
{
    if (!eis_mpc_name_valid(from))
        return eis_fail(EIS_ERR_PARSE, "%s is not 1 to 64 of letters, digits, '.', '_' and '-'", what);
    return copy_text(to, EIS_MPC_NAME_BYTES, from, what);
}

void eis_coordinator_request_clear(eis_coordinator_request *request)
{
    eis_mem_free_wiped(request->tokens, request->token_count, sizeof *request->tokens);
    memset(request, 0, sizeof *request);
}

static eis_status end(eis_coordinator_request *request, eis_status st)
{
    if (st != EIS_OK) eis_coordinator_request_clear(request);
    return st;
}

eis_status eis_coordinator_read_register(eis_coordinator_request *request, eis_span message)
{
    eis_status st = EIS_OK;
    Mpcprompt__RegisterPartyReq *m = unpack(&mpcprompt__register_party_req__descriptor, message);

    *request = (eis_coordinator_request){.set = EIS_COORDINATOR_ANY};
    EIS_REQUIRE(m != NULL, EIS_ERR_PARSE, "not a RegisterPartyReq or PartyInfo");
    request->attested = m->attestation_quote.len > 0 || m->attestation_kind[0] != '\0';
    EIS_TRY(copy_name(request->party, m->party_id, "party_id"));
    EIS_TRY(copy_text(request->address, sizeof request->address, m->addr, "addr"));
out:
    drop(m);
    return end(request, st);
}

eis_status eis_coordinator_read_create(eis_coordinator_request *request, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__SessionSpec *m = unpack(&mimir__session_spec__descriptor, message);

    *request = (eis_coordinator_request){.set = EIS_COORDINATOR_ANY};
    EIS_REQUIRE(m != NULL, EIS_ERR_PARSE, "not a CreateSessionReq or SessionSpec");
    EIS_TRY(copy_name(request->session, m->session_id, "session_id"));
    if (m->model_name[0] != '\0') EIS_TRY(copy_name(request->model, m->model_name, "model_name"));
    EIS_TRY(copy_text(request->ring, sizeof request->ring, m->mpc_ring, "mpc_ring"));
out:
    drop(m);
    return end(request, st);
}

static eis_status new_tokens(eis_coordinator_request *request, size_t count)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(count <= EIS_COORDINATOR_TOKENS_MAX, EIS_ERR_LIMIT, "a prompt of %zu tokens", count);
    EIS_NEW_BY(request->tokens, count, eis_mem_new_secret);
    request->token_count = count;
out:
    return st;
}

static eis_status take_words(eis_coordinator_request *request, const ProtobufCBinaryData *data)
{
    eis_status st = EIS_OK;

    EIS_TRY(new_tokens(request, data->len / 8));
    for (size_t i = 0; i < request->token_count; i++) request->tokens[i] = eis_load_le32(data->data + 8 * i);
out:
    return st;
}

/* Tells whether bytes are int64 words of ids: four zeros behind each four bytes. Packed numbers are that only where
 * half of a prompt is token 0. */
static bool are_words(const ProtobufCBinaryData *data)
{
    for (size_t i = 0; data->len % 8 == 0 && i < data->len; i += 8)
        if (eis_load_le32(data->data + i + 4) != 0) return false;
    return data->len % 8 == 0;
}

static eis_status read_submit_a(eis_coordinator_request *request, eis_span message)
{
    eis_status st = EIS_OK;
    Mpcprompt__SubmitPromptReq *m = unpack(&mpcprompt__submit_prompt_req__descriptor, message);

    EIS_REQUIRE(m != NULL, EIS_ERR_PARSE, "not a SubmitPromptReq");
    request->set = EIS_COORDINATOR_A;
    EIS_TRY(copy_name(request->session, m->session_id, "session_id"));
    EIS_TRY(new_tokens(request, m->n_token_ids));
    if (m->n_token_ids > 0) memcpy(request->tokens, m->token_ids, m->n_token_ids * sizeof *request->tokens);
    request->masked_tokens = m->masked_tokens;
out:
    drop(m);
    return st;
}

/* Both sets have bytes in field 3; what they are is seen from them, at either path. */
eis_status eis_coordinator_read_submit(eis_coordinator_request *request, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__SubmitPromptReq *m = unpack(&mimir__submit_prompt_req__descriptor, message);

    *request = (eis_coordinator_request){.set = EIS_COORDINATOR_B};
    if (m == NULL || !are_words(&m->token_ids)) {
        st = read_submit_a(request, message);
        goto out;
    }
    EIS_TRY(copy_name(request->session, m->session_id, "session_id"));
    EIS_TRY(take_words(request, &m->token_ids));
    request->masked_tokens = m->masked_tokens;
out:
    drop(m);
    if (st == EIS_OK && request->masked_tokens > EIS_COORDINATOR_TOKENS_MAX)
        st = eis_fail(EIS_ERR_LIMIT, "a prompt of %u tokens", request->masked_tokens);
    return end(request, st);
}

static bool has_field(const ProtobufCMessage *m, unsigned tag)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        if (m->unknown_fields[i].tag == tag) return true;
    return false;
}

static eis_status take_run_a(eis_coordinator_request *request, const Mpcprompt__RunInferenceReq *m)
{
    eis_status st = EIS_OK;

    request->set = EIS_COORDINATOR_A;
    EIS_TRY(copy_name(request->session, m->session_id, "session_id"));
    EIS_REQUIRE(m->max_new_tokens <= (uint32_t)MOST_MAX, EIS_ERR_RANGE, "max_new_tokens is too large");
    request->most = m->max_new_tokens;
    request->top_k = m->topk;
out:
    return st;
}

static eis_status take_run_b(eis_coordinator_request *request, const Mimir__RunInferenceReq *m)
{
    eis_status st = EIS_OK;

    request->set = EIS_COORDINATOR_B;
    EIS_TRY(copy_name(request->session, m->session_id, "session_id"));
    EIS_REQUIRE(m->max_new_tokens >= 0 && m->max_new_tokens <= MOST_MAX, EIS_ERR_RANGE, "max_new_tokens is %d",
                (int)m->max_new_tokens);
    EIS_REQUIRE(m->top_k >= 0, EIS_ERR_RANGE, "top_k is negative");
    EIS_REQUIRE(isfinite(m->temperature) && m->temperature >= 0, EIS_ERR_RANGE, "temperature is no number from 0 on");
    request->most = (uint32_t)m->max_new_tokens;
    request->top_k = (uint32_t)m->top_k;
    request->temperature = m->temperature;
out:
    return st;
}

/* Field 3 is a varint in A and four bytes in B, so a message that has it is of one set alone. */
eis_status eis_coordinator_read_run(eis_coordinator_request *request, eis_coordinator_set set, eis_span message)
{
    eis_status st = EIS_OK;
    Mpcprompt__RunInferenceReq *a = unpack(&mpcprompt__run_inference_req__descriptor, message);
    Mimir__RunInferenceReq *b = unpack(&mimir__run_inference_req__descriptor, message);

    *request = (eis_coordinator_request){.set = set};
    EIS_REQUIRE(a != NULL || b != NULL, EIS_ERR_PARSE, "not a RunInferenceReq");
    if (b == NULL || (a != NULL && set == EIS_COORDINATOR_A && !has_field(&a->base, RUN_TOP_K)))
        EIS_TRY(take_run_a(request, a));
    else
        EIS_TRY(take_run_b(request, b));
out:
    drop(a);
    drop(b);
    return end(request, st);
}

/* ---- writing ---- */

static void pack(eis_writer *w, const void *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *at = eis_wire_writer_reserve(w, bytes);

    if (at != NULL) (void)protobuf_c_message_pack(message, at);
}

static char *text_of(const char *text) { return (char *)(uintptr_t)text; }

void eis_coordinator_write_ack(eis_writer *w, bool ok, const char *text)
{
    Mimir__RegisterAck m = MIMIR__REGISTER_ACK__INIT;

    m.ok = ok;
    m.msg = text_of(text);
    pack(w, &m);
}

static ProtobufCBinaryData bytes_of(const uint8_t *data, size_t bytes)
{
    return (ProtobufCBinaryData){bytes, (uint8_t *)(uintptr_t)data};
}

void eis_coordinator_write_session_ack(eis_writer *w, const char *text, const void *document, size_t bytes,
                                       const eis_mpc_party_keys *keys)
{
    Mimir__SessionAck m = MIMIR__SESSION_ACK__INIT;
    ProtobufCBinaryData list[EIS_MPC_PARTIES_MAX];

    m.ok = 1;
    m.msg = text_of(text);
    m.session_document = bytes_of(document, bytes);
    for (uint32_t p = 0; p < keys->count; p++) list[p] = bytes_of(keys->key[p].data, keys->key[p].bytes);
    m.n_party_keys = keys->count;
    m.party_keys = list;
    pack(w, &m);
}

void eis_coordinator_write_submit_ack(eis_writer *w, const char *text, uint64_t first_step)
{
    Mimir__SubmitPromptAck m = MIMIR__SUBMIT_PROMPT_ACK__INIT;

    m.ok = 1;
    m.msg = text_of(text);
    m.first_step = first_step;
    pack(w, &m);
}

/* The bytes of a token are the same in both sets. */
void eis_coordinator_write_token(eis_writer *w, const eis_mpc_told *told, const char *text)
{
    Mimir__InferenceEvent m = MIMIR__INFERENCE_EVENT__INIT;
    Mimir__Token t = MIMIR__TOKEN__INIT;
    ProtobufCBinaryData list[EIS_MPC_PARTIES_MAX];

    t.token_id = told->token;
    t.step = told->step;
    for (uint32_t p = 0; p < told->count; p++) list[p] = bytes_of(told->signature[p].data, told->signature[p].bytes);
    t.n_signatures = told->count;
    t.signatures = list;
    t.text = text_of(text);
    m.event_case = MIMIR__INFERENCE_EVENT__EVENT_TOKEN;
    m.token = &t;
    pack(w, &m);
}

void eis_coordinator_write_timing(eis_writer *w, eis_coordinator_set set, uint64_t step, double ms)
{
    if (set == EIS_COORDINATOR_A) {
        Mpcprompt__InferenceEvent m = MPCPROMPT__INFERENCE_EVENT__INIT;
        Mpcprompt__StepTiming t = MPCPROMPT__STEP_TIMING__INIT;
        t.step_index = (uint32_t)step;
        t.ms = (float)ms;
        m.event_case = MPCPROMPT__INFERENCE_EVENT__EVENT_TIMING;
        m.timing = &t;
        pack(w, &m);
    } else {
        Mimir__InferenceEvent m = MIMIR__INFERENCE_EVENT__INIT;
        Mimir__StepTiming t = MIMIR__STEP_TIMING__INIT;
        t.step_index = (int64_t)step;
        t.ms = ms;
        m.event_case = MIMIR__INFERENCE_EVENT__EVENT_TIMING;
        m.timing = &t;
        pack(w, &m);
    }
}

void eis_coordinator_write_log(eis_writer *w, const char *level, const char *text)
{
    Mimir__InferenceEvent m = MIMIR__INFERENCE_EVENT__INIT;
    Mimir__Log l = MIMIR__LOG__INIT;

    l.level = text_of(level);
    l.message = text_of(text);
    m.event_case = MIMIR__INFERENCE_EVENT__EVENT_MSG;
    m.msg = &l;
    pack(w, &m);
}

void eis_coordinator_write_metrics(eis_writer *w, double tokens_per_second, uint64_t pool)
{
    Mimir__Metrics m = MIMIR__METRICS__INIT;

    m.tokens_per_second = tokens_per_second;
    m.triple_pool_remaining = pool < UINT32_MAX ? pool : UINT32_MAX; /* set A has 32 bits */
    pack(w, &m);
}

/* ---- clients ---- */

void eis_coordinator_write_create(eis_writer *w, const char *session, const char *model)
{
    Mimir__SessionSpec m = MIMIR__SESSION_SPEC__INIT;

    m.session_id = text_of(session);
    m.model_name = text_of(model);
    m.mpc_ring = text_of("2^61-1");
    pack(w, &m);
}

void eis_coordinator_write_submit(eis_writer *w, const char *session, uint32_t masked_tokens)
{
    Mimir__SubmitPromptReq m = MIMIR__SUBMIT_PROMPT_REQ__INIT;

    m.session_id = text_of(session);
    m.masked_tokens = masked_tokens;
    pack(w, &m);
}

void eis_coordinator_write_run(eis_writer *w, const char *session, uint32_t most, const eis_mpc_sampling *sampling)
{
    bool greedy = sampling == NULL || eis_mpc_sampling_is_greedy(sampling);
    Mimir__RunInferenceReq m = MIMIR__RUN_INFERENCE_REQ__INIT;

    m.session_id = text_of(session);
    m.max_new_tokens = (int32_t)(most <= (uint32_t)MOST_MAX ? most : (uint32_t)MOST_MAX);
    m.temperature = greedy ? 1 : (float)sampling->temperature;
    m.top_k = greedy ? 1 : (int32_t)sampling->top_k;
    pack(w, &m);
}

eis_status eis_coordinator_read_session_ack(uint8_t **document, size_t *bytes, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__SessionAck *m = unpack(&mimir__session_ack__descriptor, message);

    EIS_REQUIRE(m != NULL && m->session_document.len > 0, EIS_ERR_PROTOCOL, "the coordinator sent no session document");
    EIS_NEW(*document, m->session_document.len);
    memcpy(*document, m->session_document.data, m->session_document.len);
    *bytes = m->session_document.len;
out:
    drop(m);
    return st;
}

/* Copies a list of byte strings that is to have at most a number of entries, each of at most a size. */
static bool copy_list(void *first, uint32_t *first_bytes, size_t stride, size_t size, const ProtobufCBinaryData *list,
                      size_t count)
{
    if (count > EIS_MPC_PARTIES_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (list[i].len > size) return false;
        if (list[i].len > 0) memcpy((uint8_t *)first + i * stride, list[i].data, list[i].len);
        first_bytes[i * stride / sizeof *first_bytes] = (uint32_t)list[i].len;
    }
    return true;
}

eis_status eis_coordinator_read_party_keys(eis_mpc_party_keys *keys, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__SessionAck *m = unpack(&mimir__session_ack__descriptor, message);

    memset(keys, 0, sizeof *keys);
    EIS_REQUIRE(m != NULL && copy_list(keys->key[0].data, &keys->key[0].bytes, sizeof keys->key[0],
                                       sizeof keys->key[0].data, m->party_keys, m->n_party_keys),
                EIS_ERR_PROTOCOL, "the coordinator sent no keys of parties");
    keys->count = (uint32_t)m->n_party_keys;
out:
    drop(m);
    return st;
}

eis_status eis_coordinator_read_submit_ack(uint64_t *first_step, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__SubmitPromptAck *m = unpack(&mimir__submit_prompt_ack__descriptor, message);

    EIS_REQUIRE(m != NULL, EIS_ERR_PROTOCOL, "the coordinator sent no SubmitPromptAck");
    *first_step = m->first_step;
out:
    drop(m);
    return st;
}

static eis_status read_told(eis_mpc_told *told, const Mimir__Token *t)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(copy_list(told->signature[0].data, &told->signature[0].bytes, sizeof told->signature[0],
                          sizeof told->signature[0].data, t->signatures, t->n_signatures),
                EIS_ERR_PROTOCOL, "the coordinator sent signatures that are none");
    told->token = (uint32_t)t->token_id;
    told->step = t->step;
    told->count = (uint32_t)t->n_signatures;
out:
    return st;
}

eis_status eis_coordinator_read_event(eis_coordinator_event *event, eis_span message)
{
    eis_status st = EIS_OK;
    Mimir__InferenceEvent *m = unpack(&mimir__inference_event__descriptor, message);

    memset(event, 0, sizeof *event);
    event->kind = EIS_COORDINATOR_LOG;
    EIS_REQUIRE(m != NULL, EIS_ERR_PROTOCOL, "the coordinator sent no InferenceEvent");
    if (m->event_case == MIMIR__INFERENCE_EVENT__EVENT_TOKEN) {
        EIS_REQUIRE(m->token->token_id >= 0 && m->token->token_id < UINT32_MAX, EIS_ERR_PROTOCOL,
                    "the coordinator sent a token that is none");
        EIS_TRY(read_told(&event->told, m->token));
        event->kind = EIS_COORDINATOR_TOKEN;
    } else if (m->event_case == MIMIR__INFERENCE_EVENT__EVENT_TIMING) {
        event->kind = EIS_COORDINATOR_TIMING;
        event->step = (uint64_t)m->timing->step_index;
        event->ms = m->timing->ms;
    } else if (m->event_case == MIMIR__INFERENCE_EVENT__EVENT_MSG) {
        (void)snprintf(event->text, sizeof event->text, "%s", m->msg->message);
    }
out:
    drop(m);
    return st;
}
