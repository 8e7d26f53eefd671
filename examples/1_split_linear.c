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
#include <eis/eis.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { ROWS = 3, COLUMNS = 4, SERVERS = 2 };

static const float weights[ROWS * COLUMNS] = {0.5f,  -1.0f, 2.0f,  0.25f, 1.5f, 0.75f,
                                              -0.5f, 3.0f,  -2.0f, 1.0f,  1.0f, 1.0f};
static const double x[COLUMNS] = {1.0, -2.5, 0.125, 3.0};

static void print_bytes(const char *what, size_t server, const uint8_t *bytes, size_t count)
{
    printf("server %zu %s %zu bytes: ", server, what, count);
    for (size_t i = 0; i < count; i++) printf("%02x", bytes[i]);
    putchar('\n');
}

/* What a server does with a request: it multiplies. It has the pack and this one share, and learns nothing from them.
 */
static eis_status serve(eis_split_worker *worker, eis_split_query *query, size_t server)
{
    const uint8_t *share, *answer;
    size_t share_bytes, answer_bytes;
    eis_status st = eis_split_query_share(query, &share, &share_bytes, server);

    if (st != EIS_OK) return st;
    print_bytes("gets", server, share, share_bytes); /* this is what would travel */
    st = eis_split_worker_eval(worker, &answer, &answer_bytes, share, share_bytes);
    if (st != EIS_OK) return st;
    print_bytes("answers with", server, answer, answer_bytes);
    return eis_split_query_add(query, server, answer, answer_bytes);
}

/* Prints y beside the product in plain double. Returns whether they agree to the seven digits of 24-bit weights. */
static bool compare(const double *y)
{
    bool agree = true;

    for (int i = 0; i < ROWS; i++) {
        double plain = 0;
        for (int j = 0; j < COLUMNS; j++) plain += (double)weights[i * COLUMNS + j] * x[j];
        printf("y[%d] = %.9g, in plain %.9g\n", i, y[i], plain);
        agree = agree && fabs(y[i] - plain) < 1e-6;
    }
    return agree;
}

int main(void)
{
    eis_split_linear *linear = NULL;
    eis_split_worker *workers[SERVERS] = {NULL};
    eis_split_query *query = NULL;
    const uint8_t *pack;
    size_t pack_bytes;
    double y[ROWS];
    eis_status st;

    /* Whoever owns the weights prepares them; every server gets the same pack. */
    st = eis_split_linear_new(&linear, weights, ROWS, COLUMNS, NULL);
    if (st != EIS_OK) goto out;
    eis_split_linear_pack(linear, &pack, &pack_bytes);
    for (int s = 0; s < SERVERS; s++)
        if ((st = eis_split_worker_new(&workers[s], pack, pack_bytes)) != EIS_OK) goto out;

    /* The client's call. Fresh randomness is drawn inside; run the program twice and compare what the servers get. */
    st = eis_split_linear_protect(linear, &query, x, 1);
    if (st != EIS_OK) goto out;
    for (size_t s = 1; s <= SERVERS; s++)
        if ((st = serve(workers[s - 1], query, s)) != EIS_OK) goto out;
    st = eis_split_query_recover(query, y);
    if (st == EIS_OK && !compare(y)) st = EIS_ERR_CHECK;
out:
    if (st != EIS_OK) fprintf(stderr, "%s: %s\n", eis_status_text(st), eis_error_detail());
    eis_split_query_free(query);
    for (int s = 0; s < SERVERS; s++) eis_split_worker_free(workers[s]);
    eis_split_linear_free(linear);
    return eis_status_exit_code(st);
}
