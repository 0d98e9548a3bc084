/* SPDX-License-Identifier: MIT */
/*
 * One worker's place in the talk with a driver program: at most one operation at a time, from the
 * line that asks for it to the "end" that answers it. The worker's thread begins and waits; the
 * program's reader thread brings the records.
 *
 *   FREE ─▶ SENT ─▶ BEGUN ─▶ ENDED ─▶ FREE
 *             │        │
 *             ├────────┴─▶ LOST       given up by the watchdog; the program still owes the end, and
 *             │        │               nothing else is sent for this worker before it has come
 *             └────────┴─▶ ABANDONED  given up by us, at the end of the run
 */
#ifndef DRIVER_SLOT_H
#define DRIVER_SLOT_H

#include <pthread.h>

#include "driver/findings.h"
#include "driver/wire.h"

enum slot_state {
    SLOT_FREE,
    SLOT_SENT,
    SLOT_BEGUN,
    SLOT_ENDED,
    SLOT_LOST,
    SLOT_ABANDONED,
    SLOT_STATE_COUNT,
};

#define SLOT_LINE_SIZE 160 /* of an answer, as findings quote it */

struct slot {
    struct findings *findings;
    unsigned worker;
    unsigned workers; /* all ids of a worker are the same modulo this */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    enum slot_state state;
    bool cancelled; /* the run is over */
    bool dead;      /* the program is */
    uint64_t id;    /* of the operation in progress, or of the last one */
    enum op op;
    ns_t sent_ns;
    bool begun;
    ns_t begin_at_ns, end_at_ns; /* on the program's clock */
    json_t *answer;
    char line[SLOT_LINE_SIZE];
};

/* What became of an operation, unless there is an answer. */
struct slot_fate {
    enum outcome outcome;
    bool unsent;
    ns_t inside_ns; /* from begin to end on the program's clock; -1 when it did not say */
    char line[SLOT_LINE_SIZE];
};

void slot_init(struct slot *slot, unsigned worker, unsigned workers, struct findings *findings);
void slot_deinit(struct slot *slot);

/* Takes a number for the next operation; waits for an end that the program owes. 0 when it cannot
 * begin, and then `fate` says why. */
uint64_t slot_begin(struct slot *slot, enum op op, ns_t deadline, struct slot_fate *fate);

/* Waits for the end of what was begun; the caller owns the answer. NULL when there is none. */
json_t *slot_wait(struct slot *slot, ns_t watchdog, struct slot_fate *fate);

/* From the reader thread. An answer that somebody waits for is taken out of the record: its reference
 * count must not be shared by two threads. */
void slot_record(struct slot *slot, struct wire_record *record, const char *line);

/* Ends what is in progress, and whatever still begins. */
void slot_cancel(struct slot *slot);
void slot_die(struct slot *slot);

#endif
