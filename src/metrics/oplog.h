/* SPDX-License-Identifier: MIT */
/*
 * The log of all operations of a session, compressed with zstd. Workers put records into queues of
 * their own, without a lock, and never wait: when a queue is full the record is dropped and
 * counted. A thread of the log empties the queues and writes.
 *
 * The file is a sequence of zstd frames (any zstd reads it); the first one has header and text,
 * each of the others whole records of at most a second. A file that was cut off has lost the last
 * frame and nothing else. When writing fails the file is cut back to its last whole frame, what
 * comes later is dropped, and the session goes on.
 */
#ifndef METRICS_OPLOG_H
#define METRICS_OPLOG_H

#include "metrics/op_record.h"

/* Records of one worker that wait to be written: what an oplog can be behind. */
#define OPLOG_QUEUE 1024
/* Memory of all queues; with many workers they get shorter. */
#define OPLOG_BYTES_MAX ((size_t)64 << 20)
#define OPLOG_FRAME_BYTES ((size_t)256 << 10) /* before compression */
#define OPLOG_FRAME_NS NS_PER_SEC

struct oplog;

/* Creates the file, or empties it. `text`, lines of "key: value", goes to its beginning. Starts the
 * thread. Returns 0 or -1. */
int oplog_open(const char *path, unsigned workers, const struct op_file_header *header,
               const char *text, struct oplog **out, struct err *err);

/* One thread per worker; record->worker is below `workers`. */
void oplog_add(struct oplog *log, const struct op_record *record);

struct oplog_stats {
    uint64_t written;
    uint64_t dropped;
    char error[160]; /* why nothing is written any more; "" = all is well */
};

/* Any thread. */
struct oplog_stats oplog_stats(struct oplog *log);

/* Nobody adds any more. Writes what is queued, ends the thread and gives the final figures.
 * NULL is allowed. */
struct oplog_stats oplog_close(struct oplog *log);

#endif
