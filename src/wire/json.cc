/* SPDX-License-Identifier: Apache-2.0 */
/* simdjson behind C. A handle is what simdjson's own handles are: the document and an index on its tape. Everything
 * called here is noexcept, allocation included, so no exception can leave. */
#include "wire/json_core.h"

#include <new>
#include <simdjson.h>
#include <string.h>

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

struct eis_json_core {
    simdjson::dom::document doc;
};

static tape_ref ref(eis_json_core_at at) noexcept
{
    return tape_ref(static_cast<const simdjson::dom::document *>(at.doc), at.index);
}

size_t eis_json_core_padding(void) { return simdjson::SIMDJSON_PADDING; }

/* What a failed parse left in the string buffer: simdjson reserves 5/3 of the text for it. */
static void wipe_failed(simdjson::dom::document &doc, size_t bytes) noexcept
{
    if (doc.string_buf) explicit_bzero(doc.string_buf.get(), bytes / 3 * 5);
    if (doc.tape) explicit_bzero(doc.tape.get(), bytes * sizeof(uint64_t));
}

eis_json_core_result eis_json_core_parse(eis_json_core **core, const char **message, const uint8_t *text, size_t bytes,
                                         unsigned depth_max)
{
    simdjson::dom::parser parser(simdjson::SIMDJSON_MAXSIZE_BYTES);
    eis_json_core *fresh = new (std::nothrow) eis_json_core();
    simdjson::error_code error;

    *core = nullptr;
    *message = "";
    if (fresh == nullptr) return EIS_JSON_CORE_MEMORY;
    error = parser.allocate(bytes < 32 ? 32 : bytes, depth_max);
    if (!error) error = parser.parse_into_document(fresh->doc, text, bytes, false).error();
    if (error) {
        wipe_failed(fresh->doc, bytes);
        delete fresh;
        *message = simdjson::error_message(error);
        return error == simdjson::MEMALLOC ? EIS_JSON_CORE_MEMORY : EIS_JSON_CORE_MALFORMED;
    }
    *core = fresh;
    return EIS_JSON_CORE_OK;
}

/* Strings lie in the buffer in the order of the tape: u32 length, bytes, zero. The last one shows how much was used. */
static size_t string_bytes_used(const uint64_t *tape, size_t end, const uint8_t *strings) noexcept
{
    size_t used = 0;

    for (size_t i = 1; i < end; i++) {
        char letter = char(tape[i] >> 56);

        if (letter == 'l' || letter == 'u' || letter == 'd') i++;
        if (letter != '"') continue;
        size_t at = size_t(tape[i] & simdjson::internal::JSON_VALUE_MASK);
        uint32_t length;
        memcpy(&length, strings + at, sizeof length);
        used = at + sizeof length + length + 1;
    }
    return used;
}

void eis_json_core_free(eis_json_core *core)
{
    if (core == nullptr) return;
    uint64_t *tape = core->doc.tape.get();
    uint8_t *strings = core->doc.string_buf.get();
    size_t end = size_t(tape[0] & simdjson::internal::JSON_VALUE_MASK);

    explicit_bzero(strings, string_bytes_used(tape, end, strings));
    explicit_bzero(tape, end * sizeof *tape);
    delete core;
}

eis_json_core_at eis_json_core_root(const eis_json_core *core) { return {&core->doc, 1}; }

char eis_json_core_letter(eis_json_core_at at) { return char(ref(at).tape_ref_type()); }

const uint8_t *eis_json_core_string(eis_json_core_at at, size_t *bytes)
{
    std::string_view text = ref(at).get_string_view();

    *bytes = text.size();
    return reinterpret_cast<const uint8_t *>(text.data());
}

uint64_t eis_json_core_bits(eis_json_core_at at) { return ref(at).next_tape_value<uint64_t>(); }

eis_json_core_at eis_json_core_first(eis_json_core_at container) { return {container.doc, container.index + 1}; }

eis_json_core_at eis_json_core_end(eis_json_core_at container)
{
    return {container.doc, ref(container).after_element() - 1};
}

eis_json_core_at eis_json_core_next(eis_json_core_at at) { return {at.doc, ref(at).after_element()}; }

int eis_json_core_utf8_valid(const void *data, size_t bytes)
{
    return simdjson::validate_utf8(static_cast<const char *>(data), bytes);
}
