/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sight.h"

#include "base/mem.h"
#include "share/uniformity.h"

#include <math.h>
#include <string.h>

#define CAPACITY_MIN 4096
#define BLOCK        64 /* words in which a planted bias touches one bit */

eis_status eis_cli_sight_init(eis_cli_sight *sight, size_t server_count)
{
    eis_status st = EIS_OK;

    memset(sight, 0, sizeof *sight);
    EIS_NEW(sight->servers, server_count);
    sight->server_count = server_count;
out:
    return st;
}

void eis_cli_sight_clear(eis_cli_sight *sight)
{
    for (size_t i = 0; i < sight->server_count; i++)
        for (size_t r = 0; r < sight->servers[i].ring_count; r++) {
            eis_cli_sight_words *w = &sight->servers[i].rings[r];
            eis_mem_free_wiped(w->words, w->capacity, sizeof *w->words);
        }
    eis_mem_free(sight->servers);
    memset(sight, 0, sizeof *sight);
}

static eis_cli_sight_words *words_of_ring(eis_cli_sight_server *server, eis_ring ring)
{
    for (size_t i = 0; i < server->ring_count; i++)
        if (server->rings[i].ring == ring) return &server->rings[i];
    EIS_ASSERT(server->ring_count < EIS_CLI_SIGHT_RINGS);
    server->rings[server->ring_count].ring = ring;
    return &server->rings[server->ring_count++];
}

static eis_status keep(eis_cli_sight_words *w, const uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    size_t room = EIS_CLI_SIGHT_WORDS_MAX - w->count, wanted;

    count = count < room ? count : room;
    if (w->count + count > w->capacity) {
        wanted = 2 * w->capacity > w->count + count ? 2 * w->capacity : w->count + count;
        wanted = wanted > CAPACITY_MIN ? wanted : CAPACITY_MIN;
        EIS_TRY(eis_mem_resize(&w->words, w->capacity, wanted, sizeof *w->words));
        w->capacity = wanted;
    }
    memcpy(w->words + w->count, words, count * sizeof *words);
    w->count += count;
out:
    return st;
}

/* A word as the number that it would be if it were no share: in [-1/2, 1/2) of the ring. */
static double centred(uint64_t word, eis_ring ring)
{
    double size = ldexp(1, (int)ring), value = (double)word;

    return (value >= size / 2 ? value - size : value) / size;
}

static void add_sums(eis_cli_sight_sums *s, const eis_split_sight *seen)
{
    for (size_t i = 0; i < seen->word_count; i++) {
        double x = centred(seen->words[i], seen->ring), y = seen->reals[i];
        s->n++;
        s->x += x;
        s->y += y;
        s->xx += x * x;
        s->yy += y * y;
        s->xy += x * y;
    }
}

void eis_cli_sight_collect(void *context, const eis_split_sight *seen)
{
    eis_cli_sight *sight = context;
    eis_cli_sight_server *server;

    if (seen->server == 0 || seen->server > sight->server_count || sight->st != EIS_OK) return;
    server = &sight->servers[seen->server - 1];
    server->payload_bytes += seen->payload_bytes;
    server->word_count += seen->word_count;
    server->shares++;
    server->seeds += seen->is_seed;
    sight->st = keep(words_of_ring(server, seen->ring), seen->words, seen->word_count);
    if (seen->reals != NULL) add_sums(&server->with_input, seen);
}

uint64_t eis_cli_sight_fewest_words(const eis_cli_sight *sight)
{
    uint64_t fewest = UINT64_MAX;

    for (size_t i = 0; i < sight->server_count; i++)
        if (sight->servers[i].word_count < fewest) fewest = sight->servers[i].word_count;
    return fewest;
}

void eis_cli_sight_plant_bias(eis_cli_sight *sight)
{
    eis_cli_sight_server *last = &sight->servers[sight->server_count - 1];

    for (size_t r = 0; r < last->ring_count; r++)
        for (size_t i = 0; i < last->rings[r].count; i += BLOCK) last->rings[r].words[i] |= 1;
}

static double correlation(const eis_cli_sight_sums *s)
{
    double x = s->n * s->xx - s->x * s->x, y = s->n * s->yy - s->y * s->y;

    return x > 0 && y > 0 ? (s->n * s->xy - s->x * s->y) / sqrt(x * y) : 0;
}

eis_cli_sight_verdict eis_cli_sight_judge(const eis_cli_sight_server *server)
{
    double p = 1;

    for (size_t r = 0; r < server->ring_count; r++) {
        const eis_cli_sight_words *w = &server->rings[r];
        double of_ring = eis_uniformity_words(w->words, w->count, (unsigned)w->ring) * (double)server->ring_count;
        p = of_ring < p ? of_ring : p;
    }
    return (eis_cli_sight_verdict){
        .p = p, .correlation = correlation(&server->with_input), .passed = p > EIS_UNIFORMITY_P_MIN};
}
