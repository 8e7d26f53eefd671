/* SPDX-License-Identifier: Apache-2.0 */
/* What the coordinator has counted: FetchMetrics, and OpenMetrics with the original's names. Counts and times alone. */
#include "service/metrics_text.h"
#include "service/mpc_coordinator_internal.h"

#include <inttypes.h>
#include <string.h>

#define SERVICE_TEXT_BYTES 300 /* of a label; a name with more is cut */

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

eis_status eis_coordinator_fetch_metrics(void *context, eis_grpc_call *call)
{
    eis_mpc_coordinator *c = context;
    eis_status st = EIS_OK;
    eis_span message;
    eis_mpc_pool_stats pool;
    eis_writer w;
    double rate;

    eis_wire_writer_init(&w, EIS_COORDINATOR_BYTES_MAX);
    EIS_TRY(eis_net_grpc_receive(&message, call));
    pthread_mutex_lock(&c->lock);
    rate = c->meters.last_rate;
    pthread_mutex_unlock(&c->lock);
    eis_mpc_pool_watch_read(&pool, NULL, c->pools);
    eis_coordinator_write_metrics(&w, rate, pool.ready);
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

/* Writes where a service is, for a label: the name of a host is whatever its session says. */
static void write_service(char text[SERVICE_TEXT_BYTES], const eis_mpc_member *dealer)
{
    char address[EIS_ADDRESS_TEXT_BYTES_MAX];
    char *to = text;

    eis_net_address_format(address, &dealer->address);
    for (const char *at = address; *at != '\0' && to + 2 < text + SERVICE_TEXT_BYTES; at++) {
        if (*at == '"' || *at == '\\') *to++ = '\\';
        *to++ = (unsigned char)*at < ' ' ? '?' : *at;
    }
    *to = '\0';
}

/* Whose figures are of now. */
static void write_places(eis_writer *w, const eis_mpc_pool_place *places, size_t count)
{
    char text[SERVICE_TEXT_BYTES], pin[2 * EIS_TLS_PIN_BYTES + 1];

    eis_metrics_family(w, "eis_mpc_pool_up", "gauge",
                       "Whether a Triple Service answers; of one that does not, all sums hold what it said last.");
    for (size_t i = 0; i < count; i++) {
        write_service(text, places[i].dealer);
        eis_net_tls_pin_format(pin, &places[i].dealer->pin);
        eis_metrics_line(w, "eis_mpc_pool_up{service=\"%s\",key=\"%.16s\"} %d", text, pin, places[i].up);
    }
    eis_metrics_family(w, "eis_mpc_pool_age_seconds", "gauge", "How long ago a Triple Service said what is shown.");
    for (size_t i = 0; i < count; i++) {
        if (!places[i].heard) continue;
        write_service(text, places[i].dealer);
        eis_net_tls_pin_format(pin, &places[i].dealer->pin);
        eis_metrics_line(w, "eis_mpc_pool_age_seconds{service=\"%s\",key=\"%.16s\"} %.3f", text, pin, places[i].age_s);
    }
}

/* What the Triple Services say of our sessions. */
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
    write_number(w, "eis_mpc_pool_running", "gauge", "Sessions that are being computed; with none the least is 0.",
                 p->running);
    write_real(w, "eis_mpc_pool_seconds", "gauge", "How long they last.", p->left_s);
    write_number(w, "eis_mpc_pool_bytes", "gauge", "Bytes in stock.", p->ready_bytes);
    write_number(w, "eis_mpc_units_produced", "counter", "Units dealt.", p->produced);
    write_number(w, "eis_mpc_units_consumed", "counter", "Units given to parties.", p->consumed);
    write_number(w, "eis_mpc_units_burned", "counter", "Units thrown away.", p->burned);
    write_number(w, "eis_mpc_unit_bytes", "counter", "Bytes of units given to parties.", p->bytes);
}

static void write_all(eis_writer *w, eis_mpc_coordinator *c, const eis_coordinator_meters *m, unsigned sessions)
{
    eis_mpc_pool_place places[EIS_COORDINATOR_MODELS_MAX];
    eis_mpc_pool_stats pool;
    eis_grpc_counts calls;

    eis_mpc_pool_watch_read(&pool, places, c->pools);
    eis_net_grpc_server_counts(&calls, c->grpc);
    write_number(w, "mimir_generated_tokens", "counter", "Tokens that all parties told.", m->tokens);
    write_number(w, "mimir_generation_steps", "counter", "Steps that ended with a token.", m->steps);
    write_latency(w, m);
    write_pool(w, &pool);
    write_places(w, places, eis_mpc_pool_watch_count(c->pools));
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
