/* SPDX-License-Identifier: MIT */
/*
 * Workers on a client made for the test: a store in memory that can be told to lie, to refuse and
 * to hang.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/schedule.h"
#include "load/workers.h"

enum mood {
    MOOD_HONEST,
    MOOD_OTHER_KEY,
    MOOD_BROKEN_BYTE,
    MOOD_REFUSE,
    MOOD_HANG,
    MOOD_DEAF, /* hears no interrupt: hangs until its connections are cut */
    MOOD_DEAD, /* not that either */
    MOOD_COUNT_ZERO
};

struct liar {
    enum mood mood;
    atomic_bool interrupted;
    atomic_bool cut;
    atomic_bool released; /* by the test, at its end */
    char filler[VALUE_FILLER_SIZE];
};

static void liar_interrupt(void *client)
{
    atomic_store(&((struct liar *)client)->interrupted, true);
}

static void *liar_worker_open(void *client, unsigned worker, struct err *err)
{
    (void)worker;
    (void)err;
    return client;
}

static void liar_worker_close(void *worker)
{
    (void)worker;
}

static void reply(struct liar *liar, enum outcome outcome, struct driver_result *result)
{
    while (liar->mood == MOOD_HANG && !atomic_load(&liar->interrupted))
        usleep(1000);
    while (liar->mood == MOOD_DEAF && !atomic_load(&liar->cut))
        usleep(1000);
    while (liar->mood == MOOD_DEAD && !atomic_load(&liar->released))
        usleep(1000);
    *result = (struct driver_result){.outcome = outcome};
    if (liar->mood == MOOD_REFUSE)
        result->outcome = OUTCOME_REFUSED;
    if (liar->mood == MOOD_HANG)
        result->outcome = OUTCOME_CANCELLED;
}

static void liar_get(void *worker, const char *key, size_t key_size, void *buffer,
                     size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    struct liar *liar = worker;
    (void)buffer_size;
    (void)deadline;
    reply(liar, OUTCOME_HIT, result);
    /* Of another run, about which nothing but its own intactness is known. */
    struct key named = {.size = (uint32_t)key_size};
    snprintf(named.text, sizeof named.text, "%s", liar->mood == MOOD_OTHER_KEY ? "other" : key);
    named.size = (uint32_t)strlen(named.text);
    result->value = buffer;
    result->value_size = 100;
    value_write(buffer, 100, &named, &(struct value_id){.run = 1, .version = 1}, liar->filler);
    if (liar->mood == MOOD_BROKEN_BYTE)
        ((char *)buffer)[result->value_size / 2] ^= 1;
}

static void liar_set(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    char why[100];
    struct value_id id;
    struct key named = {.size = (uint32_t)key_size};
    snprintf(named.text, sizeof named.text, "%s", key);
    (void)deadline;
    assert(ttl_s >= 30 && ttl_s < 90);
    assert(value_check(value, value_size, 60, &named, &id, why, sizeof why) == OUTCOME_HIT);
    assert(id.run == 9 && id.version > 0);
    reply(worker, OUTCOME_STORED, result);
}

static void liar_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                        struct driver_result *result)
{
    (void)key;
    (void)key_size;
    (void)deadline;
    reply(worker, OUTCOME_NOT_FOUND, result);
}

static void liar_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                           uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct liar *liar = worker;
    (void)key;
    (void)key_size;
    (void)ttl_s;
    (void)deadline;
    reply(liar, OUTCOME_OK, result);
    result->number = liar->mood == MOOD_COUNT_ZERO ? 0 : delta;
}

static const struct driver driver_liar = {
    .name = "liar",
    .interrupt = liar_interrupt,
    .worker_open = liar_worker_open,
    .worker_close = liar_worker_close,
    .get = liar_get,
    .set = liar_set,
    .delete_ = liar_delete,
    .increment = liar_increment,
};

/* Runs workers until `enough` operations have been attempted (or in flight, for MOOD_HANG). */
static struct recorder_counts run(enum mood mood, unsigned count, const char *rate, uint64_t enough,
                                  struct evidence *evidence)
{
    static struct liar liar;
    liar = (struct liar){.mood = mood};
    value_filler(liar.filler);
    struct err err = {""};
    struct load_spec spec;
    assert_int_equal(load_spec_parse(&(struct load_text){.rate = rate}, &spec, &err), 0);
    struct load *load = load_new(&spec, count, 42, 9);
    assert_non_null(load);
    struct recorder_config config = {.nodes = 1, .phases = 3, .workers = count};
    struct recorder *recorder = recorder_new(&config, &err);
    assert_non_null(recorder);
    evidence_init(evidence);
    struct workers_config workers_config = {
        .count = count,
        .load = load,
        .driver = &driver_liar,
        .client = &liar,
        .recorder = recorder,
        .evidence = evidence,
        .timeout_ns = NS_PER_SEC,
        .seed = 42,
        .cancel_fd = -1,
    };
    struct workers *workers = NULL;
    assert_int_equal(workers_start(&workers_config, &workers, &err), 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t seen =
            mood == MOOD_HANG
                ? recorder_in_flight(recorder)
                : recorder_counts(recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL).attempted;
        if (seen >= enough)
            break;
        usleep(1000);
    }
    workers_stop(workers);
    assert_int_equal(recorder_in_flight(recorder), 0);
    struct recorder_counts counts =
        recorder_counts(recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
    recorder_free(recorder);
    load_free(load);
    return counts;
}

static void an_honest_client_has_no_failure(void **state)
{
    (void)state;
    struct evidence evidence;
    struct recorder_counts c = run(MOOD_HONEST, 8, "0", 5000, &evidence);
    assert_true(c.attempted >= 5000);
    assert_int_equal(c.failed, 0);
    assert_int_equal(c.succeeded, c.attempted);
    assert_int_equal(evidence.count, 0);
    /* 60 / 30 / 5 / 5, with five standard deviations to spare. */
    double n = (double)c.attempted;
    assert_true((double)c.by_outcome[OUTCOME_HIT] > 0.55 * n);
    assert_true((double)c.by_outcome[OUTCOME_STORED] > 0.25 * n);
    assert_true((double)c.by_outcome[OUTCOME_NOT_FOUND] > 0.03 * n);
    assert_true((double)c.by_outcome[OUTCOME_OK] > 0.03 * n);
}

static void lies_are_caught_with_evidence(void **state)
{
    (void)state;
    static const struct {
        enum mood mood;
        enum outcome outcome;
        const char *words;
    } cases[] = {
        {MOOD_OTHER_KEY, OUTCOME_WRONG_VALUE, "intact value of the key \"other\""},
        {MOOD_BROKEN_BYTE, OUTCOME_CORRUPT, "checksum does not match"},
        {MOOD_COUNT_ZERO, OUTCOME_WRONG_COUNT, "incremented \"counter-"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct evidence evidence;
        struct recorder_counts c = run(cases[i].mood, 2, "0", 500, &evidence);
        assert_true(c.by_outcome[cases[i].outcome] > 0);
        assert_int_equal(c.wrong, c.by_outcome[cases[i].outcome]);
        assert_true(evidence.count > 0 && evidence.count <= EVIDENCE_MAX);
        assert_non_null(strstr(evidence.texts[0], cases[i].words));
    }
}

static void refusals_are_failures_and_do_not_spin(void **state)
{
    (void)state;
    struct evidence evidence;
    ns_t start = ns_now();
    struct recorder_counts c = run(MOOD_REFUSE, 1, "0", 100, &evidence);
    assert_int_equal(c.failed, c.attempted);
    assert_int_equal(c.by_outcome[OUTCOME_REFUSED], c.attempted);
    assert_true(ns_now() - start >= 99 * NS_PER_MS); /* one worker, 1 ms after each refusal */
}

static void a_hanging_client_is_interrupted(void **state)
{
    (void)state;
    struct evidence evidence;
    struct recorder_counts c = run(MOOD_HANG, 5, "0", 5, &evidence);
    assert_int_equal(c.by_outcome[OUTCOME_CANCELLED], 5);
    assert_int_equal(c.failed + c.succeeded, 0);
}

static void liar_cut(void *arg)
{
    atomic_store(&((struct liar *)arg)->cut, true);
}

/* Starts two workers with a client that does not come back, and stops them once both are in a call.
 */
static struct workers_end stop_stuck(struct liar *liar, struct workers_config *config,
                                     struct workers **workers)
{
    struct err err = {""};
    static struct load_spec spec; /* calls may come back at any time */
    struct recorder_config recorder = {.nodes = 1, .phases = 1, .workers = 2};
    assert_int_equal(load_spec_parse(&(struct load_text){.rate = "0"}, &spec, &err), 0);
    *config = (struct workers_config){
        .count = 2,
        .load = load_new(&spec, 2, 42, 9),
        .driver = &driver_liar,
        .client = liar,
        .recorder = recorder_new(&recorder, &err),
        .evidence = config->evidence,
        .timeout_ns = 10 * NS_PER_MS,
        .seed = 42,
        .cancel_fd = -1,
        .unblock = liar_cut,
        .arg = liar,
    };
    assert_int_equal(workers_start(config, workers, &err), 0);
    for (int i = 0; i < 10000 && recorder_in_flight(config->recorder) < 2; i++)
        usleep(1000);
    return workers_stop(*workers);
}

static void calls_that_hear_no_interrupt_are_freed_and_counted(void **state)
{
    (void)state;
    struct evidence evidence;
    struct liar liar = {.mood = MOOD_DEAF};
    struct workers_config config = {.evidence = &evidence};
    struct workers *workers;
    evidence_init(&evidence);
    struct workers_end end = stop_stuck(&liar, &config, &workers);
    assert_int_equal(end.late, 2);
    assert_int_equal(end.lost, 0);
    assert_int_equal(recorder_in_flight(config.recorder), 0);
    recorder_free(config.recorder);
    load_free(config.load);
}

/* What they use stays, so that they may come back at any time. */
static void calls_that_never_end_do_not_hold_up_the_end(void **state)
{
    (void)state;
    static struct evidence evidence;
    static struct liar liar = {.mood = MOOD_DEAD};
    static struct workers_config config = {.evidence = &evidence};
    static struct workers *workers; /* not lost for a leak checker */
    evidence_init(&evidence);
    struct workers_end end = stop_stuck(&liar, &config, &workers);
    assert_int_equal(end.late, 2);
    assert_int_equal(end.lost, 2);
    assert_true(atomic_load(&liar.cut));
    assert_int_equal(recorder_in_flight(config.recorder), 2);
    assert_int_equal(workers_stop(workers).lost, 2); /* at once */
    atomic_store(&liar.released, true);
    for (int i = 0; i < 10000 && recorder_in_flight(config.recorder) > 0; i++)
        usleep(1000);
    assert_int_equal(recorder_in_flight(config.recorder), 0);
}

static void a_paced_schedule_offers_no_more_than_its_rate(void **state)
{
    (void)state;
    struct evidence evidence;
    ns_t start = ns_now();
    struct recorder_counts c = run(MOOD_HONEST, 4, "1000", 200, &evidence);
    double elapsed_s = (double)(ns_now() - start) / (double)NS_PER_SEC;
    assert_true((double)c.offered <= 1000 * elapsed_s + 1);
    assert_int_equal(c.offered, c.attempted + c.dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_client_has_no_failure),
        cmocka_unit_test(lies_are_caught_with_evidence),
        cmocka_unit_test(refusals_are_failures_and_do_not_spin),
        cmocka_unit_test(a_hanging_client_is_interrupted),
        cmocka_unit_test(calls_that_hear_no_interrupt_are_freed_and_counted),
        cmocka_unit_test(calls_that_never_end_do_not_hold_up_the_end),
        cmocka_unit_test(a_paced_schedule_offers_no_more_than_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
