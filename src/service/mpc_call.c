/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_call.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/mpc_model.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT 30000
#define ROUND_MS_DEFAULT   10000
#define BLAME_MS           300 /* for others to fall silent after one has complained */
#define SAID_BYTES         512
#define LOOK_MS            100 /* how often a run without news looks whether its client is still there */

static uint32_t timeout_of(const eis_mpc_caller *caller)
{
    return caller->timeout_ms != 0 ? caller->timeout_ms : TIMEOUT_MS_DEFAULT;
}

eis_status eis_mpc_call(eis_stream **stream, const eis_mpc_caller *caller, const eis_mpc_member *member,
                        eis_mpc_role role, uint64_t session)
{
    const eis_tls_client_config config = {.ca_pem = caller->ca_pem,
                                          .cert_pem = caller->cert_pem,
                                          .key_pem = caller->key_pem,
                                          .pins = &member->pin,
                                          .pin_count = 1,
                                          .alpn = EIS_MPC_ALPN};
    const eis_stream_options options = {.protocol = EIS_FRAME_PROTOCOL_MPC, .cancel = caller->cancel};
    eis_status st = EIS_OK;
    eis_tls *tls = NULL;
    eis_writer w;
    eis_reader r;

    *stream = NULL;
    eis_wire_writer_init(&w, 64);
    EIS_TRY(eis_net_tls_client_new(&tls, &config));
    EIS_TRY(eis_net_stream_connect(stream, &member->address, tls, timeout_of(caller), &options));
    eis_wire_writer_u8(&w, (uint8_t)role);
    eis_wire_writer_u32(&w, 0);
    eis_wire_writer_u64(&w, session);
    EIS_TRY(eis_mpc_send(*stream, EIS_MPC_MESSAGE_HELLO, 0, &w, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, *stream, EIS_MPC_MESSAGE_WELCOME, session, timeout_of(caller)));
out:
    if (st != EIS_OK) {
        eis_net_stream_free(*stream);
        *stream = NULL;
    }
    eis_wire_writer_clear(&w);
    eis_net_tls_free(tls);
    return st;
}

/* ---- coordinator ---- */

/* Everybody is waited for at once, so that whoever fails is heard of, whoever was to speak next. */
struct eis_mpc_conductor {
    const eis_mpc_session *session;
    uint64_t number, step;
    uint32_t position;                   /* of the step's first token */
    uint32_t count, timeout_ms, last_ms; /* last_ms: for all others, when one party has answered */
    uint32_t left;                       /* of a prompt whose run ended for lack of material */
    void (*waiting)(void *context, uint64_t step);
    void *context;
    bool (*gone)(void *context);
    void *gone_context;
    eis_stream *party[EIS_MPC_PARTIES_MAX + 1]; /* [count], and behind them the Triple Service */
    eis_stream *dealer;                         /* the same one */
    eis_mpc_party_keys keys;
    eis_mpc_witness witness;
    eis_mpc_told told; /* the last token */
};

/* Puts the name of who failed in front of what it said. */
static eis_status named(eis_status st, uint32_t party)
{
    return st == EIS_OK ? st : eis_fail_prefix(st, "party %u", party);
}

static bool is_silence(eis_status st)
{
    return st == EIS_ERR_CLOSED || st == EIS_ERR_IO || st == EIS_ERR_TLS || st == EIS_ERR_UNAVAILABLE;
}

/* After a failure: whoever hung up without a word has gone, and what the others say about that comes second. */
static eis_status blame(eis_mpc_conductor *c, eis_status st, size_t who)
{
    eis_stream *streams[EIS_MPC_PARTIES_MAX + 1];
    char said[SAID_BYTES];

    if (st == EIS_ERR_INTERRUPTED || who > c->count) return st;
    memcpy(streams, c->party, sizeof streams);
    snprintf(said, sizeof said, "%s", eis_error_detail());
    for (size_t heard = who, others = c->count; others > 0 && !is_silence(st); others--) {
        eis_stream_frame frame;
        size_t which = 0;
        eis_status other;
        streams[heard] = NULL;
        other = eis_net_stream_recv_any(&which, &frame, streams, c->count + 1, BLAME_MS);
        if (which > c->count) break; /* nobody else has anything to say */
        if (is_silence(other)) {
            who = which;
            st = other;
        }
        heard = which;
    }
    st = is_silence(st) ? eis_fail(EIS_ERR_UNAVAILABLE, "it went away in the middle of the session")
                        : eis_fail(st, "%s", said);
    return who == c->count ? eis_fail_prefix(st, "Triple Service") : named(st, (uint32_t)who);
}

/* Hands on that a step waits for its material. */
static eis_status take_waiting(const eis_mpc_conductor *c, const eis_stream_frame *frame)
{
    eis_status st = EIS_OK;
    eis_reader r;
    uint64_t step;

    EIS_TRY(eis_mpc_open_frame(&r, frame, EIS_MPC_MESSAGE_WAITING, c->number));
    step = eis_wire_reader_u64(&r);
    EIS_TRY(eis_wire_reader_end(&r));
    if (c->waiting != NULL) c->waiting(c->context, step);
out:
    return st;
}

typedef eis_status (*take_frame)(void *context, uint32_t party, const eis_stream_frame *frame);

/* Names a party that is still missing. */
static eis_status missed(const eis_mpc_conductor *c, eis_stream *const *streams, uint32_t wait_ms)
{
    uint32_t party = 0;

    while (party + 1 < c->count && streams[party] == NULL) party++;
    return named(eis_fail(EIS_ERR_TIMEOUT, "it has said nothing for %u ms", wait_ms), party);
}

/* Waits for the next frame of anybody, and meanwhile looks whether somebody still wants it. *which is count + 1 where
 * the time is over, or nobody wants it. */
static eis_status next_frame(size_t *which, eis_stream_frame *frame, const eis_mpc_conductor *c,
                             eis_stream *const *streams, uint32_t wait_ms)
{
    const uint64_t begin = eis_clock_ns();

    for (;;) {
        uint64_t gone_ms = (eis_clock_ns() - begin) / 1000000u;
        uint32_t left = wait_ms == EIS_STREAM_WAIT_FOREVER ? wait_ms
                        : gone_ms < wait_ms                ? wait_ms - (uint32_t)gone_ms
                                                           : 0;
        uint32_t slice = c->gone != NULL && left > LOOK_MS ? LOOK_MS : left;
        eis_status st = eis_net_stream_recv_any(which, frame, streams, c->count + 1, slice);
        if (st != EIS_ERR_TIMEOUT || *which != c->count + 1) return st;
        if (slice == left) return missed(c, streams, wait_ms);
        eis_error_clear();
        if (c->gone(c->gone_context)) return eis_fail(EIS_ERR_INTERRUPTED, "the client has cancelled");
    }
}

/* Waits for one frame from every party. Parties go in step: when one has answered, the others have to. They are not
 * listened to again before that, so that it is this wait that ends a session where one of them stands still between its
 * last opening and its answer. The Triple Service has nothing to say meanwhile, but its end is heard. */
static eis_status gather(eis_mpc_conductor *c, uint32_t wait_ms, take_frame take, void *context)
{
    eis_status st = EIS_OK;
    eis_stream *streams[EIS_MPC_PARTIES_MAX + 1];

    memcpy(streams, c->party, sizeof streams);
    for (uint32_t missing = c->count; missing > 0 && st == EIS_OK; missing--) {
        eis_stream_frame frame;
        size_t which = 0;
        st = next_frame(&which, &frame, c, streams, wait_ms);
        if (st == EIS_OK && which == c->count) st = eis_fail(EIS_ERR_PROTOCOL, "it spoke without being asked");
        bool waits = st == EIS_OK && frame.header.type == EIS_MPC_MESSAGE_WAITING;
        if (st == EIS_OK) st = waits ? take_waiting(c, &frame) : take(context, (uint32_t)which, &frame);
        if (st != EIS_OK)
            st = blame(c, st, which);
        else if (waits)
            missing++;
        else
            streams[which] = NULL;
        if (!waits && wait_ms == EIS_STREAM_WAIT_FOREVER) wait_ms = c->last_ms;
    }
    return st;
}

/* An answer without content. */
typedef struct awaited {
    uint64_t number;
    eis_mpc_message message;
} awaited;

static eis_status take_answer(void *context, uint32_t party, const eis_stream_frame *frame)
{
    const awaited *a = context;
    eis_reader r;
    (void)party;

    return eis_mpc_open_frame(&r, frame, a->message, a->number);
}

/* A party's public key comes with its word that links are up. */
static eis_status take_created(void *context, uint32_t party, const eis_stream_frame *frame)
{
    eis_mpc_conductor *c = context;
    eis_status st = EIS_OK;
    eis_public_key *key = &c->keys.key[party];
    const uint8_t *data;
    size_t bytes;
    eis_reader r;

    EIS_TRY(eis_mpc_open_frame(&r, frame, EIS_MPC_MESSAGE_CREATED, c->number));
    bytes = eis_wire_reader_u16(&r);
    data = eis_wire_reader_bytes(&r, bytes);
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_REQUIRE(bytes <= sizeof key->data, EIS_ERR_PROTOCOL, "its public key has %zu bytes", bytes);
    memcpy(key->data, data, bytes);
    key->bytes = (uint32_t)bytes;
out:
    return st;
}

static eis_status gather_answers(eis_mpc_conductor *c, eis_mpc_message message, uint32_t wait_ms)
{
    return gather(c, wait_ms, take_answer, &(awaited){c->number, message});
}

static eis_status send_document(eis_stream *stream, uint32_t index, const void *document, size_t bytes)
{
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    eis_wire_writer_u32(&w, index);
    eis_wire_writer_bytes(&w, document, bytes);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATE, 0, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

eis_status eis_mpc_conductor_open(eis_mpc_conductor **out_conductor, const eis_mpc_session *session,
                                  const void *document, size_t bytes, const eis_mpc_caller *caller)
{
    eis_status st = EIS_OK;
    eis_mpc_conductor *c = NULL;
    eis_reader r;

    *out_conductor = NULL;
    EIS_NEW(c, 1);
    c->session = session;
    c->number = eis_mpc_session_number(session);
    c->count = session->party_count;
    c->timeout_ms = timeout_of(caller);
    c->last_ms = 2 * (caller->round_ms != 0 ? caller->round_ms : ROUND_MS_DEFAULT);
    c->step = 1;
    st = eis_mpc_call(&c->dealer, caller, &session->dealer, EIS_MPC_ROLE_COORDINATOR, 0);
    if (st == EIS_OK) st = send_document(c->dealer, 0, document, bytes);
    if (st == EIS_OK) st = eis_mpc_await(&r, c->dealer, EIS_MPC_MESSAGE_CREATED, c->number, c->timeout_ms);
    if (st != EIS_OK) {
        st = eis_fail_prefix(st, "Triple Service");
        goto out;
    }
    c->party[c->count] = c->dealer;
    for (uint32_t p = 0; p < c->count; p++)
        EIS_TRY(named(eis_mpc_call(&c->party[p], caller, &session->party[p], EIS_MPC_ROLE_COORDINATOR, 0), p));
    for (uint32_t p = 0; p < c->count; p++) EIS_TRY(named(send_document(c->party[p], p, document, bytes), p));
    EIS_TRY(gather(c, c->timeout_ms, take_created, c));
    c->keys.count = c->count;
    EIS_TRY(eis_mpc_witness_init(&c->witness, session, &c->keys));
    *out_conductor = c;
    c = NULL;
out:
    eis_mpc_conductor_close(c);
    return st;
}

/* Sends the same to every party. */
static eis_status send_to_all(eis_mpc_conductor *c, eis_mpc_message message, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    for (uint32_t p = 0; p < c->count; p++) {
        eis_wire_writer_bytes(&w, data, bytes);
        st = eis_mpc_send(c->party[p], message, c->number, &w, NULL, 0);
        if (st != EIS_OK) {
            st = blame(c, st, p);
            break;
        }
    }
    eis_wire_writer_clear(&w);
    return st;
}

eis_status eis_mpc_conductor_load(eis_mpc_conductor *c)
{
    eis_status st = EIS_OK;

    EIS_TRY(send_to_all(c, EIS_MPC_MESSAGE_LOAD, NULL, 0));
    EIS_TRY(gather_answers(c, EIS_MPC_MESSAGE_LOADED, EIS_STREAM_WAIT_FOREVER));
out:
    return st;
}

/* What the parties say next: a token, or that the run is done. All say the same. */
typedef struct verdict {
    uint64_t number;
    bool heard, done;
    uint32_t first, position, left;
    uint64_t step; /* the next one, when it is done; as its position */
    uint8_t end;
    double ms;
    eis_mpc_told *told;
} verdict;

/* Reads a token, the time it took, and a party's signature. */
static void read_token(eis_reader *r, eis_mpc_told *told, uint32_t party, double *ms)
{
    eis_signature *s = &told->signature[party];
    const uint8_t *data;

    told->token = eis_wire_reader_u32(r);
    *ms = eis_wire_reader_f64(r);
    told->step = eis_wire_reader_u64(r);
    s->bytes = eis_wire_reader_u16(r);
    if (s->bytes > sizeof s->data) eis_wire_reader_fail(r, EIS_ERR_PROTOCOL, "a signature has %u bytes", s->bytes);
    data = eis_wire_reader_bytes(r, s->bytes);
    if (data != NULL) memcpy(s->data, data, s->bytes);
}

static eis_status take_verdict(void *context, uint32_t party, const eis_stream_frame *frame)
{
    verdict *v = context;
    eis_status st = EIS_OK;
    bool done = frame->header.type == EIS_MPC_MESSAGE_DONE;
    const uint32_t token = v->told->token;
    const uint64_t step = v->told->step;
    uint64_t next = 0;
    uint32_t position = 0, left = 0;
    uint8_t end = 0;
    double ms = 0;
    eis_reader r;

    EIS_TRY(eis_mpc_open_frame(&r, frame, done ? EIS_MPC_MESSAGE_DONE : EIS_MPC_MESSAGE_TOKEN, v->number));
    if (done) {
        end = eis_wire_reader_u8(&r);
        next = eis_wire_reader_u64(&r);
        position = eis_wire_reader_u32(&r);
        left = eis_wire_reader_u32(&r);
    } else {
        read_token(&r, v->told, party, &ms);
    }
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_REQUIRE(!v->heard || (done == v->done && end == v->end && next == v->step && position == v->position &&
                              left == v->left && token == v->told->token && step == v->told->step),
                EIS_ERR_INTEGRITY, "parties %u and %u told different tokens", v->first, party);
    if (!v->heard) v->first = party;
    v->heard = true;
    v->done = done;
    v->end = end;
    v->step = next;
    v->position = position;
    v->left = left;
    if (ms > v->ms) v->ms = ms;
out:
    return st;
}

static eis_status send_run(eis_mpc_conductor *c, uint32_t prompt, uint32_t most, const eis_mpc_sampling *sampling)
{
    static const eis_mpc_sampling greedy = {1, 0};
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u32(&w, prompt);
    eis_wire_writer_u32(&w, most);
    eis_mpc_sampling_write(&w, sampling != NULL ? sampling : &greedy);
    EIS_TRY(eis_wire_writer_status(&w));
    EIS_TRY(send_to_all(c, EIS_MPC_MESSAGE_RUN, w.data, w.bytes));
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* Moves step and position to those of the prompt's last token. */
static eis_status skip_prompt(eis_mpc_conductor *c, uint32_t prompt)
{
    eis_status st = EIS_OK;

    while (prompt > 0) {
        uint32_t count;
        EIS_TRY(eis_mpc_model_prefill(&count, c->session, c->position, prompt));
        prompt -= count;
        c->position += prompt > 0 ? count : count - 1;
        c->step += prompt > 0;
    }
out:
    return st;
}

eis_status eis_mpc_conductor_run(eis_mpc_conductor *c, eis_mpc_end *end, uint32_t prompt, uint32_t most,
                                 const eis_mpc_sampling *sampling, eis_mpc_token_receiver receive, void *context)
{
    eis_status st = EIS_OK;

    EIS_TRY(send_run(c, prompt, most, sampling));
    EIS_TRY(skip_prompt(c, prompt > 0 ? prompt : c->left));
    c->left = 0;
    for (;;) {
        verdict v = {.number = c->number, .told = &c->told};
        EIS_TRY(gather(c, EIS_STREAM_WAIT_FOREVER, take_verdict, &v));
        *end = (eis_mpc_end)v.end;
        if (v.done) {
            EIS_REQUIRE(v.end <= EIS_MPC_END_DRY, EIS_ERR_PROTOCOL,
                        "the parties ended a run for no reason that there is");
            c->step = v.step;
            c->position = v.position;
            c->left = v.left;
            break;
        }
        c->told.count = c->count;
        EIS_TRY(eis_mpc_witness_check(&c->witness, &c->told));
        c->step++;
        c->position++;
        EIS_TRY(receive(context, c->told.token, v.ms));
    }
out:
    return st;
}

const eis_mpc_party_keys *eis_mpc_conductor_keys(const eis_mpc_conductor *c) { return &c->keys; }

const eis_mpc_told *eis_mpc_conductor_told(const eis_mpc_conductor *c) { return &c->told; }

typedef struct counting {
    uint64_t number;
    eis_mpc_counters *counters;
} counting;

static eis_status take_counters(void *context, uint32_t party, const eis_stream_frame *frame)
{
    const counting *c = context;
    eis_status st = EIS_OK;
    eis_reader r;

    EIS_TRY(eis_mpc_open_frame(&r, frame, EIS_MPC_MESSAGE_COUNTED, c->number));
    eis_mpc_counters_read(&r, &c->counters[party]);
    EIS_TRY(eis_wire_reader_end(&r));
out:
    return st;
}

eis_status eis_mpc_conductor_count(eis_mpc_counters *counters, eis_mpc_conductor *c)
{
    eis_status st = EIS_OK;

    EIS_TRY(send_to_all(c, EIS_MPC_MESSAGE_COUNT, NULL, 0));
    EIS_TRY(gather(c, c->timeout_ms, take_counters, &(counting){c->number, counters}));
out:
    return st;
}

void eis_mpc_conductor_on_waiting(eis_mpc_conductor *c, void (*waiting)(void *context, uint64_t step), void *context)
{
    c->waiting = waiting;
    c->context = context;
}

void eis_mpc_conductor_ask_gone(eis_mpc_conductor *c, bool (*gone)(void *context), void *context)
{
    c->gone = gone;
    c->gone_context = context;
}

uint32_t eis_mpc_conductor_left(const eis_mpc_conductor *c) { return c->left; }

uint64_t eis_mpc_conductor_step(const eis_mpc_conductor *c) { return c->step; }

uint32_t eis_mpc_conductor_position(const eis_mpc_conductor *c) { return c->position; }

/* Who is gone already need not be told; the error of whoever closes stays what it was. */
static void say_goodbye(eis_mpc_conductor *c, uint32_t party)
{
    char said[SAID_BYTES];
    eis_status st;

    snprintf(said, sizeof said, "%s", eis_error_detail());
    st = eis_mpc_send(c->party[party], EIS_MPC_MESSAGE_CLOSE, c->number, NULL, NULL, 0);
    if (st != EIS_OK) eis_error_clear();
    if (st != EIS_OK && said[0] != 0) (void)eis_fail(st, "%s", said);
}

void eis_mpc_conductor_close(eis_mpc_conductor *c)
{
    if (c == NULL) return;
    for (uint32_t p = 0; p < c->count; p++) {
        if (c->party[p] != NULL) say_goodbye(c, p);
        eis_net_stream_free(c->party[p]);
    }
    eis_net_stream_free(c->dealer);
    eis_mpc_witness_clear(&c->witness);
    eis_mem_free(c);
}
