/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a request's ciphertexts. What is wrong with the earliest step decides, whichever input it is in: so all
 * inputs are read even where one has failed a late step, and the first failure of step 3 ends it. */
#include "service/he_server_check.h"

#include "base/mem.h"
#include "service/he_contract_json.h"
#include "wire/text.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LOOKED_AT_MAX ((size_t)4096) /* characters of a payload of a wrong size */
#define SCALE_LOW     0x1p-10        /* of the model's, for affine models */
#define SCALE_HIGH    4.0

/* ---- Step 2: sizes ---- */

static bool is_hex(uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static bool is_base64(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/' ||
           c == '=';
}

static bool has_odd_length(const eis_he_payload *p)
{
    return p->encoding != EIS_HE_BINARY && p->text.bytes % (p->encoding == EIS_HE_HEX ? 2 : 4) != 0;
}

static eis_status fail_encoding(const eis_he_payload *p, size_t index)
{
    return eis_fail(EIS_ERR_ENCODING, "inputs[%zu]: Input payload is not valid %s", index,
                    eis_he_encoding_name(p->encoding));
}

/* Tells whether a payload cannot be text of its encoding, so that it has no size at all. */
static bool is_foreign(const eis_he_payload *p)
{
    if (p->encoding == EIS_HE_BINARY) return false;
    for (size_t i = 0; i < p->text.bytes && i < LOOKED_AT_MAX; i++)
        if (!(p->encoding == EIS_HE_HEX ? is_hex(p->text.data[i]) : is_base64(p->text.data[i]))) return true;
    return false;
}

/* Decodes the object's header alone. Returns its compression, or -1 where there is no header. */
static int peek_mode(const eis_he_payload *p)
{
    uint8_t header[18];
    bool read = false;

    if (p->bytes < sizeof header) return -1;
    if (p->encoding == EIS_HE_BINARY) memcpy(header, p->text.data, sizeof header);
    if (p->encoding == EIS_HE_HEX)
        read = eis_wire_hex_read(header, sizeof header, p->text.data, 2 * sizeof header) == EIS_OK;
    if (p->encoding == EIS_HE_BASE64)
        read = eis_wire_base64_read(header, sizeof header, p->text.data, sizeof header / 3 * 4) == EIS_OK;
    return read || p->encoding == EIS_HE_BINARY ? header[5] : -1;
}

static eis_status check_size(const eis_he_payload *p, const size_t sizes[EIS_HE_INPUT_SIZES], size_t packed_max,
                             size_t index)
{
    int mode;

    if (has_odd_length(p)) return fail_encoding(p, index);
    for (size_t i = 0; i < EIS_HE_INPUT_SIZES; i++)
        if (p->bytes == sizes[i]) return EIS_OK;
    mode = peek_mode(p);
    if ((mode == EIS_SEAL_ZLIB || mode == EIS_SEAL_ZSTD) && p->bytes <= packed_max) return EIS_OK;
    if (is_foreign(p)) return fail_encoding(p, index);
    return eis_fail(EIS_ERR_CIPHERTEXT, "inputs[%zu]: %zu bytes, which no ciphertext of this model has", index,
                    p->bytes);
}

static eis_status check_sizes(const eis_he_request *request, const eis_he_served *served, const eis_he_stage *stage)
{
    size_t sizes[EIS_HE_INPUT_SIZES];
    size_t packed_max = eis_seal_packed_bytes_max(eis_he_input_sizes(sizes, served->plan->params, stage->input.limbs));
    eis_status st = EIS_OK;

    for (size_t i = 0; i < request->input_count; i++) EIS_TRY(check_size(&request->inputs[i], sizes, packed_max, i));
out:
    return st;
}

/* ---- Steps 3 to 5 ---- */

/* The order in which faults are told. */
static int step_of(eis_status st)
{
    switch (st) {
    case EIS_OK:
        return 9;
    case EIS_ERR_SCALE:
        return 7;
    case EIS_ERR_LEVEL:
        return 6;
    case EIS_ERR_CONTEXT_MISMATCH:
        return 5;
    default:
        return 3;
    }
}

static eis_status read_one(eis_ckks_ct *ct, eis_seal_form *form, const eis_he_inputs *in, size_t index)
{
    const eis_he_packing *packing = &in->served->plan->contract.stage[in->stage].input;
    const eis_ckks_ct_rules rules = {
        .polys = 2, .limbs = packing->limbs, .scale = in->served->any_scale ? 0 : packing->scale};
    eis_status st = EIS_OK;
    uint8_t *memory = NULL;
    eis_span bytes;

    EIS_TRY(eis_he_payload_open(&bytes, &memory, &in->request->inputs[index]));
    EIS_TRY(eis_ckks_ct_read(ct, form, in->served->plan->params, &rules, bytes.data, bytes.bytes));
out:
    eis_mem_free(memory);
    return st;
}

/* With any scale: within the range that constants can make up for, and the same word in all inputs. */
static eis_status check_scale(const eis_he_inputs *in, double first, double scale, size_t index)
{
    double model = in->served->plan->contract.stage[in->stage].input.scale;
    eis_status st = EIS_OK;

    if (!in->served->any_scale) return EIS_OK;
    EIS_REQUIRE(scale >= SCALE_LOW * model && scale <= SCALE_HIGH * model, EIS_ERR_SCALE,
                "inputs[%zu]: a scale outside 2^-10 to 4 times the model's", index);
    EIS_REQUIRE(memcmp(&first, &scale, sizeof scale) == 0, EIS_ERR_SCALE,
                "inputs[%zu]: not the scale of the first input", index);
out:
    return st;
}

/* What reading one input gave. */
typedef struct outcome {
    eis_status st;
    eis_seal_form form;
    double scale;
} outcome;

typedef struct reading {
    eis_he_inputs *in;
    outcome *outcomes; /* [input_count] */
    atomic_bool malformed;
} reading;

/* Reads some of the inputs; after one that is malformed nothing that follows can matter. */
static void read_some(void *context, size_t first, size_t last)
{
    reading *r = context;
    eis_ckks_ct passing = {0};

    for (size_t i = first; i < last && !atomic_load(&r->malformed); i++) {
        eis_ckks_ct *ct = r->in->cts != NULL ? &r->in->cts[i] : &passing;
        outcome *o = &r->outcomes[i];

        o->st = read_one(ct, &o->form, r->in, i);
        if (o->st == EIS_OK) o->scale = ct->scale;
        if (step_of(o->st) == 3) atomic_store(&r->malformed, true);
    }
    eis_ckks_ct_clear(&passing);
}

/* Says once more, on this thread, what is wrong with an input. */
static eis_status tell(const eis_he_inputs *in, size_t index, eis_status st)
{
    eis_ckks_ct ct = {0};
    eis_seal_form form;

    if (read_one(&ct, &form, in, index) != st) (void)eis_fail(st, "not read");
    eis_ckks_ct_clear(&ct);
    return eis_fail_prefix(st, "inputs[%zu]", index);
}

static eis_status judge(eis_he_inputs *in, const outcome *outcomes)
{
    size_t worst = 0;
    eis_status st = EIS_OK;

    for (size_t i = 0; i < in->request->input_count; i++) {
        if (step_of(outcomes[i].st) < step_of(outcomes[worst].st)) worst = i;
        if (outcomes[i].form == EIS_SEAL_FORM_UNIVERSAL) in->form = EIS_SEAL_FORM_UNIVERSAL;
    }
    if (outcomes[worst].st != EIS_OK) return tell(in, worst, outcomes[worst].st);
    for (size_t i = 0; i < in->request->input_count; i++)
        EIS_TRY(check_scale(in, outcomes[0].scale, outcomes[i].scale, i));
out:
    return st;
}

static eis_status read_all(eis_he_inputs *in, eis_pool *pool)
{
    reading r = {.in = in};
    eis_status st = EIS_OK;

    EIS_NEW(r.outcomes, in->request->input_count);
    eis_pool_run(pool, in->request->input_count, 1, read_some, &r);
    EIS_TRY(judge(in, r.outcomes));
out:
    eis_mem_free(r.outcomes);
    return st;
}

/* ---- The whole ---- */

eis_status eis_he_request_check(eis_he_inputs *inputs, const eis_he_request *request, const eis_he_served *served,
                                size_t kept_bytes_max, eis_pool *pool)
{
    const eis_he_contract *contract = &served->plan->contract;
    const eis_he_stage *stage;
    eis_status st = EIS_OK;
    size_t kept;

    *inputs = (eis_he_inputs){.served = served, .stage = request->head.stage, .request = request};
    EIS_REQUIRE(request->head.stage < contract->stage_count, EIS_ERR_PARSE,
                "Invalid infer request: the model has %u %s", contract->stage_count,
                contract->stage_count == 1 ? "stage" : "stages");
    stage = &contract->stage[request->head.stage];
    EIS_TRY(check_sizes(request, served, stage));
    inputs->encoding = request->inputs[0].encoding;
    inputs->count = request->input_count;
    if (eis_size_mul(&kept, request->input_count,
                     2 * stage->input.limbs * served->plan->params->degree * sizeof(uint64_t)) &&
        kept <= kept_bytes_max)
        EIS_NEW(inputs->cts, request->input_count);
    EIS_TRY(read_all(inputs, pool));
out:
    if (st != EIS_OK) eis_he_inputs_clear(inputs);
    return st;
}

eis_status eis_he_request_check_constraints(const eis_he_request *request, const eis_he_served *served)
{
    const eis_he_contract *contract = &served->plan->contract;
    uint32_t ciphertexts = contract->stage[request->head.stage].input.ciphertexts;
    eis_status st = EIS_OK;

    EIS_REQUIRE(request->input_count == ciphertexts, EIS_ERR_INPUT_COUNT,
                "Expected %" PRIu32 " ciphertexts as inputs, and there are %zu", ciphertexts, request->input_count);
    EIS_REQUIRE(request->head.batch_size <= contract->batch_max, EIS_ERR_BATCH,
                "Batch size %" PRIu64 " exceeds model max_batch_size %" PRIu32, request->head.batch_size,
                contract->batch_max);
out:
    return st;
}

void eis_he_inputs_clear(eis_he_inputs *inputs)
{
    if (inputs->cts != NULL)
        for (size_t i = 0; i < inputs->count; i++) eis_ckks_ct_clear(&inputs->cts[i]);
    eis_mem_free(inputs->cts);
    *inputs = (eis_he_inputs){0};
}

size_t eis_he_inputs_bytes(const eis_he_inputs *inputs)
{
    size_t limbs = inputs->served->plan->contract.stage[inputs->stage].input.limbs;

    return inputs->cts == NULL ? 0
                               : inputs->count * 2 * limbs * inputs->served->plan->params->degree * sizeof(uint64_t);
}

static eis_status next_input(void *context, size_t index, eis_ckks_ct *ct)
{
    eis_he_inputs *in = context;
    eis_seal_form form;

    EIS_ASSERT(index < in->count);
    if (in->cts == NULL) return read_one(ct, &form, in, index);
    eis_ckks_ct_clear(ct);
    *ct = in->cts[index];
    in->cts[index] = (eis_ckks_ct){0};
    return EIS_OK;
}

eis_he_source eis_he_inputs_source(eis_he_inputs *inputs)
{
    return (eis_he_source){.context = inputs, .next = next_input};
}
