/* SPDX-License-Identifier: Apache-2.0 */
/* eis bench: an engine beside its peers. Groups of measurements add rows; they are printed as a table for people or as
 * one JSON object at the end. */
#include "bench/bench.h"

#include "base/mem.h"
#include "bench/bench_blas.h"
#include "bench/bench_he.h"
#include "bench/bench_mpc.h"
#include "bench/bench_peer.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "wire/json_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COLD_BYTES_QUICK ((size_t)256 << 20)
#define COLD_BYTES_FULL  ((size_t)1 << 30)
#define COLD_BYTES_MIN   ((size_t)192 << 20) /* the head of a GPT-2 in floats must fit */

enum { KEY_QUICK = EIS_CLI_KEY_COMMAND, KEY_JSON, KEY_PEER, KEY_KERNELS, KEY_ONLY };

typedef struct flags {
    eis_cli_common common;
    const char *engine, *peer, *kernels, *only;
    bool quick, json;
} flags;

static const struct {
    const char *engine, *name;
    eis_status (*run)(eis_bench *bench);
} groups[] = {
    {"split", "matmul", eis_bench_run_matmul},     {"split", "share", eis_bench_run_share},
    {"split", "call", eis_bench_run_call},         {"split", "end-to-end", eis_bench_run_end_to_end},
    {"split", "accuracy", eis_bench_run_accuracy}, {"split", "memory", eis_bench_run_memory},
    {"he", "ntt", eis_bench_run_he_ntt},           {"he", "ops", eis_bench_run_he_ops},
    {"he", "eval", eis_bench_run_he_eval},         {"he", "service", eis_bench_run_he_service},
    {"mpc", "gates", eis_bench_run_mpc_gates},     {"mpc", "tokens", eis_bench_run_mpc_tokens},
};

#define GROUPS \
    "split: matmul, share, call, end-to-end, accuracy or memory; he: ntt, ops, eval or service; mpc: gates or tokens"

static const struct argp_option options[] = {
    {"quick", KEY_QUICK, NULL, 0, "Fewer rounds and less cold memory: done within a minute", 1},
    {"only", KEY_ONLY, "GROUP", 0, "Measure one group alone: " GROUPS, 1},
    {"kernels", KEY_KERNELS, "LEVEL", 0, "Measure this level of kernels (default: the highest of this machine)", 1},
    {"peer", KEY_PEER, "FILE.json", 0,
     "Times of another program, {\"peer\":NAME,\"rows\":[{\"name\",\"value\",\"unit\"}]}, for rows of the same names",
     1},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 2},
    {0},
};

/* Tells whether there is a group of this name, or of any, in this engine. */
static bool group_exists(const char *engine, const char *name)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(engine, groups[i].engine) == 0 && (name == NULL || strcmp(name, groups[i].name) == 0)) return true;
    return false;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        return 0;
    case KEY_QUICK:
        f->quick = true;
        return 0;
    case KEY_JSON:
        f->json = true;
        return 0;
    case KEY_PEER:
        f->peer = arg;
        return 0;
    case KEY_KERNELS:
        f->kernels = arg;
        return 0;
    case KEY_ONLY:
        f->only = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (f->engine != NULL || !group_exists(arg, NULL))
            argp_error(state, "the engines that can be measured are split, he and mpc");
        f->engine = arg;
        return 0;
    case ARGP_KEY_END:
        if (f->engine == NULL) argp_error(state, "say which engine: eis bench split, eis bench he, eis bench mpc");
        if (f->only != NULL && !group_exists(f->engine, f->only)) argp_error(state, "--only takes, for %s", GROUPS);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what groups call ---- */

eis_bench_row *eis_bench_add(eis_bench *bench, double value, const char *unit, const char *format, ...)
{
    eis_bench_row *row = &bench->rows[bench->row_count];
    va_list args;

    EIS_ASSERT(bench->row_count < EIS_BENCH_ROWS_MAX && isfinite(value));
    bench->row_count++;
    *row = (eis_bench_row){.value = value};
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    va_start(args, format);
    (void)vsnprintf(row->name, sizeof row->name, format, args);
    va_end(args);
    return row;
}

void eis_bench_against(eis_bench_row *row, const char *peer, double value)
{
    if (!(value > 0)) return;
    snprintf(row->peer, sizeof row->peer, "%s", peer);
    row->peer_value = value;
    row->has_peer = true;
}

void eis_bench_set_goal(eis_bench_row *row, double goal)
{
    row->goal = goal;
    row->has_goal = true;
}

void eis_bench_condition_set(eis_bench *bench, const char *name, const char *format, ...)
{
    size_t i = 0;
    va_list args;

    while (i < bench->condition_count && strcmp(bench->conditions[i].name, name) != 0) i++;
    EIS_ASSERT(i < EIS_BENCH_CONDITIONS_MAX);
    if (i == bench->condition_count) bench->condition_count++;
    snprintf(bench->conditions[i].name, sizeof bench->conditions[i].name, "%s", name);
    va_start(args, format);
    (void)vsnprintf(bench->conditions[i].text, sizeof bench->conditions[i].text, format, args);
    va_end(args);
}

void eis_bench_say(const eis_bench *bench, const char *format, ...)
{
    va_list args;

    if (bench->quiet) return;
    fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- output ---- */

static double ratio_of(const eis_bench_row *row) { return row->value / row->peer_value; }

static bool misses(const eis_bench_row *row)
{
    return row->has_goal && (row->has_peer ? ratio_of(row) : row->value) > row->goal;
}

static void print_table(const eis_bench *bench)
{
    for (size_t i = 0; i < bench->condition_count; i++)
        printf("%-12s %s\n", bench->conditions[i].name, bench->conditions[i].text);
    printf("\n%-62s %12s %-6s %10s %8s %7s\n", "smaller is better", "ours", "", "peer", "ratio", "goal");
    for (size_t i = 0; i < bench->row_count; i++) {
        const eis_bench_row *row = &bench->rows[i];
        printf("%-62s %12.4g %-6s", row->name, row->value, row->unit);
        if (row->has_peer)
            printf(" %10.4g %8.3f", row->peer_value, ratio_of(row));
        else
            printf(" %10s %8s", "", "");
        if (row->has_goal)
            printf(" %7.3g%s", row->value_goal > 0 ? row->value_goal : row->goal, misses(row) ? "  missed" : "");
        if (row->has_peer) printf("%*s%s", row->has_goal ? (misses(row) ? 2 : 10) : 18, "", row->peer);
        putchar('\n');
    }
    printf("\nTimes are medians of interleaved runs. A goal is one for the ratio where this program measured the "
           "peer, else for the value.\n");
}

static void write_row(eis_json_writer *w, const eis_bench_row *row)
{
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "name");
    eis_json_writer_text(w, row->name);
    eis_json_writer_key(w, "value");
    eis_json_writer_rounded(w, row->value, 6);
    eis_json_writer_key(w, "unit");
    eis_json_writer_text(w, row->unit);
    if (row->has_peer) {
        eis_json_writer_key(w, "peer");
        eis_json_writer_text(w, row->peer);
        eis_json_writer_key(w, "ratio");
        eis_json_writer_rounded(w, ratio_of(row), 6);
    }
    if (row->has_goal) {
        eis_json_writer_key(w, "goal");
        eis_json_writer_rounded(w, row->goal, 6);
    }
    eis_json_writer_end_object(w);
}

static eis_status print_json(const eis_bench *bench)
{
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "conditions");
    eis_json_writer_begin_object(&w);
    for (size_t i = 0; i < bench->condition_count; i++) {
        eis_json_writer_key(&w, bench->conditions[i].name);
        eis_json_writer_text(&w, bench->conditions[i].text);
    }
    eis_json_writer_end_object(&w);
    eis_json_writer_key(&w, "rows");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < bench->row_count; i++) write_row(&w, &bench->rows[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

/* ---- the command ---- */

/* A sixth of the memory at most: there are three kinds of weights. */
static size_t cold_bytes(bool quick)
{
    long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t wanted = quick ? COLD_BYTES_QUICK : COLD_BYTES_FULL, room = wanted;

    if (pages > 0 && page > 0) room = (size_t)pages / 6 * (size_t)page;
    if (room > wanted) room = wanted;
    return room < COLD_BYTES_MIN ? COLD_BYTES_MIN : room;
}

static void prepare_split(eis_bench *bench)
{
    eis_bench_condition_set(bench, "threads", "1 per product and per server");
    eis_bench_condition_set(bench, "cold",
                            "b=1 and batches walk through %.0f MiB of each kind of weights; the warm rows say so",
                            (double)bench->cold_bytes / (1 << 20));
    eis_bench_condition_set(bench, "weights", "random, made in memory");
    bench->blas = eis_bench_blas_open(bench);
}

static eis_status prepare(eis_bench *bench, const flags *f)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_cli_start(&f->common, false));
    if (f->kernels != NULL) EIS_TRY(eis_kernels_use(f->kernels));
    bench->quick = f->quick;
    bench->quiet = f->common.quiet;
    bench->level = eis_kernels_get();
    bench->cold_bytes = cold_bytes(f->quick);
    eis_bench_conditions_read(bench);
    eis_bench_condition_set(bench, "kernels", "%s", bench->level->name);
    eis_bench_condition_set(bench, "time",
                            "processor time of the thread; wall clock for calls and end to end; medians");
    if (strcmp(f->engine, "split") == 0) prepare_split(bench);
out:
    return st;
}

static eis_status run_bench(const flags *f)
{
    eis_status st = EIS_OK;
    eis_bench *bench = NULL;

    EIS_NEW(bench, 1);
    if (f->peer != NULL)
        EIS_TRY(eis_bench_peer_read(bench, f->peer)); /* there are no rows yet: a bad file is found early */
    EIS_TRY(prepare(bench, f));
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strcmp(f->engine, groups[i].engine) != 0) continue;
        if (f->only != NULL && strcmp(f->only, groups[i].name) != 0) continue;
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(groups[i].run(bench));
    }
    if (f->peer != NULL) EIS_TRY(eis_bench_peer_read(bench, f->peer));
    eis_bench_condition_set(bench, "words",
                            bench->unequal == 0 ? "every kernel timed gave the words of plain C"
                                                : "KERNELS GAVE OTHER WORDS THAN PLAIN C");
    if (f->json)
        EIS_TRY(print_json(bench));
    else
        print_table(bench);
    EIS_REQUIRE(bench->unequal == 0, EIS_ERR_CHECK, "%zu kernels gave other words than plain C", bench->unequal);
out:
    eis_mem_free(bench);
    return st;
}

int eis_cmd_bench(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "split|he|mpc",
        "Measure an engine: split beside OpenBLAS (float32) and a plain int8 product; he alone, or beside the times of "
        "another program.\v"
        "OpenBLAS is opened where it is installed (Debian: libopenblas0-pthread); without it the figures stand "
        "alone. Exit code 1 where a kernel gave other words than plain C.\n\n"
        "Examples:\n\n  eis bench split --quick\n  eis bench he --only ops\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    if (strcmp(f.engine, "split") == 0) eis_bench_blas_restart();
    return eis_cli_finish(run_bench(&f));
}
