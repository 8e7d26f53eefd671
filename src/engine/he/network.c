/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and evaluates a network. */
#include "engine/he/network.h"

#include "base/mem.h"
#include "engine/he/windows.h"

typedef struct network_data {
    eis_he_product_data step[EIS_HE_NETWORK_STEPS_MAX]; /* of those that are maps */
} network_data;

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

/* What the planes of one map are made from. */
typedef struct source_weights {
    const eis_he_network_step *step;
    double *matrix; /* dense, or kernels [channels][taps] */
    uint32_t channels, taps;
} source_weights;

static eis_status read_weights(source_weights *w, const eis_he_network_step *step, const eis_he_map *map,
                               const eis_he_packing *packing)
{
    eis_status st = EIS_OK;

    w->step = step;
    if (step->windows) {
        w->taps = packing->channels * packing->kernel_height * packing->kernel_width;
        w->channels = map->rows / eis_he_windows_count(packing);
        EIS_NEW(w->matrix, (size_t)w->channels * w->taps);
        eis_he_windows_kernel(w->matrix, map, packing);
    } else {
        EIS_NEW(w->matrix, (size_t)map->rows * map->columns);
        for (uint32_t i = 0; i < map->rows; i++) eis_he_map_row(w->matrix + (size_t)i * map->columns, map, i);
    }
out:
    return st;
}

static bool fill_plane(double *values, const source_weights *w, size_t slots, uint32_t source, uint32_t target,
                       uint32_t d)
{
    const eis_he_product *p = &w->step->product;

    if (w->step->windows) return eis_he_windows_plane(values, p, w->matrix, w->channels, w->taps, slots, d);
    return eis_he_product_plane(values, p, w->matrix, slots, source, target, d);
}

/* Where a target has no weight at all, its first plane is the integer 1, so that nothing becomes transparent. */
static eis_status encode_sums(eis_he_product_data *data, const eis_he_program *program, const source_weights *w,
                              double *values)
{
    eis_status st = EIS_OK;
    size_t slots = eis_ckks_slots(program->params);

    for (uint32_t target = 0; target < data->targets; target++)
        for (uint32_t source = 0; source < data->sources; source++) {
            eis_he_bsgs *sum = &data->sum[(size_t)target * data->sources + source];

            for (uint32_t d = 0; d < w->step->product.diagonals; d++)
                if (fill_plane(values, w, slots, source, target, d)) EIS_TRY(eis_he_bsgs_set(sum, program, d, values));
            if (source > 0 || !eis_he_product_empty(sum)) continue;
            EIS_TRY(eis_he_product_set_nothing(sum, program, values));
        }
out:
    return st;
}

static eis_status encode_map(eis_he_product_data *data, const eis_he_program *program, const eis_he_network_step *step,
                             const eis_he_map *map, const eis_he_packing *packing)
{
    eis_status st = EIS_OK;
    const eis_he_grid *out = &step->product.out;
    size_t slots = eis_ckks_slots(program->params);
    source_weights w = {0};
    double *values = NULL;

    EIS_NEW(values, slots);
    EIS_TRY(read_weights(&w, step, map, packing));
    EIS_TRY(eis_he_product_data_init(data, step, step->windows ? 1 : step->product.in.ciphertexts, out->ciphertexts));
    EIS_TRY(encode_sums(data, program, &w, values));
    for (uint32_t target = 0; target < out->ciphertexts; target++) {
        eis_he_grid_spread(values, out, map->bias, slots, target);
        EIS_TRY(eis_he_plane_encode(&data->bias[target], program, values, slots, step->limbs - 1, 0, step->scale_out,
                                    false));
    }
out:
    eis_mem_free(values);
    eis_mem_free(w.matrix);
    return st;
}

static void free_data(void *opaque)
{
    network_data *data = opaque;

    if (data == NULL) return;
    for (size_t i = 0; i < EIS_HE_NETWORK_STEPS_MAX; i++) eis_he_product_data_clear(&data->step[i]);
    eis_mem_free(data);
}

static const eis_he_network *network_of(const eis_he_program *program, uint32_t stage)
{
    return program->plan->layout->stage[stage].data;
}

static eis_status prepare(void **opaque, size_t *bytes, const eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_network *net = network_of(program, stage);
    network_data *data = NULL;

    (void)pool;
    *bytes = 0;
    EIS_NEW(data, 1);
    for (uint32_t i = 0; i < net->count; i++) {
        const eis_he_network_step *step = &net->step[i];

        if (step->kind != EIS_HE_NODE_MAP) continue;
        EIS_TRY(encode_map(&data->step[i], program, step, &graph->node[step->node].map,
                           &program->plan->contract.stage[stage].input));
        *bytes += eis_he_product_data_bytes(&data->step[i]);
    }
    *opaque = data;
    data = NULL;
out:
    free_data(data);
    return st;
}

/* ---- Evaluation -------------------------------------------------------------------------------------------------- */

/* The ciphertexts between two steps. */
typedef struct layer {
    uint32_t count;
    eis_ckks_ct *ct; /* [count] */
} layer;

static void clear_layer(layer *l)
{
    for (uint32_t i = 0; l->ct != NULL && i < l->count; i++) eis_ckks_ct_clear(&l->ct[i]);
    eis_mem_free(l->ct);
    *l = (layer){0};
}

typedef struct run {
    const eis_he_program *program;
    uint32_t stage;
    const eis_he_network *net;
    const network_data *data;
    const eis_he_source *source;
    const eis_he_keys *keys;
    eis_pool *pool;
    layer now;
} run;

/* y[target] += what one source gives. */
static eis_status add_source(run *r, layer *y, const eis_he_product_data *data, uint32_t source, const eis_ckks_ct *x)
{
    eis_status st = EIS_OK;

    for (uint32_t target = 0; target < data->targets; target++)
        EIS_TRY(eis_he_product_sum(&y->ct[target], source > 0, data, source, target, x, r->keys, r->pool));
out:
    return st;
}

/* The first map takes its ciphertexts from the source one by one, later ones from the layer before. */
static eis_status run_map(run *r, uint32_t i)
{
    eis_status st = EIS_OK;
    const eis_he_network_step *step = &r->net->step[i];
    const eis_he_product_data *data = &r->data->step[i];
    layer y = {.count = data->targets};
    eis_ckks_ct x = {0};

    EIS_NEW(y.ct, y.count);
    for (uint32_t source = 0; source < data->sources; source++) {
        if (i == 0) EIS_TRY(eis_he_product_input(&x, r->program, r->stage, r->source, source, step->limbs));
        EIS_TRY(add_source(r, &y, data, source, i == 0 ? &x : &r->now.ct[source]));
        if (i > 0) eis_ckks_ct_clear(&r->now.ct[source]);
    }
    for (uint32_t target = 0; target < y.count; target++)
        EIS_TRY(eis_he_product_finish(&y.ct[target], step, &data->bias[target], r->keys));
    clear_layer(&r->now);
    r->now = y;
    y = (layer){0};
out:
    eis_ckks_ct_clear(&x);
    clear_layer(&y);
    return st;
}

static eis_status run_square(const run *r, eis_ckks_ct *ct, const eis_he_network_step *step)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_ct_square(ct, ct));
    EIS_TRY(eis_ckks_ct_relinearise_rescale(ct, ct, &r->keys->relin, EIS_CKKS_DIGITS_CENTRED));
    if (step->factor < 0) EIS_TRY(eis_ckks_ct_neg(ct, ct));
    if (step->shift != 0) EIS_TRY(eis_ckks_ct_add_real(ct, step->shift));
out:
    return st;
}

static eis_status run_polynomial(const run *r, eis_ckks_ct *ct, const eis_he_network_step *step)
{
    const eis_ckks_polynomial p = {
        .basis = EIS_CKKS_BASIS_POWER, .degree = step->coeff_count - 1, .coeff = step->coeff};

    return eis_ckks_polynomial_eval(ct, &p, ct, &r->keys->relin, step->scale_out);
}

static eis_status run_step(run *r, uint32_t i)
{
    eis_status st = EIS_OK;
    const eis_he_network_step *step = &r->net->step[i];

    if (step->kind == EIS_HE_NODE_MAP) return run_map(r, i);
    for (uint32_t k = 0; k < r->now.count; k++)
        if (step->kind == EIS_HE_NODE_SQUARE)
            EIS_TRY(run_square(r, &r->now.ct[k], step));
        else
            EIS_TRY(run_polynomial(r, &r->now.ct[k], step));
out:
    return st;
}

static eis_status eval(eis_ckks_ct *out, const eis_he_program *program, uint32_t stage, const eis_he_source *source,
                       const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    run r = {.program = program,
             .stage = stage,
             .net = network_of(program, stage),
             .data = program->data[stage],
             .source = source,
             .keys = keys,
             .pool = pool};

    for (uint32_t i = 0; i < r.net->count; i++) EIS_TRY(run_step(&r, i));
    EIS_ASSERT(r.now.count == program->plan->contract.stage[stage].output.ciphertexts);
    for (uint32_t k = 0; k < r.now.count; k++) {
        eis_ckks_ct_clear(&out[k]);
        out[k] = r.now.ct[k];
        r.now.ct[k] = (eis_ckks_ct){0};
    }
out:
    clear_layer(&r.now);
    return st;
}

/* The largest step: its layers, and what the map between them holds. */
static size_t eval_bytes(const eis_he_program *program, uint32_t stage)
{
    const eis_he_network *net = network_of(program, stage);
    size_t polynomial = program->params->degree * sizeof(uint64_t), most = 0;

    for (uint32_t i = 0; i < net->count; i++) {
        const eis_he_network_step *step = &net->step[i];
        const eis_he_product *p = &step->product;
        size_t ciphertext = 2 * step->limbs * polynomial, bytes;

        if (step->kind == EIS_HE_NODE_MAP)
            bytes = eis_he_product_bytes(step, program->params) +
                    ciphertext * ((i == 0 ? 1 : p->in.ciphertexts) + p->out.ciphertexts + 1);
        else /* powers, products of three polynomials, and a key switch with all its digits */
            bytes = ciphertext * (net->step[i - 1].product.out.ciphertexts + 16) +
                    (step->limbs + 1) * step->limbs * polynomial;
        most = bytes > most ? bytes : most;
    }
    return most;
}

const eis_he_method eis_he_method_network = {.name = "network",
                                             .plan = eis_he_network_plan,
                                             .layout_free = eis_mem_free,
                                             .prepare = prepare,
                                             .data_free = free_data,
                                             .eval = eval,
                                             .eval_bytes = eval_bytes};
