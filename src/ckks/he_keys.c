/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets, written and read. */
#include "ckks/he_keys.h"

#include "base/mem.h"
#include "ring/sampler.h"

#include <string.h>

#define MAGIC        0x4b534945u /* "EISK" */
#define VERSION      1u
#define HEADER_BYTES 56u
#define BYTES_AT     48u /* of the length in the header */
#define ENTRY_BYTES  8u

/* ---- Needs ------------------------------------------------------------------------------------------------------ */

/* Whether a key of that id and level can be. */
static bool is_possible(const eis_ckks_params *params, uint32_t id, size_t limbs)
{
    if (id != EIS_CKKS_KEY_RELIN && (id % 2 == 0 || id >= 2 * params->degree)) return false;
    if (id == EIS_CKKS_KEY_PUBLIC) return limbs == params->limbs_max;
    return params->has_special && limbs >= 1 && limbs <= params->limbs_max;
}

eis_status eis_ckks_key_needs_check(const eis_ckks_params *params, const eis_ckks_key_need *need, size_t count)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(count <= EIS_CKKS_KEYS_MAX, EIS_ERR_RANGE, "a list of more than %u keys", EIS_CKKS_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        EIS_REQUIRE(params->has_special || need[i].id == EIS_CKKS_KEY_PUBLIC, EIS_ERR_UNSUPPORTED,
                    "a chain of one prime has no key switching");
        EIS_REQUIRE((i == 0 || need[i].id > need[i - 1].id) && is_possible(params, need[i].id, need[i].limbs),
                    EIS_ERR_RANGE, "no key %u for %u limbs, at place %zu of a list", need[i].id, need[i].limbs, i);
    }
out:
    return st;
}

void eis_ckks_key_set_clear(eis_ckks_key_set *set)
{
    eis_ckks_public_key_clear(&set->public_key);
    eis_ckks_switch_key_clear(&set->relin);
    eis_ckks_galois_keys_clear(&set->galois);
    *set = (eis_ckks_key_set){0};
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

static size_t rows_of(const eis_ckks_params *params, uint32_t id, size_t limbs)
{
    return id == EIS_CKKS_KEY_PUBLIC ? 1 : eis_ckks_digit_count(params, limbs);
}

/* The bytes of one half of a row. N is a multiple of 8, so every limb is whole bytes. */
static size_t half_bytes(const eis_ckks_params *params, size_t limbs)
{
    size_t bits = 0;

    for (size_t i = 0; i < limbs + params->special_count; i++)
        bits += eis_rns_modulus(&params->rns, i < limbs ? i : params->limbs_max + (i - limbs))->bits;
    return bits * (params->degree / 8);
}

static size_t entry_bytes(const eis_ckks_params *params, uint32_t id, size_t limbs, bool seeded)
{
    const size_t half = half_bytes(params, limbs);

    return ENTRY_BYTES + rows_of(params, id, limbs) * (seeded ? EIS_EXPAND_SEED_BYTES + half : 2 * half);
}

size_t eis_ckks_key_set_bytes(const eis_ckks_params *params, const eis_ckks_key_need *need, size_t count, bool seeded)
{
    size_t bytes = HEADER_BYTES;

    for (size_t i = 0; i < count; i++) bytes += entry_bytes(params, need[i].id, need[i].limbs, seeded);
    return bytes;
}

size_t eis_ckks_key_set_memory(const eis_ckks_params *params, const eis_ckks_key_need *need, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        const size_t words = 2 * (need[i].limbs + params->special_count) * params->degree;

        bytes += rows_of(params, need[i].id, need[i].limbs) * words * sizeof(uint64_t);
        if (need[i].id > EIS_CKKS_KEY_PUBLIC) bytes += params->degree * sizeof(uint32_t); /* its order */
    }
    return bytes;
}

/* ---- Words at the width of their prime --------------------------------------------------------------------------- */

__extension__ typedef unsigned __int128 wide;

/* Range: n * bits a multiple of 32. Shape: out[n * bits / 8]. */
static void pack_words(uint8_t *out, const uint64_t *words, size_t n, unsigned bits)
{
    wide rest = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        rest |= (wide)words[i] << held;
        for (held += bits; held >= 32; held -= 32, out += 4, rest >>= 32) eis_store_le32(out, (uint32_t)rest);
    }
}

static void unpack_words(uint64_t *words, const uint8_t *in, size_t n, unsigned bits)
{
    wide rest = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        for (; held < bits; held += 32, in += 4) rest |= (wide)eis_load_le32(in) << held;
        words[i] = (uint64_t)rest & (UINT64_MAX >> (64 - bits));
        rest >>= bits;
        held -= bits;
    }
}

static void write_half(eis_writer *w, const eis_rns *rns, const eis_poly *half)
{
    for (size_t i = 0; i < half->limbs; i++) {
        const unsigned bits = eis_poly_plan(rns, half, i)->mod.bits;
        uint8_t *out = eis_wire_writer_reserve(w, half->degree / 8 * bits);

        if (out != NULL) pack_words(out, eis_poly_limb(half, i), half->degree, bits);
    }
}

static eis_status read_half(eis_poly *half, const eis_rns *rns, eis_reader *r)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < half->limbs; i++) {
        const unsigned bits = eis_poly_plan(rns, half, i)->mod.bits;
        const uint8_t *in = eis_wire_reader_bytes(r, half->degree / 8 * bits);

        EIS_TRY(eis_wire_reader_status(r));
        unpack_words(eis_poly_limb(half, i), in, half->degree, bits);
    }
    EIS_REQUIRE(eis_poly_canonical(rns, half), EIS_ERR_CIPHERTEXT, "a key with a word that is not below its prime");
out:
    return st;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* The generator of all rows, or 0. */
static unsigned common_generator(const eis_ckks_row *row, size_t count)
{
    for (size_t j = 1; j < count; j++)
        if (row[j].generator != row[0].generator) return 0;
    return row[0].generator;
}

static void write_entry(eis_writer *w, const eis_ckks_params *params, uint32_t id, size_t limbs,
                        const eis_ckks_row *row, size_t rows, bool seeded)
{
    const unsigned generator = seeded ? common_generator(row, rows) : 0;

    eis_wire_writer_u32(w, id);
    eis_wire_writer_u16(w, (uint16_t)limbs);
    eis_wire_writer_u8(w, (uint8_t)generator);
    eis_wire_writer_u8(w, 0);
    for (size_t j = 0; j < rows; j++) {
        if (generator != 0) eis_wire_writer_bytes(w, row[j].seed, EIS_EXPAND_SEED_BYTES);
        write_half(w, &params->rns, &row[j].b);
        if (generator == 0) write_half(w, &params->rns, &row[j].a);
    }
}

void eis_ckks_key_set_write(eis_writer *w, const eis_ckks_key_set *set, bool seeded)
{
    const eis_ckks_params *params = set->params;
    const size_t begin = w->bytes;
    const bool has_relin = set->relin.row != NULL, has_public = set->public_key.params != NULL;

    eis_wire_writer_u32(w, MAGIC);
    eis_wire_writer_u16(w, VERSION);
    eis_wire_writer_u8(w, (uint8_t)params->special_count);
    eis_wire_writer_u8(w, 0);
    eis_wire_writer_bytes(w, params->parms_id[params->prime_count], EIS_CKKS_PARMS_ID_BYTES);
    eis_wire_writer_u32(w, (uint32_t)(has_relin + has_public + set->galois.count));
    eis_wire_writer_zeros(w, 12);
    if (has_relin)
        write_entry(w, params, EIS_CKKS_KEY_RELIN, set->relin.limbs, set->relin.row, set->relin.digits, seeded);
    if (has_public) write_entry(w, params, EIS_CKKS_KEY_PUBLIC, params->limbs_max, &set->public_key.row, 1, seeded);
    for (size_t i = 0; i < set->galois.count; i++) {
        const eis_ckks_galois_key *key = &set->galois.key[i];

        write_entry(w, params, key->element, key->key.limbs, key->key.row, key->key.digits, seeded);
    }
    if (w->st == EIS_OK) eis_store_le64(w->data + begin + BYTES_AT, w->bytes - begin);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

typedef struct entry {
    uint32_t id;
    size_t limbs, rows;
    unsigned generator;
} entry;

typedef struct key_reader {
    eis_reader r;
    const eis_ckks_params *params;
    uint32_t count; /* entries */
    eis_ckks_row spare;
} key_reader;

static eis_status as_ciphertext(eis_status st) { return st == EIS_ERR_PARSE ? EIS_ERR_CIPHERTEXT : st; }

static eis_status open_header(key_reader *k, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_reader *r = &k->r;
    const eis_ckks_params *params = k->params;

    eis_wire_reader_init(r, "key set", data, bytes);
    uint32_t magic = eis_wire_reader_u32(r), version = eis_wire_reader_u16(r);
    uint8_t special = eis_wire_reader_u8(r), reserved = eis_wire_reader_u8(r);
    const uint8_t *id = eis_wire_reader_bytes(r, EIS_CKKS_PARMS_ID_BYTES);

    k->count = eis_wire_reader_u32(r);
    uint32_t reserved_too = eis_wire_reader_u32(r);
    uint64_t claimed = eis_wire_reader_u64(r);

    EIS_TRY(eis_wire_reader_status(r));
    EIS_REQUIRE(magic == MAGIC && version == VERSION && reserved == 0 && reserved_too == 0, EIS_ERR_CIPHERTEXT,
                "no key set of version %u", VERSION);
    EIS_REQUIRE(claimed == bytes, EIS_ERR_CIPHERTEXT, "a key set that is not as long as it says");
    EIS_REQUIRE(k->count <= EIS_CKKS_KEYS_MAX, EIS_ERR_CIPHERTEXT, "a key set of more than %u keys", EIS_CKKS_KEYS_MAX);
    EIS_REQUIRE(special == params->special_count &&
                    memcmp(id, params->parms_id[params->prime_count], EIS_CKKS_PARMS_ID_BYTES) == 0,
                EIS_ERR_CONTEXT_MISMATCH, "a key set of other parameters");
out:
    return st;
}

static eis_status open_entry(entry *e, key_reader *k, uint32_t id_before, bool first)
{
    eis_status st = EIS_OK;
    uint8_t reserved;

    e->id = eis_wire_reader_u32(&k->r);
    e->limbs = eis_wire_reader_u16(&k->r);
    e->generator = eis_wire_reader_u8(&k->r);
    reserved = eis_wire_reader_u8(&k->r);
    EIS_TRY(eis_wire_reader_status(&k->r));
    EIS_REQUIRE(reserved == 0 && e->generator <= EIS_EXPAND_SHAKE256, EIS_ERR_CIPHERTEXT, "a key of an unknown form");
    EIS_REQUIRE((first || e->id > id_before) && is_possible(k->params, e->id, e->limbs), EIS_ERR_CIPHERTEXT,
                "no key %u for %zu limbs can stand here", e->id, e->limbs);
    e->rows = rows_of(k->params, e->id, e->limbs);
out:
    return st;
}

/* Reads a row into *row, of the entry's level. */
static eis_status read_row(eis_ckks_row *row, key_reader *k, const entry *e)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &k->params->rns;

    if (e->generator != 0) eis_wire_reader_copy(&k->r, row->seed, sizeof row->seed);
    EIS_TRY(read_half(&row->b, rns, &k->r));
    if (e->generator != 0)
        EIS_TRY(eis_sampler_uniform_seeded(rns, &row->a, e->generator, row->seed));
    else
        EIS_TRY(read_half(&row->a, rns, &k->r));
    for (size_t i = 0; i < row->a.limbs; i++)
        EIS_REQUIRE(!eis_poly_limb_is_zero(&row->a, i), EIS_ERR_CIPHERTEXT, "a transparent key");
    row->generator = e->generator;
out:
    return st;
}

/* Reads a row to be looked at, and perhaps cut, in the spare memory. */
static eis_status read_spare(eis_ckks_row *view, key_reader *k, const entry *e)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &k->params->rns;
    const size_t special = k->params->special_count;

    if (k->spare.b.words == NULL) EIS_TRY(eis_ckks_row_init(&k->spare, k->params));
    *view = (eis_ckks_row){.b = eis_poly_view(rns, k->spare.b.words, e->limbs + special, special, EIS_DOMAIN_NTT),
                           .a = eis_poly_view(rns, k->spare.a.words, e->limbs + special, special, EIS_DOMAIN_NTT)};
    EIS_TRY(read_row(view, k, e));
out:
    return st;
}

/* Reads the rows of a switching key, or looks at them where key is NULL. */
static eis_status read_switch_key(eis_ckks_switch_key *key, size_t limbs, key_reader *k, const entry *e)
{
    eis_status st = EIS_OK;
    eis_ckks_row view;

    if (key != NULL) {
        EIS_REQUIRE(e->limbs >= limbs, EIS_ERR_KEYS_INSUFFICIENT, "key %u is for %zu limbs, needed for %zu", e->id,
                    e->limbs, limbs);
        EIS_TRY(eis_ckks_switch_key_init_cut(key, k->params, limbs));
    }
    for (size_t j = 0; j < e->rows; j++) {
        if (key != NULL && limbs == e->limbs) {
            EIS_TRY(read_row(&key->row[j], k, e));
            continue;
        }
        EIS_TRY(read_spare(&view, k, e));
        if (key != NULL && j < key->digits) eis_ckks_row_cut(&key->row[j], &view, limbs);
    }
out:
    return st;
}

/* Reads one entry. need: what is wanted of it, or NULL; galois: the place of a Galois key. */
static eis_status read_entry(eis_ckks_key_set *set, key_reader *k, const entry *e, const eis_ckks_key_need *need,
                             eis_ckks_galois_key *galois)
{
    eis_ckks_row view;

    if (need == NULL) return e->id == EIS_CKKS_KEY_PUBLIC ? read_spare(&view, k, e) : read_switch_key(NULL, 0, k, e);
    if (e->id == EIS_CKKS_KEY_RELIN) return read_switch_key(&set->relin, need->limbs, k, e);
    if (e->id > EIS_CKKS_KEY_PUBLIC) return read_switch_key(&galois->key, need->limbs, k, e);
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_row_init(&set->public_key.row, k->params));
    EIS_TRY(read_row(&set->public_key.row, k, e));
    set->public_key.params = k->params;
out:
    return st;
}

static eis_status missing(uint32_t id) { return eis_fail(EIS_ERR_KEYS_INSUFFICIENT, "the key set has no key %u", id); }

/* Reads entry after entry beside the needs: both rise. */
static eis_status read_entries(eis_ckks_key_set *set, key_reader *k, const eis_ckks_key_need *need, size_t count)
{
    eis_status st = EIS_OK;
    entry e = {0};
    size_t next = 0, turns = 0;

    for (uint32_t i = 0; i < k->count; i++) {
        EIS_TRY(open_entry(&e, k, e.id, i == 0));
        if (next < count && need[next].id < e.id) return missing(need[next].id);
        const bool wanted = next < count && need[next].id == e.id, turn = wanted && e.id > EIS_CKKS_KEY_PUBLIC;

        EIS_TRY(read_entry(set, k, &e, wanted ? &need[next] : NULL, turn ? &set->galois.key[turns] : NULL));
        next += wanted;
        turns += turn;
    }
    EIS_TRY(eis_wire_reader_end(&k->r));
    if (next < count) return missing(need[next].id);
out:
    return st;
}

static eis_status init_galois(eis_ckks_key_set *set, const eis_ckks_key_need *need, size_t count)
{
    eis_status st = EIS_OK;
    uint32_t *element = NULL;
    size_t turns = 0;

    EIS_NEW(element, count);
    for (size_t i = 0; i < count; i++)
        if (need[i].id > EIS_CKKS_KEY_PUBLIC) element[turns++] = need[i].id;
    EIS_TRY(eis_ckks_galois_keys_init(&set->galois, set->params, element, turns));
out:
    eis_mem_free(element);
    return st;
}

eis_status eis_ckks_key_set_read(eis_ckks_key_set *set, const eis_ckks_params *params, const eis_ckks_key_need *need,
                                 size_t count, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    key_reader k = {.params = params};

    EIS_ASSERT(eis_ckks_key_needs_check(params, need, count) == EIS_OK);
    eis_ckks_key_set_clear(set);
    set->params = params;
    EIS_TRY(open_header(&k, data, bytes));
    EIS_TRY(init_galois(set, need, count));
    EIS_TRY(read_entries(set, &k, need, count));
out:
    if (st != EIS_OK) eis_ckks_key_set_clear(set);
    eis_ckks_row_clear(&k.spare);
    return as_ciphertext(st);
}
