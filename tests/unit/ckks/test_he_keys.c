/* SPDX-License-Identifier: Apache-2.0 */
/* A key set comes from whoever wants to, is read once and used for ever: what is wrong in it must not get in, and what
 * gets in must be the client's keys, word for word. */
#include "world.h"

#include "base/bytes.h"
#include "ckks/he_keys.h"

#define CHAIN_PAIRS      \
    ((eis_ckks_literal){ \
        .degree = 8192, .prime_count = 5, .special_count = 2, .bits = {40, 35, 35, 40, 40}, .scale = 0x1p35})

#define HEADER_BYTES 56

static const eis_ckks_key_need all_needs[] = {{EIS_CKKS_KEY_RELIN, 2}, {EIS_CKKS_KEY_PUBLIC, 2}, {3, 1}, {27, 2}};

/* A client with a set of its keys on a small chain. */
typedef struct box {
    const eis_ckks_params *params;
    eis_ckks_secret_key secret;
    eis_ckks_key_set set, back;
    eis_writer out;
} box;

static void box_open(box *b, eis_ckks_literal literal, const eis_ckks_key_need *need, size_t count)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(eis_ckks_params_new(&b->params, &literal), EIS_OK);
    assert_int_equal(eis_ckks_secret_key_generate(&b->secret, b->params), EIS_OK);
    assert_int_equal(eis_ckks_key_set_generate(&b->set, &b->secret, need, count), EIS_OK);
    eis_wire_writer_init(&b->out, (size_t)1 << 28);
}

static void box_close(box *b)
{
    eis_ckks_key_set_clear(&b->set);
    eis_ckks_key_set_clear(&b->back);
    eis_ckks_secret_key_clear(&b->secret);
    eis_wire_writer_clear(&b->out);
    eis_ckks_params_free(b->params);
}

static void assert_same_poly(const eis_poly *a, const eis_poly *b)
{
    assert_int_equal(a->limbs, b->limbs);
    assert_memory_equal(a->words, b->words, a->limbs * a->degree * sizeof *a->words);
}

static void assert_same_key(const eis_ckks_switch_key *a, const eis_ckks_switch_key *b)
{
    assert_int_equal(a->limbs, b->limbs);
    assert_int_equal(a->digits, b->digits);
    for (size_t j = 0; j < a->digits; j++) {
        assert_same_poly(&a->row[j].b, &b->row[j].b);
        assert_same_poly(&a->row[j].a, &b->row[j].a);
    }
}

static void sets_travel_seeded_and_whole(void **state)
{
    const eis_ckks_literal chains[] = {CHAIN_S, CHAIN_PAIRS};

    (void)state;
    for (size_t chain = 0; chain < 2; chain++) {
        eis_ckks_key_need need[] = {all_needs[0], all_needs[1], all_needs[2], all_needs[3]};
        box b;

        if (chain) need[1].limbs = 3;
        box_open(&b, chains[chain], need, 4);
        for (unsigned seeded = 0; seeded < 2; seeded++) {
            eis_wire_writer_rewind(&b.out);
            eis_ckks_key_set_write(&b.out, &b.set, seeded);
            assert_int_equal(eis_wire_writer_status(&b.out), EIS_OK);
            assert_int_equal(b.out.bytes, eis_ckks_key_set_bytes(b.params, need, 4, seeded));
            assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, need, 4, b.out.data, b.out.bytes), EIS_OK);
            assert_same_key(&b.set.relin, &b.back.relin);
            assert_same_poly(&b.set.public_key.row.a, &b.back.public_key.row.a);
            assert_same_poly(&b.set.public_key.row.b, &b.back.public_key.row.b);
            assert_int_equal(b.back.galois.count, 2);
            for (size_t i = 0; i < 2; i++) assert_same_key(&b.set.galois.key[i].key, &b.back.galois.key[i].key);
            assert_true((b.back.relin.row[0].generator != 0) == seeded);
        }
        box_close(&b);
    }
}

static void needs_are_met_by_less_and_by_lower_levels(void **state)
{
    const eis_ckks_key_need some[] = {{EIS_CKKS_KEY_RELIN, 1}, {27, 1}}, none[] = {{9, 1}}, behind[] = {{81, 1}};
    const eis_ckks_key_need high[] = {{3, 2}};
    eis_ckks_switch_key cut = {0};
    box b;

    (void)state;
    box_open(&b, CHAIN_S, all_needs, 4);
    eis_ckks_key_set_write(&b.out, &b.set, true);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, some, 2, b.out.data, b.out.bytes), EIS_OK);
    assert_null(b.back.public_key.params);
    assert_int_equal(b.back.galois.count, 1);
    assert_int_equal(eis_ckks_switch_key_cut(&cut, &b.set.relin, 1), EIS_OK);
    assert_same_key(&b.back.relin, &cut);
    assert_int_equal(b.back.relin.row[0].generator, 0); /* the seed stands for more words than are left */
    assert_int_equal(eis_ckks_switch_key_cut(&cut, &b.set.galois.key[1].key, 1), EIS_OK);
    assert_same_key(&b.back.galois.key[0].key, &cut);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, none, 1, b.out.data, b.out.bytes),
                     EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, behind, 1, b.out.data, b.out.bytes),
                     EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, high, 1, b.out.data, b.out.bytes),
                     EIS_ERR_KEYS_INSUFFICIENT); /* there for one limb */
    assert_null(b.back.params);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, NULL, 0, b.out.data, b.out.bytes), EIS_OK);
    assert_int_equal(b.back.galois.count, 0);
    eis_ckks_switch_key_clear(&cut);
    box_close(&b);
}

/* The keys of the folded 256 -> 10 on the chain of one dense layer: 4 stages of 3 rotations behind the rescale. */
static void a_dense_layer_needs_little(void **state)
{
    eis_ckks_literal literal = CHAIN_A1;
    const eis_ckks_params *params;
    eis_ckks_key_need need[12];

    (void)state;
    assert_int_equal(eis_ckks_params_new(&params, &literal), EIS_OK);
    for (uint32_t i = 0; i < 12; i++) need[i] = (eis_ckks_key_need){2 * i + 3, 1};
    assert_true(eis_ckks_key_set_bytes(params, need, 12, true) < 1600000);
    assert_int_equal(eis_ckks_key_set_bytes(params, need, 12, true), 56 + 12 * (8 + 64 + 2 * 8192 * 50 / 8));
    /* words, and for each the order of its turn */
    assert_int_equal(eis_ckks_key_set_memory(params, need, 12), 12 * (2 * 2 * 8192 * 8 + 8192 * 4));
    eis_ckks_params_free(params);
}

static void lists_of_needs_are_checked(void **state)
{
    const eis_ckks_key_need bad[][2] = {
        {{0, 0}, {1, 2}}, {{0, 3}, {1, 2}},    {{1, 1}, {3, 1}}, {{3, 1}, {3, 1}},
        {{5, 1}, {3, 1}}, {{3, 1}, {8193, 1}}, {{2, 1}, {3, 1}}, {{3, 1}, {5, 0}},
    };
    eis_ckks_literal one = {.degree = 4096, .prime_count = 1, .bits = {60}};
    eis_ckks_key_need *many = eis_mem_new(EIS_CKKS_KEYS_MAX + 1, sizeof *many);
    box b;

    (void)state;
    box_open(&b, CHAIN_S, all_needs, 4);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(eis_ckks_key_needs_check(b.params, bad[i], 2), EIS_ERR_RANGE);
        assert_int_equal(eis_ckks_key_set_generate(&b.back, &b.secret, bad[i], 2), EIS_ERR_RANGE);
    }
    for (uint32_t i = 0; i <= EIS_CKKS_KEYS_MAX; i++) many[i] = (eis_ckks_key_need){2 * i + 3, 1};
    assert_int_equal(eis_ckks_key_needs_check(b.params, many, EIS_CKKS_KEYS_MAX), EIS_OK);
    assert_int_equal(eis_ckks_key_needs_check(b.params, many, EIS_CKKS_KEYS_MAX + 1), EIS_ERR_RANGE);
    eis_mem_free(many);
    box_close(&b);
    box_open(&b, one, (const eis_ckks_key_need[]){{EIS_CKKS_KEY_PUBLIC, 1}}, 1);
    assert_int_equal(eis_ckks_key_needs_check(b.params, all_needs, 1), EIS_ERR_UNSUPPORTED);
    eis_ckks_key_set_write(&b.out, &b.set, true);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, (const eis_ckks_key_need[]){{EIS_CKKS_KEY_PUBLIC, 1}}, 1,
                                           b.out.data, b.out.bytes),
                     EIS_OK);
    box_close(&b);
}

typedef struct change {
    size_t at;
    uint8_t value;
    eis_status st;
} change;

static void what_is_wrong_is_refused(void **state)
{
    const size_t relin_bytes = 8 + 2 * (64 + (38 + 30 + 38) * 4096 / 8), public_at = HEADER_BYTES + relin_bytes;
    const change changes[] = {
        {0, 'e', EIS_ERR_CIPHERTEXT},        {4, 2, EIS_ERR_CIPHERTEXT},
        {6, 2, EIS_ERR_CONTEXT_MISMATCH},    {7, 1, EIS_ERR_CIPHERTEXT},
        {8, 0x5a, EIS_ERR_CONTEXT_MISMATCH}, {40, 5, EIS_ERR_CIPHERTEXT},
        {40, 3, EIS_ERR_CIPHERTEXT},         {43, 1, EIS_ERR_CIPHERTEXT},
        {44, 1, EIS_ERR_CIPHERTEXT},         {48, 1, EIS_ERR_CIPHERTEXT},
        {55, 0x80, EIS_ERR_CIPHERTEXT},      {56, 2, EIS_ERR_CIPHERTEXT},
        {57, 0x40, EIS_ERR_CIPHERTEXT},      {60, 0, EIS_ERR_CIPHERTEXT},
        {60, 3, EIS_ERR_CIPHERTEXT},         {62, 3, EIS_ERR_CIPHERTEXT},
        {62, 0, EIS_ERR_CIPHERTEXT},         {63, 1, EIS_ERR_CIPHERTEXT},
        {public_at, 0, EIS_ERR_CIPHERTEXT},  {public_at + 4, 1, EIS_ERR_CIPHERTEXT},
    };
    uint8_t *copy;
    box b;

    (void)state;
    box_open(&b, CHAIN_S, all_needs, 4);
    eis_ckks_key_set_write(&b.out, &b.set, true);
    assert_int_equal(eis_load_le32(b.out.data + public_at), EIS_CKKS_KEY_PUBLIC);
    copy = eis_mem_new(b.out.bytes + 1, 1);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        memcpy(copy, b.out.data, b.out.bytes);
        assert_true(copy[changes[i].at] != changes[i].value);
        copy[changes[i].at] = changes[i].value;
        assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, all_needs, 4, copy, b.out.bytes), changes[i].st);
        assert_null(b.back.params);
    }
    /* a byte more, a byte less, and cuts everywhere near a border, with a length that owns up to it */
    memcpy(copy, b.out.data, b.out.bytes);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, all_needs, 4, copy, b.out.bytes - 1), EIS_ERR_CIPHERTEXT);
    for (size_t i = 0; i < 200; i++) {
        const size_t bytes = i < 100 ? i : i < 150 ? b.out.bytes - (i - 99) : public_at - 25 + (i - 150);

        eis_store_le64(copy + 48, bytes);
        assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, all_needs, 4, copy, bytes), EIS_ERR_CIPHERTEXT);
    }
    eis_store_le64(copy + 48, b.out.bytes + 1);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, all_needs, 4, copy, b.out.bytes + 1), EIS_ERR_CIPHERTEXT);
    eis_mem_free(copy);
    box_close(&b);
}

static void rows_are_canonical_and_not_transparent(void **state)
{
    const eis_ckks_key_need need[] = {{3, 1}}, other[] = {{5, 1}};
    const size_t row = HEADER_BYTES + 8, limb = 4096 / 8 * 38;
    box b;

    (void)state;
    box_open(&b, CHAIN_S, need, 1);
    eis_ckks_key_set_write(&b.out, &b.set, false); /* b on q0 and P, then a; 38 bits each */
    assert_int_equal(b.out.bytes, row + 4 * limb);
    for (size_t half = 0; half < 4; half++) { /* the last word of a limb, all ones: 2^38 - 1 is no residue */
        uint8_t *end = b.out.data + row + (half + 1) * limb, kept[5];

        memcpy(kept, end - 5, 5);
        memset(end - 5, 0xff, 5);
        assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, need, 1, b.out.data, b.out.bytes),
                         EIS_ERR_CIPHERTEXT);
        /* also in a key that nobody needs: it is checked, and then missed */
        assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, NULL, 0, b.out.data, b.out.bytes),
                         EIS_ERR_CIPHERTEXT);
        memcpy(end - 5, kept, 5);
    }
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, other, 1, b.out.data, b.out.bytes),
                     EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, need, 1, b.out.data, b.out.bytes), EIS_OK);
    memset(b.out.data + row + 3 * limb, 0, limb);
    assert_int_equal(eis_ckks_key_set_read(&b.back, b.params, need, 1, b.out.data, b.out.bytes), EIS_ERR_CIPHERTEXT);
    box_close(&b);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
    box b;
    eis_status st;

    (void)state;
    box_open(&b, CHAIN_S, all_needs, 4);
    eis_ckks_key_set_write(&b.out, &b.set, true);
    for (unsigned long n = 1;; n++) {
        eis_mem_fail_at(n);
        st = eis_ckks_key_set_read(&b.back, b.params, all_needs, 4, b.out.data, b.out.bytes);
        eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(b.back.params);
    }
    eis_ckks_key_set_clear(&b.back);
    for (unsigned long n = 1;; n++) {
        eis_mem_fail_at(n);
        st = eis_ckks_key_set_generate(&b.back, &b.secret, all_needs, 4);
        eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(b.back.params);
    }
    box_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_travel_seeded_and_whole),
        cmocka_unit_test(needs_are_met_by_less_and_by_lower_levels),
        cmocka_unit_test(a_dense_layer_needs_little),
        cmocka_unit_test(lists_of_needs_are_checked),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(rows_are_canonical_and_not_transparent),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
