/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/bench_blas.h"

#include "base/cpu.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY   "libopenblas.so.0"
#define RESTARTED "EIS_BENCH_RESTARTED" /* a second restart would not help */

/* cblas.h */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

static const char *core_wanted(void)
{
    const eis_cpu *cpu = eis_cpu_get();

    return cpu->avx512 ? "SkylakeX" : cpu->avx2 && cpu->fma ? "Haswell" : NULL;
}

/* The words that this process was started with: main() may have changed its own. */
static size_t read_command_line(char *text, size_t text_bytes, char **argv, size_t argv_max)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    size_t count = 0;
    ssize_t got;

    if (fd < 0) return 0;
    got = read(fd, text, text_bytes - 1);
    close(fd);
    if (got <= 0 || (size_t)got == text_bytes - 1) return 0;
    text[got] = '\0';
    for (char *at = text; at < text + got && count + 1 < argv_max; at += strlen(at) + 1) argv[count++] = at;
    argv[count] = NULL;
    return count;
}

void eis_bench_blas_restart(void)
{
    static char text[1 << 16];
    char *argv[256];
    const char *core = core_wanted();

    if (core == NULL || getenv("OPENBLAS_CORETYPE") != NULL || getenv(RESTARTED) != NULL) return;
    if (read_command_line(text, sizeof text, argv, sizeof argv / sizeof argv[0]) == 0) return;
    setenv("OPENBLAS_CORETYPE", core, 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv(RESTARTED, "1", 1);
    (void)execv("/proc/self/exe", argv);
    unsetenv("OPENBLAS_CORETYPE"); /* it would be set too late now, and say what is not so */
}

/* ISO C has no cast from an object pointer to a function pointer; POSIX promises that the bytes do. */
static bool find(void *function, void *library, const char *name)
{
    void *symbol = dlsym(library, name);

    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static const eis_bench_blas *no_blas(eis_bench *bench, const char *why)
{
    eis_bench_condition_set(bench, "openblas", "not compared: %s", why);
    return NULL;
}

const eis_bench_blas *eis_bench_blas_open(eis_bench *bench)
{
    static eis_bench_blas blas;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void (*set_threads)(int);
    char *(*get_core)(void), *(*get_config)(void);
    char version[32] = "OpenBLAS";
    const char *core;

    if (library == NULL) return no_blas(bench, LIBRARY " cannot be loaded (Debian: libopenblas0-pthread)");
    if (!find(&blas.sgemv, library, "cblas_sgemv") || !find(&blas.sgemm, library, "cblas_sgemm") ||
        !find(&set_threads, library, "openblas_set_num_threads") ||
        !find(&get_core, library, "openblas_get_corename") || !find(&get_config, library, "openblas_get_config"))
        return no_blas(bench, LIBRARY " lacks functions of OpenBLAS");
    core = get_core();
    if (core_wanted() != NULL && getenv("OPENBLAS_CORETYPE") == NULL)
        return no_blas(bench, "the process could not be restarted with OPENBLAS_CORETYPE set");
    if (strcasecmp(core, "Prescott") == 0)
        return no_blas(bench, "it runs its kernels for Prescott, which would flatter us");
    set_threads(1);
    if (sscanf(get_config(), "OpenBLAS %22s", version + 9) == 1) version[8] = ' ';
    snprintf(blas.name, sizeof blas.name, "%s f32 %s", version, core);
    eis_bench_condition_set(bench, "openblas", "%s, core %s, OPENBLAS_CORETYPE=%s, 1 thread", version, core,
                            getenv("OPENBLAS_CORETYPE") != NULL ? getenv("OPENBLAS_CORETYPE") : "not set");
    return &blas;
}

void eis_bench_blas_multiply(const eis_bench_blas *blas, float *y, const float *w, const float *x, size_t rows,
                             size_t cols, size_t batch)
{
    int m = (int)rows, n = (int)cols, b = (int)batch;

    if (b == 1)
        blas->sgemv(ROW_MAJOR, NO_TRANSPOSE, m, n, 1, w, n, x, 1, 0, y, 1);
    else
        blas->sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, b, m, n, 1, x, n, w, n, 0, y, m);
}
