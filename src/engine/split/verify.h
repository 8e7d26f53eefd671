/* SPDX-License-Identifier: Apache-2.0 */
/* Freivalds checks of single servers (field profiles): made once from the pack, asked for every answer. */
#ifndef EIS_ENGINE_SPLIT_VERIFY_H
#define EIS_ENGINE_SPLIT_VERIFY_H

#include "base/status.h"
#include "engine/split/pack.h"
#include "engine/split/words.h"
#include "share/share.h"

#include <stdint.h>

/* The secret keys of all layers. They never leave the client and are never stored. */
typedef struct eis_split_verifier eis_split_verifier;

/* Streams the pack once and computes z = r^T W for every layer. A pack from a file was opened with `verify`: what is
 * compared here is the digest that its header names.
 *
 * Errors:  EIS_ERR_USAGE  the profile is not a field;  EIS_ERR_DIGEST  the pack names another digest than
 *          expected_digest[32];
 *          EIS_ERR_MEMORY, EIS_ERR_ENTROPY. */
EIS_MUST_USE eis_status eis_split_verifier_new(eis_split_verifier **verifier, const eis_pack *pack,
                                               const uint8_t *expected_digest);

/* Wipes and frees. NULL is allowed. */
void eis_split_verifier_free(eis_split_verifier *verifier);

/* Checks one server's answer to its share.
 *
 * Shape:   words[batch * out_count] full words as they came; share is what that server was sent.
 * Secret:  words, share. That an answer is wrong is public.
 * Errors:  EIS_ERR_INTEGRITY  the answer is not W times the share;  EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_split_verify(eis_split_verifier *verifier, uint32_t layer_index,
                                         const eis_split_layer *layer, const uint64_t *words, const eis_share *share);

#endif
