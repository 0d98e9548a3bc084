/* SPDX-License-Identifier: MIT */
/* Finds the command that is meant, reads its flags and runs it. */
#include "cli/toxi_cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/exit_code.h"
#include "cli/toxi.h"
#include "cli/toxi_print.h"
#include "proxy/server.h"
#include "toxic/toxic.h"

#define URL_DEFAULT "http://localhost:8474"
#define TIMEOUT_NS (30 * NS_PER_SEC)

/* The word in front of toxic add, update and remove, and its short form. */
static const char *const group_names[] = {"toxic", "t", NULL};

static const struct flag_example list_examples[] = {
    {"memchaos list", "name, listen, upstream, enabled or disabled, toxics"},
    {"memchaos list -host http://ci:8474", "of another server"},
    {NULL, NULL},
};
static const struct flag_example inspect_examples[] = {
    {"memchaos inspect cache1", "every toxic with its attributes"},
    {NULL, NULL},
};
static const struct flag_example create_examples[] = {
    {"memchaos create -l localhost:21211 -u localhost:11211 cache1", "a proxy before memcached"},
    {NULL, NULL},
};
static const struct flag_example toggle_examples[] = {
    {"memchaos toggle cache1", "takes the node down; once more, it is back"},
    {NULL, NULL},
};
static const struct flag_example delete_examples[] = {
    {"memchaos delete cache1", "closes its connections too"},
    {NULL, NULL},
};
static const struct flag_example stats_examples[] = {
    {"memchaos stats cache1", "connections, bytes, and whom each toxic has hit"},
    {NULL, NULL},
};
static const struct flag_example add_examples[] = {
    {"memchaos toxic add -t latency -a latency=100 -a jitter=50 cache1", "50 to 150 ms later"},
    {"memchaos toxic add -t bandwidth -a rate=10 -u cache1", "10 KB/s towards the server"},
    {"memchaos toxic add -t timeout -tox 0.1 cache1", "every tenth connection is silent"},
    {NULL, NULL},
};
static const struct flag_example update_examples[] = {
    {"memchaos toxic update -n latency_downstream -a latency=200 cache1",
     "the rest stays as it is"},
    {"memchaos toxic update -n latency_downstream -tox 0.5 cache1", "for half of the connections"},
    {NULL, NULL},
};
static const struct flag_example remove_examples[] = {
    {"memchaos toxic remove -n latency_downstream cache1", ""},
    {NULL, NULL},
};

static const struct toxi_command commands[] = {
    {NULL, "list", {"l", "li", "ls"}, 0, NULL, "List the proxies.", list_examples, toxi_list},
    {NULL,
     "inspect",
     {"i", "ins"},
     0,
     "NAME",
     "Show the toxics of a proxy.",
     inspect_examples,
     toxi_inspect},
    {NULL,
     "create",
     {"c", "new"},
     TOXI_TAKES_ADDRESSES,
     "NAME",
     "Create a proxy.",
     create_examples,
     toxi_create},
    {NULL,
     "toggle",
     {"tog"},
     0,
     "NAME",
     "Disable a proxy that is enabled, or enable it.",
     toggle_examples,
     toxi_toggle},
    {NULL, "delete", {"d"}, 0, "NAME", "Delete a proxy.", delete_examples, toxi_delete},
    {NULL, "stats", {NULL}, 0, "NAME", "Show the counters of a proxy.", stats_examples, toxi_stats},
    {"toxic",
     "add",
     {"a"},
     TOXI_TAKES_TYPE | TOXI_TAKES_TOXIC_NAME | TOXI_TAKES_VALUES,
     "NAME",
     "Add a toxic to a proxy.",
     add_examples,
     toxi_toxic_add},
    {"toxic",
     "update",
     {"u"},
     TOXI_TAKES_TOXIC_NAME | TOXI_TAKES_VALUES,
     "NAME",
     "Change a toxic; what is not given stays as it is.",
     update_examples,
     toxi_toxic_update},
    {"toxic",
     "remove",
     {"r", "delete", "d"},
     TOXI_TAKES_TOXIC_NAME,
     "NAME",
     "Remove a toxic from a proxy.",
     remove_examples,
     toxi_toxic_remove},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static bool same_group(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const struct toxi_command *find_command(const char *group, const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct toxi_command *c = &commands[i];
        if (!same_group(c->group, group))
            continue;
        if (strcmp(c->name, word) == 0)
            return c;
        for (size_t k = 0; k < 4 && c->aliases[k] != NULL; k++)
            if (strcmp(c->aliases[k], word) == 0)
                return c;
    }
    return NULL;
}

static bool is_group(const char *word)
{
    return strcmp(word, group_names[0]) == 0 || strcmp(word, group_names[1]) == 0;
}

static void print_message(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static void print_message(const char *format, va_list args)
{
    fflush(stdout);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int toxi_fail(const struct toxi *t, const char *format, ...)
{
    va_list args;
    (void)t;
    va_start(args, format);
    print_message(format, args);
    va_end(args);
    return TOXI_EXIT_FAILED;
}

int toxi_fail_usage(const struct toxi *t, const char *format, ...)
{
    va_list args;
    toxi_flags_print_help(t->command);
    va_start(args, format);
    print_message(format, args);
    va_end(args);
    return TOXI_EXIT_FAILED;
}

int toxi_fail_call(const struct toxi *t, int result, const struct err *err, const char *format, ...)
{
    char what[768];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    toxi_fail(t, "%s: %s", what, apiclient_refusal(err));
    if (result == APICLIENT_UNREACHABLE)
        fprintf(stderr, "Is a proxy server running there? memchaos proxy starts one; -host or "
                        "TOXIPROXY_URL names another.\n");
    return TOXI_EXIT_FAILED;
}

static void print_commands(const char *group)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct toxi_command *c = &commands[i];
        char names[64];
        if (!same_group(c->group, group))
            continue;
        int used = snprintf(names, sizeof names, "%s", c->name);
        for (size_t k = 0; k < 4 && c->aliases[k] != NULL; k++)
            used += snprintf(names + used, sizeof names - (size_t)used, ", %s", c->aliases[k]);
        printf("  %-20s  %s\n", names, c->help);
    }
}

/* The types of this program's server; another one may have fewer. */
static void print_types(void)
{
    size_t count;
    const struct toxic_ops *const *types = toxic_types(&count);
    printf("\nTypes and their attributes:\n");
    for (size_t i = 0; i < count; i++) {
        size_t attrs;
        const struct toxic_attr *a = toxic_type_attrs(types[i], &attrs);
        printf("  %-12s  %s\n", toxic_type_name(types[i]), toxic_type_help(types[i]));
        for (size_t k = 0; k < attrs; k++)
            printf("  %-12s    %s=<%s>  %s\n", "", a[k].name, a[k].unit, a[k].help);
    }
}

static int print_group_help(void)
{
    printf("Add, change and remove toxics: faults for one direction of a proxy's connections.\n\n"
           "Usage: memchaos toxic add|update|remove [flags] NAME\n\nExamples:\n"
           "  memchaos toxic add -t latency -a latency=100 -a jitter=50 cache1\n"
           "  memchaos toxic add -t bandwidth -n slow -a rate=10 -u -tox 0.5 cache1\n"
           "  memchaos toxic update -n latency_downstream -a latency=200 cache1\n"
           "  memchaos toxic remove -n latency_downstream cache1\n\nCommands:\n");
    print_commands(group_names[0]);
    print_types();
    printf("\nSee memchaos toxic add -help for the flags.\n");
    return TOXI_EXIT_OK;
}

static int print_overview(void)
{
    printf("Control a running fault-injecting proxy: memchaos proxy, or a Toxiproxy server.\n\n"
           "Usage: memchaos COMMAND [flags] [NAME]\n\nCommands:\n");
    print_commands(NULL);
    printf("  %-20s  Add, change and remove toxics.\n", "toxic, t");
    printf("\nSee memchaos COMMAND -help.\n");
    return TOXI_EXIT_OK;
}

static int no_such_command(const char *group, const char *word)
{
    struct suggest near = suggest_start(word);
    for (size_t i = 0; i < COMMANDS; i++)
        if (same_group(commands[i].group, group))
            suggest_offer(&near, commands[i].name);
    if (group == NULL)
        suggest_offer(&near, group_names[0]);
    fprintf(stderr, "No help topic for '%s'", word);
    if (near.best != NULL)
        fprintf(stderr, "; did you mean '%s'?", near.best);
    fputc('\n', stderr);
    return TOXI_EXIT_NO_SUCH_COMMAND;
}

/* Output that could not be written is a failure: a script would take it for an empty list. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "writing the output failed\n");
    return code != TOXI_EXIT_OK ? code : TOXI_EXIT_FAILED;
}

static int run(struct toxi *t, int argc, char **argv)
{
    struct err err;
    enum flag_result parsed = toxi_flags_parse(t->command, &t->options, argc, argv, &err);
    if (parsed == FLAG_BAD) {
        toxi_fail_usage(t, "%s", err.text);
        return EXIT_CODE_USAGE;
    }
    if (parsed == FLAG_HELP) {
        toxi_flags_print_help(t->command);
        return TOXI_EXIT_OK;
    }
    const struct apiclient_config config = {
        .url = t->options.host, .timeout_ns = TIMEOUT_NS, .cancel_fd = -1};
    if (apiclient_new(&config, &t->client, &err) != 0)
        return toxi_fail(t, "%s", err.text);
    toxi_print_init(t);
    int code = t->command->run(t);
    apiclient_free(t->client);
    return code;
}

/* Flags in front of a command: -host, and -version where it is taken. An exit code, or -1: go on
 * with argv[*at], or with a look at the help when there is none. */
static int read_global(struct toxi *t, unsigned takes, int argc, char **argv, int *at)
{
    struct flag table[TOXI_FLAGS_MAX];
    struct err err;
    toxi_flags_table(takes, &t->options, table);
    switch (flag_parse(table, argc, argv, at, &err)) {
    case FLAG_OK: break;
    case FLAG_HELP: *at = argc; break;
    case FLAG_BAD: fprintf(stderr, "%s\n", err.text); return EXIT_CODE_USAGE;
    }
    if (!t->options.version)
        return -1;
    printf("toxiproxy-cli version %s\n", PROXY_API_VERSION);
    return TOXI_EXIT_OK;
}

static bool is_help_word(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "--h") == 0;
}

static int dispatch(struct toxi *t, int argc, char **argv)
{
    const char *group = NULL;
    unsigned takes = TOXI_TAKES_VERSION;
    for (;;) {
        int at = 1;
        if (argc == 2 && is_help_word(argv[1]))
            argc = 1;
        int code = read_global(t, takes, argc, argv, &at);
        if (code >= 0)
            return code;
        if (at >= argc)
            return group != NULL ? print_group_help() : print_overview();
        argc -= at;
        argv += at;
        if (group != NULL || !is_group(argv[0]))
            break;
        group = group_names[0];
        takes = 0;
    }
    t->command = find_command(group, argv[0]);
    return t->command != NULL ? run(t, argc, argv) : no_such_command(group, argv[0]);
}

int toxi_cmd_main(int argc, char **argv)
{
    const char *url = getenv("TOXIPROXY_URL");
    const char *slash = strrchr(argv[0], '/');
    struct toxi t = {
        .program = strcmp(slash != NULL ? slash + 1 : argv[0], "toxiproxy-cli") == 0
                       ? "toxiproxy-cli"
                       : "memchaos",
        .options = {.host = url != NULL && *url != '\0' ? url : URL_DEFAULT,
                    .listen = "",
                    .upstream_address = "",
                    .toxic_name = "",
                    .type = "",
                    .toxicity = ""},
    };
    return finish(dispatch(&t, argc, argv));
}

bool toxi_cmd_is_meant(int argc, char **argv)
{
    struct toxi_options o;
    struct flag table[TOXI_FLAGS_MAX];
    int at;
    toxi_flags_table(0, &o, table);
    return argc > 1 && flag_parse(table, argc, argv, &at, NULL) == FLAG_OK && at < argc &&
           (is_group(argv[at]) || find_command(NULL, argv[at]) != NULL);
}
