/* SPDX-License-Identifier: MIT */
#include "cli/run_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/duration.h"
#include "cli/exit_code.h"
#include "cli/run_live.h"
#include "cli/run_options.h"
#include "cli/run_skip.h"
#include "cli/scenario_list.h"
#include "cli/setup.h"
#include "report/report.h"
#include "rig/key_share.h"
#include "rig/run.h"
#include "scenario/catalog.h"

struct job {
    struct run_options options;
    struct log log;
    struct report_style style;      /* of the live lines */
    struct report_style text_style; /* of the summary on stdout */
    struct scenario *scenarios;
    size_t scenario_count;
    struct run_skips skips;
    bool new_accounts;                   /* see net_enter() */
    const struct scenario_phase *phases; /* of the run in progress */
    struct topology *topology;
    struct result *result;
    struct run_live live;
    int signal_fd;
    int dump_fd;
    struct flight_files flight_files;
    struct oplog *oplog;
    bool oplog_told; /* that it cannot be written; the sampler's */
    bool interrupted;
};

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
    if (s->skips.network)
        log_info(&s->log,
                 "all of this is in a private network namespace; from outside: "
                 "nsenter -t %ld %s-n curl ...",
                 (long)getpid(), s->new_accounts ? "-U --preserve-credentials " : "");
    if (topology_api(s->topology) != NULL)
        log_info(&s->log, "Toxiproxy API on %s (try: curl %s/proxies)",
                 apiclient_url(topology_api(s->topology)),
                 apiclient_url(topology_api(s->topology)));
}

/* As the present load and client have them. */
static void measure_shares(struct job *s, double *keys, double *hits)
{
    struct driver_config config = s->options.client;
    const char *servers[SCENARIO_NODES_MAX], *names[SCENARIO_NODES_MAX];
    config.server_count = topology_node_count(s->topology);
    for (size_t i = 0; i < config.server_count; i++) {
        servers[i] = topology_node(s->topology, i)->listen;
        names[i] = topology_node(s->topology, i)->name;
    }
    config.servers = servers;
    config.names = names;
    const struct key_share_config share = {
        .driver = s->options.driver,
        .client = &config,
        .load = &s->options.load,
        .workers = (unsigned)s->options.concurrency,
    };
    key_share_measure(&share, keys, hits);
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
        run_options_list(&s->options, &r->arena, &r->options, &r->option_count) != 0 ||
        run_skip_report(&s->skips, r) != 0)
        return err_set(err, "out of memory");
    double shares[SCENARIO_NODES_MAX];
    measure_shares(s, shares, NULL);
    for (size_t i = 0; i < r->node_count; i++)
        r->nodes[i].key_share = shares[i];
    return 0;
}

static void tell_oplog(struct job *s)
{
    struct oplog_stats stats = s->oplog != NULL ? oplog_stats(s->oplog) : (struct oplog_stats){0};
    if (stats.error[0] == '\0' || s->oplog_told)
        return;
    s->oplog_told = true;
    log_warn(&s->log, "%s; the run goes on without it", stats.error);
}

static void on_interval(void *arg, const struct interval *interval, unsigned nodes, ns_t start_ns)
{
    struct job *s = arg;
    tell_oplog(s);
    run_live_interval(&s->live, interval, s->phases[interval->phase].name);
    if (!s->options.quiet)
        report_interval_line(stderr, interval, start_ns, s->phases[interval->phase].name,
                             s->result->nodes, nodes, s->style);
}

static void on_fault(void *arg, const struct plan_fault *fault, bool on, ns_t now)
{
    struct job *s = arg;
    char text[160];
    plan_fault_text(fault, text, sizeof text);
    run_live_fault(&s->live, text, (unsigned)fault->node, on, now);
    log_info(&s->log, "%s: %s %s", s->result->nodes[fault->node].name, text,
             on ? "begins" : "over");
}

static void on_phase(void *arg, const char *name, ns_t now)
{
    struct job *s = arg;
    run_live_phase(&s->live, name, now);
}

static void on_transition(void *arg, const struct transition *transition)
{
    struct job *s = arg;
    run_live_transition(&s->live, transition);
}

static void on_so_far(void *arg, struct run_result *so_far)
{
    struct job *s = arg;
    if (run_options_load_list(&s->options, &so_far->arena, &so_far->load, &so_far->load_count) == 0)
        run_live_so_far(&s->live, so_far);
    else
        run_result_free(so_far);
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

static void on_flight(void *arg, const char *path, const char *reason)
{
    struct job *s = arg;
    if (path != NULL)
        log_warn(&s->log, "flight recording %s: %s (memchaos flight %s)", path, reason, path);
    else
        log_warn(&s->log, "%s", reason);
}

static void take_dump(void *arg)
{
    struct job *s = arg;
    setup_take_dump(s->dump_fd);
}

/* In continuous mode Ctrl-C is the normal end: the run it cut short does not change the verdict of
 * those before it. */
static bool ends_normally(const struct job *s)
{
    return s->options.runs == 0 && s->options.duration_ns == 0 && s->result->run_count > 0;
}

/* Tells about a run that has ended, and makes it part of the result. */
static int keep_run(struct job *s, struct run_result *run, struct err *err)
{
    if (run_options_load_list(&s->options, &run->arena, &run->load, &run->load_count) != 0) {
        run_result_free(run);
        return err_set(err, "out of memory");
    }
    run_live_run_end(&s->live, run);
    if (!outputs_use_stdout(&s->options.reports)) {
        report_text_run(stdout, s->result, run, s->text_style);
        fflush(stdout);
    }
    if (run->verdict == VERDICT_INTERRUPTED && ends_normally(s))
        run_result_free(run);
    else
        result_add_run(s->result, run);
    return 0;
}

/* One run with the options as they are now. */
static int run_with_load(struct job *s, const struct scenario *scenario, ns_t duration,
                         uint64_t index, struct err *err)
{
    struct plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return err_set(err, "out of memory");
    double shares[SCENARIO_NODES_MAX];
    struct plan_config planned = {
        .node_count = topology_node_count(s->topology),
        .duration = duration,
        .seed = rig_run_seed(s->options.seed, index),
        .key_shares = shares,
    };
    measure_shares(s, NULL, shares);
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
        .dump_fd = s->dump_fd,
        .flight_files = &s->flight_files,
        .oplog = s->oplog,
        .run = (unsigned)index + 1,
        .private_network = s->skips.network,
        .on_interval = on_interval,
        .on_fault = on_fault,
        .on_phase = on_phase,
        .on_transition = on_transition,
        .on_so_far = on_so_far,
        .so_far_ns = s->options.snapshot[0] != '\0'
                         ? s->options.snapshot_every * s->options.metrics_interval_ns
                         : 0,
        .on_behind = on_behind,
        .on_stall = on_stall,
        .on_flight = on_flight,
        .take_dump = take_dump,
        .arg = s,
    };
    struct run_result *run = NULL;
    run_live_run_start(&s->live, scenario->name, planned.seed, plan_length(plan));
    int rc = rig_run(&config, s->result, &run, err);
    plan_deinit(plan);
    free(plan);
    return rc != 0 ? -1 : keep_run(s, run, err);
}

static int run_scenario(struct job *s, const struct scenario *scenario, ns_t duration,
                        uint64_t index, struct err *err)
{
    int rc = run_options_load_set(&s->options, &scenario->load, err);
    if (rc != 0)
        err_prefix(err, "scenario %s", scenario->name);
    else if ((rc = setup_file_limit(&s->options, err)) == 0) /* it may ask for a larger pool */
        rc = run_with_load(s, scenario, duration, index, err);
    run_options_load_reset(&s->options);
    return rc;
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
                0) {
                if (s->result->run_count == 0 || !take_signal(s))
                    return -1;
                err->text[0] = '\0'; /* a run that a signal kept from starting */
            }
            if (take_signal(s) || topology_check(s->topology, NULL) != 0)
                return 0;
        }
    }
    return 0;
}

static bool needs_proxies(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->step_count; i++)
        if (scenario->steps[i].fault->family <= FAULT_FAMILY_PROXY)
            return true;
    return false;
}

static int load_scenarios(struct job *s, struct err *err)
{
    s->scenarios = calloc(CATALOG_MAX, sizeof *s->scenarios);
    if (s->scenarios == NULL)
        return err_set(err, "out of memory");
    const struct scenario_rules rules = {.load_check = run_options_load_check, .arg = &s->options};
    s->scenario_count = catalog_find(s->options.scenario, &rules, s->scenarios, err);
    for (size_t i = 0; i < s->scenario_count; i++)
        if (s->options.direct && needs_proxies(&s->scenarios[i]))
            return err_set(err, "-direct: scenario %s has faults, which need the proxies",
                           s->scenarios[i].name);
    return s->scenario_count > 0 ? 0 : -1;
}

/* Takes out what cannot be done here, and goes where the rest can be done. Returns 0 or -1. */
static int choose_scenarios(struct job *s, struct err *err)
{
    struct topology_config config = setup_topology_config(&s->options, -1, &s->log);
    struct fault_means means = topology_means(&config);
    struct net_support support;
    bool foreign = s->options.servers[0] != '\0' || s->options.toxiproxy[0] != '\0';
    run_skip_probe(s->scenarios, s->scenario_count, foreign, &means, &support);
    int left = run_skip_choose(s->scenarios, s->scenario_count, &means, &s->log, &s->skips);
    if (left < 0)
        return err_set(err, "out of memory");
    s->scenario_count = (size_t)left;
    if (left == 0)
        return err_set(err, "nothing can be run here: scenario %s: %s", s->skips.list[0].scenario,
                       s->skips.list[0].reason);
    return s->skips.network ? net_enter(&s->new_accounts, err) : 0;
}

/* Scenarios may ask for more of them than the flags do. */
static unsigned workers_max(struct job *s)
{
    int most = s->options.concurrency;
    for (size_t i = 0; i < s->scenario_count; i++) {
        if (run_options_load_set(&s->options, &s->scenarios[i].load, NULL) == 0 &&
            s->options.concurrency > most)
            most = s->options.concurrency;
        run_options_load_reset(&s->options);
    }
    return (unsigned)most;
}

static int oplog_begin(struct job *s, struct err *err)
{
    char text[1024] = "";
    if (s->options.oplog[0] == '\0')
        return 0;
    struct op_file_header header = {.start_ns = s->result->start_ns,
                                    .start_unix_ns = s->result->start_unix_ns};
    int n = snprintf(text, sizeof text, "seed: %llu\nnodes:", (unsigned long long)s->options.seed);
    for (size_t i = 0; i < s->result->node_count && (size_t)n < sizeof text; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", s->result->nodes[i].name);
    if ((size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, "\n");
    return oplog_open(s->options.oplog, workers_max(s), &header, text, &s->oplog, err);
}

static void oplog_end(struct job *s)
{
    if (s->oplog == NULL)
        return;
    tell_oplog(s);
    struct oplog_stats stats = oplog_close(s->oplog);
    s->oplog = NULL;
    if (stats.error[0] != '\0' && !s->oplog_told)
        log_warn(&s->log, "%s", stats.error);
    if (stats.dropped > 0)
        log_warn(&s->log, "operation log %s: %llu operations, %llu more were dropped",
                 s->options.oplog, (unsigned long long)stats.written,
                 (unsigned long long)stats.dropped);
    else
        log_info(&s->log, "operation log %s: %llu operations", s->options.oplog,
                 (unsigned long long)stats.written);
}

static int job_begin(struct job *s, struct err *err)
{
    s->signal_fd = setup_signals(err);
    s->dump_fd = setup_dump_signal(err);
    if (s->signal_fd < 0 || s->dump_fd < 0)
        return -1;
    s->flight_files = (struct flight_files){.dir = s->options.flight_dir,
                                            .ring = (unsigned)s->options.flight_ring};
    struct topology_config config = setup_topology_config(&s->options, s->signal_fd, &s->log);
    config.new_accounts = s->new_accounts;
    if (setup_topology(&s->options, &config, &s->topology, err) != 0)
        return -1;
    announce(s);
    if (result_begin(s, err) != 0 || run_live_begin(&s->live, s->result, err) != 0)
        return -1;
    return oplog_begin(s, err);
}

static void report_failed(void *arg, const struct output *output, const struct err *err)
{
    struct job *s = arg;
    log_error(&s->log, "the %s report is lost: %s", output->format->name, err->text);
}

/* One report that cannot be written does not keep the others from being written. */
static int job_report(struct job *s)
{
    const struct outputs *reports = &s->options.reports;
    s->result->end_ns = ns_now();
    oplog_end(s);
    size_t failed = outputs_write(reports, s->result, report_failed, s);
    failed += (size_t)run_live_end(&s->live);
    if (!outputs_use_stdout(reports) &&
        (report_text_end(stdout, s->result, s->text_style) != 0 || fflush(stdout) != 0)) {
        log_error(&s->log, "cannot write the result: %s", strerror(errno));
        failed++;
    }
    if (failed > 0)
        return EXIT_CODE_INTERNAL;
    return verdict_exit_code(s->result->verdict);
}

static void job_end(struct job *s)
{
    oplog_end(s);
    run_live_close(&s->live);
    result_free(s->result); /* its nodes borrow from the topology */
    topology_stop(s->topology);
    free(s->scenarios);
    free(s->skips.list);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (s->dump_fd >= 0)
        close(s->dump_fd);
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
    if (choose_scenarios(s, err) != 0)
        return s->scenario_count == 0 ? EXIT_CODE_INVALID : EXIT_CODE_INTERNAL;
    const struct run_live_paths paths = {s->options.events, s->options.status, s->options.snapshot};
    if (run_live_open(&s->live, &paths, &s->log, err) != 0)
        return EXIT_CODE_INTERNAL;
    if (job_begin(s, err) != 0)
        return take_signal(s) ? EXIT_CODE_INTERRUPTED : EXIT_CODE_INTERNAL;
    bool cut_short = run_all(s, err) != 0; /* while it set up a run */
    if (cut_short && !take_signal(s))
        return EXIT_CODE_INTERNAL;
    if (cut_short && s->result->run_count == 0)
        return EXIT_CODE_INTERRUPTED;
    int code = job_report(s);
    return cut_short && !ends_normally(s) ? EXIT_CODE_INTERRUPTED : code;
}

int run_cmd_main(int argc, char **argv)
{
    struct job *s = calloc(1, sizeof *s);
    struct err err = {""};
    if (s == NULL)
        return EXIT_CODE_INTERNAL;
    s->signal_fd = s->dump_fd = -1;
    int code = EXIT_CODE_PASSED;
    switch (run_options_parse(&s->options, argc, argv, &err)) {
    case RUN_OPTIONS_HELP: break;
    case RUN_OPTIONS_BAD: code = usage_error(err.text); break;
    case RUN_OPTIONS_OK:
        log_init(&s->log, stderr, LOG_LEVEL_INFO, s->options.quiet);
        s->options.client.log = &s->log;
        s->style.colour = setup_wants_colour(stderr);
        s->text_style.colour = setup_wants_colour(stdout);
        if (s->options.version)
            printf("memchaos %s\n", MEMCHAOS_VERSION);
        else if (s->options.list)
            code = scenario_list_print(stdout, &err);
        else
            code = set_up_and_run(s, &err);
        if (code != EXIT_CODE_PASSED && err.text[0] != '\0')
            fprintf(stderr, "memchaos: %s\n", err.text);
    }
    job_end(s);
    return code;
}
