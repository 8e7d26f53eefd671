/* SPDX-License-Identifier: Apache-2.0 */
/* Which level runs. A level's table is generic, then every overlay up to the level that this processor has, in rising
 * order; cmake defines EIS_HAVE_KERNELS_<ISA> where kernel/<arch>/overlay_<isa>.c exists. */
#include "kernel/kernel.h"

#include "base/cpu.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX  6
#define NAMES_BYTES 80

static eis_kernels levels[LEVELS_MAX];
static size_t level_count;
static _Atomic(const eis_kernels *) current;
static pthread_once_t once = PTHREAD_ONCE_INIT;

typedef void (*overlay)(eis_kernels *k);

static void add_level(const char *name, bool runs_here, overlay apply)
{
    if (!runs_here) return;
    if (level_count > 0) levels[level_count] = levels[level_count - 1];
    apply(&levels[level_count]);
    levels[level_count++].name = name;
}

static void build_levels(void)
{
    const eis_cpu *cpu = eis_cpu_get();

    (void)cpu;
    add_level("generic", true, eis_kernels_generic);
#ifdef EIS_HAVE_KERNELS_AVX2
    add_level("avx2", cpu->avx2 && cpu->fma && cpu->bmi2, eis_kernels_avx2);
#endif
#ifdef EIS_HAVE_KERNELS_AVXVNNI
    add_level("avxvnni", cpu->avxvnni && cpu->fma && cpu->bmi2, eis_kernels_avxvnni);
#endif
#ifdef EIS_HAVE_KERNELS_AVX512
    add_level("avx512", cpu->avx512 && cpu->fma && cpu->bmi2, eis_kernels_avx512);
#endif
#ifdef EIS_HAVE_KERNELS_AVX512IFMA
    add_level("avx512ifma", cpu->avx512ifma && cpu->fma && cpu->bmi2, eis_kernels_avx512ifma);
#endif
#ifdef EIS_HAVE_KERNELS_AVX512VNNI
    add_level("avx512vnni", cpu->avx512vnni && cpu->avx512ifma && cpu->avx512vbmi && cpu->fma && cpu->bmi2,
              eis_kernels_avx512vnni);
#endif
}

size_t eis_kernels_level_count(void)
{
    pthread_once(&once, build_levels);
    return level_count;
}

const eis_kernels *eis_kernels_level(size_t index)
{
    EIS_ASSERT(index < eis_kernels_level_count());
    return &levels[index];
}

const char *eis_kernels_level_name(size_t index) { return eis_kernels_level(index)->name; }

static const eis_kernels *find_level(const char *name)
{
    for (size_t i = 0; i < eis_kernels_level_count(); i++) {
        if (strcmp(levels[i].name, name) == 0) return &levels[i];
    }
    return NULL;
}

static void list_names(char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < eis_kernels_level_count() && used < bytes; i++) {
        int wrote = snprintf(text + used, bytes - used, "%s%s", i > 0 ? ", " : "", levels[i].name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* The level that the environment names, else the highest. */
static eis_status choose_level(const eis_kernels **chosen, const char *name)
{
    char names[NAMES_BYTES];

    *chosen = name != NULL && name[0] != '\0' ? find_level(name) : eis_kernels_level(eis_kernels_level_count() - 1);
    if (*chosen != NULL) return EIS_OK;
    list_names(names, sizeof names);
    return eis_fail(EIS_ERR_USAGE, "kernel level \"%.32s\" is unknown or not possible here; this machine has %s", name,
                    names);
}

eis_status eis_kernels_use(const char *name)
{
    const eis_kernels *chosen;
    eis_status st = EIS_OK;

    EIS_TRY(choose_level(&chosen, name != NULL ? name : getenv("EIS_KERNELS")));
    atomic_store(&current, chosen);
out:
    return st;
}

const eis_kernels *eis_kernels_get(void)
{
    const eis_kernels *chosen = atomic_load_explicit(&current, memory_order_acquire);
    const eis_kernels *none = NULL;

    if (chosen != NULL) return chosen;
    if (choose_level(&chosen, getenv("EIS_KERNELS")) != EIS_OK) {
        eis_log(EIS_LOG_ERROR, "kernels", "%s", eis_error_detail());
        chosen = eis_kernels_level(eis_kernels_level_count() - 1);
    }
    (void)atomic_compare_exchange_strong(&current, &none, chosen); /* two first callers choose alike */
    return chosen;
}
