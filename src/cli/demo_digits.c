/* SPDX-License-Identifier: Apache-2.0 */
/* Third act: ten digits, drawn as text, each with its private class and its plaintext class. */
#include "base/mem.h"
#include "cli/demo.h"
#include "cli/models_dir.h"
#include "model/classifier.h"
#include "model/input.h"

#include <stdio.h>
#include <string.h>

#define NAME         "digits"
#define DIGITS       10
#define PER_ROW      5
#define CELL_COLUMNS 2 /* pixels that one character stands for */
#define CELL_ROWS    4
#define GAP          2

typedef struct act {
    eis_model *model;
    eis_cli_backend plain, split;
    double *x, *right, *private; /* [DIGITS][...] */
    size_t elements, classes;
} act;

static eis_status read_samples(act *a, const char *dir)
{
    eis_status st = EIS_OK;
    eis_inputs inputs = {0};

    EIS_NEW(a->x, DIGITS * a->elements);
    for (unsigned d = 0; d < DIGITS; d++) {
        char path[EIS_CLI_PATH_BYTES];
        EIS_REQUIRE(snprintf(path, sizeof path, "%s/samples/%u.pgm", dir, d) < (int)sizeof path, EIS_ERR_FILE,
                    "%s: the path is too long", dir);
        EIS_TRY(eis_inputs_read(&inputs, path, 1, NULL));
        EIS_REQUIRE(inputs.count == 1 && inputs.elements == a->elements, EIS_ERR_SHAPE,
                    "%s: %zu pixels, the model takes %zu", path, inputs.elements, a->elements);
        memcpy(a->x + d * a->elements, inputs.x, a->elements * sizeof *a->x);
        eis_inputs_clear(&inputs);
    }
out:
    eis_inputs_clear(&inputs);
    return st;
}

/* The mean grey of a cell as a character. */
static char shade(const double *image, uint32_t width, uint32_t row, uint32_t column)
{
    static const char shades[] = " .:-=+*#%@";
    double sum = 0;
    int index;

    for (uint32_t r = 0; r < CELL_ROWS; r++)
        for (uint32_t c = 0; c < CELL_COLUMNS; c++)
            sum += image[(row * CELL_ROWS + r) * width + column * CELL_COLUMNS + c];
    index = (int)(sum / (CELL_ROWS * CELL_COLUMNS) / 256 * (int)(sizeof shades - 1));
    return shades[index < 0 ? 0 : index > 9 ? 9 : index];
}

void eis_cli_demo_draw(const double *image, uint32_t width, uint32_t height)
{
    for (uint32_t row = 0; row < height / CELL_ROWS; row++) {
        printf("  ");
        for (uint32_t column = 0; column < width / CELL_COLUMNS; column++) putchar(shade(image, width, row, column));
        putchar('\n');
    }
    putchar('\n');
}

static void draw_row(const act *a, unsigned first)
{
    const eis_classifier *c = &a->model->classifier;
    int cell_width = (int)(c->width / CELL_COLUMNS) + GAP;
    char name[16];

    for (uint32_t row = 0; row < c->height / CELL_ROWS; row++) {
        printf("  ");
        for (unsigned d = first; d < first + PER_ROW; d++) {
            for (uint32_t column = 0; column < c->width / CELL_COLUMNS; column++)
                putchar(shade(a->x + d * a->elements, c->width, row, column));
            printf("%*s", GAP, "");
        }
        putchar('\n');
    }
    printf("  ");
    for (unsigned d = first; d < first + PER_ROW; d++)
        printf("private %-*s", cell_width - 8,
               eis_classifier_class_name(a->model, eis_classifier_best(a->model, a->private + d * a->classes), name));
    printf("\n  ");
    for (unsigned d = first; d < first + PER_ROW; d++)
        printf("plain   %-*s", cell_width - 8,
               eis_classifier_class_name(a->model, eis_classifier_best(a->model, a->right + d * a->classes), name));
    printf("\n\n");
}

static size_t count_equal(const act *a)
{
    size_t equal = 0;

    for (unsigned d = 0; d < DIGITS; d++)
        equal += eis_classifier_best(a->model, a->right + d * a->classes) ==
                 eis_classifier_best(a->model, a->private + d * a->classes);
    return equal;
}

static eis_status open_act(act *a, eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    char path[EIS_CLI_PATH_BYTES];

    EIS_TRY(eis_cli_models_find(path, NAME));
    EIS_TRY(eis_model_open(&a->model, path, NULL));
    EIS_REQUIRE(a->model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "%s is no classifier", path);
    a->elements = eis_classifier_input_count(a->model);
    a->classes = a->model->classifier.class_count;
    EIS_TRY(read_samples(a, path));
    EIS_NEW(a->right, DIGITS * a->classes);
    EIS_NEW(a->private, DIGITS * a->classes);
    EIS_TRY(eis_cli_demo_open(&a->plain, &a->split, demo, a->model, path, NAME));
out:
    return st;
}

eis_status eis_cli_demo_digits(eis_cli_demo *demo)
{
    eis_status st = EIS_OK;
    act a = {0};

    printf("3  Ten handwritten digits by %s\n\n", NAME);
    EIS_TRY(open_act(&a, demo));
    EIS_TRY(eis_classifier_run(a.model, &a.split.seam, a.private, NULL, a.x, DIGITS));
    EIS_TRY(eis_classifier_run(a.model, &a.plain.seam, a.right, NULL, a.x, DIGITS));
    for (unsigned first = 0; first < DIGITS; first += PER_ROW) draw_row(&a, first);
    eis_cli_demo_compare(demo, count_equal(&a) == DIGITS, "equal");
out:
    eis_cli_backend_close(&a.split);
    eis_cli_backend_close(&a.plain);
    eis_mem_free(a.x);
    eis_mem_free(a.right);
    eis_mem_free(a.private);
    eis_model_free(a.model);
    return st;
}
