/* SPDX-License-Identifier: MIT */
/* The lines of docs/driver-protocol.md, as they are written and as they are read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "driver/wire.h"

static const char *const servers[] = {"127.0.0.1:1", "127.0.0.1:2"};
static const char *const names[] = {"node1", "node2"};
static const struct driver_config config = {
    .servers = servers,
    .names = names,
    .server_count = 2,
    .seed = 7,
    .workers = 3,
    .timeout_ns = 1500 * NS_PER_US,
    .pool_max = 10,
};

static void expect_line(struct wire_out *out, const char *line)
{
    assert_false(out->failed);
    wire_out_add(out, "", 1);
    assert_string_equal(out->data, line);
    wire_out_deinit(out);
}

static void hello_tells_the_settings_and_rounds_times_up(void **state)
{
    (void)state;
    struct wire_out out = {0};
    wire_hello(&out, &config, 2);
    expect_line(&out,
                "{\"op\":\"hello\",\"protocol\":1,\"process\":2,\"workers\":3,"
                "\"servers\":[\"127.0.0.1:1\",\"127.0.0.1:2\"],\"names\":[\"node1\",\"node2\"],"
                "\"timeout_ms\":2,\"connect_timeout_ms\":0,\"idle_max_ms\":0,"
                "\"lifetime_max_ms\":0,\"health_period_ms\":0,\"pool_max\":10,\"seed\":7}\n");
}

static void calls_hold_what_the_operation_needs(void **state)
{
    (void)state;
    struct wire_out out = {0};
    struct wire_call call = {
        .id = 7,
        .worker = 1,
        .timeout_ns = NS_PER_SEC,
        .key = "a\"\\\n\xff",
        .key_size = 5,
        .value = "foob",
        .value_size = 4,
        .ttl_s = 60,
        .delta = 5,
    };
    call.op = OP_GET;
    wire_call(&out, &call);
    expect_line(&out, "{\"op\":\"get\",\"id\":7,\"worker\":1,\"timeout_ms\":1000,"
                      "\"key\":\"a\\\"\\\\\\u000a\\u00ff\"}\n");
    call.key_size = 1;
    call.op = OP_SET;
    wire_call(&out, &call);
    expect_line(&out, "{\"op\":\"set\",\"id\":7,\"worker\":1,\"timeout_ms\":1000,\"key\":\"a\","
                      "\"ttl_s\":60,\"value\":\"Zm9vYg==\"}\n");
    call.op = OP_INCREMENT;
    wire_call(&out, &call);
    expect_line(&out,
                "{\"op\":\"increment\",\"id\":7,\"worker\":1,\"timeout_ms\":1000,\"key\":\"a\","
                "\"delta\":5,\"ttl_s\":60}\n");
    struct driver_item items[] = {{.key = "a", .key_size = 1, .value = "", .value_size = 0},
                                  {.key = "b", .key_size = 1, .value = "f", .value_size = 1}};
    call.items = items;
    call.count = 2;
    call.op = OP_MULTI_GET;
    wire_call(&out, &call);
    expect_line(&out, "{\"op\":\"multi_get\",\"id\":7,\"worker\":1,\"timeout_ms\":1000,"
                      "\"items\":[{\"key\":\"a\"},{\"key\":\"b\"}]}\n");
    call.op = OP_MULTI_SET;
    wire_call(&out, &call);
    expect_line(&out, "{\"op\":\"multi_set\",\"id\":7,\"worker\":1,\"timeout_ms\":1000,\"items\":["
                      "{\"key\":\"a\",\"ttl_s\":0,\"value\":\"\"},"
                      "{\"key\":\"b\",\"ttl_s\":0,\"value\":\"Zg==\"}]}\n");
}

static int read_line(const char *line, struct wire_record *record, struct err *err)
{
    return wire_read(line, strlen(line), record, err);
}

static void records_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum wire_kind kind;
        uint64_t id;
        ns_t at;
    } rows[] = {
        {"{\"hello\":1}", WIRE_HELLO, 0, 0},
        {"{\"begin\":7,\"at_ns\":12}", WIRE_BEGIN, 7, 12},
        {" {\"at_ns\": 1.5e3, \"end\": 8, \"outcome\": \"miss\"} ", WIRE_END, 8, 1500},
        {"{\"stats\":[]}", WIRE_STATS, 0, 0},
        {"{\"bye\":true}", WIRE_BYE, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_record record;
        struct err err;
        assert_int_equal(read_line(rows[i].line, &record, &err), 0);
        assert_int_equal(record.kind, rows[i].kind);
        assert_int_equal(record.id, rows[i].id);
        assert_int_equal(record.at_ns, rows[i].at);
        json_decref(record.root);
    }
}

static void lines_that_are_none_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "not JSON"},
        {"hello", "not JSON"},
        {"{\"end\":1", "not JSON"},
        {"[1]", "must be a JSON object"},
        {"{}", "must have one of"},
        {"{\"op\":\"get\"}", "must have one of"},
        {"{\"end\":\"7\",\"at_ns\":1}", "must be the id"},
        {"{\"end\":-7,\"at_ns\":1}", "must be the id"},
        {"{\"begin\":7}", "needs \"at_ns\""},
        {"{\"begin\":7,\"at_ns\":\"1\"}", "needs \"at_ns\""},
        {"{\"begin\":7,\"at_ns\":1e30}", "needs \"at_ns\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_record record;
        struct err err = {""};
        assert_int_equal(read_line(rows[i][0], &record, &err), -1);
        assert_non_null(strstr(err.text, rows[i][1]));
    }
}

static void hello_is_read_or_says_what_is_missing(void **state)
{
    (void)state;
    static const char good[] =
        "{\"hello\":1,\"client\":\"c "
        "1\\n\",\"runtime\":\"r\",\"processes\":\"per_worker\",\"operations\":"
        "[\"get\",\"set\",\"delete\",\"stats\"],\"honours\":[\"a\",\"b\"],\"promises\":{\"z\":1,"
        "\"a\":2}}";
    static const char *const bad[][2] = {
        {"{\"hello\":2}", "protocol must be 1"},
        {"{\"hello\":1}", "\"client\""},
        {"{\"hello\":1,\"client\":\"c\"}", "\"processes\""},
        {"{\"hello\":1,\"client\":\"c\",\"processes\":\"one\",\"operations\":[\"get\"]}",
         "at least"},
        {"{\"hello\":1,\"client\":\"c\",\"processes\":\"one\",\"operations\":[\"fly\"]}",
         "\"fly\""},
    };
    struct wire_about about;
    struct err err;
    json_t *root = json_loads(good, 0, NULL);
    assert_int_equal(wire_read_hello(root, &about, &err), 0);
    json_decref(root);
    assert_string_equal(about.client, "c 1 ");
    assert_string_equal(about.runtime, "r");
    assert_string_equal(about.honours, "a, b");
    assert_string_equal(about.promises, "{\"a\": 2, \"z\": 1}");
    assert_true(about.per_worker && about.stats);
    assert_int_equal(about.ops, 1 << OP_GET | 1 << OP_SET | 1 << OP_DELETE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        root = json_loads(bad[i][0], 0, NULL);
        assert_int_equal(wire_read_hello(root, &about, &err), -1);
        json_decref(root);
        assert_non_null(strstr(err.text, bad[i][1]));
    }
}

static void ends_must_fit_the_operation(void **state)
{
    (void)state;
    static const struct {
        enum op op;
        const char *line;
        int outcome; /* -1: refused, because of `why` */
        uint32_t node;
        const char *why;
    } rows[] = {
        {OP_GET, "{\"outcome\":\"hit\",\"value\":\"\",\"node\":1}", OUTCOME_HIT, 1, ""},
        {OP_GET, "{\"outcome\":\"miss\",\"node\":\"127.0.0.1:2\"}", OUTCOME_MISS, 1, ""},
        {OP_GET, "{\"outcome\":\"refused\",\"node\":null}", OUTCOME_REFUSED, UINT32_MAX, ""},
        {OP_INCREMENT, "{\"outcome\":\"ok\",\"number\":5}", OUTCOME_OK, UINT32_MAX, ""},
        {OP_ADD, "{\"outcome\":\"not_stored\"}", OUTCOME_NOT_STORED, UINT32_MAX, ""},
        {OP_GET, "{\"outcome\":\"hit\"}", -1, 0, "needs \"value\""},
        {OP_INCREMENT, "{\"outcome\":\"ok\"}", -1, 0, "needs \"number\""},
        {OP_GET, "{\"outcome\":\"stored\"}", -1, 0, "get cannot end"},
        {OP_SET, "{\"outcome\":\"hit\",\"value\":\"\"}", -1, 0, "set cannot end"},
        {OP_GET, "{\"outcome\":\"stale\"}", -1, 0, "cannot end"},
        {OP_GET, "{\"outcome\":\"great\"}", -1, 0, "\"great\""},
        {OP_GET, "{}", -1, 0, "\"nothing\""},
        {OP_GET, "{\"outcome\":\"miss\",\"node\":2}", -1, 0, "\"node\""},
        {OP_GET, "{\"outcome\":\"miss\",\"node\":\"elsewhere\"}", -1, 0, "\"node\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_end end;
        struct err err = {""};
        json_t *root = json_loads(rows[i].line, 0, NULL);
        int rc = wire_read_end(root, rows[i].op, &config, &end, &err);
        assert_int_equal(rc, rows[i].outcome < 0 ? -1 : 0);
        if (rc == 0) {
            assert_int_equal(end.outcome, rows[i].outcome);
            assert_int_equal(end.node, rows[i].node);
        } else {
            assert_non_null(strstr(err.text, rows[i].why));
        }
        json_decref(root);
    }
}

static void without_a_node_it_is_the_only_one(void **state)
{
    (void)state;
    struct driver_config one = config;
    struct wire_end end;
    struct err err;
    one.server_count = 1;
    json_t *root = json_loads("{\"outcome\":\"miss\"}", 0, NULL);
    assert_int_equal(wire_read_end(root, OP_GET, &one, &end, &err), 0);
    assert_int_equal(end.node, 0);
    json_decref(root);
}

static void a_batch_has_an_item_per_key_or_one_outcome_for_all(void **state)
{
    (void)state;
    struct wire_end end;
    struct err err;
    json_t *root = json_loads(
        "{\"items\":[{\"outcome\":\"miss\"},{\"outcome\":\"hit\",\"value\":\"Zg==\"}]}", 0, NULL);
    assert_int_equal(wire_read_item(root, OP_MULTI_GET, &config, 1, 2, &end, &err), 0);
    assert_int_equal(end.outcome, OUTCOME_HIT);
    assert_string_equal(end.value, "Zg==");
    assert_int_equal(wire_read_item(root, OP_MULTI_GET, &config, 0, 3, &end, &err), -1);
    assert_non_null(strstr(err.text, "2 entries for 3 keys"));
    json_decref(root);
    root = json_loads("{\"outcome\":\"io_timeout\"}", 0, NULL);
    assert_int_equal(wire_read_item(root, OP_MULTI_GET, &config, 5, 9, &end, &err), 0);
    assert_int_equal(end.outcome, OUTCOME_IO_TIMEOUT);
    json_decref(root);
}

static void stats_tell_pools_and_breakers(void **state)
{
    (void)state;
    struct node_stats stats[2];
    struct err err;
    json_t *root = json_loads(
        "{\"stats\":[{\"active\":1,\"idle\":2,\"waiting\":3,\"breaker\":\"open\"},{},{}]}", 0,
        NULL);
    assert_int_equal(wire_read_stats(root, stats, 2, &err), 2);
    assert_int_equal(stats[0].pool_total, 3);
    assert_int_equal(stats[0].pool_waiting, 3);
    assert_int_equal(stats[0].breaker, BREAKER_VIEW_OPEN);
    assert_int_equal(stats[1].breaker, BREAKER_VIEW_NONE);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_tells_the_settings_and_rounds_times_up),
        cmocka_unit_test(calls_hold_what_the_operation_needs),
        cmocka_unit_test(records_are_told_apart),
        cmocka_unit_test(lines_that_are_none_are_refused_with_a_reason),
        cmocka_unit_test(hello_is_read_or_says_what_is_missing),
        cmocka_unit_test(ends_must_fit_the_operation),
        cmocka_unit_test(without_a_node_it_is_the_only_one),
        cmocka_unit_test(a_batch_has_an_item_per_key_or_one_outcome_for_all),
        cmocka_unit_test(stats_tell_pools_and_breakers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
