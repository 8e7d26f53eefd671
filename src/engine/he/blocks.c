/* SPDX-License-Identifier: Apache-2.0 */
/* Block BSGS: g copies of the input stand interleaved in the slots, slot g t + c holding x[(t + c shift) mod D], so
 * that a rotation by a multiple of g turns every copy by itself.
 *
 * With R >= rows a power of two and D >= columns, the generalised diagonal d < R of the matrix stands at t in row
 * t mod R and column (t + d) mod D. Copy c serves the diagonals c R/g + i, i < R/g (the shift is R/g), so that R/g
 * rotations do for all. Then the copies are added up (rotations below g), and the D/R turns of the rows (rotations by
 * g R and up). Answer i is at slot g i. Source: [HS14] for diagonals; their folded form for
 * wide matrices [JVC18]. */
#include "engine/he/network_grid.h"
#include "engine/he/program.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* More diagonals than this would take gigabytes of planes. */
#define DIAGONALS_MAX 2048

typedef struct layout {
    uint32_t node;
    uint32_t limbs, size, rows, copies; /* D, R, g */
    double factor, target;
} layout;

typedef struct blocks {
    eis_he_bsgs bsgs;
    eis_he_bias bias;
} blocks;

static uint32_t diagonals(const layout *l) { return l->rows / l->copies; }

/* ---- Planning -------------------------------------------------------------------------------------------------------
 */

static eis_status choose(layout *l, size_t slots, const eis_he_node *node)
{
    eis_status st = EIS_OK;
    const eis_he_map *map = &node->map;

    EIS_REQUIRE(map->rows <= slots && map->columns <= slots, EIS_ERR_UNSUPPORTED,
                "%s: %u rows of %u numbers do not fit %zu slots", node->name, map->rows, map->columns, slots);
    l->rows = eis_he_power_of_two(map->rows);
    l->size = eis_he_power_of_two(map->columns);
    if (l->size < l->rows) l->size = l->rows;
    l->copies = (uint32_t)(slots / l->size);
    if (l->copies > l->rows) { /* more copies than diagonals: a larger block takes their room */
        l->size *= l->copies / l->rows;
        l->copies = l->rows;
    }
    EIS_REQUIRE(diagonals(l) <= DIAGONALS_MAX, EIS_ERR_UNSUPPORTED, "%s: %u diagonals are too many", node->name,
                diagonals(l));
out:
    return st;
}

static void fill_contract(eis_he_draft *d, uint32_t stage, const layout *l, const eis_he_map *map,
                          const eis_he_track *t, double input_max)
{
    eis_he_stage *s = &d->plan->contract.stage[stage];

    s->input = (eis_he_packing){.kind = EIS_HE_BLOCKS,
                                .size = map->columns,
                                .padded = l->size,
                                .copies = l->copies,
                                .shift = l->copies > 1 ? diagonals(l) : 0,
                                .ciphertexts = 1,
                                .limbs = (uint32_t)d->params->limbs_max,
                                .scale = eis_he_draft_scale(d)};
    s->input_max = input_max;
    s->output = eis_he_draft_answer(t, map->rows, (int32_t)l->copies);
}

static eis_status plan_map(eis_he_draft *d, uint32_t stage, uint32_t node_index, double input_max)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &d->graph->node[node_index];
    const eis_he_map *map = &node->map;
    eis_he_plan_row *row;
    layout *l = NULL;
    eis_he_track t;
    double magnitude = eis_he_map_bound(map, input_max), folds;

    EIS_TRY(eis_he_draft_levels(d, 1));
    EIS_NEW(l, 1);
    d->plan->layout->stage[stage] = (eis_he_stage_layout){&eis_he_method_blocks, l};
    l->node = node_index;
    l->limbs = 2;
    EIS_TRY(choose(l, eis_ckks_slots(d->params), node));
    EIS_TRY(eis_he_draft_row(d, node->name, "block BSGS", &row));
    t = eis_he_track_fresh(d->params, l->limbs, eis_he_draft_scale(d), input_max);
    l->target = eis_he_draft_answer_scale(d, 2 * magnitude);
    l->factor = eis_ckks_factor_scale(d->params, l->limbs, t.scale, l->target);
    row->limbs_in = l->limbs;
    row->rescales = 1;
    folds = (double)l->copies * (l->size / l->rows);
    EIS_TRY(eis_he_bsgs_plan(d, row, &t, diagonals(l), l->copies, l->factor, eis_he_map_square_norm(map) / folds,
                             2 * magnitude));
    eis_he_cost_rescale(&d->cost, l->limbs, 2);
    eis_he_track_rescale(&t, d->params, l->target);
    EIS_TRY(eis_he_fold_plan(d, row, &t, l->copies, 1, 2 * magnitude));
    EIS_TRY(eis_he_fold_plan(d, row, &t, l->size / l->rows, (size_t)l->copies * l->rows, 2 * magnitude));
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
    blocks *b = data;

    eis_he_bsgs_clear(&b->bsgs);
    eis_he_bias_clear(&b->bias);
    eis_mem_free(b);
}

/* The matrix as a dense one, R by D. */
static eis_status dense_of(double **dense, const eis_he_map *map, const layout *l)
{
    eis_status st = EIS_OK;

    EIS_NEW(*dense, (size_t)l->rows * l->size);
    for (uint32_t i = 0; i < map->rows; i++) eis_he_map_row(*dense + (size_t)i * l->size, map, i);
out:
    return st;
}

/* What stands in the slots of diagonal i of every copy. */
static void lay_out(double *slots, const double *dense, const layout *l, uint32_t i)
{
    for (uint32_t t = 0; t < l->size; t++)
        for (uint32_t c = 0; c < l->copies; c++) {
            uint32_t column = (t + c * diagonals(l) + i) % l->size;
            slots[(size_t)t * l->copies + c] = dense[(size_t)(t % l->rows) * l->size + column];
        }
}

/* Turns plane 0 into the integer 1 where no plane is set, so that the sum is not transparent. */
static eis_status set_planes(eis_he_bsgs *bsgs, const eis_he_program *program, const double *dense, const layout *l)
{
    eis_status st = EIS_OK;
    size_t slots = eis_ckks_slots(program->params);
    double *plane = NULL;
    bool any = false;

    EIS_NEW(plane, slots);
    for (uint32_t i = 0; i < diagonals(l); i++) {
        lay_out(plane, dense, l, i);
        EIS_TRY(eis_he_bsgs_set(bsgs, program, i, plane));
        any = any || bsgs->plane[i].params != NULL;
    }
    memset(plane, 0, slots * sizeof *plane);
    if (!any) EIS_TRY(eis_he_plane_encode(&bsgs->plane[0], program, plane, slots, bsgs->limbs, 1, bsgs->scale, true));
out:
    eis_mem_free(plane);
    return st;
}

static eis_status prepare(void **data, size_t *bytes, const struct eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const layout *l = program->plan->layout->stage[stage].data;
    const eis_he_map *map = &graph->node[l->node].map;
    double *dense = NULL;
    blocks *b = NULL;

    (void)pool;
    EIS_NEW(b, 1);
    EIS_TRY(dense_of(&dense, map, l));
    EIS_TRY(eis_he_bsgs_init(&b->bsgs, diagonals(l), l->copies, l->limbs, l->factor));
    EIS_TRY(set_planes(&b->bsgs, program, dense, l));
    EIS_TRY(eis_he_bias_init(&b->bias, program, map, l->copies, l->limbs - 1, l->target));
    *bytes = eis_he_bsgs_bytes(&b->bsgs);
    *data = b;
    b = NULL;
out:
    if (b != NULL) data_free(b);
    eis_mem_free(dense);
    return st;
}

/* ---- Evaluating -----------------------------------------------------------------------------------------------------
 */

static eis_status eval(eis_ckks_ct *out, const struct eis_he_program *program, uint32_t stage,
                       const eis_he_source *source, const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const layout *l = program->plan->layout->stage[stage].data;
    const blocks *b = program->data[stage];
    eis_ckks_ct input = {0};

    EIS_TRY(eis_he_input_next(&input, program, stage, source, 0, l->limbs));
    EIS_TRY(eis_he_bsgs_apply(out, &b->bsgs, &input, &keys->galois, pool));
    EIS_TRY(eis_he_rescale(out, l->target));
    EIS_TRY(eis_he_fold(out, l->copies, 1, &keys->galois));
    EIS_TRY(eis_he_fold(out, l->size / l->rows, (size_t)l->copies * l->rows, &keys->galois));
    EIS_TRY(eis_he_bias_add(out, program, &b->bias));
out:
    eis_ckks_ct_clear(&input);
    return st;
}

static size_t eval_bytes(const struct eis_he_program *program, uint32_t stage)
{
    const blocks *b = program->data[stage];
    size_t limb = program->params->degree * sizeof(uint64_t), pair = 2 * ((size_t)b->bsgs.limbs + 1) * limb;

    /* the input, its digits, all baby steps and giant steps lifted, and what a few giant steps hold at work */
    return 2 * program->plan->contract.stage[stage].input.limbs * limb + (b->bsgs.baby + b->bsgs.giant + 24) * pair;
}

const eis_he_method eis_he_method_blocks = {.name = "block BSGS",
                                            .plan = plan,
                                            .layout_free = eis_mem_free,
                                            .prepare = prepare,
                                            .data_free = data_free,
                                            .eval = eval,
                                            .eval_bytes = eval_bytes};
