/* SPDX-License-Identifier: Apache-2.0 */
/* A contract comes from a server that the client does not trust: what it says must never make the client overflow,
 * assert or allocate without bound; and each slot must hold what the packing says. */
#include "he_world.h"

static eis_he_contract good(eis_he_packing_kind kind)
{
    eis_he_contract c = {.chain = "A",
                         .literal = {.degree = 8192, .prime_count = 4, .bits = {50, 40, 40, 50}, .scale = 0x1p40},
                         .depth = 1,
                         .batch_max = 1,
                         .stage_count = 1,
                         .input_max = 1};
    eis_he_packing *p = &c.stage[0].input;

    *p = (eis_he_packing){.kind = kind, .size = 300, .padded = 512, .copies = 8, .ciphertexts = 1, .limbs = 3};
    p->scale = 0x1p40;
    if (kind == EIS_HE_FEATURES) {
        p->padded = p->copies = 1;
        p->ciphertexts = 300;
        c.batch_max = 4096;
    }
    if (kind == EIS_HE_BLOCKS) p->shift = 64;
    if (kind == EIS_HE_WINDOWS) {
        *p = (eis_he_packing){.kind = kind, .size = 784, .padded = 64, .copies = 1, .ciphertexts = 1, .limbs = 3};
        p->channels = 1;
        p->height = p->width = 28;
        p->kernel_height = p->kernel_width = 7;
        p->stride_y = p->stride_x = 3;
        p->scale = 0x1p40;
    }
    c.stage[0].output = (eis_he_output){.count = 10,
                                        .per_ciphertext = kind == EIS_HE_FEATURES ? 1 : 10,
                                        .ciphertexts = kind == EIS_HE_FEATURES ? 10 : 1,
                                        .stride = 8,
                                        .polys = 2,
                                        .limbs = 1,
                                        .scale = 0x1p40,
                                        .error = 1e-6};
    c.needs_relin = true;
    c.element_count = 2;
    c.element[0] = 3;
    c.element[1] = 9;
    c.has_levels = true;
    c.relin_limbs = c.element_limbs[0] = 3;
    c.element_limbs[1] = 1;
    return c;
}

static void good_ones_pass(void **state)
{
    (void)state;
    for (int kind = EIS_HE_FEATURES; kind <= EIS_HE_WINDOWS; kind++) {
        eis_he_contract c = good((eis_he_packing_kind)kind);
        assert_int_equal(eis_he_contract_check(&c), EIS_OK);
    }
}

/* One member wrong at a time. */
#define REFUSED(kind, change)                                                 \
    do {                                                                      \
        eis_he_contract c = good(kind);                                       \
        eis_he_stage *s = &c.stage[0];                                        \
        (void)s;                                                              \
        change;                                                               \
        if (eis_he_contract_check(&c) != EIS_ERR_PROTOCOL) fail_msg(#change); \
        assert_non_null(strstr(eis_error_detail(), "contract: "));            \
    } while (0)

static void hostile_members_are_refused(void **state)
{
    (void)state;
    for (int k = EIS_HE_FEATURES; k <= EIS_HE_WINDOWS; k++) {
        eis_he_packing_kind kind = (eis_he_packing_kind)k;
        REFUSED(kind, memset(c.chain, 'x', sizeof c.chain));
        REFUSED(kind, c.literal.degree = 0);
        REFUSED(kind, c.literal.degree = 8191);
        REFUSED(kind, c.literal.degree = (size_t)1 << 40);
        REFUSED(kind, c.literal.prime_count = 0);
        REFUSED(kind, c.literal.prime_count = 65);
        REFUSED(kind, c.literal.prime_count = SIZE_MAX);
        REFUSED(kind, c.depth = 4);
        REFUSED(kind, c.batch_max = 0);
        REFUSED(kind, c.batch_max = 4097);
        REFUSED(kind, c.stage_count = 0);
        REFUSED(kind, c.stage_count = 65);
        REFUSED(kind, c.stage_count = 2);
        REFUSED(kind, c.input_max = NAN);
        REFUSED(kind, s->input_max = -1);
        REFUSED(kind, s->input_max = INFINITY);
        REFUSED(kind, s->input.kind = (eis_he_packing_kind)0);
        REFUSED(kind, s->input.kind = (eis_he_packing_kind)5);
        REFUSED(kind, s->input.size = 0);
        REFUSED(kind, s->input.size = EIS_HE_VALUES_MAX + 1);
        REFUSED(kind, s->input.ciphertexts = 0);
        REFUSED(kind, s->input.ciphertexts = UINT32_MAX);
        REFUSED(kind, s->input.ciphertexts++);
        REFUSED(kind, s->input.limbs = 0);
        REFUSED(kind, s->input.limbs = 4);
        REFUSED(kind, s->input.scale = 0);
        REFUSED(kind, s->input.scale = -0x1p40);
        REFUSED(kind, s->input.scale = NAN);
        REFUSED(kind, s->input.scale = 0x1p200);
        REFUSED(kind, s->output.count = 0);
        REFUSED(kind, s->output.count = UINT32_MAX);
        REFUSED(kind, s->output.per_ciphertext = 0);
        REFUSED(kind, s->output.per_ciphertext = 4097);
        REFUSED(kind, s->output.ciphertexts = 0);
        REFUSED(kind, s->output.ciphertexts = UINT32_MAX);
        REFUSED(kind, s->output.start = 4096);
        REFUSED(kind, s->output.stride = 4096);
        REFUSED(kind, s->output.stride = INT32_MIN);
        REFUSED(kind, s->output.polys = 1);
        REFUSED(kind, s->output.polys = 4);
        REFUSED(kind, s->output.limbs = 0);
        REFUSED(kind, s->output.limbs = 4);
        REFUSED(kind, s->output.scale = INFINITY);
        REFUSED(kind, s->output.scale = 0x1p-1070);
        REFUSED(kind, s->output.error = NAN);
        REFUSED(kind, s->local_count = EIS_HE_LOCAL_MAX + 1);
        REFUSED(kind, s->local_count = 1);
        REFUSED(kind, c.element_count = EIS_HE_ELEMENTS_MAX + 1);
        REFUSED(kind, c.element[0] = 1);
        REFUSED(kind, c.element[0] = 4);
        REFUSED(kind, c.element[1] = 3);
        REFUSED(kind, c.element[1] = 16385);
        REFUSED(kind, c.relin_limbs = 0);
        REFUSED(kind, c.relin_limbs = 4);
        REFUSED(kind, c.element_limbs[0] = 4);
        REFUSED(kind, c.element_limbs[1] = 0);
        REFUSED(kind, c.element_limbs[1] = UINT32_MAX);
    }
}

static void hostile_packings_are_refused(void **state)
{
    (void)state;
    REFUSED(EIS_HE_FEATURES, s->input.ciphertexts = 299);
    REFUSED(EIS_HE_FEATURES, s->output.per_ciphertext = 10; s->output.ciphertexts = 1);
    REFUSED(EIS_HE_ROWS, s->input.padded = 0);
    REFUSED(EIS_HE_ROWS, s->input.padded = 300);
    REFUSED(EIS_HE_ROWS, s->input.padded = 8192);
    REFUSED(EIS_HE_ROWS, s->input.copies = 9);
    REFUSED(EIS_HE_ROWS, s->input.copies = 0);
    REFUSED(EIS_HE_ROWS, s->input.size = 513);
    REFUSED(EIS_HE_ROWS, c.batch_max = 2);
    REFUSED(EIS_HE_ROWS, s->output.stride = 0);
    REFUSED(EIS_HE_ROWS, s->output.stride = 500);
    REFUSED(EIS_HE_BLOCKS, s->input.copies = 4);
    REFUSED(EIS_HE_BLOCKS, s->input.copies = 3);
    REFUSED(EIS_HE_BLOCKS, s->input.shift = 512);
    REFUSED(EIS_HE_BLOCKS, s->input.padded = 256; s->input.copies = 16);
    REFUSED(EIS_HE_WINDOWS, s->input.channels = 0);
    REFUSED(EIS_HE_WINDOWS, s->input.channels = UINT32_MAX);
    REFUSED(EIS_HE_WINDOWS, s->input.height = UINT32_MAX);
    REFUSED(EIS_HE_WINDOWS, s->input.height = s->input.width = 65536);
    REFUSED(EIS_HE_WINDOWS, s->input.kernel_height = 29);
    REFUSED(EIS_HE_WINDOWS, s->input.kernel_width = UINT32_MAX);
    REFUSED(EIS_HE_WINDOWS, s->input.stride_y = 0);
    REFUSED(EIS_HE_WINDOWS, s->input.pad_x = 7);
    REFUSED(EIS_HE_WINDOWS, s->input.pad_x = UINT32_MAX);
    REFUSED(EIS_HE_WINDOWS, s->input.padded = 0);
    REFUSED(EIS_HE_WINDOWS, s->input.padded = 128);
    REFUSED(EIS_HE_WINDOWS, s->input.size = 785);
}

/* Two rounds with steps of the client between them. */
static eis_he_contract rounds(void)
{
    eis_he_contract c = good(EIS_HE_ROWS);

    c.interactive = true;
    c.stage_count = 2;
    c.stage[1] = c.stage[0];
    c.stage[1].input.size = 5;
    c.stage[1].input.padded = 8;
    c.stage[0].local_count = 2;
    c.stage[0].local[0] = (eis_he_local){.op = EIS_STEP_RELU, .channels = 1, .height = 10, .width = 1};
    c.stage[0].local[1] = (eis_he_local){.op = EIS_STEP_MAX_POOL,
                                         .channels = 1,
                                         .height = 10,
                                         .width = 1,
                                         .kernel_height = 2,
                                         .kernel_width = 1,
                                         .stride_y = 2,
                                         .stride_x = 1};
    return c;
}

#define ROUND_REFUSED(change)                                                 \
    do {                                                                      \
        eis_he_contract c = rounds();                                         \
        eis_he_local *l = c.stage[0].local;                                   \
        (void)l;                                                              \
        change;                                                               \
        if (eis_he_contract_check(&c) != EIS_ERR_PROTOCOL) fail_msg(#change); \
    } while (0)

static void hostile_rounds_are_refused(void **state)
{
    (void)state;
    eis_he_contract whole = rounds();
    assert_int_equal(eis_he_contract_check(&whole), EIS_OK);
    assert_int_equal(eis_he_local_count(&whole.stage[0].local[1]), 5);
    ROUND_REFUSED(c.interactive = false);
    ROUND_REFUSED(c.stage[1].input.size = 6);
    ROUND_REFUSED(l[0].op = EIS_STEP_LINEAR);
    ROUND_REFUSED(l[0].op = EIS_STEP_AVG_POOL);
    ROUND_REFUSED(l[0].height = 11);
    ROUND_REFUSED(l[0].channels = 0);
    ROUND_REFUSED(l[0].channels = l[0].height = UINT32_MAX);
    ROUND_REFUSED(l[0].coeff_count = EIS_HE_COEFF_MAX + 1);
    ROUND_REFUSED(l[0].op = EIS_STEP_POLYNOMIAL);
    ROUND_REFUSED(l[0].op = EIS_STEP_POLYNOMIAL; l[0].coeff_count = 1; l[0].coeff[0] = NAN);
    ROUND_REFUSED(l[1].stride_y = 0);
    ROUND_REFUSED(l[1].kernel_height = 11);
    ROUND_REFUSED(l[1].pad_y = 2);
    ROUND_REFUSED(l[1].kernel_width = UINT32_MAX; l[1].pad_x = UINT32_MAX - 1);
}

/* ---- What stands in a slot -----------------------------------------------------------------------------------------
 */

static void slots_hold_what_the_packing_says(void **state)
{
    const size_t slots = 4096;
    eis_he_contract c = good(EIS_HE_ROWS);
    const eis_he_packing *p = &c.stage[0].input;

    (void)state;
    assert_int_equal(eis_he_packing_index(p, slots, 0, 0), 0);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 512 * 7 + 299), 299);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 512 * 7 + 300), -1);
    c = good(EIS_HE_BLOCKS);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 8 * 100), 100);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 8 * 100 + 2), 228);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 8 * 100 + 4), -1); /* 356 */
    assert_int_equal(eis_he_packing_index(p, slots, 0, 8 * 500 + 1), 52); /* 564 mod 512 */
    c = good(EIS_HE_WINDOWS); /* tap 10 is row 1, column 3; window 9 is row 1, column 1 */
    assert_int_equal(eis_he_packing_index(p, slots, 0, 64 * 10 + 9), (3 + 1) * 28 + 3 + 3);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 64 * 49), -1);
    c.stage[0].input.pad_y = c.stage[0].input.pad_x = 1;
    assert_int_equal(eis_he_packing_index(p, slots, 0, 0), -1);
    assert_int_equal(eis_he_packing_index(p, slots, 0, 64 * 8), 0);
    c = good(EIS_HE_FEATURES);
    assert_int_equal(eis_he_packing_index(p, slots, 17, 4000), 17);
}

/* An interactive stage of windows gives an image back, a window's channels in one ciphertext. */
static void images_that_come_back(void **state)
{
    eis_he_contract c = good(EIS_HE_WINDOWS);
    eis_he_stage *s = &c.stage[0];
    eis_he_packing *p = &s->input;
    uint32_t down = (p->height + 2 * p->pad_y - p->kernel_height) / p->stride_y + 1;
    uint32_t windows = down * ((p->width + 2 * p->pad_x - p->kernel_width) / p->stride_x + 1);
    uint32_t ciphertext;
    size_t slot;

    (void)state;
    c.interactive = true;
    s->output.count = 3 * windows;
    s->output.per_ciphertext = 3 * (windows < p->padded ? windows : p->padded);
    s->output.ciphertexts = p->ciphertexts;
    s->output.start = 0;
    s->output.stride = 1;
    assert_int_equal(eis_he_contract_check(&c), EIS_OK);
    eis_he_output_place(&ciphertext, &slot, &c, 0, 2 * windows + 1);
    assert_int_equal(ciphertext, p->padded > 1 ? 0 : 1);
    assert_int_equal(slot, 2 * p->padded + 1 % p->padded);
    eis_he_output_place(&ciphertext, &slot, &c, 0, windows - 1);
    assert_int_equal(ciphertext, (windows - 1) / p->padded);
    assert_int_equal(slot, (windows - 1) % p->padded);
    s->output.per_ciphertext++;
    assert_int_equal(eis_he_contract_check(&c), EIS_ERR_PROTOCOL);
    s->output.per_ciphertext--;
    s->output.stride = -1;
    assert_int_equal(eis_he_contract_check(&c), EIS_ERR_PROTOCOL);
    s->output.stride = 1;
    s->output.count++;
    assert_int_equal(eis_he_contract_check(&c), EIS_ERR_PROTOCOL);
}

static void values_stand_where_the_contract_says(void **state)
{
    eis_he_contract c = good(EIS_HE_ROWS);
    uint32_t ciphertext;
    size_t slot, slots = c.literal.degree / 2;

    (void)state;
    c.stage[0].output =
        (eis_he_output){.count = 5, .per_ciphertext = 3, .ciphertexts = 2, .start = 1, .stride = -2, .polys = 2};
    eis_he_output_place(&ciphertext, &slot, &c, 0, 0);
    assert_true(ciphertext == 0 && slot == 1);
    eis_he_output_place(&ciphertext, &slot, &c, 0, 2);
    assert_true(ciphertext == 0 && slot == slots - 3);
    eis_he_output_place(&ciphertext, &slot, &c, 0, 4);
    assert_true(ciphertext == 1 && slot == slots - 1);
}

static void chains_by_name(void **state)
{
    eis_ckks_literal literal = {.degree = 77};
    size_t count = 0;

    (void)state;
    for (; eis_he_chain_name(count) != NULL; count++) {
        const eis_ckks_params *params;
        assert_int_equal(eis_he_chain_find(&literal, eis_he_chain_name(count)), EIS_OK);
        assert_int_equal(literal.policy, EIS_CKKS_POLICY_2024_128);
        assert_int_equal(eis_ckks_params_new(&params, &literal), EIS_OK); /* the strict policy takes all of them */
        eis_ckks_params_free(params);
    }
    assert_int_equal(count, 9);
    literal.degree = 77;
    assert_int_equal(eis_he_chain_find(&literal, "P1"), EIS_ERR_USAGE);
    assert_int_equal(literal.degree, 77);
    assert_non_null(strstr(eis_error_detail(), "L1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_pass),
        cmocka_unit_test(hostile_members_are_refused),
        cmocka_unit_test(hostile_packings_are_refused),
        cmocka_unit_test(hostile_rounds_are_refused),
        cmocka_unit_test(slots_hold_what_the_packing_says),
        cmocka_unit_test(images_that_come_back),
        cmocka_unit_test(values_stand_where_the_contract_says),
        cmocka_unit_test(chains_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
