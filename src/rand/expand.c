/* SPDX-License-Identifier: Apache-2.0 */
/* Whole blocks go straight to the reader's memory; only the last one is kept for what is read later. */
#include "rand/expand.h"

#include "kernel/kernel.h"

#include <string.h>

_Static_assert(EIS_SEED_BYTES == EIS_EXPAND_SEED_BYTES && EIS_SEED_BLOCK_BYTES == EIS_EXPAND_BLOCK_BYTES,
               "the kernels make the blocks of the wire");

eis_status eis_expand_start(eis_expand *expand, unsigned generator, const uint8_t seed[EIS_EXPAND_SEED_BYTES])
{
    eis_status st = EIS_OK;

    expand->generator = 0;
    EIS_REQUIRE(generator == EIS_EXPAND_BLAKE2XB || generator == EIS_EXPAND_SHAKE256, EIS_ERR_UNSUPPORTED,
                "there is no generator %u; known are 1 (BLAKE2xb) and 2 (SHAKE256)", generator);
    memcpy(expand->seed, seed, sizeof expand->seed);
    expand->generator = generator;
    expand->counter = 0;
    expand->rest_bytes = 0;
out:
    return st;
}

/* Writes the next blocks. Shape: out[blocks][4096]. */
static void next_blocks(eis_expand *expand, uint8_t *out, size_t blocks)
{
    const eis_seed_kernels *k = &eis_kernels_get()->seed;

    if (expand->generator == EIS_EXPAND_SHAKE256) {
        k->shake256(out, expand->seed, expand->counter, blocks);
    } else {
        k->blake2xb(out, expand->seed, expand->counter, blocks);
    }
    expand->counter += blocks;
}

/* Takes what is left of the last block. Returns how much that was. */
static size_t take_rest(eis_expand *expand, uint8_t *out, size_t bytes)
{
    const size_t taken = bytes < expand->rest_bytes ? bytes : expand->rest_bytes;

    memcpy(out, expand->rest + sizeof expand->rest - expand->rest_bytes, taken);
    expand->rest_bytes -= taken;
    return taken;
}

eis_status eis_expand_read(eis_expand *expand, void *out, size_t bytes)
{
    uint8_t *to = out;
    size_t done, blocks;

    EIS_ASSERT(expand->generator != 0);
    done = take_rest(expand, to, bytes);
    blocks = (bytes - done) / EIS_EXPAND_BLOCK_BYTES;
    next_blocks(expand, to + done, blocks);
    done += blocks * EIS_EXPAND_BLOCK_BYTES;
    if (done < bytes) {
        next_blocks(expand, expand->rest, 1);
        expand->rest_bytes = sizeof expand->rest;
        (void)take_rest(expand, to + done, bytes - done);
    }
    return EIS_OK;
}

void eis_expand_clear(eis_expand *expand) { memset(expand, 0, sizeof *expand); }

static eis_status read_expand(void *ctx, void *out, size_t bytes) { return eis_expand_read(ctx, out, bytes); }

eis_byte_source eis_expand_stream(eis_expand *expand)
{
    eis_byte_source stream = {read_expand, expand};
    return stream;
}
