/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever holds the cables sees: relays of ours stand in front of the Triple Service and of every party, and keep
 * every byte of every link. It is records of TLS 1.3 and nothing else, and nothing of the session stands in them. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mpc_service.h"
#include "support/mpc_stories.h"
#include "support/relay.h"

#define RECORD_BYTES_MAX (16384 + 256)

/* ---- what a wire of TLS 1.3 looks like (RFC 8446, sections 4.1 and 5.1) ---- */

static unsigned number(const uint8_t *bytes, int count)
{
    unsigned value = 0;

    for (int i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

/* Walks over `bytes` of a hello; false where it has fewer than are asked for. */
typedef struct walker {
    const uint8_t *at;
    size_t left;
} walker;

static bool pass_over(walker *w, size_t bytes)
{
    if (bytes > w->left) return false;
    w->at += bytes;
    w->left -= bytes;
    return true;
}

/* Passes over a vector with a length of 1 or 2 bytes. */
static bool pass_vector(walker *w, int length_bytes)
{
    size_t length;

    if (w->left < (size_t)length_bytes) return false;
    length = number(w->at, length_bytes);
    return pass_over(w, (size_t)length_bytes) && pass_over(w, length);
}

/* Tells whether a hello (the handshake message, header included) is one of TLS 1.3: a client offers 03 04, a server
 * chooses it. */
static bool hello_is_13(const uint8_t *message, size_t bytes, bool client)
{
    walker w = {message, bytes};

    if (bytes < 4 || message[0] != (client ? 1 : 2) || number(message + 1, 3) != bytes - 4) return false;
    if (!pass_over(&w, 4) || w.left < 2 || number(w.at, 2) != 0x0303) return false;
    if (!pass_over(&w, 2 + 32) || !pass_vector(&w, 1)) return false;
    if (client ? !pass_vector(&w, 2) || !pass_vector(&w, 1) : !pass_over(&w, 2 + 1)) return false;
    if (w.left < 2 || number(w.at, 2) != w.left - 2) return false;
    pass_over(&w, 2);
    while (w.left >= 4) {
        unsigned type = number(w.at, 2), length = number(w.at + 2, 2);
        const uint8_t *body = w.at + 4;
        if (!pass_over(&w, 4) || !pass_over(&w, length)) return false;
        if (type != 43) continue;
        if (!client) return length == 2 && number(body, 2) == 0x0304;
        if (length < 1 || body[0] != length - 1 || body[0] % 2 != 0) return false;
        for (unsigned i = 1; i < length; i += 2)
            if (number(body + i, 2) == 0x0304) return true;
        return false;
    }
    return false;
}

/* One direction of a link, whole. Returns what is wrong with it, or NULL. */
static const char *judge(const uint8_t *bytes, size_t count, bool client)
{
    unsigned hellos = 0, changes = 0, others = 0;

    for (size_t at = 0; at < count;) {
        size_t left = count - at, length;
        const uint8_t *record = bytes + at;
        if (left < 5) return "the last record has no header";
        if (record[0] < 20 || record[0] > 23) return "a content type that TLS has not";
        if (record[1] != 3 || !(record[2] == 3 || (record[2] == 1 && at == 0 && client))) return "a version";
        length = number(record + 3, 2);
        if (length == 0 || length > RECORD_BYTES_MAX) return "a length";
        if (length > left - 5) return "the last record is cut off";
        if (record[0] == 22) {
            if (others > 0 || ++hellos > 2) return "a handshake in the clear behind the hellos";
            if (!hello_is_13(record + 5, length, client)) return "a hello of another protocol";
        } else if (record[0] == 20) {
            if (hellos == 0 || ++changes > 1 || others > 0 || length != 1 || record[5] != 1)
                return "a change of cipher spec";
        } else if (record[0] == 23) {
            if (hellos == 0) return "data before a hello";
            if (length < 17) return "a record that is too short to be sealed";
            others++;
        } else {
            return "an alert in the clear";
        }
        at += 5 + length;
    }
    if (hellos == 0) return "no hello";
    return others > 0 ? NULL : "nothing behind the hello";
}

/* ---- what must not be seen ---- */

#define SECRETS_MAX 16

typedef struct secrets {
    struct {
        const char *name;
        uint8_t bytes[64];
        size_t count;
    } list[SECRETS_MAX];
    size_t count;
} secrets;

static void add_secret(secrets *s, const char *name, const void *bytes, size_t count)
{
    assert_true(s->count < SECRETS_MAX && count >= 6 && count <= sizeof s->list[0].bytes);
    s->list[s->count].name = name;
    memcpy(s->list[s->count].bytes, bytes, count);
    s->list[s->count++].count = count;
}

/* The session's names and numbers, the head of every frame, and a token as its frame has it. Six bytes or more: in what
 * looks random such a run stands by chance once in 10^14 places. */
static void fill_secrets(secrets *s, const eis_mpc_session *session, uint32_t token)
{
    uint8_t head[6] = {'E', 'I', 'S', 'F', 1, 2}, told[16] = {0};
    uint64_t id = eis_mpc_session_number(session);

    *s = (secrets){.count = 0};
    add_secret(s, "head of a frame", head, sizeof head);
    add_secret(s, "magic and version of the document", "EISM\1\0\0\0", 8);
    add_secret(s, "name of the session", session->id, strlen(session->id));
    add_secret(s, "name of the model", session->model, strlen(session->model));
    add_secret(s, "hash of the session", session->hash, sizeof session->hash);
    add_secret(s, "number of the session", &id, sizeof id);
    add_secret(s, "pin of the owner", session->model_owner.bytes, sizeof session->model_owner.bytes);
    for (int i = 0; i < 4; i++) told[8 + i] = (uint8_t)(token >> 8 * i);
    add_secret(s, "a token behind its header", told, 12);
}

/* Returns the name of a secret that stands in the bytes, or NULL. */
static const char *find_secret(const secrets *s, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < s->count; i++)
        if (memmem(bytes, count, s->list[i].bytes, s->list[i].count) != NULL) return s->list[i].name;
    return NULL;
}

/* ---- the judge himself ---- */

/* A hello as OpenSSL writes it, made to measure: record, message, one extension. */
static size_t write_hello(uint8_t *out, bool client, unsigned version)
{
    size_t at = 5 + 4;

    memset(out, 0, 128);
    out[at] = out[at + 1] = 3;
    at += 2 + 32 + 1;
    if (client) {
        out[at + 1] = 2; /* one suite */
        out[at + 2] = 0x13;
        out[at + 3] = 1;
        out[at + 4] = 1; /* no compression */
        at += 6;
    } else {
        out[at] = 0x13;
        out[at + 1] = 1;
        at += 3;
    }
    out[at + 1] = client ? 7 : 6; /* extensions */
    out[at + 3] = 43;
    out[at + 5] = client ? 3 : 2;
    at += 6;
    if (client) out[at++] = 2;
    out[at++] = (uint8_t)(version >> 8);
    out[at++] = (uint8_t)version;
    out[0] = 22;
    out[1] = 3;
    out[2] = client ? 1 : 3;
    out[4] = (uint8_t)(at - 5);
    out[5] = client ? 1 : 2;
    out[8] = (uint8_t)(at - 9);
    return at;
}

static size_t write_sealed(uint8_t *out, size_t bytes)
{
    memset(out, 0x5a, 5 + bytes);
    memcpy(out, (const uint8_t[]){23, 3, 3, (uint8_t)(bytes >> 8), (uint8_t)bytes}, 5);
    return 5 + bytes;
}

static void the_judge_knows_plaintext(void **state)
{
    static const uint8_t change[] = {20, 3, 3, 0, 1, 1}, alert[] = {21, 3, 3, 0, 2, 2, 40};
    uint8_t wire[1024], *end;
    size_t hello, count;
    (void)state;

    for (int client = 0; client < 2; client++) {
        hello = write_hello(wire, client != 0, 0x0304);
        memcpy(wire + hello, change, sizeof change);
        count = hello + sizeof change + write_sealed(wire + hello + sizeof change, 100);
        assert_null(judge(wire, count, client != 0));
        for (size_t cut = 1; cut < count; cut++) /* no part of it is whole, but for that between records */
            assert_non_null(judge(wire, cut, client != 0));
        assert_non_null(judge(wire, count, client == 0));
        end = wire + count;
        memcpy(end, alert, sizeof alert);
        assert_non_null(judge(wire, count + sizeof alert, client != 0)); /* in the clear */
        memcpy(end, change, sizeof change);
        assert_non_null(judge(wire, count + sizeof change, client != 0)); /* a second one */
        memcpy(end, wire, hello);
        assert_non_null(judge(wire, count + hello, client != 0)); /* a hello behind data */
        memset(end, 0, 40);
        memcpy(end, "EISF\1\2", 6);
        assert_non_null(judge(wire, count + 40, client != 0)); /* a frame of ours behind a good beginning */
        assert_non_null(judge(end, 40, client != 0));          /* and alone */
        wire[hello + sizeof change] = 22;
        assert_non_null(judge(wire, count, client != 0)); /* a certificate in the clear, as TLS 1.2 sends it */
        hello = write_hello(wire, client != 0, 0x0303);
        count = hello + write_sealed(wire + hello, 100);
        assert_non_null(judge(wire, count, client != 0)); /* TLS 1.2 */
        hello = write_hello(wire, client != 0, 0x0304);
        count = hello + write_sealed(wire + hello, 100);
        assert_null(judge(wire, count, client != 0));
        count = hello + write_sealed(wire + hello, RECORD_BYTES_MAX > 900 ? 900 : 100);
        wire[hello + 3] = 0x41; /* longer than a record may be, and than there is */
        assert_non_null(judge(wire, count, client != 0));
    }
}

/* A frame that our own code sends without TLS is seen for what it is. */
static void a_plain_link_is_seen(void **state)
{
    eis_mpc_session session = {.id = "a session in the clear", .model = "a model in the clear"};
    secrets s;
    uint8_t wire[4096];
    int ends[2];
    ssize_t count;
    uint8_t frame[64] = {'E', 'I', 'S', 'F', 1, 2, EIS_MPC_MESSAGE_TOKEN, 0, 12};
    (void)state;

    memset(session.hash, 0x77, sizeof session.hash);
    memset(&session.model_owner, 0x66, sizeof session.model_owner);
    fill_secrets(&s, &session, 321);
    memcpy(frame + 16, session.hash, 8);
    frame[32] = 321 & 0xff;
    frame[33] = 321 >> 8;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[0], frame, 44, 0), 44);
    count = recv(ends[1], wire, sizeof wire, 0);
    assert_int_equal(count, 44);
    close(ends[0]);
    close(ends[1]);
    assert_non_null(judge(wire, (size_t)count, true));
    assert_non_null(judge(wire, (size_t)count, false));
    for (size_t i = 0; i < s.count; i++) { /* each is found where it stands, at the beginning, within and at the end */
        for (size_t at = 0; at + s.list[i].count <= 256; at += 256 - s.list[i].count) {
            memset(wire, 0xee, 256);
            assert_null(find_secret(&s, wire, 256));
            memcpy(wire + at, s.list[i].bytes, s.list[i].count);
            assert_string_equal(find_secret(&s, wire, 256), s.list[i].name);
        }
    }
    assert_string_equal(find_secret(&s, frame, 44), "head of a frame");
}

/* ---- a session through relays ---- */

static uint32_t told[8], told_count;

static eis_status hear(void *context, uint32_t token, double ms)
{
    (void)context;
    (void)ms;
    assert_true(told_count < 8);
    told[told_count++] = token;
    return EIS_OK;
}

/* What the Triple Service counts by its records: the load, the biases and a unit for each token were given. */
static void check_stats(const mpc_service *s)
{
    eis_triple_stats stats;

    eis_triple_service_stats(&stats, s->dealer);
    assert_int_equal(stats.pool.sessions, 1);
    assert_int_equal(stats.pool.consumed, 2 + told_count);
    assert_true(stats.pool.bytes > 0 && stats.pool.burned == 0);
    assert_true(stats.pool.produced >= stats.pool.consumed);
    assert_int_equal(stats.pool.sac_fail, 0);
    if (s->session.tests.level == 0)
        assert_int_equal(stats.pool.sac_ok, 0);
    else
        assert_true(stats.pool.sac_ok + 1 >= stats.pool.consumed); /* the last word may be on its way */
}

static void tell_story(mpc_service *s)
{
    eis_mpc_conductor *conductor;
    eis_mpc_owner *owner;
    eis_mpc_end end;

    told_count = 0;
    mpc_service_require(
        eis_mpc_conductor_open(&conductor, &s->session, s->document.data, s->document.bytes, &s->coordinator), "open");
    mpc_service_require(eis_mpc_owner_open(&owner, &s->session, &s->owner), "owner");
    mpc_service_require(eis_mpc_owner_send_model(owner, model, NULL, NULL), "model");
    mpc_service_require(eis_mpc_conductor_load(conductor), "load");
    mpc_service_require(eis_mpc_owner_send_prompt(owner, 1, 0, &(uint32_t){0}, 1), "prompt");
    mpc_service_require(eis_mpc_conductor_run(conductor, &end, 1, 3, NULL, hear, NULL), "run");
    check_stats(s);
    eis_mpc_owner_close(owner);
    eis_mpc_conductor_close(conductor);
    assert_true(told_count > 0);
}

/* Judges all links of a relay; returns how many bytes its callers sent. */
static size_t judge_relay(const relay *r, const secrets *s)
{
    size_t sum = 0;

    for (int i = 0; i < r->link_count; i++)
        for (int client = 0; client < 2; client++) {
            const relay_recording *way = client ? &r->links[i].up : &r->links[i].down;
            const char *wrong = judge(way->bytes, way->count, client != 0);
            if (wrong == NULL) wrong = find_secret(s, way->bytes, way->count);
            if (wrong != NULL) fail_msg("link %d, %s: %s", i, client ? "caller" : "called", wrong);
            sum += client ? way->count : 0;
        }
    return sum;
}

static void watch_story(uint32_t parties)
{
    static relay relays[EIS_MPC_PARTIES_MAX + 1];
    size_t weights = 0;
    mpc_service s;
    secrets hidden;

    mpc_service_open(&s, model, &tuning, parties, "session-that-nobody-on-the-wire-sees");
    snprintf(s.session.model, sizeof s.session.model, "model-that-nobody-on-the-wire-sees");
    for (uint32_t p = 0; p < parties; p++) relay_start(&relays[p], &s.session.party[p].address);
    relay_start(&relays[parties], &s.session.dealer.address);
    mpc_service_write_document(&s);
    tell_story(&s);
    fill_secrets(&hidden, &s.session, told[0]);
    for (uint32_t i = 0; i < s.session.lm.shape_count; i++)
        weights += (size_t)s.session.lm.shapes[i].rows * s.session.lm.shapes[i].columns * 8;
    mpc_service_close(&s);
    for (uint32_t p = 0; p <= parties; p++) relay_finish(&relays[p]);
    for (uint32_t p = 0; p <= parties; p++) {
        /* Peers before it (all parties at the Triple Service), the coordinator and the owner: nobody else calls, and
         * everybody came through the relay, since nobody was told another address. */
        assert_int_equal(relays[p].link_count, p + 2);
        assert_true(judge_relay(&relays[p], &hidden) > (p < parties ? weights : 0));
        relay_clear(&relays[p]);
    }
}

static void a_story_of_two_is_tls_alone(void **state)
{
    (void)state;
    watch_story(2);
}

static void a_story_of_three_is_tls_alone(void **state)
{
    (void)state;
    watch_story(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_judge_knows_plaintext),
        cmocka_unit_test(a_plain_link_is_seen),
        cmocka_unit_test(a_story_of_two_is_tls_alone),
        cmocka_unit_test(a_story_of_three_is_tls_alone),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
