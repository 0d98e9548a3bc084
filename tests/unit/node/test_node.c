/* SPDX-License-Identifier: MIT */
/* Real memcached processes: skipped with the reason where memcached is not installed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/node.h"
#include "node/port.h"
#include "node/probe.h"

static char program[256];

static struct node *started_node(void)
{
    struct err err;
    if (program[0] == '\0') {
        print_message("skipped: memcached is not installed\n");
        skip();
    }
    struct node_config config = {
        .name = "node1", .program = program, .memory_mb = 64, .connections_max = 64, .threads = 1};
    struct rng rng = rng_seeded((uint64_t)getpid());
    struct node *node = NULL;
    if (node_start(&config, &rng, &node, &err) != 0)
        fail_msg("%s", err.text);
    return node;
}

static void wait_gone(pid_t pid)
{
    for (int i = 0; i < 5000 && kill(pid, 0) == 0; i++)
        usleep(2000);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void starts_answers_and_stops(void **state)
{
    (void)state;
    struct node *node = started_node();
    struct err err;
    pid_t pid = node_pid(node);
    char version[32] = "";
    assert_int_equal(node_check(node, &err), 0);
    assert_int_equal(
        node_probe(node_address(node), ns_now() + 5 * NS_PER_SEC, version, sizeof version, &err),
        0);
    assert_string_equal(version, node_version(node));
    node_free(node);
    assert_int_equal(kill(pid, 0), -1);
}

static void tells_how_a_node_died(void **state)
{
    (void)state;
    struct node *node = started_node();
    struct err err = {""};
    kill(node_pid(node), SIGKILL);
    int alive = 0;
    for (int i = 0; i < 5000 && (alive = node_check(node, &err)) == 0; i++)
        usleep(1000);
    assert_int_equal(alive, -1);
    assert_non_null(strstr(err.text, "node1"));
    assert_non_null(strstr(err.text, "signal 9"));
    node_free(node);
}

static void dies_with_its_parent_even_after_sigkill(void **state)
{
    (void)state;
    node_free(started_node()); /* skips when it cannot run */
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct node *node = started_node();
        pid_t pid = node_pid(node);
        if (write(pipe_fds[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        pause();
        _exit(1);
    }
    pid_t pid = 0;
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &pid, sizeof pid), sizeof pid);
    close(pipe_fds[0]);
    assert_int_equal(kill(pid, 0), 0);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    wait_gone(pid);
}

static void a_program_that_fails_is_quoted(void **state)
{
    (void)state;
    struct err err = {""};
    struct node_config config = {.name = "node2", .program = "/bin/false", .connections_max = 8};
    struct rng rng = rng_seeded(1);
    struct node *node = NULL;
    assert_int_equal(node_start(&config, &rng, &node, &err), -1);
    assert_non_null(strstr(err.text, "node2"));
    assert_non_null(strstr(err.text, "exited with status 1"));
}

static void a_missing_program_names_the_install_line(void **state)
{
    (void)state;
    struct err err = {""};
    char path[256], *old = strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent::/also-not", 1);
    assert_int_equal(node_find_program(path, sizeof path, &err), -1);
    assert_non_null(strstr(err.text, "apt-get install memcached"));
    setenv("PATH", old, 1);
    free(old);
}

static void ports_lie_outside_the_ephemeral_range(void **state)
{
    (void)state;
    unsigned low, high;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%u %u", &low, &high), 2);
    fclose(file);
    struct rng rng = rng_seeded(7);
    struct err err;
    for (int i = 0; i < 50; i++) {
        unsigned port = node_free_port(&rng, &err);
        assert_true(port >= 1024 && (port < low || port > high));
    }
}

static void an_unreachable_address_is_named(void **state)
{
    (void)state;
    struct rng rng = rng_seeded(3);
    struct err err = {""};
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)node_free_port(&rng, &err));
    assert_int_equal(node_probe(address, ns_now() + NS_PER_SEC, NULL, 0, &err), -1);
    assert_non_null(strstr(err.text, address));
    assert_non_null(strstr(err.text, "refused"));
    assert_int_equal(node_probe("no-port", ns_now() + NS_PER_SEC, NULL, 0, &err), -1);
    assert_non_null(strstr(err.text, "no-port"));
}

int main(void)
{
    struct err err;
    if (node_find_program(program, sizeof program, &err) != 0)
        program[0] = '\0';
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_answers_and_stops),
        cmocka_unit_test(tells_how_a_node_died),
        cmocka_unit_test(dies_with_its_parent_even_after_sigkill),
        cmocka_unit_test(a_program_that_fails_is_quoted),
        cmocka_unit_test(a_missing_program_names_the_install_line),
        cmocka_unit_test(ports_lie_outside_the_ephemeral_range),
        cmocka_unit_test(an_unreachable_address_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
