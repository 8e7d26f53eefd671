/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the body of POST /infer or PUT /keys, in every form: refused, or checked down to its ciphertexts. The
 * first byte chooses: the input is the body, or the one ciphertext of a body that is sound around it. */
#include "seal_filler.h"
#include "service/he_server_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One model, two features, the smallest parameters. */
static const eis_he_served *served(void)
{
    static const char entry[] =
        "{\"model_id\":\"m\",\"version\":\"1.0.0\",\"description\":\"two features\",\"he_scheme\":\"CKKS\","
        "\"encryption_parameters\":{\"poly_modulus_degree\":4096,\"scale\":1073741824.0,\"coeff_modulus_bits\":"
        "[38,30,38],\"max_multiplicative_depth\":1},\"inference\":{\"input_dimension\":2,\"output_dimension\":1,"
        "\"activation\":\"polynomial_sigmoid_v1\"},\"parameters\":{\"weights\":[0.5,-0.25],\"bias\":0.1},"
        "\"activation_parameters\":{\"kind\":\"polynomial_sigmoid_v1\",\"coefficients\":[0.5,0.197,0.0]},"
        "\"constraints\":{\"max_batch_size\":16}}";
    static eis_he_registry registry;
    const eis_he_registry_options options = {0};

    if (registry.count == 0) {
        eis_status st = eis_he_registry_add_entry(&registry, "entry",
                                                  (eis_span){(const uint8_t *)entry, sizeof entry - 1}, ".", &options);
        EIS_ASSERT(st == EIS_OK);
    }
    return &registry.models[0];
}

static void try_request(eis_span body, eis_he_media media, bool strict)
{
    const eis_he_request_limits limits = {.inputs_max = 4, .strict_hex = strict};
    eis_he_request request;
    eis_he_inputs inputs = {0};

    if (eis_he_request_parse(&request, media, body, &limits) != EIS_OK) return;
    EIS_ASSERT(request.input_count > 0 && request.input_count <= 4);
    if (eis_he_request_check(&inputs, &request, served(), (size_t)1 << 20, NULL) == EIS_OK &&
        eis_he_request_check_constraints(&request, served()) == EIS_OK) {
        EIS_ASSERT(inputs.count == 2);
        for (size_t i = 0; inputs.cts != NULL && i < inputs.count; i++)
            EIS_ASSERT(!eis_ckks_ct_is_transparent(&inputs.cts[i]));
    }
    eis_he_inputs_clear(&inputs);
    eis_he_request_clear(&request);
}

/* A sound request around two times the same object. */
static void try_object(const uint8_t *data, size_t size, unsigned choice)
{
    const eis_he_encoding encodings[] = {EIS_HE_HEX, EIS_HE_BASE64, EIS_HE_BINARY};
    eis_he_encoding encoding = encodings[choice % 3];
    const eis_he_head head = {.model_id = "m", .version = "1.0.0", .batch_size = 1};
    size_t bytes;
    uint8_t *object = fill_object(data, size, choice & 7, &bytes);
    const eis_span payload[2] = {{object, bytes}, {object, bytes}};
    eis_writer w;

    eis_wire_writer_init(&w, (size_t)8 << 20);
    eis_he_request_write(&w, &head, encoding, payload, 2);
    if (eis_wire_writer_status(&w) == EIS_OK)
        try_request((eis_span){w.data, w.bytes}, encoding == EIS_HE_BINARY ? EIS_HE_MEDIA_BINARY : EIS_HE_MEDIA_JSON,
                    false);
    eis_wire_writer_clear(&w);
    eis_mem_free(object);
}

static void try_keys(eis_span body)
{
    eis_he_keys_body keys;

    if (eis_he_keys_body_read(&keys, body) != EIS_OK) return;
    for (int i = 0; i < EIS_HE_PARTS; i++)
        EIS_ASSERT(keys.part[i].bytes == 0 || (keys.part[i].data >= body.data &&
                                               keys.part[i].data + keys.part[i].bytes <= body.data + body.bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_span body;

    if (size == 0) return 0;
    body = (eis_span){data + 1, size - 1};
    switch (data[0]) {
    case 'j':
        try_request(body, EIS_HE_MEDIA_JSON, false);
        break;
    case 's':
        try_request(body, EIS_HE_MEDIA_JSON, true);
        break;
    case 'b':
        try_request(body, EIS_HE_MEDIA_BINARY, false);
        break;
    case 'k':
        try_keys(body);
        break;
    default:
        try_object(data + 1, size - 1, data[0]);
    }
    return 0;
}
