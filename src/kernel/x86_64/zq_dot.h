/* SPDX-License-Identifier: Apache-2.0 */
/* What the sums of products of all vectors have in common. Contracts: kernel/ntt.h (dot, dot_pair).
 *
 * A permutation of values by a rotation takes aligned groups of 4 or 8 to aligned groups (their exponents 2 brv(i) + 1
 * are a class modulo n/2 or n/4, and odd multiples of a class are a class). So a permuted vector is mostly one load and
 * a permutation of its lanes; groups of which this is not true are gathered. The order is public. */
#ifndef EIS_KERNEL_X86_64_ZQ_DOT_H
#define EIS_KERNEL_X86_64_ZQ_DOT_H

#include "kernel/ntt.h"

#include "base/status.h"

#define DOT_ROWS_MAX 2

/* `rows` sums with the same a; b[row][terms]. */
typedef struct dot_job {
    uint64_t *r[DOT_ROWS_MAX];
    const uint64_t *const *a;
    const uint64_t *const *b[DOT_ROWS_MAX];
    size_t terms;
    const uint32_t *order;
    const eis_modulus *m;
} dot_job;

typedef void (*dot_entry)(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                          const uint32_t *order, size_t n, const eis_modulus *m);

/* Sums words from `end` on, as another entry does; permuted places are counted from the beginning. */
static inline void dot_rest(const dot_job *job, size_t rows, size_t end, size_t n, dot_entry entry)
{
    const uint64_t *a[EIS_ZQ_DOT_TERMS_MAX], *b[EIS_ZQ_DOT_TERMS_MAX];

    if (end == n) return;
    for (size_t row = 0; row < rows; row++) {
        for (size_t j = 0; j < job->terms; j++) {
            a[j] = job->order == NULL ? job->a[j] + end : job->a[j];
            b[j] = job->b[row][j] + end;
        }
        entry(job->r[row] + end, a, b, job->terms, job->order == NULL ? NULL : job->order + end, n - end, job->m);
    }
}

/* Runs dot_rows(job, rows, permuted, end) with what is known at compile time as constants. */
#define DOT_RUN(dot_rows, job, rows, end)          \
    do {                                           \
        if ((rows) == 2 && (job)->order != NULL) { \
            dot_rows((job), 2, 1, (end));          \
        } else if ((rows) == 2) {                  \
            dot_rows((job), 2, 0, (end));          \
        } else if ((job)->order != NULL) {         \
            dot_rows((job), 1, 1, (end));          \
        } else {                                   \
            dot_rows((job), 1, 0, (end));          \
        }                                          \
    } while (0)

#endif
