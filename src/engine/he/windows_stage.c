/* SPDX-License-Identifier: Apache-2.0 */
/* One convolution as a stage of an interactive plan: windows in one or several ciphertexts, each of which gives a
 * ciphertext with all channels of its own windows. */
#include "engine/he/windows.h"

#include "base/mem.h"
#include "engine/he/network.h"

/* ---- Planning ---------------------------------------------------------------------------------------------------- */

static void fill_stage(eis_he_stage *s, const eis_he_packing *packing, const eis_he_network_step *step,
                       const eis_he_network_track *t, double input_max)
{
    const eis_he_grid *grid = &step->product.out;

    *s = (eis_he_stage){.input = *packing, .input_max = input_max};
    s->output = (eis_he_output){.count = grid->count,
                                .per_ciphertext = grid->per,
                                .ciphertexts = grid->ciphertexts,
                                .stride = 1,
                                .polys = 2,
                                .limbs = t->t.limbs,
                                .scale = t->t.scale,
                                .error = t->error};
}

eis_status eis_he_plan_windows(eis_he_draft *draft, uint32_t stage, uint32_t node, double input_max)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = draft->params;
    const eis_linear *layer = eis_he_windows_layer(draft->model, &draft->graph->node[node]);
    eis_he_network_track t = {.magnitude = input_max, .usual = input_max};
    eis_he_network_step *step = NULL;
    eis_he_packing packing;

    EIS_REQUIRE(layer != NULL, EIS_ERR_UNSUPPORTED, "%s is not one convolution", draft->graph->node[node].name);
    EIS_REQUIRE(params->has_special, EIS_ERR_UNSUPPORTED, "the chain has no special prime for rotations");
    EIS_TRY(eis_he_draft_levels(draft, 1));
    EIS_NEW(step, 1);
    *step = (eis_he_network_step){.kind = EIS_HE_NODE_MAP, .node = node, .windows = true};
    EIS_TRY(eis_he_windows_shape(&packing, &step->product, layer, eis_ckks_slots(params), false));
    packing.limbs = 2;
    packing.scale = eis_he_draft_scale(draft);
    t.t = eis_he_track_fresh(params, packing.limbs, packing.scale, input_max);
    EIS_TRY(eis_he_product_plan(draft, step, &t, "im2col windows", 0));
    fill_stage(&draft->plan->contract.stage[stage], &packing, step, &t, input_max);
    draft->plan->layout->stage[stage] = (eis_he_stage_layout){.method = &eis_he_method_windows, .data = step};
    step = NULL;
out:
    eis_mem_free(step);
    return st;
}

/* ---- Encoding ---------------------------------------------------------------------------------------------------- */

static const eis_he_network_step *step_of(const eis_he_program *program, uint32_t stage)
{
    return program->plan->layout->stage[stage].data;
}

/* The bias of ciphertext k: channel c's windows from k * padded on, in row c. */
static eis_status encode_bias(eis_ckks_plain *bias, const eis_he_program *program, const eis_he_network_step *step,
                              const eis_he_map *map, const eis_he_packing *packing, uint32_t k, double *values)
{
    size_t slots = eis_ckks_slots(program->params), padded = packing->padded;
    size_t windows = eis_he_windows_count(packing), channels = map->rows / windows;

    for (size_t slot = 0; slot < slots; slot++) {
        size_t channel = slot / padded, window = k * padded + slot % padded;
        values[slot] = channel < channels && window < windows ? map->bias[channel * windows + window] : 0;
    }
    return eis_he_plane_encode(bias, program, values, slots, step->limbs - 1, 0, step->scale_out, false);
}

static eis_status encode_planes(eis_he_bsgs *sum, const eis_he_program *program, const eis_he_network_step *step,
                                const double *kernel, uint32_t channels, uint32_t taps, double *values)
{
    eis_status st = EIS_OK;
    size_t slots = eis_ckks_slots(program->params);

    for (uint32_t d = 0; d < step->product.diagonals; d++)
        if (eis_he_windows_plane(values, &step->product, kernel, channels, taps, slots, d))
            EIS_TRY(eis_he_bsgs_set(sum, program, d, values));
    if (eis_he_product_empty(sum)) EIS_TRY(eis_he_product_set_nothing(sum, program, values));
out:
    return st;
}

static void free_data(void *opaque)
{
    if (opaque != NULL) eis_he_product_data_clear(opaque);
    eis_mem_free(opaque);
}

static eis_status prepare(void **opaque, size_t *bytes, const eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_network_step *step = step_of(program, stage);
    const eis_he_packing *packing = &program->plan->contract.stage[stage].input;
    const eis_he_map *map = &graph->node[step->node].map;
    uint32_t taps = packing->channels * packing->kernel_height * packing->kernel_width;
    uint32_t channels = map->rows / eis_he_windows_count(packing);
    eis_he_product_data *data = NULL;
    double *values = NULL, *kernel = NULL;

    (void)pool;
    EIS_NEW(data, 1);
    EIS_NEW(values, eis_ckks_slots(program->params));
    EIS_NEW(kernel, (size_t)channels * taps);
    eis_he_windows_kernel(kernel, map, packing);
    EIS_TRY(eis_he_product_data_init(data, step, 1, packing->ciphertexts));
    EIS_TRY(encode_planes(&data->sum[0], program, step, kernel, channels, taps, values));
    for (uint32_t k = 0; k < packing->ciphertexts; k++)
        EIS_TRY(encode_bias(&data->bias[k], program, step, map, packing, k, values));
    *bytes = eis_he_product_data_bytes(data);
    *opaque = data;
    data = NULL;
out:
    free_data(data);
    eis_mem_free(values);
    eis_mem_free(kernel);
    return st;
}

/* ---- Evaluation -------------------------------------------------------------------------------------------------- */

static eis_status eval(eis_ckks_ct *out, const eis_he_program *program, uint32_t stage, const eis_he_source *source,
                       const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_network_step *step = step_of(program, stage);
    const eis_he_product_data *data = program->data[stage];
    eis_ckks_ct x = {0};

    for (uint32_t k = 0; k < data->targets; k++) {
        EIS_TRY(eis_he_product_input(&x, program, stage, source, k, step->limbs));
        EIS_TRY(eis_he_bsgs_apply(&out[k], &data->sum[0], &x, &keys->galois, pool));
        EIS_TRY(eis_he_product_finish(&out[k], step, &data->bias[k], keys));
    }
out:
    eis_ckks_ct_clear(&x);
    return st;
}

static size_t eval_bytes(const eis_he_program *program, uint32_t stage)
{
    const eis_he_network_step *step = step_of(program, stage);
    const eis_he_stage *s = &program->plan->contract.stage[stage];
    size_t ciphertext = 2 * program->params->degree * sizeof(uint64_t);

    return eis_he_product_bytes(step, program->params) + ciphertext * step->limbs +
           ciphertext * s->output.ciphertexts * s->output.limbs;
}

const eis_he_method eis_he_method_windows = {.name = "windows",
                                             .layout_free = eis_mem_free,
                                             .prepare = prepare,
                                             .data_free = free_data,
                                             .eval = eval,
                                             .eval_bytes = eval_bytes};
