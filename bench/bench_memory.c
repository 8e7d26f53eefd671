/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a server process above the packed weights, with several clients connected that have all had answers. The
 * weights are shared memory of the kernel's accounting, since an embedded server maps the pack of its parent. */
#include "base/mem.h"
#include "bench/bench_model.h"
#include "cli/cli.h"
#include "model/plain.h"
#include "service/embedded.h"
#include "service/split_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 2, CLIENTS = 8, BLOCKS = 1 };

#define GOAL_MIB(connections) (64.0 + 2.0 * (connections))

/* Reads "VmRSS:  1234 kB". Unlike smaps this file may be read of a process that forbids tracing. */
static eis_status read_field(double *mib, pid_t process, const char *field)
{
    eis_status st = EIS_OK;
    char path[64], line[256];
    uint64_t kib;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    file = fopen(path, "r");
    EIS_REQUIRE(file != NULL, EIS_ERR_FILE, "%s cannot be read", path);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, field, strlen(field)) == 0 && sscanf(line + strlen(field), ": %" SCNu64, &kib) == 1;
    EIS_REQUIRE(found, EIS_ERR_FILE, "%s has no field %s", path, field);
    *mib = (double)kib / 1024;
out:
    if (file != NULL) fclose(file);
    return st;
}

static eis_status new_client(eis_split_client **client, const eis_model *model, const eis_split_layers *layers,
                             const eis_embedded *embedded)
{
    eis_embedded_access access;
    eis_split_client_config config = {.scheme = {.servers = SERVERS}, .cancel = eis_cli_cancel()};

    eis_embedded_access_get(&access, embedded);
    config.servers = access.addresses;
    config.pins = access.pins;
    config.ca_pem = access.ca_pem;
    config.cert_pem = access.cert_pem;
    config.key_pem = access.key_pem;
    return eis_split_client_new(client, model, &layers->info, &config);
}

/* One token through all layers, the vocabulary head included. */
static eis_status use_client(eis_split_client *client, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_lm_session *text = NULL;
    eis_linear_backend seam = eis_split_client_seam(client);
    double *logits = NULL;
    uint32_t id = 1;

    EIS_NEW(logits, model->lm.vocabulary);
    EIS_TRY(eis_lm_session_new(&text, model, 1));
    EIS_TRY(eis_lm_feed(text, logits, &seam, &id, 1));
out:
    eis_lm_session_free(text);
    eis_mem_free(logits);
    return st;
}

/* The largest of the servers. */
static eis_status read_memory(double *above, double *weights, const eis_embedded *embedded)
{
    eis_status st = EIS_OK;
    eis_embedded_access access;

    *above = 0;
    eis_embedded_access_get(&access, embedded);
    for (size_t i = 0; i < access.count; i++) {
        double resident, shared;
        EIS_TRY(read_field(&resident, access.processes[i], "VmRSS"));
        EIS_TRY(read_field(&shared, access.processes[i], "RssShmem"));
        if (resident - shared > *above) *above = resident - shared;
        *weights = shared;
    }
out:
    return st;
}

eis_status eis_bench_run_memory(eis_bench *bench)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_split_layers layers = {0};
    eis_embedded *embedded = NULL;
    eis_split_client *clients[CLIENTS] = {NULL};
    int pack_fd = -1;
    double above = 0, weights = 0;

    eis_bench_say(bench, "memory of a server with %d connections", CLIENTS);
    EIS_TRY(eis_bench_model_gpt2(&model, BLOCKS, EIS_BENCH_GPT2_VOCABULARY));
    EIS_TRY(
        eis_split_prepare_in_memory(&layers, &pack_fd, model, &(eis_split_prepare_options){.profile = EIS_SPLIT_P24}));
    EIS_TRY(eis_embedded_start(&embedded, NULL, "split", pack_fd, SERVERS, 1));
    for (size_t i = 0; i < CLIENTS; i++) {
        EIS_TRY(new_client(&clients[i], model, &layers, embedded));
        EIS_TRY(use_client(clients[i], model));
        if (i > 0) continue;
        EIS_TRY(read_memory(&above, &weights, embedded));
        eis_bench_set_goal(eis_bench_add(bench, above, "MiB", "server memory above the weights, 1 connection"),
                           GOAL_MIB(1));
    }
    EIS_TRY(read_memory(&above, &weights, embedded));
    eis_bench_set_goal(eis_bench_add(bench, above, "MiB", "server memory above the weights, %d connections", CLIENTS),
                       GOAL_MIB(CLIENTS));
    eis_bench_condition_set(
        bench, "memory", "VmRSS - RssShmem of /proc/PID/status; %.1f MiB of weights mapped; P24, replies of %.2f MiB",
        weights, 6.5 * EIS_BENCH_GPT2_VOCABULARY / (1 << 20));
out:
    for (size_t i = 0; i < CLIENTS; i++) eis_split_client_free(clients[i]);
    eis_embedded_stop(embedded);
    if (pack_fd >= 0) close(pack_fd);
    eis_split_layers_clear(&layers);
    eis_model_free(model);
    return st;
}
