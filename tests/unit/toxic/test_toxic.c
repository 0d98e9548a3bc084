/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "rig.h"

/* The order in which attributes are printed is part of the API. */
static void types_have_the_attributes_of_the_api(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *attrs;
    } expected[] = {
        {"latency", "latency jitter "},
        {"bandwidth", "rate "},
        {"slow_close", "delay "},
        {"timeout", "timeout "},
        {"reset_peer", "timeout "},
        {"slicer", "average_size size_variation delay "},
        {"limit_data", "bytes "},
        {"packet_loss", "loss_rate correlation rtt "},
        {"noop", ""},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const struct toxic_ops *ops = toxic_type_find(expected[i].type);
        assert_non_null(ops);
        size_t count;
        const struct toxic_attr *attrs = toxic_type_attrs(ops, &count);
        char text[200] = "";
        for (size_t a = 0; a < count; a++) {
            strcat(text, attrs[a].name);
            strcat(text, " ");
        }
        assert_string_equal(text, expected[i].attrs);
    }
}

static void every_type_is_complete(void **state)
{
    (void)state;
    size_t type_count;
    const struct toxic_ops *const *types = toxic_types(&type_count);
    for (size_t i = 0; i < type_count; i++) {
        assert_ptr_equal(toxic_type_find(toxic_type_name(types[i])), types[i]);
        assert_non_null(toxic_type_help(types[i]));
        size_t count;
        const struct toxic_attr *attrs = toxic_type_attrs(types[i], &count);
        assert_true(count <= TOXIC_ATTRS_MAX);
        for (size_t a = 0; a < count; a++) {
            assert_non_null(attrs[a].unit);
            assert_non_null(attrs[a].help);
            /* As a request that leaves it out means, but for a round trip of 1 ms. */
            if (strcmp(attrs[a].name, "rtt"))
                assert_int_equal(attrs[a].initial.i, 0);
            else
                assert_true(attrs[a].initial.f == 1);
        }
    }
    assert_null(toxic_type_find("Latency"));
    assert_null(toxic_type_find("down"));
}

static void name_and_stream_default(void **state)
{
    (void)state;
    const struct toxic_ops *ops = toxic_type_find("latency");
    struct toxic *toxic = toxic_new(ops, "", NULL, 1, NULL);
    assert_string_equal(toxic->name, "latency_downstream");
    assert_int_equal(toxic->stream, TOXIC_DOWNSTREAM);
    toxic_free(toxic);
    toxic = toxic_new(ops, NULL, "UpStream", 0.5f, NULL);
    assert_string_equal(toxic->name, "latency_UpStream");
    assert_string_equal(toxic->stream_text, "UpStream");
    assert_int_equal(toxic->stream, TOXIC_UPSTREAM);
    toxic_free(toxic);
    toxic = toxic_new(ops, "mine", "downstream", 1, NULL);
    assert_string_equal(toxic->name, "mine");
    toxic_free(toxic);
    toxic_free(NULL);
}

static void bad_stream_is_refused(void **state)
{
    (void)state;
    struct err err;
    assert_null(toxic_new(toxic_type_find("noop"), NULL, "walrustream", 1, &err));
    assert_string_equal(err.text, "stream was invalid, can be either upstream or downstream");
    assert_null(toxic_new(toxic_type_find("noop"), NULL, "", 1, &err));
    enum toxic_stream stream;
    assert_int_equal(toxic_stream_parse("UPSTREAM", &stream), 0);
    assert_string_equal(toxic_stream_name(stream), "upstream");
}

static void attributes_are_found_in_any_case_and_checked(void **state)
{
    (void)state;
    struct err err;
    const struct toxic_ops *ops = toxic_type_find("bandwidth");
    const struct toxic_attr *rate = toxic_attr_find(ops, "RaTe");
    assert_non_null(rate);
    assert_null(toxic_attr_find(ops, "speed"));
    struct toxic_values values = toxic_values_default(ops);
    assert_int_equal(toxic_attr_set_int(ops, &values, rate, -1, &err), -1);
    assert_string_equal(err.text, "rate of bandwidth must be at least 0, not -1");
    assert_int_equal(toxic_attr_set_float(ops, &values, rate, 1, &err), -1);
    assert_string_equal(err.text, "rate of bandwidth must be an integer");
    assert_int_equal(toxic_attr_set_int(ops, &values, rate, INT64_MAX, &err), 0);
    assert_int_equal(values.v[0].i, INT64_MAX);
}

static void float_attributes_take_integers_in_range(void **state)
{
    (void)state;
    struct err err;
    const struct toxic_ops *ops = toxic_type_find("packet_loss");
    const struct toxic_attr *loss = toxic_attr_find(ops, "loss_rate");
    struct toxic_values values = toxic_values_default(ops);
    assert_int_equal(toxic_attr_set_int(ops, &values, loss, 1, &err), 0);
    assert_true(values.v[0].f == 1.0);
    assert_int_equal(toxic_attr_set_float(ops, &values, loss, 1.5, &err), -1);
    assert_string_equal(err.text, "loss_rate of packet_loss must be between 0 and 1, not 1.5");
    assert_int_equal(toxic_attr_set_float(ops, &values, loss, (double)NAN, &err), -1);
    struct toxic *toxic = toxic_new(ops, NULL, NULL, 1, NULL);
    toxic_apply(toxic, &values, 0.25f);
    assert_true(toxic_attr_get(toxic, loss).f == 1.0);
    assert_true(toxic->toxicity == 0.25f);
    toxic_free(toxic);
}

static void stats_add_up(void **state)
{
    (void)state;
    struct toxic_stats sum = {1, 2, 3, 4, 5, 6, 7};
    toxic_stats_add(&sum, &sum);
    struct toxic_stats expected = {2, 4, 6, 8, 10, 12, 14};
    assert_memory_equal(&sum, &expected, sizeof(sum));
}

static void every_thread_counts_for_itself(void **state)
{
    (void)state;
    struct toxic *toxic = toxic_new(toxic_type_find("noop"), NULL, NULL, 1, NULL);
    assert_ptr_equal(toxic_stats_of(toxic, 0), &toxic->stats);
    assert_int_equal(toxic_spread(toxic, 3), 0);
    for (unsigned thread = 0; thread < 3; thread++)
        toxic_stats_of(toxic, thread)->chunks += 10 + thread;
    assert_int_equal(toxic->stats.chunks, 10);
    /* Nothing is counted twice. */
    for (int i = 0; i < 2; i++) {
        toxic_gather(toxic);
        assert_int_equal(toxic->stats.chunks, 33);
    }
    toxic_free(toxic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_the_attributes_of_the_api),
        cmocka_unit_test(every_type_is_complete),
        cmocka_unit_test(name_and_stream_default),
        cmocka_unit_test(bad_stream_is_refused),
        cmocka_unit_test(attributes_are_found_in_any_case_and_checked),
        cmocka_unit_test(float_attributes_take_integers_in_range),
        cmocka_unit_test(stats_add_up),
        cmocka_unit_test(every_thread_counts_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
