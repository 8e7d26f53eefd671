/* SPDX-License-Identifier: Apache-2.0 */
/* Freivalds' check over GF(2^61 - 1): with a secret random r and z = r^T W, an answer y to a share x is right only if
 * r y = z x; a wrong one passes with probability 2^-61, whatever the server knows. It is made per server, so it
 * names the one that cheats. */
#ifndef EIS_SHARE_FREIVALDS_H
#define EIS_SHARE_FREIVALDS_H

#include "rand/prg.h"
#include "rand/uniform.h"

/* The keys of one layer. Valid when zeroed. r and z never leave the client. */
typedef struct eis_freivalds {
    size_t rows, cols;  /* m, n */
    size_t key_count;   /* independent keys; one is enough in this field */
    size_t rows_done;   /* weight rows taken so far; the keys are ready when all rows are */
    size_t pending;     /* rows in the limb sums since they were last folded */
    uint64_t *r;        /* [key_count][rows], uniform */
    uint64_t *z;        /* [key_count][cols] */
    int64_t *limb_sums; /* [2][cols] per key while rows come in; NULL when ready */
} eis_freivalds;

/* Draws r and gets ready for rows.
 *
 * Cost:    key_count * (rows + 3 cols) words.
 * Errors:  EIS_ERR_SHAPE  a size is 0 or beyond the maxima of kernel/kernel.h, or key_count is not 1 .. 64.
 *          EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL.  *keys is cleared on error. */
EIS_MUST_USE eis_status eis_freivalds_init(eis_freivalds *keys, eis_prg *prg, size_t rows, size_t cols,
                                           size_t key_count);

/* Takes the next rows of the integer matrix; all keys in one pass.
 *
 * Shape:   w[row_count][cols]; no more rows than announced (asserted).
 * Range:   |w| <= 2^23.
 * Secret:  r, z; W is public. */
void eis_freivalds_add_rows(eis_freivalds *keys, const int32_t *w, size_t row_count);

/* Returns whether all rows have come: only then may answers be checked. */
bool eis_freivalds_ready(const eis_freivalds *keys);

/* Checks one server's answer to one vector.
 *
 * Shape:   y[rows], x[cols]: what that server answered, and its share in words without padding.
 * Range:   any words: an answer that is not canonical is wrong. The share is canonical.
 * Secret:  x, y, r, z. That the answer is wrong is public.
 * Cost:    key_count * (rows + cols) products.
 * Errors:  EIS_ERR_INTEGRITY  the answer is not W x. */
EIS_MUST_USE eis_status eis_freivalds_check(const eis_freivalds *keys, const uint64_t *y, const uint64_t *x);

/* Wipes and frees. Safe on zeroed keys. */
void eis_freivalds_clear(eis_freivalds *keys);

#endif
