/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_core.h"

#include "base/log.h"
#include "base/mem.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/support/log.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void log_line(gpr_log_func_args *args) { eis_log(EIS_LOG_DEBUG, "grpc", "%s", args->message); }

/* The core's credentials know no least version of TLS, but take a list of ciphers for TLS 1.2: one that needs a
 * pre-shared key, which nobody has, leaves TLS 1.3. It is read once, when the first credentials are made. */
static void set_up(void)
{
    (void)setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1);
    gpr_set_log_function(log_line);
}

void eis_net_grpc_core_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, set_up);
    grpc_init();
}

void eis_net_grpc_core_stop(void) { grpc_shutdown_blocking(); }

grpc_arg eis_net_grpc_number(const char *key, int value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};

    arg.value.integer = value;
    return arg;
}

gpr_timespec eis_net_grpc_deadline(uint32_t ms)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

static eis_status copy_text(char **text, eis_span span)
{
    eis_status st = EIS_OK;

    EIS_NEW_BY(*text, span.bytes + 1, eis_mem_new_secret);
    if (span.bytes > 0) memcpy(*text, span.data, span.bytes);
out:
    return st;
}

eis_status eis_net_grpc_papers_copy(eis_grpc_papers *papers, eis_span ca, eis_span cert, eis_span key)
{
    eis_status st = EIS_OK;

    *papers = (eis_grpc_papers){.ca_bytes = ca.bytes, .cert_bytes = cert.bytes, .key_bytes = key.bytes};
    EIS_TRY(copy_text(&papers->ca, ca));
    EIS_TRY(copy_text(&papers->cert, cert));
    EIS_TRY(copy_text(&papers->key, key));
out:
    if (st != EIS_OK) eis_net_grpc_papers_clear(papers);
    return st;
}

void eis_net_grpc_papers_clear(eis_grpc_papers *papers)
{
    eis_mem_free_wiped(papers->ca, papers->ca_bytes + 1, 1);
    eis_mem_free_wiped(papers->cert, papers->cert_bytes + 1, 1);
    eis_mem_free_wiped(papers->key, papers->key_bytes + 1, 1);
    *papers = (eis_grpc_papers){0};
}

eis_status eis_net_grpc_bytes_of(uint8_t **data, size_t *bytes, grpc_byte_buffer *buffer)
{
    eis_status st = EIS_OK;
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    uint8_t *copy = NULL;
    size_t count = 0;

    EIS_REQUIRE(grpc_byte_buffer_reader_init(&reader, buffer) != 0, EIS_ERR_PARSE, "a message that cannot be unpacked");
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    count = GRPC_SLICE_LENGTH(slice);
    copy = eis_mem_new_secret(count + 1, 1);
    if (copy != NULL && count > 0) memcpy(copy, GRPC_SLICE_START_PTR(slice), count);
    grpc_slice_unref(slice);
    if (copy == NULL) return EIS_ERR_MEMORY;
    *data = copy;
    *bytes = count;
out:
    return st;
}

grpc_byte_buffer *eis_net_grpc_buffer_of(const void *data, size_t bytes)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(data, bytes);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}
