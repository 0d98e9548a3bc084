/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <memchaos/driver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/plugin.h"
#include "metrics/recorder.h"

/* Where the build has put the plugins: the first argument of this program. */
static const char *folder;

static const char *plugin_path(const char *name, char out[static 512])
{
    snprintf(out, 512, "%s/%s", folder, name);
    return out;
}

static void what_cannot_be_used_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *reason;
    } cases[] = {
        {"absent.so", "there is no readable file "},
        {"wrong_abi.so", "was built for version 9 of the driver interface, and this memchaos has "
                         "version 1"},
        {"wrong_size.so", "its table of functions has 16 bytes"},
        {"wrong_function.so", "the driver has no function \"set\""},
        {"wrong_name.so", "does not tell its name"},
        {"wrong_table.so", "memchaos_driver_entry() returned no driver"},
        {"no_driver.so", "is no driver: it has no function memchaos_driver_entry()"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[512];
        struct err err = {""};
        assert_null(driver_find(plugin_path(cases[i].file, path), &err));
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, cases[i].reason));
    }
}

static void a_file_that_is_no_shared_object_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/memchaos-test-XXXXXX.so";
    struct err err = {""};
    int fd = mkstemps(path, 3);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "text", 4), 4);
    close(fd);
    assert_null(driver_find(path, &err));
    assert_non_null(strstr(err.text, "cannot load the driver: "));
    assert_non_null(strstr(err.text, path));
    unlink(path);
}

static void a_shipped_one_that_is_absent_names_its_package(void **state)
{
    (void)state;
    struct err err = {""};
    assert_true(plugin_is_meant("libmemcached"));
    if (driver_find("libmemcached", &err) == NULL)
        assert_non_null(strstr(err.text, "libmemcached11"));
    assert_null(driver_find("libmemcache", &err));
    assert_non_null(strstr(err.text, "did you mean \"libmemcached\"?"));
}

static void a_name_is_searched_for_in_the_directories_of_the_environment(void **state)
{
    (void)state;
    char list[600];
    struct err err = {""};
    snprintf(list, sizeof list, "/nowhere::%s", folder);
    assert_false(plugin_is_meant("fake"));
    setenv("MEMCHAOS_DRIVER_PATH", list, 1);
    assert_true(plugin_is_meant("fake"));
    assert_non_null(driver_find("fake", &err));
    assert_false(plugin_is_meant("../fake"));
    unsetenv("MEMCHAOS_DRIVER_PATH");
    assert_null(driver_find("fake", &err));
}

/* ---- the good one ---- */

struct opened {
    const struct driver *driver;
    struct transitions *transitions;
    void *client;
    void *worker;
};

static struct driver_config config_of(const char *path)
{
    static const char *const servers[] = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
    static const char *const names[] = {"node1", "node2", "node3"};
    return (struct driver_config){
        .servers = servers, .names = names, .server_count = 3, .command = path};
}

static int open_good(void **state)
{
    static struct opened o;
    char path[512];
    struct err err = {""};
    struct driver_config config = config_of(plugin_path("driver-fake.so", path));
    o.driver = driver_find(path, &err);
    assert_non_null(o.driver);
    o.transitions = transitions_new(3, 10, 0);
    config.transitions = o.transitions;
    assert_int_equal(o.driver->open(&config, &o.client, &err), 0);
    o.worker = o.driver->worker_open(o.client, 0, &err);
    assert_non_null(o.worker);
    *state = &o;
    return 0;
}

static int close_good(void **state)
{
    struct opened *o = *state;
    o->driver->worker_close(o->worker);
    o->driver->interrupt(o->client); /* it has none, which is allowed */
    o->driver->close(o->client);
    transitions_free(o->transitions);
    return 0;
}

static void outcomes_are_those_of_the_operation(void **state)
{
    struct opened *o = *state;
    struct driver_result r;
    o->driver->get(o->worker, "0", 1, NULL, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_HIT);
    assert_int_equal(r.node, 1);
    assert_int_equal(r.value_size, 1);
    assert_true(r.unsent);
    o->driver->get(o->worker, "1", 1, NULL, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_MISS);
    o->driver->set(o->worker, "0", 1, "", 0, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_STORED);
    o->driver->set(o->worker, "1", 1, "", 0, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_OTHER); /* a set that misses is a client that errs */
    o->driver->add(o->worker, "2", 1, "", 0, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_NOT_STORED);
    o->driver->delete_(o->worker, "1", 1, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_NOT_FOUND);
    o->driver->increment(o->worker, "0", 1, 1, 0, 0, &r);
    assert_int_equal(r.outcome, OUTCOME_OK);
    assert_int_equal(r.number, 42);
}

/* By name: the public numbers are what drivers were compiled with, and never change. */
static void every_public_number_has_its_outcome(void **state)
{
    struct opened *o = *state;
    static const struct {
        const char *number;
        const char *name;
    } cases[] = {
        {"3", "exists"},        {"10", "cancelled"},     {"20", "invalid"},
        {"21", "resolve"},      {"22", "refused"},       {"23", "connect_timeout"},
        {"24", "tls"},          {"25", "auth"},          {"26", "reset"},
        {"27", "closed"},       {"28", "closed_idle"},   {"29", "write_timeout"},
        {"30", "io_timeout"},   {"31", "pool_timeout"},  {"32", "breaker_open"},
        {"33", "breaker_busy"}, {"34", "protocol"},      {"35", "server_error"},
        {"36", "too_large"},    {"37", "client_error"},  {"38", "local"},
        {"39", "other"},        {"40", "other"},         {"4", "other"},
        {"-1", "other"},        {"2147483647", "other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver_result r;
        const char *key = cases[i].number;
        o->driver->get(o->worker, key, strlen(key), NULL, 0, 0, &r);
        assert_string_equal(outcome_name(r.outcome), cases[i].name);
    }
}

static void a_node_that_does_not_exist_is_unknown(void **state)
{
    struct opened *o = *state;
    struct driver_result r;
    o->driver->get(o->worker, "0000", 4, NULL, 0, 0, &r);
    assert_int_equal(r.node, RECORDER_NODE_UNKNOWN);
    assert_int_equal(o->driver->node_of_key(o->client, "ab", 2), 2);
    assert_int_equal(o->driver->node_of_key(o->client, "abc", 3), -1);
}

static void many_keys_go_in_one_call_and_what_is_not_filled_has_failed(void **state)
{
    struct opened *o = *state;
    struct driver_item items[] = {
        {.key = "0", .key_size = 1}, {.key = "1", .key_size = 1}, {.key = "0", .key_size = 1}};
    assert_null(o->driver->multi_set); /* it has none: the load makes single calls */
    o->driver->multi_get(o->worker, items, 3, 0);
    assert_int_equal(items[0].outcome, OUTCOME_HIT);
    assert_memory_equal(items[0].value, "v", 1);
    assert_int_equal(items[1].outcome, OUTCOME_MISS);
    assert_int_equal(items[1].node, 1);
    assert_int_equal(items[2].outcome, OUTCOME_OTHER);
    assert_int_equal(items[2].node, RECORDER_NODE_UNKNOWN);
}

static void statistics_and_breakers_reach_the_rig(void **state)
{
    struct opened *o = *state;
    struct node_stats s;
    struct transition t;
    assert_true(o->driver->node_stats(o->client, 0, &s));
    assert_int_equal(s.pool_total, 7);
    assert_int_equal(s.breaker, BREAKER_VIEW_HALF_OPEN);
    assert_false(o->driver->node_stats(o->client, 1, &s));
    assert_int_equal(transitions_read(o->transitions, 0, &t, 1), 1);
    assert_int_equal(t.node, 1);
    assert_int_equal(t.to, BREAKER_VIEW_OPEN);
    assert_string_equal(t.cause, "a test");
    struct driver_about about;
    o->driver->about(o->client, &about);
    assert_string_equal(about.client, "fake 3.1");
}

static void one_that_cannot_open_says_why(void **state)
{
    (void)state;
    char path[512];
    struct err err = {""};
    void *client;
    struct driver_config config = config_of(plugin_path("wrong_open.so", path));
    const struct driver *driver = driver_find(path, &err);
    assert_non_null(driver);
    assert_int_equal(driver->open(&config, &client, &err), -1);
    assert_string_equal(err.text, "driver fake: no such luck with 127.0.0.1:1");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_used_is_refused_by_name),
        cmocka_unit_test(a_file_that_is_no_shared_object_is_refused),
        cmocka_unit_test(a_shipped_one_that_is_absent_names_its_package),
        cmocka_unit_test(a_name_is_searched_for_in_the_directories_of_the_environment),
        cmocka_unit_test_setup_teardown(outcomes_are_those_of_the_operation, open_good, close_good),
        cmocka_unit_test_setup_teardown(every_public_number_has_its_outcome, open_good, close_good),
        cmocka_unit_test_setup_teardown(a_node_that_does_not_exist_is_unknown, open_good,
                                        close_good),
        cmocka_unit_test_setup_teardown(many_keys_go_in_one_call_and_what_is_not_filled_has_failed,
                                        open_good, close_good),
        cmocka_unit_test_setup_teardown(statistics_and_breakers_reach_the_rig, open_good,
                                        close_good),
        cmocka_unit_test(one_that_cannot_open_says_why),
    };
    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
