/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between the processes of the mpc engine: the first byte says which type is awaited, the second which one
 * arrived; the rest is the payload, read as words, as counters, as costs of layers and as a sampling. */
#include "base/mem.h"
#include "ring/fp_word.h"
#include "service/mpc_layers.h"
#include "service/mpc_stream.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_words(eis_reader r)
{
    size_t count = eis_wire_reader_remaining(&r) / sizeof(uint64_t);
    uint64_t *words = eis_mem_new(count + 1, sizeof *words);

    EIS_ASSERT(words != NULL);
    if (eis_mpc_read_words(words, count, &r) == EIS_OK)
        for (size_t i = 0; i < count; i++) EIS_ASSERT(words[i] < EIS_FP_P);
    else
        eis_error_clear();
    eis_mem_free(words);
}

/* What is read is what would be written. */
static void read_counters(eis_reader r, const uint8_t *payload, size_t bytes)
{
    eis_mpc_counters counters;
    eis_writer w;

    eis_mpc_counters_read(&r, &counters);
    if (eis_wire_reader_end(&r) != EIS_OK) {
        eis_error_clear();
        return;
    }
    eis_wire_writer_init(&w, 1 << 16);
    eis_mpc_counters_write(&w, &counters);
    EIS_ASSERT(eis_wire_writer_status(&w) == EIS_OK && w.bytes == bytes && memcmp(w.data, payload, bytes) == 0);
    eis_wire_writer_clear(&w);
}

static void read_layers(eis_reader r, const uint8_t *payload, size_t bytes)
{
    eis_mpc_layers layers = {0};
    eis_writer w;

    if (eis_mpc_layers_read(&r, &layers) != EIS_OK) {
        EIS_ASSERT(layers.rows == NULL && layers.count == 0);
        eis_error_clear();
        return;
    }
    eis_wire_writer_init(&w, bytes + 1);
    eis_mpc_layers_write(&w, &layers);
    EIS_ASSERT(eis_wire_writer_status(&w) == EIS_OK && w.bytes == bytes && memcmp(w.data, payload, bytes) == 0);
    eis_wire_writer_clear(&w);
    eis_mpc_layers_clear(&layers);
}

static void read_sampling(eis_reader r)
{
    eis_mpc_sampling sampling;

    if (eis_mpc_sampling_read(&r, &sampling) == EIS_OK)
        EIS_ASSERT(sampling.top_k >= 1 && sampling.top_k <= EIS_MPC_TOP_K_MAX && sampling.temperature >= 0);
    else
        eis_error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_stream_frame frame = {0};
    eis_reader r;

    if (size < 2) return 0;
    frame.header.type = data[1];
    frame.payload = (eis_span){data + 2, size - 2};
    if (eis_mpc_open_frame(&r, &frame, (eis_mpc_message)data[0], 0) != EIS_OK) {
        EIS_ASSERT(data[0] != data[1] || data[1] == EIS_MPC_MESSAGE_FAILED);
        eis_error_clear();
        return 0;
    }
    EIS_ASSERT(data[0] == data[1]);
    read_words(r);
    read_counters(r, data + 2, size - 2);
    read_layers(r, data + 2, size - 2);
    read_sampling(r);
    return 0;
}
