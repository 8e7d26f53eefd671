/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the socket between a program and a server that it has started, in both directions: taken whole or
 * refused. */
#include "base/mem.h"
#include "service/embedded_papers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A socket on which these bytes lie ready and nothing follows. */
static int socket_with(const uint8_t *data, size_t size)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) abort();
    if (size > 0 && send(pair[1], data, size, MSG_DONTWAIT) != (ssize_t)size) abort();
    close(pair[1]);
    return pair[0];
}

static bool inside(eis_span span, const uint8_t *memory, size_t bytes)
{
    return span.bytes == 0 || (span.data >= memory && span.bytes <= bytes && span.data + span.bytes <= memory + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_embedded_papers papers = {0};
    uint8_t *memory = NULL;
    size_t bytes = 0;
    uint16_t port = 0;
    int fd;

    if (size > 1 << 16) return 0; /* more does not fit the socket */
    fd = socket_with(data, size);
    if (eis_embedded_papers_receive(&papers, &memory, &bytes, fd) == EIS_OK) {
        EIS_ASSERT(inside(papers.cert_pem, memory, bytes) && inside(papers.key_pem, memory, bytes));
        EIS_ASSERT(inside(papers.client_ca_pem, memory, bytes));
        eis_mem_free_wiped(memory, bytes, 1);
    } else {
        EIS_ASSERT(memory == NULL && papers.cert_pem.data == NULL && papers.key_pem.data == NULL);
    }
    close(fd);
    fd = socket_with(data, size);
    if (eis_embedded_hear(&port, fd, 1000) != EIS_OK) eis_error_clear();
    close(fd);
    return 0;
}
