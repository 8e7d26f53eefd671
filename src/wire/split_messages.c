/* SPDX-License-Identifier: Apache-2.0 */
/* The split stream's payloads, writer and reader of each side by side: read one as the table of docs/wire/split.md. */
#include "wire/split_messages.h"

#include "base/mem.h"
#include "wire/json.h"

#include <string.h>

/* ---- HELLO ---- */

static bool planes_valid(unsigned profile, unsigned planes)
{
    return profile == EIS_SPLIT_P8 ? planes >= 4 && planes <= 8 : planes == 0;
}

/* The rules that both the writer's struct and the reader's bytes must keep. Returns what is wrong, or NULL. */
static const char *hello_fault(const eis_split_hello *h)
{
    if (h->version_min == 0 || h->version_min > h->version_max) return "the range of versions is empty";
    if (h->share_index == 0) return "share indices and points begin at 1";
    if (h->payload_bytes_max == 0) return "a reply limit of 0";
    if (h->class_count == 0 || h->class_count > EIS_SPLIT_CLASSES_MAX) return "1 to 16 batch classes are allowed";
    for (size_t i = 0; i < h->class_count; i++)
        if (h->batch_classes[i] == 0 || (i > 0 && h->batch_classes[i] <= h->batch_classes[i - 1]))
            return "batch classes must rise from 1";
    if (h->layer_count == 0 || h->layer_count > EIS_SPLIT_LAYERS_MAX) return "1 to 65536 layers are allowed";
    for (uint32_t i = 0; i < h->layer_count; i++)
        if (!planes_valid(h->profile, h->planes[i])) return "a layer's planes do not go with the profile";
    return NULL;
}

void eis_split_hello_write(eis_writer *w, const eis_split_hello *h)
{
    const char *fault = hello_fault(h);
    size_t model_bytes = strlen(h->model);

    if (fault == NULL && !eis_split_profile_valid(h->profile)) fault = "unknown profile";
    if (fault == NULL && h->token.bytes > EIS_SPLIT_TOKEN_BYTES_MAX) fault = "the token is longer than 4096 bytes";
    if (fault != NULL && w->st == EIS_OK) w->st = eis_fail(EIS_ERR_PARSE, "HELLO: %s", fault);
    if (fault != NULL) return;
    eis_wire_writer_u16(w, h->version_min);
    eis_wire_writer_u16(w, h->version_max);
    eis_wire_writer_u8(w, h->profile);
    eis_wire_writer_u8(w, h->sharing);
    eis_wire_writer_u16(w, h->share_index);
    eis_wire_writer_u64(w, h->payload_bytes_max);
    eis_wire_writer_bytes(w, h->pack_digest, EIS_SPLIT_DIGEST_BYTES);
    eis_wire_writer_string16(w, h->model, model_bytes);
    eis_wire_writer_u16(w, (uint16_t)h->class_count);
    for (size_t i = 0; i < h->class_count; i++) eis_wire_writer_u16(w, h->batch_classes[i]);
    eis_wire_writer_u32(w, h->layer_count);
    eis_wire_writer_bytes(w, h->planes, h->layer_count);
    eis_wire_writer_string16(w, h->token.data, h->token.bytes);
}

static void read_classes(eis_reader *r, eis_split_hello *h)
{
    h->class_count = eis_wire_reader_u16(r);
    if (h->class_count > EIS_SPLIT_CLASSES_MAX) {
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%zu batch classes, at most %d are allowed", h->class_count,
                             EIS_SPLIT_CLASSES_MAX);
        h->class_count = 0;
    }
    for (size_t i = 0; i < h->class_count; i++) h->batch_classes[i] = eis_wire_reader_u16(r);
}

static void read_planes(eis_reader *r, eis_split_hello *h)
{
    h->layer_count = eis_wire_reader_u32(r);
    if (h->layer_count > EIS_SPLIT_LAYERS_MAX)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%u layers, at most %d are allowed", h->layer_count,
                             EIS_SPLIT_LAYERS_MAX);
    h->planes = eis_wire_reader_bytes(r, h->layer_count);
}

eis_status eis_split_hello_read(eis_split_hello *hello, const void *payload, size_t bytes)
{
    eis_split_hello h = {0};
    const char *fault;
    eis_status st = EIS_OK;
    eis_reader r;

    *hello = (eis_split_hello){0};
    eis_wire_reader_init(&r, "HELLO", payload, bytes);
    h.version_min = eis_wire_reader_u16(&r);
    h.version_max = eis_wire_reader_u16(&r);
    EIS_TRY(eis_wire_reader_status(&r));
    /* Before the rest: another version may have another rest. */
    EIS_REQUIRE(h.version_min <= EIS_SPLIT_VERSION && EIS_SPLIT_VERSION <= h.version_max, EIS_ERR_VERSION,
                "HELLO: the client speaks versions %u to %u, we speak %d", h.version_min, h.version_max,
                EIS_SPLIT_VERSION);
    h.profile = eis_wire_reader_u8(&r);
    h.sharing = eis_wire_reader_u8(&r);
    h.share_index = eis_wire_reader_u16(&r);
    h.payload_bytes_max = eis_wire_reader_u64(&r);
    eis_wire_reader_copy(&r, h.pack_digest, EIS_SPLIT_DIGEST_BYTES);
    eis_wire_reader_text16(&r, h.model, sizeof h.model);
    read_classes(&r, &h);
    read_planes(&r, &h);
    h.token = eis_wire_reader_string16(&r, EIS_SPLIT_TOKEN_BYTES_MAX);
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_REQUIRE(eis_split_profile_valid(h.profile), EIS_ERR_UNSUPPORTED, "HELLO: unknown profile %u", h.profile);
    EIS_REQUIRE(h.sharing == EIS_SPLIT_ADDITIVE || h.sharing == EIS_SPLIT_SHAMIR, EIS_ERR_UNSUPPORTED,
                "HELLO: unknown sharing %u", h.sharing);
    fault = hello_fault(&h);
    EIS_REQUIRE(fault == NULL, EIS_ERR_PARSE, "HELLO: %s", fault);
    *hello = h;
out:
    return st;
}

/* ---- HELLO_ACK ---- */

void eis_split_hello_ack_write(eis_writer *w, const eis_split_hello_ack *ack)
{
    eis_wire_writer_u16(w, ack->version);
    eis_wire_writer_u8(w, ack->profile);
    eis_wire_writer_u8(w, 0);
    eis_wire_writer_u32(w, ack->layer_count);
    eis_wire_writer_u64(w, ack->payload_bytes_max);
    eis_wire_writer_bytes(w, ack->pack_digest, EIS_SPLIT_DIGEST_BYTES);
}

eis_status eis_split_hello_ack_read(eis_split_hello_ack *ack, const void *payload, size_t bytes)
{
    eis_split_hello_ack a = {0};
    eis_status st = EIS_OK;
    eis_reader r;

    *ack = a;
    eis_wire_reader_init(&r, "HELLO_ACK", payload, bytes);
    a.version = eis_wire_reader_u16(&r);
    a.profile = eis_wire_reader_u8(&r);
    if (eis_wire_reader_u8(&r) != 0) eis_wire_reader_fail(&r, EIS_ERR_PARSE, "a reserved byte is not zero");
    a.layer_count = eis_wire_reader_u32(&r);
    a.payload_bytes_max = eis_wire_reader_u64(&r);
    eis_wire_reader_copy(&r, a.pack_digest, EIS_SPLIT_DIGEST_BYTES);
    EIS_TRY(eis_wire_reader_end(&r));
    *ack = a;
out:
    return st;
}

eis_status eis_split_hello_ack_check(const eis_split_hello_ack *ack, const eis_split_hello *hello)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(memcmp(ack->pack_digest, hello->pack_digest, EIS_SPLIT_DIGEST_BYTES) == 0, EIS_ERR_DIGEST,
                "the server answers with another pack than was asked for");
    EIS_REQUIRE(ack->version >= hello->version_min && ack->version <= hello->version_max, EIS_ERR_PROTOCOL,
                "the server answers in version %u", ack->version);
    EIS_REQUIRE(ack->profile == hello->profile, EIS_ERR_PROTOCOL, "the server answers with profile %u, not %u",
                ack->profile, hello->profile);
    EIS_REQUIRE(ack->layer_count == hello->layer_count, EIS_ERR_PROTOCOL, "the server has %u layers, not %u",
                ack->layer_count, hello->layer_count);
    EIS_REQUIRE(ack->payload_bytes_max > 0 && ack->payload_bytes_max <= hello->payload_bytes_max, EIS_ERR_PROTOCOL,
                "the server wants frames longer than we take");
out:
    return st;
}

/* ---- EVAL_SEED and MASKS ---- */

static eis_status seeds_read(const uint8_t **seeds, const char *what, unsigned suite, size_t count, const void *payload,
                             size_t bytes)
{
    size_t seed_bytes = eis_split_seed_bytes(suite);

    if (seed_bytes == 0) return eis_fail(EIS_ERR_UNSUPPORTED, "%s: unknown suite %u", what, suite);
    if (bytes != count * seed_bytes)
        return eis_fail(EIS_ERR_PARSE, "%s: %zu bytes for %zu seeds of %zu", what, bytes, count, seed_bytes);
    *seeds = payload;
    return EIS_OK;
}

eis_status eis_split_eval_seed_read(const uint8_t **seed, const eis_frame_header *header, const void *payload,
                                    size_t bytes)
{
    return seeds_read(seed, "EVAL_SEED", header->suite, 1, payload, bytes);
}

void eis_split_masks_write(eis_writer *w, const uint8_t *seeds, size_t count, unsigned suite)
{
    EIS_ASSERT(count >= 1 && count <= UINT16_MAX && eis_split_seed_bytes(suite) > 0);
    eis_wire_writer_u32(w, (uint32_t)count);
    eis_wire_writer_bytes(w, seeds, count * eis_split_seed_bytes(suite));
}

eis_status eis_split_masks_read(const uint8_t **seeds, size_t *count, const eis_frame_header *header,
                                const void *payload, size_t bytes)
{
    const uint8_t *rest;
    uint32_t n;
    eis_status st = EIS_OK;
    eis_reader r;

    eis_wire_reader_init(&r, "MASKS", payload, bytes);
    n = eis_wire_reader_u32(&r);
    if (n == 0 || n != header->batch)
        eis_wire_reader_fail(&r, EIS_ERR_PARSE, "%u seeds in a frame of batch %u", n, header->batch);
    EIS_TRY(eis_wire_reader_status(&r));
    bytes = eis_wire_reader_remaining(&r);
    rest = eis_wire_reader_bytes(&r, bytes);
    EIS_TRY(seeds_read(seeds, "MASKS", header->suite, n, rest, bytes));
    *count = n;
out:
    return st;
}

/* ---- ERROR ---- */

/* Cuts a text so that its last character stays whole. */
static size_t cut_text(const char *text, size_t bytes_max)
{
    size_t bytes = strlen(text);

    if (bytes <= bytes_max) return bytes;
    for (bytes = bytes_max; bytes > 0 && ((uint8_t)text[bytes] & 0xc0) == 0x80;) bytes--;
    return bytes;
}

void eis_split_error_write(eis_writer *w, eis_status status, const char *text)
{
    const char *code = eis_status_code(status);
    eis_split_error dummy;
    size_t bytes, start = w->bytes;

    EIS_ASSERT(status != EIS_OK);
    if (text == NULL) text = eis_status_text(status);
    bytes = cut_text(text, EIS_SPLIT_ERROR_TEXT_BYTES_MAX);
    eis_wire_writer_u8(w, eis_status_retryable(status) ? 1 : 0);
    eis_wire_writer_string16(w, code, strlen(code));
    eis_wire_writer_string16(w, text, bytes);
    if (w->st != EIS_OK || eis_split_error_read(&dummy, w->data + start, w->bytes - start) == EIS_OK) return;
    /* A text that we would not take ourselves (a detail that quotes foreign bytes) is replaced by the list's own. */
    w->bytes = start;
    if (text != eis_status_text(status)) eis_split_error_write(w, status, NULL);
}

eis_status eis_split_error_read(eis_split_error *error, const void *payload, size_t bytes)
{
    eis_split_error e = {0};
    eis_status st = EIS_OK;
    uint8_t flag;
    eis_reader r;

    *error = e;
    eis_wire_reader_init(&r, "ERROR", payload, bytes);
    flag = eis_wire_reader_u8(&r);
    if (flag > 1) eis_wire_reader_fail(&r, EIS_ERR_PARSE, "a flag that is neither 0 nor 1");
    e.retryable = flag != 0;
    eis_wire_reader_text16(&r, e.code, sizeof e.code);
    eis_wire_reader_text16(&r, e.text, sizeof e.text);
    EIS_TRY(eis_wire_reader_end(&r));
    e.status = eis_status_from_code(e.code);
    if (e.status == EIS_OK) e.status = EIS_ERR_PROTOCOL;
    *error = e;
out:
    return st;
}
