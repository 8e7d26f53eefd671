/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier of one dense layer, made in memory: y = W x + b on inputs as they come. */
#ifndef EIS_MODEL_DENSE_H
#define EIS_MODEL_DENSE_H

#include "model/graph.h"

/* Makes it, with room for `steps_max` steps, of which the layer is the first; what follows is the caller's to fill,
 * with step_count and class_count. The bias is copied; the weights the caller puts into linears[0].pieces[0].
 *
 * Shape:   bias[out].
 * Range:   steps_max > 0; a name is cut where it is too long.
 * Errors:  EIS_ERR_MEMORY; *model is then NULL. */
EIS_MUST_USE eis_status eis_model_new_dense(eis_model **model, const char *name, uint32_t in, uint32_t out,
                                            const double *bias, uint32_t steps_max);

/* A step from a vector to a vector. */
static inline eis_step eis_step_of_vectors(eis_step_op op, uint32_t in, uint32_t out)
{
    return (eis_step){.op = op,
                      .in_channels = in,
                      .in_height = 1,
                      .in_width = 1,
                      .out_channels = out,
                      .out_height = 1,
                      .out_width = 1};
}

#endif
