/* SPDX-License-Identifier: Apache-2.0 */
/* Replicated rows: the input stands `rows` times in the slots, once for each row of the matrix. One product with the
 * rows laid out beside each other, and a fold that adds up each row; answer i is at slot i padded. An input that does
 * not fit is cut into pieces, one ciphertext each, whose products are added before the fold. */
#include "engine/he/network_grid.h"
#include "engine/he/program.h"

#include "base/mem.h"

#include <math.h>

#define PIECES_MAX 64

typedef struct layout {
    uint32_t node; /* of the graph */
    uint32_t limbs, padded, pieces;
    double factor, target; /* scales of the planes, and of the answer */
} layout;

typedef struct rows {
    eis_ckks_plain *plane; /* [pieces] */
    uint32_t pieces;
    eis_he_bias bias;
} rows;

/* ---- Planning -------------------------------------------------------------------------------------------------------
 */

/* The longest piece, a power of two, that fits `rows` times; 0: none. */
static uint32_t piece_of(size_t slots, const eis_he_map *map)
{
    uint32_t padded = eis_he_power_of_two(map->columns);

    while (padded > 0 && (uint64_t)padded * map->rows > slots) padded /= 2;
    return padded;
}

static void fill_contract(eis_he_draft *d, uint32_t stage, const layout *l, const eis_he_map *map,
                          const eis_he_track *t, double input_max)
{
    eis_he_stage *s = &d->plan->contract.stage[stage];

    s->input = (eis_he_packing){.kind = EIS_HE_ROWS,
                                .size = map->columns,
                                .padded = l->padded,
                                .copies = map->rows,
                                .ciphertexts = l->pieces,
                                .limbs = (uint32_t)d->params->limbs_max,
                                .scale = eis_he_draft_scale(d)};
    s->input_max = input_max;
    s->output = eis_he_draft_answer(t, map->rows, map->rows > 1 ? (int32_t)l->padded : 1);
}

static eis_status plan_map(eis_he_draft *d, uint32_t stage, uint32_t node_index, double input_max)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &d->graph->node[node_index];
    const eis_he_map *map = &node->map;
    eis_he_plan_row *row;
    layout *l = NULL;
    eis_he_track t;
    double magnitude = eis_he_map_bound(map, input_max);

    EIS_TRY(eis_he_draft_levels(d, 1));
    EIS_NEW(l, 1);
    d->plan->layout->stage[stage] = (eis_he_stage_layout){&eis_he_method_rows, l};
    l->node = node_index;
    l->limbs = 2;
    l->padded = piece_of(eis_ckks_slots(d->params), map);
    l->pieces = l->padded == 0 ? 0 : (map->columns + l->padded - 1) / l->padded;
    EIS_REQUIRE(l->pieces >= 1 && l->pieces <= PIECES_MAX, EIS_ERR_UNSUPPORTED,
                "%s: %u rows of %u do not fit the slots", node->name, map->rows, map->columns);
    EIS_TRY(eis_he_draft_row(d, node->name, "replicated rows", &row));
    t = eis_he_track_fresh(d->params, l->limbs, eis_he_draft_scale(d), input_max);
    l->target = eis_he_draft_answer_scale(d, 2 * magnitude);
    l->factor = eis_ckks_factor_scale(d->params, l->limbs, t.scale, l->target);
    row->limbs_in = l->limbs;
    row->products = l->pieces;
    row->rescales = 1;
    /* Before the fold a slot has one weight of a row; the sum of all their squares comes with the fold, so that here
     * stands the part of one slot. Slots between rows add up parts of two. */
    eis_he_track_combine(&t, eis_he_map_square_norm(map) / l->padded, 2 * magnitude);
    eis_he_track_planes(&t, d->params, l->pieces, input_max, l->factor);
    d->cost.passes += 2.0 * l->limbs * l->pieces;
    eis_he_cost_rescale(&d->cost, l->limbs, 2);
    eis_he_track_rescale(&t, d->params, l->target);
    EIS_TRY(eis_he_fold_plan(d, row, &t, l->padded, 1, 2 * magnitude));
    d->cost.passes += 1;
    EIS_TRY(eis_he_track_check(&t, d->params, node->name));
    t.magnitude = magnitude;
    eis_he_draft_row_end(row, &t);
    fill_contract(d, stage, l, map, &t, input_max);
out:
    return st;
}

static eis_status plan(eis_he_draft *d) { return eis_he_draft_affine(d, plan_map); }

/* ---- Preparing ------------------------------------------------------------------------------------------------------
 */

static void data_free(void *data)
{
    rows *r = data;

    for (uint32_t i = 0; r->plane != NULL && i < r->pieces; i++) eis_ckks_plain_clear(&r->plane[i]);
    eis_mem_free(r->plane);
    eis_he_bias_clear(&r->bias);
    eis_mem_free(r);
}

/* Lays piece k of all rows out. Shape: slots[slot count], line[columns]. */
static void lay_out(double *slots, double *line, const eis_he_map *map, const layout *l, uint32_t k)
{
    uint32_t first = k * l->padded, left = map->columns - first, count = left < l->padded ? left : l->padded;

    for (uint32_t i = 0; i < map->rows; i++) {
        double *to = slots + (size_t)i * l->padded;
        eis_he_map_row(line, map, i);
        for (uint32_t j = 0; j < l->padded; j++) to[j] = j < count ? line[first + j] : 0;
    }
}

static eis_status prepare(void **data, size_t *bytes, const struct eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const layout *l = program->plan->layout->stage[stage].data;
    const eis_he_map *map = &graph->node[l->node].map;
    size_t slots = eis_ckks_slots(program->params);
    double *line = NULL, *plane = NULL;
    rows *r = NULL;

    (void)pool;
    EIS_NEW(r, 1);
    EIS_NEW(line, map->columns);
    EIS_NEW(plane, slots);
    EIS_NEW(r->plane, l->pieces);
    r->pieces = l->pieces;
    for (uint32_t k = 0; k < l->pieces; k++) {
        lay_out(plane, line, map, l, k);
        EIS_TRY(eis_he_plane_encode(&r->plane[k], program, plane, slots, l->limbs, 0, l->factor, k == 0));
    }
    EIS_TRY(eis_he_bias_init(&r->bias, program, map, l->padded, l->limbs - 1, l->target));
    *bytes = (size_t)(l->pieces * l->limbs + l->limbs - 1) * program->params->degree * sizeof(uint64_t);
    *data = r;
    r = NULL;
out:
    if (r != NULL) data_free(r);
    eis_mem_free(line);
    eis_mem_free(plane);
    return st;
}

/* ---- Evaluating -----------------------------------------------------------------------------------------------------
 */

static eis_status eval(eis_ckks_ct *out, const struct eis_he_program *program, uint32_t stage,
                       const eis_he_source *source, const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const layout *l = program->plan->layout->stage[stage].data;
    const rows *r = program->data[stage];
    eis_ckks_ct input = {0};

    (void)pool;
    for (uint32_t k = 0; k < l->pieces; k++) {
        EIS_TRY(eis_he_input_next(&input, program, stage, source, k, l->limbs));
        if (k == 0)
            EIS_TRY(eis_ckks_ct_mul_plain(out, &input, &r->plane[k]));
        else
            EIS_TRY(eis_ckks_ct_mul_plain_add(out, &input, &r->plane[k]));
    }
    EIS_TRY(eis_he_rescale(out, l->target));
    EIS_TRY(eis_he_fold(out, l->padded, 1, &keys->galois));
    EIS_TRY(eis_he_bias_add(out, program, &r->bias));
out:
    eis_ckks_ct_clear(&input);
    return st;
}

static size_t eval_bytes(const struct eis_he_program *program, uint32_t stage)
{
    size_t limb = program->params->degree * sizeof(uint64_t);

    /* the input, the product, and in the fold digits and two lifted pairs */
    return (2 * program->plan->contract.stage[stage].input.limbs + 4 + 16) * limb;
}

const eis_he_method eis_he_method_rows = {.name = "replicated rows",
                                          .plan = plan,
                                          .layout_free = eis_mem_free,
                                          .prepare = prepare,
                                          .data_free = data_free,
                                          .eval = eval,
                                          .eval_bytes = eval_bytes};
