/* SPDX-License-Identifier: MIT */
/*
 * A slot is a sequence lock: its number is odd while somebody writes, and a reader takes only what
 * had the same even number before and after. A writer that finds it odd, which takes a ring that
 * was gone through within the copy of one record, leaves its record out.
 */
#include "metrics/flight.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    atomic_uint sequence; /* 0: never written */
    _Atomic uint64_t words[OP_RECORD_WORDS];
};

struct ring {
    atomic_uint_least64_t next;
    size_t length;
    struct slot *slots;
};

struct flight {
    unsigned workers;
    struct slot *now; /* by worker */
    struct ring *by_worker;
    struct ring by_connection[FLIGHT_CONNECTIONS];
    struct slot *slots; /* of all rings */
    size_t slot_count;
};

static size_t ring_length(unsigned workers, unsigned ring)
{
    size_t most = FLIGHT_BYTES_MAX / sizeof(struct slot) / workers;
    size_t length = ring < most ? ring : most;
    return length > 0 ? length : 1;
}

static void rings_share_slots(struct flight *f, size_t length)
{
    struct slot *next = f->slots;
    for (unsigned i = 0; i < f->workers; i++, next += length)
        f->by_worker[i] = (struct ring){.length = length, .slots = next};
    for (unsigned i = 0; i < FLIGHT_CONNECTIONS; i++, next += FLIGHT_CONNECTION_RING)
        f->by_connection[i] = (struct ring){.length = FLIGHT_CONNECTION_RING, .slots = next};
}

struct flight *flight_new(unsigned workers, unsigned ring, struct err *err)
{
    struct flight *f = calloc(1, sizeof *f);
    size_t length = ring_length(workers, ring);
    if (f != NULL) {
        f->workers = workers;
        f->slot_count = workers * length + (size_t)FLIGHT_CONNECTIONS * FLIGHT_CONNECTION_RING;
        f->now = calloc(workers, sizeof *f->now);
        f->by_worker = calloc(workers, sizeof *f->by_worker);
        f->slots = calloc(f->slot_count, sizeof *f->slots);
    }
    if (f == NULL || f->now == NULL || f->by_worker == NULL || f->slots == NULL) {
        err_set(err, "no memory for the flight recorder; use a smaller -flight-ring");
        flight_free(f);
        return NULL;
    }
    rings_share_slots(f, length);
    return f;
}

void flight_free(struct flight *f)
{
    if (f == NULL)
        return;
    free(f->now);
    free(f->by_worker);
    free(f->slots);
    free(f);
}

/* ---- slots ---- */

static void slot_write(struct slot *slot, const struct op_record *record)
{
    uint64_t words[OP_RECORD_WORDS];
    memcpy(words, record, sizeof words);
    unsigned sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    if (sequence % 2 != 0 ||
        !atomic_compare_exchange_strong_explicit(&slot->sequence, &sequence, sequence + 1,
                                                 memory_order_acquire, memory_order_relaxed))
        return;
    /* A reader that sees one of these words sees the odd number too. */
    for (size_t i = 0; i < OP_RECORD_WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    unsigned after = sequence + 2 != 0 ? sequence + 2 : 2;
    atomic_store_explicit(&slot->sequence, after, memory_order_release);
}

static bool slot_read(struct slot *slot, struct op_record *out)
{
    uint64_t words[OP_RECORD_WORDS];
    unsigned before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    if (before == 0 || before % 2 != 0)
        return false;
    for (size_t i = 0; i < OP_RECORD_WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) != before)
        return false;
    memcpy(out, words, sizeof words);
    return true;
}

static void ring_add(struct ring *ring, const struct op_record *record)
{
    uint64_t at = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed);
    slot_write(&ring->slots[at % ring->length], record);
}

/* ---- workers ---- */

void flight_begin(struct flight *f, const struct op_record *record)
{
    slot_write(&f->now[record->worker], record);
}

/* What is in `now` stays there: its end, in the ring, shows that it is over. */
void flight_end(struct flight *f, const struct op_record *record)
{
    ring_add(&f->by_worker[record->worker], record);
    if (record->connection != 0)
        ring_add(&f->by_connection[(record->connection * 31 + record->node) % FLIGHT_CONNECTIONS],
                 record);
}

/* ---- snapshot ---- */

/* By start and worker; of the same operation, the end comes before the beginning. */
static int compare(const void *a, const void *b)
{
    const struct op_record *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    if (x->duration_ns != y->duration_ns)
        return x->duration_ns > y->duration_ns ? -1 : 1;
    return memcmp(x, y, sizeof *x);
}

static bool is_known(const struct op_record *last, const struct op_record *r)
{
    if (r->duration_ns == OP_RECORD_IN_FLIGHT)
        return last->start_ns == r->start_ns && last->worker == r->worker;
    return memcmp(last, r, sizeof *r) == 0;
}

static size_t without_repeats(struct op_record *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !is_known(&list[kept - 1], &list[i]))
            list[kept++] = list[i];
    return kept;
}

struct op_record *flight_snapshot(struct flight *f, size_t *count)
{
    struct op_record *list = calloc(f->slot_count + f->workers, sizeof *list);
    size_t n = 0;
    if (list == NULL)
        return NULL;
    /* First what is in flight, so that what ends meanwhile is found as ended too. */
    for (unsigned i = 0; i < f->workers; i++)
        n += slot_read(&f->now[i], &list[n]);
    for (size_t i = 0; i < f->slot_count; i++)
        n += slot_read(&f->slots[i], &list[n]);
    qsort(list, n, sizeof *list, compare);
    *count = without_repeats(list, n);
    return list;
}
