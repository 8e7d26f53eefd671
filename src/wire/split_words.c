/* SPDX-License-Identifier: Apache-2.0 */
/* What the split stream says without payload structs: the lengths and canonical forms of words, and which frame may
 * come when. */
#include "base/ct.h"
#include "wire/split_messages.h"

bool eis_split_profile_valid(unsigned profile) { return profile >= EIS_SPLIT_P24 && profile <= EIS_SPLIT_F61_8; }

static bool is_field(unsigned profile) { return profile == EIS_SPLIT_F61_20 || profile == EIS_SPLIT_F61_8; }

unsigned eis_split_ring_bits(unsigned profile, unsigned planes)
{
    if (profile == EIS_SPLIT_P8) return planes >= 4 && planes <= 8 ? 8 * planes : 0;
    if (planes != 0) return 0;
    return profile == EIS_SPLIT_P24 ? 52 : is_field(profile) ? 61 : 0;
}

size_t eis_split_seed_bytes(unsigned suite)
{
    switch (suite) {
    case EIS_SPLIT_SUITE_AES128:
    case EIS_SPLIT_SUITE_CHACHA20:
        return 32;
    case EIS_SPLIT_SUITE_AES256:
        return 48;
    default:
        return 0;
    }
}

bool eis_split_truncation_valid(unsigned profile, unsigned planes, unsigned truncated_bits)
{
    unsigned ring_bits = eis_split_ring_bits(profile, planes);

    if (ring_bits == 0) return false;
    return truncated_bits == 0 || (!is_field(profile) && ring_bits > 32 && truncated_bits == ring_bits - 32);
}

/* Length of one vector of full words, without filling up. */
static bool vector_bytes(size_t *bytes, unsigned profile, unsigned planes, size_t words)
{
    if (profile == EIS_SPLIT_P24)
        return eis_size_mul(bytes, words / 2, 13) && eis_size_add(bytes, *bytes, words % 2 * 7);
    return eis_size_mul(bytes, words, profile == EIS_SPLIT_P8 ? planes : 8);
}

static eis_status fail_shape(unsigned profile, unsigned planes, size_t words, size_t batch)
{
    return eis_fail(EIS_ERR_SHAPE, "no layout for %zu vectors of %zu words in profile %u with %u planes", batch, words,
                    profile, planes);
}

eis_status eis_split_words_bytes(size_t *bytes, unsigned profile, unsigned planes, size_t n, size_t batch)
{
    size_t filled = n, total;

    if (eis_split_ring_bits(profile, planes) == 0 || n == 0 || batch == 0) return fail_shape(profile, planes, n, batch);
    if (profile == EIS_SPLIT_P8 && !eis_size_add(&filled, n, (4 - n % 4) % 4))
        return fail_shape(profile, planes, n, batch);
    if (!vector_bytes(&total, profile, planes, filled) || !eis_size_mul(&total, total, batch))
        return fail_shape(profile, planes, n, batch);
    *bytes = total;
    return EIS_OK;
}

eis_status eis_split_result_bytes(size_t *bytes, unsigned profile, unsigned planes, size_t m, size_t batch,
                                  unsigned truncated_bits)
{
    size_t total;
    bool fits;

    if (eis_split_ring_bits(profile, planes) == 0 || m == 0 || batch == 0) return fail_shape(profile, planes, m, batch);
    if (!eis_split_truncation_valid(profile, planes, truncated_bits))
        return eis_fail(EIS_ERR_UNSUPPORTED, "replies cannot be truncated by %u bits here", truncated_bits);
    fits = truncated_bits ? eis_size_mul(&total, m, 4) : vector_bytes(&total, profile, planes, m);
    if (!fits || !eis_size_mul(&total, total, batch)) return fail_shape(profile, planes, m, batch);
    *bytes = total;
    return EIS_OK;
}

/* Collects faults over the whole payload, so that the time does not say where the first one lies. */
static uint64_t field_faults(const uint8_t *data, size_t words)
{
    const uint64_t p = ((uint64_t)1 << 61) - 1;
    uint64_t fault = 0;

    for (size_t i = 0; i < words; i++) {
        uint64_t v = eis_load_le64(data + 8 * i);

        fault |= v >> 61 | (uint64_t)(v == p);
    }
    return fault;
}

eis_status eis_split_words_check(const uint8_t *data, unsigned profile, size_t n, size_t batch, unsigned truncated_bits)
{
    size_t vector = 0;
    uint64_t fault = 0;

    if (truncated_bits != 0) return EIS_OK;
    if (is_field(profile)) fault = field_faults(data, n * batch);
    if (profile == EIS_SPLIT_P24 && n % 2 != 0) {
        (void)vector_bytes(&vector, profile, 0, n);
        for (size_t i = 1; i <= batch; i++) fault |= (uint64_t)(data[i * vector - 1] >> 4);
    }
    EIS_PUBLIC(&fault, sizeof fault); /* a message that is refused ends the call, which everybody sees */
    return fault == 0 ? EIS_OK : eis_fail(EIS_ERR_PROTOCOL, "a word is not in canonical form");
}

/* ---- Order ---- */

/* Which header fields a type uses; the others must be zero. */
typedef enum field { ID = 1, LAYER = 2, BATCH = 4, SUITE = 8, TRUNCATED = 16, EMPTY = 32 } field;

static const struct type_row {
    unsigned roles; /* who may receive it: 1 the server, 2 the client */
    unsigned fields;
} type_rows[] = {
    [EIS_SPLIT_HELLO] = {1, 0},
    [EIS_SPLIT_HELLO_ACK] = {2, 0},
    [EIS_SPLIT_EVAL_WORDS] = {1, ID | LAYER | BATCH | TRUNCATED},
    [EIS_SPLIT_EVAL_SEED] = {1, ID | LAYER | BATCH | SUITE | TRUNCATED},
    [EIS_SPLIT_MASKS] = {1, ID | LAYER | BATCH | SUITE},
    [EIS_SPLIT_RESULT] = {2, ID | LAYER | BATCH | TRUNCATED},
    [EIS_SPLIT_ERROR] = {2, 0}, /* id 0 = about the connection */
    [EIS_SPLIT_PING] = {3, ID | EMPTY},
    [EIS_SPLIT_CLOSE] = {3, EMPTY},
};

static bool is_request(unsigned type)
{
    return type == EIS_SPLIT_EVAL_WORDS || type == EIS_SPLIT_EVAL_SEED || type == EIS_SPLIT_MASKS ||
           type == EIS_SPLIT_PING;
}

/* Returns what is wrong with the fields of a header, or NULL. */
static const char *field_fault(const eis_frame_header *h, const struct type_row *row)
{
    unsigned fields = row->fields;

    if (h->type != EIS_SPLIT_ERROR && (h->request_id != 0) != ((fields & ID) != 0)) return "a wrong request id";
    if (h->layer != 0 && !(fields & LAYER)) return "a layer where none belongs";
    if ((h->batch != 0) != ((fields & BATCH) != 0)) return "a wrong batch";
    if ((h->suite != 0) != ((fields & SUITE) != 0)) return "a wrong suite";
    if (h->truncated_bits != 0 && !(fields & TRUNCATED)) return "truncated bits where none belong";
    if (h->payload_bytes != 0 && (fields & EMPTY)) return "a payload where none belongs";
    return NULL;
}

/* Returns why a frame may not come now, or NULL. */
static const char *order_fault(const eis_split_order *order, eis_split_role role, const eis_frame_header *h)
{
    bool greeting = h->type == EIS_SPLIT_HELLO || h->type == EIS_SPLIT_HELLO_ACK;

    if (order->closed) return "it comes after CLOSE";
    if (greeting && order->greeted) return "a second greeting";
    if (!greeting && !order->greeted && h->type != EIS_SPLIT_ERROR && h->type != EIS_SPLIT_CLOSE)
        return "it comes before the greeting";
    if (role == EIS_SPLIT_AT_SERVER && is_request(h->type) && h->request_id <= order->last_request_id)
        return "its request id does not rise";
    return NULL;
}

eis_status eis_split_order_accept(eis_split_order *order, eis_split_role role, const eis_frame_header *h)
{
    const char *fault;

    if (h->type == 0 || h->type >= sizeof type_rows / sizeof type_rows[0] ||
        !(type_rows[h->type].roles & (role == EIS_SPLIT_AT_SERVER ? 1u : 2u)))
        return eis_fail(EIS_ERR_PROTOCOL, "a frame of type %u does not belong here", h->type);
    fault = field_fault(h, &type_rows[h->type]);
    if (fault == NULL) fault = order_fault(order, role, h);
    if (fault != NULL) return eis_fail(EIS_ERR_PROTOCOL, "a frame of type %u: %s", h->type, fault);
    if (h->type == EIS_SPLIT_HELLO || h->type == EIS_SPLIT_HELLO_ACK) order->greeted = true;
    if (h->type == EIS_SPLIT_CLOSE) order->closed = true;
    if (role == EIS_SPLIT_AT_SERVER && is_request(h->type)) order->last_request_id = h->request_id;
    return EIS_OK;
}
