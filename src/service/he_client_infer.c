/* SPDX-License-Identifier: Apache-2.0 */
/* One request: ciphertexts out, a job, ciphertexts back. Everything a reply can be wrong in is found before it is
 * decrypted. */
#include "base/clock.h"
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "engine/he/interactive.h"
#include "engine/he/recover.h"
#include "rand/entropy.h"
#include "service/he_client_internal.h"
#include "service/he_envelope_internal.h"
#include "wire/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GROUP          16u /* ciphertexts that are encrypted at once */
#define RESUBMISSIONS  2u  /* of a job that failed and may be tried again */
#define POLL_MS_FIRST  50u
#define POLL_MS_MAX    1000u
#define KEY_LINE_BYTES 64

/* ---- the request ---- */

/* A request as it is sent; its payloads lie in the body, or in `loose` where the body holds them as text. */
typedef struct message {
    eis_writer body;
    eis_span *payload; /* [count] */
    uint8_t *loose;
    size_t count, bytes_each;
    eis_he_head head;
    char key_line[KEY_LINE_BYTES];
} message;

static void clear_message(message *m)
{
    eis_wire_writer_clear(&m->body);
    eis_mem_free(m->payload);
    eis_mem_free(m->loose);
}

/* A key for this request alone: random, so that it tells nothing. */
static eis_status draw_key(message *m)
{
    uint8_t random[16];
    char hex[2 * sizeof random + 1];
    eis_status st = eis_entropy_draw(random, sizeof random);

    if (st != EIS_OK) return st;
    eis_wire_hex_write(hex, random, sizeof random);
    snprintf(m->key_line, sizeof m->key_line, "Idempotency-Key: %s", hex);
    return EIS_OK;
}

static void fill_head(message *m, const eis_he_remote *r, uint32_t stage, size_t batch)
{
    snprintf(m->head.model_id, sizeof m->head.model_id, "%s", r->info.model_id);
    snprintf(m->head.version, sizeof m->head.version, "%s", r->info.version);
    m->head.has_batch = true;
    m->head.batch_size = batch;
    m->head.has_stage = stage > 0;
    m->head.stage = stage;
    m->head.has_keys = r->needs_keys;
    memcpy(m->head.keys, r->digest, sizeof m->head.keys);
}

/* Where payload i of a binary message lies: they are of one size, and behind the last there is nothing. */
static uint8_t *place_of(message *m, eis_he_encoding encoding, size_t i)
{
    if (encoding != EIS_HE_BINARY) return m->loose + i * m->bytes_each;
    return m->body.data + m->body.bytes - m->bytes_each -
           (m->count - 1 - i) * eis_round_up(m->bytes_each, EIS_HE_PAYLOAD_ALIGN);
}

/* Makes the room for all ciphertexts: a large batch would not fit into memory twice. */
static eis_status make_room(message *m, const eis_he_remote *r)
{
    eis_status st = EIS_OK;
    uint8_t *zeros = NULL;

    EIS_NEW(m->payload, m->count);
    if (r->encoding == EIS_HE_BINARY) {
        EIS_NEW(zeros, m->bytes_each);
        for (size_t i = 0; i < m->count; i++) m->payload[i] = (eis_span){zeros, m->bytes_each};
        eis_he_request_write(&m->body, &m->head, r->encoding, m->payload, m->count);
        EIS_TRY(eis_wire_writer_status(&m->body));
    } else {
        EIS_NEW(m->loose, m->count * m->bytes_each); /* below request_bytes_max */
    }
    for (size_t i = 0; i < m->count; i++) m->payload[i] = (eis_span){place_of(m, r->encoding, i), m->bytes_each};
out:
    eis_mem_free(zeros);
    return st;
}

/* A group of ciphertexts in the making. */
typedef struct group {
    const eis_he_sealed *source;
    uint32_t first;
    eis_ckks_ct ct[GROUP];
    eis_status st[GROUP];
} group;

static void seal_some(void *context, size_t first, size_t last)
{
    group *g = context;

    for (size_t i = first; i < last; i++)
        g->st[i] = g->source->next(g->source->context, g->first + (uint32_t)i, &g->ct[i]);
}

static eis_status write_group(message *m, const group *g, size_t count, eis_he_encoding encoding, eis_writer *scratch)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < count; i++) {
        EIS_TRY(g->st[i]);
        eis_wire_writer_rewind(scratch);
        eis_ckks_ct_write(scratch, &g->ct[i], (eis_seal_style){0}, true);
        EIS_TRY(eis_wire_writer_status(scratch));
        EIS_ASSERT(scratch->bytes == m->bytes_each);
        memcpy(place_of(m, encoding, g->first + i), scratch->data, scratch->bytes);
    }
out:
    return st;
}

static eis_status seal_all(message *m, const eis_he_remote *r, const eis_he_sealed *source)
{
    eis_status st = EIS_OK;
    group g = {.source = source};
    eis_writer scratch;

    eis_wire_writer_init(&scratch, m->bytes_each);
    for (size_t first = 0; first < m->count; first += GROUP) {
        size_t count = m->count - first < GROUP ? m->count - first : GROUP;
        g.first = (uint32_t)first;
        eis_pool_run(r->pool, count, 1, seal_some, &g);
        EIS_TRY(write_group(m, &g, count, r->encoding, &scratch));
    }
out:
    for (size_t i = 0; i < GROUP; i++) eis_ckks_ct_clear(&g.ct[i]);
    eis_wire_writer_clear(&scratch);
    return st;
}

static eis_status make_message(message *m, const eis_he_remote *r, uint32_t stage, size_t batch,
                               const eis_he_sealed *source)
{
    const eis_he_packing *in = &r->contract.stage[stage].input;
    eis_status st = EIS_OK;

    m->count = in->ciphertexts;
    m->bytes_each = eis_ckks_ct_bytes(r->client.params, 2, in->limbs, EIS_SEAL_FORM_4_1, true);
    eis_wire_writer_init(&m->body, 3 * r->request_bytes_max + 65536);
    fill_head(m, r, stage, batch);
    EIS_TRY(draw_key(m));
    EIS_TRY(make_room(m, r));
    EIS_TRY(seal_all(m, r, source));
    if (r->encoding != EIS_HE_BINARY) {
        eis_he_request_write(&m->body, &m->head, r->encoding, m->payload, m->count);
        EIS_TRY(eis_wire_writer_status(&m->body));
    }
out:
    return st;
}

/* The same ciphertexts beside the digest of another set of keys: another body, hence another Idempotency-Key. */
static eis_status name_other_keys(message *m, const eis_he_remote *r)
{
    eis_status st = EIS_OK;
    eis_writer old = m->body;

    eis_wire_writer_init(&m->body, old.bytes_max);
    memcpy(m->head.keys, r->digest, sizeof m->head.keys);
    eis_he_request_write(&m->body, &m->head, r->encoding, m->payload, m->count);
    EIS_TRY(eis_wire_writer_status(&m->body));
    for (size_t i = 0; r->encoding == EIS_HE_BINARY && i < m->count; i++)
        m->payload[i].data = place_of(m, r->encoding, i);
    EIS_TRY(draw_key(m));
out:
    eis_wire_writer_clear(&old);
    return st;
}

/* ---- the job ---- */

static const char *accept_line(const eis_he_remote *r)
{
    return r->encoding == EIS_HE_BINARY ? "Accept: " EIS_HE_MEDIA_BIN_TEXT : "Accept: " EIS_HE_MEDIA_JSON_TEXT;
}

static eis_status read_job(eis_he_job *job, const eis_he_remote *r, const eis_http_call *call, uint32_t stage)
{
    eis_status st = EIS_OK;
    eis_he_media media;

    EIS_REQUIRE(eis_he_media_parse(&media, call->answer_media_type), EIS_ERR_PROTOCOL,
                "the server's job has the media type \"%s\"", call->answer_media_type);
    EIS_TRY(eis_he_job_read(job, media, (eis_span){call->answer, call->answer_bytes},
                            r->contract.stage[stage].output.ciphertexts));
out:
    return st;
}

static eis_status submit(eis_he_remote *r, eis_http_call *call, const message *m, uint32_t stage, eis_he_job *job)
{
    eis_status st = EIS_OK;
    char wait_line[32];
    const eis_he_ask ask = {.method = "POST",
                            .path = "/infer",
                            .media_type = r->encoding == EIS_HE_BINARY ? EIS_HE_MEDIA_BIN_TEXT : EIS_HE_MEDIA_JSON_TEXT,
                            .body = {m->body.data, m->body.bytes},
                            .line = {accept_line(r), m->key_line, wait_line},
                            .line_count = 3};

    snprintf(wait_line, sizeof wait_line, "Prefer: wait=%u", r->wait_s);
    EIS_TRY(eis_he_link_run(r->link, call, NULL, &ask));
    EIS_TRY(read_job(job, r, call, stage));
    EIS_REQUIRE(job->job_id[0] != '\0', EIS_ERR_PROTOCOL, "the server accepted a request and named no job");
out:
    return st;
}

/* Waits until the job has ended. The original says "completed" at once and keeps the result for GET. */
static eis_status await_job(eis_he_remote *r, eis_http_call *call, uint32_t stage, eis_he_job *job)
{
    uint64_t deadline_ns = eis_clock_ns() + (uint64_t)r->job_timeout_ms * 1000000;
    eis_status st = EIS_OK;
    uint32_t ms = POLL_MS_FIRST;
    char id[EIS_HE_JOB_ID_BYTES], path[sizeof "/jobs/" + EIS_HE_JOB_ID_BYTES];
    const eis_he_ask ask = {.method = "GET", .path = path, .line = {accept_line(r)}, .line_count = 1};
    bool asked = false;

    memcpy(id, job->job_id, sizeof id);
    snprintf(path, sizeof path, "/jobs/%s", id);
    while (job->state != EIS_HE_JOB_FAILED && (job->state != EIS_HE_JOB_COMPLETED || job->payload_count == 0)) {
        EIS_REQUIRE(!asked || job->state != EIS_HE_JOB_COMPLETED, EIS_ERR_PROTOCOL, "a completed job has no result");
        EIS_REQUIRE(eis_clock_ns() < deadline_ns, EIS_ERR_TIMEOUT, "the server did not finish the job in %u s",
                    r->job_timeout_ms / 1000);
        if (job->state != EIS_HE_JOB_COMPLETED) EIS_TRY(eis_he_link_pause(r->link, ms));
        ms = ms * 2 > POLL_MS_MAX ? POLL_MS_MAX : ms * 2;
        eis_he_job_clear(job);
        EIS_TRY(eis_he_link_run(r->link, call, NULL, &ask));
        r->report.polls++;
        EIS_TRY(read_job(job, r, call, stage));
        EIS_REQUIRE(job->job_id[0] == '\0' || strcmp(job->job_id, id) == 0, EIS_ERR_INTEGRITY,
                    "the server answered with another job than was asked for");
        asked = true;
    }
out:
    return st;
}

static eis_status fail_of_job(const eis_he_job *job)
{
    eis_status st = job->error == EIS_OK ? EIS_ERR_JOB_FAILED : job->error;

    return eis_fail(st, "the server's job failed: %s%s%s", eis_status_code(st), job->message[0] != '\0' ? ": " : "",
                    job->message);
}

/* Sends until there is a result. A server may have forgotten the keys: then once more with new ones. */
static eis_status run_job(eis_he_remote *r, eis_http_call *call, message *m, uint32_t stage, eis_he_job *job)
{
    eis_status st;
    bool keys_are_new = false;

    for (unsigned failures = 0;;) {
        eis_he_job_clear(job);
        st = submit(r, call, m, stage, job);
        if ((st == EIS_ERR_KEYS_REQUIRED || st == EIS_ERR_KEYS_NOT_FOUND) && r->needs_keys && !keys_are_new) {
            keys_are_new = true;
            EIS_TRY(eis_he_remote_upload_afresh(r));
            EIS_TRY(name_other_keys(m, r));
            continue;
        }
        EIS_TRY(st);
        EIS_TRY(await_job(r, call, stage, job));
        if (job->state == EIS_HE_JOB_COMPLETED) return EIS_OK;
        st = fail_of_job(job);
        if (!job->retryable || ++failures > RESUBMISSIONS) return st;
        r->report.retries++;
        EIS_TRY(eis_he_link_pause(r->link, 200u << failures));
    }
out:
    return st;
}

/* ---- the reply ---- */

static eis_status read_reply_ct(eis_ckks_ct *ct, const eis_he_remote *r, const eis_he_output *out,
                                const eis_he_payload *payload)
{
    const eis_ckks_ct_rules rules = {
        .polys = out->polys, .limbs = out->limbs, .scale = out->scale, .full_only = true, .plain_only = true};
    eis_status st = EIS_OK;
    uint8_t *memory = NULL;
    eis_span bytes = {0};

    EIS_REQUIRE(payload->bytes ==
                        eis_ckks_ct_bytes(r->client.params, out->polys, out->limbs, EIS_SEAL_FORM_4_1, false) ||
                    payload->bytes ==
                        eis_ckks_ct_bytes(r->client.params, out->polys, out->limbs, EIS_SEAL_FORM_UNIVERSAL, false),
                EIS_ERR_CIPHERTEXT, "%zu bytes are none of the planned sizes", payload->bytes);
    EIS_TRY(eis_he_payload_open(&bytes, &memory, payload));
    EIS_TRY(eis_ckks_ct_read(ct, NULL, r->client.params, &rules, bytes.data, bytes.bytes));
out:
    eis_mem_free(memory);
    return st;
}

/* Only public facts: names, sizes, levels, scales, words below their primes. */
static eis_status read_reply(eis_ckks_ct *reply, const eis_he_remote *r, uint32_t stage, size_t batch,
                             const eis_he_job *job)
{
    const eis_he_output *out = &r->contract.stage[stage].output;
    eis_status st = EIS_OK;

    EIS_REQUIRE(strcmp(job->model_id, r->info.model_id) == 0 && strcmp(job->version, r->info.version) == 0,
                EIS_ERR_INTEGRITY, "the reply is of another model than was asked for");
    EIS_REQUIRE(job->payload_count == out->ciphertexts, EIS_ERR_INTEGRITY, "the reply has %zu ciphertexts, not %u",
                job->payload_count, out->ciphertexts);
    EIS_REQUIRE(job->batch_size == 0 || job->batch_size == batch, EIS_ERR_INTEGRITY,
                "the reply is of another number of inputs than were sent");
    for (uint32_t i = 0; i < out->ciphertexts; i++) {
        st = read_reply_ct(&reply[i], r, out, &job->payloads[i]);
        if (st != EIS_OK && st != EIS_ERR_MEMORY)
            st = eis_fail_prefix(EIS_ERR_INTEGRITY, "ciphertext %u of the reply is not what was promised", i);
        EIS_TRY(st);
    }
out:
    return st;
}

eis_status eis_he_remote_exchange(eis_he_remote *r, eis_ckks_ct *reply, uint32_t stage, size_t batch,
                                  const eis_he_sealed *source)
{
    const uint32_t replies = r->contract.stage[stage].output.ciphertexts;
    uint64_t begin = eis_clock_ns(), sealed;
    eis_status st = EIS_OK;
    eis_http_call call = {0};
    eis_he_job job = {0};
    message m = {0};

    EIS_ASSERT(stage < r->contract.stage_count && batch > 0 && batch <= r->contract.batch_max);
    EIS_TRY(eis_he_remote_upload(r));
    begin = eis_clock_ns();
    EIS_TRY(make_message(&m, r, stage, batch, source));
    sealed = eis_clock_ns();
    r->report.protect_ns += sealed - begin;
    r->report.requests++;
    r->report.request_bytes_last = m.body.bytes;
    EIS_TRY(run_job(r, &call, &m, stage, &job));
    EIS_TRY(read_reply(reply, r, stage, batch, &job));
    r->report.exchange_ns += eis_clock_ns() - sealed;
out:
    for (uint32_t i = 0; st != EIS_OK && i < replies; i++) eis_ckks_ct_clear(&reply[i]);
    eis_he_job_clear(&job);
    eis_net_http_call_clear(&call);
    clear_message(&m);
    return st;
}

/* ---- inputs to outputs ---- */

/* What one request hides. */
typedef struct plain_batch {
    const eis_he_remote *remote;
    const double *x; /* [batch][size] */
    size_t batch;
} plain_batch;

static eis_status protect_next(void *context, uint32_t index, eis_ckks_ct *ct)
{
    const plain_batch *b = context;

    return eis_he_protect(ct, &b->remote->client, 0, index, b->x, b->batch);
}

/* Looks at the inputs before anything is sent: what is not finite is refused, what is beyond the bound is counted. */
static eis_status look_at_inputs(eis_he_remote *r, const double *x, size_t count)
{
    size_t size = r->contract.stage[0].input.size;

    for (size_t i = 0; i < count; i++) {
        bool beyond = false;
        for (size_t j = 0; j < size; j++) {
            if (!isfinite(x[i * size + j])) return eis_fail(EIS_ERR_RANGE, "a number of an input is not finite");
            beyond |= fabs(x[i * size + j]) > r->contract.input_max;
        }
        r->report.beyond += beyond && r->contract.input_max > 0;
    }
    return EIS_OK;
}

/* One request for as many inputs as the contract allows. */
static eis_status infer_batches(eis_he_remote *r, double *y, const double *x, size_t count, const eis_he_watch *watch)
{
    const size_t size = eis_he_remote_size(r), values = eis_he_remote_values(r), most = r->contract.batch_max;
    const uint32_t replies = r->contract.stage[0].output.ciphertexts;
    const eis_he_publish publish = {.bits = r->publish_bits, .values = (uint64_t)count * values};
    eis_status st = EIS_OK, recovered = EIS_OK;
    eis_ckks_ct *reply = NULL;

    EIS_NEW(reply, replies);
    for (size_t first = 0; first < count; first += most) {
        size_t batch = count - first < most ? count - first : most;
        plain_batch b = {.remote = r, .x = x + first * size, .batch = batch};
        uint64_t begin;
        eis_status one;

        EIS_TRY(eis_he_remote_exchange(r, reply, 0, batch, &(eis_he_sealed){&b, protect_next}));
        begin = eis_clock_ns();
        one = eis_he_recover(y + first * values, &r->client, 0, reply, batch, &publish);
        if (recovered == EIS_OK) recovered = one; /* told at the end: the network sees the same requests either way */
        r->report.recover_ns += eis_clock_ns() - begin;
        if (watch != NULL) watch->progress(watch->context, (double)(first + batch) / (double)count);
    }
    st = recovered;
out:
    for (uint32_t i = 0; reply != NULL && i < replies; i++) eis_ckks_ct_clear(&reply[i]);
    eis_mem_free(reply);
    return st;
}

/* ---- rounds ---- */

/* Hands over what the engine has encrypted. */
static eis_status give_next(void *context, uint32_t index, eis_ckks_ct *ct)
{
    eis_ckks_ct *request = context;

    eis_ckks_ct_clear(ct);
    *ct = request[index];
    request[index] = (eis_ckks_ct){0};
    return EIS_OK;
}

static eis_status run_round(void *context, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request)
{
    return eis_he_remote_exchange(context, answer, stage, 1, &(eis_he_sealed){request, give_next});
}

static eis_status infer_rounds(eis_he_remote *r, double *y, const double *x, size_t count, const eis_he_watch *watch)
{
    const size_t size = eis_he_remote_size(r), values = eis_he_remote_values(r);
    const eis_he_transport transport = {r, run_round};
    eis_status st = EIS_OK;

    for (size_t i = 0; i < count; i++) {
        EIS_TRY(eis_he_interactive_run(y + i * values, &r->client, &transport, x + i * size));
        if (watch != NULL) watch->progress(watch->context, (double)(i + 1) / (double)count);
    }
out:
    return st;
}

size_t eis_he_remote_size(const eis_he_remote *r) { return r->contract.stage[0].input.size; }

size_t eis_he_remote_values(const eis_he_remote *r)
{
    return r->contract.interactive ? eis_he_interactive_count(&r->contract) : r->contract.stage[0].output.count;
}

eis_status eis_he_remote_infer(eis_he_remote *r, double *y, const double *x, size_t count, const eis_he_watch *watch)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(r->contract.interactive || r->contract.stage_count == 1);
    EIS_TRY(look_at_inputs(r, x, count));
    EIS_TRY(r->contract.interactive ? infer_rounds(r, y, x, count, watch) : infer_batches(r, y, x, count, watch));
out:
    if (st != EIS_OK) eis_mem_wipe(y, count * eis_he_remote_values(r) * sizeof *y);
    return st;
}
