/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that do not keep to the protocol: a client must never combine what it did not ask for. */
#include "support/split_world.h"

#include "engine/split/eval.h"
#include "net/listener.h"

#include <stdatomic.h>

/* ---- a server that plays a script: honest up to a call, then one fault ---- */

typedef enum fault {
    HONEST,
    CLOSES,
    SILENT,
    SHORT_ANSWER,
    LONG_ANSWER,
    WRONG_ID,
    REPLAYED_ID,
    WRONG_LAYER,
    WRONG_BATCH,
    WRONG_T,
    NOT_CANONICAL,
    UNKNOWN_TYPE,
    SECOND_ACK,
    UNASKED_PING,
    SAYS_BUSY,
    SAYS_CHEAT,
    SAYS_DAMAGED,
    ACK_OTHER_DIGEST,
    ACK_OTHER_PROFILE,
    ACK_OTHER_VERSION,
    ACK_OTHER_LAYERS,
    ACK_SMALL_FRAMES,
    ACK_LARGE_FRAMES,
    ACK_GARBAGE,
    NO_ACK,
} fault;

typedef struct script {
    const eis_pack *pack;
    fault fault;
    int honest_calls; /* before the fault */
    atomic_int connections;
    eis_tls *tls;
    eis_listener *listener;
} script;

static eis_status script_greet(const script *s, eis_stream *stream, eis_split_evaluator **evaluator)
{
    eis_split_hello_ack ack = {.version = 1,
                               .profile = (uint8_t)s->pack->profile,
                               .payload_bytes_max = 1 << 20,
                               .layer_count = s->pack->layer_count};
    eis_stream_frame frame;
    eis_split_hello hello;
    eis_writer w;
    eis_status st = EIS_OK;

    EIS_TRY(eis_net_stream_recv(&frame, stream, WORLD_TIMEOUT_MS));
    EIS_TRY(eis_split_hello_read(&hello, frame.payload.data, frame.payload.bytes));
    EIS_TRY(eis_split_evaluator_new(evaluator, s->pack, hello.planes, hello.layer_count, NULL, 1 << 20));
    memcpy(ack.pack_digest, s->pack->digest, sizeof ack.pack_digest);
    ack.pack_digest[5] ^= s->fault == ACK_OTHER_DIGEST;
    if (s->fault == ACK_OTHER_PROFILE) ack.profile = EIS_SPLIT_P8;
    ack.version = (uint16_t)(ack.version + (s->fault == ACK_OTHER_VERSION));
    ack.layer_count += s->fault == ACK_OTHER_LAYERS;
    if (s->fault == ACK_SMALL_FRAMES) ack.payload_bytes_max = 64;
    if (s->fault == ACK_LARGE_FRAMES) ack.payload_bytes_max = UINT64_MAX;
    eis_wire_writer_init(&w, 4096);
    eis_split_hello_ack_write(&w, &ack);
    if (s->fault == ACK_GARBAGE) memset(w.data, 0xee, w.bytes);
    if (s->fault == NO_ACK)
        st = world_send(stream, &(eis_frame_header){.type = EIS_SPLIT_RESULT, .request_id = 1, .batch = 1}, w.data,
                        w.bytes);
    else
        st = world_send(stream, &(eis_frame_header){.type = EIS_SPLIT_HELLO_ACK}, w.data, w.bytes);
    eis_wire_writer_clear(&w);
    eis_net_stream_limit(stream, 1 << 20);
out:
    return st;
}

static eis_status script_error(eis_stream *stream, const eis_frame_header *about, eis_status told)
{
    eis_frame_header header = {.type = EIS_SPLIT_ERROR, .request_id = about->request_id};
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, 4096);
    eis_split_error_write(&w, told == EIS_OK ? EIS_ERR_BUSY : told, "because");
    if (told == EIS_OK) w.data[0] = 7;
    st = world_send(stream, &header, w.data, w.bytes);
    eis_wire_writer_clear(&w);
    return st;
}

/* Answers one request, with the fault where its time has come. */
static eis_status script_answer(const script *s, eis_stream *stream, const eis_frame_header *request, eis_span reply,
                                bool now)
{
    eis_frame_header header = {.type = EIS_SPLIT_RESULT,
                               .request_id = request->request_id,
                               .layer = request->layer,
                               .batch = request->batch,
                               .truncated_bits = request->truncated_bits};
    uint8_t data[1 << 16];
    size_t bytes = reply.bytes;

    memcpy(data, reply.data, bytes);
    memset(data + bytes, 0, 16);
    switch (now ? s->fault : HONEST) {
    case CLOSES:
        return EIS_ERR_CLOSED;
    case SILENT: {
        eis_stream_frame frame;
        return eis_net_stream_recv(&frame, stream, WORLD_TIMEOUT_MS);
    }
    case SHORT_ANSWER:
        bytes -= 8;
        break;
    case LONG_ANSWER:
        bytes += 8;
        break;
    case WRONG_ID:
        header.request_id += 5;
        break;
    case REPLAYED_ID:
        header.request_id -= 1;
        break;
    case WRONG_LAYER:
        header.layer += 1;
        break;
    case WRONG_BATCH:
        header.batch = (uint16_t)(header.batch + 1);
        break;
    case WRONG_T:
        header.truncated_bits = 20;
        break;
    case NOT_CANONICAL:
        memset(data, 0xff, 8);
        break;
    case UNKNOWN_TYPE:
        header.type = 77;
        break;
    case SECOND_ACK:
        header = (eis_frame_header){.type = EIS_SPLIT_HELLO_ACK};
        break;
    case UNASKED_PING:
        header = (eis_frame_header){.type = EIS_SPLIT_PING, .request_id = 1};
        bytes = 0;
        break;
    case SAYS_BUSY:
        return script_error(stream, request, EIS_ERR_BUSY);
    case SAYS_CHEAT:
        return script_error(stream, request, EIS_ERR_INTEGRITY);
    case SAYS_DAMAGED:
        return script_error(stream, request, EIS_OK);
    default:
        break;
    }
    return world_send(stream, &header, data, bytes);
}

static eis_status play(void *context, eis_stream *stream)
{
    script *s = context;
    eis_split_evaluator *evaluator = NULL;
    eis_status st = EIS_OK;

    atomic_fetch_add(&s->connections, 1);
    EIS_TRY(script_greet(s, stream, &evaluator));
    for (int call = 0;; call++) {
        eis_split_request request;
        eis_stream_frame frame;
        eis_span reply;
        EIS_TRY(eis_net_stream_recv(&frame, stream, WORLD_TIMEOUT_MS));
        if (frame.header.type == EIS_SPLIT_CLOSE) break;
        request = (eis_split_request){.layer = frame.header.layer,
                                      .batch = frame.header.batch,
                                      .suite = frame.header.suite,
                                      .truncated_bits = frame.header.truncated_bits,
                                      .payload = frame.payload};
        EIS_TRY(eis_split_eval(evaluator, &reply, &request));
        EIS_TRY(script_answer(s, stream, &frame.header, reply, call == s->honest_calls));
    }
out:
    eis_split_evaluator_free(evaluator);
    return st;
}

static void start_script(world *w, size_t i, script *s, fault what, int honest_calls)
{
    eis_listener_config config = {.address = {.host = "127.0.0.1"}, .serve = play, .context = s};
    const eis_tls_server_config tls = {.cert_pem = world_span(w->leaves[i].cert, w->leaves[i].cert_bytes),
                                       .key_pem = world_span(w->leaves[i].key, w->leaves[i].key_bytes),
                                       .alpn = EIS_TLS_ALPN_SPLIT};

    *s = (script){.pack = w->pack, .fault = what, .honest_calls = honest_calls};
    assert_int_equal(eis_net_tls_server_new(&s->tls, &tls), EIS_OK);
    config.tls = s->tls;
    assert_int_equal(eis_net_listener_start(&s->listener, &config), EIS_OK);
    eis_net_listener_address(&w->addresses[i], s->listener);
}

static void stop_script(script *s)
{
    eis_net_listener_free(s->listener);
    eis_net_tls_free(s->tls);
}

/* A world whose last server plays a script. */
static void open_scripted(world *w, size_t count, script *s, fault what, int honest_calls)
{
    world_prepare(w, world_lm(), EIS_SPLIT_F61_20, count);
    for (size_t i = 0; i + 1 < count; i++) {
        eis_split_offer offer;
        const eis_split_server_config config = world_server_config(w, i, &offer);
        world_start(w, i, &config);
    }
    start_script(w, count - 1, s, what, honest_calls);
}

#define LOGITS (WORLD_STEPS * WORLD_LOGITS)

/* Each fault in the middle of a text: without spares the call ends in one error that names the server; with a spare it
 * goes on; the answer is never another one. */
static void faults_in_the_middle(void **state)
{
    static const struct {
        fault fault;
        eis_status st;
    } cases[] = {
        {CLOSES, EIS_ERR_CLOSED},          {SILENT, EIS_ERR_TIMEOUT},        {SHORT_ANSWER, EIS_ERR_PROTOCOL},
        {LONG_ANSWER, EIS_ERR_PROTOCOL},   {WRONG_ID, EIS_ERR_PROTOCOL},     {REPLAYED_ID, EIS_ERR_PROTOCOL},
        {WRONG_LAYER, EIS_ERR_PROTOCOL},   {WRONG_BATCH, EIS_ERR_PROTOCOL},  {WRONG_T, EIS_ERR_PROTOCOL},
        {NOT_CANONICAL, EIS_ERR_PROTOCOL}, {UNKNOWN_TYPE, EIS_ERR_PROTOCOL}, {SECOND_ACK, EIS_ERR_PROTOCOL},
        {UNASKED_PING, EIS_ERR_PROTOCOL},  {SAYS_BUSY, EIS_ERR_BUSY},        {SAYS_CHEAT, EIS_ERR_PROTOCOL},
        {SAYS_DAMAGED, EIS_ERR_PROTOCOL},
    };
    double plain[LOGITS], logits[LOGITS];

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t threshold = 0; threshold <= 2; threshold += 2) {
            eis_split_server_report reports[3];
            eis_split_client_config config;
            eis_split_client *client;
            eis_status st;
            script s;
            world w;
            open_scripted(&w, threshold > 0 ? 3 : 2, &s, cases[c].fault, 5);
            world_generate_plain(plain, w.model);
            config = world_client_config(&w, threshold);
            if (cases[c].fault == SILENT) config.timeout_ms = 500;
            client = world_connect(&w, &config);
            st = world_generate(logits, w.model, eis_split_client_seam(client));
            if (threshold > 0) {
                if (st != EIS_OK) fail_msg("fault %d: %s", cases[c].fault, eis_error_detail());
                assert_true(world_distance(logits, plain, LOGITS) < 3e-5);
            } else {
                if (st != cases[c].st) fail_msg("fault %d: status %d, %s", cases[c].fault, st, eis_error_detail());
                assert_non_null(strstr(eis_error_detail(), "server 2"));
            }
            eis_split_client_report(client, NULL, reports);
            assert_false(reports[1].caught);
            eis_split_client_free(client);
            stop_script(&s);
            world_close(&w);
        }
}

/* What a server says at the greeting decides nothing but whether we talk to it. */
static void faults_at_the_greeting(void **state)
{
    static const struct {
        fault fault;
        eis_status st;
    } cases[] = {
        {ACK_OTHER_DIGEST, EIS_ERR_DIGEST},    {ACK_OTHER_PROFILE, EIS_ERR_PROTOCOL},
        {ACK_OTHER_VERSION, EIS_ERR_PROTOCOL}, {ACK_OTHER_LAYERS, EIS_ERR_PROTOCOL},
        {ACK_SMALL_FRAMES, EIS_ERR_TOO_LARGE}, {ACK_LARGE_FRAMES, EIS_ERR_PROTOCOL},
        {ACK_GARBAGE, EIS_ERR_PARSE},          {NO_ACK, EIS_ERR_PROTOCOL},
    };

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        eis_split_client_config config;
        eis_split_client *client = NULL;
        eis_status st;
        script s;
        world w;
        open_scripted(&w, 2, &s, cases[c].fault, 0);
        config = world_client_config(&w, 0);
        st = eis_split_client_new(&client, w.model, &w.layers.info, &config);
        if (st != cases[c].st) fail_msg("fault %d: status %d, %s", cases[c].fault, st, eis_error_detail());
        assert_non_null(strstr(eis_error_detail(), "server 2"));
        assert_null(client);
        stop_script(&s);
        world_close(&w);
    }
}

/* A retry asks everybody anew, with fresh shares, and no more often than was allowed. */
static void retries_are_bounded(void **state)
{
    double plain[LOGITS], logits[LOGITS];

    (void)state;
    for (int honest = 0; honest <= 5; honest += 5) {
        eis_split_client_config config;
        eis_split_client *client;
        script s;
        world w;
        open_scripted(&w, 2, &s, CLOSES, honest); /* each connection serves that many calls */
        world_generate_plain(plain, w.model);
        config = world_client_config(&w, 0);
        config.retries = 3;
        client = world_connect(&w, &config);
        if (honest > 0) {
            if (world_generate(logits, w.model, eis_split_client_seam(client)) != EIS_OK)
                fail_msg("%s", eis_error_detail());
            assert_true(world_distance(logits, plain, LOGITS) < 3e-5);
        } else {
            assert_int_equal(world_generate(logits, w.model, eis_split_client_seam(client)), EIS_ERR_CLOSED);
            assert_int_equal(atomic_load(&s.connections), 4);
        }
        eis_split_client_free(client);
        stop_script(&s);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_in_the_middle),
        cmocka_unit_test(faults_at_the_greeting),
        cmocka_unit_test(retries_are_bounded),
    };

    return cmocka_run_group_tests(tests, world_quiet, NULL);
}
