/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that can be wrong in any way, and the model that they are for. */
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "cli/conform.h"
#include "engine/he/protect.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_BYTES_MAX ((size_t)1 << 30)
#define ALIGN             64u

static void put(eis_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(eis_writer *w, const char *format, ...)
{
    char text[512];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    EIS_ASSERT(length >= 0 && length < (int)sizeof text);
    eis_wire_writer_bytes(w, text, (size_t)length);
}

static void put_hex(eis_writer *w, eis_span bytes)
{
    uint8_t *room = eis_wire_writer_reserve(w, 2 * bytes.bytes + 1);

    if (room == NULL) return;
    eis_wire_hex_write((char *)room, bytes.data, bytes.bytes);
    w->bytes--; /* the zero behind the text */
}

/* ---- one input ---- */

static void put_input(eis_writer *w, const eis_conform *c, const eis_conform_request *r, uint32_t i, eis_span payload)
{
    bool base64 = !r->binary && c->profile == EIS_CONFORM_DOCUMENTED && r->encoding == NULL;
    const char *encoding = r->encoding != NULL ? r->encoding : r->binary ? "binary" : base64 ? "base64" : "hex";

    put(w, "%s{", i > 0 ? "," : "");
    if (*encoding != '\0') put(w, "\"encoding\":\"%s\",", encoding);
    if (r->binary) {
        put(w, "\"length\":%zu}", payload.bytes);
        return;
    }
    put(w, "\"payload\":\"");
    if (r->text != NULL && i == 0)
        eis_wire_writer_bytes(w, r->text, strlen(r->text));
    else if (strcmp(encoding, "base64") == 0)
        eis_wire_base64_write(w, payload.data, payload.bytes);
    else
        put_hex(w, payload);
    put(w, "\"}");
}

static void put_members(eis_writer *w, const eis_conform *c, const eis_conform_request *r)
{
    const eis_conform_target *t = &c->target;
    const char *model_id = r->model_id != NULL ? r->model_id : t->info->model_id;
    const char *version = r->version != NULL ? r->version : t->info->version;

    put(w, "{%s", r->extra != NULL ? r->extra : "");
    if (*model_id != '\0') put(w, "\"model_id\":\"%s\",", model_id);
    if (*version != '\0') put(w, "\"version\":\"%s\",", version);
    if (c->profile != EIS_CONFORM_DOCUMENTED)
        put(w, "\"batch_size\":%llu,", (unsigned long long)(r->batch_size != 0 ? r->batch_size : 1));
    if (t->needs_keys && !r->no_keys) put(w, "\"evaluation_keys\":\"%s\",", r->keys != NULL ? r->keys : t->digest);
    put(w, "\"inputs\":[");
}

void eis_conform_frame(eis_writer *w, const char *json, const eis_span *payload, size_t count)
{
    size_t begin = w->bytes;

    eis_wire_writer_bytes(w, "EISI", 4);
    eis_wire_writer_u32(w, (uint32_t)strlen(json));
    eis_wire_writer_bytes(w, json, strlen(json));
    for (size_t i = 0; i < count; i++) {
        eis_wire_writer_zeros(w, eis_round_up(w->bytes - begin, ALIGN) - (w->bytes - begin));
        eis_wire_writer_bytes(w, payload[i].data, payload[i].bytes);
    }
}

void eis_conform_write(eis_writer *w, const eis_conform *c, const eis_conform_request *r)
{
    const eis_span *payload = r->payload != NULL ? r->payload : c->target.seeded;
    const uint32_t count = r->count != 0 ? r->count : c->target.count;
    const uint32_t have = r->payload_count != 0 ? r->payload_count : c->target.count;
    eis_writer json;

    eis_wire_writer_init(&json, REQUEST_BYTES_MAX);
    put_members(&json, c, r);
    for (uint32_t i = 0; i < count; i++) put_input(&json, c, r, i, payload[i < have ? i : 0]);
    put(&json, "]}");
    eis_wire_writer_u8(&json, 0);
    if (json.st != EIS_OK) {
        w->st = json.st;
    } else if (!r->binary) {
        eis_wire_writer_bytes(w, json.data, json.bytes - 1);
    } else {
        eis_span *all = eis_mem_new(count, sizeof *all);
        for (uint32_t i = 0; all != NULL && i < count; i++) all[i] = payload[i < have ? i : 0];
        if (all != NULL)
            eis_conform_frame(w, (const char *)json.data, all, count);
        else
            w->st = EIS_ERR_MEMORY;
        eis_mem_free(all);
    }
    eis_wire_writer_clear(&json);
}

/* ---- sending ---- */

bool eis_conform_post(eis_conform *c, bool binary, eis_span body, const char *line, const char *line2)
{
    eis_he_ask ask = {.method = "POST",
                      .path = "/infer",
                      .media_type = binary ? EIS_HE_MEDIA_BIN_TEXT : EIS_HE_MEDIA_JSON_TEXT,
                      .body = body};

    if (line != NULL) ask.line[ask.line_count++] = line;
    if (line2 != NULL) ask.line[ask.line_count++] = line2;
    return eis_conform_ask(c, &ask);
}

bool eis_conform_send(eis_conform *c, const eis_conform_request *request, const char *line, const char *line2)
{
    eis_writer w;
    bool answered = false;

    eis_wire_writer_init(&w, REQUEST_BYTES_MAX);
    eis_conform_write(&w, c, request);
    if (w.st == EIS_OK)
        answered = eis_conform_post(c, request->binary, (eis_span){w.data, w.bytes}, line, line2);
    else
        c->broken = w.st;
    eis_wire_writer_clear(&w);
    return answered;
}

/* ---- the target ---- */

/* Numbers within what the model declares, different in every place. */
static void make_inputs(double *x, const eis_he_contract *contract)
{
    double most = contract->input_max > 0 && contract->input_max < 1 ? contract->input_max : 1;

    for (uint32_t i = 0; i < contract->stage[0].input.size; i++)
        x[i] = most * ((double)((i * 37 + 11) % 101) / 50.0 - 1.0);
}

static eis_status write_both(eis_conform_target *t, const double *x)
{
    const eis_he_client *engine = eis_he_remote_engine(t->remote);
    const eis_he_packing *in = &t->contract->stage[0].input;
    size_t full = eis_ckks_ct_bytes(engine->params, 2, in->limbs, EIS_SEAL_FORM_4_1, false);
    size_t seeded = eis_ckks_ct_bytes(engine->params, 2, in->limbs, EIS_SEAL_FORM_4_1, true);
    eis_status st = EIS_OK;
    eis_ckks_ct ct = {0};
    eis_writer w;

    eis_wire_writer_init(&w, full);
    EIS_NEW(t->full, t->count);
    EIS_NEW(t->seeded, t->count);
    EIS_NEW(t->memory, t->count * (full + seeded)); /* below the client's limit of a request, twice */
    for (uint32_t i = 0; i < t->count; i++) {
        uint8_t *place = t->memory + i * (full + seeded);
        EIS_TRY(eis_he_protect(&ct, engine, 0, i, x, 1));
        for (unsigned s = 0; s < 2; s++) {
            eis_wire_writer_rewind(&w);
            eis_ckks_ct_write(&w, &ct, (eis_seal_style){0}, s == 1);
            EIS_TRY(eis_wire_writer_status(&w));
            memcpy(place + s * full, w.data, w.bytes);
        }
        t->full[i] = (eis_span){place, full};
        t->seeded[i] = (eis_span){place + full, seeded};
    }
out:
    eis_ckks_ct_clear(&ct);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status make_keys(eis_conform_target *t)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    eis_status st = EIS_OK;

    eis_wire_writer_init(&t->keys, REQUEST_BYTES_MAX);
    t->needs_keys = t->contract->needs_relin || t->contract->needs_public || t->contract->element_count > 0;
    if (!t->needs_keys) return EIS_OK;
    EIS_TRY(eis_he_remote_keys_body(&t->keys, t->remote, EIS_HE_KEYS_SEAL));
    EIS_REQUIRE(EVP_Digest(t->keys.data, t->keys.bytes, digest, NULL, EVP_sha256(), NULL) == 1, EIS_ERR_INTERNAL,
                "libcrypto failed");
    eis_wire_hex_write(t->digest, digest, EIS_HE_DIGEST_BYTES);
out:
    return st;
}

/* The model with the smallest request among those without rounds. */
static const char *smallest(const eis_json_doc *models, char name[EIS_HE_MODEL_ID_BYTES])
{
    uint64_t least = UINT64_MAX;
    eis_json_value list, entry;
    eis_json_iter it;
    eis_he_contract *contract = eis_mem_new(1, sizeof *contract);

    name[0] = '\0';
    if (contract == NULL || !eis_json_find(&list, eis_json_root(models), "models")) goto out;
    it = eis_json_iterate(list);
    while (eis_json_next_element(&it, &entry)) {
        eis_he_info info = {0};
        if (eis_he_contract_read(contract, &info, entry) == EIS_OK && !contract->interactive) {
            const eis_he_packing *in = &contract->stage[0].input;
            uint64_t words = (uint64_t)in->ciphertexts * in->limbs * contract->literal.degree;
            if (words < least) {
                least = words;
                snprintf(name, EIS_HE_MODEL_ID_BYTES, "%s", info.model_id);
            }
        }
        eis_he_info_clear(&info);
    }
    eis_error_clear();
out:
    eis_mem_free(contract);
    return name[0] != '\0' ? name : NULL;
}

eis_status eis_conform_target_open(eis_conform *c, const eis_he_remote_config *wanted)
{
    eis_he_remote_config config = *wanted;
    eis_conform_target *t = &c->target;
    char name[EIS_HE_MODEL_ID_BYTES];
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;
    double *x = NULL;

    if (config.model_id == NULL) {
        if (eis_conform_get(c, "GET", "/models")) doc = eis_conform_json(c);
        EIS_REQUIRE(doc != NULL, EIS_ERR_PROTOCOL, "GET /models gives no list");
        config.model_id = smallest(doc, name);
        EIS_REQUIRE(config.model_id != NULL, EIS_ERR_PROTOCOL, "no model in GET /models that can be understood");
    }
    config.throw_away = true;
    EIS_TRY(eis_he_remote_open(&t->remote, &config));
    t->contract = eis_he_remote_contract(t->remote);
    t->info = eis_he_remote_info(t->remote);
    EIS_REQUIRE(!t->contract->interactive, EIS_ERR_USAGE, "the model %s works in rounds; name another one",
                config.model_id);
    t->count = t->contract->stage[0].input.ciphertexts;
    EIS_NEW(x, t->contract->stage[0].input.size);
    make_inputs(x, t->contract);
    EIS_TRY(write_both(t, x));
    EIS_TRY(make_keys(t));
out:
    eis_mem_free(x);
    eis_json_free(doc);
    if (st != EIS_OK) eis_conform_target_close(t);
    return st;
}

void eis_conform_target_close(eis_conform_target *t)
{
    eis_he_remote_close(t->remote);
    eis_mem_free(t->full);
    eis_mem_free(t->seeded);
    eis_mem_free(t->memory);
    eis_wire_writer_clear(&t->keys);
    *t = (eis_conform_target){0};
}
