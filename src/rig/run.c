/* SPDX-License-Identifier: MIT */
#include "rig/run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "load/workers.h"
#include "metrics/host_reader.h"
#include "metrics/sockets.h"
#include "report/check_eval.h"
#include "report/collect.h"
#include "report/verdict.h"
#include "rig/driver_report.h"
#include "scenario/controller.h"

/* A client may close its connections a little after it was told to. */
#define LEAK_WAIT (1000 * NS_PER_MS)
#define LEAK_WAIT_STEP (10 * NS_PER_MS)

#define WATCH_PERIOD (100 * NS_PER_MS) /* between two looks at the nodes */

struct run {
    const struct run_config *config;
    const struct result *result;
    struct driver_config client_config;
    const char *servers[SCENARIO_NODES_MAX];
    const char *names[SCENARIO_NODES_MAX];
    const char *proxies[SCENARIO_NODES_MAX];
    uint16_t ports[SCENARIO_NODES_MAX];
    size_t node_count;
    struct recorder *recorder;
    struct transitions *transitions;
    struct sampler *sampler;
    void *client;
    struct load *load;
    struct workers *workers;
    bool told_behind[SCENARIO_PHASES_MAX], told_stall[SCENARIO_PHASES_MAX];
    struct evidence evidence;
    struct flight *flight; /* NULL = none */
    struct op_sink sink;
    bool flight_kept; /* something went wrong, and what led to it has been written */
    struct controller controller;
    int *fault_handles; /* of the sampler, by fault of the plan */
    ns_t start_ns, end_ns;
    size_t phase;
    ns_t phase_start_ns[SCENARIO_PHASES_MAX]; /* when each really began; NS_NEVER = it did not */
    bool interrupted;
    struct sockets_peers peers;
    int sockets_before;         /* -1 = the kernel does not tell */
    int64_t leaked_connections; /* likewise */
    struct workers_end workers_end;
    /* What the proxies had got from the client when each phase began, and after the last one. */
    struct traffic traffic[SCENARIO_PHASES_MAX + 1][SCENARIO_NODES_MAX];
    bool has_traffic;        /* they count it */
    ns_t checked_ns;         /* when the checks that may end the run were last looked at */
    ns_t so_far_told_ns;     /* when the result so far was last told */
    size_t transitions_told; /* how many of them; the sampler's thread's own */
    int aborted_by;          /* index of the check that did, or -1 */
    struct check_outcome abort_outcome;
    struct driver_report driver_report;
    struct err broken; /* why the run says nothing; "" = it does */
    struct node_stats final_stats[SCENARIO_NODES_MAX];
    _Atomic pid_t node_pids[SCENARIO_NODES_MAX]; /* for the sampler's thread; 0 = not ours */
};

static void read_node_stats(void *arg, struct node_stats *out, unsigned nodes)
{
    struct run *run = arg;
    memset(out, 0, nodes * sizeof *out);
    for (unsigned i = 0; i < nodes; i++)
        run->config->driver->node_stats(run->client, i, &out[i]);
}

static void tell_transitions(struct run *run)
{
    struct transition batch[16];
    size_t count;
    if (run->config->on_transition == NULL)
        return;
    while ((count = transitions_read(run->transitions, run->transitions_told, batch, 16)) > 0) {
        for (size_t i = 0; i < count; i++)
            run->config->on_transition(run->config->arg, &batch[i]);
        run->transitions_told += count;
    }
}

/* A node that is restarted is another process. */
static void note_pids(struct run *run)
{
    struct node *const *nodes = topology_processes(run->config->topology);
    for (size_t i = 0; i < run->node_count; i++)
        atomic_store(&run->node_pids[i], nodes[i] != NULL ? node_pid(nodes[i]) : 0);
}

static void read_host(void *arg, ns_t now, struct host_sample *out)
{
    struct run *run = arg;
    pid_t pids[SCENARIO_NODES_MAX];
    for (size_t i = 0; i < run->node_count; i++)
        pids[i] = atomic_load(&run->node_pids[i]);
    *out = host_read("/proc", pids, run->node_count, now);
}

static void on_interval(void *arg, const struct interval *interval, unsigned nodes)
{
    struct run *run = arg;
    tell_transitions(run);
    if (run->config->on_interval != NULL)
        run->config->on_interval(run->config->arg, interval, nodes, run->start_ns);
}

static void fault_begins(void *arg, size_t fault, ns_t now)
{
    struct run *run = arg;
    const struct plan_fault *planned = &run->config->plan->faults[fault];
    run->fault_handles[fault] = sampler_fault_start(run->sampler, (unsigned)planned->node, now);
    if (run->config->on_fault != NULL)
        run->config->on_fault(run->config->arg, planned, true, now);
}

static void fault_ended(void *arg, size_t fault, ns_t now)
{
    struct run *run = arg;
    if (run->fault_handles[fault] >= 0)
        sampler_fault_end(run->sampler, run->fault_handles[fault], now);
    if (run->config->on_fault != NULL)
        run->config->on_fault(run->config->arg, &run->config->plan->faults[fault], false, now);
}

static int measure_begin(struct run *run, struct err *err)
{
    const struct run_config *config = run->config;
    struct recorder_config recorder = {
        .nodes = (unsigned)run->node_count,
        .phases = (unsigned)config->plan->scenario.phase_count,
        .workers = config->workers,
        .overdue_ns = config->timeout_ns + RUN_OVERDUE_SLACK_NS,
    };
    run->recorder = recorder_new(&recorder, err);
    run->transitions =
        transitions_new((unsigned)run->node_count, TRANSITIONS_CAP_DEFAULT, ns_now());
    run->fault_handles = calloc(config->plan->fault_count + 1, sizeof *run->fault_handles);
    if (run->recorder == NULL)
        return -1;
    if (run->transitions == NULL || run->fault_handles == NULL)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < config->plan->fault_count; i++)
        run->fault_handles[i] = -1;
    return 0;
}

/* Without the kernel's answer the run goes on: only checks of leaks are then not measured. */
static void sockets_begin(struct run *run)
{
    run->leaked_connections = run->sockets_before = -1;
    for (size_t i = 0; i < run->node_count; i++)
        if (sockets_peers_add(&run->peers, run->servers[i], NULL) != 0)
            return;
    run->sockets_before = sockets_count(&run->peers, NULL);
}

/* The client has been closed: what is left of its connections? */
static void sockets_end(struct run *run)
{
    if (run->sockets_before < 0)
        return;
    ns_t deadline = ns_now() + LEAK_WAIT;
    struct timespec step = ns_to_timespec(LEAK_WAIT_STEP);
    int now = sockets_count(&run->peers, NULL);
    while (now > run->sockets_before && ns_now() < deadline) {
        nanosleep(&step, NULL);
        now = sockets_count(&run->peers, NULL);
    }
    if (now >= 0)
        run->leaked_connections = now > run->sockets_before ? now - run->sockets_before : 0;
}

static int client_begin(struct run *run, struct err *err)
{
    const struct run_config *config = run->config;
    run->client_config = config->client;
    run->client_config.servers = run->servers;
    run->client_config.names = run->names;
    run->client_config.server_count = run->node_count;
    run->client_config.workers = config->workers;
    run->client_config.seed = config->seed;
    run->client_config.transitions = run->transitions;
    if (config->load->workload->adapt_client != NULL)
        config->load->workload->adapt_client(&run->client_config);
    return config->driver->open(&run->client_config, &run->client, err);
}

/* A number that no other run has that used the same servers. */
static uint32_t run_number(uint64_t seed)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t state = seed ^ ((uint64_t)wall.tv_sec << 32) ^ (uint64_t)wall.tv_nsec;
    return (uint32_t)rng_splitmix(&state);
}

/* ---- the flight recorder ---- */

static int sink_begin(struct run *run, struct err *err)
{
    const struct flight_files *files = run->config->flight_files;
    if (files != NULL && files->ring > 0) {
        run->flight = flight_new(run->config->workers, files->ring, err);
        if (run->flight == NULL)
            return -1;
    }
    run->sink = (struct op_sink){
        .flight = run->flight, .oplog = run->config->oplog, .run = (uint16_t)run->config->run};
    return 0;
}

/* The lines of text in a file of this run. */
static void flight_text(struct run *run, char *text, size_t size)
{
    const struct scenario *scenario = &run->config->plan->scenario;
    FILE *out = fmemopen(text, size, "w");
    if (out == NULL)
        return;
    fprintf(out, "scenario: %s\nseed: %llu\nrun: %u\nphases:", scenario->name,
            (unsigned long long)run->config->seed, run->config->run);
    for (size_t i = 0; i < scenario->phase_count; i++)
        fprintf(out, " %s", scenario->phases[i].name);
    fprintf(out, "\nnodes:");
    for (size_t i = 0; i < run->node_count; i++)
        fprintf(out, " %s", run->names[i]);
    fputc('\n', out);
    pthread_mutex_lock(&run->evidence.lock);
    for (size_t i = 0; i < run->evidence.count; i++)
        fprintf(out, "wrong: %s\n", run->evidence.texts[i]);
    pthread_mutex_unlock(&run->evidence.lock);
    fclose(out);
}

static void flight_write(struct run *run, const char *reason)
{
    const struct run_config *config = run->config;
    char text[OP_FILE_TEXT_MAX - 1024] = "", path[FLIGHT_PATH_SIZE];
    struct err err;
    if (run->flight == NULL)
        return;
    flight_text(run, text, sizeof text);
    struct flight_dump dump = {
        .flight = run->flight,
        .reason = reason,
        .text = text,
        .header = {.start_ns = run->result->start_ns, .start_unix_ns = run->result->start_unix_ns},
        .run = config->run,
    };
    int rc = flight_dump_write(config->flight_files, &dump, path, &err);
    if (config->on_flight != NULL && rc != 0)
        config->on_flight(config->arg, rc > 0 ? path : NULL, rc > 0 ? reason : err.text);
}

/* Once per run: what comes after the first trouble hides what led to it. */
static void flight_keep(struct run *run, const char *reason)
{
    if (!run->flight_kept)
        flight_write(run, reason);
    run->flight_kept = true;
}

static void keep_wrong_data(struct run *run)
{
    if (!run->flight_kept && evidence_count(&run->evidence) > 0)
        flight_keep(run, "wrong data");
}

/* Cuts every connection through the proxies, so that a client without timeouts comes back. */
static void cut_connections(void *arg)
{
    struct run *run = arg;
    struct apiclient *api = topology_api(run->config->topology);
    for (size_t i = 0; api != NULL && i < run->node_count; i++)
        if (apiclient_set_enabled(api, run->proxies[i], false, NULL) == APICLIENT_OK)
            apiclient_set_enabled(api, run->proxies[i], true, NULL);
}

static int load_begin(struct run *run, struct err *err)
{
    const struct run_config *config = run->config;
    run->load = load_new(config->load, config->workers, config->seed, run_number(config->seed));
    if (sink_begin(run, err) != 0)
        return -1;
    if (run->load == NULL)
        return err_set(err, "out of memory for what is known about %s keys",
                       config->load->text.keys);
    struct sampler_config sampler = {
        .recorder = run->recorder,
        .transitions = run->transitions,
        .baseline_phase = SCENARIO_BASELINE,
        .interval_ns = config->interval_ns,
        .node_stats = read_node_stats,
        .host = read_host,
        .interval = on_interval,
        .arg = run,
    };
    struct workers_config workers = {
        .count = config->workers,
        .load = run->load,
        .driver = config->driver,
        .client = run->client,
        .recorder = run->recorder,
        .evidence = &run->evidence,
        .sink = run->flight != NULL || config->oplog != NULL ? &run->sink : NULL,
        .timeout_ns = config->timeout_ns,
        .seed = config->seed,
        .cancel_fd = config->signal_fd,
        .unblock = cut_connections,
        .arg = run,
    };
    if (workers_start(&workers, &run->workers, err) != 0)
        return -1;
    run->start_ns = ns_now();
    run->sampler = sampler_new(&sampler, run->start_ns, err);
    if (run->sampler == NULL)
        return -1;
    return sampler_start(run->sampler, err);
}

static int run_begin(struct run *run, struct err *err)
{
    struct topology *topology = run->config->topology;
    run->node_count = topology_node_count(topology);
    for (size_t i = 0; i < run->node_count; i++) {
        const struct topology_node *node = topology_node(topology, i);
        run->servers[i] = node->listen;
        run->names[i] = node->name;
        run->proxies[i] = node->proxy;
        run->ports[i] = node->port;
    }
    for (size_t i = 0; i < SCENARIO_PHASES_MAX; i++)
        run->phase_start_ns[i] = NS_NEVER;
    note_pids(run);
    sockets_begin(run);
    if (measure_begin(run, err) != 0 || client_begin(run, err) != 0 || load_begin(run, err) != 0)
        return -1;
    struct controller_config controller = {
        .plan = run->config->plan,
        .env = {.api = topology_api(topology),
                .proxies = run->proxies,
                .nodes = topology_processes(topology),
                .network_ports = run->config->private_network ? run->ports : NULL},
        .watchdog = topology_watchdog(topology),
        .start_ns = run->start_ns,
        .fault_begins = fault_begins,
        .fault_ended = fault_ended,
        .arg = run,
    };
    return controller_init(&run->controller, &controller, err);
}

/* As the `mark`-th number of each node: where a phase begins, or the last one ends. */
static void read_traffic(struct run *run, size_t mark)
{
    struct apiclient *api = topology_api(run->config->topology);
    struct apiclient_stats stats;
    run->has_traffic = api != NULL && (mark == 0 || run->has_traffic);
    for (size_t i = 0; i < run->node_count && run->has_traffic; i++) {
        run->has_traffic = apiclient_stats(api, run->proxies[i], &stats, NULL) == APICLIENT_OK;
        run->traffic[mark][i] = (struct traffic){.connections = stats.connections_accepted,
                                                 .bytes = stats.upstream_bytes};
    }
}

static void enter_phase(struct run *run, size_t phase)
{
    read_traffic(run, phase);
    run->phase = phase;
    run->phase_start_ns[phase] = ns_now();
    recorder_phase_set(run->recorder, (unsigned)phase);
    if (run->config->on_phase != NULL)
        run->config->on_phase(run->config->arg, run->config->plan->scenario.phases[phase].name,
                              run->phase_start_ns[phase]);
}

static void tell_behind(struct run *run, ns_t now)
{
    ns_t behind = workers_behind(run->workers, now);
    if (behind < RUN_BEHIND_NS || run->told_behind[run->phase] || run->config->on_behind == NULL)
        return;
    run->told_behind[run->phase] = true;
    run->config->on_behind(run->config->arg, run->phase, behind);
}

static void tell_stall(struct run *run, ns_t now)
{
    ns_t age = recorder_oldest_in_flight(run->recorder, now);
    if (age <= recorder_config(run->recorder)->overdue_ns)
        return;
    flight_keep(run, "an operation in flight for longer than its deadline");
    if (run->told_stall[run->phase] || run->config->on_stall == NULL)
        return;
    run->told_stall[run->phase] = true;
    run->config->on_stall(run->config->arg, run->phase, age);
}

/*
 * What is due now. An operation belongs to the phase in which it starts, so a phase begins before
 * its first fault is switched on and lasts until its last one is off.
 */
static int run_advance(struct run *run, ns_t now)
{
    size_t phase = plan_phase_at(run->config->plan, now - run->start_ns);
    while (run->phase < phase) {
        if (controller_advance(&run->controller, now, run->phase, &run->broken) != 0)
            return -1;
        enter_phase(run, run->phase + 1);
    }
    if (controller_advance(&run->controller, now, phase, &run->broken) != 0)
        return -1;
    tell_behind(run, now);
    tell_stall(run, now);
    keep_wrong_data(run);
    note_pids(run);
    return topology_check(run->config->topology, &run->broken);
}

static ns_t next_phase_ns(const struct run *run)
{
    return run->start_ns + run->config->plan->phase_start_ns[run->phase + 1];
}

/* Sleeps until `when`; true when a signal has come. */
static bool wait_for_signal(struct run *run, ns_t when)
{
    ns_t left = ns_max(when - ns_now(), 0);
    struct timespec timeout = ns_to_timespec(left);
    struct pollfd pfds[] = {
        {.fd = run->config->signal_fd, .events = POLLIN},
        {.fd = run->config->dump_fd, .events = POLLIN}, /* ignored when negative */
    };
    if (ppoll(pfds, 2, &timeout, NULL) <= 0)
        return false;
    if (pfds[1].revents != 0) {
        run->config->take_dump(run->config->arg);
        flight_write(run, "asked for by a signal");
    }
    return pfds[0].revents != 0;
}

/* What calls use that never came back has to stay: better a leak than a crash. */
static void run_free(struct run *run)
{
    bool lost = workers_stop(run->workers).lost > 0;
    sampler_free(run->sampler);
    controller_deinit(&run->controller);
    if (lost)
        return;
    load_free(run->load);
    if (run->client != NULL)
        run->config->driver->close(run->client);
    transitions_free(run->transitions);
    recorder_free(run->recorder);
    flight_free(run->flight);
    free(run->fault_handles);
    evidence_deinit(&run->evidence);
    free(run);
}

static size_t collect_phases(const struct run *run, struct collect_phase *phases)
{
    size_t count = 0;
    const struct scenario *scenario = &run->config->plan->scenario;
    for (size_t i = 0; i < scenario->phase_count; i++) {
        if (run->phase_start_ns[i] == NS_NEVER)
            continue;
        if (count > 0)
            phases[count - 1].end_ns = run->phase_start_ns[i];
        phases[count++] = (struct collect_phase){.name = scenario->phases[i].name,
                                                 .start_ns = run->phase_start_ns[i],
                                                 .end_ns = run->end_ns};
    }
    return count;
}

/* Of each phase that began; by phase, then by node. */
static void collect_traffic(const struct run *run, struct traffic *traffic)
{
    for (size_t i = 0; i <= run->phase; i++)
        for (size_t node = 0; node < run->node_count; node++) {
            const struct traffic *begin = &run->traffic[i][node], *end = &run->traffic[i + 1][node];
            traffic[i * run->node_count + node] =
                (struct traffic){.connections = end->connections - begin->connections,
                                 .bytes = end->bytes - begin->bytes};
        }
}

#define FAULT_TEXT_SIZE 160

/* Texts of one fault until the result has copied them. */
struct fault_texts {
    char text[FAULT_TEXT_SIZE];
    char target[TARGET_TEXT_SIZE];
};

static size_t collect_faults(const struct run *run, struct collect_fault *faults,
                             struct fault_texts *texts)
{
    const struct plan *plan = run->config->plan;
    size_t count = 0;
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct fault_log *log = &run->controller.faults[i];
        if (log->first_on_ns == NS_NEVER)
            continue;
        plan_fault_text(&plan->faults[i], texts[count].text, FAULT_TEXT_SIZE);
        faults[count] = (struct collect_fault){
            .text = texts[count].text,
            .target = target_text(&plan->faults[i].step->target, texts[count].target),
            .node = (unsigned)plan->faults[i].node,
            .phase = (unsigned)plan->faults[i].step->phase,
            .handle = run->fault_handles[i],
            .start_ns = log->first_on_ns,
            .end_ns = log->last_off_ns,
            .victims = log->fault.victims,
        };
        count++;
    }
    return count;
}

/* There is such a check only when it fails, and then it is beyond doubt, as wrong data is. */
static int check_stopped(const struct run *run, struct run_result *out)
{
    char measured[120];
    unsigned late = run->workers_end.late, lost = run->workers_end.lost;
    if (lost > 0)
        snprintf(measured, sizeof measured, "%u of %u did not, %u not even without connections",
                 late, run->config->workers, lost);
    else
        snprintf(measured, sizeof measured, "%u of %u did not until their connections were cut",
                 late, run->config->workers);
    return verdict_check_add(out, CHECK_HARD, "calls_ended", false,
                             "at the end of the run every call of the client ended", measured);
}

/* What only the run knows, as checks before the general ones. */
static int own_checks(struct run *run, struct run_result *out)
{
    const struct scenario *scenario = &run->config->plan->scenario;
    size_t examples = evidence_count(&run->evidence);
    for (size_t i = 0; i < examples; i++)
        if (verdict_check_add(out, CHECK_HARD, "wrong_data_example", false, "an answer was wrong",
                              run->evidence.texts[i]) != 0)
            return -1;
    if (driver_report_checks(&run->driver_report, out) != 0)
        return -1;
    if (check_add_all(out, run->result, scenario->checks, scenario->check_count, run->aborted_by,
                      run->abort_outcome.measured) != 0)
        return -1;
    if (run->workers_end.late > 0 && check_stopped(run, out) != 0)
        return -1;
    if (run->broken.text[0] != '\0')
        return verdict_check_add(out, CHECK_VALIDITY, "rig_intact", false,
                                 "nodes and proxies did as they were told", run->broken.text);
    return 0;
}

/* Until run->end_ns, which may be now. */
static struct run_result *run_collect(struct run *run, bool figures_only, struct err *err)
{
    const struct plan *plan = run->config->plan;
    struct collect_phase phases[SCENARIO_PHASES_MAX];
    struct collect_fault *faults = calloc(plan->fault_count + 1, sizeof *faults);
    struct fault_texts *texts = calloc(plan->fault_count + 1, sizeof *texts);
    struct traffic *traffic = calloc(SCENARIO_PHASES_MAX * run->node_count, sizeof *traffic);
    struct run_result *out = NULL;
    if (faults == NULL || texts == NULL || traffic == NULL) {
        err_set(err, "out of memory");
    } else {
        struct collect collect = {
            .scenario = plan->scenario.name,
            .description = plan->scenario.description,
            .seed = run->config->seed,
            .start_ns = run->start_ns,
            .end_ns = run->end_ns,
            .figures_only = figures_only,
            .open_loop = !run->config->load->arrival.closed,
            .interrupted = run->interrupted,
            .aborted = run->aborted_by >= 0,
            .timeout_ns = run->config->timeout_ns,
            .leaked_connections = run->leaked_connections,
            .traffic = run->has_traffic ? traffic : NULL,
            .baseline_phase = SCENARIO_BASELINE,
            .recorder = run->recorder,
            .sampler = run->sampler,
            .transitions = run->transitions,
            .node_stats = run->final_stats,
            .phases = phases,
            .phase_count = collect_phases(run, phases),
            .faults = faults,
            .fault_count = collect_faults(run, faults, texts),
        };
        collect_traffic(run, traffic);
        out = collect_run(&collect, err);
    }
    free(faults);
    free(texts);
    free(traffic);
    return out;
}

/* ---- checks that may end the run ---- */

static bool has_abort_checks(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->check_count; i++)
        if (scenario->checks[i].abort)
            return true;
    return false;
}

/* Judges them on the run as it is. */
static void look_at_checks(struct run *run, ns_t now)
{
    const struct scenario *scenario = &run->config->plan->scenario;
    run->end_ns = now;
    read_node_stats(run, run->final_stats, (unsigned)run->node_count);
    read_traffic(run, run->phase + 1);
    struct run_result *so_far = run_collect(run, true, NULL);
    if (so_far == NULL)
        return; /* no memory now; the end of the run judges it too */
    struct check_facts facts = {.run = so_far, .result = run->result, .live = true};
    for (size_t i = 0; i < scenario->check_count && run->aborted_by < 0; i++)
        if (scenario->checks[i].abort &&
            check_fails_already(&facts, &scenario->checks[i], &run->abort_outcome))
            run->aborted_by = (int)i;
    if (run->aborted_by >= 0)
        flight_keep(run, "a check that ends the run failed");
    run_result_free(so_far);
}

/* Once per interval. */
static bool checks_end_run(struct run *run, ns_t now)
{
    if (now - run->checked_ns < run->config->interval_ns ||
        !has_abort_checks(&run->config->plan->scenario))
        return false;
    run->checked_ns = now;
    look_at_checks(run, now);
    return run->aborted_by >= 0;
}

/* ---- the result so far ---- */

/* Once per so_far_ns. */
static void tell_so_far(struct run *run, ns_t now)
{
    const struct run_config *config = run->config;
    if (config->on_so_far == NULL || config->so_far_ns <= 0 ||
        now - run->so_far_told_ns < config->so_far_ns)
        return;
    run->so_far_told_ns = now;
    run->end_ns = now;
    read_node_stats(run, run->final_stats, (unsigned)run->node_count);
    struct verdict_config verdict = VERDICT_CONFIG_DEFAULT;
    struct run_result *so_far = run_collect(run, false, NULL);
    if (so_far == NULL)
        return; /* no memory now; perhaps the next time */
    so_far->interrupted = true;
    if (own_checks(run, so_far) != 0 || verdict_judge(so_far, run->result, &verdict) != 0)
        run_result_free(so_far);
    else
        config->on_so_far(config->arg, so_far);
}

/* ---- the run ---- */

static void run_through(struct run *run)
{
    ns_t end = run->start_ns + plan_length(run->config->plan);
    enter_phase(run, SCENARIO_BASELINE);
    run->so_far_told_ns = run->start_ns;
    for (ns_t now = run->start_ns; now < end; now = ns_now()) {
        if (run_advance(run, now) != 0)
            break;
        if (checks_end_run(run, now))
            break;
        tell_so_far(run, now);
        ns_t next = ns_min(ns_min(controller_deadline(&run->controller), next_phase_ns(run)),
                           now + WATCH_PERIOD);
        if (wait_for_signal(run, next)) {
            run->interrupted = true;
            break;
        }
    }
    run->end_ns = ns_now();
}

static void run_finish(struct run *run)
{
    struct err err;
    read_traffic(run, run->phase + 1);
    if (controller_undo(&run->controller, &err) != 0 && run->broken.text[0] == '\0')
        run->broken = err;
    run->workers_end = workers_stop(run->workers);
    if (run->workers_end.lost == 0)
        run->workers = NULL;
    sampler_stop(run->sampler, ns_now());
    read_node_stats(run, run->final_stats, (unsigned)run->node_count);
    if (run->workers_end.lost > 0)
        return;
    driver_report_take(&run->driver_report, run->config->driver, run->client);
    run->config->driver->close(run->client);
    run->client = NULL;
    sockets_end(run);
}

uint64_t rig_run_seed(uint64_t session_seed, uint64_t index)
{
    struct rng rng = rng_fork(session_seed, index);
    return rng_u64(&rng) >> 11; /* 53 bits: every JSON reader keeps them */
}

int rig_run(const struct run_config *config, const struct result *result, struct run_result **out,
            struct err *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return err_set(err, "out of memory");
    *run = (struct run){.config = config, .result = result, .aborted_by = -1};
    evidence_init(&run->evidence);
    int rc = run_begin(run, err);
    if (rc == 0) {
        run_through(run);
        run_finish(run);
        struct run_result *collected = run_collect(run, false, err);
        struct verdict_config verdict = VERDICT_CONFIG_DEFAULT;
        if (collected == NULL || own_checks(run, collected) != 0 ||
            verdict_judge(collected, result, &verdict) != 0) {
            run_result_free(collected);
            rc = -1;
        } else {
            keep_wrong_data(run);
            if (collected->verdict == VERDICT_FAILED)
                flight_keep(run, collected->reason_count > 0 ? collected->reasons[0] : "failed");
            *out = collected;
        }
    }
    run_free(run);
    return rc;
}
