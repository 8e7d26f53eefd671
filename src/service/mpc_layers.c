/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_layers.h"

#include "base/mem.h"
#include "engine/mpc/plan.h"
#include "service/mpc_session.h"
#include "wire/frame.h"

#include <string.h>

#define LAYERS_MAX 4096

/* Finds a layer from place `from` on, or appends it. NULL: no memory. */
static eis_mpc_layer_cost *find(eis_mpc_layers *layers, uint32_t from, const char name[EIS_MPC_SECTION_BYTES])
{
    eis_mpc_layer_cost *row;

    for (uint32_t i = from; i < layers->count; i++)
        if (strcmp(layers->rows[i].name, name) == 0) return &layers->rows[i];
    if (eis_mem_resize(&layers->rows, layers->count, layers->count + 1, sizeof *row) != EIS_OK) return NULL;
    row = &layers->rows[layers->count++];
    memset(row, 0, sizeof *row);
    memcpy(row->name, name, EIS_MPC_SECTION_BYTES);
    return row;
}

eis_status eis_mpc_layers_add(eis_mpc_layers *layers, const eis_mpc_graph *graph)
{
    eis_status st = EIS_OK;
    eis_mpc_plan plan = {0};
    uint32_t at = 0;

    if (graph->section_count == 0) return EIS_OK;
    EIS_TRY(eis_mpc_plan_read(&plan, graph, NULL));
    for (uint32_t i = 0; i < plan.row_count; i++) {
        eis_mpc_layer_cost *row = find(layers, at, plan.rows[i].name);
        if (row == NULL) {
            st = EIS_ERR_MEMORY;
            goto out;
        }
        row->rounds += plan.rows[i].rounds;
        row->opened += plan.rows[i].opened;
        row->corrections += plan.rows[i].corrections;
        at = (uint32_t)(row - layers->rows) + 1;
    }
out:
    eis_mpc_plan_clear(&plan);
    return st;
}

void eis_mpc_layers_write(eis_writer *w, const eis_mpc_layers *layers)
{
    eis_wire_writer_u64(w, layers->rounds);
    eis_wire_writer_u64(w, layers->bytes);
    eis_wire_writer_u32(w, layers->count);
    for (uint32_t i = 0; i < layers->count; i++) {
        const eis_mpc_layer_cost *row = &layers->rows[i];
        eis_wire_writer_string16(w, row->name, strlen(row->name));
        eis_wire_writer_u64(w, row->rounds);
        eis_wire_writer_u64(w, row->opened);
        eis_wire_writer_u64(w, row->corrections);
    }
}

eis_status eis_mpc_layers_read(eis_reader *r, eis_mpc_layers *layers)
{
    eis_status st = EIS_OK;
    uint32_t count;

    eis_mpc_layers_clear(layers);
    layers->rounds = eis_wire_reader_u64(r);
    layers->bytes = eis_wire_reader_u64(r);
    count = eis_wire_reader_u32(r);
    EIS_TRY(eis_wire_reader_status(r));
    EIS_REQUIRE(count <= LAYERS_MAX, EIS_ERR_PARSE, "%u layers", count);
    EIS_NEW(layers->rows, count + 1);
    layers->count = count;
    for (uint32_t i = 0; i < count; i++) {
        eis_mpc_layer_cost *row = &layers->rows[i];
        eis_wire_reader_text16(r, row->name, sizeof row->name);
        row->rounds = eis_wire_reader_u64(r);
        row->opened = eis_wire_reader_u64(r);
        row->corrections = eis_wire_reader_u64(r);
        EIS_TRY(eis_wire_reader_status(r));
    }
    EIS_TRY(eis_wire_reader_end(r));
out:
    if (st != EIS_OK) eis_mpc_layers_clear(layers);
    return st;
}

void eis_mpc_layers_clear(eis_mpc_layers *layers)
{
    eis_mem_free(layers->rows);
    memset(layers, 0, sizeof *layers);
}

uint64_t eis_mpc_layer_bytes(const eis_mpc_layer_cost *layer)
{
    return layer->opened * sizeof(uint64_t) + layer->rounds * (EIS_FRAME_HEADER_BYTES + EIS_MPC_FRAME_BYTES);
}

bool eis_mpc_layers_sum(eis_mpc_layer_cost *all, const eis_mpc_layers *layers)
{
    memset(all, 0, sizeof *all);
    for (uint32_t i = 0; i < layers->count; i++) {
        all->rounds += layers->rows[i].rounds;
        all->opened += layers->rows[i].opened;
        all->corrections += layers->rows[i].corrections;
    }
    return all->rounds == layers->rounds && eis_mpc_layer_bytes(all) == layers->bytes;
}
