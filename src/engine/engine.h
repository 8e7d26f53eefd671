/* SPDX-License-Identifier: Apache-2.0 */
/* What the engines have in common: four stages under the same four names.
 *
 *   prepare   model -> weights, keys, masks         offline, once per model
 *   protect   reals -> hidden                       client
 *   eval      hidden -> hidden                      server; never sees a key or a second share
 *   recover   hidden -> reals                       client
 *
 * engine/<name>/prepare.h, protect.h, eval.h and recover.h hold them; a server links eval alone. The names below are
 * those of the command line. */
#ifndef EIS_ENGINE_ENGINE_H
#define EIS_ENGINE_ENGINE_H

#include <string.h>

typedef enum eis_engine {
    EIS_ENGINE_NONE = 0,  /* not a name that this program knows */
    EIS_ENGINE_PLAIN = 1, /* no protection: the reference */
    EIS_ENGINE_SPLIT = 2,
    EIS_ENGINE_HE = 3,
    EIS_ENGINE_MPC = 4
} eis_engine;

/* Returns the engine of that name, or EIS_ENGINE_NONE. */
static inline eis_engine eis_engine_parse(const char *name)
{
    if (strcmp(name, "plain") == 0) return EIS_ENGINE_PLAIN;
    if (strcmp(name, "split") == 0) return EIS_ENGINE_SPLIT;
    if (strcmp(name, "he") == 0) return EIS_ENGINE_HE;
    if (strcmp(name, "mpc") == 0) return EIS_ENGINE_MPC;
    return EIS_ENGINE_NONE;
}

#endif
