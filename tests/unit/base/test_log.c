/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A log that writes to memory. */
struct capture {
    char *text;
    size_t len;
    FILE *out;
    struct log log;
};

static void capture_start(struct capture *c, enum log_level level, bool quiet)
{
    c->out = open_memstream(&c->text, &c->len);
    assert_non_null(c->out);
    log_init(&c->log, c->out, level, quiet);
}

static void capture_end(struct capture *c)
{
    fclose(c->out);
    free(c->text);
}

static void writes_time_level_and_message(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, LOG_LEVEL_INFO, false);
    log_warn(&c.log, "node %d is gone", 2);
    int h, m, s, ms, end = 0;
    assert_int_equal(sscanf(c.text, "%2d:%2d:%2d.%3d%n", &h, &m, &s, &ms, &end), 4);
    assert_int_equal(end, 12);
    assert_string_equal(c.text + end, " warn  node 2 is gone\n");
    capture_end(&c);
}

static void leaves_out_what_is_below_its_level(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, LOG_LEVEL_WARN, false);
    log_debug(&c.log, "a");
    log_info(&c.log, "b");
    fflush(c.out);
    assert_int_equal(c.len, 0);
    log_warn(&c.log, "c");
    assert_int_not_equal(c.len, 0);
    capture_end(&c);
}

static void says_only_errors_when_quiet_and_nothing_without_a_log(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, LOG_LEVEL_DEBUG, true);
    log_warn(&c.log, "a");
    log_error(NULL, "b");
    fflush(c.out);
    assert_int_equal(c.len, 0);
    log_error(&c.log, "c");
    assert_non_null(strstr(c.text, " error c\n"));
    capture_end(&c);
}

static void keeps_a_message_on_one_bounded_line(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, LOG_LEVEL_INFO, false);
    log_info(&c.log, "two\nlines");
    assert_non_null(strstr(c.text, " info  two lines\n"));
    char *big = malloc(3 * LOG_MESSAGE_MAX);
    assert_non_null(big);
    for (size_t i = 0; i + 1 < 3 * LOG_MESSAGE_MAX; i++)
        big[i] = i % 2 == 0 ? (char)0xc3 : (char)0xa9;
    big[3 * LOG_MESSAGE_MAX - 2] = '\0';
    size_t before = c.len;
    log_info(&c.log, "%s", big);
    assert_true(c.len - before < LOG_MESSAGE_MAX + 32);
    assert_non_null(strstr(c.text + before, "é…\n"));
    free(big);
    capture_end(&c);
}

enum { THREADS = 4, LINES = 200 };

static void *chatter(void *arg)
{
    struct log *log = arg;
    for (int i = 0; i < LINES; i++)
        log_info(log, "a line of one thread");
    return NULL;
}

static void does_not_mix_lines_of_threads(void **state)
{
    (void)state;
    FILE *out = tmpfile();
    assert_non_null(out);
    struct log log;
    log_init(&log, out, LOG_LEVEL_INFO, false);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, &log), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    rewind(out);
    int lines = 0;
    for (char line[128]; fgets(line, sizeof line, out) != NULL; lines++)
        assert_string_equal(line + 12, " info  a line of one thread\n");
    assert_int_equal(lines, THREADS * LINES);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_time_level_and_message),
        cmocka_unit_test(leaves_out_what_is_below_its_level),
        cmocka_unit_test(says_only_errors_when_quiet_and_nothing_without_a_log),
        cmocka_unit_test(keeps_a_message_on_one_bounded_line),
        cmocka_unit_test(does_not_mix_lines_of_threads),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
