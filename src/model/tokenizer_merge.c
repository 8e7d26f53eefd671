/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols are a linked list in an array, the possible merges a heap ordered by cost, then by place.
 *
 *   ids    T  h  e  _  c  a  t          a merge at place 1 takes in place 2, which dies:
 *          0  1  2  3  4  5  6          0  1 (2) 3  4  5  6      next[1] = 3, previous[3] = 1
 *
 * An entry of the heap remembers the two ids that it was made for. When one of them has changed since, it is stale
 * and dropped; the pairs on both sides of each merge are pushed anew. Places keep their order for ever, so "leftmost
 * first" is "lowest place first". */
#include "model/tokenizer_merge.h"

#include "base/mem.h"

#define COUNT_MAX ((size_t)1 << 30)
#define NOWHERE   UINT32_MAX

typedef struct symbol {
    uint32_t id, previous, next; /* places, or NOWHERE; a dead symbol has next = previous = itself */
} symbol;

typedef struct candidate {
    double cost;
    uint32_t place, left, right, joined;
} candidate;

typedef struct merge_work {
    symbol *symbols; /* [count] */
    candidate *heap; /* [heap_capacity]: at most one per pair at the start and two per merge */
    size_t count, heap_count, heap_capacity;
    const eis_merge_rules *rules;
} merge_work;

static bool before(const candidate *a, const candidate *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->place < b->place);
}

static void heap_push(merge_work *work, candidate entry)
{
    size_t at = work->heap_count++;

    EIS_ASSERT(at < work->heap_capacity);
    while (at > 0 && before(&entry, &work->heap[(at - 1) / 2])) {
        work->heap[at] = work->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    work->heap[at] = entry;
}

static candidate heap_pop(merge_work *work)
{
    candidate top = work->heap[0], last = work->heap[--work->heap_count];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < work->heap_count) {
        if (child + 1 < work->heap_count && before(&work->heap[child + 1], &work->heap[child])) child++;
        if (!before(&work->heap[child], &last)) break;
        work->heap[at] = work->heap[child];
        at = child;
    }
    if (work->heap_count > 0) work->heap[at] = last;
    return top;
}

/* Queues the merge of the symbol at this place with the one after it, if there is such a merge. */
static void consider(merge_work *work, uint32_t place)
{
    candidate entry = {.place = place};
    uint32_t next = work->symbols[place].next;

    if (next == NOWHERE) return;
    entry.left = work->symbols[place].id;
    entry.right = work->symbols[next].id;
    if (work->rules->find(work->rules->ctx, entry.left, entry.right, &entry.joined, &entry.cost))
        heap_push(work, entry);
}

static bool is_stale(const merge_work *work, const candidate *entry)
{
    const symbol *s = &work->symbols[entry->place];

    if (s->next == entry->place || s->next == NOWHERE) return true;
    return s->id != entry->left || work->symbols[s->next].id != entry->right;
}

static void merge_at(merge_work *work, const candidate *entry)
{
    symbol *s = &work->symbols[entry->place];
    uint32_t dead = s->next, after = work->symbols[dead].next;

    s->id = entry->joined;
    s->next = after;
    if (after != NOWHERE) work->symbols[after].previous = entry->place;
    work->symbols[dead].next = work->symbols[dead].previous = dead;
    consider(work, entry->place);
    if (s->previous != NOWHERE) consider(work, s->previous);
}

static void start(merge_work *work, const uint32_t *ids)
{
    for (size_t i = 0; i < work->count; i++) {
        uint32_t place = (uint32_t)i;
        work->symbols[i] = (symbol){
            .id = ids[i], .previous = i == 0 ? NOWHERE : place - 1, .next = i + 1 == work->count ? NOWHERE : place + 1};
    }
    for (size_t i = 0; i < work->count; i++) consider(work, (uint32_t)i);
}

static size_t collect(const merge_work *work, uint32_t *ids)
{
    size_t kept = 0;

    for (uint32_t at = 0; at != NOWHERE; at = work->symbols[at].next) ids[kept++] = work->symbols[at].id;
    return kept;
}

eis_status eis_merge_run(uint32_t *ids, size_t *count, const eis_merge_rules *rules)
{
    eis_status st = EIS_OK;
    merge_work work = {.count = *count, .rules = rules};

    if (*count < 2) return EIS_OK;
    EIS_REQUIRE(*count <= COUNT_MAX, EIS_ERR_LIMIT, "a text of more than 2^30 symbols");
    EIS_NEW(work.symbols, work.count);
    EIS_NEW(work.heap, 3 * work.count);
    work.heap_capacity = 3 * work.count;
    start(&work, ids);
    while (work.heap_count > 0) {
        candidate entry = heap_pop(&work);
        if (!is_stale(&work, &entry)) merge_at(&work, &entry);
    }
    *count = collect(&work, ids);
out:
    eis_mem_free_wiped(work.symbols, work.count, sizeof *work.symbols);
    eis_mem_free_wiped(work.heap, work.heap_capacity, sizeof *work.heap);
    return st;
}
