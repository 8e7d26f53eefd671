/* SPDX-License-Identifier: Apache-2.0 */
/* Error flow inside the library: a status for data, an assertion for a broken contract. */
#ifndef EIS_BASE_STATUS_H
#define EIS_BASE_STATUS_H

#include "eis/status.h"

/* Records what a caller should be told beyond the status (printf style, cut at 511 bytes), and returns st.
 * The text names files, members, sizes and what to do; never a secret value. Earlier text on this thread is
 * replaced, so the place that knows most calls it, and callers above pass the status on. */
eis_status eis_fail(eis_status st, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix such as a file name in front of what was recorded, and returns st. */
eis_status eis_fail_prefix(eis_status st, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets what was recorded on this thread. */
void eis_error_clear(void);

/* Runs a call; on failure keeps its status in `st` and jumps to `out`. */
#define EIS_TRY(call)               \
    do {                            \
        st = (call);                \
        if (st != EIS_OK) goto out; \
    } while (0)

/* Fails with a recorded text unless the condition on outside data holds. */
#define EIS_REQUIRE(cond, status, ...)            \
    do {                                          \
        if (!(cond)) {                            \
            st = eis_fail((status), __VA_ARGS__); \
            goto out;                             \
        }                                         \
    } while (0)

/* Ends the process: a caller inside the library broke a contract. Bytes from a peer never get here. */
_Noreturn void eis_assert_failed(const char *expression, const char *file, int line);

#define EIS_ASSERT(cond) ((cond) ? (void)0 : eis_assert_failed(#cond, __FILE__, __LINE__))

/* Invariants too dear for every build; the dev build (EIS_VERIFY_BUILD) checks them. */
#ifdef EIS_VERIFY_BUILD
#define EIS_VERIFY(cond) EIS_ASSERT(cond)
#else
#define EIS_VERIFY(cond) ((void)0)
#endif

#endif
