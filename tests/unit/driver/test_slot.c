/* SPDX-License-Identifier: MIT */
/* One worker's operation from its request to its end, and every way in which that can go wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "driver/slot.h"

#define WORKERS 4
#define WORKER 3

struct bench {
    struct findings findings;
    struct slot slot;
    struct slot_fate fate;
};

static void bench_init(struct bench *b)
{
    findings_init(&b->findings, NULL);
    slot_init(&b->slot, WORKER, WORKERS, &b->findings);
}

static void bench_deinit(struct bench *b)
{
    slot_deinit(&b->slot);
    findings_deinit(&b->findings);
}

static uint64_t begin(struct bench *b)
{
    return slot_begin(&b->slot, OP_GET, ns_now(), &b->fate);
}

static void record(struct bench *b, enum wire_kind kind, uint64_t id, ns_t at)
{
    struct wire_record r = {.kind = kind, .id = id, .at_ns = at, .root = json_object()};
    slot_record(&b->slot, &r, "THE LINE");
    json_decref(r.root);
}

/* `watchdog`: how long to wait. */
static bool is_answered(struct bench *b, ns_t watchdog)
{
    json_t *answer = slot_wait(&b->slot, ns_now() + watchdog, &b->fate);
    bool answered = answer != NULL;
    json_decref(answer);
    return answered;
}

/* That there is exactly one finding, with these words. */
static void expect_finding(struct bench *b, enum driver_finding_kind kind, const char *words)
{
    struct driver_finding list[DRIVER_FINDING_COUNT];
    assert_int_equal(findings_read(&b->findings, list), 1);
    assert_int_equal(list[0].kind, kind);
    assert_int_equal(list[0].count, 1);
    assert_non_null(strstr(list[0].first_text, words));
}

static void an_operation_goes_round(void **state)
{
    (void)state;
    struct bench b;
    struct driver_finding list[DRIVER_FINDING_COUNT];
    bench_init(&b);
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t id = begin(&b);
        assert_int_equal(id, i * WORKERS + WORKER);
        record(&b, WIRE_BEGIN, id, 100);
        record(&b, WIRE_END, id, 350);
        assert_true(is_answered(&b, 0));
        assert_int_equal(b.fate.inside_ns, 250);
    }
    assert_int_equal(findings_read(&b.findings, list), 0);
    bench_deinit(&b);
}

static void every_wrong_record_is_a_finding(void **state)
{
    (void)state;
    static const struct {
        const char *script; /* of begins, ends, and those of another id; w = the worker waits */
        ns_t end_at;
        const char *words;
    } rows[] = {
        {"e", 350, "an end without its begin"}, {"bbe", 350, "a second begin"},
        {"bewe", 350, "a second end"},          {"beb", 350, "a second begin"},
        {"be", 50, "earlier than its begin"},   {"xbe", 350, "not in progress"},
        {"bye", 350, "not in progress"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        bench_init(&b);
        uint64_t id = begin(&b);
        for (const char *p = rows[i].script; *p != '\0'; p++) {
            if (*p == 'b')
                record(&b, WIRE_BEGIN, id, 100);
            else if (*p == 'e')
                record(&b, WIRE_END, id, rows[i].end_at);
            else if (*p == 'x')
                record(&b, WIRE_BEGIN, id + WORKERS, 100);
            else if (*p == 'y')
                record(&b, WIRE_END, id - WORKERS, 100);
            else
                assert_true(is_answered(&b, 0));
        }
        expect_finding(&b, DRIVER_FINDING_PROTOCOL, rows[i].words);
        bench_deinit(&b);
    }
}

static void silence_is_a_finding_and_nothing_is_sent_until_the_end_has_come(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    uint64_t id = begin(&b);
    record(&b, WIRE_BEGIN, id, 100);
    assert_false(is_answered(&b, 0));
    assert_int_equal(b.fate.outcome, OUTCOME_IO_TIMEOUT);
    assert_false(b.fate.unsent);
    expect_finding(&b, DRIVER_FINDING_SILENT, "begun and never ended");
    assert_int_equal(begin(&b), 0);
    assert_int_equal(b.fate.outcome, OUTCOME_IO_TIMEOUT);
    assert_true(b.fate.unsent);
    record(&b, WIRE_END, id, 200);
    struct driver_finding list[DRIVER_FINDING_COUNT];
    assert_int_equal(findings_read(&b.findings, list), 2);
    assert_int_equal(list[1].kind, DRIVER_FINDING_LATE);
    assert_int_equal(begin(&b), id + WORKERS);
    bench_deinit(&b);
}

static void what_was_never_begun_is_told(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    begin(&b);
    assert_false(is_answered(&b, 0));
    expect_finding(&b, DRIVER_FINDING_SILENT, "never begun");
    bench_deinit(&b);
}

static void the_end_of_the_run_cancels_and_is_no_finding(void **state)
{
    (void)state;
    struct bench b;
    struct driver_finding list[DRIVER_FINDING_COUNT];
    bench_init(&b);
    uint64_t id = begin(&b);
    slot_cancel(&b.slot);
    assert_false(is_answered(&b, 10 * NS_PER_SEC));
    assert_int_equal(b.fate.outcome, OUTCOME_CANCELLED);
    record(&b, WIRE_BEGIN, id, 100);
    record(&b, WIRE_END, id, 200);
    assert_int_equal(begin(&b), 0);
    assert_int_equal(b.fate.outcome, OUTCOME_CANCELLED);
    assert_int_equal(findings_read(&b.findings, list), 0);
    bench_deinit(&b);
}

static void the_death_of_the_program_fails_what_is_under_way_and_what_follows(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    begin(&b);
    slot_die(&b.slot);
    assert_false(is_answered(&b, 10 * NS_PER_SEC));
    assert_int_equal(b.fate.outcome, OUTCOME_OTHER);
    assert_false(b.fate.unsent);
    assert_int_equal(begin(&b), 0);
    assert_int_equal(b.fate.outcome, OUTCOME_OTHER);
    assert_true(b.fate.unsent);
    bench_deinit(&b);
}

static void an_answer_that_came_before_the_death_counts(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    uint64_t id = begin(&b);
    record(&b, WIRE_BEGIN, id, 100);
    record(&b, WIRE_END, id, 200);
    slot_die(&b.slot);
    assert_true(is_answered(&b, 0));
    bench_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_goes_round),
        cmocka_unit_test(every_wrong_record_is_a_finding),
        cmocka_unit_test(silence_is_a_finding_and_nothing_is_sent_until_the_end_has_come),
        cmocka_unit_test(what_was_never_begun_is_told),
        cmocka_unit_test(the_end_of_the_run_cancels_and_is_no_finding),
        cmocka_unit_test(the_death_of_the_program_fails_what_is_under_way_and_what_follows),
        cmocka_unit_test(an_answer_that_came_before_the_death_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
