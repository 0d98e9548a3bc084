/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/toxi.h"

/* Every flag of every command. A row without help is another spelling of the one above it. */
static const struct row {
    unsigned takes; /* 0 = every command has it */
    const char *name;
    enum flag_kind kind;
    size_t offset; /* in struct toxi_options */
    const char *metavar;
    const char *help;
} rows[] = {
    {TOXI_TAKES_ADDRESSES, "listen", FLAG_STRING, offsetof(struct toxi_options, listen), "address",
     "where the proxy listens, host:port (short: -l)"},
    {TOXI_TAKES_ADDRESSES, "l", FLAG_STRING, offsetof(struct toxi_options, listen), NULL, NULL},
    {TOXI_TAKES_ADDRESSES, "upstream", FLAG_STRING, offsetof(struct toxi_options, upstream_address),
     "address", "where it forwards to, host:port (short: -u)"},
    {TOXI_TAKES_ADDRESSES, "u", FLAG_STRING, offsetof(struct toxi_options, upstream_address), NULL,
     NULL},
    {TOXI_TAKES_TYPE, "type", FLAG_STRING, offsetof(struct toxi_options, type), "type",
     "kind of toxic (short: -t)"},
    {TOXI_TAKES_TYPE, "t", FLAG_STRING, offsetof(struct toxi_options, type), NULL, NULL},
    {TOXI_TAKES_TOXIC_NAME, "toxicName", FLAG_STRING, offsetof(struct toxi_options, toxic_name),
     "name", "name of the toxic; by default TYPE_downstream or TYPE_upstream (short: -n)"},
    {TOXI_TAKES_TOXIC_NAME, "n", FLAG_STRING, offsetof(struct toxi_options, toxic_name), NULL,
     NULL},
    {TOXI_TAKES_VALUES, "toxicity", FLAG_STRING, offsetof(struct toxi_options, toxicity), "share",
     "share of the connections that are hit, 0 to 1 (short: -tox)"},
    {TOXI_TAKES_VALUES, "tox", FLAG_STRING, offsetof(struct toxi_options, toxicity), NULL, NULL},
    {TOXI_TAKES_VALUES, "attribute", FLAG_LIST, offsetof(struct toxi_options, attributes),
     "key=value", "attribute; repeated, or several with commas (short: -a)"},
    {TOXI_TAKES_VALUES, "a", FLAG_LIST, offsetof(struct toxi_options, attributes), NULL, NULL},
    {TOXI_TAKES_TYPE, "downstream", FLAG_BOOL, offsetof(struct toxi_options, downstream), NULL,
     "hit what the server sends to the client; the default (short: -d)"},
    {TOXI_TAKES_TYPE, "d", FLAG_BOOL, offsetof(struct toxi_options, downstream), NULL, NULL},
    {TOXI_TAKES_TYPE, "upstream", FLAG_BOOL, offsetof(struct toxi_options, upstream), NULL,
     "hit what the client sends to the server (short: -u)"},
    {TOXI_TAKES_TYPE, "u", FLAG_BOOL, offsetof(struct toxi_options, upstream), NULL, NULL},
    {0, "host", FLAG_STRING, offsetof(struct toxi_options, host), "url",
     "the proxy server; else $TOXIPROXY_URL, else http://localhost:8474 (short: -h)"},
    {0, "h", FLAG_STRING, offsetof(struct toxi_options, host), NULL, NULL},
    {TOXI_TAKES_VERSION, "version", FLAG_BOOL, offsetof(struct toxi_options, version), NULL,
     "print the version"},
    {TOXI_TAKES_VERSION, "v", FLAG_BOOL, offsetof(struct toxi_options, version), NULL, NULL},
};

_Static_assert(sizeof rows / sizeof rows[0] < TOXI_FLAGS_MAX, "no room for the end mark");

void toxi_flags_table(unsigned takes, struct toxi_options *o,
                      struct flag table[static TOXI_FLAGS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        if (r->takes != 0 && (r->takes & takes) == 0)
            continue;
        table[n++] = (struct flag){.name = r->name,
                                   .kind = r->kind,
                                   .target = (char *)o + r->offset,
                                   .metavar = r->metavar,
                                   .help = r->help};
    }
    table[n] = (struct flag){.name = NULL};
}

/* toxiproxy-cli's -h names the host; alone at the end it can only be a cry for help. */
static bool ends_in_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[argc - 1], "-h") == 0 || strcmp(argv[argc - 1], "--h") == 0);
}

static int take_operand(const struct toxi_command *command, struct toxi_options *o,
                        const char *text, struct err *err)
{
    if (command->operand == NULL)
        return err_set(err, "unexpected argument \"%.80s\"", text);
    if (o->proxy != NULL)
        return err_set(err, "unexpected argument \"%.80s\": the proxy is \"%.80s\" already", text,
                       o->proxy);
    o->proxy = text;
    return 0;
}

enum flag_result toxi_flags_parse(const struct toxi_command *command, struct toxi_options *o,
                                  int argc, char **argv, struct err *err)
{
    struct flag table[TOXI_FLAGS_MAX];
    bool flags_ended = false;
    if (ends_in_help(argc, argv))
        return FLAG_HELP;
    toxi_flags_table(command->flags, o, table);
    for (int at = 0; at + 1 < argc;) {
        int operand = 1;
        /* What flag_parse() takes for the program's name is what came before. */
        enum flag_result result =
            flags_ended ? FLAG_OK : flag_parse(table, argc - at, argv + at, &operand, err);
        if (result != FLAG_OK)
            return result;
        flags_ended = flags_ended || (operand > 1 && strcmp(argv[at + operand - 1], "--") == 0);
        at += operand;
        if (at < argc && take_operand(command, o, argv[at], err) != 0)
            return FLAG_BAD;
    }
    return FLAG_OK;
}

void toxi_flags_print_help(const struct toxi_command *command)
{
    struct toxi_options o;
    struct flag table[TOXI_FLAGS_MAX];
    char usage[96];
    snprintf(usage, sizeof usage, "memchaos %s%s%s [flags]%s%s",
             command->group != NULL ? command->group : "", command->group != NULL ? " " : "",
             command->name, command->operand != NULL ? " " : "",
             command->operand != NULL ? command->operand : "");
    const struct flag_help help = {
        .usage = usage, .about = command->help, .examples = command->examples};
    toxi_flags_table(command->flags, &o, table);
    flag_print_help(stdout, table, &help);
}
