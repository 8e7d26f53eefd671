/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution as a map of windows: the client lays out every window of the image (im2col), slot padded * tap + w is
 * tap `tap` of window w. With rows of `padded` slots, row r of the result belongs to channel r mod channels: the sum
 * over d of rotate(x, d padded) times a plane, then a fold over the rows that belong to the same channel, leaves
 * channel c's windows in row c, and copies of them in row c + channels, c + 2 channels and so on.
 *
 * Planes hold one number per row, whatever the window, so that all ciphertexts of one image share them. */
#ifndef EIS_ENGINE_HE_WINDOWS_H
#define EIS_ENGINE_HE_WINDOWS_H

#include "engine/he/network_grid.h"
#include "engine/he/plan_internal.h"

/* The convolution that a map is made of, or NULL where it is more than one convolution with a norm behind it. */
const eis_linear *eis_he_windows_layer(const eis_model *model, const eis_he_node *node);

/* Lays the windows of a convolution into ciphertexts: into one where `single` asks for it, else into as few as may be.
 * *p has its sums and folds and the grid of one ciphertext's result.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  they do not fit; the text has the numbers. */
EIS_MUST_USE eis_status eis_he_windows_shape(eis_he_packing *packing, eis_he_product *p, const eis_linear *layer,
                                             size_t slots, bool single);

/* Returns how many windows an image has. Range: a packing of windows that is checked or planned. */
uint32_t eis_he_windows_count(const eis_he_packing *packing);

/* Reads the kernels back from a map.
 *
 * Shape:   kernel[channels out][taps]; map: rows channel by channel, as a convolution makes them. */
void eis_he_windows_kernel(double *kernel, const eis_he_map *map, const eis_he_packing *packing);

/* Fills the plane of diagonal d. Returns whether it has a factor that is not 0.
 * Shape:   values[slots]; kernel[channels][taps]. */
bool eis_he_windows_plane(double *values, const eis_he_product *p, const double *kernel, uint32_t channels,
                          uint32_t taps, size_t slots, uint32_t d);

/* Stages of an interactive plan that are one convolution. */
extern const eis_he_method eis_he_method_windows;

/* Plans one such stage. Errors: EIS_ERR_UNSUPPORTED  it is none; else as a form's plan function. */
EIS_MUST_USE eis_status eis_he_plan_windows(eis_he_draft *draft, uint32_t stage, uint32_t node, double input_max);

/* Interactive plans of whole models: interactive_plan.c. */
extern const eis_he_method eis_he_method_interactive;

#endif
