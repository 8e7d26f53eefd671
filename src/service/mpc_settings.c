/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 64

typedef enum kind { WHOLE, REAL, TEXT } kind;

typedef struct key {
    const char *section, *name;
    kind kind;
    size_t at; /* in eis_mpc_settings */
    double min, max;
    const char *initial, *effect;
} key;

#define AT(member) offsetof(eis_mpc_settings, member)

/* Those of one section stand together. */
static const key keys[] = {
    {"fixed_point", "scale_bits", WHOLE, AT(tuning.frac), 12, 20, "16",
     "bits of the fraction: more are more precise and leave less room for large values"},
    {"cheby", "deg", WHOLE, AT(tuning.exp_degree), 5, 15, "11",
     "degree of exp: more is more precise; above 11 it costs 2 rounds more in every softmax"},
    {"cheby", "range", REAL, AT(tuning.exp_range), 8, 16, "12", "exp is 0 below minus this"},
    {"act", "deg", WHOLE, AT(tuning.act_degree), 0, 15, "0", "degree of SiLU and GELU; 0 chooses 11 and 9"},
    {"act", "range", REAL, AT(tuning.act_range), 0, 16, "0",
     "where SiLU and GELU become straight lines; 0 chooses 8 and 4"},
    {"spline", "per_octave", WHOLE, AT(tuning.per_octave), 1, 8, "4",
     "lines per octave of 1/x and 1/sqrt(x), before Newton's steps"},
    {"newton", "steps", WHOLE, AT(tuning.newton_steps), 1, 2, "1", "Newton's steps of 1/x and 1/sqrt(x)"},
    {"compare", "digit_bits", WHOLE, AT(tuning.digit_bits_max), 0, 7, "0",
     "bits of a digit of a comparison, at most; 0 chooses: fewer are more words of the parties and less material"},
    {"scheduler", "max_context", WHOLE, AT(context_max), 1, 1048576, "512",
     "positions of a session at most: what is longer is refused before any work"},
    {"sacrifice", "level", WHOLE, AT(sacrifice_level), 0, 1, "0",
     "1 tests what the Triple Service deals before a token leaves, for one that others run: it doubles the time of a "
     "step; 0 trusts it to deal right"},
    {"net", "round_ms", WHOLE, AT(round_ms), 1, 3600000, "10000", "a party waits this long for another's frame"},
    {"net", "dial_ms", WHOLE, AT(dial_ms), 1, 3600000, "5000", "a party waits this long for links to come up"},
    {"net", "owner_ms", WHOLE, AT(owner_ms), 1, 3600000, "60000",
     "a party waits this long for weights and prompts from their owners"},
    {"party", "sessions", WHOLE, AT(party_sessions), 1, 1024, "4", "sessions of a party at once"},
    {"dealer", "sessions", WHOLE, AT(dealer_sessions), 1, 1024, "16", "sessions of the Triple Service at once"},
    {"listen", NULL, TEXT, AT(listen), 0, 0, "", "HOST:PORT of a server; port 0 takes a free one"},
    {"tls", "cert", TEXT, AT(tls_cert), 0, 0, "", "file of a server's certificate, good for both ends"},
    {"tls", "key", TEXT, AT(tls_key), 0, 0, "", "file of its key"},
    {"tls", "client_ca", TEXT, AT(tls_client_ca), 0, 0, "", "file of the CA of all others"},
    {"store", "path", TEXT, AT(store_path), 0, 0, "",
     "file where a party or a Triple Service records what material was used; empty: in memory"},
};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

static void *member(eis_mpc_settings *settings, const key *k) { return (char *)settings + k->at; }

static const void *member_of(const eis_mpc_settings *settings, const key *k) { return (const char *)settings + k->at; }

static void name_of(char text[KEY_BYTES_MAX], const key *k)
{
    snprintf(text, KEY_BYTES_MAX, k->name != NULL ? "%s.%s" : "%s", k->section, k->name);
}

/* Every number in the settings is one of these two. */
static eis_status assign_number(eis_mpc_settings *settings, const key *k, const char *text)
{
    char name[KEY_BYTES_MAX], *end;
    uint32_t whole;
    double value;

    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end != 0 || errno != 0 || !(value >= k->min && value <= k->max) ||
        (k->kind == WHOLE && value != floor(value))) {
        name_of(name, k);
        return eis_fail(EIS_ERR_USAGE, "%s takes %s from %.10g to %.10g, not \"%.64s\"", name,
                        k->kind == WHOLE ? "a whole number" : "a number", k->min, k->max, text);
    }
    whole = (uint32_t)value;
    if (k->kind == WHOLE)
        memcpy(member(settings, k), &whole, sizeof whole);
    else
        memcpy(member(settings, k), &value, sizeof value);
    return EIS_OK;
}

eis_status eis_mpc_setting_assign(eis_mpc_settings *settings, size_t i, const char *value)
{
    const key *k = &keys[i];
    char name[KEY_BYTES_MAX];

    if (k->kind != TEXT) return assign_number(settings, k, value);
    name_of(name, k);
    if (strlen(value) >= EIS_MPC_SETTING_TEXT_BYTES) return eis_fail(EIS_ERR_USAGE, "the text of %s is too long", name);
    memcpy(member(settings, k), value, strlen(value) + 1);
    return EIS_OK;
}

void eis_mpc_settings_default(eis_mpc_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        eis_status st = eis_mpc_setting_assign(settings, i, keys[i].initial);
        EIS_ASSERT(st == EIS_OK); /* the table is ours */
    }
}

eis_status eis_mpc_settings_set(eis_mpc_settings *settings, const char *assignment)
{
    const char *value = strchr(assignment, '=');
    char name[KEY_BYTES_MAX];

    if (value == NULL) return eis_fail(EIS_ERR_USAGE, "\"%.64s\" is not KEY=VALUE", assignment);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        name_of(name, &keys[i]);
        if (strlen(name) == (size_t)(value - assignment) && strncmp(name, assignment, strlen(name)) == 0)
            return eis_mpc_setting_assign(settings, i, value + 1);
    }
    return eis_fail(EIS_ERR_USAGE, "there is no setting \"%.*s\"",
                    (int)(value - assignment > 64 ? 64 : value - assignment), assignment);
}

size_t eis_mpc_setting_count(void) { return KEY_COUNT; }

eis_mpc_setting eis_mpc_setting_get(size_t i)
{
    static const char *const takes[] = {"a whole number", "a number", "a text"};
    const key *k = &keys[i];
    eis_mpc_setting setting = {.section = k->section, .name = k->name, .effect = k->effect};

    if (k->kind == TEXT)
        snprintf(setting.takes, sizeof setting.takes, "%s", takes[k->kind]);
    else
        snprintf(setting.takes, sizeof setting.takes, "%s from %.10g to %.10g", takes[k->kind], k->min, k->max);
    return setting;
}

void eis_mpc_setting_format(char *text, const eis_mpc_settings *settings, size_t i)
{
    const key *k = &keys[i];
    uint32_t whole;
    double real;

    memcpy(&whole, member_of(settings, k), sizeof whole);
    memcpy(&real, member_of(settings, k), k->kind == REAL ? sizeof real : sizeof whole);
    if (k->kind == TEXT)
        snprintf(text, EIS_MPC_SETTING_TEXT_BYTES, "%s", (const char *)member_of(settings, k));
    else if (k->kind == REAL)
        snprintf(text, EIS_MPC_SETTING_TEXT_BYTES, "%.17g", real);
    else
        snprintf(text, EIS_MPC_SETTING_TEXT_BYTES, "%u", whole);
}

void eis_mpc_settings_write(eis_writer *w, const eis_mpc_settings *settings)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char name[KEY_BYTES_MAX], value[EIS_MPC_SETTING_TEXT_BYTES];
        if (keys[i].kind == TEXT) continue;
        name_of(name, &keys[i]);
        eis_mpc_setting_format(value, settings, i);
        eis_wire_writer_bytes(w, name, strlen(name));
        eis_wire_writer_bytes(w, "=", 1);
        eis_wire_writer_bytes(w, value, strlen(value));
        eis_wire_writer_bytes(w, "\n", 1);
    }
}

eis_status eis_mpc_settings_read(eis_mpc_settings *settings, const char *text, size_t bytes)
{
    eis_status st = EIS_OK;
    char line[KEY_BYTES_MAX + EIS_MPC_SETTING_TEXT_BYTES];

    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : bytes - at;
        EIS_REQUIRE(length < sizeof line, EIS_ERR_PARSE, "a line of the settings is too long");
        memcpy(line, text + at, length);
        line[length] = 0;
        EIS_TRY(eis_mpc_settings_set(settings, line));
        at += length + 1;
    }
out:
    return st;
}
