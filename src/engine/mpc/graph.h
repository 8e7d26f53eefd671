/* SPDX-License-Identifier: Apache-2.0 */
/* What is computed, as a list of gates over vectors of GF(p): a pure function of the model's shapes, the tunables and
 * the length of the text. Parties walk it with shares (party.h), the dealer walks it with masks (deal.h), tests walk it
 * in the clear (ideal.h). All three see the same nodes in the same order, which is the whole interface between them:
 * material is addressed by (session, step, node).
 *
 * Two forms of a value x:
 *   WIRE  a public D and shares of a mask l with MACs, x = D - l. Costs an opening to make, none to use.
 *   AUTH  shares of x with MACs. What local gates give; an opening under a fresh mask (MASK) makes it a wire.
 *
 * Every value carries the bits of its fraction and a bound of its magnitude as an integer. Both are checked while the
 * graph is built and never at run time: a graph that could overflow is refused.
 *
 * A node is available after `round` openings. All nodes that open in one round travel in one frame for each peer. */
#ifndef EIS_ENGINE_MPC_GRAPH_H
#define EIS_ENGINE_MPC_GRAPH_H

#include "base/status.h"
#include "ring/fp_word.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Truncated and compared values are below 2^(k-2) in magnitude, every other one below p/2. */
#define EIS_MPC_BOUND_TRUNCATED ((double)(UINT64_C(1) << (EIS_FP_BITS - 2)) - 1)
#define EIS_MPC_BOUND_OPENED    ((double)(EIS_FP_P / 2))
#define EIS_MPC_FACTORS_MAX     4
#define EIS_MPC_DIGIT_BITS_MAX  8                   /* of a comparison */
#define EIS_MPC_COUNT_MAX       ((uint32_t)1 << 26) /* words of one node */
#define EIS_MPC_NODES_MAX       ((uint32_t)1 << 22)
#define EIS_MPC_SECTION_BYTES   32

typedef uint32_t eis_mpc_id;
#define EIS_MPC_NONE UINT32_MAX

typedef enum eis_mpc_form { EIS_MPC_WIRE = 1, EIS_MPC_AUTH = 2 } eis_mpc_form;

typedef enum eis_mpc_op {
    /* Sources. */
    EIS_MPC_OP_INPUT = 1, /* wire: an owner sends D */
    EIS_MPC_OP_KEPT,      /* wire: rows kept from earlier steps */
    EIS_MPC_OP_PUBLIC,    /* wire: constants; D is the value, the mask is 0 */
    /* Openings: available one round later. */
    EIS_MPC_OP_MASK,   /* auth -> wire */
    EIS_MPC_OP_MATRIX, /* matrix x wire + wires -> wire, one product for each row of the input */
    EIS_MPC_OP_ROW,    /* a public row of a matrix -> wire */
    /* Local and linear, in either form. */
    EIS_MPC_OP_GATHER, /* r[i] = a[index[i]] */
    EIS_MPC_OP_JOIN,   /* a, then b */
    EIS_MPC_OP_ADD,
    EIS_MPC_OP_SUB,
    EIS_MPC_OP_SCALE,  /* r = scalar * a */
    EIS_MPC_OP_WEIGH,  /* r[i] = constants[i] * a[i] */
    EIS_MPC_OP_OFFSET, /* r[i] = a[i] + constants[i] */
    EIS_MPC_OP_SUM,    /* r[i] = sum over j < inner of a[i * inner + j] */
    EIS_MPC_OP_AUTH,   /* wire -> auth */
    /* Local, from wires to auth. */
    EIS_MPC_OP_PRODUCT,  /* of two to four wires, which may repeat */
    EIS_MPC_OP_DOT,      /* inner products of two wires at strides */
    EIS_MPC_OP_TRUNCATE, /* floor(x / 2^shift), or that plus 1 */
    EIS_MPC_OP_DIGITS,   /* what a comparison needs: see gates.h */
    EIS_MPC_OP_FLIP,     /* the end of a comparison: d x + (1 - 2 d) y with the public bit d of a DIGITS node */
    /* Another source. */
    EIS_MPC_OP_RANDOM /* wire: uniform numbers that nobody knows; D is 0 */
} eis_mpc_op;

/* Inner products: group g is the sum over i < inner of a[a_at[g] + i * a_step] * b[b_at[g] + i * b_step]. */
typedef struct eis_mpc_dot_shape {
    uint32_t inner, a_step, b_step;
    const uint32_t *a_at, *b_at; /* [count] */
} eis_mpc_dot_shape;

/* Comparisons of one wire with thresholds: `low` bits are ignored, then `digits` digits of `digit_bits` bits.
 * The node's words are [1 + 2 digits][threshold][elements]: r_t, then gt_0 .. gt_(m-1), then eq_0 .. eq_(m-1), where
 * the parts of the highest digit carry the sign 1 - 2 r_t. All thresholds share the digits of the mask. */
typedef struct eis_mpc_digits_shape {
    unsigned low, digit_bits, digits;
    uint32_t elements, threshold_count;
    const int64_t *thresholds; /* [threshold_count], at the wire's scale */
} eis_mpc_digits_shape;

typedef struct eis_mpc_node {
    eis_mpc_op op;
    eis_mpc_form form;
    uint32_t count;
    uint32_t round; /* openings before it is available */
    uint32_t in_count;
    eis_mpc_id in[EIS_MPC_FACTORS_MAX];
    unsigned frac;             /* bits of the fraction */
    double bound;              /* of the magnitude of every element, as an integer */
    bool gated;                /* may be garbage where a gate bit of 0 follows: exempt from bounds */
    uint64_t scalar;           /* SCALE, OFFSET */
    const uint64_t *constants; /* [count] WEIGH, OFFSET, PUBLIC; NULL in an OFFSET: `scalar` for all */
    const uint32_t *index;     /* [count] GATHER; NULL: the words from `first` on, which then are not copied */
    uint32_t first;
    uint32_t inner; /* SUM */
    unsigned shift; /* TRUNCATE */
    eis_mpc_dot_shape dot;
    eis_mpc_digits_shape cmp;
    uint32_t matrix;  /* MATRIX, ROW: its number in the session */
    uint32_t row;     /* ROW: which one; set before each step, it does not shape the graph */
    uint32_t slot;    /* INPUT, KEPT: which one */
    uint32_t one_hot; /* INPUT: rows of so many words, of which one is 1 and the others are 0; 0: any words */
    bool bits;        /* INPUT: every word is 0 or 1 */
    bool cut;         /* a TRUNCATE or DIGITS takes bits of its mask */
} eis_mpc_node;

/* A matrix of the session: W is [rows][columns], its weights are wires without MACs. */
typedef struct eis_mpc_matrix_shape {
    uint32_t rows, columns;
    unsigned frac;
    double row_norm;          /* the largest Euclidean norm of a row, as reals: from the owner, or from the weights */
    bool products, selection; /* what it is used for: products with vectors, selection of public rows */
} eis_mpc_matrix_shape;

/* A part of the model, from gate `first` to that of the next one. */
typedef struct eis_mpc_section {
    char name[EIS_MPC_SECTION_BYTES];
    eis_mpc_id first;
} eis_mpc_section;

typedef struct eis_mpc_graph {
    eis_mpc_node *nodes; /* [node_count] */
    uint32_t node_count, node_capacity;
    const eis_mpc_matrix_shape *matrices; /* [matrix_count], the caller's */
    uint32_t matrix_count;
    uint32_t rounds;                     /* of the last opening */
    eis_status st;                       /* sticky: what the first failing builder call met */
    void *blocks;                        /* memory of constants and indices */
    char section[EIS_MPC_SECTION_BYTES]; /* which part is being built, for texts; or empty */
    eis_mpc_section *sections;           /* [section_count]: all that were named */
    uint32_t section_count;
    char (*declared)[EIS_MPC_SECTION_BYTES]; /* [declared_count]: parts whose bounds rest on an owner's word */
    uint32_t declared_count;
} eis_mpc_graph;

/* Starts an empty graph. Matrices stay the caller's. */
void eis_mpc_graph_init(eis_mpc_graph *graph, const eis_mpc_matrix_shape *matrices, uint32_t matrix_count);

/* Frees. Safe on a zeroed graph. */
void eis_mpc_graph_clear(eis_mpc_graph *graph);

/* Returns the first error of the builder calls: EIS_ERR_RANGE with the gate, the bits it needs and the bits there are;
 * EIS_ERR_MEMORY; EIS_ERR_TOO_LARGE. */
EIS_MUST_USE eis_status eis_mpc_graph_status(const eis_mpc_graph *graph);

/* Names the part of the model that the next gates belong to: "block 3 mlp". */
void eis_mpc_graph_section(eis_mpc_graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes that a bound of this part is what an owner has declared, and no theorem. */
void eis_mpc_graph_declare(eis_mpc_graph *graph);

/* Refuses the graph (EIS_ERR_RANGE, unless it has been refused before): what needs how many bits of how many, and what
 * to change. Numbers that are none are said to have no bound. */
void eis_mpc_graph_refuse(eis_mpc_graph *graph, const char *what, double needed, double available, const char *change);

/* Returns a node. */
static inline const eis_mpc_node *eis_mpc_node_of(const eis_mpc_graph *graph, eis_mpc_id id)
{
    return &graph->nodes[id];
}

/* A slice: its words are a part of its input's. */
static inline bool eis_mpc_is_view(const eis_mpc_node *node)
{
    return node->op == EIS_MPC_OP_GATHER && node->index == NULL;
}

/* Makes memory that lives as long as the graph, for indices and constants. Returns NULL after an error (sticky). */
void *eis_mpc_graph_new(eis_mpc_graph *graph, size_t count, size_t size);

/* ---- Gates. Every call returns the new node, or EIS_MPC_NONE after an error; inputs of EIS_MPC_NONE are allowed and
 * give EIS_MPC_NONE, so that builders need no checks between. Arrays that are passed in are copied. ---------------- */

eis_mpc_id eis_mpc_input(eis_mpc_graph *graph, uint32_t slot, uint32_t count, unsigned frac, double bound);
eis_mpc_id eis_mpc_kept(eis_mpc_graph *graph, uint32_t slot, uint32_t count, unsigned frac, double bound);
/* Uniform words, known to nobody, at fraction 0. */
eis_mpc_id eis_mpc_random(eis_mpc_graph *graph, uint32_t count);
eis_mpc_id eis_mpc_public(eis_mpc_graph *graph, const int64_t *values, uint32_t count, unsigned frac);

eis_mpc_id eis_mpc_mask(eis_mpc_graph *graph, eis_mpc_id a);

/* y = W x + the sum of addends. Shape: x[batch][columns], addends [batch][rows], y [batch][rows].
 * addends[addend_count], at most 3; all at the scale of the product. bound: of y, where the caller knows a better one
 * than norms give; 0. */
eis_mpc_id eis_mpc_apply(eis_mpc_graph *graph, uint32_t matrix, eis_mpc_id x, const eis_mpc_id *addends,
                         uint32_t addend_count, double bound);

/* Row `row` of a matrix that is loaded for row selection. */
eis_mpc_id eis_mpc_row(eis_mpc_graph *graph, uint32_t matrix, double bound);

eis_mpc_id eis_mpc_gather(eis_mpc_graph *graph, eis_mpc_id a, const uint32_t *index, uint32_t count);
eis_mpc_id eis_mpc_slice(eis_mpc_graph *graph, eis_mpc_id a, uint32_t first, uint32_t count);
eis_mpc_id eis_mpc_repeat(eis_mpc_graph *graph, eis_mpc_id a, uint32_t times); /* each element `times` times in a row */
eis_mpc_id eis_mpc_join(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b);     /* wires */
eis_mpc_id eis_mpc_add(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b);      /* wire + wire, or with an auth: auth */
eis_mpc_id eis_mpc_sub(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b);

/* r = c a, where c stands for c / 2^frac. */
eis_mpc_id eis_mpc_scale(eis_mpc_graph *graph, eis_mpc_id a, int64_t c, unsigned frac);
eis_mpc_id eis_mpc_weigh(eis_mpc_graph *graph, eis_mpc_id a, const int64_t *c, unsigned frac);

/* The same words under another scale: the value times 2^bits. Range: the fraction keeps 0 bits or more (asserted). */
eis_mpc_id eis_mpc_shift(eis_mpc_graph *graph, eis_mpc_id a, int bits);

/* r = a + c, c at the scale of a. */
eis_mpc_id eis_mpc_offset(eis_mpc_graph *graph, eis_mpc_id a, int64_t c);
eis_mpc_id eis_mpc_offset_each(eis_mpc_graph *graph, eis_mpc_id a, const int64_t *c);

eis_mpc_id eis_mpc_sum(eis_mpc_graph *graph, eis_mpc_id a, uint32_t inner);
eis_mpc_id eis_mpc_auth(eis_mpc_graph *graph, eis_mpc_id a);

/* Products of wires. bound 0: the product of the bounds. */
eis_mpc_id eis_mpc_product(eis_mpc_graph *graph, const eis_mpc_id *factors, uint32_t factor_count, double bound);
eis_mpc_id eis_mpc_product2(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b, double bound);
eis_mpc_id eis_mpc_dot(eis_mpc_graph *graph, eis_mpc_id a, eis_mpc_id b, const eis_mpc_dot_shape *shape, uint32_t count,
                       double bound);
eis_mpc_id eis_mpc_truncate(eis_mpc_graph *graph, eis_mpc_id a, unsigned shift);

/* bound: of |a - threshold|, where the caller knows a better one than the sum of both; 0. */
eis_mpc_id eis_mpc_digits(eis_mpc_graph *graph, eis_mpc_id a, unsigned low, unsigned digit_bits, unsigned digits,
                          const int64_t *thresholds, uint32_t threshold_count, double bound);

/* d x + (1 - 2 d) s for all thresholds and elements of a DIGITS node; x EIS_MPC_NONE stands for 1. s and x are auth,
 * [threshold][elements]. */
eis_mpc_id eis_mpc_flip(eis_mpc_graph *graph, eis_mpc_id digits, eis_mpc_id x, eis_mpc_id s);

/* Says that a value may be garbage wherever a gate bit that multiplies it later is 0, or sets a bound that the caller
 * has proved. */
void eis_mpc_set_gated(eis_mpc_graph *graph, eis_mpc_id a, double bound_where_open);
void eis_mpc_set_bound(eis_mpc_graph *graph, eis_mpc_id a, double bound);

/* Says that an input has rows of `width` words, of which one is 1 and the others are 0: to be tested (sacrifice.h). */
void eis_mpc_set_one_hot(eis_mpc_graph *graph, eis_mpc_id input, uint32_t width);

/* Says that every word of an input is 0 or 1: to be tested likewise. */
void eis_mpc_set_bits(eis_mpc_graph *graph, eis_mpc_id input);

/* Factors of a PRODUCT that are the same wire may stand for each other: of all sets of factors that give one product
 * returns the one with the first of them. Range: set < 2^in_count. */
unsigned eis_mpc_product_set(const eis_mpc_node *node, unsigned set);

/* Tells whether the dealer gives the product of masks of this set: one of two factors or more that stands for itself.
 */
static inline bool eis_mpc_product_dealt(const eis_mpc_node *node, unsigned set)
{
    return (set & (set - 1)) != 0 && eis_mpc_product_set(node, set) == set;
}

/* ---- Costs, from the shapes alone ------------------------------------------------------------------------------- */

/* Words that every party opens, and words of material: plain masks, and words of correction to the last party. */
typedef struct eis_mpc_cost {
    uint64_t opened, masks, corrections;
    uint32_t rounds;
} eis_mpc_cost;

void eis_mpc_node_cost(eis_mpc_cost *cost, const eis_mpc_graph *graph, eis_mpc_id id);
void eis_mpc_graph_cost(eis_mpc_cost *cost, const eis_mpc_graph *graph);

/* The digest of what every word of a graph's material is for: it enters the keys of the streams that the words come
 * from, so that a dealer and parties who go through different graphs have no word in common. Shape: out_digest[32].
 * Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_graph_digest(uint8_t *out_digest, const eis_mpc_graph *graph);

#endif
