/* SPDX-License-Identifier: Apache-2.0 */
/* The reflection service of gRPC (v1, and v1alpha, whose bytes are the same): tools that know no .proto file ask it
 * what a server speaks. It answers from the descriptors of spec/, which the build leaves in the program. */
#ifndef EIS_SERVICE_GRPC_REFLECTION_H
#define EIS_SERVICE_GRPC_REFLECTION_H

#include "net/grpc.h"

#define EIS_GRPC_REFLECTION_PATHS                                \
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", \
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

/* A google.protobuf.FileDescriptorSet of all files of spec/ and what they import. */
extern const uint8_t eis_grpc_descriptors[];
extern const size_t eis_grpc_descriptors_bytes;

typedef struct eis_grpc_reflection eis_grpc_reflection;

/* Reads the descriptors. The names of services ("mimir.Coordinator") are what is listed; they are constants of the
 * caller's. Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL  a name that no descriptor has. *reflection is NULL. */
EIS_MUST_USE eis_status eis_grpc_reflection_new(eis_grpc_reflection **reflection, const char *const *services,
                                                size_t count);

/* Frees. NULL is allowed. */
void eis_grpc_reflection_free(eis_grpc_reflection *reflection);

/* Answers a call; context is the object. */
eis_status eis_grpc_reflection_serve(void *context, eis_grpc_call *call);

#endif
