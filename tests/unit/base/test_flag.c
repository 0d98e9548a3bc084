/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/flag.h"

static const char *const colors[] = {"red", "green", "blue", NULL};

/* Every test works on its own copy of the values behind one table. */
struct values {
    const char *scenario;
    bool json;
    bool tui;
    int concurrency;
    uint64_t seed;
    double rate;
    ns_t duration;
    uint64_t size;
    int color;
    bool seed_given;
    struct flag table[10];
};

static void values_init(struct values *v)
{
    *v = (struct values){
        .scenario = "",
        .table =
            {
                {.name = "scenario",
                 .kind = FLAG_STRING,
                 .target = &v->scenario,
                 .metavar = "name",
                 .group = "What to run",
                 .help = "run this scenario only"},
                {.name = "duration",
                 .kind = FLAG_DURATION,
                 .target = &v->duration,
                 .default_text = "30s",
                 .max = 3600e9,
                 .help = "how long the fault lasts"},
                {.name = "concurrency",
                 .kind = FLAG_INT,
                 .target = &v->concurrency,
                 .default_text = "50",
                 .min = 1,
                 .max = 10000,
                 .metavar = "workers",
                 .group = "Load",
                 .help = "workers at a time"},
                {.name = "seed",
                 .kind = FLAG_UINT64,
                 .target = &v->seed,
                 .help = "decides everything random",
                 .given = &v->seed_given},
                {.name = "rate", .kind = FLAG_DOUBLE, .target = &v->rate, .help = "operations"},
                {.name = "size",
                 .kind = FLAG_SIZE,
                 .target = &v->size,
                 .default_text = "1KB",
                 .max = 1048576,
                 .help = "bytes per value"},
                {.name = "color",
                 .kind = FLAG_CHOICE,
                 .target = &v->color,
                 .choices = colors,
                 .default_text = "red",
                 .group = "Output",
                 .help = "one of"},
                {.name = "json", .kind = FLAG_BOOL, .target = &v->json, .help = "print JSON"},
                {.name = "tui", .kind = FLAG_BOOL, .target = &v->tui, .default_text = "true"},
            },
    };
    flag_defaults(v->table);
}

/* Splits a line at blanks, as the shell would, and parses it. */
static enum flag_result parse(struct values *v, const char *line, int *operand, struct err *err)
{
    static char copy[256];
    static char *argv[32];
    int argc = 0;
    snprintf(copy, sizeof copy, "memchaos %s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return flag_parse(v->table, argc, argv, operand, err);
}

static void sets_defaults_first(void **state)
{
    (void)state;
    struct values v;
    values_init(&v);
    assert_int_equal(v.duration, 30 * NS_PER_SEC);
    assert_int_equal(v.concurrency, 50);
    assert_int_equal(v.size, 1024);
    assert_true(v.tui);
    assert_false(v.json);
    assert_string_equal(v.scenario, "");
}

static void reads_every_form_and_kind(void **state)
{
    (void)state;
    struct values v;
    int operand;
    values_init(&v);
    assert_int_equal(parse(&v,
                           "-scenario packet-loss --duration=1m30s --concurrency 500 -seed=0xff "
                           "-rate 1e3 -size 64k -color=blue -json -tui=false",
                           &operand, NULL),
                     FLAG_OK);
    assert_string_equal(v.scenario, "packet-loss");
    assert_int_equal(v.duration, 90 * NS_PER_SEC);
    assert_int_equal(v.concurrency, 500);
    assert_int_equal(v.seed, 255);
    assert_true(v.rate == 1000.0);
    assert_int_equal(v.size, 65536);
    assert_int_equal(v.color, 2);
    assert_true(v.json);
    assert_false(v.tui);
    assert_true(v.seed_given);
    assert_int_equal(operand, 14);
}

static void the_last_of_repeated_flags_wins(void **state)
{
    (void)state;
    struct values v;
    int operand;
    values_init(&v);
    assert_int_equal(parse(&v, "-concurrency 1 -json -concurrency=2 -json=false", &operand, NULL),
                     0);
    assert_int_equal(v.concurrency, 2);
    assert_false(v.json);
    assert_false(v.seed_given);
}

static void stops_at_the_first_operand(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int operand;
    } rows[] = {
        {"", 1},
        {"-json file -tui=false", 2},
        {"-json -- -tui=false", 3},
        {"-json - x", 2},
        {"x -json", 1},
        {"--", 2},
        {"-json -tui", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct values v;
        int operand = -1;
        values_init(&v);
        assert_int_equal(parse(&v, rows[i].line, &operand, NULL), FLAG_OK);
        assert_int_equal(operand, rows[i].operand);
        assert_true(v.tui);
    }
}

static void a_value_may_look_like_a_flag(void **state)
{
    (void)state;
    struct values v;
    int operand;
    values_init(&v);
    assert_int_equal(parse(&v, "-scenario -json", &operand, NULL), FLAG_OK);
    assert_string_equal(v.scenario, "-json");
    assert_int_equal(parse(&v, "-scenario=", &operand, NULL), FLAG_OK);
    assert_string_equal(v.scenario, "");
    assert_int_equal(parse(&v, "-scenario=a=b", &operand, NULL), FLAG_OK);
    assert_string_equal(v.scenario, "a=b");
}

static void asks_for_help_in_three_ways(void **state)
{
    (void)state;
    static const char *const rows[] = {"-h", "-help", "--help", "-json -h x", "--h"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct values v;
        int operand;
        values_init(&v);
        assert_int_equal(parse(&v, rows[i], &operand, NULL), FLAG_HELP);
    }
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *text;
    } rows[] = {
        {"-scenaro x", "flag provided but not defined: -scenaro; did you mean -scenario?"},
        {"--scenaro=x", "flag provided but not defined: -scenaro; did you mean -scenario?"},
        {"-wombat", "flag provided but not defined: -wombat"},
        {"-=x", "bad flag syntax: -=x"},
        {"---x", "flag provided but not defined: --x"},
        {"-duration",
         "flag needs an argument: -duration takes a duration like 250ms, 10s or 1m30s"},
        {"-duration abc",
         "invalid value \"abc\" for flag -duration: must be a duration like 250ms, "
         "10s or 1m30s"},
        {"-duration 30", "invalid value \"30\" for flag -duration: must be a duration like 250ms, "
                         "10s or 1m30s"},
        {"-duration -1s", "invalid value \"-1s\" for flag -duration: must be from 0s to 1h"},
        {"-duration 2h", "invalid value \"2h\" for flag -duration: must be from 0s to 1h"},
        {"-concurrency 0", "invalid value \"0\" for flag -concurrency: must be from 1 to 10000"},
        {"-concurrency 5x", "invalid value \"5x\" for flag -concurrency: must be a whole number"},
        {"-concurrency=", "invalid value \"\" for flag -concurrency: must be a whole number"},
        {"-concurrency 99999999999",
         "invalid value \"99999999999\" for flag -concurrency: must be a whole number"},
        {"-seed -1", "invalid value \"-1\" for flag -seed: must be a whole number, not negative"},
        {"-seed 18446744073709551616",
         "invalid value \"18446744073709551616\" for flag -seed: must "
         "be a whole number, not negative"},
        {"-rate -1", "invalid value \"-1\" for flag -rate: must be at least 0"},
        {"-rate nan", "invalid value \"nan\" for flag -rate: must be a number"},
        {"-rate 1e999", "invalid value \"1e999\" for flag -rate: must be a number"},
        {"-size 2MB",
         "invalid value \"2MB\" for flag -size: must be from 0 bytes to 1048576 bytes"},
        {"-size 2XB",
         "invalid value \"2XB\" for flag -size: must be a size like 512, 64KB or 1.5MB"},
        {"-json=maybe", "invalid value \"maybe\" for flag -json: must be true or false"},
        {"-color pink", "invalid value \"pink\" for flag -color: must be one of red, green, blue"},
        {"-color gren", "invalid value \"gren\" for flag -color: must be one of red, green, blue; "
                        "did you mean green?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct values v;
        struct err err = {""};
        int operand;
        values_init(&v);
        assert_int_equal(parse(&v, rows[i].line, &operand, &err), FLAG_BAD);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(v.concurrency, 50);
    }
}

static void a_list_keeps_every_use_up_to_its_limit(void **state)
{
    (void)state;
    struct flag_list list = {.count = 0};
    const struct flag table[] = {{.name = "a", .kind = FLAG_LIST, .target = &list}, {.name = NULL}};
    const char *argv[] = {"x", "-a", "one", "--a=two", "operand"};
    struct err err;
    int operand;
    assert_int_equal(flag_parse(table, 5, (char *const *)argv, &operand, &err), FLAG_OK);
    assert_int_equal(operand, 4);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0], "one");
    assert_string_equal(list.items[1], "two");
    char text[16];
    assert_string_equal(flag_value_text(&table[0], text, sizeof text), "one,two");
    assert_string_equal(flag_value_text(&table[0], text, 5), "one,");
    while (list.count < FLAG_LIST_MAX)
        assert_int_equal(flag_set(&table[0], "more", &err), 0);
    assert_int_equal(flag_set(&table[0], "more", &err), -1);
    assert_string_equal(err.text, "flag -a is given more than 64 times");
}

static void reads_sizes_in_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"0", 0},           {"512", 512},        {"512b", 512},  {"1k", 1024},
                {"64KB", 65536},    {"64KiB", 65536},    {"1.5k", 1536}, {"1MB", 1048576},
                {"2g", 2ull << 30}, {"1TiB", 1ull << 40}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 99;
        const struct flag f = {.name = "size", .kind = FLAG_SIZE, .target = &bytes};
        assert_int_equal(flag_set(&f, rows[i].text, NULL), 0);
        assert_int_equal(bytes, rows[i].bytes);
    }
}

static void prints_examples_groups_and_defaults(void **state)
{
    (void)state;
    static const struct flag_example examples[] = {
        {"memchaos -scenario packet-loss", "one scenario"},
        {"memchaos -list", "what there is"},
        {NULL, NULL},
    };
    const struct flag_help help = {
        .usage = "memchaos [flags]", .about = "Breaks the network.", .examples = examples};
    struct values v;
    values_init(&v);
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    flag_print_help(out, v.table, &help);
    fclose(out);
    assert_string_equal(text,
                        "Breaks the network.\n"
                        "\n"
                        "Usage: memchaos [flags]\n"
                        "\n"
                        "Examples:\n"
                        "  memchaos -scenario packet-loss  one scenario\n"
                        "  memchaos -list                  what there is\n"
                        "\n"
                        "What to run:\n"
                        "  -scenario name              run this scenario only\n"
                        "  -duration duration          how long the fault lasts (default 30s)\n"
                        "\n"
                        "Load:\n"
                        "  -concurrency workers        workers at a time (default 50)\n"
                        "  -seed uint                  decides everything random\n"
                        "  -rate number                operations\n"
                        "  -size size                  bytes per value (default 1KB)\n"
                        "\n"
                        "Output:\n"
                        "  -color name                 one of: red, green, blue (default red)\n"
                        "  -json                       print JSON\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_defaults_first),
        cmocka_unit_test(reads_every_form_and_kind),
        cmocka_unit_test(the_last_of_repeated_flags_wins),
        cmocka_unit_test(stops_at_the_first_operand),
        cmocka_unit_test(a_value_may_look_like_a_flag),
        cmocka_unit_test(asks_for_help_in_three_ways),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(a_list_keeps_every_use_up_to_its_limit),
        cmocka_unit_test(reads_sizes_in_powers_of_1024),
        cmocka_unit_test(prints_examples_groups_and_defaults),
    };
    return cmocka_run_group_tests_name("flag", tests, NULL, NULL);
}
