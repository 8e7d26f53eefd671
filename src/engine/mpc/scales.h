/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: the scales that functions are computed at. Products of them are what fits the field. */
#ifndef EIS_ENGINE_MPC_SCALES_H
#define EIS_ENGINE_MPC_SCALES_H

#define EXP_FRAC           14 /* of t, the place in the interval */
#define EXP_COEFFICIENT    16
#define EXP_INPUT_FRAC_MAX 41 /* leaves the factor that leads to t 16 bits */
#define ACT_FRAC           13
#define ACT_COEFFICIENT    15
#define PLACE_FRAC         20     /* of the factor that leads to t */
#define EXP_BEYOND         0.125  /* the gate of exp is blurred by this much, so the fit reaches further */
#define ACT_BEYOND         0x1p-6 /* and those of activations */
#define ACT_REACH          0.0625 /* how much further their fit reaches */

#define SIGMOID_FRAC 20 /* of h, where sigmoid is 1/2 + x h */

#define LINE_FRAC 44
#define ROOT_FRAC 20
#define ROOT_FROM (0x1p-8 + 0x1p-16) /* at 2^-8 itself 3 y - x y^3 would have one bit too many */
#define ROOT_SPAN 0x1p16

typedef struct reciprocal_scale {
    double power;
    unsigned x_frac, y_frac, result_frac; /* of the argument, of what goes into Newton's step, of the result */
} reciprocal_scale;

static const reciprocal_scale reciprocal_scales = {1, 14, 18, 22}, root_scales = {0.5, 18, 12, ROOT_FRAC};

#endif
