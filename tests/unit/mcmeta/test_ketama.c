/* SPDX-License-Identifier: MIT */
/*
 * Rings against libmemcached where it is installed, and always against numbers that were computed
 * with it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBMEMCACHED
#include <libmemcached/memcached.h>
#endif

#include <mcmeta/selector.h>

#include "mcmeta/md5.h"

#define SERVERS_MAX 6
#define KEYS 4000

struct fleet {
    const char *title;
    size_t count;
    struct {
        const char *host;
        int port;
        uint32_t weight;
    } servers[SERVERS_MAX];
};

static const struct fleet fleets[] = {
    {"default ports", 3, {{"10.0.1.1", 11211, 1}, {"10.0.1.2", 11211, 1}, {"10.0.1.3", 11211, 1}}},
    {"other ports", 2, {{"10.0.1.1", 11212, 1}, {"10.0.1.1", 11213, 1}}},
    {"weights", 4, {{"a.x", 11211, 600}, {"b.x", 11211, 300}, {"c.x", 1, 200}, {"d.x", 2, 350}}},
    {"six", 6, {{"a", 1, 1}, {"b", 2, 1}, {"c", 3, 2}, {"d", 4, 3}, {"e", 5, 1}, {"f", 11211, 7}}},
};
#define EQUAL_FLEETS 2 /* the first have no weights */
#define FLEETS (sizeof(fleets) / sizeof(fleets[0]))

static struct mcm_selector *selector_of(const struct fleet *fleet, enum mcm_selector_kind kind)
{
    char names[SERVERS_MAX][64];
    struct mcm_selector_server servers[SERVERS_MAX];
    for (size_t i = 0; i < fleet->count; i++) {
        snprintf(names[i], sizeof(names[i]), "%s:%d", fleet->servers[i].host,
                 fleet->servers[i].port);
        servers[i] = (struct mcm_selector_server){names[i], fleet->servers[i].weight};
    }
    struct mcm_selector_config config = {.kind = kind, .servers = servers, .count = fleet->count};
    struct mcm_selector *selector = mcm_selector_new(&config);
    assert_non_null(selector);
    return selector;
}

static void md5_has_the_digests_of_its_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t digest[4];
        char text[33];
        mcm_md5(cases[i].text, strlen(cases[i].text), digest);
        for (unsigned byte = 0; byte < 16; byte++)
            snprintf(text + 2 * byte, 3, "%02x", digest[byte / 4] >> (byte % 4 * 8) & 0xffu);
        assert_string_equal(text, cases[i].digest);
    }
}

#ifdef HAVE_LIBMEMCACHED
static void set_up_oracle(memcached_st *oracle, enum mcm_selector_kind kind)
{
    memcached_behavior_set(oracle, MEMCACHED_BEHAVIOR_HASH, MEMCACHED_HASH_MD5);
    if (kind == MCM_SELECTOR_KETAMA)
        memcached_behavior_set(oracle, MEMCACHED_BEHAVIOR_KETAMA, 1);
    else
        memcached_behavior_set(oracle, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
    /* twemproxy took its ring from libmemcached, but hashes keys otherwise. */
    if (kind == MCM_SELECTOR_KETAMA_TWEMPROXY)
        memcached_behavior_set(oracle, MEMCACHED_BEHAVIOR_HASH, MEMCACHED_HASH_FNV1A_64);
    /* Without the weights it would make a ring of its own that spymemcached does not know. */
    if (kind == MCM_SELECTOR_KETAMA_SPY)
        memcached_behavior_set_distribution(oracle, MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA_SPY);
}

static void compare(const struct fleet *fleet, enum mcm_selector_kind kind)
{
    memcached_st *oracle = memcached_create(NULL);
    set_up_oracle(oracle, kind);
    for (size_t i = 0; i < fleet->count; i++)
        memcached_server_add_with_weight(oracle, fleet->servers[i].host,
                                         (in_port_t)fleet->servers[i].port,
                                         fleet->servers[i].weight);
    struct mcm_selector *selector = selector_of(fleet, kind);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "key-%d", i * 7919);
        size_t expected = memcached_generate_hash(oracle, key, (size_t)size);
        size_t got = mcm_selector_pick(selector, key, (size_t)size);
        if (got != expected)
            fail_msg("%s, %s, %s: %zu, libmemcached says %zu", fleet->title,
                     mcm_selector_kind_name(kind), key, got, expected);
    }
    mcm_selector_free(selector);
    memcached_free(oracle);
}
#endif

static void every_key_is_where_libmemcached_puts_it(void **state)
{
    (void)state;
#ifdef HAVE_LIBMEMCACHED
    static const enum mcm_selector_kind kinds[] = {
        MCM_SELECTOR_KETAMA, MCM_SELECTOR_KETAMA_WEIGHTED, MCM_SELECTOR_KETAMA_SPY,
        MCM_SELECTOR_KETAMA_TWEMPROXY};
    for (size_t i = 0; i < FLEETS; i++) {
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
            /* A weight above 1 makes every ring of it a weighted one. */
            if (kinds[k] == MCM_SELECTOR_KETAMA_WEIGHTED ||
                kinds[k] == MCM_SELECTOR_KETAMA_TWEMPROXY || i < EQUAL_FLEETS)
                compare(&fleets[i], kinds[k]);
    }
#else
    print_message("libmemcached is not installed\n");
    skip();
#endif
}

/* The server of key-0 to key-39, a digit each. */
static void known_keys_are_where_they_were(void **state)
{
    (void)state;
    static const struct {
        size_t fleet;
        enum mcm_selector_kind kind;
        const char *places;
    } cases[] = {
        {0, MCM_SELECTOR_KETAMA, "0220001121212112012101110021100101221010"},
        {1, MCM_SELECTOR_KETAMA, "0110010101110111000001001111101100011000"},
        {2, MCM_SELECTOR_KETAMA_WEIGHTED, "0001000021003020200033330000001003000002"},
        {3, MCM_SELECTOR_KETAMA_WEIGHTED, "2443315545452302055051515350155155253051"},
        {0, MCM_SELECTOR_KETAMA_SPY, "0122222012102201202212201100101122120022"},
        {1, MCM_SELECTOR_KETAMA_SPY, "1101100111101100010011100100010011101111"},
        /* From here on computed by another implementation, in Python. That of EVCache follows the
         * facts of memcached's proxy_ring_hash.c: 160 points from "host/host:port-N". */
        {0, MCM_SELECTOR_KETAMA_EVCACHE, "0120012102001121022000221210201202012121"},
        {1, MCM_SELECTOR_KETAMA_EVCACHE, "0111101110111110001011010111000001100111"},
        {0, MCM_SELECTOR_KETAMA_TWEMPROXY, "2222222222111111111111111111111111111111"},
        {3, MCM_SELECTOR_KETAMA_TWEMPROXY, "3333333333222222222255555555555555555555"},
        {2, MCM_SELECTOR_KETAMA_TWEMPROXY, "3333333333000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_selector *selector = selector_of(&fleets[cases[i].fleet], cases[i].kind);
        char places[41] = "";
        for (int k = 0; k < 40; k++) {
            char key[16];
            int size = snprintf(key, sizeof(key), "key-%d", k);
            places[k] = (char)('0' + mcm_selector_pick(selector, key, (size_t)size));
        }
        assert_string_equal(places, cases[i].places);
        mcm_selector_free(selector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_has_the_digests_of_its_standard),
        cmocka_unit_test(every_key_is_where_libmemcached_puts_it),
        cmocka_unit_test(known_keys_are_where_they_were),
    };
    return cmocka_run_group_tests_name("mcmeta/ketama", tests, NULL, NULL);
}
