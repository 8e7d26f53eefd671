/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the coordinator, and what its clients hear: a byte that chooses the message, then the message. What is
 * taken keeps the limits that the servers behind it count on. */
#include "base/mem.h"
#include "service/mpc_coordinator_messages.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(eis_coordinator_request *request, eis_status st)
{
    if (st == EIS_OK) {
        EIS_ASSERT(memchr(request->session, 0, sizeof request->session) != NULL);
        EIS_ASSERT(request->session[0] == '\0' || eis_mpc_name_valid(request->session));
        EIS_ASSERT(request->token_count <= EIS_COORDINATOR_TOKENS_MAX);
        EIS_ASSERT(request->masked_tokens <= EIS_COORDINATOR_TOKENS_MAX);
        EIS_ASSERT(request->most <= 1u << 20 && isfinite(request->temperature));
    } else {
        EIS_ASSERT(request->tokens == NULL && request->token_count == 0);
    }
    eis_coordinator_request_clear(request);
}

static void try_replies(eis_span message, unsigned kind)
{
    uint8_t *document = NULL;
    size_t bytes = 0;
    uint64_t step = 0;
    eis_coordinator_event event;
    eis_mpc_party_keys keys;

    if (kind == 5 && eis_coordinator_read_session_ack(&document, &bytes, message) == EIS_OK) {
        EIS_ASSERT(bytes > 0 && bytes <= message.bytes);
        eis_mem_free(document);
    }
    if (kind == 5 && eis_coordinator_read_party_keys(&keys, message) == EIS_OK)
        for (uint32_t p = 0; p < keys.count; p++) EIS_ASSERT(keys.key[p].bytes <= sizeof keys.key[p].data);
    if (kind == 6 && eis_coordinator_read_submit_ack(&step, message) != EIS_OK) EIS_ASSERT(step == 0);
    if (kind == 7 && eis_coordinator_read_event(&event, message) == EIS_OK)
        EIS_ASSERT(event.kind >= EIS_COORDINATOR_TOKEN && event.kind <= EIS_COORDINATOR_LOG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_coordinator_request request;
    eis_span message;
    unsigned kind;

    if (size == 0) return 0;
    kind = data[0] % 8;
    message = (eis_span){data + 1, size - 1};
    if (kind == 0) check(&request, eis_coordinator_read_register(&request, message));
    if (kind == 1) check(&request, eis_coordinator_read_create(&request, message));
    if (kind == 2) check(&request, eis_coordinator_read_submit(&request, message));
    if (kind == 3) check(&request, eis_coordinator_read_run(&request, EIS_COORDINATOR_ANY, message));
    if (kind == 4) check(&request, eis_coordinator_read_run(&request, EIS_COORDINATOR_A, message));
    try_replies(message, kind);
    return 0;
}
