/* SPDX-License-Identifier: Apache-2.0 */
/* eis conform: does a server keep the contract of the Encrypted Inference API? */
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/conform.h"
#include "cli/he_flags.h"
#include "cli/slots.h"
#include "wire/json_writer.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS_DEFAULT 1800000u

enum { KEY_MODEL = EIS_CLI_KEY_COMMAND, KEY_PROFILE, KEY_RATE_LIMIT, KEY_PATIENCE, KEY_ONLY, KEY_JSON };

static const char *const profile_names[] = {"v1", "documented", "newest", "sdk"};

typedef struct flags {
    eis_cli_common common;
    eis_cli_he he;
    eis_cli_access access;
    const char *model, *only;
    eis_conform_profile profile;
    unsigned patience_s;
    bool rate_limit, json;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "ID", 0, "Make requests for this model (default: the one with the smallest; all for values)",
     1},
    {"profile", KEY_PROFILE, "NAME", 0,
     "What to hold it against: v1 (docs/api.md, default), or a description of the original: documented, newest, sdk",
     1},
    {"only", KEY_ONLY, "PART", 0,
     "One part: discovery, envelope, ciphertexts, order, jobs, values, framing or rate (keys come with each)", 1},
    {"rate-limit", KEY_RATE_LIMIT, NULL, 0, "Use the quota of calls up, to see what happens", 2},
    {"patience", KEY_PATIENCE, "S", 0, "Wait at most S seconds in all for a server that limits calls (default 1800)",
     2},
    {"json", KEY_JSON, NULL, 0, "Print one JSON object", 3},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_ONLY, flags, only),
    EIS_CLI_SWITCH(KEY_RATE_LIMIT, flags, rate_limit),
    EIS_CLI_NUMBER(KEY_PATIENCE, flags, patience_s, 0, 86400),
    EIS_CLI_SWITCH(KEY_JSON, flags, json),
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
    case KEY_PROFILE:
        for (unsigned i = 0; i < sizeof profile_names / sizeof profile_names[0]; i++)
            if (strcmp(arg, profile_names[i]) == 0) {
                f->profile = (eis_conform_profile)i;
                return 0;
            }
        argp_error(state, "there is no profile \"%s\"; choose v1, documented, newest or sdk", arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; the server is given with --url", arg);
        return 0;
    case ARGP_KEY_END:
        if (f->he.url == NULL) argp_error(state, "--url is missing");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- the parts ---- */

static const struct {
    const char *name;
    void (*run)(eis_conform *c);
    bool needs_target;
} parts[] = {{"keys", eis_conform_keys, true},         {"discovery", eis_conform_discovery, true},
             {"envelope", eis_conform_envelope, true}, {"ciphertexts", eis_conform_ciphertexts, true},
             {"order", eis_conform_order, true},       {"jobs", eis_conform_jobs, true},
             {"values", eis_conform_values, true},     {"framing", eis_conform_framing, false},
             {"rate", eis_conform_rate, false},        {"keys", eis_conform_keys_end, true}};

static eis_status run_parts(eis_conform *c, const char *only)
{
    eis_status st = EIS_OK;
    bool found = only == NULL;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        bool keys = strcmp(parts[i].name, "keys") == 0, asked = only == NULL || strcmp(only, parts[i].name) == 0;
        found |= asked;
        if (c->profile != EIS_CONFORM_V1 && (keys || strcmp(parts[i].name, "framing") == 0)) continue;
        if (asked || keys) parts[i].run(c);
        EIS_TRY(c->broken);
    }
    EIS_REQUIRE(found, EIS_ERR_USAGE, "the suite has no part \"%s\"", only);
out:
    return st;
}

/* ---- output ---- */

static void print_table(const eis_conform *c)
{
    static const char *const words[] = {"ok  ", "FAIL", "skip"};

    for (size_t i = 0; i < c->count; i++) {
        const eis_conform_result *r = &c->results[i];
        printf("%s  %-32s %-8s %s\n", words[r->outcome], r->name, r->clause, r->note);
    }
    printf("\n%zu passed, %zu failed, %zu skipped; profile %s, %s\n", c->passed, c->failed, c->skipped,
           profile_names[c->profile], c->url);
    if (c->waited_ms > 0)
        printf("%.0f s were spent waiting for the server's quota of calls\n", (double)c->waited_ms / 1000);
}

static eis_status print_json(const eis_conform *c)
{
    static const char *const words[] = {"pass", "fail", "skip"};
    eis_json_writer w;

    eis_json_writer_to_file(&w, stdout);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "url");
    eis_json_writer_text(&w, c->url);
    eis_json_writer_key(&w, "profile");
    eis_json_writer_text(&w, profile_names[c->profile]);
    eis_json_writer_key(&w, "checks");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < c->count; i++) {
        const eis_conform_result *r = &c->results[i];
        eis_json_writer_begin_object(&w);
        eis_json_writer_key(&w, "name");
        eis_json_writer_text(&w, r->name);
        eis_json_writer_key(&w, "clause");
        eis_json_writer_text(&w, r->clause);
        eis_json_writer_key(&w, "result");
        eis_json_writer_text(&w, words[r->outcome]);
        eis_json_writer_key(&w, "note");
        eis_json_writer_string(&w, r->note, strlen(r->note));
        eis_json_writer_end_object(&w);
    }
    eis_json_writer_end_array(&w);
    eis_json_writer_key(&w, "passed");
    eis_json_writer_u64(&w, c->passed);
    eis_json_writer_key(&w, "failed");
    eis_json_writer_u64(&w, c->failed);
    eis_json_writer_key(&w, "skipped");
    eis_json_writer_u64(&w, c->skipped);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    return eis_json_writer_status(&w);
}

/* ---- the command ---- */

static eis_status run_suite(const flags *f, eis_conform *c, const eis_he_remote_config *config)
{
    eis_he_link_config link = config->link;
    eis_status st = EIS_OK;

    link.retries = EIS_HE_NO_RETRIES;
    c->config = config;
    EIS_TRY(eis_he_link_new(&c->link, &link));
    eis_cli_progress_start(&c->progress, "checking", &f->common);
    EIS_TRY(eis_conform_target_open(c, config));
    EIS_TRY(run_parts(c, f->only));
    eis_cli_progress_end(&c->progress);
    if (f->json)
        EIS_TRY(print_json(c));
    else
        print_table(c);
    EIS_TRY(eis_cli_flush());
    EIS_REQUIRE(c->failed == 0, EIS_ERR_CHECK, "%zu of %zu checks failed", c->failed, c->passed + c->failed);
out:
    eis_cli_progress_end(&c->progress);
    return st;
}

static eis_status run_conform(const flags *f)
{
    eis_status st = EIS_OK;
    eis_he_access access = {0};
    eis_he_remote_config config = {0};
    eis_he_session_wish wish;
    eis_conform c = {.profile = f->profile,
                     .rate_limit = f->rate_limit,
                     .quiet = f->common.quiet,
                     .url = f->he.url,
                     .patience_ms = 1000ull * f->patience_s};

    EIS_TRY(eis_cli_start(&f->common, false));
    eis_cli_he_wish(&wish, &f->he, &f->access, NULL, &f->common);
    wish.model_id = f->model;
    EIS_TRY(eis_he_access_load(&access, &config, &wish));
    EIS_TRY(run_suite(f, &c, &config));
out:
    eis_conform_target_close(&c.target);
    eis_net_http_call_clear(&c.call);
    eis_he_link_free(c.link);
    eis_mem_free(c.results);
    eis_he_access_clear(&access);
    return st;
}

int eis_cmd_conform(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0},
                                                 {&eis_cli_he_server_argp, 0, NULL, 0},
                                                 {&eis_cli_access_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Hold a server against the contract of the Encrypted Inference API, from outside: valid requests, every error, "
        "every hostile ciphertext, jobs, keys and values. Ends with 1 where a check fails.\v"
        "It needs no secret of the server and throws its own keys away. It makes some hundred calls: a server that "
        "limits them is waited for. Start it with --rate 0 to be quick.\n\n"
        "Example:\n\n"
        "  eis serve api --registry models/registry --rate 0 &\n"
        "  eis conform --url http://127.0.0.1:8000\n",
        children,
        NULL,
        NULL};
    flags f = {.patience_s = PATIENCE_MS_DEFAULT / 1000};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_conform(&f));
}
