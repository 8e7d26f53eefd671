/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/check.h"

#include "base/ct.h"
#include "base/mem.h"
#include "engine/mpc/stream.h"
#include "rand/entropy.h"

#include <string.h>

#define HASH EIS_MPC_DIGEST_BYTES

/* Commit(x) = SHA-256(domain, session, window, party, x, salt). */
static eis_status commit(uint8_t out[HASH], const eis_mpc_check *check, const char *domain, uint64_t window,
                         uint32_t party, const void *x, size_t bytes, const uint8_t salt[HASH])
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};

    EIS_TRY(eis_mpc_digest_start(&digest, domain));
    eis_mpc_digest_add(&digest, check->session, HASH);
    eis_mpc_digest_add(&digest, &window, sizeof window);
    eis_mpc_digest_add(&digest, &party, sizeof party);
    eis_mpc_digest_add(&digest, x, bytes);
    eis_mpc_digest_add(&digest, salt, HASH);
    EIS_TRY(eis_mpc_digest_end(&digest, out));
out:
    eis_mpc_digest_clear(&digest);
    return st;
}

static eis_status caught(void)
{
    return eis_fail(EIS_ERR_INTEGRITY, "the parties' answers do not fit together: the session has ended");
}

static eis_status exchange(eis_mpc_check *check, eis_mpc_frame type, const void *mine, size_t bytes, void *theirs)
{
    return check->links->exchange(check->links->context, type, (uint32_t)check->window, mine, bytes, theirs);
}

/* Draws the coin of a window and commits to it. */
static eis_status draw_coin(eis_mpc_check *check, uint8_t commitment[HASH], uint64_t window)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_entropy_draw(check->coin, HASH));
    EIS_TRY(eis_entropy_draw(check->coin_salt, HASH));
    EIS_TRY(
        commit(commitment, check, "eis mpc coin", window, check->links->index, check->coin, HASH, check->coin_salt));
    EIS_PUBLIC(commitment, HASH); /* commitments hide */
out:
    return st;
}

eis_status eis_mpc_check_init(eis_mpc_check *check, eis_mpc_links *links, const uint8_t session[HASH])
{
    eis_status st = EIS_OK;
    uint8_t mine[HASH];

    EIS_ASSERT(links->count >= EIS_MPC_PARTIES_MIN && links->count <= EIS_MPC_PARTIES_MAX);
    memset(check, 0, sizeof *check);
    check->links = links;
    check->pending_max = EIS_MPC_CHECK_PENDING_MAX;
    memcpy(check->session, session, HASH);
    EIS_TRY(eis_mpc_digest_start(&check->transcript, "eis mpc transcript"));
    eis_mpc_check_note(check, session, HASH);
    EIS_TRY(draw_coin(check, mine, 0));
    EIS_TRY(exchange(check, EIS_MPC_FRAME_COIN_HASH, mine, HASH, check->committed));
    memcpy(check->committed[links->index], mine, HASH);
    eis_mpc_check_note(check, check->committed, links->count * HASH);
out:
    check->dead = st != EIS_OK;
    return st;
}

void eis_mpc_check_clear(eis_mpc_check *check)
{
    eis_mem_free_wiped(check->residues, check->capacity, sizeof *check->residues);
    eis_mpc_digest_clear(&check->transcript);
    eis_mem_wipe(check, sizeof *check);
}

eis_status eis_mpc_check_extend(eis_mpc_check *check, uint64_t **tau, size_t count)
{
    eis_status st = EIS_OK;

    if (check->capacity - check->count < count) {
        size_t more = 2 * check->capacity + count + 1024;
        EIS_TRY(eis_mem_resize(&check->residues, check->capacity, more, sizeof *check->residues));
        check->capacity = more;
    }
    *tau = check->residues + check->count;
    check->count += count;
out:
    return st;
}

eis_status eis_mpc_check_add(eis_mpc_check *check, const uint64_t *tau, size_t count)
{
    uint64_t *to = NULL;
    eis_status st = eis_mpc_check_extend(check, &to, count);

    if (st == EIS_OK) memcpy(to, tau, count * sizeof *tau);
    return st;
}

void eis_mpc_check_note(eis_mpc_check *check, const void *data, size_t bytes)
{
    eis_mpc_digest_add(&check->transcript, data, bytes);
}

/* Round 1: coins and transcripts; gives the seed of the combination. */
typedef struct coin_frame {
    uint8_t coin[HASH], salt[HASH], transcript[HASH];
} coin_frame;

static eis_status reveal_coins(eis_mpc_check *check, uint8_t seed[HASH])
{
    eis_status st = EIS_OK;
    coin_frame mine, all[EIS_MPC_PARTIES_MAX];
    uint8_t expected[HASH];
    uint64_t count = check->count;
    eis_mpc_digest digest = {0};

    memcpy(mine.coin, check->coin, HASH);
    memcpy(mine.salt, check->coin_salt, HASH);
    eis_mpc_check_note(check, &count, sizeof count);
    EIS_TRY(eis_mpc_digest_peek(&check->transcript, mine.transcript));
    EIS_PUBLIC(&mine, sizeof mine); /* a coin is shown to all, once its list is closed */
    EIS_TRY(exchange(check, EIS_MPC_FRAME_COIN, &mine, sizeof mine, all));
    all[check->links->index] = mine;
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc combination"));
    eis_mpc_digest_add(&digest, check->session, HASH);
    eis_mpc_digest_add(&digest, &check->window, sizeof check->window);
    for (uint32_t i = 0; i < check->links->count; i++) {
        EIS_TRY(commit(expected, check, "eis mpc coin", check->window, i, all[i].coin, HASH, all[i].salt));
        if (memcmp(expected, check->committed[i], HASH) != 0 || memcmp(all[i].transcript, mine.transcript, HASH) != 0)
            EIS_TRY(caught());
        eis_mpc_digest_add(&digest, all[i].coin, HASH);
    }
    EIS_TRY(eis_mpc_digest_end(&digest, seed));
out:
    eis_mpc_digest_clear(&digest);
    return st;
}

/* A coin of tests and what hides it. */
typedef struct test_coin {
    uint8_t coin[HASH], salt[HASH];
} test_coin;

eis_status eis_mpc_check_coin(eis_mpc_check *check, uint8_t coin[HASH])
{
    static const char domain[] = "eis mpc test coin";
    eis_status st = EIS_OK;
    test_coin mine, all[EIS_MPC_PARTIES_MAX];
    uint8_t hashes[EIS_MPC_PARTIES_MAX][HASH], expected[HASH];
    uint32_t me = check->links->index;
    eis_mpc_digest digest = {0};

    EIS_REQUIRE(!check->dead, EIS_ERR_INTEGRITY, "the session has ended");
    EIS_TRY(eis_entropy_draw(&mine, sizeof mine));
    EIS_TRY(commit(expected, check, domain, check->window, me, mine.coin, HASH, mine.salt));
    EIS_PUBLIC(expected, HASH); /* commitments hide */
    EIS_TRY(exchange(check, EIS_MPC_FRAME_TEST_HASH, expected, HASH, hashes));
    memcpy(hashes[me], expected, HASH);
    eis_mpc_check_note(check, hashes, check->links->count * HASH);
    EIS_PUBLIC(&mine, sizeof mine); /* a coin is shown to all, once everybody has committed */
    EIS_TRY(exchange(check, EIS_MPC_FRAME_TEST_COIN, &mine, sizeof mine, all));
    all[me] = mine;
    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc test"));
    eis_mpc_digest_add(&digest, check->session, HASH);
    eis_mpc_digest_add(&digest, &check->window, sizeof check->window);
    for (uint32_t i = 0; i < check->links->count; i++) {
        EIS_TRY(commit(expected, check, domain, check->window, i, all[i].coin, HASH, all[i].salt));
        if (memcmp(expected, hashes[i], HASH) != 0) EIS_TRY(caught());
        eis_mpc_digest_add(&digest, all[i].coin, HASH);
    }
    EIS_TRY(eis_mpc_digest_end(&digest, coin));
out:
    eis_mpc_digest_clear(&digest);
    if (st != EIS_OK) check->dead = true;
    return st;
}

/* sigma = sum of r_j residue_j with r_j from the seed, a thousand at a time. */
static eis_status combine(uint64_t *sigma, const eis_mpc_check *check, const uint8_t seed[HASH])
{
    enum { BLOCK = 1024 };
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};
    uint64_t r[BLOCK];

    *sigma = 0;
    EIS_TRY(eis_mpc_stream_start_key(&stream, seed));
    for (size_t at = 0; at < check->count; at += BLOCK) {
        size_t n = check->count - at < BLOCK ? check->count - at : BLOCK;
        EIS_TRY(eis_mpc_stream_words(&stream, r, n));
        for (size_t i = 0; i < n; i++) *sigma = eis_fp_add(*sigma, eis_fp_mul(r[i], check->residues[at + i]));
    }
out:
    eis_mpc_stream_clear(&stream);
    return st;
}

/* A number that is committed to before it is shown. */
typedef struct reveal_frame {
    uint64_t sigma;
    uint8_t salt[HASH];
} reveal_frame;

/* Rounds 2 and 3: commits to sigma (and to the coin of the next window where there is one), then opens it. */
static eis_status commit_and_open(eis_mpc_check *check, eis_mpc_frame commit_type, eis_mpc_frame reveal_type,
                                  uint64_t sigma, const uint8_t *next_coin)
{
    eis_status st = EIS_OK;
    reveal_frame mine, all[EIS_MPC_PARTIES_MAX];
    uint8_t commitments[EIS_MPC_PARTIES_MAX][2 * HASH], sent[2 * HASH], expected[HASH];
    size_t bytes = next_coin != NULL ? 2 * HASH : HASH;
    const char *domain = next_coin != NULL ? "eis mpc sigma" : "eis mpc output";
    uint64_t sum = 0;

    memset(&mine, 0, sizeof mine);
    mine.sigma = sigma;
    EIS_TRY(eis_entropy_draw(mine.salt, HASH));
    EIS_TRY(commit(sent, check, domain, check->window, check->links->index, &mine.sigma, sizeof mine.sigma, mine.salt));
    if (next_coin != NULL) memcpy(sent + HASH, next_coin, HASH);
    EIS_PUBLIC(sent, sizeof sent); /* commitments hide */
    EIS_TRY(exchange(check, commit_type, sent, bytes, commitments));
    memcpy((uint8_t *)commitments + check->links->index * bytes, sent, bytes);
    EIS_PUBLIC(&mine, sizeof mine); /* a share of 0, unless somebody lied */
    EIS_TRY(exchange(check, reveal_type, &mine, sizeof mine, all));
    all[check->links->index] = mine;
    for (uint32_t i = 0; i < check->links->count; i++) {
        const uint8_t *theirs = (const uint8_t *)commitments + i * bytes;
        EIS_TRY(commit(expected, check, domain, check->window, i, &all[i].sigma, sizeof all[i].sigma, all[i].salt));
        if (memcmp(expected, theirs, HASH) != 0 || all[i].sigma >= EIS_FP_P) EIS_TRY(caught());
        sum = eis_fp_add(sum, all[i].sigma);
        if (next_coin != NULL) memcpy(check->committed[i], theirs + HASH, HASH);
    }
    if (sum != 0) EIS_TRY(caught());
    eis_mpc_check_note(check, commitments, check->links->count * bytes);
out:
    return st;
}

eis_status eis_mpc_check_run(eis_mpc_check *check)
{
    eis_status st = EIS_OK;
    uint8_t seed[HASH], next[HASH];
    uint64_t sigma = 0;

    EIS_REQUIRE(!check->dead, EIS_ERR_INTEGRITY, "the session has ended");
    EIS_TRY(reveal_coins(check, seed));
    EIS_TRY(combine(&sigma, check, seed));
    EIS_TRY(draw_coin(check, next, check->window + 1));
    EIS_TRY(commit_and_open(check, EIS_MPC_FRAME_COMMIT, EIS_MPC_FRAME_REVEAL, sigma, next));
    eis_mem_wipe(check->residues, check->count * sizeof *check->residues);
    check->count = 0;
    check->window++;
out:
    if (st != EIS_OK) check->dead = true;
    return st;
}

eis_status eis_mpc_check_relieve(eis_mpc_check *check)
{
    return check->count < check->pending_max ? EIS_OK : eis_mpc_check_run(check);
}

eis_status eis_mpc_check_output(eis_mpc_check *check, uint64_t *value, uint64_t share, uint64_t mac, uint64_t key)
{
    eis_status st = EIS_OK;
    uint64_t all[EIS_MPC_PARTIES_MAX], sum = 0;

    *value = 0;
    EIS_REQUIRE(!check->dead && check->count == 0, EIS_ERR_INTEGRITY, "the session has ended");
    EIS_PUBLIC(&share, sizeof share); /* of what the world is told */
    EIS_TRY(exchange(check, EIS_MPC_FRAME_OUT, &share, sizeof share, all));
    all[check->links->index] = share;
    for (uint32_t i = 0; i < check->links->count; i++) {
        if (all[i] >= EIS_FP_P) EIS_TRY(caught());
        sum = eis_fp_add(sum, all[i]);
    }
    eis_mpc_check_note(check, all, check->links->count * sizeof *all);
    EIS_TRY(commit_and_open(check, EIS_MPC_FRAME_OUT_COMMIT, EIS_MPC_FRAME_OUT_REVEAL,
                            eis_fp_sub(eis_fp_mul(sum, key), mac), NULL));
    *value = sum;
out:
    if (st != EIS_OK) check->dead = true;
    return st;
}
