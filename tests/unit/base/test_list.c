/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list link;
};

static int first_value(struct list *head)
{
    return list_entry(head->next, struct item, link)->value;
}

static void keeps_order_and_gives_back_in_order(void **state)
{
    (void)state;
    struct list head;
    struct item items[4];
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
    for (int i = 1; i < 4; i++) {
        items[i].value = i;
        list_push_back(&head, &items[i].link);
    }
    items[0].value = 0;
    list_push_front(&head, &items[0].link);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(first_value(&head), i);
        assert_ptr_equal(list_pop_front(&head), &items[i].link);
    }
    assert_true(list_is_empty(&head));
}

static void a_walk_survives_removal_of_where_it_is(void **state)
{
    (void)state;
    struct list head;
    struct item items[6];
    list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].value = i;
        list_push_back(&head, &items[i].link);
    }
    int seen = 0;
    list_for_each(it, &head)
    {
        if (list_entry(it, struct item, link)->value % 2 == 0)
            list_remove(it);
        seen++;
    }
    assert_int_equal(seen, 6);
    assert_int_equal(first_value(&head), 1);
    list_remove(&items[0].link);
    assert_int_equal(first_value(&head), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_gives_back_in_order),
        cmocka_unit_test(a_walk_survives_removal_of_where_it_is),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
