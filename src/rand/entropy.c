/* SPDX-License-Identifier: Apache-2.0 */
#include "rand/entropy.h"

#include "base/ct.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/random.h>

static _Thread_local unsigned long draw_count, fail_at;

unsigned long eis_entropy_fail_at(unsigned long n)
{
    unsigned long drawn = draw_count;

    draw_count = 0;
    fail_at = n;
    return drawn;
}

eis_status eis_entropy_draw(void *out, size_t bytes)
{
    ssize_t got;

    EIS_ASSERT(bytes > 0 && bytes <= EIS_ENTROPY_BYTES_MAX);
    do {
        got = getrandom(out, bytes, 0);
    } while (got < 0 && errno == EINTR); /* only while the kernel still waits for its first entropy after boot */
    if (++draw_count == fail_at) got = -1;
    if (got == (ssize_t)bytes) {
        EIS_SECRET(out, bytes);
        return EIS_OK;
    }
    eis_mem_wipe(out, bytes);
    return eis_fail(EIS_ERR_ENTROPY, "the operating system gave no random bytes; nothing was sent");
}
