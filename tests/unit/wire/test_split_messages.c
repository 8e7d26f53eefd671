/* SPDX-License-Identifier: Apache-2.0 */
/* If these bytes changed unnoticed, clients and servers of two versions would misread each other's shares; the vectors
 * are those of docs/wire/split.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/split_messages.h"
#include "wire/text.h"

#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char hello_hex[] = "01000100"         /* versions 1 to 1 */
                                "0101"             /* P24, additive */
                                "0200"             /* share 2 */
                                "0000000100000000" /* replies up to 16 MiB */
    DIGEST "040074696e79"                          /* "tiny" */
                                "0400"
                                "0100"
                                "0800"
                                "2000"
                                "8000" /* batches of 1, 8, 32, 128 */
                                "03000000"
                                "000000" /* 3 layers without planes */
                                "1000"
                                "7365637265742d746f6b656e2d616263"; /* the token */

static const char ack_hex[] = "0100"
                              "01"
                              "00"
                              "03000000"
                              "0000100000000000" DIGEST;

static const char masks_hex[] = "02000000"
                                "1111111111111111111111111111111111111111111111111111111111111111"
                                "2222222222222222222222222222222222222222222222222222222222222222";

static const char error_hex[] = "01"
                                "0a00"
                                "51554555455f46554c4c"
                                "0500"
                                "6c61746572";

static const char frame_hex[] = "45495346"
                                "01"
                                "01"
                                "0400"
                                "2000000000000000"
                                "0700000000000000"
                                "02000000"
                                "0800"
                                "01"
                                "14"
                                "1111111111111111111111111111111111111111111111111111111111111111";

/* Returns the bytes of a vector; freed by the caller. */
static uint8_t *bytes_of(const char *hex, size_t *bytes)
{
    uint8_t *out;

    *bytes = strlen(hex) / 2;
    out = eis_mem_new(*bytes, 1);
    assert_int_equal(eis_wire_hex_read(out, *bytes, hex, strlen(hex)), EIS_OK);
    return out;
}

static void assert_written(eis_writer *w, const char *hex)
{
    size_t bytes;
    uint8_t *expected = bytes_of(hex, &bytes);

    assert_int_equal(eis_wire_writer_status(w), EIS_OK);
    assert_int_equal(w->bytes, bytes);
    assert_memory_equal(w->data, expected, bytes);
    eis_mem_free(expected);
    eis_wire_writer_clear(w);
}

static eis_split_hello example_hello(void)
{
    static const uint8_t planes[3] = {0};
    eis_split_hello h = {.version_min = 1,
                         .version_max = 1,
                         .profile = EIS_SPLIT_P24,
                         .sharing = EIS_SPLIT_ADDITIVE,
                         .share_index = 2,
                         .payload_bytes_max = 16 << 20,
                         .model = "tiny",
                         .batch_classes = {1, 8, 32, 128},
                         .class_count = 4,
                         .planes = planes,
                         .layer_count = 3};

    for (int i = 0; i < 32; i++) h.pack_digest[i] = (uint8_t)i;
    h.token = (eis_span){(const uint8_t *)"secret-token-abc", 16};
    return h;
}

static void hello_is_its_vector(void **state)
{
    eis_split_hello h = example_hello(), back;
    eis_writer w;
    size_t bytes;
    uint8_t *payload = bytes_of(hello_hex, &bytes);

    (void)state;
    eis_wire_writer_init(&w, 1000);
    eis_split_hello_write(&w, &h);
    assert_written(&w, hello_hex);
    assert_int_equal(eis_split_hello_read(&back, payload, bytes), EIS_OK);
    assert_int_equal(back.profile, EIS_SPLIT_P24);
    assert_int_equal(back.share_index, 2);
    assert_int_equal(back.payload_bytes_max, 16 << 20);
    assert_memory_equal(back.pack_digest, h.pack_digest, 32);
    assert_string_equal(back.model, "tiny");
    assert_int_equal(back.class_count, 4);
    assert_int_equal(back.batch_classes[3], 128);
    assert_int_equal(back.layer_count, 3);
    assert_int_equal(back.token.bytes, 16);
    assert_memory_equal(back.token.data, "secret-token-abc", 16);
    eis_mem_free(payload);
}

/* Reads HELLO with one byte set; on error nothing may be left in the struct. */
static eis_status read_changed(size_t at, uint8_t value, size_t cut)
{
    eis_split_hello back;
    size_t bytes;
    uint8_t *payload = bytes_of(hello_hex, &bytes);
    eis_status st;

    payload[at] = value;
    st = eis_split_hello_read(&back, payload, bytes - cut);
    if (st != EIS_OK) assert_true(back.profile == 0 && back.planes == NULL && back.token.data == NULL);
    eis_mem_free(payload);
    return st;
}

static void malformed_hellos_are_refused(void **state)
{
    (void)state;
    for (size_t cut = 1; cut <= 89; cut++) assert_int_equal(read_changed(0, 1, cut), EIS_ERR_PARSE);
    assert_int_equal(read_changed(0, 2, 0), EIS_ERR_VERSION); /* from 2 */
    assert_int_equal(read_changed(2, 0, 0), EIS_ERR_VERSION); /* to 0 */
    assert_int_equal(read_changed(2, 9, 0), EIS_OK);          /* 1 to 9: version 1 is ours */
    assert_int_equal(read_changed(0, 0, 0), EIS_ERR_PARSE);   /* from 0 */
    assert_int_equal(read_changed(4, 5, 0), EIS_ERR_UNSUPPORTED);
    assert_int_equal(read_changed(4, 0, 0), EIS_ERR_UNSUPPORTED);
    assert_int_equal(read_changed(4, 2, 0), EIS_ERR_PARSE); /* P8 without planes */
    assert_int_equal(read_changed(5, 3, 0), EIS_ERR_UNSUPPORTED);
    assert_int_equal(read_changed(6, 0, 0), EIS_ERR_PARSE);     /* share 0 would be the secret */
    assert_int_equal(read_changed(11, 0, 0), EIS_ERR_PARSE);    /* no reply fits */
    assert_int_equal(read_changed(48, 0xff, 0), EIS_ERR_PARSE); /* model name's length */
    assert_int_equal(read_changed(50, 0x1b, 0), EIS_ERR_PARSE); /* a control character in it */
    assert_int_equal(read_changed(54, 17, 0), EIS_ERR_PARSE);   /* classes */
    assert_int_equal(read_changed(56, 8, 0), EIS_ERR_PARSE);    /* 8, 8 do not rise */
    assert_int_equal(read_changed(56, 0, 0), EIS_ERR_PARSE);
    assert_int_equal(read_changed(67, 1, 0), EIS_ERR_PARSE);    /* 16 million layers */
    assert_int_equal(read_changed(68, 4, 0), EIS_ERR_PARSE);    /* planes outside of P8 */
    assert_int_equal(read_changed(72, 0x11, 0), EIS_ERR_PARSE); /* token's length */
}

static void a_wrong_hello_is_not_written(void **state)
{
    static const uint8_t planes[2] = {4, 9};
    eis_split_hello h = example_hello();
    eis_writer w;

    (void)state;
    eis_wire_writer_init(&w, 10000);
    h.profile = EIS_SPLIT_P8;
    h.planes = planes;
    h.layer_count = 2;
    eis_split_hello_write(&w, &h);
    assert_int_equal(eis_wire_writer_status(&w), EIS_ERR_PARSE);
    eis_wire_writer_rewind(&w);
    h.layer_count = 1;
    eis_split_hello_write(&w, &h);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    eis_wire_writer_rewind(&w);
    h.token.bytes = EIS_SPLIT_TOKEN_BYTES_MAX + 1;
    eis_split_hello_write(&w, &h);
    assert_int_equal(eis_wire_writer_status(&w), EIS_ERR_PARSE);
    eis_wire_writer_clear(&w);
}

static void the_answer_is_its_vector_and_repeats_the_question(void **state)
{
    eis_split_hello h = example_hello();
    eis_split_hello_ack a = {.version = 1, .profile = EIS_SPLIT_P24, .payload_bytes_max = 1 << 20, .layer_count = 3}, b;
    size_t bytes;
    uint8_t *payload = bytes_of(ack_hex, &bytes);
    eis_writer w;

    (void)state;
    memcpy(a.pack_digest, h.pack_digest, 32);
    eis_wire_writer_init(&w, 1000);
    eis_split_hello_ack_write(&w, &a);
    assert_written(&w, ack_hex);
    assert_int_equal(eis_split_hello_ack_read(&b, payload, bytes), EIS_OK);
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_OK);
    b.version = 2;
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_ERR_PROTOCOL);
    b = a, b.profile = EIS_SPLIT_P8;
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_ERR_PROTOCOL);
    b = a, b.pack_digest[31] ^= 1;
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_ERR_DIGEST);
    b = a, b.layer_count = 4;
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_ERR_PROTOCOL);
    b = a, b.payload_bytes_max = h.payload_bytes_max + 1;
    assert_int_equal(eis_split_hello_ack_check(&b, &h), EIS_ERR_PROTOCOL);
    payload[3] = 1;
    assert_int_equal(eis_split_hello_ack_read(&b, payload, bytes), EIS_ERR_PARSE);
    payload[3] = 0;
    assert_int_equal(eis_split_hello_ack_read(&b, payload, bytes - 1), EIS_ERR_PARSE);
    eis_mem_free(payload);
}

static void a_whole_seed_frame_is_its_vector(void **state)
{
    eis_frame_header h = {.protocol = 1,
                          .type = EIS_SPLIT_EVAL_SEED,
                          .payload_bytes = 32,
                          .request_id = 7,
                          .layer = 2,
                          .batch = 8,
                          .suite = EIS_SPLIT_SUITE_AES128,
                          .truncated_bits = 20};
    uint8_t header[EIS_FRAME_HEADER_BYTES], seed[32];
    const uint8_t *back = NULL;
    eis_writer w;

    (void)state;
    memset(seed, 0x11, sizeof seed);
    eis_wire_writer_init(&w, 100);
    eis_wire_frame_write(header, &h);
    eis_wire_writer_bytes(&w, header, sizeof header);
    eis_wire_writer_bytes(&w, seed, sizeof seed);
    assert_written(&w, frame_hex);
    assert_int_equal(eis_split_eval_seed_read(&back, &h, seed, 32), EIS_OK);
    assert_ptr_equal(back, seed);
    assert_int_equal(eis_split_eval_seed_read(&back, &h, seed, 31), EIS_ERR_PARSE);
    h.suite = EIS_SPLIT_SUITE_AES256;
    assert_int_equal(eis_split_eval_seed_read(&back, &h, seed, 32), EIS_ERR_PARSE);
    h.suite = 4;
    assert_int_equal(eis_split_eval_seed_read(&back, &h, seed, 32), EIS_ERR_UNSUPPORTED);
}

static void masks_are_their_vector(void **state)
{
    eis_frame_header h = {.type = EIS_SPLIT_MASKS, .batch = 2, .suite = EIS_SPLIT_SUITE_CHACHA20};
    uint8_t seeds[64];
    const uint8_t *back = NULL;
    size_t bytes, count = 0;
    uint8_t *payload = bytes_of(masks_hex, &bytes);
    eis_writer w;

    (void)state;
    memset(seeds, 0x11, 32);
    memset(seeds + 32, 0x22, 32);
    eis_wire_writer_init(&w, 100);
    eis_split_masks_write(&w, seeds, 2, EIS_SPLIT_SUITE_CHACHA20);
    assert_written(&w, masks_hex);
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, bytes), EIS_OK);
    assert_int_equal(count, 2);
    assert_memory_equal(back, seeds, 64);
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, bytes - 1), EIS_ERR_PARSE);
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, 3), EIS_ERR_PARSE);
    h.batch = 3;
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, bytes), EIS_ERR_PARSE);
    h.batch = 0, payload[0] = 0;
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, 4), EIS_ERR_PARSE);
    h.batch = 2, h.suite = 0, payload[0] = 2;
    assert_int_equal(eis_split_masks_read(&back, &count, &h, payload, bytes), EIS_ERR_UNSUPPORTED);
    eis_mem_free(payload);
}

static void errors_are_their_vector(void **state)
{
    eis_split_error e;
    size_t bytes;
    uint8_t *payload = bytes_of(error_hex, &bytes);
    eis_writer w;

    (void)state;
    eis_wire_writer_init(&w, 1000);
    eis_split_error_write(&w, EIS_ERR_BUSY, "later");
    assert_written(&w, error_hex);
    assert_int_equal(eis_split_error_read(&e, payload, bytes), EIS_OK);
    assert_int_equal(e.status, EIS_ERR_BUSY);
    assert_true(e.retryable);
    assert_string_equal(e.code, "QUEUE_FULL");
    assert_string_equal(e.text, "later");
    payload[3] = 'X'; /* a code that we do not know is an error of the protocol, kept for the log */
    assert_int_equal(eis_split_error_read(&e, payload, bytes), EIS_OK);
    assert_int_equal(e.status, EIS_ERR_PROTOCOL);
    payload[0] = 2;
    assert_int_equal(eis_split_error_read(&e, payload, bytes), EIS_ERR_PARSE);
    payload[0] = 0, payload[bytes - 1] = '\n';
    assert_int_equal(eis_split_error_read(&e, payload, bytes), EIS_ERR_PARSE);
    eis_mem_free(payload);
}

static void every_status_travels_and_ok_is_no_error(void **state)
{
    static const char ok[] = "\x00\x02\x00OK\x00";
    eis_split_error e;

    (void)state;
    for (unsigned st = EIS_OK + 1; st < EIS_STATUS_COUNT; st++) {
        eis_writer w;

        eis_wire_writer_init(&w, 1000);
        eis_split_error_write(&w, (eis_status)st, NULL);
        assert_int_equal(eis_split_error_read(&e, w.data, w.bytes), EIS_OK);
        assert_int_equal(e.status, st);
        assert_int_equal(e.retryable, eis_status_retryable((eis_status)st));
        eis_wire_writer_clear(&w);
    }
    assert_int_equal(eis_split_error_read(&e, ok, 7), EIS_OK);
    assert_int_equal(e.status, EIS_ERR_PROTOCOL);
}

static void long_and_foreign_texts_are_cut_or_replaced(void **state)
{
    char text[600];
    eis_split_error e;
    eis_writer w;

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text + 254, "\xc3\xa9", 2);
    text[sizeof text - 1] = '\0';
    eis_wire_writer_init(&w, 1000);
    eis_split_error_write(&w, EIS_ERR_SHAPE, text);
    assert_int_equal(eis_split_error_read(&e, w.data, w.bytes), EIS_OK);
    assert_int_equal(strlen(e.text), 254);
    eis_wire_writer_rewind(&w);
    eis_split_error_write(&w, EIS_ERR_SHAPE, "a\x1b[2J");
    assert_int_equal(eis_split_error_read(&e, w.data, w.bytes), EIS_OK);
    assert_string_equal(e.text, eis_status_text(EIS_ERR_SHAPE));
    eis_wire_writer_clear(&w);
}

static void lengths_of_words(void **state)
{
    static const struct {
        unsigned profile, planes, t;
        size_t n, batch, up, down;
    } row[] = {
        {EIS_SPLIT_P24, 0, 0, 1, 1, 7, 7},
        {EIS_SPLIT_P24, 0, 0, 2, 1, 13, 13},
        {EIS_SPLIT_P24, 0, 0, 4095, 8, 8 * (2047 * 13 + 7), 8 * (2047 * 13 + 7)},
        {EIS_SPLIT_P24, 0, 20, 3, 2, 40, 24},
        {EIS_SPLIT_P8, 4, 0, 5, 3, 96, 60},
        {EIS_SPLIT_P8, 8, 32, 5, 1, 64, 20},
        {EIS_SPLIT_P8, 5, 8, 4, 1, 20, 16},
        {EIS_SPLIT_F61_20, 0, 0, 7, 2, 112, 112},
        {EIS_SPLIT_F61_8, 0, 0, 1, 1, 8, 8},
    };
    size_t bytes = 1;

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        assert_int_equal(eis_split_words_bytes(&bytes, row[i].profile, row[i].planes, row[i].n, row[i].batch), EIS_OK);
        assert_int_equal(bytes, row[i].up);
        assert_int_equal(
            eis_split_result_bytes(&bytes, row[i].profile, row[i].planes, row[i].n, row[i].batch, row[i].t), EIS_OK);
        assert_int_equal(bytes, row[i].down);
    }
    bytes = 77;
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P8, 3, 5, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P8, 9, 5, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P24, 4, 5, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, 0, 0, 5, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P24, 0, 0, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P24, 0, 5, 0), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P8, 4, SIZE_MAX, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_F61_8, 0, SIZE_MAX / 8, 2), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_words_bytes(&bytes, EIS_SPLIT_P24, 0, SIZE_MAX, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_split_result_bytes(&bytes, EIS_SPLIT_P24, 0, 5, 1, 19), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_split_result_bytes(&bytes, EIS_SPLIT_P8, 4, 5, 1, 32), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_split_result_bytes(&bytes, EIS_SPLIT_F61_20, 0, 5, 1, 29), EIS_ERR_UNSUPPORTED);
    assert_int_equal(bytes, 77);
    assert_int_equal(eis_split_ring_bits(EIS_SPLIT_P8, 5), 40);
    assert_int_equal(eis_split_ring_bits(EIS_SPLIT_P24, 0), 52);
    assert_int_equal(eis_split_ring_bits(EIS_SPLIT_F61_8, 0), 61);
    assert_int_equal(eis_split_ring_bits(EIS_SPLIT_P24, 1), 0);
}

static void words_have_one_spelling(void **state)
{
    uint8_t words[40] = {0};

    (void)state;
    eis_store_le64(words + 8, ((uint64_t)1 << 61) - 2);
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_F61_20, 5, 1, 0), EIS_OK);
    eis_store_le64(words + 32, ((uint64_t)1 << 61) - 1);
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_F61_20, 5, 1, 0), EIS_ERR_PROTOCOL);
    eis_store_le64(words + 32, (uint64_t)1 << 63);
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_F61_8, 5, 1, 0), EIS_ERR_PROTOCOL);
    memset(words, 0xff, sizeof words);
    words[19] = words[39] = 0x0f;
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_P24, 3, 2, 0), EIS_OK);
    words[19] = 0x1f;
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_P24, 3, 2, 0), EIS_ERR_PROTOCOL);
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_P24, 3, 2, 20), EIS_OK);
    assert_int_equal(eis_split_words_check(words, EIS_SPLIT_P8, 3, 2, 0), EIS_OK);
}

static void frames_come_in_order(void **state)
{
    eis_frame_header hello = {.type = EIS_SPLIT_HELLO}, close = {.type = EIS_SPLIT_CLOSE};
    eis_frame_header eval = {.type = EIS_SPLIT_EVAL_WORDS,
                             .request_id = 5,
                             .layer = 1,
                             .batch = 1,
                             .truncated_bits = 20},
                     h;
    eis_split_order order = {0};

    (void)state;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &eval), EIS_ERR_PROTOCOL);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &hello), EIS_OK);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &hello), EIS_ERR_PROTOCOL);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &eval), EIS_OK);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &eval),
                     EIS_ERR_PROTOCOL); /* id does not rise */
    eval.request_id = 4;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &eval), EIS_ERR_PROTOCOL);
    eval.request_id = 6;
    h = eval, h.suite = 1;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h),
                     EIS_ERR_PROTOCOL); /* words have no suite */
    h = eval, h.batch = 0;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_ERR_PROTOCOL);
    h = eval, h.type = EIS_SPLIT_EVAL_SEED;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_ERR_PROTOCOL); /* a seed needs one */
    h = eval, h.type = EIS_SPLIT_MASKS, h.suite = 1;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_ERR_PROTOCOL); /* never truncated */
    for (uint16_t type = 0; type < 20; type++) {
        bool client_frame = type == EIS_SPLIT_HELLO_ACK || type == EIS_SPLIT_RESULT || type == EIS_SPLIT_ERROR;

        h = (eis_frame_header){.type = type, .request_id = 9, .batch = 1};
        if (client_frame || type == 0 || type > 9)
            assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_ERR_PROTOCOL);
    }
    h = (eis_frame_header){.type = EIS_SPLIT_PING, .request_id = 10, .payload_bytes = 1};
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_ERR_PROTOCOL);
    h.payload_bytes = 0;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &h), EIS_OK);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &close), EIS_OK);
    eval.request_id = 11;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_SERVER, &eval), EIS_ERR_PROTOCOL);
}

static void a_client_takes_replies_only(void **state)
{
    eis_frame_header ack = {.type = EIS_SPLIT_HELLO_ACK},
                     result = {.type = EIS_SPLIT_RESULT, .request_id = 9, .batch = 1};
    eis_frame_header error = {.type = EIS_SPLIT_ERROR},
                     eval = {.type = EIS_SPLIT_EVAL_WORDS, .request_id = 1, .batch = 1};
    eis_split_order order = {0};

    (void)state;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &result), EIS_ERR_PROTOCOL);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &error), EIS_OK); /* "no such model" */
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &ack), EIS_OK);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &eval), EIS_ERR_PROTOCOL);
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &result), EIS_OK);
    result.request_id = 3; /* replies may come out of order */
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &result), EIS_OK);
    result.request_id = 0;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &result), EIS_ERR_PROTOCOL);
    error.request_id = 3;
    assert_int_equal(eis_split_order_accept(&order, EIS_SPLIT_AT_CLIENT, &error), EIS_OK);
}

/* The document's code blocks, white space left out, hold the vectors above. */
static void the_document_shows_these_vectors(void **state)
{
    static const char *const vectors[] = {hello_hex, ack_hex, masks_hex, error_hex, frame_hex};
    static char path[512], text[1 << 16];
    const char *root = getenv("EIS_TEST_ROOT");
    size_t n = 0;
    FILE *file;
    int c;

    (void)state;
    if (root == NULL) {
        print_message("skipped: EIS_TEST_ROOT is not set\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/docs/wire/split.md", root);
    file = fopen(path, "r");
    assert_non_null(file);
    while ((c = fgetc(file)) != EOF && n + 1 < sizeof text)
        if (!isspace(c)) text[n++] = (char)c;
    fclose(file);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) assert_non_null(strstr(text, vectors[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_its_vector),
        cmocka_unit_test(malformed_hellos_are_refused),
        cmocka_unit_test(a_wrong_hello_is_not_written),
        cmocka_unit_test(the_answer_is_its_vector_and_repeats_the_question),
        cmocka_unit_test(a_whole_seed_frame_is_its_vector),
        cmocka_unit_test(masks_are_their_vector),
        cmocka_unit_test(errors_are_their_vector),
        cmocka_unit_test(every_status_travels_and_ok_is_no_error),
        cmocka_unit_test(long_and_foreign_texts_are_cut_or_replaced),
        cmocka_unit_test(lengths_of_words),
        cmocka_unit_test(words_have_one_spelling),
        cmocka_unit_test(frames_come_in_order),
        cmocka_unit_test(a_client_takes_replies_only),
        cmocka_unit_test(the_document_shows_these_vectors),
    };
    return cmocka_run_group_tests_name("wire/split_messages", tests, NULL, NULL);
}
