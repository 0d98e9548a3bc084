/* SPDX-License-Identifier: MIT */
/* The heap of deadlines against a sorted list, with random additions and removals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "mcmeta/deadlines.h"

#define COUNT 300

static mcm_ns earliest(const struct mcm_deadline *entries)
{
    mcm_ns first = MCM_NS_NEVER;
    for (int i = 0; i < COUNT; i++) {
        if (entries[i].place != 0 && entries[i].at < first)
            first = entries[i].at;
    }
    return first;
}

static void the_first_is_always_the_earliest(void **state)
{
    (void)state;
    struct mcm_deadlines deadlines = {0};
    struct mcm_deadline entries[COUNT] = {0};
    struct rng rng = rng_seeded(7);
    for (int step = 0; step < 5000; step++) {
        struct mcm_deadline *entry = &entries[rng_below(&rng, COUNT)];
        if (entry->place != 0) {
            mcm_deadlines_remove(&deadlines, entry);
        } else {
            entry->at = (mcm_ns)rng_below(&rng, 100);
            assert_int_equal(mcm_deadlines_add(&deadlines, entry), 0);
        }
        struct mcm_deadline *first = mcm_deadlines_first(&deadlines);
        assert_true((first != NULL ? first->at : MCM_NS_NEVER) == earliest(entries));
    }
    mcm_deadlines_deinit(&deadlines);
}

static void never_is_not_kept(void **state)
{
    (void)state;
    struct mcm_deadlines deadlines = {0};
    struct mcm_deadline entry = {.at = MCM_NS_NEVER, .place = 3};
    assert_int_equal(mcm_deadlines_add(&deadlines, &entry), 0);
    assert_null(mcm_deadlines_first(&deadlines));
    mcm_deadlines_remove(&deadlines, &entry);
    mcm_deadlines_deinit(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_always_the_earliest),
        cmocka_unit_test(never_is_not_kept),
    };
    return cmocka_run_group_tests_name("mcmeta/deadlines", tests, NULL, NULL);
}
