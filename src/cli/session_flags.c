/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session_flags.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/mpc_notes.h"
#include "cli/slots.h"
#include "model/files.h"
#include "service/mpc_manifest.h"
#include "service/pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE_ID "template"

enum {
    KEY_SESSION = EIS_CLI_KEY_ACCESS + 0x80,
    KEY_MODEL,
    KEY_PARTY,
    KEY_TRIPLES,
    KEY_MODEL_OWNER,
    KEY_PROMPT_OWNER,
};

static const struct argp_option options[] = {
    {"session", KEY_SESSION, "FILE", 0, "Sessions as this file says, which --write-session made; may be repeated", 1},
    {"model", KEY_MODEL, "[NAME=]PATH", 0, "Or sessions on this model, whose shapes and norms alone are told to others",
     1},
    {"party", KEY_PARTY, "HOST:PORT=CERT", 0,
     "A party: its address and its certificate, or the 64 hex digits of its key's pin; once for each", 1},
    {"triples", KEY_TRIPLES, "HOST:PORT=CERT", 0, "The Triple Service, in the same way", 1},
    {"model-owner", KEY_MODEL_OWNER, "CERT", 0, "Who sends the weights", 1},
    {"prompt-owner", KEY_PROMPT_OWNER, "CERT", 0, "Who sends prompts (default: the coordinator)", 1},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, eis_cli_session_flags, model),
    EIS_CLI_TEXT(KEY_TRIPLES, eis_cli_session_flags, triples),
    EIS_CLI_TEXT(KEY_MODEL_OWNER, eis_cli_session_flags, model_owner),
    EIS_CLI_TEXT(KEY_PROMPT_OWNER, eis_cli_session_flags, prompt_owner),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_session_flags *f = state->input;

    switch (key) {
    case KEY_SESSION:
        if (f->file_count == EIS_CLI_SESSIONS_MAX)
            argp_error(state, "at most %d times --session", EIS_CLI_SESSIONS_MAX);
        f->files[f->file_count++] = arg;
        return 0;
    case KEY_PARTY:
        if (f->party_count == EIS_MPC_PARTIES_MAX) argp_error(state, "at most %d parties", EIS_MPC_PARTIES_MAX);
        f->parties[f->party_count++] = arg;
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

const struct argp eis_cli_session_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- from flags ---- */

static eis_status read_pin(eis_tls_pin *pin, const char *text)
{
    eis_status st = EIS_OK;
    eis_span pem = {0};

    if (eis_net_tls_pin_parse(pin, text) == EIS_OK) return EIS_OK;
    eis_error_clear();
    EIS_TRY(eis_pem_file_read(&pem, text, false));
    EIS_TRY(eis_net_tls_pin_of_pem(pin, pem));
out:
    eis_pem_file_clear(&pem);
    return st;
}

static eis_status read_member(eis_mpc_member *member, const char *text, const char *flag)
{
    eis_status st = EIS_OK;
    const char *equals = strchr(text, '=');
    char address[EIS_ADDRESS_TEXT_BYTES_MAX];

    EIS_REQUIRE(equals != NULL && (size_t)(equals - text) < sizeof address, EIS_ERR_USAGE,
                "%s takes HOST:PORT=CERT, not \"%s\"", flag, text);
    memcpy(address, text, (size_t)(equals - text));
    address[equals - text] = '\0';
    EIS_TRY(eis_net_address_parse(&member->address, address, -1));
    EIS_TRY(read_pin(&member->pin, equals + 1));
out:
    return st;
}

/* Splits [NAME=]PATH; the default name is that of the directory. */
static eis_status read_model_name(char name[EIS_MPC_NAME_BYTES], const char **path, const char *text)
{
    eis_status st = EIS_OK;
    const char *equals = strchr(text, '='), *begin = text, *end = equals;
    size_t length;

    *path = equals != NULL ? equals + 1 : text;
    if (equals == NULL) {
        for (end = text + strlen(text); end > text && end[-1] == '/'; end--) {}
        for (begin = end; begin > text && begin[-1] != '/'; begin--) {}
    }
    length = (size_t)(end - begin);
    EIS_REQUIRE(length < EIS_MPC_NAME_BYTES, EIS_ERR_USAGE, "a model's name has at most %d characters",
                EIS_MPC_NAME_BYTES - 1);
    memcpy(name, begin, length);
    name[length] = '\0';
    EIS_REQUIRE(eis_mpc_name_valid(name), EIS_ERR_USAGE, "--model NAME=PATH: a name is made of [A-Za-z0-9._-]");
out:
    return st;
}

static eis_status read_model(eis_mpc_session *s, const char *text, const eis_mpc_settings *settings)
{
    eis_status st = EIS_OK;
    const char *path;
    eis_model *model = NULL;
    eis_mpc_manifest_notes notes;

    EIS_TRY(read_model_name(s->model, &path, text));
    EIS_TRY(eis_model_open(&model, path, NULL));
    EIS_TRY(eis_mpc_manifest_take(s, &notes, settings, false, model));
    eis_cli_mpc_notes_log(&notes);
out:
    eis_model_free(model);
    return st;
}

static eis_status from_flags(eis_mpc_session *s, const eis_cli_session_flags *f, const eis_mpc_settings *settings,
                             const eis_tls_pin *coordinator)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(f->party_count >= EIS_MPC_PARTIES_MIN && f->triples != NULL && f->model_owner != NULL, EIS_ERR_USAGE,
                "--model needs at least %d times --party, --triples and --model-owner", EIS_MPC_PARTIES_MIN);
    snprintf(s->id, sizeof s->id, TEMPLATE_ID);
    s->party_count = f->party_count;
    for (unsigned i = 0; i < f->party_count; i++) EIS_TRY(read_member(&s->party[i], f->parties[i], "--party"));
    EIS_TRY(read_member(&s->dealer, f->triples, "--triples"));
    s->coordinator = *coordinator;
    s->prompt_owner = *coordinator;
    EIS_TRY(read_pin(&s->model_owner, f->model_owner));
    if (f->prompt_owner != NULL) EIS_TRY(read_pin(&s->prompt_owner, f->prompt_owner));
    EIS_TRY(read_model(s, f->model, settings));
out:
    return st;
}

/* ---- files ---- */

static eis_status read_file(eis_mpc_session *session, const char *path)
{
    eis_status st = EIS_OK;
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t bytes;

    EIS_REQUIRE(file != NULL, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    EIS_NEW(data, EIS_MPC_SESSION_BYTES_MAX + 1);
    bytes = fread(data, 1, EIS_MPC_SESSION_BYTES_MAX + 1, file);
    EIS_REQUIRE(!ferror(file), EIS_ERR_FILE, "%s cannot be read", path);
    EIS_REQUIRE(bytes <= EIS_MPC_SESSION_BYTES_MAX, EIS_ERR_TOO_LARGE, "%s is no session", path);
    st = eis_mpc_session_read(session, data, bytes);
    if (st != EIS_OK) st = eis_fail_prefix(st, "%s", path);
out:
    if (file != NULL) fclose(file);
    eis_mem_free(data);
    return st;
}

/* Reads back what was written: the checks of reading are all there are. */
static eis_status check(eis_mpc_session *session)
{
    eis_status st = EIS_OK;
    eis_mpc_session again = {0};
    eis_writer w;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(eis_mpc_session_write(&w, session));
    EIS_TRY(eis_mpc_session_read(&again, w.data, w.bytes));
out:
    eis_mpc_session_clear(&again);
    eis_wire_writer_clear(&w);
    return st;
}

eis_status eis_cli_sessions_open(eis_mpc_session *sessions, size_t *count, const eis_cli_session_flags *flags,
                                 const eis_mpc_settings *settings, const eis_tls_pin *coordinator)
{
    eis_status st = EIS_OK;

    *count = 0;
    EIS_REQUIRE((flags->file_count > 0) != (flags->model != NULL), EIS_ERR_USAGE,
                "give --session FILE, or --model with --party, --triples and --model-owner");
    memset(sessions, 0, EIS_CLI_SESSIONS_MAX * sizeof *sessions);
    for (; *count < flags->file_count; ++*count) EIS_TRY(read_file(&sessions[*count], flags->files[*count]));
    if (flags->model != NULL) {
        *count = 1;
        EIS_TRY(from_flags(&sessions[0], flags, settings, coordinator));
        EIS_TRY(check(&sessions[0]));
    }
out:
    return st;
}

eis_status eis_cli_session_save(const char *path, eis_mpc_session *session)
{
    eis_status st = EIS_OK;
    eis_writer w;
    int fd = -1;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(eis_mpc_session_write(&w, session));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    if (write(fd, w.data, w.bytes) != (ssize_t)w.bytes || fsync(fd) != 0) {
        st = eis_fail(EIS_ERR_FILE, "%s cannot be written", path);
        (void)unlink(path);
    }
out:
    if (fd >= 0) close(fd);
    eis_wire_writer_clear(&w);
    return st;
}
