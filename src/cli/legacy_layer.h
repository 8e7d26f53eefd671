/* SPDX-License-Identifier: Apache-2.0 */
/* The demo layer of the original program, described by its environment variables: EIS_D_IN inputs (256), EIS_D_OUT
 * outputs (10), weights about N(0, 0.1) and biases about N(0, 0.01) from EIS_SEED (42).
 *
 * The numbers come from a generator of our own (a stream of AES-128 in counter mode, twelve uniform words summed to one
 * normal number, exact integers up to the last rounding), so every machine with one seed has the same layer. They are
 * not those of NumPy's generator, which the original used. */
#ifndef EIS_CLI_LEGACY_LAYER_H
#define EIS_CLI_LEGACY_LAYER_H

#include "base/status.h"
#include "model/graph.h"

#include <stddef.h>
#include <stdint.h>

/* The name that the layer has at servers. */
#define EIS_CLI_LEGACY_NAME "demo"

typedef struct eis_cli_legacy {
    uint32_t inputs, outputs;
    uint64_t seed;
    float *weights; /* [outputs][inputs] */
    float *bias;    /* [outputs]; the client's, as in the original */
} eis_cli_legacy;

/* Makes the layer that the environment describes.
 *
 * Errors: EIS_ERR_USAGE  a variable holds no number of the range that its text names; EIS_ERR_MEMORY. *layer is
 * cleared. */
EIS_MUST_USE eis_status eis_cli_legacy_init(eis_cli_legacy *layer);

/* Frees. Safe on a zeroed one. */
void eis_cli_legacy_clear(eis_cli_legacy *layer);

/* Fills n numbers about N(0, deviation) from a seed; `part` separates what one seed is used for. Not for secrets: the
 * sum of twelve uniform numbers is bounded by six deviations. Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_cli_legacy_normals(float *out, size_t n, double deviation, uint64_t seed, unsigned part);

/* Makes a classifier of the one layer, whose weights stay the layer's: for the split engine.
 *
 * Errors: EIS_ERR_MEMORY; *model is then NULL. */
EIS_MUST_USE eis_status eis_cli_legacy_model(eis_model **model, const eis_cli_legacy *layer);

/* Reads a port from EIS_PORT, 8001 where it is not set. Errors: EIS_ERR_USAGE. */
EIS_MUST_USE eis_status eis_cli_legacy_port(uint16_t *port);

#endif
