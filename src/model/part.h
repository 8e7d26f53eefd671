/* SPDX-License-Identifier: Apache-2.0 */
/* `client.eispart`: all that a client needs of a model and none of its linear weights.
 *
 *   "EISPART1" | version u32 | kind u32 | total length u64 | SHA-256 of the file with this field zero, 32 bytes |
 *   pack digest, 32 bytes | profile u32 | linear nodes u32 | body | zero bytes up to a multiple of 8
 *
 * Words are little-endian. The body is a sequence of fields in the order of part.c, part_lm.c and part_classifier.c,
 * which write and read each of them side by side. */
#ifndef EIS_MODEL_PART_H
#define EIS_MODEL_PART_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/graph.h"

#include <stdbool.h>
#include <stdint.h>

#define EIS_PART_DIGEST_BYTES    32
#define EIS_PART_BLOB_NAME_BYTES 64
#define EIS_PART_BLOBS_MAX       8

/* What a client must know of the packed weights of one linear node. */
typedef struct eis_part_layer {
    const double *row_scales; /* [out]: W = integer row * scale */
    double row_norm;          /* R: largest Euclidean norm of an integer row, rounded up */
    double declared_norm;     /* largest |x|_2 met in calibration; 0 = not measured */
    uint32_t planes;          /* bytes of the ring that this node uses (P8: 4...8), else 0 */
} eis_part_layer;

/* A file that travels with the part as it is: "tokenizer.json", "vocab.json", "merges.txt", "tokenizer.bin", ... */
typedef struct eis_part_blob {
    char name[EIS_PART_BLOB_NAME_BYTES];
    eis_span bytes;
} eis_part_blob;

typedef struct eis_part_info {
    uint32_t profile;
    uint8_t pack_digest[EIS_PART_DIGEST_BYTES]; /* of the pack that belongs to this part */
    const eis_part_layer *layers;               /* [linear_count] of the model */
    const eis_part_blob *blobs;                 /* [blob_count] */
    uint32_t blob_count;
} eis_part_info;

/* Writes a client part: to a temporary name beside `path`, synced, renamed. On failure nothing is left behind.
 *
 * Errors:  EIS_ERR_FILE, EIS_ERR_MEMORY; EIS_ERR_RANGE a scale or norm is not finite and >= 0; EIS_ERR_MODEL,
 * EIS_ERR_PARSE a part that would not be read again. */
EIS_MUST_USE eis_status eis_part_write(const char *path, const eis_model *model, const eis_part_info *info);

/* Fills an empty model from a client part in memory that outlives it. Whoever has a path calls eis_model_open.
 *
 * Cost:    the whole file is hashed.
 * Errors:  EIS_ERR_VERSION; EIS_ERR_DIGEST the content does not match its own digest; EIS_ERR_MODEL, EIS_ERR_PARSE
 * damaged; EIS_ERR_MEMORY. The text begins with `name`. */
EIS_MUST_USE eis_status eis_part_load(eis_model *model, eis_span file, const char *name);

/* Returns whether bytes begin like a client part. */
bool eis_part_recognise(eis_span file);

/* Returns the blob of that name, or NULL. */
const eis_part_blob *eis_part_find_blob(const eis_part_info *info, const char *name);

#endif
