/* SPDX-License-Identifier: Apache-2.0 */
/* Each command is run once with nothing but its name; its call of eis_cli_parse ends up here with its tables. */
#include "cli/manual.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES         4096
#define OPTIONS_MAX        128
#define COMMAND_NAME_BYTES 64
#define PROGRAM            "eis"

/* The engines of `serve` are commands of their own as far as pages go. */
static const char *const serve_engines[] = {"split", "api", "party", "triples", "coordinator"};

static struct {
    const char *dir; /* NULL: no pages are being written */
    FILE *completions;
    eis_status st;
} job;

/* ---- roff ---- */

static void put_text(FILE *out, const char *text, size_t bytes)
{
    if (bytes > 0 && (text[0] == '.' || text[0] == '\'')) fputs("\\&", out);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else
            fputc(text[i], out);
    }
}

/* Paragraphs; lines that begin with a space are printed as they stand. */
static void put_paragraphs(FILE *out, const char *text)
{
    bool verbatim = false;

    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        bool indented = *text == ' ';
        if (indented && !verbatim) fputs(".nf\n", out);
        if (!indented && verbatim) fputs(".fi\n", out);
        verbatim = indented;
        if (bytes == 0)
            fputs(".PP\n", out);
        else {
            put_text(out, text, bytes);
            fputc('\n', out);
        }
        text += bytes + (text[bytes] == '\n');
    }
    if (verbatim) fputs(".fi\n", out);
}

static void put_heading(FILE *out, const char *name, const char *summary)
{
    fprintf(out,
            ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made by `%s help --man` from the tables of the "
            "program.\n.TH ",
            PROGRAM);
    for (const char *c = name; *c != '\0'; c++) fputc(*c == ' ' ? '-' : toupper((unsigned char)*c), out);
    fprintf(out, " 1 \"\" \"%s %s\" \"User commands\"\n.SH NAME\n", PROGRAM, EIS_VERSION_TEXT);
    put_text(out, name, strlen(name));
    fputs(" \\- ", out);
    put_text(out, summary, strlen(summary));
    fputc('\n', out);
}

static FILE *open_file(const char *name, const char *suffix)
{
    char path[PATH_BYTES];
    size_t dir_bytes = strlen(job.dir) + 1;
    FILE *out = NULL;

    if (snprintf(path, sizeof path, "%s/%s%s", job.dir, name, suffix) < (int)sizeof path) {
        for (char *c = path + dir_bytes; *c != '\0'; c++)
            if (*c == ' ') *c = '-';
        out = fopen(path, "w");
    }
    if (out == NULL) job.st = eis_fail(EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    return out;
}

static void close_file(FILE *out)
{
    bool failed = ferror(out) != 0;

    if ((fclose(out) != 0 || failed) && job.st == EIS_OK)
        job.st = eis_fail(EIS_ERR_FILE, "%s: cannot be written", job.dir);
}

/* ---- options ---- */

/* Collects the options of a table and of the tables below it. */
static size_t collect(const struct argp_option **all, size_t count, const struct argp *argp)
{
    for (const struct argp_option *o = argp->options; o != NULL && o->name != NULL; o++)
        if (!(o->flags & OPTION_HIDDEN) && count < OPTIONS_MAX) all[count++] = o;
    for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++)
        count = collect(all, count, c->argp);
    return count;
}

/* By group as argp prints them, keeping the order within a group. */
static void sort_by_group(const struct argp_option **all, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && all[j - 1]->group > all[j]->group; j--) {
            const struct argp_option *o = all[j];
            all[j] = all[j - 1];
            all[j - 1] = o;
        }
}

static void put_option(FILE *out, const struct argp_option *o)
{
    fputs(".TP\n", out);
    if (isprint(o->key) && o->key < 128) fprintf(out, "\\fB\\-%c\\fR, ", o->key);
    fputs("\\fB\\-\\-", out);
    put_text(out, o->name, strlen(o->name));
    fputs("\\fR", out);
    if (o->arg != NULL) {
        fputs("=\\fI", out);
        put_text(out, o->arg, strlen(o->arg));
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_text(out, o->doc, strlen(o->doc));
    fputc('\n', out);
}

static void put_completion(const char *name, const struct argp_option *const *all, size_t count)
{
    fprintf(job.completions, "    '%s') words='", strchr(name, ' ') + 1);
    for (size_t i = 0; i < count; i++)
        fprintf(job.completions, "--%s%s ", all[i]->name, all[i]->arg != NULL ? "=" : "");
    fputs("--help --version' ;;\n", job.completions);
}

static void put_synopsis(FILE *out, const struct argp *argp, const char *name)
{
    fputs(".SH SYNOPSIS\n.B ", out);
    put_text(out, name, strlen(name));
    fputs("\n", out);
    if (argp->args_doc != NULL) fprintf(out, ".I %s\n", argp->args_doc);
    fputs("[\\fIOPTION\\fR...]\n", out);
}

bool eis_cli_manual_page(const struct argp *argp, const char *name)
{
    const struct argp_option *all[OPTIONS_MAX];
    const char *after;
    char summary[256];
    size_t count;
    FILE *out;

    if (job.dir == NULL) return false;
    out = open_file(name, ".1");
    if (out == NULL) return true;
    after = strchr(argp->doc, '\v');
    snprintf(summary, sizeof summary, "%.*s", (int)strcspn(argp->doc, ".:\v"), argp->doc);
    summary[0] = (char)tolower((unsigned char)summary[0]);
    count = collect(all, 0, argp);
    sort_by_group(all, count);

    put_heading(out, name, summary);
    put_synopsis(out, argp, name);
    fputs(".SH DESCRIPTION\n", out);
    put_text(out, argp->doc, after != NULL ? (size_t)(after - argp->doc) : strlen(argp->doc));
    fputs("\n.SH OPTIONS\n", out);
    for (size_t i = 0; i < count; i++) put_option(out, all[i]);
    if (after != NULL) {
        fputs(".SH EXAMPLES AND NOTES\n", out);
        put_paragraphs(out, after + 1);
    }
    fputs(".SH SEE ALSO\n.BR " PROGRAM " (1)\n", out);
    close_file(out);
    put_completion(name, all, count);
    return true;
}

/* ---- all of them ---- */

static void put_main_page(const eis_command *commands, size_t count, const char *doc)
{
    FILE *out = open_file(PROGRAM, ".1");

    if (out == NULL) return;
    put_heading(out, PROGRAM, "run a model on machines that never see the input");
    fputs(".SH SYNOPSIS\n.B " PROGRAM "\n\\fICOMMAND\\fR [\\fIOPTION\\fR...]\n.SH DESCRIPTION\n", out);
    put_text(out, doc, strlen(doc));
    fputs("\n.SH COMMANDS\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, ".TP\n.B %s\n", commands[i].name);
        put_text(out, commands[i].summary, strlen(commands[i].summary));
        fputc('\n', out);
    }
    fputs(".PP\nEach command has a page of its own, such as\n.BR " PROGRAM "\\-generate (1).\n"
          ".SH EXIT STATUS\n0 done, 1 a check failed, 2 usage, 3 bad input or file, 4 a peer or the network, 5 "
          "integrity, 6 limits or\n"
          "resources, 130 interrupted.\n"
          ".SH ENVIRONMENT\n.TP\n.B EIS_KERNELS\nThe level of the kernels (generic, avx2, ...; default: the highest "
          "that the processor has).\n"
          ".TP\n.B EIS_MODELS\nThe directory of the models that demo and audit use.\n"
          ".TP\n.BR EIS_PORT \", \" EIS_D_IN \", \" EIS_D_OUT \", \" EIS_SEED\nAs in the original program; "
          "see\n.BR " PROGRAM "\\-serve\\-split (1).\n",
          out);
    close_file(out);
}

static void put_completion_head(const eis_command *commands, size_t count)
{
    fputs("# SPDX-License-Identifier: Apache-2.0\n# Completions of " PROGRAM " for bash; made by `" PROGRAM
          " help --man`.\n"
          "_" PROGRAM "()\n{\n    local words='' command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]}\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '",
          job.completions);
    for (size_t i = 0; i < count; i++) fprintf(job.completions, "%s ", commands[i].name);
    fputs("help' -- \"$current\"))\n        return\n    fi\n"
          "    if [ \"$command\" = serve ]; then\n"
          "        if [ \"$COMP_CWORD\" -eq 2 ]; then COMPREPLY=($(compgen -W '",
          job.completions);
    for (size_t i = 0; i < sizeof serve_engines / sizeof serve_engines[0]; i++)
        fprintf(job.completions, "%s ", serve_engines[i]);
    fputs("' -- \"$current\")); return; fi\n        command=\"serve ${COMP_WORDS[2]}\"\n    fi\n    case $command in\n",
          job.completions);
}

static void put_completion_foot(void)
{
    fputs("    esac\n"
          "    case $current in\n"
          "    -*)\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
          "        ;;\n"
          "    *) compopt -o default ;;\n"
          "    esac\n"
          "}\ncomplete -F _" PROGRAM " " PROGRAM "\n",
          job.completions);
}

static void run_command(const eis_command *command, const char *engine)
{
    char name[COMMAND_NAME_BYTES], word[COMMAND_NAME_BYTES];
    char *argv[] = {name, engine != NULL ? word : NULL, NULL};

    snprintf(name, sizeof name, PROGRAM " %s", command->name);
    snprintf(word, sizeof word, "%s", engine != NULL ? engine : "");
    (void)command->run(engine != NULL ? 2 : 1, argv);
}

eis_status eis_cli_manual_write(const char *dir, const eis_command *commands, size_t count, const char *doc)
{
    job.dir = dir;
    job.st = EIS_OK;
    job.completions = open_file(PROGRAM, ".bash");
    if (job.completions == NULL) return job.st;
    put_completion_head(commands, count);
    for (size_t i = 0; i < count && job.st == EIS_OK; i++) {
        if (strcmp(commands[i].name, "serve") != 0) {
            run_command(&commands[i], NULL);
            continue;
        }
        for (size_t e = 0; e < sizeof serve_engines / sizeof serve_engines[0]; e++)
            run_command(&commands[i], serve_engines[e]);
    }
    put_completion_foot();
    close_file(job.completions);
    if (job.st == EIS_OK) put_main_page(commands, count, doc);
    job.dir = NULL;
    return job.st;
}
