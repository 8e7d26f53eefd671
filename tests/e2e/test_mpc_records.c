/* SPDX-License-Identifier: Apache-2.0 */
/* SIGKILL for the Triple Service or a party in the middle of a text, each a process with records of its own: the run
 * ends, who comes back refuses the session and serves another, and by the records no unit was given twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/db.h"
#include "store/material.h"
#include "support/mpc_service.h"
#include "support/mpc_stories.h"

#define PARTIES 2
#define DEALER  PARTIES /* the number of the Triple Service among the processes */

typedef struct world {
    mpc_service s; /* papers and the session; the servers are processes */
    pid_t process[PARTIES + 1];
    char dir[64];
} world;

/* ---- processes ---- */

static void store_path(char path[128], const world *w, uint32_t who) { snprintf(path, 128, "%s/%u.db", w->dir, who); }

static eis_mpc_member *member(world *w, uint32_t who)
{
    return who == DEALER ? &w->s.session.dealer : &w->s.session.party[who];
}

/* The life of a server; ends with its parent. */
static _Noreturn void live(world *w, uint32_t who, int told)
{
    const eis_trust_pair *papers = who == DEALER ? &w->s.dealer_papers : &w->s.papers[who];
    eis_address address = {.host = "127.0.0.1", .port = member(w, who)->address.port};
    char path[128];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    store_path(path, w, who);
    if (who == DEALER) {
        const eis_triple_service_config config = {
            .listen = address, .tls = mpc_service_tls(&w->s, papers), .store_path = path};
        mpc_service_require(eis_triple_service_start(&w->s.dealer, &config), "Triple Service");
        eis_triple_service_address(&address, w->s.dealer);
    } else {
        const eis_mpc_party_server_config config = {
            .listen = address, .tls = mpc_service_tls(&w->s, papers), .store_path = path};
        mpc_service_require(eis_mpc_party_server_start(&w->s.party[who], &config), "party");
        eis_mpc_party_server_address(&address, w->s.party[who]);
    }
    if (write(told, &address.port, sizeof address.port) != sizeof address.port) _exit(1);
    for (;;) pause();
}

static void start(world *w, uint32_t who)
{
    uint16_t port;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    w->process[who] = fork();
    assert_true(w->process[who] >= 0);
    if (w->process[who] == 0) live(w, who, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &port, sizeof port), sizeof port);
    close(ends[0]);
    snprintf(member(w, who)->address.host, sizeof member(w, who)->address.host, "127.0.0.1");
    member(w, who)->address.port = port;
}

static void finish(world *w, uint32_t who)
{
    int status;

    if (w->process[who] == 0) return;
    kill(w->process[who], SIGKILL);
    assert_int_equal(waitpid(w->process[who], &status, 0), w->process[who]);
    w->process[who] = 0;
}

static void write_document(world *w, const char *id)
{
    snprintf(w->s.session.id, sizeof w->s.session.id, "%s", id);
    eis_wire_writer_clear(&w->s.document);
    eis_wire_writer_init(&w->s.document, EIS_MPC_SESSION_BYTES_MAX);
    mpc_service_require(eis_mpc_session_write(&w->s.document, &w->s.session), "session");
}

static void open_world(world *w)
{
    const eis_trust_ca_literal ca = {.name = "test", .days = 2};
    mpc_service *s = &w->s;

    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/eis-records-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    mpc_service_require(eis_trust_ca_make(&s->ca, &ca), "ca");
    s->session.party_count = PARTIES;
    s->session.context = model->lm.context;
    s->session.pending_max = EIS_MPC_CHECK_PENDING_MAX;
    snprintf(s->session.model, sizeof s->session.model, "test");
    mpc_service_issue(s, &s->dealer_papers, &s->session.dealer.pin, "dealer");
    mpc_service_issue(s, &s->coordinator_papers, &s->session.coordinator, "coordinator");
    mpc_service_issue(s, &s->owner_papers, &s->session.model_owner, "owner");
    s->session.prompt_owner = s->session.model_owner;
    for (uint32_t p = 0; p < PARTIES; p++) mpc_service_issue(s, &s->papers[p], &s->session.party[p].pin, "party");
    for (uint32_t who = 0; who <= DEALER; who++) start(w, who);
    mpc_service_require(eis_mpc_lm_init(&s->session.lm, model, &tuning), "manifest");
    s->coordinator = mpc_service_caller(s, &s->coordinator_papers);
    s->owner = mpc_service_caller(s, &s->owner_papers);
}

static void close_world(world *w)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[128], name[160];

    for (uint32_t who = 0; who <= DEALER; who++) {
        finish(w, who);
        store_path(path, w, who);
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            snprintf(name, sizeof name, "%s%s", path, ends[i]);
            unlink(name);
        }
    }
    assert_int_equal(rmdir(w->dir), 0);
    w->s.dealer = NULL;
    mpc_service_close(&w->s);
}

/* ---- a text, and its end ---- */

typedef struct listener {
    world *w;
    uint32_t victim, told, kill_at; /* kill_at 0: nobody */
} listener;

static eis_status hear(void *context, uint32_t token, double ms)
{
    listener *l = context;
    (void)token;
    (void)ms;

    if (++l->told == l->kill_at) finish(l->w, l->victim);
    return EIS_OK;
}

/* Runs a session over two prompts, the first so short that steps dealt ahead are thrown away. */
static eis_status tell(world *w, listener *l, uint32_t most)
{
    eis_mpc_conductor *conductor = NULL;
    eis_mpc_owner *owner = NULL;
    eis_mpc_end end;
    static const eis_mpc_sampling draw = {3, 1}; /* the first text is drawn, so that units of both kinds are recorded */
    eis_status st = EIS_OK;

    EIS_TRY(
        eis_mpc_conductor_open(&conductor, &w->s.session, w->s.document.data, w->s.document.bytes, &w->s.coordinator));
    EIS_TRY(eis_mpc_owner_open(&owner, &w->s.session, &w->s.owner));
    EIS_TRY(eis_mpc_owner_send_model(owner, model, NULL, NULL));
    EIS_TRY(eis_mpc_conductor_load(conductor));
    for (uint32_t turn = 0; turn < 2; turn++) {
        EIS_TRY(eis_mpc_owner_send_prompt(owner, eis_mpc_conductor_step(conductor),
                                          eis_mpc_conductor_position(conductor), &(uint32_t){77 * turn}, 1));
        EIS_TRY(eis_mpc_conductor_run(conductor, &end, 1, turn == 0 ? 2 : most, turn == 0 ? &draw : NULL, hear, l));
    }
out:
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    return st;
}

/* Asks one server alone for the session of the document. */
static eis_status ask_for_session(world *w, uint32_t who)
{
    eis_stream *stream = NULL;
    eis_writer writer;
    eis_reader r;
    eis_status st = EIS_OK;

    eis_wire_writer_init(&writer, EIS_MPC_SESSION_BYTES_MAX + 4);
    EIS_TRY(eis_mpc_call(&stream, &w->s.coordinator, member(w, who), EIS_MPC_ROLE_COORDINATOR, 0));
    eis_wire_writer_u32(&writer, who == DEALER ? 0 : who);
    eis_wire_writer_bytes(&writer, w->s.document.data, w->s.document.bytes);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATE, 0, &writer, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_CREATED, eis_mpc_session_number(&w->s.session), 20000));
out:
    eis_net_stream_free(stream);
    eis_wire_writer_clear(&writer);
    return st;
}

/* Reads one number from the records of a process that has ended. ?1 is the session. */
static int64_t look(const world *w, uint32_t who, const uint8_t *session, const char *question)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *read = NULL;
    int64_t answer;

    store_path(path, w, who);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, question, -1, &read, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_bind_blob(read, 1, session, EIS_MATERIAL_SESSION_BYTES, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(read), SQLITE_ROW);
    answer = sqlite3_column_int64(read, 0);
    sqlite3_finalize(read);
    sqlite3_close(db);
    return answer;
}

/* What the records say of a session that told so many tokens before it died. */
static void check_records(const world *w, const uint8_t *session, uint32_t told)
{
    int64_t given, last_given, last_dealt;

    last_given = look(w, DEALER, session, "SELECT coalesce(max(step),0) FROM material WHERE session=?1 AND state=3");
    last_dealt = look(w, DEALER, session, "SELECT coalesce(max(step),0) FROM material WHERE session=?1");
    /* One unit for each step, and each step's stream of words dealt once: no two units are alike. */
    assert_int_equal(look(w, DEALER, session,
                          "SELECT count(*) FROM (SELECT step FROM material WHERE session=?1 AND state=3 AND step>0"
                          " GROUP BY step HAVING count(*)>1)"),
                     0);
    assert_int_equal(
        look(w, DEALER, session, "SELECT count(*)-count(DISTINCT digest) FROM material WHERE session=?1 AND words>0"),
        0);
    given = look(w, DEALER, session, "SELECT count(*) FROM material WHERE session=?1 AND state=3");
    assert_true(given >= told && given >= 3);
    /* The second prompt threw away what was dealt ahead for the first. */
    assert_true(look(w, DEALER, session, "SELECT count(*) FROM material WHERE session=?1 AND state=5") > 0);
    for (uint32_t p = 0; p < PARTIES; p++) {
        int64_t used = look(w, p, session, "SELECT count(*) FROM material WHERE session=?1 AND state=4");
        /* Leases ran ahead of what was given, and what is used up has no gap. */
        assert_true(look(w, p, session, "SELECT max(step) FROM material WHERE session=?1") >= last_given);
        assert_true(look(w, p, session, "SELECT count(*)-max(step)-1 FROM material WHERE session=?1") == 0);
        assert_true(used > 0 && used <= last_dealt + 1);
        assert_int_equal(
            look(w, p, session, "SELECT coalesce(max(step),0)+1 FROM material WHERE session=?1 AND state=4"), used);
    }
}

static void kill_one(uint32_t victim)
{
    world w;
    listener l = {.w = &w, .victim = victim, .kill_at = 5}, after = {.w = &w};
    uint8_t old[EIS_MATERIAL_SESSION_BYTES];
    eis_material_store *records;
    char path[128];

    open_world(&w);
    write_document(&w, "killed");
    memcpy(old, w.s.session.hash, sizeof old);
    assert_true(tell(&w, &l, 40) != EIS_OK);
    assert_true(l.told >= l.kill_at && l.told < 42);
    start(&w, victim);
    for (uint32_t who = 0; who <= DEALER; who++) /* those who lived on refuse it too */
        assert_int_equal(ask_for_session(&w, who), EIS_ERR_FORBIDDEN);
    write_document(&w, "another");
    mpc_service_require(tell(&w, &after, 2), "another session");
    assert_true(after.told >= 2);
    for (uint32_t who = 0; who <= DEALER; who++) finish(&w, who);
    check_records(&w, old, l.told);
    check_records(&w, w.s.session.hash, after.told);
    for (uint32_t who = 0; who <= DEALER; who++) { /* nothing is open once a server has begun again */
        store_path(path, &w, who);
        assert_int_equal(eis_store_material_open(&records, path), EIS_OK);
        eis_store_material_close(records);
        assert_int_equal(look(&w, who, old, "SELECT count(*) FROM material WHERE state<3"), 0);
    }
    close_world(&w);
}

static void the_triple_service_is_killed(void **state)
{
    (void)state;
    kill_one(DEALER);
}

static void the_first_party_is_killed(void **state)
{
    (void)state;
    kill_one(0);
}

static void the_last_party_is_killed(void **state)
{
    (void)state;
    kill_one(PARTIES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_triple_service_is_killed),
        cmocka_unit_test(the_first_party_is_killed),
        cmocka_unit_test(the_last_party_is_killed),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
