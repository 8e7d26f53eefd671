/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_stream.h"

#include "ring/fp_word.h"

#include <string.h>

#define TEXT_BYTES_MAX 512

eis_status eis_mpc_send(eis_stream *stream, eis_mpc_message message, uint64_t session, eis_writer *w,
                        const uint64_t *words, size_t word_count)
{
    const eis_frame_header header = {.type = (uint16_t)message, .request_id = session};
    const eis_span parts[2] = {{w != NULL ? w->data : NULL, w != NULL ? w->bytes : 0},
                               {(const uint8_t *)words, word_count * sizeof *words}};
    eis_status st = w != NULL ? eis_wire_writer_status(w) : EIS_OK;

    if (st == EIS_OK) st = eis_net_stream_send(stream, &header, parts, 2);
    if (w != NULL) eis_wire_writer_rewind(w);
    return st;
}

void eis_mpc_counters_write(eis_writer *w, const eis_mpc_counters *c)
{
    const uint64_t numbers[] = {c->steps,       c->rounds,      c->bytes_to_each_peer, c->units,          c->unit_words,
                                c->input_words, c->load_rounds, c->load_bytes,         c->load_unit_words};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) eis_wire_writer_u64(w, numbers[i]);
    for (size_t i = 0; i < EIS_MPC_SEEN_BINS; i++) eis_wire_writer_u64(w, c->seen[i]);
}

void eis_mpc_counters_read(eis_reader *r, eis_mpc_counters *c)
{
    uint64_t *const numbers[] = {&c->steps,       &c->rounds,     &c->bytes_to_each_peer,
                                 &c->units,       &c->unit_words, &c->input_words,
                                 &c->load_rounds, &c->load_bytes, &c->load_unit_words};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) *numbers[i] = eis_wire_reader_u64(r);
    for (size_t i = 0; i < EIS_MPC_SEEN_BINS; i++) c->seen[i] = eis_wire_reader_u64(r);
}

void eis_mpc_sampling_write(eis_writer *w, const eis_mpc_sampling *sampling)
{
    eis_wire_writer_u32(w, sampling->top_k);
    eis_wire_writer_f64(w, sampling->temperature);
}

eis_status eis_mpc_sampling_read(eis_reader *r, eis_mpc_sampling *sampling)
{
    eis_status st;

    sampling->top_k = eis_wire_reader_u32(r);
    sampling->temperature = eis_wire_reader_f64(r);
    st = eis_wire_reader_status(r);
    return st == EIS_OK ? eis_mpc_sampling_check(sampling) : st;
}

#define STAT_COUNT 11

void eis_mpc_pool_stats_write(eis_writer *w, const eis_mpc_pool_stats *s)
{
    const uint64_t numbers[STAT_COUNT] = {s->sessions, s->produced,    s->consumed, s->burned,
                                          s->bytes,    s->ready_bytes, s->ready,    s->ready_min,
                                          s->sac_ok,   s->sac_fail,    s->running};

    for (size_t i = 0; i < STAT_COUNT; i++) eis_wire_writer_u64(w, numbers[i]);
    eis_wire_writer_f64(w, s->wait_s);
    eis_wire_writer_f64(w, s->left_s);
}

void eis_mpc_pool_stats_read(eis_reader *r, eis_mpc_pool_stats *s)
{
    uint64_t *const numbers[STAT_COUNT] = {&s->sessions, &s->produced,    &s->consumed, &s->burned,
                                           &s->bytes,    &s->ready_bytes, &s->ready,    &s->ready_min,
                                           &s->sac_ok,   &s->sac_fail,    &s->running};

    for (size_t i = 0; i < STAT_COUNT; i++) *numbers[i] = eis_wire_reader_u64(r);
    s->wait_s = eis_wire_reader_f64(r);
    s->left_s = eis_wire_reader_f64(r);
}

/* What a peer said about its failure; the text is quoted, the code decides. */
static eis_status read_failure(eis_reader *r)
{
    char code[64], text[TEXT_BYTES_MAX];
    eis_status st;

    eis_wire_reader_text16(r, code, sizeof code);
    eis_wire_reader_text16(r, text, sizeof text);
    if (eis_wire_reader_status(r) != EIS_OK) return eis_fail(EIS_ERR_PROTOCOL, "a peer failed and did not say how");
    st = eis_status_from_code(code);
    return eis_fail(st == EIS_OK ? EIS_ERR_PROTOCOL : st, "%s", text[0] != 0 ? text : eis_status_text(st));
}

eis_status eis_mpc_open_frame(eis_reader *r, const eis_stream_frame *frame, eis_mpc_message message, uint64_t session)
{
    eis_status st = EIS_OK;

    eis_wire_reader_init(r, "frame", frame->payload.data, frame->payload.bytes);
    if (frame->header.type == EIS_MPC_MESSAGE_FAILED) return read_failure(r);
    EIS_REQUIRE(frame->header.type == message && frame->header.request_id == session, EIS_ERR_PROTOCOL,
                "a peer sent frame %u where %u belongs", frame->header.type, (unsigned)message);
out:
    return st;
}

eis_status eis_mpc_await(eis_reader *r, eis_stream *stream, eis_mpc_message message, uint64_t session, uint32_t wait_ms)
{
    eis_stream_frame frame;
    eis_status st = eis_net_stream_recv(&frame, stream, wait_ms);

    return st == EIS_OK ? eis_mpc_open_frame(r, &frame, message, session) : st;
}

void eis_mpc_send_failure(eis_stream *stream, uint64_t session, eis_status st)
{
    eis_writer w;
    const char *code = eis_status_code(st);
    char text[TEXT_BYTES_MAX];

    /* The detail of a failed check would be the same for all causes anyway; it names no value. */
    strncpy(text, eis_error_detail(), sizeof text - 1);
    text[sizeof text - 1] = 0;
    eis_wire_writer_init(&w, 4096);
    eis_wire_writer_string16(&w, code, strlen(code));
    eis_wire_writer_string16(&w, text, strlen(text));
    if (eis_mpc_send(stream, EIS_MPC_MESSAGE_FAILED, session, &w, NULL, 0) != EIS_OK) eis_error_clear();
    eis_wire_writer_clear(&w);
}

eis_status eis_mpc_read_words(uint64_t *words, size_t count, eis_reader *r)
{
    eis_status st = EIS_OK;
    const uint8_t *bytes;
    uint64_t over = 0;

    EIS_TRY(eis_wire_reader_status(r));
    EIS_REQUIRE(eis_wire_reader_remaining(r) == count * sizeof *words, EIS_ERR_PROTOCOL,
                "a frame has %zu bytes of words where %zu belong", eis_wire_reader_remaining(r), count * sizeof *words);
    bytes = eis_wire_reader_bytes(r, count * sizeof *words);
    memcpy(words, bytes, count * sizeof *words);
    for (size_t i = 0; i < count; i++) over |= (uint64_t)(words[i] >= EIS_FP_P);
    EIS_REQUIRE(over == 0, EIS_ERR_PROTOCOL, "a frame has a word that is not of the field");
out:
    return st;
}
