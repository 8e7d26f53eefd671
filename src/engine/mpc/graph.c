/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/graph.h"

#include "base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Memory of a graph: a list of blocks. */
typedef struct block {
    struct block *next;
} block;

static const char *const op_names[] = {
    [EIS_MPC_OP_INPUT] = "input",     [EIS_MPC_OP_KEPT] = "kept",     [EIS_MPC_OP_PUBLIC] = "public",
    [EIS_MPC_OP_MASK] = "mask",       [EIS_MPC_OP_MATRIX] = "matrix", [EIS_MPC_OP_ROW] = "row",
    [EIS_MPC_OP_GATHER] = "gather",   [EIS_MPC_OP_JOIN] = "join",     [EIS_MPC_OP_ADD] = "add",
    [EIS_MPC_OP_SUB] = "sub",         [EIS_MPC_OP_SCALE] = "scale",   [EIS_MPC_OP_WEIGH] = "weigh",
    [EIS_MPC_OP_OFFSET] = "offset",   [EIS_MPC_OP_SUM] = "sum",       [EIS_MPC_OP_AUTH] = "auth",
    [EIS_MPC_OP_PRODUCT] = "product", [EIS_MPC_OP_DOT] = "dot",       [EIS_MPC_OP_TRUNCATE] = "truncate",
    [EIS_MPC_OP_DIGITS] = "digits",   [EIS_MPC_OP_RANDOM] = "random", [EIS_MPC_OP_FLIP] = "flip",
};

void eis_mpc_graph_init(eis_mpc_graph *graph, const eis_mpc_matrix_shape *matrices, uint32_t matrix_count)
{
    *graph = (eis_mpc_graph){.matrices = matrices, .matrix_count = matrix_count};
}

void eis_mpc_graph_clear(eis_mpc_graph *graph)
{
    for (block *b = graph->blocks, *next; b != NULL; b = next) {
        next = b->next;
        eis_mem_free(b);
    }
    eis_mem_free(graph->nodes);
    eis_mem_free(graph->declared);
    eis_mem_free(graph->sections);
    memset(graph, 0, sizeof *graph);
}

eis_status eis_mpc_graph_status(const eis_mpc_graph *graph) { return graph->st; }

void eis_mpc_graph_section(eis_mpc_graph *graph, const char *format, ...)
{
    va_list arguments;
    eis_mpc_section *at;

    va_start(arguments, format);
    vsnprintf(graph->section, sizeof graph->section, format, arguments);
    va_end(arguments);
    if (graph->st != EIS_OK) return;
    graph->st =
        eis_mem_resize(&graph->sections, graph->section_count, graph->section_count + 1, sizeof *graph->sections);
    if (graph->st != EIS_OK) return;
    at = &graph->sections[graph->section_count++];
    memcpy(at->name, graph->section, sizeof at->name);
    at->first = graph->node_count;
}

void eis_mpc_graph_declare(eis_mpc_graph *graph)
{
    uint32_t n = graph->declared_count;

    if (graph->st != EIS_OK || (n > 0 && strcmp(graph->declared[n - 1], graph->section) == 0)) return;
    graph->st = eis_mem_resize(&graph->declared, n, n + 1, sizeof *graph->declared);
    if (graph->st != EIS_OK) return;
    memcpy(graph->declared[n], graph->section, sizeof graph->section);
    graph->declared_count++;
}

void eis_mpc_graph_refuse(eis_mpc_graph *graph, const char *what, double needed, double available, const char *change)
{
    const char *section = graph->section, *join = section[0] != 0 ? ", " : "";

    if (graph->st != EIS_OK) return;
    if (isfinite(needed) && isfinite(available))
        graph->st = eis_fail(EIS_ERR_RANGE, "%s%s%s needs %.1f bits and has %.1f; %s", section, join, what, needed,
                             available, change);
    else
        graph->st = eis_fail(EIS_ERR_RANGE, "%s%s%s has no bound; %s", section, join, what, change);
}

void *eis_mpc_graph_new(eis_mpc_graph *graph, size_t count, size_t size)
{
    block *b = NULL;

    if (graph->st != EIS_OK) return NULL;
    if (size > 0 && count <= (SIZE_MAX - sizeof *b) / size) b = eis_mem_new(1, 64 + count * size);
    if (b == NULL) {
        graph->st = EIS_ERR_MEMORY;
        return NULL;
    }
    b->next = graph->blocks;
    graph->blocks = b;
    return (uint8_t *)b + 64;
}

static void *copy_array(eis_mpc_graph *graph, const void *from, size_t count, size_t size)
{
    void *to = eis_mpc_graph_new(graph, count, size);

    if (to != NULL) memcpy(to, from, count * size);
    return to;
}

static eis_mpc_node *node_at(eis_mpc_graph *graph, eis_mpc_id id) { return &graph->nodes[id]; }

/* Refuses a node that could leave its range. */
static void check_bound(eis_mpc_graph *graph, const eis_mpc_node *node, double limit, const char *what)
{
    char text[64];

    if (graph->st != EIS_OK || node->gated || node->bound <= limit) return;
    snprintf(text, sizeof text, "gate %u (%s): a value that is %s", graph->node_count, op_names[node->op], what);
    eis_mpc_graph_refuse(graph, text, log2(node->bound), log2(limit),
                         "lower fixed_point.scale_bits, or declare bounds of values: range.policy and range.residual, "
                         "or magnitude_max of a classifier");
}

/* Appends a node whose inputs are set; returns its id. */
static eis_mpc_id append(eis_mpc_graph *graph, eis_mpc_node node)
{
    eis_mpc_id id = graph->node_count;

    for (uint32_t i = 0; i < node.in_count; i++)
        if (node.in[i] == EIS_MPC_NONE) return EIS_MPC_NONE;
    if (graph->st != EIS_OK) return EIS_MPC_NONE;
    if (node.count == 0 || node.count > EIS_MPC_COUNT_MAX || id == EIS_MPC_NODES_MAX) {
        graph->st = eis_fail(EIS_ERR_TOO_LARGE, "gate %u (%s) has %u words", id, op_names[node.op], node.count);
        return EIS_MPC_NONE;
    }
    if (id == graph->node_capacity) {
        uint32_t more = graph->node_capacity == 0 ? 256 : 2 * graph->node_capacity;
        graph->st = eis_mem_resize(&graph->nodes, graph->node_capacity, more, sizeof node);
        if (graph->st != EIS_OK) return EIS_MPC_NONE;
        graph->node_capacity = more;
    }
    for (uint32_t i = 0; i < node.in_count; i++) {
        const eis_mpc_node *in = node_at(graph, node.in[i]);
        if (in->round > node.round) node.round = in->round;
    }
    if (node.op == EIS_MPC_OP_MASK || node.op == EIS_MPC_OP_MATRIX || node.op == EIS_MPC_OP_ROW) {
        check_bound(graph, &node, EIS_MPC_BOUND_OPENED, "opened");
        node.round++;
    }
    if (graph->st != EIS_OK) return EIS_MPC_NONE;
    if (node.round > graph->rounds) graph->rounds = node.round;
    graph->nodes[graph->node_count++] = node;
    return id;
}

/* Starts a node from one or two inputs. */
static bool from_inputs(eis_mpc_graph *graph, eis_mpc_node *node, eis_mpc_op op, eis_mpc_id a, eis_mpc_id b)
{
    const eis_mpc_node *x;

    if (graph->st != EIS_OK || a == EIS_MPC_NONE) return false;
    x = node_at(graph, a);
    *node = (eis_mpc_node){.op = op,
                           .form = x->form,
                           .count = x->count,
                           .in_count = 1,
                           .in = {a},
                           .frac = x->frac,
                           .bound = x->bound,
                           .gated = x->gated};
    if (b == EIS_MPC_NONE) return true;
    node->in[node->in_count++] = b;
    if (node_at(graph, b)->form == EIS_MPC_AUTH) node->form = EIS_MPC_AUTH;
    node->gated |= node_at(graph, b)->gated;
    return true;
}

static eis_mpc_id source(eis_mpc_graph *graph, eis_mpc_op op, uint32_t slot, uint32_t count, unsigned frac,
                         double bound)
{
    return append(
        graph,
        (eis_mpc_node){.op = op, .form = EIS_MPC_WIRE, .count = count, .frac = frac, .bound = bound, .slot = slot});
}

eis_mpc_id eis_mpc_input(eis_mpc_graph *graph, uint32_t slot, uint32_t count, unsigned frac, double bound)
{
    return source(graph, EIS_MPC_OP_INPUT, slot, count, frac, bound);
}

eis_mpc_id eis_mpc_kept(eis_mpc_graph *graph, uint32_t slot, uint32_t count, unsigned frac, double bound)
{
    return source(graph, EIS_MPC_OP_KEPT, slot, count, frac, bound);
}

static double words_from(uint64_t *words, const int64_t *values, uint32_t count)
{
    double largest = 0;

    for (uint32_t i = 0; i < count; i++) {
        words[i] = eis_fp_from_i64(values[i]);
        if (fabs((double)values[i]) > largest) largest = fabs((double)values[i]);
    }
    return largest;
}

eis_mpc_id eis_mpc_public(eis_mpc_graph *graph, const int64_t *values, uint32_t count, unsigned frac)
{
    uint64_t *words = eis_mpc_graph_new(graph, count, sizeof *words);
    eis_mpc_id id;

    if (words == NULL) return EIS_MPC_NONE;
    id = source(graph, EIS_MPC_OP_PUBLIC, 0, count, frac, words_from(words, values, count));
    if (id != EIS_MPC_NONE) node_at(graph, id)->constants = words;
    return id;
}

eis_mpc_id eis_mpc_random(eis_mpc_graph *graph, uint32_t count)
{
    return source(graph, EIS_MPC_OP_RANDOM, 0, count, 0, EIS_MPC_BOUND_OPENED);
}

eis_mpc_id eis_mpc_mask(eis_mpc_graph *graph, eis_mpc_id a)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_MASK, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(node.form == EIS_MPC_AUTH);
    node.form = EIS_MPC_WIRE;
    return append(graph, node);
}

eis_mpc_id eis_mpc_apply(eis_mpc_graph *graph, uint32_t matrix, eis_mpc_id x, const eis_mpc_id *addends,
                         uint32_t addend_count, double bound)
{
    const eis_mpc_matrix_shape *w = &graph->matrices[matrix];
    eis_mpc_node node;

    EIS_ASSERT(matrix < graph->matrix_count && addend_count < EIS_MPC_FACTORS_MAX);
    if (!from_inputs(graph, &node, EIS_MPC_OP_MATRIX, x, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(node.form == EIS_MPC_WIRE && node.count % w->columns == 0);
    node.bound = bound > 0 ? bound : w->row_norm * ldexp(1, (int)w->frac) * node.bound * sqrt((double)w->columns);
    node.count = node.count / w->columns * w->rows;
    node.frac += w->frac;
    node.matrix = matrix;
    for (uint32_t i = 0; i < addend_count; i++) {
        const eis_mpc_node *r;
        if (addends[i] == EIS_MPC_NONE) return EIS_MPC_NONE;
        r = node_at(graph, addends[i]);
        EIS_ASSERT(r->form == EIS_MPC_WIRE && r->count == node.count && r->frac == node.frac);
        if (bound <= 0) node.bound += r->bound;
        node.in[node.in_count++] = addends[i];
    }
    return append(graph, node);
}

eis_mpc_id eis_mpc_row(eis_mpc_graph *graph, uint32_t matrix, double bound)
{
    const eis_mpc_matrix_shape *w = &graph->matrices[matrix];

    EIS_ASSERT(matrix < graph->matrix_count);
    return append(graph, (eis_mpc_node){.op = EIS_MPC_OP_ROW,
                                        .form = EIS_MPC_WIRE,
                                        .count = w->columns,
                                        .frac = w->frac,
                                        .bound = bound > 0 ? bound : w->row_norm * ldexp(1, (int)w->frac),
                                        .matrix = matrix});
}

eis_mpc_id eis_mpc_gather(eis_mpc_graph *graph, eis_mpc_id a, const uint32_t *index, uint32_t count)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_GATHER, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < count; i++) EIS_ASSERT(index[i] < node.count);
    node.index = copy_array(graph, index, count, sizeof *index);
    node.count = count;
    return append(graph, node);
}

eis_mpc_id eis_mpc_slice(eis_mpc_graph *graph, eis_mpc_id a, uint32_t first, uint32_t count)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_GATHER, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(first <= node.count && count <= node.count - first);
    if (count == node.count) return a;
    node.first = first;
    node.count = count;
    return append(graph, node);
}

eis_mpc_id eis_mpc_repeat(eis_mpc_graph *graph, eis_mpc_id a, uint32_t times)
{
    eis_mpc_node node;
    uint32_t *index;

    if (!from_inputs(graph, &node, EIS_MPC_OP_GATHER, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    if (times == 1) return a;
    if ((index = eis_mpc_graph_new(graph, (size_t)node.count * times, sizeof *index)) == NULL) return EIS_MPC_NONE;
    node.count *= times;
    for (uint32_t i = 0; i < node.count; i++) index[i] = i / times;
    node.index = index;
    return append(graph, node);
}

eis_mpc_id eis_mpc_join(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b)
{
    eis_mpc_node node;
    const eis_mpc_node *y;

    if (b == EIS_MPC_NONE || !from_inputs(graph, &node, EIS_MPC_OP_JOIN, a, b)) return EIS_MPC_NONE;
    y = node_at(graph, b);
    EIS_ASSERT(node.form == EIS_MPC_WIRE && y->frac == node.frac);
    if (y->bound > node.bound) node.bound = y->bound;
    node.count += y->count; /* both are at most EIS_MPC_COUNT_MAX */
    return append(graph, node);
}

static eis_mpc_id add_or_sub(eis_mpc_graph *graph, eis_mpc_op op, eis_mpc_id a, eis_mpc_id b)
{
    eis_mpc_node node;

    if (graph->st != EIS_OK || a == EIS_MPC_NONE || b == EIS_MPC_NONE) return EIS_MPC_NONE;
    if (node_at(graph, a)->form != node_at(graph, b)->form) {
        a = eis_mpc_auth(graph, a);
        b = eis_mpc_auth(graph, b);
    }
    if (b == EIS_MPC_NONE || !from_inputs(graph, &node, op, a, b)) return EIS_MPC_NONE;
    EIS_ASSERT(node_at(graph, b)->count == node.count && node_at(graph, b)->frac == node.frac);
    node.bound += node_at(graph, b)->bound;
    return append(graph, node);
}

eis_mpc_id eis_mpc_add(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b)
{
    return add_or_sub(graph, EIS_MPC_OP_ADD, a, b);
}

eis_mpc_id eis_mpc_sub(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b)
{
    return add_or_sub(graph, EIS_MPC_OP_SUB, a, b);
}

eis_mpc_id eis_mpc_scale(eis_mpc_graph *graph, eis_mpc_id a, int64_t c, unsigned frac)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_SCALE, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    node.scalar = eis_fp_from_i64(c);
    node.bound *= fabs((double)c);
    node.frac += frac;
    return append(graph, node);
}

eis_mpc_id eis_mpc_shift(eis_mpc_graph *graph, eis_mpc_id a, int bits)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_SCALE, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT((int)node.frac >= bits);
    if (bits == 0) return a;
    node.scalar = 1;
    node.frac = (unsigned)((int)node.frac - bits);
    return append(graph, node);
}

eis_mpc_id eis_mpc_weigh(eis_mpc_graph *graph, eis_mpc_id a, const int64_t *c, unsigned frac)
{
    eis_mpc_node node;
    uint64_t *words;

    if (!from_inputs(graph, &node, EIS_MPC_OP_WEIGH, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    if ((words = eis_mpc_graph_new(graph, node.count, sizeof *words)) == NULL) return EIS_MPC_NONE;
    node.bound *= words_from(words, c, node.count);
    node.constants = words;
    node.frac += frac;
    return append(graph, node);
}

eis_mpc_id eis_mpc_offset(eis_mpc_graph *graph, eis_mpc_id a, int64_t c)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_OFFSET, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    node.scalar = eis_fp_from_i64(c);
    node.bound += fabs((double)c);
    return append(graph, node);
}

eis_mpc_id eis_mpc_offset_each(eis_mpc_graph *graph, eis_mpc_id a, const int64_t *c)
{
    eis_mpc_node node;
    uint64_t *words;

    if (!from_inputs(graph, &node, EIS_MPC_OP_OFFSET, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    if ((words = eis_mpc_graph_new(graph, node.count, sizeof *words)) == NULL) return EIS_MPC_NONE;
    node.bound += words_from(words, c, node.count);
    node.constants = words;
    return append(graph, node);
}

eis_mpc_id eis_mpc_sum(eis_mpc_graph *graph, eis_mpc_id a, uint32_t inner)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_SUM, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(inner > 0 && node.count % inner == 0);
    node.count /= inner;
    node.inner = inner;
    node.bound *= inner;
    return append(graph, node);
}

eis_mpc_id eis_mpc_auth(eis_mpc_graph *graph, eis_mpc_id a)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_AUTH, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    if (node.form == EIS_MPC_AUTH) return a;
    node.form = EIS_MPC_AUTH;
    return append(graph, node);
}

eis_mpc_id eis_mpc_product(eis_mpc_graph *graph, const eis_mpc_id *factors, uint32_t factor_count, double bound)
{
    eis_mpc_node node;

    EIS_ASSERT(factor_count >= 2 && factor_count <= EIS_MPC_FACTORS_MAX);
    for (uint32_t i = 0; i < factor_count; i++)
        if (factors[i] == EIS_MPC_NONE) return EIS_MPC_NONE;
    if (!from_inputs(graph, &node, EIS_MPC_OP_PRODUCT, factors[0], EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(node.form == EIS_MPC_WIRE);
    for (uint32_t i = 1; i < factor_count; i++) {
        const eis_mpc_node *x = node_at(graph, factors[i]);
        EIS_ASSERT(x->form == EIS_MPC_WIRE && x->count == node.count);
        node.in[node.in_count++] = factors[i];
        node.frac += x->frac;
        node.bound *= x->bound;
        node.gated |= x->gated;
    }
    if (bound > 0) node.bound = bound, node.gated = false;
    node.form = EIS_MPC_AUTH;
    return append(graph, node);
}

eis_mpc_id eis_mpc_product2(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b, double bound)
{
    return eis_mpc_product(graph, (const eis_mpc_id[]){a, b}, 2, bound);
}

eis_mpc_id eis_mpc_dot(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b, const eis_mpc_dot_shape *shape, uint32_t count,
                       double bound)
{
    eis_mpc_node node;
    const eis_mpc_node *y;

    if (b == EIS_MPC_NONE || !from_inputs(graph, &node, EIS_MPC_OP_DOT, a, b)) return EIS_MPC_NONE;
    y = node_at(graph, b);
    EIS_ASSERT(node.form == EIS_MPC_WIRE && shape->inner > 0);
    for (uint32_t g = 0; g < count; g++)
        EIS_ASSERT(shape->a_at[g] + (size_t)(shape->inner - 1) * shape->a_step < node.count &&
                   shape->b_at[g] + (size_t)(shape->inner - 1) * shape->b_step < y->count);
    node.dot = *shape;
    node.dot.a_at = copy_array(graph, shape->a_at, count, sizeof *shape->a_at);
    node.dot.b_at = copy_array(graph, shape->b_at, count, sizeof *shape->b_at);
    node.bound = bound > 0 ? bound : node.bound * y->bound * shape->inner;
    node.frac += y->frac;
    node.form = EIS_MPC_AUTH;
    node.count = count;
    return append(graph, node);
}

eis_mpc_id eis_mpc_truncate(eis_mpc_graph *graph, eis_mpc_id a, unsigned shift)
{
    eis_mpc_node node;

    if (!from_inputs(graph, &node, EIS_MPC_OP_TRUNCATE, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(node.form == EIS_MPC_WIRE && shift >= 1 && shift <= EIS_FP_BITS - 3 && shift <= node.frac);
    check_bound(graph, &node, EIS_MPC_BOUND_TRUNCATED, "truncated");
    node_at(graph, a)->cut = true;
    node.form = EIS_MPC_AUTH;
    node.shift = shift;
    node.frac -= shift;
    node.bound = floor(ldexp(node.bound, -(int)shift)) + 1;
    return append(graph, node);
}

eis_mpc_id eis_mpc_digits(eis_mpc_graph *graph, eis_mpc_id a, unsigned low, unsigned digit_bits, unsigned digits,
                          const int64_t *thresholds, uint32_t threshold_count, double bound)
{
    eis_mpc_node node;
    unsigned bits = digit_bits * digits;
    double widest = 0;

    if (!from_inputs(graph, &node, EIS_MPC_OP_DIGITS, a, EIS_MPC_NONE)) return EIS_MPC_NONE;
    EIS_ASSERT(node.form == EIS_MPC_WIRE && digit_bits > 0 && digit_bits <= EIS_MPC_DIGIT_BITS_MAX && digits > 0 &&
               low + bits + 1 <= EIS_FP_BITS);
    for (uint32_t i = 0; i < threshold_count; i++)
        if (fabs((double)thresholds[i]) > widest) widest = fabs((double)thresholds[i]);
    node.bound = bound > 0 ? bound : node.bound + widest;
    EIS_ASSERT(!node.gated); /* a comparison outside its range gives any bit, which would open the wrong gate */
    check_bound(graph, &node, ldexp(1, (int)(low + bits)) - ldexp(1, (int)low) - 2, "compared");
    node_at(graph, a)->cut = true;
    if ((uint64_t)node.count * (1 + 2 * digits) * threshold_count > EIS_MPC_COUNT_MAX) {
        graph->st =
            eis_fail(EIS_ERR_TOO_LARGE, "a comparison of %u values with %u thresholds", node.count, threshold_count);
        return EIS_MPC_NONE;
    }
    node.cmp = (eis_mpc_digits_shape){.low = low,
                                      .digit_bits = digit_bits,
                                      .digits = digits,
                                      .elements = node.count,
                                      .threshold_count = threshold_count,
                                      .thresholds = copy_array(graph, thresholds, threshold_count, sizeof *thresholds)};
    node.form = EIS_MPC_AUTH;
    node.frac = 0;
    node.bound = 1;
    node.gated = false;
    node.count *= (1 + 2 * digits) * threshold_count;
    return append(graph, node);
}

eis_mpc_id eis_mpc_flip(eis_mpc_graph *graph, eis_mpc_id digits, eis_mpc_id x, eis_mpc_id s)
{
    eis_mpc_node node;

    if (s == EIS_MPC_NONE || !from_inputs(graph, &node, EIS_MPC_OP_FLIP, digits, s)) return EIS_MPC_NONE;
    EIS_ASSERT(node_at(graph, digits)->op == EIS_MPC_OP_DIGITS);
    node.count = node_at(graph, digits)->cmp.elements * node_at(graph, digits)->cmp.threshold_count;
    node.frac = node_at(graph, s)->frac;
    node.bound = node_at(graph, s)->bound;
    node.gated = node_at(graph, s)->gated;
    EIS_ASSERT(node_at(graph, s)->form == EIS_MPC_AUTH && node_at(graph, s)->count == node.count);
    if (x != EIS_MPC_NONE) {
        EIS_ASSERT(node_at(graph, x)->form == EIS_MPC_AUTH && node_at(graph, x)->count == node.count &&
                   node_at(graph, x)->frac == node.frac);
        node.in[node.in_count++] = x;
        if (node_at(graph, x)->bound > node.bound) node.bound = node_at(graph, x)->bound;
    }
    return append(graph, node);
}

void eis_mpc_set_gated(eis_mpc_graph *graph, eis_mpc_id a, double bound_where_open)
{
    if (a == EIS_MPC_NONE) return;
    node_at(graph, a)->gated = true;
    node_at(graph, a)->bound = bound_where_open;
}

void eis_mpc_set_bound(eis_mpc_graph *graph, eis_mpc_id a, double bound)
{
    if (a != EIS_MPC_NONE && bound < node_at(graph, a)->bound) node_at(graph, a)->bound = bound;
}

void eis_mpc_set_one_hot(eis_mpc_graph *graph, eis_mpc_id input, uint32_t width)
{
    if (input == EIS_MPC_NONE) return;
    EIS_ASSERT(node_at(graph, input)->op == EIS_MPC_OP_INPUT && node_at(graph, input)->count % width == 0);
    node_at(graph, input)->one_hot = width;
}

void eis_mpc_set_bits(eis_mpc_graph *graph, eis_mpc_id input)
{
    if (input == EIS_MPC_NONE) return;
    EIS_ASSERT(node_at(graph, input)->op == EIS_MPC_OP_INPUT);
    node_at(graph, input)->bits = true;
}

unsigned eis_mpc_product_set(const eis_mpc_node *node, unsigned set)
{
    unsigned first = 0;

    for (uint32_t i = 0; i < node->in_count; i++) {
        if ((set >> i & 1) == 0) continue;
        for (uint32_t j = 0; j <= i; j++) {
            if (node->in[j] != node->in[i] || (first >> j & 1) != 0) continue;
            first |= 1u << j;
            break;
        }
    }
    return first;
}

static uint64_t product_sets(const eis_mpc_node *node)
{
    uint64_t count = 0;

    for (unsigned set = 1; set < 1u << node->in_count; set++) count += eis_mpc_product_dealt(node, set);
    return count;
}

/* ---- costs ---- */

void eis_mpc_node_cost(eis_mpc_cost *cost, const eis_mpc_graph *graph, eis_mpc_id id)
{
    const eis_mpc_node *node = &graph->nodes[id];
    uint64_t n = node->count, parts;

    *cost = (eis_mpc_cost){.rounds = node->round};
    switch (node->op) {
    case EIS_MPC_OP_INPUT:
    case EIS_MPC_OP_RANDOM:
        *cost = (eis_mpc_cost){.masks = n, .corrections = n, .rounds = node->round};
        break;
    case EIS_MPC_OP_MASK:
        *cost = (eis_mpc_cost){.opened = n, .masks = n, .corrections = n, .rounds = node->round};
        break;
    case EIS_MPC_OP_ROW:
        *cost = (eis_mpc_cost){.opened = n, .masks = n, .corrections = n + 1, .rounds = node->round};
        break;
    case EIS_MPC_OP_MATRIX:
        cost->opened = cost->masks = n;
        cost->corrections = 2 * n + n / graph->matrices[node->matrix].rows;
        break;
    case EIS_MPC_OP_PRODUCT:
        cost->corrections = 2 * n * product_sets(node);
        break;
    case EIS_MPC_OP_DOT:
        cost->corrections = 2 * n;
        break;
    case EIS_MPC_OP_TRUNCATE:
        cost->corrections = 4 * n;
        break;
    case EIS_MPC_OP_DIGITS:
        parts = 1 + node->cmp.digits * ((UINT64_C(1) << node->cmp.digit_bits) - 1);
        cost->corrections = 2 * parts * node->cmp.elements;
        break;
    default:
        break;
    }
}

void eis_mpc_graph_cost(eis_mpc_cost *cost, const eis_mpc_graph *graph)
{
    eis_mpc_cost one;

    *cost = (eis_mpc_cost){.rounds = graph->rounds};
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        eis_mpc_node_cost(&one, graph, id);
        cost->opened += one.opened;
        cost->masks += one.masks;
        cost->corrections += one.corrections;
    }
}
