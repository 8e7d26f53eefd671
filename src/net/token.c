/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: read from a file of one's own, compared by digest in constant time. */
#include "net/token.h"

#include "base/ct.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

eis_status eis_net_token_set(eis_token *token, const char *text, size_t bytes)
{
    eis_token made = {.bytes = bytes};
    eis_status st = EIS_OK;

    EIS_REQUIRE(bytes >= EIS_TOKEN_BYTES_MIN && bytes <= EIS_TOKEN_BYTES_MAX, EIS_ERR_USAGE,
                "a token has %d to %d characters, not %zu", EIS_TOKEN_BYTES_MIN, EIS_TOKEN_BYTES_MAX, bytes);
    for (size_t i = 0; i < bytes; i++)
        EIS_REQUIRE(text[i] > ' ' && text[i] < 0x7f, EIS_ERR_USAGE, "a token is one line of visible ASCII characters");
    memcpy(made.text, text, bytes);
    EIS_REQUIRE(EVP_Digest(text, bytes, made.digest, NULL, EVP_sha256(), NULL) == 1, EIS_ERR_INTERNAL,
                "SHA-256 is not available");
    *token = made;
out:
    eis_mem_wipe(&made, sizeof made);
    return st;
}

/* Reads until the end of the file or the buffer. Returns the bytes, or -1. */
static ssize_t read_all(int fd, char *buffer, size_t bytes_max)
{
    size_t have = 0;

    while (have < bytes_max) {
        ssize_t got = read(fd, buffer + have, bytes_max - have);

        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

eis_status eis_net_token_read_file(eis_token *token, const char *path)
{
    char text[EIS_TOKEN_BYTES_MAX + 3] = {0};
    struct stat about;
    eis_status st = EIS_OK;
    ssize_t bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(fstat(fd, &about) == 0 && S_ISREG(about.st_mode), EIS_ERR_FILE, "%s is no regular file", path);
    EIS_REQUIRE((about.st_mode & 077) == 0, EIS_ERR_USAGE, "%s can be read by others; run chmod 600 on it", path);
    bytes = read_all(fd, text, sizeof text - 1);
    EIS_REQUIRE(bytes >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    if (bytes > 0 && text[bytes - 1] == '\n') bytes--;
    if (bytes > 0 && text[bytes - 1] == '\r') bytes--;
    st = eis_net_token_set(token, text, (size_t)bytes);
    if (st != EIS_OK) st = eis_fail_prefix(st, "%s", path);
out:
    if (fd >= 0) close(fd);
    eis_mem_wipe(text, sizeof text);
    return st;
}

bool eis_net_token_equal(const eis_token *token, const void *text, size_t bytes)
{
    uint8_t digest[32];
    bool equal;

    if (token->bytes == 0 || bytes > EIS_TOKEN_BYTES_MAX) return false;
    if (EVP_Digest(text, bytes, digest, NULL, EVP_sha256(), NULL) != 1) return false;
    equal = eis_ct_bytes_equal(digest, token->digest, sizeof digest) == 1;
    eis_mem_wipe(digest, sizeof digest);
    return equal;
}

bool eis_net_token_authorizes(const eis_token *token, const char *authorization)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0) return false;
    authorization += 7;
    while (*authorization == ' ') authorization++;
    return eis_net_token_equal(token, authorization, strlen(authorization));
}

void eis_net_token_clear(eis_token *token) { eis_mem_wipe(token, sizeof *token); }
