/* SPDX-License-Identifier: Apache-2.0 */
#include "service/he_key_file.h"

#include "base/mem.h"
#include "rand/entropy.h"
#include "store/seal.h"
#include "trust/key_file.h"
#include "wire/cursor.h"
#include "wire/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC         "EISHEKEY"
#define VERSION       1u
#define NAME_DIGITS   16 /* bytes of the digest that names a file */
#define SALT_BYTES    16
#define SCRYPT_N      65536
#define SCRYPT_R      8
#define SCRYPT_P      1
#define SCRYPT_MEMORY ((uint64_t)128 << 20) /* twice what 128 N r asks for */
#define BOUND_BYTES   (EIS_HE_URL_BYTES + EIS_CKKS_PARMS_ID_BYTES)

void eis_he_key_file_clear(eis_he_key_file *file)
{
    eis_mem_free_wiped(file->secret, file->secret_bytes, 1);
    *file = (eis_he_key_file){0};
}

/* ---- the seal ---- */

/* What a sealed key is bound to: it cannot be moved to another server's file. */
static eis_span bound_of(uint8_t out[BOUND_BYTES], const eis_he_key_file *file)
{
    size_t length = strlen(file->origin);

    memcpy(out, file->origin, length);
    memcpy(out + length, file->parms_id, EIS_CKKS_PARMS_ID_BYTES);
    return (eis_span){out, length + EIS_CKKS_PARMS_ID_BYTES};
}

static eis_status derive(eis_seal *seal, eis_span passphrase, const uint8_t salt[SALT_BYTES])
{
    seal->nonce = 0;
    if (EVP_PBE_scrypt((const char *)passphrase.data, passphrase.bytes, salt, SALT_BYTES, SCRYPT_N, SCRYPT_R, SCRYPT_P,
                       SCRYPT_MEMORY, seal->key, sizeof seal->key) != 1)
        return eis_fail(EIS_ERR_MEMORY, "not enough memory to use a passphrase");
    return EIS_OK;
}

/* Takes the key out of the file's bytes. */
static eis_status open_secret(eis_he_key_file *file, const char *name, eis_span stored, bool sealed,
                              const uint8_t salt[SALT_BYTES])
{
    size_t extra = sealed ? EIS_SEAL_EXTRA_BYTES : 0;
    uint8_t bound[BOUND_BYTES];
    eis_status st = EIS_OK;
    eis_seal seal = {{0}, 0};

    EIS_REQUIRE(stored.bytes > extra, EIS_ERR_PARSE, "%s: it holds no key", name);
    EIS_REQUIRE(!sealed || file->passphrase.bytes > 0, EIS_ERR_USAGE,
                "%s: this key is sealed; name the file with its passphrase", name);
    EIS_REQUIRE(sealed || file->passphrase.bytes == 0, EIS_ERR_USAGE,
                "%s: this key is not sealed, and a passphrase was given; remove the file to make a sealed one", name);
    file->secret = eis_mem_new_secret(stored.bytes - extra, 1);
    EIS_REQUIRE(file->secret != NULL, EIS_ERR_MEMORY, "not enough memory");
    file->secret_bytes = stored.bytes - extra;
    if (!sealed) {
        memcpy(file->secret, stored.data, stored.bytes);
        return EIS_OK;
    }
    EIS_TRY(derive(&seal, file->passphrase, salt));
    st = eis_store_seal_open(&seal, file->secret, stored.data, stored.bytes, bound_of(bound, file));
    if (st != EIS_OK) st = eis_fail(EIS_ERR_USAGE, "%s: the passphrase is another one, or the file is damaged", name);
out:
    eis_mem_wipe(&seal, sizeof seal);
    return st;
}

/* Appends the key, sealed where there is a passphrase. */
static eis_status write_secret(eis_writer *w, const eis_he_key_file *file, const uint8_t salt[SALT_BYTES])
{
    uint8_t bound[BOUND_BYTES];
    eis_status st = EIS_OK;
    eis_seal seal = {{0}, 0};
    uint8_t *room;

    if (file->passphrase.bytes == 0) {
        eis_wire_writer_string32(w, file->secret, file->secret_bytes);
        return EIS_OK;
    }
    EIS_TRY(derive(&seal, file->passphrase, salt));
    eis_wire_writer_u32(w, (uint32_t)(file->secret_bytes + EIS_SEAL_EXTRA_BYTES));
    room = eis_wire_writer_reserve(w, file->secret_bytes + EIS_SEAL_EXTRA_BYTES);
    if (room != NULL)
        EIS_TRY(eis_store_seal_close(&seal, room, file->secret, file->secret_bytes, bound_of(bound, file)));
out:
    eis_mem_wipe(&seal, sizeof seal);
    return st;
}

/* ---- bytes ---- */

static eis_status read_uploads(eis_he_key_file *file, eis_reader *r)
{
    eis_status st = EIS_OK;
    uint32_t count = eis_wire_reader_u32(r);

    EIS_REQUIRE(count <= EIS_HE_UPLOADS_MAX, EIS_ERR_PARSE, "%s: more than %d uploads", r->what, EIS_HE_UPLOADS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        eis_he_upload *u = &file->upload[i];
        eis_wire_reader_text16(r, u->model_id, sizeof u->model_id);
        eis_wire_reader_text16(r, u->version, sizeof u->version);
        eis_wire_reader_copy(r, u->digest, sizeof u->digest);
    }
    file->upload_count = count;
out:
    return st;
}

eis_status eis_he_key_file_parse(eis_he_key_file *file, const char *name, const void *data, size_t bytes,
                                 eis_span passphrase)
{
    eis_status st = EIS_OK;
    uint8_t magic[sizeof MAGIC - 1], salt[SALT_BYTES], sealed;
    eis_reader r;
    eis_span secret;
    uint32_t version;

    *file = (eis_he_key_file){.passphrase = passphrase};
    eis_wire_reader_init(&r, name, data, bytes);
    eis_wire_reader_copy(&r, magic, sizeof magic);
    version = eis_wire_reader_u32(&r);
    EIS_REQUIRE(r.st == EIS_OK && memcmp(magic, MAGIC, sizeof magic) == 0, EIS_ERR_PARSE, "%s: no key file of eis",
                name);
    EIS_REQUIRE(version == VERSION, EIS_ERR_VERSION, "%s: a key file of version %u, this program reads %u", name,
                version, VERSION);
    sealed = eis_wire_reader_u8(&r);
    eis_wire_reader_copy(&r, salt, sizeof salt);
    EIS_REQUIRE(sealed <= 1, EIS_ERR_PARSE, "%s: a kind of seal that this program does not know", name);
    eis_wire_reader_text16(&r, file->origin, sizeof file->origin);
    eis_wire_reader_copy(&r, file->parms_id, sizeof file->parms_id);
    EIS_TRY(read_uploads(file, &r));
    secret = eis_wire_reader_string32(&r, EIS_HE_KEY_FILE_BYTES_MAX);
    EIS_TRY(eis_wire_reader_end(&r));
    EIS_TRY(open_secret(file, name, secret, sealed == 1, salt));
out:
    if (st != EIS_OK) eis_he_key_file_clear(file);
    return st;
}

static eis_status write_fields(eis_writer *w, const eis_he_key_file *file)
{
    uint8_t salt[SALT_BYTES] = {0};
    eis_status st = EIS_OK;

    if (file->passphrase.bytes > 0) EIS_TRY(eis_entropy_draw(salt, sizeof salt));
    eis_wire_writer_bytes(w, MAGIC, sizeof MAGIC - 1);
    eis_wire_writer_u32(w, VERSION);
    eis_wire_writer_u8(w, file->passphrase.bytes > 0);
    eis_wire_writer_bytes(w, salt, sizeof salt);
    eis_wire_writer_string16(w, file->origin, strlen(file->origin));
    eis_wire_writer_bytes(w, file->parms_id, sizeof file->parms_id);
    eis_wire_writer_u32(w, file->upload_count);
    for (uint32_t i = 0; i < file->upload_count; i++) {
        const eis_he_upload *u = &file->upload[i];
        eis_wire_writer_string16(w, u->model_id, strlen(u->model_id));
        eis_wire_writer_string16(w, u->version, strlen(u->version));
        eis_wire_writer_bytes(w, u->digest, sizeof u->digest);
    }
    EIS_TRY(write_secret(w, file, salt));
    EIS_TRY(eis_wire_writer_status(w));
out:
    return st;
}

/* ---- files ---- */

eis_status eis_he_key_file_read(eis_he_key_file *file, bool *found, const char *path, eis_span passphrase)
{
    eis_status st = EIS_OK;
    struct stat info;
    char *text = NULL;
    size_t bytes = 0;

    *file = (eis_he_key_file){.passphrase = passphrase};
    *found = stat(path, &info) == 0;
    if (!*found && errno == ENOENT) return EIS_OK;
    EIS_TRY(eis_trust_key_file_read_large(&text, &bytes, path, EIS_HE_KEY_FILE_BYTES_MAX));
    EIS_TRY(eis_he_key_file_parse(file, path, text, bytes, passphrase));
    *found = true;
out:
    eis_mem_free_wiped(text, bytes + 1, 1);
    return st;
}

eis_status eis_he_key_file_write(const eis_he_key_file *file, const char *path)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, EIS_HE_KEY_FILE_BYTES_MAX);
    EIS_TRY(write_fields(&w, file));
    EIS_TRY(eis_trust_key_file_replace(path, w.data, w.bytes));
out:
    eis_wire_writer_clear(&w); /* wipes */
    return st;
}

eis_status eis_he_key_file_check(const eis_he_key_file *file, const char *path, const char *origin,
                                 const uint8_t parms_id[EIS_CKKS_PARMS_ID_BYTES])
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(strcmp(file->origin, origin) == 0, EIS_ERR_USAGE,
                "%s: this key is for %s; one key for two servers would link their users, so name another file for %s",
                path, file->origin, origin);
    EIS_REQUIRE(memcmp(file->parms_id, parms_id, EIS_CKKS_PARMS_ID_BYTES) == 0, EIS_ERR_USAGE,
                "%s: this key is for other encryption parameters of %s; name another file for this model", path,
                origin);
out:
    return st;
}

/* ---- uploads ---- */

static bool is_of(const eis_he_upload *u, const char *model_id, const char *version)
{
    return strcmp(u->model_id, model_id) == 0 && strcmp(u->version, version) == 0;
}

const uint8_t *eis_he_key_file_uploaded(const eis_he_key_file *file, const char *model_id, const char *version)
{
    for (uint32_t i = 0; i < file->upload_count; i++)
        if (is_of(&file->upload[i], model_id, version)) return file->upload[i].digest;
    return NULL;
}

void eis_he_key_file_remember(eis_he_key_file *file, const char *model_id, const char *version,
                              const uint8_t digest[EIS_HE_DIGEST_BYTES])
{
    uint32_t gone = 0;
    eis_he_upload *u;

    while (gone < file->upload_count && !is_of(&file->upload[gone], model_id, version)) gone++;
    if (gone == file->upload_count && file->upload_count == EIS_HE_UPLOADS_MAX) gone = 0;
    if (gone < file->upload_count) {
        memmove(&file->upload[gone], &file->upload[gone + 1], (file->upload_count - gone - 1) * sizeof file->upload[0]);
        file->upload_count--;
    }
    u = &file->upload[file->upload_count++];
    snprintf(u->model_id, sizeof u->model_id, "%s", model_id);
    snprintf(u->version, sizeof u->version, "%s", version);
    memcpy(u->digest, digest, sizeof u->digest);
}

/* ---- the place ---- */

/* Makes every directory of a path that is not there. */
static eis_status make_directories(char *path)
{
    for (char *c = path + 1; *c != '\0'; c++) {
        if (*c != '/') continue;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return eis_fail(EIS_ERR_FILE, "%s: %s; name another place for the key with --key-file", path,
                            strerror(errno));
        *c = '/';
    }
    return EIS_OK;
}

eis_status eis_he_key_file_default(char path[EIS_HE_KEY_FILE_PATH_BYTES], const char *origin,
                                   const uint8_t parms_id[EIS_CKKS_PARMS_ID_BYTES])
{
    eis_status st = EIS_OK;
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    bool own = data != NULL && data[0] == '/';
    uint8_t text[EIS_HE_URL_BYTES + EIS_CKKS_PARMS_ID_BYTES], digest[EVP_MAX_MD_SIZE];
    size_t length = strlen(origin);
    char hex[2 * NAME_DIGITS + 1];

    EIS_REQUIRE(own || (home != NULL && home[0] == '/'), EIS_ERR_FILE,
                "there is no home directory to keep a key in; name a place with --key-file");
    EIS_ASSERT(length < EIS_HE_URL_BYTES);
    memcpy(text, origin, length);
    memcpy(text + length, parms_id, EIS_CKKS_PARMS_ID_BYTES);
    EIS_REQUIRE(EVP_Digest(text, length + EIS_CKKS_PARMS_ID_BYTES, digest, NULL, EVP_sha256(), NULL) == 1,
                EIS_ERR_INTERNAL, "libcrypto failed");
    eis_wire_hex_write(hex, digest, NAME_DIGITS);
    EIS_REQUIRE(snprintf(path, EIS_HE_KEY_FILE_PATH_BYTES, "%s%s/eis/he/%s.key", own ? data : home,
                         own ? "" : "/.local/share", hex) < EIS_HE_KEY_FILE_PATH_BYTES,
                EIS_ERR_FILE, "the path of the home directory is too long; name a place with --key-file");
    EIS_TRY(make_directories(path));
out:
    return st;
}
