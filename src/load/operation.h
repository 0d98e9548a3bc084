/* SPDX-License-Identifier: MIT */
/* What all calls of a session have in common: times, judging a value, recording. */
#ifndef LOAD_OPERATION_H
#define LOAD_OPERATION_H

#include "load/session.h"

#define WHY_SIZE 200

/* What is known of the operation in hand. */
struct operation {
    enum op op;
    unsigned phase;
    ns_t intended_ns;
    ns_t start_ns;
    ns_t deadline_ns;
    struct op_record record; /* only with a sink */
};

/* The key may be the first of several. */
struct operation operation_begin(struct session *s, enum op op, const char *key, size_t key_size);
/* What only the answer tells, for the flight recorder and the log; before the end. */
void operation_note(struct operation *o, size_t bytes, size_t items, uint32_t connection);
/* The client has answered. */
void operation_answered(struct session *s);
/* One outcome; several for an operation on several nodes. */
void operation_record(struct session *s, const struct operation *o, ns_t end_ns,
                      enum outcome outcome, uint32_t node);
/* Both. */
enum outcome operation_end(struct session *s, const struct operation *o, ns_t end_ns,
                           enum outcome outcome, uint32_t node);

struct oracle_read read_begin(struct session *s, const struct key *key);
/* The outcome of a hit. */
enum outcome read_judge(struct session *s, const struct key *key, const struct oracle_read *read,
                        const struct operation *o, const void *value, size_t size, uint32_t node);

/* Writes a value of the next size into `buffer`; returns its version. */
uint64_t write_begin(struct session *s, const struct key *key, char *buffer, size_t size);
void write_end(struct session *s, const struct key *key, uint64_t version,
               const struct operation *o, ns_t end_ns, enum outcome outcome, bool unsent);

#endif
