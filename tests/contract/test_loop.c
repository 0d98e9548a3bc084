/* SPDX-License-Identifier: MIT */
/* The event-loop interface against a real memcached, and the example program. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */
#define SLACK (5 * SEC)     /* what a loaded machine may add to a deadline */

static struct memcached server;

/* What became of one request. */
struct fate {
    unsigned calls;
    enum mcm_outcome outcome;
    char text[64];
    uint64_t number, cas;
    bool retried;
    struct mcm_loop *loop; /* for callbacks that go on */
    uint64_t victim;       /* to be cancelled by the callback */
    struct fate *next;     /* to be submitted by the callback */
};

static void note(void *arg, const struct mcm_result *result)
{
    struct fate *fate = arg;
    fate->calls++;
    fate->outcome = result->outcome;
    fate->number = result->number;
    fate->cas = result->cas;
    fate->retried = result->retried;
    snprintf(fate->text, sizeof(fate->text), "%.*s", (int)result->value.size,
             result->value.size > 0 ? (const char *)result->value.data : "");
}

static struct mcm_loop *new_loop(unsigned lanes, const struct mcm_breaker_settings *breaker)
{
    struct mcm_server list = {.address = server.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &list;
    config.server_count = 1;
    config.lanes = lanes;
    config.connect_timeout = 5 * SEC;
    config.breaker = breaker;
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_loop *loop = mcm_loop_new(&config, error, sizeof(error));
    if (loop == NULL)
        fail_msg("%s", error);
    return loop;
}

static struct mcm_loop_call how(struct fate *fate, mcm_ns span)
{
    *fate = (struct fate){0};
    return (struct mcm_loop_call){.deadline = mcm_after(span), .done = note, .arg = fate};
}

static void run(struct mcm_loop *loop)
{
    assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS)), 0);
}

static void set_text(struct mcm_loop *loop, const char *key, const char *value)
{
    struct fate fate;
    struct mcm_loop_call call = how(&fate, GENEROUS);
    assert_int_equal(mcm_loop_set(loop, &call, MCM_KEY(key), MCM_KEY(value), 0), MCM_OK);
    run(loop);
    assert_string_equal(mcm_outcome_name(fate.outcome), "ok");
}

static struct fate get_text(struct mcm_loop *loop, const char *key, mcm_ns span)
{
    struct fate fate;
    char buffer[64];
    struct mcm_loop_call call = how(&fate, span);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY(key), buffer, sizeof(buffer)), MCM_OK);
    run(loop);
    assert_int_equal(fate.calls, 1);
    return fate;
}

static void many_requests_share_one_write_and_answer_in_place(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(2, NULL);
    static struct fate fates[1000];
    static char buffers[1000][64], keys[1000][16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            struct mcm_loop_call call = how(&fates[i], GENEROUS);
            snprintf(keys[i], sizeof(keys[i]), "loop-%d", i);
            struct mcm_slice key = MCM_KEY(keys[i]);
            assert_int_equal(round == 0 ? mcm_loop_set(loop, &call, key, key, 0)
                                        : mcm_loop_get(loop, &call, key, buffers[i], 64),
                             MCM_OK);
            assert_true(call.id != 0);
        }
        assert_int_equal(mcm_loop_deadline(loop), 0);
        run(loop);
        for (int i = 0; i < 1000; i++) {
            assert_int_equal(fates[i].calls, 1);
            assert_int_equal(fates[i].outcome, MCM_OK);
            assert_string_equal(fates[i].text, round == 0 ? "" : keys[i]);
        }
    }
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_loop_stats(loop, 0, &stats), 0);
    assert_int_equal(stats.created, 2);
    assert_int_equal(stats.outcomes[MCM_OK], 2000);
    mcm_loop_free(loop);
}

/* Far more than fits into the buffers of both ends: whoever only wrote would wait for ever. */
static void tens_of_thousands_of_requests_pass_through_a_unix_socket(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    struct memcached local;
    assert_true(memcached_start_unix(&local));
    struct mcm_server list = {.address = local.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &list;
    config.server_count = 1;
    config.lanes = 1;
    config.lane_in_flight_max = COUNT;
    struct mcm_loop *loop = mcm_loop_new(&config, NULL, 0);
    struct fate *fates = calloc(COUNT, sizeof(*fates));
    char(*buffers)[64] = calloc(COUNT, sizeof(*buffers));
    char value[60];
    memset(value, 'u', sizeof(value));
    struct fate stored;
    struct mcm_loop_call call = how(&stored, GENEROUS);
    struct mcm_slice slice = {value, sizeof(value)};
    assert_int_equal(mcm_loop_set(loop, &call, MCM_KEY("loop-u"), slice, 0), MCM_OK);
    for (int i = 0; i < COUNT; i++) {
        call = how(&fates[i], GENEROUS);
        assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-u"), buffers[i], 64), MCM_OK);
    }
    run(loop);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fates[i].outcome, MCM_OK);
        assert_memory_equal(buffers[i], value, sizeof(value));
    }
    free(fates);
    free(buffers);
    mcm_loop_free(loop);
    memcached_kill(&local);
}

static void all_commands_work_in_a_poll_loop_of_ones_own(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    struct fate add_fate, delete_fate;
    struct mcm_increment add = {.delta = 2, .create = true, .initial = 40};
    for (int i = 0; i < 2; i++) {
        struct mcm_loop_call call = how(&add_fate, GENEROUS);
        assert_int_equal(mcm_loop_increment(loop, &call, MCM_KEY("loop-n"), &add), MCM_OK);
        mcm_ns end = mcm_after(GENEROUS);
        while (mcm_loop_pending(loop) > 0 && mcm_after(0) < end) {
            struct pollfd pollfd = {.fd = mcm_loop_fd(loop), .events = POLLIN};
            poll(&pollfd, 1, mcm_loop_deadline(loop) == 0 ? 0 : 100);
            mcm_loop_process(loop);
        }
    }
    assert_int_equal(add_fate.number, 42);
    struct mcm_loop_call call = how(&delete_fate, GENEROUS);
    assert_int_equal(mcm_loop_delete(loop, &call, MCM_KEY("loop-n")), MCM_OK);
    run(loop);
    assert_int_equal(delete_fate.outcome, MCM_OK);
    assert_int_equal(get_text(loop, "loop-n", GENEROUS).outcome, MCM_MISS);
    mcm_loop_free(loop);
}

static void large_values_pass_both_ways(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    char *value = malloc(900000), *buffer = malloc(900000);
    memset(value, 'L', 900000);
    struct fate fate;
    struct mcm_loop_call call = how(&fate, GENEROUS);
    struct mcm_slice large = {value, 900000};
    assert_int_equal(mcm_loop_set(loop, &call, MCM_KEY("loop-l"), large, 0), MCM_OK);
    call = how(&fate, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-l"), buffer, 900000), MCM_OK);
    run(loop);
    assert_int_equal(fate.outcome, MCM_OK);
    assert_memory_equal(buffer, value, 900000);
    free(value);
    free(buffer);
    mcm_loop_free(loop);
}

static void bad_arguments_are_refused_without_a_callback(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    struct fate fate;
    struct mcm_loop_call call = how(&fate, GENEROUS);
    assert_int_equal(mcm_loop_delete(loop, &call, MCM_KEY("a b")), MCM_E_KEY);
    struct mcm_slice huge = {"", 2 << 20};
    assert_int_equal(mcm_loop_set(loop, &call, MCM_KEY("k"), huge, 0), MCM_E_TOO_BIG);
    assert_int_equal(mcm_loop_set(loop, &call, MCM_KEY("k"), MCM_KEY(""), UINT32_MAX), MCM_E_ARG);
    assert_int_equal(mcm_loop_pending(loop), 0);
    run(loop);
    assert_int_equal(fate.calls, 0);
    mcm_loop_free(loop);
}

static void a_hung_server_ends_requests_at_their_deadlines_in_order(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    set_text(loop, "loop-h", "x");
    memcached_pause(&server);
    struct fate fates[3];
    char buffers[3][8];
    mcm_ns spans[3] = {90 * MS, 30 * MS, 60 * MS};
    mcm_ns start = mcm_after(0);
    for (int i = 0; i < 3; i++) {
        struct mcm_loop_call call = how(&fates[i], spans[i]);
        assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-h"), buffers[i], 8), MCM_OK);
    }
    mcm_loop_run(loop, mcm_after(30 * MS));
    assert_int_equal(fates[1].calls, 1);
    run(loop);
    assert_true(mcm_after(0) - start < 90 * MS + SLACK);
    for (int i = 0; i < 3; i++)
        assert_string_equal(mcm_outcome_name(fates[i].outcome), "timeout_read");
    memcached_resume(&server);
    /* The late answers are swallowed, or the connection is replaced. */
    assert_string_equal(get_text(loop, "loop-h", GENEROUS).text, "x");
    mcm_loop_free(loop);
}

static void a_cancelled_request_calls_back_at_once_and_harms_nobody(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    set_text(loop, "loop-c", "x");
    struct fate queued, sent, other;
    char buffers[3][8];
    struct mcm_loop_call call = how(&queued, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-c"), buffers[0], 8), MCM_OK);
    assert_true(mcm_loop_cancel(loop, call.id));
    assert_false(mcm_loop_cancel(loop, call.id));
    assert_int_equal(queued.outcome, MCM_E_CANCELLED);
    call = how(&sent, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-c"), buffers[1], 8), MCM_OK);
    mcm_loop_process(loop);
    bool cancelled = mcm_loop_cancel(loop, call.id);
    assert_int_equal(sent.outcome, cancelled ? MCM_E_CANCELLED : MCM_OK);
    call = how(&other, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-c"), buffers[2], 8), MCM_OK);
    run(loop);
    assert_string_equal(other.text, "x");
    assert_int_equal(queued.calls + sent.calls + other.calls, 3);
    assert_false(mcm_loop_cancel(loop, 0));
    assert_false(mcm_loop_cancel(loop, UINT64_MAX));
    mcm_loop_free(loop);
}

static void cancel_and_go_on(void *arg, const struct mcm_result *result)
{
    struct fate *fate = arg;
    note(arg, result);
    if (fate->victim != 0)
        mcm_loop_cancel(fate->loop, fate->victim);
    if (fate->next != NULL) {
        struct mcm_loop_call call = how(fate->next, GENEROUS);
        assert_int_equal(mcm_loop_delete(fate->loop, &call, MCM_KEY("loop-absent")), MCM_OK);
    }
}

static void callbacks_may_submit_and_cancel(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    set_text(loop, "loop-r", "x");
    struct fate first, victim, later;
    char buffers[2][8];
    struct mcm_loop_call call = how(&first, GENEROUS);
    call.done = cancel_and_go_on;
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-r"), buffers[0], 8), MCM_OK);
    call = how(&victim, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-r"), buffers[1], 8), MCM_OK);
    first.loop = loop;
    first.victim = call.id;
    first.next = &later;
    run(loop);
    assert_int_equal(first.calls + victim.calls + later.calls, 3);
    assert_int_equal(later.outcome, MCM_NOT_FOUND);
    assert_true(victim.outcome == MCM_OK || victim.outcome == MCM_E_CANCELLED);
    mcm_loop_free(loop);
}

static void a_restarted_server_is_found_again(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    set_text(loop, "loop-k", "x");
    memcached_kill(&server);
    assert_string_equal(mcm_outcome_name(get_text(loop, "loop-k", GENEROUS).outcome),
                        "connect_refused");
    assert_true(memcached_restart(&server));
    assert_int_equal(get_text(loop, "loop-k", GENEROUS).outcome, MCM_MISS);
    memcached_kill(&server);
    assert_true(memcached_restart(&server));
    assert_int_equal(get_text(loop, "loop-k", GENEROUS).outcome, MCM_MISS);
    mcm_loop_free(loop);
}

static void the_breaker_refuses_at_submission(void **state)
{
    (void)state;
    struct mcm_breaker_settings breaker = {.consecutive_failures = 2, .open_ns = 60 * SEC};
    struct mcm_loop *loop = new_loop(1, &breaker);
    memcached_kill(&server);
    for (int i = 0; i < 2; i++)
        assert_int_equal(get_text(loop, "b", GENEROUS).outcome, MCM_E_CONNECT_REFUSED);
    struct fate fate;
    struct mcm_loop_call call = how(&fate, GENEROUS);
    assert_int_equal(mcm_loop_delete(loop, &call, MCM_KEY("b")), MCM_E_BREAKER_OPEN);
    assert_true(memcached_restart(&server));
    mcm_loop_free(loop);
}

static void freeing_ends_requests_with_their_callbacks(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    set_text(loop, "loop-f", "x");
    memcached_pause(&server);
    struct fate sent, queued;
    char buffers[2][8];
    struct mcm_loop_call call = how(&sent, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-f"), buffers[0], 8), MCM_OK);
    mcm_loop_process(loop);
    call = how(&queued, GENEROUS);
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("loop-f"), buffers[1], 8), MCM_OK);
    mcm_loop_free(loop);
    memcached_resume(&server);
    assert_string_equal(mcm_outcome_name(sent.outcome), "shutdown");
    assert_string_equal(mcm_outcome_name(queued.outcome), "shutdown");
    assert_int_equal(sent.calls + queued.calls, 2);
}

static void the_example_counts_to_ten(void **state)
{
    (void)state;
    const char *example = getenv("EXAMPLE_LOOP");
    if (example == NULL)
        skip();
    char command[512], line[64], last[64] = "";
    snprintf(command, sizeof(command), "'%s' %s", example, server.address);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof(line), output) != NULL)
        memcpy(last, line, sizeof(line));
    assert_int_equal(pclose(output), 0);
    assert_string_equal(last, "the counter is at 10\n");
}

static int start_server(void **state)
{
    (void)state;
    return memcached_start(&server) ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    memcached_kill(&server);
    return 0;
}

static const char *end_of(struct mcm_loop *loop, struct fate *fate, enum mcm_outcome submitted)
{
    if (submitted != MCM_OK)
        return mcm_outcome_name(submitted);
    run(loop);
    assert_int_equal(fate->calls, 1);
    return mcm_outcome_name(fate->outcome);
}

static const char *store(struct mcm_loop *loop, const char *key, const char *value,
                         struct mcm_store_options options)
{
    struct fate fate;
    struct mcm_loop_call call = how(&fate, GENEROUS);
    options.size = sizeof(options);
    return end_of(loop, &fate,
                  mcm_loop_store(loop, &call, mcm_slice_of_string(key), mcm_slice_of_string(value),
                                 &options));
}

static void every_command_on_a_key_is_possible(void **state)
{
    (void)state;
    if (!memcached_is_installed())
        skip();
    struct mcm_loop *loop = new_loop(2, NULL);
    struct fate fate;
    char buffer[64];
    struct mcm_loop_call call = how(&fate, GENEROUS);
    const char *key = "every";
    mcm_loop_delete(loop, &call, MCM_KEY(key));
    run(loop);
    assert_string_equal(
        store(loop, key, "b", (struct mcm_store_options){.mode = MCM_STORE_REPLACE}), "not_stored");
    assert_string_equal(store(loop, key, "b", (struct mcm_store_options){.mode = MCM_STORE_ADD}),
                        "ok");
    assert_string_equal(store(loop, key, "b", (struct mcm_store_options){.mode = MCM_STORE_ADD}),
                        "not_stored");
    assert_string_equal(store(loop, key, "c", (struct mcm_store_options){.mode = MCM_STORE_APPEND}),
                        "ok");
    assert_string_equal(
        store(loop, key, "a", (struct mcm_store_options){.mode = MCM_STORE_PREPEND}), "ok");

    struct mcm_get_options get = MCM_GET_OPTIONS_DEFAULT;
    get.want |= MCM_WANT_CAS;
    get.touch = true;
    get.ttl = 1000;
    call = how(&fate, GENEROUS);
    assert_string_equal(
        end_of(loop, &fate,
               mcm_loop_get_with(loop, &call, MCM_KEY(key), buffer, sizeof(buffer), &get)),
        "ok");
    assert_string_equal(fate.text, "abc");
    uint64_t cas = fate.cas;
    struct mcm_store_options unless_changed = {.compare = true, .cas = cas};
    assert_string_equal(store(loop, key, "new", unless_changed), "ok");
    assert_string_equal(store(loop, key, "newer", unless_changed), "exists");

    struct mcm_raw_request raw = {.command = MCM_RAW_GET, .key = MCM_KEY(key), .flags = "v t"};
    call = how(&fate, GENEROUS);
    assert_string_equal(
        end_of(loop, &fate, mcm_loop_raw(loop, &call, &raw, buffer, sizeof(buffer))), "ok");
    assert_string_equal(fate.text, "new");

    struct mcm_delete_options remove = MCM_DELETE_OPTIONS_DEFAULT;
    remove.compare = true;
    remove.cas = cas;
    call = how(&fate, GENEROUS);
    assert_string_equal(
        end_of(loop, &fate, mcm_loop_delete_with(loop, &call, MCM_KEY(key), &remove)), "exists");
    mcm_loop_free(loop);
}

static void what_a_loop_cannot_do_is_refused_at_once(void **state)
{
    (void)state;
    struct mcm_loop *loop = new_loop(1, NULL);
    struct fate fate;
    char buffer[8];
    struct mcm_loop_call call = how(&fate, GENEROUS);
    struct mcm_get_options unless = MCM_GET_OPTIONS_DEFAULT;
    unless.unless = true;
    assert_int_equal(mcm_loop_get_with(loop, &call, MCM_KEY("k"), buffer, sizeof(buffer), &unless),
                     MCM_E_UNSUPPORTED);
    struct mcm_raw_request quiet = {.command = MCM_RAW_GET, .key = MCM_KEY("k"), .flags = "v q"};
    assert_int_equal(mcm_loop_raw(loop, &call, &quiet, buffer, sizeof(buffer)), MCM_E_ARG);
    struct mcm_store_options wrong = {.size = 1};
    assert_int_equal(mcm_loop_store(loop, &call, MCM_KEY("k"), MCM_KEY("v"), &wrong), MCM_E_ARG);
    assert_int_equal(call.id, 0);
    assert_int_equal(mcm_loop_pending(loop), 0);
    mcm_loop_free(loop);
    assert_int_equal(fate.calls, 0);
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_on_a_key_is_possible),
        cmocka_unit_test(what_a_loop_cannot_do_is_refused_at_once),
        cmocka_unit_test(many_requests_share_one_write_and_answer_in_place),
        cmocka_unit_test(tens_of_thousands_of_requests_pass_through_a_unix_socket),
        cmocka_unit_test(all_commands_work_in_a_poll_loop_of_ones_own),
        cmocka_unit_test(large_values_pass_both_ways),
        cmocka_unit_test(bad_arguments_are_refused_without_a_callback),
        cmocka_unit_test(a_hung_server_ends_requests_at_their_deadlines_in_order),
        cmocka_unit_test(a_cancelled_request_calls_back_at_once_and_harms_nobody),
        cmocka_unit_test(callbacks_may_submit_and_cancel),
        cmocka_unit_test(a_restarted_server_is_found_again),
        cmocka_unit_test(the_breaker_refuses_at_submission),
        cmocka_unit_test(freeing_ends_requests_with_their_callbacks),
        cmocka_unit_test(the_example_counts_to_ten),
    };
    return cmocka_run_group_tests_name("mcmeta/loop", tests, start_server, stop_server);
}
