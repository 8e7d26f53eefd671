/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/models_dir.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool try_place(char *path, const char *dir, const char *below, const char *name)
{
    struct stat info;

    return snprintf(path, EIS_CLI_PATH_BYTES, "%s%s/%s", dir, below, name) < EIS_CLI_PATH_BYTES &&
           stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The directory of the program, or "" where it cannot be told. */
static void program_dir(char *dir, size_t bytes)
{
    ssize_t length = readlink("/proc/self/exe", dir, bytes - 1);
    char *slash;

    dir[length > 0 ? length : 0] = '\0';
    slash = strrchr(dir, '/');
    if (slash != NULL) *slash = '\0';
}

eis_status eis_cli_models_find(char path[EIS_CLI_PATH_BYTES], const char *name)
{
    const char *own = getenv("EIS_MODELS");
    char dir[EIS_CLI_PATH_BYTES];

    program_dir(dir, sizeof dir);
    if (own != NULL && *own != '\0') {
        if (try_place(path, own, "", name)) return EIS_OK;
        return eis_fail(EIS_ERR_FILE, "EIS_MODELS: %s holds no model %s", own, name);
    }
    if (try_place(path, ".", "/models", name) || try_place(path, dir, "/../models", name) ||
        try_place(path, dir, "/../share/eis/models", name))
        return EIS_OK;
    return eis_fail(
        EIS_ERR_FILE,
        "the model %s was not found: run in the source tree, or name the directory that holds it in EIS_MODELS", name);
}
