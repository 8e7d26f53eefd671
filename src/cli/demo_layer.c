/* SPDX-License-Identifier: Apache-2.0 */
/* First act: the layer that the original program showed, with shares that are uniform. */
#include "base/mem.h"
#include "cli/demo.h"
#include "cli/legacy_layer.h"
#include "model/classifier.h"
#include "rand/entropy.h"

#include <math.h>
#include <stdio.h>

#define INPUTS       32 /* vectors: enough words for the test of uniformity to be sharp */
#define LOGITS_SHOWN 10

enum { PART_INPUT = 5 };

typedef struct act {
    eis_cli_legacy layer;
    eis_model *model;
    eis_cli_backend plain, split;
    float *drawn;
    double *x, *right, *fragmented; /* [INPUTS][...] */
    size_t inputs, outputs;
} act;

static eis_status draw_inputs(act *a)
{
    eis_status st = EIS_OK;
    size_t n = INPUTS * a->inputs;
    uint64_t seed;

    EIS_NEW(a->drawn, n);
    EIS_NEW(a->x, n);
    EIS_NEW(a->right, INPUTS * a->outputs);
    EIS_NEW(a->fragmented, INPUTS * a->outputs);
    EIS_TRY(eis_entropy_draw(&seed, sizeof seed));
    EIS_TRY(eis_cli_legacy_normals(a->drawn, n, 1, seed, PART_INPUT));
    for (size_t i = 0; i < n; i++) a->x[i] = (double)a->drawn[i];
out:
    return st;
}

static void print_logits(const char *name, const double *logits, size_t count)
{
    printf("  %-12s", name);
    for (size_t i = 0; i < count && i < LOGITS_SHOWN; i++) printf(" %7.4f", logits[i]);
    printf("%s\n", count > LOGITS_SHOWN ? " ..." : "");
}

static void print_shares(eis_cli_demo *demo)
{
    for (size_t i = 0; i < demo->sight.server_count; i++) {
        eis_cli_sight_verdict v = eis_cli_sight_judge(&demo->sight.servers[i]);
        printf("  share %zu%s: uniform with p = %.3g, correlation with the input %+.4f: %s\n", i + 1,
               i + 1 == demo->sight.server_count ? " (the last)" : "", v.p, v.correlation,
               v.passed ? "nothing to see" : "NOT UNIFORM");
        demo->agreed &= v.passed;
    }
}

static void show(eis_cli_demo *demo, const act *a)
{
    size_t agree = 0;
    double error = 0, size = 0;

    for (size_t i = 0; i < INPUTS; i++)
        agree += eis_classifier_best(a->model, a->right + i * a->outputs) ==
                 eis_classifier_best(a->model, a->fragmented + i * a->outputs);
    for (size_t i = 0; i < INPUTS * a->outputs; i++) {
        error += (a->right[i] - a->fragmented[i]) * (a->right[i] - a->fragmented[i]);
        size += a->right[i] * a->right[i];
    }
    print_logits("ground truth", a->right, a->outputs);
    print_logits("fragmented", a->fragmented, a->outputs);
    printf("  relative error over %d inputs: %.1e\n", INPUTS, size > 0 ? sqrt(error / size) : 0);
    eis_cli_demo_compare(demo, agree == INPUTS, "argmax matches");
    print_shares(demo);
}

eis_status eis_cli_demo_layer(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    act a = {0};

    EIS_TRY(eis_cli_legacy_init(&a.layer));
    a.inputs = a.layer.inputs;
    a.outputs = a.layer.outputs;
    printf("1  One layer, %zu -> %zu, on %zu servers\n\n", a.inputs, a.outputs, demo->sight.server_count);
    EIS_TRY(eis_cli_legacy_model(&a.model, &a.layer));
    EIS_TRY(draw_inputs(&a));
    EIS_TRY(eis_cli_demo_open(&a.plain, &a.split, demo, a.model, "", EIS_CLI_LEGACY_NAME));
    EIS_TRY(eis_classifier_run(a.model, &a.plain.seam, a.right, NULL, a.x, INPUTS));
    EIS_TRY(eis_classifier_run(a.model, &a.split.seam, a.fragmented, NULL, a.x, INPUTS));
    show(demo, &a);
out:
    eis_cli_backend_close(&a.split);
    eis_cli_backend_close(&a.plain);
    eis_model_free(a.model);
    eis_cli_legacy_clear(&a.layer);
    eis_mem_free(a.drawn);
    eis_mem_free(a.x);
    eis_mem_free(a.right);
    eis_mem_free(a.fragmented);
    return st;
}
