/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a plan. The time of a node is one round trip, its bytes at the link's rate, and its multiply-adds
 * at the rate that this machine reaches in the same profile; local work and queues are not in it. */
#include "engine/split/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ring/z2k.h"
#include "wire/frame.h"

#include <stdio.h>
#include <string.h>

const eis_plan_link eis_plan_links[EIS_PLAN_LINKS] = {
    {"loopback", 0.06, 0}, {"LAN 1 Gbit/s", 0.2, 125000}, {"WAN 40 ms", 40, 12500}, /* 100 Mbit/s */
};

/* A layer of the size of a small transformer's, multiplied for a few milliseconds. */
enum { PROBE_ROWS = 768, PROBE_COLS = 768, PROBE_NS = 4000000 };

static eis_status measure_rate(double *multiply_adds_per_ms, eis_split_profile profile, unsigned planes)
{
    eis_status st = EIS_OK;
    eis_ring ring = eis_split_profile_ring(profile, planes);
    eis_packed weights;
    uint8_t *panels = NULL, *x = NULL;
    uint64_t *y = NULL, started, spent, rounds = 0;

    EIS_TRY(eis_packed_init(&weights, eis_split_profile_get(profile)->geometry, PROBE_ROWS, PROBE_COLS, NULL));
    EIS_NEW(panels, weights.bytes);
    weights.panels = panels;
    EIS_NEW(x, eis_ring_input_bytes(&weights, ring));
    EIS_NEW(y, PROBE_ROWS);
    started = eis_clock_ns();
    do {
        EIS_TRY(eis_ring_matmul(NULL, y, &weights, x, 1, ring));
        rounds++;
        spent = eis_clock_ns() - started;
    } while (spent < PROBE_NS);
    *multiply_adds_per_ms = (double)PROBE_ROWS * PROBE_COLS * (double)rounds / ((double)spent / 1e6);
out:
    eis_mem_free(panels);
    eis_mem_free(x);
    eis_mem_free(y);
    return st;
}

static void plan_row(eis_plan_row *row, const eis_split_client_layer *client, const eis_split_scheme *scheme,
                     double rate)
{
    const eis_split_layer *layer = &client->layer;
    const eis_linear *linear = layer->linear;
    size_t seeds = (scheme->threshold > 0 ? scheme->threshold : scheme->servers) - 1;
    size_t seed_bytes = eis_split_seed_bytes(scheme->suite == 0 ? EIS_SPLIT_SUITE_AES128 : scheme->suite);

    memcpy(row->name, linear->name, sizeof row->name);
    row->out = linear->out;
    row->in = linear->in;
    row->vectors = layer->out_count / linear->out;
    row->ring_bits = (unsigned)layer->ring;
    row->elements_up = layer->in_count;
    row->elements_down = layer->out_count;
    row->bytes_up = seeds * seed_bytes + (scheme->servers - seeds) * eis_split_layer_request_bytes(layer, 1) +
                    scheme->servers * EIS_FRAME_HEADER_BYTES;
    row->bytes_down =
        scheme->servers * (eis_split_layer_reply_bytes(layer, 1, client->truncated_bits) + EIS_FRAME_HEADER_BYTES);
    row->round_trips = 1;
    row->multiply_adds = (uint64_t)linear->out * linear->in * row->vectors;
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) {
        const eis_plan_link *link = &eis_plan_links[l];
        row->ms[l] = link->round_trip_ms + (double)row->multiply_adds / rate;
        if (link->bytes_per_ms > 0) row->ms[l] += (double)(row->bytes_up + row->bytes_down) / link->bytes_per_ms;
    }
}

static void add_row(eis_plan_row *total, const eis_plan_row *row)
{
    total->vectors += row->vectors;
    total->elements_up += row->elements_up;
    total->elements_down += row->elements_down;
    total->bytes_up += row->bytes_up;
    total->bytes_down += row->bytes_down;
    total->round_trips += row->round_trips;
    total->multiply_adds += row->multiply_adds;
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) total->ms[l] += row->ms[l];
}

eis_status eis_plan_make(eis_plan *plan, const eis_model *model, const eis_part_info *info,
                         const eis_split_scheme *scheme, bool truncate)
{
    eis_status st = EIS_OK;
    eis_split_profile profile = (eis_split_profile)info->profile;

    memset(plan, 0, sizeof *plan);
    EIS_TRY(eis_split_scheme_check(scheme, profile));
    EIS_TRY(measure_rate(&plan->multiply_adds_per_ms, profile, info->layers[0].planes));
    EIS_NEW(plan->rows, model->linear_count);
    plan->row_count = model->linear_count;
    snprintf(plan->total.name, sizeof plan->total.name, "total");
    for (uint32_t i = 0; i < model->linear_count; i++) {
        const eis_part_layer *part = &info->layers[i];
        eis_split_client_layer client;
        EIS_TRY(eis_split_client_layer_init(&client, &model->linears[i], profile, part->planes, part->row_norm,
                                            part->row_scales, truncate, scheme->servers));
        plan_row(&plan->rows[i], &client, scheme, plan->multiply_adds_per_ms);
        add_row(&plan->total, &plan->rows[i]);
    }
out:
    if (st != EIS_OK) eis_plan_clear(plan);
    return st;
}

void eis_plan_clear(eis_plan *plan)
{
    eis_mem_free(plan->rows);
    memset(plan, 0, sizeof *plan);
}
