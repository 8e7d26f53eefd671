/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys of requests that are being checked. They are in memory alone: a request that is refused leaves
 * nothing behind. */
#include "base/mem.h"
#include "service/he_server_internal.h"

#include <stdio.h>
#include <string.h>

struct eis_he_claim {
    eis_he_claim *next;
    char tenant[EIS_HE_TENANT_BYTES], key[EIS_JOB_KEY_BYTES];
};

eis_status eis_he_claim_begin(eis_he_claim **claim, eis_he_server *server, const char *tenant, const char *key)
{
    eis_he_claim *made = NULL;
    eis_status st = EIS_OK;

    *claim = NULL;
    EIS_NEW(made, 1);
    snprintf(made->tenant, sizeof made->tenant, "%s", tenant);
    snprintf(made->key, sizeof made->key, "%s", key);
    pthread_mutex_lock(&server->claims_lock);
    for (const eis_he_claim *c = server->claims; c != NULL && st == EIS_OK; c = c->next)
        if (strcmp(c->tenant, tenant) == 0 && strcmp(c->key, key) == 0)
            st = eis_fail(EIS_ERR_IN_PROGRESS, "a request with this Idempotency-Key is being checked");
    if (st == EIS_OK) {
        made->next = server->claims;
        server->claims = made;
        *claim = made;
        made = NULL;
    }
    pthread_mutex_unlock(&server->claims_lock);
out:
    eis_mem_free(made);
    return st;
}

void eis_he_claim_end(eis_he_server *server, eis_he_claim *claim)
{
    eis_he_claim **at = &server->claims;

    if (claim == NULL) return;
    pthread_mutex_lock(&server->claims_lock);
    while (*at != claim) at = &(*at)->next;
    *at = claim->next;
    pthread_mutex_unlock(&server->claims_lock);
    eis_mem_free(claim);
}
