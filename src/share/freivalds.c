/* SPDX-License-Identifier: Apache-2.0 */
/* z = r^T W is summed while rows stream by: r is cut into two limbs of 31 and 30 bits, whose products with weights of
 * 24 bits are below 2^54, so 511 rows fit into 64-bit sums before these are folded into z. */
#include "share/freivalds.h"

#include "base/ct.h"
#include "base/mem.h"
#include "kernel/f61_word.h"
#include "rand/entropy.h"
#include "ring/f61.h"
#include "ring/word.h"

#define LIMB_BITS     31
#define LIMB_MASK     ((UINT64_C(1) << LIMB_BITS) - 1)
#define ROWS_PER_FOLD 511
#define KEYS_MAX      64

static eis_status draw_vector(uint64_t *r, size_t rows, eis_prg *prg)
{
    uint8_t seed[32];
    eis_byte_source stream = eis_prg_stream(prg);
    eis_status st = EIS_OK;

    EIS_TRY(eis_entropy_draw(seed, sizeof seed));
    EIS_TRY(eis_prg_start(prg, EIS_SUITE_AES128, seed, sizeof seed));
    EIS_TRY(eis_uniform_words(r, rows, EIS_RING_F61, &stream));
out:
    eis_prg_stop(prg);
    eis_mem_wipe(seed, sizeof seed);
    return st;
}

eis_status eis_freivalds_init(eis_freivalds *keys, eis_prg *prg, size_t rows, size_t cols, size_t key_count)
{
    eis_status st = EIS_OK;

    eis_freivalds_clear(keys);
    EIS_REQUIRE(rows > 0 && rows <= EIS_PACKED_ROWS_MAX && cols > 0 && cols <= EIS_PACKED_COLS_MAX && key_count > 0 &&
                    key_count <= KEYS_MAX,
                EIS_ERR_SHAPE, "no check for %zu keys of %zu x %zu weights", key_count, rows, cols);
    keys->rows = rows;
    keys->cols = cols;
    keys->key_count = key_count;
    keys->r = eis_mem_new_secret(key_count * rows, sizeof *keys->r);
    keys->z = eis_mem_new_secret(key_count * cols, sizeof *keys->z);
    keys->limb_sums = eis_mem_new_secret(key_count * 2 * cols, sizeof *keys->limb_sums);
    EIS_REQUIRE(keys->r != NULL && keys->z != NULL && keys->limb_sums != NULL, EIS_ERR_MEMORY,
                "not enough memory for the keys that check answers");
    for (size_t k = 0; k < key_count; k++) EIS_TRY(draw_vector(keys->r + k * rows, rows, prg));
out:
    if (st != EIS_OK) eis_freivalds_clear(keys);
    return st;
}

static void add_row(int64_t *low, int64_t *high, const int32_t *w, size_t cols, uint64_t r)
{
    int64_t r_low = (int64_t)(r & LIMB_MASK), r_high = (int64_t)(r >> LIMB_BITS);

    for (size_t j = 0; j < cols; j++) {
        low[j] += w[j] * r_low;
        high[j] += w[j] * r_high;
    }
}

static void fold_limbs(uint64_t *z, int64_t *low, int64_t *high, size_t cols)
{
    for (size_t j = 0; j < cols; j++) {
        uint64_t upper = eis_f61_word_shift(eis_f61_word_from_i64(high[j]), LIMB_BITS);

        z[j] = eis_f61_word_add(z[j], eis_f61_word_add(eis_f61_word_from_i64(low[j]), upper));
        low[j] = 0;
        high[j] = 0;
    }
}

static void fold_all(eis_freivalds *keys)
{
    for (size_t k = 0; k < keys->key_count; k++) {
        int64_t *low = keys->limb_sums + 2 * k * keys->cols;
        fold_limbs(keys->z + k * keys->cols, low, low + keys->cols, keys->cols);
    }
    keys->pending = 0;
}

void eis_freivalds_add_rows(eis_freivalds *keys, const int32_t *w, size_t row_count)
{
    size_t cols = keys->cols;

    EIS_ASSERT(keys->limb_sums != NULL && row_count <= keys->rows - keys->rows_done);
    for (size_t i = 0; i < row_count; i++, w += cols) {
        for (size_t k = 0; k < keys->key_count; k++) {
            int64_t *low = keys->limb_sums + 2 * k * cols;
            add_row(low, low + cols, w, cols, keys->r[k * keys->rows + keys->rows_done]);
        }
        keys->rows_done++;
        if (++keys->pending == ROWS_PER_FOLD) fold_all(keys);
    }
    if (keys->rows_done < keys->rows) return;
    fold_all(keys);
    eis_mem_free_wiped(keys->limb_sums, keys->key_count * 2 * cols, sizeof *keys->limb_sums);
    keys->limb_sums = NULL;
}

bool eis_freivalds_ready(const eis_freivalds *keys) { return keys->rows > 0 && keys->rows_done == keys->rows; }

eis_status eis_freivalds_check(const eis_freivalds *keys, const uint64_t *y, const uint64_t *x)
{
    uint64_t differ = 0;

    EIS_ASSERT(eis_freivalds_ready(keys));
    if (!eis_ring_words_canonical(y, keys->rows, EIS_RING_F61, 0))
        return eis_fail(EIS_ERR_INTEGRITY, "an answer holds numbers outside the field");
    for (size_t k = 0; k < keys->key_count; k++)
        differ |=
            eis_f61_dot(keys->r + k * keys->rows, y, keys->rows) ^ eis_f61_dot(keys->z + k * keys->cols, x, keys->cols);
    /* whether an answer is wrong decides if the call goes on: the sender may know */
    EIS_PUBLIC(&differ, sizeof differ);
    if (differ == 0) return EIS_OK;
    return eis_fail(EIS_ERR_INTEGRITY, "an answer is not the product that was asked for");
}

void eis_freivalds_clear(eis_freivalds *keys)
{
    eis_mem_free_wiped(keys->r, keys->key_count * keys->rows, sizeof *keys->r);
    eis_mem_free_wiped(keys->z, keys->key_count * keys->cols, sizeof *keys->z);
    eis_mem_free_wiped(keys->limb_sums, keys->key_count * 2 * keys->cols, sizeof *keys->limb_sums);
    eis_mem_wipe(keys, sizeof *keys);
}
