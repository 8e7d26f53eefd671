/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM by libcrypto, and key files. */
#include "store/seal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NONCE_BYTES    12
#define TAG_BYTES      16
#define PATH_BYTES_MAX 4096

eis_status eis_store_seal_fresh(eis_seal *seal)
{
    seal->nonce = 0;
    return getentropy(seal->key, sizeof seal->key) == 0 ? EIS_OK
                                                        : eis_fail(EIS_ERR_ENTROPY, "getentropy: %s", strerror(errno));
}

static eis_status fail_crypto(const char *text)
{
    ERR_clear_error();
    return eis_fail(EIS_ERR_STORE, "%s", text);
}

eis_status eis_store_seal_close(eis_seal *seal, uint8_t *out, const void *body, size_t bytes, eis_span bound)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[NONCE_BYTES] = {0};
    int n, done;

    EIS_ASSERT(bytes <= INT_MAX && bound.bytes <= INT_MAX);
    eis_store_le64(nonce, ++seal->nonce);
    memcpy(out, nonce, NONCE_BYTES);
    done = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, seal->key, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, bound.data, (int)bound.bytes) == 1 &&
           EVP_EncryptUpdate(ctx, out + NONCE_BYTES, &n, body, (int)bytes) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + NONCE_BYTES + bytes, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + NONCE_BYTES + bytes) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return done ? EIS_OK : fail_crypto("a row cannot be sealed");
}

eis_status eis_store_seal_open(const eis_seal *seal, uint8_t *out, const void *sealed, size_t bytes, eis_span bound)
{
    const uint8_t *from = sealed;
    EVP_CIPHER_CTX *ctx;
    uint8_t tag[TAG_BYTES];
    size_t body_bytes;
    int n, done;

    if (bytes < EIS_SEAL_EXTRA_BYTES || bytes > INT_MAX) return fail_crypto("a row is too short");
    body_bytes = bytes - EIS_SEAL_EXTRA_BYTES;
    memcpy(tag, from + bytes - TAG_BYTES, TAG_BYTES);
    ctx = EVP_CIPHER_CTX_new();
    done = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, seal->key, from) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, bound.data, (int)bound.bytes) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, from + NONCE_BYTES, (int)body_bytes) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + body_bytes, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (done) return EIS_OK;
    eis_mem_wipe(out, body_bytes);
    return fail_crypto("a row does not open under this key");
}

/* ---- Key files ---- */

static const uint8_t no_key[EIS_SEAL_KEY_BYTES];

static eis_status fail_file(const char *path) { return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno)); }

eis_status eis_store_key_file_read(uint8_t key[EIS_SEAL_KEY_BYTES], bool *found, const char *path)
{
    struct stat info;
    uint8_t bytes[EIS_SEAL_KEY_BYTES];
    eis_status st = EIS_OK;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    *found = false;
    if (file < 0 && errno == ENOENT) return EIS_OK;
    if (file < 0 || fstat(file, &info) != 0) {
        st = fail_file(path);
        goto out;
    }
    EIS_REQUIRE(S_ISREG(info.st_mode), EIS_ERR_FILE, "%s: not a regular file", path);
    EIS_REQUIRE((info.st_mode & (S_IRWXG | S_IRWXO)) == 0, EIS_ERR_FILE,
                "%s: group or others may use this key; remove it (the masks are fetched anew)", path);
    /* A file of another length was being written when the process died: no key. */
    if (read(file, bytes, sizeof bytes) != (ssize_t)sizeof bytes || info.st_size != sizeof bytes) goto out;
    if (memcmp(bytes, no_key, sizeof bytes) == 0) goto out;
    memcpy(key, bytes, sizeof bytes);
    *found = true;
out:
    eis_mem_wipe(bytes, sizeof bytes);
    if (file >= 0) close(file);
    return st;
}

/* Writes 32 bytes at the start of a file and waits until they are on the disk. */
static eis_status write_synced(const char *path, int flags, const uint8_t bytes[EIS_SEAL_KEY_BYTES])
{
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600), done;

    if (file < 0 && errno == ENOENT) return EIS_OK; /* nothing there to overwrite */
    if (file < 0) return fail_file(path);
    done = write(file, bytes, EIS_SEAL_KEY_BYTES) == EIS_SEAL_KEY_BYTES && fsync(file) == 0;
    if (close(file) != 0) done = 0;
    return done ? EIS_OK : fail_file(path);
}

/* Syncs the directory that holds a file, so that a rename in it lasts. */
static eis_status sync_directory(const char *path)
{
    char dir[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    int file, done;

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return fail_file(dir);
    done = fsync(file) == 0;
    close(file);
    return done ? EIS_OK : fail_file(dir);
}

eis_status eis_store_key_file_replace(const uint8_t key[EIS_SEAL_KEY_BYTES], const char *path)
{
    char fresh[PATH_BYTES_MAX];
    eis_status st = EIS_OK;

    EIS_REQUIRE(strlen(path) + 5 < sizeof fresh, EIS_ERR_FILE, "the path of the key is too long");
    snprintf(fresh, sizeof fresh, "%s.new", path);
    (void)unlink(fresh); /* of a process that died here; the store's lock is ours */
    EIS_TRY(write_synced(fresh, O_CREAT | O_EXCL, key));
    EIS_TRY(write_synced(path, 0, no_key));
    if (rename(fresh, path) != 0) {
        st = fail_file(path);
        goto out;
    }
    EIS_TRY(sync_directory(path));
out:
    if (st != EIS_OK) (void)unlink(fresh);
    return st;
}
