/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: opened once, checked and read on that descriptor, so that nothing can be exchanged in between. */
#define _GNU_SOURCE /* mkostemp */
#include "trust/key_file.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file; a private one must belong to us or root and to nobody else. */
static eis_status open_checked(int *file, size_t *bytes, const char *path, bool private, size_t bytes_max)
{
    struct stat info;
    eis_status st = EIS_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(fstat(fd, &info) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(S_ISREG(info.st_mode), EIS_ERR_FILE, "%s: not a regular file", path);
    EIS_REQUIRE(!private || info.st_uid == geteuid() || info.st_uid == 0, EIS_ERR_FILE,
                "%s: belongs to another user; a key must be your own", path);
    EIS_REQUIRE(!private || (info.st_mode & (S_IRWXG | S_IRWXO)) == 0, EIS_ERR_FILE,
                "%s: group or others may use this key; run: chmod 600 %s", path, path);
    EIS_REQUIRE((uint64_t)info.st_size <= bytes_max, EIS_ERR_TOO_LARGE, "%s: %lld bytes, at most %zu are read", path,
                (long long)info.st_size, bytes_max);
    *file = fd;
    *bytes = (size_t)info.st_size;
    return EIS_OK;
out:
    if (fd >= 0) close(fd);
    return st;
}

eis_status eis_trust_key_file_check(const char *path)
{
    int file = -1;
    size_t bytes = 0;
    eis_status st = open_checked(&file, &bytes, path, true, EIS_TRUST_KEY_FILE_BYTES_MAX);

    if (st == EIS_OK) close(file);
    return st;
}

/* Reads exactly `bytes` bytes; a file that shrinks or grows meanwhile is an error. */
static eis_status read_whole(int file, char *out, size_t bytes, const char *path)
{
    size_t done = 0;
    char more;

    while (done < bytes) {
        ssize_t n = read(file, out + done, bytes - done);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
        if (n == 0) break;
        done += (size_t)n;
    }
    if (done != bytes || read(file, &more, 1) != 0)
        return eis_fail(EIS_ERR_FILE, "%s: changed while it was read", path);
    return EIS_OK;
}

static eis_status read_file(char **text, size_t *bytes, const char *path, bool private, size_t bytes_max)
{
    eis_status st = EIS_OK;
    char *out = NULL;
    size_t length = 0;
    int file = -1;

    EIS_TRY(open_checked(&file, &length, path, private, bytes_max));
    out = eis_mem_new_secret(length + 1, 1);
    if (out == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(read_whole(file, out, length, path));
    *text = out;
    *bytes = length;
    out = NULL;
out:
    eis_mem_free_wiped(out, length + 1, 1);
    if (file >= 0) close(file);
    return st;
}

eis_status eis_trust_key_file_read(char **text, size_t *bytes, const char *path)
{
    return read_file(text, bytes, path, true, EIS_TRUST_KEY_FILE_BYTES_MAX);
}

eis_status eis_trust_key_file_read_large(char **text, size_t *bytes, const char *path, size_t bytes_max)
{
    return read_file(text, bytes, path, true, bytes_max);
}

eis_status eis_trust_public_file_read(char **text, size_t *bytes, const char *path)
{
    return read_file(text, bytes, path, false, EIS_TRUST_KEY_FILE_BYTES_MAX);
}

static eis_status write_whole(int file, const void *data, size_t bytes, const char *path)
{
    const char *from = data;

    while (bytes > 0) {
        ssize_t n = write(file, from, bytes);

        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
        from += n;
        bytes -= (size_t)n;
    }
    return EIS_OK;
}

eis_status eis_trust_new_file_write(const char *path, unsigned mode, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);

    if (file < 0 && errno == EEXIST)
        return eis_fail(EIS_ERR_FILE, "%s: exists already and is not overwritten; choose another place", path);
    if (file < 0) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_TRY(write_whole(file, data, bytes, path));
    EIS_REQUIRE(fsync(file) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
out:
    if (close(file) != 0 && st == EIS_OK) st = eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    if (st != EIS_OK) unlink(path);
    return st;
}

/* So that a rename outlives a crash. */
static eis_status sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = eis_mem_strdup(slash == NULL ? "." : slash == path ? "/" : path);
    eis_status st = EIS_OK;
    int fd = -1;

    EIS_REQUIRE(directory != NULL, EIS_ERR_MEMORY, "not enough memory");
    if (slash != NULL && slash != path) directory[slash - path] = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EIS_REQUIRE(fd >= 0 && fsync(fd) == 0, EIS_ERR_FILE, "%s: %s", directory, strerror(errno));
out:
    if (fd >= 0) close(fd);
    eis_mem_free(directory);
    return st;
}

eis_status eis_trust_key_file_replace(const char *path, const void *data, size_t bytes)
{
    static const char suffix[] = ".XXXXXX";
    eis_status st = EIS_OK;
    size_t length = strlen(path);
    bool made = false;
    char *temporary = NULL;
    int file = -1;

    EIS_NEW(temporary, length + sizeof suffix);
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    EIS_REQUIRE(file >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    made = true;
    EIS_TRY(write_whole(file, data, bytes, path));
    EIS_REQUIRE(fsync(file) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(rename(temporary, path) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    made = false;
    EIS_TRY(sync_directory(path));
out:
    if (file >= 0) close(file);
    if (made) unlink(temporary);
    eis_mem_free(temporary);
    return st;
}
