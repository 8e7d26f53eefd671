/* SPDX-License-Identifier: Apache-2.0 */
/* Time for deadlines and reports. */
#ifndef EIS_BASE_CLOCK_H
#define EIS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns nanoseconds of the monotonic clock. */
static inline uint64_t eis_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Returns nanoseconds of processor time that this thread has used. */
static inline uint64_t eis_clock_thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
