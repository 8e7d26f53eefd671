/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a model: mapped for reading, and written so that a reader sees the old or the new one, never a half. */
#ifndef EIS_MODEL_FILES_H
#define EIS_MODEL_FILES_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* A file mapped read-only. Zeroed = none. */
typedef struct eis_mapping {
    eis_span bytes;
} eis_mapping;

/* Maps a regular file; its size is that of fstat on the descriptor that is mapped. An empty file has bytes == 0.
 *
 * Errors:  EIS_ERR_FILE  missing, not a regular file, or not readable; the text names it. *mapping is then zeroed. */
EIS_MUST_USE eis_status eis_file_map(eis_mapping *mapping, const char *path);

/* Unmaps. Safe on a zeroed mapping. */
void eis_file_unmap(eis_mapping *mapping);

/* Joins directory and name. Freed by eis_mem_free. Errors: NULL as for eis_mem_new. */
EIS_MUST_USE char *eis_file_join(const char *directory, const char *name);

/* Returns whether path is a directory (links are followed). */
bool eis_file_is_directory(const char *path);

/* Returns whether `name` in `directory` is a regular file. */
bool eis_file_exists(const char *directory, const char *name);

/* Writes a whole file under a temporary name in the same directory, syncs, renames, syncs the directory.
 *
 * Errors:  EIS_ERR_FILE, EIS_ERR_MEMORY; nothing is left behind and an older file of this name stays. */
EIS_MUST_USE eis_status eis_file_replace(const char *path, const void *bytes, size_t count);

#endif
