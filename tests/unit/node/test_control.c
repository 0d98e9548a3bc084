/* SPDX-License-Identifier: MIT */
/* What is done to real memcached processes on purpose, and what that did. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/control.h"
#include "node/dial.h"
#include "node/probe.h"
#include "node/stale.h"

static char program[256];

static ns_t soon(void)
{
    return ns_now() + 5 * NS_PER_SEC;
}

#define OK(call)                      \
    do {                              \
        struct err err = {""};        \
        if ((call) != 0)              \
            fail_msg("%s", err.text); \
    } while (0)

static struct node *started_node(void)
{
    if (program[0] == '\0') {
        print_message("skipped: memcached is not installed\n");
        skip();
    }
    struct node_config config = {
        .name = "node1", .program = program, .memory_mb = 64, .connections_max = 64, .threads = 1};
    struct rng rng = rng_seeded((uint64_t)ns_now());
    struct node *node = NULL;
    OK(node_start(&config, &rng, &node, &err));
    return node;
}

/* A connection of a client, and one exchange on it. */
static int dial(const struct node *node)
{
    int fd = dial_connect(node_address(node), soon(), NULL);
    assert_true(fd >= 0);
    return fd;
}

static const char *exchange(int fd, const char *request, char answer[static 256])
{
    answer[0] = '\0';
    if (dial_send(fd, request, soon()) != 0 ||
        dial_read_until(fd, answer, 256, "\r\n", soon()) != 0)
        return "no answer";
    return answer;
}

static uint64_t items_of(struct node *node)
{
    struct node_counters counters;
    OK(node_counters(node, &counters, &err));
    return counters.items;
}

static bool answers(const struct node *node)
{
    return node_probe(node_address(node), ns_now() + 50 * NS_PER_MS, NULL, 0, NULL) == 0;
}

static void pauses_add_up_and_those_who_wait_are_counted(void **state)
{
    (void)state;
    struct node *node = started_node();
    struct node_sockets sockets;
    char answer[256];
    int fd = dial(node);
    assert_string_equal(exchange(fd, "mn\r\n", answer), "MN\r\n");
    OK(node_pause(node, &err));
    OK(node_pause(node, &err));
    node_sockets(node, &sockets);
    assert_true(sockets.established >= 1);
    assert_int_equal(sockets.waiting, 0);
    assert_int_equal(dial_send(fd, "mn\r\n", soon()), 0);
    for (int i = 0; i < 5000 && sockets.waiting == 0; i++)
        node_sockets(node, &sockets);
    assert_int_equal(sockets.waiting, 1);
    assert_int_equal(sockets.unread_bytes, 4);
    OK(node_resume(node, &err));
    assert_false(answers(node));
    OK(node_resume(node, &err));
    assert_int_equal(dial_read_until(fd, answer, sizeof answer, "\r\n", soon()), 0);
    assert_string_equal(answer, "MN\r\n");
    close(fd);
    node_free(node);
}

static void a_killed_node_comes_back_empty_on_its_port(void **state)
{
    (void)state;
    struct node *node = started_node();
    char answer[256], address[64];
    snprintf(address, sizeof address, "%s", node_address(node));
    pid_t pid = node_pid(node);
    int fd = dial(node);
    assert_string_equal(exchange(fd, "ms k 1\r\nv\r\n", answer), "HD\r\n");
    close(fd);
    assert_int_equal(items_of(node), 1);
    OK(node_kill(node, &err));
    OK(node_kill(node, &err));
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(node_check(node, NULL), 0); /* dead on purpose */
    OK(node_restart(node, &err));
    OK(node_revive(node, &err));
    assert_false(answers(node));
    OK(node_revive(node, &err));
    assert_string_equal(node_address(node), address);
    assert_true(node_pid(node) != pid);
    assert_int_equal(items_of(node), 0);
    node_free(node);
}

static void a_node_that_died_unasked_is_not_killed_but_told(void **state)
{
    (void)state;
    struct node *node = started_node();
    struct err err = {""};
    kill(node_pid(node), SIGKILL);
    int alive = 0;
    for (int i = 0; i < 5000 && (alive = node_check(node, &err)) == 0; i++)
        usleep(1000);
    assert_int_equal(alive, -1);
    assert_int_equal(node_kill(node, &err), -1);
    assert_non_null(strstr(err.text, "signal 9"));
    node_free(node);
}

static void a_slow_start_accepts_but_answers_at_its_end_only(void **state)
{
    (void)state;
    struct node *node = started_node();
    char answer[256];
    OK(node_restart_paused(node, &err));
    int fd = dial(node);
    assert_int_equal(dial_send(fd, "mn\r\n", soon()), 0);
    assert_int_equal(dial_read_until(fd, answer, sizeof answer, "\r\n", ns_now() + 50 * NS_PER_MS),
                     -1);
    OK(node_resume(node, &err));
    assert_int_equal(dial_read_until(fd, answer, sizeof answer, "\r\n", soon()), 0);
    close(fd);
    node_free(node);
}

static void serves_exactly_as_many_connections_as_it_is_limited_to(void **state)
{
    (void)state;
    struct node *node = started_node();
    unsigned reserve;
    char answer[256];
    struct node_counters counters;
    OK(node_connection_reserve(node, &reserve, &err));
    node_limits(node)->connections_max = 2 + reserve + 1;
    OK(node_restart(node, &err));
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(node);
        const char *said = exchange(fds[i], "mn\r\n", answer);
        if (i < 2)
            assert_string_equal(said, "MN\r\n");
        else
            assert_string_not_equal(said, "MN\r\n");
    }
    OK(node_counters(node, &counters, &err));
    assert_int_equal(counters.connections_rejected, 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    node_limits(node)->connections_max = 0;
    OK(node_restart(node, &err));
    assert_true(answers(node));
    node_free(node);
}

static void refuses_or_evicts_when_memory_runs_out(void **state)
{
    (void)state;
    struct node *node = started_node();
    for (int evict = 0; evict < 2; evict++) {
        char request[64], answer[256];
        struct node_counters counters;
        *node_limits(node) = (struct node_limits){
            .memory_mb = 2, .item_bytes_min = 65536, .no_eviction = evict == 0};
        OK(node_restart(node, &err));
        int fd = dial(node);
        for (int i = 0; i < 100; i++) {
            snprintf(request, sizeof request, "ms k%d 1\r\nv\r\n", i);
            exchange(fd, request, answer);
        }
        OK(node_counters(node, &counters, &err));
        assert_true((counters.stores_refused > 50) == (evict == 0));
        assert_true((counters.evictions > 50) == (evict == 1));
        close(fd);
    }
    node_free(node);
}

static void flush_all_empties_it(void **state)
{
    (void)state;
    struct node *node = started_node();
    char answer[256];
    int fd = dial(node);
    assert_string_equal(exchange(fd, "ms k 1\r\nv\r\n", answer), "HD\r\n");
    OK(node_flush(node, &err));
    assert_string_equal(exchange(fd, "mg k v\r\n", answer), "EN\r\n");
    close(fd);
    node_free(node);
}

static void count_found(void *arg, int pid, const char *mark)
{
    (void)mark;
    if (pid == *(pid_t *)arg)
        *(pid_t *)arg = 0;
}

static void only_nodes_whose_owner_is_gone_are_stale(void **state)
{
    (void)state;
    struct node *node = started_node();
    pid_t orphan = fork();
    if (orphan == 0) {
        static const char *const argv[] = {"sleep", "60", NULL};
        static const char *const envp[] = {"MEMCHAOS_NODE_OWNER=4194304:1", NULL};
        execve("/bin/sleep", (char *const *)argv, (char *const *)envp);
        _exit(1);
    }
    pid_t wanted = orphan;
    for (int i = 0; i < 5000 && wanted != 0; i++) { /* until it has executed */
        stale_kill(count_found, &wanted);
        usleep(wanted != 0 ? 1000 : 0);
    }
    int status;
    assert_int_equal(waitpid(orphan, &status, 0), orphan);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(answers(node));
    node_free(node);
}

int main(void)
{
    if (node_find_program(program, sizeof program, NULL) != 0)
        program[0] = '\0';
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_add_up_and_those_who_wait_are_counted),
        cmocka_unit_test(a_killed_node_comes_back_empty_on_its_port),
        cmocka_unit_test(a_node_that_died_unasked_is_not_killed_but_told),
        cmocka_unit_test(a_slow_start_accepts_but_answers_at_its_end_only),
        cmocka_unit_test(serves_exactly_as_many_connections_as_it_is_limited_to),
        cmocka_unit_test(refuses_or_evicts_when_memory_runs_out),
        cmocka_unit_test(flush_all_empties_it),
        cmocka_unit_test(only_nodes_whose_owner_is_gone_are_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
