/* SPDX-License-Identifier: Apache-2.0 */
/* eis plan: like EXPLAIN in a database, before anything is sent. */
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/plan_he.h"
#include "cli/plan_mpc.h"
#include "cli/report.h"
#include "cli/slots.h"
#include "cli/split_flags.h"
#include "engine/engine.h"
#include "engine/split/plan.h"
#include "engine/split/prepare.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_WEIGHTS,
    KEY_SHARES,
    KEY_THRESHOLD,
    KEY_PROFILE,
    KEY_TRUNCATE,
    KEY_JSON,
    KEY_ENGINE,
    KEY_POLICY,
    KEY_TOLERANCE,
    KEY_CONTEXT,
    KEY_PROMPT_TOKENS,
    KEY_TEMPERATURE,
    KEY_TOP_K
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_he_own own;
    eis_cli_mpc mpc;
    unsigned context, prompt_tokens;
    eis_mpc_sampling sampling; /* 0: not given */
    eis_engine engine;
    const char *model, *weights, *policy;
    double tolerance;
    eis_split_profile profile;
    eis_split_scheme scheme;
    bool truncate, json, has_profile, has_shares;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "PATH", 0, "Model or client part", 1},
    {"weights", KEY_WEIGHTS, "FILE", 0, "Weights in place of DIR/model.safetensors", 1},
    {"engine", KEY_ENGINE, "split|he|mpc", 0, "The engine to plan for (default split)", 1},
    {"shares", KEY_SHARES, "K", 0, "Number of servers (default 2; with --threshold T: T + 1)", 2},
    {"threshold", KEY_THRESHOLD, "T", 0, "Any T of them are enough (profile f61)", 2},
    {"profile", KEY_PROFILE, "NAME", 0, "p24 (default), p8, f61 or f61-8", 2},
    {"truncate", KEY_TRUNCATE, NULL, 0, "Servers answer with 32-bit words", 2},
    {"security-policy", KEY_POLICY, "NAME", 0, "With he: the security bound (default he-guidelines-2024-128)", 31},
    {"tolerance", KEY_TOLERANCE, "X", 0, "With he: refuse where answers may err by more", 31},
    {"context", KEY_CONTEXT, "N", 0, "With mpc: positions that the token looks back on (default 128)", 32},
    {"prompt-tokens", KEY_PROMPT_TOKENS, "N", 0, "With mpc: a prompt of N tokens in place of a token", 32},
    {"temperature", KEY_TEMPERATURE, "T", 0, "With mpc: a token that is drawn, as `eis generate` has it", 32},
    {"top-k", KEY_TOP_K, "K", 0, "With mpc: the same", 32},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 40},
    {0},
};

static bool asks_to_draw(const flags *f) { return f->sampling.top_k != 0 || f->sampling.temperature != 0; }

static void settle(flags *f, const struct argp_state *state)
{
    bool split = f->has_shares || f->has_profile || f->scheme.threshold > 0 || f->truncate;
    bool he = f->policy != NULL || f->tolerance != 0 || eis_cli_he_own_any(&f->own);

    if (f->model == NULL) argp_error(state, "--model is missing");
    if (f->engine != EIS_ENGINE_SPLIT && split) argp_error(state, "shares and profiles go with --engine split");
    if (f->engine != EIS_ENGINE_HE && he) argp_error(state, "chains, forms and bounds go with --engine he");
    if (f->context != 0 && f->prompt_tokens != 0) argp_error(state, "a plan is of a token or of a prompt, not of both");
    if (f->engine != EIS_ENGINE_MPC &&
        (f->context != 0 || f->prompt_tokens != 0 || asks_to_draw(f) || eis_cli_mpc_any(&f->mpc)))
        argp_error(state, "parties, settings, --context and sampling go with --engine mpc");
    if (!f->has_profile) f->profile = f->scheme.threshold > 0 ? EIS_SPLIT_F61_20 : EIS_SPLIT_P24;
    if (!f->has_shares) f->scheme.servers = f->scheme.threshold > 0 ? f->scheme.threshold + 1 : 2;
}

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_WEIGHTS, flags, weights),
    EIS_CLI_NUMBER(KEY_THRESHOLD, flags, scheme.threshold, 2, 64),
    EIS_CLI_SWITCH(KEY_TRUNCATE, flags, truncate),
    EIS_CLI_NUMBER(KEY_CONTEXT, flags, context, 1, 1u << 20),
    EIS_CLI_NUMBER(KEY_PROMPT_TOKENS, flags, prompt_tokens, 1, 1u << 20),
    EIS_CLI_NUMBER(KEY_TOP_K, flags, sampling.top_k, 1, UINT32_MAX),
    EIS_CLI_SWITCH(KEY_JSON, flags, json),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->own;
        state->child_inputs[2] = &f->mpc;
        f->engine = EIS_ENGINE_SPLIT;
        return 0;
    case KEY_ENGINE:
        f->engine = eis_engine_parse(arg);
        if (f->engine != EIS_ENGINE_SPLIT && f->engine != EIS_ENGINE_HE && f->engine != EIS_ENGINE_MPC)
            argp_error(state, "there are plans for the engines split, he and mpc");
        return 0;
    case KEY_POLICY:
        if (!eis_ckks_policy_parse(&(eis_ckks_policy){0}, arg))
            argp_error(state, "there is no security policy \"%s\"", arg);
        f->policy = arg;
        return 0;
    case KEY_TOLERANCE:
        f->tolerance = eis_cli_real(state, "--tolerance", arg);
        if (!(f->tolerance > 0)) argp_error(state, "--tolerance takes a number above 0");
        return 0;
    case KEY_SHARES:
        f->scheme.servers = eis_cli_number(state, "--shares", arg, 2, 255);
        f->has_shares = true;
        return 0;
    case KEY_PROFILE:
        if (eis_split_profile_parse(&f->profile, arg) != EIS_OK) argp_error(state, "%s", eis_error_detail());
        f->has_profile = true;
        return 0;
    case KEY_TEMPERATURE:
        f->sampling.temperature = eis_cli_real(state, "--temperature", arg);
        if (!(f->sampling.temperature > 0)) argp_error(state, "the temperature must be a number above 0");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    case ARGP_KEY_END:
        settle(f, state);
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

static void print_row(const eis_plan_row *row)
{
    char up[16], down[16];

    printf("%-36s %7" PRIu64 " %8" PRIu64 " %9s %9s %6u %12" PRIu64, row->name, row->elements_up, row->elements_down,
           eis_cli_bytes(up, row->bytes_up), eis_cli_bytes(down, row->bytes_down), row->round_trips,
           row->multiply_adds);
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) printf(" %13.2f", row->ms[l]);
    putchar('\n');
}

static void print_table(const eis_plan *plan, const eis_model *model)
{
    printf("%-36s %7s %8s %9s %9s %6s %12s", "layer, at the servers", "up", "down", "bytes up", "down", "trips",
           "mul-adds");
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) printf(" %13s", eis_plan_links[l].name);
    putchar('\n');
    for (uint32_t i = 0; i < plan->row_count; i++) print_row(&plan->rows[i]);
    print_row(&plan->total);
    printf("\nEverything else stays at the client: %s.\n"
           "Elements per server; bytes of all servers with their frames; ms per %s = round trip + bytes + "
           "multiply-adds at the\n"
           "%.1f GMAC/s of one thread that this machine reached just now.\n",
           model->kind == EIS_MODEL_LM ? "embedding, positions, norms, attention, activations, sampling, KV cache"
                                       : "activations, pools, biases",
           model->kind == EIS_MODEL_LM ? "token" : "input", plan->multiply_adds_per_ms / 1e6);
}

static void write_row(eis_json_writer *w, const eis_plan_row *row)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"rows", row->out},
                   {"columns", row->in},
                   {"vectors", row->vectors},
                   {"ring_bits", row->ring_bits},
                   {"elements_up", row->elements_up},
                   {"elements_down", row->elements_down},
                   {"bytes_up", row->bytes_up},
                   {"bytes_down", row->bytes_down},
                   {"round_trips", row->round_trips},
                   {"multiply_adds", row->multiply_adds}};

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "name");
    eis_json_writer_text(w, row->name);
    eis_json_writer_key(w, "where");
    eis_json_writer_text(w, "servers");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        eis_json_writer_key(w, members[i].name);
        eis_json_writer_u64(w, members[i].value);
    }
    eis_json_writer_key(w, "ms");
    eis_json_writer_begin_object(w);
    for (size_t l = 0; l < EIS_PLAN_LINKS; l++) {
        eis_json_writer_key(w, eis_plan_links[l].name);
        eis_json_writer_f32(w, (float)row->ms[l]);
    }
    eis_json_writer_end_object(w);
    eis_json_writer_end_object(w);
}

static eis_status print_json(const eis_plan *plan, const flags *f)
{
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "engine");
    eis_json_writer_text(&w, "split");
    eis_json_writer_key(&w, "profile");
    eis_json_writer_text(&w, eis_split_profile_get((unsigned)f->profile)->name);
    eis_json_writer_key(&w, "servers");
    eis_json_writer_u64(&w, f->scheme.servers);
    eis_json_writer_key(&w, "threshold");
    eis_json_writer_u64(&w, f->scheme.threshold);
    eis_json_writer_key(&w, "layers");
    eis_json_writer_begin_array(&w);
    for (uint32_t i = 0; i < plan->row_count; i++) write_row(&w, &plan->rows[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_key(&w, "total");
    write_row(&w, &plan->total);
    eis_json_writer_key(&w, "multiply_adds_per_ms");
    eis_json_writer_f32(&w, (float)plan->multiply_adds_per_ms);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

/* A part says what was packed; a model is prepared here and the pack dropped. */
static eis_status find_layers(const eis_part_info **info, eis_split_layers *layers, flags *f, const eis_model *model,
                              eis_pool *pool)
{
    eis_status st = EIS_OK;
    int fd = -1;

    *info = model->part;
    if (model->part != NULL) {
        EIS_REQUIRE(!f->has_profile || model->part->profile == (uint32_t)f->profile, EIS_ERR_USAGE,
                    "the client part was made for profile %s", eis_split_profile_get(model->part->profile)->name);
        f->profile = (eis_split_profile)model->part->profile;
        return EIS_OK;
    }
    EIS_TRY(eis_split_prepare_in_memory(layers, &fd, model,
                                        &(eis_split_prepare_options){.profile = f->profile, .pool = pool}));
    *info = &layers->info;
out:
    if (fd >= 0) close(fd);
    return st;
}

static eis_status run_plan(flags *f)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_split_layers layers = {0};
    const eis_part_info *info;
    eis_plan plan = {0};
    eis_pool *pool = NULL;

    EIS_TRY(eis_cli_start(&f->common, false));
    EIS_TRY(eis_pool_new(&pool, f->common.threads));
    EIS_TRY(eis_model_open(&model, f->model, &(eis_model_options){.weights_path = f->weights}));
    if (f->engine == EIS_ENGINE_HE) {
        st = eis_cli_plan_he(model, &f->own, f->policy, f->tolerance, f->json);
        goto out;
    }
    if (f->engine == EIS_ENGINE_MPC) {
        st = eis_cli_plan_mpc(model, &f->mpc, f->context, f->prompt_tokens, asks_to_draw(f) ? &f->sampling : NULL,
                              f->json);
        goto out;
    }
    EIS_TRY(find_layers(&info, &layers, f, model, pool));
    EIS_TRY(eis_plan_make(&plan, model, info, &f->scheme, f->truncate));
    if (f->json)
        EIS_TRY(print_json(&plan, f));
    else
        print_table(&plan, model);
    EIS_TRY(eis_cli_flush());
out:
    eis_plan_clear(&plan);
    eis_split_layers_clear(&layers);
    eis_model_free(model);
    eis_pool_free(pool);
    return st;
}

int eis_cmd_plan(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_he_own_argp, 0, NULL, 0}, {&eis_cli_mpc_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Say what one token or one input will cost on servers, layer by layer, without sending anything.\v"
        "Example: on shares, on ciphertexts, and among parties:\n\n"
        "  eis plan --model models/tiny-stories --profile p8\n"
        "  eis plan --engine he --model models/digits-square\n"
        "  eis plan --engine mpc --model models/tiny-stories --parties 2\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_plan(&f));
}
