/* SPDX-License-Identifier: MIT */
#include "report/bottleneck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S ((uint64_t)NS_PER_SEC)

/* Ten seconds of four CPUs, of which a half was busy. */
static struct host_use calm(void)
{
    struct host_use use = host_use_none();
    use.length_ns = 10 * NS_PER_SEC;
    use.cpu_ns = 40 * S;
    use.cpu_busy_ns = 20 * S;
    use.generator_cpu_ns = 12 * S;
    use.nodes_cpu_ns = 5 * S;
    return use;
}

static const struct recorder_counts kept_up = {.offered = 1000, .dropped = 5};

static void finds_who_used_the_cpu(void **state)
{
    (void)state;
    const struct {
        uint64_t busy, generator, nodes, pressure;
        enum bottleneck expected;
    } cases[] = {
        {20 * S, 12 * S, 5 * S, 0, BOTTLENECK_NONE},
        {37 * S, 20 * S, 5 * S, 0, BOTTLENECK_GENERATOR},
        {37 * S, 5 * S, 20 * S, 0, BOTTLENECK_NODES},
        {37 * S, 5 * S, 5 * S, 0, BOTTLENECK_HOST_CPU},
        {37 * S, HOST_UNKNOWN, HOST_UNKNOWN, 0, BOTTLENECK_HOST_CPU},
        {20 * S, 12 * S, 5 * S, 5 * S, BOTTLENECK_GENERATOR},
        {20 * S, 12 * S, 5 * S, 4 * S, BOTTLENECK_NONE},
        {20 * S, 12 * S, 5 * S, HOST_UNKNOWN, BOTTLENECK_NONE},
        {HOST_UNKNOWN, 12 * S, 5 * S, 4 * S, BOTTLENECK_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host_use use = calm();
        use.cpu_busy_ns = cases[i].busy;
        use.generator_cpu_ns = cases[i].generator;
        use.nodes_cpu_ns = cases[i].nodes;
        use.cpu_pressure_ns = cases[i].pressure;
        assert_int_equal(bottleneck_of(&use, &kept_up, &(struct latency){0}), cases[i].expected);
    }
}

static void finds_memory_disks_and_busy_workers(void **state)
{
    (void)state;
    const struct latency on_time = {0}, late = {.count = 10, .p50_ns = 21 * NS_PER_MS};
    const struct recorder_counts dropped = {.offered = 1000, .dropped = 11}, none = {0};
    struct host_use use = calm();
    assert_int_equal(bottleneck_of(&use, &dropped, &on_time), BOTTLENECK_WORKERS);
    assert_int_equal(bottleneck_of(&use, &kept_up, &late), BOTTLENECK_WORKERS);
    assert_int_equal(bottleneck_of(&use, &none, &on_time), BOTTLENECK_NONE);
    use.io_pressure_ns = 5 * S;
    assert_int_equal(bottleneck_of(&use, &dropped, &late), BOTTLENECK_HOST_IO);
    use.memory_pressure_ns = 1 * S;
    assert_int_equal(bottleneck_of(&use, &dropped, &late), BOTTLENECK_HOST_MEMORY);
    use.length_ns = 0; /* nothing was measured */
    use.cpu_ns = 0;
    assert_int_equal(bottleneck_of(&use, &kept_up, &on_time), BOTTLENECK_UNKNOWN);
}

static void names_are_told_apart(void **state)
{
    (void)state;
    assert_string_equal(bottleneck_name(BOTTLENECK_HOST_IO), "host_io");
    for (int i = 0; i < BOTTLENECK_COUNT; i++)
        assert_true(bottleneck_text(i)[0] != '\0');
    assert_false(bottleneck_is_limit(BOTTLENECK_NONE));
    assert_false(bottleneck_is_limit(BOTTLENECK_UNKNOWN));
    assert_true(bottleneck_is_limit(BOTTLENECK_WORKERS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_who_used_the_cpu),
        cmocka_unit_test(finds_memory_disks_and_busy_workers),
        cmocka_unit_test(names_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
