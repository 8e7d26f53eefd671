/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mpc_flags.h"

#include "cli/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTIES_DEFAULT 3

enum { KEY_CONFIG = EIS_CLI_KEY_SETTINGS, KEY_SET, KEY_LIST };
enum { KEY_PARTIES = EIS_CLI_KEY_MPC, KEY_COORDINATOR, KEY_SESSION };

static const struct argp_option settings_options[] = {
    {"config", KEY_CONFIG, "FILE", 0, "Read settings of the engine mpc from a YAML file", 32},
    {"set", KEY_SET, "KEY=VALUE", 0, "Set one of them, such as cheby.deg=9; may be repeated", 32},
    {"settings", KEY_LIST, NULL, 0, "Print every setting with its default and what it does, as YAML, and end", 32},
    {0},
};

static void list_settings(void)
{
    const char *section = "";
    eis_mpc_settings defaults;

    eis_mpc_settings_default(&defaults);
    for (size_t i = 0; i < eis_mpc_setting_count(); i++) {
        eis_mpc_setting s = eis_mpc_setting_get(i);
        char value[EIS_MPC_SETTING_TEXT_BYTES];
        eis_mpc_setting_format(value, &defaults, i);
        if (s.name != NULL && strcmp(section, s.section) != 0) printf("%s:\n", s.section);
        section = s.section;
        printf("%s%s: %s # %s; %s\n", s.name != NULL ? "  " : "", s.name != NULL ? s.name : s.section,
               value[0] != 0 ? value : "\"\"", s.takes, s.effect);
    }
    exit(eis_cli_finish(eis_cli_flush()));
}

static const eis_cli_slot settings_slots[] = {
    EIS_CLI_TEXT(KEY_CONFIG, eis_cli_settings, config),
    {0},
};

static error_t parse_settings(int key, char *arg, struct argp_state *state)
{
    eis_cli_settings *f = state->input;

    switch (key) {
    case KEY_SET:
        if (f->set_count == EIS_CLI_SETTINGS_MAX) argp_error(state, "at most %d times --set", EIS_CLI_SETTINGS_MAX);
        f->set[f->set_count++] = arg;
        return 0;
    case KEY_LIST:
        list_settings();
        return 0;
    default:
        return eis_cli_take(settings_slots, settings_options, key, arg, state);
    }
}

const struct argp eis_cli_settings_argp = {.options = settings_options, .parser = parse_settings};

eis_status eis_cli_settings_read(eis_mpc_settings *settings, const eis_cli_settings *flags)
{
    eis_status st = EIS_OK;

    eis_mpc_settings_default(settings);
    if (flags->config != NULL) EIS_TRY(eis_mpc_settings_load(settings, flags->config));
    for (size_t i = 0; i < flags->set_count; i++) EIS_TRY(eis_mpc_settings_set(settings, flags->set[i]));
out:
    return st;
}

static const struct argp_option options[] = {
    {"parties", KEY_PARTIES, "N", 0, "With --engine mpc: start N parties, 2 to 8 (default 3), and a Triple Service",
     32},
    {"coordinator", KEY_COORDINATOR, "HOST:PORT", 0,
     "With --engine mpc: use what others run, with --ca, --cert and --key", 32},
    {"session", KEY_SESSION, "FILE", 0, "The session that was agreed on: who takes part, and on what model", 32},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_NUMBER(KEY_PARTIES, eis_cli_mpc, parties, EIS_MPC_PARTIES_MIN, EIS_MPC_PARTIES_MAX),
    EIS_CLI_TEXT(KEY_COORDINATOR, eis_cli_mpc, coordinator),
    EIS_CLI_TEXT(KEY_SESSION, eis_cli_mpc, session),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_mpc *f = state->input;

    if (key != ARGP_KEY_INIT) return eis_cli_take(slots, options, key, arg, state);
    state->child_inputs[0] = &f->settings;
    return 0;
}

static const struct argp_child children[] = {{&eis_cli_settings_argp, 0, NULL, 0}, {0}};
const struct argp eis_cli_mpc_argp = {.options = options, .parser = parse, .children = children};

bool eis_cli_mpc_any(const eis_cli_mpc *f)
{
    return f->parties != 0 || f->coordinator != NULL || f->session != NULL || f->settings.config != NULL ||
           f->settings.set_count > 0;
}

eis_status eis_cli_mpc_open(eis_mpc_text **text, const eis_cli_mpc *flags, const eis_cli_access *access,
                            const eis_cli_common *common, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_settings settings;
    eis_cli_progress progress;
    const eis_mpc_text_wish wish = {.settings = &settings,
                                    .parties = flags->parties != 0 ? flags->parties : PARTIES_DEFAULT,
                                    .coordinator = flags->coordinator,
                                    .session = flags->session,
                                    .ca = access->ca,
                                    .cert = access->cert,
                                    .key = access->key,
                                    .cancel = eis_cli_cancel(),
                                    .progress = eis_cli_progress_step,
                                    .progress_context = &progress};

    *text = NULL;
    EIS_REQUIRE((flags->coordinator == NULL) == (flags->session == NULL), EIS_ERR_USAGE,
                "--coordinator and --session go together");
    EIS_REQUIRE(flags->coordinator == NULL || flags->parties == 0, EIS_ERR_USAGE,
                "--parties starts processes here; a session says how many there are");
    EIS_TRY(eis_cli_settings_read(&settings, &flags->settings));
    eis_cli_progress_start(&progress, "masking weights", common);
    st = eis_mpc_text_open(text, &wish, model);
    eis_cli_progress_end(&progress);
out:
    return st;
}
