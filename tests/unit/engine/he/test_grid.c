/* SPDX-License-Identifier: Apache-2.0 */
/* If a plane held a weight in the wrong slot, a network would answer with other numbers than its model, for some shapes
 * and not for others. Here rotations, planes and folds are done on plain numbers and compared with the matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/he/network_grid.h"
#include "engine/he/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state_of_numbers = 1;

static double number(void)
{
    state_of_numbers = state_of_numbers * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)state_of_numbers / 0x1p63;
}

static double *numbers(size_t count)
{
    double *x = eis_mem_new(count, sizeof *x);

    for (size_t i = 0; i < count; i++) x[i] = number();
    return x;
}

/* y += rotate(x, turn) * plane */
static void add_turned(double *y, const double *x, const double *plane, size_t slots, size_t turn)
{
    for (size_t s = 0; s < slots; s++) y[s] += x[(s + turn) % slots] * plane[s];
}

static void fold(double *y, size_t slots, size_t count, size_t stride)
{
    double *sum = eis_mem_new(slots, sizeof *sum);

    for (size_t s = 0; s < slots; s++)
        for (size_t i = 0; i < count; i++) sum[s] += y[(s + i * stride) % slots];
    memcpy(y, sum, slots * sizeof *y);
    eis_mem_free(sum);
}

/* One ciphertext of the result. Between the numbers of a grid stands what a square would make large. */
static double *compute(const eis_he_product *p, const double *matrix, double *const *x, size_t slots, uint32_t target)
{
    double *y = eis_mem_new(slots, sizeof *y), *plane = eis_mem_new(slots, sizeof *plane);

    for (uint32_t source = 0; source < p->in.ciphertexts; source++)
        for (uint32_t d = 0; d < p->diagonals; d++)
            if (eis_he_product_plane(plane, p, matrix, slots, source, target, d))
                add_turned(y, x[source], plane, slots, (size_t)d * p->step);
    fold(y, slots, p->fold, p->fold_stride);
    eis_mem_free(plane);
    return y;
}

/* Checks the numbers of a grid, in every copy. */
static void check_grid(const eis_he_grid *grid, const double *y, const double *expected, size_t slots, uint32_t target)
{
    uint32_t seen = 0;

    assert_true((size_t)grid->stride * grid->units <= slots);
    for (size_t slot = 0, unit = 0; slot < slots; slot += grid->stride, unit++) {
        int64_t value = eis_he_grid_value(grid, target, (uint32_t)(unit % grid->units));

        if (value < 0) continue;
        assert_float_equal(y[slot], expected[value], 1e-12);
        seen++;
    }
    assert_true(seen >= (target + 1 < grid->ciphertexts ? grid->per : 1));
}

/* One map, from a grid that is given; leaves the result's grid and slots for the next one. */
static void step_once(eis_he_grid *grid, double **x, double **vector, uint32_t count, size_t slots)
{
    eis_he_product p = eis_he_product_of(grid, count, slots);
    double *matrix = numbers((size_t)count * grid->count), *y = eis_mem_new(count, sizeof *y);
    double *next[64] = {0};

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < grid->count; k++) y[i] += matrix[(size_t)i * grid->count + k] * (*vector)[k];
    assert_true(p.out.ciphertexts <= 64);
    for (uint32_t target = 0; target < p.out.ciphertexts; target++) {
        next[target] = compute(&p, matrix, x, slots, target);
        check_grid(&p.out, next[target], y, slots, target);
    }
    for (uint32_t k = 0; k < grid->ciphertexts; k++) eis_mem_free(x[k]);
    for (uint32_t k = 0; k < p.out.ciphertexts; k++) x[k] = next[k];
    eis_mem_free(*vector);
    *vector = y;
    *grid = p.out;
    eis_mem_free(matrix);
}

static void maps_behind_each_other_are_their_matrices(void **state)
{
    static const struct shapes {
        size_t slots;
        uint32_t size[5];
    } shapes[] = {
        {64, {8, 8, 8, 8, 8}},       {64, {7, 3, 10, 1, 5}},   {64, {64, 64, 64}},      {64, {1, 1}},
        {64, {60, 2, 33, 2}},        {64, {100, 10, 100, 3}},  {64, {16, 100, 20, 90}}, {256, {30, 20, 10}},
        {256, {3, 256, 3, 200, 17}}, {4096, {784, 128, 10}},   {4096, {784, 512, 128}}, {4096, {13, 4, 2}},
        {4096, {768, 768}},          {128, {513, 40, 300, 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t slots = shapes[i].slots;
        eis_he_grid grid = eis_he_grid_rows(shapes[i].size[0], slots);
        double *vector = numbers(grid.count), *x[64] = {0};

        for (uint32_t k = 0; k < grid.ciphertexts; k++) {
            x[k] = eis_mem_new(slots, sizeof **x);
            eis_he_grid_spread(x[k], &grid, vector, slots, k);
            check_grid(&grid, x[k], vector, slots, k);
        }
        for (size_t layer = 1; layer < 5 && shapes[i].size[layer] > 0; layer++)
            step_once(&grid, x, &vector, shapes[i].size[layer], slots);
        for (uint32_t k = 0; k < grid.ciphertexts; k++) eis_mem_free(x[k]);
        eis_mem_free(vector);
    }
}

/* Rotations are what keys and time are spent on: few of them where there are few outputs or many copies. */
static void as_few_diagonals_as_there_can_be(void **state)
{
    eis_he_grid in = eis_he_grid_rows(256, 4096),
                deep = {.stride = 64, .units = 64, .run = 64, .used = 64, .per = 64, .count = 64, .ciphertexts = 1};

    (void)state;
    assert_int_equal(eis_he_product_of(&in, 10, 4096).diagonals, 1);
    assert_int_equal(eis_he_product_of(&in, 16, 4096).diagonals, 1);
    assert_int_equal(eis_he_product_of(&in, 64, 4096).diagonals, 4);
    assert_int_equal(eis_he_product_of(&in, 256, 4096).diagonals, 16);
    assert_int_equal(eis_he_product_of(&deep, 10, 4096).diagonals, 16);
    assert_int_equal(eis_he_product_of(&deep, 10, 4096).fold, 4);
    assert_int_equal(eis_he_product_of(&deep, 10, 4096).out.stride, 256);
    assert_int_equal(eis_he_product_of(&deep, 65, 4096).out.ciphertexts, 2);
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

static eis_linear convolution(uint32_t channels, uint32_t size, uint32_t out, uint32_t kernel, uint32_t stride,
                              uint32_t pad)
{
    uint32_t side = (size + 2 * pad - kernel) / stride + 1;

    return (eis_linear){.name = "c",
                        .kind = EIS_LINEAR_CONV2D,
                        .out = out,
                        .in = channels * kernel * kernel,
                        .channels = channels,
                        .height = size,
                        .width = size,
                        .kernel_height = kernel,
                        .kernel_width = kernel,
                        .stride_y = stride,
                        .stride_x = stride,
                        .pad_y = pad,
                        .pad_x = pad,
                        .out_height = side,
                        .out_width = side};
}

/* The convolution as a matrix, from the definition of its windows in model/graph.h. */
static eis_he_map map_of(const eis_linear *layer, const double *kernel)
{
    uint32_t area = layer->out_height * layer->out_width, in = layer->channels * layer->height * layer->width;
    eis_he_map map = {.rows = layer->out * area, .columns = in};
    double *image = eis_mem_new(in, sizeof *image), *window = eis_mem_new(layer->in, sizeof *window);

    map.start = eis_mem_new(map.rows + 1, sizeof *map.start);
    map.column = eis_mem_new((size_t)map.rows * layer->in, sizeof *map.column);
    map.weight = eis_mem_new((size_t)map.rows * layer->in, sizeof *map.weight);
    for (uint32_t i = 0; i < in; i++) image[i] = 1 + i;
    for (uint32_t row = 0; row < map.rows; row++) {
        uint64_t end = map.start[row];

        eis_linear_window(window, layer, image, row % area / layer->out_width, row % layer->out_width);
        for (uint32_t tap = 0; tap < layer->in; tap++) {
            if (window[tap] == 0) continue; /* in the padding */
            map.column[end] = (uint32_t)window[tap] - 1;
            map.weight[end++] = kernel[(size_t)(row / area) * layer->in + tap];
        }
        map.start[row + 1] = end;
    }
    eis_mem_free(image);
    eis_mem_free(window);
    return map;
}

static void clear_map(eis_he_map *map)
{
    eis_mem_free(map->start);
    eis_mem_free(map->column);
    eis_mem_free(map->weight);
}

static void check_windows(const eis_linear *layer, size_t slots, bool single, uint32_t ciphertexts)
{
    eis_he_packing packing;
    eis_he_product p;
    uint32_t area = layer->out_height * layer->out_width, in = layer->channels * layer->height * layer->width;
    double *kernel = numbers((size_t)layer->out * layer->in), *image = numbers(in);
    double *read = eis_mem_new((size_t)layer->out * layer->in, sizeof *read), *plane = numbers(slots);
    eis_he_map map = map_of(layer, kernel);

    assert_int_equal(eis_he_windows_shape(&packing, &p, layer, slots, single), EIS_OK);
    assert_int_equal(packing.ciphertexts, ciphertexts);
    assert_int_equal(eis_he_windows_count(&packing), area);
    eis_he_windows_kernel(read, &map, &packing);
    for (uint32_t k = 0; k < ciphertexts; k++) {
        double *x = eis_mem_new(slots, sizeof *x), *y = eis_mem_new(slots, sizeof *y);

        for (size_t s = 0; s < slots; s++) {
            int64_t index = eis_he_packing_index(&packing, slots, k, s);
            x[s] = index < 0 ? 0 : image[index];
        }
        for (uint32_t d = 0; d < p.diagonals; d++)
            if (eis_he_windows_plane(plane, &p, read, layer->out, layer->in, slots, d))
                add_turned(y, x, plane, slots, (size_t)d * p.step);
        fold(y, slots, p.fold, p.fold_stride);
        for (size_t s = 0; s < slots; s++) { /* every copy of every row */
            size_t channel = s / packing.padded % p.diagonals, window = k * packing.padded + s % packing.padded;
            double expected = 0;

            if (channel >= layer->out || window >= area) continue;
            for (uint64_t i = map.start[channel * area + window]; i < map.start[channel * area + window + 1]; i++)
                expected += map.weight[i] * image[map.column[i]];
            assert_float_equal(y[s], expected, 1e-12);
        }
        eis_mem_free(x);
        eis_mem_free(y);
    }
    clear_map(&map);
    eis_mem_free(kernel);
    eis_mem_free(image);
    eis_mem_free(read);
    eis_mem_free(plane);
}

static void windows_are_convolutions(void **state)
{
    eis_linear tenseal = convolution(1, 28, 4, 7, 3, 0), digits = convolution(1, 28, 8, 5, 2, 2);
    eis_linear deep = convolution(8, 14, 16, 5, 1, 2), wide = convolution(2, 6, 40, 1, 1, 0);
    eis_linear odd = convolution(3, 9, 5, 4, 3, 1);

    (void)state;
    check_windows(&tenseal, 4096, true, 1);
    check_windows(&tenseal, 4096, false, 1);
    check_windows(&digits, 4096, false, 2);
    check_windows(&deep, 4096, false, 13);
    check_windows(&wide, 4096, true, 1); /* more channels than taps */
    check_windows(&wide, 512, false, 5);
    check_windows(&odd, 1024, true, 1);
}

static void windows_that_do_not_fit_are_refused(void **state)
{
    eis_linear digits = convolution(1, 28, 8, 5, 2, 2), huge = convolution(200, 5, 8, 5, 1, 0);
    eis_he_packing packing;
    eis_he_product p;

    (void)state;
    assert_int_equal(eis_he_windows_shape(&packing, &p, &digits, 4096, true), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_he_windows_shape(&packing, &p, &huge, 4096, false), EIS_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_behind_each_other_are_their_matrices),
        cmocka_unit_test(as_few_diagonals_as_there_can_be),
        cmocka_unit_test(windows_are_convolutions),
        cmocka_unit_test(windows_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
