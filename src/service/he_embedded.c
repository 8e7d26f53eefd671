/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: an entry of a registry, written into memory that the child inherits. */
#include "service/he_embedded.h"

#include "base/mem.h"
#include "service/embedded_papers.h"
#include "service/he_envelope_internal.h"
#include "wire/json_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The child has another idea of the current directory only if somebody changes it; an absolute path cannot differ. */
static eis_status write_path(eis_json_writer *w, const char *name, const char *path)
{
    char *whole;

    if (path == NULL) return EIS_OK;
    whole = realpath(path, NULL);
    if (whole == NULL) return eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    eis_he_write_text(w, name, whole);
    free(whole);
    return EIS_OK;
}

static void write_optional(eis_json_writer *w, const char *name, const char *text)
{
    if (text != NULL) eis_he_write_text(w, name, text);
}

static eis_status write_entry(eis_writer *out, const eis_he_order *order)
{
    eis_status st = EIS_OK;
    eis_json_writer w;

    eis_json_writer_to_buffer(&w, out);
    eis_json_writer_begin_object(&w);
    eis_he_write_text(&w, "model_id", EIS_HE_EMBEDDED_MODEL);
    eis_he_write_text(&w, "version", EIS_HE_EMBEDDED_VERSION);
    eis_he_write_text(&w, "description", "the model of the parent process");
    eis_he_write_text(&w, "he_scheme", "CKKS");
    EIS_TRY(write_path(&w, "model", order->model));
    EIS_TRY(write_path(&w, "weights", order->weights));
    write_optional(&w, "chain", order->chain);
    write_optional(&w, "form", order->form);
    write_optional(&w, "security_policy", order->policy);
    if (order->interactive) {
        eis_json_writer_key(&w, "interactive");
        eis_json_writer_bool(&w, true);
    }
    eis_json_writer_end_object(&w);
    EIS_TRY(eis_json_writer_status(&w));
    EIS_TRY(eis_wire_writer_status(out));
out:
    return st;
}

eis_status eis_he_embedded_start(eis_embedded **embedded, const char *program, const eis_he_order *order,
                                 unsigned threads)
{
    eis_status st = EIS_OK;
    eis_writer entry;
    int fd = -1;

    *embedded = NULL;
    eis_wire_writer_init(&entry, EIS_EMBEDDED_ORDER_BYTES_MAX);
    EIS_TRY(write_entry(&entry, order));
    EIS_TRY(eis_embedded_order_make(&fd, entry.data, entry.bytes));
    EIS_TRY(eis_embedded_start(embedded, program, "api", fd, 1, threads));
out:
    if (fd >= 0) close(fd);
    eis_wire_writer_clear(&entry);
    return st;
}
