/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/manual.h"
#include "kernel/kernel.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the program ---- */

static void list_commands(FILE *out, const eis_command *commands, size_t count, const char *doc)
{
    int name_bytes = (int)strcspn(doc, ":");

    fprintf(out, "%s\n\nUsage: %.*s COMMAND [OPTION...]\n\nCommands:\n", doc, name_bytes, doc);
    for (size_t i = 0; i < count; i++) fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(out,
            "\n`%.*s COMMAND --help` explains a command and shows an example.\n"
            "Exit codes: 0 done, 1 a check failed, 2 usage, 3 bad input or file, 4 a peer or the network,\n"
            "            5 integrity, 6 limits or resources, 130 interrupted.\n",
            name_bytes, doc);
}

int eis_cli_main(int argc, char **argv, const eis_command *commands, size_t command_count, const char *doc)
{
    static char name[64];

    eis_mem_keep_freed();
    argp_err_exit_status = 2;
    argp_program_version = "eis " EIS_VERSION_TEXT;
    if (argc < 2) {
        list_commands(stderr, commands, command_count, doc);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("eis " EIS_VERSION_TEXT);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "--man") == 0)
        return eis_cli_finish(eis_cli_manual_write(argv[3], commands, command_count, doc));
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
        list_commands(stdout, commands, command_count, doc);
        return 0;
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            snprintf(name, sizeof name, "eis %s", commands[i].name);
            argv[1] = name;
            return commands[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "%.*s: there is no command \"%s\"; `%.*s --help` lists them\n", (int)strcspn(doc, ":"), doc,
            argv[1], (int)strcspn(doc, ":"), doc);
    return 2;
}

bool eis_cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    if (eis_cli_manual_page(argp, argv[0])) return false;
    return argp_parse(argp, argc, argv, 0, NULL, input) == 0;
}

/* ---- flags of every command ---- */

enum { KEY_THREADS = EIS_CLI_KEY_COMMON, KEY_LOG_LEVEL };

static const struct argp_option common_options[] = {
    {"threads", KEY_THREADS, "N", 0, "Use N threads (default: one per processor)", 90},
    {"quiet", 'q', NULL, 0, "No progress and no warnings on stderr", 90},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "error, warn (default), info or debug", 90},
    {0},
};

unsigned long eis_cli_number(const struct argp_state *state, const char *flag, const char *text, unsigned long min,
                             unsigned long max)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < min || value > max)
        argp_error(state, "%s takes a whole number from %lu to %lu", flag, min, max);
    return value;
}

unsigned long eis_cli_size(const struct argp_state *state, const char *flag, const char *text, unsigned long min,
                           unsigned long max)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    suffix = *end != '\0' && end[1] == '\0' ? strchr(suffixes, *end) : NULL;
    if (suffix != NULL && __builtin_mul_overflow(value, 1ul << (10 * (suffix - suffixes + 1)), &value)) errno = ERANGE;
    if (errno != 0 || *text < '0' || *text > '9' || (*end != '\0' && suffix == NULL) || value < min || value > max)
        argp_error(state, "%s takes a number of bytes from %lu to %lu, such as 16M", flag, min, max);
    return value;
}

double eis_cli_real(const struct argp_state *state, const char *flag, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value)) argp_error(state, "%s takes a number", flag);
    return value;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    eis_cli_common *common = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        common->log_level = EIS_LOG_WARN;
        return 0;
    case KEY_THREADS:
        common->threads = (unsigned)eis_cli_number(state, "--threads", arg, 1, 256);
        return 0;
    case 'q':
        common->quiet = common->log_level_given = true;
        common->log_level = EIS_LOG_ERROR;
        return 0;
    case KEY_LOG_LEVEL:
        common->log_level_given = true;
        if (!eis_log_level_parse(&common->log_level, arg))
            argp_error(state, "--log-level takes error, warn, info or debug");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp eis_cli_common_argp = {.options = common_options, .parser = parse_common};

/* ---- the process ---- */

static eis_cancel *cancel_flag;

static void raise_cancel(int signal_number)
{
    (void)signal_number;
    /* A second signal, of either kind, ends the process at once. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    eis_net_cancel_raise(cancel_flag);
}

eis_status eis_cli_start(const eis_cli_common *common, bool json_log)
{
    eis_status st = EIS_OK;
    struct sigaction action = {.sa_handler = raise_cancel};

    /* A core dump or a debugger of another process would show prompts, shares and keys. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    eis_log_configure(common->log_level, json_log);
    EIS_TRY(eis_kernels_use(NULL)); /* a wrong EIS_KERNELS is told at once */
    if (cancel_flag == NULL) EIS_TRY(eis_net_cancel_new(&cancel_flag));
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
out:
    return st;
}

const eis_cancel *eis_cli_cancel(void) { return cancel_flag; }

eis_status eis_cli_check_interrupted(void)
{
    return eis_net_cancel_raised(cancel_flag) ? eis_fail(EIS_ERR_INTERRUPTED, "interrupted") : EIS_OK;
}

eis_status eis_cli_flush(void)
{
    if (fflush(stdout) != 0) return eis_fail(EIS_ERR_FILE, "stdout cannot be written: %s", strerror(errno));
    if (ferror(stdout)) return eis_fail(EIS_ERR_FILE, "stdout could not be written");
    return EIS_OK;
}

int eis_cli_finish(eis_status st)
{
    const char *detail = eis_error_detail();

    if (st == EIS_OK) return 0;
    if (detail[0] != '\0')
        fprintf(stderr, "eis: %s (%s)\n", detail, eis_status_code(st));
    else
        fprintf(stderr, "eis: %s (%s)\n", eis_status_text(st), eis_status_code(st));
    return eis_status_exit_code(st);
}

/* ---- progress ---- */

#define REDRAW_NS 100000000u
#define BAR_WIDTH 30

void eis_cli_progress_start(eis_cli_progress *progress, const char *what, const eis_cli_common *common)
{
    *progress = (eis_cli_progress){.what = what, .enabled = !common->quiet && isatty(STDERR_FILENO)};
}

void eis_cli_progress_step(void *arg, double fraction)
{
    eis_cli_progress *progress = arg;
    unsigned long long now = eis_clock_ns();
    int filled = (int)(fraction * BAR_WIDTH);

    if (!progress->enabled || now - progress->last_ns < REDRAW_NS) return;
    progress->last_ns = now;
    progress->shown = true;
    fprintf(stderr, "\r%s [%-*.*s] %3.0f %%", progress->what, BAR_WIDTH, filled, "##############################",
            100 * fraction);
}

void eis_cli_progress_end(eis_cli_progress *progress)
{
    if (progress->shown) fprintf(stderr, "\r%*s\r", BAR_WIDTH + 12 + (int)strlen(progress->what), "");
    progress->shown = false;
}
