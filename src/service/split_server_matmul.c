/* SPDX-License-Identifier: Apache-2.0 */
/* POST /matmul on ring words: decimal strings, base64 or a seed in, the same form out. The words take the way of the
 * binary stream, so both doors give the same answer. */
#include "base/mem.h"
#include "engine/split/words.h"
#include "service/split_server_internal.h"
#include "share/share.h"
#include "wire/json_writer.h"
#include "wire/text.h"

#include <string.h>

#define PATH                      "body"
#define REQUEST_BYTES_MAX_DEFAULT ((uint64_t)16 << 20)
#define REPLY_BYTES_MAX           ((size_t)1 << 30)
#define RING_BITS_DEFAULT         32 /* of p8 */

typedef struct matmul {
    const eis_split_offer *offer;
    uint32_t layer_index;
    eis_split_layer layer;
    uint64_t batch, truncated_bits, suite;
    bool as_text;     /* words in decimal; else base64 */
    uint8_t *payload; /* [payload_bytes]: as on the stream */
    size_t payload_bytes;
    uint64_t *words; /* [word_count]: on their way in, then out */
    size_t word_count;
} matmul;

/* ---- which layer of what ---- */

static eis_status find_layer(matmul *m, eis_json_value body)
{
    const eis_pack *pack = m->offer->pack;
    eis_json_value value;
    eis_status st = EIS_OK;
    uint64_t index;

    EIS_TRY(eis_json_bind_member(&value, body, PATH, "layer"));
    for (uint32_t i = 0; eis_json_type_of(value) == EIS_JSON_STRING && i < pack->layer_count; i++)
        if (eis_json_string_is(value, pack->layers[i].linear.name)) {
            m->layer_index = i;
            return EIS_OK;
        }
    EIS_REQUIRE(eis_json_u64(&index, value) && index < pack->layer_count, EIS_ERR_LAYER_NOT_FOUND,
                "body.layer is no name and no index of the %u layers of \"%s\"", pack->layer_count, m->offer->name);
    m->layer_index = (uint32_t)index;
out:
    return st;
}

static eis_status read_shape(matmul *m, eis_split_server *server, eis_json_value body)
{
    char model[EIS_SPLIT_MODEL_BYTES_MAX + 1] = "", profile[16];
    uint64_t ring_bits = RING_BITS_DEFAULT;
    eis_split_profile asked;
    unsigned planes;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_text(model, sizeof model, body, PATH, "model", false));
    EIS_TRY(eis_split_server_find(&m->offer, server, model));
    EIS_TRY(find_layer(m, body));
    EIS_TRY(eis_json_bind_text(profile, sizeof profile, body, PATH, "profile", true));
    if (eis_split_profile_parse(&asked, profile) != EIS_OK || asked != m->offer->pack->profile) {
        st = eis_fail(EIS_ERR_UNSUPPORTED, "body.profile: \"%s\" is served with profile %s", m->offer->name,
                      eis_split_profile_get(m->offer->pack->profile)->name);
        goto out;
    }
    EIS_TRY(eis_json_bind_u64(&ring_bits, body, PATH, "ring_bits", false, 32, 64));
    planes = m->offer->pack->profile == EIS_SPLIT_P8 ? (unsigned)ring_bits / 8 : 0;
    EIS_REQUIRE(planes == 0 || ring_bits % 8 == 0, EIS_ERR_UNSUPPORTED, "body.ring_bits must be 32, 40, 48, 56 or 64");
    EIS_TRY(eis_split_layer_init(&m->layer, &m->offer->pack->layers[m->layer_index].linear, m->offer->pack->profile,
                                 planes));
    m->batch = 1;
    EIS_TRY(eis_json_bind_u64(&m->batch, body, PATH, "batch", false, 1, UINT16_MAX));
    EIS_TRY(eis_json_bind_u64(&m->truncated_bits, body, PATH, "truncate_bits", false, 0, 63));
out:
    return st;
}

/* ---- words in ---- */

static eis_status read_decimals(matmul *m, eis_json_value share)
{
    eis_json_iter it = eis_json_iterate(share);
    eis_json_value value;
    eis_status st = EIS_OK;

    EIS_REQUIRE(eis_json_type_of(share) == EIS_JSON_ARRAY && eis_json_length(share) == m->word_count, EIS_ERR_SHAPE,
                "body.x_share must be an array of %zu strings", m->word_count);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        eis_span text;
        EIS_REQUIRE(eis_json_string(&text, value), EIS_ERR_PARSE,
                    "body.x_share: words are strings, since JSON numbers above "
                    "2^53 do not survive");
        EIS_TRY(eis_wire_decimal_read(&m->words[i], text.data, text.bytes, (unsigned)m->layer.ring));
    }
out:
    return st;
}

static eis_status read_base64(matmul *m, eis_json_value body)
{
    size_t width = eis_ring_planes(m->layer.ring), bytes = m->word_count * width, given;
    uint8_t *raw = NULL;
    eis_span text;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_string(&text, body, PATH, "x_share_b64", true));
    EIS_TRY(eis_wire_base64_bytes(&given, text.data, text.bytes));
    EIS_REQUIRE(given == bytes, EIS_ERR_SHAPE, "body.x_share_b64 must hold %zu words of %zu bytes", m->word_count,
                width);
    EIS_NEW(raw, bytes);
    EIS_TRY(eis_wire_base64_read(raw, bytes, text.data, text.bytes));
    for (size_t i = 0; i < m->word_count; i++) {
        for (size_t b = width; b-- > 0;) m->words[i] = m->words[i] << 8 | raw[i * width + b];
        EIS_REQUIRE((m->words[i] & ~eis_ring_mask(m->layer.ring)) == 0 &&
                        !(m->layer.ring == EIS_RING_F61 && m->words[i] == eis_ring_mask(EIS_RING_F61)),
                    EIS_ERR_RANGE, "body.x_share_b64: a word is not below the modulus");
    }
out:
    eis_mem_free_wiped(raw, bytes, 1);
    return st;
}

/* Puts words into the form of the stream. */
static eis_status pack_words(matmul *m)
{
    eis_status st = EIS_OK;
    eis_share share = {0};
    eis_vectors shape;

    EIS_TRY(eis_vectors_init(&shape, m->layer.ring, m->layer.form, m->layer.in_count, (size_t)m->batch));
    EIS_TRY(eis_share_init_words(&share, &shape, 1));
    for (size_t v = 0; v < m->batch; v++)
        eis_share_words_write(share.body + v * eis_vectors_stride(&shape), m->words + v * m->layer.in_count, &shape);
    EIS_NEW(m->payload, m->payload_bytes);
    eis_split_request_write(m->payload, share.body, &m->layer, (size_t)m->batch);
out:
    eis_share_clear(&share);
    return st;
}

static eis_status read_words(matmul *m, eis_json_value body, eis_json_value share, bool in_base64)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_words_bytes(&m->payload_bytes, m->layer.profile, m->layer.planes, m->layer.in_count,
                                  (size_t)m->batch));
    m->word_count = (size_t)m->batch * m->layer.in_count;
    EIS_NEW(m->words, m->word_count);
    if (in_base64)
        EIS_TRY(read_base64(m, body));
    else
        EIS_TRY(read_decimals(m, share));
    EIS_TRY(pack_words(m));
out:
    return st;
}

static eis_status read_seed(matmul *m, eis_json_value body)
{
    eis_status st = EIS_OK;
    eis_span text;
    size_t bytes;

    EIS_TRY(eis_json_bind_u64(&m->suite, body, PATH, "suite", true, 1, 3));
    EIS_TRY(eis_json_bind_string(&text, body, PATH, "seed_b64", true));
    EIS_TRY(eis_wire_base64_bytes(&bytes, text.data, text.bytes));
    EIS_REQUIRE(bytes == eis_split_seed_bytes((unsigned)m->suite), EIS_ERR_SHAPE,
                "body.seed_b64: a seed of suite %u has %zu bytes", (unsigned)m->suite,
                eis_split_seed_bytes((unsigned)m->suite));
    m->payload_bytes = bytes;
    EIS_NEW(m->payload, bytes);
    EIS_TRY(eis_wire_base64_read(m->payload, bytes, text.data, text.bytes));
out:
    return st;
}

/* Checks what the answer will take before anything is expanded. */
static eis_status check_sizes(const matmul *m, uint64_t limit)
{
    size_t up, down;
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_words_bytes(&up, m->layer.profile, m->layer.planes, m->layer.in_count, (size_t)m->batch));
    EIS_TRY(eis_split_result_bytes(&down, m->layer.profile, m->layer.planes, m->layer.out_count, (size_t)m->batch,
                                   (unsigned)m->truncated_bits));
    EIS_REQUIRE(up <= limit && down <= limit, EIS_ERR_TOO_LARGE,
                "a batch of %zu vectors is more than one request may ask for", (size_t)m->batch);
out:
    return st;
}

static eis_status read_share(matmul *m, eis_json_value body)
{
    eis_json_value share, other;
    bool words = eis_json_find(&share, body, "x_share"), base64 = eis_json_find(&other, body, "x_share_b64");
    bool seed = eis_json_find(&other, body, "seed_b64");

    if (words + base64 + seed != 1)
        return eis_fail(EIS_ERR_PARSE, "body must have one of x_share, x_share_b64 and seed_b64");
    m->as_text = words;
    return seed ? read_seed(m, body) : read_words(m, body, share, base64);
}

/* ---- the product ---- */

static eis_status evaluate(matmul *m, eis_split_server *server, uint64_t limit)
{
    const eis_split_request request = {.layer = m->layer_index,
                                       .batch = (size_t)m->batch,
                                       .suite = (unsigned)m->suite,
                                       .truncated_bits = (unsigned)m->truncated_bits,
                                       .payload = {m->payload, m->payload_bytes}};
    const eis_pack *pack = m->offer->pack;
    eis_split_evaluator *evaluator = NULL;
    uint8_t *planes = NULL;
    eis_status st = EIS_OK;
    eis_span reply;

    EIS_NEW(planes, pack->layer_count);
    memset(planes, (int)m->layer.planes, pack->layer_count);
    EIS_TRY(eis_split_evaluator_new(&evaluator, pack, planes, pack->layer_count, server->config.pool, (size_t)limit));
    EIS_TRY(eis_split_server_eval(server, &reply, evaluator, &request, EIS_SPLIT_REQUEST_REST));
    eis_mem_free_wiped(m->words, m->word_count, sizeof *m->words);
    m->word_count = (size_t)m->batch * m->layer.out_count;
    EIS_NEW(m->words, m->word_count);
    EIS_TRY(eis_split_reply_read(m->words, reply.data, &m->layer, (size_t)m->batch, (unsigned)m->truncated_bits));
out:
    eis_split_evaluator_free(evaluator);
    eis_mem_free(planes);
    return st;
}

/* ---- words out ---- */

static void write_decimals(eis_json_writer *w, const matmul *m)
{
    unsigned bits = m->truncated_bits != 0 ? 32 : (unsigned)m->layer.ring, width = eis_wire_decimal_width(bits);
    char text[EIS_DECIMAL_WIDTH_MAX];

    eis_json_writer_key(w, "y_partial");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < m->word_count; i++) {
        eis_wire_decimal_write(text, m->words[i], bits);
        eis_json_writer_string(w, text, width);
    }
    eis_json_writer_end_array(w);
}

static eis_status write_base64(eis_json_writer *w, const matmul *m)
{
    size_t width = m->truncated_bits != 0 ? 4 : eis_ring_planes(m->layer.ring), bytes = m->word_count * width;
    uint8_t *raw = NULL;
    eis_writer text;
    eis_status st = EIS_OK;

    eis_wire_writer_init(&text, REPLY_BYTES_MAX);
    EIS_NEW(raw, bytes);
    for (size_t i = 0; i < m->word_count; i++)
        for (size_t b = 0; b < width; b++) raw[i * width + b] = (uint8_t)(m->words[i] >> (8 * b));
    eis_wire_base64_write(&text, raw, bytes);
    EIS_TRY(eis_wire_writer_status(&text));
    eis_json_writer_key(w, "y_partial_b64");
    eis_json_writer_string(w, text.data, text.bytes);
out:
    eis_wire_writer_clear(&text);
    eis_mem_free_wiped(raw, bytes, 1);
    return st;
}

static eis_status write_reply(eis_http_reply *reply, const matmul *m)
{
    char digest[2 * EIS_PACK_DIGEST_BYTES + 1];
    eis_status st = EIS_OK;
    eis_json_writer w;
    eis_writer body;

    eis_wire_writer_init(&body, REPLY_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_wire_hex_write(digest, m->offer->pack->digest, EIS_PACK_DIGEST_BYTES);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "mode"), eis_json_writer_text(&w, "ring");
    eis_json_writer_key(&w, "profile"), eis_json_writer_text(&w, eis_split_profile_get(m->layer.profile)->name);
    if (m->as_text)
        write_decimals(&w, m);
    else
        EIS_TRY(write_base64(&w, m));
    eis_json_writer_key(&w, "truncate_bits"), eis_json_writer_u64(&w, m->truncated_bits);
    eis_json_writer_key(&w, "weights_digest"), eis_json_writer_text(&w, digest);
    eis_json_writer_end_object(&w);
    return eis_split_server_reply(reply, &w, &body);
out:
    eis_wire_writer_clear(&body);
    return st;
}

eis_status eis_split_server_matmul_ring(eis_split_server *server, eis_http_reply *reply, eis_json_value body)
{
    static const char *const names[] = {"mode",        "profile",  "ring_bits", "model", "layer",         "x_share",
                                        "x_share_b64", "seed_b64", "suite",     "batch", "truncate_bits", NULL};
    uint64_t limit = server->config.body_bytes_max != 0 ? server->config.body_bytes_max : REQUEST_BYTES_MAX_DEFAULT;
    eis_status st = EIS_OK;
    eis_json_value mode;
    matmul m = {0};

    EIS_TRY(eis_json_bind_object(body, PATH, names));
    EIS_REQUIRE(!eis_json_find(&mode, body, "mode") || eis_json_string_is(mode, "ring"), EIS_ERR_PARSE,
                "body.mode must be \"ring\" or \"float\"");
    EIS_TRY(read_shape(&m, server, body));
    EIS_TRY(check_sizes(&m, limit));
    EIS_TRY(read_share(&m, body));
    EIS_TRY(evaluate(&m, server, limit));
    EIS_TRY(write_reply(reply, &m));
out:
    eis_mem_free_wiped(m.payload, m.payload_bytes, 1);
    eis_mem_free_wiped(m.words, m.word_count, sizeof *m.words);
    return st;
}
