/* SPDX-License-Identifier: Apache-2.0 */
/* Two errors kept apart: what representing weights and inputs as integers costs, and what sharing adds, which must be
 * nothing. Each linear layer goes through shares, two evaluators and the sum, all in this process; the words of the sum
 * are compared with the integer product that a few lines below compute from the unpacked weights, without any kernel.
 */
#include "base/mem.h"
#include "bench/bench_model.h"
#include "cli/cli.h"
#include "engine/split/eval.h"
#include "engine/split/recover.h"
#include "model/plain.h"
#include "share/combine.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 2, TOKENS = 4, BLOCKS_QUICK = 2, STRIP_ROWS = 48 };

#define REQUEST_BYTES_MAX ((size_t)64 << 20)

static const eis_split_scheme scheme = {.servers = SERVERS, .suite = EIS_SUITE_AES128};

/* Client and two servers in one. */
typedef struct loop {
    const eis_model *model;
    eis_pool *pool;
    eis_split_profile profile;
    eis_split_layers layers;
    int pack_fd;
    eis_pack *pack;
    uint8_t *planes;
    eis_split_evaluator *evaluators[SERVERS];
    eis_split_input input;
    eis_share shares[SERVERS];
    eis_prg prg;
    uint64_t words_compared, words_wrong;
} loop;

static eis_status open_loop(loop *l)
{
    eis_status st = EIS_OK;
    const eis_split_prepare_options options = {.profile = l->profile, .pool = l->pool};

    EIS_TRY(eis_split_prepare_in_memory(&l->layers, &l->pack_fd, l->model, &options));
    EIS_TRY(eis_pack_open_fd(&l->pack, l->pack_fd, "bench", false));
    EIS_NEW(l->planes, l->pack->layer_count);
    for (uint32_t i = 0; i < l->pack->layer_count; i++) l->planes[i] = (uint8_t)l->layers.layers[i].planes;
    for (size_t i = 0; i < SERVERS; i++)
        EIS_TRY(eis_split_evaluator_new(&l->evaluators[i], l->pack, l->planes, l->pack->layer_count, l->pool,
                                        REQUEST_BYTES_MAX));
out:
    return st;
}

static void close_loop(loop *l)
{
    for (size_t i = 0; i < SERVERS; i++) {
        eis_split_evaluator_free(l->evaluators[i]);
        eis_share_clear(&l->shares[i]);
    }
    eis_prg_clear(&l->prg);
    eis_split_input_clear(&l->input);
    eis_mem_free(l->planes);
    eis_pack_free(l->pack);
    if (l->pack_fd >= 0) close(l->pack_fd);
    eis_split_layers_clear(&l->layers);
}

/* ---- the integer product ---- */

typedef unsigned __int128 wide;

/* One row times one vector in Z / 2^64, or modulo p. */
static uint64_t integer_dot(const int32_t *row, const uint64_t *x, size_t n, eis_ring ring)
{
    const uint64_t p = eis_ring_mask(EIS_RING_F61);
    uint64_t sum = 0;

    for (size_t j = 0; j < n; j++) {
        if (ring != EIS_RING_F61)
            sum += (uint64_t)(int64_t)row[j] * x[j];
        else
            sum =
                (uint64_t)(((wide)(row[j] < 0 ? p - (uint64_t) - (int64_t)row[j] : (uint64_t)row[j]) * x[j] + sum) % p);
    }
    return ring == EIS_RING_F61 ? sum : sum & eis_ring_mask(ring);
}

typedef struct product_job {
    const eis_packed *weights;
    const uint64_t *x;
    uint64_t *y;
    size_t batch;
    eis_ring ring;
    int32_t *rows; /* [all rows][cols] */
} product_job;

static void integer_strips(void *arg, size_t first, size_t last)
{
    const product_job *job = arg;
    size_t n = job->weights->cols, m = job->weights->rows;

    for (size_t strip = first; strip < last; strip++) {
        size_t from = strip * STRIP_ROWS, count = m - from < STRIP_ROWS ? m - from : STRIP_ROWS;
        eis_packed_read_rows(job->rows + from * n, job->weights, from, count);
        for (size_t r = from; r < from + count; r++)
            for (size_t v = 0; v < job->batch; v++)
                job->y[v * m + r] = integer_dot(job->rows + r * n, job->x + v * n, n, job->ring);
    }
}

static eis_status integer_product(uint64_t *y, const loop *l, uint32_t index, eis_ring ring)
{
    eis_status st = EIS_OK;
    product_job job = {
        .weights = &l->pack->layers[index].weights, .x = l->input.words, .y = y, .batch = l->input.batch, .ring = ring};

    EIS_NEW(job.rows, job.weights->rows * job.weights->cols);
    eis_pool_run(l->pool, (job.weights->rows + STRIP_ROWS - 1) / STRIP_ROWS, 1, integer_strips, &job);
out:
    eis_mem_free(job.rows);
    return st;
}

/* ---- one layer ---- */

static eis_status serve(loop *l, size_t server, uint64_t *words, uint32_t index, const eis_split_client_layer *client)
{
    eis_status st = EIS_OK;
    const eis_share *share = &l->shares[server];
    size_t bytes = eis_split_share_bytes(share, client);
    eis_split_request request = {.layer = index, .batch = l->input.batch, .suite = share->suite};
    uint8_t *payload = NULL;
    eis_span reply;

    EIS_NEW(payload, bytes);
    eis_split_share_write(payload, share, client);
    request.payload = (eis_span){payload, bytes};
    EIS_TRY(eis_split_eval(l->evaluators[server], &reply, &request));
    EIS_TRY(eis_split_reply_read(words, reply.data, &client->layer, l->input.batch, 0));
out:
    eis_mem_free(payload);
    return st;
}

static eis_status compare_sum(loop *l, uint64_t *const words[SERVERS], uint32_t index, size_t count, eis_ring ring)
{
    eis_status st = EIS_OK;
    const eis_share_part parts[SERVERS] = {{words[0], 0}, {words[1], 0}};
    uint64_t *sum = NULL, *reference = NULL;

    EIS_NEW(sum, count);
    EIS_NEW(reference, count);
    EIS_TRY(eis_share_combine(sum, parts, SERVERS, count, ring));
    EIS_TRY(integer_product(reference, l, index, ring));
    l->words_wrong += eis_bench_words_differ(sum, reference, count);
    l->words_compared += count;
out:
    eis_mem_free(sum);
    eis_mem_free(reference);
    return st;
}

static eis_status apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    loop *l = ctx;
    const eis_part_layer *part = &l->layers.layers[index];
    size_t count = batch * l->model->linears[index].out;
    uint64_t *words[SERVERS] = {NULL};
    eis_split_answer answers[SERVERS] = {0};
    eis_split_client_layer client;

    EIS_TRY(eis_cli_check_interrupted());
    EIS_TRY(eis_split_client_layer_init(&client, &l->model->linears[index], l->profile, part->planes, part->row_norm,
                                        part->row_scales, false, SERVERS));
    EIS_TRY(eis_split_encode(&l->input, &client, x, batch));
    EIS_TRY(eis_split_protect(l->shares, &l->prg, &l->input, &client, &scheme));
    for (size_t i = 0; i < SERVERS; i++) {
        EIS_NEW(words[i], count);
        EIS_TRY(serve(l, i, words[i], index, &client));
        answers[i] = (eis_split_answer){.index = (uint32_t)i + 1, .words = words[i]};
    }
    EIS_TRY(eis_split_recover(y, NULL, answers, SERVERS, &l->input, &client, &scheme));
    EIS_TRY(compare_sum(l, words, index, count, client.layer.ring));
out:
    for (size_t i = 0; i < SERVERS; i++) eis_mem_free(words[i]);
    return st;
}

/* ---- logits ---- */

static eis_status run_tokens(double *logits, const eis_model *model, eis_linear_backend seam)
{
    eis_status st = EIS_OK;
    eis_lm_session *text = NULL;
    uint32_t ids[TOKENS];

    eis_bench_model_ids(ids, TOKENS, model);
    EIS_TRY(eis_lm_session_new(&text, model, TOKENS));
    EIS_TRY(eis_lm_feed(text, logits, &seam, ids, TOKENS));
out:
    eis_lm_session_free(text);
    return st;
}

static double relative_error(const double *a, const double *exact, size_t n)
{
    double error = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        error += (a[i] - exact[i]) * (a[i] - exact[i]);
        norm += exact[i] * exact[i];
    }
    return sqrt(error / norm);
}

static eis_status run_profile(eis_bench *bench, const eis_model *model, eis_pool *pool, const double *exact,
                              eis_split_profile profile, double goal)
{
    eis_status st = EIS_OK;
    const char *name = profile == EIS_SPLIT_P24 ? "P24" : profile == EIS_SPLIT_P8 ? "P8" : "F61 20-bit";
    loop l = {.model = model, .pool = pool, .profile = profile, .pack_fd = -1};
    eis_bench_row *row;
    double *logits = NULL;

    EIS_NEW(logits, model->lm.vocabulary);
    EIS_TRY(open_loop(&l));
    EIS_TRY(run_tokens(logits, model, (eis_linear_backend){&l, apply}));
    row = eis_bench_add(bench, relative_error(logits, exact, model->lm.vocabulary), "rel L2",
                        "logits against float64, GPT-2 small, %s", name);
    if (goal > 0) eis_bench_set_goal(row, goal);
    eis_bench_set_goal(eis_bench_add(bench, (double)l.words_wrong, "words", "words that sharing changed, %s", name), 0);
    eis_bench_condition_set(
        bench, "accuracy",
        "a prompt of %d tokens through %u blocks and the head; %.2f million words compared with the "
        "integer product in each profile",
        TOKENS, model->lm.layers, (double)l.words_compared / 1e6);
    bench->unequal += l.words_wrong != 0;
out:
    close_loop(&l);
    eis_mem_free(logits);
    return st;
}

eis_status eis_bench_run_accuracy(eis_bench *bench)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_pool *pool = NULL;
    eis_plain_backend *plain = NULL;
    double *exact = NULL;

    eis_bench_say(bench, "errors against float64 and against the integer product");
    EIS_TRY(eis_pool_new(&pool, 0));
    EIS_TRY(
        eis_bench_model_gpt2(&model, bench->quick ? BLOCKS_QUICK : EIS_BENCH_GPT2_BLOCKS, EIS_BENCH_GPT2_VOCABULARY));
    EIS_TRY(eis_plain_backend_new(&plain, model, pool));
    EIS_NEW(exact, model->lm.vocabulary);
    EIS_TRY(run_tokens(exact, model, eis_plain_backend_seam(plain)));
    EIS_TRY(run_profile(bench, model, pool, exact, EIS_SPLIT_P24, 1e-5));
    if (!bench->quick) {
        EIS_TRY(run_profile(bench, model, pool, exact, EIS_SPLIT_F61_20, 0));
        EIS_TRY(run_profile(bench, model, pool, exact, EIS_SPLIT_P8, 0));
    }
out:
    eis_mem_free(exact);
    eis_plain_backend_free(plain);
    eis_model_free(model);
    eis_pool_free(pool);
    return st;
}
