/* SPDX-License-Identifier: Apache-2.0 */
/* A Triple Service, parties, a coordinator and an owner in one process, over TLS on loopback. */
#ifndef EIS_TESTS_SUPPORT_MPC_SERVICE_H
#define EIS_TESTS_SUPPORT_MPC_SERVICE_H

#include "service/mpc_call.h"
#include "service/mpc_party.h"
#include "service/triple_service.h"
#include "trust/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mpc_service {
    eis_trust_pair ca, papers[EIS_MPC_PARTIES_MAX], dealer_papers, coordinator_papers, owner_papers;
    eis_triple_service *dealer;
    eis_mpc_party_server *party[EIS_MPC_PARTIES_MAX];
    eis_mpc_session session;
    eis_writer document;
    eis_mpc_caller coordinator, owner;
} mpc_service;

static inline void mpc_service_require(eis_status st, const char *what)
{
    if (st == EIS_OK) return;
    fprintf(stderr, "mpc service: %s: %s: %s\n", what, eis_status_code(st), eis_error_detail());
    abort();
}

static inline eis_span mpc_service_span(const char *text, size_t bytes)
{
    return (eis_span){(const uint8_t *)text, bytes};
}

static inline eis_tls_server_config mpc_service_tls(const mpc_service *s, const eis_trust_pair *papers)
{
    return (eis_tls_server_config){.cert_pem = mpc_service_span(papers->cert, papers->cert_bytes),
                                   .key_pem = mpc_service_span(papers->key, papers->key_bytes),
                                   .client_ca_pem = mpc_service_span(s->ca.cert, s->ca.cert_bytes)};
}

static inline void mpc_service_issue(mpc_service *s, eis_trust_pair *papers, eis_tls_pin *pin, const char *name)
{
    static const char *const hosts[] = {"127.0.0.1"};
    const eis_trust_leaf_literal literal = {
        .name = name, .hosts = hosts, .host_count = 1, .server = true, .client = true, .days = 2};

    mpc_service_require(eis_trust_leaf_make(papers, &s->ca, &literal), name);
    mpc_service_require(eis_net_tls_pin_of_pem(pin, mpc_service_span(papers->cert, papers->cert_bytes)), name);
}

static inline eis_mpc_caller mpc_service_caller(const mpc_service *s, const eis_trust_pair *papers)
{
    return (eis_mpc_caller){.cert_pem = mpc_service_span(papers->cert, papers->cert_bytes),
                            .key_pem = mpc_service_span(papers->key, papers->key_bytes),
                            .ca_pem = mpc_service_span(s->ca.cert, s->ca.cert_bytes),
                            .timeout_ms = 60000};
}

/* Writes the session's document; once more, where the session has been changed. */
static inline void mpc_service_write_document(mpc_service *s)
{
    eis_wire_writer_clear(&s->document);
    eis_wire_writer_init(&s->document, EIS_MPC_SESSION_BYTES_MAX);
    mpc_service_require(eis_mpc_session_write(&s->document, &s->session), "session");
}

/* Starts everything for a model; the session is written, and nobody has been told of it. `dealer` may set limits. */
static inline void mpc_service_open_with(mpc_service *s, const eis_model *model, const eis_mpc_tuning *tuning,
                                         uint32_t parties, const char *id, eis_triple_service_config dealer)
{
    const eis_trust_ca_literal ca = {.name = "test", .days = 2};

    memset(s, 0, sizeof *s);
    mpc_service_require(eis_trust_ca_make(&s->ca, &ca), "ca");
    s->session.party_count = parties;
    s->session.context = model->kind == EIS_MODEL_LM ? model->lm.context : 1000;
    s->session.tests = (eis_mpc_tests){.level = parties % 2, .inputs = true}; /* both kinds are used */
    s->session.pending_max = EIS_MPC_CHECK_PENDING_MAX;
    s->session.stop_count = model->lm.stop_count;
    memcpy(s->session.stop, model->lm.stop_ids, sizeof s->session.stop);
    snprintf(s->session.id, sizeof s->session.id, "%s", id);
    snprintf(s->session.model, sizeof s->session.model, "test");
    mpc_service_issue(s, &s->dealer_papers, &s->session.dealer.pin, "dealer");
    mpc_service_issue(s, &s->coordinator_papers, &s->session.coordinator, "coordinator");
    mpc_service_issue(s, &s->owner_papers, &s->session.model_owner, "owner");
    s->session.prompt_owner = s->session.model_owner;
    snprintf(dealer.listen.host, sizeof dealer.listen.host, "127.0.0.1");
    dealer.tls = mpc_service_tls(s, &s->dealer_papers);
    mpc_service_require(eis_triple_service_start(&s->dealer, &dealer), "dealer");
    eis_triple_service_address(&s->session.dealer.address, s->dealer);
    for (uint32_t p = 0; p < parties; p++) {
        eis_mpc_party_server_config config = {.listen = {.host = "127.0.0.1"}};
        mpc_service_issue(s, &s->papers[p], &s->session.party[p].pin, "party");
        config.tls = mpc_service_tls(s, &s->papers[p]);
        mpc_service_require(eis_mpc_party_server_start(&s->party[p], &config), "party");
        eis_mpc_party_server_address(&s->session.party[p].address, s->party[p]);
    }
    if (model->kind == EIS_MODEL_CLASSIFIER) {
        s->session.kind = EIS_MPC_MODEL_CLASSIFIER;
        mpc_service_require(eis_mpc_classifier_init(&s->session.classifier, model, tuning, 4), "manifest");
    } else {
        mpc_service_require(eis_mpc_lm_init(&s->session.lm, model, tuning), "manifest");
    }
    mpc_service_write_document(s);
    s->coordinator = mpc_service_caller(s, &s->coordinator_papers);
    s->owner = mpc_service_caller(s, &s->owner_papers);
}

/* The same with few steps dealt ahead. */
static inline void mpc_service_open(mpc_service *s, const eis_model *model, const eis_mpc_tuning *tuning,
                                    uint32_t parties, const char *id)
{
    mpc_service_open_with(s, model, tuning, parties, id, (eis_triple_service_config){.pool_target = 4});
}

static inline void mpc_service_close(mpc_service *s)
{
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) {
        eis_mpc_party_server_stop(s->party[p], 0);
        eis_trust_pair_clear(&s->papers[p]);
    }
    eis_triple_service_stop(s->dealer, 0);
    eis_wire_writer_clear(&s->document);
    eis_mpc_session_clear(&s->session);
    eis_trust_pair_clear(&s->ca);
    eis_trust_pair_clear(&s->dealer_papers);
    eis_trust_pair_clear(&s->coordinator_papers);
    eis_trust_pair_clear(&s->owner_papers);
}

#endif
