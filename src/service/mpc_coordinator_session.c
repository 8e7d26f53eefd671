/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the coordinator: from creation over loading to their end. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rand/entropy.h"
#include "service/mpc_coordinator_internal.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 100 /* how often a waiting call looks whether its client is still there */

static void session_free(eis_coordinator_session *s)
{
    if (s == NULL) return;
    eis_mpc_owner_close(s->owner);
    eis_mpc_conductor_close(s->conductor);
    eis_mem_free_wiped(s->tokens, s->token_count, sizeof *s->tokens);
    eis_wire_writer_clear(&s->document);
    eis_mpc_session_clear(&s->session);
    eis_mem_free(s);
}

/* Takes a session out of the table. Under the lock; the last user frees it. */
static void kill_session(eis_coordinator_session *s, eis_status why, const char *text)
{
    eis_mpc_coordinator *c = s->coordinator;
    eis_coordinator_session **at = &c->sessions;

    if (s->state == EIS_COORDINATOR_DEAD) return;
    s->state = EIS_COORDINATOR_DEAD;
    s->failure = why;
    snprintf(s->why, sizeof s->why, "%s", text);
    while (*at != NULL && *at != s) at = &(*at)->next;
    if (*at == s) {
        *at = s->next;
        c->session_count--;
    }
    pthread_cond_broadcast(&c->changed);
}

void eis_coordinator_session_give_back(eis_coordinator_session *s)
{
    eis_mpc_coordinator *c = s->coordinator;
    bool last;

    pthread_mutex_lock(&c->lock);
    s->used_ns = eis_clock_ns();
    last = --s->users == 0 && s->state == EIS_COORDINATOR_DEAD;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (last) session_free(s);
}

/* Ends a session that nobody uses. Under the lock, which is let go of meanwhile. */
static void retire(eis_coordinator_session *s, const char *why)
{
    eis_mpc_coordinator *c = s->coordinator;

    eis_log(EIS_LOG_INFO, "session_ended", "%s: %s", s->name, why);
    kill_session(s, EIS_ERR_NOT_FOUND, why);
    pthread_mutex_unlock(&c->lock);
    session_free(s);
    pthread_mutex_lock(&c->lock);
}

static bool peers_equal(const eis_coordinator_peer *a, const eis_coordinator_peer *b)
{
    return a->known == b->known && (!a->known || memcmp(&a->pin, &b->pin, sizeof a->pin) == 0);
}

/* ---- opening ---- */

/* Makes room under the lock: for a session of the same name and caller, and for one instead of those long idle. */
static eis_status make_room(eis_mpc_coordinator *c, const char *name, const eis_coordinator_peer *peer)
{
    eis_status st = EIS_OK;
    uint64_t now = eis_clock_ns(), idle_ns = (uint64_t)c->config.session_idle_ms * 1000000u;
    eis_coordinator_session *s = c->sessions;

    while (s != NULL) {
        bool same = strcmp(s->name, name) == 0, free_now = s->users == 0 && s->state == EIS_COORDINATOR_READY;
        EIS_REQUIRE(!same || peers_equal(&s->creator, peer), EIS_ERR_FORBIDDEN, "session \"%s\" is somebody else's",
                    name);
        EIS_REQUIRE(!same || free_now, EIS_ERR_IN_PROGRESS, "session \"%s\" is being opened, loaded or run", name);
        if (free_now && (same || now - s->used_ns > idle_ns)) {
            retire(s, same ? "its creator begins anew" : "idle");
            s = c->sessions; /* the list may be another one now */
        } else {
            s = s->next;
        }
    }
    EIS_REQUIRE(!c->draining, EIS_ERR_UNAVAILABLE, "this coordinator is going away");
    EIS_REQUIRE(c->session_count < c->config.sessions_max, EIS_ERR_BUSY, "there are %u sessions, and no more at once",
                c->config.sessions_max);
out:
    return st;
}

/* Writes the document of a new session: the template with an id that never was. */
static eis_status write_document(eis_coordinator_session *s, uint32_t context_max)
{
    eis_status st = EIS_OK;
    eis_mpc_session session = *s->model->session;
    uint8_t random[8];
    int length;

    EIS_TRY(eis_entropy_draw(random, sizeof random));
    length = snprintf(session.id, sizeof session.id, "%s.%016llx", s->name, (unsigned long long)eis_load_le64(random));
    EIS_REQUIRE(length > 0 && (size_t)length < sizeof session.id, EIS_ERR_PARSE, "session_id is longer than %d",
                EIS_MPC_NAME_BYTES - 1 - EIS_COORDINATOR_SUFFIX);
    if (session.kind == EIS_MPC_MODEL_LM && session.context > context_max) session.context = context_max;
    eis_wire_writer_init(&s->document, EIS_MPC_SESSION_BYTES_MAX);
    EIS_TRY(eis_mpc_session_write(&s->document, &session));
    EIS_TRY(eis_mpc_session_read(&s->session, s->document.data, s->document.bytes));
out:
    return st;
}

static void *load(void *context)
{
    eis_coordinator_session *s = context;
    eis_mpc_coordinator *c = s->coordinator;
    eis_status st;

    if (c->config.created != NULL) c->config.created(c->config.context, &s->session);
    st = eis_mpc_conductor_load(s->conductor);
    if (st == EIS_OK) eis_log(EIS_LOG_INFO, "session_loaded", "%s", s->name);
    eis_coordinator_session_settle(s, st);
    eis_coordinator_session_give_back(s);
    pthread_mutex_lock(&c->lock);
    c->loaders--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static eis_status start_loading(eis_coordinator_session *s)
{
    eis_mpc_coordinator *c = s->coordinator;
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    pthread_mutex_lock(&c->lock);
    s->state = EIS_COORDINATOR_LOADING;
    s->users++;
    c->loaders++;
    c->meters.sessions++;
    pthread_mutex_unlock(&c->lock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attributes, load, s) == 0;
    pthread_attr_destroy(&attributes);
    if (started) return EIS_OK;
    pthread_mutex_lock(&c->lock);
    s->users--;
    c->loaders--;
    pthread_mutex_unlock(&c->lock);
    return eis_fail(EIS_ERR_BUSY, "no thread is left");
}

eis_status eis_coordinator_session_open(eis_coordinator_session **out_session, eis_mpc_coordinator *c,
                                        const eis_coordinator_request *request, const eis_mpc_coordinator_model *model,
                                        const eis_coordinator_peer *peer)
{
    eis_status st = EIS_OK;
    eis_coordinator_session *s = NULL;
    bool listed = false;

    EIS_NEW(s, 1);
    *s = (eis_coordinator_session){
        .model = model, .creator = *peer, .users = 1, .used_ns = eis_clock_ns(), .coordinator = c};
    memcpy(s->name, request->session, sizeof s->name);
    EIS_TRY(write_document(s, c->config.context_max));
    pthread_mutex_lock(&c->lock);
    st = make_room(c, s->name, peer);
    if (st == EIS_OK) {
        listed = true;
        s->next = c->sessions;
        c->sessions = s;
        c->session_count++;
    }
    pthread_mutex_unlock(&c->lock);
    if (st != EIS_OK) goto out;
    EIS_TRY(eis_mpc_conductor_open(&s->conductor, &s->session, s->document.data, s->document.bytes, &c->config.caller));
    s->keys = *eis_mpc_conductor_keys(s->conductor);
    eis_log(EIS_LOG_INFO, "session_linked", "%s: %u parties", s->name, s->session.party_count);
    EIS_TRY(start_loading(s));
    *out_session = s;
    s = NULL;
out:
    if (s != NULL && listed) {
        eis_coordinator_session_settle(s, st);
        eis_coordinator_session_give_back(s);
    } else {
        session_free(s);
    }
    return st;
}

/* ---- using ---- */

uint32_t eis_coordinator_session_left(const eis_coordinator_session *s)
{
    uint32_t walked = eis_mpc_conductor_position(s->conductor);

    return walked < s->session.context ? s->session.context - walked : 0;
}

eis_status eis_coordinator_session_find(eis_coordinator_session **out_session, eis_mpc_coordinator *c, const char *name,
                                        const eis_coordinator_peer *peer)
{
    eis_status st = EIS_OK;
    eis_coordinator_session *s;
    bool owner = false;

    pthread_mutex_lock(&c->lock);
    for (s = c->sessions; s != NULL && strcmp(s->name, name) != 0; s = s->next) {}
    if (s != NULL) {
        owner = peer->known && memcmp(&peer->pin, &s->session.prompt_owner, sizeof peer->pin) == 0;
        owner |= peers_equal(peer, &s->creator);
        if (owner) s->users++;
    }
    pthread_mutex_unlock(&c->lock);
    EIS_REQUIRE(s != NULL, EIS_ERR_NOT_FOUND,
                "there is no session \"%s\": call CreateSession first, then SubmitPrompt, then RunInference", name);
    EIS_REQUIRE(owner, EIS_ERR_FORBIDDEN, "session \"%s\" is somebody else's", name);
    *out_session = s;
out:
    return st;
}

/* Waits a moment under the lock. */
static void wait_a_moment(eis_mpc_coordinator *c)
{
    uint64_t until_ns = eis_clock_ns() + LOOK_MS * 1000000u;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};

    (void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

eis_status eis_coordinator_session_take(eis_coordinator_session *s, eis_grpc_call *call)
{
    eis_mpc_coordinator *c = s->coordinator;
    eis_status st = EIS_OK;
    uint64_t until_ns = eis_clock_ns() + (uint64_t)c->config.load_ms * 1000000u;
    char why[sizeof s->why] = "";

    pthread_mutex_lock(&c->lock);
    while (s->state <= EIS_COORDINATOR_LOADING && eis_clock_ns() < until_ns && !eis_net_grpc_cancelled(call))
        wait_a_moment(c);
    if (s->state <= EIS_COORDINATOR_LOADING)
        st = eis_net_grpc_cancelled(call) ? EIS_ERR_INTERRUPTED
                                          : eis_fail(EIS_ERR_TIMEOUT, "the model's owner has not sent its weights yet");
    else if (s->state == EIS_COORDINATOR_RUNNING)
        st = eis_fail(EIS_ERR_IN_PROGRESS, "a run of session \"%s\" is under way", s->name);
    else if (s->state == EIS_COORDINATOR_DEAD) {
        st = s->failure;
        memcpy(why, s->why, sizeof why);
    } else if (s->prompt == 0 && !s->resume)
        st = eis_fail(EIS_ERR_NOT_FOUND, "session \"%s\" has no prompt: call SubmitPrompt first", s->name);
    else
        s->state = EIS_COORDINATOR_RUNNING;
    pthread_mutex_unlock(&c->lock);
    return why[0] != '\0' ? eis_fail(st, "session \"%s\" has ended: %s", s->name, why) : st;
}

void eis_coordinator_session_settle(eis_coordinator_session *s, eis_status st)
{
    eis_mpc_coordinator *c = s->coordinator;
    char why[sizeof s->why] = "";

    if (st != EIS_OK) {
        const char *detail = eis_error_detail();
        snprintf(why, sizeof why, "%s", detail[0] != '\0' ? detail : eis_status_text(st));
        eis_log(EIS_LOG_WARN, "session_failed", "%s: %s: %s", s->name, eis_status_code(st), why);
        eis_mpc_owner_close(s->owner);
        eis_mpc_conductor_close(s->conductor); /* now, so that the parties erase at once */
        s->owner = NULL;
        s->conductor = NULL;
        (void)eis_fail(st, "%s", why); /* hanging up may have said something else */
    }
    pthread_mutex_lock(&c->lock);
    if (st != EIS_OK) {
        c->meters.failed++;
        kill_session(s, st, why);
    } else if (s->state != EIS_COORDINATOR_DEAD) {
        s->state = EIS_COORDINATOR_READY;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
}

void eis_coordinator_sessions_end(eis_mpc_coordinator *c)
{
    pthread_mutex_lock(&c->lock);
    c->draining = true;
    while (c->loaders > 0) pthread_cond_wait(&c->changed, &c->lock);
    while (c->sessions != NULL) {
        if (c->sessions->users == 0)
            retire(c->sessions, "the coordinator goes away");
        else
            pthread_cond_wait(&c->changed, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}
