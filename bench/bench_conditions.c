/* SPDX-License-Identifier: Apache-2.0 */
/* What a figure is worth nothing without. */
#include "bench/bench.h"

#include "base/clock.h"
#include "base/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_BYTES_MAX 4096

/* Reads the first bytes of a small file of the system. Returns how many there are. */
static size_t read_text(char text[FILE_BYTES_MAX], const char *path)
{
    FILE *file = fopen(path, "r");
    size_t got;

    text[0] = '\0';
    if (file == NULL) return 0;
    got = fread(text, 1, FILE_BYTES_MAX - 1, file);
    text[got] = '\0';
    fclose(file);
    return got;
}

/* "model name : AMD EPYC" */
static void read_cpu_name(char name[128])
{
    char text[FILE_BYTES_MAX];
    const char *at;

    snprintf(name, 128, "unknown");
    if (read_text(text, "/proc/cpuinfo") == 0 || (at = strstr(text, "model name")) == NULL) return;
    at += strcspn(at, ":");
    if (*at != '\0') snprintf(name, 128, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
}

/* One multiplication of 64 bits waits for the one before it: 3 cycles on every x86-64 core of the last ten years. */
double eis_bench_clock_ghz(void)
{
#if defined(__x86_64__)
    enum { CHAIN = 100, ROUNDS = 20000, CYCLES = 3, TRIES = 5 };
    double best = 0;

    for (int try = 0; try < TRIES; try++) {
        uint64_t x = 3, start = eis_clock_thread_ns(), spent;
        double ghz;

        for (int i = 0; i < ROUNDS; i++) __asm__ volatile(".rept 100\n\timulq %0, %0\n\t.endr" : "+r"(x));
        spent = eis_clock_thread_ns() - start;
        ghz = (double)CHAIN * ROUNDS * CYCLES / (double)(spent > 0 ? spent : 1);
        if (ghz > best) best = ghz;
    }
    return best;
#else
    return 0;
#endif
}

void eis_bench_conditions_read(eis_bench *bench)
{
    char text[FILE_BYTES_MAX];
    time_t now = time(NULL);
    struct tm utc;
    double ghz = eis_bench_clock_ghz();

    if (gmtime_r(&now, &utc) != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc) > 0)
        eis_bench_condition_set(bench, "date", "%s", text);
    read_cpu_name(text);
    eis_bench_condition_set(bench, "cpu", "%s, %u processors for this process", text, eis_cpu_count());
    if (ghz > 0) eis_bench_condition_set(bench, "clock", "%.2f GHz, measured", ghz);
    if (read_text(text, "/proc/loadavg") > 0)
        eis_bench_condition_set(bench, "load", "%.*s at the start (1, 5, 15 minutes)", (int)strcspn(text, "/") - 2,
                                text);
    if (read_text(text, "/sys/kernel/mm/transparent_hugepage/enabled") > 0)
        eis_bench_condition_set(bench, "huge_pages", "%.*s", (int)strcspn(text, "\n"), text);
#if defined(__clang__)
    eis_bench_condition_set(bench, "compiler", "clang %d.%d.%d", __clang_major__, __clang_minor__,
                            __clang_patchlevel__);
#elif defined(__GNUC__)
    eis_bench_condition_set(bench, "compiler", "gcc %d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
#ifndef __OPTIMIZE__
    eis_bench_condition_set(bench, "build", "WITHOUT OPTIMISATION: these figures mean nothing");
#elif defined(__SANITIZE_ADDRESS__) || defined(EIS_VERIFY_BUILD)
    eis_bench_condition_set(bench, "build", "with sanitizers or checks: these figures mean nothing");
#endif
    eis_bench_condition_set(bench, "version", "%s", EIS_VERSION_TEXT);
}
