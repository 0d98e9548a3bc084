/* SPDX-License-Identifier: MIT */
/*
 * A queue has one writer, its worker, and one reader, the log's thread: `head` is only the worker's
 * to move, `tail` only the thread's.
 */
#include "metrics/oplog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define PERIOD (10 * NS_PER_MS) /* between two looks at the queues */
#define LEVEL 1                 /* the fastest that still finds repetitions */

struct queue {
    _Alignas(64) atomic_size_t head;
    atomic_uint_least64_t dropped;
    _Alignas(64) atomic_size_t tail;
    struct op_record *records;
};

struct oplog {
    int fd;
    unsigned workers;
    size_t length; /* of a queue, a power of two */
    struct queue *queues;
    struct op_record *records;

    /* The thread's own. */
    ZSTD_CCtx *zstd;
    unsigned char *frame;
    size_t frame_size;
    unsigned frame_records;
    ns_t frame_since_ns;
    unsigned char *packed;
    size_t packed_cap;
    off_t good_bytes; /* of the file: whole frames */
    bool failed;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    bool stopping;
    struct oplog_stats stats; /* `dropped` only what the thread dropped */
    pthread_t thread;
    bool running;
};

/* ---- life cycle ---- */

static size_t queue_length(unsigned workers)
{
    size_t length = OPLOG_QUEUE;
    while (length > 2 && length * workers * sizeof(struct op_record) > OPLOG_BYTES_MAX)
        length /= 2;
    return length;
}

static void oplog_free(struct oplog *log)
{
    if (log->fd >= 0)
        close(log->fd);
    ZSTD_freeCCtx(log->zstd);
    free(log->queues);
    free(log->records);
    free(log->frame);
    free(log->packed);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->wake);
    free(log);
}

static void sync_init(struct oplog *log)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&log->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&log->lock, NULL);
}

static struct oplog *oplog_new(unsigned workers)
{
    struct oplog *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    log->fd = -1;
    log->workers = workers;
    log->length = queue_length(workers);
    sync_init(log);
    log->queues = aligned_alloc(64, workers * sizeof *log->queues);
    log->records = calloc(workers * log->length, sizeof *log->records);
    log->packed_cap = ZSTD_compressBound(OPLOG_FRAME_BYTES);
    log->frame = malloc(OPLOG_FRAME_BYTES);
    log->packed = malloc(log->packed_cap);
    log->zstd = ZSTD_createCCtx();
    if (log->queues == NULL || log->records == NULL || log->frame == NULL || log->packed == NULL ||
        log->zstd == NULL) {
        oplog_free(log);
        return NULL;
    }
    ZSTD_CCtx_setParameter(log->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(log->zstd, ZSTD_c_checksumFlag, 1);
    memset(log->queues, 0, workers * sizeof *log->queues);
    for (unsigned i = 0; i < workers; i++)
        log->queues[i].records = log->records + i * log->length;
    return log;
}

/* ---- writing ---- */

static void dropped_more(struct oplog *log, uint64_t count)
{
    pthread_mutex_lock(&log->lock);
    log->stats.dropped += count;
    pthread_mutex_unlock(&log->lock);
}

static bool write_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void fail(struct oplog *log, const char *why)
{
    struct err err;
    log->failed = true;
    err_set(&err, "operation log: %s", why);
    /* What was written of a frame is of no use to anybody; should that fail, readers cope. */
    if (ftruncate(log->fd, log->good_bytes) != 0)
        err_set(&err, "operation log: %s, and its last frame is cut off", why);
    pthread_mutex_lock(&log->lock);
    snprintf(log->stats.error, sizeof log->stats.error, "%.*s", (int)sizeof log->stats.error - 1,
             err.text);
    pthread_mutex_unlock(&log->lock);
}

/* Returns false when it could not be written; then nothing will be any more. */
static bool frame_write(struct oplog *log)
{
    size_t size =
        ZSTD_compress2(log->zstd, log->packed, log->packed_cap, log->frame, log->frame_size);
    log->frame_size = 0;
    if (ZSTD_isError(size))
        fail(log, ZSTD_getErrorName(size));
    else if (!write_all(log->fd, log->packed, size))
        fail(log, strerror(errno));
    else
        log->good_bytes += (off_t)size;
    return !log->failed;
}

static void frame_end(struct oplog *log)
{
    unsigned records = log->frame_records;
    log->frame_records = 0;
    if (records == 0)
        return;
    if (!frame_write(log)) {
        dropped_more(log, records);
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->stats.written += records;
    pthread_mutex_unlock(&log->lock);
}

static void record_take(struct oplog *log, const struct op_record *record)
{
    if (log->frame_records == 0)
        log->frame_since_ns = ns_now();
    op_record_encode(record, log->frame + log->frame_size);
    log->frame_size += OP_RECORD_BYTES;
    log->frame_records++;
    if (log->frame_size + OP_RECORD_BYTES > OPLOG_FRAME_BYTES)
        frame_end(log);
}

static void queue_empty(struct oplog *log, struct queue *q)
{
    size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&q->head, memory_order_acquire);
    uint64_t lost = 0;
    while (tail != head) {
        if (log->failed)
            lost++;
        else
            record_take(log, &q->records[tail & (log->length - 1)]);
        atomic_store_explicit(&q->tail, ++tail, memory_order_release);
    }
    if (lost > 0)
        dropped_more(log, lost);
}

static void queues_empty(struct oplog *log)
{
    for (unsigned i = 0; i < log->workers; i++)
        queue_empty(log, &log->queues[i]);
    if (log->frame_records > 0 && ns_now() - log->frame_since_ns >= OPLOG_FRAME_NS)
        frame_end(log);
}

static bool wait_period(struct oplog *log)
{
    struct timespec until = ns_to_timespec(ns_add(ns_now(), PERIOD));
    pthread_mutex_lock(&log->lock);
    if (!log->stopping)
        pthread_cond_timedwait(&log->wake, &log->lock, &until);
    bool go_on = !log->stopping;
    pthread_mutex_unlock(&log->lock);
    return go_on;
}

static void *thread_main(void *arg)
{
    struct oplog *log = arg;
    while (wait_period(log))
        queues_empty(log);
    queues_empty(log);
    frame_end(log);
    return NULL;
}

static int thread_start(struct oplog *log, struct err *err)
{
    sigset_t all, before; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&log->thread, NULL, thread_main, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return err_set(err, "cannot start the thread of the operation log: %s", strerror(failure));
    log->running = true;
    return 0;
}

static int head_write(struct oplog *log, const struct op_file_header *header, const char *text,
                      struct err *err)
{
    struct op_file_header h = *header;
    size_t size = strnlen(text, OP_FILE_TEXT_MAX);
    h.kind = OP_FILE_LOG;
    h.text_bytes = (uint32_t)size;
    op_file_header_encode(&h, log->frame);
    memcpy(log->frame + OP_FILE_HEADER_BYTES, text, size);
    log->frame_size = OP_FILE_HEADER_BYTES + size;
    return frame_write(log) ? 0 : err_set(err, "%s", log->stats.error);
}

int oplog_open(const char *path, unsigned workers, const struct op_file_header *header,
               const char *text, struct oplog **out, struct err *err)
{
    struct oplog *log = oplog_new(workers);
    if (log == NULL)
        return err_set(err, "no memory for the operation log");
    log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (log->fd < 0) {
        err_set(err, "cannot write the operation log %s: %s", path, strerror(errno));
        oplog_free(log);
        return -1;
    }
    if (head_write(log, header, text, err) != 0 || thread_start(log, err) != 0) {
        oplog_free(log);
        return -1;
    }
    *out = log;
    return 0;
}

/* ---- workers, and figures ---- */

void oplog_add(struct oplog *log, const struct op_record *record)
{
    assert(record->worker < log->workers);
    struct queue *q = &log->queues[record->worker];
    size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
    if (head - tail == log->length) {
        atomic_fetch_add_explicit(&q->dropped, 1, memory_order_relaxed);
        return;
    }
    q->records[head & (log->length - 1)] = *record;
    atomic_store_explicit(&q->head, head + 1, memory_order_release);
}

struct oplog_stats oplog_stats(struct oplog *log)
{
    pthread_mutex_lock(&log->lock);
    struct oplog_stats stats = log->stats;
    pthread_mutex_unlock(&log->lock);
    for (unsigned i = 0; i < log->workers; i++)
        stats.dropped += atomic_load_explicit(&log->queues[i].dropped, memory_order_relaxed);
    return stats;
}

struct oplog_stats oplog_close(struct oplog *log)
{
    if (log == NULL)
        return (struct oplog_stats){0};
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    if (log->running)
        pthread_join(log->thread, NULL);
    struct oplog_stats stats = oplog_stats(log);
    oplog_free(log);
    return stats;
}
