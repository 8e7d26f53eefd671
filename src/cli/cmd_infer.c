/* SPDX-License-Identifier: Apache-2.0 */
/* eis infer: inputs through a model at a server that computes on ciphertexts alone. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/he_flags.h"
#include "cli/he_report.h"
#include "cli/slots.h"
#include "model/input.h"
#include "wire/json_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_VERSION,
    KEY_INPUT,
    KEY_LIMIT,
    KEY_LABEL_COLUMN,
    KEY_JSON,
    KEY_REPORT,
    KEY_PUBLISH
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_he he;
    eis_cli_access access;
    const char *model, *version, *input, *label_column;
    size_t limit;
    unsigned publish_bits;
    bool json, report;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "ID", 0, "The model at the server; `GET /models` lists them", 1},
    {"model-version", KEY_VERSION, "VERSION", 0, "Its version (default: the newest)", 1},
    {"input", KEY_INPUT, "FILE", 0, "Inputs: .idx[.gz], .csv, .pgm or .json", 2},
    {"label-column", KEY_LABEL_COLUMN, "NAME", 0, "A column of a CSV file that is no input", 2},
    {"limit", KEY_LIMIT, "N", 0, "Only the first N inputs", 2},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object per input, then a summary", 4},
    {"publish-bits", KEY_PUBLISH, "S", 0,
     "Add noise that hides with S bits of security what exact answers tell about the key, for showing them to others",
     4},
    {"report", KEY_REPORT, NULL, 0, "Print bytes, times and what the server held on stderr", 4},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_VERSION, flags, version),
    EIS_CLI_TEXT(KEY_INPUT, flags, input),
    EIS_CLI_TEXT(KEY_LABEL_COLUMN, flags, label_column),
    EIS_CLI_NUMBER(KEY_LIMIT, flags, limit, 1, 1ul << 40),
    EIS_CLI_NUMBER(KEY_PUBLISH, flags, publish_bits, 1, 128),
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
        state->child_inputs[1] = &f->he;
        state->child_inputs[2] = &f->access;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; inputs are given with --input", arg);
        return 0;
    case ARGP_KEY_END:
        if (f->he.url == NULL) argp_error(state, "--url is missing");
        if (f->model == NULL) argp_error(state, "--model is missing");
        if (f->input == NULL) argp_error(state, "--input is missing");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* What runs through the printing of results. */
typedef struct run {
    const flags *flags;
    eis_he_session *session;
    eis_json_writer json;
    size_t values;
    uint64_t opened_ns;
} run;

static size_t find_best(const double *y, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++) best = y[i] > y[best] ? i : best;
    return best;
}

/* The label of the largest value, or NULL where the model has no labels for its values. */
static const char *label_of(const run *r, const double *y)
{
    const eis_he_info *info = eis_he_remote_info(eis_he_session_remote(r->session));

    return info->label_count == r->values && r->values > 1 ? info->labels[find_best(y, r->values)] : NULL;
}

static void print_json_line(run *r, size_t index, const double *y)
{
    eis_json_writer *w = &r->json;
    const char *label = label_of(r, y);

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "index");
    eis_json_writer_u64(w, index);
    if (label != NULL) {
        eis_json_writer_key(w, "class");
        eis_json_writer_u64(w, find_best(y, r->values));
        eis_json_writer_key(w, "label");
        eis_json_writer_text(w, label);
    }
    eis_json_writer_key(w, "values");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < r->values; i++) eis_json_writer_rounded(w, y[i], 9);
    eis_json_writer_end_array(w);
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
}

static void print_line(const run *r, size_t index, const double *y)
{
    const char *label = label_of(r, y);

    printf("%zu\t", index);
    if (label != NULL)
        printf("%s", label);
    else
        for (size_t i = 0; i < r->values; i++) printf("%s%.9g", i > 0 ? " " : "", y[i]);
    putchar('\n');
}

static void print_summary(run *r, size_t count)
{
    eis_json_writer *w = &r->json;

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "done");
    eis_json_writer_bool(w, true);
    eis_json_writer_key(w, "count");
    eis_json_writer_u64(w, count);
    eis_json_writer_key(w, "report");
    eis_cli_he_report_json(w, r->session, eis_clock_ns() - r->opened_ns);
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
}

/* Everything is asked before anything is printed: what stdout does with a result is nothing for the network to see. */
static eis_status infer_all(run *r, eis_inputs *inputs)
{
    eis_status st = EIS_OK;
    eis_he_remote *remote = eis_he_session_remote(r->session);
    const eis_he_scaling scaling = eis_he_remote_scaling(remote);
    eis_cli_progress progress;
    double *y = NULL;
    size_t words = 0;

    r->values = eis_he_remote_values(remote);
    eis_cli_progress_start(&progress, "inferring", &r->flags->common);
    EIS_REQUIRE(inputs->elements == eis_he_remote_size(remote), EIS_ERR_SHAPE,
                "%s: an input has %zu numbers, the model takes %zu", r->flags->input, inputs->elements,
                eis_he_remote_size(remote));
    EIS_REQUIRE(eis_size_mul(&words, inputs->count, r->values), EIS_ERR_TOO_LARGE, "too many inputs");
    EIS_NEW(y, words);
    eis_he_scale(inputs->x, inputs->elements, inputs->count, &scaling);
    EIS_TRY(
        eis_he_remote_infer(remote, y, inputs->x, inputs->count, &(eis_he_watch){eis_cli_progress_step, &progress}));
    eis_cli_progress_end(&progress);
    for (size_t i = 0; i < inputs->count; i++)
        r->flags->json ? print_json_line(r, i, y + i * r->values) : print_line(r, i, y + i * r->values);
    if (r->flags->json) {
        print_summary(r, inputs->count);
        EIS_TRY(eis_json_writer_status(&r->json));
    }
    EIS_TRY(eis_cli_flush());
out:
    eis_cli_progress_end(&progress);
    eis_mem_free_wiped(y, words, sizeof *y);
    return st;
}

static eis_status run_infer(const flags *f)
{
    eis_status st = EIS_OK;
    eis_inputs inputs = {0};
    eis_he_session_wish wish;
    run r = {.flags = f};

    EIS_TRY(eis_cli_start(&f->common, false));
    EIS_TRY(eis_inputs_read(&inputs, f->input, f->limit, f->label_column));
    eis_cli_he_wish(&wish, &f->he, &f->access, NULL, &f->common);
    wish.model_id = f->model;
    wish.version = f->version;
    wish.publish_bits = f->publish_bits;
    EIS_TRY(eis_he_session_open(&r.session, &wish));
    r.opened_ns = eis_clock_ns();
    eis_json_writer_to_file(&r.json, stdout);
    EIS_TRY(infer_all(&r, &inputs));
    eis_cli_he_warn(r.session);
    if (f->report) eis_cli_he_report_print(stderr, r.session, eis_clock_ns() - r.opened_ns);
out:
    eis_he_session_close(r.session);
    eis_inputs_clear(&inputs);
    return st;
}

int eis_cmd_infer(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_he_argp, 0, NULL, 0}, {&eis_cli_access_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Send encrypted inputs to a server that computes on them without reading them. Prints INDEX<TAB>LABEL, or "
        "INDEX<TAB>VALUES where the model has no labels.\v"
        "The server publishes what it needs; parameters are held against --security-policy, keys are made here, and "
        "the one that decrypts stays in a file of mode 0600 and is used again.\n\n"
        "Example: with `eis serve api --registry models/registry` running:\n\n"
        "  eis infer --url http://127.0.0.1:8000 --model digits-square \\\n"
        "      --input models/digits/samples/3.pgm\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_infer(&f));
}
