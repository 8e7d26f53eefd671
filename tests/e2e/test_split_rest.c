/* SPDX-License-Identifier: Apache-2.0 */
/* The front door that anybody can knock at with curl: it must give the words that the stream gives, and one clear error
 * for everything else. */
#include "support/split_world.h"

#include "base/mem.h"
#include "net/http_client.h"
#include "share/share.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define TEXT_MAX 200000

/* One server with REST in plain on loopback, and a client. */
typedef struct front {
    world w;
    eis_address http;
    eis_http_client *client;
    eis_http_call call;
    char body[TEXT_MAX];
} front;

static const float legacy_weights[2][3] = {{0.5f, -1.25f, 3}, {1e-3f, 0.1f, -0.3f}};

static void open_front(front *f, eis_split_profile profile, bool legacy, const eis_token *token)
{
    const eis_http_client_config client = {.timeout_ms = WORLD_TIMEOUT_MS};
    eis_split_server_config config;
    eis_split_offer offer;
    eis_address stream;

    memset(f, 0, sizeof *f);
    world_prepare(&f->w, world_lm(), profile, 1);
    config = world_server_config(&f->w, 0, &offer);
    config.http = config.http_plain = true;
    config.http_listen = (eis_address){.host = "127.0.0.1"};
    config.token = token;
    if (legacy) config.legacy = (eis_legacy_layer){.inputs = 3, .outputs = 2, .weights = legacy_weights[0]};
    world_start(&f->w, 0, &config);
    eis_split_server_addresses(&stream, &f->http, f->w.servers[0]);
    assert_int_not_equal(f->http.port, 0);
    assert_int_equal(eis_net_http_client_new(&f->client, &client), EIS_OK);
}

static void close_front(front *f)
{
    eis_net_http_call_clear(&f->call);
    eis_net_http_client_free(f->client);
    world_close(&f->w);
}

/* Asks and returns the HTTP status; the answer lies in f->call. body NULL: GET. */
static int ask(front *f, const char *path, const char *body)
{
    char url[256];

    eis_net_http_call_clear(&f->call);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f->http.port, path);
    f->call.method = body != NULL ? "POST" : "GET";
    f->call.url = url;
    if (body != NULL) {
        f->call.media_type = "application/json";
        f->call.body = (eis_span){(const uint8_t *)body, strlen(body)};
    }
    if (eis_net_http_client_run(f->client, &f->call, 1) != EIS_OK) fail_msg("%s: %s", path, f->call.detail);
    return f->call.http_status;
}

static eis_json_doc *parse_answer(const front *f)
{
    eis_json_doc *doc = NULL;

    if (eis_json_parse(&doc, "answer", f->call.answer, f->call.answer_bytes, f->call.answer_bytes) != EIS_OK)
        fail_msg("%s in %s", eis_error_detail(), (const char *)f->call.answer);
    return doc;
}

static void assert_member(const eis_json_doc *doc, const char *name, const char *text)
{
    eis_json_value value;

    assert_true(eis_json_find(&value, eis_json_root(doc), name));
    assert_true(eis_json_string_is(value, text));
}

/* ---- ring words ---- */

#define NODE  2 /* gate and up: 40 x 12 */
#define IN    12
#define OUT   40
#define BATCH 3

/* y = W x from the integer matrix, word by word. */
static void multiply(uint64_t *y, const eis_pack *pack, const uint64_t *x, eis_ring ring)
{
    int32_t rows[OUT * IN];

    eis_packed_read_rows(rows, &pack->layers[NODE].weights, 0, OUT);
    for (size_t v = 0; v < BATCH; v++)
        for (size_t o = 0; o < OUT; o++) {
            unsigned __int128 sum = 0;
            for (size_t i = 0; i < IN; i++) {
                const int32_t w = rows[o * IN + i];
                const uint64_t p = eis_ring_mask(EIS_RING_F61);
                if (ring == EIS_RING_F61)
                    sum =
                        (sum + (unsigned __int128)(w < 0 ? p - (uint64_t) - (int64_t)w : (uint64_t)w) * x[v * IN + i]) %
                        p;
                else
                    sum += (unsigned __int128)(uint64_t)(int64_t)w * x[v * IN + i];
            }
            y[v * OUT + o] = (uint64_t)sum & eis_ring_mask(ring);
        }
}

static void begin_request(eis_json_writer *w, eis_writer *body, const char *profile, unsigned ring_bits,
                          unsigned truncated)
{
    eis_wire_writer_init(body, TEXT_MAX);
    eis_json_writer_to_buffer(w, body);
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "mode"), eis_json_writer_text(w, "ring");
    eis_json_writer_key(w, "profile"), eis_json_writer_text(w, profile);
    eis_json_writer_key(w, "model"), eis_json_writer_text(w, "made");
    eis_json_writer_key(w, "layer"), eis_json_writer_text(w, "layers.0.gate_up");
    eis_json_writer_key(w, "batch"), eis_json_writer_u64(w, BATCH);
    if (strcmp(profile, "p8") == 0) eis_json_writer_key(w, "ring_bits"), eis_json_writer_u64(w, ring_bits);
    if (truncated > 0) eis_json_writer_key(w, "truncate_bits"), eis_json_writer_u64(w, truncated);
}

static eis_json_doc *send_request(front *f, eis_json_writer *w, eis_writer *body, unsigned truncated)
{
    char digest[2 * EIS_PACK_DIGEST_BYTES + 1];
    eis_json_doc *doc;
    eis_json_value value;
    uint64_t t;

    eis_json_writer_end_object(w);
    eis_wire_writer_u8(body, 0);
    assert_int_equal(eis_wire_writer_status(body), EIS_OK);
    if (ask(f, "/matmul", (const char *)body->data) != 200) fail_msg("%s", (const char *)f->call.answer);
    assert_string_equal(f->call.answer_media_type, "application/json");
    eis_wire_writer_clear(body);
    doc = parse_answer(f);
    assert_member(doc, "mode", "ring");
    eis_wire_hex_write(digest, f->w.pack->digest, sizeof f->w.pack->digest);
    assert_member(doc, "weights_digest", digest);
    assert_true(eis_json_find(&value, eis_json_root(doc), "truncate_bits") && eis_json_u64(&t, value) &&
                t == truncated);
    return doc;
}

/* Words as strings, all of one width: a length that follows the value would show through TLS. */
static void ask_decimals(front *f, const char *profile, unsigned bits, unsigned truncated, const uint64_t *x,
                         const uint64_t *y)
{
    unsigned reply_bits = truncated > 0 ? 32 : bits;
    eis_json_value array, value;
    eis_json_writer w;
    eis_json_doc *doc;
    eis_json_iter it;
    eis_writer body;
    char text[EIS_DECIMAL_WIDTH_MAX];

    begin_request(&w, &body, profile, bits, truncated);
    eis_json_writer_key(&w, "x_share");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < BATCH * IN; i++) {
        eis_wire_decimal_write(text, x[i], bits);
        eis_json_writer_string(&w, text, eis_wire_decimal_width(bits));
    }
    eis_json_writer_end_array(&w);
    doc = send_request(f, &w, &body, truncated);
    assert_true(eis_json_find(&array, eis_json_root(doc), "y_partial"));
    assert_int_equal(eis_json_length(array), BATCH * OUT);
    it = eis_json_iterate(array);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        eis_span digits;
        uint64_t word;
        assert_true(eis_json_string(&digits, value));
        assert_int_equal(digits.bytes, eis_wire_decimal_width(reply_bits));
        assert_int_equal(eis_wire_decimal_read(&word, digits.data, digits.bytes, reply_bits), EIS_OK);
        assert_true(word == y[i] >> truncated);
    }
    eis_json_free(doc);
}

static void assert_base64(const eis_json_doc *doc, const uint64_t *y, unsigned bits, unsigned truncated)
{
    size_t width = truncated > 0 ? 4 : (bits + 7) / 8, bytes;
    uint8_t raw[BATCH * OUT * 8];
    eis_json_value value;
    eis_span text;

    assert_true(eis_json_find(&value, eis_json_root(doc), "y_partial_b64") && eis_json_string(&text, value));
    assert_int_equal(eis_wire_base64_bytes(&bytes, text.data, text.bytes), EIS_OK);
    assert_int_equal(bytes, BATCH * OUT * width);
    assert_int_equal(eis_wire_base64_read(raw, bytes, text.data, text.bytes), EIS_OK);
    for (size_t i = 0; i < BATCH * OUT; i++) {
        uint64_t word = 0;
        for (size_t b = width; b-- > 0;) word = word << 8 | raw[i * width + b];
        assert_true(word == y[i] >> truncated);
    }
}

static void put_base64(eis_json_writer *w, const char *name, const uint8_t *raw, size_t bytes)
{
    eis_writer text;

    eis_wire_writer_init(&text, TEXT_MAX);
    eis_wire_base64_write(&text, raw, bytes);
    eis_json_writer_key(w, name), eis_json_writer_string(w, text.data, text.bytes);
    eis_wire_writer_clear(&text);
}

static void ask_base64(front *f, const char *profile, unsigned bits, unsigned truncated, const uint64_t *x,
                       const uint64_t *y)
{
    size_t width = (bits + 7) / 8;
    uint8_t raw[BATCH * IN * 8];
    eis_json_writer w;
    eis_json_doc *doc;
    eis_writer body;

    begin_request(&w, &body, profile, bits, truncated);
    for (size_t i = 0; i < BATCH * IN * width; i++) raw[i] = (uint8_t)(x[i / width] >> (8 * (i % width)));
    put_base64(&w, "x_share_b64", raw, BATCH * IN * width);
    doc = send_request(f, &w, &body, truncated);
    assert_base64(doc, y, bits, truncated);
    eis_json_free(doc);
}

/* A seed must stand for the words that the client expands it to. */
static void ask_seed(front *f, const char *profile, eis_ring ring, eis_geometry geometry, unsigned suite)
{
    uint64_t x[BATCH * IN], y[BATCH * OUT];
    uint8_t vectors[BATCH * 64 * 8];
    eis_share share = {0};
    eis_vectors shape;
    eis_prg prg = {0};
    eis_json_writer w;
    eis_json_doc *doc;
    eis_writer body;

    assert_int_equal(eis_vectors_init(&shape, ring, eis_vectors_form(ring, geometry), IN, BATCH), EIS_OK);
    assert_int_equal(eis_share_init_seed(&share, &shape, 1, suite), EIS_OK);
    assert_int_equal(eis_share_expand(&prg, vectors, &share), EIS_OK);
    for (size_t v = 0; v < BATCH; v++)
        eis_share_words_read(x + v * IN, vectors + v * eis_vectors_stride(&shape), &shape);
    multiply(y, f->w.pack, x, ring);
    begin_request(&w, &body, profile, (unsigned)ring, 0);
    eis_json_writer_key(&w, "suite"), eis_json_writer_u64(&w, suite);
    put_base64(&w, "seed_b64", share.seed, eis_suite_seed_bytes(suite));
    doc = send_request(f, &w, &body, 0);
    assert_base64(doc, y, (unsigned)ring, 0);
    eis_json_free(doc);
    eis_share_clear(&share);
    eis_prg_clear(&prg);
}

static void ring_words(void **state)
{
    static const struct {
        eis_split_profile profile;
        eis_geometry geometry;
        eis_ring ring;
        unsigned truncated;
    } cases[] = {
        {EIS_SPLIT_P24, EIS_GEOMETRY_W24, EIS_RING_Z52, 20},   {EIS_SPLIT_P8, EIS_GEOMETRY_W8, EIS_RING_Z32, 0},
        {EIS_SPLIT_P8, EIS_GEOMETRY_W8, EIS_RING_Z40, 8},      {EIS_SPLIT_P8, EIS_GEOMETRY_W8, EIS_RING_Z64, 32},
        {EIS_SPLIT_F61_20, EIS_GEOMETRY_W20, EIS_RING_F61, 0}, {EIS_SPLIT_F61_8, EIS_GEOMETRY_W8, EIS_RING_F61, 0},
    };
    uint64_t x[BATCH * IN], y[BATCH * OUT], seed = 3;
    front *f = malloc(sizeof *f);

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *profile = eis_split_profile_get(cases[c].profile)->name;
        open_front(f, cases[c].profile, false, NULL);
        for (size_t i = 0; i < BATCH * IN; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            x[i] = (seed >> 7 ^ seed << 20) & eis_ring_mask(cases[c].ring);
            if (cases[c].ring == EIS_RING_F61) x[i] %= eis_ring_mask(EIS_RING_F61);
        }
        multiply(y, f->w.pack, x, cases[c].ring);
        for (unsigned t = 0; t <= cases[c].truncated; t += cases[c].truncated > 0 ? cases[c].truncated : 1) {
            ask_decimals(f, profile, (unsigned)cases[c].ring, t, x, y);
            ask_base64(f, profile, (unsigned)cases[c].ring, t, x, y);
        }
        for (unsigned suite = 1; suite <= 3; suite++) ask_seed(f, profile, cases[c].ring, cases[c].geometry, suite);
        close_front(f);
    }
    free(f);
}

/* ---- refusals ---- */

static void assert_problem(front *f, int http_status, const char *code)
{
    eis_json_doc *doc;
    eis_json_value error, value;

    if (f->call.http_status != http_status)
        fail_msg("HTTP %d where %d belongs: %s", f->call.http_status, http_status, (const char *)f->call.answer);
    assert_string_equal(f->call.answer_media_type, "application/problem+json");
    doc = parse_answer(f);
    assert_true(eis_json_find(&error, eis_json_root(doc), "error"));
    assert_true(eis_json_find(&value, error, "code"));
    if (!eis_json_string_is(value, code)) fail_msg("not %s: %s", code, (const char *)f->call.answer);
    eis_json_free(doc);
}

#define P24 "\"mode\":\"ring\",\"profile\":\"p24\",\"model\":\"made\""

static void refusals(void **state)
{
    static const struct {
        const char *body;
        int http_status;
        const char *code;
    } cases[] = {
        {"", 400, "INVALID_SCHEMA"},
        {"{", 400, "INVALID_SCHEMA"},
        {"[]", 400, "INVALID_SCHEMA"},
        {"{}", 400, "INVALID_SCHEMA"},
        {"{\"x_share\":[1,2,3]}", 403, "LEGACY_FLOAT_DISABLED"},
        {"{\"mode\":\"float\",\"x_share\":[1,2,3]}", 403, "LEGACY_FLOAT_DISABLED"},
        {"{\"mode\":\"double\",\"x_share\":[\"1\"]}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"x_share\":[\"1\"],\"surprise\":1}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"x_share\":[\"1\"]}", 400, "INVALID_SCHEMA"},
        {"{\"mode\":\"ring\",\"model\":\"made\",\"layer\":0,\"x_share\":[\"1\"]}", 400, "INVALID_SCHEMA"},
        {"{\"mode\":\"ring\",\"profile\":\"p8\",\"layer\":0,\"x_share\":[\"1\"]}", 400, "UNSUPPORTED_ENCODING"},
        {"{\"mode\":\"ring\",\"profile\":\"p25\",\"layer\":0,\"x_share\":[\"1\"]}", 400, "UNSUPPORTED_ENCODING"},
        {"{\"mode\":\"ring\",\"profile\":\"p24\",\"model\":\"other\",\"layer\":0,\"x_share\":[\"1\"]}", 404,
         "MODEL_NOT_FOUND"},
        {"{" P24 ",\"layer\":9,\"x_share\":[\"1\"]}", 404, "LAYER_NOT_FOUND"},
        {"{" P24 ",\"layer\":-1,\"x_share\":[\"1\"]}", 404, "LAYER_NOT_FOUND"},
        {"{" P24 ",\"layer\":\"tail\",\"x_share\":[\"1\"]}", 404, "LAYER_NOT_FOUND"},
        {"{" P24 ",\"layer\":0}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"x_share\":[\"1\"],\"x_share_b64\":\"AA==\"}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"x_share\":[\"1\"]}", 400, "SHAPE_MISMATCH"},
        {"{" P24 ",\"layer\":0,\"x_share\":\"1\"}", 400, "SHAPE_MISMATCH"},
        {"{" P24 ",\"layer\":0,\"x_share\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",12]}",
         400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"x_share\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
         "\"4503599627370496\"]}",
         400, "VALUE_OUT_OF_RANGE"},
        {"{" P24
         ",\"layer\":0,\"x_share\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"0x1\"]}",
         400, "INVALID_ENCODING"},
        {"{" P24 ",\"layer\":0,\"x_share_b64\":\"AA==\"}", 400, "SHAPE_MISMATCH"},
        {"{" P24 ",\"layer\":0,\"x_share_b64\":\"A*==\"}", 400, "SHAPE_MISMATCH"},
        {"{" P24 ",\"layer\":0,\"x_share_b64\":7}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"seed_b64\":\"AAAA\",\"suite\":1}", 400, "SHAPE_MISMATCH"},
        {"{" P24 ",\"layer\":0,\"seed_b64\":\"AAAA\",\"suite\":4}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"seed_b64\":\"AAAA\"}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"batch\":0,\"x_share\":[\"1\"]}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"batch\":70000,\"x_share\":[\"1\"]}", 400, "INVALID_SCHEMA"},
        {"{" P24 ",\"layer\":0,\"truncate_bits\":19,\"x_share\":[\"1\"]}", 400, "UNSUPPORTED_ENCODING"},
    };
    front *f = malloc(sizeof *f);

    (void)state;
    open_front(f, EIS_SPLIT_P24, false, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)ask(f, "/matmul", cases[i].body);
        assert_problem(f, cases[i].http_status, cases[i].code);
    }
    close_front(f);
    free(f);
}

static void sizes_are_bounded(void **state)
{
    static const char seed[] =
        "{" P24
        ",\"layer\":8,\"batch\":1000,\"suite\":1,\"seed_b64\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}";
    eis_split_server_config config;
    eis_split_offer offer;
    eis_address stream;
    front *f = malloc(sizeof *f);

    (void)state;
    open_front(f, EIS_SPLIT_P24, false, NULL);
    world_stop(&f->w, 0);
    config = world_server_config(&f->w, 0, &offer);
    config.http = config.http_plain = true;
    config.http_listen = (eis_address){.host = "127.0.0.1"};
    config.body_bytes_max = 1000;
    world_start(&f->w, 0, &config);
    eis_split_server_addresses(&stream, &f->http, f->w.servers[0]);
    /* A seed of 32 bytes must not make the server work for a batch that nobody could send in words. */
    (void)ask(f, "/matmul", seed); /* its answer would have 188,500 bytes */
    assert_problem(f, 413, "PAYLOAD_TOO_LARGE");
    memset(f->body, ' ', 2000);
    (void)ask(f, "/matmul", f->body);
    assert_problem(f, 413, "PAYLOAD_TOO_LARGE");
    close_front(f);
    free(f);
}

static void wrong_doors(void **state)
{
    front *f = malloc(sizeof *f);

    (void)state;
    open_front(f, EIS_SPLIT_P24, false, NULL);
    (void)ask(f, "/matmul", NULL);
    assert_problem(f, 405, "METHOD_NOT_ALLOWED");
    (void)ask(f, "/nothing", NULL);
    assert_problem(f, 404, "NOT_FOUND");
    (void)ask(f, "/v1/models/other", NULL);
    assert_problem(f, 404, "MODEL_NOT_FOUND");
    close_front(f);
    free(f);
}

/* ---- what is told ---- */

static void told(void **state)
{
    front *f = malloc(sizeof *f);
    eis_json_value value, layer;
    eis_json_doc *doc;
    eis_json_iter it;
    double r;

    (void)state;
    open_front(f, EIS_SPLIT_P24, false, NULL);
    assert_int_equal(ask(f, "/health", NULL), 200);
    doc = parse_answer(f);
    assert_member(doc, "status", "ok");
    eis_json_free(doc);
    assert_int_equal(ask(f, "/v1/models", NULL), 200);
    assert_non_null(
        strstr((const char *)f->call.answer, "\"name\":\"made\",\"profile\":\"p24\",\"weights_digest\":\""));
    assert_int_equal(ask(f, "/v1/models/made", NULL), 200);
    doc = parse_answer(f);
    assert_true(eis_json_find(&value, eis_json_root(doc), "layers"));
    assert_int_equal(eis_json_length(value), 9);
    it = eis_json_iterate(value);
    for (size_t i = 0; eis_json_next_element(&it, &layer); i++) {
        assert_true(eis_json_find(&value, layer, "name") && eis_json_string_is(value, f->w.model->linears[i].name));
        assert_true(eis_json_find(&value, layer, "row_norm") && eis_json_double(&r, value));
        assert_true(r == f->w.layers.layers[i].row_norm);
        assert_true(eis_json_find(&value, layer, "scales"));
        assert_int_equal(eis_json_length(value), f->w.model->linears[i].out);
    }
    eis_json_free(doc);
    close_front(f);
    free(f);
}

static void metrics(void **state)
{
    front *f = malloc(sizeof *f);
    const char *text;

    (void)state;
    open_front(f, EIS_SPLIT_P24, true, NULL);
    assert_int_equal(ask(f, "/matmul", "{\"x_share\":[1,2,3]}"), 200);
    assert_int_equal(ask(f, "/matmul", "{}"), 400);
    assert_int_equal(ask(f, "/metrics", NULL), 200);
    assert_string_equal(f->call.answer_media_type, "application/openmetrics-text");
    text = (const char *)f->call.answer;
    assert_string_equal(text + f->call.answer_bytes - 6, "# EOF\n");
    assert_non_null(strstr(text, "\neis_split_legacy_float_requests_total 1\n"));
    assert_non_null(strstr(text, "\neis_split_errors_total{code=\"INVALID_SCHEMA\"} 1\n"));
    assert_non_null(strstr(text, "# TYPE eis_split_requests counter\n"));
    assert_non_null(strstr(text, "\neis_models 1\n"));
    close_front(f);
    free(f);
}

/* ---- the original's protocol ---- */

/* The published client: shares over the reals, a partial answer each, summed. */
static void legacy_round_trip(void **state)
{
    front *f = malloc(sizeof *f);
    double y[2] = {0};

    (void)state;
    open_front(f, EIS_SPLIT_P24, true, NULL);
    static const char *const shares[] = {"{\"x_share\":[0.25,-3,1e1],\"extra\":null}", "{\"x_share\":[0.75,5,-7.5]}"};
    for (size_t s = 0; s < 2; s++) {
        eis_json_value array, value;
        eis_json_iter it;
        eis_json_doc *doc;
        double number;
        assert_int_equal(ask(f, "/matmul", shares[s]), 200);
        doc = parse_answer(f);
        assert_true(eis_json_find(&array, eis_json_root(doc), "y_partial"));
        assert_int_equal(eis_json_length(array), 2);
        it = eis_json_iterate(array);
        for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
            assert_true(eis_json_double(&number, value));
            assert_true((double)(float)number == number);
            y[i] += number;
        }
        eis_json_free(doc);
    }
    /* x = (1, 2, 2.5) */
    assert_true(fabs(y[0] - (0.5 - 2.5 + 7.5)) < 1e-5);
    assert_true(fabs(y[1] - (1e-3 + 0.2 - 0.75)) < 1e-5);
    (void)ask(f, "/matmul", "{\"x_share\":[1,2]}");
    assert_problem(f, 400, "SHAPE_MISMATCH");
    (void)ask(f, "/matmul", "{\"x_share\":[1,2,1e39]}");
    assert_problem(f, 400, "VALUE_OUT_OF_RANGE");
    (void)ask(f, "/matmul", "{\"x_share\":[1,2,null]}");
    assert_problem(f, 400, "INVALID_SCHEMA");
    (void)ask(f, "/matmul", "{\"x_share\":[1,2,NaN]}");
    assert_problem(f, 400, "INVALID_SCHEMA");
    close_front(f);
    free(f);
}

/* Every answer in floats says what it leaks, in a header that a proxy can log. */
static void legacy_is_labelled(void **state)
{
    static const char request[] =
        "POST /matmul HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n"
        "Connection: close\r\n\r\n{\"x_share\":[1,2,3]}";
    front *f = malloc(sizeof *f);
    struct sockaddr_in address = {.sin_family = AF_INET};
    char answer[4096] = "";
    size_t have = 0;
    ssize_t got;
    int fd;

    (void)state;
    open_front(f, EIS_SPLIT_P24, true, NULL);
    address.sin_port = htons(f->http.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    while ((got = recv(fd, answer + have, sizeof answer - 1 - have, 0)) > 0) have += (size_t)got;
    assert_non_null(strstr(answer, "200 OK"));
    assert_non_null(strstr(answer, "EIS-Privacy: leaks-input"));
    close(fd);
    close_front(f);
    free(f);
}

static void token_is_asked_for(void **state)
{
    static const char text[] = "a-token-of-some-length";
    front *f = malloc(sizeof *f);
    eis_token token;

    (void)state;
    assert_int_equal(eis_net_token_set(&token, text, sizeof text - 1), EIS_OK);
    open_front(f, EIS_SPLIT_P24, false, &token);
    assert_int_equal(ask(f, "/health", NULL), 200);
    (void)ask(f, "/v1/models", NULL);
    assert_problem(f, 401, "UNAUTHENTICATED");
    (void)ask(f, "/matmul", "{}");
    assert_problem(f, 401, "UNAUTHENTICATED");
    close_front(f);
    free(f);
}

/* REST in plain beyond this machine would show shares to everybody on the way. */
static void plain_stays_at_home(void **state)
{
    eis_split_server_config config;
    eis_split_server *server = NULL;
    eis_split_offer offer;
    world w;

    (void)state;
    world_prepare(&w, world_lm(), EIS_SPLIT_P24, 1);
    config = world_server_config(&w, 0, &offer);
    config.http = config.http_plain = true;
    config.http_listen = (eis_address){.host = "0.0.0.0"};
    assert_int_equal(eis_split_server_start(&server, &config), EIS_ERR_USAGE);
    assert_null(server);
    config.offer_count = 0;
    assert_int_equal(eis_split_server_start(&server, &config), EIS_ERR_USAGE);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_words),
        cmocka_unit_test(refusals),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(wrong_doors),
        cmocka_unit_test(told),
        cmocka_unit_test(metrics),
        cmocka_unit_test(legacy_round_trip),
        cmocka_unit_test(legacy_is_labelled),
        cmocka_unit_test(token_is_asked_for),
        cmocka_unit_test(plain_stays_at_home),
    };

    return cmocka_run_group_tests(tests, world_quiet, NULL);
}
