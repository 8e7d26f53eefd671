/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded default: the servers that a command needs, as child processes on loopback with throw-away certificates
 * whose keys never reach the disk. They end when the parent ends, also by SIGKILL. */
#ifndef EIS_SERVICE_EMBEDDED_H
#define EIS_SERVICE_EMBEDDED_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/address.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct eis_embedded eis_embedded;

/* Starts `count` servers of an engine, "split" or "api", and waits until all listen. What they serve is behind
 * order_fd: a pack (each maps the same pages), or an entry of a registry.
 *
 * Each child is a fresh process of this very program, `serve ENGINE --embedded`, so nothing of the parent's memory gets
 * into it; certificates, key and order come over inherited descriptors, never the command line, the environment or the
 * disk. program is what to run (NULL: /proc/self/exe); tests name build/eis. The death of the parent ends the child
 * (PR_SET_PDEATHSIG and a closed socket); so does the end of the thread that called this, which therefore outlives
 * them.
 *
 * Errors: EIS_ERR_LIMIT, EIS_ERR_MEMORY, EIS_ERR_UNAVAILABLE (a child ended early); nothing is left running. */
EIS_MUST_USE eis_status eis_embedded_start(eis_embedded **embedded, const char *program, const char *engine,
                                           int order_fd, size_t count, unsigned threads_each);

/* What one child of several is to serve. */
typedef struct eis_embedded_role {
    const char *engine;
    int order_fd;
} eis_embedded_role;

/* The same with a role for each child, where the servers also call each other: their certificates are good for both
 * ends of a connection. The last one of them waits: its pin is known, but it reads its order only after
 * eis_embedded_finish, so that the order may say where the others listen. Shape: roles[count]. */
EIS_MUST_USE eis_status eis_embedded_start_each(eis_embedded **embedded, const char *program,
                                                const eis_embedded_role *roles, size_t count, unsigned threads_each);
EIS_MUST_USE eis_status eis_embedded_finish(eis_embedded *embedded);

/* Tells which child has ended by itself; false where all run. */
bool eis_embedded_ended(size_t *index, const eis_embedded *embedded);

/* What a child does with what it inherited: reads its papers, serves until the pipe closes or SIGTERM comes.
 * `serve split --embedded` calls it and exits with its status. */
EIS_MUST_USE eis_status eis_embedded_child_run(unsigned threads);

/* What a client needs to reach them; the pointers live as long as the servers. */
typedef struct eis_embedded_access {
    const eis_address *addresses; /* [count] */
    const eis_tls_pin *pins;      /* [count] */
    const pid_t *processes;       /* [count] */
    size_t count;
    eis_span ca_pem, cert_pem, key_pem; /* a client certificate that the children ask for */
} eis_embedded_access;

void eis_embedded_access_get(eis_embedded_access *access, const eis_embedded *embedded);

/* Stops the children (SIGTERM, then SIGKILL) and frees. NULL is allowed. */
void eis_embedded_stop(eis_embedded *embedded);

#endif
