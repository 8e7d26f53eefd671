/* SPDX-License-Identifier: Apache-2.0 */
#include "model/dense.h"

#include <stdio.h>
#include <string.h>

eis_status eis_model_new_dense(eis_model **model, const char *name, uint32_t in, uint32_t out, const double *bias,
                               uint32_t steps_max)
{
    eis_status st = EIS_OK;
    eis_model *made = NULL;
    eis_linear *node;
    eis_step *steps;
    double *numbers; /* mean, deviation, bias */

    EIS_ASSERT(steps_max > 0);
    *model = NULL;
    EIS_TRY(eis_model_new(&made, EIS_MODEL_CLASSIFIER));
    node = eis_model_add_linear(made);
    steps = eis_model_new_array(made, steps_max, sizeof *steps);
    numbers = eis_model_new_array(made, (size_t)out + 2, sizeof *numbers);
    if (node == NULL || steps == NULL || numbers == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    numbers[1] = 1;
    memcpy(numbers + 2, bias, out * sizeof *bias);
    *node = (eis_linear){.kind = EIS_LINEAR_DENSE, .in = in, .out = out, .bias = numbers + 2, .piece_count = 1};
    snprintf(node->name, sizeof node->name, "%s", name);
    steps[0] = eis_step_of_vectors(EIS_STEP_LINEAR, in, out);
    made->classifier = (eis_classifier){.channels = in,
                                        .height = 1,
                                        .width = 1,
                                        .divide = 1,
                                        .mean = numbers,
                                        .deviation = numbers + 1,
                                        .mean_count = 1,
                                        .deviation_count = 1,
                                        .steps = steps,
                                        .step_count = 1,
                                        .class_count = out};
    memcpy(made->classifier.name, node->name, sizeof node->name);
    *model = made;
    made = NULL;
out:
    eis_model_free(made);
    return st;
}
