/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands and what they have in common: flags, errors, interruption, progress. stdout carries the result and
 * nothing else. */
#ifndef EIS_CLI_CLI_H
#define EIS_CLI_CLI_H

#include "base/log.h"
#include "base/pool.h"
#include "base/status.h"
#include "net/cancel.h"

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

/* A subcommand. `run` gets its own words from argv[1] on; argv[0] is "eis NAME". Returns the exit code. */
typedef struct eis_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} eis_command;

/* Runs the subcommand that argv names. Returns the exit code of the program. */
int eis_cli_main(int argc, char **argv, const eis_command *commands, size_t command_count, const char *doc);

/* Parses the words of a command into `input`, as argp does; wrong use ends the process with exit code 2. Every command
 * parses with it, because it is also how the manual pages are made: then it writes a page of the tables in `argp`
 * instead and returns false, and the command returns at once. */
EIS_MUST_USE bool eis_cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Flags of every command. */
typedef struct eis_cli_common {
    unsigned threads; /* 0: one per processor */
    bool quiet;
    eis_log_level log_level;
    bool log_level_given; /* by --log-level or --quiet */
} eis_cli_common;

/* The argp child that parses them; its input is an eis_cli_common. */
extern const struct argp eis_cli_common_argp;

/* Short texts for numbers in flags: a whole number within [min, max], or a usage error that names the flag. */
unsigned long eis_cli_number(const struct argp_state *state, const char *flag, const char *text, unsigned long min,
                             unsigned long max);
double eis_cli_real(const struct argp_state *state, const char *flag, const char *text);

/* A number of bytes: a whole number, with K, M or G behind it for powers of 1024. */
unsigned long eis_cli_size(const struct argp_state *state, const char *flag, const char *text, unsigned long min,
                           unsigned long max);

/* Keys for long options without a letter. Each command counts up from EIS_CLI_KEY_COMMAND. */
enum {
    EIS_CLI_KEY_COMMON = 0x100,
    EIS_CLI_KEY_SPLIT = 0x200,
    EIS_CLI_KEY_SERVER = 0x300,
    EIS_CLI_KEY_COMMAND = 0x400,
    EIS_CLI_KEY_HE = 0x500,
    EIS_CLI_KEY_ACCESS = 0x600,
    EIS_CLI_KEY_MPC = 0x700,
    EIS_CLI_KEY_SETTINGS = 0x800
};

/* Prepares the process for work with secrets (no core dump, not traceable), sets logging, and makes Ctrl-C and SIGTERM
 * raise the flag that eis_cli_cancel returns. */
EIS_MUST_USE eis_status eis_cli_start(const eis_cli_common *common, bool json_log);

/* Returns the flag that a signal raises. */
const eis_cancel *eis_cli_cancel(void);

/* Hands the result on stdout over to whoever reads it. Errors: EIS_ERR_FILE  not all of it could be written, now or
 * before. */
EIS_MUST_USE eis_status eis_cli_flush(void);

/* Returns EIS_ERR_INTERRUPTED once a signal came, else EIS_OK. */
EIS_MUST_USE eis_status eis_cli_check_interrupted(void);

/* Says on stderr what went wrong and returns the exit code; says nothing for EIS_OK. */
int eis_cli_finish(eis_status st);

/* A line that grows on stderr while something long runs; silent where stderr is no terminal or with --quiet. */
typedef struct eis_cli_progress {
    const char *what;
    bool shown, enabled;
    unsigned long long last_ns;
} eis_cli_progress;

void eis_cli_progress_start(eis_cli_progress *progress, const char *what, const eis_cli_common *common);
/* fraction in [0, 1]. Fits the callback of eis_split_client_prefetch. */
void eis_cli_progress_step(void *progress, double fraction);
void eis_cli_progress_end(eis_cli_progress *progress);

#endif
