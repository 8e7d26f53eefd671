/* SPDX-License-Identifier: Apache-2.0 */
/* eis classify: one line per input, the same whatever the engine. */
#include "base/mem.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/he_report.h"
#include "cli/mpc_notes.h"
#include "cli/report.h"
#include "cli/slots.h"
#include "model/classifier.h"
#include "model/input.h"
#include "wire/json_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_WEIGHTS,
    KEY_INPUT,
    KEY_LABELS,
    KEY_LABEL_COLUMN,
    KEY_LIMIT,
    KEY_BATCH,
    KEY_JSON,
    KEY_REPORT
};

#define BATCH_DEFAULT 8

typedef struct flags {
    eis_cli_common common;
    eis_cli_split split;
    eis_cli_he he;
    eis_cli_he_own own;
    eis_cli_mpc mpc;
    const char *model, *weights, *input, *labels, *label_column;
    size_t limit, batch;
    bool json, report;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "DIR", 0, "Directory with model.json, or client part", 1},
    {"weights", KEY_WEIGHTS, "FILE", 0, "Weights in place of DIR/model.safetensors", 1},
    {"input", KEY_INPUT, "FILE", 0, "Inputs: .idx[.gz], .csv, .pgm or .json", 2},
    {"labels", KEY_LABELS, "FILE", 0, "What is right: .idx[.gz], or one label per line", 2},
    {"label-column", KEY_LABEL_COLUMN, "NAME", 0, "The column of a CSV file that is the label", 2},
    {"limit", KEY_LIMIT, "N", 0, "Only the first N inputs", 2},
    {"batch", KEY_BATCH, "N", 0, "Send N inputs at once (default 8)", 3},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object per input, its logits as far as they are exact, then a summary",
     4},
    {"report", KEY_REPORT, NULL, 0, "Print bytes, round trips and times per layer on stderr", 4},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_INPUT, flags, input),
    EIS_CLI_TEXT(KEY_LABELS, flags, labels),
    EIS_CLI_TEXT(KEY_LABEL_COLUMN, flags, label_column),
    EIS_CLI_NUMBER(KEY_LIMIT, flags, limit, 1, 1ul << 40),
    EIS_CLI_NUMBER(KEY_BATCH, flags, batch, 1, 1024),
    EIS_CLI_SWITCH(KEY_JSON, flags, json),
    EIS_CLI_SWITCH(KEY_REPORT, flags, report),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->split;
        state->child_inputs[2] = &f->he;
        state->child_inputs[3] = &f->own;
        state->child_inputs[4] = &f->mpc;
        f->split.he = &f->he;
        f->split.own = &f->own;
        f->split.mpc = &f->mpc;
        f->batch = BATCH_DEFAULT;
        return 0;
    case KEY_WEIGHTS:
        f->weights = f->split.weights = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; inputs are given with --input", arg);
        return 0;
    case ARGP_KEY_END:
        if (f->model == NULL) argp_error(state, "--model is missing");
        if (f->input == NULL) argp_error(state, "--input is missing");
        if (f->labels != NULL && f->label_column != NULL) argp_error(state, "give one of --labels and --label-column");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* What runs through the loop over inputs. */
typedef struct run {
    const flags *flags;
    const eis_model *model;
    const eis_inputs *inputs;
    const eis_labels *labels; /* NULL: none */
    eis_json_writer json;
    size_t correct;
    bool replaced, classes_only; /* the engine tells no logits */
    eis_he_session *he;          /* NULL: logits carry all their digits */
} run;

static void print_json_line(run *r, size_t index, uint32_t best, const double *logits)
{
    eis_json_writer *w = &r->json;
    char name[16];

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "index");
    eis_json_writer_u64(w, index);
    eis_json_writer_key(w, "class");
    eis_json_writer_u64(w, best);
    eis_json_writer_key(w, "label");
    eis_json_writer_text(w, eis_classifier_class_name(r->model, best, name));
    eis_json_writer_key(w, "logits");
    if (r->classes_only) {
        eis_json_writer_null(w);
    } else {
        eis_json_writer_begin_array(w);
        for (uint32_t i = 0; i < r->model->classifier.class_count; i++)
            eis_json_writer_rounded(w, logits[i], r->he != NULL ? eis_cli_he_digits(r->he, logits[i]) : 17);
        eis_json_writer_end_array(w);
    }
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
}

static eis_status print_result(run *r, size_t index, const double *logits)
{
    eis_status st = EIS_OK;
    uint32_t best = eis_classifier_best(r->model, logits), right;
    char name[16];

    if (r->flags->json)
        print_json_line(r, index, best, logits);
    else
        printf("%zu\t%s\n", index, eis_classifier_class_name(r->model, best, name));
    if (r->labels != NULL) {
        EIS_TRY(eis_classifier_class_find(r->model, &right, eis_labels_text(r->labels, index)));
        r->correct += right == best;
    }
    EIS_TRY(r->flags->json ? eis_json_writer_status(&r->json) : EIS_OK);
    if (ferror(stdout)) EIS_TRY(eis_cli_flush()); /* nobody reads on: no need to compute the rest */
out:
    return st;
}

static eis_status classify_all(run *r, const eis_cli_backend *backend)
{
    eis_status st = EIS_OK;
    /* With ciphertexts all is asked before anything is printed, and the engine packs as many as it can. */
    size_t classes = r->model->classifier.class_count, batch = backend->he != NULL ? r->inputs->count : r->flags->batch;
    double *logits = NULL;
    eis_cli_progress progress;

    eis_cli_progress_start(&progress, "classifying", &r->flags->common);
    EIS_NEW(logits, batch * classes);
    for (size_t first = 0; first < r->inputs->count; first += batch) {
        size_t left = r->inputs->count - first, count = left < batch ? left : batch;
        bool replaced = false;
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(eis_cli_backend_classify(backend, logits, &replaced, r->inputs->x + first * r->inputs->elements, count,
                                         &(eis_he_watch){eis_cli_progress_step, &progress}));
        r->replaced |= replaced;
        for (size_t i = 0; i < count; i++) EIS_TRY(print_result(r, first + i, logits + i * classes));
        eis_cli_progress_step(&progress, (double)(first + count) / (double)r->inputs->count);
    }
    EIS_TRY(eis_cli_flush());
out:
    eis_cli_progress_end(&progress);
    eis_mem_free_wiped(logits, batch * classes, sizeof *logits);
    return st;
}

static eis_status print_summary(run *r, const eis_cli_backend *backend)
{
    eis_json_writer *w = &r->json;

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "done");
    eis_json_writer_bool(w, true);
    eis_json_writer_key(w, "count");
    eis_json_writer_u64(w, r->inputs->count);
    eis_json_writer_key(w, "correct");
    if (r->labels != NULL)
        eis_json_writer_u64(w, r->correct);
    else
        eis_json_writer_null(w);
    eis_json_writer_key(w, "report");
    eis_cli_report_json(w, backend);
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
    if (eis_json_writer_status(w) != EIS_OK) return eis_json_writer_status(w);
    return eis_cli_flush();
}

static eis_status check_shapes(const run *r)
{
    size_t wanted = eis_classifier_input_count(r->model);

    if (r->inputs->elements != wanted)
        return eis_fail(EIS_ERR_SHAPE, "%s: an input has %zu numbers, the model takes %zu", r->flags->input,
                        r->inputs->elements, wanted);
    if (r->labels != NULL && r->labels->count != r->inputs->count)
        return eis_fail(EIS_ERR_SHAPE, "%zu labels for %zu inputs; --limit takes the first of both", r->labels->count,
                        r->inputs->count);
    return EIS_OK;
}

static eis_status run_classify(const flags *f)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_inputs inputs = {0};
    eis_labels labels = {0};
    eis_cli_backend backend = {0};
    run r = {.flags = f, .inputs = &inputs};
    const size_t calibration_max = 16;

    EIS_TRY(eis_cli_start(&f->common, false));
    EIS_TRY(eis_cli_split_check(&f->split));
    EIS_TRY(eis_model_open(&model, f->model, &(eis_model_options){.weights_path = f->weights}));
    EIS_REQUIRE(model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "%s is a language model; use `eis generate`",
                f->model);
    r.model = model;
    EIS_TRY(eis_inputs_read(&inputs, f->input, f->limit, f->label_column));
    if (f->labels != NULL) EIS_TRY(eis_labels_read(&labels, f->labels, f->limit));
    r.labels = labels.count > 0 ? &labels : inputs.labels.count > 0 ? &inputs.labels : NULL;
    EIS_TRY(check_shapes(&r));
    eis_json_writer_to_file(&r.json, stdout);
    EIS_TRY(eis_cli_backend_open(&backend, &f->split, &f->common, model, f->model, NULL, inputs.x,
                                 inputs.count < calibration_max ? inputs.count : calibration_max));
    r.classes_only = backend.mpc != NULL;
    r.he = backend.he;
    if (backend.mpc != NULL && !f->json && !f->common.quiet) eis_cli_mpc_notes_tell(backend.mpc);
    EIS_TRY(classify_all(&r, &backend));
    if (f->json) EIS_TRY(print_summary(&r, &backend));
    if (r.labels != NULL && !f->common.quiet)
        fprintf(stderr, "accuracy: %zu of %zu (%.2f %%)\n", r.correct, inputs.count,
                100.0 * (double)r.correct / (double)inputs.count);
    if (r.replaced) eis_log(EIS_LOG_WARN, "not_finite", "a value between two layers was not finite and was taken as 0");
    if (backend.he != NULL) eis_cli_he_warn(backend.he);
    if (f->report) eis_cli_report_print(stderr, &backend, false);
out:
    eis_cli_backend_close(&backend);
    eis_labels_clear(&labels);
    eis_inputs_clear(&inputs);
    eis_model_free(model);
    return st;
}

int eis_cmd_classify(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_split_argp, 0, NULL, 0},
                                                 {&eis_cli_he_argp, 0, NULL, 0},     {&eis_cli_he_own_argp, 0, NULL, 0},
                                                 {&eis_cli_mpc_argp, 0, NULL, 0},    {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Classify inputs, here or on servers that see nothing of them. Prints INDEX<TAB>LABEL.\v"
        "Example: a drawn digit on two embedded servers, and on one that computes on ciphertexts:\n\n"
        "  eis classify --engine split --model models/digits \\\n"
        "      --input models/digits/samples/3.pgm\n"
        "  eis classify --engine he --model models/digits-square \\\n"
        "      --input models/digits/samples/3.pgm --report\n\n"
        "With --engine mpc the parties see neither inputs nor weights, and only the class comes out:\n\n"
        "  eis classify --engine mpc --parties 2 --model models/digits \\\n"
        "      --input models/digits/samples/3.pgm\n\n"
        "The same by parties, a Triple Service and a coordinator that others run; --session is the file that was "
        "agreed "
        "on (eis serve coordinator --write-session):\n\n"
        "  eis classify --engine mpc --coordinator c.example:8080 \\\n"
        "      --session digits.session --ca ca.crt --cert owner.crt --key owner.key \\\n"
        "      --model models/digits --input models/digits/samples/3.pgm\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_classify(&f));
}
