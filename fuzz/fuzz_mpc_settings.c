/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the mpc engine, from a YAML file and from the lines that a child process inherits: refused with a text,
 * or taken as values that the engine takes too, and that come back as they were. */
#include "service/mpc_settings.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(const eis_mpc_settings *settings)
{
    eis_mpc_settings again;
    eis_writer w, w_again;

    EIS_ASSERT(eis_mpc_tuning_check(&settings->tuning) == EIS_OK);
    eis_mpc_settings_default(&again);
    eis_wire_writer_init(&w, 1 << 16);
    eis_wire_writer_init(&w_again, 1 << 16);
    eis_mpc_settings_write(&w, settings);
    EIS_ASSERT(eis_mpc_settings_read(&again, (const char *)w.data, w.bytes) == EIS_OK);
    eis_mpc_settings_write(&w_again, &again);
    EIS_ASSERT(w.bytes == w_again.bytes && memcmp(w.data, w_again.data, w.bytes) == 0);
    eis_wire_writer_clear(&w);
    eis_wire_writer_clear(&w_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_mpc_settings from_file, from_lines;

    eis_mpc_settings_default(&from_file);
    eis_mpc_settings_default(&from_lines);
    if (eis_mpc_settings_parse(&from_file, data, size, "fuzz") != EIS_OK) EIS_ASSERT(eis_error_detail()[0] != 0);
    check_taken(&from_file); /* what stood before a mistake is taken, and is sound */
    eis_error_clear();
    if (eis_mpc_settings_read(&from_lines, (const char *)data, size) != EIS_OK) EIS_ASSERT(eis_error_detail()[0] != 0);
    check_taken(&from_lines);
    eis_error_clear();
    return 0;
}
