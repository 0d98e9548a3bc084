/* SPDX-License-Identifier: MIT */
#include "cli/run_options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "load/workers.h"

#define SEC ((double)NS_PER_SEC)
#define MS ((double)NS_PER_MS)
#define SEED_MAX 9007199254740991.0 /* 2^53 - 1: what every JSON reader keeps */

static void name_choices(struct run_options *o)
{
    for (size_t i = 0; workloads[i] != NULL && i + 1 < RUN_CHOICES_MAX; i++)
        o->workload_names[i] = workloads[i]->name;
    for (size_t i = 0; drivers[i] != NULL && i + 1 < RUN_CHOICES_MAX; i++)
        o->driver_names[i] = drivers[i]->name;
}

/* Appends to the table, which ends with an empty entry. */
static void add_flags(struct run_options *o, const struct flag *flags, size_t count)
{
    size_t used = 0;
    while (o->flags[used].name != NULL)
        used++;
    assert(used + count < RUN_FLAGS_MAX);
    for (size_t i = 0; i < count; i++) {
        o->flags[used + i] = flags[i];
        if (flags[i].given == NULL)
            o->flags[used + i].given = &o->given[used + i];
    }
}

#define ADD_FLAGS(o, flags) add_flags((o), (flags), sizeof(flags) / sizeof(flags)[0])

static void describe_run(struct run_options *o)
{
    const struct flag flags[] = {
        {"scenario", FLAG_STRING, &o->scenario, "name", "all", .group = "What to run",
         .help = "a scenario, a group, a file (./mine.yaml), or all; see -list"},
        {"duration", FLAG_DURATION, &o->duration_ns, .default_text = "0s", .max = 8784 * 3600 * SEC,
         .help = "how long to run: the phases are stretched or shrunk in proportion; 0 = until "
                 "interrupted, each scenario at its own length, again and again"},
        {"runs", FLAG_INT, &o->runs, "n", "0", .max = 1000000,
         .help = "run the scenarios n times and end; 0 = once with -duration, else until "
                 "interrupted"},
        {"list", FLAG_BOOL, &o->list, .help = "list scenarios, workloads and drivers"},
        {"version", FLAG_BOOL, &o->version, .help = "print the version"},

        {"concurrency", FLAG_INT, &o->concurrency, "n", "100", .min = 1, .max = WORKERS_MAX,
         .group = "Load", .help = "workers: threads that make blocking calls"},
        {"rate", FLAG_DOUBLE, &o->rate_per_s, "op/s", "10000", .max = 1e7,
         .help = "operations per second of all workers together; 0 = each worker starts the next "
                 "as soon as it has an answer (after a failure, 1 ms later)"},
        {"workload", FLAG_CHOICE, &o->workload, .default_text = workloads[0]->name,
         .choices = o->workload_names, .help = "what the workers do"},
        {"timeout", FLAG_DURATION, &o->timeout_ns, .default_text = "1s", .min = MS,
         .max = 3600 * SEC,
         .help =
             "deadline of each operation: waiting for a connection, connecting, and the answer"},
        {"seed", FLAG_UINT64, &o->seed, "n", .max = SEED_MAX, .given = &o->seed_given,
         .help = "decides everything random; printed at the end, so that a run can be repeated"},

        {"servers", FLAG_STRING, &o->servers, "list", "", .group = "Where",
         .help = "running memcached nodes, host:port,host:port; by default three are started"},
        {"toxiproxy", FLAG_STRING, &o->toxiproxy, "url", "",
         .help = "a running Toxiproxy (http://host:8474), ours or Shopify's; by default one is "
                 "started in this process"},
        {"direct", FLAG_BOOL, &o->direct,
         .help = "no proxies: for scenarios without faults, to see what the proxies cost"},
        {"proxy-port", FLAG_INT, &o->proxy_port, "port", "21211", .max = 65535,
         .help = "of the proxy before the first node, the next follow; 0 = any free ports"},
        {"api-port", FLAG_INT, &o->api_port, "port", "8474", .max = 65535,
         .help = "of the Toxiproxy API; 0 = any free port"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_client(struct run_options *o)
{
    struct driver_config *c = &o->client;
    const struct flag flags[] = {
        {"driver", FLAG_CHOICE, &o->driver, .default_text = drivers[0]->name,
         .choices = o->driver_names, .group = "Client under test", .help = "which client"},
        {"pool", FLAG_INT, &o->pool, "n", "10", .min = 1, .max = 4096,
         .help = "connections per node at most"},
        {"lifetime", FLAG_DURATION, &c->lifetime_max_ns, .default_text = "5m",
         .help = "age at which a connection is replaced; 0 = never"},
        {"idle", FLAG_DURATION, &c->idle_max_ns, .default_text = "1m",
         .help = "unused connections are closed after this; 0 = never"},
        {"health-check", FLAG_DURATION, &c->health_period_ns, .default_text = "10s",
         .help = "unused connections are pinged this often; 0 = never"},
        {"connect-timeout", FLAG_DURATION, &c->connect_timeout_ns, .default_text = "250ms",
         .help = "for one connection attempt; 0 = the operation's deadline only"},
        {"breaker", FLAG_CHOICE, &o->breaker, .default_text = breaker_preset_names[0],
         .choices = breaker_preset_names, .help = "preset of the circuit breakers"},
        {"breaker-half-open", FLAG_INT, &c->breaker_half_open_max, "n", "0", .max = 1e6,
         .help = "trial operations while half-open; 0 = the preset's, as for the next four"},
        {"breaker-interval", FLAG_DURATION, &c->breaker_interval_ns, .default_text = "0s",
         .help = "window over which failures are counted"},
        {"breaker-open", FLAG_DURATION, &c->breaker_open_ns, .default_text = "0s",
         .help = "time that a breaker stays open"},
        {"breaker-min-requests", FLAG_INT, &c->breaker_requests_min, "n", "0", .max = 1e9,
         .help = "requests in the window before the ratio is looked at"},
        {"breaker-ratio", FLAG_DOUBLE, &c->breaker_failure_ratio, "share", "0", .max = 1,
         .help = "share of failures that opens the breaker"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_output(struct run_options *o)
{
    const struct flag flags[] = {
        {"metrics-interval", FLAG_DURATION, &o->metrics_interval_ns, .default_text = "2s",
         .min = 100 * MS, .group = "Output", .help = "period of the live figures (on stderr)"},
        {"json", FLAG_BOOL, &o->json, .help = "write the result as one JSON document to stdout"},
        {"quiet", FLAG_BOOL, &o->quiet, .help = "no live figures and progress, errors only"},
    };
    ADD_FLAGS(o, flags);
}

static void print_help(const struct run_options *o)
{
    static const struct flag_example examples[] = {
        {"memchaos", "all scenarios in turn, until Ctrl-C"},
        {"memchaos -scenario packet-loss -duration 1m", "one scenario, for a minute"},
        {"memchaos -scenario brief-packet-drop -duration 10s", "quick iteration"},
        {"memchaos -scenario single-node-failure -runs 1 -json > result.json", "for CI"},
        {"memchaos -concurrency 500 -duration 5m", "stress"},
        {"memchaos -servers a:11211,b:11211 -scenario latency -runs 1", "your own nodes"},
        {"memchaos proxy -help", "the fault-injecting proxy alone"},
        {"memchaos help", "all commands, also those that control a running proxy"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos [flags]\n       memchaos proxy [flags]",
        .about =
            "Finds out what happens to a memcached client when the network or a node fails.\n"
            "Exit codes: 0 passed, 1 could not set up, 2 wrong usage, 98 invalid run, 99 a check\n"
            "failed, 104 invalid scenario, 105 interrupted before the verdict.",
        .examples = examples,
    };
    flag_print_help(stdout, o->flags, &help);
}

static int check_options(struct run_options *o, struct err *err)
{
    if (o->direct && o->toxiproxy[0] != '\0')
        return err_set(err, "-direct and -toxiproxy exclude each other");
    if (o->proxy_port > 65535 - 64)
        return err_set(err,
                       "invalid value \"%d\" for flag -proxy-port: leaves no room for the next "
                       "proxies",
                       o->proxy_port);
    if (o->duration_ns > 0 && o->duration_ns < 300 * NS_PER_MS)
        return err_set(err, "-duration is too short: three phases need 300ms at least");
    o->client.pool_max = (unsigned)o->pool;
    o->client.breaker = (enum breaker_preset)o->breaker;
    if (!o->seed_given && getrandom(&o->seed, sizeof o->seed, 0) == (ssize_t)sizeof o->seed)
        o->seed >>= 32; /* short enough to be typed */
    return 0;
}

enum run_options_result run_options_parse(struct run_options *o, int argc, char **argv,
                                          struct err *err)
{
    *o = (struct run_options){0};
    name_choices(o);
    describe_run(o);
    describe_client(o);
    describe_output(o);
    flag_defaults(o->flags);
    int operand = argc;
    switch (flag_parse(o->flags, argc, argv, &operand, err)) {
    case FLAG_HELP: print_help(o); return RUN_OPTIONS_HELP;
    case FLAG_BAD: return RUN_OPTIONS_BAD;
    case FLAG_OK: break;
    }
    if (operand < argc) {
        err_set(err, "unexpected argument \"%.80s\": flags begin with a dash", argv[operand]);
        return RUN_OPTIONS_BAD;
    }
    return check_options(o, err) == 0 ? RUN_OPTIONS_OK : RUN_OPTIONS_BAD;
}

static const struct flag *find_flag(const struct run_options *o, const char *name)
{
    for (size_t i = 0; o->flags[i].name != NULL; i++)
        if (strcmp(o->flags[i].name, name) == 0)
            return &o->flags[i];
    return NULL;
}

int run_options_load_check(void *options, const char *key, const char *text, struct err *err)
{
    const struct flag *flag = find_flag(options, key);
    char before[512];
    struct err reason;
    if (flag == NULL)
        return err_set(err, "this build has no -%s", key);
    flag_value_text(flag, before, sizeof before);
    int rc = flag_set(flag, text, &reason);
    if (rc != 0) {
        const char *wanted = strstr(reason.text, ": must be");
        err_set(err, "%s %s", key, wanted != NULL ? wanted + 2 : reason.text);
    } else if (flag->kind != FLAG_STRING) {
        rc = flag_set(flag, before, err);
    }
    return rc;
}

/* The flag for a load key when a scenario may set it; NULL when there is none or the user gave it.
 */
static const struct flag *free_flag(const struct run_options *o, int key)
{
    const struct flag *flag = find_flag(o, scenario_load_keys[key]);
    return flag != NULL && !*flag->given ? flag : NULL;
}

int run_options_load_set(struct run_options *o, const struct scenario_load *load, struct err *err)
{
    for (int key = 0; key < LOAD_KEY_COUNT; key++) {
        const struct flag *flag = free_flag(o, key);
        if (load->text[key][0] == '\0')
            continue;
        if (find_flag(o, scenario_load_keys[key]) == NULL)
            return err_set(err, "load: this build has no -%s", scenario_load_keys[key]);
        if (flag != NULL && flag_set(flag, load->text[key], err) != 0)
            return err_prefix(err, "load");
    }
    return 0;
}

void run_options_load_reset(struct run_options *o)
{
    for (int key = 0; key < LOAD_KEY_COUNT; key++) {
        const struct flag *flag = free_flag(o, key);
        struct err err;
        if (flag != NULL && flag_set(flag, flag->default_text, &err) != 0)
            assert(!"a flag's own default is in order");
    }
}

int run_options_load_list(const struct run_options *o, struct arena *arena,
                          struct named_value **out, size_t *count)
{
    struct named_value *list = arena_array(arena, LOAD_KEY_COUNT, sizeof *list);
    *count = 0;
    for (int key = 0; key < LOAD_KEY_COUNT && list != NULL; key++) {
        const struct flag *flag = find_flag(o, scenario_load_keys[key]);
        char text[512];
        if (flag == NULL)
            continue;
        list[*count].name = flag->name;
        list[*count].value = arena_text(arena, flag_value_text(flag, text, sizeof text));
        if (list[(*count)++].value == NULL)
            return -1;
    }
    *out = list;
    return list != NULL ? 0 : -1;
}

int run_options_list(const struct run_options *o, struct arena *arena, struct named_value **out,
                     size_t *count)
{
    size_t total = 0;
    while (o->flags[total].name != NULL)
        total++;
    struct named_value *list = arena_array(arena, total, sizeof *list);
    if (list == NULL)
        return -1;
    for (size_t i = 0; i < total; i++) {
        char text[512];
        list[i].name = o->flags[i].name;
        list[i].value = arena_text(arena, flag_value_text(&o->flags[i], text, sizeof text));
        if (list[i].value == NULL)
            return -1;
    }
    *out = list;
    *count = total;
    return 0;
}

const char *run_options_command(const struct run_options *o, struct arena *arena)
{
    const char *command = arena_format(arena, "memchaos -seed %llu", (unsigned long long)o->seed);
    for (size_t i = 0; o->flags[i].name != NULL && command != NULL; i++) {
        const struct flag *flag = &o->flags[i];
        char text[512];
        if (!*flag->given || flag->target == &o->seed)
            continue;
        flag_value_text(flag, text, sizeof text);
        if (flag->kind == FLAG_BOOL)
            command = arena_format(arena, "%s -%s%s", command, flag->name,
                                   strcmp(text, "true") == 0 ? "" : "=false");
        else
            command = arena_format(arena, "%s -%s %s", command, flag->name, text);
    }
    return command;
}
