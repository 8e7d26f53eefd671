/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
#include "service/embedded_papers.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/cursor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAPERS_BYTES_MAX ((size_t)1 << 20)
#define TEXT_BYTES_MAX   511
#define NS_PER_MS        1000000u
#define NO_DEADLINE      UINT64_MAX

static eis_status write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return eis_fail(EIS_ERR_IO, "a server process does not listen: %s", strerror(errno));
        data += sent;
        bytes -= (size_t)sent;
    }
    return EIS_OK;
}

static eis_status wait_readable(int fd, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        uint64_t now = eis_clock_ns();
        int timeout = -1, ready;

        if (deadline_ns != NO_DEADLINE) timeout = now >= deadline_ns ? 0 : (int)((deadline_ns - now) / NS_PER_MS) + 1;
        ready = poll(&item, 1, timeout);
        if (ready > 0) return EIS_OK;
        if (ready == 0) return eis_fail(EIS_ERR_TIMEOUT, "a server process did not start in time");
        if (errno != EINTR) return eis_fail(EIS_ERR_IO, "waiting for a server process: %s", strerror(errno));
    }
}

static eis_status read_all(int fd, uint8_t *data, size_t bytes, uint64_t deadline_ns)
{
    eis_status st = EIS_OK;

    while (bytes > 0) {
        ssize_t got;
        EIS_TRY(wait_readable(fd, deadline_ns));
        got = recv(fd, data, bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        EIS_REQUIRE(got > 0, EIS_ERR_CLOSED, "a server process ended early");
        data += got;
        bytes -= (size_t)got;
    }
out:
    return st;
}

eis_status eis_embedded_order_make(int *out_fd, const void *text, size_t bytes)
{
    eis_status st = EIS_OK;
    int fd = memfd_create("eis-order", MFD_CLOEXEC);

    *out_fd = -1;
    EIS_REQUIRE(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes, EIS_ERR_LIMIT, "no memory to hand over: %s",
                strerror(errno));
    *out_fd = fd;
    fd = -1;
out:
    if (fd >= 0) close(fd);
    return st;
}

eis_status eis_embedded_order_read(char **text, size_t *bytes)
{
    eis_status st = EIS_OK;
    size_t have = 0;
    char *data = NULL;
    ssize_t got;

    EIS_NEW(data, EIS_EMBEDDED_ORDER_BYTES_MAX);
    do {
        got = pread(EIS_EMBEDDED_ORDER_FD, data + have, EIS_EMBEDDED_ORDER_BYTES_MAX - have, (off_t)have);
        EIS_REQUIRE(got >= 0 || errno == EINTR, EIS_ERR_IO, "the order of the parent cannot be read: %s",
                    strerror(errno));
        if (got > 0) have += (size_t)got;
    } while (got != 0 && have < EIS_EMBEDDED_ORDER_BYTES_MAX);
    *text = data;
    *bytes = have;
    data = NULL;
out:
    eis_mem_free(data);
    return st;
}

eis_status eis_embedded_papers_send(int fd, const eis_embedded_papers *papers)
{
    uint8_t length[4];
    eis_status st = EIS_OK;
    eis_writer body;

    eis_wire_writer_init(&body, PAPERS_BYTES_MAX);
    eis_wire_writer_u32(&body, papers->threads);
    eis_wire_writer_string32(&body, papers->cert_pem.data, papers->cert_pem.bytes);
    eis_wire_writer_string32(&body, papers->key_pem.data, papers->key_pem.bytes);
    eis_wire_writer_string32(&body, papers->client_ca_pem.data, papers->client_ca_pem.bytes);
    EIS_TRY(eis_wire_writer_status(&body));
    eis_store_le32(length, (uint32_t)body.bytes);
    EIS_TRY(write_all(fd, length, sizeof length));
    EIS_TRY(write_all(fd, body.data, body.bytes));
out:
    eis_wire_writer_clear(&body);
    return st;
}

eis_status eis_embedded_papers_receive(eis_embedded_papers *papers, uint8_t **out_memory, size_t *out_bytes, int fd)
{
    uint8_t length[4], *memory = NULL;
    eis_status st = EIS_OK;
    size_t bytes = 0;
    eis_reader r;

    EIS_TRY(read_all(fd, length, sizeof length, NO_DEADLINE));
    bytes = eis_load_le32(length);
    EIS_REQUIRE(bytes <= PAPERS_BYTES_MAX, EIS_ERR_TOO_LARGE, "papers of %zu bytes", bytes);
    memory = eis_mem_new_secret(bytes, 1);
    if (memory == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(read_all(fd, memory, bytes, NO_DEADLINE));
    eis_wire_reader_init(&r, "papers", memory, bytes);
    papers->threads = eis_wire_reader_u32(&r);
    papers->cert_pem = eis_wire_reader_string32(&r, bytes);
    papers->key_pem = eis_wire_reader_string32(&r, bytes);
    papers->client_ca_pem = eis_wire_reader_string32(&r, bytes);
    EIS_TRY(eis_wire_reader_end(&r));
    *out_memory = memory;
    *out_bytes = bytes;
    memory = NULL;
out:
    eis_mem_free_wiped(memory, bytes, 1);
    if (st != EIS_OK) *papers = (eis_embedded_papers){0}; /* nothing points into memory that is gone */
    return st;
}

void eis_embedded_tell(int fd, eis_status st, uint16_t port)
{
    const char *code = eis_status_code(st), *text = st == EIS_OK ? "" : eis_error_detail();
    eis_writer body;

    eis_wire_writer_init(&body, PAPERS_BYTES_MAX);
    eis_wire_writer_u16(&body, port);
    eis_wire_writer_string16(&body, code, strlen(code));
    eis_wire_writer_string16(&body, text, strlen(text));
    if (eis_wire_writer_status(&body) == EIS_OK) {
        uint8_t length[4];
        eis_store_le32(length, (uint32_t)body.bytes);
        if (write_all(fd, length, sizeof length) != EIS_OK || write_all(fd, body.data, body.bytes) != EIS_OK)
            eis_error_clear(); /* the parent is gone: nobody is left to be told */
    }
    eis_wire_writer_clear(&body);
}

eis_status eis_embedded_hear(uint16_t *port, int fd, uint32_t timeout_ms)
{
    uint64_t deadline_ns = eis_clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    uint8_t length[4], body[TEXT_BYTES_MAX + 128];
    char code[64], text[TEXT_BYTES_MAX + 1];
    eis_status st = EIS_OK;
    eis_reader r;
    size_t bytes;

    EIS_TRY(read_all(fd, length, sizeof length, deadline_ns));
    bytes = eis_load_le32(length);
    EIS_REQUIRE(bytes <= sizeof body, EIS_ERR_PROTOCOL, "a server process told %zu bytes", bytes);
    EIS_TRY(read_all(fd, body, bytes, deadline_ns));
    eis_wire_reader_init(&r, "server process", body, bytes);
    *port = eis_wire_reader_u16(&r);
    eis_wire_reader_text16(&r, code, sizeof code);
    eis_wire_reader_text16(&r, text, sizeof text);
    EIS_TRY(eis_wire_reader_end(&r));
    st = eis_status_from_code(code);
    /* A fault of what the caller named is no fault of the process. */
    if (st != EIS_OK)
        st = eis_fail(st, "%s%s", eis_status_exit_code(st) == 3 ? "" : "a server process did not start: ", text);
out:
    return st;
}
