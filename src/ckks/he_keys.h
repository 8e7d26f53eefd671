/* SPDX-License-Identifier: Apache-2.0 */
/* A key set: all keys that a server needs of a client in one object of our own, with words at the width of their primes
 * and each switching key cut to the level that it is used at. SEAL objects (seal_keys.h) hold whole keys alone; this is
 * a quarter of their length or less. The bytes are described in docs/wire/he-keys.md.
 *
 *   header | entries, by rising id          an entry: id, level, generator | rows          a row: [seed |] words */
#ifndef EIS_CKKS_HE_KEYS_H
#define EIS_CKKS_HE_KEYS_H

#include "ckks/keys.h"
#include "wire/cursor.h"

/* Ids of entries: these two, or a Galois element, which is odd and above 1. */
#define EIS_CKKS_KEY_RELIN  0u
#define EIS_CKKS_KEY_PUBLIC 1u

#define EIS_CKKS_KEYS_MAX 1024 /* entries of a set */

/* A key that somebody needs. */
typedef struct eis_ckks_key_need {
    uint32_t id;
    uint32_t limbs; /* the highest level that it is used at; for the public key limbs_max */
} eis_ckks_key_need;

/* Keys of one client, made by eis_ckks_key_set_generate (keygen.h). What is absent is zeroed. */
typedef struct eis_ckks_key_set {
    const eis_ckks_params *params;
    eis_ckks_public_key public_key;
    eis_ckks_switch_key relin;
    eis_ckks_galois_keys galois;
} eis_ckks_key_set;

/* Checks a list of needs.
 * Shape:   need[count].
 * Errors:  EIS_ERR_RANGE  too many; ids that do not rise strictly, or are even and not 0, or not below 2N; a level that
 *                         is 0 or above limbs_max, or for the public key not limbs_max.
 *          EIS_ERR_UNSUPPORTED  a switching key on a chain without special prime. */
EIS_MUST_USE eis_status eis_ckks_key_needs_check(const eis_ckks_params *params, const eis_ckks_key_need *need,
                                                 size_t count);

/* Frees. Safe on a zeroed set. */
void eis_ckks_key_set_clear(eis_ckks_key_set *set);

/* Returns the bytes of the object, and those that its keys take in memory. Range: a list that passes the check. */
size_t eis_ckks_key_set_bytes(const eis_ckks_params *params, const eis_ckks_key_need *need, size_t count, bool seeded);
size_t eis_ckks_key_set_memory(const eis_ckks_params *params, const eis_ckks_key_need *need, size_t count);

/* Appends the object; keys whose rows all have a seed of one generator are written seeded where `seeded` is set.
 * Errors: sticky in w. */
void eis_ckks_key_set_write(eis_writer *w, const eis_ckks_key_set *set, bool seeded);

/* Reads an object whole and keeps the keys that are needed, each cut to the level that is needed; others are checked
 * and skipped, never stored.
 *
 * Shape:   data[bytes]; need[count].
 * Range:   a list that passes eis_ckks_key_needs_check (asserted).
 * Cost:    allocates what eis_ckks_key_set_memory says and one row, whatever the input claims.
 * Errors:  EIS_ERR_CIPHERTEXT         malformed: magic, version, reserved bytes, length, order or range of ids, a level
 *                                     or a generator that there is not, words not below their primes, a row whose
 *                                     second half is zero in a limb, bytes left over.
 *          EIS_ERR_CONTEXT_MISMATCH   made under other parameters.
 *          EIS_ERR_KEYS_INSUFFICIENT  a key that is needed is absent, or cut to a lower level.
 *          EIS_ERR_MEMORY, EIS_ERR_INTERNAL  *set is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_key_set_read(eis_ckks_key_set *set, const eis_ckks_params *params,
                                              const eis_ckks_key_need *need, size_t count, const void *data,
                                              size_t bytes);

#endif
