/* SPDX-License-Identifier: Apache-2.0 */
/* The store of offline masks. A mask is a seed r that some servers saw and the product W r that they sent back; online
 * x - r goes to another server. Used twice it gives away the difference of two inputs; sent to a server that saw the
 * seed it gives away the input. So a row is used once, and with exactly the servers, weights and ring it was made for.
 *
 * A body (seed and product) is opaque here. It is sealed with AES-256-GCM under a key in memory; what it belongs to is
 * authenticated with it. */
#ifndef EIS_STORE_MASKS_H
#define EIS_STORE_MASKS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_MASK_PIN_BYTES      32
#define EIS_MASK_SERVERS_MAX    64
#define EIS_MASK_BODY_BYTES_MAX ((size_t)64 << 20)

typedef struct eis_mask_store eis_mask_store;

/* SHA-256 of a server's public key. */
typedef struct eis_mask_pin {
    uint8_t bytes[EIS_MASK_PIN_BYTES];
} eis_mask_pin;

/* What a mask belongs to. Two masks are of one kind where every field is equal, the pins in order. */
typedef struct eis_mask_kind {
    uint8_t pack_digest[32];
    uint32_t layer;
    uint8_t profile; /* as on the wire */
    uint8_t ring_bits;
    uint8_t suite;                 /* that expands the seeds */
    const eis_mask_pin *seed_pins; /* [seed_pin_count] the servers that saw the seeds */
    size_t seed_pin_count;
    const eis_mask_pin *use_pins; /* [use_pin_count] the servers that the masked input is for */
    size_t use_pin_count;
} eis_mask_kind;

/* Opens a store.
 *
 * path == NULL      in memory: the masks die with the process. The default.
 * key_path == NULL  in a file under a key in memory: rows found there are deleted, since nothing opens them.
 * key_path          the key outlives the process in that file (mode 0600), which belongs outside of every backup. It is
 *                   replaced at each opening: rows are sealed anew under a fresh key and the old key is deleted, so
 *                   that an older copy of the store opens under no key; rows that do not open are deleted.
 * A store in a file is locked (path.lock) until it is closed.
 * Errors: EIS_ERR_STORE    another process has it, the file is damaged, a network file system.
 *         EIS_ERR_FILE     the key file; others may read it.
 *         EIS_ERR_MEMORY, EIS_ERR_ENTROPY; *store is untouched. */
EIS_MUST_USE eis_status eis_store_masks_open(eis_mask_store **store, const char *path, const char *key_path);

/* Closes a store and wipes its key. NULL is allowed. In a forked child it only forgets what the child cannot use. */
void eis_store_masks_close(eis_mask_store *store);

/* Adds masks of one kind, all or none. bodies[count], each of at most EIS_MASK_BODY_BYTES_MAX bytes.
 *
 * Errors: EIS_ERR_USAGE  a server stands twice among seed_pins and use_pins, or one of the lists is empty or too long.
 *         EIS_ERR_STORE  the disk, or a forked child (it opens a store of its own). */
EIS_MUST_USE eis_status eis_store_masks_put(eis_mask_store *store, const eis_mask_kind *kind, const eis_span *bodies,
                                            size_t count);

/* Takes the oldest mask of exactly this kind and burns it: when this returns, the row is off the disk for good. Rows of
 * a kind leave in rising order only.
 *
 * Shape:  out[out_bytes], the length of the body as it was put.
 * Errors: EIS_ERR_MASKS_EXHAUSTED  none is left.
 *         EIS_ERR_STORE            the disk; another length; a row that does not open; a forked child. The row is gone
 *                                  or was never taken: the caller goes on with another mask or fresh shares.
 *         out is wiped. */
EIS_MUST_USE eis_status eis_store_masks_take(eis_mask_store *store, void *out, size_t out_bytes,
                                             const eis_mask_kind *kind);

/* Counts the masks of exactly this kind. Errors: EIS_ERR_STORE; *count is untouched. */
EIS_MUST_USE eis_status eis_store_masks_count(eis_mask_store *store, size_t *count, const eis_mask_kind *kind);

#endif
