/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/mem.h"

#include "base/bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define ALIGN_BYTES 64
#define LARGE_BYTES ((size_t)4 << 20)

static _Thread_local unsigned long made_count, fail_at;

unsigned long eis_mem_fail_at(unsigned long n)
{
    unsigned long made = made_count;

    made_count = 0;
    fail_at = n;
    return made;
}

static void *out_of_memory(size_t count, size_t size)
{
    (void)eis_fail(EIS_ERR_MEMORY, "not enough memory for %zu x %zu bytes", count, size);
    return NULL;
}

/* Blocks of many pages are asked for in large ones: otherwise a step of a language model among parties spends half its
 * time in page faults. A refusal does no harm. */
static void prefer_large_pages(void *ptr, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = eis_round_up((uintptr_t)ptr, page);

#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE_BYTES)
        (void)madvise((void *)first, ((uintptr_t)ptr + bytes - first) / page * page, MADV_HUGEPAGE);
#else
    (void)first, (void)page, (void)bytes;
#endif
}

static void *allocate(size_t *padded_bytes, size_t count, size_t size)
{
    size_t bytes, padded;
    void *ptr;

    if (++made_count == fail_at) return out_of_memory(count, size);
    if (!eis_size_mul(&bytes, count, size) || !eis_size_add(&padded, bytes, ALIGN_BYTES))
        return out_of_memory(count, size);
    /* The first 64 bytes after rounding keep a zero-sized request valid. */
    padded = eis_round_up(bytes ? bytes : 1, ALIGN_BYTES);
    ptr = aligned_alloc(ALIGN_BYTES, padded);
    if (ptr == NULL) return out_of_memory(count, size);
    prefer_large_pages(ptr, padded);
    *padded_bytes = padded;
    return ptr;
}

void *eis_mem_new(size_t count, size_t size)
{
    size_t padded;
    void *ptr = allocate(&padded, count, size);

    if (ptr != NULL) memset(ptr, 0, padded);
    return ptr;
}

void *eis_mem_new_raw(size_t count, size_t size)
{
    size_t padded;
    void *ptr = allocate(&padded, count, size);

#ifdef EIS_VERIFY_BUILD
    if (ptr != NULL) memset(ptr, 0xe5, padded);
#endif
    return ptr;
}

eis_status eis_mem_resize(void *ptr_to_ptr, size_t old_count, size_t new_count, size_t size)
{
    void *old, *fresh = eis_mem_new(new_count, size);

    if (fresh == NULL) return EIS_ERR_MEMORY;
    memcpy(&old, ptr_to_ptr, sizeof old);
    if (old != NULL) {
        memcpy(fresh, old, (old_count < new_count ? old_count : new_count) * size);
        eis_mem_free_wiped(old, old_count, size);
    }
    memcpy(ptr_to_ptr, &fresh, sizeof fresh);
    return EIS_OK;
}

char *eis_mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = eis_mem_new(bytes, 1);

    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

void eis_mem_free(void *ptr) { free(ptr); }

void eis_mem_free_wiped(void *ptr, size_t count, size_t size)
{
    if (ptr == NULL) return;
    eis_mem_wipe(ptr, count * size);
    free(ptr);
}

void eis_mem_wipe(void *ptr, size_t bytes)
{
    if (ptr != NULL && bytes > 0) explicit_bzero(ptr, bytes);
}

static void *keep_out_of_dumps(void *ptr, size_t count, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first, last;

    if (ptr == NULL) return NULL;
    first = eis_round_up((uintptr_t)ptr, page);
    last = ((uintptr_t)ptr + count * size) / page * page;
    /* A refusal leaves the block usable; the program also switches core dumps off as a whole. */
    if (last > first) (void)madvise((void *)first, last - first, MADV_DONTDUMP);
    return ptr;
}

#define KEPT_BLOCK_BYTES (8 << 20)  /* larger blocks are the system's */
#define KEPT_BYTES       (64 << 20) /* at the top of a heap; what lies deeper stays anyway */

void eis_mem_keep_freed(void)
{
#if defined(__GLIBC__)
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

void *eis_mem_new_secret(size_t count, size_t size) { return keep_out_of_dumps(eis_mem_new(count, size), count, size); }

void *eis_mem_new_secret_raw(size_t count, size_t size)
{
    return keep_out_of_dumps(eis_mem_new_raw(count, size), count, size);
}
