/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which a client keeps its secret key: one per server and chain, so that digests of evaluation keys link
 * nobody across servers and what one server learns serves no other. It also remembers which evaluation keys were
 * uploaded, by their digests. Mode 0600, never in a directory that a server reads.
 *
 *   "EISHEKEY" | u32 1 | u8 sealed | salt (16) | u16 + origin | parms_id of the key level (32) | u32 uploads | uploads
 * | u32 + secret key an upload: u16 + model id | u16 + version | digest (32)
 *
 * With a passphrase the key is sealed by AES-256-GCM, bound to origin and parms_id, under scrypt (N = 2^16, r = 8, p =
 * 1) of passphrase and salt. Each writing draws a salt, so that no key of a seal is used twice.
 */
#ifndef EIS_SERVICE_HE_KEY_FILE_H
#define EIS_SERVICE_HE_KEY_FILE_H

#include "ckks/params.h"
#include "service/he_envelope.h"
#include "service/he_link.h"

#define EIS_HE_UPLOADS_MAX         64
#define EIS_HE_KEY_FILE_BYTES_MAX  ((size_t)64 << 20)
#define EIS_HE_KEY_FILE_PATH_BYTES 4096

typedef struct eis_he_upload {
    char model_id[EIS_HE_MODEL_ID_BYTES], version[EIS_HE_VERSION_BYTES];
    uint8_t digest[EIS_HE_DIGEST_BYTES];
} eis_he_upload;

/* Valid when zeroed. */
typedef struct eis_he_key_file {
    char origin[EIS_HE_URL_BYTES];             /* eis_he_link_origin */
    uint8_t parms_id[EIS_CKKS_PARMS_ID_BYTES]; /* of the key level */
    eis_he_upload upload[EIS_HE_UPLOADS_MAX];  /* [upload_count], the newest last */
    uint32_t upload_count;
    uint8_t *secret; /* owned: a SEAL object, see ckks/seal_secret.h */
    size_t secret_bytes;
    eis_span passphrase; /* borrowed: what the file is sealed with when it is written; empty: not */
} eis_he_key_file;

/* Wipes and frees. Safe on a zeroed one. */
void eis_he_key_file_clear(eis_he_key_file *file);

/* Reads a file. *found is false, and *file empty but for the passphrase, where there is none.
 *
 * Secret:  the key and the passphrase (empty: none; it outlives the file).
 * Errors:  EIS_ERR_FILE  unreadable, or others may use it;  EIS_ERR_USAGE  sealed, and there is no passphrase, or
 *          another; not sealed, and there is one;  EIS_ERR_PARSE  damaged;  EIS_ERR_VERSION;  EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_key_file_read(eis_he_key_file *file, bool *found, const char *path, eis_span passphrase);

/* Parses its bytes; `name` stands in messages. */
EIS_MUST_USE eis_status eis_he_key_file_parse(eis_he_key_file *file, const char *name, const void *data, size_t bytes,
                                              eis_span passphrase);

/* Writes a file in the place of what is there, whole or not at all. Errors: EIS_ERR_FILE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_key_file_write(const eis_he_key_file *file, const char *path);

/* Checks that a key belongs to this server and these parameters.
 * Errors: EIS_ERR_USAGE  it is another's; the text says whose, and what to do. */
EIS_MUST_USE eis_status eis_he_key_file_check(const eis_he_key_file *file, const char *path, const char *origin,
                                              const uint8_t parms_id[EIS_CKKS_PARMS_ID_BYTES]);

/* Returns the digest of what was uploaded for a model, or NULL. */
const uint8_t *eis_he_key_file_uploaded(const eis_he_key_file *file, const char *model_id, const char *version);

/* Remembers an upload in the place of an earlier one for that model; the oldest goes where there are too many. */
void eis_he_key_file_remember(eis_he_key_file *file, const char *model_id, const char *version,
                              const uint8_t digest[EIS_HE_DIGEST_BYTES]);

/* Says where a key lies unless its user names a place: a file below $XDG_DATA_HOME/eis/he, or
 * ~/.local/share/eis/he, named after server and chain; makes the directories (mode 0700).
 *
 * Errors: EIS_ERR_FILE  no home, or a directory cannot be made; the text says what to do. */
EIS_MUST_USE eis_status eis_he_key_file_default(char path[EIS_HE_KEY_FILE_PATH_BYTES], const char *origin,
                                                const uint8_t parms_id[EIS_CKKS_PARMS_ID_BYTES]);

#endif
