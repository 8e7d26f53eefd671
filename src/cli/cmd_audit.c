/* SPDX-License-Identifier: Apache-2.0 */
/* eis audit: what each server sees of a request, tested. */
#include "base/mem.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/legacy_leak.h"
#include "cli/models_dir.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "cli/sight.h"
#include "cli/slots.h"
#include "model/classifier.h"
#include "model/input.h"
#include "share/uniformity.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MODEL_DEFAULT      "tiny-stories"
#define PROMPT_DEFAULT     "Once upon a time"
#define MAX_TOKENS_DEFAULT 8
#define REPEAT_DEFAULT     256
#define REPETITIONS_MAX    4096 /* of a request so small that the test could see nothing */

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_WEIGHTS,
    KEY_TOKENIZER,
    KEY_PROMPT,
    KEY_PROMPT_FILE,
    KEY_PROMPT_IDS,
    KEY_INPUT,
    KEY_MAX_TOKENS,
    KEY_PLANT_BIAS,
    KEY_LEGACY_FLOAT,
    KEY_REPEAT,
    KEY_JSON,
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_split split;
    const char *model, *weights, *tokenizer, *input;
    eis_cli_prompt prompt;
    uint32_t max_tokens;
    unsigned repeat;
    bool plant_bias, legacy_float, json;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "PATH", 0, "Language model or classifier (default: the project's " MODEL_DEFAULT ")", 1},
    {"weights", KEY_WEIGHTS, "FILE", 0, "Classifier: weights in place of DIR/model.safetensors", 1},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "Tokenizer file or directory (default: what comes with the model)", 1},
    {"prompt", KEY_PROMPT, "TEXT", 0, "Where the text begins (default: \"" PROMPT_DEFAULT "\")", 2},
    {"prompt-file", KEY_PROMPT_FILE, "FILE", 0, "Read the prompt from a file (- for stdin)", 2},
    {"prompt-ids", KEY_PROMPT_IDS, "1,2,3", 0, "Give token ids, taken as they are", 2},
    {"max-tokens", KEY_MAX_TOKENS, "N", 0, "Generate at most N tokens (default 8)", 2},
    {"input", KEY_INPUT, "FILE", 0, "Classifier: the first input of this file", 2},
    {"plant-bias", KEY_PLANT_BIAS, NULL, 0,
     "Test the test: set one bit in 64 words of what the last server saw to 1; must fail", 3},
    {"legacy-float", KEY_LEGACY_FLOAT, NULL, 0, "Send the original's float shares and show what the last server learns",
     4},
    {"repeat", KEY_REPEAT, "N", 0, "With --legacy-float: ask N times for one input (default 256)", 4},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 5},
    {0},
};

static void check(const flags *f, const struct argp_state *state)
{
    if ((f->prompt.text != NULL) + (f->prompt.file != NULL) + (f->prompt.ids != NULL) + (f->input != NULL) > 1)
        argp_error(state, "give one of --prompt, --prompt-file, --prompt-ids and --input");
    if (f->legacy_float && (f->model != NULL || f->plant_bias))
        argp_error(state, "--legacy-float shows the original's layer; it takes no model");
    if (f->input != NULL && f->model == NULL) argp_error(state, "--input is for a classifier; name it with --model");
}

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_WEIGHTS, flags, weights),
    EIS_CLI_TEXT(KEY_TOKENIZER, flags, tokenizer),
    EIS_CLI_TEXT(KEY_PROMPT, flags, prompt.text),
    EIS_CLI_TEXT(KEY_PROMPT_FILE, flags, prompt.file),
    EIS_CLI_TEXT(KEY_PROMPT_IDS, flags, prompt.ids),
    EIS_CLI_TEXT(KEY_INPUT, flags, input),
    EIS_CLI_NUMBER(KEY_MAX_TOKENS, flags, max_tokens, 1, 1ul << 30),
    EIS_CLI_SWITCH(KEY_PLANT_BIAS, flags, plant_bias),
    EIS_CLI_SWITCH(KEY_LEGACY_FLOAT, flags, legacy_float),
    EIS_CLI_NUMBER(KEY_REPEAT, flags, repeat, 1, 1000000),
    EIS_CLI_SWITCH(KEY_JSON, flags, json),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->split;
        f->max_tokens = MAX_TOKENS_DEFAULT;
        f->repeat = REPEAT_DEFAULT;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    case ARGP_KEY_END:
        check(f, state);
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- the request ---- */

/* What is asked again and again until the servers have seen enough words for a verdict. */
typedef struct audit {
    const flags *flags;
    eis_text_model lm; /* its model may be a classifier */
    eis_ids ids;
    eis_inputs inputs;
    eis_cli_backend backend;
    eis_cli_sight sight;
    unsigned repetitions;
} audit;

static eis_status open_model(audit *a, char *default_path, const char **path)
{
    eis_status st = EIS_OK;
    const flags *f = a->flags;
    eis_cli_prompt prompt = f->prompt;

    if (f->model == NULL) EIS_TRY(eis_cli_models_find(default_path, MODEL_DEFAULT));
    *path = f->model != NULL ? f->model : default_path;
    if (f->input != NULL) {
        EIS_TRY(eis_model_open(&a->lm.model, *path, &(eis_model_options){.weights_path = f->weights}));
        EIS_REQUIRE(a->lm.model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_USAGE,
                    "%s is a language model; give it a --prompt", *path);
        EIS_TRY(eis_inputs_read(&a->inputs, f->input, 1, NULL));
        EIS_REQUIRE(a->inputs.count == 1 && a->inputs.elements == eis_classifier_input_count(a->lm.model),
                    EIS_ERR_SHAPE, "%s: an input has %zu numbers, the model takes %zu", f->input, a->inputs.elements,
                    eis_classifier_input_count(a->lm.model));
        return EIS_OK;
    }
    if (prompt.text == NULL && prompt.file == NULL && prompt.ids == NULL) prompt.text = PROMPT_DEFAULT;
    EIS_TRY(eis_text_model_open(&a->lm, *path, f->tokenizer));
    EIS_TRY(eis_cli_prompt_read(&a->ids, &a->lm, &prompt));
out:
    return st;
}

static eis_status open_audit(audit *a)
{
    eis_status st = EIS_OK;
    char default_path[EIS_CLI_PATH_BYTES];
    const char *path;
    eis_cli_split split = a->flags->split;

    EIS_TRY(open_model(a, default_path, &path));
    EIS_TRY(eis_cli_sight_init(&a->sight, eis_cli_split_server_count(&split)));
    split.sight = eis_cli_sight_collect;
    split.sight_context = &a->sight;
    EIS_TRY(eis_cli_backend_open(&a->backend, &split, &a->flags->common, a->lm.model, path,
                                 a->ids.count > 0 ? &a->ids : NULL, a->inputs.x, a->inputs.count));
out:
    return st;
}

static eis_status ask_lm(const audit *a)
{
    eis_status st = EIS_OK;
    eis_ids ids = {0};
    eis_text_generation generation = {.lm = &a->lm,
                                      .backend = a->backend.seam,
                                      .max_tokens = a->flags->max_tokens,
                                      .cancel = eis_cli_cancel(),
                                      .sampling = eis_sampler_options_default()};

    generation.sampling.greedy = true;
    for (size_t i = 0; i < a->ids.count; i++) EIS_TRY(eis_ids_append(&ids, a->ids.ids[i]));
    EIS_TRY(eis_text_generate(&ids, &generation));
out:
    eis_ids_clear(&ids);
    return st;
}

static eis_status ask_classifier(const audit *a)
{
    eis_status st = EIS_OK;
    size_t classes = a->lm.model->classifier.class_count;
    double *logits = NULL;

    EIS_NEW(logits, classes);
    EIS_TRY(eis_classifier_run(a->lm.model, &a->backend.seam, logits, NULL, a->inputs.x, 1));
out:
    eis_mem_free_wiped(logits, classes, sizeof *logits);
    return st;
}

static eis_status ask(audit *a)
{
    eis_status st = EIS_OK;

    do {
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(a->lm.model->kind == EIS_MODEL_LM ? ask_lm(a) : ask_classifier(a));
        EIS_TRY(a->sight.st);
        a->repetitions++;
    } while (eis_cli_sight_fewest_words(&a->sight) < EIS_CLI_SIGHT_WORDS_WANTED && a->repetitions < REPETITIONS_MAX);
out:
    return st;
}

static void close_audit(audit *a)
{
    eis_cli_backend_close(&a->backend);
    eis_cli_sight_clear(&a->sight);
    eis_text_model_close(&a->lm);
    eis_ids_clear(&a->ids);
    eis_inputs_clear(&a->inputs);
}

/* ---- the verdict ---- */

static void print_table(const audit *a)
{
    if (a->repetitions == 1)
        printf("One request; what each server was shown of it:\n\n");
    else
        printf("One request, asked %u times (one has too few words for the test); what each server was shown:\n\n",
               a->repetitions);
    printf("%-8s %10s %10s %10s %10s %13s %s\n", "server", "bytes", "words", "shares", "uniform p", "correlation",
           "verdict");
    for (size_t i = 0; i < a->sight.server_count; i++) {
        const eis_cli_sight_server *s = &a->sight.servers[i];
        eis_cli_sight_verdict v = eis_cli_sight_judge(s);
        char bytes[16];
        printf("%-8zu %10s %10" PRIu64 " %10s %10.3g %13.5f %s\n", i + 1, eis_cli_bytes(bytes, s->payload_bytes),
               s->word_count,
               s->seeds == s->shares ? "seeds"
               : s->seeds == 0       ? "words"
                                     : "both",
               v.p, v.correlation, v.passed ? "PASS" : "FAIL");
    }
    printf("\nA server fails with p below %.0e. The words are what a server can compute from what it got; the "
           "correlation is that of\n"
           "the words with the numbers that were shared, and wavers around 0 by about 1 / sqrt(words).\n",
           EIS_UNIFORMITY_P_MIN);
    if (a->flags->plant_bias)
        printf("A bias was planted: in every 64th word of server %zu the lowest bit was set.\n", a->sight.server_count);
}

static eis_status print_json(const audit *a, bool passed)
{
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "passed");
    eis_json_writer_bool(&w, passed);
    eis_json_writer_key(&w, "repetitions");
    eis_json_writer_u64(&w, a->repetitions);
    eis_json_writer_key(&w, "p_min");
    eis_json_writer_f64(&w, EIS_UNIFORMITY_P_MIN);
    eis_json_writer_key(&w, "servers");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < a->sight.server_count; i++) {
        const eis_cli_sight_server *s = &a->sight.servers[i];
        eis_cli_sight_verdict v = eis_cli_sight_judge(s);
        eis_json_writer_begin_object(&w);
        eis_json_writer_key(&w, "index");
        eis_json_writer_u64(&w, i + 1);
        eis_json_writer_key(&w, "bytes");
        eis_json_writer_u64(&w, s->payload_bytes);
        eis_json_writer_key(&w, "words");
        eis_json_writer_u64(&w, s->word_count);
        eis_json_writer_key(&w, "shares");
        eis_json_writer_u64(&w, s->shares);
        eis_json_writer_key(&w, "seeds");
        eis_json_writer_u64(&w, s->seeds);
        eis_json_writer_key(&w, "p");
        eis_json_writer_f64(&w, v.p);
        eis_json_writer_key(&w, "correlation");
        eis_json_writer_f64(&w, v.correlation);
        eis_json_writer_key(&w, "passed");
        eis_json_writer_bool(&w, v.passed);
        eis_json_writer_end_object(&w);
    }
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

static eis_status audit_shares(const flags *f)
{
    eis_status st = EIS_OK;
    audit a = {.flags = f};
    size_t failed = 0;

    EIS_TRY(eis_cli_split_check(&f->split));
    EIS_TRY(open_audit(&a));
    EIS_TRY(ask(&a));
    if (f->plant_bias) eis_cli_sight_plant_bias(&a.sight);
    for (size_t i = 0; i < a.sight.server_count; i++) failed += !eis_cli_sight_judge(&a.sight.servers[i]).passed;
    if (f->json)
        EIS_TRY(print_json(&a, failed == 0));
    else
        print_table(&a);
    EIS_TRY(eis_cli_flush());
    EIS_REQUIRE(failed == 0, EIS_ERR_CHECK, "what %zu of %zu servers saw does not look uniform", failed,
                a.sight.server_count);
out:
    close_audit(&a);
    return st;
}

/* ---- the original's float shares ---- */

static void print_leak(const eis_cli_leak *leak)
{
    char bytes[16];

    printf("The original's float shares: %zu inputs, %zu servers, one input asked again and again.\n"
           "The answer is right to %.1e; the last server got %s and averages its shares:\n\n"
           "%12s %26s %16s\n",
           leak->inputs, leak->servers, leak->answer_error, eis_cli_bytes(bytes, leak->bytes_sent), "requests",
           "correlation with the input", "relative error");
    for (size_t i = 0; i < leak->point_count; i++)
        printf("%12u %26.4f %16.4f\n", leak->points[i].repetitions, leak->points[i].correlation,
               leak->points[i].relative_error);
    printf("\nLEAKS: the last share is the input plus noise of variance %zu, whatever is done about it; the average is "
           "the input.\n"
           "Ring shares have no such server: see `eis audit` without --legacy-float.\n",
           leak->servers - 1);
}

static eis_status print_leak_json(const eis_cli_leak *leak)
{
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "leaks");
    eis_json_writer_bool(&w, true);
    eis_json_writer_key(&w, "servers");
    eis_json_writer_u64(&w, leak->servers);
    eis_json_writer_key(&w, "inputs");
    eis_json_writer_u64(&w, leak->inputs);
    eis_json_writer_key(&w, "answer_error");
    eis_json_writer_f64(&w, leak->answer_error);
    eis_json_writer_key(&w, "last_server");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < leak->point_count; i++) {
        eis_json_writer_begin_object(&w);
        eis_json_writer_key(&w, "requests");
        eis_json_writer_u64(&w, leak->points[i].repetitions);
        eis_json_writer_key(&w, "correlation");
        eis_json_writer_f64(&w, leak->points[i].correlation);
        eis_json_writer_key(&w, "relative_error");
        eis_json_writer_f64(&w, leak->points[i].relative_error);
        eis_json_writer_end_object(&w);
    }
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

static eis_status audit_legacy(const flags *f)
{
    eis_status st = EIS_OK;
    eis_cli_leak leak;

    if (!f->common.quiet)
        fprintf(
            stderr,
            "eis: warning: sending float shares of random numbers; the last server can estimate the input from them\n");
    EIS_TRY(eis_cli_leak_run(&leak, f->split.servers, f->repeat));
    if (f->json)
        EIS_TRY(print_leak_json(&leak));
    else
        print_leak(&leak);
    EIS_TRY(eis_cli_flush());
out:
    return st;
}

static eis_status run_audit(flags *f)
{
    eis_status st = eis_cli_start(&f->common, false);

    if (st != EIS_OK) return st;
    f->split.engine = EIS_ENGINE_SPLIT;
    return f->legacy_float ? audit_legacy(f) : audit_shares(f);
}

int eis_cmd_audit(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_split_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse,
                                     NULL,
                                     "Run one request and show, for each server, what it saw: bytes, a test of "
                                     "uniformity, correlation with the input.\v"
                                     "Example: a prompt on three servers, and a look at why floats are no shares:\n\n"
                                     "  eis audit --model models/tiny-stories --prompt \"My name is\" --shares 3\n"
                                     "  eis audit --legacy-float\n\n"
                                     "Exit code 1 when a server saw something that does not look uniform. The test "
                                     "cannot prove shares safe; it finds shares "
                                     "that were made wrongly. --legacy-float with --servers HOST:PORT,... asks servers "
                                     "that were started with the same flag.\n",
                                     children,
                                     NULL,
                                     NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_audit(&f));
}
