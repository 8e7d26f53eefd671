/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier as ciphertexts see it: affine maps, and between them squares or polynomials.
 *
 * Neighbouring affine steps (linear, conv2d, a batch norm of its own, average pool, flatten, a polynomial of degree 1)
 * become one map. A polynomial of degree 2 becomes a square,
 *
 *   c0 + c1 x + c2 x^2  =  c2 (x + h)^2 + c0 - c2 h^2,    h = c1 / (2 c2),
 *
 * whose h goes into the map before it and whose factor goes into the map behind it. So nodes alternate: map, square or
 * polynomial or local, map, ...; the first and the last one are maps, save that a polynomial may end a graph. */
#ifndef EIS_ENGINE_HE_GRAPH_H
#define EIS_ENGINE_HE_GRAPH_H

#include "engine/he/map.h"

#include <stdbool.h>

typedef enum eis_he_node_kind {
    EIS_HE_NODE_MAP = 1,
    EIS_HE_NODE_SQUARE = 2,
    EIS_HE_NODE_POLYNOMIAL = 3, /* degree 3 and above */
    EIS_HE_NODE_LOCAL = 4       /* what a client computes: only in a graph made for interaction */
} eis_he_node_kind;

typedef struct eis_he_node {
    eis_he_node_kind kind;
    char name[EIS_LINEAR_NAME_BYTES]; /* of the (first) linear layer, or of the operation */
    uint32_t in, out;                 /* numbers */
    uint32_t step_first, step_count;  /* of the model: what it was made of */
    eis_he_map map;                   /* MAP */
    double factor, shift;             /* SQUARE: factor x^2 + shift; 1 (or -1, in the last node) and 0 (likewise) */
    const double *coeff;              /* POLYNOMIAL: rising powers; the model's */
    uint32_t coeff_count;
    double interval[2]; /* POLYNOMIAL: where it is meant to be used */
    double declared;    /* bound of |output| that the model declares, its margin included; 0: none */
} eis_he_node;

typedef struct eis_he_graph {
    eis_he_node *node; /* [count] */
    uint32_t count;
    uint32_t in, out;
    double input_max; /* of |x|, by the model's own scaling; see plan.h */
} eis_he_graph;

/* Makes the graph of a classifier with weights. With `interactive` all that is not affine is a LOCAL node.
 *
 * Cost:    12 bytes per weight of a map.
 * Errors:  EIS_ERR_MODEL        a language model, or a client part without weights.
 *          EIS_ERR_UNSUPPORTED  a layer that ciphertexts cannot compute (not with `interactive`), with the offer; a map
 *                               of more than EIS_HE_TERMS_MAX weights.
 *          EIS_ERR_MEMORY.      *graph is NULL on error. */
EIS_MUST_USE eis_status eis_he_graph_new(eis_he_graph **graph, const eis_model *model, bool interactive);

/* Frees. NULL is allowed. */
void eis_he_graph_free(eis_he_graph *graph);

/* Says what a refused step could be replaced by: the polynomials of degree 2 to 7 that come nearest to it on the
 * interval that the model declares for what goes in, with their errors, and --interactive. `interval` 0: not known. */
eis_status eis_he_offer(const eis_step *step, const char *place, double interval);

#endif
