/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of a classifier inside a session document. */
#include "base/mem.h"
#include "service/mpc_session_fields.h"

#include <math.h>
#include <string.h>

#define STEPS_MAX    256u
#define WORDS_MAX    ((uint32_t)1 << 24) /* of a value between two steps, and of all windows of a step */
#define WEIGHTS_MAX  ((uint64_t)1 << 28)
#define SIDE_MAX     65536u /* of kernels, strides and padding */
#define NUMBERS_MAX  1e6
#define ROW_SUMS_MAX 1e9
#define MARGIN_MAX   1e3

static bool is_pool(eis_step_op op) { return op == EIS_STEP_AVG_POOL || op == EIS_STEP_MAX_POOL; }

/* ---- writing ---- */

static void write_window(eis_writer *w, const eis_mpc_layer *l)
{
    const uint32_t numbers[] = {l->kernel_height, l->kernel_width, l->stride_y, l->stride_x, l->pad_y, l->pad_x};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) eis_wire_writer_u32(w, numbers[i]);
}

static void write_linear(eis_writer *w, const eis_mpc_classifier *c, const eis_mpc_layer *l)
{
    const eis_mpc_matrix_shape *shape = &c->shapes[l->matrix];
    bool biased = l->vector != EIS_MPC_NONE;

    eis_wire_writer_u32(w, l->windows);
    eis_wire_writer_u32(w, biased);
    eis_wire_writer_u32(w, shape->rows);
    if (l->windows) write_window(w, l);
    eis_wire_writer_f64(w, shape->row_norm);
    eis_wire_writer_f64(w, l->row_sum);
    if (biased) eis_wire_writer_f64(w, c->vectors[l->vector].bound);
}

static void write_layer(eis_writer *w, const eis_mpc_classifier *c, const eis_mpc_layer *l)
{
    eis_wire_writer_u32(w, (uint32_t)l->op);
    eis_wire_writer_f64(w, l->declared);
    if (l->op == EIS_STEP_LINEAR) write_linear(w, c, l);
    if (is_pool(l->op)) write_window(w, l);
    if (l->op == EIS_STEP_AFFINE) {
        eis_wire_writer_f64(w, c->vectors[l->vector].bound);
        eis_wire_writer_f64(w, c->vectors[l->vector + 1].bound);
    }
    if (l->op == EIS_STEP_POLYNOMIAL) {
        eis_wire_writer_u32(w, l->coefficient_count);
        for (uint32_t i = 0; i < l->coefficient_count; i++) eis_wire_writer_f64(w, l->coefficient[i]);
    }
}

void eis_mpc_session_classifier_write(eis_writer *w, const eis_mpc_classifier *c)
{
    const eis_mpc_layer *first = &c->layers[0];

    eis_wire_writer_u32(w, first->in_channels);
    eis_wire_writer_u32(w, first->in_height);
    eis_wire_writer_u32(w, first->in_width);
    eis_wire_writer_u32(w, c->layer_count);
    eis_wire_writer_f64(w, c->input_bound);
    eis_wire_writer_f64(w, c->margin);
    eis_mpc_session_tuning_write(w, &c->tuning);
    for (uint32_t i = 0; i < c->layer_count; i++) write_layer(w, c, &c->layers[i]);
}

/* ---- reading ---- */

typedef struct shape {
    uint32_t channels, height, width;
} shape;

static uint64_t words_of(const shape *s) { return (uint64_t)s->channels * s->height * s->width; }

/* Reads the shape of a value. Its words are checked as it grows, so that no product overflows. */
static void check_words(eis_reader *r, const shape *s)
{
    if (eis_wire_reader_status(r) != EIS_OK) return;
    if ((uint64_t)s->height * s->width > WORDS_MAX || words_of(s) == 0 || words_of(s) > WORDS_MAX)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a value of %ux%ux%u is none", s->channels, s->height, s->width);
}

/* How often a window fits, or 0. */
static uint32_t times(uint32_t size, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    uint64_t padded = (uint64_t)size + 2 * (uint64_t)pad;

    if (kernel == 0 || stride == 0 || kernel > padded) return 0;
    return (uint32_t)((padded - kernel) / stride + 1);
}

/* Reads a window and what it leaves of a shape. */
static void read_window(eis_reader *r, eis_mpc_layer *l, shape *at)
{
    static const char what[] = "a side of a window";
    uint64_t positions, kernel;

    l->kernel_height = eis_mpc_session_number_read(r, 1, SIDE_MAX, what);
    l->kernel_width = eis_mpc_session_number_read(r, 1, SIDE_MAX, what);
    l->stride_y = eis_mpc_session_number_read(r, 1, SIDE_MAX, what);
    l->stride_x = eis_mpc_session_number_read(r, 1, SIDE_MAX, what);
    l->pad_y = eis_mpc_session_number_read(r, 0, SIDE_MAX, what);
    l->pad_x = eis_mpc_session_number_read(r, 0, SIDE_MAX, what);
    at->height = times(at->height, l->kernel_height, l->stride_y, l->pad_y);
    at->width = times(at->width, l->kernel_width, l->stride_x, l->pad_x);
    if (is_pool(l->op) && (l->pad_y >= l->kernel_height || l->pad_x >= l->kernel_width))
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a window of a pool lies beside its image");
    check_words(r, at);
    if (eis_wire_reader_status(r) != EIS_OK) return;
    positions = words_of(at);
    kernel = (uint64_t)l->kernel_height * l->kernel_width;
    if (kernel > WORDS_MAX || positions * kernel > WORDS_MAX)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "the windows of a step are too many");
}

static uint32_t add_vector(eis_reader *r, eis_mpc_classifier *c, uint32_t count, unsigned frac)
{
    eis_mpc_lm_vector *v = &c->vectors[c->vector_count];

    *v = (eis_mpc_lm_vector){.count = count, .frac = frac};
    v->bound = eis_mpc_session_real_read(r, 0, NUMBERS_MAX, "a bound of the manifest");
    return c->vector_count++;
}

static void read_linear(eis_reader *r, eis_mpc_classifier *c, eis_mpc_layer *l, shape *at)
{
    eis_mpc_matrix_shape *m = &c->shapes[c->shape_count];
    bool biased;
    uint64_t columns = words_of(at);

    l->matrix = c->shape_count++;
    l->windows = eis_mpc_session_number_read(r, 0, 1, "conv2d") == 1;
    biased = eis_mpc_session_number_read(r, 0, 1, "bias") == 1;
    m->rows = eis_mpc_session_number_read(r, 1, WORDS_MAX, "rows");
    if (l->windows) {
        read_window(r, l, at);
        columns = (uint64_t)at->channels * l->kernel_height * l->kernel_width;
    } else {
        *at = (shape){1, 1, 1};
    }
    at->channels = m->rows;
    check_words(r, at);
    if (columns > WORDS_MAX || columns * m->rows > WEIGHTS_MAX)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a matrix is too large");
    m->columns = (uint32_t)columns;
    m->frac = c->tuning.frac;
    m->products = true;
    m->row_norm = eis_mpc_session_real_read(r, 0, NUMBERS_MAX, "a norm of the manifest");
    l->row_sum = eis_mpc_session_real_read(r, 0, ROW_SUMS_MAX, "a sum of the manifest");
    if (biased) l->vector = add_vector(r, c, m->rows, 2 * c->tuning.frac);
}

static void read_polynomial(eis_reader *r, eis_mpc_layer *l)
{
    l->coefficient_count = eis_mpc_session_number_read(r, 1, EIS_MPC_POLYNOMIAL_MAX, "coefficients");
    for (uint32_t i = 0; i < l->coefficient_count && eis_wire_reader_status(r) == EIS_OK; i++)
        l->coefficient[i] = eis_mpc_session_real_read(r, -NUMBERS_MAX, NUMBERS_MAX, "a coefficient");
}

static void read_layer(eis_reader *r, eis_mpc_classifier *c, eis_mpc_layer *l, shape *at)
{
    l->op = (eis_step_op)eis_mpc_session_number_read(r, EIS_STEP_LINEAR, EIS_STEP_FLATTEN, "a step");
    l->declared = eis_mpc_session_real_read(r, 0, 0x1p60, "a declared magnitude");
    l->matrix = l->vector = EIS_MPC_NONE;
    l->in_channels = at->channels, l->in_height = at->height, l->in_width = at->width;
    if (eis_wire_reader_status(r) != EIS_OK) return;
    if (l->op == EIS_STEP_LINEAR) read_linear(r, c, l, at);
    if (is_pool(l->op)) read_window(r, l, at);
    if (l->op == EIS_STEP_AFFINE) {
        l->vector = add_vector(r, c, at->channels, c->tuning.frac);
        (void)add_vector(r, c, at->channels, 2 * c->tuning.frac);
    }
    if (l->op == EIS_STEP_POLYNOMIAL) read_polynomial(r, l);
    if (l->op == EIS_STEP_FLATTEN) *at = (shape){(uint32_t)words_of(at), 1, 1};
    l->out_channels = at->channels, l->out_height = at->height, l->out_width = at->width;
}

eis_status eis_mpc_session_classifier_read(eis_reader *r, eis_mpc_classifier *c)
{
    eis_status st = EIS_OK;
    shape at;

    at.channels = eis_mpc_session_number_read(r, 1, WORDS_MAX, "channels");
    at.height = eis_mpc_session_number_read(r, 1, WORDS_MAX, "height");
    at.width = eis_mpc_session_number_read(r, 1, WORDS_MAX, "width");
    check_words(r, &at);
    c->layer_count = eis_mpc_session_number_read(r, 1, STEPS_MAX, "steps");
    c->input_bound = eis_mpc_session_real_read(r, 0x1p-20, NUMBERS_MAX, "the bound of inputs");
    c->margin = eis_mpc_session_real_read(r, 0, MARGIN_MAX, "the margin of declared magnitudes");
    eis_mpc_session_tuning_read(r, &c->tuning);
    EIS_TRY(eis_wire_reader_status(r));
    EIS_TRY(eis_mpc_tuning_check(&c->tuning));
    c->inputs = (uint32_t)words_of(&at);
    EIS_NEW(c->layers, c->layer_count);
    EIS_NEW(c->shapes, c->layer_count);
    EIS_NEW(c->vectors, 2 * (size_t)c->layer_count);
    for (uint32_t i = 0; i < c->layer_count; i++) {
        read_layer(r, c, &c->layers[i], &at);
        EIS_TRY(eis_wire_reader_status(r));
    }
    c->classes = (uint32_t)words_of(&at);
    EIS_REQUIRE(c->classes >= 2 && c->shape_count > 0, EIS_ERR_PARSE, "a classifier of one class, or without weights");
out:
    return st;
}
