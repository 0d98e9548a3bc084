/* SPDX-License-Identifier: MIT */
/*
 * The lane under random events, against a server that remembers what it was asked: requests come
 * and are abandoned, bytes go and come in pieces of any size, connections are lost and answers are
 * damaged. Whatever happens, an answered caller has the value of its own key, every caller ends
 * once, and the limits hold.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "mcmeta/lane.h"

#define CALLERS 24
#define IN_FLIGHT_MAX 9
#define STREAM_SIZE 65536

struct caller {
    struct mcm_lane_call call;
    struct mcm_op op;
    struct mcm_request request;
    char key[16];
    char value[32];
    bool active;
};

struct world {
    struct mcm_lane lane;
    struct mcm_conn conn;
    struct caller callers[CALLERS];
    struct rng rng;
    char asked[STREAM_SIZE]; /* what the server received and has not answered */
    size_t asked_size;
    char told[STREAM_SIZE]; /* what it sent and we have not received */
    size_t told_size;
    unsigned answered, lost, abandoned, damaged;
    unsigned next_key;
};

static uint64_t below(struct world *world, uint64_t bound)
{
    return rng_below(&world->rng, bound);
}

static void collect(struct world *world)
{
    struct mcm_lane_call *call;
    while ((call = mcm_lane_next_done(&world->lane)) != NULL) {
        struct caller *caller = (struct caller *)call;
        assert_true(caller->active);
        caller->active = false;
        if (caller->op.outcome != MCM_OK) {
            world->lost++;
            continue;
        }
        world->answered++;
        assert_int_equal(caller->op.value_size, strlen(caller->key));
        assert_memory_equal(caller->value, caller->key, strlen(caller->key));
    }
}

static void lose_connection(struct world *world)
{
    if (world->lane.conn == NULL)
        return;
    mcm_lane_fail(&world->lane, MCM_E_RESET, 0);
    collect(world);
    mcm_lane_close(&world->lane);
    world->asked_size = world->told_size = 0;
}

static void add_call(struct world *world)
{
    struct caller *caller = &world->callers[below(world, CALLERS)];
    if (caller->active)
        return;
    memset(caller, 0, sizeof(*caller));
    snprintf(caller->key, sizeof(caller->key), "key-%u", world->next_key++);
    caller->request = (struct mcm_request){.command = MCM_COMMAND_GET,
                                           .key = {caller->key, strlen(caller->key)},
                                           .flags = MCM_REQUEST_VALUE};
    mcm_op_init(&caller->op, &caller->request, caller->value, sizeof(caller->value));
    caller->call.op = &caller->op;
    caller->call.request = &caller->request;
    caller->active = true;
    mcm_lane_add(&world->lane, &caller->call);
}

static void abandon_call(struct world *world)
{
    struct caller *caller = &world->callers[below(world, CALLERS)];
    if (!caller->active || !mcm_lane_abandon(&world->lane, &caller->call, 0))
        return;
    world->abandoned++;
    memset(caller, 0xee, sizeof(*caller));
    caller->active = false;
}

static void send_part(struct world *world)
{
    size_t size;
    if (world->lane.conn == NULL)
        return;
    mcm_lane_commit(&world->lane);
    const char *data = mcm_lane_out(&world->lane, &size);
    if (size == 0)
        return;
    size = 1 + below(world, size);
    assert_true(world->asked_size + size < STREAM_SIZE);
    memcpy(world->asked + world->asked_size, data, size);
    world->asked_size += size;
    mcm_lane_sent(&world->lane, size);
}

/* The server answers one whole line: with the key as the value, and the token. */
static void answer_one(struct world *world)
{
    char *end = memchr(world->asked, '\n', world->asked_size);
    if (end == NULL)
        return;
    char key[32], token[16];
    assert_int_equal(sscanf(world->asked, "mg %31s v O%5s", key, token), 2);
    world->told_size +=
        (size_t)snprintf(world->told + world->told_size, STREAM_SIZE - world->told_size,
                         "VA %zu O%s\r\n%s\r\n", strlen(key), token, key);
    size_t used = (size_t)(end + 1 - world->asked);
    memmove(world->asked, end + 1, world->asked_size - used);
    world->asked_size -= used;
}

static void receive_part(struct world *world)
{
    if (world->told_size == 0 || world->lane.conn == NULL)
        return;
    size_t size = 1 + below(world, world->told_size);
    mcm_lane_feed(&world->lane, world->told, size);
    memmove(world->told, world->told + size, world->told_size - size);
    world->told_size -= size;
    collect(world);
    if (world->conn.broken)
        lose_connection(world);
}

/* An answer is lost on the way: whoever comes next must not get it. */
static void damage(struct world *world)
{
    char *end = memchr(world->asked, '\n', world->asked_size);
    if (end == NULL || below(world, 20) != 0)
        return;
    size_t used = (size_t)(end + 1 - world->asked);
    memmove(world->asked, end + 1, world->asked_size - used);
    world->asked_size -= used;
    world->damaged++;
}

static void step(struct world *world)
{
    switch (below(world, 16)) {
    case 0:
    case 1:
    case 2: add_call(world); break;
    case 3: abandon_call(world); break;
    case 4:
    case 5:
    case 6: send_part(world); break;
    case 7:
    case 8:
    case 9: answer_one(world); break;
    case 10:
    case 11:
    case 12: receive_part(world); break;
    case 13: damage(world); break;
    case 14:
        if (below(world, 40) == 0)
            lose_connection(world);
        break;
    default:
        if (world->lane.conn == NULL) {
            mcm_conn_init(&world->conn, true, (uint32_t)rng_u64(&world->rng));
            mcm_lane_open(&world->lane, &world->conn, false);
        }
    }
}

static void random_events_never_mix_answers(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    unsigned answered = 0, lost = 0, abandoned = 0, damaged = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        memset(world, 0, sizeof(*world));
        world->rng = rng_seeded(seed);
        mcm_lane_init(&world->lane, IN_FLIGHT_MAX);
        for (int i = 0; i < 10000; i++) {
            step(world);
            assert_true(world->lane.in_flight <= IN_FLIGHT_MAX);
        }
        lose_connection(world);
        while (world->lane.queued != NULL)
            mcm_lane_refuse(&world->lane, world->lane.queued, MCM_E_SHUTDOWN, 0);
        mcm_lane_deinit(&world->lane);
        answered += world->answered;
        lost += world->lost;
        abandoned += world->abandoned;
        damaged += world->damaged;
    }
    /* All of it happened often enough to mean something. */
    assert_true(answered > 1000 && lost > 100 && abandoned > 1000 && damaged > 100);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_never_mix_answers),
    };
    return cmocka_run_group_tests_name("mcmeta/lane_random", tests, NULL, NULL);
}
