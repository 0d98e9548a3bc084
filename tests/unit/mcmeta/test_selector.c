/* SPDX-License-Identifier: MIT */
#include <mcmeta/selector.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mcmeta/selection.h"

#define KEYS 60000
#define SERVERS_MAX 101

static struct mcm_selector *selector_make(enum mcm_selector_kind kind,
                                          const struct mcm_selector_server *servers, size_t count)
{
    struct mcm_selector_config config = {.kind = kind, .servers = servers, .count = count};
    struct mcm_selector *s = mcm_selector_new(&config);
    assert_non_null(s);
    return s;
}

/* "s0", "s1" ... */
static const char *server_name(size_t i)
{
    static char names[SERVERS_MAX][8];
    snprintf(names[i], sizeof(names[i]), "s%zu", i);
    return names[i];
}

static void servers_make(struct mcm_selector_server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        servers[i] = (struct mcm_selector_server){.name = server_name(i), .weight = 1};
}

static size_t pick_nth(const struct mcm_selector *s, int n)
{
    char key[32];
    int size = snprintf(key, sizeof(key), "key-%d", n);
    return mcm_selector_pick(s, key, (size_t)size);
}

static const struct {
    const char *key;
    uint64_t hash;
    size_t at[5]; /* with 2, 3, 5, 10, 100 servers */
} vectors[] = {
    {"a", 0xe6c632b61e964e1f, {1, 1, 1, 8, 14}},
    {"foo", 0xab6e5f64077e7d8a, {1, 2, 2, 2, 37}},
    {"key-0", 0x819f6b51706f0178, {1, 1, 1, 1, 81}},
    {"key-1", 0x2d29f1336b0229f9, {1, 1, 1, 7, 65}},
    {"test-key-123", 0x9af015af86c4284e, {0, 0, 3, 3, 47}},
    {"user:42:profile", 0x1708121490da5675, {1, 1, 1, 9, 9}},
    {"consistent-key", 0x871725da8f38d117, {1, 1, 1, 1, 1}},
    {"0123456789012345678901234567890123456789", 0x13f02ebc1d293ad2, {1, 1, 1, 1, 31}},
    {NULL, 0xcbe178154c5428f3, {1, 1, 1, 1, 70}}, /* 250 times 'k' */
};

static void jump_agrees_with_the_published_vectors(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 3, 5, 10, 100};
    struct mcm_selector_server servers[SERVERS_MAX];
    char longest[251];
    memset(longest, 'k', 250);
    longest[250] = '\0';
    servers_make(servers, SERVERS_MAX);
    for (size_t c = 0; c < 5; c++) {
        struct mcm_selector *s = selector_make(MCM_SELECTOR_JUMP, servers, counts[c]);
        for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
            const char *key = vectors[v].key ? vectors[v].key : longest;
            assert_true(mcm_selector_hash(key, strlen(key)) == vectors[v].hash);
            assert_int_equal(mcm_selector_pick(s, key, strlen(key)), vectors[v].at[c]);
        }
        mcm_selector_free(s);
    }
}

static void modulo_is_crc32_modulo_count(void **state)
{
    (void)state;
    struct mcm_selector_server servers[SERVERS_MAX];
    servers_make(servers, SERVERS_MAX);
    struct mcm_selector *s = selector_make(MCM_SELECTOR_MODULO, servers, 100);
    assert_int_equal(mcm_selector_pick(s, "123456789", 9), 0xcbf43926u % 100);
    assert_int_equal(mcm_selector_pick(s, "", 0), 0);
    assert_int_equal(mcm_selector_pick(s, "a", 1), 0xe8b7be43u % 100);
    mcm_selector_free(s);
}

static void no_server_and_one_server_need_no_algorithm(void **state)
{
    (void)state;
    struct mcm_selector_server servers[1] = {{.name = "only"}};
    for (int kind = 0; kind < MCM_SELECTOR_CALLBACK; kind++) {
        struct mcm_selector *none = selector_make((enum mcm_selector_kind)kind, NULL, 0);
        assert_true(mcm_selector_pick(none, "k", 1) == MCM_SELECTOR_NONE);
        struct mcm_selector *one = selector_make((enum mcm_selector_kind)kind, servers, 1);
        assert_int_equal(mcm_selector_pick(one, "k", 1), 0);
        size_t out[3];
        assert_int_equal(mcm_selector_rank(none, "k", 1, out, 3), 0);
        assert_int_equal(mcm_selector_rank(one, "k", 1, out, 3), 1);
        mcm_selector_free(none);
        mcm_selector_free(one);
    }
}

/* Share of KEYS whose server (by name) differs between two lists, in per cent. */
static double moved(enum mcm_selector_kind kind, const struct mcm_selector_server *before,
                    size_t before_count, const struct mcm_selector_server *after,
                    size_t after_count)
{
    struct mcm_selector *a = selector_make(kind, before, before_count);
    struct mcm_selector *b = selector_make(kind, after, after_count);
    int count = 0;
    for (int i = 0; i < KEYS; i++)
        count += strcmp(before[pick_nth(a, i)].name, after[pick_nth(b, i)].name) != 0;
    mcm_selector_free(a);
    mcm_selector_free(b);
    return 100.0 * count / KEYS;
}

static double moved_by_removing(enum mcm_selector_kind kind, size_t index)
{
    struct mcm_selector_server before[10], after[9];
    servers_make(before, 10);
    for (size_t i = 0; i < 9; i++)
        after[i] = before[i < index ? i : i + 1];
    return moved(kind, before, 10, after, 9);
}

static double moved_by_adding(enum mcm_selector_kind kind)
{
    struct mcm_selector_server after[11];
    servers_make(after, 11);
    return moved(kind, after, 10, after, 11);
}

static double moved_by_swapping(enum mcm_selector_kind kind)
{
    struct mcm_selector_server before[10], after[10];
    servers_make(before, 10);
    memcpy(after, before, sizeof(after));
    after[2] = before[7];
    after[7] = before[2];
    return moved(kind, before, 10, after, 10);
}

static double max_to_mean(enum mcm_selector_kind kind)
{
    struct mcm_selector_server servers[10];
    int load[10] = {0}, most = 0;
    servers_make(servers, 10);
    struct mcm_selector *s = selector_make(kind, servers, 10);
    for (int i = 0; i < KEYS; i++)
        load[pick_nth(s, i)]++;
    for (int i = 0; i < 10; i++)
        most = load[i] > most ? load[i] : most;
    mcm_selector_free(s);
    return most / (KEYS / 10.0);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (value < expected - tolerance || value > expected + tolerance)
        fail_msg("%.3f instead of %.3f", value, expected);
}

static void keys_move_as_little_as_each_algorithm_promises(void **state)
{
    (void)state;
    static const struct {
        enum mcm_selector_kind kind;
        double load, last, middle, first, added, swapped;
    } rows[] = {
        {MCM_SELECTOR_RENDEZVOUS, 1.02, 10, 10, 10, 9.1, 0},
        {MCM_SELECTOR_JUMP, 1.03, 10, 49, 99, 9.1, 20},
        {MCM_SELECTOR_MODULO, 1.02, 90, 90, 90, 91, 20},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum mcm_selector_kind kind = rows[i].kind;
        assert_near(max_to_mean(kind), rows[i].load, 0.02);
        assert_near(moved_by_removing(kind, 9), rows[i].last, 1);
        assert_near(moved_by_removing(kind, 5), rows[i].middle, 2);
        assert_near(moved_by_removing(kind, 0), rows[i].first, 2);
        assert_near(moved_by_adding(kind), rows[i].added, 1);
        assert_near(moved_by_swapping(kind), rows[i].swapped, 1);
    }
    assert_true(moved_by_swapping(MCM_SELECTOR_RENDEZVOUS) == 0);
}

static void rendezvous_moves_only_the_keys_of_the_lost_server(void **state)
{
    (void)state;
    struct mcm_selector_server servers[10];
    servers_make(servers, 10);
    struct mcm_selector *before = selector_make(MCM_SELECTOR_RENDEZVOUS, servers, 10);
    struct mcm_selector *after = selector_make(MCM_SELECTOR_RENDEZVOUS, servers, 9);
    for (int i = 0; i < KEYS; i++) {
        if (pick_nth(before, i) != 9)
            assert_int_equal(pick_nth(before, i), pick_nth(after, i));
    }
    mcm_selector_free(before);
    mcm_selector_free(after);
}

static void rendezvous_gives_keys_in_proportion_to_weight(void **state)
{
    (void)state;
    const struct mcm_selector_server servers[] = {
        {"a", 1}, {"b", 2}, {"c", 3}, {"d", 0 /* is 1 */}, {"e", 5}};
    static const double share[] = {1, 2, 3, 1, 5};
    int load[5] = {0};
    struct mcm_selector *s = selector_make(MCM_SELECTOR_RENDEZVOUS, servers, 5);
    for (int i = 0; i < KEYS; i++)
        load[pick_nth(s, i)]++;
    for (int i = 0; i < 5; i++)
        assert_near((double)load[i] / KEYS, share[i] / 12, 0.006);
    mcm_selector_free(s);
}

static void a_heavier_server_only_wins_keys(void **state)
{
    (void)state;
    struct mcm_selector_server servers[4];
    servers_make(servers, 4);
    struct mcm_selector *even = selector_make(MCM_SELECTOR_RENDEZVOUS, servers, 4);
    servers[1].weight = 3;
    struct mcm_selector *odd = selector_make(MCM_SELECTOR_RENDEZVOUS, servers, 4);
    for (int i = 0; i < KEYS; i++) {
        if (pick_nth(odd, i) != 1)
            assert_int_equal(pick_nth(odd, i), pick_nth(even, i));
    }
    mcm_selector_free(even);
    mcm_selector_free(odd);
}

static void the_second_choice_is_where_the_key_goes_without_the_first(void **state)
{
    (void)state;
    struct mcm_selector_server all[5], rest[4];
    servers_make(all, 5);
    struct mcm_selector *s = selector_make(MCM_SELECTOR_RENDEZVOUS, all, 5);
    for (int i = 0; i < 200; i++) {
        char key[16];
        size_t size = (size_t)snprintf(key, sizeof(key), "key-%d", i), out[2];
        assert_int_equal(mcm_selector_rank(s, key, size, out, 2), 2);
        assert_int_equal(out[0], mcm_selector_pick(s, key, size));
        for (size_t k = 0, n = 0; k < 5; k++) {
            if (k != out[0])
                rest[n++] = all[k];
        }
        struct mcm_selector *without = selector_make(MCM_SELECTOR_RENDEZVOUS, rest, 4);
        assert_string_equal(rest[mcm_selector_pick(without, key, size)].name, all[out[1]].name);
        mcm_selector_free(without);
    }
    mcm_selector_free(s);
}

static void every_kind_ranks_all_servers_without_repeating(void **state)
{
    (void)state;
    struct mcm_selector_server servers[10];
    servers_make(servers, 10);
    for (int kind = 0; kind < MCM_SELECTOR_CALLBACK; kind++) {
        struct mcm_selector *s = selector_make((enum mcm_selector_kind)kind, servers, 10);
        for (int i = 0; i < 100; i++) {
            char key[16];
            size_t size = (size_t)snprintf(key, sizeof(key), "key-%d", i), out[12];
            assert_int_equal(mcm_selector_rank(s, key, size, out, 12), 10);
            assert_int_equal(out[0], mcm_selector_pick(s, key, size));
            unsigned seen = 0;
            for (int k = 0; k < 10; k++)
                seen |= 1u << out[k];
            assert_int_equal(seen, 0x3ff);
        }
        mcm_selector_free(s);
    }
}

static size_t choose(const void *key, size_t key_size, size_t count, void *arg)
{
    (void)key;
    (void)count;
    (void)key_size;
    return *(size_t *)arg;
}

static size_t pick(const struct mcm_selector *s, const char *key)
{
    return mcm_selector_pick(s, key, strlen(key));
}

/* Whatever the kind: as if the tag were the key. */
static void keys_with_the_same_hash_tag_share_a_server(void **state)
{
    (void)state;
    static const struct {
        const char *key, *decides;
    } cases[] = {
        {"user{42}name", "42"}, {"{42}", "42"},     {"a{42}b{43}", "42"}, {"x}{y}", "y"},
        {"{}empty", "{}empty"}, {"open{", "open{"}, {"}{", "}{"},         {"plain", "plain"},
    };
    static const enum mcm_selector_kind kinds[] = {MCM_SELECTOR_RENDEZVOUS, MCM_SELECTOR_JUMP,
                                                   MCM_SELECTOR_MODULO, MCM_SELECTOR_KETAMA};
    struct mcm_selector_server servers[] = {{"a:1", 1}, {"b:1", 1}, {"c:1", 1}, {"d:1", 1}};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        struct mcm_selector_config config = {.kind = kinds[k], .servers = servers, .count = 4};
        struct mcm_selector *plain = mcm_selector_new(&config);
        config.hash_tag = "{}";
        struct mcm_selector *tagged = mcm_selector_new(&config);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            size_t a[4], b[4];
            assert_int_equal(pick(tagged, cases[i].key), pick(plain, cases[i].decides));
            mcm_selector_rank(tagged, cases[i].key, strlen(cases[i].key), a, 4);
            mcm_selector_rank(plain, cases[i].decides, strlen(cases[i].decides), b, 4);
            assert_memory_equal(a, b, sizeof(a));
        }
        mcm_selector_free(plain);
        mcm_selector_free(tagged);
    }
}

static void a_hash_tag_is_two_characters(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "{", "{{}"};
    struct mcm_selector_server server = {"a", 1};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct mcm_selector_config config = {.servers = &server, .count = 1, .hash_tag = wrong[i]};
        assert_string_equal(mcm_selector_config_error(&config), "hash_tag must be two characters");
    }
}

static void a_callback_out_of_range_means_no_server(void **state)
{
    (void)state;
    struct mcm_selector_server servers[3];
    size_t choice = 2, out[3];
    servers_make(servers, 3);
    struct mcm_selector_config config = {.kind = MCM_SELECTOR_CALLBACK,
                                         .servers = servers,
                                         .count = 3,
                                         .callback = choose,
                                         .callback_arg = &choice};
    struct mcm_selector *s = mcm_selector_new(&config);
    assert_int_equal(mcm_selector_pick(s, "k", 1), 2);
    choice = 3;
    assert_true(mcm_selector_pick(s, "k", 1) == MCM_SELECTOR_NONE);
    assert_int_equal(mcm_selector_rank(s, "k", 1, out, 3), 0);
    mcm_selector_free(s);
}

static void unusable_configs_are_refused_with_a_reason(void **state)
{
    (void)state;
    const struct mcm_selector_server twins[] = {{"a", 1}, {"b", 1}, {"a", 1}};
    struct mcm_selector_config config = {.servers = twins, .count = 3};
    assert_non_null(mcm_selector_config_error(&config));
    assert_null(mcm_selector_new(&config));
    config.kind = MCM_SELECTOR_MODULO; /* repeated entries are its weights */
    assert_null(mcm_selector_config_error(&config));
    config.kind = MCM_SELECTOR_CALLBACK;
    assert_non_null(mcm_selector_config_error(&config));
    config.kind = MCM_SELECTOR_KIND_COUNT;
    assert_non_null(mcm_selector_config_error(&config));
    config = (struct mcm_selector_config){.count = MCM_SELECTOR_SERVERS_MAX + 1};
    assert_non_null(mcm_selector_config_error(&config));
}

static void kinds_are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < MCM_SELECTOR_KIND_COUNT; i++) {
        const char *name = mcm_selector_kind_name((enum mcm_selector_kind)i);
        assert_int_equal(mcm_selector_kind_by_name(name), i);
    }
    assert_int_equal(mcm_selector_kind_by_name("ring"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jump_agrees_with_the_published_vectors),
        cmocka_unit_test(modulo_is_crc32_modulo_count),
        cmocka_unit_test(no_server_and_one_server_need_no_algorithm),
        cmocka_unit_test(keys_move_as_little_as_each_algorithm_promises),
        cmocka_unit_test(rendezvous_moves_only_the_keys_of_the_lost_server),
        cmocka_unit_test(rendezvous_gives_keys_in_proportion_to_weight),
        cmocka_unit_test(a_heavier_server_only_wins_keys),
        cmocka_unit_test(the_second_choice_is_where_the_key_goes_without_the_first),
        cmocka_unit_test(every_kind_ranks_all_servers_without_repeating),
        cmocka_unit_test(keys_with_the_same_hash_tag_share_a_server),
        cmocka_unit_test(a_hash_tag_is_two_characters),
        cmocka_unit_test(a_callback_out_of_range_means_no_server),
        cmocka_unit_test(unusable_configs_are_refused_with_a_reason),
        cmocka_unit_test(kinds_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
