/* SPDX-License-Identifier: Apache-2.0 */
/* Example 1: one linear layer on two servers that see nothing.
 *
 * A layer is y = W x. The client knows x; two servers know W. This program plays all three, in one process and without
 * a network, and prints what each of them holds. The four stages below are those of every engine of the project:
 *
 *   prepare   W  -> integers, packed for the servers
 *   protect   x  -> one share per server
 *   eval      a share times W, at a server
 *   recover   the answers -> y, at the client
 */
#include "base/mem.h"
#include "engine/split/eval.h"
#include "engine/split/prepare.h"
#include "engine/split/protect.h"
#include "engine/split/recover.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 3, COLUMNS = 4, SERVERS = 2 };

static const float weights[ROWS][COLUMNS] = {
    {0.5f, -1.0f, 2.0f, 0.25f}, {1.5f, 0.75f, -0.5f, 3.0f}, {-2.0f, 1.0f, 1.0f, 1.0f}};
static const double x[COLUMNS] = {1.0, -2.5, 0.125, 3.0};

/* What a server has: the packed weights and work space. It has no scales, no norms and no second share. */
typedef struct server {
    eis_pack *pack;
    eis_split_evaluator *evaluator;
} server;

static eis_status make_model(eis_model **model)
{
    eis_status st = EIS_OK;
    eis_linear *layer;

    EIS_TRY(eis_model_new(model, EIS_MODEL_CLASSIFIER));
    layer = eis_model_add_linear(*model);
    if (layer == NULL) return EIS_ERR_MEMORY;
    *layer = (eis_linear){.name = "layer", .kind = EIS_LINEAR_DENSE, .out = ROWS, .in = COLUMNS, .piece_count = 1};
    layer->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F32, ROWS, COLUMNS);
out:
    return st;
}

static eis_status start_server(server *s, int pack_fd)
{
    eis_status st = EIS_OK;
    const uint8_t planes = 0; /* profile p24 has no byte planes */

    EIS_TRY(eis_pack_open_fd(&s->pack, pack_fd, "example", true));
    EIS_TRY(eis_split_evaluator_new(&s->evaluator, s->pack, &planes, 1, NULL, 1 << 20));
out:
    return st;
}

/* What a server does with a request: it multiplies. The bytes are those that would travel. */
static eis_status serve(const server *s, uint64_t *answer, const eis_share *share, const eis_split_client_layer *layer)
{
    eis_status st = EIS_OK;
    uint8_t request[256];
    size_t bytes = eis_split_share_bytes(share, layer);
    eis_span reply;

    EIS_ASSERT(bytes <= sizeof request);
    eis_split_share_write(request, share, layer);
    printf("server %u gets %s of %zu bytes: ", share->index, share->suite == EIS_SUITE_WORDS ? "words" : "a seed",
           bytes);
    for (size_t i = 0; i < bytes; i++) printf("%02x", request[i]);
    putchar('\n');
    EIS_TRY(eis_split_eval(s->evaluator, &reply,
                           &(eis_split_request){.batch = 1, .suite = share->suite, .payload = {request, bytes}}));
    EIS_TRY(eis_split_reply_read(answer, reply.data, &layer->layer, 1, 0));
    printf("server %u answers:", share->index);
    for (int i = 0; i < ROWS; i++) printf(" %" PRIu64, answer[i]);
    putchar('\n');
out:
    return st;
}

/* The client's call of one layer. Fresh randomness is drawn inside protect; nothing of it is kept. */
static eis_status call(double *y, const eis_split_client_layer *layer, const server *servers)
{
    eis_status st = EIS_OK;
    const eis_split_scheme scheme = {.servers = SERVERS};
    eis_split_input input = {0};
    eis_share shares[SERVERS] = {0};
    eis_split_answer answers[SERVERS];
    uint64_t words[SERVERS][ROWS];
    eis_prg prg = {0};

    EIS_TRY(eis_split_encode(&input, layer, x, 1));
    printf("x as integers, with %d fraction bits:", input.bits[0]);
    for (int i = 0; i < COLUMNS; i++) printf(" %" PRIu64, input.words[i]);
    puts(" (modulo 2^52)");
    EIS_TRY(eis_split_protect(shares, &prg, &input, layer, &scheme));
    for (uint32_t s = 0; s < SERVERS; s++) {
        EIS_TRY(serve(&servers[s], words[s], &shares[s], layer));
        answers[s] = (eis_split_answer){.index = s + 1, .words = words[s]};
    }
    EIS_TRY(eis_split_recover(y, NULL, answers, SERVERS, &input, layer, &scheme));
out:
    for (int s = 0; s < SERVERS; s++) eis_share_clear(&shares[s]);
    eis_split_input_clear(&input);
    eis_prg_clear(&prg);
    return st;
}

/* Prints y beside the product in plain double. Returns whether they agree to the seven digits of 24-bit weights. */
static bool compare(const double *y)
{
    bool agree = true;

    for (int i = 0; i < ROWS; i++) {
        double plain = 0;
        for (int j = 0; j < COLUMNS; j++) plain += (double)weights[i][j] * x[j];
        printf("y[%d] = %.9g, in plain %.9g\n", i, y[i], plain);
        agree = agree && fabs(y[i] - plain) < 1e-6;
    }
    return agree;
}

static eis_status run(void)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_split_layers layers = {0};
    eis_split_client_layer layer;
    server servers[SERVERS] = {0};
    double y[ROWS] = {0};
    int pack_fd = -1;

    EIS_TRY(make_model(&model));
    EIS_TRY(
        eis_split_prepare_in_memory(&layers, &pack_fd, model, &(eis_split_prepare_options){.profile = EIS_SPLIT_P24}));
    for (int s = 0; s < SERVERS; s++) EIS_TRY(start_server(&servers[s], pack_fd));
    EIS_TRY(eis_split_client_layer_init(&layer, &model->linears[0], EIS_SPLIT_P24, 0, layers.layers[0].row_norm,
                                        layers.layers[0].row_scales, false, SERVERS));
    EIS_TRY(call(y, &layer, servers));
    EIS_REQUIRE(compare(y), EIS_ERR_CHECK, "the private answer is not the plain one");
out:
    for (int s = 0; s < SERVERS; s++) {
        eis_split_evaluator_free(servers[s].evaluator);
        eis_pack_free(servers[s].pack);
    }
    if (pack_fd >= 0) close(pack_fd);
    eis_split_layers_clear(&layers);
    eis_model_free(model);
    return st;
}

int main(void)
{
    eis_status st = run();

    if (st != EIS_OK) fprintf(stderr, "%s: %s\n", eis_status_text(st), eis_error_detail());
    return eis_status_exit_code(st);
}
