/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /matmul, through the door itself: any bytes are refused or answered by a reply of the right length.
 * Three small packs (p24, p8, f61; a dense layer and a convolution each) and the original's float layer are on offer.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/split/prepare.h"
#include "net/http_exchange.h"
#include "service/split_server_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKS = 3, DENSE_IN = 6, DENSE_OUT = 4, IMAGE = 4, CONV_IN = 9, CONV_OUT = 2, LEGACY_IN = 3, LEGACY_OUT = 2 };

static float weights[DENSE_IN * DENSE_OUT + CONV_IN * CONV_OUT];
static const float legacy_weights[LEGACY_IN * LEGACY_OUT] = {0.5f, -1, 2, 3, -0.25f, 1e-3f};

static void make_linears(eis_linear linears[2])
{
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) weights[i] = (float)((int)(i * 7 % 11) - 5) / 8;
    linears[0] =
        (eis_linear){.name = "fc", .kind = EIS_LINEAR_DENSE, .out = DENSE_OUT, .in = DENSE_IN, .piece_count = 1};
    linears[0].pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F32, DENSE_OUT, DENSE_IN);
    linears[1] = (eis_linear){.name = "conv",
                              .kind = EIS_LINEAR_CONV2D,
                              .out = CONV_OUT,
                              .in = CONV_IN,
                              .piece_count = 1,
                              .channels = 1,
                              .height = IMAGE,
                              .width = IMAGE,
                              .kernel_height = 3,
                              .kernel_width = 3,
                              .stride_y = 1,
                              .stride_x = 1,
                              .pad_y = 1,
                              .pad_x = 1,
                              .out_height = IMAGE,
                              .out_width = IMAGE};
    linears[1].pieces[0] = eis_tensor_view_rows(weights + DENSE_IN * DENSE_OUT, EIS_DTYPE_F32, CONV_OUT, CONV_IN);
}

/* Packs and gate; they live as long as the process. */
static void make_server(eis_split_server *server)
{
    static const eis_split_profile profiles[PACKS] = {EIS_SPLIT_P24, EIS_SPLIT_P8, EIS_SPLIT_F61_20};
    static const char *const names[PACKS] = {"p24", "p8", "f61"};
    static eis_split_offer offers[PACKS];
    static eis_linear linears[2];
    const eis_model model = {.kind = EIS_MODEL_CLASSIFIER, .linears = linears, .linear_count = 2};

    make_linears(linears);
    for (size_t i = 0; i < PACKS; i++) {
        const eis_split_prepare_options options = {.profile = profiles[i]};
        eis_split_layers layers = {0};
        eis_pack *pack = NULL;
        int fd = -1;
        if (eis_split_prepare_in_memory(&layers, &fd, &model, &options) != EIS_OK ||
            eis_pack_open_fd(&pack, fd, "fuzz", true) != EIS_OK)
            abort();
        eis_split_layers_clear(&layers);
        close(fd);
        offers[i].pack = pack;
        memcpy(offers[i].name, names[i], strlen(names[i]) + 1);
    }
    server->config.offers = server->offers = offers;
    server->config.offer_count = PACKS;
    server->config.body_bytes_max = 1 << 16;
    server->config.legacy = (eis_legacy_layer){.inputs = LEGACY_IN, .outputs = LEGACY_OUT, .weights = legacy_weights};
    if (eis_split_gate_new(&server->gate, 1, 1) != EIS_OK) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static eis_split_server server;
    uint8_t *body = malloc(size + 1);
    eis_http_request request = {.body = body, .body_bytes = size};
    eis_http_reply reply = {0};
    eis_status st;

    if (body == NULL) abort();
    if (server.gate == NULL) {
        eis_log_configure(EIS_LOG_ERROR, false);
        make_server(&server);
    }
    if (size > 0) memcpy(body, data, size);
    st = eis_split_server_matmul(&server, &reply, &request);
    if (st == EIS_OK)
        EIS_ASSERT(reply.http_status == 200 && reply.body_bytes > 2 && reply.body[0] == '{');
    else
        EIS_ASSERT(reply.body == NULL && eis_error_detail()[0] != '\0');
    eis_net_http_reply_clear(&reply);
    eis_error_clear();
    free(body);
    return 0;
}
