/* SPDX-License-Identifier: Apache-2.0 */
#include "service/grpc_health.h"

#include <health.pb-c.h>
#include <string.h>
#include <time.h>

#define WATCH_MS 100

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving;

static eis_status read_service(bool *known, const eis_grpc_health *health, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    Grpc__Health__V1__HealthCheckRequest *request = NULL;
    eis_span message;

    EIS_TRY(eis_net_grpc_receive(&message, call));
    request = grpc__health__v1__health_check_request__unpack(NULL, message.bytes, message.data);
    EIS_REQUIRE(request != NULL, EIS_ERR_PARSE, "not a HealthCheckRequest");
    *known = request->service[0] == '\0';
    for (size_t i = 0; i < health->count; i++) *known |= strcmp(request->service, health->services[i]) == 0;
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
out:
    return st;
}

static eis_status send(eis_grpc_call *call, serving status)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    uint8_t data[16];

    response.status = status;
    return eis_net_grpc_send(call, data, grpc__health__v1__health_check_response__pack(&response, data));
}

static serving state_of(const eis_grpc_call *call)
{
    return eis_net_grpc_draining(call) ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
                                       : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

eis_status eis_grpc_health_check(void *context, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    bool known = false;

    EIS_TRY(read_service(&known, context, call));
    EIS_REQUIRE(known, EIS_ERR_NOT_FOUND, "there is no such service");
    EIS_TRY(send(call, state_of(call)));
out:
    return st;
}

eis_status eis_grpc_health_watch(void *context, eis_grpc_call *call)
{
    const struct timespec pause = {.tv_nsec = WATCH_MS * 1000000L};
    eis_status st = EIS_OK;
    bool known = false;

    EIS_TRY(read_service(&known, context, call));
    EIS_TRY(
        send(call, known ? state_of(call) : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN));
    while (!eis_net_grpc_cancelled(call) && !eis_net_grpc_draining(call)) nanosleep(&pause, NULL);
    if (!eis_net_grpc_cancelled(call) && known) EIS_TRY(send(call, state_of(call)));
    st = EIS_ERR_INTERRUPTED;
out:
    return st;
}
