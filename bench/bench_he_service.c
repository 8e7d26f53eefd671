/* SPDX-License-Identifier: Apache-2.0 */
/* A request over HTTP, as a client sees it: encryption, the wire both ways, checks, evaluation, decryption. The server
 * runs on threads of this process, on loopback; keys are there already. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "bench/bench_he.h"
#include "bench/bench_he_model.h"
#include "cli/cli.h"
#include "cli/models_dir.h"
#include "model/classifier.h"
#include "service/he_client.h"
#include "service/he_server.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 100, CALLS_QUICK = 20, SLOW_CALLS = 12 };

typedef struct house {
    eis_pool *pool;
    eis_he_registry registry;
    eis_he_server *server;
    eis_he_remote *remote;
    double *x, *y;
} house;

static void close_house(house *h)
{
    eis_he_remote_close(h->remote);
    eis_he_server_free(h->server);
    eis_he_registry_clear(&h->registry);
    eis_mem_free(h->x);
    eis_mem_free(h->y);
    eis_pool_free(h->pool);
}

/* Serves what the registry holds and connects to its only model. */
static eis_status open_house(house *h, eis_he_encoding encoding, size_t batch, bool pooled)
{
    eis_status st = EIS_OK;
    eis_he_server_config server = {.registry = &h->registry,
                                   .listen = {.host = "127.0.0.1"},
                                   .pool = pooled ? h->pool : NULL,
                                   .workers = 1,
                                   .rate_off = true,
                                   .polls_per_s = 100000};
    eis_he_remote_config remote = {.throw_away = true, .encoding = encoding, .pool = pooled ? h->pool : NULL};
    eis_address http, admin;
    char url[64];

    EIS_TRY(eis_he_server_start(&h->server, &server));
    eis_he_server_addresses(&http, &admin, h->server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", http.port);
    remote.link.url = url;
    remote.model_id = h->registry.models[0].info.model_id;
    EIS_TRY(eis_he_remote_open(&h->remote, &remote));
    EIS_TRY(eis_he_remote_upload(h->remote));
    EIS_NEW(h->x, batch * eis_he_remote_size(h->remote));
    EIS_NEW(h->y, batch * eis_he_remote_values(h->remote));
    for (size_t i = 0; i < batch * eis_he_remote_size(h->remote); i++) h->x[i] = sin(0.3 * (double)i);
out:
    return st;
}

/* The median of whole calls on the wall clock, and of the part that is not encryption and decryption. */
static eis_status time_calls(double *whole_ms, double *there_ms, const eis_bench *bench, house *h, size_t batch,
                             size_t calls)
{
    eis_status st = EIS_OK;
    double whole[CALLS], there[CALLS];

    if (bench->quick && calls > CALLS_QUICK) calls = CALLS_QUICK;
    for (size_t i = 0; i < calls + 2; i++) {
        eis_he_remote_report before, after;
        uint64_t begin = eis_clock_ns();
        EIS_TRY(eis_cli_check_interrupted());
        eis_he_remote_report_get(&before, h->remote);
        EIS_TRY(eis_he_remote_infer(h->remote, h->y, h->x, batch, NULL));
        eis_he_remote_report_get(&after, h->remote);
        if (i < 2) continue;
        whole[i - 2] = (double)(eis_clock_ns() - begin) / 1e6;
        there[i - 2] = (double)(after.exchange_ns - before.exchange_ns) / 1e6;
    }
    *whole_ms = eis_bench_median(whole, calls);
    *there_ms = eis_bench_median(there, calls);
out:
    return st;
}

static eis_status run_dense(eis_bench *bench, const char *chain, double goal)
{
    eis_status st = EIS_OK;
    house h = {0};
    eis_model *model = NULL;
    const eis_he_wish wish = {.chain = chain, .form = EIS_HE_FORM_SINGLE, .input_max = 1};
    const eis_he_registry_options options = {0};
    double whole, there;

    EIS_TRY(eis_bench_model_dense(&model, 10, 256));
    EIS_TRY(eis_he_registry_add_model(&h.registry, "dense", "1.0.0", model, &wish, &options));
    EIS_TRY(open_house(&h, EIS_HE_BINARY, 1, false));
    EIS_TRY(time_calls(&whole, &there, bench, &h, 1, CALLS));
    eis_bench_set_goal(
        eis_bench_add(bench, there, "ms", "dense 256->10 over HTTP, round trip, p50, keys there, chain %s", chain),
        goal);
    (void)eis_bench_add(bench, whole, "ms", "the same with encryption and decryption, chain %s", chain);
out:
    close_house(&h);
    eis_model_free(model);
    return st;
}

/* The original's request: eight ciphertexts of N = 16384 as hex in JSON. */
static eis_status run_logistic(eis_bench *bench)
{
    eis_status st = EIS_OK;
    house h = {0};
    char path[EIS_CLI_PATH_BYTES];
    const eis_he_registry_options options = {0};
    eis_he_registry all = {0};
    double whole, there;

    EIS_TRY(eis_cli_models_find(path, "registry"));
    EIS_TRY(eis_he_registry_open(&all, path, &options));
    for (size_t i = 0; i < all.count; i++) /* it alone: the others would only cost memory */
        if (strcmp(all.models[i].info.model_id, "logistic_v1") == 0 && i > 0) {
            eis_he_served first = all.models[0];
            all.models[0] = all.models[i];
            all.models[i] = first;
        }
    h.registry = all;
    EIS_TRY(open_house(&h, EIS_HE_HEX, 16, true));
    EIS_TRY(time_calls(&whole, &there, bench, &h, 16, SLOW_CALLS));
    eis_bench_set_goal(eis_bench_add(bench, whole, "ms", "logistic_v1, JSON with hex, 16 samples, end to end"), 40);
    (void)eis_bench_add(bench, there, "ms", "the same, server and wire alone");
out:
    close_house(&h);
    return st;
}

static eis_status run_digits(eis_bench *bench)
{
    eis_status st = EIS_OK;
    house h = {0};
    eis_model *model = NULL;
    char path[EIS_CLI_PATH_BYTES];
    const eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE};
    eis_he_registry_options options;
    double whole, there;

    EIS_TRY(eis_cli_models_find(path, "digits-square"));
    EIS_TRY(eis_model_open(&model, path, NULL));
    EIS_TRY(eis_pool_new(&h.pool, 4));
    options = (eis_he_registry_options){.pool = h.pool};
    EIS_TRY(eis_he_registry_add_model(&h.registry, "digits", "1.0.0", model, &wish, &options));
    EIS_TRY(open_house(&h, EIS_HE_BINARY, 1, true));
    EIS_TRY(time_calls(&whole, &there, bench, &h, 1, SLOW_CALLS));
    eis_bench_set_goal(eis_bench_add(bench, whole, "ms", "digits-square, one image end to end, 4 threads"), 150);
    (void)eis_bench_add(bench, there, "ms", "the same, server and wire alone, 4 threads");
out:
    close_house(&h);
    eis_model_free(model);
    return st;
}

eis_status eis_bench_run_he_service(eis_bench *bench)
{
    eis_status st = EIS_OK;

    eis_bench_say(bench, "requests over HTTP");
    EIS_TRY(run_dense(bench, "P0", 3));
    EIS_TRY(run_dense(bench, "A1", 1.2));
    EIS_TRY(run_digits(bench));
    EIS_TRY(run_logistic(bench));
out:
    return st;
}
