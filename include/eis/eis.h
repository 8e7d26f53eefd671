/* SPDX-License-Identifier: Apache-2.0 */
/* All of the public interface. Five rules hold for every header of it:
 *
 *   - What can fail returns an eis_status; eis_error_detail() says what happened, on the thread that it happened on.
 *   - Arguments: the object first, then outputs, then inputs, each length directly behind its array. A function that
 *     makes an object gives it first of all; the pointer is NULL on error.
 *   - Options are plain structs. All zero means the defaults, and NULL means the same. Texts and arrays in them are
 *     needed during the call alone.
 *   - Objects are opaque and belong to whoever made them. One thread at a time may use one, unless its function says
 *     otherwise; different objects are independent of each other.
 *   - On error outputs are untouched or wiped, never half written.
 *
 * Warnings (a server that is looked for again, a client that was refused) go to stderr, without values. */
#ifndef EIS_EIS_H
#define EIS_EIS_H

#include "eis/client.h"
#include "eis/server.h"
#include "eis/split.h"
#include "eis/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the version of the library that runs, such as "0.1.0". */
EIS_API const char *eis_version(void);

/* Switches the kernels of the whole process to a level ("generic", "avx2", ...), before other threads compute. NULL:
 * what the environment variable EIS_KERNELS names, else the highest that this machine has, which is the default anyway.
 *
 * Errors:  EIS_ERR_USAGE  the level is unknown or this machine lacks it; the text names those that there are. */
EIS_API EIS_MUST_USE eis_status eis_use_kernels(const char *level);

#ifdef __cplusplus
}
#endif
#endif
