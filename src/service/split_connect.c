/* SPDX-License-Identifier: Apache-2.0 */
/* Links to all servers at once: a handshake costs milliseconds and, to a dead host, the whole timeout. */
#include "base/log.h"
#include "base/mem.h"
#include "service/split_client_internal.h"

#include <pthread.h>
#include <string.h>

typedef struct opening {
    eis_split_link *link;
    const eis_split_terms *terms;
    pthread_t thread;
    bool running;
} opening;

static void *open_main(void *arg)
{
    opening *job = arg;

    /* The link keeps the status and its text. */
    if (eis_split_link_open(job->link, job->terms) != EIS_OK) eis_error_clear();
    return NULL;
}

/* Two servers with one key are one server: it would hold two shares. */
static eis_status check_keys_differ(eis_split_client *client)
{
    size_t count = client->config.scheme.servers;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            const eis_split_link *a = &client->links[j], *b = &client->links[i];
            if (!a->has_pin || !b->has_pin || memcmp(&a->pin, &b->pin, sizeof a->pin) != 0) continue;
            return eis_fail(EIS_ERR_USAGE,
                            "%s and %s have one key: together their shares are the input; give each server "
                            "a key of its own",
                            a->name, b->name);
        }
    return EIS_OK;
}

eis_status eis_split_connect(eis_split_client *client)
{
    eis_status st = EIS_OK;
    size_t count = client->config.scheme.servers;
    opening *jobs = NULL;

    EIS_NEW(jobs, count);
    for (size_t i = 0; i < count; i++) {
        eis_split_link *link = &client->links[i];
        if (link->stream != NULL || link->caught) continue;
        jobs[i] = (opening){.link = link, .terms = &client->terms};
        jobs[i].running = pthread_create(&jobs[i].thread, NULL, open_main, &jobs[i]) == 0;
        if (!jobs[i].running) (void)open_main(&jobs[i]); /* no thread left: one after the other works too */
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].running) pthread_join(jobs[i].thread, NULL);
        if (jobs[i].link != NULL && jobs[i].link->stream == NULL)
            eis_log(EIS_LOG_WARN, "server", "%s", jobs[i].link->detail);
    }
    st = check_keys_differ(client);
    for (size_t i = 0; i < count && st != EIS_OK; i++)
        if (client->links[i].stream != NULL) eis_split_link_drop(&client->links[i], st);
out:
    eis_mem_free(jobs);
    return st;
}

size_t eis_split_connected(const eis_split_client *client)
{
    size_t connected = 0;

    for (size_t i = 0; i < client->config.scheme.servers; i++) connected += client->links[i].stream != NULL;
    return connected;
}
