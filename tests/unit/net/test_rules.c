/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/namespace.h"
#include "net/rules.h"
#include "net/tool.h"

static void a_share_of_the_packets_is_dropped_by_direction(void **state)
{
    (void)state;
    char text[512];
    struct rules rules = {.id = 3, .port = 21211, .upstream = true};
    rules_drop_text(&rules, 0.05, text, sizeof text);
    assert_string_equal(text, "add rule inet memchaos_3 in tcp dport 21211 numgen random mod "
                              "1000000 < 50000 counter name lost drop\n");
    rules.upstream = false;
    rules.downstream = true;
    rules_drop_text(&rules, 1, text, sizeof text);
    assert_string_equal(text,
                        "add rule inet memchaos_3 in tcp sport 21211 counter name lost drop\n");
}

static void netem_is_told_in_its_own_words(void **state)
{
    (void)state;
    static const struct {
        struct netem netem;
        const char *text;
    } cases[] = {
        {{.delay_ms = 5, .jitter_ms = 2}, "netem limit 100000 delay 5ms 2ms"},
        {{.delay_ms = 10, .reorder_share = 0.25}, "netem limit 100000 delay 10ms 0ms reorder 25%"},
        {{.duplicate_share = 0.01}, "netem limit 100000 duplicate 1%"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        rules_netem_text(&cases[i].netem, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_tool_is_fed_heard_and_its_failure_quoted(void **state)
{
    (void)state;
    struct err err = {""};
    char out[16];
    const char *const cat[] = {"cat", NULL};
    assert_int_equal(tool_run(cat, "hello", out, sizeof out, &err), 0);
    assert_string_equal(out, "hello");
    const char *const fails[] = {"sh", "-c", "echo it broke >&2; exit 3", NULL};
    assert_int_equal(tool_run(fails, NULL, NULL, 0, &err), -1);
    assert_string_equal(err.text, "sh failed: it broke");
    const char *const missing[] = {"no-such-tool-here", NULL};
    assert_int_equal(tool_run(missing, NULL, NULL, 0, &err), -1);
    assert_string_equal(err.text, "the program no-such-tool-here is not installed");
}

static void what_cannot_be_done_has_a_reason_and_this_process_stays_where_it_is(void **state)
{
    (void)state;
    struct net_support support;
    char before[64] = "", after[64] = "";
    assert_true(readlink("/proc/self/ns/net", before, sizeof before - 1) > 0);
    net_probe(&support);
    assert_true(readlink("/proc/self/ns/net", after, sizeof after - 1) > 0);
    assert_string_equal(before, after);
    if (support.loss_missing[0] != '\0')
        assert_true(support.netem_missing[0] != '\0');
    print_message("loss: %s; netem: %s\n",
                  support.loss_missing[0] != '\0' ? support.loss_missing : "possible",
                  support.netem_missing[0] != '\0' ? support.netem_missing : "possible");
}

/* In a child, which may change its namespace: 0, or 1 with the reason on stderr. */
static int rules_come_and_go(void)
{
    struct err err = {""};
    struct rules_hits hits;
    bool new_accounts;
    const struct rules a = {.id = 1, .port = 1, .upstream = true}, b = {.id = 2, .port = 2};
    if (net_enter(&new_accounts, &err) != 0 || rules_drop_on(&a, 0.5, &err) != 0 ||
        rules_drop_on(&b, 0.5, &err) != 0 || rules_drop_change(&a, 1, &err) != 0 ||
        rules_drop_off(&a, &hits, &err) != 0 || rules_drop_off(&a, &hits, &err) != 0 ||
        rules_drop_on(&a, 1, &err) != 0) {
        print_error("%s\n", err.text);
        return 1;
    }
    return 0;
}

static void rules_are_taken_off_once_and_can_come_again(void **state)
{
    (void)state;
    struct net_support support;
    net_probe(&support);
    if (support.loss_missing[0] != '\0') {
        print_message("skipped: %s\n", support.loss_missing);
        skip();
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(rules_come_and_go());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_the_packets_is_dropped_by_direction),
        cmocka_unit_test(netem_is_told_in_its_own_words),
        cmocka_unit_test(a_tool_is_fed_heard_and_its_failure_quoted),
        cmocka_unit_test(what_cannot_be_done_has_a_reason_and_this_process_stays_where_it_is),
        cmocka_unit_test(rules_are_taken_off_once_and_can_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
