/* SPDX-License-Identifier: Apache-2.0 */
/* Files that hold keys: nobody but their owner may read them. */
#ifndef EIS_TRUST_KEY_FILE_H
#define EIS_TRUST_KEY_FILE_H

#include "base/status.h"

#include <stddef.h>

#define EIS_TRUST_KEY_FILE_BYTES_MAX ((size_t)64 << 10)

/* Checks that a path is a regular file that belongs to this user (or root) and that neither group nor others may
 * read or write.
 *
 * Errors: EIS_ERR_FILE  and what to do about it. */
EIS_MUST_USE eis_status eis_trust_key_file_check(const char *path);

/* Checks as above and reads the file, on one descriptor, into memory kept out of core dumps, zero-terminated; the
 * caller frees it with eis_mem_free_wiped(*text, *bytes + 1, 1).
 *
 * Errors: EIS_ERR_FILE, EIS_ERR_TOO_LARGE (above EIS_TRUST_KEY_FILE_BYTES_MAX), EIS_ERR_MEMORY; outputs untouched. */
EIS_MUST_USE eis_status eis_trust_key_file_read(char **text, size_t *bytes, const char *path);

/* The same with another limit, for keys of lattices. */
EIS_MUST_USE eis_status eis_trust_key_file_read_large(char **text, size_t *bytes, const char *path, size_t bytes_max);

/* Reads a public file (a certificate) in the same way, without the check of its mode. */
EIS_MUST_USE eis_status eis_trust_public_file_read(char **text, size_t *bytes, const char *path);

/* Writes a new file of the given mode (O_EXCL: never over an existing one) and syncs it.
 *
 * Errors: EIS_ERR_FILE  nothing is left behind. */
EIS_MUST_USE eis_status eis_trust_new_file_write(const char *path, unsigned mode, const void *data, size_t bytes);

/* Puts a file of mode 0600 in the place of what is there, whole or not at all, and syncs it. The directory must be
 * there.
 *
 * Errors: EIS_ERR_FILE  what was there is as it was. */
EIS_MUST_USE eis_status eis_trust_key_file_replace(const char *path, const void *data, size_t bytes);

#endif
