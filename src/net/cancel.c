/* SPDX-License-Identifier: Apache-2.0 */
/* An eventfd that is written once and never read: it wakes every poll that has it, now and later. */
#include "net/cancel.h"

#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct eis_cancel {
    atomic_bool raised;
    int fd;
};

eis_status eis_net_cancel_new(eis_cancel **cancel)
{
    eis_cancel *made = eis_mem_new(1, sizeof *made);

    *cancel = NULL;
    if (made == NULL) return EIS_ERR_MEMORY;
    atomic_init(&made->raised, false);
    made->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->fd < 0) {
        eis_mem_free(made);
        return eis_fail(EIS_ERR_LIMIT, "no descriptor for a wake-up flag: %s", strerror(errno));
    }
    *cancel = made;
    return EIS_OK;
}

void eis_net_cancel_raise(eis_cancel *cancel)
{
    static const uint64_t one = 1;
    int saved = errno; /* a signal handler may call this */

    if (cancel == NULL) return;
    atomic_store(&cancel->raised, true);
    if (write(cancel->fd, &one, sizeof one) < 0) { /* full: it is readable already */
    }
    errno = saved;
}

bool eis_net_cancel_raised(const eis_cancel *cancel) { return cancel != NULL && atomic_load(&cancel->raised); }

int eis_net_cancel_fd(const eis_cancel *cancel) { return cancel == NULL ? -1 : cancel->fd; }

void eis_net_cancel_free(eis_cancel *cancel)
{
    if (cancel == NULL) return;
    close(cancel->fd);
    eis_mem_free(cancel);
}
