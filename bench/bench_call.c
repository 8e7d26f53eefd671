/* SPDX-License-Identifier: Apache-2.0 */
/* One request to one server process on loopback over TLS: 64 vectors of 64 words in Z_2^64, 32 KiB each way, and a
 * product so small that the wire is what counts. The same product without a wire is taken off. */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench_model.h"
#include "cli/cli.h"
#include "engine/split/eval.h"
#include "rand/prg.h"
#include "service/embedded.h"
#include "service/split_link.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 64, BATCH = 64, PLANES = 8, WARM = 200, CALLS_QUICK = 2000, CALLS_FULL = 20000, GOAL_US = 60 };

#define PAYLOAD_BYTES ((size_t)BATCH * SIDE * PLANES)
#define TIMEOUT_MS    10000u

typedef struct caller {
    eis_split_layers layers;
    int pack_fd;
    eis_pack *pack;
    eis_split_evaluator *evaluator;
    eis_embedded *embedded;
    eis_split_link link;
    uint8_t planes, payload[PAYLOAD_BYTES];
    double samples[CALLS_FULL];
} caller;

static eis_status prepare(caller *c)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    const eis_split_prepare_options options = {.profile = EIS_SPLIT_P8};

    EIS_TRY(eis_bench_model_layer(&model, SIDE, SIDE));
    EIS_TRY(eis_split_prepare_in_memory(&c->layers, &c->pack_fd, model, &options));
    EIS_TRY(eis_pack_open_fd(&c->pack, c->pack_fd, "bench", false));
    c->planes = PLANES;
    EIS_ASSERT(c->layers.layers[0].planes == PLANES);
    EIS_TRY(eis_split_evaluator_new(&c->evaluator, c->pack, &c->planes, 1, NULL, 4 * PAYLOAD_BYTES));
    EIS_TRY(eis_embedded_start(&c->embedded, NULL, "split", c->pack_fd, 1, 1));
    eis_bench_random(c->payload, sizeof c->payload, 21);
out:
    eis_model_free(model);
    return st;
}

static eis_status connect_link(caller *c)
{
    eis_status st = EIS_OK;
    eis_embedded_access access;
    eis_split_terms terms = {.hello = {.version_min = EIS_SPLIT_VERSION,
                                       .version_max = EIS_SPLIT_VERSION,
                                       .profile = EIS_SPLIT_P8,
                                       .sharing = EIS_SPLIT_ADDITIVE,
                                       .payload_bytes_max = (uint64_t)1 << 20,
                                       .batch_classes = {1},
                                       .class_count = 1,
                                       .planes = &c->planes,
                                       .layer_count = 1},
                             .connect_timeout_ms = TIMEOUT_MS,
                             .write_timeout_ms = TIMEOUT_MS,
                             .frame_bytes_needed = PAYLOAD_BYTES,
                             .cancel = eis_cli_cancel()};

    eis_embedded_access_get(&access, c->embedded);
    memcpy(terms.hello.pack_digest, c->layers.info.pack_digest, sizeof terms.hello.pack_digest);
    c->link.index = 1;
    c->link.address = access.addresses[0];
    snprintf(c->link.name, sizeof c->link.name, "the server of the bench");
    EIS_TRY(eis_net_tls_client_new(&c->link.tls, &(eis_tls_client_config){.ca_pem = access.ca_pem,
                                                                          .cert_pem = access.cert_pem,
                                                                          .key_pem = access.key_pem,
                                                                          .pins = access.pins,
                                                                          .pin_count = 1,
                                                                          .alpn = EIS_TLS_ALPN_SPLIT}));
    EIS_TRY(eis_split_link_open(&c->link, &terms));
out:
    return st;
}

static eis_status call(caller *c, eis_span *reply)
{
    eis_status st = EIS_OK, refused = EIS_OK;
    const eis_frame_header header = {
        .type = EIS_SPLIT_EVAL_WORDS, .layer = 0, .batch = BATCH, .suite = EIS_SUITE_WORDS};
    const eis_span part = {c->payload, sizeof c->payload};
    eis_split_arrival arrival = EIS_SPLIT_ARRIVED_LATE;
    eis_stream_frame frame;

    EIS_TRY(eis_split_link_ask(&c->link, &header, &part, 1, PAYLOAD_BYTES,
                               eis_clock_ns() + TIMEOUT_MS * UINT64_C(1000000)));
    EIS_TRY(eis_net_stream_recv(&frame, c->link.stream, TIMEOUT_MS));
    EIS_TRY(eis_split_link_take(&arrival, &refused, &c->link, &frame));
    if (arrival != EIS_SPLIT_ARRIVED_RESULT) return refused != EIS_OK ? refused : EIS_ERR_PROTOCOL;
    *reply = frame.payload;
out:
    return st;
}

static eis_status compute(caller *c, eis_span *reply)
{
    const eis_split_request request = {
        .batch = BATCH, .suite = EIS_SUITE_WORDS, .payload = {c->payload, sizeof c->payload}};

    return eis_split_eval(c->evaluator, reply, &request);
}

static eis_status time_calls(double *us, caller *c, eis_status (*run)(caller *, eis_span *), size_t count)
{
    eis_status st = EIS_OK;
    eis_span reply;

    for (size_t i = 0; i < WARM; i++) EIS_TRY(run(c, &reply));
    for (size_t i = 0; i < count; i++) {
        uint64_t start = eis_clock_ns();
        EIS_TRY(run(c, &reply));
        c->samples[i] = (double)(eis_clock_ns() - start) / 1e3;
        if (i % 1000 == 0) EIS_TRY(eis_cli_check_interrupted());
    }
    *us = eis_bench_median(c->samples, count);
out:
    return st;
}

/* Both ways must give the same bytes. */
static eis_status compare(eis_bench *bench, caller *c)
{
    eis_status st = EIS_OK;
    eis_span here, there;

    EIS_TRY(compute(c, &here));
    EIS_TRY(call(c, &there));
    if (here.bytes != there.bytes || memcmp(here.data, there.data, here.bytes) != 0) bench->unequal++;
out:
    return st;
}

eis_status eis_bench_run_call(eis_bench *bench)
{
    eis_status st = EIS_OK;
    size_t count = bench->quick ? CALLS_QUICK : CALLS_FULL;
    double call_us, compute_us;
    caller *c = NULL;

    EIS_NEW(c, 1);
    c->pack_fd = -1;
    eis_bench_say(bench, "%zu calls of 32 KiB each way", count);
    EIS_TRY(prepare(c));
    EIS_TRY(connect_link(c));
    EIS_TRY(compare(bench, c));
    EIS_TRY(time_calls(&compute_us, c, compute, count));
    EIS_TRY(time_calls(&call_us, c, call, count));
    eis_bench_set_goal(eis_bench_add(bench, call_us > compute_us ? call_us - compute_us : 0, "us",
                                     "call of 32 KiB each way, TLS on loopback, above its compute"),
                       GOAL_US);
    (void)eis_bench_add(bench, compute_us, "us", "compute of that call");
out:
    if (c != NULL) {
        eis_split_link_clear(&c->link);
        eis_embedded_stop(c->embedded);
        eis_split_evaluator_free(c->evaluator);
        eis_pack_free(c->pack);
        if (c->pack_fd >= 0) close(c->pack_fd);
        eis_split_layers_clear(&c->layers);
    }
    eis_mem_free(c);
    return st;
}
