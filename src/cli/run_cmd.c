/* SPDX-License-Identifier: MIT */
#include "cli/run_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/wrap.h"
#include "cli/exit_code.h"
#include "cli/run_options.h"
#include "cli/setup.h"
#include "driver/external.h"
#include "report/report.h"
#include "rig/run.h"
#include "scenario/catalog.h"

#define KEY_SAMPLE 10000 /* keys whose node is looked up to tell each node's share */

struct job {
    struct run_options options;
    struct log log;
    struct report_style style;      /* of the live lines */
    struct report_style text_style; /* of the summary on stdout */
    struct scenario *scenarios;
    size_t scenario_count;
    const struct scenario_phase *phases; /* of the run in progress */
    struct topology *topology;
    struct result *result;
    int signal_fd;
    bool interrupted;
};

static void print_list(void)
{
    struct scenario *list = calloc(CATALOG_MAX, sizeof *list);
    struct err err;
    size_t count = list != NULL ? catalog_all(list, &err) : 0;
    printf("Scenarios (-scenario NAME; -scenario GROUP runs a group, all is the group main):\n");
    for (size_t i = 0; i < count; i++) {
        char length[DURATION_TEXT_SIZE];
        printf("\n  %-28s %-9s %6s\n", list[i].name, list[i].groups[0],
               duration_text(scenario_length(&list[i]), length));
        wrap_print(stdout, list[i].description, 0, 6, 96);
    }
    printf("\nWorkloads (-workload NAME):\n");
    for (size_t i = 0; workloads[i] != NULL; i++)
        printf("  %-28s %s\n", workloads[i]->name, workloads[i]->help);
    printf("\nDrivers (-driver NAME):\n");
    for (size_t i = 0; drivers[i] != NULL; i++)
        printf("  %-28s %s\n", drivers[i]->name, drivers[i]->help);
    printf("  %-28s %s\n", "'COMMAND ...'", driver_external.help);
    free(list);
}

static bool wants_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

/* The first signal ends the run in order, the second one at once. */
static bool take_signal(struct job *s)
{
    int signo = setup_take_signal(s->signal_fd);
    if (signo == 0)
        return s->interrupted;
    s->interrupted = true;
    log_warn(&s->log, "%s: ending in order, once more to quit at once", strsignal(signo));
    return true;
}

static void announce(struct job *s)
{
    for (size_t i = 0; i < topology_node_count(s->topology); i++) {
        const struct topology_node *node = topology_node(s->topology, i);
        if (node->proxy[0] != '\0')
            log_info(&s->log, "%s: memcached %s on %s, proxy %s on %s", node->name, node->version,
                     node->address, node->proxy, node->listen);
        else
            log_info(&s->log, "%s: memcached %s on %s", node->name, node->version, node->address);
    }
    if (topology_api(s->topology) != NULL)
        log_info(&s->log, "Toxiproxy API on %s (try: curl %s/proxies)",
                 apiclient_url(topology_api(s->topology)),
                 apiclient_url(topology_api(s->topology)));
}

/* Share of the keys of the load per node, as the client maps them. */
static void count_key_shares(struct job *s, const struct driver *driver, void *client)
{
    struct keyspace keys;
    const char *prefix = s->options.load.workload->key_prefix;
    keyspace_init(&keys, &s->options.load.keys, prefix != NULL ? prefix : "",
                  (unsigned)s->options.concurrency);
    uint32_t sample = keys.stored < KEY_SAMPLE ? keys.stored : KEY_SAMPLE;
    for (uint32_t i = 0; i < sample; i++) {
        struct key key;
        keyspace_key(&keys, (uint32_t)((uint64_t)i * keys.stored / sample), &key);
        int node = driver->node_of_key(client, key.text, key.size);
        if (node >= 0 && (size_t)node < s->result->node_count)
            s->result->nodes[node].key_share += 1.0 / sample;
    }
}

static void measure_key_shares(struct job *s)
{
    const struct driver *driver = s->options.driver;
    struct driver_config config = s->options.client;
    if (driver->node_of_key == NULL)
        return;
    const char *servers[SCENARIO_NODES_MAX], *names[SCENARIO_NODES_MAX];
    size_t count = topology_node_count(s->topology);
    for (size_t i = 0; i < count; i++) {
        servers[i] = topology_node(s->topology, i)->listen;
        names[i] = topology_node(s->topology, i)->name;
    }
    config.servers = servers;
    config.names = names;
    config.server_count = count;
    config.workers = 1;
    void *client;
    struct err err;
    if (driver->open(&config, &client, &err) != 0)
        return;
    count_key_shares(s, driver, client);
    driver->close(client);
}

static int result_begin(struct job *s, struct err *err)
{
    struct result *r = result_new(topology_node_count(s->topology));
    if (r == NULL)
        return err_set(err, "out of memory");
    s->result = r;
    struct utsname host;
    uname(&host);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    r->version = MEMCHAOS_VERSION;
    r->seed = s->options.seed;
    r->command = run_options_command(&s->options, &r->arena);
    r->host.kernel = arena_format(&r->arena, "%s %s %s", host.sysname, host.release, host.machine);
    r->host.memcached_version = topology_node(s->topology, 0)->version;
    r->host.cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    r->start_unix_ns = (int64_t)wall.tv_sec * NS_PER_SEC + wall.tv_nsec;
    r->start_ns = ns_now();
    for (size_t i = 0; i < r->node_count; i++) {
        const struct topology_node *node = topology_node(s->topology, i);
        r->nodes[i].name = node->name;
        r->nodes[i].address = node->address;
        r->nodes[i].proxy_address = node->proxy[0] != '\0' ? node->listen : "";
    }
    if (r->command == NULL || r->host.kernel == NULL ||
        run_options_list(&s->options, &r->arena, &r->options, &r->option_count) != 0)
        return err_set(err, "out of memory");
    measure_key_shares(s);
    return 0;
}

static void on_interval(void *arg, const struct interval *interval, unsigned nodes, ns_t start_ns)
{
    struct job *s = arg;
    if (!s->options.quiet)
        report_interval_line(stderr, interval, start_ns, s->phases[interval->phase].name,
                             s->result->nodes, nodes, s->style);
}

static void on_fault(void *arg, const struct plan_fault *fault, bool on, ns_t now)
{
    struct job *s = arg;
    char text[160];
    (void)now;
    plan_fault_text(fault, text, sizeof text);
    log_info(&s->log, "%s: %s %s", s->result->nodes[fault->node].name, text,
             on ? "begins" : "over");
}

static void on_behind(void *arg, size_t phase, ns_t behind)
{
    struct job *s = arg;
    char text[DURATION_TEXT_SIZE];
    log_warn(&s->log, "%s: the load is %s behind its schedule: all %d workers are busy%s",
             s->phases[phase].name, duration_text(behind / NS_PER_MS * NS_PER_MS, text),
             s->options.concurrency,
             phase == SCENARIO_BASELINE ? "; use a smaller -rate or a larger -concurrency" : "");
}

static void on_stall(void *arg, size_t phase, ns_t age)
{
    struct job *s = arg;
    char text[DURATION_TEXT_SIZE];
    log_warn(&s->log, "%s: an operation has been in flight for %s, longer than its deadline allows",
             s->phases[phase].name, duration_text(age / NS_PER_MS * NS_PER_MS, text));
}

/* Each run has its own seed, derived from the session's, so that repetitions differ and still
 * repeat. */
static uint64_t run_seed(const struct job *s, uint64_t index)
{
    struct rng rng = rng_fork(s->options.seed, index);
    return rng_u64(&rng) >> 11; /* 53 bits: every JSON reader keeps them */
}

/* In continuous mode Ctrl-C is the normal end: the run it cut short does not change the verdict of
 * those before it. */
static bool is_normal_end(const struct job *s, const struct run_result *run)
{
    return s->options.runs == 0 && s->options.duration_ns == 0 &&
           run->verdict == VERDICT_INTERRUPTED && s->result->run_count > 0;
}

static int run_scenario(struct job *s, const struct scenario *scenario, ns_t duration,
                        uint64_t index, struct err *err)
{
    struct plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return err_set(err, "out of memory");
    double shares[SCENARIO_NODES_MAX];
    struct plan_config planned = {
        .node_count = topology_node_count(s->topology),
        .duration = duration,
        .seed = run_seed(s, index),
        .key_shares = shares,
    };
    for (size_t i = 0; i < planned.node_count; i++)
        shares[i] = s->result->nodes[i].key_share;
    if (plan_init(plan, scenario, &planned, err) != 0) {
        free(plan);
        return -1;
    }
    s->phases = plan->scenario.phases;
    char length[DURATION_TEXT_SIZE];
    log_info(&s->log, "scenario %s, %s", scenario->name, duration_text(plan_length(plan), length));
    if (!s->options.quiet)
        report_interval_head(stderr, s->style);
    struct run_config config = {
        .topology = s->topology,
        .plan = plan,
        .driver = s->options.driver,
        .client = s->options.client,
        .load = &s->options.load,
        .workers = (unsigned)s->options.concurrency,
        .timeout_ns = s->options.timeout_ns,
        .interval_ns = s->options.metrics_interval_ns,
        .seed = planned.seed,
        .signal_fd = s->signal_fd,
        .on_interval = on_interval,
        .on_fault = on_fault,
        .on_behind = on_behind,
        .on_stall = on_stall,
        .arg = s,
    };
    struct run_result *run = NULL;
    int rc = rig_run(&config, s->result, &run, err);
    plan_deinit(plan);
    free(plan);
    if (rc != 0)
        return -1;
    if (!s->options.json) {
        report_text_run(stdout, s->result, run, s->text_style);
        fflush(stdout);
    }
    if (is_normal_end(s, run))
        run_result_free(run);
    else
        result_add_run(s->result, run);
    return 0;
}

/* The share of -duration that belongs to one of several scenarios. */
static ns_t duration_of(const struct job *s, const struct scenario *scenario)
{
    ns_t sum = 0;
    for (size_t i = 0; i < s->scenario_count; i++)
        sum += scenario_length(&s->scenarios[i]);
    return (ns_t)((double)s->options.duration_ns * (double)scenario_length(scenario) / (double)sum);
}

static int run_all(struct job *s, struct err *err)
{
    int rounds = s->options.runs;
    if (rounds == 0 && s->options.duration_ns > 0)
        rounds = 1;
    uint64_t index = 0;
    for (int round = 0; rounds == 0 || round < rounds; round++) {
        for (size_t i = 0; i < s->scenario_count; i++) {
            if (run_scenario(s, &s->scenarios[i], duration_of(s, &s->scenarios[i]), index++, err) !=
                0)
                return -1;
            if (take_signal(s) || topology_check(s->topology, NULL) != 0)
                return 0;
        }
    }
    return 0;
}

static int load_scenarios(struct job *s, struct err *err)
{
    s->scenarios = calloc(CATALOG_MAX, sizeof *s->scenarios);
    if (s->scenarios == NULL)
        return err_set(err, "out of memory");
    s->scenario_count = catalog_find(s->options.scenario, NULL, s->scenarios, err);
    for (size_t i = 0; i < s->scenario_count; i++)
        if (s->options.direct && s->scenarios[i].step_count > 0)
            return err_set(err, "-direct: scenario %s has faults, which need the proxies",
                           s->scenarios[i].name);
    return s->scenario_count > 0 ? 0 : -1;
}

static int job_begin(struct job *s, struct err *err)
{
    const struct run_options *o = &s->options;
    s->signal_fd = setup_signals(err);
    if (s->signal_fd < 0 || setup_topology(o, s->signal_fd, &s->log, &s->topology, err) != 0)
        return -1;
    announce(s);
    return result_begin(s, err);
}

static int job_report(struct job *s)
{
    s->result->end_ns = ns_now();
    int rc = s->options.json ? report_json(stdout, s->result)
                             : report_text_end(stdout, s->result, s->text_style);
    if (rc != 0 || fflush(stdout) != 0) {
        log_error(&s->log, "cannot write the result: %s", strerror(errno));
        return EXIT_CODE_INTERNAL;
    }
    return verdict_exit_code(s->result->verdict);
}

static void job_end(struct job *s)
{
    result_free(s->result); /* its nodes borrow from the topology */
    topology_stop(s->topology);
    free(s->scenarios);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    free(s);
}

static int usage_error(const char *text)
{
    fprintf(stderr, "memchaos: %s\nSee memchaos -help\n", text);
    return EXIT_CODE_USAGE;
}

static int set_up_and_run(struct job *s, struct err *err)
{
    if (load_scenarios(s, err) != 0)
        return catalog_is_path(s->options.scenario) ? EXIT_CODE_BAD_SCENARIO : EXIT_CODE_USAGE;
    if (job_begin(s, err) != 0)
        return take_signal(s) ? EXIT_CODE_INTERRUPTED : EXIT_CODE_INTERNAL;
    if (run_all(s, err) != 0)
        return EXIT_CODE_INTERNAL;
    return job_report(s);
}

int run_cmd_main(int argc, char **argv)
{
    struct job *s = calloc(1, sizeof *s);
    struct err err = {""};
    if (s == NULL)
        return EXIT_CODE_INTERNAL;
    s->signal_fd = -1;
    int code = EXIT_CODE_PASSED;
    switch (run_options_parse(&s->options, argc, argv, &err)) {
    case RUN_OPTIONS_HELP: break;
    case RUN_OPTIONS_BAD: code = usage_error(err.text); break;
    case RUN_OPTIONS_OK:
        log_init(&s->log, stderr, LOG_LEVEL_INFO, s->options.quiet);
        s->options.client.log = &s->log;
        s->style.colour = wants_colour(stderr);
        s->text_style.colour = wants_colour(stdout);
        if (s->options.version)
            printf("memchaos %s\n", MEMCHAOS_VERSION);
        else if (s->options.list)
            print_list();
        else
            code = set_up_and_run(s, &err);
        if (code != EXIT_CODE_PASSED && err.text[0] != '\0')
            fprintf(stderr, "memchaos: %s\n", err.text);
    }
    job_end(s);
    return code;
}
