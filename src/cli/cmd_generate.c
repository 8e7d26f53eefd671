/* SPDX-License-Identifier: Apache-2.0 */
/* eis generate: a prompt and its continuation, streamed to stdout. */
#include "base/mem.h"
#include "base/pool.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/mpc_notes.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "cli/slots.h"
#include "cli/split_flags.h"
#include "rand/entropy.h"
#include "wire/json_writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_TOKENS_DEFAULT 256

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_TOKENIZER,
    KEY_PROMPT,
    KEY_PROMPT_FILE,
    KEY_PROMPT_IDS,
    KEY_MAX_TOKENS,
    KEY_GREEDY,
    KEY_TEMPERATURE,
    KEY_TOP_K,
    KEY_TOP_P,
    KEY_SEED,
    KEY_PRINT_IDS,
    KEY_JSON,
    KEY_REPORT,
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_split split;
    eis_cli_mpc mpc;
    const char *model, *tokenizer;
    eis_cli_prompt prompt;
    uint32_t max_tokens;
    eis_sampler_options sampling;
    bool has_temperature, has_top_p, asked_to_sample, greedy, has_seed, print_ids, json, report;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "PATH", 0, "Hugging Face directory, llama2.c file, or client part", 1},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "Tokenizer file or directory (default: what comes with the model)", 1},
    {"prompt", KEY_PROMPT, "TEXT", 0, "Where the text begins; other users see it in the process list", 2},
    {"prompt-file", KEY_PROMPT_FILE, "FILE", 0, "Read the prompt from a file (- for stdin)", 2},
    {"prompt-ids", KEY_PROMPT_IDS, "1,2,3", 0, "Give token ids, taken as they are", 2},
    {"max-tokens", KEY_MAX_TOKENS, "N", 0, "Generate at most N tokens (default 256)", 3},
    {"greedy", KEY_GREEDY, NULL, 0, "Take the likeliest token (the default unless a sampling flag is given)", 3},
    {"temperature", KEY_TEMPERATURE, "T", 0,
     "Sample at temperature T > 0; with --engine mpc 0.05 to 16 (default: its setting temperature, 1)", 3},
    {"top-k", KEY_TOP_K, "K", 0,
     "Sample among the K likeliest tokens; with --engine mpc 1 to 64 (default: its setting topk, 3)", 3},
    {"top-p", KEY_TOP_P, "P", 0, "Sample among the likeliest tokens that reach probability P; not with --engine mpc",
     3},
    {"seed", KEY_SEED, "S", 0,
     "Sample the same text again (default: from the system); not with --engine mpc, where nobody knows the number that "
     "draws",
     3},
    {"print-ids", KEY_PRINT_IDS, NULL, 0, "Print ids in place of text", 4},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object per token, then a summary", 4},
    {"report", KEY_REPORT, NULL, 0, "Print bytes, round trips and times per layer on stderr", 4},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_TOKENIZER, flags, tokenizer),
    EIS_CLI_TEXT(KEY_PROMPT, flags, prompt.text),
    EIS_CLI_TEXT(KEY_PROMPT_FILE, flags, prompt.file),
    EIS_CLI_TEXT(KEY_PROMPT_IDS, flags, prompt.ids),
    EIS_CLI_NUMBER(KEY_MAX_TOKENS, flags, max_tokens, 1, 1ul << 30),
    EIS_CLI_SWITCH(KEY_GREEDY, flags, greedy),
    EIS_CLI_SWITCH(KEY_PRINT_IDS, flags, print_ids),
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
        state->child_inputs[2] = &f->mpc;
        f->split.mpc = &f->mpc;
        f->sampling = eis_sampler_options_default();
        f->max_tokens = MAX_TOKENS_DEFAULT;
        return 0;
    case KEY_TEMPERATURE:
        f->sampling.temperature = eis_cli_real(state, "--temperature", arg);
        f->asked_to_sample = f->has_temperature = true;
        return 0;
    case KEY_TOP_K:
        f->sampling.top_k = (uint32_t)eis_cli_number(state, "--top-k", arg, 1, UINT32_MAX);
        f->asked_to_sample = true;
        return 0;
    case KEY_TOP_P:
        f->sampling.top_p = eis_cli_real(state, "--top-p", arg);
        f->asked_to_sample = f->has_top_p = true;
        return 0;
    case KEY_SEED:
        f->sampling.seed = eis_cli_number(state, "--seed", arg, 0, UINT64_MAX);
        f->has_seed = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; a prompt is given with --prompt", arg);
        return 0;
    case ARGP_KEY_END:
        if (f->model == NULL) argp_error(state, "--model is missing");
        if ((f->prompt.text != NULL) + (f->prompt.file != NULL) + (f->prompt.ids != NULL) > 1)
            argp_error(state, "give one of --prompt, --prompt-file and --prompt-ids");
        if (f->greedy && f->asked_to_sample) argp_error(state, "--greedy goes with no sampling flag");
        if (f->json && f->print_ids) argp_error(state, "--json already holds the ids; leave out --print-ids");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- output ---- */

typedef struct output {
    const flags *flags;
    eis_json_writer json;
    eis_text all; /* the whole text, for the summary of --json */
} output;

static eis_status write_out(const void *data, size_t bytes)
{
    if (bytes > 0) (void)fwrite(data, 1, bytes, stdout); /* the stream remembers a failure */
    return eis_cli_flush();
}

static eis_status emit_json(output *out, const eis_text_token *token)
{
    eis_json_writer *w = &out->json;

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "token");
    eis_json_writer_u64(w, token->id);
    eis_json_writer_key(w, "text");
    eis_json_writer_string(w, token->text->data, token->text->bytes);
    eis_json_writer_key(w, "ms");
    eis_json_writer_f32(w, (float)token->ms);
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
    if (eis_json_writer_status(w) != EIS_OK) return eis_json_writer_status(w);
    return eis_cli_flush();
}

static eis_status emit(void *context, const eis_text_token *token)
{
    eis_status st = EIS_OK;
    output *out = context;

    if (out->flags->print_ids) return EIS_OK;
    if (!out->flags->json) return write_out(token->text->data, token->text->bytes);
    EIS_TRY(eis_text_append(&out->all, token->text->data, token->text->bytes));
    if (token->id != EIS_TOKEN_NONE) EIS_TRY(emit_json(out, token));
out:
    return st;
}

static eis_status print_ids(const eis_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++) printf("%s%u", i > 0 ? "," : "", ids->ids[i]);
    return write_out("\n", 1);
}

static eis_status print_summary(output *out, const eis_ids *ids, const eis_cli_backend *backend)
{
    eis_json_writer *w = &out->json;

    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "done");
    eis_json_writer_bool(w, true);
    eis_json_writer_key(w, "ids");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < ids->count; i++) eis_json_writer_u64(w, ids->ids[i]);
    eis_json_writer_end_array(w);
    eis_json_writer_key(w, "text");
    eis_json_writer_string(w, out->all.data, out->all.bytes);
    eis_json_writer_key(w, "report");
    eis_cli_report_json(w, backend);
    eis_json_writer_end_object(w);
    eis_json_writer_newline(w);
    if (eis_json_writer_status(w) != EIS_OK) return eis_json_writer_status(w);
    return eis_cli_flush();
}

/* ---- the command ---- */

static eis_status draw_seed(flags *f)
{
    f->sampling.greedy = !f->asked_to_sample;
    if (f->has_seed || f->sampling.greedy) return EIS_OK;
    return eis_entropy_draw(&f->sampling.seed, sizeof f->sampling.seed);
}

/* Among parties the token is drawn on shares: what needs its random number or all probabilities cannot be had. */
static eis_status check_mpc_sampling(flags *f)
{
    eis_status st = EIS_OK;
    eis_mpc_sampling asked = {EIS_MPC_TOP_K_DEFAULT, EIS_MPC_TEMPERATURE_DEFAULT};

    if (f->split.engine != EIS_ENGINE_MPC) return EIS_OK;
    EIS_REQUIRE(!f->has_seed, EIS_ERR_USAGE,
                "--seed does not go with --engine mpc: parties and Triple Service draw together, so that none of them "
                "knows or chooses the number, and no text can be drawn again");
    EIS_REQUIRE(!f->has_top_p, EIS_ERR_USAGE,
                "--top-p does not go with --engine mpc: how many tokens reach P would be told; --top-k says how many");
    EIS_REQUIRE(!f->has_temperature || f->sampling.temperature > 0, EIS_ERR_USAGE,
                "the temperature must be a number above 0");
    if (f->has_temperature) asked.temperature = f->sampling.temperature;
    if (f->sampling.top_k != 0) asked.top_k = f->sampling.top_k;
    EIS_TRY(eis_mpc_sampling_check(&asked));              /* before anything is started */
    if (!f->has_temperature) f->sampling.temperature = 0; /* that of the settings */
out:
    return st;
}

static eis_status run_generate(flags *f)
{
    eis_status st = EIS_OK;
    eis_text_model lm = {0};
    eis_cli_backend backend = {0};
    eis_ids ids = {0};
    output out = {.flags = f};
    eis_text_generation generation = {.lm = &lm, .max_tokens = f->max_tokens, .emit = emit, .context = &out};

    eis_json_writer_to_file(&out.json, stdout);
    EIS_TRY(eis_cli_start(&f->common, false));
    EIS_TRY(eis_cli_split_check(&f->split));
    EIS_TRY(check_mpc_sampling(f));
    EIS_TRY(draw_seed(f));
    EIS_TRY(eis_text_model_open(&lm, f->model, f->tokenizer));
    EIS_REQUIRE(lm.tokenizer != NULL || f->print_ids || f->prompt.ids == NULL, EIS_ERR_USAGE,
                "the model comes without a tokenizer, so there is no text to print; add --print-ids");
    EIS_TRY(eis_cli_prompt_read(&ids, &lm, &f->prompt));
    EIS_TRY(eis_cli_backend_open(&backend, &f->split, &f->common, lm.model, f->model, &ids, NULL, 0));
    if (backend.mpc != NULL && !f->json && !f->common.quiet) eis_cli_mpc_notes_tell(backend.mpc);
    generation.backend = backend.seam;
    generation.sampling = f->sampling;
    generation.cancel = eis_cli_cancel();
    EIS_TRY(backend.mpc != NULL ? eis_mpc_text_generate(&ids, backend.mpc, &generation)
                                : eis_text_generate(&ids, &generation));
    if (f->print_ids) EIS_TRY(print_ids(&ids));
    if (f->json) EIS_TRY(print_summary(&out, &ids, &backend));
    if (f->report) eis_cli_report_print(stderr, &backend, isatty(STDERR_FILENO) && !f->print_ids && !f->json);
out:
    eis_cli_backend_close(&backend);
    eis_text_model_close(&lm);
    eis_ids_clear(&ids);
    eis_text_clear(&out.all);
    return st;
}

int eis_cmd_generate(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_split_argp, 0, NULL, 0}, {&eis_cli_mpc_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Continue a text with a language model, here or on servers that see nothing of it.\v"
        "Example: a private story on two embedded servers, and the same in plain:\n\n"
        "  eis generate --engine split --model models/tiny-stories \\\n"
        "      --prompt \"Once upon a time\"\n"
        "  eis generate --engine plain --model models/tiny-stories \\\n"
        "      --prompt \"Once upon a time\"\n\n"
        "With --engine mpc the parties see neither text nor weights, even when all but one of them cheat:\n\n"
        "  eis generate --engine mpc --parties 2 --model models/tiny-stories \\\n"
        "      --prompt \"Once upon a time\" --max-tokens 20 --report\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_generate(&f));
}
