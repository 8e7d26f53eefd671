/* SPDX-License-Identifier: Apache-2.0 */
/* Step 3 to 5 of the validation: every way known to us in which an object can be hostile, made from a valid ciphertext
 * of ours. All are sent in place of input 0; the others are as they should be.
 *
 *   0 magic | 2 header size | 3 major | 4 minor | 5 compression | 6 reserved | 8 size | 16 parms_id | 48 is_ntt
 *   49 polynomials | 57 N | 65 limbs | 73 scale | 81 correction | 89 header of the array | 105 count | 113 words
 *   behind the words of a seeded one: header | generator | seed (64) */
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_params.h"
#include "ckks/seal_secret.h"
#include "cli/conform.h"
#include "engine/he/protect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CLAUSE  "api 5"
#define INVALID "INVALID_CIPHERTEXT"

enum {
    AT_HEADER_SIZE = 2,
    AT_MAJOR = 3,
    AT_MINOR = 4,
    AT_MODE = 5,
    AT_RESERVED = 6,
    AT_SIZE = 8,
    AT_PARMS = 16,
    AT_NTT = 48,
    AT_POLYS = 49,
    AT_DEGREE = 57,
    AT_LIMBS = 65,
    AT_SCALE = 73,
    AT_CORRECTION = 81,
    AT_ARRAY = 89,
    AT_COUNT = 105,
    AT_WORDS = 113
};

/* An object in the making: a copy of a valid one, with room behind it. */
typedef struct object {
    uint8_t *data;
    size_t bytes, capacity;
} object;

static void send_object(eis_conform *c, const char *name, const char *codes, eis_span payload)
{
    const eis_conform_target *t = &c->target;
    eis_span *all = eis_mem_new(t->count, sizeof *all);
    eis_conform_request r = {.binary = c->profile == EIS_CONFORM_V1, .payload = all};

    if (all == NULL) {
        c->broken = EIS_ERR_MEMORY;
        return;
    }
    memcpy(all, t->seeded, t->count * sizeof *all);
    all[0] = payload;
    eis_conform_send(c, &r, NULL, NULL);
    eis_conform_expect(c, name, CLAUSE, codes);
    eis_mem_free(all);
}

static bool copy_of(object *o, eis_conform *c, eis_span from)
{
    size_t capacity = from.bytes + 256;

    if (o->capacity < capacity) {
        eis_mem_free(o->data);
        o->data = eis_mem_new(capacity, 1);
        o->capacity = o->data != NULL ? capacity : 0;
    }
    if (o->data == NULL) {
        c->broken = EIS_ERR_MEMORY;
        return false;
    }
    memcpy(o->data, from.data, from.bytes);
    memset(o->data + from.bytes, 0, o->capacity - from.bytes);
    o->bytes = from.bytes;
    return c->broken == EIS_OK;
}

static void send_made(eis_conform *c, const char *name, const char *codes, const object *o)
{
    send_object(c, name, codes, (eis_span){o->data, o->bytes});
}

/* ---- one byte or one word that is wrong ---- */

static void check_bytes(eis_conform *c, object *o)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } rows[] = {
        {"ciphertext.magic", 0, 0x5f},
        {"ciphertext.magic-second", 1, 0xa0},
        {"ciphertext.header-size", AT_HEADER_SIZE, 17},
        {"ciphertext.major-5", AT_MAJOR, 5},
        {"ciphertext.major-2", AT_MAJOR, 2},
        {"ciphertext.minor-5", AT_MINOR, 5},
        {"ciphertext.compression-3", AT_MODE, 3},
        {"ciphertext.compression-255", AT_MODE, 255},
        {"ciphertext.reserved", AT_RESERVED, 1},
        {"ciphertext.not-ntt", AT_NTT, 0},
        {"ciphertext.ntt-2", AT_NTT, 2},
        {"ciphertext.nested-magic", AT_ARRAY, 0},
        {"ciphertext.nested-version", AT_ARRAY + AT_MINOR, 4},
        {"ciphertext.nested-compression", AT_ARRAY + AT_MODE, 2},
        {"ciphertext.nested-reserved", AT_ARRAY + AT_RESERVED, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && copy_of(o, c, c->target.full[0]); i++) {
        o->data[rows[i].at] = rows[i].value;
        send_made(c, rows[i].name, INVALID, o);
    }
}

static void check_words(eis_conform *c, object *o)
{
    const size_t bytes = c->target.full[0].bytes;
    const struct {
        const char *name;
        size_t at;
        uint64_t value;
        const char *codes;
    } rows[] = {
        {"ciphertext.size-0", AT_SIZE, 0, INVALID},
        {"ciphertext.size-15", AT_SIZE, 15, INVALID},
        {"ciphertext.size-less", AT_SIZE, bytes - 1, INVALID},
        {"ciphertext.size-more", AT_SIZE, bytes + 1, INVALID},
        {"ciphertext.size-2^63", AT_SIZE, (uint64_t)1 << 63, INVALID},
        {"ciphertext.size-2^64-1", AT_SIZE, UINT64_MAX, INVALID},
        {"ciphertext.nested-size-2^64-1", AT_ARRAY + AT_SIZE, UINT64_MAX, INVALID},
        {"ciphertext.nested-size-more", AT_ARRAY + AT_SIZE, bytes - AT_ARRAY + 8, INVALID},
        {"ciphertext.nested-size-less", AT_ARRAY + AT_SIZE, bytes - AT_ARRAY - 8, INVALID},
        {"ciphertext.polynomials-0", AT_POLYS, 0, INVALID},
        {"ciphertext.polynomials-1", AT_POLYS, 1, INVALID},
        {"ciphertext.polynomials-3", AT_POLYS, 3, INVALID},
        {"ciphertext.polynomials-2^61", AT_POLYS, (uint64_t)1 << 61, INVALID},
        {"ciphertext.degree", AT_DEGREE, 2 * c->target.contract->literal.degree, INVALID "|CIPHERTEXT_INCOMPATIBLE"},
        {"ciphertext.degree-0", AT_DEGREE, 0, INVALID "|CIPHERTEXT_INCOMPATIBLE"},
        {"ciphertext.limbs-2^60", AT_LIMBS, (uint64_t)1 << 60, INVALID "|CIPHERTEXT_INCOMPATIBLE|LEVEL_MISMATCH"},
        {"ciphertext.correction", AT_CORRECTION, 2, INVALID},
        {"ciphertext.count-0", AT_COUNT, 0, INVALID},
        {"ciphertext.count-more", AT_COUNT, (bytes - AT_WORDS) / 8 + 1, INVALID},
        {"ciphertext.count-2^61", AT_COUNT, (uint64_t)1 << 61, INVALID},
        {"ciphertext.first-word", AT_WORDS, UINT64_MAX, INVALID},
        {"ciphertext.middle-word", AT_WORDS + (bytes - AT_WORDS) / 16 * 8, (uint64_t)1 << 62, INVALID},
        {"ciphertext.last-word", bytes - 8, (uint64_t)1 << 61, INVALID},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && copy_of(o, c, c->target.full[0]); i++) {
        eis_store_le64(o->data + rows[i].at, rows[i].value);
        send_made(c, rows[i].name, rows[i].codes, o);
    }
}

/* A word that is its own prime: the smallest that is too large. */
static void check_prime_word(eis_conform *c, object *o)
{
    const eis_ckks_params *params = eis_he_remote_engine(c->target.remote)->params;

    if (!copy_of(o, c, c->target.full[0])) return;
    eis_store_le64(o->data + AT_WORDS, eis_rns_modulus(&params->rns, 0)->q);
    send_made(c, "ciphertext.word-is-prime", INVALID, o);
}

static void check_scales(eis_conform *c, object *o)
{
    const double scale = c->target.contract->stage[0].input.scale;
    const bool features = c->target.contract->stage[0].input.kind == EIS_HE_FEATURES;
    const struct {
        const char *name;
        double value;
        const char *codes;
    } rows[] = {
        {"scale.negative", -1, INVALID},
        {"scale.zero", 0, INVALID},
        {"scale.nan", (double)NAN, INVALID},
        {"scale.infinite", HUGE_VAL, INVALID},
        {"scale.subnormal", 5e-324, INVALID},
        {"scale.2^200", ldexp(1, 200), INVALID},
        {"scale.other", features ? scale * 64 : scale * 1.5, "SCALE_MISMATCH"},
        {"scale.small", scale * ldexp(1, -12), "SCALE_MISMATCH"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && copy_of(o, c, c->target.full[0]); i++) {
        eis_store_le_f64(o->data + AT_SCALE, rows[i].value);
        send_made(c, rows[i].name, rows[i].codes, o);
    }
    if (!features || c->target.count < 2) {
        eis_conform_skip(c, "scale.unequal", CLAUSE, "the model has one ciphertext, or one scale");
        return;
    }
    if (!copy_of(o, c, c->target.full[0])) return;
    eis_store_le_f64(o->data + AT_SCALE, scale * 2); /* allowed by itself, but not beside the others */
    send_made(c, "scale.unequal", "SCALE_MISMATCH", o);
}

/* ---- parameters and levels ---- */

static void check_parameters(eis_conform *c, object *o)
{
    const eis_ckks_params *params = eis_he_remote_engine(c->target.remote)->params;
    const size_t limbs = c->target.contract->stage[0].input.limbs;

    if (!copy_of(o, c, c->target.full[0])) return;
    o->data[AT_PARMS] ^= 0x80;
    send_made(c, "parms.unknown", "CIPHERTEXT_INCOMPATIBLE", o);
    memset(o->data + AT_PARMS, 0, EIS_CKKS_PARMS_ID_BYTES);
    send_made(c, "parms.zero", "CIPHERTEXT_INCOMPATIBLE", o);
    memcpy(o->data + AT_PARMS, params->parms_id[params->prime_count], EIS_CKKS_PARMS_ID_BYTES);
    send_made(c, "parms.key-level", "CIPHERTEXT_INCOMPATIBLE", o);
    if (limbs < 2) {
        eis_conform_skip(c, "parms.lower-level", CLAUSE, "the model has one level");
        return;
    }
    memcpy(o->data + AT_PARMS, params->parms_id[limbs - 1], EIS_CKKS_PARMS_ID_BYTES);
    send_made(c, "parms.lower-id", "LEVEL_MISMATCH|CIPHERTEXT_INCOMPATIBLE|" INVALID, o);
}

/* A well-formed ciphertext of a lower level. */
static void check_level(eis_conform *c)
{
    const eis_he_client *engine = eis_he_remote_engine(c->target.remote);
    const size_t limbs = c->target.contract->stage[0].input.limbs;
    eis_ckks_ct ct = {0};
    eis_writer w;

    if (limbs < 2) return;
    eis_wire_writer_init(&w, (size_t)1 << 30);
    if (eis_ckks_ct_read(&ct, NULL, engine->params, &(eis_ckks_ct_rules){0}, c->target.full[0].data,
                         c->target.full[0].bytes) == EIS_OK) {
        eis_ckks_ct view = eis_ckks_ct_view(&ct, limbs - 1);
        view.generator = 0;
        eis_ckks_ct_write(&w, &view, (eis_seal_style){0}, false);
        if (w.st == EIS_OK) send_object(c, "parms.lower-level", "LEVEL_MISMATCH|" INVALID, (eis_span){w.data, w.bytes});
    }
    eis_ckks_ct_clear(&ct);
    eis_wire_writer_clear(&w);
}

/* ---- what anybody can read ---- */

static void check_transparent(eis_conform *c, object *o)
{
    const size_t words = c->target.full[0].bytes - AT_WORDS, half = words / 2;
    const size_t limb = c->target.contract->literal.degree * 8;

    if (!copy_of(o, c, c->target.full[0])) return;
    memset(o->data + AT_WORDS + half, 0, half);
    send_made(c, "transparent.whole", INVALID, o);
    if (!copy_of(o, c, c->target.full[0])) return;
    memset(o->data + AT_WORDS + half, 0, limb);
    send_made(c, "transparent.first-limb", INVALID, o);
    if (!copy_of(o, c, c->target.full[0])) return;
    memset(o->data + o->bytes - limb, 0, limb);
    send_made(c, "transparent.last-limb", INVALID, o);
}

/* ---- lengths ---- */

static void check_lengths(eis_conform *c, object *o)
{
    const size_t bytes = c->target.full[0].bytes;
    const size_t cuts[] = {1, 7, 15, 16, 40, 48, 49, 80, 100, AT_WORDS, bytes / 2, bytes - 1};
    char name[64];

    if (!copy_of(o, c, c->target.full[0])) return;
    o->bytes = bytes + 1;
    send_made(c, "length.trailing", INVALID, o);
    eis_store_le64(o->data + AT_SIZE, bytes + 1);
    send_made(c, "length.trailing-inside", INVALID, o);
    if (!copy_of(o, c, c->target.full[0])) return;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        o->bytes = cuts[i];
        snprintf(name, sizeof name, "length.cut-at-%zu", cuts[i]);
        send_made(c, name, INVALID, o);
    }
}

/* ---- seeds ---- */

static void check_seeds(eis_conform *c, object *o)
{
    const eis_span seeded = c->target.seeded[0];
    const size_t info = seeded.bytes - 81; /* header, generator, seed */
    const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } rows[] = {{"seed.generator-0", info + 16, 0},
                {"seed.generator-3", info + 16, 3},
                {"seed.header", info, 0},
                {"seed.nested-version", info + AT_MINOR, 4},
                {"seed.compressed", info + AT_MODE, 1},
                {"seed.three-polynomials", AT_POLYS, 3},
                {"seed.size", info + AT_SIZE, 80}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && copy_of(o, c, seeded); i++) {
        o->data[rows[i].at] = rows[i].value;
        send_made(c, rows[i].name, INVALID, o);
    }
    /* The legacy form: 64 bare bytes, where the header promises an object. */
    if (!copy_of(o, c, seeded)) return;
    memmove(o->data + info, o->data + info + 17, 64);
    o->bytes -= 17;
    eis_store_le64(o->data + AT_SIZE, o->bytes);
    send_made(c, "seed.legacy", INVALID, o);
}

/* ---- other objects ---- */

/* A secret key of this very run, which nobody will use again: a server must refuse it, not keep it. */
static void check_other_objects(eis_conform *c)
{
    const eis_he_client *engine = eis_he_remote_engine(c->target.remote);
    eis_ckks_secret_key secret = {0};
    eis_writer w;

    eis_wire_writer_init(&w, (size_t)1 << 30);
    eis_ckks_params_write(&w, engine->params, (eis_seal_style){0});
    if (w.st == EIS_OK) send_object(c, "object.parameters", INVALID, (eis_span){w.data, w.bytes});
    eis_wire_writer_rewind(&w);
    if (eis_ckks_secret_key_generate(&secret, engine->params) == EIS_OK) {
        eis_ckks_secret_key_write(&w, &secret, EIS_SEAL_FORM_4_1);
        if (w.st == EIS_OK) send_object(c, "object.secret-key", INVALID, (eis_span){w.data, w.bytes});
    }
    eis_ckks_secret_key_clear(&secret);
    eis_wire_writer_clear(&w);
}

/* ---- compression ---- */

static bool compress(eis_writer *w, const eis_conform *c, eis_seal_mode mode)
{
    const eis_span full = c->target.full[0];
    size_t begin;

    eis_wire_writer_rewind(w);
    begin = eis_seal_begin(w, EIS_SEAL_FORM_4_1);
    eis_wire_writer_bytes(w, full.data + EIS_SEAL_HEADER_BYTES, full.bytes - EIS_SEAL_HEADER_BYTES);
    eis_seal_end_as(w, begin, mode);
    eis_wire_writer_zeros(w, 64); /* room */
    return w->st == EIS_OK;
}

static void send_resized(eis_conform *c, const char *name, uint8_t *data, size_t bytes)
{
    eis_store_le64(data + AT_SIZE, bytes);
    send_object(c, name, INVALID, (eis_span){data, bytes});
}

static void check_zstd(eis_conform *c, eis_writer *w)
{
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    static const uint8_t empty_frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0};
    size_t bytes;

    if (!compress(w, c, EIS_SEAL_ZSTD)) return;
    bytes = w->bytes - 64;
    memcpy(w->data + bytes, empty_frame, sizeof empty_frame);
    send_resized(c, "zstd.second-frame", w->data, bytes + sizeof empty_frame);
    memcpy(w->data + bytes, skippable, sizeof skippable);
    send_resized(c, "zstd.skippable-behind", w->data, bytes + sizeof skippable);
    w->data[bytes] = 0;
    send_resized(c, "zstd.trailing", w->data, bytes + 1);
    send_resized(c, "zstd.cut", w->data, bytes - 5);
    w->data[EIS_SEAL_HEADER_BYTES + 4] |= 3; /* a dictionary of four bytes of id */
    send_resized(c, "zstd.dictionary", w->data, bytes);
}

static void check_zlib(eis_conform *c, eis_writer *w)
{
    size_t bytes;
    uint8_t *d;

    if (!compress(w, c, EIS_SEAL_ZLIB)) return;
    bytes = w->bytes - 64;
    d = w->data;
    send_resized(c, "zlib.trailing", d, bytes + 1);
    send_resized(c, "zlib.cut", d, bytes - 3);
    d[bytes - 1] ^= 1;
    send_resized(c, "zlib.checksum", d, bytes);
    d[bytes - 1] ^= 1;
    d[EIS_SEAL_HEADER_BYTES] = 0x78;
    d[EIS_SEAL_HEADER_BYTES + 1] = 0xbb; /* wants a preset dictionary */
    send_resized(c, "zlib.dictionary", d, bytes);
    d[EIS_SEAL_HEADER_BYTES] = 0x1f;
    d[EIS_SEAL_HEADER_BYTES + 1] = 0x8b;
    send_resized(c, "zlib.gzip", d, bytes);
}

/* A zstd frame by hand: blocks of one byte repeated 128 KiB times, so that 32 KiB become a gigabyte. window is the
 * frame's own byte for it. */
static void write_bomb(eis_writer *w, uint8_t window, unsigned blocks)
{
    size_t begin = eis_seal_begin(w, EIS_SEAL_FORM_4_1);

    eis_wire_writer_u32(w, 0xfd2fb528);
    eis_wire_writer_u8(w, 0); /* a window, no content size, no dictionary, no checksum */
    eis_wire_writer_u8(w, window);
    for (unsigned i = 0; i < blocks; i++) {
        uint32_t header = (uint32_t)(131072u << 3) | 1u << 1 | (i + 1 == blocks);
        eis_wire_writer_u8(w, (uint8_t)header);
        eis_wire_writer_u8(w, (uint8_t)(header >> 8));
        eis_wire_writer_u8(w, (uint8_t)(header >> 16));
        eis_wire_writer_u8(w, 0);
    }
    eis_seal_end(w, begin);
    if (w->st == EIS_OK) w->data[begin + AT_MODE] = EIS_SEAL_ZSTD;
}

static void check_bombs(eis_conform *c, eis_writer *w)
{
    size_t begin;

    eis_wire_writer_rewind(w);
    write_bomb(w, 0x38, 8192); /* a window of 128 KiB */
    if (w->st == EIS_OK) send_object(c, "zstd.bomb", INVALID, (eis_span){w->data, w->bytes});
    eis_wire_writer_rewind(w);
    write_bomb(w, 0x78, 8); /* 32 MiB */
    if (w->st == EIS_OK) send_object(c, "zstd.window", INVALID, (eis_span){w->data, w->bytes});
    eis_wire_writer_rewind(w);
    begin = eis_seal_begin(w, EIS_SEAL_FORM_4_1);
    eis_wire_writer_zeros(w, (size_t)64 << 20);
    eis_seal_end_as(w, begin, EIS_SEAL_ZLIB);
    if (w->st == EIS_OK) send_object(c, "zlib.bomb", INVALID, (eis_span){w->data, w->bytes});
}

void eis_conform_ciphertexts(eis_conform *c)
{
    object o = {0};
    eis_writer w;

    eis_wire_writer_init(&w, (size_t)1 << 30);
    check_bytes(c, &o);
    check_words(c, &o);
    check_prime_word(c, &o);
    check_scales(c, &o);
    check_parameters(c, &o);
    check_level(c);
    check_transparent(c, &o);
    check_lengths(c, &o);
    check_seeds(c, &o);
    check_other_objects(c);
    if (c->profile == EIS_CONFORM_V1) {
        check_zstd(c, &w);
        check_zlib(c, &w);
        check_bombs(c, &w);
    }
    if (eis_conform_get(c, "GET", "/health"))
        eis_conform_check(c, c->call.http_status == 200, "ciphertext.survives", "api 2.3",
                          "the server serves after all of these");
    else
        eis_conform_check(c, false, "ciphertext.survives", "api 2.3", "the server is gone");
    eis_mem_free(o.data);
    eis_wire_writer_clear(&w);
}
