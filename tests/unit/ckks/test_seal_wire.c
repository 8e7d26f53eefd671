/* SPDX-License-Identifier: Apache-2.0 */
/* The container is the first thing that a stranger's bytes meet: a size that is believed, or a stream that is
 * decompressed without bound, would take the server down before any cryptography has begun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ckks/seal_wire.h"

#include <zlib.h>
#include <zstd.h>

#define WORDS      1000u
#define BODY_BYTES (EIS_SEAL_ARRAY_BYTES + 8 * WORDS)
#define MAX_BYTES  (EIS_SEAL_HEADER_BYTES + BODY_BYTES)

/* An object whose body is one array of words that compress well. */
static void write_object(eis_writer *w, eis_seal_style style)
{
    uint64_t words[WORDS];

    for (size_t i = 0; i < WORDS; i++) words[i] = i * i;
    eis_wire_writer_init(w, 1 << 20);
    size_t begin = eis_seal_begin(w, style.form);
    eis_seal_array_write(w, style.form, words, WORDS);
    eis_seal_end_as(w, begin, style.mode);
    assert_int_equal(eis_wire_writer_status(w), EIS_OK);
}

static eis_status read_object(const uint8_t *data, size_t bytes)
{
    eis_seal_object object;
    eis_status st = eis_seal_object_open(&object, "object", data, bytes, MAX_BYTES);
    uint64_t count;
    const uint8_t *words;

    if (st != EIS_OK) {
        assert_null(object.inflated);
        return st;
    }
    words = eis_seal_array_open(&object.body, &object, &count);
    st = eis_seal_object_end(&object);
    if (st == EIS_OK) {
        assert_int_equal(count, WORDS);
        for (size_t i = 0; i < WORDS; i++) assert_true(eis_load_le64(words + 8 * i) == i * i);
    }
    eis_seal_object_close(&object);
    return st;
}

static void every_mode_and_form_is_read_back(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2; form++)
        for (unsigned mode = 0; mode < 3; mode++) {
            eis_seal_style style = {(eis_seal_form)form, (eis_seal_mode)mode};
            eis_writer w;

            write_object(&w, style);
            assert_true(eis_load_le64(w.data + 8) == w.bytes);
            assert_int_equal(w.data[3], form == EIS_SEAL_FORM_UNIVERSAL ? 3 : 4);
            assert_int_equal(w.data[5], mode);
            if (mode == EIS_SEAL_NONE) assert_int_equal(w.bytes, MAX_BYTES);
            if (mode == EIS_SEAL_ZLIB) assert_memory_equal(w.data + 16, "\x78\x9c", 2);
            if (mode == EIS_SEAL_ZSTD) assert_memory_equal(w.data + 16, "\x28\xb5\x2f\xfd", 4);
            assert_int_equal(read_object(w.data, w.bytes), EIS_OK);
            for (size_t cut = 0; cut < w.bytes; cut++) {
                uint8_t *part = eis_mem_new(cut, 1);

                memcpy(part, w.data, cut);
                assert_int_equal(read_object(part, cut), EIS_ERR_CIPHERTEXT);
                if (cut >= EIS_SEAL_HEADER_BYTES) { /* and with a header that knows of the cut */
                    eis_store_le64(part + 8, cut);
                    assert_int_equal(read_object(part, cut), EIS_ERR_CIPHERTEXT);
                }
                eis_mem_free(part);
            }
            eis_wire_writer_u8(&w, 0); /* a trailing byte, outside the size and then inside it */
            assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
            eis_store_le64(w.data + 8, w.bytes);
            assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
            eis_wire_writer_clear(&w);
        }
}

static void every_field_of_every_header_is_checked(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        {0, 0x5f}, {1, 0xa0}, {2, 0x11}, {2, 0x0f}, {3, 2}, {3, 5},    {3, 0},     {4, 5},
        {4, 255},  {5, 3},    {5, 255},  {6, 1},    {7, 1}, {8, 0xff}, {15, 0x80}, {10, 0xff},
    };
    eis_writer w;

    (void)state;
    write_object(&w, (eis_seal_style){0});
    for (size_t nested = 0; nested < 2; nested++)
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            size_t at = 16 * nested + bad[i].at;
            uint8_t was = w.data[at];

            w.data[at] = bad[i].value;
            assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
            w.data[at] = was;
        }
    for (uint64_t size = 0; size < 16; size++) { /* below its own header */
        eis_store_le64(w.data + 8, size);
        assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
    }
    eis_store_le64(w.data + 8, w.bytes);
    static const uint64_t sizes[] = {
        0, 15, 16, BODY_BYTES - 1, BODY_BYTES + 1, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 15};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        eis_store_le64(w.data + 16 + 8, sizes[i]);
        assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
    }
    eis_store_le64(w.data + 16 + 8, BODY_BYTES);
    static const uint64_t counts[] = {0, WORDS - 1, WORDS + 1, (uint64_t)1 << 61, UINT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        eis_store_le64(w.data + 32, counts[i]);
        assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
    }
    eis_store_le64(w.data + 32, WORDS);
    w.data[16 + 4] = 4; /* the inner version alone */
    assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
    w.data[4] = 4; /* both: SEAL 4.4 */
    assert_int_equal(read_object(w.data, w.bytes), EIS_OK);
    w.data[16 + 5] = EIS_SEAL_ZSTD;
    assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_CIPHERTEXT);
    eis_wire_writer_clear(&w);
}

/* Puts a body of our making behind a header and reads it. */
static eis_status read_packed(eis_seal_mode mode, const void *body, size_t bytes)
{
    uint8_t *data = eis_mem_new(EIS_SEAL_HEADER_BYTES + bytes, 1);
    eis_status st;

    memcpy(data, "\x5e\xa1\x10\x04\x01\x00\x00\x00", 8);
    data[5] = (uint8_t)mode;
    eis_store_le64(data + 8, EIS_SEAL_HEADER_BYTES + bytes);
    memcpy(data + EIS_SEAL_HEADER_BYTES, body, bytes);
    st = read_object(data, EIS_SEAL_HEADER_BYTES + bytes);
    eis_mem_free(data);
    return st;
}

static size_t zstd_of(uint8_t *to, size_t room, const void *data, size_t bytes, int window_log)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    size_t written;

    ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
    if (window_log) ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log);
    ZSTD_outBuffer out = {to, room, 0};
    ZSTD_inBuffer in = {data, bytes, 0};
    while (in.pos < bytes)
        ZSTD_compressStream2(z, &out, &in, ZSTD_e_continue); /* it does not know how much will come */
    while (ZSTD_compressStream2(z, &out, &in, ZSTD_e_end) != 0) {}
    written = out.pos;
    ZSTD_freeCCtx(z);
    return written;
}

static void bombs_and_foreign_frames_are_refused(void **state)
{
    enum { BOMB_BYTES = 64 << 20, ROOM = 1 << 20 };
    uint8_t *bomb = eis_mem_new(BOMB_BYTES, 1), *packed = eis_mem_new(ROOM, 1);
    eis_writer plain;
    uLongf deflated = ROOM;
    size_t bytes;

    (void)state;
    write_object(&plain, (eis_seal_style){0});
    const uint8_t *body = plain.data + EIS_SEAL_HEADER_BYTES;
    bytes = zstd_of(packed, ROOM, bomb, BOMB_BYTES, 0);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes), EIS_ERR_CIPHERTEXT);
    assert_int_equal(compress2(packed, &deflated, bomb, BOMB_BYTES, 9), Z_OK);
    assert_int_equal(read_packed(EIS_SEAL_ZLIB, packed, deflated), EIS_ERR_CIPHERTEXT);

    /* A frame without a declared size is as good as one with it; one byte more than planned is not. */
    bytes = zstd_of(packed, ROOM, body, BODY_BYTES, 0);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes), EIS_OK);
    memcpy(bomb, body, BODY_BYTES);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, zstd_of(packed, ROOM, bomb, BODY_BYTES + 1, 0)),
                     EIS_ERR_CIPHERTEXT);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, zstd_of(packed, ROOM, body, BODY_BYTES, 23)), EIS_OK);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, zstd_of(packed, ROOM, body, BODY_BYTES, 24)),
                     EIS_ERR_CIPHERTEXT);

    /* Two frames, a skippable frame before and behind, a dictionary id, a declared size unlike the real one. */
    bytes = ZSTD_compress(packed, ROOM, body, BODY_BYTES, 3);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes), EIS_OK);
    memcpy(packed + bytes, packed, bytes);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, 2 * bytes), EIS_ERR_CIPHERTEXT);
    memcpy(packed + bytes, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes + 8), EIS_ERR_CIPHERTEXT);
    memmove(packed + 8, packed, bytes);
    memcpy(packed, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes + 8), EIS_ERR_CIPHERTEXT);
    bytes = ZSTD_compress(packed, ROOM, body, BODY_BYTES, 3);
    packed[5]++; /* low byte of the declared size */
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes), EIS_ERR_CIPHERTEXT);
    packed[5]--;
    packed[4] |= 1;
    assert_int_equal(read_packed(EIS_SEAL_ZSTD, packed, bytes), EIS_ERR_CIPHERTEXT);

    /* zlib: gzip, raw, a preset dictionary, bytes behind. */
    static const struct {
        int window;
        const char *dictionary;
    } kinds[] = {{15, NULL}, {15 + 16, NULL}, {-15, NULL}, {15, "preset"}};
    for (size_t i = 0; i < 4; i++) {
        z_stream z = {0};

        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, kinds[i].window, 8, Z_DEFAULT_STRATEGY), Z_OK);
        if (kinds[i].dictionary) deflateSetDictionary(&z, (const Bytef *)kinds[i].dictionary, 6);
        z.next_in = (z_const Bytef *)(uintptr_t)body;
        z.avail_in = BODY_BYTES;
        z.next_out = packed;
        z.avail_out = ROOM;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        bytes = z.total_out;
        deflateEnd(&z);
        assert_int_equal(read_packed(EIS_SEAL_ZLIB, packed, bytes), i == 0 ? EIS_OK : EIS_ERR_CIPHERTEXT);
        packed[bytes] = 0;
        assert_int_equal(read_packed(EIS_SEAL_ZLIB, packed, bytes + 1), EIS_ERR_CIPHERTEXT);
    }
    eis_wire_writer_clear(&plain);
    eis_mem_free(bomb);
    eis_mem_free(packed);
}

static void no_memory_is_an_error_and_not_a_crash(void **state)
{
    eis_writer w;

    (void)state;
    write_object(&w, (eis_seal_style){.mode = EIS_SEAL_ZSTD});
    eis_mem_fail_at(1);
    assert_int_equal(read_object(w.data, w.bytes), EIS_ERR_MEMORY);
    eis_mem_fail_at(0);
    eis_wire_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_and_form_is_read_back),
        cmocka_unit_test(every_field_of_every_header_is_checked),
        cmocka_unit_test(bombs_and_foreign_frames_are_refused),
        cmocka_unit_test(no_memory_is_an_error_and_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
