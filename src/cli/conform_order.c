/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with two faults: the earlier step must be the one that is told. */
#include "base/mem.h"
#include "cli/conform.h"

#include <string.h>

#define CLAUSE "api 6"

static void send(eis_conform *c, const char *name, const char *codes, const eis_conform_request *r)
{
    eis_conform_send(c, r, NULL, NULL);
    eis_conform_expect(c, name, CLAUSE, codes);
}

static void check_envelope_first(eis_conform *c)
{
    static const uint8_t no_json[] = "{\"inputs\":";
    uint8_t few[40] = {0};
    const eis_span tiny = {few, sizeof few};

    eis_conform_ask(
        c, &(eis_he_ask){
               .method = "POST", .path = "/infer", .media_type = "text/plain", .body = {no_json, sizeof no_json - 1}});
    eis_conform_expect(c, "order.media-before-schema", CLAUSE, "UNSUPPORTED_MEDIA_TYPE");
    send(c, "order.schema-before-model", "INVALID_SCHEMA",
         &(eis_conform_request){.model_id = "no-such-model", .extra = "\"colour\":1,"});
    send(c, "order.version-before-model", "UNSUPPORTED_API_VERSION",
         &(eis_conform_request){.model_id = "no-such-model", .extra = "\"api_version\":\"v2\","});
    send(c, "order.encoding-before-model", "UNSUPPORTED_ENCODING",
         &(eis_conform_request){.model_id = "no-such-model", .encoding = "rot13"});
    send(c, "order.model-before-size", "MODEL_NOT_FOUND",
         &(eis_conform_request){
             .binary = true, .model_id = "no-such-model", .payload = &tiny, .payload_count = 1, .count = 1});
    if (c->target.count > 1)
        send(c, "order.size-before-count", "INVALID_CIPHERTEXT",
             &(eis_conform_request){.binary = true, .payload = &tiny, .payload_count = 1, .count = 1});
    else
        eis_conform_skip(c, "order.size-before-count", CLAUSE, "the model has one ciphertext");
    send(c, "order.characters-before-size", "INVALID_ENCODING",
         &(eis_conform_request){.text = "XqEQBAEA/+==zz", .batch_size = 1000000});
    send(c, "order.size-before-batch", "INVALID_CIPHERTEXT",
         &(eis_conform_request){
             .binary = true, .payload = &tiny, .payload_count = 1, .batch_size = 1000000, .count = 1});
}

/* A whole object with one byte or more changed, in place of input 0. */
static void send_changed(eis_conform *c, const char *name, const char *codes, size_t at, eis_span change,
                         eis_conform_request r)
{
    const eis_conform_target *t = &c->target;
    eis_span *all = eis_mem_new(t->count, sizeof *all);
    uint8_t *copy = eis_mem_new(t->full[0].bytes, 1);

    if (all == NULL || copy == NULL) {
        c->broken = EIS_ERR_MEMORY;
    } else {
        memcpy(all, t->seeded, t->count * sizeof *all);
        memcpy(copy, t->full[0].data, t->full[0].bytes);
        memcpy(copy + at, change.data, change.bytes);
        all[0] = (eis_span){copy, t->full[0].bytes};
        r.binary = true;
        r.payload = all;
        send(c, name, codes, &r);
    }
    eis_mem_free(all);
    eis_mem_free(copy);
}

static void check_object_first(eis_conform *c)
{
    enum { AT_MAGIC = 0, AT_PARMS = 16, AT_SCALE = 73 };
    const uint8_t zeros[4] = {0};
    uint8_t scale[8];
    const uint64_t too_many = (uint64_t)c->target.contract->batch_max + 1000000;

    eis_store_le_f64(scale, c->target.contract->stage[0].input.scale * 64);
    send_changed(c, "order.object-before-batch", "INVALID_CIPHERTEXT", AT_MAGIC, (eis_span){zeros, 4},
                 (eis_conform_request){.batch_size = too_many});
    send_changed(c, "order.parameters-before-batch", "CIPHERTEXT_INCOMPATIBLE", AT_PARMS, (eis_span){zeros, 4},
                 (eis_conform_request){.batch_size = too_many});
    send_changed(c, "order.scale-before-batch", "SCALE_MISMATCH", AT_SCALE, (eis_span){scale, 8},
                 (eis_conform_request){.batch_size = too_many});
    if (!c->target.needs_keys) {
        eis_conform_skip(c, "order.keys-before-batch", CLAUSE, "the model needs no keys");
        return;
    }
    send(c, "order.keys-before-batch", "EVALUATION_KEYS_REQUIRED",
         &(eis_conform_request){.binary = true, .no_keys = true, .batch_size = too_many});
}

static void check_constraints(eis_conform *c)
{
    const uint64_t too_many = (uint64_t)c->target.contract->batch_max + 1;

    send(c, "constraints.batch", "BATCH_TOO_LARGE",
         &(eis_conform_request){.binary = c->profile == EIS_CONFORM_V1, .batch_size = too_many});
    if (c->target.count > 1)
        send(c, "constraints.too-few-inputs", "INPUT_COUNT",
             &(eis_conform_request){.binary = c->profile == EIS_CONFORM_V1, .count = c->target.count - 1});
    send(c, "constraints.too-many-inputs", "INPUT_COUNT|INVALID_SCHEMA",
         &(eis_conform_request){.binary = c->profile == EIS_CONFORM_V1, .count = c->target.count + 1});
}

void eis_conform_order(eis_conform *c)
{
    if (c->profile != EIS_CONFORM_DOCUMENTED) check_constraints(c);
    if (c->profile != EIS_CONFORM_V1) return;
    check_envelope_first(c);
    check_object_first(c);
}
