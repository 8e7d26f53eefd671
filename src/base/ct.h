/* SPDX-License-Identifier: Apache-2.0 */
/* Constant-time primitives, and the marks by which tests see a branch or an index that depends on a secret. */
#ifndef EIS_BASE_CT_H
#define EIS_BASE_CT_H

#include <stddef.h>
#include <stdint.h>

/* Marks for the constant-time build: valgrind treats secret bytes as undefined and reports every branch or
 * address that depends on them. Each EIS_PUBLIC has a comment that says why the world may know the value. */
#ifdef EIS_CT_BUILD
#include <valgrind/memcheck.h>
#define EIS_SECRET(ptr, bytes) VALGRIND_MAKE_MEM_UNDEFINED((ptr), (bytes))
#define EIS_PUBLIC(ptr, bytes) VALGRIND_MAKE_MEM_DEFINED((ptr), (bytes))
#else
#define EIS_SECRET(ptr, bytes) ((void)(ptr), (void)(bytes))
#define EIS_PUBLIC(ptr, bytes) ((void)(ptr), (void)(bytes))
#endif

/* Returns v; the compiler cannot reason about it afterwards, so it does not turn masks back into branches. */
static inline uint64_t eis_ct_barrier(uint64_t v)
{
#if defined(__GNUC__)
    __asm__("" : "+r"(v));
    return v;
#else
    volatile uint64_t hidden = v;
    return hidden;
#endif
}

/* Returns all ones where v != 0, else 0. */
static inline uint64_t eis_ct_mask_nonzero(uint64_t v)
{
    v = eis_ct_barrier(v);
    return (uint64_t)0 - ((v | ((uint64_t)0 - v)) >> 63);
}

/* Returns all ones where a == b, else 0. */
static inline uint64_t eis_ct_mask_equal(uint64_t a, uint64_t b) { return ~eis_ct_mask_nonzero(a ^ b); }

/* Returns all ones where a < b (unsigned), else 0. */
static inline uint64_t eis_ct_mask_less(uint64_t a, uint64_t b)
{
    a = eis_ct_barrier(a);
    b = eis_ct_barrier(b);
    return (uint64_t)0 - ((a ^ ((a ^ b) | ((a - b) ^ b))) >> 63);
}

/* Returns a where mask is all ones, b where it is 0. */
static inline uint64_t eis_ct_select(uint64_t mask, uint64_t a, uint64_t b)
{
    return b ^ (eis_ct_barrier(mask) & (a ^ b));
}

/* Returns 1 where the two byte runs are equal, else 0; the time depends on the length only. */
static inline int eis_ct_bytes_equal(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    uint64_t differ = 0;

    for (size_t i = 0; i < bytes; i++) differ |= (uint64_t)(x[i] ^ y[i]);
    return (int)(~eis_ct_mask_nonzero(differ) & 1);
}

#endif
