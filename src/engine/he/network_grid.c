/* SPDX-License-Identifier: Apache-2.0 */
/* Grids of numbers in slots, and the planes of a map between two of them. */
#include "engine/he/network_grid.h"

#include <string.h>

uint32_t eis_he_power_of_two(uint32_t x)
{
    uint32_t power = 1;

    EIS_ASSERT(x > 0 && x <= (uint32_t)1 << 31);
    while (power < x) power *= 2;
    return power;
}

int64_t eis_he_grid_value(const eis_he_grid *grid, uint32_t ciphertext, uint32_t unit)
{
    uint32_t place = unit / grid->run * grid->used + unit % grid->run, value = ciphertext * grid->per + place;

    if (unit % grid->run >= grid->used || place >= grid->per || value >= grid->count) return -1;
    return value;
}

eis_he_grid eis_he_grid_rows(uint32_t count, size_t slots)
{
    uint32_t in_one = count < slots ? count : (uint32_t)slots, units = eis_he_power_of_two(in_one);

    return (eis_he_grid){.stride = 1,
                         .units = units,
                         .run = units,
                         .used = in_one,
                         .per = in_one,
                         .count = count,
                         .ciphertexts = (count - 1) / in_one + 1};
}

eis_he_product eis_he_product_of(const eis_he_grid *in, uint32_t count, size_t slots)
{
    uint32_t most = (uint32_t)slots / in->stride, copies = most / in->units;
    uint32_t in_one = count < most ? count : most, outputs = eis_he_power_of_two(in_one);
    eis_he_product p = {.in = *in, .diagonals = outputs > copies ? outputs / copies : 1};

    p.fold = in->units / p.diagonals;
    p.fold_stride = in->stride;
    p.step = p.fold * in->stride;
    p.out = (eis_he_grid){.stride = p.step,
                          .units = outputs,
                          .run = outputs,
                          .used = in_one,
                          .per = in_one,
                          .count = count,
                          .ciphertexts = (count - 1) / in_one + 1};
    return p;
}

bool eis_he_product_plane(double *values, const eis_he_product *p, const double *matrix, size_t slots, uint32_t source,
                          uint32_t target, uint32_t d)
{
    bool any = false;

    memset(values, 0, slots * sizeof *values);
    for (size_t slot = 0, unit = 0; slot < slots; slot += p->in.stride, unit++) {
        size_t block = unit / p->fold; /* counted through all copies */
        uint32_t from = (uint32_t)((block + d) % p->diagonals * p->fold + unit % p->fold);
        int64_t row = eis_he_grid_value(&p->out, target, (uint32_t)(block % p->out.units));
        int64_t column = eis_he_grid_value(&p->in, source, from);

        if (row < 0 || column < 0) continue;
        values[slot] = matrix[(size_t)row * p->in.count + (size_t)column];
        any |= values[slot] != 0;
    }
    return any;
}

void eis_he_grid_spread(double *values, const eis_he_grid *grid, const double *x, size_t slots, uint32_t ciphertext)
{
    memset(values, 0, slots * sizeof *values);
    for (size_t slot = 0, unit = 0; slot < slots; slot += grid->stride, unit++) {
        int64_t value = eis_he_grid_value(grid, ciphertext, (uint32_t)(unit % grid->units));

        if (value >= 0) values[slot] = x[value];
    }
}
