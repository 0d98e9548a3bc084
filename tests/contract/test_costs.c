/* SPDX-License-Identifier: MIT */
/*
 * What calls cost, counted and not timed: in the long run nothing is allocated, and a call makes no
 * more system calls than it must. System calls are counted in a child process that is traced, so
 * none can hide.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "../../bench/count.h"
#include "memcached.h"

#define SEC INT64_C(1000000000)
#define SOON mcm_after(60 * SEC)
#define SERVERS 3
#define KEYS 100
#define LARGE_BATCH 1000
#define VALUE_SIZE 100
#define WARM_UP 3
#define ROUNDS 21

static struct memcached servers[SERVERS];

/* Clients and what they work with, none of it allocated by a step. */
struct bench {
    struct mcm_client *one, *all; /* a client of one server, and one of all */
    struct mcm_arena *arena;
    char keys[LARGE_BATCH][16];
    struct mcm_batch_item items[LARGE_BATCH];
    char value[VALUE_SIZE];
};

static struct mcm_client *client_of(enum mcm_mode mode, unsigned count)
{
    struct mcm_server list[SERVERS] = {0};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    for (unsigned i = 0; i < count; i++)
        list[i].address = servers[i].address;
    config.servers = list;
    config.server_count = count;
    config.mode = mode;
    config.maintenance_thread = false;
    config.connect_timeout = 30 * SEC;
    return mcm_client_new(&config, NULL, 0);
}

static struct bench *bench_new(enum mcm_mode mode)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return NULL;
    bench->one = client_of(mode, 1);
    bench->all = client_of(mode, SERVERS);
    bench->arena = mcm_arena_new();
    memset(bench->value, 'v', sizeof(bench->value));
    for (int i = 0; i < LARGE_BATCH; i++) {
        snprintf(bench->keys[i], sizeof(bench->keys[i]), "cost-%d", i);
        bench->items[i].key = MCM_KEY(bench->keys[i]);
        bench->items[i].value = (struct mcm_slice){bench->value, VALUE_SIZE};
    }
    if (bench->one != NULL && bench->all != NULL && bench->arena != NULL)
        return bench;
    return NULL;
}

static void bench_free(struct bench *bench)
{
    mcm_client_free(bench->one);
    mcm_client_free(bench->all);
    mcm_arena_free(bench->arena);
    free(bench);
}

static bool set(struct bench *bench)
{
    struct mcm_result result;
    struct mcm_slice value = {bench->value, VALUE_SIZE};
    return mcm_set(bench->one, MCM_KEY("single"), value, 60, SOON, &result) == MCM_OK;
}

static bool get(struct bench *bench)
{
    struct mcm_result result;
    char buffer[VALUE_SIZE];
    return mcm_get(bench->one, MCM_KEY("single"), buffer, sizeof(buffer), SOON, &result) == MCM_OK;
}

static bool miss(struct bench *bench)
{
    struct mcm_result result;
    char buffer[VALUE_SIZE];
    return mcm_get(bench->one, MCM_KEY("none"), buffer, sizeof(buffer), SOON, &result) == MCM_MISS;
}

static bool touch(struct bench *bench)
{
    struct mcm_result result;
    return mcm_touch(bench->one, MCM_KEY("single"), 60, SOON, &result) == MCM_OK;
}

static bool increment(struct bench *bench)
{
    struct mcm_result result;
    struct mcm_increment change = {.delta = 1, .create = true};
    return mcm_increment(bench->one, MCM_KEY("number"), &change, SOON, &result) == MCM_OK;
}

static bool delete_missing(struct bench *bench)
{
    struct mcm_result result;
    return mcm_delete(bench->one, MCM_KEY("none"), SOON, &result) == MCM_NOT_FOUND;
}

static bool multi_set_to(struct bench *bench, struct mcm_client *client, size_t count, bool quiet)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = SOON;
    options.quiet = quiet;
    for (size_t i = 0; i < count; i++)
        bench->items[i].value = (struct mcm_slice){bench->value, VALUE_SIZE};
    return mcm_multi_set(client, bench->items, count, &options, NULL) == MCM_BATCH_OK;
}

static bool multi_get_from(struct bench *bench, struct mcm_client *client, size_t count, bool plain)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_batch_result result;
    options.deadline = SOON;
    options.arena = bench->arena;
    options.plain = plain;
    mcm_arena_reset(bench->arena);
    mcm_multi_get(client, bench->items, count, &options, &result);
    return result.ok == count;
}

static bool multi_set(struct bench *bench)
{
    return multi_set_to(bench, bench->one, KEYS, false);
}

static bool multi_set_quiet(struct bench *bench)
{
    return multi_set_to(bench, bench->one, KEYS, true);
}

static bool multi_get(struct bench *bench)
{
    return multi_get_from(bench, bench->one, KEYS, false);
}

static bool multi_get_plain(struct bench *bench)
{
    return multi_get_from(bench, bench->one, KEYS, true);
}

static bool multi_set_all(struct bench *bench)
{
    return multi_set_to(bench, bench->all, LARGE_BATCH, false);
}

static bool multi_get_all(struct bench *bench)
{
    return multi_get_from(bench, bench->all, KEYS, false);
}

static bool multi_get_large(struct bench *bench)
{
    return multi_get_from(bench, bench->all, LARGE_BATCH, false);
}

/*
 * In an order in which each finds what it needs. A plain server answers twenty requests with one
 * send, so a pipeline of a hundred comes in five pieces at most; the kernel takes 128 pieces at
 * once, of which a store has three.
 */
static const struct step {
    const char *name;
    bool (*run)(struct bench *bench);
    unsigned calls_max; /* 0: not looked at */
} steps[] = {
    {"set", set, 2},
    {"get", get, 2},
    {"get that misses", miss, 2},
    {"touch", touch, 2},
    {"increment", increment, 2},
    {"delete of nothing", delete_missing, 2},
    {"multi-set of 100", multi_set, 3 + 5},
    {"quiet multi-set of 100", multi_set_quiet, 3 + 5},
    {"multi-get of 100", multi_get, 2},
    {"multi-get of 100 without get lines", multi_get_plain, 1 + 5},
    {"multi-set of 1000 to three servers", multi_set_all, 0},
    /* A send and a receive each, and a wait at most. */
    {"multi-get of 100 from three servers", multi_get_all, 3 * SERVERS},
    {"multi-get of 1000 from three servers", multi_get_large, 0},
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void expect_no_allocation(enum mcm_mode mode)
{
    struct bench *bench = bench_new(mode);
    assert_non_null(bench);
    for (size_t s = 0; s < STEPS; s++) {
        for (int i = 0; i < WARM_UP; i++)
            assert_true(steps[s].run(bench));
        uint64_t before = atomic_load(&count_allocations);
        for (int i = 0; i < ROUNDS; i++)
            assert_true(steps[s].run(bench));
        uint64_t made = atomic_load(&count_allocations) - before;
        if (made > 0)
            fail_msg("%s: %d calls made %llu allocations", steps[s].name, ROUNDS,
                     (unsigned long long)made);
    }
    bench_free(bench);
}

static void nothing_is_allocated_in_the_long_run(void **state)
{
    (void)state;
    uint64_t before = atomic_load(&count_allocations);
    void *volatile counted = malloc(1);
    free(counted);
    assert_true(atomic_load(&count_allocations) > before);
    expect_no_allocation(MCM_MODE_EXCLUSIVE);
    expect_no_allocation(MCM_MODE_SHARED);
}

/* A system call that nobody else makes: it stands between what is counted. */
static void mark(void)
{
    syscall(SYS_getppid);
}

/* The traced child: every step, each round between two marks. */
static void run_marked(enum mcm_mode mode)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(errno == EPERM ? 77 : 1);
    raise(SIGSTOP);
    struct bench *bench = bench_new(mode);
    if (bench == NULL)
        _exit(1);
    for (size_t s = 0; s < STEPS; s++) {
        for (int i = 0; i < WARM_UP; i++) {
            if (!steps[s].run(bench))
                _exit(1);
        }
        for (int i = 0; i < ROUNDS; i++) {
            mark();
            bool good = steps[s].run(bench);
            mark();
            if (!good)
                _exit(1);
        }
    }
    _exit(0);
}

/* Lets the child go on to the next system call that it enters; -1 when it has ended. */
static int64_t next_call(pid_t child, int *status)
{
    for (;;) {
        struct __ptrace_syscall_info info;
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, status, 0), child);
        if (!WIFSTOPPED(*status))
            return -1;
        /* Nothing sends it signals, so another one means that it crashed. */
        assert_int_equal(WSTOPSIG(*status), SIGTRAP | 0x80);
        assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) > 0);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
            return (int64_t)info.entry.nr;
    }
}

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

/* A slow machine may cut any one call's answer in pieces, so what counts is the usual one. */
static void expect_few(const struct step *step, unsigned counts[ROUNDS])
{
    qsort(counts, ROUNDS, sizeof(counts[0]), compare);
    unsigned usual = counts[ROUNDS / 2];
    if (step->calls_max > 0 && usual > step->calls_max)
        fail_msg("%s: %u system calls, %u to %u", step->name, usual, counts[0], counts[ROUNDS - 1]);
    assert_true(counts[0] >= 2);
}

static void follow(pid_t child)
{
    unsigned counts[ROUNDS];
    size_t marks = 0;
    int status = 0;
    int64_t call;
    while ((call = next_call(child, &status)) >= 0) {
        size_t round = marks / 2 % ROUNDS;
        if (call != SYS_getppid) {
            counts[round] += marks % 2;
            continue;
        }
        if (marks % 2 == 0)
            counts[round] = 0;
        else if (round == ROUNDS - 1)
            expect_few(&steps[marks / 2 / ROUNDS], counts);
        marks++;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(marks, 2 * ROUNDS * STEPS);
}

static void trace(enum mcm_mode mode)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_marked(mode);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("this system does not let a process trace its child\n");
        skip();
    }
    assert_true(WIFSTOPPED(status));
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, options), 0);
    follow(child);
}

static void a_call_is_a_send_and_a_receive(void **state)
{
    (void)state;
    trace(MCM_MODE_EXCLUSIVE);
}

static void a_lone_call_over_a_shared_connection_too(void **state)
{
    (void)state;
    trace(MCM_MODE_SHARED);
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static struct mcm_client *client_with(unsigned connections)
{
    struct mcm_server server = {.address = servers[0].address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.mode = MCM_MODE_EXCLUSIVE;
    config.connections_max = connections;
    config.maintenance_thread = false;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static void an_idle_connection_takes_at_most_600_bytes(void **state)
{
    (void)state;
    const unsigned many = 1000;
    size_t empty = allocated();
    struct mcm_client *small = client_with(1);
    size_t one = allocated() - empty;
    struct mcm_client *large = client_with(1 + many);
    size_t all = allocated() - empty - one;
    assert_true(all > one);
    if ((all - one) / many > 600)
        fail_msg("%zu bytes", (all - one) / many);
    /* Nothing is left of having used one. */
    size_t before = allocated();
    struct mcm_result result;
    struct mcm_slice value = {"x", 1};
    assert_int_equal(mcm_set(large, MCM_KEY("idle"), value, 0, SOON, &result), MCM_OK);
    assert_true(allocated() <= before);
    mcm_client_free(large);
    mcm_client_free(small);
}

static int start_servers(void **state)
{
    (void)state;
    for (int i = 0; i < SERVERS; i++) {
        if (!memcached_start(&servers[i]))
            return -1;
    }
    return 0;
}

static int kill_servers(void **state)
{
    (void)state;
    for (int i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
    return 0;
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allocated_in_the_long_run),
        cmocka_unit_test(a_call_is_a_send_and_a_receive),
        cmocka_unit_test(a_lone_call_over_a_shared_connection_too),
        cmocka_unit_test(an_idle_connection_takes_at_most_600_bytes),
    };
    return cmocka_run_group_tests_name("mcmeta/costs", tests, start_servers, kill_servers);
}
