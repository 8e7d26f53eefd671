/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a model: mapping, names, atomic replacement. */
#include "model/files.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

eis_status eis_file_map(eis_mapping *mapping, const char *path)
{
    eis_status st = EIS_OK;
    struct stat info;
    int fd;

    *mapping = (eis_mapping){0};
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not hold us up */
    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    EIS_REQUIRE(fstat(fd, &info) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(S_ISREG(info.st_mode), EIS_ERR_FILE, "%s: is not a regular file", path);
    if (info.st_size > 0) {
        void *place = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        EIS_REQUIRE(place != MAP_FAILED, EIS_ERR_FILE, "%s: cannot be mapped: %s", path, strerror(errno));
        mapping->bytes = (eis_span){place, (size_t)info.st_size};
    }
out:
    if (fd >= 0) close(fd);
    return st;
}

void eis_file_unmap(eis_mapping *mapping)
{
    union {
        const uint8_t *read;
        void *any;
    } place = {.read = mapping->bytes.data};

    if (place.any != NULL) munmap(place.any, mapping->bytes.bytes);
    *mapping = (eis_mapping){0};
}

char *eis_file_join(const char *directory, const char *name)
{
    const size_t room = strlen(directory) + strlen(name) + 2;
    char *path = eis_mem_new(room, 1);

    if (path != NULL) snprintf(path, room, "%s/%s", directory, name);
    return path;
}

bool eis_file_is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool eis_file_exists(const char *directory, const char *name)
{
    struct stat info;
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool found;

    if (fd < 0) return false;
    found = fstatat(fd, name, &info, 0) == 0 && S_ISREG(info.st_mode);
    close(fd);
    return found;
}

static eis_status write_all(int fd, const char *path, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return eis_fail(EIS_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
        bytes += n;
        count -= (size_t)n;
    }
    return EIS_OK;
}

/* Makes a rename durable; a file system that cannot sync a directory is no error. */
static void sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = eis_mem_strdup(slash == NULL ? "." : path);
    int fd;

    if (folder == NULL) return;
    if (slash != NULL) folder[slash == path ? 1 : slash - path] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    eis_mem_free(folder);
}

eis_status eis_file_replace(const char *path, const void *bytes, size_t count)
{
    eis_status st = EIS_OK;
    const size_t room = strlen(path) + sizeof ".XXXXXX";
    char *temporary = NULL;
    int fd = -1;
    bool made = false;

    EIS_NEW(temporary, room);
    snprintf(temporary, room, "%s.XXXXXX", path);
    fd = mkstemp(temporary);
    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    made = true;
    EIS_TRY(write_all(fd, path, bytes, count));
    /* A part holds no secret of its own: readable by all, writable by its owner, as packs are. */
    EIS_REQUIRE(fchmod(fd, 0644) == 0 && fsync(fd) == 0, EIS_ERR_FILE, "%s: cannot be synced: %s", path,
                strerror(errno));
    EIS_REQUIRE(rename(temporary, path) == 0, EIS_ERR_FILE, "%s: cannot be put in place: %s", path, strerror(errno));
    made = false;
    sync_directory_of(path);
out:
    if (fd >= 0) close(fd);
    if (made) unlink(temporary);
    eis_mem_free(temporary);
    return st;
}
