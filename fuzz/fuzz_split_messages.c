/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of the split stream: a frame header, then its payload. What is taken is written again as it was. */
#include "wire/split_messages.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_same(const eis_writer *w, const uint8_t *payload, size_t bytes)
{
    EIS_ASSERT(eis_wire_writer_status(w) == EIS_OK && w->bytes == bytes && memcmp(w->data, payload, bytes) == 0);
}

static void try_greetings(eis_writer *w, unsigned type, const uint8_t *payload, size_t bytes)
{
    eis_split_hello hello;
    eis_split_hello_ack ack;

    if (type == EIS_SPLIT_HELLO && eis_split_hello_read(&hello, payload, bytes) == EIS_OK) {
        eis_split_hello_write(w, &hello);
        assert_same(w, payload, bytes);
    }
    if (type == EIS_SPLIT_HELLO_ACK && eis_split_hello_ack_read(&ack, payload, bytes) == EIS_OK) {
        eis_split_hello_ack_write(w, &ack);
        assert_same(w, payload, bytes);
    }
}

static void try_requests(eis_writer *w, const eis_frame_header *h, const uint8_t *payload, size_t bytes)
{
    const uint8_t *seeds;
    size_t count, expected;

    if (h->type == EIS_SPLIT_EVAL_SEED && eis_split_eval_seed_read(&seeds, h, payload, bytes) == EIS_OK)
        EIS_ASSERT(seeds == payload && bytes == eis_split_seed_bytes(h->suite));
    if (h->type == EIS_SPLIT_MASKS && eis_split_masks_read(&seeds, &count, h, payload, bytes) == EIS_OK) {
        eis_split_masks_write(w, seeds, count, h->suite);
        assert_same(w, payload, bytes);
    }
    /* As a server does: profile and planes of the session (here from the id), the length from the header. */
    if (h->type == EIS_SPLIT_EVAL_WORDS && h->batch > 0 && h->layer > 0 &&
        eis_split_words_bytes(&expected, h->request_id & 7, h->request_id >> 3 & 15, h->layer, h->batch) == EIS_OK &&
        expected == bytes)
        (void)eis_split_words_check(payload, h->request_id & 7, h->layer, h->batch, 0);
}

static void try_error(eis_writer *w, const uint8_t *payload, size_t bytes)
{
    eis_split_error error, again;

    if (eis_split_error_read(&error, payload, bytes) != EIS_OK) return;
    EIS_ASSERT(error.status != EIS_OK);
    eis_split_error_write(w, error.status, error.text);
    EIS_ASSERT(eis_split_error_read(&again, w->data, w->bytes) == EIS_OK && again.status == error.status);
    EIS_ASSERT(strcmp(again.text, error.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *payload = data + EIS_FRAME_HEADER_BYTES;
    eis_split_order at_server = {0}, at_client = {.greeted = true};
    eis_frame_header h;
    eis_writer w;

    if (size < EIS_FRAME_HEADER_BYTES) return 0;
    if (eis_wire_frame_read(&h, data, EIS_FRAME_PROTOCOL_SPLIT, UINT32_MAX) != EIS_OK) return 0;
    size -= EIS_FRAME_HEADER_BYTES;
    (void)eis_split_order_accept(&at_server, EIS_SPLIT_AT_SERVER, &h);
    (void)eis_split_order_accept(&at_client, EIS_SPLIT_AT_CLIENT, &h);
    eis_wire_writer_init(&w, 1 << 20);
    try_greetings(&w, h.type, payload, size);
    try_requests(&w, &h, payload, size);
    if (h.type == EIS_SPLIT_ERROR) try_error(&w, payload, size);
    eis_wire_writer_clear(&w);
    return 0;
}
