/* SPDX-License-Identifier: Apache-2.0 */
/* What the coordinator has counted: FetchMetrics, and OpenMetrics with the original's names. Counts and times alone. */
#include "base/clock.h"
#include "service/metrics_text.h"
#include "service/mpc_coordinator_internal.h"

#include <inttypes.h>
#include <string.h>

#define POOL_ASK_MS  2000
#define POOL_KEPT_MS 1000u

static const double bounds[EIS_COORDINATOR_BUCKETS - 1] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

void eis_coordinator_count_step(eis_mpc_coordinator *c, double ms)
{
    unsigned bucket = 0;

    while (bucket < EIS_COORDINATOR_BUCKETS - 1 && ms > 1000 * bounds[bucket]) bucket++;
    pthread_mutex_lock(&c->lock);
    c->meters.tokens++;
    c->meters.steps++;
    c->meters.seconds += ms / 1000;
    c->meters.buckets[bucket]++;
    pthread_mutex_unlock(&c->lock);
}

void eis_coordinator_count_run(eis_mpc_coordinator *c, uint32_t tokens, double seconds)
{
    pthread_mutex_lock(&c->lock);
    if (tokens > 0 && seconds > 0) c->meters.last_rate = tokens / seconds;
    pthread_mutex_unlock(&c->lock);
}

void eis_coordinator_count_wait(eis_mpc_coordinator *c, bool dry)
{
    pthread_mutex_lock(&c->lock);
    if (dry)
        c->meters.dry++;
    else
        c->meters.waits++;
    pthread_mutex_unlock(&c->lock);
}

void eis_coordinator_count_parties(eis_coordinator_session *s)
{
    eis_mpc_coordinator *c = s->coordinator;
    eis_mpc_counters counters[EIS_MPC_PARTIES_MAX];
    uint64_t rounds, bytes = 0;

    if (eis_mpc_conductor_count(counters, s->conductor) != EIS_OK) {
        eis_error_clear(); /* whoever has gone is noticed by the next run */
        return;
    }
    rounds = counters[0].rounds;
    for (uint32_t p = 0; p < s->session.party_count; p++)
        bytes += counters[p].bytes_to_each_peer * (s->session.party_count - 1);
    pthread_mutex_lock(&c->lock);
    c->meters.rounds += rounds - s->rounds;
    c->meters.party_bytes += bytes - s->bytes;
    s->rounds = rounds;
    s->bytes = bytes;
    pthread_mutex_unlock(&c->lock);
}

/* Asks each Triple Service that the templates name once. */
static void ask_pools(eis_mpc_pool_stats *sum, const eis_mpc_coordinator *c)
{
    eis_mpc_caller caller = c->config.caller;

    caller.timeout_ms = POOL_ASK_MS;
    memset(sum, 0, sizeof *sum);
    for (size_t i = 0; i < c->config.model_count; i++) {
        const eis_mpc_member *dealer = &c->models[i].session->dealer;
        eis_mpc_pool_stats stats;
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again |= memcmp(&c->models[j].session->dealer.pin, &dealer->pin, sizeof dealer->pin) == 0;
        if (again) continue;
        if (eis_mpc_pool_ask(&stats, &caller, dealer) == EIS_OK)
            eis_mpc_pool_add(sum, &stats);
        else
            eis_error_clear();
    }
}

eis_mpc_pool_stats eis_coordinator_pool(eis_mpc_coordinator *c)
{
    eis_mpc_pool_stats pool;

    pthread_mutex_lock(&c->pool_lock);
    if (c->pool_asked_ns == 0 || eis_clock_ns() - c->pool_asked_ns > POOL_KEPT_MS * 1000000u) {
        ask_pools(&c->pool, c);
        c->pool_asked_ns = eis_clock_ns();
    }
    pool = c->pool;
    pthread_mutex_unlock(&c->pool_lock);
    return pool;
}

eis_status eis_coordinator_fetch_metrics(void *context, eis_grpc_call *call)
{
    eis_mpc_coordinator *c = context;
    eis_status st = EIS_OK;
    eis_span message;
    eis_writer w;
    double rate;

    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    EIS_TRY(eis_net_grpc_receive(&message, call));
    pthread_mutex_lock(&c->lock);
    rate = c->meters.last_rate;
    pthread_mutex_unlock(&c->lock);
    eis_coordinator_write_metrics(&w, rate, eis_coordinator_pool(c).ready);
    EIS_TRY(eis_wire_writer_status(&w));
    EIS_TRY(eis_net_grpc_send(call, w.data, w.bytes));
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* ---- HTTP ---- */

eis_status eis_coordinator_healthz(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    static const char ok[] = "{\"ok\":true}", not_ok[] = "{\"ok\":false}";
    eis_mpc_coordinator *c = context;
    bool draining;

    (void)request;
    pthread_mutex_lock(&c->lock);
    draining = c->draining;
    pthread_mutex_unlock(&c->lock);
    return eis_net_http_reply_set(reply, draining ? 503 : 200, "application/json", draining ? not_ok : ok,
                                  draining ? sizeof not_ok - 1 : sizeof ok - 1);
}

static void write_latency(eis_writer *w, const eis_coordinator_meters *m)
{
    uint64_t below = 0;

    eis_metrics_family(w, "mimir_step_latency_seconds", "histogram", "Time from a token to the next.");
    for (unsigned i = 0; i < EIS_COORDINATOR_BUCKETS - 1; i++) {
        below += m->buckets[i];
        eis_metrics_line(w, "mimir_step_latency_seconds_bucket{le=\"%g\"} %" PRIu64, bounds[i], below);
    }
    eis_metrics_line(w, "mimir_step_latency_seconds_bucket{le=\"+Inf\"} %" PRIu64, m->steps);
    eis_metrics_line(w, "mimir_step_latency_seconds_count %" PRIu64, m->steps);
    eis_metrics_line(w, "mimir_step_latency_seconds_sum %.6f", m->seconds);
}

static void write_number(eis_writer *w, const char *name, const char *type, const char *help, uint64_t value)
{
    eis_metrics_family(w, name, type, help);
    eis_metrics_line(w, "%s%s %" PRIu64, name, type[0] == 'c' ? "_total" : "", value);
}

static void write_real(eis_writer *w, const char *name, const char *type, const char *help, double value)
{
    eis_metrics_family(w, name, type, help);
    eis_metrics_line(w, "%s%s %.6f", name, type[0] == 'c' ? "_total" : "", value);
}

/* What the Triple Services say; zeros where none answers. */
static void write_pool(eis_writer *w, const eis_mpc_pool_stats *p)
{
    write_number(w, "mimir_triple_pool_available", "gauge", "Units in stock.", p->ready);
    write_number(w, "mimir_triple_pool", "gauge", "The same under its other name.", p->ready);
    write_number(w, "mimir_triples_sacrificed", "counter", "Units that parties tested.", p->sac_ok + p->sac_fail);
    write_number(w, "mimir_triple_sacrifice_ok", "counter", "Tests that passed.", p->sac_ok);
    write_number(w, "mimir_triple_sacrifice_fail", "counter", "Tests that did not.", p->sac_fail);
    write_real(w, "triple_pool_wait_seconds", "counter", "How long steps have waited for their units.", p->wait_s);
    write_number(w, "eis_mpc_pool_least", "gauge", "Units in stock of the running session with the fewest.",
                 p->ready_min);
    write_real(w, "eis_mpc_pool_seconds", "gauge", "How long they last.", p->left_s);
    write_number(w, "eis_mpc_pool_bytes", "gauge", "Bytes in stock.", p->ready_bytes);
    write_number(w, "eis_mpc_units_produced", "counter", "Units dealt.", p->produced);
    write_number(w, "eis_mpc_units_consumed", "counter", "Units given to parties.", p->consumed);
    write_number(w, "eis_mpc_units_burned", "counter", "Units thrown away.", p->burned);
    write_number(w, "eis_mpc_unit_bytes", "counter", "Bytes of units given to parties.", p->bytes);
}

static void write_all(eis_writer *w, eis_mpc_coordinator *c, const eis_coordinator_meters *m, unsigned sessions)
{
    const eis_mpc_pool_stats pool = eis_coordinator_pool(c);
    eis_grpc_counts calls;

    eis_net_grpc_server_counts(&calls, c->grpc);
    write_number(w, "mimir_generated_tokens", "counter", "Tokens that all parties told.", m->tokens);
    write_number(w, "mimir_generation_steps", "counter", "Steps that ended with a token.", m->steps);
    write_latency(w, m);
    write_pool(w, &pool);
    write_number(w, "eis_mpc_waits", "counter", "Steps that waited for their material.", m->waits);
    write_number(w, "eis_mpc_dry", "counter", "Runs that ended for lack of it.", m->dry);
    write_number(w, "eis_mpc_rounds", "counter", "Rounds between parties.", m->rounds);
    write_number(w, "eis_mpc_party_bytes", "counter", "Bytes between parties, all links together.", m->party_bytes);
    write_number(w, "eis_mpc_sessions", "gauge", "Sessions that are open.", sessions);
    write_number(w, "eis_mpc_sessions_opened", "counter", "Sessions whose parties were linked.", m->sessions);
    write_number(w, "eis_mpc_sessions_failed", "counter", "Sessions that ended with a failure.", m->failed);
    write_number(w, "eis_grpc_calls", "counter", "Calls that came in.", calls.calls);
    write_number(w, "eis_grpc_calls_failed", "counter", "Calls that ended with another status than OK.", calls.failed);
    write_number(w, "eis_grpc_calls_refused", "counter", "Calls without room, or to no method.", calls.refused);
    write_number(w, "eis_grpc_calls_in_flight", "gauge", "Calls under way.", calls.in_flight);
    eis_metrics_line(w, "# EOF");
}

eis_status eis_coordinator_metrics(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_mpc_coordinator *c = context;
    eis_status st = EIS_OK;
    eis_coordinator_meters meters;
    unsigned sessions;
    eis_writer w;

    (void)request;
    eis_wire_writer_init(&w, EIS_METRICS_BYTES_MAX);
    pthread_mutex_lock(&c->lock);
    meters = c->meters;
    sessions = c->session_count;
    pthread_mutex_unlock(&c->lock);
    write_all(&w, c, &meters, sessions);
    EIS_TRY(eis_wire_writer_status(&w));
    EIS_TRY(eis_net_http_reply_take(reply, 200, EIS_METRICS_MEDIA_TYPE, &w));
out:
    eis_wire_writer_clear(&w);
    return st;
}
