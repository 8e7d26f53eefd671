/* SPDX-License-Identifier: Apache-2.0 */
/* The mask store: one table whose rows leave in a committed transaction before anybody sees what was in them.
 *
 *   mask(idx, kind, sealed)     idx rises and is never given out twice; kind is what the mask belongs to, spelled out;
 *                               sealed = AES-256-GCM(body), bound to idx and kind
 *   counter(next)               the next idx, kept apart so that it rises over deleted rows as well
 *
 * A row that is copied under another idx or kind does not open. A row that comes back (the file was replaced under us)
 * has an idx below the last one taken of its kind and is passed over. An older copy of the whole store opens under no
 * key, since each opening draws a new one. */
#include "store/masks.h"

#include "base/mem.h"
#include "store/db.h"
#include "store/seal.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define KIND_BYTES_MAX ((size_t)64 + (size_t)2 * EIS_MASK_SERVERS_MAX * EIS_MASK_PIN_BYTES)

/* The highest idx that was taken of one kind. */
typedef struct watermark {
    uint8_t *kind; /* [kind_bytes] */
    size_t kind_bytes;
    sqlite3_int64 idx;
} watermark;

struct eis_mask_store {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *add, *oldest, *burn, *count, *next, *set_next;
    eis_seal *seal;   /* in memory that no core dump holds */
    watermark *marks; /* [mark_count] */
    size_t mark_count, mark_capacity;
    int lock_file; /* -1 for a store in memory */
    pid_t owner;
};

/* ---- What a mask belongs to, as bytes ---- */

static bool pins_differ(const eis_mask_kind *kind)
{
    const eis_mask_pin *all[2 * EIS_MASK_SERVERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < kind->seed_pin_count; i++) all[count++] = &kind->seed_pins[i];
    for (size_t i = 0; i < kind->use_pin_count; i++) all[count++] = &kind->use_pins[i];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (memcmp(all[i], all[j], sizeof *all[i]) == 0) return false;
    return true;
}

static eis_status check_kind(const eis_mask_kind *kind)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(kind->seed_pin_count > 0 && kind->seed_pin_count <= EIS_MASK_SERVERS_MAX && kind->use_pin_count > 0 &&
                    kind->use_pin_count <= EIS_MASK_SERVERS_MAX,
                EIS_ERR_USAGE, "a mask names 1 to %d servers that saw its seeds and 1 to %d that it is for",
                EIS_MASK_SERVERS_MAX, EIS_MASK_SERVERS_MAX);
    EIS_REQUIRE(pins_differ(kind), EIS_ERR_USAGE,
                "a server stands twice among those of a mask: it could undo the mask");
out:
    return st;
}

static void write_pins(eis_writer *w, const eis_mask_pin *pins, size_t count)
{
    eis_wire_writer_u16(w, (uint16_t)count);
    for (size_t i = 0; i < count; i++) eis_wire_writer_bytes(w, pins[i].bytes, sizeof pins[i].bytes);
}

/* Spells a kind out: fixed fields, then both lists with their lengths, so that no two kinds share a spelling. */
static eis_status spell_kind(eis_writer *w, const eis_mask_kind *kind)
{
    eis_status st = EIS_OK;

    EIS_TRY(check_kind(kind));
    eis_wire_writer_init(w, KIND_BYTES_MAX);
    eis_wire_writer_u8(w, 1); /* of this spelling */
    eis_wire_writer_bytes(w, kind->pack_digest, sizeof kind->pack_digest);
    eis_wire_writer_u32(w, kind->layer);
    eis_wire_writer_u8(w, kind->profile);
    eis_wire_writer_u8(w, kind->ring_bits);
    eis_wire_writer_u8(w, kind->suite);
    write_pins(w, kind->seed_pins, kind->seed_pin_count);
    write_pins(w, kind->use_pins, kind->use_pin_count);
    EIS_TRY(eis_wire_writer_status(w));
out:
    return st;
}

/* What a sealed row is bound to: idx, then its kind. */
static eis_status spell_bound(eis_writer *w, sqlite3_int64 idx, const void *kind, size_t kind_bytes)
{
    eis_wire_writer_rewind(w);
    eis_wire_writer_u64(w, (uint64_t)idx);
    eis_wire_writer_bytes(w, kind, kind_bytes);
    return eis_wire_writer_status(w);
}

static eis_span span_of(const eis_writer *w) { return (eis_span){w->data, w->bytes}; }

/* ---- Opening ---- */

static const char *const schema = "CREATE TABLE IF NOT EXISTS mask("
                                  "  idx INTEGER PRIMARY KEY, kind BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;"
                                  "CREATE INDEX IF NOT EXISTS mask_kind ON mask(kind, idx);"
                                  "CREATE TABLE IF NOT EXISTS counter("
                                  "  one INTEGER PRIMARY KEY CHECK(one = 1), next INTEGER NOT NULL) STRICT;"
                                  "INSERT OR IGNORE INTO counter VALUES(1, 1);";

/* Holds path.lock for the life of the store. SQLite's own lock would do for the rows; this one covers the key too. */
static eis_status lock_path(int *lock_file, const char *path)
{
    char name[PATH_BYTES_MAX];
    eis_status st = EIS_OK;
    int file = -1;

    EIS_REQUIRE(strlen(path) + 6 < sizeof name, EIS_ERR_STORE, "the path of the store is too long");
    snprintf(name, sizeof name, "%s.lock", path);
    file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    EIS_REQUIRE(file >= 0, EIS_ERR_STORE, "%s: %s", name, strerror(errno));
    EIS_REQUIRE(flock(file, LOCK_EX | LOCK_NB) == 0, EIS_ERR_STORE,
                "%s: another process has this store of masks; give this one a store of its own", path);
    *lock_file = file;
    file = -1;
out:
    if (file >= 0) close(file);
    return st;
}

static eis_status prepare_statements(eis_mask_store *s)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_store_db_prepare(s->db, &s->add, "INSERT INTO mask VALUES(?1, ?2, ?3)"));
    EIS_TRY(eis_store_db_prepare(s->db, &s->oldest,
                                 "SELECT idx, sealed FROM mask WHERE kind = ?1 AND idx > ?2 ORDER BY idx LIMIT 1"));
    EIS_TRY(eis_store_db_prepare(s->db, &s->burn, "DELETE FROM mask WHERE kind = ?1 AND idx <= ?2"));
    EIS_TRY(eis_store_db_prepare(s->db, &s->count, "SELECT count(*) FROM mask WHERE kind = ?1 AND idx > ?2"));
    EIS_TRY(eis_store_db_prepare(s->db, &s->next, "SELECT next FROM counter WHERE one = 1"));
    EIS_TRY(eis_store_db_prepare(s->db, &s->set_next, "UPDATE counter SET next = ?1 WHERE one = 1"));
out:
    return st;
}

/* Opens one row under the old key and seals it under the new one. *again is left empty where it does not open. */
static eis_status reseal_row(eis_mask_store *s, eis_writer *again, const eis_seal *old, sqlite3_stmt *row)
{
    eis_writer bound = {.bytes_max = KIND_BYTES_MAX + 8};
    const uint8_t *sealed = sqlite3_column_blob(row, 2);
    size_t bytes = (size_t)sqlite3_column_bytes(row, 2), body_bytes;
    uint8_t *body = NULL, *place;
    eis_status st = EIS_OK;

    if (bytes < EIS_SEAL_EXTRA_BYTES || bytes > EIS_MASK_BODY_BYTES_MAX + EIS_SEAL_EXTRA_BYTES) return EIS_OK;
    body_bytes = bytes - EIS_SEAL_EXTRA_BYTES;
    body = eis_mem_new_secret(body_bytes, 1);
    if (body == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(spell_bound(&bound, sqlite3_column_int64(row, 0), sqlite3_column_blob(row, 1),
                        (size_t)sqlite3_column_bytes(row, 1)));
    if (eis_store_seal_open(old, body, sealed, bytes, span_of(&bound)) != EIS_OK) goto out;
    place = eis_wire_writer_reserve(again, bytes);
    if (place == NULL) {
        st = eis_wire_writer_status(again);
        goto out;
    }
    EIS_TRY(eis_store_seal_close(s->seal, place, body, body_bytes, span_of(&bound)));
out:
    eis_mem_free_wiped(body, body_bytes, 1);
    eis_wire_writer_clear(&bound);
    return st;
}

static eis_status write_resealed(eis_mask_store *s, sqlite3_stmt *update, sqlite3_int64 idx, const eis_writer *sealed)
{
    (void)sqlite3_bind_int64(update, 1, idx);
    (void)sqlite3_bind_blob64(update, 2, sealed->data, sealed->bytes, SQLITE_STATIC);
    return eis_store_db_run(s->db, update);
}

/* Goes through all rows once. Rows are updated behind the reading cursor in idx order; those that do not open get no
 * new form and are deleted at the end, by their mark of length zero. */
static eis_status reseal_rows(eis_mask_store *s, const eis_seal *old)
{
    eis_writer sealed = {.bytes_max = EIS_MASK_BODY_BYTES_MAX + EIS_SEAL_EXTRA_BYTES};
    sqlite3_stmt *read = NULL, *update = NULL;
    sqlite3_int64 idx = 0;
    eis_status st = EIS_OK;
    int row;

    EIS_TRY(
        eis_store_db_prepare(s->db, &read, "SELECT idx, kind, sealed FROM mask WHERE idx > ?1 ORDER BY idx LIMIT 1"));
    EIS_TRY(eis_store_db_prepare(s->db, &update, "UPDATE mask SET sealed = coalesce(?2, x'') WHERE idx = ?1"));
    for (;;) {
        (void)sqlite3_bind_int64(read, 1, idx);
        EIS_TRY(eis_store_db_step(s->db, read, &row));
        if (!row) break;
        idx = sqlite3_column_int64(read, 0);
        eis_wire_writer_rewind(&sealed);
        EIS_TRY(reseal_row(s, &sealed, old, read));
        (void)sqlite3_reset(read);
        EIS_TRY(write_resealed(s, update, idx, &sealed));
    }
    EIS_TRY(eis_store_db_exec(s->db, "DELETE FROM mask WHERE length(sealed) = 0"));
out:
    sqlite3_finalize(read);
    sqlite3_finalize(update);
    eis_wire_writer_clear(&sealed);
    return st;
}

/* Gives every row that opens under the stored key a fresh one, and deletes the others. Rows first, key second: a crash
 * in between leaves rows that open under no key. */
static eis_status change_key(eis_mask_store *s, const char *key_path)
{
    eis_seal *old = eis_mem_new_secret(1, sizeof *old);
    bool found = false;
    eis_status st = EIS_OK;

    if (old == NULL) return EIS_ERR_MEMORY;
    if (key_path != NULL) EIS_TRY(eis_store_key_file_read(old->key, &found, key_path));
    EIS_TRY(eis_store_db_begin(s->db));
    st = found ? reseal_rows(s, old) : eis_store_db_exec(s->db, "DELETE FROM mask");
    EIS_TRY(eis_store_db_end(s->db, st));
    if (key_path != NULL) EIS_TRY(eis_store_key_file_replace(s->seal->key, key_path));
    eis_error_clear();
out:
    eis_mem_free_wiped(old, 1, sizeof *old);
    return st;
}

eis_status eis_store_masks_open(eis_mask_store **store, const char *path, const char *key_path)
{
    eis_mask_store *s = NULL;
    eis_status st = EIS_OK;

    EIS_NEW(s, 1);
    s->lock_file = -1;
    s->owner = getpid();
    (void)pthread_mutex_init(&s->lock, NULL);
    s->seal = eis_mem_new_secret(1, sizeof *s->seal);
    if (s->seal == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(eis_store_seal_fresh(s->seal));
    if (path != NULL) EIS_TRY(lock_path(&s->lock_file, path));
    EIS_TRY(eis_store_db_open(&s->db, path != NULL ? path : ":memory:"));
    EIS_TRY(eis_store_db_exec(s->db, schema));
    EIS_TRY(change_key(s, path != NULL ? key_path : NULL));
    EIS_TRY(prepare_statements(s));
    *store = s;
    s = NULL;
out:
    eis_store_masks_close(s);
    return st;
}

void eis_store_masks_close(eis_mask_store *s)
{
    if (s == NULL) return;
    if (s->seal != NULL) eis_mem_wipe(s->seal, sizeof *s->seal);
    /* A forked child must not touch SQLite's handle or the parent's lock: closing its copy of the descriptor is all. */
    if (s->owner == getpid()) {
        sqlite3_stmt *const all[] = {s->add, s->oldest, s->burn, s->count, s->next, s->set_next};

        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) sqlite3_finalize(all[i]);
        eis_store_db_close(s->db);
        (void)pthread_mutex_destroy(&s->lock);
    }
    if (s->lock_file >= 0) close(s->lock_file);
    eis_mem_free_wiped(s->seal, 1, sizeof *s->seal);
    for (size_t i = 0; i < s->mark_count; i++) eis_mem_free(s->marks[i].kind);
    eis_mem_free(s->marks);
    eis_mem_free(s);
}

/* ---- Watermarks ---- */

static watermark *mark_of(eis_mask_store *s, eis_span kind)
{
    for (size_t i = 0; i < s->mark_count; i++)
        if (s->marks[i].kind_bytes == kind.bytes && memcmp(s->marks[i].kind, kind.data, kind.bytes) == 0)
            return &s->marks[i];
    return NULL;
}

/* Finds the watermark of a kind, or makes one at 0. Done before a row is burnt, so that memory cannot run out after. */
static eis_status need_mark(eis_mask_store *s, watermark **mark, eis_span kind)
{
    uint8_t *copy;

    *mark = mark_of(s, kind);
    if (*mark != NULL) return EIS_OK;
    if (s->mark_count == s->mark_capacity) {
        size_t capacity = s->mark_capacity ? 2 * s->mark_capacity : 64;

        if (eis_mem_resize(&s->marks, s->mark_capacity, capacity, sizeof *s->marks) != EIS_OK) return EIS_ERR_MEMORY;
        s->mark_capacity = capacity;
    }
    copy = eis_mem_new(kind.bytes, 1);
    if (copy == NULL) return EIS_ERR_MEMORY;
    memcpy(copy, kind.data, kind.bytes);
    *mark = &s->marks[s->mark_count++];
    **mark = (watermark){copy, kind.bytes, 0};
    return EIS_OK;
}

/* ---- Putting, taking, counting ---- */

static eis_status check_owner(const eis_mask_store *s)
{
    return s->owner == getpid() ? EIS_OK
                                : eis_fail(EIS_ERR_STORE, "a forked process opens a store of masks of its own");
}

static eis_status insert(eis_mask_store *s, sqlite3_int64 idx, eis_span kind, eis_span body)
{
    eis_writer bound = {.bytes_max = KIND_BYTES_MAX + 8};
    uint8_t *sealed = eis_mem_new(body.bytes + EIS_SEAL_EXTRA_BYTES, 1);
    eis_status st = EIS_OK;

    if (sealed == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(spell_bound(&bound, idx, kind.data, kind.bytes));
    EIS_TRY(eis_store_seal_close(s->seal, sealed, body.data, body.bytes, span_of(&bound)));
    (void)sqlite3_bind_int64(s->add, 1, idx);
    (void)sqlite3_bind_blob64(s->add, 2, kind.data, kind.bytes, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(s->add, 3, sealed, body.bytes + EIS_SEAL_EXTRA_BYTES, SQLITE_STATIC);
    EIS_TRY(eis_store_db_run(s->db, s->add));
out:
    eis_mem_free(sealed);
    eis_wire_writer_clear(&bound);
    return st;
}

static eis_status insert_all(eis_mask_store *s, eis_span kind, const eis_span *bodies, size_t count)
{
    sqlite3_int64 idx;
    eis_status st = EIS_OK;
    int row;

    EIS_TRY(eis_store_db_step(s->db, s->next, &row));
    EIS_REQUIRE(row, EIS_ERR_STORE, "the store has lost its counter; remove the file");
    idx = sqlite3_column_int64(s->next, 0);
    (void)sqlite3_reset(s->next);
    EIS_REQUIRE(idx > 0 && idx < INT64_MAX - (sqlite3_int64)count, EIS_ERR_STORE, "the store's counter is damaged");
    for (size_t i = 0; i < count; i++) EIS_TRY(insert(s, idx + (sqlite3_int64)i, kind, bodies[i]));
    (void)sqlite3_bind_int64(s->set_next, 1, idx + (sqlite3_int64)count);
    EIS_TRY(eis_store_db_run(s->db, s->set_next));
out:
    (void)sqlite3_reset(s->next);
    return st;
}

eis_status eis_store_masks_put(eis_mask_store *s, const eis_mask_kind *kind, const eis_span *bodies, size_t count)
{
    eis_writer spelled = {0};
    eis_status st = EIS_OK;

    EIS_TRY(check_owner(s));
    EIS_TRY(spell_kind(&spelled, kind));
    EIS_REQUIRE(count < (size_t)1 << 32, EIS_ERR_USAGE, "too many masks at once");
    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(bodies[i].bytes <= EIS_MASK_BODY_BYTES_MAX, EIS_ERR_USAGE, "a mask of %zu bytes", bodies[i].bytes);
    pthread_mutex_lock(&s->lock);
    st = eis_store_db_begin(s->db);
    if (st == EIS_OK) st = eis_store_db_end(s->db, insert_all(s, span_of(&spelled), bodies, count));
    pthread_mutex_unlock(&s->lock);
out:
    eis_wire_writer_clear(&spelled);
    return st;
}

/* Copies the sealed form of the oldest row above the watermark and deletes it and all below, inside a transaction. */
static eis_status lift_row(eis_mask_store *s, eis_writer *sealed, sqlite3_int64 *idx, eis_span kind,
                           sqlite3_int64 above)
{
    eis_status st = EIS_OK;
    int row;

    (void)sqlite3_bind_blob64(s->oldest, 1, kind.data, kind.bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s->oldest, 2, above);
    EIS_TRY(eis_store_db_step(s->db, s->oldest, &row));
    EIS_REQUIRE(row, EIS_ERR_MASKS_EXHAUSTED, "no mask is left for this layer and these servers");
    *idx = sqlite3_column_int64(s->oldest, 0);
    eis_wire_writer_bytes(sealed, sqlite3_column_blob(s->oldest, 1), (size_t)sqlite3_column_bytes(s->oldest, 1));
    EIS_TRY(eis_wire_writer_status(sealed));
    (void)sqlite3_reset(s->oldest);
    (void)sqlite3_bind_blob64(s->burn, 1, kind.data, kind.bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s->burn, 2, *idx);
    EIS_TRY(eis_store_db_run(s->db, s->burn));
    EIS_REQUIRE(sqlite3_changes(s->db) >= 1, EIS_ERR_STORE, "a mask could not be burnt");
out:
    (void)sqlite3_reset(s->oldest);
    (void)sqlite3_clear_bindings(s->oldest);
    return st;
}

/* Burns a row: when this returns EIS_OK, the transaction is on the disk and the watermark stands above it. */
static eis_status burn_oldest(eis_mask_store *s, eis_writer *sealed, sqlite3_int64 *idx, eis_span kind)
{
    watermark *mark = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(need_mark(s, &mark, kind));
    EIS_TRY(eis_store_db_begin(s->db));
    EIS_TRY(eis_store_db_end(s->db, lift_row(s, sealed, idx, kind, mark->idx)));
    mark->idx = *idx;
out:
    return st;
}

eis_status eis_store_masks_take(eis_mask_store *s, void *out, size_t out_bytes, const eis_mask_kind *kind)
{
    eis_writer spelled = {0}, bound = {.bytes_max = KIND_BYTES_MAX + 8};
    eis_writer sealed = {.bytes_max = EIS_MASK_BODY_BYTES_MAX + EIS_SEAL_EXTRA_BYTES};
    sqlite3_int64 idx = 0;
    eis_status st = EIS_OK;

    EIS_TRY(check_owner(s));
    EIS_TRY(spell_kind(&spelled, kind));
    pthread_mutex_lock(&s->lock);
    st = burn_oldest(s, &sealed, &idx, span_of(&spelled));
    pthread_mutex_unlock(&s->lock);
    if (st != EIS_OK) goto out;
    EIS_TRY(spell_bound(&bound, idx, spelled.data, spelled.bytes));
    EIS_REQUIRE(sealed.bytes == out_bytes + EIS_SEAL_EXTRA_BYTES, EIS_ERR_STORE,
                "a mask has another length than this layer's; it is burnt");
    EIS_TRY(eis_store_seal_open(s->seal, out, sealed.data, sealed.bytes, span_of(&bound)));
out:
    if (st != EIS_OK) eis_mem_wipe(out, out_bytes);
    eis_wire_writer_clear(&spelled);
    eis_wire_writer_clear(&bound);
    eis_wire_writer_clear(&sealed);
    return st;
}

eis_status eis_store_masks_count(eis_mask_store *s, size_t *count, const eis_mask_kind *kind)
{
    eis_writer spelled = {0};
    const watermark *mark;
    eis_status st = EIS_OK;
    int row;

    EIS_TRY(check_owner(s));
    EIS_TRY(spell_kind(&spelled, kind));
    pthread_mutex_lock(&s->lock);
    mark = mark_of(s, span_of(&spelled));
    (void)sqlite3_bind_blob64(s->count, 1, spelled.data, spelled.bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s->count, 2, mark != NULL ? mark->idx : 0);
    st = eis_store_db_step(s->db, s->count, &row);
    if (st == EIS_OK) *count = (size_t)sqlite3_column_int64(s->count, 0);
    (void)sqlite3_reset(s->count);
    (void)sqlite3_clear_bindings(s->count);
    pthread_mutex_unlock(&s->lock);
out:
    eis_wire_writer_clear(&spelled);
    return st;
}
