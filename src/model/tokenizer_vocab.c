/* SPDX-License-Identifier: Apache-2.0 */
/* Two hash tables with open addressing and linear probing.
 *
 * The files that fill them may be hostile, and the hash has no secret seed. So the number of probes has a limit
 * that honest data do not come near at half load (a few dozen); a file that reaches it is refused while it is loaded.
 */
#include "model/tokenizer_vocab.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <string.h>

enum { PROBES_MAX = 1024, SLOTS_MIN = 256, PIECES_MIN = 256 };

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
    z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
    return z ^ (z >> 32);
}

static uint64_t hash_bytes(const uint8_t *data, size_t bytes)
{
    uint64_t h = bytes;

    for (; bytes >= 8; data += 8, bytes -= 8) h = mixed(h ^ eis_load_le64(data)) + 0x9E3779B97F4A7C15u;
    for (; bytes > 0; data++, bytes--) h = (h ^ *data) * 0x100000001B3u;
    return mixed(h);
}

static bool piece_equals(const eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes)
{
    const eis_vocab_piece *p = &vocab->pieces[id];

    return p->bytes == bytes && (bytes == 0 || memcmp(vocab->arena.data + p->start, piece, bytes) == 0);
}

/* Finds the slot of a piece, or the free slot where it belongs; NULL after too many probes. */
static uint32_t *slot_of_piece(const eis_vocab *vocab, const uint8_t *piece, size_t bytes)
{
    size_t mask = vocab->slot_count - 1, at = (size_t)hash_bytes(piece, bytes) & mask;

    for (size_t probe = 0; probe < PROBES_MAX; probe++, at = (at + 1) & mask) {
        uint32_t entry = vocab->slots[at];
        if (entry == 0 || piece_equals(vocab, entry - 1, piece, bytes)) return &vocab->slots[at];
    }
    return NULL;
}

static eis_status grow_piece_slots(eis_vocab *vocab)
{
    eis_status st = EIS_OK;
    eis_vocab grown = *vocab;

    grown.slot_count = vocab->slot_count ? vocab->slot_count * 2 : SLOTS_MIN;
    EIS_NEW(grown.slots, grown.slot_count);
    for (size_t i = 0; i < vocab->slot_count; i++) {
        uint32_t entry = vocab->slots[i], *slot;
        if (entry == 0) continue;
        const eis_vocab_piece *p = &vocab->pieces[entry - 1];
        slot = slot_of_piece(&grown, vocab->arena.data + p->start, p->bytes);
        EIS_REQUIRE(slot != NULL, EIS_ERR_LIMIT, "the tokenizer's pieces collide in the hash table");
        *slot = entry;
    }
    eis_mem_free(vocab->slots);
    vocab->slots = grown.slots;
    vocab->slot_count = grown.slot_count;
    return EIS_OK;
out:
    eis_mem_free(grown.slots);
    return st;
}

static eis_status reserve_id(eis_vocab *vocab, uint32_t id)
{
    eis_status st = EIS_OK;
    uint32_t wanted;

    EIS_REQUIRE(id <= EIS_TOKEN_ID_MAX, EIS_ERR_PARSE, "token id %u is above %u", id, EIS_TOKEN_ID_MAX);
    if (id >= vocab->capacity) {
        wanted = id + 1 + id / 2;
        if (wanted < PIECES_MIN) wanted = PIECES_MIN;
        EIS_TRY(eis_mem_resize(&vocab->pieces, vocab->capacity, wanted, sizeof *vocab->pieces));
        vocab->capacity = wanted;
    }
    EIS_REQUIRE(!vocab->pieces[id].present, EIS_ERR_PARSE, "token id %u is used twice", id);
out:
    return st;
}

/* Appends the bytes and fills the entry of an id; nothing finds it yet. */
static eis_status store_piece(eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t start = vocab->arena.bytes;

    EIS_REQUIRE(bytes <= EIS_PIECE_BYTES_MAX, EIS_ERR_PARSE, "the piece of token %u has %zu bytes; the limit is %d", id,
                bytes, EIS_PIECE_BYTES_MAX);
    EIS_REQUIRE(start + bytes <= UINT32_MAX, EIS_ERR_LIMIT, "the tokenizer's pieces exceed 4 GiB");
    EIS_TRY(reserve_id(vocab, id));
    EIS_TRY(eis_text_append(&vocab->arena, piece, bytes));
    vocab->pieces[id] = (eis_vocab_piece){.start = (uint32_t)start, .bytes = (uint16_t)bytes, .present = true};
    if (id >= vocab->count) vocab->count = id + 1;
out:
    return st;
}

eis_status eis_vocab_add(eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes)
{
    eis_status st = EIS_OK;
    uint32_t *slot;

    if (vocab->used * 2 >= vocab->slot_count) EIS_TRY(grow_piece_slots(vocab));
    slot = slot_of_piece(vocab, piece, bytes);
    EIS_REQUIRE(slot != NULL, EIS_ERR_LIMIT, "the tokenizer's pieces collide in the hash table");
    EIS_TRY(store_piece(vocab, id, piece, bytes));
    if (*slot == 0) {
        *slot = id + 1;
        vocab->used++;
    }
out:
    return st;
}

eis_status eis_vocab_add_raw(eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes)
{
    eis_status st = EIS_OK;

    EIS_TRY(store_piece(vocab, id, piece, bytes));
    vocab->pieces[id].raw = true;
out:
    return st;
}

uint32_t eis_vocab_find(const eis_vocab *vocab, const uint8_t *piece, size_t bytes)
{
    const uint32_t *slot =
        vocab->slot_count && bytes <= EIS_PIECE_BYTES_MAX ? slot_of_piece(vocab, piece, bytes) : NULL;

    return slot != NULL && *slot != 0 ? *slot - 1 : EIS_TOKEN_NONE;
}

const uint8_t *eis_vocab_piece_of(const eis_vocab *vocab, uint32_t id, size_t *bytes)
{
    static const uint8_t empty[1] = {0};

    if (id >= vocab->count || !vocab->pieces[id].present) return NULL;
    *bytes = vocab->pieces[id].bytes;
    return *bytes ? vocab->arena.data + vocab->pieces[id].start : empty;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool eis_vocab_byte_piece(const uint8_t *piece, size_t bytes, uint8_t *byte)
{
    int high, low;

    if (bytes != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>') return false;
    high = hex_digit(piece[3]);
    low = hex_digit(piece[4]);
    if (high < 0 || low < 0) return false;
    *byte = (uint8_t)(high << 4 | low);
    return true;
}

void eis_vocab_clear(eis_vocab *vocab)
{
    eis_mem_free(vocab->pieces);
    eis_mem_free(vocab->slots);
    eis_text_clear(&vocab->arena);
    *vocab = (eis_vocab){0};
}

static struct eis_pair *slot_of_pair(const eis_pairs *pairs, uint32_t left, uint32_t right)
{
    size_t mask = pairs->slot_count - 1, at = (size_t)mixed((uint64_t)left << 32 | right) & mask;

    for (size_t probe = 0; probe < PROBES_MAX; probe++, at = (at + 1) & mask) {
        struct eis_pair *slot = &pairs->slots[at];
        if (slot->rank_plus_one == 0 || (slot->left == left && slot->right == right)) return slot;
    }
    return NULL;
}

static eis_status grow_pairs(eis_pairs *pairs)
{
    eis_status st = EIS_OK;
    eis_pairs grown = {.used = pairs->used};

    grown.slot_count = pairs->slot_count ? pairs->slot_count * 2 : SLOTS_MIN;
    EIS_NEW(grown.slots, grown.slot_count);
    for (size_t i = 0; i < pairs->slot_count; i++) {
        const struct eis_pair *old = &pairs->slots[i];
        if (old->rank_plus_one == 0) continue;
        struct eis_pair *slot = slot_of_pair(&grown, old->left, old->right);
        EIS_REQUIRE(slot != NULL, EIS_ERR_LIMIT, "the tokenizer's merges collide in the hash table");
        *slot = *old;
    }
    eis_mem_free(pairs->slots);
    *pairs = grown;
    return EIS_OK;
out:
    eis_mem_free(grown.slots);
    return st;
}

eis_status eis_pairs_add(eis_pairs *pairs, uint32_t left, uint32_t right, uint32_t joined, uint32_t rank)
{
    eis_status st = EIS_OK;
    struct eis_pair *slot;

    EIS_REQUIRE(rank < UINT32_MAX, EIS_ERR_LIMIT, "too many merges");
    if (pairs->used * 2 >= pairs->slot_count) EIS_TRY(grow_pairs(pairs));
    slot = slot_of_pair(pairs, left, right);
    EIS_REQUIRE(slot != NULL, EIS_ERR_LIMIT, "the tokenizer's merges collide in the hash table");
    if (slot->rank_plus_one != 0) return EIS_OK;
    *slot = (struct eis_pair){.left = left, .right = right, .joined = joined, .rank_plus_one = rank + 1};
    pairs->used++;
out:
    return st;
}

bool eis_pairs_find(const eis_pairs *pairs, uint32_t left, uint32_t right, uint32_t *joined, uint32_t *rank)
{
    const struct eis_pair *slot = pairs->slot_count ? slot_of_pair(pairs, left, right) : NULL;

    if (slot == NULL || slot->rank_plus_one == 0) return false;
    *joined = slot->joined;
    *rank = slot->rank_plus_one - 1;
    return true;
}

void eis_pairs_clear(eis_pairs *pairs)
{
    eis_mem_free(pairs->slots);
    *pairs = (eis_pairs){0};
}
