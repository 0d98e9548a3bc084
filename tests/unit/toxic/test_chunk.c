/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "toxic/chunk.h"

static void pool_recycles_full_chunks_up_to_its_limit(void **state)
{
    (void)state;
    struct chunk_pool pool;
    chunk_pool_init(&pool, 1);
    struct chunk *a = chunk_new(&pool, CHUNK_BYTES_MAX);
    struct chunk *b = chunk_new(&pool, CHUNK_BYTES_MAX);
    chunk_free(&pool, a);
    chunk_free(&pool, b);
    assert_int_equal(pool.spare_count, 1);
    struct chunk *again = chunk_new(&pool, CHUNK_BYTES_MAX);
    assert_ptr_equal(again, a);
    assert_int_equal(again->length, 0);
    assert_int_equal(pool.spare_count, 0);
    chunk_free(&pool, again);
    chunk_free(&pool, NULL);
    chunk_pool_deinit(&pool);
}

static void small_chunks_do_not_enter_the_pool(void **state)
{
    (void)state;
    struct chunk_pool pool;
    chunk_pool_init(&pool, 8);
    chunk_free(&pool, chunk_copy(&pool, "abc", 3));
    assert_int_equal(pool.spare_count, 0);
    chunk_pool_deinit(&pool);
}

static void fit_shrinks_only_what_wastes_most(void **state)
{
    (void)state;
    struct chunk *wide = chunk_new(NULL, CHUNK_BYTES_MAX);
    memcpy(wide->data, "xhello", 6);
    wide->begin = 1;
    wide->length = 5;
    wide->time = 7;
    struct chunk *fit = chunk_fit(NULL, wide);
    assert_int_equal(fit->capacity, 5);
    assert_int_equal(fit->time, 7);
    assert_memory_equal(chunk_bytes(fit), "hello", 5);
    assert_ptr_equal(chunk_fit(NULL, fit), fit);
    chunk_free(NULL, fit);
}

static void queue_keeps_order_and_sums(void **state)
{
    (void)state;
    struct chunk_queue queue = {0};
    assert_null(chunk_queue_pop(&queue));
    chunk_queue_push(&queue, chunk_copy(NULL, "abcd", 4));
    chunk_queue_push(&queue, chunk_copy(NULL, "ef", 2));
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.bytes, 6);
    assert_int_equal(queue.cost, 6 + 2 * sizeof(struct chunk));
    chunk_queue_skip(&queue, 3);
    assert_int_equal(queue.bytes, 3);
    struct chunk *first = chunk_queue_pop(&queue);
    assert_memory_equal(chunk_bytes(first), "d", 1);
    chunk_free(NULL, first);
    assert_int_equal(queue.bytes, 2);
    chunk_queue_clear(&queue, NULL);
    assert_int_equal(queue.count + queue.bytes + queue.cost, 0);
    assert_null(queue.tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_recycles_full_chunks_up_to_its_limit),
        cmocka_unit_test(small_chunks_do_not_enter_the_pool),
        cmocka_unit_test(fit_shrinks_only_what_wastes_most),
        cmocka_unit_test(queue_keeps_order_and_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
