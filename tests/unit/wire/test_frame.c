/* SPDX-License-Identifier: Apache-2.0 */
/* If the parser's frames depended on how the network cuts the stream, a peer could be made to see other messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/frame.h"

static const uint8_t one[EIS_FRAME_HEADER_BYTES] = {
    'E',  'I',  'S',  'F',  1,    1,    3,    0,    5,    0,    0,    0, 0, 0, 0, 0,
    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x0d, 0x0c, 0x0b, 0, 8, 0, 2, 20,
};

static void a_header_is_these_bytes(void **state)
{
    eis_frame_header h = {1, 3, 5, 0x1122334455667788u, 0x0b0c0d, 8, 2, 20}, back;
    uint8_t out[EIS_FRAME_HEADER_BYTES];

    (void)state;
    eis_wire_frame_write(out, &h);
    assert_memory_equal(out, one, sizeof out);
    assert_int_equal(eis_wire_frame_read(&back, out, EIS_FRAME_PROTOCOL_SPLIT, 5), EIS_OK);
    assert_int_equal(back.type, 3);
    assert_int_equal(back.payload_bytes, 5);
    assert_true(back.request_id == h.request_id);
    assert_int_equal(back.layer, h.layer);
    assert_int_equal(back.batch, 8);
    assert_int_equal(back.suite, 2);
    assert_int_equal(back.truncated_bits, 20);
}

static eis_status read_changed(size_t at, uint8_t value)
{
    uint8_t in[EIS_FRAME_HEADER_BYTES];
    eis_frame_header h = {.type = 77};
    eis_status st;

    memcpy(in, one, sizeof in);
    in[at] = value;
    st = eis_wire_frame_read(&h, in, EIS_FRAME_PROTOCOL_SPLIT, 5);
    if (st != EIS_OK) assert_int_equal(h.type, 77);
    return st;
}

static void foreign_headers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) assert_int_equal(read_changed(i, 'x'), EIS_ERR_PROTOCOL);
    assert_int_equal(read_changed(4, 2), EIS_ERR_VERSION);
    assert_int_equal(read_changed(5, 2), EIS_ERR_PROTOCOL);
    assert_int_equal(read_changed(8, 6), EIS_ERR_TOO_LARGE);
    assert_int_equal(read_changed(15, 0x80), EIS_ERR_TOO_LARGE);
}

/* Three frames of 0, 5 and 700,000 bytes. */
static size_t make_stream(uint8_t *out)
{
    static const size_t length[3] = {0, 5, 700000};
    size_t at = 0;

    for (size_t f = 0; f < 3; f++) {
        eis_frame_header h = {
            .protocol = 1, .type = (uint16_t)(f + 1), .payload_bytes = length[f], .request_id = f + 10};

        eis_wire_frame_write(out + at, &h);
        at += EIS_FRAME_HEADER_BYTES;
        for (size_t i = 0; i < length[f]; i++) out[at + i] = (uint8_t)(i * 7 + f);
        at += length[f];
    }
    return at;
}

static void check_frame(const eis_frame_parser *p, size_t f)
{
    static const size_t length[3] = {0, 5, 700000};

    assert_true(f < 3);
    assert_int_equal(p->header.type, f + 1);
    assert_int_equal(p->header.request_id, f + 10);
    assert_int_equal(p->header.payload_bytes, length[f]);
    for (size_t i = 0; i < length[f]; i++) assert_int_equal(p->payload[i], (uint8_t)(i * 7 + f));
}

static void any_chunking_gives_the_same_frames(void **state)
{
    static const size_t chunk[] = {1, 2, 31, 32, 33, 4096, 262143, 262144, 262145, 1u << 30};
    uint8_t *stream = eis_mem_new(1000000, 1);
    size_t bytes = make_stream(stream);

    (void)state;
    for (size_t c = 0; c < sizeof chunk / sizeof chunk[0]; c++) {
        size_t at = 0, frames = 0, used;
        eis_frame_parser p;

        eis_wire_frame_parser_init(&p, 1, 700000);
        while (at < bytes) {
            size_t n = chunk[c] < bytes - at ? chunk[c] : bytes - at;

            assert_int_equal(eis_wire_frame_parser_feed(&p, &used, stream + at, n), EIS_OK);
            assert_true(used > 0 && used <= n);
            at += used;
            if (!p.ready) continue;
            check_frame(&p, frames++);
            eis_wire_frame_parser_next(&p);
        }
        assert_int_equal(frames, 3);
        assert_true(eis_wire_frame_parser_at_boundary(&p));
        eis_wire_frame_parser_clear(&p);
    }
    eis_mem_free(stream);
}

static void a_claim_alone_takes_little_memory(void **state)
{
    eis_frame_header h = {.protocol = 1, .type = 1, .payload_bytes = (uint64_t)1 << 40};
    uint8_t raw[EIS_FRAME_HEADER_BYTES], *at;
    size_t used, room;
    eis_frame_parser p;

    (void)state;
    eis_wire_frame_write(raw, &h);
    eis_wire_frame_parser_init(&p, 1, (uint64_t)1 << 41);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, sizeof raw), EIS_OK);
    assert_int_equal(eis_wire_frame_parser_space(&p, &at, &room), EIS_OK);
    assert_true(p.payload_capacity <= 1u << 20);
    assert_false(eis_wire_frame_parser_at_boundary(&p));
    eis_wire_frame_parser_clear(&p);
}

static void a_fault_stays_and_limits_can_change(void **state)
{
    uint8_t raw[EIS_FRAME_HEADER_BYTES + 5] = {0};
    eis_frame_parser p;
    uint8_t *payload;
    size_t used;

    (void)state;
    memcpy(raw, one, sizeof one);
    eis_wire_frame_parser_init(&p, 1, 4);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, sizeof raw), EIS_ERR_TOO_LARGE);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, sizeof raw), EIS_ERR_TOO_LARGE);
    assert_false(p.ready);
    eis_wire_frame_parser_init(&p, 1, 4);
    eis_wire_frame_parser_limit(&p, 5);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, sizeof raw), EIS_OK);
    assert_int_equal(used, sizeof raw);
    assert_true(p.ready);
    payload = eis_wire_frame_parser_take(&p);
    assert_false(p.ready);
    eis_mem_free_wiped(payload, 5, 1);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, EIS_FRAME_HEADER_BYTES), EIS_OK);
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_wire_frame_parser_feed(&p, &used, raw, 5), EIS_ERR_MEMORY);
    (void)eis_mem_fail_at(0);
    eis_wire_frame_parser_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_these_bytes),
        cmocka_unit_test(foreign_headers_are_refused),
        cmocka_unit_test(any_chunking_gives_the_same_frames),
        cmocka_unit_test(a_claim_alone_takes_little_memory),
        cmocka_unit_test(a_fault_stays_and_limits_can_change),
    };
    return cmocka_run_group_tests_name("wire/frame", tests, NULL, NULL);
}
