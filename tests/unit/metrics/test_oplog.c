/* SPDX-License-Identifier: MIT */
#include "metrics/oplog.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "metrics/op_reader.h"

#define FILE_MAX ((size_t)8 << 20)
#define WORKERS 4

static const struct op_file_header header = {.start_ns = 1000, .start_unix_ns = 5};

static struct op_record make(unsigned worker, ns_t start)
{
    struct op_record r = {.start_ns = start,
                          .duration_ns = start * 3,
                          .late_ns = 7,
                          .connection = 12,
                          .worker = worker,
                          .bytes = 100,
                          .run = 2,
                          .op = OP_SET,
                          .outcome = OUTCOME_STORED,
                          .node = OP_RECORD_NODE_UNKNOWN,
                          .phase = 1,
                          .items = 1};
    op_record_key_set(&r, "some-key-that-is-longer-than-what-is-kept-of-it", 47);
    return r;
}

/* ---- reading back ---- */

struct seen {
    unsigned heads;
    uint64_t records;
    ns_t last[WORKERS];
};

static int see_head(void *arg, const struct op_file_header *h, const char *text)
{
    struct seen *seen = arg;
    seen->heads++;
    assert_int_equal(h->kind, OP_FILE_LOG);
    assert_int_equal(h->start_ns, header.start_ns);
    assert_string_equal(text, "seed: 1\n");
    return 0;
}

static int see_record(void *arg, const struct op_record *r)
{
    struct seen *seen = arg;
    struct op_record expected = make(r->worker, r->start_ns);
    assert_int_equal(seen->heads, 1);
    assert_memory_equal(r, &expected, sizeof expected);
    assert_true(r->start_ns > seen->last[r->worker]); /* in order */
    seen->last[r->worker] = r->start_ns;
    seen->records++;
    return 0;
}

/* In pieces of `step` bytes. Returns what the end says. */
static int read_back(const unsigned char *data, size_t size, size_t step, struct seen *seen)
{
    const struct op_reader_config config = {.head = see_head, .record = see_record, .arg = seen};
    struct op_reader *reader = op_reader_new(&config, NULL);
    struct err err = {""};
    *seen = (struct seen){0};
    int rc = 0;
    for (size_t at = 0; at < size && rc == 0; at += step)
        rc = op_reader_feed(reader, data + at, size - at < step ? size - at : step, &err);
    if (rc == 0)
        rc = op_reader_end(reader, &err);
    op_reader_free(reader);
    return rc;
}

static size_t file_read(const char *path, unsigned char *data)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, data, FILE_MAX);
    assert_true(n >= 0 && (size_t)n < FILE_MAX);
    close(fd);
    return (size_t)n;
}

struct world {
    char path[64];
    unsigned char *data;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->data = malloc(FILE_MAX);
    strcpy(w->path, "/tmp/memchaos-test-oplog-XXXXXX");
    int fd = mkstemp(w->path);
    assert_true(fd >= 0);
    close(fd);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    unlink(w->path);
    free(w->data);
    free(w);
    return 0;
}

static struct oplog *open_log(const struct world *w)
{
    struct oplog *log = NULL;
    assert_int_equal(oplog_open(w->path, WORKERS, &header, "seed: 1\n", &log, NULL), 0);
    return log;
}

/* ---- workers ---- */

struct worker {
    struct oplog *log;
    unsigned index;
    uint64_t first, count;
};

static void *add_many(void *arg)
{
    struct worker *w = arg;
    for (uint64_t i = 0; i < w->count; i++) {
        struct op_record r = make(w->index, (ns_t)(w->first + i));
        oplog_add(w->log, &r);
    }
    return NULL;
}

/* Their starts are `first` and those after it. */
static void add_from_all(struct oplog *log, uint64_t first, uint64_t count)
{
    pthread_t threads[WORKERS];
    struct worker workers[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){log, i, first, count};
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

static void every_operation_is_written_or_counted_as_dropped(void **state)
{
    struct world *w = *state;
    struct oplog *log = open_log(w);
    struct seen seen;
    add_from_all(log, 1, 20000);
    struct oplog_stats stats = oplog_close(log);
    assert_int_equal(stats.written + stats.dropped, WORKERS * 20000);
    assert_in_range(stats.written, WORKERS * OPLOG_QUEUE, WORKERS * 20000);
    assert_string_equal(stats.error, "");
    size_t size = file_read(w->path, w->data);
    assert_int_equal(read_back(w->data, size, size, &seen), 0);
    assert_int_equal(seen.records, stats.written);
    assert_int_equal(oplog_close(NULL).written, 0);
}

static void a_file_that_was_cut_off_anywhere_gives_all_before(void **state)
{
    struct world *w = *state;
    struct oplog *log = open_log(w);
    struct seen seen;
    add_from_all(log, 1, 900); /* less than a queue: none is dropped */
    assert_int_equal(oplog_close(log).written, WORKERS * 900);
    size_t size = file_read(w->path, w->data);
    assert_int_equal(read_back(w->data, size, 1, &seen), 0);
    assert_int_equal(seen.records, WORKERS * 900);
    uint64_t before = 0;
    for (size_t cut = 0; cut < size; cut += 1 + cut / 50) {
        read_back(w->data, cut, 4096, &seen);
        assert_true(seen.records >= before);
        before = seen.records;
    }
    assert_true(before <= WORKERS * 900);
    assert_int_equal(read_back(w->data, size - 1, 4096, &seen), -1);
}

static void a_damaged_file_is_refused(void **state)
{
    struct world *w = *state;
    struct oplog *log = open_log(w);
    struct seen seen;
    add_from_all(log, 1, 100);
    oplog_close(log);
    size_t size = file_read(w->path, w->data);
    w->data[size - 20] ^= 0x40; /* the last frame has a checksum */
    assert_int_equal(read_back(w->data, size, 4096, &seen), -1);
    assert_int_equal(
        read_back((const unsigned char *)"hello, world, this is no log at all...", 38, 5, &seen),
        -1);
    assert_int_equal(read_back(w->data, 0, 1, &seen), -1);
}

/* A disk that is full after some frames. */
static void a_full_disk_ends_the_log_and_not_the_run(void **state)
{
    struct world *w = *state;
    struct rlimit old, small;
    struct seen seen;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    struct oplog *log = open_log(w);
    small = (struct rlimit){50000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t added = 0;
    while (oplog_stats(log).error[0] == '\0' && added < 100 * 1000 * 1000) {
        add_from_all(log, 1 + added, 1000);
        added += WORKERS * 1000;
    }
    add_from_all(log, 1 + added, 1000);
    added += WORKERS * 1000;
    struct oplog_stats stats = oplog_close(log);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_non_null(strstr(stats.error, "operation log: File too large"));
    assert_int_equal(stats.written + stats.dropped, added);
    assert_true(stats.dropped >= WORKERS * 1000);
    size_t size = file_read(w->path, w->data);
    assert_in_range(size, 1, 50000);
    assert_true(stats.written > 0);
    /* Whole frames only. */
    assert_int_equal(read_back(w->data, size, 4096, &seen), 0);
    assert_int_equal(seen.records, stats.written);
}

static void says_why_it_cannot_begin(void **state)
{
    (void)state;
    struct err err = {""};
    struct oplog *log = NULL;
    assert_int_equal(oplog_open("/nonexistent/log", 1, &header, "", &log, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/log"));
    assert_int_equal(oplog_open("/dev/full", 1, &header, "", &log, &err), -1);
    assert_non_null(strstr(err.text, "No space"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_operation_is_written_or_counted_as_dropped),
        TEST(a_file_that_was_cut_off_anywhere_gives_all_before),
        TEST(a_damaged_file_is_refused),
        TEST(a_full_disk_ends_the_log_and_not_the_run),
        TEST(says_why_it_cannot_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
