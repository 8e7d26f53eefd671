/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mpc_notes.h"

#include "base/log.h"

#define EXP_FIT_MOST 0x1p-10 /* beyond it small exponentials are mostly error */
#define LINE_BYTES   512

static void write_errors(char line[LINE_BYTES], const eis_mpc_manifest_notes *n)
{
    const struct {
        const char *name, *unit;
        double error;
    } rows[] = {{"exp", "", n->exp_error},
                {n->activation, "", n->activation_error},
                {"1/x", " relative", n->reciprocal_error},
                {"1/sqrt(x)", " relative", n->root_error}};
    int at = 0;

    line[0] = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error > 0)
            at += snprintf(line + at, (size_t)(LINE_BYTES - at), "%s%s %.1e%s",
                           at > 0 ? ", " : "errors at most: ", rows[i].name, rows[i].error, rows[i].unit);
}

/* Each line goes to one of these: what is dubious to warn. event: its name in a log. */
typedef void say(FILE *out, const char *event, const char *line);

/* What the session's tests leave open. */
static void tell_open(FILE *out, say *note, const eis_mpc_tests *tests)
{
    if (tests->level == 0) note(out, "tests", "sacrifice.level 0: the Triple Service is trusted to deal right");
    if (tests->level == 1)
        note(out, "tests",
             "sacrifice.level 1: digits and parts of truncations are taken as the Triple Service deals them");
    if (!tests->inputs) note(out, "tests", "prompt.check off: a prompt may be a mixture of tokens");
}

static void tell(FILE *out, say *note, say *warn, const eis_mpc_manifest_notes *n)
{
    char line[LINE_BYTES + EIS_MPC_DECLARED_BYTES];

    write_errors(line, n);
    if (line[0] != 0) note(out, "errors", line);
    tell_open(out, note, &n->tests);
    if (n->exp_fit_error > EXP_FIT_MOST) {
        snprintf(line, sizeof line,
                 "the polynomial for exp is off by up to %.1e and may be negative near the end of its range; raise "
                 "cheby.deg or lower cheby.range",
                 n->exp_fit_error);
        warn(out, "bounds", line);
    }
    if (n->declared[0] != 0) {
        snprintf(line, sizeof line,
                 "bounds that the model's owner declares, and no theorems, hold for %s; an input beyond them gives "
                 "wrong answers",
                 n->declared);
        warn(out, "bounds", line);
    }
}

static void print_note(FILE *out, const char *event, const char *line)
{
    (void)event;
    fprintf(out, "%s\n", line);
}

static void print_warning(FILE *out, const char *event, const char *line)
{
    (void)event;
    fprintf(out, "warning: %s\n", line);
}

void eis_cli_mpc_notes_print(FILE *out, const eis_mpc_manifest_notes *notes)
{
    tell(out, print_note, print_warning, notes);
}

static void log_note(FILE *out, const char *event, const char *line)
{
    (void)out;
    eis_log(EIS_LOG_INFO, event, "%s", line);
}

static void log_warning(FILE *out, const char *event, const char *line)
{
    (void)out;
    eis_log(EIS_LOG_WARN, event, "%s", line);
}

void eis_cli_mpc_notes_log(const eis_mpc_manifest_notes *notes) { tell(NULL, log_note, log_warning, notes); }

void eis_cli_mpc_notes_tell(const eis_mpc_text *text)
{
    eis_mpc_text_report report;

    eis_mpc_text_report_get(&report, text);
    eis_cli_mpc_notes_print(stderr, report.notes);
}

void eis_cli_mpc_notes_json(eis_json_writer *w, const eis_mpc_manifest_notes *n)
{
    const struct {
        const char *name;
        double error;
    } rows[] = {{"exp", n->exp_error},
                {"exp_fit", n->exp_fit_error},
                {"activation", n->activation_error},
                {"reciprocal", n->reciprocal_error},
                {"root", n->root_error}};

    eis_json_writer_key(w, "errors_at_most");
    eis_json_writer_begin_object(w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!(rows[i].error > 0)) continue;
        eis_json_writer_key(w, rows[i].name);
        eis_json_writer_f32(w, (float)rows[i].error);
    }
    eis_json_writer_end_object(w);
    eis_json_writer_key(w, "declared_bounds");
    eis_json_writer_text(w, n->declared);
}
