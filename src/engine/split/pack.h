/* SPDX-License-Identifier: Apache-2.0 */
/* `server.eispack`: the integer weights of a model, packed for the kernels and mapped read-only; all that a server
 * needs and nothing else. docs/model-format.md draws the bytes.
 *
 *   header, 4096 bytes | layer table, 256 bytes each, filled up to 4096 | per layer: row scales, panels, each at a
 *   multiple of 4096
 *
 * Header and table are read into memory once, and the copies are checked and used. */
#ifndef EIS_ENGINE_SPLIT_PACK_H
#define EIS_ENGINE_SPLIT_PACK_H

#include "base/bytes.h"
#include "base/status.h"
#include "engine/split/profile.h"
#include "kernel/kernel.h"
#include "model/graph.h"

#include <stdbool.h>
#include <stdint.h>

#define EIS_PACK_DIGEST_BYTES 32
#define EIS_PACK_LAYERS_MAX   65536

typedef struct eis_pack_layer {
    eis_linear linear; /* name, kind, shape; no bias and no pieces */
    eis_packed weights;
    double row_norm;                       /* R: largest Euclidean norm of an integer row, rounded up */
    eis_span row_scales;                   /* padded rows x f64, little-endian */
    uint8_t digest[EIS_PACK_DIGEST_BYTES]; /* SHA-256 of scales and panels */
} eis_pack_layer;

/* An open pack. Immutable; any number of threads may use it. */
typedef struct eis_pack {
    eis_split_profile profile;
    uint32_t layer_count;
    eis_pack_layer *layers;
    uint8_t digest[EIS_PACK_DIGEST_BYTES]; /* SHA-256 of the whole file with the digest field zero */
    eis_span file;                         /* the mapping */
} eis_pack;

/* Opens a pack file. `verify` recomputes the digest of the whole file.
 *
 * Errors:  EIS_ERR_FILE    it cannot be opened, or group or others may write it;
 *          EIS_ERR_VERSION, EIS_ERR_MODEL  damaged: lengths, alignment, sections outside the file or overlapping;
 *          EIS_ERR_DIGEST  `verify` found other bytes than the header claims;
 *          EIS_ERR_MEMORY. *pack is then NULL. */
EIS_MUST_USE eis_status eis_pack_open(eis_pack **pack, const char *path, bool verify);

/* The same for a file descriptor, which stays the caller's; `name` stands in errors. */
EIS_MUST_USE eis_status eis_pack_open_fd(eis_pack **pack, int fd, const char *name, bool verify);

/* Unmaps and frees. NULL is allowed. */
void eis_pack_free(eis_pack *pack);

/* Tells whether the file begins like a pack. */
bool eis_pack_recognise(const char *path);

/* --- writing, for engine/split/prepare.c ------------------------------------------------------------------------ */

/* What a layer needs in the file. */
typedef struct eis_pack_layer_spec {
    const eis_linear *linear;
    eis_packed weights; /* the shape; panels are set by eis_pack_writer_open */
    double *row_scales; /* [out], filled by the caller before _finish */
    double row_norm;    /* likewise */
    uint8_t *panels;    /* where the caller packs into; set by eis_pack_writer_open */
} eis_pack_layer_spec;

typedef struct eis_pack_writer eis_pack_writer;

/* Lays out a pack in `fd` (an empty regular file or memfd, made writable by the caller) and maps it.
 *
 * Shape:   specs[count], owned by the caller until _finish.
 * Errors:  EIS_ERR_FILE, EIS_ERR_MODEL (a shape that the format cannot hold), EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_pack_writer_open(eis_pack_writer **writer, int fd, eis_split_profile profile,
                                             eis_pack_layer_spec *specs, uint32_t count);

/* Writes header, table, scales and digests, syncs and frees the writer. digest[32] is that of the file. */
EIS_MUST_USE eis_status eis_pack_writer_finish(eis_pack_writer *writer, uint8_t *digest);

/* Gives up: unmaps and frees. The caller removes the file. NULL is allowed. */
void eis_pack_writer_abort(eis_pack_writer *writer);

#endif
