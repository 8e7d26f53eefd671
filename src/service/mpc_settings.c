/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_settings.h"

#include "engine/mpc/lm.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 64

/* Those of _OR_0 take 0 as well, which chooses. */
typedef enum kind { WHOLE, WHOLE_OR_0, REAL, REAL_OR_0, WORD, TEXT } kind;

typedef struct key {
    const char *section, *name;
    kind kind;
    size_t at; /* in eis_mpc_settings; a word's is the uint32_t of its place among its words */
    double min, max;
    const char *initial, *effect; /* initial of a WORD: all words with '|' between, the default first */
} key;

#define AT(member) offsetof(eis_mpc_settings, member)

/* Those of one section stand together. */
static const key keys[] = {
    {"fixed_point", "scale_bits", WHOLE, AT(tuning.frac), 12, 20, "16",
     "bits of the fraction: more are more precise and leave less room for large values"},
    {"cheby", "deg", WHOLE, AT(tuning.exp_degree), 5, 15, "11",
     "degree of exp: more is more precise; above 11 it costs 2 rounds more in every softmax"},
    {"cheby", "range", REAL, AT(tuning.exp_range), 8, 16, "12", "exp is 0 below minus this"},
    {"exp", "method", WORD, AT(exp_method), 0, 0, "cheby", "how exp is computed: by Chebyshev's polynomials"},
    {"act", "deg", WHOLE_OR_0, AT(tuning.act_degree), 5, 15, "0", "degree of SiLU and GELU; 0 chooses 11 and 9"},
    {"act", "range", REAL_OR_0, AT(tuning.act_range), 2, 16, "0",
     "where SiLU and GELU become straight lines; 0 chooses 8 and 4"},
    {"spline", "per_octave", WHOLE, AT(tuning.per_octave), 1, 8, "4",
     "lines per octave of 1/x and 1/sqrt(x), before Newton's steps"},
    {"newton", "steps", WHOLE, AT(tuning.newton_steps), 1, 2, "1", "Newton's steps of 1/x and 1/sqrt(x)"},
    {"compare", "digit_bits", WHOLE_OR_0, AT(tuning.digit_bits_max), 4, 7, "0",
     "bits of a digit of a comparison, at most where they are enough; 0 chooses: fewer are more words of the parties "
     "and less material"},
    {"compare", "engine", WORD, AT(compare_engine), 0, 0, "digits", "how comparisons are made: by digits of masks"},
    {"softmax", "max", WORD, AT(tuning.softmax_static), 0, 0, "tournament|static",
     "what is taken off the scores: the largest one, or static: the bound of all, which costs 2 rounds less for each "
     "doubling of the text and is for models whose scores stay below 2.7"},
    {"range", "policy", WORD, AT(range_policy), 0, 0, "auto|static|calibrated",
     "static: the sizes of all numbers are theorems about the weights, and a model that they leave no room is refused; "
     "calibrated: what the owner declares replaces them where it is less, and inputs that go beyond give wrong "
     "answers; auto: calibrated where static does not fit"},
    {"range", "margin", REAL, AT(range_margin), 1, 1000, "4", "what is declared is taken times this"},
    {"range", "residual", REAL_OR_0, AT(range_residual), 0.001, 1e6, "0",
     "what the owner of a language model declares: no residual is longer than this; 0 declares nothing"},
    {"scheduler", "max_context", WHOLE, AT(context_max), 1, 1048576, "512",
     "positions of a session at most: what is longer is refused before any work"},
    {"scheduler", "pad_bucket", WHOLE, AT(pad_bucket), 0, EIS_MPC_LM_PAD_BUCKET_MAX, "0",
     "prompts are filled up to multiples of this, and what fills up is a secret of their owner; 0: their length shows"},
    {"scheduler", "prefill_mib", WHOLE, AT(prefill_mib), 1, EIS_MPC_LM_PREFILL_MIB_MAX, "64",
     "MiB of a unit for many tokens of a prompt: as many are walked in one step as it is good for"},
    {"topk", NULL, WHOLE, AT(sampling.top_k), 1, 64, "3",
     "a token is drawn among so many of the likeliest, where a request to draw does not say; 1 takes the likeliest"},
    {"temperature", NULL, REAL, AT(sampling.temperature), 0.05, 16, "1",
     "the temperature it is drawn at, where a request to draw does not say"},
    {"sacrifice", "level", WORD, AT(sacrifice_level), 0, 0, "auto|0|1|2",
     "1 tests what the Triple Service deals before anything is computed with it; 2 also that digits and parts of "
     "truncations are those of their masks, which takes several times the material; 0 trusts it to deal right; auto: 0 "
     "where a command starts the Triple Service itself, 1 where others run it"},
    {"check", "max_pending", WHOLE, AT(pending_max), 1, 16777216, "1048576",
     "what was opened is checked between two rounds of a step, too, where so many proofs are pending: fewer take less "
     "memory and more rounds"},
    {"prompt", "check", WORD, AT(prompt_unchecked), 0, 0, "on|off",
     "on: the tokens of a prompt are proved to be tokens, so that its owner can put in no mixture of them"},
    {"prompt", "plaintext_via_coordinator", WORD, AT(plaintext_prompts), 0, 0, "off|on",
     "on: a coordinator takes prompts as token_ids; it then sees them, and says so in its log"},
    {"net", "round_ms", WHOLE, AT(round_ms), 1, 3600000, "10000",
     "a party waits this long for another's frame to begin; the coordinator, twice as long for the last answer to a "
     "step"},
    {"net", "dial_ms", WHOLE, AT(dial_ms), 1, 3600000, "5000", "a party waits this long for links to come up"},
    {"net", "owner_ms", WHOLE, AT(owner_ms), 1, 3600000, "60000",
     "a party waits this long for weights and prompts from their owners"},
    {"party", "sessions", WHOLE, AT(party_sessions), 1, 1024, "4", "sessions of a party at once"},
    {"party", "threads", WHOLE, AT(party_threads), 0, 1024, "0",
     "threads of a party for large products; 0: as many as there are processors"},
    {"dealer", "sessions", WHOLE, AT(dealer_sessions), 1, 1024, "16", "sessions of the Triple Service at once"},
    {"dealer", "threads", WHOLE, AT(dealer_threads), 0, 1024, "0",
     "sessions that are dealt for at the same time; 0: as many as there are processors"},
    {"dealer", "master_mask", WHOLE, AT(master_mask), 0, 4294967295.0, "0",
     "for tests on one machine: all masks follow from this number, so that any number of parties opens the same words; "
     "nothing is hidden then; 0 draws them"},
    {"triple_pool", "min_size", WHOLE, AT(pool_min), 1, 65536, "4",
     "with fewer steps dealt ahead than this the Triple Service refills a session's pool"},
    {"triple_pool", "target", WHOLE, AT(pool_target), 1, 65536, "16", "up to so many steps"},
    {"triple_pool", "wait_ms", WHOLE, AT(pool_wait_ms), 1, 3600000, "30000",
     "a step waits this long for its unit; then the run ends between two tokens, and may be resumed"},
    {"triple_pool", "max_bytes", REAL, AT(pool_max_bytes), 1, 1e15, "2147483648",
     "what waits at the Triple Service takes no more bytes of memory than this and a unit for each session, whatever "
     "the "
     "target"},
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

/* What is asked for by its name, and is not there. */
static const struct {
    const char *key, *word, *why;
} later[] = {
    {"compare.engine", "dcf", "keys for two parties are a later stage"},
    {"exp.method", "lut", "tables for two parties are a later stage"},
};

/* The words of a key, "a", "a or b", "a, b or c". */
static void list_words(char *text, size_t bytes, const key *k)
{
    size_t at = 0;

    for (const char *word = k->initial; *word != 0;) {
        size_t length = strcspn(word, "|");
        const char *next = word + length + (word[length] != 0), *join = "";
        if (word != k->initial) join = *next != 0 ? ", " : " or ";
        at += (size_t)snprintf(text + at, bytes - at, "%s%.*s", join, (int)length, word);
        EIS_ASSERT(at < bytes); /* the table is ours */
        word = next;
    }
}

static eis_status assign_word(eis_mpc_settings *settings, const key *k, const char *text)
{
    char name[KEY_BYTES_MAX], words[KEY_BYTES_MAX];
    uint32_t place = 0;

    for (const char *word = k->initial; *word != 0; place++) {
        size_t length = strcspn(word, "|");
        if (strlen(text) == length && strncmp(word, text, length) == 0) {
            memcpy(member(settings, k), &place, sizeof place);
            return EIS_OK;
        }
        word += length + (word[length] != 0);
    }
    name_of(name, k);
    list_words(words, sizeof words, k);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (strcmp(name, later[i].key) == 0 && strcmp(text, later[i].word) == 0)
            return eis_fail(EIS_ERR_USAGE, "%s takes %s; %s: %s", name, words, text, later[i].why);
    return eis_fail(EIS_ERR_USAGE, "%s takes %s, not \"%.64s\"", name, words, text);
}

static bool is_whole(const key *k) { return k->kind == WHOLE || k->kind == WHOLE_OR_0; }

/* What a number takes, for people. */
static void describe_number(char *text, size_t bytes, const key *k)
{
    bool or_0 = k->kind == WHOLE_OR_0 || k->kind == REAL_OR_0;

    snprintf(text, bytes, "%s%s from %.10g to %.10g", or_0 ? "0 or " : "", is_whole(k) ? "a whole number" : "a number",
             k->min, k->max);
}

static bool number_fits(const key *k, double value)
{
    if ((k->kind == WHOLE_OR_0 || k->kind == REAL_OR_0) && value == 0) return true;
    return value >= k->min && value <= k->max && (!is_whole(k) || value == floor(value));
}

static eis_status assign_number(eis_mpc_settings *settings, const key *k, const char *text)
{
    char name[KEY_BYTES_MAX], takes[KEY_BYTES_MAX], *end;
    uint32_t whole;
    double value;

    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end != 0 || errno != 0 || !number_fits(k, value)) {
        name_of(name, k);
        describe_number(takes, sizeof takes, k);
        return eis_fail(EIS_ERR_USAGE, "%s takes %s, not \"%.64s\"", name, takes, text);
    }
    if (value == 0) value = 0; /* no -0 */
    whole = is_whole(k) ? (uint32_t)value : 0;
    if (is_whole(k))
        memcpy(member(settings, k), &whole, sizeof whole);
    else
        memcpy(member(settings, k), &value, sizeof value);
    return EIS_OK;
}

eis_status eis_mpc_setting_assign(eis_mpc_settings *settings, size_t i, const char *value)
{
    const key *k = &keys[i];
    char name[KEY_BYTES_MAX];

    if (k->kind == WORD) return assign_word(settings, k, value);
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
        eis_status st = EIS_OK; /* a word's default is the first: 0 */
        if (keys[i].kind != WORD) st = eis_mpc_setting_assign(settings, i, keys[i].initial);
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
    const key *k = &keys[i];
    eis_mpc_setting setting = {.section = k->section, .name = k->name, .effect = k->effect};

    if (k->kind == TEXT)
        snprintf(setting.takes, sizeof setting.takes, "a text");
    else if (k->kind == WORD)
        list_words(setting.takes, sizeof setting.takes, k);
    else
        describe_number(setting.takes, sizeof setting.takes, k);
    return setting;
}

/* The word at a place. */
static void format_word(char *text, const key *k, uint32_t place)
{
    const char *word = k->initial;

    for (; place > 0; place--) word += strcspn(word, "|") + 1;
    snprintf(text, EIS_MPC_SETTING_TEXT_BYTES, "%.*s", (int)strcspn(word, "|"), word);
}

void eis_mpc_setting_format(char *text, const eis_mpc_settings *settings, size_t i)
{
    const key *k = &keys[i];
    bool is_real = k->kind == REAL || k->kind == REAL_OR_0;
    uint32_t whole;
    double real;

    memcpy(&whole, member_of(settings, k), sizeof whole);
    memcpy(&real, member_of(settings, k), is_real ? sizeof real : sizeof whole);
    if (k->kind == TEXT)
        snprintf(text, EIS_MPC_SETTING_TEXT_BYTES, "%s", (const char *)member_of(settings, k));
    else if (k->kind == WORD)
        format_word(text, k, whole);
    else if (is_real)
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
