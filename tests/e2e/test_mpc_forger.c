/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator that tells other tokens than the parties did: in place of the real one, with its papers. Whoever
 * generates a text refuses what the parties have not signed, and what is not due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "service/mpc_text.h"
#include "support/mpc_coordinator_world.h"

#include <sys/stat.h>
#include <unistd.h>

#define TOKENS 4

static eis_text_model lm;

static int open_model(void **state)
{
    char path[1024];
    const char *root = getenv("EIS_TEST_ROOT");
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root != NULL ? root : ".");
    return eis_text_model_open(&lm, path, NULL) == EIS_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    eis_text_model_close(&lm);
    return 0;
}

/* ---- the forger ---- */

typedef enum lie { NONE, OTHER_TOKEN, LEFT_OUT, TWICE, UNSIGNED, OTHER_PARTY, OTHER_KEYS } lie;

typedef struct forger {
    eis_grpc_server *server;
    eis_grpc_client *real;
    lie lie;
} forger;

typedef struct passing {
    forger *f;
    eis_grpc_call *call;
    unsigned heard; /* tokens */
} passing;

static eis_status send_writer(eis_grpc_call *call, eis_writer *w)
{
    eis_status st = eis_wire_writer_status(w);

    if (st == EIS_OK) st = eis_net_grpc_send(call, w->data, w->bytes);
    eis_wire_writer_clear(w);
    return st;
}

/* Passes an acknowledgement on, with keys of its own where that is the lie. */
static eis_status pass_ack(void *context, eis_span message)
{
    passing *p = context;
    eis_mpc_party_keys keys;
    uint8_t *document = NULL;
    size_t bytes;
    eis_status st = EIS_OK;
    eis_writer w;

    if (p->f->lie != OTHER_KEYS || strstr(eis_net_grpc_path(p->call), "Create") == NULL)
        return eis_net_grpc_send(p->call, message.data, message.bytes);
    EIS_TRY(eis_coordinator_read_session_ack(&document, &bytes, message));
    EIS_TRY(eis_coordinator_read_party_keys(&keys, message));
    keys.key[0] = keys.key[1]; /* one of its own would do as well */
    eis_wire_writer_init(&w, 1 << 20);
    eis_coordinator_write_session_ack(&w, "", document, bytes, &keys);
    EIS_TRY(send_writer(p->call, &w));
out:
    eis_mem_free(document);
    return st;
}

static eis_status send_told(passing *p, const eis_mpc_told *told)
{
    eis_writer w;

    eis_wire_writer_init(&w, 1 << 20);
    eis_coordinator_write_token(&w, told, "");
    return send_writer(p->call, &w);
}

/* The second token of a run is the one that is lied about. */
static eis_status pass_event(void *context, eis_span message)
{
    passing *p = context;
    eis_coordinator_event event;
    eis_status st = EIS_OK;

    EIS_TRY(eis_coordinator_read_event(&event, message));
    if (event.kind == EIS_COORDINATOR_TOKEN) p->heard++;
    if (p->heard != 2 || event.kind == EIS_COORDINATOR_LOG)
        return eis_net_grpc_send(p->call, message.data, message.bytes);
    if (p->f->lie == LEFT_OUT) return EIS_OK;
    if (event.kind != EIS_COORDINATOR_TOKEN) return eis_net_grpc_send(p->call, message.data, message.bytes);
    if (p->f->lie == OTHER_TOKEN) event.told.token ^= 1;
    if (p->f->lie == TWICE) event.told.step--;
    if (p->f->lie == UNSIGNED) event.told.count = 0;
    if (p->f->lie == OTHER_PARTY) event.told.signature[1] = event.told.signature[0];
    EIS_TRY(send_told(p, &event.told));
out:
    return st;
}

static eis_status relay(void *context, eis_grpc_call *call)
{
    forger *f = context;
    passing p = {.f = f, .call = call};
    bool run = strstr(eis_net_grpc_path(call), "Run") != NULL;
    eis_span message;
    eis_status st = EIS_OK;

    EIS_TRY(eis_net_grpc_receive(&message, call));
    EIS_TRY(eis_net_grpc_call(f->real, eis_net_grpc_path(call), message.data, message.bytes, COORDINATOR_CALL_MS,
                              run ? pass_event : pass_ack, &p));
out:
    return st;
}

/* ---- the world ---- */

typedef struct world {
    coordinator_world w;
    forger f;
    char folder[64], session[96], ca[96], cert[96], key[96], address[EIS_ADDRESS_TEXT_BYTES_MAX];
} world;

static void write_file(char path[96], const world *w, const char *name, const void *data, size_t bytes)
{
    FILE *file;

    snprintf(path, 96, "%s/%s", w->folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void world_open(world *w)
{
    const eis_mpc_coordinator_config config = {.load_ms = 60000};
    eis_grpc_route routes[] = {{"/mimir.Coordinator/CreateSession", relay, &w->f},
                               {"/mimir.Coordinator/SubmitPrompt", relay, &w->f},
                               {"/mimir.Coordinator/RunInference", relay, &w->f}};
    eis_grpc_config grpc = {.address = {.host = "127.0.0.1"}, .routes = routes, .route_count = 3};
    eis_tls_server_config tls;
    eis_address address;
    eis_writer document;
    mpc_service *s = &w->w.service;

    memset(&w->f, 0, sizeof w->f);
    coordinator_world_open(&w->w, lm.model, 2, true, config);
    atomic_store(&w->w.hold_weights, true); /* the text's owner sends them */
    tls = mpc_service_tls(s, &s->coordinator_papers);
    grpc.cert_pem = tls.cert_pem;
    grpc.key_pem = tls.key_pem;
    grpc.client_ca_pem = tls.client_ca_pem;
    w->f.real = coordinator_world_client(&w->w, &s->owner_papers);
    mpc_service_require(eis_net_grpc_server_start(&w->f.server, &grpc), "forger");
    eis_net_grpc_server_address(&address, w->f.server);
    eis_net_address_format(w->address, &address);
    snprintf(w->folder, sizeof w->folder, "/tmp/eis-forger-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    eis_wire_writer_init(&document, EIS_MPC_SESSION_BYTES_MAX);
    mpc_service_require(eis_mpc_session_write(&document, &s->session), "session");
    write_file(w->session, w, "session", document.data, document.bytes);
    eis_wire_writer_clear(&document);
    write_file(w->ca, w, "ca", s->ca.cert, s->ca.cert_bytes);
    write_file(w->cert, w, "cert", s->owner_papers.cert, s->owner_papers.cert_bytes);
    write_file(w->key, w, "key", s->owner_papers.key, s->owner_papers.key_bytes);
}

static void world_close(world *w)
{
    const char *const files[] = {w->session, w->ca, w->cert, w->key};

    eis_net_grpc_server_free(w->f.server);
    eis_net_grpc_client_free(w->f.real);
    coordinator_world_close(&w->w);
    for (int i = 0; i < 4; i++) (void)unlink(files[i]);
    (void)rmdir(w->folder);
}

/* Generates under a lie. Returns how many tokens were believed. */
static eis_status generate(uint32_t *tokens, world *w, lie told)
{
    eis_status st = EIS_OK;
    eis_mpc_settings settings;
    eis_mpc_text *text = NULL;
    eis_mpc_text_report report;
    eis_ids ids = {0};
    const eis_text_generation generation = {.lm = &lm, .sampling = {.greedy = true}, .max_tokens = TOKENS};
    const eis_mpc_text_wish wish = {.settings = &settings,
                                    .coordinator = w->address,
                                    .session = w->session,
                                    .ca = w->ca,
                                    .cert = w->cert,
                                    .key = w->key};

    *tokens = 0;
    w->f.lie = told;
    eis_mpc_settings_default(&settings);
    EIS_TRY(eis_mpc_text_open(&text, &wish, lm.model));
    EIS_TRY(eis_ids_append(&ids, 0));
    EIS_TRY(eis_ids_append(&ids, 77));
    st = eis_mpc_text_generate(&ids, text, &generation);
    eis_mpc_text_report_get(&report, text);
    *tokens = report.tokens;
out:
    eis_mpc_text_close(text);
    eis_ids_clear(&ids);
    return st;
}

static void test_lies(void **state)
{
    world w;
    uint32_t tokens;
    (void)state;

    world_open(&w);
    assert_int_equal(generate(&tokens, &w, NONE), EIS_OK);
    assert_true(tokens > 2);
    for (lie l = OTHER_TOKEN; l <= OTHER_PARTY; l++) {
        assert_int_equal(generate(&tokens, &w, l), EIS_ERR_INTEGRITY);
        assert_int_equal(tokens, 1); /* the one before it was true */
    }
    assert_int_equal(generate(&tokens, &w, OTHER_KEYS), EIS_ERR_INTEGRITY);
    assert_int_equal(tokens, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lies)};

    return cmocka_run_group_tests(tests, open_model, close_model);
}
