/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a client of one message set is read as one of the other, or hears what it cannot read. */
#include "base/mem.h"
#include "service/mpc_coordinator_messages.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static eis_span hex(uint8_t *out, const char *text)
{
    size_t bytes = 0;

    for (; text[0] != '\0'; text += text[2] == ' ' ? 3 : 2) {
        unsigned value;
        assert_int_equal(sscanf(text, "%2x", &value), 1);
        out[bytes++] = (uint8_t)value;
        if (text[2] == '\0') break;
    }
    return (eis_span){out, bytes};
}

#define NAME "0a 01 73 " /* 1: "s" */

static void runs_tell_their_set(void **state)
{
    static const struct {
        const char *bytes;
        eis_coordinator_set by_path, set;
        uint32_t most, top_k;
        float temperature;
    } cases[] = {
        {NAME "10 03 18 03", EIS_COORDINATOR_ANY, EIS_COORDINATOR_A, 3, 3, 0},
        {NAME "10 03 18 03", EIS_COORDINATOR_B, EIS_COORDINATOR_A, 3, 3, 0},
        {NAME "10 10 1d 00 00 80 3f 20 01", EIS_COORDINATOR_ANY, EIS_COORDINATOR_B, 16, 1, 1},
        {NAME "10 10 1d 00 00 80 3f", EIS_COORDINATOR_A, EIS_COORDINATOR_B, 16, 0, 1},
        {NAME "10 10 20 05", EIS_COORDINATOR_A, EIS_COORDINATOR_B, 16, 5, 0},
        {NAME, EIS_COORDINATOR_A, EIS_COORDINATOR_A, 0, 0, 0},
        {NAME, EIS_COORDINATOR_ANY, EIS_COORDINATOR_B, 0, 0, 0},
    };
    uint8_t bytes[64];
    eis_coordinator_request r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(eis_coordinator_read_run(&r, cases[i].by_path, hex(bytes, cases[i].bytes)), EIS_OK);
        assert_string_equal(r.session, "s");
        assert_int_equal(r.set, cases[i].set);
        assert_int_equal(r.most, cases[i].most);
        assert_int_equal(r.top_k, cases[i].top_k);
        assert_true(r.temperature == cases[i].temperature);
        eis_coordinator_request_clear(&r);
    }
}

static void runs_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        eis_status st;
    } cases[] = {
        {"10 03", EIS_ERR_PARSE},                                                /* no session */
        {"0a 02 73", EIS_ERR_PARSE},                                             /* cut off */
        {"0a 01 2f", EIS_ERR_PARSE},                                             /* "/" */
        {NAME "1a 00", EIS_ERR_PARSE},                                           /* 3: neither set's type */
        {NAME "10 ff ff ff ff ff ff ff ff ff 01", EIS_ERR_RANGE},                /* -1 tokens */
        {NAME "10 ff ff ff 7f", EIS_ERR_RANGE},                                  /* too many */
        {NAME "1d 00 00 c0 7f", EIS_ERR_RANGE},                                  /* temperature NaN */
        {NAME "1d 00 00 80 7f", EIS_ERR_RANGE},                                  /* infinite */
        {NAME "1d 00 00 80 bf", EIS_ERR_RANGE},                                  /* -1 */
        {NAME "1d 00 00 80 3f 20 ff ff ff ff ff ff ff ff ff 01", EIS_ERR_RANGE}, /* top_k -1 */
    };
    uint8_t bytes[64];
    eis_coordinator_request r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(eis_coordinator_read_run(&r, EIS_COORDINATOR_ANY, hex(bytes, cases[i].bytes)), cases[i].st);
}

static void prompts_are_read_in_every_form(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        uint32_t ids[3], masked;
    } cases[] = {
        {NAME "1a 03 00 4d 7b", 3, {0, 77, 123}, 0},                                        /* A, packed */
        {NAME "18 00 18 4d 18 7b", 3, {0, 77, 123}, 0},                                     /* A, one by one */
        {NAME "1a 04 80 02 4d 7b", 3, {256, 77, 123}, 0},                                   /* A, two bytes */
        {NAME "1a 08 4d 7b 01 02 03 04 05 06", 8, {77, 123, 1}, 0},                         /* A, eight of them */
        {NAME "1a 10 00 01 00 00 00 00 00 00 4d 00 00 00 00 00 00 00", 2, {256, 77, 0}, 0}, /* B */
        {NAME "80 01 07", 0, {0, 0, 0}, 7},                                                 /* masked */
        {NAME, 0, {0, 0, 0}, 0},
    };
    uint8_t bytes[64];
    eis_coordinator_request r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(eis_coordinator_read_submit(&r, hex(bytes, cases[i].bytes)), EIS_OK);
        assert_int_equal(r.token_count, cases[i].count);
        assert_int_equal(r.masked_tokens, cases[i].masked);
        for (size_t t = 0; t < cases[i].count && t < 3; t++) assert_int_equal(r.tokens[t], cases[i].ids[t]);
        eis_coordinator_request_clear(&r);
    }
    assert_int_equal(eis_coordinator_read_submit(&r, hex(bytes, NAME "1a 01 ff")), EIS_ERR_PARSE);
    assert_int_equal(eis_coordinator_read_submit(&r, hex(bytes, NAME "80 01 ff ff ff 7f")), EIS_ERR_LIMIT);
}

static void names_are_held_to_their_limits(void **state)
{
    eis_coordinator_request r;
    uint8_t bytes[256] = {0};

    (void)state;
    for (size_t length = 1; length < 100; length++) {
        bytes[0] = 0x0a;
        bytes[1] = (uint8_t)length;
        memset(bytes + 2, 'x', length);
        assert_int_equal(eis_coordinator_read_create(&r, (eis_span){bytes, length + 2}),
                         length <= 64 ? EIS_OK : EIS_ERR_PARSE);
        eis_coordinator_request_clear(&r);
    }
}

static void replies_have_the_types_of_their_set(void **state)
{
    static const uint8_t a[] = {0x12, 0x07, 0x08, 0x05, 0x15, 0x00, 0x00, 0xc0, 0x3f};
    static const uint8_t b[] = {0x12, 0x0b, 0x08, 0x05, 0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f};
    static const uint8_t token[] = {0x0a, 0x05, 0x08, 0x4d, 0x12, 0x01, 0x68};
    static const uint8_t log[] = {0x1a, 0x06, 0x0a, 0x01, 0x77, 0x12, 0x01, 0x74};
    eis_coordinator_event event;
    eis_writer w;

    (void)state;
    eis_wire_writer_init(&w, 1000);
    eis_coordinator_write_timing(&w, EIS_COORDINATOR_A, 5, 1.5);
    assert_int_equal(w.bytes, sizeof a);
    assert_memory_equal(w.data, a, sizeof a);
    eis_wire_writer_rewind(&w);
    eis_coordinator_write_timing(&w, EIS_COORDINATOR_B, 5, 1.5);
    assert_int_equal(w.bytes, sizeof b);
    assert_memory_equal(w.data, b, sizeof b);
    assert_int_equal(eis_coordinator_read_event(&event, (eis_span){w.data, w.bytes}), EIS_OK);
    assert_int_equal(event.kind, EIS_COORDINATOR_TIMING);
    assert_true(event.step == 5 && event.ms == 1.5);
    eis_wire_writer_rewind(&w);
    eis_coordinator_write_token(&w, &(eis_mpc_told){.token = 77}, "h");
    assert_int_equal(w.bytes, sizeof token);
    assert_memory_equal(w.data, token, sizeof token);
    eis_wire_writer_rewind(&w);
    eis_coordinator_write_log(&w, "w", "t");
    assert_int_equal(w.bytes, sizeof log);
    assert_memory_equal(w.data, log, sizeof log);
    eis_wire_writer_clear(&w);
}

/* What EIS adds stands behind the original's fields, and comes back as it went. */
static void signatures_come_back(void **state)
{
    static const uint8_t token[] = {10, 14, 8, 77, 128, 1, 9, 138, 1, 2, 1, 2, 138, 1, 1, 3};
    eis_mpc_told told = {.step = 9, .token = 77, .count = 2, .signature = {{2, {1, 2}}, {1, {3}}}};
    eis_mpc_party_keys keys = {.count = 2, .key = {{3, {7, 8, 9}}, {1, {4}}}}, read;
    eis_coordinator_event event;
    uint8_t *document;
    size_t bytes;
    eis_writer w;
    (void)state;

    eis_wire_writer_init(&w, 10000);
    eis_coordinator_write_token(&w, &told, "");
    assert_int_equal(w.bytes, sizeof token);
    assert_memory_equal(w.data, token, sizeof token);
    assert_int_equal(eis_coordinator_read_event(&event, (eis_span){w.data, w.bytes}), EIS_OK);
    assert_memory_equal(&event.told, &told, sizeof told);
    eis_wire_writer_rewind(&w);
    eis_coordinator_write_session_ack(&w, "text", "document", 8, &keys);
    assert_int_equal(eis_coordinator_read_party_keys(&read, (eis_span){w.data, w.bytes}), EIS_OK);
    assert_memory_equal(&read, &keys, sizeof keys);
    assert_int_equal(eis_coordinator_read_session_ack(&document, &bytes, (eis_span){w.data, w.bytes}), EIS_OK);
    assert_int_equal(bytes, 8);
    eis_mem_free(document);
    eis_wire_writer_rewind(&w);
    keys.key[1].bytes = sizeof keys.key[1].data;
    eis_coordinator_write_session_ack(&w, "text", "document", 8, &keys);
    assert_int_equal(eis_coordinator_read_party_keys(&read, (eis_span){w.data, w.bytes}), EIS_OK);
    eis_wire_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_tell_their_set),
        cmocka_unit_test(runs_that_make_no_sense_are_refused),
        cmocka_unit_test(prompts_are_read_in_every_form),
        cmocka_unit_test(names_are_held_to_their_limits),
        cmocka_unit_test(replies_have_the_types_of_their_set),
        cmocka_unit_test(signatures_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
