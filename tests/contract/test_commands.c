/* SPDX-License-Identifier: MIT */
/* Every command on one key, leases, raw requests and server calls against a real memcached. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define SEC INT64_C(1000000000)
#define SOON mcm_after(20 * SEC)

static struct memcached server;
static struct mcm_client *client;
static struct mcm_result result;
static char buffer[256];

#define EXPECT(call, outcome) assert_string_equal(mcm_outcome_name(call), outcome)

static struct mcm_client *client_with(enum mcm_key_rule keys, bool allow_flush)
{
    struct mcm_server list = {.address = server.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &list;
    config.server_count = 1;
    config.connections_max = 2;
    config.connect_timeout = 5 * SEC;
    config.keys = keys;
    config.allow_flush = allow_flush;
    struct mcm_client *made = mcm_client_new(&config, NULL, 0);
    assert_non_null(made);
    return made;
}

static struct mcm_server_stats stats_of(struct mcm_client *of)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(of, 0, &stats), 0);
    return stats;
}

static enum mcm_outcome get(const char *key)
{
    return mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), SOON, &result);
}

static void expect_text(const char *key, const char *value)
{
    EXPECT(get(key), "ok");
    assert_int_equal(result.value.size, strlen(value));
    assert_memory_equal(result.value.data, value, strlen(value));
}

static void set(const char *key, const char *value)
{
    EXPECT(mcm_set(client, MCM_KEY(key), MCM_KEY(value), 0, SOON, &result), "ok");
}

static void stores_under_every_condition(void **state)
{
    (void)state;
    EXPECT(mcm_replace(client, MCM_KEY("m"), MCM_KEY("x"), 0, SOON, &result), "not_stored");
    EXPECT(mcm_append(client, MCM_KEY("m"), MCM_KEY("x"), SOON, &result), "not_stored");
    EXPECT(mcm_add(client, MCM_KEY("m"), MCM_KEY("b"), 0, SOON, &result), "ok");
    EXPECT(mcm_add(client, MCM_KEY("m"), MCM_KEY("x"), 0, SOON, &result), "not_stored");
    EXPECT(mcm_append(client, MCM_KEY("m"), MCM_KEY("c"), SOON, &result), "ok");
    EXPECT(mcm_prepend(client, MCM_KEY("m"), MCM_KEY("a"), SOON, &result), "ok");
    expect_text("m", "abc");
    uint64_t cas = result.cas;
    EXPECT(mcm_replace(client, MCM_KEY("m"), MCM_KEY("new"), 0, SOON, &result), "ok");
    EXPECT(mcm_cas(client, MCM_KEY("m"), MCM_KEY("late"), cas, 0, SOON, &result), "exists");
    expect_text("m", "new");
    EXPECT(mcm_cas(client, MCM_KEY("m"), MCM_KEY("right"), result.cas, 0, SOON, &result), "ok");
    expect_text("m", "right");
    EXPECT(mcm_cas(client, MCM_KEY("absent"), MCM_KEY("x"), 1, 0, SOON, &result), "not_found");
}

static void tells_everything_about_an_item(void **state)
{
    (void)state;
    struct mcm_store_options store = MCM_STORE_OPTIONS_DEFAULT;
    store.ttl = 100;
    store.client_flags = 77;
    EXPECT(mcm_store(client, MCM_KEY("i"), MCM_KEY("12345"), &store, SOON, &result), "ok");
    struct mcm_get_options all = MCM_GET_OPTIONS_DEFAULT;
    all.want = MCM_WANT_ALL;
    EXPECT(mcm_get_with(client, MCM_KEY("i"), buffer, 256, &all, SOON, &result), "ok");
    assert_int_equal(result.client_flags, 77);
    assert_int_equal(result.value_size, 5);
    assert_true(result.ttl_s > 90 && result.ttl_s <= 100);
    assert_false(result.hit_before);
    assert_true(result.cas != 0 && !result.won && !result.stale && !result.taken);
    all.want &= ~(unsigned)MCM_WANT_VALUE;
    EXPECT(mcm_get_with(client, MCM_KEY("i"), NULL, 0, &all, SOON, &result), "ok");
    assert_int_equal(result.value_size, 5);
    assert_int_equal(result.value.size, 0);
    assert_true(result.hit_before && result.last_access_s < 10);
    all.want = 1u << 20;
    EXPECT(mcm_get_with(client, MCM_KEY("i"), NULL, 0, &all, SOON, &result), "arg_invalid");
}

static void touches_and_expires(void **state)
{
    (void)state;
    struct mcm_get_options ttl = {.size = sizeof(ttl), .want = MCM_WANT_TTL};
    set("t", "v");
    EXPECT(mcm_touch(client, MCM_KEY("absent"), 5, SOON, &result), "miss");
    EXPECT(mcm_touch(client, MCM_KEY("t"), 500, SOON, &result), "ok");
    EXPECT(mcm_get_with(client, MCM_KEY("t"), NULL, 0, &ttl, SOON, &result), "ok");
    assert_true(result.ttl_s > 490);
    ttl.touch = true;
    ttl.ttl = 50;
    EXPECT(mcm_get_with(client, MCM_KEY("t"), NULL, 0, &ttl, SOON, &result), "ok");
    assert_true(result.ttl_s > 40 && result.ttl_s <= 50);
    EXPECT(mcm_get_and_touch(client, MCM_KEY("t"), 0, buffer, 256, SOON, &result), "ok");
    assert_int_equal(result.value.size, 1);
    ttl.touch = false;
    EXPECT(mcm_get_with(client, MCM_KEY("t"), NULL, 0, &ttl, SOON, &result), "ok");
    assert_int_equal(result.ttl_s, -1);
    /* Already expired, and never. */
    EXPECT(mcm_touch(client, MCM_KEY("t"), mcm_ttl_at(1000, NULL), SOON, &result), "ok");
    EXPECT(get("t"), "miss");
    bool clamped;
    uint32_t late = mcm_ttl_at(INT64_C(1) << 33, &clamped);
    assert_true(clamped);
    EXPECT(mcm_set(client, MCM_KEY("t"), MCM_KEY("v"), late, SOON, &result), "ok");
    EXPECT(get("t"), "ok");
}

static void deletes_under_conditions(void **state)
{
    (void)state;
    struct mcm_delete_options options = MCM_DELETE_OPTIONS_DEFAULT;
    set("d", "1");
    options.compare = true;
    options.cas = result.cas;
    set("d", "2");
    EXPECT(mcm_delete_with(client, MCM_KEY("d"), &options, SOON, &result), "exists");
    expect_text("d", "2");
    options.cas = result.cas;
    EXPECT(mcm_delete_with(client, MCM_KEY("d"), &options, SOON, &result), "ok");
    EXPECT(get("d"), "miss");
}

static void counts_up_and_down_in_64_bits(void **state)
{
    (void)state;
    struct mcm_increment down = {.delta = 1, .decrement = true};
    EXPECT(mcm_counter(client, MCM_KEY("c"), SOON, &result), "not_found");
    set("c", "100");
    EXPECT(mcm_increment(client, MCM_KEY("c"), &down, SOON, &result), "ok");
    assert_int_equal(result.number, 99);
    expect_text("c", "99 ");
    EXPECT(mcm_counter(client, MCM_KEY("c"), SOON, &result), "ok");
    assert_int_equal(result.number, 99);
    set("c", "18446744073709551615");
    EXPECT(mcm_counter(client, MCM_KEY("c"), SOON, &result), "ok");
    assert_true(result.number == UINT64_MAX);
    set("c", "text");
    uint64_t created = stats_of(client).created;
    EXPECT(mcm_counter(client, MCM_KEY("c"), SOON, &result), "client_error");
    expect_text("c", "text");
    assert_int_equal(stats_of(client).created, created);
}

static void leases_let_one_caller_fill(void **state)
{
    (void)state;
    struct mcm_slice key = MCM_KEY("lease");
    struct mcm_lease_options options = MCM_LEASE_OPTIONS_DEFAULT;
    struct mcm_fill fill, other;
    options.patience = 0;
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &fill, &result),
                     MCM_LEASE_WON_MISS);
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &other, &result),
                     MCM_LEASE_WAIT);
    EXPECT(mcm_fill(client, key, MCM_KEY("x"), &other, 0, SOON, &result), "arg_invalid");
    EXPECT(mcm_fill_failed(client, key, &fill, SOON, &result), "ok");
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &fill, &result),
                     MCM_LEASE_WON_MISS);
    EXPECT(mcm_fill(client, key, MCM_KEY("value"), &fill, 100, SOON, &result), "ok");
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &other, &result),
                     MCM_LEASE_HIT);
    assert_int_equal(result.value.size, 5);
    EXPECT(mcm_fill(client, key, MCM_KEY("again"), &fill, 100, SOON, &result), "exists");
    EXPECT(mcm_invalidate(client, key, 60, SOON, &result), "ok");
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &fill, &result),
                     MCM_LEASE_WON_STALE);
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &other, &result),
                     MCM_LEASE_HIT_STALE);
    assert_int_equal(result.value.size, 5);
    EXPECT(mcm_fill(client, key, MCM_KEY("newer"), &fill, 10, SOON, &result), "ok");
    /* About to expire: one caller makes it anew, all have the value. */
    options.recache_below = 60;
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &fill, &result),
                     MCM_LEASE_WON_STALE);
    assert_int_equal(mcm_get_or_lease(client, key, buffer, 256, &options, SOON, &other, &result),
                     MCM_LEASE_HIT_STALE);
    EXPECT(mcm_delete(client, key, SOON, &result), "ok");
    EXPECT(mcm_fill(client, key, MCM_KEY("added"), &fill, 100, SOON, &result), "ok");
    expect_text("lease", "added");
}

static void raw_requests_are_checked_and_cost_the_connection_when_wrong(void **state)
{
    (void)state;
    struct mcm_raw_request raw = {MCM_RAW_SET, MCM_KEY("raw"), MCM_KEY("abc"), "T90 F5 c"};
    EXPECT(mcm_raw(client, &raw, NULL, 0, SOON, &result), "ok");
    assert_true(result.cas != 0);
    raw = (struct mcm_raw_request){MCM_RAW_GET, MCM_KEY("raw"), {0}, "t f v s k P1 Lx"};
    EXPECT(mcm_raw(client, &raw, buffer, 256, SOON, &result), "ok");
    assert_true(result.value.size == 3 && result.client_flags == 5 && result.ttl_s > 80);
    static const char *const bad[] = {"v\r\nmn", "v  t", " v", "v ", "1", "O123", "q", "v\x7f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        raw.flags = bad[i];
        EXPECT(mcm_raw(client, &raw, buffer, 256, SOON, &result), "arg_invalid");
        assert_false(result.sent);
    }
    uint64_t destroyed = stats_of(client).destroyed;
    raw = (struct mcm_raw_request){MCM_RAW_ARITHMETIC, MCM_KEY("raw"), {0}, "D-1"};
    EXPECT(mcm_raw(client, &raw, buffer, 256, SOON, &result), "client_error");
    assert_int_equal(stats_of(client).destroyed, destroyed + 1);
    set("rawn", "5");
    raw = (struct mcm_raw_request){MCM_RAW_ARITHMETIC, MCM_KEY("rawn"), {0}, "v D10 MI"};
    EXPECT(mcm_raw(client, &raw, buffer, 256, SOON, &result), "ok");
    assert_int_equal(result.number, 15);
    raw = (struct mcm_raw_request){MCM_RAW_DELETE, MCM_KEY("rawn"), {0}, ""};
    EXPECT(mcm_raw(client, &raw, NULL, 0, SOON, &result), "ok");
}

static void keys_follow_the_rule_of_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool allowed[4]; /* by enum mcm_key_rule */
    } keys[] = {
        {"plain", {true, true, true, true}},  {"\xc3\xa4", {true, false, true, true}},
        {"a b", {false, false, false, true}}, {"a\r\nmn", {false, false, false, true}},
        {"\x01", {false, false, true, true}}, {"", {false, false, false, false}},
    };
    for (int rule = MCM_KEYS_DEFAULT; rule <= MCM_KEYS_AUTO_BASE64; rule++) {
        struct mcm_client *own = client_with((enum mcm_key_rule)rule, false);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            struct mcm_slice key = MCM_KEY(keys[i].key);
            const char *expected = keys[i].allowed[rule] ? "ok" : "key_invalid";
            EXPECT(mcm_set(own, key, key, 0, SOON, &result), expected);
            EXPECT(mcm_get(own, key, buffer, 256, SOON, &result), expected);
            if (keys[i].allowed[rule])
                assert_memory_equal(buffer, keys[i].key, key.size);
        }
        mcm_client_free(own);
    }
}

struct seen {
    unsigned pairs;
    bool has_version, has_cas;
};

static void see(void *arg, const char *name, const char *value)
{
    struct seen *seen = arg;
    seen->pairs++;
    seen->has_version |= strcmp(name, "version") == 0 && value[0] == '1';
    seen->has_cas |= strcmp(name, "cas") == 0 && strtoull(value, NULL, 10) > 0;
}

static void asks_servers(void **state)
{
    (void)state;
    struct seen general = {0}, settings = {0}, item = {0};
    char version[MCM_VERSION_SIZE];
    EXPECT(mcm_server_info(client, 0, NULL, see, &general, SOON, &result), "ok");
    assert_true(general.pairs > 20 && general.has_version);
    EXPECT(mcm_server_info(client, 0, "settings", see, &settings, SOON, &result), "ok");
    assert_true(settings.pairs > 20);
    EXPECT(mcm_server_info(client, 0, "items\r\nmn", see, &general, SOON, &result), "arg_invalid");
    EXPECT(mcm_server_info(client, 7, NULL, see, &general, SOON, &result), "arg_invalid");
    EXPECT(mcm_server_version(client, 0, version, SOON, &result), "ok");
    assert_memory_equal(version, "1.", 2);
    set("debug", "v");
    EXPECT(mcm_debug(client, MCM_KEY("debug"), see, &item, SOON, &result), "ok");
    assert_true(item.pairs >= 6 && item.has_cas);
    EXPECT(mcm_debug(client, MCM_KEY("absent"), see, &item, SOON, &result), "miss");
}

static void features_that_a_server_lacks_are_refused_here(void **state)
{
    (void)state;
    assert_int_equal(mcm_version_capabilities("1.6.18"), 0);
    assert_int_equal(mcm_version_capabilities("1.6.19"), 0);
    assert_int_equal(mcm_version_capabilities("1.6.20"), MCM_CAN_APPEND_VIVIFY);
    assert_int_equal(mcm_version_capabilities("1.6.26"), MCM_CAN_APPEND_VIVIFY);
    assert_int_equal(mcm_version_capabilities("1.6.27"),
                     MCM_CAN_APPEND_VIVIFY | MCM_CAN_NEW_CAS | MCM_CAN_DROP_VALUE);
    assert_int_equal(mcm_version_capabilities("1.6.44"), 15 & ~MCM_CAN_GET_UNLESS);
    assert_int_equal(mcm_version_capabilities("1.6.45"), 15);
    assert_int_equal(mcm_version_capabilities("1.7.0-beta"), 15);
    assert_int_equal(mcm_version_capabilities("2.0.0"), 15);
    assert_int_equal(mcm_version_capabilities("nonsense"), 0);
    char version[MCM_VERSION_SIZE];
    struct mcm_store_options append = MCM_STORE_OPTIONS_DEFAULT;
    append.mode = MCM_STORE_APPEND;
    append.vivify = true;
    append.vivify_ttl = 60;
    mcm_server_version(client, 0, version, SOON, &result);
    bool able = mcm_version_capabilities(version) & MCM_CAN_APPEND_VIVIFY;
    EXPECT(mcm_store(client, MCM_KEY("vivid"), MCM_KEY("v"), &append, SOON, &result),
           able ? "ok" : "unsupported");
    EXPECT(get("vivid"), able ? "ok" : "miss");
    append.mode = MCM_STORE_SET;
    EXPECT(mcm_store(client, MCM_KEY("v"), MCM_KEY("v"), &append, SOON, &result), "arg_invalid");
}

static void flushing_needs_permission(void **state)
{
    (void)state;
    struct mcm_client *own = client_with(MCM_KEYS_DEFAULT, true);
    set("f", "v");
    EXPECT(mcm_flush(client, 0, 0, SOON, &result), "arg_invalid");
    EXPECT(get("f"), "ok");
    EXPECT(mcm_flush(own, 0, 0, SOON, &result), "ok");
    EXPECT(get("f"), "miss");
    mcm_client_free(own);
}

static void traffic_is_counted_by_kind(void **state)
{
    (void)state;
    struct mcm_client *own = client_with(MCM_KEYS_DEFAULT, false);
    mcm_set(own, MCM_KEY("s"), MCM_KEY("12345"), 0, SOON, &result);
    mcm_get(own, MCM_KEY("s"), buffer, 256, SOON, &result);
    mcm_get(own, MCM_KEY("absent"), buffer, 256, SOON, &result);
    mcm_delete(own, MCM_KEY("s"), SOON, &result);
    struct mcm_server_stats stats = stats_of(own);
    assert_int_equal(stats.operations[MCM_OPERATION_GET], 2);
    assert_int_equal(stats.operations[MCM_OPERATION_STORE], 1);
    assert_int_equal(stats.operations[MCM_OPERATION_DELETE], 1);
    assert_true(stats.hits == 1 && stats.misses == 1);
    assert_true(stats.bytes_sent == 5 && stats.bytes_received == 5);
    assert_string_equal(mcm_operation_name(MCM_OPERATION_STORE), "store");
    mcm_client_free(own);
}

static void the_examples_run(void **state)
{
    (void)state;
    static const char *const variables[] = {"EXAMPLE_BATCH", "EXAMPLE_LEASE"};
    for (int i = 0; i < 2; i++) {
        char command[512];
        const char *program = getenv(variables[i]);
        if (program == NULL)
            continue;
        snprintf(command, sizeof(command), "%s %s", program, server.address);
        int status = system(command);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static int start_server(void **state)
{
    (void)state;
    if (!memcached_start(&server))
        return -1;
    client = client_with(MCM_KEYS_DEFAULT, false);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    mcm_client_free(client);
    memcached_kill(&server);
    return 0;
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_under_every_condition),
        cmocka_unit_test(tells_everything_about_an_item),
        cmocka_unit_test(touches_and_expires),
        cmocka_unit_test(deletes_under_conditions),
        cmocka_unit_test(counts_up_and_down_in_64_bits),
        cmocka_unit_test(leases_let_one_caller_fill),
        cmocka_unit_test(raw_requests_are_checked_and_cost_the_connection_when_wrong),
        cmocka_unit_test(keys_follow_the_rule_of_the_client),
        cmocka_unit_test(asks_servers),
        cmocka_unit_test(features_that_a_server_lacks_are_refused_here),
        cmocka_unit_test(flushing_needs_permission),
        cmocka_unit_test(traffic_is_counted_by_kind),
        cmocka_unit_test(the_examples_run),
    };
    return cmocka_run_group_tests_name("mcmeta/commands", tests, start_server, stop_server);
}
