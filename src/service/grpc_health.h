/* SPDX-License-Identifier: Apache-2.0 */
/* The health service of gRPC: does this server, or one of its services, serve? */
#ifndef EIS_SERVICE_GRPC_HEALTH_H
#define EIS_SERVICE_GRPC_HEALTH_H

#include "net/grpc.h"

#define EIS_GRPC_HEALTH_CHECK "/grpc.health.v1.Health/Check"
#define EIS_GRPC_HEALTH_WATCH "/grpc.health.v1.Health/Watch"

/* The services that are served, beside "", the server as a whole. */
typedef struct eis_grpc_health {
    const char *const *services; /* [count] */
    size_t count;
} eis_grpc_health;

/* Answer calls; context is an eis_grpc_health. A server that drains says NOT_SERVING. */
eis_status eis_grpc_health_check(void *context, eis_grpc_call *call);
eis_status eis_grpc_health_watch(void *context, eis_grpc_call *call);

#endif
