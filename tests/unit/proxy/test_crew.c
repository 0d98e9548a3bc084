/* SPDX-License-Identifier: MIT */
/* Threads that stand still when they are told to: what they write is plain memory on purpose. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proxy/crew.h"
#include "proxy/sock.h"

#define THREADS 4u
#define ROUNDS 200
#define LINKS 100u
/* Every wait: so often the processor is given away. */
#define YIELDS_MAX 10000000

struct team {
    struct proxy_env env;
    struct event *busy[THREADS];
    int always_readable;
    uint64_t turns[THREADS]; /* each thread its own, the first one when all stand still */
};

struct item {
    struct list link;
    pthread_t begun_by;
    bool begun; /* of its thread */
};

static void begin(struct list *link)
{
    struct item *item = list_entry(link, struct item, link);
    item->begun_by = pthread_self();
    item->begun = true;
}

static int start_team(void **state)
{
    static const struct proxy_log silent;
    struct team *t = calloc(1, sizeof *t);
    const struct proxy_env_config config = {
        .log = &silent, .fd_ceiling = sock_fd_ceiling(), .threads = THREADS};
    struct err err;
    assert_non_null(t);
    assert_int_equal(env_init(&t->env, &config), 0);
    assert_int_equal(crew_new(&t->env, THREADS, begin, &err), 0);
    t->always_readable = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    *state = t;
    return 0;
}

static int end_team(void **state)
{
    struct team *t = *state;
    crew_stop(t->env.crew);
    for (unsigned i = 0; i < THREADS; i++)
        if (t->busy[i])
            event_free(t->busy[i]);
    crew_free(t->env.crew);
    env_deinit(&t->env);
    close(t->always_readable);
    free(t);
    return 0;
}

struct turn {
    struct proxy_env *env;
    uint64_t *count;
};

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct turn *turn = arg;
    (void)fd;
    (void)what;
    ++*turn->count;
    env_yield(turn->env);
}

static void a_halted_thread_does_nothing(void **state)
{
    struct team *t = *state;
    struct turn turns[THREADS];
    struct err err;
    for (unsigned i = 1; i < THREADS; i++) {
        turns[i] = (struct turn){crew_env(&t->env, i), &t->turns[i]};
        t->busy[i] = event_new(turns[i].env->base, t->always_readable, EV_READ | EV_PERSIST,
                               on_turn, &turns[i]);
        assert_int_equal(event_add(t->busy[i], NULL), 0);
    }
    assert_int_equal(crew_start(t->env.crew, &err), 0);
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        crew_halt(t->env.crew);
        crew_halt(t->env.crew);
        uint64_t before[THREADS];
        for (unsigned i = 1; i < THREADS; i++)
            before[i] = t->turns[i];
        sched_yield();
        crew_resume(t->env.crew);
        /* Still halted: they nest. */
        for (unsigned i = 1; i < THREADS; i++) {
            assert_int_equal(t->turns[i], before[i]);
            sum += t->turns[i];
            t->turns[i] = 0;
        }
        crew_resume(t->env.crew);
    }
    /* Halts without a pause between them let every loop get on. */
    assert_true(sum >= ROUNDS / 4 * (THREADS - 1));
    crew_stop(t->env.crew);
}

static void count(struct list *link, void *arg)
{
    (void)link;
    ++*(unsigned *)arg;
}

static unsigned count_begun(const struct item *items, pthread_t *threads)
{
    unsigned begun = 0;
    for (unsigned i = 0; i < LINKS; i++) {
        pthread_t *thread = &threads[i % (THREADS - 1)];
        if (!items[i].begun)
            continue;
        /* Each of the threads takes its own. */
        if (i >= THREADS - 1)
            assert_true(pthread_equal(*thread, items[i].begun_by));
        *thread = items[i].begun_by;
        begun++;
    }
    return begun;
}

static void what_is_handed_over_waits_or_has_begun(void **state)
{
    struct team *t = *state;
    struct item items[LINKS] = {0};
    pthread_t threads[THREADS - 1];
    struct err err;
    unsigned begun = 0;
    for (unsigned i = 0; i < LINKS; i++) {
        if (i == LINKS / 2)
            assert_int_equal(crew_start(t->env.crew, &err), 0);
        list_init(&items[i].link);
        crew_hand(crew_env(&t->env, 1 + i % (THREADS - 1)), &items[i].link);
    }
    for (int i = 0; i < YIELDS_MAX && begun < LINKS; i++) {
        unsigned waiting = 0;
        crew_halt(t->env.crew);
        crew_each_waiting(t->env.crew, count, &waiting);
        begun = count_begun(items, threads);
        crew_resume(t->env.crew);
        assert_int_equal(begun + waiting, LINKS);
        sched_yield();
    }
    assert_int_equal(begun, LINKS);
}

static void the_least_busy_thread_gets_the_next_connection(void **state)
{
    struct team *t = *state;
    unsigned got[THREADS] = {0};
    for (unsigned i = 0; i < 5 * THREADS; i++)
        got[crew_pick(&t->env)->thread]++;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(got[i], 5);
    for (int i = 0; i < 3; i++)
        env_count_end(crew_env(&t->env, 2));
    for (int i = 0; i < 3; i++)
        assert_int_equal(crew_pick(&t->env)->thread, 2);
    assert_int_not_equal(crew_pick(&t->env)->thread, crew_pick(&t->env)->thread);
}

static void one_thread_needs_no_crew(void **state)
{
    struct proxy_env *env = &(*(struct team **)state)->env;
    struct crew *crew = env->crew;
    env->crew = NULL;
    crew_halt(env->crew);
    crew_resume(env->crew);
    crew_stop(env->crew);
    crew_free(env->crew);
    assert_ptr_equal(crew_pick(env), env);
    assert_ptr_equal(crew_env(env, 0), env);
    env->crew = crew;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_halted_thread_does_nothing, start_team, end_team),
        cmocka_unit_test_setup_teardown(what_is_handed_over_waits_or_has_begun, start_team,
                                        end_team),
        cmocka_unit_test_setup_teardown(the_least_busy_thread_gets_the_next_connection, start_team,
                                        end_team),
        cmocka_unit_test_setup_teardown(one_thread_needs_no_crew, start_team, end_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
