/* SPDX-License-Identifier: Apache-2.0 */
/* Affine maps of a classifier as sparse matrices: linear layers, convolutions, pools, norms, and their products. */
#ifndef EIS_ENGINE_HE_MAP_H
#define EIS_ENGINE_HE_MAP_H

#include "engine/he/contract.h"
#include "model/graph.h"

/* A sparse matrix by rows and a bias: y[i] = bias[i] + sum of weight[k] x[column[k]], k in [start[i], start[i + 1]). */
typedef struct eis_he_map {
    uint32_t rows, columns;
    uint64_t *start;  /* [rows + 1] */
    uint32_t *column; /* [start[rows]], rising in a row */
    double *weight;   /* [start[rows]], finite; zeros may be among them */
    double *bias;     /* [rows] */
} eis_he_map;

#define EIS_HE_TERMS_MAX ((uint64_t)1 << 25) /* weights of one map; a convolution counts each use */

/* Makes the map of a linear, affine or average-pool step, or of a polynomial of degree 0 or 1.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  too large; EIS_ERR_MODEL  a weight is not finite, or a client part; EIS_ERR_MEMORY.
 *          *map is zeroed. */
EIS_MUST_USE eis_status eis_he_map_step(eis_he_map *map, const eis_model *model, const eis_step *step);

/* Makes y[i] = factor[i / run] x[i] + shift[i / run]. Errors: as above. */
EIS_MUST_USE eis_status eis_he_map_diagonal(eis_he_map *map, uint32_t count, uint32_t run, const double *factor,
                                            const double *shift);

/* map = after * map. Terms that cancel are left out. Errors: as above; *map is as it was. */
EIS_MUST_USE eis_status eis_he_map_compose(eis_he_map *map, const eis_he_map *after);

/* Puts a number transformation before or behind: map(factor x + shift), or factor map(x) + shift. */
void eis_he_map_scale_input(eis_he_map *map, double factor, double shift);
void eis_he_map_scale_output(eis_he_map *map, double factor, double shift);

/* Writes row i of a map as a dense vector. Shape: row[columns]. */
void eis_he_map_row(double *row, const eis_he_map *map, uint32_t i);

/* Bounds of a map for |x| <= x_max in each number: of any output, bias included; and of the sum of squares of a row's
 * weights, by which the variance of an error grows. */
double eis_he_map_bound(const eis_he_map *map, double x_max);
double eis_he_map_square_norm(const eis_he_map *map);

/* Returns the largest |weight|. */
double eis_he_map_largest(const eis_he_map *map);

/* Returns the most weights of a row. */
uint64_t eis_he_map_terms(const eis_he_map *map);

void eis_he_map_clear(eis_he_map *map);

#endif
