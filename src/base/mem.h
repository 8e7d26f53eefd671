/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: every allocation of the library goes through here, so that sizes are checked for overflow, secrets
 * can be kept out of core dumps and wiped, and tests can make the n-th allocation fail. */
#ifndef EIS_BASE_MEM_H
#define EIS_BASE_MEM_H

#include "base/status.h"

#include <stddef.h>

/* Allocates count * size bytes, zeroed, aligned to 64 bytes.
 *
 * Errors: NULL where the product overflows or memory is short; the detail text is set and the caller
 *         returns EIS_ERR_MEMORY. count * size == 0 gives a valid pointer. */
EIS_MUST_USE void *eis_mem_new(size_t count, size_t size);

/* The same without the zeros: for scratch that is written whole before it is read. The dev build fills it with a
 * pattern that no sum or word survives. */
EIS_MUST_USE void *eis_mem_new_raw(size_t count, size_t size);

/* Grows or shrinks an array made by eis_mem_new; new space is zeroed; the old place is wiped when it moves.
 *
 * Errors: EIS_ERR_MEMORY  *ptr is untouched. */
EIS_MUST_USE eis_status eis_mem_resize(void *ptr_to_ptr, size_t old_count, size_t new_count, size_t size);

/* Copies a zero-terminated string. Errors: NULL as for eis_mem_new. */
EIS_MUST_USE char *eis_mem_strdup(const char *text);

/* Frees what eis_mem_new made. NULL is allowed. */
void eis_mem_free(void *ptr);

/* Wipes and frees an array of secrets. NULL is allowed. */
void eis_mem_free_wiped(void *ptr, size_t count, size_t size);

/* Overwrites bytes with zeros; the compiler may not leave it out. */
void eis_mem_wipe(void *ptr, size_t bytes);

/* Allocates like eis_mem_new and keeps whole pages inside the block out of core dumps: for keys, masks, prompts.
 * Freed by eis_mem_free_wiped. */
EIS_MUST_USE void *eis_mem_new_secret(size_t count, size_t size);

/* The same without the zeros, as eis_mem_new_raw. */
EIS_MUST_USE void *eis_mem_new_secret_raw(size_t count, size_t size);

/* Keeps freed memory in the process, for a program to call once at its start: polynomials of some hundred KiB come and
 * go with every request, and the C library would give their pages back and have new ones cleared each time, which takes
 * longer than reading a ciphertext. Blocks of 8 MiB and more still go back at once. No effect without glibc. */
void eis_mem_keep_freed(void);

/* Test hook: the n-th allocation from now on fails (1 = the next); 0 switches it off. Returns how many
 * allocations were made since the last call. Per thread. */
unsigned long eis_mem_fail_at(unsigned long n);

/* Allocates or jumps to out with EIS_ERR_MEMORY. */
#define EIS_NEW_BY(ptr, count, allocate)          \
    do {                                          \
        (ptr) = allocate((count), sizeof *(ptr)); \
        if ((ptr) == NULL) {                      \
            st = EIS_ERR_MEMORY;                  \
            goto out;                             \
        }                                         \
    } while (0)
#define EIS_NEW(ptr, count)     EIS_NEW_BY(ptr, count, eis_mem_new)
#define EIS_NEW_RAW(ptr, count) EIS_NEW_BY(ptr, count, eis_mem_new_raw)

#endif
