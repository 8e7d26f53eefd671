/* SPDX-License-Identifier: Apache-2.0 */
#include "service/grpc_reflection.h"

#include "base/mem.h"

#include <google/protobuf/descriptor.pb-c.h>
#include <reflection.pb-c.h>
#include <string.h>

typedef Google__Protobuf__FileDescriptorProto file_descriptor;
typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

struct eis_grpc_reflection {
    Google__Protobuf__FileDescriptorSet *set;
    ProtobufCBinaryData *packed; /* [n_file] */
    const char *const *services;
    size_t count;
};

/* ---- symbols ---- */

/* Returns what is left of `symbol` behind "name." or name itself; NULL where it begins otherwise. */
static const char *behind(const char *symbol, const char *name)
{
    size_t length = strlen(name);

    if (length == 0) return symbol;
    if (strncmp(symbol, name, length) != 0 || (symbol[length] != '.' && symbol[length] != '\0')) return NULL;
    return symbol + length + (symbol[length] == '.');
}

static bool in_message(const Google__Protobuf__DescriptorProto *m, const char *symbol)
{
    const char *rest = behind(symbol, m->name);

    if (rest == NULL) return false;
    if (*rest == '\0') return true;
    for (size_t i = 0; i < m->n_field; i++)
        if (strcmp(m->field[i]->name, rest) == 0) return true;
    for (size_t i = 0; i < m->n_enum_type; i++)
        if (strcmp(m->enum_type[i]->name, rest) == 0) return true;
    for (size_t i = 0; i < m->n_nested_type; i++)
        if (in_message(m->nested_type[i], rest)) return true;
    return false;
}

static bool in_service(const Google__Protobuf__ServiceDescriptorProto *s, const char *symbol)
{
    const char *rest = behind(symbol, s->name);

    if (rest == NULL) return false;
    if (*rest == '\0') return true;
    for (size_t i = 0; i < s->n_method; i++)
        if (strcmp(s->method[i]->name, rest) == 0) return true;
    return false;
}

static bool in_file(const file_descriptor *file, const char *symbol)
{
    const char *rest = behind(symbol, file->package != NULL ? file->package : "");

    if (rest == NULL || *rest == '\0') return false;
    for (size_t i = 0; i < file->n_message_type; i++)
        if (in_message(file->message_type[i], rest)) return true;
    for (size_t i = 0; i < file->n_enum_type; i++)
        if (strcmp(file->enum_type[i]->name, rest) == 0) return true;
    for (size_t i = 0; i < file->n_service; i++)
        if (in_service(file->service[i], rest)) return true;
    return false;
}

/* Returns the index of a file, n_file where there is none. */
static size_t find(const eis_grpc_reflection *r, const char *name, const char *symbol)
{
    size_t i;

    for (i = 0; i < r->set->n_file; i++) {
        const file_descriptor *file = r->set->file[i];
        if (name != NULL ? strcmp(file->name, name) == 0 : in_file(file, symbol)) break;
    }
    return i;
}

/* ---- the object ---- */

eis_status eis_grpc_reflection_new(eis_grpc_reflection **out_reflection, const char *const *services, size_t count)
{
    eis_status st = EIS_OK;
    eis_grpc_reflection *r = NULL;

    *out_reflection = NULL;
    EIS_NEW(r, 1);
    r->services = services;
    r->count = count;
    r->set = google__protobuf__file_descriptor_set__unpack(NULL, eis_grpc_descriptors_bytes, eis_grpc_descriptors);
    EIS_REQUIRE(r->set != NULL, EIS_ERR_MEMORY, "no memory for descriptors");
    EIS_NEW(r->packed, r->set->n_file);
    for (size_t i = 0; i < r->set->n_file; i++) {
        r->packed[i].len = google__protobuf__file_descriptor_proto__get_packed_size(r->set->file[i]);
        r->packed[i].data = eis_mem_new(r->packed[i].len, 1);
        if (r->packed[i].data == NULL) {
            st = EIS_ERR_MEMORY;
            goto out;
        }
        (void)google__protobuf__file_descriptor_proto__pack(r->set->file[i], r->packed[i].data);
    }
    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(find(r, NULL, services[i]) < r->set->n_file, EIS_ERR_INTERNAL, "no descriptor of %s", services[i]);
    *out_reflection = r;
    r = NULL;
out:
    eis_grpc_reflection_free(r);
    return st;
}

void eis_grpc_reflection_free(eis_grpc_reflection *r)
{
    if (r == NULL) return;
    for (size_t i = 0; r->packed != NULL && i < r->set->n_file; i++) eis_mem_free(r->packed[i].data);
    eis_mem_free(r->packed);
    if (r->set != NULL) google__protobuf__file_descriptor_set__free_unpacked(r->set, NULL);
    eis_mem_free(r);
}

/* ---- answers ---- */

static eis_status send(eis_grpc_call *call, const response_message *response)
{
    eis_status st = EIS_OK;
    size_t bytes = grpc__reflection__v1__server_reflection_response__get_packed_size(response);
    uint8_t *data;

    EIS_NEW(data, bytes);
    (void)grpc__reflection__v1__server_reflection_response__pack(response, data);
    st = eis_net_grpc_send(call, data, bytes);
    eis_mem_free(data);
out:
    return st;
}

/* Each of these takes the response by value: what it points it at is its own frame, and ends with it. */
static eis_status send_error(eis_grpc_call *call, response_message response, eis_status why)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

    error.error_code = eis_status_grpc(why);
    error.error_message = (char *)(uintptr_t)eis_status_text(why);
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    return send(call, &response);
}

static void mark(bool *wanted, const eis_grpc_reflection *r, size_t file)
{
    if (wanted[file]) return;
    wanted[file] = true;
    for (size_t i = 0; i < r->set->file[file]->n_dependency; i++) {
        size_t next = find(r, r->set->file[file]->dependency[i], NULL);
        if (next < r->set->n_file) mark(wanted, r, next);
    }
}

/* Sends a file and what it imports; the file goes first. */
static eis_status send_file(eis_grpc_call *call, response_message response, const eis_grpc_reflection *r, size_t file)
{
    eis_status st = EIS_OK;
    Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    bool *wanted = NULL;

    if (file == r->set->n_file) return send_error(call, response, EIS_ERR_NOT_FOUND);
    EIS_NEW(files.file_descriptor_proto, r->set->n_file);
    EIS_NEW(wanted, r->set->n_file);
    mark(wanted, r, file);
    files.file_descriptor_proto[files.n_file_descriptor_proto++] = r->packed[file];
    for (size_t i = 0; i < r->set->n_file; i++)
        if (wanted[i] && i != file) files.file_descriptor_proto[files.n_file_descriptor_proto++] = r->packed[i];
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &files;
    st = send(call, &response);
out:
    eis_mem_free(wanted);
    eis_mem_free(files.file_descriptor_proto);
    return st;
}

static eis_status send_services(eis_grpc_call *call, response_message response, const eis_grpc_reflection *r)
{
    eis_status st = EIS_OK;
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse *services = NULL;

    EIS_NEW(services, r->count);
    EIS_NEW(list.service, r->count);
    for (size_t i = 0; i < r->count; i++) {
        grpc__reflection__v1__service_response__init(&services[i]);
        services[i].name = (char *)(uintptr_t)r->services[i];
        list.service[list.n_service++] = &services[i];
    }
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response.list_services_response = &list;
    st = send(call, &response);
out:
    eis_mem_free(list.service);
    eis_mem_free(services);
    return st;
}

/* Our files extend nothing. */
static eis_status send_extensions(eis_grpc_call *call, response_message response, const eis_grpc_reflection *r,
                                  char *type)
{
    Grpc__Reflection__V1__ExtensionNumberResponse numbers = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;

    if (find(r, NULL, type) == r->set->n_file) return send_error(call, response, EIS_ERR_NOT_FOUND);
    numbers.base_type_name = type;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response.all_extension_numbers_response = &numbers;
    return send(call, &response);
}

static eis_status answer(eis_grpc_call *call, const eis_grpc_reflection *r, request_message *request)
{
    response_message response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

    response.valid_host = request->host;
    response.original_request = request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        return send_file(call, response, r, find(r, request->file_by_filename, NULL));
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        return send_file(call, response, r, find(r, NULL, request->file_containing_symbol));
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        return send_services(call, response, r);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return send_extensions(call, response, r, request->all_extension_numbers_of_type);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        return send_error(call, response, EIS_ERR_NOT_FOUND);
    default:
        return send_error(call, response, EIS_ERR_METHOD);
    }
}

eis_status eis_grpc_reflection_serve(void *context, eis_grpc_call *call)
{
    const eis_grpc_reflection *r = context;
    eis_span message;
    eis_status st;

    while ((st = eis_net_grpc_receive(&message, call)) == EIS_OK) {
        request_message *request =
            grpc__reflection__v1__server_reflection_request__unpack(NULL, message.bytes, message.data);
        if (request == NULL) return eis_fail(EIS_ERR_PARSE, "not a ServerReflectionRequest");
        st = answer(call, r, request);
        grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
        if (st != EIS_OK) return st;
    }
    return st == EIS_ERR_CLOSED ? EIS_OK : st;
}
