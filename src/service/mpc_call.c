/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_call.h"

#include "base/mem.h"

#include <string.h>

#define TIMEOUT_MS_DEFAULT 30000

static uint32_t timeout_of(const eis_mpc_caller *caller)
{
    return caller->timeout_ms != 0 ? caller->timeout_ms : TIMEOUT_MS_DEFAULT;
}

eis_status eis_mpc_call(eis_stream **stream, const eis_mpc_caller *caller, const eis_mpc_member *member,
                        eis_mpc_role role, uint64_t session)
{
    const eis_tls_client_config config = {.ca_pem = caller->ca_pem,
                                          .cert_pem = caller->cert_pem,
                                          .key_pem = caller->key_pem,
                                          .pins = &member->pin,
                                          .pin_count = 1,
                                          .alpn = EIS_MPC_ALPN};
    const eis_stream_options options = {.protocol = EIS_FRAME_PROTOCOL_MPC, .cancel = caller->cancel};
    eis_status st = EIS_OK;
    eis_tls *tls = NULL;
    eis_writer w;
    eis_reader r;

    *stream = NULL;
    eis_wire_writer_init(&w, 64);
    EIS_TRY(eis_net_tls_client_new(&tls, &config));
    EIS_TRY(eis_net_stream_connect(stream, &member->address, tls, timeout_of(caller), &options));
    eis_wire_writer_u8(&w, (uint8_t)role);
    eis_wire_writer_u32(&w, 0);
    eis_wire_writer_u64(&w, session);
    EIS_TRY(eis_mpc_send(*stream, EIS_MPC_MESSAGE_HELLO, 0, &w, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, *stream, EIS_MPC_MESSAGE_WELCOME, session, timeout_of(caller)));
out:
    if (st != EIS_OK) {
        eis_net_stream_free(*stream);
        *stream = NULL;
    }
    eis_wire_writer_clear(&w);
    eis_net_tls_free(tls);
    return st;
}

/* ---- coordinator ---- */

struct eis_mpc_conductor {
    uint64_t number, step;
    uint32_t count, timeout_ms;
    eis_stream *dealer, *party[EIS_MPC_PARTIES_MAX];
};

/* Puts the name of who failed in front of what it said. */
static eis_status named(eis_status st, uint32_t party)
{
    return st == EIS_OK ? st : eis_fail_prefix(st, "party %u: ", party);
}

static eis_status send_document(eis_stream *stream, uint32_t index, const void *document, size_t bytes)
{
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    eis_wire_writer_u32(&w, index);
    eis_wire_writer_bytes(&w, document, bytes);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATE, 0, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

eis_status eis_mpc_conductor_open(eis_mpc_conductor **out_conductor, const eis_mpc_session *session,
                                  const void *document, size_t bytes, const eis_mpc_caller *caller)
{
    eis_status st = EIS_OK;
    eis_mpc_conductor *c = NULL;
    eis_reader r;

    *out_conductor = NULL;
    EIS_NEW(c, 1);
    c->number = eis_mpc_session_number(session);
    c->count = session->party_count;
    c->timeout_ms = timeout_of(caller);
    c->step = 1;
    st = eis_mpc_call(&c->dealer, caller, &session->dealer, EIS_MPC_ROLE_COORDINATOR, 0);
    if (st == EIS_OK) st = send_document(c->dealer, 0, document, bytes);
    if (st == EIS_OK) st = eis_mpc_await(&r, c->dealer, EIS_MPC_MESSAGE_CREATED, c->number, c->timeout_ms);
    if (st != EIS_OK) {
        st = eis_fail_prefix(st, "Triple Service: ");
        goto out;
    }
    for (uint32_t p = 0; p < c->count; p++)
        EIS_TRY(named(eis_mpc_call(&c->party[p], caller, &session->party[p], EIS_MPC_ROLE_COORDINATOR, 0), p));
    for (uint32_t p = 0; p < c->count; p++) EIS_TRY(named(send_document(c->party[p], p, document, bytes), p));
    for (uint32_t p = 0; p < c->count; p++)
        EIS_TRY(named(eis_mpc_await(&r, c->party[p], EIS_MPC_MESSAGE_CREATED, c->number, c->timeout_ms), p));
    *out_conductor = c;
    c = NULL;
out:
    eis_mpc_conductor_close(c);
    return st;
}

eis_status eis_mpc_conductor_load(eis_mpc_conductor *c)
{
    eis_status st = EIS_OK;
    eis_reader r;

    for (uint32_t p = 0; p < c->count; p++)
        EIS_TRY(named(eis_mpc_send(c->party[p], EIS_MPC_MESSAGE_LOAD, c->number, NULL, NULL, 0), p));
    for (uint32_t p = 0; p < c->count; p++)
        EIS_TRY(named(eis_mpc_await(&r, c->party[p], EIS_MPC_MESSAGE_LOADED, c->number, EIS_STREAM_WAIT_FOREVER), p));
out:
    return st;
}

/* What a party says next: a token, or that the run is done. */
static eis_status hear(eis_mpc_conductor *c, uint32_t p, bool *done, uint32_t *token, double *ms, uint32_t *end)
{
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;

    EIS_TRY(eis_net_stream_recv(&frame, c->party[p], EIS_STREAM_WAIT_FOREVER));
    *done = frame.header.type == EIS_MPC_MESSAGE_DONE;
    if (*done) {
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_DONE, c->number));
        *end = eis_wire_reader_u8(&r);
    } else {
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_TOKEN, c->number));
        *token = eis_wire_reader_u32(&r);
        *ms = eis_wire_reader_f64(&r);
    }
    EIS_TRY(eis_wire_reader_end(&r));
out:
    return st;
}

eis_status eis_mpc_conductor_run(eis_mpc_conductor *c, eis_mpc_end *end, uint32_t prompt, uint32_t most,
                                 eis_mpc_token_receiver receive, void *context)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    for (uint32_t p = 0; p < c->count; p++) {
        eis_wire_writer_u32(&w, prompt);
        eis_wire_writer_u32(&w, most);
        EIS_TRY(named(eis_mpc_send(c->party[p], EIS_MPC_MESSAGE_RUN, c->number, &w, NULL, 0), p));
    }
    c->step += prompt - 1;
    for (;;) {
        bool done = false, also = false;
        uint32_t token = 0, other = 0, reason = 0;
        double ms = 0, slowest = 0;
        for (uint32_t p = 0; p < c->count; p++) {
            EIS_TRY(named(hear(c, p, p == 0 ? &done : &also, p == 0 ? &token : &other, &ms, &reason), p));
            EIS_REQUIRE(p == 0 || (also == done && other == token), EIS_ERR_INTEGRITY,
                        "parties 0 and %u told different tokens", p);
            if (ms > slowest) slowest = ms;
        }
        *end = (eis_mpc_end)reason;
        if (done) break;
        c->step++;
        EIS_TRY(receive(context, token, slowest));
    }
out:
    eis_wire_writer_clear(&w);
    return st;
}

uint64_t eis_mpc_conductor_step(const eis_mpc_conductor *c) { return c->step; }

void eis_mpc_conductor_close(eis_mpc_conductor *c)
{
    if (c == NULL) return;
    for (uint32_t p = 0; p < c->count; p++) {
        if (c->party[p] != NULL && eis_mpc_send(c->party[p], EIS_MPC_MESSAGE_CLOSE, c->number, NULL, NULL, 0) != EIS_OK)
            eis_error_clear();
        eis_net_stream_free(c->party[p]);
    }
    eis_net_stream_free(c->dealer);
    eis_mem_free(c);
}
