/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a pack: the reader refuses them or yields layers whose sections lie inside the file. */
#define _GNU_SOURCE
#include "engine/split/pack.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    eis_pack *pack;
    volatile uint8_t sum = 0;

    if (fd < 0 || fchmod(fd, 0600) != 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    if (eis_pack_open_fd(&pack, fd, "fuzz", bytes > 0 && (data[bytes - 1] & 1)) == EIS_OK) {
        for (uint32_t i = 0; i < pack->layer_count; i++) {
            const eis_pack_layer *layer = &pack->layers[i];
            sum = (uint8_t)(sum + layer->weights.panels[layer->weights.bytes - 1] +
                            layer->row_scales.data[layer->row_scales.bytes - 1]);
        }
        eis_pack_free(pack);
    }
    close(fd);
    return 0;
}
