/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, nesting and compression of SEAL objects. A body is decompressed into memory that grows with what really
 * comes out, up to the caller's bound; the sizes that streams claim about themselves are never used to allocate. */
#include "ckks/seal_wire.h"

#include "base/mem.h"

#include <zlib.h>
#include <zstd.h>

#define MAGIC            0xa15eu
#define ZLIB_LEVEL       6
#define ZSTD_LEVEL       1 /* words of a prime are noise: level 3 takes three times as long for 0.3 % */
#define ZSTD_MAGIC       0xfd2fb528u
#define WINDOW_LOG_MAX   23 /* log2 of EIS_SEAL_WINDOW_BYTES */
#define GROWTH_BYTES_MIN ((size_t)64 << 10)

eis_status eis_seal_status(eis_status st) { return st == EIS_ERR_PARSE ? EIS_ERR_CIPHERTEXT : st; }

eis_seal_form eis_seal_object_form(const eis_seal_object *object)
{
    bool reads_4_1 = object->major == 4 && (object->minor == 1 || object->minor == 4);
    return reads_4_1 ? EIS_SEAL_FORM_4_1 : EIS_SEAL_FORM_UNIVERSAL;
}

/* ---- Headers ---------------------------------------------------------------------------------------------------- */

typedef struct header {
    uint8_t major, minor, mode;
    uint64_t size;
} header;

static bool version_is_readable(uint8_t major, uint8_t minor)
{
    return (major == 3 && minor >= 4 && minor <= 7) || (major == 4 && minor <= 4);
}

static void read_header(header *h, eis_reader *r)
{
    uint16_t magic = eis_wire_reader_u16(r);
    uint8_t header_bytes = eis_wire_reader_u8(r);

    h->major = eis_wire_reader_u8(r);
    h->minor = eis_wire_reader_u8(r);
    h->mode = eis_wire_reader_u8(r);
    uint16_t reserved = eis_wire_reader_u16(r);
    h->size = eis_wire_reader_u64(r);
    if (magic != MAGIC || header_bytes != EIS_SEAL_HEADER_BYTES || reserved != 0)
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "not the header of a SEAL object");
    if (!version_is_readable(h->major, h->minor))
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "version %u.%u is not one that we read", h->major, h->minor);
    if (h->mode > EIS_SEAL_ZSTD) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "unknown compression %u", h->mode);
    if (h->size < EIS_SEAL_HEADER_BYTES) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a size below its header");
}

void eis_seal_nested(eis_reader *inner, eis_reader *r, const eis_seal_object *object)
{
    header h = {0};
    const uint8_t *data = NULL;
    size_t bytes = 0;

    read_header(&h, r);
    if (h.major != object->major || h.minor != object->minor)
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a nested version unlike the outer one");
    if (h.mode != EIS_SEAL_NONE) eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a nested object is compressed");
    if (h.size > (uint64_t)eis_wire_reader_remaining(r) + EIS_SEAL_HEADER_BYTES)
        eis_wire_reader_fail(r, EIS_ERR_CIPHERTEXT, "a nested size beyond its parent");
    if (eis_wire_reader_status(r) == EIS_OK) {
        bytes = (size_t)h.size - EIS_SEAL_HEADER_BYTES;
        data = eis_wire_reader_bytes(r, bytes);
    }
    eis_wire_reader_init(inner, r->what, data, bytes);
    inner->st = r->st;
}

void eis_seal_nested_end(eis_reader *parent, eis_reader *inner)
{
    eis_status st = eis_seal_status(eis_wire_reader_end(inner));

    if (st != EIS_OK && parent->st == EIS_OK) parent->st = st; /* the detail text is already set */
}

/* ---- Decompression ---------------------------------------------------------------------------------------------- */

/* Memory that grows up to a bound. */
typedef struct sink {
    uint8_t *data;
    size_t bytes, capacity, bytes_max;
} sink;

/* Makes room for at least one byte beyond s->bytes; at the bound there is none. */
static eis_status sink_grow(sink *s)
{
    size_t more = s->capacity < GROWTH_BYTES_MIN ? GROWTH_BYTES_MIN : s->capacity;
    eis_status st = EIS_OK;

    if (s->bytes < s->capacity) return EIS_OK;
    if (more > s->bytes_max - s->capacity) more = s->bytes_max - s->capacity;
    EIS_REQUIRE(more > 0, EIS_ERR_CIPHERTEXT, "an object decompresses beyond the size that its parameters imply");
    EIS_TRY(eis_mem_resize(&s->data, s->capacity, s->capacity + more, 1));
    s->capacity += more;
out:
    return st;
}

static unsigned chunk_of(size_t bytes) { return bytes > 1u << 30 ? 1u << 30 : (unsigned)bytes; }

static eis_status inflate_all(sink *out, z_stream *z, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t at = 0;
    int code = Z_OK;
    uint8_t nothing;

    while (code != Z_STREAM_END) {
        unsigned offered = chunk_of(bytes - at);
        bool full = out->bytes == out->bytes_max; /* then only the end of the stream may still come */

        if (!full) EIS_TRY(sink_grow(out));
        unsigned room = full ? 0 : chunk_of(out->capacity - out->bytes);
        z->next_in = (z_const Bytef *)(uintptr_t)(data + at);
        z->avail_in = offered;
        z->next_out = full ? &nothing : out->data + out->bytes;
        z->avail_out = room;
        code = inflate(z, Z_NO_FLUSH);
        EIS_REQUIRE(code != Z_MEM_ERROR, EIS_ERR_MEMORY, "no memory to decompress");
        EIS_REQUIRE(code == Z_OK || code == Z_STREAM_END, EIS_ERR_CIPHERTEXT,
                    full ? "an object decompresses beyond the size that its parameters imply"
                         : "a damaged zlib stream");
        at += offered - z->avail_in;
        out->bytes += room - z->avail_out;
    }
    EIS_REQUIRE(at == bytes, EIS_ERR_CIPHERTEXT, "bytes behind the zlib stream");
out:
    return st;
}

static eis_status decompress_zlib(sink *out, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    z_stream z = {0};

    if (inflateInit(&z) != Z_OK) return EIS_ERR_MEMORY; /* zlib streams alone: neither gzip nor raw */
    st = inflate_all(out, &z, data, bytes);
    inflateEnd(&z);
    return st;
}

static eis_status unzstd_all(sink *out, ZSTD_DCtx *z, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    ZSTD_inBuffer in = {data, bytes, 0};
    uint8_t nothing;
    size_t left = 1;

    while (left != 0) {
        bool full = out->bytes == out->bytes_max;

        if (!full) EIS_TRY(sink_grow(out));
        ZSTD_outBuffer to = {full ? &nothing : out->data, full ? 0 : out->capacity, full ? 0 : out->bytes};
        size_t in_before = in.pos, out_before = to.pos;
        left = ZSTD_decompressStream(z, &to, &in);
        EIS_REQUIRE(!ZSTD_isError(left), EIS_ERR_CIPHERTEXT, "a damaged zstd frame, or one that asks for too much");
        if (!full) out->bytes = to.pos;
        EIS_REQUIRE(left == 0 || in.pos != in_before || to.pos != out_before, EIS_ERR_CIPHERTEXT,
                    full ? "an object decompresses beyond the size that its parameters imply" : "a cut zstd frame");
    }
    EIS_REQUIRE(in.pos == bytes, EIS_ERR_CIPHERTEXT, "bytes behind the zstd frame");
out:
    return st;
}

/* Checks the head of the frame, because the library also takes skippable frames, old formats, and where it sees the
 * whole output at once any window. RFC 8878, section 3.1.1.1. */
static eis_status check_frame_head(const uint8_t *data, size_t bytes)
{
    static const size_t content_bytes_of[4] = {0, 2, 4, 8};
    eis_reader r;
    uint64_t window = 0;
    uint8_t field[8] = {0};

    eis_wire_reader_init(&r, "zstd frame", data, bytes);
    if (eis_wire_reader_u32(&r) != ZSTD_MAGIC) eis_wire_reader_fail(&r, EIS_ERR_CIPHERTEXT, "not an ordinary frame");
    uint8_t descriptor = eis_wire_reader_u8(&r);
    bool single_segment = descriptor & 0x20;
    size_t content_bytes = content_bytes_of[descriptor >> 6];

    if (descriptor & 3) eis_wire_reader_fail(&r, EIS_ERR_CIPHERTEXT, "it asks for a dictionary");
    if (single_segment) { /* the window is the content */
        if (content_bytes == 0) content_bytes = 1;
        eis_wire_reader_copy(&r, field, content_bytes);
        window = eis_load_le64(field) + (content_bytes == 2 ? 256 : 0);
    } else {
        uint8_t w = eis_wire_reader_u8(&r);
        window = ((uint64_t)1 << (10 + (w >> 3))) / 8 * (8 + (w & 7));
    }
    if (window > EIS_SEAL_WINDOW_BYTES) eis_wire_reader_fail(&r, EIS_ERR_CIPHERTEXT, "its window is too large");
    return eis_seal_status(eis_wire_reader_status(&r));
}

static eis_status decompress_zstd(sink *out, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    ZSTD_DCtx *z = NULL;

    EIS_TRY(check_frame_head(data, bytes));
    z = ZSTD_createDCtx();
    if (z == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(unzstd_all(out, z, data, bytes));
out:
    ZSTD_freeDCtx(z);
    return st;
}

/* ---- Objects ---------------------------------------------------------------------------------------------------- */

eis_status eis_seal_object_open(eis_seal_object *object, const char *what, const void *data, size_t bytes,
                                size_t object_bytes_max)
{
    eis_status st = EIS_OK;
    eis_reader r;
    header h = {0};
    sink out = {.bytes_max = object_bytes_max - EIS_SEAL_HEADER_BYTES};
    const uint8_t *body;

    EIS_ASSERT(object_bytes_max > EIS_SEAL_HEADER_BYTES && object_bytes_max <= EIS_SEAL_OBJECT_BYTES_MAX);
    *object = (eis_seal_object){0};
    eis_wire_reader_init(&r, what, data, bytes);
    read_header(&h, &r);
    if (h.size != bytes)
        eis_wire_reader_fail(&r, EIS_ERR_CIPHERTEXT, "the header's size is not the %zu bytes that came", bytes);
    EIS_TRY(eis_wire_reader_status(&r));
    body = (const uint8_t *)data + EIS_SEAL_HEADER_BYTES;
    bytes -= EIS_SEAL_HEADER_BYTES;
    if (h.mode == EIS_SEAL_ZLIB) EIS_TRY(decompress_zlib(&out, body, bytes));
    if (h.mode == EIS_SEAL_ZSTD) EIS_TRY(decompress_zstd(&out, body, bytes));
    if (h.mode != EIS_SEAL_NONE) {
        body = out.data;
        bytes = out.bytes;
    }
    *object = (eis_seal_object){.major = h.major,
                                .minor = h.minor,
                                .mode = (eis_seal_mode)h.mode,
                                .inflated = out.data,
                                .inflated_bytes = out.capacity};
    out.data = NULL;
    eis_wire_reader_init(&object->body, what, body, bytes);
out:
    eis_mem_free_wiped(out.data, out.capacity, 1);
    return eis_seal_status(st);
}

eis_status eis_seal_object_end(eis_seal_object *object) { return eis_seal_status(eis_wire_reader_end(&object->body)); }

void eis_seal_object_close(eis_seal_object *object)
{
    eis_mem_free_wiped(object->inflated, object->inflated_bytes, 1);
    *object = (eis_seal_object){0};
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

size_t eis_seal_begin(eis_writer *w, eis_seal_form form)
{
    size_t begin = w->bytes;
    bool universal = form == EIS_SEAL_FORM_UNIVERSAL;

    eis_wire_writer_u16(w, MAGIC);
    eis_wire_writer_u8(w, EIS_SEAL_HEADER_BYTES);
    eis_wire_writer_u8(w, universal ? 3 : 4);
    eis_wire_writer_u8(w, universal ? 6 : 1);
    eis_wire_writer_u8(w, EIS_SEAL_NONE);
    eis_wire_writer_zeros(w, 2 + 8);
    return begin;
}

void eis_seal_end(eis_writer *w, size_t begin)
{
    if (eis_wire_writer_status(w) == EIS_OK) eis_store_le64(w->data + begin + 8, w->bytes - begin);
}

static eis_status compress_body(uint8_t *to, size_t *bytes, const uint8_t *body, size_t body_bytes, eis_seal_mode mode)
{
    if (mode == EIS_SEAL_ZSTD) {
        size_t written = ZSTD_compress(to, *bytes, body, body_bytes, ZSTD_LEVEL);

        if (ZSTD_isError(written)) return eis_fail(EIS_ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(written));
        *bytes = written;
    } else {
        uLongf written = *bytes;

        if (compress2(to, &written, body, body_bytes, ZLIB_LEVEL) != Z_OK)
            return eis_fail(EIS_ERR_INTERNAL, "zlib cannot compress");
        *bytes = written;
    }
    return EIS_OK;
}

void eis_seal_end_as(eis_writer *w, size_t begin, eis_seal_mode mode)
{
    eis_status st = EIS_OK;
    uint8_t *to = NULL;
    size_t body_bytes, bound = 0, bytes;

    if (eis_wire_writer_status(w) != EIS_OK) return;
    if (mode != EIS_SEAL_NONE) {
        body_bytes = w->bytes - begin - EIS_SEAL_HEADER_BYTES;
        bytes = bound = mode == EIS_SEAL_ZSTD ? ZSTD_compressBound(body_bytes) : compressBound(body_bytes);
        EIS_NEW(to, bound);
        EIS_TRY(compress_body(to, &bytes, w->data + begin + EIS_SEAL_HEADER_BYTES, body_bytes, mode));
        w->data[begin + 5] = (uint8_t)mode;
        w->bytes = begin + EIS_SEAL_HEADER_BYTES;
        eis_wire_writer_bytes(w, to, bytes);
    }
    eis_seal_end(w, begin);
out:
    eis_mem_free(to);
    if (st != EIS_OK) w->st = st;
}

size_t eis_seal_packed_bytes_max(size_t object_bytes)
{
    size_t body = object_bytes - EIS_SEAL_HEADER_BYTES;
    size_t zstd = ZSTD_compressBound(body), zlib = compressBound(body);

    EIS_ASSERT(object_bytes >= EIS_SEAL_HEADER_BYTES && object_bytes <= EIS_SEAL_OBJECT_BYTES_MAX);
    return EIS_SEAL_HEADER_BYTES + (zstd > zlib ? zstd : zlib);
}

void eis_seal_array_write(eis_writer *w, eis_seal_form form, const uint64_t *words, size_t count)
{
    size_t begin = eis_seal_begin(w, form);
    uint8_t *to;

    eis_wire_writer_u64(w, count);
    to = eis_wire_writer_reserve(w, count * 8);
    if (to != NULL)
        for (size_t i = 0; i < count; i++) eis_store_le64(to + 8 * i, words[i]);
    eis_seal_end(w, begin);
}

const uint8_t *eis_seal_array_open(eis_reader *r, const eis_seal_object *object, uint64_t *count)
{
    eis_reader inner;
    const uint8_t *words = NULL;

    eis_seal_nested(&inner, r, object);
    *count = eis_wire_reader_u64(&inner);
    if (*count > eis_wire_reader_remaining(&inner) / 8)
        eis_wire_reader_fail(&inner, EIS_ERR_CIPHERTEXT, "an array with more words than bytes");
    else
        words = eis_wire_reader_bytes(&inner, (size_t)*count * 8);
    eis_seal_nested_end(r, &inner);
    return r->st == EIS_OK ? words : NULL;
}
