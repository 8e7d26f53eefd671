/* SPDX-License-Identifier: Apache-2.0 */
/* One server's share of a batch of vectors: a seed, or the words themselves. */
#ifndef EIS_SHARE_SHARE_H
#define EIS_SHARE_SHARE_H

#include "rand/prg.h"
#include "rand/uniform.h"

/* Valid when zeroed. Owns `body`, which keeps its memory from call to call. */
typedef struct eis_share {
    eis_vectors shape;
    uint32_t index; /* the one server it is for, and its point in threshold sharing: 1 .. servers */
    unsigned suite; /* EIS_SUITE_WORDS: the body is the share; else the seed is */
    uint8_t seed[EIS_SEED_BYTES_MAX];
    uint8_t *body;   /* [eis_vectors_bytes(&shape)] with EIS_SUITE_WORDS; kernel-ready */
    size_t capacity; /* bytes of body */
} eis_share;

/* Makes the share one of words: zeros, memory for the shape, the index. What it held before is wiped.
 *
 * Errors:  EIS_ERR_MEMORY  the share is empty. */
EIS_MUST_USE eis_status eis_share_init_words(eis_share *share, const eis_vectors *shape, uint32_t index);

/* The same without clearing the memory: the caller writes every vector, padding included, or wipes the share. */
EIS_MUST_USE eis_status eis_share_init_uncleared(eis_share *share, const eis_vectors *shape, uint32_t index);

/* Makes the share a fresh seed from the operating system. What it held before is wiped.
 *
 * Errors:  EIS_ERR_UNSUPPORTED, EIS_ERR_ENTROPY  the share is empty. */
EIS_MUST_USE eis_status eis_share_init_seed(eis_share *share, const eis_vectors *shape, uint32_t index, unsigned suite);

/* Makes the share a seed that is given: one that a peer sent, or that of a mask.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  unknown suite; EIS_ERR_PARSE  wrong length.  The share is empty. */
EIS_MUST_USE eis_status eis_share_init_given(eis_share *share, const eis_vectors *shape, uint32_t index, unsigned suite,
                                             const uint8_t *seed, size_t seed_bytes);

/* Returns the words of vector v of a share of words (form WORDS, asserted). */
uint64_t *eis_share_vector_words(const eis_share *share, size_t v);

/* Writes the kernel-ready vectors that a share stands for: a copy of the body, or the expanded seed.
 *
 * Shape:   vectors[eis_vectors_bytes(&share->shape)], aligned to 8.
 * Secret:  all.
 * Errors:  of eis_prg_start and eis_prg_read; vectors are wiped. */
EIS_MUST_USE eis_status eis_share_expand(eis_prg *prg, void *vectors, const eis_share *share);

/* Writes one vector of kernel-ready memory as words without padding.
 * Shape: words[n]; vector[eis_vectors_stride(shape)]. */
void eis_share_words_read(uint64_t *words, const void *vector, const eis_vectors *shape);

/* Writes words as one vector of kernel-ready memory, padding cleared. Shape as above. */
void eis_share_words_write(void *vector, const uint64_t *words, const eis_vectors *shape);

/* Wipes seed and words, keeps the memory for the next call. Safe on a zeroed share. */
void eis_share_wipe(eis_share *share);

/* Wipes and frees. Safe on a zeroed share. */
void eis_share_clear(eis_share *share);

#endif
