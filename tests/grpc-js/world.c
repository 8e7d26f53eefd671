/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator with parties, a Triple Service and a model's owner behind it, for clients in other languages:
 *
 *   world MODEL plain|tls on|off DIRECTORY
 *
 * `on` lets prompts come in the clear. Prints one line of JSON about where everything is, puts certificates into the
 * directory, and serves until its input ends. */
#include "support/mpc_coordinator_world.h"

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "world: %s cannot be written\n", path);
        exit(1);
    }
}

static void print_address(const char *name, const eis_address *address)
{
    printf("\"%s\":\"%s:%u\"", name, address->host, address->port);
}

int main(int argc, char **argv)
{
    eis_mpc_coordinator_config config = {0};
    coordinator_world w;
    eis_model *model;
    bool tls;

    if (argc != 5) {
        fprintf(stderr, "usage: world MODEL plain|tls on|off DIRECTORY\n");
        return 2;
    }
    tls = strcmp(argv[2], "tls") == 0;
    config.plaintext_prompts = strcmp(argv[3], "on") == 0;
    mpc_service_require(eis_model_open(&model, argv[1], NULL), argv[1]);
    coordinator_world_open(&w, model, 2, tls, config);
    write_file(argv[4], "ca.crt", w.service.ca.cert);
    write_file(argv[4], "client.crt", w.service.owner_papers.cert);
    write_file(argv[4], "client.key", w.service.owner_papers.key);
    write_file(argv[4], "party0.crt", w.service.papers[0].cert);
    write_file(argv[4], "party0.key", w.service.papers[0].key);
    printf("{");
    print_address("grpc", &w.grpc);
    printf(",");
    print_address("admin", &w.admin);
    printf(",");
    print_address("party0", &w.service.session.party[0].address);
    printf(",");
    print_address("party1", &w.service.session.party[1].address);
    printf(",\"vocabulary\":%u,\"context\":%u}\n", model->lm.vocabulary, w.service.session.context);
    fflush(stdout);
    while (getchar() != EOF) {}
    coordinator_world_close(&w);
    eis_model_free(model);
    return 0;
}
