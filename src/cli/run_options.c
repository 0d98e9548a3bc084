/* SPDX-License-Identifier: MIT */
#include "cli/run_options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "load/workers.h"
#include "metrics/flight.h"
#include "report/file.h"

#define SEC ((double)NS_PER_SEC)
#define MS ((double)NS_PER_MS)
#define US ((double)NS_PER_US)
#define SEED_MAX 9007199254740991.0 /* 2^53 - 1: what every JSON reader keeps */

static const char *const prefill_names[] = {"auto", "on", "off", NULL};

static void name_choices(struct run_options *o)
{
    for (size_t i = 0; workloads[i] != NULL && i + 1 < RUN_CHOICES_MAX; i++)
        o->workload_names[i] = workloads[i]->name;
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

static void describe_what(struct run_options *o)
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
        {"rate", FLAG_STRING, &o->load_text.rate, "op/s", "", .group = "Load",
         .help = "operations per second of all workers together, 20k or 20000; by "
                 "default " LOAD_RATE_DEFAULT
                 ", a few workloads have less; 0 = each worker starts the next "
                 "as soon as it has an answer (after a failure, 1 ms later)"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_calibration(struct run_options *o)
{
    const struct flag flags[] = {
        {"p99", FLAG_DURATION, &o->p99_ns, .default_text = "10ms", .min = 10 * US, .max = 60 * SEC,
         .group = "What to look for",
         .help = "a rate holds when 99 % of the operations end within this time of their intended "
                 "start, and none fails or is dropped"},
        {"step", FLAG_DURATION, &o->step_ns, .default_text = "2s", .min = 200 * MS,
         .max = 3600 * SEC, .help = "how long each rate is tried; there are at most 25 trials"},
        {"max-rate", FLAG_STRING, &o->rate_max, "op/s", "1M", .help = "where to stop looking"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_load(struct run_options *o)
{
    const struct flag flags[] = {
        {"concurrency", FLAG_INT, &o->concurrency, "n", "100", .min = 1, .max = WORKERS_MAX,
         .group = o->calibrating ? "Load" : NULL,
         .help = "workers: threads that make blocking calls"},
        {"arrival", FLAG_STRING, &o->load_text.arrival, "shape", "",
         .help = "when operations start: " ARRIVAL_HELP "; parts joined by , follow each other, "
                 "by + they add up; by default constant; see docs/load.md"},
        {"workload", FLAG_CHOICE, &o->workload, .default_text = workloads[0]->name,
         .choices = o->workload_names, .help = "what the workers do; see -list"},
        {"keys", FLAG_STRING, &o->load_text.keys, "space", "",
         .help = "how many keys, and which are used how often: " KEYSPACE_HELP
                 "; by default the workload's"},
        {"value-size", FLAG_STRING, &o->load_text.values, "bytes", "",
         .help = VALUE_SIZES_HELP "; by default the workload's"},
        {"hit-ratio", FLAG_STRING, &o->load_text.hit_ratio, "percent", "",
         .help = "this share of the reads, such as 90%, goes to keys that are stored, the rest to "
                 "keys that nobody ever stores; implies -prefill on"},
        {"prefill", FLAG_CHOICE, &o->prefill, .default_text = prefill_names[0],
         .choices = prefill_names,
         .help = "store all keys before the run begins; auto = if the workload wants it"},
        {"timeout", FLAG_DURATION, &o->timeout_ns, .default_text = "1s", .min = MS,
         .max = 3600 * SEC,
         .help =
             "deadline of each operation: waiting for a connection, connecting, and the answer"},
        {"seed", FLAG_UINT64, &o->seed, "n", .max = SEED_MAX, .given = &o->seed_given,
         .help = "decides everything random; printed at the end, so that a run can be repeated"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_where(struct run_options *o)
{
    const struct flag flags[] = {
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
        {"driver", FLAG_STRING, &o->driver_text, "name", drivers[0]->name,
         .group = "Client under test",
         .help = "which client: a name (see -list), a shared object (./mine.so), or the command "
                 "of a program that speaks docs/driver-protocol.md"},
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

static void describe_live(struct run_options *o)
{
    const struct flag flags[] = {
        {"metrics-interval", FLAG_DURATION, &o->metrics_interval_ns, .default_text = "2s",
         .min = 100 * MS, .group = "Output", .help = "period of the live figures (on stderr)"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_recording(struct run_options *o)
{
    const struct flag flags[] = {
        {"flight-ring", FLAG_INT, &o->flight_ring, "n", "128", .max = FLIGHT_RING_MAX,
         .group = "Recording",
         .help = "the flight recorder keeps the last n operations of each worker, and writes them "
                 "to a file on wrong data, a stall, a failed check or SIGUSR1; 0 = off; see "
                 "memchaos flight -help"},
        {"flight-dir", FLAG_STRING, &o->flight_dir, "dir", ".",
         .help = "where to write them, memchaos-flight-*.mcf; at most 16 in a session"},
        {"oplog", FLAG_STRING, &o->oplog, "file", "",
         .help = "write every operation to this file, compressed; see memchaos oplog -help"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_reports(struct run_options *o)
{
    size_t used = (size_t)snprintf(o->report_help, sizeof o->report_help,
                                   "write a report when the session ends; may be repeated, - is "
                                   "stdout; see docs/reports.md. Formats:");
    for (size_t i = 0; report_formats[i] != NULL && used < sizeof o->report_help; i++)
        used += (size_t)snprintf(o->report_help + used, sizeof o->report_help - used, "%s %s",
                                 i > 0 ? "," : "", report_formats[i]->name);
    const struct flag flags[] = {
        {"report", FLAG_LIST, &o->report_texts, "format=file", .help = o->report_help},
        {"events", FLAG_STRING, &o->events, "file", "",
         .help = "write events as they happen, one JSON object per line"},
        {"status", FLAG_STRING, &o->status, "file", "",
         .help = "keep a small JSON file that says where the session stands; replaced whole, once "
                 "per -metrics-interval"},
        {"snapshot", FLAG_STRING, &o->snapshot, "file", "",
         .help = "keep the whole result so far in this file, as -json writes it"},
        {"snapshot-every", FLAG_INT, &o->snapshot_every, "n", "5", .min = 1, .max = 100000,
         .help = "intervals between two snapshots"},
    };
    ADD_FLAGS(o, flags);
}

static void describe_output(struct run_options *o)
{
    const struct flag flags[] = {
        {"json", FLAG_BOOL, &o->json, .group = o->calibrating ? "Output" : NULL,
         .help = o->calibrating ? "write the result as one JSON document to stdout"
                                : "the same as -report json=-"},
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
        {"memchaos compare a.json b.json", "do two results differ beyond their noise?"},
        {"memchaos -scenario latency -runs 1 -report html=report.html", "a page with charts"},
        {"memchaos -concurrency 500 -duration 5m", "stress"},
        {"memchaos -rate 20k -arrival poisson -workload get-heavy", "another load"},
        {"memchaos -servers a:11211,b:11211 -scenario latency -runs 1", "your own nodes"},
        {"memchaos -driver 'python3 drivers/python/pymemcache_driver.py'", "another client"},
        {"memchaos calibrate -p99 5ms", "the highest rate that holds"},
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

/* From then on the flags have the effective texts: they are part of the result. */
static int parse_load(struct run_options *o, struct err *err)
{
    o->load_text.workload = workloads[o->workload]->name;
    o->load_text.prefill = prefill_names[o->prefill];
    if (load_spec_parse(&o->load_text, &o->load, err) != 0)
        return err_prefix(err, "invalid flag");
    o->load_text = o->load.text;
    o->client.pool_max = (unsigned)o->pool;
    o->client.timeout_ns = o->timeout_ns;
    return 0;
}

static void print_calibrate_help(const struct run_options *o)
{
    static const struct flag_example examples[] = {
        {"memchaos calibrate", "with the default load"},
        {"memchaos calibrate -p99 2ms -workload get-heavy", "within a tighter bound"},
        {"memchaos calibrate -arrival poisson -concurrency 200", "random arrivals, more workers"},
        {"memchaos calibrate -direct", "the same without the proxies"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos calibrate [flags]",
        .about = "Finds the highest rate that client, proxies and nodes hold within a latency "
                 "bound, and\nwhether it is the load generator that does not hold more.\n"
                 "Exit codes: 0 found, 1 could not set up, 2 wrong usage, 99 no rate holds, 105\n"
                 "interrupted.",
        .examples = examples,
    };
    flag_print_help(stdout, o->flags, &help);
}

/* A shape that names its own rates cannot be tried at others. */
static int check_calibration(const struct run_options *o, struct err *err)
{
    struct arrival_spec one, two;
    if (o->load.arrival.closed || o->load.text.arrival[0] == '\0')
        return err_set(err, "-arrival closed has no rate to look for");
    if (arrival_parse(o->load.text.arrival, 1000, &one, err) != 0 ||
        arrival_parse(o->load.text.arrival, 2000, &two, err) != 0)
        return err_prefix(err, "invalid flag: arrival");
    if (2 * arrival_expected(&one, NS_PER_SEC) > arrival_expected(&two, NS_PER_SEC) + 1)
        return err_set(err, "-arrival \"%.80s\" names a rate; calibrate looks for one",
                       o->load.text.arrival);
    return 0;
}

static int check_reports(struct run_options *o, struct err *err)
{
    if (o->calibrating)
        return 0;
    if (o->json && outputs_add(&o->reports, "json=-", err) != 0)
        return -1;
    for (size_t i = 0; i < o->report_texts.count; i++)
        if (outputs_add(&o->reports, o->report_texts.items[i], err) != 0)
            return err_prefix(err, "-report");
    const char *const files[][2] = {
        {"-events", o->events}, {"-status", o->status}, {"-snapshot", o->snapshot}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i][1][0] != '\0' && report_file_check(files[i][1], err) != 0)
            return err_prefix(err, "%s", files[i][0]);
    return 0;
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
    o->driver = driver_find(o->driver_text, err);
    if (o->driver == NULL)
        return err_prefix(err, "invalid value for flag -driver");
    if (parse_load(o, err) != 0 || (o->calibrating && check_calibration(o, err) != 0) ||
        check_reports(o, err) != 0)
        return -1;
    o->client.command = o->driver_text;
    o->client.breaker = (enum breaker_preset)o->breaker;
    if (!o->seed_given && getrandom(&o->seed, sizeof o->seed, 0) == (ssize_t)sizeof o->seed)
        o->seed >>= 32; /* short enough to be typed */
    return 0;
}

static enum run_options_result parse(struct run_options *o, int argc, char **argv, struct err *err)
{
    flag_defaults(o->flags);
    int operand = argc;
    switch (flag_parse(o->flags, argc, argv, &operand, err)) {
    case FLAG_HELP:
        if (o->calibrating)
            print_calibrate_help(o);
        else
            print_help(o);
        return RUN_OPTIONS_HELP;
    case FLAG_BAD: return RUN_OPTIONS_BAD;
    case FLAG_OK: break;
    }
    if (operand < argc) {
        err_set(err, "unexpected argument \"%.80s\": flags begin with a dash", argv[operand]);
        return RUN_OPTIONS_BAD;
    }
    return check_options(o, err) == 0 ? RUN_OPTIONS_OK : RUN_OPTIONS_BAD;
}

enum run_options_result run_options_parse(struct run_options *o, int argc, char **argv,
                                          struct err *err)
{
    *o = (struct run_options){0};
    name_choices(o);
    describe_what(o);
    describe_load(o);
    describe_where(o);
    describe_client(o);
    describe_recording(o);
    describe_live(o);
    describe_reports(o);
    describe_output(o);
    return parse(o, argc, argv, err);
}

enum run_options_result run_options_parse_calibrate(struct run_options *o, int argc, char **argv,
                                                    struct err *err)
{
    *o = (struct run_options){.calibrating = true};
    name_choices(o);
    describe_calibration(o);
    describe_load(o);
    describe_where(o);
    describe_client(o);
    describe_output(o);
    return parse(o, argc, argv, err);
}

static const struct flag *load_flag(const struct run_options *o, enum scenario_load_key key)
{
    size_t i = 0;
    while (strcmp(o->flags[i].name, scenario_load_flags[key]) != 0)
        i++;
    return &o->flags[i];
}

int run_options_load_check(void *options, enum scenario_load_key key, const char *text,
                           struct err *err)
{
    const struct flag *flag = load_flag(options, key);
    union {
        int number;
        ns_t duration;
        const char *words;
    } value;
    struct flag scratch = *flag;
    scratch.target = &value;
    struct err reason;
    if (flag_set(&scratch, text, &reason) != 0) {
        const char *wanted = strstr(reason.text, ": must be");
        return err_set(err, "%s %s", scenario_load_keys[key],
                       wanted != NULL ? wanted + 2 : reason.text);
    }
    struct load_text load = {
        .rate = key == LOAD_RATE ? text : NULL,
        .arrival = key == LOAD_ARRIVAL ? text : NULL,
        .keys = key == LOAD_KEYS ? text : NULL,
        .values = key == LOAD_VALUES ? text : NULL,
        .hit_ratio = key == LOAD_HIT_RATIO ? text : NULL,
    };
    struct load_spec spec;
    return load_spec_parse(&load, &spec, err);
}

/* Texts of flags that the user did not give: the scenario's, or the default's. */
static int load_replace(struct run_options *o, const struct scenario_load *load, struct err *err)
{
    for (int key = 0; key < LOAD_KEY_COUNT; key++) {
        const struct flag *flag = load_flag(o, (enum scenario_load_key)key);
        const char *text =
            load != NULL && load->text[key][0] != '\0' ? load->text[key] : flag->default_text;
        if (!*flag->given && flag_set(flag, text, err) != 0)
            return -1;
    }
    return parse_load(o, err);
}

int run_options_load_set(struct run_options *o, const struct scenario_load *load, struct err *err)
{
    return load_replace(o, load, err);
}

void run_options_load_reset(struct run_options *o)
{
    int rc = load_replace(o, NULL, NULL);
    assert(rc == 0); /* it was read before */
    (void)rc;
}

int run_options_load_list(const struct run_options *o, struct arena *arena,
                          struct named_value **out, size_t *count)
{
    struct named_value *list = arena_array(arena, LOAD_KEY_COUNT, sizeof *list);
    for (int key = 0; key < LOAD_KEY_COUNT && list != NULL; key++) {
        const struct flag *flag = load_flag(o, (enum scenario_load_key)key);
        char text[512];
        list[key].name = flag->name;
        list[key].value = arena_text(arena, flag_value_text(flag, text, sizeof text));
        if (list[key].value == NULL)
            return -1;
    }
    *out = list;
    *count = LOAD_KEY_COUNT;
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

/* Another flag, as a shell reads it: in quotes if need be. */
static const char *add_word(struct arena *arena, const char *command, const char *name,
                            const char *text)
{
    if (text[0] != '\0' && strpbrk(text, " \t\n'\"\\$`;&|<>()*?[]#~!{}") == NULL)
        return arena_format(arena, "%s -%s %s", command, name, text);
    command = arena_format(arena, "%s -%s '", command, name);
    for (; *text != '\0' && command != NULL; text += strcspn(text, "'")) {
        if (*text == '\'')
            command = arena_format(arena, "%s'\\''", command);
        text += *text == '\'';
        command = command != NULL
                      ? arena_format(arena, "%s%.*s", command, (int)strcspn(text, "'"), text)
                      : NULL;
    }
    return command != NULL ? arena_format(arena, "%s'", command) : NULL;
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
        const struct flag_list *list = flag->kind == FLAG_LIST ? flag->target : NULL;
        for (size_t k = 0; list != NULL && k < list->count && command != NULL; k++)
            command = arena_format(arena, "%s -%s %s", command, flag->name, list->items[k]);
        if (list != NULL)
            continue;
        if (flag->kind == FLAG_BOOL)
            command = arena_format(arena, "%s -%s%s", command, flag->name,
                                   strcmp(text, "true") == 0 ? "" : "=false");
        else
            command = add_word(arena, command, flag->name, text);
    }
    return command;
}
