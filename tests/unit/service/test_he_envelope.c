/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the inference API: what is written reads back, and what is no message is refused for the right reason
 * without a word of it being believed. */
#include "service/he_envelope.h"

#include "base/mem.h"
#include "wire/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"model_id\":\"m\",\"version\":\"1\","

static const eis_he_request_limits any = {0};

static eis_span span_of(const char *text) { return (eis_span){(const uint8_t *)text, strlen(text)}; }

static eis_status parse_json(const char *text)
{
    eis_he_request request;
    eis_status st = eis_he_request_parse(&request, EIS_HE_MEDIA_JSON, span_of(text), &any);

    eis_he_request_clear(&request);
    return st;
}

static void requests_read_back(void **state)
{
    static const eis_he_encoding forms[] = {EIS_HE_HEX, EIS_HE_BASE64, EIS_HE_BINARY};
    uint8_t first[200], second[1];
    const eis_span payload[] = {{first, sizeof first}, {second, sizeof second}};
    eis_he_head head = {.model_id = "model",
                        .version = "1.2.3",
                        .has_batch = true,
                        .has_stage = true,
                        .has_keys = true,
                        .batch_size = 7,
                        .stage = 3};
    eis_he_request request;
    eis_writer body;

    (void)state;
    for (size_t i = 0; i < sizeof first; i++) first[i] = (uint8_t)(i * 37);
    second[0] = 0xab;
    memset(head.keys, 0x5a, sizeof head.keys);
    for (size_t f = 0; f < 3; f++) {
        eis_wire_writer_init(&body, 1 << 20);
        eis_he_request_write(&body, &head, forms[f], payload, 2);
        assert_int_equal(eis_wire_writer_status(&body), EIS_OK);
        if (eis_he_request_parse(&request, forms[f] == EIS_HE_BINARY ? EIS_HE_MEDIA_BINARY : EIS_HE_MEDIA_JSON,
                                 (eis_span){body.data, body.bytes}, &any) != EIS_OK)
            fail_msg("%s", eis_error_detail());
        assert_string_equal(request.head.model_id, "model");
        assert_string_equal(request.head.version, "1.2.3");
        assert_int_equal(request.head.batch_size, 7);
        assert_int_equal(request.head.stage, 3);
        assert_memory_equal(request.head.keys, head.keys, sizeof head.keys);
        assert_int_equal(request.input_count, 2);
        for (size_t i = 0; i < 2; i++) {
            uint8_t *memory;
            eis_span bytes;

            assert_int_equal(request.inputs[i].encoding, forms[f]);
            assert_int_equal(request.inputs[i].bytes, payload[i].bytes);
            assert_int_equal(eis_he_payload_open(&bytes, &memory, &request.inputs[i]), EIS_OK);
            assert_int_equal(bytes.bytes, payload[i].bytes);
            assert_memory_equal(bytes.data, payload[i].data, bytes.bytes);
            eis_mem_free(memory);
        }
        eis_he_request_clear(&request);
        eis_wire_writer_clear(&body);
    }
}

/* No text can pretend to be the number of another one: such a number is longer than any text that is not cut out. */
static void cut_texts_cannot_be_forged(void **state)
{
    char text[512];
    eis_he_json json;
    eis_json_value value;
    eis_span found;

    (void)state;
    snprintf(text, sizeof text, "{\"a\":\"%0*d\",\"b\":\"%064d\",\"c\":\"\\u0030%s\",\"d\":\"x\\\"%070d\\\\\"}", 65, 3,
             3, "0", 9);
    assert_int_equal(eis_he_json_parse(&json, "text", span_of(text), 4096, 16), EIS_OK);
    assert_int_equal(json.cut_count, 2);
    assert_true(eis_json_find(&value, eis_json_root(json.doc), "a"));
    assert_true(eis_he_json_is_cut(&json, value));
    assert_true(eis_he_json_text(&found, &json, value));
    assert_int_equal(found.bytes, 65);
    assert_int_equal(found.data[64], '3');
    assert_true(eis_json_find(&value, eis_json_root(json.doc), "b"));
    assert_false(eis_he_json_is_cut(&json, value));
    assert_true(eis_he_json_text(&found, &json, value));
    assert_int_equal(found.bytes, 64);
    assert_true(eis_json_find(&value, eis_json_root(json.doc), "d")); /* ends behind its escapes */
    assert_true(eis_he_json_text(&found, &json, value));
    assert_int_equal(found.bytes, 1 + 2 + 70 + 2);
    eis_he_json_clear(&json);
    assert_int_equal(eis_he_json_parse(&json, "text", span_of(text), 4096, 1), EIS_ERR_PARSE);
    assert_int_equal(eis_he_json_parse(&json, "text", span_of(text), 20, 16), EIS_ERR_TOO_LARGE);
    memset(text, '"', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(eis_he_json_parse(&json, "text", span_of(text), 4096, 16), EIS_ERR_PARSE);
    memset(text, 'x', sizeof text - 1);
    text[0] = '"';
    assert_int_equal(eis_he_json_parse(&json, "text", span_of(text), 4096, 16), EIS_ERR_PARSE); /* does not end */
}

static void schemas_are_strict(void **state)
{
    static const struct {
        const char *text;
        eis_status expected;
    } cases[] = {
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_OK},
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"\"}]}", EIS_OK}, /* its size is for a later step */
        {HEAD "\"api_version\":\"v1\",\"inputs\":[{\"encoding\":\"base64\",\"payload\":\"AA==\"}]}", EIS_OK},
        {HEAD "\"api_version\":\"1.0\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_OK},
        {HEAD "\"api_version\":\"1.1\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_VERSION},
        {HEAD "\"api_version\":1,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_VERSION},
        {HEAD "\"inputs\":{}}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{}]}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":1}]}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":null}]}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"length\":1}]}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{\"encoding\":1,\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"inputs\":[{\"encoding\":\"HEX\",\"payload\":\"00\"}]}", EIS_ERR_UNSUPPORTED},
        {HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"batch_size\":null,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"batch_size\":1.5,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"batch_size\":-1,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"stage\":64,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"evaluation_keys\":\"00\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD "\"evaluation_keys\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
              "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {"{\"version\":\"1\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {"{\"model_id\":\"\xff\",\"version\":\"1\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {"{\"model_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"version\":"
         "\"1\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", EIS_ERR_PARSE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (parse_json(cases[i].text) != cases[i].expected) fail_msg("%s: %s", cases[i].text, eis_error_detail());
}

static void too_many_inputs_are_refused_while_parsing(void **state)
{
    const eis_he_request_limits two = {.inputs_max = 2}, strict = {.strict_hex = true};
    static const char three[] = HEAD "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"},{\"encoding\":\"hex\","
                                     "\"payload\":\"00\"},{\"encoding\":\"hex\",\"payload\":\"00\"}]}";
    eis_he_request request;

    (void)state;
    assert_int_equal(eis_he_request_parse(&request, EIS_HE_MEDIA_JSON, span_of(three), &two), EIS_ERR_PARSE);
    assert_int_equal(eis_he_request_parse(&request, EIS_HE_MEDIA_JSON,
                                          span_of(HEAD "\"inputs\":[{\"encoding\":\"base64\",\"payload\":\"AA==\"}]}"),
                                          &strict),
                     EIS_ERR_UNSUPPORTED);
}

/* Each byte of a frame counts: none can be missing, and none be added. */
static void frames_are_whole_or_refused(void **state)
{
    uint8_t payload[70] = {1};
    const eis_span payloads[] = {{payload, sizeof payload}, {payload, 3}};
    const eis_he_head head = {.model_id = "m", .version = "1"};
    eis_he_request request;
    eis_writer body;

    (void)state;
    eis_wire_writer_init(&body, 1 << 20);
    eis_he_request_write(&body, &head, EIS_HE_BINARY, payloads, 2);
    for (size_t cut = 0; cut < body.bytes; cut++) {
        eis_status st = eis_he_request_parse(&request, EIS_HE_MEDIA_BINARY, (eis_span){body.data, cut}, &any);
        assert_int_equal(st, EIS_ERR_PARSE);
    }
    eis_wire_writer_u8(&body, 0);
    assert_int_equal(eis_he_request_parse(&request, EIS_HE_MEDIA_BINARY, (eis_span){body.data, body.bytes}, &any),
                     EIS_ERR_PARSE);
    body.bytes--;
    body.data[eis_round_up(8 + eis_load_le32(body.data + 4), 64) + 70] = 1; /* padding in front of the second */
    assert_int_equal(eis_he_request_parse(&request, EIS_HE_MEDIA_BINARY, (eis_span){body.data, body.bytes}, &any),
                     EIS_ERR_PARSE);
    eis_store_le32(body.data + 4, UINT32_MAX);
    assert_int_equal(eis_he_request_parse(&request, EIS_HE_MEDIA_BINARY, (eis_span){body.data, body.bytes}, &any),
                     EIS_ERR_PARSE);
    eis_wire_writer_clear(&body);
}

static void key_sets_read_back(void **state)
{
    const uint8_t relin[100] = {7}, galois[65] = {8};
    eis_he_keys_body set = {.model_id = "m", .version = "1"}, read;
    eis_writer body;

    (void)state;
    set.part[EIS_HE_PART_RELIN] = (eis_span){relin, sizeof relin};
    set.part[EIS_HE_PART_GALOIS] = (eis_span){galois, sizeof galois};
    eis_wire_writer_init(&body, 1 << 20);
    eis_he_keys_body_write(&body, &set);
    assert_int_equal(eis_he_keys_body_read(&read, (eis_span){body.data, body.bytes}), EIS_OK);
    assert_int_equal(read.part[EIS_HE_PART_RELIN].bytes, sizeof relin);
    assert_memory_equal(read.part[EIS_HE_PART_GALOIS].data, galois, sizeof galois);
    assert_int_equal(read.part[EIS_HE_PART_PUBLIC].bytes, 0);
    assert_int_equal(read.part[EIS_HE_PART_SET].bytes, 0);
    for (size_t cut = 0; cut < body.bytes; cut++)
        assert_int_equal(eis_he_keys_body_read(&read, (eis_span){body.data, cut}), EIS_ERR_PARSE);
    eis_wire_writer_clear(&body);
}

static void a_part_named_twice_is_refused(void **state)
{
    static const char text[] = "{\"model_id\":\"m\",\"version\":\"1\",\"parts\":[{\"name\":\"relin\",\"length\":1},"
                               "{\"name\":\"relin\",\"length\":1}]}";
    uint8_t body[512] = "EISI";
    eis_he_keys_body read;

    (void)state;
    eis_store_le32(body + 4, sizeof text - 1);
    memcpy(body + 8, text, sizeof text - 1);
    assert_int_equal(eis_he_keys_body_read(&read, (eis_span){body, eis_round_up(8 + sizeof text - 1, 64) + 65}),
                     EIS_ERR_PARSE);
    assert_non_null(strstr(eis_error_detail(), "twice"));
}

static void digests_have_one_name(void **state)
{
    char text[65];
    uint8_t digest[EIS_HE_DIGEST_BYTES];

    (void)state;
    memset(text, 'a', 64);
    text[64] = '\0';
    assert_true(eis_he_digest_read(digest, text, 64));
    assert_false(eis_he_digest_read(digest, text, 62));
    text[9] = 'A';
    assert_false(eis_he_digest_read(digest, text, 64));
    text[9] = 'g';
    assert_false(eis_he_digest_read(digest, text, 64));
}

/* ---- Jobs ---- */

static eis_status read_job(eis_he_job *job, const char *text)
{
    return eis_he_job_read(job, EIS_HE_MEDIA_JSON, span_of(text), 4);
}

static void jobs_read_back(void **state)
{
    static const eis_he_encoding forms[] = {EIS_HE_HEX, EIS_HE_BASE64, EIS_HE_BINARY};
    uint8_t bytes[3][100];
    eis_he_payload payloads[3];
    eis_he_job job = {.job_id = "0123456789abcdef0123456789abcdef",
                      .state = EIS_HE_JOB_COMPLETED,
                      .model_id = "m",
                      .version = "1.0.0",
                      .created_ms = 1700000000123,
                      .updated_ms = 1700000001000,
                      .batch_size = 5},
               read;
    eis_writer body;

    (void)state;
    memset(bytes, 0x42, sizeof bytes);
    for (size_t i = 0; i < 3; i++)
        payloads[i] = (eis_he_payload){EIS_HE_BINARY, {bytes[i], sizeof bytes[i] - i}, sizeof bytes[i] - i};
    job.payloads = payloads;
    for (size_t f = 0; f < 3; f++)
        for (job.payload_count = 1; job.payload_count <= 3; job.payload_count++) {
            eis_wire_writer_init(&body, 1 << 20);
            eis_he_job_write(&body, &job, forms[f]);
            assert_int_equal(eis_wire_writer_status(&body), EIS_OK);
            if (eis_he_job_read(&read, forms[f] == EIS_HE_BINARY ? EIS_HE_MEDIA_BINARY : EIS_HE_MEDIA_JSON,
                                (eis_span){body.data, body.bytes}, 3) != EIS_OK)
                fail_msg("%s", eis_error_detail());
            assert_int_equal(read.state, EIS_HE_JOB_COMPLETED);
            assert_string_equal(read.job_id, job.job_id);
            assert_int_equal(read.batch_size, 5);
            assert_int_equal(read.payload_count, job.payload_count);
            for (size_t i = 0; i < read.payload_count; i++) assert_int_equal(read.payloads[i].bytes, payloads[i].bytes);
            eis_he_job_clear(&read);
            /* A client that plans fewer ciphertexts takes none. */
            if (job.payload_count > 1)
                assert_int_equal(eis_he_job_read(&read,
                                                 forms[f] == EIS_HE_BINARY ? EIS_HE_MEDIA_BINARY : EIS_HE_MEDIA_JSON,
                                                 (eis_span){body.data, body.bytes}, 1),
                                 EIS_ERR_PROTOCOL);
            if (f == 0 && job.payload_count == 1) {
                eis_wire_writer_u8(&body, 0);
                assert_non_null(strstr((const char *)body.data, "2023-11-14T22:13:20.123Z"));
            }
            eis_wire_writer_clear(&body);
        }
}

static void failed_jobs_say_why(void **state)
{
    eis_he_job job = {.job_id = "0123456789abcdef0123456789abcdef",
                      .state = EIS_HE_JOB_FAILED,
                      .model_id = "m",
                      .version = "1",
                      .error = EIS_ERR_INTERRUPTED,
                      .retryable = true,
                      .message = "the \"server\" ended"},
               read;
    eis_writer body;

    (void)state;
    eis_wire_writer_init(&body, 1 << 20);
    eis_he_job_write(&body, &job, EIS_HE_HEX);
    assert_int_equal(eis_he_job_read(&read, EIS_HE_MEDIA_JSON, (eis_span){body.data, body.bytes}, 1), EIS_OK);
    assert_int_equal(read.state, EIS_HE_JOB_FAILED);
    assert_int_equal(read.error, EIS_ERR_INTERRUPTED);
    assert_true(read.retryable);
    assert_string_equal(read.message, "the \"server\" ended");
    eis_he_job_clear(&read);
    eis_wire_writer_clear(&body);
}

/* The three descriptions of the original, and its client's habits. */
static void jobs_of_older_servers_are_understood(void **state)
{
    eis_he_job job;

    (void)state;
    assert_int_equal(read_job(&job,
                              "{\"status\":\"done\",\"job_id\":\"x\",\"result\":\"eyJtb2RlbF9pZCI6Im0iLCJ2ZXJzaW9uIj"
                              "oiMSIsInBheWxvYWQiOiIwMGZmIn0=\"}"),
                     EIS_OK);
    assert_int_equal(job.state, EIS_HE_JOB_COMPLETED);
    assert_string_equal(job.model_id, "m");
    assert_int_equal(job.payloads[0].bytes, 2);
    eis_he_job_clear(&job);
    assert_int_equal(read_job(&job, "{\"status\":\"completed\",\"job_id\":\"x\"}"), EIS_OK); /* of POST /infer */
    assert_int_equal(job.payload_count, 0);
    eis_he_job_clear(&job);
    assert_int_equal(read_job(&job, "{\"model_id\":\"m\",\"version\":\"1\",\"payload\":\"00\"}"), EIS_OK);
    assert_int_equal(job.state, EIS_HE_JOB_COMPLETED);
    eis_he_job_clear(&job);
    assert_int_equal(read_job(&job, "{\"status\":\"pending\"}"), EIS_OK);
    assert_int_equal(job.state, EIS_HE_JOB_QUEUED);
    eis_he_job_clear(&job);
    assert_int_equal(read_job(&job, "{\"status\":\"failed\",\"error\":\"boom\"}"), EIS_OK);
    assert_string_equal(job.message, "boom");
    assert_int_equal(job.error, EIS_ERR_JOB_FAILED);
    eis_he_job_clear(&job);
    assert_int_equal(read_job(&job, "{\"status\":\"failed\",\"error_message\":\"\\u0007 boom\"}"), EIS_OK);
    eis_he_job_clear(&job);
}

static void what_is_no_job_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"status\":\"dreaming\"}",
        "{\"status\":\"completed\",\"result\":[]}",
        "{\"status\":\"completed\",\"result\":{}}",
        "{\"status\":\"completed\",\"result\":\"???\"}",
        "{\"status\":\"completed\",\"result\":{\"payload\":1}}",
        "{\"status\":\"completed\",\"result\":{\"encoding\":\"binary\",\"payload\":\"00\"}}",
        "{\"status\":\"completed\",\"result\":{\"payloads\":[]}}",
        "{\"status\":\"completed\",\"result\":{\"payloads\":[\"00\",\"00\",\"00\",\"00\",\"00\"]}}",
    };
    eis_he_job job;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(read_job(&job, texts[i]), EIS_ERR_PROTOCOL);
    assert_int_equal(read_job(&job, "{\"api_version\":\"2.0.0\",\"status\":\"queued\"}"), EIS_ERR_VERSION);
    assert_int_equal(read_job(&job, "{\"api_version\":\"1.7.0\",\"status\":\"queued\"}"), EIS_OK);
    eis_he_job_clear(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_read_back),
        cmocka_unit_test(cut_texts_cannot_be_forged),
        cmocka_unit_test(schemas_are_strict),
        cmocka_unit_test(too_many_inputs_are_refused_while_parsing),
        cmocka_unit_test(frames_are_whole_or_refused),
        cmocka_unit_test(key_sets_read_back),
        cmocka_unit_test(a_part_named_twice_is_refused),
        cmocka_unit_test(digests_have_one_name),
        cmocka_unit_test(jobs_read_back),
        cmocka_unit_test(failed_jobs_say_why),
        cmocka_unit_test(jobs_of_older_servers_are_understood),
        cmocka_unit_test(what_is_no_job_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
