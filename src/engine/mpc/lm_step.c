/* SPDX-License-Identifier: Apache-2.0 */
/* The graphs of steps: tokens of a prompt, all at once, or a public one; then the head. */
#include "base/mem.h"
#include "engine/mpc/lm_block.h"

#include <math.h>
#include <string.h>

/* Logits without the factor of the last norm; a bias that the norm brought is multiplied by the deviation instead, as
 * one more column. */
static eis_mpc_id raw_logits(eis_mpc_lm_step *step, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t matrix = eis_mpc_lm_head_matrix(lm);
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix];
    double norm = x->norm;
    eis_mpc_id in = eis_mpc_lm_narrow(g, x, lm);

    if (w->columns > lm->dim) {
        in = eis_mpc_join(g, in, eis_mpc_lm_deviation(g, x, lm));
        norm = hypot(norm, eis_mpc_lm_deviation_bound(x, lm));
    }
    return eis_mpc_apply(g, matrix, in, NULL, 0, ldexp(w->row_norm * norm, (int)(lm->tuning.frac + w->frac)) * 1.01);
}

/* The positive factor does not change which logit is largest, so it is left out. Together the levels may lose 2^-8 of a
 * logit; before the factor, which is 16 at most, that is 2^-12. */
static void choose_likeliest(eis_mpc_lm_step *step, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    unsigned frac = lm->tuning.frac + lm->shapes[eis_mpc_lm_head_matrix(lm)].frac;

    (void)eis_mpc_row_max(&step->graph, raw_logits(step, x, lm), lm->vocabulary,
                          frac - 12 - eis_mpc_levels(eis_mpc_levels(lm->vocabulary)), eis_mpc_digit_bits(&lm->tuning),
                          &step->next);
}

/* With the norm behind it a row of the head, and its bias, gives no more than its length times sqrt(dim) (+ 1). */
static void draw_token(eis_mpc_lm_step *step, const eis_mpc_residual *x, const eis_mpc_lm *lm,
                       const eis_mpc_sampling *sampling)
{
    const eis_mpc_matrix_shape *w = &lm->shapes[eis_mpc_lm_head_matrix(lm)];
    eis_mpc_id logits = eis_mpc_lm_normalised(&step->graph, x, raw_logits(step, x, lm),
                                              w->row_norm * sqrt((double)w->columns) * 1.02, lm);

    step->next = eis_mpc_sample(&step->graph, &step->coin, logits, sampling, &lm->tuning);
}

/* Tokens as their owner puts them in: rows of zeros with a one. */
static eis_mpc_id secret_rows(eis_mpc_graph *graph, uint32_t count, const eis_mpc_lm *lm)
{
    eis_mpc_id rows = eis_mpc_input(graph, EIS_MPC_LM_INPUT_TOKENS, count * lm->vocabulary, 0, 1);

    eis_mpc_set_one_hot(graph, rows, lm->vocabulary);
    return rows;
}

/* The embeddings of the step's positions. */
static eis_mpc_id positions_of(eis_mpc_lm_step *step, const eis_mpc_lm *lm)
{
    eis_mpc_graph *g = &step->graph;
    eis_mpc_id *rows = eis_mpc_graph_new(g, step->count, sizeof *rows);

    if (rows == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < step->count; i++) {
        rows[i] = eis_mpc_row(g, eis_mpc_lm_position_matrix(lm), ldexp(lm->position_norm + 0.1, (int)lm->tuning.frac));
        if (rows[i] == EIS_MPC_NONE) return EIS_MPC_NONE;
        g->nodes[rows[i]].row = step->position + i;
    }
    return eis_mpc_lm_join(g, rows, step->count);
}

/* The embeddings of tokens, plus those of their positions. */
static eis_mpc_residual embed(eis_mpc_lm_step *step, const eis_mpc_lm *lm, bool secret)
{
    eis_mpc_graph *g = &step->graph;
    eis_mpc_residual x = {.norm = lm->embedding_norm + ldexp(sqrt((double)lm->dim), -(int)lm->tuning.frac)};
    double bound = ldexp(x.norm, (int)lm->tuning.frac);

    if (secret)
        x.wire = eis_mpc_apply(g, EIS_MPC_LM_TOKENS, secret_rows(g, step->count, lm), NULL, 0, bound);
    else
        x.wire = step->token = eis_mpc_row(g, EIS_MPC_LM_EMBEDDING, bound);
    if (lm->family != EIS_LM_GPT2) return x;
    x.norm += lm->position_norm + 0.1;
    x.wire = eis_mpc_add(g, x.wire, positions_of(step, lm));
    return x;
}

/* Which positions are valid: those of a prompt are its owner's secret, a public token is. */
static void take_valid(eis_mpc_lm_step *step, const eis_mpc_lm *lm, bool secret)
{
    static const int64_t one = 1;
    eis_mpc_graph *g = &step->graph;

    step->valid = step->all_valid = EIS_MPC_NONE;
    if (lm->pad_bucket == 0) return;
    step->valid = secret ? eis_mpc_input(g, EIS_MPC_LM_INPUT_VALID, step->count, 0, 1) : eis_mpc_public(g, &one, 1, 0);
    if (secret) eis_mpc_set_bits(g, step->valid);
    step->all_valid = step->valid;
    if (step->position == 0) return;
    step->all_valid = eis_mpc_join(g, eis_mpc_kept(g, eis_mpc_lm_valid_slot(lm), step->position, 0, 1), step->valid);
}

static void last_row(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm)
{
    x->wire = eis_mpc_slice(&step->graph, x->wire, (step->count - 1) * lm->dim, lm->dim);
}

eis_status eis_mpc_lm_check_filling(const eis_mpc_lm *lm)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(lm->pad_bucket == 0 || lm->rope != EIS_ROPE_NONE, EIS_ERR_UNSUPPORTED,
                "scheduler.pad_bucket: this model's positions are learned, so its prompts cannot be filled up");
    EIS_REQUIRE(lm->pad_bucket == 0 || lm->tuning.softmax_static == 0, EIS_ERR_UNSUPPORTED,
                "scheduler.pad_bucket needs softmax.max tournament");
out:
    return st;
}

static eis_status make_step(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens,
                            const eis_mpc_sampling *sampling)
{
    eis_status st = EIS_OK;
    uint32_t count = secret_tokens > 0 ? secret_tokens : 1;
    eis_mpc_residual x;

    memset(step, 0, sizeof *step);
    step->token = step->next = EIS_MPC_NONE;
    step->position = position;
    step->count = count;
    EIS_REQUIRE(position < lm->context && count <= lm->context - position, EIS_ERR_CONTEXT_LENGTH,
                "the model has %u positions", lm->context);
    EIS_TRY(eis_mpc_lm_check_filling(lm));
    EIS_REQUIRE((uint64_t)count * lm->vocabulary <= EIS_MPC_COUNT_MAX, EIS_ERR_TOO_LARGE, "%u tokens in one step",
                count);
    EIS_NEW(step->keys, lm->layers);
    EIS_NEW(step->values, lm->layers);
    eis_mpc_graph_init(&step->graph, lm->shapes, lm->shape_count);
    eis_mpc_graph_section(&step->graph, "embedding");
    x = embed(step, lm, secret_tokens > 0);
    take_valid(step, lm, secret_tokens > 0);
    for (uint32_t i = 0; i < lm->layers && step->graph.st == EIS_OK; i++) {
        eis_mpc_graph_section(&step->graph, "block %u attention", i);
        eis_mpc_lm_attention(&x, step, lm, i);
        eis_mpc_graph_section(&step->graph, "block %u mlp", i);
        eis_mpc_lm_mlp(&x, step, lm, i);
    }
    if (step->graph.st == EIS_OK) eis_mpc_graph_section(&step->graph, "head");
    if (sampling != NULL) last_row(&x, step, lm);
    if (sampling != NULL && eis_mpc_sampling_is_greedy(sampling))
        choose_likeliest(step, &x, lm);
    else if (sampling != NULL)
        draw_token(step, &x, lm, sampling);
    EIS_TRY(eis_mpc_graph_status(&step->graph));
out:
    if (st != EIS_OK) eis_mpc_lm_step_clear(step);
    return st;
}

eis_status eis_mpc_lm_step_init(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens,
                                bool head)
{
    static const eis_mpc_sampling greedy = {1, 0};

    return make_step(step, lm, position, secret_tokens, head ? &greedy : NULL);
}

eis_status eis_mpc_lm_step_draw(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position, uint32_t secret_tokens,
                                const eis_mpc_sampling *sampling)
{
    eis_status st = eis_mpc_sampling_check(sampling);

    memset(step, 0, sizeof *step);
    return st == EIS_OK ? make_step(step, lm, position, secret_tokens, sampling) : st;
}

eis_mpc_id eis_mpc_lm_step_kept(const eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t slot)
{
    if (slot < 2 * lm->layers) return slot % 2 != 0 ? step->values[slot / 2] : step->keys[slot / 2];
    return slot == eis_mpc_lm_valid_slot(lm) ? step->valid : EIS_MPC_NONE;
}

uint32_t eis_mpc_lm_slot_width(const eis_mpc_lm *lm, uint32_t slot)
{
    if (slot < 2 * lm->layers) return lm->kv_heads * lm->head_size;
    return slot == eis_mpc_lm_valid_slot(lm) && lm->pad_bucket > 0 ? 1 : 0;
}

/* ---- how much of a prompt a step takes ---- */

/* Words of correction of one secret token. */
static eis_status words_of_token(double *words, const eis_mpc_lm *lm, uint32_t position)
{
    eis_status st = EIS_OK;
    eis_mpc_lm_step step = {0};
    eis_mpc_cost cost;

    EIS_TRY(eis_mpc_lm_step_init(&step, lm, position, 1, false));
    eis_mpc_graph_cost(&cost, &step.graph);
    *words = (double)cost.corrections;
out:
    eis_mpc_lm_step_clear(&step);
    return st;
}

eis_status eis_mpc_lm_prefill(uint32_t *count, const eis_mpc_lm *lm, uint32_t position, uint32_t tokens)
{
    const uint32_t first = 1, second = lm->context > 17 ? 17 : lm->context - 1;
    eis_status st = EIS_OK;
    double near, far, slope, all = 0, most = lm->prefill_mib * 0x1p17;

    EIS_ASSERT(tokens > 0);
    *count = 1;
    if (tokens == 1 || lm->context < 3) goto out;
    EIS_TRY(words_of_token(&near, lm, first));
    EIS_TRY(words_of_token(&far, lm, second));
    slope = (far - near) / (second - first);
    for (*count = 0; *count < tokens; ++*count) {
        double one = near + slope * ((double)position + *count - first);
        if (*count > 0 && (all + one > most || (*count + 1.0) * lm->vocabulary > EIS_MPC_COUNT_MAX)) break;
        all += one;
    }
out:
    return st;
}

void eis_mpc_lm_step_clear(eis_mpc_lm_step *step)
{
    eis_mpc_graph_clear(&step->graph);
    eis_mem_free(step->keys);
    eis_mem_free(step->values);
    memset(step, 0, sizeof *step);
}
