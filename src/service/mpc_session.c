/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_session_fields.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define VERSION    1
#define MAGIC      "EISM"
#define WIDTH_MAX  ((uint32_t)1 << 20)
#define LAYERS_MAX 1024u

bool eis_mpc_name_valid(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length >= EIS_MPC_NAME_BYTES) return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

uint64_t eis_mpc_session_number(const eis_mpc_session *session)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++) number |= (uint64_t)session->hash[i] << (8 * i);
    return number;
}

void eis_mpc_session_clear(eis_mpc_session *session)
{
    eis_mpc_lm_clear(&session->lm);
    eis_mpc_classifier_clear(&session->classifier);
    memset(session, 0, sizeof *session);
}

static eis_status hash_document(uint8_t *hash, const void *data, size_t bytes)
{
    eis_mpc_digest digest = {0};
    eis_status st = eis_mpc_digest_start(&digest, "eis mpc session");

    if (st == EIS_OK) {
        eis_mpc_digest_add(&digest, data, bytes);
        st = eis_mpc_digest_end(&digest, hash);
    }
    eis_mpc_digest_clear(&digest);
    return st;
}

/* ---- writing ---- */

static void write_text(eis_writer *w, const char *text) { eis_wire_writer_string16(w, text, strlen(text)); }

static void write_pin(eis_writer *w, const eis_tls_pin *pin)
{
    eis_wire_writer_bytes(w, pin->bytes, EIS_TLS_PIN_BYTES);
}

static void write_member(eis_writer *w, const eis_mpc_member *member)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_net_address_format(text, &member->address);
    write_text(w, text);
    write_pin(w, &member->pin);
}

void eis_mpc_session_tuning_write(eis_writer *w, const eis_mpc_tuning *t)
{
    eis_wire_writer_u32(w, t->frac);
    eis_wire_writer_u32(w, t->exp_degree);
    eis_wire_writer_f64(w, t->exp_range);
    eis_wire_writer_u32(w, t->act_degree);
    eis_wire_writer_f64(w, t->act_range);
    eis_wire_writer_u32(w, t->per_octave);
    eis_wire_writer_u32(w, t->newton_steps);
    eis_wire_writer_u32(w, t->digit_bits_max);
    eis_wire_writer_u32(w, t->softmax_static);
}

static void write_manifest(eis_writer *w, const eis_mpc_lm *lm)
{
    const uint32_t numbers[] = {(uint32_t)lm->family, lm->dim,       lm->hidden,     lm->layers,  lm->heads,
                                lm->kv_heads,         lm->head_size, lm->vocabulary, lm->context, (uint32_t)lm->rope,
                                lm->vector_count};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) eis_wire_writer_u32(w, numbers[i]);
    eis_wire_writer_f64(w, lm->rope_theta);
    eis_wire_writer_f64(w, lm->norm_eps);
    eis_wire_writer_f64(w, lm->mean_from);
    eis_wire_writer_f64(w, lm->embedding_norm);
    eis_wire_writer_f64(w, lm->position_norm);
    eis_wire_writer_f64(w, lm->residual_bound);
    eis_mpc_session_tuning_write(w, &lm->tuning);
    for (uint32_t i = 0; i < lm->layers; i++) {
        eis_wire_writer_f64(w, lm->growth[2 * i]);
        eis_wire_writer_f64(w, lm->growth[2 * i + 1]);
        eis_wire_writer_f64(w, lm->value_norm[i]);
        eis_wire_writer_f64(w, lm->query_norm[i]);
        eis_wire_writer_f64(w, lm->key_norm[i]);
    }
    for (uint32_t i = 0; i < lm->shape_count; i++) eis_wire_writer_f64(w, lm->shapes[i].row_norm);
    for (uint32_t i = 0; i < lm->vector_count; i++) eis_wire_writer_f64(w, lm->vectors[i].bound);
}

eis_status eis_mpc_session_write(eis_writer *w, eis_mpc_session *session)
{
    size_t begin = w->bytes;
    eis_status st;

    eis_wire_writer_bytes(w, MAGIC, 4);
    eis_wire_writer_u32(w, VERSION);
    write_text(w, session->id);
    write_text(w, session->model);
    eis_wire_writer_u32(w, session->party_count);
    for (uint32_t i = 0; i < session->party_count; i++) write_member(w, &session->party[i]);
    write_member(w, &session->dealer);
    write_pin(w, &session->coordinator);
    write_pin(w, &session->model_owner);
    write_pin(w, &session->prompt_owner);
    eis_wire_writer_u32(w, session->context);
    eis_wire_writer_u32(w, session->stop_count);
    for (uint32_t i = 0; i < session->stop_count; i++) eis_wire_writer_u32(w, session->stop[i]);
    eis_wire_writer_u32(w, session->tests.level);
    eis_wire_writer_u32(w, session->tests.inputs);
    eis_wire_writer_u32(w, session->pending_max);
    eis_wire_writer_u32(w, session->lm.pad_bucket);
    eis_wire_writer_u32(w, session->lm.prefill_mib);
    eis_wire_writer_u32(w, session->master_mask);
    eis_wire_writer_u8(w, (uint8_t)session->kind);
    if (session->kind == EIS_MPC_MODEL_CLASSIFIER)
        eis_mpc_session_classifier_write(w, &session->classifier);
    else
        write_manifest(w, &session->lm);
    st = eis_wire_writer_status(w);
    return st == EIS_OK ? hash_document(session->hash, w->data + begin, w->bytes - begin) : st;
}

/* ---- reading ---- */

static void read_name(eis_reader *r, char name[EIS_MPC_NAME_BYTES])
{
    eis_wire_reader_text16(r, name, EIS_MPC_NAME_BYTES);
    if (eis_wire_reader_status(r) == EIS_OK && !eis_mpc_name_valid(name))
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a name is not 1 to 64 of letters, digits, '.', '_' and '-'");
}

static void read_pin(eis_reader *r, eis_tls_pin *pin)
{
    const uint8_t *bytes = eis_wire_reader_bytes(r, EIS_TLS_PIN_BYTES);

    if (bytes != NULL) memcpy(pin->bytes, bytes, EIS_TLS_PIN_BYTES);
}

static void read_member(eis_reader *r, eis_mpc_member *member)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_wire_reader_text16(r, text, sizeof text);
    if (eis_wire_reader_status(r) == EIS_OK && eis_net_address_parse(&member->address, text, -1) != EIS_OK)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "an address is not HOST:PORT");
    read_pin(r, &member->pin);
}

uint32_t eis_mpc_session_number_read(eis_reader *r, uint32_t min, uint32_t max, const char *what)
{
    uint32_t value = eis_wire_reader_u32(r);

    if (eis_wire_reader_status(r) == EIS_OK && (value < min || value > max))
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%s is %u, not %u to %u", what, value, min, max);
    return value;
}

double eis_mpc_session_real_read(eis_reader *r, double min, double max, const char *what)
{
    double value = eis_wire_reader_f64(r);

    if (eis_wire_reader_status(r) == EIS_OK && !(value >= min && value <= max))
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%s is out of range", what);
    return value;
}

void eis_mpc_session_tuning_read(eis_reader *r, eis_mpc_tuning *t)
{
    t->frac = eis_mpc_session_number_read(r, 12, 20, "fixed_point.scale_bits");
    t->exp_degree = eis_mpc_session_number_read(r, 5, 15, "cheby.deg");
    t->exp_range = eis_mpc_session_real_read(r, 8, 16, "cheby.range");
    t->act_degree = eis_mpc_session_number_read(r, 0, 15, "act.deg");
    t->act_range = eis_mpc_session_real_read(r, 0, 16, "act.range");
    t->per_octave = eis_mpc_session_number_read(r, 1, 8, "spline.per_octave");
    t->newton_steps = eis_mpc_session_number_read(r, 1, 2, "newton.steps");
    t->digit_bits_max = eis_mpc_session_number_read(r, 0, 7, "compare.digit_bits");
    t->softmax_static = eis_mpc_session_number_read(r, 0, 1, "softmax.max");
}

/* Reads what eis_mpc_lm_shape needs, then its arrays. */
static eis_status read_manifest(eis_reader *r, eis_mpc_lm *lm)
{
    eis_status st = EIS_OK;
    static const char norm[] = "a norm of the manifest";

    lm->family = (eis_lm_family)eis_mpc_session_number_read(r, EIS_LM_LLAMA, EIS_LM_GPT2, "family");
    lm->dim = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "dim");
    lm->hidden = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "hidden");
    lm->layers = eis_mpc_session_number_read(r, 1, LAYERS_MAX, "layers");
    lm->heads = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "heads");
    lm->kv_heads = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "kv_heads");
    lm->head_size = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "head_size");
    lm->vocabulary = eis_mpc_session_number_read(r, 2, WIDTH_MAX, "vocabulary");
    lm->context = eis_mpc_session_number_read(r, 1, WIDTH_MAX, "context");
    lm->rope = (eis_rope)eis_mpc_session_number_read(r, EIS_ROPE_NONE, EIS_ROPE_HALVES, "rope");
    lm->vector_count = eis_mpc_session_number_read(r, 0, 4 * LAYERS_MAX, "vectors");
    lm->rope_theta = eis_mpc_session_real_read(r, 0, 1e12, "rope_theta");
    lm->norm_eps = eis_mpc_session_real_read(r, 0, 1, "norm_eps");
    lm->mean_from = eis_mpc_session_real_read(r, 0x1p-24, 1, "mean_from");
    lm->embedding_norm = eis_mpc_session_real_read(r, 0, 1e6, norm);
    lm->position_norm = eis_mpc_session_real_read(r, 0, 1e6, norm);
    lm->residual_bound = eis_mpc_session_real_read(r, 0, 1e9, norm);
    eis_mpc_session_tuning_read(r, &lm->tuning);
    EIS_TRY(eis_wire_reader_status(r));
    EIS_TRY(eis_mpc_lm_shape(lm));
    for (uint32_t i = 0; i < lm->layers; i++) {
        lm->growth[2 * i] = eis_mpc_session_real_read(r, 0, 1e9, norm);
        lm->growth[2 * i + 1] = eis_mpc_session_real_read(r, 0, 1e9, norm);
        lm->value_norm[i] = eis_mpc_session_real_read(r, 0, 1e6, norm);
        lm->query_norm[i] = eis_mpc_session_real_read(r, 0, 1e6, norm);
        lm->key_norm[i] = eis_mpc_session_real_read(r, 0, 1e6, norm);
    }
    for (uint32_t i = 0; i < lm->shape_count; i++) lm->shapes[i].row_norm = eis_mpc_session_real_read(r, 0, 1e6, norm);
    for (uint32_t i = 0; i < lm->vector_count; i++) lm->vectors[i].bound = eis_mpc_session_real_read(r, 0, 1e6, norm);
    EIS_TRY(eis_wire_reader_status(r));
out:
    return st;
}

static bool pins_equal(const eis_tls_pin *a, const eis_tls_pin *b) { return memcmp(a, b, sizeof *a) == 0; }

/* The dealer knows every mask, so it may be nobody else; nor may two parties be one. */
static eis_status check_keys(const eis_mpc_session *s)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(!pins_equal(&s->dealer.pin, &s->coordinator) && !pins_equal(&s->dealer.pin, &s->model_owner) &&
                    !pins_equal(&s->dealer.pin, &s->prompt_owner),
                EIS_ERR_PARSE, "session: the Triple Service has the key of the coordinator or of an owner");
    for (uint32_t i = 0; i < s->party_count; i++) {
        EIS_REQUIRE(!pins_equal(&s->dealer.pin, &s->party[i].pin), EIS_ERR_PARSE,
                    "session: the Triple Service has the key of party %u", i);
        for (uint32_t j = 0; j < i; j++)
            EIS_REQUIRE(!pins_equal(&s->party[i].pin, &s->party[j].pin), EIS_ERR_PARSE,
                        "session: parties %u and %u have one key", j, i);
    }
out:
    return st;
}

/* Reads which kind of model it is, and its manifest. */
static eis_status read_model(eis_reader *r, eis_mpc_session *session)
{
    eis_status st = EIS_OK;
    unsigned kind = eis_wire_reader_u8(r);

    EIS_TRY(eis_wire_reader_status(r));
    EIS_REQUIRE(kind <= EIS_MPC_MODEL_CLASSIFIER, EIS_ERR_PARSE, "session: a model of unknown kind %u", kind);
    session->kind = (eis_mpc_model_kind)kind;
    if (session->kind == EIS_MPC_MODEL_CLASSIFIER) {
        EIS_REQUIRE(session->stop_count == 0, EIS_ERR_PARSE, "session: a classifier has no stop tokens");
        EIS_TRY(eis_mpc_session_classifier_read(r, &session->classifier));
    } else {
        EIS_TRY(read_manifest(r, &session->lm));
        EIS_REQUIRE(session->context <= session->lm.context, EIS_ERR_PARSE, "session: a context beyond the model's");
        EIS_TRY(eis_mpc_lm_check_context(&session->lm.tuning, session->context));
    }
out:
    return st;
}

/* How prompts are walked: nothing that a classifier has. */
/* Masks that hide nothing never leave a machine. */
static eis_status check_masks(const eis_mpc_session *session)
{
    eis_status st = EIS_OK;
    bool here = eis_net_is_loopback(session->dealer.address.host);

    for (uint32_t p = 0; p < session->party_count; p++)
        here = here && eis_net_is_loopback(session->party[p].address.host);
    EIS_REQUIRE(session->master_mask == 0 || here, EIS_ERR_PARSE,
                "session: dealer.master_mask hides nothing, and is for loopback addresses alone");
out:
    return st;
}

static eis_status take_schedule(eis_mpc_session *session, uint32_t pad_bucket, uint32_t prefill_mib)
{
    eis_status st = EIS_OK;
    bool lm = session->kind == EIS_MPC_MODEL_LM;

    EIS_REQUIRE(lm ? prefill_mib > 0 : pad_bucket == 0 && prefill_mib == 0, EIS_ERR_PARSE,
                "session: how prompts are walked does not go with the model");
    session->lm.pad_bucket = pad_bucket;
    session->lm.prefill_mib = prefill_mib;
    if (lm) EIS_TRY(eis_mpc_lm_check_filling(&session->lm));
out:
    return st;
}

eis_status eis_mpc_session_read(eis_mpc_session *session, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    uint32_t pad_bucket, prefill_mib;
    eis_reader r;
    const uint8_t *magic;

    memset(session, 0, sizeof *session);
    eis_wire_reader_init(&r, "session", data, bytes);
    magic = eis_wire_reader_bytes(&r, 4);
    EIS_REQUIRE(magic != NULL && memcmp(magic, MAGIC, 4) == 0, EIS_ERR_PARSE, "session: not a session document");
    EIS_REQUIRE(eis_wire_reader_u32(&r) == VERSION, EIS_ERR_VERSION, "session: another version");
    read_name(&r, session->id);
    read_name(&r, session->model);
    session->party_count = eis_mpc_session_number_read(&r, EIS_MPC_PARTIES_MIN, EIS_MPC_PARTIES_MAX, "parties");
    EIS_TRY(eis_wire_reader_status(&r));
    for (uint32_t i = 0; i < session->party_count; i++) read_member(&r, &session->party[i]);
    read_member(&r, &session->dealer);
    read_pin(&r, &session->coordinator);
    read_pin(&r, &session->model_owner);
    read_pin(&r, &session->prompt_owner);
    session->context = eis_mpc_session_number_read(&r, 1, WIDTH_MAX, "context");
    session->stop_count = eis_mpc_session_number_read(&r, 0, EIS_LM_STOP_IDS_MAX, "stop tokens");
    EIS_TRY(eis_wire_reader_status(&r));
    for (uint32_t i = 0; i < session->stop_count; i++) session->stop[i] = eis_wire_reader_u32(&r);
    session->tests.level = eis_mpc_session_number_read(&r, 0, EIS_MPC_SACRIFICE_MAX, "sacrifice.level");
    session->tests.inputs = eis_mpc_session_number_read(&r, 0, 1, "prompt.check") != 0;
    session->pending_max = eis_mpc_session_number_read(&r, 1, EIS_MPC_PENDING_LIMIT, "check.max_pending");
    pad_bucket = eis_mpc_session_number_read(&r, 0, EIS_MPC_LM_PAD_BUCKET_MAX, "scheduler.pad_bucket");
    prefill_mib = eis_mpc_session_number_read(&r, 0, EIS_MPC_LM_PREFILL_MIB_MAX, "scheduler.prefill_mib");
    session->master_mask = eis_wire_reader_u32(&r);
    EIS_TRY(eis_wire_reader_status(&r));
    EIS_TRY(read_model(&r, session));
    EIS_TRY(take_schedule(session, pad_bucket, prefill_mib));
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_TRY(check_keys(session));
    EIS_TRY(check_masks(session));
    EIS_TRY(hash_document(session->hash, data, bytes));
out:
    if (st != EIS_OK) eis_mpc_session_clear(session);
    return st;
}
