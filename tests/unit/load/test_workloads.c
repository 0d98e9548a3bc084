/* SPDX-License-Identifier: MIT */
/*
 * Every workload on a client made for the test, a store in memory: its mix is as promised, an
 * honest store is never blamed, also when it forgets, and each kind of lie is found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/workload.h"

#define SLOTS 262144
#define WORKERS 3

enum lie {
    LIE_NONE,
    LIE_STALE,      /* reads give the first value that a key ever had */
    LIE_UNDELETED,  /* deletes do nothing */
    LIE_TRUNCATED,  /* reads lose a byte */
    LIE_SHIFTED,    /* a batch has the values one position on */
    LIE_LOST_COUNT, /* now and then an increment is not counted */
    LIE_TWICE,      /* now and then it is counted twice */
    LIE_ACCEPTING,  /* nothing is refused */
};

struct slot {
    char *key;
    char *value, *first; /* NULL: none */
    size_t size, first_size;
};

struct store {
    enum lie lie;
    bool forgetful;
    struct rng rng;
    struct slot *slots;
    char *fetched[SESSION_BATCH_MAX + 1];
};

static struct slot *find(struct store *s, const char *key, size_t size)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)key[i]) * 1099511628211u;
    for (size_t i = hash % SLOTS;; i = (i + 1) % SLOTS) {
        struct slot *slot = &s->slots[i];
        if (slot->key == NULL)
            slot->key = strndup(key, size);
        if (strlen(slot->key) == size && memcmp(slot->key, key, size) == 0)
            return slot;
    }
}

static bool is_bad_key(const struct store *s, const char *key, size_t size)
{
    return s->lie != LIE_ACCEPTING && (size > KEY_SIZE_MAX || memchr(key, ' ', size) != NULL);
}

static void forget(struct store *s, struct slot *slot)
{
    if (s->forgetful && rng_below(&s->rng, 10) == 0) {
        free(slot->value);
        slot->value = NULL;
    }
}

static void put(struct slot *slot, const void *value, size_t size)
{
    free(slot->value);
    slot->value = malloc(size + 1);
    memcpy(slot->value, value, size);
    slot->size = size;
    if (slot->first == NULL) {
        slot->first = malloc(size + 1);
        memcpy(slot->first, value, size);
        slot->first_size = size;
    }
}

static void answer(struct driver_result *result, enum outcome outcome)
{
    *result = (struct driver_result){.outcome = outcome};
}

static void store_get(void *worker, const char *key, size_t key_size, void *buffer,
                      size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    struct store *s = worker;
    (void)deadline;
    answer(result, OUTCOME_INVALID);
    if (is_bad_key(s, key, key_size))
        return;
    struct slot *slot = find(s, key, key_size);
    forget(s, slot);
    answer(result, slot->value != NULL ? OUTCOME_HIT : OUTCOME_MISS);
    if (slot->value == NULL)
        return;
    bool old = s->lie == LIE_STALE;
    result->value_size = old ? slot->first_size : slot->size;
    assert_true(result->value_size <= buffer_size);
    result->value = memcpy(buffer, old ? slot->first : slot->value, result->value_size);
    if (s->lie == LIE_TRUNCATED)
        result->value_size--;
}

static void store_set(void *worker, const char *key, size_t key_size, const void *value,
                      size_t value_size, uint32_t ttl_s, ns_t deadline,
                      struct driver_result *result)
{
    struct store *s = worker;
    (void)ttl_s;
    (void)deadline;
    answer(result, OUTCOME_TOO_LARGE);
    if (s->lie != LIE_ACCEPTING && value_size > 1024 * 1024)
        return;
    put(find(s, key, key_size), value, value_size);
    answer(result, OUTCOME_STORED);
}

static void store_add(void *worker, const char *key, size_t key_size, const void *value,
                      size_t value_size, uint32_t ttl_s, ns_t deadline,
                      struct driver_result *result)
{
    answer(result, OUTCOME_NOT_STORED);
    if (find(worker, key, key_size)->value == NULL)
        store_set(worker, key, key_size, value, value_size, ttl_s, deadline, result);
}

static void store_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                         struct driver_result *result)
{
    struct store *s = worker;
    struct slot *slot = find(s, key, key_size);
    (void)deadline;
    answer(result, slot->value != NULL ? OUTCOME_DELETED : OUTCOME_NOT_FOUND);
    if (s->lie == LIE_UNDELETED)
        return;
    free(slot->value);
    slot->value = NULL;
}

static void store_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                            uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct store *s = worker;
    struct slot *slot = find(s, key, key_size);
    char digits[24];
    uint64_t number = 0;
    (void)ttl_s;
    (void)deadline;
    answer(result, OUTCOME_CLIENT_ERROR);
    forget(s, slot);
    if (slot->value != NULL) {
        snprintf(digits, sizeof digits, "%.*s", (int)slot->size, slot->value);
        if (s->lie != LIE_ACCEPTING && (digits[0] < '0' || digits[0] > '9'))
            return;
        number = strtoull(digits, NULL, 10);
    }
    bool lies = number > 0 && rng_below(&s->rng, 20) == 0;
    number += delta;
    if (s->lie == LIE_ACCEPTING)
        number += 1000;
    if (lies && s->lie == LIE_LOST_COUNT)
        number -= delta;
    if (lies && s->lie == LIE_TWICE)
        number += delta;
    answer(result, OUTCOME_OK);
    result->number = number;
    put(slot, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number));
}

#define FETCH_MAX 8192

static void store_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    struct store *s = worker;
    for (size_t i = 0; i < count; i++) {
        const struct driver_item *asked = &items[s->lie == LIE_SHIFTED ? (i + 1) % count : i];
        struct driver_result result;
        store_get(s, asked->key, asked->key_size, s->fetched[i], FETCH_MAX, deadline, &result);
        items[i].outcome = result.outcome;
        items[i].node = (uint32_t)(i % 2);
        items[i].unsent = false;
        items[i].value = result.value;
        items[i].value_size = result.value_size;
    }
}

static void store_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        struct driver_result result;
        store_set(worker, items[i].key, items[i].key_size, items[i].value, items[i].value_size,
                  items[i].ttl_s, deadline, &result);
        items[i].outcome = result.outcome;
        items[i].node = (uint32_t)(i % 2);
        items[i].unsent = false;
    }
}

static const struct driver driver_store = {
    .name = "store",
    .get = store_get,
    .set = store_set,
    .add = store_add,
    .delete_ = store_delete,
    .increment = store_increment,
    .multi_get = store_multi_get,
    .multi_set = store_multi_set,
};

static struct driver driver_without_batches(void)
{
    struct driver driver = driver_store;
    driver.multi_get = NULL;
    driver.multi_set = NULL;
    return driver;
}

static void store_init(struct store *s, enum lie lie, bool forgetful)
{
    *s = (struct store){.lie = lie, .forgetful = forgetful, .rng = rng_seeded(1)};
    s->slots = calloc(SLOTS, sizeof *s->slots);
    for (size_t i = 0; i <= SESSION_BATCH_MAX; i++)
        s->fetched[i] = malloc(FETCH_MAX);
}

static void store_deinit(struct store *s)
{
    for (size_t i = 0; i < SLOTS; i++) {
        free(s->slots[i].key);
        free(s->slots[i].value);
        free(s->slots[i].first);
    }
    for (size_t i = 0; i <= SESSION_BATCH_MAX; i++)
        free(s->fetched[i]);
    free(s->slots);
}

/* ---- one workload ---- */

struct setup {
    struct load_text text;
    const struct driver *driver;
    enum lie lie;
    bool forgetful;
    int steps;
};

struct outcome_of_run {
    struct recorder_counts all;
    struct recorder_counts ops[OP_COUNT];
    size_t evidence;
};

static struct outcome_of_run run(const struct setup *setup)
{
    static struct evidence evidence;
    struct store store;
    struct err err = {""};
    struct load_spec spec;
    struct recorder_config config = {.nodes = 2, .phases = 1, .workers = WORKERS};
    if (load_spec_parse(&setup->text, &spec, &err) != 0)
        fail_msg("%s", err.text);
    struct load *load = load_new(&spec, WORKERS, 42, 9);
    struct recorder *recorder = recorder_new(&config, &err);
    const _Atomic bool give_up = false;
    store_init(&store, setup->lie, setup->forgetful);
    evidence_init(&evidence);
    struct session session = {
        .driver = setup->driver != NULL ? setup->driver : &driver_store,
        .handle = &store,
        .load = load,
        .recorder = recorder,
        .evidence = &evidence,
        .worker = 1,
        .timeout_ns = NS_PER_SEC,
        .rng = rng_seeded(5),
        .intended_ns = NS_NEVER,
        .stop_fd = -1,
    };
    assert_int_equal(session_init(&session, load), 0);
    if (spec.prefill)
        assert_int_equal(session_prefill(&session, 0, 1, &give_up), 0);
    for (int i = 0; i < setup->steps; i++)
        spec.workload->step(&session);
    struct outcome_of_run out = {
        .all = recorder_counts(recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL),
        .evidence = evidence.count,
    };
    for (int op = 0; op < OP_COUNT; op++)
        out.ops[op] = recorder_counts(recorder, RECORDER_ALL, RECORDER_ALL, op);
    session_deinit(&session);
    evidence_deinit(&evidence);
    recorder_free(recorder);
    load_free(load);
    store_deinit(&store);
    return out;
}

static void every_workload_does_the_mix_it_promises(void **state)
{
    (void)state;
    static const struct {
        const char *workload;
        int percent[OP_COUNT]; /* of the steps; a batch on two nodes counts twice at most */
    } cases[] = {
        {"mixed", {[OP_GET] = 60, [OP_SET] = 30, [OP_DELETE] = 5, [OP_INCREMENT] = 5}},
        {"constant", {[OP_GET] = 80, [OP_SET] = 20}},
        {"burst", {[OP_GET] = 80, [OP_SET] = 20}},
        {"get", {[OP_GET] = 100}},
        {"get-heavy", {[OP_GET] = 95, [OP_SET] = 5}},
        {"set-heavy", {[OP_GET] = 20, [OP_SET] = 80}},
        {"hot-keys", {[OP_GET] = 90, [OP_SET] = 10}},
        {"batch", {[OP_MULTI_GET] = 99, [OP_MULTI_SET] = 99}},
        {"counters", {[OP_GET] = 10, [OP_INCREMENT] = 90}},
        {"stampede", {[OP_GET] = 100}},
        {"churn", {[OP_GET] = 50, [OP_SET] = 50}},
        {"poison", {[OP_GET] = 53, [OP_SET] = 47, [OP_INCREMENT] = 7}},
        {"large-values", {[OP_GET] = 80, [OP_SET] = 20}},
        {"loadtest",
         {[OP_GET] = 40,
          [OP_SET] = 24,
          [OP_ADD] = 6,
          [OP_DELETE] = 8,
          [OP_INCREMENT] = 8,
          [OP_MULTI_GET] = 16,
          [OP_MULTI_SET] = 12}},
    };
    for (size_t w = 0; workloads[w] != NULL; w++) {
        size_t i = 0;
        while (strcmp(cases[i].workload, workloads[w]->name) != 0)
            assert_true(++i < sizeof cases / sizeof cases[0]);
        int steps = strcmp(cases[i].workload, "large-values") == 0 ? 400 : 4000;
        struct outcome_of_run out =
            run(&(struct setup){.text = {.workload = cases[i].workload}, .steps = steps});
        assert_int_equal(out.all.failed, 0);
        assert_int_equal(out.evidence, 0);
        for (int op = 0; op < OP_COUNT; op++) {
            int percent = (int)(out.ops[op].attempted * 100 / (uint64_t)steps);
            if (abs(percent - cases[i].percent[op]) > (steps < 1000 ? 7 : 4))
                fail_msg("%s: %d %% %s", cases[i].workload, percent, op_name(op));
        }
    }
}

static void a_store_that_forgets_is_never_blamed(void **state)
{
    (void)state;
    for (size_t w = 0; workloads[w] != NULL; w++) {
        if (strcmp(workloads[w]->name, "stampede") == 0)
            continue; /* it pauses after every miss */
        int steps = strcmp(workloads[w]->name, "large-values") == 0 ? 200 : 4000;
        struct outcome_of_run out = run(&(struct setup){
            .text = {.workload = workloads[w]->name}, .forgetful = true, .steps = steps});
        if (out.all.failed > 0)
            fail_msg("%s: %llu failed", workloads[w]->name, (unsigned long long)out.all.failed);
    }
}

static void every_lie_is_found(void **state)
{
    (void)state;
    static const struct {
        enum lie lie;
        const char *workload;
        enum outcome outcome;
    } cases[] = {
        {LIE_STALE, "mixed", OUTCOME_STALE},
        {LIE_STALE, "batch", OUTCOME_STALE},
        {LIE_UNDELETED, "mixed", OUTCOME_RESURRECTED},
        {LIE_TRUNCATED, "get-heavy", OUTCOME_TRUNCATED},
        {LIE_SHIFTED, "batch", OUTCOME_WRONG_VALUE},
        {LIE_LOST_COUNT, "counters", OUTCOME_WRONG_COUNT},
        {LIE_TWICE, "counters", OUTCOME_WRONG_COUNT},
        {LIE_ACCEPTING, "poison", OUTCOME_ACCEPTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome_of_run out = run(
            &(struct setup){.text = {.workload = cases[i].workload, .keys = i == 0 ? "50" : NULL},
                            .lie = cases[i].lie,
                            .steps = 2000});
        if (out.all.by_outcome[cases[i].outcome] == 0)
            fail_msg("%s: no %s", cases[i].workload, outcome_name(cases[i].outcome));
        assert_true(out.evidence > 0);
    }
}

static void a_client_without_batches_gets_one_call_per_key(void **state)
{
    (void)state;
    struct driver driver = driver_without_batches();
    struct outcome_of_run out =
        run(&(struct setup){.text = {.workload = "batch"}, .driver = &driver, .steps = 400});
    assert_int_equal(out.ops[OP_MULTI_GET].attempted + out.ops[OP_MULTI_SET].attempted, 0);
    assert_true(out.ops[OP_GET].attempted > 3000 && out.ops[OP_SET].attempted > 3000);
    assert_int_equal(out.all.failed, 0);
}

static void the_hit_ratio_is_what_was_asked_for(void **state)
{
    (void)state;
    struct outcome_of_run out =
        run(&(struct setup){.text = {.workload = "get-heavy", .hit_ratio = "75%"}, .steps = 8000});
    uint64_t hits = out.all.by_outcome[OUTCOME_HIT], misses = out.all.by_outcome[OUTCOME_MISS];
    assert_in_range(hits * 1000 / (hits + misses), 730, 770);
}

static void all_sizes_come_back_whole(void **state)
{
    (void)state;
    static const char *const sizes[] = {"0..70", "boundaries", "cache", "0"};
    for (int i = 0; i < 4; i++) {
        struct outcome_of_run out = run(&(struct setup){
            .text = {.workload = "get-heavy", .keys = "20 size 250", .values = sizes[i]},
            .steps = 1500});
        assert_int_equal(out.all.failed, 0);
        assert_true(out.all.by_outcome[OUTCOME_HIT] > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_workload_does_the_mix_it_promises),
        cmocka_unit_test(a_store_that_forgets_is_never_blamed),
        cmocka_unit_test(every_lie_is_found),
        cmocka_unit_test(a_client_without_batches_gets_one_call_per_key),
        cmocka_unit_test(the_hit_ratio_is_what_was_asked_for),
        cmocka_unit_test(all_sizes_come_back_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
