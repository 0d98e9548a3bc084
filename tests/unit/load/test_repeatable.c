/* SPDX-License-Identifier: MIT */
/*
 * Same seed, same operations: the real worker threads on a client that writes down what it is
 * asked. When an operation is made is the machine's business; what a worker does, in which order,
 * is the seed's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/workers.h"

#define WORKERS 3
#define CALLS 60 /* of each worker that are compared */

struct scribe {
    atomic_uint calls;
    uint64_t hash; /* of the first CALLS */
};

static struct scribe scribes[WORKERS];
static struct recorder *recorder; /* of the run in progress */

static int scribe_open(const struct driver_config *config, void **out, struct err *err)
{
    (void)config;
    (void)err;
    *out = scribes;
    return 0;
}

static void scribe_nothing(void *client)
{
    (void)client;
}

static void *scribe_worker_open(void *client, unsigned worker, struct err *err)
{
    (void)client;
    (void)err;
    return &scribes[worker];
}

static void note_bytes(struct scribe *s, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        s->hash = (s->hash ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
}

/* While keys are stored nothing is offered yet. */
static bool is_before_the_run(void)
{
    return recorder_counts(recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL).offered == 0;
}

static void note(struct scribe *s, const char *op, const char *key, size_t key_size,
                 uint64_t argument)
{
    if (atomic_load(&s->calls) >= CALLS || is_before_the_run())
        return;
    note_bytes(s, op, strlen(op) + 1);
    note_bytes(s, key, key_size);
    note_bytes(s, &argument, sizeof argument);
    atomic_fetch_add(&s->calls, 1);
}

static void reply(struct driver_result *result, enum outcome outcome)
{
    *result = (struct driver_result){.outcome = outcome};
}

static void scribe_get(void *worker, const char *key, size_t key_size, void *buffer,
                       size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    (void)buffer;
    (void)buffer_size;
    (void)deadline;
    note(worker, "get", key, key_size, 0);
    reply(result, OUTCOME_MISS);
}

static void scribe_set(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    (void)value;
    (void)deadline;
    note(worker, "set", key, key_size, value_size);
    note(worker, "ttl", key, key_size, ttl_s);
    reply(result, OUTCOME_STORED);
}

static void scribe_add(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    (void)value;
    (void)ttl_s;
    (void)deadline;
    note(worker, "add", key, key_size, value_size);
    reply(result, OUTCOME_STORED);
}

static void scribe_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                          struct driver_result *result)
{
    (void)deadline;
    note(worker, "delete", key, key_size, 0);
    reply(result, OUTCOME_NOT_FOUND);
}

static void scribe_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                             uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    (void)ttl_s;
    (void)deadline;
    note(worker, "increment", key, key_size, delta);
    reply(result, OUTCOME_SERVER_ERROR); /* whatever it were, it would depend on the others */
}

static void scribe_batch(struct scribe *s, const char *op, struct driver_item *items, size_t count,
                         enum outcome outcome)
{
    for (size_t i = 0; i < count; i++) {
        note(s, op, items[i].key, items[i].key_size, items[i].value_size + count);
        items[i].outcome = outcome;
        items[i].node = 0;
        items[i].unsent = false;
    }
}

static void scribe_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    (void)deadline;
    scribe_batch(worker, "multi_get", items, count, OUTCOME_MISS);
}

static void scribe_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    (void)deadline;
    scribe_batch(worker, "multi_set", items, count, OUTCOME_STORED);
}

static const struct driver driver_scribe = {
    .name = "scribe",
    .open = scribe_open,
    .interrupt = scribe_nothing,
    .close = scribe_nothing,
    .worker_open = scribe_worker_open,
    .worker_close = scribe_nothing,
    .get = scribe_get,
    .set = scribe_set,
    .delete_ = scribe_delete,
    .add = scribe_add,
    .increment = scribe_increment,
    .multi_get = scribe_multi_get,
    .multi_set = scribe_multi_set,
};

static bool all_have_written_enough(void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        if (atomic_load(&scribes[i].calls) < CALLS)
            return false;
    return true;
}

/* What each worker does in a run with this seed, as a hash. */
static void run(const char *workload, uint64_t seed, uint64_t out[static WORKERS])
{
    struct err err = {""};
    struct load_spec spec;
    struct evidence evidence;
    struct recorder_config recorded = {.nodes = 1, .phases = 1, .workers = WORKERS};
    struct load_text text = {.workload = workload, .arrival = "closed", .prefill = "auto"};
    struct workers *workers;
    if (load_spec_parse(&text, &spec, &err) != 0)
        fail_msg("%s: %s", workload, err.text);
    memset(scribes, 0, sizeof scribes);
    evidence_init(&evidence);
    recorder = recorder_new(&recorded, &err);
    struct workers_config config = {
        .count = WORKERS,
        .load = load_new(&spec, WORKERS, seed, 9),
        .driver = &driver_scribe,
        .client = scribes,
        .recorder = recorder,
        .evidence = &evidence,
        .timeout_ns = NS_PER_SEC,
        .seed = seed,
        .cancel_fd = -1,
    };
    assert_int_equal(workers_start(&config, &workers, &err), 0);
    for (int i = 0; i < 60000 && !all_have_written_enough(); i++)
        usleep(1000);
    workers_stop(workers);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(atomic_load(&scribes[i].calls), CALLS);
        out[i] = scribes[i].hash;
    }
    recorder_free(recorder);
    load_free(config.load);
    evidence_deinit(&evidence);
}

static void the_same_seed_makes_the_same_operations_and_another_seed_others(void **state)
{
    (void)state;
    for (size_t i = 0; workloads[i] != NULL; i++) {
        uint64_t first[WORKERS], again[WORKERS], other[WORKERS];
        run(workloads[i]->name, 7, first);
        run(workloads[i]->name, 7, again);
        run(workloads[i]->name, 8, other);
        for (unsigned w = 0; w < WORKERS; w++) {
            if (first[w] != again[w])
                fail_msg("%s: worker %u did something else", workloads[i]->name, w);
            if (first[w] == other[w])
                fail_msg("%s: worker %u does not care for the seed", workloads[i]->name, w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_makes_the_same_operations_and_another_seed_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
