/* SPDX-License-Identifier: Apache-2.0 */
/* The order of passes of a transform that does two stages at a time, for vectors of any kind of number.
 *
 * Node i of m is one of the m polynomials that the ring has split into; a pass takes the nodes of m to those of 4m.
 * Once a node fits into a block its passes run to the end before the next node begins, so that a block stays in the
 * first cache. The last pass ends inside vectors: it takes nodes of 2^end_log2 words, several at a time. */
#ifndef EIS_KERNEL_X86_64_NTT_PASSES_H
#define EIS_KERNEL_X86_64_NTT_PASSES_H

#include "kernel/ntt.h"

/* 16 KiB: half of a first cache. */
#define NTT_BLOCK_WORDS ((size_t)2048)

/* What the passes are; `f` is what they share, `quarter` a fourth of a node's words. All are known at compile time and
 * inlined. */
typedef struct forward_passes {
    unsigned end_log2;            /* stages of the last pass */
    void (*one)(const void *f);   /* the first stage alone, for odd numbers of stages */
    void (*begin)(const void *f); /* the first two stages, for even numbers */
    void (*node)(const void *f, size_t m, size_t i, size_t quarter); /* two stages on node i of m */
    void (*end)(const void *f, size_t first, size_t after_last);     /* the last end_log2 */
} forward_passes;

typedef struct inverse_passes {
    unsigned begin_log2;                                             /* stages of the first pass */
    void (*begin)(const void *f, size_t first, size_t after_last);   /* the first begin_log2 */
    void (*node)(const void *f, size_t m, size_t i, size_t quarter); /* two stages that end in node i of m */
    void (*one)(const void *f);                                      /* the last stage alone */
    void (*end)(const void *f);                                      /* the last two stages */
} inverse_passes;

#define NTT_INLINE static inline __attribute__((always_inline))

/* Nodes [first, after_last) of m. */
#define NTT_RUN_NODES(p, f, degree, m, first, after_last)                       \
    do {                                                                        \
        const size_t quarter = (degree) / (m) / 4, end = (after_last);          \
        for (size_t k = (first); k < end; k++) (p)->node((f), (m), k, quarter); \
    } while (0)

/* All that is left of node i of `nodes`. */
NTT_INLINE void forward_rest(const forward_passes *p, const void *f, size_t degree, size_t nodes, size_t i)
{
    size_t m = nodes;

    for (; m < degree >> p->end_log2; m *= 4) NTT_RUN_NODES(p, f, degree, m, m / nodes * i, m / nodes * (i + 1));
    p->end(f, m / nodes * i, m / nodes * (i + 1));
}

NTT_INLINE void run_forward(const forward_passes *p, const void *f, const eis_ntt_plan *plan)
{
    size_t m = (plan->degree_log2 - p->end_log2) % 2 == 1 ? 2 : 4;

    if (m == 2) {
        p->one(f);
    } else {
        p->begin(f);
    }
    for (; plan->degree / m > NTT_BLOCK_WORDS; m *= 4) NTT_RUN_NODES(p, f, plan->degree, m, 0, m);
    for (size_t i = 0; i < m; i++) forward_rest(p, f, plan->degree, m, i);
}

/* All stages inside node i of `nodes`. */
NTT_INLINE void inverse_block(const inverse_passes *p, const void *f, size_t degree, size_t nodes, size_t i)
{
    size_t m = degree >> p->begin_log2;

    p->begin(f, m / nodes * i, m / nodes * (i + 1));
    while (m > nodes) {
        m /= 4;
        NTT_RUN_NODES(p, f, degree, m, m / nodes * i, m / nodes * (i + 1));
    }
}

NTT_INLINE void run_inverse(const inverse_passes *p, const void *f, const eis_ntt_plan *plan)
{
    const size_t top = (plan->degree_log2 - p->begin_log2) % 2 == 1 ? 2 : 4; /* nodes before the last pass */
    size_t m = top;

    while (plan->degree / m > NTT_BLOCK_WORDS) m *= 4;
    for (size_t i = 0; i < m; i++) inverse_block(p, f, plan->degree, m, i);
    while (m > top) {
        m /= 4;
        NTT_RUN_NODES(p, f, plan->degree, m, 0, m);
    }
    if (top == 2) {
        p->one(f);
    } else {
        p->end(f);
    }
}

/* Defines <name>_forward and <name>_inverse from functions of a file that take one more argument, the kind of the
 * arithmetic, which is known at compile time. */
#define NTT_DEFINE_PASSES(name, kind, log2)                                                                            \
    static void name##_forward_one(const void *f) { forward_one(f, kind); }                                            \
    static void name##_forward_begin(const void *f)                                                                    \
    {                                                                                                                  \
        forward_node(f, 1, 0, ((const transform *)f)->plan->degree / 4, 1, kind);                                      \
    }                                                                                                                  \
    static void name##_forward_node(const void *f, size_t m, size_t i, size_t quarter)                                 \
    {                                                                                                                  \
        forward_node(f, m, i, quarter, 0, kind);                                                                       \
    }                                                                                                                  \
    static void name##_forward_end(const void *f, size_t i, size_t last) { forward_end(f, i, last, kind); }            \
    static void name##_inverse_begin(const void *f, size_t i, size_t last) { inverse_begin(f, i, last, kind); }        \
    static void name##_inverse_node(const void *f, size_t m, size_t i, size_t quarter)                                 \
    {                                                                                                                  \
        inverse_node(f, m, i, quarter, kind);                                                                          \
    }                                                                                                                  \
    static void name##_inverse_one(const void *f) { inverse_one(f, kind); }                                            \
    static void name##_inverse_end(const void *f) { inverse_end(f, kind); }                                            \
    static const forward_passes name##_forward = {log2, name##_forward_one, name##_forward_begin, name##_forward_node, \
                                                  name##_forward_end};                                                 \
    static const inverse_passes name##_inverse = {log2, name##_inverse_begin, name##_inverse_node, name##_inverse_one, \
                                                  name##_inverse_end};

#endif
